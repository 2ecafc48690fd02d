"""Batches of one class each."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import data
from ganlib.errors import DataError, InputError
from ganlib.gan import GAN

LABELS = np.array([0] * 7 + [1] * 20 + [3] * 10)  # no example of class 2


def numbered(**options):
    """Points whose value is their row number."""
    rows = np.random.default_rng(0).permutation(LABELS)
    return rows, data.from_arrays(np.arange(37.0)[:, None], rows, **options)


def stream(dataset, batches):
    return [
        (points[:, 0].astype(int), labels) for points, labels in dataset.take(batches).as_numpy_iterator()
    ]


def test_each_batch_has_one_class_and_each_cycle_all_of_them():
    labels, dataset = numbered()
    found = stream(data.single_label_batches(dataset, 4), 60)
    for rows, told in found:
        assert len(set(told)) == 1 and len(rows) == 4
        np.testing.assert_array_equal(labels[rows], told)
    order = np.array([told[0] for _, told in found]).reshape(20, 3)
    assert {tuple(sorted(cycle)) for cycle in order} == {(0, 1, 3)}
    assert len({tuple(cycle) for cycle in order}) == 6  # every order comes up in 20 cycles


def test_a_class_is_gone_through_before_it_is_repeated():
    _, dataset = numbered()
    found = stream(data.single_label_batches(dataset, 4), 63)
    for label, size in ((0, 7), (1, 20), (3, 10)):
        rows = np.concatenate([rows for rows, told in found if told[0] == label])
        epochs = rows[: len(rows) // size * size].reshape(-1, size)
        assert len(epochs) >= 4
        for epoch in epochs:
            assert len(set(epoch)) == size
        assert len({tuple(epoch) for epoch in epochs}) == len(epochs)


@pytest.mark.parametrize("start", [0, 1, 5, 31, 10**9])
def test_starting_at_is_skipping(start):
    batches = data.single_label_batches(numbered()[1], 5)
    restarted = batches.starting_at(start)
    assert (restarted.batch_size, restarted.element_spec) == (5, batches.element_spec)
    assert restarted.element_spec[0].shape == (5, 1)
    assert restarted.cardinality() == tf.data.INFINITE_CARDINALITY
    found = stream(restarted, 4)
    for a, b in zip(
        found, stream(batches.skip(start) if start < 100 else batches.starting_at(start), 4), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found[3], stream(batches.starting_at(start + 3), 1)[0])


def test_the_seed_decides_and_shuffle_false_keeps_the_order():
    def rows(**options):
        return np.concatenate(
            [rows for rows, _ in stream(data.single_label_batches(numbered(**options)[1], 5), 12)]
        )

    np.testing.assert_array_equal(rows(seed=1), rows(seed=1))
    assert (rows(seed=1) != rows(seed=2)).mean() > 0.5
    labels, dataset = numbered(shuffle=False)
    found = stream(data.single_label_batches(dataset, 5), 6)
    assert [told[0] for _, told in found] == [0, 1, 3, 0, 1, 3]
    np.testing.assert_array_equal(
        np.concatenate([found[1][0], found[4][0]]), np.flatnonzero(labels == 1)[:10]
    )


def test_images_with_and_without_labels():
    with_labels = data.single_label_batches(data.load("digits", labels=True), 16)
    without = data.single_label_batches(data.load("digits"), 16)
    assert (without.labelled, without.num_classes, without.resolution) == (False, 10, 8)
    pairs = zip(with_labels.take(12).as_numpy_iterator(), without.take(12).as_numpy_iterator(), strict=True)
    for (images, labels), bare in pairs:
        np.testing.assert_array_equal(images, bare)
        assert len(set(labels)) == 1 and bare.shape == (16, 8, 8, 1) and bare.min() == -1.0
    ring = data.load(
        "gaussians_ring", size=200, labels=True
    )  # rendered whole, so that classes can be gathered
    points, labels = next(data.single_label_batches(ring, 10).as_numpy_iterator())
    assert np.abs(points - ring.centers[labels[0]]).max() < 0.5


def test_a_resumed_fit_goes_on_in_the_data():
    dataset = data.single_label_batches(numbered()[1], 4)

    def trained(*epochs):
        generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        critic = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        gan = GAN(generator, critic, loss="wasserstein", n_critic=2, ema_decay=None)
        gan.compile(keras.optimizers.SGD(1e-30), keras.optimizers.SGD(1.0))
        for steps in epochs:
            gan.fit(dataset, steps_per_epoch=steps, verbose=0)
        return critic.layers[0].kernel.numpy()

    # WGAN's critic with rate 1 adds up the means of the batches: these are batches 0 ... 11, in one go or two
    expected = sum(rows.mean() for rows, _ in stream(dataset, 12))
    np.testing.assert_allclose(trained(6), [[expected]], rtol=1e-6)
    np.testing.assert_array_equal(trained(6), trained(2, 4))


def test_what_cannot_be_gathered_is_refused():
    unlabelled = data.from_arrays(np.zeros((8, 2)))
    with pytest.raises(DataError, match="has no labels"):
        data.single_label_batches(unlabelled, 2)
    with pytest.raises(DataError, match="load it with size="):
        data.single_label_batches(data.load("gaussians_ring"), 2)
    with pytest.raises(InputError, match="before batch"):
        data.single_label_batches(data.load("digits").batch(4), 2)
    with pytest.raises(InputError, match="batch_size=0"):
        data.single_label_batches(data.load("digits"), 0)
