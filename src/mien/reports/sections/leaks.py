"""Leakage on the page: `leakage_summary.csv`, ordered for tables and figures."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.leakage.floors import projected
from mien.audit.run_leakage.summary import SUMMARY
from mien.common.leakage_tables import (
    CEILING,
    FLOOR,
    MEASURED,
    SEEN,
    SIDES,
    STRONGEST,
    TARGET,
    after_eraser,
    factor_name,
)
from mien.reports.figures import heatmap
from mien.reports.figures.squares import squares
from mien.runs.run import Run

PROBES = ("nearest_mean", "linear", "mlp", "neighbours")
ON_PAGE = ("uar", "ccc", "eer", "linkability", "hsic", "cka")  # measures
PIXELS = 432 / 259.2  # of the page for each point of a figure, as for its other figures
SHOWN = ("factor", "balanced", "role", "measure", *SUMMARY, "name", "strongest", "erased")


def summed(run: Run) -> pd.DataFrame:
    """All leakage of the embeddings of the experiment's models, with floors and ceilings, over folds and seeds.

    Returns:
        The rows of `leakage_summary.csv` (`SHOWN`), p corrected over factors, with the `name` of the model and, if it
        has several, of the embedding; `strongest`, whether the row is of the strongest probe; `erased`, whether an
        eraser was applied. No row if nothing was measured.
    """
    rows = run.leakage_summary
    if rows is None:
        return pd.DataFrame(columns=list(SHOWN))
    wanted = rows["model"].isin(run.experiment.models) | rows["role"].isin([FLOOR, CEILING])
    found = rows[wanted & rows["measure"].isin(ON_PAGE)].reset_index(drop=True)
    if found.empty:
        return pd.DataFrame(columns=list(SHOWN))
    own = found["role"].isin([MEASURED, TARGET])
    erased = found["eraser"] != ""
    several = len(set(found.loc[own & ~erased, "embedding"])) > 1
    names = [
        after_eraser(f"{row['model']}, {row['embedding']}" if several else row["model"], row["eraser"])
        for row in found.to_dict("records")
    ]
    return found.assign(p=found["p_corrected"], name=names, strongest=found["probe"] == STRONGEST, erased=erased)


def of(
    found: pd.DataFrame,
    *,
    factor: str = "speaker",
    balanced: str = "",
    measure: str = "uar",
    role: str = MEASURED,
) -> pd.DataFrame:
    """The rows of `summed` of one factor, balanced or not, one measure, and one role."""
    kept = (
        (found["factor"] == factor)
        & (found["balanced"] == balanced)
        & (found["measure"] == measure)
        & (found["role"] == role)
    )
    return found[kept].reset_index(drop=True)


def speaker(run: Run) -> pd.DataFrame:
    """Speaker leakage over the folds and seeds of a run; no row if it was not measured."""
    return of(summed(run))


def by_probe(found: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a name and `speakers`: `name, speakers, erased, strongest`, and `by` = probe -> its row of `of`."""
    rows = []
    for (name, speakers), part in found.groupby(["name", "speakers"], sort=False):
        by = {row["probe"]: row for row in part.to_dict("records")}
        if STRONGEST not in by:
            continue
        row = {"name": name, "speakers": speakers, "erased": by[STRONGEST]["erased"], "strongest": by[STRONGEST]}
        rows.append(row | {"by": by})
    return sorted(rows, key=lambda row: (row["speakers"] not in SIDES, row["speakers"] != SEEN, row["erased"]))


def baselines(
    summary: pd.DataFrame, *, factor: str = "speaker", balanced: str = "", measure: str = "uar"
) -> list[dict[str, Any]]:
    """The floors and ceilings of a factor: rows of `summed` by their strongest probe, with `label` and `role`.

    A random projection of the inputs is neither: its role is `untrained`.
    """
    found: list[dict[str, Any]] = []
    for role in (FLOOR, CEILING):
        part = of(summary, factor=factor, balanced=balanced, measure=measure, role=role)
        strongest = part[part["strongest"].astype(bool)]
        strongest = strongest.assign(label=strongest["embedding"])
        strongest["role"] = strongest["role"].mask(projected(strongest), "untrained")
        found += [{str(key): value for key, value in row.items()} for row in strongest.to_dict("records")]
    return found


def views(summary: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Leakage without a probe: `verification` (eer, linkability) and `dependence` (hsic, cka).

    Each is a list of rows with `name`, `speakers`, and `by` = measure -> its row of `summed`.
    """
    return {
        "verification": _by_measure(summary, ("eer", "linkability")),
        "dependence": _by_measure(summary, ("hsic", "cka")),
    }


def others(summary: pd.DataFrame, *, measure: str = "uar") -> list[dict[str, Any]]:
    """Factors other than the speaker: `factor`, its `rows` (see `by_probe`), its `floors`, and how clips were `split`.

    If models have several embeddings (see `audit.targets`), the own task of each embedding comes last, also if it is
    the speaker.

    Args:
        summary: see `summed`.
        measure: "uar" for factors with classes, "ccc" for those that are numbers.
    """
    found = []
    for role, more in ((MEASURED, ""), (TARGET, ", own task")):
        own = summary.loc[summary["role"] == role, ["factor", "balanced"]].drop_duplicates()
        for factor, balanced in own.itertuples(index=False):
            part = of(summary, factor=factor, balanced=balanced, measure=measure, role=role)
            if len(part) and (factor != "speaker" or role == TARGET):
                floors = baselines(summary, factor=factor, balanced=balanced, measure=measure)
                name = f"{factor_name(factor, balanced)}{more}"
                found.append({"factor": name, "rows": by_probe(part), "floors": floors, "split": split_of(part)})
    return found


def heat(summary: pd.DataFrame) -> dict[str, Any] | None:
    """The heat map of embeddings by factors: `svg` and its natural `width` in pixels; None for a single factor.

    If models have several embeddings, the map is of models by factor and embedding.
    """
    scored = summary[summary["strongest"].astype(bool) & (summary["measure"] == "uar")]
    strongest = scored[scored["role"] == MEASURED]
    if len(strongest[["factor", "balanced"]].drop_duplicates()) < 2:
        return None
    found = squares(strongest, scored[scored["role"] == FLOOR])
    if len(set(strongest["embedding"])) > 1:
        found = [
            square._replace(
                row=after_eraser(row["model"], row["eraser"]), column=f"{square.column}, from {row['embedding']}"
            )
            for square, row in zip(found, strongest.to_dict("records"), strict=True)
        ]
    described = "UAR of the strongest probe for each factor on each embedding, above chance"
    svg = heatmap.heatmap(found, name="heat", description=described)
    return {"svg": svg, "width": pixels(svg)}


def pixels(svg: str) -> int:
    """The width in pixels at which the letters of a figure are as large as those of the page's other figures."""
    return round(PIXELS * float(svg.split('viewBox="0 0 ')[1].split()[0]))


def split_of(found: pd.DataFrame) -> str:
    """How the clips of probes were split, in words; rows after an eraser are left out if there are others."""
    plain = found[~found["erased"].astype(bool)]
    return "; or ".join(sorted({apart(split) for split in (plain if len(plain) else found)["split"].astype(str)}))


def apart(split: str) -> str:
    """What was kept apart, without the interval of a single cell, which is not that of a run."""
    return re.sub(r"; interval over [^;]*", "", split)


def _by_measure(summary: pd.DataFrame, measures: Iterable[str]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for measure in measures:
        for row in of(summary, measure=measure).drop_duplicates(["name", "speakers"]).to_dict("records"):
            place = found.setdefault((row["name"], row["speakers"]), {"name": row["name"], "speakers": row["speakers"]})
            place.setdefault("by", {})[measure] = row
    return list(found.values())


def fine(value: float) -> str:
    """A number with four decimals."""
    return f"{round(value, 4) + 0.0:.4f}".replace("-", "\N{MINUS SIGN}")


def p_text(value: float | None) -> str:
    """A p-value for a table: three decimals, or `< .001`."""
    if value is None or np.isnan(value):
        return "\N{EN DASH}"
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
