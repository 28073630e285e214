"""The heat map of leakage, embeddings by factors: as a figure, and as an SVG file."""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mien.audit.leakage.floors import projected
from mien.common.leakage_tables import STRONGEST, after_eraser, factor_name
from mien.reports.figures.canvas import FILL, INK, MUTED, RULE, STYLE, svg
from mien.reports.html import environment

COLUMN, ROW, LETTER = 1.15, 0.56, 0.075  # inches
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


class Square(NamedTuple):
    """One score of the map; fractions in [0, 1], nan where not known.

    Attributes:
        row: the embedding.
        column: the factor that the probe predicts.
        score: UAR of the strongest probe.
        low: lower end of its interval.
        high: upper end.
        chance: of this factor.
        floor: the best score without the embedding, such as from the label of another factor; at least chance.
    """

    row: str
    column: str
    score: float
    low: float
    high: float
    chance: float
    floor: float


def squares(strongest: pd.DataFrame, floors: pd.DataFrame) -> list[Square]:
    """The squares of a map.

    Args:
        strongest: one row a model, embedding, `eraser`, factor, `balanced` and `speakers`, with `score, low,
            high, chance`.
        floors: rows of role floor, with `factor, balanced, speakers, embedding, probe, score`: of the strongest probes,
            the best floor counts; a random projection is none.
    """
    floors = floors[(floors["probe"] == STRONGEST) & ~projected(floors)]
    models, names = strongest["model"].nunique(), len(strongest[["embedding", "eraser"]].drop_duplicates())
    sides = strongest.groupby(["factor", "balanced"])["speakers"].nunique()
    found = []
    for row in strongest.to_dict("records"):
        key = (row["factor"], row["balanced"])
        own = floors[(floors["factor"] == key[0]) & (floors["balanced"] == key[1])]
        own = own[own["speakers"].fillna("") == (row["speakers"] if isinstance(row["speakers"], str) else "")]
        parts = [row["model"]] * (models > 1 or names == 1) + [row["embedding"]] * (names > 1)
        side = f", {row['speakers']}" if sides.get(key, 0) > 1 else ""
        score, low, high, chance = (float(row[key]) for key in ("score", "low", "high", "chance"))
        best = max([chance, *own["score"].dropna().tolist()])
        name = after_eraser(" ".join(map(str, parts)), row["eraser"])
        found.append(Square(name, f"{factor_name(*key)}{side}", score, low, high, chance, best))
    return found


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
