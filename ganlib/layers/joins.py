"""How a class joins a network: as a vector beside z, or as channels at every position."""

import keras
import tensorflow as tf

from ganlib.layers.class_rows import are_weights
from ganlib.layers.configured import Configured


@keras.saving.register_keras_serializable("ganlib")
class OneHot(Configured):
    """Labels (batch,) in [0, num_classes) -> (batch, num_classes): 1 for the class, 0 elsewhere.

    Weights of classes, float (batch, num_classes), pass as they are.

    Args:
        num_classes: How many classes there are.
        **kwargs: As Keras' layers take them.
    """

    mixes_classes = True

    def __init__(self, num_classes: int, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def call(self, inputs):
        """(batch,) -> (batch, num_classes)."""
        if are_weights(inputs):
            return tf.cast(inputs, self.compute_dtype)
        return tf.one_hot(tf.cast(inputs, tf.int32), self.num_classes, dtype=self.compute_dtype)

    def compute_output_spec(self, inputs):
        """(batch, num_classes), of the layer's own type and not the labels'."""
        return keras.KerasTensor((inputs.shape[0], self.num_classes), self.compute_dtype)


@keras.saving.register_keras_serializable("ganlib")
class ConcatenateEverywhere(keras.layers.Layer):
    """[(batch, height, width, a), (batch, b)] -> (batch, height, width, a + b): the vector at every position."""

    def call(self, inputs):
        """[(batch, height, width, a), (batch, b)] -> (batch, height, width, a + b)."""
        x, vectors = inputs
        shape = [tf.shape(x)[0], *x.shape[1:3], vectors.shape[-1]]
        return tf.concat([x, tf.broadcast_to(vectors[:, None, None, :], shape)], axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, height, width, a + b)."""
        return (*input_shape[0][:3], input_shape[0][-1] + input_shape[1][-1])
