"""`ganlib doctor`: what this machine has, and what to do about what it lacks.

Nothing here may assume that the installation works: every look is taken apart from the others, and what fails
becomes a line of the report.
"""

import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from ganlib import __version__
from ganlib.quiet import import_tensorflow

# The same package, `tensorflow`, under several names: with GPUs, for the CPU alone, for TPUs.
BUILDS = ("tensorflow", "tensorflow-cpu", "tensorflow-tpu")
# distribution -> (what for, command to get it)
OPTIONAL = {
    "tensorflow-hub": ("lessons: pretrained models", 'pip install tensorflow-hub "setuptools<81"'),
    "jupyter": ("lessons: notebooks", "pip install jupyter"),
    "ipywidgets": ("lessons: progress bars in notebooks", "pip install ipywidgets"),
    "nbval": ("tests of the notebooks", "pip install nbval pytest"),
    "tensorflow-datasets": ("data tfds:NAME", "pip install tensorflow-datasets"),
    "tensorboard": ("callbacks.TensorBoard", "pip install tensorboard"),
}
# GB; a long run keeps three checkpoints and its pictures, far below that for every laptop preset
_LEAST_FREE = 0.5


def examine(out: str | Path = "runs") -> dict[str, Any]:
    """Look at everything.

    Args:
        out: The folder that runs go to; it is not created.

    Returns:
        A dict for JSON: ok, problems (each with its remedy), versions, devices, memory, data, optional,
        run_folder.
    """
    problems: list[str] = []
    versions = _look(problems, "versions", lambda: _versions(problems), {})
    devices = _look(problems, "devices", _devices, [])
    return {
        "versions": versions,
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "memory_gb": _look(problems, "memory", _memory, None),
        "devices": devices,
        "data": _look(problems, "data", _data, []),
        "optional": {
            name: {"version": _version(name), "for": purpose, "get": command}
            for name, (purpose, command) in OPTIONAL.items()
        },
        "run_folder": _run_folder(Path(out), problems),
        "problems": problems,
        "ok": not problems,
    }


def text(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = ["Versions"]
    for name, entry in report["versions"].items():
        lines.append(f"  {name:<14}{entry['version'] or 'missing':<12}{entry['note']}".rstrip())
    memory = report["memory_gb"]
    lines += ["", "Machine", f"  {report['platform']}, {report['cores']} cores"]
    if memory:
        lines.append(f"  memory {memory['total']:.1f} GB, {memory['available']:.1f} GB available")
    lines += [f"  {device}" for device in report["devices"]]
    if not any(device.startswith(("GPU", "TPU")) for device in report["devices"]):
        lines.append("  no GPU: the laptop presets are made for that")
    lines += ["", "Data"]
    for entry in report["data"]:
        state = entry["where"] if entry["found"] else f"not here: {entry['remedy']}"
        lines.append(f"  {entry['name']:<25}{state}")
    lines += ["", "Optional packages"]
    for name, entry in report["optional"].items():
        state = entry["version"] or f"not here: {entry['get']}"
        lines.append(f"  {name:<25}{state}  ({entry['for']})")
    folder = report["run_folder"]
    free = f", {folder['free_gb']:.1f} GB free" if folder["free_gb"] is not None else ""
    state = "writable" if folder["writable"] else "not writable"
    lines += ["", "Run folder", f"  {folder['path']}: {state}{free}", ""]
    problems = [f"Problem: {problem}" for problem in report["problems"]]
    lines += problems or ["All that ganlib requires is here."]
    return "\n".join(lines)


def _look(problems: list[str], what: str, look: Callable[[], Any], otherwise: Any) -> Any:
    """What `look` sees, or `otherwise` and a problem."""
    try:
        return look()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        problems.append(f"{what}: {reason[:300]}; reinstall: pip install --upgrade --force-reinstall ganlib")
        return otherwise


def _versions(problems: list[str]) -> dict[str, dict[str, str | None]]:
    """Versions of Python, ganlib and everything that ganlib requires."""
    table = {
        "python": {"version": platform.python_version(), "note": _note("python", platform.python_version())},
        "ganlib": {"version": __version__, "note": ""},
    }
    for name, least in _requirements().items():
        version = _version(name)
        if version is None:
            problems.append(f'{name} is missing: pip install "{name}>={least}"')
        elif _numbers(version) < _numbers(least):
            problems.append(f'{name} {version} is too old: pip install --upgrade "{name}>={least}"')
        table[name] = {"version": version, "note": _note(name, version)}
    builds = _builds()
    if len(builds) == 1 and "tensorflow" not in builds:
        entry = table["tensorflow"]
        entry["note"] = f"{next(iter(builds))}; {entry['note']}"
    if "tensorflow-tpu" in builds and len(builds) > 1:
        other = next(name for name in builds if name != "tensorflow-tpu")
        problems.append(
            f"{other} {builds[other]} was installed over tensorflow-tpu {builds['tensorflow-tpu']}, in the same files: "
            f"pip uninstall -y {other}; pip install --force-reinstall --no-deps tensorflow-tpu; ganlib with --no-deps"
        )
    return table


def _requirements() -> dict[str, str]:
    """Required distribution -> least version, as pyproject.toml says."""
    lines = importlib.metadata.requires("ganlib") or []
    found = (re.match(r"([\w.-]+)\s*>=\s*([\d.]+)", line) for line in lines if "extra ==" not in line)
    return {match[1]: match[2] for match in found if match}


def _note(name: str, version: str | None) -> str:
    found = {_numbers(row[name])[:2] for row in tested() if name in row}
    if version is None or not found:
        return ""
    if _numbers(version)[:2] in found:
        return "tested"
    *others, last = [".".join(map(str, numbers)) for numbers in sorted(found)]
    return (
        f"not tested; {' and '.join([', '.join(others), last])} are" if others else f"not tested; {last} is"
    )


def tested() -> list[dict[str, str]]:
    """What the tests passed with: session of noxfile.py (or "make test"), versions, result."""
    return json.loads((resources.files("ganlib") / "tested.json").read_text(encoding="utf-8"))


def _version(distribution: str) -> str | None:
    builds = _builds() if distribution == "tensorflow" else {}
    if builds:
        return next(iter(builds.values()))
    return _installed(distribution)


def _builds() -> dict[str, str]:
    """Installed builds of TensorFlow -> version."""
    found = {name: _installed(name) for name in BUILDS}
    return {name: version for name, version in found.items() if version is not None}


def _installed(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _devices() -> list[str]:
    import_tensorflow()
    import tensorflow as tf

    lines = []
    for device in tf.config.list_physical_devices():
        kind = device.device_type
        details = tf.config.experimental.get_device_details(device) if kind == "GPU" else {}
        words = [kind, device.name.rsplit(":", 1)[-1], details.get("device_name", "")]
        lines.append(" ".join(words).rstrip())
    return lines


def _memory() -> dict[str, float] | None:
    """Total and available memory in GB, where the system says."""
    table = Path("/proc/meminfo")
    if not table.exists():
        return None
    kilobytes = dict(re.findall(r"Mem(\w+):\s+(\d+) kB", table.read_text()))
    return {kind: round(int(kilobytes[kind.title()]) / 2**20, 1) for kind in ("total", "available")}


def _data() -> list[dict[str, Any]]:
    from ganlib import data

    return [dataclasses.asdict(entry) for entry in data.available()]


def _run_folder(out: Path, problems: list[str]) -> dict[str, Any]:
    """Whether runs can be written there; looks at the nearest parent that exists."""
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    report: dict[str, Any] = {"path": str(out), "writable": False, "free_gb": None}
    try:
        with tempfile.TemporaryFile(dir=place):
            report["writable"] = True
        report["free_gb"] = round(shutil.disk_usage(place).free / 1e9, 1)
    except OSError as error:
        problems.append(
            f"{out} cannot be written ({error.strerror}): give another folder, --out of ganlib train"
        )
        return report
    if report["free_gb"] < _LEAST_FREE:
        problems.append(f"{out} has {report['free_gb']} GB free: free some space, at least {_LEAST_FREE} GB")
    return report
