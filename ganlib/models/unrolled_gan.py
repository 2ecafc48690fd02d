"""Unrolled GAN: G looks k steps of D ahead.

Metz, Poole, Pfau, Sohl-Dickstein. ICLR 2017, arXiv:1611.02163.
Game: eq. 4, f = E log D(x) + E log(1 - D(G(z))), which D climbs and G descends. D's steps to come (eqs. 6 and 7, with
Adam in place of plain gradient ascent and one fixed batch for all of them, as in the paper's experiments) are part of
what G differentiates (eqs. 9, 10 and 12): their sum is what G would gain if D could not answer, less what D's answer
takes back. Networks and recipe: appendix A, mixture of 8 Gaussians (`data.load("gaussians_ring")`).

Taken from memory, as the appendix was not at hand: ReLU, one hidden layer in D, inputs divided by 4, orthogonal
weights of gain 0.8. Learning rates (G 1e-3, D 1e-4), beta1, batch and z are those of the authors' notebook
(poolio/unrolled_gan, commit 0136e29), whose networks (tanh, two hidden layers in D, gain 1.4) and ring (radius 1) are
not the paper's.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import layers

from ganlib.arguments import require_counts, require_positive, require_positive_integers
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.optimizers import adam
from ganlib.presets import Preset, made
from ganlib.randomness import seeded
from ganlib.replicas import batch_size_of, mean_over_replicas

Tensors = list[tf.Tensor]


def generator(channels: int, latent_dim: int, units: int) -> keras.Model:
    """Z (batch, latent_dim) -> points (batch, channels): two hidden ReLU layers. Appendix A."""
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(units, activation="relu", kernel_initializer=_orthogonal())(z)
    x = layers.Dense(units, activation="relu", kernel_initializer=_orthogonal())(x)
    return keras.Model(z, layers.Dense(channels, kernel_initializer=_orthogonal())(x), name="generator")


def discriminator(channels: int, units: int) -> keras.Model:
    """Points (batch, channels), about within [-4, 4] -> logit (batch, 1): one hidden ReLU layer. Appendix A."""
    points = keras.Input((channels,), name="points")
    x = layers.Rescaling(0.25)(points)
    x = layers.Dense(units, activation="relu", kernel_initializer=_orthogonal())(x)
    return keras.Model(points, layers.Dense(1, kernel_initializer=_orthogonal())(x), name="discriminator")


def unroll(
    objective: Callable[[Tensors], tf.Tensor],
    weights: Sequence[tf.Tensor],
    optimizer: keras.optimizers.Optimizer,
    steps: int,
) -> Tensors:
    """What `weights` would be after `steps` updates by `optimizer` down `objective`; nothing moves. Eqs. 6 and 7.

    A tape outside sees the updates, and differentiates through them. Gradients are the mean over replicas, as the
    optimiser's would be, and so are the gradients of these means. The learning rate stays at its present value.

    Args:
        objective: Weights -> the mean loss over this replica's share of the batch.
        weights: Where to start, in the order in which the optimiser was built.
        optimizer: Adam or SGD, built; the steps start from its present slots.
        steps: k; the graph grows with it.

    Raises:
        InputError: The optimiser has no differentiable counterpart here.
    """
    rule = _rule_of(optimizer)
    weights = [tf.convert_to_tensor(w) for w in weights]
    for step in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = objective(weights)
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        weights = rule(step, weights, mean_over_replicas(gradients))
    return weights


@keras.saving.register_keras_serializable("ganlib")
class UnrolledGAN(GAN):
    """Two multilayer perceptrons on points of the plane; G descends what D will have become.

    To unroll other networks, override `__init__` and keep `generator_loss`.

    Args:
        channels: Coordinates of the points.
        latent_dim: Dimension of z.
        units: Of each hidden layer.
        unrolling_steps: k; with 0 this is the minimax GAN of 2014.
        generator_learning_rate: Of G's Adam.
        discriminator_learning_rate: Of D's Adam.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real points a step.
        seed: Seed of the run.
    """

    title = "Unrolled Generative Adversarial Networks"
    authors = "Metz, Poole, Pfau, Sohl-Dickstein"
    year = 2017
    arxiv = "1611.02163"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "points of the plane, 16 units, 2 steps ahead: seconds, for tests",
            {"latent_dim": 8, "units": 16, "unrolling_steps": 2, "ema_decay": 0.9, "batch_size": 8},
        ),
        "laptop": Preset(
            "points of the plane, the paper's networks, 5 steps ahead, batch 256",
            {"unrolling_steps": 5, "batch_size": 256},
        ),
        "colab": Preset("points of the plane, the paper's: 10 steps ahead, batch 512"),
        "points_2d": Preset("the paper's ring of 8 Gaussians: 10 steps ahead, batch 512"),
    }  # fmt: skip

    def __init__(
        self,
        channels: int = 2,
        latent_dim: int = 256,
        units: int = 128,
        unrolling_steps: int = 10,
        generator_learning_rate: float = 1e-3,
        discriminator_learning_rate: float = 1e-4,
        ema_decay: float | None = None,
        batch_size: int = 512,
        seed: int = 0,
    ):
        require_positive_integers(channels=channels, latent_dim=latent_dim, units=units)
        require_counts(unrolling_steps=unrolling_steps)
        require_positive(
            example="1e-4",
            generator_learning_rate=generator_learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
        )
        with seeded(seed):
            super().__init__(
                made(generator, channels, latent_dim, units),
                discriminator(channels, units),
                loss="minimax",
                ema_decay=ema_decay,
                generator_optimizer=adam(generator_learning_rate, beta_1=0.5),
                discriminator_optimizer=adam(discriminator_learning_rate, beta_1=0.5),
                batch_size=batch_size,
                seed=seed,
            )
        self.unrolling_steps = unrolling_steps

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As `GAN.compile`; D's optimiser must be one that can be unrolled.

        Raises:
            InputError: It is neither Adam nor SGD, or one of their variants.
        """
        super().compile(*args, **kwargs)
        _rule_of(self.discriminator_optimizer)

    def generator_loss(self, batch: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Eq. 9's f_K: minus D's loss on real `batch` and as many samples, after D's k steps on these two.

        The real term depends on G too, through D's steps. D itself stands still; penalties are not unrolled.
        """
        real, labels = self.split_batch(batch)
        fake = self.generate(batch_size_of(real))
        for i, trick in enumerate(self.tricks):
            with self.streams.scope(f"trick/{i}"):
                fake = trick.judged(self, fake)
        other = [v.value for v in self.discriminator.non_trainable_variables]

        def objective(weights):
            logits = []
            for scope, samples in (("real", real), ("fake", fake)):
                with self.streams.scope(scope):
                    logits.append(
                        self.discriminator.stateless_call(weights, other, samples, training=True)[0]
                    )
            return tf.add_n(self.adversarial_loss.discriminator(*logits))

        weights = [v.value for v in self.discriminator.trainable_variables]
        if self.unrolling_steps:
            weights = unroll(objective, weights, self.optimizers()["discriminator"], self.unrolling_steps)
        loss = -objective(weights)
        penalties = self.penalty_terms("generator", real, fake, labels)
        loss = tf.add_n([loss, *penalties.values()])
        return loss, {"generator_loss": loss, **penalties}


def _rule_of(optimizer: keras.optimizers.Optimizer) -> Callable[[int, Tensors, Tensors], Tensors]:
    """The optimiser's update as a function of tensors; the function holds the slots, a list of tensors, itself."""
    plain = not any(
        getattr(optimizer, option, None)
        for option in (
            "amsgrad", "nesterov", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema",
            "loss_scale_factor", "gradient_accumulation_steps",
        )
    )  # fmt: skip
    if not plain or type(optimizer) not in (keras.optimizers.Adam, keras.optimizers.SGD):
        raise InputError(
            f"D's optimiser {type(optimizer).__name__} with its options cannot be unrolled: use plain Adam or SGD"
        )
    rate = tf.convert_to_tensor(optimizer.learning_rate)

    def value(variables):
        return [tf.convert_to_tensor(v.value) for v in variables]

    if isinstance(optimizer, keras.optimizers.SGD):
        momentums = value(optimizer.momentums) if optimizer.momentum else []

        def sgd(step, weights, gradients):
            nonlocal momentums
            moves = [-tf.cast(rate, g.dtype) * g for g in gradients]
            if momentums:
                moves = momentums = [
                    optimizer.momentum * m + move for m, move in zip(momentums, moves, strict=True)
                ]
            return [w + move for w, move in zip(weights, moves, strict=True)]

        return sgd

    first, second = value(optimizer._momentums), value(optimizer._velocities)
    updates = tf.convert_to_tensor(optimizer.iterations.value)
    beta_1, beta_2, epsilon = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon

    def adam(step, weights, gradients):
        # Kingma & Ba 2015, arXiv:1412.6980, algorithm 1 in the form of its section 2
        nonlocal first, second
        first = [m + (g - m) * (1.0 - beta_1) for m, g in zip(first, gradients, strict=True)]
        second = [v + (tf.square(g) - v) * (1.0 - beta_2) for v, g in zip(second, gradients, strict=True)]
        moved = []
        for w, m, v in zip(weights, first, second, strict=True):
            t = tf.cast(updates + (step + 1), w.dtype)
            alpha = tf.cast(rate, w.dtype) * tf.sqrt(1.0 - beta_2**t) / (1.0 - beta_1**t)
            moved.append(w - m * alpha / (_root(v) + epsilon))
        return moved

    return adam


def _root(x: tf.Tensor) -> tf.Tensor:
    """The square root, with derivative 0 at 0: a dead unit's slot is 0, and infinity times its zero gradient is NaN."""
    positive = x > 0
    return tf.where(positive, tf.sqrt(tf.where(positive, x, tf.ones_like(x))), tf.zeros_like(x))


def _orthogonal() -> keras.initializers.Initializer:
    return keras.initializers.Orthogonal(gain=0.8)
