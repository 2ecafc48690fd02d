"""GAN: generative adversarial networks.

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio. NeurIPS 2014, arXiv:1406.2661.
Networks and recipe: section 5 names the parts (ReLU and sigmoid units in G, maxout and dropout in D, momentum); their
sizes are those of the authors' configuration for MNIST. Game: eq. 1 for D, -log D for G (section 3). Algorithm 1.

Differs from the paper: images are in [-1, 1] outside the networks, which map to and from the paper's [0, 1]; momentum
stays at 0.5, where the authors' configuration raises it to 0.7 over 250 epochs; G's output biases start at zero, theirs
at the logits of the data's mean image; z is normal, theirs uniform on +-sqrt(3) (goodfeli/adversarial, commit 1720041,
`mnist.yaml`, `__init__.py` line 208), of the same deviation. On points (resolution=None) G's output is linear, as for
the paper's CIFAR-10.
"""

from collections.abc import Sequence
from typing import ClassVar

import keras
from keras import layers

from ganlib.arguments import require_positive, require_positive_integers, require_share
from ganlib.gan import GAN
from ganlib.layers import Dropout, Maxout
from ganlib.presets import Preset, made
from ganlib.randomness import seeded


def generator(shape: Sequence[int], latent_dim: int, units: int) -> keras.Model:
    """Z (batch, latent_dim) -> sample (batch, *shape); images in [-1, 1], points anywhere."""
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(units, activation="relu", kernel_initializer=_uniform(0.05))(z)
    x = layers.Dense(units, activation="relu", kernel_initializer=_uniform(0.05))(x)
    size = 1
    for length in shape:
        size *= length
    x = layers.Dense(size, kernel_initializer=_uniform(0.05))(x)
    if len(shape) == 3:
        x = layers.Activation("sigmoid")(x)
        x = layers.Rescaling(2.0, -1.0)(x)  # the paper's [0, 1] -> [-1, 1]
        x = layers.Reshape(shape)(x)
    return keras.Model(z, x, name="generator")


def discriminator(shape: Sequence[int], units: int, pieces: int, dropout: float) -> keras.Model:
    """Sample (batch, *shape) -> logit (batch, 1). `dropout` applies to hidden units, 0.4 of it to the input."""
    sample = keras.Input(shape, name="sample")
    x = sample
    if len(shape) == 3:
        x = layers.Rescaling(0.5, 0.5)(x)  # [-1, 1] -> the paper's [0, 1]
        x = layers.Flatten()(x)
    x = Dropout(0.4 * dropout)(x)
    x = Maxout(units, pieces, kernel_initializer=_uniform(0.005))(x)
    x = Dropout(dropout)(x)
    x = Maxout(units, pieces, kernel_initializer=_uniform(0.005))(x)
    x = Dropout(dropout)(x)
    logit = layers.Dense(1, kernel_initializer=_uniform(0.005))(x)
    return keras.Model(sample, logit, name="discriminator")


@keras.saving.register_keras_serializable("ganlib")
class VanillaGAN(GAN):
    """Two multilayer perceptrons that play the game of 2014.

    Args:
        resolution: Height and width of the images; None for points.
        channels: Channels of the images, or coordinates of the points.
        latent_dim: Dimension of z.
        units: ReLU units of each of G's two hidden layers.
        maxout_units: Maxout units of each of D's two hidden layers.
        maxout_pieces: Affine maps that a maxout unit chooses from.
        dropout: Rate in D's hidden layers; the input's is 0.4 times it (the paper's code: 0.5 and 0.2).
        learning_rate: Of both players' SGD at the start; it is divided by 1.000004 at each step.
        n_critic: k in algorithm 1; the paper's experiments have 1.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    title = "Generative Adversarial Networks"
    authors = "Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio"
    year = 2014
    arxiv = "1406.2661"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 16 units: seconds, for tests",
            {"resolution": 8, "latent_dim": 8, "units": 16, "maxout_units": 8, "maxout_pieces": 2,
             "batch_size": 8},
        ),
        "laptop": Preset(
            "28x28 grey, the paper's networks, batch 100",
            {"resolution": 28, "ema_decay": 0.995},
        ),
        "colab": Preset(
            "28x28 grey, the paper's networks, longer average for longer runs",
            {"resolution": 28, "ema_decay": 0.999},
        ),
        "mnist_28": Preset("the paper's MNIST networks and recipe", {"resolution": 28}),
        "points_2d": Preset(
            "points of the plane, 128 units, no dropout; compile with Adam: SGD is slow to start here",
            {"resolution": None, "channels": 2, "latent_dim": 16, "units": 128, "maxout_units": 64, "maxout_pieces": 4,
             "dropout": 0.0, "batch_size": 256},
        ),
    }  # fmt: skip

    def __init__(
        self,
        resolution: int | None = 28,
        channels: int = 1,
        latent_dim: int = 100,
        units: int = 1200,
        maxout_units: int = 240,
        maxout_pieces: int = 5,
        dropout: float = 0.5,
        learning_rate: float = 0.1,
        n_critic: int = 1,
        ema_decay: float | None = None,
        batch_size: int = 100,
        seed: int = 0,
    ):
        require_positive_integers(
            channels=channels,
            latent_dim=latent_dim,
            units=units,
            maxout_units=maxout_units,
            maxout_pieces=maxout_pieces,
        )
        if resolution is not None:
            require_positive_integers(resolution=resolution)
        require_share(example="0.5", dropout=dropout)
        require_positive(example="0.1", learning_rate=learning_rate)
        shape = (channels,) if resolution is None else (resolution, resolution, channels)
        with seeded(seed):
            super().__init__(
                made(generator, shape, latent_dim, units),
                discriminator(shape, maxout_units, maxout_pieces, dropout),
                loss="non_saturating",
                n_critic=n_critic,
                ema_decay=ema_decay,
                generator_optimizer=_sgd(learning_rate),
                discriminator_optimizer=_sgd(
                    learning_rate / 2
                ),  # D's cost is half of eq. 1 in the authors' code
                batch_size=batch_size,
                seed=seed,
            )


def _sgd(learning_rate: float) -> keras.optimizers.SGD:
    decay = keras.optimizers.schedules.ExponentialDecay(learning_rate, decay_steps=1, decay_rate=1 / 1.000004)
    return keras.optimizers.SGD(decay, momentum=0.5)


def _uniform(limit: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomUniform(-limit, limit)
