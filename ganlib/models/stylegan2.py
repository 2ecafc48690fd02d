"""StyleGAN2: analyzing and improving the image quality of StyleGAN.

Karras, Laine, Aittala, Hellsten, Lehtinen, Aila. CVPR 2020, arXiv:1912.04958.
Networks: figure 2d (modulated and demodulated convolutions, eqs. 1 to 3), with G of figure 7's "output skips" and D of
its "residual nets"; the other columns of figure 7 are entries of `ARCHITECTURES`. Config F at 1024x1024: G has
30,370,060 parameters (mapping 2,101,248, synthesis 28,268,812), D 29,012,513; config E, half as wide from 64x64 on,
24,900,764 and 24,038,161.
Recipe: appendix B: non-saturating loss; R1 every 16 steps of D (gamma 10); path length every 4 of G (eq. 4, weight 2,
on half a batch); Adam 0.002 with beta1 0, beta2 0.99 and epsilon 1e-8, corrected for the lazy terms; mixing in 90% of
the steps; batch 32; an average of G with a half-life of 10,000 images.

Follows the official PyTorch code (stylegan2-ada-pytorch) where it differs from the first one: no 1 / sqrt(fan in) on
demodulated weights. Differs from both: the mean of w moves in G's updates only (in D's too there), by the mean of all
replicas.
"""

import functools
import itertools
import math
from collections.abc import Collection
from typing import Any, ClassVar

import keras
import tensorflow as tf

from ganlib import penalties
from ganlib.arguments import require_positive, require_positive_integers
from ganlib.engine import Average
from ganlib.gan import GAN
from ganlib.layers.equalized import (
    Bias,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedSmoothDownConv2D,
    EqualizedSmoothUpConv2D,
)
from ganlib.layers.growing import SMALLEST, built, levels_of
from ganlib.layers.minibatch_stddev import MinibatchStddev
from ganlib.layers.modulated import ModulatedConv2D, ModulatedUpConv2D
from ganlib.layers.noise import NoiseInjection
from ganlib.layers.resampling import smooth_down, smooth_up
from ganlib.optimizers import adam, lazy
from ganlib.presets import Architecture, Preset, made
from ganlib.replicas import batch_size_of
from ganlib.styled import PathLength, Styled, StyledGenerator, mapping_network

ROOT2 = math.sqrt(2.0)
CLASS_DEPTH = 8  # layers of D's mapping of classes, whatever G's depth (official code)


@keras.saving.register_keras_serializable("ganlib")
class ScaledLeakyReLU(keras.layers.Layer):
    """sqrt(2) times the leaky ReLU of slope 0.2, which keeps the variance."""

    def call(self, inputs):
        """Any shape -> the same."""
        return scaled_relu(inputs)

    def compute_output_shape(self, input_shape):
        """The inputs' shape."""
        return input_shape


class StyledConv(keras.layers.Layer):
    """x (batch, h, w, in), w (batch, w_dim) -> convolved with a style, noise, bias, leaky ReLU. Figure 2d.

    Args:
        width: Channels out.
        w_dim: Of w.
        up: Twice the size.
    """

    def __init__(self, width: int, w_dim: int, up: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.w_dim = w_dim
        self.conv = (ModulatedUpConv2D if up else ModulatedConv2D)(width)
        self.noise = NoiseInjection()
        self.bias = Bias()

    def build(self, input_shape):
        """Make the variables for x of `input_shape` (batch, height, width, in)."""
        self.affine = built(EqualizedDense(input_shape[-1], bias_initializer="ones"), self.w_dim)
        self.conv.build([input_shape, (None, input_shape[-1])])
        outputs = self.conv.compute_output_shape([input_shape])
        self.noise.build(outputs)
        self.bias.build(outputs)

    def call(self, x, w, noise: bool = True):
        """-> (batch, h', w', width)."""
        x = self.noise(self.conv([x, self.affine(w)]), on=noise)
        return scaled_relu(self.bias(x))


class ToImage(keras.layers.Layer):
    """x, w -> an image: a 1x1 convolution with a style, not demodulated, and a bias.

    Args:
        channels: Of the image.
        w_dim: Of w.
    """

    def __init__(self, channels: int, w_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.w_dim = w_dim
        self.conv = ModulatedConv2D(channels, 1, demodulate=False)
        self.bias = Bias()

    def build(self, input_shape):
        """Make the variables for x of `input_shape` (batch, height, width, in)."""
        self.affine = built(EqualizedDense(input_shape[-1], bias_initializer="ones"), self.w_dim)
        self.conv.build([input_shape, (None, input_shape[-1])])
        self.bias.build((None, self.conv.filters))

    def call(self, x, w):
        """-> (batch, h, w, channels)."""
        return self.bias(self.conv([x, self.affine(w)]))


def widths_of(levels: int, channel_base: int, channel_max: int) -> list[int]:
    """Channels at 4x4, 8x8, ...: `channel_base` over the resolution, at most `channel_max`."""
    return [max(1, min(channel_base // (SMALLEST * 2**level), channel_max)) for level in range(levels)]


class Synthesis(keras.Model):
    """ws (batch, 2 levels, w_dim) -> image (batch, resolution, resolution, channels).

    At 4x4 a constant and one convolution, at each doubling two; the last style is the last image layer's. With skips
    each level adds to the image of the level before; without, only the last makes one. With residuals there is a 1x1
    shortcut around each level, and both ways are scaled by sqrt(1/2).

    Args:
        resolution: Of the images.
        channels: Of the images.
        w_dim: Of w.
        channel_base: Channels at a resolution are this number over it.
        channel_max: At most.
        form: "skip", "residual" or "plain": figure 7.
    """

    def __init__(
        self, resolution: int, channels: int, w_dim: int, channel_base: int, channel_max: int, form: str
    ):
        super().__init__(name="synthesis")
        self.built = True  # by this constructor
        self.form, levels = form, levels_of(resolution)
        widths = widths_of(levels, channel_base, channel_max)
        self.constant = self.add_weight(
            shape=(SMALLEST, SMALLEST, widths[0]),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="constant",
        )
        self.convolutions = [[built(StyledConv(widths[0], w_dim), SMALLEST, SMALLEST, widths[0])]]
        for level in range(1, levels):
            size, width = SMALLEST * 2**level, widths[level]
            up = built(StyledConv(width, w_dim, up=True), size // 2, size // 2, widths[level - 1])
            self.convolutions.append([up, built(StyledConv(width, w_dim), size, size, width)])
        with_image = range(levels) if form == "skip" else [levels - 1]
        self.to_rgb = {
            str(level): built(ToImage(channels, w_dim), None, None, widths[level]) for level in with_image
        }
        self.shortcuts = [
            built(EqualizedSmoothUpConv2D(width, 1, use_bias=False), None, None, before)
            for before, width in itertools.pairwise(widths)
            if form == "residual"
        ]

    def style_kernels(self) -> list[keras.Variable]:
        """The kernels (w_dim, in) from w to the style of each layer, the last image's included."""
        layers = [*itertools.chain(*self.convolutions), self.to_rgb[str(len(self.convolutions) - 1)]]
        return [layer.affine.kernel for layer in layers]

    def call(self, ws, noise: Collection[int] | None = None, training: bool = False):
        """(batch, 2 levels, w_dim) -> images; `noise`: the resolutions that have it, None: all."""
        x, image, style = tf.tile(self.constant.value[None], [batch_size_of(ws), 1, 1, 1]), None, 0
        for level, convolutions in enumerate(self.convolutions):
            noisy, before = noise is None or SMALLEST * 2**level in noise, x
            for convolution in convolutions:
                x = convolution(x, ws[:, style], noise=noisy)
                style += 1
            if self.form == "residual" and level:
                x = math.sqrt(0.5) * (x + self.shortcuts[level - 1](before))
            if str(level) in self.to_rgb:
                more = self.to_rgb[str(level)](x, ws[:, style])
                image = more if image is None else smooth_up(image) + more
        return image


class Discriminator(keras.Model):
    """Image (batch, resolution, resolution, channels), or [image, labels], -> logit (batch, 1).

    Two convolutions and a halving at each level. With residuals, the paper's, there is a 1x1 shortcut around them, and
    both ways are scaled by sqrt(1/2); with skips each level sees the image at its own size. With classes the last
    vector is compared with a mapped embedding of the class (the StyleGAN2-ADA code).

    Args:
        resolution: Of the images.
        channels: Of the images.
        channel_base: As G's.
        channel_max: As G's.
        group_size: Of minibatch standard deviations; None: the batch.
        num_classes: How many classes there are; None: none.
        depth: Of the mapping of classes.
        form: "residual", "skip" or "plain": figure 7.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        channel_base: int,
        channel_max: int,
        group_size: int | None,
        num_classes: int | None,
        depth: int,
        form: str,
    ):
        super().__init__(name="discriminator")
        self.built = True  # by this constructor
        self.form, self.levels = form, levels_of(resolution)
        widths = widths_of(self.levels, channel_base, channel_max)
        from_image = range(self.levels) if form == "skip" else [self.levels - 1]
        self.from_rgb = {
            str(level): built(EqualizedConv2D(widths[level], 1), None, None, channels) for level in from_image
        }
        self.convolutions, self.shortcuts = [], []
        for level in range(1, self.levels):
            size, width, below = SMALLEST * 2**level, widths[level], widths[level - 1]
            pair = [EqualizedConv2D(width), EqualizedSmoothDownConv2D(below)]
            self.convolutions.append([built(conv, size, size, width) for conv in pair])
            if form == "residual":
                shortcut = EqualizedSmoothDownConv2D(below, 1, use_bias=False)
                self.shortcuts.append(built(shortcut, size, size, width))
        width = widths[0]
        self.variety = MinibatchStddev(group_size)
        self.last = built(EqualizedConv2D(width), SMALLEST, SMALLEST, width + 1)
        self.dense = built(EqualizedDense(width), SMALLEST * SMALLEST * width)
        self.logit = built(EqualizedDense(1 if num_classes is None else width), width)
        if num_classes is not None:
            self.classes = mapping_network(None, width, depth, num_classes, activation=ScaledLeakyReLU)

    def call(self, inputs, training: bool = False):
        """Images, or [images, labels], -> (batch, 1)."""
        images, labels = inputs if isinstance(inputs, list | tuple) else (inputs, None)
        x = scaled_relu(self.from_rgb[str(self.levels - 1)](images))
        for level in reversed(range(1, self.levels)):
            first, second = self.convolutions[level - 1]
            before, x = x, scaled_relu(second(scaled_relu(first(x))))
            if self.form == "residual":
                x = math.sqrt(0.5) * (x + self.shortcuts[level - 1](before))
            if self.form == "skip":
                images = smooth_down(images)
                x += scaled_relu(self.from_rgb[str(level - 1)](images))
        x = scaled_relu(self.last(self.variety(x)))
        x = self.logit(scaled_relu(self.dense(tf.reshape(x, [batch_size_of(x), math.prod(x.shape[1:])]))))
        if labels is None:
            return x
        return tf.reduce_sum(x * self.classes(labels), axis=1, keepdims=True) / math.sqrt(x.shape[-1])


def scaled_relu(x: tf.Tensor) -> tf.Tensor:
    """sqrt(2) times the leaky ReLU of slope 0.2, which keeps the variance."""
    return ROOT2 * tf.nn.leaky_relu(x, 0.2)


def networks(
    forms: tuple[str, str],
    resolution: int,
    channels: int,
    latent_dim: int,
    w_dim: int,
    mapping_depth: int,
    channel_base: int,
    channel_max: int,
    num_classes: int | None,
    group_size: int | None,
) -> tuple[keras.Model, keras.Model]:
    """G and D of two columns of figure 7."""

    def generator() -> StyledGenerator:
        mapping = mapping_network(latent_dim, w_dim, mapping_depth, num_classes, activation=ScaledLeakyReLU)
        synthesis = Synthesis(resolution, channels, w_dim, channel_base, channel_max, forms[0])
        return StyledGenerator(mapping, synthesis, num_styles=2 * levels_of(resolution))

    sizes = (resolution, channels, channel_base, channel_max)
    return made(generator), Discriminator(*sizes, group_size, num_classes, CLASS_DEPTH, forms[1])


def _entry(of_g: str, of_d: str, **defaults: Any) -> Architecture:
    return Architecture(functools.partial(networks, (of_g, of_d)), defaults)


# figure 7: G's form, then D's; the paper's is the first
ARCHITECTURES = {
    "skip_residual": _entry("skip", "residual"),
    **{
        f"{of_g}_{of_d}": _entry(of_g, of_d)
        for of_g in ("plain", "skip", "residual")
        for of_d in ("plain", "skip", "residual")
        if (of_g, of_d) != ("skip", "residual")
    },
}


@keras.saving.register_keras_serializable("ganlib")
class StyleGAN2(Styled, GAN):
    """Styles that scale weights, no growth, and a G whose steps in w make equal steps in images.

    Args:
        architecture: Forms of G and D, figure 7: "skip_residual", the paper's, or another pair of "plain", "skip" and
            "residual".
        resolution: Height and width of the images: a power of two, at least 4.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes there are; None: none, as in the paper.
        latent_dim: Dimension of z.
        w_dim: Dimension of w.
        mapping_depth: Layers from z to w.
        channel_base: Channels at a resolution are this number over it, at most `channel_max`; the paper's F has 32,768,
            its A to E half of it.
        channel_max: Largest number of channels.
        group_size: Of minibatch standard deviations.
        gamma: Of R1.
        final_gamma: Of R1 after `gamma_images` real images, to which it falls on a logarithmic scale; None: it stays,
            as in the paper.
        gamma_images: How long gamma falls.
        r1_every: Steps from one R1 to the next.
        path_weight: Of the path length's term; 0: none.
        path_every: Steps from one path length to the next.
        style_mixing: Share of steps in which two latents share an image.
        truncation_cutoff: Layers that truncation reaches; None: all.
        learning_rate: Of both Adams, before the correction for lazy terms.
        ema_images: Half-life of G's average, in real images.
        ema_rampup: Early on the half-life is this share of the images seen; None: always `ema_images`.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    title = "Analyzing and Improving the Image Quality of StyleGAN"
    authors = "Karras, Laine, Aittala, Hellsten, Lehtinen, Aila"
    year = 2020
    arxiv = "1912.04958"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 8 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "w_dim": 8, "mapping_depth": 2, "channel_base": 64,
             "channel_max": 8, "r1_every": 2, "path_every": 2, "batch_size": 8, "ema_images": 100},
        ),
        "laptop": Preset(
            "64x64 colour, 64 to 8 channels, in minutes on two CPU cores",
            {"resolution": 64, "latent_dim": 64, "w_dim": 64, "mapping_depth": 4, "channel_base": 512,
             "channel_max": 64, "gamma": 1.0, "path_weight": 0.0, "learning_rate": 2.5e-3, "ema_rampup": 0.05,
             "batch_size": 8},
        ),
        "colab": Preset(
            "64x64 colour, 256 to 128 channels, for a GPU",
            {"resolution": 64, "latent_dim": 256, "w_dim": 256, "mapping_depth": 8, "channel_base": 8192,
             "channel_max": 256, "gamma": 0.5, "learning_rate": 2.5e-3, "ema_rampup": 0.05},
        ),
        "ffhq_1024_f": Preset("the paper's config F: 1024x1024 colour, 512 to 32 channels"),
        "ffhq_1024_e": Preset(
            "the paper's config E: 1024x1024 colour, half as wide above 32x32", {"channel_base": 16_384}
        ),
        "ffhq_256": Preset(
            "the official code's paper256: 256x256 colour",
            {"resolution": 256, "channel_base": 16_384, "group_size": 8, "gamma": 1.0, "learning_rate": 2.5e-3,
             "ema_images": 20_000, "batch_size": 64},
        ),
        "ffhq_512": Preset(
            "the official code's paper512: 512x512 colour",
            {"resolution": 512, "group_size": 8, "gamma": 0.5, "learning_rate": 2.5e-3, "ema_images": 20_000,
             "batch_size": 64},
        ),
        "cifar10_32": Preset(
            "the official code's cifar: 32x32 colour, 10 classes, a plain D, no path length, no mixing",
            {"resolution": 32, "num_classes": 10, "mapping_depth": 2, "group_size": 32, "gamma": 0.01,
             "path_weight": 0.0, "style_mixing": 0.0, "learning_rate": 2.5e-3, "ema_images": 500_000,
             "ema_rampup": 0.05, "batch_size": 64},
            architecture="skip_plain",
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "skip_residual",
        resolution: int = 1024,
        channels: int = 3,
        num_classes: int | None = None,
        latent_dim: int = 512,
        w_dim: int = 512,
        mapping_depth: int = 8,
        channel_base: int = 32_768,
        channel_max: int = 512,
        group_size: int | None = 4,
        gamma: float = 10.0,
        final_gamma: float | None = None,
        gamma_images: int = 100_000,
        r1_every: int = 16,
        path_weight: float = 2.0,
        path_every: int = 4,
        style_mixing: float = 0.9,
        truncation_cutoff: int | None = None,
        learning_rate: float = 2e-3,
        ema_images: int = 10_000,
        ema_rampup: float | None = None,
        batch_size: int = 32,
        seed: int = 0,
    ):
        entry, _ = self.settled(ARCHITECTURES, architecture)
        require_positive_integers(path_every=path_every, ema_images=ema_images, batch_size=batch_size)
        if num_classes is not None:
            require_positive_integers(num_classes=num_classes)
        if ema_rampup is not None:
            require_positive(example="0.05", ema_rampup=ema_rampup)
        self.mix(style_mixing, truncation_cutoff)
        self.ema_images, self.ema_rampup = ema_images, ema_rampup
        rate = adam(learning_rate, beta_1=0.0, beta_2=0.99)
        slope = penalties.R1(gamma, every=r1_every)
        if final_gamma is not None:
            slope = penalties.AnnealedR1(gamma, final_gamma, gamma_images, every=r1_every)
        super().__init__(
            *entry.build(
                seed,
                {"num_classes": num_classes, "group_size": group_size},
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
            num_classes=num_classes,
            loss="non_saturating",
            penalties=[
                slope,
                *([PathLength(path_weight, every=path_every)] if path_weight else []),
            ],
            ema_decay=0.5 ** (batch_size / ema_images),
            generator_optimizer=lazy(rate, path_every) if path_weight else rate,
            discriminator_optimizer=lazy(rate, r1_every) if r1_every > 1 else rate,
            batch_size=batch_size,
            seed=seed,
        )

    def averaged(self):
        """G's; what is not trained (the mean of w) is copied."""
        return {"ema_generator": Average(self.generator, copy_buffers=True)}

    def ema_decay_at(self, step):
        """2^(-batch / half-life); with a ramp the half-life is at most that share of the images seen."""
        if self.ema_rampup is None:
            return self.ema_decay
        seen = tf.cast(self.image_counter, tf.float32)
        half_life = tf.minimum(float(self.ema_images), self.ema_rampup * seen)
        return 0.5 ** (self.batch_size / tf.maximum(half_life, 1e-8))
