"""Claim 33: the same three recipes as in two_time_scales.py, seven times as long: who breaks down, and when?

Zhang et al. 2019 (arXiv:1805.08318), figure 4: on ImageNet 128x128 with one D step a G step, "SN on D" breaks down
early, "SN on G/D" goes on longer and then gets worse too, and "SN on G/D + TTUR" keeps getting better. In 300 steps
(two_time_scales.py) no recipe broke down, and both remedies only slowed the start.

Protocol, written before the runs:

- Data, networks, loss and optimisers: those of two_time_scales.py, at its high rate, 1.6e-2 (eight times what suits
  the preset), to look at stability rather than speed. No recipe is tuned.
- 2,000 steps, seeds 0, 1, 2: FID(fashion-cnn) of 1,000 samples of the averaged G after every 250.
- Verdict by the FIDs at the end: a remedy helps if its three seeds are all below the three without it, hurts if they
  are all above, and is undecided otherwise: "SN on both" against "SN on D", "SN on both, TTUR" against "SN on both".
  Confirmed if both help, partly if one helps, refuted if none helps and one hurts, inconclusive otherwise. A run that
  is no longer finite counts as FID 1000. Also reported: the step of the lowest FID, and the last FID over the lowest.
"""

import _experiment
import two_time_scales

STEPS, EVERY, RATE = 2000, 250, 1.6e-2
RECIPES = two_time_scales.RECIPES


def tasks(smoke, runs):
    """Seed by seed (smoke: one of one recipe)."""
    recipes, seeds = (RECIPES[-1:], range(1)) if smoke else (RECIPES, range(3))
    return [{"recipe": n, "rate": RATE, "seed": s} for s in seeds for n in recipes]


def measure(task, smoke):
    """One run."""
    return two_time_scales.curve(**task, steps=STEPS, every=EVERY, smoke=smoke)


def breakdowns(runs, recipe):
    """The last FID over the lowest, of each seed."""
    return [fids[-1] / min(fids) for fids in two_time_scales.scores(runs, recipe, RATE)]


def turns(runs, recipe):
    """The step of the lowest FID, of each seed."""
    return [EVERY * (1 + fids.index(min(fids))) for fids in two_time_scales.scores(runs, recipe, RATE)]


def verdict(runs):
    """By the protocol."""
    found = two_time_scales.remedies(runs, RATE)
    if "helps" in found:
        return "confirmed" if found == ["helps", "helps"] else "partly"
    return "refuted" if "hurts" in found else "inconclusive"


def draw(runs, path):
    """FID over the steps, a line a seed."""
    from ganlib import plots

    figure = plots.Figure(8, 4)
    axes = figure.subplots()
    colors = (plots.VERMILION, plots.GREEN, plots.BLUE)
    for recipe, color, mark in zip(RECIPES, colors, "s^o", strict=True):
        for i, fids in enumerate(two_time_scales.scores(runs, recipe, RATE)):
            steps = [EVERY * (1 + j) for j in range(len(fids))]
            axes.plot(steps, fids, marker=mark, color=color, alpha=0.8, label=None if i else recipe)
    axes.set(xlabel="step", ylabel="FID(fashion-cnn), 1,000 samples", yscale="log")
    axes.set_yticks((15, 30, 60, 120), ("15", "30", "60", "120"))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    plots.save_png(figure, path)


def conclude(runs):
    """Claim 33."""
    import ganlib

    print(verdict(runs))
    ends = {n: two_time_scales.ends(runs, n, RATE) for n in RECIPES}
    ganlib.claims.record(
        33,
        lesson="two_time_scales_longer",
        claim="Spectral normalisation of both networks and two time scales make training better.",
        paper="Zhang et al. 2019",
        figure="figure 4",
        reported="curves: each remedy keeps FID falling for longer (ImageNet 128x128)",
        measured={f"FID, {n}": ends[n] for n in RECIPES}
        | {f"step of the lowest FID, {n}": turns(runs, n) for n in RECIPES}
        | {f"last FID / lowest, {n}": breakdowns(runs, n) for n in RECIPES},
        verdict="inconclusive",
        holds=verdict(runs) == "inconclusive",
    )


if __name__ == "__main__":
    _experiment.main(
        "two_time_scales_longer",
        protocol=__doc__,
        claims=(33,),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
