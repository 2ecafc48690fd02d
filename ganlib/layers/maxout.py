"""Maxout units."""

import keras

from ganlib.layers.configured import Configured


@keras.saving.register_keras_serializable("ganlib")
class Maxout(Configured):
    """Goodfellow et al. 2013, arXiv:1302.4389: the largest of `pieces` affine maps of the input, unit by unit.

    (batch, features) -> (batch, units). The kernel is (features, units * pieces), pieces innermost.

    Args:
        units: Number of outputs.
        pieces: Affine maps a unit chooses from.
        kernel_initializer: Of the kernel; biases start at zero.
    """

    def __init__(self, units: int, pieces: int, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.pieces = pieces
        self.dense = keras.layers.Dense(units * pieces, kernel_initializer=kernel_initializer)

    def build(self, input_shape):
        """Build the affine maps for inputs of `input_shape` (batch, features)."""
        self.dense.build(input_shape)

    def call(self, inputs):
        """(batch, features) -> (batch, units)."""
        affine = self.dense(inputs)
        return keras.ops.max(keras.ops.reshape(affine, (-1, self.units, self.pieces)), axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, features) -> (batch, units)."""
        return (*input_shape[:-1], self.units)

    @property
    def kernel_initializer(self) -> keras.initializers.Initializer:
        """Of the kernel."""
        return self.dense.kernel_initializer
