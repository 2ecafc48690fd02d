"""What a source of data is: arrays in memory, or rows drawn from a random stream."""

import difflib
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ganlib.errors import DataError, InputError
from ganlib.hashes import hash_of

SMALLEST, LARGEST = 4, 1024


@dataclass(frozen=True)
class Request:
    """The arguments of `load` that every source understands."""

    name: str
    split: str
    resolution: int | None
    channels: int | None
    seed: int
    full: bool


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is known about a set of examples before any is read.

    Attributes:
        name: as given to `load`.
        split: "train", "test", or what the source calls it.
        shape: of one example: (height, width, channels) of an image, (coordinates,) of a point.
        num_classes: None if the source has no labels.
        class_names: one a class, or None.
        size: the number of distinct examples; None if infinite.
        seed: shuffles, and of a random stream also decides the content.
        centers: (num_classes, coordinates) float32: where the modes of a toy are; None elsewhere.
    """

    name: str
    split: str
    shape: tuple[int, ...]
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None
    size: int | None = None
    seed: int = 0
    centers: np.ndarray | None = field(default=None, repr=False)

    @property
    def fingerprint(self) -> str | None:
        """Hash of the examples and their labels; None of those that are drawn."""
        return None


@dataclass(frozen=True, kw_only=True)
class ArraySource(Source):
    """Examples in memory: uint8 images (n, height, width, channels), or float32 points (n, coordinates)."""

    examples: np.ndarray = field(repr=False)
    labels: np.ndarray | None = field(default=None, repr=False)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of the examples and their labels."""
        return hash_of(self.examples, self.labels)


@dataclass(frozen=True, kw_only=True)
class StreamSource(Source):
    """Examples computed when they are asked for.

    Attributes:
        draw: (start, n) -> (examples, labels int32 or None), in TensorFlow operations. Examples are uint8
            images or float32 points. Row i is a pure function of the seed and start + i: it does not depend
            on n.
        details: (start, n) -> what the rows were drawn from, as NumPy arrays by name; None if there is
            nothing more.
    """

    draw: Callable[[Any, Any], tuple[tf.Tensor, tf.Tensor | None]] = field(repr=False)
    details: Callable[[int, int], dict[str, np.ndarray]] | None = field(default=None, repr=False)


def known(
    request: Request, shape: tuple[int, ...], size: int | None, class_names: Sequence[str] | None = None
) -> dict[str, Any]:
    """What every `Source` is made with."""
    classes = (
        {} if class_names is None else {"num_classes": len(class_names), "class_names": tuple(class_names)}
    )
    return {
        "name": request.name,
        "split": request.split,
        "seed": request.seed,
        "shape": shape,
        "size": size,
    } | classes


def array_source(
    request: Request,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
) -> ArraySource:
    """Check `images` and `labels` and make a source of them.

    Args:
        request: name, split and seed are taken from it.
        images: uint8 (n, height, width, channels), or float32 points (n, coordinates).
        labels: integers (n,) in [0, len(class_names)).
        class_names: names of the classes.

    Raises:
        DataError: no examples, as many labels as there are not examples, or a label out of range.
    """
    if len(images) == 0:
        raise DataError(f"{request.name!r} ({request.split}) has no examples")
    if labels is not None:
        labels = np.asarray(labels).reshape(-1)
        if len(labels) != len(images):
            raise DataError(
                f"{request.name!r} has {len(images)} examples and {len(labels)} labels: "
                "give one label an example"
            )
        outside = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
        if len(outside):
            raise DataError(
                f"label {labels[outside[0]]} of example {outside[0]} of {request.name!r} is out of range: "
                f"labels are integers from 0 to {len(class_names) - 1}"
            )
        labels = labels.astype(np.int32)
    described = known(request, images.shape[1:], len(images), None if labels is None else class_names)
    return ArraySource(**described, examples=images, labels=labels)


def checked_request(
    name: str, split: Any, resolution: Any, channels: Any, seed: Any, full: Any, has_full: str
) -> Request:
    """The request for such data, of which only `has_full` has more than ships with ganlib; or an InputError."""
    one_of("channels", channels, (None, 1, 3))
    if resolution is not None:
        resolution = integer("resolution", resolution, SMALLEST, LARGEST)
    if not isinstance(split, str):
        raise InputError(f"split={split!r} is not text: give 'train' or 'test'")
    if full and name != has_full:
        raise InputError(f"full=True is for {has_full!r} only, {name!r} is always whole: leave it out")
    return Request(name, split, resolution, channels, integer("seed", seed, 0), bool(full))


def builder(
    kind: str,
    name: Any,
    options: Iterable[str],
    sources: dict[str, tuple[Callable[..., Source], str]],
    prefixes: dict[str, Callable[..., Source]],
    names: Sequence[str],
    arguments: Sequence[str] = (),
) -> Callable[..., Source]:
    """The function of a request and `options` that makes the source `name`.

    Args:
        kind: what is asked for, for messages.
        name: a name in `sources`, or "prefix:" and what goes to the source before the request.
        options: of the source, all of which it has to have.
        sources: name -> function, and what it is.
        prefixes: prefix -> function.
        names: of all that there is.
        arguments: of the caller; one that is nearly an option is named.

    Raises:
        InputError: there is no such name, or it has no such option.
    """
    if not isinstance(name, str):
        raise InputError(f"name={name!r} is not text: give one of {', '.join(names)}")
    prefix, colon, rest = name.partition(":")
    if name in sources:
        build = sources[name][0]
    elif colon and prefix in prefixes:
        if not rest:
            example = next(known for known in names if known.startswith(name))
            raise InputError(f"{name!r} lacks what follows the colon: give {example}")
        build = functools.partial(prefixes[prefix], rest)
    else:
        plain = name.lower().replace("-", "_").replace(" ", "_")
        close = difflib.get_close_matches(plain, [*sources, *(f"{prefix}:" for prefix in prefixes)], n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"give one of {', '.join(names)}"
        if not close and Path(name).expanduser().is_dir():
            hint = f"for the images in that folder give 'folder:{name}'"
        raise InputError(f"no {kind} called {name!r}: {hint}")
    has = [p.name for p in inspect.signature(build).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in has:
            close = difflib.get_close_matches(option, [*has, *arguments], n=1) if arguments else []
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(has) or 'none of its own'}"
            raise InputError(f"{name!r} has no option {option!r}: {hint}")
    return build


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as an int from `low` to `high`, or an InputError that says what `name` should be."""
    expected = f"at least {low}" if high is None else f"from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{name}={value!r} is not a whole number: give an integer {expected}")
    if value < low or (high is not None and value > high):
        raise InputError(f"{name}={value} is out of range: give an integer {expected}")
    return int(value)


def number(name: str, value: Any, low: float, above: bool = False) -> float:
    """`value` as a finite float of at least `low` (`above`: more than `low`), or an InputError."""
    expected = f"{'more than' if above else 'at least'} {low:g}"
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name}={value!r} is not a number: give one of {expected}") from None
    if not np.isfinite(result) or result < low or (above and result == low):
        raise InputError(f"{name}={value} is out of range: give a number of {expected}")
    return result


def one_of(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """`value`, or an InputError that lists what is allowed."""
    if value not in allowed:
        raise InputError(f"{name}={value!r} is not known: give one of {', '.join(map(repr, allowed))}")
    return value


def check_memory(name: str, count: int, shape: Sequence[int]) -> None:
    """Refuse uint8 images that would not fit into this machine's memory, before they are read.

    Raises:
        DataError: they need more than three quarters of the memory.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return
    needed = count * int(np.prod(shape))
    if needed > 0.75 * memory:
        raise DataError(
            f"{name!r}: {count} images of {'x'.join(map(str, shape))} need {needed / 2**30:.1f} GiB of "
            f"memory, this machine has {memory / 2**30:.1f}: choose a lower resolution or fewer images"
        )


def stream_split(request: Request, size: int | None, test: int) -> int | None:
    """The number of examples of something generated: `size`, or without end for train and `test` for test."""
    one_of("split", request.split, ("train", "test"))
    if size is not None:
        return integer("size", size, 1)
    return None if request.split == "train" else test


def pixel_centres(resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels' centres in [-1, 1]: x of the columns, left to right, y of the rows, top to bottom."""
    x = ((2 * np.arange(resolution) + 1) / resolution - 1).astype(np.float32)
    return x, -x
