"""AdaIN style transfer: eq. 8 and the losses by hand, a fixed encoder, strengths, sizes, and the command line."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

from ganlib import data, runs
from ganlib.cli import main
from ganlib.errors import DataError, InputError
from ganlib.layers.vgg import VGG19, mirrored, vgg
from ganlib.models import AdaINStyleTransfer, Pix2Pix
from ganlib.models.adain import adain, content_loss, moments, style_loss


@pytest.fixture(scope="module")
def smoke():
    gan = AdaINStyleTransfer.from_preset("smoke")
    gan.compile()
    return gan


def images(n, height=16, width=16, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, height, width, 3)).astype(np.float32)


def features(n, height, width, channels, seed):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, height, width, channels)) * rng.uniform(0.5, 3, channels) + 1).astype(
        np.float32
    )


# --------------------------------------------------------------------------------------- eq. 8 and the objective


def test_adain_is_eq_8():
    content, style = features(3, 4, 6, 5, seed=0), features(3, 7, 2, 5, seed=1)
    c, s = (x.astype(np.float64) for x in (content, style))
    deviations = [np.sqrt(x.var(axis=(1, 2), keepdims=True) + 1e-5) for x in (c, s)]
    expected = deviations[1] * (c - c.mean(axis=(1, 2), keepdims=True)) / deviations[0]
    expected += s.mean(axis=(1, 2), keepdims=True)
    found = adain(content, style).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    for a, b in zip(moments(found), moments(style), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(adain(content, content), content, rtol=1e-5, atol=1e-5)
    flat = np.full((1, 2, 2, 1), 3.0, np.float32)  # nothing to scale, and no division by zero
    np.testing.assert_allclose(adain(flat, style[:1, ..., :1]), style[:1, ..., :1].mean(), rtol=1e-5)


def test_losses_by_hand():
    """Two images of two pixels and two channels."""
    found = np.array([[[[1, 0], [3, 0]]], [[[0, 4], [0, 4]]]], np.float32)
    other = np.array([[[[2, 1], [2, 1]]], [[[0, 0], [0, 8]]]], np.float32)
    np.testing.assert_allclose(content_loss(found, other), (1 + 1 + 1 + 1 + 0 + 16 + 0 + 16) / 8)
    # means (2, 0), (0, 4) and (2, 1), (0, 4); deviations (1, 0), (0, 0) and (0, 0), (0, 4)
    one_layer = ((0 + 1) + (0 + 0)) / 2 + ((1 + 0) + (0 + 16)) / 2
    np.testing.assert_allclose(style_loss([found], [other]), one_layer, rtol=0.01)  # epsilon under the root
    larger = np.tile(other, (1, 3, 1, 1))  # a style of another size, with the same moments
    np.testing.assert_allclose(style_loss([found, found], [other, larger]), 2 * one_layer, rtol=0.01)


def test_the_objective_is_eq_10(smoke):
    content, style = images(2, seed=1), images(2, seed=2)
    loss, logs = smoke.decoder_loss((content, style))
    styles = [f.numpy() for f in smoke.encoder(style)]
    target = adain(smoke.encoder(content)[-1], styles[-1]).numpy()
    found = [f.numpy() for f in smoke.encoder(smoke.decoder(target))]
    assert len(found) == 3 and found[0].shape == (2, 16, 16, 32) and target.shape == (2, 4, 4, 128)
    np.testing.assert_allclose(logs["content_loss"], np.square(found[-1] - target).mean(), rtol=1e-4)
    expected = 0.0
    for mine, theirs in zip(found, styles, strict=True):
        for moment in (np.mean, lambda x, axis: np.sqrt(x.var(axis=axis) + 1e-5)):
            difference = moment(mine, axis=(1, 2)) - moment(theirs, axis=(1, 2))
            expected += np.square(difference).sum(axis=1).mean()
    np.testing.assert_allclose(logs["style_loss"], expected, rtol=1e-4)
    np.testing.assert_allclose(loss, logs["content_loss"] + smoke.style_weight * expected, rtol=1e-4)
    assert loss is logs["generator_loss"]
    without = AdaINStyleTransfer.from_preset("smoke", style_weight=0.0)
    np.testing.assert_allclose(
        *(without.decoder_loss((content, style))[1][k] for k in ("generator_loss", "content_loss"))
    )


# ------------------------------------------------------------------------------------------------ the model


def test_the_papers_networks_and_recipe(monkeypatch):
    """With random numbers in the place of ImageNet's weights: no network here."""
    original = keras.applications.VGG19
    monkeypatch.setattr(
        keras.applications, "VGG19", lambda include_top, weights: original(include_top=False, weights=None)
    )
    gan = AdaINStyleTransfer.from_preset("coco_256")
    assert {name: network.count_params() for name, network in gan.networks().items()} == {
        "decoder": 3_505_219,
        "encoder": 3_505_728,
    }
    assert (gan.batch_size, gan.style_weight, gan.image_shape, gan.smallest) == (8, 0.01, (256, 256, 3), 16)
    made = gan.encoder.get_weights()
    gan.compile()
    optimizer = gan.decoder_optimizer
    assert (optimizer.beta_1, optimizer.beta_2) == (0.9, 0.999)
    for step, rate in ((0, 1e-4), (20_000, 5e-5)):
        optimizer.iterations.assign(step)
        np.testing.assert_allclose(optimizer.learning_rate, rate, rtol=1e-5)
    fetched = gan.encoder.get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(made[::2], fetched[::2], strict=True))
    faces = data.load("faces", resolution=64).to_numpy(4)
    assert all(0.3 < float(tf.reduce_mean(f)) < 3 for f in gan.encoder(faces))
    assert gan.encoder.get_layer("conv4_1").filters == VGG19[0][-1]


def test_the_small_encoder_ships_and_is_normalised(smoke):
    fresh = vgg((32, 64, 128), (2, 2, 1))
    assert smoke.encoder.count_params() == fresh.count_params() == 139_424
    assert smoke.decoder.count_params() == mirrored((32, 64, 128), (2, 2, 1)).count_params() == 139_299
    shown = [data.load(name, "test", resolution=64).to_numpy(20) for name in ("faces", "textures", "shapes")]
    means = [float(tf.reduce_mean(f)) for f in smoke.encoder(np.concatenate(shown))]
    np.testing.assert_allclose(means, 1.0, atol=0.15)
    alike = [AdaINStyleTransfer.from_preset("smoke", seed=seed).encoder.get_weights() for seed in (1, 2)]
    for a, b in zip(*alike, strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_moves_the_decoder_and_leaves_the_encoder(smoke):
    gan = AdaINStyleTransfer.from_preset("smoke", learning_rate=1e-3)
    encoder, decoder = gan.encoder.get_weights(), gan.decoder.get_weights()
    pairs = gan.load_data(resolution=16)
    assert (pairs.name, pairs.paired) == ("faces_and_textures", False)
    history = gan.fit(pairs.batch(2), steps_per_epoch=15, epochs=2, verbose=0).history
    for a, b in zip(encoder, gan.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not any(np.array_equal(a, b) for a, b in zip(decoder, gan.decoder.get_weights(), strict=True))
    assert [v.path for v in gan.trainable_variables] == [v.path for v in gan.decoder.trainable_variables]
    assert list(gan.players()) == ["decoder"] and gan.players_of("discriminator") == []
    assert set(history) == {"generator_loss", "content_loss", "style_loss"}
    batch = tuple(part.numpy() for part in next(iter(pairs.batch(32).starting_at(9))))
    assert float(gan.decoder_loss(batch)[0]) < 0.9 * float(smoke.decoder_loss(batch)[0])


def test_an_average_of_the_decoder_translates():
    gan = AdaINStyleTransfer.from_preset("smoke", ema_decay=0.9)
    x = images(2)
    gan.decoder.set_weights([0 * w for w in gan.decoder.get_weights()])
    assert np.abs(gan.translate(x)).max() > 0


# ------------------------------------------------------------------------------------------------ translate


def test_strengths(smoke):
    content, style = images(3, seed=3), images(3, 24, 20, seed=4)
    plain = smoke.encoder(content)[-1].numpy()
    whole = adain(plain, smoke.encoder(style)[-1]).numpy()
    for strength in (0, 0.3, 1.0):
        expected = np.clip(smoke.decoder((1 - strength) * plain + strength * whole), -1, 1)
        found = smoke.translate(content, style, strength)
        assert found.dtype == np.float32 and found.shape == content.shape
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        smoke.translate(content, style, 0), np.clip(smoke.decoder(plain), -1, 1), atol=1e-5
    )
    np.testing.assert_allclose(
        smoke.translate(content, content), smoke.translate(content, style, 0), atol=1e-3
    )
    assert np.abs(smoke.translate(content, style) - smoke.translate(content, style, 0)).max() > 0.01


def test_one_style_many_styles_and_none(smoke):
    content, style = images(3, seed=5), images(2, seed=6)
    one = smoke.translate(content, style[:1])
    np.testing.assert_allclose(one, smoke.translate(content, style[[0, 0, 0]]), atol=1e-6)
    neighbours = smoke.translate(content)
    np.testing.assert_allclose(neighbours, smoke.translate(content, content[[2, 0, 1]]), atol=1e-6)
    columns = smoke.pictures_of(content[:2], style)
    np.testing.assert_array_equal(columns[0], content[:2])
    np.testing.assert_allclose(columns[1], smoke.translate(content[:2], style), atol=1e-6)
    np.testing.assert_array_equal(columns[2], style)


@pytest.mark.parametrize(
    ("height", "width", "made"), [(8, 8, (8, 8)), (13, 22, (12, 20)), (32, 16, (32, 16))]
)
def test_any_size(smoke, height, width, made):
    assert smoke.translate(images(1, height, width), images(1, 9, 31)).shape == (1, *made, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": images(2)[..., :1]}, r"images are float32 of shape \(2, 16, 16, 1\): give floats"),
        ({"images": images(2)[0]}, "give floats"),
        ({"images": np.zeros((1, 16, 16, 3), np.uint8)}, "images are uint8"),
        ({"images": images(0)}, "give floats"),
        ({"images": 2 * images(2)}, r"reach from -.* scale them to \[-1, 1\]"),
        ({"images": images(2) * np.nan}, "scale them"),
        ({"images": images(2, 16, 7)}, "images of 7x16 pixels are too small: give 8x8 or more"),
        ({"style": images(1, 1, 1)}, "styles of 1x1 pixels are too small"),
        ({"style": images(3)}, "2 images and 3 styles: give one style, or one for each image"),
        ({"strength": 1.5}, "strength=1.5 is out of range: give a number from 0 to 1"),
        ({"strength": float("nan")}, "strength=nan"),
        ({"strength": "much"}, "strength='much'"),
        ({"strength": True}, "strength=True"),
    ],
)
def test_bad_translations(smoke, arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        smoke.translate(**{"images": images(2), "style": images(2), **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "vgg"}, "did you mean 'vgg19'"),
        ({"resolution": 7}, "resolution=7 is too small for 'small': use 8 or more"),
        ({"style_weight": -1}, "style_weight=-1"),
        ({"learning_rate": 0}, "learning_rate=0"),
        ({"decay": -1}, "decay=-1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        AdaINStyleTransfer.from_preset("smoke", **arguments)


def test_pairs_and_styles_are_different_things(smoke):
    with pytest.raises(InputError, match=r"use ganlib\.data\.unpaired"):
        Pix2Pix.from_preset("smoke").load_data("faces_and_textures")
    with pytest.raises(InputError, match="a style transfer has no targets"):
        smoke.evaluate_on(None, None, None)


# ------------------------------------------------------------------------------------------- command line


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "adain"
    result = call("train", "adain", "--preset", "smoke", "--kimg", "0.02", "--sample-every", 5, "--out", out)
    assert "score     none: a style transfer has no targets" in result.stdout
    return out


def save(path, array):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.uint8(np.rint(127.5 * (array + 1)))).save(path)


def test_a_run_has_pictures_of_contents_results_and_styles(run):
    width, height = Image.open(run / "samples" / "step-00000010.png").size
    assert width * (1 + 8 * 17) == height * (1 + 3 * 17)  # three columns and eight rows, enlarged
    assert json.loads((run / "config.json").read_text())["data"]["name"] == "faces_and_textures"
    assert (run / "history.csv").read_text().splitlines()[0].count("_loss") == 3


def test_translate_with_styles_of_the_run_of_a_file_and_of_a_folder(run, tmp_path):
    gan = runs.load(run)
    contents, styles = data.unpaired("faces_and_textures", "test", 16).to_numpy(3)
    for i, style in enumerate(styles):
        save(tmp_path / "styles" / f"{i}.png", style)
        save(tmp_path / "contents" / f"{i}.png", contents[i])
    save(tmp_path / "style.png", styles[2])
    cases = {
        ("--n", 3): (contents, styles),
        ("--n", 3, "--strength", 0.6): (contents, styles),
        ("--n", 2, "--style", tmp_path / "style.png"): (contents[:2], styles[[2, 2]]),
        ("--n", 2, "--style", tmp_path / "styles"): (contents[:2], styles[:2]),
        ("--input", tmp_path / "contents", "--style", tmp_path / "style.png"): (contents, styles[[2, 2, 2]]),
        ("--input", tmp_path / "contents", "--n", 2): (contents[:2], styles[:2]),
    }
    for arguments, (content, style) in cases.items():
        call("translate", run, *arguments, "--out", tmp_path / "a.npz")
        expected = gan.translate(content, style, 0.6 if "--strength" in arguments else 1.0)
        with np.load(tmp_path / "a.npz") as arrays:
            np.testing.assert_allclose(arrays["sources"], content, atol=1e-6)
            np.testing.assert_allclose(arrays["translations"], expected, atol=1e-4)
    call("translate", run, "--n", 3, "--style", tmp_path / "style.png", "--out", tmp_path / "a.png")
    width, height = Image.open(tmp_path / "a.png").size
    assert width == height and width % (1 + 3 * 17) == 0


def test_bad_styles_are_one_line_and_leave_nothing_behind(run, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    save(tmp_path / "dot.png", images(1, 1, 1)[0])
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for arguments, what in (
        (["--style", tmp_path / "dot.png"], "dot.png (1x1, smaller than 8x8)"),
        (["--style", tmp_path / "broken.png"], "cannot be used: broken.png"),
        (["--style", tmp_path / "empty"], "holds no images"),
        (["--style", tmp_path / "missing.png"], "does not exist: give an image file or a folder"),
        (["--strength", "1.5"], "--strength"),
        (["--input", tmp_path / "empty"], "holds no images"),
    ):
        result = call("translate", run, *arguments, "--out", tmp_path / "a.png", status=2)
        assert what in result.stderr.splitlines()[-1], result.stderr
        assert len([line for line in result.stderr.splitlines() if line.startswith("error: ")]) == 1
    result = call("evaluate", run, status=2)
    assert (
        result.stderr.startswith("error: a style transfer has no targets") and result.stderr.count("\n") == 1
    )
    assert sorted(tmp_path.rglob("*")) == before and not (run / "evaluation.json").exists()


def test_models_without_styles_refuse_them(tmp_path, monkeypatch):
    monkeypatch.setattr("ganlib.runs.measure.load", lambda *_: Pix2Pix.from_preset("smoke"))
    for arguments in (["--style", tmp_path / "x.png"], ["--strength", "0.5"]):
        result = call("translate", tmp_path, *arguments, "--out", tmp_path / "a.png", status=2)
        assert "holds a Pix2Pix, which has no styles: leave out --style and --strength" in result.stderr


def test_styles_are_read_as_they_are(tmp_path):
    for i in range(2):
        save(tmp_path / "styles" / f"{i}.png", images(1, 12, 12, seed=i)[0])
    both = data.read_images(tmp_path / "styles", 12)
    assert both.shape == (2, 12, 12, 3) and both.dtype == np.float32
    np.testing.assert_allclose(both[1], images(1, 12, 12, seed=1)[0], atol=1 / 255)
    np.testing.assert_array_equal(data.read_images(tmp_path / "styles" / "1.png", 12), both[1:])
    assert data.read_images(str(tmp_path / "styles"), 6, channels=1).shape == (2, 6, 6, 1)
    with pytest.raises(DataError, match=r"2 of 2 .*smaller than 13x13"):
        data.read_images(tmp_path / "styles", 8, smallest=13)
