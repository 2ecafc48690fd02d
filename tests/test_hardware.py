"""What lessons say about more hardware: one device and two of a kind, and smooth units."""

import keras
import numpy as np
import pytest

from ganlib.layers.maxout import Maxout
from ganlib.teaching.hardware import Comparison, smooth

COMPARED = """
import ganlib

ganlib.scaling.logical_devices(2)
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization
from ganlib.teaching import hardware

data, seeds, used = ganlib.data.load("fashion_mnist", resolution=8), iter(range(10)), []
strategy = ganlib.scaling.strategy
hardware.scaling.strategy = lambda name: used.append(strategy(name)) or used[-1]


def compared(seed=lambda: 0):
    make = lambda: ganlib.models.DCGAN.from_preset("smoke", seed=seed())
    return hardware.one_and_two(make, data, steps=2)


result = {"alike": compared()}
result["devices"] = [list(one.extended.worker_devices) for one in used]
result["replicas"] = [one.num_replicas_in_sync for one in used]
try:
    compared(lambda: next(seeds))
except InputError as error:
    result["error"] = str(error)
BatchNormalization._synchronized = lambda self, inputs, context: self._fused(inputs)  # of half a batch
result["apart"] = compared()
"""


def test_one_device_and_two_are_of_a_kind_and_agree_and_what_is_wrong_is_seen(run_python):
    result = run_python(COMPARED, devices=2)
    assert result["replicas"] == [1, 2]
    devices = [device for some in result["devices"] for device in some]
    assert len(devices) == 3 and all("CPU" in device for device in devices)
    alike, apart = Comparison(*result["alike"]), Comparison(*result["apart"])
    assert alike.steps == 2 and alike.moved > 1e-3 and alike.apart < 1e-5
    sentence = (
        "replicas: 1 and 2, both on the CPU, with smooth units; 2 steps of SGD - weights agree to 0.0001"
    )
    assert alike.within(1e-4) == sentence
    assert apart.apart > 1e-4  # statistics of half a batch each
    with pytest.raises(AssertionError, match=r"apart, not within 0\.0001"):
        apart.within(1e-4)
    assert "starts from other weights each time it is made: give it a seed" in result["error"]


def test_weights_that_stand_still_are_no_comparison():
    with pytest.raises(AssertionError, match=r"no weight moved by more than 1\.0e-06: take"):
        Comparison(3, 1e-6, 0.0).within(1e-4)


def test_smooth_units_have_one_slope_at_zero():
    layers = keras.layers
    x = keras.Input((4,))
    h = layers.LeakyReLU(0.2)(layers.ReLU()(layers.Dense(4, activation="relu")(x)))
    network = keras.Model(x, layers.Dense(4, activation="tanh")(layers.Dense(4, activation="leaky_relu")(h)))
    assert smooth(network) == 4
    inputs = np.float32([[-2.0, -1e-3, 1e-3, 2.0]])
    for unit in network.layers[2:4]:  # the ReLU, the leaky one
        np.testing.assert_allclose(unit(inputs), inputs / (1 + np.exp(-inputs)), rtol=1e-5)
    assert [layer.activation.__name__ for layer in network.layers if hasattr(layer, "units")] == [
        "silu",
        "silu",
        "tanh",
    ]
    x = keras.Input((3,))
    piecewise = keras.Model(x, Maxout(2, 2)(x))
    assert smooth(piecewise) == 1
    inputs = np.float32([[0.3, -2.0, 1.0]])
    pieces = piecewise.layers[-1].dense(inputs).numpy().reshape(2, 2)
    np.testing.assert_allclose(piecewise(inputs), np.log(np.exp(pieces).sum(axis=1))[None], rtol=1e-5)
    assert smooth(network) == 2  # layers stay ReLUs by name; activations are others now
