"""Ways through latent space, classes between classes, and sums of latents. A latent is a row of (..., latent_dim)."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.latents.rows import floats, norm, pair, unit


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
    start, end = pair(start, end)
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
    start, end = pair(start, end)
    t = np.asarray(t, np.float64)
    a, b = unit(start.astype(np.float64)), unit(end.astype(np.float64))
    # half the angle by atan2: arccos of a product near 1 loses half of the digits
    angle = 2.0 * np.arctan2(norm(a - b), norm(a + b))
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
    interpolate = method_of(method)
    path = []
    for start, end in itertools.pairwise([*points, points[0]] if closed else points):
        path += [start, *(interpolate(start, end, i / steps) for i in range(1, steps))]
    return np.stack(path if closed else [*path, points[-1]])


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
    a, b = pair(a, b)
    a, c = pair(a, c)
    return a - b + c


def on_shell(latents: Any, radius: float | None = None) -> np.ndarray:
    """Latents of the same direction and of norm `radius`.

    Args:
        latents: (..., latent_dim), not zero.
        radius: Default sqrt(latent_dim), where normal latents lie.

    Raises:
        InputError: A latent is zero or not finite, or radius is not above 0.
    """
    latents = floats("latents", latents)
    radius = math.sqrt(latents.shape[-1]) if radius is None else radius
    if not 0 < radius < math.inf:
        raise InputError(f"radius={radius!r} is out of range: give a number above 0, or None")
    return (radius * unit(latents.astype(np.float64))).astype(latents.dtype)


def method_of(name: str) -> Callable[[Any, Any, Any], np.ndarray]:
    """`slerp` or `lerp`, by name."""
    methods = {"slerp": slerp, "lerp": lerp}
    if name not in methods:
        raise InputError(f"method={name!r}: choose one of {', '.join(methods)}")
    return methods[name]
