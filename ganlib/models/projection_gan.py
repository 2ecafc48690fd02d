"""cGANs with projection discriminator.

Miyato, Koyama. ICLR 2018, arXiv:1802.05637.
Networks: SNGAN's ResNets with the class told to both players: G by conditional batch norm (a row of scales and offsets
a class), D by the projection of eq. 3, V[y] . phi(x) + psi(phi(x)), with phi the sums over pixels at its end. Every
weight of D, V too, is W / sigma(W). Recipe: hinge loss, Adam 2e-4 with beta1 0 and beta2 0.9, five D steps a G step;
batch 64 for 32x32, 256 for ImageNet. Widths, initial weights and the place of each part are those of the authors' code
(pfnet-research/sngan_projection, gen_models/ and dis_models/, commits c26cedf and ab97f6b): ResNet-32 with 10 classes
has 4,304,387 + 1,055,105 parameters.

`ImageNetProjectionGAN` has the widths of the paper's 128x128 pair, which double towards 4x4. `ConcatenationGAN` is the
paper's baseline: D gets the class as channels of its own beside its features.

Differs from the authors' code: as SNGAN does; D's last layer has a bias at 32x32 (theirs has none there, and one at
128x128); generated images have the labels of the real batch instead of uniform ones. The concatenation at 32x32 is
ours: theirs is for 128x128 only, before the fourth of five halvings.
"""

from collections.abc import Sequence
from typing import ClassVar

import keras
import tensorflow as tf
from keras import layers

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.conditional import ConditionalGAN
from ganlib.layers import ConditionalBatchNormalization, SpectralDense, SpectralEmbedding, SpectralProjection
from ganlib.layers.conditional_residual import conditional_residual_up
from ganlib.layers.residual import plain, residual_down, residual_first, residual_same, spectral
from ganlib.models.dcgan import smallest_size
from ganlib.models.sngan import GlobalSumPooling2D, batch_norm
from ganlib.randomness import seeded


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
        x = conditional_residual_up(x, labels, width, plain, lambda: conditional_batch_norm(num_classes))
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


@keras.saving.register_keras_serializable("ganlib")
class ConcatenateEverywhere(layers.Layer):
    """[(batch, height, width, a), (batch, b)] -> (batch, height, width, a + b): the vector at every position."""

    def call(self, inputs):
        """[(batch, height, width, a), (batch, b)] -> (batch, height, width, a + b)."""
        x, vectors = inputs
        shape = [tf.shape(x)[0], *x.shape[1:3], vectors.shape[-1]]
        return tf.concat([x, tf.broadcast_to(vectors[:, None, None, :], shape)], axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, height, width, a + b)."""
        return (*input_shape[0][:3], input_shape[0][-1] + input_shape[1][-1])


def constant_widths(resolution: int, base_channels: int) -> tuple[list[int], list[int], list[int]]:
    """G's widths, those of D's halving blocks, and of its last ones: SNGAN's, D half as wide as G."""
    _, stages = smallest_size(resolution)
    half = max(1, base_channels // 2)
    return [base_channels] * (stages + 1), [half] * max(1, stages - 1), [half] * 2


def doubling_widths(resolution: int, base_channels: int) -> tuple[list[int], list[int], list[int]]:
    """The same for networks whose channels double with each halving: 16, 16, 8, 4, 2, 1; 1, 2, 4, 8, 16; 16 at 128."""
    _, stages = smallest_size(resolution)
    halving = [base_channels * 2**stage for stage in range(stages)]
    return [halving[-1], *halving[::-1]], halving, [halving[-1]]


@keras.saving.register_keras_serializable("ganlib")
class ProjectionGAN(ConditionalGAN):
    """SNGAN's ResNets with conditional batch norm in G and a projection in D.

    Args:
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes the labels have.
        latent_dim: Dimension of z.
        base_channels: Channels of all of G; D has half as many.
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
    presets: ClassVar = {
        "smoke": {
            "description": "8x8 grey, 10 classes, 8 and 4 channels: seconds, for tests",
            "arguments": {
                "resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 8, "n_critic": 2,
                "batch_size": 8, "ema_decay": 0.9,
            },
        },
        "colab": {
            "description": "32x32 colour, 10 classes, 128 and 64 channels, for a GPU",
            "arguments": {"base_channels": 128, "ema_decay": 0.999},
        },
        "cifar10_32": {
            "description": "the authors' ResNets for CIFAR-10: 10 classes, 256 and 128 channels", "arguments": {},
        },
    }  # fmt: skip

    def __init__(
        self,
        resolution: int = 32,
        channels: int = 3,
        num_classes: int = 10,
        latent_dim: int = 128,
        base_channels: int = 256,
        n_critic: int = 5,
        learning_rate: float = 2e-4,
        discriminator_learning_rate: float | None = None,
        ema_decay: float | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ):
        require_positive_integers(
            resolution=resolution,
            channels=channels,
            num_classes=num_classes,
            latent_dim=latent_dim,
            base_channels=base_channels,
        )
        if discriminator_learning_rate is None:
            discriminator_learning_rate = learning_rate
        require_positive(
            example="2e-4",
            learning_rate=learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
        )
        with seeded(seed):
            super().__init__(
                *self.make_networks(resolution, channels, num_classes, latent_dim, base_channels),
                num_classes=num_classes,
                loss="hinge",
                n_critic=n_critic,
                ema_decay=ema_decay,
                generator_optimizer=_adam(learning_rate),
                discriminator_optimizer=_adam(discriminator_learning_rate),
                batch_size=batch_size,
                seed=seed,
            )

    widths = staticmethod(constant_widths)

    @classmethod
    def make_networks(
        cls, resolution: int, channels: int, num_classes: int, latent_dim: int, base_channels: int
    ) -> tuple[keras.Model, keras.Model]:
        """G and D."""
        g_widths, halving, same = cls.widths(resolution, base_channels)
        return (
            generator(resolution, channels, num_classes, latent_dim, g_widths),
            cls.make_discriminator(resolution, channels, num_classes, halving, same),
        )

    make_discriminator = staticmethod(discriminator)


@keras.saving.register_keras_serializable("ganlib")
class ConcatenationGAN(ProjectionGAN):
    """The baseline of section 5: the class joins D's features as channels, after the last halving; G is the same.

    Arguments as `ProjectionGAN`'s. A class has half as many numbers as D has
    channels there, as in the authors' code (128 beside 256).
    """

    @staticmethod
    def make_discriminator(resolution, channels, num_classes, halving, same):
        """[image, labels] -> logit."""
        embedding_dim = max(1, halving[-1] // 2)
        return concatenating_discriminator(
            resolution, channels, num_classes, halving, same, len(halving), embedding_dim
        )


@keras.saving.register_keras_serializable("ganlib")
class WideConcatenationGAN(ConcatenationGAN):
    """The same baseline on the pair of `ImageNetProjectionGAN`. Arguments as `ProjectionGAN`'s."""

    widths = staticmethod(doubling_widths)


@keras.saving.register_keras_serializable("ganlib")
class ImageNetProjectionGAN(ProjectionGAN):
    """The wide pair of section 5.1: channels double with each halving, up to 16 times those next to the image.

    Args:
        resolution: Height and width of the images; 128 in the paper.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes the labels have.
        latent_dim: Dimension of z.
        base_channels: Channels next to the image, in both networks.
        n_critic: D updates for each G update.
        learning_rate: Of G's Adam.
        discriminator_learning_rate: Of D's; None: the same.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    def __init__(
        self,
        resolution: int = 128,
        channels: int = 3,
        num_classes: int = 1000,
        latent_dim: int = 128,
        base_channels: int = 64,
        n_critic: int = 5,
        learning_rate: float = 2e-4,
        discriminator_learning_rate: float | None = None,
        ema_decay: float | None = None,
        batch_size: int = 256,
        seed: int = 0,
    ):
        super().__init__(
            resolution, channels, num_classes, latent_dim, base_channels, n_critic, learning_rate,
            discriminator_learning_rate, ema_decay, batch_size, seed,
        )  # fmt: skip

    widths = staticmethod(doubling_widths)


ProjectionGAN.presets["cifar10_32_concat"] = {
    "description": "the same pair with the class concatenated to D's features, the paper's baseline",
    "class": ConcatenationGAN,
    "arguments": {},
}
ProjectionGAN.presets["laptop"] = {
    "description": "the wide pair at 32x32 grey, 10 classes, 8 to 32 channels, in minutes on two CPU cores",
    "class": ImageNetProjectionGAN,
    "arguments": {
        "resolution": 32, "channels": 1, "num_classes": 10, "latent_dim": 64, "base_channels": 8, "n_critic": 1,
        "learning_rate": 1e-3, "discriminator_learning_rate": 2e-3, "ema_decay": 0.995, "batch_size": 64,
    },
}  # fmt: skip
ProjectionGAN.presets["laptop_concat"] = {
    "description": "laptop, with the class concatenated to D's features",
    "class": WideConcatenationGAN,
    "arguments": ProjectionGAN.presets["laptop"]["arguments"],
}
ProjectionGAN.presets["fashion_32_zoo"] = {
    "description": "the wide pair at 32x32 grey, 16 to 64 channels, trained: 150,000 images of Fashion-MNIST",
    "class": ImageNetProjectionGAN,
    "arguments": {
        **ProjectionGAN.presets["laptop"]["arguments"], "base_channels": 16, "ema_decay": 0.999,
    },
    "weights": "projection_gan_fashion_32.weights.h5",
}  # fmt: skip
ProjectionGAN.presets["imagenet_128"] = {
    "description": "the paper's 128x128 pair: 1000 classes, 64 to 1024 channels, batch 256",
    "class": ImageNetProjectionGAN,
    "arguments": {},
}


def conditional_batch_norm(num_classes: int) -> layers.Layer:
    """Chainer's defaults, which the authors' code uses."""
    return ConditionalBatchNormalization(num_classes, momentum=0.9, epsilon=2e-5)


def _inputs(resolution: int, channels: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    return keras.Input((resolution, resolution, channels), name="image"), keras.Input(
        (), dtype="int32", name="labels"
    )


def _adam(learning_rate: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(learning_rate, beta_1=0.0, beta_2=0.9, epsilon=1e-8)
