"""The Fréchet distance between two sets of features.

Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter. NeurIPS 2017, arXiv:1706.08500, eq. 6; Dowson & Landau 1982.
"""

import numpy as np
import scipy.linalg

from ganlib.errors import InputError


def statistics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of features (n, d), in float64.

    The covariance divides by n - 1, as numpy, TF-GAN and the official code do; StyleGAN2-ADA's divides by n.

    Raises:
        InputError: Fewer than two rows, not a matrix, or not finite.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"features of shape {features.shape}: give (n, d) with at least 2 rows")
    features = features.astype(np.float64)
    if not np.isfinite(features).all():
        raise InputError("the features are not all finite: check the images that they were computed from")
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def frechet_distance(real_features: np.ndarray, fake_features: np.ndarray) -> float:
    """FID = |m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)), of the normals fitted to two sets of features.

    Args:
        real_features: (n, d), any real dtype; the arithmetic is float64.
        fake_features: (m, d).

    Returns:
        The distance, at least 0 but for rounding.

    Raises:
        InputError: The sets are too small, not finite, or of different dimension.
    """
    return frechet_distance_from_statistics(*statistics(real_features), *statistics(fake_features))


def frechet_distance_from_statistics(
    real_mean: np.ndarray, real_covariance: np.ndarray, fake_mean: np.ndarray, fake_covariance: np.ndarray
) -> float:
    """The Fréchet distance of two normal distributions, given means (d,) and covariances (d, d).

    The eigenvalues of C_r C_f are those of the symmetric S C_f S with S = C_r^(1/2), so tr (C_r C_f)^(1/2) is the sum
    of their square roots, exactly and without a complex intermediate, also where a covariance is singular.
    """
    if np.shape(real_mean) != np.shape(fake_mean):
        raise InputError(
            f"features of {np.size(real_mean)} and {np.size(fake_mean)} dimensions: use one extractor for both"
        )
    values, vectors = scipy.linalg.eigh(real_covariance)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    product = scipy.linalg.eigvalsh(root @ fake_covariance @ root)
    trace_of_root = np.sqrt(np.clip(product, 0.0, None)).sum()
    difference = np.sum(np.square(real_mean - fake_mean))
    return float(difference + np.trace(real_covariance) + np.trace(fake_covariance) - 2.0 * trace_of_root)
