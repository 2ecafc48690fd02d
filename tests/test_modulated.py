"""Modulated convolutions, noise and pixel norm: official arrays, the kernels of each sample by hand, draws.

tests/data/stylegan2_ops.npz: the reference operations of NVlabs/stylegan2-ada-pytorch at d72cc7d.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.layers import resampling
from ganlib.layers.modulated import ModulatedConv2D, ModulatedUpConv2D
from ganlib.layers.noise import NoiseInjection
from ganlib.layers.pixel_norm import PixelNormalization
from ganlib.randomness import RandomStreams

DATA = Path(__file__).parent / "data"
REFERENCE = dict(np.load(DATA / "stylegan2_ops.npz"))
PGGAN = dict(np.load(DATA / "pggan_blocks.npz"))
RNG = np.random.default_rng(0)


def nhwc(array):
    return array.transpose(0, 2, 3, 1)


def hwio(array):
    return array.transpose(2, 3, 1, 0)


X, STYLES = nhwc(REFERENCE["modconv/x"]), REFERENCE["modconv/styles"]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def built(layer, x=X, styles=STYLES):
    layer.build([x.shape, styles.shape])
    return layer


@pytest.mark.parametrize(
    ("key", "layer", "kernel", "factor"),
    [
        ("k3_demod", ModulatedConv2D(5), hwio(REFERENCE["modconv/w3"]), 1),
        # here the equalized learning rate's constant is on the styles, as in the official image layer
        ("k3_nodemod", ModulatedConv2D(5, demodulate=False), hwio(REFERENCE["modconv/w3"]), 1 / 6),
        ("k1_nodemod", ModulatedConv2D(3, 1, demodulate=False), hwio(REFERENCE["modconv/w1"]), 1 / 2),
        # the official code turns the kernel around on the way up
        ("k3_demod_up2_flipFalse", ModulatedUpConv2D(5), hwio(REFERENCE["modconv/w3"])[::-1, ::-1], 1),
    ],
)
def test_modulated_convolutions_are_the_official_ones(key, layer, kernel, factor):
    built(layer).kernel.assign(kernel)
    close(layer([X, STYLES]), factor * nhwc(REFERENCE[f"modconv/{key}"]))


@pytest.mark.parametrize("up", [False, True])
def test_a_kernel_for_each_sample_is_the_same(up):
    """Equations 1 to 3 as they stand, in float64: kernels scaled, normalised, and used one by one."""
    layer = (ModulatedUpConv2D if up else ModulatedConv2D)(5, dtype="float64")
    x, styles = RNG.normal(size=(3, 4, 6, 2)), RNG.normal(size=(3, 2))
    kernel = built(layer, x, styles).kernel.numpy()
    convolve = resampling.smooth_up_convolved if up else resampling.convolved
    for sample, style, found in zip(x, styles, layer([x, styles]), strict=True):
        scaled = kernel * style[:, None]
        scaled = scaled / np.sqrt(np.sum(scaled**2, axis=(0, 1, 2)) + 1e-8)
        np.testing.assert_allclose(found, convolve(sample[None], tf.constant(scaled))[0], atol=1e-12)
    # so the size of kernel and styles is of no account
    before = layer([x, styles])
    layer.kernel.assign(7 * kernel)
    np.testing.assert_allclose(layer([x, 3 * styles]), before, atol=1e-6)


def test_demodulation_is_the_official_one():
    layer = built(ModulatedConv2D(5))
    layer.kernel.assign(hwio(REFERENCE["modconv/w3"]))
    without = resampling.convolved(X * STYLES[:, None, None, :], layer.kernel.value)
    close(
        layer([X, STYLES]) / without,
        np.broadcast_to(REFERENCE["modconv/dcoefs"][:, None, None], without.shape),
    )


@pytest.mark.parametrize("kind", [ModulatedConv2D, ModulatedUpConv2D])
def test_modulation_in_functional_models(kind):
    x, style = keras.Input((None, None, 4)), keras.Input((4,))
    network = keras.Model([x, style], kind(5, 1, demodulate=False)([x, style]))
    assert network.output_shape == (None, None, None, 5)
    again = keras.Model.from_config(network.get_config())
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again([X, STYLES]), network([X, STYLES]))
    layer = built(kind(5))
    assert layer.compute_output_shape([(None, 6, 6, 4), (None, 4)]) == (None, *layer([X, STYLES]).shape[1:])
    specs = [tf.TensorSpec([None, 6, 6, 4]), tf.TensorSpec([None, 4])]
    close(tf.function(lambda a, b: layer([a, b]), input_signature=specs)(X, STYLES), layer([X, STYLES]))


def test_slopes_of_styles_have_slopes():
    """As path lengths need them: the squared slope with respect to the styles, against finite differences."""
    layer, up = ModulatedConv2D(3, dtype="float64"), ModulatedUpConv2D(2, dtype="float64")
    x, s = tf.constant(RNG.normal(size=(2, 4, 4, 3))), tf.constant(RNG.normal(size=(2, 3)))
    weights = tf.constant(RNG.normal(size=(2, 8, 8, 2)))

    def squared_slope(styles):
        with tf.GradientTape() as tape:
            tape.watch(styles)
            along = tf.reduce_sum(up([tf.tanh(layer([x, styles])), styles]) * weights)
        return tf.reduce_sum(tf.square(tape.gradient(along, styles)))

    with tf.GradientTape() as tape:
        tape.watch(s)
        value = squared_slope(s)
    gradient = tape.gradient(value, s)
    step = 1e-5 * gradient / tf.norm(gradient)
    slope = (squared_slope(s + step) - squared_slope(s - step)) / 2e-5
    np.testing.assert_allclose(slope, tf.norm(gradient), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModulatedConv2D(0), "filters=0 is out of range"),
        (lambda: ModulatedUpConv2D(4, 5), "kernel_size=5 is out of range: give 1 or 3"),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(InputError, match=message):
        make()


# --------------------------------------------------------------------------------------------- noise, pixel norm


def noisy(per_channel, values):
    layer = NoiseInjection(per_channel)
    layer.build((None, 6, 6, 5))
    layer.strength.assign(values)
    layer.constant.assign(REFERENCE["modconv/noise"][0, 0, :, :, None])
    return layer


def test_noise_behind_a_convolution_is_the_official_one():
    without, noise = nhwc(REFERENCE["modconv/k3_demod"]), nhwc(REFERENCE["modconv/noise"])
    layer = noisy(False, 1.0)
    for i in range(2):
        layer.constant.assign(noise[i])
        close(layer(without[i : i + 1])[0], nhwc(REFERENCE["modconv/k3_demod_noise"])[i])


def test_noise_stays_until_a_step_draws_it():
    """Outside of steps one image for all; inside, a function of seed, step and sample, whatever part it comes in."""
    x, strengths = RNG.normal(size=(4, 6, 6, 5)).astype(np.float32), np.arange(5.0, dtype=np.float32)
    layer = noisy(True, strengths)
    close(layer(x), x + strengths * layer.constant.numpy()[None])
    np.testing.assert_array_equal(layer(x, on=False), x)
    layer.streams, layer.purpose = RandomStreams(3), "generator/noise/0"
    np.testing.assert_array_equal(layer(x), noisy(True, strengths)(x))
    with layer.streams.at(7, 0):
        whole, drawn = layer(x), layer.streams.normal("generator/noise/0", [4, 6, 6, 1])
        np.testing.assert_array_equal(layer(x, on=False), x)
    close(whole, x + strengths * drawn)
    parts = []
    for part in range(2):
        with layer.streams.at(7, part):
            parts.append(layer(x[2 * part : 2 * part + 2]))
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6)
    with layer.streams.at(8, 0):
        assert np.abs(layer(x) - whole).max() > 1


@pytest.mark.parametrize("per_channel", [False, True])
def test_noise_begins_at_nothing_and_is_no_weight(per_channel):
    network = keras.Sequential([keras.Input((6, 6, 5)), NoiseInjection(per_channel)])
    x = RNG.normal(size=(2, 6, 6, 5)).astype(np.float32)
    np.testing.assert_array_equal(network(x), x)
    assert [tuple(v.shape) for v in network.trainable_variables] == [(5,) if per_channel else ()]
    assert [tuple(v.shape) for v in network.non_trainable_variables] == [(6, 6, 1)]
    assert 0.5 < np.std(network.non_trainable_variables[0]) < 1.5
    again = keras.Sequential.from_config(network.get_config())
    assert again.layers[0].per_channel is per_channel


def test_pixel_norm_is_the_official_one():
    close(PixelNormalization()(nhwc(PGGAN["pixel_norm/x"])), nhwc(PGGAN["pixel_norm/y"]))
    close(PixelNormalization()(PGGAN["pixel_norm/z"]), PGGAN["pixel_norm/z_norm"])
    close(PixelNormalization()(REFERENCE["norm2/x"]), REFERENCE["norm2/y"])
    z = RNG.normal(size=(5, 7))
    found = PixelNormalization(dtype="float64")(z)
    np.testing.assert_allclose(np.mean(np.square(found), axis=1), np.ones(5), rtol=1e-6)
    network = keras.Sequential([keras.Input((None, None, 3)), PixelNormalization(1e-3)])
    assert network.output_shape == (None, None, None, 3)
    assert keras.Sequential.from_config(network.get_config()).layers[0].epsilon == 1e-3
