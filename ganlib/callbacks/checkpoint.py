"""Checkpoints while a model trains."""

from pathlib import Path

import keras

from ganlib import checkpoints
from ganlib.callbacks.steps import EverySteps, require_count, step_of
from ganlib.errors import InputError


class Checkpoint(EverySteps):
    """Saves the whole state with `ganlib.checkpoints.save`, every so many steps and at the end.

    `fit` ends in order on Ctrl-C and SIGTERM, so the end includes those.

    Args:
        folder: Folder of checkpoints.
        every_steps: Steps between them.
        keep: How many of the latest to keep.

    Raises:
        InputError: An argument is below 1; or the folder holds later steps than the model's, which would be
            lost.
        CheckpointError: It cannot be written.
    """

    def __init__(self, folder: str | Path, every_steps: int = 500, keep: int = 3):
        super().__init__(every_steps)
        require_count(self, keep=keep)
        self.folder, self.keep = Path(folder), keep
        self._saved: int | None = None

    def set_model(self, model: keras.Model) -> None:
        """Refuse, before any callback has begun, to write among the checkpoints of a longer run."""
        super().set_model(model)
        latest = checkpoints.latest(self.folder)
        step = int(model.step)
        if latest is not None and step_of(latest) > step:
            raise InputError(
                f"{self.folder} holds a checkpoint of step {step_of(latest)}, the model is at step {step}; "
                f"call ganlib.checkpoints.restore(gan, {str(self.folder)!r}) first, or choose another folder"
            )

    def at(self) -> None:
        """Save, once a step."""
        if self._saved != self.step:
            checkpoints.save(self.model, self.folder, keep=self.keep)
            self._saved = self.step

    def on_train_end(self, logs=None):
        """Save the last step."""
        if self.step > 0:
            self.at()
