"""The equalized learning rate: weights are scaled when they are used, not when they are drawn.

Karras et al. 2018, arXiv:1710.10196, section 4.1. Weights are drawn from N(0, 1), and c W is used, with He's constant
c = gain / sqrt(fan in). Adam moves all weights by about its learning rate, whatever their size: this way all have one.
"""

import math

import keras
import tensorflow as tf

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.layers import resampling
from ganlib.layers.configured import Configured


@keras.saving.register_keras_serializable("ganlib")
class EqualizedDense(Configured):
    """(batch, features) -> (batch, units): x (c W) + b, with c = gain / sqrt(features).

    Args:
        units: Outputs.
        gain: sqrt(2) in front of a (leaky) ReLU, as PGGAN and StyleGAN have it; StyleGAN2 has 1, and the gain in its
            activation.
        lr_multiplier: Below 1 the layer learns slower: weights are kept divided by it, and they and the bias are used
            multiplied by it (Karras et al. 2019, arXiv:1812.04948, appendix C: 0.01 for the mapping).
        use_bias: Add b.
        bias_initializer: Of b.
        equalized: False, for comparison: c is in the initial weights instead (He et al. 2015).

    Raises:
        InputError: A size or a factor is not above 0.
    """

    def __init__(
        self,
        units: int,
        gain: float = 1.0,
        lr_multiplier: float = 1.0,
        use_bias: bool = True,
        bias_initializer="zeros",
        equalized: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        require_positive_integers(units=units)
        require_positive(example="1.0", gain=gain, lr_multiplier=lr_multiplier)
        self.units = units
        self.gain = gain
        self.lr_multiplier = lr_multiplier
        self.use_bias = use_bias
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.equalized = equalized

    def build(self, input_shape):
        """Make W and b for inputs of `input_shape` (batch, features)."""
        deviation, self.scale = split_constant(self.gain / math.sqrt(input_shape[-1]), self.equalized)
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer=keras.initializers.RandomNormal(stddev=deviation / self.lr_multiplier),
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.units,), initializer=self.bias_initializer, name="bias")

    def call(self, inputs):
        """(batch, features) -> (batch, units)."""
        kernel = self.lr_multiplier * self.scale * self.kernel.value
        outputs = tf.matmul(inputs, tf.cast(kernel, inputs.dtype))
        if not self.use_bias:
            return outputs
        return outputs + tf.cast(self.lr_multiplier * self.bias.value, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """(batch, units)."""
        return (*input_shape[:-1], self.units)


@keras.saving.register_keras_serializable("ganlib")
class EqualizedConv2D(Configured):
    """(batch, height, width, in) -> (batch, height, width, filters): convolved with c W, c = gain / (size sqrt(in)).

    Subclasses double or halve the size on the way.

    Args:
        filters: Channels out.
        kernel_size: Height and width of the kernel, 1 or 3.
        gain: As in `EqualizedDense`.
        use_bias: Add a bias, behind all else.
        equalized: As in `EqualizedDense`.

    Raises:
        InputError: A size or the gain is not above 0, or the kernel is neither 1 nor 3 pixels wide.
    """

    scaled_by = 1.0  # height and width out, for those in

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        gain: float = 1.0,
        use_bias: bool = True,
        equalized: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        require_positive_integers(filters=filters)
        resampling.require_kernel(kernel_size)
        require_positive(example="1.0", gain=gain)
        self.filters = filters
        self.kernel_size = kernel_size
        self.gain = gain
        self.use_bias = use_bias
        self.equalized = equalized

    def build(self, input_shape):
        """Make W and the bias for inputs of `input_shape` (batch, height, width, in)."""
        he = self.gain / (self.kernel_size * math.sqrt(input_shape[-1]))
        deviation, self.scale = split_constant(he, self.equalized)
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, input_shape[-1], self.filters),
            initializer=keras.initializers.RandomNormal(stddev=deviation),
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """What is done with the scaled kernel."""
        return resampling.convolved(x, kernel)

    def call(self, inputs):
        """(batch, height, width, in) -> (batch, height', width', filters)."""
        outputs = self.convolve(inputs, tf.cast(self.scale * self.kernel.value, inputs.dtype))
        return outputs + tf.cast(self.bias.value, inputs.dtype) if self.use_bias else outputs

    def compute_output_shape(self, input_shape):
        """The same size, twice or half of it."""
        n, *size, _ = input_shape
        return (
            n,
            *(None if pixels is None else int(pixels * self.scaled_by) for pixels in size),
            self.filters,
        )


@keras.saving.register_keras_serializable("ganlib")
class EqualizedUpConv2D(EqualizedConv2D):
    """Nearest neighbours, then the convolution, as one operation: PGGAN's and StyleGAN's way up."""

    scaled_by = 2.0

    def convolve(self, x, kernel):
        """Twice the size."""
        return resampling.nearest_up_convolved(x, kernel)


@keras.saving.register_keras_serializable("ganlib")
class EqualizedDownConv2D(EqualizedConv2D):
    """The convolution, then means of 2x2 pixels, as one operation: PGGAN's way down. The bias comes behind both."""

    scaled_by = 0.5

    def convolve(self, x, kernel):
        """Half the size."""
        return resampling.convolved_box_down(x, kernel)


@keras.saving.register_keras_serializable("ganlib")
class EqualizedBlurUpConv2D(EqualizedUpConv2D):
    """Nearest neighbours, the convolution, then [1, 2, 1]: StyleGAN's way up."""

    def convolve(self, x, kernel):
        """Twice the size."""
        return resampling.blurred(super().convolve(x, kernel))


@keras.saving.register_keras_serializable("ganlib")
class EqualizedBlurDownConv2D(EqualizedDownConv2D):
    """[1, 2, 1], the convolution, then means of 2x2 pixels: StyleGAN's way down."""

    def convolve(self, x, kernel):
        """Half the size."""
        return super().convolve(resampling.blurred(x), kernel)


@keras.saving.register_keras_serializable("ganlib")
class EqualizedSmoothDownConv2D(EqualizedConv2D):
    """Through [1, 3, 3, 1], then the convolution at every other pixel: StyleGAN2's way down."""

    scaled_by = 0.5

    def convolve(self, x, kernel):
        """Half the size."""
        return resampling.smooth_down_convolved(x, kernel)


@keras.saving.register_keras_serializable("ganlib")
class EqualizedSmoothUpConv2D(EqualizedConv2D):
    """The convolution (1x1: first) with an upsampling through [1, 3, 3, 1]: StyleGAN2's shortcut up."""

    scaled_by = 2.0

    def convolve(self, x, kernel):
        """Twice the size."""
        return resampling.smooth_up_convolved(x, kernel)


@keras.saving.register_keras_serializable("ganlib")
class Bias(keras.layers.Layer):
    """Adds a number to each channel: for layers with something between the convolution and its bias."""

    def build(self, input_shape):
        """Make the bias for inputs of `input_shape` (batch, ..., channels)."""
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, inputs):
        """(batch, ..., channels) -> the same shape."""
        return inputs + tf.cast(self.bias.value, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """The inputs' shape."""
        return input_shape


def split_constant(he: float, equalized: bool) -> tuple[float, float]:
    """The deviation of the initial weights, and what they are multiplied by in use."""
    return (1.0, he) if equalized else (he, 1.0)
