"""BigGAN and BigGAN-deep against their paper and the authors' code: counts to the integer, whole networks, the recipe.

tests/data/biggan_nets.npz: tiny networks of ajbrock/BigGAN-PyTorch at 9845943 (BigGAN.py, BigGANdeep.py) with random
biases, gains and statistics: state dictionaries, inputs, and outputs in evaluation, in training, and in evaluation
after it; of images every fourth row and column.
"""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ganlib import catalogue, convert, losses
from ganlib.errors import CheckpointError, InputError
from ganlib.layers import Dropout, SelfAttention
from ganlib.models import BigGAN, BigGANDeep, biggan, biggan_deep

REFERENCE = np.load(Path(__file__).parent / "data" / "biggan_nets.npz")
LARGE = {
    (BigGAN, "imagenet_128"): (70_433_988, 87_982_370),
    (BigGAN, "imagenet_128_shared"): (72_595_908, 87_982_370),
    (BigGAN, "imagenet_128_separate"): (85_556_164, 87_982_370),
    (BigGAN, "imagenet_128_baseline"): (42_017_412, 39_448_258),
    (BigGANDeep, "imagenet_128"): (50_244_484, 34_590_210),
}


def built(cls, preset, **more):
    with catalogue.zero_weights():
        return cls.from_preset(preset, ema_decay=None, **more)


def counts(gan):
    return tuple(catalogue.parameters_of(gan).values())


LISTED = {
    (cls, preset): tuple(parameters["parameters"].values())
    for name, cls in (("biggan", BigGAN), ("biggan-deep", BigGANDeep))
    for entry in catalogue.stored()
    if entry["name"] == name
    for preset, parameters in entry["presets"].items()
}


@pytest.mark.parametrize(("cls", "preset"), [key for key in LISTED if key[1].startswith("imagenet")])
def test_counts_of_the_paper(cls, preset):
    found = LISTED[cls, preset]
    assert LARGE.get((cls, preset), found) == found
    if preset != "imagenet_128_no_ortho":  # the same networks as the paper's
        assert counts(built(cls, preset)) == found


def test_counts_at_other_sizes_by_hand():
    # CIFAR-10: SNGAN's pair with tables of classes, and a D as wide as G
    block = lambda a, b: (9 * a + 1) * b + (9 * b + 1) * b  # noqa: E731
    d = block(3, 256) + 4 * 256 + block(256, 256) + 257 * 256 + 2 * block(256, 256) + 257 + 10 * 256
    assert counts(built(BigGAN, "cifar10_32")) == (4_304_387, d)
    # 256x256: one more block in G (768 -> 768, 20 numbers of z), one in D (768 -> 768)
    small, large = (LISTED[BigGAN, name] for name in ("imagenet_128", "imagenet_256"))
    attention = lambda c: c * (c // 8 + c // 8 + c // 2 + c // 2) + 1  # noqa: E731
    g = block(768, 768) + 769 * 768 + 2 * (768 + 768) * 148
    assert large[0] - small[0] == g + attention(384) - attention(192)
    assert large[1] - small[1] == block(768, 768) + 769 * 768 + attention(192) - attention(96)


def test_the_shared_embedding_starts_to_save_at_130_classes():
    def g(architecture, classes):
        sizes = {"num_classes": classes, "latent_dim": 120, "attention": None, "base_channels": 96}
        return counts(built(BigGAN, "imagenet_128", architecture=architecture, **sizes))[0]

    norms = 96 * (16 + 16 + 16 + 8 + 8 + 4 + 4 + 2 + 2 + 1)
    for classes in (10, 129, 130):
        saved = g("separate", classes) - g("shared", classes)
        assert saved == 2 * norms * classes - 128 * classes - 2 * norms * 128
        assert (saved > 0) == (classes >= 130)


def state_of(name):
    """Official arrays of one pair, and its inputs and outputs."""
    return {key[len(name) + 1 :]: REFERENCE[key] for key in REFERENCE.files if key.startswith(f"{name}/")}


def generator(attention, latent_dim, shared_dim, skip_z):
    return biggan.generator(32, 3, 5, latent_dim, 2, attention, shared_dim, skip_z, "orthogonal")


NETS = {
    "skip_z_32/G": lambda: generator(16, 12, 3, True),
    "shared_32/G": lambda: generator(8, 6, 3, False),
    "separate_32/G": lambda: generator(None, 6, None, False),
    "skip_z_32/D": lambda: biggan.discriminator(32, 3, 5, 2, 16, 0.0, "orthogonal"),
    "deep_32/G": lambda: biggan_deep.generator(32, 3, 5, 6, 2, 2, 16, 3, "orthogonal"),
    "deep_32/D": lambda: biggan_deep.discriminator(32, 3, 5, 2, 2, 16, 0.0, "orthogonal"),
}


@pytest.mark.parametrize("net", NETS)
def test_whole_networks(net):
    name, player = net.split("/")
    state, network = state_of(name), NETS[net]()
    convert.load(network, state, prefix=f"{player}/")
    inputs = [state["z"] if player == "G" else state["x"].transpose(0, 2, 3, 1), state["y"]]
    for when in ("before", "train", "after"):
        outputs = network(inputs, training=when == "train").numpy()
        expected = state[f"{player}_{when}"]
        if player == "G":
            outputs, expected = outputs[:, ::4, ::4], expected.transpose(0, 2, 3, 1)
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=2e-5, err_msg=when)


def test_official_arrays_that_do_not_fit_are_refused():
    state, network = state_of("skip_z_32"), generator(None, 12, 3, True)
    before = network.get_weights()
    with pytest.raises(CheckpointError, match=r"G/blocks\.1\.1\.\w+\.\w+ is of no layer of this generator"):
        convert.load(network, state, prefix="G/")
    with pytest.raises(CheckpointError, match=r"there is no G/blocks.0.1.theta.weight"):
        convert.load(generator(8, 12, 3, True), state, prefix="G/")
    with pytest.raises(CheckpointError, match=r"G/shared.weight has the shape \(5, 3\)"):
        convert.load(generator(16, 12, 4, True), state, prefix="G/")
    with pytest.raises(CheckpointError, match=r"there is no shared\.weight"):
        convert.load(generator(16, 12, 3, True), state)
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_attention_and_widths():
    gan = built(BigGAN, "imagenet_128")
    places = {
        player: [layer.input.shape[1:] for layer in network.layers if isinstance(layer, SelfAttention)]
        for player, network in gan.players().items()
    }
    assert places == {"generator": [(64, 64, 192)], "discriminator": [(64, 64, 96)]}
    sums = [tuple(layer.output.shape[1:]) for layer in gan.generator.layers if "add" in layer.name]
    assert sums == [(8, 8, 1536), (16, 16, 768), (32, 32, 384), (64, 64, 192), (128, 128, 96)]
    sums = [tuple(layer.output.shape[1:]) for layer in gan.discriminator.layers if "add" in layer.name]
    assert sums[:-1] == [
        (64, 64, 96), (32, 32, 192), (16, 16, 384), (8, 8, 768), (4, 4, 1536), (4, 4, 1536),
    ]  # fmt: skip
    assert [part.shape[1] for part in biggan.cut(gan.generator.inputs[0], 6)] == [20] * 6
    assert [part.shape[1] for part in biggan.cut(gan.generator.inputs[0], 7)] == [18] + [17] * 6


def test_recipe():
    gan = built(BigGAN, "imagenet_128")
    gan.compile()
    rates = {player: float(o.learning_rate) for player, o in gan.optimizers().items()}
    assert rates == {"generator": pytest.approx(5e-5), "discriminator": pytest.approx(2e-4)}
    assert all((o.beta_1, o.beta_2) == (0.0, 0.999) for o in gan.optimizers().values())
    assert (gan.n_critic, gan.batch_size, gan.latent_dim) == (2, 2048, 120)
    assert isinstance(gan.adversarial_loss, losses.Hinge)
    assert [(type(trick).__name__, trick.weight) for trick in gan.tricks] == [
        ("OrthogonalRegularization", 1e-4)
    ]
    assert BigGAN.from_preset("smoke").ema_decay == 0.9


def test_other_choices_of_the_recipe():
    gan = BigGAN.from_preset(
        "smoke", orthogonal=0.0, r1=2.0, dropout=0.25, discriminator_beta_1=0.5, initial="normal"
    )
    gan.compile()
    assert [(type(trick).__name__, trick.gamma) for trick in gan.tricks] == [("R1", 2.0)]
    assert [layer.rate for layer in gan.discriminator.layers if isinstance(layer, Dropout)] == [0.25]
    assert [o.beta_1 for o in gan.optimizers().values()] == [0.0, 0.5]
    kernels = [v.numpy() for v in gan.generator.trainable_variables if v.name == "kernel"]
    np.testing.assert_allclose(np.std(np.concatenate([k.ravel() for k in kernels])), 0.02, rtol=0.05)


def test_weights_start_orthogonal():
    gan = BigGAN.from_preset("smoke")
    kernels = [
        v for network in gan.players().values() for v in network.trainable_variables if v.shape.rank > 1
    ]
    assert len(kernels) == 49
    for kernel in kernels:
        matrix = kernel.numpy().reshape(-1, kernel.shape[-1])
        matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-5, err_msg=kernel.path)


def test_the_average_is_g_itself_until_it_starts():
    gan = BigGAN.from_preset("smoke", ema_start=3, ema_decay=0.5)
    assert [float(gan.ema_decay_at(tf.constant(step, tf.int64))) for step in range(4)] == [0.0, 0.0, 0.5, 0.5]
    assert BigGAN.from_preset("smoke").ema_decay_at(gan.step_counter) == 0.9


def test_between_classes_and_every_part_of_z_counts():
    gan = BigGAN.from_preset("smoke", latent_dim=5)
    z = gan.sample_latents(2, seed=0)
    images = gan.images_of([z, np.array([3, 3])])
    np.testing.assert_allclose(gan.images_of([z, np.eye(10)[[3, 3]]]), images, atol=1e-6)
    assert np.abs(gan.images_of([z, np.full((2, 10), 0.1)]) - images).max() > 1e-3
    for i in range(5):
        assert np.abs(gan.images_of([z + np.eye(5)[i], np.array([3, 3])]) - images).max() > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: BigGAN(attention=100),
            "attention=100: with resolution=128 choose one of 128, 64, 32, 16, 8",
        ),
        (lambda: BigGANDeep(attention=4), "attention=4: with resolution=128"),
        (lambda: BigGAN(shared_embedding=False), "skip_z=True goes with shared_embedding=True"),
        (lambda: BigGAN(latent_dim=5), "latent_dim=5: z is cut into 6 parts here"),
        (lambda: BigGAN(resolution=1024), "resolution=1024: BigGAN's networks end at 512"),
        (lambda: BigGAN(initial="zeros"), "there is no initial 'zeros'"),
        (lambda: BigGAN.from_preset("smoke", orthogonal=-1), "orthogonal=-1 is out of range"),
        (lambda: BigGAN.from_preset("smoke", dropout=1.0), "dropout=1.0 is out of range"),
        (lambda: BigGAN.from_preset("smoke", standing_passes=-1), "standing_passes=-1 is out of range"),
        (lambda: BigGANDeep.from_preset("smoke", depth=0), "depth=0 is out of range"),
    ],
)
def test_bad_arguments(make, message):
    with catalogue.zero_weights(), pytest.raises(InputError, match=message):
        make()
