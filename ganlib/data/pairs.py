"""Data of translators: (source, target) pairs of images, and two domains of images without pairs.

| name | source | target |
|---|---|---|
| edges_to_fashion | edges of clothes, by Canny | Fashion-MNIST |
| segmentation_to_shapes | one flat colour a class | the shaded object (shapes.py) |
| warm_to_cool | objects from red to yellow | the same objects from cyan to blue |
| outline_to_face | outlines, black on white | the face (faces.py) |
| beard_to_none | faces with a beard | the same without |
| day_to_night | faces before a light background | the same before a dark one |
| folder:PATH | pix2pix's layout: the left half of each file | the right half |

`unpaired` has the same names, each with the sources of one half of the scenes and the targets of the other, and

| name | domain A | domain B |
|---|---|---|
| folder:PATH | CycleGAN's layout: PATH/trainA | PATH/trainB |
| tfds:cycle_gan/NAME | trainA | trainB |
| faces_and_textures | faces: contents | textures: styles |

Streams are functions of seed and position, augmentation included, as those of `load` are.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.data import faces, fashion_mnist, folder, shapes, textures, tfds
from ganlib.data.edges import canny
from ganlib.data.pipeline import _Batches, _OneByOne
from ganlib.data.resize import with_channels
from ganlib.data.sources import (
    ArraySource,
    Request,
    Source,
    StreamSource,
    array_source,
    builder,
    checked_request,
    integer,
    known,
)
from ganlib.errors import DataError, InputError

_ORDER = {"shuffle": None, "repeat": None, "mirror": False, "jitter": False}
_LARGER = 286 / 256  # pix2pix's jitter: to 286x286, and a random 256x256 of that


def edges_to_fashion(request: Request) -> ArraySource:
    """Edges and clothes, 28x28 grey by default; edges are found at the resolution asked for."""
    plain = fashion_mnist.source(dataclasses.replace(request, channels=1))
    edges = _fashion_edges(request.split, request.resolution, request.full)
    channels = request.channels or 1
    both = [with_channels(images, channels) for images in (edges, plain.examples)]
    return array_source(request, np.concatenate(both, axis=-1), plain.labels, plain.class_names)


@functools.lru_cache(maxsize=4)
def _fashion_edges(split: str, resolution: int | None, full: bool) -> np.ndarray:
    request = Request("fashion_mnist", split, resolution, 1, 0, full)
    return canny(fashion_mnist.source(request).examples[..., 0])[..., None]


def segmentation_to_shapes(request: Request, *, size: int | None = None) -> StreamSource:
    """Which class is where, and a picture of it in any colour; 64x64 RGB by default."""
    return shapes.paired_source(request, shapes.segmentation, shapes.shaded, size)


def warm_to_cool(request: Request, *, size: int | None = None) -> StreamSource:
    """Objects with hues from red to yellow, and the same with hues half a turn on; 64x64 RGB by default."""
    if request.channels == 1:
        raise InputError("channels=1: warm and cool colours are the same in grey; use channels=3")
    return shapes.paired_source(request, shapes.recoloured(0, 1 / 6), shapes.recoloured(1 / 2, 2 / 3), size)


_SOURCES: dict[str, tuple[Callable[..., Source], str]] = {
    "edges_to_fashion": (edges_to_fashion, "edges -> 28x28 grey clothes; 10,000 ship with ganlib"),
    "segmentation_to_shapes": (
        segmentation_to_shapes,
        "class maps -> coloured shaded objects, at any resolution",
    ),
    "warm_to_cool": (warm_to_cool, "red to yellow objects -> cyan to blue ones, at any resolution"),
    "outline_to_face": (faces.outline_to_face, "outlines -> cartoon faces, at 16 to 256 pixels"),
    "beard_to_none": (faces.beard_to_none, "cartoon faces with a beard -> without, at 16 to 256 pixels"),
    "day_to_night": (faces.day_to_night, "cartoon faces by day -> by night, at 16 to 256 pixels"),
}


def faces_and_textures(request: Request, domain: str, *, size: int | None = None) -> StreamSource:
    """Contents (domain "A") and styles ("B"), which have nothing to do with each other; 64x64 RGB by default."""
    return (faces if domain == "A" else textures).source(request, size=size)


# Two domains that are not halves of pairs.
_DOMAINS: dict[str, tuple[Callable[..., Source], str]] = {
    "faces_and_textures": (
        faces_and_textures,
        "contents and styles, unpaired: cartoon faces, patterns in colour, at 16 to 256 pixels",
    ),
}


class PairDataset(_OneByOne):
    """Pairs of images in [-1, 1], one by one: a tf.data.Dataset with attributes and a seekable `batch`.

    Elements are (source, target), both float32 (height, width, channels). `shape`, `channels` and so on are the
    target's. Made by `ganlib.data.paired` and `ganlib.data.unpaired`.
    """

    _examples = "pairs"

    @property
    def source_shape(self) -> tuple[int, ...]:
        """Of a source image: (height, width, channels)."""
        return self._maker.shapes[0]

    @property
    def paired(self) -> bool:
        """Whether a source and its target belong together."""
        return self._maker.second is None

    @property
    def fingerprint(self) -> str | None:
        """As of an ImageDataset; of both domains together, if they are two."""
        first, second = self._source.fingerprint, self._maker.second
        return first if second is None or first is None else f"{first}-{second.source.fingerprint}"

    def to_numpy(self, n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The first `n` sources and targets in their own order, neither shuffled nor augmented.

        Args:
            n: how many; all of them by default.

        Raises:
            InputError: there is no end and `n` is not given, or there are fewer.
        """
        return self._first(n)

    def class_labels(self, n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Classes, int32 (n,), of the first `n` sources and targets, in the order of `to_numpy`.

        Raises:
            DataError: the images have no labels.
        """
        if self.num_classes is None:
            raise DataError(f"{self.name!r} has no labels")
        n = self._count(n)
        makers = [self._maker, self._maker.second or self._maker]
        return tuple(_labels(maker.source, n) for maker in makers)


class _PairBatches(_Batches):
    """Makes batches of pairs at any position.

    Args:
        first: of pairs, with the channels of the target behind those of the source; or of domain A.
        second: of domain B; None: pairs.
        source_channels: where the channels of a pair are divided.
        mirror: whether half of the pairs are mirrored left to right.
        jitter: whether pairs are enlarged and cropped at random.
        **order: shuffle and repeat, as in `load`.
    """

    def __init__(
        self,
        first: Source,
        second: Source | None,
        source_channels: int,
        mirror: bool,
        jitter: bool,
        **order: bool,
    ):
        super().__init__(first, False, **order)
        self.second = None if second is None else _Batches(second, False, **order)
        self.mirror, self.jitter = mirror, jitter
        height, width, channels = first.shape
        self.source_channels = source_channels
        target = channels - source_channels if second is None else second.shape[-1]
        self.shapes = [(height, width, source_channels), (height, width, target)]
        if self.second is not None and self.length is not None:
            self.length = min(self.length, self.second.length)

    def in_order(self):
        """The same pairs, one pass, neither shuffled nor augmented."""
        other = super().in_order()
        other.mirror = other.jitter = False
        if other.second is not None:
            other.second = other.second.in_order()
            if other.length is not None:
                other.length = min(other.length, other.second.length)
        return other

    def make(self, first, n):
        """Sources and targets at positions `first` ... `first + n - 1`."""
        # pairs are augmented while they are one image
        images = self._augmented(super().make(first, n), first, n, "a")
        if self.second is None:
            return images[..., : self.source_channels], images[..., self.source_channels :]
        return images, self._augmented(self.second.make(first, n), first, n, "b")

    def _augmented(self, images, first, n, which):
        if not (self.mirror or self.jitter):
            return images
        key = randomness.key_of(self.source.seed, f"augmentation/{self.source.split}/{which}")
        u = randomness.uniform(key, 0, first, (n, 3))
        side = images.shape[1]
        if self.jitter:
            larger = max(side + 1, round(side * _LARGER))
            # bilinear never leaves the range of the pixels, so images stay in [-1, 1]
            images = tf.image.resize(images, [larger, larger])
            for axis in (1, 2):
                offset = tf.cast(tf.floor(u[:, axis] * (larger - side + 1)), tf.int32)
                lines = offset[:, None] + tf.range(side)
                images = tf.gather(images, lines, axis=axis, batch_dims=1)
        if self.mirror:
            images = tf.where(u[:, :1, None, None] < 0.5, tf.reverse(images, [2]), images)
        return images


class PairOptions(TypedDict, total=False):
    """What `paired` and `unpaired` take by name.

    Args:
        seed: of the order, the augmentation, and the content of what is rendered.
        shuffle: a new permutation in every epoch; by default for the train split only.
        repeat: go on for ever; by default for the train split only. What is rendered without end always does.
        full: all images of Fashion-MNIST.
        channels: of all images, 1 grey or 3 RGB; by default the source's own, of unpaired folders RGB.
        mirror: mirror half of the pairs left to right, both images or none, anew in each epoch; unpaired, half of the
            images of each domain.
        jitter: enlarge both images of a pair by 286/256 and cut the same random square out of them, as pix2pix does
            (section 6.2); unpaired, each image by itself.
        size: rendered pairs: how many scenes there are.
        data_dir: tfds: where TensorFlow Datasets keeps its files.
    """

    seed: int
    shuffle: bool | None
    repeat: bool | None
    full: bool
    channels: int | None
    mirror: bool
    jitter: bool
    size: int | None
    data_dir: str | os.PathLike | None


def paired(
    name: str,
    split: str = "train",
    resolution: int | None = None,
    *,
    reverse: bool = False,
    **options: Unpack[PairOptions],
) -> PairDataset:
    """Pairs (source, target) by name, row by row of the same scene.

    Args:
        name: one of `pair_names()`; faces_and_textures is for `unpaired` only.
        split: "train" or "test"; for folders the name of the sub-folder: "train", "val", "test".
        resolution: height and width of both, 4 to 1024; by default the source's own.
        reverse: from the target to the source.
        **options: see `PairOptions`.

    Raises:
        InputError: an argument is not what it should be.
        DataError: the data is not here or broken.
    """
    if name in _DOMAINS:
        raise InputError(f"{name!r} has no pairs, only two domains: use ganlib.data.unpaired({name!r})")
    prefixes = {"folder": folder.paired_source}
    request, order, build = _asked(name, split, resolution, _SOURCES, prefixes, **options)
    pairs = build(request)
    width = pairs.shape[-1] // 2
    if reverse:
        pairs = _part(pairs, [*range(width, 2 * width), *range(width)])
    return _dataset(pairs, None, width, request, **order)


def unpaired(
    name: str, split: str = "train", resolution: int | None = None, **options: Unpack[PairOptions]
) -> PairDataset:
    """Images of two domains, (a, b), side by side without a relation: each in an order of its own.

    Of data made of pairs, domain A has the sources of one half of the scenes and B the targets of the other half. Where
    domains differ in size an epoch of each has its own length; without repetition the shorter one ends both.

    Args:
        name: one of `pair_names()`, or tfds:cycle_gan/NAME.
        split: "train" or "test".
        resolution: as in `paired`.
        **options: see `PairOptions`.

    Raises:
        InputError: an argument is not what it should be.
        DataError: the data is not here or broken.
    """
    domains = {"folder": folder.domain_source, "tfds": _tfds_domain}
    request, order, build = _asked(name, split, resolution, _SOURCES | _DOMAINS, domains, **options)
    if name in _DOMAINS or name.partition(":")[0] in domains:
        rgb = dataclasses.replace(request, channels=request.channels or 3)
        first, second = (build(rgb, domain) for domain in "AB")
        if first.shape != second.shape:
            raise DataError(
                f"the domains of {name!r} have {first.shape} and {second.shape} images: give resolution="
            )
    else:
        first, second = _halves(build, request)
    second = dataclasses.replace(second, split=f"{second.split}, domain B")  # an order of its own
    return _dataset(first, second, first.shape[-1], request, **order)


def pairs_from_arrays(
    sources: np.ndarray,
    targets: np.ndarray,
    *,
    paired: bool = True,
    name: str = "arrays",
    seed: int = 0,
    **order: Unpack[PairOptions],
) -> PairDataset:
    """Pairs, or two domains, of arrays in memory, with the pipeline of `paired` and `unpaired`.

    Args:
        sources: uint8 (n, side, side, 1 or 3); images of domain A.
        targets: uint8 (n, side, side, 1 or 3); unpaired, there may be more or fewer of them.
        paired: whether row i of one belongs to row i of the other.
        name: for messages.
        seed: of the order and the augmentation.
        **order: shuffle, repeat, mirror and jitter of `PairOptions`.

    Raises:
        DataError: arrays of another kind or shape.
    """
    for images in (sources, targets):
        square = images.ndim == 4 and images.shape[1] == images.shape[2] and images.shape[3] in (1, 3)
        if images.dtype != np.uint8 or not square:
            raise DataError(
                f"{name!r} has {images.dtype} {images.shape} images: give uint8 (n, side, side, 1 or 3)"
            )
    if sources.shape[1] != targets.shape[1] or (paired and len(sources) != len(targets)):
        raise DataError(
            f"{name!r} has sources {sources.shape} and targets {targets.shape}: give images of one size"
            + (", as many of each" if paired else "")
        )
    request = Request(name, "train", None, None, integer("seed", seed, 0), False)
    if paired:
        first, second = array_source(request, np.concatenate([sources, targets], axis=-1)), None
    else:
        first, second = array_source(request, sources), array_source(request, targets)
        second = dataclasses.replace(second, split="train, domain B")
    return _dataset(first, second, sources.shape[-1], request, **{**_ORDER, **order})


def pair_names() -> dict[str, str]:
    """What `paired` and `unpaired` know: name -> one line of description."""
    return {name: text for name, (_, text) in (_SOURCES | _DOMAINS).items()} | {
        "folder:PATH": "your own: side-by-side pairs in train, val, test; or domains in trainA, trainB, testA, testB",
        "tfds:cycle_gan/NAME": "unpaired domains of TensorFlow Datasets, such as horse2zebra (optional extra: tfds)",
    }


def _asked(
    name, split, resolution, sources, prefixes, seed=0, channels=None, full=False, **rest
) -> tuple[Request, dict[str, Any], Callable[..., Source]]:
    """What is asked for, how it is ordered and augmented, and the function that makes it of the request."""
    request = checked_request(name, split, resolution, channels, seed, full, "edges_to_fashion")
    order = {flag: rest.pop(flag, value) for flag, value in _ORDER.items()}
    build = builder("pairs are", name, rest, sources, prefixes, [*pair_names()])
    return request, order, functools.partial(build, **rest)


def _tfds_domain(
    name: str, request: Request, domain: str, *, data_dir: str | os.PathLike | None = None
) -> ArraySource:
    """Domain "A" or "B" of a data set whose splits are called as CycleGAN's are: trainA, trainB, testA, testB."""
    part = dataclasses.replace(request, split=f"{request.split}{domain}")
    return tfds.source(name, part, data_dir=data_dir)


def _halves(build: Callable[..., Source], request: Request) -> tuple[Source, Source]:
    """Sources and targets of different scenes."""
    pairs = build(request)
    width = pairs.shape[-1] // 2
    first, second = range(width), range(width, 2 * width)
    if isinstance(pairs, ArraySource):
        return _part(pairs, first, slice(0, None, 2)), _part(pairs, second, slice(1, None, 2))
    other = randomness.key_of(request.seed, "scenes of domain B") % 2**31
    others = build(dataclasses.replace(request, seed=other))
    return _part(pairs, first), _part(others, second)


def _part(pairs: Source, channels: Sequence[int], rows: slice = slice(None)) -> Source:
    """Some channels, in this order, and of arrays some rows."""
    if isinstance(pairs, ArraySource):
        examples = np.take(pairs.examples[rows], channels, axis=-1)
        labels = None if pairs.labels is None else pairs.labels[rows]
        return dataclasses.replace(
            pairs, examples=examples, labels=labels, shape=examples.shape[1:], size=len(examples)
        )

    def draw(start, n):
        images, labels = pairs.draw(start, n)
        return tf.gather(images, channels, axis=-1), labels

    return dataclasses.replace(pairs, draw=draw, shape=(*pairs.shape[:-1], len(channels)))


def _labels(source: Source, n: int) -> np.ndarray:
    if isinstance(source, ArraySource):
        return source.labels[:n]
    return source.draw(tf.constant(0, tf.int64), n)[1].numpy()


def _dataset(first, second, width, request, **flags) -> PairDataset:
    for flag, value in flags.items():
        if not any(value is choice for choice in (True, False, None)):
            raise InputError(f"{flag}={value!r} is not known: give True or False")
    train = request.split == "train"
    flags |= {name: train for name in ("shuffle", "repeat") if flags[name] is None}
    maker = _PairBatches(first, second, width, **flags)
    sizes = [source.size for source in (first, second) if source is not None and source.size is not None]
    described = known(request, maker.shapes[1], min(sizes, default=None), first.class_names)
    return PairDataset(maker, Source(**described))
