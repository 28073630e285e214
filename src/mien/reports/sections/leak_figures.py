"""The figures of leakage: scores with their floors and ceilings, the accuracy-leakage plane, ROC of trials."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.tradeoff import Point
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


def accuracy_leakage(run: Run, found: Mapping[str, Any], *, factor: str = "speaker") -> Picture:
    """Recognition of the main target against leakage, a point a model: one of the `planes` of `metrics.json`."""
    points = [Point(**point) for point in found["points"]]
    title = f"{run.target.capitalize()} recognition against {factor} leakage"
    name = "plane" if factor == "speaker" else f"plane of {factor}"
    order = run.experiment.models
    named = {"name": name, "description": f"{title}, for each model", "factor": factor, "target": run.target}
    return Picture(title, plane.plane(points, **named, models=list(order)), " ".join(found["sentences"]))


def roc_of(run: Run) -> Picture | None:
    """The ROC of speaker verification on unseen speakers, a line for each model (`roc.csv`); None without curves."""
    table = run.roc
    if table is None or table.empty:
        return None
    lines = {
        str(model): trends.Line(
            part["different"].to_numpy(float),
            part["same"].to_numpy(float),
            number_of(run.experiment.models, str(model)),
        )
        for model, part in table.groupby("model", sort=False)
    }
    description = "Accepted pairs of the same speaker over accepted pairs of different speakers"
    caption = (
        "Pairs of clips of unseen speakers, by the cosine of their embeddings, centred by the training clips; mean "
        f"over {words.counted(int(table['folds'].max()), 'fold')}, seed {run.experiment.seeds[0]}. Dashed line: "
        "chance. The EER of a curve is where it crosses the thin line."
    )
    return Picture("Verification of unseen speakers", trends.roc(lines, name="roc", description=description), caption)


def _interval(row: Mapping[Any, Any], label: str, series: int) -> plots.Interval:
    values = {("value" if name == "score" else name): 100 * float(row[name]) for name in LEAK}
    return plots.Interval(label, **values, parts=tuple(100 * score for score in row["parts"]), series=series)
