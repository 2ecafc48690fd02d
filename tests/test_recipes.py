"""Each model's recipe, read off the built model, against the facts of `tests/recipes.py`.

Networks are small, recipes the papers'. Everything that is read must have a fact, and every fact must be read: a layer,
an optimiser or a penalty more than in the table is as wrong as a number that differs.
"""

import fnmatch
from collections import defaultdict

import keras
import numpy as np
import pytest
import recipes

from ganlib.models import registry

EXACT = {"ones": 1.0, "zeros": 0.0}


def read(gan):
    """Fact -> value, and variable's label -> drawn values, of a built model."""
    gan.compile()
    facts = {
        "batch size": gan.batch_size,
        "average": None if gan.ema_decay is None else float(f"{gan.ema_decay:.6g}"),
    }
    if getattr(gan, "latent_dim", None):
        facts |= {"z": f"{gan.latent_distribution} {gan.latent_dim}", "D steps": getattr(gan, "n_critic", 1)}
    if hasattr(gan, "adversarial_loss"):
        facts["game"] = described(gan.adversarial_loss)
    facts["tricks"] = sorted({described(trick) for trick in gan.tricks})
    found, drawn = defaultdict(set), defaultdict(list)
    for player, optimizer in gan.optimizers().items():
        role = gan.player(player).role
        found[f"{role} optimiser"].add(stated(optimizer))
    for role in ("generator", "discriminator", "encoder"):
        for player in gan.players_of(role):
            for key, value in of_layers(role, player.network):
                found[key].add(value)
            for label, values in drawn_by(role, player.network):
                drawn[label].append(values)
    return facts | {key: sorted(values) for key, values in found.items()}, dict(drawn)


def number(value):
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def described(part):
    """A loss, a penalty or a trick: its class and the numbers it was made with that are not 0."""
    numbers = {
        k: v
        for k, v in vars(part).items()
        if not k.startswith("_") and isinstance(v, int | float | str | tuple) and v and k != "player"
    }
    inside = ", ".join(f"{k}={number(v)}" for k, v in sorted(numbers.items()))
    return f"{type(part).__name__}({inside})"


def stated(optimizer):
    """An optimiser: its class, rate and what it has of betas, momentum, decay and epsilon."""
    config = optimizer.get_config()
    rate = config["learning_rate"]
    if isinstance(rate, dict):
        numbers = [
            f"{k}={v:.7g}"
            for k, v in sorted(rate["config"].items())
            if isinstance(v, int | float) and not isinstance(v, bool)
        ]
        rate = f"{rate['class_name']}({', '.join(numbers)})"
    names = ("beta_1", "beta_2", "momentum", "rho", "epsilon")
    numbers = [f"{name} {number(config[name])}" for name in names if config.get(name)]
    return " ".join([type(optimizer).__name__, number(rate), *numbers])


def all_layers(network):
    return network._flatten_layers(include_self=True, recursive=True)


def of_layers(role, network):
    """Normalisations, nonlinearities and dropout: (key, value) of each layer."""
    for layer in all_layers(network):
        kind = type(layer).__name__
        if hasattr(layer, "momentum"):
            yield f"{role} norms", f"{kind} {number(layer.momentum)} {number(layer.epsilon)}"
        elif hasattr(layer, "epsilon"):
            yield (
                f"{role} norms",
                f"{'Spectral' if kind.startswith('Spectral') else kind} {number(layer.epsilon)}",
            )
        if hasattr(layer, "negative_slope"):
            yield f"{role} slopes", float(f"{float(layer.negative_slope):.4g}")
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if activation != "linear":
            yield f"{role} activations", activation
        if "Dropout" in kind:
            yield f"{role} dropout", layer.rate


def drawn_by(role, network):
    """(label, values) of each variable; labels end in a kernel's size, "last" and "mapping", where they apply."""
    weighted = [layer for layer in network.layers if layer.weights] if hasattr(network, "layers") else []
    last = {id(v) for layer in weighted[-1:] for v in layer.weights}
    mapping = {id(v) for v in network.mapping.weights} if hasattr(network, "mapping") else set()
    for layer in all_layers(network):
        for v in layer._trainable_variables + layer._non_trainable_variables:
            tags = [f"{v.shape[0]}x{v.shape[1]}"] if len(v.shape) == 4 else []
            tags += ["last"] if id(v) in last else []
            tags += ["mapping"] if id(v) in mapping else []
            yield " ".join([role, type(layer).__name__, v.name, *tags]), v.numpy().astype("float64")


def draw_of(label, facts):
    """The fact that is about a variable: the first pattern that fits."""
    for pattern, fact in {**facts, **recipes.ALWAYS}.items():
        fits = (fnmatch.fnmatchcase(label, p) for p in (pattern, f"{pattern} *"))
        if isinstance(fact[0], recipes.Draw) and any(fits):
            return pattern, fact[0]
    raise AssertionError(f"{label}: there is no fact about its initial values")


def check_drawn(label, draw, arrays):
    """Mean and deviation of each array, and the shape of the distribution of all, at 5 standard errors."""
    pooled = []
    for values in arrays:
        if draw.kind in EXACT:
            np.testing.assert_array_equal(values, EXACT[draw.kind], err_msg=label)
            continue
        if draw.kind == "orthogonal":
            matrix = values.reshape(-1, values.shape[-1])
            singular = np.linalg.svd(matrix, compute_uv=False)
            np.testing.assert_allclose(singular, draw.deviation(values.shape), rtol=1e-4, err_msg=label)
            continue
        scaled = (values.ravel() - draw.mean) / draw.deviation(values.shape)
        n, kurtosis = scaled.size, recipes.KURTOSIS[draw.kind]
        assert abs(scaled.mean()) < 5 / np.sqrt(n), f"{label}: mean {scaled.mean():.3f} deviations"
        if n >= 30:
            error = abs(np.sqrt(np.mean(np.square(scaled))) - 1.0)
            assert error < 5 * np.sqrt((kurtosis - 1) / (4 * n)), (
                f"{label} {values.shape}: deviation {values.std():.4g}, not {draw.deviation(values.shape):.4g}"
            )
        pooled.append(scaled)
    if pooled and sum(len(x) for x in pooled) >= 600:
        x = np.concatenate(pooled)
        found = np.mean(x**4) / np.mean(x**2) ** 2
        nearest = min(recipes.KURTOSIS, key=lambda kind: abs(recipes.KURTOSIS[kind] - found))
        assert nearest == draw.kind, f"{label}: kurtosis {found:.2f}, {nearest}, not {draw.kind}"


def wrong(name):
    """Everything in which a model and its facts differ: key -> what."""
    make, facts = recipes.RECIPES[name]
    gan = make()
    found, drawn = read(gan)
    bad, used = {}, set()
    for key, (value, place) in facts.items():
        if key.startswith("."):
            found[key] = getattr(gan, key[1:])
        if isinstance(value, recipes.Draw):
            continue
        value = value if key[0] == "." or not isinstance(value, tuple) else sorted(value)
        have = found.pop(key, "nothing")
        have = have if isinstance(value, list) or not isinstance(have, list) or len(have) > 1 else have[0]
        if have != (pytest.approx(value) if isinstance(value, float) else value):
            bad[key] = f"{have}, not {value} ({place})"
    bad |= {key: f"{value}: no fact" for key, value in found.items() if value not in ([], None)}
    for label, arrays in drawn.items():
        pattern, draw = draw_of(label, facts)
        used.add(pattern)
        try:
            check_drawn(label, draw, arrays)
        except AssertionError as error:
            bad[label] = str(error)
    unread = {k for k, (v, _) in facts.items() if isinstance(v, recipes.Draw)} - used
    return bad | {key: "a fact about no variable" for key in unread}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long)
        if name == "logan biggan_deep"
        else name  # BigGAN-deep's, slowly
        for name in recipes.RECIPES
    ],
)
def test_the_recipe_is_the_papers(name):
    assert not wrong(name)
    keras.backend.clear_session()


def test_every_model_and_every_fact_has_a_place():
    assert {name.split()[0] for name in recipes.RECIPES} == set(registry())
    for _, facts in recipes.RECIPES.values():
        assert all(isinstance(place, str) and place for _, place in facts.values())


def test_the_check_of_distributions_tells_them_apart():
    random = np.random.default_rng(0)
    normal, shape = random.normal(size=(40, 50)), (40, 50)
    samples = {
        "normal": normal,
        "uniform": random.uniform(-np.sqrt(3), np.sqrt(3), shape),
        "truncated": np.clip(normal, -2, 2) / 0.95,
    }
    samples["truncated"] = keras.initializers.TruncatedNormal(stddev=1 / 0.87962566, seed=0)(shape).numpy()
    for kind, values in samples.items():
        for other in samples:
            draw = recipes.Draw(other, lambda shape: 1.0)
            if other == kind:
                check_drawn(kind, draw, [values])
            else:
                with pytest.raises(AssertionError, match="kurtosis"):
                    check_drawn(kind, draw, [values])
        with pytest.raises(AssertionError, match="deviation"):
            check_drawn(kind, recipes.Draw(kind, lambda shape: 1.15), [values])
