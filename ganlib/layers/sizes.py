"""Resolutions and widths that the networks of several papers share."""

from ganlib.errors import InputError

Widths = tuple[list[int], list[int], list[int]]


def smallest_size(resolution: int) -> tuple[int, int]:
    """The resolution that G starts from, and the number of doublings from there: 64 -> (4, 4), 28 -> (7, 2).

    Raises:
        InputError: `resolution` is not 4, 5, 6 or 7 times a power of two, or below 8.
    """
    size, stages = resolution, 0
    while size >= 8 and size % 2 == 0:
        size, stages = size // 2, stages + 1
    if not 4 <= size < 8 or stages == 0:
        raise InputError(
            f"resolution={resolution} is not 4, 5, 6 or 7 times a power of two: use 28, 32, 64 or 128"
        )
    return size, stages


def constant_widths(resolution: int, base_channels: int) -> Widths:
    """G's widths, those of D's halving blocks, and of its last ones: SNGAN's, D half as wide as G."""
    _, stages = smallest_size(resolution)
    half = max(1, base_channels // 2)
    return [base_channels] * (stages + 1), [half] * max(1, stages - 1), [half] * 2


def doubling_widths(resolution: int, base_channels: int) -> Widths:
    """The same for networks whose channels double with each halving: 16, 16, 8, 4, 2, 1; 1, 2, 4, 8, 16; 16 at 128."""
    _, stages = smallest_size(resolution)
    halving = [base_channels * 2**stage for stage in range(stages)]
    return [halving[-1], *halving[::-1]], halving, [halving[-1]]
