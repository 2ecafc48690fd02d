"""A run folder: config.json, which says what the run is, and the model that it describes.

TensorFlow is imported inside the functions, after what can be checked without it.
"""

import contextlib
import datetime
import difflib
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from ganlib import __version__
from ganlib.errors import InputError
from ganlib.files import cannot_write, make_folder, read_history, read_json, read_text, write_json
from ganlib.quiet import import_tensorflow

if TYPE_CHECKING:
    from ganlib.engine import Engine
    from ganlib.hub import HubGenerator

_LOCK, _HOLDER = ".lock", ".running.json"
# of `write_atomically`, whose names end in eight random letters
_TORN = (
    ".config.json.",
    ".history.csv.",
    ".curves.png.",
    ".metrics.json.",
    ".model.weights.",
    ".step-",
    ".training.gif.",
)
_HIDDEN = (_LOCK, _HOLDER, *_TORN)

# What a run is: --resume with another value of one of these would be another run.
IDENTITY = ("preset", "data", "data_options", "seed", "batch_size", "resolution", "arguments", "augment")
# What a resumed run takes over unless it is given anew.
SETTINGS = (
    "kimg",
    "minutes",
    "strategy",
    "checkpoint_every",
    "sample_every",
    "history_every",
    "score",
    "deterministic",
)


def refuse_used(out: Path) -> None:
    """Check that a new run can have the folder; hidden files that a killed start has left do not count.

    Raises:
        InputError: It is a file, or not empty.
    """
    try:
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {out} is a file; choose a folder")
    except OSError as error:  # too long, or not allowed to look
        raise cannot_write(out, error) from error
    if out.is_dir() and any(not entry.name.startswith(_HIDDEN) for entry in out.iterdir()):
        raise InputError(
            f"--out {out} is not empty; add --resume to continue the run there, or choose another"
        )


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Inside, the run folder is this process's alone: two runs in one would destroy each other's checkpoints.

    The operating system frees the lock when the process ends, however it ends.

    Raises:
        InputError: Another process has it, or the folder cannot be written.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    make_folder(out)
    lock, holder = filelock.FileLock(out / _LOCK, timeout=0), out / _HOLDER
    try:
        lock.acquire()
    except filelock.Timeout:
        who = read_json(holder) if holder.exists() else {}
        name = f"process {who['pid']} on {who['host']}, since {who['since']}" if who else "another process"
        raise InputError(f"{out} is in use by {name}; wait for its end, or choose another --out") from None
    except OSError as error:
        raise cannot_write(out / _LOCK, error) from error
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    try:
        write_json(holder, {"pid": os.getpid(), "host": platform.node(), "since": now})
        yield
    finally:
        holder.unlink(missing_ok=True)
        (out / _LOCK).unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):  # not empty any more
            for folder in made:
                folder.rmdir()


def remove_leftovers(out: Path) -> None:
    """Remove what killed processes left half written under hidden names in a run folder."""
    for torn in (path for path in out.rglob(".*") if path.name.startswith(_TORN)):
        if torn.is_dir():
            shutil.rmtree(torn, ignore_errors=True)
        else:
            torn.unlink(missing_ok=True)


def folder_of(run: str | Path) -> Path:
    """The folder of a run that is given by it, or by a file of weights in it.

    Raises:
        InputError: There is no such run.
    """
    run = Path(run)
    if not run.exists():
        raise InputError(f"{run} does not exist; give the folder of a run, or a .weights.h5 file")
    return run if run.is_dir() else run.parent


def load(run: str | Path, model: str | None = None, preset: str | None = None) -> "Engine | HubGenerator":
    """The model of a run, with its final weights, or those of its last checkpoint while it is not complete.

    Args:
        run: A run folder, a `.weights.h5` file, or the folder of a TF-Hub module (`ganlib.hub`).
        model: Name of the model that the file is of, if no config.json is beside it.
        preset: Its preset.

    Raises:
        InputError: There is no such run, or nobody says which model it is.
        CheckpointError: The weights are damaged or of another model.
    """
    run, folder = Path(run), folder_of(run)
    if (run / "saved_model.pb").exists():
        import_tensorflow()
        from ganlib import hub

        return hub.load(run)
    weights = run / "model.weights.h5" if run.is_dir() else run
    if not weights.name.endswith(".weights.h5"):
        raise InputError(
            f"{run} is neither a run folder nor a .weights.h5 file; pickles and the like are not read"
        )
    stored = folder / "config.json"
    if (model or preset) and stored.exists():
        raise InputError(f"{stored} says what the run is of: leave out --model and --preset")
    if not (model and preset) and not stored.exists():
        raise InputError(
            f"{folder} has no config.json that says what the weights are of; give --model and --preset, or a "
            "folder that `ganlib train` made"
        )
    import_tensorflow()
    from ganlib import checkpoints

    gan = rebuild(read_config(folder), stored) if stored.exists() else class_of(model).from_preset(preset)
    if weights.exists():
        gan.load_weights(weights)
    else:
        gan.compile()
        checkpoints.restore(gan, folder / "checkpoints")
    return gan


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json.

    Raises:
        InputError: It is not one that `train` wrote.
    """
    path = folder / "config.json"
    config = read_json(path)
    held = config if isinstance(config, dict) else {}
    kinds = {"model": str, "arguments": dict, "options": dict, "data": dict, "started": list}
    missing = [key for key, kind in kinds.items() if not isinstance(held.get(key), kind)]
    if missing:
        raise InputError(
            f"{path} has no {missing[0]!r}, or another than a run's config.json has: restore it from a copy"
        )
    return config


def stored_config(out: Path, model: str, options: dict[str, Any], given: set[str]) -> dict[str, Any]:
    """The config.json of the run to resume, after comparing it with the command line.

    Raises:
        InputError: There is none, or what is given is another run.
    """
    if not (out / "config.json").exists():
        raise InputError(
            f"--resume: {out} has no config.json, so no run to continue; leave out --resume to start one"
        )
    config = read_config(out)
    asked = {"model": model} | {name: options[name] for name in IDENTITY if name in given}
    for name, value in asked.items():
        was = config["model"] if name == "model" else config["options"].get(name)
        if value != was:
            raise InputError(
                f"--resume: {name.replace('_', '-')} is {value!r}, but {out} was started with {was!r}; "
                "leave it out, or choose another --out"
            )
    return config


def require_fresh(out: Path, config: dict[str, Any]) -> None:
    """Check that a run without checkpoints was stopped before its first one: it can begin again.

    Raises:
        InputError: Its checkpoints are gone: to begin again would delete its history and pictures.
    """
    table = out / "history.csv"
    begun = table.exists() and "\n" in read_text(table)  # a kill may have torn off its first line
    steps = read_history(table)["step"] if begun else []
    trained = int(steps[-1]) if steps else 0
    if trained > config["options"]["checkpoint_every"] or (out / "model.weights.h5").exists():
        raise InputError(
            f"--resume: {out} was trained for {trained} steps or more, but {out / 'checkpoints'} has no checkpoint to "
            "go on from; put them back, or choose another --out (nothing was changed)"
        )


def require_same_data(config: dict[str, Any], data: Any, options: dict[str, Any]) -> None:
    """Check that a resumed run finds the data that it was started with.

    Raises:
        InputError: Examples or labels have changed.
    """
    was = config["data"].get("fingerprint")  # of runs before there were fingerprints: None
    if was is not None and was != data.fingerprint:
        raise InputError(
            f"--resume: the data ({options['data']}) is not what {options['out']} was started with: "
            f"{config['data']['size']} examples with the fingerprint {was} then, {data.size} with {data.fingerprint} "
            "now; put it back, or start another run"
        )


def class_of(model: str) -> type["Engine"]:
    """The class that `ganlib list` calls so.

    Raises:
        InputError: There is no such model.
    """
    from ganlib import models

    known = models.registry()
    if model not in known:
        close = difflib.get_close_matches(model, known, 1)
        hint = f"did you mean {close[0]}?" if close else "`ganlib list` shows them"
        raise InputError(f"there is no model {model!r}: choose one of {', '.join(known)}; {hint}")
    return known[model]


def rebuild(config: dict[str, Any], path: Path) -> "Engine":
    """The model that a config.json describes, with its augmentation.

    Raises:
        InputError: It describes none.
    """
    from ganlib import augment

    cls = class_of(config["model"])
    try:
        gan = cls.from_config(config["arguments"])
        if config["options"].get("augment"):
            augment.add(gan, config["options"]["augment"])
        return gan
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        if "lambda" in reason.lower():
            raise InputError(
                f"{path} holds a Lambda layer, which is code that its writer chose; ganlib does not run code from "
                "files: build the model in Python, then load its weights"
            ) from error
        raise InputError(
            f"{path} does not describe a {cls.__name__} ({reason[:300]}); restore it from a copy"
        ) from error


def config_of(
    model: str, gan: "Engine", data: Any, options: dict[str, Any], before: dict[str, Any] | None
) -> dict[str, Any]:
    """What config.json holds."""
    import keras
    import numpy as np
    import tensorflow as tf

    return {
        "model": model,
        "preset": options["preset"],
        "arguments": gan.get_config(),
        "data": {
            "name": data.name,
            "split": data.split,
            "shape": list(data.shape),
            "channels": data.channels,
            "size": data.size,
            "fingerprint": data.fingerprint,
            "options": options["data_options"],
        },
        "seed": options["seed"],
        "options": {name: options[name] for name in (*IDENTITY, *SETTINGS)},
        "versions": {
            "ganlib": __version__,
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "started": [
            *(before["started"] if before else []),
            {
                "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "from_step": int(gan.step),
                "command": shlex.join(["ganlib", *sys.argv[1:]]),
            },
        ],
    }


def seconds_of(out: Path) -> float:
    """Seconds of training so far."""
    table = out / "history.csv"
    written = table.exists() and (table.stat().st_size or not table.is_file())
    column = read_history(table)["seconds"] if written else []
    return column[-1] if column else 0.0
