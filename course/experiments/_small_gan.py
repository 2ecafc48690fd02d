"""DCGAN's pair at 32x32, a few thousand parameters small, with the parts that the experiments exchange."""

import functools

RESOLUTION, LATENT_DIM = 32, 64


def generator(width, reference=None):
    """Z (batch, 64) -> image (batch, 32, 32, 1); batch norm, or virtual batch norm by `reference` latents."""
    import keras
    from keras import layers

    import ganlib.layers as own

    def normed(x):
        if reference is None:
            return layers.ReLU()(own.BatchNormalization(momentum=0.9)(x))
        return layers.ReLU()(own.VirtualBatchNormalization(len(reference))(x))

    z = keras.Input((LATENT_DIM,), name="latents")
    x = z if reference is None else own.PrependReference(reference)(z)
    x = normed(layers.Reshape((4, 4, 4 * width))(layers.Dense(16 * 4 * width, use_bias=False)(x)))
    for channels in (2 * width, width):
        x = normed(layers.Conv2DTranspose(channels, 4, strides=2, padding="same", use_bias=False)(x))
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh")(x)
    return keras.Model(z, x if reference is None else own.DropReference(len(reference))(x), name="generator")


def discriminator(width, norm="batch", pooling=None, slope=0.2, dropout=0.0, minibatch=0):
    """Image (batch, 32, 32, 1) -> logit (batch, 1).

    Args:
        width: channels next to the image; each of three stages has twice as many as the one before.
        norm: "batch" (not on the first stage), "none" or "spectral" (all weights).
        pooling: "average" or "max" after convolutions of stride 1; None: stride 2.
        slope: of leaky ReLU; 0: ReLU.
        dropout: rate, behind every stage.
        minibatch: kernels of minibatch discrimination in front of the last layer; 0: none.
    """
    import keras
    from keras import layers

    import ganlib.layers as own

    conv = own.SpectralConv2D if norm == "spectral" else layers.Conv2D
    dense = own.SpectralDense if norm == "spectral" else layers.Dense
    pool = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D, None: None}[pooling]
    image = keras.Input((RESOLUTION, RESOLUTION, 1), name="image")
    x = image
    for stage in range(3):
        x = conv(width * 2**stage, 4, strides=1 if pool else 2, padding="same")(x)
        if norm == "batch" and stage:
            x = own.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(slope)(x) if slope else layers.ReLU()(x)
        x = pool(2)(x) if pool else x
        x = own.Dropout(dropout)(x) if dropout else x
    x = layers.Flatten()(x)
    x = own.MinibatchDiscrimination(minibatch)(x) if minibatch else x
    return keras.Model(image, dense(1)(x), name="discriminator")


def game(width, rates, seed, reference=None, parts=None, eager=False, **options):
    """A GAN of both, non-saturating, with Adam (beta_1 0.5) at `rates` (G, D), batch 64, no average of G.

    Args:
        width: channels next to the image, in both networks.
        rates: of G's and of D's Adam.
        seed: of the run.
        reference: latents for virtual batch norm in G.
        parts: arguments of `discriminator`.
        eager: run line by line; a slice of one step does not pay for the compilation.
        **options: more of `ganlib.GAN`.
    """
    import keras

    import ganlib
    from ganlib.randomness import seeded

    adams = [keras.optimizers.Adam(rate, beta_1=0.5, epsilon=1e-8) for rate in rates]
    options = {"discriminator_optimizer": adams[1], "ema_decay": None, "batch_size": 64, **options}
    with seeded(seed):
        gan = ganlib.GAN(
            generator(width, reference),
            discriminator(width, **(parts or {})),
            generator_optimizer=adams[0],
            seed=seed,
            **options,
        )
    gan.compile(run_eagerly=eager)
    return gan


@functools.cache
def fashion_fid():
    """FID(fashion-cnn), made once a process."""
    from ganlib.metrics import FashionFID

    return FashionFID()


def fid_of(fid, gan, samples, seed=0):
    """FID of `samples` samples of G."""
    images = gan.sample(samples, seed=seed)
    return fid(lambda n, seed: images[:n], samples=samples)["value"]
