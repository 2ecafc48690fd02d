"""What `evaluate` returns: scores that know how they were measured, and refuse to be compared with what was not."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ganlib.errors import InputError
from ganlib.files import read_json, write_json

# what a standard error is about; of all others, samples and real examples
_RESAMPLED = {
    "fid": "samples, the real examples as they are",
    "inception_score": "samples",
    "ms_ssim": "samples",
    "ms_ssim_real": "real examples",
    **dict.fromkeys(("l1", "ssim", "cycle_error"), "sources"),
}


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


def _checked(compare: Callable[[float, Any], bool]) -> Callable[["Score", Any], bool]:
    def checked(self, other):
        if isinstance(other, Score):
            if self.metric != other.metric:
                raise InputError(
                    f"{self.metric} and {other.metric} are different metrics: compare like with like"
                )
            self.conditions.check(other.conditions)
        return compare(self, other)

    return checked


class Score(float):
    """A number that knows how it was measured; <, <=, >, >= with another score refuse what does not compare.

    Attributes:
        metric: Its name.
        standard_error: See the table in evaluator.py; None if there were too few samples to tell.
        resampled: What the standard error is about; what is not named was held fixed.
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

    @property
    def resampled(self) -> str:
        """What the standard error is about."""
        return _RESAMPLED.get(self.metric, "samples and real examples")

    def __getnewargs__(self):
        return float(self), self.metric, self.standard_error, self.conditions

    __lt__, __le__ = _checked(float.__lt__), _checked(float.__le__)
    __gt__, __ge__ = _checked(float.__gt__), _checked(float.__ge__)


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
        conditions = dataclasses.asdict(self.conditions) | {"shape": list(self.conditions.shape)}
        return {
            "scores": {
                name: {"value": float(value), "standard_error": value.standard_error}
                for name, value in self.items()
            },
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
        about: dict[str, list[str]] = {}
        for name, value in self.items():
            if value.standard_error is not None:
                about.setdefault(value.resampled, []).append(name)
        if about:
            over = [f"{', '.join(names)} over other {what}" for what, names in about.items()]
            lines.append(f"±: standard error of {'; '.join(over)}")
        c = self.conditions
        lines.append(f"{c.samples:,} samples (seed {self.seed}, truncation {c.truncation or 'none'})")
        size = "x".join(map(str, c.shape))
        lines.append(f"{c.real_samples:,} real examples of {c.data} {c.split}, {size}, {c.fingerprint}")
        if c.extractor is not None:
            more = "".join(f", {key} {value}" for key, value in self.details.items())
            lines.append(f"{c.extractor} (weights {c.weights_hash}, resizer: {c.resizer}{more})")
        return "\n".join(lines)
