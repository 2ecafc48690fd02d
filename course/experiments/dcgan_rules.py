"""Claims 10, 13 and 73: what each rule of DCGAN is worth at equal steps, and what its loss says about its samples.

Radford et al. 2016 (arXiv:1511.06434), section 3: strided convolutions for pooling, batch norm in both networks, no
hidden dense layers, ReLU in G with tanh at its output, leaky ReLU in D. The paper reports that this family of
networks "resulted in stable training across a range of datasets"; it gives no numbers for a broken rule.

Protocol, written before the runs:

- Data: the 10,000 images of Fashion-MNIST that ship with ganlib, 32x32.
- Networks: those of ganlib's DCGAN, preset laptop with 16 base channels (half its width), z normal of dimension 64,
  rebuilt here so that one thing at a time can differ. Adam 2e-4, beta_1 0.5, batch 64, no average of G, as in the
  paper (which has batch 128). 320 steps, 20,480 images. Seeds 0, 1, 2.
- Variants: "rules" (all kept); "pooling" (nearest-neighbour upsampling and max pooling, convolutions of stride 1);
  "no batch norm" (in neither; biases instead); "dense" (a hidden dense layer of 256 units in both); "tanh in G"
  (in all its layers); "ReLU in D"; "lecture" (leaky ReLU in G and no batch norm in D, which is what the CMU lecture's
  networks do, at the size of the others); "MLP" (dense layers of 256 and 512 units in both, batch norm in G).
- "permuted": "rules" and "MLP" again, with the pixels of all images in one fixed random order (claim 73). The order
  is undone behind G and done before D, so that samples can be scored: the same game.
- Measured after 80, 160, 240 and 320 steps, on 2,000 samples: FID(fashion-cnn) against the 10,000 images; the spread,
  the root of the total variance of the samples' features over that of the data's (1: as varied as the data; below
  0.5 is called a collapse); the losses of G and D, averaged over the 80 steps before.
- The rates are the paper's and are not tuned for any variant, broken or not: the claim is about what the paper used.
- Claim 10: a rule "helps" if at the end all three seeds of the variant that breaks it have a higher FID than all three
  of "rules"; it "hurts" in the opposite case; otherwise undecided. Confirmed if at least
  three of the five rules help and none hurts; partly if at least one helps; refuted otherwise. "lecture" and "MLP" are
  shown beside them and do not count.
- Claim 13: the rank correlation of G's loss with FID over the last moments of the unpermuted runs, and within
  each run. The curves would say when to stop if a low loss of G went with a low FID (correlation near 1).
- Claim 73: the ratio of FID with permuted pixels to FID without, for both networks, seed by seed. Confirmed if the
  MLP's ratios are within 0.7 to 1.4 and the DCGAN's all above 2.
"""

import _experiment
import numpy as np

RULES = "rules"
BROKEN = ("pooling", "no batch norm", "dense", "tanh in G", "ReLU in D")
VARIANTS = (RULES, *BROKEN, "lecture", "MLP")
STEPS, MOMENTS, SAMPLES = 320, 4, 2000
LOSSES = ("generator_loss", "discriminator_loss")
RESOLUTION, LATENT_DIM, WIDTH = 32, 64, 16


def shuffled(x, back):
    """A fixed random order of the pixels, or its inverse."""
    import keras

    order = np.random.default_rng(73).permutation(RESOLUTION**2)
    x = keras.ops.take(keras.layers.Flatten()(x), np.argsort(order) if back else order, axis=1)
    return keras.layers.Reshape((RESOLUTION, RESOLUTION, 1))(x)


def generator(variant, permuted=False):
    """Z (batch, 64) -> image (batch, 32, 32, 1)."""
    import keras
    from keras import layers

    from ganlib.models import dcgan

    normed = variant != "no batch norm"
    start = keras.initializers.RandomNormal(stddev=0.02)

    def activated(x):
        x = dcgan.batch_norm()(x) if normed else x
        rule = {"tanh in G": layers.Activation("tanh"), "lecture": layers.LeakyReLU(0.2)}
        return rule.get(variant, layers.ReLU())(x)

    def dense(x, units):
        return layers.Dense(units, use_bias=not normed, kernel_initializer=start)(x)

    def up(x, channels):
        if variant == "pooling":
            x = layers.UpSampling2D(2, interpolation="nearest")(x)
            return layers.Conv2D(channels, 4, padding="same", use_bias=False, kernel_initializer=start)(x)
        return layers.Conv2DTranspose(
            channels, 4, strides=2, padding="same", use_bias=not normed, kernel_initializer=start
        )(x)

    x = z = keras.Input((LATENT_DIM,), name="latents")
    if variant == "MLP":
        for units in (256, 512):
            x = activated(dense(x, units))
        x = layers.Reshape((RESOLUTION, RESOLUTION, 1))(dense(x, RESOLUTION**2))
    else:
        x = activated(dense(x, 256)) if variant == "dense" else x
        x = activated(layers.Reshape((4, 4, 4 * WIDTH))(dense(x, 16 * 4 * WIDTH)))
        for channels in (2 * WIDTH, WIDTH):
            x = activated(up(x, channels))
        x = up(x, 1)
    x = layers.Activation("tanh")(x)
    return keras.Model(z, shuffled(x, back=True) if permuted else x, name="generator")


def discriminator(variant, permuted=False):
    """Image (batch, 32, 32, 1) -> logit (batch, 1)."""
    import keras
    from keras import layers

    from ganlib.models import dcgan

    normed = variant not in ("no batch norm", "lecture", "MLP")
    start = keras.initializers.RandomNormal(stddev=0.02)

    def activated(x, norm):
        x = dcgan.batch_norm()(x) if norm and normed else x
        return (layers.ReLU() if variant == "ReLU in D" else layers.LeakyReLU(0.2))(x)

    def down(x, channels):
        strides = 1 if variant == "pooling" else 2
        x = layers.Conv2D(
            channels, 4, strides=strides, padding="same", use_bias=not normed, kernel_initializer=start
        )(x)
        return layers.MaxPooling2D(2)(x) if variant == "pooling" else x

    image = keras.Input((RESOLUTION, RESOLUTION, 1), name="image")
    x = shuffled(image, back=False) if permuted else image
    if variant == "MLP":
        x = layers.Flatten()(x)
        for units in (512, 256):
            x = activated(layers.Dense(units, kernel_initializer=start)(x), norm=False)
    else:
        for stage in range(3):
            x = activated(down(x, WIDTH * 2**stage), norm=stage > 0)
        x = layers.Flatten()(x)
        if variant == "dense":
            x = activated(layers.Dense(256, use_bias=False, kernel_initializer=start)(x), norm=True)
    logit = layers.Dense(1, use_bias=False, kernel_initializer=start)(x)
    return keras.Model(image, logit, name="discriminator")


def game(variant, permuted=False, seed=0):
    """Both networks, with the paper's loss and optimisers."""
    import keras

    import ganlib
    from ganlib.randomness import seeded

    with seeded(seed):
        return ganlib.GAN(
            generator(variant, permuted),
            discriminator(variant, permuted),
            loss="non_saturating",
            ema_decay=None,
            generator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8),
            discriminator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8),
            batch_size=64,
            seed=seed,
        )


def spread(features, reference):
    """The root of the total variance of features (n, d), over that of the reference's."""
    return float(np.sqrt(features.var(axis=0).sum() / reference.var(axis=0).sum()))


def tasks(smoke, runs):
    """All variants, then the permuted ones, seed by seed (smoke: two)."""
    plans = [(v, False) for v in VARIANTS] + [(v, True) for v in (RULES, "MLP")]
    if smoke:
        plans = [(RULES, False), ("MLP", True)]
    seeds = range(1 if smoke else 3)
    return [{"variant": v, "permuted": p, "seed": s} for s in seeds for v, p in plans]


def measure(task, smoke):
    """One run."""
    import keras

    import ganlib
    from ganlib.metrics import FashionFID

    steps, samples = (1, 200) if smoke else (STEPS // MOMENTS, SAMPLES)
    data = ganlib.data.load("fashion_mnist", resolution=RESOLUTION, seed=task["seed"])
    fid = FashionFID()
    known = fid.extractor.features(data.to_numpy(1000))
    gan = game(task["variant"], task["permuted"], task["seed"])
    gan.compile()
    batches, rows = data.batch(gan.batch_size), []
    for _ in range(MOMENTS):
        losses = []  # `history` has those of the last step only
        keep = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs, kept=losses: kept.append(dict(logs))
        )
        gan.fit(batches, steps_per_epoch=steps, verbose=0, callbacks=[keep])
        images = gan.sample(samples, seed=task["seed"])
        score = fid(lambda n, seed, images=images: images, samples=samples)["value"]
        means = [float(np.mean([logs[name] for logs in losses])) for name in LOSSES]
        rows.append((score, spread(fid.extractor.features(images), known), *means))
    names = ("fid", "spread", *LOSSES)
    return dict(zip(names, map(_experiment.rounded, zip(*rows, strict=True)), strict=True)) | {
        "steps": [steps * i for i in range(1, MOMENTS + 1)]
    }


def draw(runs, path):
    """Final FID and spread of each variant, a mark a seed."""
    import matplotlib.figure

    from ganlib import plots

    figure = matplotlib.figure.Figure(figsize=(9, 3.6), dpi=80, layout="constrained")
    names = list(dict.fromkeys((r["variant"], r["permuted"]) for r in runs))
    labels = [f"{variant}, permuted" if permuted else variant for variant, permuted in names]
    for axes, key in zip(figure.subplots(1, 2, sharey=True), ("fid", "spread"), strict=True):
        for run in runs:
            row = names.index((run["variant"], run["permuted"]))
            color = "#0072B2" if row == 0 else "#D55E00"
            axes.plot(run[key][-1], row, marker="o^s"[run["seed"] % 3], color=color, alpha=0.8)
        axes.grid(alpha=0.3)
    figure.axes[0].set_yticks(range(len(names)), labels)
    figure.axes[0].invert_yaxis()
    figure.axes[0].set_xlabel("FID(fashion-cnn), 2,000 samples; lower is better")
    figure.axes[1].set_xlabel("spread of features; the data have 1")
    figure.axes[1].axvline(0.5, color="black", linewidth=1, linestyle=":")
    plots.save_png(figure, path)


def last(runs, key, variant, permuted=False):
    """What a variant ended with, one value a seed."""
    rows = [r for r in runs if (r["variant"], r["permuted"]) == (variant, permuted)]
    return [r[key][-1] for r in sorted(rows, key=lambda r: r["seed"])]


def conclude(runs):
    """The protocol's rules for claims 10, 13 and 73."""
    from scipy.stats import spearmanr

    from ganlib import claims

    fid = {variant: last(runs, "fid", variant) for variant in VARIANTS}
    helps = [v for v in BROKEN if min(fid[v]) > max(fid[RULES])]
    hurts = [v for v in BROKEN if max(fid[v]) < min(fid[RULES])]
    ten = "confirmed" if len(helps) >= 3 and not hurts else "partly" if helps else "refuted"
    paper = {"lesson": "dcgan_rules", "paper": "Radford et al. 2016"}
    claims.record(
        10,
        **paper,
        claim="DCGAN's rules, each broken alone, make training stable: FID at equal steps.",
        figure="section 3",
        reported="not given",
        measured={"FID(fashion-cnn), all rules kept": fid[RULES]} | {f"broken: {v}": fid[v] for v in BROKEN},
        verdict="partly",
        holds=ten == "partly",
    )
    seeds = sorted({r["seed"] for r in runs})
    rows = [r for r in runs if not r["permuted"]]

    def between(key, s):  # the variants' last moments
        return float(
            spearmanr(*zip(*((r[key][-1], r["fid"][-1]) for r in rows if r["seed"] == s), strict=True))[0]
        )

    def within(s):  # a run's four moments; the mean over variants
        return float(np.mean([spearmanr(r["generator_loss"], r["fid"])[0] for r in rows if r["seed"] == s]))

    among, along = [between("generator_loss", s) for s in seeds], [within(s) for s in seeds]
    claims.record(
        13,
        lesson="dcgan_rules",
        claim="The loss curves of G and D do not say when to stop: rank correlation with FID.",
        paper='lecture "GAN III", CMU 11-695 (2020)',
        figure="bag of tricks",
        reported="not given",
        measured={
            "G's loss with FID, among eight networks": among,
            "D's loss with FID, among eight networks": [between("discriminator_loss", s) for s in seeds],
            "G's loss with FID, along a run": along,
        },
        verdict="confirmed",
        holds=max(among) < 0.5 and max(along) < 0,
    )
    ratio = {
        v: [p / q for p, q in zip(last(runs, "fid", v, permuted=True), fid[v], strict=True)]
        for v in (RULES, "MLP")
    }
    blind = all(0.7 < r < 1.4 for r in ratio["MLP"])
    claims.record(
        73,
        lesson="dcgan_rules",
        claim="An MLP ignores spatial structure: permuted pixels leave it as it is, and spoil the DCGAN.",
        paper='lecture "(Big)GANs", DeepMind',
        figure="from MLPs to DCGAN",
        reported="not given",
        measured={
            "FID with permuted pixels over FID without, MLP": ratio["MLP"],
            "the same, DCGAN": ratio[RULES],
        },
        verdict="partly",
        holds=blind and min(ratio[RULES]) > 1.2 and not min(ratio[RULES]) > 2,
    )


if __name__ == "__main__":
    _experiment.main(
        "dcgan_rules",
        protocol=__doc__,
        claims=(10, 13, 73),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
