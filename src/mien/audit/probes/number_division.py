"""Divide clips into those that fit a probe of a number and those that test it, as `division` does for classes.

The division is random and does not look at the numbers. If the parts had equal shares of them, as parts have of
classes, true numbers would be predicted better than permuted ones, and p would be too small.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import GroupKFold, KFold

from mien.audit.probes.division import FOLDS, INNER, MOST, joined
from mien.audit.probes.task import Codes, Division, Places, ProbingTask
from mien.errors import AuditError


def divide(task: ProbingTask) -> Division:
    """Divide the clips of a task whose factor is a number, by its seed.

    Speakers are kept apart, unless `seen_speakers`; recordings are kept whole where known and, where speakers are kept
    apart, where that is possible.

    Returns:
        Up to five parts where speakers are kept apart, else up to three. Every clip is tested once.

    Raises:
        AuditError: all clips are of one speaker where speakers are to be kept apart, or of one recording.
    """
    lists = {"speakers": task.speakers, "recordings": task.recordings}
    known = {name: _codes(values) for name, values in lists.items() if values is not None}
    by_speaker = "speakers" in known and not task.options.seen_speakers
    recordings = ("recordings",) if "recordings" in known else ()
    choices = [("speakers", *recordings), ("speakers",)] if by_speaker else [recordings]
    n, most = len(np.asarray(task.numbers)), MOST if by_speaker else FOLDS
    for names in choices:
        groups = joined([known[name] for name in names])
        if parts := tuple(_parts(n, groups, most, task.options.seed)):
            words = " and ".join(("disjoint speakers" if by_speaker else "disjoint clips", *names[by_speaker:]))
            both = "" if by_speaker else "; speakers on both sides" if "speakers" in known else "; speakers not known"
            return Division(parts, words + both, groups)
    of, way = ("speaker", ", or test seen speakers (--seen-speakers)") if by_speaker else ("recording", "")
    raise AuditError(f"{task.factor}: all clips are of one {of}; give clips of another {of}{way}")


def choosing(train: Places, division: Division, seed: int) -> tuple[Places, Places]:
    """The rows that fit while a setting is chosen, and those that choose it.

    Args:
        train: the training rows of a part of the division.
        division: its rows for choosing, if it has any; else one in four training rows, or groups of these.
        seed: of that sample.
    """
    if division.choosing is not None:
        return train, division.choosing
    groups = None if division.groups is None else division.groups[train]
    inner = next(_parts(len(train), groups, INNER, seed), None) or next(_parts(len(train), None, INNER, seed), None)
    return (train, train[:0]) if inner is None else (train[inner[0]], train[inner[1]])


def _parts(n: int, groups: Codes | None, most: int, seed: int) -> Iterator[tuple[Places, Places]]:
    """(training rows, test rows) of each part; none where there are fewer than two groups, or clips."""
    count = min(most, n if groups is None else len(np.unique(groups)))
    if count < 2:
        return
    folds = (KFold if groups is None else GroupKFold)(count, shuffle=True, random_state=seed)
    for train, test in folds.split(np.empty((n, 1)), groups=groups):
        yield train.astype(np.intp), test.astype(np.intp)


def _codes(values: ArrayLike) -> Codes:
    return np.unique(np.asarray(values).astype(str), return_inverse=True)[1].ravel().astype(np.int64)
