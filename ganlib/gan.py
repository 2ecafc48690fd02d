"""The two-player game: a generator and a discriminator that train each other, and what the generator makes.

A model is a composition: two networks, a game (`ganlib.losses`), penalties and tricks, optimisers, a number of D steps
a G step, an average of G, classes or none. A paper that changes the algorithm overrides one named method:
`discriminator_loss`, `generator_loss`, `updates` (the table of a step), `draw_latents`, `generate`, `sampler`, or one
of the engine's hooks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from ganlib import losses
from ganlib.adversarial import Adversarial
from ganlib.arguments import require_positive_integers
from ganlib.conditions import Classes
from ganlib.engine import Average, Engine
from ganlib.errors import InputError
from ganlib.optimizers import adam
from ganlib.replicas import batch_size_of
from ganlib.sampled import Sampled
from ganlib.trick import Trick
from ganlib.updates import Logs, Player, Table, Update


@keras.saving.register_keras_serializable("ganlib")
def require_game(generator: keras.Model, discriminator: keras.Model) -> None:
    """Check two networks that a user composes.

    Raises:
        InputError: They are one, or D does not end in one logit.
    """
    if generator is discriminator:
        raise InputError("generator and discriminator are one network: give each its own")
    if discriminator.output_shape[1:] != (1,):
        raise InputError(
            f"the discriminator gives {discriminator.output_shape}: end it with one logit an image, (batch, 1)"
        )
    last = getattr(discriminator.layers[-1], "activation", None) if discriminator.layers else None
    if last is keras.activations.sigmoid or isinstance(discriminator.layers[-1], keras.layers.Softmax):
        raise InputError("the discriminator ends in a sigmoid or softmax: losses take logits, leave it out")


class GAN(Adversarial, Sampled, Engine):
    """Goodfellow et al. 2014: a generator and a discriminator that train each other (algorithm 1).

    Images are float32 (batch, height, width, channels) in [-1, 1], latents float32 (batch, latent_dim), logits
    (batch, 1). A step is one G update, after `n_critic` D updates on fresh real batches and fresh latents. With classes
    G takes [latents, labels] and D [images, labels] (Mirza & Osindero 2014).

    Args:
        generator: Latents -> images (or points).
        discriminator: Images -> logits.
        num_classes: How many classes both are told of; None: there are none.
        loss: The game, or its name (`ganlib.losses`).
        penalties: Terms of D's loss (`ganlib.penalties`).
        tricks: Other changes of a step (`ganlib.tricks`), applied in this order.
        n_critic: D updates for each G update (k in algorithm 1).
        ema_decay: Decay, per step, of the moving average of G's variables (batch-norm statistics included) that
            `sample` uses; it starts at G's own initial values. None: `sample` uses G itself.
        generator_optimizer: Template of the optimiser that `compile` makes for G.
        discriminator_optimizer: Template of the optimiser that `compile` makes for D.
        batch_size: Real images a D update sees, over all replicas; what `data.batch` should be given.
        latent_distribution: "normal" (standard), or "uniform" on [-1, 1].
        image_shape: (height, width, channels) that G makes; None: read off G, which then is a functional model.
        latent_dim: Of a latent; None: read off G.
        seed: Seed of the run. All random numbers of a step are a function of it, the step, the purpose, and the
            global index of the sample.
        name: Of the Keras model.

    Raises:
        InputError: An argument is out of range, a trick would part images from their labels, or a network draws random
            numbers that a resumed or a distributed run could not draw again.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        num_classes: int | None = None,
        loss: str | losses.Loss = "non_saturating",
        penalties: Sequence[Trick] = (),
        tricks: Sequence[Trick] = (),
        n_critic: int = 1,
        ema_decay: float | None = 0.999,
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        batch_size: int = 64,
        latent_distribution: str = "normal",
        image_shape: tuple[int, ...] | None = None,
        latent_dim: int | None = None,
        seed: int = 0,
        name: str | None = None,
    ):
        require_positive_integers(n_critic=n_critic)
        if latent_distribution not in ("normal", "uniform"):
            raise InputError(f"latent_distribution={latent_distribution!r}: choose 'normal' or 'uniform'")
        if type(self) is GAN:
            require_game(generator, discriminator)
        classes = None if num_classes is None else Classes(num_classes)
        for trick in (*penalties, *tricks):
            if classes and isinstance(trick, Trick) and trick.parts_labels:
                raise InputError(
                    f"{type(trick).__name__} parts images from their labels: leave it out of a conditional model"
                )
        if image_shape is None:
            image_shape, judged = tuple(generator.output_shape[1:]), tuple(discriminator.inputs[0].shape[1:])
            if judged != image_shape:
                raise InputError(
                    f"the generator makes {image_shape} and the discriminator takes {judged}: give both the "
                    "same resolution and channels"
                )
        self.classes = classes
        self.adversarial_loss = losses.get(loss)
        self.n_critic = n_critic
        self.latent_distribution = latent_distribution
        self.latent_dim = generator.inputs[0].shape[-1] if latent_dim is None else latent_dim
        default = adam(2e-4, beta_1=0.5)
        self.generator = generator
        super().__init__(
            [
                Player("generator", "generator", generator),
                Player("discriminator", "discriminator", discriminator),
            ],
            {
                "generator": generator_optimizer or default,
                "discriminator": discriminator_optimizer or default,
            },
            tricks=[*penalties, *tricks],
            ema_decay=ema_decay,
            image_shape=image_shape,
            batch_size=batch_size,
            seed=seed,
            name=name,
        )
        if ema_decay is None:
            self.ema_generator = generator

    def averaged(self) -> dict[str, Average]:
        """G's."""
        return {"ema_generator": Average(self.generator)}

    # ------------------------------------------------------------------------------------------- the game

    def updates(self) -> Table:
        """Algorithm 1: D's updates, one a batch, then G's; penalties that run now and then behind their player's."""
        return [
            Update("discriminator/{i}", ("discriminator",), self.discriminator_loss, times=self.n_critic),
            *self.lazy_penalties("discriminator"),
            Update("generator", ("generator",), self.generator_loss),
            *self.lazy_penalties("generator"),
        ]

    def discriminator_step(self, batch: Any) -> Logs:
        """One update of D on real `batch` and as many fresh samples of G: its row alone, in the scope that is open."""
        return self.move(Update("", ("discriminator",), self.discriminator_loss), batch)

    def discriminator_loss(self, batch: Any) -> tuple[tf.Tensor, Logs]:
        """What D minimises on real `batch`, penalties included, and its logs. G stands still."""
        real, labels = self.split_batch(batch)
        fake, more = self._fakes("discriminator", real, labels)
        terms = self.discriminator_terms("discriminator", real, fake, labels, lambda *_: (more, {}))
        return terms.loss, terms.logs

    def generator_loss(self, batch: Any) -> tuple[tf.Tensor, Logs]:
        """What G minimises on as many fresh latents as `batch` has images, and its logs. D stands still."""
        real, labels = self.split_batch(batch)
        fake, more = self._fakes("generator", real, labels)
        term, _ = self.generator_term("discriminator", fake, labels, real)
        penalties = self.penalty_terms("generator", real, fake, labels)
        loss = tf.add_n([term, *more, *penalties.values()])
        return loss, {"generator_loss": loss, **penalties}

    def penalised_images(self, batch):
        """The batch's images, as many samples, and the labels."""
        real, labels = self.split_batch(batch)
        return real, self._fakes("discriminator", real, labels)[0], labels

    def generate(
        self, n: int | tf.Tensor, generator: Callable | None = None, labels: tf.Tensor | None = None
    ) -> tf.Tensor:
        """`n` samples from fresh latents (and labels, if any), by G in training mode or by `generator`."""
        with self.streams.scope("generate"):
            inputs = self.conditioned(self.draw_latents(n), labels)
            return (generator or self._playing)(inputs)

    def sampler(self, truncation=None, seed=None):
        """The averaged generator, at latents as tricks move them."""
        return self.at_moved_latents(super().sampler(truncation, seed))

    def at_moved_latents(self, sampler: Callable[[Any], tf.Tensor]) -> Callable[[Any], tf.Tensor]:
        """A sampler that lets tricks move its latents (`Trick.sampled_latents`); itself, where none does."""
        movers = [trick for trick in self.tricks if trick.has("sampled_latents")]
        if not movers:
            return sampler

        def images(inputs):
            latents, labels = (inputs, None) if self.classes is None else inputs
            for trick in movers:
                latents = trick.sampled_latents(self, sampler, latents, labels)
            return sampler(self.conditioned(latents, labels))

        images.trace_key = (getattr(sampler, "trace_key", None), *(repr(t.get_config()) for t in movers))
        return images

    def exporter(self, thresholds: Sequence[float] = ()) -> Callable[[Any, tf.Tensor], tf.Tensor]:
        """As ever, at latents as tricks move them."""
        exporter = super().exporter(thresholds)
        return exporter if self.classes is None else self.at_latents_moved_by_label(exporter)

    def at_latents_moved_by_label(
        self, exporter: Callable[[Any, tf.Tensor], tf.Tensor]
    ) -> Callable[[Any, tf.Tensor], tf.Tensor]:
        """`at_moved_latents` for [latents, weights of classes]: tricks move latents by the class of most weight."""
        movers = [trick for trick in self.tricks if trick.has("sampled_latents")]
        if not movers:
            return exporter

        def images(inputs, truncation):
            def of_labels(inputs):
                return exporter([inputs[0], tf.one_hot(inputs[1], self.classes.num_classes)], truncation)

            latents, weights = inputs
            labels = tf.argmax(weights, axis=1, output_type=tf.int32)
            for trick in movers:
                latents = trick.sampled_latents(self, of_labels, latents, labels)
            return exporter([latents, weights], truncation)

        return images

    def _fakes(self, name: str, real: tf.Tensor, labels: Any) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Samples for the update of a player, as many as real images, and what tricks add to its loss for them.

        To all but G they are constants, unless a trick has moved the latents: then they depend on D.
        """
        n, player = batch_size_of(real), self.player(name)
        generator = None if player.role == "generator" else self.frozen(self.generator)
        movers = [(i, trick) for i, trick in enumerate(self.tricks) if trick.has("latents")]
        if not movers:
            fake = self.generate(n, generator, labels)
            return fake if generator is None else tf.stop_gradient(fake), []
        terms = []
        with self.streams.scope("generate"):
            latents = self.draw_latents(n)
            for i, trick in movers:
                with self.streams.scope(f"latents/{i}"):
                    latents, term = trick.latents(self, player, latents, labels)
                terms += [] if term is None else [term]
            inputs = self.conditioned(latents, labels)
            fake = (generator or self._playing)(inputs)
        return fake, terms

    def _playing(self, inputs: Any) -> tf.Tensor:
        """G in training mode."""
        return self.generator(inputs, training=True, **self.call_options())

    def shown_to(self, player, images, condition):
        """Images, with their labels where there are classes."""
        return self.conditioned(images, condition)
