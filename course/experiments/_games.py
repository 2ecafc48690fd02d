"""What the experiments of lesson 2.1 share: six games on one pair of small networks, and how samples are scored."""

import functools

import numpy as np

RESOLUTION, LATENT_DIM, WIDTH, BATCH = 32, 64, 16, 64
GAMES = ("minimax", "non-saturating", "LSGAN", "WGAN", "WGAN-GP", "DRAGAN")


def critic_without_batch_norm():
    """Image (batch, 32, 32, 1) -> score (batch, 1): DCGAN's discriminator, biases for batch norm, He et al.'s start."""
    import keras
    from keras import layers

    x = image = keras.Input((RESOLUTION, RESOLUTION, 1), name="image")
    for stage in range(3):
        x = layers.Conv2D(WIDTH * 2**stage, 4, strides=2, padding="same", kernel_initializer="he_uniform")(x)
        x = layers.LeakyReLU(0.2)(x)
    return keras.Model(image, layers.Dense(1)(layers.Flatten()(x)), name="discriminator")


def game(kind, rate, n_critic, seed, generator="dcgan", discriminator_rate=None):
    """One of `GAMES`: its paper's loss, penalty or clipping and optimiser; D has G's `rate` unless it is given its own.

    RMSprop's epsilon is 1e-16 because Keras adds it under the root, where the authors' framework adds 1e-8 outside.
    """
    import keras

    import ganlib
    from ganlib.models import dcgan, wgan
    from ganlib.penalties import DRAGANPenalty, GradientPenalty
    from ganlib.randomness import seeded
    from ganlib.tricks import WeightClipping

    losses = {"minimax": "minimax", "LSGAN": "least_squares", "WGAN": "wasserstein", "WGAN-GP": "wasserstein"}
    penalties = {"WGAN-GP": [GradientPenalty(10.0)], "DRAGAN": [DRAGANPenalty(10.0)]}
    betas = {"WGAN-GP": (0.0, 0.9), "DRAGAN": (0.5, 0.9)}

    def optimizer(rate):
        if kind == "WGAN":
            return keras.optimizers.RMSprop(rate, rho=0.99, epsilon=1e-16)
        beta_1, beta_2 = betas.get(kind, (0.5, 0.999))
        return keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=beta_2, epsilon=1e-8)

    generators = {
        "dcgan": lambda: dcgan.generator(RESOLUTION, 1, LATENT_DIM, WIDTH, 4),
        "plain": lambda: wgan.plain_generator(RESOLUTION, 1, LATENT_DIM, WIDTH, 4),
        "mlp": lambda: wgan.mlp_generator(RESOLUTION, 1, LATENT_DIM),
    }
    with seeded(seed):
        return ganlib.GAN(
            generators[generator](),
            critic_without_batch_norm()
            if kind == "WGAN-GP"
            else dcgan.discriminator(RESOLUTION, 1, WIDTH, 4),
            loss=losses.get(kind, "non_saturating"),
            penalties=penalties.get(kind, []),
            tricks=[WeightClipping(0.01)] if kind == "WGAN" else [],
            n_critic=n_critic,
            ema_decay=None,
            generator_optimizer=optimizer(rate),
            discriminator_optimizer=optimizer(discriminator_rate or rate),
            batch_size=BATCH,
            seed=seed,
        )


@functools.cache
def judge():
    """The extractor, and the statistics and features of the 10,000 training images."""
    import ganlib
    from ganlib.metrics import fashion_cnn, statistics

    extractor = fashion_cnn()
    data = ganlib.data.load("fashion_mnist", resolution=RESOLUTION, shuffle=False, repeat=False)
    features = extractor.features(data.to_numpy())
    return extractor, statistics(features), features


def scores(images):
    """Of samples: FID(fashion-cnn) against 10,000 images; classes with a share of 2% or more; spread of features.

    The spread is the root of the total variance of the features over that of the data's: 1 is as varied as the data.
    """
    from ganlib.metrics import frechet_distance_from_statistics, statistics

    extractor, reference, known = judge()
    features, probabilities = extractor.outputs(images)
    shares = np.bincount(probabilities.argmax(axis=1), minlength=10) / len(images)
    return {
        "fid": float(frechet_distance_from_statistics(*reference, *statistics(features))),
        "classes": int((shares >= 0.02).sum()),
        "spread": float(np.sqrt(features.var(axis=0).sum() / known.var(axis=0).sum())),
    }


def auc(gan):
    """How often D, in training mode, scores a test image above a sample of G: 0.5 knows nothing, 1 is never wrong."""
    import ganlib

    n, d = 4 * BATCH, gan.frozen(gan.discriminator)
    real = ganlib.data.load("fashion_mnist", split="test", resolution=RESOLUTION, shuffle=False, repeat=False)
    fake = gan.frozen(gan.generator)(gan.sample_latents(n, seed=1)).numpy()
    judged = [np.concatenate([d(b).numpy()[:, 0] for b in np.split(x, 4)]) for x in (real.to_numpy(n), fake)]
    return float((judged[0][:, None] > judged[1][None]).mean())


def play(gan, steps, moments, samples, smoke, seed, names=(), look=None):
    """Train for `steps` steps; at `moments` moments score samples, average the logs `names` since the last.

    Returns:
        name -> one number a moment; `steps`: the moments.

    A run whose loss is not finite stops; its remaining moments are missing, and "diverged" is 1.
    """
    import _experiment
    import keras

    import ganlib
    from ganlib.errors import TrainingDiverged

    if not gan.compiled:
        gan.compile(run_eagerly=smoke)  # a few steps do not pay for the compilation
    batches = ganlib.data.load("fashion_mnist", resolution=RESOLUTION, seed=seed).batch(BATCH)
    rows, diverged = [], 0
    for moment in range(1, moments + 1):
        seen = []
        keep = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs, seen=seen: seen.append([float(logs[name]) for name in names])
        )
        try:
            todo = steps * moment // moments - gan.step
            gan.fit(batches, steps_per_epoch=todo, verbose=0, callbacks=[keep] if names else [])
        except TrainingDiverged:
            diverged = 1
            break
        means = dict(zip(names, np.mean(seen, axis=0), strict=True)) if names else {}
        seen = {} if look is None else {look.__name__: look(gan)}
        rows.append({"steps": gan.step} | scores(gan.sample(samples, seed=seed)) | means | seen)
    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
    exact = ("steps", "classes")
    return {k: v if k in exact else _experiment.rounded(v) for k, v in columns.items()} | {
        "diverged": diverged
    }
