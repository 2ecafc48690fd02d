"""Exercises are what their solutions make, fail where they are blank, and their solutions pass."""

import importlib.util
import shutil
from pathlib import Path

import nbformat
import pytest

from ganlib import grading

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))

_spec = importlib.util.spec_from_file_location("course_build", ROOT / "course" / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)


def test_there_are_solutions_of_whole_days():
    assert [path.name for path in SOLUTIONS] == [
        f"day{number}.ipynb" for number in range(1, len(SOLUTIONS) + 1)
    ]
    assert len(SOLUTIONS) >= 2


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_a_solution_is_in_the_format_and_its_outputs_are_of_its_code(path):
    assert build.problems_of(path) == []
    assert nbformat.read(path, as_version=4).metadata.ganlib.seconds < 60


def test_the_exercises_and_the_claims_are_up_to_date():
    assert build.outdated() == []


@pytest.fixture
def copied(tmp_path):
    """A copy of what `outdated` looks at."""
    for folder in ("solutions", "exercises"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "course").mkdir()
    for name in ("claims.json", "claims.md"):
        shutil.copy(ROOT / "course" / name, tmp_path / "course")
    (tmp_path / "course" / "claims.md").write_text(build.claims.table(tmp_path), encoding="utf-8")
    assert build.outdated(tmp_path) == []
    return tmp_path


def test_an_edited_exercise_is_noticed(copied):
    path = copied / "exercises" / "day1.ipynb"
    text = path.read_text(encoding="utf-8")
    assert 'raise NotImplementedError(\\"your code here\\")' in text
    path.write_text(
        text.replace('raise NotImplementedError(\\"your code here\\")', "return 0", 1), encoding="utf-8"
    )
    assert build.outdated(copied) == [
        "exercises/day1.ipynb is not what its solution makes: edit that, and `make exercises`"
    ]


def test_a_missing_exercise_one_too_many_and_an_edited_table_are_noticed(copied):
    (copied / "exercises" / "day1.ipynb").rename(copied / "exercises" / "day8.ipynb")
    (copied / "course" / "claims.md").write_text("| 1 | confirmed |\n")
    assert [line.split()[0] for line in build.outdated(copied)] == [
        "exercises/day1.ipynb",
        "exercises/day8.ipynb",
        "course/claims.md",
    ]


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_no_answer_is_left_in_the_exercise(path):
    text = (ROOT / "exercises" / path.name).read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    exercise = nbformat.reads(text, as_version=4)
    blanks = [cell for cell in exercise.cells if cell.cell_type == "code" and grading.BLANK in cell.source]
    assert 6 <= len(blanks) == len(grading.tasks(path.stem)) <= 10
    for cell in exercise.cells:
        if cell.cell_type == "code" and cell.outputs:  # only the pictures that right answers draw
            assert all(set(output.data) <= {"image/png", "text/plain"} for output in cell.outputs)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_blank_fails_every_check(path):
    blank = grading.grade(ROOT / "exercises" / path.name)
    assert set(blank) == set(grading.tasks(path.stem))
    for name, why in blank.items():
        assert why is not None and f"{name}, " in why and "not answered yet" in why


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_solution_passes_every_check(path):
    """As pytest --nbval runs it: what its checks print is stored with it."""
    printed = "".join(
        output.get("text", "")
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and "nbval-ignore-output" not in cell.metadata.get("tags", ())
        for output in cell.outputs
    )
    for name in grading.tasks(path.stem):
        assert f"{name} passed" in printed


@pytest.mark.parametrize(
    "path",
    [SOLUTIONS[0], *(pytest.param(path, marks=pytest.mark.long) for path in SOLUTIONS[1:])],
    ids=lambda path: path.stem,
)
def test_a_solution_is_graded_as_passed(path):
    assert grading.grade(path) == dict.fromkeys(grading.tasks(path.stem))
