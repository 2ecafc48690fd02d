"""StyleGAN against official arrays, its counts and recipe; mixing, truncation and noise by closed forms.

tests/data/stylegan_net_8.npz: genforce's port of the official networks at 0d16060, under the official names.
"""

import functools
import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import convert, data, penalties
from ganlib.errors import InputError
from ganlib.layers.growing import Stage
from ganlib.layers.noise import NoiseInjection
from ganlib.models import StyleGAN, stylegan
from ganlib.runs.train import _headline
from ganlib.styled import mapping_network

NET = dict(np.load(Path(__file__).parent / "data" / "stylegan_net_8.npz"))
RAW = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
Z = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)


def nhwc(array):
    return array.transpose(0, 2, 3, 1)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.fixture(scope="module")
def official():
    g, d = stylegan.networks(stylegan.Configuration(), 8, 3, 12, 10, 4, 16, 8, 4)
    convert.load(g, NET, "G/")
    convert.load(d, NET, "D/")
    return g, d


# ------------------------------------------------------------------------------------------------ official arrays


@pytest.mark.parametrize("lod", [0.0, 0.4])
def test_networks_are_the_official_ones(official, lod):
    g, d = official
    for network in (g.synthesis, d):
        network.lod.assign(lod)
    close(g(NET["z"], stage=Stage(1, lod > 0)), nhwc(NET[f"G_images_lod{lod}"]))
    close(d(nhwc(NET["images"]), stage=Stage(1, lod > 0)), NET[f"D_logits_lod{lod}"])


def test_styles_are_the_official_ones(official):
    g, _ = official
    close(g.mapping(NET["z"]), NET["w"])
    close(g.styles(NET["z"], truncation=0.7, cutoff=3), NET["wp_psi0.7_cutoff3"])
    close(g(NET["z"], truncation=0.7, cutoff=3), nhwc(NET["G_images_psi0.7_cutoff3"]))
    close(g(NET["z"], mixed=NET["z"][::-1], crossover=2), nhwc(NET["G_images_mixed_at_2"]))


def test_the_mean_of_w_moves_in_training(official):
    g, _ = official
    before = g.w_average.numpy()
    g.styles(NET["z"])
    np.testing.assert_array_equal(g.w_average, before)
    g.styles(NET["z"], mixed=NET["z"][::-1], crossover=2, training=True)  # by w of the first latents alone
    np.testing.assert_allclose(g.w_average, 0.995 * before + 0.005 * NET["w"].mean(axis=0), rtol=1e-5)
    g.w_average.assign(before)


# ------------------------------------------------------------------------------------------------- counts, recipe


@pytest.fixture(scope="module")
def paper():
    with pytest.MonkeyPatch.context() as patch:  # zeros are quicker drawn than 49 million normal numbers
        patch.setattr(keras.initializers, "RandomNormal", lambda **_: "zeros")
        return StyleGAN.from_preset("ffhq_1024")


def test_the_paper_has_49_million_weights(paper):
    assert trainable(paper.generator) == 26_219_627
    assert trainable(paper.discriminator) == 23_087_249
    assert trainable(paper.generator.mapping) == 8 * (512 * 512 + 512)
    widths = [512] * 4 + [256, 128, 64, 32, 16]
    expected = 16 * 512  # the constant
    for below, n in zip([512, *widths], widths, strict=False):
        # of both layers of a resolution: kernel, bias, strengths of noise, style; at 4x4 one has no kernel
        expected += 9 * (below * n if below != 512 or n != 512 else 0) + 9 * n * n
        expected += 2 * (n + n + (512 + 1) * 2 * n) + 3 * n + 3
    expected += 3 * 9 * 512 * 512  # of 8x8, 16x16 and 32x32
    assert trainable(paper.generator.synthesis) == expected


def test_the_papers_schedule(paper):
    assert paper.phases()[0].level == Stage(1) and len(paper.phases()) == 15
    assert {phase.images for phase in paper.phases()[:-1]} == {600_000}
    sizes = [phase.batch_size for phase in paper.schedule().phases]
    assert sizes == [256] + [128] * 2 + [64] * 2 + [32] * 10
    assert paper.image_shape == (1024, 1024, 3) and paper.styles_in_use() == 18
    assert (paper.style_mixing, paper.truncation_cutoff, paper.n_critic) == (0.9, 8, 1)
    (r1,) = paper.tricks
    assert isinstance(r1, penalties.R1) and (r1.gamma, r1.every) == (10.0, 1)
    assert paper.ema_decay == pytest.approx(0.5 ** (32 / 10_000))


def smoke(architecture="f", **arguments):
    gan = StyleGAN.from_preset("smoke", architecture=architecture, **arguments)
    gan.compile(run_eagerly=True)
    return gan


def grown(gan, steps):
    gan.fit(data.from_arrays(RAW).batch(gan.batch_size), steps_per_epoch=steps, verbose=0)
    return gan


def test_rates_and_averages_follow_the_resolution():
    gan = smoke(learning_rates=((8, 4e-3),), batch_sizes=((4, 4),), stable_images=4, fade_images=8)
    rates = {name: float(o.learning_rate) for name, o in gan.optimizers().items()}
    assert rates == {name: pytest.approx(1e-3) for name in ("generator", "discriminator")}
    for optimizer in gan.optimizers().values():
        assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.0, 0.99, 1e-8)
    gan.compile(keras.optimizers.Adam(5e-3), run_eagerly=True)
    found = []
    for _ in range(2):
        grown(gan, 1)
        rates = (float(o.learning_rate) for o in gan.optimizers().values())
        found.append((gan.images_seen, *map(pytest.approx, rates), gan.ema_decay_at(gan.step_counter)))
    # 4x4 has the optimisers' own rates, 8x8 its own
    assert found == [(4, 5e-3, 1e-3, 0.5 ** (4 / 100)), (12, 4e-3, 4e-3, 0.5 ** (8 / 100))]
    assert float(gan.generator.synthesis.lod.numpy()) == float(gan.discriminator.lod.numpy()) == 0.0


# configuration -> (kinds of variables of G, share of mixed steps): each line of table 1 takes one away
KINDS = {
    "f": ({"kernel", "bias", "strength", "noise", "constant", "w_average", "lod"}, 0.9),
    "e": ({"kernel", "bias", "strength", "noise", "constant", "w_average", "lod"}, 0.0),
    "d": ({"kernel", "bias", "constant", "w_average", "lod"}, 0.0),
    "c": ({"kernel", "bias", "w_average", "lod"}, 0.0),
    "b": ({"kernel", "bias", "w_average", "lod"}, 0.0),
    "a": ({"kernel", "bias", "w_average", "lod"}, 0.0),
}


@pytest.mark.parametrize("name", KINDS)
def test_configurations_of_table_1_train(name):
    gan, (kinds, share) = smoke(name), KINDS[name]
    assert {v.name for v in gan.generator.weights} == kinds and gan.style_mixing == share
    assert len(gan.generator.mapping.trainable_variables) == (4 if name in "cdef" else 0)
    blurred = [
        type(x).__name__
        for n in gan.players().values()
        for x in n._flatten_layers()
        if "Blur" in type(x).__name__
    ]
    assert sorted(blurred) == ([] if name == "a" else ["EqualizedBlurDownConv2D", "EqualizedBlurUpConv2D"])
    before = {player: n.get_weights() for player, n in gan.players().items()}
    grown(gan, 3)
    assert gan.level == Stage(1, fading=True)
    for player, network in gan.players().items():
        after = zip(network.weights, before[player], network.get_weights(), strict=True)
        still = {v.name for v, a, b in after if np.all(a == b)}
        assert still <= {"noise", "lod"}  # which is 0 again
    images = gan.sample(3, truncation=0.7, seed=0)
    assert images.shape == (3, 8, 8, 1) and np.isfinite(images).all()
    assert gan.styles_of(Z[:2]).shape == (2, 4, 8)


def test_configurations_agree_where_nothing_was_learned():
    """Strengths of noise begin at 0: with the same weights F makes D's images, as without noise."""
    f, d = smoke("f").generator, smoke("d").generator
    close(f(Z), f.synthesis(f.styles(Z), noise=()))
    without = [v for v in f.trainable_variables if v.name != "strength"]
    for variable, other in zip(d.trainable_variables, without, strict=True):
        variable.assign(other)
    close(f(Z), d(Z))


def test_growth_shows_what_it_showed_before():
    gan = grown(smoke(learning_rate=0.01), 1)
    before, widths = gan.sample(4, seed=0), gan.styles_in_use()
    assert (before.shape, widths) == ((4, 8, 8, 1), 2)
    logits = gan.discriminator(gan.at_stage(RAW[:4] / 127.5 - 1), **gan.call_options())
    gan._running.number = 1
    gan.begin_phase()
    gan.forget_traces()
    assert (gan.level, gan.styles_in_use()) == (Stage(1, fading=True), 4)
    np.testing.assert_allclose(gan.sample(4, seed=0), before, rtol=0, atol=1e-5)
    later = gan.discriminator(gan.at_stage(RAW[:4] / 127.5 - 1), **gan.call_options())
    np.testing.assert_allclose(later, logits, rtol=0, atol=1e-5)
    for network in gan._growing():
        network.lod.assign(0.5)
    assert np.abs(gan.sample(4, seed=0) - before).max() > 1e-3


# ---------------------------------------------------------------------------------------- styles, noise, samples


@pytest.fixture(scope="module")
def noisy():
    """A model whose noise can be seen, and whose mean of w lies apart."""
    gan = smoke(truncation_cutoff=3)
    for layer in gan.ema_generator._flatten_layers():
        if isinstance(layer, NoiseInjection):
            layer.strength.assign(np.full(layer.strength.shape, 0.3))
    gan.ema_generator.w_average.assign(np.arange(8.0) / 8)
    return gan


def test_truncation_pulls_w_to_its_mean(noisy):
    latents = noisy.sample_latents(5, truncation=0.6, seed=3)
    np.testing.assert_array_equal(latents, noisy.sample_latents(5, seed=3))  # z is drawn as ever
    w, mean = noisy.ema_generator.mapping(latents).numpy(), noisy.ema_generator.w_average.numpy()
    ws = noisy.styles_of(latents, truncation=0.6)
    for layer in range(4):
        expected = mean + 0.6 * (w - mean) if layer < 3 else w
        close(ws[:, layer], expected)
    np.testing.assert_array_equal(noisy.sample(5, truncation=0.6, seed=3), noisy.images_of_styles(ws, seed=3))
    at_mean = noisy.images_of_styles(np.tile(mean, (5, 4, 1)), seed=3)
    noisy.truncation_cutoff = None
    close(noisy.sample(5, truncation=0.0, seed=3), at_mean)
    noisy.truncation_cutoff = 3
    with pytest.raises(InputError, match="truncation=nan is out of range: give psi"):
        noisy.sample(2, truncation=math.nan)


def test_a_seed_repeats_latents_and_noise(noisy):
    images = noisy.sample(6, seed=1)
    np.testing.assert_array_equal(images, noisy.sample(6, seed=1))
    np.testing.assert_allclose(images[:2], noisy.sample(2, seed=1), atol=1e-5)  # whatever n is
    assert np.abs(images - noisy.sample(6, seed=2)).max() > 0.01
    ws = noisy.styles_of(noisy.sample_latents(6, seed=1))
    np.testing.assert_array_equal(noisy.images_of_styles(ws, seed=1), images)
    other = noisy.images_of_styles(ws, seed=2)
    assert np.abs(other - images).max() > 0.001
    assert np.abs(noisy.images_of_styles(ws, seed=None) - noisy.images_of_styles(ws, seed=None)).max() > 0.001


def test_noise_is_where_it_is_asked_for(noisy):
    ws = noisy.styles_of(noisy.sample_latents(6, seed=1))
    without = noisy.images_of_styles(ws, noise=())
    np.testing.assert_array_equal(without, noisy.images_of_styles(ws, noise=(), seed=5))
    silent = noisy.ema_generator.synthesis(ws, noise=())
    np.testing.assert_allclose(without, np.clip(silent, -1, 1), atol=1e-6)
    coarse, fine = noisy.images_of_styles(ws, noise=[4]), noisy.images_of_styles(ws, noise=[8])
    assert min(np.abs(a - b).max() for a, b in ((coarse, without), (fine, without), (coarse, fine))) > 1e-3
    np.testing.assert_array_equal(noisy.images_of_styles(ws, noise=[4, 8]), noisy.images_of_styles(ws))


def test_mixing_takes_a_second_style_from_a_layer_on(noisy):
    """9 of 10 steps mix, at a layer in 1 ... n - 1 of the n in use; else all layers have the first style."""
    gan = noisy
    counts = np.zeros(5, int)
    with gan.streams.at(0, 0):
        mixed = gan.mixing(tf.constant(Z))["mixed"]
        assert mixed.shape == Z.shape and np.abs(mixed - Z).max() > 1
        np.testing.assert_array_equal(mixed, gan.mixing(tf.constant(Z))["mixed"])
    run = tf.function(lambda step: _crossover(gan, step))
    for step in range(600):
        counts[int(run(tf.constant(step, tf.int64)))] += 1
    assert counts[0] == 0 and counts[4] / 600 == pytest.approx(0.1, abs=0.04)
    np.testing.assert_allclose(counts[1:4] / 600, np.full(3, 0.3), atol=0.06)
    ws = gan.generator.styles(Z, mixed=Z[::-1], crossover=3).numpy()
    w = gan.generator.mapping(Z).numpy()
    close(ws, np.stack([w, w, w, w[::-1]], axis=1))
    assert smoke("e").mixing(Z) == {}


def _crossover(gan, step):
    with gan.streams.at(step, 0):
        return gan.mixing(tf.constant(Z))["crossover"]


def test_the_mapping_learns_a_hundred_times_slower():
    mapping = mapping_network(8, 6, 3, gain=math.sqrt(2.0))
    z = Z / np.sqrt(np.mean(Z**2, axis=1, keepdims=True) + 1e-8)
    for kernel, bias in zip(*[iter(mapping.get_weights())] * 2, strict=True):
        assert 50 < kernel.std() < 200 and not bias.any()
        z = z @ (0.01 * kernel * math.sqrt(2 / len(kernel)))
        z = np.where(z > 0, z, 0.2 * z)
    close(mapping(Z), z)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 12}, "resolution=12 is not reached by doubling 4"),
        ({"start_resolution": 16}, "start_resolution=16 is above resolution=8"),
        ({"style_mixing": 1.5}, "style_mixing=1.5 is out of range"),
        (
            {"learning_rates": ((8, 0.0),)},
            "learning_rates=.* give pairs of a resolution and a number above 0",
        ),
        ({"ema_images": 0}, "ema_images=0 is out of range"),
        ({"gamma": -1.0}, "gamma=-1.0 is out of range"),
        ({"w_dim": 0}, "w_dim=0 is out of range"),
        ({"architecture": "g"}, "there is no architecture 'g': choose one of f, e, d, c, b, a"),
    ],
)
def test_errors_say_what_to_do(arguments, message):
    with pytest.raises(InputError, match=message):
        StyleGAN.from_preset("smoke", **arguments)


def test_styles_give_whole_images_in_mid_growth_too():
    gan = StyleGAN.from_preset("smoke", resolution=16)
    gan.compile()
    gan.fit(data.load("digits", resolution=16).batch(8), steps_per_epoch=2, verbose=0)
    assert gan.level.level < 2  # not at 16x16 yet
    latents = gan.sample_latents(3, seed=0)
    images = gan.images_of_styles(gan.styles_of(latents))
    assert images.shape == (3, 16, 16, 1)
    np.testing.assert_array_equal(images[:, ::2, ::2], images[:, 1::2, 1::2])


def test_the_command_names_all_batch_sizes():
    gan = StyleGAN.from_preset("smoke", batch_sizes=((4, 16),))
    headline = functools.partial(_headline, "stylegan", gan, data.load("digits", resolution=8))
    assert "50 steps, 8 or 16 images each" in headline({"preset": "smoke", "out": "x"}, 50)
    assert "1 steps, 16 images each" in headline({"preset": "smoke", "out": "x"}, 1)
