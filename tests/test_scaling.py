"""N replicas are one: logits, images, gradients, EMA and weights."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ganlib import scaling
from ganlib.errors import InputError
from ganlib.models import registry

MODELS = list(registry())
# What others repeat (their games, norms, layers and phases are in these) is left to test-all. On two replicas too:
# StyleGAN2 with classes in test_stylegan2.py, norms with classes in test_conditional_layers.py, LOGAN's trick in
# test_tricks.py.
REPEATED = (
    "lapgan", "stacked-gan", "lsgan", "dragan", "sngan", "acgan", "projection-gan", "pggan", "stylegan2",
    "biggan", "biggan-deep", "sagan", "logan",
)  # fmt: skip
# With the paper's optimiser too: momentum, RMSprop, Adam without momentum, Adam on a schedule. All under test-all.
PAPER = ("vanilla-gan", "wgan", "wgan-gp", "cyclegan")
FOUR = ("vanilla-gan",)  # with four replicas too
GROWING = (
    "lapgan",
    "stacked-gan",
    "pggan",
    "stylegan",
)  # in phases: three steps, the last of them in another
# A bias in front of a batch norm has no gradient but rounding, and so no value but rounding; Adam turns it into whole
# steps. In a residual G that holds for every convolution but the last: all that they add reaches the last norm as a
# constant a channel. What such a bias moves besides itself are the moving means of the norms behind it.
RESIDUAL = {"generator/7/bias", "generator/13/bias", "generator/15/bias"}
RESIDUAL |= {"generator/10/moving_mean", "generator/18/moving_mean"}
ZERO_GRADIENT = {"wgan-gp": RESIDUAL, "sngan": RESIDUAL, "projection-gan": RESIDUAL}
# SAGAN's G the same; its layers have spectral vectors too, so other numbers.
ZERO_GRADIENT["sagan"] = {f"generator/{i}/bias" for i in (8, 15, 18, 34, 41, 44)}
ZERO_GRADIENT["sagan"] |= {f"generator/{i}/moving_mean" for i in (12, 31, 38, 48)}

ZERO_GRADIENT["logan"] = RESIDUAL
# BigBiGAN's layers have spectral vectors and conditional norms.
ZERO_GRADIENT["bigbigan"] = {f"generator/{i}/bias" for i in (10, 19, 22)}
ZERO_GRADIENT["bigbigan"] |= {f"generator/{i}/moving_mean" for i in (12, 26)}
# BigGAN's too: what those in front of attention do beside is a millionth of it.
ZERO_GRADIENT["biggan"] = {f"generator/{i}/bias" for i in (11, 20, 23, 41, 50, 53)}
ZERO_GRADIENT["biggan"] |= {f"generator/{i}/moving_mean" for i in (13, 34, 43, 57)}
DEEP = (11, 20, 29, 38, 47, 56, 65, 74, 92, 101, 110, 119, 128, 137, 146, 155)
ZERO_GRADIENT["biggan-deep"] = {f"generator/{i}/bias" for i in DEEP}
MEANS = (13, 22, 31, 40, 49, 58, 67, 85, 94, 103, 112, 121, 130, 139, 148, 159)
ZERO_GRADIENT["biggan-deep"] |= {f"generator/{i}/moving_mean" for i in MEANS}

# CycleGAN's convolutions have biases in front of instance norms, which take them out again.
ZERO_GRADIENT["cyclegan"] = {
    f"{g}/{i}/bias" for g in ("generator_ab", "generator_ba") for i in (1, 3, 5, 7, 9, 11, 13)
}
ZERO_GRADIENT["cyclegan"] |= {f"discriminator_{d}/3/bias" for d in "ab"}

# A last bias of D that real and generated images pull at alike.
ZERO_GRADIENT |= {"pggan": {"discriminator/6/bias"}, "acgan": {"discriminator/28/bias"}}
ZERO_GRADIENT["stacked-gan"] = {"discriminator_1/5/bias", "discriminator_0/9/bias"}

# WGAN's RMSprop starts with steps of ten learning rates whatever the gradient's size, rounding included, and clipping
# to 0.01 leaves gradients of 1e-5: it is compared with a tenth of its rate and c = 1. Adam without momentum does the
# same to SAGAN's D.
# Other seeds are other starts. From seed 0 the gradient of D's last bias in pix2pix (what real and generated images ask
# for, -1/2 and 1/2 where logits are small) and the average of G's last bias in ACGAN (steps up and down) cancel to a
# thousandth of their terms, a ReLU of SAGAN's D is given a number within rounding of 0 (its slope is 0 or 1), and the
# gradient of a gamma in BigGAN-deep's D, a sum over all positions, is 0.15 beside 12 and 5 (once 1.6e-5 apart).
ARGUMENTS = {
    "wgan": {"clip": 1.0, "learning_rate": 5e-6},
    "sagan": {"learning_rate": 1e-5, "discriminator_learning_rate": 4e-5, "seed": 1},
    "acgan": {"seed": 1},
    "pix2pix": {"seed": 1},
    "pggan": {"seed": 1},
    "biggan-deep": {"seed": 1},
    # From seed 0 a bias of G ends 3.5e-4 apart; so it does on one replica when weights start one rounding apart
    "stylegan2": {"seed": 2},
}

RUN = (
    f"ARGUMENTS, FOUR = {ARGUMENTS!r}, {FOUR!r}\n"
    + """
import numpy as np
import keras, tensorflow as tf
import ganlib


def run(name, arguments, strategy, optimizer):
    with ganlib.scaling.strategy(strategy).scope():
        cls = ganlib.models.registry()[name]
        average = {"ema_decay": 0.9} if cls.follows("ema_decay", {}) else {}
        gan = cls.from_preset("smoke", **average, **arguments)
        if optimizer == "sgd":
            rate = 0.05 if name in ("vanilla-gan", "dcgan") else 0.002  # the other games are steeper
            rate = {"cyclegan": 1e-4, "adain": 1e-6}.get(name, rate)  # whose objectives weigh more
            roles = [role for role in ("generator", "discriminator", "encoder") if gan.players_of(role)]
            gan.compile(**{f"{role}_optimizer": keras.optimizers.SGD(rate) for role in roles})
        else:
            gan.compile()
    larger = {"vanilla-gan": 50, "stacked-gan": 5}  # D starts so near zero that there is only rounding to compare
    for player in gan.players_of("discriminator") if name in larger else ():
        for weight in player.network.trainable_variables:
            weight.assign(weight * larger[name])
    for layer in gan.discriminator._flatten_layers() if hasattr(gan, "discriminator") else ():
        if hasattr(layer, "shards"):  # one replica groups images as two do
            layer.shards = 2 // gan.distribute_strategy.num_replicas_in_sync
    if name.startswith("stylegan"):  # with noise, without which biases in front of instance norms do nothing
        for weight in (w for network in gan.networks().values() for w in network.weights):
            if weight.name == "strength":
                weight.assign(tf.ones(weight.shape))
    # attention takes part from the start; its gamma, a sum over all positions, is not all there is
    if name in ("sagan", "biggan", "biggan-deep"):
        for weight in (w for network in gan.players().values() for w in network.weights):
            if weight.name == "gamma" and weight.shape == ():
                weight.assign(0.5)
    tensors = gan.example_batch(10 * gan.batch_size)
    data = tf.data.Dataset.from_tensor_slices(tensors).batch(gan.batch_size, drop_remainder=True)
    steps = 5 if len(gan.phases()) == 1 else 3  # the third is in mid-fade
    history = gan.fit(data, steps_per_epoch=steps, verbose=0).history
    for layer in gan.discriminator._flatten_layers() if hasattr(gan, "discriminator") else ():
        if hasattr(layer, "shards"):
            layer.shards = 2
    images, labels = gan.split_batch(tensors)
    judge = (gan.players_of("discriminator") or gan.players_of("generator"))[-1]
    alone = labels is None or name in ("acgan", "cyclegan", "stacked-gan")
    judged = images[:8] if alone else [images[:8], labels[:8]]
    if name == "lapgan":  # the level in training
        judge = gan.player(f"discriminator_{gan.level}")
        judged = gan.at_level(gan.level, images[:8])[0]
    if name == "bigbigan":  # which judges images and latents
        judged = [judged, tf.linspace(-1.0, 1.0, 8 * gan.latent_dim)]
        judged[1] = tf.reshape(judged[1], [8, gan.latent_dim])
    if name == "adain":  # which has no discriminator: the decoder's images of features
        judged = gan.encoder(images[:8])[-1]
    options = {"training": False, **gan.call_options()}
    if gan.sampled:
        made = gan(gan.conditioned(gan.sample_latents(4, seed=0), gan.sample_labels(4, seed=0))).numpy()
    else:
        made = gan.translate((images if labels is None or name == "cyclegan" else labels)[:4].numpy(), seed=0)
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(judge.network(judged, **options))
        logits = tf.concat([tf.reshape(output, [8, -1]) for output in outputs], axis=1)
        loss = tf.reduce_mean(tf.square(logits))
    weights = {p: n.weights for p, n in gan.players().items()}
    generator = next(p.name for p in gan.players_of("generator") if not name == "lapgan" or str(gan.level) in p.name)
    average = getattr(gan, f"ema_{generator}", gan.players()[generator])
    trained = {f"{judge.name}/{i}/{w.name}": w for i, w in enumerate(judge.network.weights) if w.trainable}
    found = tape.gradient(loss, [v.value for v in trained.values()], unconnected_gradients="zero")
    gradients = dict(zip(trained, found, strict=True))
    return {
        "replicas": gan.distribute_strategy.num_replicas_in_sync,
        "logits": logits.numpy(),
        "images": made,
        "ema": {f"{generator}/{i}/{w.name}": w.numpy() for i, w in enumerate(average.weights)},
        "weights": {f"{p}/{i}/{w.name}": w.numpy() for p in weights for i, w in enumerate(weights[p])},
        "gradients": {name: gradient.numpy() for name, gradient in gradients.items()},
        "logs": {k: v[-1] for k, v in history.items()},
        "steps": gan.step,
    }


result = {
    f"{name}/{optimizer}/{replicas}": run(name, ARGUMENTS.get(name, {}), strategy, optimizer)
    for name, optimizers in JOBS.items()
    for replicas, strategy in ((1, "none"), (2, "mirrored:2"), (4, "cpu:4"))
    for optimizer in optimizers
    if replicas < 4 or (name in FOUR and optimizer == "sgd")
}
"""
)


def all_runs(run_python, jobs):
    """Runs of {model: optimisers}, in two processes at once: most of their time goes into tracing, on one core."""
    jobs = list(jobs.items())
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(
            lambda some: run_python(f"JOBS = {dict(some)!r}\n{RUN}", devices=4),
            (jobs[::2], jobs[1::2]),
        )
        return {name: run for part in parts for name, run in part.items()}


@pytest.fixture(scope="module")
def runs(run_python):
    often = [name for name in MODELS if name not in REPEATED]
    return all_runs(run_python, {name: ("sgd", "paper") if name in PAPER else ("sgd",) for name in often})


@pytest.fixture(scope="module")
def more_runs(run_python):
    return all_runs(
        run_python,
        {name: ("sgd", "paper") if name in REPEATED else ("paper",) for name in MODELS if name not in PAPER},
    )


def close(a, b, name):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(np.abs(a).max(), 1e-30), err_msg=name)


@pytest.mark.parametrize(
    ("model", "replicas"),
    [
        *(pytest.param(m, 2, marks=[pytest.mark.long] if m in REPEATED else []) for m in MODELS),
        *((m, 4) for m in FOUR),
    ],
)
def test_replicas_equal_one_after_5_steps_of_sgd(request, model, replicas):
    runs = request.getfixturevalue("more_runs" if model in REPEATED else "runs")
    one, many = runs[f"{model}/sgd/1"], runs[f"{model}/sgd/{replicas}"]
    assert (one["replicas"], many["replicas"]) == (1, replicas)
    assert one["steps"] == many["steps"] == (3 if model in GROWING else 5)
    close(one["logits"], many["logits"], "logits")
    close(one["images"], many["images"], "images")
    left_out = ZERO_GRADIENT.get(model, set())
    assert left_out <= set(one["weights"])
    for kind in ("gradients", "ema", "weights"):
        for name, value in one[kind].items():
            if name not in left_out:
                close(value, many[kind][name], f"{kind}: {name}")
    for name, value in one["logs"].items():
        np.testing.assert_allclose(value, many["logs"][name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "model", [m if m in PAPER else pytest.param(m, marks=pytest.mark.long) for m in MODELS]
)
def test_replicas_equal_one_with_the_papers_optimiser(request, model):
    runs = request.getfixturevalue("runs" if model in PAPER else "more_runs")
    one, two = runs[f"{model}/paper/1"], runs[f"{model}/paper/2"]
    left_out = ZERO_GRADIENT.get(model, set())
    assert left_out <= set(one["weights"])
    for name, value in one["weights"].items():
        if name not in left_out:
            close(value, two["weights"][name], name)


@pytest.mark.parametrize(
    "name", ["", "mirror", "mirrored:0", "cpu", "cpu:0", "mirrored:two", "none:2", "horovod", None]
)
def test_unknown_strategies(name):
    with pytest.raises(InputError, match="choose none, mirrored"):
        scaling.strategy(name)


def test_no_tpu_here():
    with pytest.raises(InputError, match="no TPU answers"):
        scaling.strategy("tpu")


@pytest.mark.parametrize(
    ("name", "answers", "tried"),
    [
        ("tpu", ["local"], ["local"]),
        ("tpu", [""], ["local", ""]),
        ("tpu", [], ["local", ""]),
        ("tpu:10.0.0.2", ["10.0.0.2"], ["10.0.0.2"]),
        ("tpu:10.0.0.2", ["local", ""], ["10.0.0.2"]),
    ],
)
def test_where_a_tpu_is_looked_for(name, answers, tried, monkeypatch):
    """With stand-ins for TensorFlow's resolver: at the address; without one on this machine, then by TPU_NAME."""
    import tensorflow as tf

    asked, connected = [], []

    def initialize(resolver):
        if resolver not in answers:
            raise tf.errors.NotFoundError(None, None, "TPUs not found in the cluster.\nMore.")

    monkeypatch.setattr(
        tf.distribute.cluster_resolver, "TPUClusterResolver", lambda tpu: asked.append(tpu) or tpu
    )
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", connected.append)
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", initialize)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolver: f"strategy at {resolver!r}")
    if set(answers) & set(tried):
        assert scaling.strategy(name) == f"strategy at {tried[-1]!r}"
    else:
        with pytest.raises(InputError, match=r"no TPU answers \(TPUs not found in the cluster.\); use none"):
            scaling.strategy(name)
    assert asked == connected == tried


def test_too_late_for_logical_devices():
    import tensorflow as tf

    have = len(tf.config.list_logical_devices("CPU"))
    assert len(scaling.logical_devices(have)) == have
    with pytest.raises(InputError, match="already started"):
        scaling.logical_devices(have + 1)
    with pytest.raises(InputError, match="n=0"):
        scaling.logical_devices(0)


def test_a_batch_that_cannot_be_shared(run_python):
    error = run_python(
        """
        import tensorflow as tf, ganlib
        with ganlib.scaling.strategy("mirrored:2").scope():
            gan = ganlib.models.DCGAN.from_preset("smoke")
            gan.compile()
        data = tf.data.Dataset.from_tensors(tf.zeros([7, 8, 8, 1])).repeat()
        try:
            gan.fit(data, steps_per_epoch=1, verbose=0)
        except ganlib.errors.InputError as caught:
            result = str(caught)
        """,
        devices=2,
    )
    assert "a batch of 7 cannot be shared by 2 replicas" in error
