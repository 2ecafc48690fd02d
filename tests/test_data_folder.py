"""Folders of image files: classes, sizes, modes, and everything that can be wrong with a file."""

import os
import subprocess

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ganlib import data
from ganlib.errors import DataError, InputError


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path, **options)
    return path


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def load(folder, **options):
    return data.load(f"folder:{folder}", **options)


def bytes_of(dataset, **options):
    return np.rint((dataset.to_numpy(**options) + 1) * 127.5).astype(np.uint8)


def test_sub_folders_are_classes(tmp_path):
    images = {}
    for name, count in (("cat", 3), ("dog", 2), ("ant", 1)):
        for i in range(count):
            images[f"{name}/{i}"] = noise(8, 8, 3, seed=len(images))
            save(tmp_path / name / f"{i}.png", images[f"{name}/{i}"])
    (tmp_path / "notes.txt").write_text("not an image")
    save(tmp_path / ".thumbnails" / "0.png", noise(8, 8, 3))
    dataset = load(tmp_path, labels=True)
    assert dataset.class_names == ("ant", "cat", "dog")
    assert (dataset.num_classes, dataset.size, dataset.channels, dataset.resolution) == (3, 6, 3, 8)
    pixels, labels = dataset.to_numpy()
    assert labels.tolist() == [0, 1, 1, 1, 2, 2]
    expected = [images[name] for name in ("ant/0", "cat/0", "cat/1", "cat/2", "dog/0", "dog/1")]
    np.testing.assert_array_equal(np.rint((pixels + 1) * 127.5), expected)


def test_a_flat_folder_has_no_labels(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.bmp", noise(8, 8, seed=i))
    dataset = load(tmp_path)
    assert (dataset.num_classes, dataset.class_names, dataset.channels, dataset.size) == (None, None, 1, 3)
    np.testing.assert_array_equal(bytes_of(dataset)[1, :, :, 0], noise(8, 8, seed=1))
    with pytest.raises(DataError, match="has no labels: load it with labels=False"):
        load(tmp_path, labels=True)


def test_train_and_test_folders_are_splits(tmp_path):
    save(tmp_path / "train" / "a" / "0.png", noise(8, 8))
    save(tmp_path / "test" / "a" / "0.png", noise(8, 8, seed=1))
    np.testing.assert_array_equal(bytes_of(load(tmp_path, split="test"))[0, ..., 0], noise(8, 8, seed=1))
    np.testing.assert_array_equal(bytes_of(load(tmp_path))[0, ..., 0], noise(8, 8))
    with pytest.raises(DataError, match="has the splits 'train' and 'test', not 'validation'"):
        load(tmp_path, split="validation")
    with pytest.raises(DataError, match="has no split 'test', only 'train'"):
        load(tmp_path / "train", split="test")


def test_images_are_cropped_to_the_centre_not_stretched(tmp_path):
    wide = np.zeros((8, 15, 3), np.uint8)
    wide[:, 3:11] = noise(8, 8, 3)  # 15 - 8 = 7: three columns go on the left, four on the right
    save(tmp_path / "wide.png", wide)
    tall = np.zeros((12, 8, 3), np.uint8)
    tall[2:10] = noise(8, 8, 3, seed=1)
    save(tmp_path / "tall.png", tall)
    got = bytes_of(load(tmp_path))
    np.testing.assert_array_equal(got, [noise(8, 8, 3, seed=1), noise(8, 8, 3)])  # in the order of names


def test_halving_is_the_mean_of_blocks(tmp_path):
    pixels = noise(16, 16, 3)
    save(tmp_path / "a.png", pixels)
    means = pixels.reshape(8, 2, 8, 2, 3).mean(axis=(1, 3))
    assert np.abs(bytes_of(load(tmp_path, resolution=8))[0] - means).max() <= 0.5


def test_grey_and_colour(tmp_path):
    save(tmp_path / "a.png", noise(8, 8))
    save(tmp_path / "b.png", noise(8, 8, 3))
    mixed = bytes_of(load(tmp_path))
    assert mixed.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(mixed[0], np.repeat(noise(8, 8)[..., None], 3, axis=-1))
    grey = bytes_of(load(tmp_path, channels=1))
    assert grey.shape == (2, 8, 8, 1)
    np.testing.assert_allclose(grey[1, ..., 0], noise(8, 8, 3) @ [0.299, 0.587, 0.114], atol=0.51)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "I;16", "CMYK"])
def test_modes(tmp_path, mode):
    grey = noise(8, 8)
    if mode == "I;16":
        Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.png")
    elif mode in ("LA", "RGBA"):  # half transparent, so half as bright over black
        Image.fromarray(grey).convert(mode).save(tmp_path / "a.png")
        image = Image.open(tmp_path / "a.png")
        image.putalpha(128)
        image.save(tmp_path / "a.png")
        grey = grey * (128 / 255)
    elif mode == "1":
        grey = np.where(grey > 127, np.uint8(255), np.uint8(0))
        Image.fromarray(grey).convert("1").save(tmp_path / "a.png")
    else:
        Image.fromarray(grey).convert(mode).save(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    dataset = load(tmp_path)
    assert dataset.channels == (1 if mode in ("1", "LA", "I;16") else 3)
    for channel in range(dataset.channels):
        assert np.abs(bytes_of(dataset)[0, ..., channel] - grey.astype(float)).max() <= 1


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    save(tmp_path / "a.png", noise(8, 8), exif=exif)
    np.testing.assert_array_equal(bytes_of(load(tmp_path))[0, ..., 0], noise(8, 8)[::-1, ::-1])


def test_all_broken_files_are_listed_at_once(tmp_path):
    for name in ("fine", "also fine"):
        save(tmp_path / "a" / f"{name}.png", noise(64, 64, 3))
    whole = (tmp_path / "a" / "fine.png").read_bytes()
    (tmp_path / "a" / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a" / "empty.jpg").write_bytes(b"")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "text.png").write_text("hello")
    (tmp_path / "b" / "corrupt.png").write_bytes(whole[:100] + bytes(100) + whole[200:])
    (tmp_path / "b" / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "b" / "float.tif")
    with pytest.raises(DataError) as caught:
        load(tmp_path, resolution=32)
    message = str(caught.value)
    assert message.startswith(f"6 of 8 image files in {tmp_path} cannot be used: ")
    assert message.endswith("Repair or remove them")
    assert "\n" not in message
    for part in (
        "a/truncated.png (",
        "a/empty.jpg (empty)",
        "b/text.png (not an image)",
        "b/corrupt.png (",
        "b/dangling.png (a link that leads nowhere)",
        "b/float.tif (its values have no known range",
    ):
        assert part in message
    assert "fine" not in message


def test_what_is_called_an_image_and_is_none_is_neither_run_nor_waited_for(tmp_path, monkeypatch):
    save(tmp_path / "fine.png", noise(8, 8))
    Image.fromarray(noise(8, 8)).save(tmp_path / "drawing.eps")
    (tmp_path / "drawing.eps").rename(tmp_path / "drawing.png")
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("Pillow called Ghostscript"))
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    for part in ("2 of 3 image files", "drawing.png (not an image)", "pipe.png (not a regular file)"):
        assert part in str(caught.value)


def test_a_class_without_images_is_no_class_less(tmp_path):
    for name in ("a", "c"):
        save(tmp_path / name / "0.png", noise(8, 8))
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="class without images, 'b'"):
        load(tmp_path)
    (tmp_path / "b").rmdir()
    assert load(tmp_path).class_names == ("a", "c")


def test_a_fingerprint_tells_examples_and_labels(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / name / "0.png", noise(8, 8))
    first = load(tmp_path).fingerprint
    assert load(tmp_path, seed=3).fingerprint == first and len(first) == 16
    (tmp_path / "b" / "0.png").rename(tmp_path / "a" / "1.png")
    save(tmp_path / "b" / "0.png", noise(8, 8) // 2)
    assert load(tmp_path).fingerprint != first
    assert data.load("shapes").fingerprint is None


def test_unreadable_files_are_broken_files(tmp_path, monkeypatch):
    save(tmp_path / "a.png", noise(8, 8))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)  # the superuser, who may run the tests, can read everything
    with pytest.raises(DataError, match=r"1 of 1 .* a\.png \(no permission to read it\)"):
        load(tmp_path)


def test_mixed_sizes_need_a_resolution(tmp_path):
    save(tmp_path / "a.png", noise(8, 8))
    save(tmp_path / "b.png", noise(20, 16))
    with pytest.raises(DataError, match=r"a\.png gives 8, b\.png 16 pixels\): give resolution="):
        load(tmp_path)
    assert load(tmp_path, resolution=12).to_numpy().shape == (2, 12, 12, 1)


@pytest.mark.parametrize("side", [2, 1030])
def test_sizes_beyond_the_limits_need_a_resolution(tmp_path, side):
    save(tmp_path / "a.png", np.zeros((side, side), np.uint8))
    with pytest.raises(DataError, match=rf"{side}.*: give resolution= from 4 to 1024"):
        load(tmp_path)


def test_folders_that_are_not_folders_of_images(tmp_path):
    with pytest.raises(DataError, match=r"does not exist: give folder:PATH"):
        load(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"is a file: give folder:PATH"):
        load(tmp_path / "file")
    (tmp_path / "empty" / "class").mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds no images: put \.png"):
        load(tmp_path / "empty")
    save(tmp_path / "both" / "a.png", noise(8, 8))
    save(tmp_path / "both" / "class" / "b.png", noise(8, 8))
    with pytest.raises(DataError, match=r"\(a\.png\) and in them \(class\): keep one kind"):
        load(tmp_path / "both")


def test_memory_is_checked_before_reading(tmp_path, monkeypatch):
    for i in range(4):
        save(tmp_path / f"{i}.png", noise(8, 8))
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.get)
    with pytest.raises(DataError, match=r"4 images of 1024x1024x3 need 0\.0 GiB of memory"):
        load(tmp_path, resolution=1024)
    assert load(tmp_path, resolution=8).size == 4


def test_files_far_larger_than_their_pixels_are_refused(tmp_path):
    comments = PngImagePlugin.PngInfo()
    comments.add_text("Comment", "x" * 2**21)
    save(tmp_path / "comments.png", noise(8, 8), pnginfo=comments)
    with pytest.raises(DataError, match=r"comments\.png \(2 MB for 8x8 pixels: save it without comments\)"):
        load(tmp_path)
    (tmp_path / "comments.png").unlink()
    frames = [Image.fromarray(noise(64, 64, seed=i)) for i in range(400)]
    frames[0].save(tmp_path / "long.gif", save_all=True, append_images=frames[1:])
    assert (tmp_path / "long.gif").stat().st_size > 2**20 + 16 * 64 * 64
    assert load(tmp_path).size == 1  # its frames are pixels, too


def test_a_folder_with_too_much_in_it_is_not_walked_to_its_end(tmp_path, monkeypatch):
    for i in range(4):
        save(tmp_path / "deep" / f"{i}.png", noise(8, 8))
    monkeypatch.setattr("ganlib.data.folder.MOST_ENTRIES", 3)
    with pytest.raises(DataError, match=r"holds more than 3 files: give the folder of the images"):
        load(tmp_path)


def test_the_first_files_are_read_and_no_others(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / f"{name}.png", noise(8, 8, seed=ord(name)))
    (tmp_path / "c.png").write_bytes(b"")
    both = data.read_images(tmp_path, 8, channels=1, first=2)
    assert both.shape == (2, 8, 8, 1)
    np.testing.assert_array_equal(data.read_images(tmp_path, 8, channels=1, first=1), both[:1])
    with pytest.raises(DataError, match=r"c\.png \(empty\)"):
        data.read_images(tmp_path, 8, first=3)
    with pytest.raises(InputError, match="first=0"):
        data.read_images(tmp_path, 8, first=0)
