"""The first cell of a notebook: run in an empty folder, with a pip that has what a case says."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]

_spec = importlib.util.spec_from_file_location("course_build", ROOT / "course" / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)
lint = build.lint

# A process that has Python's own library only, and the folder on its path as a notebook's kernel has. What pip was
# asked for, and how the cell ended, goes to answer.json.
PROCESS = """
import json, pathlib, subprocess, sys

asked, site = [], pathlib.Path("site").absolute()
sys.path[0] = ""
sys.path.append(str(site))

def run(command, **options):
    assert command[:5] == [sys.executable, "-m", "pip", "install", "--quiet"] and options == {"capture_output": True}
    asked.append(command[5:])
    if command[-1] in INDEX:
        (site / "ganlib").mkdir(parents=True)
        (site / "ganlib" / "__init__.py").write_text(f"where = {command[-1]!r}")

subprocess.run = run
answer = {"asked": asked, "where": None, "said": None}
try:
    exec(compile(CELL, "cell", "exec"))
    answer["where"] = ganlib.where
except ModuleNotFoundError as error:
    answer["said"] = error._render_traceback_()
pathlib.Path("answer.json").write_text(json.dumps(answer))
"""


@pytest.fixture
def first(tmp_path):
    """Run the first cell in a folder where pip finds what is in `index`."""

    def run(folder=tmp_path, index=(), source="", environment=None):
        script = f"INDEX, CELL = {list(index)!r}, {lint.first_cell(source)!r}\n{PROCESS}"
        done = subprocess.run(
            [sys.executable, "-S", "-c", script],
            cwd=folder,
            env={"PATH": "", **(environment or {})},
            capture_output=True,
            text=True,
        )
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
        return json.loads((folder / "answer.json").read_text())

    return run


def package(folder, where):
    (folder / "ganlib").mkdir(parents=True)
    (folder / "ganlib" / "__init__.py").write_text(f"where = {where!r}")


def test_what_is_importable_is_taken_and_pip_is_not_asked(first, tmp_path):
    package(tmp_path / "site", "installed")
    (tmp_path / "ganlib-0.1.0-py3-none-any.whl").touch()
    answer = first(index=["ganlib"], source="git+https://example.org/a/ganlib")
    assert answer == {"asked": [], "where": "installed", "said": None}


@pytest.mark.parametrize("inside", ["notebooks", "notebooks/deeper", "."])
def test_a_clone_around_the_notebook_is_used_as_it_is(first, tmp_path, inside):
    clone = tmp_path / "clone"
    package(clone, "clone")
    folder = clone / inside
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ganlib-0.1.0-py3-none-any.whl").touch()
    answer = first(folder, index=["ganlib"])
    # where the kernel itself starts in the clone, that is importable; else pip brings what it requires
    assert answer["asked"] == ([] if inside == "." else [["-e", str(clone)]])
    assert answer["where"] == "clone"


def test_a_clone_beside_the_notebook_is_not_taken_for_the_package(first, tmp_path):
    package(tmp_path / "ganlib", "clone")
    answer = first()
    assert answer["asked"] == [["-e", str(tmp_path / "ganlib")]] and answer["where"] == "clone"


def test_a_mere_folder_of_that_name_is_not_ganlib(first, tmp_path):
    (tmp_path / "ganlib" / "pictures").mkdir(parents=True)
    assert first(index=["ganlib"])["where"] == "ganlib"


def test_a_wheel_in_the_folder_comes_before_a_source_and_the_newest_first(first, tmp_path):
    old, new = (tmp_path / f"ganlib-{version}-py3-none-any.whl" for version in ("0.9.0", "0.10.0"))
    for age, wheel in enumerate((new, old)):
        wheel.touch()
        os.utime(wheel, (1e9 - age, 1e9 - age))
    answer = first(
        index=[str(old), "git+https://example.org/a/ganlib"], source="git+https://example.org/a/ganlib"
    )
    assert answer["asked"] == [[str(new)], [str(old)]] and answer["where"] == str(old)


def test_the_environment_then_the_cell_then_the_index(first):
    sources = {"source": "cell.whl", "environment": {"GANLIB_SOURCE": "environment.whl"}}
    assert first(index=["ganlib"], **sources)["asked"] == [["environment.whl"], ["cell.whl"], ["ganlib"]]


@pytest.mark.parametrize("found", ["environment.whl", "cell.whl"])
def test_a_source_that_has_it_ends_the_search(first, found):
    answer = first(
        index=[found, "ganlib"], source="cell.whl", environment={"GANLIB_SOURCE": "environment.whl"}
    )
    assert answer["where"] == found and answer["asked"][-1] == [found]


def test_an_empty_source_is_no_source(first):
    """pip would say "Invalid requirement"."""
    assert first(index=["ganlib"], environment={"GANLIB_SOURCE": ""})["asked"] == [["ganlib"]]


def test_where_all_fails_one_paragraph_says_what_helps(first):
    answer = first()
    assert answer["asked"] == [["ganlib"]]
    (paragraph,) = answer["said"]
    assert "\n" not in paragraph
    for way in ("a clone", "pip wheel", "GANLIB_SOURCE", "%pip install ganlib"):
        assert way in paragraph


def test_the_cell_is_short():
    assert lint.first_cell("git+https://example.org/a/ganlib").count("\n") + 1 <= lint.CODE_LINES == 30


# ------------------------------------------------------------------------------------------ pages


@pytest.fixture
def pages(tmp_path):
    """A copy of one lesson and one solution, and of what names the repository."""
    for file in ("notebooks/day1_1_the_game.ipynb", "solutions/day1.ipynb", "README.md", "pyproject.toml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "course").mkdir()
    shutil.copy(ROOT / "course" / "claims.json", tmp_path / "course")
    build.write_first_cells(tmp_path)
    (tmp_path / "course" / "claims.md").write_text(build.claims.table(tmp_path), encoding="utf-8")
    return tmp_path


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_another_first_cell_is_noticed_and_written_again(pages):
    path = pages / "notebooks" / "day1_1_the_game.ipynb"
    before = path.read_bytes()
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.source = cell.source.replace('"ganlib"]', '"ganlib-nightly"]')
    path.write_text(build.text_of(notebook), encoding="utf-8")
    assert build.outdated(pages) == [
        "notebooks/day1_1_the_game.ipynb has another first cell or link than course/published.json says: "
        "run `python course/build.py first`"
    ]
    assert any("not FIRST_CELL" in problem for problem in build.problems_of(path))
    build.write_first_cells(pages)
    assert path.read_bytes() == before and build.outdated(pages) == []


@pytest.mark.parametrize("right", [True, False])
def test_a_stamp_stays_what_it_was(pages, right):
    """The cell of before was in the stamp; a stamp of other code than the notebook's must not become right."""
    path = pages / "notebooks" / "day1_1_the_game.ipynb"
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].source = "import ganlib"
    notebook.metadata.ganlib.code_hash = lint.code_hash(notebook)
    code[-1].source += "" if right else "\nx = 1"
    path.write_text(build.text_of(notebook), encoding="utf-8")
    build.write_first_cells(pages)
    after = nbformat.read(path, as_version=4)
    assert (after.metadata.ganlib.code_hash == lint.code_hash(after)) == right


def test_the_stamp_is_not_of_the_first_cell_if_it_is_the_generated_one(pages):
    notebook = nbformat.read(pages / "solutions" / "day1.ipynb", as_version=4)
    first, second, *_ = [cell for cell in notebook.cells if cell.cell_type == "code"]
    before = lint.code_hash(notebook)
    first.source = lint.first_cell("git+https://example.org/a/ganlib")
    assert lint.code_hash(notebook) == before
    second.source += "\nx = 1"
    assert lint.code_hash(notebook) != before
    first.source = "import ganlib"
    assert lint.code_hash(notebook) != before
