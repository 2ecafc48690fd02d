"""Train the classifier behind faces-cnn on faces that are drawn on the way: `python -m ganlib.zoo.train_faces_cnn`.

Adam with a cosine schedule; the sum of the cross-entropies of all factors and of the Huber losses of the pose. Half of
the batches are 64x64, the others 128x128 and 32x32, resized as the extractor does it. Writes the weights and their card
beside this file.
"""

import os
import time
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ganlib import data, weights
from ganlib.data.faces import FACTORS, POSE
from ganlib.metrics.faces_cnn import SIDE, FacesCNN, network
from ganlib.metrics.resizer import Bilinear

BATCH, STEPS = 128, 2000
RESOLUTIONS = (64, 128, 64, 32)  # in turn
TESTED = 10_000
GOOD = 0.97


def main() -> None:
    """Train, measure on images of the test split, write weights and card."""
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    model = network()
    start = time.process_time()
    train(model)
    seconds = time.process_time() - start
    here = Path(__file__).parent
    beside = here / f".{os.getpid()}.weights.h5"
    model.save_weights(beside)
    weights.seal(beside)
    beside.replace(here / "faces_cnn.weights.h5")
    text = card(model.count_params(), seconds)
    (here / "faces_cnn.md").write_text(text)
    print(text)


def train(model: keras.Model, steps: int = STEPS) -> None:
    """Train `model`, a `network`, on `steps` batches of the train split."""
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))
    optimizer.build(model.trainable_variables)
    ends = np.array([*POSE.values()], np.float32).T
    sizes = [len(values) for values in FACTORS.values()]

    @tf.function
    def step(images, values, pose):
        with tf.GradientTape() as tape:
            found = model(images, training=True)
            parts = zip(tf.split(found["values"], sizes, axis=1), tf.unstack(values, axis=1), strict=True)
            losses = [
                tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(true, part))
                for part, true in parts
            ]
            loss = tf.add_n(losses) + len(POSE) * tf.reduce_mean(keras.losses.huber(pose, found["pose"], 0.2))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    resize = Bilinear(SIDE, antialias=True)
    sets = [data.load("faces", resolution=side, seed=i) for i, side in enumerate(RESOLUTIONS)]
    streams = [iter(faces.batch(BATCH)) for faces in sets]
    for i in range(steps):
        turn, which = divmod(i, len(sets))
        known = sets[which].details(BATCH, start=turn * BATCH)
        values = np.stack([known[name] for name in FACTORS], axis=1)
        pose = (np.stack([known[name] for name in POSE], axis=1) - ends[0]) / (ends[1] - ends[0]) * 2 - 1
        loss = step(tf.constant(resize(next(streams[which]).numpy())), values, pose)
        if i % 100 == 0:
            print(f"step {i}: loss {float(loss):.3f}", flush=True)


def measure(resolution: int, count: int = TESTED) -> tuple[dict[str, float], dict[str, Counter]]:
    """Of the weights in the package: share of right answers (of the pose: mean error) a factor, and the mistakes.

    Mistakes are counted by (true value, value that was read).
    """
    faces = data.load("faces", "test", resolution=resolution, size=count, shuffle=False, repeat=False)
    known, extractor = faces.details(count), FacesCNN()
    parts = [
        extractor.factors(images) for images in faces.batch(500, drop_remainder=False).as_numpy_iterator()
    ]
    read = {name: np.concatenate([part[name] for part in parts]) for name in known}
    scores = {name: float((read[name] == known[name]).mean()) for name in FACTORS}
    scores |= {name: float(np.abs(read[name] - known[name]).mean()) for name in POSE}
    mistakes = {}
    for name, values in FACTORS.items():
        wrong = np.flatnonzero(read[name] != known[name])
        mistakes[name] = Counter((values[known[name][i]], values[read[name][i]]) for i in wrong)
    return scores, mistakes


def card(parameters: int, seconds: float) -> str:
    """The model card, of the weights in the package."""
    scores = {side: measure(side)[0] for side in (64, 128, 32)}
    _, mistakes = measure(64)
    rows = "\n".join(
        f"| {name} | " + " | ".join(f"{100 * table[name]:.1f}%" for table in scores.values()) + " |"
        for name in FACTORS
    )
    errors = "\n".join(
        f"| {name} | " + " | ".join(f"{table[name]:.4f}" for table in scores.values()) + " |" for name in POSE
    )
    below = [name for name in FACTORS if scores[64][name] < GOOD]
    alike = "\n".join(f"- {name}: {_most(mistakes[name])}" for name in below) or "- none"
    return f"""# faces-cnn

The classifier of all factors of `faces`, whose 128 features FID(faces-cnn) is measured on, and which reads the factors
off images: `ganlib.metrics.read_factors(images)`.

| | |
|---|---|
| made by | `python -m ganlib.zoo.train_faces_cnn`: seed 0, {STEPS:,} batches of {BATCH} faces |
| time | {seconds / 60:.0f} min of one CPU core |
| versions | tensorflow {tf.__version__}, keras {keras.__version__} |
| parameters | {parameters:,} |
| not for | anything but faces of 32 pixels or more; comparing with FIDs of other extractors |

Accuracy on the first {TESTED:,} faces of the test split, and of the pose the mean error in its own units:

| factor | 64x64 | 128x128 | 32x32 |
|---|---|---|---|
{rows}
{errors}

Below {GOOD:.0%} at 64x64, with the commonest mistakes (true value, what was read, share of all faces):

{alike}
"""


def _most(mistakes: Counter, most: int = 4) -> str:
    found = [
        f"{true} read as {read} {100 * n / TESTED:.2g}%" for (true, read), n in mistakes.most_common(most)
    ]
    return ", ".join(found)


if __name__ == "__main__":
    main()
