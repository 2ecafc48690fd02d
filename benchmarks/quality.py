"""How good, how fast: FID(fashion-cnn) of 5,000 samples over training, on the embedded Fashion-MNIST.

    python benchmarks/quality.py [laptop | cmu_28] [SEED ...]

Protocol, written before the runs. Both presets of DCGAN train on the embedded 10,000 images with the recipe of their
preset and no tuning here; three seeds each (0, 1, 2). `laptop` sees 1,400,000 images, 15 minutes of two cores alone:
it has collapsed if its FID ever rises above 3 times its best so far after the first 100,000 images. `cmu_28` (the
lecture's code) sees 170,000 images, 4 minutes. Training is counted in images, because the machine is shared: minutes
are images / the images/s that `benchmarks/throughput.py` measures for both in one run (1,620 by the bare loop and 709).
Scoring does not count. Every result is written as it is made; a killed run goes on from its checkpoint.

(The plan follows the machine: a session on one half as fast had 700,000 and 75,000 images.)
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ganlib

RESULTS = Path(__file__).parent / "results" / "quality.json"
RUNS = Path("runs/quality")
FIRST_PASS = 700_000
# images seen at each score
PLAN = {
    "laptop": [*range(50_000, 300_001, 50_000), *range(400_000, 1_400_001, 100_000)],
    "cmu_28": [15_000, 30_000, 45_000, 90_000, 170_000],
}


def main(presets: list[str], seeds: list[int]) -> None:
    """Run what is not in the results yet."""
    fid = ganlib.metrics.FashionFID()
    for end in (FIRST_PASS, max(PLAN["laptop"])):  # all seeds half-way first
        for seed in seeds:
            for preset in presets:
                run(preset, seed, end, fid)


def run(preset: str, seed: int, end: int, fid: Callable) -> None:
    """Train one preset with one seed up to `end` images, scoring on the way."""
    gan = ganlib.models.DCGAN.from_preset(preset, seed=seed)
    gan.compile()
    resolution = gan.image_shape[0]
    data = ganlib.data.load("fashion_mnist", resolution=resolution, seed=seed).batch(gan.batch_size)
    folder = RUNS / f"{preset}-{seed}"
    if ganlib.checkpoints.latest(folder):
        ganlib.checkpoints.restore(gan, folder)
    for images in [mark for mark in PLAN[preset] if gan.images_seen < mark <= end]:
        steps = -(-(images - gan.images_seen) // gan.batch_size)
        start, cpu = time.perf_counter(), time.process_time()
        gan.fit(data, steps_per_epoch=steps, verbose=0)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        score = fid(lambda n, seed, gan=gan: gan.sample(n, seed=seed))
        row = {"preset": preset, "seed": seed, "images": gan.images_seen, "fid": score.pop("value")}
        row |= {"seconds": round(seconds, 1), "cpu_seconds": round(cpu_seconds, 1), "measured": score}
        add(row)
        ganlib.checkpoints.save(gan, folder, keep=1)
        ganlib.plots.save_png(
            ganlib.plots.grid(gan.sample(64, seed=0)), folder / f"{gan.images_seen:07d}.png"
        )
        print(preset, seed, row["images"], row["fid"], f"{seconds:.0f} s", flush=True)


def add(row: dict) -> None:
    """Write the results with one more row: beside, then renamed."""
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    key = ("preset", "seed", "images")
    rows = [old for old in rows if any(old[k] != row[k] for k in key)] + [row]
    rows.sort(key=lambda r: tuple(r[k] for k in key))
    beside = RESULTS.with_name(f".{os.getpid()}.json")
    beside.write_text(json.dumps(rows, indent=1) + "\n")
    beside.replace(RESULTS)


if __name__ == "__main__":
    names = [argument for argument in sys.argv[1:] if not argument.isdigit()]
    main(names or list(PLAN), [int(argument) for argument in sys.argv[1:] if argument.isdigit()] or [0, 1, 2])
