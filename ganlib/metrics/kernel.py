"""KID: the squared maximum mean discrepancy of two sets of features under a cubic kernel.

Binkowski, Sutherland, Arbel, Gretton. ICLR 2018, arXiv:1801.01401, section 4;
the estimator is Gretton et al. 2012, eq. 3.

    k(x, y) = (x.y / d + 1)^3,    MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean k(x_i, y_j)

Unbiased, so it may be below 0 and its expectation does not depend on the number of samples. Values are raw: papers
often print them times 1000 or 100. Codebases differ in what they average over: StyleGAN2-ADA and torch-fidelity draw
random subsets of equal size, TF-GAN cuts contiguous blocks of possibly unequal sizes, compare_gan takes the real
block's size for both. StyleGAN2-ADA multiplies in float32 (3e-6 relative); here all is float64.
"""

import numpy as np
import scipy.linalg

from ganlib.errors import InputError
from ganlib.metrics.frechet import as_pair

_ROWS = 2048


def kernel_distance(real_features: np.ndarray, fake_features: np.ndarray) -> float:
    """The unbiased MMD^2 of all samples; the sets may be of unequal sizes. Memory is linear in the samples.

    Args:
        real_features: (n, d), n 2 or more.
        fake_features: (m, d), m 2 or more.

    Raises:
        InputError: The sets are too small, not finite, or of different dimension.
    """
    return _mmd(*as_pair(real_features, fake_features, at_least=2))


def kernel_distance_subsets(
    real_features: np.ndarray,
    fake_features: np.ndarray,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Mean and standard deviation (ddof 0) of MMD^2 over random subsets: the KID that papers print.

    Each subset draws `subset_size` samples of either set without replacement, the generated ones first, from
    `numpy.random.RandomState(seed)`: torch-fidelity's order (its seed is 2020), hence its numbers. The deviation is
    over subsets that overlap: a spread, not a standard error.

    Args:
        real_features: (n, d).
        fake_features: (m, d).
        subsets: How many; 100 in the paper's code.
        subset_size: At most min(n, m); 1000 in the paper's code.
        seed: Of the draws.

    Raises:
        InputError: A set is smaller than `subset_size`, not finite, or the dimensions differ.
    """
    if subsets < 1 or subset_size < 2:
        raise InputError(f"subsets={subsets}, subset_size={subset_size}: give at least 1 and 2")
    real, fake = as_pair(real_features, fake_features, at_least=2)
    if min(len(real), len(fake)) < subset_size:
        raise InputError(
            f"subset_size={subset_size} of {len(real)} real and {len(fake)} generated samples: "
            "give a smaller subset_size or more samples"
        )
    random = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        fake_subset = fake[random.choice(len(fake), subset_size, replace=False)]
        real_subset = real[random.choice(len(real), subset_size, replace=False)]
        values.append(_mmd(real_subset, fake_subset))
    return float(np.mean(values)), float(np.std(values))


def kernel_distance_blocks(
    real_features: np.ndarray, fake_features: np.ndarray, max_block_size: int = 1024
) -> tuple[float, float]:
    """Mean of MMD^2 over contiguous blocks, and its standard error: TF-GAN's convention, deterministic.

    Both sets are cut into ceil(max(n, m) / max_block_size) blocks whose sizes differ by at most 1, the smaller blocks
    first; samples are not shuffled. The standard error is the deviation over blocks (ddof 1) over the root of their
    number, NaN for a single block.

    Raises:
        InputError: A block would have fewer than 2 samples, or as `kernel_distance`.
    """
    real, fake = as_pair(real_features, fake_features, at_least=2)
    if max_block_size < 2:
        raise InputError(f"max_block_size={max_block_size!r}: give at least 2")
    blocks = -(-max(len(real), len(fake)) // max_block_size)
    if min(len(real), len(fake)) < 2 * blocks:
        raise InputError(
            f"{blocks} blocks of {len(real)} real and {len(fake)} generated samples: a block needs 2 of each, "
            "give a larger max_block_size or sets of like sizes"
        )
    pairs = zip(_cut(real, blocks), _cut(fake, blocks), strict=True)
    values = np.array([_mmd(r, f) for r, f in pairs])
    error = values.std(ddof=1) / np.sqrt(blocks) if blocks > 1 else float("nan")
    return float(values.mean()), float(error)


def _cut(features: np.ndarray, blocks: int) -> list[np.ndarray]:
    size, longer = divmod(len(features), blocks)
    ends = np.cumsum([size] * (blocks - longer) + [size + 1] * longer)
    return np.split(features, ends[:-1])


def _mmd(real: np.ndarray, fake: np.ndarray) -> float:
    n, m = len(real), len(fake)
    blocks = (real[start : start + _ROWS] for start in range(0, n, _ROWS))
    cross = sum(_cubic(rows @ fake.T, real.shape[1]).sum() for rows in blocks)
    within = _off_diagonal(real) / (n * (n - 1)) + _off_diagonal(fake) / (m * (m - 1))
    return float(within - 2 * cross / (n * m))


def _off_diagonal(features: np.ndarray) -> float:
    """Sum of k(x_i, x_j) over i != j, from the blocks on and above the diagonal."""
    dimensions = features.shape[1]
    total = 0.0
    for start in range(0, len(features), _ROWS):
        rows = features[start : start + _ROWS]
        # half the products of a symmetric block; dsyrk fills one triangle and leaves zeros in the other
        gram = scipy.linalg.blas.dsyrk(1.0, rows.T, trans=1, lower=1)
        total += 2 * _cubic(gram[np.tril_indices(len(rows), -1)], dimensions).sum()
        for other in range(start + _ROWS, len(features), _ROWS):
            total += 2 * _cubic(rows @ features[other : other + _ROWS].T, dimensions).sum()
    return total


def _cubic(products: np.ndarray, dimensions: int) -> np.ndarray:
    base = products / dimensions + 1
    return base * base * base
