"""Day 3: classes, attention and translation. References and typical mistakes of its tasks."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ganlib.teaching.grading import Mistake, Task
from ganlib.metrics import frechet_distance

EXACT = {"rtol": 1e-5, "atol": 1e-5}


# 1. Conditional batch norm


def _conditional_batch_norm(
    x,
    labels,
    gamma,
    beta,
    epsilon,
    axes: tuple = (0, 1, 2),
    divide: Callable = lambda x, variance, epsilon: x / np.sqrt(variance + epsilon),
    rows: Callable = lambda table, labels: table[labels][:, None, None, :],
    ddof: int = 0,
):
    centred = x - x.mean(axis=axes, keepdims=True)
    normalised = divide(centred, x.var(axis=axes, keepdims=True, ddof=ddof), epsilon)
    return rows(gamma, labels) * normalised + rows(beta, labels)


def _wrong_batch_norm(**parts) -> Callable:
    return lambda *arguments: _conditional_batch_norm(*arguments, **parts)


def _normalised_by_class(x, labels, gamma, beta, epsilon):
    y = np.empty_like(x)
    for label in np.unique(labels):
        own = labels == label
        y[own] = _conditional_batch_norm(x[own], labels[own], gamma, beta, epsilon)
    return y


def _features_and_tables(seed: int, n: int, classes: int, scale: float) -> tuple:
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=n)
    x = scale * random.standard_normal((n, 3, 2, 4)) + labels[:, None, None, None]
    gamma, beta = random.uniform(0.5, 2, (classes, 4)), random.standard_normal((classes, 4))
    return x, labels, gamma, beta, 1e-3


CONDITIONAL_BATCH_NORM = Task(
    name="day3.1",
    title="conditional batch norm",
    reference=_conditional_batch_norm,
    cases=(
        _features_and_tables(0, 8, 3, 1.0),
        _features_and_tables(1, 5, 10, 0.1),
        # one class, and a variance as small as epsilon
        (
            0.03 * _features_and_tables(2, 6, 1, 1.0)[0],
            np.zeros(6, int),
            np.array([[1.0, 2, 3, 4]]),
            np.ones((1, 4)),
            1e-3,
        ),
    ),
    mistakes=(
        Mistake(
            "mean and variance are of each class alone: all samples are normalised together, and only scale and "
            "offset are the class's own",
            _normalised_by_class,
        ),
        Mistake(
            "mean and variance are of each image alone, which is instance norm: take them over the batch, too",
            _wrong_batch_norm(axes=(1, 2)),
        ),
        Mistake(
            "mean and variance are of the batch at each position: take them over height and width, too",
            _wrong_batch_norm(axes=(0,)),
        ),
        Mistake(
            "mean and variance run over the channels, too: each channel has its own",
            _wrong_batch_norm(axes=(0, 1, 2, 3)),
        ),
        Mistake(
            "epsilon is added to the root: it belongs to the variance, under the root",
            _wrong_batch_norm(divide=lambda x, variance, epsilon: x / (np.sqrt(variance) + epsilon)),
        ),
        Mistake(
            "epsilon is missing: add it to the variance",
            _wrong_batch_norm(divide=lambda x, variance, epsilon: x / np.sqrt(variance)),
        ),
        Mistake(
            "this divides by the variance: divide by its root",
            _wrong_batch_norm(divide=lambda x, variance, epsilon: x / (variance + epsilon)),
        ),
        Mistake(
            "the labels are not used: sample i has row labels[i] of both tables",
            _wrong_batch_norm(rows=lambda table, labels: table[0]),
        ),
        Mistake(
            "the variance divides by n - 1; batch norm divides by n in training",
            _wrong_batch_norm(ddof=1),
        ),
        Mistake(
            "the scale is 1 + gamma, as in BigGAN, whose gamma starts at 0; here it starts at 1, and is the scale",
            lambda x, labels, gamma, beta, epsilon: _conditional_batch_norm(
                x, labels, 1 + gamma, beta, epsilon
            ),
        ),
    ),
    **EXACT,
)


# 2. ACGAN's losses


def _cross_entropy(logits, labels):
    largest = logits.max(axis=1, keepdims=True)
    log_sum = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
    return np.mean(log_sum - logits[np.arange(len(labels)), labels])


def _binary_cross_entropy(logits, labels):
    """A sigmoid a class, summed over classes."""
    targets = np.eye(logits.shape[1])[labels]
    return np.mean(np.sum(np.logaddexp(0, logits) - targets * logits, axis=1))


def _acgan(
    signs: tuple = (1, 1, 1),
    fake_labels_of: Callable = lambda real_labels, fake_labels: fake_labels,
    source: Callable = lambda logits: -np.mean(np.logaddexp(0, logits)),
    classes: Callable = _cross_entropy,
) -> Callable:
    """Losses of both; `signs`: of D's class term on real images, on generated ones, and of G's."""

    def losses(real_source, real_classes, real_labels, fake_source, fake_classes, fake_labels):
        labels = fake_labels_of(real_labels, fake_labels)
        real, fake = classes(real_classes, real_labels), classes(fake_classes, labels)
        d = np.mean(np.logaddexp(0, -real_source)) + np.mean(np.logaddexp(0, fake_source))
        return d + signs[0] * real + signs[1] * fake, source(fake_source) + signs[2] * fake

    return losses


def _numbers(answer: Callable, case: tuple):
    """The answer, with tensors as arrays."""
    outcome = answer(*case)
    if isinstance(outcome, tuple | list):
        return tuple(part.numpy() if isinstance(part, tf.Tensor) else part for part in outcome)
    return outcome


def _judgements(seed: int, n: int, m: int, classes: int, scale: float) -> tuple:
    random = np.random.default_rng(seed)

    def judged(size):
        return (
            (scale * random.standard_normal((size, 1))).astype(np.float32),
            (scale * random.standard_normal((size, classes))).astype(np.float32),
            random.integers(classes, size=size),
        )

    return (*judged(n), *judged(m))


ACGAN_LOSSES = Task(
    name="day3.2",
    title="ACGAN's losses",
    reference=_acgan(),
    observe=_numbers,
    cases=(_judgements(0, 5, 5, 3, 1.0), _judgements(1, 8, 8, 10, 3.0), _judgements(2, 4, 4, 4, 300.0)),
    mistakes=(
        Mistake(
            "G's class term has the wrong sign: G wants its samples to be recognised and maximises L_C, so it "
            "minimises -L_C",
            _acgan(signs=(1, 1, -1)),
        ),
        Mistake(
            "D works against the recognition of generated images: both players maximise L_C, so its second term "
            "has the sign of its first",
            _acgan(signs=(1, -1, 1)),
        ),
        Mistake(
            "D's class terms have the wrong sign: D maximises L_S + L_C, so it minimises -L_C",
            _acgan(signs=(-1, -1, 1)),
        ),
        Mistake(
            "D's L_C has a second term, that of generated images, whose class is known, too",
            _acgan(signs=(1, 0, 1)),
        ),
        Mistake(
            "D's L_C has a first term, that of real images",
            _acgan(signs=(0, 1, 1)),
        ),
        Mistake(
            "G's loss has no class term: nothing tells G to make what its label says", _acgan(signs=(1, 1, 0))
        ),
        Mistake(
            "G's source term is the non-saturating one, -log P(real); the paper's G minimises L_S, that is "
            "log P(fake)",
            _acgan(source=lambda logits: np.mean(np.logaddexp(0, -logits))),
        ),
        Mistake(
            "G's source term has the wrong sign: G minimises log P(fake)",
            _acgan(source=lambda logits: np.mean(np.logaddexp(0, logits))),
        ),
        Mistake(
            "generated images are held against the labels of the real ones: use those they were made from",
            _acgan(fake_labels_of=lambda real_labels, fake_labels: real_labels),
        ),
        Mistake(
            "classes exclude each other: P(C) is one softmax over all, not a sigmoid for each",
            _acgan(classes=_binary_cross_entropy),
        ),
    ),
    **EXACT,
)


# 3. The projection head


def _projection(
    inner: Callable = lambda phi, embeddings, labels: np.sum(phi * embeddings[labels], axis=1),
    psi_of: Callable = lambda phi, psi, bias: phi @ psi + bias,
    column: bool = True,
) -> Callable:
    def logit(phi, labels, embeddings, psi, bias):
        value = psi_of(phi, psi, bias) + inner(phi, embeddings, labels)
        return value[:, None] if column else value

    return logit


def _cosine(phi, embeddings, labels):
    rows = embeddings[labels]
    return np.sum(phi * rows, axis=1) / (np.linalg.norm(phi, axis=1) * np.linalg.norm(rows, axis=1))


def _outer(phi, labels, embeddings, psi, bias):
    return (phi @ psi + bias)[:, None] + np.sum(phi * embeddings[labels], axis=1)


def _projection_case(seed: int, n: int, channels: int, classes: int) -> tuple:
    random = np.random.default_rng(seed)
    return (
        random.standard_normal((n, channels)).astype(np.float32),
        random.integers(classes, size=n),
        random.standard_normal((classes, channels)).astype(np.float32),
        random.standard_normal(channels).astype(np.float32),
        np.float32(random.standard_normal()),
    )


PROJECTION = Task(
    name="day3.3",
    title="the projection head",
    reference=_projection(),
    cases=(_projection_case(0, 6, 5, 3), _projection_case(1, 3, 8, 10), _projection_case(2, 4, 4, 4)),
    mistakes=(
        Mistake(
            "psi is missing: without it D cannot say that an image is bad whatever its class",
            _projection(psi_of=lambda phi, psi, bias: np.zeros(len(phi))),
        ),
        Mistake("psi's bias is missing", _projection(psi_of=lambda phi, psi, bias: phi @ psi)),
        Mistake(
            "the label is not used: this adds up the inner products with all classes, not that with the row of "
            "the label",
            _projection(inner=lambda phi, embeddings, labels: (phi @ embeddings.T).sum(axis=1)),
        ),
        Mistake(
            "this takes the class that fits best, which lets any label pass: take the row of the label",
            _projection(inner=lambda phi, embeddings, labels: (phi @ embeddings.T).max(axis=1)),
        ),
        Mistake(
            "the inner product is divided by lengths (a cosine): here lengths count",
            _projection(inner=_cosine),
        ),
        Mistake(
            "the embedding does not meet the features: multiply it with phi before you sum",
            _projection(inner=lambda phi, embeddings, labels: embeddings[labels].sum(axis=1)),
        ),
        Mistake(
            "the product is a mean over channels: an inner product is their sum",
            _projection(inner=lambda phi, embeddings, labels: np.mean(phi * embeddings[labels], axis=1)),
        ),
        Mistake(
            "(n,) and (n, 1) were added, and NumPy makes (n, n) of it, each sample with each other's class: keep "
            "axes with keepdims=True",
            _outer,
        ),
        Mistake("the shape is (n,): logits are (n, 1), as elsewhere in ganlib", _projection(column=False)),
    ),
    **EXACT,
)


# 4. FID within classes


def _intra(
    distance: Callable = frechet_distance,
    fake_of: Callable = lambda fake, labels, real_labels, one: fake[labels == one],
    summary: Callable = lambda distances, counts: np.mean(distances),
    real_of: Callable = lambda real, labels, one: real[labels == one],
) -> Callable:
    def intra(real, real_labels, fake, fake_labels):
        classes, counts = np.unique(real_labels, return_counts=True)
        distances = np.array(
            [
                distance(
                    real_of(real, real_labels, one),
                    fake_of(fake, fake_labels, real_labels, one),
                )
                for one in classes
            ]
        )
        return distances, summary(distances, counts)

    return intra


def _between_means(real, fake):
    return np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)


def _pooled(real, real_labels, fake, fake_labels):
    distances = _intra()(real, real_labels, fake, fake_labels)[0]
    return distances, frechet_distance(real, fake)


def _labelled_features(seed: int, n: int, d: int, classes: int) -> tuple:
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.repeat(np.arange(classes), 6), random.integers(classes, size=n)])
    labels, other = random.permutation(labels), random.permutation(labels)
    shifts = 3 * random.standard_normal((2, classes, d))
    real = random.standard_normal((len(labels), d)) + shifts[0][labels]
    return real, labels, 1.5 * random.standard_normal((len(labels), d)) + shifts[1][other], other


INTRA_FID = Task(
    name="day3.4",
    title="FID within classes",
    reference=_intra(),
    cases=(_labelled_features(0, 30, 3, 3), _labelled_features(1, 60, 2, 5)),
    mistakes=(
        Mistake(
            "all generated samples are held against each class: take those that were made as this class",
            _intra(fake_of=lambda fake, labels, real_labels, one: fake),
        ),
        Mistake(
            "each class is held against all real samples: take the real samples of that class",
            _intra(real_of=lambda real, labels, one: real),
        ),
        Mistake(
            "generated samples are chosen by the labels of the real ones: they have labels of their own",
            _intra(fake_of=lambda fake, labels, real_labels, one: fake[real_labels == one]),
        ),
        Mistake(
            "the second value is the distance of everything at once, which cannot see classes that are "
            "exchanged: it should be the mean of the first",
            _pooled,
        ),
        Mistake(
            "the mean weighs classes by how many samples they have: each class counts alike",
            _intra(summary=lambda distances, counts: np.average(distances, weights=counts)),
        ),
        Mistake(
            "this is the sum over the classes: take their mean",
            _intra(summary=lambda distances, counts: np.sum(distances)),
        ),
        Mistake(
            "only means are compared: the Fréchet distance has covariances, too; use "
            "ganlib.metrics.frechet_distance",
            _intra(distance=_between_means),
        ),
        Mistake(
            "FID is the squared distance: no root of it",
            _intra(distance=lambda real, fake: np.sqrt(frechet_distance(real, fake))),
        ),
    ),
    **EXACT,
)


# 5. Self-attention


def _pool(x):
    """2x2 max pooling of (n, height, width, channels)."""
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def _softmax(scores, axis):
    e = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _attention(
    axis: int | tuple = 2,
    softmax: Callable = _softmax,
    pool: Callable = _pool,
    keys_of: Callable = lambda x, key, pool: pool(x @ key),
    scale: Callable = lambda channels: 1.0,
    finish: Callable = lambda x, o, gamma: x + gamma * o,
) -> Callable:
    def attention(x, query, key, value, out, gamma):
        n, channels = len(x), x.shape[-1]
        queries = (x @ query).reshape(n, -1, query.shape[1])
        keys = keys_of(x, key, pool).reshape(n, -1, key.shape[1])
        values = keys_of(x, value, pool).reshape(n, -1, value.shape[1])
        weights = softmax(scale(channels) * queries @ keys.transpose(0, 2, 1), axis)
        o = (weights @ values).reshape(*x.shape[:3], -1) @ out
        return finish(x, o, gamma)

    return attention


def _softmax_overflowing(scores, axis):
    return np.exp(scores) / np.exp(scores).sum(axis=axis, keepdims=True)


def _feature_map(seed: int, shape: tuple, scale: float) -> tuple:
    random = np.random.default_rng(seed)
    channels = shape[-1]
    sizes = (channels, channels // 8), (channels, channels // 8), (channels, channels // 2)
    weights = [random.standard_normal(size) / 2 for size in (*sizes, (channels // 2, channels))]
    return (scale * random.standard_normal(shape), *weights, 0.7)


ATTENTION = Task(
    name="day3.5",
    title="self-attention",
    reference=_attention(),
    cases=(
        _feature_map(0, (2, 4, 4, 8), 1.0),
        _feature_map(1, (1, 2, 6, 16), 0.5),
        _feature_map(2, (1, 4, 2, 8), 100.0),
    ),
    mistakes=(
        Mistake(
            "the softmax runs over the queries: for each position i the weights of all keys j should sum to 1",
            _attention(axis=1),
        ),
        Mistake(
            "the softmax runs over all pairs of positions: for each position i the weights of all keys j should "
            "sum to 1",
            _attention(axis=(1, 2)),
        ),
        Mistake(
            "the softmax runs over the batch: for each position i of each image the weights should sum to 1",
            _attention(axis=0),
        ),
        Mistake(
            "the exponentials overflow where scores are large: subtract each row's maximum first",
            _attention(softmax=_softmax_overflowing),
        ),
        Mistake("gamma is missing: y = x + gamma * o", _attention(finish=lambda x, o, gamma: x + o)),
        Mistake(
            "x is missing: the block adds to its input, and is the identity where gamma is 0",
            _attention(finish=lambda x, o, gamma: gamma * o),
        ),
        Mistake(
            "gamma weighs both: this is (1 - gamma) x + gamma o; x has the weight 1",
            _attention(finish=lambda x, o, gamma: (1 - gamma) * x + gamma * o),
        ),
        Mistake(
            "scores are divided by the root of C/8, as in a Transformer; this paper does not",
            _attention(scale=lambda channels: (channels // 8) ** -0.5),
        ),
        Mistake(
            "keys and values are not pooled: there should be a quarter as many as queries",
            _attention(pool=lambda x: x),
        ),
        Mistake(
            "x is pooled before the 1x1 convolutions; the order matters: convolve, then take the maximum",
            _attention(keys_of=lambda x, weight, pool: pool(x) @ weight),
        ),
    ),
    **EXACT,
)


# 6. What attention costs


def _cost(
    pairs: Callable = lambda n: n * n // 4,
    bytes_a_number: int = 4,
    images: Callable = lambda batch: batch,
    parameters: Callable = lambda c: 2 * c * (c // 8) + 2 * c * (c // 2) + 1,
) -> Callable:
    return lambda height, width, channels, batch: (
        bytes_a_number * images(batch) * pairs(height * width),
        parameters(channels),
    )


def _weights(c: int) -> int:
    return 2 * c * (c // 8) + 2 * c * (c // 2)


COST = Task(
    name="day3.6",
    title="what attention costs",
    reference=_cost(),
    cases=((32, 32, 64, 1), (64, 64, 192, 16), (8, 12, 8, 3)),
    mistakes=(
        Mistake(
            "keys are pooled 2x2, so there are N/4 of them: the map has N * N/4 numbers, not N * N",
            _cost(pairs=lambda n: n * n),
        ),
        Mistake(
            "pooling 2x2 halves height and width both: N/4 keys are left, not N/2",
            _cost(pairs=lambda n: n * n // 2),
        ),
        Mistake(
            "this grows like N, but the map has a weight for each pair of query and key: N * N/4",
            _cost(pairs=lambda n: n),
        ),
        Mistake("these are numbers: a float32 has 4 bytes", _cost(bytes_a_number=1)),
        Mistake("a float32 has 32 bits, which are 4 bytes", _cost(bytes_a_number=32)),
        Mistake("each image of the batch has a map of its own", _cost(images=lambda batch: 1)),
        Mistake("gamma is a parameter, too: add 1", _cost(parameters=_weights)),
        Mistake(
            "the last 1x1 convolution, from C/2 back to C, is missing",
            _cost(parameters=lambda c: _weights(c) - c * (c // 2) + 1),
        ),
        Mistake(
            "values are C x C here, as on a slide, and the last convolution too: values have C/2 channels, and the "
            "last 1x1 convolution brings them back to C",
            _cost(parameters=lambda c: 2 * c * (c // 8) + 2 * c * c + 1),
        ),
        Mistake(
            "these are the values with C/8 channels, as on the paper's first pages: its code has C/2",
            _cost(parameters=lambda c: 4 * c * (c // 8) + 1),
        ),
        Mistake(
            "the convolutions have no biases",
            _cost(parameters=lambda c: _weights(c) + 2 * (c // 8) + c // 2 + c + 1),
        ),
        Mistake("the kernels are 1x1, not 3x3", _cost(parameters=lambda c: 9 * _weights(c) + 1)),
    ),
    rtol=0.0,
    atol=0.5,
)


# 7. What one logit sees


def _receptive_field(kernel_sizes, strides):
    field, jump = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel_size - 1) * jump
        jump *= stride
    return field


def _with_own_stride(kernel_sizes, strides):
    field, jump = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        jump *= stride
        field += (kernel_size - 1) * jump
    return field


def _whole_kernels(kernel_sizes, strides):
    field, jump = 0, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        field += kernel_size * jump
        jump *= stride
    return field


def _stride_before_only(kernel_sizes, strides):
    pairs = zip(kernel_sizes, (1, *strides[:-1]), strict=True)
    return 1 + sum((kernel_size - 1) * stride for kernel_size, stride in pairs)


RECEPTIVE_FIELD = Task(
    name="day3.7",
    title="what one logit sees",
    reference=_receptive_field,
    cases=(
        ((4, 4, 4, 4, 4), (2, 2, 2, 1, 1)),
        ((3, 4, 7), (1, 3, 2)),
        ((1, 1, 1), (1, 1, 1)),
        ((5, 3, 4, 2), (3, 2, 1, 2)),
    ),
    mistakes=(
        Mistake(
            "strides are not used: behind a stride of s each step to the side is s pixels wide",
            lambda kernel_sizes, strides: 1 + sum(size - 1 for size in kernel_sizes),
        ),
        Mistake(
            "a layer's own stride does not widen what it sees: it counts for the layers behind it",
            _with_own_stride,
        ),
        Mistake(
            "a kernel of k adds k - 1 steps to the one pixel that was there, not k",
            _whole_kernels,
        ),
        Mistake(
            "only the stride of the layer before counts here: those of all layers before multiply",
            _stride_before_only,
        ),
        Mistake(
            "this walks from the last layer to the first with the rule of the other direction: turn the lists "
            "round, or take r = (r - 1) * stride + kernel size",
            lambda kernel_sizes, strides: _receptive_field(kernel_sizes[::-1], strides[::-1]),
        ),
        Mistake(
            "this is the stride of the whole network, the distance of two patches, not the size of one",
            lambda kernel_sizes, strides: np.prod(strides),
        ),
        Mistake(
            "this is r = r * stride + kernel size: neighbours are r - 1 steps apart, not r",
            lambda kernel_sizes, strides: _from_the_end(kernel_sizes, strides, 0),
        ),
    ),
    rtol=0.0,
    atol=1e-6,
)


def _from_the_end(kernel_sizes, strides, less: int = 1):
    field = 1
    for kernel_size, stride in zip(reversed(kernel_sizes), reversed(strides), strict=True):
        field = (field - less) * stride + kernel_size
    return field


# 8. Cycle and identity


def _distance(x, y):
    return np.mean(np.abs(x - y))


def _cycle_and_identity(
    distance: Callable = _distance,
    cycles: Callable = lambda a, b, ab, ba: ((ba(ab(a)), a), (ab(ba(b)), b)),
    identities: Callable = lambda a, b, ab, ba: ((ab(b), b), (ba(a), a)),
    identity_factor: Callable = lambda cycle_weight, identity_weight: cycle_weight * identity_weight,
    factor: float = 1.0,
) -> Callable:
    def losses(a, b, ab, ba, cycle_weight, identity_weight):
        cycle = sum(distance(*pair) for pair in cycles(a, b, ab, ba))
        identity = sum(distance(*pair) for pair in identities(a, b, ab, ba))
        weight = identity_factor(cycle_weight, identity_weight)
        return factor * cycle_weight * cycle, factor * weight * identity

    return losses


def _some_ab(x):
    return np.tanh(1.5 * x[..., ::-1] - 0.3)


def _some_ba(x):
    return np.tanh(0.6 * x + 0.2)


def _other_ab(x):
    return 0.5 * x - 0.1


def _domains(seed: int, n: int) -> tuple:
    random = np.random.default_rng(seed)
    a, b = random.uniform(-1, 1, (2, n, 4, 4, 3))
    return a, b**3


CYCLE = Task(
    name="day3.8",
    title="cycle and identity",
    reference=_cycle_and_identity(),
    observe=_numbers,
    cases=(
        (*_domains(0, 2), _some_ab, _some_ba, 10.0, 0.5),
        (*_domains(1, 3), _other_ab, _some_ba, 4.0, 0.1),
        (*_domains(2, 1), _some_ab, _other_ab, 1.0, 0.0),
    ),
    mistakes=(
        Mistake(
            "the identity loss compares a translation with its source, which forbids to translate: G_AB is given "
            "images of B, which are already what it should make",
            _cycle_and_identity(identities=lambda a, b, ab, ba: ((ab(a), a), (ba(b), b))),
        ),
        Mistake(
            "the identity weight is relative: its term is cycle_weight * identity_weight times the distance",
            _cycle_and_identity(identity_factor=lambda cycle, identity: identity),
        ),
        Mistake(
            "the identity term has the cycle's weight: multiply by identity_weight, too",
            _cycle_and_identity(identity_factor=lambda cycle, identity: cycle),
        ),
        Mistake(
            "one direction of the cycle is missing: B to A and back counts, too",
            _cycle_and_identity(cycles=lambda a, b, ab, ba: ((ba(ab(a)), a),)),
        ),
        Mistake(
            "one identity is missing: each of both translators has one",
            _cycle_and_identity(identities=lambda a, b, ab, ba: ((ab(b), b),)),
        ),
        Mistake(
            "the cycles start with the wrong translator: an image of A first goes through G_AB, then back "
            "through G_BA",
            _cycle_and_identity(cycles=lambda a, b, ab, ba: ((ab(ba(a)), a), (ba(ab(b)), b))),
        ),
        Mistake(
            "the distance is squared: the paper takes absolute values, which blur less",
            _cycle_and_identity(distance=lambda x, y: np.mean((x - y) ** 2)),
        ),
        Mistake(
            "distances are sums over pixels: take means, or the weights depend on the resolution",
            _cycle_and_identity(distance=lambda x, y: np.sum(np.abs(x - y))),
        ),
        Mistake(
            "this is the mean over both directions: they add up",
            _cycle_and_identity(factor=0.5),
        ),
    ),
    **EXACT,
)


# 9. A model that does not listen


RATE_D, RATE_G = 0.1, 1.0


def _judge(d, x, y):
    hidden = tf.nn.leaky_relu(x @ d[0] + d[1])
    return tf.reduce_sum(hidden * (tf.one_hot(y, 4) @ d[2] + d[3]), axis=1, keepdims=True)


def _deaf_step(shuffled: bool, borrowed: bool, stale: bool) -> Callable:
    """A step of a conditional GAN on points with any of the three faults."""

    def step(judge, d, g, points, labels, order, labels_d, labels_g, z_d, z_g):
        x = tf.gather(points, order)
        y = labels[: len(order)] if shuffled else tf.gather(labels, order)
        fake = tf.one_hot(labels_d, 4) @ g + 0.3 * z_d
        with tf.GradientTape() as tape:
            tape.watch(d)
            loss = tf.reduce_mean(tf.nn.softplus(-judge(d, x, y)))
            loss += tf.reduce_mean(tf.nn.softplus(judge(d, fake, y if borrowed else labels_d)))
        d = [w - RATE_D * gradient for w, gradient in zip(d, tape.gradient(loss, d), strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(g)
            fake = tf.one_hot(labels_g, 4) @ g + 0.3 * z_g
            loss = tf.reduce_mean(tf.nn.softplus(-judge(d, fake, labels_d if stale else labels_g)))
        return d, g - RATE_G * tape.gradient(loss, g)

    return step


def _label_blind(judge, *arguments):
    return _deaf_step(False, False, False)(lambda d, x, y: judge(d, x, tf.zeros_like(y)), *arguments)


def _play(answer: Callable, case: tuple):
    """Where both players are after the steps of a case."""
    d, g, points, labels, *batches = case
    d, g = [tf.constant(weight) for weight in d], tf.constant(g)
    for batch in zip(*batches, strict=True):
        batch = [tf.constant(part) for part in batch]
        outcome = answer(_judge, d, g, tf.constant(points), tf.constant(labels), *batch)
        if not isinstance(outcome, tuple | list) or len(outcome) != 2:
            return outcome
        d, g = outcome
    flat = [tf.reshape(tf.convert_to_tensor(weight), [-1]) for weight in d]
    return tf.convert_to_tensor(g).numpy(), tf.concat(flat, axis=0).numpy()


def _deaf_game(steps: int, seed: int) -> tuple:
    """Both players' start, data, and the batches of some steps."""
    random = np.random.default_rng(seed)

    def normal(*shape):
        return random.standard_normal(shape, np.float32)

    def classes(*shape):
        return random.integers(4, size=shape).astype(np.int32)

    labels = classes(100)
    points = 2 * np.float32([[1, 0], [0, 1], [-1, 0], [0, -1]])[labels] + np.float32(0.3) * normal(100, 2)
    d = [normal(2, 16) / 2, 0 * normal(16), normal(4, 16) / 4, normal(16) / 4]
    order = random.integers(100, size=(steps, 32)).astype(np.int32)
    batches = (order, classes(steps, 32), classes(steps, 32), normal(steps, 32, 2), normal(steps, 32, 2))
    return d, normal(4, 2), points, labels, *batches


_SHUFFLED = (
    "the real points are drawn by `order`, and their labels are not: D still learns from labels that belong to "
    "other points"
)
_BORROWED = (
    "in D's update the generated points still come with the labels of the real ones: use those they were made "
    "from"
)
_STALE = "in G's update the points are made from labels_g, but D still judges them with other labels"

DEAF = Task(
    name="day3.9",
    title="a model that does not listen",
    reference=_deaf_step(False, False, False),
    observe=_play,
    cases=(_deaf_game(4, 0), _deaf_game(2, 1)),
    mistakes=(
        Mistake(_SHUFFLED, _deaf_step(True, True, True)),
        Mistake(_SHUFFLED, _deaf_step(True, False, False)),
        Mistake(_SHUFFLED, _deaf_step(True, False, True)),
        Mistake(_SHUFFLED, _deaf_step(True, True, False)),
        Mistake(_BORROWED, _deaf_step(False, True, True)),
        Mistake(_BORROWED, _deaf_step(False, True, False)),
        Mistake(_STALE, _deaf_step(False, False, True)),
        Mistake(
            "D is told the same label for every point, so it cannot tell classes apart: give it the right ones",
            _label_blind,
        ),
    ),
    rtol=1e-3,
    atol=1e-4,
)

TASKS = (
    CONDITIONAL_BATCH_NORM,
    ACGAN_LOSSES,
    PROJECTION,
    INTRA_FID,
    ATTENTION,
    COST,
    RECEPTIVE_FIELD,
    CYCLE,
    DEAF,
)
