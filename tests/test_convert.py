"""Official weights by their names: tables that leave nothing over, files that are read, and files that are refused."""

import pickle

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from ganlib import convert
from ganlib.errors import CheckpointError, InputError
from ganlib.models import DCGAN, PGGAN, biggan, biggan_deep, pggan, stylegan, stylegan2

ROW = pggan.Row(pggan.pixel_normalized, pggan.leaky)


def of_pggan(resolution=8, row=ROW, **sizes):
    return pggan.networks(row, resolution, 3, 6, 16, 4, 4, True)


def of_stylegan(configuration=None):
    return stylegan.networks(configuration or stylegan.Configuration(), 8, 3, 6, 5, 2, 16, 4, 4)


def of_stylegan2(forms=("skip", "residual"), classes=None):
    return stylegan2.networks(forms, 8, 3, 6, 5, 2, 32, 4, classes, 4)


def of_biggan(shared_dim, skip_z):
    return (
        biggan.generator(16, 3, 5, 6, 2, 8, shared_dim, skip_z, "orthogonal"),
        biggan.discriminator(16, 3, 5, 2, 8, 0.0, "orthogonal"),
    )


PAIRS = {
    "pggan": of_pggan,
    **{
        f"stylegan {name}": lambda e=e: of_stylegan(e.networks.args[0])
        for name, e in stylegan.ARCHITECTURES.items()
    },
    **{
        f"stylegan2 {name}": lambda e=e: of_stylegan2(e.networks.args[0])
        for name, e in stylegan2.ARCHITECTURES.items()
    },
    "stylegan2 with classes": lambda: of_stylegan2(classes=3),
    "biggan": lambda: of_biggan(7, True),
    "biggan with tables": lambda: of_biggan(None, False),
    "biggan-deep": lambda: (
        biggan_deep.generator(16, 3, 5, 6, 2, 3, 8, 7, "orthogonal"),
        biggan_deep.discriminator(16, 3, 5, 2, 3, 8, 0.0, "orthogonal"),
    ),
}


def arrays_of(network):
    """Official arrays that are all different, each under the first of its names."""
    arrays, start = {}, 0.0
    for variable, names, _ in convert.slots(network):
        name, to = next(iter(names.items()))
        array = (start + np.arange(variable.numpy().size, dtype=np.float32)).reshape(
            official_shape(to, variable)
        )
        arrays[name] = array / 1000
        start += array.size
    return arrays


def official_shape(to, variable):
    """The shape of the array that a variable's layout comes from."""
    height, width, *rest = shape = variable.shape if len(variable.shape) == 4 else (0, 0)
    places = [variable.shape, variable.shape[::-1], (1, *variable.shape[2:], *variable.shape[:2])]
    places += [(*variable.shape[2:], *variable.shape[:2]), variable.shape[:2]]
    places += [(*rest[::-1], height, width), (height, width, *rest[::-1])] if rest else []
    for place in places:
        try:
            if to(np.zeros(place)).shape == variable.shape:
                return place
        except (TypeError, ValueError, IndexError):
            continue
    raise AssertionError(f"no layout of {shape} fits")


@pytest.mark.parametrize("name", PAIRS)
def test_tables_are_complete(name):
    """Every variable has a slot of its own but what is drawn, and every array goes somewhere."""
    for network in PAIRS[name]():
        slots = convert.slots(network)
        paths = [id(slot.variable) for slot in slots]
        assert len(set(paths)) == len(paths)
        assert {id(v) for v in network.variables} == set(paths)
        names = [name for slot in slots for name in slot.names]
        assert len(set(names)) == len(names)
        arrays = arrays_of(network)
        convert.load(
            network, {f"G.{key}": value for key, value in arrays.items()} | {"other": 1}, prefix="G."
        )
        values = np.concatenate([np.ravel(v) for v in network.get_weights()])
        np.testing.assert_array_equal(np.sort(values), np.arange(values.size, dtype=np.float32) / 1000)


def test_names_of_the_official_stylegan_may_be_of_its_parts():
    g, _ = of_stylegan()
    arrays = arrays_of(g)
    convert.load(g, arrays)
    expected = g.get_weights()
    parts = {
        key
        if key == "dlatent_avg"
        else f"{'G_mapping' if key.startswith('Dense') else 'G_synthesis'}/{key}": value
        for key, value in arrays.items()
    }
    for variable in g.variables:
        variable.assign(np.zeros(variable.shape))
    convert.load(g, parts)
    for a, b in zip(expected, g.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layouts():
    """Where numbers go: by hand."""
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert convert.from_torch(kernel)[1, 2, 1, 0] == kernel[0, 1, 1, 2]
    assert convert.turned(kernel)[0, 0, 1, 1] == kernel[1, 2, 1, 1]
    assert convert.turned_and_swapped(kernel)[0, 0, 1, 2] == kernel[1, 2, 2, 1]
    columns = np.arange(2 * 48).reshape(2, 48)  # outputs are 3 channels of 4x4
    assert (
        convert.columns_to_channels_last(columns).reshape(2, 4, 4, 3)[1, 2, 3, 1]
        == columns.reshape(2, 3, 4, 4)[1, 1, 2, 3]
    )
    np.testing.assert_array_equal(
        convert.rows_to_channels_last(columns.T), convert.columns_to_channels_last(columns).T
    )
    assert convert.channels_last(kernel)[1, 2, 3, 1] == kernel[1, 1, 2, 3]


def test_the_official_stylegan_turns_kernels_around_from_128x128_on(monkeypatch):
    monkeypatch.setattr(keras.initializers, "RandomNormal", lambda **_: "zeros")
    g, _ = stylegan.networks(stylegan.Configuration(), 256, 3, 2, 2, 1, 16, 2, 4)
    to = {name: function for slot in convert.slots(g) for name, function in slot.names.items()}
    kernel = np.arange(9.0).reshape(3, 3, 1, 1)
    for size in (8, 16, 32, 64, 128, 256):
        turned = to[f"{size}x{size}/Conv0_up/weight"](kernel)
        np.testing.assert_array_equal(turned, kernel[::-1, ::-1] if size >= 128 else kernel)


@pytest.fixture(scope="module")
def official():
    """A network, its official arrays, and a folder for files."""
    g, _ = of_stylegan2()
    return g, arrays_of(g)


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "safetensors"])
def test_files(official, kind, tmp_path):
    g, arrays = official
    path = tmp_path / ("a.safetensors" if kind == "safetensors" else "a.npz")
    if kind == "safetensors":
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, path)
    else:
        (np.savez if kind == "npz" else np.savez_compressed)(path, **arrays)
    for variable in g.variables:
        variable.assign(np.zeros(variable.shape))
    convert.load(g, str(path) if kind == "npz" else path)
    values = np.concatenate([np.ravel(v) for v in g.get_weights()])
    np.testing.assert_array_equal(np.sort(values), np.arange(values.size, dtype=np.float32) / 1000)


def test_halves_are_read_too(official):
    g, arrays = official
    convert.load(g, {key: value.astype(np.float16) for key, value in arrays.items()})
    assert g.variables[0].dtype == "float32"
    convert.load(g, arrays)


class Malicious:
    """What a pickle may hold."""

    def __reduce__(self):
        return (open, ("ran", "w"))


def damaged(arrays, kind, folder):
    """A file that is to be refused."""
    path = folder / {"pickle": "a.pkl", "checkpoint": "a.pt", "safetensors": "a.safetensors"}.get(
        kind, "a.npz"
    )
    if kind in ("pickle", "checkpoint", "pickle by another name"):
        path.write_bytes(pickle.dumps(Malicious()))
    elif kind == "pickled object":
        np.savez(path, **arrays, more=np.array([Malicious()], dtype=object))
    elif kind == "torn":
        np.savez(path, **arrays)
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "flipped":
        np.savez(path, **arrays)
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 3] ^= 255
        path.write_bytes(raw)
    elif kind in ("empty", "safetensors"):
        path.write_bytes(b"")
    elif kind == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("pickle", "a pickle runs code when it is opened, and is refused"),
        ("checkpoint", "a pickle runs code when it is opened, and is refused"),
        ("pickle by another name", "a pickle runs code when it is opened, and is refused"),
        ("pickled object", "a pickle runs code when it is opened, and is refused"),
        ("torn", "is not a readable file of arrays"),
        ("flipped", "is not a readable file of arrays"),
        ("empty", "is not a readable file of arrays"),
        ("safetensors", "is not a readable file of arrays"),
        ("one array", "is not a readable file of arrays"),
        ("folder", "is not a readable file of arrays"),
        ("none", "does not exist: give the path of an .npz or .safetensors file"),
    ],
)
def test_files_that_are_refused(official, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    g, arrays = official
    before = g.get_weights()
    with pytest.raises(CheckpointError, match=message) as caught:
        convert.load(g, damaged(arrays, kind, tmp_path))
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 500
    for a, b in zip(before, g.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"mapping.fc1.weight": None},
            "there is no mapping.fc1.weight: give the arrays of a generator of this kind",
        ),
        ({"mapping.w_avg": None}, "there is no mapping.w_avg"),
        (
            {"mapping.fc1.bias": np.zeros(7)},
            r"mapping.fc1.bias has the shape \(7,\) and the type float64, which do not",
        ),
        ({"mapping.fc0.weight": np.zeros((6, 5))}, r"mapping.fc0.weight has the shape \(6, 5\)"),  # turned
        ({"synthesis.b8.conv1.weight": np.zeros((4, 4, 9))}, r"conv1.weight has the shape \(4, 4, 9\)"),
        ({"synthesis.b8.conv1.noise_strength": np.zeros(2)}, r"noise_strength has the shape \(2,\)"),
        ({"mapping.fc1.bias": np.array(["a"] * 5)}, "mapping.fc1.bias has the shape .5,. and the type <U1"),
        (
            {"synthesis.b16.conv1.weight": np.zeros(3)},
            "synthesis.b16.conv1.weight is of no layer of this generator",
        ),
        ({"mapping.embed.weight": np.zeros(3)}, "mapping.embed.weight is of no layer of this generator"),
    ],
)
def test_arrays_that_do_not_fit(official, change, message):
    g, arrays = official
    before = g.get_weights()
    given = {key: value for key, value in {**arrays, **change}.items() if value is not None}
    given["mapping.fc0.bias"] = given["mapping.fc0.bias"] + 1  # would be set, were not all looked at first
    with pytest.raises(CheckpointError, match=message) as caught:
        convert.load(g, given)
    assert "\n" not in str(caught.value)
    for a, b in zip(before, g.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_larger_network_is_not_taken_for_a_smaller_one():
    """PGGAN counts its image layers from the largest resolution: names of 16x16 are those of 8x8, one level off."""
    large, small = of_pggan(16), of_pggan(8)
    for network, other in zip(large, small, strict=True):
        with pytest.raises(CheckpointError, match=r"is of no layer of this|do not fit"):
            convert.load(other, arrays_of(network))


def test_filters_that_the_official_code_keeps_may_be_left_over(official):
    g, arrays = official
    convert.load(g, arrays | {"synthesis.b8.resample_filter": np.ones((4, 4)), "num_ws": 4})


def test_networks_without_a_table():
    for network in (DCGAN.from_preset("smoke").generator, PGGAN("growing", 8, 1, 6, 16, 4).generator):
        with pytest.raises(InputError, match="has no official layout here: give a network of PGGAN"):
            convert.load(network, {})


def test_without_the_package(official, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(
        CheckpointError, match=r"needs the package safetensors: pip install 'ganlib\[convert\]'"
    ):
        convert.load(official[0], tmp_path / "a.safetensors")
