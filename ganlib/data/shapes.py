"""Coloured objects under a light: a stand-in for photographs, with every factor known, at any resolution.

Object i is a pure function of (seed, split, i), and the same scene at every resolution. An outline is a
radius for each direction from the middle, r(direction), kept in a table; a pixel at distance rho lies inside
by

    (r - rho) / sqrt(1 + (r' / r)^2)        (to first order; r' is the slope of r over the angle)

which is cut off at half a pixel on both sides: an antialiased edge for the price of one look-up, whatever the
class. Directions are counted by the "diamond angle" y / (|x| + |y|), so that a pixel needs no trigonometry.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.data.sources import Request, StreamSource, known, pixel_centres, stream_split
from ganlib.errors import InputError

CLASS_NAMES = (
    "disc",
    "ring",
    "crescent",
    "triangle",
    "square",
    "pentagon",
    "star",
    "cross",
    "heart",
    "flower",
)
_COLOUR = ("hue", "saturation", "value")
FACTORS = ("class", *_COLOUR, "x", "y", "size", "rotation", *(f"background_{name}" for name in _COLOUR))
# Where each factor after the class lies; x and y are then scaled to keep the object inside the frame.
_LOW = np.array([0.0, 0.55, 0.75, -1.0, -1.0, 0.35, 0.0, 0.0, 0.1, 0.25], np.float32)
_HIGH = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.65, 2 * np.pi, 1.0, 0.45, 0.65], np.float32)
_EDGE = 0.95  # objects stay this close to the middle, in half sides of the image
_SMALLEST = 8
_STEPS = 16384  # directions in the table: at 1024 pixels an outline errs by less than a fifth of a pixel
_HOLES = {1: (0.0, 0.0, 0.5), 2: (0.45, 0.0, 0.75)}  # class -> x, y and radius of what is cut out
_LIGHT = np.array([-0.4, 0.6, 0.69], np.float32)  # from the upper left, towards the viewer
_F = np.float32
_FINE = 32  # below this resolution images are rendered finer and averaged: the distance is of first order
_ALONE = 128  # from this resolution on images are rendered one by one
_TILE = 2**15  # pixels rendered at once, to stay in the processor's cache


def paired_source(
    request: Request,
    first: Callable[[np.ndarray, np.ndarray, int, int], np.ndarray],
    second: Callable[[np.ndarray, np.ndarray, int, int], np.ndarray],
    size: int | None = None,
) -> StreamSource:
    """Two pictures of each object, one behind the other in the channels; the label is the class.

    Args:
        request: what every source understands.
        first: a painter: (factors, turns, resolution, channels) -> uint8 (n, resolution, resolution, channels), such
            as `segmentation` or `recoloured`.
        second: another.
        size: as in `source`.
    """
    return _painted(request, size, first, second)


def segmentation(factors: np.ndarray, turns: np.ndarray, resolution: int, channels: int) -> np.ndarray:
    """A painter of flat maps: black, and where the pixel's middle is inside the object one colour a class.

    Class k of K has the hue k / K, in grey the level (k + 1) / K.
    """
    x, y = pixel_centres(resolution)
    cx, cy, size = (factors[:, i, None, None] for i in (4, 5, 6))
    images = np.empty((len(factors), resolution, resolution, channels), np.uint8)
    levels = np.arange(len(CLASS_NAMES), dtype=np.float32) / len(CLASS_NAMES)
    hsv = np.stack([levels, np.ones_like(levels), np.ones_like(levels)], axis=1)
    planes = _colours(hsv, 3) if channels == 3 else [levels[:, None, None] + _F(1 / len(CLASS_NAMES))]
    palette = np.rint(255 * np.concatenate([plane[:, :, 0] for plane in planes], axis=1)).astype(np.uint8)
    for i in range(len(factors)):
        one = slice(i, i + 1)
        right, up = (x[None, None, :] - cx[one]) / size[one], (y[None, :, None] - cy[one]) / size[one]
        _, _, coverage = _outlined(factors[one], turns[one], right, up, resolution)
        images[i] = np.where(coverage[0, :, :, None] >= 0.5, palette[int(factors[i, 0])], 0)
    return images


def recoloured(low: float, high: float) -> Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]:
    """A painter of the same objects with their hues, in [0, 1), squeezed into [low, high); the background stays."""

    def paint(factors, turns, resolution, channels):
        factors = factors.copy()
        factors[:, 1] = _F(low) + _F(high - low) * factors[:, 1]
        return shaded(factors, turns, resolution, channels)

    return paint


def source(request: Request, *, size: int | None = None) -> StreamSource:
    """Shaded objects, 64x64 RGB by default; the label is the class.

    Args:
        request: what every source understands.
        size: draw only from this many objects; None for as many as wanted (the test split then has 2,000).
    """
    return _painted(request, size, shaded)


def scenes(
    request: Request,
    size: int | None,
    shape: tuple[int, int, int],
    class_names: tuple[str, ...],
    names: tuple[str, ...],
    factors: Callable[[Any, Any], tf.Tensor],
    images: Callable[[tf.Tensor, Any], tf.Tensor],
) -> StreamSource:
    """Pictures of scenes, drawn from factors of which the first is the class.

    Args:
        request: what every source understands.
        size: as in `source`.
        shape: of an image.
        class_names: in the order of their numbers.
        names: of the factors; the first is "class".
        factors: (start, n) -> float32 (n, len(names)), of scenes start to start + n - 1.
        images: (factors, n) -> uint8 (n, *shape).
    """
    size = stream_split(request, size, test=2_000)

    def draw(start, n):
        drawn = factors(start, n)
        return images(drawn, n), tf.cast(drawn[:, 0], tf.int32)

    def details(start, n):
        columns = factors(start, n).numpy().T
        return {"class": columns[0].astype(np.int32), **dict(zip(names[1:], columns[1:], strict=True))}

    return StreamSource(**known(request, shape, size, class_names), draw=draw, details=details)


def _painted(request: Request, size: int | None, *painters: Callable[..., np.ndarray]) -> StreamSource:
    """Objects as painters paint them, the pictures of each one behind the other in the channels."""
    resolution, channels = request.resolution or 64, request.channels or 3
    if resolution < _SMALLEST:
        raise InputError(
            f"resolution={resolution} is too small to tell shapes apart: give {_SMALLEST} to 1024"
        )

    def paint(factors, turns):
        return np.concatenate([p(factors, turns, resolution, channels) for p in painters], axis=-1)

    def images(factors, n):
        return tf.numpy_function(paint, [factors, _turns(factors, n)], tf.uint8, stateful=False)

    factors = functools.partial(_factors, randomness.key_of(request.seed, f"shapes/{request.split}"))
    shape = (resolution, resolution, channels * len(painters))
    return scenes(request, size, shape, CLASS_NAMES, FACTORS, factors, images)


def _factors(key: int, start, n) -> tf.Tensor:
    """float32 (n, 11): what each object is drawn from, in the order of FACTORS.

    Colours are hue, saturation and value in [0, 1]. The middle (x, y) and the size (radius of the circle
    around the object) are in half sides of the image, x to the right, y up; the rotation is anticlockwise in
    radians.
    """
    u = randomness.uniform(key, 0, start, (n, len(FACTORS)))
    kind = tf.minimum(tf.floor(u[:, :1] * len(CLASS_NAMES)), len(CLASS_NAMES) - 1.0)
    rest = _LOW + (_HIGH - _LOW) * u[:, 1:]
    middle = rest[:, 3:5] * (_EDGE - rest[:, 5:6])
    return tf.concat([kind, rest[:, :3], middle, rest[:, 5:]], axis=1)


def _turns(factors: tf.Tensor, n) -> tf.Tensor:
    """Cosines and sines of the rotations, float32 (n, 2)."""
    rotation = tf.pad(factors[:, 7], [[0, -tf.shape(factors)[0] % 16]])  # whole packets, see toys.py
    return tf.stack([tf.cos(rotation), tf.sin(rotation)], axis=1)[:n]


def shaded(factors: np.ndarray, turns: np.ndarray, resolution: int, channels: int) -> np.ndarray:
    """The painter of `source`: uint8 (n, resolution, resolution, channels).

    By NumPy, whose passes over pixels are quicker. Per pixel there are only operations that are rounded exactly, so
    an image does not depend on its batch.

    Args:
        factors: float32 (n, 11), see `_factors`.
        turns: float32 (n, 2), cosine and sine of the rotations.
        resolution: height and width.
        channels: 1 or 3.
    """
    finer = -(-_FINE // resolution)
    side = resolution * finer
    images = np.empty((len(factors), resolution, resolution, channels), np.uint8)
    together = 1 if side >= _ALONE else _TILE // side**2
    for first in range(0, len(factors), together):
        rows = slice(first, first + together)
        fine = _paint(factors[rows], turns[rows], side, channels, window=together == 1)
        for channel, plane in enumerate(fine):
            if finer > 1:
                parts = (plane[:, i::finer, j::finer] for i in range(finer) for j in range(finer))
                plane = sum(parts) / finer**2
            images[rows, :, :, channel] = plane * np.float32(255) + np.float32(0.5)
    return images


def _paint(
    factors: np.ndarray, turns: np.ndarray, side: int, channels: int, window: bool
) -> list[np.ndarray]:
    """One plane (n, side, side) in [0, 1] a channel; `window`: n is 1, and the object needs only a part."""
    cx, cy, size = (factors[:, i, None, None] for i in (4, 5, 6))
    colour, background = (_colours(factors[:, columns], channels) for columns in (slice(1, 4), slice(8, 11)))
    x, y = pixel_centres(side)

    # A wall, brighter above, with a soft round shadow to the lower right of the object.
    right, up = (x[None, None, :] - cx) / size, (y[None, :, None] - cy) / size
    away = np.square(right - _F(0.25)) + np.square(up + _F(0.35))
    shadow = np.maximum(_F(1) - _F(0.625) * away, _F(0))
    wall = (_F(0.95) + _F(0.2) * y[None, :, None]) * (_F(1) - _F(0.45) * np.square(shadow))
    planes = [wall * shade for shade in background]

    if window:
        reach = size[0, 0, 0] + _F(8 / side)
        down, across = (np.flatnonzero(np.abs(line - c[0, 0, 0]) < reach) for line, c in ((y, cy), (x, cx)))
        down, across = slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1)
    else:
        down = across = slice(None)
    right, up = right[:, :, across], up[:, down]

    rho, radius, coverage = _outlined(factors, turns, right, up, side)

    # A dome over the outline, lit by one distant light (Lambert), with a highlight.
    height = np.sqrt(np.maximum(_F(1) - np.square(rho / radius), _F(0)))
    slope = (_LIGHT[0] * right + _LIGHT[1] * up) / np.maximum(radius, rho)
    light = np.maximum(slope + _LIGHT[2] * height, _F(0))
    shine = coverage * (_F(0.35) * np.square(np.square(np.square(np.square(light)))))
    front = coverage * (_F(0.3) + _F(0.75) * light)
    behind = _F(1) - coverage
    for plane, shade in zip(planes, colour, strict=True):
        part = plane[:, down, across]
        part[...] = np.minimum(part * behind + front * shade + shine, _F(1))
    return planes


def _outlined(
    factors: np.ndarray, turns: np.ndarray, right: np.ndarray, up: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance from the middle, the outline's there, and how much of the pixel the object covers, in [0, 1].

    `right` and `up`, in units of the object's size, broadcast to (n, height, width); so do the results.
    """
    kind = factors[:, 0].astype(np.int64)[:, None, None]
    size = factors[:, 6, None, None]
    cos, sin = (turns[:, i, None, None] for i in (0, 1))

    # The object in its own coordinates: middle at 0, upright, radius 1. Directions go from 0, below,
    # anticlockwise to 4.
    u, v = cos * right + sin * up, cos * up - sin * right
    rho = np.sqrt(u * u + v * v)
    diamond = v / np.maximum(np.abs(u) + np.abs(v), _F(1e-9))
    angle = _F(2) - np.copysign(_F(1) - diamond, u)
    step = (angle * _F(_STEPS / 4)).astype(np.int64) + kind * (_STEPS + 1)
    radii, flatnesses, holes = _tables()
    radius = radii.take(step)
    hole_x, hole_y, hole_radius = (holes[kind, i] for i in range(3))
    from_hole = np.sqrt(np.square(u - hole_x) + np.square(v - hole_y)) - hole_radius
    inside = np.minimum((radius - rho) * flatnesses.take(step), from_hole)
    coverage = np.clip(_F(0.5) + inside * (size * _F(side / 2)), _F(0), _F(1))
    return rho, radius, coverage


def _colours(hsv: np.ndarray, channels: int) -> list[np.ndarray]:
    """Hue, saturation and value (n, 3) -> red, green and blue, or grey, each (n, 1, 1), in [0, 1]."""
    hue, saturation, value = (hsv[:, i, None, None] for i in range(3))
    rgb = []
    for offset in (5, 3, 1):
        k = np.mod(_F(offset) + _F(6) * hue, _F(6))
        rgb.append(value - value * saturation * np.clip(np.minimum(k, _F(4) - k), _F(0), _F(1)))
    if channels == 3:
        return rgb
    return [_F(0.299) * rgb[0] + _F(0.587) * rgb[1] + _F(0.114) * rgb[2]]  # luma of ITU-R BT.601


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radius and flatness of each class and direction, (classes * (_STEPS + 1),); holes (classes, 3)."""
    diamond = (np.arange(_STEPS + 1) + 0.5) % _STEPS * 4 / _STEPS - 1
    left = diamond > 1
    y = np.where(left, 2 - diamond, diamond)
    x = np.where(left, -1, 1) * (1 - np.abs(y))
    direction = np.arctan2(y, x)
    ray = np.stack([np.cos(direction), np.sin(direction)], axis=1)
    rows = []
    for outline in _outlines():
        outline = outline / np.linalg.norm(outline, axis=1).max()
        after = np.roll(outline, -1, axis=0)
        corner = np.unwrap(np.arctan2(outline[:, 1], outline[:, 0]))
        edge = np.searchsorted(corner, (direction - corner[0]) % (2 * np.pi) + corner[0], side="right") - 1
        normal = np.stack([(after - outline)[:, 1], -(after - outline)[:, 0]], axis=1)[edge]
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        # the cosine between ray and edge normal is 1 / sqrt(1 + (r'/r)^2)
        flatness = (normal * ray).sum(axis=1)
        radius = (normal * outline[edge]).sum(axis=1) / flatness
        rows.append([radius, flatness])
    # A hole of radius -9 is nine away from everything: none.
    holes = [_HOLES.get(kind, (0.0, 0.0, -9.0)) for kind in range(len(rows))]
    radii, flatnesses = (np.concatenate(column).astype(np.float32) for column in zip(*rows, strict=True))
    return radii, flatnesses, np.array(holes, np.float32)


def _outlines() -> list[np.ndarray]:
    """Corners of each class (n, 2), anticlockwise, upright, all to be seen from (0, 0); curves have many."""

    def polar(radius, angle):
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

    def regular(corners, turn=np.pi / 2):
        return polar(1.0, turn + 2 * np.pi * np.arange(corners) / corners)

    t = 2 * np.pi * np.arange(2000) / 2000
    disc = polar(1.0, t)
    star = polar(np.where(np.arange(10) % 2 == 0, 1.0, 0.45), np.pi / 2 + np.pi * np.arange(10) / 5)
    arm = np.array([[1.0, -0.33], [1.0, 0.33], [0.33, 0.33]])
    cross = np.concatenate([arm @ np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))])
    up = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t) + 1
    heart = np.stack([16 * np.sin(t) ** 3, up], axis=1)[::-1]
    flower = polar(0.75 + 0.25 * np.cos(5 * (t - np.pi / 2)), t)
    return [disc, disc, disc, regular(3), regular(4, np.pi / 4), regular(5), star, cross, heart, flower]
