"""Draws depend on seed, purpose, step and global sample index, and on nothing else."""

import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.randomness import RandomStreams, host_generator, keep, key_of, normal, seeded, uniform


def half(key, step, start, shape):
    return keep(key, step, start, shape, 2**15)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("draw", [uniform, normal, half])
@pytest.mark.parametrize("shape", [(2,), (7,), (5, 3)])
def test_a_row_is_the_same_in_any_batch(draw, shape, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def rows(start, n):
        return draw(11, tf.constant(3, tf.int64), start, [n, *shape])

    # as tensors: what is known when XLA compiles is computed by other kernels
    whole = rows(tf.constant(0), 12)
    parts = tf.concat([rows(tf.constant(start), n) for start, n in ((0, 4), (4, 2), (6, 6))], axis=0)
    # logarithms of a vector's tail differ in the last bit
    np.testing.assert_allclose(tf.cast(whole, tf.float32), tf.cast(parts, tf.float32), atol=1e-6)
    assert len(np.unique(whole)) > 1


@pytest.mark.parametrize("draw", [uniform, normal, half])
def test_xla_draws_the_same(draw):
    rows = lambda step: draw(key_of(0, "x"), step, 5, [64, 33])  # noqa: E731
    step = tf.constant(12, tf.int64)
    plain, xla = tf.function(rows)(step), tf.function(rows, jit_compile=True)(step)
    np.testing.assert_allclose(tf.cast(plain, tf.float32), tf.cast(xla, tf.float32), atol=1e-6)


def test_keep_has_its_probability():
    kept = keep(3, 0, 0, [1000, 301], round(0.3 * 2**16)).numpy()
    assert kept.dtype == bool
    np.testing.assert_allclose([kept.mean(), kept[:, ::2].mean(), kept[::2].mean()], 0.7, atol=3e-3)
    assert keep(3, 0, 0, [10, 3], 0).numpy().all()


def test_keys_and_steps_are_independent():
    a = normal(key_of(0, "a"), 0, 0, [20_000, 1])
    for other in (normal(key_of(0, "b"), 0, 0, [20_000, 1]), normal(key_of(1, "a"), 0, 0, [20_000, 1]),
                  normal(key_of(0, "a"), 1, 0, [20_000, 1])):  # fmt: skip
        assert abs(np.corrcoef(a[:, 0], other[:, 0])[0, 1]) < 0.03


def test_moments():
    x = normal(key_of(5, "x"), 2, 0, [50_000, 4]).numpy()
    np.testing.assert_allclose([x.mean(), x.std(), (x**4).mean()], [0, 1, 3], atol=0.05)
    u = uniform(key_of(5, "u"), 2, 0, [50_000, 4]).numpy()
    assert u.min() >= 0 and u.max() < 1
    np.testing.assert_allclose([u.mean(), u.var()], [0.5, 1 / 12], atol=2e-3)


def test_keys_are_fixed_for_good():
    # a checkpoint from another machine or version must resume to the same draws
    assert key_of(0, "latents") == 10480879795186005038
    np.testing.assert_allclose(uniform(1, 2, 3, [1, 2]), [[0.86732095, 0.39939874]], atol=1e-6)


def test_streams_need_a_step_and_name_their_passes():
    streams = RandomStreams(0)
    with pytest.raises(InputError, match="outside a step"):
        streams.normal("latents", [2, 2])
    with streams.at(0, 0):
        first = streams.normal("latents", [2, 2])
        with streams.scope("generator"):
            second = streams.normal("latents", [2, 2])
        np.testing.assert_array_equal(first, streams.normal("latents", [2, 2]))
    assert not np.allclose(first, second)
    assert not streams.active
    with streams.at(0, 1):
        np.testing.assert_allclose(streams.normal("latents", [1, 2]), first[1:], atol=1e-6)
        second = streams.normal("latents", [2, 2])  # rows 2 and 3: parts are equal
    with streams.at(0, 0):
        np.testing.assert_allclose(second, streams.normal("latents", [4, 2])[2:], atol=1e-6)


def test_seeded_initialisers_leave_the_callers_state_alone():
    import random

    import keras

    def weights(seed):
        with seeded(seed):
            return keras.layers.Dense(3).build((None, 2)) or keras.initializers.GlorotUniform()((2, 3))

    random.seed(4)
    expected = random.random()
    random.seed(4)
    a, b, c = weights(0), weights(0), weights(1)
    assert random.random() == expected
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_host_generator_is_a_function_of_seed_and_purpose():
    a, b = host_generator(0, "epoch/1").permutation(100), host_generator(0, "epoch/1").permutation(100)
    np.testing.assert_array_equal(a, b)
    assert (a != host_generator(0, "epoch/2").permutation(100)).mean() > 0.9


def test_a_model_leaves_the_callers_random_state_as_it_was():
    import random

    from ganlib.models import SNGAN, CycleGAN, Pix2Pix

    random.seed(5)
    state = random.getstate()
    for cls in (SNGAN, Pix2Pix, CycleGAN):  # with averages and without
        cls.from_preset("smoke", seed=3)
        assert random.getstate() == state, cls
