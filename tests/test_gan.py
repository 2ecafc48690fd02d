"""The engine: who is updated when, with which numbers, and what stops it."""

import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import losses, penalties
from ganlib.errors import CheckpointError, InputError, TrainingDiverged
from ganlib.gan import GAN
from ganlib.latents import truncate
from ganlib.layers import Dropout
from ganlib.models import registry

MODELS = list(registry().values())


def smoke(cls, **arguments):
    gan = cls.from_preset("smoke", **arguments)
    gan.compile()
    return gan


def batches(gan, n=None, seed=0):
    tensors = gan.example_batch(40 * gan.batch_size, seed)
    dataset = tf.data.Dataset.from_tensor_slices(tensors).batch(gan.batch_size, drop_remainder=True)
    return dataset.repeat() if n is None else dataset.take(n)


def values(variables):
    return [v.numpy() for v in variables]


def changed(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def tiny(**arguments):
    """A one-parameter game whose numbers can be written down."""
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    discriminator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    sgd = {
        "generator_optimizer": keras.optimizers.SGD(0.5),
        "discriminator_optimizer": keras.optimizers.SGD(0.25),
    }
    return GAN(generator, discriminator, **{**sgd, "ema_decay": None, "batch_size": 4, **arguments})


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_n_critic_draws_fresh_batches(steps_per_execution):
    gan = tiny(n_critic=3, loss="wasserstein", batch_size=2)
    gan.compile(steps_per_execution=steps_per_execution)
    data = (
        tf.data.Dataset.range(1000)
        .map(lambda i: tf.reshape(tf.cast(i, tf.float32), [1]))
        .batch(2, drop_remainder=True)
    )
    gan.fit(data, steps_per_epoch=4, verbose=0)
    assert int(gan.optimizers()["discriminator"].iterations) == 12
    assert int(gan.optimizers()["generator"].iterations) == 4
    assert gan.images_seen == 24
    # WGAN's gradient of D's kernel on real data is -mean(x): with G's weight zero it sums the batches shown
    gan = tiny(n_critic=3, loss="wasserstein", batch_size=2)
    gan.generator.layers[0].kernel.assign([[0.0]])
    gan.compile(
        keras.optimizers.SGD(1e-30), keras.optimizers.SGD(1.0), steps_per_execution=steps_per_execution
    )
    gan.fit(data, steps_per_epoch=2, verbose=0)
    np.testing.assert_allclose(
        gan.discriminator.layers[0].kernel, [[1 + sum(i + 0.5 for i in range(0, 12, 2))]]
    )


def test_a_step_is_algorithm_1_with_the_streams_latents():
    gan = tiny()
    gan.compile()
    real = np.array([[1.0], [2.0], [-1.0], [0.5]], np.float32)
    gan.fit(tf.data.Dataset.from_tensors(real).repeat(), steps_per_epoch=1, verbose=0)
    with gan.streams.at(0, 0):
        with gan.streams.scope("discriminator/0"), gan.streams.scope("generate"):
            z_d = gan.draw_latents(4).numpy()
        with gan.streams.scope("generator"), gan.streams.scope("generate"):
            z_g = gan.draw_latents(4).numpy()
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    g_real, g_fake = -(1 - sigmoid(real)), sigmoid(z_d)  # gradients of the two terms by D's logits
    a = 1 - 0.25 * (np.mean(g_real * real) + np.mean(g_fake * z_d))
    b = 0 - 0.25 * (np.mean(g_real) + np.mean(g_fake))
    for found, expected in zip(gan.discriminator.get_weights(), ([[a]], [b]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    g = -(1 - sigmoid(a * z_g + b)) * a
    updated = ([[1 - 0.5 * np.mean(g * z_g)]], [-0.5 * np.mean(g)])
    for found, expected in zip(gan.generator.get_weights(), updated, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_several_updates_of_d_do_not_race():
    """Steep enough that any order but Python's is seen at once; see `make_train_function`."""
    results = []
    for eager in (True, False, False, False):
        gan = registry()["wgan"].from_preset("smoke", n_critic=5, clip=1e9)
        gan.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05), run_eagerly=eager)
        gan.fit(batches(gan), steps_per_epoch=2, verbose=0)
        results.append(values(gan.generator.weights) + values(gan.discriminator.weights))
    for compiled in results[1:]:
        for a, b in zip(results[0], compiled, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_ema_starts_at_the_generator_and_averages_all_its_variables():
    gan = smoke(registry()["dcgan"], ema_decay=0.75, seed=5)
    start = values(gan.generator.weights)
    assert not any(changed(start, values(gan.ema_generator.weights)))
    average = start
    for _ in range(3):
        gan.fit(batches(gan), steps_per_epoch=1, verbose=0)
        average = [0.75 * a + 0.25 * w for a, w in zip(average, values(gan.generator.weights), strict=True)]
    names = [w.name for w in gan.generator.weights]
    assert "moving_mean" in names and "moving_variance" in names
    for expected, found in zip(average, values(gan.ema_generator.weights), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_without_ema_samples_come_from_the_generator():
    gan = tiny()
    assert gan.ema_generator is gan.generator


def test_global_keras_state_does_not_matter():
    first = smoke(registry()["dcgan"])
    keras.layers.Dense(2), keras.utils.set_random_seed(77)
    second = smoke(registry()["dcgan"])
    assert not any(changed(values(first.generator.weights), values(second.generator.weights)))


def test_samples():
    gan = smoke(registry()["dcgan"])
    a = gan.sample(5, seed=1)
    assert a.shape == (5, 8, 8, 1) and a.dtype == np.float32 and np.abs(a).max() <= 1
    np.testing.assert_allclose(a, gan.sample(300, seed=1)[:5], atol=1e-5)
    assert not np.allclose(a, gan.sample(5, seed=2))
    assert not np.allclose(gan.sample(5), gan.sample(5))
    latents = gan.sample_latents(5, seed=1)
    np.testing.assert_allclose(a, gan(latents), atol=1e-5)


def test_truncation():
    uniform_gan, normal_gan = smoke(registry()["dcgan"]), tiny()
    z = uniform_gan.sample_latents(1000, truncation=0.5, seed=0)
    np.testing.assert_allclose(z, 0.5 * uniform_gan.sample_latents(1000, seed=0))
    full = normal_gan.sample_latents(20_000, seed=0)
    cuts = {t: normal_gan.sample_latents(20_000, truncation=t, seed=0) for t in (1e-9, 0.4, 0.8, 50.0)}
    for threshold, cut in cuts.items():
        np.testing.assert_array_equal(cut, truncate(full, threshold))  # the same draws, at every threshold
        assert cut.dtype == np.float32 and np.abs(cut).max() <= np.float32(threshold)
        assert (np.sign(cut) == np.sign(full)).all()
    np.testing.assert_array_equal(cuts[50.0], full)
    np.testing.assert_allclose(
        cuts[0.8].var(), 1 - 2 * 0.8 * 0.28969155 / 0.57628920, atol=0.005
    )  # of a truncated normal
    few = normal_gan.sample_latents(5, truncation=0.8, seed=0)
    np.testing.assert_array_equal(few, cuts[0.8][:5])


def test_labels_of_batches_are_ignored_by_unconditional_models():
    gan = tiny()
    gan.compile()
    data = tf.data.Dataset.from_tensors((tf.ones([4, 1]), tf.ones([4], tf.int32))).repeat()
    gan.fit(data, steps_per_epoch=2, verbose=0)
    assert gan.step == 2


def test_a_dataset_that_ends_is_repeated():
    gan = tiny()
    gan.compile()
    gan.fit(tf.data.Dataset.from_tensor_slices(tf.ones([12, 1])).batch(4), epochs=2, verbose=0)
    assert gan.step == 6


def test_fit_goes_on_in_the_data():
    data = tf.data.Dataset.from_tensor_slices(tf.range(40.0)[:, None]).batch(4)
    results = []
    for parts in ([6], [2, 4], [1] * 6):
        gan = tiny()
        gan.compile()
        for steps in parts:
            gan.fit(data, steps_per_epoch=steps, verbose=0)
        results.append(gan.discriminator.get_weights())
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_loss_that_is_not_finite_stops_with_its_name():
    gan = tiny()
    gan.compile(generator_optimizer=keras.optimizers.SGD(1e38))
    with pytest.raises(
        TrainingDiverged,
        match=r"step \d+: (\w+) is (nan|-?inf), and the variable \S+ is not finite; there is no checkpoint",
    ) as caught:
        gan.fit(tf.data.Dataset.from_tensors(tf.ones([4, 1])).repeat(), steps_per_epoch=50, verbose=0)
    assert "\n" not in str(caught.value)


class _Kill(keras.callbacks.Callback):
    def __init__(self, number):
        super().__init__()
        self.number, self.ended = number, False

    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            os.kill(os.getpid(), self.number)

    def on_train_end(self, logs=None):
        self.ended = True


@pytest.mark.parametrize(
    ("number", "exception"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_signals_end_the_step_and_the_callbacks_first(number, exception):
    gan, kill = tiny(), _Kill(number)
    gan.compile()
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(exception) as caught:
        gan.fit(
            tf.data.Dataset.from_tensors(tf.ones([4, 1])).repeat(),
            steps_per_epoch=50,
            callbacks=[kill],
            verbose=0,
        )
    assert kill.ended
    assert 3 <= gan.step <= 4
    if exception is SystemExit:
        assert caught.value.code == 143
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_composition_round_trips_too():
    gan = tiny(loss=losses.NonSaturating(label_smoothing=0.1), n_critic=2)
    twin = GAN.from_config(gan.get_config())
    assert twin.n_critic == 2 and twin.adversarial_loss.label_smoothing == 0.1
    assert twin._recipe["generator"]["config"]["learning_rate"] == 0.5


def test_weights_of_another_model_are_refused(tmp_path):
    small, large = smoke(registry()["dcgan"]), smoke(registry()["dcgan"], base_channels=8)
    small.save_weights(tmp_path / "a.weights.h5")
    before = values(large.generator.weights)
    with pytest.raises(CheckpointError, match="does not fit DCGAN"):
        large.load_weights(tmp_path / "a.weights.h5")
    assert not any(changed(before, values(large.generator.weights)))


def test_keras_dropout_is_refused():
    discriminator = keras.Sequential([keras.Input((1,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    with pytest.raises(InputError, match=r"dropout.*ganlib.layers.Dropout"):
        GAN(tiny().generator, discriminator)


def test_dropout_draws_another_mask_a_step_a_pass_and_a_layer():
    layer = Dropout(0.5)
    discriminator = keras.Sequential([keras.Input((64,)), layer, keras.layers.Dense(1)])
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(64)])
    gan = GAN(generator, discriminator, seed=1)
    ones = tf.ones([32, 64])
    masks = []
    for step, scope in ((0, "real"), (0, "fake"), (1, "real"), (0, "real")):
        with gan.streams.at(step, 0), gan.streams.scope(scope):
            masks.append(layer(ones, training=True).numpy())
    np.testing.assert_array_equal(masks[0], masks[3])
    for other in masks[1:3]:
        assert 0.4 < (masks[0] != other).mean() < 0.6
    assert set(np.unique(masks[0])) == {0.0, 2.0}
    np.testing.assert_allclose(masks[0].mean(), 1, atol=0.06)
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    assert 0.8 < layer(ones, training=True).numpy().mean() < 1.2  # outside a step it is Keras' layer


def test_which_row_sees_which_batch():
    """D's repetitions one each, G the last one, a lazy penalty the first; and each repetition draws its own latents."""
    seen = []

    class Watched(GAN):
        def discriminator_loss(self, batch):
            seen.append(("D", float(batch[0, 0]), float(self.draw_latents(1)[0, 0])))
            return super().discriminator_loss(batch)

        def generator_loss(self, batch):
            seen.append(("G", float(batch[0, 0]), 0.0))
            return super().generator_loss(batch)

        def penalised_images(self, batch):
            seen.append(("R1", float(batch[0, 0]), 0.0))
            return super().penalised_images(batch)

    game = tiny(n_critic=3)
    gan = Watched(
        game.generator,
        game.discriminator,
        n_critic=3,
        penalties=[penalties.R1(1.0, every=2)],
        ema_decay=None,
        batch_size=1,
    )
    gan.compile(run_eagerly=True)
    numbers = tf.data.Dataset.range(100).map(lambda i: tf.cast([i], tf.float32)).batch(1, drop_remainder=True)
    gan.fit(numbers, steps_per_epoch=2, verbose=0)
    assert [(who, number) for who, number, _ in seen] == [
        ("D", 0), ("D", 1), ("D", 2), ("R1", 0), ("G", 2), ("D", 3), ("D", 4), ("D", 5), ("G", 5),
    ]  # fmt: skip
    latents = [z for who, _, z in seen if who == "D"]
    assert len(set(latents)) == 6


def test_samples_are_cut_to_what_can_be_shown():
    """StyleGAN's G has no tanh: its images, and those of its styles, can be drawn and saved as they are."""
    gan = registry()["stylegan2"].from_preset("smoke")
    gan.ema_generator.synthesis.set_weights([40 * w for w in gan.ema_generator.synthesis.get_weights()])
    latents = gan.sample_latents(4, seed=0)
    beyond = gan.ema_generator(latents).numpy()
    assert np.abs(beyond).max() > 1.5
    for images in (gan.sample(4, seed=0), gan.images_of_styles(gan.styles_of(latents))):
        assert np.abs(images).max() == 1
        np.testing.assert_allclose(images, np.clip(beyond, -1, 1), atol=1e-4)
    assert tiny().sample(3).shape[1:] == tiny().image_shape
