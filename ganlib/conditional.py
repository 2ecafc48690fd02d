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
from ganlib.gan import GAN
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
