"""Claim 76: D overfits the training set.

Brock et al. 2019 (arXiv:1809.11096), section 4.2: BigGAN's D tells training images from samples with more than 98%
accuracy and is at 50 to 55% on held-out images: it memorises, which the authors think to be its role.

Protocol, written before the runs:

- Data: 250 images of Fashion-MNIST at 32x32, drawn anew for each seed, or all 10,000 that ship with ganlib. Held
  out: the first 500 of the test split. Networks: DCGAN's pair with 16 channels next to the image (`_small_gan.py`),
  batch norm in G, none in D. Non-saturating loss, batch 64, Adam with beta_1 0.5 at 0.002, 500 steps: 128 epochs of
  250 images, 3.2 of 10,000. Seeds 0, 1, 2.
- Measured every 100 steps: D's accuracy on training images (250 of them), on held-out images, and on 500 samples of
  G (right: logit above 0 for images, below 0 for samples), and the mean logits of all three.
- The gap is accuracy on training images less that on held-out ones, averaged over the last two moments. Confirmed
  if with 250 images it is above 0.1 with all three seeds, and larger than with 10,000 in each; partly if only its
  mean is above 0.05; refuted otherwise.
"""

import _experiment
import numpy as np
from _small_gan import game

WIDTH, RATE, SIZES, MOMENTS, STEPS = 16, 2e-3, (250, 10_000), 5, 100
SETS = ("training", "held_out", "samples")


def tasks(smoke, runs):
    """Seed by seed (smoke: the small set)."""
    return [{"size": n, "seed": s} for s in range(1 if smoke else 3) for n in (SIZES[:1] if smoke else SIZES)]


def measure(task, smoke):
    """One run."""
    import ganlib

    seed = task["seed"]
    images = ganlib.data.load("fashion_mnist", resolution=32, seed=seed).to_numpy(task["size"])
    held_out = ganlib.data.load("fashion_mnist", split="test", resolution=32).to_numpy(500)
    data = ganlib.data.from_arrays(np.round((images + 1) * 127.5).astype(np.uint8), seed=seed)
    gan = game(WIDTH, (RATE, RATE), seed, parts={"norm": "none"}, eager=smoke)
    rows = {"steps": []} | {f"{name}_{what}": [] for name in SETS for what in ("accuracy", "logit")}
    for _ in range(1 if smoke else MOMENTS):
        gan.fit(data.batch(64), steps_per_epoch=1 if smoke else STEPS, verbose=0)
        rows["steps"].append(gan.step)
        for name, shown in zip(SETS, (images[:250], held_out, gan.sample(500, seed=seed)), strict=True):
            logits = gan.discriminator(shown, training=False).numpy()
            right = logits < 0 if name == "samples" else logits > 0
            rows[f"{name}_accuracy"].append(_experiment.rounded(right.mean()))
            rows[f"{name}_logit"].append(_experiment.rounded(logits.mean()))
    return rows


def gap(run):
    """Accuracy on training images less that on held-out ones, averaged over the last two moments."""
    return float(np.mean(np.subtract(run["training_accuracy"], run["held_out_accuracy"])[-2:]))


def draw(runs, path):
    """Accuracies over the steps, a panel a size."""
    import matplotlib.figure

    from ganlib import plots

    figure = matplotlib.figure.Figure(figsize=(9, 3.4), dpi=80, layout="constrained")
    styles = zip(SETS, (plots.BLUE, plots.VERMILION, plots.GREEN), ("-", "--", ":"), "os^", strict=True)
    styles = {name: {"color": c, "linestyle": d, "marker": m} for name, c, d, m in styles}
    sizes = sorted({run["size"] for run in runs})
    for axes, size in zip(figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0], sizes, strict=True):
        for run in (r for r in runs if r["size"] == size):
            for name in SETS:
                label = name.replace("_", "-") if run["seed"] == 0 else None
                axes.plot(run["steps"], run[f"{name}_accuracy"], label=label, alpha=0.8, **styles[name])
        axes.axhline(0.5, color="black", linewidth=1)
        axes.set(xlabel="step", title=f"{size:,} training images", ylim=(-0.02, 1.02))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("D's accuracy")
    figure.axes[0].legend(fontsize=9)
    plots.save_png(figure, path)


def conclude(runs):
    """Claim 76."""
    import ganlib

    gaps = {n: [gap(run) for run in runs if run["size"] == n] for n in SIZES}
    small = [run for run in runs if run["size"] == SIZES[0]]
    ganlib.claims.record(
        76,
        lesson="overfitting",
        claim="D overfits the training set.",
        paper="Brock et al. 2019",
        figure="section 4.2",
        reported="accuracy above 98% on training images, 50 to 55% on held-out ones",
        measured={
            "accuracy on 250 training images": [run["training_accuracy"][-1] for run in small],
            "accuracy on held-out images": [run["held_out_accuracy"][-1] for run in small],
        }
        | {f"gap of the last two moments, {n} images": values for n, values in gaps.items()},
        verdict="confirmed",
        holds=min(gaps[250]) > 0.1 and all(a > b for a, b in zip(*gaps.values(), strict=True)),
    )


if __name__ == "__main__":
    _experiment.main(
        "overfitting",
        protocol=__doc__,
        claims=(76,),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
