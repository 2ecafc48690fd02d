"""Styles of several latents in one image, and styles pulled to their mean.

Karras et al. 2019, arXiv:1812.04948. Styles are ws (n, layers, w_dim): a w for each layer of the synthesis
(`gan.styles_of`), which `gan.images_of_styles` makes images of. Each resolution from 4x4 on has two layers.
"""

from collections.abc import Collection
from typing import Any

import numpy as np

from ganlib.errors import InputError
from ganlib.latents.rows import floats

# section 3.1 and figure 3: coarse is 4x4 and 8x8, middle 16x16 and 32x32, fine all from 64x64 on
STYLE_RANGES = ("coarse", "middle", "fine")


def style_ranges(layers: int) -> dict[str, range]:
    """The layers of coarse (4x4, 8x8), middle (16x16, 32x32) and fine styles (64x64 and above), of so many.

    A network of 64x64 has 10 or 11 of them; those below 64x64 have no fine ones.
    """
    ends = (0, 4, 8, layers)
    return {
        name: range(min(start, layers), min(end, layers))
        for name, start, end in zip(STYLE_RANGES, ends, ends[1:], strict=False)
    }


def mixed(ws: Any, others: Any, layers: Collection[int]) -> np.ndarray:
    """Ws (n, layers, w_dim) with some layers of others (n, or 1): section 3.1.

    Raises:
        InputError: The shapes differ, or there is no such layer.
    """
    ws, others = _styles(ws), _styles(others)
    if ws.shape[1:] != others.shape[1:] or len(others) not in (1, len(ws)):
        raise InputError(
            f"styles of shapes {ws.shape} and {others.shape}: give both the same, or one of the second"
        )
    chosen = sorted(layers)
    if chosen and not 0 <= chosen[0] <= chosen[-1] < ws.shape[1]:
        raise InputError(f"layers={chosen}: these styles have layers 0 to {ws.shape[1] - 1}")
    out = ws.copy()
    out[:, chosen] = np.broadcast_to(others, ws.shape)[:, chosen]
    return out


def mixing_grid(columns: Any, rows: Any, layers: Collection[int]) -> np.ndarray:
    """Every column's styles with some layers of every row's, row after row: figure 3.

    Args:
        columns: Ws (c, layers, w_dim) that give the rest.
        rows: Ws (r, layers, w_dim) that give `layers`.
        layers: Those that are taken of the rows, see `style_ranges`.

    Returns:
        Ws (r * c, layers, w_dim).

    Raises:
        InputError: As `mixed`.
    """
    columns, rows = _styles(columns), _styles(rows)
    return np.concatenate([mixed(columns, row[None], layers) for row in rows])


def pulled(ws: Any, mean: Any, psi: float, layers: Collection[int] | None = None) -> np.ndarray:
    """Ws (n, layers, w_dim) pulled to the mean of w: mean + psi (w - mean), appendix B.

    Args:
        ws: Styles.
        mean: (w_dim,): `gan.ema_generator.w_average`.
        psi: 1 leaves them, 0 is the mean, below 0 their opposites.
        layers: Those that are pulled; None: all.

    Raises:
        InputError: The mean is not of this w, or there is no such layer.
    """
    ws, mean = _styles(ws), np.asarray(mean)
    if mean.shape != ws.shape[-1:]:
        raise InputError(
            f"a mean of shape {mean.shape} for styles of shape {ws.shape}: give ({ws.shape[-1]},)"
        )
    everywhere = (mean + psi * (ws - mean)).astype(ws.dtype)
    return everywhere if layers is None else mixed(ws, everywhere, layers)


def _styles(ws: Any) -> np.ndarray:
    ws = floats("styles", ws)
    if ws.ndim != 3:
        raise InputError(f"styles have shape {ws.shape}: give (n, layers, w_dim)")
    return ws
