"""Building blocks of the networks, one idea a file."""

from ganlib.layers.batch_normalization import BatchNormalization
from ganlib.layers.dropout import Dropout
from ganlib.layers.maxout import Maxout

__all__ = ["BatchNormalization", "Dropout", "Maxout"]
