"""PGGAN against official arrays, its tables of parameters and of training settings, and its growth.

tests/data/pggan_blocks.npz: the formulas of tkarras/progressive_growing_of_gans at 2504c3f, a network of 16x16 under
`net/`; pggan_net_8.npz: genforce's port of the official networks at 0d16060. Both under the official names.
"""

import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from ganlib import checkpoints, convert, data
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization, LayerNormalization, MinibatchDiscrimination
from ganlib.layers.growing import Stage, halving_widths, levels_of
from ganlib.layers.minibatch_stddev import MinibatchStddev
from ganlib.layers.pixel_norm import PixelNormalization
from ganlib.layers.resampling import nearest_up
from ganlib.models import PGGAN, pggan

DATA = Path(__file__).parent / "data"
NET_8 = dict(np.load(DATA / "pggan_net_8.npz"))
BLOCKS = dict(np.load(DATA / "pggan_blocks.npz"))
NET_16 = {key.removeprefix("net/"): value for key, value in BLOCKS.items() if key.startswith("net/")}
ROW = pggan.Row(pggan.pixel_normalized, pggan.leaky)
RAW = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), dtype=np.uint8)
PICTURES = (RAW / 127.5 - 1).astype(np.float32)


def nhwc(array):
    return array.transpose(0, 2, 3, 1)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def at(lod, *networks):
    """The stage that a level of detail belongs to; the networks are set to it."""
    for network in networks:
        network.lod.assign(lod)
    return Stage(networks[0].levels - 1 - int(lod), fading=lod > int(lod))


# ------------------------------------------------------------------------------------------------ official arrays


@pytest.mark.parametrize("lod", [0.0, 0.4])
def test_networks_are_the_official_ones(lod):
    g, d = pggan.networks(ROW, 8, 3, 10, 16, 8, 4, False)
    convert.load(g, NET_8, "G/")
    convert.load(d, NET_8, "D/")
    stage = at(lod, g, d)
    close(g(NET_8["z"], stage=stage), nhwc(NET_8[f"G_images_lod{lod}"]))
    close(d(nhwc(NET_8["images"]), stage=stage), NET_8[f"D_logits_lod{lod}"])


@pytest.mark.parametrize("lod", [0.0, 0.3, 1.0, 1.6, 2.0])
def test_growth_is_the_official_one(lod):
    g, plain = pggan.networks(ROW, 16, 3, 8, 64, 8, 4, False)
    _, fused = pggan.networks(ROW, 16, 3, 8, 64, 8, 4, True)
    assert trainable(g) == NET_16["n_params_G"] and trainable(plain) == NET_16["n_params_D"]
    convert.load(g, NET_16, "G/")
    for d in (plain, fused):
        convert.load(d, NET_16, "D/")
    stage = at(lod, g, plain, fused)
    images, key = g(NET_16["z"], stage=stage), f"lod{lod}".replace(".", "p")
    while images.shape[1] < 16:
        images = nearest_up(images)
    close(images, nhwc(NET_16[f"G_{key}"]))
    close(plain(nhwc(NET_16["img"]), stage=stage), NET_16[f"D_{key}"])
    close(fused(nhwc(NET_16["img"]), stage=stage), NET_16[f"D_fused_{key}"])


def test_real_images_fade_like_the_official_ones():
    gan = PGGAN.from_preset("smoke", resolution=16, channels=3)
    object.__setattr__(gan, "_loaded_stage", at(0.3, gan.discriminator))
    close(gan.at_stage(nhwc(BLOCKS["fade_reals/x"])), nhwc(BLOCKS["fade_reals/lod0p3"]))
    object.__setattr__(gan, "_loaded_stage", at(1.0, gan.discriminator))
    images, labels = gan.at_stage((nhwc(BLOCKS["fade_reals/x"]), 7))
    close(images, nhwc(BLOCKS["fade_reals/x"].reshape(2, 3, 8, 2, 8, 2).mean(axis=(3, 5))))
    assert labels == 7


# ------------------------------------------------------------------------------------------------------- counts


def counts(resolution, latent_dim, base, largest, channels=3):
    """Table 2 written out: (G's, D's) weights and biases, the image layers of all resolutions counted."""
    width = {4 << i: min(base // (2 << i), largest) for i in range(levels_of(resolution))}
    first, last = width[4], min(base, largest)
    g = latent_dim * 16 * first + first + (9 * first + 1) * first
    d = (9 * (first + 1) + 1) * first + (16 * first + 1) * last + last + 1
    for size, n in width.items():
        g += (n + 1) * channels
        d += (channels + 1) * n
        if size > 4:
            below = width[size // 2]
            g += (9 * below + 1) * n + (9 * n + 1) * n
            d += (9 * n + 1) * n + (9 * n + 1) * below
    return g, d


@pytest.fixture(scope="module")
def paper():
    with pytest.MonkeyPatch.context() as patch:  # zeros are quicker drawn than 46 million normal numbers
        patch.setattr(keras.initializers, "RandomNormal", lambda **_: "zeros")
        return PGGAN.from_preset("celebahq_1024")


def test_the_paper_has_46_million_weights(paper):
    found = trainable(paper.generator), trainable(paper.discriminator)
    assert found == (23_079_115, 23_087_249) == counts(1024, 512, 8192, 512)
    assert halving_widths(9, 8192, 512) == [512, 512, 512, 512, 256, 128, 64, 32, 16, 512]


@pytest.mark.parametrize(
    ("preset", "widths"),
    [
        ("celeba_128", (128, 512, 2048, 512)),
        ("cifar10_32", (32, 128, 4096, 128)),
        ("smoke", (8, 8, 64, 8, 1)),
    ],
)
def test_other_presets_have_the_weights_of_their_widths(preset, widths, monkeypatch):
    monkeypatch.setattr(keras.initializers, "RandomNormal", lambda **_: "zeros")
    gan = PGGAN.from_preset(preset)
    assert (trainable(gan.generator), trainable(gan.discriminator)) == counts(*widths)


# ------------------------------------------------------------------------------------------------------- recipe


def test_the_papers_schedule(paper):
    phases = paper.phases()
    stages = [Stage(0)] + [Stage(n, fading) for n in range(1, 9) for fading in (True, False)]
    assert [phase.level for phase in phases] == stages
    assert [phase.images for phase in phases] == [800_000] * 16 + [None]
    sizes = [phase.batch_size for phase in paper.schedule().phases]
    assert sizes == [16] * 11 + [14, 14, 6, 6, 3, 3]
    assert paper.images_for(50_000 * 11) == 800_000 * 11
    assert paper.steps_for(800_000 * 12) == 50_000 * 11 + -(-800_000 // 14)
    assert (paper.n_critic, paper.latent_dim, paper.ema_decay, paper.batch_size) == (1, 512, 0.999, 16)
    assert paper.image_shape == (1024, 1024, 3) and paper.picture_rows == 64
    (variety,) = [
        layer for layer in paper.discriminator._flatten_layers() if isinstance(layer, MinibatchStddev)
    ]
    assert variety.group_size is None


TINY = {
    "resolution": 8,
    "channels": 1,
    "latent_dim": 6,
    "channel_base": 16,
    "channel_max": 4,
    "fade_images": 100,
    "stable_images": 8,
}
# row of table 1 -> learning rate, beta 2, batch size, D updates, latents, drift, kinds of layers in G and in D
ROWS = {
    "gulrajani": (1e-4, 0.9, 64, 5, 128, 0.0, {BatchNormalization}, {LayerNormalization}),
    "growing": (1e-4, 0.9, 64, 5, 128, 0.0, {BatchNormalization}, {LayerNormalization}),
    "small_batch": (1e-4, 0.9, 16, 5, 128, 0.0, {BatchNormalization}, {LayerNormalization}),
    "revised": (1e-4, 0.99, 16, 1, 512, 0.001, {PixelNormalization}, set()),
    "minibatch_discrimination": (
        1e-4,
        0.99,
        16,
        1,
        512,
        0.001,
        {PixelNormalization},
        {MinibatchDiscrimination},
    ),
    "minibatch_stddev": (1e-4, 0.99, 16, 1, 512, 0.001, {PixelNormalization}, {MinibatchStddev}),
    "equalized": (1e-3, 0.99, 16, 1, 512, 0.001, {PixelNormalization}, {MinibatchStddev}),
    "paper": (1e-3, 0.99, 16, 1, 512, 0.001, {PixelNormalization}, {MinibatchStddev}),
}
SPECIAL = set().union(*(kinds for row in ROWS.values() for kinds in row[-2:]))


def test_every_row_of_table_1_is_there():
    assert set(pggan.ARCHITECTURES) == set(ROWS) and next(iter(pggan.ARCHITECTURES)) == "paper"


@pytest.mark.parametrize("row", ROWS)
def test_rows_are_what_table_1_says_and_train(row):
    rate, beta_2, batch_size, n_critic, latent_dim, drift, in_g, in_d = ROWS[row]
    gan = PGGAN(row, **TINY | {"latent_dim": None})
    gan.compile()
    for optimizer in gan.optimizers().values():
        assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.0, beta_2, 1e-8)
        assert float(optimizer.learning_rate) == pytest.approx(rate)
    assert (gan.batch_size, gan.n_critic, gan.latent_dim) == (batch_size, n_critic, latent_dim)
    assert gan.adversarial_loss.drift == drift
    assert gan.tricks[0].factor == 10.0 and gan.tricks[0].target == 1.0
    found = {name: {type(x) for x in n._flatten_layers()} & SPECIAL for name, n in gan.players().items()}
    assert found == {"generator": in_g, "discriminator": in_d}
    # pixel norm of the latents alone, or behind every convolution of G too
    norms = [x for x in gan.generator._flatten_layers() if isinstance(x, PixelNormalization)]
    assert len(norms) == (5 if row == "paper" else 1 if PixelNormalization in in_g else 0)
    scales = [x.scale for n in gan.players().values() for x in n._flatten_layers() if hasattr(x, "scale")]
    assert (scales == [1.0] * len(scales)) == (row not in ("equalized", "paper"))
    assert [p.level for p in gan.phases()] == (
        [Stage(1)] if row == "gulrajani" else [Stage(0), Stage(1, True), Stage(1)]
    )
    gan = PGGAN(row, **TINY, batch_size=8, n_critic=1)
    gan.compile(run_eagerly=True)
    before = {name: n.get_weights() for name, n in gan.players().items()}
    # the first step of a fade, at 0, moves none of the new layers; without growth the image layers of 4x4 stand still,
    # and without drift D's last bias, which real and generated images ask for alike
    gan.fit(data.from_arrays(RAW, resolution=8).batch(8), steps_per_epoch=3, verbose=0)
    assert gan.level == (Stage(1) if row == "gulrajani" else Stage(1, fading=True))
    for name, network in gan.players().items():
        after = zip(network.weights, before[name], network.get_weights(), strict=True)
        still = [v.path for v, a, b in after if np.all(a == b)]
        bias = [network.blocks[0].layers[-1].bias.path] if name == "discriminator" and not drift else []
        assert row == "gulrajani" or still in (bias, [])
    images = gan.sample(3, seed=0)
    assert images.shape == (3, 8, 8, 1) and np.isfinite(images).all()
    assert np.abs(100 * images).max() > 1 and (
        drift > 0 or np.abs(images).max() <= 1
    )  # tanh in rows (a) to (c)


def test_where_weights_are_scaled_does_not_change_the_first_images():
    scaled, drawn = (PGGAN(row, **TINY, seed=5) for row in ("equalized", "minibatch_stddev"))
    close(scaled.sample(4, seed=0), drawn.sample(4, seed=0))


# ------------------------------------------------------------------------------------------------------- growth


class Watched(PGGAN):
    """Notes samples and logits when a phase has begun, before its first step."""

    def begin_phase(self):
        super().begin_phase()
        self.forget_traces()
        self.begun = self.seen_now()

    def seen_now(self):
        logits = self.discriminator(self.at_stage(PICTURES[:4]), **self.call_options())
        return self.sample(4, seed=0), logits.numpy()


def smoke(cls=Watched, **arguments):
    gan = cls.from_preset("smoke", **{"resolution": 16, "learning_rate": 0.01, **arguments})
    gan.compile(run_eagerly=True)
    return gan


def grown(gan, steps):
    gan.fit(data.from_arrays(RAW).batch(gan.batch_size), steps_per_epoch=steps, verbose=0)
    return gan


def test_growth_shows_what_it_showed_before_and_fades_by_images_seen(tmp_path):
    gan, rows = smoke(), []
    for step in range(7):
        before = gan.seen_now() if step else None
        if step in (1, 2):  # the end of 4x4, and half of the fade to 8x8
            checkpoints.save(gan, tmp_path / str(step))
            twin = smoke()
            assert checkpoints.restore(twin, tmp_path / str(step)) == step
            np.testing.assert_array_equal(twin.seen_now()[0], before[0])
            grown(twin, 1)
        grown(gan, 1)
        rows.append((gan.images_seen, *gan.level, *(float(n.lod.numpy()) for n in gan.networks().values())))
        if step in (1, 3, 4, 6):  # a phase began: a fade at 0, or all of a resolution behind its fade
            for a, b in zip(gan.begun, before, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
        if step in (1, 2):
            np.testing.assert_array_equal(twin.sample(4, seed=0), gan.sample(4, seed=0))
            if step == 1:
                np.testing.assert_allclose(twin.begun[0], before[0], rtol=0, atol=1e-5)
            else:
                assert not hasattr(twin, "begun")  # in mid-fade no phase begins
        assert not np.allclose(gan.seen_now()[0], before[0] if step else 0, atol=1e-3)
    # images seen, level, fading, level of detail of G, of D, and below of G's average
    assert [row[:5] for row in rows] == [
        (8, 0, False, 2.0, 2.0),
        (16, 1, True, 1.5, 1.5),
        (24, 1, True, 1.0, 1.0),
        (32, 1, False, 1.0, 1.0),
        (40, 2, True, 0.5, 0.5),
        (48, 2, True, 0.0, 0.0),
        (56, 2, False, 0.0, 0.0),
    ]
    assert [row[5] for row in rows] == [row[3] for row in rows]


def test_weights_of_a_growing_model_make_the_same_images_elsewhere(tmp_path):
    gan = grown(smoke(PGGAN), 5)
    assert gan.level == Stage(2, fading=True)
    gan.save_weights(tmp_path / "a.weights.h5")
    other = smoke(PGGAN, seed=9)
    fresh = other.sample(3, seed=1)
    other.load_weights(tmp_path / "a.weights.h5")
    assert other.level == gan.level
    np.testing.assert_array_equal(other.sample(3, seed=1), gan.sample(3, seed=1))
    assert not np.allclose(fresh, gan.sample(3, seed=1), atol=1e-2)
    gan.compile()  # and a model that is compiled again is where it was
    np.testing.assert_array_equal(other.sample(3, seed=1), gan.sample(3, seed=1))


def test_batches_of_each_resolution_are_shown_once():
    gan = smoke(PGGAN, batch_sizes=((4, 16), (8, 4)), stable_images=16, fade_images=8)
    assert [phase.batch_size for phase in gan.schedule().phases] == [16, 4, 4, 8, 8]
    sizes = []
    for _ in range(8):
        sizes.append(-gan.images_seen)
        grown(gan, 1)
        sizes[-1] += gan.images_seen
    assert sizes == [16, 4, 4, 4, 4, 4, 4, 8]
    assert gan.level == Stage(2, fading=True) and float(gan.generator.lod.numpy()) == 0.0
    assert gan.steps_for(gan.images_seen) == gan.step == 8


def test_optimisers_start_again_at_each_stage():
    gan = grown(smoke(PGGAN), 3)
    assert {name: int(o.iterations) for name, o in gan.optimizers().items()} == {
        "generator": 2,
        "discriminator": 2,
    }


def test_no_growth_is_one_phase_and_the_whole_network():
    gan = PGGAN(**TINY, start_resolution=8)
    assert len(gan.phases()) == 1 and gan.level == Stage(1) and gan.call_options() == {"stage": Stage(1)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 48}, "resolution=48 is not reached by doubling 4: use 32, 64 or 128"),
        ({"resolution": 2}, "resolution=2 is not reached by doubling 4"),
        ({"start_resolution": 32}, "start_resolution=32 is above resolution=8: begin at or below it"),
        ({"start_resolution": 6}, "start_resolution=6 is not reached by doubling 4"),
        ({"fade_images": 0}, "fade_images=0 is out of range"),
        ({"stable_images": 1.5}, "stable_images=1.5 is out of range"),
        (
            {"batch_sizes": ((8, 0),)},
            r"batch_sizes=.* give pairs of a resolution and an integer of at least 1",
        ),
        ({"batch_sizes": 64}, r"batch_sizes=64: give pairs of a resolution and an integer of at least 1"),
        ({"resolution": 8.0}, r"resolution=8.0 is out of range"),
        ({"architecture": "h"}, "there is no architecture 'h': choose one of paper, gulrajani"),
        ({"channel_max": 0}, "channel_max=0 is out of range"),
        ({"group_size": 0}, "group_size=0 is out of range"),
        ({"slope": 0.0}, "target=0.0 is out of range"),
    ],
)
def test_errors_say_what_to_do(arguments, message):
    with pytest.raises(InputError, match=message):
        PGGAN(**TINY | arguments)


def test_a_batch_that_cannot_be_grouped_is_refused():
    gan = smoke(PGGAN, group_size=4, batch_size=6)
    with pytest.raises(InputError, match="6 images cannot be cut into groups"):
        gan.fit(data.from_arrays(RAW).batch(6), steps_per_epoch=1, verbose=0)


@pytest.mark.long
def test_ten_kills_of_a_growing_run_change_no_bit(tmp_path):
    """`ganlib train`, killed from outside wherever it happens to be, ten times, and resumed each time."""
    model = {"resolution": 16, "fade_images": 800, "stable_images": 400}
    command = [sys.executable, "-m", "ganlib.cli", "train", "pggan"]
    start = [
        "--preset",
        "smoke",
        "--data",
        "digits",
        "--kimg",
        "2.8",
        "--checkpoint-every",
        "5",
        "--deterministic",
    ]
    start += ["--no-score", "--sample-every", "100000", "--resolution", "16"]
    start += ["--set", "fade_images=800", "--set", "stable_images=400"]
    straight, out = tmp_path / "straight", tmp_path / "killed"
    subprocess.run([*command, *start, "--out", straight], check=True, capture_output=True)
    killed = []
    for mark in range(20, 320, 30):
        more = ["--resume"] if killed else start
        process = subprocess.Popen([*command, *more, "--out", out], stdout=subprocess.DEVNULL)
        step = 0
        while step < mark:
            assert process.poll() is None, f"ended at {step}, before {mark}"
            time.sleep(0.002)
            found = checkpoints.latest(out / "checkpoints") if (out / "checkpoints").is_dir() else None
            step = int(found.name.removeprefix("step-")) if found else 0
        process.kill()
        assert process.wait() == -9
        killed.append(step)
    subprocess.run([*command, "--resume", "--out", out], check=True, capture_output=True)
    gans = [PGGAN.from_preset("smoke", channels=1, **model) for _ in range(2)]
    phases, schedule = gans[0].phases(), gans[0].schedule()
    assert sum(phases[schedule.at(step)].level.fading for step in killed) >= 3, killed
    for gan, run in zip(gans, (straight, out), strict=True):
        gan.compile()
        assert checkpoints.restore(gan, run / "checkpoints") == 350
    for a, b in zip(*(gan.state() for gan in gans), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (straight / "model.weights.h5").exists() and (out / "model.weights.h5").exists()
