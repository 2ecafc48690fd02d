"""What layers that draw random numbers share."""

import keras

from ganlib.randomness import RandomStreams


class RandomLayer(keras.layers.Layer):
    """A layer that draws random numbers: the models bind it, wherever it stands, to their streams.

    Inside of a step (and of `sample` and `translate`) `streams.active` is true, and draws are a function of the seed,
    the step, the pass (D sees real images, D sees generated ones, ...), the layer and the global sample. A subclass
    draws `self.streams.normal(self.purpose, [batch, ...])` and the like, and says what happens elsewhere.

    Attributes:
        streams: The model's random numbers; None until a model holds the layer.
        purpose: What is drawn for; the model gives each layer of a network another.
        kind: The word for it in purposes.
    """

    streams: RandomStreams | None = None
    purpose = "layer"
    kind = "noise"

    @property
    def bound(self) -> bool:
        """Whether numbers can be drawn from the streams now."""
        return self.streams is not None and self.streams.active
