"""LAPGAN: deep generative image models using a Laplacian pyramid of adversarial networks.

Denton, Chintala, Szlam, Fergus. NeurIPS 2015, arXiv:1506.05751.
Pyramid: section 2.2. I_{k+1} = d(I_k) is an image made smaller, u enlarges, and the difference

    h_k = I_k - u(I_{k+1})                                                                                      (eq. 3)

is what is missing at level k. Game: section 2.3, one at each level: G_k(z_k, u(I_{k+1})) makes h_k, and D_k looks at
u(I_{k+1}) + h_k, real or made. Samples: eq. 5, from the coarsest level on, I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1})).
Levels learn independently, each from real images of the level below. Here that is one run in phases, coarse to fine.

Networks: section 4.1 (CIFAR-10, STL) and 4.2 (LSUN), with what the authors' code (facebook/eyescream, commit ad6f484)
says of sizes, and its d and u: means of areas, and linear interpolation from corner to corner. Recipe: SGD 0.02 with
momentum 0.5, batches of 64 real images; classes as one-hot vectors or, between convolutions, as a plane of their own.

Differs from the code: images are in [-1, 1] where it divides by their deviation; rate and momentum stay where they
start (it raises momentum by 0.0008 an epoch and divides the rate by 1.00004); G sees as many images as D; both move in
each step (on LSUN the code leaves out who is ahead); the last layer of a finer G starts at zero, so that a level which
is not trained yet adds nothing; D's convolutions are padded at levels too small for them; other weights start as Keras
has them (Glorot & Bengio's, biases 0), there as torch has them (both uniform, up to 1 / sqrt(fan in)).
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import layers

from ganlib import losses
from ganlib.adversarial import Adversarial
from ganlib.arguments import require_positive, require_positive_integers
from ganlib.conditions import Classes, mixing_classes
from ganlib.engine import Average, Engine
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization, Dropout, OneHot
from ganlib.layers.feature_maps import MapDropout, PairNorm
from ganlib.layers.laplacian_pyramid import resized
from ganlib.optimizers import adam
from ganlib.phases import Phase
from ganlib.presets import Architecture, Preset, made
from ganlib.replicas import batch_size_of
from ganlib.sampled import Sampled
from ganlib.updates import Player, Table, Update


def coarsest_generator(
    level: int, channels: int, num_classes: int | None, latent_dim: int, units: int
) -> keras.Model:
    """Z (batch, latent_dim), and labels -> image (batch, level, level, channels). Section 4.1: two ReLU layers."""
    inputs, x = _told(keras.Input((latent_dim,), name="latents"), num_classes)
    for _ in range(2):
        x = layers.Dense(units, activation="relu")(x)
    x = layers.Dense(level * level * channels)(x)
    return keras.Model(inputs, layers.Reshape((level, level, channels))(x), name="generator")


def coarsest_discriminator(level: int, channels: int, num_classes: int | None, units: int) -> keras.Model:
    """Image (batch, level, level, channels), and labels -> logit (batch, 1). The same, with dropout."""
    image = keras.Input((level, level, channels), name="image")
    inputs, x = _told(layers.Flatten()(image), num_classes, image)
    for _ in range(2):
        x = Dropout(0.5)(layers.Dense(units, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(1)(x), name="discriminator")


def cifar10_generator(level: int, channels: int, num_classes: int | None, base_channels: int) -> keras.Model:
    """z_k as a plane before u(I_{k+1}): (batch, level, level, 1 + channels), and labels -> h_k. Three convolutions."""
    inputs, x = _told(keras.Input((level, level, 1 + channels), name="noise_and_image"), num_classes)
    for _ in range(2):
        x = layers.Conv2D(base_channels, 7, padding="same", activation="relu")(x)
    x = layers.Conv2D(channels, 5, padding="same", kernel_initializer="zeros")(x)
    return keras.Model(inputs, x, name="generator")


def cifar10_discriminator(
    level: int, channels: int, num_classes: int | None, base_channels: int
) -> keras.Model:
    """Image u(I_{k+1}) + h_k, and labels -> logit (batch, 1). Two convolutions."""
    inputs, x = _told(keras.Input((level, level, channels), name="image"), num_classes)
    padding = "valid" if level > 8 else "same"
    x = layers.Conv2D(base_channels, 5, padding=padding, activation="relu")(x)
    x = layers.Conv2D(base_channels, 5, strides=2, padding=padding, activation="relu")(x)
    x = Dropout(0.5)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(1)(x), name="discriminator")


def lsun_generator(level: int, channels: int, num_classes: int | None, base_channels: int) -> keras.Model:
    """As `cifar10_generator`, in five convolutions with batch norm. Section 4.2; groups and pairs are the code's.

    Of `base_channels`, the paper's 64, the widths of all hidden layers are multiples.
    """
    inputs, x = _told(keras.Input((level, level, 1 + channels), name="noise_and_image"), num_classes)
    for width, size, groups in ((1.0, 7, 1), (5.75, 7, 4), (2.0, 7, 4), (3.5, 5, 2)):
        width_here = int(width * base_channels)
        x = layers.Conv2D(width_here, size, padding="same", groups=groups, activation="relu")(x)
        x = _batch_norm()(x)
        if width == 2.0:
            x = PairNorm()(x)
        elif width > 2.0:
            x = MapDropout(0.5)(x)
    x = layers.Conv2D(channels, 7, padding="same")(x)
    x = _batch_norm(gamma_initializer="zeros")(x)
    return keras.Model(inputs, x, name="generator")


def lsun_discriminator(level: int, channels: int, num_classes: int | None, base_channels: int) -> keras.Model:
    """As `cifar10_discriminator`, in three convolutions, 48, 448, 416 wide. Section 4.2; groups are the code's."""
    inputs, x = _told(keras.Input((level, level, channels), name="image"), num_classes)
    padding = "valid" if level > 12 else "same"
    for width, size, groups in ((0.75, 3, 1), (7.0, 5, 4), (6.5, 7, 16)):
        channels = int(width * base_channels)
        x = layers.Conv2D(channels, size, padding=padding, groups=groups, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)), name="discriminator")


def lean_coarsest_generator(
    level: int, channels: int, num_classes: int | None, latent_dim: int, units: int
) -> keras.Model:
    """As `coarsest_generator`, a DCGAN in small: `units` channels where it starts, half as many at twice the size."""
    size = _smallest(level)
    inputs, x = _told(keras.Input((latent_dim,), name="latents"), num_classes)
    x = layers.Reshape((size, size, units))(layers.Dense(size * size * units, use_bias=False)(x))
    x = layers.ReLU()(_batch_norm()(x))
    while x.shape[1] < level:
        units //= 2
        x = layers.Conv2DTranspose(units, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(_batch_norm()(x))
    x = layers.Conv2D(channels, 3, padding="same")(x)
    return keras.Model(inputs, x, name="generator")


def lean_coarsest_discriminator(
    level: int, channels: int, num_classes: int | None, units: int
) -> keras.Model:
    """As `coarsest_discriminator`, in convolutions: the mirror of that generator, with leaky ReLU."""
    inputs, x = _told(keras.Input((level, level, channels), name="image"), num_classes)
    size = _smallest(level)
    width = units * size // level
    x = layers.LeakyReLU(0.2)(layers.Conv2D(width, 3, padding="same")(x))
    while x.shape[1] > size:
        width *= 2
        x = layers.Conv2D(width, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.LeakyReLU(0.2)(_batch_norm()(x))
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)), name="discriminator")


def lean_generator(level: int, channels: int, num_classes: int | None, base_channels: int) -> keras.Model:
    """As `cifar10_generator`, with its hidden layers at half the height: a fraction of the work."""
    inputs, x = _told(keras.Input((level, level, 1 + channels), name="noise_and_image"), num_classes)
    x = layers.LeakyReLU(0.2)(layers.Conv2D(base_channels, 4, strides=2, padding="same")(x))
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Conv2D(base_channels, 3, padding="same")(x))
    x = layers.Conv2DTranspose(channels, 4, strides=2, padding="same", kernel_initializer="zeros")(x)
    return keras.Model(inputs, x, name="generator")


def lean_discriminator(level: int, channels: int, num_classes: int | None, base_channels: int) -> keras.Model:
    """As `cifar10_discriminator`, halved down to 4x4, with twice the channels each time and batch norm behind them."""
    inputs, x = _told(keras.Input((level, level, channels), name="image"), num_classes)
    x = layers.LeakyReLU(0.2)(layers.Conv2D(base_channels, 4, strides=2, padding="same")(x))
    while x.shape[1] > 4:
        base_channels *= 2
        x = layers.Conv2D(base_channels, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.LeakyReLU(0.2)(_batch_norm()(x))
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)), name="discriminator")


def _told(x: keras.KerasTensor, num_classes: int | None, given: keras.KerasTensor | None = None):
    """A network's inputs, and x with the class: one-hot beside a vector, or a plane of its own beside an image.

    Args:
        x: What the class joins.
        num_classes: None: there are none.
        given: The input that x was made of; None: x itself.
    """
    given = x if given is None else given
    if num_classes is None:
        return given, x
    labels = keras.Input((), dtype="int32", name="labels")
    beside = OneHot(num_classes)(labels)
    if len(x.shape) == 4:
        beside = layers.Dense(x.shape[1] * x.shape[2], activation="relu")(beside)
        beside = layers.Reshape((*x.shape[1:3], 1))(beside)
    return [given, labels], layers.Concatenate()([x, beside])


def _batch_norm(**options: Any) -> layers.Layer:
    return BatchNormalization(momentum=0.9, epsilon=1e-5, **options)


def _smallest(level: int) -> int:
    """The height that a level is halved to: 4, or the last one before an odd half."""
    while level % 2 == 0 and level > 4:
        level //= 2
    return level


def networks(
    parts: Sequence[Callable[..., keras.Model]],
    levels: Sequence[int],
    channels: int,
    num_classes: int | None,
    coarse_latent_dim: int,
    units: int,
    discriminator_units: int,
    base_channels: int,
    discriminator_channels: int,
) -> list[tuple[keras.Model, keras.Model]]:
    """G and D of each level, coarse to fine; `parts` makes those of the coarsest, then of the others."""
    coarsest_g, coarsest_d, finer_g, finer_d = (
        functools.partial(part, channels=channels, num_classes=num_classes) for part in parts
    )
    coarsest, *others = levels
    first = made(coarsest_g, coarsest, latent_dim=coarse_latent_dim, units=units)
    pairs = [(first, coarsest_d(coarsest, units=discriminator_units))]
    for level in others:
        generator = made(finer_g, level, base_channels=base_channels)
        pairs.append((generator, finer_d(level, base_channels=discriminator_channels)))
    return pairs


def _sgd(rate: float) -> dict[str, keras.optimizers.Optimizer]:
    """The paper's. D's rate is half of G's: its loss is the mean of two terms in the code, and their sum here."""
    optimizer = functools.partial(keras.optimizers.SGD, momentum=0.5)
    return {"generator": optimizer(rate), "discriminator": optimizer(rate / 2)}


def _adam(rate: float) -> dict[str, keras.optimizers.Optimizer]:
    return {"generator": adam(rate, beta_1=0.5), "discriminator": adam(rate, beta_1=0.5)}


def _entry(*parts: Callable[..., keras.Model], optimizers: Callable[[float], Any], **defaults: Any):
    return Architecture(functools.partial(networks, parts), defaults, {"optimizers": optimizers})


ARCHITECTURES = {
    "cifar10": _entry(
        coarsest_generator, coarsest_discriminator, cifar10_generator, cifar10_discriminator,
        optimizers=_sgd, learning_rate=0.02, units=1200, discriminator_units=600,
    ),
    "lsun": _entry(
        coarsest_generator, coarsest_discriminator, lsun_generator, lsun_discriminator,
        optimizers=_sgd, learning_rate=0.01, units=600, discriminator_units=600,
    ),
    "lean": _entry(
        lean_coarsest_generator, lean_coarsest_discriminator, lean_generator, lean_discriminator,
        optimizers=_adam, learning_rate=1e-3, units=128, discriminator_units=64,
    ),
}  # fmt: skip


@keras.saving.register_keras_serializable("ganlib")
class LAPGAN(Adversarial, Sampled, Engine):
    """A GAN for a small image, and one for each difference that makes it finer.

    Latents hold the z_k of all levels, coarse to fine: `coarse_latent_dim` numbers, then one for each pixel.

    Args:
        architecture: "cifar10" (section 4.1; STL too), "lsun" (section 4.2), or ours for minutes, "lean".
        resolution: Height and width of the images.
        channels: 1 for grey, 3 for colour.
        levels: Heights of the pyramid, coarse to fine, the last one `resolution`; None: its halves, down to 8.
        num_classes: How many classes all players are told of; None: there are none.
        coarse_latent_dim: Dimension of the coarsest level's z.
        units: Of each of the coarsest G's hidden layers. None, here and below: the architecture's.
        discriminator_units: Of the coarsest D's.
        base_channels: Of each hidden layer of the finer G; "lsun" has its own.
        discriminator_channels: Of each hidden layer of the finer D; "lsun" has its own.
        level_images: Real images that are shown at each level before the next one begins.
        n_critic: D updates for each G update.
        learning_rate: Of both players.
        ema_decay: Of the averaged generators; None, as in the paper, for none.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    title = "Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks"
    authors = "Denton, Chintala, Szlam, Fergus"
    year = 2015
    arxiv = "1506.05751"
    latent_distribution = "uniform"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "16x16 grey, levels 4, 8, 16, 8 units, 4 channels: seconds, for tests",
            {"resolution": 16, "levels": (4, 8, 16), "channels": 1, "coarse_latent_dim": 8, "units": 8,
             "discriminator_units": 8, "base_channels": 4, "discriminator_channels": 4, "level_images": 16,
             "batch_size": 8, "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "64x64 colour, lean convolutions and Adam, in minutes on two CPU cores",
            {"resolution": 64, "base_channels": 24, "discriminator_channels": 16, "level_images": 200_000,
             "ema_decay": 0.995},
            architecture="lean",
        ),
        "colab": Preset("64x64 colour, the paper's networks, for a GPU", {"resolution": 64}),
        "cifar10_28": Preset("the paper's CIFAR-10: 28x28 colour, levels 8, 14, 28, 10 classes", {"num_classes": 10}),
        "stl_96": Preset(
            "the paper's STL: 96x96 colour, levels 8, 16, 32, 64, 96",
            {"resolution": 96, "levels": (8, 16, 32, 64, 96)},
        ),
        "lsun_64": Preset(
            "the paper's LSUN: 64x64 colour, levels 4, 8, 16, 32, 64",
            {"resolution": 64, "levels": (4, 8, 16, 32, 64)},
            architecture="lsun",
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "cifar10",
        resolution: int = 28,
        channels: int = 3,
        levels: Sequence[int] | None = None,
        num_classes: int | None = None,
        coarse_latent_dim: int = 100,
        units: int | None = None,
        discriminator_units: int | None = None,
        base_channels: int = 64,
        discriminator_channels: int = 64,
        level_images: int = 5_000_000,
        n_critic: int = 1,
        learning_rate: float | None = None,
        ema_decay: float | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ):
        entry, sizes = self.settled(
            ARCHITECTURES,
            architecture,
            units=units,
            discriminator_units=discriminator_units,
            learning_rate=learning_rate,
        )
        rate = sizes.pop("learning_rate")
        require_positive_integers(resolution=resolution, level_images=level_images, n_critic=n_critic)
        require_positive(example="0.02", learning_rate=rate)
        self.levels = _checked(levels, resolution)
        self.classes = None if num_classes is None else Classes(num_classes)
        self.adversarial_loss = losses.NonSaturating()
        self.level_images = level_images
        self.n_critic = n_critic
        self._noise_sizes = (coarse_latent_dim, *(level**2 for level in self.levels[1:]))
        self.latent_dim = sum(self._noise_sizes)
        sizes |= {
            "coarse_latent_dim": coarse_latent_dim,
            "channels": channels,
            "base_channels": base_channels,
        }
        pairs = entry.build(
            seed,
            {"levels": self.levels, "num_classes": num_classes},
            discriminator_channels=discriminator_channels,
            **sizes,
        )
        super().__init__(
            [
                Player(f"{role}_{level}", role, network)
                for level, pair in zip(self.levels, pairs, strict=True)
                for role, network in zip(("generator", "discriminator"), pair, strict=True)
            ],
            entry.recipe["optimizers"](rate),
            ema_decay=ema_decay,
            image_shape=(resolution, resolution, channels),
            batch_size=batch_size,
            seed=seed,
        )

    def averaged(self):
        """The generators'."""
        return {f"ema_{p.name}": Average(p.network) for p in self.players_of("generator")}

    def begin_phase(self):
        """A G whose level is done becomes its average, which then stands still."""
        for level in self.levels[: self.levels.index(self.level)]:
            self.player(f"generator_{level}").network.set_weights(self._shown()[level].get_weights())

    # ------------------------------------------------------------------------------------- a game at each level

    def phases(self):
        """One a level, coarse to fine; the last never ends."""
        phases = [Phase(self.level_images, level=level, rows=self.rows(level)) for level in self.levels]
        return [*phases[:-1], phases[-1]._replace(images=None)]

    def updates(self):
        """The rows of the running level."""
        return self.rows(self.level)

    def rows(self, level: int) -> Table:
        """The game of a level: D's updates, then G's."""
        d_loss = functools.partial(self.discriminator_loss, level)
        g_loss = functools.partial(self.generator_loss, level)
        return [
            Update(f"discriminator_{level}/{{i}}", (f"discriminator_{level}",), d_loss, times=self.n_critic),
            Update(f"generator_{level}", (f"generator_{level}",), g_loss),
        ]

    def discriminator_loss(self, level: int, batch: Any):
        """What D minimises on the level's images of `batch`, and its logs. G stands still."""
        real, low, labels = self.at_level(level, batch)
        generator = self.frozen(self.player(f"generator_{level}").network)
        fake = tf.stop_gradient(self.finer(level, generator, self._noise(level, real), low, labels))
        terms = self.discriminator_terms(f"discriminator_{level}", real, fake, labels)
        return terms.loss, terms.logs

    def generator_loss(self, level: int, batch: Any):
        """What G minimises on what is below the level's images of `batch`, and its logs. D stands still."""
        real, low, labels = self.at_level(level, batch)
        generator = functools.partial(self.player(f"generator_{level}").network, training=True)
        fake = self.finer(level, generator, self._noise(level, real), low, labels)
        loss, _ = self.generator_term(f"discriminator_{level}", fake, labels, real)
        return loss, {"generator_loss": loss}

    def at_level(self, level: int, batch: Any) -> tuple[tf.Tensor, tf.Tensor | None, Any]:
        """I_k, u(I_{k+1}) (None at the coarsest level), and the labels of a batch."""
        images, labels = self.split_batch(batch)
        number = self.levels.index(level)
        for size in reversed(self.levels[number:]):
            images = resized(images, size)
        if number == 0:
            return images, None, labels
        return images, resized(resized(images, self.levels[number - 1]), level), labels

    def finer(
        self,
        level: int,
        generator: Callable[[Any], tf.Tensor],
        z: tf.Tensor,
        low: tf.Tensor | None,
        labels: Any,
    ) -> tf.Tensor:
        """I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1})), eq. 5; at the coarsest level G_K(z_K).

        Args:
            level: Of the images that are made.
            generator: Its G.
            z: (batch, latent_dim) at the coarsest level, else (batch, level * level).
            low: u(I_{k+1}) (batch, level, level, channels); None at the coarsest level.
            labels: (batch,), where there are classes.
        """
        if low is None:
            return generator(self.conditioned(z, labels))
        plane = tf.reshape(z, [-1, level, level, 1])
        return low + generator(self.conditioned(tf.concat([plane, low], axis=-1), labels))

    def shown_to(self, player, images, condition):
        """Images, with their labels where there are classes."""
        return self.conditioned(images, condition)

    def _noise(self, level: int, images: tf.Tensor) -> tf.Tensor:
        """As many fresh z_k as there are images, uniform on [-1, 1]."""
        size = self._noise_sizes[self.levels.index(level)]
        return 2.0 * self.streams.uniform("latents", [batch_size_of(images), size]) - 1.0

    # ----------------------------------------------------------------------------------------- all levels as one

    def sampler(self, truncation=None, seed=None):
        """Latents of all levels -> images of the finest one. Levels that were not trained add nothing."""
        return functools.partial(self._descend, self._shown())

    def _shown(self) -> Mapping[int, keras.Model]:
        """The generators of samples: the averaged ones, where there are any."""
        prefix = "" if self.ema_decay is None else "ema_"
        return {level: getattr(self, f"{prefix}generator_{level}") for level in self.levels}

    def _descend(self, generators: Mapping[int, keras.Model], inputs: Any) -> tf.Tensor:
        latents, labels = (inputs, None) if self.classes is None else inputs
        images = None
        for level, z in zip(self.levels, tf.split(latents, self._noise_sizes, axis=1), strict=True):
            low = None if images is None else resized(images, level)
            images = self.finer(level, functools.partial(generators[level], training=False), z, low, labels)
        return images

    @functools.cached_property
    def _mixing(self):
        mixing = {level: mixing_classes(g, self.classes.num_classes) for level, g in self._shown().items()}
        return functools.partial(self._descend, mixing)


def halved(resolution: int, coarsest: int) -> tuple[int, ...]:
    """The levels of a pyramid: halves, rounded up, of the resolution, down to `coarsest`: 64 -> (8, 16, 32, 64)."""
    levels = [resolution]
    while levels[-1] > coarsest:
        levels.append(max(coarsest, -(-levels[-1] // 2)))
    return tuple(levels[::-1])


def _checked(levels: Sequence[int] | None, resolution: int) -> tuple[int, ...]:
    """The levels of a model, coarse to fine.

    Raises:
        InputError: They do not grow, or not up to the resolution.
    """
    if levels is None:
        return halved(resolution, min(8, resolution))
    require_positive_integers(**{f"levels[{i}]": level for i, level in enumerate(levels)})
    if list(levels) != sorted(set(levels)) or levels[-1] != resolution:
        raise InputError(
            f"levels={tuple(levels)}: give heights from coarse to fine, the last one resolution={resolution}"
        )
    return tuple(levels)
