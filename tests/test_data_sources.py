"""Fashion-MNIST and the other sets of real images: contents, resizing, places, and what is said without a network."""

import gzip
import hashlib
import struct
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ganlib import data
from ganlib.data import embed, fashion_mnist, keras_datasets
from ganlib.errors import DataError, InputError

# Of the first 10,000 and 2,000 images of the original files, 0 to 9.
TRAIN_COUNTS = [942, 1027, 1016, 1019, 974, 989, 1021, 1022, 990, 1000]
TEST_COUNTS = [200, 203, 214, 190, 219, 195, 197, 200, 194, 188]
DIGEST = "4084017359325b0b158fe7759bc20781f98a81c5bd2d091c099af840dbce1625"


def bytes_of(dataset, n=None):
    return np.rint((dataset.to_numpy(n) + 1) * 127.5).astype(np.uint8)


def test_the_embedded_subset_is_the_one_that_was_cut():
    train, train_labels = fashion_mnist.embedded("train")
    test, test_labels = fashion_mnist.embedded("test")
    assert (train.shape, test.shape) == ((10_000, 28, 28), (2_000, 28, 28))
    assert np.bincount(train_labels).tolist() == TRAIN_COUNTS
    assert np.bincount(test_labels).tolist() == TEST_COUNTS
    digest = hashlib.sha256(train.tobytes() + train_labels.tobytes() + test.tobytes() + test_labels.tobytes())
    assert digest.hexdigest() == DIGEST
    # The first labels of the original files, as everyone who has printed them knows.
    assert train_labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert test_labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]


def test_its_licence_is_beside_it():
    folder = Path(fashion_mnist.__file__).parent / "embedded"
    text = (folder / "LICENSE-fashion-mnist.txt").read_text()
    assert "Copyright (c) 2017 Zalando SE" in text
    assert "Permission is hereby granted" in text
    assert sum(file.stat().st_size for file in folder.iterdir()) < 6e6


def test_fashion_mnist_attributes():
    dataset = data.load("fashion_mnist", labels=True)
    assert (dataset.size, dataset.num_classes, dataset.shape) == (10_000, 10, (28, 28, 1))
    assert dataset.class_names[9] == "ankle boot"
    assert data.load("fashion_mnist", split="test").size == 2_000
    images, labels = dataset.to_numpy(100)
    np.testing.assert_array_equal(labels, fashion_mnist.embedded("train")[1][:100])
    np.testing.assert_array_equal(
        np.rint((images[..., 0] + 1) * 127.5), fashion_mnist.embedded("train")[0][:100]
    )


def test_32_pixels_are_a_frame_of_two():
    framed = data.load("fashion_mnist", resolution=32).to_numpy(300)
    original = data.load("fashion_mnist").to_numpy(300)
    np.testing.assert_array_equal(framed[:, 2:30, 2:30], original)
    framed[:, 2:30, 2:30] = -1
    assert (framed == -1).all()


def test_other_resolutions():
    images = fashion_mnist.embedded("train")[0][:50].astype(float)
    framed = np.pad(images, [(0, 0), (2, 2), (2, 2)])
    for resolution in (16, 8, 4):  # whole blocks of the framed image
        factor = 32 // resolution
        means = framed.reshape(50, resolution, factor, resolution, factor).mean(axis=(2, 4))
        got = bytes_of(data.load("fashion_mnist", resolution=resolution), 50)[..., 0]
        assert np.abs(got - means).max() <= 0.5
    got = bytes_of(data.load("fashion_mnist", resolution=14), 50)[..., 0]  # of the image itself
    assert np.abs(got - images.reshape(50, 14, 2, 14, 2).mean(axis=(2, 4))).max() <= 0.5
    odd = bytes_of(data.load("fashion_mnist", resolution=31), 50)[..., 0]  # 3 missing: 1 before, 2 after
    np.testing.assert_array_equal(odd[:, 1:29, 1:29], images)
    large = bytes_of(data.load("fashion_mnist", resolution=64), 50)[..., 0].astype(float)
    halved = large.reshape(50, 32, 2, 32, 2).mean(axis=(2, 4))
    assert np.abs(halved - framed).mean() < 4  # bicubic overshoots at edges, and is cut off there
    assert np.abs(np.roll(halved, 1, axis=2) - framed).mean() > 12  # a shift would show
    assert np.abs(large.mean(axis=(1, 2)) - framed.mean(axis=(1, 2))).max() < 1.0


def test_bicubic_down_does_not_alias():
    stripes = np.zeros((1, 40, 40), np.uint8)
    stripes[:, :, ::2] = 255
    grey = bytes_of(data.from_arrays(stripes, resolution=28))[0, 4:24, 4:24]
    assert np.abs(grey.astype(float) - 127.5).max() < 25  # sampled without widening: 0 and 255


def test_colour_of_a_grey_set():
    colour = data.load("fashion_mnist", channels=3, split="test").to_numpy(20)
    assert colour.shape == (20, 28, 28, 3)
    np.testing.assert_array_equal(colour[..., 1:2], data.load("fashion_mnist", split="test").to_numpy(20))


def test_grey_of_arrays_is_pillows():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    got = bytes_of(data.from_arrays(pixels, channels=1))[..., 0]
    np.testing.assert_array_equal(got, [np.asarray(Image.fromarray(image).convert("L")) for image in pixels])


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))


@pytest.fixture
def originals(tmp_path):
    """A folder like that of the original files, with fewer images."""
    folder = tmp_path / "originals"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 20)):
        images, labels = fashion_mnist.FILES[split]
        write_idx(folder / images, rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        write_idx(folder / labels, np.arange(count, dtype=np.uint8) % 10)
    return folder


def test_full_comes_from_a_folder(originals, monkeypatch):
    dataset = data.load("fashion_mnist", data_dir=originals, labels=True)
    assert (dataset.size, data.load("fashion_mnist", "test", data_dir=str(originals)).size) == (30, 20)
    monkeypatch.setenv("GANLIB_DATA", str(originals))
    np.testing.assert_array_equal(data.load("fashion_mnist", full=True).to_numpy(), dataset.to_numpy()[0])
    assert data.load("fashion_mnist").size == 10_000  # without full=True the embedded images, wherever one is


def test_full_comes_from_the_keras_cache(originals, monkeypatch, tmp_path):
    monkeypatch.delenv("GANLIB_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    originals.rename(tmp_path / "datasets" / "fashion-mnist")
    assert data.load("fashion_mnist", full=True).size == 30


def nowhere(monkeypatch, tmp_path, name):
    """Neither cache nor network."""

    def fail():
        print("Downloading data from https://example.org")
        raise Exception("URL fetch failure on https://example.org: None -- timed out")

    monkeypatch.delenv("GANLIB_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "none")
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", fail)


@pytest.mark.parametrize(
    ("name", "options", "remedy"),
    [
        ("fashion_mnist", {"full": True}, "set GANLIB_DATA to a folder with the four idx .gz files"),
        ("mnist", {}, "mnist.npz from a machine with a network"),
        ("cifar10", {}, "cifar-10-batches-py-target from a machine with a network"),
    ],
)
def test_no_network(monkeypatch, tmp_path, capfd, name, options, remedy):
    nowhere(monkeypatch, tmp_path, name)
    with pytest.raises(DataError) as caught:
        data.load(name, **options)
    message = str(caught.value)
    assert message.startswith(
        f"{name!r} is neither in Keras' cache nor on the network (URL fetch failure on "
    )
    assert remedy in message
    assert "\n" not in message
    assert capfd.readouterr().out == ""


def test_a_silent_network_is_given_up(monkeypatch):
    import socket

    seen = []
    monkeypatch.setattr(
        keras.datasets.mnist, "load_data", lambda: seen.append(socket.getdefaulttimeout()) or 1 / 0
    )
    with pytest.raises(DataError, match="division by zero"):
        data.load("mnist")
    assert seen == [20]
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize(("name", "shape"), [("mnist", (28, 28)), ("cifar10", (32, 32, 3))])
def test_keras_datasets(monkeypatch, name, shape):
    rng = np.random.default_rng(0)
    # CIFAR-10's labels come as a column.
    column = (-1, 1) if name == "cifar10" else (-1,)
    pairs = [
        (rng.integers(0, 256, (count, *shape), dtype=np.uint8), (np.arange(count) % 10).reshape(column))
        for count in (40, 20)
    ]
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: tuple(pairs))
    dataset = data.load(name, labels=True)
    images, labels = dataset.to_numpy()
    assert (dataset.size, data.load(name, "test").size, dataset.num_classes) == (40, 20, 10)
    np.testing.assert_array_equal(labels, np.arange(40) % 10)
    np.testing.assert_array_equal(np.rint((images + 1) * 127.5).reshape(40, *shape), pairs[0][0])
    frame = data.load(name, resolution=32).to_numpy()[:, 0]
    assert (frame == -1).all() == (name == "mnist")


def test_digits():
    images, labels = data.load("digits", labels=True).to_numpy()
    assert (images.shape, images.min(), images.max()) == ((1500, 8, 8, 1), -1.0, 1.0)
    assert np.bincount(labels).tolist() == [151, 151, 150, 153, 148, 152, 151, 149, 146, 149]
    assert data.load("digits", "test").size == 297
    assert data.load("digits", resolution=32).to_numpy(1).shape == (1, 32, 32, 1)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: b"", "holds 0 bytes|not an idx file|cannot be read"),
        (lambda raw: raw[: len(raw) // 2], "cannot be read"),
        (lambda raw: raw[:200] + bytes(50) + raw[250:], "cannot be read"),
        (lambda raw: b"plain text", "cannot be read"),
        (lambda raw: gzip.compress(b"plain text"), "not an idx file of bytes"),
        (lambda raw: gzip.compress(gzip.decompress(raw)[:-1]), "its header says"),
        (lambda raw: gzip.compress(gzip.decompress(raw)[:6]), "its header says"),
        (lambda raw: gzip.compress(gzip.decompress(raw) + b"x"), "its header says"),
    ],
)
def test_damaged_original_files(originals, damage, words):
    file = originals / fashion_mnist.FILES["train"][0]
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=words) as caught:
        data.load("fashion_mnist", data_dir=originals)
    assert str(file) in str(caught.value)
    assert str(caught.value).endswith("fetch the file again")
    assert "\n" not in str(caught.value)


def test_original_files_that_do_not_belong_together(originals):
    write_idx(originals / fashion_mnist.FILES["train"][1], np.zeros(29, np.uint8))
    with pytest.raises(
        DataError, match=r"images \(30, 28, 28\) and labels \(29,\) of train do not belong together"
    ):
        data.load("fashion_mnist", data_dir=originals)
    write_idx(originals / fashion_mnist.FILES["train"][1], np.full(30, 10, np.uint8))
    with pytest.raises(
        DataError, match=r"label 10 of example 0 of 'fashion_mnist' is out of range: .* 0 to 9"
    ):
        data.load("fashion_mnist", data_dir=originals)
    (originals / fashion_mnist.FILES["train"][1]).unlink()
    with pytest.raises(DataError, match=r"lacks train-labels-idx1-ubyte\.gz"):
        data.load("fashion_mnist", data_dir=originals)


def test_the_subset_can_be_cut_again(originals, tmp_path):
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    for target in (first, second):
        embed.main(str(originals), target)
    assert first.read_bytes() == second.read_bytes()
    with np.load(first, allow_pickle=False) as arrays:
        images, _ = fashion_mnist.read_pair(originals, "test")
        np.testing.assert_array_equal(arrays["test_images"], images)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz", "originals"]


def fake_tfds(monkeypatch, images, labels=None):
    """TensorFlow Datasets as far as ganlib uses it, with these examples."""
    features = {"image": object()} | (
        {} if labels is None else {"label": types.SimpleNamespace(names=["a", "b"])}
    )

    class Builder:
        info = types.SimpleNamespace(
            features=features, splits={"train": types.SimpleNamespace(num_examples=len(images))}
        )

        def download_and_prepare(self):
            pass

        def as_dataset(self, split, shuffle_files):
            rows = [
                {"image": image} | ({} if labels is None else {"label": labels[i]})
                for i, image in enumerate(images)
            ]
            return types.SimpleNamespace(as_numpy_iterator=lambda: iter(rows))

    def builder(name, data_dir):
        if name != "fake":
            raise ValueError(f"Dataset {name} not found.\nCheck that ...")
        return Builder()

    monkeypatch.setitem(sys.modules, "tensorflow_datasets", types.SimpleNamespace(builder=builder))


def test_tfds(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 10, 3), dtype=np.uint8)
    fake_tfds(monkeypatch, images, [0, 1, 1, 0, 1])
    dataset = data.load("tfds:fake", labels=True)
    pixels, labels = dataset.to_numpy()
    np.testing.assert_array_equal(np.rint((pixels + 1) * 127.5), images[:, 1:11])
    assert (labels.tolist(), dataset.class_names) == ([0, 1, 1, 0, 1], ("a", "b"))
    assert data.load("tfds:fake", resolution=5, channels=1).to_numpy().shape == (5, 5, 5, 1)
    with pytest.raises(DataError, match=r"'tfds:other' \(train\) cannot be had: Dataset other not found\.$"):
        data.load("tfds:other")
    with pytest.raises(DataError, match="no feature 'picture', but image, label: set image_key="):
        data.load("tfds:fake", image_key="picture")
    fake_tfds(monkeypatch, [images[0], images[0][:8]])
    with pytest.raises(DataError, match=r"differ in size, \(8, 8, 3\) after \(10, 10, 3\): give resolution="):
        data.load("tfds:fake")
    assert data.load("tfds:fake", resolution=8).num_classes is None


def test_tfds_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(
        DataError, match=r"'tfds:cifar10' needs tensorflow-datasets .*: pip install \"ganlib\[tfds\]\""
    ):
        data.load("tfds:cifar10")


def test_names_and_what_is_available(monkeypatch, tmp_path, originals):
    names = data.names()
    assert list(names)[:3] == ["gaussians_ring", "gaussians_grid", "swiss_roll"]
    assert {"folder:PATH", "tfds:NAME"} <= set(names)
    assert all("\n" not in text and len(text) < 90 for text in names.values())
    monkeypatch.delenv("GANLIB_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "none")
    rows = {row.name: row for row in data.available()}
    assert set(names) | {"fashion_mnist full=True"} == set(rows)
    for name in ("mnist", "cifar10", "fashion_mnist full=True"):
        assert not rows[name].found
        assert "network" in rows[name].remedy
    assert all(row.remedy == "" for row in rows.values() if row.found)
    monkeypatch.setenv("GANLIB_DATA", str(originals))
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "mnist.npz").write_bytes(b"")
    rows = {row.name: row for row in data.available()}
    assert rows["fashion_mnist full=True"].where == str(originals)
    assert rows["mnist"].found
    assert keras_datasets.cache_folder() == tmp_path / "datasets"


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("fashion-mnist", {}, ["'fashion-mnist'", "did you mean 'fashion_mnist'?"]),
        ("Fashion MNIST", {}, ["did you mean 'fashion_mnist'?"]),
        ("polygon", {}, ["did you mean 'polygons'?"]),
        ("folders:x", {}, ["'folders:x'"]),
        ("celeba", {}, ["'celeba'", "give one of gaussians_ring, "]),
        ("tfds:", {}, ["'tfds:'", "give tfds:NAME"]),
        (None, {}, ["name=None"]),
        ("digits", {"resolution": 3}, ["resolution=3", "4 to 1024"]),
        ("digits", {"resolution": 1025}, ["resolution=1025"]),
        ("digits", {"resolution": 16.0}, ["resolution=16.0", "integer"]),
        ("digits", {"resolution": True}, ["resolution=True"]),
        ("digits", {"channels": 4}, ["channels=4", "None, 1, 3"]),
        ("digits", {"split": "valid"}, ["split='valid'", "'train', 'test'"]),
        ("digits", {"seed": 1.5}, ["seed=1.5"]),
        ("digits", {"shuffle": 1}, ["shuffle=1", "True or False"]),
        ("digits", {"repeat": 5}, ["repeat=5", "True or False"]),
        ("digits", {"modes": 5}, ["'digits' has no option 'modes'", "none of its own"]),
        ("digits", {"resolutions": 5}, ["did you mean 'resolution'?"]),
        ("mnist", {"full": True}, ["full=True", "'mnist' is always whole"]),
    ],
)
def test_bad_arguments(name, options, words):
    with pytest.raises(InputError) as caught:
        data.load(name, **options)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_loading_leaves_the_graph_alone():
    """A dataset can be made where a model is: inside a strategy's scope."""
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        batch = next(iter(data.load("digits").batch(4)))
    assert batch.shape == (4, 8, 8, 1)
