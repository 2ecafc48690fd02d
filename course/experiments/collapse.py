"""Claims 21, 71, 74: a provoked collapse; do gradients announce it, does width bring it, is a checkpoint worth it?

The CMU lecture (tips of Chintala et al. 2016, number 10) says that gradient norms above 100 mean trouble. Brock et
al. 2019 (arXiv:1809.11096), section 4: larger models are less stable, all of theirs collapse sooner or later, and
the checkpoint from before is used; a loss is no reason to stop.

Protocol, written before the runs:

- Data: the 10,000 images of Fashion-MNIST that ship with ganlib, 32x32. Networks: DCGAN's pair (`_small_gan.py`)
  with 4, 8, 16 and 32 channels next to the image, batch norm in G, no normalisation in D. Non-saturating loss,
  batch 64, Adam with beta_1 0.5 at 0.016, eighty times DCGAN's rate, for both players and all widths. 300 steps.
  Seeds 0, 1, 2.
- Measured every 10 steps: the total norm of G's and of D's gradient on 64 real images. Every 50 steps:
  FID(fashion-cnn) of 500 samples against the 10,000 images; G's and D's loss, averaged over the 50 steps before.
- A run has collapsed at the first moment whose FID is at least 1.5 times the lowest before it and at least 30 above
  it. A loss or logit that is not finite is a collapse, too, and ends the run.
- The alarm: G's or D's norm above 100, after step 20.
- Claim 21: confirmed if at least three quarters of the collapses have an alarm in the 100 steps up to them, and at
  least three quarters of the runs with an alarm collapse; refuted if both shares are below a half; else partly.
  Inconclusive with fewer than three collapses.
- Claim 71: confirmed if the number of collapses does not fall from one width to the next, and is higher by two or
  more for the widest than for the narrowest; refuted if the widest has fewer than the narrowest; else inconclusive.
- Claim 74: at the end the best moment by FID, the last, and the one of the lowest loss of G are scored again with
  1,000 other samples, so that the best is not so by luck. Confirmed if in the runs that collapse the median of last
  / best is at least 1.2, and the choice by loss is worse than the best in at least two thirds of all runs; refuted
  if neither; else partly. Inconclusive without a collapse.
"""

import warnings

import _experiment
import numpy as np
from _small_gan import fashion_fid, fid_of, game

WIDTHS, RATE, MOMENTS, STEPS = (4, 8, 16, 32), 1.6e-2, 6, 50
ALARM, AFTER, BEFORE = 100.0, 20, 100
LOSSES = ("generator_loss", "discriminator_loss")


def tasks(smoke, runs):
    """Seed by seed (smoke: one width)."""
    return [
        {"width": w, "seed": s} for s in range(1 if smoke else 3) for w in (WIDTHS[:1] if smoke else WIDTHS)
    ]


def measure(task, smoke):
    """One run."""
    import keras

    import ganlib
    from ganlib.errors import TrainingDiverged
    from ganlib.monitors import GradientNorms

    seed, steps, samples = task["seed"], 2 if smoke else STEPS, 64 if smoke else 500
    data, fid = ganlib.data.load("fashion_mnist", resolution=32, seed=seed), fashion_fid()
    gan = game(task["width"], (RATE, RATE), seed, parts={"norm": "none"}, eager=smoke)
    watch, seen = GradientNorms(data.to_numpy(64), every=2 if smoke else 10), []
    keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(dict(logs)))
    norms = {name: [] for name in ("step", "generator", "discriminator")}
    rows = {name: [] for name in ("steps", "fid", *LOSSES)}
    kept, diverged = [], 0
    for _ in range(2 if smoke else MOMENTS):
        seen.clear()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of alarms
                gan.fit(data.batch(64), steps_per_epoch=steps, verbose=0, callbacks=[watch, keep])
        except TrainingDiverged:
            diverged = gan.step
            break
        new = [i for i, s in enumerate(watch.history["step"]) if not norms["step"] or s > norms["step"][-1]]
        for name, values in norms.items():
            values += [_experiment.rounded(watch.history[name][i], 4) for i in new]
        rows["steps"].append(gan.step)
        rows["fid"].append(_experiment.rounded(fid_of(fid, gan, samples)))
        for name in LOSSES:
            rows[name].append(_experiment.rounded(np.mean([logs[name] for logs in seen])))
        kept.append(gan.generator.get_weights())
    chosen = {"best": np.argmin(rows["fid"]), "last": -1, "lowest_loss": np.argmin(rows["generator_loss"])}
    scores = {}
    for name, i in chosen.items():
        gan.generator.set_weights(kept[i])
        scores[f"{name}_again"] = _experiment.rounded(fid_of(fid, gan, 64 if smoke else 1000, seed=1))
    return {**rows, "norms": norms, "diverged": diverged, **scores}


def collapsed_at(run):
    """The step at which the run has collapsed, or 0."""
    for i in range(1, len(run["fid"])):
        lowest = min(run["fid"][:i])
        if run["fid"][i] >= max(1.5 * lowest, lowest + 30):
            return run["steps"][i]
    return run["diverged"]


def alarms(run):
    """The steps with an alarm."""
    rows = zip(*(run["norms"][name] for name in ("step", "generator", "discriminator")), strict=True)
    return [step for step, *norms in rows if step > AFTER and max(norms) > ALARM]


def largest(run):
    """The largest gradient norm after step `AFTER`."""
    late = [i for i, step in enumerate(run["norms"]["step"]) if step > AFTER]
    return float(max(run["norms"][name][i] for name in ("generator", "discriminator") for i in late))


def draw(runs, path):
    """FID and the larger of both norms over the steps, a colour a width; best against last checkpoint."""
    import matplotlib.figure

    from ganlib import plots

    figure = matplotlib.figure.Figure(figsize=(12, 3.6), dpi=80, layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    colors = dict(zip(WIDTHS, (plots.SKY, plots.GREEN, plots.ORANGE, plots.VERMILION), strict=True))
    marks = dict(zip(WIDTHS, "o^sD", strict=True))
    for run in runs:
        w = run["width"]
        style = {"color": colors[w], "marker": marks[w], "label": f"width {w}" if run["seed"] == 0 else None}
        left.plot(run["steps"], run["fid"], **style)
        largest = np.maximum(run["norms"]["generator"], run["norms"]["discriminator"])
        middle.plot(run["norms"]["step"], largest, linewidth=1.2, color=colors[w])
        filled = "full" if collapsed_at(run) else "none"
        right.plot(
            run["best_again"], run["last_again"], linestyle="", fillstyle=filled, **style | {"label": None}
        )
    middle.axhline(ALARM, color="black", linewidth=1)
    both = [value for run in runs for value in (run["best_again"], run["last_again"])]
    right.plot([min(both), max(both)], [min(both), max(both)], color="black", linewidth=1)
    left.set(xlabel="step", ylabel="FID(fashion-cnn)", yscale="log")
    middle.set(xlabel="step", ylabel="larger gradient norm of G and D", yscale="log")
    right.set(xlabel="FID of the best checkpoint", ylabel="FID of the last (filled: collapsed)")
    left.legend(fontsize=9)
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
    plots.save_png(figure, path)


def conclude(runs):
    """Claims 21, 71 and 74."""
    from ganlib.teaching.claims import record

    bad = [run for run in runs if collapsed_at(run)]
    warned = [
        run for run in bad if any(collapsed_at(run) - BEFORE < s <= collapsed_at(run) for s in alarms(run))
    ]
    alarmed = [run for run in runs if alarms(run)]
    announced = len(warned) / max(1, len(bad))
    right = sum(bool(collapsed_at(run)) for run in alarmed) / max(1, len(alarmed))
    record(
        21,
        lesson="collapse",
        claim="Gradient norms above 100 announce trouble.",
        paper="Chintala et al. 2016",
        figure="tip 10",
        reported="norms over 100: things are screwing up",
        measured={
            "runs": float(len(runs)),
            "runs that collapse": float(len(bad)),
            "share of collapses with an alarm in the 100 steps before": announced,
            "share of runs with an alarm that collapse": right,
        },
        verdict="partly",
        holds=len(bad) >= 3 and max(announced, right) >= 0.5 and min(announced, right) < 0.75,
    )
    counts = {w: [float(bool(collapsed_at(run))) for run in runs if run["width"] == w] for w in WIDTHS}
    totals = [sum(values) for values in counts.values()]
    record(
        71,
        lesson="collapse",
        claim="Larger models are less stable.",
        paper="Brock et al. 2019",
        figure="section 4",
        reported="not given",
        measured={f"collapsed within 300 steps (1: yes), width {w}": c for w, c in counts.items()}
        | {
            f"largest gradient norm after step {AFTER}, width {w}": [
                largest(r) for r in runs if r["width"] == w
            ]
            for w in WIDTHS
        },
        verdict="inconclusive",
        holds=totals[-1] >= totals[0] and not (totals == sorted(totals) and totals[-1] >= totals[0] + 2),
    )
    ratios = [run["last_again"] / run["best_again"] for run in bad]
    worse = float(np.mean([run["lowest_loss_again"] > run["best_again"] for run in runs]))
    record(
        74,
        lesson="collapse",
        claim="A loss is no reason to stop early; keeping the checkpoint from before a collapse is worth it.",
        paper="Brock et al. 2019",
        figure="section 4",
        reported="not given",
        measured={
            "FID of the last checkpoint over that of the best, runs that collapse": ratios or 1.0,
            "FID of the checkpoint of G's lowest loss over that of the best, all runs": [
                run["lowest_loss_again"] / run["best_again"] for run in runs
            ],
        },
        over={
            "FID of the last checkpoint over that of the best, runs that collapse": "runs",
            "FID of the checkpoint of G's lowest loss over that of the best, all runs": "runs",
        },
        verdict="partly",
        holds=bool(ratios) and (float(np.median(ratios)) >= 1.2) != (worse >= 2 / 3),
    )


if __name__ == "__main__":
    _experiment.main(
        "collapse",
        protocol=__doc__,
        claims=(21, 71, 74),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
