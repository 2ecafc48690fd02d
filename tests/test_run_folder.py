"""What a run folder survives: odd names, lost checkpoints, two processes, kills at bad moments, changed data."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ganlib import checkpoints, runs
from ganlib.cli import main
from ganlib.files import read_history

QUICK = [
    "train",
    "dcgan",
    "--preset",
    "smoke",
    "--checkpoint-every",
    "4",
    "--sample-every",
    "4",
    "--no-score",
]


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return result


def everything(folder):
    """Name -> content of every file below."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 8 steps."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    call(*QUICK, "--kimg", "0.064", "--out", out)
    return out


@pytest.mark.parametrize("name", ["run[1]", "lr[0.1]/a", "what?", "a*b", "{x}", "back\\slash"])
def test_a_folder_with_any_name_is_resumed(finished, tmp_path, name):
    out = tmp_path / name
    shutil.copytree(finished, out)
    if name == "run[1]":  # once as a whole
        call("train", "dcgan", "--out", out, "--resume", "--kimg", "0.08")
        assert read_history(out / "history.csv")["step"][-1] == 10
    gan = runs.load(out)
    gan.compile()
    assert checkpoints.restore(gan, out / "checkpoints") == (10 if name == "run[1]" else 8)


def test_without_its_checkpoints_a_trained_run_is_left_as_it_is(finished, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    shutil.rmtree(out / "checkpoints")
    before = everything(out)
    text = call("train", "dcgan", "--out", out, "--resume", "--kimg", "1", status=2).output
    assert "was trained for 8 steps or more" in text and "nothing was changed" in text
    (out / "model.weights.h5").unlink()
    del before["model.weights.h5"]
    call("train", "dcgan", "--out", out, "--resume", "--kimg", "1", status=2)
    assert everything(out) == before


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(finished, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    shutil.copy(finished / "config.json", out)
    rows = (finished / "history.csv").read_text().splitlines(keepends=True)
    (out / "history.csv").write_text("".join(rows[:3]))
    call("train", "dcgan", "--out", out, "--resume")
    again, before = (read_history(folder / "history.csv") for folder in (out, finished))
    timed = {"seconds", "images_per_second"}
    assert {k: v for k, v in again.items() if k not in timed} == {
        k: v for k, v in before.items() if k not in timed
    }


def test_a_run_that_was_killed_at_its_end_is_finished(finished, tmp_path):
    """Between the last checkpoint and the pictures: no step is left, the closing work is."""
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    whole = everything(out)
    for name in (
        "metrics.json",
        "model.weights.h5",
        "curves.png",
        "samples/training.gif",
        "samples/step-00000008.png",
    ):
        (out / name).unlink()
    text = call("train", "dcgan", "--out", out, "--resume").output
    for line in text.splitlines():
        if line.startswith(("pictures", "curves", "weights")):
            for word in line.split()[1:]:
                assert word == "and" or os.path.exists(word), word
    again = everything(out)
    assert again.keys() == whole.keys()
    for name in ("samples/step-00000008.png", "samples/training.gif", "curves.png"):
        assert again[name] == whole[name], name


HOLDER = """
import sys, time
from pathlib import Path
from ganlib.runs.folder import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_told_who_is_there(finished, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    before = everything(out)
    other = subprocess.Popen([sys.executable, "-c", HOLDER, out], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        text = call("train", "dcgan", "--out", out, "--resume", "--kimg", "1", status=2).output
        assert f"is in use by process {other.pid} on " in text
    finally:
        other.kill()  # as kill -9: the kernel frees the lock
        other.wait()
    assert {k: v for k, v in everything(out).items() if k not in (".lock", ".running.json")} == before
    call("train", "dcgan", "--out", out, "--resume", "--kimg", "0.08")
    assert not list(out.glob(".*"))


def test_a_new_run_that_others_are_quicker_with_is_refused(tmp_path):
    out = tmp_path / "run"
    other = subprocess.Popen([sys.executable, "-c", HOLDER, out], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        assert "is in use by" in call(*QUICK, "--kimg", "0.064", "--out", out, status=2).output
    finally:
        other.kill()
        other.wait()


def pictures_in(folder, n, seed):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / f"{i:02}.png")


def test_a_folder_of_images_that_has_changed_is_not_resumed(tmp_path):
    images, out = tmp_path / "images", tmp_path / "run"
    pictures_in(images, 20, 0)
    call(*QUICK, "--data", f"folder:{images}", "--kimg", "0.064", "--out", out)
    before = everything(out)
    again = ["train", "dcgan", "--out", out, "--resume", "--kimg", "0.08"]
    pictures_in(images, 20, 1)  # as many others
    text = call(*again, status=2).output
    assert "is not what" in text and "20 examples" in text
    pictures_in(images, 20, 0)
    (images / "00.png").unlink()
    assert "now" in call(*again, status=2).output
    assert everything(out) == before
    pictures_in(images, 20, 0)
    call(*again)


def test_a_start_that_was_killed_does_not_block_the_folder(tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    for name in (".config.json.ab12cd34", ".lock", ".running.json"):
        (out / name).write_text("{")
    call(*QUICK, "--kimg", "0.008", "--out", out)
    assert not list(out.glob(".*"))
    (out / ".notes").write_text("mine")
    assert "not empty" in call(*QUICK, "--kimg", "0.008", "--out", out, status=2).output


def test_leftovers_of_kills_are_removed_and_other_hidden_files_stay(finished, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    for name in (
        "samples/.training.gif.x1",
        "samples/.step-00000004.png.x2",
        ".history.csv.x3",
        "samples/.mine",
    ):
        (out / name).write_text("x")
    (out / "checkpoints" / ".step-00000009-77").mkdir()
    call("train", "dcgan", "--out", out, "--resume", "--kimg", "0.08")
    assert [path.name for path in out.rglob(".*")] == [".mine"]


def test_what_cannot_train_is_refused_before_anything_is_written(tmp_path, run_python):
    refused = [
        ("dcgan", ["--strategy", "cpu:3"], "cannot be shared by 3 replicas"),
        ("dcgan", ["--kimg", "1e-9"], "less than a step"),
        ("dcgan", ["--batch-size", str(10**9)], "GiB"),
        ("wgan", ["--set", "n_critic=999999999"], "n_critic"),
    ]
    code = f"""
from click.testing import CliRunner
from ganlib.cli import main
result = []
for model, options, _ in {refused!r}:
    arguments = ["train", model, "--preset", "smoke", "--kimg", "1", "--out", {str(tmp_path / "run")!r}, *options]
    found = CliRunner().invoke(main, arguments)
    result.append((found.exit_code, found.output))
"""
    for (status, text), (*_, message) in zip(run_python(code, devices=3), refused, strict=True):
        assert status == 2 and message in text, text
    assert not (tmp_path / "run").exists()


def test_a_damaged_old_picture_is_left_out_of_the_gif(finished, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "samples" / "step-00000004.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.warns(UserWarning, match=r"step-00000004.png is damaged"):
        call("train", "dcgan", "--out", out, "--resume", "--kimg", "0.096")
    with Image.open(out / "samples" / "training.gif") as gif:
        assert gif.n_frames == 3  # of steps 0, 8 and 12


def test_a_lost_terminal_saves(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "ganlib.cli", *QUICK, "--kimg", "1000", "--out", str(out)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # under nohup the tests ignore the signal, and what they start would, too
    run = subprocess.Popen(command, **pipes, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
    while not list(out.glob("checkpoints/step-*")):
        assert run.poll() is None, run.communicate()
        time.sleep(0.2)
    run.send_signal(signal.SIGHUP)
    try:
        _, text = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == 128 + signal.SIGHUP and "saved in" in text
    config = json.loads((out / "config.json").read_text())
    assert config["model"] == "dcgan" and not (out / ".running.json").exists()


def lambda_layer(config):
    code = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__"}},
    }
    config["arguments"]["loss"] = code


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda config: config.update(options=None), "has no 'options'"),
        (lambda config: config.update(model=["dcgan"]), "has no 'model'"),
        (lambda config: config["arguments"].update(base_channels="many"), "does not describe a DCGAN"),
        (
            lambda config: config["arguments"].update(latent_distribution={"class_name": "Nothing"}),
            "does not describe",
        ),
        (lambda_layer, "does not run code from files"),
    ],
)
def test_a_config_that_is_not_a_runs_is_one_line(finished, tmp_path, change, match):
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    config = json.loads((out / "config.json").read_text())
    change(config)
    (out / "config.json").write_text(json.dumps(config))
    before = everything(out)
    for command in (
        ["train", "dcgan", "--out", out, "--resume"],
        ["sample", out, "--out", tmp_path / "a.png"],
    ):
        text = call(*command, status=2).output
        assert match in text and len(text) <= 508 and text.count("\n") == 1, text
        assert "unsafe" not in text
    assert everything(out) == before


@pytest.mark.parametrize("content", ["null", "[" * 100_000, "{"])
def test_a_file_that_is_no_config_is_one_line(finished, tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    text = call("sample", tmp_path, "--out", tmp_path / "a.png", status=2).output
    assert "config.json" in text and len(text) <= 508 and text.count("\n") == 1


def test_pipes_in_the_place_of_files_are_not_waited_for(finished, tmp_path):
    out = tmp_path / "run"
    for name in ("config.json", "history.csv", "model.weights.h5"):
        shutil.copytree(finished, out)
        (out / name).unlink()
        os.mkfifo(out / name)
        command = ["sample", out, "--out", tmp_path / "a.png"]
        if name == "history.csv":
            command = ["train", "dcgan", "--out", out, "--resume", "--kimg", "1", "--minutes", "5"]
        result = CliRunner().invoke(main, [str(part) for part in command])
        assert result.exit_code in (1, 2) and "regular file" in result.output, (name, result.output)
        shutil.rmtree(out)


def test_errors_are_cut_at_five_hundred_characters():
    text = call("train", "x" * 10_000, status=2).output
    assert len(text) <= 508 and text.endswith("...\n")


@pytest.mark.parametrize(
    ("command", "match"),
    [
        (["sample", "{run}", "--model", "dcgan", "--preset", "smoke"], "leave out --model and --preset"),
        (["sample", "{run}", "--preset", "smoke"], "leave out --model and --preset"),
        (["evaluate", "{run}", "--model", "dcgan", "--preset", "smoke"], "leave out --model and --preset"),
        (["evaluate", "{run}", "--metrics", ""], "it is empty"),
        (["evaluate", "{run}", "--split", " "], "it is empty"),
        (["evaluate", "{run}", "--data", ""], "it is empty"),
        (["sample", "{run}", "--labels", ","], "it is empty"),
        (["sample", "{run}", "--truncation", "nan"], "nan is not a number above 0"),
        (["train", "dcgan", "--minutes", "nan", "--out", "new"], "nan is not a number above 0"),
        (["train", "dcgan", "--kimg", "inf", "--out", "new"], "inf is not a number above 0"),
    ],
)
def test_options_that_would_be_ignored_are_refused(finished, tmp_path, monkeypatch, command, match):
    monkeypatch.chdir(tmp_path)
    text = call(*(part.format(run=finished) for part in command), status=2).output
    assert match in text and not list(tmp_path.iterdir())
