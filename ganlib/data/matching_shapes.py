"""Two small objects far apart that have the same hue: a rule that no small window on the image can check.

Scene i is a pure function of (seed, split, i), and the same at every resolution. One object stands in the left half of
a grey wall and one in the right half, both of the label's kind; place, size and rotation of each are free. What they
must share is the hue. Objects and wall are those of shapes.py.

`hues` reads both hues from an image. Wall, shadow and highlight are grey and the light only scales a colour, and
neither adding grey nor scaling moves a hue, so what it reads is exact but for rounding.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.data import shapes
from ganlib.data.sources import Request, StreamSource, number
from ganlib.errors import InputError

CLASS_NAMES = ("discs", "triangles", "squares")
FACTORS = (
    "class",
    "left_hue",
    "right_hue",
    "saturation",
    "value",
    *(f"{side}_{what}" for side in ("left", "right") for what in ("x", "y", "size", "rotation")),
    "background_value",
)
# Where saturation, value, both objects and the wall lie: at 16x16 six columns of wall are between the objects, and
# shadows end before the middle, where the halves meet.
_LOW = np.array([0.8, 0.8, -0.69, -0.35, 0.25, 0.0, 0.67, -0.35, 0.25, 0.0, 0.35], np.float32)
_HIGH = np.array([1.0, 1.0, -0.67, 0.35, 0.29, 2 * np.pi, 0.69, 0.35, 0.29, 2 * np.pi, 0.5], np.float32)
_KINDS = tuple(shapes.CLASS_NAMES.index(name[:-1]) for name in CLASS_NAMES)
_SMALLEST = 16
# largest minus smallest of red, green and blue, in [0, 1]: below that there is no colour to speak of
_FAINT = 0.1


def source(request: Request, *, size: int | None = None, spread: float = 0.0) -> StreamSource:
    """Scenes of two objects, 32x32 RGB by default; the label is the kind of both.

    Args:
        request: what every source understands.
        size: draw only from this many scenes; None for as many as wanted (the test split then has 2,000).
        spread: the right hue differs from the left by up to this either way, evenly, in turns of the colour circle.
            0: they match; 0.5: they have nothing to do with each other.
    """
    resolution = request.resolution or 32
    if resolution < _SMALLEST:
        raise InputError(f"resolution={resolution} is too small for two objects: give {_SMALLEST} to 1024")
    if request.channels not in (None, 3):
        raise InputError(
            f"channels={request.channels}: {request.name!r} is about hues: give 3, or leave it out"
        )
    if number("spread", spread, 0) > 0.5:
        raise InputError(f"spread={spread} is more than half a turn: give 0 to 0.5")
    key = randomness.key_of(request.seed, f"matching_shapes/{request.split}")

    def factors(start, n):
        return _factors(key, float(spread), start, n)

    def images(factors, n):
        inputs = [part for half in _halves(factors) for part in (half, shapes._turns(half, n))]
        return tf.numpy_function(lambda *parts: _render(*parts, resolution), inputs, tf.uint8, stateful=False)

    return shapes.scenes(request, size, (resolution, resolution, 3), CLASS_NAMES, FACTORS, factors, images)


def hues(images: Any) -> np.ndarray:
    """The hues of the left and of the right object, read from the pixels.

    In each half the pixels with at least half of its strongest colour are averaged; the mean's hue is the object's.

    Args:
        images: (n, height, width, 3) in [-1, 1].

    Returns:
        float64 (n, 2), in turns, [0, 1); NaN where a half has no colour.

    Raises:
        InputError: another shape.
    """
    images = np.asarray(images, np.float64)
    if images.ndim != 4 or images.shape[-1] != 3 or images.shape[2] < 2:
        raise InputError(f"images have shape {images.shape}; expected (n, height, width, 3)")
    middle = images.shape[2] // 2
    return np.stack([_hue((half + 1) / 2) for half in (images[:, :, :middle], images[:, :, middle:])], axis=1)


def disagreement(images: Any) -> np.ndarray:
    """How far the two hues are apart, in turns of the colour circle: 0 to 0.5; 0.25 on average for free hues.

    A half without colour breaks the rule as badly as can be: 0.5.

    Args:
        images: (n, height, width, 3) in [-1, 1].

    Returns:
        float64 (n,).

    Raises:
        InputError: another shape.
    """
    left, right = hues(images).T
    return np.nan_to_num(np.abs((left - right + 0.5) % 1 - 0.5), nan=0.5)


def _hue(half: np.ndarray) -> np.ndarray:
    """The hue in turns (n,) of images (n, height, width, 3) in [0, 1]; NaN without colour."""
    colour = np.ptp(half, axis=-1)
    strongest = colour.max(axis=(1, 2))
    chosen = colour >= strongest[:, None, None] / 2
    mean = (half * chosen[..., None]).sum(axis=(1, 2)) / chosen.sum(axis=(1, 2))[:, None]
    least, most = mean.min(axis=1), mean.max(axis=1)
    red, green, blue = mean.T
    with np.errstate(divide="ignore", invalid="ignore"):
        sixths = np.select(
            [most == red, most == green],
            [(green - blue) / (most - least), 2 + (blue - red) / (most - least)],
            4 + (red - green) / (most - least),
        )
    return np.where(strongest < _FAINT, np.nan, sixths / 6 % 1)


def _factors(key: int, spread: float, start, n) -> tf.Tensor:
    """float32 (n, 14): what each scene is drawn from, in the order of FACTORS and in the units of shapes.py."""
    u = randomness.uniform(key, 0, start, (n, len(FACTORS)))
    kind = tf.minimum(tf.floor(u[:, :1] * len(CLASS_NAMES)), len(CLASS_NAMES) - 1.0)
    right = u[:, 1:2] + spread * (2 * u[:, 2:3] - 1)
    return tf.concat([kind, u[:, 1:2], right - tf.floor(right), _LOW + (_HIGH - _LOW) * u[:, 3:]], axis=1)


def _halves(factors: tf.Tensor) -> list[tf.Tensor]:
    """For the left and for the right object float32 (n, 11), in the order of shapes.FACTORS."""
    kind = tf.gather(tf.constant(_KINDS, tf.float32), tf.cast(factors[:, :1], tf.int32))
    wall = tf.concat([tf.zeros_like(factors[:, :2]), factors[:, 13:]], axis=1)
    return [
        tf.concat([kind, factors[:, hue : hue + 1], factors[:, 3:5], factors[:, x : x + 4], wall], axis=1)
        for hue, x in ((1, 5), (2, 9))
    ]


def _render(left, left_turns, right, right_turns, resolution) -> np.ndarray:
    """uint8 (n, resolution, resolution, 3): the left half of one picture beside the right half of another."""
    images = shapes.shaded(left, left_turns, resolution, 3)
    middle = resolution // 2
    images[:, :, middle:] = shapes.shaded(right, right_turns, resolution, 3)[:, :, middle:]
    return images
