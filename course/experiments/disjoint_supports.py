"""Claim 8: Jensen-Shannon finds disjoint supports equally far at any distance, Wasserstein does not.

Arjovsky et al. 2017 (WGAN, arXiv:1701.07875), example 1, and Arjovsky & Bottou 2017 (arXiv:1701.04862), section 2:
between two distributions without common support JS = log 2 and KL = infinity at every distance; W1 is the distance.

Protocol, written before the runs:

- Data: the uniform distribution on [0, 0.2]; a generator: the same, shifted by s. Exact: JS = min(|s|/0.2, 1) log 2,
  KL infinite in both directions for s other than 0, W1 = |s|.
- Part "estimates", shifts 0.05, 0.1, 0.2, 0.5, 1, 2, 4, seeds 0, 1, 2, from 2,000 points of each: JS from a network
  (two layers of 64 leaky ReLUs, Adam 5e-3, 600 steps of 256 points: (log 4 + V) / 2 on the other points, a lower
  bound); W1 from the same network with the Wasserstein loss and a gradient penalty of weight 10, and from sorted
  points.
- Part "game": G has one number, its shift, and starts at 2; the data are at 0. Each of three games has D's five
  updates a step, 200 steps, SGD for G with a rate chosen from {0.01, 0.03, 0.1, 0.3, 1, 3} on seed 100 for the
  smallest mean |shift| over the last quarter; then seeds 0, 1, 2. Games: minimax, non-saturating, Wasserstein with
  penalty. D: Adam 1e-3. Expected: minimax does not arrive with any rate, Wasserstein does. The non-saturating
  game is not a function of JS alone; nothing is expected of it.
- The penalty is one-sided, max(0, |slope| - 1)^2. A first run of this file had the two-sided one, and with one of three
  seeds the critic sloped the wrong way for good: on one coordinate a slope can turn only through 0, which that penalty
  forbids. Everything was then run anew.
- Claim 8 is confirmed if the estimated JS of all shifts of 0.2 and more is within 0.02 of log 2, and the sorted
  W1 within 0.02 of the shift.
"""

import math

import _experiment
import numpy as np

WIDTH, BATCH, SHIFT = 0.2, 256, 2.0
SHIFTS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
GAMES = ("minimax", "non_saturating", "wasserstein")
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


def network(seed):
    """One coordinate in, one logit out."""
    import keras

    from ganlib.randomness import seeded

    with seeded(seed):
        hidden = [keras.layers.Dense(64, activation="leaky_relu") for _ in range(2)]
        return keras.Sequential([keras.Input((1,)), *hidden, keras.layers.Dense(1)])


def trainer(discriminator, game, rate, seed):
    """(first, last, shift) -> None: trains D between these iterations against the shifted data."""
    import keras
    import tensorflow as tf

    import ganlib

    loss = ganlib.losses.get(game)
    optimizer = keras.optimizers.Adam(rate, beta_1=0.5)
    optimizer.build(discriminator.trainable_variables)

    @tf.function
    def train(first, last, shift):
        for i in tf.range(first, last):
            u = WIDTH * tf.random.stateless_uniform([2, BATCH, 1], [seed, i])
            real, fake = u[0], u[1] + shift
            with tf.GradientTape() as tape:
                value = tf.add_n(loss.discriminator(discriminator(real), discriminator(fake)))
                if game == "wasserstein":
                    a = tf.random.stateless_uniform([BATCH, 1], [seed + 7, i])
                    x = a * real + (1 - a) * fake
                    with tf.GradientTape() as inner:
                        inner.watch(x)
                        score = discriminator(x)
                    value += 10 * tf.reduce_mean(tf.nn.relu(tf.abs(inner.gradient(score, x)) - 1) ** 2)
            variables = discriminator.trainable_variables
            optimizer.apply(tape.gradient(value, variables), variables)

    return lambda first, last, shift: train(tf.constant(first), tf.constant(last), tf.constant(shift))


def tasks(smoke, runs):
    """Estimates; the tuning of each game; then each game with its rate."""
    seeds = range(1 if smoke else 3)
    rates = RATES[:1] if smoke else RATES
    first = [
        {"part": "estimates", "shift": s, "seed": seed}
        for seed in seeds
        for s in (SHIFTS[:1] if smoke else SHIFTS)
    ]
    first += [{"part": "tuning", "game": g, "rate": r, "seed": 100} for g in GAMES for r in rates]
    if len(runs) < len(first):
        return first
    chosen = {
        g: min((r for r in runs if r["part"] == "tuning" and r["game"] == g), key=lambda r: r["end"])["rate"]
        for g in GAMES
    }
    return first + [{"part": "game", "game": g, "rate": chosen[g], "seed": s} for s in seeds for g in GAMES]


def measure(task, smoke):
    """One shift estimated, or one game."""
    return estimates(task, smoke) if task["part"] == "estimates" else play(task, smoke)


def estimates(task, smoke):
    """JS by a network, W1 by a critic and by sorting."""
    import tensorflow as tf

    import ganlib

    seed, shift, steps = task["seed"], task["shift"], 2 if smoke else 600
    points = WIDTH * tf.random.stateless_uniform([2, 2000, 1], [seed + 50, 0])
    real, fake = points[0], points[1] + shift
    values = {}
    for game in ("minimax", "wasserstein"):
        judge = network(seed)
        trainer(judge, game, 5e-3, seed)(0, steps, shift)
        terms = ganlib.losses.get(game).discriminator(judge(real), judge(fake))
        values[game] = -float(tf.add_n(terms))
    gaps = np.sort(real.numpy()[:, 0]) - np.sort(fake.numpy()[:, 0])
    found = {
        "js": (math.log(4) + values["minimax"]) / 2,
        "w1_critic": values["wasserstein"],
        "w1_sorted": np.abs(gaps).mean(),
    }
    return {name: _experiment.rounded(value) for name, value in found.items()}


def play(task, smoke):
    """A generator of one number."""
    import tensorflow as tf

    import ganlib

    seed, steps, loss = task["seed"], 2 if smoke else 200, ganlib.losses.get(task["game"])
    judge = network(seed)
    train = trainer(judge, task["game"], 1e-3, seed)
    slope_at = tf.function(lambda shift, i: _slope(judge, loss, shift, [seed + 9, i]))
    shift, path = SHIFT, []
    for i in range(steps):
        train(5 * i, 5 * i + 5, shift)
        shift -= task["rate"] * float(slope_at(tf.constant(shift), tf.constant(i)))
        shift = float(np.clip(shift, -10, 10))
        path.append(shift)
    end = float(np.abs(path[-max(1, steps // 4) :]).mean())
    return {"path": _experiment.rounded(path[::5], 4), "end": _experiment.rounded(end)}


def _slope(judge, loss, shift, key):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(shift)
        value = loss.generator(judge(WIDTH * tf.random.stateless_uniform([BATCH, 1], key) + shift))
    return tape.gradient(value, shift)


def draw(runs, path):
    """JS and W1 over the shift, and G's way to the data."""
    import matplotlib.figure

    from ganlib import plots

    figure = matplotlib.figure.Figure(figsize=(11, 3.4), dpi=80, layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    s = np.linspace(0, 4, 401)
    exact = {"js": np.minimum(s / WIDTH, 1) * math.log(2), "w1_sorted": s}
    marks = {
        "js": (left, "JS (nats)", "D"),
        "w1_sorted": (middle, "W1", "sorted"),
        "w1_critic": (middle, "W1", "critic"),
    }
    for key, (axes, label, name) in marks.items():
        rows = [r for r in runs if r["part"] == "estimates"]
        mark, color = ("^", plots.VERMILION) if key == "w1_critic" else ("o", plots.BLUE)
        axes.plot([r["shift"] for r in rows], [r[key] for r in rows], mark, color=color, label=name)
        axes.set(xlabel="shift", ylabel=label)
    for axes, key in ((left, "js"), (middle, "w1_sorted")):
        axes.plot(s, exact[key], color=plots.BLACK, linewidth=1, label="exact")
        axes.legend(fontsize=8)
    styles = dict(zip(GAMES, ((plots.VERMILION, "-"), (plots.ORANGE, "--"), (plots.BLUE, "-.")), strict=True))
    for run in (r for r in runs if r["part"] == "game"):
        color, dash = styles[run["game"]]
        steps = 5 * np.arange(len(run["path"])) + 1
        right.plot(
            steps, run["path"], color=color, linestyle=dash, label=run["game"] if run["seed"] == 0 else None
        )
    right.set(xlabel="step of G", ylabel="shift of G (data: 0)")
    right.legend(fontsize=8)
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
    plots.save_png(figure, path)


def conclude(runs):
    """Into the ledger."""
    from ganlib import claims

    seeds = sorted({r["seed"] for r in runs if r["part"] == "estimates"})
    apart = [
        [r for r in runs if r["part"] == "estimates" and r["seed"] == s and r["shift"] >= WIDTH]
        for s in seeds
    ]
    js = [min(r["js"] for r in rows) for rows in apart]
    gaps = [max(abs(r["w1_sorted"] - r["shift"]) for r in rows) for rows in apart]
    ends = {g: [r["end"] for r in runs if r["part"] == "game" and r["game"] == g] for g in GAMES}
    claims.record(
        8,
        lesson="disjoint_supports",
        claim="JS finds disjoint supports equally far at any distance and KL infinitely; Wasserstein does not.",
        paper="Arjovsky et al. 2017",
        figure="example 1",
        reported="proved",
        measured={
            "estimated JS, least over shifts of 0.2 to 4": js,
            "|W1 of sorted points - shift|, most": _experiment.rounded(gaps),
            **{f"mean |shift| at the end, {game}": values for game, values in ends.items()},
        },
        verdict="confirmed",
        holds=max(abs(value - math.log(2)) for value in js) < 0.02 and max(gaps) < 0.02,
    )


if __name__ == "__main__":
    _experiment.main(
        "disjoint_supports",
        protocol=__doc__,
        claims=(8,),
        tasks=tasks,
        measure=measure,
        draw=draw,
        conclude=conclude,
    )
