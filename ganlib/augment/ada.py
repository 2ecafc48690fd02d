"""ADA: training generative adversarial networks with limited data, by augmentations whose probability steers itself.

Karras, Aittala, Hellsten, Laine, Lehtinen, Aila. NeurIPS 2020, arXiv:2006.06676. The transforms are those of its
appendix B (`ganlib.augment.pipeline`); the rule is that of section 3 with r_t, eq. 1, read beside the authors' code
(NVlabs/stylegan2-ada-pytorch `training/training_loop.py` and `train.py`).

Differs from that code: p is clipped at 1 too, above which a probability has no meaning (there it goes on to grow, and
must come all the way back); an image is padded so far as its own map reaches (`transforms.warped`); and r_t is of D's
updates alone, where the lazy R1 step there counts too.
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.augment.pipeline import pipeline_of
from ganlib.augment.shown import require_images
from ganlib.errors import InputError
from ganlib.replicas import batch_size_of, mean_over_replicas
from ganlib.trick import Trick


@keras.saving.register_keras_serializable("ganlib")
class ADA(Trick):
    """D looks at all images through `pipeline`, whose transforms happen with a probability p that follows r_t.

        r_t = E sign D(x)    over the real images, as D looks at them, of the last `interval` steps     (eq. 1)
        p <- clip(p + sign(r_t - target) * images / (1000 kimg), 0, 1)    after them

    A D that has memorised its data calls nearly all of it real: r_t is near 1 then, and p grows. That needs a game in
    which the sign of a logit says what D believes: non-saturating, minimax or hinge. With `accumulate`, r_t is that of
    the first micro-batches; with several discriminators, the mean over them, and images count once.

    Args:
        target: Of r_t. None: p stays as it is.
        pipeline: A name in `PIPELINES` ("bgc", the paper's choice: blitting, geometry, colour), or strengths of
            transforms, as `Pipeline` takes them.
        p: At the start, in [0, 1].
        kimg: Thousands of real images in which p can go from 0 to 1.
        interval: Steps from one adjustment of p to the next.

    Raises:
        InputError: An argument is out of range, or there is no such pipeline.
    """

    def __init__(
        self,
        target: float | None = 0.6,
        pipeline: str | Mapping[str, float] = "bgc",
        p: float = 0.0,
        kimg: float = 500.0,
        interval: int = 4,
    ):
        for name, value, low in (("target", target, -1), ("p", p, 0)):
            if not (value is None and name == "target") and not _within(value, low):
                raise InputError(f"{name}={value!r} is out of range: give a number in [{low}, 1], like 0.6")
        require_positive(example="500", kimg=kimg)
        require_positive_integers(interval=interval)
        self.target = target
        self.pipeline = pipeline if isinstance(pipeline, str) else dict(pipeline)
        self.p = p
        self.kimg = kimg
        self.interval = interval
        self._augment = pipeline_of(pipeline)
        self._now = self._signs = self._images = None
        self._judges: list[str] = []

    def build(self, gan):
        """p, and what each D has seen since it was adjusted: the sum of its signs, and the number of images.

        Raises:
            InputError: D is shown neither grey nor colour images.
        """
        require_images(gan, "ADA", (1, 3))
        self._judges = [player.name for player in gan.players_of("discriminator")]
        none = np.zeros(len(self._judges), np.float32)
        self._now, self._signs, self._images = (
            keras.Variable(
                value, trainable=False, dtype="float32", aggregation="only_first_replica", name=name
            )
            for name, value in (("ada_p", self.p), ("ada_signs", none), ("ada_images", none))
        )

    @property
    def variables(self):
        """p, signs, images."""
        return [self._now.value, self._signs.value, self._images.value]

    @property
    def probability(self) -> float:
        """p, now."""
        return float(self._now.numpy())

    def view(self, gan, images):
        """The images through the pipeline, each with draws of its own."""
        draws = self._augment.draw(gan.streams, [batch_size_of(images), *images.shape[1:]])
        return self._augment(images, draws, self._now.value)

    def observe(self, gan, player, real_logits, fake_logits):
        """Add the signs of the real images' logits."""
        if self.target is None:
            return
        sign = mean_over_replicas(tf.reduce_mean(tf.sign(real_logits)))
        parts = tf.distribute.get_strategy().num_replicas_in_sync * gan.accumulate
        images = tf.cast(batch_size_of(real_logits) * parts, tf.float32)
        images *= tf.one_hot(self._judges.index(player.name), len(self._judges))
        self._signs.assign_add(tf.cast(sign, tf.float32) * images)
        self._images.assign_add(images)

    def finish_step(self, gan):
        """Adjust p, after every `interval` steps."""
        if self.target is None:
            return
        now, signs, images = self.variables
        due = (gan.step_counter + 1) % self.interval == 0
        excess = tf.math.divide_no_nan(tf.reduce_sum(signs), tf.reduce_sum(images)) - self.target
        changed = now + tf.sign(excess) * tf.reduce_max(images) / (1000.0 * self.kimg)
        now.assign(tf.where(due, tf.clip_by_value(changed, 0.0, 1.0), now))
        for counted in (signs, images):
            counted.assign(tf.where(due, tf.zeros_like(counted), counted))

    def logs(self):
        """The probability p."""
        return {"ada_p": tf.identity(self._now.value)}


def _within(value, low: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= value <= 1
