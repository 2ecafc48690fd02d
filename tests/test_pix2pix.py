"""pix2pix against its paper: counts, losses in closed form, noise when translating, learning."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import data
from ganlib.errors import InputError
from ganlib.models import Pix2Pix
from ganlib.models.pix2pix import HalvedNonSaturating


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.fixture(scope="module")
def smoke():
    gan = Pix2Pix.from_preset("smoke")
    gan.compile()
    return gan


def test_counts_of_the_official_code():
    gan = Pix2Pix.from_preset("facades_256")
    assert (trainable(gan.generator), trainable(gan.discriminator)) == (54_413_955, 2_768_705)
    assert gan.generator.output_shape == (None, 256, 256, 3)
    assert gan.discriminator.output_shape == (None, 30, 30, 1)
    gan.compile()
    for optimizer in gan.optimizers().values():
        assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(2e-4), 0.5)
    assert (gan.batch_size, gan.l1_weight, gan.ema_decay) == (1, 100.0, None)


def test_counts_of_unet_128():
    gan = Pix2Pix.from_preset("unet_128")
    # one halving and one doubling at 512 channels less, each with its norm
    less = 16 * 512 * 512 + 2 * 512 + 16 * 1024 * 512 + 2 * 512
    assert (trainable(gan.generator), trainable(gan.discriminator)) == (54_413_955 - less, 2_768_705)


def test_batch_norm_has_as_many():
    arguments = {"resolution": 16, "base_channels": 4, "receptive_field": 16}
    plain, batch_norm = Pix2Pix(**arguments), Pix2Pix("batch_norm", **arguments)
    for player, network in plain.players().items():
        assert trainable(network) == trainable(batch_norm.players()[player])
    assert "BatchNormalization" in {type(layer).__name__ for layer in batch_norm.generator.layers}
    # at a batch of one the two are the same function in training mode
    for player, network in batch_norm.players().items():
        for v, w in zip(
            network.trainable_variables, plain.players()[player].trainable_variables, strict=True
        ):
            v.assign(w)
    one = batch_norm.example_batch(1)
    losses = []
    for gan in (plain, batch_norm):
        with gan.streams.at(0, 0), gan.streams.scope("x"):
            losses.append([gan.discriminator_loss(one)[0], gan.generator_loss(one)[0]])
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_batch_norm_translates_one_image_as_it_does_many():
    gan = Pix2Pix.from_preset("smoke", architecture="batch_norm")
    images = gan.example_batch(6)[0].numpy()
    np.testing.assert_allclose(
        gan.translate(images, seed=0)[:2], gan.translate(images[:2], seed=0), atol=1e-5
    )


def test_d_is_halved():
    real, fake = (tf.random.stateless_normal((4, 3, 3, 1), (s, 0)) for s in (1, 2))
    softplus = lambda x: np.log1p(np.exp(x))  # noqa: E731
    found = HalvedNonSaturating().discriminator(real, fake)
    np.testing.assert_allclose(
        found, [softplus(-real.numpy()).mean() / 2, softplus(fake.numpy()).mean() / 2], rtol=1e-5
    )
    np.testing.assert_allclose(
        HalvedNonSaturating().generator(fake), softplus(-fake.numpy()).mean(), rtol=1e-5
    )


def test_both_losses_by_hand(smoke):
    source, target = smoke.example_batch(seed=3)
    with smoke.streams.at(0, 0), smoke.streams.scope("x"):
        with smoke.streams.scope("generate"):
            fake = smoke.generator(source, training=True)
        g_loss, logs = smoke.generator_loss((source, target))
        d_loss, _ = smoke.discriminator_loss((source, target))
    of_real, of_fake = (smoke.discriminator([image, source]).numpy() for image in (target, fake))
    softplus = lambda x: np.log1p(np.exp(x))  # noqa: E731
    l1 = np.abs(fake - target).mean()
    np.testing.assert_allclose(logs["l1"], l1, rtol=1e-5)
    np.testing.assert_allclose(g_loss, softplus(-of_fake).mean() + 100 * l1, rtol=1e-5)
    np.testing.assert_allclose(d_loss, (softplus(-of_real).mean() + softplus(of_fake).mean()) / 2, rtol=1e-5)


def test_d_looks_at_the_source(smoke):
    source, target = smoke.example_batch()
    other, _ = smoke.example_batch(seed=9)
    logits = [smoke.discriminator([target, s]).numpy() for s in (source, other)]
    assert np.abs(logits[0] - logits[1]).max() > 1e-4


def test_the_unconditional_d_does_not():
    gan = Pix2Pix.from_preset("smoke", architecture="unconditional")
    gan.compile()
    source, target = gan.example_batch()
    other, _ = gan.example_batch(seed=9)
    losses = []
    for s in (source, other):
        logits = gan.discriminator(gan.conditioned(target, s))
        losses.append(gan.adversarial_loss.discriminator(logits, logits)[0])
    assert float(losses[0]) == float(losses[1])
    gan.fit(tf.data.Dataset.from_tensors((source, target)).repeat(), steps_per_epoch=1, verbose=0)
    assert gan.step == 1 and len(gan.discriminator.inputs) == 1


def test_terms_can_be_left_out():
    batch = None
    for weights, terms in (((0.0, 1.0), ("adversarial_loss",)), ((10.0, 0.0), ("l1",))):
        gan = Pix2Pix.from_preset("smoke", l1_weight=weights[0], adversarial_weight=weights[1])
        batch = gan.example_batch()
        with gan.streams.at(0, 0), gan.streams.scope("x"):
            loss, logs = gan.generator_loss(batch)
        np.testing.assert_allclose(loss, (weights[0] or weights[1]) * logs[terms[0]], rtol=1e-6)


def test_noise_when_translating(smoke):
    images = smoke.example_batch(70)[0].numpy()
    first = smoke.translate(images, seed=1)
    assert first.shape == (70, 8, 8, 1) and first.dtype == np.float32 and np.abs(first).max() <= 1
    np.testing.assert_array_equal(first, smoke.translate(images, seed=1))
    np.testing.assert_allclose(first[:3], smoke.translate(images[:3], seed=1), atol=1e-5)
    assert np.abs(first - smoke.translate(images, seed=2)).max() > 1e-3
    assert np.abs(smoke.translate(images) - smoke.translate(images)).max() > 1e-3
    same = np.repeat(images[:1], 3, axis=0)
    several = smoke.translate(same, seed=0)  # each image has noise of its own
    assert np.abs(several[0] - several[1]).max() > 1e-3
    state = [v.numpy() for v in smoke.state()]
    smoke.translate(images, seed=1)
    for before, after in zip(state, smoke.state(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_average_translates_with_the_same_noise():
    gan = Pix2Pix.from_preset("smoke", ema_decay=0.9)
    single = Pix2Pix.from_preset("smoke", ema_decay=None)
    images = gan.example_batch(4)[0].numpy()
    np.testing.assert_allclose(gan.translate(images, seed=4), single.translate(images, seed=4), atol=1e-6)


def test_without_dropout_there_is_one_translation():
    gan = Pix2Pix.from_preset("smoke", dropout=0.0)
    images = gan.example_batch(4)[0].numpy()
    np.testing.assert_array_equal(gan.translate(images, seed=0), gan.translate(images, seed=1))


def test_it_learns_a_translation():
    """Inversion, by L1 and the game: after 150 steps the distance is less than a third of what it was."""
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(0, 256, (64, 2, 2, 1)), np.ones((1, 4, 4, 1))).astype(np.uint8)
    pairs = data.pairs_from_arrays(blocks, 255 - blocks)
    gan = Pix2Pix.from_preset("smoke", learning_rate=2e-3, dropout=0.0)
    distances = [
        np.abs(gan.generator(pairs.to_numpy()[0]).numpy() - pairs.to_numpy()[1]).mean() for _ in range(1)
    ]
    gan.fit(pairs.batch(4), steps_per_epoch=150, verbose=0)
    distances.append(np.abs(gan.generator(pairs.to_numpy()[0]).numpy() - pairs.to_numpy()[1]).mean())
    assert distances[1] < distances[0] / 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.translate(np.zeros((2, 9, 9, 1), np.float32)), r"give floats \(n, 8, 8, 1\)"),
        (lambda g: g.translate(np.zeros((2, 8, 8, 1), np.uint8)), "images are uint8"),
        (lambda g: g.translate(np.full((2, 8, 8, 1), 255.0)), "scale them to"),
        (lambda g: g.translate(np.full((2, 8, 8, 1), np.nan)), "scale them to"),
        (lambda g: g.translate(np.zeros((2, 8, 8, 1)), seed=0.5), "seed=0.5"),
    ],
)
def test_what_it_cannot_translate(smoke, call, message):
    with pytest.raises(InputError, match=message):
        call(smoke)


def test_there_is_nothing_to_sample(smoke):
    assert not smoke.sampled and not hasattr(smoke, "sample") and not hasattr(smoke, "sample_latents")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda: data.load("fashion_mnist", resolution=8).batch(4), "takes batches of pairs of images"),
        (lambda: data.load("fashion_mnist", resolution=8, labels=True).batch(4), "takes batches of pairs"),
        (
            lambda: data.paired("edges_to_fashion", resolution=16).batch(4),
            r"sources have shape \(4, 16, 16, 1\)",
        ),
        (lambda: data.paired("edges_to_fashion", resolution=8, channels=3).batch(4), "sources have shape"),
        (lambda: data.paired("edges_to_fashion", resolution=8), r"and \.batch\(n\) of it"),
    ],
)
def test_batches_that_do_not_fit(smoke, dataset, message):
    with pytest.raises(InputError, match=message):
        smoke.fit(dataset(), steps_per_epoch=1, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 24}, "is not a power of two"),
        ({"resolution": 24, "depth": 4}, "multiples of 16"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"l1_weight": -1}, "l1_weight=-1"),
        ({"adversarial_weight": float("inf")}, "adversarial_weight=inf"),
        ({"receptive_field": 70}, "use 1 or 16"),
        ({"learning_rate": 0}, "learning_rate=0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        Pix2Pix.from_preset("smoke", **arguments)


def test_another_depth():
    gan = Pix2Pix(resolution=24, depth=3, base_channels=2, receptive_field=16)
    assert gan.generator.output_shape == (None, 24, 24, 3)
    assert isinstance(gan.generator.layers[-1], keras.layers.Activation)
