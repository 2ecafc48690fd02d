"""Metrics of features, probabilities and points: official code's numbers, closed forms, invariances, errors.

`data/metrics_features.npz` holds features, logits and the scores that official code gave them:
NVlabs/stylegan2-ada-pytorch at d72cc7d, tensorflow/gan at bc369b7, POSTECH-CVLab/PyTorch-StudioGAN at 947b35e
(density and coverage, PRD), and torch-fidelity; sqrtm is scipy 1.17's.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, ortho_group

from ganlib import data, metrics
from ganlib.errors import InputError

ROTATION = ortho_group.rvs(16, random_state=0)


@pytest.fixture(scope="module")
def reference():
    with np.load(Path(__file__).parent / "data" / "metrics_features.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def real(reference):
    return reference["feat_real"]


@pytest.fixture(scope="module")
def fake(reference):
    return reference["feat_gen"]


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


# Fréchet


def test_frechet_equals_official_code(reference, real, fake):
    value = metrics.frechet_distance(real, fake)
    for name in ("scipy_sqrtm_ddof1", "symmetric_eigh_ddof1", "torch_fidelity_code_ddof1"):
        np.testing.assert_allclose(value, reference[f"fid/{name}"], rtol=1e-10)
    value = metrics.frechet_distance(real, fake, ddof=0)
    np.testing.assert_allclose(value, reference["fid/stylegan2ada_code_ddof0"], rtol=1e-9)
    for name in ("diag_only_ddof0", "tfgan_diagonal_only_f64"):
        np.testing.assert_allclose(
            metrics.frechet_distance_diagonal(real, fake), reference[f"fid/{name}"], rtol=1e-12
        )


def test_frechet_equals_sqrtm(real, fake):
    statistics = *metrics.statistics(real), *metrics.statistics(fake)
    np.testing.assert_allclose(
        metrics.frechet_distance_from_statistics(*statistics),
        metrics.frechet_distance_sqrtm(*statistics),
        rtol=1e-10,
    )


def test_frechet_of_known_commuting_covariances_in_any_basis():
    # variances a and b in one rotated basis: |m|^2 + sum (sqrt a - sqrt b)^2; 1e-12 next to 9 is nearly singular
    a, b = np.linspace(0.1, 9, 16), np.concatenate([[1e-12], np.linspace(5, 0.01, 15)])
    turned = [(ROTATION * v) @ ROTATION.T for v in (a, b)]
    mean = np.arange(16) / 8
    value = metrics.frechet_distance_from_statistics(np.zeros(16), turned[0], mean, turned[1])
    np.testing.assert_allclose(value, (mean**2).sum() + ((a**0.5 - b**0.5) ** 2).sum(), rtol=1e-9)


@pytest.mark.parametrize("rows", [5, 40, 200])
def test_frechet_of_identical_sets_is_zero_also_where_singular(rows):
    features = normal(0, rows, 40) * np.geomspace(1, 1e-4, 40)
    assert abs(metrics.frechet_distance(features, features)) < 1e-12
    assert abs(metrics.frechet_distance_from_statistics(*2 * metrics.statistics(features))) < 1e-10


def test_frechet_of_few_samples_equals_the_covariance_form():
    # rank 9 against rank 30 in 30 dimensions, both paths
    few, many = normal(1, 10, 30), normal(2, 100, 30) * 2 + 1
    expected = metrics.frechet_distance_from_statistics(*metrics.statistics(few), *metrics.statistics(many))
    np.testing.assert_allclose(metrics.frechet_distance(few, many), expected, rtol=1e-8)
    np.testing.assert_allclose(metrics.frechet_distance(many, few), expected, rtol=1e-8)


def test_frechet_of_disjoint_low_rank_sets():
    # variance 2 in one plane, 8 in another: no overlap, so the distance is the sum of all variances
    first, second = np.zeros((4, 6)), np.zeros((4, 6))
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)
    first[:, :2], second[:, 2:4] = np.sqrt(2) * signs, np.sqrt(8) * signs
    np.testing.assert_allclose(metrics.frechet_distance(first, second), 2 * 2 + 2 * 8, rtol=1e-12)


def test_statistics_stream_and_merge_as_one_array():
    features = normal(3, 1000, 7) + 1e6  # E[xx'] - mm' would lose 12 digits here
    parts = np.split(features, [1, 10, 400, 999])
    seen, other = metrics.FeatureStatistics(), metrics.FeatureStatistics()
    for part in parts[:3]:
        seen.add(part)
    for part in parts[3:]:
        other.add(part)
    seen.merge(other).merge(metrics.FeatureStatistics())
    assert seen.count == 1000
    np.testing.assert_allclose(seen.mean, features.mean(axis=0), rtol=1e-14)
    for ddof in (0, 1):
        np.testing.assert_allclose(
            seen.covariance(ddof), np.cov(features - 1e6, rowvar=False, ddof=ddof), rtol=1e-8, atol=1e-8
        )
    with pytest.raises(InputError, match="7 and 3 dimensions"):
        seen.add(np.zeros((2, 3)))
    with pytest.raises(InputError, match="1 rows were seen"):
        metrics.FeatureStatistics().add(np.zeros((1, 3))).covariance()


# kernel distance


def test_kernel_distance_equals_official_code(reference, real, fake):
    full = metrics.kernel_distance(real, fake)
    np.testing.assert_allclose(full, reference["kid/unbiased_full_500v600"], rtol=1e-11)
    np.testing.assert_allclose(full, reference["kid/tfgan_code_500v600_one_block_f64"], rtol=1e-11)
    first = metrics.kernel_distance(real, fake[:500])
    np.testing.assert_allclose(first, reference["kid/torch_fidelity_mmd2_first500"], rtol=1e-11)
    # StyleGAN2-ADA multiplies in float32
    np.testing.assert_allclose(first, reference["kid/stylegan2ada_code_identity_subset_m500"], rtol=1e-5)
    mean, deviation = metrics.kernel_distance_subsets(real, fake, subsets=10, subset_size=100, seed=2020)
    np.testing.assert_allclose(mean, reference["kid/torch_fidelity_10x100_seed2020_mean"], rtol=1e-9)
    np.testing.assert_allclose(deviation, reference["kid/torch_fidelity_10x100_seed2020_std"], rtol=1e-9)
    mean, error = metrics.kernel_distance_blocks(real, fake, max_block_size=128)
    np.testing.assert_allclose(mean, reference["kid/tfgan_code_500v600_maxblock128_f64_mean"], rtol=1e-11)
    values = [
        metrics.kernel_distance(real[100 * i : 100 * i + 100], fake[120 * i : 120 * i + 120])
        for i in range(5)
    ]
    np.testing.assert_allclose(error, np.std(values, ddof=1) / np.sqrt(5), rtol=1e-10)


def test_kernel_distance_by_hand():
    # one dimension: k = (xy + 1)^3; real {0, 1}, fake {0, 1, 2}
    pairs_real, pairs_fake = 1, (1 + 1 + 27) / 3
    cross = (1 + 1 + 1 + 1 + 8 + 27) / 6
    value = metrics.kernel_distance(np.array([[0], [1]]), np.array([[0], [1], [2]]))
    np.testing.assert_allclose(value, pairs_real + pairs_fake - 2 * cross, rtol=1e-14)


def test_kernel_distance_is_unbiased_and_blocks_do_not_change_it(monkeypatch):
    # of equal distributions the mean over draws is 0 within its error; a biased estimate would be at +0.03
    values = [metrics.kernel_distance(normal(i, 50, 4), normal(1000 + i, 80, 4)) for i in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)
    whole = metrics.kernel_distance(normal(0, 100, 4), normal(1, 70, 4))
    monkeypatch.setattr("ganlib.metrics.kernel._ROWS", 16)
    np.testing.assert_allclose(
        metrics.kernel_distance(normal(0, 100, 4), normal(1, 70, 4)), whole, rtol=1e-10
    )


# Inception Score


def test_inception_score_equals_official_code(reference):
    logits = reference["is/logits"]
    probabilities = np.exp(logits.astype(float))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    for score, values in (
        (metrics.inception_score, probabilities),
        (metrics.inception_score_from_logits, logits),
    ):
        mean, deviation = score(values)
        for code in ("is/mean_10", "is/torch_fidelity_noshuffle_mean", "is/stylegan2ada_code_mean"):
            np.testing.assert_allclose(mean, reference[code], rtol=1e-12)
        np.testing.assert_allclose(deviation, reference["is/std_10_ddof0"], rtol=1e-11)
        np.testing.assert_allclose(score(values, ddof=1)[1], reference["is/std_10_ddof1"], rtol=1e-11)
        mean, deviation = score(values, splits=1)
        np.testing.assert_allclose(
            mean, reference["is/tfgan_classifier_score_from_logits_1split"], rtol=1e-12
        )
        assert deviation == 0
        mean, deviation = score(values, shuffle_seed=2020)
        np.testing.assert_allclose(mean, reference["is/torch_fidelity_shuffle2020_mean"], rtol=1e-12)
        np.testing.assert_allclose(deviation, reference["is/torch_fidelity_shuffle2020_std"], rtol=1e-11)


def test_inception_score_bounds():
    np.testing.assert_allclose(
        metrics.inception_score(np.tile(np.eye(7), (30, 1))), (7, 0), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        metrics.inception_score(np.full((50, 7), 1 / 7)), (1, 0), rtol=1e-12, atol=1e-12
    )
    # far logits: no NaN, and the same as one-hot
    logits = np.tile(np.eye(7) * 2000 - 1000, (30, 1)).astype(np.float32)
    np.testing.assert_allclose(metrics.inception_score_from_logits(logits)[0], 7, rtol=1e-12)


def test_inception_score_sees_dropped_classes_but_not_collapse_within_one():
    one_hot = np.eye(10)
    assert metrics.inception_score(np.tile(one_hot[:4], (50, 1)), 5)[0] == pytest.approx(4)
    # the same picture for every sample of a class: features collapse, probabilities and so the score do not
    assert metrics.inception_score(np.tile(one_hot, (50, 1)), 5)[0] == pytest.approx(10)


# precision and recall, density and coverage


def test_manifolds_equal_official_code(reference, real, fake):
    for k in (3, 5):
        precision, recall = metrics.precision_recall(real, fake, k)
        assert np.float32(precision) == reference[f"pr/torch_fidelity_code_k{k}_precision"]
        assert np.float32(recall) == reference[f"pr/torch_fidelity_code_k{k}_recall"]
        density, coverage = metrics.density_coverage(real, fake, k)
        np.testing.assert_allclose(density, reference[f"prdc/k{k}_density"], rtol=1e-12)
        assert coverage == reference[f"prdc/k{k}_coverage"]
        _, distances = metrics.nearest_within(real, k)
        np.testing.assert_allclose(distances[:10, -1], reference[f"prdc/k{k}_radii_real_first10"], rtol=1e-6)
    scores = metrics.manifold_scores(real, fake)
    assert scores[:2] == metrics.precision_recall(real, fake)
    assert scores[2:] == metrics.density_coverage(real, fake)
    assert scores.precision == pytest.approx(reference["pr/stylegan2ada_code_fp32_k3_precision"], abs=1e-6)


def plain_distances(a, b):
    return np.sqrt(np.square(a[:, None] - b[None]).sum(axis=2))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_manifolds_equal_the_definition(offset):
    # a far common offset costs float32 its digits: the candidates' second look must make up for it
    real, fake = normal(0, 300, 5) + offset, 0.7 * normal(1, 200, 5) + 0.3 + offset
    r = np.sort(plain_distances(real, real), axis=1)[:, 3]
    f = np.sort(plain_distances(fake, fake), axis=1)[:, 3]
    d = plain_distances(fake, real)
    assert metrics.precision_recall(real, fake) == ((d <= r).any(1).mean(), (d <= f[:, None]).any(0).mean())
    assert metrics.density_coverage(real, fake, 3) == ((d < r).sum() / 3 / 200, (d < r).any(0).mean())


def test_the_balls_surface_counts_for_precision_but_not_for_density():
    # real 0, 1, 2, 3 with k = 1: every radius is 1; the fakes 4 and 5 are at distance 1 and 2 of the last
    real, fake = np.arange(4.0)[:, None], np.array([[4.0], [5.0]])
    assert metrics.precision_recall(real, fake, 1) == (0.5, 0.25)
    assert metrics.density_coverage(real, fake, 1) == (0.0, 0.0)


def test_manifolds_tell_shifted_narrow_and_wide_apart():
    real = np.concatenate([normal(0, 300, 4), normal(1, 300, 4) + 20])
    same = np.concatenate([normal(2, 300, 4), normal(3, 300, 4) + 20])
    assert min(metrics.precision_recall(real, same)) > 0.85
    assert min(metrics.density_coverage(real, same)) > 0.85
    narrow = normal(4, 600, 4)  # one of the two clusters
    precision, recall = metrics.precision_recall(real, narrow)
    assert precision > 0.85
    assert 0.4 < recall < 0.52
    wide = np.concatenate([same, normal(5, 600, 4) - 20])  # a cluster that real data has not
    precision, recall = metrics.precision_recall(real, wide)
    assert 0.4 < precision < 0.52
    assert recall > 0.85
    assert metrics.precision_recall(real, real + 50) == (0.0, 0.0)
    assert metrics.density_coverage(real, real + 50) == (0.0, 0.0)


def test_manifolds_of_identical_and_of_collapsed_sets():
    real = normal(0, 400, 16)
    assert metrics.precision_recall(real, real) == (1.0, 1.0)
    assert metrics.density_coverage(real, real)[1] == 1.0
    # every sample the same real one: precise, and no ball of its own to recall with but that one point
    collapsed = np.repeat(real[7:8], 400, axis=0)
    precision, recall = metrics.precision_recall(real, collapsed)
    assert precision == 1.0
    assert recall == 1 / 400


# nearest neighbours


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_neighbours_equal_the_definition(offset):
    queries, references = normal(0, 70, 20) + offset, normal(1, 900, 20) + offset
    indices, distances = metrics.nearest_neighbours(queries, references, 4)
    expected = plain_distances(queries, references)
    np.testing.assert_array_equal(indices, np.argsort(expected, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :4], rtol=1e-12)


def test_neighbours_of_images_find_copies_and_break_ties_by_index():
    images = normal(0, 40, 8, 8, 1).astype(np.float32)
    images[31] = images[4]
    indices, distances = metrics.nearest_neighbours(images[[4, 9]], images, 2)
    assert indices[0].tolist() == [4, 31]
    assert indices[1, 0] == 9
    assert distances[:, 0].tolist() == [0, 0]
    assert metrics.nearest_within(images, 1)[0][[4, 31], 0].tolist() == [31, 4]
    # more duplicates than the candidate list holds
    indices, distances = metrics.nearest_within(np.ones((600, 3)), 3)
    assert indices[:2].tolist() == [[1, 2, 3], [0, 2, 3]]
    assert not distances.any()


# memorisation


@pytest.fixture(scope="module")
def clothes():
    train = data.load("fashion_mnist", split="train", shuffle=False, repeat=False).to_numpy(2500)
    test = data.load("fashion_mnist", split="test", shuffle=False, repeat=False).to_numpy(1000)
    return train, test


def test_a_generator_that_memorised_50_images_is_flagged(clothes):
    train, test = clothes
    random = np.random.default_rng(0)
    picks = random.integers(50, size=400)
    copies = np.clip(train[picks] + 0.1 * random.normal(size=(400, 28, 28, 1)), -1, 1)
    # it was trained on 50 images, or on all and remembers 50
    for training_set in (train[:50], train):
        verdict = metrics.memorisation(copies, training_set, test)
        assert verdict.memorised
        assert verdict.share > 0.9
        assert verdict.z < -20
        assert verdict.ratio_z < -20
        assert verdict.p_value < 1e-9
        np.testing.assert_array_equal(verdict.nearest, picks)


def test_new_data_and_blurred_data_are_not_flagged(clothes):
    train, test = clothes
    new = metrics.memorisation(test[:500], train, test[500:])
    assert not new.memorised
    assert abs(new.z) < 3.5
    assert abs(new.share - 0.05) < 0.04
    # blur brings images nearer to everything: z alone would accuse it
    from scipy.ndimage import gaussian_filter

    blurred = metrics.memorisation(gaussian_filter(test[:500], (0, 1.5, 1.5, 0)), train, test[500:])
    assert blurred.z < -3
    assert not blurred.memorised


def test_memorisation_z_equals_scipys_mann_whitney():
    samples, train, heldout = normal(0, 80, 3), normal(1, 60, 3), normal(2, 90, 3) * 1.2
    result = metrics.memorisation(np.round(samples), np.round(train), np.round(heldout))  # ties
    expected = mannwhitneyu(
        result.distances,
        result.heldout_distances,
        alternative="less",
        method="asymptotic",
        use_continuity=False,
    )
    np.testing.assert_allclose(result.p_value, expected.pvalue, rtol=1e-9)


# PRD


def test_prd_equals_official_code(reference):
    for name in ("hist0", "hist1"):
        curve = metrics.prd_from_histograms(reference[f"prd/{name}_ref"], reference[f"prd/{name}_eval"])
        for part, values in zip(("precision", "recall"), curve, strict=True):
            np.testing.assert_allclose(
                values[::100], reference[f"prd/{name}_{part}_every100"], rtol=1e-6, atol=1e-15
            )
        np.testing.assert_allclose(metrics.f_beta(*curve, 8), reference[f"prd/{name}_F8"], rtol=1e-9)
        np.testing.assert_allclose(metrics.f_beta(*curve, 1 / 8), reference[f"prd/{name}_F1_8"], rtol=1e-9)
    curve = metrics.prd_from_histograms(reference["prd/onerun_ref_bins"], reference["prd/onerun_eval_bins"])
    np.testing.assert_allclose(metrics.f_beta(*curve, 8), reference["prd/onerun_F8"], rtol=1e-9)
    np.testing.assert_allclose(metrics.f_beta(*curve, 1 / 8), reference["prd/onerun_F1_8"], rtol=1e-9)


def test_prd_of_features_is_near_official_code_and_deterministic(reference, real, fake):
    curve = metrics.prd_curve(real, fake[:500], runs=3)
    name = "prd/features_gen500_real500_20clusters_10runs_np_seed0"
    # the clustering is random: the official code's own seeds differ by 0.01
    assert metrics.f_beta(*curve, 8) == pytest.approx(float(reference[f"{name}_F8"]), abs=0.03)
    assert metrics.f_beta(*curve, 1 / 8) == pytest.approx(float(reference[f"{name}_F1_8"]), abs=0.03)
    again = metrics.prd_curve(real, fake[:500], runs=3)
    np.testing.assert_array_equal(curve, again)
    assert (np.diff(curve[0]) >= 0).all()


def test_prd_closed_forms():
    # equal, disjoint, and Q missing half of P's equal bins: precision 1, recall 1/2 (section 4.1)
    precision, recall = metrics.prd_from_histograms([1, 2, 3], [10, 20, 30])
    assert metrics.f_beta(precision, recall, 1) == pytest.approx(1, abs=1e-8)
    assert max(map(max, metrics.prd_from_histograms([1, 0], [0, 1]))) == 0
    precision, recall = metrics.prd_from_histograms(np.ones(10), np.repeat([1, 0], 5))
    assert precision.max() == pytest.approx(1, abs=1e-12)
    assert recall.max() == pytest.approx(0.5, abs=1e-12)
    assert metrics.f_beta(precision, recall, 1 / 8) > 0.98
    assert metrics.f_beta(precision, recall, 8) < 0.51
    # swapping P and Q swaps precision and recall
    swapped = metrics.prd_from_histograms(np.repeat([1, 0], 5), np.ones(10))
    np.testing.assert_allclose(swapped[0], recall[::-1], rtol=1e-5, atol=1e-9)
    assert metrics.f_beta(0.5, 1.0, 1) == pytest.approx(2 / 3)


# modes


def test_modes_of_the_toys_own_samples():
    ring = data.load("gaussians_ring")
    points = ring.to_numpy(4000)
    modes, quality = metrics.modes_covered(points, ring.centers, 0.02)
    assert modes == 8
    assert quality == pytest.approx(1 - np.exp(-4.5), abs=0.007)  # four standard errors


def test_modes_by_hand():
    centers = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = np.array([[3.0, 0], [0, 3.001], [10, 1], [10, -1], [5, 5]])
    assert metrics.mode_counts(points, centers, 1.0).tolist() == [1, 2, 0]
    assert metrics.modes_covered(points, centers, 1.0) == (2, 0.6)
    assert metrics.modes_covered(points, centers, 1.0, at_least=2) == (1, 0.6)
    assert metrics.modes_covered(points, centers, 1.0, within=4) == (2, 0.8)


# what all have in common

SCORES = {
    "frechet": metrics.frechet_distance,
    "diagonal": metrics.frechet_distance_diagonal,
    "kernel": metrics.kernel_distance,
    "kernel, subsets": lambda r, f: metrics.kernel_distance_subsets(r, f, subsets=2, subset_size=len(r)),
    "kernel, blocks": metrics.kernel_distance_blocks,
    "precision, recall": metrics.precision_recall,
    "density, coverage": metrics.density_coverage,
    "manifold": metrics.manifold_scores,
    "prd": lambda r, f: metrics.prd_curve(r, f, clusters=4, runs=1),
    "memorisation": lambda r, f: metrics.memorisation(f, r, f)[:5],
}


@pytest.mark.parametrize("name", [n for n in SCORES if n not in ("diagonal", "prd")])
def test_rotation_and_order_do_not_matter(name):
    real, fake = normal(0, 60, 16), normal(1, 60, 16) * 0.8 + 0.2
    expected = SCORES[name](real, fake)
    np.testing.assert_allclose(
        SCORES[name](real @ ROTATION, fake @ ROTATION), expected, rtol=1e-8, atol=1e-12
    )
    np.testing.assert_allclose(SCORES[name](real[::-1], fake[::-1]), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_bad_features(name):
    good = normal(0, 20, 4)
    for real, fake, message in (
        (np.where(good == good[3, 1], np.nan, good), good, "not all finite"),
        (good, np.where(good == good[3, 1], np.inf, good), "not all finite"),
        (good, good[:, :3], "dimensions"),
        (good[:0], good, "shape|k=|subset_size=0"),
        (good[0], good, "shape"),
    ):
        with pytest.raises(InputError, match=message):
            SCORES[name](real, fake)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.precision_recall(np.zeros((3, 2)), np.zeros((9, 2))), "at least 4 rows"),
        (lambda: metrics.density_coverage(np.zeros((9, 2)), np.zeros((5, 2))), "at least 6 rows"),
        (lambda: metrics.precision_recall(np.zeros((9, 2)), np.zeros((9, 2)), 0), "k=0"),
        (lambda: metrics.kernel_distance(np.zeros((1, 2)), np.zeros((9, 2))), "at least 2 rows"),
        (
            lambda: metrics.kernel_distance_subsets(np.zeros((9, 2)), np.zeros((9, 2))),
            "subset_size=1000 of 9",
        ),
        (
            lambda: metrics.kernel_distance_blocks(np.zeros((9, 2)), np.zeros((99, 2)), 4),
            "larger max_block_size",
        ),
        (lambda: metrics.nearest_neighbours(np.zeros((2, 2)), np.zeros((3, 2)), 4), "k=4 neighbours among 3"),
        (lambda: metrics.nearest_within(np.zeros((3, 2)), 3), "k=3 neighbours among 2"),
        (
            lambda: metrics.memorisation(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 2)), 1.0),
            "quantile=1.0",
        ),
        (lambda: metrics.inception_score(np.full((20, 4), 0.5)), "from_logits"),
        (lambda: metrics.inception_score(np.array([[1.5, -0.5]]), 1), "least entry -0.5"),
        (lambda: metrics.inception_score(np.full((4, 4), 0.25)), "splits=10 of 4 rows"),
        (lambda: metrics.inception_score_from_logits(np.full((20, 4), np.nan)), "not all finite"),
        (lambda: metrics.prd_from_histograms([1, 2], [1, 2, 3]), r"\(2,\) and \(3,\)"),
        (lambda: metrics.prd_from_histograms([1, -1, 1], [1, 2, 3]), "at least 0"),
        (lambda: metrics.prd_curve(np.zeros((3, 2)), np.zeros((3, 2))), "clusters=20 of 6"),
        (lambda: metrics.f_beta(0.5, 1.5, 1), "lie in"),
        (lambda: metrics.f_beta(0.5, 0.5, 0), "beta=0"),
        (lambda: metrics.modes_covered(np.zeros((5, 2)), np.zeros((3, 2)), 0.0), "sigma=0.0"),
        (lambda: metrics.modes_covered(np.zeros((5, 2)), np.zeros((3, 3)), 1.0), "2 and 3 dimensions"),
        (lambda: metrics.modes_covered(np.full((5, 2), np.nan), np.zeros((3, 2)), 1.0), "not all finite"),
        (
            lambda: metrics.frechet_distance_from_statistics(np.zeros(2), np.eye(3), np.zeros(2), np.eye(2)),
            r"mean \(2,\) with covariance \(3, 3\)",
        ),
        (
            lambda: metrics.frechet_distance_from_statistics(
                np.zeros(2), np.eye(2), np.zeros(2), np.eye(2) * np.inf
            ),
            "not all finite",
        ),
    ],
)
def test_bad_arguments(call, message):
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match=message):
        call()
