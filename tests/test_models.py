"""Networks and recipes against their papers: counts to the integer, shapes, initial values, presets."""

import keras
import numpy as np
import pytest

from ganlib import losses
from ganlib.catalogue import zero_weights
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization
from ganlib.layers.sizes import smallest_size
from ganlib.models import DCGAN, VanillaGAN


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_dcgan_is_figure_1():
    gan = DCGAN.from_preset("lsun_64")
    assert trainable(gan.generator) == 18_855_040
    # D mirrors G: the same convolutions, batch norm on three of them, 4 x 4 x 1024 -> 1
    convolutions = 25 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024)
    assert trainable(gan.discriminator) == convolutions + 2 * (256 + 512 + 1024) + 4 * 4 * 1024
    shapes = [tuple(layer.output.shape[1:]) for layer in gan.generator.layers if "conv" in layer.name]
    assert shapes == [(8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]
    assert not any("bias" in v.name for n in gan.players().values() for v in n.weights)
    assert (gan.latent_distribution, gan.latent_dim, gan.batch_size, gan.ema_decay) == (
        "uniform",
        100,
        128,
        None,
    )
    gan.compile()
    for optimizer in gan.optimizers().values():
        assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(2e-4), 0.5)


def test_dcgan_keeps_its_own_rules():
    gan = DCGAN.from_preset("lsun_64")
    kinds = {
        name: [type(layer).__name__ for layer in network.layers] for name, network in gan.players().items()
    }
    assert not {k for names in kinds.values() for k in names if "Pooling" in k or "Dropout" in k}
    assert kinds["generator"].count("ReLU") == kinds["generator"].count("BatchNormalization") == 4
    assert kinds["discriminator"].count("LeakyReLU") == 4
    assert kinds["discriminator"].count("BatchNormalization") == 3  # not on D's input layer
    assert kinds["generator"][-2:] == ["Conv2DTranspose", "Activation"]  # not on G's output layer
    assert all(
        layer.negative_slope == pytest.approx(0.2)
        for layer in gan.discriminator.layers
        if "leaky" in layer.name
    )


def test_dcgan_initial_values():
    gan = DCGAN.from_preset("lsun_64", base_channels=64)
    kernels = [v.numpy().ravel() for n in gan.players().values() for v in n.weights if v.name == "kernel"]
    assert all(abs(k.std() - 0.02) < 2e-3 and abs(k.mean()) < 2e-3 for k in kernels)
    gammas = np.concatenate(
        [v.numpy() for n in gan.players().values() for v in n.weights if v.name == "gamma"]
    )
    assert abs(gammas.mean() - 1) < 2e-3 and abs(gammas.std() - 0.02) < 2e-3
    firsts = [k[:4] for k in kernels]
    assert len({tuple(f) for f in firsts}) == len(firsts)  # no two layers start alike


@pytest.mark.parametrize(
    ("resolution", "size", "stages"), [(64, 4, 4), (32, 4, 3), (28, 7, 2), (128, 4, 5), (48, 6, 3)]
)
def test_dcgan_resolutions(resolution, size, stages):
    assert smallest_size(resolution) == (size, stages)
    if resolution < 64:
        for channels in (1, 3):
            gan = DCGAN(resolution=resolution, channels=channels, base_channels=4, ema_decay=0.9)
            assert gan.image_shape == (resolution, resolution, channels)
            assert gan.sample(2, seed=0).shape == (2, resolution, resolution, channels)


@pytest.mark.parametrize("resolution", [4, 7, 27, 30, 36, 4.0, "32", True, -8])
def test_resolutions_that_dcgan_cannot_make(resolution):
    with pytest.raises(InputError, match="resolution="):
        DCGAN(resolution=resolution)


def test_lecture_pair():
    gan = DCGAN.from_preset("cmu_28")
    assert gan.get_config()["architecture"] == "lecture" and len(gan.updates()[0].rows) == 2  # one move
    # TensorFlow's tutorial prints 2,330,944 for G, of which 25,472 are batch-norm statistics
    assert trainable(gan.generator) == 2_305_472 and gan.generator.count_params() == 2_330_944
    assert trainable(gan.discriminator) == 212_865
    gan.compile()
    assert [float(o.learning_rate) for o in gan.optimizers().values()] == [pytest.approx(1e-4)] * 2
    assert (gan.batch_size, gan.ema_decay, gan.latent_distribution) == (256, None, "normal")


def test_mimicrys_resnets_play_dcgans_game():
    # its constructors, run with a stand-in for torch that counts
    counted = {
        32: (4_276_739, 1_053_825), 48: (4_878_083, 10_141_441), 64: (12_220_675, 10_141_441),
        128: (32_150_787, 29_017_857),
    }  # fmt: skip
    with zero_weights():
        for resolution, expected in counted.items():
            gan = DCGAN("mimicry", resolution)
            assert tuple(trainable(network) for network in gan.players().values()) == expected
        gan = DCGAN.from_preset("cifar10_32_mimicry")
    assert not any("Spectral" in type(layer).__name__ for layer in gan.discriminator.layers)
    gan.compile()
    assert [(o.beta_1, o.beta_2, float(o.learning_rate)) for o in gan.optimizers().values()] == [
        (0.0, 0.9, pytest.approx(2e-4))
    ] * 2
    found = (gan.n_critic, gan.batch_size, gan.latent_dim, gan.latent_distribution)
    assert found == (5, 64, 128, "normal") and isinstance(gan.adversarial_loss, losses.NonSaturating)


def test_vanilla_gan_is_the_authors_mnist_configuration():
    gan = VanillaGAN.from_preset("mnist_28")
    assert trainable(gan.generator) == (100 + 1) * 1200 + (1200 + 1) * 1200 + (1200 + 1) * 784
    assert trainable(gan.discriminator) == (784 + 1) * 1200 + (240 + 1) * 1200 + 241
    rates = [layer.rate for layer in gan.discriminator.layers if type(layer).__name__ == "Dropout"]
    assert rates == [pytest.approx(0.2), 0.5, 0.5]
    kernels = {name: network.trainable_variables[0].numpy() for name, network in gan.players().items()}
    assert 0.0499 < np.abs(kernels["generator"]).max() <= 0.05
    assert 0.00499 < np.abs(kernels["discriminator"]).max() <= 0.005
    images = gan.sample(4, seed=0)
    assert images.shape == (4, 28, 28, 1) and images.min() >= -1 and images.max() <= 1


def test_vanilla_gan_sees_the_papers_range():
    gan = VanillaGAN.from_preset("smoke")
    rescaling = next(layer for layer in gan.discriminator.layers if type(layer).__name__ == "Rescaling")
    np.testing.assert_allclose(rescaling(np.array([[-1.0, 0.0, 1.0]])), [[0.0, 0.5, 1.0]])


def test_vanilla_gan_on_points():
    gan = VanillaGAN.from_preset("points_2d")
    assert gan.image_shape == (2,) and gan.sample(7, seed=1).shape == (7, 2)
    assert gan.generator.layers[-1].get_config()["activation"] == "linear"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DCGAN.from_preset("labtop"), "no preset 'labtop': choose one of smoke, laptop"),
        (
            lambda: DCGAN.from_preset("smoke", chanels=3),
            "no argument 'chanels': it takes architecture, resolution, channels",
        ),
        (lambda: VanillaGAN(dropout=1.0), r"dropout=1.0 is out of range"),
        (lambda: VanillaGAN(learning_rate=0), r"learning_rate=0 is out of range"),
        (lambda: DCGAN(learning_rate=-1), r"learning_rate=-1 is out of range"),
        (lambda: DCGAN(ema_decay=1.5), r"ema_decay=1.5 is out of range"),
        (lambda: DCGAN("lecture", n_critic=2), "n_critic=2: 'lecture' moves both networks at once"),
        (lambda: DCGAN(latent_distribution="cauchy"), "choose 'normal' or 'uniform'"),
        (lambda: VanillaGAN(units=0), r"units=0 is out of range"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_batch_normalisation_equals_kerass():
    x = np.random.default_rng(0).normal(2, 3, (6, 5, 5, 4)).astype("float32")
    arguments = {"momentum": 0.8, "epsilon": 1e-4, "gamma_initializer": "ones"}
    for inputs in (x, x[:, 0, 0]):
        ours, theirs = BatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)
        for training in (True, True, False):
            np.testing.assert_allclose(
                ours(inputs, training=training), theirs(inputs, training=training), atol=1e-5
            )
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)


def test_maxout_is_the_largest_of_its_pieces():
    from ganlib.layers import Maxout

    layer = Maxout(2, 3)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    y = layer(x).numpy()
    kernel, bias = layer.get_weights()
    affine = (x @ kernel + bias).reshape(4, 2, 3)
    np.testing.assert_allclose(y, affine.max(axis=2), rtol=1e-5)
    assert layer.compute_output_shape((None, 5)) == (None, 2)
    clone = Maxout.from_config(layer.get_config())
    assert (clone.units, clone.pieces) == (2, 3)
