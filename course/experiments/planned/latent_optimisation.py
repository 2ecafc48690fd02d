"""Claim 65: does optimising the latent improve fidelity and variety without new parameters?

Wu et al. 2019 (arXiv:1912.00953), figure 1: samples of like inception score, by truncation, ImageNet 128x128: FID 27.97
at 259.4 for BigGAN-deep, 8.19 at 259.9 with latents optimised by natural gradient.

Protocol, written before the runs:

- Data: the 8,000 training images of Fashion-MNIST that ship with ganlib, 32x32, grey. Model: LOGAN's preset `laptop`,
  one architecture and one number of parameters for all arms: "base", no step (SNGAN); "natural", one step of natural
  gradient; "gradient", one step along the gradient with alpha 0.9; "random", a control: a step as long as the natural
  one in a random direction, and the same penalty.
- Equal time: each arm has the time of 1,800 steps of the base. What a step costs is measured first, the arms in turn,
  three times each, on the machine of the runs; the median counts. An arm's number of steps follows from it.
- Rate of both players: of 5e-4, 1e-3 and 2e-3 the best FID after a quarter of the time, seed 100, for each arm alike.
  Everything else is the preset's.
- Seeds 0, 1, 2. Measured after a half of the time and at the end, by fashion-cnn, of 2,000 samples of the averaged G
  against the 2,000 test images: FID, inception score, precision and recall (k = 3). At the end also with the latents
  as drawn in sampling, and of the base with a step of natural gradient in sampling alone; and the mean length of Delta
  z.
- Confirmed if at the end FID of "natural" is below that of "base" for all pairs of seeds, and neither precision nor
  recall has a lower mean; refuted if it is above for all pairs; partly if it is below for all pairs but one of the
  two is lower, or if its mean FID is below by more than the larger of both standard deviations; else inconclusive. If
  "random" is as good as "natural" (its mean FID no more than one standard deviation above), a gain is not the
  direction's, and the verdict is partly at most.
"""

import functools
import statistics
import time

import _experiment
import numpy as np

ARMS = {
    "base": {"steps": 0},
    "natural": {"steps": 1},
    "gradient": {"steps": 1, "method": "gradient"},
    "random": {"steps": 1},
}
RATES, STEPS, SAMPLES, TUNING_SEED = (5e-4, 1e-3, 2e-3), 1800, 2000, 100
METRICS = ("fid", "inception_score", "precision", "recall")


def tasks(smoke, runs):
    """Speed, tuning, then the runs, seed by seed (smoke: two arms, one rate)."""
    arms, rates, seeds = (list(ARMS)[1::2], RATES[:1], range(1)) if smoke else (list(ARMS), RATES, range(3))
    plan = [{"part": "speed", "seed": seed} for seed in seeds]
    speeds = [run for run in runs if run["part"] == "speed"]
    if len(speeds) < len(plan):
        return plan
    plan += [
        {
            "part": "tuning",
            "arm": arm,
            "rate": rate,
            "steps": steps_of(arm, speeds, 0.25),
            "seed": TUNING_SEED,
        }
        for arm in arms
        for rate in rates
    ]
    if len(runs) >= len(plan):
        plan += [
            {"part": "run", "arm": a, "rate": best(runs, a), "steps": steps_of(a, speeds, 1.0), "seed": seed}
            for seed in seeds
            for a in arms
        ]
    return plan


def steps_of(arm, speeds, share):
    """Steps of an arm in that share of the time of the base's."""
    ratio = statistics.median(s[arm] for s in speeds) / statistics.median(s["base"] for s in speeds)
    return max(2, round(share * STEPS / ratio))


def best(runs, arm):
    """The tuned rate."""
    return min((r for r in runs if r["part"] == "tuning" and r["arm"] == arm), key=lambda r: r["fid"][-1])[
        "rate"
    ]


def random_direction(trick):
    """The same trick but for the direction of its steps in training, which is drawn; none in sampling."""
    import tensorflow as tf

    from ganlib.replicas import batch_size_of
    from ganlib.tricks import LatentOptimisation

    class RandomDirection(LatentOptimisation):
        """Steps as long as those up D's score, in any direction; the penalty is that of the latter."""

        def latents(self, gan, player, latents, labels):
            moved, penalty = super().latents(gan, player, latents, labels)
            drawn = gan.streams.normal("direction", [batch_size_of(latents), latents.shape[1]])
            length = tf.norm(moved - latents, axis=1, keepdims=True)
            step = length * drawn / tf.norm(drawn, axis=1, keepdims=True)
            return tf.clip_by_value(latents + step, -1.0, 1.0), penalty

    of = ("method", "step_size", "damping", "steps", "sampling_steps", "share", "weight")
    return RandomDirection(**{name: getattr(trick, name) for name in of} | {"sampling_steps": 0})


def game(arm, rate, seed, eager=False):
    """LOGAN's preset, compiled."""
    import ganlib

    gan = ganlib.models.LOGAN.from_preset("laptop", learning_rate=rate, seed=seed, **ARMS[arm])
    if arm == "random":
        gan.tricks = [random_direction(gan.tricks[0])]
    gan.compile(run_eagerly=eager)
    return gan


@functools.cache
def clothes(split):
    """Images to learn from, or to compare with."""
    import ganlib

    return ganlib.data.load("fashion_mnist", split, resolution=32)


def scores(gan, smoke):
    """FID, inception score, precision and recall."""
    from ganlib import metrics

    n = 50 if smoke else SAMPLES
    found = metrics.evaluate(gan, clothes("test"), list(METRICS), n, real_samples=n, progress=False)
    return {name: _experiment.rounded(float(found[name]), 4) for name in METRICS}


def sampled_with(gan, smoke, **settings):
    """Scores of the same weights in a model with other settings."""
    import ganlib

    other = ganlib.models.LOGAN.from_preset("laptop", **settings)
    other.ema_generator.set_weights(gan.ema_generator.get_weights())
    other.discriminator.set_weights(gan.discriminator.get_weights())
    return scores(other, smoke)


def measure_speed(smoke):
    """Seconds a step of each arm, in turn."""
    found, steps = {arm: [] for arm in ARMS}, 1 if smoke else 40
    games = {arm: game(arm, 1e-3, 0, eager=smoke) for arm in ARMS}
    for gan in games.values():
        gan.fit(clothes("train").batch(gan.batch_size), steps_per_epoch=1, verbose=0)
    for _ in range(1 if smoke else 5):
        for arm, gan in games.items():
            start = time.perf_counter()
            gan.fit(clothes("train").batch(gan.batch_size), steps_per_epoch=steps, verbose=0)
            found[arm].append((time.perf_counter() - start) / steps)
    return {arm: _experiment.rounded(statistics.median(values), 4) for arm, values in found.items()}


def measure(task, smoke):
    """One task."""
    if task["part"] == "speed":
        return measure_speed(smoke)
    arm, steps = task["arm"], 2 if smoke else task["steps"]
    gan = game(arm, task["rate"], task["seed"], eager=smoke)
    batches = clothes("train").batch(gan.batch_size)
    if task["part"] == "tuning":
        gan.fit(batches, steps_per_epoch=steps, verbose=0)
        return {"fid": [scores(gan, smoke)["fid"]]}
    found = []
    for share in (steps // 2, steps - steps // 2):
        gan.fit(batches, steps_per_epoch=share, verbose=0)
        found.append(scores(gan, smoke))
    row = {name: [moment[name] for moment in found] for name in METRICS}
    other = {"steps": 1, "sampling_steps": 1} if arm == "base" else ARMS[arm] | {"sampling_steps": 0}
    row["other_sampling"] = sampled_with(gan, smoke, **other)
    z = gan.sample_latents(500, seed=0)
    moved = gan.tricks[0].sampled_latents(gan, gan.sampler(), z, None)
    row["moved"] = _experiment.rounded(float(np.linalg.norm(moved - z, axis=1).mean()), 3)
    return row


def finals(runs, arm, name="fid"):
    """One value a seed."""
    mine = [r for r in runs if (r["part"], r.get("arm")) == ("run", arm)]
    return np.array([r[name][-1] for r in sorted(mine, key=lambda r: r["seed"])])


def verdict(runs):
    """By the protocol."""
    natural, base, drawn = (finals(runs, arm) for arm in ("natural", "base", "random"))
    kept = all(
        finals(runs, "natural", name).mean() >= finals(runs, "base", name).mean()
        for name in ("precision", "recall")
    )
    blind = drawn.mean() <= natural.mean() + natural.std()
    if max(natural) < min(base):
        return "confirmed" if kept and not blind else "partly"
    if min(natural) > max(base):
        return "refuted"
    return "partly" if base.mean() - natural.mean() > max(base.std(), natural.std()) else "inconclusive"


def draw(runs, path):
    """FID, precision and recall of each arm, a mark a seed."""
    from ganlib import plots

    figure = plots.Figure(10, 3.4)
    mine = [{**r, **{name: r[name][-1] for name in METRICS}} for r in runs if r["part"] == "run"]
    names = [arm for arm in ARMS if any(r["arm"] == arm for r in mine)]
    labels = {"fid": "FID(fashion-cnn)", "precision": "precision", "recall": "recall"}
    for axes, (key, label) in zip(figure.subplots(1, 3), labels.items(), strict=True):
        _experiment.marks(axes, mine, "arm", names, key, label)
    figure.tight_layout()
    plots.save_png(figure, path)


def conclude(runs):
    """Claim 65."""
    import ganlib

    speeds = [run for run in runs if run["part"] == "speed"]
    others = [
        [r["other_sampling"]["fid"] for r in runs if (r["part"], r.get("arm")) == ("run", arm)]
        for arm in ("natural", "base")
    ]
    ganlib.claims.record(
        65,
        lesson="latent_optimisation",
        claim="Optimising the latent improves fidelity and variety without new parameters.",
        paper="Wu et al. 2019",
        figure="figure 1",
        reported="FID 27.97 -> 8.19 at like IS (BigGAN-deep, ImageNet 128x128)",
        measured={f"{name}, {arm}": finals(runs, arm, name).tolist() for name in METRICS for arm in ARMS}
        | {
            "FID, natural, latents as drawn in sampling": others[0],
            "FID, base, a step in sampling alone": others[1],
        }
        | {f"cost of a step, {a}": [s[a] / s["base"] for s in speeds] for a in list(ARMS)[1:]},
        verdict=VERDICT,
        holds=verdict(runs) == VERDICT,
        over={f"cost of a step, {a}": "measurements" for a in list(ARMS)[1:]},
    )


VERDICT = "inconclusive"  # to be written by who looks at the numbers

if __name__ == "__main__":
    _experiment.main(
        "latent_optimisation",
        protocol=__doc__,
        claims=(65,),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
