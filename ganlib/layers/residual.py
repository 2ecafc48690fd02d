"""Residual blocks that double or halve the resolution, and the convolutions inside.

He et al. 2016 (arXiv:1603.05027): normalisation and activation come before each convolution. The blocks of Gulrajani
et al. 2017 (WGAN-GP), Miyato et al. 2018 (SNGAN) and Brock et al. 2019 (BigGAN) have one order in common,

    up     norm, relu, double, conv 3x3, norm, relu, conv 3x3         + double, conv 1x1
    down   norm, relu, conv 3x3, norm, relu, conv 3x3, halve          + conv 1x1, halve
    first  conv 3x3, relu, conv 3x3, halve                            + halve, conv 1x1
    same   norm, relu, conv 3x3, norm, relu, conv 3x3                 + nothing (conv 1x1 if the channels change)

with nearest neighbours to double and means of 2x2 to halve, and differ in the hidden channels of "down" and "same"
(the input's in SNGAN and WGAN-GP, the output's in BigGAN) and in what normalises: nothing in SNGAN's and BigGAN's D,
layer normalisation in some WGAN-GP critics. "first" opens a D: a ReLU on pixels would throw half of them away.
On shortcuts, a 1x1 convolution and halving (or doubling) commute, so it is done at the lower resolution, wherever the
paper writes it.

A block is a function of a tensor and of two factories, so that it says nothing about the kind of its layers:

    convolution(channels, kernel_size, scale)   scale "same", "up" or "down"; see `plain` and `spectral`
    normalization()                             a layer; None for none

Its input is neither normalised nor activated, and `channels` are the output's. The channels between the two 3x3
convolutions are `hidden_channels`: where none are given, the output's in "up" and the input's in "down" and "same".
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers

from ganlib.errors import InputError
from ganlib.layers.spectral_normalization import SpectralConv2D, SpectralNormalized

Convolution = Callable[[int, int, str], layers.Layer]
Normalization = Callable[[], layers.Layer] | None


@keras.saving.register_keras_serializable("ganlib")
class UpConv2D(layers.Conv2D):
    """Nearest-neighbour doubling and then Conv2D, in one: (batch, h, w, in) -> (batch, 2h, 2w, filters).

    The doubled image is never made: a 3x3 kernel on it is a 4x4 kernel with stride 2 on the small one, transposed,
    whose taps are sums of the 3x3 kernel's. Equal to rounding; 1.7 times faster on the CPU, and second derivatives are
    those of convolutions. A 1x1 kernel is applied before doubling.

    Args:
        filters: Output channels.
        kernel_size: Odd.
        **kwargs: As Conv2D takes them, without strides, padding, dilation or groups.

    Raises:
        InputError: The kernel is even.
    """

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], **kwargs):
        super().__init__(filters, _odd(kernel_size), **{**kwargs, "padding": "same"})

    def convolution_op(self, inputs, kernel):
        """Double and convolve, without the bias."""
        batch, height, width = tf.shape(inputs)[0], inputs.shape[1], inputs.shape[2]
        if self.kernel_size == (1, 1):
            return doubled(tf.nn.conv2d(inputs, kernel, 1, "VALID"))
        kernel = tf.transpose(_shifted_sum(kernel[::-1, ::-1]), [0, 1, 3, 2])
        shape = tf.stack([batch, 2 * height, 2 * width, self.filters])
        outputs = tf.nn.conv2d_transpose(inputs, kernel, shape, 2, "SAME")
        return tf.ensure_shape(outputs, [inputs.shape[0], 2 * height, 2 * width, self.filters])

    def compute_output_shape(self, input_shape):
        """(batch, h, w, in) -> (batch, 2h, 2w, filters)."""
        return (input_shape[0], 2 * input_shape[1], 2 * input_shape[2], self.filters)


@keras.saving.register_keras_serializable("ganlib")
class DownConv2D(layers.Conv2D):
    """Conv2D and then the mean of each 2x2, in one: (batch, h, w, in) -> (batch, h/2, w/2, filters).

    A 3x3 convolution followed by means is a 4x4 convolution with stride 2 whose taps are means of sums of the 3x3
    kernel's. Equal to rounding, 1.7 times faster on the CPU. A 1x1 kernel is applied after the means.

    Args:
        filters: Output channels.
        kernel_size: Odd.
        **kwargs: As Conv2D takes them, without strides, padding, dilation or groups.

    Raises:
        InputError: The kernel is even, or (when built) the height or width is odd.
    """

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], **kwargs):
        super().__init__(filters, _odd(kernel_size), **{**kwargs, "padding": "same"})

    def build(self, input_shape):
        """Make the kernel, for inputs of `input_shape` (batch, h, w, in)."""
        if input_shape[1] % 2 or input_shape[2] % 2:
            raise InputError(f"{input_shape[1]}x{input_shape[2]} cannot be halved: use an even resolution")
        super().build(input_shape)

    def convolution_op(self, inputs, kernel):
        """Convolve and halve, without the bias."""
        if self.kernel_size == (1, 1):
            return tf.nn.conv2d(tf.nn.avg_pool2d(inputs, 2, 2, "VALID"), kernel, 1, "VALID")
        return tf.nn.conv2d(inputs, _shifted_sum(kernel) / 4.0, 2, "SAME")

    def compute_output_shape(self, input_shape):
        """(batch, h, w, in) -> (batch, h/2, w/2, filters)."""
        return (input_shape[0], input_shape[1] // 2, input_shape[2] // 2, self.filters)


@keras.saving.register_keras_serializable("ganlib")
class SpectralUpConv2D(SpectralNormalized, UpConv2D):
    """UpConv2D with W / sigma(W), W being the kernel before its taps are added."""

    call = SpectralConv2D.call


@keras.saving.register_keras_serializable("ganlib")
class SpectralDownConv2D(SpectralNormalized, DownConv2D):
    """DownConv2D with W / sigma(W), W being the kernel before its taps are added."""

    call = SpectralConv2D.call


def plain(channels: int, kernel_size: int, scale: str = "same", **kwargs) -> layers.Layer:
    """A convolution that keeps ("same"), doubles ("up") or halves ("down") the resolution, with bias."""
    kinds = {"same": layers.Conv2D, "up": UpConv2D, "down": DownConv2D}
    return _scaling(kinds, channels, kernel_size, scale, kwargs)


def spectral(channels: int, kernel_size: int, scale: str = "same", **kwargs) -> layers.Layer:
    """`plain` with spectral normalisation; `kwargs` may hold its `iterations` and `epsilon`."""
    kinds = {"same": SpectralConv2D, "up": SpectralUpConv2D, "down": SpectralDownConv2D}
    return _scaling(kinds, channels, kernel_size, scale, kwargs)


def glorot(kernel_size: int) -> keras.initializers.Initializer:
    """Miyato et al.'s code: Glorot & Bengio's uniform weights, times sqrt(2) except for 1x1 kernels."""
    scale = 1.0 if kernel_size == 1 else 2.0
    return keras.initializers.VarianceScaling(scale, mode="fan_avg", distribution="uniform")


def residual_up(
    x: keras.KerasTensor,
    channels: int,
    convolution: Convolution = plain,
    normalization: Normalization = None,
    hidden_channels: int | None = None,
) -> keras.KerasTensor:
    """(batch, h, w, in) -> (batch, 2h, 2w, channels): a block of a generator."""
    h = convolution(hidden_channels or channels, 3, "up")(activated(x, normalization))
    h = convolution(channels, 3, "same")(activated(h, normalization))
    return layers.Add()([h, convolution(channels, 1, "up")(x)])


def residual_down(
    x: keras.KerasTensor,
    channels: int,
    convolution: Convolution = plain,
    normalization: Normalization = None,
    hidden_channels: int | None = None,
) -> keras.KerasTensor:
    """(batch, h, w, in) -> (batch, h/2, w/2, channels): a block of a discriminator."""
    h = convolution(hidden_channels or x.shape[-1], 3, "same")(activated(x, normalization))
    h = convolution(channels, 3, "down")(activated(h, normalization))
    return layers.Add()([h, convolution(channels, 1, "down")(x)])


def residual_first(
    x: keras.KerasTensor, channels: int, convolution: Convolution = plain
) -> keras.KerasTensor:
    """(batch, h, w, in) -> (batch, h/2, w/2, channels): the block of a discriminator that sees the image."""
    h = layers.ReLU()(convolution(channels, 3, "same")(x))
    h = convolution(channels, 3, "down")(h)
    return layers.Add()([h, convolution(channels, 1, "down")(x)])


def residual_same(
    x: keras.KerasTensor,
    channels: int,
    convolution: Convolution = plain,
    normalization: Normalization = None,
    hidden_channels: int | None = None,
) -> keras.KerasTensor:
    """(batch, h, w, in) -> (batch, h, w, channels)."""
    h = convolution(hidden_channels or x.shape[-1], 3, "same")(activated(x, normalization))
    h = convolution(channels, 3, "same")(activated(h, normalization))
    shortcut = x if x.shape[-1] == channels else convolution(channels, 1, "same")(x)
    return layers.Add()([h, shortcut])


def doubled(images: tf.Tensor) -> tf.Tensor:
    """Nearest neighbours: (batch, h, w, c) -> (batch, 2h, 2w, c), with a second derivative as cheap as the first."""
    batch, (height, width, channels) = tf.shape(images)[0], images.shape[1:]
    spread = tf.broadcast_to(images[:, :, None, :, None, :], [batch, height, 2, width, 2, channels])
    return tf.reshape(spread, [batch, 2 * height, 2 * width, channels])


def activated(x: keras.KerasTensor, normalization: Normalization = None) -> keras.KerasTensor:
    """Normalised, where there is a normalisation, and through a ReLU."""
    return layers.ReLU()(x if normalization is None else normalization()(x))


def _shifted_sum(kernel: tf.Tensor) -> tf.Tensor:
    """(k, k, ...) -> (k + 1, k + 1, ...): the sum of the kernel in the four corners."""
    for axis in (0, 1):
        before = [[1, 0] if i == axis else [0, 0] for i in range(4)]
        after = [[0, 1] if i == axis else [0, 0] for i in range(4)]
        kernel = tf.pad(kernel, before) + tf.pad(kernel, after)
    return kernel


def _odd(kernel_size: int | tuple[int, int]) -> int | tuple[int, int]:
    sides = kernel_size if isinstance(kernel_size, list | tuple) else (kernel_size,)
    if not all(isinstance(side, int) and side % 2 for side in sides):
        raise InputError(f"kernel_size={kernel_size!r} is not odd: use 1, 3 or 5")
    return kernel_size


def _scaling(
    kinds: dict[str, type], channels: int, kernel_size: int, scale: str, options: dict
) -> layers.Layer:
    if scale not in kinds:
        raise InputError(f"scale={scale!r}: choose 'same', 'up' or 'down'")
    options = {"padding": "same", "kernel_initializer": glorot(kernel_size), **options}
    return kinds[scale](channels, kernel_size, **options)
