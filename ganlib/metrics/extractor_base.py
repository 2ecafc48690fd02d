"""What a feature extractor is, and the one around a network that the others build on.

The extractors themselves are in extractors.py and fashion_cnn.py.
"""

import abc
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ganlib.errors import InputError


class Extractor(abc.ABC):
    """Images -> features, and class probabilities where the network has classes.

    Attributes:
        name: Which network.
        weights_hash: First 12 digits of the SHA-256 of its weights.
        resizer: What is done to images of another size than the network's.
        num_classes: Of `probabilities`; None if there are none.
        batch_size: Images a call of the network, unless another number is asked for.
        details: More of its provenance, for people.
    """

    name: str
    weights_hash: str
    resizer: str = "none"
    num_classes: int | None = None
    batch_size: int = 500
    details: dict[str, Any]

    def __init__(self):
        self.details = {}

    @abc.abstractmethod
    def outputs(
        self, images: np.ndarray, batch_size: int | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Images (n, height, width, channels) in [-1, 1] -> features (n, d) and probabilities (n, K) or None, float32.

        Raises:
            InputError: Images of a shape or range that the network does not take.
        """

    def features(self, images: np.ndarray) -> np.ndarray:
        """Images (n, height, width, channels) in [-1, 1] -> features (n, d), float32. Errors as in `outputs`."""
        return self.outputs(images)[0]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Images (n, height, width, channels) in [-1, 1] -> class probabilities (n, K), float32.

        Raises:
            InputError: As in `outputs`; or the network knows no classes.
        """
        if self.num_classes is None:
            raise InputError(
                f"{self.name} has no classes, so no probabilities: use a classifier, such as "
                "ganlib.metrics.classifier(data)"
            )
        return self.outputs(images)[1]


class NetworkExtractor(Extractor):
    """An extractor around a function of tensors, run in batches of one shape.

    Args:
        function: Images (batch, size, size, channels) -> features, and logits or None.
        resize: To the network's size, with a `name`; None: it takes any.
        channels: That the network takes; grey images are repeated for one of 3. None: any.
    """

    def __init__(
        self,
        function: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor | None]],
        resize: Callable[[np.ndarray], np.ndarray] | None,
        channels: int | None,
    ):
        super().__init__()
        self._function = tf.function(function)
        self._resize, self._channels = resize, channels
        if resize is not None:
            self.resizer = resize.name

    def outputs(self, images, batch_size=None):
        """See `Extractor.outputs`."""
        images = self._checked(images)
        batch_size = min(batch_size or self.batch_size, 2 ** math.ceil(math.log2(len(images))))
        features, probabilities = [], []
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            missing = batch_size - len(batch)  # the last batch is filled up: one shape, one trace
            if self._resize is not None:
                batch = self._resize(batch)
            if self._channels == 3 and batch.shape[-1] == 1:
                batch = np.repeat(batch, 3, axis=-1)
            padded = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.float32)])
            found, logits = self._function(tf.constant(padded))
            features.append(found.numpy()[: len(batch)])
            if logits is not None:
                probabilities.append(tf.nn.softmax(logits).numpy()[: len(batch)])
        return np.concatenate(features), np.concatenate(probabilities) if probabilities else None

    def _checked(self, images) -> np.ndarray:
        images = np.asarray(images, np.float32)
        channels = {None: (1, 3), 1: (1,), 3: (1, 3)}[self._channels]
        if images.ndim != 4 or not images.size or images.shape[3] not in channels:
            raise InputError(
                f"images of shape {images.shape}: {self.name} takes (n, height, width, "
                f"{' or '.join(map(str, channels))}), n of 1 or more"
            )
        if not np.isfinite(images).all() or images.min() < -1.001 or images.max() > 1.001:
            raise InputError(
                f"images in [{images.min()}, {images.max()}]: {self.name} takes finite values in [-1, 1]"
            )
        return images
