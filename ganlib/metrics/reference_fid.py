"""FID against one set of real images, by one extractor: the real side is computed once."""

from collections.abc import Callable

import numpy as np

from ganlib.metrics.extractor_base import Extractor
from ganlib.metrics.frechet import frechet_distance_from_statistics, statistics


class ReferenceFID:
    """FID of samples against the same real images every time.

    Args:
        extractor: Whose features are compared.
        real: Images (n, height, width, channels) in [-1, 1].
        reference: What they are, for the provenance.
    """

    def __init__(self, extractor: Extractor, real: np.ndarray, reference: str):
        self.extractor, self.reference = extractor, f"{reference}, {len(real)} images"
        self._statistics = statistics(extractor.features(real))

    def __call__(
        self, sampler: Callable[[int, int], np.ndarray], *, samples: int = 5000, seed: int = 0
    ) -> dict:
        """Score samples, with all that the number depends on.

        Args:
            sampler: (n, seed) -> images (n, height, width, channels) in [-1, 1].
            samples: How many to draw.
            seed: Given to the sampler.

        Returns:
            The score ("value") and its provenance: metric, extractor, hash of its weights, reference, sample count,
            resizer, seed.
        """
        fake = statistics(self.extractor.features(sampler(samples, seed)))
        return {
            "metric": f"FID({self.extractor.name})",
            "value": round(frechet_distance_from_statistics(*self._statistics, *fake), 4),
            "extractor": self.extractor.name,
            "weights_hash": self.extractor.weights_hash,
            "reference": self.reference,
            "samples": samples,
            "resizer": self.extractor.resizer,
            "seed": seed,
        }
