"""Less variety for more fidelity: latents near the middle."""

import math
from typing import Any

import numpy as np
import scipy.special

from ganlib.errors import InputError
from ganlib.latents.rows import floats


def resample(latents: Any, threshold: float, generator: np.random.Generator) -> np.ndarray:
    """Draw the entries beyond the threshold again, until none is.

    Brock et al. 2019, arXiv:1809.11096, section 3.1, "the truncation trick". The result is a normal distribution cut
    off at +-threshold, of standard deviation `truncated_deviation(threshold)`.

    Args:
        latents: Standard normal (..., latent_dim).
        threshold: Largest absolute value, above 0.
        generator: Where the new draws come from.

    Raises:
        InputError: threshold is not above 0.
    """
    latents = floats("latents", latents)
    if not threshold > 0:
        raise InputError(f"threshold={threshold!r} is out of range: give a number above 0, for example 0.7")
    out = latents.copy()
    outside = np.abs(out) > threshold
    # the quantile function of the cut normal: as drawing again, without waiting when little is inside
    inside = 2.0 * scipy.special.ndtr(threshold) - 1.0
    quantiles = scipy.special.ndtr(-threshold) + inside * generator.uniform(size=int(outside.sum()))
    out[outside] = np.clip(scipy.special.ndtri(quantiles), -threshold, threshold)
    return out


def shrink(latents: Any, factor: float) -> np.ndarray:
    """Latents scaled by a factor: the other way to trade variety for fidelity.

    Normal latents stay normal and keep their tails, at a smaller radius; `resample` cuts them off. To compare both at
    the same spread use factor = `truncated_deviation(threshold)`.

    Args:
        latents: (..., latent_dim).
        factor: 0 to 1; 1 leaves them as they are.

    Raises:
        InputError: factor is outside [0, 1].
    """
    latents = floats("latents", latents)
    if not 0 <= factor <= 1:
        raise InputError(f"factor={factor!r} is out of range: give a number in [0, 1]")
    return (factor * latents).astype(latents.dtype)


def truncated_deviation(threshold: float) -> float:
    """Standard deviation of a standard normal cut off at +-threshold.

    sqrt(1 - 2 a phi(a) / (2 Phi(a) - 1)), phi and Phi density and distribution function (Johnson, Kotz & Balakrishnan
    1994, "Continuous univariate distributions", volume 1, section 13.10.1).

    Raises:
        InputError: threshold is not above 0.
    """
    a = float(threshold)
    if not a > 0:
        raise InputError(f"threshold={threshold!r} is out of range: give a number above 0, for example 0.7")
    if a == math.inf:
        return 1.0
    if a < 1e-2:  # the difference below cancels; the cut normal is nearly uniform there
        return a / math.sqrt(3.0) * (1.0 - a * a / 15.0)
    density = math.exp(-a * a / 2.0) / math.sqrt(2.0 * math.pi)
    return math.sqrt(1.0 - 2.0 * a * density / math.erf(a / math.sqrt(2.0)))
