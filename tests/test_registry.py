"""What every model keeps to: one compiled run a system, shared by the tests of counts, isolation, seeds and files.

`run` trains each smoke preset for three compiled steps, and again eagerly; the tests below look at what is left. With
`make test-all` each also runs under XLA; `make test` has one model for each kind of update and of layer there.
"""

import inspect
import json
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import catalogue, checkpoints
from ganlib.models import registry

NAMES = list(registry())
# What test-all alone has: BigBiGAN plays with BigGAN's blocks, which have tests of their own, with classes too, and the
# other two are DCGAN with another loss, and with a trick that test_tricks.py has.
REPEATED = ("biggan", "biggan-deep", "lsgan", "logan")
PLAYED = [pytest.param(n, marks=pytest.mark.long) if n in REPEATED else n for n in NAMES]
STEPS = 3
# clipping behind the update, an unrolled one, a penalty through batch norm, dropout as noise; layers have tests of
# their own there
UNDER_XLA = ("wgan", "unrolled-gan", "dragan", "pix2pix")


# Of SGD: CycleGAN's objective weighs 30 times more, and rounding grows with its steps; AdaIN's has sums over channels.
RATES = {"cyclegan": 3e-5, "adain": 1e-6}


def smoke(name, **compiled):
    """A compiled smoke preset with SGD: what is compared to rounding must not divide by it, as Adam does."""
    gan = registry()[name].from_preset("smoke", seed=3)
    roles = [role for role in ("generator", "discriminator", "encoder") if gan.players_of(role)]
    rates = {f"{role}_optimizer": keras.optimizers.SGD(RATES.get(name, 0.01)) for role in roles}
    gan.compile(**rates, **compiled)
    return gan


def moved(gan):
    """The players that the table of the running phase moves in every step, and how often."""
    rows = [row for move in gan._moves() for row in move.rows if row.every == 1]
    return {
        name: sum(row.times for row in rows if name in row.players)
        for name in gan.players()
        if any(name in row.players for row in rows)
    }


def data_for(gan, seed=0):
    tensors = gan.example_batch(40 * gan.batch_size, seed)
    return tf.data.Dataset.from_tensor_slices(tensors).batch(gan.batch_size, drop_remainder=True).repeat()


def values(variables):
    return [v.numpy() for v in variables]


def changed(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def weights_of(gan):
    return [v for network in gan.networks().values() for v in values(network.weights)]


def outputs(gan, n, seed=0):
    """Samples, or translations of random images."""
    if gan.sampled:
        return gan.sample(n, seed=seed)
    return gan.translate(gan.example_batch(n, seed)[0].numpy(), seed=seed)


@cache
def run(name):
    """The model after three steps, and its weights before them."""
    gan = smoke(name)
    start = weights_of(gan)
    gan.fit(data_for(gan), steps_per_epoch=STEPS, verbose=0)
    return gan, start


@pytest.fixture(scope="module", autouse=True)
def _forget():
    yield
    run.cache_clear()


@pytest.mark.parametrize("name", PLAYED)
def test_counters_and_optimisers_count_the_table(name):
    gan, _ = run(name)
    batches = getattr(gan.updates()[0], "times", 1)  # CycleGAN's first entry is a move of several rows
    assert gan.step == STEPS
    assert gan.images_seen == STEPS * batches * gan.batch_size == gan.images_for(STEPS)
    assert gan.steps_for(gan.images_seen) == STEPS
    critic, schedule, players = getattr(gan, "n_critic", 1), gan.schedule(), moved(gan)
    begin = [0, *schedule.ends][schedule.at(STEPS - 1)]  # of the phase, with which optimisers start again
    lazy = [row for move in gan._moves() for row in move.rows if row.every > 1]
    for player, optimizer in gan.optimizers().items():
        seldom = sum(
            len(range(-begin % row.every, STEPS - begin, row.every)) for row in lazy if player in row.players
        )
        often = (STEPS - begin) * (critic if "discriminator" in player else 1) if player in players else 0
        assert int(optimizer.iterations) == often + seldom


@pytest.mark.parametrize("name", PLAYED)
def test_the_same_seed_is_the_same_run_eagerly_too_and_another_is_another(name):
    compiled, start = run(name)
    eager = smoke(name, run_eagerly=True)
    assert not any(changed(start, weights_of(eager)))
    eager.fit(data_for(eager), steps_per_epoch=STEPS, verbose=0)
    assert changed(start, weights_of(compiled)).count(True) > 3
    for a, b in zip(weights_of(compiled), weights_of(eager), strict=True):
        # an instance norm takes StyleGAN's first bias away: its gradient is rounding alone, which Adam enlarges
        rounding = name == "stylegan" and np.abs(b).max() < 1e-4
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4 if rounding else 1e-6)
    other = weights_of(registry()[name].from_preset("smoke", seed=4))
    first = next(i for i, value in enumerate(start) if value.size > 1 and np.std(value) > 0)
    assert not np.allclose(start[first], other[first], rtol=0.1)


@pytest.mark.parametrize(
    "name", [n if n in UNDER_XLA else pytest.param(n, marks=pytest.mark.long) for n in NAMES]
)
def test_xla_is_the_same(name):
    xla = smoke(name, jit_compile=True)
    xla.fit(data_for(xla), steps_per_epoch=STEPS, verbose=0)
    for a, b in zip(weights_of(run(name)[0]), weights_of(xla), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PLAYED)
def test_each_row_touches_its_own_players_only(name):
    gan, _ = run(name)
    batch = next(iter(data_for(gan)))
    for move in gan._moves():
        for row in move.rows:
            before = {player: values(network.variables) for player, network in gan.players().items()}
            buffers = [v for trick in gan.tricks if trick.role == "discriminator" for v in trick.variables]
            shown = values(buffers)
            with gan.streams.at(0, 0):
                gan.move(row, batch)
            for player, network in gan.players().items():
                after = changed(before[player], values(network.variables))  # statistics included
                assert any(after) == (player in row.players), (row.name, player)
            if "discriminator" not in row.name:  # the buffers of what D was shown are D's
                assert not any(changed(shown, values(buffers)))


@pytest.mark.parametrize("name", PLAYED)
def test_looking_at_gradients_moves_nothing(name):
    gan, _ = run(name)
    before = [v.numpy() for v in gan.state()]
    found = gan.gradients(next(iter(data_for(gan))))
    assert list(found) == list(moved(gan))
    for player, gradients in found.items():
        assert [path for path, _ in gradients] == [v.path for v in gan.players()[player].trainable_variables]
        assert sum(float(tf.reduce_sum(tf.abs(gradient))) for _, gradient in gradients) > 0
    assert not any(changed(before, [v.numpy() for v in gan.state()]))


@pytest.mark.parametrize("name", PLAYED)
def test_config_and_weights_round_trip(name, tmp_path):
    cls, (gan, _) = registry()[name], run(name)
    gan.save_weights(tmp_path / "a.weights.h5")
    twin = cls.from_config(json.loads(json.dumps(gan.get_config())))
    assert twin.get_config() == gan.get_config()
    assert changed(weights_of(gan), weights_of(twin)).count(True) > 3
    twin.load_weights(tmp_path / "a.weights.h5")
    assert not any(changed(weights_of(gan), weights_of(twin)))
    np.testing.assert_array_equal(outputs(gan, 3), outputs(twin, 3))
    assert [p.name for p in tmp_path.iterdir()] == ["a.weights.h5"]


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_comes_back(name, tmp_path):
    takes = inspect.signature(registry()[name].__init__).parameters
    arguments = {argument: 5 for argument in ("latent_dim", "base_channels") if argument in takes}
    arguments = dict(list(arguments.items())[:1])  # another size than the preset's, where there are sizes
    gan, twin = (registry()[name].from_preset("smoke", **arguments, seed=3) for _ in range(2))
    for model in (gan, twin):
        model.compile()
    for i, variable in enumerate(gan.state()):
        variable.assign(tf.cast(tf.fill(variable.shape, i + 1), variable.dtype))
    checkpoints.save(gan, tmp_path)
    assert checkpoints.restore(twin, tmp_path) == gan.step
    lazy = [log for move in gan._moves() for row in move.rows if row.every > 1 for log in row.log_names]
    counted = [*gan.networks().values(), *gan.optimizers().values(), *gan.tricks]
    more = 2 + len(lazy) + (len(gan.phases()) > 1)  # step, images, last logs, phase
    assert len(gan.state()) == sum(len(one.variables) for one in counted) + more
    for a, b in zip(gan.state(), twin.state(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", PLAYED)
def test_a_resumed_run_is_the_run_that_was_not_stopped(name, tmp_path):
    """With the paper's optimisers, eagerly, on data of ganlib's own; killed for good in test_checkpoints.py."""
    states, logs = [], []
    for parts in ([2], [1, 1]):
        history = []
        for steps in parts:
            gan = registry()[name].from_preset("smoke", seed=1)
            gan.compile(run_eagerly=True)
            if history:
                checkpoints.restore(gan, tmp_path / f"in-{len(parts)}")
            options = {} if gan.sampled else {"mirror": True, "jitter": True}
            data = gan.load_data("gaussians_ring" if len(gan.image_shape) == 1 else None, **options)
            fitted = gan.fit(data.batch(gan.batch_size), steps_per_epoch=1, epochs=steps, verbose=0).history
            history += zip(*(fitted[log] for log in sorted(fitted)), strict=True)
            checkpoints.save(gan, tmp_path / f"in-{len(parts)}")
        states.append(values(gan.state()))
        logs.append(history)
    for a, b in zip(*states, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(*logs)


BUILT_ELSEWHERE = {
    "lsun_64",
    "mnist_28",
    "imagenet_128",
    "lsun_128",
    "imagenet_128_mimicry",
}  # in the models' own tests
BUILT_ELSEWHERE |= {"facades_256", "unet_128", "horse2zebra_256", "resnet6_128"}
BUILT_ELSEWHERE |= {
    f"imagenet_128_{row}" for row in ("no_ortho", "shared", "separate", "baseline", "ch64", "revnet")
}
BUILT_ELSEWHERE |= {"imagenet_256", "imagenet_512", "imagenet_128_revnet_x4"}


@pytest.mark.parametrize("name", NAMES)
def test_presets_say_what_they_are_and_build(name):
    cls, listed = registry()[name], {}
    assert {"smoke", "laptop", "colab"} <= set(cls.presets)
    assert cls.title and cls.authors and cls.year >= 2014 and cls.arxiv.count(".") == 1
    for preset, entry in cls.presets.items():
        assert entry.description and "architecture" not in entry.arguments
        if preset not in BUILT_ELSEWHERE:
            with catalogue.zero_weights():
                listed[preset] = catalogue.parameters_of(cls.untrained(preset))
    entry = {entry["name"]: entry for entry in catalogue.stored()}.get(name, {"presets": {}})
    stored = {preset: entry["presets"].get(preset, {}).get("parameters") for preset in cls.presets}
    expected = catalogue.entry_of(name, cls, stored | listed)
    # tuples among the arguments are lists in JSON
    assert entry == json.loads(json.dumps(expected)), "run `make catalogue`"


@pytest.mark.parametrize("preset", ["laptop", "colab"])
@pytest.mark.parametrize("name", ["pggan", "stylegan"])
def test_averages_of_growing_models_forget_within_a_phase(name, preset):
    """Else samples are made by the initial weights of the layers that came last."""
    model = registry()[name]
    gan, given = model.untrained(preset), model.presets[preset].given
    decay = gan.ema_decay_at(0) if hasattr(gan, "ema_decay_at") else gan.ema_decay
    half_life = gan.batch_size * np.log(0.5) / np.log(float(decay))
    assert half_life <= given["stable_images"] / 2, f"half of the average is {half_life:,.0f} images old"
