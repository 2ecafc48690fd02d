"""BigGAN's step for CIFAR-10 beside the authors' PyTorch code and a convolution's peak; what its parts cost; memory.

    python benchmarks/biggan.py speed --official CHECKOUT [--peer-python PATH]      (ajbrock/BigGAN-PyTorch)
    python benchmarks/biggan.py parts
    python benchmarks/biggan.py memory
    python benchmarks/biggan.py paper

speed: the preset `cifar10_32`: 32x32 colour, 10 classes, ch 64, batches of 50, four updates of D and one of G a step.
`gan.fit` runs here; there `BigGAN.G_D`, the hinge losses and Adam of the authors, as `train_fns.py` calls them, in a
process of their own; both on images in memory. Checked before anything is timed: the number of parameters, and, with
the authors' initial weights loaded by `ganlib.convert`, images and logits in evaluation (to 1e-4 of the largest).

Not the same: real and generated images pass D in one batch of 100 there (one power step), here one after the other;
`fit` moves G's average and writes logs, the loop does not.

GFLOP/s count convolutions and matrix products of the traced step, as TensorFlow's profiler counts them, and nothing
element-wise. The peak is the networks' largest convolution, forward: 3x3, 256 to 256 channels, 50 maps of 32x32.

parts: the same step with tables of classes in each batch norm ("separate"), with one embedding that they share
("shared"), and with z in every block beside it ("skip_z"), for 10 and for 1,000 classes. The paper's 37% and 18% are
iterations to the same quality, not time a step.

memory: batch 2,048 of that configuration (one update of D a step, since only memory is asked for) by `accumulate=32`
beside batch 64, in fresh processes: the peak of resident memory in two steps, beyond that of the process with its data
in front of the first.

paper: one step of BigGAN 128 (ch 96, 1000 classes, one update of D) at batch 2 in a fresh process: its peak of memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beside import (
    Official,
    add,
    answer,
    clocked,
    counts,
    fitted,
    flops,
    interleaved,
    medians,
    own_output,
    rates,
    ratio,
    require_same,
    shares,
)

RESULTS = Path(__file__).parent / "results" / "biggan.json"
CLASSES, CHANNELS, BATCH, D_STEPS, LATENT = 10, 64, 50, 4, 128
OURS, THEIRS, PEAK = "step", "authors' step", "peak"
MAPS = (BATCH, 32, 32, 4 * CHANNELS)  # of the largest convolution
PEAK_WORK = 2 * BATCH * 32 * 32 * 9 * (4 * CHANNELS) ** 2


def main() -> None:
    """Measure, print, and write benchmarks/results/biggan.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=["speed", "parts", "memory", "paper"], default="speed")
    parser.add_argument("--official", type=Path, help="a checkout of the authors' PyTorch code")
    parser.add_argument("--peer-python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--steps-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        serve(arguments.official, arguments.worker)
    elif arguments.steps_of:
        print(json.dumps(steps_of(**json.loads(arguments.steps_of))))
    else:
        work = {"speed": speed, "parts": parts, "memory": memory, "paper": paper}[arguments.what]
        add(RESULTS, arguments.what, work(arguments))


def cifar(**arguments: Any) -> Any:
    """The authors' configuration."""
    import ganlib

    return ganlib.models.BigGAN.from_preset("cifar10_32", **arguments)


# --------------------------------------------------------------------------------------------------------- speed


def speed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a step, GFLOP/s, and ratios."""
    gan = cifar()
    rivals = {PEAK: convolution(), OURS: fitted(gan, 1)}
    with tempfile.TemporaryDirectory() as folder:
        worker = None
        if arguments.official:
            worker = Official(__file__, arguments, Path(folder))
            rivals[THEIRS] = worker.milliseconds
            require_same(cifar(), Path(folder), seen)
        times = interleaved(rivals, arguments.rounds)
        if worker:
            worker.close()
    work = flops(gan)
    found: dict[str, Any] = {"parameters": counts(gan), "gflop_a_step": round(work / 1e9, 1)}
    found["milliseconds"] = medians(times)
    found["gflops"], found["peak_gflops"] = rates(work, times[OURS]), rates(PEAK_WORK, times[PEAK])
    found["of_peak"] = shares(work, times[OURS], PEAK_WORK, times[PEAK])
    if worker:
        found["theirs / ours"] = ratio(times, THEIRS, OURS)
    return found


def convolution() -> Callable[[], float]:
    """Milliseconds of the largest convolution."""
    import tensorflow as tf

    images = tf.random.stateless_normal(MAPS, (0, 0))
    kernel = tf.random.stateless_normal((3, 3, MAPS[-1], MAPS[-1]), (0, 1))
    convolve = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME"))
    convolve()
    return lambda: clocked(lambda: [convolve() for _ in range(3)], 3)


def parts(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a shared embedding and z in every block cost a step."""
    found = {}
    for classes in (10, 1000):
        rivals = {
            name: fitted(cifar(architecture=name, num_classes=classes), 1)
            for name in ("separate", "shared", "skip_z")
        }
        times = interleaved(rivals, arguments.rounds)
        found[f"{classes} classes"] = {
            "milliseconds": medians(times),
            "shared / separate": ratio(times, "shared", "separate"),
            "skip_z / shared": ratio(times, "skip_z", "shared"),
        }
    return found


# -------------------------------------------------------------------------------------------------------- memory


def memory(arguments: argparse.Namespace) -> dict[str, Any]:
    """Peaks of resident memory of batch 64 and of 2,048 in 32 parts."""
    small = {"batch_size": 64, "n_critic": 1}
    found = {
        "batch 64": fresh("cifar10_32", small, {}),
        "batch 2,048, accumulate 32": fresh("cifar10_32", small | {"batch_size": 2048}, {"accumulate": 32}),
    }
    one, many = (entry["steps_gib"] for entry in found.values())
    return {**found, "ratio": round(many / one, 2)}


def paper(arguments: argparse.Namespace) -> dict[str, Any]:
    """One step of the paper's size."""
    return fresh("imagenet_128", {"batch_size": 2, "n_critic": 1}, {}, steps=1)


def fresh(
    preset: str, of_model: dict[str, Any], of_compile: dict[str, Any], steps: int = 2
) -> dict[str, float]:
    """`steps_of` in a process of its own."""
    what = {"preset": preset, "of_model": of_model, "of_compile": of_compile, "steps": steps}
    command = [sys.executable, __file__, "--steps-of", json.dumps(what)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(what, done.stdout, flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def steps_of(
    preset: str, of_model: dict[str, Any], of_compile: dict[str, Any], steps: int
) -> dict[str, float]:
    """Steps of `fit`: their peak of resident memory beyond what the process had, in GiB, and seconds."""
    import numpy as np

    import ganlib

    gan = ganlib.models.BigGAN.from_preset(preset, **of_model)
    gan.compile(**of_compile)
    images = np.zeros((gan.batch_size, *gan.image_shape), np.uint8)
    labels = np.arange(gan.batch_size) % gan.classes.num_classes
    data = ganlib.data.from_arrays(images, labels.astype(np.int32)).batch(gan.batch_size)
    before, start = peak(), time.perf_counter()
    gan.fit(data, steps_per_epoch=steps, verbose=0)
    after = peak()
    seconds = round(time.perf_counter() - start, 1)
    return {"steps_gib": round(after - before, 2), "process_gib": round(after, 2), "seconds": seconds}


def peak() -> float:
    """The process's peak of resident memory so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


# --------------------------------------------------------------------------------------------- the authors' code


def seen(gan: Any, example: dict[str, Any]) -> dict[str, Any]:
    """Images and logits, in evaluation."""
    images = gan.generator([example["latents"], example["labels"]], training=False).numpy()
    shown = [example["images"].transpose(0, 2, 3, 1), example["labels"]]
    logits = gan.discriminator(shown, training=False).numpy()
    return {"images": images.transpose(0, 3, 1, 2), "logits": logits}


def serve(official: Path, folder: Path) -> None:
    """Be the authors' code: a step for each line that comes in."""
    answers = own_output()
    sys.path.insert(0, str(official))
    import BigGAN
    import losses
    import numpy as np
    import torch

    torch.manual_seed(0)
    sizes = {"resolution": 32, "n_classes": CLASSES}
    of_g = {
        "G_ch": CHANNELS,
        "dim_z": LATENT,
        "G_attn": "0",
        "G_shared": False,
        "G_init": "N02",
        "G_lr": 2e-4,
    }
    generator = BigGAN.Generator(**sizes, **of_g)
    judge = BigGAN.Discriminator(**sizes, D_ch=CHANNELS, D_attn="0", D_init="N02", D_lr=2e-4)
    players = {"generator": generator, "discriminator": judge}
    latents, labels = torch.randn(4, LATENT), torch.arange(4)
    # what they start with, before any power step
    named = {
        f"{name[0].upper()}.{key}": value.clone()
        for name, network in players.items()
        for key, value in network.state_dict().items()
    }
    with torch.no_grad():
        images = generator.eval()(latents, generator.shared(labels))
        logits = judge.eval()(images, labels)
    shown = {"latents": latents, "labels": labels, "images": images, "logits": logits}
    np.savez(folder / "example.npz", **{key: value.numpy() for key, value in shown.items()})
    np.savez(folder / "weights.npz", **{key: value.numpy() for key, value in named.items()})
    numbers = {name: sum(p.numel() for p in network.parameters()) for name, network in players.items()}
    folder.joinpath("counts.json").write_text(json.dumps(numbers))
    answer(step_of(BigGAN.G_D(generator.train(), judge.train()), losses), answers)


def step_of(pair: Any, losses: Any) -> Callable[[], None]:
    """Four updates of D and one of G, as the authors' `train_fns.GAN_training_function` makes them."""
    import torch

    real, labels = torch.rand(D_STEPS, BATCH, 3, 32, 32) * 2 - 1, torch.randint(CLASSES, (D_STEPS, BATCH))

    def drawn() -> tuple[Any, Any]:
        return torch.randn(BATCH, LATENT), torch.randint(CLASSES, (BATCH,))

    def learning(network: Any, other: Any) -> None:
        network.requires_grad_(True)
        other.requires_grad_(False)

    def step() -> None:
        learning(pair.D, pair.G)
        for x, y in zip(real, labels, strict=True):
            pair.D.optim.zero_grad()
            fake, true = pair(*drawn(), x, y, train_G=False)
            sum(losses.discriminator_loss(fake, true)).backward()
            pair.D.optim.step()
        learning(pair.G, pair.D)
        pair.G.optim.zero_grad()
        losses.generator_loss(pair(*drawn(), train_G=True)).backward()
        pair.G.optim.step()

    return step


if __name__ == "__main__":
    main()
