"""What a step needs to know of the replicas that share it: sizes, sums, and how to act outside of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf


def batch_size_of(images: tf.Tensor) -> int | tf.Tensor:
    """The batch dimension, as an int where it is static."""
    return images.shape[0] if images.shape[0] is not None else tf.shape(images)[0]


def global_batch_size(strategy: tf.distribute.Strategy, images: Any) -> int | tf.Tensor:
    """The number of images over all replicas of a value that a distributed iterator gave."""
    return sum(batch_size_of(share) for share in strategy.experimental_local_results(images))


def mean_over_replicas(value: Any) -> Any:
    """The mean of a tensor, or of a list of them, over the replicas of a step; as it is where there is one."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)


def gathered(values: tf.Tensor) -> tuple[tf.Tensor, int | tf.Tensor]:
    """The rows of all replicas in their order, on each replica, and the number of the first one of this replica.

    By a sum of batches with zeros where the others' rows go: exact, there is a sum on every kind of device, and its
    gradient (a sum again) is right to any order. With one replica, and outside of a step, the rows are the values.

    Args:
        values: (local batch, ...), as many rows on each replica.

    Returns:
        (global batch, ...) and the index in it of `values[0]`.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values, 0
    replicas = context.num_replicas_in_sync
    local = batch_size_of(values)
    start = local * tf.cast(context.replica_id_in_sync_group, tf.int32)
    rows = start + tf.range(local)
    padded = tf.scatter_nd(rows[:, None], values, [local * replicas, *values.shape[1:]])
    return context.all_reduce(tf.distribute.ReduceOp.SUM, padded), start


def outside_of_scopes(function: Callable[[], Any]) -> Any:
    """What `function` returns outside of any strategy's scope, where a variable of replicas acts as its first copy."""
    if not tf.distribute.in_cross_replica_context():
        return function()
    with ThreadPoolExecutor(1) as thread:  # scopes are the calling thread's own
        return thread.submit(function).result()
