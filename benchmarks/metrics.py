"""Feature metrics on 10,000 samples: FID beside scipy's matrix root, precision and recall beside scikit-learn's.

    python benchmarks/metrics.py

Ratios of one run, rivals interleaved, medians of 3; each memory figure is the growth of a fresh process's peak.
Features are drawn, not extracted: correlated normals whose variances fall as 1/i ("well") or as i^-3 ("ill").
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ganlib import metrics

RESULTS = Path(__file__).parent / "results" / "metrics.json"
ROUNDS = 3
SAMPLES = 10_000


def main() -> None:
    """Measure, print, and write benchmarks/results/metrics.json after each part."""
    if len(sys.argv) > 1:
        print(json.dumps(manifold_alone(sys.argv[1])))
        return
    report = {"cores": os.cpu_count(), "numpy": np.__version__}
    for name, part in (("fid", fid), ("precision_recall", precision_recall), ("all_metrics", all_metrics)):
        report[name] = part()
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")


def features(samples: int, dimensions: int, seed: int, power: float = 1.0) -> np.ndarray:
    """Correlated normals (samples, dimensions), float32; the standard deviations fall as i^(-power/2)."""
    random = np.random.default_rng(seed)
    deviations = np.arange(1, dimensions + 1) ** (-power / 2)
    # one mixing for all sets, so that real and generated manifolds overlap
    mixing = np.random.default_rng(99).standard_normal((dimensions, dimensions), np.float32)
    mixing *= np.float32((1 + 0.1 * seed) / np.sqrt(dimensions))
    normals = random.standard_normal((samples, dimensions), np.float32)
    return (normals * deviations.astype(np.float32)) @ mixing + np.float32(0.01 * seed)


def fid() -> dict:
    """Seconds and values of both forms on 2048-d statistics."""
    report = {}
    for name, power in (("well", 1.0), ("ill", 3.0)):
        sets = [metrics.statistics(features(SAMPLES, 2048, seed, power)) for seed in (0, 1)]
        both = {"ours": metrics.frechet_distance_from_statistics, "sqrtm": metrics.frechet_distance_sqrtm}
        seconds, values = rounds({key: lambda f=f: f(*sets[0], *sets[1]) for key, f in both.items()})  # noqa: B023
        difference = abs(values["ours"] - values["sqrtm"]) / values["sqrtm"]
        report[name] = seconds | {
            "ratio": round(seconds["sqrtm"] / seconds["ours"], 2),
            "difference": difference,
        }
        print(f"FID, 2048-d, {name} conditioned: {report[name]}", flush=True)
    return report


def precision_recall() -> dict:
    """Seconds and peak memory of 10,000 x 10,000 x 2048, each in its own process."""
    runs = {"ours": [], "scikit-learn": []}
    for _ in range(ROUNDS):
        for name, found in runs.items():
            output = subprocess.run(
                [sys.executable, __file__, name], capture_output=True, text=True, check=True
            )
            found.append(json.loads(output.stdout))
    report = {
        name: {
            key: round(statistics.median(run[key] for run in found), 3) for key in ("seconds", "gibibytes")
        }
        | {"scores": found[0]["scores"]}
        for name, found in runs.items()
    }
    report["ratio"] = round(report["scikit-learn"]["seconds"] / report["ours"]["seconds"], 2)
    print(f"precision and recall, 10,000 x 10,000 x 2048: {report}", flush=True)
    return report


def manifold_alone(name: str) -> dict:
    """One measurement of one rival; memory is the growth of the peak over what the features themselves take."""
    import resource

    real, fake = features(SAMPLES, 2048, 0), features(SAMPLES, 2048, 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    scores = metrics.precision_recall(real, fake) if name == "ours" else by_scikit_learn(real, fake)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "gibibytes": (peak - before) / 2**20, "peak": peak / 2**20, "scores": scores}


def by_scikit_learn(real: np.ndarray, fake: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Radii by NearestNeighbors, then the cross distances a block at a time."""
    from sklearn.metrics import pairwise_distances
    from sklearn.neighbors import NearestNeighbors

    real_radii, fake_radii = (
        NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x).kneighbors()[0][:, -1] for x in (real, fake)
    )
    precise, recalled = [], np.zeros(len(real), bool)
    for start in range(0, len(fake), 1000):
        distances = pairwise_distances(fake[start : start + 1000], real)
        precise.append((distances <= real_radii).any(axis=1))
        recalled |= (distances <= fake_radii[start : start + 1000, None]).any(axis=0)
    return float(np.concatenate(precise).mean()), float(recalled.mean())


def all_metrics() -> dict:
    """Seconds of each metric on 10,000 + 10,000 samples of 2048 and of 128 dimensions, once."""
    report = {}
    for dimensions in (128, 2048):
        real, fake = features(SAMPLES, dimensions, 0), features(SAMPLES, dimensions, 1)
        logits = 5 * np.random.default_rng(0).normal(size=(SAMPLES, 1000))
        parts = {
            "inception score": lambda logits=logits: metrics.inception_score_from_logits(logits),
            "fid": lambda r=real, f=fake: metrics.frechet_distance(r, f),
            "kid, 100 subsets of 1000": lambda r=real, f=fake: metrics.kernel_distance_subsets(r, f),
            "precision, recall, density, coverage": lambda r=real, f=fake: metrics.manifold_scores(r, f),
            "prd": lambda r=real, f=fake: metrics.prd_curve(r, f),
        }
        seconds = {name: clock(part)[0] for name, part in parts.items()}
        report[f"{dimensions}-d"] = seconds | {"total": round(sum(seconds.values()), 2)}
        print(f"10,000 samples, {dimensions}-d: {report[f'{dimensions}-d']}", flush=True)
    return report


def rounds(rivals: dict[str, Callable]) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds and values of rivals that take turns."""
    seconds, values = {name: [] for name in rivals}, {}
    for _ in range(ROUNDS):
        for name, rival in rivals.items():
            taken, values[name] = clock(rival)
            seconds[name].append(taken)
    return {name: statistics.median(times) for name, times in seconds.items()}, values


def clock(function: Callable) -> tuple[float, object]:
    """Seconds and the result of one call."""
    start = time.perf_counter()
    result = function()
    return round(time.perf_counter() - start, 3), result


if __name__ == "__main__":
    main()
