"""Score a generator against data with any of the metrics, and say with each number what it depends on.

    evaluation = evaluate(gan, data, metrics=["fid", "precision", "recall"])
    evaluation["fid"], evaluation["fid"].standard_error
    better = evaluation["fid"] < other["fid"]        # InputError if the two were measured differently

The standard error is that of drawing other samples (and, where parts are scored, another part of the real data):

| metric | what is resampled |
|---|---|
| fid | bootstrap: 20 times as many samples drawn with replacement from the samples; the real data stay as they are |
| inception_score | the samples: deviation over its 10 splits / sqrt(10) |
| kid, precision, recall, density, coverage | disjoint parts of samples and real data, see below |
| prd_f8, prd_f1_8 | likewise, each part clustered once: their clusterings' noise makes it an upper bound |
| swd | samples and real images, likewise by parts; swd's random directions are the same in all |
| ms_ssim, ms_ssim_real | samples, or real images, likewise by parts |

Five to ten parts of 200 or more are scored alone: the deviation of their values / sqrt(parts). That takes errors to
shrink as 1 / sqrt(n), as they do for means over samples; neighbours are further apart in a part, so those of
precision and the like hold for values away from 0 and 1. None is given for fewer than 1,000 samples or real examples
(inception_score 2,000; fid also one more than features), nor where all parts agree to the last digit, as at a
precision of 0: that deviation of 0 would not mean certainty.
"""

import dataclasses
import difflib
import functools
import io
import math
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tqdm.auto
from threadpoolctl import threadpool_limits

from ganlib.errors import InputError
from ganlib.files import read_json, write_atomically, write_json
from ganlib.metrics import extractors
from ganlib.metrics.extractors import Extractor, cache_folder, hash_of, real_examples, slug
from ganlib.metrics.frechet import frechet_distance_from_statistics, statistics
from ganlib.metrics.inception import inception_score
from ganlib.metrics.kernel import kernel_distance
from ganlib.metrics.manifold import manifold_scores
from ganlib.metrics.ms_ssim import ms_ssim_of_pairs
from ganlib.metrics.prd import f_beta, prd_curve
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


# ---------------------------------------------------------------------------------------------- results


@dataclasses.dataclass(frozen=True)
class Conditions:
    """All that a number depends on besides the generator and the draw. Numbers compare only if these agree.

    Attributes:
        data: Name of the real data.
        split: Its split.
        shape: Of an example.
        fingerprint: Hash of the real examples that were used.
        real_samples: How many.
        samples: How many were drawn.
        extractor: Name; None if no metric needed one.
        weights_hash: Of the extractor.
        resizer: Of the extractor.
        truncation: Given to `sample`.
    """

    data: str
    split: str
    shape: tuple[int, ...]
    fingerprint: str
    real_samples: int
    samples: int
    extractor: str | None
    weights_hash: str | None
    resizer: str | None
    truncation: float | None

    def check(self, other: "Conditions") -> None:
        """Raise an InputError that names the first field in which `other` differs."""
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                raise InputError(
                    f"measured differently, so not comparable: {field.name} is {mine!r} here and {theirs!r} there; "
                    "evaluate both alike"
                )


class Score(float):
    """A number that knows how it was measured; <, <=, >, >= with another score refuse what does not compare.

    Attributes:
        metric: Its name.
        standard_error: See this module's table; None if there were too few samples to tell.
        conditions: What it depends on.
    """

    metric: str
    standard_error: float | None
    conditions: Conditions

    def __new__(cls, value: float, metric: str, standard_error: float | None, conditions: Conditions):
        """A float with three attributes."""
        score = super().__new__(cls, value)
        score.metric, score.standard_error, score.conditions = metric, standard_error, conditions
        return score

    def __getnewargs__(self):
        return float(self), self.metric, self.standard_error, self.conditions

    def _check(self, other: Any) -> None:
        if isinstance(other, Score):
            if self.metric != other.metric:
                raise InputError(
                    f"{self.metric} and {other.metric} are different metrics: compare like with like"
                )
            self.conditions.check(other.conditions)

    def __lt__(self, other):
        self._check(other)
        return float.__lt__(self, other)

    def __le__(self, other):
        self._check(other)
        return float.__le__(self, other)

    def __gt__(self, other):
        self._check(other)
        return float.__gt__(self, other)

    def __ge__(self, other):
        self._check(other)
        return float.__ge__(self, other)


class Evaluation(Mapping):
    """The result of `evaluate`: metric -> `Score`, and what all of them depend on.

    Attributes:
        conditions: What must agree for two evaluations to be compared.
        seed: Of the draw. Not among the conditions: another draw measures the same.
        details: More on the extractor, such as a classifier's accuracy on held-out examples.
        seconds: That it took.
    """

    def __init__(
        self,
        values: Mapping[str, float],
        standard_errors: Mapping[str, float | None],
        conditions: Conditions,
        seed: int,
        details: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
    ):
        self.conditions, self.seed, self.seconds = conditions, seed, seconds
        self.details = dict(details or {})
        self._scores = {
            name: Score(value, name, standard_errors.get(name), conditions) for name, value in values.items()
        }

    def __getitem__(self, metric: str) -> Score:
        if metric not in self._scores:
            raise KeyError(f"{metric!r} was not measured, only {', '.join(self._scores)}")
        return self._scores[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def __repr__(self) -> str:
        return f"Evaluation({', '.join(f'{name}={value:.4g}' for name, value in self.items())})"

    def compare(self, other: "Evaluation") -> dict[str, dict[str, float | None]]:
        """The differences, metric by metric, for all metrics that both have.

        Returns:
            metric -> {"here", "there", "difference" (there - here), "errors": the difference in its standard errors, or
            None if they are not known}.

        Raises:
            InputError: They were measured differently, or have no metric in common.
        """
        self.conditions.check(other.conditions)
        common = [name for name in self if name in other]
        if not common:
            raise InputError(f"no metric in common: {', '.join(self)} here, {', '.join(other)} there")
        table = {}
        for name in common:
            difference = float(other[name]) - float(self[name])
            known = None not in (self[name].standard_error, other[name].standard_error)
            error = math.hypot(self[name].standard_error, other[name].standard_error) if known else 0.0
            table[name] = {
                "here": float(self[name]),
                "there": float(other[name]),
                "difference": difference,
                "errors": difference / error if error > 0 else None,
            }
        return table

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        scores = {
            name: {"value": float(value), "standard_error": value.standard_error}
            for name, value in self.items()
        }
        conditions = dataclasses.asdict(self.conditions) | {"shape": list(self.conditions.shape)}
        return {
            "scores": scores,
            "conditions": conditions,
            "seed": self.seed,
            "extractor_details": self.details,
            "seconds": round(self.seconds, 1),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Evaluation":
        """The inverse of `to_dict`.

        Raises:
            InputError: It is not what `to_dict` gives.
        """
        try:
            scores, conditions = value["scores"], dict(value["conditions"])
            conditions["shape"] = tuple(conditions["shape"])
            return cls(
                {name: float(score["value"]) for name, score in scores.items()},
                {name: score["standard_error"] for name, score in scores.items()},
                Conditions(**conditions),
                value["seed"],
                value["extractor_details"],
                value["seconds"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"this is no evaluation ({error}): give what Evaluation.to_dict made") from error

    def save(self, path: str | Path) -> Path:
        """Write it as JSON, atomically. Errors as in `ganlib.files.write_json`."""
        return write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> "Evaluation":
        """Read what `save` wrote.

        Raises:
            InputError: The file is missing or no evaluation.
        """
        return cls.from_dict(read_json(path))

    def text(self) -> str:
        """A table for people: value, standard error, and below it how they were measured."""
        width = max(map(len, self))
        lines = []
        for name, value in self.items():
            error = "" if value.standard_error is None else f" ± {value.standard_error:.2g}"
            lines.append(f"{name:<{width}}  {value:.4f}{error}")
        c = self.conditions
        lines.append(f"{c.samples:,} samples (seed {self.seed}, truncation {c.truncation or 'none'})")
        size = "x".join(map(str, c.shape))
        lines.append(f"{c.real_samples:,} real examples of {c.data} {c.split}, {size}, {c.fingerprint}")
        if c.extractor is not None:
            more = "".join(f", {key} {value}" for key, value in self.details.items())
            lines.append(f"{c.extractor} (weights {c.weights_hash}, resizer: {c.resizer}{more})")
        return "\n".join(lines)


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


def _by_parts(
    family: _Family, real: "_Real", fake: np.ndarray, seed: int, **options: Any
) -> dict[str, float | None]:
    """Standard errors from the deviation of the values of disjoint parts."""
    n_real = len(real.images if family.needs == "images" else real.features)
    parts = min(_PARTS, min(n_real, len(fake)) // _SMALLEST_PART)
    if parts < _FEWEST_PARTS:
        return {}
    found = [family.values(real.part(i, parts), fake[i::parts], seed, **options) for i in range(parts)]
    deviations = {name: np.std([values[name] for values in found], ddof=1) for name in family.measures}
    return {name: float(deviation / math.sqrt(parts)) or None for name, deviation in deviations.items()}


def _fid(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float]:
    return {"fid": frechet_distance_from_statistics(*real.statistics, *statistics(fake))}


def _fid_error(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float | None]:
    if len(fake) < max(_FEWEST_PARTS * _SMALLEST_PART, fake.shape[1] + 1):
        return {}
    random = host_generator(seed, "bootstrap")
    with threadpool_limits(_threads(real)):
        again = [
            _fid(real, fake[random.integers(len(fake), size=len(fake))], seed)["fid"]
            for _ in range(_BOOTSTRAP)
        ]
    return {"fid": float(np.std(again, ddof=1))}


def _inception_score(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float]:
    return {"inception_score": inception_score(fake, min(_SPLITS, len(fake)))[0]}


def _inception_score_error(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float | None]:
    if len(fake) < _SPLITS * _SMALLEST_PART:
        return {}
    return {"inception_score": inception_score(fake, _SPLITS, ddof=1)[1] / math.sqrt(_SPLITS)}


def _alike(real: "_Real", fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As many real rows as samples, for metrics whose value depends on both numbers."""
    n = min(len(real.features), len(fake))
    return real.some(n), fake[:n]


def _kid(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float]:
    return {"kid": kernel_distance(*_alike(real, fake))}


def _manifold(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float]:
    found = manifold_scores(*_alike(real, fake))
    return {name: getattr(found, name) for name in ("precision", "recall", "density", "coverage")}


def _prd(real: "_Real", fake: np.ndarray, seed: int, runs: int = 10) -> dict[str, float]:
    with threadpool_limits(_threads(real)):
        curve = prd_curve(*(side[:_PRD] for side in _alike(real, fake)), runs=runs)
    return {"prd_f8": f_beta(*curve, 8), "prd_f1_8": f_beta(*curve, 1 / 8)}


def _threads(real: "_Real") -> int | None:
    """Matrices of few features are too small to share: threads that wait for each other took 7 times as long."""
    return 1 if real.features.shape[1] <= 512 else None


def _prd_error(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float | None]:
    """By parts, each clustered once."""
    real, fake = _alike(real, fake)
    family = _Family(dict.fromkeys(("prd_f8", "prd_f1_8")), "features", _prd)
    return _by_parts(family, _Real(real[:_PRD], None), fake[:_PRD], seed, runs=1)


def _swd(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float]:
    n = min(len(real.images), len(fake))
    return {"swd": sliced_wasserstein(real.images[:n], fake[:n])["mean"]}


def _ms_ssim(real: "_Real", fake: np.ndarray, seed: int) -> dict[str, float]:
    return {
        "ms_ssim": ms_ssim_of_pairs(fake, pairs=len(fake)),
        "ms_ssim_real": ms_ssim_of_pairs(real.images, pairs=len(real.images)),
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
    known = [*known_metrics(), *_TOGETHER]
    for name in metrics:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose of {', '.join(dict.fromkeys(known))}"
            raise InputError(f"there is no metric {name!r}: {hint}")
    return list(dict.fromkeys(one for name in metrics for one in _TOGETHER.get(name, (name,))))


# -------------------------------------------------------------------------------------------------- evaluate


def evaluate(
    gan: Sampler,
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
        gan: Anything with `sample(n, truncation=, seed=)`. Values beyond [-1, 1] are cut off, as in a saved picture.
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
    started = time.perf_counter()
    names = names_of(metrics)
    families = [family for family in _FAMILIES if not family.measures.keys().isdisjoint(names)]
    for name, value, least in (
        ("samples", samples, 2),
        ("real_samples", real_samples, 2),
        ("batch_size", batch_size, 1),
    ):
        if value is None and name != "samples":
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name}={value!r} is out of range: give an integer of at least {least}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise InputError(f"seed={seed!r} is not an integer: give one, for example 0")
    if not all(hasattr(data, name) for name in ("shape", "split", "size", "to_numpy")):
        raise InputError(
            f"data is a {type(data).__name__}: give what ganlib.data.load or ganlib.data.from_arrays returns"
        )
    needs = {family.needs for family in families}
    if "images" in needs and len(data.shape) != 3:
        raise InputError(f"{data.name!r} are points: {_names_of(families, 'images')} judge images")
    for family in families:
        if family.check is not None:
            family.check(tuple(data.shape))
    _draw(gan, data, min(2, samples), truncation, seed)  # what is wrong is said before anything takes time
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
    count = real_samples or (samples if data.size is None else _REAL)
    if data.size is not None:
        if real_samples is not None and real_samples > data.size:
            raise InputError(f"real_samples={real_samples}: {data.name!r} ({data.split}) has {data.size}")
        count = min(count, data.size)
    examples, _ = real_examples(data, count)
    fingerprint = hash_of(examples)
    conditions = Conditions(
        data=data.name,
        split=data.split,
        shape=tuple(data.shape),
        fingerprint=fingerprint,
        real_samples=count,
        samples=int(samples),
        extractor=extractor.name if needs_network else None,
        weights_hash=extractor.weights_hash if needs_network else None,
        resizer=extractor.resizer if needs_network else None,
        truncation=truncation,
    )
    shown = progress and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    with tqdm.auto.tqdm(total=samples, unit="image", leave=False, disable=not shown) as bar:
        features = None
        if "features" in needs:
            features = _real_features(examples, extractor, conditions, batch_size, cache, bar)
        real = _Real(
            features, examples[_first_of(len(examples), _IMAGES, "images")] if "images" in needs else None
        )
        bar.reset(total=samples)
        bar.set_description("samples")
        fake: dict[str, list[np.ndarray]] = {"features": [], "probabilities": [], "images": []}
        for images in _draws(gan, data, samples, truncation, seed):
            if needs_network:
                found, probabilities = extractor.outputs(images, batch_size)
                fake["features"].append(found)
                fake["probabilities"].append(probabilities)
            if "images" in needs and sum(map(len, fake["images"])) < _IMAGES:
                fake["images"].append(images)
            bar.update(len(images))
        bar.set_description("scores")
        rows = {kind: np.concatenate(parts) for kind, parts in fake.items() if parts and parts[0] is not None}
        if "images" in rows:
            rows["images"] = rows["images"][:_IMAGES]
        values: dict[str, float] = {}
        errors: dict[str, float | None] = {}
        for family in families:
            values |= family.values(real, rows[family.needs], seed)
            if family.errors is None:
                errors |= _by_parts(family, real, rows[family.needs], seed)
            else:
                errors |= family.errors(real, rows[family.needs], seed)
    return Evaluation(
        {name: float(values[name]) for name in names},
        {name: errors.get(name) for name in names},
        conditions,
        int(seed),
        extractor.details if needs_network else None,
        time.perf_counter() - started,
    )


class _Real:
    """The real side: features (n, d) with their mean and covariance, and images (m, height, width, channels)."""

    def __init__(self, features: np.ndarray | None, images: np.ndarray | None):
        self.features = features
        self.images = None if images is None else extractors.scaled(images)

    @functools.cached_property
    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        return statistics(self.features)

    def some(self, n: int) -> np.ndarray:
        """`n` of the features, chosen at random, always the same."""
        return self.features[_first_of(len(self.features), n, "features")]

    def part(self, i: int, parts: int) -> "_Real":
        """The `i`-th of disjoint random parts."""
        part = _Real(None, None)
        if self.features is not None:
            part.features = self.features[
                _first_of(len(self.features), len(self.features), "features")[i::parts]
            ]
        if self.images is not None:
            part.images = self.images[i::parts]
        return part


def _first_of(size: int, n: int, purpose: str) -> np.ndarray:
    """`n` of `size` row numbers, at random."""
    return host_generator(0, f"some {purpose}").permutation(size)[:n]


def _names_of(families: Sequence[_Family], needs: str) -> str:
    return ", ".join(name for family in families if family.needs == needs for name in family.measures)


# ----------------------------------------------------------------------------------------------- both sides


def _draws(
    gan: Sampler, data: Any, samples: int, truncation: float | None, seed: int
) -> Iterator[np.ndarray]:
    """All samples, a few hundred at a time. Draw i has a seed of its own, made from `seed`."""
    size = max(1, min(_DRAW, _DRAW_NUMBERS // math.prod(data.shape)))
    for i, start in enumerate(range(0, samples, size)):
        yield _draw(gan, data, min(size, samples - start), truncation, key_of(seed, f"evaluate/{i}") >> 33)


def _draw(gan: Sampler, data: Any, n: int, truncation: float | None, seed: int) -> np.ndarray:
    images = np.asarray(gan.sample(n, truncation=truncation, seed=int(seed)), np.float32)
    if images.shape != (n, *data.shape):
        raise InputError(
            f"{n} samples have the shape {images.shape}, {data.name!r} has examples of {tuple(data.shape)}: load the "
            "data with the model's resolution and channels"
        )
    if not np.isfinite(images).all():
        raise InputError("the samples are not all finite: check the model's weights")
    return np.clip(images, -1.0, 1.0) if images.ndim == 4 else images


def _real_features(
    examples: np.ndarray,
    extractor: Extractor,
    conditions: Conditions,
    batch_size: int | None,
    cache: str | Path | bool | None,
    bar: Any,
) -> np.ndarray:
    """Features of the real examples: from the cache if it has them whole, else computed and kept."""
    folder = cache_folder(cache)
    c = conditions
    key = hash_of(
        c.data, c.split, c.shape, c.fingerprint, c.real_samples, c.extractor, c.weights_hash, c.resizer
    )
    path = None if folder is None else folder / f"features-{slug(c.data)}-{key}.npz"
    if path is not None and path.exists():
        features = _read_features(path, len(examples))
        if features is not None:
            return features
    bar.reset(total=len(examples))
    bar.set_description("real data")
    found = []
    size = max(1, min(_DRAW, _DRAW_NUMBERS // math.prod(c.shape)))
    for start in range(0, len(examples), size):
        part = examples[start : start + size]
        found.append(extractor.outputs(extractors.scaled(part), batch_size)[0])
        bar.update(len(part))
    features = np.concatenate(found)
    if path is not None:
        file = io.BytesIO()
        np.savez(file, features=features)
        write_atomically(path, file.getvalue())
    return features


def _read_features(path: Path, rows: int) -> np.ndarray | None:
    """The features in a file of the cache; None if it is damaged (a zip archive has checksums) or not ours."""
    try:
        with np.load(path, allow_pickle=False) as file:
            features = file["features"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    whole = features.ndim == 2 and len(features) == rows and features.dtype == np.float32
    return features if whole and np.isfinite(features).all() else None
