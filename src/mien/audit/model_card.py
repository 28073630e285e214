"""The numbers of the model card of an exported model: its members, its training data, its scores and calibration."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.audit.recognition.copies import copied
from mien.audit.statistics import calibration, scores
from mien.audit.statistics.calibration import Array, MemberPredictions
from mien.common.tables import records
from mien.corpora import readers
from mien.runs.description import Score
from mien.runs.run import Cell, Run

WITHOUT_COPIES = "without copies"  # the group of test clips that have no exact copy in an earlier part


class Calibrated(NamedTuple):
    """Calibration on one split: calibration errors and negative log likelihoods (nats) before and after.

    Attributes:
        clips: the number of clips.
        speakers: the number of their speakers.
        error: expected calibration error without a temperature.
        error_after: with the temperature.
        loss: negative log likelihood without a temperature.
        loss_after: with the temperature.
        coverage: share of the clips that are answered.
        accuracy: accuracy on these; nan if there are none.
        everything: accuracy on all clips.
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
    """The members of an exported model, and their speakers.

    Attributes:
        folds: number of folds.
        seeds: number of seeds.
        learned: number of training speakers of all members.
        tested: number of test speakers of all members.
        both: number of test speakers who are training speakers of some member.
        rotating: number of validation speakers of a member who are tested in another fold of the run.
        seen: number of test speakers who are training speakers in the same fold.
    """

    folds: int
    seeds: int
    learned: int
    tested: int
    both: int
    rotating: int
    seen: int


class Recall(NamedTuple):
    """The share of a class's test clips that are recognised, and how many these are."""

    name: str
    clips: int
    recall: float


class TrainingCorpus(NamedTuple):
    """A corpus of the training data: numbers of training clips, speakers, and clips of women and of men.

    `release` says how its files differ from the release; empty where that is not known.
    """

    name: str
    clips: int
    speakers: int
    women: int
    men: int
    speech: str
    licence: str
    source: str
    release: str = ""


def members(run: Run, cells: Sequence[Cell]) -> Members:
    """Count the folds, seeds and speakers of some cells of a run."""
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
        seen=len(known),
    )


def training_corpus(name: str, card: Mapping[str, Any], clips: pd.DataFrame) -> TrainingCorpus:
    """Count the training clips `clips` of a corpus; `card` is that of its PREPARED folder."""
    women, men = (int((clips["gender"] == gender).sum()) for gender in ("female", "male"))
    reader = readers.reader(card["name"])
    speakers = clips["speaker"].nunique()
    source = card.get("source", reader.SOURCE)
    release = card.get("release", {}).get("text", "")
    return TrainingCorpus(name, len(clips), speakers, women, men, reader.SPEECH, card["licence"], source, release)


def calibrated(members: MemberPredictions, after: Array, threshold: float | Array, clips: pd.DataFrame) -> Calibrated:
    """Measure the effect of calibration.

    Args:
        members: the predictions of N clips.
        after: their probabilities when calibrated, N x K.
        threshold: a scalar, or N.
        clips: the run's table of clips.
    """
    before, truth, weights = members.probabilities(1.0), members.truth, members.weights
    coverage, accuracy = calibration.answered(after, truth, threshold, weights)
    return Calibrated(
        clips=len(set(members.clips)),
        speakers=int(clips.loc[list(members.clips), "speaker"].nunique()),
        error=calibration.expected_calibration_error(before, truth, weights),
        error_after=calibration.expected_calibration_error(after, truth, weights),
        loss=calibration.negative_log_likelihood(before, truth, weights),
        loss_after=calibration.negative_log_likelihood(after, truth, weights),
        coverage=coverage,
        accuracy=accuracy,
        everything=calibration.answered(after, truth, 0.0, weights)[1],
    )


def scored(members: MemberPredictions, after: Array, run: Run, model: str) -> tuple[Score, ...]:
    """Scores of test predictions: of all speakers, then of each corpus if there are several, and of each gender.

    Where the run accepted identical clips in two parts, all without those that have a copy in an earlier part as well.

    The members of the test fold of a clip are averaged, as `mien predict` averages all members: `after` holds their
    calibrated probabilities.
    """
    predicted = after.argmax(axis=1)
    table = run.clips.loc[list(members.clips)].reset_index(drop=True)
    rows = table.assign(model=model, split="test", fold=members.folds, seed=0)
    rows["truth"] = [run.classes[number] for number in members.truth]
    rows["predicted"] = [run.classes[number] for number in predicted]
    parts = {"everybody": rows}
    known = copied(run.certificate, run.splits, "test")
    leaking = np.array([place in known for place in zip(members.folds, members.clips, strict=True)], bool)
    if leaking.any() and not leaking.all():
        parts[WITHOUT_COPIES] = rows[~leaking]
    for column in ("corpus", "gender"):
        if column in rows and len(rows[column].dropna().unique()) > 1:
            parts |= {str(who): part for who, part in rows.groupby(column)}
    return tuple(_score(who, part, run.classes) for who, part in parts.items())


def recalls(members: MemberPredictions, after: Array, classes: Sequence[str]) -> tuple[Recall, ...]:
    """The recall of each class that has test clips, by the same probabilities as in `scored`."""
    predicted, weights = after.argmax(axis=1), members.weights
    found = []
    for number, name in enumerate(classes):
        own = members.truth == number
        if own.any():
            recall = float(np.average(predicted[own] == number, weights=weights[own]))
            found.append(Recall(name, round(weights[own].sum()), recall))
    return tuple(found)


def _score(who: str, rows: pd.DataFrame, classes: Sequence[str]) -> Score:
    (row,) = records(scores.summary(rows, classes))
    return Score.of(who, row)
