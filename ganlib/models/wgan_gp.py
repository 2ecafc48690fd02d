"""WGAN-GP: improved training of Wasserstein GANs.

Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville. NIPS 2017, arXiv:1704.00028.
Game: eq. 3, the critic's loss with a penalty on its slope between real and generated images, lambda = 10, in the place
of clipping. Networks: the CIFAR-10 ResNets of the appendix, 128 filters throughout, batch norm in G; none in the
critic, whose slope at a sample must not depend on the other samples of the batch (section 4). Recipe: Adam 2e-4 with
beta1 0 and beta2 0.9 and batch 64, as the authors' code (igul222/improved_wgan_training, commit 9a4b20b) has for these
networks (algorithm 1 has 1e-4), and n_critic = 5. Initial weights are that code's too: uniform, of deviation
sqrt(4 / (fan_in + fan_out)) for 3x3 kernels, which it calls "he" (`tflib/ops/conv2d.py`, line 70), and Glorot &
Bengio's sqrt(2 / (fan_in + fan_out)) for shortcuts, the image's convolution (line 72) and dense layers
(`tflib/ops/linear.py`, line 58). He et al.'s sqrt(2 / fan_in) would start the critic's first convolution 4.67 times as
large.

Differs from the authors' code: no linear decay of the learning rate to 0, G's batch is as large as the critic's (theirs
is twice that), the code's classes are left out (they are ACGAN's), its noise on real images (uniform on [0, 1/128], for
levels that are not discrete) is not there, and samples are made with running averages in batch norm (momentum 0.9),
theirs with the statistics of the batch. Layer normalisation, which section 4 recommends where one is wanted, is
`critic(..., normalization=layers.LayerNormalization)`.

Architecture "mimicry" has the ResNets of kwotsin/mimicry (commit a7fda06, `torch_mimicry/nets/wgan_gp/`), the widths of
its SNGAN: at 32x32 (4,276,739 + 1,053,825 parameters), 48x48 (4,878,083 + 10,141,441), 64x64 (12,220,675 + 10,141,441)
and 128x128 (32,150,787 + 29,017,857). Its README trains with this recipe. Differs from it: nearest neighbours where it
doubles bilinearly, no linear decay, and torch's initial weights of shortcuts and of the image's convolution.
"""

import functools
from collections.abc import Sequence
from typing import ClassVar

import keras
from keras import layers

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
from ganlib.layers.sizes import Widths, mimicry_widths, smallest_size
from ganlib.optimizers import adam
from ganlib.penalties import GradientPenalty
from ganlib.presets import Architecture, Preset, made


def generator(resolution: int, channels: int, latent_dim: int, widths: Sequence[int]) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Appendix, CIFAR-10, G.

    Args:
        resolution: Of the images.
        channels: Of the images.
        latent_dim: Of z.
        widths: Channels at the smallest resolution, and of each block from there.
    """
    size, _ = smallest_size(resolution)
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((size, size, widths[0]))(layers.Dense(size * size * widths[0])(z))
    for width in widths[1:]:
        x = residual_up(x, width, plain, batch_norm)
    x = layers.ReLU()(batch_norm()(x))
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh")(x)
    return keras.Model(z, x, name="generator")


def critic(
    resolution: int,
    channels: int,
    halving: Sequence[int],
    same: Sequence[int],
    normalization: Normalization = None,
) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> score (batch, 1). Appendix, CIFAR-10, D.

    Args:
        resolution: Height and width of the images.
        channels: Of the images.
        halving: Channels of the blocks that halve the resolution, from the image on.
        same: Channels of the blocks after them.
        normalization: Factory of normalisations that treat each sample alone; None: none.
    """
    image = keras.Input((resolution, resolution, channels), name="image")
    x = residual_first(image, halving[0], plain)
    for width in halving[1:]:
        x = residual_down(x, width, plain, normalization)
    for width in same:
        x = residual_same(x, width, plain, normalization)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(1)(x), name="discriminator")


def equal_widths(resolution: int, base_channels: int) -> Widths:
    """G's widths, those of the critic's halving blocks, and of its last two: all the same."""
    _, stages = smallest_size(resolution)
    return [base_channels] * (stages + 1), [base_channels] * max(1, stages - 1), [base_channels] * 2


def _networks(widths_of, resolution, channels, latent_dim, base_channels):
    widths, halving, same = widths_of(resolution, base_channels)
    return (
        made(generator, resolution, channels, latent_dim, widths),
        critic(resolution, channels, halving, same),
    )


ARCHITECTURES = {
    "resnet": Architecture(
        functools.partial(_networks, equal_widths), {"resolution": 32, "base_channels": 128}
    ),
    "mimicry": Architecture(
        functools.partial(_networks, mimicry_widths), {"resolution": 32, "base_channels": 64}
    ),
}


@keras.saving.register_keras_serializable("ganlib")
class WGANGP(GAN):
    """ResNets, and a critic whose slope between real and generated images is pulled towards 1.

    Args:
        architecture: "resnet", the paper's, or "mimicry". What is None below is the architecture's.
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8; of "mimicry" 32, 48,
            64 or 128. None: 32.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: Channels of both networks (128); of "mimicry" those next to the image above 32x32 (64), at 32x32
            a quarter of G's and half of the critic's.
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
        "cifar10_32_mimicry": Preset(
            "mimicry's ResNets for CIFAR-10: 256 channels in G, 128 in the critic", architecture="mimicry"
        ),
        "stl_48": Preset(
            "mimicry's ResNets for 48x48 colour: 512 to 64 channels in G, up to 1024 in the critic",
            {"resolution": 48},
            architecture="mimicry",
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "resnet",
        resolution: int | None = None,
        channels: int = 3,
        latent_dim: int = 128,
        base_channels: int | None = None,
        penalty_weight: float = 10.0,
        n_critic: int = 5,
        learning_rate: float = 2e-4,
        ema_decay: float | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ):
        entry, given = self.settled(
            ARCHITECTURES, architecture, resolution=resolution, base_channels=base_channels
        )
        super().__init__(
            *entry.build(seed, channels=channels, latent_dim=latent_dim, **given),
            loss="wasserstein",
            penalties=[GradientPenalty(penalty_weight)],
            n_critic=n_critic,
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
            discriminator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
            batch_size=batch_size,
            seed=seed,
        )


def batch_norm() -> layers.Layer:
    """The code's: momentum 0.9, epsilon 1e-5."""
    return BatchNormalization(momentum=0.9, epsilon=1e-5)
