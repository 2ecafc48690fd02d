"""SNGAN: spectral normalization for generative adversarial networks.

Miyato, Kataoka, Koyama, Yoshida. ICLR 2018, arXiv:1802.05957.
Networks: table 4 (ResNets for 32x32; G has 4,276,739 parameters, D 1,053,825), and table 3 (CNN). Every weight of D is
W / sigma(W), eq. 8, with one power step a call. Recipe: hinge loss (eqs. 16, 17); Adam 2e-4 with beta1 0 and beta2 0.9,
five D steps a G step and batch 64, which are Gulrajani et al.'s and what the authors' ResNets are trained with
(appendix B.2; it is none of the settings A to F of table 1, which compare CNNs); z normal, 128 numbers. Initial weights
and batch norm (momentum 0.9, epsilon 2e-5) are the authors' code's.

Differs from the authors' code (pfnet-research/sngan_projection, commit e84b1a5): no noise of 1/128 on real images, and
no linear decay of the learning rate; G's batch is as large as D's, theirs twice that (`n_gen_samples`); D's last layer
has a bias, theirs none. Other resolutions than 32 add or take away doublings of the same width in G, and halvings
before D's last two blocks.
"""

from typing import ClassVar

import keras
from keras import layers

from ganlib.arguments import require_positive
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.layers import BatchNormalization, GlobalSumPooling2D
from ganlib.layers.residual import plain, residual_down, residual_first, residual_same, residual_up, spectral
from ganlib.layers.sizes import smallest_size
from ganlib.layers.spectral_normalization import SpectralConv2D, SpectralDense
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made


def generator(resolution: int, channels: int, latent_dim: int, base_channels: int) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Table 4, left."""
    size, stages = smallest_size(resolution)
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(size * size * base_channels)(z)
    x = layers.Reshape((size, size, base_channels))(x)
    for _ in range(stages):
        x = residual_up(x, base_channels, plain, batch_norm)
    x = layers.ReLU()(batch_norm()(x))
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh")(x)
    return keras.Model(z, x, name="generator")


def discriminator(resolution: int, channels: int, base_channels: int) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> logit (batch, 1). Table 4, right."""
    _, stages = smallest_size(resolution)
    image = keras.Input((resolution, resolution, channels), name="image")
    x = residual_first(image, base_channels, spectral)
    for _ in range(stages - 2):
        x = residual_down(x, base_channels, spectral)
    for _ in range(2):
        x = residual_same(x, base_channels, spectral)
    x = GlobalSumPooling2D()(layers.ReLU()(x))
    return keras.Model(image, SpectralDense(1)(x), name="discriminator")


def cnn_generator(resolution: int, channels: int, latent_dim: int, base_channels: int) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Table 3a.

    No bias in front of a batch norm, which would take it out again.

    Raises:
        InputError: The resolution is not a multiple of 8.
    """
    if resolution % 8:
        raise InputError(f"resolution={resolution} is not a multiple of 8: use 32 or 48, for example")
    size = resolution // 8
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((size, size, 8 * base_channels))(layers.Dense(size * size * 8 * base_channels)(z))
    for width in (4 * base_channels, 2 * base_channels, base_channels):
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(batch_norm()(x))
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh")(x)
    return keras.Model(z, x, name="generator")


def cnn_discriminator(resolution: int, channels: int, base_channels: int) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> logit (batch, 1). Table 3b; leaky ReLU with slope 0.1."""
    image = keras.Input((resolution, resolution, channels), name="image")
    x = image
    for width in (base_channels, 2 * base_channels, 4 * base_channels):
        x = layers.LeakyReLU(0.1)(SpectralConv2D(width, 3, padding="same")(x))
        x = layers.LeakyReLU(0.1)(SpectralConv2D(width, 4, strides=2, padding="same")(x))
    x = layers.LeakyReLU(0.1)(SpectralConv2D(8 * base_channels, 3, padding="same")(x))
    return keras.Model(image, SpectralDense(1)(layers.Flatten()(x)), name="discriminator")


ARCHITECTURES = {
    "resnet": Architecture(
        lambda resolution, channels, latent_dim, base_channels: (
            made(generator, resolution, channels, latent_dim, base_channels),
            discriminator(resolution, channels, max(1, base_channels // 2)),
        ),
        {"base_channels": 256},
    ),
    "cnn": Architecture(
        lambda resolution, channels, latent_dim, base_channels: (
            made(cnn_generator, resolution, channels, latent_dim, base_channels),
            cnn_discriminator(resolution, channels, base_channels),
        ),
        {"base_channels": 64},
    ),
}


@keras.saving.register_keras_serializable("ganlib")
class SNGAN(GAN):
    """ResNets, and a D that spectral normalisation keeps from becoming steep.

    Args:
        architecture: "resnet" for table 4, or "cnn" for table 3: strides for doubling and halving, no shortcuts.
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8; for "cnn" a
            multiple of 8.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: Of "resnet" the channels of all of G, D having half as many (table 4: 256 and 128); of "cnn"
            those next to the image, in both networks (64). None: the paper's.
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
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "resnet",
        resolution: int = 32,
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
        entry, given = self.settled(ARCHITECTURES, architecture, base_channels=base_channels)
        sizes = {"resolution": resolution, "channels": channels, "latent_dim": latent_dim, **given}
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
