"""Resampling against the official code's arrays, and each quick form against the plain one that it stands for.

tests/data/stylegan2_ops.npz: the reference operations of NVlabs/stylegan2-ada-pytorch at d72cc7d; pggan_blocks.npz: the
formulas of tkarras/progressive_growing_of_gans at 2504c3f. Both keep images as (channels, height, width).
"""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ganlib.layers import resampling as r

REFERENCE = dict(np.load(Path(__file__).parent / "data" / "stylegan2_ops.npz"))
PGGAN = dict(np.load(Path(__file__).parent / "data" / "pggan_blocks.npz"))
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 6, 8, 2))  # float64
KERNELS = {size: RNG.normal(size=(size, size, 2, 5)) for size in (1, 3)}
PASCAL = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def nhwc(array):
    return array.transpose(0, 2, 3, 1)


def hwio(array):
    return array.transpose(2, 3, 1, 0)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def equal(found, expected):
    """The same function, computed in another order."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("upsample2d_up2", r.smooth_up),
        ("downsample2d_down2", r.smooth_down),
        ("filter2d", lambda x: r.upfirdn(x, PASCAL, padding=(2, 1, 2, 1))),
        (
            "asym_up2_pad2110_gain1p5_noflip",
            lambda x: r.upfirdn(x, REFERENCE["upfirdn/filter_asym"], 2, 1, (2, 1, 1, 0), 1.5),
        ),
        (
            "asym_up2_pad2110_gain1p5_flip",
            lambda x: r.upfirdn(x, REFERENCE["upfirdn/filter_asym"][::-1, ::-1], 2, 1, (2, 1, 1, 0), 1.5),
        ),
        (
            "asym_down2_pad1212_noflip",
            lambda x: r.upfirdn(x, REFERENCE["upfirdn/filter_asym"], down=2, padding=(1, 2, 1, 2)),
        ),
    ],
)
def test_filters_are_the_official_ones(key, found):
    close(found(tf.constant(nhwc(REFERENCE["upfirdn/x"]))), nhwc(REFERENCE[f"upfirdn/{key}"]))


@pytest.mark.parametrize(
    ("key", "function", "kernel"),
    [
        ("k3_none_pad1_corr", r.convolved, hwio(REFERENCE["resample/w3"])),
        # the official code turns the kernel around on the way up
        ("k3_up2_pad1_flipFalse", r.smooth_up_convolved, hwio(REFERENCE["resample/w3"])[::-1, ::-1]),
        ("k3_up2_pad1_flipTrue", r.smooth_up_convolved, hwio(REFERENCE["resample/w3"])),
        ("k3_down2_pad1_flipTrue", r.smooth_down_convolved, hwio(REFERENCE["resample/w3"])),
        ("k1_down2_flipTrue", r.smooth_down_convolved, hwio(REFERENCE["resample/w1"])),
        ("k1_up2_flipFalse", r.smooth_up_convolved, hwio(REFERENCE["resample/w1"])),
    ],
)
def test_resampling_convolutions_are_the_official_ones(key, function, kernel):
    found = function(tf.constant(nhwc(REFERENCE["resample/x"])), tf.constant(kernel.copy()))
    close(found, nhwc(REFERENCE[f"resample/{key}"]))


def test_fused_convolutions_are_pggans():
    turned = PGGAN["fused_up/w_kkoi"].transpose(0, 1, 3, 2)[::-1, ::-1].copy()
    close(r.nearest_up_convolved(nhwc(PGGAN["fused_up/x"]), turned), nhwc(PGGAN["fused_up/y"]))
    close(
        r.convolved_box_down(nhwc(PGGAN["fused_down/x"]), PGGAN["fused_down/w_kkio"]),
        nhwc(PGGAN["fused_down/y"]),
    )


def test_nearest_neighbours_and_boxes_are_numpys():
    equal(r.nearest_up(IMAGES), IMAGES.repeat(2, axis=1).repeat(2, axis=2))
    equal(r.box_down(IMAGES), IMAGES.reshape(3, 3, 2, 4, 2, 2).mean(axis=(2, 4)))
    equal(r.box_down(tf.constant(IMAGES[:, :, :6]), 6)[:, 0, 0], IMAGES[:, :, :6].mean(axis=(1, 2)))
    assert r.box_down(IMAGES, 1) is IMAGES


def test_each_quick_form_is_the_plain_one():
    x, three, one = tf.constant(IMAGES), *(tf.constant(KERNELS[size]) for size in (3, 1))
    equal(r.nearest_up_convolved(x, three), r.convolved(r.nearest_up(x), three))
    equal(r.convolved_box_down(x, three), r.box_down(r.convolved(x, three)))
    equal(r.blurred(x), r.upfirdn(x, np.outer([1, 2, 1], [1, 2, 1]) / 16, padding=(1, 1, 1, 1)))
    equal(r.smooth_up(x), r.upfirdn(x, PASCAL, up=2, padding=(2, 1, 2, 1), gain=4))
    equal(r.smooth_down(x), r.upfirdn(x, PASCAL, down=2, padding=(1, 1, 1, 1)))
    equal(r.smooth_up_convolved(x, one), r.convolved(r.smooth_up(x), one))
    equal(r.smooth_down_convolved(x, one), r.convolved(r.smooth_down(x), one))
    wide = r.upfirdn(x, PASCAL, up=2, padding=(3, 2, 3, 2), gain=4)
    equal(r.smooth_up_convolved(x, three), tf.nn.conv2d(wide, three, 1, "VALID"))
    wide = r.upfirdn(x, PASCAL, padding=(2, 2, 2, 2))
    equal(r.smooth_down_convolved(x, three), tf.nn.conv2d(wide, three, 2, "VALID"))


def test_negative_padding_crops():
    equal(r.upfirdn(IMAGES, np.ones((1, 1)), padding=(-1, -2, -3, 1))[:, :3], IMAGES[:, 3:, 1:-2])
    assert r.upfirdn(IMAGES, np.ones((1, 1)), padding=(-1, -2, -3, 1)).shape == (3, 4, 5, 2)


ALL = {
    "nearest_up": r.nearest_up,
    "box_down": r.box_down,
    "blurred": r.blurred,
    "smooth_up": r.smooth_up,
    "smooth_down": r.smooth_down,
    "upfirdn": lambda x: r.upfirdn(x, REFERENCE["upfirdn/filter_asym"], 2, 1, (2, 1, 2, 1)),
    **{
        name: lambda x, name=name: getattr(r, name)(x, tf.cast(KERNELS[3], x.dtype))
        for name in (
            "nearest_up_convolved",
            "convolved_box_down",
            "smooth_up_convolved",
            "smooth_down_convolved",
        )
    },
}


@pytest.mark.parametrize("name", ALL)
def test_any_number_of_images_and_other_precisions(name):
    function = ALL[name]
    traced = tf.function(function, input_signature=[tf.TensorSpec([None, 6, 8, 2], tf.float64)])
    for n in (3, 1):
        equal(traced(IMAGES[:n]), function(tf.constant(IMAGES[:n])))
    half = function(tf.constant(IMAGES, tf.bfloat16))
    assert half.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(half, tf.float64), function(tf.constant(IMAGES)), rtol=0.05, atol=0.2)


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_the_transposed_functions(name):
    """All are linear: what f does to x, weighted by y, is x weighted by the gradient; and so once more."""
    x, y = tf.constant(IMAGES), None
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            tape.watch(x)
            images = ALL[name](x)
            y = tf.constant(RNG.normal(size=images.shape))
            outer.watch(y)
            weighted = tf.reduce_sum(images * y)
        gradient = tape.gradient(weighted, x)
        again = tf.reduce_sum(gradient * tf.stop_gradient(x))
    np.testing.assert_allclose(again, weighted, rtol=1e-10)
    equal(outer.gradient(again, y), images)


def test_second_derivatives_of_all_in_a_row():
    """The gradient of a squared slope against its finite difference along itself, in float64."""
    kernel = tf.constant(RNG.normal(size=(3, 3, 2, 2)))
    weights = tf.constant(RNG.normal(size=IMAGES.shape))

    def squared_slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.tanh(r.nearest_up_convolved(x, kernel))
            y = tf.tanh(r.smooth_down_convolved(r.smooth_up_convolved(r.blurred(y), kernel), kernel))
            y = tf.tanh(r.convolved_box_down(r.smooth_up(r.nearest_up(r.smooth_down(y))), kernel))
            along = tf.reduce_sum(r.box_down(y) * weights)
        return tf.reduce_sum(tf.square(tape.gradient(along, x)))

    x = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = squared_slope(x)
    gradient = tape.gradient(value, x)
    step = 1e-5 * gradient / tf.norm(gradient)
    slope = (squared_slope(x + step) - squared_slope(x - step)) / 2e-5
    np.testing.assert_allclose(slope, tf.norm(gradient), rtol=1e-6)
    assert float(slope) > 1e-3
