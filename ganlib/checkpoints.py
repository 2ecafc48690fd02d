"""Checkpoints of a run: all or nothing, and bit for bit.

A checkpoint is a folder `step-00000060` with the values of `gan.state()` (tf.train.Checkpoint over a flat list: an
object graph would silently leave out layers kept in lists) and `state.json`, which says what they belong to. It is
written beside under a hidden name and renamed when it is whole, so whatever is named `step-...` is good.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from ganlib.errors import CheckpointError, InputError, StateNotFinite
from ganlib.files import read_text

if TYPE_CHECKING:
    from ganlib.engine import Engine

_NAME = re.compile(r"step-(\d{8,})")
_PATTERN = re.compile(r"[][*?{}]" if os.sep == "\\" else r"[][*?{}\\]")


def save(gan: "Engine", folder: str | Path, keep: int = 3) -> Path:
    """Write the run's state to `folder/step-<step>` and remove all but the newest `keep` checkpoints.

    Raises:
        InputError: `keep` is not at least 1.
        CheckpointError: The folder cannot be written, or a variable is not finite (`StateNotFinite`): the older
            checkpoints stay.
    """
    if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
        raise InputError(f"keep={keep!r} is out of range: give an integer of at least 1")
    state = gan.state()
    for variable in state:
        if variable.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(variable))):
            raise StateNotFinite(
                f"{variable.name} is not finite at step {gan.step}: resume from an older checkpoint"
            )
    folder = Path(folder)
    target = folder / f"step-{gan.step:08d}"
    beside = folder / f".{target.name}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        beside.mkdir()
        tf.train.Checkpoint(v=state).write(str(beside / "state"))
        (beside / "state.json").write_text(json.dumps(_description(gan), indent=1))
        if target.exists():
            target.rename(folder / f".{target.name}-replaced")
        beside.rename(target)
        _clear(folder)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{folder} cannot be written ({reason}): free space or choose another folder"
        ) from error
    gan.last_checkpoint = target
    for old in _all(folder)[:-keep]:
        shutil.rmtree(old)
    return target


def latest(folder: str | Path) -> Path | None:
    """The newest whole checkpoint in `folder`, or None."""
    return max(_all(Path(folder)), default=None)


def restore(gan: "Engine", path: str | Path) -> int:
    """Set the run's state to that of a checkpoint, or of the newest one in a folder, and return its step.

    Raises:
        CheckpointError: There is none, it is damaged, or it belongs to another model. Nothing has been changed then.
    """
    path = Path(path)
    checkpoint = path if _NAME.fullmatch(path.name) else latest(path)
    if checkpoint is None or not checkpoint.is_dir():
        raise CheckpointError(f"{path} has no checkpoint: train first, or give the run's checkpoints folder")
    try:
        description = json.loads(read_text(checkpoint / "state.json"))
        stored = _values(checkpoint)
    except (OSError, ValueError, IndexError, RecursionError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{checkpoint} is damaged ({reason}): remove it to fall back on the one before"
        ) from error
    expected = _description(gan)
    for field in ("model", "arguments", "optimizers", "shapes"):
        then, now = description.get(field), expected[field]
        if then != now:
            if isinstance(then, dict) and isinstance(now, dict):  # the one argument that differs
                field = next(key for key in {**now, **then} if then.get(key) != now.get(key))
                then, now = then.get(field), now.get(field)
            raise CheckpointError(
                f"{checkpoint} belongs to another run: its {field} is {_short(then)}, here it is {_short(now)}; "
                "build and compile the model as it was then"
            )
    state = gan.state()
    names = [f"v/{i}/.ATTRIBUTES/VARIABLE_VALUE" for i in range(len(state))]
    missing = [name for name in names if name not in stored]
    if missing:
        raise CheckpointError(
            f"{checkpoint} is damaged: {len(missing)} of {len(state)} variables are missing; remove it"
        )
    for variable, name in zip(state, names, strict=True):
        variable.assign(stored[name])
    gan.restored()
    gan.last_checkpoint = checkpoint
    return gan.step


def _values(checkpoint: Path) -> dict[str, np.ndarray]:
    """All values of a checkpoint, by the names that TensorFlow gave them."""
    with contextlib.ExitStack() as stack:
        if _PATTERN.search(str(checkpoint)):
            # TensorFlow takes a path as a pattern, and finds nothing in `lr[0.1]`: it gets another path to the same
            plain = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "checkpoint"
            try:
                plain.symlink_to(checkpoint.resolve(), target_is_directory=True)
            except OSError:  # where links need rights
                shutil.copytree(checkpoint, plain)
            checkpoint = plain
        reader = tf.train.load_checkpoint(str(checkpoint / "state"))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def _all(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if _NAME.fullmatch(path.name))


def _clear(folder: Path) -> None:
    """Remove what a killed process left under a hidden name."""
    for torn in folder.glob(".step-*"):
        shutil.rmtree(torn, ignore_errors=True)


def _description(gan: "Engine") -> dict:
    return {
        "model": type(gan).__name__,
        # plain ones: what a network or a loss is made of carries names that Keras counts up in a process
        "arguments": {
            k: v for k, v in gan.get_config().items() if isinstance(v, str | int | float | bool | type(None))
        },
        "optimizers": {name: type(optimizer).__name__ for name, optimizer in gan.optimizers().items()},
        "shapes": [list(np.shape(variable)) for variable in gan.state()],
        "step": gan.step,
    }


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
