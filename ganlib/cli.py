"""The command `ganlib`: train, sweep, sample, translate, evaluate, export, grade, list, doctor.

Only click is imported here, so that help answers at once; TensorFlow loads inside the commands that compute.

Exit status: 0 done; 1 the run failed (training diverged, disk full, damaged checkpoint); 2 the input is wrong
and nothing was written; 129, 130 and 143 after SIGHUP, Ctrl-C and SIGTERM, state saved. Errors are one line, `error:
...`, on stderr; GANLIB_DEBUG=1 adds the traceback of an unexpected one.
"""

import contextlib
import json
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ganlib import __version__
from ganlib.errors import GanlibError, InputError

_LONGEST = 500  # of an error's line


class _Group(click.Group):
    """A click group whose errors are one line, and whose exit status tells wrong input from failure."""

    def main(self, args=None, prog_name=None, standalone_mode=True, **extra):
        """Run a command line; with `standalone_mode`, the default, end in SystemExit."""
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **extra)
        try:
            status = super().main(args, prog_name, standalone_mode=False, **extra)
        except click.Abort:
            status = _fail("interrupted", 130)
        except click.ClickException as error:
            status = _fail(error.format_message(), error.exit_code)
        except InputError as error:
            status = _fail(error, 2)
        except GanlibError as error:
            status = _fail(error, 1)
        except Exception as error:
            if os.environ.get("GANLIB_DEBUG"):
                raise
            status = _fail(f"{type(error).__name__}: {error} (GANLIB_DEBUG=1 shows where)", 1)
        sys.exit(status if isinstance(status, int) else 0)


def _fail(message: Any, status: int) -> int:
    text = " ".join(str(message).split())
    click.echo(f"error: {text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}", err=True)
    return status


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(__version__, prog_name="ganlib")
@click.pass_context
def main(context: click.Context) -> None:
    """Generative Adversarial Networks to train, sample and measure.

    Start with: ganlib train dcgan --out runs/first
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """("a=1", "b=none") -> {"a": 1, "b": None}. Values are JSON where they can be, else text."""
    pairs: dict[str, Any] = {}
    for value in values:
        key, _, text = value.partition("=")
        if not key.isidentifier() or not text:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE, such as latent_dim=32", context, parameter)
        if key in pairs:
            raise click.BadParameter(f"{key!r} is given twice; give it once", context, parameter)
        pairs[key] = _value(text)
    return pairs


class _Positive(click.FloatRange):
    """A number above 0; click's own range lets nan and inf through."""

    def convert(self, value, parameter, context):
        """Text -> number."""
        number = super().convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number above 0", parameter, context)
        return number


class _Name(click.ParamType):
    """A name, or a list of them: not empty, which would be taken for not given."""

    name = "text"

    def convert(self, value, parameter, context):
        """Text, if there is any."""
        if not value.strip(" ,"):
            self.fail("it is empty: leave the option out, or give a name", parameter, context)
        return value


def _value(text: str) -> Any:
    """JSON where it can be, or a number such as .5; else the text."""
    words = {"none": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    for read in (json.loads, float):
        with contextlib.suppress(ValueError):
            return read(text)
    return text


def _axes(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, list]:
    """("a=1,2", "b,c=[1,2],[3,4]") -> {"a": [1, 2], "b,c": [[1, 2], [3, 4]]}."""
    axes: dict[str, list] = {}
    for value in values:
        key, _, text = value.partition("=")
        if not all(name.isidentifier() for name in key.split(",")) or not text:
            message = f"{value!r} is not KEY=V1,V2, such as n_critic=1,2"
            raise click.BadParameter(message, context, parameter)
        if key in axes:
            raise click.BadParameter(f"{key!r} is given twice; give it once", context, parameter)
        axes[key] = [_value(one.strip()) for one in re.split(r",(?![^\[]*\])", text)]
    return axes


def _seeds(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    """'0,1' -> [0, 1]."""
    try:
        return [int(one) for one in value.split(",")]
    except ValueError:
        message = f"{value!r} is not a list of whole numbers, such as 0,1,2"
        raise click.BadParameter(message, context, parameter) from None


# What kinds of options have in common.
_PATH = {"type": click.Path(path_type=Path)}
_COUNT = {"type": click.IntRange(min=1), "metavar": "N"}
_SEED = {"type": int, "metavar": "N"}
_POSITIVE = {"type": _Positive(min=0, min_open=True), "metavar": "X"}
_NAME = {"type": _Name()}
_PAIRS = {"multiple": True, "callback": _pairs, "metavar": "KEY=VALUE"}


def _of_run(command: Callable) -> Callable:
    """The argument RUN, and the options that say what its weights are of."""
    command = click.option("--preset", **_NAME, help="The preset of that model.")(command)
    model = click.option(
        "--model", **_NAME, help="Whose weights RUN holds, if no config.json is beside them."
    )
    return click.argument("run", **_PATH)(model(command))


@main.command()
@click.argument("model")
@click.option("--preset", default="laptop", help="Size of the networks: see `ganlib list`.")
@click.option(
    "--data",
    **_NAME,
    help="fashion_mnist, mnist, cifar10, digits, polygons, shapes, matching_shapes, faces, textures, "
    "gaussians_ring, gaussians_grid, swiss_roll, folder:PATH or tfds:NAME; for translators edges_to_fashion, "
    "segmentation_to_shapes, warm_to_cool, outline_to_face, beard_to_none, day_to_night, folder:PATH or, unpaired, "
    "faces_and_textures or tfds:cycle_gan/NAME.  [default: fashion_mnist; for translators edges_to_fashion, for adain "
    "faces_and_textures]",
)
@click.option(
    "--data-option",
    "data_options",
    **_PAIRS,
    help="Argument of the data source, such as full=true; may be repeated.",
)
@click.option(
    "--kimg",
    **_POSITIVE,
    help="Thousands of real images to show to the discriminator; cyclegan's learning rate falls to 0 over them.  "
    "[default: 165; for cyclegan the preset's]",
)
@click.option("--minutes", **_POSITIVE, help="Stop after so many minutes of training, if that is earlier.")
@click.option("--out", **_PATH, help="Run folder.  [default: runs/MODEL]")
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@click.option("--seed", **_SEED, default=0, help="Seed of weights, latents and order of data.")
@click.option("--batch-size", **_COUNT, help="Real images a step.  [default: the preset's]")
@click.option("--resolution", **_COUNT, help="Height and width of images.  [default: the preset's]")
@click.option(
    "--set",
    "arguments",
    **_PAIRS,
    help="Constructor argument of the model, such as latent_dim=32; may be repeated.",
)
@click.option(
    "--augment",
    type=click.Choice(["ada", "diffaugment"]),
    help="Show D real and generated images through random transforms: for small data.",
)
@click.option("--strategy", default="none", help="none, mirrored, mirrored:N, cpu:N, tpu or tpu:ADDRESS.")
@click.option("--checkpoint-every", **_COUNT, help="Steps.  [default: a tenth of the run, at most 500]")
@click.option("--sample-every", **_COUNT, help="Steps between pictures.  [default: a twentieth of the run]")
@click.option("--score/--no-score", default=True, help="Compute an FID at the end (fashion_mnist and faces).")
@click.option("--deterministic", is_flag=True, help="Bit-identical repeats on one machine; slower on a GPU.")
@click.pass_context
def train(context: click.Context, model: str, **options: Any) -> int:
    """Train a model and leave everything in a run folder.

    `ganlib list` shows the models. The folder gets config.json, history.csv, curves.png, samples/,
    checkpoints/, model.weights.h5 and metrics.json. Ctrl-C saves and stops; --resume continues.
    """
    options["out"] = options["out"] or Path("runs") / model
    source = context.get_parameter_source
    given = {name for name in options if source(name) is click.core.ParameterSource.COMMANDLINE}
    from ganlib import runs

    return runs.train(model, options, given)


@main.command()
@click.argument("model")
@click.option(
    "--grid",
    multiple=True,
    callback=_axes,
    metavar="KEY=V1,V2",
    help="Values of a constructor argument, such as learning_rate=1e-4,2e-4; repeated, every one with every other. "
    "Arguments that change together: a,b=[1,2],[3,4].",
)
@click.option("--paper", help="A sweep of BigGAN's paper: rates, r1, dropout, beta1 or orthogonal.")
@click.option("--seeds", default="0", callback=_seeds, metavar="N,N", help="Each point is trained with each.")
@click.option("--preset", default="laptop", help="Size of the networks: see `ganlib list`.")
@click.option("--data", help="As for `ganlib train`.")
@click.option("--data-option", "data_options", **_PAIRS, help="Argument of the data source; may be repeated.")
@click.option("--kimg", **_POSITIVE, help="Thousands of real images, of each trial.  [default: 165]")
@click.option("--minutes", **_POSITIVE, help="Of training, of each trial, if that is earlier.")
@click.option("--set", "arguments", **_PAIRS, help="Constructor argument of all trials; may be repeated.")
@click.option("--augment", type=click.Choice(["ada", "diffaugment"]), help="As for `ganlib train`.")
@click.option("--strategy", default="none", help="As for `ganlib train`.")
@click.option("--metrics", help="As for `ganlib evaluate`; trials are compared by the first.  [default: fid]")
@click.option("--samples", type=click.IntRange(min=2), metavar="N", help="As for `ganlib evaluate`.")
@click.option("--extractor", help="As for `ganlib evaluate`.")
@click.option("--out", **_PATH, help="Folder of the sweep.  [default: runs/sweep-MODEL]")
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the sweep in --out; also while another process works on it, which then is helped.",
)
@click.pass_context
def sweep(context: click.Context, model: str, paper: str | None, **options: Any) -> int:
    """Train a model at every point of a grid of its arguments, and show which is best.

    The folder gets table.md, table.csv and plot.png, written after each trial, and trials/, a run folder for each.
    Ctrl-C saves and stops; --resume takes up each trial where it was. Needs: pip install 'ganlib[sweep]'.
    """
    options["out"] = options["out"] or Path("runs") / f"sweep-{model}"
    source = context.get_parameter_source
    given = {name for name in options if source(name) is click.core.ParameterSource.COMMANDLINE}
    from ganlib import sweeps

    if options["metrics"] is not None:
        options["metrics"] = _names(options["metrics"])
    if paper is not None:
        options["grid"] = sweeps.of_paper(paper, options["grid"])
        given.add("grid")
    return sweeps.sweep(model, options, given)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@main.command()
@click.option("--n", **_COUNT, default=64, help="How many.")
@click.option("--seed", **_SEED, help="Same seed, same samples.  [default: another one each time]")
@click.option("--truncation", **_POSITIVE, help="Largest latent: fewer oddities, less variety.")
@click.option("--labels", **_NAME, help="Classes, for a conditional model: 3, or 0,1,2, repeated up to --n.")
@click.option(
    "--out",
    **_PATH,
    default=Path("samples.png"),
    help="A .png picture, or an .npz file with the array `samples`, float32 in [-1, 1].",
)
@_of_run
def sample(
    run: Path, n: int, labels: str | None, out: Path, model: str | None, preset: str | None, **draw: Any
) -> None:
    """Draw samples from a run folder, a .weights.h5 file or the folder of a TF-Hub module."""
    _require_suffix(out)
    try:
        classes = None if labels is None else [int(label) for label in labels.split(",")]
    except ValueError:
        raise InputError(f"--labels {labels!r} is not a list of whole numbers, such as 0,1,2") from None
    from ganlib import runs

    gan = runs.load(run, model, preset)
    if not gan.sampled:
        raise InputError(
            f"{run} holds a {type(gan).__name__}, which translates images: use `ganlib translate`"
        )
    if classes is not None:
        classes = [classes[i % len(classes)] for i in range(n)]
    samples = gan.sample(n, labels=classes, **draw)
    _save(out, [samples], {"samples": samples} | ({} if classes is None else {"labels": classes}))
    click.echo(f"{n} samples: {out}")


@main.command()
@click.option(
    "--input",
    "source",
    **_PATH,
    help="An image to translate, or a folder of them.  [default: the test split of the run's data]",
)
@click.option(
    "--style",
    **_PATH,
    help="Of adain: an image, or a folder of them, used in turn.  [default: the styles of the run's data]",
)
@click.option(
    "--strength",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Of the style: 0 none of it, 1 all.  [default: 1]",
)
@click.option("--n", **_COUNT, default=8, help="How many, at most.")
@click.option(
    "--out",
    **_PATH,
    default=Path("translations.png"),
    help="A .png picture, a row for each image; or an .npz file with the arrays `sources` and `translations`, float32 "
    "in [-1, 1].",
)
@_of_run
def translate(
    run: Path,
    source: Path | None,
    style: Path | None,
    strength: float | None,
    n: int,
    out: Path,
    model: str | None,
    preset: str | None,
) -> None:
    """Translate images with pix2pix, CycleGAN or AdaIN, from a run folder or a .weights.h5 file.

    Beside each image and its translation stands what the data has: the target of a pair; of CycleGAN's domains the
    way back, and the same from the other side; of AdaIN the style.
    """
    _require_suffix(out)
    from ganlib import runs

    shown = runs.translate(run, source, n, model, preset, style, strength)
    _save(out, shown, {"sources": shown[0], "translations": shown[1]})
    click.echo(f"{len(shown[0])} translations: {out}")


def _require_suffix(out: Path) -> None:
    if out.suffix not in (".png", ".npz"):
        raise InputError(f"--out {out} ends in neither .png nor .npz; choose one of them")


def _save(out: Path, columns: list[Any], arrays: dict[str, Any]) -> None:
    """Write a picture of images, one or more columns of them; or arrays, if that is how `out` ends."""
    if out.suffix == ".npz":
        from ganlib.files import write_arrays

        write_arrays(out, arrays, compress=True)
        return
    from ganlib import plots

    images, in_row = (columns[0], None) if len(columns) == 1 else (plots.in_rows(columns), len(columns))
    plots.save_png(images, out, in_row)


@main.command()
@click.argument("files", nargs=-1, required=True, **_PATH, metavar="FILE...")
@click.option(
    "--timeout",
    **_POSITIVE | {"metavar": "SECONDS"},
    default=120.0,
    help="Longest time for a cell; it is interrupted then, and the rest goes on.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def grade(files: tuple[Path, ...], timeout: float, as_json: bool) -> int:
    """Run exercise notebooks, each in a process and a home of its own, and report which tasks pass.

    Status 0 if all do, 1 if not or if notebooks cannot be run here, 2 if a file is no such notebook (the others are
    graded all the same). The files are not changed. The code in them runs with your rights: grade notebooks of
    strangers in a container.
    """
    import ganlib

    grading = ganlib.grading  # by the front door: the library imports nothing of `teaching`
    grading.require_packages()
    outcomes, status = {}, 0
    for file in files:
        try:
            outcomes[str(file)] = grading.grade(file, timeout=timeout)
        except GanlibError as error:
            status = _fail(error, 2)
            outcomes[str(file)] = {"error": " ".join(str(error).split())}
            continue
        if any(why is not None for why in outcomes[str(file)].values()):
            status = status or 1
        if not as_json:
            click.echo(grading.report(file, outcomes[str(file)]))
    if as_json:
        click.echo(json.dumps(outcomes, indent=2))
    return status


@main.command()
@click.option(
    "--metrics",
    **_NAME,
    help="Of fid, kid, precision, recall, density, coverage, inception_score, prd, swd, ms_ssim; of translations also "
    "l1 and ssim (pairs), cycle_error (domains).  [default: fid,kid,precision,recall; of translations fid and these]",
)
@click.option(
    "--samples",
    type=click.IntRange(min=2, max=10_000_000),
    metavar="N",
    help="[default: 10000; of translations as many as there are sources]",
)
@click.option("--data", **_NAME, help="Other data than the run was trained on, as for `ganlib train`.")
@click.option(
    "--split", **_NAME, help="Split of the data.  [default: the one trained on; of translators test]"
)
@click.option(
    "--extractor",
    **_NAME,
    help="fashion-cnn, faces-cnn, inception-tfhub[:PATH], inception-keras[:PATH], classifier, random-convolutions "
    "or identity.  [default: what suits the data]",
)
@click.option("--truncation", **_POSITIVE, help="Largest latent.")
@click.option("--seed", **_SEED, default=0, help="Of the samples.")
@click.option("--batch-size", **_COUNT, help="Images a call of the extractor.")
@click.option("--cache", **_PATH, help="Features of real data.  [default: ~/.cache/ganlib]")
@click.option("--out", **_PATH, help="[default: RUN/evaluation.json]")
@_of_run
def evaluate(run: Path, metrics: str | None, model: str | None, preset: str | None, **options: Any) -> None:
    """Score a run: FID and others, with standard errors and all that they depend on."""
    options["metrics"] = None if metrics is None else _names(metrics)
    from ganlib import runs

    evaluation, out = runs.evaluate(run, options, model, preset)
    click.echo(evaluation.text())
    click.echo(f"written to {out}")


@main.command()
@click.option("--out", **_PATH, required=True, metavar="FOLDER", help="New, or empty.")
@click.option(
    "--truncations",
    metavar="X,X,...",
    help="Thresholds whose standing statistics are kept, for a model that has such statistics.  [default: 0.25,0.5,"
    "0.75,1,1.5,2]",
)
@_of_run
def export(run: Path, out: Path, truncations: str | None, model: str | None, preset: str | None) -> None:
    """Write a generator as a SavedModel with the signature of TF-Hub's BigGAN, to use without ganlib.

    tensorflow_hub.load(FOLDER) and tf.saved_model.load(FOLDER) read it; `ganlib sample FOLDER` does, too.
    """
    try:
        given = {} if truncations is None else {"truncations": [float(x) for x in truncations.split(",")]}
    except ValueError:
        raise InputError(f"--truncations {truncations!r} is not a list of numbers, such as 0.5,1") from None
    from ganlib import runs

    gan = runs.load(run, model, preset)
    from ganlib import hub

    hub.export(gan, out, **given)
    click.echo(f"{type(gan).__name__} for TF-Hub: {out}")


@main.command("list")
@click.option(
    "--data", "with_data", is_flag=True, help="The data that presets are named after, and how to get it."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_models(with_data: bool, as_json: bool) -> None:
    """Show models, papers, presets and numbers of parameters."""
    from ganlib import catalogue

    if with_data:
        rows = catalogue.data_of_presets()
        click.echo(json.dumps(rows, indent=2) if as_json else _data_for_people(rows))
        return
    models = catalogue.stored()
    if as_json:
        click.echo(json.dumps(models, indent=2))
        return
    for model in models:
        paper = f"{model['title']}. {model['authors']}, {model['year']}"
        click.echo(f"{model['name']}  ({model['class']})\n  {paper}, arXiv:{model['arxiv']}")
        width = max(len(name) for name in model["presets"])
        for name, preset in model["presets"].items():
            counts = ", ".join(f"{player} {count:,}" for player, count in preset["parameters"].items())
            click.echo(f"    {name:<{width}}  {preset['description']}\n    {'':<{width}}  {counts}")
        click.echo()


def _data_for_people(rows: list[dict[str, Any]]) -> str:
    """Presets by the data that they are named after."""
    lines: list[str] = []
    for name in dict.fromkeys(row["data"] for row in rows):
        of = [row for row in rows if row["data"] == name]
        one = of[0]
        lines.append(
            f"{name}  {one['images']:,} images, {one['size']}; licence: {one['licence']}\n  {one['source']}"
        )
        lines += [f"    {row['line']}  ({row['memory_gb']:,g} GB in memory)" for row in of]
        lines.append("")
    return "\n".join(
        [*lines, "GB in memory: of all images at the preset's resolution; ganlib keeps them there."]
    )


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--out", **_PATH, default=Path("runs"), help="Where runs go.")
def doctor(as_json: bool, out: Path) -> int:
    """Show what this machine has, and what to do about what it lacks."""
    from ganlib import doctor as examination

    report = examination.examine(out)
    click.echo(json.dumps(report, indent=2) if as_json else examination.text(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    main(prog_name="ganlib")
