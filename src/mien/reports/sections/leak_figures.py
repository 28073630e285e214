"""The figures of leakage: scores with their floors and ceilings, the accuracy-leakage plane, ROC of trials."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.comparison import tradeoff
from mien.audit.leakage.verification import cosine_trials, roc
from mien.common.leakage_tables import SEEN, UNSEEN
from mien.reports import words
from mien.reports.figures import plane, plots, trends
from mien.reports.figures.canvas import number_of
from mien.reports.sections import leaks
from mien.reports.sections.recognition import Picture
from mien.runs.run import Run

TITLES = {SEEN: "Seen speakers", UNSEEN: "Unseen speakers"}
LEAK = ("score", "low", "high", "chance", "shuffled")
BASELINE = 6  # the grey of the series
POINTS = 101  # of a curve


def pictures(run: Run, found: pd.DataFrame, baselines: Sequence[Mapping[str, Any]]) -> Iterator[Picture]:
    """Speaker leakage by the strongest probe, on seen and on unseen speakers.

    Args:
        run: the run.
        found: see `leaks.speaker`.
        baselines: see `leaks.baselines`.
    """
    for speakers, title in TITLES.items():
        part = found[(found["speakers"] == speakers) & found["strongest"].astype(bool)]
        rows = [
            _interval(row, row["name"], number_of(run.experiment.models, row["model"]))
            for row in part.to_dict("records")
        ]
        if rows:
            below = [row for row in baselines if row["speakers"] in (speakers, "")]
            rows += [_interval(row, f"{row['label']} ({row['role']})", BASELINE) for row in below]
            described = f"Speaker leakage: {title}"
            svg = plots.intervals(rows, name=f"leak {speakers}", description=described, axis="UAR, %")
            among = " or ".join(sorted(set(part["classes"])))
            yield Picture(
                title, svg, f"Strongest probe, among {among} speakers; {leaks.split_of(part)}. {words.bars(part)}"
            )


def accuracy_leakage(run: Run, predictions: pd.DataFrame, *, factor: str = "speaker") -> Picture | None:
    """Recognition of the main target against leakage, a point a model; None if the leakage was not measured."""
    if run.leakage is None:
        return None
    measured = set(run.leakage["model"])
    models = [(model, run, model) for model in dict.fromkeys(predictions["model"]) if model in measured]
    points, sentences = tradeoff.points(models, predictions, factor=factor)
    if not points:
        return None
    title = f"{run.target.capitalize()} recognition against {factor} leakage"
    name = "plane" if factor == "speaker" else f"plane of {factor}"
    order = run.experiment.models
    named = {"name": name, "description": f"{title}, for each model", "factor": factor, "target": run.target}
    return Picture(title, plane.plane(points, **named, models=list(order)), " ".join(sentences))


def roc_of(run: Run) -> Picture | None:
    """The ROC of speaker verification on unseen speakers, a line for each model: mean over folds, first seed.

    If a model has several embeddings, the curve is that of the first.
    """
    grid = np.linspace(0, 1, POINTS)
    lines, folds = {}, 0
    for model in run.experiment.models:
        curves = []
        for cell in (cell for cell in run.cells if cell.model == model and cell.seed == run.experiment.seeds[0]):
            clips, values = run.embeddings(cell)
            unseen = (~clips["speaker"].isin(clips["speaker"][clips["split"] == "train"])).to_numpy()
            first = next(iter(values.values()))
            if not unseen.any():
                continue
            speakers, centre = (
                clips["speaker"].to_numpy(str)[unseen],
                first[(clips["split"] == "train").to_numpy()].mean(0),
            )
            trials = cosine_trials(first[unseen], speakers, centre=centre)
            if trials is not None:
                matched, missed = roc(trials)
                order = np.lexsort((1 - missed, matched))
                curves.append(np.interp(grid, matched[order], 1 - missed[order]))
        folds = max(folds, len(curves))
        if curves:
            lines[model] = trends.Line(grid, np.mean(curves, 0), number_of(run.experiment.models, model))
    if not lines:
        return None
    description = "Accepted pairs of the same speaker over accepted pairs of different speakers"
    caption = (
        "Pairs of clips of unseen speakers, by the cosine of their embeddings, centred by the training clips; mean "
        f"over {words.counted(folds, 'fold')}, seed {run.experiment.seeds[0]}. Dashed line: chance. The EER of a curve "
        "is where it crosses the thin line."
    )
    return Picture("Verification of unseen speakers", trends.roc(lines, name="roc", description=description), caption)


def _interval(row: Mapping[Any, Any], label: str, series: int) -> plots.Interval:
    values = {("value" if name == "score" else name): 100 * float(row[name]) for name in LEAK}
    return plots.Interval(label, **values, parts=tuple(100 * score for score in row["parts"]), series=series)
