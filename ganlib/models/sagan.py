"""SAGAN: self-attention generative adversarial networks.

Zhang, Goodfellow, Metaxas, Odena. ICML 2019, arXiv:1805.08318.
Networks: projection GAN's ResNets for 128x128, with one self-attention layer in each (section 3; at 32x32, the best of
table 1 by its code's default) and spectral normalisation in both (section 4.1), of every weight but those of batch
norm. Recipe: section 4.2 and experiments: hinge loss, two time scales (Adam, 1e-4 for G and 4e-4 for D, beta1 0 and
beta2 0.9) with one D step a G step, batch 256. Parts are placed as in the official code (brain-research/
self-attention-gan, commit 7a8590e, `generator_test`, `discriminator_test`): G has 42,078,852 parameters for 1000
classes, D 39,463,618. D's blocks have the output's channels inside, not the input's as in projection GAN. An averaged
generator, of decay 0.999, is ours: the code has none (its 0.999 is the conditional batch norm's).

Architecture "constant" follows mimicry (kwotsin/mimicry, commit a7fda06) at 32x32, for which the paper has no networks:
constant width, attention at half the resolution in G, at a quarter in D. 10 classes: 4,386,308 + 1,075,586 parameters.
"mimicry" is its pair for 128x128 (`torch_mimicry/nets/sagan/sagan_128.py`): G as in "doubling", a D of an eighth of the
width, 8 to 128 channels, whose blocks have the input's channels inside. 1000 classes: 42,078,852 + 582,818 parameters.
"plain_generator" has spectral normalisation in D alone: the paper's "SN on D" of figure 4.

Differs from the official code: batch norm's momentum is 0.9 here, 0.999 there with a class and 0.9999 in G's last (a
shorter run needs a shorter memory); 3x3 convolutions start sqrt(2) times as large as there (projection GAN's), where
all have Glorot & Bengio's weights (W / sigma(W) is the same, Adam's steps are smaller beside W); Adam's
beta2 is the paper's 0.9, in the code 0.999; the batch is the paper's 256, in the code 64 a device; spectral vectors of
D move in the pass over generated images too; generated images have the labels of the real batch. Differs from mimicry:
nearest neighbours where it doubles bilinearly, and TTUR as in the paper.
"""

import functools
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import keras
import numpy as np
from keras import layers

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.layers import (
    BatchNormalization,
    ConditionalBatchNormalization,
    GlobalSumPooling2D,
    SelfAttention,
    SpectralDense,
    SpectralProjection,
    SpectralSelfAttention,
)
from ganlib.layers.given import given
from ganlib.layers.residual import (
    Convolution,
    plain,
    residual_down,
    residual_first,
    residual_same,
    residual_up,
    spectral,
)
from ganlib.layers.self_attention import attention_maps
from ganlib.layers.sizes import constant_widths, doubling_widths, smallest_size
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made


class Kinds(NamedTuple):
    """Factories of the layers that have weights."""

    convolution: Convolution
    dense: Callable[[int], layers.Layer]
    attention: Callable[[], layers.Layer]


SPECTRAL = Kinds(spectral, SpectralDense, SpectralSelfAttention)
PLAIN = Kinds(plain, layers.Dense, SelfAttention)


def generator(
    resolution: int,
    channels: int,
    num_classes: int,
    latent_dim: int,
    widths: Sequence[int],
    attention: int | None,
    kinds: Kinds = SPECTRAL,
) -> keras.Model:
    """[z (batch, latent_dim), labels (batch,)] -> image (batch, resolution, resolution, channels) in [-1, 1].

    Args:
        resolution: Of the images.
        channels: Of the images.
        num_classes: Rows of each conditional batch norm.
        latent_dim: Of z.
        widths: Channels at the smallest resolution, and of each block from there.
        attention: Height of the feature map with attention, after its block; None: no attention.
        kinds: With spectral normalisation, or without.
    """
    size, _ = smallest_size(resolution)
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    x = layers.Reshape((size, size, widths[0]))(kinds.dense(size * size * widths[0])(z))
    for width in widths[1:]:
        normalization = given(labels, lambda: ConditionalBatchNormalization(num_classes))
        x = residual_up(x, width, kinds.convolution, normalization)
        x = kinds.attention()(x) if x.shape[1] == attention else x
    x = layers.ReLU()(BatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    x = kinds.convolution(channels, 3, kernel_initializer="glorot_uniform")(x)
    return keras.Model([z, labels], layers.Activation("tanh")(x), name="generator")


def discriminator(
    resolution: int,
    channels: int,
    num_classes: int,
    halving: Sequence[int],
    same: Sequence[int],
    attention: int | None,
    hidden_of_input: bool = False,
) -> keras.Model:
    """[image (batch, resolution, resolution, channels), labels (batch,)] -> logit (batch, 1).

    Args:
        resolution: Of the images.
        channels: Of the images.
        num_classes: Rows of the projection.
        halving: Channels of the blocks that halve the resolution, from the image on.
        same: Channels of the blocks after them.
        attention: Height of the feature map with attention, after its halving; None: no attention.
        hidden_of_input: Blocks have the input's channels inside, not the output's.
    """
    image = keras.Input((resolution, resolution, channels), name="image")
    labels = keras.Input((), dtype="int32", name="labels")
    attended = lambda x: SpectralSelfAttention()(x) if x.shape[1] == attention else x  # noqa: E731
    x = attended(residual_first(image, halving[0], spectral))
    for width in halving[1:]:
        hidden = None if hidden_of_input else width
        x = attended(residual_down(x, width, spectral, hidden_channels=hidden))
    for width in same:
        x = residual_same(x, width, spectral, hidden_channels=None if hidden_of_input else width)
    features = GlobalSumPooling2D()(layers.ReLU()(x))
    logit = layers.Add()([SpectralDense(1)(features), SpectralProjection(num_classes)([features, labels])])
    return keras.Model([image, labels], logit, name="discriminator")


def _doubling(
    kinds, resolution, channels, num_classes, latent_dim, base_channels, attention, narrower=1, **of_d
):
    widths, _, _ = doubling_widths(resolution, base_channels)
    _, halving, same = doubling_widths(resolution, max(1, base_channels // narrower))
    places = [resolution // 2**i for i in range(1, len(halving))]
    if attention is not None and attention not in places:
        raise InputError(
            f"attention={attention!r}: with resolution={resolution} choose one of "
            f"{', '.join(map(str, places)) or 'no resolution'}, or None for no attention"
        )
    return (
        made(generator, resolution, channels, num_classes, latent_dim, widths, attention, kinds),
        discriminator(resolution, channels, num_classes, halving, same, attention, **of_d),
    )


def _constant(resolution, channels, num_classes, latent_dim, base_channels, attention):
    widths, halving, same = constant_widths(resolution, base_channels)
    return (
        made(generator, resolution, channels, num_classes, latent_dim, widths, resolution // 2),
        discriminator(resolution, channels, num_classes, halving, same, resolution // 4),
    )


_IMAGENET = {"resolution": 128, "num_classes": 1000, "base_channels": 64, "batch_size": 256}
ARCHITECTURES = {
    "doubling": Architecture(functools.partial(_doubling, SPECTRAL), _IMAGENET),
    "plain_generator": Architecture(functools.partial(_doubling, PLAIN), _IMAGENET),
    "constant": Architecture(
        _constant, {"resolution": 32, "num_classes": 10, "base_channels": 256, "batch_size": 64}
    ),
    "mimicry": Architecture(
        functools.partial(_doubling, SPECTRAL, narrower=8, hidden_of_input=True),
        _IMAGENET | {"batch_size": 64},
    ),
}


@keras.saving.register_keras_serializable("ganlib")
class SAGAN(GAN):
    """ResNets in which each position can look at all others.

    Args:
        architecture: "doubling", "plain_generator", "constant" or "mimicry". What is None below is the architecture's:
            those of ImageNet (128, 1000, 64, 256; "mimicry" has batches of 64), or for "constant" of CIFAR-10 (32, 10,
            256, 64).
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 16.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes the labels have.
        latent_dim: Dimension of z.
        base_channels: Channels next to the image, in both networks; a multiple of 8, where there is attention. Of
            "constant" those of all of G, a multiple of 16; D has half as many. Of "mimicry" G's; D has an eighth.
        attention: Height of the feature maps with attention, in both networks; None: no attention. "constant" has it
            where it has it.
        n_critic: D updates for each G update.
        learning_rate: Of G's Adam.
        discriminator_learning_rate: Of D's.
        ema_decay: Of the averaged generator; None for none.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    title = "Self-Attention Generative Adversarial Networks"
    authors = "Zhang, Goodfellow, Metaxas, Odena"
    year = 2019
    arxiv = "1805.08318"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "16x16 grey, 10 classes, 8 channels, attention at 8x8: seconds, for tests",
            {"resolution": 16, "channels": 1, "num_classes": 10, "latent_dim": 8, "base_channels": 8,
             "attention": 8, "batch_size": 8, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey, 10 classes, 16 channels, attention at 16x16: minutes on two CPU cores",
            {"resolution": 32, "channels": 1, "num_classes": 10, "latent_dim": 64, "base_channels": 16,
             "attention": 16, "learning_rate": 2e-3, "discriminator_learning_rate": 8e-3,
             "ema_decay": 0.995, "batch_size": 64},
        ),
        "colab": Preset(
            "64x64 colour, 10 classes, 32 channels, attention at 32x32, for a GPU",
            {"resolution": 64, "num_classes": 10, "base_channels": 32, "batch_size": 64},
        ),
        "imagenet_128": Preset("the paper's pair: 128x128, 1000 classes, 64 channels, attention at 32x32"),
        "cifar10_32": Preset(
            "mimicry's pair for 32x32: 10 classes, 256 and 128 channels", architecture="constant"
        ),
        "imagenet_128_mimicry": Preset(
            "mimicry's pair for 128x128: 1000 classes, 64 to 1024 channels in G, 8 to 128 in D",
            architecture="mimicry",
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "doubling",
        resolution: int | None = None,
        channels: int = 3,
        num_classes: int | None = None,
        latent_dim: int = 128,
        base_channels: int | None = None,
        attention: int | None = 32,
        n_critic: int = 1,
        learning_rate: float = 1e-4,
        discriminator_learning_rate: float = 4e-4,
        ema_decay: float | None = 0.999,
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
        require_positive(
            example="1e-4",
            learning_rate=learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
        )
        super().__init__(
            *entry.build(seed, {"attention": attention}, **sizes),
            num_classes=sizes["num_classes"],
            loss="hinge",
            n_critic=n_critic,
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
            discriminator_optimizer=adam(discriminator_learning_rate, beta_1=0.0, beta_2=0.9),
            batch_size=batch_size,
            seed=seed,
        )

    def attention_maps(
        self, n: int, labels: int | Sequence[int] | None = None, seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Samples of the averaged generator, and where its attention layer looked while it made them.

        Args:
            n: How many.
            labels: As in `sample`.
            seed: As in `sample`.

        Returns:
            Images (n, height, width, channels), and maps (n, h, w, h/2, w/2): for each position of the feature map with
            attention the weights of the pooled positions, which sum to 1.

        Raises:
            InputError: An argument is out of range, or there is no attention in G.
        """
        require_positive_integers(n=n)
        inputs = self.conditioned(self.sample_latents(n, seed=seed), self.sample_labels(n, labels, seed))
        return self.images_of(inputs), attention_maps(self.ema_generator, inputs)[0]
