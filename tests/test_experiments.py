"""The experiments of `course/experiments`: each runs, resumes, and has its results committed."""

import ast
import json
import math
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import ganlib

FOLDER = Path(__file__).resolve().parents[1] / "course" / "experiments"
RESULTS = FOLDER.parents[1] / "ganlib" / "teaching" / "results"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
PLANNED = sorted(FOLDER.glob("planned/*.py"))  # protocols whose runs are to come
WAITING = {"truncation"}  # for the zoo's BigGAN
KEYS = {
    "version", "experiment", "claims", "scale", "protocol", "runs", "versions", "cores", "seeds", "seconds",
}  # fmt: skip

scripts = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
# other settings of what the others run: the same models and measures
LIKE_OTHERS = {
    "attention", "collapse", "conditions", "critics", "cycle", "dcgan_longer", "dcgan_rules", "disjoint_supports",
    "k_steps", "labels", "latent_space", "loss_table", "overfitting", "salimans", "spectra_before_collapse",
    "starving_gradients", "translation", "tricks", "two_time_scales", "two_time_scales_longer", "wasserstein",
}  # fmt: skip


def run(script: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, script, *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)


def check(record: dict, script: Path, scale: str) -> None:
    assert set(record) == KEYS
    assert record["version"] == 1
    assert record["experiment"] == script.stem
    assert record["scale"] == scale
    assert record["claims"] and all(isinstance(number, int) for number in record["claims"])
    assert record["protocol"].split() == ast.get_docstring(ast.parse(script.read_text("utf-8"))).split()
    assert {"python", "ganlib", "tensorflow", "keras", "numpy"} <= set(record["versions"])
    assert record["cores"] >= 1
    assert record["seeds"] == sorted({r["seed"] for r in record["runs"]})
    assert record["seconds"] == pytest.approx(sum(r["seconds"] for r in record["runs"]), abs=0.1)
    assert all(r["seconds"] > 0 and r["cpu_seconds"] > 0 for r in record["runs"])
    for key, value in leaves(record["runs"]):
        if not isinstance(value, str):
            assert math.isfinite(value), key


def leaves(value, key=""):
    if isinstance(value, dict | list):
        for k, v in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(v, f"{key}/{k}")
    else:
        yield key, value


def test_there_are_experiments():
    assert {"equilibrium", "k_steps"} <= {script.stem for script in SCRIPTS}


@pytest.mark.parametrize(
    "script",
    [
        *(pytest.param(p, marks=pytest.mark.long) if p.stem in LIKE_OTHERS else p for p in SCRIPTS),
        *(pytest.param(p, marks=pytest.mark.long) for p in PLANNED if p.stem not in WAITING),
    ],
    ids=lambda path: path.stem,
)
def test_smoke_slice(script, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(script), "--smoke", "--out", str(tmp_path)])
    monkeypatch.syspath_prepend(FOLDER)
    runpy.run_path(str(script), run_name="__main__")  # here: TensorFlow is there already
    record = json.loads((tmp_path / f"{script.stem}.json").read_text("utf-8"))
    check(record, script, "smoke")
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{script.stem}.json", f"{script.stem}.png"]


def test_a_killed_experiment_goes_on_where_it_was(tmp_path):
    """The code that all scripts share, by the command line."""
    script = FOLDER / "equilibrium.py"
    done = run(script, "--smoke", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    file = tmp_path / f"{script.stem}.json"
    record = json.loads(file.read_text("utf-8"))

    # as if it had been killed before its last task: that one is done again, the others are kept
    kept, last = record["runs"][:-1], record["runs"][-1]
    file.write_text(json.dumps({**record, "runs": kept}), encoding="utf-8")
    done = run(script, "--smoke", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    again = json.loads(file.read_text("utf-8"))
    assert again["runs"][:-1] == kept
    timed = {"seconds": 0, "cpu_seconds": 0}
    assert again["runs"][-1] | timed == last | timed


@scripts
def test_results_are_committed(script):
    file, picture = RESULTS / f"{script.stem}.json", FOLDER / "figures" / f"{script.stem}.png"
    record = json.loads(file.read_text("utf-8"))
    check(record, script, "full")
    assert len(record["seeds"]) >= 3
    assert file.stat().st_size < 100_000
    with Image.open(picture) as figure:
        assert figure.format == "PNG"
        assert figure.width >= 600
    assert picture.stat().st_size < 200_000
    assert ganlib.claims.committed(script.stem) == record["runs"]


def test_smoke_never_writes_among_the_results():
    done = run(SCRIPTS[0], "--smoke")
    assert done.returncode == 2
    assert "--smoke needs --out" in done.stderr


def test_results_of_another_protocol_are_refused(tmp_path):
    script = FOLDER / "equilibrium.py"
    record = json.loads((RESULTS / "equilibrium.json").read_text("utf-8"))
    file = tmp_path / "equilibrium.json"
    text = json.dumps({**record, "protocol": "another"})
    file.write_text(text, encoding="utf-8")
    done = run(script, "--out", tmp_path)
    assert done.returncode != 0
    assert "another protocol" in done.stderr
    assert file.read_text("utf-8") == text
