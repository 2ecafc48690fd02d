"""Walks, arithmetic, truncation and smoothness: closed forms, StyleGAN2-ADA's numbers, what must not pass.

tests/data/latents.npz: `slerp` and the percentile filter of NVlabs/stylegan2-ada-pytorch at d72cc7d
(metrics/perceptual_path_length.py), run on random inputs.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from ganlib import latents as lt
from ganlib.conditions import mixing_classes
from ganlib.errors import InputError
from ganlib.models import registry

OFFICIAL = np.load(Path(__file__).parent / "data" / "latents.npz")
RNG = np.random.default_rng(0)
A, B, C = RNG.standard_normal((3, 5, 64))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


# ----------------------------------------------------------------------------------------- interpolation


def test_slerp_of_unit_latents_is_stylegans():
    found = lt.slerp(unit(OFFICIAL["slerp_a"]), unit(OFFICIAL["slerp_b"]), 0.3)
    np.testing.assert_allclose(found, OFFICIAL["slerp_t0p3"], rtol=1e-5, atol=1e-6)


def test_slerp_turns_at_constant_speed_and_keeps_the_norm():
    a, b = 3 * unit(A), 3 * unit(B)
    path = np.stack([lt.slerp(a, b, t) for t in np.linspace(0, 1, 11)])
    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 3, rtol=1e-12)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=-1)
    np.testing.assert_allclose(steps, steps[:1].repeat(10, axis=0), rtol=1e-9)
    np.testing.assert_allclose(path[[0, -1]], [a, b], rtol=1e-12)


def test_a_quarter_circle_by_hand():
    middle = lt.slerp(np.array([2.0, 0.0]), np.array([0.0, 4.0]), 0.5)
    np.testing.assert_allclose(middle, [2 * np.sqrt(0.5), 4 * np.sqrt(0.5)], rtol=1e-12)


def test_slerp_of_nearly_parallel_latents_is_linear_and_loses_no_digits():
    near = A + 1e-5 * B
    np.testing.assert_allclose(lt.slerp(A, near, 0.25), lt.lerp(A, near, 0.25), rtol=1e-9)
    np.testing.assert_allclose(lt.slerp(A, 2 * A, 0.25), 1.25 * A, rtol=1e-12)


def test_the_straight_line_leaves_the_shell_and_the_arc_does_not():
    a, b = RNG.standard_normal((2, 200, 512))
    radius = np.sqrt(512)
    assert np.linalg.norm(lt.lerp(a, b, 0.5), axis=1).mean() / radius == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert np.linalg.norm(lt.slerp(a, b, 0.5), axis=1).mean() / radius == pytest.approx(1, abs=0.01)


def test_t_of_each_row_and_dtype():
    t = np.linspace(0, 1, 5)[:, None]
    for interpolate in (lt.lerp, lt.slerp):
        found = interpolate(A.astype(np.float32), B.astype(np.float32), t)
        assert found.dtype == np.float32 and found.shape == A.shape
        np.testing.assert_allclose(found[1], interpolate(A[1], B[1], 0.25), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["slerp", "lerp"])
def test_walk_visits_its_points_exactly_and_steps_evenly(method):
    points = unit(A)
    path = lt.walk(points, 4, method)
    assert path.shape == (17, 64)
    assert (path[::4] == points).all()
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1).reshape(4, 4)
    np.testing.assert_allclose(lengths, lengths[:, :1].repeat(4, axis=1), rtol=1e-9)

    closed = lt.walk(points, 4, method, closed=True)
    assert closed.shape == (20, 64) and (closed[:17] == path).all()
    step_home = np.linalg.norm(closed[-1] - points[0])
    assert step_home == pytest.approx(np.linalg.norm(closed[-1] - closed[-2]), rel=1e-9)


def test_many_walks_at_once_are_each_alone():
    points = RNG.standard_normal((3, 2, 8))
    together = lt.walk(points, 5)
    assert together.shape == (11, 2, 8)
    for i in range(2):
        np.testing.assert_allclose(together[:, i], lt.walk(points[:, i], 5), rtol=1e-12)


# -------------------------------------------------------------------------------------------- arithmetic


def test_mean_latent_of_a_class_and_of_a_mask():
    labels = np.array([0, 1, 1, 0, 2])
    np.testing.assert_allclose(lt.mean_latent(A, labels, 1), (A[1] + A[2]) / 2)
    np.testing.assert_allclose(lt.mean_latent(A, labels == 0), (A[0] + A[3]) / 2)


def test_arithmetic_recovers_directions_that_classes_share():
    # latents of two independent binary properties, each along a direction of its own
    first, second = np.eye(16)[:2] * 3
    property_1, property_2 = RNG.integers(0, 2, (2, 4000)).astype(bool)
    z = RNG.standard_normal((4000, 16)) + property_1[:, None] * first + property_2[:, None] * second
    means = {
        (i, j): lt.mean_latent(z, (property_1 == i) & (property_2 == j))
        for i in (False, True)
        for j in (False, True)
    }
    found = lt.arithmetic(means[True, True], means[True, False], means[False, False])
    # four means of about 1,000, each of standard error 1 / sqrt(1000) an entry
    np.testing.assert_allclose(found, second, atol=0.25)
    assert (lt.arithmetic(A, B, C) == A - B + C).all()


def test_on_shell():
    np.testing.assert_allclose(np.linalg.norm(lt.on_shell(A), axis=1), 8)
    np.testing.assert_allclose(lt.on_shell(A, 2.0), 2 * unit(A))


# -------------------------------------------------------------------------------------------- truncation


@pytest.mark.parametrize("threshold", [1e-9, 1e-3, 0.05, 0.7, 2.0, 6.0])
def test_truncated_latents_are_the_same_quantiles_of_the_cut_normal(threshold):
    z = np.concatenate([RNG.standard_normal(2000), [0.0, -0.0, 1e-12, 4.0, 6.0, -6.0, 9.0, -9.0, 30.0]])
    # scipy's own, on the side where it does not cancel; at 1e-9 it is good to 2e-7 of the threshold (the closed form is
    # in the next test)
    law = scipy.stats.truncnorm(-threshold, threshold)
    expected = np.where(z < 0, law.ppf(scipy.stats.norm.cdf(z)), law.isf(scipy.stats.norm.sf(z)))
    found = lt.truncate(z, threshold)
    np.testing.assert_allclose(
        found, expected, rtol=1e-7, atol=(1e-6 if threshold < 1e-6 else 1e-9) * threshold
    )
    assert np.abs(found).max() <= threshold
    assert (found == -lt.truncate(-z, threshold)).all()
    order = np.argsort(z)
    assert (np.diff(found[order]) >= 0).all()
    wide = lt.truncate(RNG.standard_normal((100, 200)), threshold)
    assert scipy.stats.kstest(wide.reshape(-1), law.cdf).pvalue > 1e-3
    assert wide.std() == pytest.approx(lt.truncated_deviation(threshold), rel=0.02)


def test_truncation_is_exact_at_both_ends():
    z = np.concatenate([RNG.standard_normal(100_000), [0, 1e-30, 1e-7, 1e-4, 3, 5.77, -5.77, 8, 12, 30]])
    z = z.astype(np.float32)
    # nothing is beyond: the very same numbers
    for threshold in (40.0, 1e3, np.inf):
        np.testing.assert_array_equal(lt.truncate(z, threshold), z)
    np.testing.assert_array_equal(lt.truncate(z[np.abs(z) < 6], 8.0), z[np.abs(z) < 6])
    # nearly all is beyond: uniform on [-t, t], as erf(z / sqrt 2) is on [-1, 1]
    for threshold in (1e-9, 1e-30):
        expected = threshold * scipy.special.erf(z.astype(np.float64) / np.sqrt(2))
        found = lt.truncate(z, threshold)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-44)
        np.testing.assert_allclose(lt.truncate(z.astype(np.float64), threshold), expected, rtol=1e-13, atol=0)


def test_the_two_formulas_of_truncation_meet():
    # m erf(z / sqrt 2) = 1/2 is where one takes over from the other
    for threshold in (0.7, 2.0, 10.0):
        inside = scipy.special.erf(threshold / np.sqrt(2))
        z = np.sqrt(2) * scipy.special.erfinv(0.5 / inside) + np.array([-1e-9, 1e-9])
        if not np.isfinite(z).all():
            continue
        below, above = lt.truncate(z, threshold)
        assert 0 < above - below < 1e-8
        assert below == pytest.approx(scipy.stats.norm.ppf(0.75), abs=1e-8)


def test_truncated_uniform_latents_are_scaled():
    z = RNG.uniform(-1, 1, (50, 20)).astype(np.float32)
    np.testing.assert_allclose(lt.truncate(z, 0.3, "uniform"), 0.3 * z, rtol=1e-6)
    for threshold in (1.0, 2.0, np.inf):
        np.testing.assert_array_equal(lt.truncate(z, threshold, "uniform"), z)


@pytest.mark.parametrize("threshold", [1e-4, 0.0099, 0.0101, 0.5, 1.0, 3.0])
def test_truncated_deviation_is_scipys(threshold):
    # scipy's own variance cancels for small thresholds: there by quadrature
    x = np.linspace(-threshold, threshold, 20001)
    weights = np.exp(-x * x / 2)
    expected = np.sqrt(scipy.integrate.trapezoid(x * x * weights, x) / scipy.integrate.trapezoid(weights, x))
    assert lt.truncated_deviation(threshold) == pytest.approx(expected, rel=1e-6)
    assert lt.truncated_deviation(np.inf) == 1


def test_shrunk_latents_keep_their_tails_which_truncated_ones_lose():
    z = RNG.standard_normal((100, 200))
    spread = lt.truncated_deviation(0.7)
    shrunk, cut = lt.shrink(z, spread), lt.truncate(z, 0.7)
    assert shrunk.std() == pytest.approx(cut.std(), rel=0.02)
    assert scipy.stats.kurtosis(shrunk, axis=None) == pytest.approx(0, abs=0.1)
    assert scipy.stats.kurtosis(cut, axis=None) < -1


# -------------------------------------------------------------------------------------------- smoothness


def test_step_lengths_between_pixels_and_features():
    images = np.zeros((3, 2, 2, 1), np.float32)
    images[1], images[2] = 1, 1.5
    np.testing.assert_allclose(lt.step_lengths(images), [2, 1])
    mean = lt.step_lengths(images, features=lambda x: 3 * x.reshape(len(x), -1).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(mean, [3, 1.5])


def test_smoothness_tells_a_continuous_generator_from_one_that_remembers():
    training = RNG.uniform(-1, 1, (50, 6, 6, 1))
    keys = unit(RNG.standard_normal((50, 8)))
    rotation = np.linalg.qr(RNG.standard_normal((36, 36)))[0][:8]

    def continuous(z):
        return np.tanh(unit(z) @ rotation * 4).reshape(-1, 6, 6, 1)

    def memorising(z):
        return training[(z @ keys.T).argmax(axis=1)]

    walks = lt.walk(RNG.standard_normal((2, 20, 8)), 40).swapaxes(0, 1)
    smooth = lt.smoothness([continuous(z) for z in walks], training)
    rough = lt.smoothness([memorising(z) for z in walks], training)
    assert 1 <= smooth.roughness < 2 and smooth.jump < 0.2
    assert rough.roughness == np.inf and rough.jump > 1
    # twice the steps, half the jump; a memorised jump stays
    finer = lt.walk(np.stack([walks[:, 0], walks[:, -1]]), 80).swapaxes(0, 1)
    halved = lt.smoothness([continuous(z) for z in finer], training).jump
    assert halved == pytest.approx(smooth.jump / 2, rel=0.02)
    assert lt.smoothness([memorising(z) for z in finer], training).jump > 1


def test_smoothness_by_hand():
    walk = np.array([[[0.0], [1.0], [4.0], [5.0]]])  # steps 1, 3, 1
    assert lt.smoothness(walk, np.array([[0.0], [2.0], [4.0]])) == (3.0, 1.5)
    assert lt.smoothness(0 * walk, np.array([[0.0], [2.0]])) == (1.0, 0.0)


def test_filtered_mean_is_stylegans():
    assert lt.filtered_mean(OFFICIAL["dist"]) == pytest.approx(float(OFFICIAL["mean_filtered"]), rel=1e-6)
    inside = OFFICIAL["dist"][(OFFICIAL["dist"] >= OFFICIAL["lo"]) & (OFFICIAL["dist"] <= OFFICIAL["hi"])]
    # of 1,000 in order: from the 10th, floor(0.01 x 999), to the 991st, ceil(0.99 x 999), both included
    assert len(inside) == 991 - 10 + 1
    assert lt.filtered_mean(OFFICIAL["dist"]) == pytest.approx(inside.mean(dtype=np.float64), rel=1e-12)
    assert lt.filtered_mean([1.0, 2.0, 6.0]) == 3


def test_path_length_of_a_linear_generator_on_a_line_and_on_a_circle():
    matrix = RNG.standard_normal((64, 10))

    def squared(images, others):
        return ((np.asarray(images) - others) ** 2).sum(axis=1)

    found = lt.path_length(
        lambda z: z @ matrix, squared, A, B, 0.0, method="lerp", batch_size=2, percentiles=(0, 100)
    )
    assert found == pytest.approx((((B - A) @ matrix) ** 2).sum(axis=1).mean(), rel=1e-6)

    # the identity on the unit circle: the speed is the angle
    a, b = unit(A), unit(B)
    angles = np.arccos((a * b).sum(axis=1))
    found = lt.path_length(lambda z: z, squared, a, b, RNG.uniform(size=5), percentiles=(0, 100))
    assert found == pytest.approx((angles**2).mean(), rel=1e-6)


# ----------------------------------------------------------------------------------------------- classes


def test_class_walk_visits_its_classes_exactly_in_even_steps():
    path = lt.class_walk([3, 1, 3], 4, 5)
    assert path.shape == (9, 5) and path.dtype == np.float32
    np.testing.assert_array_equal(path[[0, 4, 8]], np.eye(5)[[3, 1, 3]])
    np.testing.assert_array_equal(path[1], [0, 0.25, 0, 0.75, 0])
    np.testing.assert_array_equal(path.sum(axis=1), 1)
    np.testing.assert_array_equal(lt.class_walk([3, 1], 4, 5, closed=True), path[:8])


def test_every_pair():
    z, y = lt.every_pair(A[:2], [7, 8, 9])
    np.testing.assert_array_equal(z, A[[0, 0, 0, 1, 1, 1]])
    np.testing.assert_array_equal(y, [7, 8, 9, 7, 8, 9])
    z, weights = lt.every_pair(A[:2], lt.class_walk([0, 1], 1, 2))
    np.testing.assert_array_equal(weights, [[1, 0], [0, 1], [1, 0], [0, 1]])


# with tests of their own; LOGAN's smoke preset has no classes
OF_SEVERAL_NETWORKS = ("lapgan", "stacked-gan", "stylegan2", "logan")


def models_that_know_classes():
    with_classes = {name: cls for name, cls in registry().items() if cls.follows("num_classes", {})}
    return {name: cls for name, cls in with_classes.items() if name not in OF_SEVERAL_NETWORKS}


# BigGAN-deep is told its classes as BigGAN is, and is by far the slowest here
@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.long) if name == "biggan-deep" else name
        for name in models_that_know_classes()
    ]
)
def gan(request):
    """A model whose rows of classes differ, as after training."""
    gan = models_that_know_classes()[request.param].untrained("smoke", seed=0)
    for network in gan.networks().values():
        for variable in network.variables:
            if len(variable.shape) and variable.shape[0] == gan.classes.num_classes:
                variable.assign(variable + RNG.normal(0, 0.3, variable.shape))
    return gan


def test_class_interpolation_starts_and_ends_at_the_images_of_the_classes(gan):
    z = gan.sample_latents(3, seed=0)
    walk = lt.class_walk([0, 1], 4, gan.classes.num_classes)
    path = gan.images_of(lt.every_pair(z, walk)).reshape(3, 5, -1)
    for i, label in ((0, 0), (4, 1)):
        own = gan.images_of([z, np.full(3, label, np.int32)]).reshape(3, -1)
        np.testing.assert_allclose(path[:, i], own, atol=1e-6)
    ends = np.abs(path[:, 4] - path[:, 0]).max(axis=1)
    assert (ends > 1e-3).all()
    steps = np.abs(np.diff(path, axis=1)).max(axis=2)
    assert (steps > 0).all() and (steps < ends[:, None]).all()  # gradual, not a switch in the middle


def test_a_mixture_is_a_class_whose_rows_are_the_mixture(gan):
    z = gan.sample_latents(2, seed=1)
    classes = gan.classes.num_classes
    half = gan.images_of(lt.every_pair(z, lt.class_walk([0, 1], 2, classes)[1:2]))
    before = gan.images_of([z, np.zeros(2, np.int32)])
    tables = [v for v in gan.ema_generator.variables if len(v.shape) and v.shape[0] == classes]
    if not tables:  # ACGAN: the rows are the last of the dense layer's kernel
        tables = [gan.ema_generator.trainable_variables[0]]
    for table in tables:
        rows = table.numpy()
        first = len(rows) - classes
        rows[first] = (rows[first] + rows[first + 1]) / 2
        table.assign(rows)
    own = gan.images_of([z, np.zeros(2, np.int32)])
    assert np.abs(own - before).max() > 1e-3
    np.testing.assert_allclose(half, own, atol=2e-6)


def test_mixing_shares_all_variables_and_leaves_the_network_as_it_was(gan):
    before = gan.generator.get_config()
    mixing = mixing_classes(gan.generator, gan.classes.num_classes)
    plain = {id(layer.embeddings) for layer in gan.generator.layers if type(layer) is keras.layers.Embedding}
    # rows of a plain embedding are mixed by a product with its variable, which the new network does not list
    assert {id(v) for v in mixing.variables} | plain == {id(v) for v in gan.generator.variables}
    assert gan.generator.get_config() == before
    labels = np.array([0, 1])
    images = gan.example_batch(2)[0].numpy()
    if len(gan.discriminator.inputs) == 2:
        d = mixing_classes(gan.discriminator, gan.classes.num_classes)
        weights = np.eye(gan.classes.num_classes, dtype=np.float32)
        own = [gan.discriminator([images, np.full(2, c)], training=False).numpy() for c in labels]
        np.testing.assert_allclose(d([images, weights[[0, 0]]], training=False), own[0], atol=1e-6)
        np.testing.assert_allclose(d([images, weights[[1, 1]]], training=False), own[1], atol=1e-6)


def test_embeddings_mix_and_other_layers_are_refused():
    x, y = keras.Input((3,)), keras.Input((), dtype="int32")
    embedding = keras.layers.Embedding(4, 3)
    network = keras.Model([x, y], x + embedding(y))
    weights = lt.class_walk([1, 2], 2, 4)
    found = mixing_classes(network, 4)([np.zeros((3, 3), np.float32), weights])
    np.testing.assert_allclose(found, weights @ embedding.embeddings.numpy(), rtol=1e-6)
    cast = keras.layers.CategoryEncoding(4, "one_hot")
    network = keras.Model([x, y], keras.layers.Concatenate()([x, cast(y)]))
    with pytest.raises(InputError, match="CategoryEncoding has no rows of classes to mix"):
        mixing_classes(network, 4)


def test_weights_of_another_shape_are_refused(gan):
    z = gan.sample_latents(2, seed=0)
    with pytest.raises(InputError, match=r"weights of classes of shape \(2, 3\)"):
        gan.images_of([z, np.ones((2, 3))])


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lt.lerp(A, B[:, :3], 0.5), r"shapes \(5, 64\) and \(5, 3\): give both the same"),
        (lambda: lt.slerp(A, -A, 0.5), r"opposite latents.*use lerp"),
        (lambda: lt.slerp(A, 0 * A, 0.5), r"a latent is zero"),
        (lambda: lt.slerp(A, np.nan * A, 0.5), r"not all finite"),
        (lambda: lt.walk(A[:1], 4), r"k of 2 or more"),
        (lambda: lt.walk(A, 0), r"steps=0 is out of range"),
        (lambda: lt.walk(A, 4, "cubic"), r"method='cubic': choose one of slerp, lerp"),
        (lambda: lt.class_walk([0, 5], 4, 5), r"labels=\[0, 5\]: the classes are 0 to 4"),
        (lambda: lt.class_walk([0.5, 1], 4, 5), r"give whole numbers \(k,\)"),
        (lambda: lt.class_walk([1], 4, 5), r"k of 2 or more"),
        (lambda: lt.every_pair(A, 3), r"classes of shape \(\)"),
        (lambda: lt.mean_latent(A, np.zeros(5), 3), r"none of the 5 latents has the label 3"),
        (lambda: lt.mean_latent(A, np.zeros(4), 0), r"labels of shape \(4,\)"),
        (lambda: lt.on_shell(A, 0), r"radius=0 is out of range"),
        (lambda: lt.truncate(A, 0), r"threshold=0 is out of range"),
        (lambda: lt.truncate(A, float("nan")), r"threshold=nan is out of range"),
        (lambda: lt.truncate(A, 1, "cauchy"), r"no distribution 'cauchy'"),
        (lambda: lt.shrink(A, 1.5), r"factor=1.5 is out of range"),
        (lambda: lt.truncated_deviation(-1), r"threshold=-1 is out of range"),
        (lambda: lt.step_lengths(A[:1]), r"1 image\(s\) make no step"),
        (lambda: lt.smoothness(A[None], np.ones((3, 64))), r"copies of another"),
        (lambda: lt.filtered_mean([]), r"0 distances"),
        (lambda: lt.filtered_mean([1.0], (99, 1)), r"low < high"),
        (lambda: lt.path_length(None, None, A, B, 0.0, epsilon=0), r"epsilon=0 is out of range"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(InputError, match=message):
        call()
