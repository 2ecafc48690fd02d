"""Data of translators: alignment, what is not aligned, positions, folders as the papers lay them out."""

import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ganlib import data
from ganlib.data.edges import canny
from ganlib.errors import DataError, InputError


def batches(dataset, n, start=0):
    found = [tuple(part.numpy() for part in batch) for batch in dataset.batch(5).starting_at(start).take(n)]
    return [np.concatenate(part) for part in zip(*found, strict=True)]


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_canny_finds_the_outline_of_a_square_and_nothing_else():
    square = np.zeros((2, 16, 16), np.uint8)
    square[0, 4:12, 4:12] = 255
    edges = canny(square)
    rows, columns = np.nonzero(edges[0])
    assert len(rows) == 4 * 7 and rows.min() == columns.min() == 4 and rows.max() == columns.max() == 11
    assert not edges[1].any()  # the image beside it is not looked at
    np.testing.assert_array_equal(canny(square[:1])[0], edges[0])


def test_canny_keeps_a_weak_edge_that_hangs_on_a_strong_one():
    weak = np.zeros((1, 20, 20), np.uint8)
    weak[0, :, 10:] = 35  # slope 0.05: between the thresholds
    assert not canny(weak).any()
    fading = weak.copy()
    fading[0, :, 10:] = np.linspace(200, 35, 20)[:, None]
    assert (canny(fading)[0, :, 9:11] > 0).any(axis=1).all()


@pytest.mark.parametrize(
    ("name", "channels", "resolution"),
    [("edges_to_fashion", 1, 32), ("segmentation_to_shapes", 3, 16), ("warm_to_cool", 3, 16)],
)
def test_pairs_and_their_order(name, channels, resolution):
    pairs = data.paired(name, resolution=resolution)
    assert pairs.source_shape == pairs.shape == (resolution, resolution, channels) and pairs.paired
    sources, targets = pairs.to_numpy(20)
    labels = pairs.class_labels(20)
    assert sources.min() >= -1 and targets.max() <= 1 and len(np.unique(labels[0])) > 4
    np.testing.assert_array_equal(*labels)
    backwards = data.paired(name, resolution=resolution, reverse=True).to_numpy(20)
    np.testing.assert_array_equal(backwards[0], targets)
    np.testing.assert_array_equal(backwards[1], sources)
    # seekable, and a row does not depend on its batch
    whole = batches(pairs, 4)
    later = batches(pairs, 2, start=2)
    for a, b in zip(whole, later, strict=True):
        np.testing.assert_array_equal(a[10:], b)
    other = data.paired(name, resolution=resolution, seed=1)
    assert not np.array_equal(batches(other, 1)[1], whole[1][:5])


def test_edges_are_of_their_photographs_however_they_are_shuffled():
    pairs = data.paired("edges_to_fashion", resolution=32)
    plain = data.load("fashion_mnist", resolution=32)
    edges, clothes = pairs.to_numpy(30)
    np.testing.assert_array_equal(clothes, plain.to_numpy(30))
    assert set(np.unique(edges)) == {-1.0, 1.0} and 0.05 < (edges > 0).mean() < 0.3
    edges, clothes = batches(pairs, 3)
    found = canny(np.rint((clothes[..., 0] + 1) * 127.5).astype(np.uint8))
    np.testing.assert_array_equal(edges[..., 0] > 0, found > 0)
    assert pairs.size == 10_000 and data.paired("edges_to_fashion", "test").size == 2_000


def test_segmentation_is_where_the_object_is():
    """Flat maps against renderings of the same objects in two colours: the pixels that differ are the objects'."""
    maps, shaded = data.paired("segmentation_to_shapes", resolution=64).to_numpy(30)
    warm, cool = data.paired("warm_to_cool", resolution=64).to_numpy(30)
    inside = (maps > -1).any(axis=-1)
    differs = np.abs(warm - cool).max(axis=-1) > 0.02
    assert (inside & ~differs).mean() < 0.002  # highlights are white in both
    assert (differs & ~inside).mean() < 0.03  # half of the pixels on the outline
    np.testing.assert_array_equal(shaded, data.load("shapes").to_numpy(30))
    labels = data.paired("segmentation_to_shapes", resolution=64).class_labels(30)[0]
    colours = [tuple(np.round(m[i].mean(axis=0), 3)) for m, i in zip(maps, inside, strict=True)]
    assert len(set(colours)) == len(set(labels)) == len(set(zip(colours, labels, strict=True)))
    grey, _ = data.paired("segmentation_to_shapes", resolution=16, channels=1).to_numpy(30)
    assert {int(v) for v in np.rint((np.unique(grey) + 1) * 5)} <= set(range(11))


def test_colourings():
    warm, cool = data.paired("warm_to_cool", resolution=32).to_numpy(40)
    object_ = np.abs(warm - cool).max(axis=-1) > 0.3
    assert (warm[object_][:, 0] >= warm[object_][:, 2]).mean() > 0.99  # red over blue
    assert (cool[object_][:, 2] >= cool[object_][:, 0]).mean() > 0.99
    corner = np.abs(warm - cool)[:, 0, 0]
    assert corner.max() < 1e-6  # the background stays


def test_mirror_and_jitter_keep_pairs_aligned():
    """Pairs whose target is the inverted source stay so, pixel by pixel, while the source itself changes."""
    images = noise(12, 32, 32, 1)

    def pairs(**flags):
        return data.pairs_from_arrays(images, 255 - images, shuffle=False, **flags)

    plain = batches(pairs(), 4)[0]
    for flags in ({"mirror": True}, {"jitter": True}, {"mirror": True, "jitter": True}):
        a, b = batches(pairs(**flags), 4)
        np.testing.assert_allclose(b, -a, atol=1e-6)
        assert np.abs(a).max() <= 1
        again = batches(pairs(**flags), 2, start=2)
        np.testing.assert_array_equal(a[10:], again[0])
        if flags == {"mirror": True}:
            same = (a == plain).all(axis=(1, 2, 3))
            flipped = (a == plain[:, :, ::-1]).all(axis=(1, 2, 3))
            assert (same ^ flipped).all() and 4 <= same.sum() <= 16
            assert not np.array_equal(same[:8], same[12:])  # anew in the next epoch
    # jitter is a crop of the enlarged image
    a = batches(pairs(jitter=True), 1)[0]
    larger = tf.image.resize(plain[:5], [36, 36]).numpy()
    offsets = set()
    for image, large in zip(a, larger, strict=True):
        fits = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.allclose(image, large[i : i + 32, j : j + 32], atol=1e-5)
        ]
        assert len(fits) == 1
        offsets.add(fits[0])
    assert len(offsets) > 1
    np.testing.assert_allclose(pairs(mirror=True, jitter=True).to_numpy()[0], plain[:12])


def test_jitter_takes_every_offset():
    """32 pixels become 36: five places to cut at, the last of them too, about as often as each other."""
    ramp = np.arange(32, dtype=np.float32)[None, :, None] + np.zeros((1, 32, 32), np.float32)
    images = np.repeat(
        (np.stack([ramp[0], ramp[0].T, ramp[0]], axis=-1) * 7).astype(np.uint8)[None], 200, axis=0
    )
    pairs = data.pairs_from_arrays(images, images, shuffle=False, repeat=False, jitter=True)
    jittered = np.concatenate([batch[0].numpy() for batch in pairs.batch(50)])
    larger = tf.image.resize(images[:1] / np.float32(127.5) - 1, [36, 36]).numpy()[0]
    for axis, corner in enumerate((larger[:5, 0, 0], larger[0, :5, 1])):
        distance = np.abs(jittered[:, 0, 0, axis, None] - corner)
        assert distance.min(axis=1).max() < 1e-5
        counts = np.bincount(distance.argmin(axis=1), minlength=5)
        assert counts.min() > 20


@pytest.mark.parametrize("name", ["edges_to_fashion", "warm_to_cool"])
def test_domains_share_no_scene(name):
    pairs, domains = data.paired(name, resolution=16), data.unpaired(name, resolution=16)
    assert not domains.paired
    everything = pairs.to_numpy(60)
    a, b = domains.to_numpy(30)
    rows = {image.tobytes() for image in everything[1]}
    counterparts = {s.tobytes(): t.tobytes() for s, t in zip(*everything, strict=True)}
    found = [counterparts[image.tobytes()] for image in a if image.tobytes() in counterparts]
    assert len(found) >= 20  # domain A is sources
    assert not set(found) & {image.tobytes() for image in b}
    if name == "edges_to_fashion":
        assert domains.size == 5_000 and {image.tobytes() for image in b} <= rows
        labels = pairs.class_labels(60)[0]
        for found, expected in zip(domains.class_labels(30), (labels[::2], labels[1::2]), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_each_domain_has_an_order_of_its_own():
    domains = data.unpaired("edges_to_fashion", resolution=8)
    a, b = domains.to_numpy()
    index = [{image.tobytes(): i for i, image in enumerate(images)} for images in (a, b)]
    first = batches(domains, 4)
    orders = [[lookup[image.tobytes()] for image in part] for lookup, part in zip(index, first, strict=True)]
    assert orders[0] != orders[1]
    for part, again in zip(first, batches(domains, 2, start=2), strict=True):
        np.testing.assert_array_equal(part[10:], again)


def test_side_by_side_folders(tmp_path):
    """As facades and maps come: train and val, the left half A and the right half B."""
    images = [noise(16, 32, 3, seed=i) for i in range(4)]
    for i, image in enumerate(images):
        save(tmp_path / ("val" if i == 3 else "train") / f"{i}.png", image)
    (tmp_path / "train" / "readme.txt").write_text("no image")
    left, right = data.paired(f"folder:{tmp_path}").to_numpy()
    assert left.shape == right.shape == (3, 16, 16, 3)
    for i in range(3):
        np.testing.assert_array_equal(np.rint((left[i] + 1) * 127.5), images[i][:, :16])
        np.testing.assert_array_equal(np.rint((right[i] + 1) * 127.5), images[i][:, 16:])
    held_out = data.paired(f"folder:{tmp_path}", "val", resolution=8, channels=1, reverse=True)
    assert (held_out.size, held_out.source_shape) == (1, (8, 8, 1))
    save(tmp_path / "train" / "odd.png", noise(16, 30, 3))
    save(tmp_path / "train" / "tall.png", noise(16, 16, 3))
    with pytest.raises(
        DataError, match=r"2 of 5 .*odd.png \(30x16, not two squares side by side\).*tall.png"
    ):
        data.paired(f"folder:{tmp_path}")
    with pytest.raises(DataError, match=r"has no sub-folder 'test'.*side-by-side"):
        data.paired(f"folder:{tmp_path}", "test")


def test_folders_of_domains(tmp_path):
    """As horse2zebra comes: trainA, trainB, testA, testB, of different sizes."""
    for domain, count in (("trainA", 3), ("trainB", 5), ("testA", 2), ("testB", 2)):
        for i in range(count):
            save(tmp_path / domain / f"{i}.png", noise(12, 12, 3, seed=i + 10 * ord(domain[-1])))
    domains = data.unpaired(f"folder:{tmp_path}", mirror=True)
    assert (domains.size, domains.channels, domains.num_classes) == (3, 3, None)
    a, b = batches(domains, 3)
    # each goes round in its own time: 15 images are 5 epochs of A and 3 of B
    plain = [data.load(f"folder:{tmp_path / name}").to_numpy() for name in ("trainA", "trainB")]
    for part, images, times in ((a, plain[0], 5), (b, plain[1], 3)):
        seen = [(part == image).all((1, 2, 3)) | (part == image[:, ::-1]).all((1, 2, 3)) for image in images]
        assert [s.sum() for s in seen] == [times] * len(images)
    assert data.unpaired(f"folder:{tmp_path}", "test").size == 2
    with pytest.raises(DataError, match=r"has no sub-folder 'valA'.*trainA and trainB"):
        data.unpaired(f"folder:{tmp_path}", "val")
    with pytest.raises(DataError, match="has no labels"):
        domains.class_labels(2)


def test_domains_of_tensorflow_datasets(monkeypatch):
    """cycle_gan/horse2zebra as far as it matters: four splits, a label that says the domain, sizes that differ."""
    images = {s: noise(n, 12, 10, 3, seed=n) for n, s in enumerate(("trainA", "trainB", "testA", "testB"), 2)}
    asked = []

    class Builder:
        info = types.SimpleNamespace(
            features={"image": object(), "label": types.SimpleNamespace(names=["A", "B"])},
            splits={split: types.SimpleNamespace(num_examples=len(part)) for split, part in images.items()},
        )

        def download_and_prepare(self):
            asked.append("download")

        def as_dataset(self, split, shuffle_files):
            rows = [{"image": image, "label": "AB".index(split[-1])} for image in images[split]]
            return types.SimpleNamespace(as_numpy_iterator=lambda: iter(rows))

    def builder(name, data_dir):
        asked.append((name, data_dir))
        return Builder()

    monkeypatch.setitem(sys.modules, "tensorflow_datasets", types.SimpleNamespace(builder=builder))
    domains = data.unpaired("tfds:cycle_gan/horse2zebra", data_dir="where/it/lies")
    assert asked == [("cycle_gan/horse2zebra", "where/it/lies"), "download"] * 2
    for part, split in zip(domains.to_numpy(), ("trainA", "trainB"), strict=True):
        np.testing.assert_array_equal(np.rint((part + 1) * 127.5), images[split][:2, 1:11])
    assert [labels.tolist() for labels in domains.class_labels()] == [[0, 0], [1, 1]]
    held_out = data.unpaired("tfds:cycle_gan/horse2zebra", "test", resolution=4, channels=1)
    assert (held_out.size, held_out.source_shape) == (4, (4, 4, 1))
    with pytest.raises(DataError, match=r"\(validationA\) cannot be had"):
        data.unpaired("tfds:cycle_gan/horse2zebra", "validation")
    with pytest.raises(InputError, match="no option 'size': it has data_dir"):
        data.unpaired("tfds:cycle_gan/horse2zebra", size=3)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DataError, match=r"needs tensorflow-datasets .*ganlib\[tfds\]"):
        data.unpaired("tfds:cycle_gan/horse2zebra")


def test_pairs_from_files_are_augmented_together(tmp_path):
    """Both halves of a file show one scene, the right one inverted; so they do after a common mirror and jitter."""
    for i in range(6):
        left = noise(16, 16, 3, seed=i)
        save(tmp_path / "train" / f"{i}.png", np.concatenate([left, 255 - left], axis=1))
    a, b = batches(data.paired(f"folder:{tmp_path}", mirror=True, jitter=True), 4)
    np.testing.assert_allclose(b, -a, atol=1e-6)
    plain = data.paired(f"folder:{tmp_path}").to_numpy()[0]
    assert all(np.abs(image - plain).max(axis=(1, 2, 3)).min() > 0.1 for image in a)  # moved, every one


def test_domains_are_augmented_each_by_itself():
    """Two domains of the same images in the same order: mirrored alike they would stay equal."""
    images = noise(40, 16, 16, 1)
    for flag in ("mirror", "jitter"):
        a, b = batches(data.pairs_from_arrays(images, images, paired=False, shuffle=False, **{flag: True}), 8)
        equal = (np.abs(a - b) < 1e-5).all(axis=(1, 2, 3)).mean()
        assert 0.2 < equal < 0.8 if flag == "mirror" else equal < 0.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.paired("edges-to-fashon"), "did you mean 'edges_to_fashion'"),
        (lambda: data.paired("fashion_mnist"), "no pairs are called 'fashion_mnist'"),
        (lambda: data.paired("folder:"), "lacks what follows the colon"),
        (lambda: data.paired("tfds:cycle_gan/maps"), "no pairs are called"),
        (lambda: data.paired("folder:x", size=3), "no option 'size': it has none"),
        (lambda: data.paired(3), "is not text"),
        (lambda: data.paired("warm_to_cool", channels=1), "use channels=3"),
        (lambda: data.paired("warm_to_cool", mirror=1), "mirror=1 is not known"),
        (lambda: data.paired("warm_to_cool", sise=5), "no option 'sise': it has size"),
        (lambda: data.paired("edges_to_fashion", size=5), "no option 'size': it has none"),
        (lambda: data.paired("warm_to_cool", full=True), "full=True is for 'edges_to_fashion' only"),
        (lambda: data.paired("warm_to_cool", resolution=2), "resolution=2 is out of range"),
        (lambda: data.unpaired("warm_to_cool").to_numpy(), "is infinite"),
        (lambda: data.unpaired("warm_to_cool", "validation"), "split='validation'"),
        (lambda: data.pairs_from_arrays(noise(2, 8, 8, 1), noise(3, 8, 8, 1)), "as many of each"),
        (lambda: data.pairs_from_arrays(np.zeros((2, 8, 8, 1)), noise(2, 8, 8, 1)), "float64.*give uint8"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises((InputError, DataError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_set_that_ends():
    scenes = data.paired("warm_to_cool", size=7, resolution=8, repeat=False, shuffle=False)
    assert scenes.cardinality() == 7
    assert [len(a) for a, _ in scenes.batch(3, drop_remainder=False)] == [3, 3, 1]
    with pytest.raises(DataError, match="has 7 pairs, not one full batch of 8"):
        scenes.batch(8)
    shuffled = next(iter(data.paired("warm_to_cool", size=7, resolution=8).batch(7)))
    assert {i.tobytes() for i in shuffled[0].numpy()} == {i.tobytes() for i in scenes.to_numpy()[0]}
