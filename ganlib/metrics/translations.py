"""Score translations: as images of the target domain, and against the right answers where there are any."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ganlib.errors import InputError
from ganlib.metrics.evaluator import evaluate, names_of
from ganlib.metrics.extractors import Extractor
from ganlib.metrics.ms_ssim import ssim_of_each
from ganlib.metrics.results import Evaluation

_ENDLESS = 2_000  # sources of endless data


class TranslatorLike(Protocol):
    """What can be evaluated."""

    def translate(self, images: np.ndarray, *, seed: int) -> np.ndarray:
        """Images of the other domain for images (n, height, width, channels), all in [-1, 1]."""


def evaluate_translations(
    translator: TranslatorLike,
    pairs: Any,
    metrics: Sequence[str] | None = None,
    samples: int | None = None,
    *,
    back: Callable[[np.ndarray], np.ndarray] | None = None,
    extractor: Extractor | str | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    cache: str | Path | bool | None = None,
    progress: bool = True,
) -> Evaluation:
    """Translate sources, and compare the translations with the targets.

    Each source is translated once. `evaluate`'s metrics compare the sets; of an image each are

    - l1: the mean absolute difference to the target, in pixel units of [-1, 1], so 0 to 2;
    - ssim: of translation and target, 1 if they are equal (Wang et al. 2004);
    - cycle_error: the mean absolute difference of a source and its translation translated back, 0 to 2.

    Args:
        translator: Anything with `translate(images, seed=)`. Values beyond [-1, 1] are cut off.
        pairs: A PairDataset (`ganlib.data.paired` or `ganlib.data.unpaired`).
        metrics: Names out of `known_metrics()` and those above; None: "fid" and all above that can be measured.
        samples: How many sources, and as many targets: the first. None: all, of endless data 2,000.
        back: Translates back, for cycle_error.
        extractor: As in `evaluate`; None: fashion-cnn for grey clothes, faces-cnn for faces, else random convolutions.
        seed: Of the noise, where the translator has any.
        batch_size: As in `evaluate`.
        cache: As in `evaluate`.
        progress: Show a bar, in a terminal or a notebook.

    Returns:
        The scores and what they depend on. Standard errors of the metrics above are over images.

    Raises:
        InputError: An argument is not what it should be; l1 or ssim is asked for and the data has no right answers, or
            cycle_error and nobody says how to translate back.
    """
    from ganlib.data import from_arrays

    started = time.perf_counter()
    possible = (["l1", "ssim"] if pairs.paired else []) + ([] if back is None else ["cycle_error"])
    names = ["fid", *possible] if metrics is None else list(metrics)
    for name in ("l1", "ssim", "cycle_error"):
        if name in names and name not in possible:
            why = "these domains have no right answers" if name != "cycle_error" else "there is no way back"
            raise InputError(f"{name} cannot be measured: {why}; leave it out")
    of_images = [name for name in names if name in possible]
    of_sets = names_of([name for name in names if name not in possible] or ["fid"])
    if samples is None:
        samples = pairs.size or _ENDLESS
    sources, targets = pairs.to_numpy(samples)
    made = np.clip(translator.translate(sources, seed=seed), -1, 1)
    # without labels: held-out targets are too few to train a classifier on
    data = from_arrays(np.rint((targets + 1) * 127.5).astype(np.uint8), name=pairs.name, split=pairs.split)
    evaluation = evaluate(
        lambda start, n: made[start : start + n],
        data,
        of_sets,  # at least one, which notes the conditions of all
        samples,
        extractor=extractor,
        seed=seed,
        batch_size=batch_size,
        cache=cache,
        progress=progress,
    )
    each = {}
    if pairs.paired:
        each = {"l1": _distances(made, targets), "ssim": ssim_of_each(made, targets)}
    if "cycle_error" in of_images:
        each["cycle_error"] = _distances(back(made), sources)
    scores = dict(evaluation) if len(of_images) < len(names) else {}
    values = {name: float(score) for name, score in scores.items()}
    errors = {name: score.standard_error for name, score in scores.items()}
    for name in of_images:
        values[name] = float(each[name].mean())
        errors[name] = float(each[name].std(ddof=1) / samples**0.5)
    seconds = time.perf_counter() - started
    return Evaluation(values, errors, evaluation.conditions, seed, evaluation.details, seconds)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each pair of images, (n,)."""
    return np.abs(a - b).mean(axis=(1, 2, 3))
