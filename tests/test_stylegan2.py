"""StyleGAN2 against official arrays block by block, its counts, and both regularisers against finite differences.

tests/data/stylegan2_blocks.npz and stylegan2_ops.npz: NVlabs/stylegan2-ada-pytorch at d72cc7d, under the names of its
state dictionaries. Expected counts are the official networks', or their widths written out.
"""

import math
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganlib import convert, data, scaling
from ganlib.errors import InputError
from ganlib.layers.equalized import Bias
from ganlib.layers.noise import NoiseInjection
from ganlib.models import StyleGAN2, stylegan2
from ganlib.styled import PathLength, StyledGenerator, mapping_network, path_lengths

DATA = Path(__file__).parent / "data"
BLOCKS, OPS = (dict(np.load(DATA / f"stylegan2_{name}.npz")) for name in ("blocks", "ops"))
RAW = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
RNG = np.random.default_rng(1)
SGD = keras.optimizers.SGD


def nhwc(array):
    return array.transpose(0, 2, 3, 1)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def block(name, instead):
    """A block's arrays under the names of a whole network."""
    return {f"{instead}{k.removeprefix(name)}": v for k, v in BLOCKS.items() if k.startswith(f"{name}/")}


def official(network, *sources):
    """The network with the arrays that are there, and for the others those that it has."""
    arrays = {}
    for variable, names, _ in convert.slots(network):
        arrays |= {name: _inverse(to, variable.numpy()) for name, to in names.items()}
    given = {k.replace("/", "."): v for source in sources for k, v in source.items()}
    convert.load(network, arrays | {k: v for k, v in given.items() if k in arrays})
    return network


def _inverse(to, value):
    """The array that a layout makes this value of: by where it takes each number."""
    for shape in (value.shape, value.shape[::-1], value.transpose(_OIHW[value.ndim]).shape, value.shape[:2]):
        places = np.arange(value.size).reshape(shape) if math.prod(shape) == value.size else None
        try:
            moved = to(places)
        except (TypeError, ValueError):
            continue
        if moved.shape == value.shape:
            array = np.empty(value.size, value.dtype)
            array[moved.ravel()] = value.ravel()
            return array.reshape(shape)
    raise AssertionError("no layout fits")


_OIHW = {0: (), 1: (0,), 2: (1, 0), 3: (2, 0, 1), 4: (3, 2, 0, 1)}


def unrelu(x):
    """What sqrt(2) leaky ReLU makes x of."""
    return np.where(x > 0, x, x / 0.2) / math.sqrt(2)


# ------------------------------------------------------------------------------------------------ official arrays


@pytest.mark.parametrize(("form", "name"), [("skip", "skip"), ("residual", "resnet"), ("plain", "orig")])
def test_synthesis_is_the_official_one(form, name):
    """A block of 8x8, in a synthesis whose 4x4 is what the block is given."""
    key = f"synblock_{name}"
    mapping = mapping_network(4, 10, 1)
    whole = StyledGenerator(mapping, stylegan2.Synthesis(8, 3, 10, 48, 8, form), 4)
    synthesis = official(whole, block(key, "synthesis.b8")).synthesis
    x, ws = nhwc(BLOCKS[f"{key}/x"]), BLOCKS[f"{key}/ws"]
    seen, kept = [], {name: getattr(synthesis, name) for name in ("form", "constant", "shortcuts")}
    to_rgb = synthesis.to_rgb["1"]

    def last(features, style):
        seen.append((features, style))
        return to_rgb(features, style)

    parts = SimpleNamespace(
        convolutions=[[lambda *_, **__: x], synthesis.convolutions[1]],
        to_rgb={"0": lambda *_: nhwc(BLOCKS[f"{key}/img_in"]), "1": last} if form == "skip" else {"1": last},
        **kept,
    )
    given = np.concatenate([ws[:, :1], ws, ws[:, -1:]], axis=1)  # the 4x4 takes one of its own
    image = stylegan2.Synthesis.call(parts, given)
    close(seen[0][0], nhwc(BLOCKS[f"{key}/x_out"]))
    if form == "skip":
        close(image, nhwc(BLOCKS[f"{key}/img_out"]))
        np.testing.assert_array_equal(seen[0][1], ws[:, 2])
    for noise in ((), (4,)):
        stylegan2.Synthesis.call(parts, given, noise=noise)
        close(seen[-1][0], nhwc(BLOCKS[f"{key}/x_out_nonoise"]))


def test_a_generator_of_4x4_is_the_official_one():
    """The whole of it: mapping, truncation, mean of w, constant, convolution, image layer."""
    g = StyledGenerator(
        mapping_network(12, 10, 8, activation=stylegan2.ScaledLeakyReLU),
        stylegan2.Synthesis(4, 3, 10, 24, 6, "skip"),
        6,
    )
    arrays = {k.replace("/", ".", 1): v for k, v in BLOCKS.items() if k.startswith("mapping/")}
    arrays |= {
        f"synthesis.b4.{k.split('/')[1]}": v for k, v in BLOCKS.items() if k.startswith("synblock_first4/")
    }
    convert.load(g, arrays)
    z = BLOCKS["mapping/z"]
    close(g.styles(z), BLOCKS["mapping/ws_psi1"])
    close(g.styles(z, truncation=0.7), BLOCKS["mapping/ws_psi0p7"])
    close(g.styles(z, truncation=0.5, cutoff=3), BLOCKS["mapping/ws_psi0p5_cutoff3"])
    close(g.synthesis(BLOCKS["synblock_first4/ws"]), nhwc(BLOCKS["synblock_first4/img_out"]))
    close(g(z), g.synthesis(BLOCKS["mapping/ws_psi1"]))
    g.styles(z, training=True)
    close(g.w_average, BLOCKS["mapping/w_avg_after_train_forward"])


@pytest.mark.parametrize("of_d", [False, True])
def test_classes_are_mapped_as_in_the_official_code(of_d):
    key, expected = ("mapping_D", "cmap") if of_d else ("mapping_cond", "ws")
    mapping = mapping_network(
        None if of_d else 12, 8 if of_d else 10, 2, 4, activation=stylegan2.ScaledLeakyReLU
    )
    layers = [layer for layer in mapping.layers if layer.weights]
    for layer, name in zip(layers, ("embed", "fc0", "fc1"), strict=True):
        layer.set_weights([BLOCKS[f"{key}/{name}.weight"].T, BLOCKS[f"{key}/{name}.bias"]])
    labels = np.argmax(BLOCKS[f"{key}/c"], axis=1)
    w = mapping(labels if of_d else [BLOCKS[f"{key}/z"], labels])
    close(w if of_d else np.repeat(w[:, None], 3, axis=1), BLOCKS[f"{key}/{expected}"])


@pytest.mark.parametrize(
    ("form", "key"),
    [("residual", "first"), ("residual", "resnet"), ("plain", "orig"), ("skip", "skip")],
)
def test_discriminator_blocks_are_the_official_ones(form, key):
    """A block of 8x8, in a D whose 4x4 notes what it is given."""
    key, seen, images = f"dblock_{key}", [], []
    arrays = {f"b8.{k.split('/')[1]}": v for k, v in BLOCKS.items() if k.startswith(f"{key}/")}
    d = official(stylegan2.Discriminator(8, 3, 48, 8, 4, None, 2, form), arrays)
    first = d.from_rgb["1"]

    def from_rgb(shown):
        x = BLOCKS.get(f"{key}/x")
        if x is None:
            return first(shown)
        return unrelu(nhwc(x) + (stylegan2.scaled_relu(first(shown)) if form == "skip" else 0))

    def smallest(shown):
        images.append(shown)
        return tf.zeros([2, 4, 4, 8])

    names = ("form", "levels", "convolutions", "shortcuts", "last", "dense", "logit")
    parts = SimpleNamespace(
        **{name: getattr(d, name) for name in names},
        from_rgb={"0": smallest, "1": from_rgb},
        variety=lambda x: seen.append(x) or d.variety(x),
    )
    stylegan2.Discriminator.call(parts, nhwc(BLOCKS.get(f"{key}/img", np.zeros((2, 3, 8, 8), np.float32))))
    close(seen[0], nhwc(BLOCKS[f"{key}/x_out"]))
    if form == "skip":
        close(images[0], nhwc(BLOCKS[f"{key}/img_out"]))


@pytest.mark.parametrize("key", ["epilogue", "epilogue_cond"])
def test_the_end_of_d_is_the_official_one(key):
    x = nhwc(BLOCKS[f"{key}/x"])
    arrays = {f"b4.{k.split('/')[1]}": v for k, v in BLOCKS.items() if k.startswith(f"{key}/")}
    d = stylegan2.Discriminator(4, 3, 24, 6, 4, None, 2, "plain")
    if key == "epilogue_cond":  # whose last vector has eight numbers, not as many as there are channels
        d.logit = stylegan2.EqualizedDense(8)
        d.logit.build((None, 6))
    names = ("form", "levels", "convolutions", "shortcuts", "variety", "last", "dense", "logit")
    parts = SimpleNamespace(
        **{name: getattr(official(d, arrays), name) for name in names},
        from_rgb={"0": lambda images: unrelu(x)},
        classes=lambda labels: BLOCKS["epilogue_cond/cmap"],
    )
    shown = x if key == "epilogue" else [x, np.zeros(8, np.int32)]
    close(stylegan2.Discriminator.call(parts, shown), BLOCKS[f"{key}/logits"])


def test_the_nonlinearity_is_the_official_one():
    bias = Bias()
    bias.build((None, None, None, 3))
    bias.bias.assign(OPS["bias_act/b"])
    expected = nhwc(OPS["bias_act/lrelu"])
    close(stylegan2.scaled_relu(bias(nhwc(OPS["bias_act/x"]))), expected)
    close(stylegan2.ScaledLeakyReLU()(bias(nhwc(OPS["bias_act/x"]))), expected)


# ------------------------------------------------------------------------------------------------- counts, recipe


def counts(resolution, base, form="skip_residual", classes=None, depth=8):
    """Weights and biases by the official widths, min(base / resolution, 512), with z = w = 512: (G's, D's)."""
    of_g, of_d = form.split("_")
    sizes = [4 << i for i in range(int(math.log2(resolution)) - 1)]
    width, dense = {size: min(base // size, 512) for size in sizes}, 512 * 512 + 512
    embedding = 0 if classes is None else (classes + 1) * 512
    g = depth * dense + embedding + (0 if classes is None else 512 * 512) + 16 * width[4]
    cmap = 1 if classes is None else width[4]
    d = (9 * (width[4] + 1) + 1) * width[4] + (16 * width[4] + 1) * width[4] + (width[4] + 1) * cmap
    d += 0 if classes is None else embedding + 8 * dense
    for size in sizes:
        n = width[size]
        below = width.get(size // 2)
        for before in (n, below) if below else (n,):  # kernel, bias, strength of noise, style
            g += 9 * before * n + n + 1 + 513 * before
        g += (3 * n + 3 + 513 * n) if of_g == "skip" or size == resolution else 0
        g += below * n if of_g == "residual" and below else 0
        d += 4 * n if of_d == "skip" or size == resolution else 0
        if below:
            d += (9 * n + 1) * n + (9 * n + 1) * below + (n * below if of_d == "residual" else 0)
    return g, d


@pytest.fixture
def zeros(monkeypatch):
    """Initial values that are quicker drawn than tens of millions of normal numbers."""
    monkeypatch.setattr(keras.initializers, "RandomNormal", lambda **_: "zeros")


@pytest.mark.parametrize(
    ("preset", "resolution", "base", "official"),
    [
        ("ffhq_1024_f", 1024, 32_768, (30_370_060, 29_012_513)),
        ("ffhq_1024_e", 1024, 16_384, (24_900_764, 24_038_161)),
        ("ffhq_512", 512, 32_768, None),
        ("ffhq_256", 256, 16_384, None),
    ],
)
def test_paper_sizes_have_the_official_counts(zeros, preset, resolution, base, official):
    gan = StyleGAN2.from_preset(preset)
    found = trainable(gan.generator), trainable(gan.discriminator)
    assert found == counts(resolution, base) and found == (official or found)
    assert trainable(gan.generator.mapping) == 2_101_248
    assert gan.generator.num_styles == 2 * math.log2(resolution) - 2


@pytest.mark.parametrize(("resolution", "base"), [(256, 32_768), (512, 16_384)])
def test_other_sizes_have_the_counts_of_their_widths(zeros, resolution, base):
    g, d = stylegan2.networks(("skip", "residual"), resolution, 3, 512, 512, 8, base, 512, None, 4)
    assert (trainable(g), trainable(d)) == counts(resolution, base)


def test_the_class_conditional_configuration_of_cifar10(zeros):
    gan = StyleGAN2.from_preset("cifar10_32")
    found = trainable(gan.generator), trainable(gan.discriminator)
    assert found == counts(32, 32_768, "skip_plain", classes=10, depth=2)
    mapping = gan.discriminator.classes
    assert (
        len([layer for layer in mapping.layers if layer.weights]) == 9
    )  # the embedding, and eight whatever G has
    assert (gan.style_mixing, gan.ema_images, gan.ema_rampup, gan.batch_size) == (0.0, 500_000, 0.05, 64)
    assert gan.discriminator.variety.group_size == 32
    (r1,) = gan.tricks
    assert (r1.gamma, r1.every) == (0.01, 16)


def test_the_papers_recipe():
    gan = StyleGAN2(resolution=8, channel_base=16)
    gan.compile()
    r1, path = gan.tricks
    assert (r1.gamma, r1.every, path.weight, path.every) == (10.0, 16, 2.0, 4)
    assert (gan.style_mixing, gan.truncation_cutoff, gan.batch_size, gan.n_critic) == (0.9, None, 32, 1)
    for name, c in (("generator", 4 / 5), ("discriminator", 16 / 17)):
        adam = gan.optimizers()[name]
        assert float(adam.learning_rate) == pytest.approx(0.002 * c) and adam.epsilon == 1e-8
        assert (adam.beta_1, adam.beta_2) == (0.0, pytest.approx(0.99**c))
    names = [(row.name, row.every) for move in gan._moves() for row in move.rows]
    assert names == [
        ("discriminator/{i}", 1),
        ("discriminator/R1/0", 16),
        ("generator", 1),
        ("generator/PathLength/1", 4),
    ]
    assert gan.ema_decay == pytest.approx(0.5 ** (32 / 10_000))
    kernels = [v.numpy() for v in gan.generator.synthesis.weights if v.name == "kernel" and v.shape[-1] > 1]
    np.testing.assert_allclose([k.std() for k in kernels if k.size > 500], 1.0, atol=0.1)


TINY = {
    "resolution": 8,
    "channels": 1,
    "latent_dim": 6,
    "w_dim": 5,
    "mapping_depth": 2,
    "channel_base": 32,
    "channel_max": 4,
    "r1_every": 2,
    "path_every": 2,
    "batch_size": 8,
    "ema_images": 100,
}


def test_figure_7_has_nine_pairs():
    forms = ("plain", "skip", "residual")
    assert set(stylegan2.ARCHITECTURES) == {f"{a}_{b}" for a in forms for b in forms}
    assert next(iter(stylegan2.ARCHITECTURES)) == "skip_residual"


@pytest.mark.parametrize("name", stylegan2.ARCHITECTURES)
def test_pairs_of_figure_7_train(name):
    conditional = name in ("skip_residual", "residual_plain")
    classes = {"num_classes": 3} if conditional else {}
    gan = StyleGAN2(name, **TINY, **classes)
    gan.compile(run_eagerly=True)
    before = {player: n.get_weights() for player, n in gan.players().items()}
    labels = np.arange(40) % 3 if conditional else None
    gan.fit(data.from_arrays(RAW, labels).batch(8), steps_per_epoch=1, verbose=0)
    for player, network in gan.players().items():
        after = zip(network.weights, before[player], network.get_weights(), strict=True)
        assert {v.name for v, a, b in after if np.all(a == b)} <= {"noise"}
    images = gan.sample(3, truncation=0.7, seed=0)
    assert images.shape == (3, 8, 8, 1) and np.isfinite(images).all()


# ------------------------------------------------------------------------------------- R1, path length, averages


@pytest.fixture
def double():
    """A tiny model in float64, moved away from its start, where many slopes are zero."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        gan = StyleGAN2(**TINY)
        gan.compile(SGD(0.01), SGD(0.01), run_eagerly=True)
        for network in gan.players().values():
            for v in network.trainable_variables:
                v.assign(v + RNG.normal(0, 0.2, v.shape))
        yield gan
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def penalty_of(gan, name):
    """The lazy row of that name, as a function without arguments: the same draws each time."""
    row = next(row for move in gan._moves() for row in move.rows if name in row.name)
    batch = tf.constant(RNG.uniform(-1, 1, (8, 8, 8, 1)))

    def value():
        for trick in gan.tricks:
            for variable in trick.variables:
                variable.assign(tf.constant(0.3, variable.dtype))
        with gan.streams.at(3, 0), gan.streams.scope(row.scope(0)):
            return row.loss(batch)[0]

    return value, row, batch


@pytest.mark.parametrize(("name", "player"), [("R1", "discriminator"), ("PathLength", "generator")])
def test_gradients_of_regularisers_are_finite_differences(double, name, player):
    """Along the gradient and along two random directions; all in float64."""
    value, _, _ = penalty_of(double, name)
    variables = double.players()[player].trainable_variables
    assert {v.dtype for v in variables} == {"float64"}
    with tf.GradientTape() as tape:
        loss = value()
    assert loss.dtype == tf.float64 and float(loss) > 0
    gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
    directions = [gradients] + [[tf.constant(RNG.normal(size=v.shape)) for v in variables] for _ in range(2)]
    for direction in directions:
        size = tf.linalg.global_norm(direction)
        start, found = [v.numpy() for v in variables], []
        for h in (1e-5, -1e-5):
            for v, a, b in zip(variables, start, direction, strict=True):
                v.assign(a + h * b / size)
            found.append(value())
        for v, a in zip(variables, start, strict=True):
            v.assign(a)
        expected = sum(float(tf.reduce_sum(a * b)) for a, b in zip(gradients, direction, strict=True)) / size
        np.testing.assert_allclose((found[0] - found[1]) / 2e-5, expected, rtol=1e-6)


def test_r1_is_half_gamma_of_the_squared_slope(double):
    """|grad D|^2 summed over a batch is the squared slope of the summed logits in its own direction."""
    value, row, batch = penalty_of(double, "R1")
    with tf.GradientTape() as tape:
        tape.watch(batch)
        total = tf.reduce_sum(double.discriminator(batch))
    direction = tape.gradient(total, batch)
    direction = direction / tf.norm(direction)
    up, down = (tf.reduce_sum(double.discriminator(batch + h * direction)) for h in (1e-5, -1e-5))
    slope = (up - down) / 2e-5
    np.testing.assert_allclose(value(), row.every * 10.0 / 2 * slope**2 / 8, rtol=1e-7)


def test_gamma_stays_or_falls():
    assert vars(StyleGAN2.from_preset("smoke").tricks[0]) == {"gamma": 10.0, "every": 2}
    falling = StyleGAN2.from_preset("smoke", final_gamma=0.1, gamma_images=16)
    gan = StyleGAN2.from_config(falling.get_config())
    assert vars(gan.tricks[0]) == {"gamma": 10.0, "every": 2, "final_gamma": 0.1, "images": 16}
    gan.compile(run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices(gan.example_batch(32)).batch(8)
    logs = gan.fit(data, steps_per_epoch=3, verbose=0).history
    assert np.isfinite(logs["discriminator_annealed_r1"][-1])


def test_path_lengths_are_finite_differences(double):
    ws = double.generator.styles(tf.constant(RNG.normal(size=(4, 6))))
    with double.streams.at(3, 0):
        lengths = path_lengths(double, ws)
        noise = double.streams.normal("path", [4, 8, 8, 1]).numpy().astype(np.float64) / 8
        for i in range(4):  # of one sample: all slopes with respect to its w, one by one
            slopes = np.zeros(ws.shape[1:])
            for place in np.ndindex(*slopes.shape):
                ends = []
                for h in (1e-5, -1e-5):
                    moved = ws.numpy()
                    moved[(i, *place)] += h
                    images = double.generator.synthesis(moved, training=True)
                    ends.append(np.sum(images.numpy()[i] * noise[i]))
                slopes[place] = (ends[0] - ends[1]) / 2e-5
            np.testing.assert_allclose(lengths[i], np.sqrt(np.mean(np.sum(slopes**2, axis=1))), rtol=1e-6)
            if i == 1:
                break


def test_the_mean_path_length_follows(double):
    """Three steps by hand: half a batch, mixed styles, and the newest mean in the term."""
    _, row, batch = penalty_of(double, "PathLength")
    path = next(trick for trick in double.tricks if isinstance(trick, PathLength))
    mean = 0.0
    path.variables[0].assign(0.0)
    for step in range(3):
        with double.streams.at(step, 0):
            with double.streams.scope(row.scope(0)):
                latents = double.draw_latents(4)
                lengths = path_lengths(double, double.generator.styles(latents, **double.mixing(latents)))
            w_average = double.generator.w_average.numpy()
            w = np.mean(double.generator.mapping(latents), axis=0)
            logs = double.move(row, batch)
        mean = 0.99 * mean + 0.01 * np.mean(lengths)
        np.testing.assert_allclose(path.variables[0], mean, rtol=1e-9)
        expected = path.weight * np.mean((lengths - mean) ** 2)
        np.testing.assert_allclose(logs["generator_path_length"], expected, rtol=1e-9)
        np.testing.assert_allclose(double.generator.w_average, w_average + 0.005 * (w - w_average), rtol=1e-9)
    assert mean > 0.001


@pytest.mark.parametrize("rampup", [None, 0.5])
def test_averages_have_their_half_life(rampup):
    gan = StyleGAN2(**TINY | {"path_every": 16, "r1_every": 16}, ema_rampup=rampup)
    gan.compile(run_eagerly=True)
    for step in range(3):
        seen = 8 * step
        half_life = 100 if rampup is None else max(min(100, 0.5 * seen), 1e-8)
        decay = 0.5 ** (8 / half_life)
        np.testing.assert_allclose(gan.ema_decay_at(gan.step_counter), decay, rtol=1e-5)
        before = gan.ema_generator.get_weights()
        gan.fit(data.from_arrays(RAW).batch(8), steps_per_epoch=1, verbose=0)
        for variable, old, new in zip(
            gan.generator.weights, before, gan.ema_generator.get_weights(), strict=True
        ):
            value = variable.numpy()
            expected = decay * old + (1 - decay) * value if variable.trainable else value
            np.testing.assert_allclose(new, expected, rtol=1e-4, atol=1e-6)
    gan.image_counter.assign(10**9)
    np.testing.assert_allclose(gan.ema_decay_at(gan.step_counter), 0.5 ** (8 / 100), rtol=1e-6)


def test_one_image_has_a_path_length():
    gan = StyleGAN2(**TINY | {"batch_size": 1})
    gan.compile(run_eagerly=True)
    logs = gan.fit(data.from_arrays(RAW).batch(1), steps_per_epoch=1, verbose=0).history
    assert logs["generator_path_length"][0] > 0


# --------------------------------------------------------------------------------------------- classes, replicas


def moved_conditional():
    """A model whose classes differ, as after training, and with noise that can be seen."""
    gan = StyleGAN2(**TINY, num_classes=3, truncation_cutoff=2)
    for layer in gan.ema_generator._flatten_layers():
        if isinstance(layer, NoiseInjection):
            layer.strength.assign(0.3)
    gan.ema_generator.w_average.assign(np.arange(5.0) / 5)
    return gan


def test_classes_and_what_lies_between():
    gan = moved_conditional()
    z, weights = gan.sample_latents(3, seed=1), np.eye(3, dtype=np.float32)
    for psi in (None, 0.5):
        by_label = gan.images_of([z, np.arange(3)], psi, 4)
        np.testing.assert_allclose(gan.images_of([z, weights], psi, 4), by_label, atol=1e-5)
        assert np.abs(by_label - gan.images_of([z, np.zeros(3, np.int32)], psi, 4))[1:].max() > 0.01
    between = gan.images_of([z, np.full((3, 3), 1 / 3)], seed=4)
    assert np.abs(between - gan.images_of([z, weights], seed=4)).max() > 0.01
    with pytest.raises(InputError, match=r"weights of classes of shape \(3, 2\)"):
        gan.images_of([z, weights[:, :2]])
    ws = gan.styles_of([z, np.arange(3)], truncation=0.5)
    w, mean = gan.ema_generator.mapping([z, np.arange(3)]).numpy(), np.arange(5.0) / 5
    close(ws, np.stack([mean + 0.5 * (w - mean)] * 2 + [w] * 2, axis=1))
    logits = [gan.discriminator([RAW[:3] / 127.5 - 1, np.full(3, label)]) for label in range(2)]
    assert np.abs(logits[0] - logits[1]).max() > 0.001


def on_replicas(replicas):
    """State after five steps of SGD, R1 and path length in the first, third and fifth; labels, noise, mixing."""
    with scaling.strategy(f"cpu:{replicas}" if replicas > 1 else "none").scope():
        gan = StyleGAN2(**TINY, num_classes=3, group_size=2)
        gan.compile(SGD(0.01), SGD(0.01), run_eagerly=True)
    for layer in (x for n in gan.networks().values() for x in n._flatten_layers()):
        if isinstance(layer, NoiseInjection):
            layer.strength.assign(0.3)
    gan.discriminator.variety.shards = 2 // replicas
    gan.fit(data.from_arrays(RAW, np.arange(40) % 3).batch(8), steps_per_epoch=5, verbose=0)
    return [np.asarray(v) for v in gan.state()]


def test_two_replicas_are_one(run_python):
    """Mean of w and mean path length too, and groups of images on one replica as on two."""
    folder = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {folder!r}); import test_stylegan2 as t\n"
    one, two = run_python(code + "result = [t.on_replicas(1), t.on_replicas(2)]", devices=2)
    assert len(one) == len(two) > 100
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5 * max(np.abs(a).max(), 1e-2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 12}, "resolution=12 is not reached by doubling 4: use 32, 64 or 128"),
        ({"resolution": 2}, "resolution=2 is not reached"),
        ({"num_classes": 0}, "num_classes=0 is out of range"),
        ({"path_every": 0}, "path_every=0 is out of range"),
        ({"path_weight": -1.0}, "weight=-1.0 is out of range"),
        ({"ema_rampup": 0}, "ema_rampup=0 is out of range"),
        ({"ema_images": 1.5}, "ema_images=1.5 is out of range"),
        ({"style_mixing": -0.1}, "style_mixing=-0.1 is out of range"),
        ({"architecture": "skip"}, "there is no architecture 'skip': did you mean 'skip_skip'"),
        ({"group_size": 0}, "group_size=0 is out of range"),
    ],
)
def test_errors_say_what_to_do(arguments, message):
    with pytest.raises(InputError, match=message):
        StyleGAN2(**TINY | arguments)
