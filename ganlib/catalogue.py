"""What `ganlib list` shows of every model, from a file: it answers without importing TensorFlow or building a network.

`make catalogue` writes the file again; a test compares it with the models, so it cannot go stale unseen.
"""

import contextlib
import gc
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlib.files import read_json, write_json

if TYPE_CHECKING:
    from ganlib.engine import Engine

FILE = Path(__file__).parent / "models" / "catalogue.json"
DATA = Path(__file__).parent / "models" / "data.json"


def stored() -> list[dict[str, Any]]:
    """Every model with its paper, its presets, and the number of trainable parameters of each network."""
    return read_json(FILE)


def data_of_presets() -> list[dict[str, Any]]:
    """The data behind each preset that is named after some: `<data>_<resolution>` and perhaps a variant.

    Returns:
        Rows with model, preset, data, source, images, size (of the download), memory_gb (of the images at the preset's
        resolution, which `load` keeps in memory), licence, and line: the command that trains on it.
    """
    table, rows = read_json(DATA), []
    for model in stored():
        for preset in model["presets"]:
            data, resolution = named_after(preset)
            if data not in table:
                continue
            row = table[data]
            load = row.get("pairs", row["load"]) if model["name"] == "pix2pix" else row["load"]
            rows.append(
                {
                    "model": model["name"],
                    "preset": preset,
                    "data": row["name"],
                    "source": row["source"],
                    "images": row["images"],
                    "size": row["size"],
                    "memory_gb": round(row["images"] * resolution**2 * row["channels"] / 1e9, 2),
                    "licence": row["licence"],
                    "line": f"ganlib train {model['name']} --preset {preset} {load}",
                }
            )
    return rows


def named_after(preset: str) -> tuple[str | None, int]:
    """The data and the resolution in a preset's name; None and 0 if it is not named after data."""
    found = re.fullmatch(r"([a-z][a-z0-9]*)_([0-9]+)(_.+)?", preset)
    return (found[1], int(found[2])) if found else (None, 0)


def entry_of(model: str, cls: type["Engine"], parameters: dict[str, dict[str, int]]) -> dict[str, Any]:
    """A model's entry, given the parameters of its presets."""
    presets = {
        name: {"description": preset.description, "arguments": preset.given, "parameters": parameters[name]}
        for name, preset in cls.presets.items()
    }
    paper = {key: getattr(cls, key) for key in ("title", "authors", "year", "arxiv")}
    return {"name": model, "class": cls.__name__, **paper, "presets": presets}


def parameters_of(gan: "Engine") -> dict[str, int]:
    """The number of trainable parameters of each player."""
    return {
        player: sum(math.prod(variable.shape) for variable in network.trainable_variables)
        for player, network in gan.players().items()
    }


def build() -> list[dict[str, Any]]:
    """The catalogue, by building every preset of every model, with zeros: seconds, and gigabytes for the largest."""
    from ganlib.quiet import import_tensorflow

    import_tensorflow()
    from ganlib import models

    with zero_weights():
        return [
            entry_of(name, cls, {preset: parameters_of(cls.untrained(preset)) for preset in cls.presets})
            for name, cls in models.registry().items()
        ]


@contextlib.contextmanager
def zero_weights() -> Iterator[None]:
    """Inside, most initial weights are zeros: drawing them takes longer than all the rest."""
    import keras

    gc.collect()  # models are cycles: one of several GB from before might be waiting for this
    names = ("HeNormal", "Orthogonal", "RandomNormal", "VarianceScaling")
    kept = {name: getattr(keras.initializers, name) for name in names}
    try:
        for name in names:
            setattr(keras.initializers, name, lambda *_, **__: "zeros")
        yield
    finally:
        for name, initializer in kept.items():
            setattr(keras.initializers, name, initializer)


if __name__ == "__main__":
    print(f"written: {write_json(FILE, build())}")
