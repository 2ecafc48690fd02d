"""PGGAN: progressive growing of GANs for improved quality, stability, and variation.

Karras, Aila, Laine, Lehtinen. ICLR 2018, arXiv:1710.10196.
Networks: table 2 (1024x1024: G has 23,079,115 parameters, D 23,087,249, the layers that make and take the images of
all resolutions counted), with the official code's halving and doubling inside of convolutions. Growth: figures 1 and 2.
Recipe: appendix A: WGAN-GP (lambda 10, one D step a G step), and 0.001 E[D(x)^2] against drift; Adam 0.001 with beta1
0, beta2 0.99 and epsilon 1e-8, started again at each stage; batches of 16, and of 14, 6 and 3 at 256, 512 and 1024;
800,000 images for each fade and at each resolution; a moving average of G with decay 0.999.

The rows of table 1 are entries of `ARCHITECTURES`, with the settings of the authors' first (Theano) code: each adds to
the one before. Differs from it: (e*) has ganlib's minibatch discrimination, which learns no scales and no bias; batch
norm is Keras', with epsilon 1e-4 and momentum 0.9 as in Lasagne.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf
from keras import layers

from ganlib import losses, penalties
from ganlib.engine import Average
from ganlib.gan import GAN
from ganlib.growth import Growth
from ganlib.layers import BatchNormalization, LayerNormalization, MinibatchDiscrimination
from ganlib.layers.equalized import (
    Bias,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownConv2D,
    EqualizedUpConv2D,
)
from ganlib.layers.growing import SMALLEST, Growing, Stage, built, halving_widths, levels_of
from ganlib.layers.minibatch_stddev import MinibatchStddev
from ganlib.layers.pixel_norm import PixelNormalization
from ganlib.layers.resampling import box_down, nearest_up
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made

ROOT2 = math.sqrt(2.0)  # He's gain, in front of a (leaky) ReLU


class Row(NamedTuple):
    """What the rows of table 1 change in the networks.

    Attributes:
        behind_g: Layers behind each convolution of G, its nonlinearity among them.
        behind_d: And of D.
        use_bias: Convolutions have one; otherwise the normalisation behind them.
        equalized: Weights are scaled when they are used; otherwise when they are drawn.
        normalized_latents: z is put on a sphere.
        squashed: Images go through tanh.
        variety: Layers in front of D's last convolution that see the whole batch.
        variety_of_vectors: And in front of its last dense layer.
    """

    behind_g: Callable[[], list[layers.Layer]]
    behind_d: Callable[[], list[layers.Layer]]
    use_bias: bool = True
    equalized: bool = True
    normalized_latents: bool = True
    squashed: bool = False
    variety: Callable[[int | None], list[layers.Layer]] = lambda group: [MinibatchStddev(group)]
    variety_of_vectors: Callable[[], list[layers.Layer]] = list


class Generator(Growing):
    """z (batch, latent_dim) -> image (batch, r, r, channels), r the resolution of the stage. Table 2, left.

    Args:
        resolution: Fully grown.
        channels: Of the images.
        latent_dim: Of z.
        channel_base: Half of this number over the resolution, at most `channel_max`, is the channels there.
        channel_max: Largest number of channels.
        row: Of table 1.
    """

    def __init__(
        self, resolution: int, channels: int, latent_dim: int, channel_base: int, channel_max: int, row: Row
    ):
        super().__init__(levels_of(resolution), "generator")
        *widths, _ = halving_widths(self.levels, channel_base, channel_max)
        options = {"equalized": row.equalized, "gain": ROOT2, "use_bias": row.use_bias}
        conv = functools.partial(EqualizedConv2D, **options)
        up = functools.partial(EqualizedUpConv2D, **options)
        first = EqualizedDense(16 * widths[0], ROOT2 / 4, use_bias=False, equalized=row.equalized)
        smallest = (SMALLEST, SMALLEST, widths[0])
        sphere = [PixelNormalization()] if row.normalized_latents else []
        bias = [Bias()] if row.use_bias else []
        start = [*sphere, first, layers.Reshape(smallest), *bias, *row.behind_g()]
        self.blocks = [block([*start, conv(widths[0]), *row.behind_g()], latent_dim)]
        for level in range(1, self.levels):
            size, width = SMALLEST * 2**level, widths[level]
            inside = [up(width), *row.behind_g(), conv(width), *row.behind_g()]
            self.blocks.append(block(inside, size // 2, size // 2, widths[level - 1]))
        image = functools.partial(EqualizedConv2D, channels, 1, gain=1.0, equalized=row.equalized)
        self.to_rgb = [built(image(), None, None, width) for width in widths]
        self.squashed = row.squashed

    def call(self, z, stage: Stage | None = None, training: bool = False):
        """(batch, latent_dim) -> (batch, r, r, channels)."""
        level, fading = self.stage(stage)
        features = [z]
        for block in self.blocks[: level + 1]:
            features.append(block(features[-1], training=training))
        images = self.to_rgb[level](features[-1])
        if fading:
            images = self.faded(nearest_up(self.to_rgb[level - 1](features[-2])), images, level)
        return tf.tanh(images) if self.squashed else images


class Discriminator(Growing):
    """Image (batch, r, r, channels) -> logit (batch, 1). Table 2, right; larger images are made as small as the stage.

    Args:
        resolution: Fully grown.
        channels: Of the images.
        channel_base: As G's.
        channel_max: As G's.
        group_size: Of minibatch standard deviations; None: the batch.
        row: Of table 1.
        halving: Layers of a convolution to so many channels at half the size, as `halving` below.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        channel_base: int,
        channel_max: int,
        group_size: int | None,
        row: Row,
        halving: Callable[..., list[layers.Layer]],
    ):
        super().__init__(levels_of(resolution), "discriminator")
        *widths, last = halving_widths(self.levels, channel_base, channel_max)
        options = {"equalized": row.equalized, "gain": ROOT2, "use_bias": row.use_bias}
        conv = functools.partial(EqualizedConv2D, **options)
        end = [*row.variety(group_size), conv(widths[0]), *row.behind_d(), layers.Flatten()]
        end += [EqualizedDense(last, **options), *row.behind_d(), *row.variety_of_vectors()]
        end += [EqualizedDense(1, equalized=row.equalized)]
        self.blocks = [block(end, SMALLEST, SMALLEST, widths[0])]
        for level in range(1, self.levels):
            size, width = SMALLEST * 2**level, widths[level]
            inside = [conv(width), *row.behind_d(), *halving(widths[level - 1], row.behind_d(), **options)]
            self.blocks.append(block(inside, size, size, width))
        image = functools.partial(EqualizedConv2D, kernel_size=1, gain=ROOT2, equalized=row.equalized)
        self.from_rgb = [
            block([image(width), *leaky()], SMALLEST * 2**level, SMALLEST * 2**level, channels)
            for level, width in enumerate(widths)
        ]

    def call(self, images, stage: Stage | None = None, training: bool = False):
        """(batch, r, r, channels) -> (batch, 1)."""
        level, fading = self.stage(stage)
        images = box_down(images, images.shape[1] // (SMALLEST * 2**level))
        x = self.from_rgb[level](images)
        if level:
            x = self.blocks[level](x, training=training)
        if fading:
            x = self.faded(self.from_rgb[level - 1](box_down(images)), x, level)
        for lower in reversed(range(1, level)):
            x = self.blocks[lower](x, training=training)
        return self.blocks[0](x, training=training)


def block(inside: list[layers.Layer], *shape: int | None) -> keras.Sequential:
    """Layers, one after the other, for inputs of `shape` (without the batch)."""
    return built(keras.Sequential(inside), *shape)


def fused_halving(width: int, behind: list[layers.Layer], **options: Any) -> list[layers.Layer]:
    """The official code's default: means of 2x2 pixels, then bias and nonlinearity."""
    return [EqualizedDownConv2D(width, **options), *behind]


def plain_halving(width: int, behind: list[layers.Layer], **options: Any) -> list[layers.Layer]:
    """Bias and nonlinearity, then means of 2x2 pixels: another function, with the same variables."""
    return [EqualizedConv2D(width, **options), *behind, layers.AveragePooling2D(2)]


def leaky() -> list[layers.Layer]:
    """The paper's nonlinearity."""
    return [layers.LeakyReLU(0.2)]


def pixel_normalized() -> list[layers.Layer]:
    """The same, and each pixel's features scaled to length one (section 4.2)."""
    return [layers.LeakyReLU(0.2), PixelNormalization()]


def batch_normalized() -> list[layers.Layer]:
    """Gulrajani et al.'s G, with Lasagne's defaults."""
    return [BatchNormalization(momentum=0.9, epsilon=1e-4), layers.ReLU()]


def layer_normalized() -> list[layers.Layer]:
    """Gulrajani et al.'s D."""
    return [LayerNormalization(epsilon=1e-4), layers.LeakyReLU(0.2)]


def networks(
    row: Row,
    resolution: int,
    channels: int,
    latent_dim: int,
    channel_base: int,
    channel_max: int,
    group_size: int | None,
    fused_scale: bool,
) -> tuple[keras.Model, keras.Model]:
    """G and D of a row."""
    halving = fused_halving if fused_scale else plain_halving
    return (
        made(Generator, resolution, channels, latent_dim, channel_base, channel_max, row),
        Discriminator(resolution, channels, channel_base, channel_max, group_size, row, halving),
    )


def _nothing(group_size: int | None) -> list[layers.Layer]:
    return []


_GULRAJANI = Row(
    batch_normalized,
    layer_normalized,
    use_bias=False,
    equalized=False,
    normalized_latents=False,
    squashed=True,
    variety=_nothing,
)
_REVISED = Row(leaky, leaky, equalized=False, variety=_nothing)
_OF_VECTORS = _REVISED._replace(variety_of_vectors=lambda: [MinibatchDiscrimination(100)])
_OLD = {
    "batch_size": 64,
    "n_critic": 5,
    "beta_2": 0.9,
    "learning_rate": 1e-4,
    "latent_dim": 128,
    "drift": 0.0,
}
_NEW = {
    "batch_size": 16,
    "n_critic": 1,
    "beta_2": 0.99,
    "learning_rate": 1e-3,
    "latent_dim": 512,
    "drift": 0.001,
}


def _entry(row: Row, **defaults: Any) -> Architecture:
    return Architecture(
        functools.partial(networks, row), {"ema_decay": 0.999, "start_resolution": 4, **defaults}
    )


ARCHITECTURES = {
    "paper": _entry(Row(pixel_normalized, leaky), **_NEW),  # (g), and (h) when it has converged
    "gulrajani": _entry(_GULRAJANI, **_OLD | {"ema_decay": 0.999**20, "start_resolution": None}),  # (a)
    "growing": _entry(_GULRAJANI, **_OLD | {"ema_decay": 0.999**20}),  # (b)
    "small_batch": _entry(_GULRAJANI, **_OLD | {"batch_size": 16, "ema_decay": 0.999**5}),  # (c)
    "revised": _entry(_REVISED, **_NEW | {"learning_rate": 1e-4}),  # (d)
    "minibatch_discrimination": _entry(_OF_VECTORS, **_NEW | {"learning_rate": 1e-4}),  # (e*)
    "minibatch_stddev": _entry(Row(leaky, leaky, equalized=False), **_NEW | {"learning_rate": 1e-4}),  # (e)
    "equalized": _entry(Row(leaky, leaky), **_NEW),  # (f)
}


@keras.saving.register_keras_serializable("ganlib")
class PGGAN(Growth, GAN):
    """A game that begins at 4x4 and doubles.

    Args:
        architecture: "paper", or a row of table 1: "gulrajani" (a), "growing" (b), "small_batch" (c), "revised" (d),
            "minibatch_discrimination" (e*), "minibatch_stddev" (e), "equalized" (f); "paper" is (g), and (h) when it
            has converged.
        resolution: Height and width of the images: a power of two, at least 4.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z. None, here and below: that of the architecture (512; 128 in rows a to c).
        channel_base: Channels at a resolution are twice this number over it, at most `channel_max`.
        channel_max: Largest number of channels.
        start_resolution: Where training begins; that of the images: no growth, as in row (a).
        fade_images: Real images over which a resolution is faded in.
        stable_images: Real images at each resolution before the next.
        batch_sizes: Pairs (resolution, batch size), where it is not `batch_size`.
        group_size: Of minibatch standard deviations; None, as in the paper, for the whole batch (on a replica).
        fused_scale: D takes means of 2x2 pixels in front of bias and nonlinearity (the official code's default), or
            behind them.
        n_critic: D updates for each G update.
        learning_rate: Of both Adams.
        beta_2: Of both Adams.
        drift: Weight of E[D(x)^2].
        ema_decay: Of the averaged generator.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    title = "Progressive Growing of GANs for Improved Quality, Stability, and Variation"
    authors = "Karras, Aila, Laine, Lehtinen"
    year = 2018
    arxiv = "1710.10196"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 8 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "channel_base": 64, "channel_max": 8,
             "fade_images": 16, "stable_images": 8, "batch_size": 8, "group_size": 4, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "64x64 colour, 64 to 16 channels, in minutes on two CPU cores",
            {"resolution": 64, "channels": 3, "latent_dim": 64, "channel_base": 512, "channel_max": 64,
             "fade_images": 4_000, "stable_images": 4_000, "batch_size": 16, "learning_rate": 4e-3,
             "group_size": 4, "ema_decay": 0.99},
        ),
        "colab": Preset(
            "64x64 colour, 256 to 64 channels, for a GPU",
            {"resolution": 64, "channels": 3, "latent_dim": 256, "channel_base": 2048, "channel_max": 256,
             "fade_images": 100_000, "stable_images": 100_000, "batch_size": 64, "group_size": 4},
        ),
        "celebahq_1024": Preset(
            "the paper's table 2: 1024x1024 colour, 512 to 16 channels",
            {"batch_sizes": ((256, 14), (512, 6), (1024, 3))},
        ),
        "celeba_128": Preset(
            "table 1's last row: 128x128 colour, 512 to 32 channels",
            {"resolution": 128, "channel_base": 2048},
        ),
        "cifar10_32": Preset(
            "the paper's CIFAR-10: 32x32 colour, 128 channels, slopes of 750",
            {"resolution": 32, "latent_dim": 128, "channel_base": 4096, "channel_max": 128, "fade_images": 400_000,
             "stable_images": 400_000, "slope": 750.0},
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "paper",
        resolution: int = 1024,
        channels: int = 3,
        latent_dim: int | None = None,
        channel_base: int = 8192,
        channel_max: int = 512,
        start_resolution: int | None = None,
        fade_images: int = 800_000,
        stable_images: int = 800_000,
        batch_sizes: Sequence[tuple[int, int]] = (),
        group_size: int | None = None,
        fused_scale: bool = True,
        n_critic: int | None = None,
        learning_rate: float | None = None,
        beta_2: float | None = None,
        slope: float = 1.0,
        drift: float | None = None,
        ema_decay: float | None = None,
        batch_size: int | None = None,
        seed: int = 0,
    ):
        entry, given = self.settled(
            ARCHITECTURES,
            architecture,
            latent_dim=latent_dim,
            start_resolution=start_resolution,
            n_critic=n_critic,
            learning_rate=learning_rate,
            beta_2=beta_2,
            drift=drift,
            ema_decay=ema_decay,
            batch_size=batch_size,
        )
        self.grow(
            resolution, given["start_resolution"] or resolution, fade_images, stable_images, batch_sizes
        )
        optimizer = adam(given["learning_rate"], beta_1=0.0, beta_2=given["beta_2"])
        super().__init__(
            *entry.build(
                seed,
                {"group_size": group_size, "fused_scale": fused_scale},
                resolution=resolution,
                channels=channels,
                latent_dim=given["latent_dim"],
                channel_base=channel_base,
                channel_max=channel_max,
            ),
            image_shape=(resolution, resolution, channels),
            latent_dim=given["latent_dim"],
            loss=losses.Wasserstein(drift=given["drift"]),
            penalties=[penalties.GradientPenalty(10.0, target=slope)],
            n_critic=given["n_critic"],
            ema_decay=given["ema_decay"],
            generator_optimizer=optimizer,
            discriminator_optimizer=optimizer,
            batch_size=given["batch_size"],
            seed=seed,
        )

    def averaged(self):
        """G's; what is not trained is copied."""
        return {"ema_generator": Average(self.generator, copy_buffers=True)}
