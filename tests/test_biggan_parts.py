"""What BigGAN brought: bottleneck blocks, orthogonal regularisation, standing statistics, batch norms of its kind.

tests/data/biggan_blocks.npz: arrays of ajbrock/BigGAN-PyTorch at 9845943 (layers.py, BigGANdeep.py, utils.py), in its
layouts; the whole network with standing statistics is in biggan_nets.npz.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import convert, penalties, standing
from ganlib.errors import InputError
from ganlib.layers import (
    BatchNormalization,
    EmbeddedConditionalBatchNormalization,
    VectorConditionalBatchNormalization,
    given,
)
from ganlib.layers.bottleneck import bottleneck_generating, bottleneck_judging
from ganlib.layers.residual import residual_down
from ganlib.layers.spectral_parts import SpectralParts
from ganlib.models import BigGAN, biggan

DATA = Path(__file__).parent / "data"
REFERENCE = np.load(DATA / "biggan_blocks.npz")
close = {"rtol": 1e-4, "atol": 1e-5}


def nhwc(key):
    return REFERENCE[key].transpose(0, 2, 3, 1)


def assign(layer, name):
    """A spectrally normalised layer's weight, bias and vector."""
    weight = REFERENCE[f"{name}.weight"]
    layer.kernel.assign(weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T)
    if layer.use_bias:
        layer.bias.assign(REFERENCE[f"{name}.bias"])
    layer.u.assign(REFERENCE[f"{name}.u0"][0])


# ------------------------------------------------------------------------------- blocks


@pytest.mark.parametrize(("name", "scale"), [("g_same", "same"), ("g_up", "up")])
def test_deep_blocks_of_g(name, scale):
    name = f"deep/{name}"
    parts, x, condition = SpectralParts(), nhwc(f"{name}/x"), REFERENCE[f"{name}/cond"]
    inputs, told = keras.Input(x.shape[1:]), keras.Input(condition.shape[1:])
    parts.next_block()
    channels = REFERENCE[f"{name}/conv4.weight"].shape[0]
    norms = given.given(told, parts.vector_batch_norm)
    model = keras.Model(
        [inputs, told], bottleneck_generating(inputs, channels, scale, parts.convolution, norms)
    )
    for i in range(1, 5):
        assign(model.get_layer(f"block_0_convolution_{i}"), f"{name}/conv{i}")
        norm = model.get_layer(f"block_0_norm_{i}")
        assign(norm.gain, f"{name}/bn{i}.gain")
        assign(norm.offset, f"{name}/bn{i}.bias")
        norm.normalization.moving_mean.assign(REFERENCE[f"{name}/bn{i}.stored_mean"])
        norm.normalization.moving_variance.assign(REFERENCE[f"{name}/bn{i}.stored_var"])
    np.testing.assert_allclose(model([x, condition], training=True), nhwc(f"{name}/out_train"), **close)
    # the moving variances are PyTorch's: times n / (n - 1)
    np.testing.assert_allclose(model([x, condition]), nhwc(f"{name}/out_eval_after"), **close)


@pytest.mark.parametrize(("name", "scale"), [("d_same", "same"), ("d_down", "down")])
def test_deep_blocks_of_d(name, scale):
    name = f"deep/{name}"
    parts, x = SpectralParts(), nhwc(f"{name}/x")
    parts.next_block()
    inputs = keras.Input(x.shape[1:])
    channels = REFERENCE[f"{name}/conv4.weight"].shape[0]
    model = keras.Model(inputs, bottleneck_judging(inputs, channels, scale, parts.convolution))
    sources = ["conv1", "conv2", "conv3", "conv4", "conv_sc"][: 4 + (scale == "down")]
    for i, source in enumerate(sources, 1):
        assign(model.get_layer(f"block_0_convolution_{i}"), f"{name}/{source}")
    assert sum(hasattr(layer, "u") for layer in model.layers) == len(sources)
    np.testing.assert_allclose(model(x, training=True), nhwc(f"{name}/out_train"), **close)
    np.testing.assert_allclose(model(x), nhwc(f"{name}/out_eval_after"), **close)


@pytest.mark.parametrize("name", ["dblock_down_same", "dblock_down_thin"])
def test_halving_blocks_with_equal_widths_or_a_thin_middle(name):
    x = nhwc(f"{name}/x")
    parts, inputs = SpectralParts(), keras.Input(x.shape[1:])
    parts.next_block()
    hidden, channels = (REFERENCE[f"{name}/conv{i}.weight"].shape[0] for i in (1, 2))
    model = keras.Model(inputs, residual_down(inputs, channels, parts.convolution, hidden_channels=hidden))
    for i, source in enumerate(["conv1", "conv2", "conv_sc"], 1):
        assign(model.get_layer(f"block_0_convolution_{i}"), f"{name}/{source}")
    for key in ("out_eval_before", "out_train", "out_eval_after"):
        np.testing.assert_allclose(model(x, training=key == "out_train"), nhwc(f"{name}/{key}"), **close)


def test_bottlenecks_only_drop_in_g_and_only_add_in_d():
    x = keras.Input((4, 4, 8))
    with pytest.raises(InputError, match="channels=12: a block of G keeps or drops some of 8"):
        bottleneck_generating(x, 12)
    with pytest.raises(InputError, match="channels=4: a block of D keeps or adds to 8"):
        bottleneck_judging(x, 4)
    with pytest.raises(InputError, match="3 channels: a bottleneck has a 4th of them inside"):
        bottleneck_generating(keras.Input((4, 4, 3)), 3)


# -------------------------------------------------------------------------- batch norms


def test_the_moving_variance_can_be_unbiased():
    x = tf.random.stateless_normal((3, 2, 2, 4), (0, 1))
    layers = [BatchNormalization(momentum=0.0, unbiased=unbiased) for unbiased in (False, True)]
    for layer in layers:
        layer(x, training=True)
    np.testing.assert_allclose(layers[0].moving_variance, np.var(x, (0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(layers[1].moving_variance, np.var(x, (0, 1, 2), ddof=1), rtol=1e-5)
    for layer in (layers[1], EmbeddedConditionalBatchNormalization(3, unbiased=True)):
        assert type(layer).from_config(layer.get_config()).unbiased


def test_tables_are_added_to_one():
    layer = EmbeddedConditionalBatchNormalization(3, embeddings_initializer="ones")
    x, labels = tf.random.stateless_normal((4, 2, 2, 5), (0, 1)), tf.constant([0, 2, 2, 1])
    layer([x, labels])
    layer.gain.assign(tf.random.stateless_normal((3, 5), (0, 2)))
    rows = layer.gain.numpy()[labels.numpy()][:, None, None]
    np.testing.assert_allclose(layer([x, labels]), x / np.sqrt(1 + 1e-5) * (1 + rows) + 1, atol=1e-5)
    np.testing.assert_allclose(layer([x, tf.one_hot(labels, 3)]), layer([x, labels]), atol=1e-6)
    assert type(layer).from_config(layer.get_config()).num_classes == 3


# ------------------------------------------------------------ orthogonal regularisation


@pytest.mark.parametrize("kind", ["lin", "conv"])
def test_the_gradient_is_the_authors(kind):
    weight = REFERENCE[f"ortho/{kind}_weight"]
    layer = keras.layers.Dense(6) if kind == "lin" else keras.layers.Conv2D(5, 3)
    network = keras.Sequential([keras.Input((10,) if kind == "lin" else (4, 4, 4)), layer])
    to_ours = (lambda a: a.T) if kind == "lin" else (lambda a: a.transpose(2, 3, 1, 0))
    layer.kernel.assign(to_ours(weight))
    with tf.GradientTape() as tape:
        (matrix,) = penalties.weight_matrices(network)
        square = penalties.off_diagonal_square(matrix)
    gradient = tape.gradient(square, layer.kernel.value)
    np.testing.assert_allclose(square, REFERENCE[f"ortho/{kind}_fro2_WWT_offdiag"], rtol=1e-4)
    expected = to_ours(REFERENCE[f"ortho/{kind}_grad_code_strength1"])
    np.testing.assert_allclose(0.5 * gradient, expected, **close)


@pytest.mark.parametrize("out", [6, 13, 40])
def test_many_short_rows_in_the_other_order(out):
    rows = np.random.default_rng(0).normal(size=(out, 6))
    with tf.GradientTape() as tape:
        matrix = tf.constant(rows.T, tf.float32)
        tape.watch(matrix)
        value = penalties.off_diagonal_square(matrix)
    products = rows @ rows.T * (1 - np.eye(out))
    np.testing.assert_allclose(value, np.sum(products**2), rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(value, matrix), (4 * products @ rows).T, rtol=1e-4, atol=1e-3)


def test_the_term_is_of_g_and_of_every_matrix_but_the_shared_embedding():
    gan = BigGAN.from_preset("smoke", orthogonal=0.01)
    images = gan.example_batch(8)
    gan.compile(*(keras.optimizers.SGD(1.0) for _ in range(2)))
    paths = {v.path for v in gan.generator.trainable_variables if len(v.shape) > 1}
    assert len(penalties.weight_matrices(gan.generator)) == len(paths) - 1
    twin = BigGAN.from_preset("smoke", orthogonal=0.0)
    twin.compile()
    for weight in gan.generator.trainable_variables:  # where they start there is nothing to do
        weight.assign(weight + 0.1)
    for a, b in zip(twin.generator.variables, gan.generator.variables, strict=True):
        a.assign(b)
    with_, without = gan.gradients(images), twin.gradients(images)
    for (path, a), (_, b) in zip(with_["discriminator"], without["discriminator"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=path)
    for (path, a), (_, b), v in zip(
        with_["generator"], without["generator"], gan.generator.trainable_variables, strict=True
    ):
        expected = np.zeros(v.shape)
        if path in paths and "shared_embedding" not in path:
            rows = v.numpy().reshape(-1, v.shape[-1]).T
            expected = 0.01 * 2 * (rows @ rows.T * (1 - np.eye(len(rows)))) @ rows
            expected = expected.T.reshape(v.shape)
        difference = tf.convert_to_tensor(a) - tf.convert_to_tensor(b)
        np.testing.assert_allclose(difference, expected, rtol=1e-3, atol=1e-4, err_msg=path)


def test_of_d_too_and_tables_have_classes_for_rows():
    gan = BigGAN.from_preset("smoke", architecture="separate", orthogonal=0.0)
    shapes = {tuple(m.shape) for m in penalties.weight_matrices(gan.generator)}
    assert (8, 10) in shapes  # 10 classes, 8 channels
    penalty = penalties.OrthogonalRegularization(1.0, role="discriminator")
    assert penalty.penalty(gan, gan.player("generator"), None, None, None) is None
    # square matrices and wide ones are orthogonal at first; tall ones (as rows) cannot be
    value = penalty.penalty(gan, gan.player("discriminator"), None, None, None)
    tall = [m for m in penalties.weight_matrices(gan.discriminator) if m.shape[0] < m.shape[1]]
    by_hand = sum(float(penalties.off_diagonal_square(m)) for m in tall)
    np.testing.assert_allclose(value, 0.5 * by_hand, rtol=1e-4)
    with pytest.raises(InputError, match="there is no role 'encoder'"):
        penalties.OrthogonalRegularization(role="encoder")


# ------------------------------------------------------------------ standing statistics


def test_standing_statistics_of_two_batches():
    x, condition = keras.Input((5, 5, 6)), keras.Input((7,))
    layer = VectorConditionalBatchNormalization()
    model = keras.Model([x, condition], layer([x, condition]))
    layer.gain.kernel.assign(REFERENCE["ccbn/gain.weight"].T)
    layer.offset.kernel.assign(REFERENCE["ccbn/bias.weight"].T)
    first, second, told = nhwc("ccbn/x"), nhwc("ccbn_mybn/x_second"), REFERENCE["ccbn/cond"]
    standing.accumulate(model, [[first, told], [second, told]])
    np.testing.assert_allclose(model([first, told]), nhwc("ccbn_mybn/out_eval_standing_2batches"), **close)


def test_a_whole_network_with_standing_statistics():
    nets = np.load(DATA / "biggan_nets.npz")
    state = {k.split("/", 1)[1]: nets[k] for k in nets.files if k.startswith("skip_z_mybn_32/")}
    network = biggan.generator(32, 3, 5, 12, 2, 16, 3, True, "orthogonal")
    convert.load(network, state, prefix="G/")
    standing.accumulate(network, [list(batch) for batch in zip(state["zs"], state["ys"], strict=True)])
    images = network([state["z"], state["y"]]).numpy()[:, ::4, ::4]
    np.testing.assert_allclose(images, state["G_standing"].transpose(0, 2, 3, 1), rtol=1e-4, atol=2e-5)


def test_samples_with_standing_statistics_follow_weights_and_truncation():
    plain = BigGAN.from_preset("smoke")
    gan = BigGAN.from_preset("smoke", standing_passes=3)
    before = [v.numpy() for v in gan.variables]
    images = gan.sample(4, seed=0)
    assert np.abs(images - plain.sample(4, seed=0)).max() > 0.01
    np.testing.assert_array_equal(images, gan.sample(4, seed=0))
    cut = gan.sample(4, truncation=0.5, seed=0)
    latents, labels = gan.sample_latents(4, 0.5, seed=0), gan.sample_labels(4, seed=0)
    assert np.abs(cut - gan.images_of([latents, labels])).max() > 1e-3  # statistics of all latents
    np.testing.assert_allclose(gan.images_of([latents, np.eye(10)[labels]], truncation=0.5), cut, atol=1e-6)
    for a, b in zip(before, gan.variables, strict=True):
        np.testing.assert_array_equal(a, b)  # what is trained and saved has not moved
    gan.ema_generator.get_layer("to_image").bias.assign([0.3])
    again = gan.sample(4, seed=0)
    assert np.all(again > images)
    np.testing.assert_allclose(np.arctanh(again) - np.arctanh(images), 0.3, atol=1e-3)
