"""Day 1: the game of 2014. References and typical mistakes of its tasks."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ganlib.grading import Mistake, Task


def _column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


# 1. The value of the game


def _value(d_real, d_fake):
    return np.mean(np.log(d_real)) + np.mean(np.log(1 - d_fake))


VALUE = Task(
    name="day1.1",
    title="the value of the game",
    reference=_value,
    cases=(
        (np.array([0.9, 0.8, 0.6, 0.99, 0.5]), np.array([0.1, 0.3, 0.02])),
        (np.full(4, 0.5), np.full(4, 0.5)),
        (np.array([0.2]), np.array([0.7, 0.95])),
    ),
    mistakes=(
        Mistake(
            "the second expectation is of log(1 - D), not of log D: D wants 0 for what is generated",
            lambda d_real, d_fake: np.mean(np.log(d_real)) + np.mean(np.log(d_fake)),
        ),
        Mistake(
            "take the mean of each batch, not the sum: an expectation does not grow with the batch",
            lambda d_real, d_fake: np.sum(np.log(d_real)) + np.sum(np.log(1 - d_fake)),
        ),
        Mistake(
            "take a mean over the real and one over the generated batch, and add them: one mean over both "
            "is half as large, and weighs the larger batch more",
            lambda d_real, d_fake: np.mean(np.concatenate([np.log(d_real), np.log(1 - d_fake)])),
        ),
        Mistake(
            "the sign is reversed: V is what D makes large; its negative is D's loss",
            lambda d_real, d_fake: -_value(d_real, d_fake),
        ),
        Mistake(
            "the two batches are exchanged: log D belongs to the real one",
            lambda d_real, d_fake: _value(d_fake, d_real),
        ),
    ),
)


# 2. The optimal discriminator


def _optimal_discriminator(p, q):
    total = p + q
    return np.where(total > 0, p / np.where(total > 0, total, 1), 0.5)


OPTIMAL_DISCRIMINATOR = Task(
    name="day1.2",
    title="the optimal discriminator",
    reference=_optimal_discriminator,
    cases=(
        (np.array([0.1, 0.5, 2.0, 0.3]), np.array([0.4, 0.5, 0.0, 1e-9])),
        (np.array([0.0, 0.0, 1e-300]), np.array([0.0, 0.7, 1e-300])),
    ),
    mistakes=(
        Mistake(
            "this is the probability that x was generated; D is the probability that x is real",
            lambda p, q: 1 - _optimal_discriminator(p, q),
        ),
        Mistake(
            "where both densities are 0 this is 0/0: any value is as good there, and we agree on 1/2",
            lambda p, q: p / (p + q),
        ),
        Mistake(
            "where both densities are 0 this is 0: any value is as good there, and we agree on 1/2",
            lambda p, q: p / np.maximum(p + q, 1e-320),
        ),
        Mistake("p/q is the ratio of the densities, not a probability: D = p/(p + q)", lambda p, q: p / q),
    ),
    atol=1e-9,
)


# 3. The Jensen-Shannon divergence


def _kl(p, q, dx):
    return np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / np.where(p > 0, q, 1)), 0)) * dx


def _jensen_shannon(p, q, dx):
    m = (p + q) / 2
    return (_kl(p, m, dx) + _kl(q, m, dx)) / 2


def _unguarded(p, q, dx):
    m = (p + q) / 2
    return np.sum(p * np.log(p / m) + q * np.log(q / m)) * dx / 2


def _gaussian(x, mean, sigma):
    return np.exp(-((x - mean) ** 2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))


_X = np.linspace(-8, 8, 1601)

JENSEN_SHANNON = Task(
    name="day1.3",
    title="the Jensen-Shannon divergence",
    reference=_jensen_shannon,
    cases=(
        (_gaussian(_X, -1, 1), _gaussian(_X, 1, 0.5), 0.01),
        (_gaussian(_X, 0, 1), _gaussian(_X, 0, 1), 0.01),
        (np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 2.0, 2.0]) / 2, 0.5),
        (np.array([2.0, 0.0]), np.array([0.0, 2.0]), 0.5),
    ),
    mistakes=(
        Mistake(
            "where a density is 0 this computes 0 log 0, which is NaN to the computer and 0 in the "
            "integral: leave those points out",
            _unguarded,
        ),
        Mistake(
            "this is the Kullback-Leibler divergence of p from q: compare each with their mean (p + q)/2",
            lambda p, q, dx: np.sum(p * np.log(p / q)) * dx,
        ),
        Mistake(
            "this is twice the divergence: take the mean of the two Kullback-Leibler terms",
            lambda p, q, dx: 2 * _jensen_shannon(p, q, dx),
        ),
        Mistake(
            "only one of the two Kullback-Leibler terms is here: q is compared with (p + q)/2 as well",
            lambda p, q, dx: _kl(p, (p + q) / 2, dx),
        ),
        Mistake(
            "this is log 2 too small: compare with the mean (p + q)/2, not with the sum",
            lambda p, q, dx: (_kl(p, p + q, dx) + _kl(q, p + q, dx)) / 2,
        ),
        Mistake(
            "the sum stands for an integral: multiply by the step of the grid, dx",
            lambda p, q, dx: _jensen_shannon(p, q, 1),
        ),
        Mistake(
            "this is in bits: use the natural logarithm, as V does",
            lambda p, q, dx: _jensen_shannon(p, q, dx) / np.log(2),
        ),
    ),
    rtol=1e-3,
)


# 4. The losses from logits


def _losses(real_logits, fake_logits):
    discriminator = tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(tf.nn.softplus(fake_logits))
    return discriminator, tf.reduce_mean(tf.nn.softplus(-fake_logits))


def _losses_of_probabilities(epsilon: float) -> Callable:
    def losses(real_logits, fake_logits):
        real, fake = tf.sigmoid(real_logits), tf.sigmoid(fake_logits)
        discriminator = -tf.reduce_mean(tf.math.log(real + epsilon)) - tf.reduce_mean(
            tf.math.log(1 - fake + epsilon)
        )
        return discriminator, -tf.reduce_mean(tf.math.log(fake + epsilon))

    return losses


def _losses_in_numpy(real_logits, fake_logits):
    real, fake = np.asarray(real_logits), np.asarray(fake_logits)
    return np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean(), np.logaddexp(0, -fake).mean()


def _losses_and_gradients(answer: Callable, case: tuple) -> tuple:
    """Both losses, and whether TensorFlow can differentiate them as training does."""
    logits = [tf.convert_to_tensor(value) for value in case]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        outcome = answer(*logits)
    if not isinstance(outcome, tuple | list) or len(outcome) != 2:
        return outcome
    discriminator, generator = outcome
    connected = all(
        isinstance(loss, tf.Tensor) and tape.gradient(loss, logits[1]) is not None
        for loss in (discriminator, generator)
    )
    return discriminator, generator, "differentiable" if connected else "not differentiable"


LOSSES = Task(
    name="day1.4",
    title="the losses from logits",
    reference=_losses,
    observe=_losses_and_gradients,
    cases=(
        (_column(2.0, -1.0, 0.5), _column(-2.0, 1.5)),
        (_column(100.0, 90.0), _column(-100.0, -80.0)),
        (_column(-100.0), _column(100.0)),
    ),
    mistakes=(
        Mistake(
            "at logits of 100 the sigmoid is 0 or 1 to the last digit, and a logarithm is infinite: "
            "use -log D = softplus(-a) and -log(1 - D) = softplus(a)",
            _losses_of_probabilities(0.0),
        ),
        Mistake(
            "1e-7 inside the logarithm stops the loss at 16 and its gradient at 0, just where the network "
            "is most wrong: use softplus of the logits",
            _losses_of_probabilities(1e-7),
        ),
        Mistake(
            "this loss of G grows as G gets better: use -log D(G(z)) = softplus(-a)",
            lambda real, fake: (_losses(real, fake)[0], tf.reduce_mean(tf.nn.softplus(fake))),
        ),
        Mistake(
            "G's loss here is log(1 - D(G(z))), the saturating one: use -log D(G(z)) = softplus(-a)",
            lambda real, fake: (_losses(real, fake)[0], -tf.reduce_mean(tf.nn.softplus(fake))),
        ),
        Mistake(
            "the signs of D's logits are reversed: D wants a large logit where x is real",
            lambda real, fake: _losses(-real, -fake),
        ),
        Mistake(
            "D's loss is the sum of its two terms; this is their mean, half as large",
            lambda real, fake: (_losses(real, fake)[0] / 2, _losses(real, fake)[1]),
        ),
        Mistake(
            "the numbers are right, but NumPy hides them from the gradient tape: use tf.nn.softplus "
            "and tf.reduce_mean",
            _losses_in_numpy,
        ),
    ),
)


# 5. What the generator is told


def _sigmoid(a):
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(a)))


def _gradients(logits):
    return -_sigmoid(logits), -_sigmoid(-np.asarray(logits))


def _unguarded_gradients(logits):
    return -np.exp(logits) / (1 + np.exp(logits)), -np.exp(-logits) / (1 + np.exp(-logits))


GRADIENTS = Task(
    name="day1.5",
    title="the gradient that G gets",
    reference=_gradients,
    cases=(
        (np.array([-3.0, -0.5, 0.0, 2.0], np.float32),),
        (np.array([-100.0, 100.0], np.float32),),
    ),
    mistakes=(
        Mistake(
            "these are the derivatives by D; by the chain rule multiply each with dD/da = D (1 - D)",
            lambda a: (-1 / (1 - _sigmoid(a)), -1 / _sigmoid(a)),
        ),
        Mistake(
            "the signs are reversed: both losses fall when the logit grows, so both derivatives are negative",
            lambda a: tuple(-part for part in _gradients(a)),
        ),
        Mistake(
            "the two are exchanged: first log(1 - D), then -log D",
            lambda a: _gradients(a)[::-1],
        ),
        Mistake(
            "exp overflows at logits of 100 in float32, and inf/inf is NaN: use a sigmoid that does not",
            _unguarded_gradients,
        ),
        Mistake(
            "these are the derivatives of the mean loss: give each logit's own, not divided by their number",
            lambda a: tuple(part / len(a) for part in _gradients(a)),
        ),
    ),
)


# 6. The order of training


class _Batch:
    """What the drawing functions of a recorded training give: it knows its kind, and its uses."""

    def __init__(self, kind: str):
        self.kind, self.uses = kind, 0

    def use(self, kind: str) -> str:
        self.uses += 1
        return f"not {kind}" if self.kind != kind else "" if self.uses == 1 else f"old {kind}"


def _record_training(answer: Callable, case: tuple) -> str:
    """The updates that an answer makes, in order: "D D G", with a note on each batch that is not fresh."""
    updates = []

    def update(player: str, *batches: tuple) -> None:
        notes = [batch.use(kind) if isinstance(batch, _Batch) else f"not {kind}" for batch, kind in batches]
        notes = [note for note in notes if note]
        updates.append(f"{player}[{', '.join(notes)}]" if notes else player)

    answer(
        *case,
        lambda: _Batch("real"),
        lambda: _Batch("latent"),
        lambda real, latent: update("D", (real, "real"), (latent, "latent")),
        lambda latent: update("G", (latent, "latent")),
    )
    return " ".join(updates)


def _train(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    for _ in range(steps):
        for _ in range(k):
            update_discriminator(draw_real(), draw_latent())
        update_generator(draw_latent())


def _generator_in_the_inner_loop(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    for _ in range(steps * k):
        update_discriminator(draw_real(), draw_latent())
        update_generator(draw_latent())


def _generator_first(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    for _ in range(steps):
        update_generator(draw_latent())
        for _ in range(k):
            update_discriminator(draw_real(), draw_latent())


def _one_batch_for_all_k(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    for _ in range(steps):
        real, latent = draw_real(), draw_latent()
        for _ in range(k):
            update_discriminator(real, latent)
        update_generator(draw_latent())


def _one_real_batch_for_all_k(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    for _ in range(steps):
        real = draw_real()
        for _ in range(k):
            update_discriminator(real, draw_latent())
        update_generator(draw_latent())


def _latent_used_again(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    for _ in range(steps):
        for _ in range(k):
            latent = draw_latent()
            update_discriminator(draw_real(), latent)
        update_generator(latent)


def _k_for_the_generator(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    for _ in range(steps):
        update_discriminator(draw_real(), draw_latent())
        for _ in range(k):
            update_generator(draw_latent())


def _one_after_the_other(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    for _ in range(steps * k):
        update_discriminator(draw_real(), draw_latent())
    for _ in range(steps):
        update_generator(draw_latent())


TRAINING = Task(
    name="day1.6",
    title="the order of training",
    reference=_train,
    observe=_record_training,
    cases=((2, 3), (3, 1), (1, 2)),
    mistakes=(
        Mistake(
            "G is updated after each update of D: it must wait until D has had k of them",
            _generator_in_the_inner_loop,
        ),
        Mistake("G is updated before D: D's k updates come first in each step", _generator_first),
        Mistake("D sees one real batch k times: draw a new one for each update", _one_real_batch_for_all_k),
        Mistake("D sees the same two batches k times: draw new ones for each update", _one_batch_for_all_k),
        Mistake(
            "G gets latents that D was just trained on: the algorithm draws new ones", _latent_used_again
        ),
        Mistake("k counts the updates of D in a step, not those of G", _k_for_the_generator),
        Mistake(
            "all of D's updates come before all of G's: the two take turns",
            _one_after_the_other,
        ),
    ),
)

TASKS = (VALUE, OPTIMAL_DISCRIMINATOR, JENSEN_SHANNON, LOSSES, GRADIENTS, TRAINING)
