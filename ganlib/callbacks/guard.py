"""What stops `fit` in order: a signal, or a number that is not finite."""

import contextlib
import math
import signal
import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ganlib.errors import TrainingDiverged


class Guard(keras.callbacks.Callback):
    """Stops on a signal after the running step, and on a loss that is not finite with what one needs to know.

    Logs are looked at a few steps at a time: looking at them waits for the device.

    Args:
        received: Numbers of the signals so far, as `stop_signals` notes them.

    Raises:
        TrainingDiverged: In `fit`, once a log is not finite.
    """

    _EVERY = 16

    def __init__(self, received: list[int]):
        super().__init__()
        self.received = received
        self.pending: list[tuple[int, dict[str, Any]]] = []

    def on_train_begin(self, logs=None):
        """Take over the model's count."""
        self.step = self.model.step

    def on_train_batch_end(self, batch, logs=None):
        """Stop after a signal; keep the logs."""
        if self.received:
            self.model.stop_training = True
        self.step += self.model.steps_per_execution
        self.pending.append((self.step, logs or {}))
        if len(self.pending) >= self._EVERY:
            self._look()

    def on_epoch_end(self, epoch, logs=None):
        """Look at the rest."""
        self._look()

    def _look(self):
        pending, self.pending = self.pending, []
        for step, logs in pending:
            values = {name: float(value) for name, value in logs.items()}
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            if bad:
                # logits come before the losses made of them
                tensor = next((name for name in bad if name.endswith("logits")), bad[0])
                raise TrainingDiverged(f"step {step}: {tensor} is {values[tensor]}{self._where()}")

    def _where(self) -> str:
        gan, last = self.model, self.model.last_checkpoint
        variables = [v for network in gan.players().values() for v in network.variables]
        bad = (v.path for v in variables if not np.isfinite(keras.ops.convert_to_numpy(v)).all())
        variable = next(bad, None)
        return (
            (f", and the variable {variable} is not finite" if variable else "")
            + (f"; the last good checkpoint is {last}" if last else "; there is no checkpoint to go back to")
            + "; lower the learning rate or change the loss, then resume from there"
        )


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Inside, SIGINT, SIGTERM and SIGHUP are noted in the list that is given; a second one of any interrupts.

    SIGHUP is what a closed terminal or a lost connection sends; where it is ignored (nohup) it stays so. Handlers can
    be set in the main thread only; elsewhere signals act as they always do.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number, frame):
        if received:
            raise KeyboardInterrupt
        received.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)]  # Windows has none
    heard = {number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN}
    previous = {number: signal.signal(number, note) for number in heard}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
