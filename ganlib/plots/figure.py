"""What all pictures share: colours, lines, the figure that Jupyter shows, labels and sizes of text.

Colours are those of Okabe and Ito (2008, "Color universal design"), and lines differ in dash as well, so that no
figure depends on colour vision or on a good projector.
"""

import io
from typing import Any

import matplotlib.figure
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
COLORS = {"real": BLUE, "fake": VERMILION, "discriminator": GREEN, "generator": PURPLE}

TEXT = 15  # points; a slide shows a figure about as wide as a page, and the last row still reads it
DPI = 100

# colour, dash, marker; without yellow, which a projector does not show on white
LINES = (
    (BLUE, "-", "o"),
    (VERMILION, "--", "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (ORANGE, (0, (6, 1, 1, 1, 1, 1)), "v"),
    (SKY, (0, (8, 3)), "P"),
    (BLACK, (0, (1, 1)), "X"),
)


class Figure(matplotlib.figure.Figure):
    """A figure outside pyplot that Jupyter shows, once, when it is a cell's value."""

    def __init__(self, width: float, height: float):
        # not the caller's
        super().__init__(figsize=(width, height), dpi=DPI, facecolor="white", layout="none")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        return png_of(self)


def panel(width: float, height: float) -> tuple[Figure, Any]:
    """A figure of one plot, and its axes."""
    figure = Figure(width, height)
    return figure, figure.add_subplot()


def finished(axes: Any, x: str, y: str, title: str | None) -> Figure:
    """The figure of a `panel`, with what every plot has."""
    finish(axes, x, y, title)
    axes.figure.tight_layout()
    return axes.figure


def finish(axes: Any, x: str, y: str, title: str | None, below: bool = False) -> None:
    """Labels, legend (under the axes, if `below`) and sizes that every plot shares."""
    axes.set_xlabel(x, fontsize=TEXT)
    axes.set_ylabel(y, fontsize=TEXT)
    axes.tick_params(labelsize=TEXT)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        place = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.16)} if below else {}
        axes.legend(fontsize=TEXT, framealpha=0.9, handlelength=3, **place)
    if title:
        axes.set_title(title, fontsize=TEXT)


def line_style(i: int, points: int) -> dict[str, Any]:
    """Colour, dash and marker of the i-th line: any one of them tells it apart from its neighbours."""
    color, dash, marker = LINES[i % len(LINES)]
    style = {"color": color, "linestyle": dash, "marker": marker, "markevery": max(1, points // 8)}
    return style | {"markersize": 8, "linewidth": 2.5}


def png_of(picture: Any) -> bytes:
    """PNG bytes of a figure or of uint8 pixels."""
    out = io.BytesIO()
    if isinstance(picture, np.ndarray):
        Image.fromarray(picture).save(out, "PNG")
    else:
        # Any canvas can print PNG through Agg; a pyplot figure keeps its own.
        picture.savefig(out, format="png", dpi=picture.dpi, facecolor=picture.get_facecolor())
    return out.getvalue()
