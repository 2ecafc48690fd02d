"""BigBiGAN: counts by hand, each term of the losses, an encoder that draws, averages, no class anywhere."""

import inspect
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import catalogue, losses
from ganlib.errors import InputError
from ganlib.layers.gaussian import GaussianSample
from ganlib.layers.reversible import Bottleneck, ReversibleBottleneck
from ganlib.models import BigBiGAN
from ganlib.models.bigbigan import ARCHITECTURES
from ganlib.randomness import RandomStreams

RNG = np.random.default_rng(0)


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.fixture(scope="module")
def small():
    gan = BigBiGAN.from_preset("smoke", seed=2)
    gan.compile(*(keras.optimizers.SGD(0.01) for _ in range(3)))
    return gan


def batch_of(gan, n=8):
    return gan.example_batch(n)


# ---------------------------------------------------------------------------------------------- networks


def dense(inputs, outputs):
    return (inputs + 1) * outputs


def perceptron(inputs, units, blocks):
    first = dense(inputs, units) + dense(units, units) + (dense(inputs, units) if inputs != units else 0)
    return first + (blocks - 1) * 2 * dense(units, units)


def bottleneck(inputs, hidden, outputs):
    kernels = inputs * hidden + 9 * hidden * hidden + hidden * outputs
    return kernels + 2 * (inputs + hidden + hidden)


def encoder(channels, latent, base, blocks, units, reversible, stem):
    total, width = stem * stem * channels * base, base
    for stage, count in enumerate(blocks):
        hidden, out = base * 2**stage, 4 * base * 2**stage
        total += bottleneck(width, hidden, out) + width * out
        rest = 2 * bottleneck(out // 2, hidden // 2, out // 2) if reversible else bottleneck(out, hidden, out)
        total, width = total + (count - 1) * rest, out
    return total + 2 * width + perceptron(width, units, 2) + 2 * dense(units, latent)


@pytest.mark.parametrize("architecture", ["resnet", pytest.param("revnet", marks=pytest.mark.long)])
def test_counts_at_128_follow_from_biggans(architecture):
    with catalogue.zero_weights():
        g, e, d = ARCHITECTURES[architecture].networks(
            resolution=128, channels=3, latent_dim=120, base_channels=96, encoder_channels=64, units=2048,
            encoder_units=4096, attention=64, blocks=(3, 4, 6, 3), terms=("x", "z", "xz"), initial="orthogonal",
        )  # fmt: skip
    # BigGAN's 70,433,988 less the shared embedding and its part of the twenty conditional matrices
    widths = [96 * factor for factor in (16, 16, 8, 4, 2, 1)]
    told = sum(a + b for a, b in itertools.pairwise(widths))
    assert trainable(g) == 70_433_988 - 128 * 1000 - 2 * 128 * told == 68_413_636
    # BigGAN's 87,982,370 less the projection, and what judges z
    f = 87_982_370 - 1000 * 1536
    h = perceptron(120, 2048, 4) + 2049
    j = perceptron(1536 + 2048, 2048, 4) + 2049
    assert trainable(d) == f + h + j
    assert trainable(e) == encoder(3, 120, 64, (3, 4, 6, 3), 4096, architecture == "revnet", 7)
    assert e.get_layer("features").output.shape[1] == 2048


@pytest.mark.parametrize("architecture", ["resnet", "revnet"])
def test_counts_of_the_laptop(architecture):
    gan = BigBiGAN.from_preset("laptop", architecture=architecture)
    assert trainable(gan.encoder) == encoder(1, 64, 8, (2, 2, 2), 128, architecture == "revnet", 3)
    width, part = 32, 16
    block = 2 * 9 * width * width + width * width + 3 * width + 4 * part * width
    assert trainable(gan.generator) == dense(part, 16 * width) + 3 * block + 2 * width + 9 * width + 1
    kinds = {type(layer).__name__ for layer in gan.encoder.layers}
    assert ("ReversibleBottleneck" in kinds) == (architecture == "revnet")


def test_nobody_is_told_a_class(small):
    assert small.classes is None
    shapes = {name: [tuple(x.shape) for x in network.inputs] for name, network in small.players().items()}
    image, z = (None, 8, 8, 1), (None, 6)
    assert shapes == {"generator": [z], "encoder": [image], "discriminator": [image, z]}
    for network in small.networks().values():
        kinds = {type(layer).__name__ for layer in network._flatten_layers()}
        assert not [
            k for k in kinds if "Embedding" in k or "Projection" in k or k.startswith("ConditionalBatch")
        ]
    # labels that come with a batch change nothing
    images = batch_of(small)
    for loss in (small.discriminator_loss, small.generator_loss):
        found = []
        for batch in (images, (images, tf.range(8)), (images, tf.range(8)[::-1])):
            with small.streams.at(0, 0), small.streams.scope("x"), keras.StatelessScope():
                found.append(float(loss(batch)[0]))
        assert found[0] == found[1] == found[2]


def test_z_joins_every_block_by_parts(small):
    gan = BigBiGAN.from_preset("laptop", latent_dim=66)
    told = [layer for layer in gan.generator.layers if "ConditionalBatch" in type(layer).__name__]
    assert len(told) == 6
    assert [layer.gain.kernel.shape[0] for layer in told] == [
        17,
        17,
        16,
        16,
        16,
        16,
    ]  # 66 = 17 + 17 + 16 + 16
    with pytest.raises(InputError, match="latent_dim=3: z is cut into 4 parts"):
        BigBiGAN.from_preset("laptop", latent_dim=3)


# ------------------------------------------------------------------------------------------------ losses


def test_each_term_at_known_scores(small, monkeypatch):
    real = [[0.5, 3.0], [-1.0, 0.0], [2.0, 0.25]]  # s_x, s_z, s_xz of two pairs of E
    fake = [[-2.0, 0.5], [1.0, -0.5], [0.0, 0.0]]
    scores = {"real": real, "fake": fake}
    shown = []

    def judge(pair, training=None):
        shown.append(pair)
        side = "real" if len(shown) % 2 else "fake"
        return [tf.constant(s)[:, None] for s in scores[side]]

    with (
        small.streams.at(0, 0),
        small.streams.scope("x"),
        keras.StatelessScope(),
        monkeypatch.context() as patch,
    ):
        patch.setattr(BigBiGAN, "discriminator", property(lambda self: judge), raising=False)
        patch.setattr(BigBiGAN, "frozen", lambda self, network: network)
        images = batch_of(small, 2)
        loss, logs = small.discriminator_loss(images)
        by_hand = (0.5 + 0.0) / 2 + (2.0 + 1.0) / 2 + (0.0 + 0.75) / 2
        assert float(logs["real_loss"]) == pytest.approx(by_hand)
        by_hand_fake = (0.0 + 1.5) / 2 + (2.0 + 0.5) / 2 + (1.0 + 1.0) / 2
        assert float(logs["fake_loss"]) == pytest.approx(by_hand_fake)
        assert float(loss) == pytest.approx(by_hand + by_hand_fake)
        assert float(logs["real_x"]) == pytest.approx(1.75) and float(logs["fake_xz"]) == 0
        np.testing.assert_allclose(small.generator(shown[1][1]), shown[1][0], atol=1e-5)
        _, mean, deviation, _ = small.encoder(images)
        assert 0 < np.abs((shown[0][1] - mean) / deviation).max() < 5  # a draw
        loss, logs = small.generator_loss(images)
        assert float(logs["encoder_score"]) == pytest.approx(1.75 - 0.5 + 1.125)
        assert float(logs["generator_score"]) == pytest.approx(-0.75 + 0.25)
        assert float(loss) == pytest.approx(1.75 - 0.5 + 1.125 + 0.5)
        # D was shown (x, E(x)) and (G(z), z)
        for of_loss in (shown[:2], shown[2:]):
            np.testing.assert_array_equal(of_loss[0][0], images)
            assert of_loss[0][1].shape == (2, 6) and of_loss[1][0].shape == (2, 8, 8, 1)


def test_scores_are_of_the_image_of_z_and_of_both(small):
    images, z = RNG.uniform(-1, 1, (4, 8, 8, 1)), RNG.normal(size=(4, 6))
    base = [s.numpy() for s in small.discriminator([images, z])]
    other_z = [s.numpy() for s in small.discriminator([images, z[::-1]])]
    other_x = [s.numpy() for s in small.discriminator([images[::-1], z])]
    np.testing.assert_array_equal(base[0], other_z[0])
    np.testing.assert_array_equal(base[1], other_x[1])
    for a, b in ((base[1], other_z[1]), (base[2], other_z[2]), (base[0], other_x[0]), (base[2], other_x[2])):
        assert np.abs(a - b).max() > 1e-6


@pytest.mark.parametrize("terms", [("xz",), ("x", "xz"), ("z", "xz")])
def test_unary_terms_can_be_left_out(terms):
    gan = BigBiGAN.from_preset("smoke", terms=terms)
    assert len(tf.nest.flatten(gan.discriminator.outputs)) == len(terms)
    assert BigBiGAN.from_config(gan.get_config()).terms == terms
    if len(terms) > 1:
        return
    found = gan.gradients(batch_of(gan))
    assert set(found) == {"generator", "encoder", "discriminator"}
    for gradients in found.values():
        assert sum(float(tf.reduce_sum(tf.abs(gradient))) for _, gradient in gradients) > 0


def test_one_row_moves_generator_and_encoder_by_the_same_loss(small):
    rows = small.updates()
    assert [row.players for row in rows] == [("discriminator",), ("generator", "encoder")]
    images = batch_of(small)
    before = {name: [w.numpy() for w in network.weights] for name, network in small.players().items()}
    with small.streams.at(0, 0):
        small.move(rows[1], images)
    for name, network in small.players().items():
        moved = [not np.array_equal(a, w) for a, w in zip(before[name], network.weights, strict=True)]
        assert any(moved) == (name != "discriminator")
        if name != "discriminator":  # nearly all of it, whatever has a gradient
            trained = [m for m, w in zip(moved, network.weights, strict=True) if w.trainable]
            assert np.mean(trained) > 0.9


def test_the_encoder_learns_from_all_its_outputs(small):
    gradients = dict(small.gradients(batch_of(small))["encoder"])
    ends = [g.numpy() for path, g in gradients.items() if path.split("/")[-2].startswith("dense")]
    assert len(ends) == 4 and all(
        np.abs(g).max() > 0 for g in ends
    )  # kernels and biases of mean and deviation


# ----------------------------------------------------------------------------------------------- encoder


def test_a_draw_is_the_mean_and_deviations_times_noise():
    layer = GaussianSample()
    mean, deviation = np.full((20_000, 3), [1.0, -2.0, 0.0]), np.full((20_000, 3), [0.5, 2.0, 0.0])
    np.testing.assert_allclose(layer([mean, deviation]), mean)  # by itself
    layer.streams, layer.purpose = RandomStreams(0), "z"
    with layer.streams.at(0, 0):
        drawn = layer([mean, deviation]).numpy()
        again = layer([mean, deviation]).numpy()
    with layer.streams.at(1, 0):
        other = layer([mean, deviation]).numpy()
    np.testing.assert_array_equal(drawn, again)
    assert np.abs(drawn - other)[:, :2].min(axis=0).max() < 1 and not np.allclose(drawn, other)
    np.testing.assert_allclose(drawn.mean(axis=0), mean[0], atol=0.05)
    np.testing.assert_allclose(drawn.std(axis=0), deviation[0], atol=0.03)


def test_encode_features_and_reconstruct(small):
    images = batch_of(small, 9).numpy()
    _, mean, deviation, features = (x.numpy() for x in small.ema_encoder(images, training=False))
    assert (deviation > 0).all() and (features >= 0).all() and features.shape == (9, 16)
    np.testing.assert_allclose(small.encode(images), mean, atol=1e-5)
    np.testing.assert_allclose(small.features(images), features, atol=1e-5)
    drawn = small.encode(images, seed=1)
    np.testing.assert_array_equal(drawn, small.encode(images, seed=1))
    np.testing.assert_allclose(small.encode(images[:3], seed=1), drawn[:3], atol=1e-5)
    noise = (drawn - mean) / deviation
    assert 0.5 < noise.std() < 1.5 and not np.allclose(drawn, small.encode(images, seed=2))
    np.testing.assert_allclose(
        small.reconstruct(images), small.ema_generator(mean, training=False), atol=1e-5
    )
    np.testing.assert_allclose(small.reconstruct(images, seed=1), small.images_of(drawn), atol=1e-5)
    with pytest.raises(InputError, match=r"images of shape \(2, 4, 4, 1\): E takes \(n, 8, 8, 1\)"):
        small.encode(np.zeros((2, 4, 4, 1)))


def test_deviations_are_softplus(small):
    (deviation,) = [
        layer
        for layer in small.encoder.layers
        if isinstance(layer, keras.layers.Dense) and layer.activation is keras.activations.softplus
    ]
    assert deviation.output is small.encoder.outputs[2]
    images = batch_of(small, 4)
    before = keras.Model(small.encoder.input, deviation.input)(images, training=False).numpy()
    linear = before @ deviation.kernel.numpy() + deviation.bias.numpy()
    np.testing.assert_allclose(small.encoder(images, training=False)[2], np.log1p(np.exp(linear)), rtol=1e-5)


def test_generator_and_encoder_are_averaged():
    gan = BigBiGAN.from_preset("smoke", ema_decay=0.75)
    gan.compile(*(keras.optimizers.SGD(0.05) for _ in range(3)), run_eagerly=True)
    pairs = [(gan.generator, gan.ema_generator), (gan.encoder, gan.ema_encoder)]
    start = [[w.numpy() for w in network.weights] for network, _ in pairs]
    data = tf.data.Dataset.from_tensor_slices(batch_of(gan, 16)).batch(8)
    gan.fit(data, steps_per_epoch=1, verbose=0)
    for before, (network, average) in zip(start, pairs, strict=True):
        for old, new, mean in zip(before, network.weights, average.weights, strict=True):
            np.testing.assert_allclose(mean, 0.75 * old + 0.25 * new.numpy(), rtol=1e-5, atol=1e-6)
    bare = BigBiGAN.from_preset("smoke", ema_decay=None)
    assert bare.ema_encoder is bare.encoder and set(bare.networks()) == {
        "generator",
        "encoder",
        "discriminator",
    }


def shaken(layer):
    """The layer with random statistics, scales and offsets in its norms."""
    for weight in layer.weights:
        if "norm" in weight.path:
            low, high = (0.5, 1.5) if "variance" in weight.path or "gamma" in weight.path else (-0.5, 0.5)
            weight.assign(RNG.uniform(low, high, weight.shape))
    return layer


def test_reversible_blocks_are_inverted_exactly():
    layer = ReversibleBottleneck(3, dtype="float64")
    x = RNG.normal(size=(2, 5, 5, 8))
    layer.build(x.shape)
    shaken(layer)
    y = layer(x, training=False)
    assert np.abs(y - x).max() > 0.1
    np.testing.assert_allclose(layer.inverse(y), x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(layer(layer.inverse(x), training=False), x, rtol=0, atol=1e-12)
    x1, x2 = np.split(x, 2, axis=-1)  # eqs. 6 and 7
    y1 = x1 + layer.first(x2, training=False)
    np.testing.assert_allclose(y, np.concatenate([y1, x2 + layer.second(y1, training=False)], -1), atol=1e-12)
    with pytest.raises(InputError, match="7 channels have no halves"):
        ReversibleBottleneck(3).build((None, 5, 5, 7))


def test_a_revnets_stages_are_inverted_block_by_block():
    gan = BigBiGAN.from_preset("smoke", architecture="revnet", encoder_blocks=(3, 2))
    reversible = [layer for layer in gan.encoder.layers if isinstance(layer, ReversibleBottleneck)]
    assert len(reversible) == 2 + 1
    for layer in reversible:
        shaken(layer)
    inside = keras.Model(gan.encoder.input, [t for layer in reversible for t in (layer.input, layer.output)])
    found = inside(batch_of(gan), training=False)
    for layer, x, y in zip(reversible, found[::2], found[1::2], strict=True):
        np.testing.assert_allclose(layer.inverse(y), x, rtol=0, atol=1e-5 * np.abs(x).max())


def test_a_bottleneck_is_three_convolutions_behind_norms():
    layer = Bottleneck(8, 4, strides=2, dtype="float64")
    x = tf.constant(RNG.normal(size=(2, 5, 5, 6)))
    layer.build(x.shape)
    shaken(layer)
    h = x
    for norm, convolution, strides in zip(layer.norms, layer.convolutions, (1, 2, 1), strict=True):
        scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + 1e-5)
        h = tf.nn.relu((h - norm.moving_mean.numpy()) * scale + norm.beta.numpy())
        h = tf.nn.conv2d(h, convolution.kernel.numpy(), strides, "SAME")
    np.testing.assert_allclose(layer(x, training=False), h, atol=1e-10)
    assert h.shape == layer.compute_output_shape((2, 5, 5, 6)) == (2, 3, 3, 8)


# ------------------------------------------------------------------------------------------------ recipe


def test_recipe():
    paper = {name: p.default for name, p in inspect.signature(BigBiGAN.__init__).parameters.items()}
    assert (paper["n_critic"], paper["batch_size"], paper["ema_decay"]) == (2, 2048, 0.9999)
    gan = BigBiGAN.from_preset("smoke")  # which has the paper's rates
    gan.compile()
    rates = {name: float(o.learning_rate) for name, o in gan.optimizers().items()}
    assert rates == pytest.approx({"generator": 5e-5, "encoder": 5e-4, "discriminator": 2e-4})
    assert {(o.beta_1, o.beta_2) for o in gan.optimizers().values()} == {(0.0, 0.999)}
    assert isinstance(gan.adversarial_loss, losses.Hinge) and gan.latent_distribution == "normal"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "vgg"}, "no architecture 'vgg'"),
        ({"terms": ("x", "y", "xz")}, "no term 'y'"),
        ({"terms": ("x", "z")}, "only 'xz' sees image and latent together"),
        ({"encoder_blocks": (2, 0)}, r"encoder_blocks=\(2, 0\): give the number of blocks"),
        ({"encoder_blocks": 3}, "encoder_blocks=3: give the number of blocks"),
        ({"encoder_blocks": ()}, r"encoder_blocks=\(\)"),
        ({"attention": 5}, "attention=5"),
        ({"units": 0}, "units=0 is out of range"),
        ({"encoder_learning_rate": 0.0}, "encoder_learning_rate=0.0 is out of range"),
        ({"n_critic": 0}, "n_critic=0 is out of range"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        BigBiGAN.from_preset("smoke", **arguments)
