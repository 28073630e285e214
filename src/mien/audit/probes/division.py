"""Divide clips into those that fit a probe and those that test it, with speakers, recordings or sentences kept apart.

For the factor *speaker*, the same speakers are in training and test clips, in different recordings and with different
sentences where these are known and can be divided: otherwise a probe could recognise a speaker by the room or by the
sentence. For any other factor, each speaker is either in training or in test clips: otherwise a probe could recognise
the speaker and know the factor from it (Li et al. 2020 and Peri et al. 2021 probe so; `seen_speakers` tests speakers
of the training clips, as Peri et al. do with gender).

Every clip of a class that can be divided is tested once (cross-fitting). `description` says what was kept apart.
"""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from mien.audit.probes.task import Codes, Division, Places, ProbingTask
from mien.common.leakage_tables import SPEAKER
from mien.errors import AuditError

FOLDS = 3  # parts of the clips of each speaker; a class needs at least as many clips
MOST = 5  # parts of the speakers, for any other factor
FEWEST_CLIPS = 2  # of a class, to fit a probe on
TRIES = 3  # shuffles, until one leaves every class on both sides
INNER = 4  # one in four training clips is for choosing a probe's setting


def divide(task: ProbingTask) -> Division:
    """Divide the clips of a task; the seed, and whether seen speakers are tested, are options of the task.

    Classes with fewer than three clips are left out and counted in the description. For the factor speaker, sentences
    are kept apart where every speaker stays on both sides. Recordings are kept whole where known, or, where speakers
    are kept apart, where that is possible.

    Returns:
        Up to three parts for the factor speaker or where speakers are not kept apart, else up to five.

    Raises:
        AuditError: nothing can be divided: one class, or one speaker where speakers are to be kept apart.
    """
    factor, seed = task.factor, task.options.seed
    kinds, y = np.unique(np.asarray(task.labels).astype(str), return_inverse=True)
    y = y.astype(np.int64)
    if len(kinds) < 2:
        raise AuditError(
            f"{factor}: there is one class, '{''.join(kinds)}'; a probe needs two: give clips of another class"
        )
    lists = {"speakers": task.speakers, "recordings": task.recordings, "sentences": task.sentences}
    known = {name: _codes(values, len(y), name) for name, values in lists.items() if values is not None}
    by_speaker = factor != SPEAKER and not task.options.seen_speakers and "speakers" in known
    choices = _choices(factor, by_speaker, set(known))
    found, description = None, ""
    for names in choices:
        groups = joined([known[name] for name in names])
        found = _parts(y, groups, _few(y, known, names), MOST if by_speaker else FOLDS, seed)
        description = _words(names)
        if found is not None:
            break
    else:
        raise AuditError(_nothing(factor, known, y, choices))
    parts, left_out = found
    if left_out:
        few = f"clips or {names[0]}" if names and names[0] != "sentences" else "clips"
        description += f"; {left_out} {'class' if left_out == 1 else 'classes'} with too few {few} left out"
    if factor == SPEAKER and "sentences" in known and "sentences" not in names:
        description += "; sentences on both sides"
    if factor != SPEAKER and not by_speaker:
        description += "; speakers on both sides" if "speakers" in known else "; speakers not known"
    return Division(parts, description, groups)


def given(
    parts: Iterable[tuple[ArrayLike, ArrayLike]],
    n: int,
    description: str,
    groups: ArrayLike | None = None,
    choosing: ArrayLike | None = None,
) -> Division:
    """A division by given training rows and test rows.

    Args:
        parts: (training rows, test rows) of each part, as numbers or (n,) masks.
        n: number of clips.
        description: what is kept apart, for the column `split`.
        groups: (n,), groups of clips, such as speakers, that are kept together when settings are chosen.
        choosing: rows to choose settings and the strongest probe on, likewise; None takes some of the training rows.

    Raises:
        AuditError: a row is on two sides, tested twice or does not exist, or a side is empty.
    """
    found = tuple((_rows(train, n), _rows(test, n)) for train, test in parts)
    tested = np.concatenate([test for _, test in found]) if found else np.empty(0, np.intp)
    if len(np.unique(tested)) < len(tested):
        raise AuditError("the given division tests a row twice; test each row once")
    for number, (train, test) in enumerate(found, 1):
        if not len(train) or not len(test):
            raise AuditError(
                f"part {number} of the given division has an empty side; give rows to fit and rows to test"
            )
        if len(both := np.intersect1d(train, test)):
            raise AuditError(f"part {number} of the given division fits and tests row {both[0]}; put it on one side")
    chosen = None if choosing is None else _rows(choosing, n)
    if chosen is not None and len(taken := np.intersect1d(chosen, np.concatenate([*map(np.concatenate, found)]))):
        raise AuditError(f"row {taken[0]} of the given division chooses and is fitted or tested; put it on one side")
    return Division(found, description, None if groups is None else _codes(groups, n, "groups"), chosen)


def inner_part(y: Codes, seed: int, groups: Codes | None = None) -> tuple[Places, Places]:
    """Split off a quarter of the training clips to choose a probe's setting on: (rows that fit, rows that choose).

    Groups are kept whole where every class stays on the fitting side. Otherwise clips of each class are sampled: one of
    two clips, and none where a class has one clip.
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
    """The finest groups that keep the groups of every list whole: (n,), numbers; None without a list."""
    if len(codes) < 2:
        return codes[0] if codes else None
    n, total = len(codes[0]), 0
    ends = []
    for each in codes:  # a graph of clips and groups; its connected components are the joined groups
        ends.append(n + total + each)
        total += int(each.max()) + 1
    rows, columns = np.tile(np.arange(n), len(codes)), np.concatenate(ends)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), (n + total, n + total))
    return np.unique(connected_components(graph, directed=False)[1][:n], return_inverse=True)[1].astype(np.int64)


def _choices(factor: str, by_speaker: bool, known: set[str]) -> list[tuple[str, ...]]:
    """What to keep whole, in the order in which it is tried."""
    recordings = ("recordings",) if "recordings" in known else ()
    if by_speaker:
        return list(dict.fromkeys([("speakers", *recordings), ("speakers",)]))
    if factor == SPEAKER and "sentences" in known:
        return [(*recordings, "sentences"), recordings]
    return [recordings]


def _few(y: Codes, known: dict[str, Codes], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """The classes that cannot be on both sides: too few clips, or all of one speaker or one recording."""
    few = np.bincount(y) < FOLDS
    if names and names[0] != "sentences":  # where sentences cannot be kept apart, they are not kept apart at all
        pairs = np.unique(np.stack([y, known[names[0]]]), axis=1)
        few |= np.bincount(pairs[0], minlength=len(few)) < 2
    return few


def _parts(
    y: Codes, groups: Codes | None, few: NDArray[np.bool_], most: int, seed: int
) -> tuple[tuple[tuple[Places, Places], ...], int] | None:
    """The parts, and how many classes have too few clips and are left out; None where the groups cannot be divided."""
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
                    warnings.simplefilter("ignore", UserWarning)  # a class in fewer groups than folds: checked below
                    turns = list(by_group.split(rows[:, None], y[rows], units[rows]))
            parts = tuple((rows[train], rows[test]) for train, test in turns)
            if all(_stays(y, train, test) for train, test in parts):
                return parts, int(few.sum())
    return None


def _stays(y: Codes, train: Places, test: Places) -> bool:
    """Whether the test part is not empty and each of its classes has clips left to fit the probe on."""
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


def _nothing(factor: str, known: dict[str, Codes], y: Codes, choices: list[tuple[str, ...]]) -> str:
    """Why nothing can be divided, as a sentence."""
    if "speakers" in choices[-1] and len(np.unique(known["speakers"])) < 2:
        return (
            f"{factor}: all clips are of one speaker; give clips of another speaker, or test seen speakers "
            "(--seen-speakers)"
        )
    if "speakers" in choices[-1]:
        return (
            f"{factor}: no division of {len(np.unique(known['speakers']))} speakers leaves every class with clips to "
            "fit a probe on; give more speakers of each class, or test seen speakers (--seen-speakers)"
        )
    within, way = "", ""
    if "recordings" in choices[-1]:
        within = " of two recordings"
        way = ", or a column 'recording' where clips of one file are of several"
    return (
        f"{factor}: fewer than two of {len(np.bincount(y))} classes have {FOLDS} clips{within}; a probe needs clips to "
        f"fit and to test: give more of each class{way}"
    )


def _codes(values: ArrayLike, n: int, name: str) -> Codes:
    codes = np.unique(np.asarray(values).astype(str), return_inverse=True)[1].ravel().astype(np.int64)
    if len(codes) != n:
        raise AuditError(f"there are {len(codes)} {name} for {n} clips; give one for each clip")
    return codes


def _rows(rows: ArrayLike, n: int) -> Places:
    values = np.asarray(rows)
    if values.dtype == bool:
        values = np.flatnonzero(values) if len(values) == n else np.array([n])
    if len(values) and (values.min() < 0 or values.max() >= n):
        raise AuditError(f"the given division names a row that does not exist; rows are 0 to {n - 1}")
    return values.astype(np.intp)
