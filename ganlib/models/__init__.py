"""One paper, one file: networks and recipe."""

from ganlib.gan import GAN
from ganlib.models.dcgan import DCGAN
from ganlib.models.sngan import SNGAN
from ganlib.models.vanilla_gan import VanillaGAN

__all__ = ["DCGAN", "SNGAN", "VanillaGAN", "registry"]


def registry() -> dict[str, type[GAN]]:
    """Every model by its name on the command line."""
    return {"vanilla-gan": VanillaGAN, "dcgan": DCGAN, "sngan": SNGAN}
