"""Growing and styles beside DCGAN and SNGAN: FID, precision and recall at equal time and at equal images.

    python benchmarks/day4.py speed             (on a quiet machine: images/s of every system in every phase)
    python benchmarks/day4.py train [SYSTEM/DATA ...]
    python benchmarks/day4.py table             (writes results/day4.md)

Protocol, written before the runs. Six systems, each the preset `laptop` with no other change than size and colours of
the images, learn `faces` at 64x64 in colour and the embedded Fashion-MNIST at 32x32 in grey, seed 0. Each has
ten minutes of two cores alone. The machine is shared, so time is counted in images: `speed` measures, for every phase
of every system, seconds until the first step is done (tracing) and the mean of the steps after it; ten minutes are
the images that these give. Scores are taken at a quarter, a half and all of the time; DCGAN and SNGAN also where the
others end (equal images), if that is before their own end. Scoring does not count.

Augmentation: StyleGAN2 and DCGAN on the first 500 faces (64x64), without, with DiffAugment (colour, translation,
cutout) and with ADA (target 0.6), seed 0, each the same number of images: that of the system's ten minutes without.

Scores: FID, precision and recall (k = 3) of 5,000 samples of the average against 5,000 faces that were not trained on
(2,000 of Fashion-MNIST: there are no more), by the features of faces-cnn and fashion-cnn. Controls: other real images,
which say what a perfect system would get, and real images with Gaussian noise of 0.2, which must be worse than those.
A system has learned if its FID at the end is below a half of what it has after 1% of its time.
"""

import argparse
import inspect
import itertools
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ganlib
from ganlib import checkpoints, data, metrics, plots
from ganlib.models import registry

HERE = Path(__file__).parent / "results"
RESULTS, SPEEDS, PICTURES = HERE / "day4.json", HERE / "day4_speed.json", HERE / "pictures"
RUNS = Path("runs/day4")
RIVALS, OURS = ("dcgan", "sngan"), ("lapgan", "pggan", "stylegan", "stylegan2")
DATA = {
    "faces": ({"resolution": 64, "channels": 3}, "faces-cnn", 5_000),
    "fashion_mnist": ({"resolution": 32, "channels": 1}, "fashion-cnn", 2_000),
}
AUGMENTED = {"stylegan2": ("none", "diffaugment", "ada"), "dcgan": ("none", "diffaugment", "ada")}
SECONDS, SHARES = 600.0, (0.01, 0.25, 0.5, 1.0)
FEW = 500  # faces, for augmentation


def made(system: str, name: str, **arguments: Any) -> Any:
    """The preset `laptop` at the size of the data."""
    return registry()[system].from_preset("laptop", **DATA[name][0], **arguments)


def loaded(name: str, **options: Any) -> Any:
    """Images as the systems are trained on them."""
    return data.load(name, **DATA[name][0], **options)


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


def speed(systems: list[str], steps: int = 40) -> None:
    """Seconds of the first step and of the others, in each phase of each system."""
    for system, name in itertools.product(systems, DATA):
        takes = inspect.signature(registry()[system].__init__).parameters
        lengths = ("fade_images", "stable_images", "level_images")
        gan = made(system, name, **{argument: 64 * steps for argument in lengths if argument in takes})
        gan.compile()
        clock, batches = Clock(), loaded(name).batch(gan.batch_size)
        before_last = [0, *gan.schedule().ends][-2]  # the last phase never ends
        gan.fit(batches, steps_per_epoch=before_last + steps, callbacks=[clock], verbose=0)
        rows = []
        for phase in range(len(gan.phases())):
            at = [i for i, number in enumerate(clock.phases) if number == phase]
            begin = clock.times[at[0] - 1] if at[0] else clock.start
            taken = np.diff([begin, *(clock.times[i] for i in at)])
            rows.append({"first": round(taken[0], 2), "step": round(statistics.median(taken[2:]), 5)})
            rows[-1]["mean"] = round(float(np.mean(taken[2:])), 5)  # with lazy terms
        stored = json.loads(SPEEDS.read_text()) if SPEEDS.exists() else {}
        SPEEDS.write_text(json.dumps(stored | {f"{system}/{name}": rows}, indent=1) + "\n")
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


def budget(system: str, name: str, seconds: float = SECONDS) -> int:
    """Images of a system's time."""
    return images_after(made(system, name), json.loads(SPEEDS.read_text())[f"{system}/{name}"], seconds)


# --------------------------------------------------------------------------------------------------------- train


def marks(system: str, name: str) -> list[int]:
    """Images at which a system is scored."""
    found = [budget(system, name, share * SECONDS) for share in SHARES]
    if system in RIVALS:
        found += [n for other in OURS if (n := budget(other, name)) < found[-1]]
    return sorted(set(found))


def few_marks(system: str, name: str) -> list[int]:
    """Images at which a system that learns from few is scored."""
    return [budget(system, name, share * SECONDS) for share in SHARES[1:]]


def few(name: str, epochs: int = 2_000) -> tf.data.Dataset:
    """The first images over and over, in another order each time."""
    images = loaded(name).to_numpy(FEW)
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(FEW) for _ in range(epochs)])
    return tf.data.Dataset.from_tensor_slices(order).map(lambda i: tf.gather(images, i))


def train(system: str, name: str, augment: str | None = None) -> None:
    """Train a system up to its budget, scoring on the way; a killed run goes on from its checkpoint."""
    key = f"{system}/{name}" if augment is None else f"{system}/{name}/{augment}"
    folder = RUNS / key.replace("/", "-")
    gan = made(system, name)
    if augment not in (None, "none"):
        ganlib.augment.add(gan, augment)
    gan.compile()
    batches = (loaded(name) if augment is None else few(name)).batch(gan.batch_size, drop_remainder=True)
    if checkpoints.latest(folder):
        checkpoints.restore(gan, folder)
    for images in marks(system, name) if augment is None else few_marks(system, name):
        if (steps := gan.steps_for(images) - gan.step) <= 0:
            continue
        start = time.perf_counter()
        gan.fit(batches, steps_per_epoch=steps, verbose=0)
        row = {"images": gan.images_seen, "seconds": round(time.perf_counter() - start, 1)}
        add(key, row | scores(gan, name))
        checkpoints.save(gan, folder, keep=1)
        plots.save_png(
            plots.grid(np.clip(gan.sample(64, seed=0), -1, 1)), folder / f"{gan.images_seen:07d}.png"
        )
    PICTURES.mkdir(exist_ok=True)
    plots.save_png(
        plots.grid(np.clip(gan.sample(32, seed=0), -1, 1), columns=8),
        PICTURES / f"day4_{key.replace('/', '_')}.png",
    )


def scores(samples: Any, name: str) -> dict[str, float]:
    """FID, precision and recall of a model, or of a function (start, n) -> images."""
    _, extractor, n = DATA[name]
    real = loaded(name, seed=1) if name == "faces" else loaded(name, split="test")
    found = metrics.evaluate(
        samples, real, ["fid", "precision", "recall"], n, real_samples=n, extractor=extractor, progress=False
    )
    return {metric: round(float(value), 4) for metric, value in found.items()}


def add(key: str, row: dict[str, Any]) -> None:
    """Write the results with one more row: beside, then renamed."""
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept = [old for old in rows.get(key, []) if old["images"] != row["images"]]
    rows[key] = sorted([*kept, row], key=lambda r: r["images"])
    beside = RESULTS.with_name(f".{os.getpid()}.json")
    beside.write_text(json.dumps(rows, indent=1) + "\n")
    beside.replace(RESULTS)
    print(key, row, flush=True)


def controls() -> None:
    """What other real images get, and the same with noise."""
    for name, (_, _, n) in DATA.items():
        images = loaded(name, seed=2 if name == "faces" else 0).to_numpy(n)
        for kind, shown in (
            ("real images", images),
            ("real images, noise", metrics.disturbances.gaussian_noise(images, 0.2)),
        ):
            add(
                f"{kind}/{name}",
                {"images": 0} | scores(lambda start, n, of=shown: of[start : start + n], name),
            )


def growth_gain(system: str, name: str) -> str:
    """How much sooner growing shows the images of the time than the last phase's networks would."""
    rows, images = json.loads(SPEEDS.read_text())[f"{system}/{name}"], budget(system, name)
    throughout = rows[-1]["first"] + rows[-1]["mean"] * images / made(system, name).batch_size
    gain = f"{throughout / SECONDS:.1f} times"
    return f"{system}, {name}: {images:,} images in {SECONDS:.0f} s, not {throughout:.0f} s: {gain}"


def write_table() -> None:
    """Write results/day4.md."""
    rows = json.loads(RESULTS.read_text())
    text = [
        "# Growing and styles beside DCGAN and SNGAN",
        "",
        "<!-- Written by `python benchmarks/day4.py table`. -->",
        "",
    ]
    text += [
        "Protocol in [day4.py](../day4.py). FID by faces-cnn and by fashion-cnn; they compare with no other FID."
    ]
    for name in DATA:
        text += ["", f"## {name}", "", _header("at equal images: DCGAN, SNGAN")]
        for system in (*OURS, *RIVALS):
            if found := rows.get(f"{system}/{name}"):
                equal = ", ".join(
                    _fid_at(rows.get(f"{rival}/{name}", []), found[-1]["images"]) for rival in RIVALS
                )
                text.append(_line(system, name, found, equal if system in OURS else ""))
        for control in ("real images", "real images, noise"):
            if found := rows.get(f"{control}/{name}"):
                text.append(f"| {control} | | | | | {found[0]['fid']:.2f} | | {found[0]['precision']:.2f} | ")
                text[-1] += f"{found[0]['recall']:.2f} | |"
    text += ["", f"## {FEW} faces", "", _header("")]
    for system, some in AUGMENTED.items():
        for augment in some:
            if found := rows.get(f"{system}/faces/{augment}"):
                text.append(_line(f"{system}, {augment}", "faces", found, "", first=None))
    text += [
        "",
        "## What growing saves",
        "",
        "Images of the same number at full resolution throughout (the paper: 2 to 6 times):",
    ]
    text += ["", *(f"- {growth_gain(system, name)}" for name in DATA for system in ("pggan", "stylegan"))]
    RESULTS.with_suffix(".md").write_text("\n".join(text) + "\n")


def _header(last: str) -> str:
    columns = [
        "system",
        "parameters",
        "images",
        "FID, 1%",
        "25%",
        "50% of the time",
        "all",
        "precision",
        "recall",
        last,
    ]
    return "| " + " | ".join(columns) + " |\n|" + "---|" * len(columns)


def _line(title: str, name: str, found: list[dict], equal: str, first: float | None = SHARES[0]) -> str:
    system, last = title.partition(",")[0], found[-1]
    gan = made(system, name)
    parameters = sum(network.count_params() for network in gan.players().values())
    at = [_fid_at(found, budget(system, name, share * SECONDS)) for share in SHARES[1:-1]]
    start = "" if first is None else f"{found[0]['fid']:.1f}"
    learned = "" if first is None or last["fid"] < found[0]["fid"] / 2 else " (has not learned)"
    cells = [title + learned, f"{parameters:,}", f"{last['images']:,}", start, *at, f"**{last['fid']:.2f}**"]
    cells += [f"{last['precision']:.2f}", f"{last['recall']:.2f}", equal]
    return "| " + " | ".join(cells) + " |"


def _fid_at(rows: list[dict], images: int) -> str:
    """The FID at the first score after so many images."""
    return next((f"{row['fid']:.2f}" for row in rows if row["images"] >= images), "")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "controls", "train", "table"])
    parser.add_argument("names", nargs="*", help="SYSTEM, or SYSTEM/DATA[/AUGMENTATION]; default: all")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.names or [*RIVALS, *OURS])
    elif arguments.what == "controls":
        controls()
    elif arguments.what == "train":
        plain = [f"{system}/{name}" for name in DATA for system in (*OURS, *RIVALS)]
        for key in arguments.names or [
            *plain,
            *(f"{s}/faces/{a}" for s, some in AUGMENTED.items() for a in some),
        ]:
            train(*key.split("/"))
    else:
        write_table()


if __name__ == "__main__":
    main()
