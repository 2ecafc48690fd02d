"""cGANs with projection discriminator.

Miyato, Koyama. ICLR 2018, arXiv:1802.05637.
Networks: SNGAN's ResNets with the class told to both players: G by conditional batch norm (a row of scales and offsets
a class), D by the projection of eq. 3, V[y] . phi(x) + psi(phi(x)), with phi the sums over pixels at its end. Every
weight of D, V too, is W / sigma(W). Recipe: hinge loss, Adam 2e-4 with beta1 0 and beta2 0.9, five D steps a G step;
batch 64 for 32x32, 256 for ImageNet. Widths, initial weights and the place of each part are those of the authors' code
(pfnet-research/sngan_projection, gen_models/ and dis_models/, commits c26cedf and ab97f6b): ResNet-32 with 10 classes
has 4,304,387 + 1,055,105 parameters.

Architecture "wide" has the widths of the paper's 128x128 pair (section 5.1), which double towards 4x4, up to 16 times
those next to the image. "concat" and "wide_concat" are the baseline of section 5: D gets the class as channels of its
own beside its features, after the last halving.

Architecture "mimicry" is kwotsin/mimicry's pair for 128x128 (commit a7fda06, `torch_mimicry/nets/cgan_pd/
cgan_pd_128.py`): "wide" with a D of an eighth of the width, 8 to 128 channels; for 1000 classes 41,996,931 + 582,497
parameters. (At 32x32 mimicry's pair is "resnet".) It doubles bilinearly, here by nearest neighbours.

Differs from the authors' code: as SNGAN does (G's batch is D's, theirs twice that; no noise; no decay); D's last layer
has a bias at 32x32 (theirs has none there, and one at 128x128); "wide" at 64x64 goes up to 8 times the width next to
the image and halves to 4x4, where their pair for 64x64 (`resnet_64.py`, `snresnet_64.py`) goes up to 16 times and D
halves to 2x2, without a block behind it; generated images have the labels of the real batch instead of uniform ones.
The concatenation at 32x32 is ours: theirs is for 128x128 only, before the fourth of five halvings.
"""

import functools
from collections.abc import Sequence
from typing import ClassVar

import keras
from keras import layers

from ganlib.arguments import require_positive
from ganlib.gan import GAN
from ganlib.layers import (
    ConcatenateEverywhere,
    ConditionalBatchNormalization,
    GlobalSumPooling2D,
    SpectralDense,
    SpectralEmbedding,
    SpectralProjection,
)
from ganlib.layers.given import given
from ganlib.layers.residual import plain, residual_down, residual_first, residual_same, residual_up, spectral
from ganlib.layers.sizes import constant_widths, doubling_widths, smallest_size
from ganlib.models.sngan import batch_norm
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made


def generator(
    resolution: int, channels: int, num_classes: int, latent_dim: int, widths: Sequence[int]
) -> keras.Model:
    """[z (batch, latent_dim), labels (batch,)] -> image (batch, resolution, resolution, channels) in [-1, 1].

    Args:
        resolution: Of the images.
        channels: Of the images.
        num_classes: Rows of each conditional batch norm.
        latent_dim: Of z.
        widths: Channels at the smallest resolution, and of each block from there.
    """
    size, _ = smallest_size(resolution)
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    x = layers.Dense(size * size * widths[0])(z)
    x = layers.Reshape((size, size, widths[0]))(x)
    for width in widths[1:]:
        x = residual_up(x, width, plain, given(labels, lambda: conditional_batch_norm(num_classes)))
    x = layers.ReLU()(batch_norm()(x))
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh")(x)
    return keras.Model([z, labels], x, name="generator")


def discriminator(
    resolution: int, channels: int, num_classes: int, halving: Sequence[int], same: Sequence[int]
) -> keras.Model:
    """[image (batch, resolution, resolution, channels), labels (batch,)] -> logit (batch, 1). Eq. 3.

    Args:
        resolution: Of the images.
        channels: Of the images.
        num_classes: Rows of V.
        halving: Channels of the blocks that halve the resolution, from the image on.
        same: Channels of the blocks after them.
    """
    image, labels = _inputs(resolution, channels)
    x = residual_first(image, halving[0], spectral)
    for width in halving[1:]:
        x = residual_down(x, width, spectral)
    for width in same:
        x = residual_same(x, width, spectral)
    features = GlobalSumPooling2D()(layers.ReLU()(x))
    logit = layers.Add()([SpectralDense(1)(features), SpectralProjection(num_classes)([features, labels])])
    return keras.Model([image, labels], logit, name="discriminator")


def concatenating_discriminator(
    resolution: int,
    channels: int,
    num_classes: int,
    halving: Sequence[int],
    same: Sequence[int],
    joining: int,
    embedding_dim: int,
) -> keras.Model:
    """The same without projection: after `joining` blocks `embedding_dim` numbers a class are added as channels."""
    image, labels = _inputs(resolution, channels)
    classes = SpectralEmbedding(num_classes, embedding_dim, embeddings_initializer="glorot_uniform")(labels)
    x = residual_first(image, halving[0], spectral)
    for width in halving[1:joining]:
        x = residual_down(x, width, spectral)
    x = ConcatenateEverywhere()([x, classes])
    for width in halving[joining:]:
        x = residual_down(x, width, spectral)
    for width in same:
        x = residual_same(x, width, spectral)
    x = GlobalSumPooling2D()(layers.ReLU()(x))
    return keras.Model([image, labels], SpectralDense(1)(x), name="discriminator")


def _networks(
    widths_of, concatenated, resolution, channels, num_classes, latent_dim, base_channels, narrower=1
):
    widths, _, _ = widths_of(resolution, base_channels)
    _, halving, same = widths_of(resolution, max(1, base_channels // narrower))
    arguments = (resolution, channels, num_classes, halving, same)
    # a class has half as many numbers as D has channels where it joins, as in the authors' code (128 beside 256)
    joined = {"joining": len(halving), "embedding_dim": max(1, halving[-1] // 2)}
    return (
        made(generator, resolution, channels, num_classes, latent_dim, widths),
        concatenating_discriminator(*arguments, **joined) if concatenated else discriminator(*arguments),
    )


_SMALL = {"resolution": 32, "num_classes": 10, "base_channels": 256, "batch_size": 64}
_WIDE = {"resolution": 128, "num_classes": 1000, "base_channels": 64, "batch_size": 256}
ARCHITECTURES = {
    "resnet": Architecture(functools.partial(_networks, constant_widths, False), _SMALL),
    "concat": Architecture(functools.partial(_networks, constant_widths, True), _SMALL),
    "wide": Architecture(functools.partial(_networks, doubling_widths, False), _WIDE),
    "wide_concat": Architecture(functools.partial(_networks, doubling_widths, True), _WIDE),
    "mimicry": Architecture(
        functools.partial(_networks, doubling_widths, False, narrower=8), _WIDE | {"batch_size": 64}
    ),
}
_LAPTOP = {
    "resolution": 32, "channels": 1, "num_classes": 10, "latent_dim": 64, "base_channels": 8, "n_critic": 1,
    "learning_rate": 1e-3, "discriminator_learning_rate": 2e-3, "ema_decay": 0.995, "batch_size": 64,
}  # fmt: skip


@keras.saving.register_keras_serializable("ganlib")
class ProjectionGAN(GAN):
    """SNGAN's ResNets with conditional batch norm in G and a projection in D.

    Args:
        architecture: "resnet", "concat", "wide", "wide_concat" or "mimicry". What is None below is the architecture's:
            those of CIFAR-10 (32, 10, 256, 64), and of ImageNet (128, 1000, 64, 256) for the wide ones, with batches of
            64 for "mimicry".
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes the labels have.
        latent_dim: Dimension of z.
        base_channels: Channels of all of G, D having half as many; of the wide ones those next to the image, in both;
            of "mimicry" G's, D having an eighth.
        n_critic: D updates for each G update.
        learning_rate: Of G's Adam.
        discriminator_learning_rate: Of D's; None: the same.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    title = "cGANs with Projection Discriminator"
    authors = "Miyato, Koyama"
    year = 2018
    arxiv = "1802.05637"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 10 classes, 8 and 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 8, "n_critic": 2,
             "batch_size": 8, "ema_decay": 0.9},
        ),
        "colab": Preset(
            "32x32 colour, 10 classes, 128 and 64 channels, for a GPU",
            {"base_channels": 128, "ema_decay": 0.999},
        ),
        "cifar10_32": Preset("the authors' ResNets for CIFAR-10: 10 classes, 256 and 128 channels"),
        "cifar10_32_concat": Preset(
            "the same pair with the class concatenated to D's features, the paper's baseline", architecture="concat"
        ),
        "laptop": Preset(
            "the wide pair at 32x32 grey, 10 classes, 8 to 32 channels, in minutes on two CPU cores", _LAPTOP, "wide"
        ),
        "laptop_concat": Preset("laptop, with the class concatenated to D's features", _LAPTOP, "wide_concat"),
        "fashion_32_zoo": Preset(
            "the wide pair at 32x32 grey, 16 to 64 channels, trained: 150,000 images of Fashion-MNIST",
            {**_LAPTOP, "base_channels": 16, "ema_decay": 0.999},
            "wide",
            "projection_gan_fashion_32.weights.h5",
        ),
        "imagenet_128": Preset(
            "the paper's 128x128 pair: 1000 classes, 64 to 1024 channels, batch 256", architecture="wide"
        ),
        "imagenet_128_mimicry": Preset(
            "mimicry's 128x128 pair: 1000 classes, 64 to 1024 channels in G, 8 to 128 in D", architecture="mimicry"
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "resnet",
        resolution: int | None = None,
        channels: int = 3,
        num_classes: int | None = None,
        latent_dim: int = 128,
        base_channels: int | None = None,
        n_critic: int = 5,
        learning_rate: float = 2e-4,
        discriminator_learning_rate: float | None = None,
        ema_decay: float | None = None,
        batch_size: int | None = None,
        seed: int = 0,
    ):
        entry, sizes = self.settled(
            ARCHITECTURES,
            architecture,
            resolution=resolution,
            num_classes=num_classes,
            base_channels=base_channels,
            batch_size=batch_size,
        )
        batch_size = sizes.pop("batch_size")
        sizes |= {"channels": channels, "latent_dim": latent_dim}
        if discriminator_learning_rate is None:
            discriminator_learning_rate = learning_rate
        require_positive(
            example="2e-4",
            learning_rate=learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
        )
        super().__init__(
            *entry.build(seed, **sizes),
            num_classes=sizes["num_classes"],
            loss="hinge",
            n_critic=n_critic,
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
            discriminator_optimizer=adam(discriminator_learning_rate, beta_1=0.0, beta_2=0.9),
            batch_size=batch_size,
            seed=seed,
        )


def conditional_batch_norm(num_classes: int) -> layers.Layer:
    """Chainer's defaults, which the authors' code uses."""
    return ConditionalBatchNormalization(num_classes, momentum=0.9, epsilon=2e-5)


def _inputs(resolution: int, channels: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    return keras.Input((resolution, resolution, channels), name="image"), keras.Input(
        (), dtype="int32", name="labels"
    )
