"""Nearest neighbours in pixel or feature space, and whether a generator has memorised its training set.

Distances are Euclidean and exact: a float32 matrix product finds the candidates, whose distances are then computed in
float64 from the differences. `manifold.py` stands on the same two steps.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ganlib.errors import InputError
from ganlib.metrics.frechet import as_pair

_BLOCK = 512
_CROWD = 256  # more candidates than this in a row: chosen by a float64 product, not by differences
_PAIRS = 2**22  # float64 numbers held while differences are taken


def nearest_neighbours(
    queries: np.ndarray, references: np.ndarray, k: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """The k references nearest to each query, nearest first.

    Args:
        queries: (n, ...): images or features, flattened per sample.
        references: (m, ...) of the same shape per sample, m at least k.
        k: How many neighbours. A query that is itself a reference finds itself, at distance 0.

    Returns:
        Indices into the references (n, k) and Euclidean distances (n, k) in float64. Equal distances are ordered by
        index.

    Raises:
        InputError: The sets are empty, not finite, of different shapes, or k is not in 1 to m.
    """
    queries, references = as_pair(_flat(queries), _flat(references), at_least=1)
    return neighbours_of(queries, references, k)


def nearest_within(samples: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest other samples of each sample (n, ...): a sample is not its own neighbour, a duplicate is.

    Returns:
        Indices (n, k) and distances (n, k), as `nearest_neighbours`.

    Raises:
        InputError: The samples are not finite, or not more than k.
    """
    samples = as_pair(_flat(samples), _flat(samples), at_least=2)[0]
    return neighbours_of(samples, samples, k, exclude_self=True)


class Memorisation(NamedTuple):
    """What `memorisation` returns.

    Attributes:
        share: Share of samples nearer to the training set than the `quantile` of held-out data is.
        quantile: What that share is for a generator as far from its training set as new data is.
        z: Meehan's Z_U: below 0 where samples are nearer to the training set than held-out data.
        p_value: One-sided, of z, under the normal approximation.
        ratio_z: The same of nearest over second-nearest distance.
        memorised: share > 2 quantile, z < -3 and ratio_z < -3.
        distances: (n,) distance of each sample to its nearest training item.
        heldout_distances: (h,) the same of held-out items.
        nearest: (n,) index of each sample's nearest training item.
    """

    share: float
    quantile: float
    z: float
    p_value: float
    ratio_z: float
    memorised: bool
    distances: np.ndarray
    heldout_distances: np.ndarray
    nearest: np.ndarray


def memorisation(
    samples: np.ndarray, train: np.ndarray, heldout: np.ndarray, quantile: float = 0.05
) -> Memorisation:
    """Are samples nearer to the training set than new data of the same kind is?

    Meehan, Chaudhuri, Dasgupta. AISTATS 2020, arXiv:2004.05675, section 3, with one cell: with d(x) the distance to the
    nearest training item, the Mann-Whitney test asks whether P(d(sample) > d(heldout)) is below 1/2. z is its
    statistic in standard units (ties share ranks), about normal when the generator is as good as new data.

    Distance alone also falls for blurred samples: in pixel space the mean image is near to everything. So z is taken
    a second time, of the ratio of the nearest to the second-nearest distance (ours): blur shrinks both, a copy only
    the first. `memorised` needs both tests, and an effect: a share of at least twice the quantile. (The thresholds
    are ours. Duplicates in the training set hide copies from the ratio, never from z; a global test can miss copies
    in a small part of the samples: look at `share` and at the panel of neighbours too.)

    Args:
        samples: (n, ...) generated images or features, flattened per sample.
        train: (m, ...) what the generator was trained on, m 2 or more.
        heldout: (h, ...) real data that it was not trained on.
        quantile: Of the held-out distances, in (0, 1).

    Returns:
        A `Memorisation`.

    Raises:
        InputError: A set is too small, not finite, of another shape, or the quantile is out of range.
    """
    if not 0 < quantile < 1:
        raise InputError(f"quantile={quantile!r} is out of range: give a number in (0, 1), for example 0.05")
    nearest, distances = nearest_neighbours(samples, train, 2)
    _, heldout_distances = nearest_neighbours(heldout, train, 2)
    share = float((distances[:, 0] < np.quantile(heldout_distances[:, 0], quantile)).mean())
    z = _mann_whitney_z(distances[:, 0], heldout_distances[:, 0])
    ratio_z = _mann_whitney_z(_ratio(distances), _ratio(heldout_distances))
    from scipy.special import ndtr

    return Memorisation(
        share=share,
        quantile=quantile,
        z=z,
        p_value=float(ndtr(z)),
        ratio_z=ratio_z,
        memorised=bool(share > 2 * quantile and z < -3 and ratio_z < -3),
        distances=distances[:, 0],
        heldout_distances=heldout_distances[:, 0],
        nearest=nearest[:, 0],
    )


def _ratio(distances: np.ndarray) -> np.ndarray:
    """Nearest over second-nearest; 1 where both are 0 (a copy of an item that is there twice)."""
    return np.divide(distances[:, 0], distances[:, 1], out=np.ones(len(distances)), where=distances[:, 1] > 0)


def _mann_whitney_z(first: np.ndarray, second: np.ndarray) -> float:
    """Standardised U of P(first > second), with ties; 0 where all values are equal."""
    from scipy.stats import rankdata

    n, m = len(first), len(second)
    both = np.concatenate([first, second])
    u = rankdata(both)[:n].sum() - n * (n + 1) / 2
    repeats = np.unique(both, return_counts=True)[1].astype(float)
    total = n + m
    variance = n * m / 12 * (total + 1 - (repeats**3 - repeats).sum() / (total * (total - 1)))
    return float((u - n * m / 2) / np.sqrt(variance)) if variance > 0 else 0.0


def _flat(samples: np.ndarray) -> np.ndarray:
    samples = np.asarray(samples)
    if samples.ndim < 2 or not samples.size:
        raise InputError(f"samples of shape {samples.shape}: give (n, ...), n at least 1")
    return samples.reshape(len(samples), -1)


def neighbours_of(
    queries: np.ndarray, references: np.ndarray, k: int, *, exclude_self: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """`nearest_neighbours` of checked float64 matrices; `exclude_self`: query i is reference i, and does not count."""
    available = len(references) - exclude_self
    if not 1 <= k <= available:
        raise InputError(f"k={k!r} neighbours among {available}: give a k from 1 to {available}")
    indices = np.empty((len(queries), k), np.int64)
    distances = np.empty((len(queries), k))
    for rows, squares, (a, b) in squared_distance_blocks(queries, references):
        if exclude_self:
            squares[np.arange(len(squares)), np.arange(rows.start, rows.stop)] = np.inf
        limit = np.partition(squares, k - 1, axis=1)[:, k - 1] + 2 * a + b.max()
        # whatever may be among the k nearest, given the bound on each square's error
        squares -= b
        keep = squares <= limit[:, None]
        crowded = keep.sum(axis=1) > max(_CROWD, 2 * k)
        if crowded.any():
            chosen = np.flatnonzero(crowded)
            keep[chosen] = _nearest_by_product(queries, references, chosen + rows.start, k, exclude_self)
        row_of, column_of = np.nonzero(keep)
        exact = exact_squares(queries, references, row_of + rows.start, column_of)
        order = np.lexsort((column_of, exact, row_of))
        first = np.searchsorted(row_of, np.arange(len(squares)))
        picked = order[first[:, None] + np.arange(k)]
        indices[rows], distances[rows] = column_of[picked], np.sqrt(exact[picked])
    return indices, distances


def _nearest_by_product(queries, references, rows, k, exclude_self) -> np.ndarray:
    """Masks (len(rows), m) of each row's k nearest by a float64 product: for rows where float32 leaves a crowd."""
    centre = references.mean(axis=0)
    left, right = queries[rows] - centre, references - centre
    squares = np.square(right).sum(axis=1) - 2 * (left @ right.T)
    if exclude_self:
        squares[np.arange(len(rows)), rows] = np.inf
    mask = np.zeros(squares.shape, bool)
    np.put_along_axis(mask, np.argsort(squares, axis=1, kind="stable")[:, :k], True, axis=1)
    return mask


def squared_distance_blocks(
    queries: np.ndarray, references: np.ndarray, block: int = _BLOCK
) -> Iterator[tuple[slice, np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    """Squared distances of `block` queries at a time to all references, in float32, with their error bound.

    Yields:
        (rows, squares (rows, m) float32, (a, b)): |squares[i, j] - exact| <= a[i] + b[j], a bound that holds for
        random rounding errors (Higham & Mary 2019: they grow with the root of d) with 8 standard deviations to
        spare.
    """
    centre = references.mean(axis=0)
    # both norms ride in two more columns of the product: |x - y|^2 = (-2x, |x|^2, 1) . (y, 1, |y|^2)
    right, right_norms = _centred(references, centre)
    right = np.concatenate([right, np.ones_like(right_norms), right_norms], axis=1).T
    unit = 8 * np.sqrt(queries.shape[1] + 2) * np.finfo(np.float32).eps
    b = (unit * right_norms[:, 0]).astype(np.float32)
    for start in range(0, len(queries), block):
        rows = slice(start, min(start + block, len(queries)))
        left, norms = _centred(queries[rows], centre)
        left = np.concatenate([-2 * left, norms, np.ones_like(norms)], axis=1)
        yield rows, left @ right, ((unit * norms[:, 0]).astype(np.float32), b)


def _centred(samples: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples less the centre and their squared norms (n, 1), float32, a block at a time."""
    out = np.empty(samples.shape, np.float32)
    norms = np.empty((len(samples), 1), np.float32)
    for start in range(0, len(samples), _BLOCK):
        difference = samples[start : start + _BLOCK] - centre
        out[start : start + _BLOCK] = difference
        norms[start : start + _BLOCK, 0] = np.einsum("ij,ij->i", difference, difference)
    return out, norms


def exact_squares(
    queries: np.ndarray, references: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Squared distances of the pairs (queries[rows[i]], references[columns[i]]), float64, from differences."""
    out = np.empty(len(rows))
    step = max(1, _PAIRS // queries.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        out[part] = np.square(references[columns[part]] - queries[rows[part]]).sum(axis=1)
    return out
