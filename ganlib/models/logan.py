"""LOGAN: latent optimisation for generative adversarial networks.

Wu, Donahue, Balduzzi, Simonyan, Lillicrap. 2019, arXiv:1912.00953. DeepMind's code was not published.
Game: a base model whose latents take a step up D(G(z)) before both updates (`tricks.LatentOptimisation`, which has the
equations). The paper's bases are an SN-GAN on CIFAR-10 (section 5.1) and BigGAN-deep on ImageNet (section 5.2).

Networks: SNGAN's, unchanged. Of what fits a laptop it is the paper's own base; its D is kept from becoming steep, on
which the size of the steps depends, and it has no batch norm, so that df/dz is one sample's in D. "resnet" is the pair
that SNGAN's presets have, for comparison at equal sizes, "cnn" the one of section 5.1. Recipe: the base's, with z
uniform on [-1, 1], to which it is cut off after a step; natural gradient with alpha = 0.9 (section 5.1). `steps=0` is
the base model.

Differs from the paper: each update draws its own z, where algorithm 1 takes both gradients at one; beta = 0.1 and a
penalty of 0.1 for the SN-GANs are ours (section 5.2 has 5 and 300 for the much steeper BigGAN-deep); samples are
optimised too unless `sampling_steps=0`.
"""

from typing import ClassVar

import keras

from ganlib.arguments import require_positive
from ganlib.gan import GAN
from ganlib.models import sngan
from ganlib.optimizers import adam
from ganlib.presets import Preset
from ganlib.tricks import LatentOptimisation

_STEPS = {"damping": 0.1, "share": 1.0, "penalty_weight": 0.1, "latent_dim": 128, "n_critic": 5}
ARCHITECTURES = {
    name: entry._replace(defaults={**entry.defaults, **_STEPS}) for name, entry in sngan.ARCHITECTURES.items()
}


@keras.saving.register_keras_serializable("ganlib")
class LOGAN(GAN):
    """SNGAN whose latents are optimised.

    Args:
        architecture: The base: "resnet" or "cnn", as in `SNGAN`. What is None below is the architecture's.
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8; for "cnn" a
            multiple of 8.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: As in `SNGAN`.
        method: "natural" for steps of natural gradient, or "gradient".
        step_size: alpha.
        damping: beta of the natural gradient.
        steps: Steps before each update; 0 for the base model.
        sampling_steps: Steps before samples are made; None: as many.
        share: Of z's elements that are optimised.
        penalty_weight: Of E |Delta z|^2.
        n_critic: D updates for each G update.
        learning_rate: Of both players' Adam.
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
    }  # fmt: skip

    def __init__(
        self,
        architecture: str = "resnet",
        resolution: int = 32,
        channels: int = 3,
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
        learning_rate: float = 2e-4,
        ema_decay: float | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ):
        entry, given = self.settled(
            ARCHITECTURES,
            architecture,
            latent_dim=latent_dim,
            base_channels=base_channels,
            damping=damping,
            share=share,
            penalty_weight=penalty_weight,
            n_critic=n_critic,
        )
        require_positive(example="2e-4", learning_rate=learning_rate)
        optimisation = LatentOptimisation(
            method,
            step_size,
            given["damping"],
            steps,
            sampling_steps,
            given["share"],
            given["penalty_weight"],
        )
        super().__init__(
            *entry.build(
                seed,
                resolution=resolution,
                channels=channels,
                latent_dim=given["latent_dim"],
                base_channels=given["base_channels"],
            ),
            loss="hinge",
            tricks=[optimisation],
            n_critic=given["n_critic"],
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
            discriminator_optimizer=adam(learning_rate, beta_1=0.0, beta_2=0.9),
            batch_size=batch_size,
            latent_distribution="uniform",
            seed=seed,
        )
