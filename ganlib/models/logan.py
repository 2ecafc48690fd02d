"""LOGAN: latent optimisation for generative adversarial networks.

Wu, Donahue, Balduzzi, Simonyan, Lillicrap. 2019, arXiv:1912.00953. DeepMind's code was not published.
Game: a base model whose latents take a step up D(G(z)) before both updates (`tricks.LatentOptimisation`, which has the
equations). The paper's bases are an SN-GAN on CIFAR-10 (section 5.1) and BigGAN-deep on ImageNet (section 5.2).

Networks: SNGAN's, unchanged. Of what fits a laptop it is the paper's own base; its D is kept from becoming steep, on
which the size of the steps depends, and it has no batch norm, so that df/dz is one sample's in D. "resnet" is the pair
that SNGAN's presets have, for comparison at equal sizes, "cnn" the one of section 5.1. "biggan_deep" is section 5.2's:
BigGAN-deep with 256 numbers of z, half of which are optimised, and leaky ReLUs of slope 0.2 in both networks. Recipe:
the base's, with z uniform on [-1, 1], to which it is cut off after a step; natural gradient with alpha = 0.9, and for
"biggan_deep" beta = 5 and a penalty of 300. `steps=0` is the base model.

Differs from the paper: each update draws its own z, where algorithm 1 takes both gradients at one; beta = 0.1 and a
penalty of 0.1 for the SN-GANs are ours (section 5.2 has 5 and 300 for the much steeper BigGAN-deep); samples are
optimised too unless `sampling_steps=0`; no standing statistics.
"""

from typing import ClassVar

import keras
from keras import layers

from ganlib.arguments import require_positive
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.models import biggan_deep, sngan
from ganlib.optimizers import adam
from ganlib.penalties import OrthogonalRegularization
from ganlib.presets import Architecture, Preset, made
from ganlib.tricks import LatentOptimisation


def leaky(network: keras.Model) -> keras.Model:
    """The same network, with the same layers but for its ReLUs, which get a slope of 0.2 below zero."""

    def chosen(layer):
        return layers.LeakyReLU(0.2) if isinstance(layer, layers.ReLU) else layer

    return keras.models.clone_model(network, clone_function=chosen)


def deep_generator(*sizes: int | str) -> keras.Model:
    """BigGAN-deep's with leaky ReLUs; arguments as there."""
    return leaky(biggan_deep.generator(*sizes))


def _deep(resolution, channels, num_classes, latent_dim, base_channels):
    sizes, attention = (resolution, channels, num_classes), min(64, resolution // 2)
    judge = biggan_deep.discriminator(*sizes, base_channels, 2, attention, 0.0, "orthogonal")
    return (
        made(deep_generator, *sizes, latent_dim, base_channels, 2, attention, 128, "orthogonal"),
        leaky(judge),
    )


_SMALL = {
    "resolution": 32, "latent_dim": 128, "damping": 0.1, "share": 1.0, "penalty_weight": 0.1, "n_critic": 5,
    "learning_rate": 2e-4, "batch_size": 64,
}  # fmt: skip
_LARGE = {
    "resolution": 128, "num_classes": 1000, "latent_dim": 256, "base_channels": 128, "damping": 5.0, "share": 0.5,
    "penalty_weight": 300.0, "n_critic": 1, "learning_rate": 1e-4, "batch_size": 2048,
}  # fmt: skip
ARCHITECTURES = {
    **{
        name: sngan.ARCHITECTURES[name]._replace(defaults={**sngan.ARCHITECTURES[name].defaults, **_SMALL})
        for name in ("resnet", "cnn")
    },
    "biggan_deep": Architecture(_deep, _LARGE, {"beta_2": 0.999, "faster": 4, "orthogonal": 1e-4}),
}


@keras.saving.register_keras_serializable("ganlib")
class LOGAN(GAN):
    """SNGAN, or BigGAN-deep, whose latents are optimised.

    Args:
        architecture: The base: "resnet" or "cnn", as in `SNGAN`, or "biggan_deep". What is None below is the
            architecture's.
        resolution: Height and width of the images: as in `SNGAN`, or in `BigGAN`.
        channels: 1 for grey, 3 for colour.
        num_classes: Of "biggan_deep": how many classes the labels have. The others have none.
        latent_dim: Dimension of z.
        base_channels: As in `SNGAN`, or `BigGAN`.
        method: "natural" for steps of natural gradient, or "gradient".
        step_size: alpha.
        damping: beta of the natural gradient.
        steps: Steps before each update; 0 for the base model.
        sampling_steps: Steps before samples are made; None: as many.
        share: Of z's elements that are optimised.
        penalty_weight: Of E |Delta z|^2.
        n_critic: D updates for each G update.
        learning_rate: Of G's Adam; D's is the same, of "biggan_deep" four times that.
        ema_decay: Of the averaged generator; None for none.
        batch_size: Real images a D update.
        seed: Seed of the run.
    """

    title = "LOGAN: Latent Optimisation for Generative Adversarial Networks"
    authors = "Wu, Donahue, Balduzzi, Simonyan, Lillicrap"
    year = 2019
    arxiv = "1912.00953"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 8 and 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 8, "n_critic": 1, "batch_size": 8,
             "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey in minutes on two CPU cores: SNGAN's laptop networks, one step of natural gradient",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 16, "n_critic": 1,
             "learning_rate": 1e-3, "ema_decay": 0.995},
        ),
        "laptop_gradient": Preset(
            "laptop with one step along the gradient",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 16, "n_critic": 1,
             "learning_rate": 1e-3, "ema_decay": 0.995, "method": "gradient"},
        ),
        "colab": Preset(
            "32x32 colour, 128 and 64 channels, for a GPU",
            {"resolution": 32, "channels": 3, "base_channels": 128, "ema_decay": 0.999},
        ),
        "cifar10_32": Preset("the paper's SN-GAN (section 5.1): 32x32 colour", architecture="cnn"),
        "imagenet_128": Preset(
            "the paper's BigGAN-deep (section 5.2) at 128x128: 1000 classes, ch 128, 256 latents, batch 2048",
            {"ema_decay": 0.9999},
            architecture="biggan_deep",
        ),
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "resnet",
        resolution: int | None = None,
        channels: int = 3,
        num_classes: int | None = None,
        latent_dim: int | None = None,
        base_channels: int | None = None,
        method: str = "natural",
        step_size: float = 0.9,
        damping: float | None = None,
        steps: int = 1,
        sampling_steps: int | None = None,
        share: float | None = None,
        penalty_weight: float | None = None,
        n_critic: int | None = None,
        learning_rate: float | None = None,
        ema_decay: float | None = None,
        batch_size: int | None = None,
        seed: int = 0,
    ):
        entry, given = self.settled(
            ARCHITECTURES,
            architecture,
            resolution=resolution,
            num_classes=num_classes,
            latent_dim=latent_dim,
            base_channels=base_channels,
            damping=damping,
            share=share,
            penalty_weight=penalty_weight,
            n_critic=n_critic,
            learning_rate=learning_rate,
            batch_size=batch_size,
        )
        recipe, rate = entry.recipe, given["learning_rate"]
        require_positive(example="2e-4", learning_rate=rate)
        optimisation = LatentOptimisation(
            method,
            step_size,
            given["damping"],
            steps,
            sampling_steps,
            given["share"],
            given["penalty_weight"],
        )
        sizes = {name: given[name] for name in ("resolution", "latent_dim", "base_channels")}
        if "num_classes" in entry.defaults:
            sizes["num_classes"] = given["num_classes"]
        elif num_classes is not None:
            raise InputError(f"num_classes={num_classes!r}: {architecture!r} has no classes; leave it out")
        betas = {"beta_1": 0.0, "beta_2": recipe.get("beta_2", 0.9)}
        super().__init__(
            *entry.build(seed, channels=channels, **sizes),
            num_classes=sizes.get("num_classes"),
            loss="hinge",
            penalties=[OrthogonalRegularization(recipe["orthogonal"])] if "orthogonal" in recipe else [],
            tricks=[optimisation],
            n_critic=given["n_critic"],
            ema_decay=ema_decay,
            generator_optimizer=adam(rate, **betas),
            discriminator_optimizer=adam(rate * recipe.get("faster", 1), **betas),
            batch_size=given["batch_size"],
            latent_distribution="uniform",
            seed=seed,
        )
