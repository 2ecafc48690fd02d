"""Minibatch standard deviation: official arrays, shards that are batches of their own, what cannot be cut.

tests/data: stylegan2_blocks.npz and pggan_blocks.npz, as in test_stylegan2.py and test_pggan.py.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.layers.minibatch_stddev import MinibatchStddev

DATA = Path(__file__).parent / "data"
STYLEGAN2, PGGAN = (dict(np.load(DATA / f"{name}_blocks.npz")) for name in ("stylegan2", "pggan"))
IMAGES = np.random.default_rng(0).normal(size=(8, 2, 3, 4)).astype(np.float32)


def nhwc(array):
    return array.transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("reference", "key", "arguments", "images"),
    [
        (STYLEGAN2, "group4_nc1", (4, 1), 8),
        (STYLEGAN2, "group4_nc2", (4, 2), 8),
        (STYLEGAN2, "groupNone_nc1", (None, 1), 8),
        (STYLEGAN2, "group2_nc3", (2, 3), 8),
        (STYLEGAN2, "group4_nc1_first3rows_only", (4, 1), 3),
        (PGGAN, "y_group4", (4,), 8),
        (PGGAN, "y_group8", (8,), 8),
        (PGGAN, "y_batch2_group4", (4,), 2),
        (PGGAN, "y_group16_on_batch8", (16,), 8),
    ],
)
def test_statistics_are_the_official_ones(reference, key, arguments, images):
    layer, x = MinibatchStddev(*arguments), nhwc(reference["mbstd/x"])[:images]
    np.testing.assert_allclose(layer(x), nhwc(reference[f"mbstd/{key}"]), rtol=1e-4, atol=1e-5)
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, *x.shape[1:]])])
    np.testing.assert_allclose(traced(x), layer(x), rtol=1e-6)


def test_by_hand():
    """Image i is in group i mod (N / G); the deviation of a feature over its group, then the mean over features."""
    found = MinibatchStddev(2)(IMAGES).numpy()
    np.testing.assert_array_equal(found[..., :4], IMAGES)
    for i in range(8):
        expected = np.sqrt(IMAGES[[i % 4, i % 4 + 4]].var(axis=0) + 1e-8).mean()
        np.testing.assert_allclose(found[i, ..., 4], np.full((2, 3), expected), rtol=1e-5)
    # equal images, and one image alone, vary by nothing but the root of epsilon
    np.testing.assert_allclose(MinibatchStddev()(IMAGES[:1])[..., 4], np.full((1, 2, 3), 1e-4), rtol=1e-3)


@pytest.mark.parametrize("group_size", [2, 4, None])
def test_shards_are_batches_of_their_own(group_size):
    alone = [MinibatchStddev(group_size)(part) for part in (IMAGES[:4], IMAGES[4:])]
    together = MinibatchStddev(group_size, shards=2)
    np.testing.assert_array_equal(together(IMAGES), np.concatenate(alone))
    traced = tf.function(together, input_signature=[tf.TensorSpec([None, 2, 3, 4])])
    np.testing.assert_allclose(traced(IMAGES), together(IMAGES), rtol=1e-6)
    if group_size != 2:
        assert not np.allclose(together(IMAGES), MinibatchStddev(group_size)(IMAGES), rtol=1e-3)


def test_its_slope_has_a_slope():
    x, weights = (tf.constant(np.random.default_rng(i).normal(size=(8, 2, 3, 4))) for i in (1, 2))
    layer = MinibatchStddev(4, 2, dtype="float64")

    def squared_slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            along = tf.reduce_sum(tf.square(layer(x))[..., 3:5] * weights[..., :2])
        return tf.reduce_sum(tf.square(tape.gradient(along, x)))

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = squared_slope(x)
    gradient = tape.gradient(value, x)
    step = 1e-5 * gradient / tf.norm(gradient)
    slope = (squared_slope(x + step) - squared_slope(x - step)) / 2e-5
    np.testing.assert_allclose(slope, tf.norm(gradient), rtol=1e-6)


def test_half_precision_is_computed_in_single():
    outputs = MinibatchStddev(8, dtype="float16")(tf.cast(IMAGES * 300, tf.float16))
    assert outputs.dtype == tf.float16
    np.testing.assert_allclose(outputs[0, 0, 0, 4], 300 * np.sqrt(IMAGES.var(axis=0)).mean(), rtol=2e-3)


def test_in_functional_models_and_back_from_configurations():
    network = keras.Sequential([keras.Input((2, 3, 4)), MinibatchStddev(2, 2, 2), keras.layers.Flatten()])
    assert network.output_shape == (None, 2 * 3 * 6)
    again = keras.Sequential.from_config(network.get_config())
    assert again.layers[0].get_config() == network.layers[0].get_config()
    np.testing.assert_array_equal(again(IMAGES), network(IMAGES))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MinibatchStddev(0), "group_size=0 is out of range"),
        (lambda: MinibatchStddev(num_features=0), "num_features=0 is out of range"),
        (lambda: MinibatchStddev(shards=1.5), "shards=1.5 is out of range"),
        (
            lambda: MinibatchStddev(4)(IMAGES[:6]),
            r"6 images cannot be cut into groups \(group_size=4, shards=1\)",
        ),
        (lambda: MinibatchStddev(2, shards=2)(IMAGES[:6]), "6 images cannot be cut into groups"),
        (lambda: MinibatchStddev(None, shards=2)(IMAGES[:7]), "7 images cannot be cut into groups"),
        (lambda: MinibatchStddev(shards=2)(IMAGES[:1]), "1 images cannot be cut into groups"),
        (lambda: MinibatchStddev(num_features=3)(IMAGES), "num_features=3 does not divide 4 channels"),
    ],
)
def test_what_cannot_be_cut(make, message):
    with pytest.raises(InputError, match=message):
        make()
