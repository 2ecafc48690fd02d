"""Losses against hand-computed values and those of the official code (tests/data/losses.json says whose)."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ganlib import losses
from ganlib.errors import InputError

REFERENCE = json.loads((Path(__file__).parent / "data" / "losses.json").read_text())
REAL = tf.constant(REFERENCE["real_logits"], tf.float32)[:, None]
FAKE = tf.constant(REFERENCE["fake_logits"], tf.float32)[:, None]

TABLE = [
    ("mimicry/hinge_dis", losses.Hinge(), "d"),
    ("mimicry/hinge_gen", losses.Hinge(), "g"),
    ("mimicry/minimax_dis", losses.Minimax(), "d"),
    ("mimicry/minimax_gen_bce_label1", losses.NonSaturating(), "g"),
    ("mimicry/wasserstein_dis", losses.Wasserstein(), "d"),
    ("mimicry/wasserstein_gen", losses.Wasserstein(), "g"),
    ("biggan/hinge_dis_real", losses.Hinge(), "real"),
    ("biggan/hinge_dis_fake", losses.Hinge(), "fake"),
    ("biggan/hinge_gen", losses.Hinge(), "g"),
    ("biggan/dcgan_softplus_dis_real", losses.NonSaturating(), "real"),
    ("biggan/dcgan_softplus_dis_fake", losses.NonSaturating(), "fake"),
    ("biggan/dcgan_softplus_gen", losses.NonSaturating(), "g"),
    ("ref/saturating_minimax_gen", losses.Minimax(), "g"),
    ("studiogan/d_vanilla", losses.Minimax(), "d"),
    ("studiogan/d_ls", losses.LeastSquares(), "d"),
    ("studiogan/d_hinge", losses.Hinge(), "d"),
    ("studiogan/d_wasserstein", losses.Wasserstein(), "d"),
    ("studiogan/g_vanilla", losses.NonSaturating(), "g"),
    ("studiogan/g_ls", losses.LeastSquares(), "g"),
    ("studiogan/g_hinge", losses.Hinge(), "g"),
    ("studiogan/g_wasserstein", losses.Wasserstein(), "g"),
    ("tfgan/wasserstein_d", losses.Wasserstein(), "d"),
    ("mimicry/ns_gen", losses.NonSaturating(), "g"),  # 1e-8 inside its logarithm
    ("studiogan/d_logistic", losses.NonSaturating(), "d"),
    ("studiogan/g_logistic", losses.NonSaturating(), "g"),
    ("tfgan/wasserstein_g", losses.Wasserstein(), "g"),
    ("tfgan/hinge_d", losses.Hinge(), "d"),
    ("tfgan/minimax_d_smooth0", losses.Minimax(), "d"),
    # Keras smooths a label y to y (1 - s) + s / 2: 0.25 there is a real target of 0.875
    ("tfgan/minimax_d_default_smooth025", losses.Minimax(label_smoothing=0.125), "d"),
    ("tfgan/modified_d_smooth0", losses.NonSaturating(), "d"),
    ("tfgan/modified_g", losses.NonSaturating(), "g"),
    ("tfgan/least_squares_d", losses.LeastSquares(), "d"),
    ("tfgan/least_squares_g", losses.LeastSquares(), "g"),
]


@pytest.mark.parametrize(("key", "loss", "side"), TABLE, ids=[row[0] for row in TABLE])
def test_official_values(key, loss, side):
    real, fake = loss.discriminator(REAL, FAKE)
    value = {"d": real + fake, "real": real, "fake": fake, "g": loss.generator(FAKE)}[side]
    np.testing.assert_allclose(value, REFERENCE["values"][key], rtol=1e-6)


def test_conventions_that_differ_by_a_factor_or_a_constant():
    game, values = losses.LeastSquares(), REFERENCE["values"]
    np.testing.assert_allclose(
        2 * sum(game.discriminator(REAL, FAKE)), values["ref/lsgan_no_half_dis"], rtol=1e-6
    )
    np.testing.assert_allclose(2 * game.generator(FAKE), values["ref/lsgan_no_half_gen"], rtol=1e-6)
    constant = np.log1p(np.exp(-1.0))  # of TF-GAN's smoothed label: softplus(-1)
    np.testing.assert_allclose(
        losses.Minimax().generator(FAKE) - constant, values["tfgan/minimax_g"], rtol=1e-6
    )


def test_values_by_hand():
    real, fake = tf.constant([[0.0], [2.0]]), tf.constant([[-1.0], [3.0]])
    softplus = lambda x: np.log1p(np.exp(x))  # noqa: E731
    d = losses.NonSaturating(label_smoothing=0.1, fake_label_smoothing=0.2).discriminator(real, fake)
    np.testing.assert_allclose(
        d[0], np.mean([0.9 * softplus(-x) + 0.1 * softplus(x) for x in (0.0, 2.0)]), rtol=1e-6
    )
    np.testing.assert_allclose(
        d[1], np.mean([0.2 * softplus(-x) + 0.8 * softplus(x) for x in (-1.0, 3.0)]), rtol=1e-6
    )
    np.testing.assert_allclose(losses.LeastSquares().discriminator(real, fake), [0.5, 2.5], rtol=1e-6)
    np.testing.assert_allclose(losses.Hinge().discriminator(real, fake), [0.5, 2.0], rtol=1e-6)
    np.testing.assert_allclose(losses.Wasserstein().discriminator(real, fake), [-1.0, 1.0], rtol=1e-6)
    drifting = losses.Wasserstein(drift=0.1).discriminator(
        real, fake
    )  # 0.1 times the mean of 0 and 4 on the real side
    np.testing.assert_allclose(drifting, [-0.8, 1.0], rtol=1e-6)


def test_no_logit_overflows_and_the_gradients_are_right():
    logits = tf.constant([[-100.0], [100.0]])
    for loss in (losses.Minimax(), losses.NonSaturating()):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss.generator(logits)
        assert np.isfinite(value)
        # d/dx of log(1 - s(x)) is -s(x): gone where D is sure; of -log s(x) it is -(1 - s(x)): not
        expected = [[0.0], [-0.5]] if isinstance(loss, losses.Minimax) else [[-0.5], [0.0]]
        np.testing.assert_allclose(tape.gradient(value, logits), expected, atol=1e-6)


def test_value_at_the_optimum_is_minus_log_4():
    zero = tf.zeros([5, 1])
    np.testing.assert_allclose(-sum(losses.Minimax().discriminator(zero, zero)), -np.log(4), rtol=1e-6)


def test_get_by_name():
    assert type(losses.get("hinge")) is losses.Hinge
    smooth = losses.NonSaturating(0.1)
    assert losses.get(smooth) is smooth
    assert losses.NonSaturating.from_config(smooth.get_config()).label_smoothing == 0.1
    with pytest.raises(InputError, match="did you mean 'hinge'"):
        losses.get("hing")
