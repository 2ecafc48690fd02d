"""What a sweep is: a model, a grid of its arguments, seeds, and how each trial is trained and scored."""

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganlib.arguments import require_known
from ganlib.errors import InputError
from ganlib.files import read_json, write_json

# Brock et al. 2019, arXiv:1809.11096, the appendix on hyperparameters: axis -> values. `dropout` is 1 - keep, for the
# paper's keep of .5, .6, .7, .8, .9, .95.
PAPER_SWEEPS: dict[str, dict[str, list[Any]]] = {
    "rates": {
        "learning_rate": [1e-5, 5e-5, 1e-4, 2e-4, 4e-4, 8e-4, 1e-3],
        "discriminator_learning_rate": [1e-5, 5e-5, 1e-4, 2e-4, 4e-4, 8e-4, 1e-3],
    },
    "r1": {"r1": [1e-3, 1e-2, 1e-1, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0]},
    "dropout": {"dropout": [0.5, 0.4, 0.3, 0.2, 0.1, 0.05]},
    "beta1": {"discriminator_beta_1": [0.1, 0.2, 0.3, 0.4, 0.5]},
    "orthogonal": {"orthogonal": [1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 1e-2]},
}

# Arguments that `ganlib train` takes as options of their own.
_OPTIONS = ("batch_size", "resolution")
FILE = "sweep.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a sweep is; all of it stays as it was when the sweep began.

    Attributes:
        model: Its name on the command line.
        preset: Its preset.
        grid: Axis -> values. An axis is an argument of the constructor, or several with commas between them, whose
            values then are lists of one value each.
        seeds: Every point of the grid is trained with each of them.
        data: As for `ganlib train`, as all that follow.
        data_options: Of the data.
        arguments: Of the constructor, the same in all trials.
        augment: What D looks through.
        strategy: Over which devices.
        kimg: Of each trial.
        minutes: Of each trial.
        metrics: Of each trial, as for `ganlib evaluate`; None: FID, and of translations what can be measured.
        samples: Of each evaluation; None: what suits the model.
        extractor: Of features; None: what suits the data.
        scores: Names of what is measured, found when the sweep begins; trials are compared by the first.
    """

    model: str
    preset: str
    grid: dict[str, list[Any]]
    seeds: list[int]
    data: str | None = None
    data_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    augment: str | None = None
    strategy: str = "none"
    kimg: float | None = None
    minutes: float | None = None
    metrics: list[str] | None = None
    samples: int | None = None
    extractor: str | None = None
    scores: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        """Check what can be checked without the model.

        Raises:
            InputError: An axis has no values, or one twice; or an argument is given twice.
        """
        if not self.grid:
            raise InputError("there is nothing to sweep: give --grid KEY=V1,V2, such as --grid n_critic=1,2")
        _require_distinct("--seeds", self.seeds)
        names = []
        for axis, values in self.grid.items():
            _require_distinct(f"--grid {axis}", values)
            names += names_in(axis)
            for value in values if "," in axis else []:
                if not isinstance(value, list) or len(value) != len(names_in(axis)):
                    raise InputError(
                        f"--grid {axis}: {json.dumps(value)} is not a list of {len(names_in(axis))} values, one for "
                        "each argument, such as [1e-4,4e-4]"
                    )
        if "seed" in {*names, *self.arguments}:
            raise InputError("seed is not for --grid or --set: use --seeds 0,1")
        for name in names:
            if names.count(name) > 1 or name in self.arguments:
                raise InputError(f"{name!r} is given twice, by --grid, --paper or --set: give it once")

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The grid, and the seeds as one more axis."""
        return {**self.grid, "seed": self.seeds}

    def points(self) -> Iterator[dict[str, Any]]:
        """Axis -> value of each point of the grid, the last axis changing first."""
        for values in itertools.product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))

    def options_of(self, point: dict[str, Any], seed: int, out: Path) -> dict[str, Any]:
        """Options of `ganlib train` for a trial."""
        arguments = dict(self.arguments)
        for axis, value in point.items():
            names = names_in(axis)
            arguments |= dict(zip(names, value if "," in axis else [value], strict=True))
        own = {name: arguments.pop(name, None) for name in _OPTIONS}
        shared = ("preset", "data", "data_options", "augment", "strategy", "kimg", "minutes")
        return {
            **{name: getattr(self, name) for name in shared},
            **own,
            "arguments": arguments,
            "seed": seed,
            "out": out,
            "resume": False,
            "checkpoint_every": None,
            "sample_every": None,
            "score": False,  # the sweep's own is that of `ganlib evaluate`
            "deterministic": False,
        }

    def evaluation(self, samples: int | None = None) -> dict[str, Any]:
        """Options of `ganlib evaluate` for a trial; with another number of samples, if one is given."""
        unset = dict.fromkeys(("split", "truncation", "batch_size", "cache", "data", "out"))
        asked = {"metrics": self.metrics, "samples": samples or self.samples, "extractor": self.extractor}
        return {**unset, **asked, "seed": 0}

    def save(self, folder: Path) -> None:
        """Write it. Errors as in `ganlib.files.write_json`."""
        write_json(folder / FILE, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: Path) -> "Plan":
        """Read what `save` wrote.

        Raises:
            InputError: There is none, or it is none.
        """
        path = folder / FILE
        if not path.exists():
            raise InputError(
                f"--resume: {folder} has no {FILE}, so no sweep to continue; leave out --resume to start one"
            )
        try:
            return cls(**read_json(path))
        except TypeError as error:
            raise InputError(f"{path} is no sweep's ({error}); restore it from a copy") from error


def names_in(axis: str) -> list[str]:
    """The arguments of an axis."""
    return axis.split(",")


def of_paper(name: str, more: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The grid of a sweep of the paper, and more axes.

    Raises:
        InputError: There is none of that name, or an axis is given that it has.
    """
    require_known("sweep of the paper", name, PAPER_SWEEPS)
    both = sorted(PAPER_SWEEPS[name].keys() & more.keys())
    if both:
        raise InputError(f"--grid {both[0]}: --paper {name} has values for it; give one of the two")
    return {axis: list(values) for axis, values in {**PAPER_SWEEPS[name], **more}.items()}


def text_of(value: Any) -> str:
    """A value in tables and on axes: short, and as it can be given on the command line."""
    if isinstance(value, float):
        return f"{value:.12g}"
    return value if isinstance(value, str) else json.dumps(value).replace(" ", "").replace("null", "none")


def _require_distinct(where: str, values: list[Any]) -> None:
    if not values:
        raise InputError(f"{where} has no values: give one or more, with commas between them")
    for i, value in enumerate(values):
        if value in values[:i]:
            raise InputError(f"{where} has {text_of(value)} twice: give it once")
