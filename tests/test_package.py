"""What a newcomer meets first: imports, requirements, the Makefile's promises."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_import_is_instant(run_python):
    loaded = run_python(
        """
        import sys
        import ganlib
        result = [name for name in ("tensorflow", "keras", "numpy", "matplotlib", "scipy") if name in sys.modules]
        """
    )
    assert loaded == []


def test_attributes_load_when_asked_for_and_quietly(run_python):
    done = run_python(
        "import ganlib; ganlib.data, ganlib.GAN, ganlib.models.DCGAN; print('here')", check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "here\n", "")


def test_unknown_attribute_names_the_known_ones(run_python):
    message = run_python(
        """
        import ganlib
        try:
            ganlib.modles
        except AttributeError as error:
            result = str(error)
        """
    )
    assert "'modles'" in message and "models" in message


def test_requirements_are_the_projects():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = {line.split("#")[0].strip() for line in lines} - {"", "-e ."}
    extras = PROJECT["optional-dependencies"]
    expected = {*PROJECT["dependencies"], *extras["lessons"], *extras["dev"]} - {"ganlib[lessons]"}
    assert listed == expected
    assert not [line for line in listed if "==" in line]


# Every part of the package, in the order in which they may import each other: none imports one of a later row.
ROWS = (
    ("errors", "arguments", "quiet", "files", "hashes"),
    ("randomness",),
    ("replicas", "optimizers", "trick"),
    ("layers",),
    ("losses", "penalties", "tricks", "augment"),
    ("updates", "phases", "presets", "batches", "weights", "sampling", "checkpoints", "scaling"),
    ("data", "plots", "latents", "conditions"),
    ("metrics",),
    ("callbacks", "monitors"),
    ("moving", "adversarial", "sampled", "growth", "styled", "standing", "ensemble"),
    ("engine",),
    ("gan", "translation"),
    ("models",),
    ("hub",),
    ("catalogue", "convert", "convert_biggan", "convert_hub", "zoo", "doctor"),
    ("runs",),
    ("sweeps",),
    ("cli",),
    ("teaching",),
)
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "ganlib").rglob("*.py")
}


def imported_by(name: str) -> set[str]:
    """Modules of ganlib that a module imports, inside of functions too, but not for type hints only."""
    tree = ast.parse(MODULES[name].read_text())
    hints = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    skipped = {id(inner) for node in hints for inner in ast.walk(node)}
    wanted = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and id(node) not in skipped:
            wanted += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and id(node) not in skipped:
            wanted += [f"{node.module}.{alias.name}" for alias in node.names]
    found = set()
    for module in wanted:
        while module and module not in MODULES:
            module = module.rpartition(".")[0]
        found |= {module} - {"", "ganlib", name}
    return found


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_point_one_way(name):
    rank = {part: row for row, parts in enumerate(ROWS) for part in parts}
    assert {module.split(".")[1] for module in MODULES if "." in module} == set(rank), (
        "a part without a place"
    )
    if name != "ganlib":  # the front door finds its rooms by name
        part = name.split(".")[1]
        for module in imported_by(name):
            assert rank[module.split(".")[1]] <= rank[part], f"{name} imports {module}"


def test_no_circle_of_imports():
    left = {name: imported_by(name) for name in MODULES}
    for name, imports in left.items():  # a module and its own package, which imports it, are no circle
        imports -= {module for module in imports if name.startswith(f"{module}.")}
    while left:
        free = {name for name, imports in left.items() if not imports & left.keys()}
        assert free, f"a circle among {', '.join(sorted(left))}"
        left = {name: imports for name, imports in left.items() if name not in free}


def test_make_is_what_the_readme_and_ci_say():
    makefile, readme = (ROOT / "Makefile").read_text(), (ROOT / "README.md").read_text()
    for target in ("demo", "test", "notebooks", "exercises", "lint"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert readme.index("make demo") < readme.index("make test")
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
