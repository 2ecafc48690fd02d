"""The format of lessons: what every `notebooks/day*.ipynb` must have, and what no notebook may.

`problems(lesson)` returns one line for each thing that is wrong; an empty list means that all is well.
"""

import hashlib
import re
from typing import Any

FIRST_CELL = """\
import importlib.util
import subprocess
import sys

# What Colab installs: a wheel that you have uploaded, or "git+https://..." with the address of the repository.
GANLIB_SOURCE = "ganlib-0.1.0-py3-none-any.whl"
if importlib.util.find_spec("ganlib") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", GANLIB_SOURCE], check=True)

import ganlib"""
HEADINGS_BEFORE = ("Goals", "What to know first", "Minutes")
HEADINGS_AFTER = ("Recap", "Failure modes", "On more hardware", "Claims")
CELLS = range(40, 71)
CODE_LINES = 30
RUNS = 3
BYTES = 1_000_000

_REASONS = {"picture", "duration", "trained"}
_FORBIDDEN = {
    r"GANLIB_BUDGET|os\.environ|getenv": "reads the environment: take what depends on it from `budget`",
    r"\bif\b.*\bCI\b": "asks for CI: take what depends on it from `budget`",
    r"(?i)nbval_": "has an nbval comment: use a tag",
}
_PATHS = re.compile(
    r"(?<![\w.:/])/(?:home|root|tmp|usr|work|content|Users|var|opt)/|[A-Z]:\\\\|site-packages"
)
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
_MEASURED = re.compile(r"([\d.]+) minutes? on 2 CPU cores \(measured\)")
_ESTIMATED = re.compile(r"([\d.]+) minutes? on a Colab T4 \(estimated\)")


def code_hash(notebook: Any) -> str:
    """A hash of the code of all code cells; prose, outputs and tags do not enter."""
    code = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def stale(notebook: Any) -> list[str]:
    """What is wrong with a notebook's stamp and stored outputs (lessons and solutions alike)."""
    found = []
    stamp = notebook.metadata.get("ganlib", {})
    if stamp.get("code_hash") != code_hash(notebook):
        found.append("its code is not the code that made its outputs: run `make notebooks`")
    if stamp.get("budget") != "laptop":
        found.append(f"its outputs were made under the budget {stamp.get('budget')!r}, not laptop")
    for number, cell in _code(notebook):
        if cell.execution_count is None:
            found.append(f"cell {number} has not been run")
        for output in cell.outputs:
            text = _text(output)
            if output.output_type == "error":
                found.append(f"cell {number} stores an error")
            if output.get("name") == "stderr":
                found.append(f"cell {number} stores text on stderr: {text[:60]!r}")
            if _PATHS.search(text):
                found.append(f"cell {number} stores a path of one machine: {_PATHS.search(text).group()!r}")
            if _ADDRESS.search(text):
                found.append(f"cell {number} stores an object's address")
    return found


def common(notebook: Any, size: int) -> list[str]:
    """What is wrong by the rules of lessons and solutions: first cells, tags, sizes, forbidden code."""
    found = []
    if size > BYTES:
        found.append(f"the file has {size:,} bytes, more than {BYTES:,}: draw smaller pictures")
    code = _code(notebook)
    if not code or code[0][1].source != FIRST_CELL:
        found.append("the first code cell is not FIRST_CELL of course/lint.py")
    if len(code) < 2 or not code[1][1].source.startswith("budget = ganlib.budget()"):
        found.append("the second code cell does not start with `budget = ganlib.budget()`")
    for number, cell in code:
        lines = cell.source.count("\n") + 1
        if lines > CODE_LINES:
            found.append(f"cell {number} has {lines} lines of code, more than {CODE_LINES}")
        for pattern, reason in _FORBIDDEN.items():
            if re.search(pattern, cell.source):
                found.append(f"cell {number} {reason}")
        found += [f"cell {number} {problem}" for problem in _tags(cell)]
    return found


def problems(notebook: Any, size: int) -> list[str]:
    """What is wrong with a lesson.

    Args:
        notebook: an nbformat node.
        size: the file's size in bytes.

    Returns:
        One line a problem, with the number of the cell (from 1) where there is one.
    """
    return common(notebook, size) + stale(notebook) + _layout(notebook) + _runs(notebook)


def _layout(notebook: Any) -> list[str]:
    found = []
    cells = notebook.cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    if len(cells) not in CELLS:
        found.append(f"it has {len(cells)} cells, not {CELLS[0]} to {CELLS[-1]}")
    if 2 * len(prose) < len(cells):
        found.append(f"only {len(prose)} of its {len(cells)} cells are prose")
    if (
        not cells
        or cells[0].cell_type != "markdown"
        or not re.match(r"# Day \d, lesson \d: \S", cells[0].source)
    ):
        found.append("it does not open with `# Day 1, lesson 1: Title`")
    headings = [heading for text in prose for heading in re.findall(r"(?m)^## (.*\S)", text)]
    for heading in HEADINGS_BEFORE + HEADINGS_AFTER:
        if heading not in headings:
            found.append(f"it has no section `## {heading}`")
    ends = headings[: len(HEADINGS_BEFORE)] + headings[-len(HEADINGS_AFTER) :]
    if ends != [*HEADINGS_BEFORE, *HEADINGS_AFTER]:
        first, last = ", ".join(HEADINGS_BEFORE), ", ".join(HEADINGS_AFTER)
        found.append(f"its sections are not in order: first {first}; last {last}")
    text = "\n".join(prose)
    measured = _MEASURED.search(text)
    if not measured:
        found.append("it does not say `N minutes on 2 CPU cores (measured)`")
    else:
        seconds = notebook.metadata.get("ganlib", {}).get("seconds", 0)
        said = float(measured[1])
        if not seconds / 60 / 1.5 - 0.5 <= said <= seconds / 60 * 1.5 + 1:
            found.append(f"it says {said:g} minutes, but {seconds / 60:.1f} were measured")
    if not _ESTIMATED.search(text):
        found.append("it does not say `N minutes on a Colab T4 (estimated)`")
    if not cells or cells[-1].cell_type != "code" or "ganlib.claims.record(" not in cells[-1].source:
        found.append("its last cell does not call ganlib.claims.record")
    return found


def _runs(notebook: Any) -> list[str]:
    """Predictions before, and comparisons after, each cell that trains."""
    found = []
    before, compared, last, runs = "", True, 0, 0
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            before = cell.source
            compared |= "**Compare.**" in before
            continue
        run = "run" in cell.metadata.get("tags", [])
        if re.search(r"\.fit\(|budget\.steps\(", cell.source) and not run:
            found.append(f"cell {number} trains, but has no tag `run`")
        if run:
            runs += 1
            if "**Predict.**" not in before:
                found.append(f"cell {number} runs without `**Predict.**` in the prose before it")
            if not compared:
                found.append(f"cell {last} is not followed by prose with `**Compare.**`")
            before, compared, last = "", False, number
    if not compared:
        found.append(f"cell {last} is not followed by prose with `**Compare.**`")
    if runs < RUNS:
        found.append(f"it has {runs} cells tagged `run`, fewer than {RUNS}")
    return found


def _tags(cell: Any) -> list[str]:
    """Outputs may be ignored only for a reason that the stored outputs show."""
    tags = set(cell.metadata.get("tags", []))
    ignored = {tag for tag in tags if tag.startswith("nbval-")} - {"nbval-ignore-output"}
    found = [f"has the tag {tag}, which is not allowed" for tag in sorted(ignored)]
    reasons = tags & _REASONS
    if "nbval-ignore-output" not in tags:
        return found + [f"has the tag {reason} without nbval-ignore-output" for reason in sorted(reasons)]
    if len(reasons) != 1:
        found.append(f"ignores its output without one reason of {', '.join(sorted(_REASONS))}")
    picture = any("image/png" in output.get("data", {}) for output in cell.outputs)
    number = any(re.search(r"\d", _text(output)) for output in cell.outputs)
    if "picture" in reasons and not picture:
        found.append("is tagged picture, but stores none")
    if reasons & {"duration", "trained"} and not (number or picture):
        found.append("is tagged duration or trained, but stores no number")
    return found


def _code(notebook: Any) -> list[tuple[int, Any]]:
    return [(number, cell) for number, cell in enumerate(notebook.cells, start=1) if cell.cell_type == "code"]


def _text(output: Any) -> str:
    """The text of an output, HTML included, that would be compared."""
    data = output.get("data", {})
    return output.get("text", "") + data.get("text/plain", "") + data.get("text/html", "")
