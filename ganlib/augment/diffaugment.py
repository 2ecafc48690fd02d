"""DiffAugment: differentiable augmentation for data-efficient GAN training.

Zhao, Liu, Lin, Zhu, Han. NeurIPS 2020, arXiv:2006.10738. The three transforms of its section 4.1 in the ranges of the
authors' code (mit-han-lab/data-efficient-gans `DiffAugment_pytorch.py`, commit 0b63395); each image always gets all of
its policy. Differs from the code: nothing. Draws are numbers that may be given, NHWC images of any float type.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from ganlib.arguments import require_known
from ganlib.augment.shown import require_images
from ganlib.randomness import RandomStreams
from ganlib.replicas import batch_size_of
from ganlib.trick import Trick


def brightness(images: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c) and `u` (n,) in [0, 1) -> each image plus u - 1/2."""
    return images + (_a_sample(u, images) - 0.5)


def saturation(images: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c) and `u` (n,) in [0, 1) -> what a pixel's channels differ from their mean by, times 2u."""
    mean = tf.reduce_mean(images, axis=3, keepdims=True)
    return (images - mean) * (2.0 * _a_sample(u, images)) + mean


def contrast(images: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c) and `u` (n,) in [0, 1) -> what an image differs from its mean by, times u + 1/2."""
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return (images - mean) * (_a_sample(u, images) + 0.5) + mean


def translation(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c) moved up by `rows` and to the left by `columns` (n,), integers; zeros come in."""
    for axis, shift in ((1, rows), (2, columns)):
        size = images.shape[axis]
        place = tf.range(size) + tf.cast(tf.reshape(shift, [-1, 1]), tf.int32)
        wanted = tf.one_hot(place, size, dtype=images.dtype)  # no row of it is 1 beyond the border
        equation = "nih,nhwc->niwc" if axis == 1 else "njw,nhwc->nhjc"
        images = tf.einsum(equation, wanted, images)
    return images


def cutout(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c) with a rectangle of half their size around `rows` and `columns` (n,), integers, set to 0."""
    inside = []
    for axis, centre in ((1, rows), (2, columns)):
        size = _share(images.shape[axis], 0.5)
        first = tf.cast(tf.reshape(centre, [-1, 1]), tf.int32) - size // 2
        place = tf.range(images.shape[axis])
        inside.append((place >= first) & (place < first + size))
    cut = inside[0][:, :, None] & inside[1][:, None, :]
    return images * tf.cast(~cut, images.dtype)[..., None]


# name in a policy -> the functions it stands for, in order
POLICIES: dict[str, tuple[Callable[..., tf.Tensor], ...]] = {
    "color": (brightness, saturation, contrast),
    "translation": (translation,),
    "cutout": (cutout,),
}


@keras.saving.register_keras_serializable("ganlib")
class DiffAugment(Trick):
    """D looks at all images through each transform of a policy, every one with draws of its own.

    Args:
        policy: Names in `POLICIES`, joined by commas and applied in this order. The paper's strongest is the default;
            with more data "color,cutout" or "translation,cutout" (its section 4).

    Raises:
        InputError: There is no such transform.
    """

    def __init__(self, policy: str = "color,translation,cutout"):
        for name in str(policy).split(","):
            require_known("transform of a policy", name, POLICIES)
        self.policy = policy

    @property
    def functions(self) -> list[Callable[..., tf.Tensor]]:
        """The policy's functions, in order."""
        return [function for name in self.policy.split(",") for function in POLICIES[name]]

    def build(self, gan):
        """Nothing to make.

        Raises:
            InputError: D is not shown images.
        """
        require_images(gan, "DiffAugment")

    def draw(self, streams: RandomStreams, shape: Sequence) -> list[tuple[tf.Tensor, ...]]:
        """For each function its numbers (n,) for images of `shape` (n, h, w, c), of this step and pass.

        Of translation and cutout integers; of the others uniform in [0, 1).
        """
        n, sizes = shape[0], shape[1:3]
        draws = []
        for i, function in enumerate(self.functions):
            if function is translation:
                limits = [(-_share(size, 0.125), _share(size, 0.125)) for size in sizes]
            elif function is cutout:  # around an even rectangle's centre there are as many rows on both sides
                limits = [(0, size - _share(size, 0.5) % 2) for size in sizes]
            else:
                draws.append((streams.uniform(f"{i}", [n, 1])[:, 0],))
                continue
            u = tf.unstack(streams.uniform(f"{i}", [n, 2]), axis=1)
            draws.append(tuple(_integers(one, *ends) for one, ends in zip(u, limits, strict=True)))
        return draws

    def augmented(self, images: tf.Tensor, draws: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
        """The images (n, h, w, c) after all functions, given what `draw` draws."""
        for function, numbers in zip(self.functions, draws, strict=True):
            images = function(images, *numbers)
        return images

    def view(self, gan, images):
        """The images through the policy, each with draws of its own."""
        return self.augmented(images, self.draw(gan.streams, [batch_size_of(images), *images.shape[1:]]))


def _integers(u: tf.Tensor, first: int, last: int) -> tf.Tensor:
    """Uniform numbers in [0, 1) as integers from `first` to `last`."""
    return first + tf.cast(tf.floor(u * (last - first + 1)), tf.int32)


def _a_sample(u: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """One number a sample, beside the images."""
    return tf.cast(tf.reshape(u, [-1, 1, 1, 1]), images.dtype)


def _share(size: int, ratio: float) -> int:
    """A share of a size in whole pixels, halves up, as in the authors' code."""
    return int(size * ratio + 0.5)
