"""A run in phases: growth, levels trained one after the other, stages and then all together, as data."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ganlib.errors import InputError
from ganlib.updates import Table


class Phase(NamedTuple):
    """A part of a run with a table, a batch size and a level of its own.

    Attributes:
        images: Distinct real images that it shows, rounded up to whole steps; None: it never ends.
        batch_size: Of its batches; None: the model's, or whatever the data comes in.
        level: What `Engine.level` is meanwhile: a resolution, a level of a pyramid, a stage.
        rows: Its table; None: `updates()`.
    """

    images: int | None = None
    batch_size: int | None = None
    level: Any = 0
    rows: Table | None = None


class Schedule:
    """The phases of a run, counted in steps: all a function of the step, none of it state.

    Args:
        phases: In order; only the last may be endless.
        batch_size: Of phases that name none.
        batches: For each phase the number of batches that a step draws.

    Raises:
        InputError: A phase before the last has no end.
    """

    def __init__(self, phases: Sequence[Phase], batch_size: int, batches: Sequence[int]):
        self.phases = [
            phase._replace(batch_size=batch_size) if phase.batch_size is None else phase for phase in phases
        ]
        self.batches_a_step = list(batches)
        self.images_a_step = [p.batch_size * n for p, n in zip(self.phases, batches, strict=True)]
        self.ends: list[float] = []  # the step before which each phase ends
        for i, (phase, a_step) in enumerate(zip(self.phases, self.images_a_step, strict=True)):
            if phase.images is None and i + 1 < len(self.phases):
                raise InputError(f"phase {i} has images=None but is not the last: say how many it shows")
            steps = math.inf if phase.images is None else math.ceil(phase.images / a_step)
            self.ends.append(steps + (self.ends[-1] if self.ends else 0))

    def at(self, step: int) -> int:
        """The number of the phase that step number `step` belongs to; the last one for steps beyond the end."""
        return next((i for i, end in enumerate(self.ends) if step < end), len(self.ends) - 1)

    def images_for(self, steps: int) -> int:
        """Distinct real images that so many steps show."""
        return self._total(steps, self.images_a_step)

    def batches_for(self, steps: int) -> int:
        """Batches that so many steps draw."""
        return self._total(steps, self.batches_a_step)

    def _total(self, steps: int, a_step: Sequence[int]) -> int:
        total, begin = 0, 0
        for end, of_phase in zip([*self.ends[:-1], math.inf], a_step, strict=True):
            total += int(max(0, min(steps, end) - begin)) * of_phase
            begin = end
        return total

    def steps_for(self, images: float) -> int:
        """Steps until so many distinct real images were shown."""
        begin = 0
        for end, a_step in zip(self.ends[:-1], self.images_a_step, strict=False):
            if images <= (end - begin) * a_step:
                break
            images -= (end - begin) * a_step
            begin = int(end)
        a_step = self.images_a_step[self.at(begin)]
        return begin + math.ceil(round(images / a_step, 6))

    def check_call(self, steps_per_execution: int) -> None:
        """Several steps a call must not jump over the end of a phase.

        Raises:
            InputError: They would.
        """
        for i, end in enumerate(self.ends[:-1]):
            if end % steps_per_execution:
                raise InputError(
                    f"steps_per_execution={steps_per_execution} does not divide {int(end)}, the step at which phase "
                    f"{i} ends: use one that does, for example 1"
                )
