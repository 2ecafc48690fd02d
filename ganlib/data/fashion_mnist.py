"""Fashion-MNIST: 28x28 grey pictures of clothes, ten classes (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747).

The first 10,000 training and 2,000 test images ship with ganlib (data/embedded/, MIT licence, Zalando SE),
cut by `python -m ganlib.data.embed`. `full=True` finds all 60,000 and 10,000.
"""

import functools
import gzip
import importlib.resources
import os
import zlib
from pathlib import Path

import numpy as np

from ganlib.data.keras_datasets import cache_folder, download
from ganlib.data.resize import fitted
from ganlib.data.sources import ArraySource, Request, array_source, one_of
from ganlib.errors import DataError

CLASS_NAMES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package dataset-fashion-mnist puts them


def source(request: Request, *, data_dir: str | os.PathLike | None = None) -> ArraySource:
    """Fashion-MNIST as asked for.

    Args:
        request: what every source understands; `full` asks for all images instead of the embedded ones.
        data_dir: folder with the four original idx .gz files; by default the environment variable
            GANLIB_DATA.
    """
    split = one_of("split", request.split, tuple(FILES))
    if request.full or data_dir is not None:
        images, labels = _full(split, data_dir)
    else:
        images, labels = embedded(split)
    images = fitted(images[..., None], request.resolution, request.channels, black_frame=True)
    return array_source(request, images, labels, CLASS_NAMES)


@functools.cache
def embedded(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 28, 28) and labels (n,), uint8, read-only, of the subset that ships with ganlib."""
    path = importlib.resources.files("ganlib.data") / "embedded" / "fashion_mnist.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
    images.flags.writeable = labels.flags.writeable = False  # shared by all who call
    return images, labels


def places(data_dir: str | os.PathLike | None = None) -> list[Path]:
    """Folders in which the original files may lie, in the order in which they are tried."""
    folders = [data_dir, os.environ.get("GANLIB_DATA")]
    given = [Path(folder).expanduser() for folder in folders if folder]
    return [*given, *(folder / "fashion-mnist" for folder in (*given, cache_folder())), DEBIAN]


def complete(folder: Path) -> bool:
    """Whether all four original files are in `folder`."""
    return all((folder / file).is_file() for pair in FILES.values() for file in pair)


def _full(split: str, data_dir: str | os.PathLike | None) -> tuple[np.ndarray, np.ndarray]:
    if data_dir is not None:
        folder = Path(data_dir).expanduser()
        missing = [file for file in FILES[split] if not (folder / file).is_file()]
        if missing:
            raise DataError(
                f"data_dir={str(data_dir)!r} lacks {', '.join(missing)}: give the folder of the idx .gz files"
            )
        return read_pair(folder, split)
    for folder in places():
        if complete(folder):
            return read_pair(folder, split)
    return download(
        "fashion_mnist", "set GANLIB_DATA to a folder with the four idx .gz files, or use full=False"
    )[split]


def read_pair(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 28, 28) and labels (n,), uint8, from the two original files of a split."""
    images, labels = (read_idx(folder / file) for file in FILES[split])
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{folder}: images {images.shape} and labels {labels.shape} of {split} do not belong together: "
            "fetch the files again"
        )
    return images, labels


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """The uint8 array in a gzipped idx file (the format is described at the end of LeCun's MNIST page).

    Raises:
        DataError: the file is unreadable, not gzip, not idx of bytes, or shorter or longer than its header
            says.
    """
    try:
        with gzip.open(path, "rb") as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): fetch the file again") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise DataError(f"{path} is not an idx file of bytes: fetch the file again")
    dimensions = data[3]
    sizes = np.frombuffer(data, ">i4", count=min(dimensions, (len(data) - 4) // 4), offset=4)
    shape = tuple(map(int, sizes))
    body = len(data) - 4 - 4 * dimensions
    if len(shape) < dimensions or body != np.prod(shape, dtype=np.int64):
        raise DataError(f"{path} holds {max(body, 0)} bytes, its header says {shape}: fetch the file again")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
