"""Quality against variety: scores over thresholds of truncation, and the two operating points of the BigGAN paper.

Brock, Donahue, Simonyan 2019, arXiv:1809.11096, section 3.1, appendix E and figure 17: the same latents, truncated at
one threshold after the other, trade precision for recall. A curve is summed up at two thresholds: where FID is best,
and "with validation data", where the inception score is that of real images.

    sweep = ganlib.metrics.truncation_sweep(gan, data, samples=5_000)
    print(sweep.text())
    ganlib.plots.truncation_sweep(sweep)
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganlib.arguments import require_positive, require_share
from ganlib.errors import InputError
from ganlib.metrics.evaluator import Sampler, evaluate
from ganlib.metrics.extractors import Extractor, real_examples, scaled
from ganlib.metrics.results import Evaluation, Score

THRESHOLDS = (0.02, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0)
METRICS = ("inception_score", "fid", "precision", "recall")


@dataclasses.dataclass(frozen=True)
class TruncationSweep:
    """What `truncation_sweep` returns.

    Attributes:
        thresholds: Rising.
        evaluations: One a threshold.
        real: Scores of the validation data themselves against the data: inception_score, where that was measured.
    """

    thresholds: tuple[float, ...]
    evaluations: tuple[Evaluation, ...]
    real: Evaluation | None

    def __getitem__(self, metric: str) -> list[Score]:
        """A metric's scores, one a threshold."""
        return [evaluation[metric] for evaluation in self.evaluations]

    @property
    def best_fid(self) -> float:
        """The threshold of the lowest FID."""
        return self.thresholds[int(np.argmin(self["fid"]))]

    @property
    def with_validation_data(self) -> float | None:
        """The largest threshold at which the inception score is that of real images; None: it is nowhere.

        Between two thresholds of the sweep the score is taken to be straight.
        """
        if self.real is None:
            return None
        over = np.array(self["inception_score"], float) - float(self.real["inception_score"])
        for i in reversed(range(len(over))):
            if over[i] == 0:
                return self.thresholds[i]
            if i and over[i - 1] * over[i] < 0:
                low, high = self.thresholds[i - 1], self.thresholds[i]
                return float(low + (high - low) * over[i - 1] / (over[i - 1] - over[i]))
        return None

    def text(self) -> str:
        """A table, a row a threshold, and the operating points."""
        names = list(self.evaluations[0])
        lines = ["  ".join(["threshold", *(f"{name:>18}" for name in names)])]
        for threshold, evaluation in zip(self.thresholds, self.evaluations, strict=True):
            cells = [f"{threshold:9.4g}", *(f"{_cell(evaluation[name]):>18}" for name in names)]
            lines.append("  ".join(cells))
        if self.real is not None:
            lines.append(f"inception score of real images: {_cell(self.real['inception_score'])}")
            found = self.with_validation_data
            where = "at no threshold of these" if found is None else f"at {found:.3g}"
            lines.append(f"with validation data (its inception score): {where}")
        if "fid" in names:
            lines.append(f"best FID: at {self.best_fid:.3g}")
        return "\n".join(lines)


def _cell(score: Score) -> str:
    error = "" if score.standard_error is None else f" ± {score.standard_error:.2g}"
    return f"{float(score):.4g}{error}"


def truncation_sweep(
    gan: Sampler,
    data: Any,
    thresholds: Sequence[float] = THRESHOLDS,
    metrics: Sequence[str] = METRICS,
    samples: int = 10_000,
    *,
    validation: Any | None = None,
    extractor: Extractor | str | None = None,
    seed: int = 0,
    **how: Any,
) -> TruncationSweep:
    """Score a model at each threshold; the draws are the same at all of them.

    Args:
        gan: What has `sample(n, truncation=, seed=)`.
        data: To compare with, as in `evaluate`.
        thresholds: Above 0, each once.
        metrics: As in `evaluate`.
        samples: How many to draw at each threshold.
        validation: Real images whose inception score is the second operating point's: a data set; None: `data`. Those
            that the model was not trained on, if there are any.
        extractor: As in `evaluate`.
        seed: Of the draws.
        how: More arguments of `evaluate`: real_samples, batch_size, cache, progress.

    Raises:
        InputError: As `evaluate`; there are no thresholds, one is not above 0, or is there twice.
    """
    thresholds = list(thresholds)
    if not thresholds or len(set(thresholds)) < len(thresholds):
        raise InputError(f"thresholds={thresholds!r}: give one or more, each once, such as [0.1, 0.5, 1.0]")
    for threshold in thresholds:
        require_positive(example="0.5", threshold=threshold)
    how |= {"extractor": extractor, "seed": seed}
    evaluations = [
        evaluate(gan, data, metrics, samples, truncation=threshold, **how) for threshold in sorted(thresholds)
    ]
    real = None
    if "inception_score" in evaluations[0]:
        shown = data if validation is None else validation
        count = samples if shown.size is None else min(samples, shown.size)
        examples = scaled(real_examples(shown, count)[0])
        real = evaluate(lambda start, n: examples[start : start + n], data, ["inception_score"], count, **how)
    return TruncationSweep(tuple(float(t) for t in sorted(thresholds)), tuple(evaluations), real)


def saturated_share(images: np.ndarray, beyond: float = 0.99) -> float:
    """Share of values that are at the end of the range: |x| > `beyond`.

    Brock et al. 2019, section 3.1: truncation drives some generators' outputs there, fewer of those trained with
    orthogonal regularisation.

    Args:
        images: In [-1, 1], of any shape.
        beyond: In (0, 1).

    Raises:
        InputError: There are no values, or `beyond` is out of range.
    """
    require_share(example="0.99", beyond=beyond)
    values = np.asarray(images)
    if not values.size:
        raise InputError("no images: give one or more")
    return float((np.abs(values) > beyond).mean())
