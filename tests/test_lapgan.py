"""LAPGAN against its paper: the pyramid by hand, counts of sections 4.1 and 4.2, a game a level, all levels as one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import checkpoints, data
from ganlib.errors import InputError
from ganlib.layers.feature_maps import MapDropout, PairNorm
from ganlib.layers.laplacian_pyramid import pyramid, reconstructed, resampling, resized
from ganlib.models import LAPGAN
from ganlib.models.lapgan import halved


def random_images(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def batches(gan):
    images = random_images([40, *gan.image_shape])
    labels = None if gan.classes is None else np.arange(40) % gan.classes.num_classes
    return data.from_arrays(np.uint8(127.5 * (images + 1)), labels).batch(gan.batch_size)


def weights_of(networks):
    return {name: [v.numpy() for v in network.weights] for name, network in networks.items()}


def changed(before, after):
    return {
        name
        for name in before
        if any(not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True))
    }


def trainable(gan):
    return {
        name: sum(int(np.prod(v.shape)) for v in network.trainable_variables)
        for name, network in gan.players().items()
    }


# ----------------------------------------------------------------------------------------------- the pyramid


@pytest.mark.parametrize("levels", [(8, 14, 28), (8, 16, 32, 64, 96), (4, 8, 16, 32), (5,)])
def test_a_pyramid_gives_the_images_back(levels):
    images = random_images([2, levels[-1], levels[-1], 3])
    parts = pyramid(images, levels)
    assert [part.shape[1] for part in parts] == list(levels)
    np.testing.assert_allclose(reconstructed(parts), images, atol=1e-6)


def test_resampling_is_that_of_the_code():
    np.testing.assert_allclose(resampling(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    # 14 to 8: a pixel is the mean over 1.75 of them
    assert resampling(14, 8).shape == (8, 14)
    np.testing.assert_allclose(resampling(14, 8)[1, :5], [0, 0.25 / 1.75, 1 / 1.75, 0.5 / 1.75, 0], atol=1e-6)
    # 2 to 4: corners stay, thirds of the way between them
    np.testing.assert_allclose(resampling(2, 4), [[1, 0], [2 / 3, 1 / 3], [1 / 3, 2 / 3], [0, 1]], atol=1e-6)
    for size, target in ((28, 14), (14, 8), (8, 14), (64, 96)):
        np.testing.assert_allclose(resampling(size, target).sum(axis=1), 1.0, atol=1e-6)


def test_levels_by_hand():
    rows = np.array([1.0, 3.0, 5.0, 11.0], np.float32)
    image = np.tile(rows[None, :, None, None], [1, 1, 4, 1])  # the same in each column
    coarse, difference = pyramid(image, (2, 4))
    np.testing.assert_allclose(coarse[0, :, :, 0], [[2, 2], [8, 8]])
    np.testing.assert_allclose(difference[0, :, 1, 0], rows - [2, 4, 6, 8], atol=1e-6)
    np.testing.assert_allclose(resized(image, 4), image)


def test_halves():
    assert halved(28, 8) == (8, 14, 28)
    assert halved(32, 8) == (8, 16, 32)
    assert halved(64, 4) == (4, 8, 16, 32, 64)
    assert halved(8, 8) == (8,)


# ---------------------------------------------------------------------------------------------- the networks


def test_cifar10_is_section_4_1():
    gan = LAPGAN.from_preset("cifar10_28")
    plane = {level: 10 * level**2 + level**2 for level in (14, 28)}
    g = 49 * 5 * 64 + 64 + 49 * 64 * 64 + 64 + 25 * 64 * 3 + 3
    d = 25 * 4 * 64 + 64 + 25 * 64 * 64 + 64
    assert trainable(gan) == {
        "generator_8": 110 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 192 + 192,
        "discriminator_8": 202 * 600 + 600 + 600 * 600 + 600 + 601,
        "generator_14": g + plane[14],
        "discriminator_14": d + plane[14] + 64 * 3 * 3 + 1,
        "generator_28": g + plane[28],
        "discriminator_28": d + plane[28] + 64 * 10 * 10 + 1,
    }
    assert gan.latent_dim == 100 + 14**2 + 28**2 and gan.classes.num_classes == 10
    gan.compile()
    rates = {name: (float(o.learning_rate), o.momentum) for name, o in gan.optimizers().items()}
    assert rates["generator_28"] == (pytest.approx(0.02), 0.5)
    assert rates["discriminator_8"] == (pytest.approx(0.01), 0.5)  # the code's D takes the mean of its terms


def test_stl_has_five_levels_and_lsun_the_codes_large_networks():
    assert LAPGAN.presets["stl_96"].arguments["levels"] == (8, 16, 32, 64, 96)
    gan = LAPGAN("lsun", resolution=32, levels=(4, 8, 32))
    norms = 2 * (64 + 368 + 128 + 224 + 3)
    g = 49 * 4 * 64 + 64 + 49 * 16 * 368 + 368 + 49 * 92 * 128 + 128 + 25 * 32 * 224 + 224 + 49 * 224 * 3 + 3
    d = 9 * 3 * 48 + 48 + 25 * 12 * 448 + 448 + 49 * 28 * 416 + 416
    counts = trainable(gan)
    assert counts["generator_32"] == counts["generator_8"] == g + norms == 1_092_569
    assert counts["discriminator_32"] == d + 166_400 + 1  # the code's own count of what it flattens
    assert counts["discriminator_8"] == d + 8 * 8 * 416 + 1
    assert counts["generator_4"] == 100 * 600 + 600 + 600 * 600 + 600 + 600 * 48 + 48


def test_lean_networks_at_every_size():
    gan = LAPGAN(
        "lean", resolution=28, levels=(7, 14, 28), channels=1, base_channels=4, units=8, num_classes=3
    )
    assert gan.sample(2, labels=[0, 2], seed=0).shape == (2, 28, 28, 1)
    # 14 -> 7 -> 4: two halvings, of 64 and 128 channels, beside the plane of the class
    d = 16 * 2 * 64 + 64 + 16 * 64 * 128 + 2 * 128 + 16 * 128 + 1
    assert trainable(gan)["discriminator_14"] == d + 3 * 14 * 14 + 14 * 14
    gan.compile()
    assert {type(o) for o in gan.optimizers().values()} == {keras.optimizers.Adam}


def test_layers_of_lsun():
    pairs = PairNorm()(tf.constant([[3.0, 4.0, 0.0, -2.0]]))
    np.testing.assert_allclose(pairs, [[5.0, 2.0]], rtol=1e-6)
    gan = LAPGAN(
        "lsun", resolution=8, levels=(4, 8), channels=1, base_channels=16, discriminator_channels=32, units=4
    )
    dropout = next(layer for layer in gan.generator_8.layers if isinstance(layer, MapDropout))
    with gan.streams.at(0, 0):
        dropped = dropout(tf.ones([64, 2, 2, 6]), training=True).numpy()
    assert set(np.unique(dropped)) == {0.0, 2.0} and abs(dropped.mean() - 1) < 0.15
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:, :1, :1], dropped.shape))  # whole maps
    np.testing.assert_array_equal(dropout(tf.ones([2, 2, 2, 6])), 1.0)


# ------------------------------------------------------------------------------------- a game at each level


@pytest.fixture(scope="module")
def gan():
    return LAPGAN.from_preset("smoke", num_classes=3, ema_decay=None)


def test_what_a_level_is_shown(gan):
    images, labels = random_images([2, 16, 16, 1]), tf.constant([0, 2])
    eighth, sixteenth = resized(images, 8), tf.constant(images)
    real, low, told = gan.at_level(8, (images, labels))
    np.testing.assert_allclose(real, eighth)
    np.testing.assert_allclose(low, resized(resized(eighth, 4), 8))
    assert told is labels
    np.testing.assert_allclose(gan.at_level(16, (images, labels))[0], sixteenth)
    real, low, _ = gan.at_level(4, (images, labels))
    np.testing.assert_allclose(real, resized(eighth, 4))
    assert low is None


def test_images_are_the_low_pass_and_what_g_makes_of_it_and_z(gan):
    low = tf.constant(random_images([2, 8, 8, 1]))
    z = tf.constant(random_images([2, 64], seed=1))
    seen = []
    made = gan.finer(8, lambda inputs: seen.append(inputs) or tf.fill([2, 8, 8, 1], 0.25), z, low, [1, 2])
    np.testing.assert_allclose(made, low + 0.25)
    (given, labels), shape = seen[0], [2, 8, 8]
    np.testing.assert_array_equal(given[..., 0], tf.reshape(z, shape))  # the noise is a plane of its own
    np.testing.assert_array_equal(given[..., 1], low[..., 0])
    assert labels == [1, 2]


@pytest.mark.parametrize("level", [4, 16])
def test_both_losses_at_even_odds_and_at_known_logits(gan, level):
    batch = (tf.constant(random_images([8, 16, 16, 1])), tf.range(8) % 3)
    head = gan.player(f"discriminator_{level}").network.layers[-1]
    head.kernel.assign(tf.zeros_like(head.kernel))
    for logit in (0.0, 1.5):
        head.bias.assign([logit])
        with gan.streams.at(0, 0):
            d_loss, logs = gan.discriminator_loss(level, batch)
            g_loss, _ = gan.generator_loss(level, batch)
        assert float(d_loss) == pytest.approx(np.log1p(np.exp(-logit)) + np.log1p(np.exp(logit)), rel=1e-5)
        assert float(logs["real_loss"]) == pytest.approx(np.log1p(np.exp(-logit)), rel=1e-5)
        assert float(g_loss) == pytest.approx(np.log1p(np.exp(-logit)), rel=1e-5)


def test_each_phase_moves_the_players_of_its_level_and_an_average_then_stands_still():
    gan = LAPGAN.from_preset("smoke")  # 16 images a level: two steps
    gan.compile()
    assert [phase.level for phase in gan.phases()] == [4, 8, 16] and gan.phases()[-1].images is None
    source, done = batches(gan), None
    for level in gan.levels:
        before = weights_of(gan.players())
        gan.fit(source, steps_per_epoch=2, verbose=0)
        assert gan.level == level
        moved = changed(before, weights_of(gan.players()))
        assert moved >= {f"generator_{level}", f"discriminator_{level}"}
        assert moved <= {f"generator_{level}", f"discriminator_{level}", f"generator_{level // 2}"}
        if done is not None:  # the level before has become its average
            for a, b in zip(
                done.get_weights(), weights_of(gan.players())[f"generator_{level // 2}"], strict=True
            ):
                np.testing.assert_array_equal(a, b)
        done = gan.networks()[f"ema_generator_{level}"]
        frozen = [w.copy() for w in done.get_weights()]
        assert any(
            not np.array_equal(a, b)
            for a, b in zip(frozen, gan.networks()[f"generator_{level}"].get_weights(), strict=True)
        )
    gan.fit(source, steps_per_epoch=2, verbose=0)
    assert gan.level == 16


def run(folder, *parts):
    """The state after so many steps, in parts: with the paper's optimiser, eagerly."""
    for i, steps in enumerate(parts):
        gan = LAPGAN.from_preset("smoke", seed=1)
        gan.compile(run_eagerly=True)
        if i:
            checkpoints.restore(gan, folder)
        gan.fit(batches(gan), steps_per_epoch=steps, verbose=0)
        checkpoints.save(gan, folder)
    return [v.numpy() for v in gan.state()]


def test_a_run_goes_on_in_any_phase(tmp_path):
    """Within a level, between two of them, and in the endless last one."""
    for a, b in zip(run(tmp_path / "whole", 6), run(tmp_path / "parts", 1, 1, 3, 1), strict=True):
        np.testing.assert_array_equal(a, b)


# ----------------------------------------------------------------------------------------- all levels as one


def test_samples_come_down_the_pyramid():
    gan = LAPGAN.from_preset("smoke", num_classes=3, ema_decay=None)
    z, labels = gan.sample_latents(4, seed=5), gan.sample_labels(4, [0, 1, 2, 2])
    assert z.shape == (4, 8 + 8**2 + 16**2) and abs(z).max() <= 1
    images = gan.generator_4([z[:, :8], labels])
    # what was not trained adds nothing
    untrained = np.clip(resized(resized(images, 8), 16), -1, 1)
    np.testing.assert_allclose(gan.sample(4, labels, seed=5), untrained, atol=1e-6)
    rng = np.random.default_rng(0)
    for level, part in ((8, z[:, 8:72]), (16, z[:, 72:])):
        network = gan.networks()[f"generator_{level}"]
        network.set_weights([rng.normal(0, 0.2, w.shape) for w in network.get_weights()])
        low = resized(images, level)
        images = low + network([np.concatenate([part.reshape(4, level, level, 1), low], axis=-1), labels])
    found = gan.sample(4, labels, seed=5)
    np.testing.assert_allclose(found, np.clip(images, -1, 1), atol=1e-5)
    weights = np.eye(3, dtype=np.float32)[labels]  # between classes, all of the weight on one
    np.testing.assert_allclose(gan.images_of([z, weights]), found, atol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"levels": (8, 4, 16)}, "coarse to fine"),
        ({"levels": (4, 8)}, "resolution=16"),
        ({"levels": (4, 4, 16)}, "coarse to fine"),
        ({"level_images": 0}, "level_images"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"architecture": "cifar"}, "did you mean 'cifar10'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        LAPGAN(**{"resolution": 16, **arguments})
