"""StackedGAN against its paper and code: counts, the terms by closed form, an encoder that learns and then stays."""

import numpy as np
import pytest
import tensorflow as tf

from ganlib import checkpoints, data
from ganlib.errors import InputError
from ganlib.models import StackedGAN
from ganlib.models.stacked_gan import entropy_loss

PLAYERS = {"generator_1", "discriminator_1", "generator_0", "discriminator_0"}


def stripes(n=200, resolution=16, seed=0):
    """Images of three classes that a classifier can tell: dark, bright, and half of each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.integers(0, 40, [n, resolution, resolution, 1])
    images[labels == 1] += 200
    images[labels == 2, : resolution // 2] += 200
    return data.from_arrays(images.astype(np.uint8), labels)


def smoke(**arguments):
    """Eagerly: most tests take a step or two."""
    gan = StackedGAN.from_preset("smoke", num_classes=3, **arguments)
    gan.compile(run_eagerly=True)
    return gan


def weights_of(networks):
    return {name: [v.numpy() for v in network.weights] for name, network in networks.items()}


def changed(before, after):
    return {
        name
        for name in before
        if any(not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True))
    }


def trainable(networks):
    return {
        name: sum(int(np.prod(v.shape)) for v in network.trainable_variables)
        for name, network in networks.items()
    }


# ----------------------------------------------------------------------------------------------- networks, recipe


def test_mnist_networks_are_the_codes():
    gan = StackedGAN.from_preset("mnist_28")
    assert trainable(gan.players()) == {
        "generator_1": 60 * 512 + 512 * 512 + 256 * 512 + 256 + 2 * 2 * 512,
        "discriminator_1": 257 * 256 * 2 + 257 * 51,
        "generator_0": (50 + 2) * 128  # z_0, with scale and offset
        + (256 + 128 + 2) * 4 * 4 * 128
        + 25 * 128 * 128 + 2 * 128 + 25 * 128 * 64 + 2 * 64 + 25 * 64 * 64 + 2 * 64 + 25 * 64 + 1,
        "discriminator_0": 26 * 32 + (25 * 32 + 1) * 64 + (25 * 64 + 1) * 128 + (4 * 4 * 128 + 1) * 256 + 257 * 51,
    }  # fmt: skip
    counts = {name: network.count_params() for name, network in gan.fixed().items()}
    assert counts == {"encoder_0": 26 * 32 + (25 * 32 + 1) * 32 + (512 + 1) * 256, "encoder_1": 257 * 10}
    sizes = [layer.output.shape[1:] for layer in gan.generator_0.layers if "conv" in layer.name]
    assert sizes == [(8, 8, 128), (12, 12, 64), (24, 24, 64), (28, 28, 1)]
    gan.compile()
    for optimizer in gan.optimizers().values():
        assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(1e-4), 0.5)
    weights = (gan.adversarial_weight, gan.conditional_weight, gan.entropy_weight, gan.joint_weight)
    assert weights == (1, 1, 10, 0.01) and gan.batch_size == 100


def test_cifar10_networks_are_the_codes():
    gan = StackedGAN.from_preset("cifar10_32")
    sizes = [layer.output.shape[1:] for layer in gan.generator_0.layers if "conv" in layer.name]
    assert sizes == [(10, 10, 256), (14, 14, 128), (28, 28, 128), (32, 32, 3)]
    sizes = [layer.output.shape[1:] for layer in gan.discriminator_0.layers if "conv" in layer.name]
    assert sizes == [(32, 32, 96), (16, 16, 96), (16, 16, 192), (8, 8, 192), (6, 6, 192), (6, 6, 192)]
    assert gan.latent_dims == (16, 50) and gan.latent_dim == 66
    counts = trainable(gan.players())
    assert counts["generator_1"] == 52 * 256 + 12 * 512 + 770 * 512 + 514 * 512 + 513 * 256
    assert counts["discriminator_1"] == 257 * 512 + 514 * 512 + 513 * 51
    assert gan.encoder_0.count_params() == 76 * 64 + (25 * 64 + 1) * 128 + (5 * 5 * 128 + 1) * 256


# ---------------------------------------------------------------------------------------------------- the encoder


def test_the_encoder_learns_before_the_first_step_and_then_stays(tmp_path):
    gan, batches = smoke(encoder_images=1600), stripes().batch(8)
    before = weights_of(gan.fixed())
    assert gan.train_encoder(batches) > 0.95
    learned = weights_of(gan.fixed())
    assert changed(before, learned) == {"encoder_0", "encoder_1"}
    assert not gan.encoder_0.trainable_variables
    gan.fit(batches, steps_per_epoch=1, verbose=0)  # it has learned already
    assert not changed(learned, weights_of(gan.fixed()))
    gan.save_weights(tmp_path / "a.weights.h5")
    twin = smoke(seed=1)
    twin.load_weights(tmp_path / "a.weights.h5")
    twin.fit(batches, steps_per_epoch=1, verbose=0)
    assert not changed(learned, weights_of(twin.fixed()))


def test_fit_lets_it_learn_unless_it_is_told_not_to():
    for images, moved in ((16, {"encoder_0", "encoder_1"}), (0, set())):
        gan = smoke(encoder_images=images)
        before = weights_of(gan.fixed())
        gan.fit(stripes().batch(8), steps_per_epoch=1, verbose=0)
        assert changed(before, weights_of(gan.fixed())) == moved


def test_it_needs_labels():
    with pytest.raises(InputError, match="conditional"):
        smoke().fit(data.from_arrays(np.zeros([16, 16, 16, 1], np.uint8)).batch(8), steps_per_epoch=1)


# ------------------------------------------------------------------------------------------- the terms, by hand


@pytest.fixture(scope="module")
def gan():
    gan = smoke(encoder_images=0)
    for i in (0, 1):  # D_i says 0.7 of everything, and Q_i that z_i was tanh(0.5)
        for name, bias in (("logit", 0.7), ("recovered", 0.5)):
            head = gan.player(f"discriminator_{i}").network.get_layer(name)
            head.kernel.assign(tf.zeros_like(head.kernel))
            head.bias.assign(tf.fill(head.bias.shape, bias))
    return gan


BATCH = (tf.random.stateless_uniform([8, 16, 16, 1], [0, 1], -1, 1), tf.constant([0, 1, 2, 2, 1, 0, 0, 2]))


@pytest.mark.parametrize("i", [0, 1])
@pytest.mark.parametrize("joint", [False, True])
def test_losses_of_constant_heads(gan, i, joint):
    def logs_of(loss):
        with gan.streams.at(3, 0):
            value, logs = loss(i, joint, BATCH)
        return float(value), {name.removesuffix("_1"): float(log) for name, log in logs.items()}

    seen = {}
    generator = gan.inverted

    def watched(*arguments, **options):
        seen["fake"], seen["above"], seen["z"] = generator(*arguments, **options)
        return seen["fake"], seen["above"], seen["z"]

    gan.inverted = watched
    try:
        d_loss, d_logs = logs_of(gan.discriminator_loss)
        entropy = np.mean((np.tanh(0.5) - seen["z"].numpy()) ** 2) / 4
        assert d_logs["recovered_error"] == pytest.approx(entropy, rel=1e-4)
        game = np.log1p(np.exp(-0.7)) + np.log1p(np.exp(0.7))
        assert d_loss == pytest.approx(game + 20 * entropy, rel=1e-4)
        g_loss, g_logs = logs_of(gan.generator_loss)
    finally:
        gan.inverted = generator
    entropy = np.mean((np.tanh(0.5) - seen["z"].numpy()) ** 2) / 4
    found = gan.fixed()[f"encoder_{i}"](seen["fake"]).numpy()
    if i == 0:
        conditional = np.mean((found - seen["above"].numpy()) ** 2)
    else:
        shares = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
        conditional = -np.mean(np.log(shares[np.arange(8), BATCH[1].numpy()]))
    assert g_logs["adversarial_loss"] == pytest.approx(np.log1p(np.exp(-0.7)), rel=1e-4)
    assert g_logs["conditional_loss"] == pytest.approx(conditional, rel=1e-3)
    assert g_logs["entropy_loss"] == pytest.approx(entropy, rel=1e-4)
    expected = np.log1p(np.exp(-0.7)) + conditional + 10 * entropy
    if joint and i == 1:
        assert g_loss > expected  # and 0.01 of what G_0 makes of the features
    else:
        assert g_loss == pytest.approx(expected, rel=1e-4)


def test_joint_training_gives_g0_what_g1_makes_and_g1_a_hundredth_of_its_loss(gan):
    real, features, labels = gan.encoded(BATCH)
    assert real is BATCH[0] and labels is BATCH[1] and features.shape == (8, 8)
    with gan.streams.at(0, 0):
        _, alone, _ = gan.inverted(0, False, BATCH, moving=None)
        _, together, _ = gan.inverted(0, True, BATCH, moving=None)
        made, above, _ = gan.inverted(1, True, BATCH, moving=None)
        losses = [float(gan.generator_loss(1, joint, BATCH)[0]) for joint in (False, True)]
        image, z = gan.lower(gan.frozen(gan.generator_0), made)
        lower = float(gan._generator_terms(0, image, made, z)[0])
    np.testing.assert_array_equal(alone, features)
    np.testing.assert_allclose(together, made, atol=1e-6)
    assert above is labels
    assert losses[1] - losses[0] == pytest.approx(0.01 * lower, rel=0.02)


def test_entropy_is_in_the_units_of_the_code():
    z, recovered = np.array([[0.5, -1.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    in_unit_interval = np.mean(((z + 1) / 2 - (recovered + 1) / 2) ** 2)
    assert float(entropy_loss(recovered, z)) == pytest.approx(in_unit_interval)


# ------------------------------------------------------------------------------------------------ phases, samples


def test_both_phases_move_all_players_and_another_g1_in_the_joint_one():
    gan, batches = smoke(), stripes().batch(8)
    assert [phase.level for phase in gan.phases()] == ["independent", "joint"]
    for level in ("independent", "joint"):
        before = weights_of(gan.networks())
        gan.fit(batches, steps_per_epoch=1, verbose=0)
        assert gan.level == level
        assert changed(before, weights_of(gan.networks())) >= PLAYERS
    assert gan.images_seen == 16  # the encoder's are not counted


def test_each_row_moves_its_player_and_leaves_the_statistics_of_others():
    gan = smoke(encoder_images=0)
    for joint in (False, True):
        for row in gan.rows(joint):
            before = weights_of(gan.networks())
            with gan.streams.at(0, 0):
                gan.move(row, BATCH)
            assert changed(before, weights_of(gan.networks())) == set(row.players)


def run(folder, *parts):
    """The state after so many steps, in parts: with the paper's optimiser, eagerly."""
    for i, steps in enumerate(parts):
        gan = StackedGAN.from_preset("smoke", num_classes=3, independent_images=16)
        gan.compile(run_eagerly=True)
        if i:
            checkpoints.restore(gan, folder)
        gan.fit(stripes().batch(8), steps_per_epoch=steps, verbose=0)
        checkpoints.save(gan, folder)
    return [v.numpy() for v in gan.state()]


def test_a_run_goes_on_in_any_phase(tmp_path):
    for a, b in zip(run(tmp_path / "whole", 3), run(tmp_path / "parts", 1, 1, 1), strict=True):
        np.testing.assert_array_equal(a, b)


def test_samples_come_down_the_stack():
    gan = smoke(ema_decay=None, upper_latent_dim=5)
    assert gan.classes.num_classes == 3 and gan.latent_dims == (4, 5)
    z, labels = gan.sample_latents(4, seed=2), np.array([0, 1, 2, 2])
    features = gan.generator_1([z[:, :5], labels], training=False)
    images = gan.generator_0([features, tf.constant(z[:, 5:])], training=False)
    found = gan.sample(4, labels, seed=2)
    np.testing.assert_allclose(found, images, atol=1e-6)
    weights = np.eye(3, dtype=np.float32)[labels]
    np.testing.assert_allclose(gan.images_of([z, weights]), found, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"resolution": 30}, "12 more than a multiple of 4"),
        ({"resolution": 12}, "12 more than a multiple of 4"),
        ({"encoder_images": -1}, "encoder_images"),
        ({"entropy_weight": -1.0}, "entropy_weight"),
        ({"independent_images": 0}, "independent_images"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        StackedGAN(**arguments)
