"""BigBiGAN: large scale adversarial representation learning.

Donahue, Simonyan. NeurIPS 2019, arXiv:1907.02544. DeepMind published modules, and no training code.
Game: section 2 (BiGAN: Donahue et al. 2017, arXiv:1605.09782): D looks at pairs and tells (x, E(x)) from (G(z), z). Its
score of a pair is s_x + s_z + s_xz, of the image, of the latent and of both,

    s_x = w_x . F(x),   s_z = w_z . H(z),   s_xz = w_xz . J(F(x), H(z)),

and with y = 1 for pairs of the encoder, y = -1 for those of the generator, h(t) = max(0, 1 - t):

    D          minimises   E h(y s_x) + h(y s_z) + h(y s_xz)
    G and E    minimise    E y (s_x + s_z + s_xz)

in one update of both. No class is told to anybody: E is judged by what a linear probe makes of its features.

Networks, at 128x128 (appendix A): G and F are BigGAN's (`models.biggan`, ch 96, attention at 64) without what is told
of classes; z, 120 normal numbers, joins G's blocks by parts. H and J are perceptrons of 4 residual blocks of 2 layers,
2048 wide. E is a ResNet-50 or a RevNet-50 with batch norm, whose mean over positions (its features) a perceptron of 2
such blocks, 4096 wide, turns into a mean and (by softplus) a deviation of z. Spectral normalisation in all but E.
Recipe: BigGAN's: Adam with beta1 0 and beta2 0.999, 5e-5 for G, 2e-4 for D, ten times G's for E ("higher E LR" in table
1), two D steps a step, batch 2048, averages of G and of E with decay 0.9999.

Differs from the paper: E sees the images that D sees, where the paper's best E is given 256x256 pixels. A residual
block's first ReLU is left out at the start of a perceptron, whose shortcut there is linear. Below 64x64 E starts with
a 3x3 convolution, without pooling, as ResNets for CIFAR do. RevNet's first block of a stage is an ordinary one.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganlib import losses, sampling
from ganlib.adversarial import Adversarial
from ganlib.arguments import require_known, require_positive, require_positive_integers
from ganlib.engine import Average, Engine
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization, GlobalSumPooling2D
from ganlib.layers.gaussian import GaussianSample
from ganlib.layers.given import given
from ganlib.layers.residual import residual_down, residual_first, residual_same, residual_up
from ganlib.layers.reversible import Bottleneck, ReversibleBottleneck
from ganlib.layers.sizes import biggan_places, biggan_widths, smallest_size
from ganlib.layers.spectral_parts import SpectralParts
from ganlib.models.biggan import cut, require_place
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made
from ganlib.replicas import batch_size_of
from ganlib.sampled import Sampled
from ganlib.updates import Player, Update

TERMS = ("x", "z", "xz")


def generator(
    resolution: int, channels: int, latent_dim: int, base_channels: int, attention: int | None, initial: str
) -> keras.Model:
    """Z (batch, latent_dim) -> image (batch, resolution, resolution, channels) in [-1, 1].

    BigGAN's, whose batch norms are told a part of z alone; the first part is its input.
    """
    parts, (widths, _, _) = SpectralParts(initial), biggan_widths(resolution, base_channels)
    size, _ = smallest_size(resolution)
    z = keras.Input((latent_dim,), name="latents")
    first, *rest = cut(z, len(widths))
    x = layers.Reshape((size, size, widths[0]))(parts.dense(size * size * widths[0], "linear")(first))
    for width, part in zip(widths[1:], rest, strict=True):
        parts.next_block()
        x = residual_up(x, width, parts.convolution, given(part, parts.vector_batch_norm))
        x = parts.attention()(x) if x.shape[1] == attention else x
    x = parts.convolution(channels, 3, name="to_image")(layers.ReLU()(parts.batch_norm("last_norm")(x)))
    return keras.Model(z, layers.Activation("tanh")(x), name="generator")


def discriminator(
    resolution: int,
    channels: int,
    latent_dim: int,
    base_channels: int,
    attention: int | None,
    units: int,
    terms: Sequence[str],
    initial: str,
) -> keras.Model:
    """[image (batch, resolution, resolution, channels), z (batch, latent_dim)] -> scores (batch, 1), one a term.

    Args:
        resolution: Of the images.
        channels: Of the images.
        latent_dim: Of z.
        base_channels: F's ch.
        attention: Height of F's feature map with attention; None: no attention.
        units: Width of H and J.
        terms: Of "x", "z" and "xz": the scores.
        initial: Where weights start, see `layers.spectral_parts`.
    """
    parts, (_, halving, same) = SpectralParts(initial), biggan_widths(resolution, base_channels)
    image = keras.Input((resolution, resolution, channels), name="image")
    z = keras.Input((latent_dim,), name="latents")
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
    found = {"x": GlobalSumPooling2D()(layers.ReLU()(x)), "z": perceptron(z, units, 4, parts.dense, "h")}
    both = layers.Concatenate()([found["x"], found["z"]])
    found["xz"] = perceptron(both, units, 4, parts.dense, "j")
    scores = [parts.dense(1, f"score_{term}")(found[term]) for term in terms]
    return keras.Model([image, z], scores, name="discriminator")


def encoder(
    resolution: int,
    channels: int,
    latent_dim: int,
    base_channels: int,
    blocks: Sequence[int],
    units: int,
    reversible: bool,
) -> keras.Model:
    """Image -> [z (batch, latent_dim), its mean, its deviation, features (batch, 4 * width of the last stage)].

    Args:
        resolution: Of the images.
        channels: Of the images.
        latent_dim: Of z.
        base_channels: Hidden channels of the first stage's bottlenecks; each stage has twice as many, at half the size.
        blocks: Of each stage.
        units: Width of the perceptron.
        reversible: Whether all but the first block of a stage are pairs that can be inverted.
    """
    image = keras.Input((resolution, resolution, channels), name="image")
    if resolution < 64:
        x = _convolution(base_channels, 3, 1)(image)
    else:
        x = layers.MaxPooling2D(3, 2, padding="same")(_convolution(base_channels, 7, 2)(image))
    for stage, count in enumerate(blocks):
        hidden = base_channels * 2**stage
        strides = 1 if stage == 0 else 2
        x = layers.Add()(
            [Bottleneck(4 * hidden, hidden, strides)(x), _convolution(4 * hidden, 1, strides)(x)]
        )
        for _ in range(count - 1):
            if reversible:
                x = ReversibleBottleneck(max(1, hidden // 2))(x)
            else:
                x = layers.Add()([x, Bottleneck(4 * hidden, hidden)(x)])
    x = layers.ReLU()(BatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    features = layers.GlobalAveragePooling2D(name="features")(x)
    h = perceptron(features, units, 2, lambda units, name: layers.Dense(units, name=name), "head")
    mean, deviation = layers.Dense(latent_dim)(h), layers.Dense(latent_dim, activation="softplus")(h)
    return keras.Model(
        image, [GaussianSample()([mean, deviation]), mean, deviation, features], name="encoder"
    )


def perceptron(
    x: keras.KerasTensor, units: int, blocks: int, dense: Callable[[int, str], layers.Layer], name: str
) -> keras.KerasTensor:
    """(batch, n) -> (batch, units), not negative: residual blocks of two layers each, and a last ReLU.

    Args:
        x: Rows.
        units: Width of all layers.
        blocks: How many.
        dense: Units and a name -> a layer.
        name: What the layers' names begin with.
    """
    for i in range(blocks):
        h = dense(units, f"{name}_{i}_first")(layers.ReLU()(x) if i else x)
        h = dense(units, f"{name}_{i}_second")(layers.ReLU()(h))
        x = layers.Add()([x if x.shape[-1] == units else dense(units, f"{name}_{i}_shortcut")(x), h])
    return layers.ReLU()(x)


def _convolution(channels: int, kernel_size: int, strides: int) -> layers.Layer:
    return layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(),
    )


def _networks(
    reversible, resolution, channels, latent_dim, base_channels, encoder_channels, units, encoder_units,
    attention, blocks, terms, initial,
):  # fmt: skip
    sizes = (resolution, channels, latent_dim)
    return (
        made(generator, *sizes, base_channels, attention, initial),
        made(encoder, *sizes, encoder_channels, blocks, encoder_units, reversible),
        discriminator(*sizes, base_channels, attention, units, terms, initial),
    )


ARCHITECTURES = {
    "resnet": Architecture(functools.partial(_networks, False)),
    "revnet": Architecture(functools.partial(_networks, True)),
}
_LAPTOP = {
    "resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 8, "encoder_channels": 8, "units": 128,
    "encoder_units": 128, "encoder_blocks": (2, 2, 2), "attention": None, "n_critic": 1, "learning_rate": 5e-4,
    "encoder_learning_rate": 1e-3, "discriminator_learning_rate": 1e-3, "ema_decay": 0.995, "batch_size": 64,
}  # fmt: skip


@keras.saving.register_keras_serializable("ganlib")
class BigBiGAN(Adversarial, Sampled, Engine):
    """BigGAN without classes, an encoder, and a discriminator of images, of latents and of both.

    Args:
        architecture: The encoder: "resnet" or "revnet".
        resolution: Height and width of the images, as in `BigGAN`.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: ch of G and F.
        encoder_channels: Of E's first stage, inside of its blocks (64: ResNet-50); its features are 32 times as many
            for four stages.
        encoder_blocks: Of E's stages.
        units: Width of H and J.
        encoder_units: Width of the perceptron at E's end.
        attention: Height of the feature maps with attention, in G and F; None: no attention.
        terms: Scores of D: "x" and "z" are the unary ones, which table 1 does without in turn; "xz" makes it BiGAN's.
        initial: Where weights of G and D start: "orthogonal", "normal" or "glorot".
        n_critic: D updates for each update of G and E.
        learning_rate: Of G's Adam.
        encoder_learning_rate: Of E's; None: ten times G's.
        discriminator_learning_rate: Of D's.
        ema_decay: Of the averages of G and E; None for none.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    title = "Large Scale Adversarial Representation Learning"
    authors = "Donahue, Simonyan"
    year = 2019
    arxiv = "1907.02544"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 6, "base_channels": 1, "encoder_channels": 2, "units": 8,
             "encoder_units": 8, "encoder_blocks": (2, 1), "attention": None, "n_critic": 1, "batch_size": 8,
             "ema_decay": 0.9},
        ),
        "laptop": Preset("32x32 grey, minutes on two CPU cores: 32 channels in G and F", _LAPTOP),
        "laptop_revnet": Preset("laptop with a RevNet for E", _LAPTOP, "revnet"),
        "colab": Preset(
            "32x32 colour, 256 channels in G and F, attention at 16x16, for a GPU",
            {"resolution": 32, "base_channels": 64, "encoder_channels": 32, "encoder_blocks": (3, 4, 6), "units": 512,
             "encoder_units": 1024, "attention": 16, "n_critic": 1, "learning_rate": 1e-4,
             "encoder_learning_rate": 2e-4, "discriminator_learning_rate": 4e-4, "ema_decay": 0.999, "batch_size": 64},
        ),
        "imagenet_128": Preset("the paper's at 128x128: ch 96, ResNet-50, batch 2048"),
        "imagenet_128_revnet": Preset("the same with a RevNet-50", architecture="revnet"),
        "imagenet_128_revnet_x4": Preset(
            "the same with a RevNet-50, four times as wide", {"encoder_channels": 256}, architecture="revnet"
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "resnet",
        resolution: int = 128,
        channels: int = 3,
        latent_dim: int = 120,
        base_channels: int = 96,
        encoder_channels: int = 64,
        encoder_blocks: Sequence[int] = (3, 4, 6, 3),
        units: int = 2048,
        encoder_units: int = 4096,
        attention: int | None = 64,
        terms: Sequence[str] = TERMS,
        initial: str = "orthogonal",
        n_critic: int = 2,
        learning_rate: float = 5e-5,
        encoder_learning_rate: float | None = None,
        discriminator_learning_rate: float = 2e-4,
        ema_decay: float | None = 0.9999,
        batch_size: int = 2048,
        seed: int = 0,
    ):
        entry, _ = self.settled(ARCHITECTURES, architecture)
        rates = {
            "learning_rate": learning_rate,
            "encoder_learning_rate": 10 * learning_rate
            if encoder_learning_rate is None
            else encoder_learning_rate,
            "discriminator_learning_rate": discriminator_learning_rate,
        }
        require_positive(example="2e-4", **rates)
        require_positive_integers(n_critic=n_critic, resolution=resolution)
        require_place(attention, resolution)
        blocks = _stages(encoder_blocks)
        self.terms = _terms(terms)
        self.n_critic = n_critic
        self.latent_dim = latent_dim
        self.adversarial_loss = losses.Hinge()
        sizes = {"channels": channels, "latent_dim": latent_dim, "base_channels": base_channels}
        sizes |= {"encoder_channels": encoder_channels, "units": units, "encoder_units": encoder_units}
        options = {"attention": attention, "blocks": blocks, "terms": self.terms, "initial": initial}
        self.generator, self.encoder, judge = entry.build(seed, options, resolution=resolution, **sizes)
        super().__init__(
            [
                Player("generator", "generator", self.generator),
                Player("encoder", "encoder", self.encoder),
                Player("discriminator", "discriminator", judge),
            ],
            {
                role: adam(rates[name], beta_1=0.0, beta_2=0.999)
                for role, name in zip(("generator", "encoder", "discriminator"), rates, strict=True)
            },
            ema_decay=ema_decay,
            image_shape=(resolution, resolution, channels),
            batch_size=batch_size,
            seed=seed,
        )
        if ema_decay is None:
            self.ema_generator, self.ema_encoder = self.generator, self.encoder

    def averaged(self):
        """G's and E's."""
        return {"ema_generator": Average(self.generator), "ema_encoder": Average(self.encoder)}

    # ------------------------------------------------------------------------------------------- the game

    def updates(self):
        """D's updates, one a batch, then G's and E's at once."""
        return [
            Update("discriminator/{i}", ("discriminator",), self.discriminator_loss, times=self.n_critic),
            Update("generator", ("generator", "encoder"), self.generator_loss),
        ]

    def discriminator_loss(self, batch):
        """What D minimises on real `batch`, and its logs. G and E stand still."""
        real, _ = self.split_batch(batch)
        fake, z, inferred = self._pairs(real, self.frozen(self.generator), self.frozen(self.encoder))
        player = self.player("discriminator")
        scores = []
        pairs = (("real", real, inferred), ("fake", fake, z))
        for scope, images, latents in pairs:
            with self.streams.scope(scope):
                shown = self.shown_to(
                    player, self.viewed(tf.stop_gradient(images)), tf.stop_gradient(latents)
                )
                scores.append(tf.nest.flatten(self.discriminator(shown, training=True)))
        for trick in self.tricks:
            trick.observe(self, player, scores[0][0], scores[1][0])
        terms = [self.adversarial_loss.discriminator(s, t) for s, t in zip(*scores, strict=True)]
        real_loss, fake_loss = (tf.add_n(side) for side in zip(*terms, strict=True))
        loss = real_loss + fake_loss
        logs = {"discriminator_loss": loss, "real_loss": real_loss, "fake_loss": fake_loss}
        for side, of_side in zip(("real", "fake"), scores, strict=True):
            logs |= {f"{side}_{t}": tf.reduce_mean(s) for t, s in zip(self.terms, of_side, strict=True)}
        return loss, logs

    def generator_loss(self, batch):
        """What G and E minimise: the scores of E's pairs less those of G's, and its logs. D stands still."""
        real, _ = self.split_batch(batch)
        fake, z, inferred = self._pairs(
            real,
            functools.partial(self.generator, training=True),
            functools.partial(self.encoder, training=True),
        )
        player, judge = self.player("discriminator"), self.frozen(self.discriminator)
        sums = {}
        for scope, images, latents in (("real", real, inferred), ("fake", fake, z)):
            with self.streams.scope(scope):
                scores = tf.nest.flatten(judge(self.shown_to(player, self.viewed(images), latents)))
                sums[scope] = tf.add_n([tf.reduce_mean(score) for score in scores])
        loss = sums["real"] - sums["fake"]
        return loss, {"generator_loss": loss, "encoder_score": sums["real"], "generator_score": sums["fake"]}

    def shown_to(self, player, images, condition):
        """Pairs of images and latents."""
        return [images, condition]

    def _pairs(self, real: tf.Tensor, generator: Callable, encoder: Callable):
        """(G(z), z, E(x)) of as many fresh z as real images, x."""
        with self.streams.scope("generate"):
            z = self.draw_latents(batch_size_of(real))
            fake = generator(z)
        with self.streams.scope("encode"):
            inferred, *_ = encoder(real)
        return fake, z, inferred

    # ---------------------------------------------------------------------------------------- the encoder

    def encode(self, images: Any, seed: int | None = None) -> np.ndarray:
        """The averaged E's latents of images: float32 (n, latent_dim).

        Args:
            images: (n, resolution, resolution, channels) in [-1, 1].
            seed: Of draws from E(x); None: the means.

        Raises:
            InputError: The images have another shape.
        """
        return self._encoded(images, 1 if seed is None else 0, seed)

    def features(self, images: Any) -> np.ndarray:
        """The averaged E's features of images, in front of its perceptron: float32 (n, features). For linear probes.

        Raises:
            InputError: The images have another shape.
        """
        return self._encoded(images, 3, None)

    def reconstruct(self, images: Any, seed: int | None = None) -> np.ndarray:
        """G(E(x)): images of the latents of images, float32 of the same shape. Arguments and errors as `encode`."""
        return self.images_of(self.encode(images, seed))

    def _encoded(self, images: Any, output: int, seed: int | None) -> np.ndarray:
        images = np.asarray(images, np.float32)
        if images.ndim != 4 or images.shape[1:] != self.image_shape or not len(images):
            raise InputError(
                f"images of shape {images.shape}: E takes (n, {', '.join(map(str, self.image_shape))})"
            )
        key = sampling.key_from(0 if seed is None else seed, "encode")
        encoder = lambda chunk: self.ema_encoder(chunk, training=False)[output]  # noqa: E731
        return self._chunks.run(("encode", output), encoder, images, key)


def _terms(terms: Any) -> tuple[str, ...]:
    """Scores, in D's order.

    Raises:
        InputError: One is unknown, or there is none that joins images and latents.
    """
    given_terms = [terms] if isinstance(terms, str) else list(terms)
    for term in given_terms:
        require_known("term", term, TERMS)
    if "xz" not in given_terms:
        raise InputError(
            f"terms={terms!r}: only 'xz' sees image and latent together; E learns nothing without it"
        )
    return tuple(term for term in TERMS if term in given_terms)


def _stages(blocks: Any) -> tuple[int, ...]:
    """Blocks of E's stages.

    Raises:
        InputError: They are no positive integers.
    """
    try:
        stages = tuple(blocks)
        require_positive_integers(**{f"stage {i}": count for i, count in enumerate(stages)})
    except (TypeError, InputError):
        stages = ()
    if not stages:
        raise InputError(
            f"encoder_blocks={blocks!r}: give the number of blocks of each stage, like (3, 4, 6, 3)"
        )
    return stages
