"""StyleGAN2's step beside the authors' PyTorch code and the matrix peak, and one step at 1024x1024.

    python benchmarks/stylegan2.py --official CHECKOUT [--peer-python PATH]      (their stylegan2-ada-pytorch)
    python benchmarks/stylegan2.py --paper                                       (config F at 1024x1024, batch 1)

Speed: 32x32 colour, channel base 2048, at most 128 channels, z = w = 128, 8 mapping layers, batch 32. The main step is
D's update and G's, without R1 and path length; "with lazy terms" is the mean of 16 steps, of which one has R1 and four
have the path length. `gan.fit` runs here, the authors' losses and networks (`StyleGAN2Loss.accumulate_gradients`, Adam
of PyTorch) in a process of their own, on images in memory. Their custom kernels need a GPU; on a CPU the code itself
falls back to its reference operations, which is what is measured. Rounds are interleaved; a ratio is of one round, and
the median of the rounds is reported with the least and the largest.

The same in both, checked before anything is timed: the number of parameters, and, with the authors' initial weights
loaded by `ganlib.convert`, images without noise and logits (to 1e-4 of the largest).

Not the same: `fit` moves G's average and writes logs, the loop does not; Adam's epsilon (inside or outside of the
correction); the authors' loop sums up statistics of the losses.

GFLOP/s count convolutions and matrix products of the traced main step, as TensorFlow's profiler counts them, and
nothing element-wise. The peak is a product of two 1536x1536 matrices of float32 in the same rounds.

At 1024x1024 one step with all of config F's weights, lazy terms included, is run once, and the process's peak of
resident memory is printed.
"""

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
SIZES = {"resolution": 32, "channel_base": 2048, "channel_max": 128, "latent_dim": 128, "w_dim": 128}
SIZES |= {"mapping_depth": 8, "batch_size": 32}
SIDE, LAZY = 1536, 16
OURS, LAZILY, THEIRS, PEAK = "main step", "with lazy terms", "authors' main step", "peak"


def main() -> None:
    """Measure, print, and write benchmarks/results/stylegan2.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--official", type=Path, help="a checkout of the authors' PyTorch code")
    parser.add_argument("--peer-python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--paper", action="store_true", help="run one step of config F at 1024x1024 instead")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        serve(arguments.official, arguments.worker)
    elif arguments.paper:
        add("config F, 1024x1024, batch 1", paper())
    else:
        add("32x32", speed(arguments))


def add(name: str, found: dict[str, Any]) -> None:
    """Put one measurement among the results."""
    print(json.dumps(found, indent=1))
    path = RESULTS / "stylegan2.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(results | {name: found}, indent=1) + "\n")


# --------------------------------------------------------------------------------------------------------- speed


def speed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a step of all rivals, and ratios."""
    import ganlib

    gan = ganlib.models.StyleGAN2(**SIZES)
    main_only = ganlib.models.StyleGAN2(**SIZES, path_weight=0.0, r1_every=10**9)
    rivals = {PEAK: product(), OURS: fitted(main_only, 8), LAZILY: fitted(gan, LAZY)}
    with tempfile.TemporaryDirectory() as folder:
        worker = None
        if arguments.official:
            worker = Official(arguments, Path(folder))
            rivals[THEIRS] = worker.milliseconds
            compare(ganlib.models.StyleGAN2(**SIZES), Path(folder))
        times: dict[str, list[float]] = {name: [] for name in rivals}
        for round_ in range(arguments.rounds):
            for name in list(rivals)[:: 1 if round_ % 2 == 0 else -1]:
                time.sleep(0.5)  # threads of the one before go on spinning for a while
                times[name].append(rivals[name]())
            print(
                f"round {round_ + 1}, ms: " + ", ".join(f"{k} {v[-1]:.1f}" for k, v in times.items()),
                flush=True,
            )
        if worker:
            worker.close()
    work = flops(main_only)
    found: dict[str, Any] = {
        "sizes": SIZES,
        "parameters": counts(gan),
        "gflop_a_main_step": round(work / 1e9, 2),
    }
    found["milliseconds"] = {name: round(statistics.median(values), 2) for name, values in times.items()}
    found["gflops"] = round(statistics.median(work / ms / 1e6 for ms in times[OURS]), 1)
    found["peak_gflops"] = round(statistics.median(2 * SIDE**3 / ms / 1e6 for ms in times[PEAK]), 1)
    rates = [work / a / (2 * SIDE**3 / b) for a, b in zip(times[OURS], times[PEAK], strict=True)]
    found["of_peak"] = spread(rates)
    found["lazy / main"] = spread([a / b for a, b in zip(times[LAZILY], times[OURS], strict=True)])
    if worker:
        found["theirs / ours"] = spread([a / b for a, b in zip(times[THEIRS], times[OURS], strict=True)])
    return found


def spread(ratios: list[float]) -> list[float]:
    """Least, median, largest."""
    return [round(value, 2) for value in (min(ratios), statistics.median(ratios), max(ratios))]


def counts(gan: Any) -> dict[str, int]:
    """Trainable parameters of each player."""
    return {
        name: sum(int(v.value.shape.num_elements()) for v in n.trainable_variables)
        for name, n in gan.players().items()
    }


def product() -> Callable[[], float]:
    """Milliseconds of one product of matrices."""
    import tensorflow as tf

    a, b = (tf.random.stateless_normal((SIDE, SIDE), (0, i)) for i in range(2))
    multiply = tf.function(lambda: tf.matmul(a, b))
    return lambda: clocked(lambda: [multiply() for _ in range(10)], 10)


def fitted(gan: Any, steps: int) -> Callable[[], float]:
    """Milliseconds a step of `fit`, warmed up."""
    import tensorflow as tf

    gan.compile()
    images = tf.random.stateless_uniform((512, *gan.image_shape), (0, 1), -1, 1)
    data = tf.data.Dataset.from_tensor_slices(images).batch(gan.batch_size).repeat()
    gan.fit(data, steps_per_epoch=steps, verbose=0)
    return lambda: clocked(lambda: gan.fit(data, steps_per_epoch=steps, verbose=0), steps)


def clocked(run: Callable[[], Any], times: int) -> float:
    """Milliseconds of one of so many."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start) / times


def flops(gan: Any) -> int:
    """Of convolutions and matrix products in a traced main step."""
    import tensorflow as tf
    from tensorflow.python.profiler.model_analyzer import profile
    from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

    batch = tf.zeros((gan.batch_size, *gan.image_shape))

    def step():
        return gan.play([batch])

    with gan.streams.at(gan.step_counter, 0):
        graph = tf.function(step).get_concrete_function().graph
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation()).with_empty_output()
    options = options.with_node_names(show_name_regexes=[".*"]).build()
    found = profile(graph, options=options)
    names = {op.name: op.type for op in graph.get_operations()}
    total, stack = 0, [found]
    while stack:
        node = stack.pop()
        stack += node.children
        if any(kind in names.get(node.name, "") for kind in ("Conv", "MatMul")):
            total += node.float_ops
    return total


# --------------------------------------------------------------------------------------------- the authors' code


class Official:
    """The authors' code in a process of its own; it leaves its weights, latents, images and logits in `folder`."""

    def __init__(self, arguments: argparse.Namespace, folder: Path):
        command = [arguments.peer_python, __file__, "--worker", folder, "--official", arguments.official]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()
        self.process.send_signal(signal.SIGSTOP)  # its idle threads take time, too

    def milliseconds(self) -> float:
        """Of a main step."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        taken = self._answer()
        self.process.send_signal(signal.SIGSTOP)
        return taken

    def close(self) -> None:
        """End the process."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> float:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the authors' code stopped with code {self.process.wait()}")
        return json.loads(line)


def compare(gan: Any, folder: Path) -> None:
    """Stop unless both are the same networks."""
    import numpy as np

    import ganlib

    theirs = dict(np.load(folder / "example.npz"))
    arrays = dict(np.load(folder / "weights.npz"))
    if counts(gan) != json.loads(folder.joinpath("counts.json").read_text()):
        sys.exit(f"parameters: {counts(gan)} here, {folder.joinpath('counts.json').read_text()} there")
    for player, prefix in (("generator", "G."), ("discriminator", "D.")):
        ganlib.convert.load(gan.players()[player], arrays, prefix)
    images = gan.generator.synthesis(gan.generator.styles(theirs["latents"]), noise=()).numpy()
    logits = gan.discriminator(theirs["images"].transpose(0, 2, 3, 1)).numpy()
    for name, ours in (("images", images.transpose(0, 3, 1, 2)), ("logits", logits)):
        different = np.abs(ours - theirs[name]).max() / np.abs(theirs[name]).max()
        print(f"{name} differ by {different:.1e} of the largest", flush=True)
        if different > 1e-4:
            sys.exit(f"{name} of the authors' weights are not the same here")


def serve(official: Path, folder: Path) -> None:
    """Be the authors' code: a main step for each line that comes in."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    sys.path.insert(0, str(official))
    import numpy as np
    import torch
    from training.loss import StyleGAN2Loss
    from training.networks import Discriminator, Generator

    torch.manual_seed(0)
    channels = {"channel_base": SIZES["channel_base"], "channel_max": SIZES["channel_max"], "num_fp16_res": 0}
    shape = {"c_dim": 0, "img_resolution": SIZES["resolution"], "img_channels": 3}
    mapping = {"num_layers": SIZES["mapping_depth"]}
    generator = Generator(
        z_dim=SIZES["latent_dim"],
        w_dim=SIZES["w_dim"],
        mapping_kwargs=mapping,
        synthesis_kwargs=channels,
        **shape,
    )
    players = {"generator": generator, "discriminator": Discriminator(**channels, **shape)}
    latents = torch.randn(4, SIZES["latent_dim"])
    with torch.no_grad():
        images = generator.eval()(latents, None, noise_mode="none")
        logits = players["discriminator"].eval()(images, None)
    np.savez(folder / "example.npz", latents=latents.numpy(), images=images.numpy(), logits=logits.numpy())
    named = {
        f"{name[0].upper()}.{key}": value
        for name, n in players.items()
        for key, value in n.state_dict().items()
    }
    np.savez(folder / "weights.npz", **{key: value.numpy() for key, value in named.items()})
    sizes = {name: sum(p.numel() for p in network.parameters()) for name, network in players.items()}
    folder.joinpath("counts.json").write_text(json.dumps(sizes))
    step = main_step(StyleGAN2Loss, players)
    step()
    while True:
        answers.write(f"{clocked(step, 1)}\n")
        answers.flush()
        if not sys.stdin.readline():
            return


def main_step(loss_of: Callable, players: dict[str, Any]) -> Callable[[], None]:
    """D's update, then G's, as the authors' training loop makes them."""
    import torch

    generator, discriminator = players["generator"].train(), players["discriminator"].train()
    loss = loss_of("cpu", generator.mapping, generator.synthesis, discriminator)
    optimizers = {
        n: torch.optim.Adam(p.parameters(), lr=2e-3, betas=(0.0, 0.99), eps=1e-8) for n, p in players.items()
    }
    size = SIZES["batch_size"]
    real, none = torch.rand(size, 3, SIZES["resolution"], SIZES["resolution"]) * 2 - 1, torch.zeros(size, 0)

    def step():
        for phase, name in (("Gmain", "generator"), ("Dmain", "discriminator")):
            for other, network in players.items():
                network.requires_grad_(other == name)
            optimizers[name].zero_grad(set_to_none=True)
            z = torch.randn(size, SIZES["latent_dim"])
            loss.accumulate_gradients(phase, real, none, z, none, sync=True, gain=1)
            optimizers[name].step()

    return step


# ------------------------------------------------------------------------------------------------ the paper's size


def paper() -> dict[str, Any]:
    """One step of config F at 1024x1024, batch 1: seconds, and the peak of memory."""
    import numpy as np
    import tensorflow as tf

    import ganlib

    gan = ganlib.models.StyleGAN2.from_preset("ffhq_1024_f", batch_size=1)
    gan.compile()
    data = tf.data.Dataset.from_tensors(np.zeros((1, *gan.image_shape), np.float32)).repeat()
    start = time.perf_counter()
    history = gan.fit(data, steps_per_epoch=1, verbose=0).history
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "parameters": counts(gan),
        "seconds": round(time.perf_counter() - start),
        "peak_gib": round(peak, 1),
        "logs": {name: float(f"{values[-1]:.4g}") for name, values in history.items()},
    }


if __name__ == "__main__":
    main()
