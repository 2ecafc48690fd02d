"""The layout of TF-Hub's BigGAN modules: stand-ins in TF1's format are sampled, converted, and make the same images."""

import numpy as np
import pytest
import tensorflow as tf
from hub_modules import write

from ganlib import convert, convert_hub, hub
from ganlib.errors import CheckpointError, InputError
from ganlib.models import biggan, biggan_deep

NETWORKS = {
    "biggan": lambda: biggan.generator(16, 3, 5, 12, 2, 8, 4, True, "orthogonal"),
    "biggan-deep": lambda: biggan_deep.generator(16, 3, 5, 6, 2, 2, 8, 4, "orthogonal"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """kind -> the folder of a module; one with variables of either kind."""
    return {
        kind: write(tmp_path_factory.mktemp("modules") / kind, kind, resource=kind == "biggan")
        for kind in NETWORKS
    }


@pytest.fixture(scope="module")
def modules(folders):
    return {kind: hub.load(folder) for kind, folder in folders.items()}


def test_a_module_of_tf1_samples_as_its_page_says(modules, folders):
    module = modules["biggan-deep"]
    assert (module.latent_dim, module.classes.num_classes, module.image_shape) == (6, 5, (16, 16, 3))
    assert module.signature.name == "default" and module.notes is None
    z, full = module.sample_latents(100, truncation=0.3, seed=7), module.sample_latents(100, seed=7)
    np.testing.assert_allclose(z, 0.3 * full, rtol=1e-6)
    assert 1.7 < np.abs(full).max() <= 2.0
    # the deviation of a standard normal that is cut off at 2
    assert np.std(full) == pytest.approx(0.880, abs=0.1)
    images = module.sample(5, labels=[0, 1, 2, 3, 4], truncation=0.3, seed=7)
    given = {"z": z[:5], "y": np.eye(5, dtype=np.float32), "truncation": tf.constant(0.3)}
    direct = module._module.signatures["default"](**given)["default"]
    np.testing.assert_allclose(images, direct, rtol=0, atol=1e-5)
    np.testing.assert_allclose(module.sample(2, [0, 1], 0.3, 7), images[:2], atol=1e-5)
    assert np.abs(module.images_of([z[:5], np.arange(5)], 1.0) - images).max() > 0.1  # other statistics


@pytest.mark.parametrize(
    ("kind", "truncation"),
    [("biggan", 1.0), ("biggan-deep", 1.0), ("biggan-deep", 0.43)],
)
def test_a_converted_module_makes_the_same_images(kind, truncation, folders, modules):
    network, module = NETWORKS[kind](), modules[kind]
    z, y = module.sample_latents(4, seed=1), np.arange(4)
    before = network([z, y], training=False).numpy()
    convert.load(network, folders[kind], truncation=truncation)
    expected = module.images_of([z, y], truncation)
    assert expected.std() > 0.3 and np.abs(before - expected).max() > 0.5
    np.testing.assert_allclose(network([z, y], training=False), expected, rtol=0, atol=1e-5)


def test_every_variable_is_set_and_dumped_names_do_too(folders, tmp_path):
    network = NETWORKS["biggan"]()
    for v in network.weights:
        v.assign(np.full(v.shape, np.nan))
    arrays = convert.read(folders["biggan"])
    file = tmp_path / "arrays.npz"  # as TFHub/converter.py of BigGAN-PyTorch dumps them
    np.savez(file, **{f"module/{name}:0": array for name, array in arrays.items()})
    convert.load(network, file)
    assert all(np.isfinite(v.numpy()).all() for v in network.weights)
    again = NETWORKS["biggan"]()
    convert.load(again, arrays)
    for a, b in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    # averages are taken, or what was trained, where there are none
    name = "Generator/GBlock_1/conv0/w"
    kernel = next(layer.kernel for layer in network.layers if layer.name == "block_1_convolution_1").numpy()
    np.testing.assert_array_equal(kernel, arrays[f"{name}/ema_b999900"])
    del arrays[f"{name}/ema_b999900"]
    convert.load(again, arrays)
    kernel = next(layer.kernel for layer in again.layers if layer.name == "block_1_convolution_1").numpy()
    np.testing.assert_array_equal(kernel, arrays[name])


def test_another_layout_is_refused_and_nothing_is_set(folders):
    network, arrays = NETWORKS["biggan"](), convert.read(folders["biggan"])
    before = network.get_weights()
    without = {
        name: array for name, array in arrays.items() if not name.startswith("Generator/GBlock_1/conv1/")
    }
    more = {**arrays, "Generator/GBlock_2/conv0/w": np.zeros(3)}
    flat = {**arrays, "linear/w/ema_b999900": arrays["linear/w"].reshape(-1)}
    small = {**arrays, "Generator/G_Z/G_linear/w/ema_b999900": np.zeros((3, 100), np.float32)}
    other = convert.read(folders["biggan-deep"])
    for source, how, error, said in (
        (without, {}, CheckpointError, "there is no Generator/GBlock_1/conv1/w"),
        (more, {}, CheckpointError, "more than the 2 blocks"),
        (flat, {}, CheckpointError, "shape"),
        (small, {}, CheckpointError, "shape"),
        (other, {}, CheckpointError, "there is no Generator/G_Z/G_linear/w"),
        (arrays, {"truncation": 0.5}, InputError, "statistics of truncation 1 only"),
        (arrays, {"truncation": 1.5}, InputError, r"in \[0, 1\]"),
        (arrays, {"truncation": float("nan")}, InputError, r"in \[0, 1\]"),
    ):
        with pytest.raises(error, match=said) as found:
            convert.load(network, source, **how)
        assert "\n" not in str(found.value)
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    judge = biggan.discriminator(16, 3, 5, 2, 8, 0.0, "orthogonal")
    with pytest.raises(InputError, match="a generator only"):
        convert.load(judge, arrays)
    tables = biggan.generator(16, 3, 5, 12, 2, 8, None, False, "orthogonal")
    with pytest.raises(InputError, match="shared_embedding=True"):
        convert.load(tables, arrays)


def test_folders_that_are_no_modules_are_refused(tmp_path, folders):
    network = NETWORKS["biggan"]()
    with pytest.raises(CheckpointError, match="is not a readable file of arrays"):
        convert.load(network, tmp_path)
    (tmp_path / "saved_model.pb").write_bytes((folders["biggan"] / "saved_model.pb").read_bytes())
    with pytest.raises(CheckpointError, match="has no variables that can be read"):
        convert.load(network, tmp_path)
    assert not convert_hub.has_layout({"blocks.0.0.conv1.weight": np.zeros(1)})
