"""Precision and recall for distributions: a curve of what two histograms of clusters share.

Sajjadi, Bachem, Lucic, Bousquet, Gelly. NeurIPS 2018, arXiv:1806.00035, eqs. 3 and 4, algorithm 1, section 4.

    alpha(l) = sum_w min(l P(w), Q(w)),   beta(l) = alpha(l) / l,   l = tan(pi/2 i / (angles + 1))

with P the real and Q the generated histogram over clusters of the union of both sets. The official code takes angles
from 1e-10 to pi/2 - 1e-10 evenly (so do we), refuses sets of unequal sizes (we do not: histograms are normalised, but
the larger set weighs more in the clustering), and refuses values above 1 + 1e-3 (a sum may end at 1 + 2e-16: clipped).
"""

import numpy as np

from ganlib.errors import InputError
from ganlib.metrics.frechet import as_pair

_EPSILON = 1e-10  # the official code's: of the angles' ends, and of F's denominator


def prd_curve(
    real_features: np.ndarray,
    fake_features: np.ndarray,
    clusters: int = 20,
    *,
    runs: int = 10,
    angles: int = 1001,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """The curve of two sets of features, averaged over runs of the clustering.

    Each run clusters the union by scikit-learn's MiniBatchKMeans (n_init=10), random_state = seed + run: the same
    arguments give the same curve, while the official code follows numpy's global state. Over seeds F varies by 0.01
    or so on 500 samples of 64 dimensions.

    Args:
        real_features: (n, d), the reference P.
        fake_features: (m, d), the evaluated Q.
        clusters: At most n + m; 20 in the paper.
        runs: How many clusterings; 10 in the paper.
        angles: Points of the curve, 3 or more; 1001 in the paper.
        seed: Of the first run.

    Returns:
        (precision, recall), each (angles,) in [0, 1]; precision rises along the curve.

    Raises:
        InputError: The sets are empty, not finite, of different dimension, or fewer than `clusters` together.
    """
    from sklearn.cluster import MiniBatchKMeans

    real, fake = as_pair(real_features, fake_features, at_least=1)
    if runs < 1 or not 1 <= clusters <= len(real) + len(fake):
        raise InputError(
            f"runs={runs}, clusters={clusters} of {len(real) + len(fake)} samples: give at least 1 run, "
            "and 1 cluster to as many as there are samples"
        )
    union = np.concatenate([real, fake])
    curves = []
    for run in range(runs):
        labels = MiniBatchKMeans(clusters, n_init=10, random_state=seed + run).fit(union).labels_
        bins = [np.bincount(part, minlength=clusters) for part in (labels[: len(real)], labels[len(real) :])]
        curves.append(prd_from_histograms(*bins, angles=angles))
    precision, recall = np.mean(curves, axis=0)
    return precision, recall


def prd_from_histograms(
    real_histogram: np.ndarray, fake_histogram: np.ndarray, *, angles: int = 1001
) -> tuple[np.ndarray, np.ndarray]:
    """The curve of two histograms over the same bins; deterministic.

    Args:
        real_histogram: (bins,), the reference P: counts or shares, at least 0; normalised here.
        fake_histogram: (bins,), the evaluated Q.
        angles: Points of the curve, 3 or more.

    Returns:
        (precision, recall), each (angles,) in [0, 1].

    Raises:
        InputError: The histograms differ in length, are negative, not finite or empty, or angles are fewer than 3.
    """
    histograms = [np.asarray(h, np.float64) for h in (real_histogram, fake_histogram)]
    if histograms[0].ndim != 1 or histograms[0].shape != histograms[1].shape:
        raise InputError(
            f"histograms of shapes {histograms[0].shape} and {histograms[1].shape}: give (bins,) twice"
        )
    for histogram in histograms:
        if not np.isfinite(histogram).all() or (histogram < 0).any() or not histogram.sum() > 0:
            raise InputError(
                f"a histogram with sum {histogram.sum()}: give finite shares of at least 0, not all 0"
            )
    if angles < 3:
        raise InputError(f"angles={angles!r}: give 3 or more, for example 1001")
    real, fake = (histogram / histogram.sum() for histogram in histograms)
    slopes = np.tan(np.linspace(_EPSILON, np.pi / 2 - _EPSILON, angles))
    precision = np.minimum(slopes[:, None] * real, fake).sum(axis=1)
    return np.clip(precision, 0.0, 1.0), np.clip(precision / slopes, 0.0, 1.0)


def f_beta(precision: np.ndarray, recall: np.ndarray, beta: float) -> float:
    """Max over the curve of F_beta = (1 + b^2) p r / (b^2 p + r), b = beta.

    The paper reads F_8 as recall and F_1/8 as precision. A single pair (p, r) gives its own F_beta. The denominator
    carries the official code's 1e-10.

    Args:
        precision: (points,) or a number, in [0, 1].
        recall: The same shape.
        beta: Above 1 weighs recall, below 1 precision.

    Raises:
        InputError: The shapes differ, values leave [0, 1], or beta is not above 0.
    """
    precision, recall = np.asarray(precision, np.float64), np.asarray(recall, np.float64)
    if precision.shape != recall.shape or not precision.size:
        raise InputError(f"precision {precision.shape} and recall {recall.shape}: give one shape")
    both = np.concatenate([precision.ravel(), recall.ravel()])
    if not (both.min() >= 0 and both.max() <= 1):
        raise InputError(f"values in [{both.min()}, {both.max()}]: precision and recall lie in [0, 1]")
    if not beta > 0:
        raise InputError(f"beta={beta!r} is out of range: give a number above 0, for example 8")
    square = beta * beta
    return float(((1 + square) * precision * recall / (square * precision + recall + _EPSILON)).max())
