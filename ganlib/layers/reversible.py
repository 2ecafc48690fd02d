"""The residual blocks of encoders: ResNet's bottlenecks, and pairs of them that can be inverted.

He et al. 2016, arXiv:1603.05027 (figure 4e, the pre-activation form); Gomez et al. 2017, arXiv:1707.04585 (RevNet).
"""

import keras
import tensorflow as tf
from keras import layers

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.layers.batch_normalization import BatchNormalization
from ganlib.layers.configured import Configured


@keras.saving.register_keras_serializable("ganlib")
class Bottleneck(Configured):
    """norm, relu, 1x1; norm, relu, 3x3; norm, relu, 1x1, without the shortcut that goes round them.

    (batch, h, w, in) -> (batch, h / strides, w / strides, channels).

    Args:
        channels: Of the output.
        hidden_channels: Of the 3x3 convolution.
        strides: Of the 3x3 convolution.
    """

    def __init__(self, channels: int, hidden_channels: int, strides: int = 1, **kwargs):
        super().__init__(**kwargs)
        require_positive_integers(channels=channels, hidden_channels=hidden_channels, strides=strides)
        self.channels = channels
        self.hidden_channels = hidden_channels
        self.strides = strides

    def build(self, input_shape):
        """Make norms and kernels."""
        shape = tuple(input_shape)
        sizes = ((self.hidden_channels, 1, 1), (self.hidden_channels, 3, self.strides), (self.channels, 1, 1))
        self.norms, self.convolutions = [], []
        for i, (channels, kernel_size, strides) in enumerate(sizes):
            norm = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm_{i}", dtype=self.dtype_policy)
            convolution = layers.Conv2D(
                channels,
                kernel_size,
                strides,
                padding="same",
                use_bias=False,
                kernel_initializer=keras.initializers.HeNormal(),
                name=f"convolution_{i}",
                dtype=self.dtype_policy,
            )
            norm.build(shape)
            convolution.build(shape)
            shape = tuple(convolution.compute_output_shape(shape))
            self.norms.append(norm)
            self.convolutions.append(convolution)

    def call(self, inputs, training=None):
        """The residual."""
        x = inputs
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            x = convolution(tf.nn.relu(norm(x, training=training)))
        return x

    def compute_output_shape(self, input_shape):
        """(batch, h, w, in) -> (batch, h / strides, w / strides, channels), rounded up."""
        batch, height, width, _ = input_shape
        return (batch, -(-height // self.strides), -(-width // self.strides), self.channels)


@keras.saving.register_keras_serializable("ganlib")
class ReversibleBottleneck(Configured):
    """Gomez et al. 2017, eqs. 6 to 8: two bottlenecks on halves of the channels; inputs follow from outputs.

        y1 = x1 + F(x2)        x2 = y2 - G(y1)
        y2 = x2 + G(y1)        x1 = y1 - F(x2)

    (batch, h, w, channels) -> the same shape. The paper computes activations anew in the backward pass in place of
    keeping them; here they are kept, and what is had is the architecture, and `inverse`.

    Args:
        hidden_channels: Of each 3x3 convolution.

    Raises:
        InputError: (when built) The channels are odd.
    """

    def __init__(self, hidden_channels: int, **kwargs):
        super().__init__(**kwargs)
        require_positive_integers(hidden_channels=hidden_channels)
        self.hidden_channels = hidden_channels

    def build(self, input_shape):
        """Make F and G."""
        channels = input_shape[-1]
        if channels % 2:
            raise InputError(f"{channels} channels have no halves: give a reversible block an even number")
        half = (*input_shape[:-1], channels // 2)
        self.first, self.second = (
            Bottleneck(channels // 2, self.hidden_channels, name=name, dtype=self.dtype_policy)
            for name in ("first", "second")
        )
        self.first.build(half)
        self.second.build(half)

    def call(self, inputs, training=None):
        """Outputs of inputs."""
        x1, x2 = tf.split(inputs, 2, axis=-1)
        y1 = x1 + self.first(x2, training=training)
        y2 = x2 + self.second(y1, training=training)
        return tf.concat([y1, y2], axis=-1)

    def inverse(self, outputs: tf.Tensor) -> tf.Tensor:
        """Inputs of outputs, in evaluation mode."""
        y1, y2 = tf.split(outputs, 2, axis=-1)
        x2 = y2 - self.second(y1, training=False)
        x1 = y1 - self.first(x2, training=False)
        return tf.concat([x1, x2], axis=-1)

    def compute_output_shape(self, input_shape):
        """That of the inputs."""
        return tuple(input_shape)
