"""BigGAN-deep's residual blocks: bottlenecks whose shortcuts change nothing that need not change.

Brock et al. 2019, arXiv:1809.11096, appendix B, figure 16. The 3x3 convolutions work on a quarter of the channels (the
input's in G, the output's in D), between two 1x1 convolutions:

    G   norm, relu, 1x1; norm, relu, (double,) 3x3; norm, relu, 3x3; norm, relu, 1x1    + the first channels (, doubled)
    D   relu, 1x1; relu, 3x3; relu, 3x3; relu, (halve,) 1x1                             + (halved) and more channels

Where G has fewer channels behind a block, the shortcut drops the last ones; where D has more, it keeps its own and a
1x1 convolution makes the others. Factories of convolutions and normalisations are those of `layers.residual`.
"""

import keras
from keras import layers

from ganlib.errors import InputError
from ganlib.layers.configured import Configured
from ganlib.layers.residual import Convolution, Normalization, activated, doubled, plain

RATIO = 4


@keras.saving.register_keras_serializable("ganlib")
class FirstChannels(Configured):
    """(batch, h, w, c) -> (batch, h, w, channels), the first of them; or twice the size, each pixel four times.

    Args:
        channels: How many, at most c.
        up: Whether the size is doubled.
    """

    def __init__(self, channels: int, up: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.up = up

    def call(self, inputs):
        """(batch, h, w, c) -> (batch, h, w, channels) or (batch, 2h, 2w, channels)."""
        kept = inputs[..., : self.channels]
        return doubled(kept) if self.up else kept

    def compute_output_shape(self, input_shape):
        """Of the outputs."""
        scale = 2 if self.up else 1
        return (input_shape[0], scale * input_shape[1], scale * input_shape[2], self.channels)


def bottleneck_generating(
    x: keras.KerasTensor,
    channels: int,
    scale: str = "same",
    convolution: Convolution = plain,
    normalization: Normalization = None,
) -> keras.KerasTensor:
    """(batch, h, w, in) -> (batch, h, w, channels), or with scale "up" (batch, 2h, 2w, channels). A block of G.

    Raises:
        InputError: There are fewer than 4 channels, or more behind the block than in front of it.
    """
    hidden = _hidden(x.shape[-1])
    if channels > x.shape[-1]:
        raise InputError(f"channels={channels}: a block of G keeps or drops some of {x.shape[-1]}")
    h = convolution(hidden, 1, "same")(activated(x, normalization))
    h = convolution(hidden, 3, scale)(activated(h, normalization))
    h = convolution(hidden, 3, "same")(activated(h, normalization))
    h = convolution(channels, 1, "same")(activated(h, normalization))
    unchanged = scale == "same" and channels == x.shape[-1]
    return layers.Add()([h, x if unchanged else FirstChannels(channels, up=scale == "up")(x)])


def bottleneck_judging(
    x: keras.KerasTensor, channels: int, scale: str = "same", convolution: Convolution = plain
) -> keras.KerasTensor:
    """(batch, h, w, in) -> (batch, h, w, channels), or with scale "down" (batch, h/2, w/2, channels). A block of D.

    Raises:
        InputError: There are fewer than 4 channels, or fewer behind the block than in front of it.
    """
    hidden, more = _hidden(channels), channels - x.shape[-1]
    if more < 0:
        raise InputError(f"channels={channels}: a block of D keeps or adds to {x.shape[-1]}")
    h = convolution(hidden, 1, "same")(activated(x))
    h = convolution(hidden, 3, "same")(activated(h))
    h = convolution(hidden, 3, "same")(activated(h))
    h = convolution(channels, 1, scale)(activated(h))
    shortcut = layers.AveragePooling2D(2)(x) if scale == "down" else x
    if more:
        shortcut = layers.Concatenate()([shortcut, convolution(more, 1, "same")(shortcut)])
    return layers.Add()([h, shortcut])


def _hidden(channels: int) -> int:
    if channels < RATIO:
        raise InputError(
            f"{channels} channels: a bottleneck has a {RATIO}th of them inside, so give at least {RATIO}"
        )
    return channels // RATIO
