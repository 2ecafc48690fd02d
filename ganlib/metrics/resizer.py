"""Resizing, fixed and named, because a score depends on it.

Parmar, Zhang, Zhu. On aliased resizing and surprising subtleties in GAN evaluation. CVPR 2022, arXiv:2104.11222:
libraries' "bilinear" differ by several points of FID. The difference is one line, the width of the triangle below.
"""

import functools

import numpy as np

from ganlib.errors import InputError


class Bilinear:
    """Images to size x size pixels by the triangle filter, separably; pixel centres at (i + 1/2) / side.

    Images of that size pass unchanged. Values are not rounded to 8 bits on the way, nor are the samples.

    Args:
        size: Height and width of the result.
        antialias: Widen the filter to the output's pixels when shrinking, as Pillow does (and clean-fid relies on),
            so that every input pixel counts. Without it this is `tf.image.resize(method="bilinear")`, TF-GAN's way:
            input pixels between the taps are skipped, and fine texture turns into noise.

    Attributes:
        name: Part of a score's provenance.
    """

    def __init__(self, size: int, antialias: bool):
        self.size, self.antialias = size, antialias
        how = "antialiased (as Pillow)" if antialias else "not antialiased"
        self.name = f"bilinear to {size}x{size}, {how}"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images float32 (n, height, width, channels) -> float32 (n, size, size, channels).

        Raises:
            InputError: Not a batch of images.
        """
        images = np.asarray(images, np.float32)
        if images.ndim != 4 or not images.size:
            raise InputError(
                f"images of shape {images.shape}: give (n, height, width, channels), n of 1 or more"
            )
        height, width = images.shape[1:3]
        if height == width == self.size:
            return images
        planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        planes = planes @ weights(width, self.size, self.antialias).T
        planes = weights(height, self.size, self.antialias) @ planes
        return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


@functools.lru_cache(maxsize=32)
def weights(source: int, target: int, antialias: bool) -> np.ndarray:
    """Float32 (target, source): row i holds the weights of the source pixels in target pixel i; they sum to 1.

    At the border the triangle is cut off and what is left is normalised, which for enlarging is the same as repeating
    the border pixel.
    """
    scale = source / target
    radius = max(1.0, scale) if antialias else 1.0
    centres = (np.arange(target) + 0.5) * scale - 0.5
    distance = np.abs(np.arange(source) - centres[:, None]) / radius
    triangle = np.clip(1.0 - distance, 0.0, None)
    matrix = (triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False  # shared by all who call
    return matrix
