"""Layers with spectral normalisation whose weights all start from one distribution: what BigGAN's networks are made of.

Brock et al. 2019, arXiv:1809.11096, section 3: orthogonal matrices (Saxe et al. 2014, arXiv:1312.6120) in place of
normal numbers. Keras' orthogonal initialiser flattens a kernel to (height * width * in, out), the authors' to (out,
in * height * width), the transpose: the same distribution. Batch norms have the authors' momentum and epsilon.
"""

import keras
from keras import layers

from ganlib.arguments import require_known
from ganlib.layers.batch_normalization import BatchNormalization
from ganlib.layers.conditional_batch_normalization import (
    EmbeddedConditionalBatchNormalization,
    SpectralConditionalBatchNormalization,
)
from ganlib.layers.projection import SpectralProjection
from ganlib.layers.residual import spectral
from ganlib.layers.self_attention import SpectralSelfAttention
from ganlib.layers.spectral_normalization import SpectralDense

# each layer has an initialiser of its own: one of Keras' draws the same numbers each time
INITIAL = {
    "orthogonal": lambda: keras.initializers.Orthogonal(),
    "normal": lambda: keras.initializers.RandomNormal(stddev=0.02),
    "glorot": lambda: keras.initializers.GlorotUniform(),
}
_NORM = {"momentum": 0.9, "epsilon": 1e-5, "unbiased": True}


class SpectralParts:
    """Factories of a network's layers. Those of a block are called by what they are: "block_2_convolution_1".

    Args:
        initial: Where weights start: "orthogonal", "normal" (deviation 0.02) or "glorot". Biases start at 0.

    Raises:
        InputError: There is no such distribution.
    """

    def __init__(self, initial: str = "orthogonal"):
        require_known("initial", initial, INITIAL)
        self._initial = INITIAL[initial]
        self._block = -1
        self._made: dict[str, int] = {}

    def next_block(self) -> None:
        """What is made from now on, without a name of its own, is the next block's."""
        self._block, self._made = self._block + 1, {}

    def _name(self, kind: str) -> str:
        self._made[kind] = self._made.get(kind, 0) + 1
        return f"block_{self._block}_{kind}_{self._made[kind]}"

    def convolution(
        self, channels: int, kernel_size: int, scale: str = "same", name: str | None = None
    ) -> layers.Layer:
        """As `layers.residual.spectral`."""
        name = name or self._name("convolution")
        return spectral(channels, kernel_size, scale, kernel_initializer=self._initial(), name=name)

    def attention(self) -> layers.Layer:
        """With W / sigma(W) in its four convolutions."""
        return SpectralSelfAttention(kernel_initializer=self._initial(), name=self._name("attention"))

    def vector_batch_norm(self) -> layers.Layer:
        """Told a vector, by W / sigma(W)."""
        name = self._name("norm")
        return SpectralConditionalBatchNormalization(kernel_initializer=self._initial(), name=name, **_NORM)

    def class_batch_norm(self, num_classes: int) -> layers.Layer:
        """Told a class, by tables of its own."""
        options = {"embeddings_initializer": self._initial(), "name": self._name("norm"), **_NORM}
        return EmbeddedConditionalBatchNormalization(num_classes, **options)

    def batch_norm(self, name: str) -> layers.Layer:
        """Without a condition, with a scale and an offset."""
        return BatchNormalization(name=name, **_NORM)

    def dense(self, units: int, name: str) -> layers.Layer:
        """W / sigma(W), and a bias."""
        return SpectralDense(units, kernel_initializer=self._initial(), name=name)

    def projection(self, num_classes: int, name: str) -> layers.Layer:
        """D's vectors of classes, V / sigma(V)."""
        return SpectralProjection(num_classes, embeddings_initializer=self._initial(), name=name)

    def embedding(self, num_classes: int, size: int, name: str) -> layers.Layer:
        """G's vectors of classes, as they are: divided by sigma they hurt G, say the authors."""
        return layers.Embedding(num_classes, size, embeddings_initializer=self._initial(), name=name)
