"""Each pixel's features scaled to a mean square of one."""

import keras
import tensorflow as tf

from ganlib.layers.configured import Configured


@keras.saving.register_keras_serializable("ganlib")
class PixelNormalization(Configured):
    """Karras et al. 2018, arXiv:1710.10196, section 4.2: x / sqrt(mean over channels of x^2 + epsilon).

    (batch, ..., channels) -> the same shape. Of latents it makes points of a sphere.

    Args:
        epsilon: The paper's is 1e-8.
    """

    def __init__(self, epsilon: float = 1e-8, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, inputs):
        """(batch, ..., channels) -> the same shape."""
        mean_square = tf.reduce_mean(tf.square(inputs), axis=-1, keepdims=True)
        return inputs * tf.math.rsqrt(mean_square + self.epsilon)

    def compute_output_shape(self, input_shape):
        """The inputs' shape."""
        return input_shape
