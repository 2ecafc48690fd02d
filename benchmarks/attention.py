"""Self-attention's speed beside a matrix product's, in one run, and the memory of its map.

    python benchmarks/attention.py

A forward pass and a training step (forward, and the gradients by input and weights) of `SelfAttention` on batches of 8,
as SAGAN's networks for 128x128 images have it, at 32x32 with 256 channels ("feat32", the recipe) and at 64x64 with 128
("feat64"), and as BigGAN's have it, at 64x64 with 192. GFLOP/s count what the formulas need, nothing else:

    2 N C (C/8 + C/8 + C/2 + C/2) for the 1x1 convolutions,  2 N (N/4) (C/8 + C/2) for the products with the map,

and twice as much again for the gradients. Softmax, pooling and all other element-wise work take time and count nothing.
The peak is a product of two 1536x1536 matrices of float32. Rounds of peak, forward, step are interleaved; ratios are of
one round each, and their median of 15 is reported with the quartiles, so that a busy machine changes little.

Memory: by how much one training step raises the peak of a fresh process's resident memory, after a step on 8x8, per
image, beside `SelfAttention.map_bytes`. 8 channels, so that the map is nearly all there is; as many images as have
64 MiB of maps.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
BATCH = 8
SIZES = {
    "32x32, 256 channels": (32, 256),
    "64x64, 128 channels": (64, 128),
    "64x64, 192 channels": (64, 192),
}
SIDE, ROUNDS, MEMORY_SIZES, MEMORY_CHANNELS = 1536, 15, (32, 48, 64, 96), 8


def flops(size: int, channels: int, batch: int) -> int:
    """Of a forward pass."""
    positions = size * size
    convolutions = 2 * positions * channels * (channels // 8 + channels // 8 + channels // 2 + channels // 2)
    return batch * (convolutions + 2 * positions * (positions // 4) * (channels // 8 + channels // 2))


def main() -> None:
    """Measure, print, and write benchmarks/results/attention.json and attention.md."""
    import tensorflow as tf

    report = {"sizes": {}}
    a, b = (tf.random.stateless_normal((SIDE, SIDE), (0, i)) for i in range(2))
    product = tf.function(lambda: tf.matmul(a, b))
    for name, (size, channels) in SIZES.items():
        forward, step = passes(size, channels, BATCH)
        rivals = {"peak": product, "forward": forward, "training step": step}
        work = {"peak": 2 * SIDE**3, "forward": flops(size, channels, BATCH)}
        work["training step"] = 3 * work["forward"]
        rates = {rival: [] for rival in rivals}
        for rival in rivals.values():
            rival()
        for _ in range(ROUNDS):
            for rival, function in rivals.items():
                start = time.perf_counter()
                function()  # a graph on a CPU returns when it is done
                rates[rival].append(work[rival] / (time.perf_counter() - start) / 1e9)
        row = {"batch": BATCH, "gflop_per_image": round(work["forward"] / BATCH / 1e9, 3)}
        for rival in ("forward", "training step"):
            ratios = sorted(x / y for x, y in zip(rates[rival], rates["peak"], strict=True))
            row[rival] = {
                "gflops": round(statistics.median(rates[rival]), 1),
                "of_peak": [round(q, 2) for q in statistics.quantiles(ratios, n=4)],
            }
        row["peak_gflops"] = round(statistics.median(rates["peak"]), 1)
        report["sizes"][name] = row
        print(name, row, flush=True)
    report["memory"] = memory()
    RESULTS.joinpath("attention.json").write_text(json.dumps(report, indent=1) + "\n")
    RESULTS.joinpath("attention.md").write_text(table(report))


def passes(size: int, channels: int, batch: int):
    """The forward pass and the training step, as graphs."""
    import tensorflow as tf

    from ganlib.layers import SelfAttention

    x = tf.random.stateless_normal((batch, size, size, channels), (0, 2))
    towards = tf.random.stateless_normal(x.shape, (0, 3))
    layer = SelfAttention()
    layer.build(x.shape)
    layer.gamma.assign(0.5)

    @tf.function
    def step():
        weights = [v.value for v in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return tape.gradient(y, [x, *weights], output_gradients=towards)

    return tf.function(lambda: layer(x, training=True)), step


def memory() -> dict:
    """MiB an image: the map's by formula, and what a training step takes."""
    from ganlib.layers import SelfAttention

    found = {}
    for size in MEMORY_SIZES:
        command = [sys.executable, __file__, "memory", str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = {"map_MiB": round(SelfAttention.map_bytes(size, size) / 2**20, 2)}
        found[f"{size}x{size}"] = row | {"measured_MiB": round(float(done.stdout) / 2**20, 2)}
        print(f"{size}x{size}", found[f"{size}x{size}"], flush=True)
    return found


def memory_of(size: int) -> float:
    """Bytes an image by which a step at `size` raises this process's peak."""
    from ganlib.layers import SelfAttention

    batch = max(1, 2**26 // SelfAttention.map_bytes(size, size))
    passes(8, MEMORY_CHANNELS, batch)[1]()
    before = peak_memory()
    passes(size, MEMORY_CHANNELS, batch)[1]()
    return (peak_memory() - before) / batch


def peak_memory() -> int:
    """Bytes: of this process alone, while ru_maxrss would start at its parent's. Linux."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return 1024 * int(line.split()[1])


def table(report: dict) -> str:
    """The report as a page."""
    lines = [
        "# Self-attention: arithmetic and memory",
        "",
        "<!-- Written by `python benchmarks/attention.py`. Do not edit. -->",
        "",
        "Protocol in [attention.py](../attention.py). GFLOP/s of what the formulas need, over the matrix product's",
        "of the same run: median (quartiles).",
        "",
        "| feature map | GFLOP an image | matrix product, GFLOP/s | forward | of it | training step | of it |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in report["sizes"].items():
        cells = [name, f"{row['gflop_per_image']:.2f}", f"{row['peak_gflops']:.0f}"]
        for part in ("forward", "training step"):
            low, middle, high = (f"{100 * q:.0f}" for q in row[part]["of_peak"])
            cells += [f"{row[part]['gflops']:.0f}", f"**{middle} %** ({low} to {high})"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Memory of a training step, MiB an image (8 channels):",
        "",
        "| feature map | the map, N^2 bytes | measured |",
        "|---|---|---|",
        *(
            f"| {n} | {row['map_MiB']:.2f} | {row['measured_MiB']:.2f} |"
            for n, row in report["memory"].items()
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        print(memory_of(int(sys.argv[2])))
    else:
        main()
