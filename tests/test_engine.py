"""A tiny model for each hook of the engine: what the papers of days 4 and 5 need, in at most 40 lines each.

Models that are compared on two replicas are run by `two_replicas`, in a process whose CPU is two devices.
"""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import GAN, checkpoints, data, losses, optimizers, penalties, scaling
from ganlib.adversarial import Adversarial
from ganlib.engine import Average, Engine
from ganlib.errors import InputError
from ganlib.layers import RandomLayer, SpectralDense
from ganlib.phases import Phase, Schedule
from ganlib.randomness import seeded
from ganlib.replicas import batch_size_of, mean_over_replicas
from ganlib.sampled import Sampled
from ganlib.translation import Translator
from ganlib.trick import Trick
from ganlib.updates import Move, Player, Update

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:__array__ implementation"),  # Keras' variables under NumPy 2
]

SGD = keras.optimizers.SGD


def mlp(inputs, outputs, units=6, dtype="float32", layer=keras.layers.Dense):
    """inputs -> tanh -> outputs: smooth, so that rounding is all that replicas differ by."""
    x = keras.Input((inputs,), dtype=dtype)
    hidden = layer(units, activation="tanh", dtype=dtype)(x)
    return keras.Model(x, layer(outputs, dtype=dtype)(hidden))


def pair(z=3, x=4, **kwargs):
    with seeded(1):
        return mlp(z, x, **kwargs), mlp(x, 1, **kwargs)


def rates(generator=0.05, discriminator=0.1):
    return {"generator_optimizer": SGD(generator), "discriminator_optimizer": SGD(discriminator)}


def points(n=64, d=4, batch=8, seed=0):
    """Batches of a ganlib dataset of points, which starts at any of them."""
    values = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return data.from_arrays(values, name="points").batch(batch)


def values(variables):
    return [np.asarray(v.numpy()) for v in variables]


def close(a, b, tolerance=1e-6):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(np.abs(one).max(), 1.0))


def moved(gan, action):
    """Names of the players whose variables an action changes."""
    before = {name: values(network.variables) for name, network in gan.players().items()}
    action()
    return {
        name
        for name, network in gan.players().items()
        if any(not np.array_equal(a, b) for a, b in zip(before[name], values(network.variables), strict=True))
    }


def trained(gan, dataset, steps, **how):
    gan.compile(**how)
    history = gan.fit(dataset, steps_per_epoch=1, epochs=steps, verbose=0).history
    return gan, {name: np.array(column) for name, column in history.items()}


def weights_of(gan):
    return [w for network in gan.networks().values() for w in values(network.variables)]


# ------------------------------------------------------------------------------------------------ lazy rows


class Lazy(GAN):
    """R1 every 16 steps, as a penalty; path length on half a batch every 4 steps, as a row."""

    def __init__(self, **kwargs):
        adam = optimizers.adam(0.01, beta_1=0.5)
        generator, discriminator = pair()
        super().__init__(
            generator,
            discriminator,
            penalties=[penalties.R1(2.0, every=16)],
            generator_optimizer=optimizers.lazy(adam, 4),
            discriminator_optimizer=optimizers.lazy(adam, 16),
            batch_size=8,
            ema_decay=None,
            **kwargs,
        )

    def updates(self):
        return [
            *super().updates(),
            Update("path", ("generator",), self.path_length, every=4, logs=("path_length",)),
        ]

    def path_length(self, batch):
        z = self.draw_latents(batch_size_of(batch) // 2)
        with tf.GradientTape() as tape:
            tape.watch(z)
            images = self.generator(z, training=True)
            noisy = tf.reduce_sum(images * self.streams.normal("directions", images.shape))
        lengths = tf.norm(tape.gradient(noisy, z), axis=1)
        loss = tf.reduce_mean(tf.square(lengths - 1.0))
        return 4.0 * loss, {"path_length": loss}


def test_lazy_rows_run_in_the_steps_that_their_number_divides():
    gan, logs = trained(Lazy(), points(), 34)
    counts = {name: int(optimizer.iterations) for name, optimizer in gan.optimizers().items()}
    assert counts == {"discriminator": 34 + 3, "generator": 34 + 9}  # 0, 16, 32 and 0, 4, ..., 32
    r1, length = logs["discriminator_r1"], logs["path_length"]
    assert [i for i in range(1, 34) if r1[i] != r1[i - 1]] == [16, 32]
    assert [i for i in range(1, 34) if length[i] != length[i - 1]] == list(range(4, 34, 4))


def test_lazy_terms_and_their_gradients_are_the_dense_ones():
    gan = Lazy()
    gan.compile()
    batch = next(iter(points()))
    rows = {row.rows[0].name: row for row in gan._moves()}
    with gan.streams.at(gan.step_counter, 0):
        ((_, loss, (found,)),), logs = gan.move_gradients(rows["discriminator/R1/0"], batch)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(batch)
            total = tf.reduce_sum(gan.discriminator(batch))
        slopes = inner.gradient(total, batch)
        r1 = 2.0 / 2 * tf.reduce_mean(tf.reduce_sum(slopes**2, axis=1))
    close([logs["discriminator_r1"], loss / 16], [r1, r1], 1e-7)
    kernels = gan.discriminator.trainable_variables
    dense = outer.gradient(r1, kernels)
    assert found[-1] is None and dense[-1] is None  # the last bias moves no slope, and no warning says so
    close([16 * g for g in dense[:-1]], found[:-1])
    with gan.streams.at(gan.step_counter, 0):
        ((_, loss, (found,)),), logs = gan.move_gradients(rows["path"], batch)
        with gan.streams.scope("path"):
            z, y = gan.streams.normal("latents", [4, 3]), gan.streams.normal("directions", [4, 4])
    (w1, b1, w2, _) = values(gan.generator.weights)  # J^T y = W1 diag(1 - tanh^2) W2 y, written out
    lengths = np.linalg.norm(((1 - np.tanh(z @ w1 + b1) ** 2) * (y @ w2.T)) @ w1.T, axis=1)
    np.testing.assert_allclose(logs["path_length"], np.mean((lengths - 1) ** 2), rtol=1e-5)
    np.testing.assert_allclose(loss, 4 * np.mean((lengths - 1) ** 2), rtol=1e-5)
    assert found[2] is not None


def test_lazy_adam():
    adam = optimizers.lazy(optimizers.adam(0.1, beta_1=0.5, beta_2=0.9), 16)
    assert float(adam.learning_rate) == pytest.approx(0.1 * 16 / 17)
    assert (adam.beta_1, adam.beta_2) == (pytest.approx(0.5 ** (16 / 17)), pytest.approx(0.9 ** (16 / 17)))
    with pytest.raises(InputError, match="SGD cannot be corrected for lazy"):
        optimizers.lazy(SGD(0.1), 4)


def test_a_resumed_history_shows_the_last_lazy_logs(tmp_path):
    whole, logs = trained(Lazy(), points(), 23)
    half, _ = trained(Lazy(), points(), 18)
    again = Lazy()
    again.compile()
    assert checkpoints.restore(again, checkpoints.save(half, tmp_path)) == 18
    rest = again.fit(points(), steps_per_epoch=1, epochs=5, verbose=0).history
    for name, column in logs.items():
        np.testing.assert_array_equal(column[18:], rest[name], err_msg=name)
    for a, b in zip(whole.state(), again.state(), strict=True):
        np.testing.assert_array_equal(a, b)


# -------------------------------------------------------------------------------------------- three players


class Joint(Engine):
    """BigBiGAN's cast: one D judges pairs (x, E(x)) and (G(z), z); one loss moves G and E together."""

    def __init__(self, seed=0):
        with seeded(2):
            networks = {"generator": mlp(3, 4), "encoder": mlp(4, 3), "discriminator": mlp(7, 1)}
        recipe = {role: SGD(0.05) for role in networks}
        super().__init__(
            [Player(name, name, network) for name, network in networks.items()],
            recipe,
            ema_decay=0.9,
            image_shape=(4,),
            batch_size=8,
            seed=seed,
        )

    def averaged(self):
        return {f"ema_{name}": Average(self.players()[name]) for name in ("generator", "encoder")}

    def updates(self):
        return [
            Update("discriminator/{i}", ("discriminator",), self.discriminator_loss, times=2),
            Update("joint", ("generator", "encoder"), self.joint_loss),
        ]

    def logits(self, batch):
        z = self.streams.normal("latents", [batch_size_of(batch), 3])
        pairs = [
            (batch, self.encoder(batch, training=True)),
            (self.generator(z, training=True), z),
        ]
        return [self.discriminator(tf.concat(each, axis=1), training=True) for each in pairs]

    def discriminator_loss(self, batch):
        loss = sum(losses.Hinge().discriminator(*self.logits(batch)))
        return loss, {"discriminator_loss": loss}

    def joint_loss(self, batch):
        real, fake = self.logits(batch)
        loss = tf.reduce_mean(real) - tf.reduce_mean(fake)
        return loss, {"generator_loss": loss}


def test_one_loss_moves_two_players_and_each_row_its_own_only():
    gan, _ = trained(Joint(), points(), 8)
    assert {name: int(o.iterations) for name, o in gan.optimizers().items()} == {
        "generator": 8, "encoder": 8, "discriminator": 16,
    }  # fmt: skip
    batch = next(iter(points()))
    for row in gan.updates():
        with gan.streams.at(0, 0):
            assert moved(gan, lambda row=row: gan.move(row, batch)) == set(row.players)
    assert set(gan.networks()) == {*gan.players(), "ema_generator", "ema_encoder"}
    found = gan.gradients(batch)
    assert list(found) == ["generator", "encoder", "discriminator"]
    assert not np.array_equal(gan.ema_encoder.get_weights()[0], gan.encoder.get_weights()[0])


class Nobody(Joint):
    def __init__(self, rows):
        self.rows = rows
        super().__init__()

    def updates(self):
        return [row for row in super().updates() if row.name in self.rows] or self.rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["joint"], "no row of the table moves 'discriminator'"),
        ([Update("x", ("critic",), None)], "row 'x' moves 'critic', who does not play"),
    ],
)
def test_the_table_and_the_cast_fit_each_other(rows, message):
    with pytest.raises(InputError, match=message):
        Nobody(rows).compile()


def test_a_player_without_an_optimiser():
    gan = Joint()
    gan._recipe.pop("encoder")
    with pytest.raises(InputError, match="'encoder' has no optimiser"):
        gan.compile()
    gan.compile(encoder_optimizer=SGD(0.1))


def test_a_row_whose_loss_does_not_reach_its_player():
    class Deaf(Joint):
        def joint_loss(self, batch):
            return tf.reduce_mean(self.generator(tf.zeros([2, 3]))), {}

    gan = Deaf()
    gan.compile()
    with (
        pytest.raises(InputError, match=r"the loss of row 'joint' does not depend on 'encoder'"),
        gan.streams.at(0, 0),
    ):
        gan.move(gan.updates()[1], next(iter(points())))


def test_rows_of_a_move_run_together():
    class Uneven(Joint):
        def updates(self):
            return [tuple(super().updates())]

    with pytest.raises(InputError, match="are one move: give them the same times"):
        Uneven().compile()


# --------------------------------------------------------------------------------------------------- growth


class Layers(keras.Model):
    """What both networks of `Growing` are: layers for all sizes, of which a call uses those of its level."""

    def build(self, shape):
        """All layers are built by the constructor's calls."""

    def __init__(self, generates):
        super().__init__()
        self.generates = generates
        conv = lambda channels, size: keras.layers.Conv2D(channels, size, padding="same", activation="tanh")  # noqa: E731
        self.blocks = [conv(3, 3) for _ in range(3)]
        self.images = [keras.layers.Conv2D(1 if generates else 3, 1) for _ in range(3)]
        self.ends = keras.layers.Dense(4 * 4 * 3 if generates else 1)
        for level in range(3):
            size = 4 * 2**level
            self(tf.zeros([1, 2] if generates else [1, size, size, 1]), level=level, alpha=0.5)

    def call(self, x, level, alpha, training=None):
        up = lambda x: tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)  # noqa: E731
        down = lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME")  # noqa: E731
        if self.generates:
            features = [tf.reshape(self.ends(x), [-1, 4, 4, 3])]
            for block in self.blocks[1 : level + 1]:
                features.append(block(up(features[-1])))
            image = self.images[level](features[-1])
            before = up(self.images[level - 1](features[-2])) if level else image
            return before + alpha * (image - before)
        y = self.blocks[level](self.images[level](x))
        if level:
            y = down(y)
            y = self.images[level - 1](down(x)) * (1.0 - alpha) + alpha * y
        for lower in reversed(range(level)):
            y = self.blocks[lower](y)
            y = down(y) if lower else y
        return self.ends(tf.reshape(y, [-1, 4 * 4 * 3]))


class Growing(Adversarial, Sampled, Engine):
    """PGGAN's growth: 4x4, 8x8 and 16x16, each but the first faded in over its phase's first 16 images."""

    traces = 0

    def __init__(self):
        with seeded(3):
            self.generator, discriminator = Layers(True), Layers(False)
        self.adversarial_loss, self.latent_dim = losses.NonSaturating(), 2
        players = [
            Player("generator", "generator", self.generator),
            Player("discriminator", "discriminator", discriminator),
        ]
        recipe = dict.fromkeys(("generator", "discriminator"), keras.optimizers.Adam(0.01))
        super().__init__(players, recipe, image_shape=(16, 16, 1), batch_size=8)

    def phases(self):
        return [Phase(24, 8, level=0), Phase(32, 8, level=1), Phase(None, 4, level=2)]

    def updates(self):
        return [
            Update("discriminator/{i}", ("discriminator",), self.discriminator_loss),
            Update("generator", ("generator",), self.generator_loss),
        ]

    @property
    def alpha(self):
        seen = tf.cast(self.image_counter - [0, 24, 56][self.level], tf.float32)
        return tf.minimum(1.0, seen / 16)

    @property
    def now(self):
        return {"level": self.level, "alpha": self.alpha}

    def generate(self, n, training=False):
        self.traces += not tf.executing_eagerly()
        return self.generator(self.draw_latents(n), training=training, **self.now)

    def discriminator_loss(self, real):
        size = 4 * 2**self.level
        real = tf.reduce_mean(tf.reshape(real, [-1, size, 16 // size, size, 16 // size, 1]), axis=(2, 4))
        fake = tf.stop_gradient(self.generate(batch_size_of(real)))
        logits = [self.discriminator(x, **self.now) for x in (real, fake)]
        loss = sum(self.adversarial_loss.discriminator(*logits))
        return loss, {"discriminator_loss": loss, "first": real[0, 0, 0, 0]}

    def generator_loss(self, real):
        logits = self.frozen(self.discriminator)(self.generate(batch_size_of(real), True), **self.now)
        loss = self.adversarial_loss.generator(logits)
        return loss, {"generator_loss": loss}

    def sampler(self, truncation=None, seed=None):
        return lambda z: self.generator(z, **self.now)


def pictures():
    values = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 1), np.uint8)
    return data.from_arrays(values, name="pictures")


def test_growth_by_images_seen():
    gan = Growing()
    gan.compile()
    assert gan.level == 2  # before a run: that of its end, which weights come from
    assert (gan.steps_for(24), gan.steps_for(25), gan.steps_for(56), gan.steps_for(60)) == (3, 4, 7, 8)
    assert [gan.images_for(n) for n in (3, 7, 10)] == [24, 56, 68]
    batches = pictures().batch(8)
    gan.fit(batches, steps_per_epoch=3, verbose=0)
    before = gan.sample(5, seed=1)
    assert before.shape == (5, 4, 4, 1)
    gan._open(batches)
    gan._enter_phase()  # as the next step does
    grown = gan.sample(5, seed=1)
    np.testing.assert_allclose(grown, before.repeat(2, axis=1).repeat(2, axis=2), atol=1e-5)
    assert [int(o.iterations) for o in gan.optimizers().values()] == [0, 0]  # slots start again
    history = gan.fit(batches, steps_per_epoch=1, epochs=8, verbose=0).history
    assert gan.images_seen == 24 + 32 + 4 * 4 and gan.level == 2
    assert gan.sample(2, seed=0).shape == (2, 16, 16, 1)
    stream = np.concatenate([image for image in pictures().batch(4).take(18).as_numpy_iterator()])
    at_8, at_16 = [24, 32, 40, 48], [56, 60, 64, 68]
    firsts = [stream[i, :2, :2].mean() for i in at_8] + [stream[i, 0, 0, 0] for i in at_16]
    np.testing.assert_allclose(history["first"], firsts, atol=1e-6)


def test_one_trace_a_phase():
    gan = Growing()
    gan.compile()
    gan.fit(pictures().batch(8), steps_per_epoch=11, verbose=0)
    assert gan.traces == 3 * 2  # D's and G's samples


@pytest.mark.parametrize("wrong", ["steps a call", "foreign batches", "no end"])
def test_phases_that_cannot_be(wrong):
    gan = Growing()
    if wrong == "steps a call":
        with pytest.raises(
            InputError, match="steps_per_execution=2 does not divide 3, the step at which phase 0"
        ):
            gan.compile(steps_per_execution=2)
    elif wrong == "foreign batches":
        gan.compile()
        foreign = tf.data.Dataset.from_tensors(tf.zeros([8, 16, 16, 1])).repeat()
        with pytest.raises(InputError, match="this phase has batches of 4, the dataset's are of 8"):
            gan.fit(foreign, steps_per_epoch=9, verbose=0)
    else:
        with pytest.raises(InputError, match="phase 0 has images=None but is not the last"):
            Schedule([Phase(), Phase()], 8, [1, 1])


GROWING = """
import os, sys
sys.path.insert(0, {tests!r})
import tensorflow as tf
tf.config.experimental.enable_op_determinism()
import test_engine
from ganlib import checkpoints
from ganlib.callbacks import Checkpoint

class Die(test_engine.keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.step == {kill_at}:
            os.kill(os.getpid(), 9)

gan = test_engine.Growing()
gan.compile()
start = checkpoints.restore(gan, {folder!r}) if checkpoints.latest({folder!r}) else 0
level = gan.level
save = Checkpoint({folder!r}, every_steps=1)
data = test_engine.pictures().batch(8)
history = gan.fit(data, steps_per_epoch=10 - start, callbacks=[save, Die()], verbose=0).history
result = {{"start": start, "level": level, "state": [v.numpy() for v in gan.state()], "first": history["first"][-1]}}
"""


def test_a_kill_in_mid_fade_resumes_bit_for_bit(run_python, tmp_path):
    where = {"tests": str(Path(__file__).parent)}
    whole = run_python(GROWING.format(folder=str(tmp_path / "whole"), kill_at=-1, **where))
    killed = run_python(GROWING.format(folder=str(tmp_path / "killed"), kill_at=5, **where), check=False)
    assert killed.returncode == -9
    resumed = run_python(GROWING.format(folder=str(tmp_path / "killed"), kill_at=-1, **where))
    assert 3 < resumed["start"] < 7 and resumed["level"] == 1  # 8x8 fades in from step 3 to 5
    assert resumed["state"] == whole["state"] and resumed["first"] == whole["first"]


# ------------------------------------------------------------------------------ levels, stages, fixed networks


class Levels(Adversarial, Sampled, Engine):
    """LAPGAN in small: two GANs, one after the other, coarse points (2) and what is added to them (4); one sampler."""

    def __init__(self):
        self.adversarial_loss, self.latent_dim = losses.NonSaturating(), 6
        with seeded(4):
            networks = [("generator", mlp(2, 2)), ("discriminator", mlp(2, 1))]
            networks += [("generator", mlp(2 + 4, 4)), ("discriminator", mlp(4, 1))]
        players = [Player(f"{role}_{i // 2}", role, network) for i, (role, network) in enumerate(networks)]
        recipe = {"generator": SGD(0.05), "discriminator": SGD(0.05)}
        super().__init__(players, recipe, image_shape=(4,), batch_size=8)

    def phases(self):
        return [Phase(16, level=0, rows=self.rows(0)), Phase(None, level=1, rows=self.rows(1))]

    def rows(self, level):
        moves = (self.discriminator_loss_of, self.generator_loss_of)
        roles = ("discriminator", "generator")
        names = [f"{role}_{level}" for role in roles]
        return [Update(n, (n,), lambda b, f=f: f(level, b)) for n, f in zip(names, moves, strict=True)]

    def coarse(self, x):
        return tf.reduce_mean(tf.reshape(x, [-1, 2, 2]), axis=2)

    def made(self, level, real):
        z = self.draw_latents(batch_size_of(real))
        if level == 0:
            return self.generator_0(z[:, :2], training=True)
        return self.generator_1(tf.concat([self.coarse(real), z[:, 2:]], axis=1), training=True)

    def discriminator_loss_of(self, level, real):
        shown = self.coarse(real) if level == 0 else real - tf.repeat(self.coarse(real), 2, axis=1)
        terms = self.discriminator_terms(
            f"discriminator_{level}", shown, tf.stop_gradient(self.made(level, real))
        )
        return terms.loss, terms.logs

    def generator_loss_of(self, level, real):
        loss, _ = self.generator_term(f"discriminator_{level}", self.made(level, real))
        return loss, {"generator_loss": loss}

    def sampler(self, truncation=None, seed=None):
        def sample(z):
            low = self.generator_0(z[:, :2])
            return tf.repeat(low, 2, axis=1) + self.generator_1(tf.concat([low, z[:, 2:]], axis=1))

        return sample


def test_levels_are_trained_one_after_the_other_and_sampled_as_one():
    gan = Levels()
    gan.compile()
    first = moved(gan, lambda: gan.fit(points(), steps_per_epoch=2, verbose=0))
    assert first == {"generator_0", "discriminator_0"}
    second = moved(gan, lambda: gan.fit(points(), steps_per_epoch=3, verbose=0))
    assert second == {"generator_1", "discriminator_1"}
    z = gan.sample_latents(5, seed=2)
    low = gan.generator_0(z[:, :2]).numpy()
    high = gan.generator_1(np.concatenate([low, z[:, 2:]], axis=1)).numpy()
    np.testing.assert_allclose(gan.sample(5, seed=2), low.repeat(2, axis=1) + high, atol=1e-6)


class Stages(Levels):
    """StackedGAN in small: an encoder that is there before and stays; stage by stage, then all rows together."""

    def fixed(self):
        if not hasattr(self, "encoder"):
            with seeded(5):
                self.encoder = mlp(4, 2)
        return {"encoder": self.encoder}

    def phases(self):
        return [Phase(16, level=0, rows=self.rows(0)), Phase(16, level=1, rows=self.rows(1)),
                Phase(None, level=2, rows=[*self.rows(0), *self.rows(1)])]  # fmt: skip

    def coarse(self, x):
        return self.encoder(x)


def test_stages_with_a_fixed_encoder_then_all_together(tmp_path):
    gan = Stages()
    gan.compile()
    encoder = values(gan.encoder.variables)
    for expected in (
        {"generator_0", "discriminator_0"},
        {"generator_1", "discriminator_1"},
        set(gan.players()),
    ):
        assert moved(gan, lambda: gan.fit(points(), steps_per_epoch=2, verbose=0)) == expected
    for a, b in zip(encoder, values(gan.encoder.variables), strict=True):
        np.testing.assert_array_equal(a, b)
    assert "encoder" in gan.networks() and not gan.encoder.trainable
    gan.encoder.set_weights([w + 1 for w in encoder])
    gan.save_weights(tmp_path / "a.weights.h5")
    twin = Stages()
    twin.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(twin.encoder.get_weights()[0], encoder[0] + 1)
    twin.compile()
    checkpoints.restore(twin, checkpoints.save(gan, tmp_path))
    assert twin.level == 2
    close(values(gan.state()), values(twin.state()), 0)


# ------------------------------------------------------------------------------------- latent optimisation


class Optimised(Trick):
    """LOGAN's: z' = z + rate * dD(G(z))/dz, through which both players differentiate; its length has a price."""

    def __init__(self, rate=0.5, weight=0.1):
        self.rate, self.weight = rate, weight

    def latents(self, gan, player, latents, labels):
        judge = gan.player("discriminator").network
        with tf.GradientTape() as tape:
            tape.watch(latents)
            score = tf.reduce_sum(gan.frozen(judge)(gan.frozen(gan.generator)(latents)))
        change = self.rate * tape.gradient(score, latents)
        return latents + change, self.weight * tf.reduce_mean(tf.reduce_sum(change**2, axis=1))


def optimised_game():
    generator, discriminator = pair(dtype="float64")
    gan = GAN(generator, discriminator, tricks=[Optimised()], ema_decay=None, batch_size=4, **rates())
    gan.compile()
    z = tf.constant(np.random.default_rng(0).normal(size=(4, 3)))
    gan.draw_latents = lambda n: z
    return gan, tf.constant(np.random.default_rng(1).normal(size=(4, 4)))


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_gradients_flow_through_optimised_latents(player):
    gan, real = optimised_game()
    row = next(row for row in gan.updates() if row.players == (player,))

    def loss():
        with gan.streams.at(0, 0), gan.streams.scope("x"):
            return float(row.loss(real)[0])

    with gan.streams.at(0, 0):
        ((_, _, (found,)),), _ = gan.move_gradients(Move((row,)), real)
    for variable, gradient in zip(gan.players()[player].trainable_variables, found, strict=True):
        start = variable.numpy()
        expected = np.zeros_like(start)
        for place in np.ndindex(start.shape):
            ends = []
            for shift in (1e-6, -1e-6):
                value = start.copy()
                value[place] += shift
                variable.assign(value)
                ends.append(loss())
            expected[place] = (ends[0] - ends[1]) / 2e-6
        variable.assign(start)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-9)


def test_without_a_latents_hook_samples_are_constants_to_d():
    gan, real = optimised_game()
    moved_by_z = gan.gradients(real)["discriminator"][0][1]
    gan.tricks[0].rate = 0.0
    still = gan.gradients(real)["discriminator"][0][1]
    gan.tricks.clear()
    np.testing.assert_allclose(gan.gradients(real)["discriminator"][0][1], still, rtol=1e-12)
    assert np.abs(moved_by_z - still).max() > 1e-3 * np.abs(still).max()


# -------------------------------------------------------------------------------------- noise and mixing


class Noise(RandomLayer):
    """StyleGAN's: numbers of its own for each sample, in evaluation too."""

    def call(self, inputs):
        if not self.bound:
            return inputs
        return inputs + self.streams.normal(self.purpose, [batch_size_of(inputs), *inputs.shape[1:]])


class Noisy(GAN):
    """G(z) = W z + noise, and mixing: with probability 1/2 the second half of z is another draw's."""

    def __init__(self, **kwargs):
        z = keras.Input((4,))
        with seeded(6):
            generator = keras.Model(z, Noise()(keras.layers.Dense(4)(z)))
            super().__init__(generator, mlp(4, 1), batch_size=8, ema_decay=0.5, **rates(0.01, 0.01), **kwargs)

    def draw_latents(self, n):
        first, second = (self.streams.normal(name, [n, 4]) for name in ("latents", "mixed"))
        crossed = self.streams.uniform("crossover", [n, 1]) < 0.5
        keep = crossed & (tf.range(4) >= 2)[None]
        return tf.where(keep, second, first)

    def generator_loss(self, batch):
        loss, logs = super().generator_loss(batch)
        with self.streams.scope("look"):
            seen = self.generator(tf.zeros([batch_size_of(batch), 4]), training=True)
        return loss, logs | {"noise": tf.reduce_sum(seen), "z": tf.reduce_sum(self.draw_latents(8))}


def test_noise_is_another_in_each_step_and_the_same_after_a_resume(tmp_path):
    whole, logs = trained(Noisy(), points(), 6)
    assert len(set(logs["noise"])) == 6 and len(set(logs["z"])) == 6
    half, _ = trained(Noisy(), points(), 3)
    again = Noisy()
    again.compile()
    checkpoints.restore(again, checkpoints.save(half, tmp_path))
    rest = again.fit(points(), steps_per_epoch=1, epochs=3, verbose=0).history
    np.testing.assert_array_equal(logs["noise"][3:], rest["noise"])
    close(weights_of(whole), weights_of(again), 0)


def test_samples_repeat_their_noise():
    gan = Noisy()
    assert gan.ema_generator.layers[-1].streams is gan.streams  # the average's layer draws too
    same = [gan.sample(5, seed=3) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    np.testing.assert_allclose(gan.sample(300, seed=3)[:5], same[0], atol=1e-5)
    z = gan.sample_latents(5, seed=3)
    noise = same[0] - gan.ema_generator.layers[1](z).numpy()
    assert 0.5 < noise.std() < 1.5 and len(np.unique(noise)) == noise.size
    other = gan.sample(5, seed=4) - gan.ema_generator.layers[1](gan.sample_latents(5, seed=4)).numpy()
    assert np.abs(noise - other).max() > 0.1
    assert not np.array_equal(gan.sample(5), gan.sample(5))


def test_keras_own_random_layers_are_refused_in_fixed_networks_too():
    class Dropped(Stages):
        def fixed(self):
            return {
                "encoder": keras.Sequential(
                    [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
                )
            }

    with pytest.raises(InputError, match="of the encoder is Keras' Dropout"):
        Dropped()


# ----------------------------------------------------------------------------------------- augmentation


class Stretch(Trick):
    """ADA in small: each image is stretched by 1 + strength * u (and bent); strength follows the sign of D's logits."""

    def __init__(self, strength=0.3, dtype="float32"):
        self.strength, self.dtype = strength, dtype
        self._now = None

    def build(self, gan):
        self._now = keras.Variable(self.strength, trainable=False, dtype=self.dtype, aggregation="mean")

    @property
    def variables(self):
        return [self._now.value]

    def view(self, gan, images):
        u = tf.cast(gan.streams.uniform("stretch", [batch_size_of(images), 1]), images.dtype)
        stretched = images * (1.0 + self._now.value * u)
        return stretched + 0.1 * tf.sin(stretched)

    def observe(self, gan, player, real_logits, fake_logits):
        self._now.assign_add(0.01 * mean_over_replicas(tf.reduce_mean(tf.sign(real_logits))))


def test_r1_differentiates_through_the_view():
    generator, discriminator = pair(dtype="float64")
    gan = GAN(
        generator, discriminator, tricks=[Stretch(dtype="float64")], ema_decay=None, batch_size=4, **rates()
    )
    gan.compile()
    r1, real = penalties.R1(2.0), np.random.default_rng(1).normal(size=(4, 4))

    def logits(images):
        with gan.streams.at(0, 0):
            return gan.logits(gan.player("discriminator"), tf.constant(images)).numpy()[:, 0]

    slopes = np.stack(
        [(logits(real + h) - logits(real - h)) / 2e-6 for h in 1e-6 * np.eye(4)], axis=1
    )  # of D(view(x)) by x
    with gan.streams.at(0, 0):
        term = r1.penalty(gan, gan.player("discriminator"), tf.constant(real), None, None)
    np.testing.assert_allclose(term, np.mean(np.sum(slopes**2, axis=1)), rtol=1e-6)
    plain = GAN(generator, discriminator, ema_decay=None, **rates())
    unseen = r1.penalty(plain, plain.player("discriminator"), tf.constant(real), None, None)
    assert abs(float(unseen) - float(term)) > 1e-2 * abs(float(term))


def test_strength_follows_ds_logits_and_g_is_judged_through_the_view():
    trick = Stretch()
    gan, _ = trained(
        GAN(*pair(), tricks=[trick], ema_decay=None, batch_size=8, **rates(1e-9, 1e-9)), points(), 4
    )
    found, strength = float(trick._now.value), 0.3
    for step, batch in enumerate(points().take(4)):  # D hardly moves: the same steps once more, by hand
        trick._now.assign(strength)
        with gan.streams.at(step, 0), gan.streams.scope("discriminator/0"), gan.streams.scope("real"):
            logits = gan.discriminator(gan.viewed(batch))
        strength += 0.01 * float(tf.reduce_mean(tf.sign(logits)))
    assert found == pytest.approx(strength, abs=1e-6) and found != pytest.approx(0.3, abs=1e-3)
    batch = next(iter(points()))
    before = float(trick._now.value)
    gan.gradients(batch)
    assert float(trick._now.value) == before  # looking moves nothing
    with gan.streams.at(7, 0), gan.streams.scope("x"):
        loss, _ = gan.generator_loss(batch)
        fake = gan.generate(8)
        with gan.streams.scope("fake"), gan.streams.scope("view/0"):
            seen = trick.view(gan, fake)
    np.testing.assert_allclose(loss, gan.adversarial_loss.generator(gan.discriminator(seen)), rtol=1e-6)


# ----------------------------------------------------------------------------------------- pairs of logits


class Relativistic(losses.Loss):
    """Jolicoeur-Martineau 2018, arXiv:1807.00734, eqs. 5 and 6: each side wants its images to look more real."""

    needs_real = True

    def discriminator(self, real_logits, fake_logits):
        return tf.reduce_mean(tf.math.softplus(fake_logits - real_logits)), tf.constant(0.0)

    def generator(self, fake_logits, real_logits):
        return tf.reduce_mean(tf.math.softplus(real_logits - fake_logits))


def test_a_relativistic_game_gives_g_the_real_logits():
    gan = GAN(*pair(), loss=Relativistic(), ema_decay=None, batch_size=8, **rates())
    gan.compile()
    batch = next(iter(points()))
    with gan.streams.at(0, 0), gan.streams.scope("x"):
        loss, _ = gan.generator_loss(batch)
        difference = gan.discriminator(batch) - gan.discriminator(gan.generate(8))
    np.testing.assert_allclose(loss, np.mean(np.log1p(np.exp(difference))), rtol=1e-6)
    with gan.streams.at(0, 0):
        assert moved(gan, lambda: gan.move(gan.updates()[-1], batch)) == {"generator"}


# ----------------------------------------------------------------------------------------- accumulation


def spectral_game(**kwargs):
    with seeded(7):
        discriminator = mlp(4, 1, layer=SpectralDense)
    return GAN(
        pair()[0],
        discriminator,
        loss="hinge",
        penalties=[penalties.GradientPenalty(1.0)],
        n_critic=2,
        batch_size=16,
        ema_decay=0.9,
        **rates(),
        **kwargs,
    )


@pytest.mark.parametrize("eagerly", [True, False])
def test_four_micro_batches_are_one_batch(eagerly):
    whole, logs = trained(spectral_game(), points(batch=16), 3, run_eagerly=eagerly)
    parts, of_parts = trained(spectral_game(), points(batch=16), 3, run_eagerly=eagerly, accumulate=4)
    close(weights_of(whole), weights_of(parts))
    for name in logs:
        np.testing.assert_allclose(logs[name], of_parts[name], rtol=1e-4, atol=1e-6, err_msg=name)
    assert parts.images_seen == 3 * 2 * 16


def test_rows_of_tables_are_averaged_too():
    images = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    batches = data.from_arrays(images, np.arange(64) % 3, name="labelled").batch(16)
    whole, parts = (trained(Either(3), batches, 2, accumulate=n)[0] for n in (1, 2))
    close(weights_of(whole), weights_of(parts))


def test_batches_and_tricks_that_cannot_be_cut():
    gan = spectral_game()
    gan.compile(accumulate=3)
    with pytest.raises(InputError, match=r"a batch of 16 cannot be cut into accumulate=3 parts"):
        gan.fit(points(batch=16), steps_per_epoch=1, verbose=0)
    from ganlib import tricks

    gan = GAN(*pair(), tricks=[tricks.ReplayBuffer(8)], batch_size=16)
    with pytest.raises(InputError, match="ReplayBuffer needs the whole batch of a step"):
        gan.compile(accumulate=2)


# ------------------------------------------------------------------------------ classes, or none; translators


def shifted(num_classes):
    """G and D of one table: with a class there is one more input, whose row is added."""
    x, z = keras.Input((4,)), keras.Input((3,))
    y = keras.Input((), dtype="int32")
    g, d = keras.layers.Dense(4)(z), keras.layers.Dense(1)(x)
    if num_classes is None:
        return keras.Model(z, g), keras.Model(x, d)
    rows = [keras.layers.Embedding(num_classes, n)(y) for n in (4, 1)]
    return keras.Model([z, y], g + rows[0]), keras.Model([x, y], d + rows[1])


class Either(GAN):
    """One class for both, as StyleGAN2 is."""

    def __init__(self, num_classes=None):
        with seeded(9):
            networks = shifted(num_classes)
        super().__init__(*networks, num_classes=num_classes, batch_size=8, **rates())


@pytest.mark.parametrize("num_classes", [None, 3])
def test_one_class_with_classes_and_without(num_classes):
    gan = Either(num_classes)
    labels = np.arange(64) % 3
    images = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    batches = data.from_arrays(images, labels, name="labelled").batch(8)
    gan.compile()
    gan.fit(batches, steps_per_epoch=2, verbose=0)
    assert (gan.classes is None) == (num_classes is None)
    assert gan.sample(5, seed=0).shape == (5, 4)
    assert Either.from_config(gan.get_config()).get_config() == {"num_classes": num_classes}
    if num_classes is None:
        with pytest.raises(InputError, match="Either is not conditional"):
            gan.sample(2, labels=[0, 1])
    else:
        one, two = (gan.sample(4, labels=label, seed=0) for label in (0, 1))
        assert np.abs(one - two).max() > 1e-4


class Copier(Translator):
    """AdaIN's shape: a fixed encoder, one decoder, no discriminator; the decoder learns to undo the encoder."""

    def __init__(self):
        conv = lambda: keras.layers.Conv2D(1, 1)  # noqa: E731
        with seeded(8):
            self.encoder, self.decoder = (
                keras.Sequential([keras.Input((4, 4, 1)), conv()]) for _ in range(2)
            )
        super().__init__(
            [Player("decoder", "generator", self.decoder)],
            {"generator": keras.optimizers.Adam(0.05)},
            source_shape=(4, 4, 1),
            image_shape=(4, 4, 1),
            batch_size=8,
        )

    def fixed(self):
        return {"encoder": self.encoder}

    def updates(self):
        return [Update("decoder", ("decoder",), self.content_loss)]

    def content_loss(self, batch):
        loss = tf.reduce_mean((self.decoder(self.encoder(batch[0])) - batch[0]) ** 2)
        return loss, {"content_loss": loss}

    def translate(self, images, seed=None):
        return self.translated(
            keras.Sequential([self.encoder, self.decoder]), images, self.source_shape, seed
        )


def test_a_translator_without_a_discriminator():
    gan = Copier()
    images = np.random.default_rng(0).uniform(-1, 1, (16, 4, 4, 1)).astype(np.float32)
    batches = tf.data.Dataset.from_tensor_slices((images, images)).batch(8, drop_remainder=True)
    _, logs = trained(gan, batches, 250)
    assert logs["content_loss"][-1] < 0.1 * logs["content_loss"][0]
    assert int(gan.optimizers()["decoder"].iterations) == gan.step == 250
    assert np.abs(gan.translate(images) - images).mean() < 0.5 * np.abs(images).mean()
    assert not hasattr(gan, "sample") and not isinstance(gan, GAN)


# ------------------------------------------------------------------------------------------ two replicas


def on_two_replicas():
    """name -> weights after some steps on one replica, on two, and on two in two micro-batches each."""
    warnings.simplefilter("error")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        return {
            "lazy": both(Lazy, points(), 17, parts=0),
            "joint": both(Joint, points(), 6),
            "growing": both(Growing, pictures().batch(8), 9, parts=0),
            "spectral": both(spectral_game, points(batch=16), 3),
            "noisy": both(Noisy, points(), 4),
            "stretched": both(
                lambda: GAN(*pair(), tricks=[Stretch()], ema_decay=None, batch_size=8, **rates()),
                points(),
                4,
                parts=0,
            ),
        }


def both(make, dataset, steps, parts=2):
    found = []
    for strategy, accumulate in (("none", 1), ("cpu:2", 1), *([("cpu:2", parts)] if parts else [])):
        with scaling.strategy(strategy).scope():
            gan = make()
            optimizer = {} if isinstance(gan, Lazy) else {"generator_optimizer": SGD(0.02)}
            gan.compile(**optimizer, accumulate=accumulate)
        gan.fit(dataset, steps_per_epoch=steps, verbose=0)
        found.append([v.numpy() for v in gan.state()])
    return found


@pytest.fixture(scope="module")
def two_replicas(run_python):
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_engine\n"
    return run_python(code + "result = test_engine.on_two_replicas()", devices=2)


@pytest.mark.parametrize("name", ["lazy", "joint", "growing", "spectral", "noisy", "stretched"])
def test_two_replicas_are_one(two_replicas, name):
    one, *others = two_replicas[name]
    for other in others:
        close(
            list(map(np.array, one)),
            list(map(np.array, other)),
            1e-5 if name in ("growing", "lazy") else 1e-6,
        )
