"""Faces: sprites and composition against closed forms, factors against pixels, labels, long tails, pairs, licences."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganlib import data
from ganlib.data import faces, faces_drawing, faces_embed, faces_sprites
from ganlib.data.faces import FACTORS, POSE, render
from ganlib.errors import InputError

EMBEDDED = Path(faces.__file__).parent / "embedded"
PLAIN = {"rotation": 0.0, "scale": 1.0, "x": 0.0, "y": 0.0}
# Where the parts lie in ToonHead's drawing of 768 units: left, right, top, bottom, over all values.
BOXES = {
    "mouth": (325, 444, 486, 542),
    "eyes": (252, 516, 360, 446),
    "eyebrows": (265, 502, 300, 382),
    "beard": (223, 545, 402, 695),
    "clothes": (105, 672, 590, 848),
}


def in_order(n=8, **options):
    return data.load("faces", **options).to_numpy(n)


def boxed(part, resolution, room=2):
    """Rows and columns of the image of an upright face that a part may lie in; the figure stands 0.04 lower."""
    left, right, top, bottom = (np.array(BOXES[part]) / 768 + [0, 0, 0.04, 0.04]) * resolution
    inside = np.zeros((resolution, resolution), bool)
    rows, columns = (
        slice(max(0, math.floor(a) - room), math.ceil(b) + room) for a, b in ((top, bottom), (left, right))
    )
    inside[rows, columns] = True
    return inside


# ------------------------------------------------------------------------------------------------ sprites


def test_sprites_are_small_hold_all_parts_and_no_more():
    file = EMBEDDED / "faces.npz"
    assert 100_000 < file.stat().st_size < 1_000_000
    assert sum(path.stat().st_size for path in EMBEDDED.glob("*faces*")) < 1_000_000
    parts = {f"{part}.{value}" for part in faces_drawing.LAYERS for value in FACTORS.get(part, (part,))}
    assert set(faces_sprites.sprites(64)) == parts - {"beard.none", "rear_hair.none"}
    assert len(parts) == 5 + 1 + 5 + 5 + 5 + 5 + 4 + 4 + 1 + 2


def test_licence_and_attribution_are_in_the_package():
    text = (EMBEDDED / "LICENSE-faces.txt").read_text(encoding="utf-8")
    for words in (
        "Johan Melin",
        "CC BY 4.0",
        "https://creativecommons.org/licenses/by/4.0/",
        "Changes: ",
        "Attribution 4.0 International",
        "Section 8 -- Interpretation.",
    ):
        assert words in text
    for module in (faces, faces_sprites):
        assert "Johan Melin" in module.__doc__ and "CC BY 4.0" in module.__doc__
    root = Path(faces.__file__).parents[2]
    if (root / "README.md").exists():
        assert "Johan Melin" in (root / "README.md").read_text(encoding="utf-8")


def test_planes_follow_from_three_pictures():
    rng = np.random.default_rng(0)
    alpha = np.zeros((6, 7))
    alpha[2:5, 1:6] = rng.integers(1, 256, (3, 5))
    mask = np.floor(alpha / 2)
    own = np.floor(alpha / 4)[..., None] * [1, 0, 1]
    planes = faces_embed.sprite(own, own + mask[..., None], own + (255 - alpha)[..., None])
    assert planes["corner"].tolist() == [2, 1]
    np.testing.assert_array_equal(planes["alpha"], alpha[2:5, 1:6])
    np.testing.assert_array_equal(planes["mask"], mask[2:5, 1:6])
    np.testing.assert_array_equal(planes["own"], own[2:5, 1:6])
    assert "mask" not in faces_embed.sprite(own, own, own + (255 - alpha)[..., None])


def test_packing_reads_drawings_and_renames(tmp_path):
    size = (4 * faces_sprites.HEIGHT, 4 * faces_sprites.WIDTH, 3)
    for kind, inside, outside in (("own", 0, 0), ("mask", 200, 0), ("alpha", 55, 255)):
        pixels = np.full(size, outside, np.uint8)
        pixels[40:80, 8:20] = inside  # ten rows and three columns of sprite pixels
        Image.fromarray(pixels).save(tmp_path / f"hair.sideComed.{kind}.png", compress_level=1)
    faces_embed.main(tmp_path, tmp_path / "faces.npz")
    with np.load(tmp_path / "faces.npz", allow_pickle=False) as arrays:
        assert {name: arrays[name].tolist() for name in arrays.files} == {
            "hair.side_combed.alpha": [[200] * 3] * 10,
            "hair.side_combed.mask": [[200] * 3] * 10,
            "hair.side_combed.corner": [10, 2],
        }


@pytest.mark.parametrize("resolution", [16, 37, 64, 256])
def test_sprites_cover_the_areas_of_the_drawing(resolution):
    """Ellipse and circle of the vector drawing, in sprite pixels, whatever their size."""
    known = faces_sprites.sprites(resolution)
    unit = 2 * resolution / 768
    mouth = known["mouth.agape"]
    np.testing.assert_allclose(mouth.alpha.sum(), np.pi * 20.5 * 26 * unit**2, rtol=0.01)
    rows = np.arange(*faces_sprites.canvas_shape(resolution)[:1])[mouth.rows] + 0.5 - faces_sprites.MARGIN
    columns = np.arange(faces_sprites.canvas_shape(resolution)[1])[mouth.columns] + 0.5 - faces_sprites.MARGIN
    middle = (mouth.alpha.sum(axis=1) @ rows, mouth.alpha.sum(axis=0) @ columns) / mouth.alpha.sum()
    # the stored pixels begin at 96, -16 of the drawing
    np.testing.assert_allclose(middle, [(513 + 16) * unit, (383.5 - 96) * unit], atol=0.05)
    # a circle of radius 122.5 around (384, 123) and its line, half a unit more, down to where the hair begins
    bun = known["hair.bun"]
    count = int(90 * unit)
    below = 123 - ((bun.rows.start - faces_sprites.MARGIN + count) / unit - 16)  # from there to the middle
    segment = 123**2 * math.acos(below / 123) - below * math.sqrt(123**2 - below**2)
    np.testing.assert_allclose(bun.alpha[:count].sum(), segment * unit**2, rtol=0.01)


def test_means_keep_areas_and_slopes():
    matrix = faces_sprites._means(12, 0.5)
    np.testing.assert_allclose(matrix @ np.arange(12.0), 2 * np.arange(6) + 0.5)
    matrix = faces_sprites._means(12, 0.3)  # the fourth pixel is covered by what is left
    assert matrix.shape == (4, 12)
    np.testing.assert_allclose(matrix.sum(axis=1), [1, 1, 1, 0.6], rtol=1e-6)
    np.testing.assert_allclose(matrix.sum(axis=0), 0.3, rtol=1e-6)
    np.testing.assert_array_equal(faces_sprites._means(5, 1.0), np.eye(5))


# -------------------------------------------------------------------------------------------- composition


def a_sprite(alpha, mask=None, own=None, at=(0, 0)):
    planes = [None if plane is None else np.array(plane, np.float32) for plane in (alpha, mask, own)]
    rows, columns = (slice(start, start + side) for start, side in zip(at, planes[0].shape, strict=True))
    return faces_sprites.Sprite(rows, columns, planes[0], 1 - planes[0], *planes[1:])


def test_layers_lie_over_each_other():
    """The body, half covered, under a mouth: by hand."""
    empty = a_sprite([[0.0]])
    known = {
        "body.body": a_sprite([[1.0, 0.5]], [[1.0, 0.25]]),
        "head.head": empty,
        "clothes.dress": empty,
        "mouth.sad": a_sprite([[0.5, 0.5]], None, [[[0.5, 0.5]], [[0.0, 0.25]], [[0.0, 0.0]]], at=(0, 1)),
        "eyes.bow": empty,
        "eyebrows.sad": empty,
        "hair.bun": empty,
    }
    face = {
        "clothes": "dress",
        "mouth": "sad",
        "beard": "none",
        "eyes": "bow",
        "eyebrows": "sad",
        "hair": "bun",
    }
    face |= {"rear_hair": "none", "skin": "light", "hair_colour": "fair", "clothes_colour": "red"}
    canvas = faces_drawing._laid(face, known, (2, 3), lines=False)
    light = np.array([0xF1, 0xC3, 0xA5]) / 255
    np.testing.assert_allclose(canvas[:, 0, 0], [*light, 1], rtol=1e-6)
    np.testing.assert_allclose(canvas[:, 0, 1], [*(light / 8 + [0.5, 0, 0]), 0.75], rtol=1e-6)
    np.testing.assert_allclose(canvas[:, 0, 2], [0.5, 0.25, 0, 0.5], rtol=1e-6)
    assert not canvas[:, 1].any()


@pytest.mark.parametrize("resolution", [16, 41, 64])
@pytest.mark.parametrize(
    ("rotation", "scale", "x", "y", "flip"),
    [(0, 1, 0, 0, "no"), (0.1, 0.85, 0.07, -0.03, "no"), (-0.12, 0.8, -0.1, 0.04, "yes")],
)
def test_the_pose_is_where_its_numbers_say(resolution, rotation, scale, x, y, flip):
    """Means and interpolation keep a plane that rises evenly, so pixels hold the places that they come from."""
    height, width = faces_sprites.canvas_shape(resolution)
    unit = 2 * resolution / 768
    across = (
        (np.arange(width) + 0.5 - faces_sprites.MARGIN) / unit + 96
    ) / 384 - 1  # half sides from the middle
    above = 2 - ((np.arange(height) + 0.5 - faces_sprites.MARGIN) / unit - 16) / 384  # from the lower edge
    canvas = np.zeros((4, height, width), np.float32)
    canvas[0], canvas[1] = across, above[:, None]
    face = {"rotation": rotation, "scale": scale, "x": x, "y": y, "flip": flip}
    found = faces_drawing._posed(canvas, face, resolution)[:2]
    line = (2 * np.arange(resolution) + 1) / resolution - 1
    right, up = np.meshgrid(line, -line)
    came = np.exp(-1j * rotation) * (right - x + 1j * (up + 1 - (y - 0.08))) / scale
    expected = np.stack([-came.real if flip == "yes" else came.real, came.imag])
    inside = (np.abs(expected[0]) < 0.7) & (expected[1] > -0.15) & (expected[1] < 2)
    np.testing.assert_allclose(found[:, inside], expected[:, inside], atol=1e-4)
    assert inside.mean() > 0.4


def test_a_mouth_and_a_background_have_their_colours_where_they_are():
    (face,) = (render({**PLAIN, "mouth": "agape", "background": "ember", "skin": "dark"}, 256) + 1) * 127.5
    row, column = round((505 / 768 + 0.04) * 256), 128
    np.testing.assert_allclose(face[row, column], [0x61, 0x15, 0x19], atol=1)
    np.testing.assert_allclose(face[int((465 / 768 + 0.04) * 256), 97], [0x5C, 0x38, 0x29], atol=1)  # a cheek
    upper, lower = np.array([0x4A, 0x15, 0x20]), np.array([0x94, 0x44, 0x3C])
    for row in (0, 100, 140):
        np.testing.assert_allclose(face[row, 2], upper + (lower - upper) * (row + 0.5) / 256, atol=0.6)
    (grey,) = (
        render({**PLAIN, "mouth": "agape", "background": "ember", "skin": "dark"}, 256, channels=1) + 1
    ) * 127.5
    np.testing.assert_allclose(grey[..., 0], face @ [0.299, 0.587, 0.114], atol=1.01)


def test_shoulders_reach_the_lower_edge_in_every_pose():
    corners = np.array(np.meshgrid(*POSE.values(), indexing="ij")).reshape(4, -1)
    poses = dict(zip(POSE, corners, strict=True))
    for clothes in FACTORS["clothes"]:
        images = render({**poses, "clothes": clothes, "clothes_colour": "yellow", "rear_hair": "none"}, 64)
        below = (images[:, -1, 28:36] + 1) * 127.5
        if clothes != "shirt":
            # yellow, in the shade of a jacket too: hardly any blue
            assert (below[..., 2] < 0.2 * below[..., 0]).all(), clothes
    images = render({**poses, "hair": "spiky", "background": "midnight"}, 64)
    edge = np.concatenate([images[:, :30, 0], images[:, :30, -1], images[:, 0]], axis=1)
    assert (edge[..., 2] > edge[..., 0]).all()  # night at the top and the sides: nothing is cut off


# ---------------------------------------------------------------------------------------------- the data set


@pytest.mark.parametrize("resolution", [17, 64])
def test_a_row_depends_on_seed_and_index_only(resolution):
    faces64 = data.load("faces", resolution=resolution)
    reference = faces64.to_numpy(40)
    for size in (1, 7, 16):
        got = np.concatenate(list(faces64.batch(size).take(2).as_numpy_iterator()))
        np.testing.assert_array_equal(got, reference[: len(got)])
    np.testing.assert_array_equal(next(faces64.batch(5).starting_at(3).as_numpy_iterator()), reference[15:20])
    table = faces64.details(40)
    np.testing.assert_array_equal(render(table, resolution), reference)
    assert np.abs(in_order(resolution=resolution, seed=1) - reference[:8]).mean() > 0.1
    assert np.abs(in_order(resolution=resolution, split="test") - reference[:8]).mean() > 0.1
    finite = data.load("faces", resolution=resolution, size=12)
    np.testing.assert_array_equal(finite.to_numpy(), reference[:12])
    assert (finite.size, data.load("faces", "test").size, faces64.size) == (12, 2000, None)


def test_a_face_is_the_same_at_every_resolution():
    large = in_order(12, resolution=256)
    for side in (16, 32, 64, 128):
        small = in_order(12, resolution=side)
        factor = 256 // side
        means = large.reshape(12, side, factor, side, factor, 3).mean(axis=(2, 4))
        error = np.abs(small - means)
        assert error.mean() < 0.015, side  # two grey levels
        # and no other face is nearly as near
        assert np.abs(small - np.roll(means, 1, axis=0)).mean() > 20 * error.mean()


def test_factors_are_drawn_evenly_and_by_themselves():
    table = data.load("faces").details(6000)
    assert [*table] == [*FACTORS, *POSE]
    for name, values in FACTORS.items():
        counts, expected = np.bincount(table[name]), 6000 / len(values)
        assert len(counts) == len(values) and table[name].dtype == np.int32
        k = len(values) - 1
        assert ((counts - expected) ** 2 / expected).sum() < k + 4.5 * math.sqrt(2 * k)
    for name, (low, high) in POSE.items():
        quantiles = np.quantile((table[name] - low) / (high - low), [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_allclose(quantiles, np.linspace(0, 1, 5), atol=0.03)
    correlations = np.corrcoef(np.stack([*table.values()])) - np.eye(len(table))
    assert np.abs(correlations).max() < 0.06
    np.testing.assert_array_equal(data.load("faces").details(3, start=40)["eyes"], table["eyes"][40:43])


@pytest.mark.parametrize("part", BOXES)
def test_a_part_changes_its_own_pixels_only(part):
    inside = boxed(part, 64)
    rest = {name: 1 for name in FACTORS if name != "flip"} | {
        "beard": "none",
        "rear_hair": "none",
        "hair": "undercut",
    }
    images = render({**PLAIN, **rest, part: list(FACTORS[part])}, 64)
    for i in range(len(images)):
        for j in range(i):
            changed = np.abs(images[i] - images[j]).max(axis=-1) > 0.02
            assert changed.any() and not changed[~inside].any()


def test_colours_change_their_own_pixels_only():
    base = {**PLAIN, "rear_hair": "long_wavy", "beard": "full_beard", "clothes": "shirt", "background": "sky"}
    changed = {}
    for name in ("skin", "hair_colour", "clothes_colour", "background"):
        first, second = render({**base, name: [0, 1]}, 64)
        changed[name] = np.abs(first - second).max(axis=-1) > 0.02
    together = np.stack([*changed.values()]).sum(axis=0)
    assert (together > 0).mean() > 0.9 and (
        together > 1
    ).mean() < 0.15  # only where an edge mixes two of them
    assert changed["background"][0].all() and changed["background"][30, :8].all()
    assert changed["clothes_colour"].nonzero()[0].min() > 50
    assert changed["skin"][40, 24]  # a cheek
    assert all(
        changed["hair_colour"][pixel] for pixel in ((20, 32), (31, 25), (49, 32))
    )  # hair, eyebrow, beard


def test_factors_can_be_set_and_the_rest_stays():
    plain = data.load("faces", resolution=32)
    table = plain.details(60)
    fixed = data.load(
        "faces", resolution=32, factors={"mouth": "smile", "eyes": ["wink", 1], "scale": 0.9, "x": (0, 0.05)}
    )
    known = fixed.details(60)
    assert set(known["mouth"]) == {FACTORS["mouth"].index("smile")}
    assert set(known["eyes"]) == {FACTORS["eyes"].index("wink"), 1}
    np.testing.assert_allclose(known["scale"], 0.9)
    np.testing.assert_allclose(known["x"], (table["x"] + 0.1) / 4, atol=1e-7)
    for name in set(table) - {"mouth", "eyes", "scale", "x"}:
        np.testing.assert_array_equal(known[name], table[name])
    np.testing.assert_array_equal(fixed.to_numpy(9), render({k: v[:9] for k, v in known.items()}, 32))


# ------------------------------------------------------------------------------------------------ labels


def test_labels_of_one_factor_and_of_a_product():
    plain = data.load("faces", resolution=16, labels=True)
    images, labels = plain.to_numpy(50)
    table = plain.details(50)
    np.testing.assert_array_equal(labels, table["hair"])
    assert plain.class_names == FACTORS["hair"] and plain.num_classes == 4
    eyes = data.load("faces", resolution=16, labels="eyes")
    np.testing.assert_array_equal(eyes.to_numpy(50)[0], images)
    np.testing.assert_array_equal(eyes.to_numpy(50)[1], table["eyes"])
    for names, count in (
        (("hair", "eyes", "mouth"), 100),
        (("hair", "beard", "rear_hair"), 120),
        (["clothes_colour", "skin", "hair", "hair_colour"], 1000),
    ):
        product = data.load("faces", resolution=16, labels=names)
        assert product.num_classes == len(set(product.class_names)) == count
        found, labels = product.to_numpy(50)
        np.testing.assert_array_equal(found, images)
        for i, label in enumerate(labels):
            expected = ", ".join(FACTORS[name][table[name][i]] for name in names)
            assert product.class_names[label] == expected
    assert product.labelled and not data.load("faces", classes=names).labelled
    assert data.load("faces", classes=names).num_classes == 1000


def test_classes_can_have_a_long_tail():
    shares = faces.frequencies(5, 16)
    np.testing.assert_allclose(shares / shares[-1], [16, 8, 4, 2, 1])
    np.testing.assert_allclose(faces.frequencies(7, 1), 1 / 7)
    np.testing.assert_allclose(faces.frequencies(1, 10), 1)
    names = ("hair", "mouth")
    rare = data.load("faces", labels=names, imbalance=50)
    table = rare.details(20_000)
    labels = table["hair"] * 5 + table["mouth"]
    expected = 20_000 * faces.frequencies(20, 50)
    assert expected[0] / expected[-1] == pytest.approx(50)
    counts = np.bincount(labels, minlength=20)
    assert ((counts - expected) ** 2 / expected).sum() < 43.8  # chi-squared, 19 degrees: one in a thousand
    np.testing.assert_array_equal(rare.to_numpy(20)[1], labels[:20])
    plain = data.load("faces").details(20_000)
    for name in set(plain) - set(names):
        np.testing.assert_array_equal(plain[name], table[name])


# ------------------------------------------------------------------------------------------------- pairs


def test_outlines_are_drawn_where_the_faces_change():
    sources, targets = data.paired("outline_to_face").to_numpy(12)
    np.testing.assert_array_equal(targets, in_order(12))
    assert (sources[..., 0] == sources[..., 1]).all() and (sources[:, 0] == 1).all()
    ink = 1 - (sources[..., 0] + 1) / 2
    assert 0.04 < ink.mean() < 0.2
    face = targets.mean(axis=-1)
    steps = np.zeros_like(face)
    steps[:, 1:-1, 1:-1] = np.hypot(
        face[:, 2:, 1:-1] - face[:, :-2, 1:-1], face[:, 1:-1, 2:] - face[:, 1:-1, :-2]
    )
    for line, step in zip(ink, steps, strict=True):
        on, off = step[line > 0.5].mean(), step[line < 0.02].mean()
        assert on > 4 * off
        shifted = step[np.roll(line > 0.5, 6, axis=1)].mean()
        assert on > 1.4 * shifted  # aligned


def test_beards_come_off_and_nothing_else():
    pairs = data.paired("beard_to_none")
    bearded, shaven = pairs.to_numpy(30)
    table = data.load("faces", factors={"beard": FACTORS["beard"][1:]}).details(30)
    assert set(table["beard"]) == {1, 2, 3, 4, 5}
    np.testing.assert_array_equal(bearded, render(table))
    np.testing.assert_array_equal(shaven, render(table | {"beard": "none"}))
    changed = np.abs(bearded - shaven).max(axis=-1) > 0.05
    assert changed.any(axis=(1, 2)).mean() > 0.9 and changed.mean() < 0.15
    assert not changed[:, :20].any()


def test_nights_are_those_of_their_days():
    day, night = data.paired("day_to_night").to_numpy(24)
    assert day[:, 0].mean(axis=(1, 2)).min() > 0.2 > -0.5 > night[:, 0].mean(axis=(1, 2)).max()
    same = np.abs(day - night).max(axis=-1) < 1e-6
    assert same[:, 40, 32].all() and not same[:, 2].any()  # the face stays
    assert 0.2 < same.mean() < 0.6
    table = data.load("faces", factors={"background": [0, 1, 2, 3]}).details(24)
    np.testing.assert_array_equal(night, render(table | {"background": table["background"] + 4}))


@pytest.mark.parametrize("name", ["outline_to_face", "beard_to_none", "day_to_night"])
def test_pairs_stay_together_and_domains_do_not(name):
    pairs = data.paired(name, resolution=16)
    assert pairs.source_shape == pairs.shape == (16, 16, 3) and pairs.paired
    backwards = data.paired(name, resolution=16, reverse=True).to_numpy(6)
    np.testing.assert_array_equal(backwards[::-1], pairs.to_numpy(6))
    a, b = data.unpaired(name, resolution=16).to_numpy(6)
    np.testing.assert_array_equal(a, pairs.to_numpy(6)[0])
    everything = pairs.to_numpy(6)[1]
    assert min(np.abs(one - other).max() for one in b for other in everything) > 0.1


# ------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resolution": 15}, ["resolution=15", "16 to 256"]),
        ({"resolution": 257}, ["resolution=257", "16 to 256"]),
        ({"labels": "hat"}, ["labels='hat'", "no factor", "beard, clothes"]),
        ({"labels": ("hair", "hair")}, ["named once"]),
        ({"labels": ()}, ["one at least"]),
        ({"labels": "scale"}, ["'scale' is no factor with classes"]),
        ({"labels": 3}, ["labels=3", "True or False"]),
        ({"factors": {"hat": "top"}}, ["no factor 'hat'", "rotation"]),
        ({"factors": {"hair": "curly"}}, ["'curly'", "side_combed, undercut, spiky, bun"]),
        ({"factors": {"hair": 4}}, ["no value 4"]),
        ({"factors": {"hair": []}}, ["empty"]),
        ({"factors": {"scale": 1.5}}, ["factors['scale']=1.5", "0.8 to 1.0"]),
        ({"factors": {"x": (0.05, -0.05)}}, ["(lowest, highest)"]),
        ({"factors": {"x": "left"}}, ["'left'", "not a number"]),
        ({"factors": "smile"}, ["factors='smile'", "dictionary"]),
        ({"imbalance": 0.5}, ["imbalance=0.5", "at least 1"]),
        ({"imbalance": 9, "labels": "eyes", "factors": {"eyes": "bow"}}, ["imbalance=9", "'eyes'"]),
        ({"split": "valid"}, ["'valid'", "'train', 'test'"]),
    ],
)
def test_errors(options, words):
    with pytest.raises(InputError) as caught:
        data.load("faces", **options)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_errors_of_render_and_of_labels_elsewhere():
    with pytest.raises(InputError, match="2 values, another 3: give one, or as many"):
        render({"hair": [0, 1], "eyes": [0, 1, 2]})
    with pytest.raises(InputError, match="resolution=300"):
        render({}, 300)
    with pytest.raises(InputError, match="labels='hair' is not known: give True or False"):
        data.load("shapes", labels="hair")
