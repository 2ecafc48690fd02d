"""WGAN-GP: improved training of Wasserstein GANs.

Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville. NIPS 2017, arXiv:1704.00028.
Game: eq. 3, the critic's loss with a penalty on its slope between real and generated images, lambda = 10, in the place
of clipping. Networks: the CIFAR-10 ResNets of the appendix, 128 filters throughout, batch norm in G; none in the
critic, whose slope at a sample must not depend on the other samples of the batch (section 4). Recipe: Adam 2e-4 with
beta1 0 and beta2 0.9 and batch 64, as the authors' code (igul222/improved_wgan_training, commit 9a4b20b) has for these
networks (algorithm 1 has 1e-4), and n_critic = 5.

Differs from the authors' code: no linear decay of the learning rate to 0, G's batch is as large as the critic's (theirs
is twice that), the code's classes are left out (they are ACGAN's), its noise on real images (uniform on [0, 1/128], for
levels that are not discrete) is not there, and samples are made with running averages in batch norm (momentum 0.9),
theirs with the statistics of the batch. Layer normalisation, which section 4 recommends where one is wanted, is
`critic(..., normalization=layers.LayerNormalization)`.
"""

from typing import ClassVar

import keras
from keras import layers

from ganlib.arguments import require_positive_integers
from ganlib.gan import GAN
from ganlib.layers import BatchNormalization
from ganlib.layers.residual import (
    Normalization,
    plain,
    residual_down,
    residual_first,
    residual_same,
    residual_up,
)
from ganlib.layers.sizes import smallest_size
from ganlib.optimizers import adam
from ganlib.penalties import GradientPenalty
from ganlib.presets import Preset, made
from ganlib.randomness import seeded


def generator(resolution: int, channels: int, latent_dim: int, base_channels: int) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Appendix, CIFAR-10, G."""
    size, stages = smallest_size(resolution)
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((size, size, base_channels))(layers.Dense(size * size * base_channels)(z))
    for _ in range(stages):
        x = residual_up(x, base_channels, he, batch_norm)
    x = layers.ReLU()(batch_norm()(x))
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh")(x)
    return keras.Model(z, x, name="generator")


def critic(
    resolution: int, channels: int, base_channels: int, normalization: Normalization = None
) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> score (batch, 1). Appendix, CIFAR-10, D.

    Args:
        resolution: Height and width of the images.
        channels: Of the images.
        base_channels: Of all convolutions.
        normalization: Factory of normalisations that treat each sample alone; None: none.
    """
    _, stages = smallest_size(resolution)
    image = keras.Input((resolution, resolution, channels), name="image")
    x = residual_first(image, base_channels, he)
    for _ in range(stages - 2):
        x = residual_down(x, base_channels, he, normalization)
    for _ in range(2):
        x = residual_same(x, base_channels, he, normalization)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(1)(x), name="discriminator")


@keras.saving.register_keras_serializable("ganlib")
class WGANGP(GAN):
    """ResNets, and a critic whose slope between real and generated images is pulled towards 1.

    Args:
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 16.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: Channels of both networks.
        penalty_weight: lambda.
        n_critic: Critic updates for each G update.
        learning_rate: Of both players' Adam.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a critic update.
        seed: Seed of the run.
    """

    title = "Improved Training of Wasserstein GANs"
    authors = "Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville"
    year = 2017
    arxiv = "1704.00028"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 4, "n_critic": 2,
             "batch_size": 8, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey, 32 channels, in minutes on two CPU cores",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "ema_decay": 0.99},
        ),
        "colab": Preset(
            "32x32 colour, 64 channels, for a GPU",
            {"base_channels": 64, "ema_decay": 0.999},
        ),
        "cifar10_32": Preset("the paper's ResNets for CIFAR-10: 128 channels"),
    }  # fmt: skip

    def __init__(
        self,
        resolution: int = 32,
        channels: int = 3,
        latent_dim: int = 128,
        base_channels: int = 128,
        penalty_weight: float = 10.0,
        n_critic: int = 5,
        learning_rate: float = 2e-4,
        ema_decay: float | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ):
        require_positive_integers(
            resolution=resolution, channels=channels, latent_dim=latent_dim, base_channels=base_channels
        )
        with seeded(seed):
            super().__init__(
                made(generator, resolution, channels, latent_dim, base_channels),
                critic(resolution, channels, base_channels),
                loss="wasserstein",
                penalties=[GradientPenalty(penalty_weight)],
                n_critic=n_critic,
                ema_decay=ema_decay,
                generator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
                discriminator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
                batch_size=batch_size,
                seed=seed,
            )


def he(channels: int, kernel_size: int, scale: str = "same") -> layers.Layer:
    """The authors' initial weights: He et al.'s, uniform, for 3x3 kernels; Glorot & Bengio's for shortcuts."""
    mode = "glorot_uniform" if kernel_size == 1 else "he_uniform"
    return plain(channels, kernel_size, scale, kernel_initializer=mode)


def batch_norm() -> layers.Layer:
    """The code's: momentum 0.9, epsilon 1e-5."""
    return BatchNormalization(momentum=0.9, epsilon=1e-5)
