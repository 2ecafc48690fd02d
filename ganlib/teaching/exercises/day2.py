"""Day 2: losses, constraints, tricks and metrics. References and typical mistakes of its tasks."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ganlib.teaching.exercises.day1 import RecordedBatch, recorded
from ganlib.teaching.grading import Mistake, Task


def _column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def _gradient_of(tape: tf.GradientTape, value, sources):
    """The gradients of a value, in one array, or words if there are none."""
    gradients = tape.gradient(value, sources) if isinstance(value, tf.Tensor) else [None]
    if any(gradient is None for gradient in gradients):
        return "not differentiable"
    return tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], axis=0)


def _losses_and_gradients(answer: Callable, case: tuple):
    """Losses of (real logits, fake logits, ...), and the gradient of each by both."""
    logits, rest = [tf.convert_to_tensor(part) for part in case[:2]], case[2:]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(logits)
        outcome = answer(*logits, *rest)
    if not isinstance(outcome, tuple | list):
        return outcome, _gradient_of(tape, outcome, logits)
    if len(outcome) != 2:
        return outcome
    # G's loss knows fake logits only
    return *outcome, _gradient_of(tape, outcome[0], logits), _gradient_of(tape, outcome[1], logits[1:])


# 1. The hinge loss


def _hinge(real_logits, fake_logits):
    real, fake = tf.nn.relu(1 - real_logits), tf.nn.relu(1 + fake_logits)
    return tf.reduce_mean(real) + tf.reduce_mean(fake), -tf.reduce_mean(fake_logits)


HINGE = Task(
    name="day2.1",
    title="the hinge loss",
    reference=_hinge,
    observe=_losses_and_gradients,
    cases=(
        (_column(2.0, -1.0, 0.5), _column(-2.0, 1.5)),
        (_column(0.3), _column(-0.2, -0.4, -3.0, 7.0)),
        (_column(50.0, -60.0), _column(-70.0, 80.0)),
    ),
    mistakes=(
        Mistake(
            "the margin is missing: D is to be pushed until real logits pass 1 and generated ones -1, not 0",
            lambda real, fake: (
                tf.reduce_mean(tf.nn.relu(-real)) + tf.reduce_mean(tf.nn.relu(fake)),
                -tf.reduce_mean(fake),
            ),
        ),
        Mistake(
            "the signs of D's logits are reversed: D wants a large logit where x is real",
            lambda real, fake: (_hinge(-real, -fake)[0], -tf.reduce_mean(fake)),
        ),
        Mistake(
            "there is no hinge in D's loss: without max(0, .) this is the Wasserstein loss plus 2",
            lambda real, fake: (
                tf.reduce_mean(1 - real) + tf.reduce_mean(1 + fake),
                -tf.reduce_mean(fake),
            ),
        ),
        Mistake(
            "G's loss has no hinge: it is the negative mean of D's logits, so that G is pushed past the margin, too",
            lambda real, fake: (_hinge(real, fake)[0], tf.reduce_mean(tf.nn.relu(1 - fake))),
        ),
        Mistake(
            "G's sign is reversed: G wants large logits on what it makes",
            lambda real, fake: (_hinge(real, fake)[0], tf.reduce_mean(fake)),
        ),
        Mistake(
            "D's loss is the sum of its two terms; this is their mean, half as large",
            lambda real, fake: (_hinge(real, fake)[0] / 2, -tf.reduce_mean(fake)),
        ),
        Mistake(
            "the numbers are right, but NumPy hides them from the gradient tape: use tf.nn.relu and "
            "tf.reduce_mean",
            lambda real, fake: tuple(part.numpy() for part in _hinge(real, fake)),
        ),
    ),
)


# 2. A step of WGAN


def _wgan_step(weights, n_critic, c, draw_real, draw_latent, update_critic, update_generator):
    for _ in range(n_critic):
        update_critic(draw_real(), draw_latent())
        _clip(weights, c)
    update_generator(draw_latent())


def _clip(weights, c):
    for weight in weights:
        weight.assign(tf.clip_by_value(weight, -c, c))


def _clip_norm(weights, c):
    for weight in weights:
        weight.assign(tf.clip_by_norm(weight, c))


def _clip_above(weights, c):
    for weight in weights:
        weight.assign(tf.minimum(weight, c))


def _clipped_with(clip: Callable) -> Callable:
    def step(weights, n_critic, c, draw_real, draw_latent, update_critic, update_generator):
        for _ in range(n_critic):
            update_critic(draw_real(), draw_latent())
            clip(weights, c)
        update_generator(draw_latent())

    return step


def _clipped_before(weights, n_critic, c, draw_real, draw_latent, update_critic, update_generator):
    for _ in range(n_critic):
        _clip(weights, c)
        update_critic(draw_real(), draw_latent())
    update_generator(draw_latent())


def _clipped_once(weights, n_critic, c, draw_real, draw_latent, update_critic, update_generator):
    for _ in range(n_critic):
        update_critic(draw_real(), draw_latent())
    _clip(weights, c)
    update_generator(draw_latent())


def _clipped_at_the_end(weights, n_critic, c, draw_real, draw_latent, update_critic, update_generator):
    for _ in range(n_critic):
        update_critic(draw_real(), draw_latent())
    update_generator(draw_latent())
    _clip(weights, c)


def _generator_each_time(weights, n_critic, c, draw_real, draw_latent, update_critic, update_generator):
    for _ in range(n_critic):
        update_critic(draw_real(), draw_latent())
        _clip(weights, c)
        update_generator(draw_latent())


def _one_batch(weights, n_critic, c, draw_real, draw_latent, update_critic, update_generator):
    real, latent = draw_real(), draw_latent()
    for _ in range(n_critic):
        update_critic(real, latent)
        _clip(weights, c)
    update_generator(draw_latent())


_MOVES = np.array([[0.04, -0.03, 0.001], [-0.002, 0.02, -0.05]], np.float32)


def _record_wgan_step(answer: Callable, case: tuple) -> tuple:
    """The updates in order, the weights that each found, and those at the end."""
    n_critic, c = case
    weights = [tf.Variable(0.3 * move) for move in _MOVES]
    updates, found = [], []

    def state() -> np.ndarray:
        return np.concatenate([weight.numpy() for weight in weights])

    def update_critic(real, latent) -> None:
        found.append(state())
        updates.append(recorded("C", (real, "real"), (latent, "latent")))
        for weight, move in zip(weights, _MOVES, strict=True):
            weight.assign_add(move / len(updates))

    def update_generator(latent) -> None:
        found.append(state())
        updates.append(recorded("G", (latent, "latent")))

    answer(
        weights,
        n_critic,
        c,
        lambda: RecordedBatch("real"),
        lambda: RecordedBatch("latent"),
        update_critic,
        update_generator,
    )
    return " ".join(updates), np.array(found), state()


WGAN_STEP = Task(
    name="day2.2",
    title="a step of WGAN",
    reference=_wgan_step,
    observe=_record_wgan_step,
    cases=((3, 0.01), (1, 0.02), (5, 0.01)),
    mistakes=(
        Mistake(
            "the weights are not clipped: clip each with `weight.assign(...)`, as a clipped copy changes nothing",
            _clipped_with(lambda weights, c: None),
        ),
        Mistake(
            "the weights are clipped before the critic's update, so G meets a critic that is out of bounds",
            _clipped_before,
        ),
        Mistake("the weights are clipped once a step: clip after each update of the critic", _clipped_once),
        Mistake(
            "the weights are clipped after G's update: clip after each update of the critic, so that G meets "
            "a clipped one",
            _clipped_at_the_end,
        ),
        Mistake(
            "this clips the norm of each weight array; the paper clips each number to [-c, c]",
            _clipped_with(_clip_norm),
        ),
        Mistake("numbers below -c are left: clip on both sides", _clipped_with(_clip_above)),
        Mistake(
            "G is updated after each update of the critic: it must wait until the critic has had n_critic",
            _generator_each_time,
        ),
        Mistake("the critic sees the same two batches n_critic times: draw new ones", _one_batch),
    ),
    atol=1e-7,
)


# 3. The gradient penalty


def _penalty(
    alpha_of: Callable = lambda alpha, real: tf.reshape(alpha, [-1, 1, 1, 1]),
    axes: tuple | None = (1, 2, 3),
    epsilon: float = 1e-12,
    of_slopes: Callable = lambda slopes: tf.reduce_mean((slopes - 1) ** 2),
    root: Callable = tf.sqrt,
) -> Callable:
    """Gradient penalties: the right one, and with parts exchanged the wrong ones."""

    def penalty(critic, real, fake, alpha):
        alpha = alpha_of(tf.convert_to_tensor(alpha), real)
        x = alpha * real + (1 - alpha) * fake
        with tf.GradientTape() as tape:
            tape.watch(x)
            scores = critic(x)
        slopes = root(tf.reduce_sum(tape.gradient(scores, x) ** 2, axis=axes) + epsilon)
        return of_slopes(slopes)

    return penalty


def _penalty_and_gradients(answer: Callable, case: tuple):
    """The penalty and its gradient by the weights of a critic of one hidden layer."""
    activation, weights, *rest = case
    weights = [tf.Variable(weight) for weight in weights]

    def critic(x):
        flat = tf.reshape(x, [-1, weights[0].shape[0]])
        return getattr(tf.nn, activation)(flat @ weights[0] - 1) @ weights[1]

    with tf.GradientTape() as tape:
        value = answer(critic, *(tf.convert_to_tensor(part) for part in rest))
    return value, _gradient_of(tape, value, weights)


def _critic_case(activation: str, seed: int) -> tuple:
    random = np.random.default_rng(seed)
    real, fake = random.standard_normal((2, 4, 3, 3, 2), np.float32)
    weights = [random.standard_normal((18, 5), np.float32) / 2, random.standard_normal((5, 1), np.float32)]
    return (activation, weights, real, fake, random.uniform(size=4).astype(np.float32))


def _dead_case() -> tuple:
    """A critic that is flat at the second of two samples."""
    real = np.full((2, 3, 3, 2), 0.5, np.float32)
    real[1] = -1.0
    weights = [np.linspace(0.1, 0.9, 18, dtype=np.float32)[:, None], np.ones((1, 1), np.float32)]
    return ("relu", weights, real, real / 2, np.array([0.25, 0.75], np.float32))


GRADIENT_PENALTY = Task(
    name="day2.3",
    title="the gradient penalty",
    reference=_penalty(),
    observe=_penalty_and_gradients,
    cases=(_critic_case("tanh", 0), _critic_case("tanh", 1), _dead_case()),
    mistakes=(
        Mistake(
            "the root's derivative at 0 is infinite, and where the critic is flat the weights get NaN: add "
            "1e-12 under the root",
            _penalty(epsilon=0.0),
        ),
        Mistake(
            "alpha weighs the generated images here; algorithm 1 of the paper gives it to the real ones "
            "(the same in distribution, but not the same numbers)",
            _penalty(alpha_of=lambda alpha, real: 1 - tf.reshape(alpha, [-1, 1, 1, 1])),
        ),
        Mistake(
            "one alpha serves the whole batch: use each sample's own, alpha[i] for image i",
            _penalty(alpha_of=lambda alpha, real: alpha[0]),
        ),
        Mistake(
            "the slope is taken at the real images: take it at alpha * real + (1 - alpha) * fake",
            _penalty(alpha_of=lambda alpha, real: 1.0),
        ),
        Mistake(
            "the norm runs over the channels only, so each pixel is pushed to slope 1: sum the squares over "
            "all axes but the first",
            _penalty(axes=(3,)),
        ),
        Mistake(
            "this is the norm over the whole batch: each sample has a slope of its own",
            _penalty(axes=None),
        ),
        Mistake(
            "the root is missing: the penalty is on the norm less 1, not on the squared norm less 1",
            _penalty(root=lambda squares: squares),
        ),
        Mistake(
            "the mean slope is compared with 1: square each sample's (slope - 1) first, then take the mean",
            _penalty(of_slopes=lambda slopes: (tf.reduce_mean(slopes) - 1) ** 2),
        ),
        Mistake(
            "only slopes above 1 are punished: this is the one-sided penalty, the paper's punishes both sides",
            _penalty(of_slopes=lambda slopes: tf.reduce_mean(tf.nn.relu(slopes - 1) ** 2)),
        ),
        Mistake(
            "this is R1, which wants slope 0: subtract 1 from each norm before you square it",
            _penalty(of_slopes=lambda slopes: tf.reduce_mean(slopes**2)),
        ),
        Mistake(
            "take the mean over the batch, not the sum: lambda should not depend on the batch's size",
            _penalty(of_slopes=lambda slopes: tf.reduce_sum((slopes - 1) ** 2)),
        ),
        Mistake(
            "the value is right, but the critic's weights get no gradient from it: no NumPy and no "
            "tf.stop_gradient between the inner tape's gradient and the result",
            _penalty(of_slopes=lambda slopes: tf.stop_gradient(tf.reduce_mean((slopes - 1) ** 2))),
        ),
    ),
    rtol=1e-3,
    atol=1e-5,
)


# 4. Spectral normalisation


def _norm(x):
    return x / tf.norm(x)


def _spectral(weight, u):
    constant = tf.stop_gradient(weight)
    v = _norm(tf.linalg.matvec(constant, u))
    u = _norm(tf.linalg.matvec(constant, v, transpose_a=True))
    return weight / tf.tensordot(v, tf.linalg.matvec(weight, u), 1), u


def _spectral_with_moving_vectors(weight, u):
    v = _norm(tf.linalg.matvec(weight, u))
    u = _norm(tf.linalg.matvec(weight, v, transpose_a=True))
    return weight / tf.tensordot(v, tf.linalg.matvec(weight, u), 1), u


def _spectral_of_old_u(weight, u):
    new = _spectral(weight, u)[1]
    v = _norm(tf.linalg.matvec(tf.stop_gradient(weight), u))
    return weight / tf.tensordot(v, tf.linalg.matvec(weight, u), 1), new


def _spectral_not_normalised(weight, u):
    v = _norm(tf.linalg.matvec(tf.stop_gradient(weight), u))
    u = tf.linalg.matvec(tf.stop_gradient(weight), v, transpose_a=True)
    return weight / tf.tensordot(v, tf.linalg.matvec(weight, u), 1), u


def _spectral_exact(weight, u):
    return weight / tf.linalg.svd(weight, compute_uv=False)[0], _spectral(weight, u)[1]


def _spectral_without_gradient(weight, u):
    normalised, new = _spectral(tf.stop_gradient(weight), u)
    return weight * tf.stop_gradient(normalised / weight), new


def _spectral_and_gradient(answer: Callable, case: tuple):
    """The normalised weight, the new u, and the gradient of a fixed function of the first by the raw weight."""
    weight, u, direction = (tf.convert_to_tensor(part) for part in case)
    with tf.GradientTape() as tape:
        tape.watch(weight)
        outcome = answer(weight, u)
        if not isinstance(outcome, tuple | list) or len(outcome) != 2:
            return outcome
        value = tf.reduce_sum(tf.convert_to_tensor(outcome[0]) * direction)
    return *outcome, _gradient_of(tape, value, [weight])


def _spectral_case(seed: int, shape: tuple[int, int]) -> tuple:
    random = np.random.default_rng(seed)
    u = random.standard_normal(shape[1])
    return (
        random.standard_normal(shape, np.float32),
        (u / np.linalg.norm(u)).astype(np.float32),
        random.standard_normal(shape, np.float32),
    )


SPECTRAL = Task(
    name="day2.4",
    title="spectral normalisation",
    reference=_spectral,
    observe=_spectral_and_gradient,
    cases=(_spectral_case(0, (6, 4)), _spectral_case(1, (3, 7))),
    mistakes=(
        Mistake(
            "the values are right, but sigma is a constant to the tape: only u and v are, sigma = v' W u "
            "depends on W and W/sigma cannot grow with it",
            _spectral_without_gradient,
        ),
        Mistake(
            "the values are right, but the gradient runs through u and v as well: they count as constants "
            "(tf.stop_gradient)",
            _spectral_with_moving_vectors,
        ),
        Mistake(
            "sigma is taken with the old u: use the new one, v' W u_new, which is nearer",
            _spectral_of_old_u,
        ),
        Mistake("u is not brought to length 1 after W' v, so sigma is too large", _spectral_not_normalised),
        Mistake(
            "the old u is returned: the next step must go on from the new one, or sigma never gets better",
            lambda weight, u: (_spectral(weight, u)[0], u),
        ),
        Mistake(
            "this is the Frobenius norm, the root of all squared singular values: only the largest is asked for",
            lambda weight, u: (weight / tf.norm(weight), _spectral(weight, u)[1]),
        ),
        Mistake(
            "this is the exact sigma, by a decomposition in each step: one power step from u is asked for",
            _spectral_exact,
        ),
        Mistake(
            "W is multiplied by sigma: divide",
            lambda weight, u: (weight**2 / _spectral(weight, u)[0], _spectral(weight, u)[1]),
        ),
    ),
    rtol=1e-3,
    atol=1e-5,
)


# 5. One-sided label smoothing


def _smoothed(real_logits, fake_logits, smoothing, fake_smoothing=0.0):
    def cross_entropy(target, logits):
        return tf.reduce_mean(target * tf.nn.softplus(-logits) + (1 - target) * tf.nn.softplus(logits))

    return cross_entropy(1 - smoothing, real_logits) + cross_entropy(fake_smoothing, fake_logits)


SMOOTHING = Task(
    name="day2.5",
    title="one-sided label smoothing",
    reference=_smoothed,
    observe=_losses_and_gradients,
    cases=(
        (_column(2.0, -1.0, 0.5), _column(-2.0, 1.5), 0.1),
        (_column(100.0, 90.0), _column(-100.0, -80.0), 0.25),
        (_column(1.0), _column(-1.0), 0.0),
    ),
    mistakes=(
        Mistake(
            "the generated side is smoothed, too: its target stays 0, or D learns to like what G makes where "
            "there is no data",
            lambda real, fake, s: _smoothed(real, fake, s, s),
        ),
        Mistake(
            "the wrong side is smoothed: the target of the real images is 1 - smoothing, that of generated "
            "ones 0",
            lambda real, fake, s: _smoothed(real, fake, 0.0, s),
        ),
        Mistake(
            "-(1 - s) log D alone is only a smaller weight: the term -s log(1 - D) of the real images is missing",
            lambda real, fake, s: (
                (1 - s) * tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))
            ),
        ),
        Mistake(
            "the target of the real images is the smoothing itself; it is 1 less the smoothing",
            lambda real, fake, s: _smoothed(real, fake, 1 - s),
        ),
        Mistake(
            "nothing is smoothed: the target of the real images is 1 - smoothing",
            lambda real, fake, s: _smoothed(real, fake, 0.0),
        ),
        Mistake(
            "this changes the logit; the smoothing belongs to the target that D(x) is compared with",
            lambda real, fake, s: _smoothed(real * (1 - s), fake, 0.0),
        ),
    ),
)


# 6. The Inception Score


def _entropies(p):
    return -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0), axis=-1)


def _inception_score(p):
    return np.exp(_entropies(p.mean(axis=0)) - _entropies(p).mean())


def _divergences(p):
    return _entropies(p.mean(axis=0)) - _entropies(p)


def _probabilities(seed: int, n: int, classes: int, sharpness: float) -> np.ndarray:
    logits = sharpness * np.random.default_rng(seed).standard_normal((n, classes))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def _kl_to_marginal(p):
    return np.sum(p * (np.log(p) - np.log(p.mean(axis=0))), axis=1)


def _kl_from_marginal(p):
    m = p.mean(axis=0)
    return np.sum(np.where(m > 0, m, 0) * (np.log(m) - np.log(p)), axis=1)


INCEPTION_SCORE = Task(
    name="day2.6",
    title="the Inception Score",
    reference=_inception_score,
    cases=(
        (_probabilities(0, 6, 4, 1.0),),
        (_probabilities(1, 30, 10, 3.0),),
        (np.eye(4)[[0, 1, 2, 2]],),
        (np.full((5, 3), 1 / 3),),
    ),
    mistakes=(
        Mistake(
            "where a probability is 0 this computes 0 log 0, which is NaN to the computer and 0 in the sum: "
            "leave those out",
            lambda p: np.exp(_kl_to_marginal(p).mean()),
        ),
        Mistake(
            "this is the mean divergence: the score is its exponential", lambda p: _divergences(p).mean()
        ),
        Mistake(
            "the two distributions are exchanged: KL(p(y|x) || p(y)) weighs by p(y|x)",
            lambda p: np.exp(_kl_from_marginal(p).mean()),
        ),
        Mistake(
            "p(y) is not uniform: it is the mean of p(y|x) over the samples, which is how the score sees that "
            "classes are missing",
            lambda p: np.exp(np.log(p.shape[1]) - _entropies(p).mean()),
        ),
        Mistake(
            "this is the exponential of the entropy of p(y) alone: it does not ask whether each sample is clear",
            lambda p: np.exp(_entropies(p.mean(axis=0))),
        ),
        Mistake(
            "the mean over samples is missing: divide the sum of the divergences by the number of samples",
            lambda p: np.exp(_divergences(p).sum()),
        ),
        Mistake(
            "the divergence is in bits: take the natural logarithm, as exp is used after it",
            lambda p: np.exp(_divergences(p).mean() / np.log(2)),
        ),
    ),
)


# 7. The Fréchet distance


def _root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def _trace_of_root(a, b):
    root = _root(a)
    return np.sqrt(np.clip(np.linalg.eigvalsh(root @ b @ root), 0, None)).sum()


def _frechet(
    real,
    fake,
    ddof: int = 1,
    mean: Callable = lambda difference: difference @ difference,
    trace: Callable = _trace_of_root,
    factor: int = 2,
):
    a, b = np.cov(real, rowvar=False, ddof=ddof), np.cov(fake, rowvar=False, ddof=ddof)
    return mean(real.mean(axis=0) - fake.mean(axis=0)) + np.trace(a) + np.trace(b) - factor * trace(a, b)


def _trace_unclipped(a, b):
    root = _root(a)
    return np.sqrt(np.linalg.eigvalsh(root @ b @ root)).sum()


def _features(seed: int, n: int, d: int, shift: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.standard_normal((n, d)) @ random.standard_normal((d, d)) + shift


FRECHET = Task(
    name="day2.7",
    title="the Fréchet distance",
    reference=_frechet,
    cases=(
        (_features(0, 30, 4, 0.0), _features(1, 20, 4, 1.0)),
        (_features(2, 12, 3, 0.0), _features(2, 12, 3, 5.0)),
        (_features(3, 6, 32, 0.0), _features(4, 7, 32, 0.5)),
    ),
    mistakes=(
        Mistake(
            "eigenvalues that should be 0 come out as -1e-16, and their roots as NaN: cut them off at 0",
            lambda real, fake: _frechet(real, fake, trace=_trace_unclipped),
        ),
        Mistake(
            "the covariance divides by n; here, as in the paper's code, it divides by n - 1 (ddof=1, "
            "np.cov's default)",
            lambda real, fake: _frechet(real, fake, ddof=0),
        ),
        Mistake(
            "the distance of the means is squared in the formula",
            lambda real, fake: _frechet(real, fake, mean=np.linalg.norm),
        ),
        Mistake(
            "the means do not enter: add the squared distance of the means",
            lambda real, fake: _frechet(real, fake, mean=lambda difference: 0.0),
        ),
        Mistake(
            "this takes the root of each covariance and multiplies: wanted is the root of the product, and "
            "they differ unless the two commute",
            lambda real, fake: _frechet(real, fake, trace=lambda a, b: np.trace(_root(a) @ _root(b))),
        ),
        Mistake(
            "np.sqrt takes the root of each entry; the root of a matrix is another thing: its trace is the sum "
            "of the roots of the eigenvalues",
            lambda real, fake: _frechet(real, fake, trace=lambda a, b: np.trace(np.sqrt(a @ b))),
        ),
        Mistake(
            "only variances are compared: the covariances belong to it, off the diagonal too",
            lambda real, fake: _frechet(
                real, fake, trace=lambda a, b: np.sqrt(np.diag(a) * np.diag(b)).sum()
            ),
        ),
        Mistake(
            "the trace of the root is subtracted twice, not once",
            lambda real, fake: _frechet(real, fake, factor=1),
        ),
        Mistake(
            "this is the distance; FID is its square, without a last root",
            lambda real, fake: np.sqrt(_frechet(real, fake)),
        ),
    ),
)


# 8. Precision and recall


def _distances(a, b):
    return np.linalg.norm(a[:, None] - b[None, :], axis=-1)


def _radii(points, k):
    return np.sort(_distances(points, points), axis=1)[:, k]


def _share_within(points, centres, radii):
    return (_distances(points, centres) <= radii).any(axis=1).mean()


def _precision_recall(real, fake, k, of_self: int = 0):
    return (
        _share_within(fake, real, _radii(real, k - of_self)),
        _share_within(real, fake, _radii(fake, k - of_self)),
    )


def _within_the_nearest(points, centres, radii):
    distances = _distances(points, centres)
    return (distances.min(axis=1) <= radii[distances.argmin(axis=1)]).mean()


def _own_balls(real, fake, k):
    """Each point's own ball, asked whether it holds a point of the other set."""
    distances = _distances(fake, real)
    return (
        (distances.min(axis=1) <= _radii(fake, k)).mean(),
        (distances.min(axis=0) <= _radii(real, k)).mean(),
    )


def _clouds(seed: int, n: int, m: int, width: float, shift: float) -> tuple:
    random = np.random.default_rng(seed)
    return random.standard_normal((n, 2)), width * random.standard_normal((m, 2)) + shift


PRECISION_RECALL = Task(
    name="day2.8",
    title="precision and recall",
    reference=_precision_recall,
    cases=(
        (*_clouds(0, 40, 30, 0.5, 1.0), 3),
        (*_clouds(1, 30, 40, 2.0, 0.0), 1),
        (*_clouds(2, 50, 50, 1.0, 1.5), 5),
        # a dense heap beside a sparse one: the nearest real sample is not the one whose ball holds
        (np.array([[0.0], [0.1], [0.2], [3.0], [7.0]]), np.array([[1.0], [1.2], [6.0], [20.0]]), 1),
    ),
    mistakes=(
        Mistake(
            "a sample is not its own neighbour: its distance to itself, 0, is the first of the sorted ones",
            lambda real, fake, k: _precision_recall(real, fake, k, of_self=1),
        ),
        Mistake(
            "the two are exchanged: precision asks of generated samples, recall of real ones",
            lambda real, fake, k: _precision_recall(real, fake, k)[::-1],
        ),
        Mistake(
            "a sample must lie in the ball of any sample of the other set, not just in the nearest one's",
            lambda real, fake, k: (
                _within_the_nearest(fake, real, _radii(real, k)),
                _within_the_nearest(real, fake, _radii(fake, k)),
            ),
        ),
        Mistake(
            "the balls are around the wrong set: precision needs the radii of the real samples, recall those "
            "of the generated ones",
            _own_balls,
        ),
        Mistake(
            "k is not used: the radius reaches to the k-th neighbour",
            lambda real, fake, k: _precision_recall(real, fake, 1),
        ),
        Mistake(
            "one radius serves all samples here; each has its own, small where samples are dense",
            lambda real, fake, k: (
                _share_within(fake, real, _radii(real, k).mean()),
                _share_within(real, fake, _radii(fake, k).mean()),
            ),
        ),
        Mistake(
            "these are counts: divide by the number of samples that were asked",
            lambda real, fake, k: (
                _precision_recall(real, fake, k)[0] * len(fake),
                _precision_recall(real, fake, k)[1] * len(real),
            ),
        ),
    ),
)


# 9. A run that died

RATE_CRITIC, RATE_G = 0.01, 0.03


def _step(batch_norm: bool, constant: bool, sign: int) -> Callable:
    """A step of WGAN-GP on points with any of the three faults."""

    def judge(critic, x):
        hidden = tf.nn.leaky_relu(x @ critic[0] + critic[1])
        if batch_norm:
            deviation = tf.math.reduce_std(hidden, axis=0) + 1e-3
            hidden = (hidden - tf.reduce_mean(hidden, axis=0)) / deviation
        return hidden @ critic[2]

    def slopes_at(critic, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            scores = judge(critic, x)
        return tf.sqrt(tf.reduce_sum(tape.gradient(scores, x) ** 2, axis=1) + 1e-12)

    def step(critic, generator, real, z_critic, z_generator, alpha):
        fake = generator[0] + generator[1] * z_critic
        x = alpha * real + (1 - alpha) * fake
        with tf.GradientTape() as tape:
            tape.watch(critic)
            slopes = slopes_at(critic, x)
            if constant:
                slopes = tf.stop_gradient(slopes)
            loss = tf.reduce_mean(judge(critic, fake)) - tf.reduce_mean(judge(critic, real))
            loss += 10 * tf.reduce_mean((slopes - 1) ** 2)
        gradients = tape.gradient(loss, critic)
        critic = [weight - RATE_CRITIC * gradient for weight, gradient in zip(critic, gradients, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(generator)
            loss = -sign * tf.reduce_mean(judge(critic, generator[0] + generator[1] * z_generator))
        gradients = tape.gradient(loss, generator)
        return critic, [
            weight - RATE_G * gradient for weight, gradient in zip(generator, gradients, strict=True)
        ]

    return step


def _play(answer: Callable, case: tuple):
    """Where both players are after the steps of a case."""
    critic, generator = ([tf.constant(weight) for weight in player] for player in case[:2])
    for batches in zip(*case[2:], strict=True):
        outcome = answer(critic, generator, *(tf.constant(batch) for batch in batches))
        if not isinstance(outcome, tuple | list) or len(outcome) != 2:
            return outcome
        critic, generator = outcome
    flat = [np.concatenate([np.ravel(weight) for weight in player]) for player in (generator, critic)]
    return flat[0], flat[1]


def _game(steps: int, seed: int) -> tuple:
    """Both players' start, and the batches of some steps."""
    random = np.random.default_rng(seed)

    def normal(*shape):
        return random.standard_normal(shape, np.float32)

    critic = [normal(2, 32) / 2, normal(32) / 10, normal(32, 1) / 5]
    generator = [np.zeros(2, np.float32), np.ones(2, np.float32)]
    real = np.float32([3, -2]) + np.float32([0.5, 1.5]) * normal(steps, 64, 2)
    alpha = random.uniform(size=(steps, 64, 1)).astype(np.float32)
    return (critic, generator, real, normal(steps, 64, 2), normal(steps, 64, 2), alpha)


_NORMALISED = (
    "the critic still has batch norm: real and generated batches are normalised apart, so both have the same "
    "mean score, the loss is 0 and G hears nothing"
)
_UNHEARD = (
    "the penalty still does not reach the critic's weights: the outer tape must be open while slopes are "
    "computed, or they are numbers to it"
)
_AWAY = "G still descends the critic's score, away from the data: its loss is minus the mean score"

REPAIR = Task(
    name="day2.9",
    title="a run that died",
    reference=_step(False, False, 1),
    observe=_play,
    cases=(_game(6, 0), _game(3, 1)),
    mistakes=(
        Mistake(_NORMALISED, _step(True, True, -1)),
        Mistake(_UNHEARD, _step(False, True, -1)),
        Mistake(_UNHEARD, _step(False, True, 1)),
        Mistake(_AWAY, _step(False, False, -1)),
    ),
    rtol=1e-3,
    atol=1e-4,
)

TASKS = (
    HINGE,
    WGAN_STEP,
    GRADIENT_PENALTY,
    SPECTRAL,
    SMOOTHING,
    INCEPTION_SCORE,
    FRECHET,
    PRECISION_RECALL,
    REPAIR,
)
