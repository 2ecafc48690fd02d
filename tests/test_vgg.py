"""VGG's convolutions and their mirror image: counts, values by hand, ImageNet's scaling folded in, normalisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.layers.vgg import IMAGENET_MEANS, VGG19, mirrored, normalise, set_vgg19, vgg

CONVOLUTIONS = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1"]


def kinds(network, *wanted):
    return [layer for layer in network.layers if isinstance(layer, wanted)]


def convolved(x, kernel, bias):
    """ReLU of a 3x3 convolution with mirrored borders, in NumPy."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    parts = [padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)]
    return np.maximum(sum(parts) + bias, 0)


def halved(x):
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def test_counts_of_the_official_code():
    """naoto0804/pytorch-AdaIN net.py: vgg[1:31], without its 1x1 convolution of the colours, and decoder."""
    encoder, decoder = vgg(*VGG19), mirrored(*VGG19)
    assert (encoder.count_params(), decoder.count_params()) == (3_505_728, 3_505_219)
    assert [layer.name for layer in kinds(encoder, keras.layers.Conv2D)] == [f"conv{c}" for c in CONVOLUTIONS]
    found = encoder(np.zeros((1, 32, 48, 3), np.float32))
    assert [f.shape for f in found] == [(1, 32, 48, 64), (1, 16, 24, 128), (1, 8, 12, 256), (1, 4, 6, 512)]
    order = [
        getattr(layer, "filters", "up")
        for layer in kinds(decoder, keras.layers.Conv2D, keras.layers.UpSampling2D)
    ]
    assert order == [256, "up", 256, 256, 256, 128, "up", 128, 64, "up", 64, 3]
    assert decoder(found[-1]).shape == (1, 32, 48, 3)


def test_features_by_hand():
    network = vgg((2, 3), (2, 1), channels=1)
    rng = np.random.default_rng(0)
    for layer in kinds(network, keras.layers.Conv2D):
        layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    x = rng.uniform(-1, 1, (2, 6, 4, 1)).astype(np.float32)
    first, second, third = (layer.get_weights() for layer in kinds(network, keras.layers.Conv2D))
    one = convolved(x, *first)
    two = convolved(halved(convolved(one, *second)), *third)
    assert one.any() and two.any()
    for found, expected in zip(network(x), (one, two), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_mirror_image_by_hand():
    network = mirrored((2, 3), (2, 1), channels=1)
    rng = np.random.default_rng(1)
    for layer in kinds(network, keras.layers.Conv2D):
        layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    x = rng.uniform(0, 1, (2, 3, 2, 3)).astype(np.float32)
    first, second, (kernel, bias) = (layer.get_weights() for layer in kinds(network, keras.layers.Conv2D))
    up = convolved(x, *first).repeat(2, axis=1).repeat(2, axis=2)
    last = convolved(up, *second)
    both = [
        convolved(last, sign * kernel, sign * bias) for sign in (1, -1)
    ]  # a ReLU of it and of its negative
    np.testing.assert_allclose(network(x), both[0] - both[1], rtol=1e-5, atol=1e-5)
    assert both[1].any()


def test_imagenets_scaling_is_in_the_first_convolution(monkeypatch):
    """With random numbers in the place of ImageNet's weights: no network here."""
    original = keras.applications.VGG19
    rng = np.random.default_rng(2)

    def untrained(include_top, weights):
        assert (include_top, weights) == (False, "imagenet")
        network = original(include_top=False, weights=None)
        for layer in kinds(network, keras.layers.Conv2D):
            layer.bias.assign(rng.normal(size=layer.bias.shape))
        made.append(network)
        return network

    made = []
    monkeypatch.setattr(keras.applications, "VGG19", untrained)
    encoder = vgg(*VGG19)
    set_vgg19(encoder)
    images = rng.uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    x = keras.applications.vgg19.preprocess_input(127.5 * (images.copy() + 1.0))
    expected = []
    for name in CONVOLUTIONS:
        if name.endswith("_1") and name != "1_1":
            x = halved(x)
        kernel, bias = made[0].get_layer("block{}_conv{}".format(*name.split("_"))).get_weights()
        x = convolved(x, kernel, bias)
        if name.endswith("_1"):
            expected.append(x)
    for found, wanted in zip(encoder(images), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * wanted.max())
    black = np.full((1, 1, 1, 3), -1.0, np.float32)
    np.testing.assert_allclose(
        keras.applications.vgg19.preprocess_input(127.5 * (black + 1.0))[0, 0, 0], -np.array(IMAGENET_MEANS)
    )


def test_without_a_network_it_says_what_to_do(monkeypatch):
    def fails(**_):
        raise Exception("URL fetch failure on https://...: None --\n[Errno -3]")  # as Keras does

    monkeypatch.setattr(keras.applications, "VGG19", fails)
    with pytest.raises(InputError, match=r'VGG-19 cannot be had \(URL fetch.*architecture="small"') as caught:
        set_vgg19(vgg((2,), (1,)))
    assert "\n" not in str(caught.value)


def test_normalised_outputs_have_a_mean_of_1_and_nothing_else_changes():
    network = vgg((3, 4, 5), (2, 2, 1))
    rng = np.random.default_rng(3)
    for layer in kinds(network, keras.layers.Conv2D):  # drawn here: among few channels Keras' may all be dead
        layer.kernel.assign(rng.normal(0, 0.3, layer.kernel.shape))
        layer.bias.assign(rng.normal(size=layer.bias.shape))
    images = rng.uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
    before = [f.numpy() for f in network(images)]
    normalise(network, images)
    outputs = keras.Model(network.input, [c.output for c in kinds(network, keras.layers.Conv2D)])(images)
    np.testing.assert_allclose([tf.reduce_mean(output) for output in outputs], 1.0, rtol=1e-5)
    for old, new in zip(before, network(images), strict=True):
        np.testing.assert_allclose(new, old / old.mean(), rtol=1e-4, atol=1e-5)
