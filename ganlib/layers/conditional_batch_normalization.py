"""Batch normalisation whose scale and offset depend on the class of each sample.

Dumoulin et al. 2017, arXiv:1610.07629, eq. 5 (a row of scales and offsets for each style); de Vries et al. 2017,
arXiv:1707.00683 (predicted from a vector). All samples are normalised together, whatever their class, and then

    rows of a table   gamma[y] * normalized + beta[y]                 Miyato & Koyama 2018, SAGAN
    from a vector     (1 + c W_gamma) * normalized + c W_beta         Brock et al. 2019 (BigGAN), eq. in appendix B
    the same, rows    (1 + W_gamma[y]) * normalized + W_beta[y]       BigGAN without its shared embedding

with y the label of a sample and c its condition vector. The statistics are `BatchNormalization`'s: of the batch of all
replicas together.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from ganlib.arguments import require_positive, require_positive_integers, require_share
from ganlib.layers.batch_normalization import BatchNormalization
from ganlib.layers.class_rows import class_rows
from ganlib.layers.configured import Configured, fresh
from ganlib.layers.spectral_normalization import SpectralDense


class _Modulated(Configured):
    """What the layers of this file share: normalise, then scale and shift each sample by its own numbers."""

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, unbiased: bool = False, **kwargs: Any):
        require_share(example="0.9", momentum=momentum)
        require_positive(example="1e-5", epsilon=epsilon)
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.unbiased = unbiased

    def build(self, input_shape):
        """Make the statistics for inputs of shapes (batch, ..., channels) and (batch, ...)."""
        self.normalization = BatchNormalization(
            momentum=self.momentum,
            epsilon=self.epsilon,
            unbiased=self.unbiased,
            center=False,
            scale=False,
            name="normalization",
            dtype=self.dtype_policy,
        )
        self.normalization.build(input_shape[0])

    def call(self, inputs, training=None):
        """[(batch, ..., channels), condition] -> (batch, ..., channels)."""
        x, condition = inputs
        gamma, beta = self.scale_and_offset(condition, training)
        shape = [-1, *[1] * (x.shape.rank - 2), x.shape[-1]]
        normalized = self.normalization(x, training=training)
        return normalized * tf.reshape(gamma, shape) + tf.reshape(beta, shape)

    def scale_and_offset(self, condition: tf.Tensor, training: bool | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Both (batch, channels)."""
        raise NotImplementedError(f"{type(self).__name__} does not say what scale and offset are")

    def compute_output_shape(self, input_shape):
        """That of the first input."""
        return tuple(input_shape[0])


@keras.saving.register_keras_serializable("ganlib")
class ConditionalBatchNormalization(_Modulated):
    """A scale and an offset a class: gamma (num_classes, channels) starts at 1, beta (num_classes, channels) at 0.

    [features (batch, ..., channels), labels (batch,) int in [0, num_classes)] -> as the features. In place of labels it
    takes weights of classes, float (batch, num_classes): the same mixture of the rows.

    Args:
        num_classes: Rows of the tables.
        momentum: Of the moving statistics.
        epsilon: Added to the variance.

    Raises:
        InputError: An argument is out of range.
    """

    mixes_classes = True

    def __init__(self, num_classes: int, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs):
        super().__init__(momentum, epsilon, **kwargs)
        require_positive_integers(num_classes=num_classes)
        self.num_classes = num_classes

    def build(self, input_shape):
        """Make statistics and tables."""
        super().build(input_shape)
        shape = (self.num_classes, input_shape[0][-1])
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def scale_and_offset(self, condition, training):
        """The rows of the classes."""
        gamma, beta = (tf.convert_to_tensor(table) for table in (self.gamma, self.beta))
        return class_rows(gamma, condition), class_rows(beta, condition)


@keras.saving.register_keras_serializable("ganlib")
class EmbeddedConditionalBatchNormalization(_Modulated):
    """A gain, added to 1, and an offset a class, both rows of tables that start as weights do.

    [features (batch, ..., channels), labels (batch,) int in [0, num_classes)] -> as the features. In place of labels it
    takes weights of classes, float (batch, num_classes).

    Args:
        num_classes: Rows of the tables.
        momentum: Of the moving statistics.
        epsilon: Added to the variance.
        unbiased: As in `BatchNormalization`.
        embeddings_initializer: Of both tables.

    Raises:
        InputError: An argument is out of range.
    """

    mixes_classes = True

    def __init__(
        self,
        num_classes: int,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        unbiased: bool = False,
        embeddings_initializer: Any = "zeros",
        **kwargs,
    ):
        super().__init__(momentum, epsilon, unbiased, **kwargs)
        require_positive_integers(num_classes=num_classes)
        self.num_classes = num_classes
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)

    def build(self, input_shape):
        """Make statistics and tables."""
        super().build(input_shape)
        shape = (self.num_classes, input_shape[0][-1])
        self.gain, self.offset = (
            self.add_weight(shape=shape, initializer=fresh(self.embeddings_initializer), name=name)
            for name in ("gain", "offset")
        )

    def scale_and_offset(self, condition, training):
        """The rows of the classes."""
        gain, offset = (tf.convert_to_tensor(table) for table in (self.gain, self.offset))
        return 1.0 + class_rows(gain, condition), class_rows(offset, condition)


@keras.saving.register_keras_serializable("ganlib")
class VectorConditionalBatchNormalization(_Modulated):
    """Scale and offset that are linear in a condition vector c: 1 + c W_gamma and c W_beta, without biases.

    [features (batch, ..., channels), condition (batch, size)] -> as the features. BigGAN's condition is a class
    embedding that all layers share, beside a part of z.

    Args:
        momentum: Of the moving statistics.
        epsilon: Added to the variance.
        kernel_initializer: Of W_gamma and W_beta.
        unbiased: As in `BatchNormalization`.

    Raises:
        InputError: An argument is out of range.
    """

    dense = layers.Dense

    def __init__(
        self,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        unbiased: bool = False,
        **kwargs,
    ):
        super().__init__(momentum, epsilon, unbiased, **kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        """Make statistics and matrices."""
        super().build(input_shape)
        self.gain, self.offset = (self.linear(input_shape[0][-1], name) for name in ("gain", "offset"))
        for linear in (self.gain, self.offset):
            linear.build(input_shape[1])

    def linear(self, units: int, name: str) -> layers.Layer:
        """A linear map to `units` numbers, without a bias."""
        return self.dense(
            units,
            use_bias=False,
            kernel_initializer=fresh(self.kernel_initializer),
            name=name,
            dtype=self.dtype_policy,
        )

    def scale_and_offset(self, condition, training):
        """1 + c W_gamma and c W_beta."""
        return 1.0 + self.gain(condition, training=training), self.offset(condition, training=training)


@keras.saving.register_keras_serializable("ganlib")
class SpectralConditionalBatchNormalization(VectorConditionalBatchNormalization):
    """The same with W / sigma(W) for both matrices, as in BigGAN's G. Arguments and shapes as there."""

    dense = SpectralDense
