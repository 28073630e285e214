"""The figures of leakage: scores with their floors and ceilings, the accuracy-leakage plane, ROC of trials."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.comparison import tradeoff
from mien.audit.leakage.verification import cosine_trials, roc
from mien.reports import words
from mien.reports.figures import plane, plots, trends
from mien.reports.figures.canvas import number_of
from mien.reports.sections import leaks
from mien.reports.sections.recognition import Picture
from mien.runs.run import Run

SEEN = {"seen": "People heard in training", "unseen": "People not heard in training"}
LEAK = ("score", "low", "high", "chance", "shuffled")
BASELINE = 6  # the grey of the series
POINTS = 101  # of a curve


def pictures(run: Run, found: pd.DataFrame, baselines: Sequence[Mapping[str, Any]]) -> Iterator[Picture]:
    """What the strongest probe reads of the speaker: of people heard in training, and of people not heard.

    Args:
        run: the run.
        found: see `leaks.speaker`.
        baselines: see `leaks.baselines`.
    """
    for speakers, title in SEEN.items():
        part = found[(found["speakers"] == speakers) & found["strongest"].astype(bool)]
        rows = [
            _interval(row, row["name"], number_of(run.experiment.models, row["model"]))
            for row in part.to_dict("records")
        ]
        if rows:
            below = [one for one in baselines if one["speakers"] in (speakers, "")]
            rows += [_interval(one, f"{one['label']} ({one['role']})", BASELINE) for one in below]
            told = f"Speaker leakage: {title}"
            svg = plots.intervals(rows, name=f"leak {speakers}", description=told, axis="UAR, %")
            among = " or ".join(sorted(set(part["classes"])))
            yield Picture(
                title, svg, f"Strongest probe, among {among} speakers; {leaks.split_of(part)}. {words.bars(part)}"
            )


def accuracy_leakage(run: Run, predictions: pd.DataFrame, *, factor: str = "speaker") -> Picture | None:
    """Emotion against what leaks, a point a method; None where no leakage of the factor was measured."""
    if run.leakage is None:
        return None
    measured = set(run.leakage["model"])
    models = [(model, run, model) for model in dict.fromkeys(predictions["model"]) if model in measured]
    points, told = tradeoff.points(models, predictions, factor=factor)
    if not points:
        return None
    what = "speaker" if factor == "speaker" else f"{factor} leaked"
    name = "plane" if factor == "speaker" else f"plane of {factor}"
    description = f"Emotion recognition against what is left of the {factor}, for each method"
    order = run.experiment.models
    drawn = plane.plane(points, name=name, description=description, factor=factor, models=list(order))
    return Picture(f"Emotion against {what}", drawn, " ".join(told))


def roc_of(run: Run) -> Picture | None:
    """The ROC of trials of people not heard in training, a line a model: the mean over folds, of the first seed.

    The curve of an embedding of a model with several is that of the first.
    """
    grid = np.linspace(0, 1, POINTS)
    lines, folds = {}, 0
    for model in run.experiment.models:
        curves = []
        for cell in (cell for cell in run.cells if cell.model == model and cell.seed == run.experiment.seeds[0]):
            clips, values = run.embeddings(cell)
            unheard = (~clips["speaker"].isin(clips["speaker"][clips["split"] == "train"])).to_numpy()
            first = next(iter(values.values()))
            if not unheard.any():
                continue
            people, centre = (
                clips["speaker"].to_numpy(str)[unheard],
                first[(clips["split"] == "train").to_numpy()].mean(0),
            )
            trials = cosine_trials(first[unheard], people, centre=centre)
            if trials is not None:
                matched, missed = roc(trials)
                order = np.lexsort((1 - missed, matched))
                curves.append(np.interp(grid, matched[order], 1 - missed[order]))
        folds = max(folds, len(curves))
        if curves:
            lines[model] = trends.Line(grid, np.mean(curves, 0), number_of(run.experiment.models, model))
    if not lines:
        return None
    description = "Pairs of one speaker that are accepted, over pairs of two speakers taken for one"
    told = (
        "Pairs of clips of people not heard in training, by the cosine of their embeddings, centred by the training "
        f"clips; mean over {words.counted(folds, 'fold')}, seed {run.experiment.seeds[0]}. On the dashed line nobody "
        "is recognised; a curve's EER is where it crosses the thin line."
    )
    return Picture("Strangers told apart", trends.roc(lines, name="roc", description=description), told)


def _interval(row: Mapping[Any, Any], label: str, series: int) -> plots.Interval:
    values = {("value" if name == "score" else name): 100 * float(row[name]) for name in LEAK}
    return plots.Interval(label, **values, parts=tuple(100 * score for score in row["parts"]), series=series)
