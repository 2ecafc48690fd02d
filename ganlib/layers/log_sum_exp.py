"""The logit of "real" of a classifier."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ganlib")
class LogSumExp(keras.layers.Layer):
    """Salimans et al. 2016, arXiv:1606.03498, section 5: the logits of K classes -> the logit of "real".

    With Z = sum_k exp(l_k), D(x) = Z / (Z + 1) is the sigmoid of log Z: the K classes against one more whose logit is
    fixed at 0. (batch, K) -> (batch, 1).
    """

    def call(self, inputs):
        """(batch, K) -> (batch, 1)."""
        return tf.reduce_logsumexp(inputs, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        """(batch, K) -> (batch, 1)."""
        return (*input_shape[:-1], 1)
