"""Random numbers that are a pure function of (run seed, purpose, step, global sample index).

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011: Philox is a hash of a key and a counter, so any
row of any draw can be made without the rows before it. Here

    key     = hash(run seed, purpose)          purpose: "discriminator/0/latents", "generator/dropout_1", ...
    counter = (block of the sample, step)      a sample owns a whole number of 128-bit blocks

so row i of a draw depends on its global index alone: neither on the batch it came in nor on the replica that made it,
and a resumed run draws what the killed one would have drawn.
"""

import contextlib
import hashlib
import math
import random
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from ganlib.errors import InputError

_PHILOX = 1  # tf.random.Algorithm.PHILOX
_WORDS_IN_BLOCK = 4  # a Philox block is four 32-bit words: four float32


def key_of(seed: int, purpose: str) -> int:
    """The 64-bit Philox key of a purpose in a run."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little")


def host_generator(seed: int, purpose: str) -> np.random.Generator:
    """A NumPy generator for work on the host (permutations, rendering), keyed as the draws of a step are."""
    return np.random.Generator(np.random.Philox(key=key_of(seed, purpose)))


def uniform(key: int, step: int | tf.Tensor, start: int | tf.Tensor, shape: Sequence) -> tf.Tensor:
    """Uniform float32 in [0, 1) of `shape` (n, ...), for the global samples start, start + 1, ..., start + n - 1."""
    size = math.prod(shape[1:])
    return tf.reshape(_fractions(key, step, start, shape[0], size)[:, :size], [shape[0], *shape[1:]])


def normal(key: int, step: int | tf.Tensor, start: int | tf.Tensor, shape: Sequence) -> tf.Tensor:
    """Standard normal float32 of `shape` (n, ...), for the global samples start, ..., start + n - 1.

    Box & Muller 1958: two uniform numbers make two normal ones.
    """
    size = math.prod(shape[1:])
    u, v = tf.split(_fractions(key, step, start, shape[0], 2 * -(-size // 2)), 2, axis=1)
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - u))
    pairs = tf.concat([radius * tf.cos(2.0 * math.pi * v), radius * tf.sin(2.0 * math.pi * v)], axis=1)
    return tf.reshape(pairs[:, :size], [shape[0], *shape[1:]])


def keep(key: int, step: int | tf.Tensor, start: int | tf.Tensor, shape: Sequence, drops: int) -> tf.Tensor:
    """Booleans of `shape` (n, ...), False with probability drops / 65536, for the global samples start, ...

    Sixteen bits an element, compared as they are: dropout draws millions of them a step.
    """
    size = math.prod(shape[1:])
    words = _words(key, step, start, shape[0], -(-size // 2))
    halves = tf.reshape(tf.bitcast(words, tf.uint16), [shape[0], 2 * words.shape[1]])
    return tf.reshape(halves[:, :size] >= tf.constant(drops, tf.uint16), [shape[0], *shape[1:]])


def _fractions(key, step, start, n, size) -> tf.Tensor:
    """`size` or more numbers in [0, 1) for each of `n` samples."""
    words = _words(key, step, start, n, size)
    return tf.cast(tf.bitwise.right_shift(words, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24


def _words(key, step, start, n, size) -> tf.Tensor:
    """Philox's 32-bit words, `size` or more (whole blocks) for each of `n` samples.

    They are the same under XLA and without it (tested); TensorFlow's own conversions of them to floats are not.
    """
    blocks = -(-size // _WORDS_IN_BLOCK)
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.stack([n, blocks * _WORDS_IN_BLOCK]),
        key=tf.constant([key], tf.uint64),
        counter=tf.stack([tf.cast(start, tf.uint64) * blocks, tf.cast(step, tf.uint64)]),
        alg=_PHILOX,
        dtype=tf.uint32,
    )


class RandomStreams:
    """The random numbers of one training run.

    A model owns one, opens it at each step with `at`, and names each pass over a network with `scope`; layers that draw
    (`ganlib.layers.RandomLayer`) hold a reference to it. Under MirroredStrategy every replica traces in a thread of its
    own, and threads take turns in the middle of a step, hence the thread-local position.

    Args:
        seed: Seed of the run.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self._position = threading.local()

    @property
    def active(self) -> bool:
        """Whether the calling thread is inside `at`."""
        return getattr(self._position, "step", None) is not None

    @contextlib.contextmanager
    def at(self, step: int | tf.Tensor, part: int | tf.Tensor) -> Iterator[None]:
        """Inside, draws belong to `step` and to one part of it: a replica's, a micro-batch's, a chunk's.

        Parts are equal: a draw of n rows has the global samples part * n, part * n + 1, ... Draws of other sizes than
        the batch (half of it, twice as much) are then the same, too, however many replicas share them.
        """
        self._position.step, self._position.part, self._position.scopes = step, part, []
        try:
            yield
        finally:
            self._position.step = None

    @contextlib.contextmanager
    def split(self, i: int, parts: int) -> Iterator[None]:
        """Inside, this part of the step is itself cut into `parts`, and draws belong to number `i` of them."""
        whole = self._position.part
        self._position.part = whole * parts + i
        try:
            yield
        finally:
            self._position.part = whole

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Inside, purposes are prefixed with `name` (unless that is empty): another pass draws other numbers."""
        self._require_a_step(name)
        scopes = self._position.scopes
        scopes.append(name)
        try:
            yield
        finally:
            scopes.pop()

    def uniform(self, purpose: str, shape: Sequence) -> tf.Tensor:
        """Uniform float32 in [0, 1) of `shape` (rows of this part, ...)."""
        return uniform(self._key(purpose), self._position.step, self._start(shape), shape)

    def normal(self, purpose: str, shape: Sequence) -> tf.Tensor:
        """Standard normal float32 of `shape` (rows of this part, ...)."""
        return normal(self._key(purpose), self._position.step, self._start(shape), shape)

    def keep(self, purpose: str, shape: Sequence, drops: int) -> tf.Tensor:
        """Booleans of `shape` (rows of this part, ...), False with probability drops / 65536."""
        return keep(self._key(purpose), self._position.step, self._start(shape), shape, drops)

    def shared_uniform(self, purpose: str, size: int) -> tf.Tensor:
        """Uniform float32 (size,) in [0, 1), the same on all replicas: for what a step decides once."""
        return uniform(self._key(purpose), self._position.step, 0, [1, size])[0]

    def _start(self, shape: Sequence) -> int | tf.Tensor:
        """The global sample of a draw's first row; in 64 bits, since an image's number times its blocks is large."""
        return tf.cast(self._position.part, tf.int64) * tf.cast(shape[0], tf.int64)

    def _key(self, purpose: str) -> int:
        self._require_a_step(purpose)
        return key_of(self.seed, "/".join([*filter(None, self._position.scopes), purpose]))

    def _require_a_step(self, purpose: str) -> None:
        if not self.active:
            raise InputError(
                f"random numbers for {purpose!r} were asked for outside a step: gan.sample(n) needs none; a part of a "
                "step goes inside `with gan.streams.at(step, 0)`"
            )


@contextlib.contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Initialisers made inside draw their weights from `seed`; the caller's own random state is left as it was.

    Keras takes the seed of an initialiser that was given none from Python's `random`. Without a seed they draw from
    that state as it is.
    """
    state = random.getstate()
    if seed is not None:
        random.seed(key_of(seed, "initial weights"))
    try:
        yield
    finally:
        random.setstate(state)
