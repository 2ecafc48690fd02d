"""Directions in latent space along which images change, found without labels: SeFa and GANSpace."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.latents.rows import floats


class Directions(NamedTuple):
    """Directions, the most telling one first.

    Attributes:
        vectors: (n, dim), of length 1.
        strengths: (n,): SeFa's eigenvalues; GANSpace's standard deviations along them.
        mean: (dim,): of what was analysed; zeros for SeFa.
    """

    vectors: np.ndarray
    strengths: np.ndarray
    mean: np.ndarray


def sefa(weights: Sequence[Any], n: int | None = None) -> Directions:
    """Closed-form factorisation: Shen & Zhou 2021, arXiv:2007.06600, eqs. 6 and 7.

    The directions d in which A d is longest, for the first layer's weights A behind the latent: the eigenvectors of
    A^T A. As in the authors' code each row of A (a column here) is put to length 1 first.

    Args:
        weights: (dim, outputs) of each layer that the direction is to act in, such as `gan.style_kernels(layers)`.
        n: How many; None: all, `dim`.

    Returns:
        `vectors` (n, dim), each up to its sign (the largest number of each is positive).

    Raises:
        InputError: There are no weights, or their first axes differ.
    """
    weights = [floats("weights", each) for each in weights]
    if not weights or any(each.ndim != 2 or len(each) != len(weights[0]) for each in weights):
        shapes = [each.shape for each in weights]
        raise InputError(f"weights of shapes {shapes}: give one or more, all (dim, outputs)")
    joined = np.concatenate(weights, axis=1).astype(np.float64)
    lengths = np.linalg.norm(joined, axis=0)
    joined = joined[:, lengths > 0] / lengths[lengths > 0]
    values, vectors = np.linalg.eigh(joined @ joined.T)
    return _found(values[::-1], vectors.T[::-1], np.zeros(len(joined)), n)


def ganspace(samples: Any, n: int | None = None) -> Directions:
    """Principal components: Harkonen et al. 2020, arXiv:2004.02546, section 2.1: those of w, for StyleGAN.

    Args:
        samples: (m, dim), mapped latents: `gan.styles_of(z)[:, 0]`. The paper's m is a million.
        n: How many; None: all.

    Raises:
        InputError: There are fewer samples than 2.
    """
    samples = floats("samples", samples).astype(np.float64)
    if samples.ndim != 2 or len(samples) < 2:
        raise InputError(f"samples have shape {samples.shape}: give (m, dim), 2 or more")
    mean = samples.mean(axis=0)
    _, singular, vectors = np.linalg.svd(samples - mean, full_matrices=False)
    return _found(singular / np.sqrt(len(samples) - 1), vectors, mean, n)


def along(
    ws: Any, direction: Any, amounts: Sequence[float], layers: Collection[int] | None = None
) -> np.ndarray:
    """Each of ws (n, layers, w_dim), moved by each amount along a direction: (n * amounts, layers, w_dim), n outer.

    Args:
        ws: Styles; or latents (n, dim).
        direction: (dim,).
        amounts: How far, in units of the direction's length.
        layers: Layers that are moved; None: all.

    Raises:
        InputError: The direction is not of this space, or layers are named for latents.
    """
    ws, direction = floats("latents", ws), floats("direction", direction)
    if direction.shape != ws.shape[-1:] or ws.ndim not in (2, 3):
        raise InputError(
            f"a direction of shape {direction.shape} for latents of shape {ws.shape}: give (dim,)"
        )
    steps = np.asarray(amounts, ws.dtype).reshape(1, -1, *[1] * (ws.ndim - 1)) * direction.astype(ws.dtype)
    if layers is not None:
        if ws.ndim != 3:
            raise InputError(f"layers={layers}: latents of shape {ws.shape} have none; give styles")
        there = np.isin(np.arange(ws.shape[1]), list(layers))[:, None]
        steps = np.where(there, steps, 0)
    return (ws[:, None] + steps).reshape(-1, *ws.shape[1:])


def _found(strengths: np.ndarray, vectors: np.ndarray, mean: np.ndarray, n: int | None) -> Directions:
    if n is not None:
        require_positive_integers(n=n)
    vectors, strengths = vectors[:n], strengths[:n]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    signed = vectors * np.sign(largest)
    return Directions(*(each.astype(np.float32) for each in (signed, strengths, mean)))
