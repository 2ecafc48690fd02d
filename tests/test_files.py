"""Files and folders that are whole or absent, with the folders that were made for them."""

import errno
import os

import pytest

from ganlib import files
from ganlib.errors import GanlibError


def full(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("whole", [False, True])
def test_a_write_that_fails_takes_its_folders_with_it(tmp_path, monkeypatch, whole):
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(GanlibError, match="No space left"):
        if whole:
            with files.whole_folder(tmp_path / "mine" / "new" / "deep" / "a") as beside:
                (beside / "x").write_text("x")
        else:
            files.write_atomically(tmp_path / "mine" / "new" / "deep" / "a.txt", "x")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]
