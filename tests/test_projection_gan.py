"""Projection GAN against its paper: parameter counts to the integer, eq. 3, and the baseline by concatenation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import losses
from ganlib.catalogue import zero_weights
from ganlib.errors import InputError
from ganlib.layers import (
    BatchNormalization,
    ConcatenateEverywhere,
    ConditionalBatchNormalization,
    SpectralProjection,
)
from ganlib.layers.sizes import constant_widths, doubling_widths
from ganlib.layers.spectral_normalization import SpectralNormalized
from ganlib.models import ProjectionGAN


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.fixture(scope="module")
def resnet():
    return ProjectionGAN.from_preset("cifar10_32")


def normalised(network):
    return [layer for layer in network._flatten_layers() if isinstance(layer, SpectralNormalized)]


def test_resnet_32_is_the_authors(resnet):
    assert trainable(resnet.generator) == 4_304_387
    assert trainable(resnet.discriminator) == 1_055_105  # theirs has no last bias: 1,055,104
    norms = [layer for layer in resnet.generator.layers if isinstance(layer, ConditionalBatchNormalization)]
    assert [(n.num_classes, n.momentum, n.epsilon) for n in norms] == [(10, 0.9, 2e-5)] * 6
    assert sum(isinstance(layer, BatchNormalization) for layer in resnet.generator.layers) == 1
    assert len(normalised(resnet.discriminator)) == 3 + 3 + 2 + 2 + 2 and not normalised(resnet.generator)


def test_recipe(resnet):
    resnet.compile()
    assert (resnet.n_critic, resnet.batch_size, resnet.latent_dim, resnet.ema_decay) == (5, 64, 128, None)
    assert isinstance(resnet.adversarial_loss, losses.Hinge) and resnet.classes.num_classes == 10
    for optimizer in resnet.optimizers().values():
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)


def test_imagenet_pair_doubles_its_channels():
    assert doubling_widths(128, 64) == ([1024, 1024, 512, 256, 128, 64], [64, 128, 256, 512, 1024], [1024])
    assert constant_widths(32, 256) == ([256] * 4, [128] * 2, [128] * 2)
    gan = ProjectionGAN.from_preset("imagenet_128", base_channels=2, num_classes=7)
    assert gan.get_config()["architecture"] == "wide" and (gan.batch_size, gan.n_critic) == (256, 5)
    sums = [tuple(layer.output.shape[1:]) for layer in gan.generator.layers if "add" in layer.name]
    assert sums == [(8, 8, 32), (16, 16, 16), (32, 32, 8), (64, 64, 4), (128, 128, 2)]
    sums = [tuple(layer.output.shape[1:]) for layer in gan.discriminator.layers if "add" in layer.name][:-1]
    assert sums == [(64, 64, 2), (32, 32, 4), (16, 16, 8), (8, 8, 16), (4, 4, 32), (4, 4, 32)]


def test_mimicrys_pair_for_128():
    with zero_weights():
        gan = ProjectionGAN.from_preset("imagenet_128_mimicry")
    assert (
        trainable(gan.generator) == 41_996_931 == 42_078_852 - 256 * (32 + 32 + 128 + 128) - 1
    )  # SAGAN's less its attention
    assert (
        trainable(gan.discriminator) == 582_497
    )  # all four by its constructors, run with a torch that counts
    assert (gan.batch_size, gan.n_critic) == (64, 5)
    sums = [tuple(layer.output.shape[1:]) for layer in gan.discriminator.layers if "add" in layer.name][:-1]
    assert sums == [(64, 64, 8), (32, 32, 16), (16, 16, 32), (8, 8, 64), (4, 4, 128), (4, 4, 128)]


def test_the_logit_is_equation_3():
    gan = ProjectionGAN.from_preset("smoke", num_classes=4)
    head = next(layer for layer in gan.discriminator.layers if isinstance(layer, SpectralProjection))
    features = keras.Model(gan.discriminator.inputs, head.input[0])
    last = gan.discriminator.layers[-3:]
    psi = next(layer for layer in last if layer.name.startswith("spectral_dense"))
    images = tf.random.stateless_uniform((5, 8, 8, 1), (0, 1), -1, 1)
    labels = tf.constant([0, 3, 1, 2, 3])
    phi = features([images, labels])
    rows = tf.gather(head.embedding.normalized_weight(), labels)
    expected = tf.reduce_sum(rows * phi, axis=1, keepdims=True) + psi(phi)
    np.testing.assert_allclose(gan.discriminator([images, labels]), expected, rtol=1e-4, atol=1e-5)
    assert phi.shape == (5, 4) and np.all(phi >= 0)  # sums of activations


def test_classes_differ_by_their_rows_alone():
    gan = ProjectionGAN.from_preset("smoke", num_classes=3, ema_decay=None)
    one, other = (gan.sample(4, labels=label, seed=0) for label in (0, 2))
    np.testing.assert_array_equal(one, other)  # all rows start alike
    for layer in gan.generator.layers:
        if isinstance(layer, ConditionalBatchNormalization):
            layer.beta.assign(tf.concat([layer.beta[:2], layer.beta[2:] + 1.0], axis=0))
    np.testing.assert_array_equal(gan.sample(4, labels=1, seed=0), one)
    assert np.abs(gan.sample(4, labels=2, seed=0) - one).max() > 1e-3


def test_concatenation_is_the_same_game_with_another_d():
    gan = ProjectionGAN.from_preset("cifar10_32_concat", base_channels=16)
    twin = ProjectionGAN(base_channels=16)
    assert gan.get_config()["architecture"] == "concat"
    assert trainable(gan.generator) == trainable(twin.generator)
    # V leaves, a table of 4 numbers a class comes, and the first block behind is wider: 8 + 4 channels in and inside
    first = 9 * 12 * 12 + 12 + 9 * 12 * 8 + 8 + 12 * 8 + 8
    assert trainable(gan.discriminator) == trainable(twin.discriminator) - 80 + 40 + first - 2 * (
        9 * 8 * 8 + 8
    )
    assert len(normalised(gan.discriminator)) == 3 + 3 + 3 + 2 + 2  # that block has a shortcut with weights
    images = tf.random.stateless_uniform((3, 32, 32, 3), (0, 1), -1, 1)
    logits = [gan.discriminator([images, tf.fill([3], label)]) for label in (0, 1)]
    assert logits[0].shape == (3, 1) and np.abs(logits[0] - logits[1]).max() > 1e-6


def test_a_vector_everywhere():
    x = tf.random.stateless_normal((2, 3, 4, 5), (0, 1))
    v = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    found = ConcatenateEverywhere()([x, v])
    np.testing.assert_array_equal(found[..., :5], x)
    np.testing.assert_array_equal(found[..., 5:], np.broadcast_to(v[:, None, None, :], (2, 3, 4, 2)))
    assert ConcatenateEverywhere().compute_output_shape([(None, 3, 4, 5), (None, 2)]) == (None, 3, 4, 7)


@pytest.mark.parametrize("resolution", [8, 16, 28, 64])
def test_resolutions(resolution):
    gan = ProjectionGAN(resolution=resolution, base_channels=4, channels=1, num_classes=2)
    assert gan.image_shape == (resolution, resolution, 1)
    assert gan.discriminator([tf.zeros([1, resolution, resolution, 1]), tf.constant([1])]).shape == (1, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ProjectionGAN(resolution=30), "resolution=30 is not"),
        (lambda: ProjectionGAN(num_classes=-1), "num_classes=-1 is out of range"),
        (lambda: ProjectionGAN(learning_rate=0.0), r"learning_rate=0.0 is out of range"),
        (lambda: ProjectionGAN.from_preset("smoke", batch_size=0), "batch_size=0 is out of range"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
