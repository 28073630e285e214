"""How much of a factor (speaker, gender, emotion, ...) is left in an embedding: fresh probes on frozen embeddings.

`leakage` is one measurement and knows arrays only. Scores are in [0, 1]. Every clip is tested once, by probes that were
fitted on other clips (`division`); *the* leakage is what the probe `strongest` reads, the one with the best score on
inner validation parts of the training clips. What a score has to be held against stands beside it: chance, the same
probe fitted on shuffled labels, p, and floors (`floors`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.probes.division import SPEAKER, Division, divide, given, inner_part
from mien.audit.probes.leace import Eraser
from mien.audit.probes.probes import PROBES
from mien.audit.statistics.measures import score_rows
from mien.audit.statistics.significance import holm
from mien.errors import AuditError, unknown

COLUMNS = (
    *("embedding", "model", "fold", "seed", "factor", "probe", "role", "speakers", "split", "measure", "score"),
    *("chance", "shuffled", "low", "high", "p", "p_corrected", "n", "classes"),
)
STRONGEST = "strongest"

Codes = NDArray[np.int64]


class Asked(TypedDict, total=False):
    """What is asked of all embeddings alike; see `leakage`."""

    factor: str
    speakers: ArrayLike | None
    recordings: ArrayLike | None
    sentences: ArrayLike | None
    division: Division | Sequence[tuple[ArrayLike, ArrayLike]] | None
    apart: str
    probes: Iterable[str]
    balanced: ArrayLike | None
    seen: str | None
    seed: int


class Predictions(NamedTuple):
    """What probes said of the clips that were tested.

    Attributes:
        rows: (m,), the clips, in order.
        truth: (m,), their classes, numbers.
        predicted: probe -> (m,).
        shuffled: probe -> (m,), fitted on shuffled labels.
        validation: probe -> UAR on the inner validation parts, the mean over parts.
        kinds: classes that the probes know.
        told: how the clips were divided.
        crossed: whether there is more than one part, so that clips that test one probe fit another.
    """

    rows: NDArray[np.intp]
    truth: Codes
    predicted: dict[str, Codes]
    shuffled: dict[str, Codes]
    validation: dict[str, float]
    kinds: int
    told: str
    crossed: bool


def leakage(
    embedding: NDArray[np.floating], labels: ArrayLike, *, erase: ArrayLike | None = None, **asked: Unpack[Asked]
) -> pd.DataFrame:
    """What fresh probes read of a factor from an embedding.

    Args:
        embedding: (n, D), one row a clip, finite.
        labels: (n,), the factor: the class of each clip.
        erase: (n,), labels that LEACE erases first, fitted on the training rows of each part alone; to choose settings
            and the strongest probe, on those of them that fit then.
        asked: any of these.

            - factor: its name; "speaker", the default, is read with the same speakers on both sides, anything else
              across speakers.
            - speakers: (n,), who speaks: kept apart for other factors, and the clusters of the intervals. For the
              factor speaker these are the labels.
            - recordings: (n,), in which recording a clip was cut; kept whole.
            - sentences: (n,), what is said; kept apart for the factor speaker where that is possible.
            - division: how to divide instead: of `divide`, or (training rows, test rows) a part.
            - apart: "clips" tests people that probes have seen, whatever the factor.
            - probes: names in `PROBES`; all by default.
            - balanced: (n,), labels of another factor, such as speaker where emotion is read: test clips are drawn so
              that all classes are equally frequent within each of its classes, and it says nothing about them.
            - seen: what to write as `speakers`: seen or unseen by the encoder.
            - seed: of division, probes, shuffling, bootstrap and permutations; 0 by default.

    Returns:
        `leakage.csv` from `factor` on: for each probe, and again for the `strongest`, the measures uar, accuracy and f1
        with role "measured". p_corrected is empty: see `corrected`.

    Raises:
        AuditError: when there is nothing that can be divided, or an embedding or list that does not fit.
    """
    division = divided(labels, **asked)
    probes, seed = asked.get("probes", PROBES), asked.get("seed", 0)
    found = predict(embedding, labels, division, probes=probes, erase=erase, seed=seed)
    return scored(found, labels, **asked)


def divided(labels: ArrayLike, **asked: Unpack[Asked]) -> Division:
    """The division that is asked for, or else the one of `divide`."""
    factor, told = asked.get("factor", SPEAKER), asked.get("division")
    people = labels if factor == SPEAKER else asked.get("speakers")
    if told is None:
        return divide(
            labels,
            factor=factor,
            speakers=people,
            recordings=asked.get("recordings"),
            sentences=asked.get("sentences"),
            seed=asked.get("seed", 0),
            apart=asked.get("apart", "auto"),
        )
    if isinstance(told, Division):
        return told
    return given(told, len(np.asarray(labels)), "division as given", None if factor == SPEAKER else people)


def scored(found: Predictions, labels: ArrayLike, **asked: Unpack[Asked]) -> pd.DataFrame:
    """The rows of `leakage` from what probes have said."""
    factor, seed = asked.get("factor", SPEAKER), asked.get("seed", 0)
    people = labels if factor == SPEAKER else asked.get("speakers")
    blocks = asked.get("recordings") if factor == SPEAKER else people
    if (other := asked.get("balanced")) is not None:
        found = _balanced(found, np.asarray(other).astype(str), seed)
    clusters, among = (None if each is None else _codes(each)[found.rows] for each in (people, blocks))
    tables = {
        name: score_rows(
            found.truth,
            said,
            found.shuffled[name],
            clusters,
            blocks=among,
            kinds=found.kinds,
            crossed=found.crossed,
            seed=seed,
        )
        for name, said in found.predicted.items()
    }
    best = max(tables, key=lambda name: found.validation[name])
    place = {"factor": factor, "role": "measured", "speakers": asked.get("seen")}
    rows = [
        {**place, "probe": name, **row, "split": f"{found.told}; {row['split']}"}
        for name, table in {**tables, STRONGEST: tables[best]}.items()
        for row in table
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS[COLUMNS.index("factor") :]))


def predict(
    embedding: NDArray[np.floating],
    labels: ArrayLike,
    division: Division,
    *,
    probes: Iterable[str] = tuple(PROBES),
    erase: ArrayLike | None = None,
    seed: int = 0,
) -> Predictions:
    """Fit probes on the training clips of each part, test them on the others; see `leakage` for the arguments.

    Test clips of a class that a part has too few training clips of cannot be named: they are left out, which is told.
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
    for train, asked in division.parts:
        known = np.unique(y[train])
        test = asked[np.isin(y[asked], known)]
        lost += len(asked) - len(test)
        kinds |= set(known.tolist())
        if len(known) < 2 or not len(test):
            raise AuditError("a part of the division has one class to fit a probe on; give it clips of another")
        inner = inner_part(y[train], seed, None if division.groups is None else division.groups[train])
        searched = inside = X[train]
        outside = X[test]
        if erased is not None:
            # an eraser that has seen the clips that choose pushes what they tell below chance
            searched = Eraser.fit(inside[inner[0]], erased[train][inner[0]]).apply(inside)
            eraser = Eraser.fit(inside, erased[train])
            inside, outside = eraser.apply(inside), eraser.apply(outside)
        mixed = shuffle.permutation(y[train])
        for name in names:
            fitted = PROBES[name](searched, y[train], seed, inner, inside)
            validation[name].append(fitted.validation)
            predicted[name][test] = fitted.predict(outside)
            shuffled[name][test] = fitted.again(inside, mixed).predict(outside)
        tested.append(test)
    rows = np.sort(np.concatenate(tested))
    told = division.told + (f"; {lost} clips of a class without training clips left out" if lost else "")
    if erased is not None:
        told += "; eraser fitted on training clips"
    return Predictions(
        rows,
        y[rows],
        {name: values[rows] for name, values in predicted.items()},
        {name: values[rows] for name, values in shuffled.items()},
        {name: float(np.mean(values)) for name, values in validation.items()},
        len(kinds),
        told,
        len(division.parts) > 1,
    )


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `p_corrected`: Holm over the factors read from one embedding by one probe.

    Rows of one embedding, model, fold, seed, role, probe and measure are corrected together, those of seen and unseen
    people too; without p nothing is.
    """
    together = ["embedding", "model", "fold", "seed", "role", "probe", "measure"]
    found = table.copy()
    if table.empty:
        return found
    p = found.groupby(together, dropna=False, sort=False)["p"]
    return found.assign(p_corrected=p.transform(lambda part: holm(part.to_numpy(float))))


def _balanced(found: Predictions, other: NDArray[np.str_], seed: int) -> Predictions:
    """As many test clips of each class within each class of the other factor; classes there that lack one are lost."""
    random = np.random.default_rng([seed, 6])
    classes, kept = len(np.unique(found.truth)), []
    for kind in np.unique(other[found.rows]):
        inside = np.flatnonzero(other[found.rows] == kind)
        truth = found.truth[inside]
        present, counts = np.unique(truth, return_counts=True)
        if len(present) == classes:
            kept += [random.permutation(inside[truth == each])[: counts.min()] for each in present]
    if not kept:
        raise AuditError("no class of the other factor has test clips of all classes; nothing can be balanced over it")
    places = np.sort(np.concatenate(kept))
    told = f"{found.told}; {len(places)} of {len(found.rows)} test clips, balanced"
    return found._replace(
        rows=found.rows[places],
        truth=found.truth[places],
        predicted={name: values[places] for name, values in found.predicted.items()},
        shuffled={name: values[places] for name, values in found.shuffled.items()},
        told=told,
    )


def _check(X: NDArray[np.floating], y: Codes, erase: ArrayLike | None) -> None:
    if X.ndim != 2 or len(X) != len(y):
        raise AuditError(f"embeddings of shape {X.shape} for {len(y)} labels; give one row a label, (n, D)")
    if erase is not None and len(np.asarray(erase)) != len(y):
        raise AuditError(f"{len(np.asarray(erase))} labels to erase for {len(y)} clips; give one a clip")
    if len(bad := np.flatnonzero(~np.isfinite(X).all(1))):
        raise AuditError(f"embedding {bad[0]} is not finite; give numbers")


def _codes(values: ArrayLike) -> Codes:
    return np.unique(np.asarray(values).astype(str), return_inverse=True)[1].ravel().astype(np.int64)
