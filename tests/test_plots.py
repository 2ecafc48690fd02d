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


DIGITS = np.random.default_rng(0).uniform(-1, 1, (12, 8, 8, 1)).astype(np.float32)
STEPS = [0, 50, 100]
NORMS = {
    "step": STEPS,
    "discriminator": [5, 6, 200],
    "generator": [1, 1, 1],
    **{f"discriminator/layer_{i}": [i, i, i] for i in range(1, 8)},
    "generator/dense": [1, 1, 1],
}
SPECTRA = {
    "step": STEPS,
    **{
        f"{player}/conv_{i}/kernel/sigma{k}": [i + k, 2 * i, 3 * i + k]
        for player in ("d", "g")
        for i in range(1, 8)
        for k in range(3)
    },
}


def test_strip_shows_each_pixel_enlarged_with_names_beside():
    figure = plots.strip([DIGITS[:4], DIGITS[4:8]], ["slerp", "lerp"], ["a", "b", "c", "d"])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(texts) == ["a", "b", "c", "d", "lerp", "slerp"]
    bare = np.asarray(Image.open(_bytes(plots.strip(DIGITS[:4]))).convert("L"))
    factor = bare.shape[0] // 10
    assert bare.shape == (10 * factor, 40 * factor) and factor >= 6
    inside = bare.reshape(10, factor, 40, factor)
    assert (inside == inside[:, :1, :, :1]).all()
    expected = plots.tile(DIGITS[:1])[1:-1, 1:-1]
    assert (inside[1:9, 0, 1:9, 0] == expected).all()
    assert (inside[1:9, 0, 31:39, 0] == plots.tile(DIGITS[3:4])[1:-1, 1:-1]).all()


def test_neighbours_has_every_image_and_distance():
    distances = np.arange(6).reshape(2, 3) + 0.25
    figure = plots.neighbours(DIGITS[:2], DIGITS[2:8].reshape(2, 3, 8, 8, 1), distances)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[2:] == ["0.25", "1.25", "2.25", "3.25", "4.25", "5.25"]
    shown = [image.get_array() for image in figure.axes[0].images]
    assert len(shown) == 8
    order = [0, 2, 3, 4, 1, 5, 6, 7]  # row by row, the sample first
    for pixels, i in zip(shown, order, strict=True):
        assert (pixels == plots.tile(DIGITS[i : i + 1])[1:-1, 1:-1, None]).all()


def test_traces_of_one_run_and_of_seeds():
    figure = plots.traces(
        {"one": (STEPS, [1, 2, 3]), "three": (STEPS, [[1, 2, 3], [3, 4, 5], [5, 6, 10]])},
        y="FID",
        reference=2,
    )
    (axes,) = figure.axes
    reference, one, three = axes.lines
    assert one.get_ydata().tolist() == [1, 2, 3] and three.get_ydata().tolist() == [3, 4, 6]
    (band,) = axes.collections
    assert band.get_paths()[0].get_extents().bounds == (0, 1, 100, 9)
    assert reference.get_ydata() == [2, 2] and axes.get_ylabel() == "FID"


def test_gradient_norms_and_spectra_show_the_largest_in_colour_and_the_others_grey():
    figure = plots.gradient_norms(NORMS, layers=2)
    first, second = figure.axes
    labels = [text.get_text() for text in first.get_legend().get_texts()]
    assert labels == ["5 other layers", "total", "layer_6", "layer_7", "alarm: 100"]
    assert [text.get_text() for text in second.get_legend().get_texts()] == ["total", "dense", "alarm: 100"]
    assert first.get_yscale() == "log"

    figure = plots.spectra(SPECTRA, weights=3)
    assert [axes.get_title() for axes in figure.axes] == ["d", "g"]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["4 other weights", "conv_5/kernel", "conv_6/kernel", "conv_7/kernel"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines["conv_7/kernel"].get_ydata()) == [7, 14, 21]
    second = plots.spectra(SPECTRA, "sigma2").axes[0].lines[-1]
    assert list(second.get_ydata()) == [9, 14, 23]


def test_the_first_layer_of_g_beside_ds_layers_and_norms():
    history = {"step": [0, 10]}
    for player, layer in (
        ("discriminator", "a"),
        ("discriminator", "b"),
        ("generator", "z"),
        ("generator", "y"),
    ):
        for i, value in enumerate(("sigma0", "sigma1", "frobenius")):
            history[f"{player}/{layer}/kernel/{value}"] = [ord(layer) + i, ord(layer) - i]
    figure = plots.spectra_side_by_side(history)
    assert [axes.get_title() for axes in figure.axes] == [
        "generator/z/kernel",
        "discriminator",
        "discriminator",
    ]
    drawn = [[list(line.get_ydata()) for line in axes.lines] for axes in figure.axes]
    z, a, b = map(ord, "zab")
    assert drawn == [[[z, z], [z + 1, z - 1]], [[a, a], [b, b]], [[a + 2, a - 2], [b + 2, b - 2]]]
    assert [axes.get_ylabel() for axes in figure.axes][2] == "Frobenius norm"
    with pytest.raises(InputError, match="frobenius, as Spectra writes them"):
        plots.spectra_side_by_side({name: v for name, v in history.items() if "frobenius" not in name})


def test_legends_below_the_axes_stay_inside_the_figure():
    long = {name.replace("layer", "residual_up_3/conv2d_transpose"): v for name, v in NORMS.items()}
    for figure in (plots.gradient_norms(long), plots.spectra(SPECTRA)):
        figure.canvas.draw()
        for axes in figure.axes:
            box, whole = axes.get_legend().get_window_extent(), figure.bbox
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= whole.x1 and box.y1 <= whole.y1
        one, other = (axes.get_legend().get_window_extent() for axes in figure.axes)
        assert one.x1 <= other.x0


def test_diversity_prd_and_bars():
    lines = plots.diversity({"step": STEPS, "diversity": [0, 1, 1], "nearest": [0, 0.5, 0.7]}).axes[0].lines
    assert [list(line.get_ydata()) for line in lines[1:3]] == [[0, 1, 1], [0, 0.5, 0.7]]

    (axes,) = plots.prd({"DCGAN": ([1, 0.5, 0], [0, 0.5, 1])}).axes
    assert axes.lines[0].get_xdata().tolist() == [0, 0.5, 1] and axes.get_xlabel() == "recall"
    assert axes.lines[0].get_ydata().tolist() == [1, 0.5, 0] and axes.get_ylabel() == "precision"

    (axes,) = plots.bars({"a": [1.0, 2.0, 3.0], "b": [4.0]}, x="FID").axes
    assert [bar.get_width() for bar in axes.patches] == [2, 4]
    assert [text.get_text() for text in axes.texts] == ["2 ± 1", "4"]
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]
    assert axes.yaxis_inverted()


def test_heat_map_has_every_number_and_a_mark_where_there_is_none():
    values = [[1, 2, 40], [4, np.nan, np.nan]]
    marks = [["", "", ""], ["", "lost", ""]]
    figure = plots.heat_map(values, ["a", "b", "c"], ["d", "e"], "rate", "noise", "FID", "title", marks)
    axes, bar = figure.axes
    assert [text.get_text() for text in axes.texts] == ["1", "2", "40", "4", "lost", ""]
    assert [text.get_position() for text in axes.texts[:4]] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    labels = (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel(), axes.get_title())
    assert labels == ("rate", "noise", "FID", "title")
    ticks = [[tick.get_text() for tick in of()] for of in (axes.get_xticklabels, axes.get_yticklabels)]
    assert ticks == [["a", "b", "c"], ["d", "e"]] and not axes.yaxis_inverted()
    assert type(axes.images[0].norm).__name__ == "LogNorm"  # 40 is more than ten times 1
    assert (
        type(plots.heat_map([[1, 2]], "ab", "c", "", "", "").axes[0].images[0].norm).__name__ == "Normalize"
    )
    assert plots.heat_map([[np.nan]], "a", "b", "", "", "").axes[0].texts[0].get_text() == ""


def test_levels_has_means_seeds_gaps_and_crosses():
    (axes,) = plots.levels([[1, 3], [], [20]], ["a", "b", "c"], "rate", "FID", lost=[0, 2, 1]).axes
    means, seeds, crosses = axes.lines
    np.testing.assert_equal(means.get_ydata(), [2, np.nan, 20])
    assert seeds.get_ydata().tolist() == [1, 3] and seeds.get_xdata().tolist() == [0, 0]
    assert crosses.get_xdata().tolist() == [1, 2] and axes.get_yscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "b", "c"]
    (axes,) = plots.levels([[-1], [20]], ["a", "b"], "rate", "FID").axes
    assert axes.get_yscale() == "linear" and len(axes.lines) == 1 and axes.get_legend() is None


def test_histograms_share_bins_and_are_densities():
    figure = plots.histograms(
        {"a": np.linspace(0, 1, 1001), "b": np.full((3, 3), 1.9)}, bins=4, limits=(0, 2)
    )
    a, b = (patch.get_data() for patch in figure.axes[0].patches)
    np.testing.assert_allclose(a.values, [1, 1, 2 / 1001, 0], atol=3e-3)
    assert b.values.tolist() == [0, 0, 0, 2] and a.edges.tolist() == b.edges.tolist() == [0, 0.5, 1, 1.5, 2]
    wide = plots.histograms({"a": [0.0, 1.0], "b": [5.0]}).axes[0].patches[0].get_data()
    assert (wide.edges[0], wide.edges[-1]) == (0, 5)


def test_surface_asks_for_points_and_draws_the_values():
    seen = []

    def plane(points):
        seen.append(points)
        return points[:, :1] + 10 * points[:, 1:]

    figure = plots.surface(plane, (-1, 1), real=RING, fake=0.5 * RING, resolution=5)
    assert seen[0].shape == (25, 2) and seen[0].dtype == np.float32
    low, high = figure.axes[1].get_ylim()
    assert low <= -11 and high >= 11
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["real", "generated"]


def test_save_walk_goes_there_and_back(tmp_path):
    walks = np.stack([constant(value, -value, size=4) for value in (-1, 0, 1)])
    with Image.open(plots.save_walk(walks, tmp_path / "a.gif", columns=2)) as gif:
        seen = []
        for i in range(gif.n_frames):
            gif.seek(i)
            seen.append(gif.convert("L").getpixel((gif.width // 4, gif.height // 2)))
    assert seen == [0, 128, 255, 128]
    with Image.open(plots.save_walk(walks, tmp_path / "b.gif", back=False)) as gif:
        assert gif.n_frames == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.strip([DIGITS[:2], DIGITS[:3]]), r"expected one or more, all the same"),
        (lambda: plots.strip(DIGITS[:2], titles=["a", "b"]), r"titles=.*expected 1, one for each row"),
        (lambda: plots.neighbours(DIGITS[:2], DIGITS[:3]), r"expected \(n, k, height, width, channels\)"),
        (lambda: plots.neighbours(DIGITS[:2], DIGITS[2:4, None], [[1, 2]] * 2), r"expected \(2, 1\)"),
        (lambda: plots.traces({}), r"traces\(\) got no lines"),
        (lambda: plots.traces({"a": ([1, 2], [1, 2, 3])}), r"'a' has steps of shape \(2,\)"),
        (lambda: plots.gradient_norms({"step": [], "discriminator": []}), r"expected step, discriminator"),
        (lambda: plots.spectra(SPECTRA, "sigma7"), r"no 'sigma7'.*it has sigma0, sigma1, sigma2"),
        (lambda: plots.diversity(NORMS), r"expected step, diversity, nearest"),
        (lambda: plots.prd({"a": ([1.5], [0])}), r"outside \[0, 1\]"),
        (lambda: plots.histograms({"a": [np.inf]}), r"not finite"),
        (lambda: plots.bars({"a": []}), r"got no values"),
        (lambda: plots.heat_map([[1, 2]], ["a"], ["b"], "", "", ""), r"shape \(1, 2\): expected \(1, 1\)"),
        (lambda: plots.levels([[1]], [], "", ""), r"1 settings and 0 ticks"),
        (lambda: plots.surface(lambda x: x, (1, -1)), r"low below high"),
        (lambda: plots.save_walk(DIGITS, "a.gif"), r"expected \(steps, n, height, width, 1 or 3\)"),
    ],
)
def test_bad_arguments_of_figures(call, message):
    with pytest.raises(InputError, match=message):
        call()


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


def maps_of(n=2):
    maps = np.random.default_rng(0).random((n, 4, 6, 2, 3))
    return maps / maps.sum(axis=(3, 4), keepdims=True)


def test_attention_draws_the_maps_of_its_points_over_the_images():
    images, maps = constant(-0.5, 0.5, size=8, channels=3), maps_of()
    points = np.array([[[0, 0], [3, 5]], [[1, 2], [2, 4]]])
    figure = plots.attention(images, maps, points, titles=["corner", "other"])
    panels, bar = figure.axes[:-1], figure.axes[-1]
    assert len(panels) == 2 * 3
    assert [axes.get_title() for axes in panels] == ["image", "corner", "other", "", "", ""]
    chosen = [maps[i, row, column] for i in range(2) for row, column in points[i]]
    overlays = [axes.images[1] for axes in panels if len(axes.images) == 2]
    for overlay, expected in zip(overlays, chosen, strict=True):
        np.testing.assert_array_equal(overlay.get_array(), expected)
        assert overlay.get_extent() == [0, 6, 4, 0] and overlay.get_clim() == (0, np.max(chosen))
    marks = [[tuple(line.get_xydata()[0]) for line in axes.lines] for axes in panels]
    assert marks[0] == [(0.5, 0.5), (5.5, 3.5)] and marks[2] == [(5.5, 3.5)] and marks[4] == [(2.5, 1.5)]
    assert [text.get_text() for text in panels[2].texts] == ["2"]
    assert bar.get_ylim() == (0, np.max(chosen))
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_attention_takes_the_same_points_for_all_images():
    figure = plots.attention(constant(0, 0, 0, size=4), maps_of(3), [[2, 1]])
    assert len(figure.axes) == 3 * 2 + 1
    assert [axes.get_title() for axes in figure.axes[:2]] == ["image", "from 1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((constant(0), maps_of(), [[0, 0]]), "maps have shape (2, 4, 6, 2, 3) for 1 images"),
        ((constant(0, 0), maps_of()[0], [[0, 0]]), "expected (n, h, w, a, b)"),
        ((constant(0, 0), maps_of(), [0, 0]), "points have shape (2,)"),
        ((constant(0, 0), maps_of(), [[0.5, 0]]), "whole numbers"),
        ((constant(0, 0), maps_of(), [[4, 0]]), "a map has 4x6 positions"),
        ((constant(0, 0), maps_of(), [[-1, 0]]), "a map has 4x6 positions"),
        ((constant(0, 0), maps_of(), [[0, 0]], ["a", "b"]), "expected 1, one for each point"),
        ((2 + constant(0, 0), maps_of(), [[0, 0]]), "expected [-1, 1]"),
    ],
)
def test_attention_refuses_what_does_not_fit(arguments, words):
    with pytest.raises(InputError) as caught:
        plots.attention(*arguments)
    assert words in str(caught.value)
