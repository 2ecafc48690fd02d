"""Any image data of TensorFlow Datasets: `tfds:cifar100`, `tfds:celeb_a`, ... An optional extra."""

import os

import numpy as np
from PIL import Image

from ganlib.data.resize import square, with_channels
from ganlib.data.sources import LARGEST, SMALLEST, ArraySource, Request, array_source, check_memory
from ganlib.errors import DataError

INSTALL = 'pip install "ganlib[tfds]"'


def source(
    name: str,
    request: Request,
    *,
    data_dir: str | os.PathLike | None = None,
    image_key: str = "image",
    label_key: str = "label",
) -> ArraySource:
    """A split of a TensorFlow Dataset, read once into memory.

    Args:
        name: what `tfds.builder` understands, "cifar100" or "downsampled_imagenet/32x32".
        request: what every source understands; its split may be a slice, "train[:10%]".
        data_dir: where TensorFlow Datasets keeps its files; by default ~/tensorflow_datasets.
        image_key: the feature that is the image.
        label_key: the feature that is the label; without it the data has no labels.

    Raises:
        DataError: not installed, no such data or split, no network, no such feature, or different sizes
            without `resolution`.
    """
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise DataError(f"{request.name!r} needs tensorflow-datasets ({error}): {INSTALL}") from error
    try:
        builder = tensorflow_datasets.builder(name, data_dir=data_dir and os.fspath(data_dir))
        builder.download_and_prepare()
        rows = builder.as_dataset(split=request.split, shuffle_files=False)
        count = builder.info.splits[request.split].num_examples
    except Exception as error:  # names, splits, network, disk: TensorFlow Datasets raises its own of each
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DataError(f"{request.name!r} ({request.split}) cannot be had: {reason}") from error
    features = builder.info.features
    if image_key not in features:
        raise DataError(
            f"{request.name!r} has no feature {image_key!r}, but {', '.join(features)}: set image_key="
        )
    images, labels = [], []
    labelled = label_key in features and hasattr(features[label_key], "names")
    for row in rows.as_numpy_iterator():
        image = _fit(np.asarray(row[image_key]), request)
        if not images:
            check_memory(request.name, count, image.shape)
        elif image.shape != images[0].shape:
            raise DataError(
                f"images of {request.name!r} differ in size, {image.shape} after {images[0].shape}: "
                "give resolution="
            )
        images.append(image)
        if labelled:
            labels.append(row[label_key])
    if not images:
        raise DataError(f"{request.name!r} ({request.split}) has no examples")
    side = images[0].shape[0]
    if not SMALLEST <= side <= LARGEST:
        raise DataError(
            f"images of {request.name!r} are {side} pixels high: "
            f"give resolution= from {SMALLEST} to {LARGEST}"
        )
    if not labelled:
        return array_source(request, np.stack(images))
    return array_source(request, np.stack(images), np.array(labels), features[label_key].names)


def _fit(image: np.ndarray, request: Request) -> np.ndarray:
    """One uint8 image (height, width, 1 or 3) as a square of the resolution and channels asked for."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise DataError(
            f"images of {request.name!r} are {image.dtype} {image.shape}: only uint8 grey or RGB can be used"
        )
    image = with_channels(image, request.channels or image.shape[-1])
    return square(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image), request.resolution)
