"""Files of weights: whole, sound and of this model, or refused with the weights as they were."""

import h5py
import keras
import numpy as np
import pytest

from ganlib import weights
from ganlib.errors import CheckpointError


def networks():
    """Two small networks whose weights are all different."""
    keras.utils.set_random_seed(0)
    first = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(4)])
    second = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    return {"generator": first, "discriminator": second}


def values(of):
    return [v.numpy().copy() for network in of.values() for v in network.variables]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "a.weights.h5"
    weights.save(networks(), path)
    return path


def refused(path, match):
    """Loading fails with this message and changes nothing."""
    of = networks()
    for variable in (v for network in of.values() for v in network.variables):
        variable.assign(variable + 1)
    before = values(of)
    with pytest.raises(CheckpointError, match=match):
        weights.load(of, path, "Model")
    for was, now in zip(before, values(of), strict=True):
        np.testing.assert_array_equal(now, was)


def test_what_is_saved_is_loaded(saved):
    of = networks()
    expected = values(of)
    for variable in (v for network in of.values() for v in network.variables):
        variable.assign(variable * 0)
    weights.load(of, saved, "Model")
    for found, wanted in zip(values(of), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_any_flipped_bit_of_a_weight_is_found(saved):
    content = bytearray(saved.read_bytes())
    kernel = networks()["generator"].layers[0].kernel.numpy().tobytes()
    start = bytes(content).index(kernel)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, 8 * len(kernel), 20):
        changed = bytearray(content)
        changed[start + place // 8] ^= 1 << (place % 8)
        saved.write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"checksum|not finite"):
            weights.require_sound(saved)
    refused(saved, r"checksum|not finite")


def test_a_file_without_a_checksum_is_read_unless_it_must_have_one(saved):
    with h5py.File(saved, "r+") as file:
        del file.attrs["ganlib_checksum"]
    weights.load(networks(), saved, "Model")
    with pytest.raises(CheckpointError, match="checksum"):
        weights.require_sound(saved, sealed=True)


def renamed(file):
    file.move("generator/layers/dense_1", "generator/layers/thick_1")


def not_finite(file):
    file["generator/layers/dense/vars/0"][0, 0] = np.nan


def linked(file):
    del file["generator/layers/dense/vars/0"]
    file["generator/layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")


def elsewhere(file):
    del file["generator/layers/dense/vars/0"]
    group = file["generator/layers/dense/vars"]
    group.create_dataset("0", (3, 4), np.float32, external=[("/etc/passwd", 0, 48)])


def deep(file):
    group = file
    for _ in range(3000):
        group = group.create_group("a")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (renamed, "its names do not"),
        (not_finite, "generator/layers/dense/vars/0 is not finite"),
        (linked, "is a link"),
        (elsewhere, "is kept in another file"),
        (deep, "more than 64 deep"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_and_nothing_is_changed(saved, change, match):
    with h5py.File(saved, "r+") as file:
        change(file)
    if change in (renamed, not_finite):
        weights.seal(saved)  # changed by somebody who writes checksums
    refused(saved, match)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "a.weights.h5").mkdir()
    refused(tmp_path / "a.weights.h5", "no regular file")
    refused(tmp_path / "b.weights.h5", "does not exist")
