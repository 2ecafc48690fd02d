"""DRAGAN: on convergence and stability of GANs.

Kodali, Abernethy, Hays, Kira. 2017, arXiv:1705.07215.
Game: the standard one, with -log D for G as in the authors' code (kodalinaveen3/DRAGAN, commit 29fb907), plus the
penalty of algorithm 1 around the data (lambda = 10; `penalties.DRAGANPenalty` says where text and code differ), not
between data and samples as in WGAN-GP. Recipe of the code: Adam 1e-4, beta1 0.5, beta2 0.9, batch 128, n_critic 1, z
uniform on [-1, 1].

Networks: DCGAN's, as in the paper's experiments on images; the code's example is a perceptron with one hidden layer.
Their weights and batch norm are `models.dcgan`'s, what is told there of DCGAN's code too. Batch norm in D mixes the
samples of a batch, so that its slope is not one sample's; as in the paper's DCGAN it stays.
"""

from typing import ClassVar

import keras

from ganlib.gan import GAN
from ganlib.models import dcgan
from ganlib.optimizers import adam
from ganlib.penalties import DRAGANPenalty
from ganlib.presets import Preset


@keras.saving.register_keras_serializable("ganlib")
class DRAGAN(GAN):
    """The DCGAN pair; D's slope is kept near 1 around the data.

    Args:
        resolution: Height and width of the images: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: 1 for grey, 3 for colour.
        latent_dim: Dimension of z.
        base_channels: Channels of the stage next to the image; each stage further has twice as many.
        kernel_size: Of all convolutions.
        penalty_weight: lambda.
        latent_distribution: "uniform" on [-1, 1], as in the authors' code, or "normal".
        learning_rate: Of both players' Adam.
        ema_decay: Of the averaged generator; None, as in the paper, for none.
        batch_size: Real images a step.
        seed: Seed of the run.
    """

    title = "On Convergence and Stability of GANs"
    authors = "Kodali, Abernethy, Hays, Kira"
    year = 2017
    arxiv = "1705.07215"
    presets: ClassVar[dict[str, Preset]] = {
        "smoke": Preset(
            "8x8 grey, 4 channels: seconds, for tests",
            {"resolution": 8, "channels": 1, "latent_dim": 8, "base_channels": 4, "batch_size": 8,
             "ema_decay": 0.9},
        ),
        "laptop": Preset(
            "32x32 grey, DCGAN's laptop networks; learning rate 2e-4, twice the paper's",
            {"resolution": 32, "channels": 1, "latent_dim": 64, "base_channels": 32, "batch_size": 64,
             "ema_decay": 0.995, "latent_distribution": "normal", "learning_rate": 2e-4},
        ),
        "colab": Preset(
            "32x32 colour, 64 to 256 channels, for a GPU",
            {"ema_decay": 0.999},
        ),
        "cifar10_32": Preset("the paper's game on CIFAR-10: 32x32 colour"),
    }  # fmt: skip

    def __init__(
        self,
        resolution: int = 32,
        channels: int = 3,
        latent_dim: int = 100,
        base_channels: int = 64,
        kernel_size: int = 4,
        penalty_weight: float = 10.0,
        latent_distribution: str = "uniform",
        learning_rate: float = 1e-4,
        ema_decay: float | None = None,
        batch_size: int = 128,
        seed: int = 0,
    ):
        sizes = {"resolution": resolution, "channels": channels, "latent_dim": latent_dim}
        sizes |= {"base_channels": base_channels, "kernel_size": kernel_size}
        super().__init__(
            *dcgan.ARCHITECTURES["dcgan"].build(seed, **sizes),
            loss="non_saturating",
            penalties=[DRAGANPenalty(penalty_weight)],
            ema_decay=ema_decay,
            generator_optimizer=adam(learning_rate, beta_1=0.5, beta_2=0.9),
            discriminator_optimizer=adam(learning_rate, beta_1=0.5, beta_2=0.9),
            batch_size=batch_size,
            latent_distribution=latent_distribution,
            seed=seed,
        )
