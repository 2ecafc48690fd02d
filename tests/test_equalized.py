"""The equalized learning rate: official arrays and constants, initial distributions, the forms of its convolution."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.layers import equalized, resampling
from ganlib.layers.equalized import Bias, EqualizedConv2D, EqualizedDense
from ganlib.randomness import seeded

REFERENCE = dict(np.load(Path(__file__).parent / "data" / "stylegan2_ops.npz"))
ROOT2 = math.sqrt(2.0)
IMAGES = np.random.default_rng(0).normal(size=(3, 6, 8, 2)).astype(np.float32)
CONVOLUTIONS = {
    "EqualizedConv2D": resampling.convolved,
    "EqualizedUpConv2D": lambda x, k: resampling.convolved(resampling.nearest_up(x), k),
    "EqualizedDownConv2D": lambda x, k: resampling.box_down(resampling.convolved(x, k)),
    "EqualizedBlurUpConv2D": lambda x, k: resampling.blurred(
        resampling.convolved(resampling.nearest_up(x), k)
    ),
    "EqualizedBlurDownConv2D": lambda x, k: resampling.box_down(
        resampling.convolved(resampling.blurred(x), k)
    ),
    "EqualizedSmoothDownConv2D": resampling.smooth_down_convolved,
    "EqualizedSmoothUpConv2D": resampling.smooth_up_convolved,
}


def built(layer, *shape):
    layer.build(shape)
    return layer


@pytest.mark.parametrize(("key", "lr_multiplier"), [("lrmul1", 1.0), ("lrmul0p01", 0.01)])
def test_a_dense_layer_is_stylegan2s(key, lr_multiplier):
    layer = built(EqualizedDense(7, lr_multiplier=lr_multiplier), None, 12)
    for name in {f"fc_{kind}_{key}" for kind in ("linear", "lrelu")} - {"fc_linear_lrmul0p01"}:
        layer.set_weights([REFERENCE[f"{name}/weight"].T, REFERENCE[f"{name}/bias"]])
        y = layer(REFERENCE["norm2/x"]).numpy()
        y = np.where(y > 0, y, 0.2 * y) * ROOT2 if "lrelu" in name else y
        np.testing.assert_allclose(y, REFERENCE[f"{name}/y"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "inputs", "constant"),
    [
        # the factors of the official PGGAN at 1024x1024
        (EqualizedDense(8192, ROOT2 / 4), (512,), 0.015625),
        (EqualizedConv2D(512, gain=ROOT2), (None, None, 512), 0.020833333333333336),
        (equalized.EqualizedUpConv2D(256, gain=ROOT2), (8, 8, 512), 0.020833333333333336),
        (EqualizedConv2D(3, 1), (None, None, 16), 0.25),
        (EqualizedConv2D(16, 1, gain=ROOT2), (None, None, 3), 0.8164965809277261),
        (EqualizedConv2D(512, gain=ROOT2), (4, 4, 513), 0.020813018035148755),
        (EqualizedDense(512, ROOT2), (8192,), 0.015625),
        (EqualizedDense(1), (512,), 0.044194173824159216),
    ],
)
def test_factors_are_pggans(layer, inputs, constant, monkeypatch):
    monkeypatch.setattr(keras.initializers, "RandomNormal", lambda stddev: "zeros")
    assert built(layer, None, *inputs).scale == pytest.approx(constant, rel=1e-12)


@pytest.mark.parametrize("lr_multiplier", [1.0, 0.01])
def test_where_the_constant_is_does_not_change_the_start(lr_multiplier):
    with seeded(1):
        scaled = built(EqualizedDense(50, ROOT2, lr_multiplier), None, 200)
    with seeded(1):
        drawn = built(EqualizedDense(50, ROOT2, lr_multiplier, equalized=False), None, 200)
    x = np.random.default_rng(1).normal(size=(4, 200)).astype(np.float32)
    np.testing.assert_allclose(scaled(x), drawn(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.std(scaled.kernel) * lr_multiplier, 1.0, rtol=0.02)
    np.testing.assert_allclose(np.std(drawn.kernel) * lr_multiplier, 0.1, rtol=0.02)
    with seeded(1):
        conv, other = (
            built(EqualizedConv2D(60, gain=ROOT2, equalized=e), 1, 6, 8, 20) for e in (True, False)
        )
    np.testing.assert_allclose(
        [np.std(conv.kernel), np.std(other.kernel)], [1.0, ROOT2 / math.sqrt(180)], rtol=0.03
    )


def test_adam_moves_all_weights_at_one_speed():
    """By the rate times the constant where layers are equalized, by the rate alone where they are not."""
    for on, expected in ((True, 1e-3 * 0.1), (False, 1e-3)):
        layer = built(EqualizedDense(3, equalized=on), None, 100)
        before = layer.scale * layer.kernel.numpy()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(tf.ones([2, 100])))
        optimizer = keras.optimizers.Adam(1e-3)
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
        moved = before - layer.scale * layer.kernel.numpy()
        np.testing.assert_allclose(moved, np.full((100, 3), expected), rtol=1e-2)


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name, kernel_size):
    kind = getattr(equalized, name)
    layer = built(kind(5, kernel_size, gain=2.0), *IMAGES.shape)
    layer.bias.assign(np.arange(5.0))
    expected = CONVOLUTIONS[name](IMAGES, layer.kernel.value * 2 / (kernel_size * ROOT2)) + np.arange(5.0)
    np.testing.assert_allclose(layer(IMAGES), expected, rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape((None, 6, 8, 2)) == (None, *expected.shape[1:])
    plain = built(kind(5, kernel_size, use_bias=False), *IMAGES.shape)
    assert [v.name for v in plain.weights] == ["kernel"]


@pytest.mark.parametrize("name", [*CONVOLUTIONS, "Bias"])
def test_in_functional_models_and_back_from_files(name, tmp_path):
    layer = Bias() if name == "Bias" else getattr(equalized, name)(5, gain=2.0, name="it")
    network = keras.Sequential([keras.Input((6, 8, 2)), layer, keras.layers.Flatten()])
    network.add(EqualizedDense(4, 1.5, 0.01, bias_initializer="ones"))
    assert network.output_shape == (None, 4)
    assert network(IMAGES[:1]).shape == (1, 4)
    network.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    assert [a.get_config() for a in again.layers] == [b.get_config() for b in network.layers]
    np.testing.assert_array_equal(again(IMAGES), network(IMAGES))


def test_sizes_may_be_open():
    image = keras.Input((None, None, 2))
    network = keras.Model(image, equalized.EqualizedSmoothDownConv2D(4)(EqualizedConv2D(3)(image)))
    assert network.output_shape == (None, None, None, 4)
    assert network(IMAGES).shape == (3, 3, 4, 4)


def test_half_precision_keeps_its_weights():
    for layer in (EqualizedConv2D(3, dtype="mixed_float16"), Bias(dtype="mixed_float16")):
        outputs = layer(tf.constant(IMAGES, tf.float16))
        assert outputs.dtype == tf.float16 and layer.weights[0].dtype == "float32"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EqualizedDense(0), "units=0 is out of range"),
        (lambda: EqualizedDense(3, gain=0), "gain=0 is out of range"),
        (lambda: EqualizedDense(3, lr_multiplier=-1.0), r"lr_multiplier=-1.0 is out of range"),
        (lambda: EqualizedConv2D(1.5), r"filters=1.5 is out of range"),
        (lambda: EqualizedConv2D(3, 2), "kernel_size=2 is out of range: give 1 or 3"),
        (lambda: EqualizedConv2D(3, gain=math.nan), "gain=nan is out of range"),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(InputError, match=message):
        make()
