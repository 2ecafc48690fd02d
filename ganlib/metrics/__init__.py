"""Scores of samples: pure functions of features, and the feature extractors."""

from ganlib.metrics.fashion_cnn import FashionCNN, FashionFID, fashion_cnn, fid_fashion_cnn
from ganlib.metrics.frechet import frechet_distance, frechet_distance_from_statistics, statistics

__all__ = [
    "FashionCNN",
    "FashionFID",
    "fashion_cnn",
    "fid_fashion_cnn",
    "frechet_distance",
    "frechet_distance_from_statistics",
    "statistics",
]
