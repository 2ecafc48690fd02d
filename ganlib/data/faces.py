"""Cartoon faces in colour, drawn for ever, with every factor known: portraits that need no download and no consent.

The parts are ToonHead's, by Johan Melin (CC BY 4.0; the text is in embedded/LICENSE-faces.txt), and so are the palettes
of skin, hair and clothes. Backgrounds and poses are ours. Face i is a pure function of (seed, split, i), and the same
at every resolution.

| factor | values |
|---|---|
| beard, clothes, eyebrows, eyes, mouth, hair, rear_hair | parts, of beard and rear_hair also none |
| skin, hair_colour, clothes_colour | palettes; eyebrows and beards have the colour of the hair |
| background | four days, and a night for each of them |
| flip | whether all of it is mirrored left to right |
| rotation, scale, x, y | of the figure: radians anticlockwise, a factor, half sides to the right and up |

`FACTORS` and `POSE` name them all. Each is drawn evenly and by itself, so the classes of any product of factors are
equally frequent, unless a long tail is asked for.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ganlib import randomness
from ganlib.data import faces_drawing
from ganlib.data.faces_drawing import BACKGROUNDS, CLOTHES_COLOURS, DAYS, HAIR_COLOURS, SKINS
from ganlib.data.sources import Request, StreamSource, integer, known, number, one_of, stream_split
from ganlib.errors import InputError

FACTORS: dict[str, tuple[str, ...]] = {
    "beard": ("none", "moustache_twirl", "full_beard", "chin", "chin_moustache", "long_beard"),
    "clothes": ("turtle_neck", "open_jacket", "dress", "shirt", "t_shirt"),
    "eyebrows": ("raised", "angry", "happy", "sad", "neutral"),
    "eyes": ("happy", "wide", "bow", "humble", "wink"),
    "mouth": ("laugh", "angry", "agape", "smile", "sad"),
    "hair": ("side_combed", "undercut", "spiky", "bun"),
    "rear_hair": ("none", "long_straight", "long_wavy", "shoulder_high", "neck_high"),
    "skin": tuple(SKINS),
    "hair_colour": tuple(HAIR_COLOURS),
    "clothes_colour": tuple(CLOTHES_COLOURS),
    "background": tuple(BACKGROUNDS),
    "flip": ("no", "yes"),
}
# Lowest and highest: beyond them the figure would leave the image, or end above its lower edge.
POSE: dict[str, tuple[float, float]] = {
    "rotation": (-0.12, 0.12),
    "scale": (0.8, 1.0),
    "x": (-0.1, 0.1),
    "y": (-0.04, 0.04),
}
SMALLEST, LARGEST = 16, 256
_DRAWN = (
    20  # numbers for each face: one a factor, one for its class if there is a long tail, and some to spare
)

Painter = Callable[[list[dict], int, int], np.ndarray]  # (faces, resolution, channels) -> uint8 images


def source(
    request: Request,
    *,
    factors: Mapping[str, Any] | None = None,
    classes: str | Sequence[str] = "hair",
    imbalance: float = 1.0,
    size: int | None = None,
) -> StreamSource:
    """Faces, 64x64 RGB by default.

    Args:
        request: what every source understands.
        factors: of some factors the only value, or those to draw from: the name of a value or several names, a number
            of the pose or (lowest, highest). What is not named, and each face with the same index, stays as it is.
        classes: the factor that is the label, or several: then each combination of values is a class, the last factor
            changing fastest. `load(labels=...)` sets it.
        imbalance: how many times as frequent as the last class the first is; in between frequencies fall exponentially,
            see `frequencies`.
        size: draw only from this many faces; None for as many as wanted (the test split then has 2,000).
    """
    return _drawn(request, [faces_drawing.faces], factors, classes, imbalance, size)


def outline_to_face(request: Request, *, size: int | None = None) -> StreamSource:
    """Outlines, black on white, and the faces, 64x64 RGB by default."""
    outline = functools.partial(faces_drawing.faces, lines=True)
    return _drawn(request, [outline, faces_drawing.faces], size=size)


def beard_to_none(request: Request, *, size: int | None = None) -> StreamSource:
    """Faces with a beard, and the same without; 64x64 RGB by default."""
    shaven = _changed("beard", lambda beard: "none")
    return _drawn(request, [faces_drawing.faces, shaven], {"beard": FACTORS["beard"][1:]}, size=size)


def day_to_night(request: Request, *, size: int | None = None) -> StreamSource:
    """Faces before a day's background, and before the night of that day; 64x64 RGB by default."""
    names = FACTORS["background"]
    night = _changed("background", lambda day: names[names.index(day) + DAYS])
    return _drawn(request, [faces_drawing.faces, night], {"background": names[:DAYS]}, size=size)


def render(factors: Mapping[str, Any], resolution: int = 64, channels: int = 3) -> np.ndarray:
    """Faces with the factors given: float32 (n, resolution, resolution, channels) in [-1, 1].

    Args:
        factors: of each factor one value for all, or one a face: names or their numbers; of the pose numbers. What
            `details` of a dataset gives can be given here. A factor left out has its first value, or is in the middle.
        resolution: 16 to 256.
        channels: 1 or 3.

    Raises:
        InputError: a factor or value that is not known, or sequences of different lengths.
    """
    _known_factors(factors)
    columns = {}
    for name in (*FACTORS, *POSE):
        default = FACTORS[name][0] if name in FACTORS else sum(POSE[name]) / 2
        values = factors.get(name, default)
        one = isinstance(values, str) or not np.ndim(values)
        columns[name] = [_value(name, value) for value in ([values] if one else values)]
    count = max(map(len, columns.values()))
    for name, column in columns.items():
        if len(column) not in (1, count):
            raise InputError(
                f"factors[{name!r}] has {len(column)} values, another {count}: give one, or as many"
            )
    table = np.array([column * (count // len(column)) for column in columns.values()], np.float32).T
    resolution = integer("resolution", resolution, SMALLEST, LARGEST)
    images = faces_drawing.faces(_named(table), resolution, one_of("channels", channels, (1, 3)))
    return images.astype(np.float32) * np.float32(2 / 255) - np.float32(1)


def frequencies(num_classes: int, imbalance: float) -> np.ndarray:
    """Shares of the classes, float64 (num_classes,), from the most frequent to the rarest, adding up to 1.

    They fall exponentially, as those of the long-tailed CIFAR of Cui, Jia, Lin, Song, Belongie (CVPR 2019,
    arXiv:1901.05555, section 5.1): class k of K has imbalance ** (-k / (K - 1)) times the share of the first.
    """
    shares = float(imbalance) ** (-np.arange(num_classes) / max(1, num_classes - 1))
    return shares / shares.sum()


def _drawn(
    request: Request,
    painters: Sequence[Painter],
    factors: Mapping[str, Any] | None = None,
    classes: str | Sequence[str] = "hair",
    imbalance: float = 1.0,
    size: int | None = None,
) -> StreamSource:
    """Faces as painters paint them, the pictures of each one behind the other in the channels."""
    resolution, channels = request.resolution or 64, request.channels or 3
    if not SMALLEST <= resolution <= LARGEST:
        raise InputError(f"resolution={resolution} is out of range for faces: give {SMALLEST} to {LARGEST}")
    factors = {} if factors is None else factors
    choices, classes = _choices(factors), _checked_classes(classes)
    counts = [len(FACTORS[name]) for name in classes]
    if number("imbalance", imbalance, 1) != 1 and (both := [name for name in classes if name in factors]):
        raise InputError(
            f"imbalance={imbalance} is about the classes, and factors sets {both[0]!r}: give one of both"
        )
    ends = None if imbalance == 1 else np.cumsum(frequencies(math.prod(counts), imbalance))
    size = stream_split(request, size, test=2_000)
    key = randomness.key_of(request.seed, f"faces/{request.split}")
    columns = [[*FACTORS].index(name) for name in classes]

    def table(u):
        found = np.stack([choice(u[:, i]) for i, choice in enumerate(choices)], axis=1)
        if ends is not None:
            chosen = np.searchsorted(ends[:-1], u[:, len(choices)], side="right")
            found[:, columns] = np.stack(np.unravel_index(chosen, counts), axis=1)
        return found

    def paint(u):
        found = table(u)
        named = _named(found)
        images = np.concatenate([painter(named, resolution, channels) for painter in painters], axis=-1)
        labels = np.ravel_multi_index(tuple(found[:, columns].astype(np.int64).T), counts)
        return images, labels.astype(np.int32)

    def draw(start, n):
        u = randomness.uniform(key, 0, start, (n, _DRAWN))
        return tf.numpy_function(paint, [u], (tf.uint8, tf.int32), stateful=False)

    def details(start, n):
        found = table(randomness.uniform(key, 0, start, (n, _DRAWN)).numpy()).T
        kinds = [np.int32] * len(FACTORS) + [np.float32] * len(POSE)
        return {
            name: row.astype(kind) for name, row, kind in zip((*FACTORS, *POSE), found, kinds, strict=True)
        }

    shape = (resolution, resolution, channels * len(painters))
    names = [", ".join(values) for values in _product(classes)]
    return StreamSource(**known(request, shape, size, names), draw=draw, details=details)


def _changed(name: str, change: Callable[[str], str]) -> Painter:
    """A painter of the same faces with another value of a factor."""

    def paint(table, resolution, channels):
        table = [{**face, name: change(face[name])} for face in table]
        return faces_drawing.faces(table, resolution, channels)

    return paint


def _named(table: np.ndarray) -> list[dict]:
    """A dictionary for each row of a table float32 (n, factors): names of values, numbers of the pose."""
    found = []
    for row in table:
        kinds = {name: values[int(k)] for (name, values), k in zip(FACTORS.items(), row, strict=False)}
        found.append(kinds | dict(zip(POSE, row[len(FACTORS) :], strict=True)))
    return found


def _product(classes: Sequence[str]) -> list[tuple[str, ...]]:
    """The values that make each class, in the order of their numbers."""
    grid = np.indices([len(FACTORS[name]) for name in classes]).reshape(len(classes), -1).T
    return [tuple(FACTORS[name][k] for name, k in zip(classes, row, strict=True)) for row in grid]


def _checked_classes(classes: Any) -> tuple[str, ...]:
    names = tuple(classes) if isinstance(classes, tuple | list) else (classes,)
    wrong = [name for name in names if name not in FACTORS]
    if wrong or not names or len(set(names)) < len(names):
        about = (
            f"{wrong[0]!r} is no factor with classes"
            if wrong
            else "each factor can be named once, one at least"
        )
        raise InputError(f"labels={classes!r}: {about}; give some of {', '.join(FACTORS)}")
    return names


def _known_factors(factors: Any) -> None:
    if not isinstance(factors, Mapping):
        raise InputError(f"factors={factors!r} is no dictionary: give one, such as {{'mouth': 'smile'}}")
    for name in factors:
        if name not in FACTORS and name not in POSE:
            raise InputError(f"faces have no factor {name!r}: give some of {', '.join([*FACTORS, *POSE])}")


def _choices(factors: Mapping[str, Any]) -> list[Callable[[np.ndarray], np.ndarray]]:
    """For each factor, in order, a function of uniform numbers float32 (n,) to its values float32 (n,)."""
    _known_factors(factors)
    found = []
    for name, names in FACTORS.items():
        given = factors.get(name, range(len(names)))
        given = [given] if isinstance(given, str) or not np.ndim(given) else [*given]
        if not given:
            raise InputError(f"factors[{name!r}] is empty: give some of {', '.join(names)}")
        found.append(
            functools.partial(_among, np.array([_value(name, value) for value in given], np.float32))
        )
    for name, limits in POSE.items():
        given = factors.get(name, limits)
        ends = [_value(name, value) for value in (given if np.ndim(given) else [given])]
        if len(ends) > 2 or not ends or ends[0] > ends[-1]:
            raise InputError(f"factors[{name!r}]={given!r}: give a number, or (lowest, highest)")
        found.append(functools.partial(_between, np.float32(ends[0]), np.float32(ends[-1])))
    return found


def _among(values: np.ndarray, u: np.ndarray) -> np.ndarray:
    return values[np.minimum((u * np.float32(len(values))).astype(np.int64), len(values) - 1)]


def _between(low: np.float32, high: np.float32, u: np.ndarray) -> np.ndarray:
    return low + (high - low) * u


def _value(name: str, value: Any) -> float:
    """The number of a value of a factor, or an InputError that says what it may be."""
    if name in POSE:
        low, high = POSE[name]
        value = number(f"factors[{name!r}]", value, -math.inf)
        if not low - 1e-6 <= value <= high + 1e-6:
            raise InputError(f"factors[{name!r}]={value} is out of range: give a number from {low} to {high}")
        return value
    names = FACTORS[name]
    if isinstance(value, str) and value in names:
        return names.index(value)
    if not isinstance(value, str | bool) and isinstance(value, int | np.integer) and 0 <= value < len(names):
        return int(value)
    raise InputError(f"factors[{name!r}] has no value {value!r}: give some of {', '.join(names)}")
