"""The command line, from help to a resumed run. In-process where it can be; smoke-sized networks."""

import importlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ganlib import data, doctor, models, runs
from ganlib.cli import main
from ganlib.files import read_history

training = importlib.import_module("ganlib.runs.train")  # `runs.train` is the function
SMOKE = ["train", "dcgan", "--preset", "smoke", "--checkpoint-every", "10", "--sample-every", "20"]
QUICK = [*SMOKE, "--no-score"]


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 50 steps of 8 images: the command's result and its folder."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    return call(*QUICK, "--kimg", "0.4", "--out", out), out


# --------------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["sample", "--help"], ["--version"]])
def test_help_imports_neither_tensorflow_nor_numpy(arguments):
    code = f"""
import sys
from ganlib.cli import main
try:
    main({arguments!r}, prog_name="ganlib")
except SystemExit as end:
    assert not end.code, end.code
heavy = {{"tensorflow", "keras", "numpy", "matplotlib", "PIL", "h5py", "scipy", "sklearn", "tqdm"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_help_takes_under_300_ms_of_cpu_beyond_pythons_start():
    def cpu(*arguments):
        def once():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=60)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        return min(once() for _ in range(4))

    assert cpu("-m", "ganlib.cli", "--help") - cpu("-c", "pass") < 0.3


def test_no_command_shows_the_help():
    assert "train" in call().output


def test_help_names_all_data():
    text = " ".join(call("train", "--help").output.split())
    assert [name for name in data.names() if name not in text] == []


# --------------------------------------------------------------------------------------------------- list


def test_list_json_has_every_model_preset_and_count():
    listed = {model["name"]: model for model in json.loads(call("list", "--json").stdout)}
    assert set(listed) == set(models.registry())
    for name, cls in models.registry().items():
        entry = listed[name]
        assert entry["class"] == cls.__name__ and entry["arxiv"] == cls.arxiv and entry["title"] == cls.title
        assert set(entry["presets"]) == set(cls.presets)
        gan = cls.from_preset("smoke")
        assert entry["presets"]["smoke"]["parameters"] == {
            player: sum(int(np.prod(v.shape)) for v in network.trainable_variables)
            for player, network in gan.players().items()
        }


def test_list_for_people(monkeypatch):
    monkeypatch.setattr(models, "registry", lambda: {"dcgan": models.DCGAN})
    text = call("list").stdout
    for name, cls in models.registry().items():
        assert name in text and f"arXiv:{cls.arxiv}" in text
        assert all(preset in text for preset in cls.presets)


def test_list_data_has_a_row_for_each_preset_that_is_named_after_data():
    rows = json.loads(call("list", "--data", "--json").stdout)
    named = {
        (name, preset)
        for name, cls in models.registry().items()
        for preset in cls.presets
        if re.search(r"_\d+(_|$)", preset)
    }
    assert {(row["model"], row["preset"]) for row in rows} == named and len(rows) == len(named)
    for row in rows:
        resolution = models.registry()[row["model"]].presets[row["preset"]].given.get("resolution")
        assert resolution is None or row["preset"].split("_")[1] == str(resolution)
        assert all(row[key] for key in ("data", "source", "images", "size", "licence"))
        source = re.search(r"--data (\S+)", row["line"])[1]
        known = {**data.names(), **data.pair_names()}
        assert source in known or source.split(":")[0] in ("folder", "tfds")
        assert row["line"].startswith(f"ganlib train {row['model']} --preset {row['preset']} --data ")
    lsun = next(row for row in rows if row["preset"] == "lsun_64")
    assert lsun["memory_gb"] == 37.27  # 3,033,042 * 64 * 64 * 3 bytes
    text = call("list", "--data").stdout
    assert all(row["line"] in text and row["licence"] in text for row in rows)


def test_the_readme_names_the_data_that_has_to_be_fetched():
    readme = (pathlib.Path(__file__).parents[1] / "README.md").read_text()
    for row in json.loads(call("list", "--data", "--json").stdout):
        assert f"| {row['data']} |" in readme and f"| {row['size']} |" in readme, row["data"]


# -------------------------------------------------------------------------------------------------- train


def test_a_run_folder_holds_everything(finished):
    result, out = finished
    names = {
        "config.json",
        "history.csv",
        "curves.png",
        "samples",
        "checkpoints",
        "model.weights.h5",
        "metrics.json",
    }
    assert {path.name for path in out.iterdir()} == names
    pictures = [f"step-{step:08d}.png" for step in (0, 20, 40, 50)]
    assert sorted(path.name for path in (out / "samples").iterdir()) == [*pictures, "training.gif"]
    checkpoints = [f"step-{step:08d}" for step in (30, 40, 50)]
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == checkpoints
    config = json.loads((out / "config.json").read_text())
    assert config["model"] == "dcgan" and config["preset"] == "smoke" and config["seed"] == 0
    assert config["data"]["name"] == "fashion_mnist" and config["data"]["shape"] == [8, 8, 1]
    assert config["arguments"]["batch_size"] == 8
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["step"] == 50 and metrics["kimg"] == 0.4
    assert metrics["scores"] == [] and metrics["no_score_because"] == "--no-score"
    table = read_history(out / "history.csv")
    assert table["step"] == list(range(1, 51)) and table["kimg"][-1] == 0.4
    assert str(out / "samples" / "step-00000050.png") in result.stdout
    assert "images/s" in result.stdout and "score" in result.stdout
    assert "Traceback" not in result.stderr and "50/50 steps" in result.stderr


def test_a_complete_run_says_so_and_is_left_alone(finished):
    _, out = finished
    before = _tree(out)
    result = call(*QUICK, "--kimg", "0.4", "--out", out, "--resume")
    assert "already complete: step 50 of 50" in result.stdout
    assert _tree(out) == before


def test_sample_from_a_run_and_from_its_weights_is_the_run_s_own(finished, tmp_path):
    _, out = finished
    call("sample", out, "--n", 64, "--seed", 0, "--out", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == (out / "samples" / "step-00000050.png").read_bytes()
    call("sample", out / "model.weights.h5", "--n", 5, "--seed", 3, "--out", tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as arrays:
        samples = arrays["samples"]
    gan = models.DCGAN.from_preset("smoke")
    gan.load_weights(out / "model.weights.h5")
    assert samples.shape == (5, 8, 8, 1) and (samples == gan.sample(5, seed=3)).all()


def test_sample_from_bare_weights_needs_to_be_told_what_they_are(finished, tmp_path):
    _, out = finished
    (tmp_path / "my.weights.h5").write_bytes((out / "model.weights.h5").read_bytes())
    error = call("sample", tmp_path / "my.weights.h5", "--out", tmp_path / "a.png", status=2).stderr
    assert error.startswith("error: ") and "--model and --preset" in error
    call(
        *(
            "sample",
            tmp_path / "my.weights.h5",
            "--model",
            "dcgan",
            "--preset",
            "smoke",
            "--truncation",
            "0.5",
        ),
        *("--out", tmp_path / "a.png"),
    )
    assert Image.open(tmp_path / "a.png").size[0] > 8


def test_ctrl_c_saves_resume_continues_and_ends_where_a_straight_run_does(finished, tmp_path, monkeypatch):
    straight, out = finished[1], tmp_path / "run"

    class CtrlC(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 24:
                os.kill(os.getpid(), signal.SIGINT)

    original = training._callbacks
    monkeypatch.setattr(training, "_callbacks", lambda *a: [*original(*a), CtrlC()])
    result = call(*QUICK, "--kimg", "0.4", "--out", out, status=130)
    monkeypatch.undo()
    assert "stopped at step" in result.stderr and f"ganlib train dcgan --out {out} --resume" in result.stderr
    stopped = json.loads((sorted((out / "checkpoints").iterdir())[-1] / "state.json").read_text())["step"]
    assert 25 <= stopped <= 27
    assert not (out / "metrics.json").exists()
    call("sample", out, "--n", 4, "--out", tmp_path / "meanwhile.png")  # from the checkpoint
    result = call("train", "dcgan", "--out", out, "--resume")  # all else comes from config.json
    assert f"step {stopped} of 50" in result.stdout
    first, second = read_history(straight / "history.csv"), read_history(out / "history.csv")
    assert second["step"] == list(range(1, 51)) and second["kimg"] == first["kimg"]
    np.testing.assert_allclose(second["generator_loss"], first["generator_loss"], rtol=1e-4)
    assert len(json.loads((out / "config.json").read_text())["started"]) == 2
    assert [path.name for path in sorted((out / "samples").iterdir())].count(f"step-{stopped:08d}.png") == 1
    a, b = (models.DCGAN.from_preset("smoke") for _ in range(2))
    a.load_weights(straight / "model.weights.h5")
    b.load_weights(out / "model.weights.h5")
    np.testing.assert_allclose(a.sample(16, seed=0), b.sample(16, seed=0), atol=1e-4)


def test_resume_with_more_kimg_goes_on(finished, tmp_path):
    shutil.copytree(finished[1], tmp_path / "run")
    call("train", "dcgan", "--kimg", "0.48", "--out", tmp_path / "run", "--resume")
    assert read_history(tmp_path / "run" / "history.csv")["step"] == list(range(1, 61))
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["kimg"] == 0.48


def test_a_run_killed_before_its_first_checkpoint_starts_at_zero(finished, tmp_path):
    (tmp_path / "config.json").write_bytes((finished[1] / "config.json").read_bytes())
    (tmp_path / "history.csv").write_text("step,kim")
    call("train", "dcgan", "--kimg", "0.04", "--out", tmp_path, "--resume")
    assert read_history(tmp_path / "history.csv")["step"] == list(range(1, 6))


def test_sigterm_in_a_real_process_saves_and_exits_with_143(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "ganlib.cli", *QUICK, "--kimg", "1000", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoints/step-*")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "--resume" in error.splitlines()[-1] and "Traceback" not in error
    table = read_history(out / "history.csv")
    assert (out / "checkpoints" / f"step-{int(table['step'][-1]):08d}").is_dir()
    assert (out / "samples" / "training.gif").exists()


def test_minutes_end_a_run_and_resume_knows(tmp_path):
    arguments = [*QUICK, "--kimg", "1000", "--minutes", "0.005", "--out", tmp_path / "run"]
    result = call(*arguments)
    assert "time" in result.stdout and (tmp_path / "run" / "metrics.json").exists()
    assert "already complete" in call(*arguments, "--resume").stdout


def test_points_are_drawn_as_a_scatter_and_have_no_score_yet(tmp_path):
    call(
        *("train", "vanilla-gan", "--preset", "points_2d", "--data", "gaussians_ring", "--kimg", "2"),
        *("--data-option", "modes=4", "--set", "units=8", "--out", tmp_path / "run"),
    )
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["data"]["options"] == {"modes": 4} and config["arguments"]["units"] == 8
    with Image.open(tmp_path / "run" / "samples" / "training.gif") as gif:
        assert gif.size == (640, 640)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["scores"] == [] and "gaussians_ring" in metrics["no_score_because"]


@pytest.mark.parametrize(("arguments", "channels"), [({}, 3), ({"channels": 1}, 1)])
def test_the_model_takes_its_channels_from_the_data_unless_told(arguments, channels):
    options = {"preset": "smoke", "data": "shapes", "data_options": {}, "seed": 0, "kimg": 1.0}
    options |= {"arguments": arguments, "batch_size": None, "resolution": None}
    gan, dataset = training._prepare("dcgan", options, None)
    assert gan.image_shape == tuple(dataset.shape) == (8, 8, channels)


def test_a_conditional_model_takes_its_classes_from_the_data():
    options = {"preset": "smoke", "data": "polygons", "data_options": {}, "seed": 0, "kimg": 1.0}
    options |= {"arguments": {}, "batch_size": None, "resolution": None}
    gan, dataset = training._prepare("acgan", options, None)
    assert gan.classes.num_classes == dataset.num_classes == 6 and dataset.labelled


def test_a_translator_takes_the_channels_of_both_sides_from_the_data():
    options = {"preset": "smoke", "data": "warm_to_cool", "data_options": {"size": 4}, "seed": 0, "kimg": 1.0}
    options |= {"arguments": {}, "batch_size": None, "resolution": None}
    for model, paired in (("pix2pix", True), ("cyclegan", False)):
        gan, dataset = training._prepare(model, dict(options), None)
        assert gan.source_shape == dataset.source_shape == gan.image_shape == (*gan.image_shape[:2], 3)
        assert dataset.paired is paired
    gan, dataset = training._prepare("pix2pix", options | {"data": None, "data_options": {}}, None)
    assert dataset.name == "edges_to_fashion" and gan.source_shape[-1] == gan.image_shape[-1] == 1


def test_cyclegan_s_learning_rate_falls_over_the_run():
    options = {"preset": "smoke", "data": None, "data_options": {}, "seed": 0, "kimg": 0.202}
    options |= {"arguments": {}, "batch_size": None, "resolution": None}

    def schedule(**more):
        asked = options | more
        gan, _ = training._prepare("cyclegan", asked, None)
        return [gan.get_config()[f"{part}_steps"] for part in ("constant", "decay")], asked["kimg"]

    assert schedule() == ([25, 26], 0.202)  # 51 steps of 4 images
    assert schedule(kimg=None) == ([20, 60], 0.32)  # the preset's own
    assert schedule(arguments={"decay_steps": 7}) == ([20, 7], 0.202)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Runs of a conditional model and of a translator: stopped by Ctrl-C in mid-run, and straight ones."""
    folder = tmp_path_factory.mktemp("others")

    class CtrlC(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 6:
                os.kill(os.getpid(), signal.SIGINT)

    original = training._callbacks
    for model, more in (("acgan", ["--data", "digits", "--kimg", "0.08"]), ("pix2pix", ["--kimg", "0.04"])):
        command = ["train", model, "--preset", "smoke", "--sample-every", "5", *more]
        call(*command, "--out", folder / f"{model}-straight")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "_callbacks", lambda *a: [*original(*a), CtrlC()])
            call(*command, "--out", folder / model, status=130)
        call("train", model, "--out", folder / model, "--resume")
    return folder


@pytest.mark.parametrize(
    ("model", "rows", "columns"),
    [
        ("acgan", 10, 6),
        ("pix2pix", 8, 3),
    ],  # a row for each class, and for each image: source, translation, target
)
def test_conditional_models_and_translators_stop_resume_and_end_where_a_straight_run_does(
    others, model, rows, columns
):
    straight, out = others / f"{model}-straight", others / model
    config = json.loads((out / "config.json").read_text())
    assert len(config["started"]) == 2 and 7 <= config["started"][1]["from_step"] <= 9
    first, second = (read_history(run / "history.csv") for run in (straight, out))
    assert first["step"] == second["step"] == list(range(1, 11))
    weights = [
        (run / "model.weights.h5", models.registry()[model].from_preset("smoke")) for run in (straight, out)
    ]
    for path, gan in weights:
        gan.load_weights(path)
    variables = [[v for n in gan.networks().values() for v in n.weights] for _, gan in weights]
    for a, b in zip(*variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    pictures = [f"step-{step:08d}.png" for step in (0, 5, 10)]
    assert {*pictures, "training.gif"} <= {path.name for path in (out / "samples").iterdir()}
    assert (out / "curves.png").exists()
    side = gan.image_shape[0] + 1  # a white pixel between images
    for name in pictures:
        width, height = Image.open(out / "samples" / name).size
        assert width * (1 + rows * side) == height * (1 + columns * side)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["scores"] == [] and metrics["no_score_because"]


def test_sample_of_chosen_classes(others, tmp_path):
    call("sample", others / "acgan", "--n", 5, "--labels", "3,7", "--seed", 2, "--out", tmp_path / "a.npz")
    gan = runs.load(others / "acgan")
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["labels"].tolist() == [3, 7, 3, 7, 3]
        np.testing.assert_array_equal(arrays["samples"], gan.sample(5, labels=[3, 7, 3, 7, 3], seed=2))
    result = call("sample", others / "acgan", "--labels", "10", "--out", tmp_path / "b.png", status=2)
    assert "the classes of this model are 0 to 9" in result.stderr


def test_translate_shows_pairs_of_the_test_split_or_a_folder(others, tmp_path):
    run, gan = others / "pix2pix", runs.load(others / "pix2pix")
    sources, _ = data.paired("edges_to_fashion", "test", 8).to_numpy(3)
    call("translate", run, "--n", 3, "--out", tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["sources"], sources)
        np.testing.assert_array_equal(arrays["translations"], gan.translate(sources, seed=0))
    call("translate", run, "--n", 3, "--out", tmp_path / "a.png")
    width, height = Image.open(tmp_path / "a.png").size
    assert width == height  # three rows of source, translation, target
    (tmp_path / "edges").mkdir()
    for i in range(2):
        Image.fromarray(np.uint8(127.5 * (1 + sources[i, ..., 0]))).save(tmp_path / "edges" / f"{i}.png")
    result = call("translate", run, "--input", tmp_path / "edges", "--out", tmp_path / "b.npz")
    assert result.stdout.startswith("2 translations")
    with np.load(tmp_path / "b.npz") as arrays:
        np.testing.assert_allclose(arrays["sources"], sources[:2], atol=0.01)


def test_translations_are_evaluated_on_held_out_pairs(others, tmp_path):
    out = tmp_path / "scores.json"
    command = [
        "evaluate",
        others / "pix2pix",
        "--samples",
        "40",
        "--extractor",
        "random-convolutions",
        "--out",
        out,
    ]
    text = call(*command).stdout
    found = json.loads(out.read_text())
    assert list(found["scores"]) == ["fid", "l1", "ssim"]
    assert (found["conditions"]["data"], found["conditions"]["split"]) == ("edges_to_fashion", "test")
    assert found["conditions"]["samples"] == found["conditions"]["real_samples"] == 40
    gan = runs.load(others / "pix2pix")
    sources, targets = data.paired("edges_to_fashion", "test", gan.image_shape[0], channels=1).to_numpy(40)
    expected = np.abs(gan.translate(sources, seed=0) - targets).mean()
    assert found["scores"]["l1"]["value"] == pytest.approx(expected, rel=1e-5)
    assert f"{expected:.4f}" in text and "over other sources" in text


def test_what_a_translator_and_other_models_are_not_for(others, tmp_path):
    before = _tree(others)
    for arguments, what in (
        (["sample", others / "pix2pix", "--out", tmp_path / "a.png"], "`ganlib translate`"),
        (["evaluate", others / "pix2pix", "--truncation", "1"], "--truncation is of latents"),
        (["evaluate", others / "pix2pix", "--metrics", "fid,cycle_error"], "there is no way back"),
        (["evaluate", others / "acgan", "--metrics", "l1"], "there is no metric 'l1'"),
        (["translate", others / "acgan", "--out", tmp_path / "a.png"], "use `ganlib sample`"),
    ):
        result = call(*arguments, status=2)
        (error,) = result.stderr.splitlines()
        assert what in error
    assert _tree(others) == before and list(tmp_path.iterdir()) == []


def test_divergence_is_one_line_and_status_1(tmp_path):
    result = call(*QUICK, "--set", "learning_rate=1e38", "--kimg", "0.4", "--out", tmp_path / "run", status=1)
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "step" in error and "Traceback" not in result.stderr


def test_a_run_of_clothes_is_scored_with_full_provenance(tmp_path):
    result = call(*SMOKE, "--resolution", "28", "--kimg", "0.016", "--out", tmp_path / "run")
    (score,) = json.loads((tmp_path / "run" / "metrics.json").read_text())["scores"]
    assert score["metric"] == "FID(fashion-cnn)" and score["value"] > 20  # two steps make no clothes
    assert score["reference"] == "fashion_mnist train, 10000 images" and score["samples"] == 5000
    assert set(score) >= {"weights_hash", "resizer", "seed", "seconds"}
    assert f"FID(fashion-cnn) {score['value']:.2f} (5000 samples, fashion_mnist train" in result.stdout


# ------------------------------------------------------------------------------------------------- doctor


def test_doctor_finds_everything_here(tmp_path):
    report = json.loads(call("doctor", "--json", "--out", tmp_path / "runs").stdout)
    assert report["ok"] and report["problems"] == []
    assert report["versions"]["keras"]["version"] == keras.__version__
    assert {entry["name"] for entry in report["data"]} >= {"fashion_mnist", "shapes", "digits"}
    assert any(device.startswith("CPU") for device in report["devices"])
    assert not (tmp_path / "runs").exists()
    text = call("doctor", "--out", tmp_path / "runs").stdout
    assert "All that ganlib requires is here." in text and "writable" in text


def test_doctor_says_what_is_missing_and_how_to_get_it(tmp_path, monkeypatch):
    original = doctor._version
    monkeypatch.setattr(
        doctor, "_version", lambda name: {"scipy": None, "pillow": "1.0"}.get(name, original(name))
    )
    text = call("doctor", "--out", tmp_path, status=1).stdout
    assert 'Problem: scipy is missing: pip install "scipy>=' in text
    assert 'Problem: pillow 1.0 is too old: pip install --upgrade "pillow>=' in text


@pytest.mark.parametrize(
    ("builds", "note", "problem"),
    [
        ({"tensorflow": "2.21.0"}, "tested", None),
        ({"tensorflow-cpu": "2.21.0"}, "tensorflow-cpu; tested", None),
        ({"tensorflow-tpu": "2.19.0"}, "tensorflow-tpu; not tested; 2.20 and 2.21 are", None),
        (
            {"tensorflow": "2.21.0", "tensorflow-tpu": "2.20.0"},
            "tested",
            "was installed over tensorflow-tpu 2.20.0",
        ),
        ({}, "", 'tensorflow is missing: pip install "tensorflow>=2.18"'),
    ],
)
def test_doctor_knows_the_builds_of_tensorflow(builds, note, problem, monkeypatch):
    original = doctor._installed
    monkeypatch.setattr(doctor, "tested", lambda: [{"tensorflow": "2.21.0"}, {"tensorflow": "2.20.1"}])
    monkeypatch.setattr(
        doctor,
        "_installed",
        lambda name: builds.get(name) if name.startswith("tensorflow") else original(name),
    )
    problems = []
    entry = doctor._versions(problems)["tensorflow"]
    assert entry["version"] == next(iter(builds.values()), None) and entry["note"] == note
    assert len(problems) == (problem is not None) and (problem or "") in "".join(problems)


def test_doctor_survives_a_broken_tensorflow(tmp_path, monkeypatch):
    def broken():
        raise ImportError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(doctor, "import_tensorflow", broken)
    text = call("doctor", "--out", tmp_path, status=1).stdout
    assert "Problem: devices: ImportError: libcudart.so.12" in text and "reinstall" in text


def test_doctor_notices_a_run_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    text = call("doctor", "--out", tmp_path / "file" / "runs", status=1).stdout
    assert "cannot be written" in text and "--out" in text


def _tree(folder):
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}
