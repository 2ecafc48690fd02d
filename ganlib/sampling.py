"""Networks on many rows, a limited number at a time, with noise that a seed repeats; and the latents of samples."""

import math
import os
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import tensorflow as tf

from ganlib.arguments import require_seed
from ganlib.randomness import RandomStreams, key_of, normal, uniform


def key_from(seed: int | None, purpose: str) -> int:
    """The key of draws outside of training; without a seed it is another one each time.

    Raises:
        InputError: The seed is no integer.
    """
    if seed is not None:
        require_seed(seed, optional=True)
    return key_of(int.from_bytes(os.urandom(8), "little") if seed is None else int(seed), purpose)


class Chunks:
    """Runs functions of rows chunk by chunk, each traced once: a row's result does not depend on how many come with it.

    What a layer draws meanwhile (`layers.RandomLayer`) is a function of the key and the number of the row.

    Args:
        streams: Of the model whose networks run.
        scope: Of the draws.
        largest: Rows of a chunk, at most.
    """

    def __init__(self, streams: RandomStreams, scope: str, largest: int):
        self._streams, self._scope, self._largest = streams, scope, largest
        self._traced: dict[Hashable, Callable] = {}

    def clear(self) -> None:
        """Forget the traces: what they hold of the model has changed."""
        self._traced = {}

    def run(self, name: Hashable, function: Callable[[Any], tf.Tensor], inputs: Any, key: int) -> np.ndarray:
        """What `function` makes of arrays of n rows.

        Args:
            name: What the trace is kept by: the same name, the same function.
            function: Inputs of a chunk -> a tensor of as many rows.
            inputs: Arrays of n rows, in any nest.
            key: Of the draws, see `key_from`.
        """
        if name not in self._traced:

            def run(chunk, key, part):
                with self._streams.at(key, part), self._streams.scope(self._scope):
                    return function(chunk)

            self._traced[name] = tf.function(run)
        n = len(tf.nest.flatten(inputs)[0])
        # one shape for all calls: one trace, and the same numbers for a row whatever n is
        size = min(self._largest, 2 ** math.ceil(math.log2(n)))
        rows = np.arange(n + -n % size) % n
        found = []
        for part in range(len(rows) // size):
            chosen = rows[part * size : (part + 1) * size]
            chunk = tf.nest.map_structure(lambda array, chosen=chosen: np.asarray(array)[chosen], inputs)
            found.append(
                self._traced[name](chunk, tf.constant(key, tf.uint64), tf.constant(part, tf.int64)).numpy()
            )
        return np.concatenate(found)[:n]


def latents(n: int, latent_dim: int, distribution: str, seed: int | None) -> np.ndarray:
    """Latents (n, latent_dim) for samples.

    Args:
        n: How many; latent i is the same whatever `n` is.
        latent_dim: Of each.
        distribution: "normal", or "uniform" on [-1, 1].
        seed: Same seed, same latents.

    Raises:
        InputError: The seed is no integer.
    """
    key, shape = key_from(seed, "sample"), [n, latent_dim]
    if distribution == "uniform":
        return 2.0 * uniform(key, 0, 0, shape).numpy() - 1.0
    return normal(key, 0, 0, shape).numpy()


def uniform_images(shape: Any, seed: int, purpose: str) -> tf.Tensor:
    """Random numbers (n, height, width, channels), uniform on [-1, 1), a function of the seed and the purpose."""
    return 2.0 * uniform(key_of(seed, f"example {purpose}"), 0, 0, list(shape)) - 1.0


def shown(found: np.ndarray) -> np.ndarray:
    """Images (n, height, width, channels) cut to [-1, 1], as in a saved picture; points as they are."""
    return np.clip(found, -1.0, 1.0) if found.ndim == 4 else found
