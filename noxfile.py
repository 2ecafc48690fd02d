"""The tests on other versions: `pip install nox`, then `nox --list`, and `nox -s colab` or another.

Each session installs ganlib with its versions and runs all lessons and exercises, and a quarter of the tests
(`QUARTER`). What passed is written to `ganlib/tested.json`, from which `ganlib doctor` knows it. `nox -s resolve` runs
no test: it asks pip what comes over Colab's TPU build. A workflow on GitHub runs the same.
"""

import json
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import nox

ROOT = Path(__file__).parent
TESTED = ROOT / "ganlib" / "tested.json"
SHOWN = ("tensorflow", "keras", "numpy")

nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "venv"

EXTRAS = ".[convert,hub,sweep]"
# the lessons' own: `ganlib[lessons]` without its floor of ipywidgets, which Colab's is below
LESSONS = ["check-jsonschema", "ipykernel", "ipywidgets", "nbclient", "nbval", "pytest>=8", "pytest-xdist"]
BUILDS = "setuptools>=77,<81"  # of the wheel from which pages run
# what stands on other packages' behaviour: Keras' layers and files, TensorFlow's devices, click, IPython
QUARTER = [
    f"tests/test_{name}.py"
    for name in (
        "budget", "callbacks", "checkpoints", "cli", "conditional_layers", "data_folder", "data_pipeline",
        "data_sources", "engine", "evaluator", "exercises", "first_cell", "gan", "grading", "hub", "latents",
        "layers", "losses", "metrics", "package", "plots", "randomness", "run_folder",
        "spectral_normalization", "sweeps", "tricks", "weights", "zoo",
    )
]  # fmt: skip


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """The lowest versions that pyproject.toml promises."""
    _run(session, "--constraint", ".github/lowest.txt")


@nox.session(python="3.13")
def colab(session: nox.Session) -> None:
    """What Colab has."""
    _run(session, "--constraint", ".github/colab.txt")


@nox.session(python=["3.11", "3.12", "3.13"])
def latest(session: nox.Session) -> None:
    """The newest of everything."""
    _run(session, "--upgrade")


@nox.session(python="3.11")
def resolve(session: nox.Session) -> None:
    """What README says of Colab's TPUs: pip is asked, and nothing is imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = project["dependencies"]
    for python in ("3.12", "3.13"):
        alone = _wheels(
            session, python, "tensorflow-tpu", *(r for r in ours if not r.startswith("tensorflow"))
        )
        if "tensorflow" in alone:
            session.error(f"Python {python}: tensorflow {alone['tensorflow']} comes over tensorflow-tpu")
        both = _wheels(session, python, "tensorflow-tpu", *ours)
        for name, found in (("ganlib --no-deps", alone), ("ganlib with what it requires", both)):
            shown = {key: found.get(key, "none") for key in ("tensorflow-tpu", "tensorflow", "keras", "h5py")}
            session.log(f"Python {python}, tensorflow-tpu and {name}: {shown}")


@nox.session(python="3.11")
def table(session: nox.Session) -> None:
    """Print what passed where."""
    for row in json.loads(TESTED.read_text()):
        versions = "  ".join(f"{name} {row[name]:<8}" for name in ("python", *SHOWN))
        session.log(f"{row['session']:<13} {versions} {row['result']}")


def _run(session: nox.Session, *versions: str) -> None:
    session.install(*versions, "--editable", EXTRAS, *LESSONS, BUILDS)
    session.run("ganlib", "doctor")
    report = Path(session.virtualenv.location) / "report.xml"  # create_tmp puts TMPDIR into a clone of ganlib
    report.unlink(missing_ok=True)
    tests = ["notebooks", "solutions", *QUARTER]
    session.run("pytest", "--nbval", "-n", "2", f"--junit-xml={report}", *tests, *session.posargs)
    if not report.exists():
        return  # --install-only
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    ask = "import json, platform; from importlib.metadata import version; "
    ask += f"print(json.dumps({{n: version(n) for n in {SHOWN}}} | {{'python': platform.python_version()}}))"
    found = json.loads(session.run("python", "-c", ask, silent=True))
    passed = int(suite.get("tests")) - int(suite.get("skipped"))
    _record(session.name, found.pop("python"), found, f"{passed} passed")


def _wheels(session: nox.Session, python: str, *requirements: str) -> dict[str, str]:
    """Distribution -> version that pip would install on another Python, from wheels alone."""
    report = Path(session.virtualenv.location) / "report.json"
    options = ["--dry-run", "--quiet", "--only-binary=:all:", f"--python-version={python}"]
    session.run(
        "pip", "install", *options, f"--target={report.parent / 'none'}", f"--report={report}", *requirements
    )
    found = [one["metadata"] for one in json.loads(report.read_text())["install"]]
    return {one["name"].replace("_", "-").lower(): one["version"] for one in found}


def _record(name: str, python: str, versions: dict[str, str], result: str) -> None:
    rows = [row for row in json.loads(TESTED.read_text()) if row["session"] != name]
    rows.append(
        {"session": name, "python": python, **{key: versions[key] for key in SHOWN}, "result": result}
    )
    TESTED.write_text(json.dumps(sorted(rows, key=lambda row: row["session"]), indent=1) + "\n")
