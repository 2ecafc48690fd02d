"""Structural similarity of pairs of images, at one scale and at five.

SSIM: Wang, Bovik, Sheikh, Simoncelli. IEEE TIP 13(4), 2004. MS-SSIM: Wang, Simoncelli, Bovik. Asilomar 2003. As a
measure of a generator's variety: Odena, Olah, Shlens. ICML 2017, arXiv:1610.09585, section 4.2.

Conventions of the code that GAN papers report (TensorFlow's port, as in tkarras/progressive_growing_of_gans, 2504c3f):
images of 0 to 255, a Gaussian window of 11 pixels and deviation 1.5 that shrinks with images smaller than itself, only
where it fits (no padding), mean over pixels and channels, negative levels set to 0, the product over levels for each
pair and the mean over pairs last. Wang's weights sum to 1.0001.
"""

import numpy as np
import scipy.ndimage

from ganlib.errors import InputError
from ganlib.metrics import pixels
from ganlib.randomness import host_generator

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang 2003, section 3.2
_WINDOW, _DEVIATION = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_TOGETHER = 256  # pairs in memory at once


def ssim(images_a: np.ndarray, images_b: np.ndarray) -> float:
    """Mean SSIM of the pairs (images_a[i], images_b[i]): 1 for equal images, about 0 for unrelated ones.

    Args:
        images_a: (n, height, width, channels) in [-1, 1].
        images_b: Of the same shape.

    Raises:
        InputError: Not images of one shape in [-1, 1].
    """
    return float(ssim_of_each(images_a, images_b).mean())


def ms_ssim(images_a: np.ndarray, images_b: np.ndarray) -> float:
    """Mean MS-SSIM of the pairs (images_a[i], images_b[i]), five scales.

    Args:
        images_a: (n, height, width, channels) in [-1, 1]; height and width are multiples of 16.
        images_b: Of the same shape.

    Raises:
        InputError: Not images of one shape in [-1, 1], or of a size that does not halve four times.
    """
    return float(ms_ssim_of_each(images_a, images_b).mean())


def ms_ssim_of_pairs(images: np.ndarray, pairs: int = 1000, seed: int = 0) -> float:
    """Mean MS-SSIM of random pairs of different images of one set: near 1 where all look alike (Odena 2017).

    It measures how much the images vary among themselves, and nothing of what they show.

    Args:
        images: (n, height, width, channels) in [-1, 1], at least two; for a class-conditional model, of one class.
        pairs: How many pairs are drawn, with replacement.
        seed: Of the pairs.

    Raises:
        InputError: Fewer than two images, or no pair.
    """
    images = pixels.checked("images", images)
    if len(images) < 2 or pairs < 1:
        raise InputError(f"{len(images)} images, pairs={pairs}: give at least two images and one pair")
    random = host_generator(seed, "ms_ssim_of_pairs")
    first = random.integers(len(images), size=pairs)
    second = (first + random.integers(1, len(images), size=pairs)) % len(images)  # never the same image
    parts = [
        ms_ssim_of_each(images[first[i : i + _TOGETHER]], images[second[i : i + _TOGETHER]])
        for i in range(0, pairs, _TOGETHER)
    ]
    return float(np.concatenate(parts).mean())


def ssim_of_each(images_a: np.ndarray, images_b: np.ndarray) -> np.ndarray:
    """SSIM of each pair, (n,)."""
    a, b = _pairs(images_a, images_b)
    return _similarity(a, b)[0]


def ms_ssim_of_each(images_a: np.ndarray, images_b: np.ndarray) -> np.ndarray:
    """MS-SSIM of each pair, (n,)."""
    similarity, contrast = ssim_by_level(images_a, images_b)
    factors = np.clip(np.concatenate([contrast[:-1], similarity[-1:]]), 0, None)
    return np.prod(factors ** np.array(WEIGHTS)[:, None], axis=0)


def ssim_by_level(images_a: np.ndarray, images_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SSIM, and its contrast and structure factors alone, of each pair at each of five scales: (5, n) twice."""
    a, b = _pairs(images_a, images_b)
    multiple = 2 ** (len(WEIGHTS) - 1)
    if a.shape[1] % multiple or a.shape[2] % multiple:
        raise InputError(
            f"images of {a.shape[1]}x{a.shape[2]}: MS-SSIM halves them four times, give multiples of {multiple} "
            "(load the data with resolution=32, or crop)"
        )
    levels = [_similarity(a, b)]
    for _ in WEIGHTS[1:]:
        a, b = _halved(a), _halved(b)
        levels.append(_similarity(a, b))
    similarity, contrast = zip(*levels, strict=True)
    return np.stack(similarity), np.stack(contrast)


def window(size: int) -> np.ndarray:
    """The Gaussian window along one axis, (size,), summing to 1; its deviation shrinks in proportion to `size`."""
    place = np.arange(size) - (size - 1) / 2
    taps = np.exp(-np.square(place) / (2 * (size * _DEVIATION / _WINDOW) ** 2))
    return taps / taps.sum()


def _pairs(images_a, images_b) -> tuple[np.ndarray, np.ndarray]:
    images_a, images_b = pixels.checked("images_a", images_a), pixels.checked("images_b", images_b)
    pixels.same_shape("images_a", images_a, "images_b", images_b)
    if len(images_a) != len(images_b):
        raise InputError(f"{len(images_a)} images_a and {len(images_b)} images_b: give pairs")
    return pixels.grey_levels(images_a).astype(np.float64), pixels.grey_levels(images_b).astype(np.float64)


def _similarity(a, b) -> tuple[np.ndarray, np.ndarray]:
    taps = window(min(_WINDOW, *a.shape[1:3]))
    mean_a, mean_b = _valid(a, taps), _valid(b, taps)
    variances = _valid(a * a, taps) + _valid(b * b, taps) - mean_a**2 - mean_b**2
    covariance = _valid(a * b, taps) - mean_a * mean_b
    contrast = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return (luminance * contrast).mean(axis=(1, 2, 3)), contrast.mean(axis=(1, 2, 3))


def _valid(images, taps):
    """Windowed means, only where the window fits."""
    for axis in (1, 2):
        images = scipy.ndimage.correlate1d(images, taps, axis=axis, mode="constant")
        left = len(taps) // 2  # where ndimage centres a window, also an even one
        keep = slice(left, images.shape[axis] - (len(taps) - 1 - left))
        images = images[(slice(None),) * axis + (keep,)]
    return images


def _halved(images):
    return (images[:, ::2, ::2] + images[:, 1::2, ::2] + images[:, ::2, 1::2] + images[:, 1::2, 1::2]) / 4
