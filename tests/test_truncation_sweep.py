"""Scores over thresholds, and both operating points."""

import numpy as np
import pytest

from ganlib import data, metrics, plots
from ganlib.errors import InputError
from ganlib.metrics.extractors import Extractor

DATA = data.from_arrays(np.random.default_rng(0).integers(0, 256, (600, 4, 4, 1), np.uint8))


class Wide:
    """Samples whose spread is the threshold's: `spread(threshold)` of that of uniform noise."""

    def __init__(self, spread=lambda threshold: threshold):
        self.spread, self.asked = spread, []

    def sample(self, n, *, truncation, seed):
        self.asked.append((truncation, seed))
        rng = np.random.default_rng(seed)
        return (self.spread(truncation) * rng.uniform(-1, 1, (n, 4, 4, 1))).astype(np.float32)


class Halves(Extractor):
    """Probabilities of two classes by the sign of the first pixel, surer the farther from 0; features: 4 pixels."""

    name, weights_hash, resizer, num_classes, details = "halves", "0", "none", 2, {}

    def outputs(self, images, batch_size=None):
        pixels = np.asarray(images, np.float32)
        pixels = pixels / 127.5 - 1 if pixels.max() > 1 else pixels
        logit = 6 * pixels[:, 0, 0, 0]
        yes = 1 / (1 + np.exp(-logit))
        return pixels.reshape(len(pixels), -1)[:, :4].astype(np.float64), np.stack([yes, 1 - yes], axis=1)


@pytest.fixture(scope="module")
def sweep():
    gan = Wide()
    found = metrics.truncation_sweep(
        gan,
        DATA,
        [1.0, 0.25, 0.5, 0.75],
        samples=600,
        extractor=Halves(),
        seed=3,
        cache=False,
        progress=False,
    )
    return gan, found


def test_the_same_draws_at_every_threshold(sweep):
    gan, found = sweep
    assert found.thresholds == (0.25, 0.5, 0.75, 1.0)
    seeds = {t: [seed for asked, seed in gan.asked if asked == t] for t in found.thresholds}
    assert all(seeds[t] == seeds[1.0] for t in found.thresholds)
    alone = metrics.evaluate(
        Wide(), DATA, ["fid"], 600, extractor=Halves(), seed=3, truncation=0.5, cache=False, progress=False
    )
    assert float(found["fid"][1]) == float(alone["fid"])
    assert [evaluation.conditions.truncation for evaluation in found.evaluations] == [0.25, 0.5, 0.75, 1.0]


def test_variety_grows_and_so_does_the_inception_score(sweep):
    _, found = sweep
    for metric, sign in (("inception_score", 1), ("recall", 1), ("fid", -1)):
        assert (sign * np.diff(np.array(found[metric], float)) > 0).all(), metric
    assert found.best_fid == 1.0


def test_real_images_inception_score_is_closed_form(sweep):
    """exp of the mean divergence of (p, 1 - p) from the mean, over ten splits."""
    _, found = sweep
    examples = DATA.to_numpy(600)
    yes = 1 / (1 + np.exp(-6 * np.sort(examples[:, 0, 0, 0])))
    p = np.stack([yes, 1 - yes], axis=1)
    expected = np.exp((p * np.log(p / p.mean(axis=0))).sum(axis=1).mean())
    assert float(found.real["inception_score"]) == pytest.approx(expected, rel=0.02)  # splits, not the whole


def with_scores(inception, real, thresholds=(0.1, 0.2, 0.4)):
    """A sweep of these inception scores."""
    of = lambda value: metrics.Evaluation({"inception_score": value}, {}, None, 0)  # noqa: E731
    return metrics.TruncationSweep(thresholds, tuple(map(of, inception)), of(real))


def test_the_second_operating_point_is_where_both_inception_scores_meet():
    assert with_scores([9, 7, 3], 8.5).with_validation_data == pytest.approx(0.125)
    assert with_scores([9, 7, 3], 4).with_validation_data == pytest.approx(0.35)
    assert with_scores([9, 7, 3], 7).with_validation_data == 0.2
    assert with_scores([9, 7, 3], 2).with_validation_data is None
    # of several the largest: most variety
    assert with_scores([3, 9, 5], 6).with_validation_data == pytest.approx(0.35)


def test_the_table_and_the_figure_show_both(sweep):
    _, found = sweep
    text = found.text()
    assert f"best FID: at {found.best_fid:.3g}" in text
    assert len(text.splitlines()) == 8
    figure = plots.truncation_sweep(found)
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), np.array(found["fid"], float))
    assert [line.get_label() for line in right.lines][:3] == ["precision", "recall", "best FID"]


def test_saturated_values_are_counted():
    assert metrics.saturated_share(np.array([[-1.0, 0.995], [0.99, 0.5]])) == 0.5
    assert metrics.saturated_share(np.array([[-1.0, 0.995], [0.99, 0.5]]), beyond=0.4) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.truncation_sweep(Wide(), DATA, []), "one or more"),
        (lambda: metrics.truncation_sweep(Wide(), DATA, [0.5, 0.5]), "each once"),
        (lambda: metrics.truncation_sweep(Wide(), DATA, [0.5, 0.0]), "threshold=0.0"),
        (lambda: metrics.truncation_sweep(Wide(), DATA, [float("nan")]), "threshold=nan"),
        (lambda: metrics.saturated_share(np.ones((0, 2))), "no images"),
        (lambda: metrics.saturated_share(np.ones(2), beyond=1), "beyond=1"),
    ],
)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()
