"""Claim 30: are labels worth exploiting? With and without them, three times as long as in conditions.py.

The lectures: labels, where you have them, are worth exploiting. Odena et al. 2017 (arXiv:1610.09585), section 4.
After one minute (conditions.py) projection and no labels at all could not be told apart. There the samples of the
unconditional model were picked by class with fashion-cnn, so that its classes were in balance by the labels after all.

Protocol, written before the runs:

- Data, networks, batch, optimisers: those of conditions.py, "none" and "projection".
- Equal time: the images of a run are 180 seconds of one core at the rates measured there (873 and 867 images/s).
- Tuning, the same for both: G's rate in {1e-3, 2e-3} (the better of the two in conditions.py and twice that), 60
  seconds, seed 100; the lowest FID is chosen.
- Comparison: the chosen rate, seeds 0 to 5; measured after 60, 120 and 180 seconds: FID(fashion-cnn) of 3,000 samples
  against the 10,000 images. "none" is taken as it comes; "projection" is asked for 300 samples of each class, as the
  data have equal shares. Also the imbalance: half the sum of |share of a class found by fashion-cnn - 1/10|.
- Verdict by the exact one-sided Mann-Whitney test on the six FIDs of each. "confirmed": projection's are lower at the
  end, p < 0.05. "refuted": they are higher at the end, p < 0.05. "partly": lower at an earlier time only, p < 0.05.
  Else "inconclusive".
- Seeds 3 to 5 and this rule were written when three runs had been seen (their ends: none 25.7 and 2.5, projection 2.5).
  Before, it was to be three seeds, all of one below all of the other.
"""

import _experiment
import conditions

KINDS = ("none", "projection")
RATES = (1e-3, 2e-3)
SECONDS, EVERY, SEEDS, TUNING_SEED, LEVEL = 180, 60, 6, 100, 0.05


def tasks(smoke, runs):
    """The tuning; then the chosen rates with three seeds (smoke: one tuning run)."""
    tuning = [{"part": "tuning", "kind": k, "rate": r, "seed": TUNING_SEED} for k in KINDS for r in RATES]
    if smoke:
        return tuning[:1]
    if len(runs) < len(tuning):
        return tuning
    return tuning + [
        {"part": "comparison", "kind": k, "rate": best(runs, k), "seed": s}
        for s in range(SEEDS)
        for k in KINDS
    ]


def best(runs, kind):
    """The tuned rate."""
    tuned = [r for r in runs if (r["part"], r["kind"]) == ("tuning", kind)]
    return min(tuned, key=lambda r: r["fid"][-1])["rate"]


def measure(task, smoke):
    """One run: what its samples are like after each minute."""
    import numpy as np

    import ganlib

    kind = task["kind"]
    gan = conditions.gan_of(kind, task["rate"], task["seed"])
    gan.compile()
    data = ganlib.data.load("fashion_mnist", resolution=32, labels=True, seed=task["seed"])
    extractor = ganlib.metrics.fashion_cnn()
    real = extractor.features(ganlib.metrics.extractors.scaled(data.to_numpy(500 if smoke else None)[0]))
    steps = 2 if smoke else EVERY * conditions.IMAGES_PER_SECOND[kind] // conditions.BATCH
    wanted = np.repeat(np.arange(conditions.CLASSES), 20 if smoke else conditions.A_CLASS)
    found = {"steps": [], "fid": [], "imbalance": []}
    for minute in range(1 if smoke or task["part"] == "tuning" else SECONDS // EVERY):
        gan.fit(conditions.batches_of(data, kind), steps_per_epoch=steps, verbose=0)
        labels = {} if kind == "none" else {"labels": wanted}
        fake, probabilities = extractor.outputs(gan.sample(len(wanted), seed=1, **labels))
        shares = np.bincount(probabilities.argmax(axis=1), minlength=conditions.CLASSES) / len(wanted)
        found["steps"].append(steps * (minute + 1))
        found["fid"].append(_experiment.rounded(ganlib.metrics.frechet_distance(real, fake)))
        found["imbalance"].append(_experiment.rounded(abs(shares - 1 / conditions.CLASSES).sum() / 2))
    return found


def values(runs, kind, key="fid", i=-1):
    """The value at the i-th time of each seed."""
    return [r[key][i] for r in runs if (r["part"], r["kind"]) == ("comparison", kind)]


def p_value(lower, higher):
    """Exact one-sided Mann-Whitney: how often chance puts `lower` this far below `higher`."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(lower, higher, alternative="less", method="exact").pvalue)


def verdict(runs):
    """By the protocol."""
    without, with_ = ([values(runs, kind, i=i) for i in range(SECONDS // EVERY)] for kind in KINDS)
    if p_value(with_[-1], without[-1]) < LEVEL:
        return "confirmed"
    if p_value(without[-1], with_[-1]) < LEVEL:
        return "refuted"
    earlier = zip(with_[:-1], without[:-1], strict=True)
    return "partly" if any(p_value(*pair) < LEVEL for pair in earlier) else "inconclusive"


def draw(runs, path):
    """FID over the time, a line a seed."""
    from ganlib import plots

    figure = plots.Figure(7, 4)
    axes = figure.subplots()
    for kind, color, mark in zip(KINDS, (plots.VERMILION, plots.BLUE), "so", strict=True):
        own = [r for r in runs if (r["part"], r["kind"]) == ("comparison", kind)]
        for i, run in enumerate(own):
            minutes = range(1, 1 + len(run["fid"]))
            axes.plot(minutes, run["fid"], marker=mark, color=color, label=None if i else kind)
    axes.set(xlabel="minutes of one core", ylabel="FID(fashion-cnn), 3,000 samples", xticks=(1, 2, 3))
    axes.set_yscale("log")
    axes.set_yticks((3, 6, 12, 24), ("3", "6", "12", "24"))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    if any(r["part"] == "comparison" for r in runs):
        axes.legend()
    figure.tight_layout()
    plots.save_png(figure, path)


def conclude(runs):
    """Claim 30."""
    import ganlib

    print(verdict(runs))
    ganlib.claims.record(
        30,
        lesson="labels",
        claim="Labels, where you have them, are worth exploiting.",
        paper="lecture; Odena et al. 2017",
        figure="section 4",
        reported="conditional models have the better scores",
        measured={
            f"FID(fashion-cnn) after {EVERY * (i + 1)} s, {k}": values(runs, k, i=i)
            for i in range(SECONDS // EVERY)
            for k in KINDS
        }
        | {f"imbalance of classes, {k}": values(runs, k, "imbalance") for k in KINDS},
        verdict="confirmed",
        holds=verdict(runs) == "confirmed",
    )


if __name__ == "__main__":
    _experiment.main(
        "labels",
        protocol=__doc__,
        claims=(30,),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
