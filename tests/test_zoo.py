"""The zoo: what ships is small, loads as it is, and scores what its card says."""

import json
from importlib import resources
from pathlib import Path

import h5py
import numpy as np
import pytest

from ganlib.errors import CheckpointError, InputError
from ganlib.models import DCGAN, registry
from ganlib.zoo import blind
from ganlib.zoo import train as zoo

FOLDER = resources.files("ganlib.zoo")
NAMES = list(zoo.recipes())


def stem_of(name):
    recipe = zoo.recipes()[name]
    return recipe.model.presets[recipe.preset].weights.removesuffix(".weights.h5")


def test_every_preset_with_weights_has_a_recipe_and_its_files():
    shipped = {
        entry.weights
        for model in registry().values()
        for entry in model.presets.values()
        if entry.weights is not None
    }
    assert shipped == {f"{stem_of(name)}.weights.h5" for name in NAMES}
    for weights in shipped:
        for suffix in (".weights.h5", ".json", ".md", ".png"):
            assert (FOLDER / (weights.removesuffix(".weights.h5") + suffix)).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_small_and_half_precise(name):
    with resources.as_file(FOLDER / f"{stem_of(name)}.weights.h5") as path:
        assert path.stat().st_size < 3_000_000
        kinds = set()
        with h5py.File(path) as file:
            file.visititems(lambda _, item: kinds.add(str(getattr(item, "dtype", "group"))))
    assert "float16" in kinds and "float32" not in kinds


@pytest.mark.parametrize(
    "name", [n if n in ("sngan", "pix2pix") else pytest.param(n, marks=pytest.mark.long) for n in NAMES]
)
def test_the_card_says_what_is_measured_again(name):
    recipe = zoo.recipes()[name]
    stored = json.loads((FOLDER / f"{stem_of(name)}.json").read_text())
    measured = recipe.measure(recipe.model.from_preset(recipe.preset))
    assert measured.keys() == stored.keys()
    for metric, (value, _) in measured.items():
        assert 0 < stored[metric]["error"] < max(0.2 * stored[metric]["value"], 0.02)
        assert abs(value - stored[metric]["value"]) <= stored[metric]["error"], metric
    card = (FOLDER / f"{stem_of(name)}.md").read_text()
    for metric, entry in stored.items():
        assert f"| {metric} | {entry['value']:.4g} ± {entry['error']:.2g} |" in card
    assert f"python -m ganlib.zoo.train {name}" in card
    failures = card.split("Known failures: ")[1]
    assert len(failures.split()) >= 10


def test_all_together_stay_small():
    assert sum(path.stat().st_size for path in Path(str(FOLDER)).iterdir() if path.is_file()) < 20_000_000


@pytest.mark.parametrize("name", NAMES)
def test_training_has_moved_every_network(name):
    recipe = zoo.recipes()[name]
    trained, untrained = recipe.model.from_preset(recipe.preset), recipe.model.untrained(recipe.preset)
    for network, other in zip(trained.networks().values(), untrained.networks().values(), strict=True):
        moved = [
            np.abs(a.numpy() - b.numpy()).max() > 0
            for a, b in zip(network.trainable_weights, other.trainable_weights, strict=True)
        ]
        assert np.mean(moved) > 0.8


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(CheckpointError, match="does not fit DCGAN"):
        DCGAN.from_preset(zoo.FASHION, base_channels=8)
    assert DCGAN.untrained(zoo.FASHION, base_channels=8).image_shape == (32, 32, 1)
    with pytest.raises(InputError, match="no preset 'fashion_64_zoo'"):
        DCGAN.untrained("fashion_64_zoo")


def test_unknown_names():
    with pytest.raises(InputError, match="the zoo has no 'stylegan': choose one of dcgan"):
        zoo.main("stylegan")


def test_training_goes_on_and_the_weights_are_rounded_only(tmp_path):
    recipe = zoo.Recipe(DCGAN, "smoke", 48, lambda split, seed: small(), lambda gan: {}, "")
    gan = DCGAN.from_preset("smoke", batch_size=8)
    gan.compile()
    first = zoo.train(gan, recipe, tmp_path / "run")
    assert gan.images_seen == 48
    again = DCGAN.from_preset("smoke", batch_size=8)
    again.compile()
    longer = zoo.Recipe(DCGAN, "smoke", 64, lambda split, seed: small(), lambda gan: {}, "")
    assert zoo.train(again, longer, tmp_path / "run") > first  # the sittings add up
    assert (again.images_seen, again.step) == (64, 8)

    path = tmp_path / "smoke.weights.h5"
    zoo.write_weights(again, path)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["smoke.weights.h5"]
    loaded = DCGAN.from_preset("smoke")
    loaded.load_weights(path)
    for a, b in zip(again.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(a.numpy().astype(np.float16), b.numpy().astype(np.float16))


def small():
    import ganlib

    return ganlib.data.load("fashion_mnist", resolution=8)


def test_shares_have_errors_even_at_the_ends():
    assert zoo.share(0.5, 100) == (0.5, pytest.approx(0.05))
    assert zoo.share(1.0, 100) == (1.0, pytest.approx(0.01))


def test_a_blind_page_holds_all_and_its_key_says_which():
    samples, real = np.full((64, 2, 2, 1), 1.0), np.full((64, 2, 2, 1), -1.0)
    images, key = blind.mixed(samples, real, seed=3)
    assert len(images) == 128 and len(key) == 64 and (images[key] == 1).all()
    assert (np.delete(images, key, axis=0) == -1).all() and 16 < sum(number < 64 for number in key) < 48
    with pytest.raises(InputError, match="the zoo has no 'x'"):
        blind.main("x")
