"""Faces from their factors: sprites are laid one over the other, and the figure is turned and put before a background.

A face is drawn upright at twice the resolution of the image (faces_sprites.py), and each pixel of the image takes the
mean of as much of that as it covers, where the pose puts it. All of it is NumPy, and per pixel by exactly rounded
operations only, so an image does not depend on its batch. The same face at another resolution is the same drawing from
other sprites.
"""

import math

import numpy as np

from ganlib.data.faces_sprites import FINER, LEFT, MARGIN, PIXELS, TOP, Sprite, canvas_shape, sprites
from ganlib.data.sources import pixel_centres

# Palettes of ToonHead, in its order.
SKINS = {"light": "f1c3a5", "rose": "c68e7a", "tan": "b98e6a", "brown": "a36b4f", "dark": "5c3829"}
HAIR_COLOURS = {"black": "2c1b18", "auburn": "a55728", "blond": "b58143", "fair": "d6b370", "brown": "724133"}
CLOTHES_COLOURS = {
    "grey": "545454",
    "red": "b11f1f",
    "blue": "0b3286",
    "green": "147f3c",
    "yellow": "eab308",
    "purple": "731ac3",
    "pink": "ec4899",
    "orange": "f97316",
    "black": "151613",
    "white": "e8e9e6",
}
# Our own: from the top of the image to its bottom. The second half are the nights of the days before.
BACKGROUNDS = {
    "sky": ("7ec4f0", "dff3fd"),
    "meadow": ("9cd79b", "e9f6d8"),
    "peach": ("fbbf98", "feeedd"),
    "rose": ("f0b4d2", "fcebf3"),
    "midnight": ("101c4c", "39559c"),
    "forest": ("0b3a36", "2f7a70"),
    "ember": ("4a1520", "94443c"),
    "plum": ("33164c", "744a92"),
}
DAYS = len(BACKGROUNDS) // 2

_PAINTED = {  # factor of the colours -> which
    "skin": SKINS,
    "hair_colour": HAIR_COLOURS,
    "clothes_colour": CLOTHES_COLOURS,
}
# What is laid on what, from behind, and the factor that its colour is chosen by.
LAYERS = {
    "rear_hair": "hair_colour",
    "body": "skin",
    "head": "skin",
    "clothes": "clothes_colour",
    "mouth": None,
    "beard": "hair_colour",
    "eyes": None,
    "eyebrows": "hair_colour",
    "hair": "hair_colour",
}
_ALWAYS = {"body": "body", "head": "head"}  # parts of which there is one
_F = np.float32
# in half sides: the figure of pose 0 stands so much lower than ToonHead's, with room above
_BASE = _F(-0.08)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of ITU-R BT.601


def colour_of(code: str) -> np.ndarray:
    """Red, green and blue of "rrggbb", float32 (3,) in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.float32) / _F(255)


def faces(table: list[dict], resolution: int, channels: int, lines: bool = False) -> np.ndarray:
    """Draw faces: uint8 (n, resolution, resolution, channels).

    Args:
        table: a dictionary for each face: of every factor the name of its value, or its number; see faces.py.
        resolution: 16 to 256.
        channels: 1 or 3.
        lines: the outlines alone, black on white.
    """
    images = np.empty((len(table), resolution, resolution, channels), np.uint8)
    known = sprites(resolution, lines)
    for image, face in zip(images, table, strict=True):
        figure = _posed(_laid(face, known, canvas_shape(resolution), lines), face, resolution)
        behind = _background(face["background"], resolution) if not lines else np.ones((3, 1, 1), np.float32)
        planes = figure[:3] + behind * (1 - figure[3])
        if channels == 1:
            planes = (planes * _LUMA[:, None, None]).sum(axis=0, keepdims=True)
        image[...] = np.moveaxis(planes * _F(255) + _F(0.5), 0, -1)
    return images


def _laid(face: dict, known: dict[str, Sprite], shape: tuple[int, int], lines: bool) -> np.ndarray:
    """The upright figure before nothing: red, green and blue times coverage, and coverage, float32 (4, *shape)."""
    canvas = np.zeros((4, *shape), np.float32)
    for part, palette in LAYERS.items():
        value = _ALWAYS.get(part) or face[part]
        if value == "none":
            continue
        sprite = known[f"{part}.{value}"]
        region = canvas[:, sprite.rows, sprite.columns]
        region *= sprite.uncovered
        if sprite.mask is not None:
            colour = _WHITE if lines else _COLOURS[palette][face[palette]]
            region[:3] += colour * sprite.mask
        if sprite.own is not None:
            region[:3] += sprite.own
        region[3] += sprite.alpha
    return canvas


def _posed(canvas: np.ndarray, face: dict, resolution: int) -> np.ndarray:
    """The figure in its pose, float32 (4, resolution, resolution).

    It turns and grows about the middle of the lower edge. Each pixel is the mean of FINER x FINER pixels of the canvas,
    between which it is interpolated.
    """
    mean = canvas[:, 1:] + canvas[:, :-1]
    mean = _F(1 / FINER**2) * (mean[:, :, 1:] + mean[:, :, :-1])
    height, width = mean.shape[1:]
    # where the pixel at (right, up) comes from, in half sides from the middle of the frame's lower edge
    x, y = pixel_centres(resolution)
    right, up = x - _F(face["x"]), y + 1 - (_F(face["y"]) + _BASE)
    cos, sin = (_F(turn(float(face["rotation"])) / float(face["scale"])) for turn in (math.cos, math.sin))
    mirrored = _F(-1 if face["flip"] == "yes" else 1)
    across = mirrored * (cos * right[None, :] + sin * up[:, None])
    above = cos * up[:, None] - sin * right[None, :]
    # pixels of the canvas; entry i of `mean` has its middle at i + 1
    half = _F(resolution * FINER / 2)
    column = across * half + _F(half + MARGIN - 1 - LEFT * FINER * resolution / PIXELS)
    row = _F(2 * half + MARGIN - 1 - TOP * FINER * resolution / PIXELS) - above * half
    column, row = np.clip(column, 0, _F(width - 1.01)), np.clip(row, 0, _F(height - 1.01))
    left, top = column.astype(np.int32), row.astype(np.int32)
    ahead, below = column - left, row - top
    first = (top * width + left).ravel()
    flat = mean.reshape(4, -1)
    corners = [
        flat.take(first + step, axis=1).reshape(4, resolution, resolution)
        for step in (0, 1, width, width + 1)
    ]
    upper = corners[0] + ahead * (corners[1] - corners[0])
    lower = corners[2] + ahead * (corners[3] - corners[2])
    return upper + below * (lower - upper)


def _background(name: str, resolution: int) -> np.ndarray:
    """Planes (3, resolution, 1), from the upper colour to the lower."""
    upper, lower = (colour_of(code)[:, None, None] for code in BACKGROUNDS[name])
    down = (pixel_centres(resolution)[0] + 1) / 2
    return upper + (lower - upper) * down[None, :, None]


_WHITE = np.ones((3, 1, 1), np.float32)
_COLOURS = {
    palette: {name: colour_of(code)[:, None, None] for name, code in colours.items()}
    for palette, colours in _PAINTED.items()
}
