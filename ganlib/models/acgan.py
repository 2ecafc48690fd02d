"""ACGAN: conditional image synthesis with auxiliary classifier GANs.

Odena, Olah, Shlens. ICML 2017, arXiv:1610.09585.
Game: section 4. D sees images without their class and says two things, where an image is from (S, eq. 2) and what class
it is of (C, eq. 3):

    L_S = E log P(S = real | x) + E log P(S = fake | G(z, c))
    L_C = E log P(C = c | x)    + E log P(C = c | G(z, c))

D maximises L_S + L_C, G maximises L_C - L_S. Networks and recipe: appendix A (table 2, CIFAR-10, and table 1,
ImageNet): z and a one-hot class, a dense layer, transposed 5x5 convolutions with batch norm; six 3x3 convolutions with
batch norm, leaky ReLU of slope 0.2 and dropout 1/2, and a dense layer with 1 + num_classes outputs; normal(0.02)
weights, Adam 2e-4 with beta1 0.5, batch 100.

The paper trains a model of its own for each ten classes of ImageNet. G's side of -L_S is the minimax game, which
starves G where D is sure; loss="non_saturating" has -E log P(S = real | G(z, c)) in its place, as most codes do.

Differs from the paper: no noise on D's activations (the best of its standard deviations, 0, 0.1 and 0.2, is not told),
and no bias in front of a batch norm, which would take it out again. Where table 1 starts from (8x8, so that four
doublings make 128) is ours.
"""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import layers

from ganlib import losses
from ganlib.arguments import require_share
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.layers import BatchNormalization, Dropout, OneHot
from ganlib.layers.sizes import smallest_size
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made


def generator(
    size: int, channels: int, num_classes: int, latent_dim: int, widths: Sequence[int]
) -> keras.Model:
    """[z (batch, latent_dim), labels (batch,)] -> image in [-1, 1], height and width size * 2 ** len(widths).

    Args:
        size: Height and width that the dense layer makes.
        channels: Of the image.
        num_classes: Entries of the one-hot class beside z.
        latent_dim: Of z.
        widths: Channels that the dense layer makes, and of each doubling but the last.
    """
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    x = layers.Concatenate()([z, OneHot(num_classes)(labels)])
    x = layers.Dense(size * size * widths[0], activation="relu", kernel_initializer=_normal())(x)
    x = layers.Reshape((size, size, widths[0]))(x)
    for width in widths[1:]:
        x = layers.ReLU()(_batch_norm()(_doubling(width, use_bias=False)(x)))
    x = layers.Activation("tanh")(_doubling(channels)(x))
    return keras.Model([z, labels], x, name="generator")


def discriminator(
    resolution: int, channels: int, num_classes: int, base_channels: int, dropout: float
) -> keras.Model:
    """Image (batch, resolution, resolution, channels) -> [logit of "real" (batch, 1), of classes (batch, num_classes)].

    Args:
        resolution: Of the images.
        channels: Of the images.
        num_classes: Outputs of the second head.
        base_channels: Of the first convolution; each further one has twice as many.
        dropout: Share of activations that is dropped after each convolution.
    """
    image = keras.Input((resolution, resolution, channels), name="image")
    x = image
    for i in range(6):
        first, width = i == 0, base_channels * 2**i
        x = layers.Conv2D(
            width, 3, strides=2 - i % 2, padding="same", use_bias=first, kernel_initializer=_normal()
        )(x)
        x = x if first else _batch_norm()(x)
        x = Dropout(dropout)(layers.LeakyReLU(0.2)(x))
    x = layers.Flatten()(x)
    source = layers.Dense(1, kernel_initializer=_normal(), name="source")(x)
    classes = layers.Dense(num_classes, kernel_initializer=_normal(), name="classes")(x)
    return keras.Model(image, [source, classes], name="discriminator")


def cifar10(resolution: int, base_channels: int) -> tuple[int, list[int]]:
    """Where G starts, and its widths from there: table 2's 384, 192, 96 at 32x32."""
    size, stages = smallest_size(resolution)
    return size, [base_channels * 2**stage for stage in reversed(range(stages))]


def imagenet(resolution: int, base_channels: int) -> tuple[int, list[int]]:
    """The same of table 1: 768, 384, 256, 192 from 8x8 to 128x128.

    Raises:
        InputError: The resolution is not 16 times an even number.
    """
    if resolution % 16:
        raise InputError(f"resolution={resolution} is not a multiple of 16: the networks of table 1 make 128")
    return resolution // 16, [4 * base_channels, 2 * base_channels, 4 * base_channels // 3, base_channels]


def _networks(
    widths_of, resolution, channels, num_classes, latent_dim, base_channels, discriminator_channels, dropout
):
    size, widths = widths_of(resolution, base_channels)
    return (
        made(generator, size, channels, num_classes, latent_dim, widths),
        discriminator(resolution, channels, num_classes, discriminator_channels, dropout),
    )


ARCHITECTURES = {
    "cifar10": Architecture(functools.partial(_networks, cifar10), {"resolution": 32, "base_channels": 96}),
    "imagenet": Architecture(
        functools.partial(_networks, imagenet), {"resolution": 128, "base_channels": 192}
    ),
}


@keras.saving.register_keras_serializable("ganlib")
class ACGAN(GAN):
    """A D that names the class of what it sees, and a G that is paid for being recognised.

    Args:
        architecture: "cifar10" for table 2, "imagenet" for table 1. What is None below is the architecture's.
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8; of "imagenet" 128.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes the labels have.
        latent_dim: Dimension of z, normal.
        base_channels: Channels of G before the image; in "cifar10" each stage further has twice as many.
        discriminator_channels: Of D's first convolution; each further one has twice as many.
        dropout: Share of D's activations that is dropped.
        loss: Game over the source: "minimax" is the paper's L_S; "non_saturating" changes G's side of it.
        learning_rate: Of both players' Adam.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    title = "Conditional Image Synthesis with Auxiliary Classifier GANs"
    authors = "Odena, Olah, Shlens"
    year = 2017
    arxiv = "1610.09585"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 10 classes, 8 and 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 8,
             "discriminator_channels": 4, "batch_size": 8, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey, 10 classes, in minutes on two CPU cores",
            {"channels": 1, "latent_dim": 64, "base_channels": 24, "discriminator_channels": 8,
             "loss": "non_saturating", "learning_rate": 2e-3, "ema_decay": 0.995, "batch_size": 64},
        ),
        "colab": Preset(
            "32x32 colour, 10 classes, the paper's networks, for a GPU",
            {"loss": "non_saturating", "ema_decay": 0.999},
        ),
        "cifar10_32": Preset("the paper's table 2: 32x32 colour, 10 classes"),
        "imagenet_128": Preset(
            "the paper's table 1: 128x128 colour, ten of ImageNet's classes", architecture="imagenet"
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "cifar10",
        resolution: int | None = None,
        channels: int = 3,
        num_classes: int = 10,
        latent_dim: int = 100,
        base_channels: int | None = None,
        discriminator_channels: int = 16,
        dropout: float = 0.5,
        loss: str | losses.Loss = "minimax",
        learning_rate: float = 2e-4,
        ema_decay: float | None = None,
        batch_size: int = 100,
        seed: int = 0,
    ):
        entry, sizes = self.settled(
            ARCHITECTURES, architecture, resolution=resolution, base_channels=base_channels
        )
        sizes |= {"channels": channels, "num_classes": num_classes, "latent_dim": latent_dim}
        sizes["discriminator_channels"] = discriminator_channels
        require_share(example="0.5", dropout=dropout)
        super().__init__(
            *entry.build(seed, {"dropout": dropout}, **sizes),
            num_classes=num_classes,
            loss=loss,
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=0.5),
            discriminator_optimizer=adam(learning_rate, beta_1=0.5),
            batch_size=batch_size,
            seed=seed,
        )

    def shown_to(self, player, images, condition):
        """D is not told the class."""
        return images

    def discriminator_loss(self, batch):
        """-(L_S + L_C) on real `batch` and as many samples of the same classes, and its logs. G stands still."""
        real, labels = self.split_batch(batch)
        fake, moved = self._fakes("discriminator", real, labels)

        def classes(real_outputs, fake_outputs):
            logs = {
                "real_class_loss": class_loss(real_outputs[1], labels),
                "fake_class_loss": class_loss(fake_outputs[1], labels),
            }
            return [*logs.values(), *moved], logs | {"real_class_accuracy": accuracy(real_outputs[1], labels)}

        terms = self.discriminator_terms("discriminator", real, fake, labels, classes)
        return terms.loss, terms.logs

    def generator_loss(self, batch):
        """L_S - L_C on fresh samples of the classes of `batch`, and its logs. D stands still."""
        real, labels = self.split_batch(batch)
        fake, moved = self._fakes("generator", real, labels)
        term, (_, fake_classes) = self.generator_term("discriminator", fake, labels, real)
        penalties = self.penalty_terms("generator", real, fake, labels)
        loss = tf.add_n([term, class_loss(fake_classes, labels), *moved, *penalties.values()])
        logs = {"generator_loss": loss, "generator_class_accuracy": accuracy(fake_classes, labels)}
        return loss, {**logs, **penalties}

    def classify(self, images: Any) -> tf.Tensor:
        """D's probabilities of the classes of images (batch, height, width, channels): (batch, num_classes)."""
        return tf.nn.softmax(self.discriminator(images, training=False)[1])


def class_loss(class_logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-E log P(C = c | x): class logits (batch, num_classes) and labels (batch,) -> a scalar. A term of -L_C."""
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.cast(labels, tf.int32), logits=class_logits)
    )


def accuracy(class_logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The share of samples whose class has the largest logit: a scalar."""
    found = tf.argmax(class_logits, axis=1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(found == tf.cast(labels, tf.int32), tf.float32))


def _doubling(channels: int, use_bias: bool = True) -> layers.Layer:
    return layers.Conv2DTranspose(
        channels, 5, strides=2, padding="same", use_bias=use_bias, kernel_initializer=_normal()
    )


def _batch_norm() -> layers.Layer:
    return BatchNormalization(momentum=0.9, epsilon=1e-5)


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)
