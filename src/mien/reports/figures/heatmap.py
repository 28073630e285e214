"""The heat map of leakage, embeddings by factors: as a figure, and as an SVG file."""

import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mien.reports.figures.canvas import FILL, INK, MUTED, RULE, STYLE, svg
from mien.reports.figures.squares import Square
from mien.reports.html import environment

COLUMN, ROW, LETTER = 1.15, 0.56, 0.075  # inches
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def heatmap(found: Sequence[Square], *, name: str, description: str) -> str:
    """Each score above chance in points, with its interval and the floor above chance, as an SVG element.

    The fuller a square, the nearer the score is to 1, counted from chance.
    """
    rows, columns = (list(dict.fromkeys(getattr(square, key) for square in found)) for key in ("row", "column"))
    width = max(3.6, 0.25 + LETTER * max(map(len, rows)) + COLUMN * len(columns))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, 0.65 + ROW * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        for square in found:
            x, y = columns.index(square.column), rows.index(square.row)
            share = (
                min(1.0, max(0.0, (square.score - square.chance) / (1 - square.chance))) if square.chance < 1 else 0.0
            )
            look: Any = {"linewidth": 0.6, "edgecolor": RULE}
            axes.add_patch(Rectangle((x - 0.47, y - 0.46), 0.94, 0.92, facecolor="none", **look))
            axes.add_patch(
                Rectangle((x - 0.47, y - 0.46), 0.94, 0.92, color=FILL, alpha=round(0.85 * share, 3), linewidth=0)
            )
            for text, height, style in zip(_words(square), (-0.24, 0.05, 0.29), _STYLES, strict=True):
                axes.text(x, y + height, text, ha="center", va="center", **style)
        axes.set_xticks(range(len(columns)), [column.replace(", ", ",\n") for column in columns])
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return svg(figure, name, description)


def picture(element: str) -> str:
    """A figure as an SVG file, which follows the light or dark mode of the viewer."""
    style = environment().get_template("style.html.jinja").render()
    variables = "".join(
        re.findall(r":root \{.*?\}|@media \(prefers-color-scheme: dark\) \{.*?\}\s*\}", style, flags=re.S)[:2]
    )
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', element)[0]
    letters = "svg { font-family: system-ui, sans-serif; background: var(--paper); }"
    head = element.replace("<svg ", f'<svg {NAMESPACES} width="{width}" height="{height}" ', 1)
    return head.replace(">", f"><style>{variables} {letters}</style>", 1)


_STYLES: tuple[dict[str, Any], ...] = (
    {"color": INK, "fontweight": "bold"},
    {"color": INK, "fontsize": 7.5},
    {"color": MUTED, "fontsize": 7.5},
)


def _words(square: Square) -> tuple[str, str, str]:
    points = [100 * (value - square.chance) for value in (square.score, square.low, square.high, square.floor)]
    score, low, high, floor = (f"{round(value) + 0:+d}" if math.isfinite(value) else "" for value in points)
    lines = score, f"{low} to {high}" if low and high else "no interval", f"floor {floor}"
    first, second, third = (text.replace("-", "\N{MINUS SIGN}") for text in lines)
    return first, second, third
