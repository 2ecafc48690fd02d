"""Batches of one class each: "don't mix labels" (the CMU lecture's tips, after Chintala et al. 2016).

Chintala's own words are about real and generated images in one batch, which GAN's step never does anyway.
"""

import numpy as np

from ganlib.data.pipeline import BatchedDataset, ImageDataset, _Batches, _permutation
from ganlib.data.sources import Source, integer
from ganlib.errors import DataError, InputError


def single_label_batches(dataset: ImageDataset, batch_size: int) -> BatchedDataset:
    """Batches whose images are all of one class, for ever.

    Each cycle of as many batches as there are classes visits every class once, in a new order; a class is gone
    through in a new permutation each time round, and a batch that crosses the end of one goes on with the next.
    Classes are seen equally often, however large they are. A dataset with shuffle=False keeps its own order of
    classes and of images.

    Args:
        dataset: of `ganlib.data.load` or `from_arrays`. Labels must be known, but are in the batches only if they
            were asked for.
        batch_size: images a batch.

    Returns:
        A pure function of the dataset's seed and the batch's number, with `starting_at`: a resumed `fit` goes on
        where it was.

    Raises:
        InputError: `dataset` is no dataset of ganlib's, or `batch_size` not a positive integer.
        DataError: there are no labels, or no end to the images.
    """
    if not isinstance(dataset, ImageDataset):
        raise InputError(
            f"single_label_batches takes a dataset of ganlib.data.load, before batch(), not {type(dataset).__name__}"
        )
    batch_size = integer("batch_size", batch_size, 1)
    source = dataset._maker.source
    if source.num_classes is None:
        raise DataError(f"{source.name!r} has no labels: take data that has, or give from_arrays labels")
    if source.size is None:
        raise DataError(
            f"{source.name!r} is drawn without end, so its classes cannot be gathered: load it with size=10_000"
        )
    maker = _SingleLabel(source, dataset.labelled, dataset._maker.shuffle)
    return BatchedDataset(maker, maker.source, batch_size, drop_remainder=True)


class _SingleLabel(_Batches):
    """Makes the batches: number i is of the class at place i % K of cycle i // K."""

    whole = True

    def __init__(self, source: Source, labels: bool, shuffle: bool):
        super().__init__(source, labels, shuffle, repeat=True)
        rows = [np.flatnonzero(self.source.labels == label) for label in range(source.num_classes)]
        self.rows_by_class = [found for found in rows if len(found)]

    def _gather(self, first: int, n: int) -> list[np.ndarray]:
        """Examples, and labels if asked for, of the batch of `n` that starts at position `first`."""
        cycle, place = divmod(int(first) // int(n), len(self.rows_by_class))
        split = self.source.split
        if self.shuffle:
            place = _permutation(self.source.seed, f"classes of {split}", len(self.rows_by_class), cycle)[
                place
            ]
        rows = self.rows_by_class[place]
        # this class was seen once in each cycle before
        seen = np.arange(cycle * n, (cycle + 1) * n)
        return self._taken(rows[self._visited(seen, len(rows), f"{split}, class {place}")])
