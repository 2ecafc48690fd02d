"""One paper, one file: networks and recipe."""

from ganlib.engine import Engine
from ganlib.models.acgan import ACGAN
from ganlib.models.cyclegan import CycleGAN
from ganlib.models.dcgan import DCGAN
from ganlib.models.dragan import DRAGAN
from ganlib.models.lsgan import LSGAN
from ganlib.models.pix2pix import Pix2Pix
from ganlib.models.projection_gan import ProjectionGAN
from ganlib.models.sagan import SAGAN
from ganlib.models.sngan import SNGAN
from ganlib.models.unrolled_gan import UnrolledGAN
from ganlib.models.vanilla_gan import VanillaGAN
from ganlib.models.wgan import WGAN
from ganlib.models.wgan_gp import WGANGP

__all__ = [
    "ACGAN",
    "DCGAN",
    "DRAGAN",
    "LSGAN",
    "SAGAN",
    "SNGAN",
    "WGAN",
    "WGANGP",
    "CycleGAN",
    "Pix2Pix",
    "ProjectionGAN",
    "UnrolledGAN",
    "VanillaGAN",
    "registry",
]


def registry() -> dict[str, type[Engine]]:
    """Every model by its name on the command line, in the order of the course."""
    return {
        "vanilla-gan": VanillaGAN,
        "dcgan": DCGAN,
        "unrolled-gan": UnrolledGAN,
        "lsgan": LSGAN,
        "wgan": WGAN,
        "wgan-gp": WGANGP,
        "dragan": DRAGAN,
        "sngan": SNGAN,
        "acgan": ACGAN,
        "projection-gan": ProjectionGAN,
        "sagan": SAGAN,
        "pix2pix": Pix2Pix,
        "cyclegan": CycleGAN,
    }
