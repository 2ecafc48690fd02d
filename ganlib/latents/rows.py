"""Checks and norms of rows of numbers, for the files of this folder."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ganlib.errors import InputError


def floats(name: str, values: Any) -> np.ndarray:
    """Finite floating-point numbers (..., dim), or an InputError that names them."""
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    if values.ndim < 1 or not values.size:
        raise InputError(f"{name} have shape {values.shape}: give (..., latent_dim)")
    if not np.isfinite(values).all():
        raise InputError(f"the {name} are not all finite: check where they come from")
    return values


def pair(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of latents of one shape and dtype."""
    a, b = floats("latents", a), floats("latents", b)
    if a.shape != b.shape:
        raise InputError(f"latents of shapes {a.shape} and {b.shape}: give both the same")
    dtype = np.result_type(a, b)
    return a.astype(dtype), b.astype(dtype)


def norm(rows: np.ndarray) -> np.ndarray:
    """Norms over the last axis, which is kept."""
    return np.sqrt(np.square(rows).sum(axis=-1, keepdims=True))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    norms = norm(rows)
    if (norms == 0).any():
        raise InputError("a latent is zero and has no direction: use lerp, or another latent")
    return rows / norms


def flat(name: str, images: Any, features: Callable[[Any], Any] | None) -> np.ndarray:
    """(n, d) float64: features, or flat pixels."""
    rows = np.asarray(images if features is None else features(images))
    if rows.ndim < 2 or not rows.size:
        raise InputError(f"{name} have shape {rows.shape}: give (n, ...)")
    rows = rows.reshape(len(rows), -1).astype(np.float64)
    if not np.isfinite(rows).all():
        raise InputError(f"the {name} are not all finite: check the model's weights")
    return rows
