"""Scores are those of the pure functions; what they depend on is kept, checked and cached."""

import copy
import dataclasses
import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from ganlib import callbacks, data, metrics, models, runs
from ganlib.cli import main
from ganlib.errors import InputError
from ganlib.files import read_history
from ganlib.metrics import evaluate, evaluator
from ganlib.metrics.extractor_base import NetworkExtractor
from ganlib.randomness import host_generator

FEATURE = ["fid", "kid", "precision", "recall", "density", "coverage"]


class Noisy:
    """Draws digits with noise; keeps what it drew."""

    def __init__(self, noise=0.3):
        self.noise, self.drawn = noise, []
        self.images = data.load("digits", resolution=16, shuffle=False, repeat=False).to_numpy()

    def sample(self, n, *, truncation=None, seed=None):
        random = np.random.default_rng(seed)
        images = self.images[random.integers(len(self.images), size=n)]
        images = images + self.noise * random.standard_normal(images.shape)
        self.drawn.append((seed, images))
        return images


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", resolution=16)


class Pooled(NetworkExtractor):
    """Means of 4x4 pixels: 16 features, which cost next to nothing."""

    name, weights_hash = "pooled", "0" * 12

    def __init__(self):
        def function(images):
            means = tf.nn.avg_pool2d(images, 4, 4, "VALID")
            return tf.reshape(means, [tf.shape(images)[0], -1]), None

        super().__init__(function, None, 1)


@pytest.fixture(scope="module")
def judge():
    return Pooled()


@pytest.fixture(scope="module")
def scored(digits, judge):
    """An evaluation, and the samples it saw."""
    gan = Noisy()
    names = [*FEATURE, "swd", "ms_ssim"]
    found = evaluate(gan, digits, names, 1200, extractor=judge, real_samples=1200, cache=False, seed=3)
    return found, np.clip(np.concatenate([images for _, images in gan.drawn[1:]]), -1, 1).astype(np.float32)


def test_values_are_those_of_the_pure_functions(scored, digits, judge):
    found, images = scored
    examples = evaluator.extractors.scaled(evaluator.real_examples(digits, 1200)[0])
    real, fake = judge.features(examples), judge.features(images)
    expected = {
        "fid": metrics.frechet_distance(real, fake),
        "kid": metrics.kernel_distance(real, fake),
        **metrics.manifold_scores(real, fake)._asdict(),
    }
    rows = host_generator(0, "some images").permutation(1200)[:1000]
    expected["swd"] = metrics.sliced_wasserstein(examples[rows], images[:1000])["mean"]
    expected["ms_ssim"] = metrics.ms_ssim_of_pairs(images[:1000], pairs=1000)
    expected["ms_ssim_real"] = metrics.ms_ssim_of_pairs(examples[rows], pairs=1000)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert found["fid"] > 0.01 and 0 < found["recall"] < 1
    assert found.conditions.real_samples == found.conditions.samples == 1200
    assert found.conditions.weights_hash == judge.weights_hash and found.conditions.extractor == judge.name


def test_prd_is_that_of_the_pure_function(digits, judge):
    """Of few samples: ten clusterings of the paper's take half a minute for 2,400."""
    gan = Noisy()
    found = evaluate(gan, digits, ["prd"], 100, extractor=judge, real_samples=100, cache=False)
    images = np.clip(np.concatenate([images for _, images in gan.drawn[1:]]), -1, 1).astype(np.float32)
    real = judge.features(evaluator.extractors.scaled(evaluator.real_examples(digits, 100)[0]))
    shuffled = real[host_generator(0, "some features").permutation(len(real))]
    curve = metrics.prd_curve(shuffled, judge.features(images))
    expected = {"prd_f8": metrics.f_beta(*curve, 8), "prd_f1_8": metrics.f_beta(*curve, 1 / 8)}
    assert dict(found) == pytest.approx(expected, rel=1e-4)


def test_inception_score_is_that_of_the_classifier(tmp_path, digits):
    judge = metrics.classifier(digits, steps=20, cache=False)
    gan = Noisy()
    found = evaluate(gan, digits, ["inception_score"], 2000, extractor=judge, cache=False)
    images = np.clip(np.concatenate([images for _, images in gan.drawn[1:]]), -1, 1)
    mean, deviation = metrics.inception_score(judge.probabilities(images), 10, ddof=1)
    assert found["inception_score"] == pytest.approx(mean, rel=1e-4)
    assert found["inception_score"].standard_error == pytest.approx(deviation / np.sqrt(10), rel=1e-2)
    assert found.details["accuracy"] == judge.details["accuracy"]


def test_standard_errors_predict_the_spread_over_seeds(digits, judge):
    names = ["fid", "kid", "precision"]
    found = [
        evaluate(Noisy(0.1), digits, names, 1000, extractor=judge, cache=False, seed=seed)
        for seed in range(8)
    ]
    for name in names:
        spread = np.std([float(one[name]) for one in found], ddof=1)
        predicted = np.mean([one[name].standard_error for one in found])
        # kid's and precision's hold the choice of real examples too, which is the same in all draws
        assert 0.5 < predicted / spread < 4, (name, predicted, spread)


def test_too_few_samples_give_no_standard_error(digits, judge):
    found = evaluate(Noisy(), digits, [*FEATURE, "swd"], 999, extractor=judge, cache=False)
    assert {score.standard_error for score in found.values()} == {None}
    # nor do parts that all agree: one black image is never within the real manifold
    black = Noisy()
    black.images, black.noise = np.full_like(black.images, -1), 0
    found = evaluate(black, digits, ["precision"], 1000, extractor=judge, cache=False)
    assert found["precision"] == 0 and found["precision"].standard_error is None
    assert "±" not in found.text()


def test_same_seed_same_result_whatever_the_batch_size_and_metrics(scored, digits, judge):
    found, _ = scored
    again = evaluate(
        Noisy(),
        digits,
        ["recall", "fid"],
        1200,
        extractor=judge,
        real_samples=1200,
        cache=False,
        seed=3,
        batch_size=77,
    )
    assert list(again) == ["recall", "fid"]
    for name in again:
        assert again[name] == pytest.approx(float(found[name]), rel=1e-4)
        assert again[name].standard_error == pytest.approx(found[name].standard_error, rel=1e-2)
    other = evaluate(Noisy(), digits, ["fid"], 1200, extractor=judge, real_samples=1200, cache=False, seed=4)
    assert other["fid"] != found["fid"]
    assert other["fid"] < found["fid"] or other["fid"] > found["fid"]  # another draw measures the same
    first, second = Noisy(), Noisy()
    for gan, size in ((first, 1200), (second, 700)):
        evaluate(gan, digits, ["ms_ssim"], size, cache=False, seed=3)
    seeds = [seed for seed, _ in first.drawn]
    assert len(set(seeds[1:])) == 3 and [seed for seed, _ in second.drawn] == seeds[:3]


# -------------------------------------------------------------------------------------------------- results


CONDITIONS = evaluator.Conditions("digits", "train", (8, 8, 1), "f00", 100, 200, "judge", "abc", "none", None)


def result(**changes):
    conditions = dataclasses.replace(CONDITIONS, **changes)
    return evaluator.Evaluation(
        {"fid": 2.0, "recall": 0.5}, {"fid": 0.3}, conditions, 7, {"accuracy": 0.9}, 1.5
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("data", "mnist"),
        ("split", "test"),
        ("shape", (16, 16, 1)),
        ("fingerprint", "f01"),
        ("real_samples", 99),
        ("samples", 199),
        ("extractor", "other"),
        ("weights_hash", "abd"),
        ("resizer", "crop"),
        ("truncation", 0.5),
    ],
)
def test_what_was_measured_differently_does_not_compare(field, value):
    here, there = result(), result(**{field: value})
    for compare in (
        lambda: here.compare(there),
        lambda: here["fid"] < there["fid"],
        lambda: here["fid"] <= there["fid"],
        lambda: here["fid"] > there["fid"],
        lambda: here["fid"] >= there["fid"],
        lambda: min(here["fid"], there["fid"]),
    ):
        with pytest.raises(InputError, match=f"{field} is ") as caught:
            compare()
        assert repr(value) in str(caught.value)


def test_every_condition_is_among_those_that_must_agree():
    tested = test_what_was_measured_differently_does_not_compare.pytestmark[0].args[1]
    assert [row[0] for row in tested] == [field.name for field in dataclasses.fields(evaluator.Conditions)]


def test_what_was_measured_alike_compares():
    here = result()
    there = evaluator.Evaluation({"fid": 3.0, "recall": 0.4}, {"fid": 0.4}, CONDITIONS, 8)
    assert here["fid"] < there["fid"] and here["recall"] >= there["recall"] and here["fid"] < 2.5
    table = here.compare(there)
    assert table["fid"] == {"here": 2.0, "there": 3.0, "difference": 1.0, "errors": pytest.approx(2.0)}
    assert table["recall"]["errors"] is None
    with pytest.raises(InputError, match="different metrics"):
        _ = here["fid"] < there["recall"]
    with pytest.raises(InputError, match="no metric in common"):
        here.compare(evaluator.Evaluation({"swd": 1.0}, {}, CONDITIONS, 0))
    with pytest.raises(KeyError, match="only fid, recall"):
        here["kid"]


def test_json_and_pickle_round_trips(scored, tmp_path):
    for original in (result(), result(truncation=0.5), scored[0]):
        path = original.save(tmp_path / "a.json")
        again = metrics.Evaluation.load(path)
        assert again.to_dict() == original.to_dict() and again.conditions == original.conditions
        assert again.compare(original).keys() == original.keys()
        assert again.text() == original.text()
        score = pickle.loads(pickle.dumps(copy.deepcopy(original["fid"])))
        assert score == original["fid"] and score.conditions == original.conditions
    broken = json.loads(path.read_text())
    del broken["conditions"]["resizer"]
    path.write_text(json.dumps(broken))
    with pytest.raises(InputError, match="no evaluation"):
        metrics.Evaluation.load(path)


def test_text_says_what_the_numbers_depend_on():
    text = result(truncation=0.5).text()
    for part in (
        "2.0000 ± 0.3",
        "fid over other samples, the real examples as they are",
        "200 samples (seed 7, truncation 0.5)",
        "100 real examples of digits train",
    ):
        assert part in text
    assert "8x8x1, f00" in text and "judge (weights abc, resizer: none, accuracy 0.9)" in text


# ---------------------------------------------------------------------------------------------------- cache


class Counting(evaluator.Extractor):
    """Two means a picture; counts the pictures."""

    name, weights_hash, seen = "counting", "1", 0

    def outputs(self, images, batch_size=None):
        self.seen += len(images)
        return np.stack([images.mean((1, 2, 3)), images[:, :8].mean((1, 2, 3))], 1), None


def test_real_features_are_cached_by_all_that_they_depend_on(digits, tmp_path):
    extractor = Counting()

    def seen(extractor=extractor, data=digits, real=300):
        before = extractor.seen
        found = evaluate(Noisy(), data, ["fid"], 10, extractor=extractor, real_samples=real, cache=tmp_path)
        return found["fid"], extractor.seen - before - 10

    cold, computed = seen()
    assert computed == 300
    (file,) = tmp_path.iterdir()  # whole or absent: no temporary file is left
    assert seen() == (cold, 0)
    assert seen(real=200)[1] == 200
    assert seen(data=data.load("digits", resolution=16, split="test"), real=150)[1] == 150
    for attribute in ("name", "weights_hash", "resizer"):
        other = Counting()
        setattr(other, attribute, "other")
        assert seen(other)[1] == 300
    assert len(list(tmp_path.iterdir())) == 6
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in (content[: len(content) // 2], b"", bytes(flipped)):
        file.write_bytes(damaged)
        assert seen() == (cold, 300)
        assert file.read_bytes() == content


def test_points_are_their_own_features():
    ring = data.load("gaussians_ring", modes=4)

    class Ring:
        def sample(self, n, *, truncation=None, seed=None):
            return ring.to_numpy(n)

    found = evaluate(Ring(), ring, ["fid", "precision"], 500, cache=False)
    assert found["fid"] == pytest.approx(0, abs=1e-6) and found["precision"] == 1
    assert found.conditions.extractor == "identity" and found.conditions.real_samples == 500
    with pytest.raises(InputError, match="swd judge images"):
        evaluate(Ring(), ring, ["swd"], 500)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["fdi"]}, "did you mean 'fid'"),
        ({"metrics": "fid"}, "give a list"),
        ({"samples": 1}, "samples=1 is out of range"),
        ({"real_samples": 5000}, "real_samples=5000: 'digits'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"metrics": ["inception_score"], "extractor": "random-convolutions"}, "class probabilities"),
        ({"data": np.zeros((4, 16, 16, 1))}, "ndarray"),
        ({"data": data.load("digits", resolution=8)}, r"\(8, 8, 1\)"),
        ({"data": data.load("digits", resolution=8), "metrics": ["ms_ssim"]}, "resolution=32"),
    ],
)
def test_wrong_input(arguments, message, digits):
    with pytest.raises(InputError, match=message):
        evaluate(**({"gan": Noisy(), "data": digits, "metrics": ["fid"], "samples": 10} | arguments))


def test_samples_that_are_not_finite(digits):
    with pytest.raises(InputError, match="not all finite"):
        evaluate(Noisy(np.nan), digits, ["fid"], 10)


# ------------------------------------------------------------------------------------------------- callback


def small_gan():
    gan = models.DCGAN.from_preset("smoke")
    gan.compile()
    return gan


def train(gan, digits, *found, epochs):
    return gan.fit(digits.batch(8), steps_per_epoch=2, epochs=epochs, verbose=0, callbacks=list(found))


def test_callback_keeps_a_table_and_the_best_weights_and_resumes(judge, tmp_path):
    digits = data.load("digits")
    options = {
        "samples": 100,
        "folder": tmp_path,
        "extractor": judge,
        "cache": False,
        "metrics": ["fid", "recall"],
    }
    gan = small_gan()
    first = callbacks.Evaluate(digits, every=2, **options)
    train(gan, digits, first, epochs=3)
    assert list(first.evaluations) == [2, 4, 6]
    table = read_history(tmp_path / "evaluations.csv")
    assert list(table) == ["step", "fid", "fid_standard_error", "recall", "recall_standard_error"]
    assert table["step"] == [2, 4, 6]
    assert table["fid"] == pytest.approx([float(one["fid"]) for one in first.evaluations.values()], rel=1e-6)

    def best():
        stored = json.loads((tmp_path / "best.json").read_text())
        other = small_gan()
        other.load_weights(tmp_path / "best.weights.h5")
        again = evaluate(other, digits, ["fid"], 100, extractor=judge, cache=False)
        assert again["fid"] == pytest.approx(stored["scores"]["fid"]["value"], rel=1e-4)
        return stored["step"], stored["scores"]["fid"]["value"]

    values = {step: float(one["fid"]) for step, one in first.evaluations.items()}
    assert best() == min(values.items(), key=lambda item: item[1])

    # goes on where it was
    second = callbacks.Evaluate(digits, every=2, **options)
    train(gan, digits, second, epochs=1)
    assert list(second.evaluations) == [8]
    values[8] = float(second.evaluations[8]["fid"])
    stored = json.loads((tmp_path / "evaluations.json").read_text())
    assert [record["step"] for record in stored] == [2, 4, 6, 8]
    assert stored[3]["conditions"]["extractor"] == judge.name
    assert best() == min(values.items(), key=lambda item: item[1])

    # a run that starts at an earlier step drops what is beyond it
    third = callbacks.Evaluate(digits, every=2, **options)
    train(small_gan(), digits, third, epochs=1)
    assert len((tmp_path / "evaluations.csv").read_text().splitlines()) == 2
    assert best()[0] == 2


def test_early_stopping_after_it_reads_the_score(judge):
    digits = data.load("digits")
    score = callbacks.Evaluate(digits, every=None, samples=50, extractor=judge, cache=False)
    stop = keras.callbacks.EarlyStopping("fid", mode="min", min_delta=1000, patience=1)  # as if it stalled
    history = train(small_gan(), digits, score, stop, epochs=6)
    assert len(history.history["fid"]) == len(score.evaluations) < 6
    assert history.history["fid"] == [float(one["fid"]) for one in score.evaluations.values()]


def test_callback_refuses_what_it_cannot_rank(digits):
    for arguments, message in (
        ({"metrics": ["kid"]}, "best='fid'"),
        ({"metrics": ["ms_ssim"], "best": "ms_ssim"}, "better direction"),
        ({"metrics": ["fdi"]}, "did you mean 'fid'"),
    ):
        with pytest.raises(InputError, match=message):
            callbacks.Evaluate(digits, **arguments)


# -------------------------------------------------------------------------------------------------- command


def test_command_scores_a_run_and_writes_it_down(tmp_path):
    run = tmp_path / "run"
    options = ["--preset", "smoke", "--data", "digits", "--kimg", "0.016", "--no-score", "--out", str(run)]
    assert CliRunner().invoke(main, ["train", "dcgan", *options]).exit_code == 0
    options = ["--metrics", "fid, prd", "--samples", "50", "--extractor", "random-convolutions"]
    shown = CliRunner().invoke(main, ["evaluate", str(run), *options, "--cache", str(tmp_path / "cache")])
    assert shown.exit_code == 0, shown.output
    stored = metrics.Evaluation.load(run / "evaluation.json")
    assert stored.text() in shown.output and f"written to {run / 'evaluation.json'}" in shown.output
    again = evaluate(
        runs.load(run), data.load("digits"), ["fid", "prd"], 50, extractor="random-convolutions", cache=False
    )
    assert stored.conditions == again.conditions and list(stored) == ["fid", "prd_f8", "prd_f1_8"]
    assert stored["fid"] == pytest.approx(float(again["fid"]), rel=1e-4)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    options += ["--out", str(tmp_path / "other.json"), "--seed", "1", "--split", "test"]
    shown = CliRunner().invoke(main, ["evaluate", str(run), *options, "--cache", str(tmp_path / "cache")])
    assert shown.exit_code == 0, shown.output
    assert metrics.Evaluation.load(tmp_path / "other.json").conditions.split == "test"
