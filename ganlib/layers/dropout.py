"""Dropout whose mask is the same however the batch is split over replicas."""

import keras
import tensorflow as tf

from ganlib.layers.random_layer import RandomLayer
from ganlib.replicas import batch_size_of


@keras.saving.register_keras_serializable("ganlib")
class Dropout(RandomLayer, keras.layers.Dropout):
    """Srivastava et al. 2014: sets a fraction `rate` of the inputs to zero and scales the rest by 1 / (1 - rate).

    In a model's training step the mask is a function of run seed, step, pass, layer and global sample index, so that
    N replicas drop what one would, and a resumed run what the killed one would have. Elsewhere this is Keras' Dropout.

    Args:
        rate: Fraction dropped, in [0, 1).
    """

    kind = "dropout"

    def call(self, inputs, training=False):
        """Inputs of any shape (batch, ...) -> the same shape."""
        if not training or self.rate == 0 or not self.bound:
            return super().call(inputs, training=training)
        drops = round(self.rate * 2**16)
        keep = self.streams.keep(self.purpose, [batch_size_of(inputs), *inputs.shape[1:]], drops)
        return tf.where(keep, inputs * (1.0 / (1.0 - drops / 2**16)), tf.zeros_like(inputs))


@keras.saving.register_keras_serializable("ganlib")
class NoiseDropout(Dropout):
    """Dropout that is on at inference too: the noise of a translator that is given no latents.

    Isola et al. 2017 (arXiv:1611.07004, section 2.1): "at both training and test time". `training` is ignored.

    Args:
        rate: Fraction dropped, in [0, 1).
    """

    def call(self, inputs, training=True):
        """Inputs of any shape (batch, ...) -> the same shape."""
        return super().call(inputs, training=True)
