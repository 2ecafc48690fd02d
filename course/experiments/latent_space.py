"""Claims 11 and 12: are walks in DCGAN's latent space smooth, and does arithmetic on latents carry meaning?

Radford et al. 2016 (arXiv:1511.06434), section 6.1 and figure 4: walks in z of a model of bedrooms change smoothly,
and sharp transitions would be a sign of memorisation. Section 6.3.2 and figure 7: vector("man with glasses") -
vector("man without glasses") + vector("woman without glasses") is a woman with glasses; means of three latents were
stable, single ones were not. Both are shown in pictures; no number is given.

Protocol, written before the runs (a pilot with seed 0 set the thresholds; it is not among the results):

- Model: ganlib's DCGAN, preset laptop with 16 base channels, without the average of G, as in the paper; 1,280 steps
  of batch 64 on the 10,000 images of Fashion-MNIST that ship with ganlib, 32x32. Seeds 1, 2, 3.
- Walks: 32 pairs of latents, slerp, 10, 20 and 40 steps. Measured by ganlib.latents.smoothness, in pixels and in
  features of fashion-cnn, against 500 training images: the roughness (longest step over median step) and the jump
  (longest step over the distance of a training image to its nearest other).
- Against: "table", a generator made to memorise 50 images, which shows the image of the key nearest to z in angle;
  and "nearest", which puts the nearest training image (pixels) in the place of each image of G's walk.
- Memorisation: ganlib.metrics.memorisation of 1,000 samples of G, and of the table, in features of fashion-cnn;
  held out are the 2,000 test images.
- Claim 11 is confirmed if for all seeds, in both spaces: G's jump after 20 steps is below 0.5 and after 40 at most
  0.6 of that (a continuous G halves it), both rivals' jumps are above 1 at 20, and the memorisation test flags the
  table and not G. Partly, if only the jumps are so. Refuted, if G's jump is above 1 for all seeds.
- Arithmetic on classes: 10,000 latents are labelled by fashion-cnn where it is sure (probability 0.8 or more). For
  each ordered pair (a, b) of classes with 60 such latents or more, 30 new latents z of class a become z - mean(a) +
  mean(b), at the norm of latents. Success: fashion-cnn calls the image b. Against: a random direction of the same
  length; differences of single latents instead of means; of means of three.
- Arithmetic on a property that no class names, as in the paper: "light" and "dark" are the upper and lower third of
  a class's images by mean grey value. For each pair of such classes, mean(light b) - mean(dark b) is added to 30
  dark latents of class c. Success: the image is still called c, and is lighter than c's median. Against: a random
  direction of the same length.
- Claim 12 is confirmed if for all seeds the classes' success is above 0.5 and 5 times that of random directions,
  and the property's is 3 times that of random directions; partly if one of both holds; refuted otherwise.
"""

import _experiment
import numpy as np

STEPS, LATENTS, SURE = 1280, 10_000, 0.8
WALKS = (10, 20, 40)
SPACES = ("pixels", "features")


def tasks(smoke, runs):
    """A model a seed."""
    return [{"seed": s} for s in ((1,) if smoke else (1, 2, 3))]


def measure(task, smoke):
    """Train, walk, add and subtract."""
    import ganlib
    from ganlib import metrics

    seed = task["seed"]
    data = ganlib.data.load("fashion_mnist", resolution=32, seed=seed)
    gan = ganlib.models.DCGAN.from_preset("laptop", base_channels=16, ema_decay=None, seed=seed)
    gan.compile()
    gan.fit(data.batch(gan.batch_size), steps_per_epoch=1 if smoke else STEPS, verbose=0)
    fid = metrics.FashionFID()
    n = 300 if smoke else LATENTS
    score = fid(lambda n, seed: gan.sample(n, seed=seed), samples=min(n, 5000), seed=seed)["value"]

    def show(latents):  # any number of latents, one trace
        padding = np.zeros((-len(latents) % 500, gan.latent_dim), np.float32)
        padded = np.concatenate([np.asarray(latents, np.float32), padding])
        chunks = [gan.generator.predict_on_batch(z) for z in np.split(padded, len(padded) // 500)]
        return np.concatenate(chunks)[: len(latents)]

    walked = walk(gan, show, fid.extractor, seed, *((2, 600) if smoke else (32, None)))
    return {"fid": score} | walked | add(gan, show, fid.extractor, seed, n, 3 if smoke else 60)


def walk(gan, show, cnn, seed, pairs, available):
    """Smoothness of G and of both rivals, and the test for memorisation."""
    import ganlib
    from ganlib import latents, metrics

    def images(split):
        return ganlib.data.load(
            "fashion_mnist", split=split, resolution=32, shuffle=False, repeat=False
        ).to_numpy()

    train, test = images("train")[:available], images("test")[:available]
    keys = latents.on_shell(gan.sample_latents(50, seed=100 + seed))

    def table(z):
        return train[(latents.on_shell(z) @ keys.T).argmax(axis=1)]

    def nearest(z):
        return train[metrics.nearest_neighbours(show(z), train, 1)[0][:, 0]]

    ends = gan.sample_latents(2 * pairs, seed=200 + seed).reshape(2, pairs, -1)
    spaces = dict(zip(SPACES, (None, cnn.features), strict=True))
    found = {}
    for name, generator in (("G", show), ("table", table), ("nearest", nearest)):
        jumps, rough = {s: [] for s in SPACES}, {s: [] for s in SPACES}
        for steps in WALKS:
            path = latents.walk(ends, steps)
            seen = generator(path.reshape(-1, gan.latent_dim))
            seen = seen.reshape(steps + 1, pairs, *seen.shape[1:]).swapaxes(0, 1)
            for space, features in spaces.items():
                result = latents.smoothness(seen, train[:500], features)
                jumps[space].append(_experiment.rounded(result.jump))
                rough[space].append(_experiment.rounded(min(result.roughness, 1e6)))
        found |= {f"jump, {name}": jumps, f"roughness, {name}": rough}
    z = gan.sample_latents(1000, seed=300 + seed)
    for name, generator in (("G", show), ("table", table)):
        verdict = metrics.memorisation(cnn.features(generator(z)), cnn.features(train), cnn.features(test))
        found[f"memorisation, {name}"] = {
            "share": _experiment.rounded(verdict.share),
            "z": _experiment.rounded(verdict.z),
            "ratio_z": _experiment.rounded(verdict.ratio_z),
            "memorised": int(verdict.memorised),
        }
    return found


def add(gan, show, cnn, seed, n, enough):
    """Success rates of arithmetic, and of its rivals."""
    from ganlib import latents

    rng = np.random.default_rng(seed)

    def drawn(n, seed):  # latents, what they show (-1: not sure), mean grey value
        z = gan.sample_latents(n, seed=seed)
        images = show(z)
        p = cnn.probabilities(images)
        return z, np.where(p.max(axis=1) >= SURE, p.argmax(axis=1), -1), images.mean(axis=(1, 2, 3))

    z, labels, grey = drawn(n, 400 + seed)
    new, new_labels, new_grey = drawn(n, 500 + seed)
    classes = [k for k in range(10) if (labels == k).sum() >= enough and (new_labels == k).sum() >= enough]
    third = {k: np.quantile(grey[labels == k], (1 / 3, 1 / 2, 2 / 3)) for k in classes}
    pairs = [(a, b) for a in classes for b in classes if a != b]

    def random(like):
        direction = rng.normal(size=like.shape)
        return latents.on_shell(direction) * np.linalg.norm(like) / np.sqrt(like.size)

    def few(k, m):
        return z[rng.choice(np.flatnonzero(labels == k), m)].mean(axis=0)

    def mean(k, chosen=True):
        return latents.mean_latent(z, (labels == k) & chosen)

    def by_class(direction):
        rates = []
        for a, b in pairs:
            start = new[new_labels == a][:30]
            moved = np.stack([x + direction(a, b) for x in start])
            rates.append((cnn.probabilities(show(latents.on_shell(moved))).argmax(axis=1) == b).mean())
        return _experiment.rounded(np.mean(rates)) if rates else 0.0

    def by_property(direction):
        rates = []
        for b, c in pairs:
            start = new[(new_labels == c) & (new_grey < third[c][0])][:30]
            if not len(start):
                continue
            moved = np.stack([x + direction(b) for x in start])
            images = show(latents.on_shell(moved))
            same = cnn.probabilities(images).argmax(axis=1) == c
            rates.append((same & (images.mean(axis=(1, 2, 3)) > third[c][1])).mean())
        return _experiment.rounded(np.mean(rates)) if rates else 0.0

    lighter = {k: mean(k, grey >= third[k][2]) - mean(k, grey <= third[k][0]) for k in classes}
    means = {k: mean(k) for k in classes}
    return {
        "classes": len(classes),
        "class": by_class(lambda a, b: means[b] - means[a]),
        "class, three": by_class(lambda a, b: few(b, 3) - few(a, 3)),
        "class, single": by_class(lambda a, b: few(b, 1) - few(a, 1)),
        "class, random": by_class(lambda a, b: random(means[b] - means[a])),
        "property": by_property(lambda b: lighter[b]),
        "property, random": by_property(lambda b: random(lighter[b])),
    }


def draw(runs, path):
    """Jumps over steps, and success rates; a mark a seed."""
    import matplotlib.figure

    from ganlib import plots

    figure = matplotlib.figure.Figure(figsize=(10, 3.6), dpi=80, layout="constrained")
    left, right = figure.subplots(1, 2)
    styles = (("G", plots.BLUE, "-o"), ("nearest", plots.ORANGE, ":s"), ("table", plots.VERMILION, "--^"))
    for name, color, style in styles:
        for run in runs:
            label = name if run is runs[0] else None
            left.plot(WALKS, run[f"jump, {name}"]["features"], style, color=color, label=label)
    left.axhline(1, color="black", linewidth=1, linestyle=":")
    left.set(xlabel="steps of the walk", ylabel="longest step, in features", yscale="log", xticks=WALKS)
    left.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    left.minorticks_off()
    left.legend()
    names = ("class", "class, three", "class, single", "class, random", "property", "property, random")
    for row, name in enumerate(names):
        color = plots.VERMILION if "random" in name else plots.BLUE
        for run, marker in zip(runs, "o^s", strict=False):
            right.plot(run[name], row, marker=marker, color=color, alpha=0.8)
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set(xlabel="success rate", xlim=(-0.03, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    plots.save_png(figure, path)


def conclude(runs):
    """The protocol's rules for claims 11 and 12."""
    from ganlib import claims

    runs = sorted(runs, key=lambda r: r["seed"])

    def jumps(name, space, steps):
        return [r[f"jump, {name}"][space][WALKS.index(steps)] for r in runs]

    def column(name):
        return [r[name] for r in runs]

    smooth = all(
        a < 0.5 and b <= 0.6 * a
        for space in SPACES
        for a, b in zip(jumps("G", space, 20), jumps("G", space, 40), strict=True)
    )
    rivals = min(x for name in ("table", "nearest") for s in SPACES for x in jumps(name, s, 20)) > 1
    told = all(r["memorisation, table"]["memorised"] > r["memorisation, G"]["memorised"] for r in runs)
    paper = {"lesson": "latent_space", "paper": "Radford et al. 2016", "reported": "not given"}
    claims.record(
        11,
        **paper,
        claim="Walks in latent space change images smoothly, without jumps between memorised ones.",
        figure="figure 4",
        measured={
            "longest of 20 steps over the distance of neighbours in the data (features), G": jumps(
                "G", "features", 20
            ),
            "the same, 40 steps": jumps("G", "features", 40),
            "the same, nearest training images, 20 steps": jumps("nearest", "features", 20),
            "the same, table of 50 images, 20 steps": jumps("table", "features", 20),
            "flagged as memorising: G": [float(r["memorisation, G"]["memorised"]) for r in runs],
            "flagged as memorising: table": [float(r["memorisation, table"]["memorised"]) for r in runs],
        },
        verdict="confirmed",
        holds=smooth and rivals and told,
    )
    classes = all(r["class"] > max(0.5, 5 * r["class, random"]) for r in runs)
    tone = all(r["property"] > 3 * r["property, random"] for r in runs)
    claims.record(
        12,
        **paper,
        claim="Arithmetic on mean latents carries meaning: success rates against random directions.",
        figure="figure 7",
        measured={
            "class a - a + b becomes b": column("class"),
            "the same, means of three": column("class, three"),
            "the same, single latents": column("class, single"),
            "the same, random directions": column("class, random"),
            "light b - dark b + dark c is a light c": column("property"),
            "the same, random directions (property)": column("property, random"),
        },
        verdict="confirmed",
        holds=classes and tone,
    )


if __name__ == "__main__":
    _experiment.main(
        "latent_space",
        protocol=__doc__,
        claims=(11, 12),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
