"""Resizing against closed forms, Pillow and TensorFlow; extractors on networks small enough to make here."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ganlib import data, metrics
from ganlib.errors import InputError
from ganlib.metrics import disturbances, extractors, frechet_distance
from ganlib.metrics.resizer import Bilinear, weights


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", labels=True)


@pytest.fixture(scope="module")
def clothes():
    return data.load("fashion_mnist", split="test", shuffle=False, repeat=False).to_numpy(600)


# --------------------------------------------------------------------------------------------------- resizer


def test_weights_in_closed_form():
    # halving: without antialiasing the centre lies between two pixels; with it the triangle spans four
    np.testing.assert_allclose(weights(4, 2, False), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    inner = weights(8, 4, True)[1]
    np.testing.assert_allclose(inner, np.array([0, 1, 3, 3, 1, 0, 0, 0]) / 8)
    # the border: what is cut off is given to the rest
    np.testing.assert_allclose(weights(8, 4, True)[0], np.array([3, 3, 1, 0, 0, 0, 0, 0]) / 7)
    np.testing.assert_allclose(weights(2, 4, False), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


@pytest.mark.parametrize(("height", "width", "size"), [(28, 28, 75), (64, 48, 29), (7, 90, 32)])
def test_antialiased_is_pillow(height, width, size):
    images = np.random.default_rng(0).uniform(-1, 1, (2, height, width, 3)).astype(np.float32)
    found = Bilinear(size, antialias=True)(images)
    for image, resized in zip(images, found, strict=True):
        for channel in range(3):
            pillow = Image.fromarray(image[..., channel]).resize((size, size), Image.Resampling.BILINEAR)
            np.testing.assert_allclose(resized[..., channel], np.asarray(pillow), atol=2e-6)


@pytest.mark.parametrize(("height", "width", "size"), [(28, 28, 75), (64, 48, 29), (7, 90, 32)])
def test_not_antialiased_is_tensorflow(height, width, size):
    images = np.random.default_rng(1).uniform(-1, 1, (2, height, width, 3)).astype(np.float32)
    expected = tf.image.resize(images, (size, size), "bilinear").numpy()
    np.testing.assert_allclose(Bilinear(size, antialias=False)(images), expected, atol=2e-5)


def test_that_size_passes_unchanged_and_no_batch_is_refused():
    images = np.random.default_rng(2).uniform(-1, 1, (2, 9, 9, 1)).astype(np.float32)
    assert Bilinear(9, antialias=True)(images) is images
    with pytest.raises(InputError, match=r"\(9, 9, 1\)"):
        Bilinear(9, antialias=True)(images[0])


# ------------------------------------------------------------------------------------------------- Inception


def test_reals_are_scaled_from_black_to_white():
    levels = np.arange(256, dtype=np.uint8)
    found = extractors.scaled(levels)
    assert found.dtype == np.float32 and found[0] == -1.0 and found[255] == 1.0
    np.testing.assert_allclose(found, levels / 127.5 - 1.0, atol=1e-6)
    points = np.float32([[-3.0, 3.0]])
    assert extractors.scaled(points) is points


class TinyInception(tf.Module):
    """TF-GAN's signature, with six colours' means for features."""

    def __init__(self, names=("logits", "pool_3")):
        self.kernel = tf.Variable(np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32))
        self.names = names

    @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3), tf.float32)])
    def __call__(self, images):
        pool = tf.concat([tf.reduce_mean(images, (1, 2)), tf.reduce_mean(images**2, (1, 2))], 1)
        return dict(zip(self.names, (pool @ self.kernel, pool[:, None, None]), strict=True))


def test_a_saved_model_with_tfgans_signature(tmp_path):
    module = TinyInception()
    tf.saved_model.save(module, str(tmp_path / "module"))
    inception = metrics.inception_tfhub(tmp_path / "module")
    images = np.random.default_rng(0).uniform(-1, 1, (5, 32, 32, 1)).astype(np.float32)
    features, probabilities = inception.outputs(images, batch_size=2)
    expected = module(tf.repeat(tf.image.resize(images, (299, 299)), 3, axis=-1))
    np.testing.assert_allclose(features, expected["pool_3"][:, 0, 0], atol=1e-5)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(expected["logits"]), atol=1e-5)
    assert inception.num_classes == 5 and features.dtype == np.float32
    assert inception.resizer == "bilinear to 299x299, not antialiased"
    assert metrics.inception_tfhub(tmp_path / "module").weights_hash == inception.weights_hash
    module.kernel.assign_add(tf.ones((6, 5)))
    tf.saved_model.save(module, str(tmp_path / "other"))
    assert metrics.inception_tfhub(tmp_path / "other").weights_hash != inception.weights_hash


def test_saved_models_that_do_not_fit(tmp_path):
    tf.saved_model.save(TinyInception(("logits", "pool")), str(tmp_path / "other"))
    with pytest.raises(InputError, match="'logits' and 'pool_3'"):
        metrics.inception_tfhub(tmp_path / "other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not a readable SavedModel"):
        metrics.inception_tfhub(tmp_path / "empty")


def test_inception_of_keras_from_a_weights_file(tmp_path, monkeypatch):
    def small(weights, classifier_activation):  # stands in for 24 M parameters; the rest is the same code
        assert weights is None and classifier_activation is None
        image = keras.Input((299, 299, 3))
        x = keras.layers.Conv2D(4, 7, 7)(image)
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        return keras.Model(image, keras.layers.Dense(1000)(x))

    monkeypatch.setattr(keras.applications, "InceptionV3", small)
    network = small(None, None)
    network.save_weights(tmp_path / "a.weights.h5")
    inception = metrics.inception_keras(tmp_path / "a.weights.h5")
    images = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    resized = Bilinear(299, antialias=True)(images)
    features, probabilities = inception.outputs(images)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(network(resized)), atol=1e-5)
    assert features.shape == (3, 4)
    assert inception.weights_hash == extractors.hash_of_weights(network.get_weights())
    with pytest.raises(InputError, match=r"missing\.h5 does not exist"):
        metrics.inception_keras(tmp_path / "missing.h5")
    (tmp_path / "cut.weights.h5").write_bytes((tmp_path / "a.weights.h5").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"cut\.weights\.h5"):
        metrics.inception_keras(tmp_path / "cut.weights.h5")


# -------------------------------------------------------------------------------------- random convolutions


def test_random_convolutions_rank_blur_noise_and_missing_modes(clothes):
    judge = metrics.random_convolutions(1)
    reference, images = judge.features(clothes[:300]), clothes[300:]

    def distances(disturbed):
        return [frechet_distance(reference, judge.features(x)) for x in disturbed]

    blurred = distances([images] + [disturbances.gaussian_blur(images, s) for s in (0.2, 0.5, 1.0)])
    noisy = distances([images] + [disturbances.gaussian_noise(images, s) for s in (0.1, 0.25, 0.5)])
    labels = data.load("fashion_mnist", split="test", labels=True, shuffle=False, repeat=False)
    labels = labels.to_numpy(600)[1][300:]
    # only so many classes are left, each as many images
    fewer = distances([np.resize(images[labels < n], images.shape) for n in (10, 5, 1)])
    for ranked in (blurred, noisy, fewer):
        assert ranked == sorted(ranked) and ranked[-1] > 2 * ranked[0]


def test_random_convolutions_are_named_by_seed_and_do_not_change(clothes):
    judge, again, other = (metrics.random_convolutions(1, seed) for seed in (0, 0, 1))
    features = judge.features(clothes[:20])
    assert features.shape == (20, 2 * (16 + 32 + 64 + 64))
    np.testing.assert_array_equal(features, again.features(clothes[:20]))
    assert judge.weights_hash == again.weights_hash != other.weights_hash and judge.name != other.name
    np.testing.assert_allclose(features[3:10], judge.features(clothes[3:10]), atol=1e-5)
    with pytest.raises(InputError, match="has no classes"):
        judge.probabilities(clothes[:2])
    with pytest.raises(InputError, match=r"\[-1, 1\]"):
        judge.features(clothes[:2] * 255)


# ------------------------------------------------------------------------------------------------ classifier


def test_a_classifier_is_trained_kept_and_made_again_if_its_file_is_damaged(digits, tmp_path):
    first = metrics.classifier(digits, steps=120, cache=tmp_path)
    assert first.details["accuracy"] > 0.9 and first.details["held_out"] > 100 and first.num_classes == 10
    images, labels = digits.to_numpy(400)
    assert (first.probabilities(images).argmax(1) == labels).mean() > 0.9
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (weights,) = files
    again = metrics.classifier(digits, steps=120, cache=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files  # read, not trained
    np.testing.assert_array_equal(again.features(images), first.features(images))
    assert again.weights_hash == first.weights_hash and again.details == first.details
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    metrics.classifier(digits, steps=20, cache=tmp_path / "other")  # other steps, another key
    third = metrics.classifier(digits, steps=120, cache=tmp_path)
    assert len(weights.read_bytes()) == len(whole) and third.details["accuracy"] > 0.9


def test_no_classifier_without_labels():
    unlabelled = data.from_arrays(np.zeros((50, 8, 8, 1), np.uint8))
    with pytest.raises(InputError, match="random-convolutions"):
        metrics.classifier(unlabelled, cache=False)


# -------------------------------------------------------------------------------------------------- choosing


def test_by_name_and_by_data(digits):
    clothes, points = data.load("fashion_mnist"), data.load("gaussians_ring")
    assert extractors.for_data(clothes).name == "fashion-cnn"
    assert extractors.for_data(points).name == "identity"
    assert extractors.for_data(data.from_arrays(np.zeros((9, 8, 8, 3), np.uint8))).name.startswith("random")
    assert extractors.get("random_convolutions", digits).name == "random-convolutions(channels=1, seed=0)"
    for name, message in (("fashoin-cnn", "did you mean fashion-cnn"), ("classifier:a", "no extractor")):
        with pytest.raises(InputError, match=message):
            extractors.get(name, digits)
    x = points.to_numpy(10)
    np.testing.assert_array_equal(extractors.Identity().features(x), x)
    with pytest.raises(InputError, match="not all finite"):
        extractors.Identity().features(x * np.nan)
