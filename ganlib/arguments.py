"""Checks of arguments: one line that names the value, says what was expected, and gives an example."""

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


def _finite(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return number and math.isfinite(value)
