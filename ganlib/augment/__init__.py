"""Differentiable augmentations, through which D looks at real and at generated images alike: D(T(x)), D(T(G(z))).

    gan = GAN(generator, discriminator, tricks=[ADA()])
    augment.add(models.SNGAN.from_preset("laptop"), "ada")    # to a model that was made without; before compile()

G never sees them; as long as what they do can be undone in distribution, it learns the distribution of the plain images
(Karras et al. 2020, section 2.2).
"""

from typing import TYPE_CHECKING

from ganlib.arguments import require_known
from ganlib.augment.ada import ADA
from ganlib.augment.diffaugment import DiffAugment
from ganlib.augment.pipeline import PIPELINES, Draws, Pipeline
from ganlib.errors import InputError
from ganlib.trick import Trick

if TYPE_CHECKING:
    from ganlib.engine import Engine

__all__ = ["ADA", "AUGMENTATIONS", "PIPELINES", "DiffAugment", "Draws", "Pipeline", "add"]

# What `ganlib train --augment` knows, with the papers' settings.
AUGMENTATIONS = {"ada": ADA, "diffaugment": DiffAugment}


def add(model: "Engine", augmentation: str | Trick) -> None:
    """Let the discriminators of a model look through an augmentation, after its other tricks; before `compile`.

    Args:
        model: Any with a discriminator.
        augmentation: A name in `AUGMENTATIONS`, or the trick itself.

    Raises:
        InputError: The model has no discriminator, is compiled, or makes what the augmentation is not for; or there is
            no such augmentation. The model is as it was.
    """
    if isinstance(augmentation, str):
        require_known("augmentation", augmentation, AUGMENTATIONS)
        augmentation = AUGMENTATIONS[augmentation]()
    name, kind = type(augmentation).__name__, type(model).__name__
    if not (hasattr(model, "viewed") and model.players_of("discriminator")):
        raise InputError(f"{name} is what a discriminator looks through, and {kind} has none: leave it out")
    if model.compiled:
        raise InputError(f"this {kind} is compiled already: add {name} before compile()")
    with model.distribute_strategy.scope():
        augmentation.build(model)
    model.tricks.append(augmentation)
