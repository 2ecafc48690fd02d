"""The conditional game: labels reach both players, in training and in sampling."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import data, penalties, tricks
from ganlib.errors import InputError
from ganlib.gan import GAN


def tiny(**arguments):
    """G(z, y) = a z + b[y], D(x, y) = w x + v[y]: everything can be written down."""
    z, x = keras.Input((1,), name="latents"), keras.Input((1,), name="points")
    y = keras.Input((), dtype="int32", name="labels")
    rows = {"embeddings_initializer": keras.initializers.RandomNormal(1.0, 1.0, seed=0)}
    shift, score = (keras.layers.Embedding(3, 1, name="rows", **rows)(y) for _ in range(2))
    generator = keras.Model([z, y], keras.layers.Dense(1, kernel_initializer="ones")(z) + shift)
    discriminator = keras.Model([x, y], keras.layers.Dense(1, kernel_initializer="ones")(x) + score)
    sgd = {f"{player}_optimizer": keras.optimizers.SGD(0.1) for player in ("generator", "discriminator")}
    return GAN(
        generator, discriminator, num_classes=3, **{**sgd, "ema_decay": None, "batch_size": 4, **arguments}
    )


def batches(labels=(0, 1, 1, 2)):
    images = tf.constant([[1.0], [2.0], [-1.0], [0.5]])
    return tf.data.Dataset.from_tensors((images, tf.constant(labels, tf.int32))).repeat()


def test_both_losses_are_those_of_the_labelled_batch():
    gan = tiny(loss="least_squares")  # squares see which image has which label, means of logits do not
    gan.compile()
    real, labels = next(iter(batches()))
    shift, score = (network.get_layer("rows").embeddings.numpy()[:, 0] for network in gan.players().values())
    with gan.streams.at(0, 0), gan.streams.scope("x"):
        with gan.streams.scope("generate"):
            fake = gan.draw_latents(4).numpy()[:, 0] + shift[labels]
        d_loss, _ = gan.discriminator_loss((real, labels))
        g_loss, _ = gan.generator_loss((real, labels))
    judged = fake + score[labels]
    real_logits = real.numpy()[:, 0] + score[labels]
    expected = 0.5 * np.mean((real_logits - 1) ** 2) + 0.5 * np.mean(judged**2)
    np.testing.assert_allclose(d_loss, expected, rtol=1e-5)
    np.testing.assert_allclose(g_loss, 0.5 * np.mean((judged - 1) ** 2), rtol=1e-5)


def test_only_the_rows_of_the_classes_in_the_batch_move():
    gan = tiny()
    gan.compile()
    rows = [network.get_layer("rows").embeddings for network in gan.players().values()]
    before = [row.numpy() for row in rows]
    gan.fit(batches([0, 0, 2, 2]), steps_per_epoch=1, verbose=0)
    for row, old in zip(rows, before, strict=True):
        assert (row.numpy() != old)[:, 0].tolist() == [True, False, True]


def test_samples_are_of_their_classes():
    gan = tiny()
    shift = gan.generator.get_layer("rows").embeddings.numpy()[:, 0]
    labels = [2, 0, 1, 1, 2]
    latents = gan.sample_latents(5, seed=3)[:, 0]
    np.testing.assert_allclose(gan.sample(5, labels=labels, seed=3)[:, 0], latents + shift[labels], rtol=1e-5)
    np.testing.assert_allclose(gan.sample(5, labels=1, seed=3)[:, 0], latents + shift[1], rtol=1e-5)
    drawn = gan.sample_labels(3000, seed=3)
    np.testing.assert_array_equal(drawn[:5], gan.sample_labels(5, seed=3))
    assert np.bincount(drawn, minlength=3).min() > 900
    np.testing.assert_allclose(gan.sample(5, seed=3)[:, 0], latents + shift[drawn[:5]], rtol=1e-5)
    np.testing.assert_allclose(
        gan([latents[:, None], np.array(labels)])[:, 0], latents + shift[labels], rtol=1e-5
    )


def test_penalties_see_d_with_the_labels():
    gan = tiny(penalties=[penalties.R1(2.0), penalties.GradientPenalty()])
    gan.compile()
    with gan.streams.at(0, 0):
        terms = gan.penalty_terms("discriminator", *(lambda x, y: (x, x, y))(*next(iter(batches()))))
    np.testing.assert_allclose(terms["discriminator_r1"], 1.0, rtol=1e-5)  # the slope is w = 1
    np.testing.assert_allclose(terms["discriminator_gradient_penalty"], 0.0, atol=1e-8)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "give one whole number, or 3 of them"),
        (3, "classes of this model are 0 to 2"),
        (0.5, "whole number"),
    ],
)
def test_labels_that_are_no_classes(labels, message):
    with pytest.raises(InputError, match=message):
        tiny().sample(3, labels=labels)


def test_batches_without_labels_are_refused():
    gan = tiny()
    with pytest.raises(InputError, match=r"is conditional: fit it on batches of \(images, labels\)"):
        gan.fit(batches().map(lambda images, labels: images), steps_per_epoch=1, verbose=0)
    with pytest.raises(InputError, match="is conditional"):
        gan.fit(batches().map(lambda x, y: (x, tf.cast(y, tf.float32))), steps_per_epoch=1, verbose=0)
    many = data.from_arrays(np.zeros((8, 1), np.float32), np.arange(8), name="eight")
    with pytest.raises(InputError, match="the data has 8 classes, the model num_classes=3"):
        gan.fit(many.batch(4), steps_per_epoch=1, verbose=0)


@pytest.mark.parametrize("trick", [tricks.LabelFlipping(0.1), tricks.ReplayBuffer(4)])
def test_tricks_that_part_images_from_labels_are_refused(trick):
    with pytest.raises(InputError, match="parts images from their labels"):
        tiny(tricks=[trick])
