"""How often an ensemble answers on a corpus that none of its members was trained on; no labels are needed.

A run calibrates the members of one fold together, since no clip of the run has more members that have not seen its
speaker. In use the members of all folds are averaged; as they differ more, the average is less confident. On another
corpus it can be measured how much lower the coverage becomes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.audit.statistics import scores
from mien.common.tables import records
from mien.corpora import readers
from mien.data.dataset import Dataset
from mien.runs.description import Elsewhere, Score
from mien.runs.ensemble import Ensemble


def elsewhere(ensemble: Ensemble, folds: Sequence[int], dataset: Dataset) -> Elsewhere:
    """Classify all clips of a corpus with an ensemble, each clip as a whole.

    Args:
        ensemble: the models, with their temperature and threshold.
        folds: the fold of each member, in the order of members.
        dataset: the corpus with the scheme and the extracted features of the ensemble.
    """
    examples = dataset.examples(list(dataset.clips["clip"]), {})
    each = np.stack(
        [
            model.infer(examples, embed=False).probabilities(ensemble.target, ensemble.temperature)
            for model in ensemble.models
        ]
    )
    together = each.mean(axis=0)
    apart = [each[np.array(folds) == fold].mean(axis=0) for fold in sorted(set(folds))]
    answers = together.argmax(axis=1)[_answered(together, ensemble.unsure)]
    shares = np.bincount(answers, minlength=len(ensemble.classes)) / max(1, len(answers))
    score = _score(together, ensemble.classes, dataset)
    card = dataset.prepared.card
    return Elsewhere(
        corpus=dataset.prepared.called,
        speech=readers.reader(card["name"]).SPEECH,
        clips=len(together),
        speakers=int(dataset.clips["speaker"].nunique()),
        coverage=round(len(answers) / len(together), 4),
        coverage_of_a_fold=round(float(np.mean([_answered(one, ensemble.unsure).mean() for one in apart])), 4),
        answers={
            name: round(float(share), 4) for name, share in zip(ensemble.classes, shares, strict=True) if len(answers)
        },
        score=score,
        accuracy=None if dataset.main.kind == "numbers" else _accuracy(together, ensemble, dataset),
    )


def _answered(probabilities: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    return np.asarray(probabilities.max(axis=1) >= threshold)


def _accuracy(probabilities: NDArray[np.float64], ensemble: Ensemble, dataset: Dataset) -> float | None:
    """The share of the answers on clips of a known class that name it; None without such an answer."""
    labels = dataset.clips["label"]
    asked = _answered(probabilities, ensemble.unsure) & labels.notna().to_numpy()
    best = [ensemble.classes[number] for number in probabilities.argmax(axis=1)]
    right = [name in str(label).split("+") for name, label, take in zip(best, labels, asked, strict=True) if take]
    return round(float(np.mean(right)), 4) if right else None


def _score(probabilities: NDArray[np.float64], classes: Sequence[str], dataset: Dataset) -> Score | None:
    """UAR and WA on the clips of a known class, of which the ensemble predicts any.

    None if they have fewer than two classes, or if each member has limits of levels, or clusters, of its own.
    """
    if dataset.main.kind == "numbers":
        return None
    predicted = [classes[number] for number in probabilities.argmax(axis=1)]
    rows = dataset.clips.reset_index(drop=True).assign(predicted=predicted, model="", split="test", fold=0, seed=0)
    rows["truth"] = rows["label"]
    known = rows[rows["label"].notna()]
    if len({name for label in known["label"] for name in label.split("+")}) < 2:
        return None
    (row,) = records(scores.summary(known, classes))
    return Score.of(dataset.prepared.called, row)
