"""Singular values of the weights while a GAN trains."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import scipy.sparse.linalg

from ganlib.callbacks.monitor import Monitor
from ganlib.callbacks.steps import require_count
from ganlib.errors import InputError
from ganlib.layers.spectral_normalization import SpectralNormalized

_DENSE = 24  # up to this many singular values a full decomposition is as fast as Lanczos, and needs no luck


class Spectra(Monitor):
    """The largest singular values of every weight matrix of all players, and an alarm where the first one jumps.

    Brock et al. 2019, arXiv:1809.11096, section 4 and appendix F: the top three values of each weight, by the Arnoldi
    iteration, told of collapse; G's first layers grow and then explode, D's are noisy and jump. Kernels are reshaped
    as spectral normalisation (Miyato et al. 2018, section 2.1) does it, to (output channels, all the rest).

    Columns: step; for each weight `player/path/` + sigma0, sigma1, ...; ratio, sigma0 / sigma1; frobenius, the root of
    the sum of all squared singular values; where the layer normalises its weight, effective0, sigma0 of the W / sigma
    that it computes with.

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
            row[f"{name}/frobenius"] = float(np.linalg.norm(matrix))
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
        options = {"v0": start, "solver": "arpack", "return_singular_vectors": False}
        found = scipy.sparse.linalg.svds(matrix, top, **options)
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
            # of a spectrally normalised layer one weight is divided
            divided = isinstance(layer, SpectralNormalized) and variable is layer.raw_weight
            sigma = float(layer.sigma) if divided else None
            yield f"{player}/{variable.path}", as_matrix(value, layer), sigma


def as_matrix(value: np.ndarray, layer: keras.layers.Layer | None = None) -> np.ndarray:
    """A weight of `layer` as (output channels, all the rest): what spectral normalisation takes sigma of."""
    if isinstance(layer, keras.layers.Embedding):
        return value
    transposed = keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose
    axis = -2 if isinstance(layer, transposed) else -1
    return np.moveaxis(value, axis, 0).reshape(value.shape[axis], -1)
