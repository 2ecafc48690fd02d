"""SWD and MS-SSIM against arrays of the official code, disturbances, and distances to the polygon manifold."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ganlib import data
from ganlib.errors import InputError
from ganlib.metrics import (
    disturbances,
    ms_ssim,
    ms_ssim_of_pairs,
    polygon_distances,
    polygon_precision_recall,
    polygon_precision_recall_by_inversion,
    recall_by_samples,
    sliced_wasserstein,
    ssim,
)
from ganlib.metrics.ms_ssim import ms_ssim_of_each, ssim_by_level, window
from ganlib.metrics.polygon_manifold import corners_of, coverage, inversion_distances, sample_distances
from ganlib.metrics.sliced_wasserstein import (
    downsampled,
    laplacian_pyramid,
    normalised,
    patches_at,
    resolutions,
    sliced_distance,
    unit_columns,
    upsampled,
)

PATCHES = 128


@pytest.fixture(scope="module")
def facts():
    # tkarras/progressive_growing_of_gans 2504c3f, metrics/sliced_wasserstein.py and ms_ssim.py, run under numpy 2.4
    with np.load(Path(__file__).parent / "data" / "metrics_images.npz") as file:
        return {name: file[name] for name in file.files}


def levels_of(nchw):
    """The official code's 0 to 255, channels last."""
    return np.moveaxis(nchw, 1, -1).astype(np.float32)


def images_of(bytes_nhwc):
    return bytes_nhwc.astype(np.float32) / 127.5 - 1


def official_draw(random, level, patches):
    """Centres in the order in which the official code draws them."""
    shape = (len(level) * patches, 1, 1, 1)
    x = random.randint(3, level.shape[2] - 3, size=shape)
    return x.reshape(-1), random.randint(3, level.shape[1] - 3, size=shape).reshape(-1)


def official_patches(random, images, levels, patches):
    found = [[] for _ in range(levels)]
    for batch in (images[:32], images[32:]):
        for i, level in enumerate(laplacian_pyramid(batch, levels)):
            found[i].append(patches_at(level, *official_draw(random, level, patches)))
    return [normalised(np.concatenate(parts)) for parts in found]


def test_pyramid_is_the_official_one(facts):
    image = levels_of(facts["swd_A_nchw_uint8"][:1])
    for i, level in enumerate(laplacian_pyramid(image, 3)):
        np.testing.assert_allclose(level, levels_of(facts[f"swd_laplacian_A0_level{i}"]), atol=1e-4)
    small = downsampled(image)
    np.testing.assert_allclose(small, levels_of(facts["swd_pyr_down_A0"]), rtol=1e-6)
    np.testing.assert_allclose(upsampled(small), levels_of(facts["swd_pyr_up_of_pyr_down_A0"]), rtol=1e-6)


def test_pyramid_adds_up_to_the_image(facts):
    image = levels_of(facts["swd_B_nchw_uint8"][:3])
    fine, middle, coarse = laplacian_pyramid(image, 3)
    np.testing.assert_allclose(upsampled(upsampled(coarse) + middle) + fine, image, atol=1e-3)


def test_patches_and_distance_are_the_official_ones(facts):
    rows = {}
    for name, seed in (("A", 77), ("B", 78)):
        image = levels_of(facts[f"swd_{name}_nchw_uint8"][:2])
        patches = patches_at(image, *official_draw(np.random.RandomState(seed), image, 16))
        if name == "A":
            np.testing.assert_array_equal(patches, facts["swd_descriptors_A01_seed77_n16"])
        rows[name] = normalised(patches)
        np.testing.assert_allclose(
            rows[name], facts[f"swd_descriptors_{name}01_seed{seed}_finalized"], atol=2e-6
        )
    distance = sliced_distance(rows["A"], rows["B"], facts["swd_dirs_seed79_147x8"])
    np.testing.assert_allclose(distance, facts["swd_sliced_wasserstein_1repeat_8dirs_seed79"], rtol=1e-6)


@pytest.mark.parametrize("seed", [123, 5])
def test_whole_protocol_with_the_official_random_numbers(facts, seed):
    random = np.random.RandomState(seed)
    a, b = levels_of(facts["swd_A_nchw_uint8"]), levels_of(facts["swd_B_nchw_uint8"])
    real = official_patches(random, a, 2, PATCHES)
    random.randn(2 * 4, 147, 128)  # the official code measures the real images against themselves first
    fake = official_patches(random, b, 2, PATCHES)
    scores = []
    for rows_real, rows_fake in zip(real, fake, strict=True):
        lines = [unit_columns(random.randn(147, 128)) for _ in range(4)]
        scores.append(1e3 * np.mean([sliced_distance(rows_real, rows_fake, each) for each in lines]))
    expected = facts[f"swd_api_seed{seed}_A_vs_B_x1e3_32_16_avg"]
    np.testing.assert_allclose([*scores, np.mean(scores)], expected, rtol=5e-5)  # float32 there


def test_sliced_wasserstein_of_images(facts):
    a, b = (images_of(np.moveaxis(facts[f"swd_{name}_nchw_uint8"], 1, -1)) for name in "AB")
    scores = sliced_wasserstein(a, b, seed=0)
    assert list(scores) == [32, 16, "mean"]
    # other random numbers than the official run's: its own two seeds lie 4 apart
    np.testing.assert_allclose(list(scores.values()), [45.4, 43.7, 44.5], atol=5)
    assert sliced_wasserstein(a, b, seed=0) == scores != sliced_wasserstein(a, b, seed=1)
    assert sliced_wasserstein(a, a)["mean"] < scores["mean"] / 2
    grey = sliced_wasserstein(a[..., :1], b[..., :1], patches=32, directions=200)
    assert grey.keys() == scores.keys() and grey["mean"] > 0


def test_patches_are_drawn_up_to_the_border(monkeypatch):
    """Centres lie anywhere in [3, size - 3), in both directions and at each level, as the official code draws them."""
    centres = {}

    def watched(level, x, y):
        centres.setdefault(level.shape[1], []).append((x, y))
        return patches_at(level, x, y)

    monkeypatch.setattr(sys.modules[patches_at.__module__], "patches_at", watched)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 1)).astype(np.float32)
    sliced_wasserstein(images, images[::-1], directions=1)
    assert list(centres) == [32, 16]
    for size, drawn in centres.items():
        for x, y in drawn:
            assert set(x) == set(y) == set(range(3, size - 3))


def test_one_dimensional_distance_is_scipys():
    from scipy.stats import wasserstein_distance

    random = np.random.default_rng(0)
    a, b = random.normal(size=(200, 1)).astype(np.float32), random.uniform(size=(200, 1)).astype(np.float32)
    expected = wasserstein_distance(a[:, 0], b[:, 0])
    np.testing.assert_allclose(sliced_distance(a, b, np.ones((1, 1), np.float32)), expected, rtol=1e-6)


def test_resolutions():
    assert resolutions((64, 64, 3)) == [64, 32, 16]
    assert resolutions((28, 28, 1)) == [28]
    assert resolutions((48, 48, 1)) == [48, 24]
    for shape in ((8, 8, 1), (33, 33, 1), (36, 72, 1), (70, 70, 3)):
        with pytest.raises(InputError, match=f"{shape[0]}x{shape[1]}"):
            resolutions(shape)


@pytest.mark.parametrize("size", [11, 8, 4, 2])
def test_windows_are_the_official_ones(facts, size):
    np.testing.assert_allclose(np.outer(window(size), window(size)), facts[f"msssim_gauss_size{size}"])


def test_ms_ssim_is_the_official_one(facts):
    for size in (32, 192):
        a, b = (
            images_of(facts[f"msssim_img{i}_nhwc_uint8_32" if size == 32 else f"msssim_img{i}_192"])
            for i in "12"
        )
        # the official code squares in float32, which shows in the small differences of unlike images
        np.testing.assert_allclose(ms_ssim(a, b), facts[f"msssim_value_{size}"], rtol=3e-6)
        if size == 32:
            similarity, contrast = ssim_by_level(a, b)
            np.testing.assert_allclose(similarity[0], facts["msssim_ssim_per_image_32_level0"], rtol=1e-6)
            np.testing.assert_allclose(contrast[0], facts["msssim_cs_per_image_32_level0"], rtol=1e-6)
            np.testing.assert_allclose(ssim(a, b), facts["msssim_ssim_per_image_32_level0"].mean(), rtol=1e-6)
    a, b = (images_of(np.moveaxis(facts[f"swd_{name}_nchw_uint8"][:4], 1, -1)) for name in "AB")
    np.testing.assert_allclose(ms_ssim(a, b), facts["msssim_value_32_A_first4_vs_B_first4"], rtol=2e-5)


def test_ssim_of_constant_images_is_the_luminance_factor():
    black, grey = np.full((2, 16, 16, 1), -1.0), np.full((2, 16, 16, 1), 127 / 127.5 - 1)
    c1 = (0.01 * 255) ** 2
    np.testing.assert_allclose(ssim(black, grey), c1 / (127**2 + c1), rtol=1e-6)
    np.testing.assert_allclose(ms_ssim(grey, grey), 1, rtol=1e-12)


@pytest.mark.parametrize("size", [16, 80, 112])
def test_ms_ssim_of_odd_multiples_of_16(size):
    """The last level has an odd side, which nothing halves: a product of five levels, each of its own halving."""
    grey = np.random.default_rng(size).integers(0, 256, (2, 3, size, size, 1))
    grey[1] = (3 * grey[0] + grey[1]) // 4
    a, b = (grey / 127.5 - 1).astype(np.float32)
    np.testing.assert_allclose(ms_ssim(a, a), 1, rtol=1e-12)
    expected = np.ones(3)
    for i, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        side = size >> i
        x, y = grey.reshape(2, 3, side, 1 << i, side, 1 << i).mean(axis=(3, 5))
        taps = window(min(11, side))
        mx, my, xx, yy, xy = (_windowed(of, taps) for of in (x, y, x * x, y * y, x * y))
        contrast = (2 * (xy - mx * my) + 58.5225) / (xx - mx**2 + yy - my**2 + 58.5225)
        if i == 4:
            contrast = contrast * (2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025)
        expected *= np.clip(contrast.mean(axis=(1, 2)), 0, None) ** weight
    np.testing.assert_allclose(ms_ssim_of_each(a, b), expected, rtol=1e-5)


def _windowed(images, taps):
    """Means under a window of (n, height, width), where it fits."""
    size = len(taps)
    rows = sum(tap * images[:, i : images.shape[1] - size + 1 + i] for i, tap in enumerate(taps))
    return sum(tap * rows[:, :, i : rows.shape[2] - size + 1 + i] for i, tap in enumerate(taps))


def test_ms_ssim_of_pairs_never_pairs_an_image_with_itself():
    random = np.random.default_rng(0)
    two = random.uniform(-1, 1, size=(2, 16, 16, 1))
    np.testing.assert_allclose(ms_ssim_of_pairs(two, pairs=7), ms_ssim(two[:1], two[1:]), rtol=1e-9)
    few = random.uniform(-1, 1, size=(40, 16, 16, 1))
    assert ms_ssim_of_pairs(few, 300, seed=1) == ms_ssim_of_pairs(few, 300, seed=1)
    every = [ms_ssim_of_each(few, np.roll(few, shift, axis=0)).mean() for shift in range(1, 40)]
    np.testing.assert_allclose(ms_ssim_of_pairs(few, 3000), np.mean(every), atol=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ssim(x, x[:2]), "3 images_a and 2 images_b"),
        (lambda x: ms_ssim(x[:, :28, :28], x[:, :28, :28]), "28x28.*resolution=32"),
        (lambda x: ssim(x, x[:, :16]), "one shape"),
        (lambda x: ssim(x + 1.5, x), r"\[-1, 1\]"),
        (lambda x: ssim(x[0], x[0]), "height, width, channels"),
        (lambda x: ms_ssim_of_pairs(x[:1]), "at least two images"),
        (lambda x: sliced_wasserstein(x, x[:2]), "3 real and 2 fake"),
        (lambda x: sliced_wasserstein(x, x, patches=0), "patches=0"),
        (lambda x: disturbances.swirl(x, 1.2), "level=1.2"),
        (lambda x: disturbances.contaminate(x, x, -0.1), "share=-0.1"),
        (lambda x: disturbances.contaminate(x, x[:, :16], 0.5), "one shape"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(InputError, match=message):
        call(np.zeros((3, 32, 32, 1)))


@pytest.fixture(scope="module")
def photographs(facts):
    return images_of(np.moveaxis(facts["swd_A_nchw_uint8"], 1, -1))


ALL = ("gaussian_noise", "gaussian_blur", "black_rectangles", "swirl", "salt_and_pepper")


@pytest.mark.parametrize("name", ALL)
def test_disturbances_grow_with_level_and_repeat_with_seed(photographs, name):
    disturb = getattr(disturbances, name)
    np.testing.assert_allclose(disturb(photographs, 0), photographs, atol=1e-6)
    distances = []
    for level in (0.25, 0.5, 1):
        spoilt = disturb(photographs, level, seed=3)
        assert spoilt.dtype == np.float32 and spoilt.shape == photographs.shape and np.abs(spoilt).max() <= 1
        distances.append(np.abs(spoilt - photographs).mean())
        np.testing.assert_array_equal(spoilt, disturb(photographs, level, seed=3))
    assert 0 < distances[0] < distances[1] < distances[2]
    if name != "gaussian_blur":
        assert (disturb(photographs, 1, seed=4) != spoilt).any()


def test_disturbances_do_what_they_say():
    grey = np.zeros((200, 32, 32, 3), np.float32)
    noise = disturbances.gaussian_noise(grey, 1)
    np.testing.assert_allclose(noise.std(), 0.75 / 4.5, rtol=0.01)
    spoilt = disturbances.salt_and_pepper(grey, 0.5)
    np.testing.assert_allclose([(spoilt == 1).mean(), (spoilt == -1).mean()], 0.075, rtol=0.05)
    assert (spoilt == spoilt[..., :1]).all()
    covered = (disturbances.black_rectangles(grey, 1 / 3) == -1)[..., 0].sum(axis=(1, 2))
    assert covered.min() >= 64 and covered.max() <= 5 * 64  # five squares of 8 pixels that may overlap
    centred = np.full((40, 33, 33, 1), -1, np.float32)
    centred[:, 16, :16] = 1  # a ray from the centre: a whirl turns it there, and hardly at the border
    whirled = disturbances.swirl(centred, 0.5)[..., 0]
    assert (whirled[:, 16, 14] < 0).all() and (whirled[:, 16, 0] > 0.2).all()
    assert len(np.unique(whirled.reshape(40, -1), axis=0)) == 2  # either way round
    np.testing.assert_allclose(whirled[:, 16, 16], centred[:, 16, 16, 0])


def test_blur_is_scipys_gaussian_and_keeps_the_mean_inside():
    dot = np.full((1, 64, 64, 1), -1, np.float32)
    dot[0, 32, 32] = 1
    blurred = disturbances.gaussian_blur(dot, 0.5)[0, ..., 0] + 1
    rows = np.arange(64) - 32
    np.testing.assert_allclose(
        (blurred * rows[:, None] ** 2).sum() / blurred.sum(), 4, rtol=0.01
    )  # deviation 2
    np.testing.assert_allclose(blurred.sum(), 2, rtol=1e-3)


def test_contaminate_replaces_the_share_exactly():
    images, others = np.zeros((40, 4, 4, 1), np.float32), np.full((7, 4, 4, 1), -1, np.float32)
    for share, expected in ((0, 0), (0.25, 10), (1, 40)):
        assert (disturbances.contaminate(images, others, share)[:, 0, 0, 0] == -1).sum() == expected
    marked = np.linspace(-1, 1, 50, dtype=np.float32)[:, None, None, None] * np.ones((1, 4, 4, 1), np.float32)
    mixed = disturbances.contaminate(images - 0.5, marked, 1.0, seed=2)
    assert len(np.unique(mixed[:, 0, 0, 0])) == 40  # without replacement


def polygons(count, split="test", **options):
    return data.load("polygons", split=split, **options).to_numpy(count)


def test_renderer_is_the_datas_before_rounding():
    source = data.load("polygons", split="test", resolution=32)
    drawn = source.details(50)
    images = coverage(drawn["corners"].astype(np.float64), drawn["count"], 32)
    assert np.abs(images * 255 - (source.to_numpy(50)[..., 0] + 1) * 127.5).max() < 0.51


def test_corners_are_within_what_the_data_draws():
    parameters, counts = np.zeros((2, 14)), np.array([4, 3])
    parameters[:, 3:5] = 0.5
    corners = corners_of(parameters, counts)  # even shares on an ellipse of axes 0.45 and 0.27
    np.testing.assert_allclose(corners[0, :4], [[0.45, 0], [0, 0.27], [-0.45, 0], [0, -0.27]], atol=1e-12)
    np.testing.assert_allclose(corners[0, 4:], [[0.45, 0]] * 4, atol=1e-12)
    np.testing.assert_allclose(corners[1, 1], [0.45 * np.cos(2 * np.pi / 3), 0.27 * np.sin(2 * np.pi / 3)])


def test_distances_to_the_polygon_manifold():
    true = polygons(60)
    distances = polygon_distances(true)
    assert np.mean(distances < 0.75) > 0.9  # the rest are local minima
    assert np.median(distances) < 0.25
    at_double = polygon_distances(polygons(20, resolution=56))
    assert np.mean(at_double < 0.75) > 0.85
    # one pixel of the border, where no polygon reaches, is 1 away: exactly that, at right angles to the manifold
    with_dot = true.copy()
    with_dot[:, 0, 0] = 1
    expected = np.hypot(distances, 1)
    close = distances < 0.25
    np.testing.assert_allclose(polygon_distances(with_dot)[close], expected[close], atol=0.15)
    clothes = data.load("fashion_mnist", split="test").to_numpy(20)
    assert polygon_distances(clothes).min() > 2


def test_precision_and_recall_separate_the_four_cases():
    # Lucic 2018, figure 2
    test = polygons(300)
    wide, narrow = polygons(120, "train"), np.repeat(polygons(4, "train", max_corners=3), 30, axis=0)
    scores = {
        "good": polygon_precision_recall(wide, test),
        "narrow": polygon_precision_recall(narrow, test),
        "wrong": polygon_precision_recall(disturbances.gaussian_noise(wide, 0.2), test),
        "bad": polygon_precision_recall(disturbances.gaussian_noise(narrow, 0.2), test),
    }
    precision = {name: score.precision for name, score in scores.items()}
    recall = {name: score.recall for name, score in scores.items()}
    assert (
        min(precision["good"], precision["narrow"]) > 0.85 and max(precision["wrong"], precision["bad"]) < 0.1
    )
    assert min(recall["good"], recall["wrong"]) > 0.75 and max(recall["narrow"], recall["bad"]) < 0.45
    assert scores["good"].f1 > 2 * max(scores[name].f1 for name in ("wrong", "bad"))
    assert scores["good"].f1 > 1.5 * scores["narrow"].f1
    np.testing.assert_allclose(recall["good"], 0.9, atol=0.08)  # how the threshold is set


def test_inversion_finds_the_nearest_image_of_a_linear_generator():
    import tensorflow as tf

    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(28 * 28, 5)))[0].astype(np.float32)

    def generator(z):
        return tf.reshape(0.2 * z @ basis.T, (-1, 28, 28, 1))

    z = random.normal(size=(12, 5)).astype(np.float32)
    aside = random.normal(size=(12, 784)).astype(np.float32)
    aside -= aside @ basis @ basis.T
    wanted = np.linspace(0.2, 1.4, 12)[:, None].astype(np.float32)
    aside *= 2 * wanted / np.linalg.norm(aside, axis=1, keepdims=True)  # [-1, 1] is twice as long as [0, 1]
    test = generator(z).numpy() + aside.reshape(-1, 28, 28, 1)
    found = inversion_distances(generator, 5, test, pool=200, steps=300)
    np.testing.assert_allclose(found, wanted[:, 0], rtol=1e-3)
    scores = polygon_precision_recall_by_inversion(generator, 5, test, samples=20, pool=200, steps=300)
    assert (scores.precision, scores.recall, scores.f1) == (0, np.mean(wanted < 0.75), 0)


def test_recall_by_samples_counts_by_hand():
    test = np.full((4, 14, 14, 1), -1.0)
    for i in range(4):
        test[i, 0, :i] = 1  # 0 to 3 white pixels
    np.testing.assert_allclose(sample_distances(test, test[:1]), 2 * np.sqrt(np.arange(4)))  # 28 / 14
    assert recall_by_samples(test, test[:1], 2.5) == 0.5
    with pytest.raises(InputError, match="delta=0"):
        recall_by_samples(test, test, 0)
    with pytest.raises(InputError, match="one channel"):
        polygon_distances(np.zeros((2, 8, 8, 3)))
    with pytest.raises(InputError, match="min_corners=5"):
        polygon_distances(test, min_corners=5, max_corners=4)
