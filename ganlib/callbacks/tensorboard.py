"""Logs and samples for TensorBoard."""

import importlib.util
from pathlib import Path
from typing import Any

import tensorflow as tf

from ganlib import plots
from ganlib.callbacks.steps import EverySteps, require_count
from ganlib.errors import InputError
from ganlib.files import make_folder


class TensorBoard(EverySteps):
    """Writes the logs, and a grid of samples (not of translators), for `tensorboard --logdir folder`.

    Args:
        folder: Folder of event files.
        every: Steps between values.
        images_every: Steps between grids.
        n: Samples in a grid.
        seed: Seed of their latents.

    Raises:
        InputError: The package `tensorboard` is not installed, or an argument is below 1.
    """

    def __init__(
        self, folder: str | Path, every: int = 50, images_every: int = 500, n: int = 64, seed: int = 0
    ):
        super().__init__(every)
        if importlib.util.find_spec("tensorboard") is None:
            raise InputError(
                "TensorBoard needs the package tensorboard, which is missing; pip install tensorboard"
            )
        require_count(self, images_every=images_every)
        self.folder, self.images_every, self.n, self.seed = Path(folder), images_every, n, seed
        self._writer = None
        self._logs: dict[str, Any] = {}
        self._drawn = 0

    def on_train_begin(self, logs=None):
        """Open the event file."""
        super().on_train_begin()
        self._writer = tf.summary.create_file_writer(str(make_folder(self.folder)))
        self._drawn = self.step // self.images_every

    def each(self, logs: dict[str, Any]) -> None:
        """Keep the last step's logs; draw if it is time to."""
        self._logs = logs
        if self.step // self.images_every > self._drawn and self.model.sampled:
            self._drawn = self.step // self.images_every
            samples = self.model.sample(self.n, seed=self.seed)
            if samples.ndim == 4:
                pixels = plots.tile(samples)
                with self._writer.as_default(step=self.step):
                    tf.summary.image("samples", pixels.reshape(1, *pixels.shape[:2], -1))

    def at(self) -> None:
        """Write the values of this step."""
        with self._writer.as_default(step=self.step):
            for name, value in self._logs.items():
                tf.summary.scalar(name, value)

    def on_train_end(self, logs=None):
        """Close the event file."""
        self._writer.close()
