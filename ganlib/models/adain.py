"""AdaIN: arbitrary style transfer in real-time with adaptive instance normalization.

Huang & Belongie. ICCV 2017, arXiv:1703.06868.
Networks: section 5 and figure 2: a fixed encoder f (VGG-19 to relu4_1, 3,505,728 parameters), AdaIN (eq. 8) between
f(content) and f(style), and a decoder g that mirrors f (3,505,219), with nearest neighbours for pooling, mirrored
borders and no normalisation. Objective: eqs. 10 to 13 as the authors' code has them (xunhuang1995/AdaIN-style, commit
6afb287, lib/ContentLossModule.lua and StyleINLossModule.lua): the content's a mean of squares, the style's a mean over
images of sums over channels, at relu1_1, 2_1, 3_1 and 4_1, weighted 1 and 0.01. Recipe: section 6 and train.lua: Adam
1e-4, divided by 1 + 5e-5 times the step, batches of 8. Strength of the style: eq. 14. There is no discriminator.

Architecture "vgg19" has the paper's networks. The encoder gets its weights, those of keras.applications, in `compile`,
or with the others from a file; made, it is random. They were tried with random numbers in the place of ImageNet's only,
and the preset `coco_256` was not trained: no network was at hand. "small" needs none: an encoder of three blocks that
ganlib trained on its own faces, textures and shapes (`ganlib/zoo/style_encoder.md`), of no use for photographs.

Differs from the authors' code: epsilon is 1e-5 in every deviation (theirs: only the content's in eq. 8, 1e-6 in the
loss), so that AdaIN(c, c) is c; our encoders are normalised to a mean of 1 layer by layer, theirs filter by filter;
images are not cropped out of larger ones on the way; the decoder starts as Keras has it (Glorot & Bengio's, biases 0),
theirs as torch has it.
"""

from importlib import resources
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from ganlib.arguments import require_not_negative, require_positive, require_positive_integers
from ganlib.engine import Average
from ganlib.errors import InputError
from ganlib.layers.vgg import VGG19, mirrored, normalise, set_vgg19, vgg
from ganlib.optimizers import adam
from ganlib.presets import Architecture, Preset, made
from ganlib.translation import Translator
from ganlib.updates import Player, Update
from ganlib.weights import require_sound

SMALL = ((32, 64, 128), (2, 2, 1))  # widths and convolutions of the small encoder's blocks


def moments(features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and deviation of each channel of each image (batch, 1, 1, channels), eqs. 5 and 6; epsilon 1e-5."""
    mean, variance = tf.nn.moments(features, axes=[1, 2], keepdims=True)
    return mean, tf.sqrt(variance + 1e-5)


def adain(content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
    """Eq. 8: content features with the style's means and deviations, channel by channel; sizes may differ."""
    mean, deviation = moments(content)
    style_mean, style_deviation = moments(style)
    return style_deviation * (content - mean) / deviation + style_mean


def content_loss(found: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Eq. 11: mean squared distance of features."""
    return tf.reduce_mean(tf.square(found - target))


def style_loss(found: list[tf.Tensor], style: list[tf.Tensor]) -> tf.Tensor:
    """Eq. 12: squared distance of means and of deviations, summed over channels and layers, a mean over images."""
    return tf.add_n(
        [
            tf.reduce_mean(tf.reduce_sum(tf.square(a - b), axis=[1, 2, 3]))
            for mine, theirs in zip(found, style, strict=True)
            for a, b in zip(moments(mine), moments(theirs), strict=True)
        ]
    )


def _small(channels: int) -> tuple[keras.Model, keras.Model]:
    encoder = vgg(*SMALL, channels)
    with resources.as_file(resources.files("ganlib.zoo") / "style_encoder.weights.h5") as path:
        require_sound(path, sealed=True)
        encoder.load_weights(path)
    return encoder, made(mirrored, *SMALL, channels)


def _vgg19(channels: int) -> tuple[keras.Model, keras.Model]:
    return vgg(*VGG19, channels), made(mirrored, *VGG19, channels)


# Encoder and decoder; `smallest` is the side of an image of which the deepest features are 2x2, enough to be mirrored.
ARCHITECTURES = {
    "vgg19": Architecture(_vgg19, recipe={"smallest": 16, "fetched": True}),
    "small": Architecture(_small, recipe={"smallest": 8, "fetched": False}),
}


@keras.saving.register_keras_serializable("ganlib")
class AdaINStyleTransfer(Translator):
    """Any image in the style of any other, in one pass.

    `batch` of the data: (contents, styles), which need not belong together. Player: decoder.

    Args:
        architecture: "vgg19", the paper's, or "small".
        resolution: Height and width of training images; `translate` takes any.
        style_weight: lambda of eq. 10.
        learning_rate: Of Adam at the first step.
        decay: The rate is divided by 1 + decay times the step.
        ema_decay: Of the averaged decoder; None, as in the paper, for none.
        batch_size: Pairs a step.
        seed: Seed of the run.
    """

    title = "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization"
    authors = "Huang, Belongie"
    year = 2017
    arxiv = "1703.06868"
    paired = False
    styled = True
    default_data = "faces_and_textures"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "16x16 colour: seconds, for tests", {"resolution": 16, "batch_size": 2}, architecture="small"
        ),
        "laptop": Preset(
            "64x64 colour, faces and textures, in minutes on two CPU cores",
            {"resolution": 64, "learning_rate": 1e-3},
            architecture="small",
        ),
        "colab": Preset(
            "128x128 colour, for a GPU", {"resolution": 128, "learning_rate": 1e-3}, architecture="small"
        ),
        "coco_256": Preset("the paper's: VGG-19, 256x256 colour"),
    }

    def __init__(
        self,
        architecture: str = "vgg19",
        resolution: int = 256,
        style_weight: float = 0.01,
        learning_rate: float = 1e-4,
        decay: float = 5e-5,
        ema_decay: float | None = None,
        batch_size: int = 8,
        seed: int = 0,
    ):
        entry, _ = self.settled(ARCHITECTURES, architecture)
        require_positive_integers(resolution=resolution)
        smallest = entry.recipe["smallest"]
        if resolution < smallest:
            raise InputError(
                f"resolution={resolution} is too small for {architecture!r}: use {smallest} or more"
            )
        require_positive(example="1e-4", learning_rate=learning_rate)
        require_not_negative(example="0.01", style_weight=style_weight, decay=decay)
        self.style_weight, self.smallest = style_weight, smallest
        encoder, self.decoder = entry.build(seed, channels=3)
        object.__setattr__(self, "_fixed", {"encoder": encoder})
        rate = keras.optimizers.schedules.InverseTimeDecay(learning_rate, 1, decay)
        shape = (resolution, resolution, 3)
        super().__init__(
            [Player("decoder", "generator", self.decoder)],
            {"generator": adam(rate if decay else learning_rate)},
            source_shape=shape,
            image_shape=shape,
            ema_decay=ema_decay,
            batch_size=batch_size,
            seed=seed,
        )
        if ema_decay is None:
            self.ema_decoder = self.decoder

    def fixed(self):
        """The encoder f."""
        return self._fixed

    def averaged(self):
        """The decoder's."""
        return {"ema_decoder": Average(self.decoder)}

    def compile(self, *args, **kwargs):
        """As `Engine.compile`; of architecture "vgg19" the encoder gets its weights, which come over the network once.

        Raises:
            InputError: They are neither here nor to be fetched; and as in `Engine.compile`.
        """
        if self.architecture.recipe["fetched"] and not self.compiled:
            from ganlib import data

            set_vgg19(self.encoder)
            images = [data.load(name, resolution=64).to_numpy(8) for name in ("faces", "textures", "shapes")]
            normalise(self.encoder, np.concatenate(images))
        super().compile(*args, **kwargs)

    @staticmethod
    def split_batch(batch):
        """(styles, contents) of a batch (contents, styles): the data's images, and what they are to be shown in."""
        content, style = batch
        return style, content

    def updates(self):
        """The decoder's."""
        return [Update("decoder", ("decoder",), self.decoder_loss)]

    def decoder_loss(self, batch):
        """Eq. 10, of g(t) with t = AdaIN(f(content), f(style)), and its logs; (contents, styles) is `batch`."""
        content, style = batch
        styles = self.encoder(style)
        target = adain(self.encoder(content)[-1], styles[-1])
        found = self.encoder(self.decoder(target, training=True))
        terms = {"content_loss": content_loss(found[-1], target), "style_loss": style_loss(found, styles)}
        loss = terms["content_loss"] + self.style_weight * terms["style_loss"]
        return loss, {"generator_loss": loss, **terms}

    def translate(
        self,
        images: np.ndarray,
        style: np.ndarray | None = None,
        strength: float = 1.0,
        seed: int | None = None,
    ) -> np.ndarray:
        """The images in the style of others.

        Args:
            images: Contents, float (n, height, width, 3) in [-1, 1], of any size from 8x8 on (16x16 with VGG-19).
            style: Styles, likewise: one, or one for each image. None: the image before it is each one's style.
            strength: alpha of eq. 14: 0 gives the content as the decoder draws it, 1 the style.
            seed: Of no effect: nothing is drawn.

        Returns:
            float32 (n, height, width, 3) in [-1, 1]; height and width cut to multiples of 4 (8 with VGG-19).

        Raises:
            InputError: Images, styles or the strength are not what they should be.
        """
        images = self._checked("images", images)
        style = np.roll(images, 1, axis=0) if style is None else self._checked("styles", style)
        if len(style) not in (1, len(images)):
            raise InputError(
                f"{len(images)} images and {len(style)} styles: give one style, or one for each image"
            )
        if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 1:
            raise InputError(f"strength={strength!r} is out of range: give a number from 0 to 1")

        def run(inputs):
            content, style, alpha = inputs
            features = self.encoder(content)[-1]
            target = alpha * adain(features, self.encoder(style)[-1]) + (1.0 - alpha) * features  # eq. 14
            return tf.clip_by_value(self.ema_decoder(target), -1.0, 1.0)

        style = np.broadcast_to(style, (len(images), *style.shape[1:]))
        alphas = np.full((len(images), 1, 1, 1), strength, np.float32)
        return self._chunks.run("decoder", run, [images, style, alphas], key=0)

    def pictures_of(self, sources, targets, strength=1.0):
        """Contents, in the styles of the targets, and those."""
        return [sources, self.translate(sources, targets, strength), targets]

    def fitted(self, arguments, data):
        """Colour is all that it takes."""
        return {}

    def evaluate_on(self, data, metrics, samples, **how):
        """Refused: there is no target to compare with.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "a style transfer has no targets to be scored by: look at its pictures, and at content_loss and style_loss "
            "in history.csv"
        )

    def _checked(self, name: str, images: np.ndarray) -> np.ndarray:
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[-1] != 3 or len(images) == 0 or images.dtype.kind != "f":
            raise InputError(
                f"{name} are {images.dtype} of shape {images.shape}: give floats (n, height, width, 3)"
            )
        height, width = images.shape[1:3]
        if min(height, width) < self.smallest:
            raise InputError(
                f"{name} of {width}x{height} pixels are too small: give {self.smallest}x{self.smallest} or more"
            )
        if not np.abs(images).max() <= 1.001:
            raise InputError(
                f"{name} reach from {images.min():.4g} to {images.max():.4g}: scale them to [-1, 1]"
            )
        return images.astype(np.float32)
