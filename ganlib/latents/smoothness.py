"""How smoothly images follow a walk, and perceptual path lengths."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.spatial.distance

from ganlib.arguments import require_known, require_positive_integers
from ganlib.errors import InputError
from ganlib.latents.rows import flat, floats, norm, pair, unit
from ganlib.latents.walks import method_of
from ganlib.randomness import host_generator


class Smoothness(NamedTuple):
    """How images follow a walk; `smoothness` explains the fields."""

    roughness: float
    jump: float


def step_lengths(images: Any, features: Callable[[Any], Any] | None = None) -> np.ndarray:
    """Euclidean lengths of the steps of a walk.

    Args:
        images: (steps + 1, ...): what G made of one walk.
        features: Images -> (steps + 1, d), to measure in feature space; None: between pixels.

    Returns:
        (steps,) float64.

    Raises:
        InputError: Fewer than two images, or values that are not finite.
    """
    found = flat("images", images, features)
    if len(found) < 2:
        raise InputError(f"{len(found)} image(s) make no step: give those of a walk, 2 or more")
    return norm(np.diff(found, axis=0))[:, 0]


def smoothness(walks: Any, references: Any, features: Callable[[Any], Any] | None = None) -> Smoothness:
    """Whether images change gradually along walks, or jump from one memorised image to another.

    Radford et al. 2016, section 6.1: sharp transitions would be a sign of memorisation.

    Args:
        walks: Images (n, steps + 1, ...) of n walks.
        references: Training images (m, ...), 2 or more; some hundreds do.
        features: As in `step_lengths`.

    Returns:
        `roughness`: the longest step of a walk divided by its median step, the median over walks. 1 where all steps are
        equal; infinite where most steps change nothing and some do.
        `jump`: the longest step of a walk, the median over walks, divided by the median distance of a training image to
        its nearest other. It falls as 1 / steps for a continuous G, and stays near 1 or above for one that shows
        memorised images.

    Raises:
        InputError: Too few images, or values that are not finite.
    """
    walks = np.asarray(walks)
    if walks.ndim < 3 or walks.shape[0] < 1:
        raise InputError(f"walks have shape {walks.shape}: give images (n, steps + 1, ...)")
    lengths = np.stack([step_lengths(images, features) for images in walks])
    known = flat("references", references, features)
    if len(known) < 2:
        raise InputError(f"{len(known)} reference(s): give 2 or more training images")
    apart = scipy.spatial.distance.squareform(scipy.spatial.distance.pdist(known))
    np.fill_diagonal(apart, np.inf)
    nearest = float(np.median(apart.min(axis=1)))
    if nearest == 0:
        raise InputError("most references are copies of another one: give different training images")
    longest, typical = lengths.max(axis=1), np.median(lengths, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rough = np.where(longest == 0, 1.0, longest / typical)  # a walk that stands still is smooth
    return Smoothness(float(np.median(rough)), float(np.median(longest)) / nearest)


def path_length(
    generate: Callable[[np.ndarray], Any],
    distance: Callable[[Any, Any], Any],
    starts: Any,
    ends: Any,
    t: Any,
    *,
    epsilon: float = 1e-4,
    method: str = "slerp",
    batch_size: int = 100,
    percentiles: tuple[float, float] = (1.0, 99.0),
) -> float:
    """How far images move, squared, for a small step on the way between latents as they are.

    Karras et al. 2019, arXiv:1812.04948, section 4.1, eqs. 2 and 3: the mean of d(G(z_t), G(z_{t + epsilon})) /
    epsilon^2 without the outermost percent on both sides. Paths are those of `walk`, which leave z where it was drawn;
    the papers' protocol, which puts z on a sphere, is `perceptual_path_length`, and gives other numbers.

    Args:
        generate: Latents (b, latent_dim) -> images.
        distance: Two batches of images -> (b,) distances that are quadratic in small differences: LPIPS, or the squared
            distance of features.
        starts: Latents (n, latent_dim).
        ends: The same shape.
        t: Positions (n,) on the paths, or one number for all.
        epsilon: Step; where images are float32 one below 1e-4 drowns in rounding.
        method: As in `walk`.
        batch_size: Pairs of images at a time.
        percentiles: As in `filtered_mean`.

    Returns:
        The length; smaller is smoother.

    Raises:
        InputError: An argument is out of range, or as `filtered_mean`.
    """
    starts, ends = pair(starts, ends)
    require_positive_integers(batch_size=batch_size)
    if starts.ndim != 2:
        raise InputError(f"starts have shape {starts.shape}: give (n, latent_dim)")
    if not epsilon > 0:
        raise InputError(f"epsilon={epsilon!r} is out of range: give a number above 0, for example 1e-4")
    interpolate = method_of(method)
    t = np.broadcast_to(np.asarray(t, np.float64), len(starts))[:, None]
    found = []
    for i in range(0, len(starts), batch_size):
        some = slice(i, i + batch_size)
        here = generate(interpolate(starts[some], ends[some], t[some]))
        there = generate(interpolate(starts[some], ends[some], t[some] + epsilon))
        found.append(np.asarray(distance(here, there), np.float64).reshape(-1) / epsilon**2)
    return filtered_mean(np.concatenate(found), percentiles)


def perceptual_path_length(
    generate: Callable[[np.ndarray], Any],
    distance: Callable[[Any, Any], Any],
    latents: Any,
    *,
    mapping: Callable[[np.ndarray], Any] | None = None,
    sampling: str = "full",
    radius: float = 1.0,
    epsilon: float = 1e-4,
    seed: int = 0,
    batch_size: int = 100,
) -> float:
    """Perceptual path length by the protocol of StyleGAN's code (Karras et al. 2019, section 4.1).

    In z: both ends are put on a sphere, the path is its great circle (eq. 2). In w: the path is the straight line
    between mapped ends (eq. 3). Not in here: the crop to the middle of faces, which the code makes for FFHQ and
    CelebA-HQ.

    Args:
        generate: Latents (b, latent_dim), or what `mapping` gives, -> images; the same noise in every call.
        distance: Two batches of images -> (b,) distances that are quadratic in small differences: LPIPS, or the squared
            distance of features.
        latents: Standard normal (2n, latent_dim): starts and ends in turn. The papers' n is 100,000.
        mapping: Latents -> w, for paths in w; None: paths in z.
        sampling: "full", anywhere on the path, or "end", where it begins.
        radius: Of the sphere: 1 in the code, whose G puts z on a sphere of its own; sqrt(latent_dim) for a G that takes
            normal latents as they are.
        epsilon: Step.
        seed: Of the places on the paths.
        batch_size: Pairs of images at a time.

    Returns:
        The length; smaller is smoother.

    Raises:
        InputError: An argument is out of range.
    """
    latents = floats("latents", latents)
    if latents.ndim != 2 or len(latents) % 2:
        raise InputError(f"latents have shape {latents.shape}: give an even number of rows, (2n, latent_dim)")
    require_known("sampling", sampling, ("full", "end"))
    random = host_generator(seed, "path length")
    t = random.uniform(size=len(latents) // 2) * (sampling == "full")
    if mapping is None:
        ends, method = radius * unit(latents), "slerp"
    else:
        ends, method = np.asarray(mapping(latents)), "lerp"
    flat_ends = ends.reshape(len(ends), -1)
    shaped = lambda rows: generate(rows.reshape(-1, *ends.shape[1:]))  # noqa: E731
    return path_length(
        shaped,
        distance,
        flat_ends[0::2],
        flat_ends[1::2],
        t,
        epsilon=epsilon,
        method=method,
        batch_size=batch_size,
    )


def filtered_mean(distances: Any, percentiles: tuple[float, float] = (1.0, 99.0)) -> float:
    """The mean of the values within two percentiles, both ends included.

    As in StyleGAN's code: the lower percentile is the next value below ("lower"), the upper one the next above
    ("higher"), so few values lose none.

    Args:
        distances: (n,), n of 1 or more.
        percentiles: (low, high), 0 <= low < high <= 100.

    Raises:
        InputError: No values, values that are not finite, or percentiles out of order.
    """
    values = np.asarray(distances, np.float64).reshape(-1)
    low, high = percentiles
    if not 0 <= low < high <= 100:
        raise InputError(f"percentiles={percentiles}: give (low, high) with 0 <= low < high <= 100")
    if not len(values) or not np.isfinite(values).all():
        raise InputError(f"{len(values)} distances, not all finite or none: check what they were computed of")
    bottom = np.percentile(values, low, method="lower")
    top = np.percentile(values, high, method="higher")
    return float(values[(values >= bottom) & (values <= top)].mean())
