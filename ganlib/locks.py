"""Locks between processes that a killed process cannot leave behind: the kernel frees them with its files."""

import os
from pathlib import Path
from typing import IO

from ganlib.files import cannot_write


class FileLock:
    """Held by one process at a time; the file stays, empty, and means nothing by itself.

    `with lock:` waits for it. Another object for the same file is another holder, in the same process too. Between
    machines it holds as far as their shared disk has locks.

    Args:
        path: The file, made when the lock is first taken; its folder must be there.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._file: IO | None = None

    def acquire(self, wait: bool = True) -> bool:
        """Take the lock.

        Args:
            wait: Whether to wait until nobody else has it.

        Returns:
            Whether it is taken; without `wait` it is not if another holds it.

        Raises:
            InputError: The file cannot be made.
            GanlibError: The disk is full or broken.
        """
        try:
            file = open(self.path, "ab")  # noqa: SIM115  (open as long as the lock is held)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            _lock(file, wait)
        except (BlockingIOError, PermissionError):
            file.close()
            return False
        except BaseException:
            file.close()
            raise
        self._file = file
        return True

    def release(self) -> None:
        """Give it back."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> "FileLock":
        self.acquire()
        return self

    def __exit__(self, *error) -> None:
        self.release()


def _lock(file: IO, wait: bool) -> None:
    """Lock an open file.

    Raises:
        BlockingIOError: Another holds it, and `wait` is false; on Windows a PermissionError.
    """
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        while True:
            try:
                return msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError:  # it gives up after ten seconds
                if not wait:
                    raise
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
