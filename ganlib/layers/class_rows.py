"""Rows of a table of classes: those of labels, or mixtures of them.

Brock et al. 2019, arXiv:1809.11096, figures 8 and 9, interpolate between classes at a fixed z. Every layer that knows
the class looks it up in a table with a row a class, so a point between classes is a mixture of rows. A
layer that takes weights of classes in place of labels says so: `mixes_classes = True`.
"""

import tensorflow as tf


def are_weights(classes: tf.Tensor) -> bool:
    """Whether these are weights of classes (batch, num_classes), floats, and not labels, integers."""
    return classes.dtype.is_floating and classes.shape.rank == 2


def class_rows(table: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Labels (batch, ...) int, or weights (batch, num_classes) float -> rows of `table` (num_classes, size).

    Weights of 1 for a class and 0 elsewhere give that class' row, to the bit.
    """
    if are_weights(classes):
        return tf.matmul(tf.cast(classes, table.dtype), table)
    return tf.gather(table, tf.cast(classes, tf.int32))
