"""What to watch while a model trains: samples, curves, a table, a bar, scores, trouble; and checkpoints.

Keras callbacks for `fit`; a batch of theirs is a step of the model. None waits for the device except where it
writes. All resume: what lies on disk from beyond the restored step is dropped, the rest is continued.

    folder = "runs/dcgan"
    callbacks = [History(folder), Checkpoint(f"{folder}/checkpoints"), SampleGrid(f"{folder}/samples")]
    gan.fit(data.batch(gan.batch_size), steps_per_epoch=1000, callbacks=callbacks)

`ganlib.monitors` are those that look for trouble. No callback knows a model: each asks the one that it is given.
"""

from ganlib.callbacks.checkpoint import Checkpoint
from ganlib.callbacks.diversity import CollapseAlarm
from ganlib.callbacks.evaluate import Evaluate
from ganlib.callbacks.gradient_norms import GradientNorms
from ganlib.callbacks.guard import Guard, stop_signals
from ganlib.callbacks.history import Curves, History
from ganlib.callbacks.monitor import Alarm, Monitor
from ganlib.callbacks.pictures import SampleGrid
from ganlib.callbacks.progress import ProgressBar, StopAfter
from ganlib.callbacks.spectra import Spectra
from ganlib.callbacks.steps import EverySteps, Table
from ganlib.callbacks.tensorboard import TensorBoard
