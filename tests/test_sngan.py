"""SNGAN against its paper: parameter counts to the integer, shapes, recipe, and a D that stays flat."""

import numpy as np
import pytest
import tensorflow as tf

from ganlib import losses
from ganlib.catalogue import zero_weights
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization, GlobalSumPooling2D
from ganlib.layers.spectral_normalization import SpectralNormalized
from ganlib.models import SNGAN


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.fixture(scope="module")
def resnet():
    return SNGAN.from_preset("cifar10_32")


def test_resnet_is_table_4(resnet):
    assert trainable(resnet.generator) == 4_276_739
    assert trainable(resnet.discriminator) == 1_053_825
    sums = [tuple(layer.output.shape[1:]) for layer in resnet.generator.layers if "add" in layer.name]
    assert sums == [(8, 8, 256), (16, 16, 256), (32, 32, 256)]
    sums = [tuple(layer.output.shape[1:]) for layer in resnet.discriminator.layers if "add" in layer.name]
    assert sums == [(16, 16, 128), (8, 8, 128), (8, 8, 128), (8, 8, 128)]
    norms = [layer for layer in resnet.generator.layers if isinstance(layer, BatchNormalization)]
    assert [(n.momentum, n.epsilon) for n in norms] == [(0.9, 2e-5)] * 7


def test_every_weight_of_d_is_normalised_and_none_of_g(resnet):
    normalised = [layer for layer in resnet.discriminator.layers if isinstance(layer, SpectralNormalized)]
    assert len(normalised) == 3 + 3 + 2 + 2 + 1
    kernels = [v for v in resnet.discriminator.trainable_variables if v.name == "kernel"]
    assert [id(layer.kernel) for layer in normalised] == [id(kernel) for kernel in kernels]
    assert {layer.iterations for layer in normalised} == {1}
    assert not any(isinstance(layer, SpectralNormalized) for layer in resnet.generator.layers)


def test_initial_weights_are_glorots_times_the_root_of_two(resnet):
    for network in resnet.players().values():
        for kernel in (v for v in network.trainable_variables if v.name == "kernel"):
            receptive = int(np.prod(kernel.shape[:-2]))
            gain = 2 if receptive == 9 and kernel.shape[-1] != 3 else 1
            bound = np.sqrt(gain * 6 / (receptive * (kernel.shape[-2] + kernel.shape[-1])))
            assert 0.95 * bound < np.abs(kernel.numpy()).max() <= 1.0001 * bound


@pytest.mark.parametrize("preset", ["cifar10_32", "cifar10_32_cnn"])
def test_recipe(preset):
    gan = SNGAN.from_preset(preset, base_channels=8)
    gan.compile()
    assert (gan.n_critic, gan.batch_size, gan.latent_dim, gan.ema_decay) == (5, 64, 128, None)
    assert gan.latent_distribution == "normal" and isinstance(gan.adversarial_loss, losses.Hinge)
    for optimizer in gan.optimizers().values():
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)


def test_cnn_is_table_3():
    gan = SNGAN.from_preset("cifar10_32_cnn")
    assert gan.get_config()["architecture"] == "cnn"
    dense = (128 + 1) * 4 * 4 * 512 + 2 * 512  # with its batch norm
    transposed = 16 * (512 * 256 + 256 * 128 + 128 * 64) + 3 * (256 + 128 + 64)
    assert trainable(gan.generator) == dense + transposed + 9 * 64 * 3 + 3 == 3_813_379
    kinds = [type(layer).__name__ for layer in gan.generator.layers]
    assert kinds[1:5] == ["Dense", "Reshape", "BatchNormalization", "ReLU"]
    assert [kinds.count(kind) for kind in ("BatchNormalization", "ReLU", "Conv2DTranspose")] == [4, 4, 3]
    kernels = [
        v for network in gan.players().values() for v in network.trainable_variables if v.name == "kernel"
    ]
    assert len(kernels) == 5 + 8
    for kernel in kernels:
        assert kernel.numpy().std() == pytest.approx(0.02, rel=0.05)
    convolutions, last = 0, 3
    for channels in (64, 128, 256):
        convolutions += (9 * last + 1) * channels + (16 * channels + 1) * channels
        last = channels
    assert trainable(gan.discriminator) == convolutions + (9 * 256 + 1) * 512 + 4 * 4 * 512 + 1
    assert all(
        layer.negative_slope == pytest.approx(0.1)
        for layer in gan.discriminator.layers
        if "leaky" in layer.name
    )


def test_cnn_at_48():
    with zero_weights():
        gan = SNGAN("cnn", 48)
    # 1,472 are the dense layer's batch norm (2 x 512) and the biases of transposed convolutions (256 + 128 + 64)
    assert trainable(gan.generator) == 5_132_867 + 1_472


def test_mimicrys_resnets():
    # its constructors, run with a stand-in for torch that counts
    counted = {
        32: (4_276_739, 1_053_825), 48: (4_878_083, 10_141_441), 64: (12_220_675, 10_141_441),
        128: (32_150_787, 29_017_857),
    }  # fmt: skip
    sizes = {32: [16, 8, 8, 8], 48: [24, 12, 6, 3, 3], 64: [32, 16, 8, 4, 2], 128: [64, 32, 16, 8, 4, 4]}
    with zero_weights():
        for resolution, expected in counted.items():
            gan = SNGAN("mimicry", resolution)
            assert tuple(trainable(network) for network in gan.players().values()) == expected
            sums = [layer for layer in gan.discriminator.layers if "add" in layer.name]
            assert [layer.output.shape[1] for layer in sums] == sizes[resolution]
        presets = [SNGAN.from_preset(name) for name in ("stl_48", "celeba_64", "lsun_128")]
        with pytest.raises(InputError, match="resolution=96: mimicry's networks are for 32, 48, 64, 128"):
            SNGAN("mimicry", 96)
    assert [(gan.image_shape[0], gan.n_critic, gan.batch_size) for gan in presets] == [
        (48, 5, 64), (64, 5, 64), (128, 2, 64),
    ]  # fmt: skip


@pytest.mark.parametrize(("resolution", "downs"), [(8, 1), (16, 1), (28, 1), (64, 3)])
def test_resolutions(resolution, downs):
    gan = SNGAN(resolution=resolution, base_channels=4, channels=1)
    assert gan.image_shape == (resolution, resolution, 1)
    last = [layer for layer in gan.discriminator.layers if "add" in layer.name][-1]
    assert last.output.shape[1] == resolution // 2**downs


def test_sums_over_pixels():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    np.testing.assert_allclose(GlobalSumPooling2D()(x), x.sum(axis=(1, 2)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("preset", ["smoke", pytest.param("cifar10_32_cnn", marks=pytest.mark.long)])
def test_sigma_stays_at_one_while_training(preset):
    small = {
        "resolution": 8,
        "channels": 1,
        "latent_dim": 8,
        "base_channels": 4,
        "n_critic": 2,
        "batch_size": 8,
    }
    gan = SNGAN.from_preset(preset, **small, learning_rate=2e-3)
    gan.compile()
    images = tf.random.stateless_uniform((80, 8, 8, 1), (0, 1), -1, 1)
    layers = [layer for layer in gan.discriminator.layers if isinstance(layer, SpectralNormalized)]
    before = [layer.kernel.numpy() for layer in layers]
    gan.fit(tf.data.Dataset.from_tensor_slices(images).batch(8), steps_per_epoch=30, verbose=0)
    for layer, start in zip(layers, before, strict=True):
        assert not np.allclose(layer.kernel, start, atol=1e-3)
        matrix = np.reshape(layer.normalized_weight(), [-1, layer.kernel.shape[-1]])
        assert abs(np.linalg.svd(matrix, compute_uv=False)[0] - 1) < 0.1  # one power step a call follows


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SNGAN(resolution=30), "resolution=30 is not"),
        (lambda: SNGAN("cnn", resolution=36), "resolution=36 is not a multiple of 8"),
        (lambda: SNGAN(base_channels=0), "base_channels=0 is out of range"),
        (lambda: SNGAN(learning_rate=-1.0), r"learning_rate=-1.0 is out of range"),
        (lambda: SNGAN(discriminator_learning_rate=0), "discriminator_learning_rate=0 is out of range"),
        (lambda: SNGAN.from_preset("smoke", n_critic=0), "n_critic=0 is out of range"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
