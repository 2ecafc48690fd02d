"""Claims 9 and 72: how blind is a count of modes? Points that know nothing of the modes, counted as G's samples are.

On the ring of eight Gaussians "8 of 8 modes" is said of a generator whose samples lie near each of them. So do those
of a circle.

Protocol, written before the runs:

- Points: 2,000, evenly distributed over the circle of radius 2 through the modes ("circle"), the same with normal noise
  of a quarter in each coordinate ("smeared circle"), and the data themselves. Seeds 0, 1, 2.
- Counted as three experiments do: k_steps (modes of sigma 0.1, within 3 sigma), critics (sigma 0.05, within 3 sigma),
  unrolling (sigma 0.02, within 0.2). A mode is covered if it has at least a tenth of its share of the points. "share"
  is the share of all points that are near a mode.
- Judged: a count of modes that the circle passes is no evidence of modes, whatever it says of G. Then the share
  decides: G has found modes if its share is above the circle's with every seed, by more than the spread of the
  circle's.
- No verdict of its own: the weighing of claims 9 and 72 uses it.
"""

import _experiment
import numpy as np

CENTERS = 2 * np.stack([f(np.pi / 4 * np.arange(8)) for f in (np.cos, np.sin)], axis=1)
COUNTS = {
    "k_steps": (0.1, 3.0),
    "critics": (0.05, 3.0),
    "unrolling": (0.02, 10.0),
}  # sigma; within, in sigmas
KINDS = ("circle", "smeared circle", "data")


def tasks(smoke, runs):
    """Each count, seed by seed."""
    return [{"count": count, "seed": seed} for seed in range(1 if smoke else 3) for count in COUNTS]


def points_of(n, sigma, seed):
    """Kind -> points (n, 2)."""
    from ganlib import data

    random = np.random.default_rng(seed)
    angle = random.uniform(0, 2 * np.pi, n)
    circle = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    smeared = circle + random.normal(scale=0.25, size=circle.shape)
    return dict(
        zip(
            KINDS,
            (circle, smeared, data.load("gaussians_ring", sigma=sigma, seed=seed).to_numpy(n)),
            strict=True,
        )
    )


def measure(task, smoke):
    """Modes covered and the share of points near one, of each kind."""
    from ganlib import metrics

    n = 400 if smoke else 2000
    sigma, within = COUNTS[task["count"]]
    found = {
        kind: metrics.modes_covered(points, CENTERS, sigma, within=within, at_least=n // 80)
        for kind, points in points_of(n, sigma, task["seed"]).items()
    }
    return {
        "modes": {kind: modes for kind, (modes, _) in found.items()},
        "share": {kind: _experiment.rounded(share, 4) for kind, (_, share) in found.items()},
    }


def draw(runs, path):
    """The share near a mode, a mark a seed, under each count, and the fewest modes of three seeds."""
    import matplotlib.figure

    from ganlib import plots

    figure = matplotlib.figure.Figure(figsize=(10, 2.6), dpi=80, layout="constrained")
    for axes, count in zip(figure.subplots(1, 3, sharey=True), COUNTS, strict=True):
        mine = [r for r in runs if r["count"] == count]
        marks = [{"kind": k, "seed": r["seed"], "share": r["share"][k]} for r in mine for k in KINDS]
        _experiment.marks(axes, marks, "kind", KINDS, "share", f"share near a mode, as in {count}")
        for row, kind in enumerate(KINDS):
            axes.annotate(f"{min(r['modes'][kind] for r in mine)} of 8", (0.55, row), va="center")
    plots.save_png(figure, path)


if __name__ == "__main__":
    _experiment.main("mode_counts", protocol=__doc__, claims=(9, 72), tasks=tasks, measure=measure, draw=draw)
