"""Day 1: the game of 2014 and why it fails. References and typical mistakes of its tasks."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ganlib.teaching.grading import Mistake, Task


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


class RecordedBatch:
    """What the drawing functions of a recorded training give: it knows its kind, and its uses."""

    def __init__(self, kind: str):
        self.kind, self.uses = kind, 0

    def use(self, kind: str) -> str:
        """Count a use as `kind`: what is wrong with it, or ""."""
        self.uses += 1
        return f"not {kind}" if self.kind != kind else "" if self.uses == 1 else f"old {kind}"


def recorded(player: str, *batches: tuple) -> str:
    """An update in a record: the player, with a note on each (batch, expected kind) that is not fresh."""
    notes = [
        batch.use(kind) if isinstance(batch, RecordedBatch) else f"not {kind}" for batch, kind in batches
    ]
    notes = [note for note in notes if note]
    return f"{player}[{', '.join(notes)}]" if notes else player


def _record_training(answer: Callable, case: tuple) -> str:
    """The updates that an answer makes, in order: "D D G"."""
    updates = []
    answer(
        *case,
        lambda: RecordedBatch("real"),
        lambda: RecordedBatch("latent"),
        lambda real, latent: updates.append(recorded("D", (real, "real"), (latent, "latent"))),
        lambda latent: updates.append(recorded("G", (latent, "latent"))),
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

# 7. The Wasserstein distance on a line


def _wasserstein(x, y):
    return np.mean(np.abs(np.sort(x) - np.sort(y)))


WASSERSTEIN = Task(
    name="day1.7",
    title="the Wasserstein distance on a line",
    reference=_wasserstein,
    cases=(
        (np.array([0.0, 3.0, 1.0, 7.0]), np.array([5.0, -1.0, 2.0, 2.0])),
        (np.array([4.0, 1.0, 2.0]), np.array([2.0, 4.0, 1.0])),
        (np.array([0.0, 0.1, 0.2, 0.3, 0.4]), np.array([10.4, 10.1, 10.3, 10.2, 10.0])),
        (np.array([-1.0, 1.0]), np.array([2.0, -2.0])),
    ),
    mistakes=(
        Mistake(
            "the samples are paired as they come, but the cheapest pairing is asked for: sort both first",
            lambda x, y: np.mean(np.abs(x - y)),
        ),
        Mistake(
            "this is the distance of the means: it is 0 for two samples of one mean and unequal width",
            lambda x, y: abs(np.mean(x) - np.mean(y)),
        ),
        Mistake(
            "this is W2, the root of the mean squared way; W1 is the mean of the way itself",
            lambda x, y: np.sqrt(np.mean((np.sort(x) - np.sort(y)) ** 2)),
        ),
        Mistake(
            "each grain of x goes to one grain of y; this sends it to all of them",
            lambda x, y: np.mean(np.abs(x[:, None] - y[None, :])),
        ),
        Mistake(
            "each grain weighs 1/n: take the mean, not the sum",
            lambda x, y: np.sum(np.abs(np.sort(x) - np.sort(y))),
        ),
    ),
)


# 8. A look ahead


def _unrolled_step(g, d, rate, k):
    return g - rate * (d + 2 * k * rate * g), d + rate * g


UNROLLED_STEP = Task(
    name="day1.8",
    title="a step of the unrolled game",
    reference=_unrolled_step,
    cases=((1.0, 0.5, 0.1, 0), (1.0, 0.5, 0.1, 1), (-2.0, 0.3, 0.2, 5)),
    mistakes=(
        Mistake(
            "G treats D's answer d + k rate g as a constant; it depends on g, and so the product has a "
            "second term, k rate g",
            lambda g, d, rate, k: (g - rate * (d + k * rate * g), d + rate * g),
        ),
        Mistake(
            "D looks one step ahead, whatever k is",
            lambda g, d, rate, k: _unrolled_step(g, d, rate, 1),
        ),
        Mistake(
            "this is the game without a look ahead: put D's answer into f before you differentiate by g",
            lambda g, d, rate, k: _unrolled_step(g, d, rate, 0),
        ),
        Mistake(
            "the k steps are thought only: D moves by one step, d + rate g",
            lambda g, d, rate, k: (_unrolled_step(g, d, rate, k)[0], d + k * rate * g),
        ),
        Mistake(
            "D's step follows G's here; in the task both start from the same point",
            lambda g, d, rate, k: (
                _unrolled_step(g, d, rate, k)[0],
                d + rate * _unrolled_step(g, d, rate, k)[0],
            ),
        ),
        Mistake(
            "D climbs f, so its real step is d + rate g",
            lambda g, d, rate, k: (_unrolled_step(g, d, rate, k)[0], d - rate * g),
        ),
        Mistake(
            "D climbs in thought, too: its answer is d + k rate g",
            lambda g, d, rate, k: (g - rate * (d - 2 * k * rate * g), d + rate * g),
        ),
        Mistake(
            "G descends f: the sign of its step is reversed",
            lambda g, d, rate, k: (g + rate * (d + 2 * k * rate * g), d + rate * g),
        ),
    ),
)


# 9. A walk in latent space


def _slerp(a, b, t):
    angle = np.arccos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
    if angle < 1e-6:
        return (1 - t) * a + t * b
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def _slerp_unguarded(a, b, t):
    angle = np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def _slerp_of_raw_angle(a, b, t):
    angle = np.arccos(a @ b)
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def _unit(a):
    return a / np.linalg.norm(a)


_A, _B = np.random.default_rng(0).standard_normal((2, 16))

SLERP = Task(
    name="day1.9",
    title="a walk on the sphere",
    reference=_slerp,
    cases=(
        (_A, _B, 0.3),
        (np.array([2.0, 0.0]), np.array([0.0, 1.0]), 0.5),
        (_A, _B, 0.0),
        (np.array([3.0, 4.0]), np.array([3.0, 4.0]), 0.25),
    ),
    mistakes=(
        Mistake(
            "this is the straight line, which leaves the sphere: weigh the ends by sines of the angle",
            lambda a, b, t: (1 - t) * a + t * b,
        ),
        Mistake(
            "where both ends point the same way this is 0/0: there take the straight line",
            _slerp_unguarded,
        ),
        Mistake(
            "the cosine of the angle is a.b / (|a| |b|): divide the product by both lengths",
            _slerp_of_raw_angle,
        ),
        Mistake(
            "the walk goes from b to a: at t = 0 it must be at a",
            lambda a, b, t: _slerp(b, a, t),
        ),
        Mistake(
            "the ends lost their lengths: unit vectors are for the angle only",
            lambda a, b, t: _slerp(_unit(a), _unit(b), t),
        ),
        Mistake(
            "the sines are not divided by the sine of the whole angle",
            lambda a, b, t: (
                np.sin((1 - t) * np.arccos(_unit(a) @ _unit(b))) * a
                + np.sin(t * np.arccos(_unit(a) @ _unit(b))) * b
            ),
        ),
    ),
    atol=1e-7,
)


# 10. A game that does not learn

RATE_D, RATE_G = 1.0, 0.03


def _polynomial(d, x):
    """The logit of the small game: degree 2 in x / 6."""
    return tf.concat([tf.ones_like(x), x / 6, (x / 6) ** 2], axis=1) @ d[:, None]


def _step(squashed: bool, minimax: bool, both: bool) -> Callable:
    """A step of both players with any of the three faults."""

    def step(g, d, real, z_d, z_g):
        def judge(d, x):
            logits = _polynomial(d, x)
            return tf.sigmoid(logits) if squashed else logits

        with tf.GradientTape() as tape:
            tape.watch(d)
            fake = g[0] + g[1] * z_d
            loss = tf.reduce_mean(tf.nn.softplus(-judge(d, real)) + tf.nn.softplus(judge(d, fake)))
        d = d - RATE_D * tape.gradient(loss, d)
        with tf.GradientTape() as tape:
            tape.watch([g, d])
            logits = judge(d, g[0] + g[1] * z_g)
            loss = tf.reduce_mean(-tf.nn.softplus(logits) if minimax else tf.nn.softplus(-logits))
        by_g, by_d = tape.gradient(loss, [g, d])
        return g - RATE_G * by_g, d - RATE_G * by_d if both else d

    return step


def _play(answer: Callable, case: tuple):
    """Where both players are after the steps of a case."""
    g, d, *batches = (tf.constant(part) for part in case)
    for real, z_d, z_g in zip(*batches, strict=True):
        outcome = answer(g, d, real, z_d, z_g)
        if not isinstance(outcome, tuple | list) or len(outcome) != 2:
            return outcome
        g, d = outcome
    return g, d


def _game(mean: float, steps: int, seed: int) -> tuple:
    """Both players' start, and the batches of some steps of N(6, 0.5^2) and of latents."""
    noise = np.random.default_rng(seed).standard_normal((3, steps, 64, 1), np.float32)
    return (np.float32([mean, 1]), np.float32([0, 0.1, -0.2]), 6 + noise[0] / 2, noise[1], noise[2])


_SQUASHED = (
    "D's loss can still not fall below 1.006: the cross-entropy takes a sigmoid of its own, and gets what "
    "has gone through one already"
)
_STARVED = "G still minimises log(1 - D), which is silent while D is sure: let it minimise -log D"
_HELPED = "D's weights still move in G's half of the step: take G's gradient by g only"

REPAIR = Task(
    name="day1.10",
    title="a game that does not learn",
    reference=_step(False, False, False),
    observe=_play,
    cases=(_game(0.0, 6, 0), _game(5.0, 3, 1)),
    mistakes=(
        Mistake(_SQUASHED, _step(True, True, True)),
        Mistake(_SQUASHED, _step(True, True, False)),
        Mistake(_SQUASHED, _step(True, False, True)),
        Mistake(_SQUASHED, _step(True, False, False)),
        Mistake(_STARVED, _step(False, True, True)),
        Mistake(_STARVED, _step(False, True, False)),
        Mistake(_HELPED, _step(False, False, True)),
    ),
    rtol=1e-3,
    atol=1e-4,
)

TASKS = (
    VALUE,
    OPTIMAL_DISCRIMINATOR,
    JENSEN_SHANNON,
    LOSSES,
    GRADIENTS,
    TRAINING,
    WASSERSTEIN,
    UNROLLED_STEP,
    SLERP,
    REPAIR,
)
