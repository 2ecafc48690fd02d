"""Run folders: what `ganlib train` leaves behind, continues, and `ganlib sample` reads.

config.json         how the run was started: enough to resume it and to build its model again
history.csv         losses, logits and speed               curves.png   the same, drawn
samples/            step-00000500.png ... of the same latents, training.gif
checkpoints/        step-00000500 ... everything that resuming needs
model.weights.h5    the networks at the end                metrics.json  scores; its presence says:
complete
"""

from ganlib.runs.folder import load
from ganlib.runs.measure import evaluate, scored, translate
from ganlib.runs.train import check, train

__all__ = ["check", "evaluate", "load", "scored", "train", "translate"]
