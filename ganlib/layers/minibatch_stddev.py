"""Tells D how varied the images of a batch are."""

import keras
import tensorflow as tf

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.layers.configured import Configured
from ganlib.replicas import batch_size_of


@keras.saving.register_keras_serializable("ganlib")
class MinibatchStddev(Configured):
    """Karras et al. 2018, arXiv:1710.10196, section 3: one more channel, a statistic of a group of images.

    The standard deviation of each feature at each position over the group, averaged over features and positions: one
    number a group, at every position. (batch, height, width, channels) -> (..., channels + num_features).

    With groups of G of N images, image i is in group i mod (N / G), as in the official code. Groups lie within a
    replica: `shards=k` lets one replica group as k replicas do.

    Args:
        group_size: G; batches smaller than it are one group. None: the whole batch, as in the paper.
        num_features: Channels are cut into so many parts, with a statistic each (1 in the papers).
        shards: Parts of the batch that are grouped by themselves.

    Raises:
        InputError: The batch, a part of it, or the channels cannot be cut evenly.
    """

    def __init__(self, group_size: int | None = 4, num_features: int = 1, shards: int = 1, **kwargs):
        super().__init__(**kwargs)
        require_positive_integers(num_features=num_features, shards=shards)
        if group_size is not None:
            require_positive_integers(group_size=group_size)
        self.group_size = group_size
        self.num_features = num_features
        self.shards = shards

    def call(self, inputs):
        """(batch, height, width, channels) -> (batch, height, width, channels + num_features)."""
        n, (height, width, channels) = batch_size_of(inputs), inputs.shape[1:]
        of_shard = n // self.shards
        group = self._group(n)
        parts = [
            self.shards,
            group,
            of_shard // group,
            height,
            width,
            self.num_features,
            channels // self.num_features,
        ]
        # squares are beyond half precision
        single = tf.cast(inputs, tf.float32) if inputs.dtype.size < 4 else inputs
        x = tf.reshape(single, parts)
        centered = x - tf.reduce_mean(x, axis=1, keepdims=True)
        deviation = tf.sqrt(tf.reduce_mean(tf.square(centered), axis=1, keepdims=True) + 1e-8)
        statistic = tf.reduce_mean(deviation, axis=(3, 4, 6))  # (shards, 1, groups, num_features)
        everywhere = tf.broadcast_to(
            tf.reshape(statistic, [self.shards, 1, -1, 1, 1, self.num_features]),
            [self.shards, group, of_shard // group, height, width, self.num_features],
        )
        everywhere = tf.reshape(everywhere, [n, height, width, self.num_features])
        return tf.concat([inputs, tf.cast(everywhere, inputs.dtype)], axis=-1)

    def _group(self, n: int | tf.Tensor) -> int | tf.Tensor:
        """Images of a group; checked where the batch size is static."""
        of_shard = n // self.shards
        if not isinstance(n, int):
            return of_shard if self.group_size is None else tf.minimum(self.group_size, of_shard)
        group = of_shard if self.group_size is None else min(self.group_size, of_shard)
        if n < self.shards or n % (self.shards * group):
            raise InputError(
                f"{n} images cannot be cut into groups (group_size={self.group_size}, shards={self.shards}): use a "
                "batch size that is a multiple of both together, on each replica"
            )
        return group

    def build(self, input_shape):
        """Check the channels of `input_shape` (batch, height, width, channels)."""
        if input_shape[-1] % self.num_features:
            raise InputError(
                f"num_features={self.num_features} does not divide {input_shape[-1]} channels: use a number that does"
            )

    def compute_output_shape(self, input_shape):
        """(batch, height, width, channels + num_features)."""
        return (*input_shape[:-1], input_shape[-1] + self.num_features)
