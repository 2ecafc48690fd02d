"""StyleGAN2's convolution: a style scales its weights, not its outputs.

Karras et al. 2020, arXiv:1912.04958, section 2.2.
"""

import math

import keras
import tensorflow as tf

from ganlib.arguments import require_positive_integers
from ganlib.layers import resampling
from ganlib.layers.configured import Configured


@keras.saving.register_keras_serializable("ganlib")
class ModulatedConv2D(Configured):
    """[x (batch, height, width, in), styles (batch, in)] -> (batch, height, width, filters).

    Each sample is convolved with w''_ijk, i the channels in, j those out, k the positions:

        w'_ijk = s_i w_ijk  (eq. 1),   w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + 1e-8)  (eqs. 2, 3)

    No sample needs a kernel of its own: scaling the inputs by s, one convolution for all, and dividing the outputs by
    the root are the same, and many times faster.

    Args:
        filters: Channels out.
        kernel_size: Height and width of the kernel, 1 or 3.
        demodulate: Divide (eq. 3). Without, as in the layers that make images, the kernel has the equalized learning
            rate's factor 1 / (size sqrt(in)), which the division takes out otherwise.

    Raises:
        InputError: The number of channels is not above 0, or the kernel is neither 1 nor 3 pixels wide.
    """

    scaled_by = 1

    def __init__(self, filters: int, kernel_size: int = 3, demodulate: bool = True, **kwargs):
        super().__init__(**kwargs)
        require_positive_integers(filters=filters)
        resampling.require_kernel(kernel_size)
        self.filters = filters
        self.kernel_size = kernel_size
        self.demodulate = demodulate

    def build(self, input_shape):
        """Make the kernel for inputs of shapes (batch, height, width, in), (batch, in)."""
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, input_shape[0][-1], self.filters),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="kernel",
        )

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """What is done with the kernel."""
        return resampling.convolved(x, kernel)

    def call(self, inputs):
        """[x, styles] -> (batch, height', width', filters)."""
        x, styles = inputs
        kernel = tf.cast(self.kernel.value, x.dtype)
        if not self.demodulate:
            styles = styles / (self.kernel_size * math.sqrt(x.shape[-1]))
        outputs = self.convolve(x * styles[:, None, None, :], kernel)
        if not self.demodulate:
            return outputs
        norms = tf.matmul(tf.square(styles), tf.reduce_sum(tf.square(kernel), axis=(0, 1)))
        return outputs * tf.math.rsqrt(norms + 1e-8)[:, None, None, :]

    def compute_output_shape(self, input_shape):
        """The same size, or twice."""
        n, *size, _ = input_shape[0]
        return (n, *(None if pixels is None else pixels * self.scaled_by for pixels in size), self.filters)


@keras.saving.register_keras_serializable("ganlib")
class ModulatedUpConv2D(ModulatedConv2D):
    """The same behind an upsampling through [1, 3, 3, 1]."""

    scaled_by = 2

    def convolve(self, x, kernel):
        """Twice the size."""
        return resampling.smooth_up_convolved(x, kernel)
