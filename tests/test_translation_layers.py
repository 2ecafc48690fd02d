"""Reflection padding, U-Net and PatchGAN: values, gradients, what a patch sees, what a skip connection carries."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.layers import InstanceNormalization, NoiseDropout, ReflectionPadding2D
from ganlib.layers.patchgan import STRIDED, patch_logits
from ganlib.layers.unet import unet

IMAGES = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype(np.float32)


def test_reflection_padding_is_numpys():
    layer = ReflectionPadding2D(3)
    expected = np.pad(IMAGES, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(layer(IMAGES), expected)
    assert layer.compute_output_shape((None, 5, 6, 3)) == (None, 11, 12, 3)
    assert ReflectionPadding2D.from_config(layer.get_config()).padding == 3
    network = keras.Sequential([keras.Input((None, None, 3)), ReflectionPadding2D(1)])
    assert network(IMAGES).shape == (2, 7, 8, 3)


@pytest.mark.parametrize("xla", [False, True])
def test_gradients_of_reflection_padding(xla):
    """Sums over the mirror images, to second order too: of sum_p w_p pad(x)_p^3 / 3 they are sums of w x^2 and w x."""
    layer = ReflectionPadding2D(2)
    weights = np.random.default_rng(1).normal(size=(2, 9, 10, 3)).astype(np.float32)
    rows, columns = (np.pad(np.arange(n), 2, mode="reflect") for n in (5, 6))

    @tf.function(jit_compile=xla)
    def gradients(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(weights * layer(x) ** 3) / 3.0
            slope = inner.gradient(y, x)
            total = tf.reduce_sum(tf.square(slope)) / 2.0
        return slope, outer.gradient(total, x)

    gathered = np.zeros_like(IMAGES)
    np.add.at(gathered, (slice(None), rows[:, None], columns[None, :]), weights)
    first, second = gradients(tf.constant(IMAGES))
    np.testing.assert_allclose(first, gathered * IMAGES**2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(second, 2 * gathered**2 * IMAGES**3, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", [0, -1, 1.0, True, "same"])
def test_paddings_that_are_none(padding):
    with pytest.raises(InputError, match="padding="):
        ReflectionPadding2D(padding)


def test_images_too_small_to_be_mirrored():
    with pytest.raises(InputError, match="sides of at least 6"):
        ReflectionPadding2D(5)(IMAGES)


@pytest.mark.parametrize("field", STRIDED)
def test_receptive_fields(field):
    """The pixels that a logit in the middle has a gradient by: a square of that side."""
    side = 8 * (field // 2) + 16 if field < 142 else 2 * field + 64
    side -= side % 64 if field >= 142 else 0
    image = keras.Input((side, side, 2))
    network = keras.Model(image, patch_logits(image, 1, field, lambda: keras.layers.Activation("linear")))
    for v in network.trainable_variables:  # no path through the network may cancel another
        v.assign(tf.ones_like(v) / tf.cast(tf.size(v), tf.float32) ** 0.5)
    x = tf.constant(np.random.default_rng(0).uniform(0.5, 1, (1, side, side, 2)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = network(x)
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    seen = np.abs(tape.gradient(middle, x).numpy()).max(axis=(0, 3)) > 0
    rows, columns = np.nonzero(seen)
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == field
    assert seen.sum() == field**2


def test_patches_of_the_papers():
    image = keras.Input((256, 256, 6))
    assert patch_logits(image, 1, 70, InstanceNormalization).shape == (None, 30, 30, 1)
    assert patch_logits(image, 1, 286, InstanceNormalization).shape == (None, 6, 6, 1)
    assert patch_logits(image, 1, 16, InstanceNormalization).shape == (None, 126, 126, 1)
    assert patch_logits(image, 1, 1, InstanceNormalization).shape == (None, 256, 256, 1)


@pytest.mark.parametrize(("field", "side"), [(71, 64), (70, 16), (286, 64), ("70", 64)])
def test_patches_that_do_not_exist(field, side):
    with pytest.raises(InputError, match="receptive_field="):
        patch_logits(keras.Input((side, side, 1)), 4, field, InstanceNormalization)


def test_unet_by_its_layers():
    image = keras.Input((64, 64, 3))
    network = keras.Model(image, unet(image, 2, 4, 6, InstanceNormalization))
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("Conv2D") == kinds.count("Conv2DTranspose") == 6
    assert kinds.count("InstanceNormalization") == 4 + 5  # neither first nor bottleneck nor last
    assert kinds.count("NoiseDropout") == 3 and kinds.count("Concatenate") == 5
    down = [layer.output.shape[1:] for layer in network.layers if type(layer) is keras.layers.Conv2D]
    assert down == [(32, 32, 4), (16, 16, 8), (8, 8, 16), (4, 4, 32), (2, 2, 32), (1, 1, 32)]
    up = [layer.output.shape[1:] for layer in network.layers if type(layer) is keras.layers.Conv2DTranspose]
    assert up == [(2, 2, 32), (4, 4, 32), (8, 8, 16), (16, 16, 8), (32, 32, 4), (64, 64, 2)]
    dropped = [layer.output.shape[1] for layer in network.layers if type(layer) is NoiseDropout]
    assert dropped == [2, 4, 8]
    assert [layer.use_bias for layer in network.layers if "conv" in layer.name] == [False] * 11 + [True]


def test_skips_carry_what_the_bottleneck_cannot():
    """With the bottleneck's way up cut, the output still depends on the input; with the skips cut too, no more."""
    image = keras.Input((16, 16, 1))
    network = keras.Model(image, unet(image, 1, 2, 4, InstanceNormalization, dropout=0.0))
    x = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 1)).astype(np.float32)
    innermost = next(layer for layer in network.layers if type(layer) is keras.layers.Conv2DTranspose)
    innermost.kernel.assign(tf.zeros_like(innermost.kernel))
    y = network(x).numpy()
    assert np.abs(y[0] - y[1]).max() > 1e-6
    for layer in network.layers:
        if type(layer) is keras.layers.Conv2DTranspose and layer is not innermost:
            kernel = layer.kernel.numpy()
            kernel[..., : kernel.shape[-1] // 2] = 0  # the encoder's half comes first
            layer.kernel.assign(kernel)
    y = network(x).numpy()
    np.testing.assert_array_equal(y[0], y[1])


def test_unet_refuses_what_it_cannot_halve():
    with pytest.raises(InputError, match="28x28 images cannot be halved depth=3 times"):
        unet(keras.Input((28, 28, 1)), 1, 4, 3, InstanceNormalization)


def test_noise_dropout_is_on_at_inference():
    layer = NoiseDropout(0.5)
    for training in (False, None, True):
        y = layer(tf.ones([50, 100]), training=training).numpy()
        assert set(np.unique(y)) == {0.0, 2.0} and abs(y.mean() - 1) < 0.1


def test_instance_norm_of_what_hardly_varies_by_hand():
    x = np.array([1.002, 0.998, 1.002, 0.998], np.float32).reshape(1, 2, 2, 1)  # variance 4e-6, below epsilon
    found = InstanceNormalization()(x).numpy().ravel()
    expected = 0.002 / np.sqrt(4e-6 + 1e-5)  # epsilon is added to the variance, not to the deviation
    np.testing.assert_allclose(found, [expected, -expected, expected, -expected], rtol=1e-3)
    flat = InstanceNormalization()(np.full((1, 2, 2, 1), 0.3, np.float32)).numpy()
    np.testing.assert_allclose(flat, 0.0, atol=1e-4)


def test_instance_norm_with_scales_of_their_own():
    layer = InstanceNormalization(affine=True, gamma_initializer=keras.initializers.Constant(3.0))
    x = IMAGES.reshape(2, 5, 6, 3)
    plain = InstanceNormalization()(x).numpy()
    np.testing.assert_allclose(layer(x), 3 * plain, rtol=1e-5, atol=1e-6)
    again = InstanceNormalization.from_config(layer.get_config())
    np.testing.assert_allclose(again(x), 3 * plain, rtol=1e-5, atol=1e-6)
    # one image: batch norm in training mode
    batch_norm = keras.layers.BatchNormalization(epsilon=1e-5)
    np.testing.assert_allclose(batch_norm(x[:1], training=True), plain[:1], rtol=1e-4, atol=1e-5)
