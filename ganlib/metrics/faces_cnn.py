"""faces-cnn: a small classifier of all factors of `faces`, whose features judge faces and whose answers read them.

The weights ship with ganlib (`ganlib/zoo/faces_cnn.weights.h5`); `python -m ganlib.zoo.train_faces_cnn` made them, and
`ganlib/zoo/faces_cnn.md` says how well each factor is read. An FID measured with it compares with no other FID.
"""

from collections.abc import Callable
from importlib import resources

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganlib.data.faces import FACTORS, POSE
from ganlib.hashes import hash_of_weights
from ganlib.metrics.extractor_base import NetworkExtractor
from ganlib.metrics.reference_fid import ReferenceFID
from ganlib.metrics.resizer import Bilinear
from ganlib.weights import require_sound

SIDE = 64
FEATURES = 128


def network() -> keras.Model:
    """Image (batch, 64, 64, 3) in [-1, 1] -> features, values and pose.

    Returns:
        A model whose outputs are, by name: features (batch, 128); values (batch, 65), the logits of all factors one
        behind the other; pose (batch, 4), where -1 and 1 are the ends of `POSE`.
    """
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = image
    # the first convolution sees every pixel: the corners of a mouth are one or two wide
    for channels, stride, pool in ((16, 1, 1), (32, 2, 1), (48, 1, 2), (80, 1, 2), (128, 1, 2)):
        x = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.MaxPooling2D(pool)(x) if pool > 1 else x
    # a mean over places would not know where things are; weights for each place do
    x = layers.Flatten()(layers.DepthwiseConv2D(4, depth_multiplier=2, use_bias=False)(x))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    features = layers.Dense(FEATURES, activation="relu", name="features")(x)
    values = layers.Dense(sum(map(len, FACTORS.values())), name="values")(features)
    pose = layers.Dense(len(POSE), name="pose")(features)
    return keras.Model(image, {"features": features, "values": values, "pose": pose}, name="faces_cnn")


class FacesCNN(NetworkExtractor):
    """The trained classifier as a feature extractor: images -> features (n, 128), and as a reader of factors.

    Images of another size are resized to 64x64; grey ones are taken, but their colours cannot be read.

    Attributes:
        name: "faces-cnn".
        resizer: What is done to images that are not 64x64.
        weights_hash: First 12 digits of the SHA-256 of the weights, part of every score's provenance.
    """

    name = "faces-cnn"

    def __init__(self):
        trained = network()
        with resources.as_file(resources.files("ganlib.zoo") / "faces_cnn.weights.h5") as path:
            require_sound(path, sealed=True)
            trained.load_weights(path)

        def function(images):
            outputs = trained(images, training=False)
            return tf.concat([outputs[name] for name in ("features", "values", "pose")], axis=1), None

        super().__init__(function, Bilinear(SIDE, antialias=True), 3)
        self.weights_hash = hash_of_weights(trained.get_weights())

    def outputs(self, images, batch_size=None):
        """Features (n, 128) and None: there is no one set of classes. See `Extractor.outputs`."""
        found, _ = super().outputs(images, batch_size)
        return found[:, :FEATURES], None

    def factors(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """What is in the images, as `details` of a dataset has it.

        Args:
            images: (n, height, width, channels) in [-1, 1], of any generator.

        Returns:
            Factor -> int32 (n,), numbers of the likeliest values (`ganlib.data.faces.FACTORS` has their names);
            rotation, scale, x, y -> float32 (n,).

        Raises:
            InputError: As in `outputs`.
        """
        found, _ = super().outputs(images)
        read, start = {}, FEATURES
        for name, values in FACTORS.items():
            read[name] = found[:, start : start + len(values)].argmax(axis=1).astype(np.int32)
            start += len(values)
        for i, (name, (low, high)) in enumerate(POSE.items()):
            read[name] = (np.clip(found[:, start + i], -1, 1) + 1) / 2 * np.float32(high - low) + np.float32(
                low
            )
        return read


faces_cnn = FacesCNN


def read_factors(images: np.ndarray) -> dict[str, np.ndarray]:
    """`FacesCNN().factors(images)`: the factors of faces, read off images (n, height, width, channels) in [-1, 1]."""
    return FacesCNN().factors(images)


class FacesFID(ReferenceFID):
    """FID(faces-cnn) against the first 5,000 faces of the test split, 64x64, whose features are computed once."""

    def __init__(self):
        from ganlib import data

        real = data.load("faces", "test", resolution=SIDE, size=5000, shuffle=False, repeat=False)
        super().__init__(FacesCNN(), real.to_numpy(), "faces test")


def fid_faces_cnn(sampler: Callable[[int, int], np.ndarray], *, samples: int = 5000, seed: int = 0) -> dict:
    """`FacesFID()(sampler, samples=samples, seed=seed)`, for a single score."""
    return FacesFID()(sampler, samples=samples, seed=seed)
