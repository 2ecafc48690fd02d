"""How diverse the samples are while a GAN trains."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import scipy.spatial.distance

from ganlib.callbacks.monitor import Monitor
from ganlib.errors import InputError

_PAIRS = 512  # samples whose pairwise distances are taken: 130,816 pairs


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
        self.sample = sample
        self.of_data = pairwise(self._rows(data[: self.n]))
        if not min(self.of_data) > 0:
            raise InputError(
                f"the data's mean distance is {self.of_data[0]:.4g} and to the nearest {self.of_data[1]:.4g}: give "
                "CollapseAlarm images that differ"
            )

    def set_model(self, model: keras.Model) -> None:
        """Refuse a translator, unless it is said what to draw from it."""
        super().set_model(model)
        if self.sample is None and not model.sampled:
            raise InputError(
                f"{type(model).__name__} translates images: tell CollapseAlarm which, sample=gan -> translations"
            )

    def _samples(self) -> Any:
        gan = self.model
        if self.sample is not None:
            return self.sample(gan)
        latents, labels = (draw(self.n, seed=self.seed) for draw in (gan.sample_latents, gan.sample_labels))
        return gan.generator(gan.conditioned(latents, labels), training=False)

    def _rows(self, images: Any) -> np.ndarray:
        rows = np.asarray(images if self.features is None else self.features(images))
        return rows.reshape(len(rows), -1).astype(np.float64)

    def measure(self) -> dict[str, float]:
        """Both shares."""
        found = pairwise(self._rows(np.asarray(self._samples())))
        return {"diversity": found[0] / self.of_data[0], "nearest": found[1] / self.of_data[1]}

    def alarming(self, history):
        """Shares below their thresholds."""
        for name, threshold in self.below.items():
            if history["step"][-1] >= self.warmup and not history[name][-1] >= threshold:
                yield name, history[name][-1], threshold


def pairwise(rows: np.ndarray) -> tuple[float, float]:
    """Mean Euclidean distance of two different rows of (n, d), and mean distance of a row to its nearest other."""
    if not np.isfinite(rows).all():
        return math.nan, math.nan
    distances = scipy.spatial.distance.pdist(rows)
    square = scipy.spatial.distance.squareform(distances)
    np.fill_diagonal(square, np.inf)
    return float(distances.mean()), float(square.min(axis=1).mean())
