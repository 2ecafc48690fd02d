"""Metrics behave as their papers say, on 2,000 images of Fashion-MNIST judged by fashion-cnn."""

import numpy as np
import pytest

from ganlib import data
from ganlib.metrics import (
    disturbances,
    fashion_cnn,
    frechet_distance,
    inception_score,
    ms_ssim_of_pairs,
    precision_recall,
    sliced_wasserstein,
)

LEVELS = (0, 1 / 3, 2 / 3, 1)


class Judge:
    """The test images, their features and those of as many training images."""

    def __init__(self):
        self.images, self.labels = data.load("fashion_mnist", split="test", labels=True).to_numpy()
        self.train, self.train_labels = data.load(
            "fashion_mnist", split="train", labels=True, shuffle=False, repeat=False
        ).to_numpy()
        self.extractor = fashion_cnn()
        self._known = {}
        self.real = self.outputs(self.train[:2000])[0]

    def outputs(self, images):
        """Features and probabilities, of the same images once."""
        key = hash(images.tobytes())
        if key not in self._known:
            self._known[key] = self.extractor.outputs(images)
        return self._known[key]

    def fid(self, images):
        return frechet_distance(self.real, self.outputs(images)[0])

    def inception_score(self, images):
        return inception_score(self.outputs(images)[1], splits=1)[0]

    def precision_recall(self, images):
        return precision_recall(self.real, self.outputs(images)[0])


@pytest.fixture(scope="module")
def judge():
    return Judge()


@pytest.fixture(scope="module")
def untouched(judge):
    return judge.fid(judge.images)


@pytest.mark.parametrize(
    "name",
    [
        "gaussian_noise",
        "swirl",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("gaussian_blur", "black_rectangles", "salt_and_pepper")
        ),
    ],
)
def test_fid_rises_with_every_disturbance(judge, untouched, name):
    # Heusel 2017, figure 3
    scores = [judge.fid(getattr(disturbances, name)(judge.images, level)) for level in LEVELS]
    print(f"FID {name}:", np.round(scores, 2))
    np.testing.assert_allclose(scores[0], untouched, rtol=1e-3)
    assert (np.diff(scores) > 0.1).all()


def test_fid_rises_with_foreign_images(judge, untouched):
    # Heusel mixes in ImageNet; here sandals to boots among the other clothes, and polygons
    shoes = np.isin(judge.labels, [5, 7, 9])
    real, _ = judge.outputs(judge.train[~np.isin(judge.train_labels, [5, 7, 9])][:2000])
    polygons = data.load("polygons", resolution=28).to_numpy(2000)
    by_class, by_polygons = [], []
    for share in (0, 0.25, 0.5, 0.75):
        mixed = disturbances.contaminate(judge.images[~shoes], judge.images[shoes], share)
        by_class.append(frechet_distance(real, judge.outputs(mixed)[0]))
        by_polygons.append(judge.fid(disturbances.contaminate(judge.images, polygons, share)))
    print("FID another class:", np.round(by_class, 2), "polygons:", np.round(by_polygons, 2))
    assert by_polygons[0] == pytest.approx(untouched, rel=1e-6)
    assert (np.diff(by_class) > 1).all() and (np.diff(by_polygons) > 1).all()


def test_collapse_within_classes_is_seen_by_fid_and_recall_and_not_by_is(judge, untouched):
    _, probabilities = judge.outputs(judge.images)
    one_of_each = [probabilities[:, label].argmax() for label in range(10)]
    collapsed = judge.images[np.repeat(one_of_each, 200)]
    real_score, score = judge.inception_score(judge.images), judge.inception_score(collapsed)
    fid, (_, recall), (_, real_recall) = (
        judge.fid(collapsed),
        judge.precision_recall(collapsed),
        judge.precision_recall(judge.images),
    )
    print(
        f"one image a class: IS {score:.2f} (real {real_score:.2f}), FID {fid:.2f} ({untouched:.2f}), "
        f"recall {recall:.3f} ({real_recall:.3f})"
    )
    assert score > real_score and score > 9.9  # ten sure and different answers: the most there is
    assert fid > 10 * untouched
    assert real_recall > 0.6 and recall < 0.05


def test_dropped_classes_are_seen_by_is_and_fid(judge):
    scores, fids, recalls = [], [], []
    for kept in (10, 7, 4, 1):
        images = judge.images[judge.labels < kept]
        scores.append(judge.inception_score(images))
        fids.append(judge.fid(images))
        recalls.append(judge.precision_recall(images)[1])
    print(
        "10, 7, 4, 1 classes: IS",
        np.round(scores, 2),
        "FID",
        np.round(fids, 2),
        "recall",
        np.round(recalls, 3),
    )
    assert (np.diff(scores) < -0.3).all() and scores[-1] < 2
    assert (np.diff(fids) > 1).all()
    assert (np.diff(recalls) < 0).all()


def test_ms_ssim_measures_variation_and_swd_closeness():
    # Karras 2018, section 5: "small-scale" effects such as loss of texture leave MS-SSIM where it was
    images = data.load("fashion_mnist", split="test", resolution=32).to_numpy(400)
    other = data.load("fashion_mnist", split="train", resolution=32, shuffle=False, repeat=False).to_numpy(
        400
    )
    sets = {
        "real": other,
        "blurred": disturbances.gaussian_blur(other, 0.25),
        "salt and pepper": disturbances.salt_and_pepper(other, 0.05),
        "upside down": np.ascontiguousarray(other[:, ::-1]),
        "collapsed": np.repeat(other[:4], 100, axis=0),
    }
    variation = {name: ms_ssim_of_pairs(each, 1000) for name, each in sets.items()}
    distance = {
        name: sliced_wasserstein(images, each, patches=32, directions=256) for name, each in sets.items()
    }
    for name in sets:
        print(
            name, f"MS-SSIM {variation[name]:.4f}", "SWD", {k: round(v, 1) for k, v in distance[name].items()}
        )
    # upside down no image looks like the data, and every pair is as alike as before
    assert abs(variation["upside down"] - variation["real"]) < 1e-3
    assert abs(variation["salt and pepper"] - variation["real"]) < 0.1
    assert variation["collapsed"] > variation["real"] + 0.1
    for name, size in (("blurred", 32), ("salt and pepper", 32), ("upside down", 16)):
        assert distance[name][size] > 1.5 * distance["real"][size], name
