"""Train the classifier behind FID(fashion-cnn) on all 60,000 images: `python -m ganlib.zoo.train_fashion_cnn [FOLDER]`.

Adam with a cosine schedule, random horizontal flips, 6 epochs. FOLDER holds the four original idx .gz files; without it
they come from the Keras cache or the network. Writes the weights and their card beside this file.
"""

import os
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ganlib import data, weights
from ganlib.metrics.fashion_cnn import network

EPOCHS, BATCH = 6, 100


def main(folder: str | None = None) -> None:
    """Train, measure on the 10,000 test images, write weights and card."""
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    load = {"full": True, "labels": True, "shuffle": False, "repeat": False, "data_dir": folder}
    images, labels = data.load("fashion_mnist", split="train", **load).to_numpy()
    test_images, test_labels = data.load("fashion_mnist", split="test", **load).to_numpy()
    model = network()
    classifier = keras.Model(model.input, model.output["logits"])
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(images) // BATCH)
    classifier.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    flip = np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(EPOCHS):
        flipped = np.where(flip.random((len(images), 1, 1, 1)) < 0.5, images[:, :, ::-1], images)
        classifier.fit(flipped, labels, batch_size=BATCH, verbose=2)
    seconds = time.perf_counter() - start
    _, accuracy = classifier.evaluate(test_images, test_labels, batch_size=500, verbose=0)
    here = Path(__file__).parent
    beside = here / f".{os.getpid()}.weights.h5"
    model.save_weights(beside)
    weights.seal(beside)
    beside.replace(here / "fashion_cnn.weights.h5")
    card = f"""# fashion-cnn

The classifier whose 128 features FID(fashion-cnn) is measured on.

| | |
|---|---|
| made by | `python -m ganlib.zoo.train_fashion_cnn`: seed 0, {EPOCHS} epochs of {len(images):,} images |
| time | {seconds:.0f} s on two CPU cores that others used too |
| versions | tensorflow {tf.__version__}, keras {keras.__version__} |
| parameters | {model.count_params():,} |
| accuracy | {100 * accuracy:.2f}% on the {len(test_images):,} test images of Fashion-MNIST |
| not for | anything but 28x28 grey clothes; comparing with FIDs of other extractors |
"""
    (here / "fashion_cnn.md").write_text(card)
    print(card)


if __name__ == "__main__":
    main(*sys.argv[1:])
