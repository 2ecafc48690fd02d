"""Batch normalisation over the global batch."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ganlib")
class BatchNormalization(keras.layers.BatchNormalization):
    """Ioffe & Szegedy 2015, arXiv:1502.03167, with the statistics of the batch of all replicas together.

    (batch, ..., channels) -> the same shape. With one replica it is TensorFlow's fused kernel, 1.5 to 2 times faster
    forward and backward on two CPU cores than the same arithmetic in parts (measured); with more, sums and sums of
    squares are added over the replicas in one collective.

    Args:
        unbiased: Whether the moving variance is the batch's times n / (n - 1), n the numbers of a channel, as PyTorch
            keeps it; by default it is the batch's own.
        **kwargs: As Keras' layer takes them (momentum, epsilon, center, scale, initialisers).
    """

    def __init__(self, unbiased: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.unbiased = unbiased

    def call(self, inputs, training=None, mask=None):
        """Inputs (batch, ..., channels)."""
        context = tf.distribute.get_replica_context()
        if not training or not self.trainable:
            return super().call(inputs, training=training, mask=mask)
        if context is None or context.num_replicas_in_sync == 1:
            outputs, mean, variance, count = self._fused(inputs)
        else:
            outputs, mean, variance, count = self._synchronized(inputs, context)
        if self.unbiased:
            variance *= count / tf.maximum(count - 1.0, 1.0)
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs

    def _fused(self, inputs):
        x = tf.reshape(inputs, [-1, 1, 1, inputs.shape[-1]]) if inputs.shape.rank != 4 else inputs
        scale, offset = self._scale_and_offset()
        outputs, mean, variance, *_ = tf.compat.v1.nn.fused_batch_norm(
            x, scale, offset, epsilon=self.epsilon, is_training=True
        )
        # the kernel returns the variance times n / (n - 1)
        count = tf.cast(tf.size(x) // x.shape[-1], variance.dtype)
        return tf.reshape(outputs, tf.shape(inputs)), mean, variance * (count - 1.0) / count, count

    def _synchronized(self, inputs, context):
        axes = list(range(inputs.shape.rank - 1))
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], inputs.dtype) * context.num_replicas_in_sync
        sums = tf.stack([tf.reduce_sum(inputs, axes), tf.reduce_sum(tf.square(inputs), axes)]) / count
        mean, square = tf.unstack(context.all_reduce(tf.distribute.ReduceOp.SUM, sums))
        variance = square - tf.square(mean)
        scale, offset = self._scale_and_offset()
        outputs = tf.nn.batch_normalization(inputs, mean, variance, offset, scale, self.epsilon)
        return outputs, mean, variance, count

    def _scale_and_offset(self):
        scale = self.gamma if self.scale else tf.ones_like(self.moving_mean)
        offset = self.beta if self.center else tf.zeros_like(self.moving_mean)
        return tf.convert_to_tensor(scale), tf.convert_to_tensor(offset)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "unbiased": self.unbiased}
