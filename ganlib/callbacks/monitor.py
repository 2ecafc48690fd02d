"""What monitors have in common: measure every so many steps, keep the values, sound an alarm."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ganlib import plots
from ganlib.callbacks.steps import EverySteps, Table
from ganlib.errors import InputError


class Alarm(NamedTuple):
    """A value out of range: which, when, how large, and the threshold that it passed."""

    step: int
    name: str
    value: float
    threshold: float


class Monitor(EverySteps):
    """Measures every so many steps; a subclass says what, and which values are alarming.

    Values are of the whole model, whatever the number of replicas (tested).

    `history` maps column -> values, one a row; the first column is `step`. `alarms` is a function of the history alone,
    so a resumed run has the alarms of the rows that it continues.

    Args:
        folder: The run's folder; rows are appended to `folder/<file>.csv` and a figure is drawn beside it at the end.
            None: values are kept in memory only, and each `fit` starts anew.
        every: Steps between rows; None: at the start and the end only.
        stop: Whether an alarm ends `fit`, in order, after the step.

    Raises:
        InputError: `every` is below 1; the file is of another model, malformed, or cannot be written.
    """

    file = ""
    needs = ("step", "images_seen", "players")

    def __init__(self, folder: str | Path | None = None, every: int | None = 100, stop: bool = False):
        super().__init__(every)
        self.path = None if folder is None else Path(folder) / f"{self.file}.csv"
        self._table = None if self.path is None else Table(self.path)
        self.stop = stop
        self.history: dict[str, list[float]] = {}
        self.alarms: list[Alarm] = []

    def measure(self) -> dict[str, float]:
        """The values of a row, by column; must leave the model as it is."""
        raise NotImplementedError

    def alarming(self, history: dict[str, list[float]]) -> Iterator[tuple[str, float, float]]:
        """(name, value, threshold) for what is out of range in the last row of `history`."""
        raise NotImplementedError

    def figure(self) -> plots.Figure:
        """The history as a figure: by the function of `plots` that is called as the file is."""
        return getattr(plots, self.file)(self)

    def on_train_begin(self, logs=None):
        """Drop what a killed run left beyond the restored step; measure the start."""
        super().on_train_begin()
        self.history, self.alarms = {} if self._table is None else self._table.kept(self.step), []
        if self.history:
            self.history["step"] = [int(step) for step in self.history["step"]]
        row = {"step": self.step, **self.measure()}
        self._check_columns(row)
        for i in range(1, 1 + len(self.history.get("step", []))):
            upto = {name: values[:i] for name, values in self.history.items()}
            self.alarms += [Alarm(int(upto["step"][-1]), *found) for found in self.alarming(upto)]
        self._look(row)

    def at(self) -> None:
        """Measure."""
        self._look()

    def on_train_end(self, logs=None):
        """Measure the end, and draw."""
        self._look()
        if self._table is not None:
            plots.save_png(self.figure(), self.path.with_suffix(".png"))

    def _check_columns(self, row: dict[str, float]) -> None:
        if self.history and list(row) != list(self.history):
            raise InputError(
                f"{self.path or type(self).__name__} has the columns {', '.join(self.history)}, this model "
                f"gives {', '.join(row)}; choose another folder"
            )

    def _look(self, row: dict[str, float] | None = None) -> None:
        """Add the row of this step, unless it is there, and say what is alarming."""
        if self.history.get("step", [None])[-1:] == [self.step]:
            return
        row = {"step": self.step, **self.measure()} if row is None else row
        if not self.history:
            self.history = {name: [] for name in row}
            if self._table is not None:
                self._table.begin(list(row))
        self._check_columns(row)
        for name, value in row.items():
            self.history[name].append(value)
        if self._table is not None:
            self._table.add(row)
        found = [Alarm(self.step, *alarm) for alarm in self.alarming(self.history)]
        if found and not self.alarms:
            step, name, value, threshold = found[0]
            warnings.warn(
                f"{type(self).__name__}, step {step}: {name} is {value:.4g}, the alarm is set at {threshold:.4g}; "
                "later alarms are in `.alarms`",
                stacklevel=2,
            )
        self.alarms += found
        if found and self.stop:
            self.model.stop_training = True
