"""Figures, PNG and GIF files: pixels, labels, atomic writing."""

import io
import os
import subprocess
import sys
import types

import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

# Not `from ganlib import`, which loads TensorFlow: pictures do without.
import ganlib.files as files
import ganlib.plots as plots
from ganlib.errors import GanlibError, InputError

RING = np.stack([np.cos(np.arange(8)), np.sin(np.arange(8))], axis=1)
HISTORY = {
    "step": [50, 100, 150],
    "discriminator_loss": [1.4, 1.3, 1.2],
    "generator_loss": [0.7, 0.8, 0.9],
    "real_logits": [0.1, 0.2, 0.3],
    "fake_logits": [-0.1, -0.2, -0.3],
}


def constant(*values, size=2, channels=1):
    return np.stack([np.full((size, size, channels), value, np.float32) for value in values])


def test_tile_places_each_image_between_white_lines():
    tiled = plots.tile(constant(-1, 0, 1), columns=2)
    assert tiled.dtype == np.uint8
    expected = [
        [255, 255, 255, 255, 255, 255, 255],
        [255, 0, 0, 255, 128, 128, 255],
        [255, 0, 0, 255, 128, 128, 255],
        [255, 255, 255, 255, 255, 255, 255],
        [255, 255, 255, 255, 255, 255, 255],
        [255, 255, 255, 255, 255, 255, 255],
        [255, 255, 255, 255, 255, 255, 255],
    ]
    assert tiled.tolist() == expected


@pytest.mark.parametrize(
    ("n", "columns", "shape"),
    [(64, None, (233, 233)), (5, None, (59, 88)), (5, 5, (30, 146)), (3, 100, (30, 88))],
)
def test_tile_shape(n, columns, shape):
    assert plots.tile(np.zeros((n, 28, 28), np.float32), columns).shape == shape


def test_colour_stays_colour():
    image = np.zeros((1, 2, 2, 3), np.float32)
    image[..., 0], image[..., 1] = 1, -1
    assert plots.tile(image)[1, 1].tolist() == [255, 0, 128]


def test_grid_shows_the_images_pixels_enlarged_by_a_whole_factor():
    figure = plots.grid(constant(-1, 1, size=10), columns=2)
    assert isinstance(figure, matplotlib.figure.Figure)
    pixels = np.asarray(Image.open(_bytes(figure)).convert("L"))
    factor = 720 // 23
    assert pixels.shape == (12 * factor, 23 * factor)
    assert (pixels == plots.tile(constant(-1, 1, size=10), 2).repeat(factor, 0).repeat(factor, 1)).all()


def test_grid_with_a_title_has_the_same_images_below_it():
    with_title = np.asarray(
        Image.open(_bytes(plots.grid(constant(-1, 1, size=10), 2, "step 5"))).convert("L")
    )
    without = np.asarray(Image.open(_bytes(plots.grid(constant(-1, 1, size=10), 2))).convert("L"))
    assert with_title.shape[0] == without.shape[0] + 40
    assert (with_title[40:] == without).all()


def test_points_axes_labels_legend_and_limits():
    figure = plots.points(RING, 0.5 * RING, centers=RING[:3], limits=(-2, 2), title="ring")
    (axes,) = figure.axes
    assert axes.get_xlim() == axes.get_ylim() == (-2, 2)
    assert axes.get_xlabel() and axes.get_ylabel() and axes.get_title() == "ring"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["real", "generated", "modes"]
    assert [len(cloud.get_offsets()) for cloud in axes.collections] == [8, 8, 3]
    assert min(text.get_fontsize() for text in axes.get_legend().get_texts()) >= 13


def test_points_default_limits_hold_all_points():
    low, high = plots.points(RING, 7 * RING).axes[0].get_xlim()
    assert low < -7 * np.abs(RING).max() < 7 * np.abs(RING).max() < high


def test_curves_two_panels_with_labelled_axes():
    figure = plots.curves(HISTORY)
    assert [axes.get_title() for axes in figure.axes] == ["Losses", "Discriminator's outputs"]
    assert all("step" in axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)
    first = figure.axes[0].lines[0]
    assert first.get_xdata().tolist() == [50, 100, 150]
    assert first.get_ydata().tolist() == [1.4, 1.3, 1.2]


def test_curves_of_a_csv_file_and_of_a_keras_history(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(files.history_text(HISTORY))
    assert plots.curves(path).axes[1].lines[1].get_ydata().tolist() == [0.1, 0.2, 0.3]

    (axes,) = plots.curves(types.SimpleNamespace(history={"generator_loss": [3.0]})).axes
    assert axes.lines[0].get_ydata().tolist() == [3.0]


def test_colours_are_okabe_itos():
    assert plots.COLORS == {
        "real": "#0072B2",
        "fake": "#D55E00",
        "discriminator": "#009E73",
        "generator": "#CC79A7",
    }


def test_save_png_of_figure_images_and_points(tmp_path):
    for name, value in (("figure", plots.curves(HISTORY)), ("images", constant(0, 1)), ("points", RING)):
        path = plots.save_png(value, tmp_path / "new" / f"{name}.png")
        assert Image.open(path).format == "PNG"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["figure.png", "images.png", "points.png"]


def test_save_png_twice_gives_the_same_bytes(tmp_path):
    first = plots.save_png(plots.points(RING, None), tmp_path / "a.png").read_bytes()
    assert plots.save_png(plots.points(RING, None), tmp_path / "b.png").read_bytes() == first


def test_save_gif_frames_durations_and_pixels(tmp_path):
    frames = [
        constant(-1, size=4),
        constant(0, size=4),
        plots.save_png(constant(1, size=4), tmp_path / "f.png"),
    ]
    with Image.open(plots.save_gif(frames, tmp_path / "a.gif", seconds=0.1, hold=1.0)) as gif:
        assert gif.n_frames == 3 and gif.info["loop"] == 0
        seen = []
        for i in range(3):
            gif.seek(i)
            seen.append((gif.info["duration"], gif.convert("L").getpixel((gif.width // 2, gif.height // 2))))
    assert seen == [(100, 0), (100, 128), (1000, 255)]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = plots.save_png(constant(0), tmp_path / "a.png")
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(GanlibError, match=r"cannot write .*a\.png: No space left.*free some space") as caught:
        plots.save_png(constant(1), path)
    assert not isinstance(caught.value, InputError)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_read_history_leaves_out_a_torn_last_line(tmp_path):
    path = tmp_path / "history.csv"
    for torn in ("", "3,0.", "3,0.5", "3\n"):
        path.write_text("step,loss\n1,0.5\n2,0.25\n" + torn)
        assert files.read_history(path) == {"step": [1, 2], "loss": [0.5, 0.25]}


def test_jupyter_shows_a_figure_once_without_pyplot():
    # As a kernel does it: the formatters of a fresh IPython, no pyplot import by ganlib.
    code = """
import sys, numpy as np
from IPython.core.interactiveshell import InteractiveShell
import ganlib.plots
shell = InteractiveShell.instance()
figure = ganlib.plots.grid(np.zeros((4, 8, 8, 1), np.float32))
data, _ = shell.display_formatter.format(figure)
assert sorted(data) == ["image/png", "text/plain"], sorted(data)
assert data["text/plain"].startswith("<Figure size"), data["text/plain"]
assert "matplotlib.pyplot" not in sys.modules
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _bytes(figure):
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out
