"""SNGAN: spectral normalization for generative adversarial networks.

Miyato, Kataoka, Koyama, Yoshida. ICLR 2018, arXiv:1802.05957.
Networks: table 4 (ResNets for 32x32; G has 4,276,739 parameters, D 1,053,825), and table 3 (CNN; G has 3,813,379 at
32x32 and 5,134,339 at 48x48). Every weight of D is W / sigma(W), eq. 8, with one power step a call. Recipe: hinge
loss (eqs. 16, 17); Adam 2e-4 with beta1 0 and beta2 0.9, five D steps a G step and batch 64, which are Gulrajani et
al.'s and what the authors' ResNets are trained with (appendix B.2; it is none of the settings A to F of table 1, which
compare CNNs); z normal, 128 numbers. Initial weights and batch norm (momentum 0.9, epsilon 2e-5) are the authors'
code's.

Differs from the authors' code (pfnet-research/sngan_projection, commit e84b1a5): no noise of 1/128 on real images, and
no linear decay of the learning rate; G's batch is as large as D's, theirs twice that (`n_gen_samples`); D's last layer
has a bias, theirs none. Other resolutions than 32 add or take away doublings of the same width in G, and halvings
before D's last two blocks.

"cnn" has batch norm and a ReLU behind G's dense layer and weights that start at N(0, 0.02), which table 3 does not say,
as in the authors' chainer-gan-lib (pfnet-research, commit cf9efba, `common/net.py`, `DCGANGenerator` and
`SNDCGANDiscriminator`) and in compare_gan (google, commit 19922d3, `architectures/sndcgan.py`). Differs from both: that
first batch norm is one a channel, theirs one a unit of the dense layer, and D's strided convolutions keep the width, as
in table 3, where theirs double it; slopes are table 3's 0.1, which compare_gan has too (chainer-gan-lib: 0.2).

"mimicry" has the ResNets of kwotsin/mimicry (commit a7fda06, `torch_mimicry/nets/sngan/`) at 48x48 (4,878,083 +
10,141,441 parameters), 64x64 (12,220,675 + 10,141,441) and 128x128 (32,150,787 + 29,017,857); at 32x32 they are table
4's. Its README trains with this recipe too, with two D steps at 128x128 of CelebA and of LSUN. Differs from it: nearest
neighbours where it doubles bilinearly, batch norm's epsilon (1e-5 there), no linear decay.
"""

import functools
from collections.abc import Sequence
from typing import ClassVar

import keras
from keras import layers

from ganlib.arguments import require_positive
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.layers import BatchNormalization, GlobalSumPooling2D
from ganlib.layers.residual import plain, residual_down, residual_first, residual_same, residual_up, spectral
from ganlib.layers.sizes import constant_widths, mimicry_widths, smallest_size
from ganlib.layers.spectral_normalization import SpectralConv2D, SpectralDense
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made


def generator(resolution: int, channels: int, latent_dim: int, widths: Sequence[int]) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Table 4, left.

    Args:
        resolution: Of the images.
        channels: Of the images.
        latent_dim: Of z.
        widths: Channels at the smallest resolution, and of each block from there.
    """
    size, _ = smallest_size(resolution)
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(size * size * widths[0])(z)
    x = layers.Reshape((size, size, widths[0]))(x)
    for width in widths[1:]:
        x = residual_up(x, width, plain, batch_norm)
    x = layers.ReLU()(batch_norm()(x))
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh")(x)
    return keras.Model(z, x, name="generator")


def discriminator(resolution: int, channels: int, halving: Sequence[int], same: Sequence[int]) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> logit (batch, 1). Table 4, right.

    Args:
        resolution: Of the images.
        channels: Of the images.
        halving: Channels of the blocks that halve the resolution, from the image on.
        same: Channels of the blocks after them.
    """
    image = keras.Input((resolution, resolution, channels), name="image")
    x = residual_first(image, halving[0], spectral)
    for width in halving[1:]:
        x = residual_down(x, width, spectral)
    for width in same:
        x = residual_same(x, width, spectral)
    x = GlobalSumPooling2D()(layers.ReLU()(x))
    return keras.Model(image, SpectralDense(1)(x), name="discriminator")


def cnn_generator(resolution: int, channels: int, latent_dim: int, base_channels: int) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Table 3a.

    Biases in front of batch norms, which take them out again, are there because they are in the authors' code.

    Raises:
        InputError: The resolution is not a multiple of 8.
    """
    if resolution % 8:
        raise InputError(f"resolution={resolution} is not a multiple of 8: use 32 or 48, for example")
    size = resolution // 8
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(size * size * 8 * base_channels, kernel_initializer=_normal())(z)
    x = layers.ReLU()(batch_norm()(layers.Reshape((size, size, 8 * base_channels))(x)))
    for width in (4 * base_channels, 2 * base_channels, base_channels):
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same", kernel_initializer=_normal())(x)
        x = layers.ReLU()(batch_norm()(x))
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh", kernel_initializer=_normal())(x)
    return keras.Model(z, x, name="generator")


def cnn_discriminator(resolution: int, channels: int, base_channels: int) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> logit (batch, 1). Table 3b; leaky ReLU with slope 0.1."""
    image = keras.Input((resolution, resolution, channels), name="image")
    x = image
    conv = lambda width, size, strides: SpectralConv2D(  # noqa: E731
        width, size, strides, padding="same", kernel_initializer=_normal()
    )
    for width in (base_channels, 2 * base_channels, 4 * base_channels):
        x = layers.LeakyReLU(0.1)(conv(width, 3, 1)(x))
        x = layers.LeakyReLU(0.1)(conv(width, 4, 2)(x))
    x = layers.LeakyReLU(0.1)(conv(8 * base_channels, 3, 1)(x))
    logit = SpectralDense(1, kernel_initializer=_normal())(layers.Flatten()(x))
    return keras.Model(image, logit, name="discriminator")


def _residual(widths_of, resolution, channels, latent_dim, base_channels):
    widths, halving, same = widths_of(resolution, base_channels)
    return (
        made(generator, resolution, channels, latent_dim, widths),
        discriminator(resolution, channels, halving, same),
    )


ARCHITECTURES = {
    "resnet": Architecture(
        functools.partial(_residual, constant_widths), {"resolution": 32, "base_channels": 256}
    ),
    "cnn": Architecture(
        lambda resolution, channels, latent_dim, base_channels: (
            made(cnn_generator, resolution, channels, latent_dim, base_channels),
            cnn_discriminator(resolution, channels, base_channels),
        ),
        {"resolution": 32, "base_channels": 64},
    ),
    "mimicry": Architecture(
        functools.partial(_residual, mimicry_widths), {"resolution": 64, "base_channels": 64}
    ),
}


@keras.saving.register_keras_serializable("ganlib")
class SNGAN(GAN):
    """ResNets, and a D that spectral normalisation keeps from becoming steep.

    Args:
        architecture: "resnet" for table 4, "cnn" for table 3 (strides for doubling and halving, no shortcuts), or
            "mimicry". What is None below is the architecture's.
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8; for "cnn" a
            multiple of 8; for "mimicry" 32, 48, 64 or 128. None: 32, for "mimicry" 64.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: Of "resnet" the channels of all of G, D having half as many (table 4: 256 and 128); of "cnn" and
            "mimicry" those next to the image, in both networks (64).
        n_critic: D updates for each G update.
        learning_rate: Of G's Adam.
        discriminator_learning_rate: Of D's; None: the same.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    title = "Spectral Normalization for Generative Adversarial Networks"
    authors = "Miyato, Kataoka, Koyama, Yoshida"
    year = 2018
    arxiv = "1802.05957"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 8 and 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 8, "n_critic": 2,
             "batch_size": 8, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey in minutes on two CPU cores",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 16, "n_critic": 1,
             "learning_rate": 1e-3, "ema_decay": 0.995},
        ),
        "fashion_32_zoo": Preset(
            "laptop with 32 channels, trained: 350,000 images of Fashion-MNIST",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "n_critic": 1,
             "learning_rate": 5e-4, "ema_decay": 0.999},
            weights="sngan_fashion_32.weights.h5",
        ),
        "colab": Preset(
            "32x32 colour, 128 and 64 channels, for a GPU",
            {"resolution": 32, "channels": 3, "base_channels": 128, "ema_decay": 0.999},
        ),
        "cifar10_32": Preset("the paper's table 4: 32x32 colour, 256 and 128 channels"),
        "cifar10_32_cnn": Preset(
            "the paper's table 3: 32x32 colour, 64 to 512 channels, no shortcuts", architecture="cnn"
        ),
        "stl_48": Preset(
            "mimicry's ResNets for 48x48 colour: 512 to 64 channels in G, up to 1024 in D",
            {"resolution": 48},
            architecture="mimicry",
        ),
        "celeba_64": Preset(
            "mimicry's ResNets for 64x64 colour: 64 to 1024 channels", {"resolution": 64}, architecture="mimicry"
        ),
        "lsun_128": Preset(
            "mimicry's ResNets for 128x128 colour: 64 to 1024 channels, two D steps",
            {"resolution": 128, "n_critic": 2},
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
        n_critic: int = 5,
        learning_rate: float = 2e-4,
        discriminator_learning_rate: float | None = None,
        ema_decay: float | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ):
        entry, given = self.settled(
            ARCHITECTURES, architecture, resolution=resolution, base_channels=base_channels
        )
        sizes = {"channels": channels, "latent_dim": latent_dim, **given}
        if discriminator_learning_rate is None:
            discriminator_learning_rate = learning_rate
        require_positive(
            example="2e-4",
            learning_rate=learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
        )
        super().__init__(
            *entry.build(seed, **sizes),
            loss="hinge",
            n_critic=n_critic,
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
            discriminator_optimizer=adam(discriminator_learning_rate, beta_1=0.0, beta_2=0.9),
            batch_size=batch_size,
            seed=seed,
        )


def batch_norm() -> layers.Layer:
    """Chainer's defaults, which the authors' code uses."""
    return BatchNormalization(momentum=0.9, epsilon=2e-5)


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)
