"""Recipes as their papers and the authors' code have them: what `test_recipes.py` compares the models with.

A row is (value, place). Places in code were looked up in the commit that is named; places in papers are those of the
models' docstrings, as the papers' text was not at hand. "ours" marks what neither says, or what the model's docstring
gives as a difference. Learning rates of optimisers stand before their betas, momentum and epsilon.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from ganlib import models

ROOT2 = math.sqrt(2)
KURTOSIS = {"uniform": 1.8, "truncated": 2.37, "normal": 3.0}  # fourth moment over the squared second


class Draw(NamedTuple):
    """Where a variable starts: its distribution, its deviation for a shape (..., in, out), its mean."""

    kind: str
    deviation: Callable[[tuple[int, ...]], float] = lambda shape: 0.0
    mean: float = 0.0


def normal(deviation, mean=0.0):
    return Draw("normal", lambda shape: deviation, mean)


def uniform(limit):
    return Draw("uniform", lambda shape: limit / math.sqrt(3))


def glorot(gain=1.0):
    return Draw(
        "uniform", lambda shape: gain * math.sqrt(2 / (math.prod(shape[:-2]) * (shape[-2] + shape[-1])))
    )


def he_normal():
    return Draw("truncated", lambda shape: math.sqrt(2 / math.prod(shape[:-1])))


def he(gain=ROOT2):
    return Draw("normal", lambda shape: gain / math.sqrt(math.prod(shape[:-1])))


def orthogonal(gain=1.0):
    return Draw("orthogonal", lambda shape: gain)


ONES, ZEROS = Draw("ones"), Draw("zeros")

# of all models, unless a row of theirs says otherwise
ALWAYS = {
    "* SelfAttention gamma*": (ZEROS, "brain-research/self-attention-gan ad9612e, non_local.py 79"),
    "* SpectralSelfAttention gamma*": (ZEROS, "the same"),
    "* gamma*": (ONES, "Ioffe & Szegedy 2015"),
    "* beta*": (ZEROS, "the same"),
    "* bias*": (ZEROS, "every framework here but torch"),
    "* moving_mean*": (ZEROS, "every framework"),
    "* moving_variance*": (ONES, "every framework"),
    "* u*": (normal(1.0), "pfnet-research/sngan_projection e84b1a5, source/links/sn_convolution_2d.py 66"),
    "* strength": (ZEROS, "NVlabs/stylegan 1e0d5c7, training/networks_stylegan.py 277"),
    "* noise": (normal(1.0), "NVlabs/stylegan2-ada-pytorch d72cc7d, training/networks.py 282"),
    "* w_average": (ZEROS, "NVlabs/stylegan 1e0d5c7, training/networks_stylegan.py 342"),
    "* lod": (ZEROS, "NVlabs/stylegan 1e0d5c7, training/networks_stylegan.py 341"),
}


def both(key, value, place):
    """The same fact about G and D."""
    return {f"{role} {key}": (value, place) for role in ("generator", "discriminator")}


# ------------------------------------------------------------------------------------------------------------ day 1

_YAML = "goodfeli/adversarial 1720041, mnist.yaml"
_PYLEARN = "goodfeli/adversarial 1720041, __init__.py"


def _exponential(rate):
    inside = f"decay_rate=0.999996, decay_steps=1, initial_learning_rate={rate}"
    return f"SGD ExponentialDecay({inside}) momentum 0.5"


VANILLA = {
    "batch size": (100, f"{_YAML} 57"),
    "average": (None, "none there"),
    "z": ("normal 100", f"ours; uniform there: {_YAML} 9, {_PYLEARN} 208; 100: {_YAML} nvis"),
    "D steps": (1, "section 4"),
    "game": ("NonSaturating()", "section 3"),
    "tricks": ([], "none there"),
    "generator optimiser": (_exponential(0.1), f"{_YAML} 58, 60, 92"),
    "discriminator optimiser": (_exponential(0.05), f"{_YAML} 58; cost halved: {_PYLEARN} 353"),
    "generator activations": (("relu", "sigmoid"), f"{_YAML} 13, 18, 22"),
    "discriminator dropout": ((0.2, 0.5), f"{_YAML} 73, 75"),
    "generator Dense kernel*": (uniform(0.05), f"{_YAML} 16, 21, 26"),
    "discriminator Dense kernel*": (uniform(0.005), f"{_YAML} 39, 45, 50"),
}

_CLASSCOND = "facebook/eyescream ad6f484, cifar/scripts/train_cifar_classcond.lua"
_FINE = "facebook/eyescream ad6f484, cifar/scripts/train_cifar_coarse_to_fine_classcond.lua"
_EYE_LSUN = "facebook/eyescream ad6f484, lsun/model.lua"
LAPGAN = {
    "batch size": (64, "facebook/eyescream ad6f484, batchSize 128, half of it real"),
    "average": (None, "none there"),
    "z": ("uniform 164", f"uniform: {_CLASSCOND} 177; 100: 29, and a plane of 8x8: {_FINE} 57"),
    "D steps": (1, "section 4"),
    "game": ("NonSaturating()", "section 2.1, with -log D for G as the code's targets have it"),
    "tricks": ([], "none there"),
    "generator optimiser": ("SGD 0.02 momentum 0.5", f"{_CLASSCOND} 22; section 4.1"),
    "discriminator optimiser": ("SGD 0.01 momentum 0.5", "half: BCE of a batch of both kinds"),
    **both("activations", "relu", f"{_CLASSCOND} 75 to 89"),
    "discriminator dropout": (0.5, f"{_CLASSCOND} 75, 76; {_FINE} 81"),
    "generator Conv2D kernel 5x5 last": (ZEROS, "ours: a level that is not trained adds nothing"),
    **both("* kernel*", glorot(), "ours; torch's uniform there"),
}
LAPGAN_LSUN = {
    **LAPGAN,
    "generator optimiser": ("SGD 0.01 momentum 0.5", "facebook/eyescream ad6f484, lsun/main.lua 27"),
    "discriminator optimiser": ("SGD 0.005 momentum 0.5", "the same 26; half as above"),
    "generator norms": ("BatchNormalization 0.9 1e-05", f"{_EYE_LSUN} 57 to 70, torch's"),
    "generator dropout": (0.5, f"{_EYE_LSUN} 62, 68"),
    "generator BatchNormalization gamma last": (ZEROS, "ours: as the last convolution above"),
}
del LAPGAN_LSUN["generator Conv2D kernel 5x5 last"]

_DCGAN = "Newmu/dcgan_code ee12b2d, faces/train_uncond_dcgan.py"
_ADAM_CODE = "Newmu/dcgan_code ee12b2d, lib/updates.py 142"
DCGAN_NETWORKS = {
    **both("norms", "BatchNormalization 0.9 1e-05", "ours; no running averages there, epsilon lib/ops.py 52"),
    "generator slopes": (0.0, "section 3"),
    "discriminator slopes": (0.2, "section 4"),
    "generator activations": ("tanh", "section 3"),
    **both("* kernel*", normal(0.02), f"section 4; {_DCGAN} 74, 75"),
    **both("BatchNormalization gamma*", normal(0.02, mean=1.0), f"{_DCGAN} 76"),
}
DCGAN = {
    "batch size": (128, f"section 4; {_DCGAN} 41"),
    "average": (None, "none there"),
    "z": ("uniform 100", f"section 4; {_DCGAN} 43, 202"),
    "D steps": (1, f"{_DCGAN} 36"),
    "game": ("NonSaturating()", "section 3"),
    "tricks": ([], "none there"),
    **both(
        "optimiser", "Adam 0.0002 beta_1 0.5 beta_2 0.999 epsilon 1e-08", f"{_DCGAN} 39, 49; {_ADAM_CODE}"
    ),
    **DCGAN_NETWORKS,
}
_TUTORIAL = "TensorFlow's tutorial dcgan; Keras' defaults"
DCGAN_LECTURE = {
    "batch size": (256, _TUTORIAL),
    "average": (None, _TUTORIAL),
    "z": ("normal 100", _TUTORIAL),
    "D steps": (1, _TUTORIAL),
    "game": ("NonSaturating()", _TUTORIAL),
    "tricks": ([], _TUTORIAL),
    **both("optimiser", "Adam 0.0001 beta_1 0.9 beta_2 0.999 epsilon 1e-07", _TUTORIAL),
    "generator norms": ("BatchNormalization 0.99 0.001", _TUTORIAL),
    **both("slopes", 0.3, _TUTORIAL),
    "generator activations": ("tanh", _TUTORIAL),
    "discriminator dropout": (0.3, _TUTORIAL),
    **both("* kernel*", glorot(), _TUTORIAL),
}

_SGAN = "xunhuang1995/SGAN e235644"
_MNIST = f"{_SGAN}, mnist/train_joint.py"
STACKED = {
    "batch size": (100, f"{_MNIST} 31"),
    "average": (None, "none there"),
    "z": ("uniform 100", f"{_MNIST} 75, 90: two of 50, in [0, 1] there"),
    "D steps": (1, "section 4"),
    "game": ("NonSaturating()", "eqs. 6, 7"),
    "tricks": ([], "none there"),
    ".adversarial_weight": (1.0, f"{_MNIST} 26"),
    ".conditional_weight": (1.0, f"{_MNIST} 27"),
    ".entropy_weight": (10.0, f"{_MNIST} 28"),
    ".joint_weight": (0.01, f"{_SGAN}, cifar/train_joint.py 233"),
    **both(
        "optimiser",
        "Adam 0.0001 beta_1 0.5 beta_2 0.999 epsilon 1e-08",
        f"{_MNIST} 29, 30, 171 to 199; {_SGAN}, nn.py 27, 38",
    ),
    "generator norms": ("BatchNormalization 0.9 1e-06", f"{_SGAN}, nn.py 119, 123"),
    "generator slopes": (0.0, f"{_MNIST} 83 to 106"),
    "discriminator slopes": (0.2, f"ours; ReLU in most layers there, {_MNIST} 116, 132"),
    "generator activations": (("relu", "tanh"), f"{_MNIST} 85, 108"),
    "discriminator activations": ("tanh", f"{_MNIST} 120, 135, with z in [0, 1] there"),
    "generator * kernel*": (normal(0.02), f"{_MNIST} 83 to 109"),
    "discriminator * kernel*": (
        normal(0.02),
        f"ours, as {_SGAN}, cifar/ has it; 0.01 and Glorot's in mnist/",
    ),
}
_UNROLLED = "poolio/unrolled_gan 67e2c7a, Unrolled GAN demo.ipynb, line"
UNROLLED = {
    "batch size": (512, f"{_UNROLLED} 254"),
    "average": (None, "none there"),
    "z": ("normal 256", f"{_UNROLLED} 259, 291"),
    "D steps": (1, "appendix A"),
    "game": ("Minimax()", "eq. 4"),
    "tricks": ([], "none there"),
    ".unrolling_steps": (10, "appendix A; 5 in the notebook"),
    "generator optimiser": (
        "Adam 0.001 beta_1 0.5 beta_2 0.999 epsilon 1e-08",
        f"{_UNROLLED} 256 to 258",
    ),
    "discriminator optimiser": (
        "Adam 0.0001 beta_1 0.5 beta_2 0.999 epsilon 1e-08",
        f"{_UNROLLED} 255 to 258",
    ),
    **both("activations", "relu", "appendix A, from memory; tanh in the notebook"),
    **both("Dense kernel*", orthogonal(0.8), "appendix A, from memory; 1.4 in the notebook, 294"),
}

# ------------------------------------------------------------------------------------------------------------ day 2

_LS = "xudonmao/LSGAN 3b13d36"
LSGAN = {
    "batch size": (64, f"{_LS}, train_lsun.py 17"),
    "average": (None, "none there"),
    "z": ("uniform 1024", f"{_LS}, train_lsun.py 19, 70"),
    "D steps": (1, f"{_LS}, train_lsun.py 73 to 77"),
    "game": ("LeastSquares()", f"eq. 9; {_LS}, vgg.py 142 to 147"),
    "tricks": ([], "none there"),
    **both(
        "optimiser",
        "Adam 0.001 beta_1 0.5 beta_2 0.999 epsilon 1e-08",
        f"{_LS}, train_lsun.py 15, 16; vgg.py 157",
    ),
    **both("norms", "BatchNormalization 0.9 1e-05", f"{_LS}, ops.py 10"),
    "generator slopes": (0.0, f"{_LS}, vgg.py 71 to 89"),
    "discriminator slopes": (0.2, f"{_LS}, ops.py 88"),
    "generator activations": ("tanh", f"{_LS}, vgg.py 93"),
    "generator * kernel*": (normal(0.02), f"{_LS}, ops.py 63, 68, 91"),
    "discriminator * kernel*": (normal(0.02), f"ours; truncated there, {_LS}, ops.py 54"),
    **both("BatchNormalization gamma*", normal(0.02, mean=1.0), "ours, DCGAN's; ones there"),
}

_WGAN = "martinarjovsky/WassersteinGAN f7a01e8, main.py"
WGAN = {
    "batch size": (64, f"algorithm 1; {_WGAN} 26"),
    "average": (None, "none there"),
    "z": ("normal 100", f"{_WGAN} 29, 205"),
    "D steps": (5, f"algorithm 1; {_WGAN} 42"),
    "game": ("Wasserstein()", "eq. 2"),
    "tricks": ("WeightClipping(limit=0.01)", f"algorithm 1; {_WGAN} 40, 41"),
    **both("optimiser", "RMSprop 5e-05 rho 0.99 epsilon 1e-16", f"algorithm 1; {_WGAN} 33, 34, 161; torch's"),
    **DCGAN_NETWORKS,
    **both("norms", "BatchNormalization 0.9 1e-05", "the code's models/dcgan.py 24, 71, torch's"),
    "discriminator slopes": (0.2, "the code's models/dcgan.py 16, 36"),
    **both("* kernel*", normal(0.02), f"{_WGAN} 111"),
    **both("BatchNormalization gamma*", normal(0.02, mean=1.0), f"{_WGAN} 113"),
}
WGAN_PLAIN = {
    k: v for k, v in WGAN.items() if k not in ("generator norms", "generator BatchNormalization gamma*")
}
WGAN_MLP = {
    **{k: v for k, v in WGAN_PLAIN.items() if k != "generator slopes"},
    "generator activations": (("relu", "tanh"), "figure 7; the code's models/mlp.py 15 to 21, without tanh"),
    "generator * kernel*": (glorot(), "ours; torch's uniform there"),
}

_GP = "igul222/improved_wgan_training fa66c57, gan_cifar_resnet.py"
_GP_CONV = "igul222/improved_wgan_training fa66c57, tflib/ops/conv2d.py"
WGANGP = {
    "batch size": (64, f"{_GP} 36"),
    "average": (None, "none there"),
    "z": ("normal 128", f"{_GP} 153"),
    "D steps": (5, f"{_GP} 46"),
    "game": ("Wasserstein()", "eq. 3"),
    "tricks": ("GradientPenalty(every=1, target=1, weight=10)", f"section 4; {_GP} 255 to 268"),
    **both("optimiser", "Adam 0.0002 beta_2 0.9 epsilon 1e-08", f"{_GP} 44, 305, 306"),
    "generator norms": (
        "BatchNormalization 0.9 1e-05",
        "tflib/ops/batchnorm.py 30; momentum ours, there the batch's statistics are used throughout",
    ),
    **both("slopes", 0.0, f"{_GP} 60"),
    "generator activations": ("tanh", f"{_GP} 162"),
    "generator Conv2D kernel 3x3 last": (glorot(), f"{_GP} 161"),
    **both("* kernel 3x3", glorot(ROOT2), f"{_GP} 85 to 102; {_GP_CONV} 70"),
    **both("* kernel 1x1", glorot(), f"{_GP} 127, 143; {_GP_CONV} 72"),
    **both("Dense kernel*", glorot(), "tflib/ops/linear.py 58"),
}

_DRAGAN = "kodalinaveen3/DRAGAN 5cf95ab, DRAGAN.ipynb, line"
DRAGAN = {
    **DCGAN,
    "batch size": (128, f"{_DRAGAN} mb_size"),
    "z": ("uniform 100", f"{_DRAGAN} 369, 421"),
    "tricks": ("DRAGANPenalty(every=1, scale=0.5, weight=10)", f"algorithm 1; {_DRAGAN} 377, 454"),
    **both("optimiser", "Adam 0.0001 beta_1 0.5 beta_2 0.9 epsilon 1e-08", f"{_DRAGAN} 457, 458"),
}

_SN = "pfnet-research/sngan_projection e84b1a5"
_CIFAR = f"{_SN}, configs/sn_cifar10_unconditional.yml"
SNGAN = {
    "batch size": (64, f"{_CIFAR} batchsize"),
    "average": (None, "none there"),
    "z": ("normal 128", f"{_CIFAR} dim_z"),
    "D steps": (5, f"{_CIFAR} n_dis"),
    "game": ("Hinge()", f"{_CIFAR} loss_type; updater.py 22 to 30"),
    "tricks": ([], "none there"),
    **both("optimiser", "Adam 0.0002 beta_2 0.9 epsilon 1e-08", f"{_CIFAR} adam; train.py 44"),
    "generator norms": ("BatchNormalization 0.9 2e-05", "Chainer's defaults"),
    "discriminator norms": ("Spectral 1e-12", "Chainer's defaults of max_sv.py"),
    **both("slopes", 0.0, "table 4"),
    "generator activations": ("tanh", "table 4"),
    "generator Conv2D kernel 3x3 last": (glorot(), f"{_SN}, gen_models/resnet_32.py 22"),
    "generator * kernel 3x3": (glorot(ROOT2), f"{_SN}, gen_models/resblocks.py 21"),
    "generator * kernel 1x1": (glorot(), f"{_SN}, gen_models/resblocks.py 22"),
    "discriminator * kernel 3x3": (glorot(ROOT2), f"{_SN}, dis_models/resblocks.py 16, 55"),
    "discriminator * kernel 1x1": (glorot(), f"{_SN}, dis_models/resblocks.py 17, 56"),
    "generator Dense kernel*": (glorot(), f"{_SN}, gen_models/resnet_32.py 17"),
    "discriminator SpectralDense kernel*": (glorot(), f"{_SN}, dis_models/snresnet_32.py 17"),
}
_CHAINER = "pfnet-research/chainer-gan-lib cf9efba, common/net.py"
SNGAN_CNN = {
    **{k: v for k, v in SNGAN.items() if "kernel" not in k},
    "discriminator slopes": (0.1, "table 3"),
    "generator activations": ("tanh", f"{_CHAINER} 57"),
    "generator * kernel*": (normal(0.02), f"{_CHAINER} 56, 68 to 74"),
    "discriminator * kernel*": (normal(0.02), f"{_CHAINER} 200 to 211"),
}

# ------------------------------------------------------------------------------------------------------------ day 3

_AC = "appendix A, table 2"
ACGAN = {
    "batch size": (100, _AC),
    "average": (None, "none there"),
    "z": ("normal 100", f"{_AC}; its distribution is ours"),
    "D steps": (1, _AC),
    "game": ("Minimax()", "section 4"),
    "tricks": ([], "none there"),
    **both("optimiser", "Adam 0.0002 beta_1 0.5 beta_2 0.999 epsilon 1e-08", _AC),
    **both("norms", "BatchNormalization 0.9 1e-05", "ours"),
    "generator slopes": (0.0, _AC),
    "discriminator slopes": (0.2, _AC),
    "generator activations": (("relu", "tanh"), _AC),
    "discriminator dropout": (0.5, _AC),
    **both("* kernel*", normal(0.02), _AC),
}

_COND = f"{_SN}, configs/sn_cifar10_conditional.yml"
_CCBN = f"{_SN}, source/links/categorical_conditional_batch_normalization.py 46"
PROJECTION = {
    **SNGAN,
    "batch size": (64, f"{_COND} batchsize"),
    "z": ("normal 128", f"{_COND} dim_z"),
    "D steps": (5, f"{_COND} n_dis"),
    "game": ("Hinge()", f"{_COND} loss_type"),
    **both("optimiser", "Adam 0.0002 beta_2 0.9 epsilon 1e-08", f"{_COND} adam"),
    "generator norms": (("BatchNormalization 0.9 2e-05", "ConditionalBatchNormalization 0.9 2e-05"), _CCBN),
    "discriminator SpectralEmbedding embeddings": (glorot(), f"{_SN}, dis_models/snresnet_32.py 19"),
}
PROJECTION_WIDE = {
    **PROJECTION,
    "batch size": (256, f"section 5; {_SN}, configs/sn_projection.yml 1: 16 a device"),
    "generator Conv2D kernel 3x3 last": (glorot(), f"{_SN}, gen_models/resnet.py 25"),
    "generator Dense kernel*": (glorot(), f"{_SN}, gen_models/resnet.py 18"),
    "discriminator SpectralDense kernel*": (glorot(), f"{_SN}, dis_models/snresnet.py 20"),
    "discriminator SpectralEmbedding embeddings": (glorot(), f"{_SN}, dis_models/snresnet.py 22"),
}

_SA = "brain-research/self-attention-gan ad9612e"
SAGAN = {
    "batch size": (256, "section 5; 64 a device in the code, train_imagenet.py 42"),
    "average": (0.999, "ours; neither paper nor code has an average of G"),
    "z": ("normal 128", f"{_SA}, model.py 49"),
    "D steps": (1, "section 4.2"),
    "game": ("Hinge()", f"eq. 4; {_SA}, model.py 53"),
    "tricks": ([], "none there"),
    "generator optimiser": (
        "Adam 0.0001 beta_2 0.9 epsilon 1e-08",
        f"section 5; {_SA}, model.py 40, beta2 .999",
    ),
    "discriminator optimiser": ("Adam 0.0004 beta_2 0.9 epsilon 1e-08", f"the same; {_SA}, model.py 38"),
    "generator norms": (
        ("BatchNormalization 0.9 1e-05", "ConditionalBatchNormalization 0.9 1e-05", "Spectral 1e-12"),
        f"epsilon: {_SA}, ops.py 346, 363; momentum ours: 0.999 there, and 0.9999 in the last",
    ),
    "discriminator norms": ("Spectral 1e-12", f"{_SA}, ops.py 120"),
    **both("slopes", 0.0, "section 3"),
    "generator activations": ("tanh", f"{_SA}, generator.py"),
    "generator SpectralConv2D kernel 3x3 last": (glorot(), f"{_SA}, ops.py 200"),
    **both("* kernel 3x3", glorot(ROOT2), f"ours, projection GAN's; glorot's there, {_SA}, ops.py 200"),
    **both("* kernel 1x1", glorot(), f"{_SA}, ops.py 200, non_local.py 34"),
    **both("SpectralDense kernel*", glorot(), f"{_SA}, ops.py 230"),
    "discriminator SpectralEmbedding embeddings": (glorot(), f"{_SA}, ops.py 257"),
}

_LUA = "phillipi/pix2pix 89ff2a8"
_NETWORKS = "junyanz/pytorch-CycleGAN-and-pix2pix 7891385, models/networks.py"
PIX2PIX = {
    "batch size": (1, f"{_LUA}, train.lua 16"),
    "average": (None, "none there"),
    "game": ("HalvedNonSaturating()", "section 3.3"),
    "tricks": ([], "none there"),
    ".l1_weight": (100.0, f"eq. 4; {_LUA}, train.lua 53"),
    ".adversarial_weight": (1.0, "eq. 4"),
    **both("optimiser", "Adam 0.0002 beta_1 0.5 beta_2 0.999 epsilon 1e-08", f"{_LUA}, train.lua 24, 25"),
    **both("norms", "InstanceNormalization 1e-05", "section 3.3: of the test batch; torch's epsilon"),
    "generator slopes": ((0.0, 0.2), f"{_LUA}, models.lua 8 to 37"),
    "discriminator slopes": (0.2, f"{_NETWORKS}, NLayerDiscriminator: both LeakyReLU"),
    "generator activations": ("tanh", "section 6.1.1"),
    "generator dropout": (0.5, f"{_LUA}, models.lua 23 to 27"),
    **both("* kernel*", normal(0.02), f"section 6.2; {_LUA}, train.lua 93"),
    **both("InstanceNormalization gamma", normal(0.02, mean=1.0), f"{_LUA}, train.lua 96"),
}
PIX2PIX_BATCH_NORM = {
    **{k: v for k, v in PIX2PIX.items() if "gamma" not in k},
    **both("norms", "BatchNormalization 0.9 1e-05", f"{_NETWORKS} get_norm_layer; torch's defaults"),
    **both("BatchNormalization gamma", normal(0.02, mean=1.0), f"{_NETWORKS} init_weights"),
}
_OPTIONS = "junyanz/pytorch-CycleGAN-and-pix2pix 032e884, options/train_options.py"
_CYCLE = "junyanz/pytorch-CycleGAN-and-pix2pix 032e884, models/cycle_gan_model.py"
CYCLEGAN = {
    "batch size": (1, "section 7.1; base_options.py --batch_size"),
    "average": (None, "none there"),
    "game": ("LeastSquares()", f"section 4; {_OPTIONS} --gan_mode"),
    "tricks": ("ImagePool(size=50)", f"section 4; {_OPTIONS} --pool_size"),
    ".cycle_weight": (10.0, f"{_CYCLE} --lambda_A, --lambda_B"),
    ".identity_weight": (0.5, f"{_CYCLE} --lambda_identity"),
    **both(
        "optimiser",
        "Adam LinearDecay(constant_steps=133400, decay_steps=133400, rate=0.0002)"
        " beta_1 0.5 beta_2 0.999 epsilon 1e-08",
        f"{_OPTIONS} --niter, --niter_decay, --lr, --beta1; {_CYCLE} Adam; 1,334 zebras an epoch",
    ),
    **both("norms", "InstanceNormalization 1e-05", f"{_NETWORKS} get_norm_layer; torch's epsilon"),
    "generator slopes": (0.0, f"{_NETWORKS} ResnetGenerator"),
    "discriminator slopes": (0.2, f"{_NETWORKS} NLayerDiscriminator: both LeakyReLU"),
    "generator activations": ("tanh", f"{_NETWORKS} ResnetGenerator"),
    **both("* kernel*", normal(0.02), f"section 7.1; {_NETWORKS} init_weights"),
}

# ------------------------------------------------------------------------------------------------------------ day 4

_PG = "tkarras/progressive_growing_of_gans 2504c3f"
PGGAN = {
    "batch size": (16, f"appendix A; {_PG}, train.py 93"),
    "average": (0.999, f"{_PG}, train.py 134"),
    "z": ("normal 512", "table 2"),
    "D steps": (1, f"{_PG}, train.py 135"),
    "game": ("Wasserstein(drift=0.001)", f"{_PG}, loss.py 45, 70"),
    "tricks": ("GradientPenalty(every=1, target=1, weight=10)", f"{_PG}, loss.py 44, 46, 67"),
    **both("optimiser", "Adam 0.001 beta_2 0.99 epsilon 1e-08", f"{_PG}, config.py 45, 46; train.py 96, 98"),
    "generator norms": ("PixelNormalization 1e-08", f"{_PG}, networks.py 120"),
    **both("slopes", 0.2, f"{_PG}, networks.py 64"),
    **both("* kernel*", normal(1.0), f"{_PG}, networks.py 27"),
}
GULRAJANI = {
    "batch size": (64, "table 1, row a"),
    "average": (0.980189, "0.999 ^ 20: the authors' Theano code averages over images, from memory"),
    "z": ("normal 128", "row a: Gulrajani et al.'s"),
    "D steps": (5, "row a"),
    "game": ("Wasserstein()", "row a"),
    "tricks": ("GradientPenalty(every=1, target=1, weight=10)", "row a"),
    **both("optimiser", "Adam 0.0001 beta_2 0.9 epsilon 1e-08", "row a"),
    "generator norms": ("BatchNormalization 0.9 0.0001", "Lasagne's defaults"),
    "discriminator norms": ("LayerNormalization 0.0001", "Lasagne's epsilon"),
    "generator slopes": (0.0, "row a"),
    "discriminator slopes": (0.2, "row a"),
    "generator EqualizedDense kernel*": (he(ROOT2 / 4), f"{_PG}, networks.py 29, 184"),
    "generator EqualizedConv2D kernel 1x1*": (he(1.0), f"{_PG}, networks.py 29, 203"),
    "generator * kernel*": (he(), f"{_PG}, networks.py 22, 29"),
    "discriminator * kernel*": (he(), f"{_PG}, networks.py 22, 29"),
}

_ST = "NVlabs/stylegan 1e0d5c7"
_ST_NETS = f"{_ST}, training/networks_stylegan.py"
STYLEGAN = {
    "batch size": (32, f"{_ST}, train.py 49"),
    "average": (0.997784, f"0.5 ^ (32 / 10,000): {_ST}, training/training_loop.py 125, 167"),
    "z": ("normal 512", f"{_ST_NETS} latent_size"),
    "D steps": (1, f"{_ST}, training/training_loop.py D_repeats"),
    "game": ("NonSaturating()", f"{_ST}, train.py 27, 28"),
    "tricks": ("R1(every=1, gamma=10)", f"{_ST}, train.py 28; training/loss.py 166"),
    ".style_mixing": (0.9, f"{_ST_NETS} 310"),
    ".truncation_cutoff": (8, f"{_ST_NETS} 306"),
    **both(
        "optimiser", "Adam 0.001 beta_2 0.99 epsilon 1e-08", f"{_ST}, train.py 25, 26; training_loop.py 65"
    ),
    "generator norms": ("PixelNormalization 1e-08", f"{_ST_NETS} 239"),
    **both("slopes", 0.2, f"{_ST_NETS} 223"),
    "generator Synthesis constant*": (ONES, f"{_ST_NETS} const, ones"),
    "generator EqualizedDense kernel mapping": (normal(100.0), f"{_ST_NETS} 141, mapping_lrmul 0.01"),
    **both("* kernel*", normal(1.0), f"{_ST_NETS} 141, 148"),
}
_ADA = "NVlabs/stylegan2-ada-pytorch d72cc7d"
_ADA_NETS = f"{_ADA}, training/networks.py"
STYLEGAN2 = {
    "batch size": (32, f"{_ADA}, train.py 156"),
    "average": (0.997784, f"0.5 ^ (32 / 10,000): {_ADA}, train.py 156, ema"),
    "z": ("normal 512", "section 3"),
    "D steps": (1, f"{_ADA}, training/training_loop.py"),
    "game": ("NonSaturating()", f"{_ADA}, training/loss.py"),
    "tricks": (
        ("PathLength(every=4, weight=2)", "R1(every=16, gamma=10)"),
        f"{_ADA}, training/loss.py 24; train.py",
    ),
    ".style_mixing": (0.9, f"{_ADA}, training/loss.py 24"),
    "generator optimiser": ("Adam 0.0016 beta_2 0.992 epsilon 1e-08", f"{_ADA}, train.py 185, 4/5"),
    "discriminator optimiser": ("Adam 0.001882 beta_2 0.9906 epsilon 1e-08", f"{_ADA}, train.py 186, 16/17"),
    "generator norms": ("PixelNormalization 1e-08", f"{_ADA_NETS} 21"),
    "generator Synthesis constant*": (normal(1.0), f"{_ADA_NETS} 359"),
    "generator EqualizedDense kernel mapping": (normal(100.0), f"{_ADA_NETS} 100, 184"),
    "generator EqualizedDense bias mapping": (ZEROS, f"{_ADA_NETS} 96"),
    "generator EqualizedDense bias": (ONES, f"{_ADA_NETS} 278, 314"),
    **both("* kernel*", normal(1.0), f"{_ADA_NETS} 100, 148, 280, 316"),
}

_ADAIN = "xunhuang1995/AdaIN-style 6d8ac28, train.lua"
ADAIN = {
    "batch size": (8, f"section 6; {_ADAIN} 37"),
    "average": (None, "none there"),
    "tricks": ([], "none there"),
    ".style_weight": (0.01, f"{_ADAIN} 42"),
    "generator optimiser": (
        "Adam InverseTimeDecay(decay_rate=5e-05, decay_steps=1, initial_learning_rate=0.0001)"
        " beta_1 0.9 beta_2 0.999 epsilon 1e-08",
        f"{_ADAIN} 33, 34, 298; torch's optim.adam",
    ),
    "generator activations": ("relu", f"{_ADAIN} 22"),
    "generator Conv2D kernel*": (glorot(), "ours; torch's uniform there"),
}

# ------------------------------------------------------------------------------------------------------------ day 5

_BIG = "ajbrock/BigGAN-PyTorch 9845943"
_NORMS = "BatchNormalization 0.9 1e-05"
BIGGAN = {
    "batch size": (2048, "section 3"),
    "average": (0.9999, f"appendix C; {_BIG}, utils.py 284"),
    "z": ("normal 120", f"table 4; {_BIG}, utils.py 1089"),
    "D steps": (2, "appendix C"),
    "game": ("Hinge()", "appendix C"),
    "tricks": (
        "OrthogonalRegularization(every=1, role=generator, weight=0.0001)",
        "section 3.1; utils.py 646",
    ),
    "generator optimiser": ("Adam 5e-05 beta_2 0.999 epsilon 1e-08", f"{_BIG}, BigGAN.py 61"),
    "discriminator optimiser": ("Adam 0.0002 beta_2 0.999 epsilon 1e-08", f"{_BIG}, BigGAN.py 288, 289"),
    "generator norms": (
        (_NORMS, "Spectral 1e-12", "SpectralConditionalBatchNormalization 0.9 1e-05"),
        f"{_BIG}, BigGAN.py 62; layers.py 213",
    ),
    "discriminator norms": ("Spectral 1e-12", f"{_BIG}, BigGAN.py 289"),
    **both("slopes", 0.0, "appendix B"),
    "generator activations": ("tanh", "appendix B"),
    "generator * kernel*": (orthogonal(), f"{_BIG}, BigGAN.py 216"),
    "discriminator * kernel*": (orthogonal(), f"{_BIG}, BigGAN.py 381"),
    "generator * embeddings": (orthogonal(), f"{_BIG}, BigGAN.py 216"),
    "discriminator * embeddings": (orthogonal(), f"{_BIG}, BigGAN.py 381"),
}
_SCRIPT = f"{_BIG}, scripts/launch_cifar_ema.sh"
BIGGAN_CIFAR = {
    **BIGGAN,
    "batch size": (50, _SCRIPT),
    "z": ("normal 128", f"{_BIG}, utils.py --dim_z"),
    "D steps": (4, _SCRIPT),
    "tricks": ([], f"{_SCRIPT} --G_ortho"),
    ".ema_start": (1000, _SCRIPT),
    **both("optimiser", "Adam 0.0002 beta_2 0.999 epsilon 1e-08", _SCRIPT),
    "generator norms": (
        (_NORMS, "EmbeddedConditionalBatchNormalization 0.9 1e-05", "Spectral 1e-12"),
        "as above",
    ),
    **both("* kernel*", normal(0.02), f"{_SCRIPT} N02"),
    "discriminator * embeddings": (normal(0.02), f"{_SCRIPT} N02"),
    "generator EmbeddedConditionalBatchNormalization gain": (normal(0.02), f"{_SCRIPT} N02"),
    "generator EmbeddedConditionalBatchNormalization offset": (normal(0.02), f"{_SCRIPT} N02"),
}
del BIGGAN_CIFAR["generator * embeddings"]
_DEEP = f"{_BIG}, scripts/launch_BigGAN_deep.sh"
BIGGAN_DEEP = {
    **BIGGAN,
    "z": ("normal 128", _DEEP),
    "D steps": (1, _DEEP),
    ".ema_start": (20_000, _DEEP),
    "generator optimiser": ("Adam 0.0001 beta_2 0.999 epsilon 1e-08", _DEEP),
    "discriminator optimiser": ("Adam 0.0004 beta_2 0.999 epsilon 1e-08", _DEEP),
}
BIGBIGAN = {
    **BIGGAN,
    "tricks": ([], "none there"),
    "encoder optimiser": ("Adam 0.0005 beta_2 0.999 epsilon 1e-08", "table 1: ten times G's"),
    "encoder norms": (_NORMS, "ours"),
    "encoder slopes": (0.0, "appendix A"),
    "encoder activations": ("softplus", "appendix A"),
    "encoder Dense kernel*": (glorot(), "ours"),
    "encoder Conv2D kernel*": (he_normal(), "ours: He et al. 2015"),
}
del BIGBIGAN["generator * embeddings"], BIGBIGAN["discriminator * embeddings"]
LOGAN = {
    **SNGAN_CNN,
    "z": ("uniform 128", "section 5"),
    "tricks": (
        "LatentOptimisation(damping=0.1, method=natural, share=1, step_size=0.9, steps=1, weight=0.1)",
        "section 5: alpha 0.9; damping and weight ours",
    ),
}
LOGAN_DEEP = {
    **BIGGAN_DEEP,
    "z": ("uniform 256", "section 5.2"),
    "tricks": (
        (
            "LatentOptimisation(damping=5, method=natural, share=0.5, step_size=0.9, steps=1, weight=300)",
            "OrthogonalRegularization(every=1, role=generator, weight=0.0001)",
        ),
        "section 5.2",
    ),
    **both("slopes", 0.2, "section 5.2"),
}
del LOGAN_DEEP[".ema_start"]

_SMALL = {"resolution": 16, "base_channels": 16}
_GROWN = {"resolution": 8, "channel_base": 64, "channel_max": 16}

# name, whose first word is the registry's -> (how the model is made, its facts)
RECIPES = {
    "vanilla-gan": (
        lambda: models.VanillaGAN.from_preset("mnist_28", resolution=8, units=40, maxout_units=40, maxout_pieces=2),
        VANILLA,
    ),
    "lapgan": (
        lambda: models.LAPGAN.from_preset(
            "cifar10_28", resolution=8, levels=(4, 8), num_classes=None, units=40, discriminator_units=40,
            base_channels=16, discriminator_channels=16,
        ),
        LAPGAN,
    ),
    "lapgan lsun": (
        lambda: models.LAPGAN.from_preset(
            "lsun_64", resolution=8, levels=(4, 8), units=40, discriminator_units=40, base_channels=16,
            discriminator_channels=32,
        ),
        LAPGAN_LSUN,
    ),
    "dcgan": (lambda: models.DCGAN.from_preset("lsun_64", **_SMALL), DCGAN),
    "dcgan lecture": (lambda: models.DCGAN.from_preset("cmu_28"), DCGAN_LECTURE),
    "stacked-gan": (
        lambda: models.StackedGAN.from_preset("mnist_28", units=64, features=32, base_channels=16),
        STACKED,
    ),
    "unrolled-gan": (lambda: models.UnrolledGAN.from_preset("points_2d"), UNROLLED),
    "lsgan": (lambda: models.LSGAN.from_preset("lsun_112", resolution=16, base_channels=8), LSGAN),
    "wgan": (lambda: models.WGAN.from_preset("lsun_64", **_SMALL), WGAN),
    "wgan plain": (lambda: models.WGAN.from_preset("lsun_64_plain", **_SMALL), WGAN_PLAIN),
    "wgan mlp": (lambda: models.WGAN.from_preset("lsun_64_mlp", **_SMALL), WGAN_MLP),
    "wgan-gp": (lambda: models.WGANGP.from_preset("cifar10_32", **_SMALL), WGANGP),
    "dragan": (lambda: models.DRAGAN.from_preset("cifar10_32", **_SMALL), DRAGAN),
    "sngan": (lambda: models.SNGAN.from_preset("cifar10_32", **_SMALL), SNGAN),
    "sngan cnn": (lambda: models.SNGAN.from_preset("cifar10_32_cnn", resolution=16, base_channels=8), SNGAN_CNN),
    "acgan": (lambda: models.ACGAN.from_preset("cifar10_32", discriminator_channels=4, **_SMALL), ACGAN),
    "projection-gan": (lambda: models.ProjectionGAN.from_preset("cifar10_32", **_SMALL), PROJECTION),
    "projection-gan wide": (
        lambda: models.ProjectionGAN.from_preset("imagenet_128", num_classes=100, **_SMALL),
        PROJECTION_WIDE,
    ),
    "sagan": (
        lambda: models.SAGAN.from_preset("imagenet_128", num_classes=100, attention=8, **_SMALL),
        SAGAN,
    ),
    "pix2pix": (
        lambda: models.Pix2Pix.from_preset("facades_256", resolution=32, base_channels=8, receptive_field=34),
        PIX2PIX,
    ),
    "pix2pix batch_norm": (
        lambda: models.Pix2Pix("batch_norm", resolution=32, base_channels=8, receptive_field=34),
        PIX2PIX_BATCH_NORM,
    ),
    "cyclegan": (
        lambda: models.CycleGAN.from_preset(
            "horse2zebra_256", resolution=32, base_channels=8, residual_blocks=1, receptive_field=34
        ),
        CYCLEGAN,
    ),
    "pggan": (lambda: models.PGGAN.from_preset("celebahq_1024", batch_sizes=(), **_GROWN), PGGAN),
    "pggan gulrajani": (lambda: models.PGGAN("gulrajani", **_GROWN), GULRAJANI),
    "adain": (lambda: models.AdaINStyleTransfer("small", resolution=16), ADAIN),
    "stylegan": (
        lambda: models.StyleGAN.from_preset(
            "ffhq_1024", w_dim=32, batch_sizes=(), learning_rates=(), **_GROWN
        ),
        STYLEGAN,
    ),
    "stylegan2": (
        lambda: models.StyleGAN2.from_preset("ffhq_1024_f", w_dim=32, **_GROWN | {"channel_base": 128}),
        STYLEGAN2,
    ),
    "biggan": (
        lambda: models.BigGAN.from_preset(
            "imagenet_128", resolution=16, base_channels=8, num_classes=20, shared_dim=16, attention=8
        ),
        BIGGAN,
    ),
    "biggan cifar10": (lambda: models.BigGAN.from_preset("cifar10_32", **_SMALL), BIGGAN_CIFAR),
    "biggan-deep": (
        lambda: models.BigGANDeep.from_preset(
            "imagenet_128", num_classes=20, shared_dim=16, attention=8, depth=1, **_SMALL
        ),
        BIGGAN_DEEP,
    ),
    "bigbigan": (
        lambda: models.BigBiGAN.from_preset(
            "imagenet_128", resolution=16, base_channels=8, encoder_channels=8, encoder_blocks=(1, 1), units=64,
            encoder_units=64, attention=8,
        ),
        BIGBIGAN,
    ),
    "logan": (lambda: models.LOGAN.from_preset("cifar10_32", resolution=16, base_channels=8), LOGAN),
    "logan biggan_deep": (
        lambda: models.LOGAN.from_preset("imagenet_128", num_classes=20, **_SMALL),
        LOGAN_DEEP,
    ),
}  # fmt: skip
