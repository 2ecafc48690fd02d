"""The map in CONTRIBUTING.md leads to what is there: every file and every name on the page exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATH = re.compile(r"(?:ganlib|course|tests|benchmarks|notebooks|solutions|exercises)/[\w/.]*")
NAME = re.compile(r"_?[A-Za-z]\w*(?:\.\w+)*(?=$|\()")
PRESETS = {"smoke", "laptop", "colab", "cifar10_32"}
# Files in which names outside of the table are looked for; a name there stands without its file.
CORE = sorted((ROOT / "ganlib").glob("*.py")) + sorted((ROOT / "ganlib" / "layers").glob("*.py"))


def quoted(text: str) -> list[str]:
    """What stands in backticks, in order."""
    return re.findall(r"`([^`\n]+)`", text)


def section(heading: str) -> str:
    """The text under a heading of the page."""
    found = re.search(rf"(?ms)^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE)
    assert found, f"CONTRIBUTING.md has no section {heading!r}"
    return found[1]


def rows() -> list[tuple[str, str, list[str]]]:
    """(what for, file, names) of each line of the map."""
    table = [line.strip("|").split("|") for line in section("The map").splitlines() if line.startswith("|")]
    return [(wish.strip(), *quoted(file), quoted(names)) for wish, file, names in table[2:]]


def defined_in(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """Names that a module or a class defines itself, imports left out, each with what is inside of it."""
    found: dict[str, list[ast.stmt]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node.body
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: [] for target in targets if isinstance(target, ast.Name)}
    return found


def has(path: Path, name: str) -> bool:
    """Whether the file itself defines `name`, or `Class.name` in the body of its class: what a reader would find."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        names = defined_in(body)
        if part not in names:
            return False
        body = names[part]
    return True


def test_the_map_has_fifteen_lines():
    assert len(rows()) == 15
    assert len({wish for wish, _, _ in rows()}) == 15
    assert all(names for _, _, names in rows())


@pytest.mark.parametrize(("file", "names"), [row[1:] for row in rows()], ids=lambda value: str(value))
def test_a_line_of_the_map_leads_there(file, names):
    path = ROOT / file
    assert path.is_file(), f"CONTRIBUTING.md: there is no file {file}"
    missing = [name for name in names if not has(path, name)]
    assert not missing, f"CONTRIBUTING.md: {file} does not define {', '.join(missing)}"


def test_every_path_on_the_page_exists():
    paths = [quote for quote in quoted(PAGE) if PATH.fullmatch(quote)]
    assert len(paths) > 25
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert not missing, f"CONTRIBUTING.md: there is no {', '.join(missing)}"


@pytest.mark.parametrize("heading", ["The core in an hour", "A new model", "Rules"])
def test_every_name_in_the_prose_exists(heading):
    known = {"ARCHITECTURES", "registry"}  # of the files of models, which the text names
    for path in CORE:
        for name, inside in defined_in(ast.parse(path.read_text(encoding="utf-8")).body).items():
            known |= {name, *defined_in(inside)}
    known |= {path.stem for path in (ROOT / "ganlib").iterdir()}
    words = [NAME.match(quote) for quote in quoted(section(heading)) if not PATH.fullmatch(quote)]
    unknown = {word[0] for word in words if word} - known - PRESETS
    assert not unknown, f"CONTRIBUTING.md, {heading}: nothing is called {', '.join(sorted(unknown))}"


def test_the_presets_on_the_page_are_presets():
    text = (ROOT / "ganlib" / "models" / "catalogue.json").read_text(encoding="utf-8")
    assert all(f'"{name}":' in text and f"`{name}`" in PAGE for name in PRESETS)


def test_the_order_of_reading_is_an_order():
    """Each file of the reading list imports, of that list, only files before it (and its own group)."""
    groups = [
        [path for path in quoted(line) if path.startswith("ganlib/")]
        for line in re.findall(r"(?m)^\d+\. (.*?\d+ minutes\))", section("The core in an hour"))
    ]
    assert len(groups) >= 6 and sum(map(len, groups)) > 15
    position = {path: i for i, group in enumerate(groups) for path in group}
    minutes = [int(n) for n in re.findall(r"\((\d+) minutes\)", section("The core in an hour"))]
    assert len(minutes) == len(groups) and sum(minutes) == 60
    for path, here in position.items():
        for imported in imports_of(ROOT / path):
            assert position.get(imported, -1) <= here, (
                f"{path} is to be read before {imported}, which it imports"
            )


def imports_of(path: Path) -> set[str]:
    """Files of the library that a file imports at its top level, as paths from the root."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ganlib"):
            base = node.module.replace(".", "/")
            found |= {f"{base}.py", *(f"{base}/{alias.name}.py" for alias in node.names)}
    return found


def test_the_smallest_model_is_the_one_to_copy():
    files = [path for path in (ROOT / "ganlib" / "models").glob("*.py") if path.name != "__init__.py"]
    smallest = min(files, key=lambda path: len(path.read_text(encoding="utf-8").splitlines()))
    assert f"The smallest is `{smallest.relative_to(ROOT).as_posix()}`" in section("A new model")


def test_a_name_that_is_only_imported_or_inherited_is_not_found():
    assert has(ROOT / "ganlib" / "gan.py", "GAN.updates")
    assert not has(ROOT / "ganlib" / "gan.py", "GAN.fit")
    assert not has(ROOT / "ganlib" / "gan.py", "Engine")
