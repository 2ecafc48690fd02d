"""Images/s of `gan.fit`, beside Keras' default compile (XLA on) and beside a bare loop of the same arithmetic.

    python benchmarks/throughput.py

Interleaved pairs in one process, medians of 7, ratios with their spread. The bare loop is what one writes by hand:
a tf.function around two tapes and two optimisers on the same two networks, numbers from tf.random, no callbacks.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import ganlib

RESULTS = Path(__file__).parent / "results" / "throughput.json"
PAIRS = 7


def main() -> None:
    """Measure, print, and write benchmarks/results/throughput.json."""
    import keras
    import tensorflow as tf

    report = {"tensorflow": tf.__version__, "keras": keras.__version__, "cores": os.cpu_count()}
    report["machine"] = platform.machine()
    for preset, steps in (("cmu_28", 5), ("laptop", 25)):
        gan = ganlib.models.DCGAN.from_preset(preset)
        data = ganlib.data.load("fashion_mnist", resolution=gan.image_shape[0]).batch(gan.batch_size)
        rivals = {
            "fit": fit(preset, data, steps, jit_compile=False),
            "fit, XLA (Keras' default)": fit(preset, data, steps, jit_compile=True),
            "bare loop": (bare_simultaneous if preset == "cmu_28" else bare_alternating)(preset, data, steps),
        }
        seconds = {name: [] for name in rivals}
        for _ in range(PAIRS):
            for name, rival in rivals.items():
                start = time.perf_counter()
                rival()
                seconds[name].append(time.perf_counter() - start)
        rates = {name: steps * gan.batch_size / statistics.median(times) for name, times in seconds.items()}
        report[preset] = {"images_per_second": {name: round(rate) for name, rate in rates.items()}}
        print(f"{preset}, batch {gan.batch_size}:")
        for name, rate in rates.items():
            print(f"  {name:28s} {rate:6.0f} images/s")
        for name in list(rivals)[1:]:
            ratios = sorted(b / a for a, b in zip(seconds["fit"], seconds[name], strict=True))
            print(
                f"  fit is {statistics.median(ratios):.2f} times {name} (pairs {ratios[0]:.2f} to {ratios[-1]:.2f})"
            )
            report[preset][f"ratio to {name}"] = [
                round(r, 3) for r in (statistics.median(ratios), *ratios[:: PAIRS - 1])
            ]
    report["data"] = pipeline()
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


def fit(preset: str, data, steps: int, *, jit_compile: bool) -> Callable[[], None]:
    """Calls of `gan.fit`, warmed up."""
    gan = ganlib.models.DCGAN.from_preset(preset)
    gan.compile(jit_compile=jit_compile)
    gan.fit(data, steps_per_epoch=2, verbose=0)
    return lambda: gan.fit(data, steps_per_epoch=steps, verbose=0)


def bare_simultaneous(preset: str, data, steps: int) -> Callable[[], None]:
    """The tutorial's loop: both gradients from one batch of samples."""
    import tensorflow as tf

    gan, cross_entropy, g_optimizer, d_optimizer = parts(preset)

    @tf.function
    def step(images):
        noise = tf.random.normal([gan.batch_size, gan.latent_dim])
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = gan.generator(noise, training=True)
            real_output, fake_output = (
                gan.discriminator(images, training=True),
                gan.discriminator(fake, training=True),
            )
            g_loss = cross_entropy(tf.ones_like(fake_output), fake_output)
            d_loss = cross_entropy(tf.ones_like(real_output), real_output)
            d_loss += cross_entropy(tf.zeros_like(fake_output), fake_output)
        g_gradients = g_tape.gradient(g_loss, gan.generator.trainable_variables)
        d_gradients = d_tape.gradient(d_loss, gan.discriminator.trainable_variables)
        g_optimizer.apply(g_gradients, gan.generator.trainable_variables)
        d_optimizer.apply(d_gradients, gan.discriminator.trainable_variables)

    return loop(step, data, steps)


def bare_alternating(preset: str, data, steps: int) -> Callable[[], None]:
    """Algorithm 1 by hand, with an average of G as `fit` keeps one."""
    import tensorflow as tf

    gan, cross_entropy, g_optimizer, d_optimizer = parts(preset)

    @tf.function
    def step(images):
        fake = gan.generator(tf.random.normal([gan.batch_size, gan.latent_dim]), training=True)
        with tf.GradientTape() as tape:
            real_output, fake_output = (
                gan.discriminator(images, training=True),
                gan.discriminator(fake, training=True),
            )
            d_loss = cross_entropy(tf.ones_like(real_output), real_output)
            d_loss += cross_entropy(tf.zeros_like(fake_output), fake_output)
        d_optimizer.apply(
            tape.gradient(d_loss, gan.discriminator.trainable_variables),
            gan.discriminator.trainable_variables,
        )
        with tf.GradientTape() as tape:
            fake = gan.generator(tf.random.normal([gan.batch_size, gan.latent_dim]), training=True)
            fake_output = gan.discriminator(fake, training=True)
            g_loss = cross_entropy(tf.ones_like(fake_output), fake_output)
        g_optimizer.apply(
            tape.gradient(g_loss, gan.generator.trainable_variables), gan.generator.trainable_variables
        )
        for average, variable in zip(gan.ema_generator.weights, gan.generator.weights, strict=True):
            average.assign(gan.ema_decay * average + (1 - gan.ema_decay) * variable)

    return loop(step, data, steps)


def parts(preset: str):
    """The preset's networks, the cross-entropy of logits, and an optimiser for each player."""
    import keras

    gan = ganlib.models.DCGAN.from_preset(preset)
    optimizers = [keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)]
    for optimizer, network in zip(optimizers, gan.players().values(), strict=True):
        optimizer.build(network.trainable_variables)
    return gan, keras.losses.BinaryCrossentropy(from_logits=True), *optimizers


def loop(step: Callable, data, steps: int) -> Callable[[], None]:
    """`steps` calls of a compiled step on fresh batches, warmed up."""

    def run():
        for images in data.take(steps):
            step(images)

    for images in data.take(2):
        step(images)
    return run


def pipeline() -> dict[str, int]:
    """Elements/s of the data alone, in batches."""
    rates = {}
    sources = (
        ("fashion_mnist", 28, 256),
        ("fashion_mnist", 32, 64),
        ("gaussians_ring", None, 256),
        ("polygons", 32, 64),
        ("shapes", 32, 64),
    )
    for name, resolution, batch in sources:
        data = iter(ganlib.data.load(name, resolution=resolution).batch(batch))
        next(data)
        batches = 400 if name in ("fashion_mnist", "gaussians_ring") else 100
        start = time.perf_counter()
        for _ in range(batches):
            next(data)
        rates[f"{name}, batch {batch}"] = round(batches * batch / (time.perf_counter() - start))
        print(f"data: {name}, batch {batch}: {rates[f'{name}, batch {batch}']:,} a second")
    return rates


if __name__ == "__main__":
    main()
