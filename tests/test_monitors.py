"""Monitors: what they measure against closed forms, that they only look, when they warn, what a resumed run finds."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ganlib import callbacks, checkpoints, layers, penalties, plots, tricks
from ganlib import monitors as mo
from ganlib.errors import InputError
from ganlib.files import read_history
from ganlib.gan import GAN

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (32, 4, 4, 1)).astype(np.float32)


def networks():
    """G and D of 4x4 grey images with batch norm, dropout, transposed and plain convolutions."""
    keras.utils.set_random_seed(0)
    z = keras.Input((3,))
    x = keras.layers.Reshape((2, 2, 5))(keras.layers.Dense(20, name="dense")(z))
    x = keras.layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    up = keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh", name="transposed")
    image = keras.Input((4, 4, 1))
    y = keras.layers.Conv2D(6, 3, strides=2, padding="same", name="convolution")(image)
    y = layers.BatchNormalization(name="norm")(layers.Dropout(0.3)(y))
    y = keras.layers.Dense(1, name="logit")(keras.layers.Flatten()(y))
    return keras.Model(z, up(x)), keras.Model(image, y)


def small(run_eagerly=True, **arguments):  # tracing costs more than the few steps of a test
    """A GAN of `networks`, batch 4."""
    gan = GAN(*networks(), batch_size=4, ema_decay=0.5, **arguments)
    gan.compile(run_eagerly=run_eagerly)
    return gan


def train(gan, steps, *watch):
    data = tf.data.Dataset.from_tensor_slices(IMAGES).batch(4, drop_remainder=True)
    gan.fit(data, steps_per_epoch=steps, callbacks=watch, verbose=0)
    return gan


def values(gan):
    return [v.numpy() for v in gan.state()]


class Steps(mo.Monitor):
    """Measures the step itself; alarms from 4 on."""

    file = "steps"

    def measure(self):
        return {"value": float(self.step)}

    def alarming(self, history):
        if history["value"][-1] >= 4:
            yield "value", history["value"][-1], 4.0

    def figure(self):
        return plots.traces({"value": (self.history["step"], self.history["value"])})


# ------------------------------------------------------------------------------------------- only looking


@pytest.mark.parametrize(
    ("run_eagerly", "make"),
    [
        (False, lambda: {"tricks": [tricks.ReplayBuffer(8)]}),
        (
            True,
            lambda: {
                "penalties": [penalties.R1(1.0)],
                "tricks": [tricks.ReplayBuffer(8), tricks.HistoricalAveraging()],
            },
        ),
    ],
)
def test_training_is_bit_identical_with_and_without_monitors(run_eagerly, make, tmp_path):
    arguments = make()
    plain = values(train(small(run_eagerly, **arguments), 5))
    arguments = make()  # a trick belongs to one GAN
    watch = [
        mo.GradientNorms(IMAGES[:4], tmp_path, every=2),
        mo.Spectra(tmp_path, every=2),
        mo.CollapseAlarm(IMAGES, tmp_path, every=2),
    ]
    watched = values(train(small(run_eagerly, **arguments), 5, *watch))
    assert len(plain) == len(watched) > 20
    for a, b in zip(plain, watched, strict=True):
        assert (a == b).all()
    for monitor in watch:
        assert monitor.history["step"] == [0, 2, 4, 5]


def test_no_global_random_numbers_are_drawn():
    gan = small()
    state = np.random.get_state()[1].copy()
    for monitor in (mo.GradientNorms(IMAGES[:4]), mo.Spectra(), mo.CollapseAlarm(IMAGES)):
        monitor.set_model(gan)
        monitor.measure()
    mo.singular_values(RNG.standard_normal((60, 70)))
    assert (np.random.get_state()[1] == state).all()


REPLICAS = """
import contextlib, sys
sys.path.insert(0, {folder!r})
import keras
import ganlib
from ganlib import monitors, penalties, tricks
from ganlib.gan import GAN
from test_monitors import IMAGES, networks, train


def run(strategy, watch=True):
    strategy = ganlib.scaling.strategy(strategy)
    with strategy.scope():
        extras = dict(penalties=[penalties.GradientPenalty(1.0)], tricks=[tricks.ReplayBuffer(8)])
        gan = GAN(*networks(), batch_size=4, ema_decay=0.5, **extras)
        gan.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05))
    rows = []
    for scope in (contextlib.nullcontext(), strategy.scope()):
        watched = [
            monitors.GradientNorms(IMAGES[:4], every=2),
            monitors.Spectra(every=2),
            monitors.CollapseAlarm(IMAGES, every=2, n=16, warmup=100),
        ]
        with scope:
            train(gan, 3, *watched * watch)
        rows += [monitor.history for monitor in watched]
    assert gan.distribute_strategy.num_replicas_in_sync == strategy.num_replicas_in_sync
    return dict(rows=rows, ends=[v.numpy() for v in gan.state()])


result = dict(one=run("none"), two=run("cpu:2"), unwatched=run("cpu:2", watch=False))
"""


def test_two_replicas_are_watched_as_one_is(run_python):
    """In `fit` outside and inside of the strategy's scope."""
    found = run_python(REPLICAS.format(folder=str(Path(__file__).parent)), devices=2)
    one, two = found["one"]["rows"], found["two"]["rows"]
    assert [rows["step"] for rows in two] == 3 * [[0, 2, 3]] + 3 * [[3, 4, 6]]
    for expected, rows in zip(one, two, strict=True):
        assert list(rows) == list(expected)
        for name, column in rows.items():
            np.testing.assert_allclose(column, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    for a, b in zip(found["two"]["ends"], found["unwatched"]["ends"], strict=True):
        assert (np.asarray(a) == np.asarray(b)).all()  # they only look


# ------------------------------------------------------------------------------------------ gradient norms


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_gradient_norms_are_those_of_the_step_to_come(run_eagerly):
    gan = small(run_eagerly)
    batch = tf.constant(IMAGES[:4])
    expected = gan.gradients(batch)
    monitor = mo.GradientNorms(batch)
    monitor.set_model(gan)
    row = monitor.measure()
    for player, gradients in expected.items():
        squares = {path: float(np.square(gradient).sum()) for path, gradient in gradients}
        assert row[player] == pytest.approx(np.sqrt(sum(squares.values())), rel=1e-5)
        for path in squares:
            layer = path.rpartition("/")[0]
            own = np.sqrt(sum(square for name, square in squares.items() if name.startswith(f"{layer}/")))
            # biases before a batch norm have gradients of rounding alone
            assert row[f"{player}/{layer}"] == pytest.approx(own, rel=1e-4, abs=1e-6)
    assert len(row) == 2 + 3 + 3


def test_gradient_norm_of_sgd_is_the_step_it_makes():
    gan = small()
    gan.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    before = [v.numpy() for v in gan.discriminator.trainable_variables]
    monitor = mo.GradientNorms(IMAGES[:4], every=5)
    train(gan, 1, monitor)  # its first batch is the monitor's
    after = [v.numpy() for v in gan.discriminator.trainable_variables]
    moved = np.sqrt(sum(np.square(a - b).sum() for a, b in zip(after, before, strict=True)))
    assert monitor.history["discriminator"][0] == pytest.approx(moved / 0.01, rel=1e-3)


def test_gradient_norms_above_the_threshold_warn_once_and_are_all_noted():
    gan = small()
    with pytest.warns(
        UserWarning, match=r"GradientNorms, step 0: \w+ is .* the alarm is set at 1e-06"
    ) as caught:
        monitor = mo.GradientNorms(
            tf.data.Dataset.from_tensor_slices(IMAGES).batch(4), every=2, threshold=1e-6
        )
        train(gan, 4, monitor)
    assert len([w for w in caught if "GradientNorms" in str(w.message)]) == 1
    assert [(a.step, a.name) for a in monitor.alarms] == [
        (step, player) for step in (0, 2, 4) for player in ("discriminator", "generator")
    ]
    assert monitor.alarms[0].value == monitor.history["discriminator"][0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calm = mo.GradientNorms(IMAGES[:4], every=2)
        train(small(), 2, calm)
    assert calm.alarms == [] and calm.threshold == 100


def test_labels_go_with_the_batch():
    monitor = mo.GradientNorms((IMAGES[:4], np.zeros(4, np.int32)))
    monitor.set_model(small())
    alone = mo.GradientNorms(IMAGES[:4])
    alone.set_model(small())
    assert monitor.measure() == alone.measure()


def test_each_phase_is_traced_anew_and_has_the_same_columns(monkeypatch):
    gan, level, asked = small(run_eagerly=False), 0, []
    original = gan.gradients

    def gradients(batch):
        """Level 1 leaves D alone."""
        asked.append(level)
        return {name: of for name, of in original(batch).items() if level == 0 or name == "generator"}

    monkeypatch.setattr(gan, "gradients", gradients)
    monkeypatch.setattr(type(gan), "level", property(lambda _: level))
    monitor = mo.GradientNorms(IMAGES[:4])
    monitor.set_model(gan)
    first = monitor.measure()
    assert monitor.measure() == first and asked == [0]
    level = 1
    second = monitor.measure()
    assert asked == [0, 1] and list(second) == list(first)
    assert second["discriminator"] == 0 and second["generator"] == first["generator"] > 0


# ------------------------------------------------------------------------------------------------- spectra


@pytest.mark.parametrize("shape", [(200, 60), (60, 200), (30, 30), (5, 80), (3, 3), (1, 40), (25, 25)])
def test_singular_values_are_those_of_the_full_decomposition(shape):
    matrix = RNG.standard_normal(shape)
    expected = np.linalg.svd(matrix, compute_uv=False)[:3]
    np.testing.assert_allclose(mo.singular_values(matrix), expected, rtol=1e-9)
    assert (mo.singular_values(matrix) == mo.singular_values(matrix)).all()


def test_singular_values_of_awkward_matrices():
    np.testing.assert_allclose(mo.singular_values(np.eye(50)), [1, 1, 1], rtol=1e-9)
    np.testing.assert_allclose(mo.singular_values(np.zeros((50, 60))), [0, 0, 0], atol=1e-12)
    rank_one = np.outer(RNG.standard_normal(50), RNG.standard_normal(60))
    found = mo.singular_values(rank_one)
    assert found[0] == pytest.approx(np.linalg.norm(rank_one), rel=1e-9) and found[1] < 1e-6 * found[0]
    assert np.isnan(mo.singular_values(np.full((50, 60), np.nan))).all()


def test_kernels_are_reshaped_to_output_channels_by_the_rest():
    kernel = RNG.standard_normal((3, 3, 5, 7))
    conv, transposed = keras.layers.Conv2D(7, 3), keras.layers.Conv2DTranspose(5, 3)
    assert mo.as_matrix(kernel, conv).shape == (7, 45)
    assert (mo.as_matrix(kernel, conv)[2] == kernel[..., 2].reshape(-1)).all()
    assert mo.as_matrix(kernel, transposed).shape == (5, 63)  # Keras: (height, width, out, in)
    assert (mo.as_matrix(kernel, transposed)[2] == kernel[:, :, 2].reshape(-1)).all()
    assert mo.as_matrix(kernel[0, 0], keras.layers.Dense(7)).shape == (7, 5)
    assert mo.as_matrix(kernel[0, 0], keras.layers.Embedding(5, 7)).shape == (5, 7)


def test_spectra_of_all_weight_matrices_of_a_model():
    gan = small()
    monitor = mo.Spectra()
    monitor.set_model(gan)
    row = monitor.measure()
    dense, transposed = gan.generator.trainable_variables[0], gan.generator.trainable_variables[4]
    assert dense.shape == (3, 20) and transposed.shape == (4, 4, 1, 5)
    exact = np.linalg.svd(dense.numpy().astype(float), compute_uv=False)
    found = [row[f"generator/{dense.path}/sigma{i}"] for i in range(3)]
    np.testing.assert_allclose(found, exact, rtol=1e-9)
    assert row[f"generator/{dense.path}/ratio"] == pytest.approx(exact[0] / exact[1])
    assert row[f"generator/{dense.path}/frobenius"] == pytest.approx(
        np.sqrt(np.square(exact).sum()), rel=1e-6
    )
    # one output channel: one singular value, the norm, and no ratio
    assert row[f"generator/{transposed.path}/sigma0"] == pytest.approx(np.linalg.norm(transposed), rel=1e-6)
    assert (
        f"generator/{transposed.path}/sigma1" not in row and f"generator/{transposed.path}/ratio" not in row
    )
    weights = {name.rpartition("/")[0] for name in row}
    assert len(weights) == 4 and all(name.endswith("kernel") for name in weights)


def test_a_normalised_layer_shows_its_effective_value_too():
    gan = small()
    image = keras.Input((4, 4, 1))
    layer = layers.SpectralDense(9, name="normalised")
    logit = keras.layers.Dense(1)(layer(keras.layers.Flatten()(image)))
    gan = GAN(gan.generator, keras.Model(image, logit), ema_decay=None)
    layer.kernel.assign(5 * layer.kernel)
    monitor = mo.Spectra()
    monitor.set_model(gan)
    u = layer.u.numpy()
    row = monitor.measure()
    assert (layer.u.numpy() == u).all()
    name = f"discriminator/{layer.kernel.path}"
    largest = np.linalg.svd(layer.kernel.numpy().astype(float), compute_uv=False)[0]
    assert row[f"{name}/sigma0"] == pytest.approx(largest, rel=1e-9)
    assert row[f"{name}/effective0"] == pytest.approx(largest / float(layer.sigma), rel=1e-6)
    assert row[f"{name}/effective0"] > 1  # one power step underestimates sigma
    for _ in range(200):
        layer(IMAGES.reshape(-1, 16), training=True)
    assert monitor.measure()[f"{name}/effective0"] == pytest.approx(1, abs=1e-3)
    assert [column for column in row if column.endswith("effective0")] == [f"{name}/effective0"]


def test_a_jump_over_the_running_median_is_an_alarm_and_slow_growth_is_not():
    monitor = mo.Spectra(factor=1.5, window=4, warmup=3)

    def alarms(series):
        found = []
        for i in range(1, len(series) + 1):
            history = {"step": list(range(i)), "g/w/sigma0": series[:i], "g/w/sigma1": [9.0**i]}
            found += [(i - 1, *alarm) for alarm in monitor.alarming(history)]
        return found

    assert alarms([1.1**i for i in range(20)]) == []
    assert alarms([1.0, 4.0, 1.0]) == []  # in the warm-up
    assert alarms([1.0, 1.0, 1.0, 1.6, 1.0, 1.4]) == [(3, "g/w/sigma0", 1.6, 1.5)]
    # the median looks back 4 rows only
    assert alarms([1.0] * 3 + [1.4] * 4 + [2.0]) == []
    assert alarms([1.0] * 7 + [2.0]) == [(7, "g/w/sigma0", 2.0, 1.5)]
    (broken,) = alarms([1.0, np.nan])
    assert broken[:2] == (1, "g/w/sigma0") and np.isnan(broken[2])


def test_spectra_alarm_in_training_on_a_weight_that_was_blown_up():
    class Blow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                kernel = self.model.generator.trainable_variables[0]
                kernel.assign(3 * kernel)

    monitor = mo.Spectra(every=1)
    with pytest.warns(UserWarning, match=r"Spectra, step 5: generator/dense/kernel/sigma0"):
        train(small(), 6, Blow(), monitor)
    assert monitor.alarms[0].step == 5 and monitor.alarms[0].name == "generator/dense/kernel/sigma0"


# ------------------------------------------------------------------------------------------------ collapse


def test_pairwise_distances_by_hand():
    assert mo.pairwise(np.array([[0.0], [1.0], [4.0]])) == (pytest.approx(8 / 3), pytest.approx(5 / 3))


@pytest.mark.parametrize(
    ("make", "low"),
    [
        (lambda rng: rng.uniform(-1, 1, (64, 16)), []),
        (lambda rng: np.repeat(rng.uniform(-1, 1, (1, 16)), 64, axis=0), ["diversity", "nearest"]),
        # four pictures, each many times: far apart on average, and copies of each other
        (lambda rng: np.repeat(rng.uniform(-1, 1, (4, 16)), 16, axis=0), ["nearest"]),
        (lambda rng: np.full((64, 16), np.nan), ["diversity", "nearest"]),
    ],
)
def test_diverse_and_collapsed_samples(make, low):
    data = np.random.default_rng(1).uniform(-1, 1, (64, 16))
    samples = make(np.random.default_rng(2))
    monitor = mo.CollapseAlarm(data, sample=lambda gan: samples, warmup=0)
    monitor.set_model(small())
    row = monitor.measure()
    if not low:
        assert row["diversity"] == pytest.approx(1, abs=0.05) and row["nearest"] == pytest.approx(1, abs=0.1)
    history = {"step": [0], **{name: [value] for name, value in row.items()}}
    assert [name for name, *_ in monitor.alarming(history)] == low


def test_collapse_alarm_watches_the_generator_itself_from_fixed_latents():
    gan = small()
    monitor = mo.CollapseAlarm(IMAGES, n=16, seed=5, warmup=0)
    monitor.set_model(gan)
    row = monitor.measure()
    assert row == monitor.measure()
    images = gan.generator(gan.sample_latents(16, seed=5), training=False).numpy().reshape(16, -1)
    share = mo.pairwise(images.astype(float))[0] / mo.pairwise(IMAGES[:16].reshape(16, -1).astype(float))[0]
    assert row["diversity"] == pytest.approx(share)
    # a generator that ignores its latents
    gan.generator.trainable_variables[0].assign(np.zeros((3, 20), np.float32))
    assert monitor.measure() == {"diversity": 0, "nearest": 0}


def test_collapse_alarm_in_feature_space():
    means = mo.CollapseAlarm(
        IMAGES,
        features=lambda x: np.asarray(x).mean(axis=(1, 2)),
        sample=lambda gan: IMAGES - IMAGES.mean(axis=(1, 2), keepdims=True),
        warmup=0,
    )
    means.set_model(small())
    assert means.measure()["diversity"] < 1e-5  # different pictures, equal in the only feature


# ------------------------------------------------------------------------------- rows, files, resuming


def test_rows_are_written_as_they_come_and_a_figure_at_the_end(tmp_path):
    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(read_history(tmp_path / "steps.csv")["step"])

    seen = []
    monitor = Steps(tmp_path, every=2)
    with pytest.warns(UserWarning):
        train(small(), 5, monitor, Look())
    assert seen == [[0], [0, 2], [0, 2], [0, 2, 4], [0, 2, 4]]
    assert read_history(tmp_path / "steps.csv") == {"step": [0, 2, 4, 5], "value": [0, 2, 4, 5]}
    assert Image.open(tmp_path / "steps.png").format == "PNG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["steps.csv", "steps.png"]


def test_a_resumed_run_continues_the_rows_and_their_alarms(tmp_path):
    gan = small()
    with pytest.warns(UserWarning):
        train(gan, 6, callbacks.Checkpoint(tmp_path / "c", every_steps=4), Steps(tmp_path, every=2))
    with open(tmp_path / "steps.csv", "a") as file:
        file.write("8,0.")  # killed in mid-write
    again = small()
    checkpoints.restore(again, checkpoints.latest(tmp_path / "c").with_name("step-00000004"))
    monitor = Steps(tmp_path, every=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the alarm of step 4 was told already
        train(again, 4, monitor)
    assert read_history(tmp_path / "steps.csv")["step"] == [0, 2, 4, 6, 8] == monitor.history["step"]
    assert [alarm.step for alarm in monitor.alarms] == [4, 6, 8]


def test_several_steps_a_call_and_stopping():
    gan = small()
    gan.compile(steps_per_execution=4, run_eagerly=True)
    monitor = Steps(every=6, stop=True)
    with pytest.warns(UserWarning):
        train(gan, 12, monitor)
    assert monitor.history["step"] == [0, 8] and gan.step == 8


def test_the_table_of_another_model_is_refused(tmp_path):
    (tmp_path / "steps.csv").write_text("step,other\n0,1\n")
    gan = small()
    gan.step_counter.assign(1)
    with pytest.raises(InputError, match=r"has the columns step, other, this model.*choose another folder"):
        train(gan, 1, Steps(tmp_path))


def test_monitors_are_found_among_the_callbacks():
    assert callbacks.Spectra is mo.Spectra and callbacks.GradientNorms is mo.GradientNorms
    assert callbacks.CollapseAlarm is mo.CollapseAlarm


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Steps(every=0), r"Steps\(every=0\): expected a whole number of steps"),
        (lambda: mo.GradientNorms(IMAGES, threshold=0), r"threshold=0\): expected a number above 0"),
        (
            lambda: mo.GradientNorms(tf.data.Dataset.from_tensor_slices(IMAGES[:0])),
            r"dataset without batches",
        ),
        (lambda: mo.GradientNorms(IMAGES[:, :2]).set_model(small()), r"takes float32 \(batch, 4, 4, 1\)"),
        (lambda: mo.Spectra(top=0), r"Spectra\(top=0\)"),
        (lambda: mo.Spectra(factor=1), r"Spectra\(factor=1\): expected a number above 1"),
        (lambda: mo.CollapseAlarm(IMAGES, n=1), r"CollapseAlarm\(n=1\)"),
        (lambda: mo.CollapseAlarm(IMAGES[:1]), r"m of 2 or more"),
        (lambda: mo.CollapseAlarm(0 * IMAGES), r"give CollapseAlarm images that differ"),
        (lambda: mo.CollapseAlarm(IMAGES, below=-1), r"below=-1"),
        (
            lambda: mo.CollapseAlarm(IMAGES).set_model(
                SimpleNamespace(step=0, images_seen=0, players=dict, sampled=False)
            ),
            r"translates images: tell CollapseAlarm which, sample=gan -> translations",
        ),
        (lambda: mo.Spectra().set_model(keras.Sequential()), r"Spectra cannot watch a Sequential"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
