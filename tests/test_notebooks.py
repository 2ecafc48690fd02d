"""Every lesson keeps to the format, and the linter that says so notices each way of not doing it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ganlib.errors import GanlibError

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))

_spec = importlib.util.spec_from_file_location("course_build", ROOT / "course" / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)
lint = build.lint

PNG = {"image/png": "AAAA", "text/plain": "<Figure size 800x300 with 1 Axes>"}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_keeps_to_the_format(path):
    assert build.problems_of(path) == []
    assert nbformat.read(path, as_version=4).metadata.ganlib.seconds < 300


def prose(text):
    return new_markdown_cell(text)


def code(source, *outputs, tags=()):
    return new_code_cell(source, outputs=list(outputs), execution_count=1, metadata={"tags": list(tags)})


def printed(text):
    return new_output("stream", name="stdout", text=text)


def good():
    """A lesson in which nothing is wrong: 42 cells, of which 24 are prose."""
    cells = [
        prose("# Day 1, lesson 1: The game\n\nWhat it is about."),
        prose("## Goals\n\nYou will see."),
        prose("## What to know first\n\nNothing."),
        prose("## Minutes\n\n2 minutes on 2 CPU cores (measured), 0.5 minutes on a Colab T4 (estimated)."),
        code(lint.FIRST_CELL),
        code("budget = ganlib.budget()\nganlib.scaling.logical_devices(2)"),
        prose("## Training"),
    ]
    for _ in range(3):
        cells += [
            prose("**Predict.** What will it do?"),
            code("train(budget.steps(100))", tags=["run"]),
            prose("**Compare.** It did."),
            code("print(6)", printed("6\n")),
        ]
    cells += [
        prose("The next cells show numbers of this run."),
        code("print(loss)", printed("0.693\n"), tags=["nbval-ignore-output", "trained"]),
        code("plot()", new_output("display_data", PNG), tags=["nbval-ignore-output", "picture"]),
        code("clock()", printed("2.1 s\n"), tags=["nbval-ignore-output", "duration"]),
        *[cell for number in range(6) for cell in (prose("Text."), code(f"x = {number}"))],
        prose("More text."),
        prose("Even more."),
        prose("## Recap\n\nIt works."),
        prose("## Failure modes\n\nIt collapses."),
        prose("## On more hardware\n\nTwo devices."),
        prose("## Claims\n\nOne."),
        code("ganlib.claims.record(1)"),
    ]
    cells.insert(-5, prose("Last words."))
    notebook = new_notebook(cells=cells)
    stamp(notebook)
    return notebook


def stamp(notebook):
    notebook.metadata["ganlib"] = {
        "code_hash": lint.code_hash(notebook),
        "budget": "laptop",
        "seconds": 120,
    }


def find(notebook, text):
    return next(cell for cell in notebook.cells if text in cell.source)


def index(notebook, text):
    return notebook.cells.index(find(notebook, text))


def replace(old, new):
    """An edit of the first cell that has `old`."""

    def edit(notebook):
        cell = find(notebook, old)
        cell.source = cell.source.replace(old, new)
        stamp(notebook)

    return edit


def drop(text):
    def edit(notebook):
        del notebook.cells[index(notebook, text)]
        stamp(notebook)

    return edit


def tagged(text, *tags):
    def edit(notebook):
        find(notebook, text).metadata["tags"] = list(tags)

    return edit


def output(text, *outputs):
    def edit(notebook):
        find(notebook, text).outputs = list(outputs)

    return edit


def grow(notebook):
    notebook.cells[-1:-1] = [prose("Text.") for _ in range(40)]


def more_code(notebook):
    notebook.cells[-1:-1] = [code("x = 1") for _ in range(20)]
    stamp(notebook)


def swap_sections(notebook):
    recap, last = find(notebook, "## Recap"), find(notebook, "## Claims")
    recap.source, last.source = last.source, recap.source


def slow(notebook):
    notebook.metadata.ganlib.seconds = 600


def smoke(notebook):
    notebook.metadata.ganlib.budget = "smoke"


def unstamped(notebook):
    del notebook.metadata["ganlib"]


def changed_code(notebook):
    find(notebook, "print(6)").source = "print(7)"


def not_run(notebook):
    find(notebook, "print(6)").execution_count = None


def last_cell(notebook):
    notebook.cells.append(prose("Bye."))


def no_comparison(notebook):
    for cell in notebook.cells:
        cell.source = cell.source.replace("**Compare.**", "So.")


def no_prediction(notebook):
    for cell in notebook.cells:
        cell.source = cell.source.replace("**Predict.**", "Run.")


def test_a_good_lesson_has_no_problems():
    assert lint.problems(good(), 1000) == []


ERROR = new_output("error", ename="ValueError", evalue="no", traceback=[])
STDERR = new_output("stream", name="stderr", text="WARNING: slow")


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (grow, "not 40 to 70"),
        (drop("x = 0"), None),
        (more_code, "cells are prose"),
        (replace("# Day 1, lesson 1: The game", "# The game"), "does not open with"),
        (replace("## Goals", "## Aims"), "no section `## Goals`"),
        (replace("## What to know first", "Know:"), "no section `## What to know first`"),
        (replace("## Minutes", "## Time"), "no section `## Minutes`"),
        (replace("## Recap", "## Summary"), "no section `## Recap`"),
        (replace("## Failure modes", "## Risks"), "no section `## Failure modes`"),
        (replace("## On more hardware", "### On more hardware"), "no section `## On more hardware`"),
        (replace("## Claims", "## Claim"), "no section `## Claims`"),
        (swap_sections, "sections are not in order"),
        (replace("2 minutes on 2 CPU cores (measured)", "soon"), "minutes on 2 CPU cores (measured)"),
        (replace("0.5 minutes on a Colab T4 (estimated)", "soon"), "on a Colab T4 (estimated)"),
        (replace("2 minutes on 2", "9 minutes on 2"), "it says 9 minutes, but 2.0 were measured"),
        (slow, "it says 2 minutes, but 10.0 were measured"),
        (last_cell, "last cell does not call"),
        (replace("claims.record(1)", "claims.table()"), "last cell does not call"),
        (replace("import ganlib", "import ganlib as g"), "first code cell is not FIRST_CELL"),
        (replace("budget = ganlib.budget()", "import keras"), "second code cell does not start"),
        (replace("x = 0", "\n".join("x = 0" for _ in range(31))), "has 31 lines of code, more than 30"),
        (replace("x = 0", "if CI: x = 0"), "asks for CI"),
        (replace("x = 0", "import os; os.environ['A']"), "reads the environment"),
        (replace("x = 0", "x = 'GANLIB_BUDGET'"), "reads the environment"),
        (replace("x = 0", "# NBVAL_IGNORE_OUTPUT"), "has an nbval comment"),
        (no_prediction, "runs without `**Predict.**`"),
        (no_comparison, "is not followed by prose with `**Compare.**`"),
        (tagged("train(budget", "walk"), "trains, but has no tag `run`"),
        (replace("x = 0", "gan.fit(data)"), "trains, but has no tag `run`"),
        (tagged("train(budget"), "it has 2 cells tagged `run`, fewer than 3"),
        (tagged("print(6)", "nbval-ignore-output"), "without one reason of duration, picture, trained"),
        (tagged("print(6)", "nbval-ignore-output", "trained", "duration"), "without one reason"),
        (tagged("print(6)", "nbval-ignore-output", "picture"), "is tagged picture, but stores none"),
        (tagged("x = 0", "nbval-ignore-output", "trained"), "stores no number"),
        (tagged("x = 0", "trained"), "has the tag trained without nbval-ignore-output"),
        (tagged("x = 0", "nbval-skip"), "has the tag nbval-skip, which is not allowed"),
        (changed_code, "not the code that made its outputs"),
        (unstamped, "not the code that made its outputs"),
        (smoke, "made under the budget 'smoke', not laptop"),
        (not_run, "has not been run"),
        (output("print(6)", ERROR), "stores an error"),
        (output("print(6)", STDERR), "stores text on stderr"),
        (
            output("print(6)", printed("saved to /home/ann/runs/x\n")),
            "stores a path of one machine: '/home/'",
        ),
        (output("print(6)", printed("C:\\\\Users\\\\ann\n")), "stores a path of one machine"),
        (output("print(6)", printed("<Thing at 0x7f3a2c>\n")), "stores an object's address"),
    ],
)
def test_each_fault_is_named(edit, problem):
    notebook = good()
    edit(notebook)
    found = lint.problems(notebook, 1000)
    if problem is None:
        assert found == []
    else:
        assert any(problem in line for line in found), found


def test_a_large_file_is_named():
    assert lint.problems(good(), lint.BYTES + 1) == [
        "the file has 1,000,001 bytes, more than 1,000,000: draw smaller pictures"
    ]


def test_the_hash_is_of_the_code_only():
    notebook = good()
    before = lint.code_hash(notebook)
    notebook.cells[1].source = "## Goals\n\nOthers."
    find(notebook, "print(6)").outputs = []
    assert lint.code_hash(notebook) == before
    find(notebook, "print(6)").source += " "
    assert lint.code_hash(notebook) != before


# Running and stamping


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a notebook of the given code cells to a folder and return its path."""
    monkeypatch.setenv("GANLIB_BUDGET", "laptop")

    def write(*sources):
        path = tmp_path / "day1_1_x.ipynb"
        nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
        return path

    return write


def test_a_run_stores_outputs_and_a_stamp(written, capsys):
    path = written("import os\nprint(os.path.basename(os.getcwd()), os.environ['GANLIB_BUDGET'])")
    assert build.main(["notebooks", str(path)]) == 0
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].outputs[0].text == f"{path.parent.name} laptop\n"
    assert "execution" not in notebook.cells[0].metadata  # the times at which cells ran
    assert notebook.metadata.ganlib.budget == "laptop"
    assert notebook.metadata.ganlib.code_hash == lint.code_hash(notebook)
    assert 0 <= notebook.metadata.ganlib.seconds < 60
    assert lint.stale(notebook) == []
    before = path.read_bytes()
    capsys.readouterr()
    assert build.main(["notebooks", str(path)]) == 0
    assert capsys.readouterr().out == "day1_1_x.ipynb: up to date\n" and path.read_bytes() == before


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("1 / 0", "cell 2 raises ZeroDivisionError"),
        ("import warnings\nwarnings.warn('old')", "cell 2 stores text on stderr"),
        ("print('/home/ann/x')", "cell 2 stores a path of one machine"),
    ],
)
def test_a_run_that_is_not_fit_leaves_the_file_as_it_was(written, source, why, capsys):
    path = written("x = 1", source)
    before = path.read_bytes()
    with pytest.raises(GanlibError, match=why):
        build.run(path)
    assert build.main(["notebooks", str(path)]) == 1
    assert why in capsys.readouterr().err
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_command_line_checks_and_exits_with_1_if_something_is_wrong(written):
    command = [sys.executable, str(ROOT / "course" / "build.py"), "lint", str(written("x = 1"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "day1_1_x.ipynb: it has 1 cells, not 40 to 70" in done.stdout and done.stderr == ""
