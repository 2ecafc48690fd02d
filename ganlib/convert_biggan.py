"""Names and layouts of BigGAN-PyTorch (ajbrock/BigGAN-PyTorch, commit 9845943), for `ganlib.convert`.

A state dictionary names every layer by its place: `blocks.2.0.conv1` is the first convolution of the third block,
`blocks.2.1` the attention behind it (in BigGAN-deep's D the numbers are resolution, block). Beside weight and bias each
normalised weight has `u0`, its vector; `sv0`, its last singular value, is for their logs and no state of ours.
Statistics of batch norms have one of three names, by the class that the official options choose: the default's, that
which counts standing statistics, and the one that looks at all devices.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from ganlib.layers.conditional_batch_normalization import VectorConditionalBatchNormalization
from ganlib.layers.self_attention import SelfAttention
from ganlib.layers.sizes import biggan_widths

Named = tuple[keras.Variable, dict[str, Callable[[np.ndarray], np.ndarray]]]

_FIRST = "block_0_convolution_1"
_OFFICIAL = {3: ("conv1", "conv2", "conv_sc"), 5: ("conv1", "conv2", "conv3", "conv4", "conv_sc")}


def has_layout(network: keras.Model) -> bool:
    """Whether this is a network of BigGAN or BigGAN-deep."""
    return any(layer.name == _FIRST for layer in network.layers)


def slots(network: keras.Model) -> Iterator[Named]:
    """Each variable with its official name and what makes our layout of that array."""
    by_name = {layer.name: layer for layer in network.layers}
    if network.name == "generator":
        if "shared_embedding" in by_name:
            yield by_name["shared_embedding"].embeddings, {"shared.weight": np.asarray}
        yield from _linear_to_image(by_name["linear"], network)
        yield from _norm("output_layer.0", by_name["last_norm"])
        yield from _spectral("output_layer.2", by_name["to_image"], _kernel)
    else:
        if "from_image" in by_name:
            yield from _spectral("input_conv", by_name["from_image"], _kernel)
        yield from _spectral("linear", by_name["linear"], np.transpose)
        embedding = by_name["projection"].embedding
        yield embedding.embeddings, {"embed.weight": np.asarray}
        yield embedding.u, {"embed.u0": _vector}
    deep = "block_0_convolution_4" in by_name
    convolutions = _OFFICIAL[5 if deep else 3]
    number = sum(name.endswith("_convolution_1") for name in by_name)
    if network.name == "discriminator" and deep:
        _, halving, same = biggan_widths(network.inputs[0].shape[1], 1)
        depth = number // (len(halving + same) - 1)
    else:
        depth = 1
    for block in range(number):
        parts = {name.removeprefix(f"block_{block}_"): layer for name, layer in by_name.items()}
        # in BigGAN-deep's D a list of blocks is a resolution's, elsewhere a block's
        place, stage = f"blocks.{block // depth}.{block % depth}", f"blocks.{block // depth}"
        for i, official in enumerate(convolutions, 1):
            if f"convolution_{i}" in parts:
                yield from _spectral(f"{place}.{official}", parts[f"convolution_{i}"], _kernel)
        for i in range(1, len(convolutions)):
            if f"norm_{i}" in parts:
                yield from _conditional_norm(f"{place}.bn{i}", parts[f"norm_{i}"])
        if "attention_1" in parts:
            yield from _attention(f"{stage}.{depth}", parts["attention_1"])


def _spectral(name: str, layer: Any, kernel: Callable) -> Iterator[Named]:
    yield layer.kernel, {f"{name}.weight": kernel}
    if layer.use_bias:
        yield layer.bias, {f"{name}.bias": np.asarray}
    yield layer.u, {f"{name}.u0": _vector}


def _linear_to_image(layer: Any, network: keras.Model) -> Iterator[Named]:
    """G's first layer, whose outputs are an image: channels first there, last here."""
    size = next(x.output.shape[1] for x in network.layers if isinstance(x, keras.layers.Reshape))

    def last(rows: np.ndarray) -> np.ndarray:
        images = rows.reshape(-1, size, size, *rows.shape[1:])
        return np.moveaxis(images, 0, 2).reshape(rows.shape)

    yield layer.kernel, {"linear.weight": lambda a: last(a).T}
    yield layer.bias, {"linear.bias": last}
    yield layer.u, {"linear.u0": lambda a: last(a[0])}


def _conditional_norm(name: str, layer: Any) -> Iterator[Named]:
    if isinstance(layer, VectorConditionalBatchNormalization):
        yield from _spectral(f"{name}.gain", layer.gain, np.transpose)
        yield from _spectral(f"{name}.bias", layer.offset, np.transpose)
    else:
        yield layer.gain, {f"{name}.gain.weight": np.asarray}
        yield layer.offset, {f"{name}.bias.weight": np.asarray}
    yield from _statistics(name, layer.normalization)


def _norm(name: str, layer: Any) -> Iterator[Named]:
    yield layer.gamma, {f"{name}.gain": np.asarray}
    yield layer.beta, {f"{name}.bias": np.asarray}
    yield from _statistics(name, layer)


def _statistics(name: str, layer: Any) -> Iterator[Named]:
    for variable, kind in ((layer.moving_mean, "mean"), (layer.moving_variance, "var")):
        names = (f"{name}.stored_{kind}", f"{name}.bn.stored_{kind}", f"{name}.bn.running_{kind}")
        yield variable, dict.fromkeys(names, np.asarray)


def _attention(name: str, layer: SelfAttention) -> Iterator[Named]:
    parts = {"theta": layer.query, "phi": layer.key, "g": layer.value, "o": layer.out}
    for official, convolution in parts.items():
        yield from _spectral(f"{name}.{official}", convolution, _kernel)
    yield layer.gamma, {f"{name}.gamma": np.asarray}


def _kernel(array: np.ndarray) -> np.ndarray:
    """(out, in, height, width) -> (height, width, in, out)."""
    return np.transpose(array, (2, 3, 1, 0))


def _vector(array: np.ndarray) -> np.ndarray:
    """(1, n) -> (n,)."""
    return array[0]
