"""An ensemble: who draws which sample, that samples are the members' own, and that it is scored as a generator is."""

import numpy as np
import pytest

import ganlib
from ganlib.errors import InputError
from ganlib.models import DCGAN, WGANGP, Pix2Pix, ProjectionGAN
from ganlib.randomness import key_of


@pytest.fixture(scope="module")
def members():
    return [DCGAN.from_preset("smoke", seed=1), WGANGP.from_preset("smoke", seed=2)]


def latents_of(members, i, n, seed, truncation=None):
    return members[i].sample_latents(n, truncation=truncation, seed=key_of(seed, f"member {i}") >> 33)


def test_each_sample_is_one_members(members):
    both = ganlib.Ensemble(members)
    images, turns = both.sample(40, seed=3), both.turns(40, seed=3)
    assert images.shape == (40, 8, 8, 1) and images.dtype == np.float32
    assert 10 < turns.sum() < 30
    for i, member in enumerate(members):
        mine = turns == i
        np.testing.assert_allclose(images[mine], member(latents_of(members, i, 40, 3)[mine]), atol=1e-5)
    np.testing.assert_array_equal(images, both.sample(40, seed=3))
    np.testing.assert_allclose(both.sample(7, seed=3), images[:7], atol=1e-5)
    assert not np.allclose(images, both.sample(40, seed=4))
    assert not np.allclose(both.sample(3), both.sample(3))
    cut = both.sample(10, truncation=0.5, seed=3)
    z = latents_of(members, 0, 10, 3, 0.5)[turns[:10] == 0]
    np.testing.assert_allclose(cut[turns[:10] == 0], members[0](z), atol=1e-5)


def test_weights_are_how_often_each_draws(members):
    turns = ganlib.Ensemble([*members, members[0]], weights=[1, 2, 5]).turns(20_000, seed=0)
    counts = np.bincount(turns) / 20_000
    np.testing.assert_allclose(counts, [1 / 8, 2 / 8, 5 / 8], atol=4 * np.sqrt(0.25 / 20_000))


def test_a_member_twice_draws_two_sets_of_samples(members):
    one, two = ganlib.Ensemble(members[:1]), ganlib.Ensemble([members[0], members[0]])
    turns = two.turns(50, seed=0)
    same = np.isclose(one.sample(50, seed=0), two.sample(50, seed=0), atol=1e-6).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, turns == 0)


def test_classes_are_the_samples_own():
    members = [ProjectionGAN.from_preset("smoke", seed=seed) for seed in (1, 2)]
    both = ganlib.Ensemble(members)
    assert both.classes.num_classes == 10
    labels = np.arange(20) % 10
    images, turns = both.sample(20, labels, seed=5), both.turns(20, seed=5)
    for i, member in enumerate(members):
        mine, z = turns == i, latents_of(members, i, 20, 5)
        np.testing.assert_allclose(images[mine], member.images_of([z[mine], labels[mine]]), atol=1e-5)
    drawn = members[0].sample_labels(20, seed=5)
    np.testing.assert_allclose(both.sample(20, seed=5), both.sample(20, drawn, seed=5), atol=1e-5)
    with pytest.raises(InputError, match="the classes of this model are 0 to 9"):
        both.sample(2, [0, 10])


def test_it_is_scored_as_a_generator_is(members):
    data = ganlib.data.load("digits", resolution=8)
    scores = ganlib.metrics.evaluate(
        ganlib.Ensemble(members), data, ["kid"], 100, extractor="random-convolutions", cache=False
    )
    assert np.isfinite(scores["kid"])


def test_bad_arguments(members):
    grey, coloured = members[0], DCGAN.from_preset("smoke", channels=3)
    for arguments, message in (
        (([],), "an ensemble of no models"),
        (([grey, coloured],), r"the models make \(8, 8, 1\) with no classes and \(8, 8, 3\) with no classes"),
        (([grey, ProjectionGAN.from_preset("smoke")],), "with 10 classes and .* with no classes"),
        (([Pix2Pix.from_preset("smoke")],), "Pix2Pix does not sample"),
        (([grey, grey], [1.0]), "give 2 numbers above 0"),
        (([grey, grey], [1.0, 0.0]), "give 2 numbers above 0"),
    ):
        with pytest.raises(InputError, match=message):
            ganlib.Ensemble(*arguments)
    with pytest.raises(InputError, match="n=0 is out of range"):
        ganlib.Ensemble(members).sample(0)
    with pytest.raises(InputError, match=r"seed=1\.5 is not an integer"):
        ganlib.Ensemble(members).sample(2, seed=1.5)
