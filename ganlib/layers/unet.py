"""U-Net: an encoder and a decoder that hands each resolution across (Ronneberger et al. 2015, arXiv:1505.04597).

As Isola et al. 2017 (arXiv:1611.07004, section 6.1.1) build it: 4x4 convolutions of stride 2 all the way down to the
bottleneck, and the same number of transposed ones back.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from ganlib.errors import InputError
from ganlib.layers.dropout import NoiseDropout

Normalization = Callable[[], layers.Layer]
DROPPED = 3  # blocks of the decoder with dropout, counted from the bottleneck


def unet(
    image: keras.KerasTensor,
    channels: int,
    base_channels: int,
    depth: int,
    normalization: Normalization,
    use_bias: bool = False,
    dropout: float = 0.5,
) -> keras.KerasTensor:
    """Image (batch, height, width, any) -> image (batch, height, width, channels) in [-1, 1].

    Encoder: C, 2C, 4C, 8C, 8C, ...: leaky ReLU (0.2), convolution, normalisation, `depth` times; no activation before
    the first convolution, no normalisation after the first and the last. Decoder: ReLU, transposed convolution,
    normalisation, dropout in the first three blocks; from the second block on its input is joined by the encoder's
    output of that resolution. The last block ends in tanh.

    Args:
        image: Sides are multiples of 2^depth.
        channels: Of the output.
        base_channels: C, the paper's 64.
        depth: Halvings: 8 for the paper's 256x256, 7 for 128x128.
        normalization: Makes the layer behind a convolution.
        use_bias: Of convolutions in front of a normalisation and of the encoder's others; official code has none beside
            batch norm. The last convolution always has one.
        dropout: Rate, at training and at inference.

    Raises:
        InputError: The image cannot be halved so often.
    """
    height, width = image.shape[1:3]
    if height % 2**depth or width % 2**depth:
        raise InputError(
            f"{height}x{width} images cannot be halved depth={depth} times: use multiples of {2**depth}"
        )
    widths = [base_channels * min(2**i, 8) for i in range(depth)]
    levels = [halved(image, widths[0], use_bias)]
    for i, width in enumerate(widths[1:], 1):
        x = halved(layers.LeakyReLU(0.2)(levels[-1]), width, use_bias)
        levels.append(normalization()(x) if i < depth - 1 else x)
    x = levels.pop()
    for i, width in enumerate(reversed(widths[:-1])):
        x = normalization()(doubled(layers.ReLU()(x), width, use_bias))
        x = NoiseDropout(dropout)(x) if i < DROPPED else x
        x = layers.Concatenate()([levels.pop(), x])
    return layers.Activation("tanh")(doubled(layers.ReLU()(x), channels, use_bias=True))


def halved(x: keras.KerasTensor, channels: int, use_bias: bool) -> keras.KerasTensor:
    """A 4x4 convolution of stride 2, one zero on each side; normal(0.02) weights."""
    return layers.Conv2D(channels, use_bias=use_bias, **_strided())(x)


def doubled(x: keras.KerasTensor, channels: int, use_bias: bool) -> keras.KerasTensor:
    """Its transpose."""
    return layers.Conv2DTranspose(channels, use_bias=use_bias, **_strided())(x)


def _strided() -> dict[str, Any]:
    normal = keras.initializers.RandomNormal(stddev=0.02)
    return {"kernel_size": 4, "strides": 2, "padding": "same", "kernel_initializer": normal}
