"""Settings of every test process, made before a test file or a kernel starts, without importing TensorFlow.

Tests and `pytest --nbval` run under the budget smoke unless GANLIB_BUDGET says otherwise.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

ROOT = Path(__file__).parent

# behind a shell's "&" Ctrl-C is ignored, by all that a test starts too
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("GANLIB_BUDGET", "smoke")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# else TensorFlow keeps what the largest model of a worker took, several GB, until the worker ends
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
# MPLBACKEND stays unset: the kernels of --nbval inherit it and would draw nothing under Agg.

_IN_DEVICES = """\
from ganlib.quiet import import_tensorflow

import_tensorflow()
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * {devices}
)
"""
_WRITE_RESULT = """\
import json as _json

with open({path!r}, "w", encoding="utf-8") as _file:
    _json.dump(result, _file, default=lambda value: getattr(value, "numpy", lambda: value)().tolist())
"""


# group of a test file -> beginnings of their names; what is left is "library"
_GROUPS = {
    "lessons": ("notebooks/",),
    "exercises": ("solutions/", "tests/test_exercises", "tests/test_grading"),
    "experiments": ("tests/test_experiments", "tests/test_claims", "tests/test_notebooks"),
    "replicas": ("tests/test_scaling",),
    "engine": ("tests/test_engine", "tests/test_gan", "tests/test_checkpoints"),
    "registry": ("tests/test_registry",),
    "data, metrics": (
        "tests/test_data",
        "tests/test_metrics",
        "tests/test_extractors",
        "tests/test_evaluator",
    ),
    "command, runs": (
        "tests/test_cli",
        "tests/test_bad_inputs",
        "tests/test_callbacks",
        "tests/test_monitors",
        "tests/test_sweeps",
    ),
}


class _CpuMinutes:
    """CPU time of each group of tests, kernels and other processes included, over all workers."""

    def __init__(self):
        self.seconds: Counter[str] = Counter()

    @staticmethod
    def _now() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measure a test with its fixtures; a kernel's time counts when it ends."""
        start = self._now()
        yield
        beginnings = ((group, item.nodeid.startswith(names)) for group, names in _GROUPS.items())
        self.seconds[next((group for group, found in beginnings if found), "library")] += self._now() - start

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send a worker's numbers to whoever started it."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["cpu_seconds"] = dict(self.seconds)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add a worker's numbers."""
        self.seconds.update(getattr(node, "workeroutput", {}).get("cpu_seconds", {}))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print them."""
        terminalreporter.section("CPU minutes")
        for group, seconds in self.seconds.most_common():
            terminalreporter.line(f"{seconds / 60:6.1f}  {group}")
        terminalreporter.line(f"{sum(self.seconds.values()) / 60:6.1f}  together")


_WHEEL = "GANLIB_TEST_WHEEL"  # the folder of the unpacked wheel, for workers and kernels


def _unpacked_wheel(folder: Path) -> Path:
    """The wheel of ganlib, built here without a network, and unpacked."""
    source, site = folder / "source", folder / "site"
    shutil.copytree(ROOT / "ganlib", source / "ganlib", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")):
        shutil.copy(path, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--wheel-dir", folder, source], check=True, env={**os.environ, "PYTHONPATH": ""}
    )
    (wheel,) = folder.glob("ganlib-*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    return site


def _from_the_wheel() -> dict[str, str]:
    """Variables of a process that imports ganlib from its wheel; claims are still held to the checkout's ledger."""
    # memory is allocated as for a user, since lesson 3.2 measures it
    return {
        "PYTHONPATH": os.environ[_WHEEL],
        "GANLIB_CHECKOUT": str(ROOT),
        "TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "0",
    }


def pytest_configure(config: pytest.Config) -> None:
    """Count CPU time; with --nbval, run pages as who has only installed ganlib: its wheel, in an empty folder."""
    config.pluginmanager.register(_CpuMinutes())
    if not getattr(config.option, "nbval", False):
        return
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.mkdtemp(prefix="ganlib-wheel-"))
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ[_WHEEL] = str(_unpacked_wheel(folder))
    from nbval import plugin

    class Kernel(plugin.RunningKernel):
        """A kernel that has the wheel and no checkout."""

        def __init__(self, kernel_name: str, cwd: str | None = None, **options: Any):
            self.empty = tempfile.TemporaryDirectory(prefix="ganlib-page-")
            with mock.patch.dict(os.environ, _from_the_wheel()):
                super().__init__(kernel_name, cwd=self.empty.name, **options)

        def stop(self) -> None:
            super().stop()
            self.empty.cleanup()

    plugin.RunningKernel = Kernel


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """With `-n`, keep the cells of a notebook, and the tests of a file, on one worker and in order."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "loadfile"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a process that imports ganlib from its wheel, which is built if --nbval has not done it."""
    if _WHEEL not in os.environ:
        os.environ[_WHEEL] = str(_unpacked_wheel(tmp_path_factory.mktemp("wheel")))
    return _from_the_wheel()


@pytest.fixture(scope="session")
def run_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Run a snippet in a fresh Python process and return what it leaves in `result`.

    Logical devices must be set before TensorFlow runs its first operation, and a test process has usually run
    some by then. `run_python(code, devices=4)` starts a process whose CPU is split in 4 logical devices, runs
    `code` (indented as you like), and returns its variable `result` after a trip through JSON: arrays and
    tensors come back as nested lists, so compare them with `np.testing.assert_allclose`. A process costs the
    import of TensorFlow, a few seconds: let one snippet measure several things.

    Without `devices` nothing is imported or set. `timeout` is in seconds, and against what hangs: machines differ
    by a factor of two and more. `environment` adds variables, and `check=False` returns the
    `subprocess.CompletedProcess` instead, whatever the exit status. A failing snippet is an AssertionError with its
    stderr.
    """
    tmp_path_factory.getbasetemp()  # made here: two threads that both made it would empty it for each other

    def run(
        code: str,
        *,
        devices: int | None = None,
        timeout: float = 3600,
        environment: dict[str, str] | None = None,
        check: bool = True,
    ) -> Any:
        folder: Path = tmp_path_factory.mktemp("run_python")
        answer = folder / "result.json"
        script = folder / "snippet.py"
        parts = [_IN_DEVICES.format(devices=devices) if devices else "", textwrap.dedent(code)]
        if check:
            parts.append(_WRITE_RESULT.format(path=str(answer)))
        script.write_text("\n".join(parts), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(script)],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if not check:
            return done
        assert done.returncode == 0, f"the snippet ended with status {done.returncode}:\n{done.stderr}"
        return json.loads(answer.read_text(encoding="utf-8"))

    yield run
