"""pix2pix: image-to-image translation with conditional adversarial networks.

Isola, Zhu, Zhou, Efros. CVPR 2017, arXiv:1611.07004.
Objective: eq. 4, the conditional game plus 100 times the L1 distance (eq. 3). Networks: section 6.1, U-Net and PatchGAN
on [source, target]; U-Net 256 has 54,413,955 parameters, the 70x70 PatchGAN 2,768,705, as in the authors' PyTorch code
(no biases in front of a normalisation). Noise is dropout of 0.5 in the decoder's first three blocks, when translating
too (section 3.2). Recipe: sections 3.3 and 6.2: non-saturating game, D's objective halved, Adam 2e-4 with beta1 0.5,
batch 1.

Normalisation is the paper's batch norm "using the statistics of the test batch" at its batch of 1: each image by
itself, with a scale and an offset a channel, in training and in translation. Written so it is the same at any batch.
Architecture "batch_norm" has batch norm proper, with running averages when translating, for larger batches;
"unconditional" a D that sees targets alone and cannot tell whether one is of its source: rows "GAN" of table 1.

Differs from the authors' code: D's step and G's draw noise of their own; the bottleneck is not normalised (as in their
PyTorch code; batch norm there turned a batch of 1 into zeros in their first code); dropout as in the paper and in their
first code, from the innermost block on (their PyTorch code begins one block later). Learning rates do not decay. Jitter
(286 pixels cut to 256) and mirroring are on in their code, and here off unless asked for: they are options of the data,
`data.paired(..., mirror=True, jitter=True)`.

The preset `laptop` has batches of 16 and four times the paper's rate: of 2, 4 and 8e-4 it has the lowest
FID(fashion-cnn) after 600 steps, 34.7, 15.6 and 9.5. "batch_norm" is as good there: 34.7, 17.1 and 8.9.
"""

import functools
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganlib import losses
from ganlib.adversarial import Adversarial
from ganlib.arguments import require_not_negative, require_positive_integers, require_share
from ganlib.engine import Average
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization, InstanceNormalization
from ganlib.layers.patchgan import patch_logits
from ganlib.layers.unet import Normalization, unet
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made
from ganlib.randomness import seeded
from ganlib.translation import Translator
from ganlib.updates import Player, Update


def generator(
    resolution: int,
    source_channels: int,
    channels: int,
    base_channels: int,
    depth: int,
    dropout: float,
    normalization: Normalization,
) -> keras.Model:
    """Source (batch, resolution, resolution, source_channels) -> target (..., channels) in [-1, 1]. Section 6.1.1."""
    source = keras.Input((resolution, resolution, source_channels), name="source")
    target = unet(source, channels, base_channels, depth, normalization, dropout=dropout)
    return keras.Model(source, target, name="generator")


def discriminator(
    resolution: int,
    source_channels: int | None,
    channels: int,
    base_channels: int,
    receptive_field: int,
    normalization: Normalization,
) -> keras.Model:
    """[target, source], both (batch, resolution, resolution, ...) -> logits (batch, h, w, 1). Section 6.1.2.

    Without source_channels it takes the target alone: D of the rows "GAN" of table 1.
    """
    target = keras.Input((resolution, resolution, channels), name="target")
    if source_channels is None:
        logits = patch_logits(target, base_channels, receptive_field, normalization)
        return keras.Model(target, logits, name="discriminator")
    source = keras.Input((resolution, resolution, source_channels), name="source")
    pair = layers.Concatenate()([source, target])
    logits = patch_logits(pair, base_channels, receptive_field, normalization)
    return keras.Model([target, source], logits, name="discriminator")


@keras.saving.register_keras_serializable("ganlib")
class HalvedNonSaturating(losses.NonSaturating):
    """The game of 2014 with D's side halved, "which slows down the rate at which D learns relative to G" (section 3.3).

    Args:
        label_smoothing: As in `NonSaturating`.
        fake_label_smoothing: As in `NonSaturating`.
    """

    def discriminator(self, real_logits, fake_logits):
        """Half of both terms."""
        real, fake = super().discriminator(real_logits, fake_logits)
        return 0.5 * real, 0.5 * fake


def of_each_image() -> layers.Layer:
    """What follows a convolution: batch norm of a batch of 1; scales start at normal(1, 0.02)."""
    return InstanceNormalization(affine=True, gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02))


def of_the_batch() -> layers.Layer:
    """Batch norm proper: statistics of the batch in training, their running averages in translation."""
    return BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02)
    )


def _networks(
    normalization,
    conditional,
    resolution,
    source_channels,
    channels,
    base_channels,
    depth,
    receptive_field,
    dropout,
):
    told = source_channels if conditional else None
    return (
        made(generator, resolution, source_channels, channels, base_channels, depth, dropout, normalization),
        discriminator(resolution, told, channels, base_channels, receptive_field, normalization),
    )


ARCHITECTURES = {
    "instance_norm": Architecture(functools.partial(_networks, of_each_image, True)),
    "batch_norm": Architecture(functools.partial(_networks, of_the_batch, True)),
    "unconditional": Architecture(functools.partial(_networks, of_each_image, False)),
}


@keras.saving.register_keras_serializable("ganlib")
class Pix2Pix(Adversarial, Translator):
    """Learns from pairs (source, target) to make the target of a source, and what a good target is.

    `batch` of the data: (source, target), row by row; the engine's labels are the sources. The terms of eq. 4 are
    chosen by their weights: `l1_weight=0` is the conditional game alone, `adversarial_weight=0` L1 alone.

    Args:
        architecture: "instance_norm", "batch_norm" or "unconditional".
        resolution: Height and width of both images; a multiple of 2^depth.
        source_channels: Of the source: 1 for grey, 3 for colour.
        channels: Of the target.
        base_channels: Channels of the layer next to the image, in both networks.
        depth: Halvings of the U-Net; None: down to one pixel, for resolutions that are powers of two.
        receptive_field: Of D: 1, 16, 34, 70, 142 or 286 pixels.
        dropout: Rate in the decoder's first three blocks.
        l1_weight: lambda of eq. 4.
        adversarial_weight: Of the game in G's objective.
        learning_rate: Of both players' Adam.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Pairs a step.
        seed: Seed of the run.
    """

    title = "Image-to-Image Translation with Conditional Adversarial Networks"
    authors = "Isola, Zhu, Zhou, Efros"
    year = 2017
    arxiv = "1611.07004"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 4 channels: seconds, for tests",
            {"resolution": 8, "source_channels": 1, "channels": 1, "base_channels": 4,
             "receptive_field": 16, "batch_size": 4, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey edges -> clothes in minutes on two CPU cores",
            {"resolution": 32, "source_channels": 1, "channels": 1, "base_channels": 16,
             "receptive_field": 16, "batch_size": 16, "learning_rate": 8e-4},
        ),
        "fashion_32_zoo": Preset(
            "laptop with 14 channels, trained: 200,000 pairs of edges and clothes",
            {"resolution": 32, "source_channels": 1, "channels": 1, "base_channels": 14,
             "receptive_field": 16, "batch_size": 16, "learning_rate": 4e-4},
            weights="pix2pix_fashion_32.weights.h5",
        ),
        "colab": Preset(
            "64x64 colour, 64 to 512 channels, for a GPU",
            {"resolution": 64, "receptive_field": 34, "batch_size": 4},
        ),
        "facades_256": Preset("the paper's U-Net 256 and 70x70 PatchGAN: 256x256 colour, batch 1"),
        "unet_128": Preset(
            "the same at 128x128, with one halving less",
            {"resolution": 128},
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "instance_norm",
        resolution: int = 256,
        source_channels: int = 3,
        channels: int = 3,
        base_channels: int = 64,
        depth: int | None = None,
        receptive_field: int = 70,
        dropout: float = 0.5,
        l1_weight: float = 100.0,
        adversarial_weight: float = 1.0,
        learning_rate: float = 2e-4,
        ema_decay: float | None = None,
        batch_size: int = 1,
        seed: int = 0,
    ):
        require_positive_integers(
            resolution=resolution,
            source_channels=source_channels,
            channels=channels,
            base_channels=base_channels,
            depth=1 if depth is None else depth,
        )
        require_share(example="0.5", dropout=dropout)
        require_not_negative(example="10", l1_weight=l1_weight, adversarial_weight=adversarial_weight)
        if depth is None:
            depth = resolution.bit_length() - 1
            if resolution != 2**depth or depth < 2:
                raise InputError(
                    f"resolution={resolution} is not a power of two from 4 on: use one, or say depth="
                )
        entry, _ = self.settled(ARCHITECTURES, architecture)
        self.adversarial_loss = HalvedNonSaturating()
        with seeded(seed):
            self.generator, judge = entry.networks(
                resolution, source_channels, channels, base_channels, depth, receptive_field, dropout
            )
            super().__init__(
                [
                    Player("generator", "generator", self.generator),
                    Player("discriminator", "discriminator", judge),
                ],
                dict.fromkeys(("generator", "discriminator"), adam(learning_rate, beta_1=0.5)),
                source_shape=(resolution, resolution, source_channels),
                image_shape=(resolution, resolution, channels),
                ema_decay=ema_decay,
                batch_size=batch_size,
                seed=seed,
            )
        if ema_decay is None:
            self.ema_generator = self.generator
        self.l1_weight = l1_weight
        self.adversarial_weight = adversarial_weight

    def translate(self, images: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Targets of the sources `images`, by the averaged generator, if there is one.

        Args:
            images: Float (n, resolution, resolution, source_channels) in [-1, 1].
            seed: Of the noise. Same seed, same targets; image i's are the same whatever `n` is. None draws a seed.

        Returns:
            float32 (n, resolution, resolution, channels) in [-1, 1].

        Raises:
            InputError: The images are of another kind.
        """
        return self.translated(self.ema_generator, images, self.source_shape, seed)

    @staticmethod
    def split_batch(batch):
        """(target, source) of a batch (source, target): the images, and what they are conditioned on."""
        source, target = batch
        return target, source

    def conditioned(self, inputs, labels):
        """[target, source], as D takes them; the target alone, where D is not told the source."""
        return [inputs, labels] if len(self.discriminator.inputs) == 2 else inputs

    def shown_to(self, player, images, condition):
        """Targets and their sources."""
        return self.conditioned(images, condition)

    def updates(self):
        """D's update, then G's, on one batch."""
        return [
            Update("discriminator/{i}", ("discriminator",), self.discriminator_loss),
            Update("generator", ("generator",), self.generator_loss),
        ]

    def averaged(self):
        """G's."""
        return {"ema_generator": Average(self.generator)}

    def generate(self, source, generator=None):
        """Targets of sources, by G in training mode or by `generator`, with the noise of this pass."""
        with self.streams.scope("generate"):
            return self.generator(source, training=True) if generator is None else generator(source)

    def discriminator_loss(self, batch):
        """Half of the game on the pairs of `batch` and on sources with G's targets, and its logs. G stands still."""
        target, source = self.split_batch(batch)
        fake = tf.stop_gradient(self.generate(source, self.frozen(self.generator)))
        terms = self.discriminator_terms("discriminator", target, fake, source)
        return terms.loss, terms.logs

    def generator_loss(self, batch):
        """Eq. 4: the game on the sources of `batch`, and the distance from their targets. D stands still."""
        target, source = self.split_batch(batch)
        fake = self.generate(source)
        adversarial, _ = self.generator_term("discriminator", fake, source, target)
        l1 = tf.reduce_mean(tf.abs(target - fake))
        loss = self.adversarial_weight * adversarial + self.l1_weight * l1
        return loss, {"generator_loss": loss, "adversarial_loss": adversarial, "l1": l1}
