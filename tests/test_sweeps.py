"""Sweeps: the grid, each trial once whatever happens to its process, the table's numbers, killed and resumed."""

import csv
import dataclasses
import inspect
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ganlib import models, penalties, runs, sweeps
from ganlib.cli import main
from ganlib.errors import CheckpointError, InputError, StateNotFinite, TrainingDiverged
from ganlib.layers import Dropout
from ganlib.sweeps import report
from ganlib.sweeps.journal import DIVERGED, DONE, FAILED, RUNNING, WAITING, Journal, Result
from ganlib.sweeps.plan import Plan

PLAN = Plan(
    "dcgan", "smoke", {"learning_rate": [1e-4, 2e-4], "b,c": [[1, None], [2, "x"]]}, [0, 1], scores=["fid"]
)
SMOKE = ["sweep", "dcgan", "--preset", "smoke", "--data", "digits", "--samples", "50"]
SMOKE += ["--extractor", "random-convolutions", "--metrics", "kid"]


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return result


def table_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "table.csv").read_text())))


def fid(value):
    return Result(DONE, {"fid": (value, None)}, 10, 0.08, 1.5)


# -------------------------------------------------------------------------------------------------- the plan


def test_points_are_the_product_in_the_order_of_the_grid():
    assert [list(point.values()) for point in PLAN.points()] == [
        [1e-4, [1, None]],
        [1e-4, [2, "x"]],
        [2e-4, [1, None]],
        [2e-4, [2, "x"]],
    ]


def test_options_of_a_trial_are_those_of_train():
    command = main.commands["train"]
    plan = dataclasses.replace(
        PLAN, grid={**PLAN.grid, "batch_size": [4, 8]}, arguments={"resolution": 16, "d": 3}
    )
    point = {"learning_rate": 2e-4, "b,c": [2, "x"], "batch_size": 8}
    options = plan.options_of(point, 5, Path("here"))
    assert set(options) == {parameter.name for parameter in command.params} - {"model"}
    assert options["arguments"] == {"d": 3, "learning_rate": 2e-4, "b": 2, "c": "x"}
    assert (options["seed"], options["batch_size"], options["resolution"]) == (5, 8, 16)
    assert set(plan.evaluation()) == {p.name for p in main.commands["evaluate"].params} - {
        "run",
        "model",
        "preset",
    }


def test_a_plan_comes_back(tmp_path):
    PLAN.save(tmp_path)
    assert Plan.load(tmp_path) == PLAN


def test_the_command_line_says_values_of_every_kind():
    option = next(p for p in main.commands["sweep"].params if p.name == "grid")
    given = ("a=1,1e-4,.5,none,true,relu", "b,c=[1,2],[3,none]", "d=[1,2]")
    expected = {"a": [1, 1e-4, 0.5, None, True, "relu"], "b,c": [[1, 2], "[3,none]"], "d": [[1, 2]]}
    assert option.callback(None, option, given) == expected


def test_the_sweeps_of_the_paper():
    rates = [1e-5, 5e-5, 1e-4, 2e-4, 4e-4, 8e-4, 1e-3]
    assert {name: list(grid) for name, grid in sweeps.PAPER_SWEEPS.items()} == {
        "rates": ["learning_rate", "discriminator_learning_rate"],
        "r1": ["r1"],
        "dropout": ["dropout"],
        "beta1": ["discriminator_beta_1"],
        "orthogonal": ["orthogonal"],
    }
    assert sweeps.of_paper("rates", {}) == dict.fromkeys(
        ("learning_rate", "discriminator_learning_rate"), rates
    )
    (r1,), (orthogonal,) = (sweeps.PAPER_SWEEPS[name].values() for name in ("r1", "orthogonal"))
    assert (r1[0], r1[-1], orthogonal[0], orthogonal[-1]) == (1e-3, 10, 1e-5, 1e-2)
    assert [round(1 - dropped, 12) for dropped in sweeps.PAPER_SWEEPS["dropout"]["dropout"]] == [
        *(0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    ]
    assert sweeps.PAPER_SWEEPS["beta1"]["discriminator_beta_1"] == [0.1, 0.2, 0.3, 0.4, 0.5]
    for grid in sweeps.PAPER_SWEEPS.values():
        for model in (models.BigGAN, models.BigGANDeep):
            assert set(grid) <= set(inspect.signature(model).parameters)


def test_the_sweeps_of_the_paper_reach_the_model():
    point = {axis: values[-1] for grid in sweeps.PAPER_SWEEPS.values() for axis, values in grid.items()}
    point["learning_rate"] = 8e-4
    gan = models.BigGAN.from_preset("smoke", **point)
    gan.compile()
    of_g, of_d = (gan.optimizers()[name].get_config() for name in ("generator", "discriminator"))
    np.testing.assert_allclose([of_g["learning_rate"], of_d["learning_rate"]], [8e-4, 1e-3], rtol=1e-6)
    assert (of_g["beta_1"], of_d["beta_1"]) == (0.0, 0.5)
    terms = {type(term): term for term in gan.tricks}
    assert terms[penalties.R1].gamma == 10 and terms[penalties.OrthogonalRegularization].weight == 1e-2
    (dropout,) = [layer for layer in gan.discriminator.layers if isinstance(layer, Dropout)]
    assert dropout.rate == 0.05


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": {}}, "nothing to sweep: give --grid"),
        ({"grid": {"a": []}}, "--grid a has no values"),
        ({"seeds": []}, "--seeds has no values"),
        ({"grid": {"a": [1, 2, 1.0]}}, "--grid a has 1 twice: give it once"),
        ({"seeds": [3, 3]}, "--seeds has 3 twice"),
        ({"grid": {"a,b": [[1, 2], 3]}}, r"--grid a,b: 3 is not a list of 2 values"),
        ({"grid": {"a,b": [[1, 2, 3]]}}, r"--grid a,b: \[1, 2, 3\] is not a list of 2 values"),
        ({"grid": {"a": [1], "b,a": [[1, 2]]}}, "'a' is given twice"),
        ({"arguments": {"learning_rate": 1}}, "'learning_rate' is given twice"),
        ({"grid": {"seed": [1, 2]}}, "use --seeds"),
        ({"arguments": {"seed": 1}}, "use --seeds"),
    ],
)
def test_a_plan_that_is_none(changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(PLAN, **changes)


def test_the_paper_s_and_more():
    assert sweeps.of_paper("beta1", {"n_critic": [1, 2]})["n_critic"] == [1, 2]
    with pytest.raises(InputError, match="--grid r1: --paper r1 has values for it"):
        sweeps.of_paper("r1", {"r1": [1]})
    with pytest.raises(InputError, match="no sweep of the paper 'rate': did you mean 'rates'"):
        sweeps.of_paper("rate", {})


# ----------------------------------------------------------------------------------------------- the journal


def finish_all(journal):
    """Run all trials that there are; returns their numbers."""
    numbers = []
    while (claim := journal.claim()) is not None:
        numbers.append(claim.number)
        journal.finish(claim, fid(float(claim.number)))
    return numbers


def test_each_trial_is_one_point(tmp_path):
    journal = Journal(tmp_path, PLAN, "lower")
    assert len(journal) == 8
    assert {row.result.state for row in journal.rows()} == {WAITING}
    seen = []
    while (claim := journal.claim()) is not None:
        seen.append((*claim.point.values(), claim.seed))
        journal.finish(claim, fid(0.0))
    assert len(seen) == 8 and all(seen.count((*p.values(), s)) == 1 for p in PLAN.points() for s in (0, 1))
    rows = journal.rows()
    assert [(row.point, row.seed) for row in rows] == [(p, s) for p in PLAN.points() for s in (0, 1)]
    for row in rows:
        assert seen[row.number] == (*row.point.values(), row.seed)
    again = Journal(tmp_path, PLAN, "lower")
    assert again.claim() is None and again.rows() == rows


def test_a_trial_without_a_process_is_taken_up_again_by_one(tmp_path):
    first = Journal(tmp_path, PLAN, "lower")
    claim = first.claim()
    second, third = Journal(tmp_path, PLAN, "lower"), Journal(tmp_path, PLAN, "lower")
    other = second.claim()
    assert other.number == 1  # 0 is held
    claim.lock.release()  # as the kernel does it
    taken = third.claim()
    assert (taken.number, taken.point, taken.seed) == (claim.number, claim.point, claim.seed)
    assert second.claim().number == 2
    states = [row.result.state for row in third.rows()]
    assert states.count(RUNNING) == 3 and states.count(WAITING) == 5


@pytest.mark.parametrize("hook", ["set_trial_system_attr", "set_trial_param"])
@pytest.mark.parametrize("before", range(4))
def test_killed_between_two_lines_of_the_journal(tmp_path, monkeypatch, hook, before):
    """At any line: trial made, grid written, number of the point written, each of its values."""
    from optuna.storages.journal import JournalStorage

    original, calls = getattr(JournalStorage, hook), []

    def killed(*arguments, **more):
        calls.append(arguments)
        if len(calls) > before:
            raise KeyboardInterrupt
        return original(*arguments, **more)

    journal = Journal(tmp_path, PLAN, "lower")
    monkeypatch.setattr(JournalStorage, hook, killed)
    claims = []
    for _ in range(4):
        try:
            claims.append(journal.claim())
        except KeyboardInterrupt:
            break
    monkeypatch.undo()
    del journal
    for claim in claims:
        claim.lock.release()
    again = Journal(tmp_path, PLAN, "lower")
    assert again.rows()  # the trial that has no point yet is no trouble
    assert sorted(finish_all(again)) == list(range(8))
    assert sorted(row.number for row in again.rows()) == list(range(8))


def test_killed_between_result_and_end(tmp_path):
    from optuna.study import Study

    journal = Journal(tmp_path, PLAN, "lower")
    claim = journal.claim()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Study, "tell", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            journal.finish(claim, fid(3.0))
    claim.lock.release()
    again = Journal(tmp_path, PLAN, "lower")
    assert {row.result.state for row in again.rows()} == {WAITING, RUNNING}
    taken = again.claim()
    again.finish(taken, fid(4.0))
    (row,) = [row for row in again.rows() if row.number == 0]
    assert taken.number == 0 and row.result == fid(4.0)


def test_a_torn_line_is_dropped(tmp_path):
    journal = Journal(tmp_path, PLAN, "lower")
    journal.finish(journal.claim(), fid(1.0))
    path = tmp_path / "journal.log"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"work')
    again = Journal(tmp_path, PLAN, "lower")
    assert path.read_bytes().startswith(whole) and b"work\n" not in path.read_bytes()
    assert finish_all(again) == list(range(1, 8))


def test_a_damaged_journal(tmp_path):
    Journal(tmp_path, PLAN, "lower").claim()
    path = tmp_path / "journal.log"
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(CheckpointError, match=r"journal\.log is damaged .*restore it from a copy"):
        Journal(tmp_path, PLAN, "lower")


def test_a_lost_trial_is_over(tmp_path):
    journal = Journal(tmp_path, PLAN, "lower")
    for state in (DIVERGED, FAILED):
        journal.finish(journal.claim(), Result(state, note="why"))
    again = Journal(tmp_path, PLAN, "lower")
    assert finish_all(again) == list(range(2, 8))
    lost = {row.number: row.result for row in again.rows()}
    assert lost[0] == Result(DIVERGED, note="why") and lost[1] == Result(FAILED, note="why")


WORK = """
import sys, time
from pathlib import Path
from ganlib.sweeps.journal import Journal, Result
from ganlib.sweeps.plan import Plan

folder, name = Path(sys.argv[1]), sys.argv[2]
journal = Journal(folder, Plan.load(folder), "lower")
(folder / f"{name} is ready").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
while (claim := journal.claim()) is not None:
    with open(folder / f"began by {name}", "a") as file:
        file.write(f"{claim.number}\\n")
    time.sleep(0.005)
    journal.finish(claim, Result("done", {"fid": (1.0, None)}))
    with open(folder / f"ended by {name}", "a") as file:
        file.write(f"{claim.number}\\n")
"""


def test_processes_share_a_journal_and_a_kill_costs_nothing(tmp_path):
    plan = dataclasses.replace(PLAN, grid={"a": list(range(30))})
    plan.save(tmp_path)
    names = ("killed", "other")
    killed, other = [subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path), name]) for name in names]
    deadline = time.monotonic() + 60

    def wait_until_all_are_there(*files):
        while not all((tmp_path / file).exists() for file in files):
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def numbers_in(file):
        return [int(line) for line in (tmp_path / file).read_text().split()]

    wait_until_all_are_there(*(f"{name} is ready" for name in names))
    (tmp_path / "go").touch()
    wait_until_all_are_there("began by killed", "ended by other")
    killed.kill()
    killed.wait()
    journal = Journal(tmp_path, plan, "lower")
    mine = finish_all(journal)
    assert other.wait(timeout=60) == 0
    mine += finish_all(journal)
    theirs, starts = numbers_in("ended by other"), numbers_in("began by killed")
    assert theirs and sorted({*theirs, *mine}) == sorted(theirs + mine)  # none twice
    assert len({*starts} & {*theirs, *mine}) <= 1  # the one in which it was killed
    assert {*starts, *theirs, *mine} == set(range(60))
    assert sorted(row.number for row in journal.rows()) == list(range(60))
    assert {row.result.state for row in journal.rows()} == {DONE}


# ------------------------------------------------------------------------------------------------- the table


def rows_of(results, plan=PLAN):
    """Rows with these results, in the order of the table."""
    points = [(point, seed) for point in plan.points() for seed in plan.seeds]
    return [
        report.Row(*pair, i, result) for i, (pair, result) in enumerate(zip(points, results, strict=True))
    ]


RESULTS = [
    fid(3.0),
    fid(5.0),
    Result(DONE, {"fid": (2.0, 0.5)}),
    Result(DIVERGED, note="step 7: a, b"),
    fid(8.0),
    Result(WAITING),
]
RESULTS += [Result(RUNNING), Result(WAITING)]


def test_the_table_s_numbers():
    rows = rows_of(RESULTS)
    lines = list(csv.reader(io.StringIO(report.table(rows, PLAN))))
    assert lines[0] == [
        "trial",
        "learning_rate",
        "b,c",
        "seed",
        "state",
        "fid",
        "fid_error",
        "step",
        "kimg",
        "seconds",
        "note",
    ]
    assert lines[1] == ["0", "0.0001", "[1,none]", "0", "done", "3.0", "", "10", "0.08", "1.5", ""]
    assert lines[4] == ["3", "0.0001", '[2,"x"]', "1", "diverged", "", "", "", "", "", "step 7: a, b"]
    assert len(lines) == 9
    page = report.page(rows, PLAN, "lower").splitlines()
    assert page[4:] == [
        "| learning_rate | b,c | fid | trials |",
        "|---|---|---|---|",
        "| 0.0001 | [1,none] | **4 ± 1.4** | 2 done |",
        '| 0.0001 | [2,"x"] | 2 | 1 done, 1 diverged |',
        "| 0.0002 | [1,none] | 8 | 1 done, 1 waiting |",
        '| 0.0002 | [2,"x"] |  | 1 running, 1 waiting |',
    ]
    assert "4 done, 1 diverged, 1 running, 2 waiting of 8 trials." in page[2]
    assert report.over(rows) == 5
    alone = dataclasses.replace(PLAN, grid={"a": [1]}, seeds=[0])
    assert "| 1 | **2 ± 0.5** | 1 done |" in report.page(rows_of(RESULTS[2:3], alone), alone, "lower")
    assert report.best_of(rows, PLAN, "higher") == {"learning_rate": 2e-4, "b,c": [1, None]}
    assert report.best_of(rows_of([Result(WAITING)] * 8), PLAN, "lower") is None
    by_mean = [fid(1.0), fid(9.0), fid(4.0), fid(5.0), *[Result(WAITING)] * 4]  # not by the best of its seeds
    assert report.best_of(rows_of(by_mean), PLAN, "lower") == {"learning_rate": 1e-4, "b,c": [2, "x"]}


def test_the_plot_of_one_axis_of_two_and_of_more():
    one = dataclasses.replace(PLAN, grid={"learning_rate": [1e-4, 2e-4, 4e-4]})
    results = [fid(3.0), fid(5.0), Result(DIVERGED), Result(DIVERGED), fid(2.0), Result(WAITING)]
    (axes,) = report.plot(rows_of(results, one), one, "lower").axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning_rate", "fid (lower is better)")
    np.testing.assert_equal(axes.lines[0].get_ydata(), [4, np.nan, 2])
    assert axes.lines[1].get_ydata().tolist() == [3, 5] and axes.lines[-1].get_xdata().tolist() == [1]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.0001", "0.0002", "0.0004"]

    axes, bar = report.plot(rows_of(RESULTS), PLAN, "lower").axes
    np.testing.assert_equal(axes.images[0].get_array().filled(np.nan), [[4, 2], [8, np.nan]])
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == (
        "b,c",
        "learning_rate",
        "fid (lower is better)",
    )
    assert [text.get_text() for text in axes.texts] == ["4", "2", "8", ""]

    more = dataclasses.replace(PLAN, grid={"a": [1, 2], "b": [1], "c": [1, 2]}, seeds=[0])
    for better, expected in (("lower", [[3], [1]]), ("higher", [[4], [1]])):
        figure = report.plot(rows_of([fid(3.0), fid(4.0), fid(1.0), Result(FAILED)], more), more, better)
        np.testing.assert_equal(figure.axes[0].images[0].get_array().filled(np.nan), expected)
        assert figure.axes[0].get_title().endswith("best over c")


# ------------------------------------------------------------------------------------------- the whole thing


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of one point with two seeds: what was printed, and its folder."""
    out = tmp_path_factory.mktemp("sweeps") / "first"
    trials = ["--grid", "learning_rate=1e-3", "--seeds", "0,1", "--kimg", "0.08"]
    return call(*SMOKE, *trials, "--set", "latent_dim=4", "--metrics", "fid,kid", "--out", out), out


def test_a_sweep_leaves_tables_a_plot_and_run_folders(swept):
    result, out = swept
    rows = table_of(out)
    assert sorted(row["trial"] for row in rows) == ["0", "1"]
    assert [(row["learning_rate"], row["seed"], row["state"]) for row in rows] == [
        ("0.001", "0", "done"),
        ("0.001", "1", "done"),
    ]
    for row in rows:
        folder = out / "trials" / f"{int(row['trial']):04d}"
        config = json.loads((folder / "config.json").read_text())
        assert config["arguments"]["learning_rate"] == 1e-3 and config["arguments"]["latent_dim"] == 4
        assert config["seed"] == int(row["seed"]) and row["step"] == "10" and row["kimg"] == "0.08"
        scores = json.loads((folder / "evaluation.json").read_text())["scores"]
        assert [float(row[name]) for name in ("fid", "kid")] == [
            scores[name]["value"] for name in ("fid", "kid")
        ]
    mean = np.mean([float(row["fid"]) for row in rows])
    assert f"**{mean:.4g} ± " in (out / "table.md").read_text()
    assert (out / "plot.png").read_bytes()[:4] == b"\x89PNG"
    assert "2 done of 2 trials. Best fid (lower is better)" in result.stdout
    assert result.stdout.count("\ntrial ") == 2 and "2/2 trials" in result.stderr


def test_a_trial_is_a_run_like_any_other(swept, tmp_path):
    _, out = swept
    row = table_of(out)[1]
    arguments = ["--preset", "smoke", "--data", "digits", "--kimg", "0.08", "--no-score", "--seed", "1"]
    settings = ["--set", "latent_dim=4", "--set", "learning_rate=1e-3"]
    call("train", "dcgan", *arguments, *settings, "--out", tmp_path / "run")
    alone, trial = (
        models.DCGAN.from_preset("smoke", latent_dim=4),
        models.DCGAN.from_preset("smoke", latent_dim=4),
    )
    alone.load_weights(tmp_path / "run" / "model.weights.h5")
    trial.load_weights(out / "trials" / f"{int(row['trial']):04d}" / "model.weights.h5")
    np.testing.assert_allclose(alone.sample(8, seed=0), trial.sample(8, seed=0), atol=1e-5)


def test_a_finished_sweep_runs_nothing_again(swept):
    _, out = swept

    def files():
        return {
            path: path.read_bytes()
            for path in out.rglob("*")
            if path.is_file() and path.name != "journal.log"
        }

    before = files()
    result = call("sweep", "dcgan", "--out", out, "--resume")
    assert "2 done of 2 trials" in result.stdout and "\ntrial " not in result.stdout
    assert files() == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--grid", "learning_rate=2e-3"], "grid is {'learning_rate': [0.002]}"),
        (["--seeds", "0"], "seeds is [0]"),
        (["--kimg", "1"], "kimg is 1.0"),
        (["--metrics", "kid"], "metrics is ['kid']"),
        (["--paper", "r1"], "grid is {'r1'"),
    ],
)
def test_resume_of_another_sweep(swept, given, message):
    error = call("sweep", "dcgan", *given, "--out", swept[1], "--resume", status=2).stderr
    assert message in error and "was started with" in error and len(error.splitlines()) == 1
    assert "model is 'acgan'" in call("sweep", "acgan", "--out", swept[1], "--resume", status=2).stderr


def test_without_optuna(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    error = call(*SMOKE, "--grid", "latent_dim=4,8", "--out", tmp_path / "new", status=2).stderr
    assert error == "error: a sweep needs the package optuna, 4 or later: pip install 'ganlib[sweep]'\n"
    assert not (tmp_path / "new").exists()


def test_a_trial_s_folder_of_another_run_is_refused(swept, tmp_path):
    """A journal that was removed must not make the table say that a run is another point's."""
    plan = dataclasses.replace(Plan.load(swept[1]), grid={"learning_rate": [1e-3, 2e-3]}, seeds=[0])
    plan.save(tmp_path)
    (tmp_path / "trials" / "0000").mkdir(parents=True)
    config = next(swept[1].glob("trials/*/metrics.json")).parent / "config.json"
    changed = config.read_text().replace('"latent_dim": 4', '"latent_dim": 5')
    (tmp_path / "trials" / "0000" / "config.json").write_text(changed)
    error = call("sweep", "dcgan", "--out", tmp_path, "--resume", status=2).stderr
    assert "but" in error and "was started with" in error


def start(out, *more):
    """A sweep in a process of its own."""
    command = [sys.executable, "-m", "ganlib.cli", *SMOKE[:2], *more, "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(found, process):
    deadline = time.monotonic() + 120
    while not found():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)


def from_steps(folder):
    """The steps at which a trial's sessions began."""
    return [session["from_step"] for session in json.loads((folder / "config.json").read_text())["started"]]


def test_killed_in_a_trial_and_resumed(tmp_path):
    out = tmp_path / "sweep"
    process = start(out, *SMOKE[2:], "--grid", "learning_rate=1e-3,1e30", "--kimg", "4")
    wait_for(lambda: list(out.glob("trials/*/checkpoints/step-*")), process)
    assert Journal(out, Plan.load(out), "lower").claim() is None  # the other process has the only one left
    process.send_signal(signal.SIGKILL)
    process.wait()
    (running,) = [path.parent.parent for path in out.glob("trials/*/checkpoints/step-*")][:1]
    assert not (running / "metrics.json").exists()
    result = call("sweep", "dcgan", "--out", out, "--resume")
    rows = table_of(out)
    assert [row["state"] for row in rows] == ["done", "diverged"] and rows[0]["step"] == "500"
    assert "not finite" in rows[1]["note"]
    assert sorted(row["trial"] for row in rows) == ["0", "1"] and int(rows[0]["trial"]) == int(running.name)
    first, second = from_steps(running)
    assert first == 0 and second > 0
    assert result.stdout.count("\ntrial ") == 1


def test_a_signal_stops_the_sweep_and_says_how_to_go_on(tmp_path, monkeypatch):
    """What `train` does then, save and return 130 or 143, has its own tests."""
    out, calls = tmp_path / "sweep", []
    for status in (130, 143):
        monkeypatch.setattr(
            runs, "train", lambda *arguments, status=status: calls.append(arguments) or status
        )
        more = [*SMOKE[2:], "--grid", "latent_dim=4,8", "--kimg", "0.08"] if status == 130 else ["--resume"]
        result = call("sweep", "dcgan", *more, "--out", out, status=status)
        assert result.stderr.endswith(f"stopped; to continue: ganlib sweep dcgan --out {out} --resume\n")
        assert [row["state"] for row in table_of(out)] in (["waiting"] * 2, ["waiting", "running"])
    (_, first, *_), (_, second, *_) = calls
    assert first == second  # the same trial


def test_what_ends_a_trial_and_what_ends_the_sweep(tmp_path, monkeypatch):
    ends = iter([StateNotFinite("step 3: nan"), TrainingDiverged("step 5"), CheckpointError("disk full")])

    def train(*arguments):
        raise next(ends)

    monkeypatch.setattr(runs, "train", train)
    out = tmp_path / "sweep"
    result = call(*SMOKE, "--grid", "latent_dim=4,8,16", "--kimg", "0.08", "--out", out, status=1)
    assert result.stderr.endswith("error: disk full\n")
    states = {row.number: row.result.state for row in Journal(out, Plan.load(out), "lower").rows()}
    assert states == {0: DIVERGED, 1: DIVERGED, 2: RUNNING}


@pytest.mark.long
def test_killed_ten_times_at_any_moment(tmp_path):
    """From the first write on, at moments of chance: start, training, checkpoint, score, table."""
    out, chance = tmp_path / "sweep", np.random.default_rng(0)
    process = start(
        out, *SMOKE[2:], "--grid", "learning_rate=1e-3,2e-3,1e30", "--seeds", "0,1", "--kimg", "3"
    )
    wait_for(lambda: (out / "sweep.json").exists(), process)
    for _ in range(10):
        time.sleep(float(chance.uniform(0, 12)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start(out, "--resume")
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    rows = table_of(out)
    assert sorted(int(row["trial"]) for row in rows) == list(range(6))
    assert [row["state"] for row in rows] == ["done"] * 4 + ["diverged"] * 2
    assert [row["step"] for row in rows[:4]] == ["375"] * 4
    assert len(list((out / "trials").glob("[0-9]*"))) == 6
