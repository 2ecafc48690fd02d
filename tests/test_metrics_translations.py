"""Scores of translations: closed forms of the metrics of an image each, and which sources are translated."""

import numpy as np
import pytest

import ganlib
from ganlib.errors import InputError
from ganlib.metrics import evaluate, evaluate_translations, ssim


class Fixed:
    """A translator by a function, that keeps what it was given."""

    def __init__(self, function):
        self.function, self.given = function, []

    def translate(self, images, *, seed):
        self.given.append((images, seed))
        return self.function(images)


@pytest.fixture(scope="module")
def pairs():
    return ganlib.data.paired("edges_to_fashion", "test", 32)


@pytest.fixture(scope="module")
def domains():
    return ganlib.data.unpaired("warm_to_cool", "test", 16, size=60)


QUICK = {"extractor": "random-convolutions", "progress": False}


def test_the_right_answers_score_best(pairs):
    _, targets = pairs.to_numpy(30)
    found = evaluate_translations(Fixed(lambda images: targets), pairs, samples=30, **QUICK)
    assert list(found) == ["fid", "l1", "ssim"]
    assert found["l1"] == 0 and found["ssim"] == pytest.approx(1)
    assert found["fid"] == pytest.approx(0, abs=1e-3)
    assert found["l1"].resampled == "sources"


def test_values_and_errors_are_those_of_the_images(pairs):
    sources, targets = pairs.to_numpy(50)
    translator = Fixed(lambda images: 1.5 * images)
    found = evaluate_translations(translator, pairs, ["ssim", "l1"], 50, seed=3, **QUICK)
    (given, seed) = translator.given[0]
    assert len(translator.given) == 1 and seed == 3
    np.testing.assert_array_equal(given, sources)
    cut = np.clip(1.5 * sources, -1, 1)
    each = np.abs(cut - targets).mean(axis=(1, 2, 3))
    assert list(found) == ["ssim", "l1"]
    assert found["l1"] == pytest.approx(each.mean())
    assert found["l1"].standard_error == pytest.approx(each.std(ddof=1) / 50**0.5)
    assert found["ssim"] == pytest.approx(ssim(cut, targets))
    assert (found.conditions.samples, found.conditions.split, found.seed) == (50, "test", 3)


def test_sets_are_compared_as_evaluate_does(pairs):
    sources, targets = pairs.to_numpy(700)  # more than one draw

    class Sources:
        def sample(self, n, *, truncation, seed):
            rows = slice(0, n) if n != 200 else slice(500, 700)  # the last draw has the rest
            return sources[rows]

    data = ganlib.data.from_arrays(np.rint((targets + 1) * 127.5).astype(np.uint8), split="test")
    one = evaluate(Sources(), data, ["fid", "precision"], 700, **QUICK)
    other = evaluate_translations(Fixed(lambda images: images), pairs, ["fid", "precision"], 700, **QUICK)
    assert dict(one) == dict(other)


def test_cycles(domains):
    there, back = Fixed(lambda images: -images), (lambda images: 0.5 - images)
    found = evaluate_translations(there, domains, back=back, **QUICK)
    sources, _ = domains.to_numpy()
    assert list(found) == ["fid", "cycle_error"] and found.conditions.samples == len(sources) == 60
    assert found["cycle_error"] == pytest.approx(0.5, abs=1e-6)
    assert found["cycle_error"].standard_error == pytest.approx(0, abs=1e-6)


def test_clothes_are_judged_by_the_network_for_clothes_and_all_else_by_random_convolutions(pairs, domains):
    same = Fixed(lambda images: images)
    extractors = [
        evaluate_translations(same, data, ["fid"], 20, progress=False).conditions.extractor
        for data in (pairs, domains)
    ]
    assert extractors == ["fashion-cnn", "random-convolutions(channels=3, seed=0)"]


def test_refused(pairs, domains):
    same = Fixed(lambda images: images)
    with pytest.raises(InputError, match="l1 cannot be measured: these domains have no right answers"):
        evaluate_translations(same, domains, ["l1"], **QUICK)
    with pytest.raises(InputError, match="cycle_error cannot be measured: there is no way back"):
        evaluate_translations(same, pairs, ["fid", "cycle_error"], **QUICK)
    with pytest.raises(InputError, match="no metric 'fied': did you mean 'fid'"):
        evaluate_translations(same, pairs, ["fied"], 10, **QUICK)
    assert same.given == [], "what cannot be measured is refused before anything is translated"
    with pytest.raises(InputError, match="samples have the shape"):
        evaluate_translations(Fixed(lambda images: images[:, :8, :8]), pairs, ["fid"], 10, **QUICK)
