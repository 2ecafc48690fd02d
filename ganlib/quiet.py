"""Import TensorFlow without its start-up chatter, which strict `pytest --nbval` would compare."""

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import tensorflow and keras with file descriptor 2 parked in a temporary file.

    TensorFlow's C++ code logs to the descriptor itself, past `sys.stderr`, before its own log level applies.
    If the import fails, what was parked is printed.
    """
    if "tensorflow" in sys.modules and "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        saved = os.dup(2)
    except OSError:  # no stderr at all (pythonw on Windows): nothing to park
        import keras
        import tensorflow

        return
    with tempfile.TemporaryFile() as parked:
        os.dup2(parked.fileno(), 2)
        try:
            import keras  # noqa: F401
            import tensorflow
        except BaseException:
            os.dup2(saved, 2)
            parked.seek(0)
            sys.stderr.write(parked.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
    # a warning that several models were traced in one process, which a lesson does on purpose
    tensorflow.get_logger().setLevel("ERROR")
