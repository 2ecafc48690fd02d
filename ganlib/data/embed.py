"""Cut the subset of Fashion-MNIST that ships with ganlib: `python -m ganlib.data.embed FOLDER`.

FOLDER holds the four original idx .gz files (Debian's package dataset-fashion-mnist installs them into
/usr/share/datasets/fashion-mnist). The result is the same to the byte wherever it is made with the same zlib.
"""

import sys
from pathlib import Path

from ganlib.data.fashion_mnist import read_pair
from ganlib.files import write_arrays

TAKE = {"train": 10_000, "test": 2_000}


def main(folder: str, target: Path = Path(__file__).parent / "embedded" / "fashion_mnist.npz") -> None:
    """Write the first images and labels of each split into `target`, a compressed .npz without pickles."""
    arrays = {}
    for split, count in TAKE.items():
        images, labels = read_pair(Path(folder), split)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images[:count], labels[:count]
    write_arrays(target, arrays, compress=True)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m ganlib.data.embed FOLDER\n\n{__doc__}")
    main(sys.argv[1])
