"""Figures of shares against shares, all in percent: reliability, abstention, ROC. See `canvas` for their look."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien.common.tables import thin
from mien.reports.figures.canvas import MUTED, RULE, colour_of, entry, figure, marker_of, plain, svg

Array = NDArray[np.float64]
DASHED = (0, (4, 3))


class Bins(NamedTuple):
    """A reliability diagram of B bins: mean `confidence`, share of `right` clips, and number of `clips`, (B,) each."""

    confidence: Array
    right: Array
    clips: Array


class Line(NamedTuple):
    """A line of a figure: x (n,) and y (n,) as fractions, and the number of its colour."""

    x: Array
    y: Array
    series: int = 0


def reliability(before: Bins, after: Bins, *, name: str, description: str, series: int) -> str:
    """Accuracy by predicted probability, as trained (grey rings) and calibrated; the diagonal is perfect calibration.

    The area of a mark follows how many clips its bin has.
    """
    with figure(2.7) as drawn:
        axes = drawn.add_subplot()
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=0.8, linestyle=DASHED, zorder=1)
        for bins, label, colour, style in ((before, "as trained", MUTED, "none"), (after, "calibrated", "", "full")):
            colour = colour or colour_of(series)
            axes.plot(100 * bins.confidence, 100 * bins.right, color=colour, linewidth=0.8, alpha=0.6, zorder=2)
            sizes = 2.5 + 7 * np.sqrt(bins.clips / max(1.0, float(bins.clips.sum())))
            for x, y, size in zip(100 * bins.confidence, 100 * bins.right, sizes, strict=True):
                axes.plot(x, y, "o", color=colour, fillstyle=style, markersize=size, zorder=3)
            axes.plot([], [], "o", color=colour, fillstyle=style, markersize=5, label=label)
        _square(axes, "predicted probability, %", "accuracy, %")
        drawn.legend(loc="outside lower center", ncols=2, handletextpad=0.1, columnspacing=0.9)
    return svg(drawn, name, description)


def abstention(models: Mapping[str, Line], *, name: str, description: str) -> str:
    """Accuracy on the answered clips over the share of clips that are answered, a line for each model."""
    with figure(2.5 + 0.18 * ((len(models) + 1) // 2)) as drawn:
        axes = drawn.add_subplot()
        for model, line in models.items():
            kept = line.x >= 0.05  # fewer clips give no reliable accuracy
            x, y = 100 * line.x[kept], 100 * line.y[kept]
            places = thin(len(x))
            _marked(axes, x[places], y[places], line.series, model)
        axes.set_xlim(0, 102)
        axes.set_ylim(0, 102)
        axes.set_xlabel("clips answered, %")
        axes.set_ylabel("of these right, %")
        plain(axes, "both")
        _legend(drawn)
    return svg(drawn, name, description)


def roc(models: Mapping[str, Line], *, name: str, description: str) -> str:
    """Accepted pairs of the same speaker over those of different speakers, a line for each model; diagonal: chance."""
    with figure(2.8 + 0.18 * ((len(models) + 1) // 2)) as drawn:
        axes = drawn.add_subplot()
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=0.8, linestyle=DASHED, zorder=1)
        axes.plot([0, 100], [100, 0], color=RULE, linewidth=0.6, zorder=1)  # where a line crosses it is its EER
        for model, line in models.items():
            places = thin(len(line.x))
            _marked(axes, 100 * line.x[places], 100 * line.y[places], line.series, model)
        _square(axes, "different speakers accepted, %", "same speaker accepted, %")
        _legend(drawn)
    return svg(drawn, name, description)


def _marked(axes: Axes, x: Sequence[float] | Array, y: Sequence[float] | Array, series: int, label: str) -> None:
    """A line with some marks of its series."""
    axes.plot(
        x,
        y,
        color=colour_of(series),
        marker=marker_of(series),
        markevery=max(1, len(x) // 6),
        markersize=4,
        linewidth=1.3,
        label=entry(label),
        zorder=3,
    )


def _square(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_aspect("equal")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    plain(axes, "both")


def _legend(drawn: Figure) -> None:
    drawn.legend(loc="outside lower center", ncols=2, handletextpad=0.3, columnspacing=0.9)
