"""The convolutions of VGG networks, with what is read off them on the way, and their mirror image.

Simonyan & Zisserman 2015, arXiv:1409.1556. Borders are mirrored, as in the code of Huang & Belongie (2017), not zero.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from ganlib.errors import InputError
from ganlib.layers.reflection_padding import ReflectionPadding2D

# widths and convolutions of VGG-19 up to relu4_1
VGG19 = ((64, 128, 256, 512), (2, 2, 4, 1))
# what keras.applications takes off blue, green and red, in [0, 255]
IMAGENET_MEANS = (103.939, 116.779, 123.68)


def vgg(widths: Sequence[int], convolutions: Sequence[int], channels: int = 3) -> keras.Model:
    """Images (batch, height, width, channels) in [-1, 1] -> relu1_1, relu2_1, ...: the first of each block, in a list.

    Args:
        widths: Channels of each block; the size halves between blocks, by maxima.
        convolutions: Convolutions of each block, named conv1_1, conv1_2, ...; those of the last block after the first
            would be of no use: give 1.
        channels: Of the images.
    """
    image = keras.Input((None, None, channels), name="image")
    x, features = image, []
    for block, (width, count) in enumerate(zip(widths, convolutions, strict=True), start=1):
        if block > 1:
            x = layers.MaxPooling2D(2)(x)
        for i in range(1, count + 1):
            x = _convolved(x, width, name=f"conv{block}_{i}")
            if i == 1:
                features.append(x)
    return keras.Model(image, features, name="encoder")


def mirrored(widths: Sequence[int], convolutions: Sequence[int], channels: int = 3) -> keras.Model:
    """The deepest features of `vgg` -> images: its convolutions in reverse, nearest neighbours for maxima.

    Without normalisations, which would take styles out again; the last convolution is linear.
    """
    features = keras.Input((None, None, widths[-1]), name="features")
    x = features
    for block in reversed(range(len(widths) - 1)):
        x = _convolved(x, widths[block])
        x = layers.UpSampling2D(2)(x)
        for _ in range(convolutions[block] - 1):
            x = _convolved(x, widths[block])
    return keras.Model(features, _convolved(x, channels, None), name="decoder")


def set_vgg19(encoder: keras.Model) -> None:
    """Give a `vgg(*VGG19)` the weights of keras.applications, trained on ImageNet; they come over the network once.

    The scaling from [-1, 1] to what they were trained on, and the order blue, green, red, go into the first
    convolution.

    Raises:
        InputError: The weights are neither in Keras' cache nor to be fetched.
    """
    try:
        trained = keras.applications.VGG19(include_top=False, weights="imagenet")
    except Exception as error:  # get_file raises a bare Exception without a network
        raise InputError(
            f"the weights of VGG-19 cannot be had ({' '.join(str(error).split())}): go where there is a network, once, "
            'or use architecture="small"'
        ) from error
    for layer in _convolutions(encoder):
        block, i = layer.name.removeprefix("conv").split("_")
        kernel, bias = trained.get_layer(f"block{block}_conv{i}").get_weights()
        if layer.name == "conv1_1":
            bias = bias + np.einsum("hwio,i->o", kernel, 127.5 - np.array(IMAGENET_MEANS))
            kernel = 127.5 * kernel[:, :, ::-1]
        layer.set_weights([kernel, bias])


def normalise(encoder: keras.Model, images: np.ndarray) -> None:
    """Divide the outputs of each convolution of a `vgg` by their mean over `images`, and so make it 1.

    What a convolution is given is then multiplied by the mean before it: ReLU and maxima pass factors on, so nothing
    else changes. Huang & Belongie's VGG is normalised likewise, but filter by filter.

    Args:
        encoder: A `vgg`.
        images: (n, height, width, channels) in [-1, 1].
    """
    convolutions = _convolutions(encoder)
    outputs = keras.Model(encoder.input, [layer.output for layer in convolutions])(images)
    before = 1.0
    for layer, output in zip(convolutions, outputs, strict=True):
        mean = float(np.mean(output)) or 1.0  # a layer that is 0 everywhere stays as it is
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * before / mean, bias / mean])
        before = mean


def _convolutions(encoder: keras.Model) -> list[layers.Layer]:
    return [layer for layer in encoder.layers if isinstance(layer, layers.Conv2D)]


def _convolved(
    x: keras.KerasTensor, width: int, activation: str | None = "relu", name: str | None = None
) -> keras.KerasTensor:
    return layers.Conv2D(width, 3, activation=activation, name=name)(ReflectionPadding2D(1)(x))
