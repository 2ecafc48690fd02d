"""What all games with a discriminator share: both sides' terms, with what penalties and tricks make of them.

Mixed into an `Engine` (`GAN`, `Pix2Pix`, `CycleGAN`, ...), which has the cast, the tricks and the random streams.
"""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ganlib import losses
from ganlib.updates import Logs, Player, Update


class Terms(NamedTuple):
    """D's side of the game on a batch.

    Attributes:
        loss: All that D minimises.
        logs: Its parts, and the mean logits.
        real: D's outputs for what it was shown as real.
        fake: And as generated.
    """

    loss: tf.Tensor
    logs: Logs
    real: Any
    fake: Any


class Adversarial:
    """The terms of a game between generators and discriminators.

    Attributes:
        adversarial_loss: The game (`ganlib.losses`).
    """

    adversarial_loss: losses.Loss

    def shown_to(self, player: Player, images: tf.Tensor, condition: Any) -> Any:
        """What a D's network is given for images, of this condition (labels, a source): the images alone."""
        return images

    def viewed(self, images: tf.Tensor) -> tf.Tensor:
        """Images as D looks at them: through the tricks' views."""
        for i, trick in enumerate(self.tricks):
            if trick.has("view"):
                with self.streams.scope(f"view/{i}"):
                    images = trick.view(self, images)
        return images

    def logits(self, player: Player, images: tf.Tensor, condition: Any = None) -> tf.Tensor:
        """A D's logits of images as it looks at them; its statistics stand still, gradients flow. For penalties."""
        return logits_of(self.frozen(player.network)(self.shown_to(player, self.viewed(images), condition)))

    def judged_pair(
        self, player: Player, real: tf.Tensor, fake: tf.Tensor, condition: Any = None
    ) -> tuple[Any, Any]:
        """A D's outputs for real and for generated images, in training mode, in passes of their own."""
        outputs = []
        for scope, images in (("real", real), ("fake", fake)):
            with self.streams.scope(scope):
                shown = self.shown_to(player, self.viewed(images), condition)
                outputs.append(player.network(shown, training=True, **self.call_options()))
        for trick in self.tricks:
            trick.observe(self, player, *map(logits_of, outputs))
        return outputs[0], outputs[1]

    def discriminator_terms(
        self,
        name: str,
        real: tf.Tensor,
        fake: tf.Tensor,
        condition: Any = None,
        more: Callable[[Any, Any], tuple[Sequence[tf.Tensor], Logs]] = lambda real, fake: ((), {}),
    ) -> Terms:
        """D's side: the game, then what `more` makes of D's outputs for real and generated images, then penalties.

        Args:
            name: Of the D.
            real: Images of the batch.
            fake: As many generated ones.
            condition: Labels, or what else D and penalties are told with the images.
            more: D's outputs for real, for generated images -> terms of the loss, and logs.
        """
        player = self.player(name)
        for i, trick in enumerate(self.tricks):
            with self.streams.scope(f"trick/{i}"):
                real, fake = trick.real_and_fake(self, real, fake)
        outputs = self.judged_pair(player, real, fake, condition)
        real_logits, fake_logits = map(logits_of, outputs)
        real_loss, fake_loss = self.adversarial_loss.discriminator(real_logits, fake_logits)
        terms, logs = more(*outputs)
        penalties = self.penalty_terms(name, real, fake, condition)
        loss = tf.add_n([real_loss, fake_loss, *terms, *penalties.values()])
        logs = discriminator_logs(real_loss, fake_loss, real_logits, fake_logits) | logs | penalties
        return Terms(loss, {**logs, "discriminator_loss": loss}, *outputs)

    def generator_term(
        self, name: str, fake: tf.Tensor, condition: Any = None, real: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, Any]:
        """G's side of the game against a D that stands still, and that D's outputs for the generated images.

        Args:
            name: Of the D.
            fake: Generated images, through which G learns.
            condition: As in `discriminator_terms`.
            real: Images of the batch, for games that look at both (`Loss.needs_real`).
        """
        player = self.player(name)
        for i, trick in enumerate(self.tricks):
            with self.streams.scope(f"trick/{i}"):
                fake = trick.judged(self, fake)
        frozen = self.frozen(player.network)
        with self.streams.scope("fake"):
            outputs = frozen(self.shown_to(player, self.viewed(fake), condition))
        if not self.adversarial_loss.needs_real:
            return self.adversarial_loss.generator(logits_of(outputs)), outputs
        with self.streams.scope("real"):
            real_logits = logits_of(frozen(self.shown_to(player, self.viewed(real), condition)))
        return self.adversarial_loss.generator(logits_of(outputs), real_logits), outputs

    def penalty_terms(self, name: str, real: tf.Tensor, fake: tf.Tensor | None, condition: Any) -> Logs:
        """The terms that tricks add to a player's loss in every step, by the names that they have in the logs."""
        terms: Logs = {}
        for i, trick in enumerate(self.tricks):
            if trick.every > 1:
                continue
            with self.streams.scope(f"{type(trick).__name__}/{i}"):
                term = trick.penalty(self, self.player(name), real, fake, condition)
            if term is not None:
                log = penalty_name(name, trick)
                terms[log if log not in terms else f"{log}_{i}"] = term
        return terms

    def lazy_penalties(self, name: str) -> list[Update]:
        """A row for each penalty of this player that does not run in every step."""
        return [
            Update(
                f"{name}/{type(trick).__name__}/{i}",
                (name,),
                functools.partial(self._lazy_penalty, name, trick),
                every=trick.every,
                batch=0,
                logs=(penalty_name(name, trick),),
            )
            for i, trick in enumerate(self.tricks)
            if trick.every > 1 and trick.role == self.player(name).role
        ]

    def _lazy_penalty(self, name: str, trick: Any, batch: Any) -> tuple[tf.Tensor, Logs]:
        """A penalty at the images that D is shown, weighted by the steps from one run to the next."""
        real, fake, condition = self.penalised_images(batch)
        for i, other in enumerate(self.tricks):
            if not other.whole_batch:
                with self.streams.scope(f"trick/{i}"):
                    real, fake = other.real_and_fake(self, real, fake)
        term = trick.penalty(self, self.player(name), real, fake, condition)
        return trick.every * term, {penalty_name(name, trick): term}

    def penalised_images(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor, Any]:
        """(real images, generated ones, condition) of a batch, for a penalty that has a row of its own."""
        raise NotImplementedError(f"{type(self).__name__} has no penalties in rows of their own: use every=1")


def logits_of(outputs: Any) -> tf.Tensor:
    """A D's logits: its first output, where it has several."""
    return outputs[0] if isinstance(outputs, list | tuple) else outputs


def discriminator_logs(
    real_loss: tf.Tensor, fake_loss: tf.Tensor, real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> Logs:
    """What is logged of D's side of a step, as scalars."""
    return {
        "discriminator_loss": real_loss + fake_loss,
        "real_loss": real_loss,
        "fake_loss": fake_loss,
        "real_logits": tf.reduce_mean(real_logits),
        "fake_logits": tf.reduce_mean(fake_logits),
    }


def penalty_name(player: str, trick: Any) -> str:
    """discriminator, GradientPenalty -> discriminator_gradient_penalty; R1 -> r1, DRAGANPenalty -> dragan_penalty."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(trick).__name__)
    return f"{player}_{words.lower()}"
