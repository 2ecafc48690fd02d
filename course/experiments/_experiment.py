"""What the scripts of this folder share: tasks done one by one, one small JSON of results, one figure.

A script calls `main` with its tasks. Each finished task is written at once, whole or not at all, so that an
interrupted script goes on where it was. The protocol is the script's docstring, written before the first run;
results of another protocol are refused, never mixed.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganlib.errors import InputError
from ganlib.files import read_json, write_atomically
from ganlib.teaching.budget import budget

FIGURES = Path(__file__).parent / "figures"
RESULTS = FIGURES.parents[2] / "ganlib" / "teaching" / "results"  # they ship: lessons read them
PACKAGES = ("ganlib", "tensorflow", "keras", "numpy")
VERSION = 1

Tasks = Sequence[dict[str, Any]]


def main(
    name: str,
    *,
    protocol: str,
    claims: Sequence[int],
    tasks: Callable[[bool, Tasks], Tasks],
    measure: Callable[[dict[str, Any], bool], dict[str, Any]],
    draw: Callable[[Tasks, Path], None],
    conclude: Callable[[Tasks], None] | None = None,
    arguments: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Run an experiment from the command line: `python <name>.py [--smoke] [--out FOLDER]`.

    Args:
        name: of the result files <name>.json and <name>.png.
        protocol: what is done, and why; kept with the results.
        claims: numbers of the claims that are tested.
        tasks: (smoke, results so far) -> all tasks known by now. A task is a flat dict of settings with a
            "seed". Asked again after each task, so that later tasks may depend on earlier results.
        measure: (task, smoke) -> what was measured, as JSON types. "seconds" is added.
        draw: (results, path of the PNG) -> None.
        conclude: (results) -> None; calls `ganlib.claims.record` for each claim. Left out of a smoke slice, and
            where the results go elsewhere.
        arguments: of the command line; by default the process's.

    Returns:
        What is in the JSON file.

    Raises:
        InputError: the file in the folder holds results of another protocol or another scale.
    """
    parser = argparse.ArgumentParser(
        description=protocol, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--smoke", action="store_true", help="a slice of seconds that shows that the script works"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of results and figure (default: ganlib/teaching/results, and figures/ beside this script)",
    )
    options = parser.parse_args(arguments)
    if options.smoke and options.out is None:
        parser.error("--smoke needs --out FOLDER: its numbers are no results")
    file = (options.out or RESULTS) / f"{name}.json"
    record = {
        "version": VERSION,
        "experiment": name,
        "claims": list(claims),
        "scale": "smoke" if options.smoke else "full",
        "protocol": protocol.strip(),
        "runs": [],
    }
    if file.exists():
        earlier = read_json(file)
        for key in ("version", "scale", "protocol"):
            if " ".join(str(earlier.get(key)).split()) != " ".join(str(record[key]).split()):
                raise InputError(f"{file} has results of another {key}: move it away to start anew")
        record["runs"] = earlier["runs"]
    record["versions"] = {"python": platform.python_version()} | {
        p: importlib.metadata.version(p) for p in PACKAGES
    }
    record["cores"] = os.cpu_count()
    budget()  # imports TensorFlow without its start-up messages
    while todo := [
        t for t in tasks(options.smoke, record["runs"]) if not any(_same(t, r) for r in record["runs"])
    ]:
        task, wall, cpu = todo[0], time.perf_counter(), time.process_time()
        result = measure(task, options.smoke)
        seconds = {
            "seconds": round(time.perf_counter() - wall, 2),
            "cpu_seconds": round(time.process_time() - cpu, 2),
        }
        record["runs"].append({**task, **result, **seconds})
        record["seeds"] = sorted({run["seed"] for run in record["runs"]})
        record["seconds"] = round(sum(run["seconds"] for run in record["runs"]), 2)
        write_atomically(file, _text(record))
        print(", ".join(f"{k} {v}" for k, v in {**task, **seconds}.items()), flush=True)
    draw(record["runs"], (options.out or FIGURES) / f"{name}.png")
    if conclude is not None and options.out is None:
        conclude(record["runs"])
    return record


def strips(axes: Sequence[Any], pictures: dict[str, Any]) -> None:
    """Grey levels (height, width) of 0 to 255, a row each, with their names in front."""
    for row, (name, picture) in zip(axes, pictures.items(), strict=True):
        row.imshow(picture, cmap="gray", vmin=0, vmax=255)
        row.set_ylabel(name, rotation=0, ha="right", va="center")
        row.set(xticks=[], yticks=[])


def marks(
    axes: Any,
    runs: Tasks,
    of: str,
    names: Sequence[str],
    key: str,
    label: str,
    colors: Sequence[str] | None = None,
) -> None:
    """The runs' values of `key`, a mark a seed, in the rows of what `of` names; 0 is at the left edge."""
    from ganlib import plots

    for run in runs:
        row = names.index(run[of])
        color = colors[row] if colors else plots.BLUE
        axes.plot(run[key], row, "o^s"[run["seed"] % 3], color=color, alpha=0.8)
    axes.set(xlabel=label, ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.1 * (max(r[key] for r in runs) or 1.0)))
    axes.set_yticks(range(len(names)), names)
    axes.grid(alpha=0.3)


def rounded(values: Any, digits: int = 5) -> Any:
    """A number or a sequence of numbers with few enough digits for a file that people read."""
    if hasattr(values, "__len__"):
        return [float(f"{float(v):.{digits}g}") for v in values]
    return float(f"{float(values):.{digits}g}")


def _text(record: dict[str, Any]) -> str:
    """Indented JSON, a list of numbers on one line."""
    text = json.dumps(record, indent=2) + "\n"
    return re.sub(r"\[\n[-+.eE\d,\s]+\]", lambda numbers: " ".join(numbers[0].split()), text)


def _same(task: dict[str, Any], run: dict[str, Any]) -> bool:
    return all(run.get(key) == value for key, value in task.items())
