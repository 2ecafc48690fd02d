"""Training by growth: first at 4x4, then each resolution faded in and trained on.

Karras et al. 2018, arXiv:1710.10196, section 2. Mixed in front of `GAN`, for models whose networks are `Growing`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.errors import InputError
from ganlib.layers.growing import SMALLEST, Stage, levels_of
from ganlib.layers.resampling import box_down, enlarged, nearest_up
from ganlib.phases import Phase


class _Plan(NamedTuple):
    start: int
    top: int
    fade_images: int
    stable_images: int
    batch_sizes: dict[int, int]
    learning_rates: dict[int, float]


class Growth:
    """Phases, one a stage: the first resolution, then for each doubling a fade-in and as much at full strength.

    Optimisers start again at each stage, as in the official code. Real images are shown at the stage's resolution, and
    fade like the generated ones. `sample` gives images of the full resolution at any time, enlarged while it is not
    reached.
    """

    def grow(
        self,
        resolution: int,
        start_resolution: int,
        fade_images: int,
        stable_images: int,
        batch_sizes: Any = (),
        learning_rates: Any = (),
    ) -> None:
        """Set the schedule; before the engine's constructor.

        Args:
            resolution: Of the images.
            start_resolution: Where training begins; that of the images: no growth.
            fade_images: Real images over which a new resolution is faded in.
            stable_images: Real images at each resolution before the next one comes.
            batch_sizes: Pairs (resolution, batch size) of resolutions that have another than the model's.
            learning_rates: Pairs (resolution, rate) of resolutions that have another than the recipe's.

        Raises:
            InputError: A number is not positive, growth cannot reach or begin at a resolution, or pairs are none.
        """
        require_positive_integers(resolution=resolution, start_resolution=start_resolution)
        require_positive_integers(fade_images=fade_images, stable_images=stable_images)
        top, start = levels_of(resolution) - 1, levels_of(start_resolution, "start_resolution") - 1
        if start > top:
            raise InputError(
                f"start_resolution={start_resolution} is above resolution={resolution}: begin at or below it"
            )
        sizes = _by_resolution("an integer of at least 1", require_positive_integers, batch_sizes=batch_sizes)
        above_zero = functools.partial(require_positive, example="1e-3")
        rates = _by_resolution("a number above 0", above_zero, learning_rates=learning_rates)
        plan = _Plan(start, top, fade_images, stable_images, sizes, rates)
        object.__setattr__(self, "_plan", plan)  # past Keras, which would track the dictionaries
        object.__setattr__(self, "_loaded_stage", Stage(top))

    def phases(self):
        """One a stage; the last never ends."""
        plan = self._plan
        stages = [Stage(plan.start)]
        for level in range(plan.start + 1, plan.top + 1):
            stages += [Stage(level, fading=True), Stage(level)]
        images = [plan.fade_images if stage.fading else plan.stable_images for stage in stages]
        sizes = [plan.batch_sizes.get(SMALLEST * 2**stage.level) for stage in stages]
        phases = [Phase(n, size, stage) for n, size, stage in zip(images, sizes, stages, strict=True)]
        return [*phases[:-1], phases[-1]._replace(images=None)]

    @property
    def level(self):
        """The stage of the run; before one, that of the weights: fully grown, unless others were loaded."""
        return super().level if self._running.number is not None else self._loaded_stage

    def call_options(self):
        """Networks are told the stage."""
        return {"stage": self.level}

    def compile(self, *args, **kwargs):
        """As ever; notes the learning rates, which resolutions have that have none of their own."""
        super().compile(*args, **kwargs)
        rates = {player: optimizer.learning_rate.numpy() for player, optimizer in self.optimizers().items()}
        object.__setattr__(self, "_rates", rates)

    def begin_phase(self):
        """Set the networks' level of detail, and the learning rates of this resolution."""
        object.__setattr__(self, "_loaded_stage", self.level)
        lod = self._lod(self.level, self.image_counter)
        for network in self._growing():
            network.lod.assign(lod)
        if self._plan.learning_rates:
            rate = self._plan.learning_rates.get(SMALLEST * 2**self.level.level)
            for player, optimizer in self.optimizers().items():
                optimizer.learning_rate.assign(self._rates[player] if rate is None else rate)

    def finish_step(self, images):
        """As ever; then what the next step shows."""
        super().finish_step(images)
        if self.level.fading:
            lod = self._lod(self.level, self.image_counter)
            for network in self._growing():
                network.lod.assign(lod)

    def _lod(self, stage: Stage, images: tf.Variable) -> tf.Tensor:
        """The level of detail when so many images were seen, in this stage."""
        missing = self._plan.top - stage.level
        if not stage.fading:
            return tf.constant(float(missing))
        schedule = self.schedule()
        number = [phase.level for phase in schedule.phases].index(stage)
        begin = schedule.images_for(int(schedule.ends[number - 1]))
        shown = tf.cast(images - begin, tf.float32) / self._plan.fade_images
        return missing + 1.0 - tf.clip_by_value(shown, 0.0, 1.0)

    def images_a_step(self) -> int:
        """Real images of a batch at this resolution."""
        return self._plan.batch_sizes.get(SMALLEST * 2**self.level.level, self.batch_size)

    def _growing(self):
        return [network for network in self._grown_parts() if hasattr(network, "lod")]

    def _grown_parts(self):
        """The networks, and those inside of them."""
        for network in self.networks().values():
            yield network
            yield from (layer for layer in network.layers if hasattr(layer, "lod"))

    # ------------------------------------------------------------------------------------------- images

    def at_stage(self, batch: Any) -> Any:
        """A batch as D is shown it: its images at the stage's resolution, faded like the generated ones."""
        images, labels = self.split_batch(batch)
        stage = self.level
        images = box_down(images, images.shape[1] // (SMALLEST * 2**stage.level))
        if stage.fading:
            images = self.discriminator.faded(nearest_up(box_down(images)), images, stage.level)
        return images if labels is None else (images, labels)

    def discriminator_loss(self, batch):
        """On images of the stage."""
        return super().discriminator_loss(self.at_stage(batch))

    def generator_loss(self, batch):
        """On images of the stage."""
        return super().generator_loss(self.at_stage(batch))

    def penalised_images(self, batch):
        """On images of the stage."""
        return super().penalised_images(self.at_stage(batch))

    def sampler(self, truncation=None, seed=None):
        """Images of the full resolution, enlarged while growth has not reached it."""
        sampler = super().sampler(truncation, seed)

        def whole(inputs):
            return enlarged(sampler(inputs), self.image_shape[0])

        whole.trace_key = getattr(sampler, "trace_key", None)
        return whole

    def load_weights(self, filepath):
        """As ever; the stage is that of the weights."""
        super().load_weights(filepath)
        lod = float(self.discriminator.lod.numpy())
        whole = int(lod)
        stage = Stage(self._plan.top - whole, fading=lod > whole)
        object.__setattr__(self, "_loaded_stage", stage)
        self.forget_traces()


def _by_resolution(expected: str, require: Callable, **given: Any) -> dict[int, Any]:
    """Pairs (resolution, number) as a table; the argument is called by its name.

    Raises:
        InputError: They are no pairs, or a number is not what is required.
    """
    ((name, pairs),) = given.items()
    try:
        table = dict(pairs)
        require(**{f"of{resolution}": number for resolution, number in table.items()})
    except (TypeError, ValueError, InputError):
        raise InputError(
            f"{name}={pairs!r}: give pairs of a resolution and {expected}, like (64, 32)"
        ) from None
    return table
