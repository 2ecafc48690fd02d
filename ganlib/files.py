"""Files that are whole or absent: write beside, then rename; and the one CSV format of a run."""

import contextlib
import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from errno import EACCES, EEXIST, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS
from pathlib import Path
from typing import Any

from ganlib.errors import GanlibError, InputError

# What another path, chosen by the user, would cure. Everything else (disk full, input/output error) is the
# machine's.
_LARGEST_TEXT = 2**26
_PATH_ERRORS = {EACCES, EEXIST, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS}


def cannot_write(path: str | Path, error: OSError) -> GanlibError:
    """The one-line error for an `OSError` while writing `path`: InputError if another path would cure it."""
    reason = error.strerror or str(error)
    if error.errno in _PATH_ERRORS:
        return InputError(f"cannot write {path}: {reason}; choose a folder that you can write to")
    return GanlibError(
        f"cannot write {path}: {reason}; free some space or choose another disk, then try again"
    )


def make_folder(path: str | Path) -> Path:
    """Create a folder and its parents, and say so in one line if that is impossible.

    Raises:
        InputError: part of the path is a file, or may not be written.
        GanlibError: the disk is full or broken.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def write_atomically(path: str | Path, content: bytes | str) -> Path:
    """Write `content` to `path` so that a reader, or a crash, sees the old file or the new one, never a part.

    The temporary file is in the same folder (a rename across disks would not be atomic) and starts with a
    dot.

    Args:
        path: the file; its folder is created.
        content: bytes, or text to be written as UTF-8.

    Returns:
        The path.

    Raises:
        InputError: the path cannot be written (a file stands where a folder should be, no permission).
        GanlibError: the disk is full or broken. In both cases nothing is left behind.
    """
    path, temporary = Path(path), None
    with _nothing_left(path):
        folder = make_folder(path.parent)
        try:
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's 0600 would keep a shared run folder private
            os.replace(temporary, path)
        except BaseException:
            if temporary is not None and os.path.exists(temporary):
                os.unlink(temporary)
            raise
    return path


@contextlib.contextmanager
def _nothing_left(path: Path) -> Iterator[None]:
    """Where the block that writes `path` fails, the folders made for it go, and an OSError says what to do."""
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):  # not empty any more: someone else's
            for made in missing:
                made.rmdir()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


@contextlib.contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A folder beside `path` to write into, renamed to it when the block ends; gone, where the block fails.

    Raises:
        InputError: `path` is there and not an empty folder, or cannot be written.
        GanlibError: The disk is full or broken. In all cases nothing is left behind.
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path} is there already: choose a folder that is not, or is empty")
    beside = None
    with _nothing_left(path):
        try:
            beside = Path(tempfile.mkdtemp(dir=make_folder(path.parent), prefix=f".{path.name}."))
            yield beside
            os.chmod(beside, 0o777 & ~_umask())  # mkdtemp's 0700 would keep it private
            if path.exists():
                path.rmdir()  # empty: a rename to it works on some systems only
            os.replace(beside, path)
        except BaseException:
            if beside is not None:
                shutil.rmtree(beside, ignore_errors=True)
            raise


def write_arrays(path: str | Path, arrays: dict[str, Any], compress: bool = False) -> Path:
    """Write arrays by name as an .npz file, atomically. Errors as in `write_atomically`."""
    import numpy as np

    out = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(out, **arrays)
    return write_atomically(path, out.getvalue())


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as indented JSON, atomically. Errors as in `write_atomically`."""
    return write_atomically(path, json.dumps(value, indent=2) + "\n")


def read_text(path: str | Path) -> str:
    """Read a text file of a run: a regular one (a pipe or a device would never end), of at most 64 MiB.

    Raises:
        OSError: it is missing or cannot be read.
        InputError: it is no regular file, or larger.
        UnicodeDecodeError: it is no UTF-8.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"cannot read {path}: no regular file; remove what is in its place")
    if path.stat().st_size > _LARGEST_TEXT:
        raise InputError(
            f"cannot read {path}: larger than {_LARGEST_TEXT >> 20} MiB; no run writes such a file"
        )
    return path.read_text(encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: it is missing, no regular file, or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; is this the right folder?") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is not valid JSON ({error}); restore it from a copy, or start anew"
        ) from error


def read_history(path: str | Path) -> dict[str, list[float]]:
    """Read a run's history.csv: column name -> values, one a row.

    A last line that a kill tore off (no line end, or fields missing) is left out: the rows before it are
    whole.

    Args:
        path: the file, as `ganlib.callbacks.History` writes it: a header with the column `step`, then
            numbers.

    Returns:
        Columns in file order; empty lists if there is no row yet.

    Raises:
        InputError: it is missing, has no header, or a line other than the last is malformed.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; a run folder of `ganlib train` has one") from error
    lines = text.splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    rows = list(csv.reader(whole))
    if not rows or "step" not in rows[0]:
        raise InputError(f"{path} has no header line with the column 'step'; delete it to start anew")
    header, rows = rows[0], rows[1:]
    table: list[list[float]] = []
    for number, row in enumerate(rows, start=2):
        try:
            if len(row) != len(header):
                raise ValueError
            table.append([float(value) for value in row])
        except ValueError:
            if number == len(lines):
                break
            raise InputError(
                f"{path}, line {number}: expected {len(header)} numbers, found {','.join(row)!r}; "
                "delete that line"
            ) from None
    return {name: [row[i] for row in table] for i, name in enumerate(header)}


def history_text(columns: dict[str, list[float]]) -> str:
    """The CSV text of `columns` (name -> values of equal length), header included."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([f"{value:.9g}" for value in row] for row in zip(*columns.values(), strict=True))
    return out.getvalue()


def _umask() -> int:
    """The process's umask; the only way to read it is to set it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
