"""Every image model's `laptop` preset, four minutes on two CPU cores: FID(fashion-cnn), images/s, a picture.

    python benchmarks/four_minutes.py rates [MODEL ...]   images/s of each model through `fit`; wants a quiet machine
    python benchmarks/four_minutes.py tune [MODEL ...]    the same short search for each model
    python benchmarks/four_minutes.py run [MODEL ...]     the runs
    python benchmarks/four_minutes.py report              results -> results/quality.md

Protocol, written before the runs. Data: the embedded 10,000 images of Fashion-MNIST. A minute is 60 times the images/s
that `rates` measured for the model (median of 5 stretches of 4 seconds, models interleaved, nothing else running), so
that a shared machine changes nothing. Tuning, the same for all: the preset's learning rate times 1, 2 and 4, half a
minute each, seed 100, FID of 2,000 samples; the best of the three is used. (So short a search could favour fast
starts. Whole minutes, tried for VanillaGAN, DCGAN and LSGAN before any run, choose the same rates.) Runs: seed 0;
seeds 0, 1, 2 for DCGAN, WGAN-GP and SNGAN; scored after 1, 2 and 4 minutes with 5,000 samples of the averaged
generator against the 10,000 training images. Scoring does not count. Nothing is repeated or left out. Every result
is written as it is made, and a killed run goes on from its checkpoint.
"""

import json
import math
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import ganlib

RESULTS = Path(__file__).parent / "results"
TABLE = RESULTS / "four_minutes.json"
RUNS = Path("runs/four_minutes")
FACTORS = (1, 2, 4)
THREE_SEEDS = ("dcgan", "wgan-gp", "sngan")
MINUTES = (1, 2, 4)


def main(command: str, names: list[str]) -> None:
    """Do what is not in the results yet."""
    models = {name: cls for name, cls in image_models().items() if not names or name in names}
    if command == "rates":
        measure_rates(models)
    elif command == "tune":
        for name in models:
            tune(name)
    elif command == "run":
        for seed in (0, 1, 2):
            for name in models:
                if seed == 0 or name in THREE_SEEDS:
                    run(name, seed)
    elif command == "report":
        report()
    else:
        sys.exit(f"there is no command {command!r}: rates, tune, run or report")


def image_models() -> dict[str, type]:
    """The unconditional models whose `laptop` preset makes grey images of 28 pixels or more."""
    found = {}
    for name, cls in ganlib.models.registry().items():
        gan = cls.from_preset("laptop")
        shape = gan.image_shape
        unconditional = gan.sampled and gan.classes is None
        if unconditional and len(shape) == 3 and shape[0] >= 28 and shape[2] == 1:
            found[name] = cls
    return found


def made(name: str, factor: float = 1, seed: int = 0) -> tuple[Any, Any]:
    """A compiled model, its learning rates multiplied, and its data."""
    cls = ganlib.models.registry()[name]
    gan = cls.from_preset("laptop", seed=seed)
    if factor != 1:
        gan = cls.from_preset("laptop", seed=seed, learning_rate=factor * gan.get_config()["learning_rate"])
    gan.compile()
    data = ganlib.data.load("fashion_mnist", resolution=gan.image_shape[0], seed=seed)
    return gan, data.batch(gan.batch_size)


def measure_rates(models: dict[str, type]) -> None:
    """Images/s of each model, in interleaved stretches."""
    pairs = {name: made(name) for name in models}
    seconds = {name: [] for name in models}
    steps = {}
    for name, (gan, data) in pairs.items():
        gan.fit(data, steps_per_epoch=3, verbose=0)
        start = time.perf_counter()
        gan.fit(data, steps_per_epoch=10, verbose=0)
        steps[name] = max(5, math.ceil(40 / (time.perf_counter() - start)))
    for _ in range(5):
        for name, (gan, data) in pairs.items():
            start = time.perf_counter()
            gan.fit(data, steps_per_epoch=steps[name], verbose=0)
            seconds[name].append(time.perf_counter() - start)
    for name, (gan, _) in pairs.items():
        images = steps[name] * gan.batch_size * gan.n_critic
        rates = sorted(images / s for s in seconds[name])
        row = {
            "rate": round(statistics.median(rates)),
            "slowest": round(rates[0]),
            "fastest": round(rates[-1]),
        }
        add({"kind": "rate", "model": name, **row})
        print(f"{name:14s} {row}", flush=True)


def tune(name: str, minutes: float = 0.5) -> None:
    """Half a minute at each learning rate, unless `minutes` says otherwise."""
    fid = ganlib.metrics.FashionFID()
    for factor in FACTORS:
        if find("tune", model=name, factor=factor, minutes=minutes):
            continue
        gan, data = made(name, factor, seed=100)
        row = {"kind": "tune", "model": name, "factor": factor, "minutes": minutes}
        try:
            gan.fit(data, steps_per_epoch=steps_of(gan, name, minutes), verbose=0)
            row["fid"] = fid(lambda n, seed, gan=gan: gan.sample(n, seed=seed), samples=2000)["value"]
        except ganlib.errors.TrainingDiverged as error:
            row |= {"fid": None, "diverged": str(error).partition(":")[0]}
        add(row)
        print(row, flush=True)


def best_factor(name: str) -> float:
    """The learning rates' factor with the lowest FID."""
    rows = find("tune", model=name, minutes=0.5)
    if len(rows) < len(FACTORS):
        sys.exit(f"{name} is not tuned: run `tune` first")
    return min((row for row in rows if row["fid"] is not None), key=lambda row: row["fid"])["factor"]


def run(name: str, seed: int) -> None:
    """Train one model with one seed, scoring on the way."""
    gan, data = made(name, best_factor(name), seed)
    folder = RUNS / f"{name}-{seed}"
    if ganlib.checkpoints.latest(folder):
        ganlib.checkpoints.restore(gan, folder)
    for minutes in MINUTES:
        left = steps_of(gan, name, minutes) - gan.step
        if left <= 0 and find("run", model=name, seed=seed, minutes=minutes):
            continue
        row = {"kind": "run", "model": name, "seed": seed, "minutes": minutes, "factor": best_factor(name)}
        try:
            if left > 0:
                gan.fit(data, steps_per_epoch=left, verbose=0)
            score = ganlib.metrics.FashionFID()(lambda n, seed: gan.sample(n, seed=seed))
        except ganlib.errors.TrainingDiverged as error:
            add({**row, "fid": None, "diverged": str(error).partition(":")[0]})
            return
        add(
            {
                **row,
                "steps": gan.step,
                "images": gan.images_seen,
                "fid": score.pop("value"),
                "measured": score,
            }
        )
        ganlib.checkpoints.save(gan, folder, keep=1)
        print(name, seed, minutes, find("run", model=name, seed=seed, minutes=minutes)[0]["fid"], flush=True)
    if seed == 0:
        picture = ganlib.plots.grid(gan.sample(32, seed=0), columns=16)
        ganlib.plots.save_png(picture, RESULTS / "pictures" / f"{name}.png")


def steps_of(gan: Any, name: str, minutes: float) -> int:
    """G steps in so many minutes at the measured rate."""
    rows = find("rate", model=name)
    if not rows:
        sys.exit(f"the speed of {name} is not measured: run `rates` first")
    return math.ceil(60 * minutes * rows[0]["rate"] / (gan.batch_size * gan.n_critic))


def report() -> None:
    """Write results/quality.md from results/four_minutes.json."""
    lines = [
        "# Four minutes on two CPU cores",
        "",
        "<!-- Written by `python benchmarks/four_minutes.py report`. Do not edit. -->",
        "",
        "FID(fashion-cnn) of 5,000 samples against the 10,000 embedded training images; protocol in",
        "[four_minutes.py](../four_minutes.py). Lower is better; it compares with no other FID. Several numbers in a",
        "cell are seeds 0, 1, 2. `rate` is what the tuning multiplied the preset's learning rates by.",
        "",
        "| model | G + D parameters | images/s | G steps | D updates | rate | FID, 1 min | 2 min | **4 min** |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    models = sorted({row["model"] for row in find("run")}, key=lambda name: final(name)[0])
    for name in models:
        gan = ganlib.models.registry()[name].from_preset("laptop")
        counts = " + ".join(
            f"{sum(math.prod(v.shape) for v in network.trainable_variables):,}"
            for network in gan.players().values()
        )
        scores = [" / ".join(text(row["fid"]) for row in rows_at(name, minutes)) for minutes in MINUTES]
        first = rows_at(name, 4)[0]
        steps = first.get("steps", 0)
        lines.append(
            f"| {name} | {counts} | {find('rate', model=name)[0]['rate']:,} | {steps:,} | {steps * gan.n_critic:,} "
            f"| x{first['factor']} | {scores[0]} | {scores[1]} | **{scores[2]}** |"
        )
    lines += ["", "## Samples of seed 0 after four minutes; none was picked", ""]
    for name in models:
        if (RESULTS / "pictures" / f"{name}.png").exists():
            lines += [f"**{name}**", "", f"![{name}](pictures/{name}.png)", ""]
    remarks = RESULTS / "quality_remarks.md"
    if remarks.exists():
        lines += [remarks.read_text().rstrip(), ""]
    write(RESULTS / "quality.md", "\n".join(lines))


def rows_at(name: str, minutes: float) -> list[dict]:
    """A model's scores after so many minutes, by seed."""
    return sorted(find("run", model=name, minutes=minutes), key=lambda row: row["seed"])


def final(name: str) -> tuple[float, str]:
    """The mean over seeds of the last score; infinite where a run diverged."""
    scores = [math.inf if row["fid"] is None else row["fid"] for row in rows_at(name, 4)]
    return (statistics.mean(scores) if scores else math.inf), name


def text(fid: float | None) -> str:
    """A score as it stands in the table."""
    return "diverged" if fid is None else f"{fid:.1f}"


def find(kind: str, **values: Any) -> list[dict]:
    """Rows of the results with these values."""
    rows = json.loads(TABLE.read_text()) if TABLE.exists() else []
    return [r for r in rows if r["kind"] == kind and all(r.get(k) == v for k, v in values.items())]


def add(row: dict) -> None:
    """Write the results with one more row, in the place of an older one of the same run."""
    rows = json.loads(TABLE.read_text()) if TABLE.exists() else []
    key = ("kind", "model", "seed", "minutes") + (("factor",) if row["kind"] == "tune" else ())
    rows = [old for old in rows if any(old.get(k) != row.get(k) for k in key)] + [row]
    rows.sort(
        key=lambda r: (r["kind"], r["model"], r.get("factor", 0), r.get("seed", 0), r.get("minutes", 0))
    )
    write(TABLE, json.dumps(rows, indent=1) + "\n")


def write(path: Path, content: str) -> None:
    """Beside, then renamed."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    beside.write_text(content)
    beside.replace(path)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:])
