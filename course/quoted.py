"""Numbers that prose quotes from results, tied to these results.

A tag is an HTML comment in the same markdown cell, or in the same section of a page. Readers do not see it; each line
names a phrase of the prose and where its numbers come from:

    <!-- numbers
    falls to 0.005 to 0.007 <- span(equilibrium(setting="fast D").mean_gap[-1])
    0.97, 1.02, 0.99 for MLPs <- dcgan_rules(variant="MLP", permuted=True).fid[-1]
    -->

The right side is an expression that gives as many numbers as the phrase has, in its order; it fits if each number of
the phrase is its value, rounded to the digits that are written. It may use

- an experiment by the name of its script: its runs, or with `(key=value, ...)` those that fit. `.key` and `[key]` take
  that part of each run, `[-1]` the last of each list;
- `ledger("NUMBER_LESSON")["QUANTITY"]`: the values of a quantity that was recorded for a claim;
- `file("PATH")`: a JSON file of the repository, as a list of one; `each(lists)` makes one list of them;
- `printed("LABEL")`: the numbers that a stored output of the notebook has after that label, on its line;
  `lesson("NAME", "LABEL")` the same of a lesson;
- mean, median, sd, low, high, span (low and high), spread (high - low), ordered, at(values, 0, 2), join(...), count,
  peak (the highest of each list), larger (of two lists, one by one), rank_test(lower, higher), log, log10, exp, sqrt,
  pi, and + - * / with numbers.

Instead of an expression there may stand `printed` (every number of the phrase is in a stored output of the lesson),
`setting` (it was chosen, not measured), `arithmetic` (it follows from numbers beside it), `figure` (it was read off a
picture by eye), `unrecorded` (it was measured, and no record was kept), or `paper` and where in it.

A decimal number of prose that has no tag is a problem, unless a code cell of its section prints it or has it in its
code, or it names a lesson, a section, a version or a source, or stands in a column of the paper's numbers. So is a
whole number that follows FID or IS, and one with a percent sign.
"""

import ast
import bisect
import itertools
import math
import operator
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat

from ganlib.errors import InputError
from ganlib.files import read_json

PAGES = ("README.md", "course/day1.md", "course/day2.md", "course/day3.md")

_TAG = re.compile(r"<!-- numbers\n(.*?)-->", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])(?:(?<![\d)])-)?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w]|\.\d)")
_PRINTED = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
_WORDS = ("setting", "arithmetic", "figure", "unrecorded", "paper")
# what looks like a decimal number and is none, or is code
_NO_NUMBER = re.compile(
    r"<!--.*?-->|```.*?```|`[^`\n]*`|\]\([^)\n]*\)|https?://\S+"
    r"|arXiv:?\s?\d+\.\d+|\b\d{4}\.\d{5}\b"
    r"|(?i:\b(?:lessons?|sections?|chapters?|appendix|theorem|setup|python|tensorflow|keras|numpy|tensorflow-tpu|hub))"
    r"\s+\d+\.\d+(?:(?:,| and| or| to)\s+\d+\.\d+)*"
    r"|\bCC BY(?:-\w+)* \d\.\d",
    re.DOTALL,
)
_FREE = re.compile(
    r"(?i)\bpaper\b|^\| *(?:after|size) *$"
)  # headings of columns: a paper's numbers, lessons, bytes
_WHOLE = re.compile(r"\b(?:FID|IS)(?:\(fashion-cnn\))?(?: of)? (\d+)(?![\w.,]*\.?\d)|(?<![\w.,])(\d+)(?= ?%)")
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


class Values(list):
    """Values of several runs: what is asked of it is asked of each."""

    def __call__(self, **settings: Any) -> "Values":
        """Those that have these settings."""
        return Values(v for v in self if all(v.get(key) == value for key, value in settings.items()))

    def part(self, key: Any) -> "Values":
        """That part of each: the value of a key, or the element at an index."""
        return Values(v[key] for v in self)

    def combined(self, other: Any, how: Callable) -> "Values":
        """Each with each of the other, or all with one number."""
        if not isinstance(other, list):
            return Values(how(v, other) for v in self)
        return Values(how(a, b) for a, b in zip(self, other, strict=True))


def _one(values: Any) -> float:
    """A single number, also where it is the only value of a list."""
    return values[0] if isinstance(values, list) and len(values) == 1 else values


def _each(values: Values) -> Values:
    return Values(v for list_ in values for v in list_)


def _rank_test(lower: Values, higher: Values) -> float:
    """The exact one-sided p of Mann and Whitney."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(lower, higher, alternative="less", method="exact").pvalue)


FUNCTIONS: dict[str, Callable] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "sd": statistics.stdev,
    "low": min,
    "high": max,
    "span": lambda values: Values([min(values), max(values)]),
    "spread": lambda values: max(values) - min(values),
    "ordered": lambda values: Values(sorted(values)),
    "count": len,
    "at": lambda values, *places: Values(values[i] for i in places),
    "each": _each,
    "peak": lambda lists: Values(max(list_) for list_ in lists),
    "larger": lambda a, b: Values(max(pair) for pair in zip(a, b, strict=True)),
    "join": lambda *parts: Values(v for p in parts for v in (p if isinstance(p, list) else [p])),
    "log": lambda x: math.log(_one(x)),
    "log10": lambda x: math.log10(_one(x)),
    "exp": lambda x: math.exp(_one(x)),
    "sqrt": lambda x: math.sqrt(_one(x)),
    "rank_test": _rank_test,
}


class Sources:
    """The results of a checkout, and the outputs of a notebook if there is one."""

    def __init__(self, root: Path, outputs: str = "") -> None:
        self.root = root
        self.outputs = outputs

    def value(self, expression: str) -> list[float]:
        """The numbers of an expression.

        Raises:
            InputError: It does not resolve: a name, a file, a key or a label that is not there, or no numbers.
        """
        try:
            found = self._visit(ast.parse(expression, mode="eval").body)
        except (
            SyntaxError,
            KeyError,
            IndexError,
            TypeError,
            AttributeError,
            ValueError,
            ArithmeticError,
        ) as error:
            raise InputError(f"{expression!r} does not resolve ({type(error).__name__}: {error})") from error
        numbers = found if isinstance(found, list) else [found]
        if not numbers or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            raise InputError(f"{expression!r} gives no numbers")
        return [float(n) for n in numbers]

    def _visit(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name(id="pi"):
                return math.pi
            case ast.Name():
                return self._experiment(node.id)
            case ast.Attribute():
                return self._visit(node.value).part(node.attr)
            case ast.Subscript():
                return self._visit(node.value).part(self._visit(node.slice))
            case ast.UnaryOp(op=ast.USub()):
                operand = self._visit(node.operand)
                return Values(-v for v in operand) if isinstance(operand, list) else -operand
            case ast.BinOp() if type(node.op) in _OPERATORS:
                return self._combine(
                    self._visit(node.left), self._visit(node.right), _OPERATORS[type(node.op)]
                )
            case ast.Call():
                return self._call(node)
        raise TypeError(f"{ast.unparse(node)} is not allowed")

    @staticmethod
    def _combine(left: Any, right: Any, how: Callable) -> Any:
        if isinstance(left, Values):
            return left.combined(right, how)
        if isinstance(right, Values):
            return Values(how(left, v) for v in right)
        return how(left, right)

    def _call(self, node: ast.Call) -> Any:
        arguments = [self._visit(a) for a in node.args]
        if isinstance(node.func, ast.Name):
            own = {
                "ledger": self._ledger,
                "file": self._file,
                "printed": self._printed,
                "lesson": self._lesson,
            }
            function = own.get(node.func.id) or FUNCTIONS.get(node.func.id)
            if function is not None:
                return function(*arguments)
        return self._visit(node.func)(**{k.arg: self._visit(k.value) for k in node.keywords})

    def _experiment(self, name: str) -> Values:
        return Values(self._file(f"ganlib/teaching/results/{name}.json")[0]["runs"])

    def _ledger(self, name: str) -> "_Measured":
        return _Measured(self._file(f"course/ledger/{name}.json")[0]["measured"])

    def _file(self, path: str) -> Values:
        if not (self.root / path).is_file():
            raise KeyError(f"there is no {path}")
        return Values([read_json(self.root / path)])

    def _printed(self, label: str) -> Values:
        lines = [line.split(label, 1)[1] for line in self.outputs.splitlines() if label in line]
        if not lines:
            raise KeyError(f"no output has {label!r}")
        return Values(_float(n) for n in _PRINTED.findall(lines[0]))

    def _lesson(self, name: str, label: str) -> Values:
        path = self.root / "notebooks" / f"{name}.ipynb"
        return Sources(self.root, outputs(nbformat.read(path, as_version=4)))._printed(label)


class _Measured(dict):
    """What the ledger has of a claim: a quantity's values."""

    def part(self, key: str) -> Values:
        return Values(self[key])


def page_problems(text: str, root: Path) -> list[str]:
    """What is wrong with the numbers of a markdown page; a tag is in the section of its phrase."""
    starts = [m.start() for m in re.finditer(r"(?m)^#+ ", text)]
    sections = [text[a:b] for a, b in zip([0, *starts], [*starts, len(text)], strict=True)]
    sources = Sources(root)
    return [problem for section in sections for problem in _problems(section, sources, (), ())]


def verdict_problems(root: Path) -> list[str]:
    """What is wrong with the numbers of `course/verdicts.json`, whose sentences have their tags beside them."""
    found = []
    for number, entry in read_json(root / "course" / "verdicts.json").items():
        tags = "\n".join(["<!-- numbers", *entry.get("numbers", []), "-->"])
        found += [
            f"claim {number}: {problem}" for problem in page_problems(f"{entry['why']}\n\n{tags}", root)
        ]
    return found


def notebook_problems(notebook: Any, root: Path) -> list[str]:
    """What is wrong with the numbers of a notebook's prose; a tag is in the cell of its phrase."""
    sources = Sources(root, outputs(notebook))
    found = []
    for section in _sections(notebook):
        code = [cell for _, cell in section if cell.cell_type == "code"]
        printed = sorted(_float(n) for cell in code for n in _PRINTED.findall(_outputs(cell)))
        chosen = {abs(_float(n)) for cell in code for n in _PRINTED.findall(cell.source)}
        for number, cell in section:
            if cell.cell_type == "markdown":
                problems = _problems(cell.source, sources, printed, chosen)
                found += [f"cell {number}: {problem}" for problem in problems]
    return found


def _sections(notebook: Any) -> Iterator[list[tuple[int, Any]]]:
    """The cells from one `## ` heading to the next, with their numbers from 1."""
    section: list[tuple[int, Any]] = []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown" and re.search(r"(?m)^## ", cell.source) and section:
            yield section
            section = []
        section.append((number, cell))
    yield section


def _problems(text: str, sources: Sources, printed: Any, chosen: Any) -> list[str]:
    """What is wrong in one piece of prose with its tags."""
    found: list[str] = []
    prose = _TAG.sub(lambda m: " " * len(m.group()), text)
    covered = bytearray(len(prose))
    for block in _TAG.findall(text):
        for line in filter(None, map(str.strip, block.splitlines())):
            phrase, arrow, source = line.partition(" <- ")
            places = _places(phrase, prose)
            if not arrow or not places:
                found.append(f"the tag {line!r} has no arrow, or its phrase is not in the prose")
            for place in places:
                covered[place.start() : place.end()] = b"\1" * (place.end() - place.start())
            if arrow:
                found += _mismatch(phrase, source.strip(), sources)
    for match in _NO_NUMBER.finditer(prose):
        covered[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    for start, end in _free_columns(prose):
        covered[start:end] = b"\1" * (end - start)
    spans = [match.span() for match in _NUMBER.finditer(prose) if "." in match.group()]
    spans += [match.span(match.lastindex) for match in _WHOLE.finditer(prose)]
    for start, end in sorted(spans):
        number = prose[start:end]
        if any(covered[start:end]) or abs(_float(number)) in chosen or _printed_there(number, printed):
            continue
        around = " ".join(prose[max(0, start - 30) : end + 15].split())
        found.append(f"{number} (in '{around}') is tied to no result: tag it, as course/quoted.py says")
    return found


def _places(phrase: str, prose: str) -> list[re.Match]:
    """Where a phrase stands, whatever the white space between its words."""
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    return list(re.finditer(rf"(?<!\d)(?<!\d[.,]){words}(?!\d|\.\d)", prose)) if words else []


def _mismatch(phrase: str, source: str, sources: Sources) -> list[str]:
    numbers = _NUMBER.findall(phrase)
    if not numbers:
        return [f"the tag of {phrase!r} has no number"]
    if source == "printed":
        values = sorted(_float(n) for n in _PRINTED.findall(sources.outputs))
        return [
            f"{n} (in {phrase!r}) is in no stored output" for n in numbers if not _printed_there(n, values)
        ]
    if source.split(" ")[0] in _WORDS:
        return [f"the tag of {phrase!r} does not say where in the paper"] if source == "paper" else []
    try:
        values = sources.value(source)
    except InputError as error:
        return [f"the tag of {phrase!r}: {error}"]
    if len(values) != len(numbers):
        return [f"{phrase!r} has {len(numbers)} numbers, its source {len(values)}: {_shown(values)}"]
    if not all(fits(n, v) for n, v in zip(numbers, values, strict=True)):
        return [f"{phrase!r} is stale: its source has {_shown(values)}"]
    return []


def fits(number: str, value: float) -> bool:
    """Whether a number, as it is written, is a value rounded to its digits.

    Zeros at the end of a whole number are digits only among its first two: 430 is 425 to 435, 100 is 95 to 105.
    """
    _, dot, decimals = number.partition(".")
    whole = number.replace(",", "").lstrip("-")
    zeros = len(whole) - len(whole.rstrip("0"))
    unit = 10.0 ** -len(decimals) if dot else 10.0 ** min(zeros, max(len(whole) - 2, 0))
    return abs(_float(number) - value) <= unit / 2 * (1 + 1e-6) + 1e-12


def _printed_there(number: str, values: Any) -> bool:
    """Whether a sorted list has a value that fits, in either sign."""
    for wanted in {_float(number), -_float(number)}:
        written = number.lstrip("-") if wanted >= 0 else f"-{number.lstrip('-')}"
        at = bisect.bisect_left(values, wanted)
        if any(fits(written, v) for v in values[max(0, at - 1) : at + 1]):
            return True
    return False


def _free_columns(prose: str) -> Iterator[tuple[int, int]]:
    """The cells of tables under a heading that is free of our results, as ranges of characters."""
    columns: list[int] = []
    at = 0
    for line in prose.splitlines(keepends=True):
        if not line.lstrip().startswith("|"):
            columns = []
        else:
            edges = [m.start() for m in re.finditer(r"(?<!\\)\|", line)]
            cells = list(itertools.pairwise(edges))
            if not columns:
                columns = [i for i, (a, b) in enumerate(cells) if _FREE.search(line[a:b])] or [-1]
            for i in columns:
                if 0 <= i < len(cells):
                    yield at + cells[i][0], at + cells[i][1]
        at += len(line)


def outputs(notebook: Any) -> str:
    """All stored text of a notebook's code cells."""
    return "\n".join(_outputs(cell) for cell in notebook.cells if cell.cell_type == "code")


def _outputs(cell: Any) -> str:
    """All stored text of a code cell, without addresses of objects and tags of HTML."""
    texts = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        texts += [
            output.get("text", ""),
            data.get("text/plain", ""),
            re.sub(r"<[^>]*>", " ", data.get("text/html", "")),
        ]
    return "\n".join(texts)


def _float(number: str) -> float:
    return float(number.replace(",", "").rstrip("."))


def _shown(values: list[float]) -> str:
    return ", ".join(f"{v:.5g}" for v in values)
