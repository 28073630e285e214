"""The figures of the report on recognition: the values of each plot and its caption.

A model has the same colour and marker in all figures (see `canvas.number_of`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.common.measures import measure_of, of_classes
from mien.common.units import noun
from mien.reports.figures import plots
from mien.reports.figures.agreement import agreement
from mien.reports.figures.canvas import number_of
from mien.reports.sections import tasks
from mien.reports.words import counted, scale
from mien.runs.run import Run

MOST_SPEAKERS = 40


class Picture(NamedTuple):
    """A figure of the page: its title, the SVG, and its caption."""

    title: str
    svg: str
    caption: str = ""


def overview(run: Run, found: Mapping[str, Any], summary: pd.DataFrame) -> str:
    """The score of each model on the split that the run is scored on, with its interval and its seeds.

    Args:
        run: the run.
        found: its `metrics.json`.
        summary: the rows of its models by split.
    """
    split, name = found["split"], of_classes(run.classes)[0]
    title, times = measure_of(name).title, 100 if run.classes else 1
    rows, auxiliary = [], tasks.auxiliary(run)
    for row in summary[summary["split"] == split].to_dict("records"):
        seeds = [seed for seed in found["seeds"] if (seed["model"], seed["split"]) == (row["model"], split)]
        rows.append(
            plots.Interval(
                label=f"{row['model']} (auxiliary)" if row["model"] in auxiliary else row["model"],
                value=times * row[name],
                low=times * row[f"{name}_low"],
                high=times * row[f"{name}_high"],
                chance=times * row[f"{name}_chance"],
                parts=tuple(times * seed[name] for seed in seeds),
                series=number_of(run.experiment.models, row["model"]),
            )
        )
    if not rows:
        return ""
    return plots.intervals(
        rows,
        name="overview",
        description=f"{title} of each model, {split}",
        axis=f"{title} on {split} {noun(run.named)}s{scale(name).unit}",
        **({} if run.classes else {"low": min(0.0, *(row.low for row in rows if row.low == row.low)), "high": 1.0}),
    )


def confusions(run: Run, found: Mapping[str, Any], summary: pd.DataFrame) -> Iterator[Picture]:
    """The confusion matrix of each model on the split that the run is scored on, that with the highest UAR first.

    Speakers are pooled; mean over seeds.
    """
    rows = summary[summary["split"] == found["split"]].sort_values("uar", ascending=False, kind="stable")
    for model in rows["model"]:
        if counts := found["confusion"].get(model, {}).get(found["split"]):
            described = f"Confusion matrix of {model}"
            drawn = plots.matrix(np.array(counts), run.classes, name=f"confusion {model}", description=described)
            yield Picture(model, drawn)


def agreements(run: Run, summary: pd.DataFrame) -> Iterator[Picture]:
    """Predicted against true numbers of each model's test clips, that with the highest CCC first.

    A clip is one point: its mean prediction over seeds, and over folds if several test it.
    """
    rows = summary[summary["split"] == "test"].sort_values("ccc", ascending=False, kind="stable")
    table = run.predictions
    table = table[(table["split"] == "test") & table["truth"].notna()]
    for model in rows["model"]:
        clips = table[table["model"] == model].groupby("clip")[["truth", "predicted"]].mean().to_numpy(float)
        described = f"Predicted against true {run.target} of the test clips, {model}"
        number = number_of(run.experiment.models, model)
        names: dict[str, Any] = {"target": run.target, "name": f"agreement {model}", "description": described}
        yield Picture(model, agreement(*clips.T, **names, series=number), f"{counted(len(clips), 'test clip')}.")


def speakers(run: Run, split: str, summary: pd.DataFrame) -> Picture | None:
    """Scores by speaker on the split that the run is scored on; None without scores, or for a target of numbers."""
    table = run.speakers
    if not run.classes or table is None or not run.named:
        return None
    table = table[(table["split"] == split) & table["model"].isin(run.experiment.models)]
    if table.empty:
        return None
    order = table.groupby("speaker")["wa"].mean().sort_values(kind="stable").index
    shown = table[table["speaker"].isin(order[:MOST_SPEAKERS])]
    by_model = {
        str(model): dict(zip(part["speaker"], 100 * part["wa"], strict=True))
        for model, part in shown.groupby("model", sort=False)
    }
    chance = 100 * float(summary["wa_chance"][summary["split"] == split].mean())
    svg = plots.speakers(by_model, chance, name="speakers", description=f"Accuracy by {split} speaker and model")
    more = (
        f" Shown: the {MOST_SPEAKERS} of {len(order)} speakers with the lowest scores."
        if len(order) > MOST_SPEAKERS
        else ""
    )
    return Picture("", svg, more)


def curves(run: Run, summary: pd.DataFrame) -> Iterator[Picture]:
    """Training loss and validation score of each model."""
    name, times = of_classes(run.classes)[0], 100 if run.classes else 1
    chance = times * float(summary[f"{name}_chance"][summary["split"] == "validation"].mean())
    label = f"validation {scale(name).title}"
    for model in dict.fromkeys(cell.model for cell in run.cells if cell.model in run.experiment.models):
        cells = []
        for history in (run.history(cell) for cell in run.cells if cell.model == model):
            loss = _loss([str(column) for column in history], run.target)
            if loss is not None and f"validation {name}" in history:
                epochs, losses, values = (history[key].to_numpy(float) for key in ("epoch", loss, f"validation {name}"))
                cells.append(plots.Curve(epochs, losses, times * values))
        if cells:
            described = f"Training loss and {label} of {model} by epoch"
            svg = plots.curves(
                cells,
                name=f"curves {model}",
                description=described,
                series=number_of(run.experiment.models, model),
                chance=chance,
                label=f"{label}{scale(name).unit}",
                limits=(0, 100) if run.classes else None,
            )
            yield Picture(model, svg)


def _loss(columns: list[str], target: str) -> str | None:
    """The training loss of the main target, or else the first loss there is."""
    losses = [name for name in columns if name not in {"epoch", "lr", "seconds"} and name[:11] != "validation "]
    return next((name for name in losses if name.endswith(f": {target}")), next(iter(losses), None))
