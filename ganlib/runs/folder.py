"""A run folder: config.json, which says what the run is, and the model that it describes.

TensorFlow is imported inside the functions, after what can be checked without it.
"""

import datetime
import difflib
import platform
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlib import __version__
from ganlib.errors import InputError
from ganlib.files import read_history, read_json
from ganlib.quiet import import_tensorflow

if TYPE_CHECKING:
    from ganlib.engine import Engine
    from ganlib.hub import HubGenerator

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
    """Check that a new run can have the folder.

    Raises:
        InputError: It is a file, or not empty.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; choose a folder")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(
            f"--out {out} is not empty; add --resume to continue the run there, or choose another"
        )


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
    given = model and preset
    if not given and not stored.exists():
        raise InputError(
            f"{folder} has no config.json that says what the weights are of; give --model and --preset, or a "
            "folder that `ganlib train` made"
        )
    import_tensorflow()
    from ganlib import checkpoints

    gan = class_of(model).from_preset(preset) if given else rebuild(read_config(folder), stored)
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
    missing = [key for key in ("model", "arguments", "options") if key not in held]
    if missing:
        raise InputError(
            f"{path} has no {missing[0]!r}; it is not a run's config.json: restore it from a copy"
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
    except (TypeError, InputError) as error:
        raise InputError(
            f"{path} does not describe a {cls.__name__} ({error}); restore it from a copy"
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
    column = read_history(table)["seconds"] if table.exists() and table.stat().st_size else []
    return column[-1] if column else 0.0
