"""Games whose generator is given an image: what translators share. They have `translate` where others have `sample`."""

import functools
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from ganlib import sampling
from ganlib.engine import Engine
from ganlib.errors import InputError
from ganlib.updates import Player

_TRANSLATED_BATCH = 64


class Translator(Engine):
    """Images of one domain -> images of another.

    Batches are pairs (source, target), each float32 (batch, height, width, channels) in [-1, 1]. Subclasses say whether
    row i of one belongs to row i of the other, and define `translate`. What a layer draws while it translates
    (`layers.NoiseDropout`) is a function of the run's seed, the seed given, and the number of the image.

    Args:
        players: As in `Engine`.
        recipe: As in `Engine`.
        source_shape: Of the sources; `image_shape` is the targets'.
        **kwargs: As `Engine` takes them.

    Attributes:
        paired: Whether row i of a batch's sources belongs to row i of its targets.
        styled: Whether targets are styles: `translate` and `pictures_of` then take them and a strength.
    """

    paired: ClassVar[bool] = True
    styled: ClassVar[bool] = False
    picture_rows = 8
    default_data = "edges_to_fashion"
    default_split: str | None = "test"
    classes = None

    def __init__(self, players: list[Player], recipe: dict, *, source_shape: tuple[int, ...], **kwargs: Any):
        super().__init__(players, recipe, **kwargs)
        self.source_shape = tuple(source_shape)

    @functools.cached_property
    def _chunks(self) -> sampling.Chunks:
        return sampling.Chunks(self.streams, "translate", _TRANSLATED_BATCH)

    def translate(self, images: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Targets of the sources `images`, float32 (n, height, width, channels) in [-1, 1]."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it translates: define translate()")

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
        key = sampling.key_from(seed, "translate")
        run = lambda images: network(images, training=False)  # noqa: E731
        return self._chunks.run(network.name, run, images.astype(np.float32), key)

    def forget_traces(self):
        """Those of the translating networks."""
        self._chunks.clear()

    def pictures_of(self, sources: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
        """What to look at: sources, their translations, and their targets, each (n, height, width, channels).

        Args:
            sources: Float (n, height, width, channels) in [-1, 1].
            targets: The same number of images of the other domain.
        """
        return [sources, self.translate(sources, seed=0), targets]

    def pictures(
        self, n: int, labels: Any = None, truncation: Any = None, seed: int = 0, real: Any = None
    ) -> tuple[np.ndarray, int | None]:
        """At most `n` rows of `pictures_of` for the pairs `real`, row after row, and in how many columns."""
        columns = self.pictures_of(*(images[:n] for images in real))
        return np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:]), len(columns)

    def picture_data(self, data: Any) -> Any:
        """The first pairs, for `pictures`."""
        return data.to_numpy(min(self.picture_rows, data.size or self.picture_rows))

    def example_batch(self, n: int | None = None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        """Random sources and random targets."""
        n = n or self.batch_size
        shapes = {"source": self.source_shape, "target": self.image_shape}
        source, target = (sampling.uniform_images([n, *shape], seed, name) for name, shape in shapes.items())
        return source, target

    def check_batches(self, dataset):
        """Pairs of images of these shapes."""
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
        super().check_batches(dataset)

    def misfit(self, data):
        """Targets, then sources."""
        found = super().misfit(data)
        if found is None and tuple(data.source_shape) != self.source_shape:
            return f"sources of shape {tuple(data.source_shape)}", f"takes {self.source_shape}"
        return found

    def load_data(self, name: str | None = None, split: str | None = None, **options: Any) -> Any:
        """The data called `name` (default: edges and clothes) as this model trains on it; see `ganlib.data.paired`."""
        from ganlib import data

        load = data.paired if self.paired else data.unpaired
        split = {} if split is None else {"split": split}
        return load(name or self.default_data, **{"resolution": self.image_shape[0], **split, **options})

    def fitted(self, arguments: dict[str, Any], data: Any) -> dict[str, Any]:
        """Constructor arguments that make this model follow the data, beside those that were given."""
        channels = {"channels": data.channels, "source_channels": data.source_shape[-1]}
        return {name: found for name, found in channels.items() if self.follows(name, arguments)}

    def evaluate_on(self, data: Any, metrics: Any, samples: int | None, **how: Any) -> Any:
        """Scores of translations against data, see `ganlib.metrics.evaluate_translations`.

        Raises:
            InputError: A truncation is given: it is of latents.
        """
        from ganlib.metrics import evaluate_translations

        if how.pop("truncation", None) is not None:
            raise InputError("--truncation is of latents, which a translator does not have: leave it out")
        return evaluate_translations(self, data, metrics, samples, **how)
