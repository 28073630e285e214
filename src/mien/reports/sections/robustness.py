"""Answers with a part of the input missing, on the page of a run: curves, confidence, and which model loses least."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mien.reports import robustness_text, words
from mien.reports.figures import robustness as figures
from mien.reports.figures.canvas import number_of
from mien.reports.robustness_text import Found, level_of, words_of
from mien.reports.sections.recognition import Picture
from mien.runs.coverage import coverage
from mien.runs.run import ROBUSTNESS, Run

CLEAN = "clean"  # the tick of complete data, of a series that has no level of it
MODALITIES = {"audio": "Sound", "video": "Face", "audio+video": "Sound and face"}
AXES = {"share": "share missing", "dB": "signal-to-noise ratio", "ms": "sound late by"}


def shown(run: Run) -> list[dict[str, Any]]:
    """The values of the section, one for each grid that was examined.

    Returns:
        `name`, `lead` (on what), `warnings`; `panels` and their `legend`; `sureness`: a figure, empty for a number;
        `aware`: rows on whether confidence falls with accuracy; `graceful`: sentences, and `drops`: rows; `rows`: all
        conditions; `lacking`: sentences on what was not examined; `measures`: name -> scale.
    """
    return [_shown(run, name) for name in run.robustness]


def _shown(run: Run, name: str) -> dict[str, Any]:
    metrics = run.robustness[name]
    table = run.robustness_table(name, "conditions.csv")
    found = Found(metrics, table, run.robustness_table(name, "graceful.csv"))
    first = table[table["measure"] == metrics["measures"][0]]
    scale = words.scale(metrics["measures"][0])
    models = [(model, _number(run, model)) for model in metrics["models"]]
    covered = coverage(run, name, ROBUSTNESS)
    return {
        "name": name,
        "lead": _lead(metrics, scale),
        "warnings": covered.warnings if covered else [],
        "scale": scale,
        "interval": metrics["interval"],
        "panels": list(_panels(run, name, first, scale)),
        "legend": figures.legend(models, name=f"robustness legend {name}"),
        "banded": len(models) <= figures.FEW,
        "sureness": _sureness(run, name, first) if metrics["classes"] else "",
        "aware": list(robustness_text.aware_rows(found)),
        "graceful": robustness_text.graceful(found),
        "drops": _drops(found.drops),
        "rows": _rows(table, metrics["measures"]),
        "measures": {measure: words.scale(measure) for measure in metrics["measures"]},
        "lacking": robustness_text.not_examined(metrics),
        "seed": metrics["seed"],
    }


def _number(run: Run, model: str) -> int:
    """The number of a model's colour; variants have those after the experiment's models."""
    names = list(run.experiment.models)
    return number_of(names, model) if model in names else len(names) + list(run.experiment.trained).index(model)


def _lead(metrics: dict[str, Any], scale: words.Scale) -> str:
    sizes = next(iter(metrics["models"].values()))
    over = words.counted(sizes["speakers"], "speaker" if metrics["named"] else "clip")
    return (
        f"Scores on {metrics['clips']} ({words.counted(sizes['clips'], 'clip')} of {over}) when sound or faces are "
        "missing, in noise, among other voices, or out of step. A frame that is missing is not valid for the model; "
        f"a model that was trained so puts zeros or a learned frame in its place. The curves are of {scale.title}."
    )


def _panels(run: Run, name: str, rows: pd.DataFrame, scale: words.Scale) -> Iterator[Picture]:
    """A small figure for each series, all on one scale."""
    unit = 100 if scale.percent else 1
    ends = unit * rows[["score", "low", "high", "chance"]].to_numpy(float)
    top = float(np.nanmax(ends)) if np.isfinite(ends).any() else 1.0
    least = min(0.0, float(np.nanmin(ends))) if np.isfinite(ends).any() else 0.0
    limits = (least, top + 0.04 * (top - least))
    complete = rows[rows["pattern"] == "complete"].set_index("model")
    for (modality, pattern), part in rows[rows["pattern"] != "complete"].groupby(["modality", "pattern"], sort=False):
        levels = list(dict.fromkeys(part["level"]))
        of = str(part["unit"].iloc[0])
        clean = of == "dB"
        ticks = [CLEAN] * clean + [f"{100 * level:g}" if of == "share" else f"{level:g}" for level in levels]
        models = []
        for model, own in part.groupby("model", sort=False):
            own = own.set_index("level").loc[levels]
            both = pd.concat([complete.loc[[str(model)]], own]) if clean else own
            values = [unit * both[key].to_numpy(float) for key in ("score", "low", "high")]
            models.append(figures.Curve(str(model), _number(run, str(model)), *values))
        title = f"{MODALITIES[str(modality)]}: {words_of(str(pattern))}"
        label = f"{AXES[of]}, {'%' if of == 'share' else of}"
        whose = words.listed(one.label for one in models)
        svg = figures.curves(
            models,
            ticks,
            name=f"robustness {name} {modality} {pattern}",
            description=f"{scale.title} against {AXES[of]} ({title.lower()}) of {whose}",
            axis=f"{scale.title}{scale.unit}",
            level=label,
            limits=limits,
            chance=unit * float(part["chance"].iloc[0]),
        )
        yield Picture(title, svg)


def _sureness(run: Run, name: str, rows: pd.DataFrame) -> str:
    models = [
        figures.Points(
            str(model),
            _number(run, str(model)),
            *(100 * own[key].to_numpy(float) for key in ("accuracy", "confidence")),
        )
        for model, own in rows.groupby("model", sort=False)
    ]
    described = f"Confidence against accuracy under all conditions, of {words.listed(one.label for one in models)}"
    return figures.sureness(models, name=f"robustness sureness {name}", description=described)


def _drops(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return [row | {"what": f"{MODALITIES[row['modality']]}: {words_of(row['pattern'])}"} for row in rows]


def _rows(table: pd.DataFrame, measures: list[str]) -> list[dict[str, Any]]:
    """A row for each model and condition, with `scores`: measure -> its row of the table."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in table.to_dict("records"):
        key = (row["model"], row["modality"], row["pattern"], row["level"])
        plain = {str(name): value for name, value in row.items()}
        what = MODALITIES.get(row["modality"], "Nothing missing")
        how = words_of(row["pattern"]) if row["modality"] else ""
        level = level_of(row["level"], row["unit"]) if row["modality"] else ""
        kept = found.setdefault(key, plain | {"what": what, "how": how, "at": level, "scores": {}})
        kept["scores"][row["measure"]] = plain
    return list(found.values())
