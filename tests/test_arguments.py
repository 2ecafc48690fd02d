"""Checks of arguments: what passes, what is named."""

import numpy as np
import pytest

from ganlib import arguments as a
from ganlib.errors import InputError

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("check", "good", "bad", "expected"),
    [
        (
            a.require_positive_integers,
            [1, np.int64(3)],
            [0, -1, 2.0, True, "3", None],
            "an integer of at least 1",
        ),
        (a.require_counts, [0, 7], [-1, 0.5, False, None], "an integer of at least 0"),
        (
            a.require_positive,
            [1e-30, 3, np.float32(0.5)],
            [0, -1.0, NAN, INF, True, "1", None],
            "a number above 0",
        ),
        (a.require_not_negative, [0, 0.0, 1e9], [-1e-9, NAN, INF, False, "0"], "a number of at least 0"),
        (a.require_share, [0, 0.999], [1, -0.1, NAN, False, [0.5]], r"a number in \[0, 1\)"),
    ],
)
def test_what_is_in_range(check, good, bad, expected):
    integers = check in (a.require_positive_integers, a.require_counts)
    more = {} if integers else {"example": "0.25"}
    for value in good:
        check(**more, one=value, other=good[0])
    for value in bad:
        with pytest.raises(InputError) as caught:
            check(**more, one=good[0], other=value)
        message = str(caught.value)
        assert message.startswith(f"other={value!r} is out of range: give ") and "\n" not in message
        assert message.endswith(" like 0.25") or integers
        assert caught.match(expected)
