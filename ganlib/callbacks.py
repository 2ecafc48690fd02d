"""What to watch while a GAN trains: samples, curves, a table, a bar; and checkpoints.

Keras callbacks for `GAN.fit`; a batch of theirs is a step of the GAN. None waits for the device except where it
writes. All resume: what lies on disk from beyond the restored step is dropped, the rest is continued.

    folder = "runs/dcgan"
    callbacks = [History(folder), Checkpoint(f"{folder}/checkpoints"), SampleGrid(f"{folder}/samples")]
    gan.fit(data.batch(gan.batch_size), steps_per_epoch=1000, callbacks=callbacks)
"""

import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tqdm.auto

from ganlib import checkpoints, plots
from ganlib.errors import InputError, TrainingDiverged
from ganlib.files import history_text, make_folder, read_history, read_json, write_atomically, write_json
from ganlib.monitors import CollapseAlarm, GradientNorms, Spectra  # noqa: F401
from ganlib.steps import EverySteps, Table, require_count
from ganlib.translation import Translator

_LOGS = ("discriminator_loss", "generator_loss", "real_loss", "fake_loss", "real_logits", "fake_logits")
_FOLD = 100  # pending logs are turned into numbers this often, so that they do not pile up on the device
_GIF_FRAMES = 100  # a GIF of a long run takes as many of its pictures, evenly spaced


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


class SampleGrid(EverySteps):
    """Draws samples of the same latents again and again: folder/step-00000500.png, at the end one GIF.

    Also draws before the first step and after the last. 2-D models give a scatter plot, on the same axes each time;
    conditional models a row for each class, with the same latents in each; translators a row for each image. Pictures
    of steps beyond the restored one are removed at the start: the folder is one run's.

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
        if isinstance(model, Translator) and self.real is None:
            raise InputError(
                f"{type(model).__name__} translates images: give SampleGrid some, real=(sources, targets)"
            )

    def on_train_begin(self, logs=None):
        """Remove pictures beyond the restored step; draw the start."""
        super().on_train_begin()
        make_folder(self.folder)
        for path in self.pictures():
            if _step_of(path) > self.step:
                path.unlink()
        self.at()

    def at(self) -> None:
        """Draw the picture of this step, unless a resumed run finds it drawn."""
        path = self.folder / f"step-{self.step:08d}.png"
        if path.exists() and self.step > 0:
            return
        samples, columns = self._samples()
        if not np.isfinite(samples).all():
            raise TrainingDiverged(
                f"step {self.step}: the samples are not finite; lower the learning rate and resume from "
                f"{getattr(self.model, 'last_checkpoint', None) or 'the start'}"
            )
        if samples.ndim == 2:
            reach = 3.0 if self.real is None else 1.25 * float(np.abs(self.real).max())
            limits, title = (-reach, reach), f"step {self.step:,}"
            plots.save_png(plots.points(self.real, samples, limits=limits, title=title), path)
        else:
            # a generator without tanh may reach beyond; that is no reason to stop
            plots.save_png(np.clip(samples, -1, 1), path, columns)

    def _samples(self) -> tuple[np.ndarray, int | None]:
        """What to draw, row after row, and in how many columns; None: as square as possible."""
        model, classes = self.model, getattr(self.model, "num_classes", None)
        if isinstance(model, Translator):
            shown = model.pictures_of(*(images[: self.n] for images in self.real))
            return plots.in_rows(shown), len(shown)
        if classes is None or classes > self.n or self.labels is not None:
            return model.sample(self.n, self.labels, self.truncation, self.seed), None
        columns = self.n // classes
        latents = np.tile(model.sample_latents(columns, self.truncation, self.seed), (classes, 1))
        labels = model.sample_labels(classes * columns, np.repeat(np.arange(classes), columns))
        return model.images_of(model.conditioned(latents, labels)), columns

    def on_train_end(self, logs=None):
        """Draw the end, and the GIF."""
        self.at()
        if self.gif:
            frames = self.pictures()
            chosen = np.unique(
                np.linspace(0, len(frames) - 1, min(len(frames), _GIF_FRAMES)).round().astype(int)
            )
            plots.save_gif([frames[i] for i in chosen], self.folder / "training.gif")

    def pictures(self) -> list[Path]:
        """The pictures on disk, oldest step first."""
        return sorted((path for path in self.folder.glob("step-*.png") if _step_of(path) >= 0), key=_step_of)


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
        if latest is not None and _step_of(latest) > step:
            raise InputError(
                f"{self.folder} holds a checkpoint of step {_step_of(latest)}, the model is at step {step}; "
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


class StopAfter(EverySteps):
    """Ends `fit` after the step during which so many seconds have passed; callbacks run their ends as always.

    Args:
        seconds: Of this call of `fit`.
    """

    def __init__(self, seconds: float):
        super().__init__(None)
        self.seconds = seconds
        self._end = 0.0

    def on_train_begin(self, logs=None):
        """Start the clock."""
        super().on_train_begin()
        self._end = time.monotonic() + self.seconds

    def each(self, logs: dict[str, Any]) -> None:
        """Look at the clock."""
        if time.monotonic() >= self._end:
            self.model.stop_training = True


class ProgressBar(EverySteps):
    """One bar over all steps of the run, with the time left, images/s and the losses.

    It moves twice a second in a terminal or a notebook, twice a minute in a log file; only then are losses
    read.
    """

    def __init__(self):
        super().__init__(None)
        self.bar = None

    def on_train_begin(self, logs=None):
        """Open the bar at the restored step."""
        super().on_train_begin()
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        self._pause = 0.5 if sys.stderr.isatty() or "ipykernel" in sys.modules else 30.0
        self.bar = tqdm.auto.tqdm(
            total=self.step + steps * epochs if steps else None,
            initial=self.step,
            unit="step",
            dynamic_ncols=True,
            mininterval=0,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} steps [{elapsed}<{remaining}{postfix}]",
        )
        self._last, self._images = time.monotonic(), int(self.model.images_seen)

    def each(self, logs: dict[str, Any]) -> None:
        """Move the bar if it is time to."""
        now = time.monotonic()
        if now - self._last < self._pause:
            return
        images = int(self.model.images_seen)
        shown = {"images/s": f"{(images - self._images) / (now - self._last):.0f}"}
        for name, short in (("discriminator_loss", "D"), ("generator_loss", "G")):
            if name in logs:
                shown[short] = f"{float(logs[name]):.3g}"
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(self.step - self.bar.n)
        self._last, self._images = now, images

    def on_train_end(self, logs=None):
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Draw the last state and end; also to be called when training breaks off.

        The last state has no timings, so that a notebook's stored output is the same next time.
        """
        if self.bar is None:
            return
        self.bar.bar_format = "{l_bar}{bar}| {n_fmt}/{total_fmt} steps"
        self.bar.set_postfix_str("", refresh=False)
        self.bar.n = self.step
        self.bar.refresh()
        self.bar.close()
        self.bar = None


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
        if self.step // self.images_every > self._drawn and not isinstance(self.model, Translator):
            self._drawn = self.step // self.images_every
            samples = self.model.sample(self.n, seed=self.seed)
            if samples.ndim == 4:
                pixels = plots.tile(np.clip(samples, -1, 1))
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


class Evaluate(EverySteps):
    """Evaluates every so many steps, keeps a table and the best weights, and hands the scores to later callbacks.

    Writes into the folder evaluations.csv (step, values, standard errors), evaluations.json (with all that the values
    depend on), and of the best step so far best.weights.h5 and then best.json. Each is whole or absent. What lies
    there from beyond the restored step is dropped.

    The latest scores are in the logs of every epoch's end, by metric, so that
    `EarlyStopping("fid", mode="min")`, placed after this callback, sees them.

    Args:
        data: What to compare with, see `ganlib.metrics.evaluate`.
        every: Steps between evaluations; None: at every epoch's end.
        metrics: Names.
        samples: How many to draw.
        folder: Where the files go; None: nothing is written.
        best: The metric that decides which weights to keep; None: keep none.
        **options: More of `ganlib.metrics.evaluate`: extractor, real_samples, truncation, seed, batch_size, cache.

    Attributes:
        evaluations: step -> Evaluation, of this session.

    Raises:
        InputError: There is no such metric, or `best` is none of `metrics` or neither higher nor lower is better.
    """

    def __init__(
        self,
        data: Any,
        every: int | None = 1000,
        metrics: Sequence[str] = ("fid",),
        samples: int = 2000,
        folder: str | Path | None = None,
        best: str | None = "fid",
        **options: Any,
    ):
        super().__init__(every)
        from ganlib.metrics import evaluator

        names = evaluator.names_of(metrics)
        if best is not None and (best not in names or evaluator.known_metrics()[best] is None):
            raise InputError(
                f"Evaluate(best={best!r}) with metrics {', '.join(names)}: choose one of these that has a better "
                "direction, or None"
            )
        self.data, self.metrics, self.samples, self.best, self.options = data, names, samples, best, options
        self.folder = None if folder is None else Path(folder)
        self._sign = 0 if best is None else {"lower": -1, "higher": 1}[evaluator.known_metrics()[best]]
        self.evaluations: dict[int, Any] = {}
        self._records: list[dict[str, Any]] = []
        self._best_value: float | None = None

    def on_train_begin(self, logs=None):
        """Drop what a killed run left beyond the restored step; take up the best so far."""
        super().on_train_begin()
        self.evaluations, self._records, self._best_value = {}, [], None
        if self.folder is None:
            return
        make_folder(self.folder)
        table, best = self.folder / "evaluations.json", self.folder / "best.json"
        if table.exists():
            self._records = [record for record in read_json(table) if record["step"] <= self.step]
            self._write()
        if best.exists():
            record = read_json(best)
            if record["step"] > self.step:
                best.unlink()
                (self.folder / "best.weights.h5").unlink(missing_ok=True)
            elif self.best in record["scores"]:
                self._best_value = record["scores"][self.best]["value"]

    def at(self) -> None:
        """Evaluate; keep the weights if they are the best so far."""
        from ganlib.metrics import evaluator

        options = {"progress": False} | self.options
        evaluation = evaluator.evaluate(self.model, self.data, self.metrics, self.samples, **options)
        self.evaluations[self.step] = evaluation
        record = {"step": self.step, **evaluation.to_dict()}
        self._records = [old for old in self._records if old["step"] != self.step] + [record]
        if self.folder is not None:
            self._write()
        if self.best is None:
            return
        value = float(evaluation[self.best])
        if self._best_value is None or self._sign * value > self._sign * self._best_value:
            self._best_value = value
            if self.folder is not None:
                self.model.save_weights(self.folder / "best.weights.h5")
                write_json(self.folder / "best.json", record)

    def on_epoch_end(self, epoch, logs=None):
        """Put the latest scores into the epoch's logs."""
        if self.every is None:
            self.at()
        if logs is not None and self.evaluations:
            latest = self.evaluations[max(self.evaluations)]
            logs.update({name: float(value) for name, value in latest.items()})

    def _write(self) -> None:
        columns: dict[str, list[float]] = {"step": [record["step"] for record in self._records]}
        for name in self.metrics:
            scores = [record["scores"].get(name, {}) for record in self._records]
            for column, key in ((name, "value"), (f"{name}_standard_error", "standard_error")):
                found = [score.get(key) for score in scores]
                columns[column] = [float("nan") if value is None else value for value in found]
        write_json(self.folder / "evaluations.json", self._records)
        write_atomically(self.folder / "evaluations.csv", history_text(columns))


def _step_of(path: Path) -> int:
    """The step in a name such as step-00000500.png; -1 if there is none."""
    digits = path.name.removeprefix("step-").split(".")[0]
    return int(digits) if digits.isdigit() else -1
