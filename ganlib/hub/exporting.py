"""Generators of ganlib as SavedModels with the signature of TF-Hub's BigGAN."""

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from ganlib import __version__
from ganlib.arguments import require_positive
from ganlib.errors import InputError
from ganlib.files import whole_folder
from ganlib.hub.loading import NOTES, HubGenerator
from ganlib.layers.random_layer import RandomLayer
from ganlib.sampled import Sampled
from ganlib.standing import Standing
from ganlib.styled import Styled

_UNTRUNCATED = 1e9  # above all thresholds
_THRESHOLDS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


def export(gan: Any, folder: str | Path, truncations: Sequence[float] = _THRESHOLDS) -> Path:
    """Write a generator as a SavedModel: the averaged generator, its weights and its graph, without ganlib.

    The signature is that of TF-Hub's BigGAN, see `ganlib.hub`. y may be weights of classes: images between classes.
    `tensorflow_hub.load(folder)` and `tf.saved_model.load(folder)` give an object that is also called as such,
    `object(z, truncation)` or `object(z, y, truncation)`; `ganlib.hub.load(folder)` samples as the model does.

    Args:
        gan: Any model that samples.
        folder: What to write, beside and then renamed: it must not be there, or be empty.
        truncations: Of a model with `standing_passes`: thresholds whose statistics are kept, beside those of latents
            that are not cut off, which hold above the largest. Between two of them the module interpolates; below the
            smallest it takes that one's.

    Returns:
        The folder.

    Raises:
        InputError: The model makes nothing of latents, a threshold is not above 0, or the folder is in use or cannot be
            written. Nothing is left behind.
    """
    if not isinstance(gan, Sampled) or isinstance(gan, HubGenerator):
        kind = "is a published module" if isinstance(gan, HubGenerator) else "makes no images out of latents"
        raise InputError(f"{type(gan).__name__} {kind}: export a model that samples, such as a DCGAN")
    thresholds = sorted(set(truncations))
    for threshold in thresholds:
        require_positive(example="0.5", truncations=threshold)
    standing = isinstance(gan, Standing) and bool(gan.standing_passes)
    notes = {
        "made_by": f"ganlib {__version__}",
        "model": type(gan).__name__,
        "latents": gan.latent_distribution,
        "truncation": "styles" if isinstance(gan, Styled) else "latents",
        "untruncated": 1.0 if isinstance(gan, Styled) else _UNTRUNCATED,
        "thresholds": thresholds if standing else [],
    }
    with whole_folder(folder) as beside:
        module, signatures = _module(gan, tuple(thresholds) if standing else ())
        tf.saved_model.save(module, str(beside), signatures)
        (beside / NOTES).parent.mkdir(exist_ok=True)
        (beside / NOTES).write_text(json.dumps(notes, indent=2) + "\n", encoding="utf-8")
    return Path(folder)


class _Generator(tf.Module):
    """What is saved: a function, and the variables that it reads."""

    def __init__(self, call: Any, held: list[tf.Variable]):
        super().__init__(name="generator")
        self.__call__ = call
        self.held = held


def _module(gan: Sampled, thresholds: tuple[float, ...]) -> tuple[tf.Module, dict[str, Any]]:
    """The module of a model, and its signatures."""
    exporter = gan.exporter(thresholds)
    inputs = [tf.TensorSpec([None, gan.latent_dim], tf.float32, "z")]
    if gan.classes is not None:
        inputs.append(tf.TensorSpec([None, gan.classes.num_classes], tf.float32, "y"))
    inputs.append(tf.TensorSpec([], tf.float32, "truncation"))

    def images(*given):
        *given, truncation = given
        made = tf.cast(exporter(given[0] if gan.classes is None else given, truncation), tf.float32)
        made = tf.ensure_shape(made, [None, *gan.image_shape])
        return {"default": tf.clip_by_value(made, -1.0, 1.0) if made.shape.rank == 4 else made}

    def seeded(*given):
        *given, key, part = given
        with gan.streams.at(key, part), gan.streams.scope("sample"):
            return images(*given)

    call = tf.function(_taking(inputs, images), input_signature=inputs)
    signatures = {"default": call.get_concrete_function()}
    if any(isinstance(layer, RandomLayer) for layer in _layers(gan)):
        more = [*inputs, tf.TensorSpec([], tf.uint64, "key"), tf.TensorSpec([], tf.int64, "part")]
        drawing = tf.function(_taking(more, seeded), input_signature=more).get_concrete_function()
        if _draws(drawing):
            signatures["seeded"] = drawing
    variables = [v for function in signatures.values() for v in function.graph.variables]
    return _Generator(call, list({id(v): v for v in variables}.values())), signatures


def _taking(specs: list[tf.TensorSpec], function: Callable) -> Callable:
    """The function with parameters called as the specs are, since signatures have the names of parameters."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD

    def named(*given):
        return function(*given)

    named.__signature__ = inspect.Signature([inspect.Parameter(spec.name, kind) for spec in specs])
    return named


def _layers(gan: Sampled) -> Iterator[Any]:
    for network in gan.networks().values():
        yield from network._flatten_layers()


def _draws(function: Any) -> bool:
    """Whether a traced function, or one that it calls, draws random numbers."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return any("Random" in node.op for node in nodes)
