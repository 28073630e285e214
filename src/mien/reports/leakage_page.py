"""`leakage.html`: what a table of leakage says, on a page of its own that begins with the answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.leakage.floors import projected
from mien.common.leakage_tables import CEILING, FLOOR, MEASURED, STRONGEST, factor_name
from mien.reports import leakage_text
from mien.reports.figures import heatmap
from mien.reports.figures.squares import Square, squares
from mien.reports.html import environment
from mien.reports.sections import leaks
from mien.reports.words import decimal, percent, span


def write(
    write: Callable[[str, str], None],
    table: pd.DataFrame,
    *,
    title: str,
    facts: Mapping[str, str],
    notes: Sequence[str],
    marks: Sequence[str] = (),
    cautions: Sequence[str] = (),
) -> None:
    """Write `leakage.svg`, the heat map of classes, and `leakage.html`; no map of numbers alone.

    Args:
        write: writes a text under a name.
        table: rows of `leakage.csv` or `leakage_summary.csv`, all roles and measures.
        title: of the page.
        facts: what was measured, name -> text: embeddings, clips, speakers.
        notes: sentences on how it was measured.
        marks: sentences on leaks that were accepted.
        cautions: sentences that stand with the answer.
    """
    uar = table[table["measure"] == "uar"]
    strongest, floors = leakage_text.strongest(uar), uar[uar["role"] == FLOOR]
    found = squares(strongest, floors)
    described = "; ".join(f"{one.row}, {one.column}: UAR {one.score:.3f}, chance {one.chance:.3f}" for one in found)
    element = heatmap.heatmap(found, name="leakage", description=described) if found else ""
    if element:
        write("leakage.svg", heatmap.picture(element))
    ccc = table[table["measure"] == "ccc"]
    numbers, without = leakage_text.strongest(ccc), ccc[ccc["role"] == FLOOR]
    made = environment()
    made.filters |= {"percent": percent, "decimal": decimal, "p": leaks.p_text, "fine": leaks.fine}
    made.globals |= {"span": span}
    page = made.get_template("leakage.html.jinja").render(
        title=title,
        marks=marks,
        answer=[*leakage_text.answers(table), *cautions],
        facts=facts,
        svg=element,
        width=leaks.pixels(element) if element else 0,
        probes=[probe for probe in leaks.PROBES if (uar["probe"] == probe).any()],
        rows=_by_probe(uar[uar["role"] == MEASURED], strongest, found),
        number_probes=[probe for probe in leaks.PROBES if (ccc["probe"] == probe).any()],
        numbers=_by_probe(ccc[ccc["role"] == MEASURED], numbers, squares(numbers, without)),
        beside=_shown(_with_untrained(uar[uar["role"].isin([FLOOR, CEILING]) & (uar["probe"] == STRONGEST)])),
        over_folds="folds" in table,
        verification=_by_measure(table, ("eer", "linkability")),
        dependence=_by_measure(table, ("hsic", "cka")),
        words=leakage_text.words_of(table),
        notes=notes,
    )
    write("leakage.html", page)


def _by_probe(table: pd.DataFrame, strongest: pd.DataFrame, found: Sequence[Square]) -> list[dict[str, Any]]:
    """One row an embedding, factor and side: that of the strongest probe, with `floor`, and `by` = probe -> score."""
    place = ["model", "embedding", "eraser", "factor", "balanced", "speakers"]
    filled = table.assign(speakers=table["speakers"].fillna(""))
    scores = {key: dict(zip(part["probe"], part["score"], strict=True)) for key, part in filled.groupby(place)}
    rows = _shown(strongest)
    for row, square in zip(rows, found, strict=True):
        row["floor"], row["by"] = square.floor, scores[tuple(row[name] for name in place)]
    return rows


def _with_untrained(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the role `untrained` of a random projection, which is no floor."""
    return table.assign(role=table["role"].mask(projected(table), "untrained"))


def _shown(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with `name` of the embedding and `of`, the factor as people read it; a missing p is nan."""
    p = table["p_corrected"].fillna(table["p"]) if "p_corrected" in table else table["p"]
    filled = table.assign(speakers=table["speakers"].fillna(""), p=p.astype(float))
    return [
        {str(key): value for key, value in row.items()}
        | {"name": leakage_text.name_of(row), "of": factor_name(row["factor"], row["balanced"])}
        for row in filled.to_dict("records")
    ]


def _by_measure(table: pd.DataFrame, measures: Sequence[str]) -> list[dict[str, Any]]:
    """One row an embedding, factor and side: `by` = measure -> its row."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in _shown(table[(table["role"] == MEASURED) & table["measure"].isin(measures)]):
        own = found.setdefault((row["name"], row["of"], row["speakers"]), row | {"by": {}})
        own["by"][row["measure"]] = {key: np.nan if value is None else value for key, value in row.items()}
    return list(found.values())
