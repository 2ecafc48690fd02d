"""Published generators behind the interface of ganlib's models."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ganlib import sampling
from ganlib.conditions import Classes
from ganlib.errors import InputError
from ganlib.hub import graphs
from ganlib.latents.truncation import truncate
from ganlib.sampled import Sampled

NOTES = "assets.extra/ganlib.json"  # what a module of ours says of itself, beside its signature
_CUT = 2.0  # where the z of BigGAN's modules are cut off, before they are scaled
_PIXELS = 2**20  # of a call of another's module: 64 images of 128x128


class HubGenerator(Sampled):
    """A generator out of a SavedModel, to sample as a ganlib model is: `load` makes it.

    Has `sample`, `sample_latents`, `sample_labels`, `conditioned`, `images_of` and `pictures` of a model, and goes with
    `ganlib.latents`, `ganlib.metrics.evaluate` and `ganlib.Ensemble`. It cannot be trained, and has no networks.

    Attributes:
        name: Of the folder or handle, for messages.
        image_shape: (height, width, channels), or (coordinates,).
        signature: What its signature says.
        notes: What a module of ours says of itself: model, latents, truncation ("latents" or "styles"), thresholds of
            its standing statistics; None: it is another's.
    """

    def __init__(self, name: str, module: Any, signature: graphs.Signature, notes: dict[str, Any] | None):
        self.name = name
        self.signature = signature
        self.notes = notes
        self.latent_dim = signature.latent_dim
        self.latent_distribution = "normal" if notes is None else notes["latents"]
        self.classes = None if signature.num_classes is None else Classes(signature.num_classes)
        self._module = module  # TensorFlow frees the variables of a module that nobody holds
        self._default = _traced(module.signatures[signature.name], signature.output)
        seeded = None if notes is None else module.signatures.get("seeded")
        self._seeded = None if seeded is None else _traced(seeded, signature.output)
        self.image_shape = signature.image_shape or self._probed()

    def __repr__(self) -> str:
        """What it is made of."""
        classes = "no classes" if self.classes is None else f"{self.classes.num_classes} classes"
        return f"HubGenerator({self.name!r}: z of {self.latent_dim}, {classes}, images {self.image_shape})"

    def __call__(self, inputs: Any, truncation: float | None = None) -> tf.Tensor:
        """Latents (n, latent_dim), or [latents, classes], -> images, differentiable; of the signature "default".

        Classes are labels (n,), or weights of classes (n, num_classes).
        """
        return self._run(self._default, inputs, truncation)

    def sample_latents(self, n: int, truncation: float | None = None, seed: int | None = None) -> np.ndarray:
        """The latents (n, latent_dim) that `sample` uses for the same arguments; truncation as in `ganlib.hub`."""
        told = self._told(truncation)
        if self.notes is None and self.signature.truncation:
            drawn = sampling.latents(n, self.latent_dim, "normal", seed)
            return (told * truncate(drawn, _CUT)).astype(np.float32)
        in_styles = self.notes is not None and self.notes["truncation"] == "styles"
        return super().sample_latents(n, None if in_styles else truncation, seed)

    def images_of(self, inputs: Any, truncation: float | None = None, seed: int | None = 0) -> np.ndarray:
        """The module's images, cut to [-1, 1].

        Args:
            inputs: As `__call__` takes them.
            truncation: That of the latents, which the module is told.
            seed: Of noise, where a module of ours draws some.

        Raises:
            InputError: Latents, classes or truncation are not what the module takes.
        """
        inputs = self._checked(inputs)
        key = sampling.key_from(seed, "sample noise")
        n = len(tf.nest.flatten(inputs)[0])
        # one size for all chunks, as in `sampling.Chunks`: a row's numbers do not depend on how many come with it
        largest = 250 if self.notes else max(1, min(250, _PIXELS // math.prod(self.image_shape[:2])))
        size = min(largest, 2 ** math.ceil(math.log2(n)))
        found = []
        for part in range(-(-n // size)):
            rows = np.arange(part * size, (part + 1) * size) % n
            chunk = tf.nest.map_structure(lambda array, rows=rows: array[rows], inputs)
            if self._seeded is None:
                images = self._run(self._default, chunk, truncation)
            else:
                numbers = {"key": tf.constant(key, tf.uint64), "part": tf.constant(part, tf.int64)}
                images = self._run(self._seeded, chunk, truncation, **numbers)
            found.append(images.numpy())
        return sampling.shown(np.concatenate(found)[:n])

    def sampler(self, truncation=None, seed=None):
        """Inputs -> images, as `__call__`."""
        return lambda inputs: self(inputs, truncation)

    def _run(self, function: Any, inputs: Any, truncation: float | None, **more: Any) -> tf.Tensor:
        z, classes = (inputs, None) if self.classes is None else inputs
        given = {"z": tf.cast(z, tf.float32), **more}
        if self.classes is not None:
            weights = tf.convert_to_tensor(classes)
            if weights.shape.rank < 2:
                weights = tf.one_hot(tf.cast(weights, tf.int32), self.classes.num_classes)
            given["y"] = tf.cast(weights, tf.float32)
        if self.signature.truncation:
            given["truncation"] = tf.constant(
                self._told(truncation), tf.float32
            )  # a number would be traced anew
        return function(given)

    def _told(self, truncation: float | None) -> float:
        """What the module is told."""
        if truncation is None:
            return 1.0 if self.notes is None else self.notes["untruncated"]
        number = isinstance(truncation, int | float | np.number) and not isinstance(truncation, bool)
        if self.notes is None and self.signature.truncation:
            if not (number and 0 < truncation <= 1):
                raise InputError(
                    f"truncation={truncation!r} is out of range: this module takes a number in (0, 1], like 0.5"
                )
        elif not (number and math.isfinite(truncation)):
            raise InputError(f"truncation={truncation!r} is out of range: give a number, like 0.7")
        return float(truncation)

    def _checked(self, inputs: Any) -> Any:
        """Arrays of the module's sizes."""
        given, classes = (inputs, None) if self.classes is None else inputs
        z = np.asarray(given, np.float32)
        if z.ndim != 2 or not len(z) or z.shape[1] != self.latent_dim:
            raise InputError(
                f"latents of shape {z.shape}: {self.name} takes (n, {self.latent_dim}), n of at least 1"
            )
        if self.classes is None:
            return z
        if np.ndim(classes) == 2:
            return [z, self.classes.require_weights(classes, len(z))]
        return [z, self.classes.labels(len(z), classes)]

    def _probed(self) -> tuple[int, ...]:
        """The shape of an image, where the signature does not say it."""
        z = tf.zeros([1, self.latent_dim])
        shape = tuple(self(z if self.classes is None else [z, tf.zeros([1], tf.int32)]).shape[1:])
        if len(shape) not in (1, 3):
            raise InputError(
                f"{self.name} is no generator: it makes {shape}, not images (height, width, channels)"
            )
        return shape


def _traced(signature: Any, output: str) -> Any:
    """A signature as a function that TensorFlow optimises as it does a model's own: called as it is, it does not.

    The rounding of a convolution depends on that, by about 1e-6 at 64x64.
    """
    return tf.function(lambda given: signature(**given)[output])


def load(source: str | Path) -> HubGenerator:
    """A generator out of a SavedModel in TF2's format or in that of TF1's hub.

    Args:
        source: A folder; an address (https://..., fetched and kept by tensorflow-hub); or "kaggle:" and a handle of
            kagglehub, "kaggle:owner/model/framework/variation".

    Raises:
        InputError: There is no such module, it cannot be fetched, it is no generator, or its graph is refused (see
            `ganlib.hub`). Nothing is left behind but what the download keeps.
    """
    folder = _folder(str(source))
    model = graphs.read(folder)
    signature = graphs.signature_of(model, folder)
    for each in model.meta_graphs:
        graphs.refuse_harmful(each, folder)
    notes = _notes(folder)
    tags = [] if (folder / "tfhub_module.pb").exists() else signature.tags
    try:
        module = tf.saved_model.load(str(folder), tags=tags)
        return HubGenerator(str(source), module, signature, notes)
    except InputError:
        raise
    except Exception as error:  # TensorFlow raises almost anything for a damaged module
        raise InputError(
            f"{folder} cannot be loaded ({_line(error)}): copy or export the module again"
        ) from error


def _folder(source: str) -> Path:
    """Where the module is, fetched if it has to be."""
    if source.startswith("kaggle:"):
        return _by_kagglehub(source)
    if "://" in source:
        return _by_tensorflow_hub(source)
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f"{source} is no folder: give that of a SavedModel, or a handle such as https://...")
    return folder


def _by_kagglehub(source: str) -> Path:
    try:
        import kagglehub
    except ImportError as error:
        raise InputError(
            f"{source} needs the package kagglehub ({error}): pip install kagglehub, or give the folder of the module"
        ) from error
    try:
        return Path(kagglehub.model_download(source.removeprefix("kaggle:")))
    except Exception as error:  # its own, and those of requests
        raise InputError(
            f"{source} cannot be fetched ({_line(error)}): without a network give the folder of a copy"
        ) from error


def _by_tensorflow_hub(source: str) -> Path:
    try:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # tensorflow-hub 0.16 uses pkg_resources, which says that it is old
            import tensorflow_hub
    except ImportError as error:
        cure = "'setuptools<81'" if "pkg_resources" in str(error) else "'ganlib[hub]'"
        raise InputError(
            f"{source} needs the package tensorflow-hub, which cannot be imported ({error}): pip install {cure}, or "
            "give the folder of the module"
        ) from error
    try:
        return Path(tensorflow_hub.resolve(source))
    except Exception as error:  # urllib, gzip, tarfile and TensorFlow each have their own
        raise InputError(
            f"{source} can be neither found nor fetched ({_line(error)}): without a network give the folder of a copy"
        ) from error


def _notes(folder: Path) -> dict[str, Any] | None:
    """What a module of ours says of itself; None: it says nothing.

    Raises:
        InputError: It is not what `export` writes.
    """
    path = folder / NOTES
    if not path.exists():
        return None
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        right = (
            notes["latents"] in ("normal", "uniform")
            and notes["truncation"] in ("latents", "styles")
            and math.isfinite(notes["untruncated"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        right = False
    if not right:
        raise InputError(f"{path} is not as ganlib.hub.export writes it: export the module again")
    return notes


def _line(error: BaseException, most: int = 200) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else text[:most] + "..."
