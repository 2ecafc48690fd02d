"""Images in grids, strips and panels, and files of them: PNG and GIF, whole or not at all."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
import matplotlib.patches
import numpy as np
from PIL import Image, UnidentifiedImageError

from ganlib.errors import InputError
from ganlib.files import write_atomically
from ganlib.plots.charts import points
from ganlib.plots.figure import BLACK, COLORS, DPI, TEXT, Figure, png_of

_GRID_PIXELS = 720  # a grid's longer side is enlarged by whole factors up to this


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
    figure = Figure(width / DPI, (height + head) / DPI)
    axes = figure.add_axes((0, 0, 1, height / (height + head)))
    axes.imshow(tiled, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=TEXT)
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
            axes.text(left - 8, top + (i + 0.5) * high, titles[i], fontsize=TEXT, ha="right", va="center")
    for j, heading in enumerate(headings or ()):
        axes.text(left + (j + 0.5) * wide, top / 2, heading, fontsize=TEXT, ha="center", va="center")
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
    axes.text(6, top / 2, "sample", fontsize=TEXT, color=COLORS["fake"], va="center")
    axes.text(first + 6, top / 2, "nearest training images", fontsize=TEXT, color=COLORS["real"], va="center")
    for i in range(n):
        y = top + i * high + 4
        _paste(axes, shown[i], 6, y, factor)
        place = (4, y - 2), factor * width + 4, factor * height + 4
        style = {"fill": False, "color": COLORS["fake"], "linewidth": 3}
        axes.add_patch(matplotlib.patches.Rectangle(*place, **style))
        for j in range(k):
            x = first + j * wide + 6
            _paste(axes, near[i, j], x, y, factor)
            if distances is not None:
                below = x + factor * width / 2, y + factor * height + 14
                axes.text(*below, f"{float(distances[i][j]):.3g}", fontsize=TEXT, ha="center", va="center")
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
    whole = points.dtype.kind in "iu"
    if points.ndim != 3 or points.shape[::2] != (len(pixels), 2) or not points.size or not whole:
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
    figure = Figure(width / DPI, height / DPI)
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
                axes.set_title(names[j], fontsize=TEXT)
            style = {"extent": extent, "interpolation": "nearest", "aspect": "auto"}
            if j == 0:
                axes.imshow(np.broadcast_to(pixels[i], (*grey.shape, 3)), **style)
            else:
                axes.imshow(grey, cmap="gray", vmin=0, vmax=255, **style)
                weights = chosen[i * k + j - 1]
                drawn = axes.imshow(weights, cmap="cividis", vmin=0, vmax=top, alpha=0.65, **style)
            for mark, (row, column) in enumerate(points[i]):
                if j in (0, mark + 1):
                    middle = column + 0.5, row + 0.5
                    axes.plot(*middle, "o", markersize=13, color="white", markeredgecolor=BLACK)
                    axes.text(*middle, str(mark + 1), fontsize=10, ha="center", va="center_baseline")
    bar = figure.add_axes(((width - 92) / width, 8 / height, 16 / width, (height - head - 12) / height))
    figure.colorbar(drawn, cax=bar, label="weight").set_alpha(1)
    bar.tick_params(labelsize=11)
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
    return write_atomically(path, _png(images, columns))


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


def _enlarge(pixels: np.ndarray) -> np.ndarray:
    """Repeat pixels by the largest whole factor that keeps the longer side within `_GRID_PIXELS`."""
    factor = max(1, _GRID_PIXELS // max(pixels.shape[:2]))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _one_each(name: str, labels: Sequence[str] | None, number: int, what: str) -> None:
    if labels is not None and (isinstance(labels, str) or len(labels) != number):
        raise InputError(f"{name}={labels!r}: expected {number}, one for each {what}")


def _canvas(width: int, height: int) -> tuple[Figure, Any]:
    """A figure of so many pixels, and axes over all of it in units of pixels, y downwards."""
    figure = Figure(width / DPI, height / DPI)
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


def _picture(frame: Any) -> Image.Image:
    """One GIF frame as an RGB picture."""
    if isinstance(frame, (str, Path)):
        try:
            with Image.open(frame, formats=["PNG", "JPEG", "GIF", "BMP", "WEBP"]) as file:
                return file.convert("RGB")
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            raise InputError(f"cannot read the frame {frame}: {error}; delete it or draw it again") from error
    return Image.open(io.BytesIO(_png(frame))).convert("RGB")


def _png(images: Any, columns: int | None = None) -> bytes:
    """A figure, a grid of images or a cloud of points as a PNG file."""
    if not isinstance(images, matplotlib.figure.Figure):
        images = np.asarray(images)
        images = points(None, images) if images.ndim == 2 else _enlarge(tile(images, columns))
    return png_of(images)


def _with_suffix(path: str | Path, suffix: str) -> Path:
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise InputError(f"{path} does not end in {suffix}; rename it")
    return path
