"""LSGAN: least squares generative adversarial networks.

Mao, Li, Xie, Lau, Wang, Smolley. ICCV 2017, arXiv:1611.04076.
Game: eq. 9 (a = 0, b = c = 1) on raw scores, no sigmoid. Networks: figure 3 in the sizes of the authors' code
(xudonmao/LSGAN, commit 97e0b8d): G has 3x3 transposed convolutions of 256 filters in pairs, then 128 and 64; D is
DCGAN's. Recipe of the code: Adam 1e-3 with beta1 0.5, batch 64, z of 1024 numbers uniform on [-1, 1].

Differs from the code: its loss is the sum over the batch, not the mean of eq. 9, which Adam hardly tells apart; linear
maps and convolutions have no biases in front of a batch norm, where they have no effect; D's convolutions start from
normal(0.02), the code's from the same cut off at two deviations, and batch norm's scales from normal(1, 0.02), as
DCGAN's, the code's from 1. The laptop and colab presets use DCGAN's networks at 32x32, so that the games can be
compared.
"""

from typing import ClassVar

import keras
from keras import layers

from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.models import dcgan
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made


def generator(resolution: int, channels: int, latent_dim: int, base_channels: int) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Figure 3a.

    Filters: 4 * base_channels in every stage but the last two, which have 2 * base_channels and base_channels.

    Raises:
        InputError: `resolution` is not a multiple of 16.
    """
    if resolution % 16:
        raise InputError(f"resolution={resolution} is not a multiple of 16: use 32, 64 or 112")
    size, width = resolution // 16, 4 * base_channels
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(size * size * width, use_bias=False, kernel_initializer=_normal())(z)
    x = layers.ReLU()(dcgan.batch_norm()(layers.Reshape((size, size, width))(x)))
    for filters, strides in (
        (width, 2),
        (width, 1),
        (width, 2),
        (width, 1),
        (width // 2, 2),
        (width // 4, 2),
    ):
        x = layers.Conv2DTranspose(
            filters, 3, strides=strides, padding="same", use_bias=False, kernel_initializer=_normal()
        )(x)
        x = layers.ReLU()(dcgan.batch_norm()(x))
    x = layers.Conv2DTranspose(channels, 3, padding="same", kernel_initializer=_normal())(x)
    return keras.Model(z, layers.Activation("tanh")(x), name="generator")


def discriminator(resolution: int, channels: int, base_channels: int) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> score (batch, 1). Figure 3b: 5x5, strides of 2."""
    image = keras.Input((resolution, resolution, channels), name="image")
    x = layers.Conv2D(base_channels, 5, strides=2, padding="same", kernel_initializer=_normal())(image)
    x = layers.LeakyReLU(0.2)(x)
    for stage in range(1, 4):
        x = dcgan.down(base_channels * 2**stage, 5)(x)
        x = layers.LeakyReLU(0.2)(dcgan.batch_norm()(x))
    score = layers.Dense(1, kernel_initializer=_normal())(layers.Flatten()(x))
    return keras.Model(image, score, name="discriminator")


ARCHITECTURES = {
    "dcgan": Architecture(
        lambda resolution, channels, latent_dim, base_channels: (
            made(dcgan.generator, resolution, channels, latent_dim, base_channels, 4),
            dcgan.discriminator(resolution, channels, base_channels, 4),
        )
    ),
    "scene": Architecture(
        lambda resolution, channels, latent_dim, base_channels: (
            made(generator, resolution, channels, latent_dim, base_channels),
            discriminator(resolution, channels, base_channels),
        )
    ),
}


@keras.saving.register_keras_serializable("ganlib")
class LSGAN(GAN):
    """The DCGAN pair, or any other, that plays for squared distances.

    Args:
        architecture: "dcgan", or "scene" for the networks of figure 3.
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8; for "scene" a
            multiple of 16.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: Channels of the stage next to the image.
        latent_distribution: "uniform" on [-1, 1], as in the authors' code, or "normal".
        learning_rate: Of both players' Adam.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    title = "Least Squares Generative Adversarial Networks"
    authors = "Mao, Li, Xie, Lau, Wang, Smolley"
    year = 2017
    arxiv = "1611.04076"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 4, "batch_size": 8,
             "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey, DCGAN's laptop networks; learning rate 2e-4, a fifth of the paper's",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "ema_decay": 0.995,
             "latent_distribution": "normal", "learning_rate": 2e-4},
        ),
        "colab": Preset(
            "32x32 colour, DCGAN's networks, 64 to 256 channels",
            {"resolution": 32, "latent_dim": 100, "ema_decay": 0.999, "learning_rate": 2e-4},
        ),
        "lsun_112": Preset("the paper's figure 3: 112x112 colour", {"resolution": 112}, "scene"),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "dcgan",
        resolution: int = 64,
        channels: int = 3,
        latent_dim: int = 1024,
        base_channels: int = 64,
        latent_distribution: str = "uniform",
        learning_rate: float = 1e-3,
        ema_decay: float | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ):
        entry, _ = self.settled(ARCHITECTURES, architecture)
        super().__init__(
            *entry.build(
                seed,
                resolution=resolution,
                channels=channels,
                latent_dim=latent_dim,
                base_channels=base_channels,
            ),
            loss="least_squares",
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=0.5),
            discriminator_optimizer=adam(learning_rate, beta_1=0.5),
            batch_size=batch_size,
            latent_distribution=latent_distribution,
            seed=seed,
        )


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)
