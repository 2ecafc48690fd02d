"""Standing statistics: batch norms that sample with the mean statistics of many batches, not with moving averages.

Brock et al. 2019, arXiv:1809.11096, appendix C: G runs on many batches of latents as in training, and each batch norm
takes the mean of their means and of their variances. Moving averages belong to the weights of many steps; these belong
to the weights that sample, and to the latents that sample: truncated ones have statistics of their own.

As in the authors' code (BigGAN-PyTorch, utils.py, `accumulate_standing_stats`; layers.py, `myBN`): sums over the passes
by their number, of the batches' own variances, without n / (n - 1); spectral vectors take a training step in each pass.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ganlib.conditions import mixing_classes
from ganlib.layers.batch_normalization import BatchNormalization
from ganlib.presets import copy_of
from ganlib.randomness import key_of

LARGEST = 256  # rows of a pass; the authors' batch on one device
_SEED = key_of(0, "standing statistics")


class Standing:
    """Mixed into a GAN, in front: samples of the averaged G with standing statistics, where `standing_passes` asks.

    They are computed in a copy of G when samples are asked for, and again when weights or truncation have changed; what
    is trained and saved stays as it is.

    Attributes:
        standing_passes: Batches that statistics are taken of; 0: moving averages. The paper's is 100, its code's 16.
    """

    standing_passes: int = 0

    def sampler(self, truncation: float | None = None, seed: int | None = None) -> Callable[[Any], tf.Tensor]:
        """As ever, or with statistics of latents with this truncation, until another one is asked for."""
        if not self.standing_passes:
            return super().sampler(truncation, seed)
        self.stand(truncation)
        return self.at_moved_latents(functools.partial(self._standing, training=False))

    def images_of(self, inputs: Any, truncation: float | None = None, seed: int | None = 0) -> np.ndarray:
        """As ever; between classes, too, with the statistics of this truncation."""
        if self.standing_passes:
            self.stand(truncation)
        return super().images_of(inputs, truncation, seed)

    def stand(self, truncation: float | None = None) -> None:
        """Bring the copy's weights and statistics up to date, where they are not."""
        state = (truncation, self.standing_passes, _sums(self.ema_generator))
        network = self._standing
        if self.__dict__.get("_stands_for") == state:
            return
        network.set_weights(self.ema_generator.get_weights())
        n, passes = min(self.batch_size, LARGEST), self.standing_passes
        latents = self.sample_latents(passes * n, truncation, seed=_SEED).reshape(passes, n, -1)
        labels = self.sample_labels(passes * n, seed=_SEED)
        labels = [None] * passes if labels is None else labels.reshape(passes, n)
        accumulate(network, [self.conditioned(*batch) for batch in zip(latents, labels, strict=True)])
        object.__setattr__(self, "_stands_for", state)

    def exporter(self, thresholds: Sequence[float] = ()) -> Callable[[Any, tf.Tensor], tf.Tensor]:
        """As ever, or with statistics of these thresholds, interpolated; above all of them those of all latents."""
        if not self.standing_passes:
            return super().exporter(thresholds)
        found = []
        for threshold in (*thresholds, None):
            self.stand(threshold)
            found.append([v.numpy() for v in _statistics(batch_norms(self._standing))])
        tables = [np.stack(rows) for rows in zip(*found, strict=True)]
        network = functools.partial(self._standing, training=False) if self.classes is None else self._mixing

        def images(inputs, truncation):
            values = [_at(truncation, thresholds, table) for table in tables]
            variables = _statistics(batch_norms(self._standing))
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return network(inputs)

        if self.classes is not None:
            return self.at_latents_moved_by_label(images)
        return lambda inputs, truncation: self.at_moved_latents(lambda z: images(z, truncation))(inputs)

    # cached past Keras, for which a network in an attribute would be one more network
    @functools.cached_property
    def _standing(self) -> keras.Model:
        """The copy that samples."""
        return copy_of(self.ema_generator)

    @functools.cached_property
    def _mixing(self) -> Callable[[Any], tf.Tensor]:
        """The sampler's network for weights of classes; it shares all variables."""
        network = self._standing if self.standing_passes else self.ema_generator
        return functools.partial(mixing_classes(network, self.classes.num_classes), training=False)


def batch_norms(network: keras.Model) -> list[BatchNormalization]:
    """The batch norms of a network, those inside of other layers too."""
    return [layer for layer in network._flatten_layers() if isinstance(layer, BatchNormalization)]


def accumulate(network: keras.Model, batches: list[Any]) -> None:
    """Set each batch norm's statistics to the mean of those of the batches.

    Args:
        network: One for sampling: from now on a training pass replaces its batch norms' statistics by the batch's own.
        batches: Inputs of the network.
    """
    norms = batch_norms(network)
    for norm in norms:
        norm.momentum, norm.unbiased = 0.0, False
    variables = _statistics(norms)
    run = tf.function(lambda inputs: network(inputs, training=True))
    sums = [0.0] * len(variables)
    for inputs in batches:
        run(inputs)
        sums = [total + v.numpy().astype(np.float64) for total, v in zip(sums, variables, strict=True)]
    for total, variable in zip(sums, variables, strict=True):
        variable.assign(total / len(batches))


def _statistics(norms: list[BatchNormalization]) -> list[keras.Variable]:
    """Mean and variance of each."""
    return [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]


def _at(threshold: tf.Tensor, thresholds: Sequence[float], table: np.ndarray) -> tf.Tensor:
    """The row (channels,) of a table (thresholds + 1, channels) at a threshold; the last is of those above all."""
    if not thresholds:
        return tf.constant(table[-1])
    known = tf.constant(thresholds, tf.float32)
    above = tf.minimum(tf.reduce_sum(tf.cast(known < threshold, tf.int32)), len(thresholds) - 1)
    below = tf.maximum(above - 1, 0)
    low, high = known[below], known[above]
    share = tf.clip_by_value(tf.math.divide_no_nan(threshold - low, high - low), 0.0, 1.0)
    rows = tf.constant(table)
    between = (1.0 - share) * rows[below] + share * rows[above]
    return tf.where(threshold > known[-1], rows[-1], between)


def _sums(network: keras.Model) -> bytes:
    """What changes with the weights of a network: the sum of each."""
    return np.array([float(tf.reduce_sum(v.value)) for v in network.weights]).tobytes()
