"""Samples mixed among real images, to be judged without knowing which is which: `python -m ganlib.zoo.blind NAME`.

Writes runs/blind/NAME.png, 64 unpicked samples (seed 0) and 64 images that were not trained on, in an order that nobody
has seen, numbered row by row, and runs/blind/NAME.json, which of the numbers are samples. Note the numbers that look
broken before you open the second: the card says how many of them are samples, and how many are real.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from ganlib import plots
from ganlib.engine import Engine
from ganlib.errors import InputError
from ganlib.files import write_json
from ganlib.zoo.train import recipes

EACH, COLUMNS = 64, 16


def mixed(samples: np.ndarray, real: np.ndarray, seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """Both in one random order, and at which numbers the samples are."""
    order = np.random.default_rng(seed).permutation(len(samples) + len(real))
    images = np.concatenate([samples, real])[order]
    return images, np.flatnonzero(order < len(samples)).tolist()


def main(name: str, folder: str = "runs/blind") -> None:
    """Write the page and its key for a model of the zoo."""
    if name not in recipes():
        raise InputError(f"the zoo has no {name!r}: choose one of {', '.join(recipes())}")
    recipe = recipes()[name]
    gan: Engine = recipe.model.from_preset(recipe.preset)
    real = recipe.load("test", 0).to_numpy(EACH)
    images, samples = mixed(gan.sample(EACH, seed=0), real, seed=len(name))
    page = Path(folder) / f"{name}.png"
    page.parent.mkdir(parents=True, exist_ok=True)
    plots.save_png(plots.grid(images, columns=COLUMNS), page)
    write_json(page.with_suffix(".json"), {"samples": samples})
    print(
        f"{page}: {len(images)} images, {COLUMNS} in a row, the first is number 0; key in {page.with_suffix('.json')}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Samples mixed among real images.")
    parser.add_argument("name", help=f"one of {', '.join(recipes())}")
    try:
        main(**vars(parser.parse_args()))
    except InputError as error:
        sys.exit(str(error))
