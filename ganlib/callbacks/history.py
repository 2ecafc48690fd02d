"""The table of a run, history.csv, and its curves."""

import time
from pathlib import Path
from typing import Any

from ganlib import plots
from ganlib.callbacks.steps import EverySteps, Table
from ganlib.errors import InputError
from ganlib.files import read_history

_LOGS = ("discriminator_loss", "generator_loss", "real_loss", "fake_loss", "real_logits", "fake_logits")
_FOLD = 100  # pending logs are turned into numbers this often, so that they do not pile up on the device


class History(EverySteps):
    """Writes history.csv: one row every so many steps.

    Columns: step; kimg, thousands of distinct real images that D was shown; seconds of training so far,
    earlier sessions included; images_per_second; then the mean of each log since the row before.

    A kill leaves at most one torn last line, which the next start removes along with rows past the restored
    step. The first row after a resume averages the steps since then only.

    Args:
        folder: The run's folder; the file is folder/history.csv.
        every: Steps between rows; the last step has one in any case.

    Raises:
        InputError: `every` is below 1; the file is another run's (other columns), malformed, or cannot be
            written.
    """

    def __init__(self, folder: str | Path, every: int = 50):
        super().__init__(every)
        self.path = Path(folder) / "history.csv"
        self._table = Table(self.path)

    def on_train_begin(self, logs=None):
        """Drop what a killed run left beyond the restored step, and go on behind it."""
        super().on_train_begin()
        columns = self._table.kept(self.step)
        self._columns = list(columns)
        self._seconds = columns["seconds"][-1] if columns.get("seconds") else 0.0
        self._images = int(self.model.images_seen)
        self._now = time.perf_counter()
        self._pending: list[dict] = []
        self._sums: dict[str, float] = {}
        self._count = 0

    def each(self, logs: dict[str, Any]) -> None:
        """Keep the logs, as they are: turning them into numbers would wait for the device."""
        if not self._columns:
            # a tf.function sorts its logs by name; losses first reads better
            names = [name for name in _LOGS if name in logs] + [name for name in logs if name not in _LOGS]
            self._columns = ["step", "kimg", "seconds", "images_per_second", *names]
            self._table.begin(self._columns)
        elif not self._count and not self._pending and set(logs) != set(self._columns[4:]):
            raise InputError(
                f"{self.path} has the columns {', '.join(self._columns[4:])}, this model logs "
                f"{', '.join(logs)}; choose another folder"
            )
        self._pending.append(logs)
        if len(self._pending) >= _FOLD:
            self._fold()

    def _fold(self) -> None:
        for logs in self._pending:
            for name, value in logs.items():
                self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._count += len(self._pending)
        self._pending = []

    def at(self) -> None:
        """Append a row, in one write."""
        self._fold()
        if not self._count:
            return
        now, images = time.perf_counter(), int(self.model.images_seen)
        took = now - self._now
        self._seconds += took
        row = {
            "step": self.step,
            "kimg": images / 1000,
            "seconds": self._seconds,
            "images_per_second": (images - self._images) / max(took, 1e-9),
        } | {name: total / self._count for name, total in self._sums.items()}
        self._table.add({name: row[name] for name in self._columns})
        self._now, self._images = now, images
        self._sums, self._count = {}, 0

    def on_train_end(self, logs=None):
        """Write the row of the last step."""
        self.at()


class Curves(EverySteps):
    """Draws losses and logits from history.csv into curves.png; stands after `History` among the callbacks.

    Args:
        folder: The run's folder, the one given to `History`.
        every: Steps between drawings; None: at the end only.
    """

    def __init__(self, folder: str | Path, every: int | None = None):
        super().__init__(every)
        self.folder = Path(folder)

    def at(self) -> None:
        """Draw, if there is a row yet."""
        table = self.folder / "history.csv"
        if not table.exists():
            raise InputError(
                f"{table} does not exist; put History({str(self.folder)!r}) before Curves in callbacks"
            )
        columns = read_history(table)
        if columns["step"]:
            plots.save_png(plots.curves(columns), self.folder / "curves.png")

    def on_train_end(self, logs=None):
        """Draw the whole run."""
        if self.step > 0:
            self.at()
