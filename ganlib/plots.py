"""Pictures of a run: images in grids, strips and panels, clouds of points, curves, bars, histograms; PNG and GIF.

Every function returns a matplotlib figure that belongs to nobody: no pyplot state, nothing to close, drawn
once when it is the last expression of a notebook cell. Colours are those of Okabe and Ito (2008, "Color
universal design"), and lines differ in dash as well, so that no figure depends on colour vision or on a good
projector.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
import matplotlib.patches
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, UnidentifiedImageError

from ganlib.errors import InputError
from ganlib.files import read_history, write_atomically

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
COLORS = {"real": BLUE, "fake": VERMILION, "discriminator": GREEN, "generator": PURPLE}

_TEXT = 15  # points; a slide shows a figure about as wide as a page, and the last row still reads it
_DPI = 100
_GRID_PIXELS = 720  # a grid's longer side is enlarged by whole factors up to this

# colour, dash, marker; without yellow, which a projector does not show on white
_LINES = (
    (BLUE, "-", "o"),
    (VERMILION, "--", "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (ORANGE, (0, (6, 1, 1, 1, 1, 1)), "v"),
    (SKY, (0, (8, 3)), "P"),
    (BLACK, (0, (1, 1)), "X"),
)

# panel title, y label, (key of the history, label, colour, dash)
_PANELS = (
    (
        "Losses",
        "loss",
        (
            ("discriminator_loss", "discriminator", COLORS["discriminator"], "-"),
            ("generator_loss", "generator", COLORS["generator"], "--"),
        ),
    ),
    (
        "Discriminator's outputs",
        "mean logit",
        (("real_logits", "real", COLORS["real"], "-"), ("fake_logits", "fake", COLORS["fake"], "--")),
    ),
)


class Figure(matplotlib.figure.Figure):
    """A figure outside pyplot that Jupyter shows, once, when it is a cell's value."""

    def __init__(self, width: float, height: float):
        super().__init__(
            figsize=(width, height), dpi=_DPI, facecolor="white", layout="none"
        )  # not the caller's
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        return _png_of(self)


def grid(images: Any, columns: int | None = None, title: str | None = None) -> Figure:
    """Images side by side, row after row.

    Args:
        images: (n, height, width, 1 or 3) or (n, height, width), float in [-1, 1].
        columns: images in a row; default: as square as possible.
        title: text above.

    Returns:
        A figure whose pixels are whole multiples of the images' own: nothing is blurred.

    Raises:
        InputError: wrong shape, values outside [-1, 1] or not finite, columns below 1.
    """
    tiled = _enlarge(tile(images, columns))
    height, width = tiled.shape[:2]
    head = 40 if title else 0
    figure = Figure(width / _DPI, (height + head) / _DPI)
    axes = figure.add_axes((0, 0, 1, height / (height + head)))
    axes.imshow(tiled, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=_TEXT)
    return figure


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
    figure = Figure(6.4, 6.4)
    axes = figure.add_subplot()
    for label, cloud, style in clouds:
        axes.scatter(cloud[:, 0], cloud[:, 1], label=label, **style)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    _finish(axes, "first coordinate", "second coordinate", title)
    figure.tight_layout()
    return figure


def curves(history: Any, title: str | None = None) -> Figure:
    """Losses, and the discriminator's mean outputs on real and generated images, over the steps.

    Args:
        history: the path of a history.csv, or a mapping of name -> values, or an object with such a mapping
            as its attribute `history` (what `fit` returns). Drawn are discriminator_loss, generator_loss,
            real_logits and fake_logits; `step`, if there, is the horizontal axis.
        title: text above.

    Returns:
        A figure of two panels, or one if the other has nothing to show.

    Raises:
        InputError: no such file, no rows, columns of unequal length, or none of the four names.
    """
    columns = _history(history)
    panels = [
        (name, unit, lines)
        for name, unit, candidates in _PANELS
        if (lines := [line for line in candidates if line[0] in columns])
    ]
    if not panels:
        known = [key for _, _, lines in _PANELS for key, *_ in lines]
        raise InputError(
            f"history has {', '.join(columns) or 'no columns'}; expected some of {', '.join(known)}"
        )
    drawn = {key: columns[key] for _, _, lines in panels for key, *_ in lines}
    steps = columns.get("step", range(1, 1 + len(next(iter(drawn.values())))))
    lengths = {"step": len(steps)} | {key: len(values) for key, values in drawn.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"history's columns have unequal lengths: {lengths}; expected one value a row in each"
        )
    if not len(steps):
        raise InputError("history has no rows yet; train at least as many steps as History's `every`")
    figure = Figure(6.4 * len(panels), 4.8)
    for axes, (name, unit, lines) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        if unit == "mean logit":
            axes.axhline(0, color="0.6", linewidth=1)  # logit 0: the discriminator cannot tell
        for key, label, color, dash in lines:
            marker = "o" if len(steps) == 1 else None  # one row makes no line
            axes.plot(steps, drawn[key], dash, color=color, label=label, linewidth=2, marker=marker)
        _finish(axes, "step (generator updates)" if "step" in columns else "recorded value", unit, name)
    if title:
        figure.suptitle(title, fontsize=_TEXT + 1)
    figure.tight_layout()
    return figure


def strip(rows: Any, titles: Sequence[str] | None = None, headings: Sequence[str] | None = None) -> Figure:
    """Rows of images with a name at the left of each: walks, or one thing under several settings.

    Args:
        rows: (rows, columns, height, width, 1 or 3) in [-1, 1], or a sequence of (columns, height, width, 1 or 3); or
            one such row.
        titles: a name for each row.
        headings: a name for each column.

    Returns:
        A figure whose pixels are whole multiples of the images' own.

    Raises:
        InputError: as `grid`; rows of unequal shape; not one title a row or one heading a column.
    """
    if not isinstance(rows, (list, tuple)) and np.ndim(rows) == 4:
        rows = [rows]
    pixels = [_pixels(row) for row in rows]
    if not pixels or len({row.shape for row in pixels}) != 1:
        raise InputError(
            f"rows have shapes {[row.shape for row in pixels]}; expected one or more, all the same"
        )
    columns, height, width = pixels[0].shape[:3]
    _one_each("titles", titles, len(pixels), "row")
    _one_each("headings", headings, columns, "column")
    factor = max(1, 960 // (columns * (width + 2)), 48 // width)
    wide, high = factor * (width + 2), factor * (height + 2)
    # 15 points are about 21 pixels high and 12 wide
    left = 16 + 12 * max(len(title) for title in titles) if titles else 0
    top = 34 if headings else 0
    figure, axes = _canvas(left + columns * wide, top + len(pixels) * high)
    for i, row in enumerate(pixels):
        for j, image in enumerate(row):
            _paste(axes, image, left + j * wide + factor, top + i * high + factor, factor)
        if titles:
            axes.text(left - 8, top + (i + 0.5) * high, titles[i], fontsize=_TEXT, ha="right", va="center")
    for j, heading in enumerate(headings or ()):
        axes.text(left + (j + 0.5) * wide, top / 2, heading, fontsize=_TEXT, ha="center", va="center")
    return figure


def neighbours(samples: Any, neighbours: Any, distances: Any | None = None) -> Figure:
    """Each sample beside the images of the training set nearest to it: does the generator memorise?

    Args:
        samples: (n, height, width, 1 or 3) in [-1, 1].
        neighbours: (n, k, height, width, 1 or 3), the nearest first.
        distances: (n, k), written below the neighbours.

    Returns:
        A figure with the sample of each row in a frame at the left.

    Raises:
        InputError: as `grid`; or the shapes do not fit.
    """
    shown, near = _pixels(samples), np.asarray(neighbours)
    if near.ndim != 5 or len(near) != len(shown) or near.shape[2:] != shown.shape[1:]:
        raise InputError(
            f"neighbours have shape {near.shape} for samples of shape {shown.shape}; expected (n, k, height, width, "
            "channels) with the samples' n, height, width and channels"
        )
    n, k = near.shape[:2]
    if distances is not None and np.shape(distances) != (n, k):
        raise InputError(f"distances have shape {np.shape(distances)}; expected {(n, k)}")
    near = _pixels(near.reshape(n * k, *near.shape[2:])).reshape(n, k, *shown.shape[1:])
    height, width = shown.shape[1:3]
    factor = max(1, -(-88 // width))
    wide, high = factor * width + 12, factor * height + (36 if distances is not None else 12)
    first, top = wide + 30, 40
    size = max(first + k * wide, 420)
    figure, axes = _canvas(size, top + n * high)
    axes.text(6, top / 2, "sample", fontsize=_TEXT, color=COLORS["fake"], va="center")
    axes.text(
        first + 6, top / 2, "nearest training images", fontsize=_TEXT, color=COLORS["real"], va="center"
    )
    for i in range(n):
        y = top + i * high + 4
        _paste(axes, shown[i], 6, y, factor)
        frame = matplotlib.patches.Rectangle(
            (4, y - 2), factor * width + 4, factor * height + 4, fill=False, color=COLORS["fake"], linewidth=3
        )
        axes.add_patch(frame)
        for j in range(k):
            x = first + j * wide + 6
            _paste(axes, near[i, j], x, y, factor)
            if distances is not None:
                label = f"{float(distances[i][j]):.3g}"
                axes.text(
                    x + factor * width / 2,
                    y + factor * height + 14,
                    label,
                    fontsize=_TEXT,
                    ha="center",
                    va="center",
                )
    return figure


def attention(images: Any, maps: Any, points: Any, titles: Sequence[str] | None = None) -> Figure:
    """What some positions of images attend to: a row an image, the marked image first, then a map for each mark.

    Args:
        images: (n, height, width, 1 or 3) in [-1, 1].
        maps: (n, h, w, a, b), as `SAGAN.attention_maps` gives them: for each of h * w positions a weight of each of
            a * b positions.
        points: (k, 2) or (n, k, 2): the positions to show, row in 0 ... h - 1 and column in 0 ... w - 1.
        titles: a name for each point, above its maps.

    Returns:
        A figure. Maps lie over the image in grey, in the colours of the bar at the right: from 0 to the largest weight
        that is drawn.

    Raises:
        InputError: as `grid`; the shapes do not fit; a point outside; not one title a point.
    """
    pixels, maps, points = _pixels(images), np.asarray(maps), np.asarray(points)
    if maps.ndim != 5 or len(maps) != len(pixels):
        raise InputError(f"maps have shape {maps.shape} for {len(pixels)} images; expected (n, h, w, a, b)")
    if points.ndim == 2:
        points = np.broadcast_to(points, (len(pixels), *points.shape))
    if (
        points.ndim != 3
        or points.shape[::2] != (len(pixels), 2)
        or not points.size
        or points.dtype.kind not in "iu"
    ):
        raise InputError(f"points have shape {points.shape}; expected whole numbers (k, 2) or (n, k, 2)")
    if points.min() < 0 or (points >= maps.shape[1:3]).any():
        raise InputError(
            f"points reach {points.max(axis=(0, 1))}; a map has {maps.shape[1]}x{maps.shape[2]} positions"
        )
    n, k = points.shape[:2]
    _one_each("titles", titles, k, "point")
    side, head = 150, 40
    height = max(n * side + head, 2 * side)
    width = (k + 1) * side + 110
    figure = Figure(width / _DPI, height / _DPI)
    chosen = np.stack([maps[i, row, column] for i in range(n) for row, column in points[i]])
    top = max(float(chosen.max()), 1e-12)
    names = ["image", *(titles or [f"from {j + 1}" for j in range(k)])]
    extent = (0, maps.shape[2], maps.shape[1], 0)  # in positions of the feature map
    for i in range(n):
        grey = pixels[i].mean(axis=-1)
        for j in range(k + 1):
            place = (j * side + 4, height - head - (i + 1) * side + 4, side - 8, side - 8)
            axes = figure.add_axes((place[0] / width, place[1] / height, place[2] / width, place[3] / height))
            axes.set(xticks=[], yticks=[])
            if i == 0:
                axes.set_title(names[j], fontsize=_TEXT)
            style = {"extent": extent, "interpolation": "nearest", "aspect": "auto"}
            if j == 0:
                axes.imshow(np.broadcast_to(pixels[i], (*grey.shape, 3)), **style)
            else:
                axes.imshow(grey, cmap="gray", vmin=0, vmax=255, **style)
                drawn = axes.imshow(
                    chosen[i * k + j - 1], cmap="cividis", vmin=0, vmax=top, alpha=0.65, **style
                )
            for mark, (row, column) in enumerate(points[i]):
                if j in (0, mark + 1):
                    axes.plot(
                        column + 0.5, row + 0.5, "o", markersize=13, color="white", markeredgecolor=BLACK
                    )
                    axes.text(
                        column + 0.5, row + 0.5, str(mark + 1), fontsize=10, ha="center", va="center_baseline"
                    )
    bar = figure.add_axes(((width - 92) / width, 8 / height, 16 / width, (height - head - 12) / height))
    figure.colorbar(drawn, cax=bar, label="weight").set_alpha(1)
    bar.tick_params(labelsize=11)
    return figure


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
    figure = Figure(8, 5)
    axes = figure.add_subplot()
    if reference is not None:
        axes.axhline(reference, color="0.5", linewidth=1.5)
    for i, (name, (steps, values)) in enumerate(lines.items()):
        steps, values = np.asarray(steps, float), np.atleast_2d(np.asarray(values, float))
        if steps.ndim != 1 or values.ndim != 2 or values.shape[1] != len(steps) or not len(steps):
            raise InputError(
                f"{name!r} has steps of shape {steps.shape} and values of shape {values.shape}; expected (n,) and "
                "(n,) or (seeds, n), n of 1 or more"
            )
        style = _style(i, len(steps))
        if len(values) > 1:
            axes.fill_between(
                steps, values.min(axis=0), values.max(axis=0), color=style["color"], alpha=0.18, linewidth=0
            )
        axes.plot(steps, values.mean(axis=0), label=name, **style)
    if log:
        axes.set_yscale("log")
    _finish(axes, x, y, title)
    figure.tight_layout()
    return figure


def gradient_norms(history: Any, layers: int = 4, threshold: float | None = 100.0) -> Figure:
    """What `monitors.GradientNorms` measured: a panel a network, its total and its layers' norms.

    Args:
        history: the monitor, its csv file, or its `history`.
        layers: how many layers to draw in colour, those of the largest norms; the others are grey.
        threshold: where the alarm is set; None: no line.

    Raises:
        InputError: no such file, no rows, or no such columns.
    """
    columns = _history(history)
    players = [name for name in columns if name != "step" and "/" not in name]
    if not players or not columns.get("step"):
        raise InputError(
            f"history has {', '.join(columns) or 'no columns'}; expected step, discriminator, generator and rows"
        )
    figure = Figure(8 * len(players), 5 + 0.32 * (layers + 3))
    for axes, player in zip(figure.subplots(1, len(players), squeeze=False)[0], players, strict=True):
        names = [name for name in columns if name.startswith(f"{player}/")]
        lines = {"total": columns[player]} | {name.partition("/")[2]: columns[name] for name in names}
        _ranked(axes, columns["step"], lines, layers, "layers", always=["total"])
        if threshold is not None:
            axes.axhline(threshold, color=BLACK, linewidth=1.5, label=f"alarm: {threshold:g}", zorder=1)
        axes.set_yscale("log")
        _finish(axes, "step (generator updates)", "norm of the gradient", player, below=True)
    figure.tight_layout()
    return figure


def spectra(history: Any, value: str = "sigma0", weights: int = 5) -> Figure:
    """What `monitors.Spectra` measured: a panel a network, a line a weight.

    Args:
        history: the monitor, its csv file, or its `history`.
        value: which column of each weight: sigma0 (the largest singular value), sigma1, sigma2, ratio (sigma0 /
            sigma1), or effective0 (sigma0 of the normalised weight).
        weights: how many weights to draw in colour, those of the largest values; the others are grey.

    Raises:
        InputError: no such file, no rows, or no such columns.
    """
    columns = _history(history)
    ending = f"/{value}"
    players = list(dict.fromkeys(name.partition("/")[0] for name in columns if name.endswith(ending)))
    if not players or not columns.get("step"):
        known = sorted({name.rpartition("/")[2] for name in columns if "/" in name})
        raise InputError(
            f"history has no {value!r}, or no rows; it has {', '.join(known) or 'no columns of Spectra'}"
        )
    labels = {
        "ratio": "$\\sigma_0 / \\sigma_1$",
        "effective0": "$\\sigma_0$ of the normalised weight",
    } | {f"sigma{i}": f"singular value $\\sigma_{i}$" for i in range(10)}
    figure = Figure(8 * len(players), 5 + 0.32 * (weights + 1))
    for axes, player in zip(figure.subplots(1, len(players), squeeze=False)[0], players, strict=True):
        lines = {
            name.removeprefix(f"{player}/").removesuffix(ending): values
            for name, values in columns.items()
            if name.startswith(f"{player}/") and name.endswith(ending)
        }
        _ranked(axes, columns["step"], lines, weights, "weights")
        _finish(axes, "step (generator updates)", labels.get(value, value), player, below=True)
    figure.tight_layout()
    return figure


def diversity(history: Any, below: float | None = 0.5) -> Figure:
    """What `monitors.CollapseAlarm` measured: how diverse samples are, as a share of how diverse the data is.

    Args:
        history: the monitor, its csv file, or its `history`.
        below: where the alarm is set; None: no line.

    Raises:
        InputError: no such file, no rows, or no such columns.
    """
    columns = _history(history)
    if not columns.get("step") or not {"diversity", "nearest"} <= set(columns):
        raise InputError(
            f"history has {', '.join(columns) or 'no columns'}; expected step, diversity, nearest and rows"
        )
    figure = Figure(8, 5)
    axes = figure.add_subplot()
    axes.axhline(1, color="0.5", linewidth=1.5)  # as diverse as the data
    for i, (name, label) in enumerate((("diversity", "two samples"), ("nearest", "nearest samples"))):
        axes.plot(columns["step"], columns[name], label=label, **_style(i, len(columns["step"])))
    if below is not None:
        axes.axhline(below, color=BLACK, linewidth=1.5, linestyle=":", label=f"alarm: {below:g}")
    axes.set_ylim(bottom=0)
    _finish(axes, "step (generator updates)", "distance / the data's", None)
    figure.tight_layout()
    return figure


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
    figure = Figure(6.8, 6.4)
    axes = figure.add_subplot()
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
        axes.plot(recall, precision, label=name, **_style(i, len(recall)))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    _finish(axes, "recall", "precision", title)
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
    sets = {name: np.asarray(some, float).reshape(-1) for name, some in values.items()}
    if not sets or not all(some.size and np.isfinite(some).all() for some in sets.values()):
        raise InputError(
            "histograms() got no numbers, or some that are not finite; check the model's weights"
        )
    if limits is None:
        low = min(float(some.min()) for some in sets.values())
        high = max(float(some.max()) for some in sets.values())
        limits = (low, high) if low < high else (low - 0.5, low + 0.5)
    if not limits[0] < limits[1] or bins < 1:
        raise InputError(
            f"limits={limits}, bins={bins}: expected (low, high) with low below high, 1 bin or more"
        )
    figure = Figure(8, 5)
    axes = figure.add_subplot()
    for i, (name, some) in enumerate(sets.items()):
        density, edges = np.histogram(some, bins=bins, range=limits, density=True)
        style = _style(i, bins)
        axes.stairs(
            density, edges, label=name, color=style["color"], linestyle=style["linestyle"], linewidth=2.5
        )
    axes.set_yscale("log")
    _finish(axes, x, "density", title)
    figure.tight_layout()
    return figure


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
    sets = {name: np.asarray(some, float).reshape(-1) for name, some in values.items()}
    if not sets or not all(some.size and np.isfinite(some).all() for some in sets.values()):
        raise InputError(
            "bars() got no values, or some that are not finite; leave out the runs that diverged"
        )
    figure = Figure(9, 1.3 + 0.55 * len(sets) + (0.4 if title else 0))
    axes = figure.add_subplot()
    longest = max(float(some.max()) for some in sets.values())
    for i, some in enumerate(sets.values()):
        axes.barh(i, some.mean(), color=SKY, height=0.6)
        axes.plot(some, np.full(len(some), i), "o", color=BLACK, markersize=7, fillstyle="none", mew=2)
        deviation = f" ± {some.std(ddof=1):.2g}" if len(some) > 1 else ""
        axes.annotate(
            f"{some.mean():.3g}{deviation}",
            (max(float(some.max()), 0.0), i),
            xytext=(12, 0),
            textcoords="offset points",
            fontsize=_TEXT,
            va="center",
        )
    if reference is not None:
        axes.axvline(reference, color=VERMILION, linestyle="--", linewidth=2)
        longest = max(longest, reference)
    axes.set_yticks(range(len(sets)), sets)
    axes.invert_yaxis()
    axes.margins(x=0.02)
    if longest > 0:
        axes.set_xlim(right=1.35 * longest)  # room for the figures
    _finish(axes, x, "", title)
    figure.tight_layout()
    return figure


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
    figure = Figure(7.8, 6.4)
    axes = figure.add_subplot()
    filled = axes.contourf(x, y, values, levels=12, cmap="cividis")
    axes.contour(x, y, values, levels=12, colors="white", linewidths=0.8)
    bar = figure.colorbar(filled, ax=axes)
    bar.ax.tick_params(labelsize=_TEXT)
    for label, cloud, color, marker in (("real", real, "white", "o"), ("generated", fake, VERMILION, "^")):
        if cloud is not None:
            cloud = _points(label, cloud)
            axes.scatter(
                cloud[:, 0],
                cloud[:, 1],
                s=26,
                c=color,
                marker=marker,
                label=label,
                edgecolors=BLACK,
                linewidths=0.6,
            )
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    _finish(axes, "first coordinate", "second coordinate", title)
    figure.tight_layout()
    return figure


def save_png(images: Any, path: str | Path, columns: int | None = None) -> Path:
    """Write a figure, a grid of images or a cloud of points as a PNG file, atomically.

    Args:
        images: a matplotlib figure; or images as in `grid`; or points (n, 2), drawn as in `points`.
        path: where to; must end in .png.
        columns: of images, as in `grid`.

    Returns:
        The path.

    Raises:
        InputError: as `grid`; or the path is not a PNG's or cannot be written. Nothing is left half-written.
        GanlibError: the disk is full.
    """
    path = _with_suffix(path, ".png")
    if not isinstance(images, matplotlib.figure.Figure):
        images = np.asarray(images)
        images = points(None, images) if images.ndim == 2 else _enlarge(tile(images, columns))
    return write_atomically(path, _png_of(images))


def save_gif(frames: Sequence[Any], path: str | Path, seconds: float = 0.25, hold: float = 2.0) -> Path:
    """Write frames as an animated GIF that repeats, atomically.

    Args:
        frames: paths of image files, figures, or arrays as in `save_png`; all of one size.
        path: where to; must end in .gif.
        seconds: how long a frame is shown, 0.02 or more (browsers slow down shorter ones).
        hold: how long the last one is shown.

    Returns:
        The path.

    Raises:
        InputError: no frames, sizes differ, a frame's file is missing or broken, a duration is too short, or
            the path is not a GIF's or cannot be written. Nothing is left half-written.
        GanlibError: the disk is full.
    """
    path = _with_suffix(path, ".gif")
    if min(seconds, hold) < 0.02:
        raise InputError(f"seconds={seconds}, hold={hold}: expected 0.02 or more")
    pictures = [_picture(frame) for frame in frames]
    if not pictures:
        raise InputError(f"no frames for {path}; pass at least one picture")
    for number, picture in enumerate(pictures):
        if picture.size != pictures[0].size:
            raise InputError(
                f"frame {number} is {picture.size[0]}x{picture.size[1]} pixels, frame 0 "
                f"{pictures[0].size[0]}x{pictures[0].size[1]}; draw all frames with the same n and columns"
            )
    # One palette of 256 colours a frame; without it Pillow writes the first frame's for all.
    pictures = [picture.convert("P", palette=Image.Palette.ADAPTIVE) for picture in pictures]
    durations = [round(1000 * seconds)] * (len(pictures) - 1) + [round(1000 * hold)]
    out = io.BytesIO()
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return write_atomically(path, out.getvalue())


def save_walk(
    images: Any, path: str | Path, columns: int | None = None, seconds: float = 0.08, back: bool = True
) -> Path:
    """Write walks through latent space as an animated GIF, all walks side by side.

    Args:
        images: (steps, n, height, width, 1 or 3) in [-1, 1]: G's images of `latents.walk`
            of points (k, n, latent_dim).
        path: where to; must end in .gif.
        columns: as in `grid`.
        seconds: how long a step is shown.
        back: whether to walk back to the start, so that the repetition does not jump; not for closed walks.

    Returns:
        The path.

    Raises:
        InputError, GanlibError: as `save_gif`.
    """
    images = np.asarray(images)
    if images.ndim != 5:
        raise InputError(f"images have shape {images.shape}; expected (steps, n, height, width, 1 or 3)")
    # The ends would be shown twice.
    frames = [*images, *images[-2:0:-1]] if back else list(images)
    return save_gif([grid(frame, columns) for frame in frames], path, seconds=seconds, hold=seconds)


def tile(images: Any, columns: int | None = None, gap: int = 1) -> np.ndarray:
    """Lay images out in rows with `gap` white pixels around each.

    Args:
        images: as in `grid`.
        columns: as in `grid`.
        gap: pixels between neighbours.

    Returns:
        uint8 (height, width) for grey images, (height, width, 3) for coloured ones.

    Raises:
        InputError: as `grid`.
    """
    pixels = _pixels(images)
    n, height, width, channels = pixels.shape
    if columns is None:
        columns = int(np.ceil(np.sqrt(n)))
    if not isinstance(columns, (int, np.integer)) or columns < 1:
        raise InputError(f"columns={columns!r}: expected a whole number, 1 or more")
    columns = min(columns, n)
    rows = -(-n // columns)
    out = np.full((gap + rows * (height + gap), gap + columns * (width + gap), channels), 255, np.uint8)
    for i, image in enumerate(pixels):
        top, left = gap + (i // columns) * (height + gap), gap + (i % columns) * (width + gap)
        out[top : top + height, left : left + width] = image
    return out[..., 0] if channels == 1 else out


def in_rows(columns: Sequence[Any]) -> np.ndarray:
    """Images that belong together, one of each column, in an order for `grid`: row after row.

    Args:
        columns: k arrays (n, height, width, 1 or 3); grey becomes colour beside colour.

    Returns:
        (k * n, height, width, channels), for `grid` or `save_png` with columns=k.
    """
    channels = max(images.shape[-1] for images in columns)
    columns = [np.repeat(images, channels // images.shape[-1], axis=-1) for images in columns]
    return np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:])


def _pixels(images: Any) -> np.ndarray:
    """Checked images (n, h, w, c) as uint8, -1 -> 0 and 1 -> 255."""
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        shape = np.shape(images)
        raise InputError(
            f"images have shape {shape}; expected (n, height, width, 1 or 3) with n of 1 or more; "
            "one image alone is images[:1]"
        )
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"images are {images.dtype}; expected floats in [-1, 1]: images / 127.5 - 1")
    images = images.astype(np.float32)
    broken = int(np.size(images) - np.isfinite(images).sum())
    if broken:
        raise InputError(
            f"{broken} of the images' {images.size} values are not finite; check the model's weights"
        )
    low, high = float(images.min()), float(images.max())
    if low < -1.001 or high > 1.001:
        raise InputError(
            f"images lie in [{low:.4g}, {high:.4g}]; expected [-1, 1]: scale them (0 to 255: x / 127.5 - 1), "
            "or clip them"
        )
    return np.rint(np.clip(images, -1, 1) * 127.5 + 127.5).astype(np.uint8)


def _points(name: str, cloud: Any) -> np.ndarray:
    """A checked (n, 2) array."""
    cloud = np.asarray(cloud, dtype=np.float64)
    if cloud.ndim != 2 or cloud.shape[1] != 2 or not len(cloud):
        raise InputError(f"{name} points have shape {cloud.shape}; expected (n, 2) with n of 1 or more")
    if not np.isfinite(cloud).all():
        raise InputError(f"{name} points hold values that are not finite; check the model's weights")
    return cloud


def _history(history: Any) -> Mapping[str, Sequence[float]]:
    """Columns of whatever `curves` accepts."""
    if isinstance(history, (str, Path)):
        return read_history(history)
    columns = getattr(history, "history", history)
    if not isinstance(columns, Mapping):
        raise InputError(
            f"history is a {type(history).__name__}; expected the path of a history.csv, a dict of lists, "
            "or what fit returned"
        )
    return columns


def _enlarge(pixels: np.ndarray) -> np.ndarray:
    """Repeat pixels by the largest whole factor that keeps the longer side within `_GRID_PIXELS`."""
    factor = max(1, _GRID_PIXELS // max(pixels.shape[:2]))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _finish(axes: Any, x: str, y: str, title: str | None, below: bool = False) -> None:
    """Labels, legend (under the axes, if `below`) and sizes that every plot shares."""
    axes.set_xlabel(x, fontsize=_TEXT)
    axes.set_ylabel(y, fontsize=_TEXT)
    axes.tick_params(labelsize=_TEXT)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        place = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.16)} if below else {}
        axes.legend(fontsize=_TEXT, framealpha=0.9, handlelength=3, **place)
    if title:
        axes.set_title(title, fontsize=_TEXT)


def _style(i: int, points: int) -> dict[str, Any]:
    """Colour, dash and marker of the i-th line: any one of them tells it apart from its neighbours."""
    color, dash, marker = _LINES[i % len(_LINES)]
    return {
        "color": color,
        "linestyle": dash,
        "marker": marker,
        "markevery": max(1, points // 8),
        "markersize": 8,
        "linewidth": 2.5,
    }


def _ranked(
    axes: Any,
    steps: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    many: int,
    what: str,
    always: Sequence[str] = (),
) -> None:
    """Draw the lines that reach highest in colour, in their own order, and the others thin and grey."""
    if many < 1:
        raise InputError(f"{what}={many!r}: expected a whole number, 1 or more")
    peaks = {
        name: np.max(np.nan_to_num(np.asarray(values, float), nan=0, posinf=0))
        for name, values in lines.items()
    }
    ranked = sorted((name for name in lines if name not in always), key=lambda name: -peaks[name])
    shown = {*always, *ranked[:many]}
    others = [name for name in lines if name not in shown]
    for i, name in enumerate(others):
        label = f"{len(others)} other {what}" if i == 0 else None
        axes.plot(steps, lines[name], color="0.7", linewidth=1, zorder=1, label=label)
    for i, name in enumerate(name for name in lines if name in shown):
        axes.plot(steps, lines[name], label=name, **_style(i, len(steps)))


def _one_each(name: str, labels: Sequence[str] | None, number: int, what: str) -> None:
    if labels is not None and (isinstance(labels, str) or len(labels) != number):
        raise InputError(f"{name}={labels!r}: expected {number}, one for each {what}")


def _canvas(width: int, height: int) -> tuple[Figure, Any]:
    """A figure of so many pixels, and axes over all of it in units of pixels, y downwards."""
    figure = Figure(width / _DPI, height / _DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure, axes


def _paste(axes: Any, image: np.ndarray, left: int, top: int, factor: int) -> None:
    """Put uint8 pixels (h, w, 1 or 3) on a `_canvas`, each `factor` pixels wide and high."""
    height, width = image.shape[:2]
    axes.imshow(
        # as colours: through a grey map some values would be off by one
        np.broadcast_to(image, (height, width, 3)),
        interpolation="nearest",
        aspect="auto",
        extent=(left, left + factor * width, top + factor * height, top),
    )


def _png_of(picture: Any) -> bytes:
    """PNG bytes of a figure or of uint8 pixels."""
    out = io.BytesIO()
    if isinstance(picture, np.ndarray):
        Image.fromarray(picture).save(out, "PNG")
    else:
        # Any canvas can print PNG through Agg; a pyplot figure keeps its own.
        picture.savefig(out, format="png", dpi=picture.dpi, facecolor=picture.get_facecolor())
    return out.getvalue()


def _picture(frame: Any) -> Image.Image:
    """One GIF frame as an RGB picture."""
    if isinstance(frame, (str, Path)):
        try:
            with Image.open(frame) as file:
                return file.convert("RGB")
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            raise InputError(f"cannot read the frame {frame}: {error}; delete it or draw it again") from error
    if not isinstance(frame, matplotlib.figure.Figure):
        frame = np.asarray(frame)
        frame = points(None, frame) if frame.ndim == 2 else _enlarge(tile(frame))
    return Image.open(io.BytesIO(_png_of(frame))).convert("RGB")


def _with_suffix(path: str | Path, suffix: str) -> Path:
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise InputError(f"{path} does not end in {suffix}; rename it")
    return path
