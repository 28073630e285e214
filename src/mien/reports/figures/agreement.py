"""Predicted against true numbers, one square figure with the same limits on both axes. See `canvas` for its look."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mien.reports.figures.canvas import INK, MUTED, colour_of, figure, marker_of, plain, svg

Array = NDArray[np.float64]
MOST = 400  # clips that are drawn one by one; of more, cells show how many lie in them
CELLS = 22  # along an axis
FAINTEST = 0.15  # opacity of a cell with one clip


def agreement(truth: Array, predicted: Array, *, target: str, name: str, description: str, series: int) -> str:
    """One mark a clip, or cells of clips if they are many; dashed: where both are equal.

    Args:
        truth: (n,), at least one clip.
        predicted: (n,), in the same units.
        target: what the numbers are.
        name: salt of the identifiers, unique on the page.
        description: a text alternative of the figure.
        series: number of the colour and marker.
    """
    low, high = _limits(np.concatenate([truth, predicted]))
    with figure(3.5) as drawn:
        axes = drawn.add_subplot()
        plain(axes, "both")
        axes.plot([low, high], [low, high], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=3)
        if len(truth) > MOST:
            _cells(axes, truth, predicted, (low, high), series)
        else:
            look = {"color": colour_of(series), "markersize": 4.0, "markeredgewidth": 0, "alpha": 0.5, "zorder": 2}
            axes.plot(truth, predicted, marker_of(series), **look)  # type: ignore[arg-type]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_aspect("equal")
        axes.set_xlabel(f"{target}, true")
        axes.set_ylabel(f"{target}, predicted")
    return svg(drawn, name, description)


def _limits(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _cells(axes: Axes, truth: Array, predicted: Array, limits: tuple[float, float], series: int) -> None:
    """Hexagons, the more opaque the more clips lie in one; says how many lie in the most opaque one."""
    cells = axes.hexbin(truth, predicted, gridsize=CELLS, extent=(*limits, *limits), mincnt=1, linewidths=0, zorder=2)
    counts = np.asarray(cells.get_array(), np.float64)
    most = max(1.0, float(counts.max()))
    cells.set_array(None)
    shares = (FAINTEST + (1 - FAINTEST) * counts / most).round(2)
    cells.set_facecolor([to_rgba(colour_of(series), share) for share in shares.tolist()])
    look = {"transform": axes.transAxes, "ha": "right", "va": "bottom", "color": INK, "fontsize": 8}
    axes.text(0.98, 0.02, f"most in a cell: {most:.0f} clips", **look)  # type: ignore[arg-type]
