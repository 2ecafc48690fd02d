"""Games with classes: G(z, y) against D(x, y).

Mirza & Osindero 2014, arXiv:1411.1784, eq. 2: both players are told the class, and everything else stays as it is.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.gan import GAN, in_chunks
from ganlib.randomness import key_of, uniform
from ganlib.tricks import LabelFlipping, ReplayBuffer


class ConditionalGAN(GAN):
    """Mirza & Osindero 2014: the value of the game, with D(x | y) and G(z | y).

    G takes [latents (batch, latent_dim), labels (batch,)], D [images, labels]; labels are int32 in [0, num_classes).
    In both updates the generated images have the labels of the real batch, so that both sides have the data's
    distribution of classes, q(y) = p(y) (official codes draw them uniformly, which is the same for balanced data).

    Args:
        generator: [latents, labels] -> images.
        discriminator: [images, labels] -> logits.
        num_classes: How many classes there are.
        **kwargs: As `GAN` takes them.

    Raises:
        InputError: An argument is out of range, or a trick would part images from their labels.
    """

    def __init__(
        self, generator: keras.Model, discriminator: keras.Model, *, num_classes: int, **kwargs: Any
    ):
        require_positive_integers(num_classes=num_classes)
        for trick in (*kwargs.get("penalties", ()), *kwargs.get("tricks", ())):
            if isinstance(trick, LabelFlipping | ReplayBuffer):
                raise InputError(
                    f"{type(trick).__name__} parts images from their labels: leave it out of a conditional model"
                )
        super().__init__(generator, discriminator, **kwargs)
        self.num_classes = num_classes
        self._mixing_function = None

    def conditioned(self, inputs, labels):
        """[inputs, labels]: what G is given for latents, and D for images, of these classes."""
        return [inputs, labels]

    def sample_labels(
        self, n: int, labels: int | Sequence[int] | None = None, seed: int | None = None
    ) -> np.ndarray:
        """The classes, int32 (n,), that `sample` uses for the same arguments.

        Args:
            n: How many.
            labels: One class for all, or one a sample; None draws them, each class equally often.
            seed: Same seed, same classes; class i is the same whatever `n` is.

        Raises:
            InputError: A label is not a class of this model, or there are not `n` of them.
        """
        if labels is None:
            key = key_of(
                int(np.random.default_rng().integers(2**63)) if seed is None else int(seed), "sample labels"
            )
            return np.floor(uniform(key, 0, 0, [n, 1])[:, 0].numpy() * self.num_classes).astype(np.int32)
        given = np.asarray(labels)
        if not np.issubdtype(given.dtype, np.integer) or given.shape not in ((), (n,)):
            raise InputError(f"labels={labels!r}: give one whole number, or {n} of them, one a sample")
        if given.min() < 0 or given.max() >= self.num_classes:
            raise InputError(f"labels={labels!r}: the classes of this model are 0 to {self.num_classes - 1}")
        return np.broadcast_to(given, (n,)).astype(np.int32)

    def images_of(self, inputs: Any) -> np.ndarray:
        """The averaged generator's images of [latents (n, latent_dim), classes].

        Args:
            inputs: Classes are labels (n,), or weights of classes (n, num_classes), floats, for images between classes.

        Raises:
            InputError: The weights have another shape, or are not finite.
        """
        latents, classes = inputs
        if np.ndim(classes) < 2:
            return super().images_of(inputs)
        weights = np.asarray(classes, np.float32)
        if weights.shape != (len(latents), self.num_classes) or not np.isfinite(weights).all():
            raise InputError(
                f"weights of classes of shape {weights.shape}: give finite ones, ({len(latents)}, {self.num_classes})"
            )
        if self._mixing_function is None:
            mixing = mixing_classes(self.ema_generator, self.num_classes)
            self._mixing_function = tf.function(lambda inputs: mixing(inputs, training=False))
        return in_chunks(self._mixing_function, [latents, weights])

    def example_batch(self, n: int | None = None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        """Random images and all classes in turn, int32 (n,)."""
        images = super().example_batch(n, seed)
        return images, tf.range(len(images)) % self.num_classes

    def _check_batches(self, dataset) -> tuple[tf.data.Dataset, int | None]:
        checked = super()._check_batches(dataset)
        _, labels = self.split_batch(dataset.element_spec)
        if labels is None or labels.shape.rank != 1 or not labels.dtype.is_integer:
            raise InputError(
                f"{type(self).__name__} is conditional: fit it on batches of (images, labels), such as "
                "ganlib.data.load(name, labels=True).batch(n); labels are whole numbers (batch,)"
            )
        classes = getattr(dataset, "num_classes", None)
        if classes is not None and classes > self.num_classes:
            raise InputError(
                f"the data has {classes} classes, the model num_classes={self.num_classes}: build it with as many"
            )
        return checked


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
