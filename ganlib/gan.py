"""The two-player training step, on any tf.distribute strategy.

A model is a composition: two networks, a game (`ganlib.losses`), penalties and tricks, optimisers, a number of D steps
a G step, an average of G. A paper that changes the algorithm overrides one named method: `discriminator_loss`,
`generator_loss`, `discriminator_step`, `generator_step`, `play` (their order), `draw_latents`, `generate`,
`finish_step`.
"""

import contextlib
import inspect
import math
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import h5py
import keras
import numpy as np
import tensorflow as tf

from ganlib import losses
from ganlib.arguments import require_positive_integers
from ganlib.errors import CheckpointError, InputError, TrainingDiverged
from ganlib.layers import Dropout
from ganlib.randomness import RandomStreams, key_of, normal, uniform
from ganlib.tricks import Trick

_SAMPLE_BATCH = 250


@keras.saving.register_keras_serializable("ganlib")
class GAN(keras.Model):
    """Goodfellow et al. 2014: a generator and a discriminator that train each other (algorithm 1).

    Images are float32 (batch, height, width, channels) in [-1, 1], latents float32 (batch, latent_dim), logits
    (batch, 1). A step is one G update, after `n_critic` D updates on fresh real batches and fresh latents.

    Args:
        generator: Latents -> images (or points).
        discriminator: Images -> logits.
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
        seed: Seed of the run. All random numbers of a step are a function of it, the step, the purpose, and the
            global index of the sample.

    Raises:
        InputError: An argument is out of range, or a network draws random numbers that a resumed or a distributed run
            could not draw again.
    """

    title: str = ""
    authors: str = ""
    year: int = 0
    arxiv: str = ""
    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    def __new__(cls, *args, **kwargs):
        """Note the arguments, defaults included, for `get_config`."""
        gan = super().__new__(cls, *args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(gan, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        arguments.update(arguments.pop("kwargs", {}))
        object.__setattr__(gan, "_arguments", arguments)
        return gan

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        loss: str | losses.Loss = "non_saturating",
        penalties: Sequence[Trick] = (),
        tricks: Sequence[Trick] = (),
        n_critic: int = 1,
        ema_decay: float | None = 0.999,
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        batch_size: int = 64,
        latent_distribution: str = "normal",
        seed: int = 0,
        name: str | None = None,
    ):
        require_positive_integers(n_critic=n_critic, batch_size=batch_size)
        if ema_decay is not None and not 0 <= ema_decay < 1:
            raise InputError(
                f"ema_decay={ema_decay!r} is out of range: give a number in [0, 1), or None for no EMA"
            )
        if latent_distribution not in ("normal", "uniform"):
            raise InputError(f"latent_distribution={latent_distribution!r}: choose 'normal' or 'uniform'")
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise InputError(f"seed={seed!r} is not an integer: give one, for example 0")
        for trick in (*penalties, *tricks):
            if not isinstance(trick, Trick):
                raise InputError(
                    f"{trick!r} is neither a penalty nor a trick: give objects of ganlib.penalties or ganlib.tricks"
                )
        super().__init__(name=name)
        self.generator = generator
        self.discriminator = discriminator
        self.adversarial_loss = losses.get(loss)
        self.tricks = [*penalties, *tricks]
        self.n_critic = n_critic
        self.ema_decay = ema_decay
        self.batch_size = batch_size
        self.latent_distribution = latent_distribution
        self.seed = int(seed)
        self.latent_dim = generator.inputs[0].shape[-1]
        self.image_shape = tuple(generator.output_shape[1:])
        judged_shape = tuple(discriminator.inputs[0].shape[1:])
        if judged_shape != self.image_shape:
            raise InputError(
                f"the generator makes {self.image_shape} and the discriminator takes {judged_shape}: give both the "
                "same resolution and channels"
            )
        self.ema_generator = generator if ema_decay is None else copy_of(generator)
        default = keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8)
        self._recipe = {
            "generator": keras.optimizers.serialize(generator_optimizer or default),
            "discriminator": keras.optimizers.serialize(discriminator_optimizer or default),
        }
        self.streams = RandomStreams(self.seed)
        self._bind_random_layers()
        self.step_counter = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.image_counter = tf.Variable(0, dtype=tf.int64, trainable=False, name="images_seen")
        self.last_checkpoint: Path | None = None
        self._generate_function = None
        for trick in self.tricks:
            trick.build(self)
        self.built = True

    # ---------------------------------------------------------------- players

    def players(self) -> dict[str, keras.Model]:
        """The networks that are trained, by name."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    def networks(self) -> dict[str, keras.Model]:
        """The players, and the averaged generator if there is one: all that a file of weights holds."""
        average = {} if self.ema_generator is self.generator else {"ema_generator": self.ema_generator}
        return {**self.players(), **average}

    def updates(self) -> dict[str, Callable[[Any], dict[str, tf.Tensor]]]:
        """For each player the method that updates it, and it alone, on a batch; in the order of a step."""
        return {"discriminator": self.discriminator_step, "generator": self.generator_step}

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The optimiser of each player.

        Raises:
            InputError: The model is not compiled.
        """
        if not self.compiled:
            raise InputError(f"{type(self).__name__} has no optimisers yet: call compile() first")
        return {"generator": self.generator_optimizer, "discriminator": self.discriminator_optimizer}

    def state(self) -> list[tf.Variable]:
        """All that a resumed run needs, in a fixed order: networks, EMA, optimisers, tricks, step, images seen.

        Random numbers and the position in the data are functions of seed and step.
        """
        variables = [v.value for network in self.networks().values() for v in network.variables]
        variables += [v.value for optimizer in self.optimizers().values() for v in optimizer.variables]
        variables += [variable for trick in self.tricks for variable in trick.variables]
        return [*variables, self.step_counter, self.image_counter]

    @property
    def step(self) -> int:
        """G updates so far."""
        return int(self.step_counter.numpy())

    @property
    def images_seen(self) -> int:
        """Distinct real images that D was shown so far; a thousand are a kimg."""
        return int(self.image_counter.numpy())

    # --------------------------------------------------------------- training

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        *,
        jit_compile: bool = False,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
    ) -> None:
        """Make the optimisers (the paper's, unless others are given) and choose how the step runs.

        Args:
            generator_optimizer: Of G.
            discriminator_optimizer: Of D.
            jit_compile: Compile the step with XLA. Slower on the CPU (measured), so off; try it on a GPU.
            run_eagerly: Run Python line by line, for a debugger.
            steps_per_execution: Steps a call of the train function; more than one pays for tiny models only.
                Callbacks then run, and logs are seen, every so many steps.

        Raises:
            InputError: Both players share an optimiser, or XLA is asked for on several replicas.
        """
        require_positive_integers(steps_per_execution=steps_per_execution)
        if generator_optimizer is not None and generator_optimizer is discriminator_optimizer:
            raise InputError(
                "generator_optimizer and discriminator_optimizer are one object: make one for each player"
            )
        replicas = self.distribute_strategy.num_replicas_in_sync
        if jit_compile and replicas > 1:
            raise InputError(
                f"jit_compile=True cannot wrap a step on {replicas} replicas: use jit_compile=False"
            )
        super().compile(
            optimizer=None,
            loss=None,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
        )
        with self.distribute_strategy.scope():
            self.make_optimizers(
                generator_optimizer or _deserialized_optimizer(self._recipe["generator"]),
                discriminator_optimizer or _deserialized_optimizer(self._recipe["discriminator"]),
            )
            for name, optimizer in self.optimizers().items():
                optimizer.build(self.players()[name].trainable_variables)
        self.train_function = None

    def make_optimizers(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
    ) -> None:
        """Keep what `compile` was given, or the paper's, for `optimizers` to return."""
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer

    def fit(
        self,
        x: tf.data.Dataset = None,
        *,
        steps_per_epoch: int | None = None,
        epochs: int = 1,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        verbose: str | int = "auto",
        initial_epoch: int = 0,
    ) -> keras.callbacks.History:
        """Train for `epochs` times `steps_per_epoch` steps, from where the model is.

        Args:
            x: Batches of images, or of (images, labels). A dataset that ends is repeated. At step s of the run the
                batches s * n_critic, s * n_critic + 1, ... of the dataset are used: a resumed run goes on in the data.
            steps_per_epoch: G updates an epoch. Default: one pass over a dataset that ends.
            epochs: Number of epochs.
            callbacks: Keras callbacks; a batch of theirs is a step of ours.
            verbose: 0 shows nothing, anything else a progress bar.
            initial_epoch: Where to start counting epochs.

        Returns:
            Keras' history, the last step of each epoch.

        Raises:
            InputError: The batches do not fit the model, before anything is trained.
            TrainingDiverged: A loss or a logit is not finite.
            KeyboardInterrupt: After Ctrl-C, once the step was finished and the callbacks (checkpoints) have run.
            SystemExit: The same after SIGTERM.
        """
        if not self.compiled:
            self.compile()
        dataset, passes = self._check_batches(x)
        steps_per_epoch = passes if steps_per_epoch is None else steps_per_epoch
        if steps_per_epoch is None:
            raise InputError(
                "steps_per_epoch=None, but the dataset never ends: say how many steps an epoch has"
            )
        require_positive_integers(steps_per_epoch=steps_per_epoch, epochs=epochs)
        callbacks = list(callbacks or [])
        with contextlib.ExitStack() as stack:
            received = stack.enter_context(stop_signals())
            if verbose != 0:
                from ganlib.callbacks import ProgressBar

                callbacks.append(stack.enter_context(contextlib.closing(ProgressBar())))
            history = super().fit(
                dataset,
                steps_per_epoch=steps_per_epoch,
                epochs=epochs,
                initial_epoch=initial_epoch,
                callbacks=[_Guard(received), *callbacks],
                verbose=0,
                shuffle=False,
            )
        if signal.SIGINT in received:
            raise KeyboardInterrupt
        if received:
            raise SystemExit(128 + received[0])
        return history

    def train_step(self, batches: Sequence[Any]) -> dict[str, tf.Tensor]:
        """One step on each replica's share of `n_critic` batches, with the random numbers of that share."""
        images, _ = self.split_batch(batches[0])
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        with self.streams.at(self.step_counter, replica * batch_size_of(images)):
            return self.play(batches)

    def play(self, batches: Sequence[Any]) -> dict[str, tf.Tensor]:
        """Algorithm 1: D's updates, one a batch, then G's."""
        logs = {}
        for i, batch in enumerate(batches):
            with self.streams.scope(f"discriminator/{i}"):
                logs.update(self.discriminator_step(batch))
        with self.streams.scope("generator"):
            logs.update(self.generator_step(batches[-1]))
        return logs

    def discriminator_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of D on real `batch` and as many fresh samples of G."""
        with tf.GradientTape() as tape:
            loss, logs = self.discriminator_loss(batch)
        self.minimize({"discriminator": (loss, tape)})
        return logs

    def generator_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of G on as many fresh latents as `batch` has images."""
        with tf.GradientTape() as tape:
            loss, logs = self.generator_loss(batch)
        self.minimize({"generator": (loss, tape)})
        return logs

    def discriminator_loss(self, batch: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What D minimises on real `batch`, penalties included, and its logs. G stands still."""
        real, labels = self.split_batch(batch)
        fake = self.generate(batch_size_of(real), self.frozen(self.generator), labels)
        fake = tf.stop_gradient(fake)
        for i, trick in enumerate(self.tricks):
            with self.streams.scope(f"trick/{i}"):
                real, fake = trick.real_and_fake(self, real, fake)
        with self.streams.scope("real"):
            real_logits = self.discriminator(self.conditioned(real, labels), training=True)
        with self.streams.scope("fake"):
            fake_logits = self.discriminator(self.conditioned(fake, labels), training=True)
        real_loss, fake_loss = self.adversarial_loss.discriminator(real_logits, fake_logits)
        penalties = self.penalty_terms("discriminator", real, fake, labels)
        logs = discriminator_logs(real_loss, fake_loss, real_logits, fake_logits)
        logs["discriminator_loss"] = tf.add_n([real_loss, fake_loss, *penalties.values()])
        return logs["discriminator_loss"], {**logs, **penalties}

    def generator_loss(self, batch: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What G minimises on as many fresh latents as `batch` has images, and its logs. D stands still."""
        real, labels = self.split_batch(batch)
        fake = self.generate(batch_size_of(real), labels=labels)
        judged = self.judged(fake)
        with self.streams.scope("fake"):
            fake_logits = self.frozen(self.discriminator)(self.conditioned(judged, labels))
        loss = self.adversarial_loss.generator(fake_logits)
        penalties = self.penalty_terms("generator", real, fake, labels)
        loss = tf.add_n([loss, *penalties.values()])
        return loss, {"generator_loss": loss, **penalties}

    def judged(self, fake: tf.Tensor) -> tf.Tensor:
        """What D is shown of G's samples in G's update: the tricks' work on them."""
        for i, trick in enumerate(self.tricks):
            with self.streams.scope(f"trick/{i}"):
                fake = trick.judged(self, fake)
        return fake

    def objectives(self) -> dict[str, Callable[[Any], tuple[tf.Tensor, dict[str, tf.Tensor]]]]:
        """For each player the method that gives its loss on a batch."""
        return {"discriminator": self.discriminator_loss, "generator": self.generator_loss}

    def penalty_terms(
        self, player: str, real: tf.Tensor, fake: tf.Tensor | None, labels: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """The terms that tricks add to a player's loss, by the names that they have in the logs."""
        terms = {}
        for i, trick in enumerate(self.tricks):
            name = type(trick).__name__
            with self.streams.scope(f"{name}/{i}"):
                term = trick.penalty(self, player, real, fake, labels)
            if term is not None:
                name = f"{player}_{snake_case(name)}"
                terms[name if name not in terms else f"{name}_{i}"] = term
        return terms

    def frozen(self, network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
        """The network in training mode, but with its statistics (batch norm, spectral norm) left as they are.

        Gradients flow through it, to its variables too.
        """

        def call(inputs):
            trainable = [v.value for v in network.trainable_variables]
            other = [v.value for v in network.non_trainable_variables]
            return network.stateless_call(trainable, other, inputs, training=True)[0]

        return call

    def gradients(self, batch: Any) -> dict[str, list[tuple[str, tf.Tensor]]]:
        """For each player the path of each trainable variable and the gradient of its loss there; nothing moves.

        With the random numbers of the step to come, on one replica, inside and outside of the strategy's scope. For
        monitors and for looking inside.
        """
        return outside_of_scopes(lambda: self._gradients(batch))

    def _gradients(self, batch: Any) -> dict[str, list[tuple[str, tf.Tensor]]]:
        found = {}
        for player, loss_of in self.objectives().items():
            network = self.players()[player]
            scope = self.streams.scope(f"{player}/0" if player == "discriminator" else player)
            with self.streams.at(self.step_counter, 0), scope, keras.StatelessScope():
                with tf.GradientTape() as tape:
                    loss, _ = loss_of(batch)
                variables = [v.value for v in network.trainable_variables]
                gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
            names = [v.path for v in network.trainable_variables]
            found[player] = list(zip(names, gradients, strict=True))
        return found

    def generate(
        self, n: int | tf.Tensor, generator: Callable | None = None, labels: tf.Tensor | None = None
    ) -> tf.Tensor:
        """`n` samples from fresh latents (and labels, if any), by G in training mode or by `generator`."""
        with self.streams.scope("generate"):
            inputs = self.conditioned(self.draw_latents(n), labels)
            return self.generator(inputs, training=True) if generator is None else generator(inputs)

    def conditioned(self, inputs: Any, labels: Any) -> Any:
        """What a network is given for images or latents of these classes: `inputs`, where there are no classes."""
        return inputs

    def draw_latents(self, n: int | tf.Tensor) -> tf.Tensor:
        """Latents (n, latent_dim) of this step, pass and replica."""
        if self.latent_distribution == "uniform":
            return 2.0 * self.streams.uniform("latents", [n, self.latent_dim]) - 1.0
        return self.streams.normal("latents", [n, self.latent_dim])

    def minimize(self, losses_by_player: dict[str, tuple[tf.Tensor, tf.GradientTape]]) -> None:
        """One step of each player's optimiser down its loss, the mean over this replica's share of the batch.

        All gradients are taken before any network moves, those of players with one loss and one tape in one pass.
        Keras' optimisers sum gradients over replicas: each contributes its part of the mean.
        """
        share = 1.0 / tf.distribute.get_strategy().num_replicas_in_sync
        sharing: dict[tuple[int, int], list[str]] = {}
        for player, (loss, tape) in losses_by_player.items():
            sharing.setdefault((id(loss), id(tape)), []).append(player)
        updates = []
        for players in sharing.values():
            loss, tape = losses_by_player[players[0]]
            variables = [list(self.players()[player].trainable_variables) for player in players]
            gradients = tape.gradient(loss, variables, output_gradients=tf.constant(share, loss.dtype))
            updates += zip(players, [loss] * len(players), gradients, variables, strict=True)
        for player, loss, gradients, variables in updates:
            optimizer = self.optimizers()[player]
            vetoes = [trick.vetoes(self, player, loss) for trick in self.tricks]
            with _undone_if(
                [veto for veto in vetoes if veto is not None], [*variables, *optimizer.variables]
            ):
                optimizer.apply(gradients, variables)
            for trick in self.tricks:
                trick.after_update(self, player)

    def finish_step(self, images: int | tf.Tensor) -> None:
        """What happens once a step, on all replicas alike: EMA, tricks and counters.

        Args:
            images: Distinct real images that D was shown in this step.
        """
        if self.ema_generator is not self.generator:
            extended = self.distribute_strategy.extended
            for average, variable in zip(self.ema_generator.weights, self.generator.weights, strict=True):
                extended.update(average.value, self._move_average, args=(variable.value,))
        for trick in self.tricks:
            trick.finish_step(self)
        self.step_counter.assign_add(1)
        self.image_counter.assign_add(tf.cast(images, tf.int64))

    def _move_average(self, average: tf.Variable, variable: tf.Variable) -> None:
        if average.dtype.is_floating:
            average.assign_sub((1.0 - self.ema_decay) * (average - variable))
        else:
            average.assign(variable)

    def make_train_function(self, force: bool = False) -> Callable:
        """The function that `fit` calls with an iterator: draws n_critic batches, runs the step, reduces the logs."""
        if self.train_function is not None and not force:
            return self.train_function
        strategy = self.distribute_strategy
        step = tf.function(self.train_step, jit_compile=True) if self.jit_compile else self.train_step

        def one_step(iterator):
            batches = [next(iterator) for _ in range(self.n_critic)]
            # data that ends in mid-step must end before the step begins
            with tf.control_dependencies(tf.nest.flatten(batches, expand_composites=True)):
                logs = strategy.run(step, args=(batches,))
                images = sum(global_batch_size(strategy, self.split_batch(batch)[0]) for batch in batches)
                self.finish_step(images)
                return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

        def several_steps(iterator):
            for _ in tf.range(self.steps_per_execution - 1):
                one_step(iterator)
            return one_step(iterator)

        # TensorFlow's dependency optimiser may drop the edge between reading a variable and its next update: D's five
        # updates in a WGAN step then raced, up to 6% off the eager step after two steps (TensorFlow 2.21).
        tf.config.optimizer.set_experimental_options({"dependency_optimization": False})
        function = one_step if self.steps_per_execution == 1 else several_steps
        self.train_function = function if self.run_eagerly else tf.function(function)
        return self.train_function

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing to build: Keras would reduce a batch of images over the workers here."""

    # ----------------------------------------------------------------- sampling

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Latents (batch, latent_dim), or [latents, labels], -> images of the averaged generator."""
        return self.ema_generator(inputs, training=training)

    def sample(
        self,
        n: int,
        labels: Sequence[int] | None = None,
        truncation: float | None = None,
        seed: int | None = None,
    ) -> np.ndarray:
        """`n` samples of the averaged generator.

        Args:
            n: How many.
            labels: Classes, for conditional models: one for all, or one a sample. By default they are drawn.
            truncation: Largest absolute value of a latent: normal latents beyond it are drawn again (Brock et al.
                2019, section 3.1), uniform ones are drawn from [-truncation, truncation].
            seed: Same seed, same samples; sample i is the same (to rounding) whatever `n` is. None draws a seed.

        Returns:
            float32 (n, height, width, channels) in [-1, 1], or (n, coordinates) for points.

        Raises:
            InputError: An argument is out of range, or labels are given to a model without classes.
        """
        require_positive_integers(n=n)
        classes = self.sample_labels(n, labels, seed)
        return self.images_of(
            self.conditioned(self.sample_latents(n, truncation=truncation, seed=seed), classes)
        )

    def images_of(self, inputs: Any) -> np.ndarray:
        """The averaged generator's images of `inputs`: latents (n, latent_dim), or [latents, labels]."""
        if self._generate_function is None:
            self._generate_function = tf.function(lambda inputs: self.ema_generator(inputs, training=False))
        return in_chunks(self._generate_function, inputs)

    def sample_labels(
        self, n: int, labels: Sequence[int] | None = None, seed: int | None = None
    ) -> np.ndarray | None:
        """The classes (n,) that `sample` uses for the same arguments; None, where there are none."""
        if labels is not None:
            raise InputError(
                f"labels={labels!r}: {type(self).__name__} is not conditional; call sample without labels"
            )
        return None

    def sample_latents(self, n: int, truncation: float | None = None, seed: int | None = None) -> np.ndarray:
        """The latents (n, latent_dim) that `sample` uses for the same arguments."""
        if truncation is not None and not 0 < truncation < math.inf:
            raise InputError(
                f"truncation={truncation!r} is out of range: give a number above 0, for example 0.7"
            )
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer)):
            raise InputError(f"seed={seed!r} is not an integer: give one, for example 0, or None")
        key = key_of(int.from_bytes(os.urandom(8), "little") if seed is None else int(seed), "sample")
        shape = [n, self.latent_dim]
        if self.latent_distribution == "uniform":
            return (2.0 * uniform(key, 0, 0, shape).numpy() - 1.0) * min(truncation or 1.0, 1.0)
        latents = normal(key, 0, 0, shape).numpy()
        for attempt in range(1, 10_000):
            outside = np.abs(latents) > (truncation or math.inf)
            if not outside.any():
                break
            latents = np.where(outside, normal(key, attempt, 0, shape).numpy(), latents)
        return np.clip(latents, -(truncation or math.inf), truncation or math.inf)

    # ---------------------------------------------------- presets, configuration, weights

    @classmethod
    def from_preset(cls, name: str, **overrides: Any) -> "GAN":
        """The model with a preset's arguments, some of them overridden, and its trained weights if it has any.

        Raises:
            InputError: There is no such preset, or no such argument.
            CheckpointError: The trained weights do not fit the overridden arguments.
        """
        gan = cls.untrained(name, **overrides)
        weights = cls.presets[name].get("weights")
        if weights is not None:
            with resources.as_file(resources.files("ganlib.zoo") / weights) as path:
                gan.load_weights(path)
        return gan

    @classmethod
    def untrained(cls, name: str, **overrides: Any) -> "GAN":
        """`from_preset` without trained weights: with the initial values of its seed.

        Raises:
            InputError: There is no such preset, or no such argument.
        """
        if name not in cls.presets:
            raise InputError(f"{cls.__name__} has no preset {name!r}: choose one of {', '.join(cls.presets)}")
        cls = cls.presets[name].get("class", cls)
        arguments = {**cls.presets[name]["arguments"], **overrides}
        known = inspect.signature(cls.__init__).parameters
        for argument in overrides:
            if argument not in known or argument == "self":
                choices = ", ".join(list(known)[1:])
                raise InputError(f"{cls.__name__} has no argument {argument!r}: it takes {choices}")
        return cls(**arguments)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as they were given or by default."""
        return {name: _serialized(value) for name, value in self._arguments.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> "GAN":
        """The model with these constructor arguments."""
        return cls(**{name: _deserialized(value, custom_objects) for name, value in config.items()})

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Write all networks to a `.weights.h5` file: beside, then renamed.

        Raises:
            CheckpointError: The file cannot be written.
        """
        path = _weights_path(filepath)
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists: choose another name, or overwrite=True")
        beside = path.with_name(f".{os.getpid()}-{path.name}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _holder(self).save_weights(beside, overwrite=True)
            beside.replace(path)
        except OSError as error:
            raise CheckpointError(
                f"{path} cannot be written ({error}): free space or choose another folder"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)

    def load_weights(self, filepath: str | Path) -> None:
        """Read what `save_weights` wrote, after checking every name and shape.

        Raises:
            CheckpointError: The file is missing, damaged, or of another model. The weights are as they were.
        """
        path = _weights_path(filepath)
        expected = _shapes_by_network(self)
        try:
            with h5py.File(path, "r") as file:
                found = _shapes_in_file(file)
        except FileNotFoundError:
            raise CheckpointError(f"{path} does not exist: give the path of a .weights.h5 file") from None
        except (OSError, KeyError, RuntimeError) as error:
            raise CheckpointError(
                f"{path} is not a readable weights file ({error}): save or copy it again"
            ) from error
        if found != expected:
            network = next(name for name in {**expected, **found} if expected.get(name) != found.get(name))
            raise CheckpointError(
                f"{path} does not fit {type(self).__name__}: its {network} has {_summary(found.get(network))}, here "
                f"{_summary(expected.get(network))}; build the model with the arguments that it was saved with"
            )
        _holder(self).load_weights(path)

    # ------------------------------------------------------------------- details

    @staticmethod
    def split_batch(batch: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
        """(images, labels) of a batch; labels are None where there are none."""
        if isinstance(batch, tuple | list):
            return batch[0], batch[1] if len(batch) > 1 else None
        return batch, None

    def example_batch(self, n: int | None = None, seed: int = 0) -> Any:
        """A batch of the kind that `fit` takes, of `n` (default: batch_size) uniform random images: to time or test.

        Images are float32 (n, height, width, channels) in [-1, 1).
        """
        return uniform_images([n or self.batch_size, *self.image_shape], seed, "images")

    def _check_batches(self, dataset) -> tuple[tf.data.Dataset, int | None]:
        """The dataset without an end and from the run's position on, and the steps of one pass, if it has an end."""
        if not isinstance(dataset, tf.data.Dataset):
            raise InputError(
                f"fit takes a tf.data.Dataset of batches, not {type(dataset).__name__}: for an array use "
                "tf.data.Dataset.from_tensor_slices(images).batch(gan.batch_size, drop_remainder=True)"
            )
        spec, _ = self.split_batch(dataset.element_spec)
        if tuple(spec.shape) == self.image_shape:
            raise InputError(
                f"the dataset has single images of shape {spec.shape}: add .batch({self.batch_size})"
            )
        if spec.shape.rank is None or tuple(spec.shape[1:]) != self.image_shape:
            raise InputError(
                f"the dataset has batches of shape {spec.shape}, {type(self).__name__} takes (batch, "
                f"{', '.join(map(str, self.image_shape))}): load the data with the model's resolution and channels"
            )
        if spec.dtype != tf.float32:
            raise InputError(f"the dataset has {spec.dtype.name} images: convert them to float32 in [-1, 1]")
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas > 1 and (spec.shape[0] is None or spec.shape[0] % replicas):
            raise InputError(
                f"a batch of {spec.shape[0]} cannot be shared by {replicas} replicas: use a multiple of {replicas} "
                "and drop_remainder=True"
            )
        batches = int(dataset.cardinality())
        if batches >= 0 and batches < self.n_critic:
            raise InputError(
                f"the dataset has {batches} batches, a step needs {self.n_critic}: use smaller batches"
            )
        passes = batches // self.n_critic if batches >= 0 else None
        position = self.step * self.n_critic
        if hasattr(dataset, "starting_at"):
            return dataset.starting_at(position), passes
        if batches >= 0:
            return dataset.skip(position % batches).concatenate(dataset.repeat()), passes
        return dataset.skip(position), passes

    def _bind_random_layers(self) -> None:
        for player, network in self.players().items():
            random_layers = [layer for layer in network._flatten_layers() if hasattr(layer, "seed_generator")]
            for i, layer in enumerate(random_layers):
                if not isinstance(layer, Dropout):
                    kind = type(layer).__name__
                    raise InputError(
                        f"layer {layer.name!r} of the {player} is Keras' {kind}, whose random numbers are the same on "
                        "every replica and lost on resume: use ganlib.layers.Dropout"
                    )
                layer.streams, layer.purpose = self.streams, f"{player}/dropout/{i}"


class _Guard(keras.callbacks.Callback):
    """Stops on a signal after the running step, and on a loss that is not finite with what one needs to know.

    Logs are looked at a few steps at a time: looking at them waits for the device.
    """

    _EVERY = 16

    def __init__(self, received: list[int]):
        super().__init__()
        self.received = received
        self.pending: list[tuple[int, dict[str, Any]]] = []

    def on_train_begin(self, logs=None):
        self.step = self.model.step

    def on_train_batch_end(self, batch, logs=None):
        if self.received:
            self.model.stop_training = True
        self.step += self.model.steps_per_execution
        self.pending.append((self.step, logs or {}))
        if len(self.pending) >= self._EVERY:
            self._look()

    def on_epoch_end(self, epoch, logs=None):
        self._look()

    def _look(self):
        pending, self.pending = self.pending, []
        for step, logs in pending:
            values = {name: float(value) for name, value in logs.items()}
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            if bad:
                # logits come before the losses made of them
                tensor = next((name for name in bad if name.endswith("logits")), bad[0])
                raise TrainingDiverged(f"step {step}: {tensor} is {values[tensor]}{self._where()}")

    def _where(self) -> str:
        gan, last = self.model, self.model.last_checkpoint
        variables = [v for network in gan.players().values() for v in network.variables]
        variable = next(
            (v.path for v in variables if not np.isfinite(keras.ops.convert_to_numpy(v)).all()), None
        )
        return (
            (f", and the variable {variable} is not finite" if variable else "")
            + (f"; the last good checkpoint is {last}" if last else "; there is no checkpoint to go back to")
            + "; lower the learning rate or change the loss, then resume from there"
        )


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Inside, SIGINT and SIGTERM are noted in the list that is given instead of interrupting; a second one interrupts.

    Handlers can be set in the main thread only; elsewhere signals act as they always do.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number, frame):
        if received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def copy_of(network: keras.Model) -> keras.Model:
    """A network of the same layers with the same values, and variables of its own."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def in_chunks(generate: Callable[[Any], tf.Tensor], inputs: Any) -> np.ndarray:
    """What `generate` makes of arrays of n rows, a limited number of them at a time."""
    arrays = tf.nest.flatten(inputs)
    n = len(arrays[0])
    # one shape for all calls: one trace, and a sample does not depend on how many come with it
    size = min(_SAMPLE_BATCH, 2 ** math.ceil(math.log2(n)))
    rows = np.arange(n + -n % size) % n
    chunks = [
        tf.nest.pack_sequence_as(inputs, [np.asarray(array)[rows[i : i + size]] for array in arrays])
        for i in range(0, len(rows), size)
    ]
    return np.concatenate([generate(chunk).numpy() for chunk in chunks])[:n]


def discriminator_logs(
    real_loss: tf.Tensor, fake_loss: tf.Tensor, real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> dict[str, tf.Tensor]:
    """What is logged of D's side of a step, as scalars."""
    return {
        "discriminator_loss": real_loss + fake_loss,
        "real_loss": real_loss,
        "fake_loss": fake_loss,
        "real_logits": tf.reduce_mean(real_logits),
        "fake_logits": tf.reduce_mean(fake_logits),
    }


def outside_of_scopes(function: Callable[[], Any]) -> Any:
    """What `function` returns outside of any strategy's scope, where a variable of replicas acts as its first copy."""
    if not tf.distribute.in_cross_replica_context():
        return function()
    with ThreadPoolExecutor(1) as thread:  # scopes are the calling thread's own
        return thread.submit(function).result()


def uniform_images(shape: Sequence[int], seed: int, purpose: str) -> tf.Tensor:
    """Random numbers (n, height, width, channels), uniform on [-1, 1), a function of the seed and the purpose."""
    return 2.0 * uniform(key_of(seed, f"example {purpose}"), 0, 0, list(shape)) - 1.0


def snake_case(name: str) -> str:
    """GradientPenalty -> gradient_penalty, R1 -> r1, DRAGANPenalty -> dragan_penalty."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@contextlib.contextmanager
def _undone_if(vetoes: list[tf.Tensor], variables: list[keras.Variable]) -> Iterator[None]:
    """What is done to `variables` inside is undone if one of the vetoes, alike on all replicas, is true."""
    if not vetoes:
        yield
        return
    veto = tf.reduce_any(tf.stack(vetoes))
    before = [tf.identity(v.value) for v in variables]
    yield

    def choose(strategy, veto, before):
        for variable, old in zip(variables, before, strict=True):
            strategy.extended.update(
                variable.value, lambda v, veto, old: v.assign(tf.where(veto, old, v)), args=(veto, old)
            )

    tf.distribute.get_replica_context().merge_call(choose, args=(veto, before))


def batch_size_of(images: tf.Tensor) -> int | tf.Tensor:
    """The batch dimension, as an int where it is static."""
    return images.shape[0] if images.shape[0] is not None else tf.shape(images)[0]


def global_batch_size(strategy: tf.distribute.Strategy, images: Any) -> int | tf.Tensor:
    """The number of images over all replicas of a value that a distributed iterator gave."""
    return sum(batch_size_of(share) for share in strategy.experimental_local_results(images))


def _serialized(value: Any) -> Any:
    plain = isinstance(value, str | int | float | bool | type(None))
    if isinstance(value, list | tuple):
        return [_serialized(one) for one in value]
    return value if plain else keras.saving.serialize_keras_object(value)


def _deserialized(value: Any, custom_objects: dict | None) -> Any:
    if isinstance(value, list):
        return [_deserialized(one, custom_objects) for one in value]
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value, custom_objects)
    return value


def _weights_path(filepath: str | Path) -> Path:
    path = Path(filepath)
    if not path.name.endswith(".weights.h5"):
        raise InputError(f"{path} is not a name for weights: end it with .weights.h5")
    return path


def _deserialized_optimizer(config: dict) -> keras.optimizers.Optimizer:
    return keras.optimizers.deserialize(dict(config))


def _holder(gan: GAN) -> keras.Model:
    """A Keras model of the networks and nothing else: a file of weights has no optimisers in it."""
    holder = keras.Model()
    for name, network in gan.networks().items():
        setattr(holder, name, network)
    holder.built = True
    return holder


def _shapes_by_network(gan: GAN) -> dict[str, list[tuple[int, ...]]]:
    return {name: sorted(tuple(v.shape) for v in network.weights) for name, network in gan.networks().items()}


def _shapes_in_file(file: h5py.File) -> dict[str, list[tuple[int, ...]]]:
    found: dict[str, list[tuple[int, ...]]] = {}

    def note(path, item):
        if isinstance(item, h5py.Dataset) and "/seed_generator/" not in path:
            found.setdefault(path.split("/")[0], []).append(tuple(item.shape))

    file.visititems(note)
    return {network: sorted(shapes) for network, shapes in found.items()}


def _summary(shapes: list[tuple[int, ...]] | None) -> str:
    if shapes is None:
        return "no variables"
    return f"{len(shapes)} variables, {sum(math.prod(shape) for shape in shapes):,} numbers"
