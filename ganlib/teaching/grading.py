"""Exercises: checks with hints, blanks made from solutions, and the checker of a whole notebook.

A task's check compares a student's function with the task's reference on given cases. If they differ, the
answers of typical mistakes are computed too, and the mistake that the student's function agrees with gives
the hint.
The tasks of a day are the tuple `TASKS` in `ganlib/teaching/exercises/<day>.py`.

`ganlib grade my_day1.ipynb` runs a notebook by itself (`isolated.py`) and reports which answers are wrong. What the
notebook prints decides nothing: its checks only hand in the functions; what these give is written down in the kernel,
where no reference is, and compared here. A student who finds the references in ganlib's source and copies one has a
right answer, which no checker can tell. Grading runs a student's code with the rights of who grades: for notebooks of
strangers do it in a container without a network, such as

    docker run --rm --network none -v "$PWD/in:/in:ro" IMAGE_WITH_GANLIB ganlib grade /in/*.ipynb
"""

import base64
import copy
import importlib
import importlib.util
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganlib.errors import GanlibError, InputError
from ganlib.quiet import import_tensorflow
from ganlib.teaching import isolated

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
    return _judged(task, _seen(task, answer, _one(task)))


def _one(task: Task) -> bool:
    """Whether the task asks for one value."""
    return len(_observe(task, task.reference, task.cases[0])) == 1


def _seen(task: Task, answer: Callable, one: bool) -> list[list] | str:
    """What an answer gives on each case; or why it gives nothing. Asks no reference."""
    if not callable(answer):
        return f"give the function itself, without calling it: it is of type {type(answer).__name__}"
    seen = []
    for case in task.cases:
        try:
            seen.append(_observe(task, answer, case, one))
        except NotImplementedError:
            return "not answered yet: replace the line that raises NotImplementedError"
        except Exception as error:
            return f"it raises {type(error).__name__} on {_short(case)}: {_cleaned(str(error))}"
    return seen


def _judged(task: Task, seen: list[list] | str) -> str | None:
    """What is wrong with what an answer gave; None if nothing is."""
    if isinstance(seen, str):
        return seen
    expected = [_observe(task, task.reference, case) for case in task.cases]
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


def require_packages() -> None:
    """Whether notebooks can be run here: a bare installation of ganlib does not bring what that takes.

    Raises:
        GanlibError: a package is missing.
    """
    missing = [
        name for name in ("nbformat", "nbclient", "ipykernel") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise GanlibError(
            f"grading runs notebooks, and {', '.join(missing)} is not here: pip install {' '.join(missing)}"
        )


def grade(path: str | os.PathLike, *, timeout: float = 600) -> dict[str, str | None]:
    """Run a notebook's cells in a temporary folder, going on after errors, and look at its checks.

    Args:
        path: the notebook; unchanged.
        timeout: seconds for a cell, and for a task.

    Returns:
        Task -> None if its answer is right, else why not. Every task of the day is there: one whose check is not
        in the notebook, or did not run, is not answered.

    Raises:
        GanlibError: a package that runs notebooks is missing.
        InputError: the file is not a notebook, or has no checks.
    """
    require_packages()
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, RecursionError, nbformat.ValidationError) as error:
        reason = _cleaned(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise InputError(f"cannot read {path} as a notebook: {reason}") from error
    names = list(dict.fromkeys(name for cell in notebook.cells for name in _checked(cell)))
    if not names:
        raise InputError(f"{path} has no ganlib.grading.check(...): give a notebook made from exercises/")
    known = {
        name: task
        for day in dict.fromkeys(name.partition(".")[0] for name in names)
        for name, task in tasks(day).items()
    }
    nonce = secrets.token_hex(16)
    asked = [name for name in names if name in known]
    cells = [_HAND_IN.format(name=name, one=_one(known[name]), nonce=nonce) for name in asked]
    executed, ended = isolated.run(notebook, _STARTUP, cells, max(1, round(timeout)))
    student, ours = executed.cells[: -len(cells) or None], executed.cells[len(executed.cells) - len(cells) :]
    outcomes: dict[str, str | None] = dict.fromkeys(known, "its check is not in the notebook")
    for name, cell in zip(asked, ours, strict=True):
        its = next(cell for cell in reversed(student) if name in _checked(cell))
        outcomes[name] = _outcome(known[name], cell, its, nonce, timeout, ended)
    return outcomes


# in the kernel, before the student's cells: checks hand in answers, and tasks have no reference
_STARTUP = """\
import sys
import types
import warnings
warnings.filterwarnings("ignore")
sys.modules["ganlib_handed_in"] = types.SimpleNamespace(answers={})
from ganlib.teaching import grading
grading.only_hand_in()
del grading, types, warnings, sys
"""
# behind them, one for each task
_HAND_IN = """\
import sys
for _name in [name for name in sys.modules if name.startswith("ganlib.teaching")]:
    del sys.modules[_name]
from ganlib.teaching import grading as _grading
_grading.only_hand_in()
_grading.hand_in({name!r}, {one!r}, {nonce!r})
"""
_KIND = "application/vnd.ganlib.answer+json"


def only_hand_in() -> None:
    """Turn this process into one in which answers are taken down: for `grade` alone.

    `check` keeps the answer and says nothing; a task's reference cannot be had.
    """
    global check
    handed_in = sys.modules["ganlib_handed_in"].answers

    def check(name: str, answer: Callable) -> None:
        """Hand in an answer."""
        handed_in[name] = answer

    def hidden(task):
        raise AnswerError("there are no references where a notebook is graded")

    Task.reference = property(hidden, lambda task, reference: None)


def hand_in(name: str, one: bool, nonce: str) -> None:
    """Show what the answer to a task gives, for `grade` to read: for `grade` alone."""
    from IPython.display import publish_display_data

    handed_in = sys.modules["ganlib_handed_in"].answers
    if name not in handed_in:
        return
    task = tasks(name.partition(".")[0])[name]
    seen = _seen(task, handed_in[name], one)
    packed = seen if isinstance(seen, str) else [[_packed(part) for part in parts] for parts in seen]
    publish_display_data({_KIND: {"nonce": nonce, "name": name, "seen": packed}, "text/plain": ""})


def _packed(part: Any) -> Any:
    """An observed part as JSON."""
    if isinstance(part, np.ndarray):
        return {"shape": list(part.shape), "float64": base64.b64encode(part.tobytes()).decode()}
    return part


def _unpacked(part: Any) -> Any:
    if isinstance(part, dict):
        values = np.frombuffer(base64.b64decode(part["float64"]), np.float64)
        return values.reshape([int(size) for size in part["shape"]])
    return part if part is None or isinstance(part, str) else None


def _outcome(task: Task, ours: Any, its: Any, nonce: str, timeout: float, ended: str | None) -> str | None:
    """Why an answer is not right, from our cell and the one that has its check; None if it is."""
    for output in ours.get("outputs", ()):
        packed = output.get("data", {}).get(_KIND)
        if isinstance(packed, str):
            packed = json.loads(packed)
        if isinstance(packed, dict) and packed.get("nonce") == nonce and packed.get("name") == task.name:
            seen = packed["seen"]
            if not isinstance(seen, str):
                seen = [[_unpacked(part) for part in parts] for parts in seen]
            hint = _judged(task, seen)
            return None if hint is None else f"AnswerError: {task.name}, {task.title}: {_cleaned(hint, 500)}"
    for cell in (ours, its):
        for error in _errors(cell):
            if error.ename == "KeyboardInterrupt":
                return f"it ran for more than {timeout:g} s and was interrupted"
            return f"{_cleaned(error.ename)}: {_cleaned(error.evalue)}"
    if ended is not None and ours.execution_count is None:
        return f"the notebook's process is gone: {ended}"
    return "its check did not run: leave the check's line as it was"


def _cleaned(text: str, longest: int = 200) -> str:
    """Text of a student's process in one line, without what a terminal would obey."""
    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", "", text[: 20 * longest])
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


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
