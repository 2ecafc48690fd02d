"""What a newcomer meets first: imports, requirements, the Makefile's promises."""

import re
import tomllib
from pathlib import Path

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


def test_imports_point_one_way():
    order = {
        "layers": 0,
        "losses": 0,
        "randomness": 0,
        "data": 0,
        "metrics": 1,
        "gan": 2,
        "models": 3,
        "cli": 5,
    }
    for path in (ROOT / "ganlib").rglob("*.py"):
        part = path.relative_to(ROOT / "ganlib").parts[0].removesuffix(".py")
        for imported in re.findall(
            r"(?:from|import) ganlib\.(\w+)|from ganlib import (\w+)", path.read_text()
        ):
            name = imported[0] or imported[1]
            if part in order and name in order and part != name:
                assert order[name] <= order[part], f"{path} imports ganlib.{name}"


def test_make_is_what_the_readme_and_ci_say():
    makefile, readme = (ROOT / "Makefile").read_text(), (ROOT / "README.md").read_text()
    for target in ("demo", "test", "notebooks", "exercises", "lint"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert readme.index("make demo") < readme.index("make test")
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
