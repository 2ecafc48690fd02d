"""Edges of images: Canny 1986, "A computational approach to edge detection", by NumPy and SciPy."""

import numpy as np
from scipy import ndimage

_TOGETHER = 1000  # images at once, to stay within some hundred MB


def canny(images: np.ndarray, sigma: float = 1.0, low: float = 0.04, high: float = 0.1) -> np.ndarray:
    """Lines of one pixel where the brightness changes most.

    Gaussian smoothing, Sobel slopes, only the maxima across the edge, and of these what exceeds `low` and hangs
    together with something that exceeds `high`.

    Args:
        images: uint8 (n, height, width).
        sigma: of the Gaussian, in pixels.
        low: slope that continues an edge, in black-to-white steps a pixel.
        high: slope that makes one.

    Returns:
        uint8 (n, height, width): 255 on edges, else 0.
    """
    parts = [_canny(images[i : i + _TOGETHER], sigma, low, high) for i in range(0, len(images), _TOGETHER)]
    return np.concatenate(parts)


def _canny(images, sigma, low, high):
    smooth = ndimage.gaussian_filter(images.astype(np.float32) / 255, (0, sigma, sigma), mode="nearest")
    across, down = _sobel(smooth, 2, 1), _sobel(smooth, 1, 2)
    slope = np.hypot(across, down)
    sector = np.rint(np.arctan2(down, across) / (np.pi / 4)).astype(np.int8) % 4
    framed = np.pad(slope, ((0, 0), (1, 1), (1, 1)))
    height, width = slope.shape[1:]
    maximal = np.zeros(slope.shape, bool)
    for k, (dy, dx) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        after = framed[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        before = framed[:, 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        maximal |= (sector == k) & (slope >= after) & (slope > before)  # of two equal ones, one
    neighbours = np.zeros((3, 3, 3), bool)
    neighbours[1] = True  # within an image, diagonals too
    pieces, count = ndimage.label(maximal & (slope > low), neighbours)
    kept = np.zeros(count + 1, bool)
    kept[pieces[maximal & (slope > high)]] = True
    kept[0] = False
    return np.where(kept[pieces], 255, 0).astype(np.uint8)


def _sobel(images: np.ndarray, axis: int, other: int) -> np.ndarray:
    """The slope along an axis, a pixel; SciPy's own `sobel` would smooth over the images too."""
    slope = ndimage.correlate1d(images, [-0.5, 0, 0.5], axis, mode="nearest")
    return ndimage.correlate1d(slope, [0.25, 0.5, 0.25], other, mode="nearest")
