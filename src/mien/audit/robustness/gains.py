"""What one model scores more than another one under a condition: with the face alone, with half of the voice, ...

A model of sound and pictures *with the face alone* is the model under the condition that all of the sound is missing:
`Condition("audio", "whole", 1.0)`. Both models may be of different runs; they are compared on the speakers that they
share, and their folds by number.
"""

from typing import NamedTuple

from mien.audit.robustness.counted import Counted
from mien.audit.statistics.contrasts import Term, contrast
from mien.common.measures import measure_of
from mien.experiments.conditions import Condition

FACE_ALONE, VOICE_ALONE = Condition("audio", "whole", 1.0), Condition("video", "whole", 1.0)


class Gain(NamedTuple):
    """The score of one model minus that of another.

    Attributes:
        difference: pooled over folds, on the speakers that both have.
        low: lower end of its 95 % interval over speakers; nan with fewer than two.
        high: upper end.
        p: of Wilcoxon's test over speakers, two-sided.
        speakers: how many.
        folds: numbers of the folds that both have.
        scores: the first model's score in each of these folds, the mean over its seeds.
        other_scores: the other model's.
    """

    difference: float
    low: float
    high: float
    p: float
    speakers: int
    folds: tuple[int, ...]
    scores: tuple[float, ...]
    other_scores: tuple[float, ...]


def gain(
    model: Counted, other: Counted, condition: Condition, other_condition: Condition | None = None, *, measure: str = ""
) -> Gain:
    """The first model's score minus the other's.

    Args:
        model: read by `counted.read`.
        other: likewise; the same model under two conditions is allowed.
        condition: of the first model, and of the other one too unless `other_condition` is given. A model that takes
            nothing of the modality that is missing loses nothing.
        other_condition: of the other model.
        measure: "macro_f1" (default), "uar" or "wa" (which is micro F1); of a number "ccc" (default) or "rmse".

    Raises:
        RunError: a condition was not examined.
    """
    measure, second = measure or model.measures[0], condition if other_condition is None else other_condition
    score = measure_of(measure)
    terms = [Term(1.0, model.table(condition), score), Term(-1.0, other.table(second), score)]
    first, then = model.by_fold(condition, measure), other.by_fold(second, measure)
    folds = first.index.intersection(then.index)
    return Gain(
        *contrast(terms),
        tuple(int(fold) for fold in folds),
        tuple(float(value) for value in first[folds]),
        tuple(float(value) for value in then[folds]),
    )
