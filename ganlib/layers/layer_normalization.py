"""Layer normalisation as WGAN-GP's critics have it: each image by itself."""

import keras
import tensorflow as tf

from ganlib.arguments import require_positive
from ganlib.layers.instance_normalization import Normalization, standardized


@keras.saving.register_keras_serializable("ganlib")
class LayerNormalization(Normalization):
    """Ba et al. 2016, arXiv:1607.06450, over all numbers of a sample, with a scale and an offset a channel.

    Gulrajani et al. 2017, arXiv:1704.00028, section 4 ("no critic batch normalization"), recommend it in place of batch
    norm, which would tie the samples' slopes together. Moments are over height, width and channels, scale and offset
    one a channel, as in their code; `keras.layers.LayerNormalization` takes moments over channels alone, or has one
    scale for each position. (batch, ..., channels) -> the same shape.

    Args:
        epsilon: Added to the variance (which is divided by the count).

    Raises:
        InputError: epsilon is not above 0.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        require_positive(example="1e-5", epsilon=epsilon)
        self.epsilon = epsilon

    def call(self, inputs):
        """(batch, ..., channels) -> the same shape."""
        x = tf.cast(inputs, tf.float32)
        normalized = standardized(x, list(range(1, x.shape.rank)), self.epsilon)
        return tf.cast(self.scaled(normalized), inputs.dtype)
