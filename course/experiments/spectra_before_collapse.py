"""Claim 55: do the top singular values of the weights tell a collapse coming?

Brock et al. 2019 (arXiv:1809.11096), section 4 and figure 3: the spectra of most of G's weights are well behaved, but
the first layer's sigma0 grows through training and explodes at collapse; D's are noisier and jump at collapse.

Protocol, written before the runs (the ramp and the monitor's first 100 steps after pilots with seed 100, which are not
among the results: at a rate that stays high from the start nothing is learned that could collapse):

- Data: the 10,000 images of Fashion-MNIST that ship with ganlib, 32x32. Networks: DCGAN's pair (`_small_gan.py`) with
  16 channels next to the image, batch norm in G. Non-saturating loss, batch 64, Adam with beta_1 0.5, 500 steps,
  seeds 0 to 4.
- Three arms. "ramp": no normalisation in D, and both rates start at 2e-3 and double every 100 steps, so that at some
  moment they are too high: the provoked collapse. Two controls, in which a monitor that is always alarmed is found out:
  "ramp, SN", the same rates with spectral normalisation of D's weights; "steady", no normalisation and 2e-3 throughout.
- Measured every 10 steps: sigma0 of each weight as the optimiser left it (`monitors.Spectra`); FID(fashion-cnn) of 500
  samples against the 10,000 images; and the mean pixel distance of two of 200 samples over that of the data
  ("diversity"), as pictures show it.
- The alarm: `Spectra`'s first after 100 steps, with its default threshold, a sigma0 of 1.5 times its median over the
  last 10 rows; and whose weight it was.
- FID shows a collapse at the first moment after step 100 at which it is at least 1.5 times the lowest before it and at
  least 30 above it, and stays at least 30 above it for two more moments. Pictures show one at the first moment after
  step 100 at which diversity is below a half. A loss that is not finite is both, and ends the run.
- An alarm announces the collapse if it comes before FID shows it, at most 100 steps; it tells of it if it comes at most
  30 steps after. In a run that does not collapse, and earlier than that, it is false.
- Confirmed if at least four fifths of the collapses are announced and at most one run has a false alarm. Refuted if
  fewer than half are announced or told, or if false alarms are as many as true ones. Else partly. Inconclusive with
  fewer than three collapses.
- Reported besides: how much G's first layer and D's weights grew from step 100 to the moment that FID shows it.
"""

import warnings

import _experiment
import numpy as np
from _small_gan import fashion_fid, game

WIDTH, STEPS, EVERY, SAMPLES, RATE, DOUBLES, WARMUP = 16, 500, 10, 500, 2e-3, 100, 100
ARMS = {"ramp": (True, "none"), "ramp, SN": (True, "spectral"), "steady": (False, "none")}


def tasks(smoke, runs):
    """Seed by seed (smoke: the first two arms)."""
    if smoke:
        return [{"arm": arm, "seed": 0} for arm in list(ARMS)[:2]]
    return [{"arm": arm, "seed": seed} for seed in range(5) for arm in ARMS]


def diversity(images, known):
    """Mean pixel distance of two of the images, over that of the data."""
    from ganlib.monitors import pairwise

    mine, real = (pairwise(x.reshape(len(x), -1).astype(float))[0] for x in (images, known))
    return float(mine / real)


def measure(task, smoke):
    """One run."""
    import keras

    import ganlib
    from ganlib.errors import TrainingDiverged
    from ganlib.monitors import Spectra

    rises, norm = ARMS[task["arm"]]
    every, samples, steps = (1, 100, 1) if smoke else (EVERY, SAMPLES, STEPS)
    data, fid = ganlib.data.load("fashion_mnist", resolution=32, seed=task["seed"]), fashion_fid()
    known = data.to_numpy(200)
    rate = keras.optimizers.schedules.ExponentialDecay(RATE, DOUBLES, 2.0) if rises else RATE
    gan = game(WIDTH, (rate, rate), task["seed"], parts={"norm": norm}, eager=smoke)
    spectra, found = Spectra(every=every, warmup=WARMUP // EVERY), []

    def look(_, logs):
        if gan.step % every == 0:
            images = gan.sample(samples, seed=0)
            score = fid(lambda n, seed: images[:n], samples=samples)["value"]
            found.append((gan.step, score, diversity(images[:200], known)))

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=look)
    diverged = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of alarms
        try:
            gan.fit(data.batch(64), steps_per_epoch=steps, verbose=0, callbacks=[spectra, watch])
        except TrainingDiverged:
            diverged = gan.step
    moments, scores, spread = zip(*found, strict=True)
    first = spectra.alarms[0] if spectra.alarms else None
    return {
        "diverged": diverged,
        "steps": list(moments),
        "fid": _experiment.rounded(scores, 4),
        "diversity": _experiment.rounded(spread, 3),
        "alarm": first.step if first else 0,
        "alarm_of": first.name.removesuffix("/sigma0") if first else "",
        "rows": [int(step) for step in spectra.history["step"]],
        "sigma0": {
            name.removesuffix("/sigma0"): _experiment.rounded(np.nan_to_num(values, posinf=0), 3)
            for name, values in spectra.history.items()
            if name.endswith("/sigma0")
        },
    }


def collapse(run):
    """When FID shows it, or 0."""
    fid = np.array(run["fid"])
    for i, step in enumerate(run["steps"][:-2]):  # two more moments are asked for
        lowest = fid[:i].min(initial=np.inf)
        if step > WARMUP and fid[i] >= 1.5 * lowest and (fid[i : i + 3] >= lowest + 30).all():
            return step
    return run["diverged"]


def pictures(run):
    """When diversity falls below a half, or 0."""
    fallen = [s for s, d in zip(run["steps"], run["diversity"], strict=True) if s > WARMUP and d < 0.5]
    return fallen[0] if fallen else run["diverged"]


def sort_of(run):
    """What the alarm was worth: one of `KINDS`; "quiet" where nothing collapses and nothing is said."""
    at, alarm = collapse(run), run["alarm"]
    if not at:
        return "false alarm" if alarm else "quiet"
    if not alarm or alarm > at + 30:
        return "missed"
    if alarm < at - 100:
        return "false alarm"
    return "announced" if alarm < at else "told"


def verdict(runs):
    """The protocol's rule."""
    kinds, collapses = [sort_of(run) for run in runs], sum(collapse(run) > 0 for run in runs)
    announced, told, false = (kinds.count(kind) for kind in ("announced", "told", "false alarm"))
    if collapses < 3:
        return "inconclusive"
    if announced >= 0.8 * collapses and false <= 1:
        return "confirmed"
    return "refuted" if announced + told < collapses / 2 or false >= announced + told else "partly"


def growth(run, player, which=slice(None)):
    """Largest ratio, over a player's weights, of sigma0 when FID shows the collapse to that after 100 steps."""
    first, last = (np.searchsorted(run["rows"], step, side="right") - 1 for step in (WARMUP, collapse(run)))
    values = [v for name, v in run["sigma0"].items() if name.startswith(player)][which]
    return max(v[last] / v[first] for v in values)


def draw(runs, path):
    """Two runs of seed 0: sigma0 of G's first layer and D's largest, FID, and the moments."""
    from ganlib import plots

    figure = plots.Figure(10, 5.6)
    shown = [next(r for r in runs if r["arm"] == arm) for arm in list(ARMS)[:2]]
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    kinds = {
        "G, first layer": (plots.VERMILION, 2.5),
        "G, other layers": (plots.ORANGE, 1.2),
        "D": (plots.BLUE, 1.2),
    }
    for column, run in enumerate(shown):
        top, bottom = axes[:, column]
        for i, (name, values) in enumerate(run["sigma0"].items()):  # G's layers in their order, then D's
            kind = "D" if name.startswith("discriminator") else "G, other layers" if i else "G, first layer"
            color, width = kinds[kind]
            top.plot(run["rows"], values, color=color, linewidth=width, label=kind)
        bottom.plot(run["steps"], run["fid"], color=plots.BLACK)
        for ax in (top, bottom):
            ax.grid(alpha=0.3)
            for at, style, label in ((run["alarm"], "--", "alarm"), (collapse(run), ":", "FID's collapse")):
                if at:
                    ax.axvline(at, linestyle=style, color=plots.BLACK, label=label)
        top.set(yscale="log", title=run["arm"])
        bottom.set(xlabel="step (the rate doubles every 100)", yscale="log")
    axes[0, 0].set_ylabel("largest singular value")
    axes[1, 0].set_ylabel("FID(fashion-cnn)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axes[0, 1].legend(once.values(), once, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    plots.save_png(figure, path)


def conclude(runs):
    """Claim 55."""
    import ganlib

    collapsed = [run for run in runs if collapse(run)]
    told = [run for run in collapsed if run["alarm"]]
    each = {
        "steps from alarm to FID's collapse": [collapse(r) - r["alarm"] for r in told],
        "steps from alarm to the pictures' collapse": [pictures(r) - r["alarm"] for r in told if pictures(r)],
        "growth of G's first layer": [growth(r, "generator", slice(1)) for r in collapsed],
        "largest growth in D": [growth(r, "discriminator") for r in collapsed],
    }
    each = {name: values for name, values in each.items() if values}
    false = [collapse(run) for run in runs if sort_of(run) == "false alarm"]
    ganlib.claims.record(
        55,
        lesson="spectra_before_collapse",
        claim="The top singular values of the weights tell a collapse coming.",
        paper="Brock et al. 2019",
        figure="figure 3 and appendix F",
        reported="figures only",
        measured={f"runs, {kind}": sum(sort_of(r) == kind for r in runs) for kind in KINDS}
        | {"false alarms where nothing collapses": false.count(0)}
        | {
            f"collapses (1: yes), {arm}": [int(collapse(r) > 0) for r in runs if r["arm"] == arm]
            for arm in ARMS
        }
        | {"collapses that pictures show": sum(pictures(r) > 0 for r in collapsed)}
        | each,
        over=dict.fromkeys(each, "collapses"),
        verdict=VERDICT,
        holds=verdict(runs) == VERDICT,
    )


KINDS = ("announced", "told", "missed", "false alarm", "quiet")
VERDICT = "refuted"

if __name__ == "__main__":
    _experiment.main(
        "spectra_before_collapse",
        protocol=__doc__,
        claims=(55,),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
