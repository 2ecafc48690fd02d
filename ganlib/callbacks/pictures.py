"""Pictures of what a model makes of the same latents, or the same images, while it trains."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from ganlib import plots
from ganlib.callbacks.steps import EverySteps, require_count, step_of
from ganlib.errors import InputError, TrainingDiverged
from ganlib.files import make_folder

_GIF_FRAMES = 100  # a GIF of a long run takes as many of its pictures, evenly spaced


class SampleGrid(EverySteps):
    """Draws samples of the same latents again and again: folder/step-00000500.png, at the end one GIF.

    Also draws before the first step and after the last. What a picture shows is the model's to say (`pictures`): models
    of points give a scatter plot, on the same axes each time; conditional models a row for each class, with the same
    latents in each; translators a row for each image. Pictures of steps beyond the restored one are removed at the
    start: the folder is one run's.

    Args:
        folder: Where the pictures go.
        every: Steps between pictures.
        n: Samples in a picture, at most, or rows of a translator's.
        seed: Seed of the latents; no effect on the training.
        truncation: As in `GAN.sample`.
        gif: Whether to write folder/training.gif at the end, from all pictures on disk (at most 100, evenly
            spaced).
        labels: As in `GAN.sample`, instead of rows of classes.
        real: Of a 2-D model: points (m, 2) to draw behind the samples, and to take the axes from. Of a translator:
            (sources, targets), the images to translate and what to show beside them.

    Raises:
        InputError: An argument is out of range, or the folder cannot be written.
        TrainingDiverged: The samples are not finite.
    """

    needs = (*EverySteps.needs, "pictures")

    def __init__(
        self,
        folder: str | Path,
        every: int = 500,
        n: int = 64,
        seed: int = 0,
        truncation: float | None = None,
        gif: bool = True,
        labels: Sequence[int] | None = None,
        real: Any | None = None,
    ):
        super().__init__(every)
        require_count(self, " of samples", n=n)
        self.folder = Path(folder)
        self.n, self.seed, self.truncation, self.gif = n, seed, truncation, gif
        self.labels = labels
        self.real = real

    def set_model(self, model: keras.Model) -> None:
        """Refuse a translator that has nothing to translate."""
        super().set_model(model)
        if not model.sampled and self.real is None:
            raise InputError(
                f"{type(model).__name__} translates images: give SampleGrid some, real=(sources, targets)"
            )

    def on_train_begin(self, logs=None):
        """Remove pictures beyond the restored step; draw the start."""
        super().on_train_begin()
        make_folder(self.folder)
        for path in self.pictures():
            if step_of(path) > self.step:
                path.unlink()
        self.at()

    def at(self) -> None:
        """Draw the picture of this step, unless a resumed run finds it drawn."""
        path = self.folder / f"step-{self.step:08d}.png"
        if path.exists() and self.step > 0:
            return
        samples, columns = self.model.pictures(
            self.n, self.labels, self.truncation, seed=self.seed, real=self.real
        )
        if not np.isfinite(samples).all():
            raise TrainingDiverged(
                f"step {self.step}: the samples are not finite; lower the learning rate and resume from "
                f"{self.model.last_checkpoint or 'the start'}"
            )
        if samples.ndim == 2:
            reach = 3.0 if self.real is None else 1.25 * float(np.abs(self.real).max())
            limits, title = (-reach, reach), f"step {self.step:,}"
            plots.save_png(plots.points(self.real, samples, limits=limits, title=title), path)
        else:
            # a generator without tanh may reach beyond; that is no reason to stop
            plots.save_png(np.clip(samples, -1, 1), path, columns)

    def on_train_end(self, logs=None):
        """Draw the end, and the GIF."""
        self.at()
        if self.gif:
            frames = [path for path in self.pictures() if _whole(path)]
            places = np.linspace(0, len(frames) - 1, min(len(frames), _GIF_FRAMES))
            chosen = np.unique(places.round().astype(int))
            plots.save_gif([frames[i] for i in chosen], self.folder / "training.gif")

    def pictures(self) -> list[Path]:
        """The pictures on disk, oldest step first."""
        return sorted((path for path in self.folder.glob("step-*.png") if step_of(path) >= 0), key=step_of)


def _whole(path: Path) -> bool:
    """Whether a picture can be read; one that cannot is no reason to lose a run at its end."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
        return True
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises on broken files
        warnings.warn(f"{path} is damaged ({error}) and is left out of the GIF", stacklevel=2)
        return False
