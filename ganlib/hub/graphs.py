"""What a SavedModel is, read off its file before TensorFlow loads it: its signature, and whether its graph is harmless.

A graph is refused for an operation that

- keeps state and is not among those of variables, function calls, random numbers and arrays (so queues, tables,
  iterators, sockets, printing to files and Python functions are out, known today or not);
- touches files, connections or Python code without being marked as one that keeps state;
- TensorFlow does not know here, or for a function that has the name of an operation.

Every SavedModel has operations that save and restore it. They are let pass where only TensorFlow's own saver comes by,
and refused where images, an initialisation or a function of the module do.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from ganlib.errors import InputError

FILE = "saved_model.pb"

# Operations that are marked as keeping state, and may be there.
_STATE = re.compile(
    r"VarHandleOp|VarIsInitializedOp|Variable(V2|Shape)?|TemporaryVariable|ReadVariableOp|Assign(Add|Sub)?VariableOp"
    r"|ResourceGather(Nd)?|DisableCopyOnRead|StatefulPartitionedCall|If|While|Case|Assert|CheckNumerics(V2)?"
    r"|GuaranteeConst|Random\w+|TruncatedNormal|Multinomial|ParameterizedTruncatedNormal|Stateful(Uniform\w*|\w*Normal\w*)"
    r"|StatelessRandomGetAlg|TensorArray\w*|Stack(Push|Pop|Close)?(V2)?|Empty|Print"
)
_NOT_RANDOM = re.compile(r"Random\w*(Dataset|Queue|Crop)\w*")
# Operations that are not marked so, and may not.
_OUTSIDE = re.compile(
    r".*(File|Dataset|Debug|PyFunc|Proto|Snapshot|Summary|Reader|Remote|Rpc|Tpu|TPU|Xla|Vocab|Restore|Save|Custom).*"
    r"|ImmutableConst|Copy(Host)?"
)
_SAVER = ("MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename")


class Signature(NamedTuple):
    """What a module takes and gives.

    Attributes:
        name: Of the signature.
        tags: Of the graph that has it, for the loader; None: what the loader finds.
        latent_dim: Numbers of z.
        num_classes: Numbers of y; None: there is no y.
        truncation: Whether there is an input of that name.
        output: Name of the images.
        image_shape: (height, width, channels), or (coordinates,); None where the signature does not say.
    """

    name: str
    tags: list[str] | None
    latent_dim: int
    num_classes: int | None
    truncation: bool
    output: str
    image_shape: tuple[int, ...] | None


def read(folder: Path) -> Any:
    """The SavedModel in a folder, as TensorFlow would read it.

    Raises:
        InputError: There is none, or it is damaged.
    """
    path = folder / FILE
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except OSError:
        raise InputError(
            f"{folder} is no SavedModel (it has no {FILE} that can be read): give the folder of a TF-Hub module, or "
            "one that ganlib.hub.export wrote"
        ) from None
    except DecodeError as error:
        raise InputError(f"{path} is damaged ({error}): copy or export the module again") from None
    if not model.meta_graphs:
        raise InputError(f"{path} holds no graph: copy or export the module again")
    return model


def signature_of(model: Any, folder: Path) -> Signature:
    """The signature of a SavedModel that takes z: "default", if that does.

    Raises:
        InputError: No signature takes z, or it is not a generator's.
    """
    found = [
        (graph, name, entry)
        for graph in model.meta_graphs
        for name, entry in sorted(graph.signature_def.items(), key=lambda item: item[0] != "default")
        if not name.startswith("__") and "train" not in graph.meta_info_def.tags
    ]
    graph, name, entry = next((one for one in found if "z" in one[2].inputs), (None, "", None))
    if graph is None:
        listed = "; ".join(
            f"{name}: {', '.join(sorted(entry.inputs)) or 'nothing'}" for _, name, entry in found
        )
        raise InputError(
            f"{folder} is no generator: no signature of it has the input z ({listed or 'it has none'})"
        )
    tags = list(graph.meta_info_def.tags)
    return _checked(folder, name, tags if len(model.meta_graphs) > 1 or not tags else None, entry)


def _checked(folder: Path, name: str, tags: list[str] | None, entry: Any) -> Signature:
    """The signature, if it is a generator's."""
    from tensorflow import as_dtype

    where = f"{folder} is no generator that ganlib can use: its signature {name!r}"
    inputs = {key: (as_dtype(info.dtype), _shape(info)) for key, info in entry.inputs.items()}
    more = sorted(set(inputs) - {"z", "y", "truncation"})
    if more:
        raise InputError(f"{where} also asks for {', '.join(more)}, not only z, y and truncation")
    for key, rank in (("z", 2), ("y", 2), ("truncation", 0)):
        if key not in inputs:
            continue
        dtype, shape = inputs[key]
        sized = shape is not None and len(shape) == rank and (rank == 0 or (shape[0] is None and shape[1]))
        if dtype.name != "float32" or not sized:
            wanted = "()" if rank == 0 else f"(any number, {'dim_z' if key == 'z' else 'classes'})"
            raise InputError(
                f"{where} has {key} of {dtype.name} {shape}, where float32 {wanted} was expected"
            )
    output = "default" if "default" in entry.outputs else next(iter(entry.outputs), None)
    if output is None or (output != "default" and len(entry.outputs) > 1):
        raise InputError(
            f"{where} gives {', '.join(sorted(entry.outputs)) or 'nothing'}, and none of it is 'default'"
        )
    shape = _shape(entry.outputs[output])
    if as_dtype(entry.outputs[output].dtype).name != "float32" or (
        shape is not None and len(shape) not in (2, 4)
    ):
        raise InputError(
            f"{where} gives {shape}, where float32 images (n, height, width, channels) were expected"
        )
    known = shape is not None and None not in shape[1:]
    return Signature(
        name,
        tags,
        inputs["z"][1][1],
        inputs["y"][1][1] if "y" in inputs else None,
        "truncation" in inputs,
        output,
        tuple(shape[1:]) if known else None,
    )


def _shape(info: Any) -> list[int | None] | None:
    """The shape of a TensorInfo; None: of unknown rank."""
    if info.tensor_shape.unknown_rank:
        return None
    return [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]


def refuse_harmful(graph: Any, folder: Path) -> None:
    """Check the operations of a graph and of all its functions.

    Raises:
        InputError: One is of a kind that a generator does not need and that could do harm.
    """
    functions = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    for name in functions:
        if op_def_registry.get(name) is not None:
            raise InputError(
                f"{folder} is refused: its function {name!r} is called as one of TensorFlow's operations: look where "
                "the module comes from"
            )
    used = _used(graph, functions)
    nodes = [(node, node.name in used.nodes) for node in graph.graph_def.node]
    nodes += [(node, name in used.functions) for name, body in functions.items() for node in body]
    for node, runs in nodes:
        if node.op in functions or (node.op in _SAVER and not runs):
            continue
        reason = _harm(node.op)
        if reason:
            raise InputError(
                f"{folder} is refused: its operation {node.name!r}, a {node.op}, {reason}; a generator needs none: "
                "look where the module comes from"
            )


def _harm(op: str) -> str | None:
    """Why an operation is refused; None: it is not."""
    known = op_def_registry.get(op)
    if known is None:
        return "is none that TensorFlow has here"
    if known.is_stateful and not (_STATE.fullmatch(op) and not _NOT_RANDOM.fullmatch(op)):
        return "can reach files, connections or Python code, or keeps state"
    if not known.is_stateful and _OUTSIDE.fullmatch(op):
        return "can reach files, connections or Python code"
    return None


class _Used(NamedTuple):
    """Names of nodes and of functions that run for a signature, at the start, or as a function of the module."""

    nodes: set[str]
    functions: set[str]


def _used(graph: Any, functions: dict[str, Any]) -> _Used:
    by_name = {node.name: node for node in graph.graph_def.node}
    waiting = [
        info.name
        for entry in graph.signature_def.values()
        for info in (*entry.inputs.values(), *entry.outputs.values())
    ]
    for (
        collection
    ) in graph.collection_def.values():  # what TF1 runs when a model is loaded is in some of them
        waiting += collection.node_list.value
    nodes: set[str] = set()
    called = list(graph.object_graph_def.concrete_functions)
    called += [gradient.gradient_func for gradient in graph.graph_def.library.gradient]
    while waiting:
        name = waiting.pop().lstrip("^").split(":")[0]
        if name in nodes or name not in by_name:
            continue
        nodes.add(name)
        waiting += by_name[name].input
        called += _calls(by_name[name], functions)
    reached: set[str] = set()
    while called:
        name = called.pop()
        if name not in reached and name in functions:
            reached.add(name)
            called += [call for node in functions[name] for call in _calls(node, functions)]
    return _Used(nodes, reached)


def _calls(node: Any, functions: Iterable[str]) -> Iterator[str]:
    """Functions that a node calls, by its kind or by its attributes."""
    if node.op in functions:
        yield node.op
    for value in node.attr.values():
        yield from (one.name for one in (value.func, *value.list.func) if one.name)
