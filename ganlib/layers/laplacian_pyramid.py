"""Images as a coarse one and what makes it finer, level by level: the Laplacian pyramid, which gives them back exactly.

Burt & Adelson 1983, as in LAPGAN (Denton et al. 2015, arXiv:1506.05751, section 2.2).
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def resampling(size: int, target: int) -> np.ndarray:
    """How a row of `target` pixels is made of one of `size`: float32 (target, size), each row with the sum 1.

    Fewer pixels are means over their share of the row, more are interpolated between the first and the last.
    """
    if target <= size:
        edges = np.arange(target + 1) * size / target
        upper = np.minimum(edges[1:, None], np.arange(size) + 1)
        shares = np.maximum(0.0, upper - np.maximum(edges[:-1, None], np.arange(size)))
        return (shares * target / size).astype(np.float32)
    positions = np.arange(target) * (size - 1) / (target - 1)
    return np.maximum(0.0, 1.0 - np.abs(positions[:, None] - np.arange(size))).astype(np.float32)


def resized(images: tf.Tensor, size: int) -> tf.Tensor:
    """D or u: images (batch, a, a, channels) -> (batch, size, size, channels)."""
    if images.shape[1] == size:
        return images
    across = tf.constant(resampling(images.shape[1], size), images.dtype)
    return tf.einsum("yi,xj,bijc->byxc", across, across, images)


def pyramid(images: tf.Tensor, levels: Sequence[int]) -> list[tf.Tensor]:
    """The Laplacian pyramid: I_K, the coarsest image, then h_{K-1}, ..., h_0 (eq. 3).

    Args:
        images: (batch, height, height, channels).
        levels: Heights, coarse to fine; the last one is that of the images.
    """
    found = [images]
    for coarser in reversed(levels[:-1]):
        fine = found.pop()
        coarse = resized(fine, coarser)
        found += [fine - resized(coarse, fine.shape[1]), coarse]
    return found[::-1]


def reconstructed(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    """The images of a pyramid: from the coarsest on each level is enlarged, and the next one added."""
    images = parts[0]
    for difference in parts[1:]:
        images = resized(images, difference.shape[1]) + difference
    return images
