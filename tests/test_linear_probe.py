"""The linear probe: the conditions of its optimum, what must not matter to it, and its error against the spread."""

import numpy as np
import pytest
import scipy.special

from ganlib.errors import InputError
from ganlib.metrics import linear_probe

RNG = np.random.default_rng(0)


def blobs(n, distance=2.0, classes=3, dimensions=5, seed=1):
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(7).normal(size=(classes, dimensions))
    labels = random.integers(classes, size=n)
    return distance * centers[labels] + random.normal(size=(n, dimensions)), labels


@pytest.mark.parametrize("classes", [2, 3])
def test_the_gradient_of_the_objective_is_zero_at_the_probe(classes):
    x, y = blobs(400, 0.7, classes)
    for decay in (1e-3, 0.1):
        probe = linear_probe(x, y, x, y, weight_decay=decay)
        assert probe.converged
        z = (x - x.mean(0)) / x.std(0)
        residuals = scipy.special.softmax(probe.logits(x), axis=1) - np.eye(classes)[y]
        # of two classes scikit-learn keeps one row of weights, whose square is |w|^2: twice those of the two halves
        gradient = residuals.T @ z / len(x) + decay * (2 if classes == 2 else 1) * probe.weights
        np.testing.assert_allclose(gradient, 0, atol=5e-4)
        np.testing.assert_allclose(residuals.mean(axis=0), 0, atol=5e-4)


def test_two_points_have_a_closed_form():
    # at -1 and 1 (standardised), labels 0 and 1: the logit is w x, and decay * w = 1 / (1 + exp(w)), twice over
    x, y = np.array([[3.0], [5.0]] * 10), np.array([0, 1] * 10)
    probe = linear_probe(x, y, x, y, weight_decay=0.05)
    w = probe.logits([[5.0]])[0] @ [-1, 1]
    assert 0.05 * w == pytest.approx(1 / (1 + np.exp(w)), rel=1e-3)
    assert probe.accuracy == probe.training_accuracy == 1 and probe.standard_error is None
    assert str(probe) == "1.0000"


def test_chance_and_separation():
    x, y = blobs(3000, 4.0, classes=4, dimensions=20)
    test_x, test_y = blobs(2000, 4.0, classes=4, dimensions=20, seed=2)
    good = linear_probe(x, y, test_x, test_y)
    assert good.accuracy > 0.995
    shuffled = linear_probe(x, y, test_x, RNG.permutation(test_y))
    assert abs(shuffled.accuracy - 0.25) < 5 * shuffled.standard_error
    assert shuffled.standard_error == pytest.approx(np.sqrt(0.25 * 0.75 / 2000), rel=0.05)


def test_the_error_is_the_spread_over_test_sets():
    x, y = blobs(500, 0.5)
    scores = [linear_probe(x, y, *blobs(200, 0.5, seed=10 + i)) for i in range(60)]
    spread = np.std([score.accuracy for score in scores], ddof=1)
    assert scores[0].standard_error == pytest.approx(spread, rel=0.3)


def test_units_and_constant_features_and_shape_do_not_matter():
    x, y = blobs(300)
    test_x, test_y = blobs(200, seed=2)
    base = linear_probe(x, y, test_x, test_y)
    scales, shift = np.array([1e-3, 1.0, 50.0, 7.0, 1e4]), np.array([3.0, -2.0, 0.0, 1e3, 5.0])
    other = linear_probe(x * scales + shift, y, test_x * scales + shift, test_y)
    np.testing.assert_allclose(other.weights, base.weights, rtol=1e-3, atol=1e-4)
    assert other.accuracy == base.accuracy
    wide, test_wide = (np.concatenate([a, np.full((len(a), 1), 0.1)], axis=1) for a in (x, test_x))
    constant = linear_probe(wide.reshape(-1, 2, 3), y, test_wide.reshape(-1, 2, 3), test_y)
    np.testing.assert_allclose(constant.weights[:, :5], base.weights, rtol=1e-3, atol=1e-4)
    assert (constant.weights[:, 5] == 0).all() and constant.accuracy == base.accuracy
    names = linear_probe(x, 10 * y - 7, test_x, 10 * test_y - 7)
    assert names.accuracy == base.accuracy and names.classes.tolist() == [-7, 3, 13]
    assert (names.predict(test_x) == 10 * base.predict(test_x) - 7).all()


def test_an_end_that_was_not_reached_is_said(recwarn):
    assert not linear_probe(*blobs(300), *blobs(50, seed=2), iterations=1).converged
    assert not recwarn.list


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(4), [0, 1, 0, 1]), r"features have shape \(4,\)"),
        ((np.full((4, 2), np.nan), [0, 1, 0, 1]), "features are not all finite"),
        ((np.zeros((4, 2)), [0, 1, 0]), r"labels of shape \(3,\)"),
        ((np.zeros((4, 2)), [0.0, 1.0, 0.0, 1.0]), "give 4 whole numbers"),
        ((np.zeros((4, 2)), [1, 1, 1, 1]), "labels are all 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        linear_probe(*arguments, np.zeros((4, 2)), [0, 1, 0, 1])


def test_bad_test_sets():
    x, y = np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]
    with pytest.raises(InputError, match="features of 2 numbers and test_features of 3"):
        linear_probe(x, y, np.zeros((4, 3)), y)
    with pytest.raises(InputError, match="test_labels have class 5"):
        linear_probe(x, y, x, [0, 1, 5, 1])
    with pytest.raises(InputError, match="weight_decay=0 is out of range"):
        linear_probe(x, y, x, y, weight_decay=0)
    with pytest.raises(InputError, match="features of 1 numbers: the probe was trained on 2"):
        linear_probe(x, y, x, y).logits([[1.0]])
