"""Noise at every pixel: detail that the latents need not spend themselves on."""

import keras
import tensorflow as tf

from ganlib.layers.random_layer import RandomLayer
from ganlib.replicas import batch_size_of


@keras.saving.register_keras_serializable("ganlib")
class NoiseInjection(RandomLayer):
    """Karras et al. 2019, arXiv:1812.04948, figure 1b: x + strength * noise, a normal number a pixel for all channels.

    Noise is drawn anew in training and whenever samples are made (a function of their seed); where a network is called
    by itself it is the same image each time, drawn when the layer was made. Strengths start at 0.

    Args:
        per_channel: A strength for each channel (StyleGAN), or one for the layer (StyleGAN2).
    """

    def __init__(self, per_channel: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.per_channel = per_channel

    def build(self, input_shape):
        """Make the strengths, and the noise that stays, for `input_shape` (batch, height, width, channels)."""
        shape = (input_shape[-1],) if self.per_channel else ()
        self.strength = self.add_weight(shape=shape, initializer="zeros", name="strength")
        self.constant = self.add_weight(
            shape=(*input_shape[1:3], 1),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
            name="noise",
        )

    def call(self, inputs, on: bool = True):
        """(batch, height, width, channels) -> the same shape; as it is, where noise is not `on`."""
        if not on:
            return inputs
        noise = self.constant.value[None]
        if self.bound:
            noise = self.streams.normal(self.purpose, [batch_size_of(inputs), *inputs.shape[1:3], 1])
        return inputs + tf.cast(self.strength.value, inputs.dtype) * tf.cast(noise, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """The inputs' shape."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "per_channel": self.per_channel}
