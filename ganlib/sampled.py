"""Models that make samples out of latents: what to draw, what draws it, and what is looked at and scored.

Mixed into an `Engine` (`GAN`, and models with more networks than two), beside `translation.Translator` for those that
are given images.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ganlib import sampling
from ganlib.arguments import require_positive, require_positive_integers
from ganlib.conditions import Classes, mixing_classes
from ganlib.errors import InputError
from ganlib.latents.truncation import truncate

_SAMPLE_BATCH = 250


class Sampled:
    """Latents, and labels where there are classes -> samples.

    Attributes:
        latent_dim: Of a latent.
        latent_distribution: "normal" (standard), or "uniform" on [-1, 1].
        classes: The model's classes; None: there are none.
    """

    latent_dim: int
    latent_distribution: str = "normal"
    classes: Classes | None = None
    sampled = True
    picture_rows = 64
    default_data = "fashion_mnist"
    default_split: str | None = None

    def conditioned(self, inputs: Any, labels: Any) -> Any:
        """What a network is given for images or latents of these classes: `inputs`, where there are no classes."""
        return inputs if self.classes is None else [inputs, labels]

    def draw_latents(self, n: int | tf.Tensor) -> tf.Tensor:
        """Latents (n, latent_dim) of this step, pass and replica."""
        if self.latent_distribution == "uniform":
            return 2.0 * self.streams.uniform("latents", [n, self.latent_dim]) - 1.0
        return self.streams.normal("latents", [n, self.latent_dim])

    # -------------------------------------------------------------------------------------------- samples

    def sampler(self, truncation: float | None = None, seed: int | None = None) -> Callable[[Any], tf.Tensor]:
        """Inputs of G -> images, in evaluation mode: what `sample`, `images_of`, `call`, latents and callbacks ask.

        By default the averaged generator. For models whose samples are not one network's: a pyramid's levels, w pulled
        to its mean by `truncation` (StyleGAN), standing statistics (BigGAN). It is traced once for each truncation: one
        that depends on more, such as `seed`, says on what in an attribute `trace_key` of what it returns.
        """
        return functools.partial(self.ema_generator, training=False, **self.call_options())

    def exporter(self, thresholds: Sequence[float] = ()) -> Callable[[Any, tf.Tensor], tf.Tensor]:
        """What `hub.export` writes: the sampler for latents, or [latents, weights of classes], and a truncation.

        Truncation is a scalar tensor here. What it changes behind the latents, if anything, is the model's own affair.

        Args:
            thresholds: For models with standing statistics: of which truncations.
        """
        sampler = self.sampler() if self.classes is None else self._mixing
        return lambda inputs, truncation: sampler(inputs)

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Latents (batch, latent_dim), or [latents, labels], -> images of the sampler."""
        if not training:
            return self.sampler()(inputs)
        return self.ema_generator(inputs, training=True, **self.call_options())

    def sample(
        self,
        n: int,
        labels: Sequence[int] | None = None,
        truncation: float | None = None,
        seed: int | None = None,
    ) -> np.ndarray:
        """`n` samples of the averaged generator.

        Args:
            n: How many.
            labels: Classes, for conditional models: one for all, or one a sample. By default they are drawn.
            truncation: Largest absolute value of a latent (Brock et al. 2019, section 3.1): the same draws, mapped to
                the distribution cut off there (`ganlib.latents.truncate`).
            seed: Same seed, same samples; sample i is the same (to rounding) whatever `n` is. None draws a seed.

        Returns:
            float32 (n, height, width, channels) in [-1, 1], or (n, coordinates) for points.

        Raises:
            InputError: An argument is out of range, or labels are given to a model without classes.
        """
        require_positive_integers(n=n)
        classes = self.sample_labels(n, labels, seed)
        inputs = self.conditioned(self.sample_latents(n, truncation=truncation, seed=seed), classes)
        return self.images_of(inputs, truncation, seed)

    def images_of(self, inputs: Any, truncation: float | None = None, seed: int | None = 0) -> np.ndarray:
        """The sampler's images of `inputs`; what a G without tanh makes beyond [-1, 1] is cut off.

        Args:
            inputs: Latents (n, latent_dim), or [latents, classes]: labels (n,), or weights of classes (n, num_classes),
                floats, for images between classes.
            truncation: As in `sampler`.
            seed: Of what layers draw.

        Raises:
            InputError: Latents, labels or weights have another shape, are not finite, or no class's.
        """
        key, inputs = sampling.key_from(seed, "sample noise"), self._checked(inputs)
        if self.classes is None or np.ndim(inputs[1]) < 2:
            sampler = self.sampler(truncation, seed)
            name = ("sampler", truncation, getattr(sampler, "trace_key", None))
            return sampling.shown(self._chunks.run(name, sampler, inputs, key))
        latents, weights = inputs
        weights = self.classes.require_weights(weights, len(latents))
        return sampling.shown(self._chunks.run("mixing", self._mixing, [latents, weights], key))

    def _checked(self, inputs: Any) -> Any:
        """Latents, or [latents, labels or weights of classes], that fit this model."""
        latents, labels = inputs, None
        if self.classes is not None:
            if not isinstance(inputs, list | tuple) or len(inputs) != 2:
                raise InputError(f"{type(self).__name__} has classes: give [latents, labels]")
            latents, labels = inputs
        latents = np.asarray(latents)
        numbers = np.issubdtype(latents.dtype, np.number)
        if not numbers or latents.ndim != 2 or latents.shape[1] != self.latent_dim or not len(latents):
            raise InputError(
                f"latents of shape {latents.shape} and kind {latents.dtype}: give numbers (n, {self.latent_dim})"
            )
        if not np.isfinite(latents).all():
            raise InputError("the latents are not all finite: check where they come from")
        if self.classes is None:
            return latents
        return [latents, labels if np.ndim(labels) == 2 else self.classes.labels(len(latents), labels)]

    def sample_labels(
        self, n: int, labels: Sequence[int] | None = None, seed: int | None = None
    ) -> np.ndarray | None:
        """The classes (n,) that `sample` uses for the same arguments; None, where there are none."""
        if self.classes is not None:
            return self.classes.labels(n, labels, seed)
        if labels is not None:
            raise InputError(
                f"labels={labels!r}: {type(self).__name__} is not conditional; call sample without labels"
            )
        return None

    def sample_latents(self, n: int, truncation: float | None = None, seed: int | None = None) -> np.ndarray:
        """The latents (n, latent_dim) that `sample` uses for the same arguments."""
        if truncation is not None:
            require_positive(example="0.7", truncation=truncation)
        drawn = sampling.latents(n, self.latent_dim, self.latent_distribution, seed)
        return drawn if truncation is None else truncate(drawn, truncation, self.latent_distribution)

    # cached past Keras, for which a network in an attribute would be one more network
    @functools.cached_property
    def _chunks(self) -> sampling.Chunks:
        return sampling.Chunks(self.streams, "sample", _SAMPLE_BATCH)

    @functools.cached_property
    def _mixing(self) -> Callable[[Any], tf.Tensor]:
        """The sampler's network for weights of classes; it shares all variables."""
        return functools.partial(mixing_classes(self.ema_generator, self.classes.num_classes), training=False)

    def forget_traces(self):
        """Those of the sampler."""
        self._chunks.clear()

    # ----------------------------------------------------------------- what callbacks, runs and the command ask

    def pictures(
        self,
        n: int,
        labels: Sequence[int] | None = None,
        truncation: float | None = None,
        seed: int = 0,
        real: Any = None,
    ) -> tuple[np.ndarray, int | None]:
        """What to look at: at most `n` samples, row after row, and in how many columns (None: as square as possible).

        With classes a row for each of them, of the same latents.
        """
        classes = None if self.classes is None else self.classes.num_classes
        if classes is None or classes > n or labels is not None:
            return self.sample(n, labels, truncation, seed), None
        columns = n // classes
        latents = np.tile(self.sample_latents(columns, truncation, seed), (classes, 1))
        labels = self.sample_labels(classes * columns, np.repeat(np.arange(classes), columns))
        return self.images_of(self.conditioned(latents, labels), truncation, seed), columns

    def picture_data(self, data: Any) -> Any:
        """What `pictures` and their axes are compared with: points of 2-D data; nothing for images."""
        return data.to_numpy(1000) if len(self.image_shape) == 1 else None

    def example_batch(self, n: int | None = None, seed: int = 0) -> Any:
        """A batch of the kind that `fit` takes, of `n` (default: batch_size) uniform random images: to time or test.

        Images are float32 (n, height, width, channels) in [-1, 1); with classes all of them in turn, int32 (n,).
        """
        images = sampling.uniform_images([n or self.batch_size, *self.image_shape], seed, "images")
        return images if self.classes is None else (images, tf.range(len(images)) % self.classes.num_classes)

    def check_batches(self, dataset):
        """Images of this shape, with labels where there are classes."""
        super().check_batches(dataset)
        if self.classes is not None:
            _, labels = self.split_batch(dataset.element_spec)
            self.classes.check_batches(dataset, labels, type(self).__name__)

    def load_data(self, name: str | None = None, split: str | None = None, **options: Any) -> Any:
        """The data called `name` (default: Fashion-MNIST) as this model trains on it; see `ganlib.data.load`."""
        from ganlib import data

        images = len(self.image_shape) == 3
        fitting = {"resolution": self.image_shape[0] if images else None, "labels": self.classes is not None}
        split = {} if split is None else {"split": split}
        return data.load(name or self.default_data, **{**fitting, **split, **options})

    def fitted(self, arguments: dict[str, Any], data: Any) -> dict[str, Any]:
        """Constructor arguments that make this model follow the data, beside those that were given.

        Raises:
            InputError: What was given contradicts the data.
        """
        changes = {}
        if self.follows("channels", arguments) and len(data.shape) == len(self.image_shape):
            changes["channels"] = data.channels
        if self.classes is not None and data.num_classes != self.classes.num_classes:
            if "num_classes" in arguments:
                raise InputError(
                    f"num_classes={self.classes.num_classes}: {data.name} has {data.num_classes} classes; leave "
                    "it out, the model follows the data"
                )
            changes["num_classes"] = data.num_classes
        return changes

    def evaluate_on(self, data: Any, metrics: Sequence[str] | None, samples: int | None, **how: Any) -> Any:
        """Scores of samples against data, see `ganlib.metrics.evaluate`; by default FID, KID, precision and recall."""
        from ganlib.metrics import evaluate

        names = metrics or ["fid", "kid", "precision", "recall"]
        return evaluate(self, data, names, samples or 10_000, **how)
