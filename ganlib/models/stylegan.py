"""StyleGAN: a style-based generator architecture for generative adversarial networks.

Karras, Laine, Aila. CVPR 2019, arXiv:1812.04948.
Networks: figure 1b: eight dense layers map z to w; a constant 4x4 grows to an image, and behind each convolution come
noise (a strength a channel), bias, leaky ReLU and adaptive instance normalisation, eq. 1. At 1024x1024 G has
26,219,627 parameters and D (PGGAN's, with a blur) 23,087,249, the layers that make and take the images of all
resolutions counted.
Table 1's configurations A to F are entries of `ARCHITECTURES`.
Recipe: appendix C: growth from 8x8 with 600,000 images for each fade and at each resolution; batches of 256, 128, 64
and 32 (8 GPUs, official code); the non-saturating loss with R1, gamma 10; Adam with beta1 0, beta2 0.99, epsilon 1e-8
and a rate of 0.001, from 128x128 on 0.0015, 0.002, 0.003, 0.003; mixing in 90% of the steps; an average of G with a
half-life of 10,000 images; truncation in the first 8 layers.

Differs from the official code: the mean of w moves in G's updates only (there in D's too), by that of all replicas.
Configuration A is the paper's baseline with the losses of B (WGAN-GP in the paper: `models.PGGAN`).
"""

import functools
import math
from collections.abc import Collection, Sequence
from typing import ClassVar, NamedTuple

import keras
import tensorflow as tf

from ganlib import penalties
from ganlib.arguments import require_positive_integers
from ganlib.engine import Average
from ganlib.gan import GAN
from ganlib.growth import Growth
from ganlib.layers.equalized import (
    Bias,
    EqualizedBlurDownConv2D,
    EqualizedBlurUpConv2D,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownConv2D,
    EqualizedUpConv2D,
)
from ganlib.layers.growing import SMALLEST, Growing, Stage, built, halving_widths, levels_of
from ganlib.layers.instance_normalization import standardized
from ganlib.layers.noise import NoiseInjection
from ganlib.layers.pixel_norm import PixelNormalization
from ganlib.layers.resampling import nearest_up

# PGGAN's D and the rows of its table: the paper builds on them (appendix C)
from ganlib.models.pggan import Discriminator, Row, leaky
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made
from ganlib.replicas import batch_size_of
from ganlib.styled import Styled, StyledGenerator, mapping_network

ROOT2 = math.sqrt(2.0)  # He's gain, in front of a leaky ReLU


class Configuration(NamedTuple):
    """What table 1 adds, line by line.

    Attributes:
        blurred: B: a low-pass filter at each doubling and halving.
        styled: C: a mapping, and a style in each layer, in the place of pixel norm.
        constant: D: begins with a learned constant, not with a dense layer.
        noisy: E: noise at each pixel.
        mixed: F: styles of two latents in most training images.
    """

    blurred: bool = True
    styled: bool = True
    constant: bool = True
    noisy: bool = True
    mixed: bool = True


class Epilogue(keras.layers.Layer):
    """Noise, bias, leaky ReLU, then a style: AdaIN(x, y) = y_s (x - mean) / deviation + y_b, eq. 1.

    Args:
        w_dim: Of w.
        configuration: Of table 1.
    """

    def __init__(self, w_dim: int, configuration: Configuration, **kwargs):
        super().__init__(**kwargs)
        self.w_dim = w_dim
        self.noise = NoiseInjection(per_channel=True) if configuration.noisy else None
        self.bias = Bias()
        self.styled = configuration.styled
        self.pixel_norm = PixelNormalization()

    def build(self, input_shape):
        """Make the variables for x of `input_shape` (batch, height, width, channels)."""
        self.bias.build(input_shape)
        if self.noise is not None:
            self.noise.build(input_shape)
        if self.styled:
            self.style = built(EqualizedDense(2 * input_shape[-1]), self.w_dim)

    def call(self, x, w, noise: bool = True):
        """(batch, height, width, channels), (batch, w_dim) -> the first's shape."""
        if self.noise is not None:
            x = self.noise(x, on=noise)
        x = tf.nn.leaky_relu(self.bias(x), 0.2)
        if not self.styled:
            return self.pixel_norm(x)
        scale, offset = tf.split(self.style(w)[:, None, None, :], 2, axis=-1)
        return standardized(x, [1, 2], 1e-8) * (scale + 1.0) + offset


class Synthesis(Growing):
    """Styles ws (batch, 2 levels, w_dim) -> image (batch, r, r, channels), r the resolution of the stage. Figure 1b.

    Args:
        resolution: Fully grown.
        channels: Of the images.
        w_dim: Of w.
        channel_base: As PGGAN's.
        channel_max: As PGGAN's.
        configuration: Of table 1.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        w_dim: int,
        channel_base: int,
        channel_max: int,
        configuration: Configuration,
    ):
        super().__init__(levels_of(resolution), "synthesis")
        *widths, _ = halving_widths(self.levels, channel_base, channel_max)
        conv = functools.partial(EqualizedConv2D, gain=ROOT2, use_bias=False)
        up = EqualizedBlurUpConv2D if configuration.blurred else EqualizedUpConv2D
        epilogue = lambda size, width: built(Epilogue(w_dim, configuration), size, size, width)  # noqa: E731
        if configuration.constant:
            shape = (SMALLEST, SMALLEST, widths[0])
            self.constant = self.add_weight(shape=shape, initializer="ones", name="constant")
        else:
            self.constant = None
            self.dense = built(EqualizedDense(16 * widths[0], ROOT2 / 4, use_bias=False), w_dim)
        self.convolutions = [[built(conv(widths[0]), SMALLEST, SMALLEST, widths[0])]]
        self.epilogues = [[epilogue(SMALLEST, widths[0]), epilogue(SMALLEST, widths[0])]]
        for level in range(1, self.levels):
            size, width = SMALLEST * 2**level, widths[level]
            first = built(up(width, gain=ROOT2, use_bias=False), size // 2, size // 2, widths[level - 1])
            self.convolutions.append([first, built(conv(width), size, size, width)])
            self.epilogues.append([epilogue(size, width), epilogue(size, width)])
        self.to_rgb = [built(EqualizedConv2D(channels, 1), None, None, width) for width in widths]

    def style_kernels(self) -> list[keras.Variable]:
        """The kernels (w_dim, 2 channels) from w to the style of each layer."""
        return [epilogue.style.kernel for level in self.epilogues for epilogue in level]

    def call(
        self,
        ws,
        stage: Stage | None = None,
        noise: Collection[int] | None = None,
        training: bool = False,
    ):
        """(batch, 2 levels, w_dim) -> images; `noise`: the resolutions that have it, None: all."""
        level, fading = self.stage(stage)
        x, before = self._start(ws), None
        for i, (convolutions, epilogues) in enumerate(
            zip(self.convolutions[: level + 1], self.epilogues, strict=False)
        ):
            noisy, before = noise is None or SMALLEST * 2**i in noise, x
            if i == 0:
                x = epilogues[0](x, ws[:, 0], noise=noisy)
            for j, convolution in enumerate(convolutions, start=2 - len(convolutions)):
                x = epilogues[j](convolution(x), ws[:, 2 * i + j], noise=noisy)
        images = self.to_rgb[level](x)
        if fading:
            images = self.faded(nearest_up(self.to_rgb[level - 1](before)), images, level)
        return images

    def _start(self, ws):
        """The constant, or w through a dense layer."""
        if self.constant is not None:
            return tf.tile(self.constant.value[None], [batch_size_of(ws), 1, 1, 1])
        x = self.dense(ws[:, 0])
        return tf.reshape(x, [batch_size_of(ws), SMALLEST, SMALLEST, x.shape[-1] // SMALLEST**2])


def networks(
    configuration: Configuration,
    resolution: int,
    channels: int,
    latent_dim: int,
    w_dim: int,
    mapping_depth: int,
    channel_base: int,
    channel_max: int,
    group_size: int | None,
) -> tuple[keras.Model, keras.Model]:
    """G and D of a configuration."""

    def generator() -> StyledGenerator:
        depth, size = (mapping_depth, w_dim) if configuration.styled else (0, latent_dim)
        mapping = mapping_network(latent_dim, size, depth, gain=ROOT2)
        synthesis = Synthesis(resolution, channels, size, channel_base, channel_max, configuration)
        return StyledGenerator(mapping, synthesis, num_styles=2 * levels_of(resolution))

    def halving(width, behind, **options):
        return [
            (EqualizedBlurDownConv2D if configuration.blurred else EqualizedDownConv2D)(width, **options),
            *behind,
        ]

    sizes = (resolution, channels, channel_base, channel_max, group_size)
    return made(generator), Discriminator(*sizes, Row(leaky, leaky), halving)


def _entry(**without: bool) -> Architecture:
    configuration = Configuration(**without)
    return Architecture(
        functools.partial(networks, configuration),
        {"style_mixing": 0.9 if configuration.mixed else 0.0, "start_resolution": 8},
    )


_ONLY_PGGAN = {"styled": False, "constant": False, "noisy": False, "mixed": False}
ARCHITECTURES = {
    "f": _entry(),
    "e": _entry(mixed=False),
    "d": _entry(mixed=False, noisy=False),
    "c": _entry(mixed=False, noisy=False, constant=False),
    "b": _entry(**_ONLY_PGGAN),
    "a": _entry(blurred=False, **_ONLY_PGGAN),
}


@keras.saving.register_keras_serializable("ganlib")
class StyleGAN(Growth, Styled, GAN):
    """Latents become styles, and each layer of G takes one.

    Args:
        architecture: Table 1: "f", the whole; "e" without mixing, "d" without noise, "c" without the constant, "b"
            without mapping and styles, "a" without blurs.
        resolution: Height and width of the images: a power of two, at least 8.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        w_dim: Dimension of w.
        mapping_depth: Layers from z to w.
        channel_base: Channels at a resolution are twice this number over it, at most `channel_max`.
        channel_max: Largest number of channels.
        start_resolution: Where training begins; that of the images: no growth. None, here and below: the paper's.
        fade_images: Real images over which a resolution is faded in.
        stable_images: Real images at each resolution before the next.
        batch_sizes: Pairs (resolution, batch size), where it is not `batch_size`.
        learning_rates: Pairs (resolution, rate), where it is not `learning_rate`.
        group_size: Of minibatch standard deviations.
        gamma: Of R1.
        style_mixing: Share of steps in which two latents share an image.
        truncation_cutoff: Layers that truncation reaches; None: all.
        learning_rate: Of both Adams.
        ema_images: Half-life of G's average, in real images.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    title = "A Style-Based Generator Architecture for Generative Adversarial Networks"
    authors = "Karras, Laine, Aila"
    year = 2019
    arxiv = "1812.04948"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 8 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "w_dim": 8, "mapping_depth": 2, "channel_base": 64,
             "channel_max": 8, "start_resolution": 4, "fade_images": 16, "stable_images": 8, "batch_sizes": (),
             "learning_rates": (), "batch_size": 8, "ema_images": 100},
        ),
        "laptop": Preset(
            "64x64 colour, 64 to 16 channels, in minutes on two CPU cores",
            {"resolution": 64, "latent_dim": 64, "w_dim": 64, "mapping_depth": 4, "channel_base": 512,
             "channel_max": 64, "fade_images": 8_000, "stable_images": 8_000,
             "batch_sizes": ((8, 32), (16, 32)), "batch_size": 16, "learning_rates": (), "learning_rate": 2e-3,
             "gamma": 1.0, "ema_images": 1_000},
        ),
        "colab": Preset(
            "64x64 colour, 256 to 64 channels, for a GPU",
            {"resolution": 64, "latent_dim": 256, "w_dim": 256, "channel_base": 2048, "channel_max": 256,
             "fade_images": 100_000, "stable_images": 100_000, "batch_sizes": (), "learning_rates": (),
             "batch_size": 64},
        ),
        "ffhq_1024": Preset("the paper's configuration F: 1024x1024 colour, 512 to 16 channels"),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "f",
        resolution: int = 1024,
        channels: int = 3,
        latent_dim: int = 512,
        w_dim: int = 512,
        mapping_depth: int = 8,
        channel_base: int = 8192,
        channel_max: int = 512,
        start_resolution: int | None = None,
        fade_images: int = 600_000,
        stable_images: int = 600_000,
        batch_sizes: Sequence[tuple[int, int]] = ((8, 256), (16, 128), (32, 64)),
        learning_rates: Sequence[tuple[int, float]] = ((128, 1.5e-3), (256, 2e-3), (512, 3e-3), (1024, 3e-3)),
        group_size: int | None = 4,
        gamma: float = 10.0,
        style_mixing: float | None = None,
        truncation_cutoff: int | None = 8,
        learning_rate: float = 1e-3,
        ema_images: int = 10_000,
        batch_size: int = 32,
        seed: int = 0,
    ):
        entry, given = self.settled(
            ARCHITECTURES, architecture, style_mixing=style_mixing, start_resolution=start_resolution
        )
        require_positive_integers(ema_images=ema_images, batch_size=batch_size)
        self.mix(given["style_mixing"], truncation_cutoff)
        self.grow(
            resolution, given["start_resolution"], fade_images, stable_images, batch_sizes, learning_rates
        )
        self.ema_images = ema_images
        optimizer = adam(learning_rate, beta_1=0.0, beta_2=0.99)
        super().__init__(
            *entry.build(
                seed,
                {"group_size": group_size},
                resolution=resolution,
                channels=channels,
                latent_dim=latent_dim,
                w_dim=w_dim,
                mapping_depth=mapping_depth,
                channel_base=channel_base,
                channel_max=channel_max,
            ),
            image_shape=(resolution, resolution, channels),
            latent_dim=latent_dim,
            loss="non_saturating",
            penalties=[penalties.R1(gamma)],
            ema_decay=0.5 ** (batch_size / ema_images),
            generator_optimizer=optimizer,
            discriminator_optimizer=optimizer,
            batch_size=batch_size,
            seed=seed,
        )

    def averaged(self):
        """G's; what is not trained (the mean of w, levels of detail) is copied."""
        return {"ema_generator": Average(self.generator, copy_buffers=True)}

    def ema_decay_at(self, step):
        """2^(-batch / half-life), with this resolution's batch."""
        return 0.5 ** (self.images_a_step() / self.ema_images)

    def styles_in_use(self):
        """Two a resolution, up to that of the stage."""
        return 2 * (self.level.level + 1)
