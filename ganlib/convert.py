"""Weights of official code, by their official names.

PGGAN's and StyleGAN's are TensorFlow variables, StyleGAN2's (and ADA's) and BigGAN's PyTorch state dictionaries. Of
BigGAN there are TF-Hub's modules as well (`ganlib.convert_hub`), G only.

    ganlib.convert.load(gan.generator, "network-G.npz")            # or .safetensors, or a dictionary of arrays
    ganlib.convert.load(gan.discriminator, arrays, prefix="D/")
    ganlib.convert.load(gan.generator, "biggan-deep-128", truncation=0.4)        # the folder of a module

The official files are pickles, which run code when they are opened: ganlib refuses them. Convert them once where you
trust them, in an environment that has the official code, and keep the arrays.

Layouts: TensorFlow's convolutions are (height, width, in, out), PyTorch's (out, in, height, width); both codes keep
images as (channels, height, width), which is the order of a flattened 4x4 image; kernels of layers that double the size
are turned around in some of them. What each network's variables are called and how they are laid out is a table below.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from ganlib import convert_biggan, convert_hub
from ganlib.errors import CheckpointError, InputError
from ganlib.layers.equalized import Bias, EqualizedConv2D, EqualizedDense
from ganlib.layers.growing import SMALLEST
from ganlib.models import pggan, stylegan2
from ganlib.styled import StyledGenerator

Arrays = Mapping[str, np.ndarray]

PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin")
HOW_TO = (
    "a pickle runs code when it is opened, and is refused: where you trust it, open it with the official code, save "
    "its arrays with numpy.savez(file, **arrays) or safetensors, and give that file"
)


# what PGGAN's blocks have in the official code, where the first rows of its table are not
_OFFICIAL = (Bias, EqualizedConv2D, EqualizedDense)
# how the names of weights and biases end; other official arrays (filters, noise that is drawn) may be left over
_OF_LAYERS = ("/weight", "/bias", "/const", ".weight", ".bias", ".const")

Transform = Callable[[np.ndarray], np.ndarray]


class Slot(NamedTuple):
    """A variable of ours, and what it is called in official code.

    Attributes:
        variable: Ours.
        names: Official name -> what makes our layout of the official one; any of them will do.
        otherwise: Its value where there is none of these names; None: there must be one.
    """

    variable: keras.Variable
    names: Mapping[str, Transform]
    otherwise: float | None = None


def load(
    network: keras.Model, source: str | Path | Arrays, prefix: str = "", truncation: float = 1.0
) -> None:
    """Set all variables of a network from official arrays.

    Args:
        network: A generator or discriminator of PGGAN, StyleGAN, StyleGAN2, BigGAN or BigGAN-deep.
        source: A file (.npz without pickled objects, or .safetensors), the folder of a TF-Hub module of BigGAN, or
            official name -> array.
        prefix: Of the names in the source that belong to this network: "G/", "D.".
        truncation: Of a TF-Hub module: of whose latents the statistics of its batch norms are to be.

    Raises:
        CheckpointError: The file cannot be read, is a pickle, or names or shapes do not fit; nothing was set.
        InputError: There is no table for this kind of network, or a module has no such statistics.
    """
    arrays = read(source) if isinstance(source, str | Path) else source
    if convert_biggan.has_layout(network) and convert_hub.has_layout(arrays):
        arrays = convert_hub.in_pytorch_layout(arrays, network, truncation)
    found, used = [], set()
    for slot in slots(network):
        name = next((name for name in slot.names if prefix + name in arrays), None)
        if name is not None:
            found.append((slot.variable, _fitted(slot, name, prefix, arrays[prefix + name])))
            used.add(prefix + name)
        elif slot.otherwise is not None:
            found.append((slot.variable, np.full(slot.variable.shape, slot.otherwise)))
        else:
            expected = " or ".join(prefix + name for name in slot.names)
            raise CheckpointError(
                f"there is no {expected}: give the arrays of a {network.name} of this kind and size"
            )
    more = [
        name for name in arrays if name.startswith(prefix) and name not in used and name.endswith(_OF_LAYERS)
    ]
    if more:
        raise CheckpointError(
            f"{more[0]} is of no layer of this {network.name} (there are {len(more)} such arrays): build the model as "
            "large as the official one, or give the prefix of its names"
        )
    for variable, value in found:
        variable.assign(value)


def _fitted(slot: Slot, name: str, prefix: str, array: Any) -> np.ndarray:
    """An official array in our layout."""
    array = np.asarray(array)
    try:
        value = slot.names[name](array).astype(slot.variable.dtype)
        if slot.variable.shape == () and value.shape == (1,):  # as files without scalars hold them
            value = value[0]
    except (ValueError, TypeError, IndexError):
        value = None  # it cannot be cut up as one of its kind is, or holds no numbers
    if value is None or value.shape != tuple(slot.variable.shape):
        raise CheckpointError(
            f"{prefix}{name} has the shape {array.shape} and the type {array.dtype}, which do not fit "
            f"{slot.variable.path} of {tuple(slot.variable.shape)}: build the model with the sizes of the official one"
        )
    return value


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz or .safetensors file, or of the folder of a TF-Hub module.

    Raises:
        CheckpointError: It cannot be read, or would have to be unpickled.
        InputError: The folder's SavedModel is damaged.
    """
    path = Path(path)
    if (path / "saved_model.pb").exists():
        return convert_hub.read(path)
    if path.suffix in PICKLES:
        raise CheckpointError(f"{path}: {HOW_TO}")
    try:
        if path.suffix == ".safetensors":
            return _safetensors(path)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} does not exist: give the path of an .npz or .safetensors file"
        ) from None
    except CheckpointError:
        raise
    except Exception as error:  # NumPy, zipfile and safetensors each raise their own
        said = " ".join(str(error).split())
        reason = HOW_TO if "pickle" in said.lower() else f"{said}: save or copy it again"
        raise CheckpointError(f"{path} is not a readable file of arrays ({reason})"[:500]) from error


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise CheckpointError(
            f"{path}: reading .safetensors needs the package safetensors: pip install 'ganlib[convert]'"
        ) from None
    return load_file(path)


def slots(network: keras.Model) -> list[Slot]:
    """The variables of a network that official code has, with their names there.

    Raises:
        InputError: There is no table for this kind of network.
    """
    if convert_biggan.has_layout(network):
        return [Slot(*slot) for slot in convert_biggan.slots(network)]
    if isinstance(network, StyledGenerator):
        of_two = isinstance(network.synthesis, stylegan2.Synthesis)
        return list((_stylegan2_generator if of_two else _stylegan_generator)(network))
    tables = {
        pggan.Generator: _pggan_generator,
        pggan.Discriminator: _pggan_discriminator,
        stylegan2.Discriminator: _stylegan2_discriminator,
    }
    layers = [layer for block in getattr(network, "blocks", ()) for layer in block.layers if layer.weights]
    if type(network) not in tables or not all(isinstance(layer, _OFFICIAL) for layer in layers):
        raise InputError(
            f"{network.name} ({type(network).__name__}) has no official layout here: give a network of PGGAN (without "
            "batch norm, layer norm and minibatch discrimination), StyleGAN, StyleGAN2, BigGAN or BigGAN-deep"
        )
    return list(tables[type(network)](network))


# ------------------------------------------------------------------------------------- TensorFlow: PGGAN, StyleGAN


def _tf(name: str, layer: keras.layers.Layer, kernel: Transform = np.asarray) -> Iterator[Slot]:
    """A layer's kernel and bias, those of them that it has."""
    yield Slot(layer.kernel, {f"{name}/weight": kernel})
    if layer.use_bias:
        yield Slot(layer.bias, {f"{name}/bias": np.asarray})


def _size(level: int) -> str:
    return f"{SMALLEST * 2**level}x{SMALLEST * 2**level}"


def _pggan_generator(network: pggan.Generator) -> Iterator[Slot]:
    for level, block in enumerate(network.blocks):
        layers = [layer for layer in block.layers if layer.weights]
        if level == 0:
            dense, bias, conv = layers
            yield Slot(dense.kernel, {"4x4/Dense/weight": columns_to_channels_last})
            yield Slot(bias.bias, {"4x4/Dense/bias": np.asarray})
            yield from _tf("4x4/Conv", conv)
            continue
        up, conv = layers
        fused, plain = f"{_size(level)}/Conv0_up", f"{_size(level)}/Conv0"
        yield Slot(up.kernel, {f"{fused}/weight": turned_and_swapped, f"{plain}/weight": np.asarray})
        yield Slot(up.bias, {f"{fused}/bias": np.asarray, f"{plain}/bias": np.asarray})
        yield from _tf(f"{_size(level)}/Conv1", conv)
    for level, conv in enumerate(network.to_rgb):
        yield from _tf(f"ToRGB_lod{network.levels - 1 - level}", conv)
    yield Slot(network.lod, {"lod": np.asarray}, otherwise=0.0)


def _pggan_discriminator(network: pggan.Discriminator) -> Iterator[Slot]:
    """StyleGAN's too."""
    for level, block in enumerate(network.from_rgb):
        yield from _tf(f"FromRGB_lod{network.levels - 1 - level}", block.layers[0])
    for level, block in enumerate(network.blocks):
        layers = [layer for layer in block.layers if layer.weights]
        if level == 0:
            conv, hidden, last = layers
            yield from _tf("4x4/Conv", conv)
            yield from _tf("4x4/Dense0", hidden, rows_to_channels_last)
            yield from _tf("4x4/Dense1", last)
            continue
        yield from _tf(f"{_size(level)}/Conv0", layers[0])
        down, plain = f"{_size(level)}/Conv1_down", f"{_size(level)}/Conv1"
        yield Slot(layers[1].kernel, {f"{down}/weight": np.asarray, f"{plain}/weight": np.asarray})
        yield Slot(layers[1].bias, {f"{down}/bias": np.asarray, f"{plain}/bias": np.asarray})
    yield Slot(network.lod, {"lod": np.asarray}, otherwise=0.0)


def _stylegan_generator(network: StyledGenerator) -> Iterator[Slot]:
    dense = [layer for layer in network.mapping.layers if layer.weights]
    yield from _inside(
        "G_mapping", (slot for i, layer in enumerate(dense) for slot in _tf(f"Dense{i}", layer))
    )
    yield Slot(network.w_average, {"dlatent_avg": np.asarray}, otherwise=None if dense else 0.0)
    yield from _inside("G_synthesis", _stylegan_synthesis(network.synthesis))


def _inside(part: str, slots: Iterable[Slot]) -> Iterator[Slot]:
    """Slots whose official names may have that of a part of the network in front."""
    for slot in slots:
        yield slot._replace(names={**slot.names, **{f"{part}/{name}": to for name, to in slot.names.items()}})


def _stylegan_synthesis(synthesis: Any) -> Iterator[Slot]:
    for level, convolutions in enumerate(synthesis.convolutions):
        first, *_, second = [None, *convolutions] if level == 0 else convolutions
        size = _size(level)
        names = [f"{size}/Const" if synthesis.constant is not None else f"{size}/Dense", f"{size}/Conv"]
        names = names if level == 0 else [f"{size}/Conv0_up", f"{size}/Conv1"]
        if first is not None:
            # from 128x128 on the official layer is a transposed convolution, which turns its kernel around
            transform = turned if SMALLEST * 2**level >= 128 else np.asarray
            yield from _tf(names[0], first, transform)
        elif synthesis.constant is not None:
            yield Slot(synthesis.constant, {f"{names[0]}/const": lambda a: channels_last(a)[0]})
        else:
            yield from _tf(names[0], synthesis.dense, columns_to_channels_last)
        yield from _tf(names[1], second)
        for i, (name, epilogue) in enumerate(zip(names, synthesis.epilogues[level], strict=True)):
            yield Slot(epilogue.bias.bias, {f"{name}/bias": np.asarray})
            if epilogue.styled:
                yield from _tf(f"{name}/StyleMod", epilogue.style)
            if epilogue.noise is not None:
                yield Slot(epilogue.noise.strength, {f"{name}/Noise/weight": np.asarray})
                yield Slot(epilogue.noise.constant, {f"noise{2 * level + i}": lambda a: channels_last(a)[0]})
    for level, conv in enumerate(synthesis.to_rgb):
        yield from _tf(f"ToRGB_lod{synthesis.levels - 1 - level}", conv)
    yield Slot(synthesis.lod, {"lod": np.asarray}, otherwise=0.0)


# ----------------------------------------------------------------------------------------------- PyTorch: StyleGAN2


def _torch(name: str, layer: keras.layers.Layer, kernel: Transform) -> Iterator[Slot]:
    """A layer's kernel and bias, those of them that it has."""
    yield Slot(layer.kernel, {f"{name}.weight": kernel})
    if layer.use_bias:
        yield Slot(layer.bias, {f"{name}.bias": np.asarray})


def _mapping(name: str, mapping: keras.Model) -> Iterator[Slot]:
    dense = [layer for layer in mapping.layers if layer.weights]
    if dense[0].name == "embedding":
        yield from _torch(f"{name}.embed", dense.pop(0), np.transpose)
    for i, layer in enumerate(dense):
        yield from _torch(f"{name}.fc{i}", layer, np.transpose)


def _styled(name: str, layer: keras.layers.Layer, kernel: Transform) -> Iterator[Slot]:
    yield from _torch(f"{name}.affine", layer.affine, np.transpose)
    yield Slot(layer.conv.kernel, {f"{name}.weight": kernel})
    yield Slot(layer.bias.bias, {f"{name}.bias": np.asarray})
    if hasattr(layer, "noise"):
        yield Slot(layer.noise.strength, {f"{name}.noise_strength": np.asarray})
        yield Slot(layer.noise.constant, {f"{name}.noise_const": lambda a: a[..., None]})


def _stylegan2_generator(network: StyledGenerator) -> Iterator[Slot]:
    yield from _mapping("mapping", network.mapping)
    yield Slot(network.w_average, {"mapping.w_avg": np.asarray})
    synthesis = network.synthesis
    yield Slot(synthesis.constant, {"synthesis.b4.const": lambda a: np.transpose(a, (1, 2, 0))})
    for level, convolutions in enumerate(synthesis.convolutions):
        block = f"synthesis.b{SMALLEST * 2**level}"
        if level:
            # the official upsampling convolution turns its kernel around
            yield from _styled(f"{block}.conv0", convolutions[0], lambda a: turned(from_torch(a)))
        yield from _styled(f"{block}.conv1", convolutions[-1], from_torch)
        if str(level) in synthesis.to_rgb:
            yield from _styled(f"{block}.torgb", synthesis.to_rgb[str(level)], from_torch)
        if level and synthesis.shortcuts:
            yield from _torch(f"{block}.skip", synthesis.shortcuts[level - 1], from_torch)


def _stylegan2_discriminator(network: stylegan2.Discriminator) -> Iterator[Slot]:
    for level in reversed(range(network.levels)):
        block = f"b{SMALLEST * 2**level}"
        if str(level) in network.from_rgb:
            yield from _torch(f"{block}.fromrgb", network.from_rgb[str(level)], from_torch)
        if level == 0:
            yield from _torch("b4.conv", network.last, from_torch)
            yield from _torch("b4.fc", network.dense, lambda a: rows_to_channels_last(a.T))
            yield from _torch("b4.out", network.logit, np.transpose)
            continue
        first, second = network.convolutions[level - 1]
        yield from _torch(f"{block}.conv0", first, from_torch)
        yield from _torch(f"{block}.conv1", second, from_torch)
        if network.shortcuts:
            yield from _torch(f"{block}.skip", network.shortcuts[level - 1], from_torch)
    if hasattr(network, "classes"):
        yield from _mapping("mapping", network.classes)


# ---------------------------------------------------------------------------------------------------------- layouts


def from_torch(kernel: np.ndarray) -> np.ndarray:
    """(out, in, height, width) -> (height, width, in, out)."""
    return np.transpose(kernel, (2, 3, 1, 0))


def channels_last(images: np.ndarray) -> np.ndarray:
    """(n, channels, height, width) -> (n, height, width, channels)."""
    return np.transpose(images, (0, 2, 3, 1))


def turned(kernel: np.ndarray) -> np.ndarray:
    """A kernel (height, width, in, out), turned around by half a circle."""
    return kernel[::-1, ::-1]


def turned_and_swapped(kernel: np.ndarray) -> np.ndarray:
    """A transposed convolution's kernel (height, width, out, in) -> (height, width, in, out), turned around."""
    return turned(np.transpose(kernel, (0, 1, 3, 2)))


def columns_to_channels_last(kernel: np.ndarray) -> np.ndarray:
    """A dense kernel whose outputs are a 4x4 image, (in, channels * 16) -> (in, 16 * channels)."""
    parts = kernel.reshape(len(kernel), -1, SMALLEST, SMALLEST)
    return np.transpose(parts, (0, 2, 3, 1)).reshape(kernel.shape)


def rows_to_channels_last(kernel: np.ndarray) -> np.ndarray:
    """A dense kernel whose inputs are a 4x4 image, (channels * 16, out) -> (16 * channels, out)."""
    return columns_to_channels_last(kernel.T).T
