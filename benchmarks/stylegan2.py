"""StyleGAN2's step beside the authors' PyTorch code and the matrix peak, and one step at 1024x1024.

    python benchmarks/stylegan2.py --official CHECKOUT [--peer-python PATH]      (their stylegan2-ada-pytorch)
    python benchmarks/stylegan2.py --paper                                       (config F at 1024x1024, batch 1)

Speed: 32x32 colour, channel base 2048, at most 128 channels, z = w = 128, 8 mapping layers, batch 32. The main step is
D's update and G's, without R1 and path length; "with lazy terms" is the mean of 16 steps, of which one has R1 and four
have the path length. `gan.fit` runs here, the authors' losses and networks (`StyleGAN2Loss.accumulate_gradients`, Adam
of PyTorch) in a process of their own, on images in memory. Their custom kernels need a GPU; on a CPU the code itself
falls back to its reference operations, which is what is measured. Rounds are interleaved; a ratio is of one round, and
the median of the rounds is reported with the least and the largest.

The same in both, checked before anything is timed: the number of parameters, and, with the authors' initial weights
loaded by `ganlib.convert`, images without noise and logits (to 1e-4 of the largest).

Not the same: `fit` moves G's average and writes logs, the loop does not; Adam's epsilon (inside or outside of the
correction); the authors' loop sums up statistics of the losses.

GFLOP/s count convolutions and matrix products of the traced main step, as TensorFlow's profiler counts them, and
nothing element-wise. The peak is a product of two 1536x1536 matrices of float32 in the same rounds.

At 1024x1024 one step with all of config F's weights, lazy terms included, is run once, and the process's peak of
resident memory is printed.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beside import (
    SIDE,
    Official,
    add,
    answer,
    counts,
    fitted,
    flops,
    interleaved,
    medians,
    own_output,
    product,
    rates,
    ratio,
    require_same,
    shares,
)

RESULTS = Path(__file__).parent / "results" / "stylegan2.json"
SIZES = {"resolution": 32, "channel_base": 2048, "channel_max": 128, "latent_dim": 128, "w_dim": 128}
SIZES |= {"mapping_depth": 8, "batch_size": 32}
LAZY = 16
OURS, LAZILY, THEIRS, PEAK = "main step", "with lazy terms", "authors' main step", "peak"


def main() -> None:
    """Measure, print, and write benchmarks/results/stylegan2.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--official", type=Path, help="a checkout of the authors' PyTorch code")
    parser.add_argument("--peer-python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--paper", action="store_true", help="run one step of config F at 1024x1024 instead")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        serve(arguments.official, arguments.worker)
    elif arguments.paper:
        add(RESULTS, "config F, 1024x1024, batch 1", paper())
    else:
        add(RESULTS, "32x32", speed(arguments))


# --------------------------------------------------------------------------------------------------------- speed


def speed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a step of all rivals, and ratios."""
    import ganlib

    gan = ganlib.models.StyleGAN2(**SIZES)
    main_only = ganlib.models.StyleGAN2(**SIZES, path_weight=0.0, r1_every=10**9)
    rivals = {PEAK: product(), OURS: fitted(main_only, 8), LAZILY: fitted(gan, LAZY)}
    with tempfile.TemporaryDirectory() as folder:
        worker = None
        if arguments.official:
            worker = Official(__file__, arguments, Path(folder))
            rivals[THEIRS] = worker.milliseconds
            require_same(ganlib.models.StyleGAN2(**SIZES), Path(folder), seen)
        times = interleaved(rivals, arguments.rounds)
        if worker:
            worker.close()
    work = flops(main_only)
    found: dict[str, Any] = {
        "sizes": SIZES,
        "parameters": counts(gan),
        "gflop_a_main_step": round(work / 1e9, 2),
    }
    found["milliseconds"] = medians(times)
    found["gflops"], found["peak_gflops"] = rates(work, times[OURS]), rates(2 * SIDE**3, times[PEAK])
    found["of_peak"] = shares(work, times[OURS], 2 * SIDE**3, times[PEAK])
    found["lazy / main"] = ratio(times, LAZILY, OURS)
    if worker:
        found["theirs / ours"] = ratio(times, THEIRS, OURS)
    return found


# --------------------------------------------------------------------------------------------- the authors' code


def seen(gan: Any, example: dict[str, Any]) -> dict[str, Any]:
    """Images without noise, and logits."""
    images = gan.generator.synthesis(gan.generator.styles(example["latents"]), noise=()).numpy()
    logits = gan.discriminator(example["images"].transpose(0, 2, 3, 1)).numpy()
    return {"images": images.transpose(0, 3, 1, 2), "logits": logits}


def serve(official: Path, folder: Path) -> None:
    """Be the authors' code: a main step for each line that comes in."""
    answers = own_output()
    sys.path.insert(0, str(official))
    import numpy as np
    import torch
    from training.loss import StyleGAN2Loss
    from training.networks import Discriminator, Generator

    torch.manual_seed(0)
    channels = {"channel_base": SIZES["channel_base"], "channel_max": SIZES["channel_max"], "num_fp16_res": 0}
    shape = {"c_dim": 0, "img_resolution": SIZES["resolution"], "img_channels": 3}
    mapping = {"num_layers": SIZES["mapping_depth"]}
    generator = Generator(
        z_dim=SIZES["latent_dim"],
        w_dim=SIZES["w_dim"],
        mapping_kwargs=mapping,
        synthesis_kwargs=channels,
        **shape,
    )
    players = {"generator": generator, "discriminator": Discriminator(**channels, **shape)}
    latents = torch.randn(4, SIZES["latent_dim"])
    with torch.no_grad():
        images = generator.eval()(latents, None, noise_mode="none")
        logits = players["discriminator"].eval()(images, None)
    np.savez(folder / "example.npz", latents=latents.numpy(), images=images.numpy(), logits=logits.numpy())
    named = {
        f"{name[0].upper()}.{key}": value
        for name, n in players.items()
        for key, value in n.state_dict().items()
    }
    np.savez(folder / "weights.npz", **{key: value.numpy() for key, value in named.items()})
    sizes = {name: sum(p.numel() for p in network.parameters()) for name, network in players.items()}
    folder.joinpath("counts.json").write_text(json.dumps(sizes))
    answer(main_step(StyleGAN2Loss, players), answers)


def main_step(loss_of: Callable, players: dict[str, Any]) -> Callable[[], None]:
    """D's update, then G's, as the authors' training loop makes them."""
    import torch

    generator, discriminator = players["generator"].train(), players["discriminator"].train()
    loss = loss_of("cpu", generator.mapping, generator.synthesis, discriminator)
    optimizers = {
        n: torch.optim.Adam(p.parameters(), lr=2e-3, betas=(0.0, 0.99), eps=1e-8) for n, p in players.items()
    }
    size = SIZES["batch_size"]
    real, none = torch.rand(size, 3, SIZES["resolution"], SIZES["resolution"]) * 2 - 1, torch.zeros(size, 0)

    def step():
        for phase, name in (("Gmain", "generator"), ("Dmain", "discriminator")):
            for other, network in players.items():
                network.requires_grad_(other == name)
            optimizers[name].zero_grad(set_to_none=True)
            z = torch.randn(size, SIZES["latent_dim"])
            loss.accumulate_gradients(phase, real, none, z, none, sync=True, gain=1)
            optimizers[name].step()

    return step


# ------------------------------------------------------------------------------------------------ the paper's size


def paper() -> dict[str, Any]:
    """One step of config F at 1024x1024, batch 1: seconds, and the peak of memory."""
    import numpy as np
    import tensorflow as tf

    import ganlib

    gan = ganlib.models.StyleGAN2.from_preset("ffhq_1024_f", batch_size=1)
    gan.compile()
    data = tf.data.Dataset.from_tensors(np.zeros((1, *gan.image_shape), np.float32)).repeat()
    start = time.perf_counter()
    history = gan.fit(data, steps_per_epoch=1, verbose=0).history
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "parameters": counts(gan),
        "seconds": round(time.perf_counter() - start),
        "peak_gib": round(peak, 1),
        "logs": {name: float(f"{values[-1]:.4g}") for name, values in history.items()},
    }


if __name__ == "__main__":
    main()
