"""BigGAN-deep: bottleneck blocks, two a resolution, and all of z in each.

Brock, Donahue, Simonyan. ICLR 2019, arXiv:1809.11096.
Networks: appendix B, figure 16 and tables 7 to 9, as in the authors' code (ajbrock/BigGAN-PyTorch, commit 9845943,
BigGANdeep.py), whose tables end at 256x256: 512 is BigGAN's order of widths. z and the class's vector are one condition
that is not cut; it is G's input, and every batch norm is told it. Trainable parameters at 128x128, ch 128, z and
embedding of 128, 1000 classes: G 50,244,484, D 34,590,210: fewer than BigGAN's, at four times its depth.
Recipe: BigGAN's, with the rates and the one D step a G step of the authors' script; the average begins at step 20,000.

Differs from the authors' code as BigGAN does.
"""

import itertools
from typing import ClassVar

import keras
from keras import layers

from ganlib.arguments import require_share
from ganlib.layers.bottleneck import bottleneck_generating, bottleneck_judging
from ganlib.layers.given import given
from ganlib.layers.sizes import biggan_places, biggan_widths, smallest_size
from ganlib.layers.spectral_parts import SpectralParts
from ganlib.models.biggan import LargeScale, judged, require_place
from ganlib.presets import Architecture, Preset, made


def generator(
    resolution: int,
    channels: int,
    num_classes: int,
    latent_dim: int,
    base_channels: int,
    depth: int,
    attention: int | None,
    shared_dim: int,
    initial: str,
) -> keras.Model:
    """[z (batch, latent_dim), labels (batch,)] -> image (batch, resolution, resolution, channels) in [-1, 1].

    Args:
        resolution: Of the images.
        channels: Of the images.
        num_classes: How many classes there are.
        latent_dim: Of z.
        base_channels: The paper's ch.
        depth: Blocks a resolution; the last of them doubles it.
        attention: Height of the feature map with attention, behind its blocks; None: no attention.
        shared_dim: Of the embedding of classes.
        initial: Where weights start, see `layers.spectral_parts`.
    """
    parts, size = SpectralParts(initial), smallest_size(resolution)[0]
    widths, _, _ = biggan_widths(resolution, base_channels)
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    condition = layers.Concatenate()(
        [parts.embedding(num_classes, shared_dim, "shared_embedding")(labels), z]
    )
    normalization = given(condition, parts.vector_batch_norm)
    x = layers.Reshape((size, size, widths[0]))(parts.dense(size * size * widths[0], "linear")(condition))
    for before, width in itertools.pairwise(widths):
        for block in range(1, depth + 1):
            # a stage's first block keeps its width, where it is not the last one too
            kept, scale = block == 1 < depth, "up" if block == depth else "same"
            parts.next_block()
            x = bottleneck_generating(x, before if kept else width, scale, parts.convolution, normalization)
        x = parts.attention()(x) if x.shape[1] == attention else x
    x = parts.convolution(channels, 3, name="to_image")(layers.ReLU()(parts.batch_norm("last_norm")(x)))
    return keras.Model([z, labels], layers.Activation("tanh")(x), name="generator")


def discriminator(
    resolution: int,
    channels: int,
    num_classes: int,
    base_channels: int,
    depth: int,
    attention: int | None,
    dropout: float,
    initial: str,
) -> keras.Model:
    """[image (batch, resolution, resolution, channels), labels (batch,)] -> logit (batch, 1).

    Args:
        resolution: Of the images.
        channels: Of the images.
        num_classes: Rows of the projection.
        base_channels: The paper's ch.
        depth: Blocks a resolution; the first of them halves it.
        attention: As in G, where D has the size.
        dropout: Share of the features in front of the last layer that is dropped.
        initial: Where weights start.
    """
    parts, (_, halving, same) = SpectralParts(initial), biggan_widths(resolution, base_channels)
    first, *widths = halving + same
    image = keras.Input((resolution, resolution, channels), name="image")
    labels = keras.Input((), dtype="int32", name="labels")
    x = parts.convolution(first, 3, name="from_image")(image)
    for i, (width, place) in enumerate(zip(widths, biggan_places(resolution, len(widths)), strict=True)):
        for block in range(depth):
            scale = "down" if block == 0 and i < len(halving) else "same"
            parts.next_block()
            x = bottleneck_judging(x, width, scale, parts.convolution)
        x = parts.attention()(x) if place == attention else x
    return keras.Model([image, labels], judged(x, labels, num_classes, dropout, parts), name="discriminator")


def _networks(
    resolution,
    channels,
    num_classes,
    latent_dim,
    base_channels,
    depth,
    shared_dim,
    attention,
    dropout,
    initial,
):
    sizes = (resolution, channels, num_classes)
    return (
        made(generator, *sizes, latent_dim, base_channels, depth, attention, shared_dim, initial),
        discriminator(*sizes, base_channels, depth, attention, dropout, initial),
    )


ARCHITECTURES = {"bottleneck": Architecture(_networks)}


@keras.saving.register_keras_serializable("ganlib")
class BigGANDeep(LargeScale):
    """BigGAN four times as deep, with fewer parameters.

    Args:
        architecture: "bottleneck".
        resolution: As in `BigGAN`.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes the labels have.
        latent_dim: Dimension of z.
        base_channels: ch, as in `BigGAN`; blocks have a quarter of their channels inside.
        depth: Blocks a resolution, in both networks.
        attention: Height of the feature maps with attention; None: no attention.
        shared_dim: Numbers a class of the embedding.
        orthogonal: As in `BigGAN`, as all that follow.
        r1: Weight (gamma) of R1 in D; 0: none.
        dropout: Share of D's last features that is dropped.
        initial: Where weights start.
        n_critic: D updates for each G update.
        learning_rate: Of G's Adam.
        discriminator_learning_rate: Of D's.
        beta_1: Of G's.
        discriminator_beta_1: Of D's.
        ema_decay: Of the averaged generator; None for none.
        ema_start: Steps before which the average is G itself.
        standing_passes: Batches whose statistics samples are made with; 0: moving averages.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    title = "Large Scale GAN Training for High Fidelity Natural Image Synthesis"
    authors = "Brock, Donahue, Simonyan"
    year = 2019
    arxiv = "1809.11096"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "16x16 grey, 10 classes, 8 channels, attention at 8x8: seconds, for tests",
            {"resolution": 16, "channels": 1, "num_classes": 10, "latent_dim": 8, "base_channels": 2,
             "attention": 8, "shared_dim": 4, "batch_size": 8, "ema_decay": 0.9, "ema_start": 0},
        ),
        "laptop": Preset(
            "64x64 colour, 4 classes (hair, of `faces`), 128 to 16 channels in G, minutes on two CPU cores",
            {"resolution": 64, "num_classes": 4, "latent_dim": 64, "base_channels": 8, "attention": None,
             "shared_dim": 32, "learning_rate": 1e-3, "discriminator_learning_rate": 2e-3, "ema_decay": 0.995,
             "ema_start": 0, "batch_size": 32},
        ),
        "colab": Preset(
            "64x64 colour, 10 classes, 512 to 64 channels in G, attention at 32x32, for a GPU",
            {"resolution": 64, "num_classes": 10, "base_channels": 32, "attention": 32, "ema_decay": 0.999,
             "ema_start": 0, "batch_size": 64},
        ),
        "imagenet_128": Preset("the paper's at 128x128: 1000 classes, ch 128, batch 2048"),
        "imagenet_256": Preset("the paper's at 256x256", {"resolution": 256}),
        "imagenet_512": Preset("the paper's at 512x512", {"resolution": 512}),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "bottleneck",
        resolution: int = 128,
        channels: int = 3,
        num_classes: int = 1000,
        latent_dim: int = 128,
        base_channels: int = 128,
        depth: int = 2,
        attention: int | None = 64,
        shared_dim: int = 128,
        orthogonal: float = 1e-4,
        r1: float = 0.0,
        dropout: float = 0.0,
        initial: str = "orthogonal",
        n_critic: int = 1,
        learning_rate: float = 1e-4,
        discriminator_learning_rate: float = 4e-4,
        beta_1: float = 0.0,
        discriminator_beta_1: float = 0.0,
        ema_decay: float | None = 0.9999,
        ema_start: int = 20_000,
        standing_passes: int = 0,
        batch_size: int = 2048,
        seed: int = 0,
    ):
        entry, _ = self.settled(ARCHITECTURES, architecture)
        require_place(attention, resolution)
        require_share(example="0.2", dropout=dropout)
        networks = entry.build(
            seed,
            {"attention": attention, "dropout": dropout, "initial": initial},
            resolution=resolution,
            channels=channels,
            num_classes=num_classes,
            latent_dim=latent_dim,
            base_channels=base_channels,
            depth=depth,
            shared_dim=shared_dim,
        )
        super().__init__(
            networks,
            num_classes=num_classes,
            orthogonal=orthogonal,
            r1=r1,
            n_critic=n_critic,
            learning_rate=learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
            beta_1=beta_1,
            discriminator_beta_1=discriminator_beta_1,
            ema_decay=ema_decay,
            ema_start=ema_start,
            standing_passes=standing_passes,
            batch_size=batch_size,
            seed=seed,
        )
