"""One device and two, in lessons: the same steps of a model on each, and how far apart they end.

What is compared is alike: both runs are on the CPU, as one logical device and as two, whatever else the machine has,
since a GPU rounds otherwise. And it is smooth: a ReLU whose input is within rounding of 0 has the slope 0 on one device
and 1 on two, and a single such unit can move weights by 7e-4 in one step of plain descent (measured over builds and
seeds). So ReLUs, leaky or not, are replaced by x * sigmoid(x), and maxima of maxout by the logarithm of the sum of
exponentials. What is left of kinks, max pooling, hinge and absolute differences, is rarely met. The optimiser is plain
descent, which keeps rounding as small as it is; Adam divides by the size of a gradient, and makes whole steps of it
where the gradient is zero.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from ganlib import scaling
from ganlib.errors import InputError
from ganlib.layers.maxout import Maxout

if TYPE_CHECKING:
    from ganlib.engine import Engine

MOVED = 1e-3  # weights that move less than this in all steps have been compared with themselves


class Comparison(NamedTuple):
    """How a run on one logical device of the CPU and one on two ended.

    Attributes:
        steps: Of plain descent.
        moved: The largest change of a trained weight on one device.
        apart: The largest difference of a weight or statistic between both.
    """

    steps: int
    moved: float
    apart: float

    def within(self, tolerance: float) -> str:
        """A sentence for a lesson to print, the same on every machine.

        Raises:
            AssertionError: No weight moved by 0.001, or one is further apart than `tolerance`.
        """
        if not self.moved > MOVED:
            raise AssertionError(f"no weight moved by more than {self.moved:.1e}: take larger steps")
        if not self.apart < tolerance:
            raise AssertionError(f"weights are {self.apart:.1e} apart, not within {tolerance:g}")
        steps = f"{self.steps} step{'s' * (self.steps > 1)}"
        return (
            f"replicas: 1 and 2, both on the CPU, with smooth units; {steps} of SGD - weights agree to "
            f"{np.format_float_positional(tolerance)}"
        )


def one_and_two(make: Callable[[], "Engine"], data: Any, *, steps: int = 3, rate: float = 0.1) -> Comparison:
    """Some steps of plain descent on one logical device and on two, from the same weights; see the top of the file.

    Args:
        make: Makes the model, the same each time.
        data: What it learns from, one by one, as `ganlib.data.load` gives it.
        steps: How many.
        rate: Of all players' SGD.

    Raises:
        InputError: The two models do not start alike, or TensorFlow has started with fewer than two logical devices
            (ask for them before all else, by `scaling.logical_devices(2)`).
    """
    scaling.logical_devices(2)
    (start, one, moved), (other, two, _) = (_run(make, data, steps, rate, devices) for devices in (1, 2))
    if _largest(start, other) > 0:
        raise InputError("the model starts from other weights each time it is made: give it a seed")
    return Comparison(steps, moved, _largest(one, two))


def smooth(network: keras.Model) -> int:
    """Make ReLUs, leaky or not, as layers or as activations of layers, and maxout smooth: how many layers had them."""
    kinds, count = (keras.layers.ReLU, keras.layers.LeakyReLU), 0
    for layer in network._flatten_layers(include_self=False):
        if isinstance(layer, kinds):
            layer.call = keras.activations.silu
            count += 1
        elif isinstance(layer, Maxout):
            layer.call = functools.partial(_smooth_maxout, layer)
            count += 1
        elif getattr(getattr(layer, "activation", None), "__name__", "") in ("relu", "leaky_relu"):
            layer.activation = keras.activations.silu
            count += 1
    return count


def _smooth_maxout(layer, inputs):
    pieces = keras.ops.reshape(layer.dense(inputs), (-1, layer.units, layer.pieces))
    return keras.ops.logsumexp(pieces, axis=-1)


def _run(make, data, steps, rate, devices):
    """All weights before and after, and how far the trained ones moved."""
    with scaling.strategy(f"cpu:{devices}").scope():
        gan = make()
        networks = list(gan.players().values())
        for network in networks:
            smooth(network)
        roles = [role for role in ("generator", "discriminator", "encoder") if gan.players_of(role)]
        # a few steps take less time than tracing them
        gan.compile(**{f"{role}_optimizer": keras.optimizers.SGD(rate) for role in roles}, run_eagerly=True)
    start, trained = _values(networks, "weights"), _values(networks, "trainable_variables")
    gan.fit(data.batch(gan.batch_size), steps_per_epoch=steps, verbose=0)
    moved = _largest(trained, _values(networks, "trainable_variables"))
    return start, _values(networks, "weights"), moved


def _values(networks: list[keras.Model], which: str) -> list[np.ndarray]:
    return [variable.numpy() for network in networks for variable in getattr(network, which)]


def _largest(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return float(np.max([np.abs(x - y).max() for x, y in zip(a, b, strict=True)]))  # NaN, if one is
