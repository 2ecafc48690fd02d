"""Train, shrink and measure the models that ship with ganlib: `python -m ganlib.zoo.train NAME`.

Trains a preset from scratch on data that ganlib holds or draws (at most 100 minutes on two cores, the flagship 6 hours;
Ctrl-C saves, the same command goes on), writes the weights as float16, measures *those* on images that were not trained
on, and writes scores, samples and the card beside the weights. `measure` is also what the test of the cards calls.
"""

import argparse
import json
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from matplotlib.figure import Figure

from ganlib import checkpoints, data, metrics, models, plots, weights
from ganlib.callbacks import Checkpoint, ProgressBar, SampleGrid
from ganlib.data.faces import FACTORS
from ganlib.engine import Engine
from ganlib.errors import InputError
from ganlib.files import write_atomically, write_json

FASHION, FACES = "fashion_32_zoo", "faces_64_zoo"
SAMPLES, FACE_SAMPLES = 2_000, 10_000

Scores = dict[str, tuple[float, float]]


class Recipe(NamedTuple):
    """What a model of the zoo was made by.

    Attributes:
        model: Its class.
        preset: The preset that says everything else about the networks and the optimisers.
        images: How many real images (or pairs) the players see.
        load: (split, seed) -> data set.
        measure: Model -> name of a metric -> (value, standard error or allowed difference).
        failures: What it is known to do badly.
    """

    model: type[Engine]
    preset: str
    images: int
    load: Callable[[str, int], Any]
    measure: Callable[[Engine], Scores]
    failures: str


def recipes() -> dict[str, Recipe]:
    """Every model of the zoo, by its name on the command line."""
    rows: dict[str, tuple] = {
        "dcgan": (models.DCGAN, FASHION, 600_000, clothes, quality, _DCGAN),
        "sngan": (models.SNGAN, FASHION, 350_000, clothes, quality, _SNGAN),
        "projection-gan": (models.ProjectionGAN, FASHION, 150_000, clothes, conditional_quality, _PROJECTION),
        "pix2pix": (models.Pix2Pix, FASHION, 200_000, edges, translation_quality, _PIX2PIX),
    }
    return {name: Recipe(*row) for name, row in rows.items()}


def clothes(split: str, seed: int) -> data.ImageDataset:
    """The embedded Fashion-MNIST at 32x32, with labels."""
    return data.load("fashion_mnist", split, resolution=32, seed=seed, labels=True)


def faces(split: str, seed: int) -> data.ImageDataset:
    """Faces at 64x64, drawn for ever; 10,000 to compare with."""
    size = {"size": FACE_SAMPLES} if split == "test" else {}
    return data.load("faces", split, resolution=64, seed=seed, **size)


def edges(split: str, seed: int) -> data.PairDataset:
    """Edges of the same images, and the images."""
    return data.paired("edges_to_fashion", split, resolution=32, seed=seed)


def quality(gan: Engine) -> Scores:
    """FID(fashion-cnn), precision and recall of 2,000 samples against the 2,000 test images."""
    names = ["fid", "precision", "recall"]
    return with_errors(metrics.evaluate(gan, clothes("test", 0), names, SAMPLES, progress=False))


def face_quality(gan: Engine) -> Scores:
    """FID(faces-cnn), precision and recall of 10,000 samples against 10,000 faces, and the rarest value of any factor.

    That is the smallest share of the samples in which faces-cnn reads one of the 65 values.
    """
    names = ["fid", "precision", "recall"]
    found = with_errors(metrics.evaluate(gan, faces("test", 0), names, FACE_SAMPLES, progress=False))
    return {**found, "rarest value": share(min(factor_shares(gan).values()), FACE_SAMPLES)}


def factor_shares(gan: Engine) -> dict[str, float]:
    """Share of 10,000 samples in which faces-cnn reads each value, by "factor: value"."""
    read = metrics.read_factors(gan.sample(FACE_SAMPLES, seed=0))
    return {
        f"{factor}: {value}": float((read[factor] == i).mean())
        for factor, values in FACTORS.items()
        for i, value in enumerate(values)
    }


def conditional_quality(gan: Engine) -> Scores:
    """FID(fashion-cnn), precision and recall of 2,000 samples against the 2,000 test images, and class accuracy.

    That is the share of 2,000 samples, 200 a class, which fashion-cnn finds in the class that was asked for.
    """
    labels = np.arange(SAMPLES) % gan.classes.num_classes
    images = gan.sample(SAMPLES, labels=labels, seed=0)
    right = (metrics.fashion_cnn().probabilities(images).argmax(axis=1) == labels).mean()
    return {**quality(gan), "class accuracy": share(right, SAMPLES)}


def translation_quality(gan: Engine) -> Scores:
    """FID(fashion-cnn), L1 and SSIM of the translations of the 2,000 test edges against their photographs."""
    return with_errors(metrics.evaluate_translations(gan, edges("test", 0), progress=False))


def with_errors(scores: metrics.Evaluation) -> Scores:
    """Metric -> (value, standard error)."""
    return {name: (float(score), score.standard_error) for name, score in scores.items()}


def share(value: float, n: int) -> tuple[float, float]:
    """A share of `n` and its standard error, that of one miss more where there is none."""
    return float(value), float(max(value * (1 - value), 1 / n) / n) ** 0.5


def main(name: str, folder: str = "runs/zoo") -> None:
    """Train `name` (going on from the last checkpoint), then write weights, scores, samples and card."""
    if name not in recipes():
        raise InputError(f"the zoo has no {name!r}: choose one of {', '.join(recipes())}")
    recipe, run = recipes()[name], Path(folder) / name
    gan = recipe.model.untrained(recipe.preset)
    gan.compile()
    seconds = train(gan, recipe, run)
    here = resources.files("ganlib.zoo") / recipe.model.presets[recipe.preset].weights
    with resources.as_file(here) as path:
        write_weights(gan, path)
        shipped = recipe.model.from_preset(recipe.preset)
        scores = recipe.measure(shipped)
        stem = path.name.removesuffix(".weights.h5")
        table = {metric: {"value": value, "error": error} for metric, (value, error) in scores.items()}
        write_json(path.with_name(f"{stem}.json"), table)
        plots.save_png(picture(shipped), path.with_name(f"{stem}.png"))
        write_atomically(path.with_name(f"{stem}.md"), card(name, gan, scores, seconds, path))
    print(json.dumps(scores, indent=1))


def train(gan: Engine, recipe: Recipe, run: Path) -> float:
    """Train up to the recipe's images; returns the CPU seconds spent, earlier sittings included."""
    clock = run / "seconds.json"
    if checkpoints.latest(run):
        checkpoints.restore(gan, run)
    seconds = json.loads(clock.read_text()) if clock.exists() else 0.0
    batches = recipe.load("train", gan.seed).batch(gan.batch_size)
    left, start = gan.steps_for(recipe.images) - gan.step, time.process_time()
    if left > 0:
        pictures = [SampleGrid(run / "samples", every=1000)] if gan.sampled else []
        callbacks = [Checkpoint(run), *pictures, ProgressBar()]
        try:
            gan.fit(batches, steps_per_epoch=left, verbose=0, callbacks=callbacks)
        finally:
            seconds += time.process_time() - start
            write_json(clock, seconds)
    return seconds


def write_weights(gan: Engine, path: Path) -> None:
    """All networks of `gan`, as float16: beside, then renamed."""
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as beside:
        whole, halved = Path(beside) / "whole.weights.h5", Path(beside) / "halved.weights.h5"
        gan.save_weights(whole)
        with h5py.File(whole, "r") as old, h5py.File(halved, "w") as new:

            def copy(name, item):
                if isinstance(item, h5py.Dataset):
                    kind = np.float16 if item.dtype == np.float32 else item.dtype
                    made = new.create_dataset(name, data=item[()], dtype=kind)
                else:
                    made = new.require_group(name)
                made.attrs.update(item.attrs)

            new.attrs.update(old.attrs)
            old.visititems(copy)
        weights.seal(halved)
        halved.replace(path)


def picture(gan: Engine) -> Figure:
    """Samples of seed 0, none picked, a row a class if there are any; or rows of edges, translations, photographs."""
    if not gan.sampled:
        parts = gan.pictures_of(*edges("test", 0).to_numpy(20))
        images = np.concatenate([part[i : i + 10] for i in (0, 10) for part in parts])
    elif gan.classes is None:
        images = gan.sample(60, seed=0)
    else:
        labels = np.repeat(np.arange(gan.classes.num_classes), 10)
        images = gan.sample(len(labels), labels=labels, seed=0)
    return plots.grid(images, columns=10)


def card(name: str, gan: Engine, scores: Scores, seconds: float, path: Path) -> str:
    """The model card."""
    recipe = recipes()[name]
    used, (size, _, channels) = recipe.load("train", 0), gan.image_shape
    amount = "drawn as it goes" if used.size is None else f"the embedded {used.size:,} images"
    players = gan.players().items()
    parameters = ", ".join(f"{player} {network.count_params():,}" for player, network in players)
    stem = path.name.removesuffix(".weights.h5")
    how = " ".join(recipe.measure.__doc__.split())
    measured = (
        f"Measured on the weights in the file, with seed 0, on data that was not trained on: {how} ± is one standard "
        "error. This FID compares with no other FID."
    )
    rows = "\n".join(f"| {metric} | {value:.4g} ± {error:.2g} |" for metric, (value, error) in scores.items())
    return f"""# {recipe.model.__name__}, `{recipe.preset}`

```python
gan = ganlib.models.{recipe.model.__name__}.from_preset("{recipe.preset}")
```

| | |
|---|---|
| paper | {recipe.model.title}, {recipe.model.authors} {recipe.model.year}, arXiv:{recipe.model.arxiv} |
| made by | `python -m ganlib.zoo.train {name}`: seed {gan.seed}, {gan.images_seen:,} images in {gan.step:,} steps |
| data | {used.name}, {amount}, {size}x{size} {"grey" if channels == 1 else "colour"} |
| time | {seconds / 60:.0f} min of one CPU core |
| parameters | {parameters} |
| file | {path.stat().st_size / 1e6:.2f} MB, float16 |

![samples of seed 0, none picked]({stem}.png)

{textwrap.fill(measured, 120)}

| metric | value |
|---|---|
{rows}

{textwrap.fill("Known failures: " + recipe.failures, 120)}
"""


_DCGAN = (
    "about one sample in eight is of no class or of two (a bag that is half a jumper, a boot without a toe); prints "
    "and stripes come out as noise; laces, buckles and straps are hints."
)
_SNGAN = (
    "dark and patterned clothes come out as checkerboards; recall is low: bags and sandals are rare or wrong, and "
    "samples of a class look alike; DCGAN's are better at this size (the networks here have an eighth of its numbers)."
)
_PROJECTION = (
    "samples of a class are alike, which recall shows: few prints, few unusual cuts, grey with a fine mesh where the "
    "data have patterns; shirts are taken for T-shirts or coats as often as not; sandals lack straps."
)
_PIX2PIX = (
    "where edges are dense (prints, sandals) it paints blotches; it guesses brightness, which edges do not tell; edges "
    "drawn by hand are not like those that it was trained on; the noise (dropout) changes next to nothing."
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train, shrink and measure a model of the zoo.")
    parser.add_argument("name", help=f"one of {', '.join(recipes())}")
    parser.add_argument("--folder", default="runs/zoo", help="where checkpoints go (%(default)s)")
    try:
        main(**vars(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit("stopped and saved; the same command goes on")
    except InputError as error:
        sys.exit(str(error))
