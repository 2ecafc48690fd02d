"""BigGAN's table 1, column "Param (M)", beside the networks here; from how many classes on a shared embedding saves.

    python benchmarks/biggan_parameters.py

Trainable parameters of G and D at 128x128 with 1000 classes, counted on networks that are built, with zeros as weights.
The paper's two rows with skip-z are 0.13 M below: G's embedding of 1000 classes by 128 numbers, 0.128 M, is left out
there, though it is counted in the row above (160.58 with it, 160.45 without it).
"""

from ganlib import catalogue
from ganlib.quiet import import_tensorflow

# ch, shared, skip-z, orthogonal, "Param (M)", and the preset here
TABLE_1 = [
    (64, "no", "no", "no", 81.5, "imagenet_128_baseline"),
    (96, "no", "no", "no", 173.5, "imagenet_128_separate"),
    (96, "yes", "no", "no", 160.6, "imagenet_128_shared"),
    (96, "yes", "yes", "no", 158.3, "imagenet_128_no_ortho"),
    (96, "yes", "yes", "yes", 158.3, "imagenet_128"),
    (64, "yes", "yes", "yes", 71.3, "imagenet_128_ch64"),
]
CLASSES = (10, 100, 1000)


def parameters(preset: str, **arguments: object) -> tuple[int, int]:
    """Of G and of D."""
    from ganlib.models import BigGAN

    with catalogue.zero_weights():
        gan = BigGAN.from_preset(preset, ema_decay=None, **arguments)
    return tuple(catalogue.parameters_of(gan).values())


def table_1() -> list[str]:
    """The table's rows."""
    lines = ["  ch  shared  skip-z  ortho.   paper    here   without the embedding           G            D"]
    for ch, shared, skip_z, orthogonal, paper, preset in TABLE_1:
        g, d = parameters(preset)
        embedding = 1000 * 128 if shared == "yes" else 0
        lines.append(
            f"{ch:4}{shared:>8}{skip_z:>8}{orthogonal:>8}{paper:8.1f}{(g + d) / 1e6:8.2f}"
            f"{(g + d - embedding) / 1e6:24.2f}{g:12,}{d:13,}"
        )
    return lines


def shared_embedding() -> list[str]:
    """G's parameters, all else alike, for numbers of classes, and the first number for which sharing has fewer."""
    lines = ["classes   tables in each norm   shared embedding       saved"]
    saved = {}
    for classes in CLASSES:
        same = {"num_classes": classes, "latent_dim": 120}
        apart, _ = parameters("imagenet_128", architecture="separate", **same)
        shared, _ = parameters("imagenet_128", architecture="shared", **same)
        saved[classes] = apart - shared
        lines.append(f"{classes:7,}{apart:22,}{shared:19,}{apart - shared:12,}")
    first, *_, last = CLASSES
    slope = (saved[last] - saved[first]) // (last - first)
    start = first + -saved[first] // slope + 1
    return [*lines, f"It saves {slope:,} parameters a class more, so it has fewer from {start} classes on."]


if __name__ == "__main__":
    import_tensorflow()
    print("\n".join([*table_1(), "", *shared_embedding()]))
