"""What Torch's layers do to whole feature maps: drop them at random, and join neighbours to their norm."""

import keras
import tensorflow as tf

from ganlib.layers.dropout import Dropout
from ganlib.replicas import batch_size_of


@keras.saving.register_keras_serializable("ganlib")
class MapDropout(Dropout):
    """Dropout of whole maps: (batch, height, width, channels) -> the same shape. Torch's SpatialDropout.

    Args:
        rate: Fraction dropped, in [0, 1).
    """

    def call(self, inputs, training=False):
        """Each map times 0, or times 1 / (1 - rate)."""
        ones = tf.ones([batch_size_of(inputs), 1, 1, inputs.shape[-1]], inputs.dtype)
        return inputs * super().call(ones, training=training)


@keras.saving.register_keras_serializable("ganlib")
class PairNorm(keras.layers.Layer):
    """The Euclidean norm of each two neighbouring features: (..., 2n) -> (..., n). Torch's FeatureLPPooling."""

    def call(self, inputs):
        """(..., 2n) -> (..., n)."""
        pairs = tf.reshape(inputs, [batch_size_of(inputs), *inputs.shape[1:-1], inputs.shape[-1] // 2, 2])
        return tf.sqrt(tf.reduce_sum(tf.square(pairs), axis=-1) + 1e-8)  # the root has no slope at 0

    def compute_output_shape(self, input_shape):
        """(..., 2n) -> (..., n)."""
        return (*input_shape[:-1], input_shape[-1] // 2)
