"""The trials of a sweep in Optuna's journal, so that each is run by one process, to its end, and once.

Optuna's grid gives the n-th trial the n-th point. A trial of a process that was killed stays RUNNING in the journal.
Here a trial also has a lock, which ends with its process, so that one without a holder can be told from one that runs.
It is taken up again as it is, number and point; what is left of its training is the business of its run folder.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from ganlib.errors import CheckpointError, InputError
from ganlib.files import make_folder
from ganlib.sweeps.plan import Plan, text_of

WAITING, RUNNING, DONE, DIVERGED, FAILED = "waiting", "running", "done", "diverged", "failed"


class Result(NamedTuple):
    """How a trial ended.

    Attributes:
        state: "done", "diverged" or "failed".
        scores: Metric -> value and standard error, if there is one.
        step: At which training ended.
        kimg: Thousands of real images until then.
        seconds: Of training.
        note: Why there are no scores.
    """

    state: str
    scores: Mapping[str, tuple[float, float | None]] = {}
    step: int | None = None
    kimg: float | None = None
    seconds: float | None = None
    note: str = ""


class Claim(NamedTuple):
    """A trial that this process runs, until `Journal.finish`.

    Attributes:
        number: Of the trial.
        point: Axis -> value.
        seed: Its seed.
        lock: That is held.
    """

    number: int
    point: dict[str, Any]
    seed: int
    lock: FileLock


class Row(NamedTuple):
    """A line of the table: a point with a seed.

    Attributes:
        point: Axis -> value.
        seed: Its seed.
        number: Of its trial; None while it waits.
        result: How it ended; of one that has not, its `state` alone says something.
    """

    point: dict[str, Any]
    seed: int
    number: int | None
    result: Result


def require_optuna() -> Any:
    """Optuna, which prints nothing but warnings.

    Raises:
        InputError: It is not installed.
    """
    try:
        import optuna
        import optuna.storages.journal
    except ImportError as error:
        raise InputError(
            "a sweep needs the package optuna, 4 or later: pip install 'ganlib[sweep]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Journal:
    """The trials of a sweep.

    Args:
        folder: Of the sweep.
        plan: What the sweep is.
        better: Of the score that trials are compared by: "lower" or "higher".

    Raises:
        CheckpointError: The journal is damaged.
    """

    def __init__(self, folder: Path, plan: Plan, better: str):
        optuna = require_optuna()
        self.plan, self.trials = plan, folder / "trials"
        self.lock = FileLock(folder / ".lock")
        self._axes = {axis: [_kept(value) for value in values] for axis, values in plan.axes.items()}
        path = folder / "journal.log"
        make_folder(self.trials)
        with self.lock:
            with FileLock(f"{path}.lock"):
                _drop_torn_line(path)
            backend = optuna.storages.journal.JournalFileBackend(str(path), _JournalLock(f"{path}.lock"))
            try:
                self._study = optuna.create_study(
                    study_name="sweep",
                    storage=optuna.storages.JournalStorage(backend),
                    sampler=_grid_of(optuna, self._axes),
                    direction="minimize" if better == "lower" else "maximize",
                    load_if_exists=True,
                )
            except (ValueError, KeyError) as error:
                raise CheckpointError(
                    f"{path} is damaged ({error}): restore it from a copy; or remove it, and all trials "
                    "are scored again"
                ) from error

    def __len__(self) -> int:
        """How many trials there are to be in all."""
        size = 1
        for values in self._axes.values():
            size *= len(values)
        return size

    def folder_of(self, number: int) -> Path:
        """The run folder of a trial."""
        return self.trials / f"{number:04d}"

    def claim(self) -> Claim | None:
        """A trial to run: one whose process is gone, else the next; None: all others are over or run elsewhere."""
        from optuna.trial import Trial, TrialState

        with self.lock:
            known = self._study.get_trials(deepcopy=False)
            for trial in known:
                if trial.state == TrialState.RUNNING:
                    lock = self._lock_of(trial.number)
                    with contextlib.suppress(Timeout):  # somebody runs it
                        lock.acquire(timeout=0)
                        return self._claimed(Trial(self._study, trial._trial_id), lock)
            if len(known) >= len(self):
                return None
            trial = self._study.ask()
            lock = self._lock_of(trial.number)
            lock.acquire()
            return self._claimed(trial, lock)

    def finish(self, claim: Claim, result: Result) -> None:
        """Note how a trial ended; it will not be run again."""
        from optuna.trial import Trial, TrialState

        with self.lock:
            trial = self._study.get_trials(deepcopy=False)[claim.number]
            Trial(self._study, trial._trial_id).set_user_attr("result", result._asdict())
            if result.state == DONE:
                self._study.tell(claim.number, next(iter(result.scores.values()))[0])
            else:
                self._study.tell(claim.number, state=TrialState.FAIL)
            claim.lock.release()

    def rows(self) -> list[Row]:
        """Every point with every seed, in the order of the grid, each once."""
        found = {}
        for trial in self._study.get_trials(deepcopy=False):
            if "seed" not in trial.params:  # killed before its point was noted, which `claim` will do
                continue
            key = tuple(trial.params[axis] for axis in self._axes)
            if key in found:
                raise InputError(
                    f"journal.log has the trials {found[key].number} and {trial.number} for one point; restore it "
                    "from a copy"
                )
            found[key] = trial
        rows = []
        for point in self.plan.points():
            for seed in self.plan.seeds:
                trial = found.get(tuple(_kept(value) for value in (*point.values(), seed)))
                rows.append(Row(point, seed, None if trial is None else trial.number, _result_of(trial)))
        return rows

    def _lock_of(self, number: int) -> FileLock:
        return FileLock(self.trials / f".{number:04d}.lock")

    def _claimed(self, trial: Any, lock: FileLock) -> Claim:
        """The trial's point, which is noted in the journal if it was not yet."""
        values = {}
        for axis, given in self.plan.axes.items():
            kept = self._axes[axis]
            values[axis] = given[kept.index(trial.suggest_categorical(axis, kept))]
        return Claim(trial.number, {axis: values[axis] for axis in self.plan.grid}, values["seed"], lock)


class _JournalLock:
    """Optuna's interface of a lock, without its own way to break one that a killed process left: there is none."""

    def __init__(self, path: str):
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _grid_of(optuna: Any, axes: dict[str, list[Any]]) -> Any:
    class Grid(optuna.samplers.GridSampler):
        """Optuna's, whose `after_trial` stops `Study.optimize` when the grid is done: here nobody calls that."""

        def after_trial(self, study, trial, state, values):
            return None

    return Grid(axes, seed=0)


def _kept(value: Any) -> Any:
    """A value as Optuna keeps it: lists as text."""
    return text_of(value) if isinstance(value, list) else value


def _result_of(trial: Any) -> Result:
    if trial is None:
        return Result(WAITING)
    noted = trial.user_attrs.get("result")
    if not trial.state.is_finished():
        return Result(RUNNING)
    if noted is None:  # ended by another program
        return Result(FAILED, note=f"{trial.state.name.lower()}, by another program")
    return Result(**{**noted, "scores": {name: tuple(score) for name, score in noted["scores"].items()}})


def _drop_torn_line(path: Path) -> None:
    """Remove what a crash left of a line: Optuna would read no further."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
