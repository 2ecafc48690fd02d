"""Claim 19: spectral normalisation holds D's largest singular values at 1 and makes training stable.

Miyato et al. 2018 (arXiv:1802.05957), section 4.1 and figure 1: of six normalisations under six settings of Adam
(rates 1e-4 to 1e-3), SN-GANs are robust in all; inception scores as bars. Figure 3: the singular values of a layer
spread out with weight normalisation and clipping, and stay level with SN.

Protocol, written before the runs:

- Data: the 10,000 images of Fashion-MNIST that ship with ganlib, 32x32. Networks: DCGAN's pair with 16 channels
  next to the image (`_small_gan.py`), batch norm in G. D, the same weights at the start, without normalisation
  ("none"), with batch norm ("batch"), or with all weights spectrally normalised ("spectral", one power step a
  call).
- Non-saturating loss, batch 64, Adam with beta_1 0.5, both players at 1e-3 times 1, 4 and 16; 200 steps. Seeds 0,
  1, 2. No tuning: the rate is what is varied, for all alike. "batch" is measured at times 16 only.
- Measured after 50, 100, 150 and 200 steps: the largest singular value of each of D's four weights as the optimiser
  left it (sigma0), and, for "spectral", of W / sigma, with which D computes (effective sigma0); the norm of both
  gradients; after 100 and 200 steps FID(fashion-cnn) of 1,000 samples against the 10,000 images.
- "Holds at 1": effective sigma0 of all four weights within 0.1 of 1 at all moments of all runs of the rates times 1
  and 4 (times 16 is reported beside it: u takes one power step a call, and weights may outrun it).
- "Stable": at times 16 all three final FIDs with SN are below all three of "none". "batch" is shown beside it: the
  paper's claim is against batch norm, too.
- Confirmed if both hold, refuted if neither does, else partly.
"""

import warnings

import _experiment
import numpy as np
from _small_gan import fashion_fid, fid_of, game

WIDTH, BASE, FACTORS, NORMS = 16, 1e-3, (1, 4, 16), ("none", "batch", "spectral")
MOMENTS, STEPS, SAMPLES = 4, 50, 1000


def tasks(smoke, runs):
    """Seed by seed (smoke: one with SN, one without)."""
    if smoke:
        return [{"norm": norm, "factor": 16, "seed": 0} for norm in ("none", "spectral")]
    plan = [(n, f) for f in FACTORS for n in NORMS if n != "batch" or f == max(FACTORS)]
    return [{"norm": n, "factor": f, "seed": s} for s in range(3) for n, f in plan]


def measure(task, smoke):
    """One run."""
    import ganlib
    from ganlib.monitors import GradientNorms, Spectra

    seed, rate, steps = task["seed"], BASE * task["factor"], 1 if smoke else STEPS
    data, fid = ganlib.data.load("fashion_mnist", resolution=32, seed=seed), fashion_fid()
    gan = game(WIDTH, (rate, rate), seed, parts={"norm": task["norm"]}, eager=smoke)
    spectra = Spectra(every=10**6)
    norms = GradientNorms(data.to_numpy(64), every=10**6)
    rows = {key: [] for key in ("steps", "sigma0", "effective0", "fid", "generator", "discriminator")}
    for moment in range(1, (1 if smoke else MOMENTS) + 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of alarms
            gan.fit(data.batch(64), steps_per_epoch=steps, verbose=0, callbacks=[spectra, norms])
        last = {name: values[-1] for name, values in (spectra.history | norms.history).items()}
        mine = [name for name in last if name.startswith("discriminator/") and name.endswith("/sigma0")]
        rows["steps"].append(gan.step)
        rows["sigma0"].append(_experiment.rounded([last[name] for name in mine], 4))
        effective = [last[n.replace("/sigma0", "/effective0")] for n in mine if task["norm"] == "spectral"]
        rows["effective0"].append(_experiment.rounded(effective, 5))
        for player in ("generator", "discriminator"):
            rows[player].append(_experiment.rounded(last[player], 4))
        if moment % 2 == 0 or smoke:
            rows["fid"].append(_experiment.rounded(fid_of(fid, gan, 200 if smoke else SAMPLES)))
    return rows


def draw(runs, path):
    """The largest sigma0 over the steps, and the final FID over the rate."""
    import matplotlib.figure

    from ganlib import plots

    styles = {
        "none": (plots.VERMILION, "--", "s"),
        "batch": (plots.GREEN, ":", "^"),
        "spectral": (plots.BLUE, "-", "o"),
    }
    figure = matplotlib.figure.Figure(figsize=(10, 3.6), dpi=80, layout="constrained")
    left, right = figure.subplots(1, 2)
    highest = max(r["factor"] for r in runs)
    for run in runs:
        color, dash, mark = styles[run["norm"]]
        label = run["norm"] if run["seed"] == 0 and run["factor"] == highest else None
        if run["factor"] == highest:
            values = run["effective0"] if run["norm"] == "spectral" else run["sigma0"]
            left.plot(run["steps"], np.max(values, axis=1), dash, color=color, label=label)
        shift = {"none": 0.93, "batch": 1.0, "spectral": 1.07}[run["norm"]]
        right.plot(run["factor"] * BASE * shift, run["fid"][-1], mark, color=color, label=label, alpha=0.8)
    left.set(xlabel="step", ylabel="largest singular value in D\n(of W / sigma for spectral)", yscale="log")
    left.set_title(f"rate {BASE * highest:g}", fontsize=10)
    right.set(xlabel="rate of both players", ylabel="FID(fashion-cnn)", xscale="log")
    right.set_xticks([BASE * f for f in FACTORS], [f"{BASE * f:g}" for f in FACTORS])
    right.minorticks_off()
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    plots.save_png(figure, path)


def finals(runs, norm, factor):
    """Final FIDs, by seed."""
    return [r["fid"][-1] for r in runs if r["norm"] == norm and r["factor"] == factor]


def conclude(runs):
    """Claim 19."""
    import ganlib

    mine = [r for r in runs if r["norm"] == "spectral"]
    off = {
        f: [float(np.abs(np.array(r["effective0"]) - 1).max()) for r in mine if r["factor"] == f]
        for f in FACTORS
    }
    held = max(off[1] + off[4]) < 0.1
    stable = max(finals(runs, "spectral", 16)) < min(finals(runs, "none", 16))
    ganlib.claims.record(
        19,
        lesson="spectral",
        claim="Spectral normalisation holds D's largest singular values at 1 and makes training stable.",
        paper="Miyato et al. 2018",
        figure="figures 1 and 3",
        reported="figures only",
        measured={f"largest |sigma of W / sigma - 1|, rate x{f}": off[f] for f in FACTORS}
        | {
            "largest sigma of W without SN, rate x16": [
                float(np.max(r["sigma0"])) for r in runs if r["norm"] == "none" and r["factor"] == 16
            ]
        }
        | {f"FID, {n}, rate x{f}": finals(runs, n, f) for f in FACTORS for n in NORMS if finals(runs, n, f)},
        verdict="partly",
        holds=held and not stable,
    )


if __name__ == "__main__":
    _experiment.main(
        "spectral", protocol=__doc__, claims=(19,), tasks=tasks, measure=measure, draw=draw, conclude=conclude
    )
