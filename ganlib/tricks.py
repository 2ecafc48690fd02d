"""Tricks that change a step without changing the game: small objects for `GAN(tricks=[...])` that compose.

    GAN(generator, discriminator, tricks=[InstanceNoise(0.1, decay_steps=5000), SkipUpdate(below=0.3)])

Each states its paper. Others are arguments that exist already: one-sided label smoothing is
`losses.NonSaturating(label_smoothing=0.1)`, dropout in D is `layers.Dropout`, TTUR (Heusel et al. 2017,
arXiv:1706.08500: D learns faster than G) and SGD for D are two optimisers given to `compile`, the latents'
distribution is `latent_distribution`, minibatches of a single label are `data.single_label_batches`, virtual batch
norm and minibatch discrimination are layers. Real and generated images always go through D in batches of their own.
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from ganlib.arguments import (
    require_counts,
    require_known,
    require_not_negative,
    require_positive,
    require_positive_integers,
    require_share,
)
from ganlib.errors import InputError
from ganlib.penalties import weight_matrices
from ganlib.randomness import host_generator
from ganlib.replicas import batch_size_of, gathered, mean_over_replicas
from ganlib.trick import Trick


@keras.saving.register_keras_serializable("ganlib")
class WeightClipping(Trick):
    """Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1, line 7: w <- clip(w, -c, c) after each update of D.

    Keeps D K-Lipschitz for some K that depends on c and on the networks. All trainable variables are clipped, biases
    and scales of normalisations too, as in the authors' code; initial values are left alone until the first update.

    Args:
        limit: c; the paper's is 0.01.
    """

    def __init__(self, limit: float = 0.01):
        require_positive(example="0.01", limit=limit)
        self.limit = limit

    def after_update(self, gan, player):
        """Clip D's variables."""
        if player.role != "discriminator":
            return
        variables = [v.value for v in player.network.trainable_variables]

        def clip(strategy):
            for variable in variables:
                strategy.extended.update(
                    variable, lambda v: v.assign(tf.clip_by_value(v, -self.limit, self.limit))
                )

        tf.distribute.get_replica_context().merge_call(clip)


@keras.saving.register_keras_serializable("ganlib")
class LabelFlipping(Trick):
    """Tells D the wrong label now and then: with probability `rate` a real and a generated image change places.

    Chintala et al. 2016 ("How to train a GAN", tip 6) and the lecture: occasionally flip the labels of D. A pair is
    exchanged rather than a label changed, so that it works with any loss and both halves keep their sizes. Penalties
    that follow are taken where D looked, so at the exchanged images.

    Args:
        rate: Of images exchanged, in [0, 1).
    """

    parts_labels = True

    def __init__(self, rate: float = 0.05):
        require_share(example="0.05", rate=rate)
        self.rate = rate

    def real_and_fake(self, gan, real, fake):
        """The batches with some positions exchanged."""
        flipped = gan.streams.uniform("flips", [batch_size_of(real), 1]) < self.rate
        flipped = tf.reshape(flipped, [-1] + [1] * (real.shape.rank - 1))
        return tf.where(flipped, fake, real), tf.where(flipped, real, fake)


@keras.saving.register_keras_serializable("ganlib")
class InstanceNoise(Trick):
    """Normal noise on everything that D sees, real and generated, fading out linearly.

    Sønderby et al. 2017, arXiv:1610.04490 ("instance noise"); Arjovsky & Bottou 2017, arXiv:1701.04862, section 3: with
    noise both distributions have full support, so that no D is perfect. D sees noise in its own step and in G's,
    fresh in each; the deviation at step t is sigma * max(0, 1 - t / decay_steps).

    Args:
        sigma: Standard deviation at step 0, in the units of the images, [-1, 1].
        decay_steps: Steps until it is 0; None: it stays.
    """

    def __init__(self, sigma: float = 0.1, decay_steps: int | None = None):
        require_not_negative(example="0.1", sigma=sigma)
        if decay_steps is not None and (isinstance(decay_steps, bool) or not decay_steps >= 1):
            raise InputError(f"decay_steps={decay_steps!r} is out of range: give at least 1, or None")
        self.sigma = sigma
        self.decay_steps = decay_steps

    def real_and_fake(self, gan, real, fake):
        """Both with noise of their own."""
        return self._noisy(gan, real, "real"), self._noisy(gan, fake, "fake")

    def judged(self, gan, fake):
        """With noise too."""
        return self._noisy(gan, fake, "fake")

    def _noisy(self, gan, images, which):
        left = 1.0
        if self.decay_steps is not None:
            left = tf.maximum(0.0, 1.0 - tf.cast(gan.step_counter, tf.float32) / self.decay_steps)
        noise = gan.streams.normal(f"instance noise/{which}", [batch_size_of(images), *images.shape[1:]])
        return images + self.sigma * left * noise


@keras.saving.register_keras_serializable("ganlib")
class ReplayBuffer(Trick):
    """Shows D samples of earlier generators: half of each generated batch comes from a buffer of the last ones.

    Shrivastava et al. 2017, arXiv:1612.07828, section 2.3: "history of refined images". The first b/2 images of the
    global batch are exchanged for random ones of the buffer, whose places they take. Until the buffer is full the batch
    is shown as it is and its first half is put in. Only D's own updates see the buffer, never G's.

    Args:
        size: Images in the buffer; a multiple of half the batch.
    """

    whole_batch = True
    parts_labels = True

    def __init__(self, size: int = 1024):
        require_positive_integers(size=size)
        self.size = size
        self._images = self._count = None

    def build(self, gan):
        """An empty buffer.

        Raises:
            InputError: The size is not a multiple of half the batch.
        """
        half = max(1, gan.batch_size // 2)
        if self.size % half:
            raise InputError(f"size={self.size} is not a multiple of half the batch, {half}: use {half * 16}")
        judge = gan.players_of("discriminator")[0].network
        self._images, self._count = image_buffer(self.size, judge.inputs[0].shape[1:])

    @property
    def variables(self):
        """The images, and how many have been put in."""
        return [self._images.value, self._count.value]

    def real_and_fake(self, gan, real, fake):
        """Real images as they are; generated ones with their first half (of the global batch) exchanged."""
        everything, start = gathered(fake)
        batch = everything.shape[0]
        if batch is None or batch < 2 or self.size % (batch // 2):
            raise InputError(
                f"ReplayBuffer({self.size}) cannot exchange half of a batch of {batch}: use batches of one size "
                "(drop_remainder=True), half of which divides the buffer's"
            )
        half = batch // 2
        images, count = self._images.value, self._count.value
        new = tf.stop_gradient(everything[:half])
        # a random choice of the buffer's places, drawn once for all replicas
        drawn = tf.argsort(gan.streams.shared_uniform("replay", self.size), stable=True)[:half]
        full = count >= self.size
        filling = tf.cast(count % self.size, tf.int32) + tf.range(half)
        places = tf.where(full, drawn, filling)
        old = tf.where(full, tf.gather(images, places), new)
        shown = tf.concat([old, everything[half:]], axis=0)
        with tf.control_dependencies([shown]):
            self._images.assign(tf.tensor_scatter_nd_update(images, places[:, None], new))
            self._count.assign(count + half)
        return real, shown[start : start + fake.shape[0]]


@keras.saving.register_keras_serializable("ganlib")
class SkipUpdate(Trick):
    """Leaves out D's update while its loss is below c, "no update D if loss(D) < c" (the CMU lecture, slide on tricks).

    Neither D's weights nor its optimiser move then, its counter included; statistics (batch norm) do. The loss is what
    D minimises, penalties included, mean over all replicas.

    Args:
        below: c; 2 log 2 = 1.39 is the loss of a D of the 2014 game that knows nothing.
    """

    def __init__(self, below: float):
        if isinstance(below, bool) or not isinstance(below, int | float) or not math.isfinite(below):
            raise InputError(f"below={below!r} is not a finite number: give a loss, for example 0.3")
        self.below = float(below)

    def vetoes(self, gan, player, loss):
        """Whether the mean loss over all replicas is below c."""
        return mean_over_replicas(loss) < self.below if player.role == "discriminator" else None


@keras.saving.register_keras_serializable("ganlib")
class HistoricalAveraging(Trick):
    """Salimans et al. 2016, arXiv:1606.03498, section 3.3: each player pays for leaving the mean of its past.

        weight * || theta - 1/t sum_{i=1..t} theta[i] ||^2, over all trainable variables of the player

    theta[i] are the values at the end of step i; in the first step the mean is the initial values, which then leave it
    (so the term is 0 at the start of the first two steps).

    Args:
        weight: Of the term; the paper gives none.
    """

    def __init__(self, weight: float = 1e-3):
        require_not_negative(example="1e-3", weight=weight)
        self.weight = weight
        self._means: dict[str, list[tf.Variable]] = {}

    def build(self, gan):
        """Means that start at the networks' values."""
        self._means = {
            name: [
                tf.Variable(v.value, trainable=False, name=f"mean_{v.name}")
                for v in network.trainable_variables
            ]
            for name, network in gan.players().items()
        }

    @property
    def variables(self):
        """The means."""
        return [mean for means in self._means.values() for mean in means]

    def penalty(self, gan, player, real, fake, labels):
        """The weighted squared distance from the mean."""
        pairs = zip(player.network.trainable_variables, self._means[player.name], strict=True)
        return self.weight * tf.add_n([tf.reduce_sum(tf.square(v.value - mean)) for v, mean in pairs])

    def finish_step(self, gan):
        """Move the means to include the new values: mean += (theta - mean) / t."""
        t = tf.cast(gan.step_counter, tf.float32) + 1.0
        for name, means in self._means.items():
            for mean, variable in zip(means, gan.players()[name].trainable_variables, strict=True):
                gan.distribute_strategy.extended.update(
                    mean, lambda m, v: m.assign_add((v - m) / t), args=(variable.value,)
                )


@keras.saving.register_keras_serializable("ganlib")
class SemiSupervised(Trick):
    """Uses labels, where there are some, through D: Salimans et al. 2016, arXiv:1606.03498, section 5.

    D is a classifier of K classes, `discriminator.get_layer("classes")`, whose logit of "real" is the logarithm of the
    sum of the exponentials of the class logits (build it with `layers.LogSumExp`). The term is the cross-entropy of
    the real images' labels, summed over those that have one and divided by all images of the batch; a label of -1 means
    that there is none. D runs once more on the real images for it.

    Args:
        weight: Of the cross-entropy.
    """

    def __init__(self, weight: float = 1.0):
        require_not_negative(example="1e-3", weight=weight)
        self.weight = weight
        self._classifier = None

    def build(self, gan):
        """Find the class logits in D.

        Raises:
            InputError: D has no layer "classes", or another trick would part images from their labels.
        """
        if any(isinstance(trick, LabelFlipping) for trick in gan.tricks):
            raise InputError(
                "LabelFlipping puts generated images where SemiSupervised has labels of real ones: use one of the two"
            )
        judge = gan.players_of("discriminator")[0].network
        names = [layer.name for layer in judge.layers]
        if "classes" not in names:
            raise InputError(
                'SemiSupervised needs a discriminator with a layer named "classes" of class logits; it has '
                + ", ".join(names)
            )
        self._classifier = keras.Model(judge.input, judge.get_layer("classes").output, name="classifier")

    def penalty(self, gan, player, real, fake, labels):
        """Cross-entropy of the labels of the real images that have one, mean over the batch."""
        if player.role != "discriminator":
            return None
        if labels is None:
            raise InputError(
                "SemiSupervised needs labels: load the data with labels=True (-1 where there is none)"
            )
        logits = gan.frozen(self._classifier)(real)
        known = labels >= 0
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
        return self.weight * tf.reduce_mean(tf.where(known, losses, 0.0))


@keras.saving.register_keras_serializable("ganlib")
class LatentOptimisation(Trick):
    """LOGAN: Wu et al. 2019, arXiv:1912.00953: before both updates z takes steps up f(z) = D(G(z)), D's logit.

        gradient           Delta z = alpha g,  g = df/dz                                        section 2.3, eq. 4
        natural gradient   Delta z = alpha (g g^T + beta I)^-1 g = alpha / (beta + |g|^2) g     section 4, eq. 12
        penalty            weight * E |Delta z|^2, a term of both losses                        eq. 17

    z' = z + Delta z is what G's images are made of, in D's update and in G's. Both losses depend on D and G through
    Delta z as well, and are differentiated through it (algorithm 1). Uniform latents are cut off at -1 and 1 after each
    step, as there; normal ones are not. The damped Fisher matrix of one sample has rank one beside the identity, whence
    the second form of the natural step (Sherman & Morrison). It is at most alpha / (2 sqrt(beta)) long.

    Samples are moved as well, by the averaged G and by D as they are in evaluation. Truncation is of the z that the
    steps start from. Images between classes (`images_of` with weights of classes) are not moved.

    The paper takes one step, both gradients of a batch at one z', and its SN-GANs (section 5.1) and BigGANs (5.2)
    alpha = 0.9, the latter beta = 5, a weight of 300 and half of z's elements. Here each row of the table draws its own
    z. Which half is optimised is not said: here it is the first, so that the rest keeps what randomness it was given.

    Args:
        method: "natural", or "gradient".
        step_size: alpha.
        damping: beta, of the natural gradient.
        steps: How many are taken in training; |Delta z| is of their sum.
        sampling_steps: How many in sampling; None: as many as in training.
        share: Of z's elements that are optimised, in (0, 1].
        weight: Of the penalty.
    """

    def __init__(
        self,
        method: str = "natural",
        step_size: float = 0.9,
        damping: float = 5.0,
        steps: int = 1,
        sampling_steps: int | None = None,
        share: float = 1.0,
        weight: float = 300.0,
    ):
        require_known("method", method, ("natural", "gradient"))
        require_positive(example="0.9", step_size=step_size, damping=damping, share=share)
        if share > 1:
            raise InputError(f"share={share!r} is out of range: give a number in (0, 1], for example 0.5")
        require_counts(steps=steps, sampling_steps=steps if sampling_steps is None else sampling_steps)
        require_not_negative(example="300", weight=weight)
        self.method = method
        self.step_size = step_size
        self.damping = damping
        self.steps = steps
        self.sampling_steps = sampling_steps
        self.share = share
        self.weight = weight

    def latents(self, gan, player, latents, labels):
        """Moved latents and the penalty; the statistics of both networks stand still."""
        judge, generator = gan.players_of("discriminator")[0], gan.frozen(gan.generator)

        def score(z):
            return gan.logits(judge, generator(gan.conditioned(z, labels)), labels)

        moved, change = self.optimised(gan, score, latents, self.steps)
        return moved, self.weight * tf.reduce_mean(tf.reduce_sum(tf.square(change), axis=1))

    def sampled_latents(self, gan, sampler, latents, labels):
        """Moved latents."""
        judge = gan.players_of("discriminator")[0]

        def score(z):
            shown = gan.shown_to(judge, sampler(gan.conditioned(z, labels)), labels)
            outputs = judge.network(shown, training=False, **gan.call_options())
            return outputs[0] if isinstance(outputs, list | tuple) else outputs

        steps = self.steps if self.sampling_steps is None else self.sampling_steps
        return self.optimised(gan, score, tf.convert_to_tensor(latents), steps)[0]

    def optimised(
        self, gan, score: Callable[[tf.Tensor], tf.Tensor], latents: tf.Tensor, steps: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Latents after so many steps up their scores, and Delta z: the sum of the steps, cut off or not."""
        size = latents.shape[-1]
        chosen = tf.cast(tf.range(size) < math.ceil(self.share * size), latents.dtype)
        change = tf.zeros_like(latents)
        for _ in range(steps):
            with tf.GradientTape() as tape:
                tape.watch(latents)
                scores = tf.reduce_sum(score(latents))
            gradient = chosen * tape.gradient(scores, latents)
            scale = self.step_size
            if self.method == "natural":
                scale /= self.damping + tf.reduce_sum(tf.square(gradient), axis=-1, keepdims=True)
            step = scale * gradient
            change += step
            latents += step
            if gan.latent_distribution == "uniform":
                latents = tf.clip_by_value(latents, -1.0, 1.0)
        return latents, change


@keras.saving.register_keras_serializable("ganlib")
class ClampedSingularValue(Trick):
    """Brock et al. 2019, arXiv:1809.11096, section 4.1: after an update the largest singular values are clamped.

        W <- W - max(0, sigma0 - c) u0 v0^T

    with c a constant, or a multiple of the second value sigma1, u0 and v0 the first singular vectors, W a kernel or
    table as spectral normalisation sees it, (out, rest). The other singular values stay as they are. Of a spectrally
    normalised layer it is the weight itself that is clamped, not W / sigma(W).

    The first values are found by subspace iteration (Halko, Martinsson & Tropp 2011, arXiv:0909.4061, algorithm 4.4) on
    a few vectors that are kept from step to step, as the paper's power iterations are.

    Args:
        value: c; None: `ratio` says it.
        ratio: c as a multiple of sigma1; None: `value` says it. Weights with one row or one column have no sigma1 and
            are left alone.
        players: Whose weights: "generator", "discriminator" or "both".
        iterations: Of the subspace iteration, in each update.

    Raises:
        InputError: An argument is out of range, or not exactly one of `value` and `ratio` is given.
    """

    def __init__(
        self,
        value: float | None = None,
        ratio: float | None = None,
        players: str = "both",
        iterations: int = 2,
    ):
        given = {name: number for name, number in (("value", value), ("ratio", ratio)) if number is not None}
        if len(given) != 1:
            raise InputError(f"value={value!r}, ratio={ratio!r}: give one of the two, for example ratio=2.0")
        require_positive(example="2.0", **given)
        require_known("players", players, ("generator", "discriminator", "both"))
        require_positive_integers(iterations=iterations)
        self.value = value
        self.ratio = ratio
        self.players = players
        self.iterations = iterations
        self._blocks: dict[str, list[keras.Variable]] = {}

    def build(self, gan):
        """Vectors that start near the first singular ones of each weight."""
        roles = ("generator", "discriminator") if self.players == "both" else (self.players,)
        self._blocks = {
            player.name: [_first_vectors(matrix) for matrix in weight_matrices(player.network)]
            for role in roles
            for player in gan.players_of(role)
        }

    @property
    def variables(self):
        """The vectors."""
        return [block.value for blocks in self._blocks.values() for block in blocks]

    def after_update(self, gan, player):
        """Clamp the player's weights."""
        if player.name not in self._blocks:
            return
        variables = [v.value for v in player.network.trainable_variables]
        with tf.GradientTape() as tape:
            matrices = weight_matrices(player.network)
            pairs = zip(matrices, self._blocks[player.name], strict=True)
            products = tf.add_n(
                [tf.reduce_sum(matrix * self._excess(matrix, block)) for matrix, block in pairs]
            )
        # a matrix is its weight's numbers in another order: the gradient of the product puts them back
        changes = tape.gradient(products, variables)
        changed = [(v, change) for v, change in zip(variables, changes, strict=True) if change is not None]

        def clamp(strategy, changes):
            for (variable, _), change in zip(changed, changes, strict=True):
                strategy.extended.update(variable, lambda v, change: v.assign_sub(change), args=(change,))

        tf.distribute.get_replica_context().merge_call(clamp, args=([change for _, change in changed],))

    def _excess(self, matrix: tf.Tensor, block: keras.Variable) -> tf.Tensor:
        """max(0, sigma0 - c) v0 u0^T of a matrix (rest, out); the vectors move on."""
        matrix = tf.stop_gradient(matrix)
        right = tf.convert_to_tensor(block)
        for _ in range(self.iterations):
            right = _orthonormal(tf.matmul(matrix, tf.matmul(matrix, right), transpose_a=True))
        block.assign(right)
        left = _orthonormal(tf.matmul(matrix, right))
        values, u, v = tf.linalg.svd(tf.matmul(left, tf.matmul(matrix, right), transpose_a=True))
        left, right = tf.matmul(left, u), tf.matmul(right, v)
        if self.ratio is None:
            most = self.value
        elif matrix.shape[0] == 1 or matrix.shape[1] == 1:
            return tf.zeros_like(matrix)
        else:
            most = self.ratio * values[1]
        return tf.nn.relu(values[0] - most) * tf.matmul(left[:, :1], right[:, :1], transpose_b=True)


def _orthonormal(vectors: tf.Tensor) -> tf.Tensor:
    """An orthonormal basis of the columns of (n, k), that of the QR decomposition with a positive diagonal of R."""
    q, r = tf.linalg.qr(vectors)
    return q * tf.where(tf.linalg.diag_part(r) < 0, -1.0, 1.0)


def _first_vectors(matrix: tf.Tensor, most: int = 4) -> keras.Variable:
    """The first right singular vectors of a matrix (rest, out), (out, at most `most`): nearly, by a few iterations."""
    matrix = matrix.numpy().astype(np.float64)
    shape = (matrix.shape[1], min(most, *matrix.shape))
    right = host_generator(0, "singular vectors").standard_normal(shape)
    for _ in range(10):
        right = np.linalg.qr(matrix.T @ (matrix @ right)).Q
    kept = {"trainable": False, "aggregation": "only_first_replica", "name": "singular_vectors"}
    return keras.Variable(right.astype(np.float32), **kept)


def image_buffer(size: int, shape: Sequence[int]) -> tuple[keras.Variable, keras.Variable]:
    """Places for `size` images of `shape`, zeros at first, and a count: the first replica's count for all."""
    held = {"trainable": False, "aggregation": "only_first_replica"}
    images = keras.Variable("zeros", (size, *shape), "float32", name="kept_images", **held)
    return images, keras.Variable("zeros", (), "int64", name="kept_count", **held)
