"""What a run is worth: scores against data, pictures of translations."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlib.errors import InputError
from ganlib.quiet import import_tensorflow
from ganlib.runs.folder import folder_of, load, read_config

if TYPE_CHECKING:
    from ganlib.engine import Engine


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
    folder = folder_of(run)
    out = Path(options["out"] or folder / "evaluation.json")
    if out.suffix != ".json":
        raise InputError(f"--out {out} does not end in .json; choose such a name")
    config = read_config(folder) if (folder / "config.json").exists() else None
    if config is None and options["data"] is None:
        raise InputError(f"{folder} has no config.json that names its data; give --data")
    import_tensorflow()
    gan = load(run, model, preset)
    # the run's own with its seed: of generated data the same stream as in training
    used = config["options"] if options["data"] is None else {"data": options["data"]}
    evaluation = scored(gan, used, options)
    return evaluation, evaluation.save(out)


def scored(gan: "Engine", used: dict[str, Any], options: dict[str, Any]) -> Any:
    """The `ganlib.metrics.Evaluation` of a model.

    Args:
        gan: The model.
        used: Of the data: data, and data_options and seed, if there are any; as in a run's config.json.
        options: As for `evaluate`; data and out are not looked at.

    Raises:
        InputError: An option does not fit, or the samples are not finite.
    """
    split = options["split"] or gan.default_split
    more = {**(used.get("data_options") or {}), "seed": used.get("seed") or 0}
    more |= {"split": split} if split else {}
    if gan.classes is not None:
        more["labels"] = False  # other data need not have any
    if len(gan.image_shape) == 3:
        more["channels"] = gan.image_shape[-1]
    data = gan.load_data(used["data"], **more)
    how = {key: options[key] for key in ("truncation", "extractor", "seed", "batch_size", "cache")}
    return gan.evaluate_on(data, options["metrics"], options["samples"], **how)


def translate(
    run: str | Path,
    source: str | None,
    n: int,
    model: str | None = None,
    preset: str | None = None,
    style: str | Path | None = None,
    strength: float | None = None,
) -> list[Any]:
    """Translate images with the model of a run.

    Args:
        run: As for `load`.
        source: An image, or a folder of them; None: the test split of the data that the run was trained on.
        n: How many images, at most.
        model: As for `load`.
        preset: As for `load`.
        style: Of a style transfer: an image, or a folder of them, used in turn; None: those of the test split.
        strength: Of the style, from 0 to 1, which is the default.

    Returns:
        Arrays (n, height, width, channels): sources and translations; and what `Translator.pictures_of` has beside
        them, if the data has targets.

    Raises:
        InputError: The model is no translator, or takes no style, or the images are not what it takes.
        CheckpointError: As for `load`.
    """
    gan = load(run, model, preset)
    if gan.sampled:
        raise InputError(f"{run} holds a {type(gan).__name__}, which translates nothing: use `ganlib sample`")
    folder = folder_of(run)
    if not gan.styled:
        if style is not None or strength is not None:
            raise InputError(
                f"{run} holds a {type(gan).__name__}, which has no styles: leave out --style and --strength"
            )
        if source is None:
            return gan.pictures_of(*_held_out(gan, folder, n))
        images = _images_in(source, gan, n)
        return [images, gan.translate(images, seed=0)]
    from ganlib import data

    contents = None if source is None else _images_in(source, gan, n)
    resolution, _, channels = gan.source_shape
    styles = None if style is None else data.read_images(style, resolution, channels, gan.smallest)
    if contents is None or styles is None:
        more = _held_out(gan, folder, n)
        contents, styles = (
            (more[0] if contents is None else contents),
            (more[1] if styles is None else styles),
        )
    in_turn = [i % len(styles) for i in range(len(contents))]
    return gan.pictures_of(contents, styles[in_turn], 1.0 if strength is None else strength)


def _images_in(folder: str, gan: "Engine", n: int) -> Any:
    """The first `n` images of a folder, or the one of a file, as the model's sources are."""
    from ganlib import data

    resolution, _, channels = gan.source_shape
    return data.read_images(folder, resolution, channels, first=n)


def _held_out(gan: "Engine", folder: Path, n: int) -> tuple[Any, Any]:
    """At most `n` sources and targets of the test split of the data that a run was trained on."""
    if not (folder / "config.json").exists():
        needed = "--input and --style" if gan.styled else "--input"
        raise InputError(f"{folder} has no config.json that names its data; give {needed}")
    options = read_config(folder)["options"]
    more = {key: value for key, value in options["data_options"].items() if key != "split"}
    more |= {"channels": gan.source_shape[-1], "seed": options["seed"]}
    data = gan.load_data(options["data"], gan.default_split, **more)
    return data.to_numpy(min(n, data.size))


def scores_of(gan: "Engine", data: Any, options: dict[str, Any]) -> tuple[list[dict], str | None]:
    """The scores of the finished run, or why there are none."""
    if not options["score"]:
        return [], "--no-score"
    if not gan.sampled and gan.styled:
        return [], "a style transfer has no targets to compare with"
    if not gan.sampled:
        return [], "`ganlib evaluate` compares translations with held-out targets"
    from ganlib import metrics

    judges = {"fashion_mnist": metrics.fid_fashion_cnn, "faces": metrics.fid_faces_cnn}
    if data.name not in judges:
        return [], f"ganlib has an FID of its own for {' and '.join(judges)}, not for {data.name}"
    started = time.perf_counter()
    try:
        score = judges[data.name](lambda n, seed: gan.sample(n, seed=seed))
    except InputError as error:  # such as images too small for the network
        return [], str(error)
    return [score | {"seconds": round(time.perf_counter() - started, 1)}], None
