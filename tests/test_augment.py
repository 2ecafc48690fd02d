"""ADA and DiffAugment: every transform against the authors' code, closed forms, and both as tricks of a run.

tests/data/ada.npz: NVlabs/stylegan2-ada-pytorch `training/augment.py` (commit d72cc7d) with its `debug_percentile`, on
the CPU; of transforms that treat channels alike the second channel only. `sizes/` are from the same code: outputs y,
and g, the gradient of sum(w * y) with respect to the images, where padding matters. tests/data/diffaugment.npz:
mit-han-lab/data-efficient-gans `DiffAugment_pytorch.py` (0b63395), with what it drew. Both NCHW.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from ganlib import augment, checkpoints, data, models, penalties
from ganlib.augment import ADA, PIPELINES, DiffAugment, Pipeline, diffaugment, transforms
from ganlib.cli import main, train
from ganlib.engine import Engine
from ganlib.errors import InputError
from ganlib.gan import GAN
from ganlib.randomness import RandomStreams, seeded
from ganlib.runs import folder
from ganlib.updates import Player, Update


def arrays(name):
    with np.load(Path(__file__).parent / "data" / name) as file:
        return {
            key: value.transpose(0, 2, 3, 1) if value.ndim == 4 and "draw" not in key else value
            for key, value in file.items()
        }


OFFICIAL, AUTHORS = arrays("ada.npz"), arrays("diffaugment.npz")
ALL = PIPELINES["bgcfnc"]


def strengths(name):
    if name.startswith("imgfilter_band"):
        return {"imgfilter": 1, "imgfilter_bands": [float(i == int(name[-1])) for i in range(4)]}
    groups = {"geometric": "bg", "color": "color", "geom": "geom"}
    return PIPELINES[groups[name]] if name in groups else {name: 1}


# ------------------------------------------------------------------------------------------ ADA's transforms


@pytest.mark.parametrize("key", [key for key in OFFICIAL if "/q" in key])
def test_each_transform_is_the_official_one(key):
    name, q = key.split("/q")
    pipeline = Pipeline(**strengths(name))
    found = pipeline(tf.constant(OFFICIAL["x"]), pipeline.percentile_draws(float(q), 1), p=1.0).numpy()
    expected = OFFICIAL[key]
    found = found if expected.shape == found.shape else found[..., 1:2]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_grey_images_have_the_mean_of_the_colours():
    pipeline = Pipeline(**PIPELINES["color"])
    grey = tf.constant(OFFICIAL["x"][..., :1])
    found = pipeline(grey, pipeline.percentile_draws(0.6, 1), p=1.0)
    np.testing.assert_allclose(found, OFFICIAL["gray/color_q0.6"], rtol=1e-4, atol=1e-5)


def test_filters_are_the_official_ones():
    np.testing.assert_allclose(transforms.SYM6 / transforms.SYM6.sum(), OFFICIAL["Hz_geom"], atol=1e-7)
    bank = transforms.filter_bank()
    np.testing.assert_allclose(bank, OFFICIAL["Hz_fbank"], atol=1e-7)
    np.testing.assert_allclose(bank.sum(axis=0), np.eye(1, 43, 21)[0], atol=1e-12)


@pytest.mark.parametrize(
    "key", [key[:-2] for key in OFFICIAL if key.startswith("sizes/") and key.endswith("/y")]
)
def test_other_sizes_channels_and_the_gradient(key):
    _, size, name, q = key.split("/")
    given = {**PIPELINES["bgcf"], "cutout": 1} if name == "bgcfc" else strengths(name)
    pipeline = Pipeline(**given)
    images = tf.constant(OFFICIAL[f"sizes/{size}/x"])
    with tf.GradientTape() as tape:
        tape.watch(images)
        seen = pipeline(images, pipeline.percentile_draws(float(q), 1), p=1.0)
        total = tf.reduce_sum(seen * OFFICIAL[f"sizes/{size}/w"])
    np.testing.assert_allclose(seen, OFFICIAL[f"{key}/y"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(tape.gradient(total, images), OFFICIAL[f"{key}/g"], rtol=1e-4, atol=5e-5)


def test_blitting_moves_whole_pixels():
    """On images that are not square. What is mirrored is shifted by a tenth of a pixel: SYM6 is not quite symmetric."""
    y, x = np.mgrid[:10, :16]
    smooth = np.cos(0.3 * x + 0.1 * y)[None, :, :, None]
    rough = np.random.default_rng(0).normal(size=(1, 10, 16, 3))
    padded = np.pad(rough, ((0, 0), (1, 1), (2, 2), (0, 0)), mode="reflect")

    def seen(name, number, images):
        pipeline = Pipeline(**{name: 1})
        draws = pipeline.percentile_draws(0.5, 1)
        draws.numbers[name] = tf.constant([number])
        return pipeline(tf.constant(images), draws, 1.0)

    np.testing.assert_allclose(seen("xflip", [0.49], rough), rough, atol=1e-7)
    # by 2 of 16 to the right and by 1 of 10 down: 0.125 of each, rounded
    np.testing.assert_allclose(seen("xint", [0.99, 0.99], rough), padded[:, :-2, :-4], atol=1e-7)
    np.testing.assert_allclose(seen("xint", [0.0, 0.5], rough), padded[:, 1:-1, 4:], atol=1e-7)
    np.testing.assert_allclose(seen("xflip", [0.5], smooth), smooth[:, :, ::-1], atol=0.06)
    square = smooth[:, :, :10]
    for quarters in range(4):
        turned = np.rot90(square, quarters, axes=(1, 2))
        np.testing.assert_allclose(seen("rotate90", [quarters / 4], square), turned, atol=0.06)


def test_padding_is_an_images_own_and_as_far_as_its_map_reaches():
    """6 pixels for the filters; by hand for a width of 31 and a height of 21, whose corners are at 15 and 10."""
    maps = [
        transforms.shift(tf.constant([0.0]), tf.constant([0.0])),
        transforms.shift(tf.constant([4.2]), tf.constant([-9.0])),
        tf.constant([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]),  # the corners reach to 10 and 15
        transforms.stretch(tf.constant([9.0]), tf.constant([0.1])),
    ]
    before, after = transforms.padding(tf.concat(maps, axis=0), 31, 21)
    np.testing.assert_array_equal(before, [[6, 6], [2, 15], [1, 11], [30, 0]])
    np.testing.assert_array_equal(after, [[6, 6], [11, 0], [1, 11], [30, 0]])


def test_an_image_is_seen_alike_whatever_its_neighbours_are():
    pipeline = Pipeline(**{**ALL, "imgfilter_std": 0.5})
    images = tf.constant(np.random.default_rng(1).normal(size=(6, 8, 8, 3)))
    streams = RandomStreams(0)
    with streams.at(0, 0):
        draws = pipeline.draw(streams, images.shape)
    whole = pipeline(images, draws, 0.9).numpy()
    for i in range(6):
        numbers, gates = ({name: value[i : i + 1] for name, value in kind.items()} for kind in draws[:2])
        alone = pipeline(images[i : i + 1], augment.Draws(numbers, gates, draws.pixels[i : i + 1]), 0.9)
        np.testing.assert_allclose(alone[0], whole[i], atol=1e-6)
    assert len({value.tobytes() for value in whole}) == 6


def test_how_often_and_how_far():
    n, p = 20_000, 0.3
    pipeline = Pipeline(**{**ALL, "brightness": 0.5, "imgfilter_bands": (1, 0, 1, 1)})
    streams = RandomStreams(0)
    with streams.at(0, 0):
        draws = pipeline.draw(streams, [n, 2, 2, 1])
    assert {name: value.shape[1] for name, value in draws.gates.items()}["imgfilter"] == 4
    eye = np.eye(3)

    def share(**given):
        inverse = Pipeline(**given).inverse(draws, p, 8, 8).numpy()
        return np.mean(np.abs(inverse - eye).max(axis=(1, 2)) > 1e-6), inverse

    sure = 4 * np.sqrt(0.25 / n)
    for given, expected in (
        ({"xflip": 1}, p / 2),
        ({"rotate90": 1}, p * 3 / 4),
        ({"scale": 1}, p),
        ({"rotate": 1}, p),  # before, after, or both
        ({"aniso": 0.5}, p / 2),
        ({"xfrac": 1}, p),
    ):
        assert abs(share(**given)[0] - expected) < sure, given
    shifts = share(xfrac=1)[1][:, :2, 2] / 8
    np.testing.assert_allclose(shifts.std(axis=0), 0.125 * np.sqrt(p), rtol=0.05)
    scales = np.log2(share(scale=1)[1][:, 0, 0])
    np.testing.assert_allclose(scales.std(), 0.2 * np.sqrt(p), rtol=0.05)
    gains = pipeline.gains(draws, p).numpy()
    assert abs(np.mean(np.abs(gains - 1).max(axis=1) > 1e-6) - (1 - (1 - p) ** 3)) < sure
    np.testing.assert_array_equal(Pipeline().inverse(draws, 1.0, 8, 8), np.tile(eye, (n, 1, 1)))
    for name in ("xflip", "hue"):
        assert 0 <= np.min(draws.numbers[name]) < 1e-3 and 1 - 1e-3 < np.max(draws.numbers[name]) < 1


def test_noise_and_p():
    pipeline = Pipeline(noise=1)
    pixels = np.random.default_rng(2).normal(size=(2, 4, 4, 1)).astype(np.float32)
    draws = pipeline.percentile_draws(0.7, 2, pixels)
    sigma = 0.1 * float(tf.math.erfinv(0.7))  # as the official code has it
    images = tf.zeros([2, 4, 4, 1])
    np.testing.assert_allclose(pipeline(images, draws, 0.0), sigma * pixels, rtol=1e-6)
    draws = draws._replace(gates={**draws.gates, "noise": tf.constant([[0.39], [0.41]])})
    seen = pipeline(images, draws, 0.4).numpy()
    assert np.abs(seen[0]).max() > 0 and np.abs(seen[1]).max() == 0


def test_under_xla_and_its_second_derivatives():
    """The image, the slope of a D that looks at it, and the slope of that slope's square."""
    pipeline = Pipeline(**ALL)
    images = tf.constant(np.random.default_rng(3).normal(size=(3, 6, 5, 3)).astype(np.float32))
    streams = RandomStreams(0)
    with streams.at(0, 0):
        draws = pipeline.draw(streams, images.shape)

    def looked_at(images):
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                seen = pipeline(images, draws, 0.9)
                logits = tf.reduce_sum(tf.sin(seen), axis=[1, 2, 3])
            slopes = inner.gradient(logits, images)
            r1 = tf.reduce_sum(tf.square(slopes))
        return seen, slopes, outer.gradient(r1, images)

    plain, compiled = looked_at(images), tf.function(looked_at, jit_compile=True)(images)
    for a, b in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(a).max())
    assert np.abs(plain[2]).max() > 0.1


# ------------------------------------------------------------------------------------------------ DiffAugment


@pytest.mark.parametrize("name", ["brightness", "saturation", "contrast", "translation", "cutout"])
def test_each_function_is_the_authors(name):
    drawn = [value.reshape(-1) for key, value in AUTHORS.items() if key.startswith(f"rand_{name}/draw")]
    found = getattr(diffaugment, name)(tf.constant(AUTHORS["x"]), *drawn)
    np.testing.assert_allclose(found, AUTHORS[f"rand_{name}/y"], rtol=1e-5, atol=1e-6)


def test_a_policy_is_its_functions_in_order_with_draws_in_their_ranges():
    trick = DiffAugment("color,translation,cutout")
    n = 4000
    streams = RandomStreams(0)
    with streams.at(0, 0):
        draws = trick.draw(streams, [n, 12, 17, 3])
    ranges = [(0, 1)] * 3 + [(-2, 2), (-2, 2), (0, 12), (0, 16)]  # of half 6 rows, and 9 columns
    numbers = [one.numpy() for each in draws for one in each]
    for found, (low, high) in zip(numbers[3:], ranges[3:], strict=True):
        counts = np.bincount(found - low, minlength=high - low + 1)
        assert len(counts) == high - low + 1
        np.testing.assert_allclose(counts, n / len(counts), rtol=0.35)
    for found in numbers[:3]:
        np.testing.assert_allclose([found.min(), found.mean(), found.max()], [0, 0.5, 1], atol=0.02)
    images = tf.constant(AUTHORS["x"])
    drawn = [tuple(tf.constant(AUTHORS[f"rand_{name}/draw{i}"].reshape(-1)) for i in range(count))
             for name, count in (("cutout", 2), ("translation", 2))]  # fmt: skip
    found = DiffAugment("cutout,translation").augmented(images, drawn)
    by_hand = diffaugment.translation(diffaugment.cutout(images, *drawn[0]), *drawn[1])
    np.testing.assert_array_equal(found, by_hand)


# ------------------------------------------------------------------------------------------------- as a trick


def networks(shape=(8, 8, 1), dtype="float32", seed=0):
    """Smooth ones, so that rounding is all that replicas differ by."""
    with seeded(seed):
        pixels = int(np.prod(shape))
        generator = keras.Sequential(
            [
                keras.Input((3,), dtype=dtype),
                keras.layers.Dense(pixels, "tanh", dtype=dtype),
                keras.layers.Reshape(shape, dtype=dtype),
            ]
        )
        discriminator = keras.Sequential(
            [
                keras.Input(shape, dtype=dtype),
                keras.layers.Flatten(dtype=dtype),
                keras.layers.Dense(4, "tanh", dtype=dtype),
                keras.layers.Dense(1, dtype=dtype),
            ]
        )
        return generator, discriminator


def made(*tricks, shape=(8, 8, 1), dtype="float32", rate=0.1, **arguments):
    sgd = {f"{player}_optimizer": keras.optimizers.SGD(rate) for player in ("generator", "discriminator")}
    options = {"tricks": tricks, "batch_size": 8, "ema_decay": None, **sgd, **arguments}
    return GAN(*networks(shape, dtype), **options)


def pictures(n=64, shape=(8, 8, 1)):
    return data.from_arrays(np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8), name="x").batch(
        8
    )


def values(variables):
    return [np.asarray(v.numpy()) for v in variables]


def test_r1_and_its_gradient_through_ada_by_finite_differences():
    shape = (4, 5, 1)
    gan = made(ADA(target=None, p=0.9, pipeline="bgcfnc"), shape=shape, dtype="float64")
    gan.compile()
    d, r1 = gan.player("discriminator"), penalties.R1(2.0)
    real = np.random.default_rng(1).normal(size=(3, *shape))

    @tf.function
    def logits(images):
        with gan.streams.at(0, 0):
            return gan.logits(d, images)[:, 0]

    def squared_slopes():
        steps = 1e-5 * np.eye(20).reshape(20, *shape)
        slopes = [(logits(tf.constant(real + h)) - logits(tf.constant(real - h))) / 2e-5 for h in steps]
        return np.mean(np.sum(np.square(slopes), axis=0))

    kernel = gan.discriminator.layers[1].kernel
    with gan.streams.at(0, 0), tf.GradientTape() as tape:
        term = r1.penalty(gan, d, tf.constant(real), None, None)
    np.testing.assert_allclose(term, squared_slopes(), rtol=1e-7)
    direction = np.random.default_rng(2).normal(size=kernel.shape)
    along = np.sum(tape.gradient(term, kernel.value) * direction)
    start, ends = kernel.numpy(), []
    for h in (1e-5, -1e-5):
        kernel.assign(start + h * direction)
        ends.append(squared_slopes())
    np.testing.assert_allclose(along, (ends[0] - ends[1]) / 2e-5, rtol=1e-5)
    kernel.assign(start)
    plain = r1.penalty(made(shape=shape, dtype="float64"), d, tf.constant(real), None, None)
    assert abs(float(plain) - float(term)) > 1e-2 * float(term)


def test_p_follows_the_signs_of_real_logits():
    trick = ADA(target=0.5, kimg=0.08, interval=2)
    gan = made(trick)
    d = gan.player("discriminator")
    up = 16 / 80  # 2 batches of 8 images, of the 80 in which p goes from 0 to 1
    script = [  # shares of positive logits in two steps -> p after them
        ((8, 6), up),  # r = (1 + 0.5) / 2 = 0.75
        ((6, 6), up),  # r = 0.5, on target
        ((8, 8), 2 * up),
        ((2, 8), up),  # r = 0.25
        ((0, 0), 0.0),
        ((0, 0), 0.0),  # not below 0
        *(((8, 8), min(1.0, (i + 1) * up)) for i in range(6)),  # nor above 1
        ((4, 4), 1 - up),
    ]
    assert trick.probability == 0.0
    for (first, second), expected in script:
        for positive in (first, second):
            before = trick.probability
            logits = tf.constant([[1e-3]] * positive + [[-50.0]] * (8 - positive))
            trick.observe(gan, d, logits, -logits)
            assert trick.probability == before
            trick.finish_step(gan)
            gan.step_counter.assign_add(1)
        assert trick.probability == pytest.approx(expected, abs=1e-6)
    assert values(trick.variables)[1:] == [[0.0], [0.0]]


def test_patches_count_as_one_image_and_two_discriminators_as_one():
    trick = ADA(target=0.0, kimg=0.1, interval=1)
    gan = models.CycleGAN.from_preset("smoke")
    augment.add(gan, trick)
    for player in gan.players_of("discriminator"):
        trick.observe(gan, player, tf.ones([4, 3, 3, 1]), tf.ones([4, 3, 3, 1]))
    trick.finish_step(gan)
    assert trick.probability == pytest.approx(4 / 100)


def test_p_moves_in_fit_after_every_fourth_step_and_in_nothing_else():
    trick = ADA(kimg=1.0, pipeline="color")
    gan = made(trick, rate=1e-9, n_critic=2)
    gan.discriminator.layers[-1].bias.assign([9.0])  # D calls everything real
    gan.compile()
    for steps, expected in ((3, 0.0), (1, 64), (4, 128), (2, 128)):
        history = gan.fit(pictures(), steps_per_epoch=steps, verbose=0).history
        assert history["ada_p"] == [gan.tricks[-1].probability]
        assert trick.probability == pytest.approx(expected / 1000, abs=1e-6)
    before = values(trick.variables)
    assert before[2] == [2 * 16]  # the two steps since
    gan.gradients(next(iter(pictures())))  # looking moves nothing
    assert values(trick.variables) == before
    fixed = ADA(target=None, p=0.25, pipeline="color")
    gan = made(fixed)
    gan.compile(run_eagerly=True)
    gan.fit(pictures(), steps_per_epoch=4, verbose=0)
    assert fixed.probability == 0.25


def test_g_is_judged_through_the_view_and_each_pass_has_its_own_draws():
    for trick in (ADA(target=None, p=0.8), DiffAugment()):
        gan = made(trick)
        gan.compile()
        batch = next(iter(pictures()))
        with gan.streams.at(3, 0), gan.streams.scope("x"):
            loss, _ = gan.generator_loss(batch)
            fake = gan.generate(8)
            with gan.streams.scope("fake"):
                seen = gan.viewed(fake)
            with gan.streams.scope("real"):
                other = gan.viewed(fake)
        np.testing.assert_allclose(loss, gan.adversarial_loss.generator(gan.discriminator(seen)), rtol=1e-5)
        assert np.abs(seen - fake).max() > 0.1 and np.abs(seen - other).max() > 0.1


def tricks_of_a_run():
    """Of all kinds of draws; without geometry, which takes longest to trace."""
    strengths = {"lumaflip": 1, "contrast": 1, "imgfilter": 0.5, "noise": 1}
    return [ADA(target=0.0, p=0.5, pipeline=strengths, kimg=0.5), DiffAugment()]


def test_the_configuration_and_the_state_come_back(tmp_path):
    tricks = [*tricks_of_a_run(), ADA(None, {"xflip": 1, "noise": 0.5}, 0.2, 100, 8)]
    gan = made(*tricks)
    again = GAN.from_config(gan.get_config())
    assert [(type(t), t.get_config()) for t in again.tricks] == [(type(t), t.get_config()) for t in tricks]
    assert again.tricks[2]._augment == Pipeline(xflip=1, noise=0.5)
    assert again.tricks[2].probability == pytest.approx(0.2)
    for model in (gan, again):
        model.compile()
    for i, variable in enumerate(tricks[0].variables):
        variable.assign(tf.fill(variable.shape, 0.1 + i))
    checkpoints.restore(again, checkpoints.save(gan, tmp_path))
    assert values(again.tricks[0].variables) == values(tricks[0].variables)


def on_two_replicas():
    """State after 5 steps on one replica and on two; p moves after the fourth."""
    from ganlib import scaling

    found = []
    for strategy in ("none", "cpu:2"):
        with scaling.strategy(strategy).scope():
            gan = made(*tricks_of_a_run(), rate=0.01)
            gan.compile()
        gan.fit(pictures(), steps_per_epoch=5, verbose=0)
        found.append(values(gan.state()))
    return found


def test_two_replicas_are_one(run_python):
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_augment\n"
    one, two = run_python(code + "result = test_augment.on_two_replicas()", devices=2)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    p, signs, images = one[-5:-2]  # before the counters
    assert p == pytest.approx(0.5 + 32 / 500) or p == pytest.approx(0.5 - 32 / 500)
    assert (
        images == [8] and abs(signs[0]) < 8
    )  # a sum of both signs, which the replicas have in unequal shares
    start = made(*tricks_of_a_run()).discriminator.trainable_variables[0].numpy()
    assert any(np.shape(a) == start.shape and np.abs(a - start).max() > 1e-3 for a in one)


# -------------------------------------------------------------------------------------- models and the command


QUICK = ("acgan", "cyclegan", "unrolled-gan")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in models.registry()],
)
def test_every_model_of_images_takes_it(name):
    gan = models.registry()[name].from_preset("smoke")
    before = list(gan.tricks)
    if len(gan.image_shape) == 1 or not gan.players_of("discriminator"):
        for augmentation in augment.AUGMENTATIONS:
            with pytest.raises(InputError, match="leave it out"):
                augment.add(gan, augmentation)
        assert gan.tricks == before
        return
    ada = ADA(p=0.5, target=1e-3, interval=1, kimg=0.1)
    for trick in (ada, DiffAugment()):
        augment.add(gan, trick)
    gan.compile(run_eagerly=True)
    batches = tf.data.Dataset.from_tensors(gan.example_batch()).repeat()
    gan.fit(batches, steps_per_epoch=1, verbose=0)
    assert ada.probability != 0.5
    assert any(variable is ada.variables[0] for variable in gan.state())


class Decoder(Engine):
    """A model without a discriminator, as AdaIN's is."""

    def __init__(self):
        network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1)])
        recipe = {"generator": keras.optimizers.Adam(0.1)}
        super().__init__([Player("decoder", "generator", network)], recipe, image_shape=(8, 8, 1))

    def updates(self):
        return [Update("decoder", ("decoder",), lambda batch: (tf.reduce_mean(self.decoder(batch)), {}))]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ADA(target=1.5), r"target=1.5 is out of range: give a number in \[-1, 1\]"),
        (lambda: ADA(p=-0.1), r"p=-0.1 is out of range: give a number in \[0, 1\]"),
        (lambda: ADA(p=None), "p=None is out of range"),
        (lambda: ADA(kimg=0), "kimg=0 is out of range"),
        (lambda: ADA(interval=0), "interval=0 is out of range"),
        (lambda: ADA(pipeline="bcg"), "there is no pipeline 'bcg': did you mean 'bg'"),
        (lambda: ADA(pipeline={"xflip": -1}), "xflip=-1 is out of range"),
        (lambda: ADA(pipeline={"flip": 1}), "there is no transform 'flip': did you mean 'xflip'"),
        (lambda: Pipeline(imgfilter_bands=(1, 1)), "give four strengths"),
        (
            lambda: Pipeline(noise=1)(tf.zeros([1, 4, 4, 1]), Pipeline().percentile_draws(0.5, 1), 1.0),
            "draws.pixels is None",
        ),
        (lambda: Pipeline()(tf.zeros([1, 4, 4, 2]), Pipeline().percentile_draws(0.5, 1), 1.0), "1 or 3"),
        (lambda: DiffAugment("colour"), "there is no transform of a policy 'colour': did you mean 'color'"),
        (
            lambda: augment.add(Decoder(), "ada"),
            "ADA is what a discriminator looks through, and Decoder has none",
        ),
        (lambda: augment.add(made(), "adda"), "there is no augmentation 'adda': did you mean 'ada'"),
        (lambda: augment.add(compiled(made()), ADA()), r"add ADA before compile\(\)"),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(InputError, match=message):
        make()


def compiled(gan):
    gan.compile()
    return gan


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return result


def test_the_command_knows_all_augmentations():
    (option,) = [option for option in train.params if option.name == "augment"]
    assert list(option.type.choices) == list(augment.AUGMENTATIONS)


def test_a_run_has_its_augmentation_also_when_it_is_resumed(tmp_path):
    out = tmp_path / "run"
    call(
        *("train", "vanilla-gan", "--preset", "smoke", "--augment", "ada", "--kimg", "0.048", "--no-score"),
        *("--out", out),
    )
    call("train", "vanilla-gan", "--kimg", "0.056", "--out", out, "--resume")
    config = json.loads((out / "config.json").read_text())
    assert config["options"]["augment"] == "ada"
    gan = folder.rebuild(config, out)
    gan.compile()
    assert checkpoints.restore(gan, out / "checkpoints") == 7
    trick = gan.tricks[-1]
    assert isinstance(trick, ADA)
    assert trick.variables[2].numpy() == [3 * 8]  # of steps 4 to 6, though the run was resumed at step 6
    other = ["train", "vanilla-gan", "--augment", "diffaugment", "--out", out, "--resume"]
    assert "augment is 'diffaugment', but" in call(*other, status=2).stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["vanilla-gan", "--preset", "points_2d", "--data", "gaussians_ring"], "shows D (2,): leave it out"),
        (["unrolled-gan", "--preset", "smoke", "--data", "gaussians_ring"], "shows D (2,): leave it out"),
    ],
)
def test_a_model_that_it_is_not_for_refuses_and_leaves_nothing(arguments, what, tmp_path):
    for name in augment.AUGMENTATIONS:
        result = call("train", *arguments, "--augment", name, "--out", tmp_path / "run", status=2)
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ") and what in line
        assert list(tmp_path.iterdir()) == []
