"""Square uint8 images of one resolution and one number of channels, out of whatever the files hold."""

import numpy as np
from PIL import Image


def centre_crop(image: Image.Image) -> Image.Image:
    """The largest centred square. Never stretches; an odd pixel goes at the right or the bottom."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def resized(image: Image.Image, resolution: int) -> Image.Image:
    """A square image at another resolution.

    Down by a whole factor: the mean of each block. Down otherwise: bicubic, widened to the output's pixels so
    that nothing aliases (Pillow does that, tf.image.resize by default does not). Up: bicubic.
    """
    if image.width == resolution:
        return image
    if image.width % resolution == 0:  # rounds once; resize with BOX rounds in both directions
        return image.reduce(image.width // resolution)
    return image.resize((resolution, resolution), Image.Resampling.BICUBIC)


def square(image: Image.Image, resolution: int | None) -> np.ndarray:
    """The centred square as uint8 (side, side, 1 or 3), at another resolution if one is given."""
    image = centre_crop(image)
    pixels = np.asarray(image if resolution is None else resized(image, resolution))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def padded(images: np.ndarray, resolution: int) -> np.ndarray:
    """Images (n, height, width, channels) in a black frame; an odd pixel goes at the right or the bottom."""
    missing = [resolution - side for side in images.shape[1:3]]
    frame = [(0, 0), *((total // 2, total - total // 2) for total in missing), (0, 0)]
    return np.pad(images, frame)


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Images (n, height, width, 1 or 3) as grey (1; luma of ITU-R BT.601, as Pillow's) or RGB (3)."""
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=-1)
    # Pillow's own fixed-point weights, so that arrays and files agree to the bit.
    red, green, blue = (images[..., i].astype(np.uint32) for i in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)[..., None]


def fitted(
    images: np.ndarray, resolution: int | None, channels: int | None, black_frame: bool = False
) -> np.ndarray:
    """Square uint8 images (n, side, side, channels) at another resolution or with other channels.

    Args:
        images: as they come.
        resolution: of the result; None keeps it.
        channels: 1 or 3; None keeps them.
        black_frame: the background is black, as in the MNIST family of 28x28: 29 to 32 pixels are reached by
            a black frame, so that no pixel changes, and what divides 32 or is a multiple of it (4, 8, 16, 64,
            ...) is resampled from the framed image. Other resolutions (7, 14, 56, ...) are resampled
            directly.
    """
    images = with_channels(images, channels or images.shape[-1])
    side = images.shape[1]
    if resolution is None or resolution == side:
        return images
    if black_frame:
        if side < resolution <= 32:
            return padded(images, resolution)
        if max(resolution, 32) % min(resolution, 32) == 0:
            images = padded(images, 32)
    count, colours = len(images), images.shape[-1]
    result = np.empty((count, resolution, resolution, colours), np.uint8)
    for i, image in enumerate(images):
        small = resized(Image.fromarray(image[..., 0] if colours == 1 else image), resolution)
        result[i] = np.asarray(small).reshape(resolution, resolution, colours)
    return result
