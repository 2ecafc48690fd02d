"""Textures: a pure function of seed and index, one pattern at every resolution, kinds by their symmetries, pairs."""

import numpy as np
import pytest

from ganlib import data
from ganlib.data import textures
from ganlib.errors import InputError


def test_a_row_depends_on_seed_and_index_only():
    reference = data.load("textures", resolution=16).to_numpy(130)
    assert reference.shape == (130, 16, 16, 3) and reference.dtype == np.float32
    assert -1 <= reference.min() < -0.9 and 0.9 < reference.max() <= 1
    for batch_size in (1, 7, 64):
        batches = data.load("textures", resolution=16).batch(batch_size).take(2).as_numpy_iterator()
        found = np.concatenate(list(batches))
        np.testing.assert_array_equal(found, reference[: len(found)])
    restarted = next(data.load("textures", resolution=16).batch(5).starting_at(3).as_numpy_iterator())
    np.testing.assert_array_equal(restarted, reference[15:20])
    for other in ({"seed": 1}, {"split": "test"}):
        found = data.load("textures", resolution=16, **other).to_numpy(5)
        assert (np.abs(found - reference[:5]).max(axis=(1, 2, 3)) > 0.1).all()


@pytest.mark.parametrize("resolution", [8, 16, 32])
def test_a_small_texture_is_the_large_one_seen_from_afar(resolution):
    """Both are means of the same 128x128 points; only the wash, and the rounding, are of the resolution."""
    large = data.load("textures").to_numpy(40)
    factor = 64 // resolution
    means = large.reshape(40, resolution, factor, resolution, factor, 3).mean(axis=(2, 4))
    small = data.load("textures", resolution=resolution).to_numpy(40)
    assert np.abs(small - means).mean() < 2 * 2 / 255  # two grey levels
    assert np.abs(small - np.roll(means, 1, axis=0)).mean() > 0.3


def test_a_large_texture_has_finer_edges_of_the_same_pattern():
    large, small = data.load("textures", resolution=128).to_numpy(16), data.load("textures").to_numpy(16)
    means = large.reshape(16, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - means).mean() < 0.04
    odd = data.load("textures", resolution=37).to_numpy(16)
    np.testing.assert_allclose(odd.mean(axis=(1, 2)), small.mean(axis=(1, 2)), atol=0.12)


def test_labels_and_sizes():
    dataset = data.load("textures", resolution=8, labels=True)
    assert (dataset.num_classes, dataset.class_names, dataset.size) == (8, textures.KINDS, None)
    images, labels = dataset.to_numpy(800)
    np.testing.assert_array_equal(images[:9], data.load("textures", resolution=8).to_numpy(9))
    counts = np.bincount(labels, minlength=8)
    assert ((counts - 100) ** 2 / 100).sum() < 24.3  # chi-squared, 7 degrees: one in a thousand
    assert data.load("textures", "test").size == 2000
    finite = data.load("textures", resolution=8, size=12)
    np.testing.assert_array_equal(finite.to_numpy(), images[:12])


def masks(kind, along=0.0, across=0.0, v=0.5):
    """Where the second and the third colour of an upright pattern are, on 6x6 periods, from (along, across) on."""
    line = np.arange(1, 385, 2, dtype=np.float32) / 64 - 3
    a, b = np.meshgrid(line + np.float32(along), line + np.float32(across))
    return np.stack(textures._PATTERNS[kind](a, b, np.float32(v)))


@pytest.mark.parametrize(
    ("kind", "along", "across"),
    [
        ("stripes", 1, 0.25),
        ("checks", 2, 2),
        ("dots", 1, 1),
        ("waves", 1, 2),
        ("bricks", 4, 2),
        ("scales", 1, 2),
    ],
)
def test_patterns_repeat_along_and_across(kind, along, across):
    shown = (
        slice(1, 2) if kind == "bricks" else slice(0, 2)
    )  # the colours of bricks do not, their mortar does
    plain = masks(kind)[shown]
    np.testing.assert_array_equal(masks(kind, along=along)[shown], plain)
    np.testing.assert_array_equal(masks(kind, across=across)[shown], plain)
    assert np.abs(masks(kind, along=along / 2)[shown] - plain).mean() > 0.1 or kind == "bricks"


def test_shares_of_stripes_checks_and_dots():
    np.testing.assert_allclose(masks("stripes")[0].mean(), 0.5, atol=0.04)
    np.testing.assert_allclose(masks("stripes", v=0)[0].mean(), 0.3, atol=0.04)
    np.testing.assert_allclose(masks("checks")[0].mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(
        masks("dots").mean(axis=(1, 2)), np.pi * np.array([0.35, 0.15]) ** 2, rtol=0.05
    )


def test_rings_and_dots_look_the_same_from_all_sides():
    for kind in ("rings", "dots", "checks"):
        plain = masks(kind)
        np.testing.assert_array_equal(plain[:, ::-1, ::-1], plain)
        np.testing.assert_array_equal(plain.transpose(0, 2, 1), plain)


def test_mosaics_have_seams_and_no_period():
    cells, seams = masks("mosaic")
    assert 0.1 < seams.mean() < 0.4 and 0.3 < cells.mean() < 0.7
    assert all(np.abs(masks("mosaic", along=k)[1] - seams).mean() > 0.1 for k in (1, 2, 3))
    inside = (cells[1:] == cells[:-1]) | (seams[1:] + seams[:-1] > 0)
    assert inside.mean() > 0.99  # cells change colour at seams


def test_palettes_are_dark_light_and_strong():
    rows = np.random.default_rng(0).random((500, 18), np.float32)
    dark, light, strong = np.stack([textures._palette(row) for row in rows], axis=1)
    assert (dark.max(axis=1) < 0.56).all() and (light.max(axis=1) > 0.74).all()
    assert ((strong.max(axis=1) - strong.min(axis=1)) / strong.max(axis=1) > 0.89).all()
    assert min(x.min() for x in (dark, light, strong)) >= 0 and light.max() <= 1


def test_contents_and_styles_are_domains_without_pairs():
    both = data.unpaired("faces_and_textures", resolution=16)
    assert both.source_shape == both.shape == (16, 16, 3) and not both.paired and both.size is None
    contents, styles = both.to_numpy(6)
    np.testing.assert_array_equal(contents, data.load("faces", resolution=16).to_numpy(6))
    np.testing.assert_array_equal(styles, data.load("textures", resolution=16).to_numpy(6))
    assert data.unpaired("faces_and_textures", "test").size == 2000
    few = data.unpaired("faces_and_textures", resolution=16, size=5)
    assert few.size == 5 and "faces_and_textures" in data.pair_names()
    mirrored = next(iter(data.unpaired("faces_and_textures", resolution=16, mirror=True).batch(6)))[0]
    same = [np.array_equal(a, b) for a, b in zip(mirrored, contents, strict=True)]
    assert 0 < sum(same) < 6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: data.load("textures", channels=1),
            "channels=1: textures are styles in colour; use channels=3",
        ),
        (lambda: data.load("textures", kinds=3), "no option 'kinds': it has size"),
        (lambda: data.load("textures", resolution=3), "resolution=3 is out of range"),
        (lambda: data.load("textures", "valid"), "split='valid'"),
        (lambda: data.load("textures").details(3), "no table of factors"),
        (
            lambda: data.paired("faces_and_textures"),
            r"has no pairs.*use ganlib.data.unpaired\('faces_and_textures'\)",
        ),
        (lambda: data.unpaired("faces_and_textures", channels=1), "use channels=3"),
        (lambda: data.unpaired("faces_and_textures", resolution=8), "resolution=8 is out of range for faces"),
        (lambda: data.unpaired("faces_and_textures", data_dir="x"), "no option 'data_dir': it has size"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_available_without_a_network():
    (row,) = [row for row in data.available() if row.name == "textures"]
    assert row.found and row.where == "rendered"
