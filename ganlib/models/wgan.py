"""WGAN: Wasserstein generative adversarial networks.

Arjovsky, Chintala, Bottou. ICML 2017, arXiv:1701.07875.
Game: eq. 2; -(critic's loss) estimates the Wasserstein distance, up to a factor that clipping leaves open. Recipe:
algorithm 1 (c = 0.01, n_critic = 5, m = 64, RMSprop 5e-5). Networks: section 4.3: the DCGAN of figure 5; without batch
norm and with a constant number of filters, figure 6; a multilayer perceptron as generator, figure 7.

Differs from the authors' code (martinarjovsky/WassersteinGAN, commit 2cf43ba), not from algorithm 1: n_critic is 5
throughout, where the code takes 100 steps for each of the first 25 updates of G and for every 500th; weights are
clipped after each update of the critic, not before it. RMSprop's decay (0.99) and epsilon are the defaults of the
code's framework, the paper has none; it divides by sqrt(v) + 1e-8, Keras by sqrt(v + epsilon), so epsilon is 1e-16. The
code's generator without batch norm halves its filters at each stage; here they are constant, as figure 6's caption has
it. The perceptron's weights start as Keras has them (Glorot & Bengio's, biases 0), in the code as torch has them (both
uniform, up to 1 / sqrt(fan in)). The perceptron of figure 7 has "4 layers and 512 units": four hidden layers here;
three and an output, without tanh, in the code. Here there is tanh for images in [-1, 1]. There, as here, the critic
keeps batch norm, whose scales are clipped with the rest.

Both generators of figures 6 and 7 are functions: `GAN(plain_generator(...), dcgan.discriminator(...))` is the standard
GAN that they are compared with.
"""

import functools
from typing import ClassVar

import keras
from keras import layers

from ganlib.arguments import require_positive
from ganlib.gan import GAN
from ganlib.layers.sizes import smallest_size
from ganlib.models import dcgan
from ganlib.presets import Architecture, Preset, made
from ganlib.tricks import WeightClipping


def plain_generator(
    resolution: int, channels: int, latent_dim: int, base_channels: int, kernel_size: int
) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Figure 6.

    The DCGAN generator without batch norm, and with `base_channels` filters at every stage.
    """
    size, stages = smallest_size(resolution)
    z = keras.Input((latent_dim,), name="latents")
    start = keras.initializers.RandomNormal(stddev=0.02)
    x = layers.Dense(size * size * base_channels, use_bias=False, kernel_initializer=start)(z)
    x = layers.ReLU()(layers.Reshape((size, size, base_channels))(x))
    for _ in range(stages - 1):
        x = layers.ReLU()(dcgan.up(base_channels, kernel_size)(x))
    x = dcgan.up(channels, kernel_size)(x)
    return keras.Model(z, layers.Activation("tanh")(x), name="generator")


def mlp_generator(
    resolution: int, channels: int, latent_dim: int, units: int = 512, hidden_layers: int = 4
) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Figure 7: ReLU layers."""
    z = keras.Input((latent_dim,), name="latents")
    x = z
    for _ in range(hidden_layers):
        x = layers.Dense(units, activation="relu")(x)
    x = layers.Dense(resolution * resolution * channels, activation="tanh")(x)
    return keras.Model(z, layers.Reshape((resolution, resolution, channels))(x), name="generator")


def _pair(make, resolution, channels, latent_dim, base_channels, kernel_size):
    sizes = (resolution, channels, base_channels, kernel_size)
    return made(make, resolution, channels, latent_dim, *sizes[2:]), dcgan.discriminator(*sizes)


ARCHITECTURES = {
    "dcgan": Architecture(functools.partial(_pair, dcgan.generator)),
    "plain": Architecture(functools.partial(_pair, plain_generator)),
    "mlp": Architecture(functools.partial(_pair, lambda *sizes: mlp_generator(*sizes[:3]))),
}
_LAPTOP = {
    "resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "ema_decay": 0.995, "learning_rate": 5e-4,
}  # fmt: skip


@keras.saving.register_keras_serializable("ganlib")
class WGAN(GAN):
    """The DCGAN pair, the critic's output read as it is and its weights kept small.

    Args:
        architecture: "dcgan"; "plain" for figure 6, a G without batch norm and with `base_channels` filters at every
            stage; "mlp" for figure 7, a G of four hidden layers of 512 ReLU units (`base_channels` is the critic's).
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: Channels of the stage next to the image; each stage further has twice as many.
        kernel_size: Of all convolutions.
        clip: c, the largest absolute value of a weight of the critic.
        n_critic: Critic updates for each G update.
        learning_rate: Of both players' RMSprop.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a critic update.
        seed: Seed of the run.
    """

    title = "Wasserstein Generative Adversarial Networks"
    authors = "Arjovsky, Chintala, Bottou"
    year = 2017
    arxiv = "1701.07875"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 4, "batch_size": 8,
             "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey; learning rate 5e-4, ten times the paper's, for minutes instead of days", _LAPTOP,
        ),
        "colab": Preset(
            "32x32 colour, 64 to 256 channels, the paper's recipe",
            {"resolution": 32, "ema_decay": 0.999},
        ),
        "lsun_64": Preset("the paper's figure 5: 64x64 colour, the authors' DCGAN pair"),
        "lsun_64_plain": Preset(
            "the paper's figure 6: G without batch norm, 64 filters at every stage", architecture="plain"
        ),
        "lsun_64_mlp": Preset(
            "the paper's figure 7: G with 4 hidden layers of 512 ReLU units", architecture="mlp"
        ),
        "laptop_plain": Preset("laptop with the G of figure 6", _LAPTOP, "plain"),
        "laptop_mlp": Preset("laptop with the G of figure 7", _LAPTOP, "mlp"),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "dcgan",
        resolution: int = 64,
        channels: int = 3,
        latent_dim: int = 100,
        base_channels: int = 64,
        kernel_size: int = 4,
        clip: float = 0.01,
        n_critic: int = 5,
        learning_rate: float = 5e-5,
        ema_decay: float | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ):
        require_positive(example="5e-5", learning_rate=learning_rate)
        entry, _ = self.settled(ARCHITECTURES, architecture)
        sizes = {"resolution": resolution, "channels": channels, "latent_dim": latent_dim}
        sizes |= {"base_channels": base_channels, "kernel_size": kernel_size}
        super().__init__(
            *entry.build(seed, **sizes),
            loss="wasserstein",
            tricks=[WeightClipping(clip)],
            n_critic=n_critic,
            ema_decay=ema_decay,
            generator_optimizer=_rmsprop(learning_rate),
            discriminator_optimizer=_rmsprop(learning_rate),
            batch_size=batch_size,
            seed=seed,
        )


def _rmsprop(learning_rate: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.RMSprop(learning_rate, rho=0.99, epsilon=1e-16)
