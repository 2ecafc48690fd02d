"""Residual blocks of conditional generators: those of `residual`, with normalisations that take the condition too.

    condition = keras.Input((), dtype="int32")
    x = conditional_residual_up(x, condition, 64, spectral, lambda: ConditionalBatchNormalization(10))

The condition is whatever the normalisation takes: labels (batch,), or vectors (batch, size).
"""

from collections.abc import Callable

import keras
from keras import layers

from ganlib.layers.residual import Convolution, residual_same, residual_up


def conditional_residual_up(
    x: keras.KerasTensor,
    condition: keras.KerasTensor,
    channels: int,
    convolution: Convolution,
    normalization: Callable[[], layers.Layer],
    hidden_channels: int | None = None,
) -> keras.KerasTensor:
    """(batch, h, w, in), condition -> (batch, 2h, 2w, channels).

    Args:
        x: Not normalised, not activated.
        condition: Second input of the normalisations.
        channels: Of the output.
        convolution: Factory of convolutions.
        normalization: Factory of layers that take [features, condition].
        hidden_channels: Between the two 3x3 convolutions; default: `channels`.
    """
    return residual_up(x, channels, convolution, given(condition, normalization), hidden_channels)


def conditional_residual_same(
    x: keras.KerasTensor,
    condition: keras.KerasTensor,
    channels: int,
    convolution: Convolution,
    normalization: Callable[[], layers.Layer],
    hidden_channels: int | None = None,
) -> keras.KerasTensor:
    """(batch, h, w, in), condition -> (batch, h, w, channels); arguments as above, hidden channels the input's."""
    return residual_same(x, channels, convolution, given(condition, normalization), hidden_channels)


def given(condition: keras.KerasTensor, normalization: Callable[[], layers.Layer]) -> Callable[[], Callable]:
    """A factory of normalisations of features alone, from one of layers that take [features, condition]."""

    def make():
        layer = normalization()
        return lambda features: layer([features, condition])

    return make
