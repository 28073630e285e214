"""The scores of a run that its claims name, with intervals over speakers, chance levels and the published scores.

A score is of a factor, predicted by the heads of the models or by a probe on an embedding. All are fractions in [0, 1]
on test clips (validation clips with `hold_test`), with 95 % intervals over speakers, corrected for bias, seeds
averaged within a speaker. Probes are scored on all clips, and with all classes weighted alike, so that predicting
frequent classes does not help; both the probe of one hidden layer and the strongest probe. Their scores are compared
with the identity floor: the score of the same probe if its only input is the true speaker.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.audit.leakage import floors
from mien.audit.recognition.task_scores import constant, homogeneity
from mien.audit.robustness.counted import Counted
from mien.audit.robustness.gains import FACE_ALONE, VOICE_ALONE
from mien.audit.run_leakage.measure import probe_predictions
from mien.audit.run_leakage.targets import tasks
from mien.audit.statistics.contrasts import Score, Term, contrast, fixed, right_and_wrong
from mien.audit.statistics.scores import BySpeaker, confusion, measured, scored_split
from mien.common.leakage_tables import PREDICTIONS, SPEAKER
from mien.common.measures import MEASURES as TABLE
from mien.errors import ConfigError, unknown
from mien.experiments.claims import ALL, BALANCED, DIFFERENT, MEASURES, PROBES, Part, described
from mien.runs.run import Run

SCORES: Mapping[str, Score] = {name: TABLE["wa" if name == "accuracy" else name] for name in MEASURES}
EVENLY: Mapping[str, Score] = {"macro_f1": TABLE["balanced_f1"], "uar": TABLE["uar"]}  # all classes weighted alike
PERCENT = 1.5  # fractions are below it
KEYS = ("model", "embedding", "factor", "probe")
ALONE = {"audio": VOICE_ALONE, "video": FACE_ALONE}  # the modality that is there -> what is missing


class Source(NamedTuple):
    """What a score is of.

    Attributes:
        factor: the factor that is predicted.
        embedding: the embedding that a probe is fitted on; None if the heads of the models predict the factor.
        probe: the name of the probe; None for heads.
        alone: the one modality that is not missing; None where nothing is.
    """

    factor: str
    embedding: str | None = None
    probe: str | None = None
    alone: str | None = None


class Counts(NamedTuple):
    """The counts that claims are answered from, by speaker, seeds averaged within a speaker.

    Attributes:
        tables: source -> model -> its counts, (S, K, K); for the factor speaker those of `right_and_wrong`. Models that
            were not trained or measured are left out.
        floors: (factor, probe) -> counts of the probe whose only input is the true speaker.
        most: source of the factor speaker -> the share of clips of the most frequent speaker, which is chance.
        different: two models -> Stuart-Maxwell's test of them, see `task_scores.homogeneity`.
        predicted: the models that have predictions.
    """

    tables: Mapping[Source, Mapping[str, BySpeaker]] = {}
    floors: Mapping[tuple[str, str], BySpeaker] = {}
    most: Mapping[Source, float] = {}
    different: Callable[[str, str], Mapping[str, Any]] = lambda model, other: {}
    predicted: frozenset[str] = frozenset()

    def chance(self, source: Source, table: BySpeaker, measure: Score, weight: float = 1.0) -> Term:
        """The score of always predicting the most frequent class; of a number, of always predicting its mean."""
        if source in self.most:
            return Term(weight, table, fixed(self.most[source]))
        return Term(weight, constant(table), measure)

    def even(self, source: Source) -> bool:
        """Whether all classes are equally frequent over all speakers, so that weighting them alike changes nothing."""
        tables = self.tables.get(source, {})
        return source not in self.most and bool(tables) and all(_even(table) for table in tables.values())


def alone(counted: Iterable[Mapping[str, Counted]], factor: str) -> dict[Source, dict[str, Counted]]:
    """The models whose answers with one modality alone were examined, by that modality.

    Args:
        counted: model -> its answers, of each grid of conditions; the first that examined a model is taken.
        factor: the main target.
    """
    found: dict[Source, dict[str, Counted]] = {}
    for models in counted:
        for modality, condition in ALONE.items():
            for name, one in models.items():
                if one.examined(condition):
                    found.setdefault(Source(factor, alone=modality), {}).setdefault(name, one)
    return found


class Outputs(NamedTuple):
    """The predictions of heads and probes of a run, one row per clip: `clip, speaker, fold, seed, truth, predicted`.

    Attributes:
        rows: source -> model -> its rows.
        floors: (factor, probe) -> the rows of the probe whose only input is the true speaker.
        predictions: rows of `predictions.csv` of the split that is scored.
        classes: factor -> its classes, in order; empty for a number.
        target: the main target.
    """

    rows: Mapping[Source, Mapping[str, pd.DataFrame]]
    floors: Mapping[tuple[str, str], pd.DataFrame]
    predictions: pd.DataFrame
    classes: Mapping[str, tuple[str, ...]]
    target: str

    def counted(self, factor: str, rows: pd.DataFrame) -> BySpeaker:
        """Counts by speaker: confusion counts; of the factor speaker right and wrong only; of a number its moments."""
        if factor == SPEAKER:
            return right_and_wrong(rows)
        classes = self.classes[factor]
        return confusion(rows, classes) if classes else measured(rows, classes)["ccc"]


def measure(name: str, clips: str) -> Score:
    """The measure of a claim on all clips, or with all classes weighted alike."""
    return EVENLY[name] if clips == BALANCED else SCORES[name]


def outputs_of(run: Run, part: Part = ()) -> Outputs:
    """The predictions that the claims of a run's experiment need, as far as the run has them.

    Args:
        run: the run.
        part: the claims on these clips, see `Claim.where`, and predictions for them alone.
    """
    claims = [claim for claim in run.experiment.claims.values() if claim.kind != DIFFERENT and claim.part == part]
    predictions = run.predictions
    split = scored_split(predictions)
    inside = _inside(run, part)
    predictions = inside(predictions[predictions["split"] == split])
    sources = dict.fromkeys(
        Source(str(claim.factor), claim.embedding, probe)
        for claim in claims
        for probe in (PROBES if claim.embedding else (None,))
    )
    kept = (own.get(str(claim.embedding), frozenset()) for claim in claims for own in tasks(run).values())
    sources |= dict.fromkeys(Source(factor) for factor in sorted(frozenset[str]().union(*kept)))  # what leaks must keep
    rows: dict[Source, dict[str, pd.DataFrame]] = {source: {} for source in sources}
    every: dict[str, list[pd.DataFrame]] = {source.factor: [] for source in sources}
    for source in sources:
        if source.embedding is None:
            rows[source] = dict(_heads(run, source.factor, predictions, split, inside))
    known: dict[tuple[str, str], pd.DataFrame] = {}
    probed = (
        inside(probe_predictions(run))
        if any(source.embedding for source in sources)
        else pd.DataFrame(columns=PREDICTIONS)
    )
    for key, own in probed[probed["eraser"] == ""].groupby(list(KEYS)):
        model, embedding, factor, probe = map(str, key)
        if (source := Source(factor, embedding, probe)) in rows and model in run.experiment.models:
            rows[source][model] = own
        if (model, embedding) == (floors.MODEL, floors.IDENTITY.format(SPEAKER)) and factor in every:
            known[factor, probe] = own
    for source, by in rows.items():
        every[source.factor] += by.values()
    classes = {factor: _classes(tables) for factor, tables in every.items()}
    return Outputs(rows, known, predictions, classes | {run.target: tuple(run.classes)}, run.target)


def counts_of(outputs: Outputs) -> Counts:
    """The counts by speaker of all outputs."""
    return Counts(
        {
            source: {model: outputs.counted(source.factor, rows) for model, rows in by.items()}
            for source, by in outputs.rows.items()
        },
        {key: outputs.counted(key[0], rows) for key, rows in outputs.floors.items()},
        {source: _most(by) for source, by in outputs.rows.items() if source.factor == SPEAKER and by},
        lambda model, other: homogeneity(outputs.predictions, model, other, outputs.classes[outputs.target]),
        frozenset(map(str, outputs.predictions["model"])),
    )


def scores(run: Run, outputs: Outputs, counts: Counts, part: Part = (), *, seed: int = 0) -> list[dict[str, Any]]:
    """Each score that a claim names, of all models that have it, as plain values.

    Args:
        run: the run.
        outputs: see `outputs_of`.
        counts: see `counts_of`.
        part: the clips that outputs and counts are of.
        seed: of the bootstraps.

    Returns:
        One entry per factor, measure and embedding (None: the heads of the models), in the order of claims: `factor,
        measure, embedding`; `where`: the part in words, empty for all clips; `reference` and `corpus`: the name of the
        published score and its corpus, None without one; `ways`: one entry per probe and weighting. Each way has
        `probe, clips`, `claimed` (whether a claim names it), `even` (whether all classes are equally frequent),
        `chance` and `floor` (the identity floor, None if there is none) with `score, low, high` each; and `rows`:
        `model, score, low, high`, `seeds` (the standard deviation of the pooled score over seeds, None for one seed),
        `speakers, clips, cells`, `paper` (the published score), and for balanced clips with a floor `excess,
        excess_low, excess_high` over the floor.
    """
    claims = [claim for claim in run.experiment.claims.values() if claim.kind != DIFFERENT and claim.alone is None]
    claims = [claim for claim in claims if claim.part == part]
    each = []
    for factor, name, embedding in dict.fromkeys((claim.factor, claim.measure, claim.embedding) for claim in claims):
        own = [claim for claim in claims if (claim.factor, claim.measure, claim.embedding) == (factor, name, embedding)]
        named = dict.fromkeys(way for claim in own for way in claim.ways)
        clips = (ALL, BALANCED) if embedding and name in EVENLY else (ALL,)
        wanted = dict.fromkeys(
            [*((probe, which) for probe in (PROBES if embedding else (None,)) for which in clips), *named]
        )
        figure = next((claim.reference for claim in own if claim.reference), None)
        corpus, papers = published(run, figure) if figure else (None, {})
        ways = []
        for probe, which in wanted:
            source = Source(str(factor), embedding, probe)
            if counts.tables.get(source):
                way = _way(run, outputs, counts, source, str(name), which, papers, seed)
                ways.append(way | {"claimed": (probe, which) in named, "even": counts.even(source)})
        if ways:
            head: dict[str, Any] = {"factor": factor, "measure": name, "embedding": embedding, "where": described(part)}
            each.append(head | {"reference": figure if papers else None, "corpus": corpus, "ways": ways})
    return each


def published(run: Run, figure: str) -> tuple[str | None, dict[str, float]]:
    """The published scores of one name: their corpus, and model -> fraction.

    If the paper reports several corpora, the corpus of the run is taken, otherwise the first. Scores are all percent or
    all fractions.
    """
    by: dict[str, dict[str, float]] = {}
    for model, tables in run.experiment.reference.items():
        for corpus, table in tables.items():
            for name, value in (table if isinstance(table, Mapping) else {corpus: table}).items():
                if name == figure:
                    by.setdefault(corpus if isinstance(table, Mapping) else "", {})[model] = value
    if not by:
        return None, {}
    own = str(run.certificate["corpus"]).casefold()
    corpus = next((corpus for corpus in by if corpus.casefold() == own), next(iter(by)))
    unit = 100 if max(map(abs, by[corpus].values())) > PERCENT else 1
    return corpus or None, {model: value / unit for model, value in by[corpus].items()}


def _way(
    run: Run,
    outputs: Outputs,
    counts: Counts,
    source: Source,
    name: str,
    clips: str,
    papers: Mapping[str, float],
    seed: int,
) -> dict[str, Any]:
    """One score of all models, by one probe and weighting."""
    scored, tables = measure(name, clips), counts.tables[source]
    floor = counts.floors.get((source.factor, str(source.probe)))
    rows: list[dict[str, Any]] = []
    present = [model for model in run.experiment.models if model in tables]
    for model in present:
        term = Term(1.0, tables[model], scored)
        row = {"model": model, **_limits("score", term, seed=seed)}
        row |= _beside(outputs, source, scored, outputs.rows[source][model]) | {"paper": papers.get(model)}
        if floor is not None and clips == BALANCED:
            row |= _limits("excess", term, Term(-1.0, floor, scored), seed=seed)
        rows.append(row)
    first = tables[present[0]]
    return {
        **{"probe": source.probe, "clips": clips},
        "chance": _limits("score", counts.chance(source, first, scored), seed=seed),
        "floor": None if floor is None else _limits("score", Term(1.0, floor, scored), seed=seed),
        "rows": rows,
    }


def _beside(outputs: Outputs, source: Source, scored: Score, rows: pd.DataFrame) -> dict[str, Any]:
    """The spread over seeds of a score, and the numbers of speakers, clips and training runs."""
    each = [float(scored(outputs.counted(source.factor, part).counts.sum(0))) for _, part in rows.groupby("seed")]
    return {
        "seeds": float(np.std(each, ddof=1)) if len(each) > 1 else None,
        "speakers": rows["speaker"].nunique(),
        "clips": rows["clip"].nunique(),
        "cells": len(rows[["fold", "seed"]].drop_duplicates()),
    }


def _limits(name: str, *terms: Term, seed: int) -> dict[str, float | None]:
    """A sum of scores with its interval: `name, name_low, name_high`, or `score, low, high`; None if unknown."""
    total = contrast(terms, seed=seed)
    head = "" if name == "score" else f"{name}_"
    values = {name: total.difference, f"{head}low": total.low, f"{head}high": total.high}
    return {key: None if np.isnan(value) else value for key, value in values.items()}


def _inside(run: Run, part: Part) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function that keeps the rows of the clips of a part."""
    kept = pd.Series(True, run.clips.index)
    for column, values in part:
        if column not in run.clips:
            raise ConfigError(f"claims: where: {unknown('column of the corpus', column, map(str, run.clips.columns))}")
        kept &= run.clips[column].astype("str").isin(values)
    clips = set(run.clips["clip"][kept])
    return lambda rows: rows[rows["clip"].isin(clips)] if part else rows


def _heads(
    run: Run, factor: str, predictions: pd.DataFrame, split: str, inside: Callable[[pd.DataFrame], pd.DataFrame]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Pairs of a model and the predictions of its head of a factor, for models that have this task."""
    if factor == run.target:
        table = predictions
    elif (others := run.tasks) is None:
        return
    else:
        table = inside(others[(others["factor"] == factor) & (others["split"] == split)])
    table, carried = table[table["truth"].notna()], tasks(run)
    for model in run.experiment.models:
        own, embeddings = table[table["model"] == model], carried[model]
        if len(own) and (not embeddings or any(factor in factors for factors in embeddings.values())):
            yield model, own


def _classes(tables: Sequence[pd.DataFrame]) -> tuple[str, ...]:
    """All classes that are true or predicted in any table, sorted; none of numbers, whose rows have no probability."""
    if tables and all("probability" in rows and rows["probability"].isna().all() for rows in tables):
        return ()
    return tuple(sorted({str(name) for rows in tables for column in ("truth", "predicted") for name in rows[column]}))


def _most(by: Mapping[str, pd.DataFrame]) -> float:
    """The share of the most frequent class, which is the same for all models."""
    rows = next(iter(by.values())).drop_duplicates(["clip", "truth"])
    return float(rows["truth"].value_counts(normalize=True).iloc[0])


def _even(table: BySpeaker) -> bool:
    """Whether all classes are equally frequent over all speakers."""
    total = table.counts.sum((0, -1))
    return table.counts.ndim == 3 and bool(total.any() and np.allclose(total, total[0]))
