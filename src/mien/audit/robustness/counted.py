"""The answers of a model under conditions, added up by fold, seed and speaker: all that scores are computed from.

A unit is a fold, a seed and a speaker (a clip where the corpus names none). The statistic of a speaker is the sum over
folds and the mean over seeds, as in `audit.statistics.scores`, whose scores of the complete data are the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from mien.audit.statistics.calibration import expected_calibration_error
from mien.audit.statistics.repeated import times
from mien.audit.statistics.scores import BySpeaker
from mien.common.files import atomic
from mien.common.measures import MEASURES, Array, Codes, measure_of, moments
from mien.common.units import units
from mien.errors import RunError
from mien.experiments.conditions import NOTHING, Condition, Series
from mien.runs.examining import Answer, Answered
from mien.runs.tables import reading

FILE = "counts.safetensors"
OWN_CLIPS = "the test clips of each fold"
MEASURED = {True: ("macro_f1", "uar", "wa"), False: ("ccc", "rmse")}  # by whether there are classes; the first is first
NUMBER = 8  # sums of `measures.moments`


@dataclass(frozen=True)
class Counted:
    """One model under some conditions.

    Attributes:
        model: its name.
        modalities: of its inputs.
        classes: the K classes, or none.
        units: `fold, seed, speaker, weight`, one row a unit, U of them. The weight is 1 over the number of folds that
            test a clip, the mean over the unit's clips, see `audit.statistics.repeated`.
        statistics: condition -> (U, K, K) confusion counts, truth in rows; of a number (U, 8) moments.
        sure: condition -> (U, 3): the sum of confidences (the greatest probability of a clip), of right answers, and
            the clips, of those with one class; of a number zeros.
        errors: condition -> expected calibration error over clips of all folds and seeds; nan for a number.
        chances: measure -> chance level.
        series: those that were examined.
        clips: number of different clips.
    """

    model: str
    modalities: tuple[str, ...]
    classes: tuple[str, ...]
    units: pd.DataFrame
    statistics: Mapping[Condition, Array]
    sure: Mapping[Condition, Array]
    errors: Mapping[Condition, float]
    chances: Mapping[str, float]
    series: tuple[Series, ...]
    clips: int

    @staticmethod
    def of(answered: Answered, classes: Sequence[str], modalities: Sequence[str]) -> "Counted":
        """Add up the answers of a model; rows without a known truth are not counted."""
        known = answered.rows["truth"].notna().to_numpy()
        rows = answered.rows[known].reset_index(drop=True)
        parts = pd.DataFrame({"fold": rows["fold"], "seed": rows["seed"], "speaker": units(rows)})
        own = parts.drop_duplicates().sort_values(["fold", "seed", "speaker"], ignore_index=True)
        unit = parts.merge(own.reset_index(names="unit"), how="left")["unit"].to_numpy(np.int64)
        once_each = 1 / times(rows)
        own["weight"] = np.bincount(unit, once_each, len(own)) / np.bincount(unit, minlength=len(own))
        once = ~rows.duplicated("clip")
        truth = _right(rows["truth"], classes) if classes else rows["truth"].to_numpy(float)
        added = {
            condition: _added(unit, len(own), truth, _part(answer, known), classes, once_each)
            for condition, answer in answered.answers.items()
        }
        return Counted(
            answered.model,
            tuple(modalities),
            tuple(classes),
            own,
            {condition: one[0] for condition, one in added.items()},
            {condition: one[1] for condition, one in added.items()},
            {condition: one[2] for condition, one in added.items()},
            {name: MEASURES[name].chance(truth[once]) for name in MEASURED[bool(classes)]},
            answered.examined,
            int(rows["clip"].nunique()),
        )

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that its statistics give, the most important first."""
        return MEASURED[bool(self.classes)]

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers, sorted."""
        return tuple(sorted(set(self.units["speaker"])))

    def at(self, condition: Condition) -> Condition:
        """The condition that stands for another one; a model without a modality loses nothing where that is missing.

        Raises:
            RunError: it was not examined.
        """
        if self.examined(condition):
            return condition.same if condition.same in self.statistics else NOTHING
        known = "; ".join(" ".join(map(str, one)) for one in self.statistics)
        raise RunError(f"{self.model}: '{' '.join(map(str, condition))}' was not examined; there are: {known}")

    def examined(self, condition: Condition) -> bool:
        """Whether there are answers under a condition, see `at`."""
        return condition.same in self.statistics or not {*condition.modality.split("+")} & {*self.modalities}

    def table(self, condition: Condition) -> BySpeaker:
        """The statistics by speaker."""
        return BySpeaker(self.speakers, self._by_speaker(self.statistics[self.at(condition)]))

    def sureness(self, condition: Condition) -> Array:
        """The sums of `sure` by speaker, (S, 3)."""
        return self._by_speaker(self.sure[self.at(condition)])

    def by_cell(self, condition: Condition, measure: str) -> pd.DataFrame:
        """The score of each fold and seed: `fold, seed, score, speakers`."""
        statistics, rows = self.statistics[self.at(condition)], []
        for (fold, seed), part in self.units.groupby(["fold", "seed"], sort=True):
            score = float(measure_of(measure)(statistics[part.index].sum(0)))
            rows.append({"fold": fold, "seed": seed, "score": score, "speakers": len(part)})
        return pd.DataFrame(rows, columns=["fold", "seed", "score", "speakers"])

    def by_fold(self, condition: Condition, measure: str) -> "pd.Series[float]":
        """The score of each fold, the mean over its seeds, by fold."""
        return self.by_cell(condition, measure).groupby("fold")["score"].mean()

    def _by_speaker(self, statistics: Array) -> Array:
        """The sum over folds, each clip once, and the mean over the seeds in which a speaker has clips."""
        speakers, who = np.unique(self.units["speaker"].to_numpy(str), return_inverse=True)
        seeds, seed = np.unique(self.units["seed"], return_inverse=True)
        summed = np.zeros((len(speakers), len(seeds), *statistics.shape[1:]))
        weights = self.units["weight"].to_numpy().reshape(-1, *[1] * (statistics.ndim - 1))
        np.add.at(summed, (who, seed), weights * statistics)
        there = np.zeros((len(speakers), len(seeds)), np.bool_)
        there[who, seed] = True
        shape = (-1, *[1] * (statistics.ndim - 1))
        return np.asarray(summed.sum(1) / there.sum(1).reshape(shape))


def _part(answer: Answer, known: NDArray[np.bool_]) -> Answer:
    return Answer(answer.predicted[known], None if answer.probabilities is None else answer.probabilities[known])


def _right(truth: "pd.Series[Any]", classes: Sequence[str]) -> NDArray[np.bool_]:
    """The right classes of each clip, (R, K) bool."""
    names = [str(name).split("+") for name in truth]
    if strange := sorted({name for each in names for name in each} - set(classes)):
        raise RunError(f"predictions: '{strange[0]}' is no class of the run; the classes are {', '.join(classes)}")
    return np.array([[name in each for name in classes] for each in names], np.bool_).reshape(-1, len(classes))


def _added(
    unit: Codes, number: int, truth: NDArray[Any], answer: Answer, classes: Sequence[str], weights: Array
) -> tuple[Array, Array, float]:
    """The statistics of the units, the sums of confidence, and the calibration error of clips with these weights."""
    sure = np.zeros((number, 3))
    if answer.probabilities is None:
        statistics, origin = np.zeros((number, NUMBER)), float(truth.mean()) if len(truth) else 0.0
        predicted = answer.predicted.astype(float)
        for one in range(number):
            statistics[one] = moments(truth[unit == one], predicted[unit == one], origin=origin)
        return statistics, sure, float("nan")
    place = {name: number for number, name in enumerate(classes)}
    guess = np.array([place[name] for name in answer.predicted], np.int64)
    several = np.maximum(truth.sum(axis=1), 1)
    hit = truth[np.arange(len(guess)), guess]
    shares = np.where(hit[:, None], np.eye(len(classes))[guess], truth / several[:, None])
    statistics = np.zeros((number, len(classes), len(classes)))
    np.add.at(statistics, (unit[:, None], np.arange(len(classes))[None], guess[:, None]), shares)
    single = truth.sum(axis=1) == 1
    probabilities = answer.probabilities[single].astype(np.float64)
    np.add.at(sure, unit[single], np.stack([probabilities.max(axis=1), hit[single], np.ones(single.sum())], axis=1))
    right = truth[single].argmax(axis=1)
    return (
        statistics,
        sure,
        (expected_calibration_error(probabilities, right, weights[single]) if len(right) else float("nan")),
    )


def write(folder: Path, models: Sequence[Counted]) -> None:
    """Write the counts of models, which `read` reads; the same ones give the same bytes."""
    about, tensors = [], {}
    for number, one in enumerate(models):
        conditions = list(one.statistics)
        tensors[f"{number}.statistics"] = np.stack([one.statistics[condition] for condition in conditions])
        tensors[f"{number}.sure"] = np.stack([one.sure[condition] for condition in conditions])
        tensors[f"{number}.errors"] = np.array([one.errors[condition] for condition in conditions])
        about.append(
            {"model": one.model, "modalities": one.modalities, "classes": one.classes, "clips": one.clips}
            | {"chances": dict(one.chances), "conditions": [list(condition) for condition in conditions]}
            | {"series": one.series, "units": one.units.to_dict("split")["data"]}
        )
    tensors = {name: np.ascontiguousarray(values, np.float64) for name, values in tensors.items()}
    with atomic(folder / FILE) as temporary:
        temporary.write_bytes(save(tensors, {"about": json.dumps(about)}))


def read(folder: Path | str) -> dict[str, Counted]:
    """Model -> its counts, from RUN/robustness/NAME.

    Raises:
        RunError: they are missing or damaged.
    """
    path, found = Path(folder) / FILE, {}
    with (
        reading(path, way="delete the folder and run the same 'mien evaluate' again"),
        safe_open(path, "numpy") as file,
    ):
        about = json.loads((file.metadata() or {})["about"])
        for number, one in enumerate(about):
            conditions = [Condition(*values) for values in one["conditions"]]
            parts = {key: file.get_tensor(f"{number}.{key}") for key in ("statistics", "sure", "errors")}
            found[one["model"]] = Counted(
                one["model"],
                tuple(one["modalities"]),
                tuple(one["classes"]),
                pd.DataFrame(one["units"], columns=["fold", "seed", "speaker", "weight"]),
                dict(zip(conditions, parts["statistics"], strict=True)),
                dict(zip(conditions, parts["sure"], strict=True)),
                dict(zip(conditions, parts["errors"].tolist(), strict=True)),
                one["chances"],
                tuple((modality, pattern) for modality, pattern in one["series"]),
                one["clips"],
            )
    return found
