"""Data: `load` gives images in [-1, 1] (or 2-D points), with labels on request, as a tf.data.Dataset.

| name | what |
|---|---|
| gaussians_ring, gaussians_grid, swiss_roll | 2-D points, drawn for ever (toys.py) |
| polygons, shapes | rendered images, drawn for ever, any resolution (polygons.py, shapes.py) |
| matching_shapes | two objects of the same hue, left and right (matching_shapes.py) |
| faces | cartoon faces in colour, every factor known, drawn for ever (faces.py) |
| textures | patterns in colour, 8 kinds, drawn for ever (textures.py) |
| fashion_mnist | ships with ganlib: 10,000 and 2,000 images; all with full=True (fashion_mnist.py) |
| digits | scikit-learn's 8x8 digits (digits.py) |
| mnist, cifar10 | through keras.datasets (keras_datasets.py) |
| folder:PATH | image files, sub-folders are classes (folder.py) |
| tfds:NAME | TensorFlow Datasets (tfds.py) |

`paired` and `unpaired` give pairs of images to translators (pairs.py).
"""

import importlib.util
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganlib.data import (
    digits,
    faces,
    fashion_mnist,
    folder,
    keras_datasets,
    matching_shapes,
    polygons,
    shapes,
    textures,
    tfds,
    toys,
)
from ganlib.data.pairs import PairDataset, pair_names, paired, pairs_from_arrays, unpaired
from ganlib.data.pipeline import BatchedDataset, ImageDataset
from ganlib.data.resize import fitted
from ganlib.data.single_label import single_label_batches
from ganlib.data.sources import (
    LARGEST,
    SMALLEST,
    Request,
    array_source,
    builder,
    checked_request,
    integer,
    one_of,
)
from ganlib.errors import DataError, InputError

_SOURCES: dict[str, tuple[Callable[..., Any], str]] = {
    "gaussians_ring": (toys.gaussians_ring, "2-D points: normal distributions on a ring"),
    "gaussians_grid": (toys.gaussians_grid, "2-D points: normal distributions on a square grid"),
    "swiss_roll": (toys.swiss_roll, "2-D points: a noisy spiral"),
    "polygons": (polygons.source, "grey convex polygons of 3 to 8 corners, rendered at any resolution"),
    "shapes": (shapes.source, "coloured shaded objects of 10 classes, rendered at any resolution from 8 on"),
    "matching_shapes": (
        matching_shapes.source,
        "two coloured objects of the same hue, left and right, 3 kinds",
    ),
    "faces": (faces.source, "cartoon faces in colour, every factor known, at any resolution from 16 to 256"),
    "textures": (textures.source, "patterns in colour of 8 kinds, at any resolution: styles"),
    "fashion_mnist": (fashion_mnist.source, "28x28 grey clothes, 10 classes; 10,000 ship with ganlib"),
    "digits": (digits.source, "8x8 grey digits of scikit-learn, 10 classes, 1,797 images"),
    "mnist": (keras_datasets.mnist, "28x28 grey digits, 10 classes, through keras.datasets"),
    "cifar10": (keras_datasets.cifar10, "32x32 colour photographs, 10 classes, through keras.datasets"),
}
# "prefix:" -> what follows the colon goes to the source too.
_PREFIXES: dict[str, Callable[..., Any]] = {"folder": folder.source, "tfds": tfds.source}


def load(
    name: str,
    split: str = "train",
    resolution: int | None = None,
    *,
    labels: bool | str | Sequence[str] = False,
    seed: int = 0,
    shuffle: bool | None = None,
    repeat: bool | None = None,
    full: bool = False,
    channels: int | None = None,
    **options: Any,
) -> ImageDataset:
    """Images (or points) by name.

    The stream is a pure function of `seed` and position. A non-square image is cropped to its centre, never
    stretched; a 28x28 image becomes 32x32 by a black frame; otherwise images are resampled (resize.py), once,
    and kept as uint8 in memory.

    Args:
        name: one of `names()`.
        split: "train" or "test"; what TensorFlow Datasets calls its splits.
        resolution: height and width, 4 to 1024; by default the source's own.
        labels: give (image, label) pairs, labels int32. Of faces also the factor that is the label, or several.
        seed: of the order, and of the content of what is generated.
        shuffle: a new permutation in every epoch; by default for the train split only. What is generated
            without end has no order to shuffle.
        repeat: go on for ever; by default for the train split only. What is generated without end always
            does.
        full: all images of fashion_mnist instead of the embedded ones.
        channels: 1 grey or 3 RGB; by default the source's own.
        **options: of the source; an error lists them. Toys: modes, radius, spacing, sigma, size; polygons, shapes and
            textures: size (None: infinite); matching_shapes: size, spread; faces: size, factors, classes, imbalance;
            fashion_mnist: data_dir.

    Returns:
        A tf.data.Dataset of float32 (resolution, resolution, channels) in [-1, 1], or points (2,); see
        ImageDataset.

    Raises:
        InputError: an argument is not what it should be.
        DataError: the data is not here, broken, or has no labels.
    """
    if name == "faces" and isinstance(labels, str | tuple | list):
        options, labels = {**options, "classes": labels}, True
    arguments = [*inspect.signature(load).parameters]
    build = builder("data is", name, options, _SOURCES, _PREFIXES, [*names()], arguments)
    for flag, value in (("labels", labels), ("shuffle", shuffle), ("repeat", repeat), ("full", full)):
        allowed = (True, False) if flag in ("labels", "full") else (True, False, None)
        if not any(value is choice for choice in allowed):
            raise InputError(f"{flag}={value!r} is not known: give True or False")
    request = checked_request(name, split, resolution, channels, seed, full, "fashion_mnist")
    train = split == "train" or (name.startswith("tfds:") and split.startswith("train"))
    return ImageDataset(
        build(request, **options),
        labels=labels,
        shuffle=train if shuffle is None else shuffle,
        repeat=train if repeat is None else repeat,
    )


def from_arrays(
    images: np.ndarray,
    labels: np.ndarray | Sequence[int] | None = None,
    *,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
    split: str = "train",
    resolution: int | None = None,
    channels: int | None = None,
    seed: int = 0,
    shuffle: bool = True,
    repeat: bool = True,
) -> ImageDataset:
    """A dataset of arrays in memory, with the pipeline of `load`.

    Args:
        images: uint8 (n, side, side, 1 or 3) or (n, side, side), or float points (n, coordinates), taken as
            they are.
        labels: integers (n,), from 0; given, the elements are (image, label) pairs.
        num_classes: by default the highest label + 1.
        class_names: by default the numbers.
        name: for messages.
        split: likewise, and part of what the order depends on.
        resolution: resample to this.
        channels: 1 or 3, to convert.
        seed: of the order.
        shuffle: a new permutation in every epoch.
        repeat: go on for ever.

    Raises:
        DataError: arrays of another kind or shape, values that are not finite, or labels out of range.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8 and images.ndim == 3:
        images = images[..., None]
    if images.dtype == np.uint8 and images.ndim == 4:
        if images.shape[1] != images.shape[2] or images.shape[3] not in (1, 3):
            raise DataError(f"images have shape {images.shape}: give (n, side, side, 1 or 3)")
        if resolution is not None:
            resolution = integer("resolution", resolution, SMALLEST, LARGEST)
        images = fitted(images, resolution, one_of("channels", channels, (None, 1, 3)))
    elif images.dtype.kind == "f" and images.ndim == 2:
        images = images.astype(np.float32)
        if not np.isfinite(images).all():
            raise DataError(
                f"point {np.argwhere(~np.isfinite(images))[0][0]} of {name!r} is not finite: remove it"
            )
    else:
        raise DataError(
            f"{name!r} is an array of {images.dtype} {images.shape}: give uint8 images (n, side, side, "
            "channels), 0 black to 255 white, or float points (n, coordinates)"
        )
    if labels is not None:
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu":
            raise DataError(f"labels of {name!r} are {labels.dtype}: give integers from 0")
        if num_classes is None:
            num_classes = len(class_names) if class_names is not None else int(labels.max(initial=0)) + 1
        names_given = tuple(map(str, range(num_classes))) if class_names is None else tuple(class_names)
        if len(names_given) != num_classes:
            raise DataError(f"num_classes={num_classes} and {len(names_given)} class_names: they must agree")
        class_names = names_given
    request = Request(name, split, resolution, channels, integer("seed", seed, 0), False)
    source = array_source(request, images, labels, class_names)
    return ImageDataset(source, labels=labels is not None, shuffle=shuffle, repeat=repeat)


def read_images(
    path: str | os.PathLike,
    resolution: int,
    channels: int = 3,
    smallest: int = SMALLEST,
    first: int | None = None,
) -> np.ndarray:
    """An image file, or those of a folder (folder.py), as float32 (n, resolution, resolution, channels) in [-1, 1].

    Args:
        path: the file or the folder.
        resolution: height and width, 4 to 1024.
        channels: 1 grey or 3 RGB.
        smallest: the side that an image has to have before it is resampled.
        first: how many, at most, in the order of their names; no others are opened. None: all.

    Raises:
        InputError: an argument is not what it should be.
        DataError: nothing is there, or images cannot be read or are too small.
    """
    request = checked_request(str(path), "train", resolution, channels, 0, False, "fashion_mnist")
    first = None if first is None else integer("first", first, 1)
    images = folder.pictures(path, request, integer("smallest", smallest, 1), first)
    return images.astype(np.float32) * np.float32(2 / 255) - np.float32(1)


def names() -> dict[str, str]:
    """What `load` knows: name -> one line of description."""
    return {name: text for name, (_, text) in _SOURCES.items()} | {
        "folder:PATH": "image files in a folder; sub-folders are classes",
        "tfds:NAME": "any image data of TensorFlow Datasets (optional extra: tfds)",
    }


@dataclass(frozen=True)
class Availability:
    """Whether data can be loaded on this machine without a network.

    Attributes:
        name: as for `load`.
        found: it is here.
        where: what it comes from, or where it was looked for.
        remedy: how to get it; empty if it is here.
    """

    name: str
    found: bool
    where: str
    remedy: str = ""


def available() -> list[Availability]:
    """What is on this machine, and what to do about the rest; looks at files only, never at the network."""
    rendered = [Availability(name, True, "rendered") for name in list(_SOURCES)[:8]]
    full = next((str(place) for place in fashion_mnist.places() if fashion_mnist.complete(place)), None)
    network = "load it once with a network; it stays in Keras' cache"
    rows = [
        *rendered,
        Availability("fashion_mnist", True, "ships with ganlib (10,000 + 2,000 images)"),
        Availability(
            "fashion_mnist full=True",
            full is not None,
            full or str(keras_datasets.cache_folder() / "fashion-mnist"),
            "" if full else f"set GANLIB_DATA to a folder with the four idx .gz files, or {network}",
        ),
        Availability("digits", True, "ships with scikit-learn"),
    ]
    for name in ("mnist", "cifar10"):
        places = keras_datasets.cached_files(name)
        here = next((place for place in places if place.exists()), None)
        rows.append(Availability(name, here is not None, str(here or places[0]), "" if here else network))
    rows.append(Availability("folder:PATH", True, "your own images"))
    has_tfds = importlib.util.find_spec("tensorflow_datasets") is not None
    where = "tensorflow-datasets is installed" if has_tfds else "tensorflow-datasets is not installed"
    rows.append(Availability("tfds:NAME", has_tfds, where, "" if has_tfds else tfds.INSTALL))
    return rows
