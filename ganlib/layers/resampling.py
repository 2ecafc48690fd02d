"""Twice and half the size: nearest neighbours and boxes (PGGAN), and through low-pass filters (StyleGAN, StyleGAN2).

Images are (batch, height, width, channels). All of it has second derivatives, which R1, gradient penalties and path
lengths take, and which TensorFlow's own resize does not have.

The filters are those of Pascal's triangle: [1, 2, 1] / 4 is a box of two pixels applied twice, [1, 3, 3, 1] / 8 three
times. Average pooling is such a box, and runs faster than a convolution with the filter. Where TensorFlow's derivative
is several times slower than the function, a faster one is given here: boxes are symmetric, so it is boxes of the padded
gradient; that of copies is a sum, four times a mean.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ganlib.errors import InputError
from ganlib.replicas import batch_size_of


def require_kernel(kernel_size: Any) -> None:
    """Check the size of a kernel: all functions here take 3x3 and 1x1 kernels, and some no others.

    Raises:
        InputError: It is another.
    """
    if kernel_size not in (1, 3):
        raise InputError(f"kernel_size={kernel_size!r} is out of range: give 1 or 3")


def nearest_up(x: tf.Tensor) -> tf.Tensor:
    """Each pixel four times: (batch, h, w, c) -> (batch, 2h, 2w, c)."""

    @tf.custom_gradient
    def repeated(x):
        n, (height, width, channels) = batch_size_of(x), x.shape[1:]
        copies = tf.broadcast_to(x[:, :, None, :, None, :], [n, height, 2, width, 2, channels])
        images = tf.reshape(copies, [n, 2 * height, 2 * width, channels])
        return images, lambda upstream: 4.0 * box_down(upstream)

    return repeated(x)


def enlarged(images: tf.Tensor, resolution: int) -> tf.Tensor:
    """Images doubled until they are as high as `resolution`; as they are, if they are."""
    while images.shape[1] < resolution:
        images = nearest_up(images)
    return images


def box_down(x: tf.Tensor, factor: int = 2) -> tf.Tensor:
    """The mean of each square of `factor` by `factor` pixels."""
    return x if factor == 1 else tf.nn.avg_pool2d(x, factor, factor, "VALID")


def convolved(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The correlation of x with a kernel (height, width, in, out), zeros around it: the same size."""
    return tf.nn.conv2d(x, kernel, 1, "SAME")


def nearest_up_convolved(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`convolved(nearest_up(x), kernel)`: a transposed 3x3 convolution, then a box. A quarter of the work."""
    if kernel.shape[0] == 1:
        return nearest_up(convolved(x, kernel))
    return _boxes(_spread_convolved(x, kernel), 1)


def convolved_box_down(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`box_down(convolved(x, kernel))`: a box, then a 3x3 convolution with strides. A quarter of the work."""
    if kernel.shape[0] == 1:
        return convolved(box_down(x), kernel)
    return tf.nn.conv2d(_boxes(_padded(x, 1), 1), kernel, 2, "VALID")


def blurred(x: tf.Tensor) -> tf.Tensor:
    """Through [1, 2, 1] / 4 both ways, zeros around it: the same size. StyleGAN's low-pass filter."""
    return _boxes(_padded(x, 1), 2)


def smooth_up(x: tf.Tensor) -> tf.Tensor:
    """Zeros between the pixels, then [1, 3, 3, 1] / 4 both ways: (batch, 2h, 2w, c). StyleGAN2's upsampling."""
    return _boxes(_padded(nearest_up(x), 1), 2)


def smooth_down(x: tf.Tensor) -> tf.Tensor:
    """Through [1, 3, 3, 1] / 8 both ways, zeros around it, then every other pixel. StyleGAN2's downsampling."""
    return box_down(_boxes(_padded(x, 1), 2))


def smooth_up_convolved(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`smooth_up`, then the correlation with a 3x3 or 1x1 kernel; a 3x3 one sees the filter's tail at the borders.

    The kernel comes first, as the order does not matter: a 1x1 one sees fewer pixels, a 3x3 one
    zeros for three in four.
    """
    if kernel.shape[0] == 1:
        return smooth_up(convolved(x, kernel))
    return _boxes(_padded(_spread_convolved(x, kernel), 1), 3)


def smooth_down_convolved(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """[1, 3, 3, 1] / 8 both ways, then the correlation with a 3x3 or 1x1 kernel at every other pixel."""
    if kernel.shape[0] == 1:
        return convolved(smooth_down(x), kernel)
    return tf.nn.conv2d(_boxes(_padded(x, 2), 3), kernel, 2, "VALID")


def upfirdn(
    x: tf.Tensor,
    taps: tf.Tensor,
    up: int = 1,
    down: int = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = 1.0,
) -> tf.Tensor:
    """Zeros between pixels, a margin, a FIR filter (convolution), every `down`-th pixel: any filter, for reference.

    The official code's `upfirdn2d`.

    Args:
        x: (batch, height, width, channels).
        taps: The filter (height, width).
        up: Pixels out for each one in.
        down: Pixels dropped down to one.
        padding: Left, right, top, bottom, in pixels of the spread image; negative ones crop.
        gain: Of the whole.
    """
    n, (height, width, channels) = batch_size_of(x), x.shape[1:]
    x = tf.pad(x[:, :, None, :, None, :], [[0, 0], [0, 0], [0, up - 1], [0, 0], [0, up - 1], [0, 0]])
    x = tf.reshape(x, [n, height * up, width * up, channels])
    left, right, top, bottom = padding
    x = tf.pad(x, [[0, 0], [max(top, 0), max(bottom, 0)], [max(left, 0), max(right, 0)], [0, 0]])
    x = x[:, max(-top, 0) : x.shape[1] - max(-bottom, 0), max(-left, 0) : x.shape[2] - max(-right, 0)]
    flipped = tf.cast(gain * taps[::-1, ::-1], x.dtype)[:, :, None, None]
    return tf.nn.depthwise_conv2d(x, tf.tile(flipped, [1, 1, channels, 1]), [1, down, down, 1], "VALID")


def _padded(x: tf.Tensor, margin: int) -> tf.Tensor:
    return tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]])


def _boxes(x: tf.Tensor, times: int) -> tf.Tensor:
    """The mean of each 2x2 neighbourhood, so many times: one pixel fewer each time."""

    def pooled(x):
        for _ in range(times):
            x = tf.nn.avg_pool2d(x, 2, 1, "VALID")
        return x

    @tf.custom_gradient
    def with_gradient(x):
        return pooled(x), lambda upstream: pooled(_padded(upstream, times))

    return with_gradient(x)


def _spread_convolved(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Four times x with zeros between and around its pixels, correlated with a 3x3 kernel, out channels.

    (batch, 2h + 1, 2w + 1, out), by a transposed convolution, which leaves the zeros out.
    """
    n, (height, width) = batch_size_of(x), x.shape[1:3]
    turned = 4.0 * tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])
    size = [n, 2 * height + 1, 2 * width + 1, kernel.shape[-1]]
    return tf.nn.conv2d_transpose(x, turned, size, 2, "VALID")
