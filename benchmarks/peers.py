"""Images/s of `gan.fit` beside the same arithmetic in PyTorch, each in a process of its own.

    pip install "ganlib[peers]"        (PyTorch; it may live in an environment of its own: --peer-python)
    python benchmarks/peers.py --out benchmarks/results/peers.md

Systems: DCGAN `laptop` (32x32 grey, batch 64; D, then G on other latents, then the average of G) and the CMU lecture's
pair, DCGAN `cmu_28` (28x28, batch 256, dropout; both gradients from one forward pass, no average). Rivals: PyTorch
eager, eager in channels_last, and compiled by inductor (which needs a C++ compiler; skipped with the reason if it
fails), all with the fused Adam; and ganlib against itself, a second process of the same code, as the control.

Protocol. All rivals of a system are started and warmed up one after the other, then wait. In each round every one
trains the same number of steps, alone, in an order that is reversed from round to round; a ratio is of one round. The
median of the rounds, the least and the largest are reported. What the control says is noise. PyTorch's threads wait
for each other in every operation (OpenMP), so that another program on the machine slows PyTorch several times more than
TensorFlow: measure on a quiet one.

The same in both, checked before anything is timed: the trainable parameters of each network; images, batch size, number
of threads; and, from ganlib's initial weights on one batch, both losses and the norm of every variable's gradient (to
0.1%, with dropout off). The same by construction: Adam's numbers; whose statistics of batch norm move when (not D's in
G's update, nor G's in D's); gradients of a player's own variables only; real and generated images in batches of their
own; the average of all of G's variables, statistics included, at every step.

Not the same: the random numbers (ganlib's are functions of the seed, the step and the sample, PyTorch's those of its
own generator); Adam's epsilon, which PyTorch adds after it corrects the bias and Keras before; the moving variance, of
n - 1 in PyTorch; and `fit` does what a loop does not: callbacks, logs, stopping at the first loss that is not finite,
data made in the background (the loop indexes one tensor). Padding: with 4x4 kernels and strides of 2, Keras' "same"
pads one pixel on all sides, as `padding=1` does. With 5x5 kernels it pads one before and two after, and PyTorch's
`padding=2` two before and one after (the last line of its two is never read): its networks are mirror images of
ganlib's, with the same products, so they are given mirrored weights and images.
"""

import argparse
import contextlib
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# preset of DCGAN: its name in the table, and steps of a run
SYSTEMS = {"laptop": ("DCGAN `laptop`", 100), "cmu_28": ("the CMU pair, `cmu_28`", 20)}
PEERS = EAGER, CHANNELS_LAST, COMPILED = "PyTorch, eager", "PyTorch, channels_last", "PyTorch, compiled"
CONTROL = "ganlib again (control)"
BEFORE = "ganlib, other checkout"
ROWS = [*PEERS, BEFORE, CONTROL]
TOLERANCE = 1e-3
MISSING = (
    "PyTorch is missing in {}: pip install 'ganlib[peers]' there, or say where it is: --peer-python PATH"
)


def main() -> None:
    """Measure, print the table, and write it to `--out`."""
    arguments = parsed()
    if arguments.worker:
        serve(*arguments.worker)
        return
    if subprocess.run(
        [arguments.peer_python, "-c", "import numpy, torch"], stderr=subprocess.DEVNULL
    ).returncode:
        sys.exit(MISSING.format(arguments.peer_python))
    rows, versions = [], {}
    for system in arguments.systems:
        rates, found = measure(system, arguments)
        rows += lines(system, rates)
        versions |= found
    about = ", ".join(f"{name} {version}" for name, version in versions.items())
    steps = [arguments.steps or SYSTEMS[system][1] for system in arguments.systems]
    text = (
        "# ganlib beside PyTorch\n\n<!-- Written by `python benchmarks/peers.py --out FILE`. Do not edit. -->\n\n"
        f"Protocol in [peers.py](../peers.py). {about}; {arguments.threads} threads, {platform.machine()};\n"
        f"medians of {arguments.pairs} pairs of {' and '.join(map(str, steps))} steps; above 1, ganlib is faster.\n\n"
        "| system | beside | ganlib, images/s | it, images/s | ganlib / it | least to largest |\n"
        "|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )
    print("\n" + text)
    if arguments.out:
        arguments.out.write_text(text)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--pairs", type=int, default=7, help="rounds; 7 or more")
    parser.add_argument("--steps", type=int, help="steps of a run, instead of the system's own")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer-python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--ganlib-path", type=Path, help="take ganlib from this checkout")
    parser.add_argument(
        "--before-path", type=Path, help="a checkout that is one more rival: the commit before"
    )
    parser.add_argument("--out", type=Path, help="write the table here")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


# ------------------------------------------------------------------------------------------------ the parent


class Worker:
    """A rival in a process of its own: it warms up, says who it is, and then trains when asked.

    Args:
        rival: "ganlib", or one of PEERS.
        system: One of SYSTEMS.
        folder: Where ganlib's worker leaves images and weights for those of PyTorch.
        python: Its interpreter.
        environment: What its environment has besides the parent's.
    """

    def __init__(self, rival: str, system: str, folder: str, python: str, environment: dict[str, str]):
        self.process = subprocess.Popen(
            [python, __file__, "--worker", rival, system, folder],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = self._answer()

    def rate(self, steps: int) -> float:
        """Images/s of so many steps."""
        time.sleep(0.5)  # threads of the one before go on spinning for a while
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return self._answer()["images_per_second"]

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"a worker stopped with code {self.process.wait()}: {' '.join(self.process.args[2:])}")
        return json.loads(line)


def measure(system: str, arguments: argparse.Namespace) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Images/s of every rival in every round, and the versions of what ran."""
    title, steps = SYSTEMS[system]
    steps = arguments.steps or steps
    with tempfile.TemporaryDirectory() as folder:
        workers: dict[str, Worker] = {}
        try:
            start(workers, system, folder, arguments)
            rates: dict[str, list[float]] = {name: [] for name in workers}
            for round_ in range(arguments.pairs):
                for name in list(workers)[:: 1 if round_ % 2 == 0 else -1]:
                    rates[name].append(workers[name].rate(steps))
                found = ", ".join(f"{name} {values[-1]:.0f}" for name, values in rates.items())
                print(f"{title}, round {round_ + 1}, images/s: {found}", flush=True)
        finally:
            for worker in workers.values():
                worker.close()
    versions = {k: v for worker in workers.values() for k, v in worker.about["versions"].items()}
    return rates, versions


def start(workers: dict[str, Worker], system: str, folder: str, arguments: argparse.Namespace) -> None:
    """Start the rivals of a system one after the other, check that they are the same, and put them in `workers`."""
    threads = {
        name: str(arguments.threads)
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    }
    paths = {"ganlib": arguments.ganlib_path, CONTROL: arguments.ganlib_path}
    if arguments.before_path:
        paths[BEFORE] = arguments.before_path
    rivals = [*paths, *PEERS]
    for rival in rivals:
        path = paths.get(rival)
        environment = threads if path is None else {**threads, "PYTHONPATH": str(path.resolve())}
        python = sys.executable if rival in paths else arguments.peer_python
        worker = Worker("ganlib" if rival in paths else rival, system, folder, python, environment)
        workers[rival] = worker
        if "skipped" in worker.about:
            print(f"{rival} is skipped for {system}: {worker.about['skipped']}")
            workers.pop(rival).close()
            continue
        ours = workers["ganlib"].about
        for key in ("parameters", "batch"):
            if worker.about[key] != ours[key]:
                sys.exit(f"{system}: {key} are {ours[key]} in ganlib and {worker.about[key]} in {rival}")
        if path and not Path(worker.about["source"]).is_relative_to(path.resolve()):
            sys.exit(f"{rival} came from {worker.about['source']}: {path} holds no folder ganlib")
        different = difference(ours["example"], worker.about["example"])
        if different > TOLERANCE:
            sys.exit(f"{system}: losses or gradients of {rival} differ from ganlib's by {different:.1e}")
        print(
            f"{rival}: {worker.about['parameters']}, losses and gradients differ by {different:.0e}",
            flush=True,
        )


def difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The largest relative difference."""
    return max(abs(a - b) / max(abs(a), abs(b)) for a, b in zip(ours, theirs, strict=True))


def lines(system: str, rates: dict[str, list[float]]) -> list[str]:
    """The table's rows of a system."""
    rows = []
    for rival in sorted(set(rates) - {"ganlib"}, key=ROWS.index):
        theirs = rates[rival]
        ratios = sorted(a / b for a, b in zip(rates["ganlib"], theirs, strict=True))
        rows.append(
            f"| {SYSTEMS[system][0]} | {rival} | {statistics.median(rates['ganlib']):.0f} "
            f"| {statistics.median(theirs):.0f} | **{statistics.median(ratios):.2f}** "
            f"| {ratios[0]:.2f} to {ratios[-1]:.2f} |"
        )
    return rows


# ----------------------------------------------------------------------------------------------- the workers


def serve(rival: str, system: str, folder: str) -> None:
    """Be `rival`: one line of JSON about oneself, then one for each number of steps read."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    about, run = (ganlib_worker if rival == "ganlib" else torch_worker)(rival, system, Path(folder))
    answer(about)
    for line in sys.stdin:
        start = time.perf_counter()
        run(int(line))
        seconds = time.perf_counter() - start
        answer({"images_per_second": int(line) * about["batch"] / seconds})


def ganlib_worker(rival: str, preset: str, folder: Path) -> tuple[dict[str, Any], Callable[[int], None]]:
    """`fit` as users call it, warmed up; the first one leaves images and weights in `folder`."""
    import numpy as np

    import ganlib

    gan = ganlib.models.DCGAN.from_preset(preset)  # which imports TensorFlow without its chatter

    import keras
    import tensorflow as tf

    networks = gan.players()
    data = ganlib.data.load("fashion_mnist", resolution=networks["generator"].output_shape[1])
    images = data.to_numpy()
    latents = np.random.default_rng(0).standard_normal(
        (gan.batch_size, networks["generator"].input_shape[1]), np.float32
    )
    if not (folder / "images.npy").exists():
        np.save(folder / "images.npy", images)
        np.save(folder / "latents.npy", latents)
        for player, network in networks.items():
            np.savez(folder / f"{player}.npz", *[v.numpy() for v in network.trainable_variables])
    with tf.GradientTape(persistent=True) as tape:
        fake = networks["generator"](latents, training=True)
        real_logits, fake_logits = (
            networks["discriminator"](x, training=preset != "cmu_28")
            for x in (images[: gan.batch_size], fake)
        )
        losses = {"generator": tf.reduce_mean(tf.math.softplus(-fake_logits))}
        losses["discriminator"] = tf.reduce_mean(
            tf.math.softplus(-real_logits) + tf.math.softplus(fake_logits)
        )
    example = [float(loss) for loss in losses.values()]
    for player, loss in losses.items():
        example += [float(tf.norm(g)) for g in tape.gradient(loss, networks[player].trainable_variables)]
    gan.compile()
    batches = data.batch(gan.batch_size)
    gan.fit(batches, steps_per_epoch=3, verbose=0)
    about = {
        "batch": gan.batch_size,
        "parameters": {
            player: sum(math.prod(v.shape) for v in network.trainable_variables)
            for player, network in networks.items()
        },
        "example": example,
        "source": str(Path(ganlib.__file__).resolve()),
        "versions": {"TensorFlow": tf.__version__, "Keras": keras.__version__},
    }
    return about, lambda steps: gan.fit(batches, steps_per_epoch=steps, verbose=0)


def torch_worker(rival: str, preset: str, folder: Path) -> tuple[dict[str, Any], Callable[[int], None]]:
    """A loop as one writes it in PyTorch, with its means for speed, warmed up."""
    import numpy as np
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    networks = lecture_networks() if preset == "cmu_28" else dcgan_networks()
    for player, network in networks.items():
        load(network, list(np.load(folder / f"{player}.npz").values()), 7 if preset == "cmu_28" else 4)
        if rival != EAGER:
            network.to(memory_format=torch.channels_last)
    layout = torch.contiguous_format if rival == EAGER else torch.channels_last
    images = np.load(folder / "images.npy")[:, ::-1, ::-1].transpose(0, 3, 1, 2)
    images = torch.from_numpy(images.copy()).contiguous(memory_format=layout)
    latents = torch.from_numpy(np.load(folder / "latents.npy"))
    batch = len(latents)
    networks["discriminator"].train(preset != "cmu_28")
    example = losses_and_norms(networks, images[:batch], latents)
    networks["discriminator"].train()
    game = simultaneous if preset == "cmu_28" else alternating
    step = game(networks, *latents.shape, by_inductor if rival == COMPILED else lambda function: function)
    about = {
        "batch": batch,
        "parameters": {
            player: sum(p.numel() for p in network.parameters()) for player, network in networks.items()
        },
        "example": example,
        "versions": {"PyTorch": torch.__version__},
    }

    def run(steps: int) -> None:
        order = torch.randperm(len(images)).repeat(-(-steps * batch // len(images)))
        for i in range(steps):
            losses = step(images[order[i * batch : (i + 1) * batch]])
        if not all(map(torch.isfinite, losses)):
            raise FloatingPointError(f"{rival}: losses are {losses}")

    try:
        run(3)
    except Exception as error:  # a compiler that is missing shows in many ways
        if rival != COMPILED:
            raise
        about["skipped"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return about, run


def dcgan_networks() -> dict[str, Any]:
    """The two networks of DCGAN's preset `laptop`."""
    from torch import nn

    def up(inputs: int, outputs: int) -> nn.Module:
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)

    def down(inputs: int, outputs: int) -> nn.Module:
        return nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)

    generator = [nn.Linear(64, 4 * 4 * 128, bias=False), nn.Unflatten(1, (128, 4, 4)), norm(128), nn.ReLU()]
    generator += [up(128, 64), norm(64), nn.ReLU(), up(64, 32), norm(32), nn.ReLU(), up(32, 1), nn.Tanh()]
    discriminator = [down(1, 32), nn.LeakyReLU(0.2), down(32, 64), norm(64), nn.LeakyReLU(0.2)]
    discriminator += [down(64, 128), norm(128), nn.LeakyReLU(0.2), nn.Flatten()]
    discriminator += [nn.Linear(4 * 4 * 128, 1, bias=False)]
    return {"generator": nn.Sequential(*generator), "discriminator": nn.Sequential(*discriminator)}


def lecture_networks() -> dict[str, Any]:
    """The two networks of the lecture's pair."""
    from torch import nn

    def up(inputs: int, outputs: int, stride: int) -> nn.Module:
        return nn.ConvTranspose2d(inputs, outputs, 5, stride, 2, output_padding=stride - 1, bias=False)

    def norm(channels: int, kind: type = nn.BatchNorm2d) -> nn.Module:
        return kind(channels, eps=1e-3, momentum=0.01)

    generator = [
        nn.Linear(100, 7 * 7 * 256, bias=False),
        norm(7 * 7 * 256, nn.BatchNorm1d),
        nn.LeakyReLU(0.3),
    ]
    generator += [nn.Unflatten(1, (256, 7, 7)), up(256, 128, 1), norm(128), nn.LeakyReLU(0.3)]
    generator += [up(128, 64, 2), norm(64), nn.LeakyReLU(0.3), up(64, 1, 2), nn.Tanh()]
    discriminator = [nn.Conv2d(1, 64, 5, 2, 2), nn.LeakyReLU(0.3), nn.Dropout(0.3)]
    discriminator += [nn.Conv2d(64, 128, 5, 2, 2), nn.LeakyReLU(0.3), nn.Dropout(0.3)]
    discriminator += [nn.Flatten(), nn.Linear(7 * 7 * 128, 1)]
    return {"generator": nn.Sequential(*generator), "discriminator": nn.Sequential(*discriminator)}


def load(network: Any, arrays: Sequence[Any], side: int) -> None:
    """Give a network Keras' weights, mirrored: then it makes, or judges, mirrored images.

    Args:
        network: Layers with the parameters of ganlib's network, in the same order.
        arrays: The trainable variables of that.
        side: Height and width of the smallest features, those that are flattened.
    """
    import numpy as np
    import torch
    from torch import nn

    # (height, width, channels) of the flat features, in the order of (channels, height, width), mirrored
    linear = next(layer for layer in network if isinstance(layer, nn.Linear))
    flat = max(linear.weight.shape)
    order = np.arange(flat).reshape(side, side, -1)[::-1, ::-1].transpose(2, 0, 1).ravel()
    for parameter, array in zip(network.parameters(), arrays, strict=True):
        if array.ndim == 4:
            array = array[::-1, ::-1].transpose(3, 2, 0, 1)
        else:
            for axis, size in enumerate(array.shape):
                array = array.take(order, axis) if size == flat else array
            array = array.T
        if array.shape != tuple(parameter.shape):
            raise ValueError(f"a variable is {array.shape} in ganlib and {tuple(parameter.shape)} in PyTorch")
        parameter.data = torch.from_numpy(np.ascontiguousarray(array))


def losses_and_norms(networks: dict[str, Any], images: Any, latents: Any) -> list[float]:
    """Both losses, and the norm of every variable's gradient, from one forward pass."""
    import torch
    from torch.nn.functional import softplus

    fake_logits = networks["discriminator"](networks["generator"](latents))
    real_logits = networks["discriminator"](images)
    losses = {"generator": softplus(-fake_logits).mean()}
    losses["discriminator"] = (softplus(-real_logits) + softplus(fake_logits)).mean()
    example = [float(loss.detach()) for loss in losses.values()]
    for player, loss in losses.items():
        gradients = torch.autograd.grad(loss, list(networks[player].parameters()), retain_graph=True)
        example += [float(g.norm()) for g in gradients]
    return example


def alternating(networks: dict[str, Any], batch: int, latent_dim: int, compiled: Callable) -> Callable:
    """DCGAN's step: D on fresh latents, G on others, and the average of G."""
    import torch
    from torch.nn.functional import softplus
    from torch.optim.swa_utils import get_ema_multi_avg_fn

    generator, discriminator = networks["generator"], networks["discriminator"]
    move_generator = mover(generator, lr=2e-4, betas=(0.5, 0.999), eps=1e-8)
    move_discriminator = mover(discriminator, lr=2e-4, betas=(0.5, 0.999), eps=1e-8)
    # all variables but the numbers of batches that batch norm counts
    values = [v for v in generator.state_dict().values() if v.is_floating_point()]
    averages = [v.clone() for v in values]
    move_averages = get_ema_multi_avg_fn(0.995)

    @compiled
    def discriminator_gradients(real, latents):
        with torch.no_grad():
            fake = generator(latents)
        real_logits, fake_logits = discriminator(real), discriminator(fake)
        real_loss, fake_loss = softplus(-real_logits).mean(), softplus(fake_logits).mean()
        gradients = torch.autograd.grad(real_loss + fake_loss, list(discriminator.parameters()))
        logs = real_loss, fake_loss, real_logits.mean(), fake_logits.mean()
        return [log.detach() for log in logs], gradients

    @compiled
    def generator_gradients(latents):
        loss = softplus(-discriminator(generator(latents))).mean()
        return loss.detach(), torch.autograd.grad(loss, list(generator.parameters()))

    def step(real):
        track_statistics(generator, False)
        logs, gradients = discriminator_gradients(real, torch.randn(batch, latent_dim))
        track_statistics(generator, True)
        move_discriminator(gradients)
        track_statistics(discriminator, False)
        loss, gradients = generator_gradients(torch.randn(batch, latent_dim))
        track_statistics(discriminator, True)
        move_generator(gradients)
        with torch.no_grad():
            move_averages(averages, values, None)
        return [*logs, loss]

    return step


def simultaneous(networks: dict[str, Any], batch: int, latent_dim: int, compiled: Callable) -> Callable:
    """The tutorial's step: both gradients from one forward pass, before either network moves."""
    import torch
    from torch.nn.functional import softplus

    generator, discriminator = networks["generator"], networks["discriminator"]
    move_generator = mover(generator, lr=1e-4, eps=1e-7)
    move_discriminator = mover(discriminator, lr=1e-4, eps=1e-7)

    @compiled
    def both_gradients(real, latents):
        fake = generator(latents)
        real_logits, fake_logits = discriminator(real), discriminator(fake)
        loss = softplus(-fake_logits).mean()
        real_loss, fake_loss = softplus(-real_logits).mean(), softplus(fake_logits).mean()
        gradients = torch.autograd.grad(loss, list(generator.parameters()), retain_graph=True)
        others = torch.autograd.grad(real_loss + fake_loss, list(discriminator.parameters()))
        logs = real_loss, fake_loss, real_logits.mean(), fake_logits.mean(), loss
        return [log.detach() for log in logs], gradients, others

    def step(real):
        logs, gradients, others = both_gradients(real, torch.randn(batch, latent_dim))
        move_generator(gradients)
        move_discriminator(others)
        return logs

    return step


def by_inductor(function: Callable) -> Callable:
    """The function compiled, the gradients in it too."""
    import torch

    with contextlib.suppress(AttributeError):  # since 2.13; before, the graph ends where gradients are taken
        torch._dynamo.config.trace_autograd_ops = True
    return torch.compile(function)


def mover(network: Any, **adam: Any) -> Callable:
    """A function that moves a network down the gradients that it is given, by the fused Adam."""
    import torch

    parameters = list(network.parameters())
    optimizer = torch.optim.Adam(parameters, fused=True, **adam)

    def move(gradients):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()

    return move


def track_statistics(network: Any, tracks: bool) -> None:
    """Whether batch norm, in training, moves its statistics; it uses the batch's either way."""
    for layer in network:
        if hasattr(layer, "track_running_stats"):
            layer.track_running_stats = tracks


if __name__ == "__main__":
    main()
