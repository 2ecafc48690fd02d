"""Score a generator against data with any of the metrics, and say with each number what it depends on.

    evaluation = evaluate(gan, data, metrics=["fid", "precision", "recall"])
    evaluation["fid"], evaluation["fid"].standard_error
    better = evaluation["fid"] < other["fid"]        # InputError if the two were measured differently

A standard error is the deviation of the value over draws of what is `resampled` (below, and in the results):

| metric | resampled | how |
|---|---|---|
| fid | the samples | bootstrap: 20 times as many samples, drawn with replacement from them |
| inception_score | the samples | deviation over its 10 splits / sqrt(10) |
| ms_ssim, ms_ssim_real | the samples; the real images | parts |
| kid, precision, recall, density, coverage, swd | samples and real examples | parts |
| prd_f8, prd_f1_8 | samples and real examples | parts, each clustered once: their noise makes it an upper bound |

So fid's leaves out what another choice of real data would change: it tells apart two models on the same data.

Parts: five to ten disjoint ones of 200 or more are scored alone; the error is the deviation of their values over the
square root of their number. That takes deviations to shrink as 1 / sqrt(n), as they do for means over samples; where
neighbours count, a part's are further apart, so those errors are rough (for kid and precision the tests hold them to
between half and four times the spread over seeds), and hold for values away from 0 and 1.
None is given for fewer than 1,000 samples or real examples (inception_score 2,000; fid also one more than features),
nor where all parts agree to the last digit, as at a precision of 0: that deviation of 0 would not mean certainty.
"""

import dataclasses
import functools
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tqdm.auto
from threadpoolctl import threadpool_limits

from ganlib.arguments import require_known, require_seed
from ganlib.errors import InputError
from ganlib.hashes import hash_of
from ganlib.metrics import extractors
from ganlib.metrics.cache import kept
from ganlib.metrics.extractors import Extractor, real_examples
from ganlib.metrics.frechet import frechet_distance_from_statistics, statistics
from ganlib.metrics.inception import inception_score
from ganlib.metrics.kernel import kernel_distance
from ganlib.metrics.manifold import manifold_scores
from ganlib.metrics.ms_ssim import ms_ssim_of_pairs
from ganlib.metrics.prd import f_beta, prd_curve
from ganlib.metrics.results import Conditions, Evaluation, Score  # noqa: F401
from ganlib.metrics.sliced_wasserstein import resolutions, sliced_wasserstein
from ganlib.randomness import host_generator, key_of

_BOOTSTRAP = 20
_PARTS, _FEWEST_PARTS, _SMALLEST_PART = 10, 5, 200
_SPLITS = 10
_PRD = 5_000  # samples, and as many real examples, that are clustered at most
_REAL = 50_000  # real examples at most, unless asked for: as many as published FIDs use
_IMAGES = 1_000  # metrics of pixels see this many samples and real images at most
# samples a draw: fixed by their shape alone, so that a seed names the same ones
_DRAW, _DRAW_NUMBERS = 500, 2**25


class Sampler(Protocol):
    """What can be evaluated: a GAN, or anything that draws."""

    def sample(self, n: int, *, truncation: float | None, seed: int) -> np.ndarray:
        """`n` images (n, height, width, channels) in [-1, 1], or points (n, d); the same for the same seed."""


# --------------------------------------------------------------------------------------- the table of metrics


@dataclasses.dataclass(frozen=True)
class _Family:
    """Metrics that are computed together.

    Attributes:
        measures: name -> "lower" or "higher" is better; None where neither is.
        needs: "features", "probabilities" (of the samples only) or "images".
        values: (real, fake, seed) -> name -> value.
        errors: The same arguments -> name -> standard error; None: by parts.
        check: Raises an InputError for a shape of images that the metric does not take, before anything takes time.
    """

    measures: dict[str, str | None]
    needs: str
    values: Callable[[Any, np.ndarray, int], dict[str, float]]
    errors: Callable[[Any, np.ndarray, int], dict[str, float | None]] | None = None
    check: Callable[[tuple[int, ...]], Any] | None = None


def _by_parts(values: Callable, real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float | None]:
    """Standard errors from the deviation of the values of disjoint parts."""
    parts = min(_PARTS, min(len(real.rows), len(fake)) // _SMALLEST_PART)
    if parts < _FEWEST_PARTS:
        return {}
    found = [values(_Rows(real.shuffled[i::parts]), fake[i::parts], seed) for i in range(parts)]
    deviations = {name: np.std([one[name] for one in found], ddof=1) for name in found[0]}
    return {name: float(deviation / math.sqrt(parts)) or None for name, deviation in deviations.items()}


def _fid(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float]:
    return {"fid": frechet_distance_from_statistics(*real.statistics, *statistics(fake))}


def _fid_error(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float | None]:
    if len(fake) < max(_FEWEST_PARTS * _SMALLEST_PART, fake.shape[1] + 1):
        return {}
    random = host_generator(seed, "bootstrap")
    with threadpool_limits(_threads(real)):
        again = [
            _fid(real, fake[random.integers(len(fake), size=len(fake))], seed)["fid"]
            for _ in range(_BOOTSTRAP)
        ]
    return {"fid": float(np.std(again, ddof=1))}


def _inception_score(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float]:
    return {"inception_score": inception_score(fake, min(_SPLITS, len(fake)))[0]}


def _inception_score_error(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float | None]:
    if len(fake) < _SPLITS * _SMALLEST_PART:
        return {}
    return {"inception_score": inception_score(fake, _SPLITS, ddof=1)[1] / math.sqrt(_SPLITS)}


def _alike(real: "_Rows", fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As many real rows as samples, for metrics whose value depends on both numbers."""
    n = min(len(real.rows), len(fake))
    return real.shuffled[:n], fake[:n]


def _kid(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float]:
    return {"kid": kernel_distance(*_alike(real, fake))}


def _manifold(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float]:
    found = manifold_scores(*_alike(real, fake))
    return {name: getattr(found, name) for name in ("precision", "recall", "density", "coverage")}


def _prd(real: "_Rows", fake: np.ndarray, seed: int, runs: int = 10) -> dict[str, float]:
    with threadpool_limits(_threads(real)):
        curve = prd_curve(*(side[:_PRD] for side in _alike(real, fake)), runs=runs)
    return {"prd_f8": f_beta(*curve, 8), "prd_f1_8": f_beta(*curve, 1 / 8)}


def _threads(real: "_Rows") -> int | None:
    """Matrices of few features are too small to share: threads that wait for each other took 7 times as long."""
    return 1 if real.rows.shape[1] <= 512 else None


def _prd_error(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float | None]:
    """By parts, each clustered once."""
    real, fake = _alike(real, fake)
    return _by_parts(functools.partial(_prd, runs=1), _Rows(real[:_PRD]), fake[:_PRD], seed)


def _swd(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float]:
    n = min(len(real.rows), len(fake))
    return {"swd": sliced_wasserstein(real.rows[:n], fake[:n])["mean"]}


def _ms_ssim(real: "_Rows", fake: np.ndarray, seed: int) -> dict[str, float]:
    return {
        "ms_ssim": ms_ssim_of_pairs(fake, pairs=len(fake)),
        "ms_ssim_real": ms_ssim_of_pairs(real.rows, pairs=len(real.rows)),
    }


def _check_ms_ssim(shape: tuple[int, ...]) -> None:
    if shape[0] % 16 or shape[1] % 16:
        raise InputError(
            f"ms_ssim halves images four times, {shape[0]}x{shape[1]} cannot be: load the data with resolution=32, "
            "or leave it out"
        )


_FAMILIES: tuple[_Family, ...] = (
    _Family({"fid": "lower"}, "features", _fid, _fid_error),
    _Family({"kid": "lower"}, "features", _kid),
    _Family(dict.fromkeys(("precision", "recall", "density", "coverage"), "higher"), "features", _manifold),
    _Family({"inception_score": "higher"}, "probabilities", _inception_score, _inception_score_error),
    _Family(dict.fromkeys(("prd_f8", "prd_f1_8"), "higher"), "features", _prd, _prd_error),
    _Family({"swd": "lower"}, "images", _swd, check=resolutions),
    _Family(dict.fromkeys(("ms_ssim", "ms_ssim_real")), "images", _ms_ssim, check=_check_ms_ssim),
)
_TOGETHER = {"prd": ("prd_f8", "prd_f1_8"), "ms_ssim": ("ms_ssim", "ms_ssim_real")}  # asked for as one


def known_metrics() -> dict[str, str | None]:
    """All that `evaluate` can measure: name -> whether "lower" or "higher" is better (None: neither)."""
    return {name: better for family in _FAMILIES for name, better in family.measures.items()}


def names_of(metrics: Sequence[str]) -> list[str]:
    """The names of what is to be measured, each once."""
    if isinstance(metrics, str) or not metrics:
        raise InputError(f"metrics={metrics!r}: give a list of names, such as ['fid', 'precision', 'recall']")
    for name in metrics:
        require_known("metric", name, {**known_metrics(), **_TOGETHER})
    return list(dict.fromkeys(one for name in metrics for one in _TOGETHER.get(name, (name,))))


# -------------------------------------------------------------------------------------------------- evaluate


def evaluate(
    gan: Sampler | Callable[[int, int], np.ndarray],
    data: Any,
    metrics: Sequence[str] = ("fid", "kid", "precision", "recall", "density", "coverage"),
    samples: int = 10_000,
    *,
    extractor: Extractor | str | None = None,
    real_samples: int | None = None,
    truncation: float | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    cache: str | Path | bool | None = None,
    progress: bool = True,
) -> Evaluation:
    """Draw samples, compare them with data.

    Args:
        gan: Anything with `sample(n, truncation=, seed=)`. Values beyond [-1, 1] are cut off, as in a saved picture. Or
            a function (start, n) -> samples start to start + n - 1; `truncation` and `seed` then are only noted.
        data: An ImageDataset (`ganlib.data.load`): images of the same shape, or points.
        metrics: Names out of `known_metrics()`; "prd" stands for F_8 (recall) and F_1/8 (precision) of the curve. "swd"
            and "ms_ssim" see 1,000 samples and as many real images at most. Metrics that compare neighbours, kid and
            prd take as many real examples as samples, prd 5,000 of each at most.
        samples: How many to draw.
        extractor: Object, or name as in `ganlib.metrics.extractors`; None: what suits the data.
        real_samples: Real examples: by default all, 50,000 at most; of endless data as many as `samples`. A part of a
            larger set is chosen at random, always the same.
        truncation: Given to `sample`.
        seed: Of the draw. The samples are the same whatever `batch_size` and `metrics` are.
        batch_size: Images a call of the extractor's network, where its own choice does not fit into memory.
        cache: Folder for features of real data and for trained classifiers; None: the user's; False: none.
        progress: Show a bar, in a terminal or a notebook.

    Returns:
        The scores and what they depend on.

    Raises:
        InputError: An argument is not what it should be, the samples have another shape than the data, or are not
            finite; or a metric needs class probabilities that the extractor does not have.
    """
    draw = functools.partial(_sampled, gan, data, truncation, seed) if hasattr(gan, "sample") else gan
    started = time.perf_counter()
    names = names_of(metrics)
    families = [family for family in _FAMILIES if not family.measures.keys().isdisjoint(names)]
    _check_arguments(data, seed, samples=samples, real_samples=real_samples, batch_size=batch_size)
    needs = {family.needs for family in families}
    if "images" in needs and len(data.shape) != 3:
        raise InputError(f"{data.name!r} are points: {_names_of(families, 'images')} judge images")
    for family in families:
        if family.check is not None:
            family.check(tuple(data.shape))
    _checked(draw(0, 2), data, 2)  # what is wrong is said before anything takes time
    needs_network = needs != {"images"}
    if needs_network and not isinstance(extractor, Extractor):
        extractor = (
            extractors.for_data(data, cache) if extractor is None else extractors.get(extractor, data, cache)
        )
    if "probabilities" in needs and extractor.num_classes is None:
        raise InputError(
            f"{_names_of(families, 'probabilities')} needs class probabilities, which {extractor.name} does not "
            "have: leave it out, or choose another extractor"
        )
    examples, _ = real_examples(data, _count(data, samples, real_samples))
    conditions = Conditions(
        data=data.name,
        split=data.split,
        shape=tuple(data.shape),
        fingerprint=hash_of(examples),
        real_samples=len(examples),
        samples=int(samples),
        extractor=extractor.name if needs_network else None,
        weights_hash=extractor.weights_hash if needs_network else None,
        resizer=extractor.resizer if needs_network else None,
        truncation=truncation,
    )
    shown = progress and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    with tqdm.auto.tqdm(total=samples, unit="image", leave=False, disable=not shown) as bar:
        real: dict[str, _Rows | None] = {"probabilities": None}
        if "features" in needs:
            real["features"] = _Rows(_real_features(examples, extractor, conditions, batch_size, cache, bar))
        if "images" in needs:
            first = examples[_shuffled(len(examples), "images")[:_IMAGES]]
            real["images"] = _Rows(extractors.scaled(first))
        fake = _fake_rows(_draws(draw, data, samples), needs, extractor, samples, batch_size, bar)
        bar.set_description("scores")
        values: dict[str, float] = {}
        errors: dict[str, float | None] = {}
        for family in families:
            sides = real[family.needs], fake[family.needs], seed
            values |= family.values(*sides)
            errors |= family.errors(*sides) if family.errors else _by_parts(family.values, *sides)
    return Evaluation(
        {name: float(values[name]) for name in names},
        {name: errors.get(name) for name in names},
        conditions,
        int(seed),
        extractor.details if needs_network else None,
        time.perf_counter() - started,
    )


def _sampled(gan: Sampler, data: Any, truncation: float | None, seed: int, start: int, n: int) -> np.ndarray:
    """Samples start to start + n - 1; `start` is a multiple of what is drawn at a time."""
    i = start // _rows_a_time(data.shape)
    return gan.sample(n, truncation=truncation, seed=int(key_of(seed, f"evaluate/{i}") >> 33))


class _Rows:
    """The real side: features (n, d) or images (n, height, width, channels)."""

    def __init__(self, rows: np.ndarray):
        self.rows = rows

    @functools.cached_property
    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        return statistics(self.rows)

    @functools.cached_property
    def shuffled(self) -> np.ndarray:
        """In random order, always the same."""
        return self.rows[_shuffled(len(self.rows), "features")]


def _shuffled(size: int, purpose: str) -> np.ndarray:
    return host_generator(0, f"some {purpose}").permutation(size)


def _check_arguments(data: Any, seed: int, **counts: int | None) -> None:
    for name, value in counts.items():
        least = 1 if name == "batch_size" else 2
        if value is None and name != "samples":
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name}={value!r} is out of range: give an integer of at least {least}")
    require_seed(seed)
    if not all(hasattr(data, name) for name in ("shape", "split", "size", "to_numpy")):
        raise InputError(
            f"data is a {type(data).__name__}: give what ganlib.data.load or ganlib.data.from_arrays returns"
        )


def _count(data: Any, samples: int, real_samples: int | None) -> int:
    """How many real examples to compare with."""
    if data.size is None:
        return real_samples or samples
    if real_samples is not None and real_samples > data.size:
        raise InputError(f"real_samples={real_samples}: {data.name!r} ({data.split}) has {data.size}")
    return min(real_samples or _REAL, data.size)


def _names_of(families: Sequence[_Family], needs: str) -> str:
    return ", ".join(name for family in families if family.needs == needs for name in family.measures)


# ----------------------------------------------------------------------------------------------- both sides


def _draws(draw: Callable[[int, int], np.ndarray], data: Any, samples: int) -> Iterator[np.ndarray]:
    """All samples, a few hundred at a time."""
    size = _rows_a_time(data.shape)
    for start in range(0, samples, size):
        n = min(size, samples - start)
        yield _checked(draw(start, n), data, n)


def _checked(images: Any, data: Any, n: int) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 4 and not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"the samples are {images.dtype}: give floats in [-1, 1], images / 127.5 - 1")
    images = images.astype(np.float32)
    if images.shape != (n, *data.shape):
        raise InputError(
            f"{n} samples have the shape {images.shape}, {data.name!r} has examples of {tuple(data.shape)}: load the "
            "data with the model's resolution and channels"
        )
    if not np.isfinite(images).all():
        raise InputError("the samples are not all finite: check the model's weights")
    if images.ndim == 4 and images.size and np.abs(images).max() > 100:
        raise InputError(
            f"the samples reach {np.abs(images).max():.4g}: give images in [-1, 1], those of 0 to 255 as x / 127.5 - 1"
        )
    return np.clip(images, -1.0, 1.0) if images.ndim == 4 else images


def _fake_rows(
    draws: Iterator[np.ndarray],
    needs: set[str],
    extractor: Extractor | None,
    samples: int,
    batch_size: int | None,
    bar: Any,
) -> dict[str, np.ndarray]:
    """Features, probabilities and images of the samples: those that are needed."""
    bar.reset(total=samples)
    bar.set_description("samples")
    parts: dict[str, list[np.ndarray]] = {"features": [], "probabilities": [], "images": []}
    for images in draws:
        if needs != {"images"}:
            for kind, found in zip(
                ("features", "probabilities"), extractor.outputs(images, batch_size), strict=True
            ):
                parts[kind].append(found)
        if "images" in needs and sum(map(len, parts["images"])) < _IMAGES:
            parts["images"].append(images)
        bar.update(len(images))
    rows = {kind: np.concatenate(parts[kind]) for kind in needs}
    return rows | {"images": rows["images"][:_IMAGES]} if "images" in needs else rows


def _real_features(
    examples: np.ndarray,
    extractor: Extractor,
    conditions: Conditions,
    batch_size: int | None,
    cache: str | Path | bool | None,
    bar: Any,
) -> np.ndarray:
    """Features of the real examples, of the cache if it has them."""

    def computed() -> dict[str, np.ndarray]:
        bar.reset(total=len(examples))
        bar.set_description("real data")
        found = []
        size = _rows_a_time(conditions.shape)
        for start in range(0, len(examples), size):
            part = examples[start : start + size]
            found.append(extractor.outputs(extractors.scaled(part), batch_size)[0])
            bar.update(len(part))
        return {"features": np.concatenate(found)}

    def fits(found: dict[str, np.ndarray]) -> bool:
        features = found.get("features", np.empty(0))
        whole = features.ndim == 2 and len(features) == len(examples) and features.dtype == np.float32
        return whole and bool(np.isfinite(features).all())

    noted = dataclasses.asdict(conditions)
    depends_on = tuple(value for name, value in noted.items() if name not in ("samples", "truncation"))
    return kept(cache, f"features-{conditions.data}", depends_on, computed, fits)["features"]


def _rows_a_time(shape: tuple[int, ...]) -> int:
    return max(1, min(_DRAW, _DRAW_NUMBERS // math.prod(shape)))
