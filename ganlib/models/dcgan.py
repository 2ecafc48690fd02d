"""DCGAN: unsupervised representation learning with deep convolutional generative adversarial networks.

Radford, Metz, Chintala. ICLR 2016, arXiv:1511.06434.
Networks: figure 1 (64x64; G has 18,855,040 parameters), without biases as in the authors' code; D mirrors G. The rules
of section 3: strides for pooling, batch norm in both (not on G's output and D's input), no hidden dense layers, ReLU
and tanh in G, leaky ReLU in D. Recipe: section 4 (batch 128, normal(0.02) weights, slope 0.2, Adam 2e-4 with beta1 0.5,
z uniform on [-1, 1]).

Differs from the paper: no weight decay (the authors' code has 1e-5, the paper none); real and generated images go
through D in batches of their own, as in the authors' code. Other resolutions take away or add stages of figure 1.

`LectureDCGAN` is the CMU lecture's code (TensorFlow's tutorial), which breaks two of the rules.
"""

from typing import ClassVar

import keras
import tensorflow as tf
from keras import layers

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.errors import InputError
from ganlib.gan import GAN, batch_size_of, discriminator_logs
from ganlib.layers import BatchNormalization, Dropout
from ganlib.randomness import seeded


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


@keras.saving.register_keras_serializable("ganlib")
class DCGAN(GAN):
    """Two convolutional networks, and the rules that let them train.

    Args:
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: Channels of the stage next to the image; each stage further has twice as many.
        kernel_size: Of all convolutions; the paper's is 5. An even one treats all pixels of a stride of 2 alike.
        latent_distribution: "uniform" on [-1, 1], as in the paper, or "normal".
        learning_rate: Of both players' Adam.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    title = "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks"
    authors = "Radford, Metz, Chintala"
    year = 2016
    arxiv = "1511.06434"
    presets: ClassVar = {
        "smoke": {
            "description": "8x8 grey, 4 channels: seconds, for tests",
            "arguments": {
                "resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 4, "kernel_size": 4, "batch_size": 8,
                "ema_decay": 0.9,
            },
        },
        "laptop": {
            "description": "32x32 grey in minutes on two CPU cores",
            "arguments": {
                "resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "kernel_size": 4,
                "batch_size": 64, "ema_decay": 0.995, "latent_distribution": "normal",
            },
        },
        "fashion_32_zoo": {
            "description": "laptop, trained: 600,000 images of Fashion-MNIST",
            "arguments": {
                "resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "kernel_size": 4,
                "learning_rate": 4e-4, "batch_size": 64, "ema_decay": 0.999, "latent_distribution": "normal",
            },
            "weights": "dcgan_fashion_32.weights.h5",
        },
        "colab": {
            "description": "32x32 colour, 64 to 256 channels, for a GPU",
            "arguments": {
                "resolution": 32, "channels": 3, "base_channels": 64, "kernel_size": 4, "ema_decay": 0.999,
            },
        },
        "lsun_64": {"description": "the paper's figure 1: 64x64 colour, 128 to 1024 channels", "arguments": {}},
    }  # fmt: skip

    def __init__(
        self,
        resolution: int = 64,
        channels: int = 3,
        latent_dim: int = 100,
        base_channels: int = 128,
        kernel_size: int = 5,
        latent_distribution: str = "uniform",
        learning_rate: float = 2e-4,
        ema_decay: float | None = None,
        batch_size: int = 128,
        seed: int = 0,
    ):
        require_positive_integers(
            resolution=resolution,
            channels=channels,
            latent_dim=latent_dim,
            base_channels=base_channels,
            kernel_size=kernel_size,
        )
        require_positive(example="2e-4", learning_rate=learning_rate)
        with seeded(seed):
            super().__init__(
                generator(resolution, channels, latent_dim, base_channels, kernel_size),
                discriminator(resolution, channels, base_channels, kernel_size),
                loss="non_saturating",
                ema_decay=ema_decay,
                generator_optimizer=keras.optimizers.Adam(learning_rate, beta_1=0.5, epsilon=1e-8),
                discriminator_optimizer=keras.optimizers.Adam(learning_rate, beta_1=0.5, epsilon=1e-8),
                batch_size=batch_size,
                latent_distribution=latent_distribution,
                seed=seed,
            )


def lecture_generator(latent_dim: int) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, 28, 28, 1): the lecture's `dcgan_generator.py`; leaky ReLU, slope 0.3."""
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


def lecture_discriminator() -> keras.Model:
    """Image (batch, 28, 28, 1) -> logit (batch, 1): the lecture's `dcgan_discriminator.py`; dropout, no batch norm."""
    image = keras.Input((28, 28, 1), name="image")
    x = layers.Conv2D(64, 5, strides=2, padding="same")(image)
    x = Dropout(0.3)(layers.LeakyReLU(0.3)(x))
    x = layers.Conv2D(128, 5, strides=2, padding="same")(x)
    x = Dropout(0.3)(layers.LeakyReLU(0.3)(x))
    return keras.Model(image, layers.Dense(1)(layers.Flatten()(x)), name="discriminator")


@keras.saving.register_keras_serializable("ganlib")
class LectureDCGAN(DCGAN):
    """The lecture's pair: leaky ReLU in G and no batch norm in D; Adam 1e-4, batch 256, normal z, no average.

    Args:
        latent_dim: Dimension of z.
        learning_rate: Of both players' Adam.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    def __init__(
        self, latent_dim: int = 100, learning_rate: float = 1e-4, batch_size: int = 256, seed: int = 0
    ):
        require_positive_integers(latent_dim=latent_dim)
        with seeded(seed):
            GAN.__init__(
                self,
                lecture_generator(latent_dim),
                lecture_discriminator(),
                loss="non_saturating",
                ema_decay=None,
                generator_optimizer=keras.optimizers.Adam(learning_rate),
                discriminator_optimizer=keras.optimizers.Adam(learning_rate),
                batch_size=batch_size,
                seed=seed,
            )

    def play(self, batches):
        """Both gradients on one batch of samples and before either network moves, as the tutorial takes them."""
        real, _ = self.split_batch(batches[0])
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake = self.generate(batch_size_of(real))
            with self.streams.scope("real"):
                real_logits = self.discriminator(real, training=True)
            with self.streams.scope("fake"):
                fake_logits = self.discriminator(fake, training=True)
            generator_loss = self.adversarial_loss.generator(fake_logits)
            real_loss, fake_loss = self.adversarial_loss.discriminator(real_logits, fake_logits)
            discriminator_loss = real_loss + fake_loss
        self.minimize(
            {
                "generator": (generator_loss, generator_tape),
                "discriminator": (discriminator_loss, discriminator_tape),
            }
        )
        logs = discriminator_logs(real_loss, fake_loss, real_logits, fake_logits)
        return {**logs, "generator_loss": generator_loss}


DCGAN.presets["cmu_28"] = {
    "description": "the CMU lecture's 28x28 pair (TensorFlow's tutorial), batch 256",
    "class": LectureDCGAN,
    "arguments": {},
}


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


def smallest_size(resolution: int) -> tuple[int, int]:
    """The resolution that G starts from, and the number of doublings from there: 64 -> (4, 4), 28 -> (7, 2).

    Raises:
        InputError: `resolution` is not 4, 5, 6 or 7 times a power of two, or below 8.
    """
    size, stages = resolution, 0
    while size >= 8 and size % 2 == 0:
        size, stages = size // 2, stages + 1
    if not 4 <= size < 8 or stages == 0:
        raise InputError(
            f"resolution={resolution} is not 4, 5, 6 or 7 times a power of two: use 28, 32, 64 or 128"
        )
    return size, stages


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)
