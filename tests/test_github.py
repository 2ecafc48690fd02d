"""What is in .github/: workflows that GitHub accepts, and commands that are here."""

import ast
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from ganlib import __version__
from ganlib.cli import main

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def steps(path):
    """(job, step) of a workflow."""
    jobs = yaml.safe_load(path.read_text())["jobs"]
    return [(job, step) for job in jobs.values() for step in job["steps"]]


COMMANDS = [
    pytest.param(step["run"], id=f"{path.stem}: {step['run']}"[:60])
    for path in WORKFLOWS
    for _, step in steps(path)
    if "run" in step
]


@pytest.mark.skipif(not importlib.util.find_spec("check_jsonschema"), reason="pip install check-jsonschema")
@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", WORKFLOWS),
        (
            "github-issue-forms",
            [GITHUB / "ISSUE_TEMPLATE" / "bug.yml", GITHUB / "ISSUE_TEMPLATE" / "paper.yml"],
        ),
        ("github-issue-config", [GITHUB / "ISSUE_TEMPLATE" / "config.yml"]),
        ("citation-file-format", [ROOT / "CITATION.cff"]),
    ],
)
def test_files_keep_to_their_schema(schema, files):
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        f"vendor.{schema}",
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_tests_versions_and_releases():
    assert [path.stem for path in WORKFLOWS] == ["release", "tests", "versions"]


@pytest.mark.parametrize("run", COMMANDS)
def test_a_command_of_a_workflow_is_one_that_is_here(run):
    program, *words = shlex.split(run)
    if program == "make":
        targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())
        assert next(word for word in words if "=" not in word) in targets
        assert all(word.startswith("PYTHON=") for word in words if "=" in word)
    elif program == "ganlib":
        command = main.commands[words[0]]
        command.make_context(words[0], words[1:])  # an option that is not there raises
    elif program == "nox":
        assert words[0] == "--session"
    else:
        assert program == "pip" and words[0] in ("install", "wheel")
        files = [words[place + 1] for place, word in enumerate(words) if word == "--constraint"]
        assert all((ROOT / file).is_file() for file in files)
        for word in words[1:]:
            if word.startswith(".["):
                assert set(word[2:-1].split(",")) <= set(PROJECT["optional-dependencies"])
            elif not (word in files or word.startswith((".", "-", "dist"))):
                Requirement(word)


def test_pythons_are_those_that_are_promised():
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    promised = [f"3.{minor}" for minor in range(int(low), int(high))]
    (tests,) = yaml.safe_load((GITHUB / "workflows" / "tests.yml").read_text())["jobs"].values()
    assert tests["strategy"]["matrix"]["python"] == promised
    for path in WORKFLOWS:
        for _, step in steps(path):
            python = str(step.get("with", {}).get("python-version", promised[0]))
            assert python in promised or python == "${{ matrix.python }}"
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            rows = job.get("strategy", {}).get("matrix", {}).get("include", [])
            assert {row["python"] for row in rows} <= set(promised)
    listed = [line.split(" :: ")[-1] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d", line)]
    assert listed == promised
    assert f"Python {promised[0]} to {promised[-1]}" in " ".join((ROOT / "README.md").read_text().split())
    assert f"(3, {low}) <= sys.version_info < (3, {high})" in (ROOT / "Makefile").read_text()


def pins_of(name):
    return [Requirement(line) for line in (GITHUB / name).read_text().splitlines() if line[0] != "#"]


def test_sessions_of_nox_are_those_of_the_workflow_and_run_what_is_here():
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    sessions = {}
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list):
        pythons = ast.literal_eval(function.decorator_list[0].keywords[0].value)
        several = {f"{function.name}-{python}": python for python in pythons}
        sessions |= {function.name: pythons} if isinstance(pythons, str) else several
    (job,) = yaml.safe_load((GITHUB / "workflows" / "versions.yml").read_text())["jobs"].values()
    rows = {row["session"]: row["python"] for row in job["strategy"]["matrix"]["include"]}
    # tests.yml runs the former; the latter prints what the others found
    assert rows.items() <= sessions.items() and set(sessions) - set(rows) == {"latest-3.11", "table"}
    text = (ROOT / "noxfile.py").read_text()
    names = re.findall(r'"(\w+)"', text[text.index("for name in (") : text.index("]  # fmt")])
    files = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert set(names) <= files and len(names) >= len(files) / 4
    for constraint in re.findall(r'"(\.github/[^"]+)"', text):
        assert (ROOT / constraint).is_file()


def test_the_lowest_versions_are_the_floors():
    lowest = {pin.name: str(pin.specifier) for pin in pins_of("lowest.txt")}
    floors = {r.name: str(r.specifier) for r in map(Requirement, PROJECT["dependencies"])}
    assert lowest == {name: f"=={floor.removeprefix('>=')}.*" for name, floor in floors.items()}


def test_colabs_versions_are_within_what_is_promised():
    pins = pins_of("colab.txt")
    required = {requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])}
    for pin in pins:
        version = str(pin.specifier).removeprefix("==").removesuffix(".*")
        if pin.name in required:
            assert required[pin.name].specifier.contains(f"{version}.0"), pin


def test_a_release_needs_no_password():
    publish = yaml.safe_load((GITHUB / "workflows" / "release.yml").read_text())["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"} and publish["environment"] == "pypi"
    for path in WORKFLOWS:
        assert "secrets." not in path.read_text()
        for job, step in steps(path):
            assert job["runs-on"] == "ubuntu-latest" and ("run" in step) != ("uses" in step)


def test_citation_and_changes_are_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (
        citation["version"] == __version__ == PROJECT["version"] and citation["license"] == PROJECT["license"]
    )
    assert re.search(rf"(?m)^## {re.escape(__version__)}\b", (ROOT / "CHANGELOG.md").read_text())


def test_what_was_tested_is_within_what_is_promised_and_readme_names_it():
    rows, text = json.loads((ROOT / "ganlib" / "tested.json").read_text()), (ROOT / "README.md").read_text()
    assert [row["session"] for row in rows] == sorted({row["session"] for row in rows})
    required = {requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])}
    for row in rows:
        assert set(row) == {"session", "python", "tensorflow", "keras", "numpy", "result"}
        for name in ("tensorflow", "keras", "numpy"):
            assert required[name].specifier.contains(row[name]), row
            short = ".".join(row[name].split(".")[:2])
            assert re.search(rf"{name} {re.escape(short)}\b", text), f"README does not name {name} {short}"
    latest = {f"latest-{python}" for python in ("3.11", "3.12", "3.13")}
    assert {row["session"] for row in rows} == {"make test", "lowest", "colab", *latest}
