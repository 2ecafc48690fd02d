"""Less variety for more fidelity: latents near the middle."""

import math
from typing import Any

import numpy as np
import scipy.special

from ganlib.arguments import require_known
from ganlib.errors import InputError
from ganlib.latents.rows import floats


def truncate(latents: Any, threshold: float, distribution: str = "normal") -> np.ndarray:
    """The same draws as draws of the distribution cut off at +-threshold: z' = F^-1(F(-t) + (F(t) - F(-t)) F(z)).

    Brock et al. 2019, arXiv:1809.11096, section 3.1, "the truncation trick": what lies beyond the threshold t is drawn
    again there, which gives the same distribution from other numbers. Here each number keeps its quantile, so that a
    sweep over thresholds looks at the same latents, and no threshold takes longer than another. The standard deviation
    of normal latents is `truncated_deviation(threshold)`.

    Computed in float64, on |z| because of the symmetry, with m = F(t) - F(-t) = erf(t / sqrt 2): near the middle as
    erf(z' / sqrt 2) = m erf(z / sqrt 2), in the tails as 1 - F(z') = (1 - F(t)) + m (1 - F(z)). Both are sums and
    products of positive numbers, so nothing cancels.

    Args:
        latents: (..., latent_dim), standard normal, or uniform on [-1, 1].
        threshold: Largest absolute value, above 0; of uniform latents 1 is all.
        distribution: "normal" or "uniform".

    Returns:
        Latents of the same shape and dtype; as they were, where the threshold cuts off nothing.

    Raises:
        InputError: threshold is not above 0, or there is no such distribution.
    """
    latents = floats("latents", latents)
    require_known("distribution", distribution, ("normal", "uniform"))
    if not threshold > 0:
        raise InputError(f"threshold={threshold!r} is out of range: give a number above 0, for example 0.7")
    if distribution == "uniform":
        return (latents.astype(np.float64) * min(threshold, 1.0)).astype(latents.dtype)
    sizes = np.abs(latents.astype(np.float64))
    inside = scipy.special.erf(threshold / math.sqrt(2.0))
    middle = inside * scipy.special.erf(sizes / math.sqrt(2.0))
    tail = scipy.special.ndtr(-threshold) + inside * scipy.special.ndtr(-sizes)
    cut = np.where(middle < 0.5, math.sqrt(2.0) * scipy.special.erfinv(middle), -scipy.special.ndtri(tail))
    return np.copysign(np.minimum(cut, threshold), latents).astype(latents.dtype)


def shrink(latents: Any, factor: float) -> np.ndarray:
    """Latents scaled by a factor: the other way to trade variety for fidelity.

    Normal latents stay normal and keep their tails, at a smaller radius; `truncate` cuts them off. To compare both at
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
