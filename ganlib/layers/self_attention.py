"""Self-attention over the positions of a feature map.

Zhang, Goodfellow, Metaxas, Odena 2019 (SAGAN), arXiv:1805.08318, section 3. With x_i the C features at position i of N,

    s_ij = q(x_i) . k(x_j),   a_i = softmax_j(s_ij),   y_i = x_i + gamma o(sum_j a_ij v(x_j))

q, k, v and o are 1x1 convolutions without biases. This is the official code's layer (brain-research/
self-attention-gan, non_local.py, commit ad9612e), which BigGAN's is too: q and k have C/8 channels, v has C/2 and o
brings them back to C; keys and values are max-pooled 2x2, so that there are N/4 of them; no 1/sqrt(C/8). (Eq. 2 of the
paper has no o in its first versions, and no pooling.) gamma starts at 0: the layer begins as the identity. It is
multiplied into v, which gives the same y for an eighth of the products.

Cost for one image: the map a has N * N/4 float32, that is N^2 bytes, 1 MiB at 32x32 and 16 MiB at 64x64, and training
keeps one for the backward pass. The arithmetic is

    2 N C (C/8 + C/8 + C/2 + C/2) for the 1x1 convolutions,   2 N (N/4) (C/8 + C/2) for the two products with a.

A map beyond 1 MiB is made in blocks of rows, so that scores and their gradients, which are as large, are in the
processor's cache when they are needed, and never whole in memory. The gradient is written out, with
sum_j a_ij (da)_ij = (dy)_i . y_i (Dao et al. 2022, arXiv:2205.14135, appendix B.2), which saves a pass over the map.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganlib.errors import InputError
from ganlib.layers.configured import Configured, fresh
from ganlib.layers.spectral_normalization import SpectralConv2D


@keras.saving.register_keras_serializable("ganlib")
class SelfAttention(Configured):
    """(batch, height, width, channels) -> the same shape: x + gamma * what the positions gather from each other.

    Args:
        kernel_initializer: Of the four convolutions, a name or an initialiser.

    Raises:
        InputError: When built: the channels are no multiple of 8, or height or width is odd.
    """

    def __init__(self, kernel_initializer: Any = "glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        """Make the four convolutions and gamma, for inputs of `input_shape` (batch, height, width, channels)."""
        _, height, width, channels = input_shape
        if channels % 8:
            raise InputError(
                f"{channels} channels: self-attention needs a multiple of 8, because keys have an eighth"
            )
        if height % 2 or width % 2:
            raise InputError(f"{height}x{width} cannot be pooled to halves: use an even resolution")
        self.query, self.key, self.value = (
            self.convolution(size, name)
            for size, name in ((channels // 8, "query"), (channels // 8, "key"), (channels // 2, "value"))
        )
        self.out = self.convolution(channels, "out")
        for layer in (self.query, self.key, self.value):
            layer.build(input_shape)
        self.out.build((*input_shape[:3], channels // 2))
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")

    def convolution(self, filters: int, name: str) -> layers.Layer:
        """A 1x1 convolution without a bias."""
        return layers.Conv2D(filters, 1, **self._options(name))

    def _options(self, name: str) -> dict[str, Any]:
        options = {"use_bias": False, "name": name, "dtype": self.dtype_policy}
        return {**options, "kernel_initializer": fresh(self.kernel_initializer)}

    def call(self, inputs, training=None):
        """(batch, height, width, channels) -> the same shape."""
        _, height, width, channels = inputs.shape
        queries, keys = self._queries_and_keys(inputs, training)
        values = _positions(tf.nn.max_pool2d(self.value(inputs, training=training), 2, 2, "VALID"))
        values *= tf.convert_to_tensor(self.gamma)  # o is linear, and its output has eight times the size
        gathered = gather(queries, keys, values, _blocks(height, width))
        gathered = tf.reshape(gathered, [-1, height, width, channels // 2])
        return inputs + self.out(gathered, training=training)

    def attention_map(self, inputs: Any) -> np.ndarray:
        """What each position looks at: float32 (batch, height, width, height/2, width/2); the last two sum to 1."""
        inputs = tf.convert_to_tensor(inputs)
        if not self.built:
            self.build(inputs.shape)
        _, height, width, _ = inputs.shape
        queries, keys = self._queries_and_keys(inputs, training=False)
        weights = tf.nn.softmax(tf.matmul(queries, keys, transpose_b=True))
        return tf.reshape(weights, [-1, height, width, height // 2, width // 2]).numpy()

    @staticmethod
    def map_bytes(height: int, width: int, batch: int = 1) -> int:
        """Bytes of the attention map of `batch` feature maps in float32."""
        return 4 * batch * (height * width) * (height // 2 * (width // 2))

    def _queries_and_keys(self, inputs: tf.Tensor, training: bool | None) -> tuple[tf.Tensor, tf.Tensor]:
        """(batch, height * width, channels / 8) and (batch, height * width / 4, channels / 8)."""
        keys = tf.nn.max_pool2d(self.key(inputs, training=training), 2, 2, "VALID")
        return _positions(self.query(inputs, training=training)), _positions(keys)

    def compute_output_shape(self, input_shape):
        """The inputs' shape."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable("ganlib")
class SpectralSelfAttention(SelfAttention):
    """The same with W / sigma(W) for all four convolutions, as in SAGAN's and BigGAN's networks; gamma is free."""

    def convolution(self, filters, name):
        """A 1x1 convolution without a bias, divided by its largest singular value."""
        return SpectralConv2D(filters, 1, **self._options(name))


def attention_maps(network: keras.Model, inputs: Any) -> list[np.ndarray]:
    """The map of each self-attention layer of a network, from input to output, in evaluation mode.

    Args:
        network: A generator or discriminator.
        inputs: What it is called on.

    Returns:
        For each layer float32 (batch, height, width, height/2, width/2).

    Raises:
        InputError: The network has no self-attention.
    """
    found = [layer for layer in network.layers if isinstance(layer, SelfAttention)]
    if not found:
        raise InputError(
            f"{network.name!r} has no self-attention layer: give a network of SAGAN, for example"
        )
    features = keras.Model(network.inputs, [layer.input for layer in found])(inputs, training=False)
    features = features if isinstance(features, list | tuple) else [features]
    return [layer.attention_map(x) for layer, x in zip(found, features, strict=True)]


def gather(queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, blocks: int = 1) -> tf.Tensor:
    """softmax(queries keys^T) values, a block of queries at a time.

    Args:
        queries: (batch, n, c).
        keys: (batch, m, c).
        values: (batch, m, d).
        blocks: How many, a divisor of n.

    Returns:
        (batch, n, d), with first and second derivatives.
    """

    @tf.custom_gradient
    def gathered(queries, keys, values):
        parts = tf.split(queries, blocks, axis=1)
        weights = [tf.nn.softmax(tf.matmul(part, keys, transpose_b=True)) for part in parts]
        outputs = tf.concat([tf.matmul(a, values) for a in weights], axis=1)

        def gradient(towards):
            # one more column in both factors subtracts (dy)_i . y_i within the product
            means = tf.reduce_sum(towards * outputs, axis=-1, keepdims=True)
            left = tf.split(tf.concat([towards, -means], axis=-1), blocks, axis=1)
            right = tf.concat([values, tf.ones_like(values[..., :1])], axis=-1)
            by_query, by_key, by_value = [], [], []
            by_block = tf.split(towards, blocks, axis=1)
            for part, a, factor, dy in zip(parts, weights, left, by_block, strict=True):
                scores = a * tf.matmul(factor, right, transpose_b=True)
                by_query.append(tf.matmul(scores, keys))
                by_key.append(tf.matmul(part, scores, transpose_a=True))
                by_value.append(tf.matmul(a, dy, transpose_a=True))
            by_key = tf.linalg.matrix_transpose(tf.add_n(by_key))
            return tf.concat(by_query, axis=1), by_key, tf.add_n(by_value)

        return outputs, gradient

    return gathered(queries, keys, values)


def _blocks(height: int, width: int) -> int:
    """The fewest equal blocks of positions with at most 1 MiB of map an image; from 16 on, no more are asked for."""
    wanted = min(16, math.ceil(SelfAttention.map_bytes(height, width) / 2**20))
    return next(n for n in range(wanted, height * width + 1) if height * width % n == 0)


def _positions(x: tf.Tensor) -> tf.Tensor:
    """(batch, height, width, channels) -> (batch, height * width, channels)."""
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2], x.shape[3]])
