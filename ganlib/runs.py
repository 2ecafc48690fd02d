"""Run folders: what `ganlib train` leaves behind, continues, and `ganlib sample` reads.

    config.json         how the run was started: enough to resume it and to build its model again
    history.csv         losses, logits and speed               curves.png   the same, drawn
    samples/            step-00000500.png ... of the same latents, training.gif
    checkpoints/        step-00000500 ... everything that resuming needs
    model.weights.h5    the networks at the end                metrics.json  scores; its presence says:
    complete

TensorFlow is imported inside the functions, after what can be checked without it.
"""

import datetime
import difflib
import functools
import inspect
import math
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlib import __version__
from ganlib.catalogue import parameters_of
from ganlib.errors import InputError
from ganlib.files import read_history, read_json, write_json
from ganlib.quiet import import_tensorflow

if TYPE_CHECKING:
    from ganlib.gan import GAN

_KIMG = 165.0
# What a run is: --resume with another value of one of these would be another run.
_IDENTITY = ("preset", "data", "data_options", "seed", "batch_size", "resolution", "arguments")
# What a resumed run takes over unless it is given anew.
_SETTINGS = (
    "kimg",
    "minutes",
    "strategy",
    "checkpoint_every",
    "sample_every",
    "history_every",
    "score",
    "deterministic",
)


def train(model: str, options: dict[str, Any], given: set[str]) -> int:
    """Train, or go on training, a model; print where everything is.

    Args:
        model: Its name in `ganlib.models.registry()`.
        options: The options of `ganlib train`, defaults included.
        given: Names of those on the command line: --resume takes all others from the run's config.json.

    Returns:
        The exit status: 0; 130 and 143 if a signal stopped the run, which then is saved.

    Raises:
        InputError: An option does not fit. Nothing has been written.
        GanlibError: The run failed.
    """
    out = Path(options["out"])
    config = _stored_config(out, model, options, given) if options["resume"] else None
    if config is None:
        _refuse_used(out)
    else:
        options = {**config["options"], **{name: options[name] for name in given}, "out": out}
    import_tensorflow()
    import tensorflow as tf

    from ganlib import callbacks, checkpoints, scaling

    if options["deterministic"]:
        tf.config.experimental.enable_op_determinism()
    with scaling.strategy(options["strategy"]).scope():
        gan, data = _prepare(model, options, config)
        gan.compile()
    steps = _steps(gan, options["kimg"])
    end = _end_of_schedule(gan)
    if end is not None and steps > end:
        raise InputError(
            f"--kimg {options['kimg']:g} is {steps} steps, but from step {end} on this {model}'s learning rate is 0; "
            "use less, or another --out"
        )
    if config is None:
        _set_intervals(options, steps)
    if config is not None and checkpoints.latest(out / "checkpoints") is not None:
        checkpoints.restore(gan, out / "checkpoints")
    left = _left(gan, options, steps)
    if not left and (out / "metrics.json").exists():
        print(f"{out} is already complete: {_progress(gan, options, steps)}; --kimg or --minutes continue it")
        return 0
    write_json(out / "config.json", _config(model, gan, data, options, config))
    print(_headline(model, gan, data, options, steps))
    if left:
        bar = callbacks.ProgressBar()
        try:
            gan.fit(
                data.batch(gan.batch_size),
                steps_per_epoch=left,
                callbacks=[*_callbacks(gan, data, options), bar],
                verbose=0,
            )
        except (KeyboardInterrupt, SystemExit) as stop:
            saved = checkpoints.latest(out / "checkpoints")  # of this step, unless a second Ctrl-C broke in
            resume = shlex.join(["ganlib", "train", model, "--out", str(out), "--resume"])
            print(
                f"stopped at step {int(gan.step)} of {steps}, saved in {saved}; to continue: {resume}",
                file=sys.stderr,
            )
            return stop.code if isinstance(stop, SystemExit) else 130
        finally:
            bar.close()  # before the lines that follow, whatever happened
    _finish(gan, data, options)
    return 0


def load(run: str | Path, model: str | None = None, preset: str | None = None) -> "GAN":
    """The model of a run, with its final weights, or those of its last checkpoint while it is not complete.

    Args:
        run: A run folder, or a `.weights.h5` file.
        model: Name of the model that the file is of, if no config.json is beside it.
        preset: Its preset.

    Raises:
        InputError: There is no such run, or nobody says which model it is.
        CheckpointError: The weights are damaged or of another model.
    """
    run = Path(run)
    if not run.exists():
        raise InputError(f"{run} does not exist; give the folder of a run, or a .weights.h5 file")
    folder, weights = (run, run / "model.weights.h5") if run.is_dir() else (run.parent, run)
    if not weights.name.endswith(".weights.h5"):
        raise InputError(
            f"{run} is neither a run folder nor a .weights.h5 file; pickles and the like are not read"
        )
    stored = folder / "config.json"
    if not (model and preset) and not stored.exists():
        raise InputError(
            f"{folder} has no config.json that says what the weights are of; give --model and --preset, or a "
            "folder that `ganlib train` made"
        )
    import_tensorflow()
    from ganlib import checkpoints

    if model and preset:
        gan = _class_of(model).from_preset(preset)
    else:
        config = _read_config(folder)
        gan = _rebuild(config, stored)
    if weights.exists():
        gan.load_weights(weights)
    else:
        gan.compile()
        checkpoints.restore(gan, folder / "checkpoints")
    return gan


def evaluate(
    run: str | Path, options: dict[str, Any], model: str | None = None, preset: str | None = None
) -> tuple[Any, Path]:
    """Score a run against the data that it was trained on, or other data, and keep the result.

    Args:
        run: As for `load`.
        options: metrics (list of names; None: what suits the model), samples (None: 10,000; of a translator all
            sources), data and split (None: the run's; of a translator "test"), extractor, truncation, seed,
            batch_size, cache, out (None: evaluation.json in the run's folder; an earlier one is replaced).
        model: As for `load`.
        preset: As for `load`.

    Returns:
        The `ganlib.metrics.Evaluation`, and where it was written.

    Raises:
        InputError: An option does not fit; nothing has been written.
        CheckpointError: As for `load`.
    """
    run = Path(run)
    folder = run if run.is_dir() else run.parent
    out = Path(options["out"] or folder / "evaluation.json")
    if out.suffix != ".json":
        raise InputError(f"--out {out} does not end in .json; choose such a name")
    if not run.exists():
        raise InputError(f"{run} does not exist; give the folder of a run, or a .weights.h5 file")
    stored = (folder / "config.json").exists() and not (model and preset)
    config = _read_config(folder) if stored else None
    if config is None and options["data"] is None:
        raise InputError(f"{folder} has no config.json that names its data; give --data")
    import_tensorflow()
    from ganlib import metrics

    gan = load(run, model, preset)
    if options["data"] is None:
        name, more = config["options"]["data"], config["options"].get("data_options") or {}
        seed = config["options"].get("seed") or 0  # of generated data: the same stream as in training
    else:
        name, more, seed = options["data"], {}, 0
    split = options["split"] or ("test" if _translates(gan) else None)
    more = {**more, "seed": seed} | ({"split": split} if split else {})
    if len(gan.image_shape) == 3:
        more |= {"resolution": gan.image_shape[0], "channels": gan.image_shape[-1]}
    make, _ = _source_of(gan)
    data = make(name, **more)
    how = {key: options[key] for key in ("extractor", "seed", "batch_size", "cache")}
    if _translates(gan):
        if options["truncation"] is not None:
            raise InputError("--truncation is of latents, which a translator does not have: leave it out")
        if not gan.paired:
            how["back"] = functools.partial(gan.translate, direction="ba")
        evaluation = metrics.evaluate_translations(gan, data, options["metrics"], options["samples"], **how)
    else:
        evaluation = metrics.evaluate(
            gan,
            data,
            options["metrics"] or ["fid", "kid", "precision", "recall"],
            options["samples"] or 10_000,
            truncation=options["truncation"],
            **how,
        )
    return evaluation, evaluation.save(out)


def translate(
    run: str | Path, source: str | None, n: int, model: str | None = None, preset: str | None = None
) -> list[Any]:
    """Translate images with the model of a run.

    Args:
        run: As for `load`.
        source: A folder of images; None: the test split of the data that the run was trained on.
        n: How many images, at most.
        model: As for `load`.
        preset: As for `load`.

    Returns:
        Arrays (n, height, width, channels): sources and translations; and what `Translator.pictures_of` has beside
        them, if the data has targets.

    Raises:
        InputError: The model is no translator, or the images are not what it takes.
        CheckpointError: As for `load`.
    """
    gan = load(run, model, preset)
    if not _translates(gan):
        raise InputError(f"{run} holds a {type(gan).__name__}, which translates nothing: use `ganlib sample`")
    from ganlib import data as sources

    resolution, _, channels = gan.source_shape
    if source is not None:
        data = sources.load(f"folder:{source}", resolution=resolution, channels=channels)
        images = data.to_numpy(min(n, data.size))
        return [images, gan.translate(images, seed=0)]
    folder = Path(run) if Path(run).is_dir() else Path(run).parent
    if not (folder / "config.json").exists():
        raise InputError(f"{folder} has no config.json that names its data; give --input")
    options = _read_config(folder)["options"]
    more = {key: value for key, value in options["data_options"].items() if key != "split"}
    make, _ = _source_of(gan)
    data = make(options["data"], "test", resolution, channels=channels, seed=options["seed"], **more)
    return gan.pictures_of(*data.to_numpy(min(n, data.size)))


# --------------------------------------------------------------------------------- before the first step


def _refuse_used(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; choose a folder")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(
            f"--out {out} is not empty; add --resume to continue the run there, or choose another"
        )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    config = read_json(path)
    missing = [
        key for key in ("model", "arguments", "options") if not isinstance(config, dict) or key not in config
    ]
    if missing:
        raise InputError(
            f"{path} has no {missing[0]!r}; it is not a run's config.json: restore it from a copy"
        )
    return config


def _stored_config(out: Path, model: str, options: dict[str, Any], given: set[str]) -> dict[str, Any]:
    """The config.json of the run to resume, after comparing it with the command line."""
    if not (out / "config.json").exists():
        raise InputError(
            f"--resume: {out} has no config.json, so no run to continue; leave out --resume to start one"
        )
    config = _read_config(out)
    asked = {"model": model} | {name: options[name] for name in _IDENTITY if name in given}
    for name, value in asked.items():
        was = config["model"] if name == "model" else config["options"].get(name)
        if value != was:
            raise InputError(
                f"--resume: {name.replace('_', '-')} is {value!r}, but {out} was started with {was!r}; "
                "leave it out, or choose another --out"
            )
    return config


def _class_of(model: str) -> type["GAN"]:
    from ganlib import models

    known = models.registry()
    if model not in known:
        close = difflib.get_close_matches(model, known, 1)
        hint = f"did you mean {close[0]}?" if close else "`ganlib list` shows them"
        raise InputError(f"there is no model {model!r}: choose one of {', '.join(known)}; {hint}")
    return known[model]


def _prepare(model: str, options: dict[str, Any], config: dict[str, Any] | None) -> tuple["GAN", Any]:
    """The model and its data, made for each other."""
    from ganlib import data as sources

    taken = {"resolution", "channels", "seed", "labels", "shuffle", "repeat"} & set(options["data_options"])
    if taken:
        name = min(taken)
        raise InputError(
            f"--data-option {name}: train sets {name} itself, from the model and --seed; leave it out"
        )

    def load_data(channels):
        load, labels = _source_of(gan)
        return load(
            options["data"],
            resolution=gan.image_shape[0] if len(gan.image_shape) == 3 else None,
            channels=channels,
            seed=options["seed"],
            **labels,
            **options["data_options"],
        )

    if config is not None:
        gan = _rebuild(config, Path(options["out"]) / "config.json")
        return gan, load_data(config["data"]["channels"])
    cls = _class_of(model)
    arguments = _arguments(cls, options)
    gan = cls.from_preset(options["preset"], **arguments)
    takes = inspect.signature(type(gan).__init__).parameters
    fixed = "channels" in arguments or "channels" not in takes
    images = len(gan.image_shape) == 3
    if options["data"] is None:
        options["data"] = "edges_to_fashion" if _translates(gan) else "fashion_mnist"
    try:
        data = load_data(gan.image_shape[-1] if fixed and images else None)
    except InputError:
        by_name = options["data"] in sources.names()
        if images and by_name and len(sources.load(options["data"], **options["data_options"]).shape) == 1:
            raise InputError(
                f"--data {options['data']} are points, {model} --preset {options['preset']} makes images of "
                f"{gan.image_shape}; use vanilla-gan --preset points_2d"
            ) from None
        raise
    follows = {}  # the model follows the data
    if data.channels != gan.image_shape[-1] and not fixed and len(data.shape) == len(gan.image_shape):
        follows["channels"] = data.channels
    if "num_classes" in takes and data.num_classes != gan.num_classes:
        if "num_classes" in arguments:
            raise InputError(
                f"--set num_classes={gan.num_classes}: --data {options['data']} has {data.num_classes} classes; leave "
                "it out, the model follows the data"
            )
        follows["num_classes"] = data.num_classes
    if "source_channels" in takes and "source_channels" not in arguments:
        follows["source_channels"] = data.source_shape[-1]
    end = _end_of_schedule(gan)
    if options["kimg"] is None:
        options["kimg"] = _KIMG if end is None else end * gan.batch_size * gan.n_critic / 1000
    elif end is not None and not {"constant_steps", "decay_steps"} & set(arguments):
        steps = _steps(gan, options["kimg"])  # halves, as in the paper
        follows |= {"constant_steps": steps // 2, "decay_steps": steps - steps // 2}
    if follows:
        gan = cls.from_preset(options["preset"], **arguments, **follows)
    shapes = [("examples", "makes", data.shape, gan.image_shape)]
    if _translates(gan):
        shapes.append(("sources", "takes", data.source_shape, gan.source_shape))
    for what, does, found, expected in shapes:
        if tuple(found) != expected:
            raise InputError(
                f"--data {options['data']} has {what} of shape {tuple(found)}, {model} --preset {options['preset']} "
                f"{does} {expected}; use another --preset or --data"
            )
    return gan, data


def _translates(gan: "GAN") -> bool:
    from ganlib.translation import Translator

    return isinstance(gan, Translator)


def _source_of(gan: "GAN") -> tuple[Any, dict[str, bool]]:
    """The function of `ganlib.data` that loads what the model trains on, and whether to ask it for labels."""
    from ganlib import data as sources

    if _translates(gan):
        return sources.paired if gan.paired else sources.unpaired, {}
    return sources.load, {"labels": hasattr(gan, "num_classes")}


def _arguments(cls: type["GAN"], options: dict[str, Any]) -> dict[str, Any]:
    """The constructor's arguments that the command line gives."""
    arguments = dict(options["arguments"])
    for name in ("seed", "batch_size", "resolution"):
        if name in arguments:
            raise InputError(
                f"--set {name}={arguments[name]}: use --{name.replace('_', '-')} {arguments[name]}"
            )
        if options[name] is not None:
            arguments[name] = options[name]
    return arguments


def _rebuild(config: dict[str, Any], path: Path) -> "GAN":
    cls = _class_of(config["model"])
    cls = cls.presets.get(config["options"].get("preset"), {}).get("class", cls)
    try:
        return cls.from_config(config["arguments"])
    except (TypeError, InputError) as error:
        raise InputError(
            f"{path} does not describe a {cls.__name__} ({error}); restore it from a copy"
        ) from error


def _set_intervals(options: dict[str, Any], steps: int) -> None:
    """Intervals that suit the length of the run, where none are given; a longer resumed run keeps them."""
    options["checkpoint_every"] = options["checkpoint_every"] or min(500, max(1, steps // 10))
    options["sample_every"] = options["sample_every"] or max(1, steps // 20)
    options["history_every"] = min(50, max(1, steps // 40))


def _steps(gan: "GAN", kimg: float) -> int:
    return math.ceil(round(1000 * kimg / (gan.batch_size * gan.n_critic), 6))


def _end_of_schedule(gan: "GAN") -> int | None:
    """The step from which on the model's learning rate is 0, if there is one."""
    arguments = gan.get_config()
    return arguments["constant_steps"] + arguments["decay_steps"] if "decay_steps" in arguments else None


def _left(gan: "GAN", options: dict[str, Any], steps: int) -> int:
    """Steps still to do; 0 once --kimg or --minutes is reached."""
    if options["minutes"] and _seconds(options) >= 60 * options["minutes"]:
        return 0
    return max(0, steps - int(gan.step))


def _seconds(options: dict[str, Any]) -> float:
    """Seconds of training so far."""
    table = Path(options["out"]) / "history.csv"
    column = read_history(table)["seconds"] if table.exists() and table.stat().st_size else []
    return column[-1] if column else 0.0


def _config(
    model: str, gan: "GAN", data: Any, options: dict[str, Any], before: dict[str, Any] | None
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
        "options": {name: options[name] for name in (*_IDENTITY, *_SETTINGS)},
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


def _headline(model: str, gan: "GAN", data: Any, options: dict[str, Any], steps: int) -> str:
    shape = "x".join(map(str, data.shape))
    size = "endless" if data.size is None else f"{data.size:,}"
    networks = ", ".join(f"{player} {count:,}" for player, count in parameters_of(gan).items())
    start = f"step {int(gan.step):,} of {steps:,}" if int(gan.step) else f"{steps:,} steps"
    return (
        f"{model} {options['preset']} ({networks} trainable parameters) on {data.name} ({size} examples of "
        f"{shape}): {start}, {gan.batch_size * gan.n_critic} images each, into {options['out']}"
    )


# ------------------------------------------------------------------------------------ training and after


def _callbacks(gan: "GAN", data: Any, options: dict[str, Any]) -> list:
    """In this order: numbers and state first, so that nothing that draws can lose them."""
    from ganlib import callbacks

    out = Path(options["out"])
    real = data.to_numpy(1000) if len(gan.image_shape) == 1 else None
    rows = 64
    if _translates(gan):
        rows = min(8, data.size or 8)
        real = data.to_numpy(rows)
    watching = [
        callbacks.History(out, every=options["history_every"]),
        callbacks.Checkpoint(out / "checkpoints", every_steps=options["checkpoint_every"]),
        callbacks.SampleGrid(out / "samples", every=options["sample_every"], n=rows, real=real),
        callbacks.Curves(out),
    ]
    if options["minutes"]:
        watching.append(callbacks.StopAfter(60 * options["minutes"] - _seconds(options)))
    return watching


def _finish(gan: "GAN", data: Any, options: dict[str, Any]) -> None:
    """Weights, score, and where everything is."""
    out = Path(options["out"])
    gan.save_weights(out / "model.weights.h5")
    table = read_history(out / "history.csv")
    seconds = table["seconds"][-1]
    scores, reason = _scores(gan, data, options)
    result = {
        "step": int(gan.step),
        "kimg": int(gan.images_seen) / 1000,
        "seconds": round(seconds, 1),
        "images_per_second": round(int(gan.images_seen) / max(seconds, 1e-9), 1),
        "scores": scores,
    }
    write_json(out / "metrics.json", result | ({"no_score_because": reason} if reason else {}))
    pictures = out / "samples"
    print(f"pictures  {pictures / f'step-{int(gan.step):08d}.png'} and {pictures / 'training.gif'}")
    print(f"curves    {out / 'curves.png'}")
    print(f"weights   {out / 'model.weights.h5'}")
    for score in scores:
        provenance = f"{score['samples']} samples, {score['reference']}"
        print(f"score     {score['metric']} {score['value']:.2f} ({provenance})")
    if reason:
        print(f"score     none: {reason}")
    print(f"time      {_duration(seconds)} of training, {result['images_per_second']:.0f} images/s")


def _scores(gan: "GAN", data: Any, options: dict[str, Any]) -> tuple[list[dict], str | None]:
    """The scores of the finished run, or why there are none."""
    if not options["score"]:
        return [], "--no-score"
    if _translates(gan):
        return [], "`ganlib evaluate` compares translations with held-out targets"
    if data.name != "fashion_mnist":
        return [], f"FID(fashion-cnn) judges fashion_mnist only, not {data.name}"
    from ganlib import metrics

    started = time.perf_counter()
    try:
        score = metrics.fid_fashion_cnn(lambda n, seed: gan.sample(n, seed=seed))
    except InputError as error:  # such as images too small for the network
        return [], str(error)
    return [score | {"seconds": round(time.perf_counter() - started, 1)}], None


def _progress(gan: "GAN", options: dict[str, Any], steps: int) -> str:
    return f"step {int(gan.step):,} of {steps:,}, {_duration(_seconds(options))} of training"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
