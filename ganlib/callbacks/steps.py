"""What callbacks that act every so many steps have in common: the count of steps, and a table with a row for each."""

from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np

from ganlib.errors import InputError
from ganlib.files import cannot_write, history_text, make_folder, read_history, write_atomically


class EverySteps(keras.callbacks.Callback):
    """Counts steps and calls `at()` at every multiple of `every`.

    It counts by itself, from the step that the model had at the start: it waits for the device only where it acts.

    Args:
        every: Steps between calls; None: never.

    Raises:
        InputError: `every` is below 1.
    """

    needs: ClassVar[tuple[str, ...]] = ("step", "images_seen")  # attributes of a model that can be watched

    def __init__(self, every: int | None):
        super().__init__()
        if every is not None:
            require_count(self, " of steps", every=every)
        self.every = every
        self.step = 0
        self._before_epoch = 0

    def set_model(self, model: keras.Model) -> None:
        """Check, before anything is written, that the model can be watched."""
        for attribute in self.needs:
            if not hasattr(model, attribute):
                raise InputError(
                    f"{type(self).__name__} cannot watch a {type(model).__name__}, which has no {attribute!r}; use "
                    "it with ganlib.GAN and its models"
                )
        super().set_model(model)

    def on_train_begin(self, logs=None):
        """Take over the model's count."""
        self.step = self._before_epoch = int(self.model.step)

    def on_epoch_begin(self, epoch, logs=None):
        """Remember where the epoch's count begins."""
        self._before_epoch = self.step

    def on_train_batch_end(self, batch, logs=None):
        """Count; act if it is time to."""
        before, self.step = self.step, self._before_epoch + batch + 1
        self.each(logs or {})
        # Several steps may have passed (steps_per_execution), and have jumped over the multiple itself.
        if self.every and self.step // self.every > before // self.every:
            self.at()

    def each(self, logs: dict[str, Any]) -> None:
        """Called at every step, with its logs."""

    def at(self) -> None:
        """Called at every multiple of `every`, after `each`."""


class Table:
    """A csv file of a run with a row for a step, as `ganlib.files.read_history` reads it.

    A kill leaves at most one torn last line, which the next start removes.

    Args:
        path: The file; its first column is `step`.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def kept(self, step: int) -> dict[str, list[float]]:
        """The rows up to the restored step, by column; the file is rewritten if that is not what it holds.

        Raises:
            InputError: The file is malformed, or cannot be written.
        """
        make_folder(self.path.parent)
        if not self.path.exists() or not self.path.stat().st_size:
            return {}
        text = self.path.read_bytes()
        if b"\n" not in text:  # killed while the header was written
            write_atomically(self.path, "")
            return {}
        columns = read_history(self.path)
        kept = [i for i, of in enumerate(columns["step"]) if of <= step]
        columns = {name: [values[i] for i in kept] for name, values in columns.items()}
        whole = history_text(columns)
        if text.decode() != whole:
            write_atomically(self.path, whole if kept else "")
        return columns if kept else {}

    def begin(self, columns: list[str]) -> None:
        """A file with a header and no rows."""
        write_atomically(self.path, history_text({name: [] for name in columns}))

    def add(self, row: dict[str, float]) -> None:
        """Append a row, its values in the order of the columns, in one write.

        Raises:
            GanlibError: The file cannot be written.
        """
        line = history_text({name: [value] for name, value in row.items()}).split("\n", 1)[1]
        try:
            with open(self.path, "a", encoding="utf-8", newline="") as file:
                file.write(line)
        except OSError as error:
            raise cannot_write(self.path, error) from error


def require_count(owner: object, of: str = "", **values: Any) -> None:
    """Check arguments of `owner`'s constructor.

    Raises:
        InputError: One of them is not a whole number of at least 1; names both.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InputError(
                f"{type(owner).__name__}({name}={value!r}): expected a whole number{of}, 1 or more"
            )


def step_of(path: Path) -> int:
    """The step in a name such as step-00000500.png or step-00000500; -1 if there is none."""
    digits = path.name.removeprefix("step-").split(".")[0]
    return int(digits) if digits.isdigit() else -1
