"""What tells of trouble while a GAN trains: gradient norms, singular values of the weights, diversity of samples.

Keras callbacks for `GAN.fit` that only look: training is bit for bit the same with and without them. Each measures at
step 0, at every multiple of `every` and at the end, keeps the values in `history` (and in a csv file, which a resumed
run continues), and notes an `Alarm` where one is out of range; the first is also a Python warning.

    watch = [GradientNorms(batch, folder), Spectra(folder), CollapseAlarm(images, folder)]
    gan.fit(data.batch(gan.batch_size), steps_per_epoch=1000, callbacks=watch)
    ganlib.plots.spectra(watch[1])
"""

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import scipy.sparse.linalg
import scipy.spatial.distance
import tensorflow as tf

from ganlib import plots
from ganlib.errors import InputError
from ganlib.gan import outside_of_scopes
from ganlib.layers.spectral_normalization import SpectralNormalized
from ganlib.steps import EverySteps, Table, require_count

_DENSE = 24  # up to this many singular values a full decomposition is as fast as Lanczos, and needs no luck
_PAIRS = 512  # samples whose pairwise distances are taken: 130,816 pairs


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
        """The history as a figure."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        """Drop what a killed run left beyond the restored step; measure the start."""
        super().on_train_begin()
        self.history, self.alarms = {} if self._table is None else self._table.kept(self.step), []
        if self.history:
            self.history["step"] = [int(step) for step in self.history["step"]]
        row = {"step": self.step, **self.measure()}
        self._check_columns(row)
        rows = len(self.history.get("step", []))
        for i in range(1, rows + 1):
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


class GradientNorms(Monitor):
    """Norms of both networks' gradients, in total and per layer, always on the same real images.

    The CMU lecture (slide on tricks; Chintala et al. 2016, "How to train a GAN", tip 10): check the norms of gradients,
    over 100 things go wrong. Gradients are those of the players' losses with the latents of the step to come, penalties
    included (`GAN.gradients`).

    Columns: step; for each player its name, the norm over all its variables; then `player/layer`, over a layer's.

    Args:
        batch: Real images (n, height, width, channels), or (images, labels), or a tf.data.Dataset, of which the first
            batch is taken.
        folder: As in `Monitor`; the file is gradient_norms.csv.
        every: Steps between rows. A row costs a forward and a backward pass of each player.
        threshold: A total norm above it, or one that is not finite, is an alarm.
        stop: As in `Monitor`.

    Raises:
        InputError: The batch does not fit the model, or as `Monitor`.
    """

    file = "gradient_norms"

    def __init__(
        self,
        batch: Any,
        folder: str | Path | None = None,
        every: int = 100,
        threshold: float = 100.0,
        stop: bool = False,
    ):
        super().__init__(folder, every, stop)
        if not threshold > 0:
            raise InputError(f"GradientNorms(threshold={threshold!r}): expected a number above 0")
        if isinstance(batch, tf.data.Dataset):
            batch = next(iter(batch), None)
            if batch is None:
                raise InputError(
                    "GradientNorms(batch=...) got a dataset without batches: give one that has some"
                )
        self.batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
        self.threshold = float(threshold)
        self._norms: Callable | None = None

    def set_model(self, model: keras.Model) -> None:
        """Check the batch against the model."""
        super().set_model(model)
        images, _ = model.split_batch(self.batch)
        if tuple(images.shape[1:]) != model.image_shape or images.dtype != tf.float32:
            raise InputError(
                f"GradientNorms has a batch of {images.dtype.name} {tuple(images.shape)}, {type(model).__name__} takes "
                f"float32 (batch, {', '.join(map(str, model.image_shape))}): give one of the training batches"
            )
        self._norms = None

    def measure(self) -> dict[str, float]:
        """Norms by column."""
        if self._norms is None:
            self._layers: dict[str, list[tuple[str, str]]] = {}
            self._norms = self._squares if self.model.run_eagerly else tf.function(self._squares)
        # a trick may keep more than Keras variables (a buffer of images), which a look moves too
        kept = [(v, tf.identity(v)) for trick in self.model.tricks for v in trick.variables]
        found = outside_of_scopes(self._norms)
        squares = {player: values.numpy().astype(np.float64) for player, values in found.items()}
        for variable, value in kept:
            variable.assign(value)
        row = {player: float(np.sqrt(values.sum())) for player, values in squares.items()}
        for player, values in squares.items():
            layers: dict[str, float] = {}
            for layer, value in zip(self._layers[player], values, strict=True):
                layers[layer] = layers.get(layer, 0.0) + value
            row |= {f"{player}/{layer}": math.sqrt(value) for layer, value in layers.items()}
        return row

    def _squares(self) -> dict[str, tf.Tensor]:
        """Player -> the squared norm of the gradient of each variable; notes the layers that they belong to."""
        found = {}
        for player, gradients in self.model.gradients(self.batch).items():
            self._layers[player] = [path.rpartition("/")[0] or path for path, _ in gradients]
            found[player] = tf.stack([tf.reduce_sum(tf.square(gradient)) for _, gradient in gradients])
        return found

    def alarming(self, history):
        """Players whose total norm is above the threshold."""
        for name, values in history.items():
            if name != "step" and "/" not in name and not values[-1] <= self.threshold:
                yield name, values[-1], self.threshold

    def figure(self):
        """`plots.gradient_norms`."""
        return plots.gradient_norms(self)


class Spectra(Monitor):
    """The largest singular values of every weight matrix of all players, and an alarm where the first one jumps.

    Brock et al. 2019, arXiv:1809.11096, section 4 and appendix F: the top three values of each weight, by the Arnoldi
    iteration, told of collapse; G's first layers grow and then explode, D's are noisy and jump. Kernels are reshaped
    as spectral normalisation (Miyato et al. 2018, section 2.1) does it, to (output channels, all the rest).

    Columns: step; for each weight `player/path/` + sigma0, sigma1, ...; ratio, sigma0 / sigma1; where the layer
    normalises its weight, effective0, sigma0 of the W / sigma that it computes with.

    Args:
        folder: As in `Monitor`; the file is spectra.csv.
        every: Steps between rows.
        top: How many singular values.
        factor: A sigma0 above `factor` times the median of its last `window` values is an alarm, as is one that is not
            finite.
        window: Rows that the median looks back.
        warmup: Rows before the first alarm: weights grow fast at first.
        stop: As in `Monitor`.

    Raises:
        InputError: An argument is out of range, or as `Monitor`.
    """

    file = "spectra"

    def __init__(
        self,
        folder: str | Path | None = None,
        every: int = 100,
        top: int = 3,
        factor: float = 1.5,
        window: int = 10,
        warmup: int = 3,
        stop: bool = False,
    ):
        super().__init__(folder, every, stop)
        require_count(self, top=top, window=window, warmup=warmup)
        if not factor > 1:
            raise InputError(f"Spectra(factor={factor!r}): expected a number above 1, for example 1.5")
        self.top, self.factor, self.window, self.warmup = int(top), float(factor), int(window), int(warmup)

    def measure(self) -> dict[str, float]:
        """Singular values by column."""
        row = {}
        for name, matrix, sigma in weight_matrices(self.model):
            values = singular_values(matrix, self.top)
            row |= {f"{name}/sigma{i}": float(value) for i, value in enumerate(values)}
            if len(values) > 1:
                row[f"{name}/ratio"] = float(values[0] / values[1]) if values[1] else math.inf
            if sigma is not None:
                row[f"{name}/effective0"] = float(values[0] / sigma)
        return row

    def alarming(self, history):
        """Weights whose sigma0 has jumped."""
        for name, values in history.items():
            if not name.endswith("/sigma0"):
                continue
            if not math.isfinite(values[-1]):
                yield name, values[-1], math.inf
            elif len(values) > self.warmup:
                threshold = self.factor * float(np.median(values[-1 - self.window : -1]))
                if values[-1] > threshold:
                    yield name, values[-1], threshold

    def figure(self):
        """`plots.spectra`."""
        return plots.spectra(self)


class CollapseAlarm(Monitor):
    """How diverse samples are, as a share of how diverse the data is; low shares are alarms.

    Columns: step; `diversity`, the mean distance of two samples; `nearest`, the mean distance of a sample to its
    nearest other: both divided by the same statistic of as many images of the data. 1 is as diverse as the data. The
    first falls when G collapses to one picture; a G of several pictures, each many times, keeps it high and is seen by
    the second. Dropped modes are seen by neither: count those with a metric.

    Args:
        data: Images of the data (m, ...), 64 or more; the first 512 are used.
        folder: As in `Monitor`; the file is diversity.csv.
        every: Steps between rows.
        n: Samples, from the same latents each time; at most as many as `data` has.
        below: A `diversity` below it is an alarm, as is one that is not finite.
        nearest_below: The same for `nearest`.
        features: Images -> (n, d), to measure distances in feature space; None: between pixels (or points).
        seed: Of the latents; no effect on the training.
        sample: GAN -> samples, for models whose generator takes more than latents. Default: G itself, not its average,
            which lags behind, on `gan.sample_latents(n, seed=seed)`.
        warmup: Steps before the first alarm: an untrained G makes the same grey of all latents.
        stop: As in `Monitor`.

    Raises:
        InputError: An argument is out of range, the data has no variation, or as `Monitor`.
    """

    file = "diversity"

    def __init__(
        self,
        data: Any,
        folder: str | Path | None = None,
        every: int = 100,
        n: int = 256,
        below: float = 0.5,
        nearest_below: float = 0.1,
        features: Callable[[Any], Any] | None = None,
        seed: int = 0,
        sample: Callable[[Any], Any] | None = None,
        warmup: int = 500,
        stop: bool = False,
    ):
        super().__init__(folder, every, stop)
        data = np.asarray(data)[:_PAIRS]
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
            raise InputError(f"CollapseAlarm(n={n!r}): expected a whole number of samples, 2 or more")
        if data.ndim < 2 or len(data) < 2:
            raise InputError(
                f"CollapseAlarm(data of shape {data.shape}): expected images (m, ...), m of 2 or more"
            )
        if not min(below, nearest_below) >= 0:
            raise InputError(
                f"CollapseAlarm(below={below!r}, nearest_below={nearest_below!r}): expected shares of 0 or more"
            )
        self.n, self.features, self.seed, self.warmup = min(int(n), len(data)), features, int(seed), warmup
        self.below = {"diversity": float(below), "nearest": float(nearest_below)}
        self.sample = sample or self._sample
        self.of_data = pairwise(self._rows(data[: self.n]))
        if not min(self.of_data) > 0:
            raise InputError(
                f"the data's mean distance is {self.of_data[0]:.4g} and to the nearest {self.of_data[1]:.4g}: give "
                "CollapseAlarm images that differ"
            )

    def _sample(self, gan: Any) -> Any:
        latents, labels = (
            gan.sample_latents(self.n, seed=self.seed),
            gan.sample_labels(self.n, seed=self.seed),
        )
        return gan.generator(gan.conditioned(latents, labels), training=False)

    def _rows(self, images: Any) -> np.ndarray:
        rows = np.asarray(images if self.features is None else self.features(images))
        return rows.reshape(len(rows), -1).astype(np.float64)

    def measure(self) -> dict[str, float]:
        """Both shares."""
        found = pairwise(self._rows(np.asarray(self.sample(self.model))))
        return {"diversity": found[0] / self.of_data[0], "nearest": found[1] / self.of_data[1]}

    def alarming(self, history):
        """Shares below their thresholds."""
        for name, threshold in self.below.items():
            if history["step"][-1] >= self.warmup and not history[name][-1] >= threshold:
                yield name, history[name][-1], threshold

    def figure(self):
        """`plots.diversity`."""
        return plots.diversity(self)


def pairwise(rows: np.ndarray) -> tuple[float, float]:
    """Mean Euclidean distance of two different rows of (n, d), and mean distance of a row to its nearest other."""
    if not np.isfinite(rows).all():
        return math.nan, math.nan
    distances = scipy.spatial.distance.pdist(rows)
    square = scipy.spatial.distance.squareform(distances)
    np.fill_diagonal(square, np.inf)
    return float(distances.mean()), float(square.min(axis=1).mean())


def singular_values(matrix: np.ndarray, top: int = 3) -> np.ndarray:
    """The largest singular values of a matrix, falling; as many as it has, if those are fewer.

    Lanczos' iteration on the smaller Gram matrix (ARPACK, by scipy.sparse.linalg.svds), from a fixed start: no global
    random numbers are drawn. Matrices with a small side are decomposed in full.

    Returns:
        float64 (min(top, rows, columns),); NaN if the matrix is not finite.
    """
    matrix = np.asarray(matrix, np.float64)
    smaller = min(matrix.shape)
    top = min(top, smaller)
    if not np.isfinite(matrix).all():
        return np.full(top, np.nan)
    if smaller <= max(_DENSE, top + 1):
        return np.linalg.svd(matrix, compute_uv=False)[:top]
    start = np.random.default_rng(0).standard_normal(smaller)
    try:
        found = scipy.sparse.linalg.svds(
            matrix, k=top, v0=start, solver="arpack", return_singular_vectors=False
        )
    except scipy.sparse.linalg.ArpackError:  # zero matrices, and clusters of equal values
        return np.linalg.svd(matrix, compute_uv=False)[:top]
    return np.sort(found)[::-1]


def weight_matrices(gan: Any) -> Iterator[tuple[str, np.ndarray, float | None]]:
    """Every trainable weight of two or more axes of all players, as a matrix (output channels, all the rest).

    Yields:
        (player/path, matrix, sigma): sigma is what the layer divides its weight by; None if it does not.
    """
    for player, network in gan.players().items():
        owners = {id(v): layer for layer in network._flatten_layers() for v in layer._trainable_variables}
        for variable in network.trainable_variables:
            if len(variable.shape) < 2 or min(variable.shape) < 1:
                continue
            layer, value = owners.get(id(variable)), keras.ops.convert_to_numpy(variable)
            yield f"{player}/{variable.path}", as_matrix(value, layer), _sigma(layer, variable)


def as_matrix(value: np.ndarray, layer: keras.layers.Layer | None = None) -> np.ndarray:
    """A weight of `layer` as (output channels, all the rest): what spectral normalisation takes sigma of."""
    if isinstance(layer, keras.layers.Embedding):
        return value
    transposed = keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose
    axis = -2 if isinstance(layer, transposed) else -1
    return np.moveaxis(value, axis, 0).reshape(value.shape[axis], -1)


def _sigma(layer: Any, variable: keras.Variable) -> float | None:
    """What a spectrally normalised layer divides this weight by."""
    if not isinstance(layer, SpectralNormalized) or variable is not layer.raw_weight:
        return None
    return float(layer.sigma)
