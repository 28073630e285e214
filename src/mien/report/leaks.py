"""What is left of a person, for the page: `leakage.csv` over folds and seeds, ordered for tables and figures.

Runs that were measured before there was a row `strongest` have it here from the best of the probes at hand, and the
page says so.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.leakage import COLUMNS
from mien.audit.summary import SUMMARY, leakage_summary
from mien.report import heatmap
from mien.run import Run

STRONGEST = "strongest"
PROBES = ("nearest_mean", "linear", "mlp", "neighbours")
SIDES = ("heard", "unheard")
PIXELS = 432 / 259.2  # of the page for each point of a figure, as its other figures have them
UNTRAINED = "random projection"
ERASED = "+"  # between the name of an embedding and that of the eraser
SHOWN = (*SUMMARY, "name", "strongest", "erased", "best_of")


def table(run: Run) -> pd.DataFrame:
    """`leakage.csv` of the models of the experiment and of the baselines, with p corrected where that is known."""
    measured = run.leakage
    if measured is None:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = measured.reindex(columns=list(dict.fromkeys([*COLUMNS, *measured.columns])))
    told = rows["model"].isin(run.experiment.models) | rows["role"].isin(["floor", "ceiling"])
    corrected = rows["p_corrected"].fillna(rows["p"]).astype(float)
    # what depends on the fold alone has no seed; a summary asks for one
    return rows[told].assign(p=corrected, seed=rows["seed"].fillna(0), speakers=rows["speakers"].fillna(""))


def summed(
    rows: pd.DataFrame, run: Run, *, factor: str = "speaker", measure: str = "uar", role: str = "measured"
) -> pd.DataFrame:
    """The rows of `leakage_summary`, with a row `strongest` for each model, embedding and side.

    Args:
        rows: of `table`.
        run: the run.
        factor: what is read.
        measure: by which measure.
        role: measured, floor or ceiling.

    Returns:
        `SHOWN`: besides the summary, the `name` of model and, where there are several, embedding; `strongest`, whether
        the row is *the* leakage; `erased`, whether an eraser was applied; `best_of`: the probes that a `strongest` row
        was taken from here, empty where it was chosen on validation clips.
    """
    found = leakage_summary(rows, run.units, factor=factor, measure=measure, role=role)
    if found.empty:
        return pd.DataFrame(columns=list(SHOWN))
    known = rows[rows["p"].notna()].groupby(["model", "embedding", "speakers", "probe"], sort=False).size()
    keys = pd.MultiIndex.from_frame(found[["model", "embedding", "speakers", "probe"]])
    found["p"] = found["p"].where(keys.isin(known.index))
    found["best_of"] = ""
    added = []
    for _, part in found.groupby(["model", "embedding", "speakers"], sort=False):
        if STRONGEST not in set(part["probe"]):
            best = part.iloc[int(part["score"].to_numpy(float).argmax())].to_dict()
            added.append(best | {"probe": STRONGEST, "best_of": ", ".join(sorted(set(part["probe"])))})
    found = pd.concat([found, pd.DataFrame(added, columns=found.columns)] if added else [found], ignore_index=True)
    plain = {name for name in found["embedding"] if ERASED not in name}
    names = [_name(row["model"], row["embedding"], len(plain) > 1) for row in found.to_dict("records")]
    erased = [ERASED in name for name in found["embedding"]]
    return found.assign(name=names, strongest=found["probe"] == STRONGEST, erased=erased)


def speaker(run: Run) -> pd.DataFrame:
    """What probes read of the speaker, over the folds and seeds of a run; no row where that was not measured."""
    return summed(table(run), run)


def read(found: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a name and side: `name, speakers, erased`, `strongest`, and `by` = probe -> its row of `summed`."""
    rows = []
    for (name, speakers), part in found.groupby(["name", "speakers"], sort=False):
        by = {row["probe"]: row for row in part.to_dict("records")}
        told = {"name": name, "speakers": speakers, "erased": by[STRONGEST]["erased"], "strongest": by[STRONGEST]}
        rows.append(told | {"by": by})
    return sorted(rows, key=lambda row: (row["speakers"] not in SIDES, row["speakers"] != "heard", row["erased"]))


def baselines(rows: pd.DataFrame, run: Run, *, factor: str = "speaker") -> list[dict[str, Any]]:
    """The floors and ceilings of a factor: rows of `summed` by their strongest probe, with `label` and `role`.

    A random projection of the inputs is neither: its role is `untrained`.
    """
    found: list[dict[str, Any]] = []
    for role in ("floor", "ceiling"):
        part = summed(rows, run, factor=factor, role=role)
        strongest = part[part["strongest"].astype(bool)].to_dict("records")
        for row in strongest:
            kind = "untrained" if row["embedding"] == UNTRAINED else role
            told = {"role": kind, "label": str(row["embedding"])}
            found.append({str(key): value for key, value in row.items()} | told)
    return found


def views(rows: pd.DataFrame, run: Run) -> dict[str, list[dict[str, Any]]]:
    """What needs no probe: `verification` (eer, linkability) and `dependence` (hsic, cka).

    Each is a list of rows with `name`, `speakers`, and `by` = measure -> its row of `summed`.
    """
    return {
        "verification": _by_measure(rows, run, ("eer", "linkability")),
        "dependence": _by_measure(rows, run, ("hsic", "cka")),
    }


def others(rows: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    """Factors other than the speaker: `factor`, and its `rows`: as `read` has them, with `floors` beside."""
    found = []
    measured = rows[rows["role"] == "measured"]
    for factor in dict.fromkeys(measured["factor"]):
        if factor != "speaker" and len(part := summed(rows, run, factor=factor)):
            floors = baselines(rows, run, factor=factor)
            found.append({"factor": factor, "rows": read(part), "floors": floors, "told": split_of(part)})
    return found


def heat(rows: pd.DataFrame, run: Run) -> dict[str, Any] | None:
    """The map of embedding by factor: `svg`, and its natural `width` in pixels; None of a single factor."""
    measured = rows[(rows["role"] == "measured") & (rows["measure"] == "uar")]
    factors = list(dict.fromkeys(measured["factor"]))
    if len(factors) < 2:
        return None
    strongest, floors = [], []
    for factor in factors:
        part = summed(rows, run, factor=factor)
        strongest.append(part[part["strongest"].astype(bool)].assign(factor=factor))
        floors.append(summed(rows, run, factor=factor, role="floor").assign(factor=factor))
    found = heatmap.squares(pd.concat(strongest, ignore_index=True), pd.concat(floors, ignore_index=True))
    told = "What the strongest probe reads of each factor from each embedding, above chance"
    svg = heatmap.heatmap(found, name="heat", description=told)
    points = float(svg.split('viewBox="0 0 ')[1].split()[0])
    return {"svg": svg, "width": round(points * PIXELS)}


def split_of(found: pd.DataFrame) -> str:
    """How the clips of probes were divided, in words; of embeddings as they are, where an eraser was applied too."""
    plain = found[~found["erased"].astype(bool)]
    return "; or ".join(sorted(set((plain if len(plain) else found)["split"].astype(str))))


def fallback(found: pd.DataFrame) -> str:
    """The probes that `strongest` was taken from for want of a choice on validation clips; empty otherwise."""
    taken = sorted({probes for probes in found["best_of"] if probes}) if len(found) else []
    return "; ".join(taken)


def _by_measure(rows: pd.DataFrame, run: Run, measures: Iterable[str]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for measure in measures:
        for row in summed(rows, run, measure=measure).drop_duplicates(["name", "speakers"]).to_dict("records"):
            place = found.setdefault((row["name"], row["speakers"]), {"name": row["name"], "speakers": row["speakers"]})
            place.setdefault("by", {})[measure] = row
    return list(found.values())


def _name(model: str, embedding: str, several: bool) -> str:
    base, _, eraser = embedding.partition(ERASED)
    return (f"{model}, {base}" if several else model) + (f" + {eraser.upper()}" if eraser else "")


def fine(value: float) -> str:
    """A number with four decimals."""
    return f"{round(value, 4) + 0.0:.4f}".replace("-", "\N{MINUS SIGN}")


def p_text(value: float | None) -> str:
    """A p value as a table has it."""
    if value is None or np.isnan(value):
        return "\N{EN DASH}"
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
