"""Callbacks on a GAN of a few numbers: what they write, when, and what a resumed run finds."""

import importlib.util
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ganlib import callbacks as cb
from ganlib import checkpoints, plots
from ganlib.errors import GanlibError, InputError, TrainingDiverged
from ganlib.files import read_history
from ganlib.gan import GAN
from ganlib.models import registry

LOGS = ["discriminator_loss", "generator_loss", "real_loss", "fake_loss", "real_logits", "fake_logits"]


def tiny(points=False, **arguments):
    """A GAN of 2x2 grey images or points, batch 4."""
    keras.utils.clear_session()  # so that automatic layer names, which a checkpoint remembers, start anew
    keras.utils.set_random_seed(0)
    shape = (2,) if points else (2, 2, 1)
    z = keras.Input((3,))
    x = keras.layers.Dense(int(np.prod(shape)), activation=None if points else "tanh")(z)
    generator = keras.Model(z, keras.layers.Reshape(shape)(x))
    image = keras.Input(shape)
    discriminator = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
    gan = GAN(generator, discriminator, batch_size=4, ema_decay=0.5, **arguments)
    # Steps that change pixels; eager, because tracing costs more than the few steps of a test.
    gan.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.1), run_eagerly=True)
    return gan


def batches(gan, scale=1.0):
    values = scale * np.linspace(-1, 1, 4 * int(np.prod(gan.image_shape)), dtype=np.float32)
    return tf.data.Dataset.from_tensors(values.reshape(4, *gan.image_shape)).repeat()


def train(gan, steps, *callbacks, epochs=1):
    gan.fit(batches(gan), steps_per_epoch=steps, epochs=epochs, callbacks=callbacks, verbose=0)
    return gan


class Seen(keras.callbacks.Callback):
    """Every step's logs, as numbers."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append({name: float(value) for name, value in logs.items()})


# ------------------------------------------------------------------------------------------------ History


def test_history_rows_hold_means_over_the_interval(tmp_path):
    seen = Seen()
    train(tiny(), 5, seen, cb.History(tmp_path, every=2))
    table = read_history(tmp_path / "history.csv")
    assert list(table) == ["step", "kimg", "seconds", "images_per_second", *LOGS]
    assert table["step"] == [2, 4, 5]
    assert table["kimg"] == [0.008, 0.016, 0.02]
    assert table["seconds"] == sorted(table["seconds"]) and table["seconds"][0] > 0
    for name in LOGS:
        values = [logs[name] for logs in seen.logs]
        expected = [np.mean(values[0:2]), np.mean(values[2:4]), values[4]]
        np.testing.assert_allclose(table[name], expected, rtol=1e-6)


def test_history_means_over_more_steps_than_are_kept_pending(tmp_path, monkeypatch):
    monkeypatch.setattr("ganlib.callbacks.history._FOLD", 3)
    seen = Seen()
    train(tiny(), 10, seen, cb.History(tmp_path, every=10))
    expected = np.mean([logs["generator_loss"] for logs in seen.logs])
    assert read_history(tmp_path / "history.csv")["generator_loss"] == [pytest.approx(expected, rel=1e-6)]


def test_history_counts_epochs_through_and_n_critic(tmp_path):
    train(tiny(n_critic=2), 3, cb.History(tmp_path, every=3), epochs=3)
    table = read_history(tmp_path / "history.csv")
    assert table["step"] == [3, 6, 9]
    assert table["kimg"] == [0.024, 0.048, 0.072]


def test_history_with_several_steps_a_call(tmp_path):
    gan = tiny()
    gan.compile(steps_per_execution=4)
    train(gan, 12, cb.History(tmp_path, every=6))
    assert read_history(tmp_path / "history.csv")["step"] == [8, 12]


def test_history_resumes_without_gaps_or_doubles_and_mends_a_torn_line(tmp_path):
    gan = train(tiny(), 6, cb.Checkpoint(tmp_path / "c", every_steps=4), cb.History(tmp_path, every=2))
    first = (tmp_path / "history.csv").read_text().splitlines()
    with open(tmp_path / "history.csv", "a") as file:
        file.write("8,0.03")  # killed in mid-write
    again = tiny()
    checkpoints.restore(again, checkpoints.latest(tmp_path / "c").with_name("step-00000004"))
    train(again, 4, cb.History(tmp_path, every=2))
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[:3] == first[:3]  # header and the rows of steps 2 and 4, byte for byte
    table = read_history(tmp_path / "history.csv")
    assert table["step"] == [2, 4, 6, 8]
    assert table["kimg"] == [0.008, 0.016, 0.024, 0.032]
    assert all(a < b for a, b in zip(table["seconds"], table["seconds"][1:], strict=False))
    assert int(gan.step) == 6 and int(again.step) == 8


def test_history_restarted_from_zero_starts_anew(tmp_path):
    train(tiny(), 4, cb.History(tmp_path, every=2))
    train(tiny(), 2, cb.History(tmp_path, every=1))
    assert read_history(tmp_path / "history.csv")["step"] == [1, 2]


def test_history_refuses_the_table_of_another_model(tmp_path):
    (tmp_path / "history.csv").write_text("step,kimg,seconds,images_per_second,cycle_loss\n0,0,0,0,1\n")
    with pytest.raises(InputError, match=r"has the columns cycle_loss.*choose another folder"):
        train(tiny(), 2, cb.History(tmp_path, every=1))


# ----------------------------------------------------------------------------------------------- pictures


def test_sample_grid_draws_start_multiples_end_and_a_gif(tmp_path):
    gan = tiny()
    before = gan.sample(4, seed=7)
    train(gan, 5, cb.SampleGrid(tmp_path, every=2, n=4, seed=7))
    names = [
        "step-00000000.png",
        "step-00000002.png",
        "step-00000004.png",
        "step-00000005.png",
        "training.gif",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    with Image.open(tmp_path / "training.gif") as gif:
        assert gif.n_frames == 4
    assert (tmp_path / names[0]).read_bytes() == _png(tmp_path, before)
    assert (tmp_path / names[3]).read_bytes() == _png(tmp_path, gan.sample(4, seed=7))


def test_sample_grid_resumes_with_all_pictures_on_disk_but_those_of_lost_steps(tmp_path):
    gan = train(tiny(), 4, cb.Checkpoint(tmp_path / "c"), cb.SampleGrid(tmp_path / "s", every=2, n=4))
    (tmp_path / "s" / "step-00000006.png").write_bytes(b"of a run that was killed at 7")
    kept = (tmp_path / "s" / "step-00000004.png").stat().st_mtime_ns
    gan = tiny()
    checkpoints.restore(gan, tmp_path / "c")
    train(gan, 4, cb.SampleGrid(tmp_path / "s", every=2, n=4))
    assert (tmp_path / "s" / "step-00000004.png").stat().st_mtime_ns == kept
    with Image.open(tmp_path / "s" / "training.gif") as gif:
        assert gif.n_frames == 5


def test_sample_grid_of_points_has_the_same_axes_each_time(tmp_path, monkeypatch):
    drawn = []
    original = plots.points
    monkeypatch.setattr(plots, "points", lambda *a, **k: drawn.append(original(*a, **k)) or drawn[-1])
    real = np.array([[2.0, 0.0], [0.0, -4.0]])
    train(tiny(points=True), 2, cb.SampleGrid(tmp_path, every=1, n=4, real=real))
    assert [figure.axes[0].get_xlim() for figure in drawn] == [(-5.0, 5.0)] * 3
    assert [figure.axes[0].get_title() for figure in drawn] == ["step 0", "step 1", "step 2"]


def conditional():
    """G shows its latent in one pixel and its class in the other, at 1 x 2 pixels."""
    z, y = keras.Input((1,)), keras.Input((), dtype="int32")
    shade = keras.layers.Embedding(
        4, 1, embeddings_initializer=lambda shape, dtype: [[-1.0], [-0.3], [0.3], [1.0]]
    )
    x = keras.layers.Concatenate()([keras.layers.Activation("tanh")(z), shade(y)])
    generator = keras.Model([z, y], keras.layers.Reshape((1, 2, 1))(x))
    image, label = keras.Input((1, 2, 1)), keras.Input((), dtype="int32")
    x = keras.layers.Concatenate()([keras.layers.Flatten()(image), keras.layers.Embedding(4, 1)(label)])
    discriminator = keras.Model([image, label], keras.layers.Dense(1)(x))
    return GAN(generator, discriminator, num_classes=4, batch_size=4, ema_decay=None)


def test_sample_grid_of_a_conditional_model_has_a_row_a_class_and_a_column_a_latent(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "save_png", lambda images, path, columns: drawn.append((images, columns)))
    gan = conditional()
    for n, labels in ((11, None), (3, None), (5, 2)):
        grid = cb.SampleGrid(tmp_path, n=n, seed=1, labels=labels, gif=False)
        grid.set_model(gan)
        grid.on_train_begin()
    (images, columns), (few, no_columns), (chosen, _) = drawn
    assert (
        images.shape == (8, 1, 2, 1) and columns == 2
    )  # 4 classes, and 2 latents are as many as 11 samples allow
    rows = images[:, 0].reshape(4, 2, 2)
    np.testing.assert_allclose(rows[..., 1], np.repeat([[-1.0], [-0.3], [0.3], [1.0]], 2, axis=1), rtol=1e-6)
    np.testing.assert_allclose(
        rows[..., 0], np.tanh(gan.sample_latents(2, seed=1)).T.repeat(4, axis=0), rtol=1e-5
    )
    assert len(few) == 3 and no_columns is None  # fewer samples than classes: as `sample` draws them
    np.testing.assert_allclose(chosen[:, 0, 1, 0], 0.3, rtol=1e-6)


def test_sample_grid_of_a_translator_sets_its_images_between_sources_and_targets(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "save_png", lambda images, path, columns: drawn.append((images, columns)))
    for model, columns in (("pix2pix", 3), ("cyclegan", 6)):
        gan = registry()[model].from_preset("smoke")
        sources, targets = (images.numpy() for images in gan.example_batch(3))
        grid = cb.SampleGrid(tmp_path, n=2, real=(sources, targets), gif=False)
        grid.set_model(gan)
        grid.on_train_begin()
        images, shown = drawn.pop()
        assert shown == columns and len(images) == 2 * columns
        rows = images.reshape(2, columns, *images.shape[1:])
        there = gan.translate(sources[:2], seed=0)
        np.testing.assert_array_equal(rows[:, 0], sources[:2])
        np.testing.assert_allclose(rows[:, 1], there, atol=1e-6)
        np.testing.assert_array_equal(rows[:, columns // 2 if columns == 6 else 2], targets[:2])
        if model == "cyclegan":
            back = gan.translate(targets[:2], "ba")
            np.testing.assert_allclose(rows[:, 2], gan.translate(there, "ba"), atol=1e-6)
            np.testing.assert_allclose(rows[:, 4], back, atol=1e-6)
            np.testing.assert_allclose(rows[:, 5], gan.translate(back), atol=1e-6)


def test_sample_grid_stops_on_samples_that_are_not_finite(tmp_path):
    gan = tiny()
    gan.ema_generator.variables[0].assign(np.full(gan.ema_generator.variables[0].shape, np.nan, np.float32))
    with pytest.raises(TrainingDiverged, match="step 0: the samples are not finite"):
        train(gan, 1, cb.SampleGrid(tmp_path, n=4))
    assert list(tmp_path.iterdir()) == []


def test_curves_are_drawn_from_the_table(tmp_path):
    train(tiny(), 4, cb.History(tmp_path, every=2), cb.Curves(tmp_path))
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1280, 480)
    with pytest.raises(InputError, match=r"put History\(.*before Curves"):
        train(tiny(), 1, cb.Curves(tmp_path / "elsewhere"))


# -------------------------------------------------------------------------------------------- checkpoints


def test_checkpoint_every_so_many_steps_and_at_the_end(tmp_path):
    gan = train(tiny(), 5, cb.Checkpoint(tmp_path, every_steps=2, keep=2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000005"]
    again = tiny()
    assert checkpoints.restore(again, tmp_path) == 5
    for a, b in zip(gan.state(), again.state(), strict=True):
        assert (a.numpy() == b.numpy()).all()


def test_checkpoint_refuses_to_start_below_what_is_saved_and_nothing_is_touched(tmp_path):
    train(tiny(), 4, cb.Checkpoint(tmp_path / "c"), cb.History(tmp_path, every=2))
    before = (tmp_path / "history.csv").read_bytes()
    with pytest.raises(InputError, match=r"step 4, the model is at step 0.*restore"):
        train(tiny(), 4, cb.History(tmp_path, every=2), cb.Checkpoint(tmp_path / "c"))
    assert (tmp_path / "history.csv").read_bytes() == before


# ------------------------------------------------------------------------------------- bar and TensorBoard


def test_progress_bar_ends_with_a_line_without_timings(capsys):
    gan = tiny()
    gan.fit(batches(gan), steps_per_epoch=3, epochs=2, verbose=1)
    last = capsys.readouterr().err.rstrip("\n").split("\r")[-1]
    assert last.startswith("100%") and last.rstrip().endswith("6/6 steps")


def test_progress_bar_counts_on_from_the_restored_step_and_shows_the_losses(capsys, monkeypatch):
    gan = train(tiny(), 4)
    bar = cb.ProgressBar()
    original = bar.on_train_begin
    monkeypatch.setattr(bar, "on_train_begin", lambda logs=None: original() or setattr(bar, "_pause", 0.0))
    train(gan, 4, bar)
    states = capsys.readouterr().err.split("\r")
    assert any("5/8 steps [" in s and "images/s=" in s and "D=" in s and "G=" in s for s in states)
    assert states[-1].rstrip().endswith("8/8 steps") and bar.bar is None


def test_progress_bar_close_is_safe_at_any_time(capsys):
    bar = cb.ProgressBar()
    bar.close()
    bar.set_model(tiny())
    bar.set_params({"steps": 10, "epochs": 1})
    bar.on_train_begin()
    bar.close()
    bar.close()
    assert capsys.readouterr().err.endswith("\n")


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="tensorboard is installed")
def test_tensorboard_missing_says_how_to_get_it(tmp_path):
    with pytest.raises(InputError, match="pip install tensorboard"):
        cb.TensorBoard(tmp_path / "events")
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_writes_scalars_and_samples(tmp_path):
    pytest.importorskip("tensorboard")
    train(tiny(), 4, cb.TensorBoard(tmp_path, every=2, images_every=4, n=4))
    (events,) = tmp_path.glob("events.out.tfevents.*")
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(event.step)
    assert found.pop("samples") == [4]
    assert found == {name: [2, 4] for name in LOGS}


# -------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda f: cb.History(f, every=0),
            r"History\(every=0\): expected a whole number of steps, 1 or more",
        ),
        (lambda f: cb.SampleGrid(f, every=2.5), r"SampleGrid\(every=2.5\)"),
        (lambda f: cb.SampleGrid(f, n=0), r"SampleGrid\(n=0\): expected a whole number of samples"),
        (lambda f: cb.Checkpoint(f, every_steps=-1), r"Checkpoint\(every=-1\)"),
        (lambda f: cb.Checkpoint(f, keep=0), r"Checkpoint\(keep=0\): expected a whole number, 1 or more"),
        (
            lambda f: cb.History(f).set_model(keras.Sequential([keras.layers.Dense(1)])),
            r"History cannot watch a Sequential.*use it with ganlib\.GAN",
        ),
    ],
)
def test_bad_arguments(make, message, tmp_path):
    with pytest.raises(InputError, match=message):
        make(tmp_path)


def test_a_disk_that_fills_up_while_the_table_grows(tmp_path, monkeypatch):
    import builtins

    history = cb.History(tmp_path, every=2)
    original = builtins.open

    def full(path, mode="r", *args, **kwargs):
        if mode == "a":
            raise OSError(28, os.strerror(28))
        return original(path, mode, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(GanlibError, match=r"cannot write .*history\.csv: No space left.*free some space"):
        train(tiny(), 2, history)
    monkeypatch.undo()
    assert read_history(tmp_path / "history.csv")["step"] == []


def _png(folder, images):
    path = plots.save_png(images, folder / "expected.png")
    content = path.read_bytes()
    path.unlink()
    return content
