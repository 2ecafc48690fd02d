"""Penalties against official values (tests/data/penalties.npz: kwotsin/mimicry a7fda06 by double backprop; formulas of
tkarras/progressive_growing_of_gans 2504c3f; a small convolutional D in float32), and by closed forms."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import penalties
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.layers import BatchNormalization
from ganlib.layers.spectral_normalization import SpectralConv2D, SpectralDense
from ganlib.randomness import RandomStreams

with np.load(Path(__file__).parent / "data" / "penalties.npz") as file:
    REFERENCE = dict(file)
LAYERS = ("c1", "c2", "l")


def images(name):
    return tf.constant(REFERENCE[f"gp/{name}"].transpose(0, 2, 3, 1))


REAL, FAKE, ALPHA = images("real"), images("fake"), tf.constant(REFERENCE["gp/alpha"])


@pytest.fixture(scope="module")
def critic():
    """The reference's D: NCHW and OIHW there, NHWC and HWIO here."""
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    x = layers.ZeroPadding2D(1)(image)
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 3, strides=2, name="c1")(x))
    x = layers.Conv2D(6, 3, strides=2, name="c2")(layers.ZeroPadding2D(1)(x))
    x = layers.Flatten()(layers.Permute((3, 1, 2))(layers.LeakyReLU(0.2)(x)))
    model = keras.Model(image, layers.Dense(1, name="l")(x))
    for name in LAYERS:
        kernel, bias = (REFERENCE[f"gp/D/{name}.{part}"] for part in ("weight", "bias"))
        model.get_layer(name).set_weights(
            [kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T, bias]
        )
    return model


@pytest.fixture
def streams(monkeypatch):
    """Streams that draw the reference's alpha."""
    streams = RandomStreams(0)
    monkeypatch.setattr(streams, "uniform", lambda purpose, shape: tf.reshape(ALPHA, shape))
    return streams


def test_d_is_the_references(critic):
    np.testing.assert_allclose(critic(REAL), REFERENCE["gp/D_real"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(critic(FAKE), REFERENCE["gp/D_fake"], rtol=1e-5, atol=1e-6)


def test_slopes_a_sample(critic):
    points = penalties.interpolated(REAL, FAKE, ALPHA)  # alpha weighs the real image
    np.testing.assert_allclose(
        penalties.slopes(critic, points), REFERENCE["gp/gradnorms_alpha_times_real"], rtol=1e-5
    )
    with tf.GradientTape() as tape:
        tape.watch(points)
        logits = critic(points)
    expected = REFERENCE["gp/grads_alpha_times_real"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(tape.gradient(logits, points), expected, rtol=1e-4, atol=1e-7)


def test_pggans_alpha_weighs_the_generated_image(critic):
    points = penalties.interpolated(REAL, FAKE, 1.0 - ALPHA)
    np.testing.assert_allclose(points, REAL + ALPHA[:, :, None, None] * (FAKE - REAL), atol=1e-6)
    slopes = penalties.slopes(critic, points)
    np.testing.assert_allclose(slopes, REFERENCE["gp/gradnorms_pggan_lerp_real_to_fake"], rtol=1e-5)
    one = [10 * penalties.gradient_penalty(critic, p[None]) for p in points]
    np.testing.assert_allclose(one, REFERENCE["gp/pggan_per_sample_lambda10_target1"], rtol=1e-4)
    total = (critic(FAKE) - critic(REAL))[:, 0] + one + 0.001 * tf.square(critic(REAL))[:, 0]
    np.testing.assert_allclose(total, REFERENCE["gp/pggan_total_D_loss_per_sample"], rtol=1e-4)


def test_target_750_is_over_its_square(critic, streams, monkeypatch):
    monkeypatch.setattr(streams, "uniform", lambda purpose, shape: 1.0 - ALPHA)
    penalty = penalties.GradientPenalty(10.0, target=750.0)
    value = penalty.factor * penalty.term(critic, streams, REAL, FAKE)
    np.testing.assert_allclose(value, REFERENCE["gp/pggan_per_sample_lambda10_target750"].mean(), rtol=1e-6)


def test_wgan_gp_and_its_weight_gradients(critic, streams):
    penalty = penalties.GradientPenalty()
    with tf.GradientTape() as tape:
        value = penalty.factor * penalty.term(critic, streams, REAL, FAKE)
    np.testing.assert_allclose(value, REFERENCE["gp/mimicry_penalty_scale10"], rtol=1e-5)
    variables = [v.value for v in critic.trainable_variables]
    found = tape.gradient(value, variables, unconnected_gradients="zero")
    for i, gradient in enumerate(found):
        part, name = ("weight", "bias")[i % 2], LAYERS[i // 2]
        expected = REFERENCE[f"gp/mimicry_grad/{name}.{part}"]
        if part == "weight":
            expected = expected.transpose(2, 3, 1, 0) if expected.ndim == 4 else expected.T
        largest = np.abs(REFERENCE[f"gp/mimicry_grad/{name}.weight"]).max()
        np.testing.assert_allclose(
            gradient, expected, rtol=1e-4, atol=1e-5 * largest, err_msg=f"{name}.{part}"
        )
    assert np.abs(found[0]).max() > 0.01


def test_one_sided_and_r1(critic, streams):
    value = penalties.OneSidedGradientPenalty(1.0).term(critic, streams, REAL, FAKE)
    np.testing.assert_allclose(value, REFERENCE["gp/onesided_mean_sq"], rtol=1e-4)
    squares = penalties.squared_slopes(critic, REAL)
    np.testing.assert_allclose(squares, REFERENCE["r1/per_sample_gradsq_sum"], rtol=1e-5)
    r1, r2 = penalties.R1(10.0), penalties.R2(10.0)
    np.testing.assert_allclose(
        r1.factor * r1.term(critic, streams, REAL, FAKE), REFERENCE["r1/mean_gamma10_half"], rtol=1e-5
    )
    swapped = r2.factor * r2.term(critic, streams, FAKE, REAL)  # R2 looks at the generated images
    np.testing.assert_allclose(swapped, REFERENCE["r1/mean_gamma10_half"], rtol=1e-5)


def test_annealed_r1_falls_evenly_on_a_logarithmic_scale():
    d = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    d.layers[0].kernel.assign([[3.0], [0.0], [4.0]])  # the slope is 5 everywhere
    g = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    gan = GAN(g, d, penalties=[penalties.AnnealedR1(10.0, 0.1, images=500)], batch_size=4)

    @tf.function  # traced once: gamma must not stay what it was then
    def term():
        with gan.streams.at(0, 0):
            terms = gan.penalty_terms("discriminator", tf.ones([4, 3]), tf.zeros([4, 3]), None)
        return terms["discriminator_annealed_r1"]

    for seen, gamma in ((0, 10.0), (250, 1.0), (500, 0.1), (9000, 0.1)):
        gan.image_counter.assign(seen)
        np.testing.assert_allclose(term(), gamma / 2 * 25, rtol=1e-5)
    assert term.experimental_get_tracing_count() == 1


def norm_of(scale):
    """D(x) = scale * |x|^2 / 2, whose slope at x is scale * |x|."""
    return lambda x: scale * tf.reduce_sum(tf.square(x), axis=1, keepdims=True) / 2


def test_slopes_by_closed_form_and_at_zero():
    points = tf.constant([[3.0, 4.0], [0.0, 0.0], [0.6, 0.8]])
    np.testing.assert_allclose(penalties.slopes(norm_of(2.0), points), [10.0, 1e-6, 2.0], rtol=1e-6)
    two, one = (penalties.gradient_penalty(norm_of(1.0), points, 1.0, sided) for sided in (False, True))
    np.testing.assert_allclose([two, one], [(16 + 1 + 0) / 3, 16 / 3], rtol=1e-5)
    scale = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        value = penalties.gradient_penalty(norm_of(scale), points)
    # d/ds mean (s |x| - 1)^2 = mean 2 (|x| - 1) |x|: finite, though one slope is 0
    np.testing.assert_allclose(tape.gradient(value, scale), (2 * 4 * 5 + 0 + 0) / 3, rtol=1e-5)


def test_dragan_points_lie_around_the_data():
    seen = []

    def spy(x):
        seen.append(x.numpy())
        return norm_of(1.0)(x)

    real = tf.random.stateless_normal((2000, 3), (0, 1)) * 3.0 + 100.0
    streams = RandomStreams(0)
    with streams.at(0, 0):
        value = penalties.DRAGANPenalty(scale=0.5).term(spy, streams, real, None)
    moved = (seen[0] - real.numpy()) / (0.5 * real.numpy().std())  # alpha * u, each uniform on [0, 1]
    assert moved.min() >= -1e-4 and 0.9 < moved.max() < 1.0001
    np.testing.assert_allclose(moved.mean(), 1 / 4, atol=0.01)
    np.testing.assert_allclose(moved.var(), 1 / 9 - 1 / 16, atol=0.005)
    covariance = np.mean((moved[:, 0] - 0.25) * (moved[:, 1] - 0.25))
    np.testing.assert_allclose(covariance, 1 / 48, atol=0.004)  # one alpha a sample: var(alpha) / 4
    np.testing.assert_allclose(value, np.mean((np.linalg.norm(seen[0], axis=1) - 1) ** 2), rtol=1e-4)
    with streams.at(0, 0):  # equal images have no deviation, and no square root of a negative number
        same = penalties.DRAGANPenalty().term(spy, streams, tf.fill([4, 3], 0.3), None)
    np.testing.assert_allclose(same, (np.sqrt(0.27) - 1) ** 2, rtol=1e-5)


ALL = [
    penalties.GradientPenalty(5.0, 2.0),
    penalties.OneSidedGradientPenalty(3.0),
    penalties.DRAGANPenalty(4.0, 0.3),
    penalties.R1(2.0),
    penalties.R2(3.0),
    penalties.AnnealedR1(6.0, 2.0, 100),
]


def test_config_comes_back_through_the_gan():
    gan = GAN(
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]),
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]),
        penalties=ALL,
    )
    again = GAN.from_config(gan.get_config())
    assert [(type(p), vars(p)) for p in again.tricks] == [(type(p), vars(p)) for p in ALL]


def test_the_weighted_term_is_in_ds_loss_and_log():
    d = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    d.layers[0].kernel.assign([[3.0], [0.0], [4.0]])  # linear: the slope is 5 everywhere
    g = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    gan = GAN(g, d, loss="wasserstein", penalties=ALL, batch_size=4)
    with gan.streams.at(0, 0), gan.streams.scope("discriminator/0"):
        loss, logs = gan.discriminator_loss(tf.ones([4, 3]))
    found = {name: float(value) for name, value in logs.items()}
    expected = {
        "discriminator_gradient_penalty": 5 / 4 * (5 - 2) ** 2,
        "discriminator_one_sided_gradient_penalty": 3 * 16,
        "discriminator_dragan_penalty": 4 * 16,
        "discriminator_r1": 2 / 2 * 25,
        "discriminator_r2": 3 / 2 * 25,
        "discriminator_annealed_r1": 6 / 2 * 25,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)
    total = found["real_loss"] + found["fake_loss"] + sum(expected.values())
    np.testing.assert_allclose(loss, total, rtol=1e-5)
    with gan.streams.at(0, 0):
        assert set(gan.generator_loss(tf.ones([4, 3]))[1]) == {"generator_loss"}


def test_no_penalty_moves_ds_statistics():
    """Batch norm's averages and spectral norm's vectors stand still while a penalty is computed, in training mode."""
    image = keras.Input((4, 4, 2))
    x = SpectralConv2D(3, 3, padding="same")(image)
    x = BatchNormalization(momentum=0.5, epsilon=1e-5)(x)
    judge = keras.Model(image, SpectralDense(1)(keras.layers.Flatten()(keras.layers.LeakyReLU(0.2)(x))))
    maker = keras.Sequential([keras.Input((2,)), keras.layers.Dense(32), keras.layers.Reshape((4, 4, 2))])
    gan = GAN(maker, judge, penalties=ALL, batch_size=4)
    real = tf.random.stateless_normal((4, 4, 4, 2), (0, 1))
    still = judge.non_trainable_variables
    before = [v.numpy() for v in still]
    assert len(before) == 4
    with gan.streams.at(0, 0):
        terms = gan.penalty_terms("discriminator", real, real[::-1] + 1.0, None)
    assert len(terms) == len(ALL) and float(terms["discriminator_r1"]) > 0
    for v, old in zip(still, before, strict=True):
        np.testing.assert_array_equal(v, old, err_msg=v.path)


@pytest.mark.parametrize("kind", [type(penalty) for penalty in ALL])
def test_every_is_checked_and_part_of_the_configuration(kind):
    for every in (0, 1.5):
        with pytest.raises(InputError, match=rf"every={every} is out of range: give an integer"):
            kind(every=every)
    lazy = kind(every=16)
    assert (lazy.get_config()["every"], kind().get_config()["every"]) == (16, 1)
    assert vars(kind.from_config(lazy.get_config())) == vars(lazy)


@pytest.mark.parametrize(
    "make",
    [
        lambda: penalties.GradientPenalty(-1.0),
        lambda: penalties.GradientPenalty(target=0),
        lambda: penalties.DRAGANPenalty(scale=0),
        lambda: penalties.R1("10"),
        lambda: penalties.AnnealedR1(0.0),
        lambda: penalties.AnnealedR1(final_gamma=0.0),
    ],
)
def test_arguments_out_of_range(make):
    with pytest.raises(InputError, match="out of range: give a number"):
        make()
