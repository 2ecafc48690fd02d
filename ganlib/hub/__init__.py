"""TF-Hub: published generators behind the interface of ganlib's models, and ganlib's generators as such modules.

    module = ganlib.hub.load("biggan-deep-128")                  # the folder of a SavedModel, or a handle
    images = module.sample(16, labels=207, truncation=0.4, seed=0)
    ganlib.hub.export(gan, "my_generator")                       # tensorflow_hub.load("my_generator") needs no ganlib

The signature is that of DeepMind's BigGAN modules, "default": z (n, dim_z), y (n, classes) one-hot, where there are
classes, and truncation (), all float32 -> "default": images (n, height, width, channels) in [-1, 1].

What truncation means
    BigGAN's modules   z is t times a normal cut off at -2 and 2, and the caller scales it: the module does not. What it
                       is told t for are the standing statistics of its batch norms, which it has for 51 values of t and
                       takes between them (tensorflow/hub issue 214 has the page's example, ajbrock/BigGAN-PyTorch issue
                       14 outputs that differ by t alone; huggingface/pytorch-pretrained-BigGAN rewrote the graph). So
                       `sample(truncation=t)` draws such z and passes t, in (0, 1]; without one t is 1.
    ours, in z         `truncation` is a threshold: z is normal numbers cut off there, as in `GAN.sample`. The module
                       is told it for its standing statistics; where it has none, it ignores it.
    ours, in w         psi of StyleGAN: z is drawn as ever, and the module pulls w to its mean. 1 changes nothing.
Which of them a module has stands in its file assets.extra/ganlib.json; BigGAN's way is that of modules without one.

Noise of a layer (StyleGAN) is fixed in "default", one image a layer, as where a network is called by itself: images
depend on the inputs alone. Such modules have one more signature, "seeded", with a key and a part for the noise of
`sample`: `load(folder).sample(n, seed=0)` then is `gan.sample(n, seed=0)`. TensorFlow optimises a graph inside of a
`tf.function`, as `sample` has, and not one whose signature is called directly: their images differ by rounding.

Trust
    A SavedModel is a TensorFlow graph, a program. Before one is loaded its operations are looked at, all functions
    included: one is refused that has operations which read or write files, open connections, run Python code, or keep
    state that a generator has no use for (`ganlib.hub.graphs`). What is left can still be wrong, or use all memory or
    time, and its kernels parse what they are given: load what you would also run. Nothing in a folder chooses code.

Where published files come from
    tfhub.dev has moved to Kaggle. In Colab `kagglehub` is installed: `kagglehub.model_download(handle)` returns a
    folder, and `load("kaggle:" + handle)` does that. Handles that are addresses (https://...) need tensorflow-hub, an
    extra: pip install 'ganlib[hub]'. Its newest, 0.16.1, ends in "No module named 'pkg_resources'" where setuptools is
    81 or later, or missing, as in fresh environments of Python 3.12: pip install 'setuptools<81'. A folder needs
    neither.

Never run against a published file: none can be had where ganlib is made. `load` and `ganlib.convert` were tested on
modules of the same signature and layout, made in the formats of TF1 and TF2. Not checked are the published modules'
names of variables and statistics, whether all of their operations are among those allowed, and both downloads.
"""

from ganlib.hub.exporting import export
from ganlib.hub.loading import HubGenerator, load

__all__ = ["HubGenerator", "export", "load"]
