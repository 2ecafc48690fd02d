"""Streams as pure functions of (seed, position): order, batches, restarts, and being a true tf.data.Dataset."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import data
from ganlib.errors import DataError, InputError

COUNT = 1000


def numbered(count=COUNT, **options):
    """Points whose value is their row number, so that a stream shows its order; labels are the number modulo 7."""
    rows = np.arange(count)
    return data.from_arrays(rows[:, None].astype(np.float64), rows % 7, **options)


def order(dataset, batches):
    """Row numbers in `batches` batches, one after the other."""
    return np.concatenate([points[:, 0] for points, _ in dataset.take(batches).as_numpy_iterator()]).astype(
        int
    )


def test_an_epoch_is_a_permutation_and_the_next_is_another():
    stream = order(numbered().batch(50), 60).reshape(3, COUNT)
    for epoch in stream:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(COUNT))
    assert (stream[0] == stream[1]).sum() < 10  # by chance 1, with a Poisson distribution


@pytest.mark.parametrize(("count", "epochs"), [(97, 200), (10_000, 30)])
def test_epochs_are_as_uncorrelated_as_random_permutations(count, epochs):
    stream = order(numbered(count).batch(count), epochs).reshape(epochs, count)
    pairs = [np.corrcoef(a, b)[0, 1] * np.sqrt(count - 1) for a, b in itertools.pairwise(stream)]
    own = [np.corrcoef(epoch, np.arange(count))[0, 1] * np.sqrt(count - 1) for epoch in stream]
    # Of random permutations these are standard normal: mean 0 and mean square 1, give or take four standard
    # errors.
    for scores in (np.array(pairs), np.array(own)):
        assert abs(scores.mean()) < 4 / np.sqrt(len(scores))
        assert abs(np.square(scores).mean() - 1) < 4 * np.sqrt(2 / len(scores))
    # Neighbours in the data are neighbours in the stream once an epoch, by chance.
    neighbours = (np.diff(stream, axis=1) == 1).sum(axis=1)
    assert abs(neighbours.mean() - 1) < 4 / np.sqrt(epochs)


def test_every_example_is_equally_likely_at_the_start():
    first = order(numbered(10).batch(10), 1000).reshape(1000, 10)[:, 0]
    counts = np.bincount(first, minlength=10)
    assert (
        (counts - 100) ** 2 / 100
    ).sum() < 27.9  # chi-squared with 9 degrees of freedom: one in a thousand


def test_order_depends_on_the_seed_only():
    np.testing.assert_array_equal(
        order(numbered(seed=3).batch(10), 20), order(numbered(seed=3).batch(10), 20)
    )
    assert (order(numbered(seed=3).batch(10), 20) != order(numbered(seed=4).batch(10), 20)).mean() > 0.95


@pytest.mark.parametrize("batch_size", [1, 7, 64, 333])
def test_batch_size_does_not_change_the_sequence(batch_size):
    expected = order(numbered().batch(1000), 3)
    got = order(numbered().batch(batch_size), 2500 // batch_size)  # over two ends of an epoch
    np.testing.assert_array_equal(got, expected[: len(got)])


def test_single_examples_are_the_batches_taken_apart():
    single = [int(point[0]) for point, _ in numbered().take(150).as_numpy_iterator()]
    np.testing.assert_array_equal(single, order(numbered().batch(50), 3))


@pytest.mark.parametrize("start", [0, 1, 39, 40, 100, 10**12])
def test_starting_at_is_skipping(start):
    batched = numbered().batch(25)
    restarted = batched.starting_at(start)
    assert restarted.element_spec == batched.element_spec
    got = order(restarted, 3)
    assert len(got) == 75
    if start <= 100:
        np.testing.assert_array_equal(got, order(batched.skip(start), 3))
        np.testing.assert_array_equal(order(restarted.starting_at(5), 1), order(batched.skip(start + 5), 1))
    np.testing.assert_array_equal(
        order(restarted.starting_at(5), 1), order(batched.starting_at(start + 5), 1)
    )
    assert (restarted.batch_size, restarted.size) == (25, COUNT)


@pytest.mark.parametrize("size", [None, 7, 64])
@pytest.mark.parametrize("image", [0, 24, 25, 999, 2503])
def test_any_image_can_be_the_first_of_batches_of_any_size(image, size):
    batched = numbered().batch(25)
    stream, size_of = order(batched, 120), 25 if size is None else size
    restarted = batched.from_image(image, size)
    assert (restarted.batch_size, restarted.size) == (size_of, COUNT)
    assert [spec.shape.as_list() for spec in restarted.element_spec] == [[size_of, 1], [size_of]]
    np.testing.assert_array_equal(order(restarted, 3), stream[image : image + 3 * size_of])
    for points, labels in restarted.take(2).as_numpy_iterator():
        np.testing.assert_array_equal(labels, points[:, 0].astype(int) % 7)
    # a stream that was started is a stream: images count from its first
    again = restarted.from_image(11, 8)
    np.testing.assert_array_equal(order(again, 2), stream[image + 11 : image + 11 + 16])


@pytest.mark.parametrize("batch", [0, 3, 40, 10**12])
def test_from_an_image_is_skipping_where_a_batch_begins(batch):
    batched = numbered().batch(25)
    found = order(batched.from_image(25 * batch), 3)
    np.testing.assert_array_equal(found, order(batched.starting_at(batch), 3))
    if batch <= 100:
        np.testing.assert_array_equal(found, order(batched.skip(batch), 3))


def test_one_pass_from_an_image():
    kept = numbered(repeat=False, shuffle=False).batch(64, drop_remainder=False).from_image(930)
    assert kept.cardinality() == 2
    assert [len(points) for points, _ in kept.as_numpy_iterator()] == [64, 6]
    np.testing.assert_array_equal(order(kept, 9), np.arange(930, COUNT))
    full = numbered(repeat=False, shuffle=False).batch(64).from_image(930, 32)
    np.testing.assert_array_equal(order(full, 9), np.arange(930, 994))
    assert list(full.from_image(100)) == []


def test_batches_of_one_class_start_where_a_batch_does():
    batches = data.single_label_batches(numbered(), 20)
    for a, b in zip(batches.from_image(60).take(2), batches.skip(3).take(2), strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
    with pytest.raises(InputError, match=r"image 50 is not the first of a batch of 20.*made whole"):
        batches.from_image(50)
    with pytest.raises(InputError, match="image 60 is not the first of a batch of 8"):
        batches.from_image(60, 8)
    with pytest.raises(InputError, match="not the first of a batch of 8"):
        batches.starting_at(1).from_image(8, 8)  # image 28 of the whole


def test_labels_stay_with_their_examples():
    for points, labels in numbered().batch(64).take(40).as_numpy_iterator():
        np.testing.assert_array_equal(labels, points[:, 0].astype(int) % 7)
        assert labels.dtype == np.int32


@pytest.mark.parametrize(
    ("drop", "batches", "last"),
    [(None, 15, 64), (True, 15, 64), (False, 16, 40)],
    ids=["default", "drop", "keep"],
)
def test_one_pass(drop, batches, last):
    batched = numbered(repeat=False, shuffle=False).batch(64, drop_remainder=drop)
    assert batched.cardinality() == batches
    sizes = [len(points) for points, _ in batched.as_numpy_iterator()]
    assert (len(sizes), sizes[-1]) == (batches, last)
    np.testing.assert_array_equal(order(batched, 99), np.arange(sum(sizes)))
    assert order(batched.starting_at(batches - 1), 9).tolist() == list(range(64 * (batches - 1), sum(sizes)))
    assert list(batched.starting_at(batches + 3)) == []


def test_cardinality_and_static_shapes():
    forever = numbered()
    assert forever.cardinality() == tf.data.INFINITE_CARDINALITY
    assert numbered(repeat=False).cardinality() == COUNT
    assert [spec.shape.as_list() for spec in forever.element_spec] == [[1], []]
    assert [spec.shape.as_list() for spec in forever.batch(8).element_spec] == [[8, 1], [8]]
    kept = numbered(repeat=False).batch(64, drop_remainder=False)
    assert [spec.shape.as_list() for spec in kept.element_spec] == [[None, 1], [None]]


def test_it_is_a_dataset():
    dataset = data.load("digits", labels=True, split="test")
    assert isinstance(dataset, tf.data.Dataset)
    assert isinstance(dataset.batch(8), tf.data.Dataset)
    doubled = dataset.map(lambda image, label: image * 2).skip(3).take(2)
    expected = 2 * dataset.to_numpy(5)[0][3:]
    np.testing.assert_array_equal(np.stack(list(doubled.as_numpy_iterator())), expected)
    zipped = tf.data.Dataset.zip(dataset.batch(4), dataset.batch(4)).take(1)
    (a, _), (c, _) = next(zipped.as_numpy_iterator())
    np.testing.assert_array_equal(a, c)
    shuffled = dataset.shuffle(300, seed=1).prefetch(2)
    assert len(list(shuffled)) == 297


def test_attributes():
    dataset = data.load("digits", resolution=16, channels=3)
    for it in (dataset, dataset.batch(8), dataset.batch(8).starting_at(4)):
        assert (it.name, it.split, it.num_classes, it.channels, it.resolution) == (
            "digits",
            "train",
            10,
            3,
            16,
        )
        assert (it.size, it.shape, it.seed, it.labelled, it.centers) == (1500, (16, 16, 3), 0, False, None)
        assert it.class_names == tuple("0123456789")


def test_keras_fit_takes_it():
    model = keras.Sequential([keras.layers.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(
        data.load("digits", labels=True).batch(50), steps_per_epoch=30, epochs=12, shuffle=False, verbose=0
    )
    assert history.history["accuracy"][-1] > 0.8
    test = data.load("digits", labels=True, split="test").batch(50)
    assert model.evaluate(test, verbose=0, return_dict=True)["accuracy"] > 0.75


def test_replicas_share_each_batch_in_order(run_python):
    result = run_python(
        """
        import numpy as np
        from ganlib import data

        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        result = {}
        for name in ("digits", "gaussians_ring", "shapes"):
            batched = data.load(name, labels=True, **({"resolution": 8} if name == "shapes" else {})).batch(8)
            rows = []
            for images, labels in strategy.experimental_distribute_dataset(batched.starting_at(3)):
                local = strategy.experimental_local_results(images)
                rows.append(np.concatenate([part.numpy() for part in local]))
                if len(rows) == 3:
                    break
            plain = [images.numpy() for images, _ in batched.skip(3).take(3)]
            result[name] = [len(local), float(np.abs(np.array(rows) - np.array(plain)).max())]
        """,
        devices=2,
    )
    assert result == {name: [2, 0.0] for name in ("digits", "gaussians_ring", "shapes")}


def test_to_numpy_is_one_pass_in_the_sources_order():
    points, labels = numbered(shuffle=True, repeat=True).to_numpy()
    np.testing.assert_array_equal(points[:, 0], np.arange(COUNT))
    np.testing.assert_array_equal(labels, np.arange(COUNT) % 7)
    assert points.dtype == np.float32
    assert numbered().to_numpy(3)[0].shape == (3, 1)


def test_bytes_become_the_ends_of_the_range_exactly():
    images = np.arange(256, dtype=np.uint8).reshape(16, 4, 4)
    values = data.from_arrays(images, shuffle=False).to_numpy().ravel()
    assert (values[0], values[255]) == (-1.0, 1.0)
    np.testing.assert_allclose(values, np.arange(256) / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(np.rint((values + 1) * 127.5), np.arange(256))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: numbered().batch(0), InputError, ["batch_size=0", "at least 1"]),
        (lambda: numbered().batch(8.0), InputError, ["batch_size=8.0", "integer"]),
        (lambda: numbered().batch(True), InputError, ["batch_size=True"]),
        (
            lambda: numbered(repeat=False).batch(2000),
            DataError,
            ["1000 examples", "2000", "drop_remainder=False"],
        ),
        (lambda: numbered().batch(8).starting_at(-1), InputError, ["batch_index=-1"]),
        (lambda: numbered().batch(8).from_image(-1), InputError, ["image=-1"]),
        (lambda: numbered().batch(8).from_image(2.5), InputError, ["image=2.5", "integer"]),
        (lambda: numbered().batch(8).from_image(0, 0), InputError, ["batch_size=0", "at least 1"]),
        (lambda: numbered().to_numpy(1001), InputError, ["n=1001", "1000"]),
        (lambda: data.load("gaussians_ring").to_numpy(), InputError, ["infinite", "to_numpy(n)"]),
        (lambda: numbered().details(4), InputError, ["no table of factors"]),
        (lambda: data.from_arrays(np.zeros((4, 8, 9), np.uint8)), DataError, ["(4, 8, 9, 1)", "side"]),
        (lambda: data.from_arrays(np.zeros((4, 8, 8, 2), np.uint8)), DataError, ["(4, 8, 8, 2)"]),
        (lambda: data.from_arrays(np.zeros((0, 8, 8), np.uint8)), DataError, ["no examples"]),
        (lambda: data.from_arrays(np.zeros((4, 8, 8))), DataError, ["float64", "uint8"]),
        (lambda: data.from_arrays(np.array([[np.nan, 0]])), DataError, ["point 0", "not finite"]),
        (lambda: data.from_arrays(np.zeros((4, 2)), [0, 1, 2]), DataError, ["4 examples and 3 labels"]),
        (lambda: data.from_arrays(np.zeros((4, 2)), [0, 1, 2, -1]), DataError, ["label -1 of example 3"]),
        (
            lambda: data.from_arrays(np.zeros((2, 2)), [0, 9], num_classes=9),
            DataError,
            ["label 9", "from 0 to 8"],
        ),
        (lambda: data.from_arrays(np.zeros((2, 2)), [0.5, 1]), DataError, ["float64", "integers"]),
        (
            lambda: data.from_arrays(np.zeros((2, 2)), [0, 1], num_classes=3, class_names=["a", "b"]),
            DataError,
            ["num_classes=3", "2 class_names"],
        ),
    ],
)
def test_errors_are_one_line_and_name_the_value(call, error, words):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_no_tuner_that_an_ending_iterator_waits_for():
    """tf.data's tuner sleeps for ever longer, up to a minute, and the end of an iterator waits for it."""
    for dataset in (data.load("digits"), data.load("shapes")):
        assert dataset.batch(4).options().autotune.enabled is False
