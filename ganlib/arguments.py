"""Checks of arguments: one line that names the value, says what was expected, and gives an example."""

import difflib
import math
from typing import Any

import numpy as np

from ganlib.errors import InputError


def require_positive_integers(**values: Any) -> None:
    """Check arguments.

    Raises:
        InputError: One of them is not an integer of at least 1; names it.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InputError(f"{name}={value!r} is out of range: give an integer of at least 1")


def require_counts(**values: Any) -> None:
    """The same for integers of at least 0."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise InputError(f"{name}={value!r} is out of range: give an integer of at least 0")


def require_positive(*, example: str, **values: Any) -> None:
    """Check arguments.

    Args:
        example: A value that would do, for the message.
        **values: The arguments, by name.

    Raises:
        InputError: One of them is not a finite number above 0; names it.
    """
    for name, value in values.items():
        if not (_finite(value) and value > 0):
            raise InputError(f"{name}={value!r} is out of range: give a number above 0, like {example}")


def require_not_negative(*, example: str, **values: Any) -> None:
    """The same for numbers of at least 0."""
    for name, value in values.items():
        if not (_finite(value) and value >= 0):
            raise InputError(f"{name}={value!r} is out of range: give a number of at least 0, like {example}")


def require_share(*, example: str, **values: Any) -> None:
    """The same for numbers in [0, 1): probabilities that must not be sure, and decays."""
    for name, value in values.items():
        if not (_finite(value) and 0 <= value < 1):
            raise InputError(f"{name}={value!r} is out of range: give a number in [0, 1), like {example}")


def require_decay(ema_decay: Any) -> None:
    """Check the decay of an average.

    Raises:
        InputError: It is neither None nor a number in [0, 1).
    """
    if ema_decay is not None and not (_finite(ema_decay) and 0 <= ema_decay < 1):
        raise InputError(
            f"ema_decay={ema_decay!r} is out of range: give a number in [0, 1), or None for no EMA"
        )


def require_seed(seed: Any, optional: bool = False) -> None:
    """Check a seed.

    Args:
        seed: An integer, or None where it is optional.
        optional: For the message.

    Raises:
        InputError: It is no integer.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        or_none = ", or None" if optional else ""
        raise InputError(f"seed={seed!r} is not an integer: give one, for example 0{or_none}")


def require_known(kind: str, name: Any, known: Any) -> None:
    """Check that a table has an entry.

    Args:
        kind: What the entries are called: "loss", "architecture".
        name: What was asked for.
        known: Names of the entries.

    Raises:
        InputError: There is none of that name; names the nearest, or all.
    """
    if not isinstance(name, str) or name not in known:
        close = difflib.get_close_matches(str(name), known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(known)}"
        raise InputError(f"there is no {kind} {name!r}: {hint}")


def _finite(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return number and math.isfinite(value)
