"""Class by class: whether samples are of the class that was asked for, and whether a class has been memorised.

Brock, Donahue, Simonyan 2019, arXiv:1809.11096, section 4.2 and appendices B to D: class leakage (a fox with a
poodle's head), and nearest neighbours within the class in pixel space and in a classifier's feature space.

    probabilities = metrics.fashion_cnn().probabilities(gan.sample(2_000, labels=asked, seed=0))
    leakage = class_leakage(probabilities.argmax(axis=1), asked, read_from_real, labels_of_real)
    leakage.leaks[0]                               # (asked, found, share, share among real images)
    memorisation_by_class(features, asked, train_features, train_labels, test_features, test_labels)
"""

from typing import Any, NamedTuple

import numpy as np

from ganlib.errors import InputError
from ganlib.metrics.neighbours import Memorisation, memorisation, nearest_neighbours


class Leak(NamedTuple):
    """Samples of one class that look like another.

    Attributes:
        asked: The class that was asked for.
        found: The class that the classifier finds.
        share: Of the samples of `asked`.
        real: The same share of real images of `asked`: the classifier's own mistakes, and what looks alike.
        errors: How far `share` is above `real`, in standard errors of their difference.
    """

    asked: int
    found: int
    share: float
    real: float
    errors: float


class ClassLeakage(NamedTuple):
    """What `class_leakage` returns.

    Attributes:
        confusion: (classes, classes): of the samples asked for as i, the share that the classifier calls j. A row of a
            class that was not asked for is NaN.
        real: The same of real images.
        accuracy: Share of all samples in their class.
        real_accuracy: The same of real images: no generator can be expected above it.
        leaks: Pairs of classes with more of it than among real images, by how much.
    """

    confusion: np.ndarray
    real: np.ndarray
    accuracy: float
    real_accuracy: float
    leaks: list[Leak]


def class_leakage(found: Any, asked: Any, real_found: Any, real_labels: Any) -> ClassLeakage:
    """Which classes leak into which: the classifier's confusion on samples, beside that on real images.

    Args:
        found: Class that a classifier finds in each sample, whole numbers (n,).
        asked: Class that each was made as, (n,).
        real_found: Class that it finds in real images, better not those that it learned from, (m,).
        real_labels: Their classes, (m,): all that are in `asked`.

    Raises:
        InputError: The lengths differ, there are none, labels are not whole numbers from 0 on, or a class that was
            asked for has no real image.
    """
    found, asked = _labels(found=found, asked=asked)
    real_found, real_labels = _labels(real_found=real_found, real_labels=real_labels)
    missing = np.setdiff1d(asked, real_labels)
    if len(missing):
        raise InputError(f"class {missing[0]} has samples and no real image: give real images of all classes")
    classes = 1 + max(map(np.max, (found, asked, real_found, real_labels)))
    counts, real_counts = (_counts(*pair, classes) for pair in ((asked, found), (real_labels, real_found)))
    with np.errstate(invalid="ignore"):
        confusion, real = (c / c.sum(axis=1, keepdims=True) for c in (counts, real_counts))
    leaks = []
    for i, j in zip(*np.nonzero(confusion > real), strict=True):
        if i != j:
            errors = _errors(counts[i, j], counts[i].sum(), real_counts[i, j], real_counts[i].sum())
            leaks.append(Leak(int(i), int(j), float(confusion[i, j]), float(real[i, j]), errors))
    return ClassLeakage(
        confusion,
        real,
        float((found == asked).mean()),
        float((real_found == real_labels).mean()),
        sorted(leaks, key=lambda leak: leak.real - leak.share),
    )


def nearest_in_class(
    samples: Any, labels: Any, references: Any, reference_labels: Any, k: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """The k references nearest to each sample among those of its own class, nearest first.

    Args:
        samples: (n, ...): images or features.
        labels: Their classes (n,).
        references: (m, ...) of the same shape per sample.
        reference_labels: Their classes (m,).
        k: How many; each class has as many references at least.

    Returns:
        Indices into all references (n, k) and Euclidean distances (n, k), float64.

    Raises:
        InputError: As `nearest_neighbours`, or labels do not fit.
    """
    samples, references = np.asarray(samples), np.asarray(references)
    labels, reference_labels = _of(samples, labels), _of(references, reference_labels)
    indices, distances = np.empty((len(samples), k), np.int64), np.empty((len(samples), k))
    for label in np.unique(labels):
        mine, there = np.flatnonzero(labels == label), np.flatnonzero(reference_labels == label)
        if len(there) < k:
            raise InputError(f"class {label} has {len(there)} references: k={k!r} needs as many")
        found, distances[mine] = nearest_neighbours(samples[mine], references[there], k)
        indices[mine] = there[found]
    return indices, distances


def memorisation_by_class(
    samples: Any,
    labels: Any,
    train: Any,
    train_labels: Any,
    heldout: Any,
    heldout_labels: Any,
    quantile: float = 0.05,
) -> dict[int, Memorisation]:
    """`memorisation` of each class by itself: a class of few images can be copied while the whole is not.

    Args:
        samples: (n, ...): images or features.
        labels: Their classes (n,).
        train: What the generator learned from.
        train_labels: Their classes.
        heldout: Real ones that it did not.
        heldout_labels: Their classes.
        quantile: As in `memorisation`.

    Returns:
        Class -> `Memorisation`, whose `nearest` counts in all of `train`. The more classes, the likelier that one is
        called memorised by chance: its thresholds are for one test.

    Raises:
        InputError: As `memorisation`, for a class; or labels do not fit.
    """
    sets = {"train": (train, train_labels), "heldout": (heldout, heldout_labels)}
    sets = {
        name: (np.asarray(rows), _of(np.asarray(rows), classes)) for name, (rows, classes) in sets.items()
    }
    samples = np.asarray(samples)
    labels = _of(samples, labels)
    found = {}
    for label in np.unique(labels):
        for name, (_, classes) in sets.items():
            if (classes == label).sum() < 2:
                raise InputError(f"class {label} has fewer than two images in {name}: give more")
        of_class = [rows[classes == label] for rows, classes in sets.values()]
        one = memorisation(samples[labels == label], *of_class, quantile)
        there = np.flatnonzero(sets["train"][1] == label)
        found[int(label)] = one._replace(nearest=there[one.nearest])
    return found


def _labels(**values: Any) -> list[np.ndarray]:
    """Whole numbers from 0 on, as many in each."""
    arrays = {name: np.asarray(value) for name, value in values.items()}
    for name, labels in arrays.items():
        if (
            labels.ndim != 1
            or not labels.size
            or not np.issubdtype(labels.dtype, np.integer)
            or labels.min() < 0
        ):
            raise InputError(
                f"{name} of shape {labels.shape} and kind {labels.dtype}: give whole numbers (n,) from 0 on"
            )
    if len(set(map(len, arrays.values()))) > 1:
        sizes = " and ".join(f"{len(labels)} in {name}" for name, labels in arrays.items())
        raise InputError(f"{sizes}: give one of each for every image")
    return list(arrays.values())


def _of(rows: np.ndarray, labels: Any) -> np.ndarray:
    """The labels of `rows`."""
    labels = _labels(labels=labels)[0]
    if len(labels) != len(rows):
        raise InputError(f"{len(labels)} labels of {len(rows)} images: give one for every image")
    return labels


def _counts(rows: np.ndarray, columns: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


def _errors(k: int, n: int, real_k: int, real_n: int) -> float:
    """The difference of two shares in its standard errors, with the share of both together under each root."""
    both = (k + real_k) / (n + real_n)
    return float((k / n - real_k / real_n) / np.sqrt(both * (1 - both) * (1 / n + 1 / real_n)))
