"""Conditional batch norm, residual blocks, self-attention and projection against BigGAN-PyTorch and closed forms.

tests/data/conditional.npz: arrays of ajbrock/BigGAN-PyTorch at 9845943 (layers.py), in its layouts.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.layers import (
    ConditionalBatchNormalization,
    Projection,
    SelfAttention,
    SpectralConditionalBatchNormalization,
    SpectralProjection,
    SpectralSelfAttention,
    VectorConditionalBatchNormalization,
)
from ganlib.layers import given as conditions
from ganlib.layers.residual import plain, residual_same, residual_up, spectral
from ganlib.layers.self_attention import _blocks, attention_maps, gather
from ganlib.randomness import seeded

REFERENCE = np.load(Path(__file__).parent / "data" / "conditional.npz")
TABLE = np.load(Path(__file__).parent / "data" / "spectral.npz")
close = {"rtol": 1e-4, "atol": 1e-5}


def nhwc(key):
    return REFERENCE[key].transpose(0, 2, 3, 1)


def hwio(key):
    return REFERENCE[key].transpose(2, 3, 1, 0)


def set_statistics(layer, source):
    layer.normalization.moving_mean.assign(REFERENCE[f"{source}stored_mean"])
    layer.normalization.moving_variance.assign(REFERENCE[f"{source}stored_var"])


# ------------------------------------------------------------------ conditional batch norm


def test_biggans_batch_norm_from_a_vector():
    layer = VectorConditionalBatchNormalization()
    x, condition = nhwc("ccbn/x"), REFERENCE["ccbn/cond"]
    layer.build((x.shape, condition.shape))
    layer.gain.kernel.assign(REFERENCE["ccbn/gain.weight"].T)
    layer.offset.kernel.assign(REFERENCE["ccbn/bias.weight"].T)
    set_statistics(layer, "ccbn/")
    np.testing.assert_allclose(layer([x, condition]), nhwc("ccbn/out_eval"), **close)
    np.testing.assert_allclose(layer([x, condition], training=True), nhwc("ccbn/out_train"), **close)
    found = layer.normalization.moving_mean, layer.normalization.moving_variance
    np.testing.assert_allclose(found[0], REFERENCE["ccbn/stored_mean_after"], **close)
    # PyTorch stores the variance times n / (n - 1), ours is the batch's own
    n, before = x.size / x.shape[-1], REFERENCE["ccbn/stored_var"]
    moved = REFERENCE["ccbn/stored_var_after"] - 0.9 * before
    np.testing.assert_allclose(found[1], 0.9 * before + moved * (n - 1) / n, **close)


def test_biggans_batch_norm_from_labels():
    labels = REFERENCE["ccbn_embed/labels"].astype("int32")
    layer = ConditionalBatchNormalization(5)
    x = nhwc("ccbn/x")
    layer.build((x.shape, labels.shape))
    layer.gamma.assign(1 + REFERENCE["ccbn_embed/gain.weight"])  # BigGAN's gains are added to 1
    layer.beta.assign(REFERENCE["ccbn_embed/bias.weight"])
    np.testing.assert_allclose(layer([x, labels], training=True), nhwc("ccbn_embed/out_train"), **close)
    # in evaluation, the same formula with the stored statistics
    set_statistics(layer, "ccbn_embed/")
    mean, variance = (REFERENCE[f"ccbn_embed/stored_{name}"] for name in ("mean", "var"))
    rows = REFERENCE["ccbn_embed/gain.weight"][labels], REFERENCE["ccbn_embed/bias.weight"][labels]
    gain, bias = (row[:, None, None, :] for row in rows)
    expected = (x - mean) / np.sqrt(variance + 1e-5) * (1 + gain) + bias
    np.testing.assert_allclose(layer([x, labels], training=False), expected, **close)


def test_the_table_starts_as_plain_batch_norm_and_learns_rows():
    x = tf.random.stateless_normal((6, 3, 3, 2), (0, 1)) * 3 + 1
    labels = tf.constant([0, 2, 2, 0, 2, 0])
    layer = ConditionalBatchNormalization(4)
    outputs = layer([x, labels], training=True)
    np.testing.assert_allclose(np.mean(outputs, (0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.var(outputs, (0, 1, 2)), 1, atol=1e-4)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer([x, labels], training=True) ** 3)
    gradients = tape.gradient(loss, [layer.gamma.value, layer.beta.value])
    moved = np.any(np.stack([tf.convert_to_tensor(g) for g in gradients]), axis=(0, 2))
    assert moved.tolist() == [True, False, True, False]
    assert [v.shape for v in layer.trainable_variables] == [(4, 2)] * 2
    assert len(layer.non_trainable_variables) == 2


def test_any_rank_and_any_kind_of_label():
    x = tf.random.stateless_normal((6, 5), (0, 1))
    layer = ConditionalBatchNormalization(3)
    one = layer([x, tf.constant([0, 1, 2, 0, 1, 2], tf.int64)], training=True)
    assert one.shape == (6, 5)
    volume = ConditionalBatchNormalization(3)(
        [tf.reshape(x, [2, 1, 3, 1, 5]), tf.constant([1, 2])], training=True
    )
    np.testing.assert_allclose(tf.reshape(volume, [6, 5]), one, atol=1e-5)


def test_the_two_matrices_do_not_start_alike():
    for cls in (VectorConditionalBatchNormalization, SpectralConditionalBatchNormalization):
        layer = cls(kernel_initializer=keras.initializers.RandomNormal(stddev=0.1, seed=3))
        layer.build(((None, 4, 4, 8), (None, 7)))
        assert not np.allclose(layer.gain.kernel, layer.offset.kernel)


# -------------------------------------------------------------------------- residual blocks


def block_of(name):
    x, condition = nhwc("gblock/x"), REFERENCE["gblock/cond"]
    inputs, given = keras.Input(x.shape[1:]), keras.Input(condition.shape[1:])
    channels = REFERENCE[f"{name}/conv2.weight"].shape[0]
    block = residual_same if name.endswith("same") else residual_up
    if name == "gblock_nosn":
        kinds = plain, VectorConditionalBatchNormalization
    else:
        kinds = spectral, SpectralConditionalBatchNormalization
    model = keras.Model([inputs, given], block(inputs, channels, kinds[0], conditions.given(given, kinds[1])))
    convolutions = [layer for layer in model.layers if hasattr(layer, "kernel")]
    convolutions.sort(key=lambda layer: layer.kernel.shape[0] == 1)
    norms = [layer for layer in model.layers if hasattr(layer, "normalization")]
    sources = dict(zip(["conv1", "conv2", "conv_sc"], convolutions, strict=False))
    for source, layer in sources.items():
        layer.kernel.assign(hwio(f"{name}/{source}.weight"))
        layer.bias.assign(REFERENCE[f"{name}/{source}.bias"])
    for i, norm in enumerate(norms, 1):
        for source, linear in (("gain", norm.gain), ("bias", norm.offset)):
            linear.kernel.assign(REFERENCE[f"{name}/bn{i}.{source}.weight"].T)
            sources[f"bn{i}.{source}"] = linear
        set_statistics(norm, f"{name}/bn{i}.")
    if name != "gblock_nosn":
        for source, layer in sources.items():
            layer.u.assign(REFERENCE[f"{name}/{source}.u0"][0])
    return model, norms, sources, [x, condition]


@pytest.mark.parametrize("name", ["gblock_nosn", "gblock_sn", "gblock_sn_noup_same"])
def test_biggans_generator_blocks(name):
    model, norms, sources, inputs = block_of(name)
    assert len(sources) == len(
        [key for key in REFERENCE.files if key.startswith(f"{name}/") and "weight" in key]
    )
    np.testing.assert_allclose(model(inputs), nhwc(f"{name}/out_eval_before"), **close)
    np.testing.assert_allclose(model(inputs, training=True), nhwc(f"{name}/out_train"), **close)
    for i, norm in enumerate(norms, 1):
        after = REFERENCE[f"{name}/after/bn{i}.stored_mean"]
        np.testing.assert_allclose(norm.normalization.moving_mean, after, **close)
        set_statistics(norm, f"{name}/after/bn{i}.")  # PyTorch's variances, n / (n - 1) times ours
    np.testing.assert_allclose(model(inputs), nhwc(f"{name}/out_eval_after"), **close)
    if name != "gblock_nosn":
        for source, layer in sources.items():
            np.testing.assert_allclose(layer.u, REFERENCE[f"{name}/after/{source}.u0"][0], atol=1e-5)


# --------------------------------------------------------------------------- self-attention


def attention(name):
    layer = (SpectralSelfAttention if name == "attn_sn" else SelfAttention)()
    x = nhwc(f"{name}/x")
    layer.build(x.shape)
    layer.gamma.assign(REFERENCE[f"{name}/gamma"])
    sources = {"theta": layer.query, "phi": layer.key, "g": layer.value, "o": layer.out}
    for source, convolution in sources.items():
        convolution.kernel.assign(hwio(f"{name}/{source}.weight"))
        if name == "attn_sn":
            convolution.u.assign(REFERENCE[f"{name}/{source}.u0"][0])
    return layer, x, sources


@pytest.mark.parametrize("name", ["attn_nosn", "attn_sn"])
def test_biggans_attention(name):
    layer, x, sources = attention(name)
    np.testing.assert_allclose(layer(x, training=False), nhwc(f"{name}/out_eval_before"), **close)
    np.testing.assert_allclose(layer(x, training=True), nhwc(f"{name}/out_train"), **close)
    np.testing.assert_allclose(layer(x, training=False), nhwc(f"{name}/out_eval_after"), **close)
    if name == "attn_sn":
        for source, convolution in sources.items():
            np.testing.assert_allclose(convolution.u, REFERENCE[f"{name}/after/{source}.u0"][0], atol=1e-5)


def test_attention_by_hand():
    layer, x, _ = attention("attn_nosn")
    q, k, v, o = (np.asarray(c.kernel)[0, 0] for c in (layer.query, layer.key, layer.value, layer.out))
    pooled = lambda a: a.reshape(2, 3, 2, 3, 2, -1).max((2, 4)).reshape(2, 9, -1)  # noqa: E731
    scores = np.einsum("bic,bjc->bij", (x @ q).reshape(2, 36, -1), pooled(x @ k))
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    expected = x + float(layer.gamma) * ((weights @ pooled(x @ v)) @ o).reshape(x.shape)
    np.testing.assert_allclose(layer(x), expected, **close)
    found = layer.attention_map(x)
    assert found.shape == (2, 6, 6, 3, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found.reshape(weights.shape), weights, **close)
    np.testing.assert_allclose(found.sum((3, 4)), 1, rtol=1e-5)


@pytest.mark.parametrize("blocks", [1, 3, 6])
def test_blocks_and_the_gradient_by_hand_change_nothing(blocks):
    shapes = [(2, 12, 3), (2, 5, 3), (2, 5, 4), (2, 12, 4), (2, 12, 3)]
    q, k, v, direction, second = (
        tf.random.stateless_normal(shape, (0, i), dtype=tf.float64) for i, shape in enumerate(shapes)
    )
    plain = lambda q, k, v: tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True)), v)  # noqa: E731

    @tf.function
    def derivatives(function, inputs):
        """The output, three gradients, and three second derivatives of what a gradient penalty would be."""
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                output = function(*inputs)
                value = tf.reduce_sum(direction * tf.square(output))
            first = inner.gradient(value, inputs)
            penalty = tf.reduce_sum(second * first[0]) + sum(tf.reduce_sum(tf.square(g)) for g in first)
        return [output, *first, *outer.gradient(penalty, inputs)]

    found = derivatives(lambda q, k, v: gather(q, k, v, blocks), [q, k, v])
    for mine, theirs in zip(found, derivatives(plain, [q, k, v]), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("size", "blocks"),
    [((2, 2), 1), ((32, 32), 1), ((64, 32), 4), ((48, 48), 6), ((64, 64), 16), ((128, 128), 16)],
)
def test_blocks_of_the_map(size, blocks):
    assert _blocks(*size) == blocks
    assert size[0] * size[1] % blocks == 0


def test_a_large_map_in_blocks_is_the_small_ones_formula():
    layer, x = SelfAttention(), tf.random.stateless_normal((1, 64, 32, 8), (0, 3))
    layer.build(x.shape)
    layer.gamma.assign(0.7)
    values = tf.nn.max_pool2d(layer.value(x), 2, 2, "VALID")
    weights = layer.attention_map(x).reshape(1, 2048, 512)
    gathered = tf.reshape(weights @ tf.reshape(values, (1, 512, 4)), (1, 64, 32, 4))
    np.testing.assert_allclose(layer(x), x + 0.7 * layer.out(gathered), atol=1e-5)


@pytest.mark.parametrize("cls", [SelfAttention, SpectralSelfAttention])
def test_attention_starts_as_the_identity(cls):
    layer = cls()
    x = tf.random.stateless_normal((2, 4, 6, 16), (0, 1))
    np.testing.assert_array_equal(layer(x, training=True), x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, training=True) ** 3)
    gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
    moving = {
        v.path.split("/", 1)[1]
        for v, g in zip(layer.trainable_variables, gradients, strict=True)
        if np.any(g)
    }
    assert moving == {"gamma"}  # at gamma = 0 nothing else has a gradient
    assert layer.count_params() == 16 * (2 + 2 + 8 + 8) + 1 + (cls is SpectralSelfAttention) * (
        2 + 2 + 8 + 16
    )


def test_memory_of_the_map():
    layer = SelfAttention()
    found = layer.attention_map(np.zeros((3, 8, 4, 8), np.float32))
    assert SelfAttention.map_bytes(8, 4, 3) == found.nbytes == 3 * 32 * 32
    assert SelfAttention.map_bytes(64, 64) == 16 * 2**20
    np.testing.assert_allclose(found, 1 / 8)  # nothing to choose between: all the same


def test_moving_a_pooling_cell_moves_the_output():
    # attention knows no positions: shuffled 2x2 cells come out shuffled
    layer, x, _ = attention("attn_nosn")
    order = np.random.default_rng(0).permutation(9)
    shuffled = lambda a: (  # noqa: E731
        np.asarray(a).reshape(2, 3, 2, 3, 2, 16).transpose(0, 1, 3, 2, 4, 5).reshape(2, 9, 2, 2, 16)[:, order]
        .reshape(2, 3, 3, 2, 2, 16).transpose(0, 1, 3, 2, 4, 5).reshape(2, 6, 6, 16)
    )  # fmt: skip
    np.testing.assert_allclose(layer(shuffled(x)), shuffled(layer(x)), **close)


def test_maps_of_a_network():
    image = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(8, 3, padding="same")(image)
    first, second = SelfAttention(), SpectralSelfAttention()
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(first(x))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(second(x)))
    first.gamma.assign(0.5)
    images = tf.random.stateless_normal((2, 4, 4, 3), (0, 1))
    maps = attention_maps(model, images)
    assert [m.shape for m in maps] == [(2, 4, 4, 2, 2)] * 2
    features = model.layers[3](first(model.layers[1](images)))
    np.testing.assert_allclose(maps[1], second.attention_map(features), atol=1e-6)
    with pytest.raises(InputError, match="has no self-attention layer"):
        attention_maps(keras.Model(image, x := keras.layers.Flatten()(image)), images)


# ------------------------------------------------------------------------------- projection


def test_projection_is_an_inner_product_with_the_row_of_the_label():
    features = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    labels = np.array([2, 0, 6, 2], np.int32)
    layer = Projection(7)
    outputs = layer([features, labels])
    table = np.asarray(layer.embedding.embeddings)
    assert outputs.shape == (4, 1) and table.shape == (7, 6)
    assert np.abs(table).max() <= np.sqrt(6 / (7 + 6))  # Glorot & Bengio
    np.testing.assert_allclose(outputs[:, 0], np.einsum("bc,bc->b", features, table[labels]), **close)


def test_biggans_class_embedding():
    features = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    labels = np.array([2, 0, 6, 2], np.int32)
    layer = SpectralProjection(7)
    layer.build(((None, 6), (None,)))
    layer.embedding.embeddings.assign(TABLE["sn_embed/weight"])
    layer.embedding.u.assign(TABLE["sn_embed/u0"][0])
    expected = np.sum(features * TABLE["sn_embed/W_bar_step1"][labels], axis=1)
    np.testing.assert_allclose(layer([features, labels], training=False)[:, 0], expected, **close)
    np.testing.assert_allclose(layer([features, labels], training=True)[:, 0], expected, **close)
    np.testing.assert_allclose(layer.embedding.u, TABLE["sn_embed/u0_step1"][0], atol=1e-5)
    second = np.sum(features * (TABLE["sn_embed/weight"] / TABLE["sn_embed/sigma_step2"])[labels], axis=1)
    np.testing.assert_allclose(layer([features, labels], training=False)[:, 0], second, **close)


# -------------------------------------------------------------------------------------- all


def network():
    z, label, c = keras.Input((4, 4, 3)), keras.Input((), dtype="int32"), keras.Input((3,))
    x = residual_up(z, 8, spectral, conditions.given(label, lambda: ConditionalBatchNormalization(5)))
    x = SpectralSelfAttention()(SelfAttention()(x))
    x = residual_same(x, 8, plain, conditions.given(c, SpectralConditionalBatchNormalization))
    x = VectorConditionalBatchNormalization(0.8, 1e-3)([x, c])
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model([z, label, c], SpectralProjection(5)([x, label]) + Projection(5)([x, label]))


def test_in_a_keras_model(tmp_path):
    with seeded(1):
        model = network()
    for layer in model.layers:
        if isinstance(layer, SelfAttention):
            layer.gamma.assign(0.7)
    x = [tf.random.stateless_normal((3, 4, 4, 3), (0, 1)), tf.constant([1, 4, 0]), tf.ones((3, 3))]
    start = model.get_weights()
    outputs, _ = model.stateless_call(
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
        x,
        training=True,
    )
    for a, b in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # nothing moved
    np.testing.assert_allclose(outputs, model(x, training=True), rtol=1e-4, atol=1e-5)
    moved = [not np.array_equal(a, v) for a, v in zip(start, model.weights, strict=True)]
    assert moved == [not v.trainable for v in model.weights]
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    model.save_weights(tmp_path / "a.weights.h5")
    other = network()
    other.load_weights(tmp_path / "a.weights.h5")
    model.save(tmp_path / "a.keras")
    for again in (twin, other, keras.saving.load_model(tmp_path / "a.keras")):
        for a, b in zip(model.weights, again.weights, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(again(x), model(x))
    compiled = tf.function(lambda *inputs: twin(list(inputs), training=True), jit_compile=True)(*x)
    np.testing.assert_allclose(compiled, model(x, training=True), rtol=1e-3, atol=1e-4)


def test_second_derivatives():
    """A penalty on a slope through attention and projection, as R1 takes it, against finite differences."""
    image, label = keras.Input((4, 4, 8), dtype="float64"), keras.Input((), dtype="int32")
    x = SelfAttention(dtype="float64")(image)
    x = keras.layers.Flatten(dtype="float64")(keras.ops.tanh(x))
    model = keras.Model([image, label], Projection(3, dtype="float64")([x, label]))
    layer = next(layer for layer in model.layers if isinstance(layer, SelfAttention))
    layer.gamma.assign(0.8)
    images = tf.random.stateless_normal((2, 4, 4, 8), (0, 1), dtype=tf.float64)

    def penalty():
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = tf.reduce_sum(model([images, tf.constant([0, 2])]))
        return tf.reduce_sum(tf.square(tape.gradient(logits, images)))

    kernel = layer.query.kernel
    with tf.GradientTape() as tape:
        value = penalty()
    gradient = tape.gradient(value, kernel.value).numpy()
    start, step = kernel.numpy(), 1e-5 * gradient / np.linalg.norm(gradient)
    kernel.assign(start + step)
    above = penalty()
    kernel.assign(start - step)
    np.testing.assert_allclose((above - penalty()) / 2e-5, np.linalg.norm(gradient), rtol=1e-5)


def test_two_replicas_are_one(run_python):
    result = run_python(
        """
        import numpy as np, keras, tensorflow as tf
        from ganlib import scaling
        from ganlib.layers import (
            ConditionalBatchNormalization, SelfAttention, SpectralConditionalBatchNormalization, SpectralProjection
        )
        from ganlib.randomness import seeded

        x = tf.random.stateless_normal((8, 4, 4, 8), (0, 1)) * tf.reshape(tf.range(1.0, 9.0), (8, 1, 1, 1))
        data = tf.data.Dataset.from_tensors((x, tf.range(8) % 3)).repeat()

        def train(name):
            strategy = scaling.strategy(name)
            with strategy.scope(), seeded(1):
                image, label = keras.Input((4, 4, 8)), keras.Input((), dtype="int32")
                h = SelfAttention(name="attention")(ConditionalBatchNormalization(3)([image, label]))
                h = SpectralConditionalBatchNormalization()([h, keras.layers.GlobalAveragePooling2D()(h)])
                h = keras.ops.tanh(keras.layers.Flatten()(h))
                model = keras.Model([image, label], SpectralProjection(3)([h, label]))
                model.get_layer("attention").gamma.assign(1.0)
                optimizer = keras.optimizers.Adam(1e-3, epsilon=1e-2)
                optimizer.build(model.trainable_variables)
            replicas = strategy.num_replicas_in_sync

            def step(images, labels):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(model([images, labels], training=True) - 1.0)) / replicas
                optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

            batches = iter(strategy.experimental_distribute_dataset(data))
            run = tf.function(lambda batch: strategy.run(step, args=batch))
            start = [v.numpy() for v in model.weights]
            for _ in range(5):
                run(next(batches))
            return start, [v.numpy() for v in model.weights]

        (start, one), (_, two) = train("none"), train("mirrored:2")
        result = dict(start=start, one=one, two=two)
        """,
        devices=2,
    )
    for start, one, two in zip(*(result[k] for k in ("start", "one", "two")), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
        assert not np.allclose(one, start, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConditionalBatchNormalization(0), "num_classes=0 is out of range"),
        (lambda: ConditionalBatchNormalization(3, momentum=1.0), "momentum=1.0 is out of range"),
        (lambda: VectorConditionalBatchNormalization(epsilon=0.0), "epsilon=0.0 is out of range"),
        (lambda: SpectralProjection(True), "num_classes=True is out of range"),
        (
            lambda: SelfAttention()(tf.zeros([1, 4, 4, 12])),
            "12 channels: self-attention needs a multiple of 8",
        ),
        (lambda: SelfAttention()(tf.zeros([1, 5, 4, 8])), "5x4 cannot be pooled"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
