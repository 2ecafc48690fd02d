"""What StyleGAN and StyleGAN2 share: z -> w by a mapping, w -> image by a synthesis that a style enters at each layer.

Karras et al. 2019, arXiv:1812.04948, figure 1b. Mixed in front of `GAN`: style mixing in training (section 3.1), and
truncation in w (appendix B) when samples are made.
"""

import functools
import math
from collections.abc import Callable, Collection
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganlib import sampling
from ganlib.arguments import require_not_negative, require_positive_integers, require_share
from ganlib.conditions import mixing_classes
from ganlib.errors import InputError
from ganlib.layers import OneHot
from ganlib.layers.equalized import EqualizedDense
from ganlib.layers.noise import NoiseInjection
from ganlib.layers.pixel_norm import PixelNormalization
from ganlib.layers.resampling import enlarged
from ganlib.replicas import batch_size_of, mean_over_replicas
from ganlib.trick import Trick

_AVERAGE_SHARE = 0.005  # of a step in the mean of w: 1 less the official codes' w_avg_beta


def mapping_network(
    latent_dim: int | None,
    w_dim: int,
    depth: int,
    num_classes: int | None = None,
    gain: float = 1.0,
    activation: Callable[[], layers.Layer] = lambda: layers.LeakyReLU(0.2),
) -> keras.Model:
    """From z (batch, latent_dim), or [z, labels (batch,)], to w (batch, w_dim): z on a sphere, then dense layers.

    Labels are embedded and put on a sphere of their own, then joined to z (the StyleGAN2-ADA code).

    Args:
        latent_dim: Of z; None: of labels alone, for a D.
        w_dim: Of w, and of all layers.
        depth: Layers.
        num_classes: How many classes there are; None: none.
        gain: Of the weights, see `EqualizedDense`.
        activation: Makes the nonlinearity behind each layer.
    """
    inputs, normalized = [], []
    if latent_dim is not None:
        inputs.append(keras.Input((latent_dim,), name="latents"))
        normalized.append(PixelNormalization()(inputs[0]))
    if num_classes is not None:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
        embedded = EqualizedDense(w_dim, name="embedding")(OneHot(num_classes)(inputs[-1]))
        normalized.append(PixelNormalization()(embedded))
    x = normalized[0] if len(normalized) == 1 else layers.Concatenate()(normalized)
    for i in range(depth):
        x = activation()(EqualizedDense(w_dim, gain, lr_multiplier=0.01, name=f"dense{i}")(x))
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, x, name="mapping")


class StyledGenerator(keras.Model):
    """Mapping and synthesis, and the mean of w that truncation pulls to.

    Args:
        mapping: z, or [z, labels], -> w (batch, w_dim).
        synthesis: ws (batch, layers, w_dim) -> images.
        num_styles: Layers of the synthesis that a style enters.

    Attributes:
        w_average: Moving average of w over training, float32 (w_dim,).
    """

    def __init__(self, mapping: keras.Model, synthesis: keras.Model, num_styles: int):
        super().__init__(name="generator")
        self.built = True  # by its parts
        self.mapping = mapping
        self.synthesis = synthesis
        self.num_styles = num_styles
        self.w_average = self.add_weight(
            shape=mapping.output_shape[1:], initializer="zeros", trainable=False, name="w_average"
        )

    def styles(
        self,
        inputs: Any,
        mixed: Any = None,
        crossover: tf.Tensor | None = None,
        truncation: float | None = None,
        cutoff: int | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """A style for each layer: ws (batch, layers, w_dim).

        Args:
            inputs: z, or [z, labels].
            mixed: The same, of which layers from `crossover` on take their style; None: there is no mixing.
            crossover: A whole number.
            truncation: psi: w is pulled to its mean, mean + psi (w - mean). None: it is not.
            cutoff: Layers in which it is; None: all.
            training: Move the mean of w.
        """
        w = self.mapping(inputs, training=training)
        if training:
            mean = mean_over_replicas(tf.reduce_mean(tf.stop_gradient(w), axis=0))
            self.w_average.assign(self.w_average.value + _AVERAGE_SHARE * (mean - self.w_average.value))
        ws = tf.tile(w[:, None], [1, self.num_styles, 1])
        if mixed is not None:
            other = self.mapping(mixed, training=training)[:, None]
            ws = tf.where((tf.range(self.num_styles) >= crossover)[None, :, None], other, ws)
        return ws if truncation is None else self.truncated(ws, truncation, cutoff)

    def truncated(self, ws: tf.Tensor, truncation: float, cutoff: int | None = None) -> tf.Tensor:
        """Styles (batch, layers, w_dim) pulled to the mean of w in the first `cutoff` layers: mean + psi (w - mean)."""
        pulled = truncation * ws + (1.0 - truncation) * self.w_average.value  # at psi = 1 ws, to the bit
        return pulled if cutoff is None else tf.concat([pulled[:, :cutoff], ws[:, cutoff:]], axis=1)

    def call(
        self,
        inputs,
        mixed=None,
        crossover=None,
        truncation=None,
        cutoff=None,
        training: bool = False,
        stage=None,
    ):
        """From z, or [z, labels], to images. Arguments are those of `styles`, and the synthesis' stage."""
        ws = self.styles(inputs, mixed, crossover, truncation, cutoff, training)
        return self.synthesis(ws, training=training, **({} if stage is None else {"stage": stage}))


class Styled:
    """Style mixing, truncation in w, and w itself, for a `GAN` whose G is a `StyledGenerator`.

    Attributes:
        style_mixing: Share of steps in which two latents share an image.
        truncation_cutoff: Layers that truncation reaches; None: all.
    """

    style_mixing: float = 0.9
    truncation_cutoff: int | None = None

    def mix(self, style_mixing: float, truncation_cutoff: int | None) -> None:
        """Set both; before the engine's constructor.

        Raises:
            InputError: The share is not in [0, 1].
        """
        if style_mixing != 1.0:
            require_share(example="0.9", style_mixing=style_mixing)
        self.style_mixing = style_mixing
        self.truncation_cutoff = truncation_cutoff

    def mixing(self, latents: Any) -> dict[str, Any]:
        """Arguments of `styles` that mix these latents with as many others; nothing, where there is no mixing."""
        if not self.style_mixing:
            return {}
        z, labels = (latents, None) if self.classes is None else latents
        with self.streams.scope("mixed"):
            other = self.conditioned(self.draw_latents(batch_size_of(z)), labels)
        where, whether = tf.unstack(self.streams.shared_uniform("crossover", 2))
        layers_in_use = self.styles_in_use()
        crossover = 1 + tf.cast(tf.floor(where * (layers_in_use - 1)), tf.int32)
        return {"mixed": other, "crossover": tf.where(whether < self.style_mixing, crossover, layers_in_use)}

    def styles_in_use(self) -> int:
        """Layers that the synthesis has now."""
        return self.generator.num_styles

    def generate(self, n, generator=None, labels=None):
        """As ever, of mixed styles."""
        with self.streams.scope("generate"):
            latents = self.conditioned(self.draw_latents(n), labels)
            return (generator or self._playing)(latents, **self.mixing(latents))

    def _playing(self, inputs, **mixing):
        """G in training mode."""
        return self.generator(inputs, training=True, **self.call_options(), **mixing)

    # ------------------------------------------------------------------------------------------- samples

    def sample_latents(self, n, truncation=None, seed=None):
        """Truncation is of w: z is drawn as ever."""
        if truncation is not None and not math.isfinite(truncation):
            raise InputError(f"truncation={truncation!r} is out of range: give psi, for example 0.7")
        return sampling.latents(n, self.latent_dim, self.latent_distribution, seed)

    def sampler(self, truncation=None, seed=None):
        """The average of mapping and synthesis, with w pulled to its mean by psi = `truncation`."""
        network, cutoff = self.ema_generator, self.truncation_cutoff

        def images(inputs):
            return network(inputs, truncation=truncation, cutoff=cutoff, **self.call_options())

        images.trace_key = cutoff
        return self.at_moved_latents(images)

    def exporter(self, thresholds=()):
        """As ever, with psi = the truncation; classes by way of w."""
        if self.classes is None:
            return lambda inputs, truncation: self.sampler(truncation)(inputs)
        generator, mapping = self.ema_generator, self._mixing

        def images(inputs, truncation):
            ws = tf.tile(mapping(inputs)[:, None], [1, generator.num_styles, 1])
            ws = generator.truncated(ws, truncation, self.truncation_cutoff)
            return enlarged(generator.synthesis(ws, **self.call_options()), self.image_shape[0])

        return self.at_latents_moved_by_label(images)

    def images_of(self, inputs, truncation=None, seed=0):
        """As ever; between classes by way of w."""
        if self.classes is None or np.ndim(inputs[1]) < 2:
            return super().images_of(inputs, truncation, seed)
        return self.images_of_styles(self.styles_of(inputs, truncation), seed=seed)

    def styles_of(self, inputs: Any, truncation: float | None = None) -> np.ndarray:
        """The averaged mapping's styles ws (n, layers, w_dim), pulled to their mean in the first `truncation_cutoff`.

        Args:
            inputs: Latents (n, latent_dim), or [latents, classes]: labels (n,) or weights of classes (n, num_classes).
            truncation: psi; None: w as it is.
        """
        generator, cutoff = self.ema_generator, self.truncation_cutoff
        between = self.classes is not None and np.ndim(inputs[1]) == 2
        if between:
            inputs = [inputs[0], self.classes.require_weights(inputs[1], len(inputs[0]))]
        mapping = self._mixing if between else generator.mapping

        def ws(inputs):
            same = tf.tile(mapping(inputs)[:, None], [1, generator.num_styles, 1])
            return same if truncation is None else generator.truncated(same, truncation, cutoff)

        return self._chunks.run(("styles", truncation, cutoff, between), ws, inputs, key=0)

    @functools.cached_property
    def _mixing(self) -> keras.Model:
        """The averaged mapping for weights of classes; it shares all variables."""
        return mixing_classes(self.ema_generator.mapping, self.classes.num_classes)

    def style_kernels(self, layers: Collection[int] | None = None) -> list[np.ndarray]:
        """The averaged synthesis' kernels (w_dim, outputs) from w to styles, of these layers (None: all). For SeFa."""
        kernels = self.ema_generator.synthesis.style_kernels()
        return [kernel.numpy() for i, kernel in enumerate(kernels) if layers is None or i in layers]

    def noise_maps(self) -> list[keras.Variable]:
        """The noise of each layer of the averaged synthesis, where it is called by itself; for `latents.project`."""
        layers = self.ema_generator.synthesis._flatten_layers()
        return [layer.constant for layer in layers if isinstance(layer, NoiseInjection)]

    def images_of_styles(
        self, ws: np.ndarray, noise: Collection[int] | None = None, seed: int | None = 0
    ) -> np.ndarray:
        """The averaged synthesis' images of ws (n, layers, w_dim), enlarged while growth has not reached their size.

        Args:
            ws: A style for each layer, see `styles_of`.
            noise: Resolutions at which there is noise; None: all.
            seed: Of the noise.
        """
        noise = None if noise is None else tuple(noise)

        def images(ws):
            return enlarged(
                self.ema_generator.synthesis(ws, noise=noise, **self.call_options()), self.image_shape[0]
            )

        key = sampling.key_from(seed, "sample noise")
        return sampling.shown(self._chunks.run(("synthesis", noise), images, ws, key))


@keras.saving.register_keras_serializable("ganlib")
class PathLength(Trick):
    """Karras et al. 2020, arXiv:1912.04958, eq. 4: weight * E (|J^T y| - a)^2, a term of a styled G's loss.

    J is the slope of the image with respect to w, y an image of normal noise over the root of its pixels, a the moving
    mean of |J^T y| (its newest value, through which gradients flow too). In a row of its own, on half a batch.

    Args:
        weight: The official code's is 2.
        every: Steps from one computation to the next; the paper's is 4.
    """

    role = "generator"

    def __init__(self, weight: float = 2.0, every: int = 4):
        require_not_negative(example="2", weight=weight)
        require_positive_integers(every=every)
        self.weight = weight
        self.every = every

    def build(self, gan):
        """The mean length."""
        self._mean = keras.Variable(
            0.0, dtype=keras.config.floatx(), trainable=False, name="mean_path_length"
        )

    @property
    def variables(self):
        """The mean length."""
        return [self._mean.value]

    def penalty(self, gan, player, real, fake, labels):
        """The weighted term, of G's loss only."""
        if player.role != self.role:
            return None
        n = batch_size_of(real)
        n = max(n // 2, 1) if isinstance(n, int) else tf.maximum(n // 2, 1)
        # every other label: so that replicas together have those that one alone has
        latents = gan.conditioned(gan.draw_latents(n), None if labels is None else labels[::2][:n])
        lengths = path_lengths(gan, gan.generator.styles(latents, training=True, **gan.mixing(latents)))
        mean = self._mean.value + 0.01 * (mean_over_replicas(tf.reduce_mean(lengths)) - self._mean.value)
        self._mean.assign(tf.stop_gradient(mean))
        return self.weight * tf.reduce_mean(tf.square(lengths - mean))


def path_lengths(gan: Styled, ws: tf.Tensor) -> tf.Tensor:
    """|J^T y| at each of ws (batch, layers, w_dim): float32 (batch,); J^T y is the slope of the sum of image times y.

    The square is summed over w and averaged over the layers.
    """
    with tf.GradientTape() as tape:
        tape.watch(ws)
        images = gan.generator.synthesis(ws, training=True, **gan.call_options())
        n, (height, width, channels) = batch_size_of(images), images.shape[1:]
        noise = gan.streams.normal("path", [n, height, width, channels]) / math.sqrt(height * width)
        along = tf.reduce_sum(images * tf.cast(noise, images.dtype))
    slopes = tape.gradient(along, ws)
    return tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(slopes), axis=2), axis=1))
