"""Six ways to spoil images by degrees, for testing whether a metric notices.

Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter. NeurIPS 2017, arXiv:1706.08500, figure 3 and appendix A1. `level`
runs from 0 (untouched) to 1, the strongest of the four in the paper's code (bioinf-jku/TTUR, FIDvsINC); the paper's
four are 0, 1/3, 2/3, 1 (0, 1/4, 1/2, 1 for blur and swirl). The seed decides the noise and its places, the level only
how strong: a higher level of one seed spoils the same pixels more. Sizes given in pixels of the paper's 64x64 (blur) or
32x32 (swirl) images scale with the image.
"""

import numpy as np
import scipy.ndimage

from ganlib.errors import InputError
from ganlib.metrics import pixels
from ganlib.randomness import host_generator

_RECTANGLES = 5


def gaussian_noise(images: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
    """(1 - a) x + a noise, a = 0.75 level.

    The noise is normal with its 4.5 standard deviations at the ends of [-1, 1]; the paper's code stretches the
    extremes of the whole draw to the ends instead, so that its noise depends on how many images there are.

    Args:
        images: (n, height, width, channels) in [-1, 1].
        level: In [0, 1].
        seed: Of the noise.

    Returns:
        Images of the same shape and range, float32.

    Raises:
        InputError: Not such images, or a level out of range. So do the other disturbances.
    """
    images, level = _checked(images, level)
    noise = host_generator(seed, "gaussian_noise").standard_normal(images.shape, dtype=np.float32)
    share = np.float32(0.75 * level)
    return (1 - share) * images + share * np.clip(noise / np.float32(4.5), -1, 1)


def gaussian_blur(images: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
    """A Gaussian filter of deviation 4 level pixels in 64; nothing is random, `seed` changes nothing."""
    images, level = _checked(images, level)
    scale = 4 * level / 64
    blurred = scipy.ndimage.gaussian_filter(
        images, (0, scale * images.shape[1], scale * images.shape[2], 0), mode="nearest"
    )
    return np.clip(blurred, -1, 1)


def black_rectangles(images: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
    """Five black rectangles an image at random places, each 0.75 level of its height and width."""
    images, level = _checked(images, level)
    n, height, width, _ = images.shape
    tall, wide = int(height * 0.75 * level), int(width * 0.75 * level)
    place = host_generator(seed, "black_rectangles").uniform(size=(n, _RECTANGLES, 2))
    top = (place[..., 0] * (height - tall + 1)).astype(int)
    left = (place[..., 1] * (width - wide + 1)).astype(int)
    rows, columns = np.arange(height), np.arange(width)
    inside = ((rows >= top[..., None]) & (rows < top[..., None] + tall))[..., None] & (
        (columns >= left[..., None]) & (columns < left[..., None] + wide)
    )[:, :, None, :]
    return np.where(inside.any(axis=1)[..., None], np.float32(-1), images)


def swirl(images: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
    """A whirl about the centre, clockwise or not at random: 4 level radians there, fading outwards.

    The angle at distance r is 4 level exp(-r / R), R = log(2) / 5 of 25 pixels in 32 (scikit-image's definition, which
    the paper's code uses); linear interpolation. The paper's code puts back a frame of 3 pixels; this does not.
    """
    images, level = _checked(images, level)
    n, height, width, channels = images.shape
    sign = host_generator(seed, "swirl").integers(2, size=n) * 2 - 1
    reach = np.log(2) / 5 * 25 / 32 * min(height, width)
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    turn = 4 * level * np.exp(-np.hypot(x, y) / reach)
    swirled = np.empty_like(images)
    for direction in (-1, 1):
        angle = np.arctan2(y, x) + direction * turn
        rows = np.hypot(x, y) * np.sin(angle) + (height - 1) / 2
        columns = np.hypot(x, y) * np.cos(angle) + (width - 1) / 2
        mine = sign == direction
        stack = np.moveaxis(images[mine], 0, -1).reshape(height, width, -1)
        warped = _bilinear(stack, rows, columns).reshape(height, width, channels, -1)
        swirled[mine] = np.moveaxis(warped, -1, 0)
    return np.clip(swirled, -1, 1)


def salt_and_pepper(images: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
    """A pixel turns black or white, in all its channels, with probability 0.3 level."""
    images, level = _checked(images, level)
    random = host_generator(seed, "salt_and_pepper")
    hit = random.uniform(size=images.shape[:3]) < 0.3 * level
    colour = random.integers(2, size=images.shape[:3]) * np.float32(2) - 1
    return np.where(hit[..., None], colour[..., None], images).astype(np.float32)


def contaminate(images: np.ndarray, others: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Put random images of `others` in the place of a `share` of `images`.

    The paper mixes ImageNet into CelebA with shares 0, 0.25, 0.5, 0.75.

    Args:
        images: (n, height, width, channels) in [-1, 1].
        others: (m, height, width, channels) in [-1, 1]; drawn without replacement while they last.
        share: In [0, 1]; round(share * n) images are replaced.
        seed: Of the choice.

    Returns:
        Images (n, height, width, channels), float32, in the order of `images`.
    """
    images, share = _checked(images, share, "share")
    others = pixels.checked("others", others)
    pixels.same_shape("images", images, "others", others)
    random = host_generator(seed, "contaminate")
    places = random.permutation(len(images))[: round(share * len(images))]
    order = random.permutation(len(others))
    mixed = images.copy()
    mixed[places] = others[order[np.arange(len(places)) % len(others)]]
    return mixed


def _checked(images, level, name="level") -> tuple[np.ndarray, float]:
    images = pixels.checked("images", images)
    if isinstance(level, bool) or not 0 <= level <= 1:
        raise InputError(f"{name}={level}: give a number from 0 (untouched) to 1")
    return images, float(level)


def _bilinear(stack, rows, columns):
    """Values of `stack` (height, width, k) between its pixels; beyond the border that of the nearest pixel."""
    height, width, _ = stack.shape
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = np.minimum(rows.astype(int), height - 2), np.minimum(columns.astype(int), width - 2)
    down, right = (rows - top)[..., None].astype(np.float32), (columns - left)[..., None].astype(np.float32)
    upper = (1 - right) * stack[top, left] + right * stack[top, left + 1]
    lower = (1 - right) * stack[top + 1, left] + right * stack[top + 1, left + 1]
    return (1 - down) * upper + down * lower
