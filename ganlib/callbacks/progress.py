"""How far training is, and when its time is up."""

import sys
import time
from typing import Any

import tqdm.auto

from ganlib.callbacks.steps import EverySteps


class StopAfter(EverySteps):
    """Ends `fit` after the step during which so many seconds have passed; callbacks run their ends as always.

    Args:
        seconds: Of this call of `fit`.
    """

    def __init__(self, seconds: float):
        super().__init__(None)
        self.seconds = seconds
        self._end = 0.0

    def on_train_begin(self, logs=None):
        """Start the clock."""
        super().on_train_begin()
        self._end = time.monotonic() + self.seconds

    def each(self, logs: dict[str, Any]) -> None:
        """Look at the clock."""
        if time.monotonic() >= self._end:
            self.model.stop_training = True


class ProgressBar(EverySteps):
    """One bar over all steps of the run, with the time left, images/s and the losses.

    It moves twice a second in a terminal or a notebook, twice a minute in a log file; only then are losses
    read.
    """

    def __init__(self):
        super().__init__(None)
        self.bar = None

    def on_train_begin(self, logs=None):
        """Open the bar at the restored step."""
        super().on_train_begin()
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        self._pause = 0.5 if sys.stderr.isatty() or "ipykernel" in sys.modules else 30.0
        self.bar = tqdm.auto.tqdm(
            total=self.step + steps * epochs if steps else None,
            initial=self.step,
            unit="step",
            dynamic_ncols=True,
            mininterval=0,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} steps [{elapsed}<{remaining}{postfix}]",
        )
        self._last, self._images = time.monotonic(), int(self.model.images_seen)

    def each(self, logs: dict[str, Any]) -> None:
        """Move the bar if it is time to."""
        now = time.monotonic()
        if now - self._last < self._pause:
            return
        images = int(self.model.images_seen)
        shown = {"images/s": f"{(images - self._images) / (now - self._last):.0f}"}
        for name, short in (("discriminator_loss", "D"), ("generator_loss", "G")):
            if name in logs:
                shown[short] = f"{float(logs[name]):.3g}"
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(self.step - self.bar.n)
        self._last, self._images = now, images

    def on_train_end(self, logs=None):
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Draw the last state and end; also to be called when training breaks off.

        The last state has no timings, so that a notebook's stored output is the same next time.
        """
        if self.bar is None:
            return
        self.bar.bar_format = "{l_bar}{bar}| {n_fmt}/{total_fmt} steps"
        self.bar.set_postfix_str("", refresh=False)
        self.bar.n = self.step
        self.bar.refresh()
        self.bar.close()
        self.bar = None
