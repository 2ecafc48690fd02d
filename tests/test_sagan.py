"""SAGAN against its paper and the official code: counts to the integer, where attention is, who is normalised."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ganlib import losses
from ganlib.catalogue import zero_weights
from ganlib.errors import InputError
from ganlib.layers import ConditionalBatchNormalization, SelfAttention, SpectralSelfAttention
from ganlib.layers.spectral_normalization import SpectralNormalized
from ganlib.models import SAGAN


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def attentions(network):
    return [layer for layer in network.layers if isinstance(layer, SelfAttention)]


def flat(network):
    return list(network._flatten_layers(include_self=False))


@pytest.fixture(scope="module")
def paper():
    return SAGAN.from_preset("imagenet_128", ema_decay=None)


def test_the_papers_pair(paper):
    assert trainable(paper.generator) == 42_078_852
    # by blocks of the official code: 3x3, 3x3 and 1x1 convolutions with biases, hidden channels the output's
    widths, count = [3, 64, 128, 256, 512, 1024], 0
    for a, b in itertools.pairwise(widths):
        count += (9 * a + 1) * b + (9 * b + 1) * b + (a + 1) * b
    count += 2 * (9 * 1024 + 1) * 1024 + 1025 + 1000 * 1024
    attention = 128 * (16 + 16 + 64 + 64) + 1
    assert trainable(paper.discriminator) == count + attention == 39_463_618
    sums = [tuple(layer.output.shape[1:]) for layer in paper.generator.layers if "add" in layer.name]
    assert sums == [(8, 8, 1024), (16, 16, 512), (32, 32, 256), (64, 64, 128), (128, 128, 64)]


def test_attention_is_at_32(paper):
    places = {player: attentions(network) for player, network in paper.players().items()}
    assert [layer.input.shape[1:] for layer in places["generator"]] == [(32, 32, 256)]
    assert [layer.input.shape[1:] for layer in places["discriminator"]] == [(32, 32, 128)]
    assert all(isinstance(layer, SpectralSelfAttention) for layers in places.values() for layer in layers)


def test_recipe(paper):
    paper.compile()
    rates = {player: float(o.learning_rate) for player, o in paper.optimizers().items()}
    assert rates == {"generator": pytest.approx(1e-4), "discriminator": pytest.approx(4e-4)}
    assert all((o.beta_1, o.beta_2) == (0.0, 0.9) for o in paper.optimizers().values())
    assert (paper.n_critic, paper.batch_size, paper.latent_dim) == (1, 256, 128)
    assert paper.classes.num_classes == 1000
    assert isinstance(paper.adversarial_loss, losses.Hinge)
    assert (
        SAGAN.from_preset("smoke").ema_decay == 0.9
        and SAGAN(resolution=16, attention=8, base_channels=8).ema_decay == 0.999
    )


def test_every_weight_of_both_is_normalised(paper):
    for network in paper.players().values():
        weights = [layer for layer in flat(network) if isinstance(layer, SpectralNormalized)]
        tables = [layer for layer in flat(network) if isinstance(layer, ConditionalBatchNormalization)]
        names = {"kernel", "embeddings"}
        assert {v.path for v in network.trainable_variables if v.name in names} == {
            layer.raw_weight.path for layer in weights
        }
        assert len(tables) == (10 if network is paper.generator else 0)


def test_mimicrys_pair_for_32():
    gan = SAGAN.from_preset("cifar10_32", ema_decay=None)
    assert gan.get_config()["architecture"] == "constant"
    assert trainable(gan.generator) == 4_304_387 + 256 * (32 + 32 + 128 + 128) + 1 == 4_386_308
    assert trainable(gan.discriminator) == 1_055_105 + 128 * (16 + 16 + 64 + 64) + 1 == 1_075_586
    assert [layer.input.shape[1] for layer in attentions(gan.generator)] == [16]
    assert [layer.input.shape[1] for layer in attentions(gan.discriminator)] == [8]


def test_mimicrys_pair_for_128():
    with zero_weights():
        gan = SAGAN.from_preset("imagenet_128_mimicry")
    assert (
        trainable(gan.generator) == 42_078_852
    )  # by its constructors, run with a stand-in for torch that counts
    assert trainable(gan.discriminator) == 582_818 == 582_497 + 16 * (2 + 2 + 8 + 8) + 1
    places = [layer.input.shape[1:] for network in gan.players().values() for layer in attentions(network)]
    assert places == [(32, 32, 256), (32, 32, 16)] and gan.batch_size == 64


def test_without_attention_nothing_else_changes():
    with_, without = SAGAN.from_preset("smoke"), SAGAN.from_preset("smoke", attention=None)
    assert trainable(with_.generator) - trainable(without.generator) == 16 * (2 + 2 + 8 + 8) + 1
    assert trainable(with_.discriminator) - trainable(without.discriminator) == 8 * (1 + 1 + 4 + 4) + 1
    with pytest.raises(InputError, match="has no self-attention layer"):
        without.attention_maps(1)


def test_spectral_normalisation_in_d_alone():
    gan = SAGAN.from_preset("smoke", architecture="plain_generator")
    assert gan.get_config()["architecture"] == "plain_generator"
    assert not [layer for layer in flat(gan.generator) if isinstance(layer, SpectralNormalized)]
    assert [layer for layer in flat(gan.discriminator) if isinstance(layer, SpectralNormalized)]
    assert type(attentions(gan.generator)[0]) is SelfAttention
    assert trainable(gan.generator) == trainable(SAGAN.from_preset("smoke").generator)


def test_gamma_starts_at_zero_and_moves_at_once():
    gan = SAGAN.from_preset("smoke", learning_rate=1e-3, discriminator_learning_rate=2e-3)
    gan.compile(run_eagerly=True)
    gammas = [attentions(network)[0].gamma for network in gan.players().values()]
    assert [float(gamma) for gamma in gammas] == [0.0, 0.0]
    images = tf.random.stateless_uniform((8, 16, 16, 1), (0, 1), -1, 1)
    data = tf.data.Dataset.from_tensors((images, tf.range(8) % 10)).repeat()
    gan.fit(data, steps_per_epoch=1, verbose=0)
    # Adam's first step is the learning rate, whatever the gradient's size
    np.testing.assert_allclose([abs(float(gamma)) for gamma in gammas], [1e-3, 2e-3], rtol=1e-3)


def test_attention_maps_of_samples():
    gan = SAGAN.from_preset("smoke")
    images, maps = gan.attention_maps(3, labels=[0, 1, 9], seed=4)
    np.testing.assert_array_equal(images, gan.sample(3, labels=[0, 1, 9], seed=4))
    assert maps.shape == (3, 8, 8, 4, 4)
    np.testing.assert_allclose(maps.sum((3, 4)), 1, rtol=1e-5)
    assert maps.std() > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SAGAN(resolution=64, attention=64),
            "attention=64: with resolution=64 choose one of 32, 16, 8",
        ),
        (
            lambda: SAGAN(resolution=8, attention=8),
            "attention=8: with resolution=8 choose one of no resolution",
        ),
        (
            lambda: SAGAN.from_preset("smoke", base_channels=4),
            "4 channels: self-attention needs a multiple of 8",
        ),
        (lambda: SAGAN(num_classes=0), "num_classes=0 is out of range"),
        (lambda: SAGAN(discriminator_learning_rate=0), "discriminator_learning_rate=0 is out of range"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
