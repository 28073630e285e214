"""Scores by fold, scores on another corpus, maps with silhouettes, differences in leakage, beside the paper's scores.

Li et al. 2020: Table 2 (`by_fold`), Table 3 (`evaluations`), Fig. 2 (`maps_of`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from mien.experiments import reference
from mien.reports import words
from mien.reports.figures import plots
from mien.reports.sections.recognition import Picture
from mien.runs.coverage import coverage
from mien.runs.run import Run

PARTS = ("validation", "test", "delta")
SHOWN = 8  # speakers that a cell names
PLACE = ["model", "embedding", "fold", "seed"]  # of an embedding


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


def by_fold(run: Run, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The scores of each fold, and their means over folds; None with a single fold.

    Args:
        run: the run.
        found: its `metrics.json`.

    Returns:
        `rows`: for each model its `means`, a mapping `uar validation`, `uar test`, `uar delta`, `wa ...` -> fraction;
        `folds`: model, fold, the speakers of both parts, and such a mapping, `line`.
    """
    table = pd.DataFrame(found["each_fold"])
    table = table[table["model"].isin(run.experiment.models)]
    if table["fold"].nunique() < 2:
        return None
    rows = [
        {
            "model": model,
            "means": {
                f"{measure} {part}": found["folds"][model][measure][part]
                for measure in dict.fromkeys(table["measure"])
                for part in PARTS
            },
        }
        for model in dict.fromkeys(table["model"])
    ]
    return {"rows": rows, "folds": list(_folds(run, table))}


def evaluations(run: Run) -> Iterator[dict[str, Any]]:
    """The metrics of each evaluation, with its name, `papers` and the paper's scores by model.

    `evaluated`: model -> "n of m" training runs, empty if the evaluation does not record it; `warnings`: sentences;
    `measured`: what the models have a score of: no cross-entropy of votes where the corpus has classes.
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
            "measured": {key for found in metrics["models"].values() for key in found},
            "evaluated": {model: f"{count} of {covered.planned}" for model, count in evaluated.items()}
            if covered
            else {},
            "warnings": [words.sentence(warning) for warning in covered.warnings] if covered else [],
            "lost": ", ".join(f"{why} ({count})" for why, count in metrics["values_not_in_the_run"].items()),
            "papers": papers(run, reference.EVALUATION, corpus),
            "paper": {model: scores.figures if scores else {} for model, scores in published.items()},
        }


def leakage_pairs(run: Run, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each pair of models and embedding: their paired difference in leakage, on seen and unseen speakers.

    Variants, and embeddings after an eraser, are left out.

    Args:
        run: the run.
        rows: `leakage_differences` of `metrics.json`.

    Returns:
        `model, other, embedding`; `by` = `seen` or `unseen` -> its row; `stands`: numbers of speakers or units of
        either side, in words.
    """
    models = set(run.experiment.models)
    kept = [row for row in rows if {row["model"], row["other"]} <= models and not row["eraser"]]
    if not kept:
        return []
    table = pd.DataFrame(kept)
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
    return "; ".join(f"{row['speakers']}: {_number(int(row['number']), str(row['over']))}" for row in rows)


def _number(number: int, over: str) -> str:
    """A number of speakers or of units of folds."""
    one = re.sub(r"^(speaker|unit)s", r"\1", over)
    return f"{number} {one if number == 1 else over}"


def silhouettes(run: Run, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each model and embedding: `name`, and `by` = target or speaker -> its row of `metrics.json`.

    Args:
        run: the run.
        rows: `silhouettes` of `metrics.json`.
    """
    table = pd.DataFrame([row for row in rows if row["model"] in run.experiment.models])
    if table.empty:
        return []
    several = len(set(table["embedding"])) > 1
    return [
        {
            "name": f"{model}, {embedding}" if several else model,
            "by": {row["by"]: row for row in part.to_dict("records")},
        }
        for (model, embedding), part in table.groupby(["model", "embedding"], sort=False)
    ]


def maps_of(run: Run) -> Iterator[Map]:
    """The maps of `maps.csv`: the same two unseen speakers for every model of the experiment.

    The silhouette is over all unseen speakers of the fold.
    """
    table, measured = run.maps, run.silhouettes
    if table is None:
        return
    embeddings = table.groupby("model")["embedding"].nunique()
    for place, clips in table.groupby(PLACE, sort=False):
        model, embedding, fold, seed = map(str, place)
        title = model if embeddings[model] == 1 else f"{model}, {embedding}"
        numbers = _numbers(measured, place, (run.target, "speaker"))
        speakers = two_speakers(clips)
        shown = {"speaker": (clips["speaker"].tolist(), speakers)}
        if run.classes:
            known = clips["label"].fillna("unknown").tolist()
            shown = {run.target: (known, [*run.classes, *sorted(set(known) - set(run.classes))])} | shown
        pictures = [
            Picture(
                f"by {by}",
                plots.scatter(
                    clips[["x", "y"]].to_numpy(float),
                    groups,
                    order,
                    name=f"{by} {title}",
                    description=f"Map of the embedding of {title} by {by}",
                ),
                numbers[by],
            )
            for by, (groups, order) in shown.items()
        ]
        where = f"fold {fold}, seed {seed}, {words.listed(speakers)}"
        yield Map(f"{title}: {where}, {words.counted(len(clips), 'clip')}", pictures)


def limits(low: float | None, high: float | None) -> str:
    """An interval of fractions that may be missing, in percent."""
    return words.UNKNOWN if low is None or high is None else words.span(low, high)


def _folds(run: Run, table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Scores of each model on each fold, averaged over seeds, with the validation and test speakers."""
    by_number = {fold["fold"]: fold for fold in run.splits}
    for (model, number), part in table.groupby(["model", "fold"], sort=False):
        yield {
            "model": model,
            "fold": number,
            **{side: _names(by_number[number][side]["speakers"]) for side in PARTS[:2]},
            "line": {
                f"{name} {side}": value
                for side in PARTS
                for name, value in zip(part["measure"], part[side], strict=True)
            },
        }


def _names(speakers: list[str]) -> str:
    more = f" and {len(speakers) - SHOWN} more" if len(speakers) > SHOWN else ""
    return ", ".join(speakers[:SHOWN]) + more


def two_speakers(clips: pd.DataFrame) -> list[str]:
    """The speakers of a map in the order of its legend: validation before test, then by name."""
    order = clips[["split", "speaker"]].drop_duplicates().sort_values(["split", "speaker"], ascending=[False, True])
    return list(dict.fromkeys(order["speaker"]))


def _numbers(measured: pd.DataFrame | None, place: tuple[object, ...], by: tuple[str, ...]) -> dict[str, str]:
    """The line below each map: its silhouette, and that of shuffled groups."""
    lines = dict.fromkeys(by, "")
    if measured is None:
        return lines
    here = (measured[PLACE] == pd.Series(place, PLACE)).all(axis=1)
    for row in measured[here].to_dict("records"):
        lines[row["by"]] = f"Silhouette {words.decimal(row['score'])}; shuffled {words.decimal(row['shuffled'])}"
    return lines
