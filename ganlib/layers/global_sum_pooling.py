"""Sums over the pixels, with which the critics of Miyato et al. end."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ganlib")
class GlobalSumPooling2D(keras.layers.Layer):
    """(batch, height, width, channels) -> (batch, channels): sums, not means, over the pixels.

    Miyato et al. 2018, arXiv:1802.05957, table 4.
    """

    def call(self, inputs):
        """(batch, height, width, channels) -> (batch, channels)."""
        return tf.reduce_sum(inputs, axis=[1, 2])

    def compute_output_shape(self, input_shape):
        """(batch, height, width, channels) -> (batch, channels)."""
        return (input_shape[0], input_shape[-1])
