"""Layers by closed forms: values, second derivatives, configuration, XLA. Over replicas: tests/test_tricks.py."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.layers import (
    DropReference,
    InstanceNormalization,
    LayerNormalization,
    LogSumExp,
    MinibatchDiscrimination,
    PrependReference,
    VirtualBatchNormalization,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(1.0, 2.0, (6, 4, 4, 3)).astype(np.float32)
VECTORS = RNG.normal(size=(6, 5)).astype(np.float32)


def model(inputs, *layers):
    return keras.Sequential([keras.Input(inputs.shape[1:]), *layers])


def reference(inputs):
    return np.random.default_rng(1).normal(0.5, 1.5, (4, *inputs.shape[1:])).astype(np.float32)


def virtual(inputs, *layers):
    """A network whose layers see 4 reference rows in front."""
    return model(
        inputs, PrependReference(reference(inputs)), *layers, VirtualBatchNormalization(4), DropReference(4)
    )


NETWORKS = {
    "minibatch discrimination": (lambda: model(VECTORS, MinibatchDiscrimination(3, 2)), VECTORS),
    "virtual batch norm, images": (lambda: virtual(IMAGES, keras.layers.Conv2D(2, 3)), IMAGES),
    # the second convolution sees what goes back through the first norm: see `_joined` in virtual_batch_normalization.py
    "virtual batch norm, twice": (
        lambda: virtual(
            IMAGES, keras.layers.Conv2D(2, 3), VirtualBatchNormalization(4), keras.layers.Conv2D(3, 2)
        ),
        IMAGES,
    ),
    "virtual batch norm, latents": (lambda: virtual(VECTORS, keras.layers.Dense(4)), VECTORS),
    "instance norm": (lambda: model(IMAGES, InstanceNormalization()), IMAGES),
    "instance norm, affine": (lambda: model(IMAGES, InstanceNormalization(affine=True)), IMAGES),
    "layer norm": (lambda: model(IMAGES, LayerNormalization()), IMAGES),
    "log sum exp": (lambda: model(VECTORS, LogSumExp()), VECTORS),
}


@pytest.fixture(params=NETWORKS, scope="module")
def network(request):
    make, inputs = NETWORKS[request.param]
    built = make()
    for v in built.trainable_variables:
        v.assign(np.random.default_rng(2).normal(0.3, 1.0, v.shape))
    return built, inputs


def test_shapes_and_configuration(network):
    net, inputs = network
    outputs = net(inputs)
    assert tuple(net.output_shape[1:]) == tuple(outputs.shape[1:])
    assert len(outputs) == len(inputs)
    # deserialised networks have fresh weights, but a reference batch is an argument
    for again in (keras.models.clone_model(net), type(net).from_config(net.get_config())):
        fixed = [v.numpy() for v in net.non_trainable_variables]
        for a, b in zip(fixed, again.non_trainable_variables, strict=True):
            np.testing.assert_array_equal(a, b)
        again.set_weights(net.get_weights())
        np.testing.assert_array_equal(again(inputs), outputs)


def test_second_derivatives_and_xla(network):
    """The gradient of a gradient penalty, against finite differences along one direction, eagerly and under XLA."""
    net, inputs = network
    direction = np.random.default_rng(3).normal(size=net(inputs).shape).astype(np.float32)

    def penalty(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.square(net(x)) * direction)
        return tf.reduce_mean(tf.square(tape.gradient(y, x)))

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = penalty(x)
        return tape.gradient(value, x)

    x = tf.constant(inputs)
    plain, eager = tf.function(gradient)(x), gradient(x)
    compiled = tf.function(gradient, jit_compile=True)(x)
    scale = np.abs(plain).max()
    assert scale > 0
    for other in (eager, compiled):
        np.testing.assert_allclose(other, plain, rtol=1e-3, atol=1e-4 * scale)
    step = plain / tf.norm(plain)
    values = tf.function(lambda h: penalty(x + h * step))
    h = 2e-3
    slope = (values(tf.constant(h)) - values(tf.constant(-h))) / (2 * h)
    np.testing.assert_allclose(slope, tf.norm(plain), rtol=0.02)


def test_minibatch_discrimination_by_hand():
    layer = MinibatchDiscrimination(2, 3)
    outputs = layer(VECTORS[:4]).numpy()
    m = (VECTORS[:4].astype(np.float64) @ layer.kernel.numpy()).reshape(4, 2, 3)
    for i in range(4):
        others = [np.exp(-np.abs(m[i] - m[j]).sum(axis=1)) for j in range(4) if j != i]
        np.testing.assert_allclose(outputs[i], [*VECTORS[i], *np.sum(others, axis=0)], rtol=1e-5)
    # a collapsed batch: all the others are at distance 0; a batch of one has none
    np.testing.assert_allclose(layer(np.tile(VECTORS[:1], (7, 1)))[:, 5:], np.full((7, 2), 6.0), rtol=1e-6)
    np.testing.assert_array_equal(layer(VECTORS[:1])[:, 5:], np.zeros((1, 2)))


@pytest.mark.parametrize("inputs", [IMAGES, VECTORS], ids=["images", "vectors"])
def test_virtual_batch_norm_by_hand(inputs):
    first = reference(inputs)
    layer = VirtualBatchNormalization(4, epsilon=1e-3)
    rows = np.concatenate([first, inputs])
    outputs = layer(rows).numpy()
    axes, own = tuple(range(inputs.ndim - 1)), tuple(range(inputs.ndim - 2))
    ref = first.astype(np.float64)
    expected = [(x - ref.mean(axes)) / np.sqrt(ref.var(axes) + 1e-3) for x in ref]
    for x in inputs.astype(np.float64):
        mean = x.mean(own) / 5 + ref.mean(axes) * 4 / 5
        square = np.square(x).mean(own) / 5 + np.square(ref).mean(axes) * 4 / 5
        expected.append((x - mean) / np.sqrt(square - mean**2 + 1e-3))
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_virtual_batch_norm_sees_no_neighbours_and_its_reference_is_a_weight():
    net = virtual(IMAGES, keras.layers.Conv2D(2, 3))
    alone = np.concatenate([net(IMAGES[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(net(IMAGES, training=True), alone, rtol=1e-4, atol=1e-5)
    assert [v.name for v in net.non_trainable_variables] == ["reference"]
    np.testing.assert_array_equal(net.non_trainable_variables[0], reference(IMAGES))
    with (
        tf.GradientTape() as tape
    ):  # statistics are differentiated too: a bias before them does nothing at all
        loss = tf.reduce_sum(net(IMAGES) ** 2 * IMAGES[:, 1:3, 1:3, :2])
    kernel, bias = tape.gradient(loss, [v.value for v in net.layers[1].trainable_variables])
    assert np.abs(bias).max() < 1e-3 * np.abs(kernel).max()


def test_instance_norm():
    outputs = InstanceNormalization()(IMAGES)
    double = IMAGES.astype(np.float64)
    mean, variance = double.mean((1, 2), keepdims=True), double.var((1, 2), keepdims=True)  # ddof 0
    np.testing.assert_allclose(outputs, (double - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-5)
    assert InstanceNormalization().weights == []
    affine = InstanceNormalization(affine=True)
    affine.build(IMAGES.shape)
    affine.set_weights([np.array([1.0, 2.0, 3.0]), np.array([0.0, -1.0, 1.0])])
    np.testing.assert_allclose(
        affine(IMAGES), outputs * [1.0, 2.0, 3.0] + [0.0, -1.0, 1.0], rtol=1e-4, atol=1e-5
    )
    # a large mean beside a small deviation is no trouble for float32
    shifted = InstanceNormalization()(IMAGES + np.float32(1000))
    np.testing.assert_allclose(shifted, outputs, atol=2e-3)


def test_layer_norm_has_moments_of_the_sample_and_scales_of_the_channels():
    layer = LayerNormalization()
    layer.build(IMAGES.shape)
    assert [tuple(v.shape) for v in layer.weights] == [(3,), (3,)]
    layer.set_weights([np.array([1.0, 2.0, 3.0]), np.array([0.0, -1.0, 1.0])])
    double = IMAGES.astype(np.float64)
    mean, variance = double.mean((1, 2, 3), keepdims=True), double.var((1, 2, 3), keepdims=True)
    expected = (double - mean) / np.sqrt(variance + 1e-5) * [1.0, 2.0, 3.0] + [0.0, -1.0, 1.0]
    np.testing.assert_allclose(layer(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_log_sum_exp_is_the_logit_of_z_over_z_plus_1():
    logits = VECTORS.astype(np.float64)
    z = np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tf.sigmoid(LogSumExp()(VECTORS)), z / (z + 1), rtol=1e-5)
    np.testing.assert_allclose(LogSumExp()(tf.constant([[1000.0, 1000.0]])), [[1000 + np.log(2)]])


def test_half_precision_is_computed_in_single():
    for layer in (InstanceNormalization(dtype="float16"), LayerNormalization(dtype="float16")):
        outputs = layer(tf.cast(IMAGES * 300, tf.float16))  # whose squares are beyond float16
        assert outputs.dtype == tf.float16
        np.testing.assert_allclose(np.var(np.float32(outputs)), 1.0, atol=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MinibatchDiscrimination(0), "kernels=0 is out of range"),
        (lambda: MinibatchDiscrimination(3, 2.5), "kernel_dim=2.5 is out of range"),
        (lambda: MinibatchDiscrimination()(IMAGES), "put a Flatten before it"),
        (lambda: VirtualBatchNormalization(0), "reference_size=0 is out of range"),
        (lambda: DropReference(True), "reference_size=True is out of range"),
        (lambda: PrependReference(np.full((2, 3), np.nan)), "give a batch of finite numbers"),
        (lambda: PrependReference(VECTORS)(IMAGES), "give rows like the inputs'"),
        (lambda: InstanceNormalization()(VECTORS), "give .batch, height, width, channels"),
        (lambda: InstanceNormalization(epsilon=0), "epsilon=0 is out of range"),
        (lambda: LayerNormalization(epsilon=-1), "epsilon=-1 is out of range"),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(InputError, match=message):
        make()
