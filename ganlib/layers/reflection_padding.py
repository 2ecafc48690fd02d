"""Borders that continue the image as a mirror does, instead of with zeros."""

import keras
import tensorflow as tf

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.layers.configured import Configured


@keras.saving.register_keras_serializable("ganlib")
class ReflectionPadding2D(Configured):
    """Adds `padding` rows and columns on each side, mirrored at the outermost pixel, which is not repeated.

    (batch, height, width, channels) -> (batch, height + 2 padding, width + 2 padding, channels); for a
    padding of 3: d c b | a b c d | c b a. Zhu et al. 2017 (arXiv:1703.10593, section 7.2) use it against
    artifacts at the border.

    Args:
        padding: Pixels on each side, less than height and width.

    Raises:
        InputError: padding is not a positive integer, or the inputs are too small to be mirrored so far.
    """

    def __init__(self, padding: int, **kwargs):
        super().__init__(**kwargs)
        require_positive_integers(padding=padding)
        self.padding = padding

    def build(self, input_shape):
        """Check inputs of `input_shape` (batch, height, width, channels)."""
        sides = [side for side in input_shape[1:3] if side is not None]
        if len(input_shape) != 4 or (sides and min(sides) <= self.padding):
            raise InputError(
                f"ReflectionPadding2D({self.padding}) got inputs of shape {tuple(input_shape)}: give (batch, height, "
                f"width, channels) with sides of at least {self.padding + 1}"
            )

    def call(self, inputs):
        """(batch, height, width, channels) -> the same with a frame."""
        frame = [self.padding] * 2
        return tf.pad(inputs, [[0, 0], frame, frame, [0, 0]], mode="REFLECT")

    def compute_output_shape(self, input_shape):
        """Height and width are larger by twice the padding."""
        sides = [side if side is None else side + 2 * self.padding for side in input_shape[1:3]]
        return (input_shape[0], *sides, input_shape[3])
