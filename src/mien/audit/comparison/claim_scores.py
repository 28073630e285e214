"""The scores of a run that its claims name: counted by speaker, with intervals, beside chance and the paper's figures.

A score is of a factor, predicted by the models' own heads or read by a probe from an embedding. All are fractions in
[0, 1] on test clips (validation where test is held), with 95 % intervals over speakers, corrected for bias, seeds
averaged within a speaker. What a probe reads is scored on all clips as they are, and with all classes weighted alike,
where what is frequent does not help; by the probe of one hidden layer, and by the strongest. Beside it stands the
identity floor: the score of the same probe given the true speaker alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.audit.leakage import floors
from mien.audit.probes.division import SPEAKER
from mien.audit.recognition.task_scores import constant, homogeneity
from mien.audit.run_leakage.measure import run_said
from mien.audit.run_leakage.targets import tasks
from mien.audit.statistics.contrasts import Score, Term, balanced, contrast, fixed, right_and_wrong
from mien.audit.statistics.scores import BySpeaker, confusion, judged, measured
from mien.common.measures import MEASURES as TABLE
from mien.experiments.claims import ALL, BALANCED, DIFFERENT, MEASURES, PROBES
from mien.runs.run import Run

SCORES: Mapping[str, Score] = {name: TABLE["wa" if name == "accuracy" else name] for name in MEASURES}
PERCENT = 1.5  # no fraction is above it
KEYS = ("model", "embedding", "factor", "probe")


class Source(NamedTuple):
    """Where a score comes from.

    Attributes:
        factor: what is predicted.
        embedding: that a probe reads it from; None: the models' own heads predict it.
        probe: which; None of heads.
    """

    factor: str
    embedding: str | None = None
    probe: str | None = None


class Counts(NamedTuple):
    """What claims are answered on: counts by speaker, seeds averaged within a speaker.

    Attributes:
        tables: source -> model -> its counts, (S, K, K), of the speaker those of `right_and_wrong`; what was not
            trained or measured is not there.
        floors: (factor, probe) -> counts of the probe that is given the true speaker alone.
        most: source of the speaker -> the share of clips that the one with the most has, which is chance.
        different: two models -> Stuart-Maxwell's test of them, see `task_scores.homogeneity`.
        predicted: the models that have predictions.
    """

    tables: Mapping[Source, Mapping[str, BySpeaker]] = {}
    floors: Mapping[tuple[str, str], BySpeaker] = {}
    most: Mapping[Source, float] = {}
    different: Callable[[str, str], Mapping[str, Any]] = lambda model, other: {}
    predicted: frozenset[str] = frozenset()

    def chance(self, source: Source, table: BySpeaker, measure: Score, weight: float = 1.0) -> Term:
        """What is got by calling all clips the class that most of them have; of a number no correlation at all."""
        if source in self.most:
            return Term(weight, table, fixed(self.most[source]))
        if table.counts.ndim < 3:
            return Term(weight, table, fixed(0.0, axes=1))
        return Term(weight, constant(table), measure)

    def even(self, source: Source) -> bool:
        """Whether every class is equally frequent, all speakers together: then balanced is as it is."""
        tables = self.tables.get(source, {})
        return source not in self.most and bool(tables) and all(_even(table) for table in tables.values())


class Outputs(NamedTuple):
    """What heads and probes of a run predict, clip by clip: `clip, speaker, fold, seed, truth, predicted`.

    Attributes:
        rows: source -> model -> its rows.
        floors: (factor, probe) -> the rows of the probe that is given the true speaker alone.
        predictions: rows of `predictions.csv`, of the split that is scored.
        classes: factor -> its classes, in order; none of a number.
        target: the main target.
    """

    rows: Mapping[Source, Mapping[str, pd.DataFrame]]
    floors: Mapping[tuple[str, str], pd.DataFrame]
    predictions: pd.DataFrame
    classes: Mapping[str, tuple[str, ...]]
    target: str

    def counted(self, factor: str, rows: pd.DataFrame) -> BySpeaker:
        """Counts by speaker, of a speaker's name right and wrong alone; of a number its moments."""
        if factor == SPEAKER:
            return right_and_wrong(rows)
        classes = self.classes[factor]
        return confusion(rows, classes) if classes else measured(rows, classes)["ccc"]


def measure(name: str, clips: str) -> Score:
    """The measure of a claim."""
    return balanced(SCORES[name]) if clips == BALANCED else SCORES[name]


def outputs_of(run: Run) -> Outputs:
    """What the claims of a run's experiment stand on, as far as it is there."""
    claims = [claim for claim in run.experiment.claims.values() if claim.kind != DIFFERENT]
    predictions = run.predictions
    predictions = predictions[predictions["split"] == judged(predictions)]
    sources = dict.fromkeys(
        Source(str(claim.factor), claim.embedding, probe)
        for claim in claims
        for probe in (PROBES if claim.embedding else (None,))
    )
    rows: dict[Source, dict[str, pd.DataFrame]] = {source: {} for source in sources}
    every: dict[str, list[pd.DataFrame]] = {source.factor: [] for source in sources}
    for source in sources:
        if source.embedding is None:
            rows[source] = dict(_heads(run, source.factor, predictions))
    known: dict[tuple[str, str], pd.DataFrame] = {}
    probed = run_said(run) if any(source.embedding for source in sources) else pd.DataFrame(columns=list(KEYS))
    for key, own in probed.groupby(list(KEYS)):
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
    """The counts of all outputs."""
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


def scores(run: Run, outputs: Outputs, counts: Counts, *, seed: int = 0) -> list[dict[str, Any]]:
    """Each score that a claim names, of all models that have it, as plain values.

    Args:
        run: the run.
        outputs: see `outputs_of`.
        counts: see `counts_of`.
        seed: of the bootstraps.

    Returns:
        For each factor, measure and embedding (None: the models' own heads), in the order of claims: `factor, measure,
        embedding`; `reference` and `corpus`: what the paper's figures of it are called and of which data they are, None
        where there are none; `ways`, each with `probe, clips`, `claimed` (whether a claim names it so), `even` (whether
        every class is equally frequent), `chance` and `floor` (the identity floor, None where there is none), each
        `score, low, high`; and `rows`: `model, score, low, high`, `seeds` (the deviation of the pooled score over
        seeds, None of one), `speakers, clips, trainings`, `paper`, and of balanced clips with a floor `excess,
        excess_low, excess_high` over it.
    """
    claims = [claim for claim in run.experiment.claims.values() if claim.kind != DIFFERENT]
    each = []
    for factor, name, embedding in dict.fromkeys((one.factor, one.measure, one.embedding) for one in claims):
        own = [one for one in claims if (one.factor, one.measure, one.embedding) == (factor, name, embedding)]
        named = dict.fromkeys(way for claim in own for way in claim.ways)
        clips = (ALL, BALANCED) if embedding and name != "accuracy" else (ALL,)
        asked = dict.fromkeys(
            [*((probe, which) for probe in (PROBES if embedding else (None,)) for which in clips), *named]
        )
        figure = next((claim.reference for claim in own if claim.reference), None)
        corpus, papers = published(run, figure) if figure else (None, {})
        ways = []
        for probe, which in asked:
            source = Source(str(factor), embedding, probe)
            if counts.tables.get(source):
                way = _way(run, outputs, counts, source, str(name), which, papers, seed)
                ways.append(way | {"claimed": (probe, which) in named, "even": counts.even(source)})
        if ways:
            head: dict[str, Any] = {"factor": factor, "measure": name, "embedding": embedding}
            each.append(head | {"reference": figure if papers else None, "corpus": corpus, "ways": ways})
    return each


def published(run: Run, figure: str) -> tuple[str | None, dict[str, float]]:
    """The paper's figures of one name: of which corpus, and model -> fraction.

    Of several corpora that of the run, else the first. They are all in percent or all fractions.
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
    """A score of all models in one way."""
    scored, tables = measure(name, clips), counts.tables[source]
    floor = counts.floors.get((source.factor, str(source.probe)))
    rows: list[dict[str, Any]] = []
    there = [model for model in run.experiment.models if model in tables]
    for model in there:
        term = Term(1.0, tables[model], scored)
        row = {"model": model, **_limits("score", term, seed=seed)}
        row |= _beside(outputs, source, scored, outputs.rows[source][model]) | {"paper": papers.get(model)}
        if floor is not None and clips == BALANCED:
            row |= _limits("excess", term, Term(-1.0, floor, scored), seed=seed)
        rows.append(row)
    first = tables[there[0]]
    return {
        **{"probe": source.probe, "clips": clips},
        "chance": _limits("score", counts.chance(source, first, scored), seed=seed),
        "floor": None if floor is None else _limits("score", Term(1.0, floor, scored), seed=seed),
        "rows": rows,
    }


def _beside(outputs: Outputs, source: Source, scored: Score, rows: pd.DataFrame) -> dict[str, Any]:
    """What stands behind a score."""
    each = [float(scored(outputs.counted(source.factor, part).counts.sum(0))) for _, part in rows.groupby("seed")]
    return {
        "seeds": float(np.std(each, ddof=1)) if len(each) > 1 else None,
        "speakers": rows["speaker"].nunique(),
        "clips": len(rows.drop_duplicates(["fold", "clip"])),
        "trainings": len(rows[["fold", "seed"]].drop_duplicates()),
    }


def _limits(name: str, *terms: Term, seed: int) -> dict[str, float | None]:
    """A sum of scores with its interval, None for what is not known: `name`, and in place of `score_low` just `low`."""
    one = contrast(terms, seed=seed)
    head = "" if name == "score" else f"{name}_"
    values = {name: one.difference, f"{head}low": one.low, f"{head}high": one.high}
    return {key: None if np.isnan(value) else value for key, value in values.items()}


def _heads(run: Run, factor: str, predictions: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Model -> the predictions of its own head of a factor, of models that have this task."""
    if factor == run.target:
        table = predictions
    elif (others := run.tasks) is None:
        return
    else:
        split = str(predictions["split"].iloc[0])
        table = others[(others["factor"] == factor) & (others["split"] == split)]
    table, carried = table[table["truth"].notna()], tasks(run)
    for model in run.experiment.models:
        own, embeddings = table[table["model"] == model], carried[model]
        if len(own) and (not embeddings or any(factor in factors for factors in embeddings.values())):
            yield model, own


def _classes(tables: Iterable[pd.DataFrame]) -> tuple[str, ...]:
    """Every class that anybody names, sorted."""
    return tuple(sorted({str(name) for rows in tables for column in ("truth", "predicted") for name in rows[column]}))


def _most(by: Mapping[str, pd.DataFrame]) -> float:
    """The share of the most frequent class, which is the same for all models."""
    rows = next(iter(by.values())).drop_duplicates(["fold", "clip"])
    return float(rows["truth"].value_counts(normalize=True).iloc[0])


def _even(table: BySpeaker) -> bool:
    """Whether every class is equally frequent, all speakers together."""
    total = table.counts.sum((0, -1))
    return table.counts.ndim == 3 and bool(total.any() and np.allclose(total, total[0]))
