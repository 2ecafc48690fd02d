"""Modes covered and high-quality samples, for mixtures of Gaussians whose centers are known.

The toys are Metz et al. 2017 (ring, arXiv:1611.02163) and Srivastava et al. 2017 (grid, arXiv:1705.07761). The counts
are Srivastava's (section 4.1): a sample is of high quality within three standard deviations of its nearest mode, and a
mode is captured if it is the nearest of at least one such sample. Others ask for more than one sample (`at_least`).
"""

import numpy as np

from ganlib.errors import InputError
from ganlib.metrics.frechet import as_pair


def modes_covered(
    points: np.ndarray, centers: np.ndarray, sigma: float, *, within: float = 3.0, at_least: int = 1
) -> tuple[int, float]:
    """How many modes the points reach, and the share of points that are near a mode.

    The distance is Euclidean, and a point at exactly `within` sigma counts. Of a two-dimensional normal the share
    within 3 sigma is 1 - exp(-9/2) = 0.9889: a perfect generator does not reach 1.

    Args:
        points: (n, d).
        centers: (modes, d): a toy's `.centers`.
        sigma: Standard deviation of each coordinate around its mode, above 0.
        within: Radius around a mode, in sigmas.
        at_least: High-quality samples that make a mode covered.

    Returns:
        (modes covered, high-quality fraction).

    Raises:
        InputError: Points or centers are empty, not finite, or of different dimension; sigma, within or at_least is
            out of range.
    """
    if at_least < 1:
        raise InputError(f"at_least={at_least!r} is out of range: give 1 or more")
    counts = mode_counts(points, centers, sigma, within=within)
    return int((counts >= at_least).sum()), float(counts.sum() / len(points))


def mode_counts(points: np.ndarray, centers: np.ndarray, sigma: float, *, within: float = 3.0) -> np.ndarray:
    """High-quality samples of each mode, (modes,) int64. Arguments and errors as `modes_covered`."""
    points, centers = as_pair(points, centers, at_least=1)
    for name, value in (("sigma", sigma), ("within", within)):
        if not value > 0:
            raise InputError(f"{name}={value!r} is out of range: give a number above 0")
    counts = np.zeros(len(centers), np.int64)
    for start in range(0, len(points), 65536):
        chunk = points[start : start + 65536]
        squares = np.stack([np.square(chunk - center).sum(axis=1) for center in centers], axis=1)
        nearest = squares.argmin(axis=1)
        good = np.sqrt(squares.min(axis=1)) <= within * sigma
        counts += np.bincount(nearest[good], minlength=len(centers))
    return counts
