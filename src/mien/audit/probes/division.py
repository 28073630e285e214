"""Which clips fit a probe and which test it: people, recordings and sentences on one side each.

To read *speaker*, the same people stand on both sides, in other recordings and with other sentences where these are
known and can be divided: else a probe names a person by a room or by what only that person says. To read any other
factor, whole people stand on one side each: else a probe that knows the person knows the factor (Li et al. 2020 and
Peri et al. 2021 probe so; `apart="clips"` lets heard people be tested, as Peri et al. do with gender).

Every clip of a class that can be divided is tested once (cross-fitting). The words in `told` say what was done.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from mien.errors import AuditError

Places = NDArray[np.intp]
Codes = NDArray[np.int64]

SPEAKER = "speaker"
APART = ("auto", "clips")
FOLDS = 3  # parts of the clips of each speaker; a class needs as many clips
MOST = 5  # parts of the speakers, for any other factor
FEWEST_CLIPS = 2  # of a class, that a probe is fitted on
TRIES = 3  # shufflings, until one leaves every class on both sides
INNER = 4  # one in four of the training clips chooses a probe's setting


@dataclass(frozen=True)
class Division:
    """How the clips of one measurement are divided.

    Attributes:
        parts: (training rows, test rows) of each part; no row is tested twice.
        told: what was kept apart, in words.
        groups: (n,), what is kept whole; None where clips alone are apart. Also keeps the choice of settings apart.
    """

    parts: tuple[tuple[Places, Places], ...]
    told: str
    groups: Codes | None = None


def divide(
    labels: ArrayLike,
    *,
    factor: str = SPEAKER,
    speakers: ArrayLike | None = None,
    recordings: ArrayLike | None = None,
    sentences: ArrayLike | None = None,
    seed: int = 0,
    apart: str = "auto",
) -> Division:
    """Divide clips to read a factor from them.

    Args:
        labels: (n,), the class of each clip; classes with fewer than three clips are left out, which is told.
        factor: what the labels are; "speaker" is divided by clips, anything else by speakers.
        speakers: (n,), who speaks; not used for the factor speaker.
        recordings: (n,), in which recording a clip was cut; always kept whole where they are known.
        sentences: (n,), what is said; kept apart for the factor speaker where every speaker stays on both sides.
        seed: of the division.
        apart: "auto", or "clips": people (and sentences) on both sides, whatever the factor.

    Returns:
        Up to three parts for the factor speaker or where people are not apart, up to five where they are.

    Raises:
        AuditError: when nothing can be divided: one class, or one speaker where speakers are to be apart.
    """
    if apart not in APART:
        raise AuditError(f"apart = '{apart}' is no way to divide clips; there are {' and '.join(APART)}")
    kinds, y = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    y = y.astype(np.int64)
    if len(kinds) < 2:
        raise AuditError(f"{factor}: there is one class, '{''.join(kinds)}'; a probe needs two: give clips of another")
    known = {
        name: _codes(values, len(y), name)
        for name, values in (("speakers", speakers), ("recordings", recordings), ("sentences", sentences))
        if values is not None
    }
    people = factor != SPEAKER and apart == "auto" and "speakers" in known
    asked = _asked(factor, apart, set(known))
    found, told = None, ""
    for names in asked:
        groups = joined([known[name] for name in names])
        found, told = _parts(y, groups, _few(y, known, names), MOST if people else FOLDS, seed), _words(names)
        if found is not None:
            break
    else:
        raise AuditError(_nothing(factor, known, y, asked))
    parts, left_out = found
    if left_out:
        told += f"; {left_out} {'class' if left_out == 1 else 'classes'} of too few left out"
    if factor == SPEAKER and "sentences" in known and "sentences" not in names:
        told += "; sentences on both sides"
    if factor != SPEAKER and not people:
        told += "; speakers on both sides" if "speakers" in known else "; speakers not known"
    return Division(parts, told, groups)


def given(parts: Iterable[tuple[ArrayLike, ArrayLike]], n: int, told: str, groups: ArrayLike | None = None) -> Division:
    """A division that is told: training rows and test rows.

    Args:
        parts: (rows, rows), numbers or (n,) masks.
        n: clips there are.
        told: what is apart, in words.
        groups: (n,), what else is to be kept whole when settings are chosen, such as speakers.

    Raises:
        AuditError: when a row is on both sides, tested twice or not there, or a side is empty.
    """
    found = tuple((_rows(train, n), _rows(test, n)) for train, test in parts)
    tested = np.concatenate([test for _, test in found]) if found else np.empty(0, np.intp)
    if len(np.unique(tested)) < len(tested):
        raise AuditError("the division given tests a row twice; test each once")
    for number, (train, test) in enumerate(found, 1):
        if not len(train) or not len(test):
            raise AuditError(
                f"part {number} of the division given has an empty side; give rows to fit and rows to test"
            )
        if len(both := np.intersect1d(train, test)):
            raise AuditError(f"part {number} of the division given fits and tests row {both[0]}; give it to one side")
    return Division(found, told, None if groups is None else _codes(groups, n, "groups"))


def inner_part(y: Codes, seed: int, groups: Codes | None = None) -> tuple[Places, Places]:
    """A quarter of training clips apart, to choose a probe's setting on: (rows that fit, rows that choose).

    Groups are kept whole where every class stays on the fitting side; else clips of each class are drawn: of a class of
    two one stays, and one of one only fits.
    """
    if groups is not None and (found := _inner_groups(y, seed, groups)) is not None:
        return found
    random = np.random.default_rng([seed, 1])
    order = random.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    sizes = np.bincount(y)
    within = np.arange(len(y)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    counts = np.where(sizes > 1, np.maximum(1, np.round(sizes / INNER)), 0)
    chosen = within < np.repeat(counts, sizes)
    return np.sort(order[~chosen]), np.sort(order[chosen])


def joined(codes: Sequence[Codes]) -> Codes | None:
    """The finest groups that keep the groups of every list whole: (n,), numbers; None of no list."""
    if len(codes) < 2:
        return codes[0] if codes else None
    n, total = len(codes[0]), 0
    ends = []
    for each in codes:  # a graph of clips and groups; what hangs together is one
        ends.append(n + total + each)
        total += int(each.max()) + 1
    rows, columns = np.tile(np.arange(n), len(codes)), np.concatenate(ends)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), (n + total, n + total))
    return np.unique(connected_components(graph, directed=False)[1][:n], return_inverse=True)[1].astype(np.int64)


def _asked(factor: str, apart: str, known: set[str]) -> list[tuple[str, ...]]:
    """What to keep whole, in the order in which it is tried."""
    recordings = ("recordings",) if "recordings" in known else ()
    if factor != SPEAKER and apart == "auto" and "speakers" in known:
        return list(dict.fromkeys([("speakers", *recordings), ("speakers",)]))
    if factor == SPEAKER and apart == "auto" and "sentences" in known:
        return [(*recordings, "sentences"), recordings]
    return [recordings]


def _few(y: Codes, known: dict[str, Codes], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """The classes that cannot be on both sides: few clips, or all of one speaker or one recording."""
    few = np.bincount(y) < FOLDS
    if names and names[0] != "sentences":  # sentences may stand on both sides; then they are not kept apart at all
        pairs = np.unique(np.stack([y, known[names[0]]]), axis=1)
        few |= np.bincount(pairs[0], minlength=len(few)) < 2
    return few


def _parts(
    y: Codes, groups: Codes | None, few: NDArray[np.bool_], most: int, seed: int
) -> tuple[tuple[tuple[Places, Places], ...], int] | None:
    """The parts, and how many classes are left out for being too few; None where the groups cannot be divided so."""
    units = np.arange(len(y)) if groups is None else groups
    rows = np.flatnonzero(~few[y])
    if len(np.unique(y[rows])) < 2:
        return None
    count = min(most, len(np.unique(units[rows])))
    for folds in range(count, 1, -1):
        for turn in range(TRIES):
            if groups is None:
                by_clip = StratifiedKFold(folds, shuffle=True, random_state=seed + 1000 * turn)
                turns = list(by_clip.split(rows[:, None], y[rows]))
            else:
                by_group = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + 1000 * turn)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # a class in fewer groups than folds: looked at below
                    turns = list(by_group.split(rows[:, None], y[rows], units[rows]))
            parts = tuple((rows[train], rows[test]) for train, test in turns)
            if all(_stays(y, train, test) for train, test in parts):
                return parts, int(few.sum())
    return None


def _stays(y: Codes, train: Places, test: Places) -> bool:
    """Whether every class of a test part, which is not empty, has clips left to fit the probe on."""
    left = np.bincount(y[train], minlength=int(y.max()) + 1)
    return len(test) > 0 and bool((left[y[test]] >= FEWEST_CLIPS).all())


def _inner_groups(y: Codes, seed: int, groups: Codes) -> tuple[Places, Places] | None:
    if len(np.unique(groups)) < 2:
        return None
    folds = StratifiedGroupKFold(min(INNER, len(np.unique(groups))), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for train, chosen in folds.split(y[:, None], y, groups):
            if len(chosen) and len(np.unique(y[train])) == len(np.unique(y)):
                return train, chosen
    return None


def _words(names: tuple[str, ...]) -> str:
    if "speakers" in names:
        return " and ".join(("disjoint speakers", *names[1:]))
    return " and ".join(("disjoint clips", *names)) if len(names) < 2 else "disjoint clips, recordings and sentences"


def _nothing(factor: str, known: dict[str, Codes], y: Codes, asked: list[tuple[str, ...]]) -> str:
    if "speakers" in asked[-1] and len(np.unique(known["speakers"])) < 2:
        return f"{factor}: all clips are of one speaker; give clips of another, or test heard people (--seen-speakers)"
    if "speakers" in asked[-1]:
        return (
            f"{factor}: no division of {len(np.unique(known['speakers']))} speakers leaves every class with clips to "
            "fit a probe on; give more speakers of each class, or test heard people (--seen-speakers)"
        )
    within = " of two recordings" if "recordings" in asked[-1] else ""
    return (
        f"{factor}: fewer than two of {len(np.bincount(y))} classes have {FOLDS} clips{within}; a probe needs clips to "
        "fit and to test: give more of each class"
    )


def _codes(values: ArrayLike, n: int, name: str) -> Codes:
    codes = np.unique(np.asarray(values).astype(str), return_inverse=True)[1].ravel().astype(np.int64)
    if len(codes) != n:
        raise AuditError(f"there are {len(codes)} {name} for {n} clips; give one a clip")
    return codes


def _rows(rows: ArrayLike, n: int) -> Places:
    values = np.asarray(rows)
    if values.dtype == bool:
        values = np.flatnonzero(values) if len(values) == n else np.array([n])
    if len(values) and (values.min() < 0 or values.max() >= n):
        raise AuditError(f"the division given names a row that is not there; rows are 0 to {n - 1}")
    return values.astype(np.intp)
