"""A lock has one holder, and ends with its process, however that ends."""

import subprocess
import sys

import pytest

from ganlib.errors import InputError
from ganlib.locks import FileLock

HOLD = """
import time
from ganlib.locks import FileLock

lock = FileLock({!r})
lock.acquire()
print("held", flush=True)
{}
"""


def holder(path, then):
    """A process that holds the lock."""
    command = [sys.executable, "-c", HOLD.format(str(path), then)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_one_holder_at_a_time(tmp_path):
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert first.acquire(wait=False) and not second.acquire(wait=False)
    second.release()  # of what it does not hold: nothing
    assert not second.acquire(wait=False)
    first.release()
    with second:
        assert not first.acquire(wait=False)
    assert first.acquire(wait=False)


def test_a_killed_holder_leaves_none(tmp_path):
    lock = FileLock(tmp_path / "a.lock")
    process = holder(lock.path, "time.sleep(60)")
    try:
        assert not lock.acquire(wait=False)
    finally:
        process.kill()
        process.wait()
    assert lock.acquire(wait=False)


def test_it_waits_for_the_other(tmp_path):
    lock = FileLock(tmp_path / "a.lock")
    process = holder(lock.path, "time.sleep(0.3); print('done', flush=True)")
    assert lock.acquire()
    assert process.stdout.read() == "done\n"
    process.wait()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none/a\.lock: No such file or directory; choose a folder"):
        FileLock(tmp_path / "none" / "a.lock").acquire()
