"""Clamping the top singular value, against full decompositions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import layers
from ganlib.callbacks.spectra import as_matrix
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.tricks import ClampedSingularValue

RNG = np.random.default_rng(0)


def made(trick):
    """A pair with every kind of kernel."""
    keras.utils.set_random_seed(0)
    z = keras.Input((5,))
    x = keras.layers.Reshape((4, 4, 6))(keras.layers.Dense(96)(z))
    x = keras.layers.Conv2DTranspose(8, 4, strides=2, padding="same")(x)
    generator = keras.Model(z, keras.layers.Conv2D(1, 3, padding="same", activation="tanh")(x))
    image = keras.Input((8, 8, 1))
    x = layers.SpectralConv2D(6, 3, strides=2, padding="same")(image)
    x = keras.layers.Conv2D(7, 3, strides=2, padding="same")(keras.layers.LeakyReLU()(x))
    x = keras.layers.Dense(4)(keras.layers.Flatten()(x))
    discriminator = keras.Model(image, keras.layers.Dense(1)(x))
    rates = {f"{p}_optimizer": keras.optimizers.SGD(0.05) for p in ("generator", "discriminator")}
    gan = GAN(generator, discriminator, tricks=[trick], ema_decay=None, batch_size=4, **rates)
    gan.compile()
    return gan


def kernels(network):
    """(layer, kernel as a matrix (out, rest)) of each layer that has one."""
    return [(one, as_matrix(one.kernel.numpy(), one)) for one in network.layers if hasattr(one, "kernel")]


def steepened(gan):
    """Kernels with known gaps: the first value is moved to three times the second."""
    for network in gan.players().values():
        for layer, _ in kernels(network):
            shape = layer.kernel.shape
            matrix = RNG.normal(size=(np.prod(shape[:-1]), shape[-1]))
            if isinstance(layer, keras.layers.Conv2DTranspose):
                matrix = RNG.normal(size=(shape[0] * shape[1] * shape[3], shape[2]))
            u, s, vt = np.linalg.svd(matrix, full_matrices=False)
            s[0] = 3 * s[min(1, len(s) - 1)]
            kernel = (u * s @ vt).reshape(*shape[:-1], shape[-1])
            if isinstance(layer, keras.layers.Conv2DTranspose):
                kernel = (u * s @ vt).reshape(shape[0], shape[1], shape[3], shape[2]).transpose(0, 1, 3, 2)
            layer.kernel.assign(kernel)


def clamped(matrix, most):
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    return matrix - max(0.0, s[0] - most(s)) * np.outer(u[:, 0], vt[0])


@pytest.mark.parametrize("players", ["generator", "discriminator", "both"])
@pytest.mark.parametrize(
    ("arguments", "most"),
    [
        ({"value": 1.5}, lambda s: 1.5),
        ({"ratio": 1.25}, lambda s: 1.25 * s[1] if len(s) > 1 else np.inf),
        ({"ratio": 1.0}, lambda s: s[1] if len(s) > 1 else np.inf),
        ({"ratio": 5.0}, lambda s: 5 * s[1] if len(s) > 1 else np.inf),
    ],
)
def test_the_first_singular_value_is_clamped_and_no_other(players, arguments, most):
    gan = made(ClampedSingularValue(**arguments, players=players, iterations=60))
    steepened(gan)
    for name, network in gan.players().items():
        before = [matrix for _, matrix in kernels(network)]
        biases = [layer.bias.numpy() for layer, _ in kernels(network)]
        gan.tricks[0].after_update(gan, gan.player(name))
        for (layer, after), old, bias in zip(kernels(network), before, biases, strict=True):
            expected = clamped(old, most) if players in (name, "both") else old
            scale = np.abs(old).max()
            np.testing.assert_allclose(after, expected, rtol=0, atol=2e-5 * scale, err_msg=layer.name)
            np.testing.assert_array_equal(layer.bias, bias)
            if players not in (name, "both") or arguments == {"ratio": 5.0}:
                np.testing.assert_array_equal(after, old)  # nothing to clamp: not touched


def test_a_clamped_value_stays_clamped_through_training():
    gan = made(ClampedSingularValue(ratio=1.1))
    images = tf.constant(RNG.uniform(-1, 1, (40, 8, 8, 1)), tf.float32)
    data = tf.data.Dataset.from_tensor_slices(images).batch(4)
    gan.fit(data, steps_per_epoch=10, verbose=0)
    found = [np.linalg.svd(m, compute_uv=False) for n in gan.players().values() for _, m in kernels(n)]
    ratios = [s[0] / s[1] for s in found if len(s) > 1]
    assert len(ratios) == 5 and max(ratios) < 1.1 * 1.005


def test_of_a_normalised_layer_the_weight_is_clamped_and_the_norm_stays_one():
    gan = made(ClampedSingularValue(value=0.5, players="discriminator", iterations=60))
    steepened(gan)
    gan.tricks[0].after_update(gan, gan.player("discriminator"))
    layer = gan.discriminator.layers[1]
    raw = np.linalg.svd(as_matrix(layer.kernel.numpy(), layer), compute_uv=False)
    assert raw[0] >= 0.5 - 1e-5  # 0.5, or the second value where that is above
    for _ in range(50):
        weight = layer.normalized_weight(training=True)
    assert np.linalg.svd(as_matrix(weight.numpy(), layer), compute_uv=False)[0] == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "value=None, ratio=None: give one of the two"),
        ({"value": 1.0, "ratio": 2.0}, "give one of the two"),
        ({"ratio": 0}, "ratio=0 is out of range"),
        ({"value": float("nan")}, "value=nan is out of range"),
        ({"ratio": 2.0, "players": "encoder"}, "no players 'encoder'"),
        ({"ratio": 2.0, "iterations": 0}, "iterations=0 is out of range"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        ClampedSingularValue(**arguments)
