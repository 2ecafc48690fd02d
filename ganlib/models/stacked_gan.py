"""StackedGAN (SGAN): stacked generative adversarial networks.

Huang, Li, Poursaeed, Hopcroft, Belongie. CVPR 2017, arXiv:1612.04357.
An encoder, trained before and then left as it is, takes an image x = h_0 to features h_1 = E_0(x) and these to its
class y = h_2 = E_1(h_1) (section 3.2). Generators go the other way, h_i = G_i(h_{i+1}, z_i), from the class down to the
image, each in a game of its own (section 3.3):

    L_{G_i} = lambda_1 L_adv + lambda_2 L_cond + lambda_3 L_ent                                                 (eq. 5)
    L_{D_i} = -E log D_i(h_i) - E log(1 - D_i(G_i(h_{i+1}, z_i)))                                               (eq. 6)
    L_adv   = -E log D_i(G_i(h_{i+1}, z_i))                                                                     (eq. 7)
    L_cond  = E f(E_i(G_i(h_{i+1}, z_i)), h_{i+1})                                                              (eq. 8)
    L_ent   = -E log Q_i(z_i | G_i(h_{i+1}, z_i))                                                               (eq. 9)

f is a squared distance, for classes cross-entropy; Q_i, a second head of D_i, says which z_i was used, with errors of a
fixed deviation, so that -log Q_i is a squared distance too. G_i first learn from what the encoder makes of real images,
each by itself, then together: G_i is given what the generator above it makes (section 3.4).

Networks and recipe: section 4 and the authors' code (xunhuang1995/SGAN, commit e235644), for MNIST and CIFAR-10:
lambda 1, 1 and 10, Adam 1e-4 with beta1 0.5, batches of 100; in joint training G_1 minimises its own loss and 0.01 of
G_0's (the code for CIFAR-10; that for MNIST has 0).

Differs from the code: the encoder is trained here, at the start of the first `fit`, where the code loads one; images
and z_i are in [-1, 1], not [0, 1]; all players of a step move one after the other. On CIFAR-10 its D are classifiers of
ten classes too, see noise, and let G take up to seven updates at a time; here they play the game of MNIST. On MNIST the
code's D start from Glorot & Bengio's weights and normal(0.01), with ReLU in its dense layers; here from normal(0.02),
with leaky ReLU, as on CIFAR-10. The encoder starts as Keras has it, the code's convolutions from normal(0.01).
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import layers

from ganlib import batches as feeding
from ganlib import losses
from ganlib.adversarial import Adversarial
from ganlib.arguments import require_counts, require_not_negative, require_positive_integers
from ganlib.conditions import Classes, mixing_classes
from ganlib.engine import Average, Engine
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization, Dropout, OneHot
from ganlib.optimizers import adam
from ganlib.phases import Phase
from ganlib.presets import Architecture, Preset, copy_of, made
from ganlib.replicas import batch_size_of, outside_of_scopes
from ganlib.sampled import Sampled
from ganlib.updates import Player, Table, Update

# ------------------------------------------------------------------------------------------------ the encoder


def encoder(resolution: int, channels: int, features: int, base_channels: int, growth: int) -> keras.Model:
    """E_0: image (batch, resolution, resolution, channels) -> h_1 (batch, features), not negative.

    The first convolution has half of `base_channels`, the second `growth` times as many.
    """
    image = keras.Input((resolution, resolution, channels), name="image")
    x = image
    for width in (base_channels // 2, base_channels // 2 * growth):
        x = layers.MaxPooling2D(2)(layers.Conv2D(width, 5, activation="relu")(x))
    x = layers.Dense(features, activation="relu")(layers.Flatten()(x))
    return keras.Model(image, x, name="encoder_0")


def classifier(features: int, num_classes: int) -> keras.Model:
    """E_1: h_1 (batch, features) -> logits of classes (batch, num_classes)."""
    h = keras.Input((features,), name="features")
    return keras.Model(h, layers.Dense(num_classes)(h), name="encoder_1")


# ------------------------------------------------------------------------------------------------ the stack


def mnist_upper_generator(num_classes: int, latent_dim: int, features: int, units: int) -> keras.Model:
    """G_1: [z_1 (batch, latent_dim), labels] -> h_1 (batch, features), not negative."""
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    x = layers.Concatenate()([z, OneHot(num_classes)(labels)])
    x = _dense(_dense(x, units), units)
    x = layers.Dense(features, activation="relu", kernel_initializer=_normal())(x)
    return keras.Model([z, labels], x, name="generator_1")


def cifar10_upper_generator(num_classes: int, latent_dim: int, features: int, units: int) -> keras.Model:
    """G_1, with a layer for z_1 and one for the class before they are joined."""
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    x = layers.Concatenate()([_dense(z, units // 2), _dense(OneHot(num_classes)(labels), units)])
    x = _dense(_dense(x, units), units)
    x = layers.Dense(features, activation="relu", kernel_initializer=_normal())(x)
    return keras.Model([z, labels], x, name="generator_1")


def lower_generator(
    resolution: int, channels: int, latent_dim: int, features: int, base_channels: int, embeddings: int
) -> keras.Model:
    """G_0: [h_1 (batch, features), z_0 (batch, latent_dim)] -> image in [-1, 1]. The encoder's sizes, mirrored.

    Args:
        resolution: Of the images.
        channels: Of the images.
        latent_dim: Of z_0.
        features: Of h_1.
        base_channels: Of the last two hidden convolutions; the first two have twice as many.
        embeddings: Layers that z_0 passes before it joins h_1.
    """
    size = _smallest(resolution)
    h, z = keras.Input((features,), name="features"), keras.Input((latent_dim,), name="latents")
    embedded = z
    for _ in range(embeddings):
        embedded = _dense(embedded, 128)
    x = _dense(layers.Concatenate()([h, embedded]), size * size * 2 * base_channels)
    x = layers.Reshape((size, size, 2 * base_channels))(x)
    x = _activated(_up(2 * base_channels, strides=2, use_bias=False)(x))
    x = _activated(_up(base_channels, use_bias=False)(x))
    x = _activated(_up(base_channels, strides=2, use_bias=False)(x))
    x = layers.Activation("tanh")(_up(channels)(x))
    return keras.Model([h, z], x, name="generator_0")


def mnist_upper_discriminator(features: int, latent_dim: int, units: int) -> keras.Model:
    """D_1 and Q_1: h_1 (batch, features) -> [logit (batch, 1), z_1 as it seems (batch, latent_dim)]."""
    h = keras.Input((features,), name="features")
    x = h
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Dense(units // 2, kernel_initializer=_normal())(x))
    return keras.Model(h, _heads(x, latent_dim), name="discriminator_1")


def cifar10_upper_discriminator(features: int, latent_dim: int, units: int) -> keras.Model:
    """D_1 and Q_1, twice as wide, with a batch norm."""
    h = keras.Input((features,), name="features")
    x = layers.LeakyReLU(0.2)(layers.Dense(units, kernel_initializer=_normal())(h))
    x = _leaky(layers.Dense(units, use_bias=False, kernel_initializer=_normal())(x))
    return keras.Model(h, _heads(x, latent_dim), name="discriminator_1")


def mnist_lower_discriminator(
    resolution: int, channels: int, latent_dim: int, features: int, base_channels: int
) -> keras.Model:
    """D_0 and Q_0: image -> [logit (batch, 1), z_0 as it seems (batch, latent_dim)]."""
    image = keras.Input((resolution, resolution, channels), name="image")
    x = image
    for width in (base_channels // 2, base_channels, 2 * base_channels):
        x = layers.Conv2D(width, 5, strides=2, padding="same", kernel_initializer=_normal())(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Dense(features, kernel_initializer=_normal())(layers.Flatten()(x))
    return keras.Model(image, _heads(layers.LeakyReLU(0.2)(x), latent_dim), name="discriminator_0")


def cifar10_lower_discriminator(
    resolution: int, channels: int, latent_dim: int, features: int, base_channels: int
) -> keras.Model:
    """D_0 and Q_0 in seven convolutions; the logit is of their means, z_0 of all positions."""
    del features
    image = keras.Input((resolution, resolution, channels), name="image")
    few, many = 3 * base_channels // 4, 3 * base_channels // 2
    conv = functools.partial(layers.Conv2D, kernel_size=3, padding="same", kernel_initializer=_normal())
    x = layers.LeakyReLU(0.2)(conv(few)(image))
    x = Dropout(0.1)(_leaky(conv(few, strides=2, use_bias=False)(x)))
    x = _leaky(conv(many, use_bias=False)(x))
    x = Dropout(0.1)(_leaky(conv(many, strides=2, use_bias=False)(x)))
    x = _leaky(conv(many, padding="valid", use_bias=False)(x))
    x = layers.LeakyReLU(0.2)(conv(many, kernel_size=1)(x))
    logit = layers.Dense(1, kernel_initializer=_normal())(layers.GlobalAveragePooling2D()(x))
    recovered = layers.Dense(latent_dim, kernel_initializer=_normal(), name="recovered")(layers.Flatten()(x))
    return keras.Model(image, [logit, recovered], name="discriminator_0")


def _heads(x: keras.KerasTensor, latent_dim: int) -> list[keras.KerasTensor]:
    logit = layers.Dense(1, kernel_initializer=_normal(), name="logit")(x)
    recovered = layers.Dense(latent_dim, activation="tanh", kernel_initializer=_normal(), name="recovered")(x)
    return [logit, recovered]


def _dense(x: keras.KerasTensor, units: int) -> keras.KerasTensor:
    return _activated(layers.Dense(units, use_bias=False, kernel_initializer=_normal())(x))


def _up(channels: int, strides: int = 1, use_bias: bool = True) -> layers.Layer:
    """Twice the size, or four pixels more."""
    padding = "same" if strides == 2 else "valid"
    return layers.Conv2DTranspose(
        channels, 5, strides, padding, use_bias=use_bias, kernel_initializer=_normal()
    )


def _activated(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(BatchNormalization(momentum=0.9, epsilon=1e-6)(x))


def _leaky(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.LeakyReLU(0.2)(BatchNormalization(momentum=0.9, epsilon=1e-6)(x))


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _smallest(resolution: int) -> int:
    """What two convolutions of 5x5 and two halvings leave of a resolution.

    Raises:
        InputError: There is no such size.
    """
    size, rest = divmod(resolution - 12, 4)
    if size < 1 or rest:
        raise InputError(
            f"resolution={resolution} is not 12 more than a multiple of 4: the encoder halves twice between 5x5 "
            "convolutions; use 16, 28 or 32"
        )
    return size


def networks(
    parts: dict[str, Callable[..., keras.Model]],
    resolution: int,
    channels: int,
    num_classes: int,
    upper_latent_dim: int,
    lower_latent_dim: int,
    features: int,
    units: int,
    base_channels: int,
) -> dict[str, keras.Model]:
    """E, G and D of both levels, by the names that they have in the model."""
    _smallest(resolution)
    image, upper = (resolution, channels), (upper_latent_dim, features, units)
    return {
        "encoder_0": made(parts["encoder_0"], *image, features, base_channels),
        "encoder_1": made(classifier, features, num_classes),
        "generator_1": made(parts["generator_1"], num_classes, *upper),
        "discriminator_1": parts["discriminator_1"](features, upper_latent_dim, units),
        "generator_0": made(parts["generator_0"], *image, lower_latent_dim, features, base_channels),
        "discriminator_0": parts["discriminator_0"](*image, lower_latent_dim, features, base_channels),
    }


def _entry(parts: dict[str, Callable[..., keras.Model]], **defaults: Any) -> Architecture:
    return Architecture(functools.partial(networks, parts), defaults)


ARCHITECTURES = {
    "mnist": _entry(
        {
            "encoder_0": functools.partial(encoder, growth=1),
            "generator_1": mnist_upper_generator,
            "discriminator_1": mnist_upper_discriminator,
            "generator_0": functools.partial(lower_generator, embeddings=1),
            "discriminator_0": mnist_lower_discriminator,
        },
        resolution=28, lower_latent_dim=50, base_channels=64,
    ),
    "cifar10": _entry(
        {
            "encoder_0": functools.partial(encoder, growth=2),
            "generator_1": cifar10_upper_generator,
            "discriminator_1": cifar10_upper_discriminator,
            "generator_0": functools.partial(lower_generator, embeddings=2),
            "discriminator_0": cifar10_lower_discriminator,
        },
        resolution=32, lower_latent_dim=16, base_channels=128,
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable("ganlib")
class StackedGAN(Adversarial, Sampled, Engine):
    """Two GANs that go down the layers of a classifier: from a class to features, from features to an image.

    Latents are z_1 and behind it z_0. The encoder learns to classify at the start of the first `fit`, from the same
    data, unless `train_encoder` was called or weights were loaded before.

    Args:
        architecture: "mnist" or "cifar10". What is None below is the architecture's.
        resolution: Height and width of the images: 12 more than a multiple of 4.
        channels: 1 for grey, 3 for colour.
        num_classes: How many classes the labels have.
        upper_latent_dim: Dimension of z_1.
        lower_latent_dim: Dimension of z_0.
        features: Of h_1.
        units: Of each of G_1's hidden layers; D_1's are half as many, or as many in "cifar10".
        base_channels: Of the last hidden convolutions of G_0; those of D_0 and E_0 are in proportion.
        encoder_images: Images, with repetition, that the encoder learns from; 0: it stays as it is.
        independent_images: Real images over which both G learn by themselves, before they learn together.
        adversarial_weight: lambda_1.
        conditional_weight: lambda_2.
        entropy_weight: lambda_3, of squared distances in the code's units, where z are in [0, 1].
        joint_weight: Of G_0's loss in that of G_1, when they learn together.
        learning_rate: Of all Adams.
        ema_decay: Of the averaged generators; None, as in the paper, for none.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    title = "Stacked Generative Adversarial Networks"
    authors = "Huang, Li, Poursaeed, Hopcroft, Belongie"
    year = 2017
    arxiv = "1612.04357"
    latent_distribution = "uniform"
    n_critic = 1  # D updates for each G update
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "16x16 grey, 10 classes, 4 channels: seconds, for tests",
            {"resolution": 16, "upper_latent_dim": 4, "lower_latent_dim": 4, "features": 8, "units": 8,
             "base_channels": 4, "encoder_images": 16, "independent_images": 8, "batch_size": 8, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "28x28 grey, 10 classes, half the paper's channels, in minutes on two CPU cores",
            {"base_channels": 32, "units": 256, "encoder_images": 60_000, "independent_images": 100_000,
             "learning_rate": 5e-4, "ema_decay": 0.995},
        ),
        "colab": Preset(
            "28x28 grey, 10 classes, the paper's networks, for a GPU",
            {"independent_images": 1_000_000, "ema_decay": 0.999},
        ),
        "mnist_28": Preset("the paper's MNIST: 28x28 grey, 10 classes"),
        "cifar10_32": Preset("the paper's CIFAR-10: 32x32 colour, 10 classes", {"channels": 3}, architecture="cifar10"),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "mnist",
        resolution: int | None = None,
        channels: int = 1,
        num_classes: int = 10,
        upper_latent_dim: int = 50,
        lower_latent_dim: int | None = None,
        features: int = 256,
        units: int = 512,
        base_channels: int | None = None,
        encoder_images: int = 600_000,
        independent_images: int = 10_000_000,
        adversarial_weight: float = 1.0,
        conditional_weight: float = 1.0,
        entropy_weight: float = 10.0,
        joint_weight: float = 0.01,
        learning_rate: float = 1e-4,
        ema_decay: float | None = None,
        batch_size: int = 100,
        seed: int = 0,
    ):
        entry, sizes = self.settled(
            ARCHITECTURES,
            architecture,
            resolution=resolution,
            lower_latent_dim=lower_latent_dim,
            base_channels=base_channels,
        )
        require_counts(encoder_images=encoder_images)
        require_positive_integers(independent_images=independent_images)
        weights = {
            "adversarial_weight": adversarial_weight,
            "conditional_weight": conditional_weight,
            "entropy_weight": entropy_weight,
            "joint_weight": joint_weight,
        }
        require_not_negative(example="1", **weights)
        for name, weight in weights.items():
            setattr(self, name, weight)
        self.classes = Classes(num_classes)
        self.adversarial_loss = losses.NonSaturating()
        self.encoder_images = encoder_images
        self.independent_images = independent_images
        require_positive_integers(
            upper_latent_dim=upper_latent_dim, lower_latent_dim=sizes["lower_latent_dim"]
        )
        self.latent_dims = (sizes["lower_latent_dim"], upper_latent_dim)  # by level
        self.latent_dim = sum(self.latent_dims)
        sizes |= {"channels": channels, "num_classes": num_classes, "upper_latent_dim": upper_latent_dim}
        parts = entry.build(seed, features=features, units=units, **sizes)
        self.encoder_0, self.encoder_1 = parts.pop("encoder_0"), parts.pop("encoder_1")
        optimizer = adam(learning_rate, beta_1=0.5)
        super().__init__(
            [Player(name, name.partition("_")[0], network) for name, network in parts.items()],
            {"generator": optimizer, "discriminator": optimizer},
            ema_decay=ema_decay,
            image_shape=(sizes["resolution"], sizes["resolution"], channels),
            batch_size=batch_size,
            seed=seed,
        )
        self._encoder_is_given = encoder_images == 0

    def fixed(self):
        """The encoder, in two parts."""
        return {"encoder_0": self.encoder_0, "encoder_1": self.encoder_1}

    def averaged(self):
        """The generators'."""
        return {f"ema_{p.name}": Average(p.network) for p in self.players_of("generator")}

    # ---------------------------------------------------------------------------------------------- the encoder

    def train_encoder(self, data: tf.data.Dataset) -> float:
        """Let the encoder, from where it is, learn to classify `encoder_images` images.

        Args:
            data: Batches of (images, labels), as `fit` takes them.

        Returns:
            Its accuracy on the last tenth of them, before it learned from them.

        Raises:
            InputError: The batches are of another kind.
        """
        feeding.require_dataset(data)
        self.check_batches(data)
        steps = -(-self.encoder_images // (10 * self.batch_size))

        def learn():
            twins = [copy_of(network) for network in self.fixed().values()]  # that can be trained
            classify = keras.Sequential(twins)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            classify.compile(adam(1e-3), loss, metrics=["accuracy"], jit_compile=False)
            history = classify.fit(data.repeat(), epochs=10, steps_per_epoch=steps, shuffle=False, verbose=0)
            return [twin.get_weights() for twin in twins], history.history["accuracy"][-1]

        learned, accuracy = outside_of_scopes(learn)  # one copy, the same on all replicas
        for network, values in zip(self.fixed().values(), learned, strict=True):
            network.set_weights(values)
        self._encoder_is_given = True
        return accuracy

    def fit(self, x=None, **options):
        """As ever; before the first step the encoder learns."""
        if self.step == 0 and not self._encoder_is_given:
            self.train_encoder(x)
        return super().fit(x, **options)

    def load_weights(self, filepath):
        """As ever; the encoder, which is among them, then is trained."""
        super().load_weights(filepath)
        self._encoder_is_given = True

    def encoded(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What the encoder makes of a batch: h_0, the images; h_1 (batch, features); h_2, the labels."""
        images, labels = self.split_batch(batch)
        return images, self.encoder_0(images), labels

    # ------------------------------------------------------------------------------------------ a game at each level

    def phases(self):
        """Both levels by themselves, then together without an end."""
        apart = Phase(self.independent_images, level="independent", rows=self.rows(joint=False))
        return [apart, Phase(level="joint", rows=self.rows(joint=True))]

    def updates(self):
        """The rows of the running phase."""
        return self.rows(self.level == "joint")

    def rows(self, joint: bool) -> Table:
        """D and Q of both levels, then G; in joint training G_0 is given what G_1 makes."""
        return [
            Update(f"{role}_{i}", (f"{role}_{i}",), functools.partial(loss, i, joint))
            for role, loss in (("discriminator", self.discriminator_loss), ("generator", self.generator_loss))
            for i in (1, 0)
        ]

    def discriminator_loss(self, i: int, joint: bool, batch: Any):
        """What D_i and Q_i minimise: eq. 6 and lambda_3 times eq. 9. All G stand still.

        The code halves the game here, so that Q's share is doubled; Adam does not see a factor of the whole.
        """
        real = self.encoded(batch)[i]
        fake, _, z = self.inverted(i, joint, batch, moving=None)
        fake = tf.stop_gradient(fake)

        def entropy(_, outputs):
            term = entropy_loss(outputs[1], z)
            return [2.0 * self.entropy_weight * term], {"recovered_error": term}

        terms = self.discriminator_terms(f"discriminator_{i}", real, fake, None, entropy)
        return terms.loss, _of_level(i, terms.logs)

    def generator_loss(self, i: int, joint: bool, batch: Any):
        """What G_i minimises: eq. 5; in joint training G_1 also `joint_weight` times what G_0 makes of its features."""
        fake, above, z = self.inverted(i, joint, batch, moving=i)
        loss, logs = self._generator_terms(i, fake, above, z)
        if joint and i == 1:
            image, z_0 = self.lower(self.frozen(self.generator_0), fake)
            loss += self.joint_weight * self._generator_terms(0, image, fake, z_0)[0]
        return loss, _of_level(i, {"generator_loss": loss, **logs})

    def _generator_terms(self, i: int, fake: tf.Tensor, above: tf.Tensor, z: tf.Tensor):
        """Eq. 5 for h_i made of h_{i+1} and z_i, and its terms."""
        adversarial, (_, recovered) = self.generator_term(f"discriminator_{i}", fake)
        conditional = self.conditional_loss(i, fake, above)
        entropy = entropy_loss(recovered, z)
        loss = (
            self.adversarial_weight * adversarial
            + self.conditional_weight * conditional
            + self.entropy_weight * entropy
        )
        return loss, {
            "adversarial_loss": adversarial,
            "conditional_loss": conditional,
            "entropy_loss": entropy,
        }

    def conditional_loss(self, i: int, fake: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
        """Eq. 8: how far E_i is from taking h_i as it was made back to h_{i+1}: cross-entropy of classes, for G_1."""
        found = self.fixed()[f"encoder_{i}"](fake)
        if i == 0:
            return tf.reduce_mean(tf.square(found - above))
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=above, logits=found))

    def inverted(self, i: int, joint: bool, batch: Any, moving: int | None):
        """(h_i made by G_i, h_{i+1} that it was made of, z_i that it was made with).

        Args:
            i: Level.
            joint: Whether h_1 is what G_1 makes of the labels, or E_0 of the images.
            batch: (images, labels).
            moving: The level whose G is in training; the statistics of others stand still.
        """

        def playing(level):
            network = self.player(f"generator_{level}").network
            return functools.partial(network, training=True) if level == moving else self.frozen(network)

        _, features, labels = self.encoded(batch)
        if i == 1 or joint:
            z_1 = self._noise(1, labels)
            features = playing(1)([z_1, labels]) if i == 1 or joint else features
        if i == 1:
            return features, labels, z_1
        image, z_0 = self.lower(playing(0), features)
        return image, features, z_0

    def lower(
        self, generator: Callable[[Any], tf.Tensor], features: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """An image of G_0's for each row of features, and the z_0 that were drawn for them."""
        z = self._noise(0, features)
        return generator([features, z]), z

    def viewed(self, images):
        """Features are looked at as they are."""
        return super().viewed(images) if images.shape.rank == 4 else images

    def _noise(self, i: int, rows: tf.Tensor) -> tf.Tensor:
        """As many fresh z_i as there are rows, uniform on [-1, 1]."""
        return 2.0 * self.streams.uniform(f"latents/{i}", [batch_size_of(rows), self.latent_dims[i]]) - 1.0

    # ------------------------------------------------------------------------------------------ both levels as one

    def sampler(self, truncation=None, seed=None):
        """[z_1 and z_0, labels] -> images: G_0(G_1(y, z_1), z_0)."""
        return functools.partial(self._descend, self._shown("generator_1"))

    def _shown(self, name: str) -> keras.Model:
        return getattr(self, name if self.ema_decay is None else f"ema_{name}")

    def _descend(self, upper: keras.Model, inputs: Any) -> tf.Tensor:
        latents, labels = inputs
        z_1, z_0 = tf.split(latents, self.latent_dims[::-1], axis=1)
        features = upper([z_1, labels], training=False)
        return self._shown("generator_0")([features, z_0], training=False)

    @functools.cached_property
    def _mixing(self):
        mixing = mixing_classes(self._shown("generator_1"), self.classes.num_classes)
        return functools.partial(self._descend, mixing)


def entropy_loss(recovered: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    """Eq. 9: the mean squared error of z as it seems, where z were in [0, 1] (a quarter of what it is in [-1, 1])."""
    return tf.reduce_mean(tf.square(recovered - z)) / 4.0


def _of_level(i: int, logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The names that logs have: those of images have none of their own."""
    return logs if i == 0 else {f"{name}_{i}": value for name, value in logs.items()}
