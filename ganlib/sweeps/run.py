"""Run a sweep: claim a trial, train it in a run folder of its own, score it, write the table; until none is left."""

import contextlib
import dataclasses
import io
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import tqdm.auto
from filelock import FileLock

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError, TrainingDiverged
from ganlib.files import make_folder, read_json
from ganlib.quiet import import_tensorflow
from ganlib.sweeps import report
from ganlib.sweeps.journal import DIVERGED, DONE, FAILED, Claim, Journal, Result, require_optuna
from ganlib.sweeps.plan import FILE, Plan

_REHEARSAL = 100  # samples, of a generator that knows nothing
_BETTER = {
    "l1": "lower",
    "ssim": "higher",
    "cycle_error": "lower",
}  # of translations; the others tell themselves


def sweep(model: str, options: dict[str, Any], given: set[str]) -> int:
    """Train a model at every point of a grid, or go on doing so; print where the table is.

    Several processes can share a sweep: each that is started with `resume` takes trials that nobody runs.

    Args:
        model: Its name in `ganlib.models.registry()`.
        options: The options of `ganlib sweep`, defaults included: out, resume, and the fields of a `Plan`.
        given: Names of those on the command line: a resumed sweep compares them with its own.

    Returns:
        The exit status: 0; 130 and 143 if a signal stopped the sweep, whose trial then is saved.

    Raises:
        InputError: An option does not fit, at some point of the grid. Nothing has been written.
        GanlibError: A trial could not be written. The sweep can be resumed.
    """
    require_optuna()
    out = Path(options["out"])
    if options["resume"]:
        plan = _stored(model, options, given, out)
        import_tensorflow()
    else:
        fields = [field.name for field in dataclasses.fields(Plan)]
        plan = Plan(model=model, **{name: options[name] for name in fields if name in options})
        _refuse_used(out)
        import_tensorflow()
        plan = checked(plan)
        _begin(plan, out)
    try:
        status = _run(Journal(out, plan, better(plan)), plan, out)
    except KeyboardInterrupt:
        status = 130
    if status:
        resume = shlex.join(["ganlib", "sweep", model, "--out", str(out), "--resume"])
        print(f"stopped; to continue: {resume}", file=sys.stderr)
    return status


# ------------------------------------------------------------------------------------------ before the first


def checked(plan: Plan) -> Plan:
    """The plan with data and scores named, after making the model of each point, and scoring one of them untrained.

    Raises:
        InputError: At some point of the grid the model, the data or the scores are impossible.
    """
    import keras

    from ganlib import runs
    from ganlib.catalogue import zero_weights

    if plan.samples is not None:
        require_positive_integers(samples=plan.samples)
    points = list(plan.points())
    bar = tqdm.auto.tqdm(points, "checking", leave=False, disable=not sys.stderr.isatty())
    with zero_weights(), contextlib.closing(bar):
        for point in bar:
            options = plan.options_of(point, plan.seeds[0], Path())
            try:
                gan, _ = runs.check(plan.model, options)
            except InputError as error:
                raise InputError(f"{report.text_of_point(point)}: {error}") from error
            keras.utils.clear_session()
    metrics = ["fid"] if plan.metrics is None and gan.sampled else plan.metrics
    plan = dataclasses.replace(plan, data=plan.data or gan.default_data, metrics=metrics)
    samples = min(plan.samples or _REHEARSAL, _REHEARSAL)
    with _silence():
        found = runs.scored(gan, {**options, "data": plan.data}, plan.evaluation(samples))
    plan = dataclasses.replace(plan, scores=list(found))
    better(plan)
    return plan


def better(plan: Plan) -> str:
    """Whether "lower" or "higher" is better of the score that trials are compared by.

    Raises:
        InputError: Neither is: it says nothing about which of two trials is better.
    """
    from ganlib.metrics import known_metrics

    found = {**known_metrics(), **_BETTER}.get(plan.scores[0])
    if found is None:
        raise InputError(
            f"--metrics {plan.scores[0]}: trials are compared by the first, and of this neither lower nor higher is "
            "better; put another first, such as fid"
        )
    return found


def _refuse_used(out: Path) -> None:
    """Check that a new sweep can have the folder.

    Raises:
        InputError: It is a file, or not empty.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; choose a folder")
    if out.is_dir() and any(not path.name.startswith((".lock", f".{FILE}")) for path in out.iterdir()):
        raise InputError(
            f"--out {out} is not empty; add --resume to continue the sweep there, or choose another"
        )


def _begin(plan: Plan, out: Path) -> None:
    """Write what the sweep is, unless another process did just now."""
    make_folder(out)
    with FileLock(out / ".lock"):
        _refuse_used(out)
        plan.save(out)


def _stored(model: str, options: dict[str, Any], given: set[str], out: Path) -> Plan:
    """The plan of the sweep to resume, after comparing it with the command line.

    Raises:
        InputError: There is none, or what is given is another sweep.
    """
    plan = Plan.load(out)
    for name in ("model", *sorted(given & {field.name for field in dataclasses.fields(Plan)})):
        asked, was = (model if name == "model" else options[name]), getattr(plan, name)
        if asked != was:
            raise InputError(
                f"--resume: {name.replace('_', '-')} is {asked!r}, but {out} was started with {was!r}; leave it out, "
                "or choose another --out"
            )
    return plan


# ------------------------------------------------------------------------------------------------ the trials


def _run(journal: Journal, plan: Plan, out: Path) -> int:
    """Run trials until there are none; returns the exit status."""
    from ganlib.sweeps.progress import Bar

    rows = report.write(journal, plan, better(plan), out)
    print(f"{plan.model} {plan.preset} on {plan.data}: {len(journal)} trials, into {out}")
    bar = Bar(len(journal), report.over(rows), plan.minutes)
    with contextlib.closing(bar):
        while (claim := journal.claim()) is not None:
            try:
                result = _trial(claim, journal.folder_of(claim.number), plan, bar)
                if isinstance(result, int):
                    return result
                journal.finish(claim, result)
            finally:
                claim.lock.release()
            rows = report.write(journal, plan, better(plan), out)
            bar.move_to(report.over(rows))
            bar.say(f"trial {claim.number}  {report.text_of_trial(claim, result)}")
    print(report.summary(rows, plan, better(plan)))
    print(f"table     {out / 'table.md'} and {out / 'table.csv'}")
    print(f"plot      {out / 'plot.png'}")
    return 0


def _trial(claim: Claim, folder: Path, plan: Plan, bar: Any) -> Result | int:
    """Train and score a trial, or go on with it; an exit status if a signal stopped it."""
    import keras
    import tensorflow as tf

    from ganlib import runs

    options = plan.options_of(claim.point, claim.seed, folder)
    options["resume"] = (folder / "config.json").exists()
    if not options["resume"]:
        shutil.rmtree(folder, ignore_errors=True)  # files of a process that was killed before it began
    compared = {"arguments", "seed", "batch_size", "resolution"}
    keras.utils.clear_session()
    try:
        with _silence():
            status = runs.train(plan.model, options, compared, bar.share())
    except TrainingDiverged as error:
        return Result(DIVERGED, note=str(error))
    except tf.errors.ResourceExhaustedError as error:
        return Result(FAILED, note=f"out of memory: {str(error).splitlines()[0]}")
    if status:
        return status
    done = {key: read_json(folder / "metrics.json")[key] for key in ("step", "kimg", "seconds")}
    try:
        with _silence():
            evaluation, _ = runs.evaluate(folder, plan.evaluation())
    except InputError as error:  # the plan was checked, so it is these samples
        return Result(FAILED, note=str(error), **done)
    scores = {name: (float(score), score.standard_error) for name, score in evaluation.items()}
    return Result(DONE, scores, **done)


def _silence() -> contextlib.ExitStack:
    """Inside, what a trial prints on its way goes nowhere: the sweep has a line for each."""
    stack = contextlib.ExitStack()
    stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
    stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
    return stack
