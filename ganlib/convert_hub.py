"""Names and layouts of DeepMind's BigGAN and BigGAN-deep modules on TF-Hub, for `ganlib.convert`.

    ganlib.convert.load(gan.generator, "biggan-deep-128", truncation=0.4)     # the module's folder, or its arrays

The names are those that two converters read: TFHub/converter.py of ajbrock/BigGAN-PyTorch (commit 3e8805f) for BigGAN,
convert_tf_to_pytorch.py of huggingface/pytorch-pretrained-BigGAN (commit 3d35bb9) for BigGAN-deep. Arrays are brought
into BigGAN-PyTorch's names and layouts, for which `ganlib.convert_biggan` has the table. What differs from that code:

- Kernels are (height, width, in, out), and G's first layer makes (4, 4, channels): channels last.
- The condition of batch norms (in BigGAN-deep G's input too) is z before the class's vector, there behind it.
- Batch norms add 1e-4 to the variance, ours 1e-5: the difference goes into the variance.
- Of weights the averages are taken ("w/ema_b999900", "w/ema_0.9999"), where there are any.
- BigGAN-deep's last convolution makes as many channels as it is given, of which three are used; sigma is of all. Ours
  makes three, so the ratio of the sigmas goes into the last batch norm, behind which is only a ReLU.
- BigGAN-deep's statistics are no variables but constants of the graph, tables with a row for each of 51 truncations
  from 0 to 1, "stack_1" and "stack_3" of the first batch norm, "stack_6" and "stack_8" of the second, and so on.
  `truncation` says which row; between rows they are interpolated. Of BigGAN that converter knows one set, that of
  truncation 1.

biggan-128: attention=64; biggan-256: attention=128, where its 2 ch channels are (the paper's table 5 has it at 64);
biggan-512: attention=64; z of 120, 140 and 128, ch 96. BigGAN-deep: attention=64, z of 128, ch 128.

Never run against a published file: none can be had where ganlib is made. The tests convert modules of these names and
layouts, made by a second implementation, and compare images.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from ganlib.errors import CheckpointError, GanlibError, InputError

_EPSILON = 1e-4
_AVERAGES = ("/ema_b999900", "/ema_0.9999", "")
_TABLE = re.compile(r"(?:module(?:_apply_default)?/)?(stack(?:_\d+)?)")

Arrays = Mapping[str, np.ndarray]


def has_layout(arrays: Arrays) -> bool:
    """Whether these are arrays of such a module."""
    return any("Generator/GBlock/" in name for name in arrays)


def read(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a module: its variables, and tables of constants. Nothing of its graph is run.

    Raises:
        CheckpointError: The variables cannot be read.
        InputError: The folder is no SavedModel.
    """
    import tensorflow as tf

    from ganlib.hub import graphs

    model = graphs.read(folder)
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        arrays = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (ValueError, tf.errors.OpError) as error:
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{folder} has no variables that can be read ({said}): copy the module again"
        ) from error
    nodes = {node.name: node for graph in model.meta_graphs for node in graph.graph_def.node}
    for name, node in nodes.items():
        table = _TABLE.fullmatch(name)
        if node.op != "Pack" or not table:
            continue
        rows = [nodes.get(given.split(":")[0]) for given in node.input]
        if all(row is not None and row.op == "Const" for row in rows):
            arrays[table[1]] = np.stack([tf.make_ndarray(row.attr["value"].tensor) for row in rows])
    return arrays


def in_pytorch_layout(arrays: Arrays, network: keras.Model, truncation: float) -> dict[str, np.ndarray]:
    """What BigGAN-PyTorch's state dictionary would have for this G.

    Args:
        arrays: Of the module; names may begin with "module/" and end with ":0".
        network: A generator of BigGAN or BigGAN-deep.
        truncation: Of whose latents the statistics are, in [0, 1].

    Raises:
        CheckpointError: An array is missing, or of another size.
        InputError: There is no discriminator in these modules, or there are no such statistics.
    """
    if network.name != "generator":
        raise InputError(
            f"TF-Hub's modules of BigGAN have a generator only: give that, not the {network.name}"
        )
    number = isinstance(truncation, int | float) and not isinstance(truncation, bool)
    if not (number and 0 <= truncation <= 1):
        raise InputError(f"truncation={truncation!r} is out of range: give a number in [0, 1], like 0.5")
    named = {
        name.removeprefix("module_apply_default/").removeprefix("module/").removesuffix(":0"): array
        for name, array in arrays.items()
    }
    try:
        return _Layout(named, network, float(truncation)).arrays()
    except GanlibError:
        raise
    except (ValueError, IndexError, TypeError) as error:  # of NumPy, for an array of another rank or size
        raise CheckpointError(
            f"an array does not have the shape that it has in a module of BigGAN ({error}): give the module's own, and "
            "build the model with its sizes"
        ) from error


class _Layout:
    """One network's arrays."""

    def __init__(self, arrays: Arrays, network: keras.Model, truncation: float):
        self.given = arrays
        self.layers = {layer.name: layer for layer in network.layers}
        self.deep = "block_0_convolution_4" in self.layers
        self.size = next(x.output.shape[1] for x in network.layers if isinstance(x, keras.layers.Reshape))
        self.channels = network.output_shape[-1]
        if "shared_embedding" not in self.layers:
            raise InputError(
                "TF-Hub's modules of BigGAN have a shared embedding: build with shared_embedding=True"
            )
        self.vector = self.layers["shared_embedding"].output_dim
        self.truncation = truncation
        self.norms = 0  # how many statistics were taken
        self.made: dict[str, np.ndarray] = {}

    def arrays(self) -> dict[str, np.ndarray]:
        self.made["shared.weight"] = self.array("linear/w")
        self.first("Generator/GenZ/G_linear" if self.deep else "Generator/G_Z/G_linear")
        blocks = sum(name.endswith("_convolution_1") for name in self.layers)
        if any(name.startswith(f"Generator/GBlock_{blocks}/") for name in self.given):
            raise CheckpointError(
                f"the module has more than the {blocks} blocks of this generator: build the model as large as it"
            )
        for i in range(blocks):
            block = f"Generator/GBlock_{i}" if i else "Generator/GBlock"
            for official, ours in self.convolutions():
                self.weight(f"{block}/{official}", f"blocks.{i}.0.{ours}")
            for j in range(4 if self.deep else 2):
                self.norm(block, j, f"blocks.{i}.0.bn{j + 1}")
            if f"block_{i}_attention_1" in self.layers:
                for official, ours in (("theta", "theta"), ("phi", "phi"), ("g", "g"), ("o_conv", "o")):
                    self.weight(f"Generator/attention/{official}", f"blocks.{i}.1.{ours}", bias=False)
                self.made[f"blocks.{i}.1.gamma"] = self.array("Generator/attention/gamma").reshape(())
        self.last()
        return self.made

    def array(self, name: str) -> np.ndarray:
        """The average of a variable, or itself."""
        for ending in _AVERAGES:
            if name + ending in self.given:
                return np.asarray(self.given[name + ending])
        raise CheckpointError(
            f"there is no {name}: give the arrays of a module of BigGAN{'-deep' if self.deep else ''} of this size"
        )

    def convolutions(self) -> list[tuple[str, str]]:
        if self.deep:
            return [(f"conv{i}", f"conv{i + 1}") for i in range(4)]
        return [("conv0", "conv1"), ("conv1", "conv2"), ("conv_sc", "conv_sc")]

    def weight(self, official: str, ours: str, bias: bool = True) -> None:
        """A convolution with its vector."""
        self.made[f"{ours}.weight"] = np.transpose(self.array(f"{official}/w"), (3, 2, 0, 1))
        self.made[f"{ours}.u0"] = self.array(f"{official}/u0").reshape(1, -1)
        if bias:
            self.made[f"{ours}.bias"] = self.array(f"{official}/b").reshape(-1)

    def first(self, official: str) -> None:
        """G's first layer: from channels last to channels first."""

        def channels_first(columns):
            images = columns.reshape(self.size, self.size, -1, *columns.shape[1:])
            return np.moveaxis(images, 2, 0).reshape(columns.shape)

        kernel = self.array(f"{official}/w")
        kernel = self.class_first(kernel) if self.deep else kernel
        self.made["linear.weight"] = channels_first(kernel.T)
        self.made["linear.bias"] = channels_first(self.array(f"{official}/b").reshape(-1))
        self.made["linear.u0"] = channels_first(self.array(f"{official}/u0").reshape(-1))[None]

    def class_first(self, kernel: np.ndarray) -> np.ndarray:
        """A kernel (z and class, out) with the rows of the class's vector in front."""
        return np.concatenate([kernel[-self.vector :], kernel[: -self.vector]])

    def norm(self, block: str, j: int, ours: str) -> None:
        """A conditional batch norm."""
        kind, parts = ("BatchNorm", ("scale", "offset")) if self.deep else ("HyperBN", ("gamma", "beta"))
        place = f"{block}/{kind}_{j}" if j else f"{block}/{kind}"
        for official, part in zip(parts, ("gain", "bias"), strict=True):
            self.made[f"{ours}.{part}.weight"] = self.class_first(self.array(f"{place}/{official}/w")).T
            self.made[f"{ours}.{part}.u0"] = self.array(f"{place}/{official}/u0").reshape(1, -1)
        layer = self.layers[f"{ours.replace('blocks.', 'block_').replace('.0.bn', '_norm_')}"]
        self.statistics(place.replace("HyperBN", "CrossReplicaBN"), ours, layer.epsilon)

    def statistics(self, place: str, ours: str, epsilon: float) -> None:
        """Mean and variance at this truncation."""
        for i, kind in enumerate(("mean", "var")):
            table = f"stack_{5 * self.norms + 1 + 2 * i}"
            found = self.array(table if self.deep else f"{place}/accumulated_{kind}")
            if found.ndim == 2:
                at = self.truncation * (len(found) - 1)
                low = min(int(at + 1e-9), len(found) - 1)
                high, share = min(low + 1, len(found) - 1), max(at - low, 0.0)
                found = (1.0 - share) * found[low] + share * found[high]
            elif self.truncation != 1.0:
                raise InputError(
                    f"truncation={self.truncation}: these arrays have statistics of truncation 1 only: give that, or "
                    "load the module with ganlib.hub.load, which has the others"
                )
            # what the variance lacks to be divided by the same root
            self.made[f"{ours}.stored_{kind}"] = found + (_EPSILON - epsilon) * i
        self.norms += 1

    def last(self) -> None:
        """The last batch norm and convolution."""
        norm, ours = self.layers["last_norm"], "output_layer.0"
        if self.deep:
            place, names, convolution = "Generator/BatchNorm", ("scale", "offset"), "Generator/conv_to_rgb"
            statistics = place
        else:
            place, names = "Generator/ScaledCrossReplicaBN", ("gamma", "beta")
            statistics, convolution = f"{place}bn", "Generator/conv_2d"
        self.weight(convolution, "output_layer.2")
        factor = self.cut_last()
        for name, part in zip(names, ("gain", "bias"), strict=True):
            self.made[f"{ours}.{part}"] = factor * self.array(f"{place}/{name}").reshape(-1)
        self.statistics(statistics, ours, norm.epsilon)

    def cut_last(self) -> float:
        """Leave the image's channels in the last convolution; by what sigma falls."""
        parts = [self.made[f"output_layer.2.{part}"] for part in ("weight", "u0", "bias")]
        if parts[0].shape[0] <= self.channels:
            return 1.0
        kernel, u, bias = parts
        cut = kernel[: self.channels], u[:, : self.channels], bias[: self.channels]
        for part, array in zip(("weight", "u0", "bias"), cut, strict=True):
            self.made[f"output_layer.2.{part}"] = array
        return _sigma(cut[0], cut[1]) / _sigma(kernel, u)


def _sigma(kernel: np.ndarray, u: np.ndarray) -> float:
    """The singular value of a kernel (out, ...) that an evaluation divides by, see `layers.spectral_normalization`."""
    matrix = kernel.reshape(len(kernel), -1).astype(np.float64)
    v = u[0] @ matrix
    v /= np.linalg.norm(v)
    u = matrix @ v
    return float(np.linalg.norm(u))
