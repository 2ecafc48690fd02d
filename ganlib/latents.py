"""Walks, arithmetic and truncation in latent space, and how smoothly images follow.

Pure functions of arrays and callables, in NumPy: no model is known here. A latent is a row of (..., latent_dim).

    z = gan.sample_latents(4, seed=0)
    images = gan.generator.predict(latents.walk(z, steps=10))
    latents.smoothness(images, training_images)

Conditional models: from class 3 to class 8 at fixed z, and a walk at fixed class.

    images = gan.images_of(latents.every_pair(z, latents.class_walk([3, 8], steps=10, num_classes=10)))
    images = gan.images_of(latents.every_pair(latents.walk(z, steps=10), [3]))
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.spatial.distance
import scipy.special

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError

# ------------------------------------------------------------------------------------------------ walks


def lerp(start: Any, end: Any, t: Any) -> np.ndarray:
    """Linear interpolation, start + t (end - start).

    Args:
        start: Latents (..., latent_dim).
        end: The same shape.
        t: How far, 0 to 1 (values beyond extrapolate): a number, or an array that broadcasts against (..., 1).

    Returns:
        Latents, in the dtype of `start` and `end`.

    Raises:
        InputError: The shapes differ, or a value is not finite.
    """
    start, end = _pair(start, end)
    t = np.asarray(t, start.dtype)
    return start + t * (end - start)


def slerp(start: Any, end: Any, t: Any) -> np.ndarray:
    """Spherical interpolation, on the great circle through both directions.

    White 2016, arXiv:1609.04468, section 2.1:

        sin((1 - t) w) / sin(w) start + sin(t w) / sin(w) end,   w the angle between them.

    In high dimension normal latents lie near a sphere of radius sqrt(latent_dim), which the straight line leaves: at
    its middle the norm is about 0.71 of that. For latents of unit norm this is the `slerp` of the official StyleGAN
    code, which divides both ends by their norms first.

    Args:
        start: Latents (..., latent_dim), not zero.
        end: The same shape.
        t: As in `lerp`.

    Returns:
        Latents, in the dtype of `start` and `end`. Parallel ends are interpolated linearly.

    Raises:
        InputError: The shapes differ, a value is not finite, an end is zero, or ends are opposite, so that no great
            circle is preferred.
    """
    start, end = _pair(start, end)
    t = np.asarray(t, np.float64)
    a, b = _unit(start.astype(np.float64)), _unit(end.astype(np.float64))
    # half the angle by atan2: arccos of a product near 1 loses half of the digits
    angle = 2.0 * np.arctan2(_norm(a - b), _norm(a + b))
    if (angle > math.pi - 1e-6).any():
        raise InputError("slerp between opposite latents has no one path: go through a third, or use lerp")
    sine = np.sin(angle)
    near = angle < 1e-6
    safe = np.where(near, 1.0, sine)
    first = np.where(near, 1.0 - t, np.sin((1.0 - t) * angle) / safe)
    last = np.where(near, t, np.sin(t * angle) / safe)
    return (first * start + last * end).astype(start.dtype)


def walk(points: Any, steps: int, method: str = "slerp", closed: bool = False) -> np.ndarray:
    """Latents along a path through `points`, in order.

    Args:
        points: (k, latent_dim) for one walk, (k, n, latent_dim) for n walks at once; k of 2 or more.
        steps: Steps from a point to the next one.
        method: "slerp" (for normal latents) or "lerp" (for uniform ones, and for StyleGAN's w).
        closed: Whether to walk back from the last point to the first, which is not repeated.

    Returns:
        ((k - 1) steps + 1, ...), or (k steps, ...) if closed. Every `steps`-th is one of `points`, exactly.

    Raises:
        InputError: An argument is out of range, or as `slerp`.
    """
    points = np.asarray(points)
    if points.ndim not in (2, 3) or len(points) < 2:
        raise InputError(
            f"points have shape {points.shape}: give (k, latent_dim) or (k, n, latent_dim), k of 2 or more"
        )
    require_positive_integers(steps=steps)
    interpolate = _method(method)
    path = []
    for start, end in itertools.pairwise([*points, points[0]] if closed else points):
        path += [start, *(interpolate(start, end, i / steps) for i in range(1, steps))]
    return np.stack(path if closed else [*path, points[-1]])


# --------------------------------------------------------------------------------------------- classes


def class_walk(labels: Any, steps: int, num_classes: int, closed: bool = False) -> np.ndarray:
    """Weights of classes along a straight path from class to class.

    Brock et al. 2019, arXiv:1809.11096, figures 8 and 9: class interpolation at a fixed z. Layers that know the class
    are linear in the row of a class, so this is a straight line in every table of the network at once.

    Args:
        labels: (k,) classes to visit, in order; k of 2 or more.
        steps: Steps from a class to the next one.
        num_classes: How many there are.
        closed: Whether to walk back from the last class to the first, which is not repeated.

    Returns:
        Weights float32 ((k - 1) steps + 1, num_classes), or (k steps, num_classes) if closed: rows that sum to 1, of
        at most two classes. `GAN.images_of` takes them in place of labels.

    Raises:
        InputError: An argument is out of range.
    """
    require_positive_integers(num_classes=num_classes)
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels of shape {labels.shape}, {labels.dtype}: give whole numbers (k,)")
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise InputError(f"labels={labels.tolist()}: the classes are 0 to {num_classes - 1}")
    return walk(np.eye(num_classes, dtype=np.float32)[labels], steps, "lerp", closed)


def every_pair(latents: Any, classes: Any) -> list[np.ndarray]:
    """Each latent with each class, in rows: what `GAN.images_of` takes for a sheet of images.

    Class interpolation at fixed z is `every_pair(z, class_walk(...))`; a walk at a fixed class `every_pair(walk(...),
    [label])`.

    Args:
        latents: (n, latent_dim).
        classes: Labels (m,), or weights of classes (m, num_classes).

    Returns:
        [latents (n m, latent_dim), classes (n m,) or (n m, num_classes)]: all classes with the first latent, then all
        with the second.

    Raises:
        InputError: A shape does not fit.
    """
    latents, classes = np.asarray(latents), np.asarray(classes)
    if latents.ndim != 2 or classes.ndim not in (1, 2) or not latents.size or not classes.size:
        raise InputError(
            f"latents of shape {latents.shape} with classes of shape {classes.shape}: give (n, latent_dim), and (m,) "
            "or (m, num_classes)"
        )
    return [latents.repeat(len(classes), axis=0), np.concatenate([classes] * len(latents))]


# ------------------------------------------------------------------------------------------- arithmetic


def mean_latent(latents: Any, labels: Any, label: Any = True) -> np.ndarray:
    """The mean of the latents whose image has a property.

    Radford et al. 2016, arXiv:1511.06434, section 6.3.2: the mean of three exemplars was stable, single ones were not.

    Args:
        latents: (n, latent_dim).
        labels: (n,): what a classifier, or an eye, said of each image; or a mask of booleans.
        label: Which of them to average.

    Returns:
        (latent_dim,) floats. Its norm is that of a latent divided by about the square root of how many were averaged;
        `on_shell` undoes that.

    Raises:
        InputError: Lengths differ, or no latent has the label.
    """
    latents, labels = np.asarray(latents), np.asarray(labels)
    if latents.ndim != 2 or labels.shape != latents.shape[:1]:
        raise InputError(
            f"latents of shape {latents.shape} with labels of shape {labels.shape}: give (n, latent_dim) and (n,)"
        )
    chosen = labels == label
    if not chosen.any():
        raise InputError(f"none of the {len(labels)} latents has the label {label!r}: draw more of them")
    return latents[chosen].mean(axis=0, dtype=np.float64).astype(latents.dtype)


def arithmetic(a: Any, b: Any, c: Any) -> np.ndarray:
    """Latent a - b + c: "a is to b as the result is to c" (Radford et al. 2016, section 6.3.2, figure 7).

    Args:
        a: Mean latent (latent_dim,) of what has both properties, "man with glasses"; or (n, latent_dim).
        b: The same without the property to carry over, "man without glasses".
        c: What it is carried over to, "woman without glasses".

    Raises:
        InputError: The shapes do not fit.
    """
    a, b = _pair(a, b)
    a, c = _pair(a, c)
    return a - b + c


def on_shell(latents: Any, radius: float | None = None) -> np.ndarray:
    """Latents of the same direction and of norm `radius`.

    Args:
        latents: (..., latent_dim), not zero.
        radius: Default sqrt(latent_dim), where normal latents lie.

    Raises:
        InputError: A latent is zero or not finite, or radius is not above 0.
    """
    latents = _floats("latents", latents)
    radius = math.sqrt(latents.shape[-1]) if radius is None else radius
    if not 0 < radius < math.inf:
        raise InputError(f"radius={radius!r} is out of range: give a number above 0, or None")
    return (radius * _unit(latents.astype(np.float64))).astype(latents.dtype)


# ------------------------------------------------------------------------------------------- truncation


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
    latents = _floats("latents", latents)
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
    latents = _floats("latents", latents)
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


# ------------------------------------------------------------------------------------------- smoothness


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
    rows = _rows("images", images, features)
    if len(rows) < 2:
        raise InputError(f"{len(rows)} image(s) make no step: give those of a walk, 2 or more")
    return _norm(np.diff(rows, axis=0))[:, 0]


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
    known = _rows("references", references, features)
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
    """Perceptual path length: how far images move, squared, for a small step of the latent.

    Karras et al. 2019, arXiv:1812.04948, section 4.1, eqs. 2 and 3, and the official code's choices: the mean of
    d(G(z_t), G(z_{t + epsilon})) / epsilon^2 without the outermost percent on both sides. StyleGAN2 measures in w, with
    "lerp" and t = 0 ("end"); "full" is t uniform on [0, 1].

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
    starts, ends = _pair(starts, ends)
    require_positive_integers(batch_size=batch_size)
    if starts.ndim != 2:
        raise InputError(f"starts have shape {starts.shape}: give (n, latent_dim)")
    if not epsilon > 0:
        raise InputError(f"epsilon={epsilon!r} is out of range: give a number above 0, for example 1e-4")
    interpolate = _method(method)
    t = np.broadcast_to(np.asarray(t, np.float64), len(starts))[:, None]
    found = []
    for i in range(0, len(starts), batch_size):
        some = slice(i, i + batch_size)
        here = generate(interpolate(starts[some], ends[some], t[some]))
        there = generate(interpolate(starts[some], ends[some], t[some] + epsilon))
        found.append(np.asarray(distance(here, there), np.float64).reshape(-1) / epsilon**2)
    return filtered_mean(np.concatenate(found), percentiles)


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


# ---------------------------------------------------------------------------------------------- details


def _floats(name: str, values: Any) -> np.ndarray:
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    if values.ndim < 1 or not values.size:
        raise InputError(f"{name} have shape {values.shape}: give (..., latent_dim)")
    if not np.isfinite(values).all():
        raise InputError(f"the {name} are not all finite: check where they come from")
    return values


def _pair(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b = _floats("latents", a), _floats("latents", b)
    if a.shape != b.shape:
        raise InputError(f"latents of shapes {a.shape} and {b.shape}: give both the same")
    dtype = np.result_type(a, b)
    return a.astype(dtype), b.astype(dtype)


def _norm(rows: np.ndarray) -> np.ndarray:
    """Norms over the last axis, which is kept."""
    return np.sqrt(np.square(rows).sum(axis=-1, keepdims=True))


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = _norm(rows)
    if (norms == 0).any():
        raise InputError("a latent is zero and has no direction: use lerp, or another latent")
    return rows / norms


def _method(name: str) -> Callable[[Any, Any, Any], np.ndarray]:
    methods = {"slerp": slerp, "lerp": lerp}
    if name not in methods:
        raise InputError(f"method={name!r}: choose one of {', '.join(methods)}")
    return methods[name]


def _rows(name: str, images: Any, features: Callable[[Any], Any] | None) -> np.ndarray:
    """(n, d) float64: features, or flat pixels."""
    rows = np.asarray(images if features is None else features(images))
    if rows.ndim < 2 or not rows.size:
        raise InputError(f"{name} have shape {rows.shape}: give (n, ...)")
    rows = rows.reshape(len(rows), -1).astype(np.float64)
    if not np.isfinite(rows).all():
        raise InputError(f"the {name} are not all finite: check the model's weights")
    return rows
