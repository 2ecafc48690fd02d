"""The parts of `faces` as sprites: coverage and colour of each pixel, at the resolution that an image needs.

They are ToonHead's (Johan Melin, CC BY 4.0; embedded/LICENSE-faces.txt), drawn by embedded/render_faces.mjs and packed
by faces_embed.py. A sprite lies over what is below it by

    below * (1 - alpha) + mask * colour + own

where the colour is chosen (of skin, hair or clothes) and `own` is not: white of eyes, lips, a shirt, all times their
coverage. Lines and shades are black and need neither.
"""

import functools
import importlib.resources
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# The stored pixels: 2/3 a unit of the drawing, whose frame is 768 units wide and high. The figure needs less of its
# width, and is drawn on below it, so that turned and moved faces have shoulders.
HEIGHT, WIDTH = 576, 384
PIXELS = 512  # across the frame
LEFT, TOP = 64, -32 / 3  # of the stored pixels in the frame: where they begin
FINER = 2  # pixels of a sprite for one of the image, each way: what the turned image is sampled from
MARGIN = 2  # empty pixels around all of it
_STEPS = 2**12  # resampled planes are rounded to such steps, so that no matrix product's last bit shows
_INK = 2  # times the step of a plane; shades, which are steps of a fifth, become grey lines


@dataclass(frozen=True)
class Sprite:
    """A part, cut to what it covers.

    Attributes:
        rows: where it lies on the canvas.
        columns: likewise.
        alpha: coverage, float32 (height, width).
        uncovered: 1 - alpha.
        mask: coverage by the chosen colour, (height, width); None: there is none.
        own: what it has of its own, (3, height, width); None: black, or nothing.
    """

    rows: slice
    columns: slice
    alpha: np.ndarray
    uncovered: np.ndarray
    mask: np.ndarray | None
    own: np.ndarray | None


def canvas_shape(resolution: int) -> tuple[int, int]:
    """Height and width of what sprites are laid on for images of `resolution`, the margin included."""
    scale = FINER * resolution / PIXELS
    return tuple(int(np.ceil(side * scale)) + 2 * MARGIN for side in (HEIGHT, WIDTH))


@functools.lru_cache(maxsize=6)
def sprites(resolution: int, lines: bool = False) -> dict[str, Sprite]:
    """Sprites by the name "part.value", for images of `resolution`.

    Args:
        resolution: up to 256; the sprites are the stored ones, each pixel the mean of those that it covers.
        lines: a drawing's: white, with a black line where the part or a colour on it ends.
    """
    scale = FINER * resolution / PIXELS
    down, across = _means(HEIGHT, scale), _means(WIDTH, scale).T
    found = {}
    for name, planes in _stored().items():
        top, left = planes["corner"]
        high, wide = planes["alpha"].shape
        fitted = {}
        for kind in ("alpha", "mask", "own"):
            if kind in planes:
                plane = np.moveaxis(np.atleast_3d(planes[kind]), -1, 0).astype(np.float32) / np.float32(255)
                plane = down[:, top : top + high] @ plane @ across[left : left + wide]
                plane = np.pad(plane, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
                fitted[kind] = np.rint(plane * _STEPS) / np.float32(_STEPS)
        found[name] = _cut(_outlined(fitted) if lines else fitted)
    return found


def _cut(planes: dict[str, np.ndarray]) -> Sprite:
    """The sprite of planes (1 or 3, height, width) of the whole canvas."""
    rows, columns = np.nonzero(planes["alpha"][0])
    rows, columns = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    cut = {kind: np.ascontiguousarray(plane[:, rows, columns]) for kind, plane in planes.items()}
    alpha, mask = cut["alpha"][0], cut["mask"][0] if "mask" in cut else None
    return Sprite(rows, columns, alpha, 1 - alpha, mask, cut.get("own"))


def _outlined(planes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Planes of a drawing: the chosen colour, white, is everywhere but on the lines, half a pixel of the image wide."""
    seen = np.concatenate(list(planes.values()))
    step = (seen - ndimage.grey_erosion(seen, (1, 3, 3))).max(axis=0)
    return {"alpha": planes["alpha"], "mask": np.maximum(planes["alpha"] - _INK * step, 0)}


def _means(length: int, scale: float) -> np.ndarray:
    """float32 (ceil(length * scale), length): row i averages what pixel i of those scaled down covers."""
    edges = np.arange(np.ceil(length * scale) + 1) / scale
    upper, lower = (
        np.minimum(edges[1:, None], np.arange(length) + 1),
        np.maximum(edges[:-1, None], np.arange(length)),
    )
    return (np.maximum(upper - lower, 0) * scale).astype(np.float32)


@functools.cache
def _stored() -> dict[str, dict[str, np.ndarray]]:
    """Planes by their kind, by the name "part.value": uint8 arrays, see faces_embed.py."""
    path = importlib.resources.files("ganlib.data") / "embedded" / "faces.npz"
    parts: dict[str, dict[str, np.ndarray]] = {}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            part, kind = name.rsplit(".", 1)
            parts.setdefault(part, {})[kind] = arrays[name]
    return parts
