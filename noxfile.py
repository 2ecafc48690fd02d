"""The tests on other versions: `pip install nox`, then `nox --list`, and `nox -s colab` or another.

Each session installs ganlib with its versions and runs all lessons and exercises, and a quarter of the tests
(`QUARTER`). What passed is written down in `ganlib/doctor.py` (TESTED) and README. A workflow on GitHub runs the same.
"""

import nox

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


def _run(session: nox.Session, *versions: str) -> None:
    session.install(*versions, "--editable", EXTRAS, *LESSONS, BUILDS)
    session.run("ganlib", "doctor")
    session.run("pytest", "--nbval", "-n", "2", "notebooks", "solutions", *QUARTER, *session.posargs)
