"""Claim 20: does each of the common tricks help? One table, equal budget, three seeds.

The tricks are those of the lecture's slide, after Salimans et al. 2016 (arXiv:1606.03498), Chintala et al. 2016
("How to train a GAN"), Heusel et al. 2017 (TTUR), Shrivastava et al. 2017 (replay) and Sønderby et al. 2017
(noise). Salimans' table 3 takes ingredients away from one large model; the others give no number for their trick
alone.

Protocol, written before the runs:

- Data: the 10,000 images of Fashion-MNIST that ship with ganlib, 32x32. Networks: DCGAN's pair with 8 channels next
  to the image, batch norm in both (`_small_gan.py`); non-saturating loss, Adam with beta_1 0.5, batch 64, z normal.
- Budget: 400 updates of networks, 200 of each player. A step with k updates of D counts k + 1.
- Rate of both players: the best FID of 1e-3, 4e-3 and 1.6e-2, seed 100, without a trick. SGD for D: the best of
  0.03, 0.1 and 0.3, the same seed. Everything else has one setting, its paper's or the library's default, and is
  not tuned.
- Tricks, one at a time: targets 0.9 for real images ("one-sided smoothing"); 0.9 and 0.1 ("two-sided", as on the
  slide); 5% of labels flipped; noise of 0.1 on all that D sees, fading out over the run; z uniform; TTUR with D's
  rate twice and G's half the common one; historical averaging, weight 0.001, both players; a replay buffer of
  1,024; SGD for D; no stride in D but average pooling; the opposite of that advice, max pooling and ReLU in D;
  three steps of D for one of G (100 steps of G); no update of D while its loss is below 0.7, half of that of a D
  that knows nothing; virtual batch norm in G, 64 reference latents; dropout of 0.3 in D; minibatch discrimination
  with 16 kernels; batches of one class each. Noise on latents is not among them: z is noise, and normal noise on it
  makes a wider normal.
- Seeds 0, 1, 2; without a trick also 3, 4, 5, to know the noise.
- Measured at the end: FID(fashion-cnn) of 1,000 samples against the 10,000 images, and the mean pixel distance of
  two of 256 samples over that of the data ("diversity").
- A trick helps if all its three FIDs are below all six without a trick, hurts if all three are above, and is
  undecided otherwise. (If a trick did nothing, each would happen by chance once in 84.)
- The claim is that each helps or not, so the table is the result. Confirmed if at least one helps and at least one
  does not (undecided or hurts); refuted if all do the same.
"""

import _experiment
import numpy as np
from _small_gan import LATENT_DIM, fashion_fid, fid_of, game

WIDTH, STEPS, SAMPLES, TUNING_SEED = 8, 200, 1000, 100
RATES, SGD_RATES = (1e-3, 4e-3, 1.6e-2), (0.03, 0.1, 0.3)
TRICKS = (
    "no trick",
    "one-sided smoothing",
    "two-sided smoothing",
    "label flips",
    "instance noise",
    "uniform z",
    "TTUR",
    "historical averaging",
    "replay buffer",
    "SGD for D",
    "average pooling in D",
    "max pooling, ReLU in D",
    "3 D steps",
    "skip D below 0.7",
    "virtual batch norm in G",
    "dropout in D",
    "minibatch discrimination",
    "single-label batches",
)


def best(runs, trick, key):
    """The tuned rate of a trick, of those measured so far."""
    tuned = [r for r in runs if r["part"] == "tuning" and r["trick"] == trick]
    return min(tuned, key=lambda r: r["fid"])[key]


def tasks(smoke, runs):
    """The tuning of Adam, that of SGD, then all tricks, seed by seed (smoke: the first rate of each, two tricks)."""
    share = slice(1 if smoke else None)
    plan = [("tuning", "no trick", rate, 0.0, TUNING_SEED) for rate in RATES[share]]
    if len(runs) >= len(plan):
        rate = best(runs, "no trick", "rate")
        plan += [("tuning", "SGD for D", rate, sgd, TUNING_SEED) for sgd in SGD_RATES[share]]
        if len(runs) >= len(plan):
            sgd = best(runs, "SGD for D", "sgd_rate")
            pairs = [(t, s) for s in range(1 if smoke else 3) for t in (TRICKS[:2] if smoke else TRICKS)]
            pairs += [] if smoke else [("no trick", s) for s in (3, 4, 5)]
            plan += [("comparison", t, rate, sgd if t == "SGD for D" else 0.0, s) for t, s in pairs]
    return [dict(zip(("part", "trick", "rate", "sgd_rate", "seed"), row, strict=True)) for row in plan]


def options_of(trick, rate, sgd_rate):
    """Arguments of `game` for a trick."""
    import keras

    from ganlib import losses, tricks

    changes = {
        "one-sided smoothing": lambda: {"loss": losses.NonSaturating(label_smoothing=0.1)},
        "two-sided smoothing": lambda: {"loss": losses.NonSaturating(0.1, 0.1)},
        "label flips": lambda: {"tricks": [tricks.LabelFlipping(0.05)]},
        "instance noise": lambda: {"tricks": [tricks.InstanceNoise(0.1, decay_steps=STEPS)]},
        "uniform z": lambda: {"latent_distribution": "uniform"},
        "TTUR": lambda: {"rates": (rate / 2, 2 * rate)},
        "historical averaging": lambda: {"tricks": [tricks.HistoricalAveraging(1e-3)]},
        "replay buffer": lambda: {"tricks": [tricks.ReplayBuffer(1024)]},
        "SGD for D": lambda: {"discriminator_optimizer": keras.optimizers.SGD(sgd_rate)},
        "average pooling in D": lambda: {"parts": {"pooling": "average"}},
        "max pooling, ReLU in D": lambda: {"parts": {"pooling": "max", "slope": 0.0}},
        "3 D steps": lambda: {"n_critic": 3},
        "skip D below 0.7": lambda: {"tricks": [tricks.SkipUpdate(0.7)]},
        "virtual batch norm in G": lambda: {
            "reference": np.random.default_rng(0).normal(size=(64, LATENT_DIM))
        },
        "dropout in D": lambda: {"parts": {"dropout": 0.3}},
        "minibatch discrimination": lambda: {"parts": {"minibatch": 16}},
    }
    return {"rates": (rate, rate), **changes.get(trick, dict)()}


def measure(task, smoke):
    """One run."""
    import ganlib
    from ganlib.monitors import pairwise

    seed = task["seed"]
    data = ganlib.data.load("fashion_mnist", resolution=32, seed=seed)
    gan = game(WIDTH, seed=seed, eager=smoke, **options_of(task["trick"], task["rate"], task["sgd_rate"]))
    single = task["trick"] == "single-label batches"
    batches = ganlib.data.single_label_batches(data, gan.batch_size) if single else data.batch(gan.batch_size)
    gan.fit(batches, steps_per_epoch=1 if smoke else 2 * STEPS // (gan.n_critic + 1), verbose=0)
    real, fake = (
        x.reshape(len(x), -1).astype(float) for x in (data.to_numpy(256), gan.sample(256, seed=seed))
    )
    return {
        "fid": _experiment.rounded(fid_of(fashion_fid(), gan, 200 if smoke else SAMPLES)),
        "diversity": _experiment.rounded(pairwise(fake)[0] / pairwise(real)[0]),
    }


def table(runs):
    """Trick -> (FIDs, diversities, verdict), from the comparison."""
    rows = {}
    for trick in TRICKS:
        mine = sorted(
            (r for r in runs if r["part"] == "comparison" and r["trick"] == trick), key=lambda r: r["seed"]
        )
        if mine:
            rows[trick] = [r["fid"] for r in mine], [r["diversity"] for r in mine]
    base = rows["no trick"][0]
    return {
        trick: (
            fids,
            spread,
            "helps" if max(fids) < min(base) else "hurts" if min(fids) > max(base) else "undecided",
        )
        for trick, (fids, spread) in rows.items()
    }


def draw(runs, path):
    """FID of each trick, a mark a seed, best means first."""
    import matplotlib.figure

    from ganlib import plots

    rows = dict(sorted(table(runs).items(), key=lambda row: np.mean(row[1][0])))
    base = rows["no trick"][0]
    colors = {"helps": plots.BLUE, "hurts": plots.VERMILION, "undecided": "0.35"}
    figure = matplotlib.figure.Figure(figsize=(9, 5.4), dpi=80, layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(min(base), max(base), color="0.85", label="no trick, all seeds")
    for i, (trick, (fids, _, verdict)) in enumerate(rows.items()):
        color = plots.BLACK if trick == "no trick" else colors[verdict]
        axes.plot(fids, [i] * len(fids), "o", color=color, alpha=0.8)
        axes.annotate("" if trick == "no trick" else verdict, (max(fids), i), xytext=(8, 0), va="center",
                      textcoords="offset points", color=color, fontsize=9)  # fmt: skip
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("FID(fashion-cnn), 1,000 samples, after 400 updates; lower is better")
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
    plots.save_png(figure, path)


def conclude(runs):
    """Claim 20."""
    import ganlib

    rows = table(runs)
    verdicts = [verdict for trick, (*_, verdict) in rows.items() if trick != "no trick"]
    ganlib.claims.record(
        20,
        lesson="tricks",
        claim="The common tricks help, each alone against a tuned baseline without it.",
        paper="Chintala et al. 2016; Salimans et al. 2016",
        figure="tips 1 to 17; section 3",
        reported="not given",
        measured={
            f"FID, {trick} ({v})" if trick != "no trick" else "FID, no trick": f
            for trick, (f, _, v) in rows.items()
        },
        # The protocol's claim, "each helps or does not", is true of anything. What counts is each trick's own verdict,
        # in the names above; as a whole the tricks are no help if none is, and partly one if some are and some are not.
        verdict="partly",
        holds="helps" in verdicts and len(set(verdicts)) > 1,
    )


if __name__ == "__main__":
    _experiment.main(
        "tricks", protocol=__doc__, claims=(20,), tasks=tasks, measure=measure, draw=draw, conclude=conclude
    )
