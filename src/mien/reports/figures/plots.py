"""Figures as inline SVG: pure functions from values to text, the same text for the same values.

Series differ by colour and by marker; the eight colours can be distinguished by colour-blind readers (see `canvas`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mien.common.tables import thin
from mien.reports.figures.canvas import (
    COLOURS,
    FILL,
    INK,
    MUTED,
    RULE,
    colour_of,
    entry,
    figure,
    marker_of,
    number_of,
    plain,
    svg,
)


class Interval(NamedTuple):
    """One row of a figure of intervals; all in percent, nan = not known.

    Attributes:
        label: its label, at the left.
        value: the score.
        low: lower end of its interval.
        high: upper end.
        chance: of this row.
        shuffled: the score under shuffled labels.
        parts: single scores (of folds, of seeds) that `value` is made of.
        series: number of its colour and marker.
    """

    label: str
    value: float
    low: float
    high: float
    chance: float
    shuffled: float = math.nan
    parts: tuple[float, ...] = ()
    series: int = 0


class Curve(NamedTuple):
    """The training run of one cell: epochs (E,), loss (E,), score (E,) in percent, and the epoch that was kept."""

    epochs: NDArray[np.float64]
    loss: NDArray[np.float64]
    score: NDArray[np.float64]


def intervals(
    rows: Sequence[Interval], *, name: str, description: str, axis: str, low: float = 0.0, high: float = 100.0
) -> str:
    """Scores with intervals, one below the other, from `low` to `high`: chance is a tick, shuffled labels a ring.

    Args:
        rows: at least one, from the top.
        name: salt of the identifiers, unique on the page.
        description: a text alternative of the figure.
        axis: label of the axis.
        low: where the axis begins.
        high: where it ends.
    """
    with figure(0.55 + 0.27 * len(rows)) as drawn:
        axes = drawn.add_subplot()
        for place, row in enumerate(rows):
            colour = colour_of(row.series)
            axes.plot([row.chance] * 2, [place - 0.36, place + 0.36], color=MUTED, linewidth=1.2, zorder=1)
            axes.plot(row.parts, [place] * len(row.parts), "|", color=colour, alpha=0.35, markersize=6, zorder=2)
            axes.plot([row.low, row.high], [place] * 2, color=colour, linewidth=1.8, solid_capstyle="butt", zorder=3)
            axes.plot(row.shuffled, place, "o", color=MUTED, fillstyle="none", markersize=4, zorder=3)
            axes.plot(row.value, place, marker_of(row.series), color=colour, markersize=5.5, zorder=4)
        axes.set_yticks(range(len(rows)), [row.label for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(low, high)
        axes.set_xlabel(axis)
        plain(axes, "x")
    return svg(drawn, name, description)


def matrix(counts: NDArray[np.float64], classes: Sequence[str], *, name: str, description: str) -> str:
    """A confusion matrix (K, K) of counts, rows as percent of their sum; rows are the truth, an empty row says so."""
    sums = counts.sum(1, keepdims=True)
    share = np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)
    size = len(classes)
    with figure(0.95 + 2.6 * min(1.0, 0.35 + size / 12)) as drawn:
        axes = drawn.add_subplot()
        for row, column in np.ndindex(size, size):
            value = share[row, column]
            if value > 0:
                square = Rectangle(
                    (column - 0.5, row - 0.5), 1, 1, color=FILL, alpha=round(0.85 * value, 3), linewidth=0
                )
                axes.add_patch(square)
            if sums[row] > 0:
                quiet = row != column and value < 0.005
                weight = "bold" if row == column else "normal"
                look: Any = {"ha": "center", "va": "center", "color": MUTED if quiet else INK, "fontweight": weight}
                axes.text(column, row, "·" if quiet else f"{100 * value:.0f}", **look)
        labels = [f"{truth} ({total:.0f})" for truth, total in zip(classes, sums[:, 0], strict=True)]
        axes.set_yticks(range(size), labels)
        axes.set_xticks(range(size), list(classes), rotation=40, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.5, size - 0.5)
        axes.set_ylim(size - 0.5, -0.5)
        axes.set_xlabel("predicted")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return svg(drawn, name, description)


def curves(
    cells: Sequence[Curve],
    *,
    name: str,
    description: str,
    series: int,
    chance: float,
    label: str = "validation UAR, %",
    limits: tuple[float, float] | None = (0, 100),
) -> str:
    """Training loss above, validation score below, by epoch: a thin line a cell, a thick one for their mean.

    The mean ends where the first cell ends, since cells that stop early would otherwise leave it.
    """
    colour = colour_of(series)
    with figure(3.0) as drawn:
        panels = drawn.subplots(2, 1, sharex=True)
        for axes, key, words in zip(panels, ("loss", "score"), ("training loss", label), strict=True):
            lines = [(cell.epochs, getattr(cell, key)) for cell in cells]
            for epochs, values in lines:
                kept = thin(len(epochs))
                axes.plot(epochs[kept], values[kept], color=colour, linewidth=0.5, alpha=0.35)
            shared = min(len(epochs) for epochs, _ in lines)
            kept = thin(shared)
            mean = np.mean([values[:shared] for _, values in lines], 0)
            axes.plot(lines[0][0][:shared][kept], mean[kept], color=colour, linewidth=1.8)
            axes.set_ylabel(words)
            plain(axes, "y")
        panels[1].axhline(chance, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        if limits is not None:
            panels[1].set_ylim(*limits)
        panels[1].set_xlabel("epoch")
        panels[1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    return svg(drawn, name, description)


def scatter(
    points: NDArray[np.floating], groups: Sequence[str], order: Sequence[str], *, name: str, description: str
) -> str:
    """Points (n, 2) in the plane, coloured and marked by their group; axes have no meaning and are not drawn."""
    legend = len(order) <= 2 * COLOURS
    rows = math.ceil(len(order) / 3) if legend else 0
    with figure(2.6 + 0.19 * rows) as drawn:
        axes = drawn.add_subplot()
        names = np.asarray(groups)
        for number, group in enumerate(order):
            x, y = points[names == group].T
            shape = marker_of(number)
            axes.plot(
                x,
                y,
                shape,
                color=colour_of(number),
                markersize=4.5,
                markeredgewidth=0,
                alpha=0.85,
                label=entry(group),
            )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.margins(0.04)
        if legend:
            drawn.legend(loc="outside lower center", ncols=3, handletextpad=0.1, columnspacing=0.9)
    return svg(drawn, name, description)


def speakers(scores: Mapping[str, Mapping[str, float]], chance: float, *, name: str, description: str) -> str:
    """Scores by speaker, in percent, best speaker on top: model -> speaker -> score; a mark for each model."""
    names = sorted({speaker for table in scores.values() for speaker in table})
    means = {speaker: np.mean([table[speaker] for table in scores.values() if speaker in table]) for speaker in names}
    names.sort(key=lambda speaker: (-means[speaker], speaker))
    with figure(0.75 + 0.2 * len(names) + 0.18 * math.ceil(len(scores) / 2)) as drawn:
        axes = drawn.add_subplot()
        axes.axvline(chance, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        for place, speaker in enumerate(names):
            values = [table[speaker] for table in scores.values() if speaker in table]
            axes.plot([min(values), max(values)], [place] * 2, color=RULE, linewidth=0.8, zorder=1)
        for model, table in scores.items():
            number = number_of(scores, model)
            style: Any = {"color": colour_of(number), "marker": marker_of(number), "markersize": 5}
            axes.plot(
                list(table.values()),
                [names.index(speaker) for speaker in table],
                linestyle="",
                label=entry(model),
                **style,
            )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.set_xlabel("share of right clips (WA), %")
        plain(axes, "x")
        drawn.legend(loc="outside lower center", ncols=2, handletextpad=0.1, columnspacing=0.9)
    return svg(drawn, name, description)
