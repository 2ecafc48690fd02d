"""Images as the metrics of pixels take them."""

import numpy as np

from ganlib.errors import InputError


def checked(name: str, images: np.ndarray) -> np.ndarray:
    """`images` as a float32 array.

    Args:
        name: The argument's name, for the message.
        images: (n, height, width, channels), finite, in [-1, 1].

    Raises:
        InputError: Another shape, none at all, or values that are not finite or out of range.
    """
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or not images.size:
        raise InputError(
            f"{name} of shape {images.shape}: give (n, height, width, channels), at least one image"
        )
    if not np.isfinite(images).all() or images.min() < -1.001 or images.max() > 1.001:
        raise InputError(
            f"{name} in [{images.min()}, {images.max()}]: give finite values in [-1, 1], "
            "for uint8 images divide by 127.5 and subtract 1"
        )
    return images


def same_shape(name_a: str, images_a: np.ndarray, name_b: str, images_b: np.ndarray) -> None:
    """Raise an InputError unless single images of both sets have one shape."""
    if images_a.shape[1:] != images_b.shape[1:]:
        raise InputError(
            f"{name_a} of {images_a.shape[1:]} and {name_b} of {images_b.shape[1:]}: give images of one shape"
        )


def grey_levels(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1] -> whole numbers 0 to 255, float32: what an 8-bit image file would hold."""
    return np.clip(np.rint(images * 127.5 + 127.5), 0, 255)
