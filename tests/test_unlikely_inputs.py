"""What fits in shape and is wrong all the same: an error, or a warning that says what was probably meant."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import data, metrics, models, weights
from ganlib.errors import InputError
from ganlib.gan import GAN


def network(shape, *layers):
    image = keras.Input(shape)
    x = image
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


def generator():
    return network((4,), keras.layers.Dense(16), keras.layers.Reshape((4, 4, 1)))


def discriminator(units=1, activation=None):
    return network((4, 4, 1), keras.layers.Flatten(), keras.layers.Dense(units, activation=activation))


def small(**options):
    keras.utils.set_random_seed(0)
    gan = GAN(generator(), discriminator(), batch_size=4, ema_decay=0.5, **options)
    gan.compile()
    return gan


def noise(n=8, scale=1.0):
    return scale * np.random.default_rng(0).uniform(-1, 1, (n, 4, 4, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("networks", "match"),
    [
        (lambda: [discriminator()] * 2, "are one network"),
        (lambda: [generator(), discriminator(7)], r"gives \(None, 7\): end it with one logit"),
        (lambda: [generator(), discriminator(1, "sigmoid")], "ends in a sigmoid"),
        (lambda: [generator(), network((4, 4, 1), keras.layers.Dense(1))], "one logit an image"),
    ],
)
def test_networks_that_play_no_game(networks, match):
    with pytest.raises(InputError, match=match):
        GAN(*networks())


def test_images_of_0_to_255_are_noticed_before_training():
    batches = tf.data.Dataset.from_tensor_slices(noise(scale=255.0)).batch(4)
    with pytest.warns(UserWarning, match=r"reach 25\d.*map x -> x / 127.5 - 1"):
        small().fit(batches, steps_per_epoch=1, verbose=0)


def test_a_dataset_whose_end_nobody_knows_is_begun_again(recwarn):
    images = noise(12)
    unknown = tf.data.Dataset.from_tensor_slices(images).filter(lambda x: True).batch(4, drop_remainder=True)
    gan = small()
    with pytest.raises(InputError, match="no end, or none that is known"):
        gan.fit(unknown, verbose=0)
    history = gan.fit(unknown, steps_per_epoch=7, verbose=0)
    assert gan.step == 7 and len(history.history["generator_loss"]) == 1
    known = small()
    known.fit(
        tf.data.Dataset.from_tensor_slices(images).batch(4, drop_remainder=True), steps_per_epoch=7, verbose=0
    )
    for one, other in zip(gan.state(), known.state(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not [w for w in recwarn if "compile" in str(w.message) or "reach" in str(w.message)]


def test_a_second_compile_says_what_it_forgets():
    gan = small()
    gan.compile()  # nothing is lost yet
    gan.fit(tf.data.Dataset.from_tensor_slices(noise()).batch(4), steps_per_epoch=2, verbose=0)
    with pytest.warns(UserWarning, match="compile after 2 steps makes new optimisers"):
        gan.compile()


def test_weights_of_another_model_that_fit_are_loaded_with_a_word(tmp_path):
    path = tmp_path / "a.weights.h5"
    first, second = (models.VanillaGAN.from_preset("smoke", seed=seed) for seed in (0, 1))
    first.save_weights(path)
    weights.load(second.networks(), path, "VanillaGAN")
    with pytest.warns(UserWarning, match="holds weights of a VanillaGAN; they fit this OtherGAN"):
        weights.load(second.networks(), path, "OtherGAN")
    for one, other in zip(first.generator.get_weights(), second.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("samples", "match"),
    [
        (lambda: np.full((4, 4, 4, 1), 200, np.uint8), "are uint8"),
        (lambda: np.full((4, 4, 4, 1), 200.0, np.float32), "reach 200"),
    ],
)
def test_samples_of_0_to_255_are_not_scored(samples, match):
    real = data.from_arrays(np.zeros((8, 4, 4, 1), np.uint8))
    with pytest.raises(InputError, match=match):
        metrics.evaluate(
            lambda start, n: samples()[:n],
            real,
            ["fid"],
            4,
            extractor="identity",
            cache=False,
            progress=False,
        )
