"""Files of weights: the networks of a model and nothing else, checked by name and shape before anything is read."""

import contextlib
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import keras
import numpy as np

from ganlib.errors import CheckpointError, InputError
from ganlib.hashes import hash_of

Networks = Mapping[str, keras.Model]
Shapes = dict[str, list[tuple[int, ...]]]
_CHECKSUM, _MODEL, _DEEPEST = "ganlib_checksum", "ganlib_model", 64


def save(networks: Networks, filepath: str | Path, overwrite: bool = True, model: str | None = None) -> None:
    """Write networks to a `.weights.h5` file: beside, then renamed. `model` notes whose they are.

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
        if model is not None:
            with h5py.File(beside, "r+") as file:
                file.attrs[_MODEL] = model
        seal(beside)
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
    found = require_sound(path)
    if found != expected:
        network = next(name for name in {**expected, **found} if expected.get(name) != found.get(name))
        raise CheckpointError(
            f"{path} does not fit {model}: its {network} has {_summary(found.get(network))}, here "
            f"{_summary(expected.get(network))}; build the model with the arguments that it was saved with"
        )
    with h5py.File(path, "r") as file:
        of = file.attrs.get(_MODEL, model)
    if of != model:
        warnings.warn(f"{path} holds weights of a {of}; they fit this {model}, and are loaded", stacklevel=3)
    variables = [variable for network in networks.values() for variable in network.variables]
    before = [keras.ops.convert_to_numpy(variable) for variable in variables]
    try:
        _holder(networks).load_weights(path)
    except Exception as error:  # Keras raises several kinds on names that it does not know
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        raise CheckpointError(
            f"{path} does not fit {model} ({' '.join(str(error).split())[:200]}): its shapes do, its names do not; "
            "save it again with this version"
        ) from error


def seal(path: str | Path) -> None:
    """Note a checksum of all that a file of weights holds, which `require_sound` compares."""
    with h5py.File(path, "r+") as file:
        file.attrs[_CHECKSUM] = _checksum(dict(_datasets(file)))


def require_sound(path: str | Path, sealed: bool = False) -> Shapes:
    """Check a file of weights before anything is made of it.

    Args:
        path: The file.
        sealed: It must have a checksum; one that has is compared with it in any case.

    Returns:
        The shapes of each network's variables, sorted.

    Raises:
        CheckpointError: It is missing, not HDF5, damaged, not finite, or refers to other files.
    """
    path, found = Path(path), {}
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path} is no regular file: give the path of a .weights.h5 file")
    try:
        with h5py.File(path, "r") as file:
            datasets = dict(_datasets(file))
            checksum = file.attrs.get(_CHECKSUM)
            if (sealed and checksum is None) or checksum not in (None, _checksum(datasets)):
                raise CheckpointError(
                    f"{path} is damaged (its checksum is another): get it again from where it was"
                )
            for name, dataset in datasets.items():
                values = dataset[()]
                if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
                    raise CheckpointError(f"{path}: {name} is not finite; use weights from before that")
                if "/seed_generator/" not in name:
                    found.setdefault(name.split("/")[0], []).append(tuple(dataset.shape))
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist: give the path of a .weights.h5 file") from None
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} is not a readable weights file ({' '.join(str(error).split())[:200]}): save or copy it again"
        ) from error
    return {network: sorted(shapes) for network, shapes in found.items()}


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Path -> dataset, for all of a file; what lies elsewhere, or deeper than any network's, is an error."""
    waiting = [("", file)]
    while waiting:
        path, group = waiting.pop()
        if path.count("/") > _DEEPEST:
            raise ValueError(f"groups in groups, more than {_DEEPEST} deep")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{path}{name} is a link")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append((f"{path}{name}/", item))
            elif item.external or item.is_virtual:
                raise ValueError(f"{path}{name} is kept in another file")
            else:
                yield f"{path}{name}", item


def _checksum(datasets: dict[str, h5py.Dataset]) -> str:
    return hash_of(*(part for name in sorted(datasets) for part in (name, np.asarray(datasets[name][()]))))


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


def _summary(shapes: list[tuple[int, ...]] | None) -> str:
    if shapes is None:
        return "no variables"
    return f"{len(shapes)} variables, {sum(math.prod(shape) for shape in shapes):,} numbers"
