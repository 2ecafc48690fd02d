"""Batch normalisation by a reference batch that is chosen once: no sample depends on those beside it.

    reference = data.to_numpy(64)                     # for D; latents drawn once for G
    x = PrependReference(reference)(image)            # (64 + batch, height, width, channels)
    x = VirtualBatchNormalization(64)(layers.Conv2D(...)(x))
    ...
    logit = DropReference(64)(x)                      # (batch, 1)

The reference rows go through the network in front of the batch's and are dropped at its end; everything between must
treat rows one by one (no dropout: a replica would draw other masks for its copy of the reference rows).
"""

import base64
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.errors import InputError
from ganlib.layers.configured import Configured
from ganlib.layers.instance_normalization import Normalization


@keras.saving.register_keras_serializable("ganlib")
class PrependReference(keras.layers.Layer):
    """(batch, ...) -> (reference_size + batch, ...): the rows of a fixed batch, then the inputs.

    The reference is a weight that is not trained, so checkpoints and files of weights carry it.

    Args:
        reference: float (reference_size, ...), rows like the inputs'.

    Raises:
        InputError: The reference has no rows, has values that are not finite, or does not fit the inputs.
    """

    def __init__(self, reference: Any, **kwargs):
        super().__init__(**kwargs)
        if isinstance(reference, dict):
            values = np.frombuffer(base64.b64decode(reference["float32"]), "<f4")
            reference = values.reshape(reference["shape"])
        values = np.array(reference, np.float32)
        if values.ndim < 2 or len(values) == 0 or not np.isfinite(values).all():
            raise InputError(
                f"reference of shape {values.shape}: give a batch of finite numbers, for example data.to_numpy(64)"
            )
        self._values = values
        self.reference_size = len(values)

    def build(self, input_shape):
        """Make the weight, once the inputs' shape (batch, ...) is known to fit."""
        if tuple(input_shape[1:]) != self._values.shape[1:]:
            raise InputError(
                f"reference has rows of shape {self._values.shape[1:]}, the inputs {tuple(input_shape[1:])}: "
                "give rows like the inputs'"
            )
        self.reference = self.add_weight(
            shape=self._values.shape,
            initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(self._values, dtype),
            trainable=False,
            name="reference",
        )

    def call(self, inputs):
        """(batch, ...) -> (reference_size + batch, ...)."""
        inputs = tf.convert_to_tensor(inputs)
        reference = tf.cast(tf.convert_to_tensor(self.reference), inputs.dtype)
        return _joined(reference, inputs, self.reference_size)

    def compute_output_shape(self, input_shape):
        """(batch, ...) -> (reference_size + batch, ...)."""
        batch = None if input_shape[0] is None else input_shape[0] + self.reference_size
        return (batch, *input_shape[1:])

    def get_config(self):
        """The constructor's arguments; the reference as base64 of its bytes."""
        values = self._values.astype("<f4")
        packed = {"shape": list(values.shape), "float32": base64.b64encode(values.tobytes()).decode()}
        return {**super().get_config(), "reference": packed}


@keras.saving.register_keras_serializable("ganlib")
class DropReference(Configured):
    """(reference_size + batch, ...) -> (batch, ...): takes away what `PrependReference` put in front.

    Args:
        reference_size: Rows of the reference batch.

    Raises:
        InputError: `reference_size` is below 1.
    """

    def __init__(self, reference_size: int, **kwargs):
        super().__init__(**kwargs)
        require_positive_integers(reference_size=reference_size)
        self.reference_size = reference_size

    def call(self, inputs):
        """(reference_size + batch, ...) -> (batch, ...)."""
        return _parted(tf.convert_to_tensor(inputs), self.reference_size)[1]

    def compute_output_shape(self, input_shape):
        """(reference_size + batch, ...) -> (batch, ...)."""
        batch = None if input_shape[0] is None else input_shape[0] - self.reference_size
        return (batch, *input_shape[1:])


@keras.saving.register_keras_serializable("ganlib")
class VirtualBatchNormalization(Normalization):
    """Salimans et al. 2016, arXiv:1606.03498, section 3.5: statistics of the reference batch and the sample itself.

    With n reference rows, a channel's mean and mean square at a sample x are

        1 / (n + 1) * those of x (over its positions)  +  n / (n + 1) * those of the reference batch

    and the reference rows are normalised by their own alone, as in the authors' code. A scale and an offset a channel
    follow. Training and inference are the same; nothing moves, and replicas need not talk. Gradients flow through the
    statistics. (reference_size + batch, ..., channels) -> the same shape.

    Args:
        reference_size: n; the first rows are the reference batch.
        epsilon: Added to the variance.

    Raises:
        InputError: `reference_size` is below 1, or epsilon is not above 0.
    """

    def __init__(self, reference_size: int, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        require_positive(example="1e-5", epsilon=epsilon)
        require_positive_integers(reference_size=reference_size)
        self.reference_size = reference_size
        self.epsilon = epsilon

    def call(self, inputs):
        """(reference_size + batch, ..., channels) -> the same shape."""
        x = tf.cast(inputs, tf.float32)
        n = self.reference_size
        positions = list(range(1, x.shape.rank - 1))
        reference, batch = _parted(x, n)
        # around the reference's mean, or float32 would lose a small variance beside a large mean
        center = tf.reduce_mean(reference, [0, *positions], keepdims=True)
        variance = tf.reduce_mean(tf.square(reference - center), [0, *positions], keepdims=True)
        shift = batch - center
        mean = tf.reduce_mean(shift, positions, keepdims=True) / (n + 1)
        square = (tf.reduce_mean(tf.square(shift), positions, keepdims=True) + n * variance) / (n + 1)
        reference = (reference - center) * tf.math.rsqrt(variance + self.epsilon)
        batch = (shift - mean) * tf.math.rsqrt(square - tf.square(mean) + self.epsilon)
        normalized = _joined(reference, batch, n)
        return tf.cast(self.scaled(normalized), inputs.dtype)


def _joined(reference: tf.Tensor, batch: tf.Tensor, n: int) -> tf.Tensor:
    """The `n` rows of the reference, then those of the batch; with a gradient that is made of `_parted`.

    The gradient of tf.concat is made of slices, and theirs of tf.pad over the batch. On the CPU TensorFlow 2.21's graph
    rewriter (oneDNN) merges a tf.pad into the unpadded convolution behind it as if it padded pixels: in a gradient
    penalty the reference rows were then missing.
    """

    @tf.custom_gradient
    def join(reference, batch):
        return tf.concat([reference, batch], axis=0), lambda gradient: _parted(gradient, n)

    return join(reference, batch)


def _parted(rows: tf.Tensor, n: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The first `n` rows, and the rest; the inverse of `_joined`, and its gradient."""
    total = rows.shape[0] if rows.shape[0] is not None else tf.shape(rows)[0]

    @tf.custom_gradient
    def part(rows):
        parts = tuple(tf.split(rows, [n, total - n], axis=0))
        return parts, lambda reference, batch: _joined(reference, batch, n)

    return part(rows)
