"""Claims 28, 29 and 30: four ways to use labels, or none, on one pair of networks, equal time, equal tuning.

Odena et al. 2017 (arXiv:1610.09585): an auxiliary classifier in D makes a class-conditional model's samples better.
Miyato & Koyama 2018 (arXiv:1802.05637), tables 1 and 2: projection beats concatenation and the auxiliary classifier,
whose G gives up diversity to be recognised. The lectures: labels, where you have them, are worth exploiting.

Protocol, written before the runs:

- Data: the 10,000 images of Fashion-MNIST that ship with ganlib, 32x32, batch 64, with their 10 classes.
- Networks: the wide pair of Miyato & Koyama at 32x32, 8 to 32 channels (`ImageNetProjectionGAN`), hinge loss, one
  update of D for one of G, D's rate twice G's, G averaged with 0.995. "none": the same pair with a single class. The
  other three have conditional batch norm in G, and D is told the class by "concatenation" (to its features), by
  "projection", or must tell it ("classifier": a second dense head; both players are paid for its cross-entropy,
  weight 1, as the paper writes L_C).
- Equal time: the images of a run are 60 seconds of one core at the rate that was measured for its kind, all kinds
  alternating in one process (images/s: none 873, concatenation 799, classifier 850, projection 867).
- Tuning, the same for all four: G's rate in {5e-4, 1e-3}, half the budget, seed 100; the lowest FID is chosen.
- Comparison: the chosen rate, seeds 0, 1, 2. 300 samples of each class; "none" draws 6,000 samples, sorted into
  classes by fashion-cnn, of which up to 300 a class are used. FID(fashion-cnn) of the samples against the
  10,000 images; intra-class FID: the mean over classes of the FID of a class' samples against its 1,000 images;
  accuracy: the share of samples that fashion-cnn finds in the class that was asked for; spread of a class: the root of
  the total variance of its samples' features over that of its images'.
- Hard classes are the five that fashion-cnn confuses on the test images: T-shirt, pullover, dress, coat, shirt; the
  other five are easy.
- Claim 28. "confirmed": in all three seeds the classifier's accuracy is above concatenation's, and its loss of spread
  (projection's minus its own, mean over classes) is larger in the hard classes than in the easy ones. "partly": one of
  the two. "refuted": in all seeds the opposite of the first. Else "inconclusive".
- Claim 29. By intra-class FID: "confirmed": all three seeds of projection are below all of concatenation's and all of
  the classifier's. "partly": below all of one of the two, and not above all of the other. "refuted": above all of one.
  Else "inconclusive".
- Claim 30. By FID: "confirmed": some conditional kind's three seeds are all below all of none's.
  "partly": projection's mean is below none's. "refuted": all conditional kinds' seeds are above all of none's. Else
  "inconclusive".
"""

import _experiment

KINDS = ("none", "concatenation", "classifier", "projection")
RATES = (5e-4, 1e-3)
IMAGES_PER_SECOND = {"none": 873, "concatenation": 799, "classifier": 850, "projection": 867}
SECONDS, TUNING_SECONDS, TUNING_SEED = 60, 30, 100
BATCH, CLASSES, A_CLASS, LATENT_DIM = 64, 10, 300, 64
WIDTHS = (8, 16, 32)  # of D, from the image on; the pair is ProjectionGAN's architecture "wide" by now
HARD = (0, 2, 3, 4, 6)
NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
VERDICTS = {28: "confirmed", 29: "confirmed", 30: "inconclusive"}


def discriminator(kind):
    """The wide D without the class, or with what `kind` adds to it."""
    import keras
    from keras import layers

    from ganlib.layers import GlobalSumPooling2D, SpectralDense
    from ganlib.layers.residual import residual_down, residual_first, residual_same, spectral
    from ganlib.models import projection_gan

    told = {"resolution": 32, "channels": 1, "halving": WIDTHS, "same": WIDTHS[-1:]}
    if kind == "concatenation":
        return projection_gan.concatenating_discriminator(
            **told, num_classes=CLASSES, joining=len(WIDTHS), embedding_dim=WIDTHS[-1] // 2
        )
    if kind != "classifier":
        return projection_gan.discriminator(**told, num_classes=1 if kind == "none" else CLASSES)
    image = keras.Input((32, 32, 1), name="image")
    x = residual_first(image, WIDTHS[0], spectral)
    for width in WIDTHS[1:]:
        x = residual_down(x, width, spectral)
    x = residual_same(x, WIDTHS[-1], spectral)
    features = GlobalSumPooling2D()(layers.ReLU()(x))
    heads = [SpectralDense(1, name="source")(features), layers.Dense(CLASSES, name="classes")(features)]
    return keras.Model(image, heads, name="discriminator")


def gan_of(kind, rate, seed):
    """An untrained model of a kind."""
    import keras

    import ganlib
    from ganlib.models import projection_gan
    from ganlib.randomness import seeded

    class Objectives(ganlib.models.ACGAN if kind == "classifier" else ganlib.GAN):
        """ACGAN's terms on the hinge game, or the conditional game."""

        def __init__(self, rate, seed):
            classes = 1 if kind == "none" else CLASSES
            with seeded(seed):
                g = projection_gan.generator(32, 1, classes, LATENT_DIM, (WIDTHS[-1], *WIDTHS[::-1]))
                d = discriminator(kind)
            adam = {"beta_1": 0.0, "beta_2": 0.9, "epsilon": 1e-8}
            ganlib.GAN.__init__(
                self,
                g,
                d,
                num_classes=classes,
                loss="hinge",
                ema_decay=0.995,
                generator_optimizer=keras.optimizers.Adam(rate, **adam),
                discriminator_optimizer=keras.optimizers.Adam(2 * rate, **adam),
                batch_size=BATCH,
                seed=seed,
            )

    return Objectives(rate, seed)


def batches_of(data, kind):
    """Batches of (images, classes): all of class 0 where there are none."""
    import tensorflow as tf

    batches = data.batch(BATCH)
    return batches.map(lambda x, y: (x, tf.zeros_like(y))) if kind == "none" else batches


def tasks(smoke, runs):
    """All of the tuning; then, for each kind, the chosen rate with three seeds (smoke: two kinds, one rate)."""
    kinds, rates = (KINDS, RATES) if not smoke else (("none", "classifier"), RATES[:1])
    tuning = [{"part": "tuning", "kind": k, "rate": r, "seed": TUNING_SEED} for k in kinds for r in rates]
    if smoke:
        return tuning
    if sum(run["part"] == "tuning" for run in runs) < len(tuning):
        return tuning
    best = {
        k: min((r for r in runs if r["part"] == "tuning" and r["kind"] == k), key=lambda r: r["fid"])["rate"]
        for k in kinds
    }
    return tuning + [
        {"part": "comparison", "kind": k, "rate": best[k], "seed": s} for s in range(3) for k in kinds
    ]


def measure(task, smoke):
    """Train one model, and score it class by class."""
    import numpy as np

    import ganlib

    gan = gan_of(task["kind"], task["rate"], task["seed"])
    gan.compile()
    data = ganlib.data.load("fashion_mnist", resolution=32, labels=True, seed=task["seed"])
    seconds = TUNING_SECONDS if task["part"] == "tuning" else SECONDS
    steps = 2 if smoke else seconds * IMAGES_PER_SECOND[task["kind"]] // BATCH
    gan.fit(batches_of(data, task["kind"]), steps_per_epoch=steps, verbose=0)

    extractor = ganlib.metrics.fashion_cnn()
    images, labels = data.to_numpy(500 if smoke else None)
    real = extractor.features(ganlib.metrics.extractors.scaled(images))
    wanted, fake, found = samples_of(gan, task["kind"], extractor, 20 if smoke else A_CLASS)
    distance = ganlib.metrics.frechet_distance
    result = {
        "steps": steps,
        "fid": _experiment.rounded(distance(real, fake)),
        "accuracy": _experiment.rounded(np.mean(found == wanted)),
    }
    if task["part"] == "tuning":
        return result
    by_class = [(real[labels == c], fake[wanted == c]) for c in range(CLASSES)]
    mistakes = np.array([[np.mean(found[wanted == c] == d) for d in range(CLASSES)] for c in range(CLASSES)])
    return result | {
        "intra_fid": _experiment.rounded([distance(r, f) for r, f in by_class]),
        "spread": _experiment.rounded(
            [(f.var(axis=0).sum() / r.var(axis=0).sum()) ** 0.5 for r, f in by_class]
        ),
        "found": [_experiment.rounded(row, 3) for row in mistakes],
    }


def samples_of(gan, kind, extractor, a_class):
    """Classes asked for (or found, where none can be asked for), features, and classes found of the samples."""
    import numpy as np

    if kind != "none":
        wanted = np.repeat(np.arange(CLASSES), a_class)
        features, probabilities = extractor.outputs(gan.sample(len(wanted), labels=wanted, seed=1))
        return wanted, features, probabilities.argmax(axis=1)
    features, probabilities = extractor.outputs(gan.sample(2 * CLASSES * a_class, seed=1))
    found = probabilities.argmax(axis=1)
    kept = np.concatenate([np.flatnonzero(found == c)[:a_class] for c in range(CLASSES)])
    return found[kept], features[kept], found[kept]


def values(runs, score):
    """Kind -> the score of each seed."""
    rows = [r for r in runs if r["part"] == "comparison"]
    return {k: [score(r) for r in rows if r["kind"] == k] for k in KINDS}


def mean_over(classes, key):
    """A run -> the mean of `key` over some classes."""
    return lambda run: sum(run[key][c] for c in classes) / len(classes)


def verdicts(runs):
    """Claim -> verdict, by the rules of the protocol."""
    accuracy, fid = values(runs, lambda r: r["accuracy"]), values(runs, lambda r: r["fid"])
    easy = [c for c in range(CLASSES) if c not in HARD]
    hard_spread, easy_spread = (values(runs, mean_over(c, "spread")) for c in (HARD, easy))
    pairs = zip(accuracy["classifier"], accuracy["concatenation"], strict=True)
    recognised = [a > b for a, b in pairs]
    losses = [
        [p - c for p, c in zip(s["projection"], s["classifier"], strict=True)]
        for s in (hard_spread, easy_spread)
    ]
    narrower = [hard > easy for hard, easy in zip(*losses, strict=True)]
    if all(recognised) and all(narrower):
        first = "confirmed"
    elif not any(recognised):
        first = "refuted"
    else:
        first = "partly" if all(recognised) or all(narrower) else "inconclusive"

    intra = values(runs, mean_over(range(CLASSES), "intra_fid"))
    below = [max(intra["projection"]) < min(intra[k]) for k in ("concatenation", "classifier")]
    above = [min(intra["projection"]) > max(intra[k]) for k in ("concatenation", "classifier")]
    second = (
        "refuted" if any(above) else "confirmed" if all(below) else "partly" if any(below) else "inconclusive"
    )

    conditional = [fid[k] for k in KINDS if k != "none"]
    if any(max(f) < min(fid["none"]) for f in conditional):
        third = "confirmed"
    elif all(min(f) > max(fid["none"]) for f in conditional):
        third = "refuted"
    else:
        third = "partly" if sum(fid["projection"]) < sum(fid["none"]) else "inconclusive"
    return {28: first, 29: second, 30: third}


def conclude(runs):
    """Claims 28, 29 and 30."""
    import ganlib

    found = verdicts(runs)
    print(found)
    easy = [c for c in range(CLASSES) if c not in HARD]
    accuracy, fid = values(runs, lambda r: r["accuracy"]), values(runs, lambda r: r["fid"])
    intra = values(runs, mean_over(range(CLASSES), "intra_fid"))
    hard_spread, easy_spread = (values(runs, mean_over(c, "spread")) for c in (HARD, easy))
    entries = {
        28: {
            "claim": "An auxiliary classifier makes samples more recognisable, but loses diversity in hard classes.",
            "paper": "Odena et al. 2017; Miyato & Koyama 2018",
            "figure": "sections 4.2 and 4.3; section 5.1",
            "reported": "discriminable samples; AC-GAN's samples of a class become alike",
            "measured": {f"accuracy, {k}": accuracy[k] for k in KINDS[1:]}
            | {f"FID(fashion-cnn), {k}": fid[k] for k in ("concatenation", "classifier")}
            | {f"spread in hard classes, {k}": hard_spread[k] for k in KINDS}
            | {f"spread in easy classes, {k}": easy_spread[k] for k in KINDS},
        },
        29: {
            "claim": "Projection beats concatenation and the auxiliary classifier.",
            "paper": "Miyato & Koyama 2018",
            "figure": "table 1 (ImageNet, intra-class FID)",
            "reported": "103.1 against 141.2 (concatenation) and 260.0 (classifier)",
            "measured": {f"intra-class FID(fashion-cnn), {k}": intra[k] for k in KINDS},
        },
        30: {
            "claim": "Labels, where you have them, are worth exploiting.",
            "paper": "lecture; Odena et al. 2017",
            "figure": "section 4",
            "reported": "conditional models have the better scores",
            "measured": {f"FID(fashion-cnn), {k}": fid[k] for k in KINDS},
        },
    }
    for number, entry in entries.items():
        ganlib.claims.record(
            number,
            lesson="conditions",
            **entry,
            verdict=VERDICTS[number],
            holds=found[number] == VERDICTS[number],
        )


def draw(runs, path):
    """Intra-class FID against accuracy, a mark a seed; spread by class, a line a kind."""
    import matplotlib.figure
    import numpy as np

    from ganlib import plots

    rows = [r for r in runs if r["part"] == "comparison"]
    figure = matplotlib.figure.Figure(figsize=(11, 3.8), dpi=80, layout="constrained")
    first, second = figure.subplots(1, 2, width_ratios=(2, 3))
    for i, kind in enumerate(KINDS):
        color, dash, marker = plots.LINES[i]
        own = [r for r in rows if r["kind"] == kind]
        if not own:
            continue
        first.plot(
            [r["accuracy"] for r in own], [np.mean(r["intra_fid"]) for r in own], marker, color=color,
            linestyle="", label=kind,
        )  # fmt: skip
        second.plot(
            np.mean([r["spread"] for r in own], axis=0),
            color=color,
            linestyle=dash,
            marker=marker,
            label=kind,
        )
    first.set(xlabel="accuracy (none: 1, sorted by it)", ylabel="mean intra-class FID(fashion-cnn)")
    second.set(ylabel="spread of a class; the data have 1", xticks=range(CLASSES))
    second.set_xticklabels(
        [f"{n}*" if c in HARD else n for c, n in enumerate(NAMES)], rotation=45, ha="right"
    )
    second.set_xlabel("class (* hard for fashion-cnn)")
    for axes in (first, second):
        axes.grid(alpha=0.3)
    if rows:
        second.legend(fontsize=8)
    plots.save_png(figure, path)


if __name__ == "__main__":
    _experiment.main(
        "conditions",
        protocol=__doc__,
        claims=(28, 29, 30),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
