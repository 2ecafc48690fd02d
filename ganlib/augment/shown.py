"""What the discriminators of a model are shown, for augmentations to check before anything runs."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from ganlib.errors import InputError

if TYPE_CHECKING:
    from ganlib.engine import Engine


def require_images(gan: "Engine", name: str, channels: Collection[int] | None = None) -> None:
    """Check that it is images: the model's own, and the first inputs of its discriminators, where they are known.

    Args:
        gan: The model.
        name: Of the augmentation, for the message.
        channels: Numbers of channels that it can be had with; None: all.

    Raises:
        InputError: It is points or vectors, or has other channels.
    """
    networks = [player.network for player in gan.players_of("discriminator")]
    inputs = [known[0] for known in (getattr(network, "inputs", None) for network in networks) if known]
    shapes = [tuple(known.shape[1:]) for known in inputs]
    if any(len(shape) == 3 for shape in shapes):  # StackedGAN's upper D looks at features, as they are
        shapes = [shape for shape in shapes if len(shape) == 3]
    for shape in (gan.image_shape, *shapes):
        if len(shape) != 3 or (channels and shape[2] not in channels):
            of = " or ".join(map(str, channels or ["channels"]))
            raise InputError(
                f"{name} looks at images (height, width, {of}), {type(gan).__name__} shows D {shape}: leave it out"
            )
