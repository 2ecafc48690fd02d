"""Self-attention over the positions of a feature map.

Zhang, Goodfellow, Metaxas, Odena 2019 (SAGAN), arXiv:1805.08318, section 3. With x_i the C features at position i of N,

    s_ij = q(x_i) . k(x_j),   a_i = softmax_j(s_ij),   y_i = x_i + gamma o(sum_j a_ij v(x_j))

q, k, v and o are 1x1 convolutions without biases. This is the official code's layer (brain-research/
self-attention-gan, non_local.py, commit ad9612e), which BigGAN's is too: q and k have C/8 channels, v has C/2 and o
brings them back to C; keys and values are max-pooled 2x2, so that there are N/4 of them; no 1/sqrt(C/8). (Eq. 2 of the
paper has no o in its first versions, and no pooling.) gamma starts at 0: the layer begins as the identity.

Cost for one image: the map a has N * N/4 float32, that is N^2 bytes, 1 MiB at 32x32 and 16 MiB at 64x64, and training
keeps one for the backward pass (and holds two gradients of that size while it is there). The arithmetic is

    2 N C (C/8 + C/8 + C/2 + C/2) for the 1x1 convolutions,   2 N (N/4) (C/8 + C/2) for the two products with a.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganlib.errors import InputError
from ganlib.layers.spectral_normalization import SpectralConv2D


@keras.saving.register_keras_serializable("ganlib")
class SelfAttention(layers.Layer):
    """(batch, height, width, channels) -> the same shape: x + gamma * what the positions gather from each other.

    Raises:
        InputError: When built: the channels are no multiple of 8, or height or width is odd.
    """

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
        return layers.Conv2D(filters, 1, use_bias=False, name=name, dtype=self.dtype_policy)

    def call(self, inputs, training=None):
        """(batch, height, width, channels) -> the same shape."""
        _, height, width, channels = inputs.shape
        weights = self._weights(inputs, training)
        values = _positions(tf.nn.max_pool2d(self.value(inputs, training=training), 2, 2, "VALID"))
        gathered = tf.reshape(tf.matmul(weights, values), [-1, height, width, channels // 2])
        return inputs + tf.convert_to_tensor(self.gamma) * self.out(gathered, training=training)

    def attention_map(self, inputs: Any) -> np.ndarray:
        """What each position looks at: float32 (batch, height, width, height/2, width/2); the last two sum to 1."""
        inputs = tf.convert_to_tensor(inputs)
        if not self.built:
            self.build(inputs.shape)
        _, height, width, _ = inputs.shape
        weights = self._weights(inputs, training=False)
        return tf.reshape(weights, [-1, height, width, height // 2, width // 2]).numpy()

    @staticmethod
    def map_bytes(height: int, width: int, batch: int = 1) -> int:
        """Bytes of the attention map of `batch` feature maps in float32."""
        return 4 * batch * (height * width) * (height // 2 * (width // 2))

    def _weights(self, inputs: tf.Tensor, training: bool | None) -> tf.Tensor:
        """a: (batch, height * width, height * width / 4)."""
        queries = _positions(self.query(inputs, training=training))
        keys = _positions(tf.nn.max_pool2d(self.key(inputs, training=training), 2, 2, "VALID"))
        return tf.nn.softmax(tf.matmul(queries, keys, transpose_b=True))

    def compute_output_shape(self, input_shape):
        """The inputs' shape."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable("ganlib")
class SpectralSelfAttention(SelfAttention):
    """The same with W / sigma(W) for all four convolutions, as in SAGAN's and BigGAN's networks; gamma is free."""

    def convolution(self, filters, name):
        """A 1x1 convolution without a bias, divided by its largest singular value."""
        return SpectralConv2D(filters, 1, use_bias=False, name=name, dtype=self.dtype_policy)


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


def _positions(x: tf.Tensor) -> tf.Tensor:
    """(batch, height, width, channels) -> (batch, height * width, channels)."""
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2], x.shape[3]])
