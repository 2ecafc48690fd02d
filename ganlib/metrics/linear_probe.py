"""The linear probe: how well a linear classifier reads the classes off features that were learned without them.

Donahue & Simonyan 2019, arXiv:1907.02544, section 3.1, and much of representation learning before and after: the
features stand still, and a multinomial logistic regression on them is trained with labels and scored on other images.

    w* = argmin  -mean_i log p(y_i | x_i, w, b) + weight_decay / 2 * |w|^2,     p = softmax(w x + b)

on standardised features (the training set's mean 0 and deviation 1, so that no unit of measurement matters to the
decay), by scikit-learn's L-BFGS, to its end: no learning rate, no random numbers. Of two classes |w| is that of the one
row of differences. Raw pixels, a random encoder and a
supervised network's features are probed in the same way, and say what an accuracy is worth: a floor that needs no
learning, a floor that needs the architecture only, and what labels would have bought.

    probe = linear_probe(gan.features(images), labels, gan.features(test_images), test_labels)
    pixels = linear_probe(images, labels, test_images, test_labels)
"""

import dataclasses
import math
import warnings
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.errors import InputError


@dataclasses.dataclass(frozen=True)
class LinearProbe:
    """A probe's score, and the probe.

    Attributes:
        accuracy: Share of the test examples whose class is found.
        standard_error: Of the accuracy over draws of test examples, sqrt(p (1 - p) / n); None where p is 0 or 1.
        training_accuracy: On the examples that it was trained on.
        classes: The labels, rising.
        weights: (classes, features), for standardised features.
        offsets: (classes,).
        mean: (features,), of the training examples.
        deviation: (features,): the same; 1 where a feature is constant.
        converged: Whether the optimiser came to its end.
    """

    accuracy: float
    standard_error: float | None
    training_accuracy: float
    classes: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    converged: bool

    def logits(self, features: Any) -> np.ndarray:
        """Of features (n, ...): (n, classes)."""
        rows = _rows("features", features)
        if rows.shape[1] != len(self.mean):
            raise InputError(
                f"features of {rows.shape[1]} numbers: the probe was trained on {len(self.mean)}"
            )
        return (rows - self.mean) / self.deviation @ self.weights.T + self.offsets

    def predict(self, features: Any) -> np.ndarray:
        """The class of features (n, ...): (n,)."""
        return self.classes[np.argmax(self.logits(features), axis=1)]

    def __str__(self) -> str:
        error = "" if self.standard_error is None else f" +- {self.standard_error:.4f}"
        return f"{self.accuracy:.4f}{error}"


def linear_probe(
    features: Any,
    labels: Any,
    test_features: Any,
    test_labels: Any,
    *,
    weight_decay: float = 1e-2,
    iterations: int = 1000,
) -> LinearProbe:
    """Train a linear classifier on features, and score it on others.

    Args:
        features: (n, ...); images and feature maps are taken flat.
        labels: Whole numbers (n,), of two classes or more.
        test_features: (m, ...), the same shape but for m.
        test_labels: (m,), of classes that are among `labels`.
        weight_decay: Of the weights, not of the offsets; the mean loss over the examples stands beside it, so that it
            means the same for every n. 1e-2 suits 5,000 raw images better than 1e-3 (0.837 to 0.822 on Fashion-MNIST).
        iterations: Of L-BFGS, at most.

    Raises:
        InputError: Shapes or labels do not fit each other, or a value is not finite.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    require_positive(example="1e-2", weight_decay=weight_decay)
    require_positive_integers(iterations=iterations)
    rows, test_rows = _rows("features", features), _rows("test_features", test_features)
    if rows.shape[1] != test_rows.shape[1]:
        raise InputError(
            f"features of {rows.shape[1]} numbers and test_features of {test_rows.shape[1]}: give both the same"
        )
    labels = _labels("labels", labels, len(rows))
    test_labels = _labels("test_labels", test_labels, len(test_rows))
    classes = np.unique(labels)
    if len(classes) < 2:
        raise InputError(f"labels are all {classes[0]}: a probe needs two classes or more")
    unknown = np.setdiff1d(test_labels, classes)
    if len(unknown):
        raise InputError(f"test_labels have class {unknown[0]}, which labels do not: give examples of it")
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    # a feature that is constant but for rounding has nothing to say
    deviation[deviation <= 1e-12 * np.maximum(1.0, np.abs(mean))] = np.inf
    # scikit-learn minimises C * (sum of the losses) + |w|^2 / 2
    model = LogisticRegression(C=1.0 / (weight_decay * len(rows)), max_iter=iterations, tol=1e-4)
    # on a busy machine threads that wait for each other took 60 times as long
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit((rows - mean) / deviation, labels)
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    weights, offsets = model.coef_, model.intercept_
    if len(classes) == 2:  # one row is kept of two: the logit of the second class over the first
        weights, offsets = np.stack([-weights[0], weights[0]]) / 2, np.stack([-offsets[0], offsets[0]]) / 2
    probe = LinearProbe(
        accuracy=math.nan,
        standard_error=None,
        training_accuracy=math.nan,
        classes=classes,
        weights=weights,
        offsets=offsets,
        mean=mean,
        deviation=deviation,
        converged=converged,
    )
    accuracy = float(np.mean(probe.predict(test_rows) == test_labels))
    return dataclasses.replace(
        probe,
        accuracy=accuracy,
        standard_error=math.sqrt(accuracy * (1 - accuracy) / len(test_rows)) or None,
        training_accuracy=float(np.mean(probe.predict(rows) == labels)),
    )


def _rows(name: str, values: Any) -> np.ndarray:
    """Finite numbers (n, d), float64."""
    values = np.asarray(values)
    if values.ndim < 2 or not values.size:
        raise InputError(f"{name} have shape {values.shape}: give (n, ...)")
    rows = values.reshape(len(values), -1).astype(np.float64)
    if not np.isfinite(rows).all():
        raise InputError(f"{name} are not all finite: check where they come from")
    return rows


def _labels(name: str, values: Any, n: int) -> np.ndarray:
    """Whole numbers (n,)."""
    values = np.asarray(values)
    if values.shape != (n,) or not np.issubdtype(values.dtype, np.integer):
        raise InputError(
            f"{name} of shape {values.shape} and kind {values.dtype}: give {n} whole numbers, ({n},)"
        )
    return values
