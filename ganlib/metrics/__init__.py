"""Scores of samples: pure functions of features, and the feature extractors."""

from ganlib.metrics import disturbances
from ganlib.metrics.by_class import ClassLeakage, class_leakage, memorisation_by_class, nearest_in_class
from ganlib.metrics.evaluator import Conditions, Evaluation, Score, evaluate, known_metrics
from ganlib.metrics.extractors import (
    Extractor,
    classifier,
    inception_keras,
    inception_tfhub,
    random_convolutions,
)
from ganlib.metrics.faces_cnn import FacesCNN, FacesFID, faces_cnn, fid_faces_cnn, read_factors
from ganlib.metrics.fashion_cnn import FashionCNN, FashionFID, fashion_cnn, fid_fashion_cnn
from ganlib.metrics.frechet import (
    FeatureStatistics,
    frechet_distance,
    frechet_distance_diagonal,
    frechet_distance_from_statistics,
    frechet_distance_sqrtm,
    statistics,
)
from ganlib.metrics.inception import inception_score, inception_score_from_logits
from ganlib.metrics.kernel import kernel_distance, kernel_distance_blocks, kernel_distance_subsets
from ganlib.metrics.linear_probe import LinearProbe, linear_probe
from ganlib.metrics.manifold import ManifoldScores, density_coverage, manifold_scores, precision_recall
from ganlib.metrics.modes import mode_counts, modes_covered
from ganlib.metrics.ms_ssim import ms_ssim, ms_ssim_of_pairs, ssim
from ganlib.metrics.neighbours import Memorisation, memorisation, nearest_neighbours, nearest_within
from ganlib.metrics.polygon_manifold import (
    PolygonScores,
    polygon_distances,
    polygon_precision_recall,
    polygon_precision_recall_by_inversion,
    recall_by_samples,
)
from ganlib.metrics.prd import f_beta, prd_curve, prd_from_histograms
from ganlib.metrics.sliced_wasserstein import sliced_wasserstein
from ganlib.metrics.translations import evaluate_translations
from ganlib.metrics.truncation_sweep import TruncationSweep, saturated_share, truncation_sweep

__all__ = ["disturbances", *(name for name, value in vars().items() if callable(value))]
