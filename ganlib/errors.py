"""Errors that name the value, what was expected, and what to do."""


class GanlibError(Exception):
    """Base of every error that ganlib raises on purpose; the CLI prints it as one line."""


class InputError(GanlibError, ValueError):
    """An argument, a file or an option is not what it should be. Nothing has been written. Exit status 2."""


class DataError(InputError):
    """A dataset is missing, empty, unreadable or of the wrong shape. Exit status 2."""


class CheckpointError(GanlibError):
    """A checkpoint or weights file cannot be written, or does not fit the model. Exit status 1."""


class TrainingDiverged(GanlibError):  # noqa: N818  (what happened, not an error of the program)
    """A loss or a logit is not finite any more. Names the step, the tensor and the last good checkpoint."""


class StateNotFinite(CheckpointError, TrainingDiverged):  # noqa: N818
    """A variable is not finite when the state is to be saved: training diverged, and nothing was written."""
