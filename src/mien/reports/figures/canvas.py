"""What all figures of a page share: one width, one style, colours as CSS variables, text as text.

A figure is 346 CSS pixels wide at its natural size, text 12. Colours are variables of the page (`--ink`, `--muted`,
`--rule`, `--paper`, `--fill`, `--c0` to `--c7`), so it follows light and dark. The same values give the same text.
"""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 3.6  # inches
COLOURS = 8
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, MUTED, RULE, PAPER, FILL = "#010101", "#010102", "#010103", "#010104", "#010105"
SERIES = tuple(f"#01020{number}" for number in range(COLOURS))  # stand-ins: a page's variables take their place
VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", FILL: "fill"}
VARIABLES |= {stand_in: f"c{number}" for number, stand_in in enumerate(SERIES)}
STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.linewidth": 0.6,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.parse_math": False,
}


@contextmanager
def figure(height: float) -> Iterator[Figure]:
    """A figure of the page's width and a height in inches, in its style."""
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(WIDTH, height), layout="constrained")


def plain(axes: Axes, grid: str) -> None:
    """Hide the top and right spines, and draw a grid for the axis `x`, `y` or `both`."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=RULE, linewidth=0.4)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(length=2)


def entry(name: str) -> str:
    """A name for a legend: matplotlib hides names that begin with an underscore."""
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


def svg(drawn: Figure, name: str, description: str) -> str:
    """The figure as an element for the page: variables for colours, no identifiers but those it refers to."""
    file = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser has more letters than the font measured by
        for patch in (drawn.patch, *(axes.patch for axes in drawn.axes)):
            patch.set_facecolor("none")
            patch.set_edgecolor("none")
        # `Figure.savefig` draws twice, the first time for the layout, which is made at the beginning of every drawing
        FigureCanvasSVG(drawn).print_svg(file, metadata={"Date": None})  # type: ignore[no-untyped-call]
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.S)
    text = re.sub(r'(<(?:g|text)) id="[^"]*"', r"\1", text)
    text = re.sub(r"\n *", "\n", text)
    text = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", text)
    for stand_in, variable in VARIABLES.items():
        text = text.replace(stand_in, f"var(--{variable})")
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)[0]
    head = f'<svg role="img" aria-label="{escape(description)}" viewBox="0 0 {width} {height}">'
    return head + text[text.index(">") + 1 :]


def number_of(models: Iterable[str], model: str) -> int:
    """The number of a model's colour and marker: its place in the experiment.

    If there are more models than colours, models named METHOD_SIZE (`alternating_64`) have the colour of their method
    and the marker of their size, the largest first. The others have the remaining colours.
    """
    names = list(models)
    parts = {name: re.fullmatch(r"(.+)_(\d+)", name) for name in names}
    methods = list(dict.fromkeys(part[1] for part in parts.values() if part))
    if len(names) <= COLOURS or not methods:
        return names.index(model)
    if part := parts[model]:
        sizes = sorted({int(part[2]) for part in parts.values() if part}, reverse=True)
        return _numbered(methods.index(part[1]), sizes.index(int(part[2])))
    return len(methods) + [name for name, one in parts.items() if not one].index(model)


def by_method(models: Iterable[str]) -> bool:
    """Whether models share colours and markers by their names, see `number_of`."""
    names = list(models)
    return len(names) > COLOURS and any(re.fullmatch(r".+_\d+", name) for name in names)


def _numbered(colour: int, marker: int) -> int:
    """The number of a method and a size, for `colour_of` and `marker_of`."""
    return colour % COLOURS + COLOURS * ((marker - colour) % COLOURS)


def colour_of(number: int) -> str:
    """The colour of a series."""
    return SERIES[number % COLOURS]


def marker_of(number: int) -> str:
    """The marker of a series: it changes each time that the colours repeat."""
    return MARKERS[(number + number // COLOURS) % COLOURS]
