"""What a gradient penalty costs: a D step with it beside one without, in one run.

    python benchmarks/penalty.py

The `laptop` networks of WGAN-GP (ResNets, no norm in D) and of DCGAN (strided convolutions, batch norm in D): rounds of
20 D steps with and without, interleaved, medians of 7.
"""

import json
import statistics
import time
from pathlib import Path

import ganlib

RESULTS = Path(__file__).parent / "results" / "penalty.json"


def main() -> None:
    """Measure, print, and write benchmarks/results/penalty.json."""
    import tensorflow as tf

    report = {}
    for name, cls in (("wgan-gp", ganlib.models.WGANGP), ("dcgan", ganlib.models.DCGAN)):
        rivals = {"plain": (), "with penalty": (ganlib.penalties.GradientPenalty(),)}
        loops = {}
        for rival, penalties in rivals.items():
            gan = cls.from_preset("laptop")
            gan.tricks = list(penalties)
            gan.compile()
            images = next(iter(ganlib.data.load("fashion_mnist", resolution=32).batch(gan.batch_size)))

            @tf.function
            def step(gan=gan, images=images):
                with gan.streams.at(gan.step_counter, 0), gan.streams.scope("discriminator/0"):
                    return gan.discriminator_step(images)["discriminator_loss"]

            step()
            loops[rival] = step
        seconds = {rival: [] for rival in rivals}
        for _ in range(7):
            for rival, step in loops.items():
                start = time.perf_counter()
                for _ in range(20):
                    loss = step()
                float(loss)
                seconds[rival].append((time.perf_counter() - start) / 20)
        ratios = sorted(b / a for a, b in zip(seconds["plain"], seconds["with penalty"], strict=True))
        report[name] = {rival: round(statistics.median(times), 4) for rival, times in seconds.items()}
        report[name]["ratio"] = [round(r, 2) for r in (statistics.median(ratios), ratios[0], ratios[-1])]
        print(f"{name}: a D step with the penalty takes {report[name]['ratio'][0]} plain ones", report[name])
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
