"""ADA's 18 transforms as one callable: Karras et al. 2020, arXiv:2006.06676, appendix B.

Read beside NVlabs/stylegan2-ada-pytorch `training/augment.py`, whose names, strengths and ranges these are. Images pass
through at most five stages; one whose strengths are all zero is left out.

    blitting and geometry    xflip, rotate90, xint; scale, rotate, aniso, xfrac: one affine map of the plane
    colour                   brightness, contrast, lumaflip, hue, saturation: one affine map of colours
    filter                   imgfilter: four bands, each weaker or stronger
    noise, and then cutout

What is drawn and what is done with it are apart: `draw` makes `Draws` of the streams, `percentile_draws` the official
code's test values, and a call of the pipeline is a function of images, draws and p.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ganlib.arguments import require_known, require_not_negative
from ganlib.augment import transforms
from ganlib.errors import InputError
from ganlib.randomness import RandomStreams

# transform -> how many numbers are drawn for it: uniform ones in [0, 1), and standard normal ones. `rotate` is two
# rotations, before and after `aniso`.
UNIFORM = {
    "xflip": 1, "rotate90": 1, "xint": 2, "rotate": 1, "rotate_after": 1, "lumaflip": 1, "hue": 1, "cutout": 2,
}  # fmt: skip
NORMAL = {
    "scale": 1, "aniso": 1, "xfrac": 2, "brightness": 1, "contrast": 1, "saturation": 1, "imgfilter": 4, "noise": 1,
}  # fmt: skip
# How many gates: each of imgfilter's bands has its own.
GATES = {name: 4 if name == "imgfilter" else 1 for name in (*UNIFORM, *NORMAL)}

# The strengths of the official code's presets; ADA's choice is "bgc" (section 3).
_BLIT = {"xflip": 1, "rotate90": 1, "xint": 1}
_GEOMETRY = {"scale": 1, "rotate": 1, "aniso": 1, "xfrac": 1}
_COLOUR = {"brightness": 1, "contrast": 1, "lumaflip": 1, "hue": 1, "saturation": 1}
PIPELINES = {
    "blit": _BLIT,
    "geom": _GEOMETRY,
    "color": _COLOUR,
    "filter": {"imgfilter": 1},
    "noise": {"noise": 1},
    "cutout": {"cutout": 1},
    "bg": {**_BLIT, **_GEOMETRY},
    "bgc": {**_BLIT, **_GEOMETRY, **_COLOUR},
    "bgcf": {**_BLIT, **_GEOMETRY, **_COLOUR, "imgfilter": 1},
    "bgcfn": {**_BLIT, **_GEOMETRY, **_COLOUR, "imgfilter": 1, "noise": 1},
    "bgcfnc": {**_BLIT, **_GEOMETRY, **_COLOUR, "imgfilter": 1, "noise": 1, "cutout": 1},
}


class Draws(NamedTuple):
    """What is drawn for n images.

    Attributes:
        numbers: Transform -> (n, k): how far it goes; uniform in [0, 1) or standard normal, see `UNIFORM`, `NORMAL`.
        gates: Transform -> (n, 1), of imgfilter (n, 4), uniform in [0, 1): it is done where the gate is below its
            probability.
        pixels: (n, h, w, c), standard normal: the noise itself; None where there is none.
    """

    numbers: dict[str, tf.Tensor]
    gates: dict[str, tf.Tensor]
    pixels: tf.Tensor | None = None


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """Transforms of these strengths: each is done with probability strength * p.

        pipeline = Pipeline(**PIPELINES["bgc"])
        pipeline(images, pipeline.draw(streams, images.shape), p=0.3)

    Raises:
        InputError: A strength or a range is no number of at least 0.
    """

    xflip: float = 0  # left becomes right
    rotate90: float = 0  # by 0, 90, 180 or 270 degrees
    xint: float = 0  # shifted by whole pixels
    xint_max: float = 0.125  # at most, in shares of width and height

    scale: float = 0
    rotate: float = 0
    aniso: float = 0  # wider and lower, or the other way round
    xfrac: float = 0  # shifted by parts of pixels
    scale_std: float = 0.2  # standard deviation of the factor's logarithm to base 2
    rotate_max: float = 1  # 1: full circle
    aniso_std: float = 0.2  # as scale_std
    xfrac_std: float = 0.125  # in shares of width and height

    brightness: float = 0
    contrast: float = 0
    lumaflip: float = 0  # bright becomes dark, at the same hue
    hue: float = 0  # colour images only
    saturation: float = 0  # colour images only
    brightness_std: float = 0.2
    contrast_std: float = 0.5  # as scale_std
    hue_max: float = 1  # 1: full circle
    saturation_std: float = 1  # as scale_std

    imgfilter: float = 0
    imgfilter_bands: Sequence[float] = (1, 1, 1, 1)  # strengths of its bands, from the lowest on
    imgfilter_std: float = 1  # as scale_std

    noise: float = 0
    cutout: float = 0
    noise_std: float = 0.1  # of the noise's standard deviation
    cutout_size: float = 0.5  # of the rectangle, in shares of width and height

    def __post_init__(self):
        values = dataclasses.asdict(self)
        bands = values.pop("imgfilter_bands")
        require_not_negative(example="1", **values)
        if len(bands) != 4:
            raise InputError(f"imgfilter_bands={bands!r}: give four strengths, like (1, 1, 1, 1)")
        require_not_negative(example="1", **{f"imgfilter_bands[{i}]": band for i, band in enumerate(bands)})

    # ------------------------------------------------------------------------------------------- draws

    def draw(self, streams: RandomStreams, shape: Sequence) -> Draws:
        """The draws for images of `shape` (n, h, w, c), of this step and pass: rows are the batch's."""
        n = shape[0]
        uniform = streams.uniform("uniform", [n, sum(UNIFORM.values())])
        normal = streams.normal("normal", [n, sum(NORMAL.values())])
        gates = streams.uniform("gates", [n, sum(GATES.values())])
        pixels = streams.normal("pixels", shape) if self.noise else None
        return Draws(_named(uniform, UNIFORM) | _named(normal, NORMAL), _named(gates, GATES), pixels)

    def percentile_draws(self, q: float, n: int, pixels: tf.Tensor | None = None) -> Draws:
        """What the official code's `debug_percentile` has: every transform is done, whatever p is, as far as q says.

        Uniform numbers are q. Normal ones are erfinv(2q - 1), and noise is erfinv(q): those are not the percentiles of
        the standard normal distribution, which have a factor of sqrt(2) more, but what that code has. `rotate_after`
        does nothing.

        Args:
            q: In [0, 1].
            n: Images.
            pixels: (n, h, w, c), for noise.
        """
        normal = tf.math.erfinv(tf.constant(2.0 * q - 1.0))
        numbers = {name: tf.fill([n, columns], float(q)) for name, columns in UNIFORM.items()}
        numbers |= {name: tf.fill([n, columns], normal) for name, columns in NORMAL.items()}
        numbers["noise"] = tf.fill([n, 1], tf.math.erfinv(tf.constant(float(q))))
        gates = {name: tf.fill([n, columns], -1.0) for name, columns in GATES.items()}
        gates["rotate_after"] = tf.fill([n, 1], math.inf)
        return Draws(numbers, gates, pixels)

    # ------------------------------------------------------------------------------------------- images

    def __call__(self, images: tf.Tensor, draws: Draws, p: float | tf.Tensor) -> tf.Tensor:
        """The images after all transforms, the same shape.

        Args:
            images: Float (n, h, w, c) in [-1, 1]; colours may leave that range, as in the official code.
            draws: For as many images.
            p: Scalar in [0, 1].

        Raises:
            InputError: The images have neither 1 nor 3 channels, or noise is on and the draws have no pixels.
        """
        if len(images.shape) != 4 or images.shape[3] not in (1, 3):
            raise InputError(f"images have shape {tuple(images.shape)}: give (n, height, width, 1 or 3)")
        if any(getattr(self, name) for name in (*_BLIT, *_GEOMETRY)):
            images = transforms.warped(images, self.inverse(draws, p, *images.shape[1:3]))
        if any(getattr(self, name) for name in _COLOUR):
            images = transforms.recoloured(images, self.colours(draws, p, images.shape[3]))
        if self.imgfilter:
            images = transforms.filtered(images, self.gains(draws, p))
        if self.noise:
            if draws.pixels is None:
                raise InputError("noise is on, but draws.pixels is None: give normal numbers (n, h, w, c)")
            sigma = self._done(draws, p, "noise", tf.abs(draws.numbers["noise"]) * self.noise_std, 0.0)
            images += tf.cast(sigma[..., None, None], images.dtype) * tf.cast(draws.pixels, images.dtype)
        if self.cutout:
            size = self._done(draws, p, "cutout", self.cutout_size, 0.0)
            images = transforms.cut_out(images, draws.numbers["cutout"], size[:, 0])
        return images

    def inverse(self, draws: Draws, p: float | tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Blitting and geometry as one map (n, 3, 3), see `transforms.warped`."""
        done, number = functools.partial(self._done, draws, p), draws.numbers
        size = np.float32([width, height])
        flip = done("xflip", tf.floor(2.0 * number["xflip"]), 0.0)[:, 0]
        quarters = done("rotate90", tf.floor(4.0 * number["rotate90"]), 0.0)[:, 0]
        whole = done("xint", tf.round((2.0 * number["xint"] - 1.0) * self.xint_max * size), 0.0)
        scale = done("scale", 2.0 ** (number["scale"] * self.scale_std), 1.0)[:, 0]
        before, after = (
            done(name, (2.0 * number[name] - 1.0) * math.pi * self.rotate_max, 0.0)[:, 0]
            for name in ("rotate", "rotate_after")
        )
        aniso = done("aniso", 2.0 ** (number["aniso"] * self.aniso_std), 1.0)[:, 0]
        parts = done("xfrac", number["xfrac"] * self.xfrac_std * size, 0.0)
        return _product(
            transforms.stretch(1.0 - 2.0 * flip, tf.ones_like(flip)),
            transforms.turn(math.pi / 2 * quarters),
            transforms.shift(-whole[:, 0], -whole[:, 1]),
            transforms.stretch(1.0 / scale, 1.0 / scale),
            transforms.turn(before),
            transforms.stretch(1.0 / aniso, aniso),
            transforms.turn(after),
            transforms.shift(-parts[:, 0], -parts[:, 1]),
        )

    def colours(self, draws: Draws, p: float | tf.Tensor, channels: int) -> tf.Tensor:
        """Colour as one map (n, 4, 4), see `transforms.recoloured`; grey has neither hue nor saturation."""
        done, number = functools.partial(self._done, draws, p), draws.numbers
        bright = done("brightness", number["brightness"] * self.brightness_std, 0.0)[:, 0]
        contrast = done("contrast", 2.0 ** (number["contrast"] * self.contrast_std), 1.0)[:, 0]
        flip = done("lumaflip", tf.floor(2.0 * number["lumaflip"]), 0.0)[:, 0]
        first = [transforms.flip_luma(flip), transforms.spread(contrast), transforms.brighten(bright)]
        if channels == 1:
            return _product(*first)
        hue = done("hue", (2.0 * number["hue"] - 1.0) * math.pi * self.hue_max, 0.0)[:, 0]
        saturation = done("saturation", 2.0 ** (number["saturation"] * self.saturation_std), 1.0)[:, 0]
        return _product(transforms.saturate(saturation), transforms.turn_hue(hue), *first)

    def gains(self, draws: Draws, p: float | tf.Tensor) -> tf.Tensor:
        """What each band of the filter is multiplied by (n, 4), at constant expected power.

        Natural images have a power of 10, 1, 1, 1 in the bands, up to a factor: each change of a band is followed by
        one of all bands that keeps the sum.
        """
        power = tf.constant(np.float32([10, 1, 1, 1]) / 13)
        wanted = 2.0 ** (draws.numbers["imgfilter"] * self.imgfilter_std)
        done = self._done(draws, p, "imgfilter", wanted, 1.0)
        gains = tf.ones_like(done)
        for band in range(4):
            changed = tf.where(tf.range(4) == band, done, 1.0)
            gains *= changed / tf.sqrt(tf.reduce_sum(power * tf.square(changed), axis=1, keepdims=True))
        return gains

    def _done(self, draws: Draws, p: float | tf.Tensor, name: str, value: Any, identity: float) -> tf.Tensor:
        """`value` (n, k) for the images to which the transform is done, `identity` for the others."""
        transform = name.removesuffix("_after")
        strength = np.float32(getattr(self, transform))
        if transform == "imgfilter":
            strength = strength * np.float32(self.imgfilter_bands)
        probability = p * strength
        if transform == "rotate":  # there are two: so one of them at least is done with this probability
            probability = 1.0 - tf.sqrt(tf.clip_by_value(1.0 - probability, 0.0, 1.0))
        return tf.where((draws.gates[name] < probability) & (strength > 0), value, identity)


def pipeline_of(what: str | Mapping[str, Any]) -> Pipeline:
    """The pipeline of a name in `PIPELINES`, or of strengths.

    Raises:
        InputError: There is no such pipeline, or no such transform.
    """
    if isinstance(what, str):
        require_known("pipeline", what, PIPELINES)
        return Pipeline(**PIPELINES[what])
    for name in what:
        require_known("transform", name, [field.name for field in dataclasses.fields(Pipeline)])
    return Pipeline(**what)


def _product(*matrices: tf.Tensor) -> tf.Tensor:
    return functools.reduce(tf.matmul, matrices)


def _named(columns: tf.Tensor, widths: dict[str, int]) -> dict[str, tf.Tensor]:
    """The columns that belong to each transform."""
    return dict(zip(widths, tf.split(columns, list(widths.values()), axis=1), strict=True))
