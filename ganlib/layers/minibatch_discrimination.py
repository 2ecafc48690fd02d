"""Lets D see how alike the samples of a batch are."""

import keras
import tensorflow as tf

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.layers.configured import Configured
from ganlib.replicas import gathered


@keras.saving.register_keras_serializable("ganlib")
class MinibatchDiscrimination(Configured):
    """Salimans et al. 2016, arXiv:1606.03498, section 3.2: features, and how close others of the batch come to them.

        M_i = f(x_i) T, a matrix (kernels, kernel_dim);   o(x_i)_b = sum_{j != i} exp(-|| M_i,b - M_j,b ||_1)

    (batch, features) -> (batch, features + kernels), f(x_i) followed by o(x_i). j goes over the *global* batch, all
    replicas together. The paper's sum has j = i in it, a constant 1 that is left out here and in the authors' code
    (which also learns a bias and the scales of T). o grows with the batch: keep one batch size. Real and generated
    images come in batches of their own.

    Args:
        kernels: B, outputs that are added.
        kernel_dim: C, the dimension in which distances are taken.
        kernel_initializer: Of T (features, kernels * kernel_dim), kernel_dim innermost.

    Raises:
        InputError: A size is below 1, or the inputs are not vectors.
    """

    def __init__(
        self, kernels: int = 100, kernel_dim: int = 5, kernel_initializer="glorot_uniform", **kwargs
    ):
        super().__init__(**kwargs)
        require_positive_integers(kernels=kernels, kernel_dim=kernel_dim)
        self.kernels = kernels
        self.kernel_dim = kernel_dim
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        """Make T for inputs of `input_shape` (batch, features)."""
        if len(input_shape) != 2:
            raise InputError(
                f"MinibatchDiscrimination got inputs of shape {tuple(input_shape)}: put a Flatten before it"
            )
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.kernels * self.kernel_dim),
            initializer=self.kernel_initializer,
            name="kernel",
        )

    def call(self, inputs):
        """(batch, features) -> (batch, features + kernels)."""
        inputs = tf.convert_to_tensor(inputs)
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), inputs.dtype)
        mine = tf.reshape(tf.matmul(inputs, kernel), [-1, self.kernels, self.kernel_dim])
        mine = tf.ensure_shape(mine, [inputs.shape[0], self.kernels, self.kernel_dim])
        everyone, start = gathered(mine)
        distances = tf.reduce_sum(tf.abs(mine[:, None] - everyone[None]), axis=-1)
        itself = tf.one_hot(start + tf.range(tf.shape(mine)[0]), tf.shape(everyone)[0], dtype=mine.dtype)
        closeness = tf.reduce_sum(tf.exp(-distances) * (1.0 - itself)[:, :, None], axis=1)
        return tf.concat([inputs, closeness], axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, features) -> (batch, features + kernels)."""
        return (input_shape[0], input_shape[-1] + self.kernels)
