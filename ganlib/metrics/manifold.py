"""Precision and recall, density and coverage: fidelity and variety told apart by balls around samples.

Kynkäänniemi, Karras, Laine, Lehtinen, Aila. NeurIPS 2019, arXiv:1904.06991, eqs. 1 to 3 (precision, recall).
Naeem, Oh, Uh, Choi, Yoo. ICML 2020, arXiv:2002.09797, eqs. 4 and 5 (density, coverage).

A ball around each sample reaches to its k-th nearest neighbour in its own set, itself not counted. Codebases differ:
Kynkäänniemi's, StyleGAN2-ADA's and torch-fidelity's code count a point on the ball's surface as inside (<=), Naeem's
(and StudioGAN's) does not (<), not even in its own precision and recall. StyleGAN2-ADA rounds features and radii to
float16; here distances are exact (see `neighbours.py`), so that a comparison never falls by rounding.
"""

from typing import NamedTuple

import numpy as np

from ganlib.errors import InputError
from ganlib.metrics.frechet import as_pair
from ganlib.metrics.neighbours import exact_squares, neighbours_of, squared_distance_blocks


class ManifoldScores(NamedTuple):
    """precision, recall, density, coverage, as `manifold_scores` returns them."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(real_features: np.ndarray, fake_features: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Share of generated samples within the real manifold, and of real ones within the generated manifold.

    A point is within a manifold where its distance to some sample is at most (<=) that sample's radius.

    Args:
        real_features: (n, d), n more than k.
        fake_features: (m, d), m more than k. The paper takes n = m = 50,000; recall grows with m.
        k: Neighbour that sets the radius, the sample itself not counted; 3 in the paper.

    Returns:
        (precision, recall), each in [0, 1].

    Raises:
        InputError: A set has no more than k samples, is not finite, or the dimensions differ.
    """
    return manifold_scores(real_features, fake_features, k=k, density_k=k)[:2]


def density_coverage(real_features: np.ndarray, fake_features: np.ndarray, k: int = 5) -> tuple[float, float]:
    """How many real balls hold a generated sample, over k; and the share of real balls that hold at least one.

    density = 1 / (k m) sum_j sum_i [d(x_i, y_j) < r_i] and coverage = 1 / n sum_i [some d(x_i, y_j) < r_i], with the
    radii r of the real samples only, strictly less.

    Args:
        real_features: (n, d), n more than k.
        fake_features: (m, d), m more than k.
        k: Neighbour that sets the radius; 5 in the paper.

    Returns:
        (density, coverage): density at least 0, about 1 for equal distributions and above 1 where samples crowd in
        dense regions; coverage in [0, 1], 1 - 2^-k or so for equal distributions and equal sizes.

    Raises:
        InputError: As `precision_recall`.
    """
    return manifold_scores(real_features, fake_features, k=k, density_k=k)[2:]


def manifold_scores(
    real_features: np.ndarray, fake_features: np.ndarray, *, k: int = 3, density_k: int = 5
) -> ManifoldScores:
    """`precision_recall` and `density_coverage` together: the distances are computed once.

    Raises:
        InputError: As `precision_recall`.
    """
    if min(k, density_k) < 1:
        raise InputError(f"k={min(k, density_k)!r} is out of range: give 1 or more, for example 3")
    real, fake = as_pair(real_features, fake_features, at_least=max(k, density_k) + 1)
    within_real = neighbours_of(real, real, max(k, density_k), exclude_self=True)[1]
    real_radii, wide_radii, fake_radii = within_real[:, k - 1], within_real[:, density_k - 1], radii(fake, k)
    precise, recalled, covered = (np.zeros(len(rows), bool) for rows in (fake, real, real))
    inside = 0
    for block in squared_distance_blocks(fake, real):
        precise[block[0]] = _within(fake, real, *block, real_radii[None]).any(axis=1)
        recalled |= _within(fake, real, *block, fake_radii[block[0], None]).any(axis=0)
        within = _within(fake, real, *block, wide_radii[None], strict=True)
        inside += np.count_nonzero(within)
        covered |= within.any(axis=0)
    density = inside / (density_k * len(fake))
    return ManifoldScores(*(float(x) for x in (precise.mean(), recalled.mean(), density, covered.mean())))


def radii(features: np.ndarray, k: int) -> np.ndarray:
    """Distance of each sample of (n, d) to its k-th nearest other sample, (n,) float64."""
    features = np.asarray(features, np.float64)
    return neighbours_of(features, features, k, exclude_self=True)[1][:, -1]


def _within(fake, real, rows, squares, slack, radius, strict=False) -> np.ndarray:
    """Whether distances of a block are <= radius (< if strict): (1, n) of real samples, or (rows, 1) of generated ones.

    `rows`, `squares` and `slack` are the block's, as `squared_distance_blocks` gives them.
    """
    a, b = slack
    margin = b[None] + a.max() if len(radius) == 1 else a[:, None] + b.max()
    squared = np.square(radius)
    lower, upper = (squared - margin).astype(np.float32), (squared + margin).astype(np.float32)
    inside = squares < lower
    # only pairs that float32 cannot decide are measured again
    row, column = np.nonzero((squares <= upper) & ~inside)
    if len(row):
        distances = np.sqrt(exact_squares(fake, real, row + rows.start, column))
        limit = np.broadcast_to(radius, squares.shape)[row, column]
        inside[row, column] = distances < limit if strict else distances <= limit
    return inside
