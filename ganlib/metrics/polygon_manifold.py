"""Precision, recall and F1 on convex polygons: a manifold whose distance to an image can be computed.

Lucic, Kurach, Michalski, Gelly, Bousquet. NeurIPS 2018, arXiv:1711.10337, section 5. Precision is the share of samples
near the manifold of the data, recall the share of test polygons near the manifold of the generator.

Where this differs from the paper:
- the manifold is that of `ganlib.data.load("polygons")`: 3 to 8 corners on an ellipse of bounded size, drawn with soft
  edges. The paper's polygons (triangles in most of its experiments) are drawn otherwise;
- distances are Euclidean, of images of 0 to 1, multiplied by 28 / resolution, so that a threshold means the same share
  of the picture at any resolution; the default threshold is the paper's 0.75, but on another manifold and renderer
  scores do not compare with its tables;
- the projection on the manifold starts from the nearest of a few thousand rendered polygons and is refined by
  Levenberg-Marquardt steps (Gauss-Newton, damped) on their parameters; the paper descends by gradient on the corners
  from random starts. Both find local minima: a distance is an upper bound, a precision a lower one;
- recall by inversion starts from the nearest of a few thousand samples and descends by Adam, as the paper's descends
  from random latents; an upper bound of the distance too. `recall_by_samples` needs no gradient: it asks for the
  nearest of the samples themselves, with a wider threshold, since no finite sample comes within 0.75 of everything.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ganlib.data.polygons import FEWEST, MOST
from ganlib.data.sources import pixel_centres
from ganlib.errors import InputError
from ganlib.metrics import pixels
from ganlib.randomness import host_generator

DELTA = 0.75
_EVEN = 0.5  # as in ganlib/data/polygons.py
_POOL = 6000  # rendered polygons or samples that a search may start from
_STARTS = 4  # nearest ones that it does start from, of each number of corners
# pixels from black to white, in the steps of a search
_WIDTHS = (6.0,) * 4 + (3.0,) * 5 + (1.5,) * 4 + (1.0,) * 6
_ROWS = 512  # images refined at once
_SHAPE = 6  # parameters before the shares: size, roundness, turn, two of position, phase
_STEP = 1e-5  # of the finite differences


class PolygonScores(NamedTuple):
    """Precision, recall, their harmonic mean, and the thresholds that they were measured with."""

    precision: float
    recall: float
    f1: float
    delta: float
    recall_delta: float


def polygon_precision_recall(
    images: np.ndarray,
    test_images: np.ndarray,
    *,
    delta: float = DELTA,
    recall_delta: float | None = None,
    min_corners: int = FEWEST,
    max_corners: int = MOST,
    seed: int = 0,
) -> PolygonScores:
    """Scores of samples, without access to what made them.

    Args:
        images: Samples (n, size, size, 1) in [-1, 1].
        test_images: Held-out polygons (m, size, size, 1) in [-1, 1], of the "test" split.
        delta: A sample counts if the manifold is this near.
        recall_delta: A test polygon counts if a sample is this near; None for the distance within which as many true
            polygons as there are samples have 90% of the test polygons, so that a perfect generator's recall is 0.9.
        min_corners: Of the data, as given to `data.load`.
        max_corners: Of the data.
        seed: Of the polygons that searches start from.

    Raises:
        InputError: Not images of one square shape with one channel, or a threshold that is not positive.
    """
    images, test_images = _checked(images), _checked(test_images)
    pixels.same_shape("images", images, "test_images", test_images)
    precision = _share_within(
        polygon_distances(images, min_corners=min_corners, max_corners=max_corners, enough=delta, seed=seed),
        delta,
    )
    if recall_delta is None:
        true, counts = _random_parameters(len(images), min_corners, max_corners, seed, "recall")
        rendered = 2 * coverage(corners_of(true, counts), counts, images.shape[1]) - 1
        recall_delta = float(np.quantile(sample_distances(test_images, rendered[..., None]), 0.9))
    recall = recall_by_samples(test_images, images, recall_delta)
    return PolygonScores(precision, recall, _f1(precision, recall), delta, recall_delta)


def polygon_precision_recall_by_inversion(
    generator: Callable[[Any], Any],
    latent_dim: int,
    test_images: np.ndarray,
    *,
    samples: int = 1024,
    delta: float = DELTA,
    min_corners: int = FEWEST,
    max_corners: int = MOST,
    seed: int = 0,
    **search: Any,
) -> PolygonScores:
    """Scores of a generator as the paper measures them, recall by inverting it.

    Args:
        generator: Differentiable: latents, a tensor (n, latent_dim), -> images, a tensor (n, size, size, 1) in [-1, 1].
        latent_dim: Of its latents, standard normal.
        test_images: Held-out polygons (m, size, size, 1) in [-1, 1].
        samples: How many judge precision (the paper's 1,024).
        delta: Threshold of both.
        min_corners: Of the data, as given to `data.load`.
        max_corners: Of the data.
        seed: Of latents and starts.
        **search: Given to `inversion_distances`.
    """
    latents = host_generator(seed, "polygon samples").standard_normal((samples, latent_dim), dtype=np.float32)
    images = np.concatenate([np.asarray(generator(part)) for part in _parts(latents)])
    distances = polygon_distances(
        images, min_corners=min_corners, max_corners=max_corners, enough=delta, seed=seed
    )
    precision = _share_within(distances, delta)
    inverted = inversion_distances(generator, latent_dim, test_images, seed=seed, **search)
    recall = _share_within(inverted, delta)
    return PolygonScores(precision, recall, _f1(precision, recall), delta, delta)


def recall_by_samples(test_images: np.ndarray, images: np.ndarray, delta: float) -> float:
    """Share of `test_images` that have one of `images` within `delta`; it grows with the number of images."""
    return _share_within(sample_distances(test_images, images), delta)


def sample_distances(test_images: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Distance of each of `test_images` to the nearest of `images`, (m,)."""
    test_images, images = _checked(test_images), _checked(images)
    pixels.same_shape("images", images, "test_images", test_images)
    targets, pool = _flat(test_images), _flat(images)
    nearest = _nearest(targets, pool, 1)[:, 0]
    return _scaled(targets - pool[nearest], test_images.shape[1])


def polygon_distances(
    images: np.ndarray,
    *,
    min_corners: int = FEWEST,
    max_corners: int = MOST,
    enough: float = 0.25,
    seed: int = 0,
) -> np.ndarray:
    """Distance of each image to the nearest polygon found, (n,).

    Args:
        images: (n, size, size, 1) in [-1, 1].
        min_corners: Of the data, as given to `data.load`.
        max_corners: Of the data.
        enough: No further start is tried for an image once a polygon is this near; with the threshold of a precision
            here, the precision is the same and found sooner.
        seed: Of the polygons that the search starts from.

    Raises:
        InputError: Not square images with one channel in [-1, 1].
    """
    images = _checked(images)
    resolution = images.shape[1]
    targets = _flat(images)
    parameters, counts = _random_parameters(_POOL, min_corners, max_corners, seed, "starts")
    pool = coverage(corners_of(parameters, counts), counts, resolution).reshape(_POOL, -1)
    starts = []
    for count in range(min_corners, max_corners + 1):  # the number of corners is no parameter: try each
        of_count = np.flatnonzero(counts == count)
        starts.append(of_count[_nearest(targets, pool[of_count], _STARTS)])
    starts = np.concatenate(starts, axis=1)
    ahead = np.stack([_scaled(targets - pool[column], resolution) for column in starts.T], axis=1)
    starts = np.take_along_axis(starts, np.argsort(ahead, axis=1), axis=1)
    distances = np.full(len(targets), np.inf)
    for start in starts.T:
        left = np.flatnonzero(distances > enough)
        for rows in _parts(left):
            found = _refined(targets[rows], parameters[start[rows]], counts[start[rows]], resolution)
            distances[rows] = np.minimum(distances[rows], found)
    return distances


def inversion_distances(
    generator: Callable[[Any], Any],
    latent_dim: int,
    test_images: np.ndarray,
    *,
    pool: int = _POOL,
    starts: int = _STARTS,
    steps: int = 200,
    learning_rate: float = 0.05,
    seed: int = 0,
) -> np.ndarray:
    """Distance of each test image to the nearest G(z) found, (m,): min over z of |x - G(z)|.

    Args:
        generator: Differentiable: latents, a tensor (n, latent_dim), -> images, a tensor (n, size, size, 1) in [-1, 1].
        latent_dim: Of its latents.
        test_images: (m, size, size, 1) in [-1, 1].
        pool: Random samples among which the starts are looked for.
        starts: Nearest samples that a search starts from.
        steps: Of Adam, on z.
        learning_rate: Of Adam.
        seed: Of the pool.
    """
    import tensorflow as tf

    test_images = _checked(test_images)
    if pool < starts or starts < 1:
        raise InputError(
            f"pool={pool}, starts={starts}: give at least one start, and a pool of as many or more"
        )
    resolution, targets = test_images.shape[1], _flat(test_images)
    latents = host_generator(seed, "inversion").standard_normal((pool, latent_dim), dtype=np.float32)
    samples = np.concatenate([_flat(np.asarray(generator(part))) for part in _parts(latents)])
    nearest = _nearest(targets, samples, starts)

    @tf.function
    def descend(z, wanted):
        first, second, best = tf.zeros_like(z), tf.zeros_like(z), tf.fill([len(z)], np.float32(np.inf))
        for t in tf.range(1, steps + 1):
            with tf.GradientTape() as tape:
                tape.watch(z)
                made = (tf.reshape(generator(z), tf.shape(wanted)) + 1) / 2
                squares = tf.reduce_sum(tf.square(made - wanted), axis=1)
            best = tf.minimum(best, squares)
            gradient = tape.gradient(squares, z)
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * tf.square(gradient)
            power = tf.cast(t, tf.float32)
            rate = learning_rate * tf.sqrt(1 - 0.999**power) / (1 - 0.9**power)
            z -= rate * first / (tf.sqrt(second) + 1e-8)
        made = (tf.reshape(generator(z), tf.shape(wanted)) + 1) / 2
        return tf.minimum(best, tf.reduce_sum(tf.square(made - wanted), axis=1))

    squares = np.full(len(targets), np.inf)
    for start in nearest.T:
        for rows in _parts(np.arange(len(targets))):
            found = descend(tf.constant(latents[start[rows]]), tf.constant(targets[rows]))
            squares[rows] = np.minimum(squares[rows], found.numpy())
    return np.sqrt(squares) * 28 / resolution


def corners_of(parameters: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Parameters -> corners (n, 8, 2), as `ganlib/data/polygons.py` draws them; those beyond the count repeat the 1st.

    Args:
        parameters: (n, 14): size, roundness, turn, x and y of the place, phase, all in turns or in [0, 1], then the
            logarithms of the random part of the shares between neighbouring corners.
        counts: (n,) corners that count.
    """
    used = np.arange(MOST) < counts[:, None]
    share = np.where(used, np.exp(parameters[:, _SHAPE:]), 0)
    share = _EVEN * used / counts[:, None] + (1 - _EVEN) * share / share.sum(axis=1, keepdims=True)
    ahead = (np.cumsum(share, axis=1) - share) * used
    size, roundness, turn, right, up, phase = (parameters[:, i : i + 1] for i in range(_SHAPE))
    angle = 2 * np.pi * (ahead + phase)
    axis = 0.45 + 0.45 * size
    x, y = axis * np.cos(angle), axis * (0.6 + 0.4 * roundness) * np.sin(angle)
    room, turn = 0.95 - axis, np.pi * turn
    right = np.cos(turn) * x - np.sin(turn) * y + room * (2 * right - 1)
    up = np.sin(turn) * x + np.cos(turn) * y + room * (2 * up - 1)
    return np.stack([right, up], axis=-1)


def coverage(corners: np.ndarray, counts: np.ndarray, resolution: int) -> np.ndarray:
    """Polygons (n, 8, 2) -> images (n, resolution, resolution) in [0, 1]; the data's renderer before it rounds."""
    images = np.empty((len(corners), resolution, resolution), np.float32)
    for rows in _parts(np.arange(len(corners))):
        distance, _ = _distances(_edges(corners[rows], counts[rows]), resolution)
        images[rows] = np.clip(0.5 - distance * np.float32(resolution / 2), 0, 1)
    return images


def _edges(corners, counts):
    """(n, 8, 3): a, b, c of each edge's line; a x + b y - c is the distance outwards from it."""
    edge = np.roll(corners, -1, axis=1) - corners
    real = np.arange(MOST) < counts[:, None]
    length = np.where(real, np.maximum(np.hypot(edge[..., 0], edge[..., 1]), 1e-9), 1)
    a, b = edge[..., 1] / length, -edge[..., 0] / length
    return np.stack([a, b, np.where(real, a * corners[..., 0] + b * corners[..., 1], 1e3)], axis=-1)


def _distances(edges, resolution):
    """Distance outwards from the polygon, (n, resolution, resolution), and the edge that it is measured from."""
    x, y = pixel_centres(resolution)
    edges = edges.astype(np.float32)
    distance = np.full((len(edges), resolution, resolution), -np.inf, np.float32)
    which = np.zeros(distance.shape, np.int8)
    for i in range(MOST):
        a, b, c = (edges[:, i, j, None, None] for j in range(3))
        this = a * x[None, None, :] + (b * y[None, :, None] - c)
        nearer = this > distance
        np.copyto(distance, this, where=nearer)
        np.copyto(which, np.int8(i), where=nearer)
    return distance, which


def _refined(targets, parameters, counts, resolution):
    """Distances after Levenberg-Marquardt steps from `parameters`; targets (n, pixels) in [0, 1]."""
    x, y = pixel_centres(resolution)
    grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None], np.float32(-1)), axis=-1).reshape(-1, 3)
    parameters, best = parameters.astype(np.float64), np.full(len(targets), np.inf)
    damping, width = np.full(len(targets), 1e-2), None

    def render(parameters, width):
        distance, which = _distances(_edges(corners_of(parameters, counts), counts), resolution)
        image = 0.5 - distance * np.float32(resolution / 2 / width)
        sloped = (image > 0) & (image < 1)
        residual = targets - np.clip(image, 0, 1).reshape(len(targets), -1)
        cost = np.einsum("ij,ij->i", residual, residual, dtype=np.float64)
        return residual, np.where(sloped, which, -1).reshape(len(targets), -1), cost

    for wanted in _WIDTHS:
        if wanted != width:
            width, slope = wanted, resolution / 2 / wanted
            residual, which, cost = render(parameters, width)
            damping[:] = 1e-2
        # every pixel on a slope depends on one edge only, through three numbers: sums over pixels first
        image, pixel = np.nonzero(which >= 0)
        group = image * MOST + which[image, pixel]
        terms, rest = grid[pixel], residual[image, pixel]
        moments, pulls = np.empty((len(targets), MOST, 3, 3)), np.empty((len(targets), MOST, 3))
        for i in range(3):
            pulls[..., i] = _sums(group, terms[:, i] * rest, len(targets))
            for j in range(i, 3):
                moments[..., i, j] = _sums(group, terms[:, i] * terms[:, j], len(targets))
                moments[..., j, i] = moments[..., i, j]
        edges_to = _edge_derivatives(parameters, counts)
        square = slope**2 * np.einsum("neip,neij,nejq->npq", edges_to, moments, edges_to, optimize=True)
        pull = -slope * np.einsum("neip,nei->np", edges_to, pulls)
        diagonal = np.einsum("npp->np", square)
        # of the view of the diagonal, so of the matrix
        diagonal += damping[:, None] * diagonal + (1e-6 * diagonal.max(axis=1, keepdims=True) + 1e-9)
        step = np.linalg.solve(square, pull[..., None])[..., 0]
        trial = _inside(parameters + np.clip(step, -0.5, 0.5))
        new = render(trial, width)
        better = new[2] < cost
        damping = np.where(better, damping / 4, damping * 6)
        for now, then in zip((parameters, residual, which, cost), (trial, *new), strict=True):
            now[better] = then[better]
        if width == 1:
            best = np.minimum(best, cost)
    return np.sqrt(best) * 28 / resolution


def _sums(group, weights, n):
    return np.bincount(group, weights, n * MOST).reshape(n, MOST)


def _edge_derivatives(parameters, counts):
    """(n, 8, 3, 14): of the edges' numbers by the parameters, by differences."""
    here = _edges(corners_of(parameters, counts), counts)
    columns = []
    for i in range(parameters.shape[1]):
        ahead = parameters.copy()
        ahead[:, i] += _STEP
        columns.append((_edges(corners_of(ahead, counts), counts) - here) / _STEP)
    return np.stack(columns, axis=-1)


def _inside(parameters):
    """Back to the range that the data is drawn from."""
    parameters[:, [0, 1, 3, 4]] = np.clip(parameters[:, [0, 1, 3, 4]], 0, 1)
    parameters[:, _SHAPE:] = np.clip(parameters[:, _SHAPE:], -8, 4)
    return parameters


def _random_parameters(n, low, high, seed, purpose):
    if not FEWEST <= low <= high <= MOST:
        raise InputError(f"min_corners={low}, max_corners={high}: give {FEWEST} to {MOST}, the smaller first")
    random = host_generator(seed, f"polygon manifold/{purpose}")
    counts = random.integers(low, high + 1, size=n)
    shares = np.log(random.exponential(size=(n, MOST)) + 1e-3)
    return np.concatenate([random.uniform(size=(n, _SHAPE)), shares], axis=1), counts


def _nearest(targets, pool, k):
    """Indices (n, k) of the nearest rows of `pool`, nearest first."""
    k = min(k, len(pool))
    half = np.einsum("ij,ij->i", pool, pool) / 2
    found = []
    for part in _parts(targets):
        distance = half - part @ pool.T
        some = np.argpartition(distance, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(distance, some, axis=1), axis=1)
        found.append(np.take_along_axis(some, order, axis=1))
    return np.concatenate(found)


def _checked(images):
    images = pixels.checked("images", images)
    if images.shape[1] != images.shape[2] or images.shape[3] != 1:
        raise InputError(f"images of {images.shape[1:]}: polygons are square and have one channel")
    return images


def _flat(images):
    return (images.reshape(len(images), -1) + 1) / 2


def _scaled(differences, resolution):
    return np.sqrt(np.einsum("ij,ij->i", differences, differences, dtype=np.float64)) * 28 / resolution


def _parts(rows):
    return [rows[first : first + _ROWS] for first in range(0, len(rows), _ROWS)]


def _share_within(distances, delta) -> float:
    if not delta > 0:
        raise InputError(f"delta={delta}: give a positive distance")
    return float(np.mean(distances <= delta))


def _f1(precision, recall) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
