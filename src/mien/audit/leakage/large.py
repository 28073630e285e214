"""Leakage of embeddings of very many clips, in a mode with bounded memory and time.

One division instead of cross-fitting, one setting per probe (`large_probes`), at most `TEST` test rows and `VALIDATION`
rows to choose the strongest probe on. The column `split` names the mode; otherwise the rows are those of `leakage`.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.probes import large_probes
from mien.audit.probes.division import FEWEST_CLIPS, TRIES, joined
from mien.audit.probes.large_probes import Labels, Rows
from mien.audit.probes.task import ProbingTask
from mien.audit.statistics.measures import score_rows
from mien.common.leakage_tables import MEASURED, SPEAKER, STRONGEST
from mien.errors import AuditError

LARGE = 50_000  # rows above which this mode is used by default
TEST, VALIDATION = 100_000, 20_000  # rows
FEWEST = 3  # units of a class: one for each part
TESTED, CHOSEN = 1 / 4, 1 / 10  # test and validation shares of each class, where these are fewer rows
MODE = (
    f"large: one division, one setting a probe, {large_probes.EPOCHS} epochs, neighbours among "
    f"{large_probes.REFERENCES:,} rows and shuffled labels on {large_probes.CONTROL:,} at most"
)


class Parts(NamedTuple):
    """Rows of one division: they fit the probes, choose the strongest of them, and test them."""

    train: Rows
    validation: Rows
    test: Rows


def divide(y: Labels, units: NDArray[np.int64] | None, seed: int) -> Parts:
    """Divide rows into training, validation and test; a unit stays together.

    Args:
        y: (n,), the class of each row, 0 to K - 1.
        units: (n,), what is kept together, such as the recording or the speaker; None divides single rows.
        seed: of the division.

    Returns:
        The rows of each part, sorted. Each part gets a share of the units of every class (the class of a unit is that
        of its first row), so that a class with three units is in all parts.
    """
    n = len(y)
    unit = np.arange(n) if units is None else np.unique(units, return_inverse=True)[1].ravel()
    first = np.empty(int(unit.max()) + 1, np.int64)
    first[unit[::-1]] = np.arange(n)[::-1]
    stratum = y[first]
    random = np.random.default_rng([seed, 11]).random(len(stratum))
    order = np.lexsort((random, stratum))
    counts = np.bincount(stratum)
    rank = np.empty(len(stratum), np.int64)
    rank[order] = np.arange(len(stratum)) - np.repeat(np.cumsum(counts) - counts, counts)
    test = np.maximum(1, np.round(counts * min(TESTED, TEST / n))).astype(np.int64)
    validation = np.maximum(1, np.round(counts * min(CHOSEN, VALIDATION / n))).astype(np.int64)
    part = np.where(rank < test[stratum], 2, np.where(rank < (test + validation)[stratum], 1, 0))[unit]
    train, chosen, tested = (np.flatnonzero(part == number).astype(np.intp) for number in range(3))
    return Parts(train, chosen, tested)


def leakage_large(embedding: NDArray[Any] | None, task: ProbingTask, *, rows: Rows | None = None) -> pd.DataFrame:
    """Scores of the four probes that predict the factor of a task from an embedding of very many clips.

    Classes with fewer than three units (clips, recordings or speakers) are left out. The factor speaker keeps
    recordings whole, and sentences too where every class then has rows in all parts (`split` says where not); any other
    factor keeps speakers whole. `balanced`, `division` and `options.seen_speakers` are not used.

    Args:
        embedding: (N, D), finite; may be mapped from a file. None predicts the most frequent class, as a floor.
        task: the factor and its n clips.
        rows: (n,), the rows of the clips in the embedding; None takes the first n.

    Returns:
        Columns of `leakage.csv` from factor on, role `measured`: for each probe and for `strongest`, chosen on
        validation rows, a row each of uar, accuracy and f1.

    Raises:
        AuditError: fewer than two classes have three units, or no unit is left to fit a probe on.
    """
    factor, seed = task.factor, task.options.seed
    everyone = _codes(task.labels)
    lists = (task.speakers, task.recordings, task.sentences)
    who, where, texts = (None if values is None else _codes(values) for values in lists)
    units, apart = (where, "recordings") if factor == SPEAKER else (who, "speakers")
    found, sentences_apart = None, None
    if factor == SPEAKER and texts is not None:
        found = _divided(everyone, joined([each for each in (where, texts) if each is not None]), seed)
        sentences_apart = found.complete
    if found is None or not found.complete:
        found = _divided(everyone, units, seed)
    kept, codes, parts, _ = found
    present = int(codes.max(initial=-1)) + 1
    what = "clips" if units is None else apart
    if present < 2:
        raise AuditError(f"{factor}: fewer than two classes have {FEWEST} {what}; give more")
    if not len(parts.train):
        raise AuditError(f"{factor}: no {apart} are left to fit a probe on; give clips of more {apart}")
    split = _words("" if units is None else apart, sentences_apart, factor, who is not None)
    if left_out := int(everyone.max()) + 1 - present:
        split += f"; {left_out} {'class' if left_out == 1 else 'classes'} with too few {what} left out"
    blocks = where if factor == SPEAKER else who
    if embedding is None:
        most = np.full(len(parts.test), np.bincount(codes[parts.train]).argmax(), np.int64)
        results, best = {}, large_probes.Result(0.0, most, most)
    else:
        place = kept if rows is None else np.asarray(rows)[kept]
        y = np.zeros(len(embedding), np.int64)
        y[place] = codes
        divided = {name: place[part] for name, part in parts._asdict().items()}
        results = large_probes.read(embedding, y, seed=seed, **divided)
        best = max(results.values(), key=lambda result: result.validation)
    table: list[dict[str, object]] = []
    for probe, result in {**results, STRONGEST: best}.items():
        scored = score_rows(
            codes[parts.test],
            result.predicted,
            result.shuffled,
            codes[parts.test] if factor == SPEAKER else None if who is None else who[kept][parts.test],
            blocks=None if blocks is None else blocks[kept][parts.test],
            kinds=present,
            seed=seed,
        )
        shared = {"factor": factor, "balanced": "", "probe": probe, "role": MEASURED, "speakers": task.options.speakers}
        table += [{**shared, **row, "split": f"{split}; {row['split']}; {MODE}"} for row in scored]
    return pd.DataFrame(table)


class Divided(NamedTuple):
    """A division of the classes that have three units or more.

    Attributes:
        kept: (m,), their rows.
        codes: (m,), their classes, 0 to K - 1.
        parts: places in `kept`.
        complete: whether most classes are kept and each of them is fitted and tested.
    """

    kept: Rows
    codes: Labels
    parts: Parts
    complete: bool


def _divided(y: Labels, units: Labels | None, seed: int) -> Divided:
    """Divide; where a class is not in all parts, try again with another seed."""
    owner = None if units is None else _owners(y, units)
    counts = np.bincount(y if owner is None else owner, minlength=int(y.max()) + 1)
    kept = np.flatnonzero(counts[y] >= FEWEST).astype(np.intp)
    codes = np.unique(y[kept], return_inverse=True)[1].ravel().astype(np.int64)
    if not len(kept):
        return Divided(kept, codes, Parts(kept, kept, kept), False)
    torn = units is not None and owner is None  # units with clips of several classes cannot be stratified
    most = 2 * len(np.unique(codes)) > int(y.max()) + 1
    for turn in range(TRIES):
        strata = np.zeros_like(codes) if torn else codes
        parts = divide(strata, None if units is None else units[kept], seed + 1000 * turn)
        train, _, test = (np.bincount(codes[part], minlength=int(codes.max()) + 1) for part in parts)
        if complete := most and bool((train >= FEWEST_CLIPS).all() and (test > 0).all()):
            break
    return Divided(kept, codes, parts, complete)


def _owners(y: Labels, units: Labels) -> Labels | None:
    """The class of each unit; None where a unit has several."""
    owner = np.full(int(units.max()) + 1, -1, np.int64)
    owner[units] = y
    return owner if bool((owner[units] == y).all()) else None


def _codes(values: ArrayLike) -> Labels:
    return np.asarray(pd.factorize(np.asarray(values, object))[0], np.int64)


def _words(apart: str, sentences: bool | None, factor: str, known: bool) -> str:
    """The description of a division; `sentences` is None where they are not known."""
    if apart == "speakers":
        return "disjoint speakers"
    names = ["clips", *([apart] if apart else []), *(["sentences"] if sentences else [])]
    description = f"disjoint {', '.join([*names[:-2], ' and '.join(names[-2:])])}"
    if sentences is False:
        description += "; sentences on both sides"
    return description if factor == SPEAKER or known else f"{description}; speakers not known"
