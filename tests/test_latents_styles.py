"""Styles of several latents in one image, directions, projections, and path lengths by the papers' protocol."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import latents
from ganlib.errors import InputError
from ganlib.latents import projection

FACTS = np.load(Path(__file__).parent / "data" / "sefa.npz")


def styles(n, layers=6, dim=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, layers, dim)).astype(np.float32)


def test_style_ranges_are_those_of_figure_3():
    assert latents.style_ranges(18) == {"coarse": range(4), "middle": range(4, 8), "fine": range(8, 18)}
    assert latents.style_ranges(10)["fine"] == range(8, 10)
    assert list(latents.style_ranges(6)["middle"]) == [4, 5] and not latents.style_ranges(6)["fine"]


def test_a_mixing_grid_takes_layers_of_the_rows():
    columns, rows = styles(3), styles(2, seed=1)
    grid = latents.mixing_grid(columns, rows, [1, 2]).reshape(2, 3, 6, 3)
    for r in range(2):
        for c in range(3):
            np.testing.assert_array_equal(grid[r, c, [0, 3, 4, 5]], columns[c, [0, 3, 4, 5]])
            np.testing.assert_array_equal(grid[r, c, [1, 2]], rows[r, [1, 2]])
    np.testing.assert_array_equal(latents.mixed(columns, columns[::-1], range(6)), columns[::-1])
    with pytest.raises(InputError, match=r"layers=\[6\]: these styles have layers 0 to 5"):
        latents.mixed(columns, columns, [6])
    with pytest.raises(InputError, match=r"styles of shapes \(3, 6, 3\) and \(2, 6, 3\)"):
        latents.mixed(columns, rows, [0])


def test_pulled_is_truncation_in_w():
    ws, mean = styles(2), np.array([1.0, -2.0, 0.5], np.float32)
    np.testing.assert_allclose(latents.pulled(ws, mean, 0.7), mean + 0.7 * (ws - mean), rtol=1e-6)
    some = latents.pulled(ws, mean, 0.0, layers=[0])
    np.testing.assert_array_equal(some[:, 0], np.tile(mean, (2, 1)))
    np.testing.assert_array_equal(some[:, 1:], ws[:, 1:])
    with pytest.raises(InputError, match=r"a mean of shape \(2,\)"):
        latents.pulled(ws, mean[:2], 0.5)


def test_sefa_is_the_authors():
    found = latents.sefa([FACTS[f"style_weight{i}"] for i in range(3)])
    np.testing.assert_allclose(found.strengths, FACTS["eigen_values"], rtol=1e-4)
    expected = FACTS["directions_rows_up_to_sign"]
    signs = np.sign((found.vectors * expected).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.vectors, signs * expected, atol=1e-4)
    np.testing.assert_array_equal(latents.sefa([FACTS["style_weight0"]], n=2).vectors.shape, (2, 12))
    with pytest.raises(InputError, match=r"weights of shapes \[\(12, 16\), \(3, 2\)\]"):
        latents.sefa([FACTS["style_weight0"], np.ones((3, 2))])


def test_ganspace_finds_the_axes_of_a_normal_distribution():
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(4, 4)))[0]
    samples = random.normal(size=(50_000, 4)) * [3.0, 2.0, 1.0, 0.5] @ axes + 7.0
    found = latents.ganspace(samples, n=3)
    np.testing.assert_allclose(found.strengths, [3, 2, 1], rtol=0.02)
    np.testing.assert_allclose(np.abs((found.vectors * axes[:3]).sum(axis=1)), 1.0, atol=2e-3)
    np.testing.assert_allclose(found.mean, 7.0, atol=0.05)


def test_along_moves_some_layers():
    ws, direction = styles(2), np.array([0.0, 2.0, 0.0], np.float32)
    moved = latents.along(ws, direction, [-1.0, 0.0, 0.5], layers=[2]).reshape(2, 3, 6, 3)
    np.testing.assert_array_equal(moved[:, 1], ws)
    np.testing.assert_allclose(
        moved[:, 2] - ws, np.eye(6)[2][:, None] * [0.0, 1.0, 0.0] * np.ones((2, 1, 1)), atol=1e-6
    )
    np.testing.assert_allclose(
        latents.along(ws[:, 0], direction, [1.0]) - ws[:, 0], np.tile(direction, (2, 1)), atol=1e-6
    )
    with pytest.raises(InputError, match="have none; give styles"):
        latents.along(ws[:, 0], direction, [1.0], layers=[0])


def squared(a, b):
    return np.square(np.asarray(a, np.float64) - b).reshape(len(a), -1).sum(axis=1)


def test_the_protocols_path_length_of_linear_maps():
    """A step of epsilon goes r * angle * epsilon far on a circle of radius r; on a line, its length times epsilon."""
    z = np.random.default_rng(0).normal(size=(400, 8))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    angles = np.arccos((unit[0::2] * unit[1::2]).sum(axis=1))
    found = latents.perceptual_path_length(lambda z: z, squared, z, epsilon=1e-4)
    assert found == pytest.approx(latents.filtered_mean(angles**2), rel=1e-4)
    wide = latents.perceptual_path_length(lambda z: z, squared, z, radius=3.0, sampling="end")
    assert wide == pytest.approx(9 * found, rel=1e-4)
    w = latents.perceptual_path_length(lambda w: w, squared, z, mapping=lambda z: 2 * z[:, None])
    assert w == pytest.approx(latents.filtered_mean(squared(2 * z[0::2], 2 * z[1::2])), rel=1e-4)
    with pytest.raises(InputError, match="there is no sampling 'start'"):
        latents.perceptual_path_length(lambda z: z, squared, z, sampling="start")
    with pytest.raises(InputError, match="an even number of rows"):
        latents.perceptual_path_length(lambda z: z, squared, z[:3])


def test_projection_finds_the_latent_and_puts_noise_back():
    random = np.random.default_rng(0)
    kernel = tf.constant(random.normal(size=(3, 8 * 8)).astype(np.float32) / 8)
    noise = keras.Variable(random.normal(size=(8, 8, 1)).astype(np.float32))
    start = noise.numpy()
    synthesize = lambda w: tf.reshape(tf.tanh(tf.matmul(w, kernel)), [1, 8, 8, 1]) + 1e-3 * noise.value  # noqa: E731
    sought = np.array([0.7, -1.1, 0.4], np.float32)
    target = np.tanh(sought @ kernel.numpy()).reshape(8, 8, 1)
    found = latents.project(
        target,
        synthesize,
        random.normal(size=(500, 3)),
        lambda a, b: tf.reduce_sum(tf.square(a - b), axis=(1, 2, 3)),
        noise=[noise],
        noise_weight=1.0,
        steps=400,
        progress=False,
    )
    np.testing.assert_allclose(found.w, sought, atol=0.05)
    assert found.distances[-1] < 0.02 * found.distances[0] and found.distances.shape == (400,)
    np.testing.assert_array_equal(noise.numpy(), start)
    np.testing.assert_allclose([found.noise[0].mean(), np.square(found.noise[0]).mean()], [0, 1], atol=1e-5)
    np.testing.assert_allclose(found.image, target, atol=0.1)


def test_the_rate_of_a_projection():
    assert projection.ramp(0.0) == 0 and projection.ramp(0.025) == pytest.approx(0.5)
    assert projection.ramp(0.5) == 1 and projection.ramp(0.875) == pytest.approx(0.5)
    assert projection.ramp(1.0) == pytest.approx(0.0)


def test_correlations_of_stripes_and_of_noise():
    stripes = tf.constant(np.tile([1.0, -1.0], (16, 8))[..., None], tf.float32)
    # rows repeat themselves, columns are their opposites; at 8x8 nothing is left of them
    np.testing.assert_allclose(projection.correlation(stripes), 2.0, atol=1e-6)
    noise = np.random.default_rng(0).normal(size=(64, 64, 1)).astype(np.float32)
    assert projection.correlation(tf.constant(noise)) < 0.01
