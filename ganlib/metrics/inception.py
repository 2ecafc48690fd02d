"""The Inception Score of class probabilities.

Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen. NeurIPS 2016, arXiv:1606.03498, section 4.

    IS = exp( mean_x KL( p(y|x) || p(y) ) ),   p(y) the mean of p(y|x) over the split

Splits are contiguous, rows i N // splits to (i + 1) N // splits. The deviation over splits has ddof 0 in OpenAI's code,
StyleGAN2-ADA and torch-fidelity (our default), ddof 1 in StudioGAN. torch-fidelity shuffles first (seed 2020); the
others do not. It never sees a real sample, and within a class it does not see collapse: see Barratt & Sharma 2018.
"""

import numpy as np
from scipy.special import log_softmax, xlogy

from ganlib.errors import InputError
from ganlib.metrics.frechet import as_features


def inception_score(
    probabilities: np.ndarray, splits: int = 10, *, ddof: int = 0, shuffle_seed: int | None = None
) -> tuple[float, float]:
    """Mean and standard deviation of the score over splits, from class probabilities.

    Args:
        probabilities: (n, classes), n at least `splits`, rows in [0, 1] that sum to 1 (within 1e-3; they are not
            renormalised). 0 log 0 counts as 0.
        splits: Number of contiguous parts, each scored alone. 1 scores all samples at once.
        ddof: Of the deviation: 0, or 1 as StudioGAN.
        shuffle_seed: Rows are permuted by `numpy.random.RandomState(shuffle_seed)` first; None: taken as they come.

    Returns:
        (mean, standard deviation); the mean lies in [1, classes].

    Raises:
        InputError: Not probabilities, not finite, or fewer rows than splits.
    """
    probabilities = as_features(probabilities, "probabilities", at_least=1)
    sums = probabilities.sum(axis=1)
    if probabilities.min() < 0 or np.abs(sums - 1).max() > 1e-3:
        raise InputError(
            f"rows that sum to {sums.min():.4g} to {sums.max():.4g}, least entry {probabilities.min():.4g}: "
            "give probabilities, or logits to inception_score_from_logits"
        )
    return _score(probabilities, xlogy(probabilities, probabilities).sum(axis=1), splits, ddof, shuffle_seed)


def inception_score_from_logits(
    logits: np.ndarray, splits: int = 10, *, ddof: int = 0, shuffle_seed: int | None = None
) -> tuple[float, float]:
    """The same from logits (n, classes), whose softmax and logarithm are taken in float64.

    Raises:
        InputError: Not a matrix, not finite, or fewer rows than splits.
    """
    logs = log_softmax(as_features(logits, "logits", at_least=1), axis=1)
    probabilities = np.exp(logs)
    return _score(probabilities, (probabilities * logs).sum(axis=1), splits, ddof, shuffle_seed)


def _score(probabilities, negative_entropies, splits, ddof, shuffle_seed) -> tuple[float, float]:
    count = len(probabilities)
    if not 1 <= splits <= count or splits <= ddof:
        raise InputError(f"splits={splits} of {count} rows, ddof={ddof}: give {ddof + 1} to {count} splits")
    order = np.arange(count)
    if shuffle_seed is not None:
        order = np.random.RandomState(shuffle_seed).permutation(count)
    scores = []
    for i in range(splits):
        rows = order[i * count // splits : (i + 1) * count // splits]
        marginal = probabilities[rows].mean(axis=0)
        # mean KL = mean of sum p log p, less sum m log m: the cross term is m log m itself
        scores.append(np.exp(negative_entropies[rows].mean() - xlogy(marginal, marginal).sum()))
    return float(np.mean(scores)), float(np.std(scores, ddof=ddof))
