"""Datasets of batches for `fit`: whether they fit a model, and where in them a run goes on."""

import warnings
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ganlib.errors import InputError


def check_images(
    dataset: Any, spec: tf.TensorSpec, shape: Sequence[int], model: str, batch_size: int
) -> None:
    """Check what a dataset holds.

    Args:
        dataset: What `fit` was given.
        spec: Of its images.
        shape: (height, width, channels) that the model takes.
        model: Its name, for messages.
        batch_size: Its batch size, for messages.

    Raises:
        InputError: The images are single, of another shape or of another type.
    """
    if tuple(spec.shape) == tuple(shape):
        raise InputError(f"the dataset has single images of shape {spec.shape}: add .batch({batch_size})")
    if spec.shape.rank is None or tuple(spec.shape[1:]) != tuple(shape):
        raise InputError(
            f"the dataset has batches of shape {spec.shape}, {model} takes (batch, "
            f"{', '.join(map(str, shape))}): load the data with the model's resolution and channels"
        )
    if spec.dtype != tf.float32:
        raise InputError(f"the dataset has {spec.dtype.name} images: convert them to float32 in [-1, 1]")


def require_dataset(dataset: Any) -> None:
    """Check the type of what `fit` was given.

    Raises:
        InputError: It is no tf.data.Dataset.
    """
    if not isinstance(dataset, tf.data.Dataset):
        raise InputError(
            f"fit takes a tf.data.Dataset of batches, not {type(dataset).__name__}: for an array use "
            "tf.data.Dataset.from_tensor_slices(images).batch(gan.batch_size, drop_remainder=True)"
        )


def check_shares(size: int | None, replicas: int, parts: int) -> None:
    """Check that a batch can be cut into equal shares.

    Args:
        size: Of the batches, if it is always the same.
        replicas: That share a batch.
        parts: Micro-batches of each replica's share.

    Raises:
        InputError: They cannot.
    """
    if replicas > 1 and (size is None or size % replicas):
        raise InputError(
            f"a batch of {size} cannot be shared by {replicas} replicas: use a multiple of {replicas} "
            "and drop_remainder=True"
        )
    if parts > 1 and (size is None or size % (replicas * parts)):
        raise InputError(
            f"a batch of {size} cannot be cut into accumulate={parts} parts on {replicas} replicas: use a multiple of "
            f"{replicas * parts} and drop_remainder=True"
        )


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset without tf.data's tuner, whose thread sleeps for 10, 20, 40, ... ms up to a minute.

    An iterator that ends waits for it: a `fit` of 5.2 s took 10.2 s.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def look_at_first(dataset: tf.data.Dataset, num_classes: int | None) -> None:
    """Look at the first batch of a dataset that is not ganlib's: warn of images that are not in [-1, 1].

    Raises:
        InputError: It has labels of classes that the model has not.
    """
    if hasattr(dataset, "from_image"):
        return
    for part in tf.nest.flatten(next(iter(untuned(dataset.take(1))), ())):
        if num_classes is not None and part.dtype.is_integer and part.shape.rank == 1:
            low, high = int(tf.reduce_min(part)), int(tf.reduce_max(part))
            if low < 0 or high >= num_classes:
                raise InputError(
                    f"labels of the first batch are {low} to {high}: the model has {num_classes} classes, give 0 to "
                    f"{num_classes - 1}"
                )
        reach = float(tf.reduce_max(tf.abs(part))) if part.dtype.is_floating and part.shape.rank == 4 else 0.0
        if reach > 2:
            warnings.warn(
                f"the images of the first batch reach {reach:.4g}; generators make them in [-1, 1]: for values of 0 to "
                "255 map x -> x / 127.5 - 1",
                stacklevel=2,
            )


def opened(dataset: tf.data.Dataset, image: int, batch: int, batch_size: int | None) -> tf.data.Dataset:
    """The batches without an end, from where a run is.

    A dataset of ganlib's starts at any image, in batches of any size. Others can only skip whole batches of their own.

    Args:
        dataset: Of batches.
        image: How many distinct real images the run was shown.
        batch: How many batches it has drawn.
        batch_size: Of the batches to come; None: as they are.

    Raises:
        InputError: Another batch size is needed than a foreign dataset has, or its batches do not reach the image.
    """
    if hasattr(dataset, "from_image"):
        if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
            return dataset.from_image(image, batch_size)
        dataset = dataset.from_image(0, batch_size)
    size = tf.nest.flatten(dataset.element_spec)[0].shape[0]
    if batch_size not in (None, size):
        raise InputError(
            f"this phase has batches of {batch_size}, the dataset's are of {size}, and only ganlib's own datasets "
            "(ganlib.data.load, from_arrays) can be cut anew: use one of these"
        )
    if size is not None and image != batch * size:
        if image % size:
            raise InputError(
                f"the run goes on at image {image}, which batches of {size} do not reach: use batches of the size "
                "that it had so far"
            )
        batch = image // size
    batches = int(dataset.cardinality())
    if batches >= 0:
        batch %= batches
    elif batches == tf.data.INFINITE_CARDINALITY:
        return dataset.skip(batch)
    # of a generator or a filter nobody knows the end: it is begun again, too
    return dataset.skip(batch).concatenate(dataset.repeat())
