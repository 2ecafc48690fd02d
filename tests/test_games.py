"""WGAN, WGAN-GP, LSGAN, DRAGAN: networks to the integer, recipes, and what each game does to D."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.catalogue import zero_weights
from ganlib.errors import InputError
from ganlib.layers import LayerNormalization
from ganlib.models import DRAGAN, LSGAN, WGAN, WGANGP
from ganlib.models.wgan_gp import critic
from ganlib.penalties import DRAGANPenalty, GradientPenalty


def counts(gan):
    return [sum(int(np.prod(v.shape)) for v in n.trainable_variables) for n in gan.players().values()]


def batches(gan):
    images = tf.random.stateless_uniform((6 * gan.batch_size, *gan.image_shape), (3, 1), -1, 1)
    return tf.data.Dataset.from_tensor_slices(images).batch(gan.batch_size, drop_remainder=True)


def dcgan_pair(k, latent_dim, widths, channels):
    """Parameters of figure 1's pair with k x k kernels: widths from the image inwards, 4x4 at the end."""
    kernels = k * k * (channels * widths[0] + sum(a * b for a, b in itertools.pairwise(widths)))
    last = 16 * widths[-1]
    return [latent_dim * last + kernels + 2 * sum(widths), kernels + 2 * sum(widths[1:]) + last]


def recipe(gan):
    gan.compile()
    optimizer = gan.optimizers()["discriminator"]
    assert float(gan.optimizers()["generator"].learning_rate) == float(optimizer.learning_rate)
    config = optimizer.get_config()
    return {k: config[k] for k in ("beta_1", "beta_2", "rho", "epsilon") if k in config} | {
        "rate": pytest.approx(float(optimizer.learning_rate)), "n_critic": gan.n_critic, "batch": gan.batch_size,
        "optimizer": type(optimizer).__name__,
        "loss": type(gan.adversarial_loss).__name__, "latents": gan.latent_distribution,
    }  # fmt: skip


def test_wgan_is_algorithm_1_on_dcgan():
    gan = WGAN.from_preset("lsun_64")
    assert counts(gan) == dcgan_pair(4, 100, (64, 128, 256, 512), 3)
    assert recipe(gan) == {
        "optimizer": "RMSprop", "rho": 0.99, "epsilon": 1e-16, "rate": 5e-5, "n_critic": 5, "batch": 64,
        "loss": "Wasserstein", "latents": "normal",
    }  # fmt: skip
    assert gan.tricks[0].limit == 0.01


def test_figures_6_and_7_exchange_the_generator():
    plain, perceptron = WGAN.from_preset("lsun_64_plain"), WGAN.from_preset("lsun_64_mlp")
    assert [gan.get_config()["architecture"] for gan in (plain, perceptron)] == ["plain", "mlp"]
    _, same_critic = dcgan_pair(4, 100, (64, 128, 256, 512), 3)
    assert counts(plain) == [100 * 16 * 64 + 16 * (3 * 64 * 64 + 3 * 64), same_critic]
    assert counts(perceptron) == [101 * 512 + 3 * 513 * 512 + 513 * 64 * 64 * 3, same_critic]
    assert not any("Normalization" in type(layer).__name__ for layer in plain.generator.layers)
    # "reduced by a bit more than an order of magnitude", caption of figure 6
    assert 10 < counts(WGAN())[0] / counts(plain)[0] < 20


def test_every_weight_of_the_critic_is_clipped_after_each_update():
    gan = WGAN.from_preset("smoke", clip=0.005, learning_rate=0.1)
    gan.compile()

    largest = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            largest.append(max(float(np.abs(v.numpy()).max()) for v in gan.discriminator.trainable_variables))

    gan.fit(batches(gan), steps_per_epoch=3, callbacks=[Watch()], verbose=0)
    assert largest == pytest.approx([0.005] * 3)
    assert max(float(np.abs(v.numpy()).max()) for v in gan.generator.trainable_variables) > 0.05


def test_minus_the_critics_loss_estimates_the_distance():
    """Points at distance 3 on a line: the best 1-Lipschitz critic's loss is -3, whatever the generator's weights."""
    from ganlib.gan import GAN
    from ganlib.randomness import seeded

    with seeded(
        1
    ):  # a D that slopes up at first: the penalty also has a minimum at slope -0.85, which would hold it
        generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        hidden = [keras.layers.Dense(32, activation="leaky_relu") for _ in range(2)]
        discriminator = keras.Sequential([keras.Input((1,)), *hidden, keras.layers.Dense(1)])
    gan = GAN(
        generator, discriminator, loss="wasserstein", penalties=[GradientPenalty(10.0)], ema_decay=None,
        generator_optimizer=keras.optimizers.SGD(1e-30), discriminator_optimizer=keras.optimizers.Adam(5e-3),
        batch_size=64,
    )  # fmt: skip
    gan.compile()
    data = tf.data.Dataset.from_tensors(tf.fill([64, 1], 3.0)).repeat()
    logs = gan.fit(data, steps_per_epoch=300, verbose=0).history
    # lambda (s - 1)^2 - 3 s is least at s = 1 + 3 / (2 lambda): the estimate is a little too large
    assert -(logs["real_loss"][-1] + logs["fake_loss"][-1]) == pytest.approx(3 * (1 + 3 / 20), abs=0.1)


def test_wgan_gp_is_the_appendixs_pair():
    gan = WGANGP.from_preset("cifar10_32")
    c, conv = 128, 9 * 128 * 128 + 128
    up = 2 * conv + (c * c + c) + 2 * 2 * c
    generator = 129 * 16 * c + 3 * up + 2 * c + (9 * c * 3 + 3)
    first = (9 * 3 * c + c) + conv + (3 * c + c)
    down = 2 * conv + (c * c + c)
    assert counts(gan) == [generator, first + down + 2 * (2 * conv) + (c + 1)]
    assert recipe(gan) == {
        "optimizer": "Adam", "beta_1": 0.0, "beta_2": 0.9, "epsilon": 1e-8, "rate": 2e-4, "n_critic": 5, "batch": 64,
        "loss": "Wasserstein", "latents": "normal",
    }  # fmt: skip
    (penalty,) = gan.tricks
    assert type(penalty) is GradientPenalty and (penalty.weight, penalty.target) == (10.0, 1.0)
    assert not any("Normalization" in type(layer).__name__ for layer in gan.discriminator.layers)


def test_mimicrys_pairs():
    # its constructors, run with a stand-in for torch that counts
    counted = {
        32: [4_276_739, 1_053_825], 48: [4_878_083, 10_141_441], 64: [12_220_675, 10_141_441],
        128: [32_150_787, 29_017_857],
    }  # fmt: skip
    with zero_weights():
        for resolution, expected in counted.items():
            assert counts(WGANGP("mimicry", resolution)) == expected
        with pytest.raises(InputError, match="resolution=16: mimicry's networks are for 32, 48, 64, 128"):
            WGANGP("mimicry", 16)


def test_critics_start_as_in_the_authors_code():
    """Uniform of deviation sqrt(4 / (fan_in + fan_out)), which "he" is there; sqrt(2 / ...) for shortcuts."""
    kernels = [v for v in critic(16, 3, [128], [128, 128]).trainable_variables if v.name == "kernel"]
    first, second, shortcut = kernels[:3]
    assert tuple(first.shape) == (3, 3, 3, 128) and tuple(shortcut.shape) == (1, 1, 3, 128)
    limits = [np.sqrt(3 * 4 / (9 * (3 + 128))), np.sqrt(3 * 4 / (9 * 256)), np.sqrt(3 * 2 / (3 + 128))]
    for kernel, limit in zip((first, second, shortcut), limits, strict=True):
        values = np.abs(kernel.numpy())
        assert 0.98 * limit < values.max() <= limit * (1 + 1e-6)
        assert values.mean() == pytest.approx(limit / 2, rel=0.15)
    assert np.sqrt(2 / 27) / (limits[0] / np.sqrt(3)) == pytest.approx(
        4.67, abs=0.01
    )  # He et al.'s beside it


def test_a_critic_with_layer_normalisation_still_judges_each_sample_alone():
    network = critic(8, 1, [4], [4, 4], LayerNormalization)
    assert any(isinstance(layer, LayerNormalization) for layer in network.layers)
    images = tf.random.stateless_normal([5, 8, 8, 1], (0, 1))
    np.testing.assert_allclose(network(images)[:2], network(images[:2]), atol=1e-5)


def test_lsgan_plays_on_raw_scores():
    gan = LSGAN.from_preset("lsun_112")
    assert recipe(gan) == {
        "optimizer": "Adam", "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8, "rate": 1e-3, "n_critic": 1, "batch": 64,
        "loss": "LeastSquares", "latents": "uniform",
    }  # fmt: skip
    w = 256
    generator = 1024 * 49 * w + 2 * w + 4 * (9 * w * w + 2 * w)
    generator += (9 * w * 128 + 256) + (9 * 128 * 64 + 128) + (9 * 64 * 3 + 3)
    discriminator = (
        25 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 64 + 2 * (128 + 256 + 512) + 49 * 512 + 1
    )
    assert counts(gan) == [generator, discriminator]
    assert gan.discriminator.layers[-1].get_config()["activation"] == "linear"


def test_dragan_keeps_the_game_and_adds_the_penalty():
    gan = DRAGAN.from_preset("cifar10_32")
    assert counts(gan) == dcgan_pair(4, 100, (64, 128, 256), 3)
    assert recipe(gan) == {
        "optimizer": "Adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-8, "rate": 1e-4, "n_critic": 1, "batch": 128,
        "loss": "NonSaturating", "latents": "uniform",
    }  # fmt: skip
    (penalty,) = gan.tricks
    assert type(penalty) is DRAGANPenalty and (penalty.weight, penalty.scale) == (10.0, 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WGAN(clip=0), "limit=0"),
        (lambda: WGAN(learning_rate=-1), "learning_rate=-1"),
        (lambda: WGANGP(resolution=30), "resolution=30"),
        (lambda: WGANGP(penalty_weight=-1), "weight=-1"),
        (lambda: WGANGP(learning_rate=0), "learning_rate=0"),
        (lambda: LSGAN.from_preset("lsun_112", resolution=40), "resolution=40 is not a multiple of 16"),
        (lambda: LSGAN(learning_rate=0), "learning_rate=0"),
        (lambda: DRAGAN(learning_rate=0), "learning_rate=0"),
        (lambda: DRAGAN(base_channels=0), "base_channels=0"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
