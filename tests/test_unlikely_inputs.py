"""What fits in shape and is wrong all the same: an error, or a warning that says what was probably meant."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import data, metrics, models, scaling, weights
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


def conditional():
    return models.ProjectionGAN.from_preset("smoke")


@pytest.mark.parametrize(
    ("make", "inputs", "match"),
    [
        (small, lambda gan: np.zeros((2, 3)), r"shape \(2, 3\).*\(n, 4\)"),
        (small, lambda gan: np.zeros(4), r"shape \(4,\)"),
        (small, lambda gan: np.zeros((0, 4)), r"shape \(0, 4\)"),
        (small, lambda gan: "abc", "give numbers"),
        (small, lambda gan: np.full((2, 4), np.nan), "not all finite"),
        (conditional, lambda gan: np.zeros((2, gan.latent_dim)), r"give \[latents, labels\]"),
        (conditional, lambda gan: [np.zeros((2, gan.latent_dim)), [0, 99]], "99"),
    ],
)
def test_latents_and_labels_of_another_model(make, inputs, match):
    gan = make()
    with pytest.raises(InputError, match=match):
        gan.images_of(inputs(gan))


def test_labels_beyond_the_classes_are_noticed_before_training():
    gan = conditional()
    images, labels = np.zeros((16, *gan.image_shape), np.float32), np.full(16, 99, np.int32)
    with pytest.raises(InputError, match=r"are 99 to 99: the model has \d+ classes"):
        gan.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(8), steps_per_epoch=1, verbose=0)


def test_keras_evaluate_says_what_to_use():
    with pytest.raises(InputError, match=r"use ganlib.metrics.evaluate"):
        small().evaluate(noise())


def test_one_strategy_inside_another():
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        assert scaling.strategy("none").num_replicas_in_sync == 1
        with pytest.raises(InputError, match="inside of another strategy's scope"):
            scaling.strategy("cpu:1")


def test_a_million_logical_devices_are_refused_at_once():
    with pytest.raises(InputError, match="from 1 to 256"):
        scaling.strategy("cpu:1000000")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_model_is_copied_by_its_config_and_weights(duplicate):
    with pytest.raises(InputError, match=r"cannot be copied or pickled: make another, GAN\.from_config"):
        duplicate(small())


@pytest.mark.parametrize("kind", ["float64", "float16"])
def test_training_is_in_float32(kind):
    gan = small()
    keras.config.set_floatx(kind)
    try:
        with pytest.raises(InputError, match=f"floatx .* is {kind}: .*set_floatx"):
            gan.fit(tf.data.Dataset.from_tensor_slices(noise()).batch(4), steps_per_epoch=1, verbose=0)
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_training_is_not_in_mixed_precision(kind):
    keras.config.set_dtype_policy(f"mixed_{kind}")
    try:
        gan = small()
    finally:
        keras.config.set_dtype_policy("float32")
    with pytest.raises(InputError, match=f"dtype policy is {kind}: .*set_dtype_policy"):
        gan.fit(tf.data.Dataset.from_tensor_slices(noise()).batch(4), steps_per_epoch=1, verbose=0)


def test_a_part_of_a_step_outside_of_one():
    with pytest.raises(InputError, match=r"for 'generate' were asked for outside a step: gan.sample\(n\)"):
        small().generate(2)
