"""The report's figures: what of a run goes into each plot, and what is said below it.

A model has the same colour and marker in all figures, by its place in the experiment.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from mien.audit import scores
from mien.audit.leakage import COLUMNS, leakage_summary
from mien.report import maps, plots, words
from mien.report.words import counted
from mien.run import Cell, Run

HEARD = {"heard": "People heard in training", "unheard": "People not heard in training"}
MOST_PEOPLE = 40
LEAK = ("score", "low", "high", "chance", "shuffled")


class Picture(NamedTuple):
    """A figure of the page: its title, the SVG, and what stands below it."""

    title: str
    svg: str
    caption: str = ""


def overview(run: Run, predictions: pd.DataFrame, summary: pd.DataFrame) -> str:
    """Test UAR of each model with its interval and its seeds; empty when nothing has been tested."""
    tested = predictions[predictions["split"] == "test"]
    rows = []
    for row in summary[summary["split"] == "test"].to_dict("records"):
        seeds = (part for _, part in tested[tested["model"] == row["model"]].groupby("seed"))
        rows.append(
            plots.Interval(
                label=row["model"],
                value=100 * row["uar"],
                low=100 * row["uar_low"],
                high=100 * row["uar_high"],
                chance=100 * row["uar_chance"],
                parts=tuple(
                    100 * float(scores.uar(scores.confusion(part, run.classes).counts.sum(0))) for part in seeds
                ),
                series=_number(run, row["model"]),
            )
        )
    if not rows:
        return ""
    return plots.intervals(rows, name="overview", description="Test UAR of each model", axis="UAR on test speakers, %")


def confusions(run: Run, predictions: pd.DataFrame) -> Iterator[Picture]:
    """The confusion matrix of each tested model: speakers pooled, mean over seeds."""
    for (model, split), table in scores.confusions(predictions, run.classes).items():
        if split == "test":
            svg = plots.matrix(
                table.counts.sum(0), run.classes, name=f"confusion {model}", description=f"Confusion matrix of {model}"
            )
            yield Picture(model, svg)


def people(run: Run, predictions: pd.DataFrame, summary: pd.DataFrame) -> Picture | None:
    """Scores by test speaker, or None when nothing has been tested."""
    table = scores.by_speaker(predictions, run.classes)
    if table.empty:
        return None
    order = table.groupby("speaker")["wa"].mean().sort_values(kind="stable").index
    shown = table[table["speaker"].isin(order[:MOST_PEOPLE])]
    told = {
        str(model): dict(zip(part["speaker"], 100 * part["wa"], strict=True))
        for model, part in shown.groupby("model", sort=False)
    }
    chance = 100 * float(summary["wa_chance"][summary["split"] == "test"].mean())
    svg = plots.people(told, chance, name="people", description="Share of right clips by test speaker and model")
    cut = f" The {MOST_PEOPLE} people with the lowest scores of {len(order)}." if len(order) > MOST_PEOPLE else ""
    return Picture("", svg, cut)


def curves(run: Run, summary: pd.DataFrame) -> Iterator[Picture]:
    """Training loss and validation UAR of each model."""
    chance = 100 * float(summary["uar_chance"][summary["split"] == "validation"].mean())
    for model in dict.fromkeys(cell.model for cell in run.cells):
        cells = []
        for history in (run.history(cell) for cell in run.cells if cell.model == model):
            loss = _loss([str(name) for name in history])
            if loss is not None and "validation uar" in history:
                epochs, losses, uars = (history[key].to_numpy(float) for key in ("epoch", loss, "validation uar"))
                cells.append(plots.Curve(epochs, losses, 100 * uars))
        if cells:
            told = f"Training loss and validation UAR of {model} by epoch"
            svg = plots.curves(
                cells, name=f"curves {model}", description=told, series=_number(run, model), chance=chance
            )
            yield Picture(model, svg)


def embeddings(run: Run) -> Iterator[tuple[str, Picture, Picture]]:
    """Of each model's embeddings on its first fold: a title, a map by emotion, a map by speaker."""
    first: dict[str, Cell] = {}
    for cell in run.cells:
        first.setdefault(cell.model, cell)
    for cell in first.values():
        clips, found = run.embeddings(cell)
        places = np.flatnonzero(clips["split"] != "train")
        places = places[plots.thin(len(places), maps.MOST)]
        table = clips.iloc[places]
        for name, values in found.items():
            title = cell.model if len(found) == 1 else f"{cell.model}, {name}"
            points = maps.plane(values[places], seed=0)
            emotion = table["label"].fillna("unknown").tolist()
            order = [*run.classes, *sorted(set(emotion) - set(run.classes))]
            people = table["speaker"].tolist()
            told = f"Map of the embedding of {title}"
            by_emotion = plots.scatter(
                points, emotion, order, name=f"emotion {title}", description=f"{told} by emotion"
            )
            by_person = plots.scatter(
                points, people, sorted(set(people)), name=f"people {title}", description=f"{told} by speaker"
            )
            heading = f"{title}: fold {cell.fold}, seed {cell.seed}, {counted(len(places), 'clip')}"
            yield heading, Picture("by emotion", by_emotion), Picture("by speaker", by_person)


def leaks(run: Run) -> pd.DataFrame:
    """The rows of `leakage_summary`, with the `name` of model and, if there are several, embedding; none unmeasured."""
    measured = run.leakage
    table = leakage_summary(pd.DataFrame(columns=list(COLUMNS)) if measured is None else measured)
    several = len(set(table["embedding"])) > 1
    return table.assign(name=table["model"] + ", " + table["embedding"] if several else table["model"])


def leakage(run: Run, table: pd.DataFrame) -> Iterator[Picture]:
    """The rows of `leaks` as two figures: people heard in training, and people not heard."""
    for speakers, title in HEARD.items():
        part = table[table["speakers"] == speakers].sort_values("probe", kind="stable")
        rows = [
            plots.Interval(
                f"{row['name']} · {row['probe']}",
                **{("value" if name == "score" else name): 100 * row[name] for name in LEAK},
                parts=tuple(100 * score for score in row["parts"]),
                series=_number(run, row["model"]),
            )
            for row in part.to_dict("records")
        ]
        if rows:
            told = f"Speaker leakage: {title}"
            svg = plots.intervals(rows, name=f"leak {speakers}", description=told, axis="UAR of the probe, %")
            among = " or ".join(sorted(set(part["classes"])))
            told = f"Among {among} speakers; {'; or '.join(sorted(set(part['split'])))}. {words.bars(part)}"
            yield Picture(title, svg, told)


def _loss(columns: list[str]) -> str | None:
    """The training loss of the emotion task, or else the first loss there is."""
    losses = [name for name in columns if name not in {"epoch", "lr", "seconds"} and name[:11] != "validation "]
    return next((name for name in losses if name.endswith("emotion")), next(iter(losses), None))


def _number(run: Run, model: str) -> int:
    return list(run.experiment.models).index(model)
