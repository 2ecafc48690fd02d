"""One step beside another: rounds that take turns, peaks of the same rounds, the authors' code in its own process.

What stylegan2.py and biggan.py share. Rounds are interleaved, each in the opposite order of the one before; a ratio is
of one round, and the median of the rounds is reported with the least and the largest.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SIDE = 1536  # of the matrices whose product is the peak


def add(path: Path, name: str, found: dict[str, Any]) -> None:
    """Put one measurement among the results in a file."""
    print(json.dumps(found, indent=1))
    results = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(results | {name: found}, indent=1) + "\n")


def interleaved(rivals: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of all rivals in each round."""
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for round_ in range(rounds):
        for name in list(rivals)[:: 1 if round_ % 2 == 0 else -1]:
            time.sleep(0.5)  # threads of the one before go on spinning for a while
            times[name].append(rivals[name]())
        print(
            f"round {round_ + 1}, ms: " + ", ".join(f"{k} {v[-1]:.1f}" for k, v in times.items()), flush=True
        )
    return times


def ratio(times: dict[str, list[float]], name: str, other: str) -> list[float]:
    """Of the times of two rivals, round by round."""
    return spread([a / b for a, b in zip(times[name], times[other], strict=True)])


def medians(times: dict[str, list[float]]) -> dict[str, float]:
    """Milliseconds of each rival."""
    return {name: round(statistics.median(values), 2) for name, values in times.items()}


def shares(work: float, times: list[float], peak_work: float, peak_times: list[float]) -> list[float]:
    """Of the peak's rate, round by round."""
    return spread([work / a / (peak_work / b) for a, b in zip(times, peak_times, strict=True)])


def rates(work: float, times: list[float]) -> float:
    """Median GFLOP/s."""
    return round(statistics.median(work / ms / 1e6 for ms in times), 1)


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
    if gan.classes is not None:
        images = (images, tf.range(512) % gan.classes.num_classes)
    data = tf.data.Dataset.from_tensor_slices(images).repeat().batch(gan.batch_size)
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
    if gan.classes is not None:
        batch = (batch, tf.zeros((gan.batch_size,), tf.int32))

    def step():
        return gan.play([batch] * gan.n_critic)

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


class Official:
    """The authors' code in a process of its own, which measures `milliseconds` when it is asked to.

    It is started as `script --worker FOLDER --official CHECKOUT`, leaves in the folder what is compared (weights,
    images, logits, counts), and then calls `answer`.

    Args:
        script: That has the worker.
        arguments: Of the command line: official, peer_python.
        folder: For what is compared.
    """

    def __init__(self, script: str, arguments: argparse.Namespace, folder: Path):
        command = [arguments.peer_python, script, "--worker", folder, "--official", arguments.official]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()
        self.process.send_signal(signal.SIGSTOP)  # its idle threads take time, too

    def milliseconds(self) -> float:
        """Of a step."""
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


def require_same(gan: Any, folder: Path, seen: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> None:
    """Stop unless the model and what the worker left in the folder are the same networks.

    Args:
        gan: Gets the worker's weights.
        folder: With counts.json, weights.npz (names begin with "G." and "D.") and example.npz.
        seen: (model, the example) -> name -> what the model makes of it, as the example has it under that name.
    """
    import numpy as np

    import ganlib

    theirs, arrays = dict(np.load(folder / "example.npz")), dict(np.load(folder / "weights.npz"))
    numbers = json.loads(folder.joinpath("counts.json").read_text())
    if counts(gan) != numbers:
        sys.exit(f"parameters: {counts(gan)} here, {numbers} there")
    for player, prefix in (("generator", "G."), ("discriminator", "D.")):
        ganlib.convert.load(gan.players()[player], arrays, prefix)
    for name, ours in seen(gan, theirs).items():
        different = np.abs(ours - theirs[name]).max() / np.abs(theirs[name]).max()
        print(f"{name} differ by {different:.1e} of the largest", flush=True)
        if different > 1e-4:
            sys.exit(f"{name} of the authors' weights are not the same here")


def own_output() -> Any:
    """The worker's way to answer; what libraries print goes to stderr from now on, and is not taken for an answer."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def answer(step: Callable[[], Any], answers: Any) -> None:
    """Be the worker: milliseconds of a step for each line that comes in."""
    step()
    while True:
        answers.write(f"{clocked(step, 1)}\n")
        answers.flush()
        if not sys.stdin.readline():
            return
