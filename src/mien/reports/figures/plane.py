"""The accuracy-leakage plane as a figure: recognition of the main target upwards, leakage to the right, in percent."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from mien.audit.comparison.tradeoff import Point
from mien.reports.figures.canvas import INK, MUTED, colour_of, entry, figure, marker_of, number_of, plain, svg

WIDE = 24  # letters of a name, above which the legend has one column
DOTTED = (0, (1, 2))
BASELINES = {"floor": "v", "ceiling": "^"}


def plane(
    points: Sequence[Point],
    *,
    name: str,
    description: str,
    factor: str = "speaker",
    target: str = "emotion",
    models: Sequence[str] = (),
) -> str:
    """Methods by their UAR of the main target and their leakage of a factor, with both intervals; top left is best.

    A method has one colour and marker; after an eraser it is hollow. Floors and ceilings are grey. Methods on the
    Pareto frontier have a ring and are joined by a dotted line. A vertical line is the chance level of leakage, if all
    points have the same.

    Args:
        points: at least one; fractions.
        name: salt of the identifiers, unique on the page.
        description: a text alternative of the figure.
        factor: the factor of the leakage.
        target: the main target.
        models: methods in the order of their colours; by default the order of the points.
    """
    columns = 1 if max(len(point.label) for point in points) > WIDE else 2
    methods = list(models) or [point.label for point in points if point.kind == "model"]
    with figure(2.6 + 0.18 * math.ceil((len(points) + 1) / columns)) as drawn:
        drawn.set_layout_engine("constrained", w_pad=0.12)  # the last number may stand half beside the axis
        axes = drawn.add_subplot()
        chances = {round(point.chance, 6) for point in points if math.isfinite(point.chance)}
        if len(chances) == 1:
            axes.axvline(100 * min(chances), color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        best = sorted((point.leak, point.score) for point in points if point.optimal)
        places = [100 * leak for leak, _ in best], [100 * score for _, score in best]
        axes.plot(*places, color=INK, linewidth=0.9, linestyle=DOTTED, zorder=2)
        for point in points:
            _draw(axes, point, _look(point, methods))
        axes.plot(
            *places, "o", color=INK, fillstyle="none", markersize=10, markeredgewidth=0.8, zorder=5, label="frontier"
        )
        axes.set_xlim(*_limits([*chances, *(value for p in points for value in (p.leak, p.leak_low, p.leak_high))]))
        axes.set_ylim(*_limits([value for p in points for value in (p.score, p.low, p.high)]))
        axes.set_xlabel(f"UAR of the strongest {factor} probe, %")
        axes.set_ylabel(f"UAR of {target}, %")
        plain(axes, "both")
        drawn.legend(loc="outside lower center", ncols=columns, handletextpad=0.1, columnspacing=0.9)
    return svg(drawn, name, description)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Where an axis begins and ends, in percent: whole tens around them; fractions, nan is left out."""
    known = [100 * value for value in values if math.isfinite(value)]
    low, high = 10 * math.floor(min(known) / 10 - 0.2), 10 * math.ceil(max(known) / 10 + 0.2)
    return max(low, -3), min(high, 103)  # room for a mark at the end


def _look(point: Point, methods: Sequence[str]) -> dict[str, Any]:
    if point.kind in BASELINES:
        return {"color": MUTED, "marker": BASELINES[point.kind], "fillstyle": "none", "markersize": 5}
    method = point.method or point.label
    number = number_of(methods, method) if method in methods else len(methods)
    style = "none" if point.kind == "erased" else "full"
    return {
        **{"color": colour_of(number), "marker": marker_of(number)},
        **{"fillstyle": style, "markersize": 5.5},
    }


def _draw(axes: Axes, point: Point, look: dict[str, Any]) -> None:
    x, y = 100 * point.leak, 100 * point.score
    line: Any = {"color": look["color"], "linewidth": 0.9, "alpha": 0.6, "zorder": 3}
    axes.plot([100 * point.leak_low, 100 * point.leak_high], [y, y], **line)
    axes.plot([x, x], [100 * point.low, 100 * point.high], **line)
    axes.plot([x], [y], linestyle="", zorder=4, label=entry(point.label), **look)
