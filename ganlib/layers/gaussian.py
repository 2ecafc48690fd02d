"""Draws from a normal distribution that a network predicts."""

import keras
import tensorflow as tf

from ganlib.layers.random_layer import RandomLayer


@keras.saving.register_keras_serializable("ganlib")
class GaussianSample(RandomLayer):
    """[mean (batch, n), deviation (batch, n)] -> mean + deviation * e, e standard normal, new for each sample.

    Gradients reach mean and deviation (Kingma & Welling 2014, arXiv:1312.6114, section 2.4). Where a network is called
    by itself, outside of a model's steps and samples, it is the mean.
    """

    kind = "latents"

    def call(self, inputs):
        """The draws."""
        mean, deviation = inputs
        if not self.bound:
            return mean
        noise = self.streams.normal(self.purpose, [tf.shape(mean)[0], mean.shape[1]])
        return mean + deviation * tf.cast(noise, mean.dtype)

    def compute_output_shape(self, input_shape):
        """That of the mean."""
        return tuple(input_shape[0])
