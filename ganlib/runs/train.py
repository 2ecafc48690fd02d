"""Start or continue a run: the model and its data made for each other, trained, and what is left behind."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ganlib.catalogue import parameters_of
from ganlib.errors import InputError
from ganlib.files import read_history, write_json
from ganlib.quiet import import_tensorflow
from ganlib.runs.folder import (
    class_of,
    config_of,
    locked,
    rebuild,
    refuse_used,
    remove_leftovers,
    require_fresh,
    require_same_data,
    seconds_of,
    stored_config,
)
from ganlib.runs.measure import scores_of

if TYPE_CHECKING:
    from ganlib.engine import Engine

_KIMG = 165.0


def train(model: str, options: dict[str, Any], given: set[str], bar: Any = None) -> int:
    """Train, or go on training, a model; print where everything is.

    Args:
        model: Its name in `ganlib.models.registry()`.
        options: The options of `ganlib train`, defaults included.
        given: Names of those on the command line: --resume takes all others from the run's config.json.
        bar: A callback with a method `close`, in place of a `ProgressBar`.

    Returns:
        The exit status: 0; 130 and 143 if a signal stopped the run, which then is saved.

    Raises:
        InputError: An option does not fit. Nothing has been written.
        GanlibError: The run failed.
    """
    options = {**options, "out": Path(options["out"])}
    out = options["out"]
    if not options["resume"]:
        refuse_used(out)
        run = _ready(model, options, None)
        with locked(out):
            refuse_used(out)  # nobody else was quicker
            return _go(*run, bar)
    stored_config(out, model, options, given)  # no lock in a folder that is no run's
    with locked(out):
        config = stored_config(out, model, options, given)
        started = {"augment": None} | config["options"]  # of older runs nothing says that they have none
        return _go(
            *_ready(model, {**started, **{name: options[name] for name in given}, "out": out}, config), bar
        )


class _Run(NamedTuple):
    """A run that is checked and can begin, or go on."""

    model: str
    gan: "Engine"
    data: Any
    batches: Any
    options: dict[str, Any]
    config: dict[str, Any] | None
    steps: int
    left: int


def _ready(model: str, options: dict[str, Any], config: dict[str, Any] | None) -> _Run:
    """Everything that can be refused is refused here; writes nothing. `config` is a resumed run's config.json."""
    out = options["out"]
    import_tensorflow()
    import tensorflow as tf

    from ganlib import checkpoints, scaling

    if options["deterministic"]:
        tf.config.experimental.enable_op_determinism()
    with scaling.strategy(options["strategy"]).scope():
        gan, data, batches, steps = _made(model, options, config)
    if config is None:
        _set_intervals(options, steps)
    elif checkpoints.latest(out / "checkpoints") is not None:
        require_same_data(config, data, options)
        checkpoints.restore(gan, out / "checkpoints")
    else:
        require_fresh(out, config)
    return _Run(model, gan, data, batches, options, config, steps, _left(gan, options, steps))


def _go(model, gan, data, batches, options, config, steps, left, bar) -> int:
    """Train for what is left, and finish; returns the exit status."""
    from ganlib import callbacks, checkpoints

    out = options["out"]
    if not left and (out / "metrics.json").exists():
        progress = f"step {int(gan.step):,} of {steps:,}, {_duration(seconds_of(out))} of training"
        print(f"{out} is already complete: {progress}; --kimg or --minutes continue it")
        return 0
    remove_leftovers(out)
    write_json(out / "config.json", config_of(model, gan, data, options, config))
    print(_headline(model, gan, data, options, steps))
    watching = _callbacks(gan, data, options)
    if left:
        bar = bar or callbacks.ProgressBar()
        try:
            gan.fit(batches, steps_per_epoch=left, callbacks=[*watching, bar], verbose=0)
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
    else:  # killed between its last step and its end
        for callback in watching:
            callback.set_model(gan)
            callback.on_train_begin()
            callback.on_train_end()
    _finish(gan, data, options)
    return 0


def check(model: str, options: dict[str, Any]) -> tuple["Engine", Any]:
    """What `train` would train with these options, and on which data. Nothing is written.

    Raises:
        InputError: An option does not fit.
    """
    gan, data, *_ = _made(model, dict(options), None)
    return gan, data


def _made(
    model: str, options: dict[str, Any], config: dict[str, Any] | None
) -> tuple["Engine", Any, Any, int]:
    """The model, its data, the batches of it, and the steps of the whole run.

    Raises:
        InputError: They do not fit each other, or the run has no step, or the recipe's schedule ends before its last.
    """
    gan, data = _prepare(model, options, config)
    gan.compile()
    batches = data.batch(gan.batch_size)
    gan.check_data(batches)
    steps, end = gan.steps_for(1000 * options["kimg"]), gan.last_step()
    if steps < 1:
        raise InputError(
            f"--kimg {options['kimg']:g} is less than a step of {gan.batch_size} images; use more"
        )
    if end is not None and steps > end:
        raise InputError(
            f"--kimg {options['kimg']:g} is {steps} steps, but from step {end} on this {model}'s learning rate is 0; "
            "use less, or another --out"
        )
    return gan, data, batches, steps


def _prepare(model: str, options: dict[str, Any], config: dict[str, Any] | None) -> tuple["Engine", Any]:
    """The model and its data, made for each other; notes in `options` what is chosen where nothing is given."""
    from ganlib import augment

    _refuse_taken(options)
    if config is not None:
        gan = rebuild(config, Path(options["out"]) / "config.json")
        return gan, _load_data(model, gan, options, config["data"]["channels"])
    cls, given = class_of(model), _arguments(options)
    gan = cls.from_preset(options["preset"], **given)
    options["data"] = options["data"] or gan.default_data
    images = len(gan.image_shape) == 3 and not gan.follows("channels", given)
    data = _load_data(model, gan, options, gan.image_shape[-1] if images else None)
    changes = gan.fitted(given, data)
    end = gan.last_step()
    if options["kimg"] is None:
        options["kimg"] = _KIMG if end is None else gan.images_for(end) / 1000
    else:
        paced = gan.paced(gan.steps_for(1000 * options["kimg"]))
        changes |= {} if paced.keys() & given.keys() else paced
    made_with = gan.get_config()
    if any(made_with[name] != value for name, value in changes.items()):
        gan = cls.from_preset(options["preset"], **given, **changes)
    misfit = gan.misfit(data)
    if misfit is not None:
        found, expected = misfit
        raise InputError(
            f"--data {options['data']} has {found}, {model} --preset {options['preset']} {expected}; use another "
            "--preset or --data"
        )
    if options.get("augment"):
        augment.add(gan, options["augment"])
    return gan, data


def _refuse_taken(options: dict[str, Any]) -> None:
    taken = {"resolution", "channels", "seed", "labels", "shuffle", "repeat"} & set(options["data_options"])
    if taken:
        name = min(taken)
        raise InputError(
            f"--data-option {name}: train sets {name} itself, from the model and --seed; leave it out"
        )


def _load_data(model: str, gan: "Engine", options: dict[str, Any], channels: int | None) -> Any:
    """The data of the run, with so many channels; None: its own."""
    from ganlib import data as sources

    name, more = options["data"], options["data_options"]
    try:
        return gan.load_data(name, channels=channels, seed=options["seed"], **more)
    except InputError:
        of_images = len(gan.image_shape) == 3 and name in sources.names()
        if of_images and len(sources.load(name, **more).shape) == 1:
            raise InputError(
                f"--data {name} are points, {model} --preset {options['preset']} makes images of {gan.image_shape}; "
                "use vanilla-gan --preset points_2d"
            ) from None
        raise


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
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


def _set_intervals(options: dict[str, Any], steps: int) -> None:
    """Intervals that suit the length of the run, where none are given; a longer resumed run keeps them."""
    options["checkpoint_every"] = options["checkpoint_every"] or min(500, max(1, steps // 10))
    options["sample_every"] = options["sample_every"] or max(1, steps // 20)
    options["history_every"] = min(50, max(1, steps // 40))


def _left(gan: "Engine", options: dict[str, Any], steps: int) -> int:
    """Steps still to do; 0 once --kimg or --minutes is reached."""
    if options["minutes"] and seconds_of(Path(options["out"])) >= 60 * options["minutes"]:
        return 0
    return max(0, steps - int(gan.step))


def _headline(model: str, gan: "Engine", data: Any, options: dict[str, Any], steps: int) -> str:
    shape = "x".join(map(str, data.shape))
    size = "endless" if data.size is None else f"{data.size:,}"
    networks = ", ".join(f"{player} {count:,}" for player, count in parameters_of(gan).items())
    start = f"step {int(gan.step):,} of {steps:,}" if int(gan.step) else f"{steps:,} steps"
    schedule = gan.schedule()
    sizes = {schedule.images_a_step[schedule.at(step)] for step in {0, *schedule.ends[:-1]} if step < steps}
    each = " or ".join(map(str, sorted(sizes)))
    return (
        f"{model} {options['preset']} ({networks} trainable parameters) on {data.name} ({size} examples of "
        f"{shape}): {start}, {each} images each, into {options['out']}"
    )


def _callbacks(gan: "Engine", data: Any, options: dict[str, Any]) -> list:
    """In this order: numbers and state first, so that nothing that draws can lose them."""
    from ganlib import callbacks

    out = Path(options["out"])
    shown = {"n": gan.picture_rows, "real": gan.picture_data(data)}
    watching = [
        callbacks.History(out, every=options["history_every"]),
        callbacks.Checkpoint(out / "checkpoints", every_steps=options["checkpoint_every"]),
        callbacks.SampleGrid(out / "samples", every=options["sample_every"], **shown),
        callbacks.Curves(out),
    ]
    if options["minutes"]:
        watching.append(callbacks.StopAfter(60 * options["minutes"] - seconds_of(Path(options["out"]))))
    return watching


def _finish(gan: "Engine", data: Any, options: dict[str, Any]) -> None:
    """Weights, score, and where everything is."""
    out = Path(options["out"])
    gan.save_weights(out / "model.weights.h5")
    table = read_history(out / "history.csv")
    seconds = table["seconds"][-1]
    scores, reason = scores_of(gan, data, options)
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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
