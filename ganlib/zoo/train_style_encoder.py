"""Train the small encoder of style transfer: `python -m ganlib.zoo.train_style_encoder`.

From one network it tells hair and mouths of `faces`, kinds of `textures`, and `shapes`, all in one softmax (contents
and styles), and gives back each place's 4x4 pixels by a linear map (colours, which no label needs, and where things
are). Adam with a cosine schedule. Kept are the convolutions, scaled so that each one's mean output is 1, as float16.
Writes weights and card beside this file.
"""

import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ganlib import data
from ganlib.layers.vgg import normalise, vgg
from ganlib.models.adain import SMALL
from ganlib.zoo.train import write_weights

STEPS, BATCH, RESOLUTION = 2000, 24, 64
DATA = {"faces": {"labels": ("hair", "mouth")}, "textures": {"labels": True}, "shapes": {"labels": True}}
PATCH = 2 ** (len(SMALL[0]) - 1)  # pixels on a side that the deepest features have a place for


def batches(split: str) -> tuple[tf.data.Dataset, int]:
    """Thirds of faces, textures and shapes, with labels of their own and their pixels; and the number of labels."""
    parts, classes = [], 0
    for name, options in DATA.items():
        loaded = data.load(name, split=split, resolution=RESOLUTION, repeat=True, **options)
        parts.append(
            loaded.batch(BATCH // len(DATA)).map(lambda images, labels, n=classes: (images, labels + n))
        )
        classes += loaded.num_classes

    def joined(*them):
        images, labels = (tf.concat(each, 0) for each in zip(*them, strict=True))
        return images, {"kinds": labels, "pixels": tf.nn.space_to_depth(images, PATCH)}

    return tf.data.Dataset.zip(*parts).map(joined).prefetch(2), classes


def main() -> None:
    """Train, measure on test splits, write weights and card."""
    keras.utils.set_random_seed(0)
    train, classes = batches("train")
    encoder = vgg(*SMALL)
    deepest = encoder.output[-1]
    pooled = [
        pooling()(deepest)
        for pooling in (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)
    ]
    kinds = keras.layers.Dense(classes, name="kinds")(keras.layers.Concatenate()(pooled))
    pixels = keras.layers.Conv2D(3 * PATCH**2, 1, name="pixels")(deepest)
    model = keras.Model(encoder.input, {"kinds": kinds, "pixels": pixels})
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, STEPS)),
        {"kinds": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "pixels": "mse"},
        loss_weights={"kinds": 1.0, "pixels": 10.0},
        metrics={"kinds": "accuracy"},
        jit_compile=False,
    )
    start = time.perf_counter()
    model.fit(train, steps_per_epoch=STEPS // 10, epochs=10, verbose=2)
    seconds = time.perf_counter() - start
    found = model.evaluate(batches("test")[0], steps=80, verbose=0, return_dict=True)
    error = 127.5 * found["pixels_loss"] ** 0.5
    normalise(encoder, np.concatenate([images for images, _ in train.take(8).as_numpy_iterator()]))
    here = Path(__file__).parent
    write_weights(encoder, here / "style_encoder.weights.h5")
    card = f"""# style encoder

The encoder of `AdaINStyleTransfer`'s architecture "small".

| | |
|---|---|
| made by | `python -m ganlib.zoo.train_style_encoder`: seed 0, {STEPS:,} steps of {BATCH} images, 64x64 |
| time | {seconds:.0f} s on two CPU cores that others used too |
| versions | tensorflow {tf.__version__}, keras {keras.__version__} |
| parameters | {encoder.count_params():,}, as float16 |
| accuracy | {100 * found["kinds_accuracy"]:.1f}% of {classes} kinds of faces (hair and mouth), textures and shapes |
| pixels | given back by a linear map of the deepest features, but for {error:.1f} grey levels (root mean square) |
| measured on | {80 * BATCH:,} test images, with what the convolutions were trained with |
| data | ToonHead faces (Johan Melin, CC BY 4.0), ganlib's textures and shapes |
| not for | photographs: use architecture "vgg19" |
"""
    (here / "style_encoder.md").write_text(card)
    print(card)


if __name__ == "__main__":
    main()
