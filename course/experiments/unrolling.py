"""Claim 9: on a ring of Gaussians a GAN rotates through the modes; unrolling D covers them all and converges.

Metz et al. 2017 (arXiv:1611.02163), figure 2 and appendix A: 10 unrolling steps spread to all eight modes and
converge; without, G rotates through the modes, one at a time. The authors answer a reader who could not reproduce the
collapse that it depends on a huge number of factors (issue 2 of poolio/unrolled_gan).

Protocol, written before the runs of this file, after a look at seed 0 with some of the rates (k = 5 covered all modes
after 1,050 steps with (1e-3, 1e-3), and neither with (1e-3, 1e-4) nor with (1e-4, 1e-3) after 1,500):

- Data: the paper's ring, 8 Gaussians, radius 2, sigma 0.02. Model: ganlib's UnrolledGAN, preset points_2d (the paper's
  networks, Adam, beta_1 0.5), batch 256, with k = 0 (no unrolling, the minimax game) and k = 5 (the laptop's; the
  paper's 10 takes twice as long).
- Cost: a gradient of D or G counts 1, one through an unrolled step of D one more: a step costs 2 + 2k.
- Tuning, the same for both k: rates (G, D) in (1e-3, 1e-4), which are the authors', (1e-4, 1e-4), the appendix's, and
  (1e-3, 1e-3); seed 100; cost 9,000. The chosen pair has the most modes plus quality, averaged over the second
  half of the moments.
- Comparison: each k with the chosen pair, and k = 0 also with the authors' pair; seeds 0, 1, 2; k = 5 for 1,500
  steps (cost 18,000), k = 0 for 9,000 steps (cost 18,000); measured at twenty moments evenly spaced in cost, so that
  the first 1,500 steps of k = 0 lie at the first moments.
- Measured, on 2,000 samples: modes (at least a tenth of their share of the samples is within 0.2 of the centre),
  quality (share of samples within 0.2 of some centre), turnover (half the summed change of the modes' shares between
  moments: 1 if all samples have gone elsewhere).
- Claim 9 is confirmed if k = 5 has more modes in its last moment than k = 0 in its own, in all seeds, at equal steps
  and at equal cost; partly, if only with the authors' pair; refuted, if k = 0 has as many at equal cost with both.
"""

import _experiment
import numpy as np

KS = (0, 5)
AUTHORS = (1e-3, 1e-4)
RATES = (AUTHORS, (1e-4, 1e-4), (1e-3, 1e-3))  # of G, of D
NEAR, MOMENTS = 0.2, 20
CENTERS = 2 * np.stack([f(np.pi / 4 * np.arange(8)) for f in (np.cos, np.sin)], axis=1)


def shares_of(points):
    """The share of all points that are near each mode."""
    distances = np.linalg.norm(points[:, None] - CENTERS, axis=-1)
    near = distances.min(axis=1) < NEAR
    return np.bincount(distances.argmin(axis=1)[near], minlength=8) / len(points)


def tasks(smoke, runs):
    """The tuning of both k; then the chosen pairs, and the authors' for k = 0, seed by seed."""
    rates = RATES[:1] if smoke else RATES
    tuning = [
        {"part": "tuning", "k": k, "generator_rate": g, "discriminator_rate": d, "seed": 100}
        for k in KS
        for g, d in rates
    ]
    if len(runs) < len(tuning):
        return tuning
    arms = [(k, chosen(runs, k)) for k in KS]
    if (0, AUTHORS) not in arms:
        arms.append((0, AUTHORS))
    return tuning + [
        {"part": "comparison", "k": k, "generator_rate": g, "discriminator_rate": d, "seed": seed}
        for seed in range(1 if smoke else 3)
        for k, (g, d) in arms
    ]


def chosen(runs, k):
    """The tuned rates (G, D) of this k."""
    best = max((r for r in runs if r["part"] == "tuning" and r["k"] == k), key=lambda r: r["score"])
    return best["generator_rate"], best["discriminator_rate"]


def measure(task, smoke):
    """One run of UnrolledGAN on the ring."""
    import ganlib
    from ganlib.models.unrolled_gan import UnrolledGAN

    k, seed = task["k"], task["seed"]
    number, n = (2, 100) if smoke else (MOMENTS, 2000)
    cost = 2 * (2 + 2 * k) if smoke else {"tuning": 9000, "comparison": 18000}[task["part"]]
    steps = cost // (2 + 2 * k) // number
    gan = UnrolledGAN.from_preset(
        "points_2d",
        unrolling_steps=k,
        generator_learning_rate=task["generator_rate"],
        discriminator_learning_rate=task["discriminator_rate"],
        batch_size=256,
        seed=seed,
    )
    gan.compile(run_eagerly=smoke, steps_per_execution=1 if k or smoke else steps)
    batches = ganlib.data.load("gaussians_ring", seed=seed).batch(gan.batch_size)
    shares = []
    for _ in range(number):
        gan.fit(batches, steps_per_epoch=steps, verbose=0)
        shares.append(shares_of(gan.sample(n, seed=seed)))
    shares = np.array(shares)
    return {
        "steps": (steps * np.arange(1, number + 1)).tolist(),
        "cost": ((2 + 2 * k) * steps * np.arange(1, number + 1)).tolist(),
        "modes": (shares >= 1 / 80).sum(axis=1).tolist(),
        "quality": _experiment.rounded(shares.sum(axis=1), 3),
        "turnover": _experiment.rounded(np.abs(np.diff(shares, axis=0)).sum(axis=1) / 2, 3),
        "score": _experiment.rounded(
            ((shares >= 1 / 80).sum(axis=1) + shares.sum(axis=1))[number // 2 :].mean()
        ),
    }


def draw(runs, path):
    """Modes and quality over cost, a line a seed."""
    import matplotlib.figure

    from ganlib import plots

    figure = matplotlib.figure.Figure(figsize=(10, 3.4), dpi=80, layout="constrained")
    rows = [r for r in runs if r["part"] == "comparison"]
    arms = sorted({(r["k"], r["generator_rate"], r["discriminator_rate"]) for r in rows})
    looks = ((plots.VERMILION, "-"), (plots.ORANGE, ":"), (plots.BLUE, "--"))
    styles = dict(zip(arms, looks if len(arms) == 3 else looks[::2], strict=False))
    panels = ("modes", "modes of 8"), ("quality", "share within 0.2 of a mode")
    for axes, (key, label) in zip(figure.subplots(1, 2), panels, strict=True):
        for run in rows:
            arm = (run["k"], run["generator_rate"], run["discriminator_rate"])
            color, dash = styles[arm]
            name = f"k = {arm[0]}, rates {arm[1]:g}, {arm[2]:g}" if run["seed"] == 0 else None
            axes.plot(run["cost"], run[key], color=color, linestyle=dash, label=name)
        axes.set(xlabel="cost (gradients)", ylabel=label)
        axes.grid(alpha=0.3)
    figure.axes[1].legend(fontsize=8)
    plots.save_png(figure, path)


def conclude(runs):
    """Into the ledger. Equal steps: the better of the moments of k = 0 before and after the last step of k = 5."""
    from ganlib import claims

    arms = {
        "k = 0": (0, chosen(runs, 0)),
        "k = 0, the authors' rates": (0, AUTHORS),
        "k = 5": (5, chosen(runs, 5)),
    }
    rows = {
        name: [
            r
            for r in runs
            if r["part"] == "comparison" and (r["k"], (r["generator_rate"], r["discriminator_rate"])) == arm
        ]
        for name, arm in arms.items()
    }
    unrolled, without = rows["k = 5"], [rows["k = 0"], rows["k = 0, the authors' rates"]]
    last = {name: [r["modes"][-1] for r in of_arm] for name, of_arm in rows.items()}
    steps = unrolled[0]["steps"][-1]
    after = int(np.searchsorted(rows["k = 0"][0]["steps"], steps))
    early = {
        name: [max(r["modes"][after - 1 : after + 1]) for r in of_arm]
        for name, of_arm in rows.items()
        if name != "k = 5"
    }
    claims.record(
        9,
        lesson="unrolling",
        claim="On a ring of Gaussians a GAN rotates through the modes; unrolling D covers them all and converges.",
        paper="Metz et al. 2017",
        figure="figure 2",
        reported="all 8 modes with 10 steps, 1 at a time without",
        measured={
            **{f"modes of {name}, equal cost": values for name, values in last.items()},
            **{f"modes of {name}, equal steps": values for name, values in early.items()},
            **{
                f"turnover between moments, {name}": _experiment.rounded(
                    [np.mean(r["turnover"][MOMENTS // 2 :]) for r in of_arm]
                )
                for name, of_arm in rows.items()
            },
            **{
                f"share within 0.2 of a mode, {name}": [r["quality"][-1] for r in of_arm]
                for name, of_arm in rows.items()
            },
        },
        # The protocol's rule says confirmed. It does not ask for "and converges", which is not seen, and counts modes
        # as a circle through them has them, too (mode_counts): so no more than partly.
        verdict="partly",
        holds=all(
            r["modes"][-1] > max(plain["modes"][-1], *plain["modes"][after - 1 : after + 1])
            for of_arm in without
            for r, plain in zip(unrolled, of_arm, strict=True)
        ),
    )


if __name__ == "__main__":
    _experiment.main(
        "unrolling", protocol=__doc__, claims=(9,), tasks=tasks, measure=measure, draw=draw, conclude=conclude
    )
