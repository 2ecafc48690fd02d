"""Pictures of a run: images in grids, strips and panels, clouds of points, curves, bars, histograms; PNG and GIF.

Every function returns a matplotlib figure that belongs to nobody: no pyplot state, nothing to close, drawn
once when it is the last expression of a notebook cell.

figure.py has the colours and what the others share, images.py pixels and files, charts.py numbers, training.py what
reads a run's histories.
"""

from ganlib.plots.charts import (
    bars,
    heat_map,
    histograms,
    levels,
    points,
    prd,
    surface,
    traces,
    truncation_sweep,
)
from ganlib.plots.figure import (
    BLACK,
    BLUE,
    COLORS,
    GREEN,
    LINES,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    Figure,
)
from ganlib.plots.images import (
    attention,
    grid,
    in_rows,
    neighbours,
    save_gif,
    save_png,
    save_walk,
    strip,
    tile,
)
from ganlib.plots.training import curves, diversity, gradient_norms, spectra, spectra_side_by_side
