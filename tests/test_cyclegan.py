"""CycleGAN against its paper: counts, the joint objective, four players, the buffer, the schedule."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import data
from ganlib.errors import InputError
from ganlib.models import CycleGAN
from ganlib.models.cyclegan import DISCRIMINATORS, GENERATORS, ImagePool, LinearDecay
from ganlib.randomness import RandomStreams
from ganlib.updates import Player


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.fixture(scope="module")
def smoke():
    gan = CycleGAN.from_preset("smoke")
    gan.compile()
    return gan


def values(network):
    return [v.numpy() for v in network.trainable_variables]


def test_counts_of_the_official_code():
    gan = CycleGAN.from_preset("horse2zebra_256")
    counts = {name: trainable(network) for name, network in gan.players().items()}
    assert counts == {**dict.fromkeys(GENERATORS, 11_378_179), **dict.fromkeys(DISCRIMINATORS, 2_764_737)}
    assert gan.discriminator_a.output_shape == (None, 30, 30, 1)
    gan.compile()
    for optimizer in gan.optimizers().values():
        assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(2e-4), 0.5)
    assert (gan.batch_size, gan.cycle_weight, gan.identity_weight) == (1, 10.0, 0.5)
    assert [pool.size for pool in gan.tricks] == [50, 50]
    norms = [x for n in gan.players().values() for x in n.layers if "norm" in x.name]
    assert norms and all(not norm.affine and norm.epsilon == 1e-5 for norm in norms)


def test_counts_of_resnet_6():
    gan = CycleGAN.from_preset("resnet6_128")
    assert trainable(gan.generator_ab) == 11_378_179 - 3 * 2 * (9 * 256 * 256 + 256)


def test_convolutions_are_aligned_as_in_the_official_code():
    """Stride 2 with one zero on each side, and its transpose with one more row at the end, written out."""
    gan = CycleGAN(resolution=8, channels=1, base_channels=1, residual_blocks=1, receptive_field=16)
    kinds = [type(layer).__name__ for layer in gan.generator_ab.layers]
    down = gan.generator_ab.layers[kinds.index("ZeroPadding2D") : kinds.index("ZeroPadding2D") + 2]
    up = gan.generator_ab.layers[kinds.index("Conv2DTranspose") :]
    up = [up[0], next(layer for layer in up if "crop" in layer.name)]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 8)).astype(np.float32)
    kernel = down[1].kernel.numpy()[:, :, 0]
    y = down[1](down[0](x[None, :, :, None])).numpy()[0]
    padded = np.pad(x, 1)
    for i, j in ((0, 0), (2, 1), (3, 3)):
        expected = (padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3, None] * kernel).sum(axis=(0, 1))
        np.testing.assert_allclose(y[i, j], expected, rtol=1e-4, atol=1e-6)
    z = rng.normal(size=(1, 2, 2, up[0].kernel.shape[-1])).astype(np.float32)
    found = up[1](up[0](z)).numpy()[0]
    full = np.zeros((6, 6, found.shape[-1]))
    for i in range(2):
        for j in range(2):
            full[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += up[0].kernel.numpy() @ z[0, i, j]
    np.testing.assert_allclose(found, full[1:5, 1:5], rtol=1e-4, atol=1e-6)


def test_the_objective_by_hand(smoke):
    a, b = (images.numpy() for images in smoke.example_batch(seed=2))
    with smoke.streams.at(0, 0):
        loss, logs = smoke.generator_loss((a, b))
    ab, ba, d_a, d_b = smoke.players().values()
    l1 = lambda x, y: np.abs(x - y).mean()  # noqa: E731
    expected = {
        "adversarial_loss_b": np.square(d_b(ab(a)).numpy() - 1).mean(),
        "adversarial_loss_a": np.square(d_a(ba(b)).numpy() - 1).mean(),
        "cycle_loss_a": 10 * l1(ba(ab(a)), a),
        "cycle_loss_b": 10 * l1(ab(ba(b)), b),
        "identity_loss_a": 5 * l1(ba(a), a),
        "identity_loss_b": 5 * l1(ab(b), b),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(loss, sum(expected.values()), rtol=1e-5)


def test_without_identity_loss():
    gan = CycleGAN.from_preset("smoke", identity_weight=0.0)
    with gan.streams.at(0, 0):
        _, logs = gan.generator_loss(gan.example_batch())
    assert not any("identity" in name for name in logs)


@pytest.mark.parametrize("domain", ["a", "b"])
def test_d_sees_its_domain_and_translations_into_it(domain):
    gan = CycleGAN.from_preset("smoke")
    batch = dict(zip("ab", gan.example_batch(), strict=True))
    with gan.streams.at(0, 0), gan.streams.scope("x"):
        loss, _ = gan.discriminator_loss_of(domain, tuple(batch.values()))
    network = gan.players()[f"discriminator_{domain}"]
    generator = gan.generator_ba if domain == "a" else gan.generator_ab
    real = network(batch[domain]).numpy()
    fake = network(
        generator(batch["b" if domain == "a" else "a"])
    ).numpy()  # an empty buffer shows what it is given
    expected = np.square(real - 1).mean() / 2 + np.square(fake).mean() / 2
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_step_takes_all_gradients_before_any_network_moves():
    """With SGD a step is old - rate * gradient there, for all four; and the updates one by one have those gradients."""
    gan = CycleGAN.from_preset("smoke")
    gan.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.02))
    batch = gan.example_batch()
    before = {name: values(network) for name, network in gan.players().items()}
    slopes = gan.gradients(batch)
    for name, network in gan.players().items():
        for old, v in zip(before[name], network.trainable_variables, strict=True):
            np.testing.assert_array_equal(old, v)
    assert int(gan.tricks[0].variables[1]) == 0  # nor did looking fill the buffers
    gan.fit(tf.data.Dataset.from_tensors(batch).repeat(), steps_per_epoch=1, verbose=0)
    for name, network in gan.players().items():
        rate = 0.01 if name in GENERATORS else 0.02
        for (path, slope), old, v in zip(
            slopes[name], before[name], network.trainable_variables, strict=True
        ):
            np.testing.assert_allclose(v, old - rate * slope, rtol=1e-4, atol=1e-6, err_msg=path)
    assert int(gan.tricks[0].variables[1]) == 4
    assert {int(o.iterations) for o in gan.optimizers().values()} == {1}


def test_both_generators_gradients_are_of_the_whole_objective(smoke):
    """G_AB's gradient has a part through the other cycle, b -> a -> b, which its own fakes do not make."""
    batch = smoke.example_batch()
    variables = [v.value for v in smoke.generator_ab.trainable_variables]
    with smoke.streams.at(0, 0), tf.GradientTape() as tape:
        _, logs = smoke.generator_loss(batch)
        total = tf.add_n([value for name, value in logs.items() if name != "generator_loss"])
    expected = tape.gradient(total, variables)
    for (path, found), value in zip(smoke.gradients(batch)["generator_ab"], expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6, err_msg=path)


def test_translate(smoke):
    images = smoke.example_batch(70)[0].numpy()
    there, back = smoke.translate(images), smoke.translate(images, direction="ba")
    assert there.shape == (70, 16, 16, 1) and np.abs(there).max() <= 1
    np.testing.assert_allclose(there[:5], smoke.generator_ab(images[:5]), atol=1e-5)
    np.testing.assert_allclose(back[:5], smoke.generator_ba(images[:5]), atol=1e-5)
    with pytest.raises(InputError, match="choose 'ab' or 'ba'"):
        smoke.translate(images, direction="backwards")
    assert not smoke.sampled and not hasattr(smoke, "sample")


# ------------------------------------------------------------------------------------------ buffer, schedule


class _Run:
    """What a buffer needs of a GAN."""

    streams = RandomStreams(0)

    @staticmethod
    def players_of(role):
        image = keras.Input((1, 1, 1))
        return [Player("discriminator_a", role, keras.Model(image, image))]


def shown(pool, numbers, step):
    images = tf.constant(np.reshape(numbers, (-1, 1, 1, 1)), tf.float32)
    with _Run.streams.at(step, 0), _Run.streams.scope("discriminator_a"):
        return pool.query(_Run, images).numpy().ravel()


def test_the_buffer_fills_then_exchanges_half():
    pool = ImagePool(10)
    pool.build(_Run)
    for step in range(5):
        numbers = [2.0 * step, 2.0 * step + 1]
        np.testing.assert_array_equal(shown(pool, numbers, step), numbers)
    assert set(pool.variables[0].numpy().ravel()) == set(range(10)) and int(pool.variables[1]) == 10
    kept, new, ages, places = set(range(10)), 0, [], []
    for step in range(5, 505):
        number = float(step + 100)
        before = pool.variables[0].numpy().ravel()
        (image,) = shown(pool, [number], step)
        after = pool.variables[0].numpy().ravel()
        if image == number:
            new += 1
            np.testing.assert_array_equal(before, after)
        else:
            assert image in kept
            (place,) = np.flatnonzero(before != after)
            assert before[place] == image and after[place] == number  # it takes the place of what is shown
            places.append(place)
            kept = (kept - {image}) | {number}
            ages.append(number - image)
    assert 210 <= new <= 290  # half: 4 standard deviations are 45
    assert np.bincount(places, minlength=10).min() >= 8
    assert int(pool.variables[1]) == 10


def test_a_batch_goes_through_the_buffer_image_by_image():
    """One batch of six does what six of one do, given the same draws; so N replicas do what one does."""
    pool = ImagePool(3)
    pool.build(_Run)
    numbers = [float(i) for i in range(12)]
    rows = [*shown(pool, numbers[:6], 0), *shown(pool, numbers[6:], 1)]
    kept, expected = [], []
    for step in range(2):
        with _Run.streams.at(step, 0), _Run.streams.scope("discriminator_a"):
            drawn = _Run.streams.shared_uniform("pool", 12).numpy()
        for i, number in enumerate(numbers[6 * step : 6 * step + 6]):
            if len(kept) < 3:
                kept.append(number)
            elif drawn[2 * i] < 0.5:
                place = int(drawn[2 * i + 1] * 3)
                number, kept[place] = kept[place], number
            expected.append(number)
    assert rows == expected and list(pool.variables[0].numpy().ravel()) == kept
    assert rows != numbers


def test_the_buffer_needs_batches_of_one_size():
    gan = CycleGAN.from_preset("smoke")
    images = tf.zeros([6, 16, 16, 1])
    ragged = tf.data.Dataset.from_tensor_slices((images, images)).batch(4)
    with pytest.raises(InputError, match="drop_remainder"):
        gan.fit(ragged, steps_per_epoch=1, verbose=0)


def test_linear_decay():
    schedule = LinearDecay(2e-4, 100, 50)
    rates = [float(schedule(step)) for step in (0, 99, 100, 125, 150, 1000)]
    np.testing.assert_allclose(rates, [2e-4, 2e-4, 2e-4, 1e-4, 0, 0], rtol=1e-6, atol=1e-12)
    again = LinearDecay.from_config(schedule.get_config())
    assert float(again(130)) == float(schedule(130))
    for arguments in ((0, 1, 1), (1e-3, -1, 1), (1e-3, 1, 0), (1e-3, 0.5, 1)):
        with pytest.raises(InputError, match="out of range"):
            LinearDecay(*arguments)


def test_the_rate_falls_with_the_steps_and_the_run_then_stands_still():
    gan = CycleGAN.from_preset("smoke", constant_steps=1, decay_steps=2)
    gan.compile()
    pairs = tf.data.Dataset.from_tensors(gan.example_batch()).repeat()
    rates = []
    for _ in range(4):
        rates.append(float(gan.optimizers()["generator_ba"].learning_rate))
        before = values(gan.generator_ba)
        gan.fit(pairs, steps_per_epoch=1, verbose=0)
        moved = any((x != v).any() for x, v in zip(before, values(gan.generator_ba), strict=True))
        assert moved == (rates[-1] > 0)
    np.testing.assert_allclose(rates, [2e-4, 2e-4, 1e-4, 0], rtol=1e-6, atol=1e-12)


def test_optimisers_are_four(smoke):
    optimizers = list(smoke.optimizers().values())
    assert len({id(optimizer) for optimizer in optimizers}) == 4
    with pytest.raises(InputError, match="call compile"):
        CycleGAN.from_preset("smoke").optimizers()


def test_it_learns_unpaired_colours():
    """A is dark, B is bright: 120 steps are enough to brighten and to darken, and to come back."""
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(0, 100, (2, 32, 2, 2, 1)), np.ones((1, 1, 4, 4, 1))).astype(np.uint8)
    domains = data.pairs_from_arrays(blocks[0], 155 + blocks[1], paired=False)
    gan = CycleGAN.from_preset(
        "smoke", resolution=8, learning_rate=2e-3, constant_steps=120, decay_steps=40, identity_weight=0.0
    )
    dark, bright = domains.to_numpy()
    gan.fit(domains.batch(4), steps_per_epoch=160, verbose=0)
    brightened = gan.translate(dark)
    assert abs(brightened.mean() - bright.mean()) < 0.5 * (bright.mean() - dark.mean())
    assert np.abs(gan.translate(brightened, "ba") - dark).mean() < 0.35


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 10}, "resolution=10 is not a multiple of 4"),
        ({"cycle_weight": -1.0}, "cycle_weight=-1.0"),
        ({"identity_weight": float("nan")}, "identity_weight=nan"),
        ({"pool_size": 0}, "pool_size=0"),
        ({"residual_blocks": 0}, "residual_blocks=0"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0"),
        ({"decay_steps": 0}, "decay_steps=0"),
        ({"receptive_field": 71}, "receptive_field=71"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        CycleGAN.from_preset("smoke", **arguments)


def test_domains_of_another_size_are_refused(smoke):
    with pytest.raises(InputError, match=r"sources have shape \(4, 8, 8, 1\)"):
        smoke.fit(data.unpaired("edges_to_fashion", resolution=8).batch(4), steps_per_epoch=1, verbose=0)
