"""The Fréchet distance between two sets of features.

Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter. NeurIPS 2017, arXiv:1706.08500, eq. 6; Dowson & Landau 1982.

Conventions differ between codebases in one number, `ddof`: the covariance divides by n - 1 in Heusel's code, TF-GAN's
full form and torch-fidelity (1, our default), by n in StyleGAN2-ADA and in TF-GAN's diagonal form (0).
"""

import numpy as np
import scipy.linalg

from ganlib.errors import InputError

_EPSILON = np.finfo(np.float64).eps


class FeatureStatistics:
    """Mean and covariance of features that arrive in batches, in float64, without holding the features.

    Keeps the count, the mean and the scatter about the mean, joined by Chan, Golub and LeVeque's update (1983), which
    does not cancel as E[xx'] - mean mean' does where the mean is large. Batches in any order and any sizes give the
    same numbers to rounding, and so do parts that were gathered apart and merged.

        seen = FeatureStatistics()
        for images in batches:
            seen.add(extractor.features(images))
        frechet_distance_from_statistics(*real, seen.mean, seen.covariance())

    Attributes:
        count: Rows seen.
        mean: (d,) float64; None before the first batch.
        scatter: (d, d) float64, the sum of (x - mean)(x - mean)'; None before the first batch.
    """

    def __init__(self):
        self.count = 0
        self.mean: np.ndarray | None = None
        self.scatter: np.ndarray | None = None

    def add(self, features: np.ndarray) -> "FeatureStatistics":
        """Take in features (n, d), n 1 or more; returns itself.

        Raises:
            InputError: Not a matrix, empty, not finite, or of another d than before.
        """
        features = as_features(features, "features", at_least=1)
        mean = features.mean(axis=0)
        centred = features - mean
        return self._join(len(features), mean, centred.T @ centred)

    def merge(self, other: "FeatureStatistics") -> "FeatureStatistics":
        """Take in what another has seen (another worker's share, say); returns itself."""
        return self._join(other.count, other.mean, other.scatter) if other.count else self

    def covariance(self, ddof: int = 1) -> np.ndarray:
        """The covariance (d, d): scatter / (count - ddof).

        Raises:
            InputError: Fewer than two rows were seen.
        """
        if self.count < 2:
            raise InputError(f"{self.count} rows were seen: a covariance takes at least 2 rows")
        return self.scatter / (self.count - ddof)

    def _join(self, count: int, mean: np.ndarray, scatter: np.ndarray) -> "FeatureStatistics":
        if self.mean is None:
            self.count, self.mean, self.scatter = count, mean.copy(), scatter.copy()
            return self
        _require_same(self.mean.size, mean.size)
        total = self.count + count
        shift = mean - self.mean
        self.scatter += scatter + np.outer(shift, shift) * (self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count = total
        return self


def as_features(features: np.ndarray, name: str, *, at_least: int) -> np.ndarray:
    """Features as a float64 matrix (n, d), checked.

    Raises:
        InputError: Fewer than `at_least` rows, not a matrix, or not finite.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < at_least or not features.shape[1]:
        raise InputError(
            f"{name} of shape {features.shape}: give (n, d) with at least {at_least} row{'s' * (at_least > 1)}"
        )
    features = features.astype(np.float64)
    if not np.isfinite(features).all():
        raise InputError(f"the {name} are not all finite: check the images that they were computed from")
    return features


def as_pair(
    real_features: np.ndarray, fake_features: np.ndarray, *, at_least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of features as float64 matrices of one dimension, checked.

    Raises:
        InputError: As `as_features`, or the dimensions differ.
    """
    real = as_features(real_features, "features", at_least=at_least)
    fake = as_features(fake_features, "features", at_least=at_least)
    _require_same(real.shape[1], fake.shape[1])
    return real, fake


def _require_same(first: int, second: int) -> None:
    if first != second:
        raise InputError(f"features of {first} and {second} dimensions: use one extractor for both")


def statistics(features: np.ndarray, ddof: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of features (n, d), in float64.

    Args:
        features: (n, d), n 2 or more.
        ddof: The covariance divides by n - ddof: 1 as numpy, TF-GAN and the official code; 0 as StyleGAN2-ADA.

    Raises:
        InputError: Fewer than two rows, not a matrix, or not finite.
    """
    seen = FeatureStatistics().add(as_features(features, "features", at_least=2))
    return seen.mean, seen.covariance(ddof)


def frechet_distance(real_features: np.ndarray, fake_features: np.ndarray, ddof: int = 1) -> float:
    """FID = |m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)), of the normals fitted to two sets of features.

    Where a set has no more rows than dimensions its covariance is singular, and roots of the rounding errors of
    zeros would add up. There tr (C_r C_f)^(1/2) is taken as the sum of the singular values of X_r X_f', X the
    centred features over sqrt(n - ddof), which needs no covariance and no root.

    Args:
        real_features: (n, d), any real dtype; the arithmetic is float64.
        fake_features: (m, d).
        ddof: Each covariance divides by its count less ddof; see the top of the file.

    Returns:
        The distance, at least 0 but for rounding.

    Raises:
        InputError: The sets are too small, not finite, or of different dimension.
    """
    real, fake = as_pair(real_features, fake_features, at_least=2)
    if min(len(real), len(fake)) > real.shape[1]:
        return frechet_distance_from_statistics(*statistics(real, ddof), *statistics(fake, ddof))
    factors, traces = [], 0.0
    for features in (real, fake):
        centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - ddof)
        traces += np.square(centred).sum()
        # a tall set's R has the same X'X with d rows
        factors.append(np.linalg.qr(centred, mode="r") if len(centred) > centred.shape[1] else centred)
    root = scipy.linalg.svdvals(factors[0] @ factors[1].T).sum()
    return float(np.square(real.mean(axis=0) - fake.mean(axis=0)).sum() + traces - 2.0 * root)


def frechet_distance_from_statistics(
    real_mean: np.ndarray, real_covariance: np.ndarray, fake_mean: np.ndarray, fake_covariance: np.ndarray
) -> float:
    """The Fréchet distance of two normal distributions, given means (d,) and covariances (d, d).

    With C_r = K K' and C_f = L L', the eigenvalues of C_r C_f are those of N'N, N = K'L: the squares of N's singular
    values. So tr (C_r C_f)^(1/2) is the sum of the roots of a symmetric matrix's eigenvalues, exactly and without a
    complex intermediate. K and L come from Cholesky, with pivots where a covariance is (nearly) singular. The root of
    an eigenvalue that drowned in rounding is worth little: where a covariance is singular, or the worst case of such
    roots exceeds 1e-6 of the traces (in practice they are off by 1e-15), the singular values of N are computed
    instead, at two to three times the time.

    Raises:
        InputError: The shapes do not fit, or a value is not finite.
    """
    means, covariances = _checked(real_mean, real_covariance, fake_mean, fake_covariance)
    traces = np.trace(covariances[0]) + np.trace(covariances[1])
    first, second = (_factor(covariance) for covariance in covariances)
    product = _transposed_product(first, second)
    values = _gram_eigenvalues(product)
    largest = values.max(initial=0.0)
    noise = 8 * _EPSILON * largest
    roots = np.sqrt(values)
    # what rounding may do to each root: at most sqrt(noise), and noise / (2 root) where the root is clear of it
    doubt = np.minimum(np.sqrt(noise), noise / (2 * np.maximum(roots, np.finfo(float).tiny))).sum()
    full_rank = all(factor.shape[1] == len(factor) for factor in (first, second))
    if not full_rank or doubt > 1e-6 * traces:
        roots = scipy.linalg.svdvals(product, check_finite=False)
    return float(np.square(means[0] - means[1]).sum() + traces - 2.0 * roots.sum())


def frechet_distance_sqrtm(
    real_mean: np.ndarray, real_covariance: np.ndarray, fake_mean: np.ndarray, fake_covariance: np.ndarray
) -> float:
    """The same distance by scipy's matrix square root, as the official code has it: slow, kept as a reference.

    The real part of the root is taken. (The official code adds 1e-6 to the diagonals where the root is not finite;
    this function returns NaN there.)

    Raises:
        InputError: As `frechet_distance_from_statistics`.
    """
    means, covariances = _checked(real_mean, real_covariance, fake_mean, fake_covariance)
    root = np.real(scipy.linalg.sqrtm(covariances[0] @ covariances[1]))
    difference = np.square(means[0] - means[1]).sum()
    return float(difference + np.trace(covariances[0]) + np.trace(covariances[1]) - 2.0 * np.trace(root))


def frechet_distance_diagonal(real_features: np.ndarray, fake_features: np.ndarray, ddof: int = 0) -> float:
    """The distance of normals with diagonal covariances: sum of (m_r - m_f)^2 + (s_r - s_f)^2 over dimensions.

    TF-GAN's `diagonal_only_frechet_classifier_distance_from_activations`, which divides the variances by n (ddof 0,
    the default here too). It ignores correlations: not comparable with a FID.

    Raises:
        InputError: As `frechet_distance`.
    """
    real, fake = as_pair(real_features, fake_features, at_least=2)
    means = np.square(real.mean(axis=0) - fake.mean(axis=0)).sum()
    return float(means + np.square(real.std(axis=0, ddof=ddof) - fake.std(axis=0, ddof=ddof)).sum())


def _checked(real_mean, real_covariance, fake_mean, fake_covariance):
    means = [np.asarray(m, np.float64) for m in (real_mean, fake_mean)]
    covariances = [np.asarray(c, np.float64) for c in (real_covariance, fake_covariance)]
    _require_same(*(mean.size for mean in means))
    for mean, covariance in zip(means, covariances, strict=True):
        if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
            raise InputError(
                f"mean {mean.shape} with covariance {covariance.shape}: give (d,) and (d, d), as `statistics` does"
            )
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise InputError(
                "the statistics are not all finite: check the features that they were computed from"
            )
    return means, covariances


def _factor(covariance: np.ndarray) -> np.ndarray:
    """F (d, r), Fortran order, with F F' = covariance; lower triangular where r = d by plain Cholesky."""
    largest = covariance.diagonal().max()
    if not largest > 0:
        return np.zeros((len(covariance), 1), order="F")
    factor, info = scipy.linalg.lapack.dpotrf(covariance, lower=1, clean=1)
    if info == 0 and np.square(factor.diagonal()).min() > 1e-10 * largest:
        return factor
    factor, pivots, rank, _ = scipy.linalg.lapack.dpstrf(covariance, lower=1)
    unpivoted = np.empty((len(covariance), rank), order="F")
    unpivoted[pivots - 1] = np.tril(factor)[:, :rank]
    return unpivoted


def _transposed_product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    if first.shape[1] == len(first) and not np.triu(first, 1).any():
        return scipy.linalg.blas.dtrmm(1.0, first, second, lower=1, trans_a=1)
    return first.T @ second


def _gram_eigenvalues(product: np.ndarray) -> np.ndarray:
    """Eigenvalues of the smaller of N'N and NN', clipped at 0."""
    rows, columns = product.shape
    gram = scipy.linalg.blas.dsyrk(1.0, product, trans=int(rows >= columns), lower=1)
    return np.clip(scipy.linalg.eigvalsh(gram, lower=True, check_finite=False, overwrite_a=True), 0.0, None)
