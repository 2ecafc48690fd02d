"""The same model on 1 or N replicas: strategies, and logical devices that stand in for real ones."""

import contextlib
import re

import tensorflow as tf

from ganlib.errors import InputError

_MOST = 256  # logical devices


def strategy(name: str = "none") -> tf.distribute.Strategy:
    """The strategy called `name`; build and compile the model inside `strategy(...).scope()`.

    Args:
        name: "none": one device. "mirrored" or "mirrored:N": all GPUs, or N of them, of this machine; without GPUs the
            same as "cpu:N". "cpu:N": N logical devices of the CPU, which show that the arithmetic is right, not how
            fast it is. "tpu" or "tpu:ADDRESS": the TPU of this machine, or at an address. This was never run on a TPU.
            One v5e chip, which is what Colab lends, is one replica: it shows no scaling.

    Raises:
        InputError: There is no such strategy, this machine has not got the devices, or a strategy's scope is open.
    """
    kind, _, argument = name.partition(":") if isinstance(name, str) else (name, "", "")
    if kind == "none" and not argument:
        return tf.distribute.get_strategy()
    if tf.distribute.has_strategy():
        raise InputError(f"strategy({name!r}) inside of another strategy's scope: leave one of them out")
    if kind == "mirrored" and re.fullmatch(r"[1-9]\d*|", argument):
        return _mirrored(int(argument) if argument else None)
    if kind == "cpu" and re.fullmatch(r"[1-9]\d*", argument):
        return _logical(int(argument))
    if kind == "tpu":
        return _tpu(argument)
    raise InputError(
        f"there is no strategy {name!r}: choose none, mirrored, mirrored:N, cpu:N, tpu or tpu:ADDRESS"
    )


def logical_devices(n: int) -> list[str]:
    """Split the CPU into `n` logical devices, which behave as N GPUs would, and return their names.

    Raises:
        InputError: TensorFlow has already started with another number of devices.
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= _MOST:
        raise InputError(f"n={n!r} logical devices: give an integer from 1 to {_MOST}")
    cpus = tf.config.list_physical_devices("CPU")
    with contextlib.suppress(RuntimeError):  # TensorFlow has already started: perhaps with enough of them
        tf.config.set_logical_device_configuration(
            cpus[0], [tf.config.LogicalDeviceConfiguration() for _ in range(n)]
        )
    names = [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(names) < n:
        raise InputError(
            f"{n} logical devices: TensorFlow has already started with {len(names)}; ask for them before the first "
            "model or dataset is made (restart the kernel and run this cell first)"
        )
    return names[:n]


def _logical(n: int) -> tf.distribute.Strategy:
    # The default's collective kernels number their calls for each strategy anew: the second strategy of a process
    # meets the shapes of the first, and fails.
    return tf.distribute.MirroredStrategy(logical_devices(n), tf.distribute.ReductionToOneDevice())


def _mirrored(n: int | None) -> tf.distribute.Strategy:
    if not tf.config.list_physical_devices("GPU"):
        return _logical(n or 1)
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    if n is not None and n > len(gpus):
        raise InputError(
            f"mirrored:{n}: this machine has {len(gpus)} GPUs; use mirrored:{len(gpus)} or fewer"
        )
    return tf.distribute.MirroredStrategy(gpus[:n])


def _tpu(address: str) -> tf.distribute.Strategy:
    # without an address: the chips of this very machine, as on Colab, else what TPU_NAME names
    for place in [address] if address else ["local", ""]:
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=place)
            tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
        except (ValueError, tf.errors.OpError) as error:
            failure = error
        else:
            return tf.distribute.TPUStrategy(resolver)
    reason = next(iter(str(failure).splitlines()), type(failure).__name__)
    raise InputError(
        f"tpu{':' * bool(address)}{address}: no TPU answers ({reason}); use none or mirrored"
    ) from failure
