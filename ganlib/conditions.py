"""Classes, held by a model: labels for samples, images between classes, and whether batches have the labels.

Mirza & Osindero 2014, arXiv:1411.1784, eq. 2: both players are told the class, and everything else stays as it is.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.randomness import uniform
from ganlib.sampling import key_from


class Classes:
    """The classes of a model: labels int32 (batch,) in [0, num_classes).

    In both updates generated images have the labels of the real batch, so that both sides have the data's distribution
    of classes, q(y) = p(y) (official codes draw them uniformly, which is the same for balanced data).

    Args:
        num_classes: How many there are.
    """

    def __init__(self, num_classes: int):
        require_positive_integers(num_classes=num_classes)
        self.num_classes = num_classes

    def labels(
        self, n: int, labels: int | Sequence[int] | None = None, seed: int | None = None
    ) -> np.ndarray:
        """The classes of `n` samples, int32 (n,).

        Args:
            n: How many.
            labels: One class for all, or one a sample; None draws them, each class equally often.
            seed: Same seed, same classes; class i is the same whatever `n` is.

        Raises:
            InputError: A label is not a class of this model, or there are not `n` of them.
        """
        if labels is None:
            drawn = uniform(key_from(seed, "sample labels"), 0, 0, [n, 1])[:, 0].numpy()
            return np.floor(drawn * self.num_classes).astype(np.int32)
        given = np.asarray(labels)
        if not np.issubdtype(given.dtype, np.integer) or given.shape not in ((), (n,)):
            raise InputError(f"labels={labels!r}: give one whole number, or {n} of them, one a sample")
        if given.min() < 0 or given.max() >= self.num_classes:
            raise InputError(f"labels={labels!r}: the classes of this model are 0 to {self.num_classes - 1}")
        return np.broadcast_to(given, (n,)).astype(np.int32)

    def require_weights(self, weights: Any, n: int) -> np.ndarray:
        """Weights of classes, float32 (n, num_classes), for images between classes.

        Raises:
            InputError: They have another shape, or are not finite.
        """
        weights = np.asarray(weights, np.float32)
        if weights.shape != (n, self.num_classes) or not np.isfinite(weights).all():
            raise InputError(
                f"weights of classes of shape {weights.shape}: give finite ones, ({n}, {self.num_classes})"
            )
        return weights

    def check_batches(self, dataset: Any, labels: tf.TensorSpec | None, model: str) -> None:
        """Check that batches have labels of these classes.

        Raises:
            InputError: They do not.
        """
        if labels is None or labels.shape.rank != 1 or not labels.dtype.is_integer:
            raise InputError(
                f"{model} is conditional: fit it on batches of (images, labels), such as "
                "ganlib.data.load(name, labels=True).batch(n); labels are whole numbers (batch,)"
            )
        classes = getattr(dataset, "num_classes", None)
        if classes is not None and classes > self.num_classes:
            raise InputError(
                f"the data has {classes} classes, the model num_classes={self.num_classes}: build it with as many"
            )


def mixing_classes(network: keras.Model, num_classes: int) -> keras.Model:
    """The same network, with the same variables, for weights of classes in place of labels.

    Wherever the network looks up the row of a class, this one takes the mixture of the rows: a point between classes.
    Weights of 1 for a class and 0 elsewhere give what the label gives.

    Args:
        network: [x, labels (batch,)] -> anything: a G, or a D that is told the class.
        num_classes: How many classes there are.

    Returns:
        [x, weights (batch, num_classes)] -> the same.

    Raises:
        InputError: The labels go to a layer that has no rows to mix.
    """
    x, labels = network.inputs
    weights = keras.Input((num_classes,), name="class_weights")
    used_by = {
        id(node.operation): node.operation
        for layer in network.layers
        for node in layer._inbound_nodes
        if any(tensor is labels for tensor in node.input_tensors)
    }
    for layer in used_by.values():
        if type(layer) is not keras.layers.Embedding and not getattr(layer, "mixes_classes", False):
            raise InputError(
                f"{type(layer).__name__} has no rows of classes to mix: give it labels, not weights"
            )

    def call(layer, *args, **kwargs):
        if type(layer) is keras.layers.Embedding and id(layer) in used_by:
            return keras.ops.matmul(args[0], layer.embeddings)
        return layer(*args, **kwargs)

    return keras.models.clone_model(
        network,
        input_tensors=[keras.Input(x.shape[1:], name=x.name), weights],
        clone_function=lambda layer: layer,
        call_function=call,
    )
