"""Bars in groups, with intervals and lines across."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mien.reports.figures.canvas import COLOURS, INK, MUTED, SERIES, figure, plain, svg

DASHES: tuple[Any, ...] = ((0, (5, 2)), (0, (1, 2)), (0, (6, 2, 1, 2)), (0, (2, 1)), (0, (9, 3)))
FULL = 0.8  # of the room of a group


class Bar(NamedTuple):
    """One bar; percent, nan = not known.

    Attributes:
        group: its group on the axis.
        series: its series, which gives the colour.
        value: its height.
        low: lower end of its interval.
        high: upper end.
    """

    group: str
    series: str
    value: float
    low: float
    high: float


def bars(
    rows: Sequence[Bar],
    groups: Sequence[str],
    series: Sequence[str],
    lines: Mapping[str, float],
    *,
    name: str,
    description: str,
    axis: str,
    below: str,
) -> str:
    """Bars by group and series, from zero, with lines across the figure.

    Args:
        rows: at least one.
        groups: from left to right.
        series: all series, in the order of their colours; a series without a bar takes no room.
        lines: name -> height of each line, drawn in this order; only the first five are drawn.
        name: salt of the identifiers, unique on the page.
        description: a text alternative of the figure.
        axis: label of the axis of values.
        below: label of the groups.
    """
    there = [name for name in series if any(row.series == name for row in rows)]
    width = FULL / len(there)
    lines = dict(list(lines.items())[: len(DASHES)])
    entries = len(there) + len(lines)
    with figure(2.3 + 0.17 * math.ceil(entries / 2)) as drawn:
        axes = drawn.add_subplot()
        for place, one in enumerate(there):
            own = [row for row in rows if row.series == one]
            x = [groups.index(row.group) + (place - (len(there) - 1) / 2) * width for row in own]
            colour = SERIES[list(series).index(one) % COLOURS]
            axes.bar(x, [row.value for row in own], 0.9 * width, color=colour, label=one, zorder=2)
            for left, row in zip(x, own, strict=True):
                axes.plot([left, left], [row.low, row.high], color=INK, linewidth=0.9, zorder=3)
        for (label, value), dash in zip(lines.items(), DASHES[: len(lines)], strict=True):
            colour = MUTED if dash != DASHES[0] else INK
            axes.axhline(value, color=colour, linewidth=1.1, linestyle=dash, label=label, zorder=4)
        axes.set_xticks(range(len(groups)), list(groups))
        axes.set_xlim(-0.5, len(groups) - 0.5)
        known = [value for row in rows for value in (row.value, row.high) if math.isfinite(value)]
        axes.set_ylim(0, min(100.0, 10 * math.ceil(max([*known, *lines.values()]) / 10 + 0.1)))
        axes.set_ylabel(axis)
        axes.set_xlabel(below)
        plain(axes, "y")
        drawn.legend(loc="outside lower center", ncols=2, handletextpad=0.5, columnspacing=0.9, handlelength=1.6)
    return svg(drawn, name, description)
