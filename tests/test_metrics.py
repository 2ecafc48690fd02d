"""The Fréchet distance against scipy's matrix root and closed forms; the shipped judge."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from ganlib import data
from ganlib.errors import InputError
from ganlib.metrics import fashion_cnn, fid_fashion_cnn, frechet_distance, frechet_distance_from_statistics


def test_reference_arrays():
    # features and value: scipy's sqrtm, numpy's covariance (n - 1), made with torch-fidelity's formula beside it
    with np.load(Path(__file__).parent / "data" / "frechet.npz") as file:
        np.testing.assert_allclose(frechet_distance(file["real"], file["fake"]), file["fid"], rtol=1e-9)


def test_closed_form_of_commuting_covariances():
    a, b = np.diag([1.0, 4.0, 9.0]), np.diag([4.0, 4.0, 0.0])
    value = frechet_distance_from_statistics(np.zeros(3), a, np.array([1.0, 2.0, 2.0]), b)
    np.testing.assert_allclose(value, 9 + (1 - 2) ** 2 + 0 + 9, rtol=1e-12)


def test_equals_sqrtm_where_covariances_do_not_commute():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(300, 20)) @ random.normal(size=(20, 20)), random.normal(size=(200, 20)) + 0.5
    root = scipy.linalg.sqrtm(np.cov(x.T) @ np.cov(y.T)).real
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root)
    np.testing.assert_allclose(frechet_distance(x, y), expected, rtol=1e-10)
    np.testing.assert_allclose(frechet_distance(y, x), expected, rtol=1e-10)


def test_singular_covariances_and_one_dimension():
    random = np.random.default_rng(1)
    few = random.normal(size=(5, 50))
    assert abs(frechet_distance(few, few)) < 1e-5 * np.trace(np.cov(few.T))
    one = random.normal(size=(100, 1))
    np.testing.assert_allclose(
        frechet_distance(one, 2 * one + 3), (one.mean() + 3) ** 2 + one.std(ddof=1) ** 2
    )


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "at least 2 rows"),
        (np.zeros(3), np.zeros((5, 3)), r"\(3,\)"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "not all finite"),
        (np.zeros((5, 4)), np.zeros((5, 3)), "4 and 3 dimensions"),
    ],
)
def test_bad_features(real, fake, message):
    with pytest.raises(InputError, match=message):
        frechet_distance(real, fake)


def test_fashion_cnn_classifies_the_test_images():
    images, labels = data.load("fashion_mnist", split="test", labels=True).to_numpy()
    judge = fashion_cnn()
    probabilities = judge.probabilities(images)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (probabilities.argmax(1) == labels).mean() > 0.91
    assert judge.features(images[:7]).shape == (7, 128)
    # 28 -> 32 is padding, and the judge crops it away again
    padded = data.load("fashion_mnist", split="test", resolution=32).to_numpy(50)
    np.testing.assert_allclose(judge.features(padded), judge.features(images[:50]), atol=1e-5)


def test_score_says_what_it_depends_on_and_orders_samples():
    images = data.load("fashion_mnist", split="train", shuffle=False, repeat=False).to_numpy()
    same = fid_fashion_cnn(lambda n, seed: images[:n], samples=2000)
    noisy = fid_fashion_cnn(
        lambda n, seed: np.clip(
            images[:n] + np.random.default_rng(seed).normal(0, 0.2, images[:n].shape), -1, 1
        ),
        samples=2000,
    )
    assert 0 <= same["value"] < 0.2 < noisy["value"]
    assert {"metric", "extractor", "weights_hash", "reference", "samples", "resizer", "seed"} <= set(same)
    assert same["reference"] == "fashion_mnist train, 10000 images"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 20, 20, 1)), "size 28 or more"),
        (np.zeros((2, 28, 28, 3)), r"\(n, size, size, 1\)"),
        (np.full((2, 28, 28, 1), 255.0), r"\[-1, 1\]"),
        (np.full((2, 28, 28, 1), np.nan), "finite"),
        (np.zeros((0, 28, 28, 1)), r"\(0, 28, 28, 1\)"),
    ],
)
def test_bad_images(images, message):
    with pytest.raises(InputError, match=message):
        fashion_cnn().features(images)
