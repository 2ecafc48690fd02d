"""FID(fashion-cnn): a small classifier of Fashion-MNIST whose features judge clothes where there is no internet.

The weights ship with ganlib (`ganlib/zoo/fashion_cnn.weights.h5`); `python -m ganlib.zoo.train_fashion_cnn` made them,
and `ganlib/zoo/fashion_cnn.md` says how well it classifies. An FID measured with it compares with no other FID.
"""

from collections.abc import Callable
from importlib import resources

import keras
import numpy as np
from keras import layers

from ganlib.errors import InputError
from ganlib.hashes import hash_of_weights
from ganlib.metrics.extractor_base import NetworkExtractor
from ganlib.metrics.reference_fid import ReferenceFID
from ganlib.weights import require_sound


def network() -> keras.Model:
    """Image (batch, 28, 28, 1) in [-1, 1] -> features (batch, 128) and logits (batch, 10)."""
    image = keras.Input((28, 28, 1), name="image")
    x = image
    for channels in (32, 64, 128):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D(2)(x)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    logits = layers.Dense(10, name="logits")(features)
    return keras.Model(image, {"features": features, "logits": logits}, name="fashion_cnn")


class _Crop:
    """The middle 28x28 pixels."""

    name = "centre crop to 28x28"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images (n, height, width, 1) -> (n, 28, 28, 1)."""
        top, left = (images.shape[1] - 28) // 2, (images.shape[2] - 28) // 2
        return images[:, top : top + 28, left : left + 28]


class FashionCNN(NetworkExtractor):
    """The trained classifier as a feature extractor: grey images of 28 pixels or more -> features (n, 128).

    Attributes:
        name: "fashion-cnn".
        resizer: What is done to images that are not 28 pixels wide.
        weights_hash: First 12 digits of the SHA-256 of the weights, part of every score's provenance.
    """

    name = "fashion-cnn"
    num_classes = 10

    def __init__(self):
        trained = network()
        with resources.as_file(resources.files("ganlib.zoo") / "fashion_cnn.weights.h5") as path:
            require_sound(path, sealed=True)
            trained.load_weights(path)

        def function(images):
            outputs = trained(images, training=False)
            return outputs["features"], outputs["logits"]

        super().__init__(function, _Crop(), 1)
        self.weights_hash = hash_of_weights(trained.get_weights())

    def _checked(self, images):
        shape = np.shape(images)
        if len(shape) != 4 or shape[3] != 1 or min(shape[1:3]) < 28 or not shape[0]:
            raise InputError(
                f"images of shape {shape}: fashion-cnn takes (n, size, size, 1), size 28 or more"
            )
        return super()._checked(images)


fashion_cnn = FashionCNN


class FashionFID(ReferenceFID):
    """FID(fashion-cnn) against the embedded Fashion-MNIST, whose features are computed once.

    Args:
        split: Of the reference: "train" (10,000 images) or "test" (2,000).
    """

    def __init__(self, split: str = "train"):
        from ganlib import data

        real = data.load("fashion_mnist", split=split, shuffle=False, repeat=False).to_numpy()
        super().__init__(FashionCNN(), real, f"fashion_mnist {split}")


def fid_fashion_cnn(
    sampler: Callable[[int, int], np.ndarray], *, samples: int = 5000, seed: int = 0, split: str = "train"
) -> dict:
    """`FashionFID(split)(sampler, samples=samples, seed=seed)`, for a single score."""
    return FashionFID(split)(sampler, samples=samples, seed=seed)
