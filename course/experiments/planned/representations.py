"""Claim 64: are better image models better representations, and are bigger networks better at both?

Donahue & Simonyan 2019 (arXiv:1907.02544), tables 1 and 2 and figure 2: linear probes of BigBiGAN's encoder on ImageNet
reach 60.8% top-1 with a RevNet-50 four times as wide as usual, 55.4% with a ResNet-50; variants with better FID mostly
have better accuracy; reconstructions keep what an image is of, and not its pixels.

Protocol, written before the runs:

- Data: Fashion-MNIST as it ships with ganlib, 32x32: 8,000 images to learn from, without labels, 2,000 to test on.
  Model: BigBiGAN's preset `laptop`, with `base_channels` and `encoder_channels` both 4, 8 (the preset's) and 16.
- Rates: the preset's three times 1/2, 1 or 2, the best FID after 300 steps, seed 100, for each width alike. 1,200
  steps, batch 64, seeds 0, 1, 2. Measured after 150, 300, 600 and 1,200 steps.
- FID(fashion-cnn) of 2,000 samples against the test images. Probe accuracy: multinomial logistic regression
  (`metrics.linear_probe`, its default weight decay) on E's features of the 8,000, scored on the 2,000.
  Reconstructions of the test images: FID of them, mean distance |x - G(E(x))|_1 over that of an image to another's
  reconstruction, and the share that fashion-cnn finds in the class of the image.
- Controls, for what an accuracy is worth: the probe of raw pixels; of the features of an encoder that was not trained,
  of each width and seed (what the architecture gives); and, as the bound, E of each width trained with the labels
  for as many steps (Adam 1e-3, batch 64, a linear layer on the features), its features probed in the same way.
- "Together": in all nine runs both FID and accuracy are better after 1,200 steps than after 150. "Bigger": the three
  runs of width 16 are all better than those of width 4, in accuracy and in FID. "Learned": accuracy at the end is
  above that of the untrained encoder of the same width and seed in all nine runs.
- Confirmed if all three hold; refuted if none does; else partly. That E beats raw pixels is reported, and not asked
  for.
"""

import functools

import _experiment
import numpy as np

WIDTHS, FACTORS, MOMENTS = (4, 8, 16), (0.5, 1.0, 2.0), (150, 300, 600, 1200)
TUNING_STEPS, SAMPLES, TUNING_SEED = 300, 2000, 100


def tasks(smoke, runs):
    """Controls, tuning, then the runs, seed by seed (smoke: one width, one factor)."""
    widths, factors, seeds = (WIDTHS[:1], FACTORS[:1], range(1)) if smoke else (WIDTHS, FACTORS, range(3))
    plan = [{"part": "pixels", "seed": 0}]
    plan += [
        {"part": part, "width": w, "seed": s}
        for part in ("untrained", "labels")
        for s in seeds
        for w in widths
    ]
    plan += [
        {"part": "tuning", "width": w, "factor": f, "seed": TUNING_SEED} for w in widths for f in factors
    ]
    if len(runs) >= len(plan):
        plan += [
            {"part": "run", "width": w, "factor": best(runs, w), "seed": s} for s in seeds for w in widths
        ]
    return plan


def best(runs, width):
    """The tuned factor of the rates."""
    return min((r for r in runs if r["part"] == "tuning" and r["width"] == width), key=lambda r: r["fid"])[
        "factor"
    ]


@functools.cache
def clothes(split):
    """Images and labels."""
    import ganlib

    return ganlib.data.load("fashion_mnist", split, resolution=32, labels=True).to_numpy()


def game(width, seed, factor=1.0, eager=False):
    """BigBiGAN's preset at a width, compiled."""
    import ganlib

    model = ganlib.models.BigBiGAN
    names = ("learning_rate", "encoder_learning_rate", "discriminator_learning_rate")
    rates = {name: factor * model.presets["laptop"].arguments[name] for name in names}
    gan = model.from_preset("laptop", base_channels=width, encoder_channels=width, seed=seed, **rates)
    gan.compile(run_eagerly=eager)
    return gan


def probed(features, smoke):
    """Accuracy of a linear classifier on the features of images, a function of them."""
    from ganlib.metrics import linear_probe

    size = slice(200 if smoke else None)
    (train, labels), (test, test_labels) = ([x[size] for x in clothes(split)] for split in ("train", "test"))
    return round(linear_probe(features(train), labels, features(test), test_labels).accuracy, 4)


@functools.cache
def known(samples):
    """fashion-cnn, and its features of test images."""
    from ganlib import metrics

    extractor = metrics.fashion_cnn()
    return extractor, extractor.features(clothes("test")[0][:samples])


def fid_of(images, samples):
    """FID(fashion-cnn) against test images."""
    from ganlib import metrics

    extractor, real = known(samples)
    return _experiment.rounded(metrics.frechet_distance(real, extractor.features(images)))


def trained_with_labels(width, seed, smoke):
    """The features of an encoder that was told the classes."""
    import keras

    from ganlib.randomness import seeded

    images, labels = clothes("train")
    with seeded(seed):
        network = game(width, seed).encoder
        logits = keras.layers.Dense(10)(network.outputs[3])
        classifier = keras.Model(network.inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, run_eagerly=smoke)
    rng, steps = np.random.default_rng(seed), 1 if smoke else MOMENTS[-1]
    order = np.concatenate([rng.permutation(len(images)) for _ in range(64 * steps // len(images) + 1)])[
        : 64 * steps
    ]
    classifier.fit(images[order], labels[order], batch_size=64, epochs=1, shuffle=False, verbose=0)
    features = keras.Model(network.inputs, network.outputs[3])
    return lambda images: features.predict(images, batch_size=256, verbose=0)


def reconstructions(gan, smoke):
    """How far they are, and what stays the same."""
    images, labels = (x[: 50 if smoke else None] for x in clothes("test"))
    again = gan.reconstruct(images)
    own, others = (np.abs(images - x).mean() for x in (again, np.roll(again, 1, axis=0)))
    found = known(len(images))[0].probabilities(again).argmax(axis=1)
    return {
        "reconstruction_fid": fid_of(again, len(images)),
        "reconstruction_distance": round(float(own / others), 4),
        "reconstruction_class": round(float((found == labels).mean()), 4),
    }


def measure(task, smoke):
    """One task."""
    import ganlib

    part, samples = task["part"], 50 if smoke else SAMPLES
    if part == "pixels":
        return {"accuracy": probed(lambda images: images, smoke)}
    if part == "untrained":
        return {"accuracy": probed(game(task["width"], task["seed"]).features, smoke)}
    if part == "labels":
        return {"accuracy": probed(trained_with_labels(task["width"], task["seed"], smoke), smoke)}
    gan = game(task["width"], task["seed"], task["factor"], eager=smoke)
    batches = ganlib.data.load("fashion_mnist", resolution=32, seed=task["seed"]).batch(gan.batch_size)
    if part == "tuning":
        gan.fit(batches, steps_per_epoch=1 if smoke else TUNING_STEPS, verbose=0)
        return {"fid": fid_of(gan.sample(samples, seed=0), samples)}
    found = {"steps": [], "fid": [], "accuracy": []}
    for before, moment in zip((0, *MOMENTS[:-1]), MOMENTS, strict=True):
        if smoke and before:
            break
        gan.fit(batches, steps_per_epoch=1 if smoke else moment - before, verbose=0)
        found["steps"].append(int(gan.step))
        found["fid"].append(fid_of(gan.sample(samples, seed=0), samples))
        found["accuracy"].append(probed(gan.features, smoke))
    return found | reconstructions(gan, smoke)


def of(runs, part, width, key="accuracy"):
    """One value, or list over moments, a seed."""
    mine = [r for r in runs if r["part"] == part and r.get("width") == width]
    return np.array([r[key] for r in sorted(mine, key=lambda r: r["seed"])])


def holds(runs):
    """The protocol's three conditions."""
    fids, probes = ({w: of(runs, "run", w, key) for w in WIDTHS} for key in ("fid", "accuracy"))
    small, large = WIDTHS[0], WIDTHS[-1]
    return {
        "together": all(
            (fids[w][:, -1] < fids[w][:, 0]).all() and (probes[w][:, -1] > probes[w][:, 0]).all()
            for w in WIDTHS
        ),
        "bigger": fids[large][:, -1].max() < fids[small][:, -1].min()
        and probes[large][:, -1].min() > probes[small][:, -1].max(),
        "learned": all((probes[w][:, -1] > of(runs, "untrained", w)).all() for w in WIDTHS),
    }


def draw(runs, path):
    """Accuracy against FID along each run, and the controls."""
    from ganlib import plots

    figure = plots.Figure(9, 4.4)
    axes = figure.subplots()
    colors = dict(zip(WIDTHS, (plots.ORANGE, plots.BLUE, plots.PURPLE), strict=True))
    for run in (r for r in runs if r["part"] == "run"):
        label = f"BigBiGAN, width {run['width']}" if run["seed"] == 0 else None
        axes.plot(
            run["fid"],
            run["accuracy"],
            "-o",
            color=colors[run["width"]],
            label=label,
            alpha=0.8,
            markersize=4,
        )
    lines = {
        "pixels": ("raw pixels", ":"),
        "untrained": ("untrained encoder", "--"),
        "labels": ("with labels", "-."),
    }
    for part, (label, dash) in lines.items():
        mine = [r for r in runs if r["part"] == part]
        widest = max(r.get("width", 0) for r in mine)
        values = [r["accuracy"] for r in mine if r.get("width", 0) == widest]
        label += f", width {widest}" if widest else ""
        axes.axhline(np.mean(values), linestyle=dash, color=plots.BLACK, linewidth=1, label=label)
    axes.set(
        xlabel="FID(fashion-cnn) of samples: lower is better",
        ylabel="accuracy of the linear probe",
        xscale="log",
    )
    axes.invert_xaxis()
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    plots.save_png(figure, path)


def conclude(runs):
    """Claim 64."""
    import ganlib

    found = holds(runs)
    verdict = {3: "confirmed", 0: "refuted"}.get(sum(found.values()), "partly")
    measured = {"accuracy, raw pixels": next(r["accuracy"] for r in runs if r["part"] == "pixels")}
    for width in WIDTHS:
        for part in ("untrained", "labels"):
            measured[f"accuracy, {part}, width {width}"] = of(runs, part, width).tolist()
        for key, i, when in (
            ("accuracy", 0, "150 steps"),
            ("accuracy", -1, "1,200 steps"),
            ("fid", -1, "1,200 steps"),
        ):
            name = "FID" if key == "fid" else key
            measured[f"{name}, width {width}, {when}"] = of(runs, "run", width, key)[:, i].tolist()
        for key in ("reconstruction_class", "reconstruction_distance"):
            measured[f"{key.replace('_', ', ')}, width {width}"] = of(runs, "run", width, key).tolist()
    ganlib.claims.record(
        64,
        lesson="representations",
        claim="Better image modelling gives better representations, and bigger networks are better at both.",
        paper="Donahue & Simonyan 2019",
        figure="table 2",
        reported="55.4% top-1 (ResNet-50), 60.8% (RevNet-50, 4 times as wide), linear probes on ImageNet",
        measured=measured,
        verdict=VERDICT,
        holds=verdict == VERDICT,
    )


VERDICT = "inconclusive"  # to be written by who looks at the numbers

if __name__ == "__main__":
    _experiment.main(
        "representations",
        protocol=__doc__,
        claims=(64,),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
