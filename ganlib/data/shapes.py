"""Coloured objects under a light: a stand-in for photographs, with every factor known, at any resolution.

Object i is a pure function of (seed, split, i), and the same scene at every resolution. An outline is a
radius for each direction from the middle, r(direction), kept in a table; a pixel at distance rho lies inside
by

    (r - rho) / sqrt(1 + (r' / r)^2)        (to first order; r' is the slope of r over the angle)

which is cut off at half a pixel on both sides: an antialiased edge for the price of one look-up, whatever the
class. Directions are counted by the "diamond angle" y / (|x| + |y|), so that a pixel needs no trigonometry.
"""

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.data.sources import Request, StreamSource, pixel_centres, stream_split
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
FACTORS = (
    "class",
    "hue",
    "saturation",
    "value",
    "x",
    "y",
    "size",
    "rotation",
    "background_hue",
    "background_saturation",
    "background_value",
)
# Where each factor after the class lies; x and y are then scaled to keep the object inside the frame.
_LOW = np.array([0.0, 0.55, 0.75, -1.0, -1.0, 0.35, 0.0, 0.0, 0.1, 0.25], np.float32)
_HIGH = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.65, 2 * np.pi, 1.0, 0.45, 0.65], np.float32)
_EDGE = 0.95  # objects stay this close to the middle, in half sides of the image
_SMALLEST = 8
_STEPS = 16384  # directions in the table: at 1024 pixels an outline errs by less than a fifth of a pixel
_HOLES = {1: (0.0, 0.0, 0.5), 2: (0.45, 0.0, 0.75)}  # class -> x, y and radius of what is cut out
_LIGHT = np.array([-0.4, 0.6, 0.69], np.float32)  # from the upper left, towards the viewer
_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601
_FINE = 32  # below this resolution images are rendered finer and averaged: the distance is of first order
_LARGE = 128  # from this resolution on images are rendered one by one, to stay in the processor's cache


def source(request: Request, *, size: int | None = None) -> StreamSource:
    """Shaded objects, 64x64 RGB by default; the label is the class.

    Args:
        request: what every source understands.
        size: draw only from this many objects; None for as many as wanted (the test split then has 2,000).
    """
    resolution, channels = request.resolution or 64, request.channels or 3
    if resolution < _SMALLEST:
        raise InputError(
            f"resolution={resolution} is too small to tell shapes apart: give {_SMALLEST} to 1024"
        )
    size = stream_split(request, size, test=2_000)
    key = randomness.key_of(request.seed, f"shapes/{request.split}")
    tables = _tables()

    def draw(start, n):
        factors = _factors(key, start, n)
        images = _render(factors, resolution, channels, tables)
        return images, tf.cast(factors[:, 0], tf.int32)

    def details(start, n):
        columns = _factors(key, start, n).numpy().T
        return {"class": columns[0].astype(np.int32), **dict(zip(FACTORS[1:], columns[1:], strict=True))}

    return StreamSource(
        name=request.name,
        split=request.split,
        shape=(resolution, resolution, channels),
        num_classes=len(CLASS_NAMES),
        class_names=CLASS_NAMES,
        size=size,
        seed=request.seed,
        draw=draw,
        details=details,
    )


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


def _render(
    factors: tf.Tensor, resolution: int, channels: int, tables: tuple[np.ndarray, np.ndarray]
) -> tf.Tensor:
    """uint8 (n, resolution, resolution, channels)."""
    # Whole packets of rows: see toys.py. Per pixel there are only exactly rounded operations, which need no
    # such care.
    n = tf.shape(factors)[0]
    padded = tf.pad(factors, [[0, -n % 16], [0, 0]])
    cos, sin = tf.cos(padded[:, 7])[:n], tf.sin(padded[:, 7])[:n]
    colour, background = _rgb(factors[:, 1:4]), _rgb(factors[:, 8:11])
    if channels == 1:
        colour, background = (_luma(rgb) for rgb in (colour, background))
    kind = tf.cast(factors[:, 0], tf.int32)
    scene = (kind, factors[:, 4], factors[:, 5], factors[:, 6], cos, sin, colour, background)
    if resolution < _LARGE:
        return _paint(scene, resolution, tables)
    one = tf.TensorSpec((resolution, resolution, channels), tf.uint8)
    return tf.map_fn(
        lambda row: _paint(tuple(part[None] for part in row), resolution, tables)[0],
        scene,
        fn_output_signature=one,
    )


def _paint(scene: tuple[tf.Tensor, ...], resolution: int, tables: tuple[np.ndarray, np.ndarray]) -> tf.Tensor:
    """The pixels, from the factors of each image: class, x, y, size, cosine, sine, colour, background."""
    kind, cx, cy, size, cos, sin = (part[:, None, None] for part in scene[:6])
    colour, background = (part[:, None, None, :] for part in scene[6:])
    finer = -(-_FINE // resolution)
    x, y = pixel_centres(resolution * finer)
    x, y = x[None, None, :], y[None, :, None]
    outlines, holes = tables

    # The object's own coordinates: middle at 0, upright, radius 1.
    right, up = (x - cx) / size, (y - cy) / size
    u, v = cos * right + sin * up, cos * up - sin * right
    rho = tf.sqrt(u * u + v * v)
    diamond = v / tf.maximum(tf.abs(u) + tf.abs(v), 1e-9)  # -1 ... 1 on the right half, and again on the left
    angle = tf.where(u < 0.0, 2.0 - diamond, diamond) + 1.0  # 0 ... 4, anticlockwise from below
    step = tf.minimum(tf.cast(angle * (_STEPS / 4), tf.int32), _STEPS - 1)
    found = tf.gather(outlines, kind * _STEPS + step)
    radius, flatness = found[..., 0], found[..., 1]
    hole = tf.gather(holes, kind)
    from_hole = tf.sqrt((u - hole[..., 0]) ** 2 + (v - hole[..., 1]) ** 2) - hole[..., 2]
    inside = tf.minimum((radius - rho) * flatness, from_hole)
    coverage = tf.clip_by_value(0.5 + inside * size * (resolution * finer / 2), 0.0, 1.0)

    # A dome over the outline, lit by one distant light (Lambert), with a highlight.
    height = tf.sqrt(tf.maximum(1.0 - (rho / radius) ** 2, 0.0))
    slope = (_LIGHT[0] * right + _LIGHT[1] * up) / tf.maximum(radius, rho)
    light = tf.maximum(slope + _LIGHT[2] * height, 0.0)
    shine = light * light
    shine = shine * shine
    shine = shine * shine
    shine = 0.35 * shine * shine

    # Behind it a wall, brighter above, with a soft round shadow to the lower right.
    wall = 0.95 + 0.2 * y
    away = (right - 0.25) ** 2 + (up + 0.35) ** 2
    shadow = tf.maximum(1.0 - away / 1.6, 0.0)
    wall = wall * (1.0 - 0.45 * shadow * shadow)
    front = coverage * (0.3 + 0.75 * light)
    image = (
        ((1.0 - coverage) * wall)[..., None] * background
        + front[..., None] * colour
        + (coverage * shine)[..., None]
    )
    image = tf.minimum(image, 1.0)
    if finer > 1:
        image = sum(image[:, i::finer, j::finer] for i in range(finer) for j in range(finer)) / finer**2
    return tf.cast(image * 255.0 + 0.5, tf.uint8)


def _rgb(hsv: tf.Tensor) -> tf.Tensor:
    """Hue, saturation, value (n, 3) -> red, green, blue (n, 3), all in [0, 1]."""
    hue, saturation, value = (hsv[:, i, None] for i in range(3))
    k = tf.math.floormod(np.array([[5.0, 3.0, 1.0]], np.float32) + 6.0 * hue, 6.0)
    return value - value * saturation * tf.clip_by_value(tf.minimum(k, 4.0 - k), 0.0, 1.0)


def _luma(rgb: tf.Tensor) -> tf.Tensor:
    return sum(rgb[:, i : i + 1] * _LUMA[i, 0] for i in range(3))


def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Radius and flatness of each class and direction (classes * _STEPS, 2); hole of each (classes, 3)."""
    diamond = (np.arange(_STEPS) + 0.5) * 4 / _STEPS - 1
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
        flatness = (normal * ray).sum(
            axis=1
        )  # the cosine between ray and edge normal is 1 / sqrt(1 + (r'/r)^2)
        radius = (normal * outline[edge]).sum(axis=1) / flatness
        rows.append(np.stack([radius, flatness], axis=1))
    # A hole of radius -9 is nine away from everything: none.
    holes = [_HOLES.get(kind, (0.0, 0.0, -9.0)) for kind in range(len(rows))]
    return np.concatenate(rows).astype(np.float32), np.array(holes, np.float32)


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
    heart = np.stack(
        [
            16 * np.sin(t) ** 3,
            13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t) + 1,
        ],
        axis=1,
    )[::-1]
    flower = polar(0.75 + 0.25 * np.cos(5 * (t - np.pi / 2)), t)
    return [disc, disc, disc, regular(3), regular(4, np.pi / 4), regular(5), star, cross, heart, flower]
