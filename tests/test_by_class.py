"""Class leakage and memorisation, class by class."""

import math

import numpy as np
import pytest

from ganlib import metrics
from ganlib.errors import InputError

RNG = np.random.default_rng(0)


def test_leakage_is_confusion_beyond_that_of_real_images():
    # class 0: 6 of 10 stay, 4 go to 1; class 1: all stay, as of the real ones 9 in 10 do
    asked, found = np.repeat([0, 1], 10), np.r_[[0] * 6, [1] * 4, [1] * 10]
    real_labels, real_found = np.repeat([0, 1], 20), np.r_[[0] * 18, [1] * 2, [1] * 18, [0] * 2]
    leakage = metrics.class_leakage(found, asked, real_found, real_labels)
    np.testing.assert_allclose(leakage.confusion, [[0.6, 0.4], [0, 1]])
    np.testing.assert_allclose(leakage.real, [[0.9, 0.1], [0.1, 0.9]])
    assert (leakage.accuracy, leakage.real_accuracy) == (0.8, 0.9)
    (leak,) = leakage.leaks
    assert leak[:4] == (0, 1, 0.4, 0.1)
    # two shares, 4 of 10 and 2 of 20, with 6 of 30 under the root
    assert leak.errors == pytest.approx(0.3 / math.sqrt(0.2 * 0.8 * (1 / 10 + 1 / 20)))


def test_leaks_come_in_order_and_without_the_classifiers_own():
    asked = np.repeat([0, 1, 2], 100)
    found = asked.copy()
    found[:5], found[100:130], found[200:250] = 1, 2, 0
    real = np.repeat([0, 1, 2, 3], 50)
    confused = real.copy()
    confused[:10] = 1  # more often than among the samples: no leak
    leakage = metrics.class_leakage(found, asked, confused, real)
    assert [leak[:2] for leak in leakage.leaks] == [(2, 0), (1, 2)]
    assert np.isnan(leakage.confusion[3]).all()
    assert np.isfinite(leakage.real).all()


def test_neighbours_are_of_the_samples_class():
    references, labels = RNG.normal(size=(60, 2, 3)), np.arange(60) % 3
    samples, of = RNG.normal(size=(7, 2, 3)), np.array([0, 1, 2, 1, 0, 0, 2])
    indices, distances = metrics.nearest_in_class(samples, of, references, labels, k=2)
    for i in range(7):
        squares = np.square(references - samples[i]).sum(axis=(1, 2))
        squares[labels != of[i]] = np.inf
        np.testing.assert_array_equal(indices[i], np.argsort(squares)[:2])
        np.testing.assert_allclose(distances[i], np.sqrt(np.sort(squares)[:2]))


def test_a_copied_class_is_found_where_the_whole_is_not():
    train, labels = RNG.normal(size=(600, 4)), np.arange(600) % 6
    heldout, held = RNG.normal(size=(600, 4)), np.arange(600) % 6
    samples, of = RNG.normal(size=(600, 4)), np.arange(600) % 6
    copied = np.flatnonzero(labels == 4)[:60]
    samples[np.flatnonzero(of == 4)[:60]] = train[copied]
    found = metrics.memorisation_by_class(samples, of, train, labels, heldout, held)
    assert [label for label, one in found.items() if one.memorised] == [4]
    np.testing.assert_array_equal(found[4].nearest[:60], copied)
    whole = metrics.memorisation(samples, train, heldout)
    assert found[4].share > 4 * whole.share


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.class_leakage([0, 1], [0], [0], [0]), "2 in found and 1 in asked"),
        (lambda: metrics.class_leakage([0.5], [0], [0], [0]), "found of shape"),
        (lambda: metrics.class_leakage([-1], [0], [0], [0]), "whole numbers"),
        (lambda: metrics.class_leakage([0], [2], [0], [0]), "class 2 has samples and no real image"),
        (
            lambda: metrics.nearest_in_class(np.ones((1, 2)), [1], np.ones((3, 2)), [0, 0, 1], k=2),
            "class 1 has 1 references",
        ),
        (lambda: metrics.nearest_in_class(np.ones((2, 2)), [1], np.ones((3, 2)), [0, 0, 1]), "1 labels of 2"),
        (
            lambda: metrics.memorisation_by_class(
                np.ones((2, 2)), [0, 0], np.ones((2, 2)), [0, 1], np.ones((2, 2)), [0, 0]
            ),
            "class 0 has fewer than two images in train",
        ),
    ],
)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()
