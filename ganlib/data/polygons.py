"""White convex polygons of 3 to 8 corners on black: a data manifold that is known exactly.

The setting in which Lucic et al. ("Are GANs Created Equal?", 2018, arXiv:1711.10337, section 5) measure
precision and recall, with sharp definitions of our own: corners lie on a random ellipse, so every one of them
is a corner of a convex polygon, and neighbours are at least half an even share of the ellipse apart, so every
one can be seen. Polygon i is a pure function of (seed, split, i) and the same shape at every resolution.

The authors' (google/compare_gan, commit 19922d3, colabs/Convex_Polygons_Dataset.ipynb) are black on white, 28x28,
80,000 of one number of corners (triangles in the example), which lie on a turned circle of 3/4 of the image with a
least angle (20 degrees there) between neighbours; their mean is moved to the middle.
"""

import functools

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.data.sources import Request, StreamSource, integer, known, pixel_centres, stream_split
from ganlib.errors import InputError

FEWEST, MOST = 3, 8
_EVEN = 0.5  # share of the ellipse that is divided evenly; the rest is divided at random
_TILE = 2**15  # pixels rendered at once, to stay in the processor's cache
_NAMES = ("triangle", "quadrilateral", "pentagon", "hexagon", "heptagon", "octagon")


def source(
    request: Request, *, min_corners: int = FEWEST, max_corners: int = MOST, size: int | None = None
) -> StreamSource:
    """Polygons, 28x28 by default; the label is the number of corners less 3.

    Args:
        request: what every source understands.
        min_corners: fewest corners, from 3.
        max_corners: most corners, up to 8.
        size: draw only from this many polygons; None for as many as wanted (the test split then has 2,000).
    """
    low = integer("min_corners", min_corners, FEWEST, MOST)
    high = integer("max_corners", max_corners, FEWEST, MOST)
    if low > high:
        raise InputError(f"min_corners={low} is more than max_corners={high}: swap them")
    size = stream_split(request, size, test=2_000)
    resolution, channels = request.resolution or 28, request.channels or 1
    key = randomness.key_of(request.seed, f"polygons/{request.split}")

    def draw(start, n):
        corners, counts = _corners(key, low, high, start, n)
        render = functools.partial(_render, resolution=resolution, channels=channels)
        images = tf.numpy_function(render, [corners, counts], tf.uint8, stateful=False)
        return images, counts - FEWEST

    def details(start, n):
        corners, counts = _corners(key, low, high, start, n)
        return {"corners": corners.numpy(), "count": counts.numpy()}

    described = known(request, (resolution, resolution, channels), size, _NAMES)
    return StreamSource(**described, draw=draw, details=details)


def _corners(key: int, low: int, high: int, start, n) -> tuple[tf.Tensor, tf.Tensor]:
    """Corners (n, 8, 2), anticlockwise, x to the right, y up, in [-1, 1]; and how many of them count (n,).

    Those beyond the count repeat the first corner.
    """
    rows = -(-n // 16) * 16  # whole packets, see toys.py
    u = randomness.uniform(key, 0, start, (rows, MOST + 7))
    counts = tf.minimum(low + tf.cast(u[:, 0] * (high - low + 1), tf.int32), high)
    used = tf.cast(tf.range(MOST)[None] < counts[:, None], tf.float32)
    share = -tf.math.log1p(-u[:, 7:]) * used  # exponential: the division of a ring by random points
    share = share / tf.reduce_sum(share, axis=1, keepdims=True)
    share = _EVEN * used / tf.cast(counts, tf.float32)[:, None] + (1 - _EVEN) * share
    ahead = tf.cumsum(share, axis=1, exclusive=True) * used  # beyond the count: 0, the first corner
    angle = 2 * np.pi * (ahead + u[:, 1:2])
    axis = 0.45 + 0.45 * u[:, 2:3]  # the longer one, in half sides of the image
    x, y = axis * tf.cos(angle), axis * (0.6 + 0.4 * u[:, 3:4]) * tf.sin(angle)
    turn = np.pi * u[:, 4:5]
    room = 0.95 - axis
    right = tf.cos(turn) * x - tf.sin(turn) * y + room * (2 * u[:, 5:6] - 1)
    up = tf.sin(turn) * x + tf.cos(turn) * y + room * (2 * u[:, 6:7] - 1)
    return tf.stack([right, up], axis=-1)[:n], counts[:n]


def _render(corners: np.ndarray, counts: np.ndarray, resolution: int, channels: int) -> np.ndarray:
    """uint8 (n, resolution, resolution, channels): the distance to the edge, cut at half a pixel either way.

    By NumPy, and per pixel by exactly rounded operations only, as in shapes.py.
    """
    edge = np.roll(corners, -1, axis=1) - corners
    length = np.sqrt(np.square(edge[..., 0]) + np.square(edge[..., 1]))
    real = np.arange(MOST) < counts[:, None]  # beyond the count edges have no length
    length[~real] = 1
    normal_x, normal_y = edge[..., 1] / length, -edge[..., 0] / length  # outwards: corners go anticlockwise
    offset = np.where(real, normal_x * corners[..., 0] + normal_y * corners[..., 1], np.float32(1e3))
    x, y = pixel_centres(resolution)
    half = np.float32(resolution / 2)
    images = np.empty((len(corners), resolution, resolution, channels), np.uint8)
    together = max(1, _TILE // resolution**2)
    for first in range(0, len(corners), together):
        rows = slice(first, first + together)
        distance = np.float32(-1e3)
        for i in range(MOST):
            across = normal_x[rows, i, None, None] * x[None, None, :]
            down = normal_y[rows, i, None, None] * y[None, :, None] - offset[rows, i, None, None]
            distance = np.maximum(distance, across + down)
        coverage = np.clip(np.float32(0.5) - distance * half, np.float32(0), np.float32(1))
        images[rows] = (coverage * np.float32(255) + np.float32(0.5)).astype(np.uint8)[..., None]
    return images
