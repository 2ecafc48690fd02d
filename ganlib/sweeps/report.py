"""What a sweep shows: a line a trial in table.csv, a line a point of the grid in table.md, and a plot."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from ganlib import plots
from ganlib.files import write_atomically
from ganlib.sweeps.journal import DIVERGED, DONE, FAILED, RUNNING, WAITING, Claim, Journal, Result, Row
from ganlib.sweeps.plan import Plan, text_of

_OVER = (DONE, DIVERGED, FAILED)


def write(journal: Journal, plan: Plan, better: str, folder: Path) -> list[Row]:
    """Write table.csv, table.md and plot.png as the journal is now; returns its rows."""
    with journal.lock:  # or a process that knows less might write last
        rows = journal.rows()
        write_atomically(folder / "table.csv", table(rows, plan))
        write_atomically(folder / "table.md", page(rows, plan, better))
        plots.save_png(plot(rows, plan, better), folder / "plot.png")
    return rows


def over(rows: list[Row]) -> int:
    """How many trials are over."""
    return sum(row.result.state in _OVER for row in rows)


# ---------------------------------------------------------------------------------------------------- tables


def table(rows: list[Row], plan: Plan) -> str:
    """CSV text: a line for every point with every seed, whatever became of it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    errors = [part for name in plan.scores for part in (name, f"{name}_error")]
    writer.writerow(["trial", *plan.axes, "state", *errors, "step", "kimg", "seconds", "note"])
    for row in rows:
        scores = [number for name in plan.scores for number in row.result.scores.get(name, (None, None))]
        values = [text_of(value) for value in (*row.point.values(), row.seed)]
        result = row.result
        line = [
            row.number,
            *values,
            result.state,
            *scores,
            result.step,
            result.kimg,
            result.seconds,
            result.note,
        ]
        writer.writerow(["" if value is None else value for value in line])
    return out.getvalue()


def page(rows: list[Row], plan: Plan, better: str) -> str:
    """Markdown: a line for every point of the grid, with the mean over its seeds."""
    best = best_of(rows, plan, better)
    head = [*plan.grid, *plan.scores, "trials"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for point in plan.points():
        of_point = [row for row in rows if row.point == point]
        scores = [_text_of_scores(of_point, name) for name in plan.scores]
        if best is not None and point == best:
            scores[0] = f"**{scores[0]}**"
        values = [text_of(value) for value in point.values()]
        lines.append(f"| {' | '.join([*values, *scores, _text_of_states(of_point)])} |")
    several = len(plan.seeds) > 1
    plus = "standard deviation over seeds" if several else "standard error, see `ganlib evaluate`"
    length = [f"{plan.kimg:g} kimg" if plan.kimg else "", f"{plan.minutes:g} minutes" if plan.minutes else ""]
    return "\n".join(
        [
            f"# Sweep of {plan.model} {plan.preset} on {plan.data}",
            "",
            f"Seeds {', '.join(map(str, plan.seeds))}; {' or '.join(filter(None, length)) or 'as long as usual'} each. "
            f"{summary(rows, plan, better)} ±: {plus}.",
            "",
            *lines,
            "",
        ]
    )


def summary(rows: list[Row], plan: Plan, better: str) -> str:
    """One sentence, or two."""
    best = best_of(rows, plan, better)
    text = f"{_text_of_states(rows)} of {len(rows)} trials."
    if best is not None:
        of_best = [row for row in rows if row.point == best]
        score = plan.scores[0]
        text += (
            f" Best {score} ({better} is better): {_text_of_scores(of_best, score)} at {text_of_point(best)}."
        )
    return text


def best_of(rows: list[Row], plan: Plan, better: str) -> dict[str, Any] | None:
    """The point with the best mean over its seeds, of those all of whose trials so far have a score; None: none."""
    found = []
    for point in plan.points():
        of_point = [row.result for row in rows if row.point == point and row.result.state in _OVER]
        if of_point and all(result.state == DONE for result in of_point):
            found.append((np.mean([result.scores[plan.scores[0]][0] for result in of_point]), point))
    if not found:
        return None
    return (min if better == "lower" else max)(found, key=lambda pair: pair[0])[1]


def text_of_point(point: dict[str, Any]) -> str:
    """learning_rate=0.0001, r1=10."""
    return ", ".join(f"{axis}={text_of(value)}" for axis, value in point.items())


def text_of_trial(claim: Claim, result: Result) -> str:
    """A line on a trial that is over."""
    scores = ", ".join(f"{name} {_with_error(*score)}" for name, score in result.scores.items())
    what = scores or f"{result.state}: {result.note}"
    return f"{text_of_point(claim.point)}, seed={claim.seed}: {what}"


def _text_of_scores(rows: list[Row], name: str) -> str:
    found = [row.result.scores[name] for row in rows if name in row.result.scores]
    if not found:
        return ""
    if len(found) == 1:
        value, error = found[0]
        return _with_error(value, error if len(rows) == 1 else None)
    values = [value for value, _ in found]
    return _with_error(float(np.mean(values)), float(np.std(values, ddof=1)))


def _with_error(value: float, error: float | None) -> str:
    return f"{value:.4g}" + (f" ± {error:.2g}" if error else "")


def _text_of_states(rows: list[Row]) -> str:
    states = [row.result.state for row in rows]
    counts = [(states.count(state), state) for state in (DONE, DIVERGED, FAILED, RUNNING, WAITING)]
    return ", ".join(f"{count} {state}" for count, state in counts if count)


# ------------------------------------------------------------------------------------------------------ plot


def plot(rows: list[Row], plan: Plan, better: str) -> plots.Figure:
    """The first score over the first axis; with more axes over two, the best over what else there is."""
    score, axes = plan.scores[0], list(plan.grid)
    ticks = [[text_of(value) for value in values] for values in plan.grid.values()]
    label = f"{score} ({better} is better)"
    title = f"{plan.model} {plan.preset} on {plan.data}"
    if len(axes) == 1:
        found = [[row for row in rows if row.point[axes[0]] == value] for value in plan.grid[axes[0]]]
        values = [[row.result.scores[score][0] for row in some if row.result.scores] for some in found]
        lost = [sum(row.result.state in (DIVERGED, FAILED) for row in some) for some in found]
        return plots.levels(values, ticks[0], axes[0], label, title, lost)
    shape = (len(ticks[0]), len(ticks[1]))
    means, marks = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    choose = np.fmin if better == "lower" else np.fmax
    for point in plan.points():
        place = tuple(plan.grid[axis].index(point[axis]) for axis in axes[:2])
        results = [row.result for row in rows if row.point == point]
        values = [result.scores[score][0] for result in results if result.scores]
        if values:
            means[place] = choose(means[place], np.mean(values))
        elif any(result.state in (DIVERGED, FAILED) for result in results):
            marks[place] = "no score"
    if len(axes) > 2:
        title += f", best over {', '.join(axes[2:])}"
    marks = [
        ["" if math.isfinite(v) else m for v, m in zip(*pair, strict=True)]
        for pair in zip(means, marks, strict=True)
    ]
    return plots.heat_map(means, ticks[1], ticks[0], axes[1], axes[0], label, title, marks)
