"""MNIST, CIFAR-10 and the whole of Fashion-MNIST through keras.datasets, which caches what it downloads."""

import contextlib
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from ganlib.data.resize import fitted
from ganlib.data.sources import ArraySource, Request, array_source, one_of
from ganlib.errors import DataError

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_PATIENCE = 20  # seconds without a byte from the network


def mnist(request: Request) -> ArraySource:
    """MNIST: 28x28 grey digits (LeCun, Bottou, Bengio, Haffner 1998), 60,000 and 10,000."""
    return _source(request, "mnist", tuple("0123456789"), black_frame=True)


def cifar10(request: Request) -> ArraySource:
    """CIFAR-10: 32x32 colour photographs (Krizhevsky 2009), 50,000 and 10,000."""
    return _source(request, "cifar10", CIFAR10, black_frame=False)


def _source(request: Request, name: str, class_names: tuple[str, ...], black_frame: bool) -> ArraySource:
    split = one_of("split", request.split, ("train", "test"))
    images, labels = download(name, f"copy {cached_files(name)[0]} from a machine with a network")[split]
    images = images.reshape(*images.shape[:3], -1)
    return array_source(
        request, fitted(images, request.resolution, request.channels, black_frame), labels, class_names
    )


def download(name: str, remedy: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """`keras.datasets.<name>.load_data()` by split: from Keras' cache, else from the network.

    Raises:
        DataError: neither has it; says why, and `remedy`.
    """
    # Keras announces the download on stdout before it knows whether there is a network.
    try:
        with _patience(), contextlib.redirect_stdout(io.StringIO()):
            train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # whatever the network, the cache or the disk says
        reason = " ".join(str(error).split())
        raise DataError(
            f"{name!r} is neither in Keras' cache nor on the network ({reason}): {remedy}"
        ) from error
    return {"train": train, "test": test}


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Let a silent network fail instead of hanging: Keras' download itself sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def cache_folder() -> Path:
    """Where Keras keeps its datasets: $KERAS_HOME/datasets, by default ~/.keras/datasets."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets"


def cached_files(name: str) -> list[Path]:
    """What Keras' cache holds of `name`, where Keras 3 has put it; the first entry is the current place."""
    cifar10 = "cifar-10-batches-py-target", "cifar-10-batches-py"
    return [cache_folder() / file for file in {"mnist": ["mnist.npz"], "cifar10": cifar10}[name]]
