"""The ledger of claims: what the papers say, what the course measured, and whether the two agree.

A lesson's last cell, and a script in `course/experiments/`, call `record`. In a checkout it writes one small
file a claim to `course/ledger/`, from which `table` makes `course/claims.md`; elsewhere (Colab) it writes to
`claims/` in the working directory. Under the budget smoke too little is trained to measure anything: it then
writes nothing, and checks that the committed file says what the call says.
"""

import importlib.metadata
import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ganlib.arguments import require_known
from ganlib.errors import InputError
from ganlib.files import read_json, write_json
from ganlib.teaching import verdicts
from ganlib.teaching.budget import budget

VERDICTS = ("confirmed", "partly", "refuted", "inconclusive")

_TEXTS = ("lesson", "claim", "paper", "figure", "reported", "verdict")
_STATED = ("number", *_TEXTS)  # what the author writes; the rest of an entry is measured
_PACKAGES = ("tensorflow", "keras", "numpy")


def record(
    number: int,
    *,
    lesson: str,
    claim: str,
    paper: str,
    figure: str,
    reported: str,
    measured: Mapping[str, float | Sequence[float]],
    verdict: str,
    holds: bool,
    over: Mapping[str, str] | None = None,
) -> None:
    """Enter a tested claim in the ledger, or, under smoke, check it against the entry that is there.

    Prints one line that is the same under every budget.

    Args:
        number: the claim's number in `course/claims.json`.
        lesson: the file that tests it, without folder and suffix: a notebook, or a script of experiments.
        claim: the claim in one sentence.
        paper: authors and year.
        figure: where in the paper: figure, table, equation, theorem, section.
        reported: the paper's number with its unit, or "proved", or "not given".
        measured: name of a quantity -> its value, or one value a seed; finite. The same names under every
            budget.
        verdict: one of `VERDICTS`, written by a person who looked at the numbers of a laptop run.
        holds: whether the numbers of this run bear the verdict out. Not looked at under smoke.
        over: name of a quantity -> what its values are over, in the plural ("generators"), where it is not seeds.

    Raises:
        InputError: an argument is not as described, or, under smoke, the ledger lacks it or has it otherwise.
        AssertionError: under laptop and colab, `holds` is false; nothing is written.
    """
    entry = {
        "number": number,
        "lesson": lesson,
        "claim": claim,
        "paper": paper,
        "figure": figure,
        "reported": reported,
        "measured": {name: _values(name, value) for name, value in measured.items()},
        "verdict": verdict,
    }
    if over:
        entry["over"] = dict(over)
    _check(entry)
    root = checkout()
    if root is not None and str(number) not in known(root):
        raise InputError(
            f"claim {number} is not in course/claims.json: use a number that is, or add it there"
        )
    file = f"{number:02d}_{lesson}.json"
    if not budget().asserts:
        if root is not None:
            _compare(entry, root / "course" / "ledger" / file)
    else:
        if not holds:
            found = _numbers(entry["measured"], entry.get("over", {}))
            raise AssertionError(
                f"claim {number}: the verdict is {verdict!r}, but this run's numbers do not bear it out: "
                f"{found}; look at them, run more seeds, or change the verdict"
            )
        versions = {package: importlib.metadata.version(package) for package in _PACKAGES}
        entry |= {"budget": budget().name, "versions": {"python": platform.python_version(), **versions}}
        write_json((Path("claims") if root is None else root / "course" / "ledger") / file, entry)
    print(f"Claim {number}: {verdict} ({paper}, {figure})")


def committed(name: str) -> list[dict[str, Any]]:
    """The runs of an experiment of `course/experiments/`, as they were measured: they ship with ganlib.

    Args:
        name: of the script, without suffix.

    Raises:
        InputError: there is no such experiment.
    """
    folder = resources.files("ganlib.teaching") / "results"
    names = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir())
    require_known("experiment", name, names)
    with resources.as_file(folder / f"{name}.json") as path:
        return read_json(path)["runs"]


def checkout(start: str | os.PathLike | None = None) -> Path | None:
    """The root of the checkout that contains `start`, or None.

    By default the one that the environment variable GANLIB_CHECKOUT names, else that of the working directory.
    """
    folder = Path(start or os.environ.get("GANLIB_CHECKOUT") or ".").resolve()
    for root in (folder, *folder.parents):
        if (root / "course" / "claims.json").is_file():
            return root
    return None


def known(root: Path) -> dict[str, dict[str, Any]]:
    """The claims to be tested: number (as text) -> {"day": int or None, "claim": str}, in order."""
    return read_json(root / "course" / "claims.json")


def ledger(root: Path) -> list[dict[str, Any]]:
    """All entries of a checkout, sorted by number and lesson.

    Raises:
        InputError: a file is not an entry, or its name is not that of its number and lesson, or the file that
            tested the claim is gone.
    """
    entries = []
    for path in (root / "course" / "ledger").glob("*.json"):
        entry = read_json(path)
        try:
            _check(entry)
            if str(entry["number"]) not in known(root):
                raise InputError(f"claim {entry['number']} is not in course/claims.json")
            if path.name != f"{entry['number']:02d}_{entry['lesson']}.json":
                raise InputError("the file's name does not fit its number and lesson")
            if entry.get("budget") not in ("laptop", "colab"):
                raise InputError(f"budget is {entry.get('budget')!r}, but only laptop and colab are recorded")
            if _source(root, entry["lesson"]) is None:
                raise InputError(f"no notebook and no experiment is called {entry['lesson']!r}")
        except InputError as error:
            raise InputError(f"{path.name} in the ledger: {error}; delete it or record it anew") from error
        entries.append(entry)
    return sorted(entries, key=lambda entry: (entry["number"], entry["lesson"]))


def table(root: Path) -> str:
    """The text of `course/claims.md`: one line a claim with its verdict, the rule, and all entries folded below.

    Raises:
        InputError: as `ledger`, or `course/verdicts.json` does not fit it.
    """
    claims, entries = known(root), ledger(root)
    judged = verdicts.judged(root, entries)
    of = {number: [e for e in entries if e["number"] == number] for number in judged}
    final = {number: verdicts.final(of[number], judged[number]) for number in judged}
    counts = ", ".join(f"{sum(v.split()[0] == w for v in final.values())} {w}" for w in VERDICTS)
    lines = [
        "# What the papers claim, and what was measured here",
        "",
        "<!-- Generated from course/ledger and course/verdicts.json by `make exercises`. Do not edit. -->",
        "",
        "Every claim of the lectures has a number and one verdict. Networks and data are far smaller here than in the",
        "papers, so the direction is compared, not the value.",
        "",
        f"Tested: {len(final)} of {len(claims)}; verdicts: {counts}.",
        "",
        "| claim | what is said | verdict | why | where |",
        "|---|---|---|---|---|",
    ]
    for number, claim in claims.items():
        mine = of.get(int(number), [])
        day = f"day {claim['day']}" if claim["day"] else "any day"
        verdict, why = (final[int(number)], judged[int(number)]["why"]) if mine else ("untested", "")
        lines.append(
            _row(number, claim["claim"], verdict, why, ", ".join(_link(root, e) for e in mine) or day)
        )
    lines += ["", "How several entries make one verdict:", ""]
    lines += [f"{i}. {sentence}" for i, sentence in enumerate(verdicts.RULE, start=1)]
    lines += [
        "",
        "<details>",
        f"<summary>All {len(entries)} entries, with the papers' numbers and ours</summary>",
        "",
        "Measured: the mean ± the standard deviation over seeds, or the values with what they are over.",
        "",
        "| claim | what is said | where | the paper's number | measured here | seeds | entry | tested in |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        said = judged[entry["number"]]
        reasons = {kind: said.get(kind, {}).get(entry["lesson"]) for kind in ("void", "part")}
        judgement = [entry["verdict"], *(f"{kind}: {reason}" for kind, reason in reasons.items() if reason)]
        cells = (
            str(entry["number"]),
            entry["claim"],
            f"{entry['paper']}, {entry['figure']}",
            entry["reported"],
            _numbers(entry["measured"], entry.get("over", {})),
            str(verdicts.seeds(entry)),
            "; ".join(judgement),
            _link(root, entry),
        )
        lines.append(_row(*cells))
    return "\n".join([*lines, "", "</details>"]) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _link(root: Path, entry: Mapping[str, Any]) -> str:
    return f"[{entry['lesson']}](../{_source(root, entry['lesson']).relative_to(root).as_posix()})"


def _values(name: str, value: float | Sequence[float]) -> list[float]:
    try:
        values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        values = np.array([])
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise InputError(
            f"measured[{name!r}] is {value!r}, but must be a finite number, or a list of them, one a seed"
        )
    return [float(f"{x:.6g}") for x in values]  # more digits would differ between machines and say nothing


def _check(entry: Mapping[str, Any]) -> None:
    number, measured = entry.get("number"), entry.get("measured")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise InputError(
            f"claim number is {number!r}, but must be a whole number from 1: see course/claims.md"
        )
    for name in _TEXTS:
        text = entry.get(name)
        if not isinstance(text, str) or not text.strip() or "\n" in text:
            raise InputError(f"{name} is {text!r}, but must be one line of text: write it")
    if not re.fullmatch(r"[a-z0-9_]+", entry["lesson"]):
        raise InputError(
            f"lesson is {entry['lesson']!r}, but must be a file's name without folder and suffix"
        )
    if entry["verdict"] not in VERDICTS:
        raise InputError(f"verdict is {entry['verdict']!r}, but must be one of {', '.join(VERDICTS)}")
    if not isinstance(measured, Mapping) or not measured:
        raise InputError(f"measured is {measured!r}, but must name at least one quantity and its value")
    for name, values in measured.items():
        numbers = isinstance(values, list) and all(isinstance(v, float) and math.isfinite(v) for v in values)
        if not numbers or not values:
            raise InputError(f"measured[{name!r}] is {values!r}, but must be a list of finite numbers")
    over = entry.get("over", {})
    if not isinstance(over, Mapping) or not all(
        isinstance(a, str) and measured.get(n) for n, a in over.items()
    ):
        raise InputError(
            f"over is {over!r}, but must name, for quantities of `measured`, what their values are over"
        )


def _compare(entry: Mapping[str, Any], path: Path) -> None:
    """That the committed entry states what the call states, and measures the same quantities."""
    anew = "run the lesson under GANLIB_BUDGET=laptop to record it"
    if not path.is_file():
        raise InputError(f"the ledger has no {path.name}: {anew}")
    committed = read_json(path)
    _check(committed)
    for name in _STATED:
        if committed[name] != entry[name]:
            raise InputError(
                f"{path.name} in the ledger has {name} {committed[name]!r}, "
                f"the lesson {entry[name]!r}: {anew}"
            )
    if committed.get("over") != entry.get("over"):
        raise InputError(f"{path.name} in the ledger has other axes (`over`) than the lesson: {anew}")
    if set(committed["measured"]) != set(entry["measured"]):
        raise InputError(
            f"{path.name} in the ledger measures {sorted(committed['measured'])}, "
            f"the lesson {sorted(entry['measured'])}: {anew}"
        )


def _numbers(measured: Mapping[str, Sequence[float]], over: Mapping[str, str]) -> str:
    """name: mean ± standard deviation over seeds, or the values and what they are over."""
    parts = []
    for name, values in measured.items():
        if name in over:
            shown = f"{', '.join(f'{v:.3g}' for v in values)} ({over[name]})"
        elif len(values) == 1:
            shown = f"{values[0]:.3g}"
        else:
            shown = _with_spread(float(np.mean(values)), float(np.std(values, ddof=1)))
        parts.append(f"{name}: {shown}")
    return "; ".join(parts)


def _with_spread(mean: float, deviation: float) -> str:
    """As many digits of the mean, of 3 to 6, as the deviation's two need."""
    if deviation <= 1e-9 * abs(mean):
        return f"{mean:.3g} ± 0"
    needed = math.floor(math.log10(abs(mean) or deviation)) - math.floor(math.log10(deviation)) + 2
    return f"{mean:.{min(max(needed, 3), 6)}g} ± {deviation:.2g}"


def _source(root: Path, lesson: str) -> Path | None:
    for path in (root / "notebooks" / f"{lesson}.ipynb", root / "course" / "experiments" / f"{lesson}.py"):
        if path.is_file():
            return path
    return None
