"""DCGAN: unsupervised representation learning with deep convolutional generative adversarial networks.

Radford, Metz, Chintala. ICLR 2016, arXiv:1511.06434.
Networks: figure 1 (64x64; G has 18,855,040 parameters), without biases as in the authors' code; D mirrors G. The rules
of section 3: strides for pooling, batch norm in both (not on G's output and D's input), no hidden dense layers, ReLU
and tanh in G, leaky ReLU in D. Recipe: section 4 (batch 128, normal(0.02) weights, slope 0.2, Adam 2e-4 with beta1 0.5,
z uniform on [-1, 1]).

Differs from the paper: no weight decay (the authors' code has 1e-5, the paper none); real and generated images go
through D in batches of their own, as in the authors' code. Other resolutions take away or add stages of figure 1.
Differs from the authors' code (Newmu/dcgan_code, commit ee12b2d, `faces/train_uncond_dcgan.py` and `lib/ops.py`): batch
norm's epsilon is 1e-5, theirs 1e-8; G's first batch norm is one a channel, theirs one a unit of the dense layer;
samples are made with running averages (momentum 0.9), theirs with the statistics of the batch.

The architecture "lecture" is the CMU lecture's code (TensorFlow's tutorial): leaky ReLU in G and no batch norm in D,
which breaks two of the rules; Adam 1e-4, batch 256, normal z, and both networks move at once.

"mimicry" is what kwotsin/mimicry (commit a7fda06, `torch_mimicry/nets/dcgan/`) calls DCGAN: this game on the ResNets of
its SNGAN, without spectral normalisation, at 32x32 (4,276,739 + 1,053,825 parameters), 48x48 (4,878,083 + 10,141,441),
64x64 (12,220,675 + 10,141,441) and 128x128 (32,150,787 + 29,017,857), with the recipe of its README: Adam 2e-4 with
beta1 0 and beta2 0.9, five D steps, batch 64, 128 normal numbers. Differs from it: nearest neighbours where it doubles
bilinearly, batch norm's epsilon (1e-5 there, 2e-5 here), no linear decay.
"""

from collections.abc import Sequence
from typing import ClassVar

import keras
from keras import layers

from ganlib.adversarial import discriminator_logs
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.layers import BatchNormalization, Dropout, GlobalSumPooling2D
from ganlib.layers.residual import plain, residual_down, residual_first, residual_same
from ganlib.layers.sizes import mimicry_widths, smallest_size
from ganlib.models import sngan
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made
from ganlib.replicas import batch_size_of
from ganlib.updates import Move, Table, Update


def generator(
    resolution: int, channels: int, latent_dim: int, base_channels: int, kernel_size: int
) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1]. Figure 1."""
    size, stages = smallest_size(resolution)
    width = base_channels * 2 ** (stages - 1)
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(size * size * width, use_bias=False, kernel_initializer=_normal())(z)
    x = layers.Reshape((size, size, width))(x)
    x = layers.ReLU()(batch_norm()(x))
    for stage in range(1, stages):
        x = up(width // 2**stage, kernel_size)(x)
        x = layers.ReLU()(batch_norm()(x))
    x = up(channels, kernel_size)(x)
    return keras.Model(z, layers.Activation("tanh")(x), name="generator")


def discriminator(resolution: int, channels: int, base_channels: int, kernel_size: int) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> logit (batch, 1). Figure 1 mirrored; section 3."""
    _, stages = smallest_size(resolution)
    image = keras.Input((resolution, resolution, channels), name="image")
    x = layers.LeakyReLU(0.2)(down(base_channels, kernel_size)(image))
    for stage in range(1, stages):
        x = down(base_channels * 2**stage, kernel_size)(x)
        x = layers.LeakyReLU(0.2)(batch_norm()(x))
    logit = layers.Dense(1, use_bias=False, kernel_initializer=_normal())(layers.Flatten()(x))
    return keras.Model(image, logit, name="discriminator")


def lecture_generator(resolution: int, channels: int, latent_dim: int) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, 28, 28, 1): the lecture's `dcgan_generator.py`; leaky ReLU, slope 0.3."""
    _require_lectures(resolution, channels)
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(7 * 7 * 256, use_bias=False)(z)
    x = layers.LeakyReLU(0.3)(BatchNormalization(momentum=0.99, epsilon=1e-3)(x))
    x = layers.Reshape((7, 7, 256))(x)
    x = layers.Conv2DTranspose(128, 5, strides=1, padding="same", use_bias=False)(x)
    x = layers.LeakyReLU(0.3)(BatchNormalization(momentum=0.99, epsilon=1e-3)(x))
    x = layers.Conv2DTranspose(64, 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.LeakyReLU(0.3)(BatchNormalization(momentum=0.99, epsilon=1e-3)(x))
    x = layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh")(x)
    return keras.Model(z, x, name="generator")


def lecture_discriminator(resolution: int, channels: int) -> keras.Model:
    """Image (batch, 28, 28, 1) -> logit (batch, 1): the lecture's `dcgan_discriminator.py`; dropout, no batch norm."""
    _require_lectures(resolution, channels)
    image = keras.Input((resolution, resolution, channels), name="image")
    x = layers.Conv2D(64, 5, strides=2, padding="same")(image)
    x = Dropout(0.3)(layers.LeakyReLU(0.3)(x))
    x = layers.Conv2D(128, 5, strides=2, padding="same")(x)
    x = Dropout(0.3)(layers.LeakyReLU(0.3)(x))
    return keras.Model(image, layers.Dense(1)(layers.Flatten()(x)), name="discriminator")


def residual_discriminator(
    resolution: int, channels: int, halving: Sequence[int], same: Sequence[int]
) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> logit (batch, 1): SNGAN's ResNet with weights as they are.

    Args:
        resolution: Of the images.
        channels: Of the images.
        halving: Channels of the blocks that halve the resolution, from the image on.
        same: Channels of the blocks after them.
    """
    image = keras.Input((resolution, resolution, channels), name="image")
    x = residual_first(image, halving[0], plain)
    for width in halving[1:]:
        x = residual_down(x, width, plain)
    for width in same:
        x = residual_same(x, width, plain)
    return keras.Model(image, layers.Dense(1)(GlobalSumPooling2D()(layers.ReLU()(x))), name="discriminator")


def _mimicry(resolution, channels, latent_dim, base_channels, **_):
    widths, halving, same = mimicry_widths(resolution, base_channels)
    return (
        made(sngan.generator, resolution, channels, latent_dim, widths),
        residual_discriminator(resolution, channels, halving, same),
    )


def play_at_once(gan: GAN) -> Table:
    """Both gradients on one batch of samples and before either network moves, as the tutorial takes them."""

    def forward(batch):
        real, _ = gan.split_batch(batch)
        return gan.judged_pair(gan.player("discriminator"), real, gan.generate(batch_size_of(real)))

    def generator_loss(batch, logits):
        loss = gan.adversarial_loss.generator(logits[1])
        return loss, {"generator_loss": loss}

    def discriminator_loss(batch, logits):
        terms = gan.adversarial_loss.discriminator(*logits)
        return sum(terms), discriminator_logs(*terms, *logits)

    rows = (
        Update("generator", ("generator",), generator_loss),
        Update("discriminator", ("discriminator",), discriminator_loss),
    )
    return [Move(rows, forward)]


ARCHITECTURES = {
    "dcgan": Architecture(
        lambda resolution, channels, latent_dim, base_channels, kernel_size: (
            made(generator, resolution, channels, latent_dim, base_channels, kernel_size),
            discriminator(resolution, channels, base_channels, kernel_size),
        ),
        {
            "resolution": 64,
            "channels": 3,
            "latent_dim": 100,
            "base_channels": 128,
            "latent_distribution": "uniform",
            "n_critic": 1,
            "learning_rate": 2e-4,
            "batch_size": 128,
        },
        recipe={"beta_1": 0.5, "epsilon": 1e-8},
    ),
    "lecture": Architecture(
        lambda resolution, channels, latent_dim, **_: (
            made(lecture_generator, resolution, channels, latent_dim),
            lecture_discriminator(resolution, channels),
        ),
        {
            "resolution": 28,
            "channels": 1,
            "latent_dim": 100,
            "base_channels": 128,
            "latent_distribution": "normal",
            "n_critic": 1,
            "learning_rate": 1e-4,
            "batch_size": 256,
        },
        recipe={"beta_1": 0.9, "epsilon": 1e-7},
        table=play_at_once,
    ),
    "mimicry": Architecture(
        _mimicry,
        {
            "resolution": 32,
            "channels": 3,
            "latent_dim": 128,
            "base_channels": 64,
            "latent_distribution": "normal",
            "n_critic": 5,
            "learning_rate": 2e-4,
            "batch_size": 64,
        },
        recipe={"beta_1": 0.0, "beta_2": 0.9, "epsilon": 1e-8},
    ),
}


@keras.saving.register_keras_serializable("ganlib")
class DCGAN(GAN):
    """Two convolutional networks, and the rules that let them train.

    Args:
        architecture: "dcgan", "lecture", whose sizes are fixed, or "mimicry". What is None below is the architecture's.
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8; the paper's is 64. Of
            "mimicry" 32, 48, 64 or 128.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z: 100 in the paper, 128 of "mimicry".
        base_channels: Channels of the stage next to the image; each stage further has twice as many. Of "mimicry" as in
            `SNGAN`.
        kernel_size: Of all convolutions; the paper's is 5. An even one treats all pixels of a stride of 2 alike. Of
            "dcgan" alone.
        latent_distribution: "uniform" on [-1, 1], as in the paper, or "normal", as in the lecture.
        n_critic: D updates for each G update: 1, and 5 of "mimicry". The lecture's move is one.
        learning_rate: Of both players' Adam: 2e-4 in the paper, 1e-4 in the lecture.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a step: 128 in the paper, 256 in the lecture.
        seed: Seed of the run.
    """

    title = "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks"
    authors = "Radford, Metz, Chintala"
    year = 2016
    arxiv = "1511.06434"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 4, "kernel_size": 4,
             "batch_size": 8, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey in minutes on two CPU cores",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "kernel_size": 4,
             "batch_size": 64, "ema_decay": 0.995, "latent_distribution": "normal"},
        ),
        "fashion_32_zoo": Preset(
            "laptop, trained: 600,000 images of Fashion-MNIST",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "kernel_size": 4,
             "learning_rate": 4e-4, "batch_size": 64, "ema_decay": 0.999, "latent_distribution": "normal"},
            weights="dcgan_fashion_32.weights.h5",
        ),
        "colab": Preset(
            "32x32 colour, 64 to 256 channels, for a GPU",
            {"resolution": 32, "channels": 3, "base_channels": 64, "kernel_size": 4, "ema_decay": 0.999},
        ),
        "lsun_64": Preset("the paper's figure 1: 64x64 colour, 128 to 1024 channels"),
        "cmu_28": Preset(
            "the CMU lecture's 28x28 pair (TensorFlow's tutorial), batch 256",
            architecture="lecture",
        ),
        "cifar10_32_mimicry": Preset(
            "mimicry's ResNets for CIFAR-10: 256 channels in G, 128 in D, five D steps", architecture="mimicry"
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "dcgan",
        resolution: int | None = None,
        channels: int | None = None,
        latent_dim: int | None = None,
        base_channels: int | None = None,
        kernel_size: int = 5,
        latent_distribution: str | None = None,
        n_critic: int | None = None,
        learning_rate: float | None = None,
        ema_decay: float | None = None,
        batch_size: int | None = None,
        seed: int = 0,
    ):
        entry, given = self.settled(
            ARCHITECTURES,
            architecture,
            latent_distribution=latent_distribution,
            n_critic=n_critic,
            learning_rate=learning_rate,
            batch_size=batch_size,
            resolution=resolution,
            channels=channels,
            latent_dim=latent_dim,
            base_channels=base_channels,
        )
        if entry.table is not None and given["n_critic"] != 1:
            raise InputError(
                f"n_critic={n_critic!r}: {architecture!r} moves both networks at once; leave it out"
            )
        names = ("resolution", "channels", "latent_dim", "base_channels")
        sizes = {name: given[name] for name in names} | {"kernel_size": kernel_size}
        super().__init__(
            *entry.build(seed, **sizes),
            loss="non_saturating",
            n_critic=given["n_critic"],
            ema_decay=ema_decay,
            generator_optimizer=adam(given["learning_rate"], **entry.recipe),
            discriminator_optimizer=adam(given["learning_rate"], **entry.recipe),
            batch_size=given["batch_size"],
            latent_distribution=given["latent_distribution"],
            seed=seed,
        )

    def updates(self):
        """Algorithm 1, or the architecture's own table."""
        table = self.architecture.table
        return super().updates() if table is None else table(self)


def up(channels: int, kernel_size: int) -> layers.Layer:
    """A fractionally-strided convolution: twice the resolution, no bias."""
    return layers.Conv2DTranspose(
        channels, kernel_size, strides=2, padding="same", use_bias=False, kernel_initializer=_normal()
    )


def down(channels: int, kernel_size: int) -> layers.Layer:
    """A strided convolution: half the resolution, no bias."""
    return layers.Conv2D(
        channels, kernel_size, strides=2, padding="same", use_bias=False, kernel_initializer=_normal()
    )


def batch_norm() -> layers.Layer:
    """Scales start at normal(1, 0.02), as in the authors' code."""
    return BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02)
    )


def _require_lectures(resolution: int, channels: int) -> None:
    if (resolution, channels) != (28, 1):
        raise InputError(
            f"the lecture's networks make grey images of 28x28: not resolution={resolution}, channels={channels}"
        )


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)
