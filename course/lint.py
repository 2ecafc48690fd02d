"""The format of lessons: what every `notebooks/day*.ipynb` must have, and what no notebook may.

`problems(lesson)` returns one line for each thing that is wrong; an empty list means that all is well.
"""

import hashlib
import re
from typing import Any

FIRST_CELL = """\
# Gets ganlib if it is missing. Generated: `python course/build.py first` writes this cell.
import importlib.util
import os
import pathlib
import subprocess
import sys

GANLIB_SOURCE = ""  # where else it is: a wheel, a folder, or "git+" and the address of the repository

here = pathlib.Path.cwd()
clones = [p for p in (here, here / "ganlib", *here.parents) if (p / "ganlib" / "__init__.py").is_file()]
wheels = sorted(here.glob("ganlib-*.whl"), key=os.path.getmtime, reverse=True)
for source in [None, *clones, *wheels, os.environ.get("GANLIB_SOURCE"), GANLIB_SOURCE, "ganlib"]:
    if source in clones:
        sys.path.insert(0, str(source))
    if source:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", *["-e"] * (source in clones), str(source)]
        subprocess.run(pip, capture_output=True)
    importlib.invalidate_caches()
    if getattr(importlib.util.find_spec("ganlib"), "origin", None):  # a mere folder of that name has none
        break
else:
    error = ModuleNotFoundError(
        "ganlib is not here, and pip did not find it. One of these helps: open this notebook in a clone of the "
        "repository; put a wheel beside it (`pip wheel --no-deps .` in a clone makes one); write where it is into "
        "GANLIB_SOURCE, above or in the environment; or `%pip install ganlib`. Then run this cell again."
    )
    error._render_traceback_ = lambda *_, text=str(error): [text]
    raise error
import ganlib"""
_GENERATED, _SOURCE = FIRST_CELL.splitlines()[0], re.compile(r'(?m)^GANLIB_SOURCE = ".*?"')
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


def first_cell(source: str = "") -> str:
    """FIRST_CELL with a source that is tried before the package index."""
    return FIRST_CELL.replace('GANLIB_SOURCE = ""', f'GANLIB_SOURCE = "{source}"', 1)


def code_hash(notebook: Any) -> str:
    """A hash of the code of all code cells; prose, outputs and tags do not enter, nor does a generated first cell."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if code and code[0].startswith(_GENERATED):
        del code[0]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]


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
    first = code[0][1].source if code else ""
    if _SOURCE.sub('GANLIB_SOURCE = ""', first, count=1) != FIRST_CELL:
        found.append(
            "the first code cell is not FIRST_CELL of course/lint.py: run `python course/build.py first`"
        )
    if len(code) < 2 or not code[1][1].source.startswith("budget = ganlib.budget()"):
        found.append("the second code cell does not start with `budget = ganlib.budget()`")
    for number, cell in code:
        lines = cell.source.count("\n") + 1
        if lines > CODE_LINES:
            found.append(f"cell {number} has {lines} lines of code, more than {CODE_LINES}")
        for pattern, reason in _FORBIDDEN.items():
            if re.search(pattern, cell.source) and cell is not code[0][1]:
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
