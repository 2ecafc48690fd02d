"""Games whose generator is given an image: what translators share. They have `translate` where others have `sample`."""

import math
import os
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.gan import GAN, uniform_images
from ganlib.layers import Dropout
from ganlib.randomness import key_of

_TRANSLATED_BATCH = 64


class Translator(GAN):
    """Images of one domain -> images of another.

    Batches are pairs (source, target), each float32 (batch, height, width, channels) in [-1, 1]. Subclasses say whether
    row i of one belongs to row i of the other. `image_shape` is the target's, `source_shape` the source's; there are no
    latents. What a layer draws while it translates (`layers.NoiseDropout`) is a function of the run's seed, the seed
    given, and the number of the image.

    Args:
        generator: Source -> target.
        discriminator: As the subclass uses it; its first input is the target.
        **kwargs: As `GAN` takes them.

    Attributes:
        paired: Whether row i of a batch's sources belongs to row i of its targets.
    """

    paired: ClassVar[bool] = True

    def __init__(self, generator: keras.Model, discriminator: keras.Model, **kwargs: Any):
        super().__init__(generator, discriminator, **kwargs)
        self.source_shape = tuple(generator.inputs[0].shape[1:])
        self.latent_dim = None
        if self.ema_generator is not generator:
            for layer, average in zip(
                generator._flatten_layers(), self.ema_generator._flatten_layers(), strict=True
            ):
                if isinstance(layer, Dropout):
                    average.streams, average.purpose = layer.streams, layer.purpose
        self._translate_functions: dict[str, Callable] = {}

    def translated(
        self, network: keras.Model, images: Any, shape: tuple[int, ...], seed: int | None
    ) -> np.ndarray:
        """The outputs of `network`, a generator that takes images of `shape`, for `images`; see `translate`.

        Raises:
            InputError: The images are not float (n, *shape), or reach out of [-1, 1]; or the seed is no integer.
        """
        images = np.asarray(images)
        if images.shape[1:] != shape or len(images) == 0 or images.dtype.kind != "f":
            raise InputError(
                f"images are {images.dtype} of shape {images.shape}: give floats (n, {', '.join(map(str, shape))}) in "
                "[-1, 1]"
            )
        if not np.abs(images).max() <= 1.001:
            raise InputError(
                f"images reach from {images.min():.4g} to {images.max():.4g}: scale them to [-1, 1]"
            )
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer)):
            raise InputError(f"seed={seed!r} is not an integer: give one, for example 0, or None")
        key = key_of(int.from_bytes(os.urandom(8), "little") if seed is None else int(seed), "translate")
        if network.name not in self._translate_functions:

            def run(images, key, start):
                with self.streams.at(key, start), self.streams.scope("translate"):
                    return network(images, training=False)

            self._translate_functions[network.name] = tf.function(run)
        n = len(images)
        size = min(_TRANSLATED_BATCH, 2 ** math.ceil(math.log2(n)))  # one shape for all chunks: one trace
        rows = np.arange(n + -n % size) % n
        chunks = [
            self._translate_functions[network.name](
                tf.constant(images[rows[i : i + size]], tf.float32),
                tf.constant(key, tf.uint64),
                tf.constant(i, tf.int64),
            )
            for i in range(0, len(rows), size)
        ]
        return np.concatenate([chunk.numpy() for chunk in chunks])[:n]

    def pictures_of(self, sources: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
        """What to look at: sources, their translations, and their targets, each (n, height, width, channels).

        Args:
            sources: Float (n, height, width, channels) in [-1, 1].
            targets: The same number of images of the other domain.
        """
        return [sources, self.translate(sources, seed=0), targets]

    def sample(self, n, labels=None, truncation=None, seed=None):
        """Refused: a translator makes nothing out of nothing.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"{type(self).__name__} translates images: call translate(images), or `ganlib translate`, instead of sample"
        )

    def sample_latents(self, n, truncation=None, seed=None):
        """Refused, as `sample` is."""
        return self.sample(n)

    def example_batch(self, n: int | None = None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        """Random sources and random targets."""
        n = n or self.batch_size
        shapes = {"source": self.source_shape, "target": self.image_shape}
        source, target = (uniform_images([n, *shape], seed, name) for name, shape in shapes.items())
        return source, target

    def _check_batches(self, dataset) -> tuple[tf.data.Dataset, int | None]:
        if isinstance(dataset, tf.data.Dataset):
            spec, name = dataset.element_spec, type(self).__name__
            if not (isinstance(spec, tuple) and len(spec) == 2 and spec[1].shape.rank == 4):
                raise InputError(
                    f"{name} takes batches of pairs of images, such as ganlib.data.paired(name) or "
                    "ganlib.data.unpaired(name) gives, and .batch(n) of it"
                )
            source = spec[0]
            if source.shape.rank != 4 or tuple(source.shape[1:]) != self.source_shape:
                raise InputError(
                    f"the dataset's sources have shape {source.shape}, {name} takes (batch, "
                    f"{', '.join(map(str, self.source_shape))}): load the data with the model's resolution and channels"
                )
            if source.dtype != tf.float32:
                raise InputError(
                    f"the dataset's sources are {source.dtype.name}: convert them to float32 in [-1, 1]"
                )
            if self.paired and getattr(dataset, "paired", None) is False:
                raise InputError(
                    f"{dataset.name!r} comes unpaired, {name} learns from pairs: use ganlib.data.paired(name)"
                )
        return super()._check_batches(dataset)
