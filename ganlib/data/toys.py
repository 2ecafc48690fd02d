"""Two-dimensional distributions on which the game can be watched whole, every mode counted.

Points are drawn from counters: point i is a pure function of (seed, split, i).
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.data.sources import Request, StreamSource, integer, known, number, stream_split
from ganlib.errors import InputError


def gaussians_ring(
    request: Request, *, modes: int = 8, radius: float = 2.0, sigma: float = 0.02, size: int | None = None
) -> StreamSource:
    """Equally likely round normal distributions on a ring; the label counts anticlockwise from the right.

    The defaults are those of unrolled GANs (Metz et al. 2017, arXiv:1611.02163, appendix A).

    Args:
        request: what every source understands.
        modes: how many.
        radius: of the ring.
        sigma: standard deviation of each coordinate around its mode.
        size: draw only from this many points; None for as many as wanted (the test split then has 10,000).
    """
    modes = integer("modes", modes, 1, 10_000)
    angle = 2 * np.pi * np.arange(modes) / modes
    centers = number("radius", radius, 0, above=True) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _mixture(request, centers, number("sigma", sigma, 0), size)


def gaussians_grid(
    request: Request, *, modes: int = 25, spacing: float = 2.0, sigma: float = 0.05, size: int | None = None
) -> StreamSource:
    """Equally likely round normal distributions on a square grid around 0; the label is the mode, row by row.

    The defaults are those of PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1): 25 modes on -4, -2,
    ..., 4.

    Args:
        request: what every source understands.
        modes: how many, a square number.
        spacing: between neighbours.
        sigma: standard deviation of each coordinate around its mode.
        size: draw only from this many points; None for as many as wanted (the test split then has 10,000).
    """
    modes = integer("modes", modes, 1, 10_000)
    side = int(np.sqrt(modes) + 0.5)
    if side * side != modes:
        raise InputError(f"modes={modes} is not a square number: give one, such as {side * side}")
    line = number("spacing", spacing, 0, above=True) * (np.arange(side) - (side - 1) / 2)
    y, x = np.meshgrid(line, line, indexing="ij")
    return _mixture(request, np.stack([x.ravel(), y.ravel()], axis=1), number("sigma", sigma, 0), size)


def swiss_roll(
    request: Request, *, turns: float = 1.5, radius: float = 2.0, sigma: float = 0.05, size: int | None = None
) -> StreamSource:
    """A spiral of radius `radius` * t at the angle 2 pi * `turns` * t, with normal noise; 1/3 < t < 1.

    With the default 1.5 turns and the noise left out this is scikit-learn's `make_swiss_roll` seen from the
    side, scaled to `radius`.

    Args:
        request: what every source understands.
        turns: of the whole spiral from the origin, 2 pi each, counted at t = 1.
        radius: of the outer end.
        sigma: standard deviation of the noise on each coordinate.
        size: draw only from this many points; None for as many as wanted (the test split then has 10,000).
    """
    turns, radius = number("turns", turns, 0, above=True), number("radius", radius, 0, above=True)
    sigma = number("sigma", sigma, 0)

    def points(uniform, normal):
        t = (1.0 + 2.0 * uniform) / 3.0
        angle = 2.0 * np.pi * turns * t
        spiral = tf.stack([t * tf.cos(angle), t * tf.sin(angle)], axis=1)
        return radius * spiral + sigma * normal, None

    return _stream(request, points, size)


def _mixture(request: Request, centers: np.ndarray, sigma: float, size: int | None) -> StreamSource:
    centers = centers.astype(np.float32)
    modes = len(centers)

    def points(uniform, normal):
        # float32 rounds (1 - 2**-24) * modes up to modes for some: keep the last label inside.
        label = tf.minimum(tf.cast(uniform * modes, tf.int32), modes - 1)
        return tf.gather(centers, label) + sigma * normal, label

    return _stream(request, points, size, [f"mode {i}" for i in range(modes)], centers)


def _stream(
    request: Request, points: Callable, size: int | None, class_names=None, centers=None
) -> StreamSource:
    if request.resolution is not None or request.channels is not None:
        raise InputError(f"{request.name!r} are points, not images: leave out resolution and channels")
    size = stream_split(request, size, test=10_000)
    key = randomness.key_of(request.seed, f"{request.name}/{request.split}")

    def draw(start, n):
        # Whole packets of rows: a processor computes the rest of an array with other instructions than its
        # packets, and the last bit of a cosine may differ. With this a row is the same in a batch of any
        # size.
        rows = -(-n // 16) * 16
        uniform = randomness.uniform(key, 0, start, (rows, 1))[:, 0]
        normal = randomness.normal(key, 1, start, (rows, 2))
        examples, labels = points(uniform, normal)
        return examples[:n], None if labels is None else labels[:n]

    return StreamSource(**known(request, (2,), size, class_names), draw=draw, centers=centers)
