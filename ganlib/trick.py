"""The hooks of a step: what penalties, tricks and augmentations are made of."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from ganlib.engine import Engine
    from ganlib.updates import Player


class Trick:
    """Named places of a step where something may be changed; by default nothing is.

    A trick belongs to one model, and is asked with the player that it is about: its name, its role and its network.
    What must survive a restart is in `variables`. What moves inside of a step is held in Keras variables, which
    `Engine.gradients` can look at without moving them. Random numbers come from `gan.streams`.

    Attributes:
        whole_batch: Whether it needs the images of a step at once, and cannot be had with `accumulate=`.
        parts_labels: Whether it parts images from their labels, and cannot be had with classes.
        every: Steps from one run of `penalty` to the next; above 1 it becomes a row of the table, weighted by it.
        role: Whose loss such a penalty is a term of.
    """

    whole_batch = False
    parts_labels = False
    every = 1
    role = "discriminator"

    def build(self, gan: "Engine") -> None:
        """Make the variables; called once, when the networks are there."""

    @property
    def variables(self) -> list[tf.Variable]:
        """The trick's state, saved with the run's."""
        return []

    def latents(
        self, gan: "Engine", player: "Player", latents: tf.Tensor, labels: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Latents in the place of those drawn, and a term for the loss of `player`, whose update this is.

        For LOGAN (Wu et al. 2019): z' = z + a step up D(G(z)), before both updates. It is part of what the player
        differentiates: D's update then has gradients through z', where samples otherwise are constants.
        """
        return latents, None

    def sampled_latents(
        self,
        gan: "Engine",
        sampler: Callable[[Any], tf.Tensor],
        latents: tf.Tensor,
        labels: tf.Tensor | None,
    ) -> tf.Tensor:
        """Latents in the place of those that `sampler` is given for samples. For LOGAN, which moves them there too."""
        return latents

    def real_and_fake(self, gan: "Engine", real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What a D is shown as real and as generated in its update: this replica's images, the same shapes."""
        return real, fake

    def judged(self, gan: "Engine", fake: tf.Tensor) -> tf.Tensor:
        """What a D is shown in G's update, differentiable: the same shape."""
        return fake

    def view(self, gan: "Engine", images: tf.Tensor) -> tf.Tensor:
        """What a D looks through, last of all, at real and generated images, in both updates: D(view(x)).

        For ADA (Karras et al. 2020) and DiffAugment (Zhao et al. 2020). R1 and gradient penalties differentiate through
        it, so it must have second derivatives.
        """
        return images

    def observe(
        self, gan: "Engine", player: "Player", real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> None:
        """Take note of D's logits in its update, on this replica's share.

        For ADA, whose strength follows r_t = E sign D(x): reduce over replicas what you keep (`mean_over_replicas`).
        """
        return  # AutoGraph does not transform a body without a statement

    def penalty(
        self,
        gan: "Engine",
        player: "Player",
        real: tf.Tensor,
        fake: tf.Tensor | None,
        labels: tf.Tensor | None,
    ) -> tf.Tensor | None:
        """A term of `player`'s loss, the mean over this replica's share of the batch; None: no term."""
        return None

    def vetoes(self, gan: "Engine", player: "Player", loss: tf.Tensor) -> tf.Tensor | None:
        """A boolean scalar, the same on all replicas: whether `player`'s update is left out. None: it is not."""
        return None

    def after_update(self, gan: "Engine", player: "Player") -> None:
        """Called on each replica when `player` has moved."""
        return  # AutoGraph does not transform a body without a statement

    def finish_step(self, gan: "Engine") -> None:
        """Called once a step, outside of the replicas."""
        return  # AutoGraph does not transform a body without a statement

    def logs(self) -> dict[str, tf.Tensor]:
        """Scalars to log once a step, after `finish_step`. For ADA, whose strength changes."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Trick":
        """The trick with these arguments."""
        return cls(**config)

    @classmethod
    def has(cls, hook: str) -> bool:
        """Whether this class does something at the hook of that name."""
        return getattr(cls, hook) is not getattr(Trick, hook)
