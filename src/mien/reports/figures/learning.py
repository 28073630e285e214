"""Learning curves as a figure: the score upwards, the share of the labels to the right, a line for each model."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.reports.figures.canvas import MUTED, colour_of, entry, figure, marker_of, plain, svg
from mien.reports.figures.plane import WIDE

DASHED = (0, (4, 3))
APART = 0.55  # share of the space between two ticks over which the marks of models are spread
Array = NDArray[np.float64]


class Series(NamedTuple):
    """The curve of one model: places on the axis, scores and ends of their intervals, (n,) each; nan = not known."""

    label: str
    place: Array
    score: Array
    low: Array
    high: Array


def curves(
    models: Sequence[Series], ticks: Sequence[str], *, name: str, description: str, axis: str, chance: float
) -> str:
    """Scores with intervals at equally spaced shares; models stand beside each other there, in their order.

    Args:
        models: at least one.
        ticks: the labels of the places 0, 1, ...
        name: salt of the identifiers, unique on the page.
        description: a text alternative of the figure.
        axis: label of the axis of scores.
        chance: of the score, a dashed line; nan = not known.
    """
    columns = 1 if max(len(model.label) for model in models) > WIDE else 2
    with figure(2.9 + 0.18 * math.ceil((len(models) + 1) / columns)) as drawn:
        axes = drawn.add_subplot()
        axes.axhline(chance, color=MUTED, linewidth=0.8, linestyle=DASHED, zorder=1, label="chance")
        for number, model in enumerate(models):
            colour, shift = colour_of(number), APART * ((number + 0.5) / len(models) - 0.5)
            x = model.place + shift
            axes.vlines(x, model.low, model.high, color=colour, linewidth=1.2, alpha=0.6, zorder=2)
            axes.plot(x, model.score, color=colour, linewidth=0.9, alpha=0.7, zorder=3)
            axes.plot(x, model.score, marker_of(number), color=colour, markersize=5, zorder=4, label=entry(model.label))
        axes.set_xticks(range(len(ticks)), ticks)
        axes.set_xlim(-0.5, len(ticks) - 0.5)
        axes.set_xlabel("labels known in training")
        axes.set_ylabel(axis)
        plain(axes, "y")
        drawn.legend(loc="outside lower center", ncols=columns, handletextpad=0.3, columnspacing=0.9)
    return svg(drawn, name, description)
