"""How often classes occur, on a logarithmic axis: Fig. 4 of Albanie et al. 2018."""

from collections.abc import Mapping

from matplotlib.ticker import FuncFormatter, NullLocator

from mien.reports.figures.canvas import FILL, INK, figure, plain, svg

BELOW = 0.7  # where the axis begins: a count of 1 is seen, and 0 has no bar


def frequencies(counts: Mapping[str, int], *, name: str, description: str, axis: str) -> str:
    """A bar a class from left to right, with its count above it.

    Args:
        counts: class -> how often; one at least is more than 0.
        name: salt of the identifiers, unique on the page.
        description: a text alternative of the figure.
        axis: label of the axis.
    """
    most = max(counts.values())
    with figure(2.6) as drawn:
        axes = drawn.add_subplot()
        places = range(len(counts))
        axes.bar(places, [max(count, BELOW) for count in counts.values()], 0.72, bottom=0, color=FILL, zorder=2)
        axes.set_yscale("log")
        axes.set_ylim(BELOW, 3 * most)
        for place, count in zip(places, counts.values(), strict=True):
            axes.text(place, max(count, BELOW) * 1.15, f"{count:,}", ha="center", va="bottom", fontsize=7, color=INK)
        axes.set_xticks(places, list(counts), rotation=35, ha="right", rotation_mode="anchor")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(axis)
        plain(axes, "y")
    return svg(drawn, name, description)
