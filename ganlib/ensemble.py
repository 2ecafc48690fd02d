"""Several generators that sample as one.

Wang, Zhang, van de Weijer 2016, arXiv:1612.00991 ("Ensembles of GANs"): runs of several seeds, or one run at several
steps, lack different parts of the data; drawing each sample by one of them at random lacks less.

    both = ganlib.Ensemble([first, second])
    ganlib.metrics.evaluate(both, data, ["fid", "recall"])
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganlib.arguments import require_positive_integers
from ganlib.errors import InputError
from ganlib.randomness import uniform
from ganlib.sampling import key_from


class Ensemble:
    """Models that take turns at random: each sample is drawn by one of them.

    Args:
        models: Of one shape of images and one number of classes (or all without): what has `sample_latents`,
            `sample_labels`, `conditioned` and `images_of`, as every `Sampled` model has.
        weights: How often each draws, in any unit; None: all alike.

    Raises:
        InputError: There are none, they make different things, or the weights are not one positive number each.
    """

    def __init__(self, models: Sequence[Any], weights: Sequence[float] | None = None):
        models = list(models)
        if not models:
            raise InputError("an ensemble of no models: give one or more")
        for model in models:
            if not getattr(model, "sampled", False):
                raise InputError(f"{type(model).__name__} does not sample: give generators")
        made = {(tuple(m.image_shape), None if m.classes is None else m.classes.num_classes) for m in models}
        if len(made) > 1:
            listed = " and ".join(f"{shape} with {n or 'no'} classes" for shape, n in sorted(made, key=str))
            raise InputError(f"the models make {listed}: give models of one shape and one number of classes")
        weights = np.ones(len(models)) if weights is None else np.asarray(weights, np.float64)
        if weights.shape != (len(models),) or not (np.isfinite(weights) & (weights > 0)).all():
            raise InputError(f"weights={weights.tolist()!r}: give {len(models)} numbers above 0, one a model")
        self.models = models
        self.shares = weights / weights.sum()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width, channels) of what is made."""
        return self.models[0].image_shape

    @property
    def classes(self) -> Any:
        """The models' classes; None: there are none."""
        return self.models[0].classes

    def turns(self, n: int, seed: int | None = None) -> np.ndarray:
        """Which model draws each of `n` samples with this seed: int (n,); entry i is the same whatever `n` is."""
        require_positive_integers(n=n)
        drawn = uniform(key_from(seed, "ensemble"), 0, 0, [n, 1])[:, 0].numpy()
        return np.searchsorted(np.cumsum(self.shares)[:-1], drawn, side="right")

    def sample(
        self,
        n: int,
        labels: Sequence[int] | None = None,
        truncation: float | None = None,
        seed: int | None = None,
    ) -> np.ndarray:
        """`n` samples, each by the model whose turn it is, from latents of its own.

        Args:
            n: How many.
            labels: As in `GAN.sample`; by default they are drawn, the same whichever models there are.
            truncation: As each model understands it.
            seed: Same seed, same samples; sample i is the same (to rounding) whatever `n` is. None draws a seed.

        Returns:
            float32 (n, height, width, channels) in [-1, 1], or (n, coordinates) for points.
        """
        seed = int.from_bytes(np.random.default_rng().bytes(4), "little") if seed is None else seed
        turns = self.turns(n, seed)
        labels = self.models[0].sample_labels(n, labels, seed)
        images = np.empty((n, *self.image_shape), np.float32)
        for i, model in enumerate(self.models):
            mine = np.flatnonzero(turns == i)
            if not len(mine):
                continue
            # members that are alike in all but weights draw different numbers: their seeds differ
            latents = model.sample_latents(n, truncation=truncation, seed=key_from(seed, f"member {i}") >> 33)
            inputs = model.conditioned(latents[mine], None if labels is None else labels[mine])
            images[mine] = model.images_of(inputs, truncation, seed)
        return images
