"""Latent optimisation by closed forms and finite differences; LOGAN's networks, recipe and samples."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import losses
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.models import LOGAN, SNGAN, BigGANDeep
from ganlib.tricks import LatentOptimisation
from ganlib.updates import Move

RNG = np.random.default_rng(0)
BATCH, LATENT, IMAGE, CLASSES = 4, 3, 4, 5


def network(inputs, units, activation="tanh", **kwargs):
    x = (
        inputs[0]
        if len(inputs) == 1
        else keras.layers.Concatenate(dtype="float64")([inputs[0], one_hot(inputs[1])])
    )
    for width in units[:-1]:
        x = keras.layers.Dense(width, activation, dtype="float64")(x)
    return keras.Model(
        inputs if len(inputs) > 1 else inputs[0], keras.layers.Dense(units[-1], dtype="float64")(x)
    )


def one_hot(labels):
    return keras.layers.CategoryEncoding(CLASSES, output_mode="one_hot", dtype="float64")(labels[:, None])


def pair(trick, classes=None, activation="tanh", hidden=6, **arguments):
    """A smooth float64 pair of float64 latents; linear with activation None."""
    keras.utils.set_random_seed(1)

    def inputs(size):
        labels = [] if classes is None else [keras.Input((), dtype="int32")]
        return [keras.Input((size,), dtype="float64"), *labels]

    generator = network(inputs(LATENT), [hidden, IMAGE], activation)
    discriminator = network(inputs(IMAGE), [hidden, 1], activation)
    rates = {f"{p}_optimizer": keras.optimizers.SGD(0.1) for p in ("generator", "discriminator")}
    gan = GAN(
        generator,
        discriminator,
        tricks=[trick],
        num_classes=classes,
        ema_decay=None,
        batch_size=BATCH,
        image_shape=(IMAGE,),
        **rates,
        **arguments,
    )
    gan.compile()
    z = tf.constant(RNG.uniform(-1, 1, size=(BATCH, LATENT)))
    gan.draw_latents = lambda n: z
    return gan, z


def moved(gan, z, labels=None, name="generator"):
    """(z', the penalty) in an update of that player."""
    with gan.streams.at(0, 0), gan.streams.scope("x"):
        return gan.tricks[0].latents(gan, gan.player(name), z, labels)


def slope(gan):
    """df/dz of a linear pair."""
    kernels = [
        w.numpy() for network in (gan.generator, gan.discriminator) for w in network.weights if w.ndim == 2
    ]
    product = kernels[0]
    for kernel in kernels[1:]:
        product = product @ kernel
    return product[:, 0]


@pytest.mark.parametrize("method", ["natural", "gradient"])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_steps_of_a_linear_pair(method, steps):
    gan, z = pair(LatentOptimisation(method, 0.7, 0.3, steps, weight=2.5), activation=None)
    g = slope(gan)
    step = 0.7 * g
    if method == "natural":
        step = 0.7 * np.linalg.solve(np.outer(g, g) + 0.3 * np.eye(LATENT), g)
    for player in ("generator", "discriminator"):
        found, penalty = moved(gan, z, name=player)
        np.testing.assert_allclose(found, z + steps * step, rtol=1e-12)
        assert float(penalty) == pytest.approx(2.5 * steps**2 * (step @ step), rel=1e-12)


def test_a_natural_step_is_never_longer_than_its_bound():
    trick = LatentOptimisation(step_size=0.9, damping=0.04)
    gan, z = pair(trick)
    bound = 0.9 / (2 * np.sqrt(0.04))
    longest = []
    for scale in (0.01, 1.0, 30.0):
        with_slope = lambda z, scale=scale: scale * tf.reduce_sum(z, axis=1)  # noqa: E731
        _, change = trick.optimised(gan, with_slope, z, 1)
        longest.append(np.linalg.norm(change, axis=1).max())
    assert max(longest) <= bound + 1e-12
    at = lambda z: 0.2 / np.sqrt(3) * tf.reduce_sum(z, axis=1)  # noqa: E731, a slope of sqrt(beta)
    np.testing.assert_allclose(np.linalg.norm(trick.optimised(gan, at, z, 1)[1], axis=1), bound)


def test_each_step_starts_where_the_last_one_ended():
    trick = LatentOptimisation("gradient", 0.1, steps=4)
    gan, z = pair(trick)
    found, change = trick.optimised(gan, lambda z: -0.5 * tf.reduce_sum(z**2, axis=1), z, 4)
    np.testing.assert_allclose(found, z * 0.9**4, rtol=1e-12)
    np.testing.assert_allclose(change, z * (0.9**4 - 1), rtol=1e-12)


def test_a_share_of_the_elements_is_left_alone_and_out_of_the_norm():
    gan, z = pair(LatentOptimisation("natural", 0.9, 0.3, share=0.5), activation=None)
    g = slope(gan) * [1, 1, 0]  # half of three, rounded up
    found, _ = moved(gan, z)
    np.testing.assert_allclose(found, z + 0.9 * g / (0.3 + g @ g), rtol=1e-12)


def test_uniform_latents_are_cut_off_normal_ones_are_not():
    steep = LatentOptimisation("gradient", 50.0, weight=1.0)
    for distribution in ("uniform", "normal"):
        gan, z = pair(steep, activation=None, latent_distribution=distribution)
        free = z + 50 * slope(gan)
        assert np.abs(free).max() > 1
        found, penalty = moved(gan, z)
        np.testing.assert_allclose(
            found, np.clip(free, -1, 1) if distribution == "uniform" else free, rtol=1e-12
        )
        assert float(penalty) == pytest.approx(np.sum((50 * slope(gan)) ** 2))


@pytest.mark.parametrize("classes", [None, CLASSES])
@pytest.mark.parametrize(("method", "steps"), [("natural", 1), ("gradient", 2)])
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_gradients_of_both_losses_flow_through_the_steps(player, method, steps, classes):
    gan, _ = pair(LatentOptimisation(method, 0.5, 0.2, steps, share=0.6, weight=0.3), classes)
    real = tf.constant(RNG.normal(size=(BATCH, IMAGE)))
    batch = real if classes is None else (real, tf.range(BATCH))
    row = next(row for row in gan.updates() if row.players == (player,))

    @tf.function
    def loss():
        with gan.streams.at(0, 0), gan.streams.scope("x"):
            return row.loss(batch)[0]

    with gan.streams.at(0, 0):
        ((_, _, (found,)),), _ = gan.move_gradients(Move((row,)), batch)
    gan.tricks[0].steps = 0
    with gan.streams.at(0, 0):
        ((_, _, (base,)),), _ = gan.move_gradients(Move((row,)), batch)
    gan.tricks[0].steps = steps
    largest = max(np.abs(gradient).max() for gradient in found)
    differs = [np.abs(a - b).max() for a, b in zip(found, base, strict=True) if b is not None]
    assert max(differs) > 1e-3 * largest
    for variable, gradient in zip(gan.players()[player].trainable_variables, found, strict=True):
        start = variable.numpy()
        gradient = np.zeros(start.shape) if gradient is None else gradient.numpy()
        for place in np.ndindex(start.shape):
            ends = []
            for shift in (1e-6, -1e-6):
                value = start.copy()
                value[place] += shift
                variable.assign(value)
                ends.append(float(loss()))
            expected = (ends[0] - ends[1]) / 2e-6
            assert gradient[place] == pytest.approx(expected, rel=1e-4, abs=1e-7 * largest)
        variable.assign(start)


def test_samples_are_optimised_too():
    trick = LatentOptimisation("gradient", 0.5, sampling_steps=2)
    gan, _ = pair(trick, activation=None)
    del gan.draw_latents
    g = slope(gan)
    z = gan.sample_latents(6, seed=3).astype(np.float64)
    generated = lambda z: gan.generator(z).numpy()  # noqa: E731
    np.testing.assert_allclose(gan.sample(6, seed=3), generated(z + 2 * 0.5 * g), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gan(z), generated(z + 2 * 0.5 * g), rtol=1e-5, atol=1e-6)
    trick.sampling_steps = None  # as many as in training; the trace of before is not used again
    np.testing.assert_allclose(gan.sample(6, seed=3), generated(z + 0.5 * g), rtol=1e-5, atol=1e-6)
    trick.sampling_steps = 0
    np.testing.assert_allclose(gan.sample(6, seed=3), generated(z), rtol=1e-5, atol=1e-6)


def test_samples_climb():
    gan = LOGAN.from_preset("smoke", sampling_steps=3, step_size=0.1)
    judged = []
    for steps in (0, 3):
        gan.tricks[0].sampling_steps = steps
        judged.append(gan.discriminator(gan.sample(50, seed=0)).numpy())
    assert (judged[1] > judged[0]).mean() > 0.95
    np.testing.assert_allclose(gan.sample(50, seed=0)[:7], gan.sample(7, seed=0), atol=1e-5)


def test_bad_arguments():
    for arguments, message in (
        ({"method": "newton"}, "no method 'newton'"),
        ({"damping": 0}, "damping=0 is out of range"),
        ({"share": 1.5}, r"share=1.5 is out of range"),
        ({"share": 0}, r"share=0 is out of range"),
        ({"steps": -1}, "steps=-1 is out of range"),
        ({"sampling_steps": 0.5}, "sampling_steps=0.5 is out of range"),
        ({"weight": -1}, "weight=-1 is out of range"),
        ({"step_size": 0}, "step_size=0 is out of range"),
    ):
        with pytest.raises(InputError, match=message):
            LatentOptimisation(**arguments)


# ------------------------------------------------------------------------------------------------ LOGAN


def test_networks_and_recipe_are_sngans():
    for preset, base in (("laptop", "laptop"), ("cifar10_32", "cifar10_32_cnn")):
        ours, theirs = LOGAN.from_preset(preset, seed=5), SNGAN.from_preset(base, seed=5)
        for name, network in theirs.players().items():
            for a, b in zip(ours.players()[name].weights, network.weights, strict=True):
                np.testing.assert_array_equal(a, b)
        assert (ours.n_critic, ours.batch_size) == (theirs.n_critic, theirs.batch_size)
        assert ours.latent_distribution == "uniform" and isinstance(ours.adversarial_loss, losses.Hinge)
        (trick,) = ours.tricks
        assert (trick.method, trick.step_size, trick.steps) == ("natural", 0.9, 1)


def test_biggan_deep_is_leaky_and_has_the_papers_steps():
    gan = LOGAN("biggan_deep", 16, 1, 3, base_channels=2, batch_size=4, seed=1)
    base = BigGANDeep.from_preset(
        "smoke", num_classes=3, latent_dim=256, shared_dim=128, attention=8, batch_size=4, seed=1
    )
    for name, network in base.players().items():
        ours = gan.players()[name]
        shapes = [[tuple(w.shape) for w in n.trainable_variables] for n in (ours, network)]
        assert shapes[0] == shapes[1]
        kinds = [type(layer).__name__ for layer in ours.layers]
        assert (
            kinds.count("LeakyReLU") == [type(layer).__name__ for layer in network.layers].count("ReLU") > 5
        )
        assert "ReLU" not in kinds
        assert {layer.negative_slope for layer in ours.layers if "Leaky" in type(layer).__name__} == {0.2}
    orthogonal, trick = gan.tricks
    assert type(orthogonal).__name__ == "OrthogonalRegularization" and orthogonal.weight == 1e-4
    assert (trick.step_size, trick.damping, trick.share, trick.weight, trick.steps) == (
        0.9,
        5.0,
        0.5,
        300.0,
        1,
    )
    assert (gan.latent_dim, gan.n_critic) == (256, 1)
    gan.compile()
    rates = {name: (float(o.learning_rate), o.beta_2) for name, o in gan.optimizers().items()}
    assert rates == {"generator": (pytest.approx(1e-4), 0.999), "discriminator": (pytest.approx(4e-4), 0.999)}
    z, labels = gan.sample_latents(4, seed=0), np.array([0, 1, 2, 0])
    with gan.streams.at(0, 0), gan.streams.scope("x"):
        found, _ = trick.latents(gan, gan.player("generator"), tf.constant(z), tf.constant(labels))
    changed = np.abs(found - z).max(axis=0) > 0
    assert changed[:128].all() and not changed[128:].any()
    with pytest.raises(InputError, match="num_classes=3: 'resnet' has no classes"):
        LOGAN(num_classes=3)


def test_no_steps_are_the_base_model():
    states = []
    for gan in (
        LOGAN.from_preset("smoke", steps=0, seed=1),
        SNGAN.from_preset("smoke", n_critic=1, seed=1),
    ):
        gan.latent_distribution = "uniform"
        gan.compile(run_eagerly=True)
        images = gan.example_batch(2 * gan.batch_size)
        data = tf.data.Dataset.from_tensor_slices(images).batch(gan.batch_size)
        gan.fit(data, steps_per_epoch=2, verbose=0)
        states.append([w.numpy() for network in gan.networks().values() for w in network.weights])
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
