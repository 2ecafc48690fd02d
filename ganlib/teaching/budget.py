"""How long a lesson trains: smoke (tests), laptop (two CPU cores), colab (a GPU or TPU).

A preset says what a network is; the budget says how long it trains, over how many seeds, and on how many
samples it is measured. A lesson's network is the same under every budget, and so is the text that it prints.
"""

import functools
import os
from dataclasses import dataclass

from ganlib.errors import InputError

NAMES = ("smoke", "laptop", "colab")

_SEEDS = {"smoke": 1, "laptop": 3, "colab": 5}
_SMOKE_SHARE = 1 / 100  # of the laptop's steps: enough to trace, run and plot, too few to learn
_SMOKE_SAMPLES = 256
_COLAB_STEPS, _COLAB_SAMPLES = 4, 2


@dataclass(frozen=True)
class Budget:
    """One of `NAMES`, with the numbers that follow from it.

    Raises:
        InputError: the name is not one of `NAMES`.
    """

    name: str

    def __post_init__(self):
        if self.name not in NAMES:
            raise InputError(
                f"GANLIB_BUDGET is {self.name!r}, but must be one of {', '.join(NAMES)}: "
                "set it so, or unset it to choose by the hardware"
            )

    @property
    def asserts(self) -> bool:
        """Whether runs are long enough for learned outcomes to be asserted and recorded."""
        return self.name != "smoke"

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds to repeat an experiment with: 1 under smoke, 3 under laptop, 5 under colab."""
        return tuple(range(_SEEDS[self.name]))

    def steps(self, laptop: int, *, smoke: int | None = None, colab: int | None = None) -> int:
        """Training steps, given how many a laptop affords.

        Args:
            laptop: steps under laptop, at least 1.
            smoke: steps under smoke; by default a hundredth of `laptop`, at least 2 and at most `laptop`.
            colab: steps under colab; by default four times `laptop`.

        Raises:
            InputError: a count is below 1.
        """
        if smoke is None:
            smoke = min(laptop, max(2, round(laptop * _SMOKE_SHARE)))
        return self._count("steps", smoke, laptop, laptop * _COLAB_STEPS if colab is None else colab)

    def samples(self, laptop: int, *, smoke: int | None = None, colab: int | None = None) -> int:
        """How many samples to measure with, given how many a laptop affords.

        Args:
            laptop: samples under laptop, at least 1.
            smoke: samples under smoke; by default `laptop`, at most 256.
            colab: samples under colab; by default twice `laptop`.

        Raises:
            InputError: a count is below 1.
        """
        if smoke is None:
            smoke = min(laptop, _SMOKE_SAMPLES)
        return self._count("samples", smoke, laptop, laptop * _COLAB_SAMPLES if colab is None else colab)

    def expects(self, condition: bool, message: str) -> None:
        """Assert a learned outcome where the budget is long enough for it; do nothing under smoke.

        Args:
            condition: what should have been learned, as measured in this run.
            message: what was expected, and what to do when it did not come out.

        Raises:
            AssertionError: with `message`, under laptop and colab, if `condition` is false.
        """
        if self.asserts and not condition:
            raise AssertionError(message)

    def _count(self, what: str, smoke: int, laptop: int, colab: int) -> int:
        counts = {"laptop": laptop, "smoke": smoke, "colab": colab}
        for name, count in counts.items():
            if count < 1:
                raise InputError(
                    f"{what} under {name} is {count}, but must be at least 1: give a larger count"
                )
        return int(counts[self.name])


@functools.cache
def budget() -> Budget:
    """The budget of this process, from the environment variable GANLIB_BUDGET, read once.

    Unset or empty, it is colab where TensorFlow sees a GPU or TPU, and laptop elsewhere. TensorFlow is
    imported on the way, without its start-up messages, so that a lesson that calls this first prints none.

    Raises:
        InputError: GANLIB_BUDGET is set to anything else; the message names the value.
    """
    name = os.environ.get("GANLIB_BUDGET", "")
    chosen = Budget(name) if name else None  # a wrong name is told at once, not after TensorFlow's import

    from ganlib.quiet import import_tensorflow

    import_tensorflow()
    return chosen or Budget("colab" if _accelerator_visible() else "laptop")


def _accelerator_visible() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("TPU"))
