"""Unrolling: the steps ahead are the optimiser's, G's gradient is that of finite differences, and D does not move."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.models import UnrolledGAN
from ganlib.models.unrolled_gan import unroll

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.05, beta_1=0.5, epsilon=1e-8),
    "sgd": lambda: keras.optimizers.SGD(0.3),
    "momentum": lambda: keras.optimizers.SGD(0.2, momentum=0.9),
}


def logistic_game(seed=0):
    """D's loss (weights, theta) on points x and on points that theta moves: smooth, float64, by hand."""
    rng = np.random.default_rng(seed)
    x, z = (tf.constant(rng.normal(size=(9, 3))) for _ in range(2))
    weights = [tf.Variable(rng.normal(size=(3, 1)) * 0.3), tf.Variable(rng.normal(size=(1,)) * 0.3)]

    def loss(w, theta):
        fake = tf.tanh(z * theta[0] + theta[1])
        return tf.reduce_mean(tf.nn.softplus(-(x @ w[0] + w[1]))) + tf.reduce_mean(
            tf.nn.softplus(fake @ w[0] + w[1])
        )

    return weights, loss


def with_slots(optimizer, weights, loss, theta):
    """The optimiser after two real steps, so that its slots and its counter are not zero."""
    optimizer.build(weights)
    for _ in range(2):
        with tf.GradientTape() as tape:
            value = loss(weights, theta)
        optimizer.apply(tape.gradient(value, weights), weights)
    return optimizer


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_steps_ahead_are_the_optimisers(kind):
    weights, loss = logistic_game()
    theta = tf.constant([[0.7, -0.4, 1.1], [0.1, 0.2, -0.3]], tf.float64)
    optimizer = with_slots(OPTIMIZERS[kind](), weights, loss, theta)
    ahead = unroll(lambda w: loss(w, theta), weights, optimizer, 4)
    slots = [v.numpy() for v in optimizer.variables]
    for _ in range(4):
        with tf.GradientTape() as tape:
            value = loss(weights, theta)
        optimizer.apply(tape.gradient(value, weights), weights)
    for seen, real in zip(ahead, weights, strict=True):
        np.testing.assert_allclose(seen, real.numpy(), rtol=3e-5, atol=3e-6)  # Keras' Adam counts in float32
    assert any(not np.array_equal(a, v.numpy()) for a, v in zip(slots, optimizer.variables, strict=True))


@pytest.mark.parametrize("steps", [1, 3, 10])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_gradient_is_that_of_finite_differences(kind, steps):
    weights, loss = logistic_game(1)
    start = np.array([[0.7, -0.4, 1.1], [0.1, 0.2, -0.3]])
    optimizer = with_slots(OPTIMIZERS[kind](), weights, loss, tf.constant(start))
    before = [v.numpy() for v in (*weights, *optimizer.variables)]

    def value(theta):
        return -loss(unroll(lambda w: loss(w, theta), weights, optimizer, steps), theta)

    theta = tf.Variable(start)
    with tf.GradientTape() as tape:
        f = value(theta)
    gradient = tape.gradient(f, theta).numpy()
    with tf.GradientTape() as tape:  # what G would see if D stood still
        short_sighted = -loss(unroll(lambda w: loss(w, tf.constant(start)), weights, optimizer, steps), theta)
    assert (
        np.abs(gradient - tape.gradient(short_sighted, theta).numpy()).max() > 1e-3 * np.abs(gradient).max()
    )
    for index in np.ndindex(*start.shape):
        step = np.zeros_like(start)
        step[index] = 1e-5
        difference = (value(tf.constant(start + step)) - value(tf.constant(start - step))) / 2e-5
        np.testing.assert_allclose(gradient[index], difference.numpy(), rtol=1e-5, atol=1e-9)
    for old, variable in zip(before, (*weights, *optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


def compiled(steps):
    gan = UnrolledGAN.from_preset("smoke", unrolling_steps=steps)
    gan.compile()
    return gan


def test_without_steps_it_is_the_minimax_gan():
    gan = compiled(0)
    batch = tf.random.stateless_normal([8, 2], (1, 2))
    with gan.streams.at(0, 0):
        with gan.streams.scope("generator"), tf.GradientTape() as tape:
            loss, _ = gan.generator_loss(batch)
            unrolled = tape.gradient(loss, [v.value for v in gan.generator.trainable_variables])
        with gan.streams.scope("generator"), tf.GradientTape() as tape:
            logits = gan.discriminator(gan.generate(8))
            minimax = -tf.reduce_mean(tf.nn.softplus(logits))
            plain = tape.gradient(minimax, [v.value for v in gan.generator.trainable_variables])
    for a, b in zip(unrolled, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8)
        assert np.abs(a).max() > 0


def test_gs_step_moves_neither_d_nor_its_optimiser():
    gan = compiled(3)
    gan.fit(tf.data.Dataset.from_tensors(tf.ones([8, 2])).repeat(), steps_per_epoch=2, verbose=0)
    optimizer = gan.optimizers()["discriminator"]
    before = [v.numpy() for v in (*gan.discriminator.variables, *optimizer.variables)]
    generator = gan.generator.get_weights()
    with gan.streams.at(0, 0):
        gan.move(gan.updates()[-1], tf.random.stateless_normal([8, 2], (1, 2)))
    for old, variable in zip(before, (*gan.discriminator.variables, *optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    assert not np.array_equal(generator[0], gan.generator.get_weights()[0])


def test_parameters_and_recipe():
    gan = UnrolledGAN.from_preset("points_2d")
    counts = [sum(int(np.prod(v.shape)) for v in n.trainable_variables) for n in gan.players().values()]
    assert counts == [257 * 128 + 129 * 128 + 129 * 2, 3 * 128 + 129]
    assert (gan.unrolling_steps, gan.batch_size, gan.latent_dim) == (10, 512, 256)
    gan.compile()
    rates = {name: float(o.learning_rate) for name, o in gan.optimizers().items()}
    assert rates == pytest.approx({"generator": 1e-3, "discriminator": 1e-4})


@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.RMSprop(), keras.optimizers.Adam(amsgrad=True), keras.optimizers.SGD(clipnorm=1.0)],
)
def test_what_cannot_be_unrolled_is_refused(optimizer):
    gan = UnrolledGAN.from_preset("smoke")
    with pytest.raises(InputError, match="cannot be unrolled"):
        gan.compile(discriminator_optimizer=optimizer)


def test_bad_arguments():
    for arguments, message in (
        ({"unrolling_steps": -1}, "unrolling_steps=-1"),
        ({"unrolling_steps": 2.0}, "unrolling_steps=2.0"),
        ({"generator_learning_rate": 0}, "generator_learning_rate=0"),
    ):
        with pytest.raises(InputError, match=message):
            UnrolledGAN.from_preset("smoke", **arguments)
