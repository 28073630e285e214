"""Scores by fold, scores on another corpus, maps with silhouettes, differences in leakage, beside the paper's scores.

Li et al. 2020: Table 2 (`by_fold`), Table 3 (`evaluations`), Fig. 2 (`maps_of`).
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.audit.comparison import pairs as compare
from mien.audit.leakage.silhouettes import silhouette_summary
from mien.audit.recognition import folds, reference
from mien.audit.recognition.coverage import coverage
from mien.reports import words
from mien.reports.figures import canvas, maps, plots
from mien.reports.sections.recognition import Picture
from mien.runs.run import Cell, Run

PARTS = ("validation", "test", "delta")
SHOWN = 8  # speakers that a cell names


class Map(NamedTuple):
    """An embedding on one fold: its title, and its maps by the main target, if it has classes, and by speaker."""

    title: str
    pictures: list[Picture]


def paper(run: Run, model: str) -> reference.Published | None:
    """The scores that the paper reports for a model, or None."""
    return reference.published(run.experiment, model, reference.RUN, corpus=run.certificate["corpus"])


def papers(run: Run, kinds: tuple[str, ...] = reference.RUN, corpus: str = "") -> str:
    """Paper and corpus of the reported scores on the page; empty if there are none."""
    found = (reference.published(run.experiment, model, kinds, corpus=corpus) for model in run.experiment.models)
    sources = dict.fromkeys(published.source for published in found if published)
    return words.listed(sources) if sources else ""


def by_fold(run: Run, predictions: pd.DataFrame, scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Scores by both definitions of a cross-validated score, and the scores of each fold.

    Args:
        run: the run.
        predictions: its predictions.
        scores: the rows of the page's table of models, pooled.

    Returns:
        `rows`: for each model the lines `pooled`, `mean of folds` and, if there is one, `paper`, each a mapping
        `uar validation`, `uar test`, `uar delta`, `wa ...` -> fraction; `folds`: model, fold, the speakers of both
        parts, and such a mapping.
    """
    table = folds.by_fold(predictions, run.classes)
    means = folds.fold_means(table).set_index(["model", "measure"])
    measures = list(dict.fromkeys(table["measure"]))
    rows = []
    for row in scores:
        model = row["model"]
        pooled = {
            f"{measure} {part}": row[part][measure]
            for measure in measures
            for part in PARTS[:2]
            if row[part] is not None
        }
        pooled |= {f"{measure} delta": found["delta"] for measure, found in row["delta"].items() if found}
        each = {f"{measure} {part}": float(means.loc[(model, measure), part]) for measure in measures for part in PARTS}
        lines = {"pooled": pooled, "mean of folds": each} | ({"paper": row["paper"]} if row["paper"] else {})
        rows.append({"model": model, "lines": lines})
    return {"rows": rows, "folds": list(_folds(run, table))}


def evaluations(run: Run) -> Iterator[dict[str, Any]]:
    """The metrics of each evaluation, with its name, `papers` and the paper's scores by model.

    `evaluated`: model -> "n of m" training runs, empty if the evaluation does not record it; `warnings`: sentences.
    """
    for name, metrics in run.evaluations.items():
        covered = coverage(run, name)
        evaluated = {model: len(cells) for model, cells in covered.scored.items()} if covered else {}
        corpus = str(metrics.get("corpus", name))
        published = {
            model: reference.published(run.experiment, model, reference.EVALUATION, corpus=corpus)
            for model in metrics["models"]
        }
        yield {
            **metrics,
            "name": name,
            "evaluated": {model: f"{count} of {covered.planned}" for model, count in evaluated.items()}
            if covered
            else {},
            "warnings": [words.sentence(warning) for warning in covered.warnings] if covered else [],
            "lost": ", ".join(f"{why} ({count})" for why, count in metrics["values_not_in_the_run"].items()),
            "papers": papers(run, reference.EVALUATION, corpus),
            "paper": {model: scores.figures if scores else {} for model, scores in published.items()},
        }


def leakage_pairs(run: Run) -> list[dict[str, Any]]:
    """One row for each pair of models and embedding: their paired difference in leakage, on seen and unseen speakers.

    Embeddings after an eraser are left out.

    `model, other, embedding`; `by` = `seen` or `unseen` -> its row of `compare.leakage_differences`; `stands`: numbers
    of speakers or units of either side, in words.
    """
    if run.leakage is None:
        return []
    plain = run.leakage[run.leakage["eraser"] == ""]
    table = compare.leakage_differences(
        plain, run.units, run.leakage_by_speaker, among=combinations(run.experiment.models, 2)
    )
    pairs = table.groupby(["model", "other", "embedding"], sort=False)
    several = len(set(table["embedding"])) > 1
    return [
        {
            "model": model,
            "other": f"{other} ({embedding})" if several else other,
            "embedding": embedding,
            "stands": _stands(table),
            "by": {row["speakers"]: row for row in part.to_dict("records")},
        }
        for (model, other, embedding), part in pairs
    ]


def _stands(table: pd.DataFrame) -> str:
    rows = table.drop_duplicates(["speakers", "over"]).to_dict("records")
    return "; ".join(f"{row['speakers']}: {row['number']} {row['over']}" for row in rows)


def silhouettes(run: Run) -> list[dict[str, Any]]:
    """One row for each model and embedding: `name`, and `by` = target or speaker -> its row of the summary."""
    measured = run.silhouettes
    if measured is None or measured.empty:
        return []
    table = silhouette_summary(measured, run.units)
    table = table[table["model"].isin(run.experiment.models)]
    several = len(set(table["embedding"])) > 1
    return [
        {
            "name": f"{model}, {embedding}" if several else model,
            "by": {row["by"]: row for row in part.to_dict("records")},
        }
        for (model, embedding), part in table.groupby(["model", "embedding"], sort=False)
    ]


def maps_of(run: Run) -> Iterator[Map]:
    """Maps of the same two unseen speakers for every model of the experiment.

    They are of the first fold and seed that most models have. If several speakers are tested, the map shows the first
    two of them by name, else the test and the validation speaker. The silhouette is over all unseen speakers of the
    fold. Without unseen speakers there is no map.
    """
    measured = run.silhouettes
    for cell in _same_fold(run):
        clips, found = run.embeddings(cell)
        unseen = ~clips["speaker"].isin(clips.loc[clips["split"] == "train", "speaker"])
        speakers = _two(clips[unseen])
        places = np.flatnonzero(clips["speaker"].isin(speakers) & unseen)
        if not len(places):
            continue
        places = places[canvas.thin(len(places), maps.MOST)]
        table = clips.iloc[places]
        for name, values in found.items():
            title = cell.model if len(found) == 1 else f"{cell.model}, {name}"
            numbers = _numbers(measured, cell, name, (run.target, "speaker"))
            points = maps.plane(values[places], seed=0)
            shown = {"speaker": (table["speaker"].tolist(), speakers)}
            if run.classes:
                known = table["label"].fillna("unknown").tolist()
                shown = {run.target: (known, [*run.classes, *sorted(set(known) - set(run.classes))])} | shown
            pictures = [
                Picture(
                    f"by {by}",
                    plots.scatter(
                        points,
                        groups,
                        order,
                        name=f"{by} {title}",
                        description=f"Map of the embedding of {title} by {by}",
                    ),
                    numbers[by],
                )
                for by, (groups, order) in shown.items()
            ]
            where = f"fold {cell.fold}, seed {cell.seed}, {words.listed(speakers)}"
            yield Map(f"{title}: {where}, {words.counted(len(places), 'clip')}", pictures)


def limits(low: float | None, high: float | None) -> str:
    """An interval of fractions that may be missing, in percent."""
    return words.UNKNOWN if low is None or high is None else words.span(low, high)


def decimal(value: float) -> str:
    """A silhouette, with two decimals."""
    return words.UNKNOWN if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")


def _folds(run: Run, table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Scores of each model on each fold, averaged over seeds, with the validation and test speakers."""
    wide = folds.fold_scores(table).reindex(columns=list(PARTS[:2]))
    wide["delta"] = wide["test"] - wide["validation"]
    by_number = {fold["fold"]: fold for fold in run.splits}
    for (model, number), part in wide.groupby(level=["model", "fold"], sort=False):
        measures = part.index.get_level_values("measure")
        yield {
            "model": model,
            "fold": number,
            **{side: _names(by_number[number][side]["speakers"]) for side in PARTS[:2]},
            "line": {
                f"{name} {side}": value for side in PARTS for name, value in zip(measures, part[side], strict=True)
            },
        }


def _names(speakers: list[str]) -> str:
    more = f" and {len(speakers) - SHOWN} more" if len(speakers) > SHOWN else ""
    return ", ".join(speakers[:SHOWN]) + more


def _same_fold(run: Run) -> list[Cell]:
    """The cells of the first fold and seed that most models of the experiment have."""
    cells = [cell for cell in run.cells if cell.model in run.experiment.models]
    places: dict[tuple[int, int], list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (run.experiment.seeds.index(cell.seed), cell.fold)):
        places.setdefault((cell.seed, cell.fold), []).append(cell)
    return max(places.values(), key=len, default=[])


def _two(clips: pd.DataFrame) -> list[str]:
    test, validation = (sorted(clips["speaker"][clips["split"] == part].unique()) for part in ("test", "validation"))
    return test[:2] if len(test) > 1 else [*validation[: 2 - len(test)], *test]


def _numbers(measured: pd.DataFrame | None, cell: Cell, embedding: str, by: tuple[str, ...]) -> dict[str, str]:
    """The line below each map: its silhouette, and that of shuffled groups."""
    lines = dict.fromkeys(by, "")
    if measured is None:
        return lines
    place = (measured["model"] == cell.model) & (measured["fold"] == cell.fold) & (measured["seed"] == cell.seed)
    for row in measured[place & (measured["embedding"] == embedding)].to_dict("records"):
        lines[row["by"]] = f"Silhouette {decimal(row['score'])}; shuffled {decimal(row['shuffled'])}"
    return lines
