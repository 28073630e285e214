"""`CARD.md` of an exported model: what it heard, what it was measured to do, and what it may not be used for."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, StrictUndefined

from mien import corpora
from mien.audit import calibration, scores
from mien.audit.calibration import Judgements, Rejection
from mien.audit.metrics import records
from mien.exported import Description, Score
from mien.run import Run


class Calibrated(NamedTuple):
    """What calibration did on one split; calibration errors and negative log likelihoods (nats) before and after.

    Attributes:
        clips: how many were judged.
        speakers: by how many people.
        error: expected calibration error as trained.
        error_after: with the temperature.
        loss: negative log likelihood as trained.
        loss_after: with the temperature.
        rule: the rejection rule on these clips.
        everything: what is right where nothing is rejected.
    """

    clips: int
    speakers: int
    error: float
    error_after: float
    loss: float
    loss_after: float
    rule: Rejection
    everything: float


class Heard(NamedTuple):
    """A corpus and what of it was learned from: clips, speakers, and clips of women and of men."""

    name: str
    clips: int
    speakers: int
    women: int
    men: int
    speech: str
    licence: str
    source: str


def heard(name: str, card: Mapping[str, Any], clips: pd.DataFrame) -> Heard:
    """Count the clips of a corpus that were used; `card` is that of its PREPARED folder."""
    women, men = (int((clips["gender"] == gender).sum()) for gender in ("female", "male"))
    reader = corpora.reader(card["name"])
    people = clips["speaker"].nunique()
    source = card.get("source", reader.SOURCE)
    return Heard(name, len(clips), people, women, men, reader.SPEECH, card["licence"], source)


def calibrated(judged: Judgements, temperature: float, threshold: float, clips: pd.DataFrame) -> Calibrated:
    """Measure a temperature and a threshold on judgements; `clips` is the run's table of clips."""
    before, after, truth = judged.probabilities(1.0), judged.probabilities(temperature), judged.truth
    return Calibrated(
        clips=len(set(judged.clips)),
        speakers=int(clips.loc[list(judged.clips), "speaker"].nunique()),
        error=calibration.expected_calibration_error(before, truth),
        error_after=calibration.expected_calibration_error(after, truth),
        loss=calibration.negative_log_likelihood(before, truth),
        loss_after=calibration.negative_log_likelihood(after, truth),
        rule=calibration.rejected(after, truth, threshold),
        everything=calibration.rejected(after, truth, 0.0).accuracy,
    )


def scored(judged: Judgements, temperature: float, run: Run, model: str) -> tuple[Score, ...]:
    """Scores of test judgements: of everybody, then of each corpus where there are several, and of each gender.

    The members that judge a clip, the seeds of its fold, are averaged as `mien predict` averages all.
    """
    said = judged.probabilities(temperature).argmax(axis=1)
    table = run.clips.loc[list(judged.clips)].reset_index(drop=True)
    rows = table.assign(model=model, split="test", fold=judged.folds, seed=0)
    rows["emotion"] = [run.classes[number] for number in judged.truth]
    rows["predicted"] = [run.classes[number] for number in said]
    parts = {"everybody": rows}
    for column in ("corpus", "gender"):
        if column in rows and len(rows[column].dropna().unique()) > 1:
            parts |= {str(who): part for who, part in rows.groupby(column)}
    return tuple(_score(who, part, run.classes) for who, part in parts.items())


def _score(who: str, rows: pd.DataFrame, classes: Sequence[str]) -> Score:
    (row,) = records(scores.summary(rows, classes))
    told: dict[str, Any] = {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
    return Score(who=who, **{key: told[key] for key in Score.model_fields if key != "who"})


def render(
    told: Description,
    *,
    size: int,
    command: str,
    training: str,
    heard: Sequence[Heard],
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
        alone: UAR on test speakers of one member alone, the mean over seeds.
        validation: what calibration did there.
        test: the same on test speakers.
    """
    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - Markdown, made of our own tables
    environment.filters |= {"figure": _figure}
    template = resources.files("mien.report").joinpath("card.md.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        told=told,
        experiment=told.experiment,
        heard=heard,
        size=f"{size / 1e6:.1f} MB",
        command=command,
        training=training,
        alone=alone,
        validation=validation,
        test=test,
    )


def _figure(value: float | None) -> str:
    """A share or a number with three decimals, without the zero before the point."""
    return "none" if value is None else f"{value:.3f}".removeprefix("0")
