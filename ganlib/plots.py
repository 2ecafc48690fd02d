"""Pictures of a run: grids of images, clouds of points, curves of losses and logits.

Every function returns a matplotlib figure that belongs to nobody: no pyplot state, nothing to close, drawn
once when it is the last expression of a notebook cell. Colours are those of Okabe and Ito (2008, "Color
universal design"), and lines differ in dash as well, so that no figure depends on colour vision or on a good
projector.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
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
        super().__init__(figsize=(width, height), dpi=_DPI, facecolor="white")
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


def save_png(images: Any, path: str | Path) -> Path:
    """Write a figure, a grid of images or a cloud of points as a PNG file, atomically.

    Args:
        images: a matplotlib figure; or images as in `grid`; or points (n, 2), drawn as in `points`.
        path: where to; must end in .png.

    Returns:
        The path.

    Raises:
        InputError: as `grid`; or the path is not a PNG's or cannot be written. Nothing is left half-written.
        GanlibError: the disk is full.
    """
    path = _with_suffix(path, ".png")
    if not isinstance(images, matplotlib.figure.Figure):
        images = np.asarray(images)
        images = points(None, images) if images.ndim == 2 else _enlarge(tile(images))
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


def _finish(axes: Any, x: str, y: str, title: str | None) -> None:
    """Labels, legend and sizes that every plot shares."""
    axes.set_xlabel(x, fontsize=_TEXT)
    axes.set_ylabel(y, fontsize=_TEXT)
    axes.tick_params(labelsize=_TEXT - 2)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=_TEXT - 1, framealpha=0.9)
    if title:
        axes.set_title(title, fontsize=_TEXT)


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
