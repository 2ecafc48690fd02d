"""The projection head: how a discriminator is told the class.

Miyato & Koyama 2018, arXiv:1802.05637, eq. 3: where log p(y|x) is log-linear in features phi(x) for data and for
generated images alike, D's optimal logit is

    f(x, y) = V[y] . phi(x) + psi(phi(x))

an inner product of a vector a class with the features, beside a term that does not know the class.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from ganlib.arguments import require_positive_integers
from ganlib.layers.class_rows import are_weights, class_rows
from ganlib.layers.configured import Configured
from ganlib.layers.spectral_normalization import SpectralEmbedding


@keras.saving.register_keras_serializable("ganlib")
class Projection(Configured):
    """V[y] . phi: [features (batch, channels), labels (batch,) int in [0, num_classes)] -> (batch, 1).

    In place of labels it takes weights of classes, float (batch, num_classes): the same mixture of the products.

    Args:
        num_classes: Rows of V.
        embeddings_initializer: Of V; Glorot & Bengio's, as in the authors' code.

    Raises:
        InputError: `num_classes` is not an integer of at least 1.
    """

    mixes_classes = True
    lookup = layers.Embedding

    def __init__(self, num_classes: int, embeddings_initializer: Any = "glorot_uniform", **kwargs):
        require_positive_integers(num_classes=num_classes)
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)

    def build(self, input_shape):
        """Make V for features of `input_shape[0]` (batch, channels)."""
        self.embedding = self.table(input_shape[0][-1])
        self.embedding.build(input_shape[1])

    def table(self, channels: int) -> layers.Layer:
        """V: a layer from labels to vectors of `channels` numbers."""
        return self.lookup(
            self.num_classes,
            channels,
            embeddings_initializer=self.embeddings_initializer,
            name="embedding",
            dtype=self.dtype_policy,
        )

    def call(self, inputs, training=None):
        """[(batch, channels), (batch,)] -> (batch, 1)."""
        features, classes = inputs
        if are_weights(classes):
            table = self.embedding(tf.range(self.num_classes), training=training)
            vectors = class_rows(table, classes)
        else:
            vectors = self.embedding(classes, training=training)
        return tf.reduce_sum(features * vectors, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape):
        """(batch, 1)."""
        return (input_shape[0][0], 1)


@keras.saving.register_keras_serializable("ganlib")
class SpectralProjection(Projection):
    """The same with V / sigma(V), as every other weight of a spectrally normalised D. Arguments and shapes as there."""

    lookup = SpectralEmbedding
