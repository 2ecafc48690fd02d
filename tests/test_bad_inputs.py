"""Wrong input of every kind: the right error, one line, the value and a remedy; and nothing half-written.

One table a kind; each row is what is done, the error's type, and two fragments of its message: what was
wrong, and what to do about it. Commands must also end with the right exit status and print `error: ...`.
"""

import gzip
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

from ganlib import callbacks, checkpoints, data, losses, metrics, models, plots, scaling
from ganlib.cli import main
from ganlib.errors import CheckpointError, DataError, GanlibError, InputError
from ganlib.gan import GAN

ZEROS = np.zeros((4, 8, 8, 1), np.float32)


def full_disk(*args, **kwargs):
    raise OSError(28, os.strerror(28))


@pytest.fixture(scope="module")
def gan():
    """A trained GAN; cases only look at it."""
    gan = models.DCGAN.from_preset("smoke")
    gan.compile()
    return gan


@pytest.fixture(scope="module")
def place(gan, tmp_path_factory):
    """A folder of good, broken and foreign files, copied for each case."""
    root = tmp_path_factory.mktemp("place")
    (root / "file").write_text("a file, not a folder")
    (root / "empty").mkdir()

    # images
    for name in ("cut", "mixed", "text", "sizes"):
        (root / name).mkdir()
    picture = Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))
    picture.save(root / "good.png")
    good = (root / "good.png").read_bytes()
    (root / "cut" / "a.png").write_bytes(good)
    (root / "cut" / "b.png").write_bytes(good[: len(good) // 2])
    (root / "cut" / "c.png").write_bytes(b"")
    (root / "text" / "a.png").write_text("not a picture")
    (root / "sizes" / "a.png").write_bytes(good)
    picture.resize((32, 32)).save(root / "sizes" / "b.png")
    (root / "mixed" / "a.png").write_bytes(good)
    for domain in "AB":
        (root / "unpaired" / f"train{domain}").mkdir(parents=True)
        (root / "unpaired" / f"train{domain}" / "a.png").write_bytes(good)
    (root / "mixed" / "class").mkdir()
    (root / "mixed" / "class" / "b.png").write_bytes(good)
    (root / "idx").mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        content = gzip.compress(b"\0\0\x08\x01\0\0\0\x04ab")
        (root / "idx" / f"{name}-ubyte.gz").write_bytes(content[: len(content) - 5])

    # weights
    gan.save_weights(root / "good.weights.h5")
    good = (root / "good.weights.h5").read_bytes()
    (root / "cut.weights.h5").write_bytes(good[: len(good) // 2])
    (root / "pickle.weights.h5").write_bytes(pickle.dumps({"generator": [1, 2, 3]}))
    (root / "weights.pkl").write_bytes(pickle.dumps([1]))
    models.VanillaGAN.from_preset("smoke").save_weights(root / "other.weights.h5")

    # checkpoints
    checkpoint = checkpoints.save(gan, root / "checkpoints")
    for name, torn in (
        ("index", "state.index"),
        ("json", "state.json"),
        ("data", "state.data-00000-of-00001"),
    ):
        copy = root / f"torn_{name}" / checkpoint.name
        shutil.copytree(checkpoint, copy)
        content = (copy / torn).read_bytes()
        (copy / torn).write_bytes(content[: len(content) // 2])

    # tables and runs
    (root / "empty.csv").write_text("")
    (root / "ragged.csv").write_text("step,generator_loss\n1,0.5\n2\n3,0.5\n")
    (root / "words.csv").write_text("step,generator_loss\n1,high\n2,0.5\n")
    (root / "header.csv").write_text("step,generator_loss\n")
    (root / "columns.csv").write_text("step,temperature\n1,0.5\n")
    (root / "run").mkdir()
    options = {
        "preset": "smoke",
        "data": "digits",
        "data_options": {},
        "arguments": {},
        "seed": 3,
        "kimg": 0.1,
    }
    options |= dict.fromkeys(["batch_size", "resolution", "minutes", "score", "deterministic"])
    options |= dict.fromkeys(["checkpoint_every", "sample_every", "history_every"], 1) | {"strategy": "none"}
    config = {"model": "dcgan", "arguments": gan.get_config(), "options": options}
    config |= {"data": {"channels": 1}, "started": []}
    (root / "run" / "config.json").write_text(json.dumps(config))
    for name, text in (
        ("run_cut", json.dumps(config)[:200]),
        ("run_list", "[1, 2]"),
        ("run_foreign", json.dumps(config | {"arguments": {"depth": 3}})),
        ("run_model", json.dumps(config | {"model": "gan-9000"})),
    ):
        (root / name).mkdir()
        (root / name / "config.json").write_text(text)
    return root


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    """The case's own copy of `place`, as working folder."""
    shutil.copytree(place, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    """Every path below `folder`, with a hash of what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def dataset(images):
    return tf.data.Dataset.from_tensor_slices(images)


def load(name, **options):
    return data.load(name, **options)


def small(shape, name):
    """A network of one layer, from 3 latents to `shape` or from `shape` to a logit."""
    x = keras.Input((3,) if name == "generator" else shape)
    units = int(np.prod(shape)) if name == "generator" else 1
    y = keras.layers.Dense(units)(keras.layers.Flatten()(x))
    return keras.Model(x, keras.layers.Reshape(shape)(y) if name == "generator" else y)


ADAM = keras.optimizers.Adam

DATA = [
    ("fashion_mnits", {}, InputError, "'fashion_mnits'", "did you mean 'fashion_mnist'"),
    (3, {}, InputError, "name=3", "give one of"),
    ("imagenet", {}, InputError, "'imagenet'", "fashion_mnist"),
    ("folder:", {}, InputError, "'folder:'", "folder:PATH"),
    ("empty", {}, InputError, "'empty'", "folder:empty"),
    ("digits", {"split": "trian"}, InputError, "'trian'", "train"),
    ("digits", {"split": 0}, InputError, "split=0", "'train' or 'test'"),
    ("shapes", {"resolution": 2}, InputError, "resolution=2", "4"),
    ("shapes", {"resolution": 4096}, InputError, "resolution=4096", "1024"),
    ("digits", {"resolution": "32"}, InputError, "'32'", "integer"),
    ("digits", {"channels": 2}, InputError, "channels=2", "3"),
    ("digits", {"labels": "yes"}, InputError, "labels='yes'", "True or False"),
    ("digits", {"seed": -1}, InputError, "seed=-1", "0"),
    ("digits", {"full": True}, InputError, "full=True", "leave it out"),
    ("swiss_roll", {"labels": True}, DataError, "no labels", "labels=False"),
    ("gaussians_ring", {"mode": 5}, InputError, "'mode'", "did you mean 'modes'"),
    ("gaussians_ring", {"modes": 0}, InputError, "modes=0", "1"),
    ("gaussians_ring", {"sigma": -1.0}, InputError, "sigma=-1.0", "0"),
    ("folder:missing", {}, DataError, "missing", "folder:PATH"),
    ("folder:file", {}, DataError, "file", "folder:PATH"),
    ("folder:empty", {}, DataError, "empty", "put "),
    ("folder:cut", {}, DataError, "2 of 3 image files", "b.png"),
    ("folder:text", {}, DataError, "a.png", "emove"),
    ("folder:sizes", {}, DataError, "differ in size", "resolution="),
    ("folder:mixed", {}, DataError, "a.png", "keep one kind"),
    ("fashion_mnist", {"full": True, "data_dir": "idx"}, DataError, "train-images", "fetch the file again"),
    ("fashion_mnist", {"full": True, "data_dir": "empty"}, DataError, "'empty'", "idx .gz files"),
]

PYTHON = [
    # batches and arrays
    (lambda gan: load("digits").batch(0), InputError, "batch_size", "1"),
    (lambda gan: load("digits", repeat=False).batch(5000), DataError, "5000", "smaller batch_size"),
    (lambda gan: load("swiss_roll").to_numpy(), InputError, "infinite", "to_numpy(n)"),
    (lambda gan: data.from_arrays(ZEROS), DataError, "float32", "uint8"),
    (
        lambda gan: data.from_arrays(np.zeros((2, 8, 8), np.uint8), [0, 12], num_classes=10),
        DataError,
        "12",
        "9",
    ),
    (lambda gan: data.from_arrays(np.full((2, 2), np.nan)), DataError, "not finite", "remove it"),
    # constructor arguments
    (lambda gan: models.DCGAN(resolution=30), InputError, "resolution=30", "use 28, 32"),
    (lambda gan: models.DCGAN(latent_dim=0), InputError, "latent_dim=0", "at least 1"),
    (lambda gan: models.DCGAN(kernel_size=2.5), InputError, "kernel_size=2.5", "integer"),
    (lambda gan: models.DCGAN(learning_rate=-1e-3), InputError, "learning_rate=-0.001", "above 0"),
    (lambda gan: models.VanillaGAN(dropout=1.0), InputError, "dropout=1.0", "[0, 1)"),
    (lambda gan: models.VanillaGAN(n_critic=True), InputError, "n_critic=True", "integer"),
    (lambda gan: models.VanillaGAN(units=-5), InputError, "units=-5", "at least 1"),
    (lambda gan: models.DCGAN.from_preset("smoke", ema_decay=1), InputError, "ema_decay=1", "[0, 1)"),
    (lambda gan: models.DCGAN.from_preset("smoke", seed="a"), InputError, "seed='a'", "integer"),
    (lambda gan: models.DCGAN.from_preset("smoke", batch_size=0), InputError, "batch_size=0", "at least 1"),
    (lambda gan: models.DCGAN.from_preset("smoke", latent_distribution="t"), InputError, "'t'", "'uniform'"),
    (lambda gan: models.DCGAN.from_preset("large"), InputError, "'large'", "laptop"),
    (lambda gan: models.DCGAN.from_preset("smoke", depth=3), InputError, "'depth'", "latent_dim"),
    (lambda gan: losses.get("wgan-gp"), InputError, "'wgan-gp'", "wasserstein"),
    (lambda gan: losses.NonSaturating(label_smoothing=1.5), InputError, "label_smoothing=1.5", "[0, 1)"),
    (
        lambda gan: GAN(small((8, 8, 1), "generator"), small((8, 8, 3), "discriminator")),
        *(InputError, "(8, 8, 3)", "same resolution"),
    ),
    (lambda gan: scaling.strategy("mirored"), InputError, "'mirored'", "mirrored:N"),
    (lambda gan: scaling.strategy("mirrored:0"), InputError, "'mirrored:0'", "mirrored:N"),
    (lambda gan: scaling.logical_devices(0), InputError, "n=0", "from 1 to 256"),
    # training
    (lambda gan: gan.fit(ZEROS), InputError, "ndarray", "from_tensor_slices"),
    (lambda gan: gan.fit(dataset(ZEROS), steps_per_epoch=1), InputError, "single images", ".batch(8)"),
    (
        lambda gan: gan.fit(dataset(np.zeros((4, 8, 8, 3), np.float32)).batch(2), steps_per_epoch=1),
        *(InputError, "(None, 8, 8, 3)", "resolution and channels"),
    ),
    (
        lambda gan: gan.fit(dataset(ZEROS.astype(np.uint8)).batch(2), steps_per_epoch=1),
        *(InputError, "uint8", "float32 in [-1, 1]"),
    ),
    (lambda gan: gan.fit(load("digits").batch(8)), InputError, "has no end", "steps_per_epoch"),
    (
        lambda gan: gan.fit(dataset(ZEROS).batch(2), steps_per_epoch=0),
        InputError,
        "steps_per_epoch=0",
        "at least 1",
    ),
    (lambda gan: gan.compile(*[ADAM()] * 2), InputError, "one object", "one for each player"),
    (lambda gan: gan.compile(steps_per_execution=0), InputError, "steps_per_execution=0", "at least 1"),
    (
        lambda gan: gan.fit(
            dataset(ZEROS).batch(2), steps_per_epoch=1, verbose=0, callbacks=[callbacks.History("file/run")]
        ),
        *(InputError, "file/run", "choose a folder"),
    ),
    (
        lambda gan: models.Pix2Pix.from_preset("smoke").fit(
            data.unpaired("edges_to_fashion", resolution=8).batch(4), steps_per_epoch=1
        ),
        *(InputError, "'edges_to_fashion' comes unpaired", "ganlib.data.paired"),
    ),
    (
        lambda gan: models.Pix2Pix.from_preset("smoke").fit(load("digits").batch(4), steps_per_epoch=1),
        *(InputError, "Pix2Pix takes batches of pairs", "ganlib.data.paired"),
    ),
    (
        lambda gan: models.Pix2Pix.from_preset("smoke").fit(
            data.paired("edges_to_fashion", resolution=8).batch(4),
            steps_per_epoch=1,
            callbacks=[callbacks.SampleGrid("new")],
        ),
        *(InputError, "translates images", "real=(sources, targets)"),
    ),
    (
        lambda gan: models.DCGAN.from_preset("smoke", architecture=[]),
        InputError,
        "no architecture []",
        "choose one",
    ),
    (
        lambda gan: models.DCGAN.from_preset("smoke", base_channels=10**12),
        *(InputError, "base_channels=1000000000000", "smaller networks"),
    ),
    (
        lambda gan: models.StyleGAN2.from_preset("smoke", batch_size="x"),
        InputError,
        "batch_size='x'",
        "integer",
    ),
    (
        lambda gan: models.BigGAN.from_preset("smoke", resolution=None),
        InputError,
        "resolution=None",
        "integer",
    ),
    (
        lambda gan: models.StyleGAN.from_preset("smoke", batch_size=None),
        *(InputError, "batch_size=None", "integer"),
    ),
    (
        lambda gan: models.StackedGAN.from_preset("smoke", lower_latent_dim="x"),
        *(InputError, "lower_latent_dim='x'", "integer"),
    ),
    # sampling
    (lambda gan: gan.sample(0), InputError, "n=0", "at least 1"),
    (lambda gan: gan.sample(2.5), InputError, "n=2.5", "integer"),
    (lambda gan: gan.sample(4, truncation=0), InputError, "truncation=0", "above 0"),
    (lambda gan: gan.sample(4, truncation=float("nan")), InputError, "truncation=nan", "above 0"),
    (lambda gan: gan.sample(4, seed=1.5), InputError, "seed=1.5", "integer"),
    (lambda gan: gan.sample(4, labels=[0, 1, 2, 3]), InputError, "labels=[0, 1, 2, 3]", "without labels"),
    # weights
    (
        lambda gan: gan.load_weights("missing.weights.h5"),
        CheckpointError,
        "missing.weights.h5",
        "give the path",
    ),
    (
        lambda gan: gan.load_weights("cut.weights.h5"),
        CheckpointError,
        "cut.weights.h5",
        "save or copy it again",
    ),
    (
        lambda gan: gan.load_weights("pickle.weights.h5"),
        CheckpointError,
        "pickle.weights.h5",
        "save or copy it",
    ),
    (
        lambda gan: gan.load_weights("other.weights.h5"),
        CheckpointError,
        "does not fit DCGAN",
        "build the model with",
    ),
    (lambda gan: gan.load_weights("weights.pkl"), InputError, "weights.pkl", ".weights.h5"),
    (lambda gan: gan.save_weights("a.h5"), InputError, "a.h5", ".weights.h5"),
    (
        lambda gan: gan.save_weights("file/a.weights.h5"),
        CheckpointError,
        "file/a.weights.h5",
        "another folder",
    ),
    # checkpoints
    (lambda gan: checkpoints.restore(gan, "empty"), CheckpointError, "empty", "checkpoints folder"),
    (lambda gan: checkpoints.restore(gan, "missing"), CheckpointError, "missing", "checkpoints folder"),
    (lambda gan: checkpoints.restore(gan, "torn_index"), CheckpointError, "torn_index", "remove it"),
    (lambda gan: checkpoints.restore(gan, "torn_json"), CheckpointError, "torn_json", "remove it"),
    (lambda gan: checkpoints.restore(gan, "torn_data"), CheckpointError, "torn_data", "remove it"),
    (
        lambda gan: checkpoints.restore(compiled(models.VanillaGAN.from_preset("smoke")), "checkpoints"),
        *(CheckpointError, "VanillaGAN", "build and compile"),
    ),
    (
        lambda gan: checkpoints.save(gan, "file/checkpoints"),
        CheckpointError,
        "file/checkpoints",
        "another folder",
    ),
    (lambda gan: checkpoints.save(gan, "empty", keep=0), InputError, "keep=0", "at least 1"),
    # pictures and tables
    (lambda gan: plots.grid(np.zeros((4, 8, 8, 2))), InputError, "(4, 8, 8, 2)", "1 or 3"),
    (lambda gan: plots.grid(ZEROS[:0]), InputError, "(0, 8, 8, 1)", "n of 1 or more"),
    (lambda gan: plots.grid(ZEROS + 255), InputError, "[255, 255]", "x / 127.5 - 1"),
    (lambda gan: plots.grid(ZEROS.astype(np.uint8)), InputError, "uint8", "images / 127.5 - 1"),
    (lambda gan: plots.grid(ZEROS * np.nan), InputError, "256 of", "check the model's weights"),
    (lambda gan: plots.grid(ZEROS, columns=0), InputError, "columns=0", "1 or more"),
    (lambda gan: plots.points(ZEROS[0, ..., 0], None), InputError, "(8, 8)", "(n, 2)"),
    (lambda gan: plots.points(None, None), InputError, "None", "at least one"),
    (
        lambda gan: plots.points(ZEROS[0, :, :2, 0], None, limits=(1, -1)),
        InputError,
        "limits=(1, -1)",
        "low below",
    ),
    (lambda gan: plots.curves("missing.csv"), InputError, "missing.csv", "ganlib train"),
    (lambda gan: plots.curves("empty.csv"), InputError, "empty.csv", "delete it"),
    (lambda gan: plots.curves("ragged.csv"), InputError, "line 3", "delete that line"),
    (lambda gan: plots.curves("words.csv"), InputError, "line 2", "delete that line"),
    (lambda gan: plots.curves("header.csv"), InputError, "no rows", "train at least"),
    (lambda gan: plots.curves("columns.csv"), InputError, "temperature", "generator_loss"),
    (lambda gan: plots.curves([1, 2]), InputError, "list", "dict of lists"),
    (
        lambda gan: plots.curves({"step": [1, 2], "generator_loss": [1.0]}),
        *(InputError, "{'step': 2, 'generator_loss': 1}", "one value a row"),
    ),
    (lambda gan: plots.save_png(ZEROS, "a.jpg"), InputError, "a.jpg", ".png"),
    (lambda gan: plots.save_png(ZEROS, "file/a.png"), InputError, "file", "choose a folder"),
    (
        lambda gan: plots.save_png(ZEROS, "/proc/nowhere/a.png"),
        InputError,
        "/proc/nowhere",
        "choose a folder",
    ),
    (lambda gan: plots.save_gif([], "a.gif"), InputError, "a.gif", "at least one picture"),
    (lambda gan: plots.save_gif([ZEROS, ZEROS[:1]], "a.gif"), InputError, "frame 1", "same n and columns"),
    (lambda gan: plots.save_gif(["cut/b.png"], "a.gif"), InputError, "cut/b.png", "draw it again"),
    (lambda gan: plots.save_gif([ZEROS], "a.gif", seconds=0), InputError, "seconds=0", "0.02"),
    # metrics
    (
        lambda gan: metrics.frechet_distance(np.ones((5, 3)), np.ones((5, 4))),
        *(InputError, "3 and 4", "one extractor for both"),
    ),
    (
        lambda gan: metrics.frechet_distance(np.ones((1, 3)), np.ones((5, 3))),
        InputError,
        "(1, 3)",
        "at least 2",
    ),
    (
        lambda gan: metrics.frechet_distance(np.ones((5, 3)), np.full((5, 3), np.nan)),
        InputError,
        "finite",
        "check",
    ),
]

# what is written, with os.replace failing as on a full disk
FULL_DISK = [
    (lambda gan: plots.save_png(ZEROS, "a.png"), GanlibError, "a.png: No space left", "free some space"),
    (
        lambda gan: plots.save_gif([ZEROS], "empty/a.gif"),
        GanlibError,
        "a.gif: No space left",
        "free some space",
    ),
    (lambda gan: gan.save_weights("good.weights.h5"), CheckpointError, "good.weights.h5", "free space"),
    (lambda gan: checkpoints.save(gan, "empty"), CheckpointError, "empty", "free space"),
]

TRAIN = ["train", "dcgan", "--preset", "smoke", "--kimg", "0.01", "--out", "new"]
ACGAN = ["train", "acgan", "--preset", "smoke", "--kimg", "0.01", "--out", "new"]
PIX2PIX = ["train", "pix2pix", "--preset", "smoke", "--kimg", "0.01", "--out", "new"]
SWEEP = ["sweep", "dcgan", "--preset", "smoke", "--data", "digits", "--kimg", "0.01", "--out", "new"]
ONE = [*SWEEP, "--grid", "latent_dim=4"]
EVALUATE = ["evaluate", "good.weights.h5", "--model", "dcgan", "--preset", "smoke"]
COMMANDS = [
    (["trian"], "'trian'", "No such command"),
    (["train"], "MODEL", "Missing argument"),
    (["train", "dcgan", "--kimgs", "5"], "--kimgs", "No such option"),
    ([*TRAIN, "--kimg", "0"], "--kimg", "x>0"),
    ([*TRAIN, "--kimg", "many"], "'many'", "not a valid float"),
    ([*TRAIN, "--batch-size", "0"], "--batch-size", "x>=1"),
    ([*TRAIN, "--seed", "1.5"], "'1.5'", "not a valid int"),
    ([*TRAIN, "--seed", "-1"], "seed=-1", "0"),
    ([*TRAIN, "--set", "latent_dim"], "'latent_dim'", "KEY=VALUE"),
    ([*TRAIN, "--set", "latent_dim=4", "--set", "latent_dim=8"], "'latent_dim'", "give it once"),
    ([*TRAIN, "--set", "seed=1"], "seed=1", "--seed 1"),
    ([*TRAIN, "--set", "depth=1"], "'depth'", "latent_dim"),
    ([*TRAIN, "--set", "latent_dim=big"], "'big'", "integer"),
    ([*TRAIN, "--resolution", "30"], "resolution=30", "use 28, 32"),
    ([*TRAIN, "--strategy", "mirored"], "'mirored'", "mirrored:N"),
    ([*TRAIN, "--data", "fashion-mnits"], "'fashion-mnits'", "did you mean 'fashion_mnist'"),
    ([*TRAIN, "--data", "folder:cut"], "2 of 3 image files", "c.png"),
    ([*TRAIN, "--data", "gaussians_ring"], "gaussians_ring", "points_2d"),
    ([*ACGAN, "--data", "gaussians_ring"], "gaussians_ring", "points_2d"),
    ([*ACGAN, "--data", "folder:sizes"], "'folder:sizes' has no labels", "a model without classes"),
    ([*ACGAN, "--set", "num_classes=3"], "num_classes=3", "leave it out"),
    ([*ACGAN, "--set", "num_classes=11"], "num_classes=11", "leave it out"),
    (
        ["train", "cyclegan", "--preset", "smoke", "--set", "decay_steps=7", "--kimg", "1", "--out", "new"],
        *("--kimg 1 is 250 steps", "use less"),
    ),
    ([*PIX2PIX, "--data", "folder:unpaired"], "no sub-folder 'train'", "side-by-side images"),
    ([*PIX2PIX, "--data", "tfds:cycle_gan/horse2zebra"], "'tfds:cycle_gan/horse2zebra'", "edges_to_fashion"),
    ([*PIX2PIX, "--data", "fashion_mnist"], "no pairs are called 'fashion_mnist'", "edges_to_fashion"),
    ([*PIX2PIX, "--data", "gaussians_ring"], "gaussians_ring", "points_2d"),
    ([*PIX2PIX, "--data-option", "mirrored=true"], "'mirrored'", "edges_to_fashion"),
    ([*TRAIN, "--data-option", "modes=3"], "'modes'", "data_dir"),
    ([*TRAIN, "--data-option", "resolution=8"], "resolution", "leave it out"),
    (["train", "dcgann", "--out", "new"], "'dcgann'", "did you mean dcgan?"),
    (["train", "transformer", "--out", "new"], "'transformer'", "ganlib list"),
    (["train", "dcgan", "--preset", "big", "--out", "new"], "'big'", "laptop"),
    (
        ["train", "vanilla-gan", "--preset", "points_2d", "--out", "new", "--kimg", "0.01"],
        *("(28, 28, 1)", "another --preset or --data"),
    ),
    ([*TRAIN, "--out", "cut"], "--out cut is not empty", "--resume"),
    ([*TRAIN, "--out", "file"], "--out file is a file", "choose a folder"),
    ([*TRAIN, "--out", "file/run"], "file/run", "choose a folder"),
    ([*TRAIN, "--out", "empty", "--resume"], "empty has no config.json", "leave out --resume"),
    (["train", "vanilla-gan", "--out", "run", "--resume"], "'vanilla-gan'", "'dcgan'"),
    (["train", "dcgan", "--out", "run", "--resume", "--seed", "4"], "seed is 4", "started with 3"),
    (["train", "dcgan", "--out", "run", "--resume", "--preset", "laptop"], "'laptop'", "'smoke'"),
    (["train", "dcgan", "--out", "run", "--resume", "--data", "shapes"], "'shapes'", "'digits'"),
    (["train", "dcgan", "--out", "run", "--resume", "--batch-size", "4"], "batch-size is 4", "leave it out"),
    (["train", "dcgan", "--out", "run_cut", "--resume"], "not valid JSON", "restore it from a copy"),
    (["train", "dcgan", "--out", "run_list", "--resume"], "no 'model'", "restore it from a copy"),
    (["sample", "run_foreign"], "depth", "restore it from a copy"),
    (["sample", "run_model"], "'gan-9000'", "ganlib list"),
    (["sample", "missing"], "missing does not exist", "give the folder of a run"),
    (["sample", "weights.pkl"], "weights.pkl", "pickles and the like are not read"),
    (["sample", "good.weights.h5"], "no config.json", "--model and --preset"),
    (["sample", "run", "--out", "a.jpg"], "a.jpg", ".npz"),
    (["sample", "run", "--n", "0"], "--n", "x>=1"),
    (["sample", "run", "--truncation", "-1"], "--truncation", "x>0"),
    (["sample", "run", "--labels", "a,b"], "'a,b'", "such as 0,1,2"),
    (
        ["sample", "good.weights.h5", "--model", "dcgan", "--preset", "smoke", "--labels", "1"],
        *("not conditional", "without labels"),
    ),
    (["translate", "missing"], "missing does not exist", "give the folder of a run"),
    (["translate", "run", "--out", "a.jpg"], "a.jpg", ".npz"),
    (
        ["translate", "good.weights.h5", "--model", "dcgan", "--preset", "smoke"],
        *("DCGAN, which translates nothing", "ganlib sample"),
    ),
    (["evaluate", "missing"], "missing does not exist", "give the folder of a run"),
    (["evaluate", "run", "--out", "a.txt"], "a.txt", ".json"),
    (["evaluate", "run", "--samples", "1"], "--samples", "2<=x<=10000000"),
    (["evaluate", "good.weights.h5"], "no config.json that names", "give --data"),
    (
        [*EVALUATE, "--data", "digits", "--metrics", "fdi"],
        *("'fdi'", "did you mean 'fid'"),
    ),
    ([*EVALUATE, "--data", "digits", "--extractor", "inceptoin"], "'inceptoin'", "there is no extractor"),
    (["list", "--jsn"], "--jsn", "No such option"),
    (SWEEP, "nothing to sweep", "--grid KEY=V1,V2"),
    ([*SWEEP, "--grid", "latent_dim"], "'latent_dim'", "KEY=V1,V2"),
    ([*SWEEP, "--grid", "latent_dim="], "'latent_dim='", "KEY=V1,V2"),
    ([*SWEEP, "--grid", "latent_dim=4,8,4"], "latent_dim has 4 twice", "give it once"),
    ([*ONE, "--grid", "latent_dim=8"], "'latent_dim' is given twice", "give it once"),
    ([*ONE, "--set", "latent_dim=8"], "'latent_dim' is given twice", "give it once"),
    ([*SWEEP, "--grid", "latent_dims=4,8"], "no argument 'latent_dims'", "it takes"),
    ([*SWEEP, "--grid", "latent_dim=4,0"], "latent_dim=0", "at least 1"),
    ([*ONE, "--grid", "learning_rate=1e-3,-1,2e-3"], "latent_dim=4, learning_rate=-1: ", "above 0"),
    ([*SWEEP, "--grid", "learning_rate=1e-3,nan"], "learning_rate=nan", "above 0"),
    ([*SWEEP, "--grid", "seed=1,2"], "seed is not for --grid", "--seeds"),
    ([*ONE, "--seeds", "0,a"], "'0,a'", "such as 0,1,2"),
    ([*ONE, "--seeds", "-1"], "seed=-1", "0"),
    ([*SWEEP, "--paper", "rates"], "no argument 'discriminator_learning_rate'", "it takes"),
    ([*SWEEP, "--paper", "rate"], "'rate'", "did you mean 'rates'"),
    ([*ONE, "--metrics", "fdi"], "'fdi'", "did you mean 'fid'"),
    ([*ONE, "--metrics", "ms_ssim,fid", "--resolution", "32"], "--resolution", "No such option"),
    ([*ONE, "--metrics", "ms_ssim"], "ms_ssim", "leave it out"),
    ([*ONE, "--metrics", "ms_ssim", "--set", "resolution=32"], "ms_ssim", "put another first"),
    ([*ONE, "--extractor", "inceptoin"], "'inceptoin'", "there is no extractor"),
    ([*ONE, "--data", "gaussians_ring"], "gaussians_ring", "points_2d"),
    ([*ONE, "--out", "cut"], "--out cut is not empty", "--resume"),
    ([*ONE, "--out", "file"], "--out file is a file", "choose a folder"),
    ([*ONE, "--out", "empty", "--resume"], "empty has no sweep.json", "leave out --resume"),
    (["sweep", "dcgann", "--grid", "latent_dim=4", "--out", "new"], "'dcgann'", "did you mean dcgan?"),
]
FAILURES = [  # the input is right, the run or the files are not: status 1
    (["sample", "run"], "has no checkpoint", "train first"),
    (
        ["sample", "cut.weights.h5", "--model", "dcgan", "--preset", "smoke"],
        "cut.weights.h5",
        "copy it again",
    ),
    (
        ["sample", "pickle.weights.h5", "--model", "dcgan", "--preset", "smoke"],
        "pickle.weights.h5",
        "not a readable",
    ),
    (
        ["sample", "other.weights.h5", "--model", "dcgan", "--preset", "smoke"],
        "does not fit",
        "build the model with",
    ),
]


def compiled(gan):
    gan.compile()
    return gan


def check(message: str, *fragments: str):
    assert "\n" not in message, message
    for fragment in fragments:
        assert fragment in message, message


def numbered(rows):
    return [pytest.param(*row, id=f"{i}-{row[-2]}") for i, row in enumerate(rows)]


@pytest.mark.parametrize(("name", "options", "error", "what", "remedy"), numbered(DATA))
def test_data(name, options, error, what, remedy, here):
    before = contents(here)
    with pytest.raises(error) as caught:
        data.load(name, **options)
    check(str(caught.value), what, remedy)
    assert contents(here) == before


@pytest.mark.parametrize(("act", "error", "what", "remedy"), numbered(PYTHON))
def test_python(act, error, what, remedy, gan, here):
    before, weights = contents(here), [v.numpy() for v in gan.state()]
    with pytest.raises(error) as caught:
        act(gan)
    check(str(caught.value), what, remedy)
    assert contents(here) == before
    for a, b in zip(weights, gan.state(), strict=True):  # nor is the model half-changed
        np.testing.assert_array_equal(a, b.numpy())


@pytest.mark.parametrize(("act", "error", "what", "remedy"), numbered(FULL_DISK))
def test_full_disk(act, error, what, remedy, gan, here, monkeypatch):
    before = contents(here)
    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, full_disk)
    with pytest.raises(error) as caught:
        act(gan)
    monkeypatch.undo()
    check(str(caught.value), what, remedy)
    assert contents(here) == before


@pytest.mark.parametrize(
    ("arguments", "status", "what", "remedy"),
    numbered([(a, 2, *rest) for a, *rest in COMMANDS] + [(a, 1, *rest) for a, *rest in FAILURES]),
)
def test_command(arguments, status, what, remedy, here):
    before = contents(here)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    check(line, what, remedy)
    assert contents(here) == before


def test_train_on_a_full_disk_fails_before_the_first_step(here, monkeypatch):
    before = contents(here)
    monkeypatch.setattr(os, "replace", full_disk)
    result = CliRunner().invoke(main, TRAIN)
    monkeypatch.undo()
    assert result.exit_code == 1 and result.stdout == ""
    check(
        result.stderr.rstrip("\n"), "error: cannot write new/.running.json: No space left", "free some space"
    )
    assert contents(here) == before


@pytest.mark.parametrize(
    ("arguments", "status", "what"),
    [
        (["train", "dcgan", "--kimg", "-1"], 2, "--kimg"),
        (["train", "dcgan", "--out", "cut"], 2, "not empty"),
        (["sample", "cut.weights.h5", "--model", "dcgan", "--preset", "smoke"], 1, "copy it again"),
    ],
)
def test_real_process(arguments, status, what, here):
    before = contents(here)
    command = [sys.executable, "-m", "ganlib.cli", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == status and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and what in line
    assert contents(here) == before
