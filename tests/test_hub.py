"""TF-Hub: what is exported is what is sampled, without ganlib too; published layouts; and what is refused."""

import json
import logging
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

import ganlib
from ganlib import hub
from ganlib.cli import main
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.hub import graphs
from ganlib.latents import class_walk, every_pair, truncate
from ganlib.layers import BatchNormalization
from ganlib.models import DCGAN, BigGAN, Pix2Pix, ProjectionGAN, StyleGAN2, registry
from ganlib.standing import Standing
from ganlib.tricks import LatentOptimisation

SAMPLED = [name for name, cls in registry().items() if getattr(cls, "sampled", False)]
# a pyramid in an engine of its own, growth; noise, w and psi have tests below
QUICK = ("lapgan", "pggan")
ZOO = [
    (name, preset)
    for name in SAMPLED
    for preset, entry in registry()[name].presets.items()
    if entry.weights is not None
]


def disturbed(gan, seed=0):
    """The model with other weights everywhere: strengths of noise and the like start at 0."""
    random = np.random.default_rng(seed)
    for network in gan.networks().values():
        for v in network.weights:
            moved = v.numpy() + 0.2 * random.normal(size=v.shape).astype(np.float32)
            v.assign(np.abs(moved) + 0.1 if "variance" in v.path else moved)
    return gan


def assert_samples_agree(gan, module, truncations=(None, 0.7)):
    """Samples by seed, in every way that both have."""
    for truncation in truncations:
        how = {"truncation": truncation, "seed": 3}
        np.testing.assert_allclose(module.sample(9, **how), gan.sample(9, **how), rtol=0, atol=1e-6)
    assert module.image_shape == gan.image_shape and module.latent_dim == gan.latent_dim
    if gan.classes is None:
        return
    n = gan.classes.num_classes
    assert module.classes.num_classes == n
    labels = np.arange(6) % n
    expected = gan.sample(6, labels, seed=1)
    np.testing.assert_allclose(module.sample(6, labels, seed=1), expected, rtol=0, atol=1e-6)


def between(gan, module):
    inputs = every_pair(gan.sample_latents(2, seed=1), class_walk([0, 1], 3, gan.classes.num_classes))
    np.testing.assert_allclose(module.images_of(inputs), gan.images_of(inputs), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        entry if entry[0] == "projection-gan" else pytest.param(*entry, marks=pytest.mark.long)
        for entry in ZOO
    ],
)
def test_the_zoo_comes_back_exactly(name, preset, tmp_path):
    gan = registry()[name].from_preset(preset)
    module = hub.load(hub.export(gan, tmp_path / "module"))
    assert_samples_agree(gan, module)
    if gan.classes is not None:
        between(gan, module)


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in SAMPLED]
)
def test_every_generator_comes_back_exactly(name, tmp_path):
    gan = disturbed(registry()[name].from_preset("smoke"))
    module = hub.load(hub.export(gan, tmp_path / "module"))
    assert_samples_agree(gan, module)
    if gan.classes is not None:
        between(gan, module)


@pytest.fixture(scope="module")
def styled(tmp_path_factory):
    gan = disturbed(StyleGAN2.from_preset("smoke"))
    return gan, hub.export(gan, tmp_path_factory.mktemp("hub") / "styled")


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    gan = disturbed(ProjectionGAN.from_preset("smoke"))
    return gan, hub.export(gan, tmp_path_factory.mktemp("hub") / "conditional")


Z, Y, T = (
    tf.TensorSpec(shape, tf.float32, name)
    for name, shape in (("z", [None, 4]), ("y", [None, 5]), ("truncation", []))
)


def saved(folder, function, *specs, name="default", extra=None):
    """A module of one function, which is made of the module."""
    module = tf.Module()
    module.weight = tf.Variable(np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32))
    module.extra = extra
    call = tf.function(function(module), input_signature=specs)
    tf.saved_model.save(module, str(folder), {name: call.get_concrete_function()})
    return folder


def images_of(module, z):
    return tf.reshape(tf.tanh(z @ module.weight), [-1, 2, 2, 3])


def plain(module):
    return lambda z, truncation: {"default": images_of(module, z)}


def with_classes(module):
    """Images that depend on all three."""
    return lambda z, y, truncation: {"default": images_of(module, z + y[:, :4] - y[:, 4:]) * truncation}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a module with BigGAN's signature that is not ours."""
    return saved(tmp_path_factory.mktemp("hub") / "module", with_classes, Z, Y, T)


def test_a_process_without_ganlib_makes_the_same_images(styled, conditional, run_python):
    z = [gan.sample_latents(3, seed=5) for gan, _ in (styled, conditional)]
    found = run_python(f"""
        import sys
        sys.modules["ganlib"] = None  # an import of it fails
        import tensorflow as tf, tensorflow_hub
        module = tensorflow_hub.load({str(styled[1])!r})
        z = tf.constant({z[0].tolist()!r})
        images = [module(z, 0.5), module.signatures["default"](z=z, truncation=tf.constant(0.5))]
        signature = tf.saved_model.load({str(conditional[1])!r}).signatures["default"]
        z, y = tf.constant({z[1].tolist()!r}), tf.one_hot([3, 0, 9], 10)
        images.append(signature(z=z, y=y, truncation=tf.constant(1.0)))
        result = [one["default"].numpy().tolist() for one in images]
        assert not any(name.startswith("ganlib.") for name in sys.modules)
    """)
    by_style = hub.load(styled[1])(z[0], 0.5)
    by_class = hub.load(conditional[1])([z[1], [3, 0, 9]])
    for images, expected in zip(found, (by_style, by_style, by_class), strict=True):
        np.testing.assert_allclose(images, expected, rtol=0, atol=1e-6)


def test_a_module_has_gradients_and_loads_without_a_warning(styled, caplog):
    z, step = styled[0].sample_latents(3, seed=5), 1e-2
    logging.getLogger("absl").addHandler(caplog.handler)
    try:
        module = tf.saved_model.load(str(styled[1]))
    finally:
        logging.getLogger("absl").removeHandler(caplog.handler)
    assert not [record.message for record in caplog.records if "gradient" in record.message]

    def brightness(z):
        return tf.reduce_mean(module.signatures["default"](z=z, truncation=tf.constant(0.5))["default"])

    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = brightness(z)
    gradient = tape.gradient(value, z)
    towards = step * gradient / tf.norm(gradient)
    slope = (brightness(z + towards) - brightness(z - towards)) / (2 * step)
    np.testing.assert_allclose(slope, tf.norm(gradient), rtol=0.02)


def test_the_signature_is_biggans(conditional, styled):
    signature = tf.saved_model.load(str(conditional[1])).signatures["default"]
    specs = {
        name: (spec.shape.as_list(), spec.dtype)
        for name, spec in signature.structured_input_signature[1].items()
    }
    latent_dim = conditional[0].latent_dim
    assert specs == {
        "z": ([None, latent_dim], tf.float32),
        "y": ([None, 10], tf.float32),
        "truncation": ([], tf.float32),
    }
    assert {k: v.shape.as_list() for k, v in signature.structured_outputs.items()} == {
        "default": [None, 8, 8, 1]
    }
    found = graphs.signature_of(graphs.read(styled[1]), styled[1])
    assert found == ("default", None, styled[0].latent_dim, None, True, "default", (8, 8, 1))


def test_noise_is_fixed_in_default_and_drawn_in_samples(styled):
    gan, folder = styled
    module, z = hub.load(folder), gan.sample_latents(1, seed=0).repeat(2, axis=0)
    assert_samples_agree(gan, module)
    expected = tf.function(gan.sampler())(z).numpy().clip(-1, 1)
    np.testing.assert_allclose(module(z), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(module(z)[0], module(z)[1])
    drawn = module.images_of(z, seed=4)
    assert np.abs(drawn[0] - drawn[1]).max() > 0.01
    assert np.abs(drawn - module.images_of(z, seed=5)).max() > 0.01


def test_psi_of_styles_is_the_modules(styled):
    module = hub.load(styled[1])
    z = module.sample_latents(4, truncation=0.5, seed=0)
    np.testing.assert_array_equal(z, module.sample_latents(4, seed=0))
    means = module(z, 0.0).numpy()
    np.testing.assert_allclose(means, means[:1].repeat(4, axis=0), atol=1e-6)
    assert np.abs(module(z) - means).max() > 0.01


class Stood(Standing, GAN):
    """Standing statistics of two batches."""

    standing_passes = 2


def small(cls, tricks=()):
    """A conditional model with a batch norm, of few and quick layers."""
    keras.utils.set_random_seed(0)
    z, image, y = keras.Input((4,)), keras.Input((2, 2, 1)), keras.Input((), dtype="int32")
    layers = keras.layers
    x = layers.Dense(8)(layers.Concatenate()([z, layers.Embedding(3, 2)(y)]))
    x = layers.Dense(4, activation="tanh")(BatchNormalization()(layers.ReLU()(x)))
    generator = keras.Model([z, y], layers.Reshape((2, 2, 1))(x), name="generator")
    x = layers.Dense(8, activation="tanh")(
        layers.Concatenate()([layers.Flatten()(image), layers.Embedding(3, 2)(y)])
    )
    discriminator = keras.Model([image, y], layers.Dense(1)(x), name="discriminator")
    return disturbed(cls(generator, discriminator, num_classes=3, tricks=tricks, batch_size=8))


def test_standing_statistics_go_along(tmp_path):
    gan = small(Stood)
    module = hub.load(hub.export(gan, tmp_path / "module", truncations=[2.0, 0.5]))
    assert module.notes["thresholds"] == [0.5, 2.0]
    z, y = gan.sample_latents(3, seed=0), np.arange(3)
    at = {t: module.images_of([z, y], t) for t in (0.1, 0.5, 0.875, 2.0, 2.1, None)}
    assert min(np.abs(at[a] - at[b]).max() for a, b in ((0.5, 0.875), (0.875, 2.0), (2.0, None))) > 1e-3
    np.testing.assert_array_equal(at[0.1], at[0.5])
    np.testing.assert_array_equal(at[2.1], at[None])
    statistics = {}
    for threshold in (0.5, 2.0, None):
        how = {"truncation": threshold, "seed": 3}
        np.testing.assert_allclose(module.sample(5, **how), gan.sample(5, **how), rtol=0, atol=1e-6)
        statistics[threshold] = [v.numpy() for v in gan._standing.weights]
    between(gan, module)
    # a quarter of the way from 0.5 to 2
    mixed = [0.75 * a + 0.25 * b for a, b in zip(statistics[0.5], statistics[2.0], strict=True)]
    gan._standing.set_weights(mixed)
    expected = gan._standing([z, y], training=False)
    np.testing.assert_allclose(at[0.875], expected, rtol=0, atol=1e-6)


@pytest.mark.long
def test_biggans_standing_statistics_go_along(tmp_path):
    gan = disturbed(BigGAN.from_preset("smoke", standing_passes=2))
    module = hub.load(hub.export(gan, tmp_path / "module", truncations=[0.7]))
    assert_samples_agree(gan, module)
    between(gan, module)


@pytest.mark.parametrize("cls", [GAN, Stood])
def test_latents_that_a_trick_moves_are_moved_by_label_too(cls, tmp_path):
    gan = small(cls, [LatentOptimisation(damping=1.0)])  # a small one makes much of rounding
    module = hub.load(hub.export(gan, tmp_path / "module", truncations=[]))
    labels = np.arange(6) % 3
    moved = gan.sample(6, labels, seed=0)
    network = gan._standing if cls is Stood else gan.ema_generator
    still = network([gan.sample_latents(6, seed=0), labels], training=False)
    assert np.abs(moved - still).max() > 1e-3
    np.testing.assert_allclose(module.sample(6, labels, seed=0), moved, rtol=0, atol=5e-6)


# ------------------------------------------------------------------------------------ others' modules


def test_truncation_is_told_to_the_module(published):
    module = hub.load(published)
    z, y = module.sample_latents(2, 0.5, seed=0), [1, 2]
    whole = module.images_of([z, y], 1.0)
    np.testing.assert_allclose(module.images_of([z, y], 0.5), 0.5 * whole, rtol=1e-6)
    np.testing.assert_array_equal(whole, module.images_of([z, y]))
    np.testing.assert_allclose(module.sample(2, y, truncation=0.5, seed=0), 0.5 * whole, rtol=1e-6)
    for wrong in (0, 1.5, float("nan"), "0.5", True):
        with pytest.raises(InputError, match=r"in \(0, 1\]"):
            module.sample(1, truncation=wrong)


def test_it_is_used_as_a_model_is(published):
    module = hub.load(published)
    assert "z of 4, 5 classes" in repr(module)
    assert ganlib.Ensemble([module, module]).sample(6, seed=0).shape == (6, 2, 2, 3)
    z = module.sample_latents(2, seed=0)
    sheet = module.images_of(every_pair(z[:1], class_walk([0, 3], 4, 5)))
    ends = module.images_of([z[:1].repeat(2, axis=0), [0, 3]])
    np.testing.assert_allclose(sheet[[0, 4]], ends, atol=1e-6)
    images, columns = module.pictures(10)
    assert images.shape == (10, 2, 2, 3) and columns == 2
    many = module.sample(600, seed=1)  # in chunks
    np.testing.assert_allclose(many[:3], module.sample(3, seed=1), atol=1e-6)
    with tf.GradientTape() as tape:
        latents = tf.Variable(z)
        loss = tf.reduce_sum(module([latents, [1, 2]]))
    assert np.abs(tape.gradient(loss, latents)).max() > 0
    data = ganlib.data.from_arrays(np.random.default_rng(0).integers(0, 256, (60, 2, 2, 3), np.uint8))
    how = {"extractor": "random-convolutions", "truncation": 0.5, "cache": False, "progress": False}
    assert 0 <= ganlib.metrics.evaluate(module, data, ["precision"], 60, **how)["precision"] <= 1
    for wrong, said in (
        ([z[:, :3], [0, 1]], r"takes \(n, 4\)"),
        ([z, [0, 5]], "classes of this model are 0 to 4"),
        ([z, np.ones((2, 4))], "weights of classes"),
    ):
        with pytest.raises(InputError, match=said):
            module.images_of(wrong)


# --------------------------------------------------------------------------------------------- refusals


def test_a_module_without_classes_or_with_another_name_is_a_generator(tmp_path):
    module = hub.load(saved(tmp_path / "a", plain, Z, T, name="generate"))
    assert module.classes is None and module.image_shape == (2, 2, 3) and module.signature.name == "generate"
    assert module.sample(3, truncation=0.5, seed=0).shape == (3, 2, 2, 3)
    untold = hub.load(saved(tmp_path / "b", lambda m: lambda z: {"images": images_of(m, z)}, Z))
    expected = truncate(untold.sample_latents(5, seed=1), 0.5)
    np.testing.assert_array_equal(untold.sample_latents(5, 0.5, seed=1), expected)
    assert untold.sample(5, truncation=0.5, seed=1).shape == (5, 2, 2, 3)


IMAGES = tf.TensorSpec([None, 2, 2, 3], tf.float32, "images")
NOT_GENERATORS = {
    "no z": (lambda m: lambda images: {"default": images}, [IMAGES], "no signature of it has the input z"),
    "asks for more": (
        lambda m: lambda z, sigma: {"default": images_of(m, sigma * z)},
        [Z, tf.TensorSpec([], tf.float32, "sigma")],
        "also asks for sigma",
    ),
    "labels": (
        lambda m: lambda z, y: {"default": images_of(m, z + tf.cast(y, tf.float32)[:, None])},
        [Z, tf.TensorSpec([None], tf.int32, "y")],
        "has y of int32",
    ),
    "any size of z": (
        lambda m: lambda z: {"default": images_of(m, z[:, :4])},
        [tf.TensorSpec([None, None], tf.float32, "z")],
        r"where float32 \(any number, dim_z\) was expected",
    ),
    "no images": (lambda m: lambda z: {"default": tf.reduce_sum(z, 1)}, [Z], "images .* were expected"),
    "several outputs": (
        lambda m: lambda z: {"a": images_of(m, z), "b": images_of(m, z)},
        [Z],
        "gives a, b, and none of it is 'default'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_GENERATORS)
def test_what_is_no_generator_is_refused(kind, tmp_path):
    function, specs, said = NOT_GENERATORS[kind]
    with pytest.raises(InputError, match=said) as error:
        hub.load(saved(tmp_path / "module", function, *specs))
    assert "\n" not in str(error.value)


def test_damaged_and_missing_modules_are_refused(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        hub.load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is no SavedModel"):
        hub.load(tmp_path / "empty")
    (tmp_path / "empty" / "saved_model.pb").write_bytes(b"\xff\xfe not a module")
    with pytest.raises(InputError, match="is damaged"):
        hub.load(tmp_path / "empty")
    torn = saved(tmp_path / "torn", plain, Z, T)
    for path in (torn / "variables").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="cannot be loaded") as error:
        hub.load(torn)
    assert "\n" not in str(error.value)
    forged = saved(tmp_path / "forged", plain, Z, T)
    (forged / "assets.extra").mkdir()
    (forged / "assets.extra" / "ganlib.json").write_text(
        json.dumps({"latents": "normal", "truncation": "psi"})
    )
    with pytest.raises(InputError, match=r"ganlib\.json is not as"):
        hub.load(forged)


def harmful(path):
    """Operations that must not be there: name -> what a function does with z beside its images."""
    text = str(path / "touched")
    return {
        "ReadFile": lambda z: tf.io.read_file(text),
        "WriteFile": lambda z: tf.io.write_file(text, "x"),
        "MatchingFiles": lambda z: tf.io.matching_files(text),
        "EagerPyFunc": lambda z: tf.py_function(lambda x: x, [z], tf.float32),
        "PyFunc": lambda z: tf.numpy_function(lambda x: x, [z], tf.float32),
        "PyFuncStateless": lambda z: tf.numpy_function(lambda x: x, [z], tf.float32, stateful=False),
        "PrintV2": lambda z: tf.print("x", output_stream=f"file://{text}"),
        "RestoreV2": lambda z: tf.raw_ops.RestoreV2(
            prefix=text, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0],
        "MergeV2Checkpoints": lambda z: tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=[text], destination_prefix=text
        ),
        "ImmutableConst": lambda z: tf.raw_ops.ImmutableConst(
            dtype=tf.float32, shape=[1], memory_region_name=text
        ),
        "TextLineDataset": lambda z: tf.raw_ops.TextLineDataset(
            filenames=text, compression_type="", buffer_size=0
        ),
        "DebugIdentity": lambda z: tf.raw_ops.DebugIdentity(input=z, debug_urls=[f"file://{text}"]),
    }


@pytest.mark.parametrize(
    ("op", "inside"), [*((op, True) for op in harmful(Path())), ("ReadFile", False), ("RestoreV2", False)]
)
def test_graphs_that_reach_out_are_refused(op, inside, tmp_path, monkeypatch):
    def acted(z):
        done = harmful(tmp_path)[op](z)
        with tf.control_dependencies([] if done is None else [done]):
            return tf.identity(z)

    def function(module):
        def images(z, truncation):
            # or in a function that only a branch calls
            z = tf.cond(truncation > 2.0, lambda: tf.function(acted)(z), lambda: z) if inside else acted(z)
            return {"default": images_of(module, z)}

        return images

    folder = saved(tmp_path / "module", function, Z, T)
    monkeypatch.setattr(tf.saved_model, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(InputError, match=f"a {op}, can reach files") as error:
        hub.load(folder)
    assert "\n" not in str(error.value) and not (tmp_path / "touched").exists()


def test_what_runs_at_the_start_is_looked_at(tmp_path):
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        z = v1.placeholder(tf.float32, [None, 4], "z")
        images = tf.reshape(z, [-1, 2, 2, 1])
        start = tf.io.write_file(str(tmp_path / "touched"), "x")
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def({"z": info(z)}, {"default": info(images)}, "default")
        builder = v1.saved_model.Builder(str(tmp_path / "module"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"default": signature}, main_op=start)
        builder.save()
    with pytest.raises(InputError, match="a WriteFile"):
        hub.load(tmp_path / "module")
    assert not (tmp_path / "touched").exists()


def test_a_table_of_an_asset_is_refused(tmp_path):
    (tmp_path / "words").write_text("a\nb\n")
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    initial = tf.lookup.TextFileInitializer(str(tmp_path / "words"), tf.string, line, tf.int64, number)
    table = tf.lookup.StaticHashTable(initial, -1)
    folder = saved(tmp_path / "module", plain, Z, T, extra=table)
    with pytest.raises(InputError, match="is refused"):
        hub.load(folder)


def test_operations_that_are_not_known_or_not_what_they_seem_are_refused(tmp_path):
    folder = saved(tmp_path / "module", plain, Z, T)
    path = folder / "saved_model.pb"
    model = graphs.read(folder)
    model.meta_graphs[0].graph_def.library.function.add().signature.name = "WriteFile"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="'WriteFile' is called as one of TensorFlow's operations"):
        hub.load(folder)
    del model.meta_graphs[0].graph_def.library.function[-1]
    model.meta_graphs[0].graph_def.node.add(name="strange", op="OpenWindow")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="'strange', a OpenWindow, is none that TensorFlow has"):
        hub.load(folder)


def test_export_refuses_in_one_line_and_leaves_nothing(tmp_path, styled, monkeypatch):
    gan = DCGAN.from_preset("smoke")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    for model, folder, how, said in (
        (Pix2Pix.from_preset("smoke"), "a/b", {}, "Pix2Pix makes no images out of latents"),
        (hub.load(styled[1]), "a/b", {}, "is a published module"),
        (ganlib.Ensemble([gan]), "a/b", {}, "Ensemble makes no images"),
        (gan, "full", {}, "is there already"),
        (gan, "full/mine", {}, "is there already"),
        (gan, "full/mine/c", {}, "cannot write"),
        (gan, "a/b", {"truncations": [0.5, 0.0]}, "truncations=0.0 is out of range"),
        (gan, "a/b", {"truncations": [float("nan")]}, "out of range"),
    ):
        with pytest.raises(InputError, match=said) as error:
            hub.export(model, tmp_path / folder, **how)
        assert "\n" not in str(error.value)

    def torn(module, path, signatures):
        (tmp_path / "seen").write_text(path)
        with open(f"{path}/saved_model.pb", "wb") as file:
            file.write(b"half")
        raise RuntimeError("power failure")

    monkeypatch.setattr(tf.saved_model, "save", torn)
    with pytest.raises(RuntimeError, match="power failure"):
        hub.export(gan, tmp_path / "a" / "b")
    (tmp_path / "seen").unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


# ------------------------------------------------------------------------------------- handles, the command


def test_handles_say_what_is_missing(published, monkeypatch):
    handle = "https://example.org/biggan/1"
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(InputError, match=r"pip install 'ganlib\[hub\]'"):
        hub.load(handle)
    monkeypatch.delitem(sys.modules, "tensorflow_hub")
    monkeypatch.setitem(sys.modules, "pkg_resources", None)
    with pytest.raises(InputError, match="pip install 'setuptools<81'") as error:
        hub.load(handle)
    assert "\n" not in str(error.value)
    fake = types.SimpleNamespace(resolve={handle: published}.__getitem__)
    monkeypatch.setitem(sys.modules, "tensorflow_hub", fake)
    assert hub.load(handle).latent_dim == 4
    with pytest.raises(InputError, match="neither found nor fetched"):
        hub.load("https://example.org/biggan/2")
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(InputError, match="pip install kagglehub"):
        hub.load("kaggle:a/b/c/d")
    fake = types.SimpleNamespace(model_download={"a/b/c/d": str(published)}.__getitem__)
    monkeypatch.setitem(sys.modules, "kagglehub", fake)
    assert hub.load("kaggle:a/b/c/d").classes.num_classes == 5
    with pytest.raises(InputError, match="cannot be fetched"):
        hub.load("kaggle:a/b/c/e")


def test_a_folder_needs_no_tensorflow_hub(published, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert hub.load(published).latent_dim == 4


def command(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return result.output


def test_the_command_exports_and_samples(conditional, published, tmp_path):
    gan, weights = conditional[0], tmp_path / "g.weights.h5"
    gan.save_weights(weights)
    of = ["--model", "projection-gan", "--preset", "smoke"]
    assert "ProjectionGAN for TF-Hub" in command("export", weights, *of, "--out", tmp_path / "module")
    command(
        "sample", tmp_path / "module", "--n", 6, "--labels", "1,2", "--seed", 4, "--out", tmp_path / "a.npz"
    )
    expected = gan.sample(6, [1, 2] * 3, seed=4)
    np.testing.assert_allclose(np.load(tmp_path / "a.npz")["samples"], expected, rtol=0, atol=1e-6)
    command("sample", published, "--n", 2, "--truncation", 0.4, "--out", tmp_path / "b.png")
    assert (tmp_path / "b.png").is_file()
    for arguments, said in (
        (["export", weights, *of, "--out", tmp_path / "module"], "is there already"),
        (["export", weights, *of, "--out", tmp_path / "c", "--truncations", "a"], "is not a list of numbers"),
        (["export", weights, *of, "--out", tmp_path / "c", "--truncations", "0"], "out of range"),
        (["export", published, "--out", tmp_path / "c"], "is a published module"),
        (
            ["sample", published, "--labels", "7", "--out", tmp_path / "c.png"],
            "classes of this model are 0 to 4",
        ),
        (["sample", published, "--truncation", "3", "--out", tmp_path / "c.png"], "in (0, 1]"),
    ):
        output = command(*arguments, status=2)
        assert said in output and len(output.strip().splitlines()) == 1
    assert not (tmp_path / "c").exists() and not (tmp_path / "c.png").exists()
