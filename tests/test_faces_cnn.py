"""faces-cnn: what ships is small, reads the factors as its card says, and judges faces by their features."""

import re
from importlib import resources

import numpy as np
import pytest

from ganlib import data, metrics
from ganlib.data.faces import FACTORS, POSE
from ganlib.errors import InputError
from ganlib.metrics import extractors
from ganlib.metrics.faces_cnn import FEATURES
from ganlib.runs.measure import scores_of
from ganlib.zoo import train_faces_cnn

FOLDER = resources.files("ganlib.zoo")


@pytest.fixture(scope="module")
def extractor():
    return metrics.faces_cnn()


@pytest.fixture(scope="module")
def faces():
    return data.load("faces", "test", shuffle=False, repeat=False)


def test_the_weights_are_small():
    assert (FOLDER / "faces_cnn.weights.h5").stat().st_size < 1_000_000


def test_the_card_says_what_is_measured_again(extractor):
    """On the first 2,000 of the card's 10,000 faces, so within chance."""
    card = (FOLDER / "faces_cnn.md").read_text(encoding="utf-8")
    scores, mistakes = train_faces_cnn.measure(64, 2000)
    for name in FACTORS:
        said = float(re.search(rf"\| {name} \| ([\d.]+)% ", card)[1]) / 100
        spread = np.sqrt(max(said * (1 - said), 0.001) / 2000)
        assert abs(scores[name] - said) < 4 * spread, name
        assert sum(mistakes[name].values()) == round((1 - scores[name]) * 2000)
        # what is read badly is named with what it is taken for
        assert said >= train_faces_cnn.GOOD or f"- {name}: " in card
    for name, (low, high) in POSE.items():
        said = float(re.search(rf"\| {name} \| ([\d.]+) ", card)[1])
        np.testing.assert_allclose(scores[name], said, rtol=0.15)
        assert said < 0.12 * (high - low)
    assert "python -m ganlib.zoo.train_faces_cnn" in card


def test_factors_are_read_as_details_has_them(extractor, faces):
    images, table = faces.to_numpy(100), faces.details(100)
    read = metrics.read_factors(images)
    assert [*read] == [*table] == [*FACTORS, *POSE]
    for name in table:
        assert read[name].dtype == table[name].dtype and read[name].shape == (100,)
    for name in ("hair", "skin", "hair_colour", "clothes_colour", "background"):
        assert (read[name] == table[name]).mean() > 0.95
    for name, (low, high) in POSE.items():
        assert (read[name] >= low - 1e-6).all() and (read[name] <= high + 1e-6).all()
        assert np.corrcoef(read[name], table[name])[0, 1] > 0.75
    # one by one they are the same, but for rounding
    alone = extractor.factors(images[:1])
    assert all(np.isclose(alone[name][0], read[name][0], atol=1e-4) for name in read)


def test_features_and_no_probabilities(extractor, faces):
    images = faces.to_numpy(8)
    features, probabilities = extractor.outputs(images)
    assert features.shape == (8, FEATURES) and probabilities is None and features.min() >= 0
    np.testing.assert_array_equal(extractor.features(images), features)
    with pytest.raises(InputError, match="faces-cnn has no classes"):
        extractor.probabilities(images)
    assert extractor.features(images[:, ::2, ::2, :1]).shape == (8, FEATURES)
    with pytest.raises(InputError, match="faces-cnn takes finite values"):
        extractor.factors(3 * images)


def test_distances_see_a_missing_value(extractor, faces):
    """Other faces are near, faces without two of the hairs further, noise far."""
    real = extractor.features(faces.to_numpy(600))

    def distance(images):
        return metrics.frechet_distance(real, extractor.features(images))

    same = distance(data.load("faces").to_numpy(600))
    fewer = distance(data.load("faces", factors={"hair": ["bun", "spiky"]}).to_numpy(600))
    noise = np.random.default_rng(0).uniform(-1, 1, (600, 64, 64, 3)).astype(np.float32)
    assert same < fewer / 2 < distance(noise) / 10


@pytest.mark.long
def test_a_run_on_faces_is_scored():
    real = data.load("faces", "test", shuffle=False, repeat=False, size=5000).to_numpy()
    score = metrics.fid_faces_cnn(lambda n, seed: real[:n], samples=2000)
    assert score["metric"] == "FID(faces-cnn)" and score["reference"] == "faces test, 5000 images"
    fake = metrics.frechet_distance(*(metrics.faces_cnn().features(images) for images in (real, real[:2000])))
    assert score["value"] == pytest.approx(fake, rel=1e-3)
    score, reason = scores_of(_Painter(), data.load("faces"), {"score": True})
    assert reason is None and score[0]["samples"] == 5000 and score[0]["value"] > 10


class _Painter:
    """Grey images."""

    sampled = True

    def sample(self, n, seed):
        return np.zeros((n, 64, 64, 3), np.float32)


def test_it_is_chosen_for_faces():
    for dataset in (data.load("faces"), data.paired("day_to_night"), data.load("faces", labels="eyes")):
        assert extractors.for_data(dataset).name == "faces-cnn"
    assert extractors.get("faces_cnn", None).weights_hash == metrics.FacesCNN().weights_hash
    assert not extractors.for_data(data.paired("day_to_night", resolution=16)).name.startswith("faces-cnn")


def test_a_training_step_lowers_the_loss(monkeypatch, capsys):
    from ganlib.metrics.faces_cnn import network

    monkeypatch.setattr(train_faces_cnn, "BATCH", 16)
    model = network()
    before = [v.numpy() for v in model.trainable_variables]
    train_faces_cnn.train(model, steps=4)
    assert all((v.numpy() != old).any() for v, old in zip(model.trainable_variables, before, strict=True))
    assert "step 0: loss" in capsys.readouterr().out
