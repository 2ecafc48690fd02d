"""Claim 34: L1 alone blurs, cGAN alone invents, together they work (pix2pix, table 1).

Isola et al. 2017 (arXiv:1611.07004), table 1, labels -> photo of Cityscapes, per-pixel accuracy of a network that
labels the result: L1 0.42, GAN 0.22, cGAN 0.57, L1+GAN 0.64, L1+cGAN 0.66. "GAN" is a discriminator that does not see
the source: the sum on lecture 004's slide.

Protocol, written before the runs:

- Data: edges_to_fashion at 32x32, the 10,000 training images that ship with ganlib; everything is measured on the 2,000
  test images, whose edges no run has seen.
- Five rows, one pair of networks (preset laptop: U-Net and PatchGAN 16): the weight of L1 is 100 or 0; D sees the
  source (`Pix2Pix`) or not (`UnconditionalPix2Pix`), or its term in G's objective weighs nothing (L1 alone).
- 500 steps of 16 for all. Tuning, the same for all: the preset's rate times 1/2, 1 and 2, seed 100, a third of the
  steps; the lowest FID on the test edges is chosen (for all rows, so that none is tuned for another goal).
- Seeds 0, 1, 2. Measured: FID(fashion-cnn) of the translations of the 2,000 test edges against the 2,000 test images;
  mean L1 distance in [-1, 1] and SSIM between translation and photograph, pair by pair; sharpness, the mean magnitude
  of the gradient (differences of neighbours along both axes) divided by that of the photographs (1: as sharp); how
  much the noise changes: the standard deviation of a pixel over 8 draws of dropout, a mean over pixels and 200 edges.
- Claim 34 has three parts. (a) L1 alone blurs: in every seed it is less sharp than L1+cGAN and than the photographs,
  and its FID is higher than that of L1+cGAN. (b) cGAN alone invents: in every seed its L1 distance is larger than that
  of L1+cGAN. (c) Together they work: the mean FID of L1+cGAN is at most 1.1 times the lowest of the five rows', its
  mean L1 distance at most 1.25 times that of L1 alone, its mean sharpness between 2/3 and 3/2. Confirmed: all three
  hold; partly: one or two; refuted: none.
- Beside it, not part of the claim, seed 0: L1+cGAN with patches of 1 and of 70 pixels (here: the whole image) at the
  rate of patch 16.
"""

import base64

import _experiment
import numpy as np

ROWS = {  # name -> (D sees the source, weight of L1, weight of the game)
    "L1": (True, 100.0, 0.0),
    "GAN": (False, 0.0, 1.0),
    "cGAN": (True, 0.0, 1.0),
    "L1+GAN": (False, 100.0, 1.0),
    "L1+cGAN": (True, 100.0, 1.0),
}
FACTORS = (0.5, 1, 2)
STEPS, PATCH, SHOWN = 500, 16, 6
PATCHES = (1, 70)


def sharpness(images):
    """The mean magnitude of the gradient of images (n, size, size, 1)."""
    x = images[..., 0].astype(np.float64)
    down, across = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
    return float(np.hypot(down, across).mean())


def chosen(runs, row):
    """The tuned factor of this row's rate."""
    tried = [r for r in runs if r["part"] == "tuning" and r["row"] == row]
    return min(tried, key=lambda r: r["fid"])["factor"]


def tasks(smoke, runs):
    """All rows at each rate; then all at their own, seed by seed; then other patches (smoke: two rows, one seed)."""
    rows = ("L1", "GAN") if smoke else tuple(ROWS)
    factors = FACTORS[:1] if smoke else FACTORS
    tuning = [
        {"part": "tuning", "row": row, "patch": PATCH, "factor": f, "seed": 100}
        for f in factors
        for row in rows
    ]
    if sum(r["part"] == "tuning" for r in runs) < len(tuning):
        return tuning
    comparison = [
        {"part": "comparison", "row": row, "patch": PATCH, "factor": chosen(runs, row), "seed": seed}
        for seed in range(1 if smoke else 3)
        for row in rows
    ]
    patches = [
        {"part": "patches", "row": rows[-1], "patch": patch, "factor": chosen(runs, rows[-1]), "seed": 0}
        for patch in (() if smoke else PATCHES)
    ]
    return tuning + comparison + patches


def measure(task, smoke):
    """One row, trained, and its translations of the test edges."""
    import ganlib
    from ganlib.metrics import FashionFID, ssim
    from ganlib.models import Pix2Pix

    conditional, l1_weight, adversarial_weight = ROWS[task["row"]]
    # "unconditional" is what the protocol calls UnconditionalPix2Pix
    architecture = "instance_norm" if conditional else "unconditional"
    preset = dict(Pix2Pix.presets["laptop"].arguments)
    preset["learning_rate"] *= task["factor"]
    if smoke:
        preset |= {"base_channels": 4, "batch_size": 4}
    gan = Pix2Pix(
        architecture,
        **preset | {"receptive_field": task["patch"]},
        l1_weight=l1_weight,
        adversarial_weight=adversarial_weight,
        seed=task["seed"],
    )
    gan.compile(run_eagerly=smoke)
    data = ganlib.data.paired("edges_to_fashion", resolution=32, seed=task["seed"])
    steps = 1 if smoke else STEPS // 3 if task["part"] == "tuning" else STEPS
    gan.fit(data.batch(gan.batch_size), steps_per_epoch=steps, verbose=0)
    test = ganlib.data.paired("edges_to_fashion", "test", resolution=32)
    edges, photographs = test.to_numpy(100 if smoke else None)
    made = gan.translate(edges, seed=0)
    found = {
        "steps": gan.step,
        "fid": FashionFID("test")(lambda n, seed: made, samples=len(made))["value"],
        "l1": float(np.abs(made - photographs).mean()),
        "ssim": ssim(made, photographs),
        "sharpness": sharpness(made) / sharpness(photographs),
    }
    if task["part"] != "tuning":
        some = edges[: 8 if smoke else 200]
        draws = np.stack([gan.translate(some, seed=seed) for seed in range(2 if smoke else 8)])
        found["noise"] = float(draws.std(axis=0).mean())
    if task["seed"] == 0:
        packed = np.round((made[:SHOWN] + 1) * 127.5).astype(np.uint8).tobytes()
        found["picture"] = base64.b64encode(packed).decode()
    return {k: v if k in ("picture", "steps") else _experiment.rounded(v) for k, v in found.items()}


def unpacked(text):
    """The images of a run's "picture", one strip (32, 32 * n)."""
    return np.concatenate(np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 32, 32), axis=1)


def strips(runs):
    """Name -> strip of images: edges, photographs, and seed 0 of each row."""
    import ganlib

    test = ganlib.data.paired("edges_to_fashion", "test", resolution=32).to_numpy(SHOWN)
    edges, photographs = (np.concatenate((part[..., 0] + 1) * 127.5, axis=1) for part in test)
    made = {
        run["row"]: unpacked(run["picture"])
        for run in runs
        if run["part"] == "comparison" and run["seed"] == 0
    }
    return {"edges": edges, **made, "photograph": photographs}


def draw(runs, path):
    """Translations of the first test edges, and the numbers, a mark a seed."""
    import matplotlib.figure

    from ganlib import plots

    rows = [r for r in runs if r["part"] == "comparison"]
    names = list(dict.fromkeys(r["row"] for r in rows))
    figure = matplotlib.figure.Figure(figsize=(9, 7.5), dpi=80, layout="constrained")
    pictures, charts = figure.subfigures(2, 1, height_ratios=(2.6, 1))
    shown = strips(runs)
    _experiment.strips(pictures.subplots(len(shown), 1), shown)
    panels = {
        "fid": "FID(fashion-cnn), lower is better",
        "l1": "L1 distance, lower is better",
        "sharpness": "sharpness; photographs: 1",
    }
    for axes, (key, label) in zip(charts.subplots(1, 3), panels.items(), strict=True):
        _experiment.marks(axes, rows, "row", names, key, label)
    plots.save_png(figure, path)


def parts_that_hold(runs):
    """Which of (a), (b), (c) of the protocol hold."""
    of = {row: [r for r in runs if r["part"] == "comparison" and r["row"] == row] for row in ROWS}
    mean = {row: {k: np.mean([r[k] for r in of[row]]) for k in ("fid", "l1", "sharpness")} for row in ROWS}
    both = mean["L1+cGAN"]
    blurs = all(
        l1["sharpness"] < min(1, b["sharpness"]) and l1["fid"] > b["fid"]
        for l1, b in zip(of["L1"], of["L1+cGAN"], strict=True)
    )
    invents = all(c["l1"] > b["l1"] for c, b in zip(of["cGAN"], of["L1+cGAN"], strict=True))
    works = (
        both["fid"] <= 1.1 * min(m["fid"] for m in mean.values())
        and both["l1"] <= 1.25 * mean["L1"]["l1"]
        and 2 / 3 < both["sharpness"] < 3 / 2
    )
    return {"L1 alone blurs": blurs, "cGAN alone invents": invents, "together they work": works}


def conclude(runs):
    """Into the ledger."""
    from ganlib import claims

    of = {row: [r for r in runs if r["part"] == "comparison" and r["row"] == row] for row in ROWS}
    held = sum(parts_that_hold(runs).values())
    names = {"fid": "FID(fashion-cnn)", "l1": "L1 distance", "ssim": "SSIM", "sharpness": "sharpness"}
    claims.record(
        34,
        lesson="translation",
        claim="The L1 loss alone blurs, the adversarial loss alone invents, and both together translate well.",
        paper="Isola et al. 2017",
        figure="table 1",
        reported="per-pixel accuracy on Cityscapes: L1 0.42, GAN 0.22, cGAN 0.57, L1+GAN 0.64, L1+cGAN 0.66",
        measured={f"{name}, {row}": [r[key] for r in of[row]] for key, name in names.items() for row in ROWS},
        verdict="partly",
        holds={3: "confirmed", 0: "refuted"}.get(held, "partly") == "partly",
    )


if __name__ == "__main__":
    _experiment.main(
        "translation",
        protocol=__doc__,
        claims=(34,),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
