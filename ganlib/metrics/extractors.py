"""Feature extractors: what turns images into the vectors and class probabilities that most metrics compare.

| name | what | where it fits |
|---|---|---|
| fashion-cnn | classifier that ships with ganlib (fashion_cnn.py) | grey Fashion-MNIST, 28 pixels or more |
| faces-cnn | classifier of all factors of `faces`, ships too (faces_cnn.py) | faces in colour, 32 pixels or more |
| inception-tfhub[:PATH] | TF-GAN's Inception of 2015, that of published IS and FID | photographs |
| inception-keras[:PATH] | InceptionV3 of keras.applications; its FIDs are not the published kind | photographs |
| classifier | trained on the spot for the data at hand, and cached | any data with labels |
| random-convolutions | fixed random filters; last resort | images without labels |
| identity | the points themselves | points |

A score belongs to its extractor: `name`, `weights_hash` and `resizer` go into every result.
"""

import difflib
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ganlib.errors import InputError
from ganlib.hashes import hash_of_weights
from ganlib.metrics.cache import kept
from ganlib.metrics.extractor_base import Extractor, NetworkExtractor
from ganlib.metrics.faces_cnn import FacesCNN
from ganlib.metrics.fashion_cnn import FashionCNN
from ganlib.metrics.resizer import Bilinear
from ganlib.randomness import host_generator, seeded

TFGAN_INCEPTION = "https://tfhub.dev/tensorflow/tfgan/eval/inception/1"
_HOLD_OUT = 0.1  # of labelled data, to say how well the classifier trained on the rest knows the classes
_RECIPE = 3  # to be raised when the classifier's network or training changes: cached ones are then made again
_POOL_IMAGES, _POOL_BYTES = 20_000, 2**28  # at most this much of the data trains a classifier


# --------------------------------------------------------------------------------------------- Inception


class InceptionTFHub(NetworkExtractor):
    """TF-GAN's copy of the Inception network that IS and FID were defined with (Szegedy et al. 2015, 1,008 outputs).

    Args:
        source: Handle of TF-Hub, or the folder of a SavedModel with the same signature: images (batch, 299, 299, 3) in
            [-1, 1] -> {"logits": (batch, K), "pool_3": (batch, d) or (batch, 1, 1, d)}.

    Raises:
        InputError: There is no such module, no network to fetch it with, or it has another signature.
    """

    name = "inception-tfhub"
    batch_size = 50

    def __init__(self, source: str | Path = TFGAN_INCEPTION):
        folder = Path(source) if Path(source).is_dir() else _fetched(str(source))
        try:
            module = tf.saved_model.load(str(folder))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise InputError(
                f"{source} is not a readable SavedModel ({_line(error)}): fetch it again from {TFGAN_INCEPTION}"
            ) from error
        call = module if callable(module) else module.signatures.get("serving_default")
        try:
            probe = call(tf.zeros((2, 299, 299, 3)))
            self.num_classes = int(probe["logits"].shape[-1])
            _ = probe["pool_3"]
        except Exception as error:  # TensorFlow raises almost anything for a signature that does not fit
            raise InputError(
                f"{source} does not turn images (n, 299, 299, 3) into 'logits' and 'pool_3' ({_line(error)}): give "
                f"a copy of {TFGAN_INCEPTION}"
            ) from error

        def function(images):
            found = call(images)
            return tuple(tf.reshape(found[name], [tf.shape(images)[0], -1]) for name in ("pool_3", "logits"))

        super().__init__(function, Bilinear(299, antialias=False), 3)
        self._module = module  # TensorFlow frees the variables of a module that nobody holds
        self.weights_hash = _hash_of_files(folder)
        self.details["source"] = str(source)


class InceptionKeras(NetworkExtractor):
    """InceptionV3 of keras.applications: the later Inception, whose FIDs do not compare with published ones.

    Args:
        weights: "imagenet" (fetched by Keras, 92 MB), or the path of an .h5 file of the whole network.

    Raises:
        InputError: The weights are neither here nor to be fetched, or of another network.
    """

    name = "inception-keras"
    batch_size = 50
    num_classes = 1000

    def __init__(self, weights: str | Path = "imagenet"):
        local = str(weights) != "imagenet"
        if local and not Path(weights).is_file():
            raise InputError(f"{weights} does not exist: give 'imagenet' or the path of an .h5 file")
        try:
            initial = None if local else "imagenet"
            network = keras.applications.InceptionV3(weights=initial, classifier_activation=None)
            if local:
                network.load_weights(str(weights))
        except Exception as error:  # get_file raises a bare Exception without a network
            raise InputError(
                f"InceptionV3 cannot have the weights {str(weights)!r} ({_line(error)}): without a network give the "
                "path of a downloaded inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
            ) from error
        both = keras.Model(network.input, [network.get_layer("avg_pool").output, network.output])
        super().__init__(lambda images: both(images, training=False), Bilinear(299, antialias=True), 3)
        self.weights_hash = hash_of_weights(network.get_weights())
        self.details["weights"] = str(weights)


inception_tfhub = InceptionTFHub
inception_keras = InceptionKeras


def _fetched(handle: str) -> Path:
    """The folder where TF-Hub keeps the module `handle`, fetched if it is not there."""
    try:
        with warnings.catch_warnings():
            # tensorflow-hub 0.16 uses pkg_resources, which says that it is old
            warnings.simplefilter("ignore")
            import tensorflow_hub
    except ImportError as error:
        raise InputError(
            f"{handle} needs the package tensorflow-hub ({error}): pip install tensorflow-hub 'setuptools<81', or "
            "give the folder of the module"
        ) from error
    try:
        return Path(tensorflow_hub.resolve(handle))
    except Exception as error:  # urllib, gzip, tarfile and TensorFlow each have their own
        raise InputError(
            f"{handle} can be neither found nor fetched ({_line(error)}): without a network give the folder of a "
            f"copy, inception-tfhub:PATH"
        ) from error


def _line(error: BaseException, most: int = 200) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else text[:most] + "..."


# ------------------------------------------------------------------------------ classifier of the data at hand


def classifier_network(shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Image (batch, *shape) -> features (batch, 128), logits (batch, num_classes).

    3x3 convolutions with batch norm; halved until at most 7 pixels are left, from 64 pixels on by a stride first.
    """
    image = keras.Input(shape, name="image")
    x, side = image, min(shape[:2])
    for i, channels in enumerate((32, 64, 128, 128, 128, 128, 128, 128)):
        stride = 2 if side >= 64 else 1
        options = {"strides": stride, "padding": "same", "use_bias": False, "name": f"convolution_{i}"}
        x = keras.layers.Conv2D(channels, 3, **options)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9, name=f"norm_{i}")(x))
        side = -(-side // stride)
        if side >= 8:
            x, side = keras.layers.MaxPooling2D(2)(x), side // 2
        if i >= 2 and side < 8:
            break
    features = keras.layers.GlobalAveragePooling2D(name="features")(x)
    logits = keras.layers.Dense(num_classes, name="logits")(features)
    return keras.Model(image, [features, logits], name="classifier")


class Classifier(NetworkExtractor):
    """A small classifier of the data that is evaluated, trained once and kept in the cache.

    A tenth of the examples that it may see (2,000 at most) is held out; `details` has the accuracy on them.

    Args:
        data: An ImageDataset that has labels, whether or not they were asked for.
        seed: Of initial weights, held-out part and order.
        steps: Of Adam with batches of 100 and a cosine schedule.
        cache: Folder for the weights; None: the user's, see `cache_folder`; False: none.

    Raises:
        InputError: The data has no labels or too few examples, or the cache cannot be written.
    """

    def __init__(self, data: Any, seed: int = 0, steps: int = 600, cache: str | Path | bool | None = None):
        if data.num_classes is None or len(data.shape) != 3:
            raise InputError(
                f"{data.name!r} are not images with labels, so no classifier can be trained: use "
                "random-convolutions (identity for points)"
            )
        with seeded(seed):
            network = classifier_network(tuple(data.shape), data.num_classes)
        resize = Bilinear(data.shape[0], antialias=True)
        super().__init__(lambda images: network(images, training=False), resize, data.shape[-1])
        self.name = f"classifier of {data.name} {data.split}"
        self.num_classes = data.num_classes
        images, labels = _pool(data, seed)
        held_out = min(2000, round(_HOLD_OUT * len(images)))
        if not held_out or len(images) < 10 * data.num_classes:
            raise InputError(
                f"{data.name!r} ({data.split}) has {len(images)} labelled examples, too few for a classifier of "
                f"{data.num_classes} classes: use random-convolutions"
            )

        def trained() -> dict[str, np.ndarray]:
            _train(network, images[held_out:], labels[held_out:], seed, steps)
            _, probabilities = self.outputs(scaled(images[:held_out]))
            accuracy = (probabilities.argmax(axis=1) == labels[:held_out]).mean()
            return {"accuracy": accuracy, **_numbered(network.get_weights())}

        def fits(found: dict[str, np.ndarray]) -> bool:
            expected = {"accuracy": np.float64(), **_numbered(network.get_weights())}
            return {k: np.shape(v) for k, v in found.items()} == {k: np.shape(v) for k, v in expected.items()}

        depends_on = (_RECIPE, data.name, data.split, data.shape, seed, steps, images, labels)
        found = kept(cache, f"classifier-{data.name}", depends_on, trained, fits)
        accuracy = float(found.pop("accuracy"))
        network.set_weights(list(found.values()))
        self.weights_hash = hash_of_weights(network.get_weights())
        self.details.update(accuracy=round(accuracy, 4), held_out=held_out, trained_on=len(images) - held_out)


classifier = Classifier


def _pool(data: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images and labels in random order, as many as may train a classifier."""
    most = min(_POOL_IMAGES, max(1, _POOL_BYTES // math.prod(data.shape)))
    images, labels = real_examples(data, min(most, data.size or 8_000), labels=True)
    order = host_generator(seed, "classifier/held out").permutation(len(images))
    return images[order], labels[order]


def _train(network: keras.Model, images: np.ndarray, labels: np.ndarray, seed: int, steps: int) -> None:
    batch = min(100, len(images))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))
    optimizer.build(network.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, network(images, training=True)[1])
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)

    order = np.empty(0, np.int64)
    for i in range(steps):
        if len(order) < batch:
            shuffled = host_generator(seed, f"classifier/order {i}").permutation(len(images))
            order = np.concatenate([order, shuffled])
        rows, order = order[:batch], order[batch:]
        step(tf.constant(scaled(images[rows])), tf.constant(labels[rows]))


def _numbered(arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"weight_{i}": array for i, array in enumerate(arrays)}


# ------------------------------------------------------------------------------------------ without a classifier


class RandomConvolutions(NetworkExtractor):
    """Four 3x3 convolutions with fixed random weights: the mean and the deviation of every channel of every layer.

    No layer was trained, so the numbers rank blur, noise and missing modes (tested), and say nothing about meaning.

    Args:
        channels: Of the images, 1 or 3.
        seed: Of the weights, part of the name.
    """

    def __init__(self, channels: int, seed: int = 0):
        if channels not in (1, 3):
            raise InputError(f"channels={channels!r} is not known: give 1 (grey) or 3 (RGB)")
        random = host_generator(seed, "random convolutions")
        kernels, width = [], channels
        for wider in (16, 32, 64, 64):
            scale = math.sqrt(2 / (9 * width))  # He et al. 2015: variances stay through the ReLUs
            kernels.append((scale * random.standard_normal((3, 3, width, wider))).astype(np.float32))
            width = wider

        def function(images):
            x, found = images, []
            for i, kernel in enumerate(kernels):
                if i and min(x.shape[1:3]) >= 4:
                    x = tf.nn.avg_pool2d(x, 2, 2, "SAME")
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
                mean, variance = tf.nn.moments(x, [1, 2])
                found += [mean, tf.sqrt(variance + 1e-8)]
            return tf.concat(found, axis=1), None

        super().__init__(function, None, channels)
        self.name = f"random-convolutions(channels={channels}, seed={seed})"
        self.weights_hash = hash_of_weights(kernels)


random_convolutions = RandomConvolutions


class Identity(Extractor):
    """Points (n, d) are their own features."""

    name = "identity"
    weights_hash = "none"

    def outputs(self, images, batch_size=None):
        """Points (n, d) -> the same, float32, and None."""
        points = np.asarray(images, np.float32)
        if points.ndim != 2 or not points.size:
            raise InputError(f"points of shape {points.shape}: identity takes (n, d), n of 1 or more")
        if not np.isfinite(points).all():
            raise InputError("the points are not all finite: check the model that made them")
        return points, None


# ---------------------------------------------------------------------------------------------------- choice


_MAKERS: dict[str, Callable[..., Extractor]] = {  # (data, cache, path if one is given) -> extractor
    "fashion-cnn": lambda data, cache: FashionCNN(),
    "faces-cnn": lambda data, cache: FacesCNN(),
    "inception-tfhub": lambda data, cache, *path: InceptionTFHub(*path),
    "inception-keras": lambda data, cache, *path: InceptionKeras(*path),
    "classifier": lambda data, cache: Classifier(data, cache=cache),
    "random-convolutions": lambda data, cache: RandomConvolutions(data.shape[-1]),
    "identity": lambda data, cache: Identity(),
}
NAMES = tuple(_MAKERS)


def get(name: str, data: Any, cache: str | Path | bool | None = None) -> Extractor:
    """An extractor by name, for `data`.

    Args:
        name: One of `NAMES`; inception-tfhub and inception-keras may be followed by `:PATH`.
        data: What is to be evaluated.
        cache: As for `Classifier`.

    Raises:
        InputError: There is no such extractor, or it cannot be had.
    """
    kind, _, path = str(name).partition(":")
    kind = kind.replace("_", "-")
    if kind not in NAMES or (path and not kind.startswith("inception")):
        close = difflib.get_close_matches(kind, NAMES, 1)
        hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(NAMES)}"
        raise InputError(f"there is no extractor {name!r}: {hint}")
    return _MAKERS[kind](data, cache, *([path] if path else []))


_CLOTHES = ("fashion_mnist", "edges_to_fashion")
_FACES = ("faces", "outline_to_face", "beard_to_none", "day_to_night")


def for_data(data: Any, cache: str | Path | bool | None = None) -> Extractor:
    """The extractor that suits `data`: fashion-cnn for grey Fashion-MNIST, faces-cnn for faces in colour.

    For other data with labels the classifier that is trained on them; without labels random convolutions; points are
    their own features. Inception is never chosen unasked: it may have to be fetched.
    """
    if len(data.shape) == 1:
        return get("identity", data)
    if data.name in _CLOTHES and data.shape[-1] == 1 and data.shape[0] >= 28:
        return get("fashion-cnn", data)
    if data.name in _FACES and data.shape[-1] == 3 and data.shape[0] >= 32:
        return get("faces-cnn", data)
    without_classes = data.num_classes is None or hasattr(data, "source_shape")  # pairs have none to learn
    return get("random-convolutions" if without_classes else "classifier", data, cache)


# --------------------------------------------------------------------------------------------------- details


def real_examples(data: Any, count: int, labels: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """`count` examples of an ImageDataset as it stores them (uint8 images, float32 points), and their labels or None.

    Always the same ones, whatever order the dataset shuffles into: all of them in the source's order; or, of a larger
    set, a fixed random subset (the first ones of a folder would be the first classes only); of endless data the first.
    """
    from ganlib.data.sources import ArraySource

    source = data._source
    if isinstance(source, ArraySource):
        rows = np.arange(source.size)
        if count < source.size:
            chosen = host_generator(0, f"subset of {source.split}").permutation(source.size)[:count]
            rows = np.sort(chosen)
        return source.examples[rows], source.labels[rows] if labels else None
    examples, found = [], []
    for start in range(0, count, 250):
        n = min(250, count - start)
        drawn, classes = source.draw(tf.constant(start, tf.int64), n)
        examples.append(drawn.numpy())
        if labels:
            found.append(classes.numpy())
    return np.concatenate(examples), np.concatenate(found) if labels else None


def scaled(images: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [-1, 1]: 0 is -1 and 255 is 1; points as they are."""
    if images.dtype != np.uint8:
        return images
    return images.astype(np.float32) * np.float32(2 / 255) - np.float32(1)


def _hash_of_files(folder: Path) -> str:
    """Of a SavedModel: its graph, which may hold the weights as constants, and its variables."""
    files = [folder / "saved_model.pb", *sorted((folder / "variables").glob("*"))]
    return hash_of_weights([np.frombuffer(file.read_bytes(), np.uint8) for file in files if file.exists()])
