"""The latent whose image is most like a given one.

Karras et al. 2020, arXiv:1912.04958, appendix D, with the numbers of the official code's projector.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tqdm.auto

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.errors import InputError
from ganlib.latents.rows import floats


class Projection(NamedTuple):
    """What `project` found.

    Attributes:
        w: The best w, float32 (w_dim,).
        image: Its image, (height, width, channels).
        noise: The noise of each layer that belongs to it.
        distances: To the given image, after each step, (steps,).
    """

    w: np.ndarray
    image: np.ndarray
    noise: list[np.ndarray]
    distances: np.ndarray


def project(
    image: Any,
    synthesize: Callable[[Any], Any],
    samples: Any,
    distance: Callable[[Any, Any], Any],
    *,
    noise: Sequence[Any] = (),
    steps: int = 1000,
    learning_rate: float = 0.1,
    noise_weight: float = 1e5,
    seed: int = 0,
    progress: bool = True,
) -> Projection:
    """Find a w by gradient descent from the mean of w, and the noise with it.

    Adam; its rate rises over the first twentieth of the steps and falls by a cosine over the last quarter. Noise on w
    keeps the search wide at first: its deviation is 0.05 times that of w, times (1 - t / 0.75)^2 until three quarters
    of the steps (t is the share of steps done). Noise maps stay noise by a penalty on their correlations with
    themselves one pixel away, at every halving down to 8x8, and by being put to mean 0 and variance 1 after each step.

    Args:
        image: (height, width, channels) in [-1, 1].
        synthesize: TensorFlow w (1, w_dim) -> images (1, height, width, channels), differentiable.
        samples: w of many latents (m, w_dim): `gan.styles_of(z)[:, 0]`; the code's m is 10,000.
        distance: TensorFlow: two batches of images -> (1,), differentiable: LPIPS, or a squared distance of features.
        noise: Keras variables (height, width, 1) that `synthesize` reads its noise from; they are put back afterwards.
        steps: How many.
        learning_rate: The highest.
        noise_weight: Of the penalty.
        seed: Of the noise on w.
        progress: Show a bar.

    Raises:
        InputError: A shape is wrong, or an argument out of range.
    """
    import keras
    import tensorflow as tf

    image, samples = np.asarray(image, np.float32), floats("samples", samples).astype(np.float32)
    if image.ndim != 3 or samples.ndim != 2:
        raise InputError(
            f"an image of shape {image.shape} and samples of shape {samples.shape}: give (height, width, channels) and "
            "(m, w_dim)"
        )
    require_positive_integers(steps=steps)
    require_positive(example="0.1", learning_rate=learning_rate)
    target, mean = tf.constant(image[None]), samples.mean(axis=0)
    spread = math.sqrt(float(np.square(samples - mean).sum()) / len(samples))
    before = [each.numpy() for each in noise]
    w = keras.Variable(mean[None], name="w")
    variables = [w, *noise]
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    optimizer.build(variables)
    random = np.random.default_rng(seed)

    @tf.function
    def step(shake):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            apart = tf.reduce_sum(distance(target, synthesize(w.value + shake)))
            loss = apart + noise_weight * sum(correlation(each.value) for each in noise)
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        for each in noise:
            centered = each.value - tf.reduce_mean(each.value)
            each.assign(centered * tf.math.rsqrt(tf.reduce_mean(tf.square(centered))))
        return apart

    distances = []
    try:
        for i in tqdm.auto.trange(steps, disable=not progress, unit="step", dynamic_ncols=True):
            t = i / steps
            optimizer.learning_rate = learning_rate * ramp(t)
            shake = spread * 0.05 * max(0.0, 1.0 - t / 0.75) ** 2 * random.standard_normal(w.shape)
            distances.append(float(step(tf.constant(shake, tf.float32))))
        found = [each.numpy() for each in noise]
        return Projection(w.numpy()[0], synthesize(w.value).numpy()[0], found, np.array(distances))
    finally:
        for each, value in zip(noise, before, strict=True):
            each.assign(value)


def ramp(t: float) -> float:
    """Share of the learning rate when the share t of the steps is done: up over 0.05, down by a cosine over 0.25."""
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1.0 - t) / 0.25))
    return down * min(1.0, t / 0.05)


def correlation(noise: Any) -> Any:
    """How much a map of noise (height, width, 1) repeats itself one pixel away, at its size and at every half to 8x8.

    The sum of the squared means of n(y, x) n(y, x + 1) and of n(y, x) n(y + 1, x), edges joined.
    """
    import tensorflow as tf

    total, maps = 0.0, noise[None] if noise.shape.rank == 3 else noise
    while True:
        for axis in (1, 2):
            total += tf.square(tf.reduce_mean(maps * tf.roll(maps, 1, axis)))
        if maps.shape[1] <= 8:
            return total
        maps = tf.nn.avg_pool2d(maps, 2, 2, "VALID")
