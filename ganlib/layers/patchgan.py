"""PatchGAN: a discriminator that judges every patch of an image by itself (Isola et al. 2017, arXiv:1611.07004, 2.2.2).

Logits are a map (batch, h, w, 1), one a patch; losses are means, so over patches too. What one logit sees is
`receptive_field` pixels wide: each of n convolutions of stride 2 and then two of stride 1, all 4x4,

    r_n = 16, 34, 70, 142, 286   for n = 1, 2, 3, 4, 5      (r -> 2 r + 2 for each more of stride 2, from 7)

and 1x1 convolutions for a receptive field of one pixel.
"""

from collections.abc import Callable

import keras
from keras import layers

from ganlib.errors import InputError

STRIDED = {1: None, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}  # receptive field -> convolutions of stride 2


def patch_logits(
    image: keras.KerasTensor,
    base_channels: int,
    receptive_field: int,
    normalization: Callable[[], layers.Layer],
    use_bias: bool = False,
) -> keras.KerasTensor:
    """Image (batch, height, width, any) -> logits (batch, h, w, 1), one a patch.

    Widths C, 2C, 4C, 8C, 8C, ... (section 6.1.2: C64-C128-C256-C512 for 70x70); leaky ReLU (0.2); no normalisation in
    the first and the last layer. Patches overlap, and those at the border see some zeros.

    Args:
        image: Or several, concatenated.
        base_channels: C, the paper's 64.
        receptive_field: Side of a patch: 1, 16, 34, 70, 142 or 286.
        normalization: Makes the layer behind a convolution.
        use_bias: Of convolutions in front of a normalisation, and of the last one of 1x1, as in the official code; the
            others always have one.

    Raises:
        InputError: There is no such receptive field, or the image is too small for as many halvings.
    """
    if receptive_field not in STRIDED:
        choices = ", ".join(map(str, STRIDED))
        raise InputError(f"receptive_field={receptive_field!r} is not one of {choices}: choose one of them")
    if receptive_field == 1:
        x = layers.LeakyReLU(0.2)(_convolution(image, base_channels, 1, 1, True))
        x = normalization()(_convolution(x, 2 * base_channels, 1, 1, use_bias))
        return _convolution(layers.LeakyReLU(0.2)(x), 1, 1, 1, use_bias)
    n = STRIDED[receptive_field]
    side = min(image.shape[1:3])
    if side // 2**n < 3:
        fitting = [r for r, halvings in STRIDED.items() if halvings is None or side // 2**halvings >= 3]
        raise InputError(
            f"receptive_field={receptive_field} halves {side} pixels {n} times, which leaves too few: use "
            f"{' or '.join(map(str, fitting))}"
        )
    x = layers.LeakyReLU(0.2)(_convolution(image, base_channels, 4, 2, True))
    for i in range(1, n + 1):
        x = normalization()(_convolution(x, base_channels * min(2**i, 8), 4, 2 if i < n else 1, use_bias))
        x = layers.LeakyReLU(0.2)(x)
    return _convolution(x, 1, 4, 1, True)


def _convolution(x, channels: int, kernel_size: int, strides: int, use_bias: bool) -> keras.KerasTensor:
    """With one zero on each side of the image, if it is wider than a pixel."""
    x = x if kernel_size == 1 else layers.ZeroPadding2D(1)(x)
    normal = keras.initializers.RandomNormal(stddev=0.02)
    return layers.Conv2D(channels, kernel_size, strides, use_bias=use_bias, kernel_initializer=normal)(x)
