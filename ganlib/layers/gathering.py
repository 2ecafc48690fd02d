"""The batch of all replicas, on each of them."""

import tensorflow as tf


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
    local = values.shape[0] if values.shape[0] is not None else tf.shape(values)[0]
    start = local * tf.cast(context.replica_id_in_sync_group, tf.int32)
    rows = start + tf.range(local)
    padded = tf.scatter_nd(rows[:, None], values, [local * replicas, *values.shape[1:]])
    return context.all_reduce(tf.distribute.ReduceOp.SUM, padded), start
