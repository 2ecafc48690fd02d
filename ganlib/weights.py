"""Files of weights: the networks of a model and nothing else, checked by name and shape before anything is read."""

import contextlib
import math
import os
from collections.abc import Mapping
from pathlib import Path

import h5py
import keras

from ganlib.errors import CheckpointError, InputError

Networks = Mapping[str, keras.Model]
Shapes = dict[str, list[tuple[int, ...]]]


def save(networks: Networks, filepath: str | Path, overwrite: bool = True) -> None:
    """Write networks to a `.weights.h5` file: beside, then renamed.

    Raises:
        InputError: The name has another ending, or exists and is not to be overwritten.
        CheckpointError: The file cannot be written.
    """
    path = _weights_path(filepath)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists: choose another name, or overwrite=True")
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _holder(networks).save_weights(beside, overwrite=True)
        beside.replace(path)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written ({error}): free space or choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def load(networks: Networks, filepath: str | Path, model: str) -> None:
    """Read what `save` wrote, after checking every name and shape.

    Args:
        networks: To fill.
        filepath: The file.
        model: Whose networks they are, for messages.

    Raises:
        CheckpointError: The file is missing, damaged, or of another model. The weights are as they were.
    """
    path = _weights_path(filepath)
    expected = {name: sorted(tuple(v.shape) for v in network.weights) for name, network in networks.items()}
    try:
        with h5py.File(path, "r") as file:
            found = _shapes_in_file(file)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist: give the path of a .weights.h5 file") from None
    except (OSError, KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is not a readable weights file ({error}): save or copy it again"
        ) from error
    if found != expected:
        network = next(name for name in {**expected, **found} if expected.get(name) != found.get(name))
        raise CheckpointError(
            f"{path} does not fit {model}: its {network} has {_summary(found.get(network))}, here "
            f"{_summary(expected.get(network))}; build the model with the arguments that it was saved with"
        )
    _holder(networks).load_weights(path)


def _weights_path(filepath: str | Path) -> Path:
    path = Path(filepath)
    if not path.name.endswith(".weights.h5"):
        raise InputError(f"{path} is not a name for weights: end it with .weights.h5")
    return path


def _holder(networks: Networks) -> keras.Model:
    """A Keras model of the networks and nothing else: a file of weights has no optimisers in it."""
    holder = keras.Model()
    for name, network in networks.items():
        setattr(holder, name, network)
    holder.built = True
    return holder


def _shapes_in_file(file: h5py.File) -> Shapes:
    found: Shapes = {}

    def note(path, item):
        if isinstance(item, h5py.Dataset) and "/seed_generator/" not in path:
            found.setdefault(path.split("/")[0], []).append(tuple(item.shape))

    file.visititems(note)
    return {network: sorted(shapes) for network, shapes in found.items()}


def _summary(shapes: list[tuple[int, ...]] | None) -> str:
    if shapes is None:
        return "no variables"
    return f"{len(shapes)} variables, {sum(math.prod(shape) for shape in shapes):,} numbers"
