"""What is drawn without end: 2-D toys, polygons and shapes, against geometry and statistics."""

import numpy as np
import pytest

from ganlib import data
from ganlib.data import matching_shapes
from ganlib.errors import InputError

CASES = {
    "gaussians_ring": {},
    "gaussians_grid": {},
    "swiss_roll": {},
    "polygons": {},
    "polygons odd": {"resolution": 13},
    "shapes": {"resolution": 32},
    "shapes small": {"resolution": 9},
    "shapes alone": {"resolution": 128},
    "matching_shapes": {"resolution": 17},
}


def load(case, **options):
    return data.load(case.split()[0], **CASES[case], **options)


@pytest.mark.parametrize("case", CASES)
def test_a_row_depends_on_seed_and_index_only(case):
    count = 24 if "alone" in case else 130
    reference = load(case).to_numpy(count)
    for batch_size in (1, 7, 20 if "alone" in case else 64):
        batched = load(case).batch(batch_size).take(min(3, count // batch_size))
        got = np.concatenate(list(batched.as_numpy_iterator()))
        np.testing.assert_array_equal(got[:count], reference[: len(got)])
    np.testing.assert_array_equal(np.stack(list(load(case).take(9).as_numpy_iterator())), reference[:9])
    restarted = next(load(case).batch(5).starting_at(3).as_numpy_iterator())
    np.testing.assert_array_equal(restarted, reference[15:20])
    assert np.abs(load(case, seed=1).to_numpy(5) - reference[:5]).max() > 0.01
    assert np.abs(load(case, split="test").to_numpy(5) - reference[:5]).max() > 0.01


@pytest.mark.parametrize("case", CASES)
def test_finite_sets_hold_the_first_rows_and_are_shuffled(case):
    finite = load(case, size=12)
    np.testing.assert_array_equal(finite.to_numpy(), load(case).to_numpy(12))
    assert finite.size == 12
    first, second = (batch.reshape(12, -1) for batch in finite.batch(12).take(2).as_numpy_iterator())
    rows = finite.to_numpy().reshape(12, -1)
    for epoch in (first, second):
        places = [np.flatnonzero((rows == row).all(axis=1))[0] for row in epoch]
        assert sorted(places) == list(range(12))
    assert (first != second).any()


def test_test_splits_are_finite_and_in_order():
    points = data.load("gaussians_ring", split="test")
    assert (points.size, points.cardinality()) == (10_000, 10_000)
    images = data.load("polygons", split="test", resolution=8)
    assert (images.size, images.cardinality()) == (2000, 2000)
    got = np.concatenate(list(images.batch(300).as_numpy_iterator()))
    np.testing.assert_array_equal(got, images.to_numpy())


def test_far_ahead_is_as_near():
    far = data.load("gaussians_ring").batch(256).starting_at(2**40)
    points = next(far.as_numpy_iterator())
    assert np.isfinite(points).all()
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 2.0, atol=0.12)


@pytest.mark.parametrize(
    ("name", "options", "modes", "sigma"),
    [
        ("gaussians_ring", {}, 8, 0.02),
        ("gaussians_ring", {"modes": 5, "radius": 1.0, "sigma": 0.1}, 5, 0.1),
        ("gaussians_grid", {}, 25, 0.05),
        ("gaussians_grid", {"modes": 9, "spacing": 3.0, "sigma": 0.2}, 9, 0.2),
    ],
)
def test_mixtures(name, options, modes, sigma):
    dataset = data.load(name, labels=True, **options)
    points, labels = dataset.to_numpy(20_000)
    assert (dataset.num_classes, dataset.centers.shape, dataset.resolution) == (modes, (modes, 2), None)
    counts = np.bincount(labels, minlength=modes)
    expected = 20_000 / modes
    assert ((counts - expected) ** 2 / expected).sum() < modes + 5 * np.sqrt(2 * modes)  # chi-squared
    noise = points - dataset.centers[labels]
    np.testing.assert_allclose(noise.std(axis=0), sigma, rtol=0.03)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=4 * sigma / np.sqrt(20_000))
    assert abs(np.corrcoef(noise.T)[0, 1]) < 4 / np.sqrt(20_000)


def test_mode_centres():
    ring = data.load("gaussians_ring", modes=4, radius=3.0).centers
    np.testing.assert_allclose(ring, [[3, 0], [0, 3], [-3, 0], [0, -3]], atol=1e-6)
    grid = data.load("gaussians_grid", modes=4, spacing=2.0).centers
    np.testing.assert_array_equal(grid, [[-1, -1], [1, -1], [-1, 1], [1, 1]])


def test_no_noise_is_the_modes_themselves():
    dataset = data.load("gaussians_grid", sigma=0, labels=True)
    points, labels = dataset.to_numpy(500)
    np.testing.assert_array_equal(points, dataset.centers[labels])


def test_swiss_roll_is_a_spiral():
    points = data.load("swiss_roll", sigma=0).to_numpy(5000).astype(np.float64)
    radius = np.linalg.norm(points, axis=1)
    assert 0.66 < radius.min() < 0.67 < 1.99 < radius.max() < 2.0001
    angle = 2 * np.pi * 1.5 * radius / 2
    np.testing.assert_allclose(
        points, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-5
    )
    assert data.load("swiss_roll").num_classes is None


def area(corners):
    """Signed, of one polygon (n, 2): the shoelace formula."""
    after = np.roll(corners, -1, axis=0)
    return (corners[:, 0] * after[:, 1] - corners[:, 1] * after[:, 0]).sum() / 2


def test_polygons_are_convex_and_have_their_corners():
    dataset = data.load("polygons", labels=True)
    details = dataset.details(2000)
    _, labels = dataset.to_numpy(2000)
    np.testing.assert_array_equal(labels, details["count"] - 3)
    counts = np.bincount(details["count"], minlength=9)
    assert counts[:3].sum() == 0
    assert (
        (counts[3:] - 2000 / 6) ** 2 / (2000 / 6)
    ).sum() < 20.5  # chi-squared, 5 degrees: one in a thousand
    for corners, count in zip(details["corners"].astype(np.float64), details["count"], strict=True):
        corners = corners[:count]
        before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
        turn = np.arctan2(
            before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0], (before * after).sum(axis=1)
        )
        assert (turn > np.deg2rad(5)).all()  # to the left at each corner, and to be seen
        np.testing.assert_allclose(turn.sum(), 2 * np.pi, rtol=1e-5)  # once around
        assert (np.abs(corners) < 1).all()


@pytest.mark.parametrize("resolution", [16, 28, 64, 200])
def test_polygons_cover_their_area(resolution):
    dataset = data.load("polygons", resolution=resolution)
    details = dataset.details(60)
    images = (dataset.to_numpy(60) + 1) / 2
    expected = [
        area(corners[:count]) / 4 for corners, count in zip(details["corners"], details["count"], strict=True)
    ]
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), expected, atol=0.2 / resolution)


def test_polygon_pixels_are_where_the_corners_say():
    dataset = data.load("polygons", resolution=64)
    corners, count = (dataset.details(1, start=5)[key][0] for key in ("corners", "count"))
    image = dataset.to_numpy(6)[5, :, :, 0]
    centre = corners[:count].mean(axis=0)
    column, row = int((centre[0] + 1) * 32), int((1 - centre[1]) * 32)
    assert image[row, column] == 1.0
    rows, columns = np.nonzero(image > 0)
    np.testing.assert_allclose((columns.min() + 0.5) / 32 - 1, corners[:, 0].min(), atol=1 / 24)
    np.testing.assert_allclose(1 - (rows.min() + 0.5) / 32, corners[:, 1].max(), atol=1 / 24)
    assert image[0, 0] == -1.0


def test_corners_can_be_limited():
    dataset = data.load("polygons", min_corners=3, max_corners=3, labels=True, channels=3)
    images, labels = dataset.to_numpy(40)
    assert set(labels) == {0}
    assert (images[..., 0] == images[..., 1]).all()


def test_scenes_are_the_same_at_every_resolution():
    for name in ("polygons", "shapes"):
        large = data.load(name, resolution=64).to_numpy(50)
        for factor in (2, 4):
            small = data.load(name, resolution=64 // factor).to_numpy(50)
            means = large.reshape(50, 64 // factor, factor, 64 // factor, factor, -1).mean(axis=(2, 4))
            assert np.abs(small - means).mean() < 0.012  # 1.5 grey levels


def test_shapes_factors():
    dataset = data.load("shapes", labels=True, resolution=8)
    table = dataset.details(5000)
    _, labels = dataset.to_numpy(300)
    np.testing.assert_array_equal(table["class"][:300], labels)
    assert ((np.bincount(table["class"], minlength=10) - 500) ** 2 / 500).sum() < 27.9
    assert (np.abs(table["x"]) + table["size"] <= 0.951).all()
    assert (np.abs(table["y"]) + table["size"] <= 0.951).all()
    for name, (low, high) in {
        "hue": (0, 1),
        "saturation": (0.55, 1),
        "value": (0.75, 1),
        "size": (0.35, 0.65),
        "rotation": (0, 2 * np.pi),
    }.items():
        values = (table[name] - low) / (high - low)
        np.testing.assert_allclose(
            np.quantile(values, [0, 0.25, 0.5, 0.75, 1]), np.linspace(0, 1, 5), atol=0.03
        )
    columns = np.stack(list(table.values()))
    off_diagonal = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(off_diagonal).max() < 0.07  # independent; x and y only share their range with the size
    np.testing.assert_array_equal(dataset.details(3, start=40)["hue"], table["hue"][40:43])


def test_pixels_show_the_factors():
    """The object's pixels, found by how far their hue is from the background's, lie and look as the table says."""
    dataset = data.load("shapes", resolution=64)
    table = dataset.details(400)
    images = (dataset.to_numpy(400) + 1) / 2
    apart = np.abs((table["hue"] - table["background_hue"] + 0.5) % 1 - 0.5) > 0.25
    whole = ~np.isin(table["class"], (1, 2))  # ring and crescent have their middle beside themselves
    line = (np.arange(64) + 0.5) / 32 - 1
    checked = 0
    for i in np.flatnonzero(apart & whole):
        image = images[i]
        spread = image.max(axis=-1) - image.min(axis=-1)
        high = spread / np.maximum(image.max(axis=-1), 1e-6) > 0.52  # more saturated than any background
        x, y = (line[None, :] * high).sum() / high.sum(), (-line[:, None] * high).sum() / high.sum()
        assert abs(x - table["x"][i]) < 0.2 * table["size"][i] + 0.03
        assert abs(y - table["y"][i]) < 0.2 * table["size"][i] + 0.03
        distance = np.hypot(line[None, :] - table["x"][i], -line[:, None] - table["y"][i])
        assert distance[high].max() < table["size"][i] + 0.08
        middle = image[int((1 - table["y"][i]) * 32), int((table["x"][i] + 1) * 32)]
        hue = table["hue"][i] * 6
        pure = np.clip([abs(hue - 3) - 1, 2 - abs(hue - 2), 2 - abs(hue - 4)], 0, 1)
        assert np.corrcoef(middle, pure)[0, 1] > 0.9
        checked += 1
    assert checked > 100


def test_discs_and_squares_have_their_area():
    """With what is behind known (the same scene without light would be flat), coverage is area."""
    from ganlib.data import shapes

    table = data.load("shapes", resolution=64).details(300)
    factors = np.stack([table[name].astype(np.float32) for name in shapes.FACTORS], axis=1)
    turns = np.stack([np.cos(table["rotation"]), np.sin(table["rotation"])], axis=1)
    factors[:, 2], factors[:, 9], factors[:, 10] = 1.0, 0.0, 0.0  # pure colours before black
    factors[:, 1] = 1 / 3  # green: its red is 0 but for the highlight
    areas = {0: np.pi, 1: np.pi * (1 - 0.25), 3: 3 * np.sqrt(3) / 4, 4: 2.0, 5: 2.5 * np.sin(np.deg2rad(72))}
    images = shapes.shaded(factors, turns, 128, 3)
    for i in range(300):
        if (kind := table["class"][i]) in areas:
            covered = (images[i, :, :, 1] > 100 * table["value"][i] * 0.3).mean() * 4
            np.testing.assert_allclose(covered, areas[kind] * table["size"][i] ** 2, rtol=0.06)


def test_shapes_in_grey_are_the_luma():
    colour = (data.load("shapes", resolution=32).to_numpy(20) + 1) * 127.5
    grey = (data.load("shapes", resolution=32, channels=1).to_numpy(20)[..., 0] + 1) * 127.5
    luma = colour @ [0.299, 0.587, 0.114]
    unclipped = (colour < 255).all(axis=-1)
    np.testing.assert_allclose(grey[unclipped], luma[unclipped], atol=1.5)


def apart(a, b):
    """Distance on the colour circle, in turns."""
    return np.abs((a - b + 0.5) % 1 - 0.5)


@pytest.mark.parametrize("resolution", [16, 32, 33])
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.5])
def test_hues_of_two_objects_are_read_from_the_pixels(resolution, spread):
    dataset = data.load("matching_shapes", resolution=resolution, spread=spread)
    images, table = dataset.to_numpy(300), dataset.details(300)
    true = np.stack([table["left_hue"], table["right_hue"]], axis=1)
    np.testing.assert_array_less(apart(matching_shapes.hues(images), true), 0.013)
    expected = apart(true[:, 0], true[:, 1])
    found = matching_shapes.disagreement(images)
    np.testing.assert_allclose(found, expected, atol=0.013)
    assert abs(expected.mean() - spread / 2) < 0.02 and expected.max() <= spread + 1e-6
    if spread == 0:
        assert found.mean() < 0.002 and found.max() < 0.013
        assert np.histogram(true, 12, (0, 1))[0].min() > 20  # all colours


def test_mirrored_and_faded_scenes_keep_their_disagreement():
    images = data.load("matching_shapes", spread=0.5).to_numpy(100)
    expected = matching_shapes.disagreement(images)
    np.testing.assert_allclose(matching_shapes.disagreement(images[:, :, ::-1]), expected, atol=1e-9)
    np.testing.assert_allclose(matching_shapes.disagreement(0.3 * images), expected, atol=1e-3)


def test_a_half_without_colour_disagrees():
    images = data.load("matching_shapes").to_numpy(4)
    images[1, :, 16:] = 0.0
    images[2] = images[2].mean(axis=-1, keepdims=True)
    np.testing.assert_array_equal(
        np.isnan(matching_shapes.hues(images)), [[False, False], [False, True], [True, True], [False, False]]
    )
    found = matching_shapes.disagreement(images)
    assert found[[1, 2]].tolist() == [0.5, 0.5] and found[[0, 3]].max() < 0.013
    with pytest.raises(InputError, match=r"\(4, 32, 32, 1\)"):
        matching_shapes.hues(images[..., :1])


def test_objects_of_matching_scenes_are_far_apart_and_of_the_labels_kind():
    images, labels = data.load("matching_shapes", resolution=16, labels=True).to_numpy(500)
    table = data.load("matching_shapes").details(500)
    np.testing.assert_array_equal(labels, table["class"])
    assert set(labels) == {0, 1, 2} and matching_shapes.CLASS_NAMES == ("discs", "triangles", "squares")
    np.testing.assert_array_less(np.ptp(images[:, :, 5:11], axis=-1), 0.02)  # grey between
    coloured = np.ptp(images, axis=-1) > 0.2
    assert coloured[:, :, :5].any(axis=(1, 2)).all() and coloured[:, :, 11:].any(axis=(1, 2)).all()
    # a disc covers pi r^2, a square 2 r^2, a triangle 1.3 r^2
    fine = np.ptp(data.load("matching_shapes", resolution=64).to_numpy(500), axis=-1) > 0.2
    area = fine[:, :, :32].mean(axis=(1, 2)) * 2 / np.square(table["left_size"])
    means = [area[labels == kind].mean() for kind in range(3)]
    np.testing.assert_allclose(means, [np.pi, 3 * np.sqrt(3) / 4, 2.0], rtol=0.12)


def test_no_seam_where_the_halves_meet():
    images = (data.load("matching_shapes", resolution=64).to_numpy(200) + 1) * 127.5
    np.testing.assert_array_less(np.abs(images[:, :, 31] - images[:, :, 32]), 1.01)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gaussians_grid", {"modes": 24}, ["modes=24", "square number"]),
        ("gaussians_ring", {"modes": 2.5}, ["modes=2.5", "integer"]),
        ("gaussians_ring", {"radius": 0}, ["radius=0", "more than 0"]),
        ("gaussians_ring", {"sigma": float("nan")}, ["sigma=nan"]),
        ("gaussians_ring", {"sigma": "wide"}, ["sigma='wide'", "not a number"]),
        ("gaussians_ring", {"resolution": 32}, ["points", "leave out resolution"]),
        ("gaussians_ring", {"split": "validation"}, ["'validation'", "'train', 'test'"]),
        ("gaussians_ring", {"size": 0}, ["size=0", "at least 1"]),
        ("polygons", {"min_corners": 2}, ["min_corners=2", "3 to 8"]),
        ("polygons", {"min_corners": 6, "max_corners": 4}, ["min_corners=6", "max_corners=4"]),
        ("shapes", {"resolution": 4}, ["resolution=4", "8 to 1024"]),
        ("matching_shapes", {"resolution": 8}, ["resolution=8", "16 to 1024"]),
        ("matching_shapes", {"channels": 1}, ["channels=1", "give 3"]),
        ("matching_shapes", {"spread": 0.6}, ["spread=0.6", "0 to 0.5"]),
        ("matching_shapes", {"spread": -0.1}, ["spread=-0.1", "at least 0"]),
        ("shapes", {"size": 10**9, "resolution": 1024}, ["GiB", "lower resolution"]),
    ],
)
def test_errors(name, options, words):
    with pytest.raises(InputError) as caught:
        data.load(name, **options)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
