"""BigGAN: large scale GAN training for high fidelity natural image synthesis.

Brock, Donahue, Simonyan. ICLR 2019, arXiv:1809.11096.
Networks: appendix B, figure 15 and tables 4 to 6; at 32x32 and 64x64 as in the authors' code (ajbrock/BigGAN-PyTorch,
commit 9845943, BigGAN.py), which has no D for 512x512: that is the paper's. SAGAN's, wider (`base_channels`), with
changes that can be chosen: one embedding of classes that all batch norms of G share, through linear layers
(`shared_embedding`); a part of z for every block beside it (`skip_z`); orthogonal regularisation (`orthogonal`). The
rows of table 1 are presets. Trainable parameters at 128x128, ch 96, 1000 classes: G 70,433,988 (72,595,908 without
skip-z, 85,556,164 with neither), D 87,982,370.
Recipe: section 3 and appendix C: hinge loss, projection D, spectral normalisation in both, orthogonal initial weights,
attention at 64x64, Adam with beta1 0 and beta2 0.999, 5e-5 for G and 2e-4 for D, two D steps a G step, batch 2048,
statistics over all devices, an average of G with decay 0.9999; samples of truncated normal z, with standing statistics
(`standing_passes`). "cifar10_32" is the authors' script for CIFAR-10.

Differs from the authors' code: biases start at 0; generated images have the labels of the real batch in place of drawn
ones; real and generated images pass D one after the other, each with a power step; norms are kept above 1e-12 where
theirs has 1e-6 or 1e-8. z that cannot be cut into equal parts has some with one number more; theirs is cut shorter.
"""

import functools
import itertools
from typing import ClassVar

import keras
import tensorflow as tf
from keras import layers

from ganlib.arguments import require_counts, require_not_negative, require_positive, require_share
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.layers import Dropout, GlobalSumPooling2D
from ganlib.layers.given import given
from ganlib.layers.residual import residual_down, residual_first, residual_same, residual_up
from ganlib.layers.sizes import biggan_places, biggan_widths, smallest_size
from ganlib.layers.spectral_parts import SpectralParts
from ganlib.optimizers import adam
from ganlib.penalties import R1, OrthogonalRegularization
from ganlib.presets import Architecture, Preset, made
from ganlib.standing import Standing


def generator(
    resolution: int,
    channels: int,
    num_classes: int,
    latent_dim: int,
    base_channels: int,
    attention: int | None,
    shared_dim: int | None,
    skip_z: bool,
    initial: str,
) -> keras.Model:
    """[z (batch, latent_dim), labels (batch,)] -> image (batch, resolution, resolution, channels) in [-1, 1].

    Args:
        resolution: Of the images.
        channels: Of the images.
        num_classes: How many classes there are.
        latent_dim: Of z.
        base_channels: The paper's ch.
        attention: Height of the feature map with attention, behind its block; None: no attention.
        shared_dim: Of the embedding that all batch norms share; None: each has tables of its own.
        skip_z: Whether each block is told a part of z of its own, beside the embedding; the first part is G's input.
        initial: Where weights start, see `layers.spectral_parts`.
    """
    parts, size = SpectralParts(initial), smallest_size(resolution)[0]
    widths, _, _ = biggan_widths(resolution, base_channels)
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    condition = (
        labels if shared_dim is None else parts.embedding(num_classes, shared_dim, "shared_embedding")(labels)
    )
    first, conditions = z, [condition] * len(widths[1:])
    if skip_z:
        first, *rest = cut(z, len(widths))
        conditions = [layers.Concatenate()([condition, part]) for part in rest]
    of_labels = functools.partial(parts.class_batch_norm, num_classes)
    normalization = of_labels if shared_dim is None else parts.vector_batch_norm
    x = layers.Reshape((size, size, widths[0]))(parts.dense(size * size * widths[0], "linear")(first))
    for width, told in zip(widths[1:], conditions, strict=True):
        parts.next_block()
        x = residual_up(x, width, parts.convolution, given(told, normalization))
        x = parts.attention()(x) if x.shape[1] == attention else x
    x = parts.convolution(channels, 3, name="to_image")(layers.ReLU()(parts.batch_norm("last_norm")(x)))
    return keras.Model([z, labels], layers.Activation("tanh")(x), name="generator")


def discriminator(
    resolution: int,
    channels: int,
    num_classes: int,
    base_channels: int,
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
        attention: As in G, where D has the size.
        dropout: Share of the features in front of the last layer that is dropped.
        initial: Where weights start.
    """
    parts, (_, halving, same) = SpectralParts(initial), biggan_widths(resolution, base_channels)
    image = keras.Input((resolution, resolution, channels), name="image")
    labels = keras.Input((), dtype="int32", name="labels")
    x = image
    places = biggan_places(resolution, len(halving + same))
    for i, (width, place) in enumerate(zip(halving + same, places, strict=True)):
        parts.next_block()
        if i == 0:
            x = residual_first(x, width, parts.convolution)
        else:
            block = residual_down if i < len(halving) else residual_same
            x = block(x, width, parts.convolution, hidden_channels=width)
        x = parts.attention()(x) if place == attention else x
    return keras.Model([image, labels], judged(x, labels, num_classes, dropout, parts), name="discriminator")


def judged(
    x: keras.KerasTensor, labels: keras.KerasTensor, num_classes: int, dropout: float, parts: SpectralParts
) -> keras.KerasTensor:
    """D's end: features (batch, h, w, c), summed over positions, and labels (batch,) -> logit (batch, 1)."""
    features = GlobalSumPooling2D()(layers.ReLU()(x))
    features = Dropout(dropout)(features) if dropout else features
    projected = parts.projection(num_classes, "projection")([features, labels])
    return layers.Add()([parts.dense(1, "linear")(features), projected])


def cut(z: keras.KerasTensor, parts: int) -> list[keras.KerasTensor]:
    """Z (batch, n) in parts, as equal as they can be: the first ones are longer.

    Raises:
        InputError: z has fewer numbers.
    """
    n = z.shape[-1]
    if n < parts:
        raise InputError(f"latent_dim={n}: z is cut into {parts} parts here, so give at least {parts}")
    starts = [i * (n // parts) + min(i, n % parts) for i in range(parts + 1)]
    return [z[:, start:end] for start, end in itertools.pairwise(starts)]


def require_place(attention: int | None, resolution: int) -> None:
    """Check where attention is.

    Raises:
        InputError: G has no feature map of that height.
    """
    size, stages = smallest_size(resolution)
    places = [size * 2**stage for stage in range(stages, 0, -1)]
    if attention is not None and attention not in places:
        raise InputError(
            f"attention={attention!r}: with resolution={resolution} choose one of {', '.join(map(str, places))}, "
            "or None for no attention"
        )


def _networks(
    resolution,
    channels,
    num_classes,
    latent_dim,
    base_channels,
    shared_dim,
    attention,
    dropout,
    initial,
    shared,
    skip_z,
):
    sizes, shared_dim = (resolution, channels, num_classes), shared_dim if shared else None
    return (
        made(generator, *sizes, latent_dim, base_channels, attention, shared_dim, skip_z, initial),
        discriminator(*sizes, base_channels, attention, dropout, initial),
    )


# how G is told class and z: rows of table 1
ARCHITECTURES = {
    "skip_z": Architecture(_networks, {"shared_embedding": True, "skip_z": True}),
    "shared": Architecture(_networks, {"shared_embedding": True, "skip_z": False}),
    "separate": Architecture(_networks, {"shared_embedding": False, "skip_z": False}),
}


class LargeScale(Standing, GAN):
    """The recipe of BigGAN and BigGAN-deep: hinge loss, Adam, an average of G, penalties, standing statistics.

    Args:
        networks: G and D.
        num_classes: How many classes there are.
        orthogonal: See `BigGAN`, as for all that follow.
        r1: Of D.
        n_critic: D updates for each G update.
        learning_rate: Of G's Adam.
        discriminator_learning_rate: Of D's.
        beta_1: Of G's.
        discriminator_beta_1: Of D's.
        ema_decay: Of the averaged generator.
        ema_start: Steps before which the average is G itself.
        standing_passes: Batches whose statistics samples are made with.
        batch_size: Real images a D update.
        seed: Seed of the run.

    Raises:
        InputError: An argument is out of range.
    """

    def __init__(
        self,
        networks: tuple[keras.Model, keras.Model],
        *,
        num_classes: int,
        orthogonal: float,
        r1: float,
        n_critic: int,
        learning_rate: float,
        discriminator_learning_rate: float,
        beta_1: float,
        discriminator_beta_1: float,
        ema_decay: float | None,
        ema_start: int,
        standing_passes: int,
        batch_size: int,
        seed: int,
    ):
        require_positive(
            example="2e-4",
            learning_rate=learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
        )
        require_share(example="0.5", beta_1=beta_1, discriminator_beta_1=discriminator_beta_1)
        require_not_negative(example="1e-4", orthogonal=orthogonal, r1=r1)
        require_counts(ema_start=ema_start, standing_passes=standing_passes)
        self.ema_start, self.standing_passes = ema_start, standing_passes
        super().__init__(
            *networks,
            num_classes=num_classes,
            loss="hinge",
            penalties=[
                *([OrthogonalRegularization(orthogonal)] if orthogonal else []),
                *([R1(r1)] if r1 else []),
            ],
            n_critic=n_critic,
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=beta_1, beta_2=0.999),
            discriminator_optimizer=adam(
                discriminator_learning_rate, beta_1=discriminator_beta_1, beta_2=0.999
            ),
            batch_size=batch_size,
            seed=seed,
        )

    def ema_decay_at(self, step):
        """0, a copy of G, before step `ema_start`; `ema_decay` from there on."""
        if not self.ema_start:
            return self.ema_decay
        return tf.where(step + 1 < self.ema_start, 0.0, self.ema_decay)


@keras.saving.register_keras_serializable("ganlib")
class BigGAN(LargeScale):
    """SAGAN at scale: wider, larger batches, a shared embedding, z in every block, truncation.

    Args:
        architecture: "skip_z", "shared" or "separate": what the two arguments below are by default.
        resolution: Height and width of the images: 32, 64, 128, 256 or 512; also 4, 5, 6 or 7 times a power of two,
            with the widths of the one with as many doublings.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes the labels have.
        latent_dim: Dimension of z.
        base_channels: ch: channels next to the image (at 64x64 half of G's, up to 32x32 a quarter of all).
        attention: Height of the feature maps with attention; None: no attention.
        shared_embedding: Whether G's batch norms share one embedding of classes; otherwise each has tables.
        skip_z: Whether each block of G is told a part of z; takes a shared embedding.
        shared_dim: Numbers a class of the shared embedding.
        orthogonal: Weight of orthogonal regularisation of G; 0: none.
        r1: Weight (gamma) of R1 in D; 0: none.
        dropout: Share of D's last features that is dropped; the paper's 1 - keep.
        initial: Where weights start: "orthogonal", "normal" or "glorot".
        n_critic: D updates for each G update.
        learning_rate: Of G's Adam.
        discriminator_learning_rate: Of D's.
        beta_1: Of G's.
        discriminator_beta_1: Of D's.
        ema_decay: Of the averaged generator; None for none.
        ema_start: Steps before which the average is G itself.
        standing_passes: Batches whose statistics samples are made with (`ganlib.standing`); 0: moving averages.
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
            {"resolution": 16, "channels": 1, "num_classes": 10, "latent_dim": 9, "base_channels": 2,
             "attention": 8, "shared_dim": 4, "n_critic": 1, "batch_size": 8, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "64x64 colour, 4 classes (hair, of `faces`), 128 to 16 channels in G, minutes on two CPU cores",
            {"resolution": 64, "num_classes": 4, "latent_dim": 80, "base_channels": 8, "attention": None,
             "shared_dim": 32, "n_critic": 1, "learning_rate": 1e-3, "discriminator_learning_rate": 2e-3,
             "ema_decay": 0.995, "batch_size": 32},
        ),
        "colab": Preset(
            "64x64 colour, 10 classes, 512 to 64 channels in G, attention at 32x32, for a GPU",
            {"resolution": 64, "num_classes": 10, "base_channels": 32, "attention": 32, "n_critic": 1,
             "learning_rate": 1e-4, "discriminator_learning_rate": 4e-4, "ema_decay": 0.999, "batch_size": 64},
        ),
        "imagenet_128": Preset("the paper's at 128x128: 1000 classes, ch 96, batch 2048"),
        "imagenet_128_no_ortho": Preset(
            "table 1: shared embedding and skip-z, without orthogonal regularisation", {"orthogonal": 0.0}
        ),
        "imagenet_128_shared": Preset(
            "table 1: shared embedding, z at G's input only", {"orthogonal": 0.0}, architecture="shared"
        ),
        "imagenet_128_separate": Preset(
            "table 1: ch 96, tables of classes in each batch norm",
            {"latent_dim": 128, "orthogonal": 0.0},
            architecture="separate",
        ),
        "imagenet_128_baseline": Preset(
            "table 1: the baseline, SAGAN's ch 64 and batch 256",
            {"latent_dim": 128, "base_channels": 64, "orthogonal": 0.0, "batch_size": 256},
            architecture="separate",
        ),
        "imagenet_128_ch64": Preset("table 1: all three at ch 64", {"base_channels": 64}),
        "imagenet_256": Preset("the paper's at 256x256", {"resolution": 256, "latent_dim": 140}),
        "imagenet_512": Preset("the paper's at 512x512", {"resolution": 512, "latent_dim": 128}),
        "cifar10_32": Preset(
            "the authors' script for CIFAR-10: 10 classes, ch 64, tables of classes, no attention, four D steps",
            {"resolution": 32, "num_classes": 10, "latent_dim": 128, "base_channels": 64, "attention": None,
             "orthogonal": 0.0, "initial": "normal", "n_critic": 4, "learning_rate": 2e-4, "ema_start": 1000,
             "batch_size": 50},
            architecture="separate",
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "skip_z",
        resolution: int = 128,
        channels: int = 3,
        num_classes: int = 1000,
        latent_dim: int = 120,
        base_channels: int = 96,
        attention: int | None = 64,
        shared_embedding: bool | None = None,
        skip_z: bool | None = None,
        shared_dim: int = 128,
        orthogonal: float = 1e-4,
        r1: float = 0.0,
        dropout: float = 0.0,
        initial: str = "orthogonal",
        n_critic: int = 2,
        learning_rate: float = 5e-5,
        discriminator_learning_rate: float = 2e-4,
        beta_1: float = 0.0,
        discriminator_beta_1: float = 0.0,
        ema_decay: float | None = 0.9999,
        ema_start: int = 0,
        standing_passes: int = 0,
        batch_size: int = 2048,
        seed: int = 0,
    ):
        entry, told = self.settled(
            ARCHITECTURES, architecture, shared_embedding=shared_embedding, skip_z=skip_z
        )
        if told["skip_z"] and not told["shared_embedding"]:
            raise InputError(
                "skip_z=True goes with shared_embedding=True: parts of z join the class's vector"
            )
        require_place(attention, resolution)
        require_share(example="0.2", dropout=dropout)
        networks = entry.build(
            seed,
            {
                "attention": attention,
                "dropout": dropout,
                "initial": initial,
                "shared": told["shared_embedding"],
                "skip_z": told["skip_z"],
            },
            resolution=resolution,
            channels=channels,
            num_classes=num_classes,
            latent_dim=latent_dim,
            base_channels=base_channels,
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
