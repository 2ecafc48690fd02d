"""Charts of numbers: points of the plane, lines over steps or settings, bars, histograms, level curves, heat maps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ganlib.errors import InputError
from ganlib.plots.figure import (
    BLACK,
    COLORS,
    LINES,
    SKY,
    TEXT,
    VERMILION,
    Figure,
    finish,
    finished,
    line_style,
    panel,
)


def points(
    real: Any | None,
    fake: Any | None,
    centers: Any | None = None,
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Real and generated points of the plane.

    Args:
        real: (n, 2) floats, or None.
        fake: (m, 2) floats, or None.
        centers: (k, 2), where the modes of the data are, drawn as crosses.
        limits: (low, high) of both axes, to compare figures; default: what holds all points.
        title: text above.

    Returns:
        A figure with equal scales on both axes and a legend.

    Raises:
        InputError: wrong shape, values that are not finite, nothing to draw, or low not below high.
    """
    clouds = (
        ("real", real, dict(s=14, c=COLORS["real"], marker="o", alpha=0.45, linewidths=0)),
        ("generated", fake, dict(s=14, c=COLORS["fake"], marker="^", alpha=0.45, linewidths=0)),
        ("modes", centers, dict(s=90, c=BLACK, marker="+", linewidths=2)),
    )
    clouds = [(label, _points(label, cloud), style) for label, cloud, style in clouds if cloud is not None]
    if not clouds:
        raise InputError(
            "points() got None for real, fake and centers; pass at least one array of shape (n, 2)"
        )
    if limits is None:
        everything = np.concatenate([cloud for _, cloud, _ in clouds])
        reach = 1.1 * max(float(np.abs(everything).max()), 1e-6)
        limits = (-reach, reach)
    if not limits[0] < limits[1]:
        raise InputError(f"limits={limits}: expected (low, high) with low below high")
    _, axes = panel(6.4, 6.4)
    for label, cloud, style in clouds:
        axes.scatter(*cloud.T, label=label, **style)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    return finished(axes, "first coordinate", "second coordinate", title)


def traces(
    lines: Mapping[str, tuple[Any, Any]],
    x: str = "step (generator updates)",
    y: str = "value",
    title: str | None = None,
    reference: float | None = None,
    log: bool = False,
) -> Figure:
    """Quantities over the steps, each of one run or of several seeds: modes covered, FID, gradient norms.

    Args:
        lines: name -> (steps (n,), values (n,) or (seeds, n)). Of several seeds the mean is drawn, and the range from
            the lowest to the highest as a band.
        x: label of the horizontal axis.
        y: label of the vertical one.
        title: text above.
        reference: a value to compare with, drawn as a thin line.
        log: whether the vertical axis is logarithmic.

    Raises:
        InputError: nothing to draw, or steps and values of unequal length.
    """
    if not lines:
        raise InputError("traces() got no lines; pass a mapping name -> (steps, values)")
    _, axes = panel(8, 5)
    if reference is not None:
        axes.axhline(reference, color="0.5", linewidth=1.5)
    for i, (name, (steps, values)) in enumerate(lines.items()):
        steps, values = np.asarray(steps, float), np.atleast_2d(np.asarray(values, float))
        if steps.ndim != 1 or values.ndim != 2 or values.shape[1] != len(steps) or not len(steps):
            raise InputError(
                f"{name!r} has steps of shape {steps.shape} and values of shape {values.shape}; expected (n,) and "
                "(n,) or (seeds, n), n of 1 or more"
            )
        style = line_style(i, len(steps))
        if len(values) > 1:
            low, high = values.min(axis=0), values.max(axis=0)
            axes.fill_between(steps, low, high, color=style["color"], alpha=0.18, linewidth=0)
        axes.plot(steps, values.mean(axis=0), label=name, **style)
    if log:
        axes.set_yscale("log")
    return finished(axes, x, y, title)


def prd(curves: Mapping[str, tuple[Any, Any]], title: str | None = None) -> Figure:
    """Precision over recall, Sajjadi et al. 2018, arXiv:1806.00035, figure 1: a curve a model.

    Args:
        curves: name -> (precision (n,), recall (n,)), as `metrics.prd_curve` gives them.
        title: text above.

    Raises:
        InputError: no curves, unequal lengths, or values outside [0, 1].
    """
    if not curves:
        raise InputError("prd() got no curves; pass a mapping name -> (precision, recall)")
    _, axes = panel(6.8, 6.4)
    for i, (name, (precision, recall)) in enumerate(curves.items()):
        precision, recall = np.asarray(precision, float), np.asarray(recall, float)
        if precision.shape != recall.shape or precision.ndim != 1 or not precision.size:
            raise InputError(
                f"{name!r} has precision of shape {precision.shape} and recall of shape {recall.shape}; expected (n,) "
                "twice"
            )
        both = np.concatenate([precision, recall])
        if not ((both >= -1e-6) & (both <= 1 + 1e-6)).all():
            raise InputError(f"{name!r} has values outside [0, 1]; expected precision and recall as shares")
        axes.plot(recall, precision, label=name, **line_style(i, len(recall)))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    return finished(axes, "recall", "precision", title)


def truncation_sweep(sweep: Any, title: str | None = None) -> Figure:
    """Quality against variety: what `metrics.truncation_sweep` measured, with both operating points.

    Left Brock et al. 2019's figure 17, FID over the inception score, a point a threshold; right precision and recall
    over the threshold.

    Args:
        sweep: with inception_score, fid, precision and recall.
        title: text above.

    Raises:
        InputError: one of the four was not measured.
    """
    wanted = ("inception_score", "fid", "precision", "recall")
    lacking = [name for name in wanted if name not in sweep.evaluations[0]]
    if lacking:
        raise InputError(f"the sweep has no {', '.join(lacking)}: measure {', '.join(wanted)}")
    scores = {name: np.array(sweep[name], float) for name in wanted}
    figure = Figure(14, 7.2)
    left, right = figure.subplots(1, 2)
    left.plot(
        scores["inception_score"], scores["fid"], **{**line_style(0, len(scores["fid"])), "markevery": 1}
    )
    for threshold, x, y in zip(sweep.thresholds, scores["inception_score"], scores["fid"], strict=True):
        left.annotate(f"{threshold:g}", (x, y), xytext=(7, 7), textcoords="offset points", fontsize=TEXT - 3)
    if sweep.real is not None:
        left.axvline(
            float(sweep.real["inception_score"]), color=BLACK, linestyle=":", linewidth=2, label="real images"
        )
    left.margins(0.1)
    finish(left, "inception score", "FID", "each point is a threshold", below=True)
    for i, name in enumerate(("precision", "recall")):
        style = {**line_style(i, len(scores[name])), "markevery": 1}
        right.plot(sweep.thresholds, scores[name], label=name, **style)
    points = (("best FID", sweep.best_fid, "-"), ("with validation data", sweep.with_validation_data, "--"))
    for name, threshold, dash in points:
        if threshold is not None:
            right.axvline(threshold, color="0.4", linestyle=dash, linewidth=2, label=name)
    right.set(xscale="log", ylim=(0, 1.02))
    finish(right, "threshold of the truncation", "share", "quality and variety", below=True)
    if title:
        figure.suptitle(title, fontsize=TEXT + 1)
    figure.tight_layout()
    return figure


def histograms(
    values: Mapping[str, Any],
    x: str = "weight",
    bins: int = 60,
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Densities of several sets of numbers, as outlines: weights of a clipped and of a penalised critic.

    Args:
        values: name -> numbers of any shape.
        x: label of the horizontal axis.
        bins: bins over the limits, the same for all.
        limits: (low, high); default: what holds all numbers.
        title: text above.

    Raises:
        InputError: nothing to draw, values that are not finite, bins below 1, or low not below high.
    """
    sets = _sets("histograms() got no numbers", values, "check the model's weights")
    if limits is None:
        low = min(float(some.min()) for some in sets.values())
        high = max(float(some.max()) for some in sets.values())
        limits = (low, high) if low < high else (low - 0.5, low + 0.5)
    if not limits[0] < limits[1] or bins < 1:
        raise InputError(
            f"limits={limits}, bins={bins}: expected (low, high) with low below high, 1 bin or more"
        )
    _, axes = panel(8, 5)
    for i, (name, some) in enumerate(sets.items()):
        density, edges = np.histogram(some, bins=bins, range=limits, density=True)
        style = {key: line_style(i, bins)[key] for key in ("color", "linestyle", "linewidth")}
        axes.stairs(density, edges, label=name, **style)
    axes.set_yscale("log")
    return finished(axes, x, "density", title)


def bars(
    values: Mapping[str, Sequence[float]],
    x: str = "value",
    title: str | None = None,
    reference: float | None = None,
) -> Figure:
    """Means as bars, with every seed's value as a point and "mean ± standard deviation" in figures.

    Args:
        values: name -> one value for each seed; the first name comes at the top.
        x: label of the horizontal axis.
        title: text above.
        reference: a value to compare with, drawn as a line.

    Raises:
        InputError: nothing to draw, or values that are not finite.
    """
    sets = _sets("bars() got no values", values, "leave out the runs that diverged")
    _, axes = panel(9, 1.3 + 0.55 * len(sets) + (0.4 if title else 0))
    longest = max(float(some.max()) for some in sets.values())
    for i, some in enumerate(sets.values()):
        axes.barh(i, some.mean(), color=SKY, height=0.6)
        axes.plot(some, np.full(len(some), i), "o", color=BLACK, markersize=7, fillstyle="none", mew=2)
        deviation = f" ± {some.std(ddof=1):.2g}" if len(some) > 1 else ""
        text, end = f"{some.mean():.3g}{deviation}", (max(float(some.max()), 0.0), i)
        axes.annotate(text, end, xytext=(12, 0), textcoords="offset points", fontsize=TEXT, va="center")
    if reference is not None:
        axes.axvline(reference, color=VERMILION, linestyle="--", linewidth=2)
        longest = max(longest, reference)
    axes.set_yticks(range(len(sets)), sets)
    axes.invert_yaxis()
    axes.margins(x=0.02)
    if longest > 0:
        axes.set_xlim(right=1.35 * longest)  # room for the figures
    return finished(axes, x, "", title)


def surface(
    function: Callable[[np.ndarray], Any],
    limits: tuple[float, float],
    real: Any | None = None,
    fake: Any | None = None,
    title: str | None = None,
    resolution: int = 80,
) -> Figure:
    """Level curves of a function of the plane, such as a critic, with the points that it judges.

    Gulrajani et al. 2017, arXiv:1704.00028, figure 1a.

    Args:
        function: Points (n, 2) float32 -> (n,) or (n, 1) numbers.
        limits: (low, high) of both axes.
        real: points (m, 2) to draw, or None.
        fake: the same.
        title: text above.
        resolution: points along each axis at which the function is taken.

    Raises:
        InputError: low not below high, or values that are not finite.
    """
    if not limits[0] < limits[1] or resolution < 2:
        raise InputError(
            f"limits={limits}, resolution={resolution}: expected (low, high) with low below high, 2 points or more"
        )
    ticks = np.linspace(*limits, resolution)
    x, y = np.meshgrid(ticks, ticks)
    places = np.stack([x.reshape(-1), y.reshape(-1)], axis=1).astype(np.float32)
    values = np.asarray(function(places), float).reshape(resolution, resolution)
    if not np.isfinite(values).all():
        raise InputError("the function is not finite on all of the plane; check the model's weights")
    figure, axes = panel(7.8, 6.4)
    filled = axes.contourf(x, y, values, levels=12, cmap="cividis")
    axes.contour(x, y, values, levels=12, colors="white", linewidths=0.8)
    figure.colorbar(filled, ax=axes).ax.tick_params(labelsize=TEXT)
    for label, cloud, color, marker in (("real", real, "white", "o"), ("generated", fake, VERMILION, "^")):
        if cloud is not None:
            style = dict(s=26, c=color, marker=marker, label=label, edgecolors=BLACK, linewidths=0.6)
            axes.scatter(*_points(label, cloud).T, **style)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    return finished(axes, "first coordinate", "second coordinate", title)


def heat_map(
    values: Any,
    columns: Sequence[str],
    rows: Sequence[str],
    x: str,
    y: str,
    label: str,
    title: str | None = None,
    marks: Sequence[Sequence[str]] | None = None,
) -> Figure:
    """A number for each pair of two settings: colours, with the numbers in them.

    Args:
        values: (rows, columns) floats; nan: there is none, and the cell stays white. The colours' scale is logarithmic
            if all are above 0 and the largest is more than ten times the smallest.
        columns: What stands below each column.
        rows: What stands left of each row; the first is at the bottom.
        x: label of the horizontal axis.
        y: label of the vertical one.
        label: What the numbers are.
        title: text above.
        marks: (rows, columns) texts for cells without a number.

    Raises:
        InputError: rows and columns are not as many as the values'.
    """
    from matplotlib.colors import LogNorm, Normalize

    values = np.asarray(values, float)
    if values.shape != (len(rows), len(columns)) or not values.size:
        raise InputError(
            f"values of shape {values.shape}: expected ({len(rows)}, {len(columns)}), a number for each row and column"
        )
    figure, axes = panel(3.2 + 1.05 * len(columns), 2.4 + 0.75 * len(rows))
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    norm = LogNorm(low, high) if low > 0 and high > 10 * low else Normalize(low, high)
    drawn = axes.imshow(values, cmap="cividis", norm=norm, origin="lower", aspect="auto")
    bar = figure.colorbar(drawn, ax=axes, format="%.3g")
    bar.ax.tick_params(labelsize=TEXT - 3)
    bar.set_label(label, fontsize=TEXT)
    for (i, j), value in np.ndenumerate(values):
        text = f"{value:.3g}" if np.isfinite(value) else marks[i][j] if marks else ""
        dark = np.isfinite(value) and norm(value) < 0.5
        axes.text(j, i, text, ha="center", va="center", fontsize=TEXT - 3, color="white" if dark else BLACK)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    finish(axes, x, y, title)
    axes.grid(False)
    figure.tight_layout()
    return figure


def levels(
    values: Sequence[Sequence[float]],
    ticks: Sequence[str],
    x: str,
    y: str,
    title: str | None = None,
    lost: Sequence[int] | None = None,
) -> Figure:
    """A number at each of several settings, of one run or of several seeds: points, and a line through their means.

    Settings stand at equal distances, whatever they are. The vertical axis is logarithmic if all numbers are above 0
    and the largest is more than ten times the smallest.

    Args:
        values: For each setting the numbers of its seeds; of some there may be none, where the line has a gap.
        ticks: What stands below each.
        x: label of the horizontal axis.
        y: label of the vertical one.
        title: text above.
        lost: For each setting how many runs ended without a number; crosses at the lower edge.

    Raises:
        InputError: values and ticks are not equally many, or there are none.
    """
    if not ticks or len(values) != len(ticks):
        raise InputError(
            f"levels() got {len(values)} settings and {len(ticks)} ticks; expected a tick for each"
        )
    _, axes = panel(max(6.0, 2 + 1.1 * len(ticks)), 5)
    every = [value for some in values for value in some]
    if every and min(every) > 0 and max(every) > 10 * min(every):
        axes.set_yscale("log")
        for name in ("major", "minor"):
            getattr(axes.yaxis, f"set_{name}_formatter")("{x:g}")
    means = [np.mean(some) if len(some) else np.nan for some in values]
    axes.plot(range(len(ticks)), means, color=LINES[0][0], linewidth=2.5, marker="o", markersize=8)
    for i, some in enumerate(values):
        if len(some) > 1:
            axes.plot([i] * len(some), some, "o", color=BLACK, markersize=7, fillstyle="none", mew=2)
    gone = [i for i, count in enumerate(lost or []) if count]
    if gone:
        style = dict(color=VERMILION, markersize=11, mew=3, linestyle="")
        edge = axes.get_xaxis_transform()  # y in shares of the panel
        axes.plot(gone, [0.05] * len(gone), "x", transform=edge, label="run without a score", **style)
    axes.set_xticks(range(len(ticks)), ticks)
    axes.set_xlim(-0.5, len(ticks) - 0.5)
    return finished(axes, x, y, title)


def _sets(none: str, values: Mapping[str, Any], remedy: str) -> dict[str, np.ndarray]:
    """Checked numbers by name, each flat."""
    sets = {name: np.asarray(some, float).reshape(-1) for name, some in values.items()}
    if not sets or not all(some.size and np.isfinite(some).all() for some in sets.values()):
        raise InputError(f"{none}, or some that are not finite; {remedy}")
    return sets


def _points(name: str, cloud: Any) -> np.ndarray:
    """A checked (n, 2) array."""
    cloud = np.asarray(cloud, dtype=np.float64)
    if cloud.ndim != 2 or cloud.shape[1] != 2 or not len(cloud):
        raise InputError(f"{name} points have shape {cloud.shape}; expected (n, 2) with n of 1 or more")
    if not np.isfinite(cloud).all():
        raise InputError(f"{name} points hold values that are not finite; check the model's weights")
    return cloud
