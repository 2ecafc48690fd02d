"""Streams that are pure functions of (seed, position): any batch can be had without those before it.

Batch i of a stream holds the positions i * batch_size, i * batch_size + 1, ... A position p of a set of n
examples lies in epoch p // n; a permutation drawn for (seed, epoch) says which example it is.
There is no state: a stream restarts anywhere at once, and it is the same whatever the batch size.
"""

import copy
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.batches import untuned
from ganlib.data.sources import ArraySource, Source, StreamSource, check_memory, integer
from ganlib.errors import DataError, InputError

# Examples are made in groups of this many for whoever reads them one by one.
_GROUP = 64


class _Described(tf.data.Dataset):
    """A tf.data.Dataset that knows where its examples come from."""

    def __init__(self, inner: tf.data.Dataset, source: Source, labels: bool):
        self._inner = inner
        self._source = source
        self.labelled = labels
        super().__init__(inner._variant_tensor)

    def _inputs(self) -> list[tf.data.Dataset]:
        return [self._inner]

    @property
    def element_spec(self) -> Any:
        return self._inner.element_spec

    @property
    def name(self) -> str:
        """The name given to `load`."""
        return self._source.name

    @property
    def split(self) -> str:
        """Which part of the data this is: "train", "test", ..."""
        return self._source.split

    @property
    def num_classes(self) -> int | None:
        """How many classes there are, whether or not labels were asked for; None if the source has none."""
        return self._source.num_classes

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """One name a class; None if the source has no labels."""
        return self._source.class_names

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example: (height, width, channels) of an image, (coordinates,) of a point."""
        return self._source.shape

    @property
    def resolution(self) -> int | None:
        """Height and width of an image; None for points."""
        return self.shape[0] if len(self.shape) == 3 else None

    @property
    def channels(self) -> int:
        """Of an image: 1 grey, 3 RGB. Of points: the number of coordinates."""
        return self.shape[-1]

    @property
    def size(self) -> int | None:
        """The number of distinct examples; None if there is no end to them."""
        return self._source.size

    @property
    def fingerprint(self) -> str | None:
        """16 digits that tell these examples and labels from all others; None if they are drawn, not stored."""
        return self._source.fingerprint

    @property
    def seed(self) -> int:
        """The seed of the order, and of what is generated."""
        return self._source.seed

    @property
    def centers(self) -> np.ndarray | None:
        """The modes of a toy distribution, float32 (num_classes, coordinates); None for other data."""
        return self._source.centers


class _OneByOne(_Described):
    """Examples one by one, of a maker of batches that starts anywhere."""

    _examples = "examples"  # what one is called in messages

    def __init__(self, maker: "_Batches", source: Source, labels: bool = False):
        self._maker = maker
        single = maker.dataset(_GROUP, drop_remainder=False, start=0).unbatch()
        length = tf.data.INFINITE_CARDINALITY if maker.length is None else maker.length
        super().__init__(single.apply(tf.data.experimental.assert_cardinality(length)), source, labels)

    def _count(self, n: int | None) -> int:
        if n is None and self.size is None:
            raise InputError(f"{self.name!r} is infinite: say how many {self._examples}, as in to_numpy(n)")
        return integer("n", self.size if n is None else n, 1, self.size)

    def _first(self, n: int | None) -> tuple[np.ndarray, ...]:
        """The first `n` elements, in the source's own order: an array of each of their parts."""
        n = self._count(n)
        groups = self._maker.in_order().dataset(_GROUP, drop_remainder=False, start=0)
        groups = map(tf.nest.flatten, groups.take(-(-n // _GROUP)).as_numpy_iterator())
        return tuple(np.concatenate(part)[:n] for part in zip(*groups, strict=True))

    def batch(self, batch_size: int, drop_remainder: bool | None = None) -> "BatchedDataset":
        """Batches of `batch_size` examples, made whole and ahead of time.

        Args:
            batch_size: examples a batch.
            drop_remainder: leave out a last batch that is not full. By default so for the train split. Where
                the data repeats there is no last batch: one that crosses the end of an epoch goes on with the
                next epoch.

        Raises:
            InputError: `batch_size` is not a positive integer.
            DataError: no batch would be full.
        """
        batch_size = integer("batch_size", batch_size, 1)
        check_memory(f"a batch of {self.name}", batch_size, self.shape)
        if drop_remainder is None:
            drop_remainder = self._maker.repeat or self.split.startswith("train")
        length = self._maker.length
        if drop_remainder and length is not None and length < batch_size:
            raise DataError(
                f"{self.name!r} ({self.split}) has {length} {self._examples}, not one full batch of {batch_size}: "
                "choose a smaller batch_size, repeat=True or drop_remainder=False"
            )
        return BatchedDataset(self._maker, self._source, batch_size, drop_remainder)


class ImageDataset(_OneByOne):
    """Images in [-1, 1], or points, one by one: a tf.data.Dataset with attributes and a seekable `batch`.

    Elements are float32 (height, width, channels), or pairs of that and an int32 scalar if labels were asked
    for. Made by `ganlib.data.load` and `ganlib.data.from_arrays`.
    """

    def __init__(self, source: Source, *, labels: bool, shuffle: bool, repeat: bool):
        if labels and source.num_classes is None:
            raise DataError(
                f"{source.name!r} has no labels: load it with labels=False, for a model without classes"
            )
        maker = _Batches(source, labels, shuffle, repeat)
        super().__init__(maker, maker.source, labels)

    def to_numpy(self, n: int | None = None) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """The first `n` examples in the source's own order, unshuffled, as float32 NumPy arrays.

        Args:
            n: how many; all of them by default.

        Returns:
            Examples (n, height, width, channels) in [-1, 1] or points (n, coordinates); with labels a pair of
            that and int32 (n,).

        Raises:
            InputError: the source is infinite and `n` is not given, or it has fewer than `n`.
        """
        found = self._first(n)
        return found if self.labelled else found[0]

    def details(self, n: int, start: int = 0) -> dict[str, np.ndarray]:
        """What examples `start` ... `start + n - 1`, in the order of `to_numpy`, were drawn from.

        `polygons`: corners. `shapes`: class, hue, saturation, value, x, y, size, rotation and the background.
        `matching_shapes`: both hues, the rest as there, for each object. `faces`: all of `FACTORS` and `POSE`.

        Raises:
            InputError: this source has no such table.
        """
        source = self._source
        make = getattr(source, "details", None)
        if make is None:
            raise InputError(
                f"{self.name!r} has no table of factors: only 'polygons', 'shapes', 'matching_shapes' and 'faces' do"
            )
        start = integer("start", start, 0)
        return make(start, integer("n", n, 1, None if source.size is None else source.size - start))


class BatchedDataset(_Described):
    """Batches: float32 (batch_size, height, width, channels), or pairs of that and int32 (batch_size,)."""

    def __init__(
        self, maker: "_Batches", source: Source, batch_size: int, drop_remainder: bool, first: int = 0
    ):
        self._maker = maker
        self._drop_remainder = drop_remainder
        self._first = first
        self.batch_size = batch_size
        super().__init__(maker.dataset(batch_size, drop_remainder, first), source, maker.labels)

    @property
    def paired(self) -> bool | None:
        """Of a `PairDataset`: whether a source and its target belong together. None for other data."""
        return self._maker.second is None if hasattr(self._maker, "second") else None

    def starting_at(self, batch_index: int) -> "BatchedDataset":
        """The same stream from batch number `batch_index` (from 0) on, in constant time."""
        return self.from_image(integer("batch_index", batch_index, 0) * self.batch_size)

    def from_image(self, image: int, batch_size: int | None = None) -> "BatchedDataset":
        """The same stream from image number `image` (from 0) on, in batches of `batch_size`, in constant time.

        Args:
            image: The first of the first batch.
            batch_size: Of the batches; None: as it is.

        Raises:
            InputError: The batches are made whole (`single_label_batches`), and the image is not the first of one.
        """
        image, size = integer("image", image, 0), self.batch_size
        if batch_size is not None:
            size = integer("batch_size", batch_size, 1)
        if self._maker.whole and (self._first + image) % size:
            raise InputError(
                f"image {image} is not the first of a batch of {size}, and these batches are made whole: use the "
                "batch size that the run had so far"
            )
        return BatchedDataset(self._maker, self._source, size, self._drop_remainder, self._first + image)


class _Batches:
    """Makes batches of a source at any position."""

    whole = False  # whether a batch is made as one: a position within it means nothing

    def __init__(self, source: Source, labels: bool, shuffle: bool, repeat: bool):
        finite_stream = isinstance(source, StreamSource) and source.size is not None
        self.source = _rendered(source) if finite_stream and (shuffle or repeat) else source
        self.labels = labels
        self.shuffle = shuffle
        self.repeat = repeat
        self.length = None if repeat or source.size is None else source.size  # of the stream

    def in_order(self) -> "_Batches":
        """The same examples, one pass, unshuffled; shares the memory."""
        other = copy.copy(self)
        other.shuffle, other.repeat, other.length = False, False, self.source.size
        return other

    def dataset(self, batch_size: int, drop_remainder: bool, start: int) -> tf.data.Dataset:
        """Batches of the stream's examples `start`, `start + 1`, ..."""
        static = drop_remainder or self.length is None
        if self.length is None:
            indices = tf.data.Dataset.counter(dtype=tf.int64)
        else:
            left = max(0, self.length - start)
            indices = tf.data.Dataset.range(left // batch_size if drop_remainder else -(-left // batch_size))

        @tf.autograph.experimental.do_not_convert
        def batch(index):
            first = start + index * batch_size
            n = batch_size if static else tf.minimum(tf.constant(batch_size, tf.int64), self.length - first)
            return self.make(first, n)

        dataset = indices.map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        options = tf.data.Options()
        # Workers take their slices of each batch; there are no files to shard by.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        return untuned(dataset.with_options(options).prefetch(2))

    def make(self, first: tf.Tensor, n: int | tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        """The examples at positions `first` ... `first + n - 1`, scaled to [-1, 1] if they are images."""
        if isinstance(self.source, ArraySource):
            types = [tf.as_dtype(self.source.examples.dtype)] + [tf.int32] * self.labels
            examples, *labels = tf.numpy_function(self._gather, [first, n], types, stateful=False)
            labels = labels[0] if self.labels else None
        else:
            examples, labels = self.source.draw(first, n)
        if examples.dtype == tf.uint8:
            examples = tf.cast(examples, tf.float32) * (2 / 255) - 1.0  # 0 is -1 and 255 is 1, exactly
        batch = n if isinstance(n, int) else None
        examples = tf.ensure_shape(examples, (batch, *self.source.shape))
        return (examples, tf.ensure_shape(labels, (batch,))) if self.labels else examples

    def _gather(self, first: int, n: int) -> list[np.ndarray]:
        """Examples, and labels if asked for, at positions `first` ... `first + n - 1`: copies out of the arrays."""
        return self._taken(self._visited(np.arange(first, first + n), self.source.size, self.source.split))

    def _visited(self, positions: np.ndarray, size: int, what: str) -> np.ndarray:
        """Which of `size` examples stand at such positions, in an order for each epoch if they are shuffled."""
        epochs, rows = np.divmod(positions, size)
        if self.shuffle:
            for epoch in range(epochs[0], epochs[-1] + 1):
                here = epochs == epoch
                rows[here] = _permutation(self.source.seed, what, size, epoch)[rows[here]]
        return rows

    def _taken(self, rows: np.ndarray) -> list[np.ndarray]:
        arrays = [self.source.examples] + [self.source.labels] * self.labels
        return [array.take(rows, axis=0) for array in arrays]


@functools.lru_cache(maxsize=8)
def _permutation(seed: int, split: str, size: int, epoch: int) -> np.ndarray:
    """The order of one epoch.

    Not by TensorFlow's RandomIndexShuffle, which needs no memory, but whose permutations are not uniform:
    over 1,000 epochs of 10 examples one came first 141 times and another 51 times (8 rounds of its cipher; 16
    were no better).
    """
    return randomness.host_generator(seed, f"order of {split}, epoch {epoch}").permutation(size)


def _rendered(source: StreamSource) -> ArraySource:
    """The whole of a finite stream in memory, so that it can be visited in any order."""
    check_memory(source.name, source.size, source.shape)
    labelled = source.num_classes is not None

    @tf.autograph.experimental.do_not_convert
    def draw(group):
        first = group * _GROUP
        examples, labels = source.draw(first, tf.minimum(tf.constant(_GROUP, tf.int64), source.size - first))
        return (examples, labels) if labelled else (examples,)

    groups = tf.data.Dataset.range(-(-source.size // _GROUP))
    groups = groups.map(draw, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    parts = [np.concatenate(part) for part in zip(*untuned(groups).as_numpy_iterator(), strict=True)]
    return _RenderedSource(
        **{k: v for k, v in vars(source).items() if k not in ("draw", "details")},
        details=source.details,
        examples=parts[0],
        labels=parts[1] if labelled else None,
    )


class _RenderedSource(ArraySource):
    """A stream held in memory that still knows its factors."""

    def __init__(self, details: Any, **known: Any):
        super().__init__(**known)
        object.__setattr__(self, "details", details)
