"""A killed and resumed run is the run that was not killed, bit for bit; damage is found before anything changes."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from ganlib import checkpoints
from ganlib.errors import CheckpointError, InputError, StateNotFinite, TrainingDiverged
from ganlib.models import DCGAN, registry

RUN = """
import os, hashlib
import keras
import tensorflow as tf
import ganlib
from ganlib.callbacks import Checkpoint

tf.config.experimental.enable_op_determinism()

class Die(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.step == {kill_at}:
            os.kill(os.getpid(), 9)

result = {{}}
models = ganlib.models.registry()
for name in {names}:
    gan = models[name].from_preset("smoke")
    gan.compile()
    options = {{}} if gan.sampled else {{"mirror": True, "jitter": True}}
    data = gan.load_data("gaussians_ring" if len(gan.image_shape) == 1 else None, **options)
    data = data.batch(gan.batch_size)
    folder = f"{folder}/{{name}}"
    start = ganlib.checkpoints.restore(gan, folder) if ganlib.checkpoints.latest(folder) else 0
    gan.fit(data, steps_per_epoch=60 - start, callbacks=[Checkpoint(folder, every_steps=10, keep=6), Die()], verbose=0)
    bits = [hashlib.sha256(v.numpy().tobytes()).hexdigest()[:16] for v in gan.state()]
    result[name] = {{"start": start, "step": gan.step, "images": gan.images_seen, "bits": bits}}
"""


# a game with momentum; the rest (buffers, schedules, labels, dropout, ...) eagerly in test_registry.py, from the
# command line in test_cli.py, and here under `make test-all`
KILLED = ["vanilla-gan"]


@pytest.mark.parametrize(
    "names",
    [KILLED, pytest.param([name for name in registry() if name not in KILLED], marks=pytest.mark.long)],
    ids=["kinds", "the rest"],
)
def test_30_steps_kill_9_and_30_more_are_60(names, run_python, tmp_path):
    whole, folder, victim = tmp_path / "whole", tmp_path / "killed", names[0]

    def run(names, **where):
        return run_python(RUN.format(names=names, **{"kill_at": -1, **where}))

    def both(names):
        straight = run(names, folder=whole)
        for name in set(names) - {victim}:  # what a kill between the checkpoints of 30 and 40 leaves
            shutil.copytree(whole / name, folder / name)
            for step in (40, 50, 60):
                shutil.rmtree(folder / name / f"step-000000{step}")
        resumed = run(names, folder=folder)
        assert list(resumed) == names
        return straight, resumed

    killed = run_python(RUN.format(names=[victim], kill_at=37, folder=folder), check=False)
    assert killed.returncode == -9
    straight, resumed = {}, {}
    with ThreadPoolExecutor(2) as pool:  # most of the time goes into tracing, which takes one core
        for parts in pool.map(both, filter(None, (names[::2], names[1::2]))):
            straight.update(parts[0])
            resumed.update(parts[1])
    assert set(resumed) == set(names)
    for name, run in resumed.items():
        assert (run["start"], run["step"]) == (30, 60) and straight[name]["start"] == 0
        assert run["images"] == straight[name]["images"]
        assert run["bits"] == straight[name]["bits"], name
        # not all zeros; of levels that are done or to come slots are, and averages are what their networks are
        assert len(set(run["bits"])) > 0.5 * len(run["bits"])


def trained(steps=2, **arguments):
    gan = DCGAN.from_preset("smoke", **arguments)
    gan.compile()
    images = tf.random.stateless_uniform((16, *gan.image_shape), (1, 2), -1, 1)
    gan.fit(tf.data.Dataset.from_tensor_slices(images).batch(8).repeat(), steps_per_epoch=steps, verbose=0)
    return gan


def test_the_newest_are_kept_and_nothing_else_is_left(tmp_path):
    gan = trained()
    for step in (2, 4, 1000, 999):
        gan.step_counter.assign(step)
        checkpoints.save(gan, tmp_path, keep=2)
    (tmp_path / ".step-00000007-123").mkdir()  # as a killed process leaves it
    assert checkpoints.latest(tmp_path).name == "step-00001000"
    gan.step_counter.assign(1001)
    path = checkpoints.save(gan, tmp_path, keep=2)
    assert gan.last_checkpoint == path
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00001000", "step-00001001"]
    checkpoints.save(gan, tmp_path, keep=2)  # again: replaced
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00001000", "step-00001001"]


def test_what_is_not_finite_is_not_saved(tmp_path):
    gan = trained()
    gan.discriminator.weights[0].assign(tf.fill(gan.discriminator.weights[0].shape, np.nan))
    with pytest.raises(StateNotFinite, match="not finite at step 2") as caught:
        checkpoints.save(gan, tmp_path)
    assert isinstance(caught.value, CheckpointError) and isinstance(caught.value, TrainingDiverged)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage", ["no description", "torn description", "torn values", "no values", "no folder"]
)
def test_damage_is_named_and_changes_nothing(tmp_path, damage):
    path = checkpoints.save(trained(), tmp_path)
    values = path / "state.data-00000-of-00001"
    if damage == "no description":
        (path / "state.json").unlink()
    elif damage == "torn description":
        (path / "state.json").write_text((path / "state.json").read_text()[:50])
    elif damage == "torn values":
        values.write_bytes(values.read_bytes()[: values.stat().st_size // 2])
    elif damage == "no values":
        values.unlink()
    else:
        shutil.rmtree(path)
    gan = trained(1)
    before = [v.numpy() for v in gan.state()]
    with pytest.raises(CheckpointError, match=r"train first|damaged") as caught:
        checkpoints.restore(gan, tmp_path)
    assert "\n" not in str(caught.value)
    for a, b in zip(before, gan.state(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_run_is_refused_by_name(tmp_path):
    path = checkpoints.save(trained(), tmp_path)
    with pytest.raises(CheckpointError, match=r"belongs to another run: its seed is 0, here it is 1"):
        checkpoints.restore(trained(seed=1), path)
    description = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**description, "model": "WGAN"}))
    with pytest.raises(CheckpointError, match='its model is "WGAN", here it is "DCGAN"'):
        checkpoints.restore(trained(), path)


def test_bad_keep_and_unwritable_folder(tmp_path):
    gan = trained()
    with pytest.raises(InputError, match="keep=0"):
        checkpoints.save(gan, tmp_path, keep=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        checkpoints.save(gan, tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
