"""The step of every game, on any tf.distribute strategy: a cast of players and a table of updates.

A model is its networks and `updates()`, a list of rows (`ganlib.updates.Update`): which loss moves which players, how
often, in which order. The engine runs the table: batches, random numbers, replicas, averages, phases, what a run needs
to go on. A paper that changes the algorithm changes the table, or overrides one of the hooks, each a named method:
`fixed`, `updates`, `phases`, `averaged`, `ema_decay_at`, `play`, `finish_step`.
"""

import contextlib
import dataclasses
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ganlib import batches as feeding
from ganlib import optimizers, updates, weights
from ganlib.arguments import require_decay, require_positive_integers, require_seed
from ganlib.callbacks.guard import Guard, stop_signals
from ganlib.callbacks.progress import ProgressBar
from ganlib.errors import InputError
from ganlib.layers.random_layer import RandomLayer
from ganlib.moving import Moving
from ganlib.phases import Phase, Schedule
from ganlib.presets import Configured, copy_of
from ganlib.randomness import RandomStreams
from ganlib.replicas import global_batch_size
from ganlib.trick import Trick
from ganlib.updates import Logs, Move, Player, Table


class Average(NamedTuple):
    """A network of which a moving average is kept.

    Attributes:
        of: It.
        copy_buffers: Whether what is not trained (running statistics) is copied, not averaged, as in StyleGAN2's code.
    """

    of: keras.Model
    copy_buffers: bool = False


@dataclasses.dataclass
class _Running:
    """What belongs to a compiled model, and to a call of `fit`.

    Attributes:
        phase: The phase that the optimisers' slots are of; None where there is only one.
        lazy_logs: What lazy rows logged last.
        number: Of the phase that the model is in; None before the first.
        clock: The number of the next step, on the host.
        step: The traced step.
        data: What `fit` was given.
        batches: Its iterator, opened where the run is.
    """

    phase: tf.Variable | None = None
    lazy_logs: dict[str, tf.Variable] = dataclasses.field(default_factory=dict)
    number: int | None = None
    clock: int = 0
    step: Callable | None = None
    data: tf.data.Dataset | None = None
    batches: Iterator | None = None


_MOST_BATCHES = 1_000  # a step is traced with so many at most


class Engine(Configured, Moving, keras.Model):
    """A game: networks that are trained by a table of updates.

    A step is what `fit` counts: one pass through the table, on as many fresh batches as its most frequent row asks for.

    Args:
        players: In the order in which state is kept.
        recipe: Role -> template of the optimiser that `compile` makes for each player of that role.
        tricks: Penalties and tricks (`ganlib.trick`), applied in this order.
        ema_decay: Decay, per step, of the moving averages (`averaged`), which start at the networks' own values. None:
            there are none.
        image_shape: (height, width, channels) of the real images; (coordinates,) of points.
        batch_size: Real images of a batch, over all replicas; what `data.batch` should be given.
        seed: Seed of the run. All random numbers of a step are a function of it, the step, the purpose, and the
            global index of the sample.
        name: Of the Keras model.

    Raises:
        InputError: An argument is out of range, or a network draws random numbers that a resumed or a distributed run
            could not draw again.
    """

    sampled = False  # whether samples can be drawn of nothing but latents
    title: str = ""
    authors: str = ""
    year: int = 0
    arxiv: str = ""

    def __init__(
        self,
        players: Sequence[Player],
        recipe: Mapping[str, keras.optimizers.Optimizer],
        *,
        tricks: Sequence[Trick] = (),
        ema_decay: float | None = None,
        image_shape: tuple[int, ...],
        batch_size: int = 64,
        seed: int = 0,
        name: str | None = None,
    ):
        require_positive_integers(batch_size=batch_size)
        require_decay(ema_decay)
        require_seed(seed)
        for trick in tricks:
            if not isinstance(trick, Trick):
                raise InputError(
                    f"{trick!r} is neither a penalty nor a trick: give objects of ganlib.penalties or ganlib.tricks"
                )
        super().__init__(name=name)
        self.tricks = list(tricks)
        self.ema_decay = ema_decay
        self.image_shape = tuple(image_shape)
        self.batch_size = batch_size
        self.seed = int(seed)
        self.accumulate = 1
        self.last_checkpoint: Path | None = None
        self.streams = RandomStreams(self.seed)
        # past Keras, which would track what is inside once more
        object.__setattr__(self, "_cast", {player.name: player for player in players})
        object.__setattr__(self, "_recipe", {r: keras.optimizers.serialize(o) for r, o in recipe.items()})
        for player in players:
            setattr(self, player.name, player.network)
        averages = self.averaged() if ema_decay is not None else {}
        object.__setattr__(self, "_averages", averages)
        for average, (network, _) in averages.items():
            setattr(self, average, copy_of(network))
        for fixed, network in self.fixed().items():
            setattr(self, fixed, network)
            network.trainable = False
        self._bind_random_layers()
        self.step_counter = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.image_counter = tf.Variable(0, dtype=tf.int64, trainable=False, name="images_seen")
        for trick in self.tricks:
            trick.build(self)
        object.__setattr__(self, "_running", _Running())
        self.built = True

    # ------------------------------------------------------------------------------------------- the cast

    def players(self) -> dict[str, keras.Model]:
        """The networks that are trained, by name."""
        return {name: player.network for name, player in self._cast.items()}

    def player(self, name: str) -> Player:
        """A player with its role and its network."""
        return self._cast[name]

    def players_of(self, role: str) -> list[Player]:
        """The players of a role, in order."""
        return [player for player in self._cast.values() if player.role == role]

    def fixed(self) -> dict[str, keras.Model]:
        """Networks that take part and are never updated, by name: saved, checkpointed, bound to the random streams.

        For StackedGAN's and AdaIN's encoder, trained before.
        """
        return {}

    def averaged(self) -> dict[str, Average]:
        """The averages that are kept, by the name that they have here and in files.

        For StyleGAN (mapping and synthesis) and BigBiGAN (the encoder too); by default of nothing.
        """
        return {}

    def networks(self) -> dict[str, keras.Model]:
        """The players, their averages, and what is fixed: all that a file of weights holds."""
        more = {name: getattr(self, name) for name in self._averages}
        return {**self.players(), **more, **self.fixed()}

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The optimiser of each player.

        Raises:
            InputError: The model is not compiled.
        """
        if not self.compiled:
            raise InputError(f"{type(self).__name__} has no optimisers yet: call compile() first")
        return {name: getattr(self, f"{name}_optimizer") for name in self._cast}

    def state(self) -> list[tf.Variable]:
        """All that a resumed run needs, in a fixed order.

        Networks, averages, fixed networks, optimisers, tricks, lazy rows' last logs, the phase (if there are several),
        step, images seen. Random numbers and the position in the data are functions of seed, step and images.
        """
        variables = [v.value for network in self.networks().values() for v in network.variables]
        variables += [v.value for optimizer in self.optimizers().values() for v in optimizer.variables]
        variables += [variable for trick in self.tricks for variable in trick.variables]
        variables += self._running.lazy_logs.values()
        variables += [] if self._running.phase is None else [self._running.phase]
        return [*variables, self.step_counter, self.image_counter]

    @property
    def step(self) -> int:
        """Steps so far."""
        return int(self.step_counter.numpy())

    @property
    def images_seen(self) -> int:
        """Distinct real images that were shown so far; a thousand are a kimg."""
        return int(self.image_counter.numpy())

    # ------------------------------------------------------------------------------------------ the table

    def updates(self) -> Table:
        """The rows of a step, in their order; a tuple of rows, or a `Move`, moves at once."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a step is: define updates()")

    def phases(self) -> list[Phase]:
        """The phases of a run, in order: one that never ends, unless a paper grows, stacks or trains level by level.

        For PGGAN's growth, LAPGAN's levels, StackedGAN's stages. When one begins, `level` is set, optimisers start
        again from zero, the batch size may change, and the step is traced anew.
        """
        return [Phase()]

    def begin_phase(self) -> None:
        """Called when the model has become that of a phase, before its first step. For rates and levels of detail."""

    def call_options(self) -> dict[str, Any]:
        """Keyword arguments that networks are called with in this phase: none. For PGGAN, whose networks grow."""
        return {}

    def schedule(self) -> Schedule:
        """The phases, counted in steps."""
        sizes = [updates.batches_a_step(moves) for moves in self._tables()]
        return Schedule(self.phases(), self.batch_size, sizes)

    def steps_for(self, images: float) -> int:
        """Steps until so many distinct real images were shown."""
        return self.schedule().steps_for(images)

    def images_for(self, steps: int) -> int:
        """Distinct real images that so many steps show."""
        return self.schedule().images_for(steps)

    def last_step(self) -> int | None:
        """The step from which on the recipe's learning rate is 0; None: there is none."""
        return None

    def paced(self, steps: int) -> dict[str, Any]:
        """Constructor arguments that spread the recipe's schedule over so many steps; none, where there is none."""
        return {}

    def _tables(self) -> list[list[Move]]:
        """The table of each phase."""
        return [updates.moves_of(self.updates() if p.rows is None else p.rows) for p in self.phases()]

    def _moves(self) -> list[Move]:
        """The table of the running phase."""
        return self._tables()[self._running.number or 0]

    @property
    def level(self) -> Any:
        """The level of the running phase; of the last one, where no phase has begun (weights come from its end)."""
        number = self._running.number
        return self.phases()[-1 if number is None else number].level

    # ------------------------------------------------------------------------------------------- training

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        encoder_optimizer: keras.optimizers.Optimizer | None = None,
        *,
        accumulate: int = 1,
        jit_compile: bool = False,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
    ) -> None:
        """Make the optimisers (the paper's, unless others are given) and choose how the step runs.

        Args:
            generator_optimizer: Of the generators. Where a role has several players, each gets one like it.
            discriminator_optimizer: Of the discriminators.
            encoder_optimizer: Of the encoders.
            accumulate: Micro-batches that each batch is cut into, whose gradients are averaged: the memory of one, and
                the step of all. Statistics (spectral vectors, batch norm) move in the first one only.
            jit_compile: Compile the step with XLA. Slower on the CPU (measured), so off; try it on a GPU.
            run_eagerly: Run Python line by line, for a debugger.
            steps_per_execution: Steps a call of the train function; more than one pays for tiny models only.
                Callbacks then run, and logs are seen, every so many steps.

        Raises:
            InputError: Two roles share an optimiser, the table does not fit the players, a trick cannot do without
                whole batches, or XLA is asked for on several replicas.
        """
        require_positive_integers(steps_per_execution=steps_per_execution, accumulate=accumulate)
        if self.compiled and self.step > 0:
            warnings.warn(
                f"compile after {self.step} steps makes new optimisers, whose moments begin at 0: compile once, and "
                "`fit` goes on",
                stacklevel=2,
            )
        given = {
            "generator": generator_optimizer,
            "discriminator": discriminator_optimizer,
            "encoder": encoder_optimizer,
        }
        objects = [id(optimizer) for optimizer in given.values() if optimizer is not None]
        if len(set(objects)) < len(objects):
            raise InputError(
                "generator_optimizer and discriminator_optimizer are one object: make one for each player"
            )
        replicas = self.distribute_strategy.num_replicas_in_sync
        if jit_compile and replicas > 1:
            raise InputError(
                f"jit_compile=True cannot wrap a step on {replicas} replicas: use jit_compile=False"
            )
        for trick in self.tricks:
            if accumulate > 1 and trick.whole_batch:
                raise InputError(
                    f"{type(trick).__name__} needs the whole batch of a step: leave it out, or use accumulate=1"
                )
        roles = {role for role, optimizer in given.items() if optimizer is not None} | self._recipe.keys()
        updates.check_tables(
            self._tables(), self._cast, [p.name for p in self._cast.values() if p.role in roles]
        )
        self.schedule().check_call(steps_per_execution)
        super().compile(
            optimizer=None,
            loss=None,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
        )
        self.accumulate = accumulate
        running = _Running(clock=self.step)
        with self.distribute_strategy.scope():
            if len(self.phases()) > 1:
                running.phase = tf.Variable(
                    self.schedule().at(self.step), dtype=tf.int64, trainable=False, name="phase"
                )
            running.lazy_logs = {
                log: tf.Variable(0.0, trainable=False, name="last_log")
                for row in updates.lazy_rows(self._tables())
                for log in row.log_names
            }
            object.__setattr__(self, "_running", running)
            for player in self._cast.values():
                optimizer = given[player.role] or _made(self._recipe[player.role])
                if len(self.players_of(player.role)) > 1:
                    optimizer = _made(keras.optimizers.serialize(optimizer))
                setattr(self, f"{player.name}_optimizer", optimizer)
            for name, optimizer in self.optimizers().items():
                optimizer.build(self.players()[name].trainable_variables)
        self.train_function = None

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
            x: Batches of images, or of pairs of images and labels, or of pairs of images. A dataset that ends is
                repeated. A run that was shown n images goes on at image n: a resumed run goes on in the data.
            steps_per_epoch: Steps an epoch. Default: one pass over a dataset that ends.
            epochs: Number of epochs.
            callbacks: Keras callbacks; a batch of theirs is a step of ours.
            verbose: 0 shows nothing, anything else a progress bar.
            initial_epoch: Where to start counting epochs.

        Returns:
            Keras' history, the last step of each epoch.

        Raises:
            InputError: The batches do not fit the model, or Keras computes in another type than float32, before
                anything is trained.
            TrainingDiverged: A loss or a logit is not finite.
            KeyboardInterrupt: After Ctrl-C, once the step was finished and the callbacks (checkpoints) have run.
            SystemExit: The same after SIGTERM.
        """
        layers = [layer for network in self.networks().values() for layer in network._flatten_layers()]
        kinds = {keras.config.floatx(), *(layer.compute_dtype for layer in layers)} - {"float32"}
        if kinds:
            raise InputError(
                f"Keras' floatx or the layers' dtype policy is {', '.join(sorted(kinds))}: training needs float32, as "
                "losses, random numbers and averages do; call keras.config.set_floatx('float32') and "
                "keras.config.set_dtype_policy('float32') before the model is made"
            )
        if not self.compiled:
            self.compile()
        passes = self._open(x)
        steps_per_epoch = passes if steps_per_epoch is None else steps_per_epoch
        if steps_per_epoch is None:
            raise InputError(
                "steps_per_epoch=None, but the dataset has no end, or none that is known: say how many steps an epoch "
                "has"
            )
        require_positive_integers(steps_per_epoch=steps_per_epoch, epochs=epochs)
        callbacks = list(callbacks or [])
        try:
            with contextlib.ExitStack() as stack:
                received = stack.enter_context(stop_signals())
                if verbose != 0:
                    callbacks.append(stack.enter_context(contextlib.closing(ProgressBar())))
                history = super().fit(
                    # Keras counts steps; the batches are the engine's own, which it opens and reopens
                    feeding.untuned(
                        tf.data.Dataset.range(1).repeat().batch(self.distribute_strategy.num_replicas_in_sync)
                    ),
                    steps_per_epoch=steps_per_epoch,
                    epochs=epochs,
                    initial_epoch=initial_epoch,
                    callbacks=[Guard(received), *callbacks],
                    verbose=0,
                    shuffle=False,
                )
        finally:
            self._running.data = self._running.batches = None
        if signal.SIGINT in received:
            raise KeyboardInterrupt
        if received:
            raise SystemExit(128 + received[0])
        return history

    def ema_decay_at(self, step: tf.Variable) -> float | tf.Tensor:
        """The averages' decay in this step: `ema_decay`. For StyleGAN2, whose average ramps up with the images seen."""
        return self.ema_decay

    def finish_step(self, images: int | tf.Tensor) -> None:
        """What happens once a step, on all replicas alike: averages, tricks and counters.

        Args:
            images: Distinct real images that were shown in this step.
        """
        for name, (network, copy_buffers) in self._averages.items():
            decay, extended = self.ema_decay_at(self.step_counter), self.distribute_strategy.extended
            for average, variable in zip(getattr(self, name).weights, network.weights, strict=True):
                copied = not average.value.dtype.is_floating or (copy_buffers and not variable.trainable)
                move = (lambda a, v: a.assign(v)) if copied else _averaging(decay)
                extended.update(average.value, move, args=(variable.value,))
        for trick in self.tricks:
            trick.finish_step(self)
        self.step_counter.assign_add(1)
        self.image_counter.assign_add(tf.cast(images, tf.int64))

    def make_train_function(self, force: bool = False) -> Callable:
        """What `fit` calls for each step: it enters the phase that the step belongs to, and runs the traced step."""
        if self.train_function is not None and not force:
            return self.train_function
        running = self._running
        running.step = None

        def step(_) -> Logs:
            self._enter_phase()
            if running.step is None:
                running.step = self._traced_step()
            running.clock += self.steps_per_execution
            return running.step(running.batches)

        self.train_function = step
        return step

    def _traced_step(self) -> Callable:
        """Iterator -> logs: draws the batches, runs the moves on all replicas, finishes the step."""
        strategy, moves = self.distribute_strategy, self._moves()
        drawn, last = updates.batches_a_step(moves), self._running.lazy_logs
        segments = updates.segments_of(moves)
        if all(every == 1 for every, _ in segments):
            segments = [(1, None)]

        def on_replicas(segment, batches):
            step = (lambda batches: self.train_step(batches, segment)) if segment else self.train_step
            step = tf.function(step, jit_compile=True) if self.jit_compile else step
            logs = strategy.run(step, args=(batches,))
            return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

        def lazily(every, segment, batches):
            def run():
                for name, value in on_replicas(segment, batches).items():
                    last[name].assign(tf.cast(value, tf.float32))
                return True

            tf.cond(self.step_counter % every == 0, run, lambda: True)

        @tf.autograph.experimental.do_not_convert
        def after(batches):
            logs = {}
            for every, segment in segments:
                if every == 1:
                    logs.update(on_replicas(segment, batches))
                else:
                    lazily(every, segment, batches)
            images = sum(global_batch_size(strategy, self.split_batch(batch)[0]) for batch in batches)
            self.finish_step(images)
            logs |= {name: value for trick in self.tricks for name, value in trick.logs().items()}
            names = [log for row in updates.lazy_rows([moves]) for log in row.log_names]
            return logs | {name: tf.identity(last[name]) for name in names}

        def one_step(iterator):
            batches = [next(iterator) for _ in range(drawn)]
            # data that ends in mid-step must end before the step begins
            with tf.control_dependencies(tf.nest.flatten(batches, expand_composites=True)):
                return after(batches)

        def several_steps(iterator):
            for _ in tf.range(self.steps_per_execution - 1):
                one_step(iterator)
            return one_step(iterator)

        # TensorFlow's dependency optimiser may drop the edge between reading a variable and its next update: D's five
        # updates in a WGAN step then raced, up to 6% off the eager step after two steps (TensorFlow 2.21).
        tf.config.optimizer.set_experimental_options({"dependency_optimization": False})
        function = one_step if self.steps_per_execution == 1 else several_steps
        return function if self.run_eagerly else tf.function(function)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing to build: Keras would reduce a batch of images over the workers here."""

    # --------------------------------------------------------------------------------- phases and batches

    def _open(self, dataset: Any) -> int | None:
        """Check the batches and open them where the run is; returns the steps of one pass, if they have an end."""
        drawn, count = self.check_data(dataset), int(dataset.cardinality())
        feeding.look_at_first(dataset, getattr(getattr(self, "classes", None), "num_classes", None))
        self._running.clock = self.step
        self._reopen(dataset)
        return count // drawn if count >= 0 else None

    def check_data(self, dataset: Any) -> int:
        """What `fit` checks before it trains; returns how many batches the next step draws.

        Raises:
            InputError: It is no dataset of batches of this model's inputs, has too few of them, or a batch cannot be
                shared by the replicas.
        """
        feeding.require_dataset(dataset)
        self.check_batches(dataset)
        schedule, count = self.schedule(), int(dataset.cardinality())
        drawn = schedule.batches_a_step[schedule.at(self.step)]
        if 0 <= count < drawn:
            raise InputError(f"the dataset has {count} batches, a step needs {drawn}: use smaller batches")
        if drawn > _MOST_BATCHES:
            raise InputError(
                f"a step draws {drawn:,} batches, {_MOST_BATCHES:,} at most can be: use a smaller n_critic"
            )
        size = tf.nest.flatten(dataset.element_spec)[0].shape[0]
        phases = [] if self._running.phase is None else schedule.phases
        for shared in {phase.batch_size for phase in phases} or {size}:
            feeding.check_shares(shared, self.distribute_strategy.num_replicas_in_sync, self.accumulate)
        return drawn

    def _reopen(self, dataset: tf.data.Dataset) -> None:
        schedule, clock = self.schedule(), self._running.clock
        size = None if self._running.phase is None else schedule.phases[schedule.at(clock)].batch_size
        batches = feeding.opened(dataset, self.images_seen, schedule.batches_for(clock), size)
        size = tf.nest.flatten(batches.element_spec)[0].shape[0]
        feeding.check_shares(size, self.distribute_strategy.num_replicas_in_sync, self.accumulate)
        self._running.data = dataset
        batches = self.distribute_strategy.experimental_distribute_dataset(feeding.untuned(batches))
        self._running.batches = iter(batches)

    def _enter_phase(self) -> None:
        """Make the model that of the phase which the next step belongs to."""
        running = self._running
        if running.phase is None:
            return
        number = self.schedule().at(running.clock)
        if running.number == number:
            return
        if int(running.phase.numpy()) != number:
            for optimizer in self.optimizers().values():
                optimizers.restart(optimizer)
            running.phase.assign(number)
            self._reopen(running.data)
        running.number, running.step = number, None
        self.begin_phase()
        self.forget_traces()

    def restored(self) -> None:
        """Called when the state was set to a checkpoint's, whose phase the model then is in."""
        self._running.clock = self.step
        if self._running.phase is not None:
            self._running.number, self._running.step = int(self._running.phase.numpy()), None
            self.forget_traces()

    def forget_traces(self) -> None:
        """Drop traced functions that hold an earlier phase's networks; models that trace for sampling override it."""

    def misfit(self, data: Any) -> tuple[str, str] | None:
        """What data has and what the model does instead, as words for a message; None: they fit."""
        if tuple(data.shape) != self.image_shape:
            return f"examples of shape {tuple(data.shape)}", f"makes {self.image_shape}"
        return None

    def check_batches(self, dataset: tf.data.Dataset) -> None:
        """Check that a dataset holds what the model trains on.

        Raises:
            InputError: It does not.
        """
        spec, _ = self.split_batch(dataset.element_spec)
        feeding.check_images(dataset, spec, self.image_shape, type(self).__name__, self.batch_size)

    @staticmethod
    def split_batch(batch: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
        """(images, labels) of a batch; labels are None where there are none."""
        if isinstance(batch, tuple | list):
            return batch[0], batch[1] if len(batch) > 1 else None
        return batch, None

    # ----------------------------------------------------------------------------------- weights, details

    def evaluate(self, *arguments, **more):
        """Keras' compares outputs with targets, which a GAN has not: see `ganlib.metrics.evaluate`."""
        raise InputError(
            f"{type(self).__name__}.evaluate: a GAN has no targets; use ganlib.metrics.evaluate(gan, data, ['fid'])"
        )

    def __reduce__(self):
        """What copy and pickle call: a copy's layers would draw from the random numbers of the original."""
        raise InputError(
            f"a {type(self).__name__} cannot be copied or pickled: make another, {type(self).__name__}.from_config("
            "gan.get_config()), and load what gan.save_weights(...) wrote"
        )

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Write all networks to a `.weights.h5` file, see `ganlib.weights.save`."""
        weights.save(self.networks(), filepath, overwrite, type(self).__name__)

    def load_weights(self, filepath: str | Path) -> None:
        """Read what `save_weights` wrote, see `ganlib.weights.load`."""
        weights.load(self.networks(), filepath, type(self).__name__)

    def _bind_random_layers(self) -> None:
        """Give every layer that draws the streams, and a purpose; an average's draws are those of its network."""
        played_as = {name: name for name in self.networks()}
        for name, (network, _) in self._averages.items():
            played_as[name] = next(p for p, other in self.players().items() if other is network)
        for name, network in self.networks().items():
            drawing = [
                layer
                for layer in network._flatten_layers()
                if isinstance(layer, RandomLayer) or hasattr(layer, "seed_generator")
            ]
            for i, layer in enumerate(drawing):
                if not isinstance(layer, RandomLayer):
                    kind = type(layer).__name__
                    raise InputError(
                        f"layer {layer.name!r} of the {name} is Keras' {kind}, whose random numbers are the same on "
                        "every replica and lost on resume: use ganlib.layers.Dropout"
                    )
                layer.streams, layer.purpose = self.streams, f"{played_as[name]}/{layer.kind}/{i}"


def _averaging(decay: float | tf.Tensor) -> Callable[[tf.Variable, tf.Tensor], Any]:
    return lambda average, value: average.assign_sub((1.0 - decay) * (average - value))


def _made(config: dict[str, Any]) -> keras.optimizers.Optimizer:
    return keras.optimizers.deserialize(dict(config))
