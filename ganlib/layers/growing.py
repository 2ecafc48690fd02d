"""Networks that grow: layers for every resolution from 4x4 on, of which a call uses those up to a stage.

Karras et al. 2018, arXiv:1710.10196, section 2 and figure 2. Level 0 is 4x4, and each level doubles that.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from ganlib.errors import InputError

SMALLEST = 4


class Stage(NamedTuple):
    """How far growth has come.

    Attributes:
        level: The newest level in use.
        fading: Whether it is being faded in, over the image of the level before.
    """

    level: int
    fading: bool = False


def levels_of(resolution: int, name: str = "resolution") -> int:
    """The number of levels: 4 -> 1, 8 -> 2, 1024 -> 9.

    Args:
        resolution: A positive integer.
        name: What the argument is called, for the message.

    Raises:
        InputError: The resolution is no power of two, or below 4.
    """
    if resolution < SMALLEST or resolution & (resolution - 1):
        raise InputError(f"{name}={resolution} is not reached by doubling 4: use 32, 64 or 128, for example")
    return resolution.bit_length() - SMALLEST.bit_length() + 1


def halving_widths(levels: int, channel_base: int, channel_max: int) -> list[int]:
    """Channels at each level: `channel_base` over the resolution's half, at most `channel_max`; then those at 2x2.

    The official code's nf(stage) = min(channel_base / 2^stage, channel_max), at stages 1 to `levels`, and at stage 0
    what D's last dense layer has, as the last entry.
    """
    widths = [max(1, min(channel_base >> stage, channel_max)) for stage in range(levels + 1)]
    return [*widths[1:], widths[0]]


class Growing(keras.Model):
    """A network with layers for `levels` resolutions.

    Attributes:
        levels: How many.
        lod: Level of detail, a variable that is kept with the weights: levels that are still missing, with the part of
            the newest one that has not faded in. 0: all are there; 1.25: the last is not, the one before is at 75%.
    """

    def __init__(self, levels: int, name: str):
        super().__init__(name=name)
        self.built = True  # by the constructors
        self.levels = levels
        self.lod = self.add_weight(shape=(), initializer="zeros", trainable=False, name="lod")

    def stage(self, stage: Stage | None) -> Stage:
        """The stage of a call; None: fully grown."""
        return Stage(self.levels - 1) if stage is None else stage

    def faded(self, before: tf.Tensor, newest: tf.Tensor, level: int) -> tf.Tensor:
        """From what the level before gives to what the newest one gives, as far as `lod` says."""
        missing = tf.clip_by_value(self.lod.value - (self.levels - 1 - level), 0.0, 1.0)
        return newest + (before - newest) * tf.cast(missing, newest.dtype)


def built(layer: keras.layers.Layer, *shape: int | None) -> keras.layers.Layer:
    """The layer with its variables, for inputs of `shape` (without the batch)."""
    layer.build((None, *shape))
    return layer
