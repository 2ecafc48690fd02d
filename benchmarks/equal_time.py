"""Systems that learn the same data for the same time, scored on the way: what day4.py and day5.py share.

A study is a table: which systems, which rivals, which data. Time is counted in images, since machines are shared:
`speed` measures, for every phase of every system, seconds until the first step is done (tracing) and the mean of the
steps after it; so many seconds are the images that these give. Runs are resumable; results are written as they come.
"""

import argparse
import inspect
import itertools
import json
import os
import statistics
import time
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import keras
import numpy as np
import tensorflow as tf

import ganlib
from ganlib import checkpoints, data, metrics, plots
from ganlib.models import registry

HERE = Path(__file__).parent / "results"
SHARES = (0.01, 0.25, 0.5, 1.0)  # of the time, at which systems are scored


class Data(NamedTuple):
    """What is learned.

    Attributes:
        size: resolution and channels.
        extractor: Of the features that score.
        samples: That are scored, and real images that they are compared with.
        labels: Of systems with classes, as `data.load` takes them.
        num_classes: How many classes these are; None: the study has none.
    """

    size: dict[str, int]
    extractor: str
    samples: int
    labels: Any = True
    num_classes: int | None = None


class Study(NamedTuple):
    """Who learns what.

    Attributes:
        name: Of the files of results and of the folder of runs.
        title: Of the table.
        ours: Systems that are looked at.
        rivals: Those that they are compared with: scored also where the others end (equal images).
        data: Name -> `Data`.
        few: System -> augmentations with which it learns from the first faces alone.
        few_images: How many these are.
        growing: Systems whose growth is priced.
        settings: "system/data" -> arguments that replace those of its preset; the protocol says why.
        seconds: That each has.
    """

    name: str
    title: str
    ours: tuple[str, ...]
    rivals: tuple[str, ...]
    data: dict[str, Data]
    few: Mapping[str, tuple[str, ...]] = types.MappingProxyType({})
    few_images: int = 500
    growing: tuple[str, ...] = ()
    settings: Mapping[str, dict[str, Any]] = types.MappingProxyType({})
    seconds: float = 600.0

    @property
    def results(self) -> Path:
        """Scores."""
        return HERE / f"{self.name}.json"

    @property
    def speeds(self) -> dict[str, list[dict]]:
        """Seconds of each phase of each system."""
        path = HERE / f"{self.name}_speed.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def made(self, system: str, name: str, **arguments: Any) -> Any:
        """The preset `laptop` at the size of the data, with its classes if the study and the system have any."""
        model, of = registry()[system], self.data[name]
        if of.num_classes is not None and "num_classes" in inspect.signature(model.__init__).parameters:
            arguments = {"num_classes": of.num_classes} | arguments
        return model.from_preset(
            "laptop", **of.size, **self.settings.get(f"{system}/{name}", {}), **arguments
        )

    def loaded(self, name: str, gan: Any = None, **options: Any) -> Any:
        """Images, with labels if the model has classes."""
        labels = {} if gan is None or gan.classes is None else {"labels": self.data[name].labels}
        return data.load(name, **self.data[name].size, **labels, **options)

    def budget(self, system: str, name: str, share: float = 1.0) -> int:
        """Images of a share of a system's time."""
        rows, seconds = self.speeds[f"{system}/{name}"], share * self.seconds
        return images_after(self.made(system, name), rows, seconds)

    def marks(self, system: str, name: str) -> list[int]:
        """Images at which a system is scored."""
        found = [self.budget(system, name, share) for share in SHARES]
        if system in self.rivals:
            found += [n for other in self.ours if (n := self.budget(other, name)) < found[-1]]
        return sorted(set(found))


# --------------------------------------------------------------------------------------------------------- speed


class Clock(keras.callbacks.Callback):
    """When each step of a fit was done."""

    def __init__(self):
        super().__init__()
        self.times, self.phases = [], []

    def on_train_begin(self, logs=None):
        """The start."""
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """After a step; its number in the phases."""
        self.times.append(time.perf_counter())
        self.phases.append(self.model.schedule().at(self.model.step - 1))


def speed(study: Study, systems: list[str], steps: int = 40) -> None:
    """Seconds of the first step and of the others, in each phase of each system."""
    for system, name in itertools.product(systems, study.data):
        takes = inspect.signature(registry()[system].__init__).parameters
        lengths = ("fade_images", "stable_images", "level_images")
        gan = study.made(system, name, **{argument: 64 * steps for argument in lengths if argument in takes})
        gan.compile()
        clock, batches = Clock(), study.loaded(name, gan).batch(gan.batch_size)
        before_last = [0, *gan.schedule().ends][-2]  # the last phase never ends
        gan.fit(batches, steps_per_epoch=before_last + steps, callbacks=[clock], verbose=0)
        rows = []
        for phase in range(len(gan.phases())):
            at = [i for i, number in enumerate(clock.phases) if number == phase]
            begin = clock.times[at[0] - 1] if at[0] else clock.start
            taken = np.diff([begin, *(clock.times[i] for i in at)])
            rows.append({"first": round(taken[0], 2), "step": round(statistics.median(taken[2:]), 5)})
            rows[-1]["mean"] = round(float(np.mean(taken[2:])), 5)  # with lazy terms
        written(HERE / f"{study.name}_speed.json", study.speeds | {f"{system}/{name}": rows})
        print(system, name, rows, flush=True)


def images_after(gan: Any, rows: list[dict], seconds: float) -> int:
    """Real images that a system has seen after so many seconds alone on the machine."""
    schedule, step = gan.schedule(), 0
    for row, end in zip(rows, schedule.ends, strict=True):
        seconds -= row["first"]
        length = max(0, int(seconds / row["mean"]))
        if step + length < end:
            return gan.images_for(step + length)
        seconds -= (end - step) * row["mean"]
        step = end
    raise AssertionError("the last phase has an end")


# --------------------------------------------------------------------------------------------------------- train


def few(study: Study, name: str, epochs: int = 2_000) -> tf.data.Dataset:
    """The first images over and over, in another order each time."""
    images = study.loaded(name).to_numpy(study.few_images)
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(len(images)) for _ in range(epochs)])
    return tf.data.Dataset.from_tensor_slices(order).map(lambda i: tf.gather(images, i))


def train(study: Study, system: str, name: str, augment: str | None = None) -> None:
    """Train a system up to its budget, scoring on the way; a killed run goes on from its checkpoint."""
    key = f"{system}/{name}" if augment is None else f"{system}/{name}/{augment}"
    folder = Path("runs") / study.name / key.replace("/", "-")
    gan = study.made(system, name)
    if augment not in (None, "none"):
        ganlib.augment.add(gan, augment)
    gan.compile()
    images = study.loaded(name, gan) if augment is None else few(study, name)
    batches = images.batch(gan.batch_size, drop_remainder=True)
    if checkpoints.latest(folder):
        checkpoints.restore(gan, folder)
    marks = study.marks(system, name)
    if augment is not None:
        marks = [study.budget(system, name, share) for share in SHARES[1:]]
    for mark in marks:
        steps, start = gan.steps_for(mark) - gan.step, time.perf_counter()
        if steps < 0 or (steps == 0 and gan.step > 0):
            continue
        if steps:  # none, where 1% of the time is over before the first step is traced
            gan.fit(batches, steps_per_epoch=steps, verbose=0)
        row = {"images": gan.images_seen, "seconds": round(time.perf_counter() - start, 1)}
        add(study, key, row | scores(study, gan, name))
        checkpoints.save(gan, folder, keep=1)
        plots.save_png(plots.grid(gan.sample(64, seed=0)), folder / f"{gan.images_seen:07d}.png")
    shown, columns = gan.pictures(32)
    picture = HERE / "pictures" / f"{study.name}_{key.replace('/', '_')}.png"
    plots.save_png(plots.grid(shown, columns=columns or 8), picture)


def scores(study: Study, samples: Any, name: str) -> dict[str, float]:
    """FID, precision and recall of a model, or of a function (start, n) -> images."""
    n, wanted = study.data[name].samples, ["fid", "precision", "recall"]
    real = study.loaded(name, seed=1) if name == "faces" else study.loaded(name, split="test")
    how = {"real_samples": n, "extractor": study.data[name].extractor, "progress": False}
    found = metrics.evaluate(samples, real, wanted, n, **how)
    return {metric: round(float(value), 4) for metric, value in found.items()}


def add(study: Study, key: str, row: dict[str, Any]) -> None:
    """Write the results with one more row."""
    with filelock.FileLock(f"{study.results}.lock"):  # trainings may run side by side
        rows = json.loads(study.results.read_text()) if study.results.exists() else {}
        kept = [old for old in rows.get(key, []) if old["images"] != row["images"]]
        written(study.results, {**rows, key: sorted([*kept, row], key=lambda r: r["images"])})
    print(key, row, flush=True)


def written(path: Path, value: Any) -> None:
    """JSON: beside, then renamed."""
    beside = path.with_name(f".{os.getpid()}.json")
    beside.write_text(json.dumps(value, indent=1) + "\n")
    beside.replace(path)


def controls(study: Study) -> None:
    """What other real images get, and the same with noise."""
    for name, of in study.data.items():
        images = study.loaded(name, seed=2 if name == "faces" else 0).to_numpy(of.samples)
        noisy = metrics.disturbances.gaussian_noise(images, 0.2)
        for kind, shown in (("real images", images), ("real images, noise", noisy)):
            found = scores(study, lambda start, n, of=shown: of[start : start + n], name)
            add(study, f"{kind}/{name}", {"images": 0} | found)


# --------------------------------------------------------------------------------------------------------- table


def growth_gain(study: Study, system: str, name: str) -> str:
    """How much sooner growing shows the images of the time than the last phase's networks would."""
    last, images = study.speeds[f"{system}/{name}"][-1], study.budget(system, name)
    throughout = last["first"] + last["mean"] * images / study.made(system, name).batch_size
    gain = f"{throughout / study.seconds:.1f} times"
    return f"{system}, {name}: {images:,} images in {study.seconds:.0f} s, not {throughout:.0f} s: {gain}"


def write_table(study: Study) -> None:
    """Write results/<name>.md."""
    rows = json.loads(study.results.read_text())
    text = [
        f"# {study.title}",
        "",
        f"<!-- Written by `python benchmarks/{study.name}.py table`. -->",
        "",
        f"Protocol in [{study.name}.py](../{study.name}.py). FID by faces-cnn and by fashion-cnn; they compare with no "
        "other FID.",
    ]
    for name in study.data:
        text += ["", f"## {name}", "", _header(f"at equal images: {', '.join(study.rivals)}")]
        for system in (*study.ours, *study.rivals):
            if found := rows.get(f"{system}/{name}"):
                of_rivals = [rows.get(f"{rival}/{name}", []) for rival in study.rivals]
                equal = ", ".join(_fid_at(those, found[-1]["images"]) for those in of_rivals)
                text.append(_line(study, system, name, found, equal if system in study.ours else ""))
        for control in ("real images", "real images, noise"):
            if found := rows.get(f"{control}/{name}"):
                cells = f"{found[0]['fid']:.2f} | {found[0]['precision']:.2f} | {found[0]['recall']:.2f}"
                text.append(f"| {control} | | | | | | {cells} | |")
    if study.few:
        text += ["", f"## {study.few_images} faces", "", _header("")]
    for system, augment in ((system, one) for system, some in study.few.items() for one in some):
        if found := rows.get(f"{system}/faces/{augment}"):
            text.append(_line(study, f"{system}, {augment}", "faces", found, "", first=None))
    if study.growing:
        text += [
            "",
            "## What growing saves",
            "",
            "Images of the same number at full resolution throughout (the paper: 2 to 6 times):",
            "",
            *(f"- {growth_gain(study, s, name)}" for name in study.data for s in study.growing),
        ]
    study.results.with_suffix(".md").write_text("\n".join(text) + "\n")


def _header(last: str) -> str:
    times = ["FID, 1%", "25%", "50% of the time", "all"]
    columns = ["system", "parameters", "images", *times, "precision", "recall", last]
    return "| " + " | ".join(columns) + " |\n|" + "---|" * len(columns)


def _line(study: Study, title: str, name: str, found: list[dict], equal: str, first: Any = SHARES[0]) -> str:
    system, last = title.partition(",")[0], found[-1]
    parameters = sum(net.count_params() for net in study.made(system, name).players().values())
    at = [_fid_at(found, study.budget(system, name, share)) for share in SHARES[1:-1]]
    start = "" if first is None else f"{found[0]['fid']:.1f}"
    learned = "" if first is None or last["fid"] < found[0]["fid"] / 2 else " (has not learned)"
    cells = [title + learned, f"{parameters:,}", f"{last['images']:,}", start, *at, f"**{last['fid']:.2f}**"]
    cells += [f"{last['precision']:.2f}", f"{last['recall']:.2f}", equal]
    return "| " + " | ".join(cells) + " |"


def _fid_at(rows: list[dict], images: int) -> str:
    """The FID at the first score after so many images."""
    return next((f"{row['fid']:.2f}" for row in rows if row["images"] >= images), "")


def main(study: Study, description: str) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("what", choices=["speed", "controls", "train", "table"])
    parser.add_argument("names", nargs="*", help="SYSTEM, or SYSTEM/DATA[/AUGMENTATION]; default: all")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(study, arguments.names or [*study.rivals, *study.ours])
    elif arguments.what == "controls":
        controls(study)
    elif arguments.what == "train":
        every = [f"{system}/{name}" for name in study.data for system in (*study.ours, *study.rivals)]
        every += [f"{system}/faces/{augment}" for system, some in study.few.items() for augment in some]
        for key in arguments.names or every:
            train(study, *key.split("/"))
    else:
        write_table(study)
