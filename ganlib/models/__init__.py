"""One paper, one file: networks and recipe."""

from ganlib.engine import Engine
from ganlib.models.acgan import ACGAN as ACGAN
from ganlib.models.adain import AdaINStyleTransfer as AdaINStyleTransfer
from ganlib.models.bigbigan import BigBiGAN as BigBiGAN
from ganlib.models.biggan import BigGAN as BigGAN
from ganlib.models.biggan_deep import BigGANDeep as BigGANDeep
from ganlib.models.cyclegan import CycleGAN as CycleGAN
from ganlib.models.dcgan import DCGAN as DCGAN
from ganlib.models.dragan import DRAGAN as DRAGAN
from ganlib.models.lapgan import LAPGAN as LAPGAN
from ganlib.models.logan import LOGAN as LOGAN
from ganlib.models.lsgan import LSGAN as LSGAN
from ganlib.models.pggan import PGGAN as PGGAN
from ganlib.models.pix2pix import Pix2Pix as Pix2Pix
from ganlib.models.projection_gan import ProjectionGAN as ProjectionGAN
from ganlib.models.sagan import SAGAN as SAGAN
from ganlib.models.sngan import SNGAN as SNGAN
from ganlib.models.stacked_gan import StackedGAN as StackedGAN
from ganlib.models.stylegan import StyleGAN as StyleGAN
from ganlib.models.stylegan2 import StyleGAN2 as StyleGAN2
from ganlib.models.unrolled_gan import UnrolledGAN as UnrolledGAN
from ganlib.models.vanilla_gan import VanillaGAN as VanillaGAN
from ganlib.models.wgan import WGAN as WGAN
from ganlib.models.wgan_gp import WGANGP as WGANGP


def registry() -> dict[str, type[Engine]]:
    """Every model by its name on the command line, in the order of the course."""
    return {
        "vanilla-gan": VanillaGAN,
        "lapgan": LAPGAN,
        "dcgan": DCGAN,
        "stacked-gan": StackedGAN,
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
        "pggan": PGGAN,
        "adain": AdaINStyleTransfer,
        "stylegan": StyleGAN,
        "stylegan2": StyleGAN2,
        "biggan": BigGAN,
        "biggan-deep": BigGANDeep,
        "bigbigan": BigBiGAN,
        "logan": LOGAN,
    }
