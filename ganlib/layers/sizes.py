"""Resolutions and widths that the networks of several papers share."""

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError

Widths = tuple[list[int], list[int], list[int]]


def smallest_size(resolution: int) -> tuple[int, int]:
    """The resolution that G starts from, and the number of doublings from there: 64 -> (4, 4), 28 -> (7, 2).

    Raises:
        InputError: `resolution` is not 4, 5, 6 or 7 times a power of two, or below 8.
    """
    require_positive_integers(resolution=resolution)
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


def mimicry_widths(resolution: int, base_channels: int) -> Widths:
    """The same for mimicry's ResNets (kwotsin/mimicry, commit a7fda06, `torch_mimicry/nets/sngan/sngan_32.py` and on).

    At 128 they are `doubling_widths`; at 64 D halves to 2x2, with no block behind that; at 48 D is twice as wide at its
    end; at 32 all of G is as wide as four times those next to the image elsewhere, and D half of it.

    Raises:
        InputError: mimicry has no networks of this resolution.
    """
    factors = {
        32: ([4, 4, 4, 4], [2, 2], [2, 2]),
        48: ([8, 4, 2, 1], [1, 2, 4, 8], [16]),
        64: ([16, 8, 4, 2, 1], [1, 2, 4, 8, 16], []),
        128: ([16, 16, 8, 4, 2, 1], [1, 2, 4, 8, 16], [16]),
    }
    require_positive_integers(resolution=resolution)
    if resolution not in factors:
        raise InputError(
            f"resolution={resolution}: mimicry's networks are for {', '.join(map(str, factors))}"
        )
    return tuple([base_channels * factor for factor in some] for some in factors[resolution])


def biggan_widths(resolution: int, base_channels: int) -> Widths:
    """The same for BigGAN's networks (Brock et al. 2019, tables 4 to 6; BigGAN-PyTorch's for 32 and 64).

    Up to 32x32 all blocks are as wide as each other, and D halves twice. 512's D is the paper's.
    """
    _, stages = smallest_size(resolution)
    if stages <= 3:
        rising, halving, same = [4] * (stages + 1), [4] * min(stages, 2), [4, 4]
    elif stages == 4:
        rising, halving, same = [16, 16, 8, 4, 2], [1, 2, 4, 8], [16]
    else:
        inside = {5: [8, 4, 2], 6: [8, 8, 4, 2], 7: [8, 8, 4, 2, 1]}
        if stages not in inside:
            raise InputError(f"resolution={resolution}: BigGAN's networks end at 512")
        rising = [16, 16, *inside[stages], 1]
        halving, same = rising[:0:-1], [16]
    return tuple([base_channels * factor for factor in factors] for factors in (rising, halving, same))


def biggan_places(resolution: int, blocks: int) -> list[int]:
    """The size that BigGAN's D has behind each of its blocks, as the authors' tables say: attention goes by it.

    At 32x32 theirs says 16 for all blocks, though the size is 8 from the second on: attention at 16 is behind each.
    """
    _, stages = smallest_size(resolution)
    return [resolution // 2 ** (1 if stages <= 3 else min(block, stages)) for block in range(1, blocks + 1)]
