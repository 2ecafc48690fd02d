"""Sliced Wasserstein distance of patches, level by level of a Laplacian pyramid.

Karras, Aila, Laine, Lehtinen. ICLR 2018, arXiv:1710.10196, section 5; the pyramid is Burt & Adelson's (1983), the
random slices Rabin et al.'s (2011). Conventions of the official code (tkarras/progressive_growing_of_gans, 2504c3f):
128 patches of 7x7 an image and level; each colour channel of a set of patches has mean 0 and deviation 1 over the whole
set (TF-GAN normalises each patch on its own); 4 times 128 directions; the result is 1000 times the distance. The
levels are 0 to 255 images split down to 16 pixels, the coarsest one not a difference but the small image itself.
"""

import numpy as np
import scipy.ndimage

from ganlib.errors import InputError
from ganlib.metrics import pixels
from ganlib.randomness import host_generator

_PATCH = 7
_COARSEST = 16
_BINOMIAL = np.float32([1, 4, 6, 4, 1]) / 16
_TOGETHER = 256  # images whose pyramids are in memory at once
_DIRECTIONS_TOGETHER = 128


def sliced_wasserstein(
    real_images: np.ndarray,
    fake_images: np.ndarray,
    *,
    patches: int = 128,
    directions: int = 512,
    seed: int = 0,
) -> dict[int | str, float]:
    """1000 x the sliced Wasserstein distance of two sets of images, a level of the pyramid at a time.

    A fine level compares texture and noise, a coarse one the large structure. Two draws of patches from one set of
    images are not at distance 0: compare with the distance of two halves of the real images.

    Args:
        real_images: (n, size, size, channels) in [-1, 1], grey or colour, size 16 or more and even as often as it is
            halved: 16, 28, 32, 48, 64, 128, ...
        fake_images: As many, of the same shape.
        patches: Patches drawn from each image and level.
        directions: Random lines that the patches are projected on.
        seed: Of patches and directions (NumPy's Philox).

    Returns:
        Resolution -> distance, from the finest, and "mean" -> their average.

    Raises:
        InputError: Sets of unequal number or shape, or a size that has no pyramid.
    """
    real_images = pixels.checked("real_images", real_images)
    fake_images = pixels.checked("fake_images", fake_images)
    pixels.same_shape("real_images", real_images, "fake_images", fake_images)
    if len(real_images) != len(fake_images):
        raise InputError(
            f"{len(real_images)} real and {len(fake_images)} fake images: give as many of each, "
            "the distance pairs sorted projections"
        )
    if patches < 1 or directions < 1:
        raise InputError(f"patches={patches}, directions={directions}: give at least 1 of each")
    sizes = resolutions(real_images.shape)
    random = host_generator(seed, "sliced_wasserstein")
    real = _patches_by_level(real_images, len(sizes), patches, random)
    fake = _patches_by_level(fake_images, len(sizes), patches, random)
    scores: dict[int | str, float] = {}
    for size in sizes:
        a, b = normalised(real.pop(0)), normalised(fake.pop(0))
        parts = []
        for first in range(0, directions, _DIRECTIONS_TOGETHER):
            n = min(_DIRECTIONS_TOGETHER, directions - first)
            lines = unit_columns(random.standard_normal((a.shape[1], n)))
            parts.append(n * sliced_distance(a, b, lines))
        scores[size] = 1e3 * sum(parts) / directions
    scores["mean"] = float(np.mean(list(scores.values())))
    return scores


def resolutions(shape: tuple[int, ...]) -> list[int]:
    """Sizes of the pyramid's levels for images of `shape` (..., size, size, channels), from the finest to 16 pixels."""
    height, width = shape[-3:-1]
    sizes, size = [], width
    while size >= _COARSEST:
        sizes.append(size)
        size = size // 2 if size % 2 == 0 else 0
    whole = bool(sizes) and (sizes[-1] < 2 * _COARSEST)
    if height != width or not whole:
        raise InputError(
            f"images of {height}x{width}: a pyramid needs squares of 16 pixels or more that halve evenly, as 28, 32, 64"
        )
    return sizes


def laplacian_pyramid(images: np.ndarray, levels: int) -> list[np.ndarray]:
    """Images (n, size, size, channels) -> `levels` arrays, each half as wide; the last is the small image itself."""
    pyramid = [np.asarray(images, np.float32)]
    for _ in range(levels - 1):
        small = downsampled(pyramid[-1])
        pyramid[-1] = pyramid[-1] - upsampled(small)
        pyramid.append(small)
    return pyramid


def downsampled(images: np.ndarray) -> np.ndarray:
    """Every second pixel after a 5x5 binomial filter, mirrored about the border pixels (cv2.pyrDown)."""
    return _filtered(images, _BINOMIAL)[:, ::2, ::2]


def upsampled(images: np.ndarray) -> np.ndarray:
    """Zeros between the pixels, then four times the same filter (cv2.pyrUp)."""
    n, height, width, channels = images.shape
    spread = np.zeros((n, 2 * height, 2 * width, channels), images.dtype)
    spread[:, ::2, ::2] = images
    return _filtered(spread, 2 * _BINOMIAL)


def patches_at(level: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cut 7x7 patches out of a level of the pyramid.

    Args:
        level: (n, size, size, channels).
        x: (n * patches,), columns of the patches' centres in [3, size - 3); those of one image are neighbours.
        y: (n * patches,), rows of the centres.

    Returns:
        (n * patches, channels, 7, 7), columns before rows as the official code stores them.
    """
    image = np.arange(len(x)) // (len(x) // len(level))
    around = np.arange(_PATCH) - _PATCH // 2
    rows, columns = y[:, None, None] + around[None, None, :], x[:, None, None] + around[None, :, None]
    return np.moveaxis(level[image[:, None, None], rows, columns], -1, 1)


def normalised(patches: np.ndarray) -> np.ndarray:
    """Patches (n, channels, 7, 7) -> rows (n, channels * 49); each channel with mean 0 and deviation 1 over the set.

    A channel that is constant stays at 0.
    """
    axes = (0, 2, 3)
    mean = patches.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = patches.std(axis=axes, keepdims=True, dtype=np.float64)
    deviation[deviation == 0] = 1
    centred = (patches - mean.astype(np.float32)) / deviation.astype(np.float32)
    return centred.reshape(len(patches), -1)


def unit_columns(directions: np.ndarray) -> np.ndarray:
    """Directions (d, n) scaled to length 1, float32."""
    return (directions / np.sqrt(np.sum(np.square(directions), axis=0, keepdims=True))).astype(np.float32)


def sliced_distance(a: np.ndarray, b: np.ndarray, directions: np.ndarray) -> float:
    """Mean over `directions` (d, n), unit columns, of the 1-D Wasserstein-1 distance of the projected rows (m, d)."""
    difference = _sorted_projections(a, directions) - _sorted_projections(b, directions)
    return float(np.abs(difference).mean(dtype=np.float64))


def _sorted_projections(rows, directions):
    return np.sort(directions.T @ rows.T, axis=1)  # along memory: three times as fast as down the columns


def _filtered(images, taps):
    rows = scipy.ndimage.convolve1d(images, taps, axis=1, mode="mirror")
    return scipy.ndimage.convolve1d(rows, taps, axis=2, mode="mirror")


def _patches_by_level(images, levels, patches, random) -> list[np.ndarray]:
    collected: list[list[np.ndarray]] = [[] for _ in range(levels)]
    for first in range(0, len(images), _TOGETHER):
        chunk = pixels.grey_levels(images[first : first + _TOGETHER])
        for found, level in zip(collected, laplacian_pyramid(chunk, levels), strict=True):
            low, high = _PATCH // 2, level.shape[1] - _PATCH // 2
            x = random.integers(low, high, size=len(chunk) * patches)
            y = random.integers(low, high, size=len(chunk) * patches)
            found.append(patches_at(level, x, y))
    return [np.concatenate(found) for found in collected]
