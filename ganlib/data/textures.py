"""Patterns in colour: styles for style transfer, drawn for ever.

Eight kinds (stripes, checks, dots, rings, waves, bricks, scales, mosaic) in three colours, at any scale and angle, with
an uneven wash over them. Texture i is a pure function of (seed, split, i), and the same pattern at every resolution.
"""

import functools

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.data.sources import Request, StreamSource, known, pixel_centres, stream_split
from ganlib.errors import InputError

KINDS = ("stripes", "checks", "dots", "rings", "waves", "bricks", "scales", "mosaic")
_NUMBERS = 16  # that a texture is drawn from
_FINE = 128  # points on a side, at least; each pixel is the mean of 2x2 points or more
_F = np.float32


def source(request: Request, *, size: int | None = None) -> StreamSource:
    """Textures, 64x64 RGB by default; the label is the number of the kind.

    Args:
        request: what every source understands.
        size: draw only from this many textures; None for as many as wanted (the test split then has 2,000).
    """
    if request.channels == 1:
        raise InputError("channels=1: textures are styles in colour; use channels=3")
    size = stream_split(request, size, test=2_000)
    resolution = request.resolution or 64
    key = randomness.key_of(request.seed, f"textures/{request.split}")

    def numbers(start, n):
        rows = -(-n // 16) * 16  # whole packets, see toys.py
        return randomness.uniform(key, 0, start, (rows, _NUMBERS))[:n]

    def draw(start, n):
        u = numbers(start, n)
        kinds = tf.cast(u[:, 0] * len(KINDS), tf.int32)
        angle = 2 * np.pi * u[:, 1:2]
        u = tf.concat([u, tf.cos(angle), tf.sin(angle)], axis=1)
        render = functools.partial(_render, resolution=resolution)
        return tf.numpy_function(render, [u, kinds], tf.uint8, stateful=False), kinds

    described = known(request, (resolution, resolution, 3), size, KINDS)
    return StreamSource(**described, draw=draw)


def _render(u: np.ndarray, kinds: np.ndarray, resolution: int) -> np.ndarray:
    """uint8 (n, resolution, resolution, 3), per pixel by exactly rounded operations only, as in shapes.py."""
    finer = max(2, -(-_FINE // resolution))
    images = np.empty((len(u), resolution, resolution, 3), np.uint8)
    for i, (row, kind) in enumerate(zip(u, kinds, strict=True)):
        first, second = _PATTERNS[KINDS[kind]](*_places(row, resolution * finer), row[5])
        parts = [_means(part, finer) for part in (first * (_F(1) - second), second)]
        along, across = _places(row, resolution)
        wash = _triangle(_F(0.31) * along + row[13]) + _triangle(_F(0.23) * across + row[14]) - _F(1)
        wash *= _F(0.125)
        ground, *colours = _palette(row)
        for channel in range(3):
            plane = ground[channel] + wash
            for part, colour in zip(parts, colours, strict=True):
                plane = plane + part * (colour[channel] - ground[channel])
            images[i, :, :, channel] = np.clip(plane, _F(0), _F(1)) * _F(255) + _F(0.5)
    return images


def _places(row: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the middles of side x side pixels lie in the pattern, along it and across, each (side, side)."""
    x, y = pixel_centres(side)
    x, y = x[None], y[:, None]
    scale, (cosine, sine) = _F(1.5) + _F(4.5) * row[2], row[_NUMBERS:]
    return scale * (cosine * x + sine * y) + row[3], scale * (cosine * y - sine * x) + row[4]


def _means(plane: np.ndarray, finer: int) -> np.ndarray:
    """Of blocks of finer x finer points."""
    rows = sum(plane[i::finer] for i in range(finer))
    return sum(rows[:, j::finer] for j in range(finer)) / _F(finer**2)


def _palette(row: np.ndarray) -> np.ndarray:
    """Three colours (3, 3) of hues a third of a turn or less apart: one dark, one light, one strong."""
    hues = (row[6] + np.array([0, 0.1 + 0.25 * row[7], 0.5 + 0.2 * row[8]], np.float32)) % _F(1)
    values = np.array([0.25 + 0.3 * row[9], 0.75 + 0.25 * row[10], 0.5 + 0.5 * row[11]], np.float32)
    saturations = np.array([0.5 + 0.5 * row[12], 0.15 + 0.5 * row[12], 0.9], np.float32)
    thirds = np.array([0, 2, 1], np.float32) / _F(3)  # of red, green and blue
    pure = np.clip(np.abs((hues[:, None] + thirds) % _F(1) * _F(6) - _F(3)) - _F(1), _F(0), _F(1))
    return values[:, None] * (_F(1) - saturations[:, None] * (_F(1) - pure))


def _fraction(x: np.ndarray) -> np.ndarray:
    return x - np.floor(x)


def _triangle(x: np.ndarray) -> np.ndarray:
    """A wave of period 1 between 0 and 1, made of straight lines."""
    return np.abs(_F(2) * _fraction(x) - _F(1))


def _below(x: np.ndarray, edge: float) -> np.ndarray:
    return (x < _F(edge)).astype(np.float32)


def _stripes(a, b, v):
    return _below(_fraction(a), 0.3 + 0.4 * v), _below(_fraction(_F(4) * b), 0.15)


def _checks(a, b, v):
    return (np.floor(a) + np.floor(b)) % _F(2), _below(np.maximum(_triangle(a), _triangle(b)), 0.25 + 0.3 * v)


def _dots(a, b, v):
    x, y = _fraction(a) - _F(0.5), _fraction(b) - _F(0.5)
    radius = np.sqrt(x * x + y * y)
    return _below(radius, 0.25 + 0.2 * v), _below(radius, 0.15)


def _rings(a, b, v):
    radius = np.sqrt(a * a + b * b)
    return _below(_fraction(radius), 0.5), _below(_fraction(_F(0.5) * radius), 0.1 + 0.2 * v)


def _waves(a, b, v):
    shifted = a + (_F(0.3) + _F(0.7) * v) * _triangle(_F(0.5) * b)
    return _below(_fraction(shifted), 0.5), _below(_fraction(shifted + _F(0.5)), 0.15)


def _bricks(a, b, v):
    shifted = _F(0.5) * a + _F(0.5) * (np.floor(b) % _F(2))
    mortar = np.maximum(_below(_fraction(shifted), 0.06 + 0.05 * v), _below(_fraction(b), 0.12 + 0.1 * v))
    return _below(_fraction(_F(0.37) * np.floor(shifted) + _F(0.61) * np.floor(b)), 0.5), mortar


def _scales(a, b, v):
    row = np.floor(b)
    x = _fraction(a + _F(0.5) * (row % _F(2))) - _F(0.5)
    y = _fraction(b)
    radius = np.sqrt(x * x + y * y)
    return _below(radius, 0.55), _below(np.abs(radius - _F(0.55)), 0.06 + 0.06 * v)


def _mosaic(a, b, v):
    """Cells around points that are moved off a grid; the distance to the nearest and to the second one."""
    nearest = np.full(a.shape, 9, np.float32)
    second, colour = nearest.copy(), nearest.copy()
    for right in (-1, 0, 1):
        for up in (-1, 0, 1):
            cell_x, cell_y = np.floor(a) + _F(right), np.floor(b) + _F(up)
            mixed = _fraction(_F(0.754877) * cell_x + _F(0.569840) * cell_y + v)
            x = cell_x + _F(0.2) + _F(0.6) * mixed - a
            y = cell_y + _F(0.2) + _F(0.6) * _fraction(_F(7) * mixed) - b
            distance = x * x + y * y
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            colour = np.where(closer, mixed, colour)
            nearest = np.where(closer, distance, nearest)
    return _below(colour, 0.5), _below(np.sqrt(second) - np.sqrt(nearest), 0.08)


_PATTERNS = {
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "rings": _rings,
    "waves": _waves,
    "bricks": _bricks,
    "scales": _scales,
    "mosaic": _mosaic,
}
