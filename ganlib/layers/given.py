"""Normalisations that are told a condition, for blocks that know of none: the residual ones of `layers.residual`.

    labels = keras.Input((), dtype="int32")
    x = residual_up(x, 64, spectral, given(labels, lambda: ConditionalBatchNormalization(10)))

The condition is whatever the normalisation takes: labels (batch,), or vectors (batch, size).
"""

from collections.abc import Callable

import keras
from keras import layers


def given(condition: keras.KerasTensor, normalization: Callable[[], layers.Layer]) -> Callable[[], Callable]:
    """A factory of normalisations of features alone, from one of layers that take [features, condition].

    Args:
        condition: Second input of each.
        normalization: Makes the layers.
    """

    def make():
        layer = normalization()
        return lambda features: layer([features, condition])

    return make
