"""Arrays that cost time to compute, kept in files that are named by all that they depend on."""

import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ganlib.files import write_arrays
from ganlib.hashes import hash_of


def cache_folder(cache: str | Path | bool | None = None) -> Path | None:
    """Where results that cost time are kept: `cache`, or ganlib in the user's cache folder; None for False."""
    if cache is False:
        return None
    if cache is None or cache is True:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganlib"
    return Path(cache)


def kept(
    cache: str | Path | bool | None,
    name: str,
    depends_on: tuple,
    compute: Callable[[], dict[str, np.ndarray]],
    fits: Callable[[dict[str, np.ndarray]], bool],
) -> dict[str, np.ndarray]:
    """What `compute` returns: from the cache if it has it whole, else computed and kept there.

    Args:
        cache: As for `cache_folder`.
        name: Of the file, for people.
        depends_on: Values and arrays that tell one result from another.
        compute: Makes the arrays, by name.
        fits: Whether arrays that were found are what `compute` would make.

    Raises:
        InputError: The folder cannot be written.
    """
    folder = cache_folder(cache)
    if folder is None:
        return compute()
    path = folder / f"{slug(name)}-{hash_of(*depends_on)}.npz"
    arrays = _read(path)
    if arrays is None or not fits(arrays):
        arrays = compute()
        write_arrays(path, arrays)
    return arrays


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays in a file; None if it is missing or damaged (a zip archive has checksums)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def slug(name: str) -> str:
    """`name` as part of a file's name."""
    return "".join(c if c.isalnum() or c in "_-" else "-" for c in name)[-60:]
