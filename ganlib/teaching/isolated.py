"""Run a notebook that somebody else wrote, and keep what it does to itself.

It runs in a kernel with a home, a working folder and an environment of its own, which are gone afterwards; in a process
group of its own, which is killed whole; a cell has limits on its time and on its output; and whatever ends the kernel
ends nothing else. It still runs with the rights of who runs it: it can read that user's files and use the network.
"""

import contextlib
import copy
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# what a kernel may know of the environment: how to find Python and its libraries, and what makes TensorFlow quick
_KEPT = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "LD_LIBRARY_PATH")
_KEPT_BEGINNINGS = ("GANLIB_", "TF_", "KERAS_", "OMP_", "CUDA_")
LARGEST_OUTPUT = 1_000_000  # characters a cell; what comes after them is dropped as it comes
_GRACE = 10.0  # seconds that a cell has to end after an interrupt, before the whole process group is killed


def run(notebook: Any, startup: str, last: Sequence[str], timeout: float) -> tuple[Any, str | None]:
    """Run the cells of a notebook, then cells of our own, going on after errors.

    Args:
        notebook: An nbformat node; unchanged.
        startup: Code that the kernel runs before the first cell.
        last: Code of the cells that are added.
        timeout: Seconds for a cell: then it is interrupted, and ten seconds later killed.

    Returns:
        A copy with the outputs, as far as it went; and why it went no farther, or None.
    """
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in last]
    with tempfile.TemporaryDirectory(prefix="ganlib-grading-", ignore_cleanup_errors=True) as place:
        home = Path(place) / "home"
        profile = home / ".ipython" / "profile_default" / "startup"
        profile.mkdir(parents=True)
        (profile / "00-ganlib.py").write_text(startup, encoding="utf-8")
        work = Path(place) / "work"
        work.mkdir()
        client = _client(notebook, work, timeout)
        watchdog = threading.Thread(target=_watch, args=(client,), daemon=True)
        watchdog.start()
        try:
            client.execute(env=_environment(home, Path(place)))
            return notebook, None
        except (CellTimeoutError, DeadKernelError):
            killed = f"it did not end {_GRACE:g} s after its {timeout:g} s were over, and was killed"
            return notebook, killed if client.overdue else "it ended its own process"
        finally:
            client.deadline = None
            client.finished = True
            _kill(client)


def _client(notebook: Any, work: Path, timeout: float) -> Any:
    """nbclient's, with a limit on output and a clock that a watchdog reads."""
    from nbclient import NotebookClient

    class Client(NotebookClient):
        deadline: float | None = None
        overdue = finished = False
        group: int | None = None
        sizes: dict[int, int]

        def process_message(self, msg, cell, cell_index):
            """Drop the output of a cell that has had its share."""
            if msg["msg_type"] in (
                "stream",
                "display_data",
                "execute_result",
                "update_display_data",
                "error",
            ):
                left = LARGEST_OUTPUT - self.sizes.get(cell_index, 0)
                if msg["msg_type"] == "stream":
                    msg["content"]["text"] = msg["content"]["text"][: max(0, left)]
                size = len(json.dumps(msg["content"], default=str))
                self.sizes[cell_index] = LARGEST_OUTPUT - left + size
                if left <= 0 or (size > left and msg["msg_type"] != "stream"):
                    return None
            return super().process_message(msg, cell, cell_index)

    def begins(cell, cell_index):
        client.group = client.group or getattr(client.km.provisioner, "pid", None)
        client.deadline = time.monotonic() + timeout + _GRACE

    client = Client(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(work)}},
        timeout=timeout,
        startup_timeout=300,
        allow_errors=True,
        interrupt_on_timeout=True,
        record_timing=False,
        on_cell_execute=begins,
    )
    client.sizes = {}
    return client


def _watch(client: Any) -> None:
    """Kill the kernel when a cell is beyond its time and did not heed the interrupt."""
    while not client.finished:
        deadline = client.deadline
        if deadline is not None and time.monotonic() > deadline:
            client.overdue = True
            _kill(client)
            return
        time.sleep(0.2)


def _kill(client: Any) -> None:
    """Kill the kernel's process group: it leads one, so this reaches what it started too."""
    if client.group is None:
        return
    with contextlib.suppress(
        ProcessLookupError, PermissionError, AttributeError
    ):  # gone; Windows has no groups
        os.killpg(client.group, signal.SIGKILL)


def _environment(home: Path, place: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)
    }
    temporary = place / "tmp"
    temporary.mkdir()
    return kept | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "IPYTHONDIR": str(home / ".ipython"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "MPLCONFIGDIR": str(home / ".matplotlib"),
        "TMPDIR": str(temporary),
        "PYTHONNOUSERSITE": "1",
    }
