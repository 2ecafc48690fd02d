"""Penalties as terms of a player's loss: small objects for `GAN(penalties=[...])`. Of D's slope, and of weights.

Those of the slope are a pure function of D, images and random numbers, and an object that draws these and weighs it.
The slope at an image x is |grad_x D(x)|, the Euclidean norm over all its pixels, one number a sample. The square root
has 1e-12 under it: its derivative at 0 would be infinite. Other code has 0 there (mimicry, PGGAN) or 1e-10 (TF-GAN).
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from ganlib.arguments import require_known, require_not_negative, require_positive, require_positive_integers
from ganlib.layers.spectral_normalization import SpectralNormalized
from ganlib.replicas import batch_size_of, mean_over_replicas
from ganlib.trick import Trick

_EPSILON = 1e-12


def squared_slopes(discriminator: Callable, images: tf.Tensor) -> tf.Tensor:
    """|grad_x D(x)|^2 at each of `images` (batch, ...): float32 (batch,).

    It is the slope of the sum of the batch's logits, the same thing where D judges samples one by one. A D with batch
    norm does not, which is why WGAN-GP's critic has none (Gulrajani et al. 2017, section 4).
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = discriminator(images)
    slopes = tape.gradient(logits, images)
    return tf.reduce_sum(tf.square(slopes), axis=list(range(1, slopes.shape.rank)))


def slopes(discriminator: Callable, images: tf.Tensor) -> tf.Tensor:
    """|grad_x D(x)| at each of `images` (batch, ...): float32 (batch,)."""
    return tf.sqrt(squared_slopes(discriminator, images) + _EPSILON)


def interpolated(real: tf.Tensor, fake: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Points on the lines between real and generated images: alpha * real + (1 - alpha) * fake.

    alpha (batch,) or (batch, 1) weighs the *real* image, one number a sample, as in Gulrajani et al.'s algorithm 1
    (and mimicry); PGGAN's code and TF-GAN let it weigh the generated one, real + alpha * (fake - real): the same in
    distribution, and with 1 - alpha for alpha the same points.
    """
    alpha = tf.reshape(alpha, [-1] + [1] * (real.shape.rank - 1))
    return alpha * real + (1.0 - alpha) * fake


def gradient_penalty(
    discriminator: Callable, images: tf.Tensor, target: float = 1.0, one_sided: bool = False
) -> tf.Tensor:
    """E (|grad D(x)| - target)^2 over `images` (batch, ...), or E max(0, |grad D(x)| - target)^2 if one-sided.

    Not divided by target^2, see `GradientPenalty`. A mean over the batch: a scalar.
    """
    excess = slopes(discriminator, images) - target
    return tf.reduce_mean(tf.square(tf.nn.relu(excess) if one_sided else excess))


class SlopePenalty(Trick):
    """A weighted term of D's loss; D's statistics (batch norm, spectral norm) do not move while it is computed.

    A penalty of your own overrides `term`.

    Args:
        weight: Of the term.
        every: Steps from one computation to the next (lazy regularisation: Karras et al. 2020, arXiv:1912.04958,
            section 3.1). Above 1 the term, times `every`, is minimised by an update of its own, at the step's first
            batch; give D's Adam to `optimizers.lazy`.
    """

    role = "discriminator"

    def __init__(self, weight: float, every: int = 1):
        require_not_negative(example="10", weight=weight)
        require_positive_integers(every=every)
        self.weight = weight
        self.every = every

    @property
    def factor(self) -> float:
        """What `term` is multiplied by."""
        return self.weight

    def penalty(self, gan, player, real, fake, labels):
        """The weighted term, of D's loss only."""
        if player.role != self.role:
            return None
        judge = lambda images: gan.logits(player, images, labels)  # noqa: E731
        return self.factor * self.term(judge, gan.streams, real, fake)

    def term(self, discriminator: Callable, streams, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        """The term without its weight: a scalar, the mean over the batch."""
        raise NotImplementedError(f"{type(self).__name__} does not define its term")


@keras.saving.register_keras_serializable("ganlib")
class GradientPenalty(SlopePenalty):
    """WGAN-GP: Gulrajani et al. 2017, arXiv:1704.00028, eq. 3.

        weight * E_x^ (|grad D(x^)| - 1)^2,  x^ = alpha x + (1 - alpha) G(z),  alpha uniform on [0, 1], one a sample

    With another target it is weight / target^2 * E_x^ (|grad D(x^)| - target)^2: Karras et al. 2018, arXiv:1710.10196,
    whose CIFAR-10 run has a target of 750.

    Args:
        weight: lambda; the paper's is 10.
        target: The slope that is not punished; the paper's is 1.
        every: As in `SlopePenalty`.
    """

    one_sided = False

    def __init__(self, weight: float = 10.0, target: float = 1.0, every: int = 1):
        super().__init__(weight, every)
        require_positive(example="1", target=target)
        self.target = target

    @property
    def factor(self):
        """The weight over the target's square."""
        return self.weight / self.target**2

    def term(self, discriminator, streams, real, fake):
        """E (|grad D| - target)^2 between real and generated images."""
        alpha = streams.uniform("alpha", [batch_size_of(real), 1])
        images = interpolated(real, fake, alpha)
        return gradient_penalty(discriminator, images, self.target, self.one_sided)


@keras.saving.register_keras_serializable("ganlib")
class OneSidedGradientPenalty(GradientPenalty):
    """Only slopes above the target are punished: E max(0, |grad D(x^)| - 1)^2.

    Gulrajani et al. 2017, section 4 ("two-sided penalty"), name it and prefer the two-sided one; Petzka et al. 2018,
    arXiv:1709.08894 (WGAN-LP), prefer this one.
    """

    one_sided = True


@keras.saving.register_keras_serializable("ganlib")
class DRAGANPenalty(SlopePenalty):
    """DRAGAN: Kodali et al. 2017, arXiv:1705.07215, eq. 5 and algorithm 1: slopes of 1 around the data.

        weight * E (|grad D(x + alpha delta)| - 1)^2,  delta = scale * std(x) * u,  u uniform on [0, 1] a pixel

    The paper's text has normal noise of its own scale c; the authors' code, followed here, has uniform noise times half
    the standard deviation of all numbers of the (global) batch, divided by their count (NumPy's ddof = 0; PyTorch
    versions have ddof = 1), and alpha uniform on [0, 1], one a sample. Noise of one sign moves points one way only.

    Args:
        weight: lambda; the paper's is 10.
        scale: Of the noise, in standard deviations of the batch; the code's is 0.5.
        every: As in `SlopePenalty`.
    """

    def __init__(self, weight: float = 10.0, scale: float = 0.5, every: int = 1):
        super().__init__(weight, every)
        require_positive(example="0.5", scale=scale)
        self.scale = scale

    def term(self, discriminator, streams, real, fake):
        """E (|grad D| - 1)^2 at real images with noise."""
        n = batch_size_of(real)
        noise = self.scale * _batch_deviation(real) * streams.uniform("noise", [n, *real.shape[1:]])
        alpha = tf.reshape(streams.uniform("alpha", [n, 1]), [-1] + [1] * (real.shape.rank - 1))
        return gradient_penalty(discriminator, real + alpha * noise)


@keras.saving.register_keras_serializable("ganlib")
class R1(SlopePenalty):
    """Mescheder et al. 2018, arXiv:1801.04406, eq. 9: gamma / 2 * E_x |grad D(x)|^2 at real images.

    D is the logit, and the square has no root, so no epsilon. The sum is over the pixels, the mean over the batch.

    Args:
        gamma: The paper's is 10.
        every: As in `SlopePenalty`; StyleGAN2's is 16.
    """

    def __init__(self, gamma: float = 10.0, every: int = 1):
        require_not_negative(example="10", gamma=gamma)
        require_positive_integers(every=every)
        self.gamma = gamma
        self.every = every

    @property
    def factor(self):
        """Half of gamma."""
        return self.gamma / 2

    def term(self, discriminator, streams, real, fake):
        """E |grad D|^2 at real images."""
        return tf.reduce_mean(squared_slopes(discriminator, real))


@keras.saving.register_keras_serializable("ganlib")
class AnnealedR1(R1):
    """R1 whose gamma falls over the first real images of a run, evenly on a logarithmic scale, and then stays.

    Not the paper's, whose gamma is constant: gamma(n) = gamma (final_gamma / gamma)^min(n / images, 1) after n images.
    R3GAN's official code (Huang et al. 2024, arXiv:2501.05441; train.py) lets its own fall to a tenth, on a cosine.

    Args:
        gamma: At the start.
        final_gamma: After `images` real images.
        images: How long it falls, in real images.
        every: As in `SlopePenalty`.
    """

    def __init__(self, gamma: float = 10.0, final_gamma: float = 1.0, images: int = 100_000, every: int = 1):
        super().__init__(gamma, every)
        require_positive(example="10", gamma=gamma)
        require_positive(example="1", final_gamma=final_gamma)
        require_positive_integers(images=images)
        self.final_gamma = final_gamma
        self.images = images

    def left(self, seen: tf.Tensor) -> tf.Tensor:
        """Gamma after `seen` real images, over that of the start."""
        done = tf.minimum(tf.cast(seen, tf.float32) / self.images, 1.0)
        return (self.final_gamma / self.gamma) ** done

    def penalty(self, gan, player, real, fake, labels):
        """The term with the gamma of this moment, of D's loss only."""
        term = super().penalty(gan, player, real, fake, labels)
        return None if term is None else self.left(gan.image_counter) * term


@keras.saving.register_keras_serializable("ganlib")
class R2(R1):
    """Mescheder et al. 2018, eq. 10: gamma / 2 * E_z |grad D(G(z))|^2, at generated images."""

    def term(self, discriminator, streams, real, fake):
        """E |grad D|^2 at generated images."""
        return tf.reduce_mean(squared_slopes(discriminator, fake))


@keras.saving.register_keras_serializable("ganlib")
class OrthogonalRegularization(Trick):
    """Brock et al. 2019, arXiv:1809.11096, eq. 3: rows of a weight matrix should be orthogonal, whatever their lengths.

        weight / 2 * sum over W of |W W^T * (1 - I)|^2     W: (out, rest), the norm Frobenius', * element by element

    The factor 1/2 makes the gradient 2 weight (W W^T * (1 - I)) W: what the authors' code (BigGAN-PyTorch, utils.py,
    `ortho`) adds to a gradient for this strength, half of that of eq. 3 as it is written. Eq. 3 has W^T W, and rows in
    the code are the outputs of a layer. Every kernel and every table of a network takes part but a plain embedding's,
    which all layers share; W is the weight itself, not W / sigma(W). Biases, scales and gains of attention do not.

    Args:
        weight: beta; the paper's is 1e-4, for G.
        role: Whose weights: "generator" or "discriminator".
        every: Steps from one computation to the next; above 1 the term, times `every`, has an update of its own.
    """

    def __init__(self, weight: float = 1e-4, role: str = "generator", every: int = 1):
        require_not_negative(example="1e-4", weight=weight)
        require_known("role", role, ("generator", "discriminator"))
        require_positive_integers(every=every)
        self.weight = weight
        self.role = role
        self.every = every

    def penalty(self, gan, player, real, fake, labels):
        """The weighted term, of that player's loss only."""
        if player.role != self.role:
            return None
        squares = [off_diagonal_square(matrix) for matrix in weight_matrices(player.network)]
        return 0.5 * self.weight * tf.add_n(squares)


def weight_matrices(network: keras.Model) -> list[tf.Tensor]:
    """Each kernel and table of a network as a matrix (rest, out), float32: the transposes of `(out, rest)`.

    A kernel's last axis are a layer's outputs, but where its layer says otherwise (`SpectralNormalized.matrix`); of a
    table of classes the classes are the rows. Plain embeddings, which layers share, are left out.
    """
    matrices = []
    for layer in network._flatten_layers(include_self=False):
        if type(layer) is keras.layers.Embedding:
            continue
        for variable in layer._trainable_variables:
            if len(variable.shape) < 2:
                continue
            weight = tf.cast(tf.convert_to_tensor(variable), tf.float32)
            if isinstance(layer, SpectralNormalized):
                matrices.append(layer.matrix(weight))
            elif getattr(layer, "mixes_classes", False):
                matrices.append(tf.transpose(weight))
            elif isinstance(layer, keras.layers.Conv2DTranspose):
                matrices.append(tf.reshape(tf.transpose(weight, [0, 1, 3, 2]), [-1, weight.shape[2]]))
            else:
                matrices.append(tf.reshape(weight, [-1, weight.shape[-1]]))
    return matrices


def off_diagonal_square(matrix: tf.Tensor) -> tf.Tensor:
    """|W W^T * (1 - I)|^2 of W = `matrix`^T: the sum of the squared products of different columns of `matrix`.

    Where columns are many and short (24,576 of 20 numbers in BigGAN's first layer, whose products are 2.4 GB), as
    |W^T W|^2 less the squares of the diagonal. Long columns may be almost orthogonal, and little would be left of it.
    """
    rest, out = matrix.shape
    if out > 2 * rest:
        all_squares = tf.reduce_sum(tf.square(tf.matmul(matrix, matrix, transpose_b=True)))
        return all_squares - tf.reduce_sum(tf.square(tf.reduce_sum(tf.square(matrix), axis=0)))
    products = tf.matmul(matrix, matrix, transpose_a=True)
    return tf.reduce_sum(tf.square(tf.linalg.set_diag(products, tf.zeros(products.shape[0], products.dtype))))


def _batch_deviation(images: tf.Tensor) -> tf.Tensor:
    """The standard deviation of all numbers of the global batch (divided by their count)."""
    mean = mean_over_replicas(tf.reduce_mean(images))
    return tf.sqrt(mean_over_replicas(tf.reduce_mean(tf.square(images - mean))))
