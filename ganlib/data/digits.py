"""The 8x8 digits of scikit-learn (Alpaydin and Kaynak 1998, UCI): real handwriting wherever ganlib is."""

import numpy as np

from ganlib.data.resize import fitted
from ganlib.data.sources import ArraySource, Request, array_source, one_of

_TRAIN = 1500  # of 1,797; the writers of the rest are other people


def source(request: Request) -> ArraySource:
    """The first 1,500 digits as train, the last 297 as test. Values 0 to 16 become 0 to 255."""
    from sklearn.datasets import load_digits

    train = one_of("split", request.split, ("train", "test")) == "train"
    part = slice(_TRAIN) if train else slice(_TRAIN, None)
    data = load_digits()
    images = np.rint(data.images[part, ..., None] * (255 / 16)).astype(np.uint8)
    images = fitted(images, request.resolution, request.channels)
    return array_source(request, images, data.target[part], tuple("0123456789"))
