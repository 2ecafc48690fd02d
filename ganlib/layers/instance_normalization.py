"""Instance normalisation: each channel of each image by itself."""

from typing import Any

import keras
import tensorflow as tf

from ganlib.arguments import require_positive
from ganlib.errors import InputError
from ganlib.layers.configured import Configured


class Normalization(Configured):
    """What layers share that normalise float32 (batch, ..., channels), then scale and shift each channel."""

    gamma_initializer: Any = "ones"

    def build(self, input_shape):
        """Make scale and offset for inputs of `input_shape` (batch, ..., channels)."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer=self.gamma_initializer, name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def scaled(self, normalized: tf.Tensor) -> tf.Tensor:
        """The same, times the scale and plus the offset."""
        return normalized * tf.cast(self.gamma, tf.float32) + tf.cast(self.beta, tf.float32)

    def compute_output_shape(self, input_shape):
        """The inputs' shape."""
        return input_shape


@keras.saving.register_keras_serializable("ganlib")
class InstanceNormalization(Normalization):
    """Ulyanov et al. 2016, arXiv:1607.08022: mean 0 and variance 1 over the positions of each channel of each image.

        (x - mean) / sqrt(variance + epsilon), the variance divided by the number of positions (not less one)

    (batch, ..., channels) -> the same shape. Training and inference are the same, and no sample sees another.

    Args:
        affine: Learn a scale and an offset a channel; CycleGAN's and pix2pix's authors use none.
        epsilon: Added to the variance.
        gamma_initializer: Of the scales.

    Raises:
        InputError: epsilon is not above 0, or the inputs have no positions.
    """

    def __init__(self, affine: bool = False, epsilon: float = 1e-5, gamma_initializer="ones", **kwargs):
        super().__init__(**kwargs)
        require_positive(example="1e-5", epsilon=epsilon)
        self.affine = affine
        self.epsilon = epsilon
        self.gamma_initializer = keras.initializers.get(gamma_initializer)

    def build(self, input_shape):
        """Make scale and offset, if they are learned, for inputs of `input_shape` (batch, ..., channels)."""
        if len(input_shape) < 3:
            raise InputError(
                f"InstanceNormalization got inputs of shape {tuple(input_shape)}: give (batch, height, width, channels)"
            )
        if self.affine:
            super().build(input_shape)

    def call(self, inputs):
        """(batch, ..., channels) -> the same shape."""
        x = tf.cast(inputs, tf.float32)
        normalized = standardized(x, list(range(1, x.shape.rank - 1)), self.epsilon)
        if self.affine:
            normalized = self.scaled(normalized)
        return tf.cast(normalized, inputs.dtype)


def standardized(x: tf.Tensor, axes: list[int], epsilon: float) -> tf.Tensor:
    """Less its mean over `axes`, and over the root of its variance there (divided by the count) plus epsilon."""
    centered = x - tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(centered), axes, keepdims=True)
    return centered * tf.math.rsqrt(variance + epsilon)
