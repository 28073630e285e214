"""How much of a factor (speaker, gender, emotion, ...) is left in an embedding: new probes on frozen embeddings.

`leakage` is one measurement, on arrays. Scores are in [0, 1]. Every clip is tested once, by probes that were fitted on
other clips (`division`). *The* leakage is the score of the probe `strongest`, the probe with the best score on
validation clips: those that the division has for it, or else inner parts of the training clips. Compare a score with
chance, with the same probe fitted on shuffled labels, with p (all in the same row), and with the floors (`floors`).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.leakage.numbers import number_leakage
from mien.audit.probes.division import divide, inner_part
from mien.audit.probes.leace import Eraser
from mien.audit.probes.probes import PROBES, read
from mien.audit.probes.task import Codes, Division, ProbingTask
from mien.audit.statistics.measures import score_rows
from mien.audit.statistics.significance import holm
from mien.common.leakage_tables import LEAKAGE, MEASURED, STRONGEST
from mien.errors import AuditError, unknown


class Predictions(NamedTuple):
    """Predictions of the probes for the test clips.

    Attributes:
        rows: (m,), the clips, in order.
        truth: (m,), their classes, numbers.
        predicted: probe -> (m,).
        shuffled: probe -> (m,), of the same probe fitted on shuffled labels.
        validation: probe -> UAR on the clips that choose, the mean over parts.
        kinds: number of classes that the probes know.
        description: how the clips were divided, for the column `split`.
        crossed: whether there is more than one part, so that clips that test one probe fit another.
    """

    rows: NDArray[np.intp]
    truth: Codes
    predicted: dict[str, Codes]
    shuffled: dict[str, Codes]
    validation: dict[str, float]
    kinds: int
    description: str
    crossed: bool


def leakage(
    embedding: NDArray[np.floating],
    task: ProbingTask,
    *,
    probes: Iterable[str] = tuple(PROBES),
    erase: ArrayLike | None = None,
) -> pd.DataFrame:
    """Scores of new probes that predict the factor of a task from an embedding.

    Args:
        embedding: (n, D), one row a clip, finite.
        task: the factor and its n clips.
        probes: names in `PROBES`; a number has probes of its own, see `numbers`.
        erase: (n,), labels that LEACE erases before the probes are fitted. The eraser is fitted on the training rows of
            each part; while settings and the strongest probe are chosen, without the rows that choose.

    Returns:
        `leakage.csv` from `factor` on: for each probe, and again for the `strongest`, the measures uar, accuracy and f1
        (of a number ccc) with role "measured". p_corrected is empty: see `corrected`.

    Raises:
        AuditError: the clips cannot be divided, or an embedding or a list has the wrong shape or values.
    """
    if task.numbers is not None:
        return number_leakage(embedding, task, erase=erase)
    division = task.division or divide(task)
    found = predict(embedding, task.labels, division, probes=probes, erase=erase, seed=task.options.seed)
    return scored(found, task)


def scored(found: Predictions, task: ProbingTask) -> pd.DataFrame:
    """The rows of `leakage`, from predictions of probes."""
    seed = task.options.seed
    if task.balanced is not None:
        found = _balanced(found, np.asarray(task.balanced).astype(str), seed)
    clusters, among = (None if each is None else _codes(each)[found.rows] for each in (task.clusters, task.blocks))
    tables = {
        name: score_rows(
            found.truth,
            predicted,
            found.shuffled[name],
            clusters,
            blocks=among,
            kinds=found.kinds,
            crossed=found.crossed,
            seed=seed,
        )
        for name, predicted in found.predicted.items()
    }
    best = max(tables, key=lambda name: found.validation[name])
    over = "" if task.balanced is None else task.over
    place = {"factor": task.factor, "balanced": over, "role": MEASURED, "speakers": task.options.speakers}
    rows = [
        {**place, "probe": name, **row, "split": f"{found.description}; {row['split']}"}
        for name, table in {**tables, STRONGEST: tables[best]}.items()
        for row in table
    ]
    return pd.DataFrame(rows, columns=list(LEAKAGE[LEAKAGE.index("factor") :]))


def predict(
    embedding: NDArray[np.floating],
    labels: ArrayLike,
    division: Division,
    *,
    probes: Iterable[str] = tuple(PROBES),
    erase: ArrayLike | None = None,
    seed: int = 0,
) -> Predictions:
    """Fit probes on the training clips of each part and apply them to its test clips; see `leakage` for the arguments.

    Test clips of a class without training clips in their part are left out; the description says how many.
    """
    names = list(probes)
    for name in names:
        if name not in PROBES:
            raise AuditError(unknown("probe", name, PROBES))
    X, y = np.asarray(embedding), _codes(labels)
    _check(X, y, erase)
    erased = None if erase is None else np.asarray(erase).astype(str)
    shuffle = np.random.default_rng([seed, 2])
    predicted, shuffled = ({name: np.full(len(y), -1, np.int64) for name in names} for _ in range(2))
    validation: dict[str, list[float]] = {name: [] for name in names}
    tested: list[NDArray[np.intp]] = []
    lost = 0
    kinds: set[int] = set()
    for train, listed in division.parts:
        known = np.unique(y[train])
        test = listed[np.isin(y[listed], known)]
        lost += len(listed) - len(test)
        kinds |= set(known.tolist())
        if len(known) < 2 or not len(test):
            raise AuditError("a part of the division has one class to fit a probe on; give it clips of another class")
        search, inner = _choosing(train, y, division, seed)
        searched, inside, outside = X[search], X[train], X[test]
        if erased is not None:
            # an eraser fitted on the clips that choose, too, would push their scores below chance
            searched = Eraser.fit(searched[inner[0]], erased[search][inner[0]]).apply(searched)
            eraser = Eraser.fit(inside, erased[train])
            inside, outside = eraser.apply(inside), eraser.apply(outside)
        mixed = shuffle.permutation(y[train])
        fitted, final = y[search], (inside, y[train])
        found = read(names, searched, fitted, outside, mixed=mixed, seed=seed, inner=inner, final=final)
        for name, reading in found.items():
            validation[name].append(reading.validation)
            predicted[name][test], shuffled[name][test] = reading.predicted, reading.shuffled
        tested.append(test)
    rows = np.sort(np.concatenate(tested))
    description = division.description + (f"; {lost} clips of a class without training clips left out" if lost else "")
    if erased is not None:
        description += "; eraser fitted on training clips"
    return Predictions(
        rows,
        y[rows],
        {name: values[rows] for name, values in predicted.items()},
        {name: values[rows] for name, values in shuffled.items()},
        {name: float(np.mean(values)) for name, values in validation.items()},
        len(kinds),
        description,
        len(division.parts) > 1,
    )


def _choosing(
    train: NDArray[np.intp], y: Codes, division: Division, seed: int
) -> tuple[NDArray[np.intp], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The rows that a choice needs, and their places: those that fit while choosing, and those that choose."""
    if division.choosing is None:
        groups = None if division.groups is None else division.groups[train]
        return train, inner_part(y[train], seed, groups)
    others = division.choosing[np.isin(y[division.choosing], y[train])]
    if len(np.unique(y[others])) < 2:
        raise AuditError(
            "the rows of the division that choose a probe have fewer than two of the classes that it is fitted on; "
            "give it others, or none"
        )
    places = np.arange(len(train) + len(others))
    return np.concatenate([train, others]), (places[: len(train)], places[len(train) :])


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `p_corrected`: Holm's correction over the factors that one probe predicts from one embedding.

    Rows of one embedding, model, fold, seed, role, probe and measure are corrected together, those of seen and unseen
    speakers too; rows without p are not.
    """
    together = ["embedding", "eraser", "model", "fold", "seed", "role", "probe", "measure"]
    found = table.copy()
    if table.empty:
        return found
    p = found.groupby(together, dropna=False, sort=False)["p"]
    return found.assign(p_corrected=p.transform(lambda part: holm(part.to_numpy(float))))


def _balanced(found: Predictions, other: NDArray[np.str_], seed: int) -> Predictions:
    """Keep equally many test clips of each class within each class of the other factor.

    A class of the other factor that lacks a class is left out.
    """
    random = np.random.default_rng([seed, 6])
    classes, kept = len(np.unique(found.truth)), []
    for kind in np.unique(other[found.rows]):
        inside = np.flatnonzero(other[found.rows] == kind)
        truth = found.truth[inside]
        present, counts = np.unique(truth, return_counts=True)
        if len(present) == classes:
            kept += [random.permutation(inside[truth == each])[: counts.min()] for each in present]
    if not kept:
        raise AuditError(
            "no class of the other factor has test clips of all classes, so nothing can be balanced over it"
        )
    places = np.sort(np.concatenate(kept))
    description = f"{found.description}; {len(places)} of {len(found.rows)} test clips, balanced"
    return found._replace(
        rows=found.rows[places],
        truth=found.truth[places],
        predicted={name: values[places] for name, values in found.predicted.items()},
        shuffled={name: values[places] for name, values in found.shuffled.items()},
        description=description,
    )


def _check(X: NDArray[np.floating], y: Codes, erase: ArrayLike | None) -> None:
    if X.ndim != 2 or len(X) != len(y):
        raise AuditError(f"embeddings of shape {X.shape} for {len(y)} labels; give one row for each label, (n, D)")
    if erase is not None and len(np.asarray(erase)) != len(y):
        raise AuditError(f"{len(np.asarray(erase))} labels to erase for {len(y)} clips; give one for each clip")
    if len(bad := np.flatnonzero(~np.isfinite(X).all(1))):
        raise AuditError(f"embedding {bad[0]} is not finite; leave out rows with nan or infinity")


def _codes(values: ArrayLike) -> Codes:
    return np.unique(np.asarray(values).astype(str), return_inverse=True)[1].ravel().astype(np.int64)
