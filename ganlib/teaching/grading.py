"""Exercises: checks with hints, blanks made from solutions, and the checker of a whole notebook.

A task's check compares a student's function with the task's reference on given cases. If they differ, the
answers of typical mistakes are computed too, and the mistake that the student's function agrees with gives
the hint.
The tasks of a day are the tuple `TASKS` in `ganlib/teaching/exercises/<day>.py`.

`ganlib grade my_day1.ipynb` runs a notebook in a process and a folder of its own and reports which checks fail.
"""

import copy
import importlib
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganlib.errors import GanlibError, InputError
from ganlib.quiet import import_tensorflow

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
BLANK = "your code here"

_CHECK = re.compile(r"""ganlib\.grading\.check\(\s*["']([^"']+)["']""")


class AnswerError(AssertionError):
    """An answer is missing or wrong. The message is the hint, and in a notebook it is all that is shown."""

    def _render_traceback_(self) -> list[str]:  # IPython's protocol
        return [f"Not yet. {self}"]


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer: what to say about it, and the function that makes it."""

    hint: str
    answer: Callable


@dataclass(frozen=True)
class Task:
    """One exercise.

    Attributes:
        name: "<day>.<number>", as in `check("day1.3", ...)`.
        title: a few words.
        reference: a right answer.
        cases: argument tuples on which answers are compared.
        mistakes: typical wrong answers; each differs from the reference on some case.
        observe: (answer, case) -> what is compared: a number, an array, a string, or a tuple of these.
        rtol, atol: tolerances on numbers.
    """

    name: str
    title: str
    reference: Callable
    cases: Sequence[tuple]
    mistakes: Sequence[Mistake]
    observe: Callable[[Callable, tuple], Any] = lambda answer, case: answer(*case)
    rtol: float = 1e-4
    atol: float = 1e-6


def tasks(day: str) -> dict[str, Task]:
    """The tasks of a day by name, in order.

    Raises:
        InputError: there are no exercises for that day.
    """
    if re.fullmatch(r"day[1-9]", day):
        import_tensorflow()
        module = f"ganlib.teaching.exercises.{day}"
        try:
            return {task.name: task for task in importlib.import_module(module).TASKS}
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
    raise InputError(f"there are no exercises for {day!r}: use day1 to day5, as far as they are written")


def check(name: str, answer: Callable) -> None:
    """Check a student's answer to a task, and print that it passed.

    Args:
        name: the task, such as "day1.3".
        answer: the function that the task asks for.

    Raises:
        InputError: there is no such task.
        AnswerError: the answer is missing or wrong; the message is a hint.
    """
    known = tasks(name.partition(".")[0])
    if name not in known:
        raise InputError(f"there is no task {name!r}: use one of {', '.join(known)}")
    hint = _hint(known[name], answer)
    if hint:
        raise AnswerError(f"{name}, {known[name].title}: {hint}")
    print(f"{name} passed: {known[name].title}")


def _hint(task: Task, answer: Callable) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    if not callable(answer):
        return f"give the function itself, without calling it: it is of type {type(answer).__name__}"
    expected = [_observe(task, task.reference, case) for case in task.cases]
    seen = []
    for case in task.cases:
        try:
            seen.append(_observe(task, answer, case, one=len(expected[0]) == 1))
        except NotImplementedError:
            return "not answered yet: replace the line that raises NotImplementedError"
        except Exception as error:
            message = " ".join(str(error).split())[:200]
            return f"it raises {type(error).__name__} on {_short(case)}: {message}"
    wrong = [i for i in range(len(seen)) if not _same(seen[i], expected[i], task)]
    if not wrong:
        return None
    for mistake in task.mistakes:
        if all(
            _same(one, _observe(task, mistake.answer, case), task)
            for one, case in zip(seen, task.cases, strict=True)
        ):
            return mistake.hint
    return _difference(seen[wrong[0]], expected[wrong[0]], task.cases[wrong[0]])


def _observe(task: Task, answer: Callable, case: tuple, one: bool = False) -> list:
    """An answer as strings, float64 arrays, and None for what is neither. `one`: a list is an array."""
    with np.errstate(all="ignore"):
        outcome = task.observe(answer, copy.deepcopy(case))  # a copy: an answer may write into its arguments
    parts = []
    for part in outcome if isinstance(outcome, tuple if one else tuple | list) else (outcome,):
        if not isinstance(part, str) and part is not None:
            try:
                part = np.asarray(part, dtype=np.float64)
            except (TypeError, ValueError):
                part = None
        parts.append(part)
    return parts


def _same(seen: list, expected: list, task: Task) -> bool:
    if len(seen) != len(expected):
        return False
    for one, other in zip(seen, expected, strict=True):
        if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
            if one.shape != other.shape or not np.allclose(one, other, task.rtol, task.atol, equal_nan=True):
                return False
        elif type(one) is not type(other) or one != other:
            return False
    return True


def _difference(seen: list, expected: list, case: tuple) -> str:
    """The first thing that differs, in words."""
    where = f"on {_short(case)}"
    if len(seen) == 1 and seen[0] is None:
        return f"it returns nothing that can be compared {where}: does it end with `return`?"
    if len(seen) != len(expected):
        return f"it returns {len(seen)} values {where}, but {len(expected)} are asked for"
    for i, (one, other) in enumerate(zip(seen, expected, strict=True)):
        what = f"value {i + 1}" if len(seen) > 1 else "the value"
        if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray):
            if one is None or one != other:
                return f"{what} is {_short(one)} {where}, but should be {_short(other)}"
        elif one.shape != other.shape:
            return f"{what} has shape {one.shape} {where}, but should have {other.shape}"
        elif not np.isfinite(one).all():
            return f"{what} is not finite {where}: look for log(0), 0/0 and overflowing exponentials"
    return f"it returns {_short(seen)} {where}, but should return {_short(expected)}"


def _short(value: Any) -> str:
    """A value in at most about 100 characters."""
    if isinstance(value, tuple | list):
        text = ", ".join(_short(part) for part in value)
    elif callable(value):
        text = getattr(value, "__name__", "a function")
    elif isinstance(value, str):
        text = repr(value)
    else:
        text = np.array2string(np.asarray(value), precision=4, threshold=6, edgeitems=2, separator=", ")
    text = " ".join(text.split())
    return text if len(text) <= 100 else text[:97] + "..."


# Notebooks


def blank(solution: Any, source: str) -> Any:
    """The exercise of a solution notebook.

    The lines from `### BEGIN SOLUTION` to `### END SOLUTION` give way to one that raises NotImplementedError,
    indented alike. Cells tagged `solution` are left out. Outputs are left out, except those of cells tagged
    `expected`: the picture that a right answer makes.

    Args:
        solution: the notebook, an nbformat node; unchanged.
        source: its path from the root, for the note at the top.

    Returns:
        A new notebook node.

    Raises:
        InputError: the markers of a cell do not pair, or the notebook has none.
    """
    import nbformat

    note = nbformat.v4.new_markdown_cell(
        f"*Generated from `{source}` by `make exercises`; do not edit. Work in a copy of this file.*",
        id="generated",
    )
    cells, regions = [note], 0
    for number, cell in enumerate(copy.deepcopy(solution.cells), start=1):
        tags = cell.metadata.get("tags", [])
        if "solution" in tags:
            continue
        if cell.cell_type == "code":
            try:
                cell.source, found = _without_solution(cell.source)
            except InputError as error:
                raise InputError(f"{source}, cell {number}: {error}") from None
            regions += found
            cell.execution_count = None
            cell.outputs = [
                output
                for output in cell.outputs
                if "expected" in tags and output.output_type in ("display_data", "execute_result")
            ]
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
        cells.append(cell)
    if not regions:
        raise InputError(f"{source} has no {BEGIN} in any code cell: mark what students are to write")
    exercise = copy.deepcopy(solution)
    exercise.cells = cells
    exercise.metadata.pop("ganlib", None)
    return exercise


def _without_solution(text: str) -> tuple[str, int]:
    """A code cell's text with its solutions blanked, and how many there were."""
    lines, inside, regions = [], False, 0
    for line in text.split("\n"):
        marker = line.strip()
        if marker in (BEGIN, END):
            if inside == (marker == BEGIN):
                raise InputError(f"{marker} without its partner: write {BEGIN}, the answer, {END}")
            inside = not inside
            if inside:
                lines.append(line[: line.index(BEGIN)] + f'raise NotImplementedError("{BLANK}")')
                regions += 1
        elif not inside:
            lines.append(line)
    if inside:
        raise InputError(f"{BEGIN} without its partner: write {BEGIN}, the answer, {END}")
    return "\n".join(lines), regions


def execute(
    notebook: Any, folder: str | os.PathLike, *, allow_errors: bool = False, timeout: float = 3600
) -> Any:
    """Run a notebook in a fresh kernel of this Python, a process of its own.

    Args:
        notebook: an nbformat node; unchanged.
        folder: the kernel's working directory.
        allow_errors: whether to go on after a cell that raises, or that took its time out and was interrupted.
        timeout: seconds for a cell.

    Returns:
        A copy with the new outputs.

    Raises:
        GanlibError: a cell raised (and `allow_errors` is false), took too long, or the kernel died.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = copy.deepcopy(notebook)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        timeout=timeout,
        allow_errors=allow_errors,
        interrupt_on_timeout=allow_errors,
        record_timing=False,
    )
    try:
        return client.execute()
    except CellExecutionError as error:
        cell = 1 + next(i for i, cell in enumerate(notebook.cells) if _errors(cell))
        raise GanlibError(f"cell {cell} raises {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise GanlibError(f"the notebook did not run to its end: {str(error).splitlines()[0]}") from error


def _checked(cell: Any) -> list[str]:
    return _CHECK.findall(cell.source) if cell.cell_type == "code" else []


def _errors(cell: Any) -> list:
    return [output for output in cell.get("outputs", ()) if output.output_type == "error"]


def grade(path: str | os.PathLike, *, timeout: float = 600) -> dict[str, str | None]:
    """Run a notebook's cells in a temporary folder, going on after errors, and look at its checks.

    Args:
        path: the notebook; unchanged.
        timeout: seconds for a cell.

    Returns:
        Task -> None if its check passed, else why not. Every task of the day is there: one whose check is not
        in the notebook, or did not say that it passed, has not.

    Raises:
        InputError: the file is not a notebook, or has no checks.
        GanlibError: a cell took too long, or the kernel died.
    """
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise InputError(f"cannot read {path} as a notebook: {str(error).splitlines()[0]}") from error
    names = [name for cell in notebook.cells for name in _checked(cell)]
    if not names:
        raise InputError(f"{path} has no ganlib.grading.check(...): give a notebook made from exercises/")
    with tempfile.TemporaryDirectory(prefix="ganlib-grading-") as folder:
        executed = execute(notebook, folder, allow_errors=True, timeout=timeout)
    outcomes: dict[str, str | None] = {
        name: "its check is not in the notebook"
        for day in dict.fromkeys(name.partition(".")[0] for name in names)
        for name in tasks(day)
    }
    for cell in executed.cells:
        for name in _checked(cell):
            outcomes[name] = _outcome(name, cell, timeout)
    return outcomes


def _outcome(name: str, cell: Any, timeout: float) -> str | None:
    """Why the check in an executed cell did not pass; None if it did."""
    for error in _errors(cell):
        if error.ename == "KeyboardInterrupt":
            return f"it ran for more than {timeout:g} s and was interrupted"
        return f"{error.ename}: {error.evalue}"
    printed = "".join(output.get("text", "") for output in cell.get("outputs", ()))
    return None if f"{name} passed:" in printed else "its check did not run: leave the check's line as it was"


def report(path: str | os.PathLike, outcomes: dict[str, str | None]) -> str:
    """The outcomes of `grade` as lines of text: a task a line, hints, and the count."""
    titles = {
        name: task.title
        for day in dict.fromkeys(name.partition(".")[0] for name in outcomes)
        for name, task in tasks(day).items()
    }
    lines = [f"{path}"]
    for name, why in outcomes.items():
        lines.append(f"  {'passed ' if why is None else 'not yet'}  {name}  {titles[name]}")
        if why is not None:
            hint = why.partition(": ")[2].removeprefix(f"{name}, {titles[name]}: ") or why
            lines.append(f"           {hint}")
    passed = sum(why is None for why in outcomes.values())
    return "\n".join([*lines, f"  {passed} of {len(outcomes)} tasks passed"])
