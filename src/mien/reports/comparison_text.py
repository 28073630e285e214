"""A comparison as text for a terminal of 80 columns, and as tables for LaTeX."""

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.comparison import Comparison
from mien.audit.comparison.learning_curves import Curves
from mien.reports import learning_curves, words
from mien.reports.comparison import answer, caption, measure, rule, scale_of
from mien.reports.words import percent, probability

WIDTH = 80
SHORT = {"f1": "F1", "cross_entropy": "nats"}  # heads of narrow columns
NAME = 30  # letters; a longer name has a line of its own
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def text(found: Comparison, curves: Curves | None = None) -> str:
    """Systems, their learning curves if they have some, and differences in UAR and leakage, within 80 columns."""
    together = found.together
    lines = [*together.marks, *answer(found), ""]
    wrapped = [part for line in lines for part in (textwrap.wrap(line, WIDTH) or [""])]
    first, *others = found.measures
    heads = "".join(f"{SHORT.get(name, words.scale(name).title):>6}" for name in others)
    wrapped.append(f"   {'system':<{NAME}}{words.scale(first).title:>7}{'95 %':>14}{heads}{'leak':>7}{'paper':>7}")
    for number, row in enumerate(found.systems.to_dict("records"), 1):
        wrapped += _system(number, row, found.measures)
    legend = f"* separably better than {found.baseline or 'every other'}, o on the frontier of accuracy and leakage"
    wrapped += ["", *textwrap.wrap(legend, WIDTH)]
    if curves is not None:
        wrapped += ["", *learning_curves.text(curves)]
    order = {system.name: number for number, system in enumerate(together.systems, 1)}
    for name in dict.fromkeys(found.pairs["measure"]):
        if name == first or name.startswith("leakage"):
            wrapped += ["", *_differences(found.pairs[found.pairs["measure"] == name], order, name)]
    wrapped += ["", *textwrap.wrap(rule(found), WIDTH)]
    for note in found.notes:
        wrapped += textwrap.wrap(f"- {note}", WIDTH, subsequent_indent="  ")
    return "\n".join(wrapped)


def _system(number: int, row: dict[Any, Any], measures: Sequence[str]) -> Iterator[str]:
    name = str(row["system"])
    head = f"{number:>2} "
    if len(name) >= NAME:
        yield from textwrap.wrap(head + name, WIDTH, subsequent_indent="   ")
        name, head = "", "   "
    first, *others = measures
    scale, best = words.scale(first), "*" if row[f"{first}_best"] else " "
    ring = "o" if row["optimal"] is True else " "
    leak = percent(row["leakage"]) + ring
    limits = scale.span(row[f"{first}_low"], row[f"{first}_high"])
    line = f"{head}{name:<{NAME}}{scale.value(row[first]):>6}{best}{limits:>14}"
    line += "".join(f"{words.scale(name).value(row[name]):>6}" for name in others)
    yield f"{line}{leak:>7}{percent(row['paper_uar']):>7}".rstrip()


def _differences(pairs: pd.DataFrame, order: dict[str, int], name: str) -> Iterator[str]:
    scale = scale_of(name)
    yield f"{measure(name) + scale.points:<20}{'difference':>11}{'95 %':>18}{'p':>9}  verdict"
    for row in pairs.to_dict("records"):
        pair = f"{order[row['model']]:>2} - {order[row['other']]}"
        verdict = "separable" if row["separable"] else "not separable"
        limits = scale.span(row["low"], row["high"])
        figures = f"{scale.signed(row['difference']):>11}{limits:>18}{probability(row['p_wilcoxon_holm']):>9}"
        yield f"{pair:<20}{figures}  {verdict}"


def latex(found: Comparison) -> str:
    """Two LaTeX tables, of systems and of differences. They need no package. Separable values are bold."""
    systems, measures = [], found.measures
    for row in found.systems.to_dict("records"):
        scores = [_bold(_number(words.scale(name).value(row[name])), bool(row[f"{name}_best"])) for name in measures]
        limits = _limits(words.scale(measures[0]), row[f"{measures[0]}_low"], row[f"{measures[0]}_high"])
        leak = _number(percent(row["leakage"])) + (r"$^{\circ}$" if row["optimal"] is True else "")
        papers = [_number(percent(row[f"paper_{name}"])) for name in ("uar", "wa")]
        systems.append([escape(str(row["system"])), scores[0], limits, *scores[1:], leak, *papers])
    titles = [SHORT.get(name, words.scale(name).title) for name in measures]
    heads = ["System", titles[0], r"95\,\%", *titles[1:], "Leakage", "UAR, paper", "WA, paper"]
    pairs = []
    for row in found.pairs[found.pairs["measure"] != "predictions"].to_dict("records"):
        scale = scale_of(row["measure"])
        difference = _bold(_number(scale.signed(row["difference"])), bool(row["separable"]))
        p = probability(row["p_wilcoxon_holm"])
        names = [escape(str(row["model"])), escape(str(row["other"])), escape(measure(row["measure"]))]
        pairs.append([*names, difference, _limits(scale, row["low"], row["high"]), f"${p}$" if p[0] in ".<1" else "--"])
    marks = " ".join(found.together.marks)
    return "\n".join(
        [
            "% Written by mien compare.",
            *_table("l" + "r" * (len(heads) - 1), heads, systems, f"{marks} In percent. {caption(found)}".strip()),
            *_table(
                "lllrrr",
                ["First", "Second", "Measure", "Difference", r"95\,\%", "$p$"],
                pairs,
                f"{marks} In points. {rule(found)}".strip(),
            ),
            "",
        ]
    )


def escape(name: str) -> str:
    """Text with the special characters of LaTeX escaped."""
    special = re.sub(r"[\\~^]|[&%$#_{}]", lambda found: SPECIAL.get(found[0], f"\\{found[0]}"), name)
    special = re.sub(r"[\[*]", r"{\g<0>}", " ".join(special.split()))  # which `\\` before them would take for its own
    return special.replace("<", "$<$").replace(">", "$>$").replace("\N{EN DASH}", "--").replace("\N{MINUS SIGN}", "$-$")


def _table(columns: str, heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> list[str]:
    return [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\hline",
        " & ".join(heads) + r" \\",
        r"\hline",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\hline",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _number(text: str) -> str:
    return text.replace("\N{MINUS SIGN}", "$-$").replace("\N{EN DASH}", "--")


def _limits(scale: words.Scale, low: float, high: float) -> str:
    return "--" if math.isnan(low) else f"{_number(scale.value(low))} to {_number(scale.value(high))}"


def _bold(text: str, strong: bool) -> str:
    return rf"\textbf{{{text}}}" if strong else text
