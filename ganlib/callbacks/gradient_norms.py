"""Norms of gradients while a GAN trains."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ganlib.callbacks.monitor import Monitor
from ganlib.errors import InputError
from ganlib.replicas import outside_of_scopes


class GradientNorms(Monitor):
    """Norms of both networks' gradients, in total and per layer, always on the same real images.

    The CMU lecture (slide on tricks; Chintala et al. 2016, "How to train a GAN", tip 10): check the norms of gradients,
    over 100 things go wrong. Gradients are those of the players' losses with the latents of the step to come, penalties
    included (`GAN.gradients`).

    Columns: step; for each player its name, the norm over all its variables; then `player/layer`, over a layer's.

    Args:
        batch: Real images (n, height, width, channels), or (images, labels), or a tf.data.Dataset, of which the first
            batch is taken.
        folder: As in `Monitor`; the file is gradient_norms.csv.
        every: Steps between rows. A row costs a forward and a backward pass of each player.
        threshold: A total norm above it, or one that is not finite, is an alarm.
        stop: As in `Monitor`.

    Raises:
        InputError: The batch does not fit the model, or as `Monitor`.
    """

    file = "gradient_norms"

    def __init__(
        self,
        batch: Any,
        folder: str | Path | None = None,
        every: int = 100,
        threshold: float = 100.0,
        stop: bool = False,
    ):
        super().__init__(folder, every, stop)
        if not threshold > 0:
            raise InputError(f"GradientNorms(threshold={threshold!r}): expected a number above 0")
        if isinstance(batch, tf.data.Dataset):
            batch = next(iter(batch), None)
            if batch is None:
                raise InputError(
                    "GradientNorms(batch=...) got a dataset without batches: give one that has some"
                )
        self.batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
        self.threshold = float(threshold)
        self._norms: Callable | None = None
        self._phase: tuple[int, Any] | None = None

    def set_model(self, model: keras.Model) -> None:
        """Check the batch against the model."""
        super().set_model(model)
        images, _ = model.split_batch(self.batch)
        if tuple(images.shape[1:]) != model.image_shape or images.dtype != tf.float32:
            raise InputError(
                f"GradientNorms has a batch of {images.dtype.name} {tuple(images.shape)}, {type(model).__name__} takes "
                f"float32 (batch, {', '.join(map(str, model.image_shape))}): give one of the training batches"
            )
        self._norms, self._phase = None, None

    def measure(self) -> dict[str, float]:
        """Norms by column."""
        phase = self.model.schedule().at(self.step), self.model.level
        if self._norms is None or phase != self._phase:  # another phase, another step
            self._phase, self._layers = phase, {}
            self._norms = self._squares if self.model.run_eagerly else tf.function(self._squares)
        # a trick may keep more than Keras variables (a buffer of images), which a look moves too
        kept = [(v, tf.identity(v)) for trick in self.model.tricks for v in trick.variables]
        found = outside_of_scopes(self._norms)
        # sorted, as a tf.function gives them: columns are the same however the model runs
        squares = {player: found[player].numpy().astype(np.float64) for player in sorted(found)}
        for variable, value in kept:
            variable.assign(value)
        row = {player: float(np.sqrt(values.sum())) for player, values in squares.items()}
        for player, values in squares.items():
            layers: dict[str, float] = {}
            for layer, value in zip(self._layers[player], values, strict=True):
                layers[layer] = layers.get(layer, 0.0) + value
            row |= {f"{player}/{layer}": math.sqrt(value) for layer, value in layers.items()}
        return row

    def _squares(self) -> dict[str, tf.Tensor]:
        """Player -> the squared norm of the gradient of each variable; notes the layers that they belong to."""
        found, all_gradients = {}, self.model.gradients(self.batch)
        for player, network in self.model.players().items():  # those that this phase leaves alone have none
            zeros = [(v.path, tf.zeros(())) for v in network.trainable_variables]
            all_gradients.setdefault(player, zeros)
        for player, gradients in all_gradients.items():
            self._layers[player] = [path.rpartition("/")[0] or path for path, _ in gradients]
            found[player] = tf.stack([tf.reduce_sum(tf.square(gradient)) for _, gradient in gradients])
        return found

    def alarming(self, history):
        """Players whose total norm is above the threshold."""
        for name, values in history.items():
            if name != "step" and "/" not in name and not values[-1] <= self.threshold:
                yield name, values[-1], self.threshold
