"""`CARD.md` of an exported model: what it heard, what it was measured to do, and what it may not be used for."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined

from mien import experiments
from mien.audit.statistics import calibration, scores
from mien.audit.statistics.calibration import Array, Judgements
from mien.common.tables import records
from mien.corpora import readers
from mien.runs.exported import Description, Score
from mien.runs.run import Cell, Run

RESEARCH = ("research", "-NC")  # words in the licence of a corpus that is not free for every use
OF = {"audio": "a voice", "video": "a face"}


class Calibrated(NamedTuple):
    """What calibration did on one split; calibration errors and negative log likelihoods (nats) before and after.

    Attributes:
        clips: how many were judged.
        speakers: by how many people.
        error: expected calibration error as trained.
        error_after: with the temperature.
        loss: negative log likelihood as trained.
        loss_after: with the temperature.
        coverage: share of the clips that get an answer.
        accuracy: what is right among these; nan where there are none.
        everything: what is right where nothing is rejected.
    """

    clips: int
    speakers: int
    error: float
    error_after: float
    loss: float
    loss_after: float
    coverage: float
    accuracy: float
    everything: float


class Members(NamedTuple):
    """Which members there are, and who was heard by them.

    Attributes:
        folds: how many.
        seeds: how many.
        learned: people from whom some member learned.
        tested: people who are tested by some member.
        both: of those tested, from how many another member learned.
        rotating: how many of the people who validate a member are tested in another fold of the run.
        heard: of those tested, from how many the very members that judge them learned.
    """

    folds: int
    seeds: int
    learned: int
    tested: int
    both: int
    rotating: int
    heard: int


class Heard(NamedTuple):
    """A corpus and what of it the members learned from: clips, speakers, and clips of women and of men."""

    name: str
    clips: int
    speakers: int
    women: int
    men: int
    speech: str
    licence: str
    source: str


def members(run: Run, cells: Sequence[Cell]) -> Members:
    """Count folds, seeds and people of some cells of a run."""
    chosen = {cell.fold for cell in cells}
    of: dict[str, set[str]] = {
        part: {name for fold in run.splits if fold["fold"] in chosen for name in fold[part]["speakers"]}
        for part in ("train", "validation", "test")
    }
    rotating = {
        name
        for fold in run.splits
        if fold["fold"] in chosen
        for other in run.splits
        if other["fold"] != fold["fold"]
        for name in set(fold["validation"]["speakers"]) & set(other["test"]["speakers"])
    }
    known = {
        name
        for fold in run.splits
        if fold["fold"] in chosen
        for name in set(fold["train"]["speakers"]) & set(fold["test"]["speakers"])
    }
    return Members(
        folds=len(chosen),
        seeds=len({cell.seed for cell in cells}),
        learned=len(of["train"]),
        tested=len(of["test"]),
        both=len(of["test"] & of["train"]),
        rotating=len(rotating),
        heard=len(known),
    )


def heard(name: str, card: Mapping[str, Any], clips: pd.DataFrame) -> Heard:
    """Count the clips of a corpus that were learned from; `card` is that of its PREPARED folder."""
    women, men = (int((clips["gender"] == gender).sum()) for gender in ("female", "male"))
    reader = readers.reader(card["name"])
    people = clips["speaker"].nunique()
    source = card.get("source", reader.SOURCE)
    return Heard(name, len(clips), people, women, men, reader.SPEECH, card["licence"], source)


def calibrated(judged: Judgements, after: Array, threshold: float | Array, clips: pd.DataFrame) -> Calibrated:
    """Measure what calibration did.

    Args:
        judged: the judgements of N clips.
        after: their probabilities when calibrated, N x K.
        threshold: one, or N.
        clips: the run's table of clips.
    """
    before, truth = judged.probabilities(1.0), judged.truth
    coverage, accuracy = calibration.answered(after, truth, threshold)
    return Calibrated(
        clips=len(set(judged.clips)),
        speakers=int(clips.loc[list(judged.clips), "speaker"].nunique()),
        error=calibration.expected_calibration_error(before, truth),
        error_after=calibration.expected_calibration_error(after, truth),
        loss=calibration.negative_log_likelihood(before, truth),
        loss_after=calibration.negative_log_likelihood(after, truth),
        coverage=coverage,
        accuracy=accuracy,
        everything=calibration.answered(after, truth, 0.0)[1],
    )


def scored(judged: Judgements, after: Array, run: Run, model: str) -> tuple[Score, ...]:
    """Scores of test judgements: of everybody, then of each corpus where there are several, and of each gender.

    The members that judge a clip, the seeds of its fold, are averaged as `mien predict` averages all: `after` holds
    their probabilities when calibrated.
    """
    said = after.argmax(axis=1)
    table = run.clips.loc[list(judged.clips)].reset_index(drop=True)
    rows = table.assign(model=model, split="test", fold=judged.folds, seed=0)
    rows["truth"] = [run.classes[number] for number in judged.truth]
    rows["predicted"] = [run.classes[number] for number in said]
    parts = {"everybody": rows}
    for column in ("corpus", "gender"):
        if column in rows and len(rows[column].dropna().unique()) > 1:
            parts |= {str(who): part for who, part in rows.groupby(column)}
    return tuple(_score(who, part, run.classes) for who, part in parts.items())


def _score(who: str, rows: pd.DataFrame, classes: Sequence[str]) -> Score:
    (row,) = records(scores.summary(rows, classes))
    return Score.of(who, row)


def render(
    told: Description,
    *,
    size: int,
    command: str,
    training: str,
    heard: Sequence[Heard],
    members: Members,
    left_out: Mapping[str, int],
    alone: float,
    validation: Calibrated,
    test: Calibrated,
) -> str:
    """The card, as Markdown.

    Args:
        told: the model.
        size: of the weights' file in bytes.
        command: the line that exported it.
        training: the line that trained it.
        heard: the corpora.
        members: see `members`.
        left_out: why clips of the corpora were not used -> how many.
        alone: UAR on test speakers of one member alone, the mean over seeds.
        validation: what calibration did there.
        test: the same on test speakers, calibrated without them.
    """
    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - Markdown, made of our own tables
    environment.filters |= {"figure": _figure, "count": _count}
    template = resources.files("mien.reports").joinpath("templates", "card.md.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        told=told,
        what=" and ".join(OF[what] for what in OF if told.experiment["data"].get(what)),
        sees=_seen(told),
        experiment=told.experiment,
        heard=heard,
        members=members,
        left_out=left_out,
        research=any(word in card.licence for card in heard for word in RESEARCH),
        acted=any("acted" in card.speech for card in heard),
        size=f"{size / 1e6:.1f} MB",
        command=command,
        training=training,
        alone=alone,
        validation=validation,
        test=test,
    )


def _seen(told: Description) -> dict[str, Any] | None:
    """The feature of the face with all its settings; None where nothing is seen."""
    found = experiments.resolve(told.experiment, told.name).features.get("video")
    return None if found is None else {"name": found[0]} | found[1].model_dump(mode="json")


def _figure(value: float | None) -> str:
    """A share or a number with three decimals, without the zero before the point."""
    return "none" if value is None or np.isnan(value) else f"{value:.3f}".removeprefix("0")


def _count(number: int, what: str) -> str:
    """How many of something: `1 fold`, `2 folds`."""
    return f"{number} {what}" + ("" if number == 1 else "s")
