"""What a run wrote down while it trained: losses, gradient norms, spectra, diversity."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganlib.errors import InputError
from ganlib.files import read_history
from ganlib.plots.figure import BLACK, COLORS, TEXT, Figure, finish, finished, line_style, panel

# panel title, y label, keys of the history, each of which begins with a name in COLORS
_PANELS = (
    ("Losses", "loss", ("discriminator_loss", "generator_loss")),
    ("Discriminator's outputs", "mean logit", ("real_logits", "fake_logits")),
)


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
    known = [key for _, _, keys in _PANELS for key in keys]
    drawn = {key: columns[key] for key in known if key in columns}
    if not drawn:
        raise InputError(
            f"history has {', '.join(columns) or 'no columns'}; expected some of {', '.join(known)}"
        )
    panels = [panel for panel in _PANELS if not drawn.keys().isdisjoint(panel[2])]
    steps = columns.get("step", range(1, 1 + len(next(iter(drawn.values())))))
    lengths = {"step": len(steps)} | {key: len(values) for key, values in drawn.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"history's columns have unequal lengths: {lengths}; expected one value a row in each"
        )
    if not len(steps):
        raise InputError("history has no rows yet; train at least as many steps as History's `every`")
    figure = Figure(6.4 * len(panels), 4.8)
    for axes, (name, unit, keys) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        if unit == "mean logit":
            axes.axhline(0, color="0.6", linewidth=1)  # logit 0: the discriminator cannot tell
        marker = "o" if len(steps) == 1 else None  # one row makes no line
        for key, dash in zip(keys, ("-", "--"), strict=True):
            if key in drawn:
                label = key.partition("_")[0]
                style = {"color": COLORS[label], "linewidth": 2, "marker": marker}
                axes.plot(steps, drawn[key], dash, label=label, **style)
        finish(axes, "step (generator updates)" if "step" in columns else "recorded value", unit, name)
    if title:
        figure.suptitle(title, fontsize=TEXT + 1)
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
        finish(axes, "step (generator updates)", "norm of the gradient", player, below=True)
    figure.tight_layout(w_pad=3)
    return figure


def spectra(history: Any, value: str = "sigma0", weights: int = 5) -> Figure:
    """What `monitors.Spectra` measured: a panel a network, a line a weight.

    Args:
        history: the monitor, its csv file, or its `history`.
        value: which column of each weight: sigma0 (the largest singular value), sigma1, sigma2, ratio (sigma0 /
            sigma1), frobenius, or effective0 (sigma0 of the normalised weight).
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
    figure = Figure(8 * len(players), 5 + 0.32 * (weights + 1))
    for axes, player in zip(figure.subplots(1, len(players), squeeze=False)[0], players, strict=True):
        lines = {
            name.removeprefix(f"{player}/").removesuffix(ending): values
            for name, values in columns.items()
            if name.startswith(f"{player}/") and name.endswith(ending)
        }
        _ranked(axes, columns["step"], lines, weights, "weights")
        finish(axes, "step (generator updates)", _of_weights(value), player, below=True)
    figure.tight_layout(w_pad=3)
    return figure


def spectra_side_by_side(history: Any, weights: int = 5) -> Figure:
    """G's first layer, D's layers, D's Frobenius norms, over the same steps: Brock et al. 2019, figure 3, appendix F.

    Args:
        history: what `monitors.Spectra` measured: the monitor, its csv file, or its `history`.
        weights: how many of D's weights to draw in colour, those of the largest values; the others are grey.

    Raises:
        InputError: no such file, no rows, or no columns of a generator and a discriminator.
    """
    columns = _history(history)
    first = next((name for name in columns if name.startswith("generator/")), "").rpartition("/")[0]
    mine = {
        name.rpartition("/")[2]: values for name, values in columns.items() if name.startswith(f"{first}/")
    }
    theirs = {
        value: {
            name.removeprefix("discriminator/").removesuffix(f"/{value}"): values
            for name, values in columns.items()
            if name.startswith("discriminator/") and name.endswith(f"/{value}")
        }
        for value in ("sigma0", "frobenius")
    }
    if not first or not all(theirs.values()) or not columns.get("step"):
        raise InputError(
            f"history has {', '.join(columns) or 'no columns'}; expected step, generator/.../sigma0, "
            "discriminator/.../sigma0 and /frobenius, as Spectra writes them, and rows"
        )
    figure = Figure(24, 5 + 0.32 * (weights + 1))
    left, *right = figure.subplots(1, 3)
    singular = {_of_weights(value): mine[value] for value in mine if value.startswith("sigma")}
    _ranked(left, columns["step"], singular, len(singular), "values")
    finish(left, "step (generator updates)", "singular values", first, below=True)
    for axes, (value, lines) in zip(right, theirs.items(), strict=True):
        _ranked(axes, columns["step"], lines, weights, "weights")
        finish(axes, "step (generator updates)", _of_weights(value), "discriminator", below=True)
    figure.tight_layout()
    return figure


def _of_weights(value: str) -> str:
    """The label of a column of Spectra."""
    names = {
        "ratio": "$\\sigma_0 / \\sigma_1$",
        "effective0": "$\\sigma_0$ of the normalised weight",
        "frobenius": "Frobenius norm",
    }
    if value.startswith("sigma"):
        return f"singular value $\\sigma_{value.removeprefix('sigma')}$"
    return names.get(value, value)


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
    _, axes = panel(8, 5)
    axes.axhline(1, color="0.5", linewidth=1.5)  # as diverse as the data
    for i, (name, label) in enumerate((("diversity", "two samples"), ("nearest", "nearest samples"))):
        axes.plot(columns["step"], columns[name], label=label, **line_style(i, len(columns["step"])))
    if below is not None:
        axes.axhline(below, color=BLACK, linewidth=1.5, linestyle=":", label=f"alarm: {below:g}")
    axes.set_ylim(bottom=0)
    return finished(axes, "step (generator updates)", "distance / the data's", None)


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
    peak = lambda name: np.max(np.nan_to_num(np.asarray(lines[name], float), nan=0, posinf=0))  # noqa: E731
    ranked = sorted((name for name in lines if name not in always), key=lambda name: -peak(name))
    shown = {*always, *ranked[:many]}
    others = [name for name in lines if name not in shown]
    for i, name in enumerate(others):
        label = f"{len(others)} other {what}" if i == 0 else None
        axes.plot(steps, lines[name], color="0.7", linewidth=1, zorder=1, label=label)
    for i, name in enumerate(name for name in lines if name in shown):
        axes.plot(steps, lines[name], label=name, **line_style(i, len(steps)))


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
