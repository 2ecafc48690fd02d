"""How far a sweep is: one bar over its trials, which moves while a trial trains."""

import sys
import time
from typing import Any

import tqdm.auto

from ganlib.callbacks.steps import EverySteps


class Bar:
    """A bar over trials, with the time left.

    Args:
        trials: How many there are in all.
        over: How many are over.
        minutes: After which a trial ends, if that is earlier than its last step.
    """

    def __init__(self, trials: int, over: int, minutes: float | None = None):
        self.minutes = minutes
        self.over = over
        self._pause = 0.5 if sys.stderr.isatty() or "ipykernel" in sys.modules else 30.0
        self._last = time.monotonic()
        self._bar = tqdm.auto.tqdm(
            total=trials,
            initial=over,
            smoothing=0,
            dynamic_ncols=True,
            bar_format="{l_bar}{bar}| {n:.1f}/{total_fmt} trials [{elapsed}<{remaining}]",
        )

    def share(self) -> "_Share":
        """A callback that moves the bar with the steps of the next trial."""
        return _Share(self)

    def part(self, done: float) -> None:
        """Show that so much of a trial is done, in [0, 1], if it is time to show anything."""
        if time.monotonic() - self._last >= self._pause:
            self._show(self.over + done)

    def move_to(self, over: int) -> None:
        """Show that so many trials are over."""
        self.over = over
        self._show(over)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.write(line, file=sys.stdout)

    def close(self) -> None:
        """Draw the last state, without timings, and end."""
        self._bar.bar_format = "{l_bar}{bar}| {n:.0f}/{total_fmt} trials"
        self._show(self.over)
        self._bar.close()

    def _show(self, trials: float) -> None:
        self._bar.n = trials
        self._bar.refresh()
        self._last = time.monotonic()


class _Share(EverySteps):
    """Tells the bar which share of its steps, or of its minutes, a trial has done."""

    def __init__(self, bar: Bar):
        super().__init__(None)
        self.bar = bar

    def on_train_begin(self, logs=None):
        """Start the clock."""
        super().on_train_begin()
        self._steps = self.step + self.params["steps"] * self.params["epochs"]
        self._start = time.monotonic()

    def each(self, logs: dict[str, Any]) -> None:
        """Move."""
        passed = time.monotonic() - self._start
        of_time = passed / (60 * self.bar.minutes) if self.bar.minutes else 0.0
        self.bar.part(min(1.0, max(self.step / self._steps, of_time)))

    def close(self) -> None:
        """Nothing to end: the bar is the sweep's."""
