"""46 faults in models, losses, penalties, augmentations and metrics: does a test turn red? Not part of `make test`.

    python tests/mutate.py               each fault by itself: caught or missed, and by which test
    python tests/mutate.py 3 17          these alone
    python tests/mutate.py --sound       the same tests without a fault: all must be green

One at a time a fault is put into a copy of the checkout, and the tests that should see it run there, until one fails.
TensorFlow is imported once, before any of ganlib, and each run is a fork of that process. The quick ones come first.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 1800  # seconds for the tests of a fault, on a busy machine


class Fault(NamedTuple):
    """A change of one place in a file of ganlib/, and the tests that should fail: a file, and words of -k."""

    file: str
    old: str
    new: str
    tests: str
    words: str = ""


FAULTS = [
    # ------------------------------------------------------------------------------------------ metrics, latents
    Fault(
        "metrics/frechet.py",
        "(self.count * count / total)",
        "(count / total)",
        "test_metrics_features.py",
        "frechet or statistics",
    ),
    Fault(
        "metrics/kernel.py",
        "/ (m * (m - 1))",
        "/ (m * m)",
        "test_metrics_features.py",
        "kernel",
    ),
    Fault(
        "metrics/manifold.py",
        "distances < limit if strict else distances <= limit",
        "distances <= limit",
        "test_metrics_features.py",
        "manifolds or balls",
    ),
    Fault(
        "metrics/manifold.py",
        "inside / (density_k * len(fake))",
        "inside / (density_k * len(real))",
        "test_metrics_features.py",
        "manifolds or balls",
    ),
    Fault(
        "metrics/prd.py",
        "np.linspace(_EPSILON, np.pi / 2 - _EPSILON, angles)",
        "np.linspace(_EPSILON, np.pi / 2 - _EPSILON, angles + 1)[:-1]",
        "test_metrics_features.py",
        "prd",
    ),
    Fault(
        "metrics/ms_ssim.py", "_DEVIATION = 11, 1.5", "_DEVIATION = 11, 1.6", "test_metrics_images.py", "ssim"
    ),
    Fault(
        "metrics/ms_ssim.py",
        "images.shape[axis] - (len(taps) - 1 - left)",
        "images.shape[axis] - (len(taps) - left)",
        "test_metrics_images.py",
        "ssim",
    ),
    Fault(
        "metrics/sliced_wasserstein.py",
        "_filtered(spread, 2 * _BINOMIAL)",
        "_filtered(spread, _BINOMIAL)",
        "test_metrics_images.py",
        "pyramid or protocol",
    ),
    Fault(
        "metrics/by_class.py",
        "(real_labels, real_found))",
        "(real_found, real_labels))",
        "test_by_class.py",
    ),
    Fault(
        "metrics/linear_probe.py",
        "C=1.0 / (weight_decay * len(rows))",
        "C=1.0 / weight_decay",
        "test_linear_probe.py",
    ),
    Fault(
        "latents/smoothness.py",
        "np.float64).reshape(-1) / epsilon**2",
        "np.float64).reshape(-1) / epsilon",
        "test_latents.py",
        "path_length",
    ),
    # ------------------------------------------------------------------------------------------ losses, penalties
    Fault("losses.py", "tf.nn.relu(1.0 + fake_logits)", "tf.nn.relu(fake_logits)", "test_losses.py"),
    Fault(
        "losses.py",
        "self.drift * tf.reduce_mean(tf.square(real_logits))",
        "self.drift * tf.square(tf.reduce_mean(real_logits))",
        "test_losses.py",
    ),
    Fault(
        "penalties.py",
        "self.weight / self.target**2",
        "self.weight / self.target",
        "test_penalties.py",
    ),
    Fault("penalties.py", "return self.gamma / 2", "return self.gamma", "test_penalties.py"),
    Fault(
        "penalties.py",
        'streams.uniform("noise", [n, *real.shape[1:]])',
        'streams.normal("noise", [n, *real.shape[1:]])',
        "test_penalties.py",
        "dragan",
    ),
    Fault(
        "penalties.py",
        "return 0.5 * self.weight * tf.add_n(squares)",
        "return self.weight * tf.add_n(squares)",
        "test_biggan_parts.py",
        "term or tables or gradient",
    ),
    Fault(
        "adversarial.py",
        "return trick.every * term,",
        "return term,",
        "test_engine.py",
        "lazy_terms or lazy_rows",
    ),
    # ------------------------------------------------------------------------------------------ augmentations
    Fault(
        "augment/ada.py",
        "/ (1000.0 * self.kimg)",
        "/ (1024.0 * self.kimg)",
        "test_augment.py",
        "signs or patches",
    ),
    Fault(
        "augment/ada.py",
        "(gan.step_counter + 1) % self.interval == 0",
        "gan.step_counter % self.interval == 0",
        "test_augment.py",
        "signs or p_moves",
    ),
    Fault(
        "augment/pipeline.py",
        'tf.floor(4.0 * number["rotate90"])',
        'tf.floor(3.0 * number["rotate90"])',
        "test_augment.py",
        "official or often or blitting",
    ),
    Fault(
        "augment/pipeline.py",
        "probability = 1.0 - tf.sqrt(tf.clip_by_value(1.0 - probability, 0.0, 1.0))",
        "probability = 0.5 * probability",
        "test_augment.py",
        "official or often",
    ),
    Fault(
        "augment/diffaugment.py",
        "tf.floor(u * (last - first + 1))",
        "tf.floor(u * (last - first))",
        "test_augment.py",
        "authors or policy",
    ),
    # ------------------------------------------------------------------------------------------ growth, styles
    Fault(
        "growth.py",
        "- begin, tf.float32) / self._plan.fade_images",
        "- begin, tf.float32) / self._plan.stable_images",
        "test_pggan.py",
        "fades or stage",
    ),
    Fault(
        "growth.py",
        "self.discriminator.faded(nearest_up(box_down(images)), images, stage.level)",
        "self.discriminator.faded(images, images, stage.level)",
        "test_pggan.py",
        "fade",
    ),
    Fault(
        "models/pggan.py",
        "16 * widths[0], ROOT2 / 4",
        "16 * widths[0], ROOT2 / 2",
        "test_pggan.py",
        "official",
    ),
    Fault("models/pggan.py", '"beta_2": 0.99,', '"beta_2": 0.999,', "test_recipes.py", "pggan"),
    Fault("styled.py", "_AVERAGE_SHARE = 0.005", "_AVERAGE_SHARE = 0.002", "test_stylegan.py", "mean_of_w"),
    Fault(
        "styled.py",
        "tf.floor(where * (layers_in_use - 1))",
        "tf.floor(where * (layers_in_use - 2))",
        "test_stylegan.py",
        "mixing",
    ),
    Fault(
        "models/stylegan.py",
        "1e-8) * (scale + 1.0) + offset",
        "1e-8) * scale + offset",
        "test_stylegan.py",
        "official",
    ),
    Fault(
        "styled.py",
        "else labels[::2][:n])",
        "else labels[:n])",
        "test_stylegan2.py",
        "path_length or classes or two_replicas",
    ),
    Fault(
        "models/stylegan2.py",
        "half_life = tf.minimum(float(self.ema_images)",
        "half_life = tf.maximum(float(self.ema_images)",
        "test_stylegan2.py",
        "half_life",
    ),
    Fault(
        "optimizers.py",
        "c = every / (every + 1)\n",
        "c = (every - 1) / every\n",
        "test_engine.py",
        "lazy_adam",
    ),
    # ------------------------------------------------------------------------------------------ BigGAN, BigBiGAN, LOGAN
    Fault(
        "models/biggan.py",
        "i * (n // parts) + min(i, n % parts)",
        "i * (n // parts) + max(0, i - parts + n % parts)",
        "test_biggan.py",
        "attention or whole or part_of_z",
    ),
    Fault(
        "layers/batch_normalization.py",
        "variance * (count - 1.0) / count, count",
        "variance, count",
        "test_biggan_parts.py",
        "unbiased or standing",
    ),
    Fault(
        "standing.py",
        "self.sample_latents(passes * n, truncation, seed=_SEED)",
        "self.sample_latents(passes * n, None, seed=_SEED)",
        "test_biggan_parts.py",
        "standing",
    ),
    Fault(
        "models/bigbigan.py",
        "self._pairs(real, self.frozen(self.generator), self.frozen(self.encoder))",
        "self._pairs(real, self.frozen(self.generator), functools.partial(self.encoder, training=True))",
        "test_registry.py",
        "row_touches and bigbigan",
    ),
    Fault(
        "models/bigbigan.py",
        "perceptron(z, units, 4,",
        "perceptron(z, units, 3,",
        "test_bigbigan.py",
        "counts",
    ),
    Fault(
        "tricks.py",
        "self.damping + tf.reduce_sum(tf.square(gradient), axis=-1, keepdims=True)",
        "self.damping + tf.reduce_sum(tf.square(gradient))",
        "test_logan.py",
        "linear_pair or bound or flow",
    ),
    Fault("models/logan.py", '"faster": 4,', '"faster": 2,', "test_logan.py", "leaky"),
    # ------------------------------------------------------------------------------------------ days 1 to 3
    Fault(
        "models/cyclegan.py",
        "weight = self.cycle_weight * self.identity_weight",
        "weight = self.identity_weight",
        "test_cyclegan.py",
        "by_hand",
    ),
    Fault(
        "models/cyclegan.py",
        "= 2.0 * term  #",
        "= 1.0 * term  #",
        "test_cyclegan.py",
        "by_hand",
    ),
    Fault(
        "models/stacked_gan.py",
        "return [2.0 * self.entropy_weight * term]",
        "return [self.entropy_weight * term]",
        "test_stacked_gan.py",
        "losses_of_constant_heads or entropy",
    ),
    Fault(
        "models/unrolled_gan.py",
        "/ (1.0 - beta_1**t)",
        "/ (1.0 - beta_1)",
        "test_unrolled_gan.py",
        "steps_ahead",
    ),
    Fault(
        "models/acgan.py",
        '"fake_class_loss": class_loss(fake_outputs[1], labels),',
        '"fake_class_loss": 0.0 * class_loss(fake_outputs[1], labels),',
        "test_acgan.py",
        "by_hand or heads",
    ),
    Fault(
        "tricks.py",
        "tf.clip_by_value(v, -self.limit, self.limit)",
        "tf.clip_by_value(v, -self.limit, 2 * self.limit)",
        "test_tricks.py",
        "clip",
    ),
]


def main(arguments: list[str]) -> int:
    """Check faults, and print a row for each; 0 if all were caught (or with --sound all were green)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", type=int, help="of faults, from 1; none: all")
    parser.add_argument("--sound", action="store_true", help="run the tests without the faults")
    options = parser.parse_args(arguments)
    numbers = options.numbers or range(1, len(FAULTS) + 1)
    import_what_all_need()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        leave = shutil.ignore_patterns(".git", ".venv", "runs", "notebooks", "benchmarks")
        shutil.copytree(ROOT, copy, ignore=leave)
        verdicts = [checked(number, FAULTS[number - 1], copy, options.sound) for number in numbers]
    wanted = "green" if options.sound else "caught"
    print(f"{verdicts.count(wanted)} of {len(verdicts)} {wanted}")
    return int(verdicts.count(wanted) < len(verdicts))


def checked(number: int, fault: Fault, copy: Path, sound: bool) -> str:
    """The verdict on a fault: "caught" or "missed" ("green" or "red" without it), or "broken"; printed with details."""
    path, start = copy / "ganlib" / fault.file, time.monotonic()
    text, times = path.read_text(encoding="utf-8"), path.stat()
    if text.count(fault.old) != 1:
        verdict, why = "broken", f"{text.count(fault.old)} places have {fault.old!r}"
    else:
        if not sound:
            path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
        status, output = run_tests(copy, fault)
        names = {0: "missed", 1: "caught"} if not sound else {0: "green", 1: "red"}
        verdict = names.get(status, "broken")
        lines = re.findall(r"^(?:FAILED|ERROR) tests/(.*)$", output, re.MULTILINE)
        why = lines[0][:150] if lines else output.strip().splitlines()[-1:] if verdict == "broken" else ""
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    seconds = time.monotonic() - start
    change = fault.old if sound else f"{fault.old} -> {fault.new}"
    print(
        f"{number:2} {verdict:6} {seconds:5.0f} s  {fault.file}: {change}\n      {fault.tests} {why}",
        flush=True,
    )
    return verdict


def run_tests(copy: Path, fault: Fault) -> tuple[int, str]:
    """Pytest's exit status and output for a fault's tests, in a fork of this process: 9 after too long."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            status = 70
            try:
                os.setsid()
                for stream in (1, 2):
                    os.dup2(output.fileno(), stream)
                os.chdir(copy)
                sys.path[:0] = [str(copy), str(copy / "tests")]
                os.environ["PYTHONPATH"] = str(copy)
                sys.dont_write_bytecode = True
                import pytest

                words = ["-k", fault.words] if fault.words else []
                quiet = [
                    "-q",
                    "-x",
                    "--tb=line",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:nbval",
                    "-o",
                    "addopts=-m 'not long'",
                ]
                status = int(pytest.main([*quiet, f"tests/{fault.tests}", *words]))
            finally:
                sys.stdout.flush()
                os._exit(status)
        status = waited(child)
        output.seek(0)
        return status, output.read().decode("utf-8", "replace")


def waited(child: int) -> int:
    """The exit status of a process; it is killed with all that it started after LIMIT seconds, and 9 then."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 9


def import_what_all_need() -> None:
    """TensorFlow and Keras, without an operation: a fork of a process that has run one may hang."""
    os.environ.setdefault("GANLIB_BUDGET", "smoke")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import pytest
    import tensorflow

    del keras, pytest, tensorflow


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
