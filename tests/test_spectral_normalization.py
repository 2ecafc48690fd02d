"""Spectral normalisation against the singular value decomposition, BigGAN-PyTorch and finite differences.

tests/data/spectral.npz: arrays of ajbrock/BigGAN-PyTorch at 9845943 (layers.py, BigGAN.py), in its layouts.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.layers import SpectralConv2D, SpectralConv2DTranspose, SpectralDense, SpectralEmbedding
from ganlib.layers.residual import (
    DownConv2D,
    SpectralDownConv2D,
    SpectralUpConv2D,
    UpConv2D,
    doubled,
    plain,
    residual_down,
    residual_first,
    residual_same,
    residual_up,
    spectral,
)
from ganlib.randomness import seeded

REFERENCE = np.load(Path(__file__).parent / "data" / "spectral.npz")

# each kind: a layer, its inputs, and W as a matrix of the paper's form (out, rest)
KINDS = {
    "dense": (lambda **k: SpectralDense(5, **k), (3, 7), lambda w: w.T),
    "conv": (
        lambda **k: SpectralConv2D(5, 3, padding="same", **k),
        (2, 6, 6, 4),
        lambda w: w.reshape(-1, w.shape[3]).T,
    ),
    "transposed": (
        lambda **k: SpectralConv2DTranspose(5, 4, strides=2, padding="same", **k),
        (2, 3, 3, 4),
        lambda w: np.moveaxis(w, 2, 0).reshape(w.shape[2], -1),
    ),
    "embedding": (lambda **k: SpectralEmbedding(7, 5, **k), None, lambda w: w),
    "up": (lambda **k: SpectralUpConv2D(5, 3, **k), (2, 4, 4, 3), lambda w: w.reshape(-1, w.shape[3]).T),
    "down": (lambda **k: SpectralDownConv2D(5, 3, **k), (2, 4, 4, 3), lambda w: w.reshape(-1, w.shape[3]).T),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def inputs_of(kind):
    shape = KINDS[kind][1]
    if shape is None:
        return tf.constant([0, 3, 6, 3])
    return tf.random.stateless_normal(shape, (1, 2))


def built(kind, **arguments):
    layer, inputs = KINDS[kind][0](**arguments), inputs_of(kind)
    layer(inputs)
    rng = np.random.default_rng(3)
    layer.raw_weight.assign(rng.normal(size=layer.raw_weight.shape))
    layer.u.assign(rng.normal(size=layer.u.shape))
    return layer, inputs


def plain_twin(layer):
    """The Keras layer underneath, without spectral normalisation."""
    config = {k: v for k, v in layer.get_config().items() if k not in ("iterations", "epsilon", "name")}
    return type(layer).__mro__[2](**config)


@pytest.mark.parametrize("name", ["sn_linear", "sn_conv", "sn_embed"])
def test_biggans_numbers(name):
    get = lambda key: REFERENCE[f"{name}/{key}"]  # noqa: E731
    weight = get("weight")
    from_pytorch = {
        "sn_linear": lambda w: w.T,
        "sn_conv": lambda w: w.transpose(2, 3, 1, 0),
        "sn_embed": lambda w: w,
    }[name]
    layer = {
        "sn_linear": lambda: SpectralDense(weight.shape[0], epsilon=1e-6),
        "sn_conv": lambda: SpectralConv2D(weight.shape[0], 3, epsilon=1e-6),
        "sn_embed": lambda: SpectralEmbedding(*weight.shape, epsilon=1e-6),
    }[name]()
    layer.build((None, *{"sn_linear": (weight.shape[1],), "sn_conv": (4, 4, 4), "sn_embed": ()}[name]))
    layer.raw_weight.assign(from_pytorch(weight))
    layer.u.assign(get("u0")[0])
    np.testing.assert_allclose(layer.sigma, get("sigma_step1")[0], atol=1e-5)
    normalized = layer.normalized_weight(training=True)
    np.testing.assert_allclose(normalized, from_pytorch(get("W_bar_step1")), atol=1e-5)
    np.testing.assert_allclose(layer.u, get("u0_step1")[0], atol=1e-5)
    # an evaluation takes the second step for its sigma, and does not keep it
    np.testing.assert_allclose(layer.sigma, get("sigma_step2")[0], atol=1e-5)
    layer.normalized_weight(training=False)
    np.testing.assert_allclose(layer.u, get("u0_step1")[0], atol=1e-5)
    layer.normalized_weight(training=True)
    np.testing.assert_allclose(layer.u, get("u0_step2")[0], atol=1e-5)
    for _ in range(200):
        layer.normalized_weight(training=True)
    np.testing.assert_allclose(layer.sigma, get("sigma_true_svd"), rtol=1e-4)


@every_kind
def test_sigma_is_the_largest_singular_value_and_w_stays(kind):
    layer, inputs = built(kind, iterations=20)
    before = layer.raw_weight.numpy()
    for _ in range(20):
        outputs = layer(inputs, training=True)
    np.testing.assert_array_equal(layer.raw_weight, before)
    matrix = KINDS[kind][2](before)
    assert layer.u.shape == (matrix.shape[0],)
    svd = np.linalg.svd(matrix, compute_uv=False)[0]
    assert abs(float(layer.sigma) / svd - 1) < 1e-3
    normalized = KINDS[kind][2](np.asarray(layer.normalized_weight()))
    np.testing.assert_allclose(np.linalg.svd(normalized, compute_uv=False)[0], 1, atol=1e-3)
    # the map is Keras' with W / sigma in place of W
    twin = plain_twin(layer)
    twin(inputs)
    twin.set_weights([before / svd, *[w.numpy() for w in layer.trainable_variables[1:]]])
    np.testing.assert_allclose(outputs, twin(inputs), rtol=1e-3, atol=1e-3)


@every_kind
def test_iterations_are_power_steps(kind):
    slow, inputs = built(kind, iterations=1)
    fast, _ = built(kind, iterations=3)
    for _ in range(3):
        slow(inputs, training=True)
    fast(inputs, training=True)
    np.testing.assert_allclose(slow.u, fast.u, atol=1e-6)
    u = fast.u.numpy()
    np.testing.assert_allclose(fast(inputs), fast(inputs, training=False))
    np.testing.assert_array_equal(fast.u, u)  # evaluation does not move it


@every_kind
def test_gradient_through_sigma_is_that_of_finite_differences(kind):
    layer, inputs = KINDS[kind][0](iterations=100, dtype="float64"), inputs_of(kind)
    inputs = inputs if kind == "embedding" else tf.cast(inputs, tf.float64)
    layer(inputs)
    weight = np.random.default_rng(5).normal(size=layer.raw_weight.shape)
    layer.raw_weight.assign(weight)
    for _ in range(5):
        probe = tf.random.stateless_normal(layer(inputs, training=True).shape, (3, 4), dtype=tf.float64)

    def value(w):
        layer.raw_weight.assign(w)
        return tf.reduce_sum(probe * layer(inputs, training=True))

    with tf.GradientTape() as tape:
        loss = value(weight)
    gradient = tf.convert_to_tensor(tape.gradient(loss, layer.raw_weight.value)).numpy()
    # W -> c W does not change W / sigma(W): the gradient has nothing along W, as it would if sigma were a constant
    assert abs(np.sum(gradient * weight)) < 1e-8 * np.linalg.norm(gradient) * np.linalg.norm(weight)
    rng = np.random.default_rng(6)
    for _ in range(4):
        direction = rng.normal(size=weight.shape)
        slope = (value(weight + 1e-5 * direction) - value(weight - 1e-5 * direction)) / 2e-5
        np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-6, atol=1e-7)


@every_kind
def test_the_gradient_does_not_go_through_the_power_step(kind):
    """Algorithm 1: u and v are constants. One step from a random u, where a gradient through them would be seen."""
    layer, _ = built(kind)
    matrix = KINDS[kind][2](layer.raw_weight.numpy()).astype(np.float64)
    u = layer.u.numpy().astype(np.float64)
    axis = 1 if len(u) == matrix.shape[1] else 0
    v = matrix @ u if axis else matrix.T @ u
    v /= np.linalg.norm(v)
    u = matrix.T @ v if axis else matrix @ v
    u /= np.linalg.norm(u)
    outer = np.outer(v, u) if axis else np.outer(u, v)
    sigma = np.sum(outer * matrix)
    probe = np.random.default_rng(7).normal(size=layer.raw_weight.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        normalized = layer.normalized_weight()
        loss = tf.reduce_sum(normalized * probe)
    gradient = tf.convert_to_tensor(tape.gradient(loss, layer.raw_weight.value)).numpy()
    probe = KINDS[kind][2](probe).astype(np.float64)
    expected = probe / sigma - np.sum(probe * matrix) / sigma**2 * outer
    np.testing.assert_allclose(KINDS[kind][2](gradient), expected, rtol=1e-3, atol=1e-4)


def network():
    image = keras.Input((4, 4, 2))
    x = SpectralConv2D(3, 3, padding="same", activation="relu")(image)
    x = SpectralDownConv2D(4, 3)(SpectralUpConv2D(3, 1, use_bias=False)(x))
    x = SpectralConv2DTranspose(3, 4, strides=2, padding="same", use_bias=False)(x)
    x = SpectralDense(2)(keras.layers.Flatten()(x))
    label = keras.Input((), dtype="int32")
    return keras.Model([image, label], keras.layers.Dot(1)([x, SpectralEmbedding(5, 2)(label)]))


def test_in_a_keras_model(tmp_path):
    model = network()
    x = [tf.random.stateless_normal((3, 4, 4, 2), (0, 1)), tf.constant([1, 4, 0])]
    us = [v for v in model.non_trainable_variables if v.name == "u"]
    assert len(us) == len(model.non_trainable_variables) == 6
    start = model.get_weights()
    trainable = [v.value for v in model.trainable_variables]
    outputs, other = model.stateless_call(trainable, [v.value for v in us], x, training=True)
    for a, b in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # nothing moved
    moved = model(x, training=True)
    np.testing.assert_allclose(outputs, moved, rtol=1e-6)
    for u, expected in zip(us, other, strict=True):
        np.testing.assert_allclose(u, expected, rtol=1e-6)
    assert not any(np.array_equal(a, u) for u in us for a in start)
    # a copy, a file of weights, a whole model
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(x), model(x))
    model.save_weights(tmp_path / "a.weights.h5")
    other_model = network()
    other_model.load_weights(tmp_path / "a.weights.h5")
    model.save(tmp_path / "a.keras")
    for again in (other_model, keras.saving.load_model(tmp_path / "a.keras")):
        for a, b in zip(model.weights, again.weights, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(again(x), model(x))
    # XLA
    compiled = tf.function(lambda *inputs: twin(list(inputs), training=True), jit_compile=True)(*x)
    np.testing.assert_allclose(compiled, model(x, training=True), rtol=1e-4, atol=1e-6)
    for a, b in zip(twin.weights, model.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_two_replicas_are_one_through_steps_and_checkpoints(run_python, tmp_path):
    result = run_python(
        f"""
        import numpy as np, keras, tensorflow as tf
        from ganlib import scaling
        from ganlib.layers import SpectralConv2D, SpectralConv2DTranspose, SpectralDense, SpectralEmbedding
        from ganlib.randomness import seeded

        path = r"{tmp_path}/c"
        x = tf.random.stateless_normal((8, 4, 4, 2), (0, 1))
        data = tf.data.Dataset.from_tensors((x, tf.range(8) % 5)).repeat()
        checks, start = [], []

        def train(name, steps, save_at=None, restore=None):
            strategy = scaling.strategy(name)
            with strategy.scope(), seeded(1):
                image, label = keras.Input((4, 4, 2)), keras.Input((), dtype="int32")
                h = SpectralConv2DTranspose(3, 4, strides=2, padding="same")(SpectralConv2D(4, 3)(image))
                h = SpectralDense(2)(keras.layers.Flatten()(h))
                model = keras.Model([image, label], keras.layers.Dot(1)([h, SpectralEmbedding(5, 2)(label)]))
            start[:] = [v.numpy() for v in model.weights]
            checkpoint = tf.train.Checkpoint(v=[v.value for v in model.variables])
            if restore:
                checkpoint.read(restore).assert_consumed()
            optimizer = keras.optimizers.SGD(0.5)
            with strategy.scope():
                optimizer.build(model.trainable_variables)
            replicas = strategy.num_replicas_in_sync

            def step(images, labels):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(model([images, labels], training=True) - 1.0)) / replicas
                optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

            batches = iter(strategy.experimental_distribute_dataset(data))
            run = tf.function(lambda batch: strategy.run(step, args=batch))
            for i in range(steps):
                if i == save_at:
                    checkpoint.write(path)
                run(next(batches))
            for v in model.non_trainable_variables:
                copies = [copy.numpy() for copy in strategy.experimental_local_results(v.value)]
                checks.append([len(copies), all(np.array_equal(copies[0], copy) for copy in copies)])
            return [v.numpy() for v in model.weights]

        one = train("none", 6)
        two = train("mirrored:2", 6, save_at=3)
        resumed = train("mirrored:2", 3, restore=path)
        result = dict(one=one, two=two, resumed=resumed, start=start, checks=checks)
        """,
        devices=2,
    )
    assert result["checks"] == [[1, True]] * 4 + [[2, True]] * 8
    for one, two, resumed, start in zip(
        *(result[k] for k in ("one", "two", "resumed", "start")), strict=True
    ):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(resumed, two)
        assert not np.allclose(one, start, atol=1e-4)  # everything has moved, u included


def test_u_starts_from_the_seed_of_the_run():
    from ganlib.randomness import seeded

    us = []
    for seed in (1, 1, 2):
        with seeded(seed):
            layer = SpectralDense(6)
            layer.build((None, 3))
        us.append(layer.u.numpy())
    np.testing.assert_array_equal(us[0], us[1])
    assert not np.allclose(us[0], us[2])


def test_a_weight_of_zeros_gives_zeros():
    layer = SpectralDense(3, kernel_initializer="zeros")
    np.testing.assert_array_equal(layer(tf.ones([2, 4]), training=True), np.zeros((2, 3)))


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_fast_forms_are_exact(kernel_size):
    x = tf.random.stateless_normal((2, 6, 4, 3), (0, 1))
    nearest = keras.layers.UpSampling2D(2)(x)
    np.testing.assert_array_equal(doubled(x), nearest)
    bias = {"bias_initializer": "ones"}
    up, down = UpConv2D(5, kernel_size, **bias), DownConv2D(5, kernel_size, **bias)
    found = {"up": up(x), "down": down(x)}
    convolved = lambda layer, y: tf.nn.conv2d(y, layer.kernel.value, 1, "SAME") + 1.0  # noqa: E731
    np.testing.assert_allclose(found["up"], convolved(up, nearest), atol=3e-6)
    np.testing.assert_allclose(found["down"], tf.nn.avg_pool2d(convolved(down, x), 2, 2, "VALID"), atol=3e-6)
    for layer in (up, down):
        assert tuple(layer.compute_output_shape(x.shape)) == tuple(layer(x).shape)


@pytest.mark.parametrize(
    ("name", "block"),
    [("dblock_first", residual_first), ("dblock_down", residual_down), ("dblock_last", residual_same)],
)
def test_biggans_discriminator_blocks(name, block):
    x = REFERENCE[f"{name}/x"].transpose(0, 2, 3, 1)
    channels = REFERENCE[f"{name}/conv2.weight"].shape[0]
    image = keras.Input(x.shape[1:])
    hidden = {} if block is residual_first else {"hidden_channels": channels}
    convolution = lambda *arguments: spectral(*arguments, epsilon=1e-6)  # noqa: E731
    model = keras.Model(image, block(image, channels, convolution, **hidden))
    layers = [layer for layer in model.layers if hasattr(layer, "u")]
    threes = [layer for layer in layers if layer.kernel.shape[0] == 3]
    sources = dict(zip(["conv1", "conv2"], threes, strict=True))
    sources |= dict(zip(["conv_sc"], [layer for layer in layers if layer not in threes], strict=False))
    assert len(sources) == len(layers) == (2 if name == "dblock_last" else 3)
    for source, layer in sources.items():
        layer.kernel.assign(REFERENCE[f"{name}/{source}.weight"].transpose(2, 3, 1, 0))
        layer.bias.assign(REFERENCE[f"{name}/{source}.bias"])
        layer.u.assign(REFERENCE[f"{name}/{source}.u0"][0])
    for key, training in (("out_eval_before", False), ("out_train", True), ("out_eval_after", False)):
        expected = REFERENCE[f"{name}/{key}"].transpose(0, 2, 3, 1)
        np.testing.assert_allclose(model(x, training=training), expected, rtol=1e-4, atol=1e-5, err_msg=key)
    for source, layer in sources.items():
        np.testing.assert_allclose(layer.u, REFERENCE[f"{name}/after/{source}.u0"][0], atol=1e-5)


def test_a_generator_block_in_parts():
    x = tf.random.stateless_normal((2, 4, 4, 3), (0, 1))
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(
        inputs, residual_up(inputs, 5, plain, lambda: keras.layers.LayerNormalization(axis=[1, 2, 3]))
    )
    first, second, shortcut = sorted(
        (layer for layer in model.layers if hasattr(layer, "kernel")),
        key=lambda layer: (layer.kernel.shape[0] == 1, not isinstance(layer, UpConv2D)),
    )
    norms = [layer for layer in model.layers if "normalization" in layer.name]
    conv = lambda layer, y: tf.nn.conv2d(y, layer.kernel.value, 1, "SAME") + layer.bias.value  # noqa: E731
    h = conv(first, keras.layers.UpSampling2D(2)(tf.nn.relu(norms[0](x))))
    h = conv(second, tf.nn.relu(norms[1](h))) + conv(shortcut, keras.layers.UpSampling2D(2)(x))
    np.testing.assert_allclose(model(x), h, atol=1e-5)


@pytest.mark.parametrize("block", [residual_up, residual_down, residual_first, residual_same])
def test_blocks_have_second_derivatives(block):
    inputs = keras.Input((4, 4, 3))
    with seeded(0):
        model = keras.Model(inputs, block(inputs, 4, spectral))
    x = tf.random.stateless_normal((2, 4, 4, 3), (0, 1))
    for _ in range(50):  # until u is that of W: the gradient takes u as given, finite differences do not
        model(x, training=True)

    def penalty(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.square(model(x)))
        return tf.reduce_sum(tf.square(tape.gradient(y, x)))

    kernel = model.trainable_variables[0]
    with tf.GradientTape() as tape:
        value = penalty(x)
    gradient = tape.gradient(value, kernel.value).numpy()
    step = 2e-4 * gradient / np.linalg.norm(gradient)  # short: ReLUs have kinks
    start = kernel.numpy()
    kernel.assign(start + step)
    above = penalty(x)
    kernel.assign(start - step)
    slope = (above - penalty(x)) / 4e-4
    np.testing.assert_allclose(slope, np.linalg.norm(gradient), rtol=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpectralDense(3, iterations=0), "iterations=0 is out of range"),
        (lambda: SpectralDense(3, iterations=True), "iterations=True is out of range"),
        (lambda: SpectralDense(3, epsilon=0.0), r"epsilon=0.0 is out of range"),
        (lambda: UpConv2D(3, 4), "kernel_size=4 is not odd"),
        (lambda: DownConv2D(3, 3)(tf.zeros([1, 5, 4, 1])), "5x4 cannot be halved"),
        (lambda: plain(3, 3, "sideways"), "scale='sideways': choose 'same', 'up' or 'down'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
