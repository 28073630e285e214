"""Figures of answers with a part of the input missing: small curves on one scale, and confidence against accuracy.

Values are given as they are shown, in percent or in the measure's own unit. A model has the same colour and marker in
all figures, see `canvas.number_of`; the legend is a figure of its own, for all small ones.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mien.reports.figures.canvas import MUTED, colour_of, entry, figure, marker_of, plain, svg
from mien.reports.figures.plane import WIDE

DASHED = (0, (4, 3))
FEW = 4  # models whose intervals are drawn as bands; more would hide each other
Array = NDArray[np.float64]


class Curve(NamedTuple):
    """The scores of one model at n levels, with the ends of their intervals, (n,) each; nan where not known."""

    label: str
    series: int
    score: Array
    low: Array
    high: Array


class Points(NamedTuple):
    """Accuracy and confidence of one model under n conditions, in percent, (n,) each."""

    label: str
    series: int
    accuracy: Array
    confidence: Array


def curves(
    models: Sequence[Curve],
    ticks: Sequence[str],
    *,
    name: str,
    description: str,
    axis: str,
    level: str,
    limits: tuple[float, float],
    chance: float,
) -> str:
    """Scores against what is missing, a line for each model, its interval a band.

    Args:
        models: at least one.
        ticks: the levels, equally spaced.
        name: salt of the identifiers, unique on the page.
        description: a text alternative of the figure.
        axis: label of the axis of scores.
        level: label of the axis of levels.
        limits: of the axis of scores, the same in all small figures.
        chance: of the score, a dashed line; nan = not known.
    """
    with figure(2.1) as drawn:
        axes = drawn.add_subplot()
        axes.axhline(chance, color=MUTED, linewidth=0.8, linestyle=DASHED, zorder=1)
        places = np.arange(len(ticks), dtype=float)
        for model in models:
            colour = colour_of(model.series)
            if len(models) <= FEW:
                axes.fill_between(places, model.low, model.high, color=colour, alpha=0.16, linewidth=0, zorder=2)
            axes.plot(
                places,
                model.score,
                color=colour,
                marker=marker_of(model.series),
                markersize=4.5,
                linewidth=1.3,
                zorder=3,
            )
        axes.set_xticks(places, ticks)
        axes.set_xlim(-0.3, len(ticks) - 0.7)
        axes.set_ylim(*limits)
        axes.set_xlabel(level)
        axes.set_ylabel(axis)
        plain(axes, "y")
    return svg(drawn, name, description)


def legend(models: Sequence[tuple[str, int]], *, name: str) -> str:
    """The names of models with their colours and markers, and the line of chance."""
    columns = 1 if max(len(label) for label, _ in models) > WIDE else 2
    rows = math.ceil((len(models) + 1) / columns)
    with figure(0.12 + 0.18 * rows) as drawn:
        handles = [
            Line2D([], [], color=colour_of(number), marker=marker_of(number), markersize=4.5, label=entry(label))
            for label, number in models
        ]
        handles.append(Line2D([], [], color=MUTED, linewidth=0.8, linestyle=DASHED, label="chance"))
        drawn.legend(handles=handles, loc="outside upper left", ncols=columns, columnspacing=0.9, borderpad=0)
    return svg(drawn, name, f"Legend: {', '.join(label for label, _ in models)}; dashed: chance")


def sureness(models: Sequence[Points], *, name: str, description: str) -> str:
    """Confidence against accuracy, a mark for each condition; on the diagonal a model is as sure as it is right."""
    with figure(2.8) as drawn:
        axes = drawn.add_subplot()
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=0.8, linestyle=DASHED, zorder=1)
        for model in models:
            colour = colour_of(model.series)
            marker = marker_of(model.series)
            axes.plot(model.accuracy, model.confidence, marker, color=colour, markersize=4, alpha=0.55, zorder=2)
            axes.plot(
                model.accuracy[:1], model.confidence[:1], marker, color=colour, markersize=8, fillstyle="none", zorder=3
            )
        limits = _tens([each for model in models for each in (model.accuracy, model.confidence)])
        axes.set_xlim(*limits)
        axes.set_ylim(*limits)
        axes.set_aspect("equal")
        for one in (axes.xaxis, axes.yaxis):
            one.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
        axes.set_xlabel("accuracy, %")
        axes.set_ylabel("confidence, %")
        plain(axes, "both")
    return svg(drawn, name, description)


def _tens(values: Sequence[Array]) -> tuple[float, float]:
    """Whole tens around all values, from 0 to 100."""
    every = np.concatenate(values)
    known = every[np.isfinite(every)]
    if not len(known):
        return 0.0, 100.0
    return max(0.0, 10 * math.floor(known.min() / 10)), min(100.0, 10 * math.ceil((known.max() + 1) / 10))
