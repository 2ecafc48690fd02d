"""FID(fashion-cnn): a small classifier of Fashion-MNIST whose features judge clothes where there is no internet.

The weights ship with ganlib (`ganlib/zoo/fashion_cnn.weights.h5`); `python -m ganlib.zoo.train_fashion_cnn` made them,
and `ganlib/zoo/fashion_cnn.md` says how well it classifies. An FID measured with it compares with no other FID.
"""

from collections.abc import Callable
from importlib import resources

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganlib.errors import InputError
from ganlib.metrics.extractors import Extractor, hash_of_weights
from ganlib.metrics.frechet import frechet_distance_from_statistics, statistics

_BATCH = 500


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


class FashionCNN(Extractor):
    """The trained classifier as a feature extractor.

    Attributes:
        name: "fashion-cnn".
        resizer: What is done to images that are not 28 pixels wide.
        weights_hash: First 12 digits of the SHA-256 of the weights, part of every score's provenance.
    """

    name = "fashion-cnn"
    resizer = "centre crop to 28x28"
    num_classes = 10

    def __init__(self):
        super().__init__()
        self._network = network()
        with resources.as_file(resources.files("ganlib.zoo") / "fashion_cnn.weights.h5") as path:
            self._network.load_weights(path)
        self.weights_hash = hash_of_weights(self._network.get_weights())
        self._function = tf.function(lambda images: self._network(images, training=False))

    def outputs(self, images, batch_size=None):
        """Images (n, size, size, 1) in [-1, 1], size 28 or more -> features (n, 128), probabilities (n, 10)."""
        batch_size = batch_size or _BATCH
        images = np.asarray(images, np.float32)
        if images.ndim != 4 or images.shape[3] != 1 or min(images.shape[1:3]) < 28 or not len(images):
            raise InputError(
                f"images of shape {images.shape}: fashion-cnn takes (n, size, size, 1), size 28 or more"
            )
        if not np.isfinite(images).all() or images.min() < -1.001 or images.max() > 1.001:
            raise InputError(
                f"images in [{images.min()}, {images.max()}]: fashion-cnn takes finite values in [-1, 1]"
            )
        top, left = (images.shape[1] - 28) // 2, (images.shape[2] - 28) // 2
        images = images[:, top : top + 28, left : left + 28]
        padding = -len(images) % batch_size  # one shape, one trace
        images = np.concatenate([images, np.zeros((padding, 28, 28, 1), np.float32)])
        outputs = [self._function(chunk) for chunk in np.split(images, len(images) // batch_size)]
        n = len(images) - padding
        features = np.concatenate([output["features"].numpy() for output in outputs])[:n]
        logits = np.concatenate([output["logits"].numpy() for output in outputs])[:n]
        return features, tf.nn.softmax(logits).numpy()


def fashion_cnn() -> FashionCNN:
    """The shipped classifier."""
    return FashionCNN()


class FashionFID:
    """FID(fashion-cnn) against the embedded Fashion-MNIST, whose features are computed once.

    Args:
        split: Of the reference: "train" (10,000 images) or "test" (2,000).
    """

    def __init__(self, split: str = "train"):
        from ganlib import data

        real = data.load("fashion_mnist", split=split, shuffle=False, repeat=False).to_numpy()
        self.extractor = FashionCNN()
        self.reference = f"fashion_mnist {split}, {len(real)} images"
        self._statistics = statistics(self.extractor.features(real))

    def __call__(
        self, sampler: Callable[[int, int], np.ndarray], *, samples: int = 5000, seed: int = 0
    ) -> dict:
        """Score samples, with all that the number depends on.

        Args:
            sampler: (n, seed) -> images (n, size, size, 1) in [-1, 1].
            samples: How many to draw.
            seed: Given to the sampler.

        Returns:
            The score ("value") and its provenance: metric, extractor, hash of its weights, reference, sample count,
            resizer, seed.
        """
        fake = statistics(self.extractor.features(sampler(samples, seed)))
        return {
            "metric": "FID(fashion-cnn)",
            "value": round(frechet_distance_from_statistics(*self._statistics, *fake), 4),
            "extractor": self.extractor.name,
            "weights_hash": self.extractor.weights_hash,
            "reference": self.reference,
            "samples": samples,
            "resizer": self.extractor.resizer,
            "seed": seed,
        }


def fid_fashion_cnn(
    sampler: Callable[[int, int], np.ndarray], *, samples: int = 5000, seed: int = 0, split: str = "train"
) -> dict:
    """`FashionFID(split)(sampler, samples=samples, seed=seed)`, for a single score."""
    return FashionFID(split)(sampler, samples=samples, seed=seed)
