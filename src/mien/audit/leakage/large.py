"""Leakage of embeddings of very many clips, in a stated mode that memory and time can bear.

One division instead of cross-fitting, one setting a probe (`large_probes`), at most `TEST` rows tested, `VALIDATION`
rows to choose the strongest probe on. The mode is told in `split`; the rows are those of `leakage`, and nothing else
knows of the mode.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.leakage.leakage import STRONGEST
from mien.audit.probes import large_probes
from mien.audit.probes.division import FEWEST_CLIPS, SPEAKER, TRIES, joined
from mien.audit.probes.large_probes import Labels, Rows
from mien.audit.statistics.measures import score_rows
from mien.errors import AuditError

LARGE = 50_000  # rows above which this mode is taken without being asked
TEST, VALIDATION = 100_000, 20_000  # rows
FEWEST = 3  # units of a class: one for each part
TESTED, CHOSEN = 1 / 4, 1 / 10  # shares of each class, where these are fewer
MODE = (
    f"large: one division, one setting a probe, {large_probes.EPOCHS} epochs, neighbours among "
    f"{large_probes.REFERENCES:,} rows and shuffled labels on {large_probes.CONTROL:,} at most"
)


class Parts(NamedTuple):
    """Rows of one division: which train the probes, choose the strongest of them, and are tested."""

    train: Rows
    validation: Rows
    test: Rows


def divide(y: Labels, units: NDArray[np.int64] | None, seed: int) -> Parts:
    """One division of rows into training, validation and test; what is one unit stays together.

    Args:
        y: (n,), the class of each row, 0 to K - 1.
        units: (n,), what may not be torn, such as the recording or the speaker; None divides single rows.
        seed: of the draw.

    Returns:
        The rows of each part, sorted; of every class (told by a unit's first row) a share of its units is in each
        part, so with three units of a class all parts have it.
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


def leakage_large(
    embedding: NDArray[Any] | None,
    labels: Sequence[str] | NDArray[np.str_],
    *,
    rows: Rows | None = None,
    factor: str = SPEAKER,
    speakers: Sequence[str] | NDArray[np.str_] | None = None,
    recordings: Sequence[str] | NDArray[np.str_] | None = None,
    sentences: Sequence[str] | NDArray[np.str_] | None = None,
    seen: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How well the four probes name a factor from an embedding of very many clips.

    Args:
        embedding: (N, D), finite; may be mapped from a file. None names the most frequent class, as a floor.
        labels: (n,), the class of each clip; classes with fewer than three units are left out.
        rows: (n,), the rows of the clips in the embedding; None takes the first n.
        factor: what the labels are; "speaker" keeps recordings whole, and sentences where every class then has rows in
            all parts, else it is told; anything else keeps speakers whole.
        speakers: (n,), who speaks; the clusters of intervals.
        recordings: (n,), in which recording a clip was cut.
        sentences: (n,), what is said in it.
        seen: what to write as `speakers`: seen or unseen by the encoder.
        seed: of all draws.

    Returns:
        Columns of `leakage.csv` from factor on, role `measured`: for each probe and `strongest`, chosen on validation
        rows, a row of uar, accuracy and f1.

    Raises:
        AuditError: fewer than two classes have three units, or no unit is left to fit a probe on.
    """
    everyone = _codes(labels)
    people, where, told = (None if some is None else _codes(some) for some in (speakers, recordings, sentences))
    units, apart = (where, "recordings") if factor == SPEAKER else (people, "speakers")
    found, sentences_apart = None, None
    if factor == SPEAKER and told is not None:
        found = _divided(everyone, joined([each for each in (where, told) if each is not None]), seed)
        sentences_apart = found.complete
    if found is None or not found.complete:
        found = _divided(everyone, units, seed)
    kept, codes, parts, _ = found
    present = int(codes.max(initial=-1)) + 1
    if present < 2:
        what = "clips" if units is None else apart
        raise AuditError(f"{factor}: fewer than two classes have {FEWEST} {what}; give more")
    if not len(parts.train):
        raise AuditError(f"{factor}: too few {apart} to leave some to fit a probe on; give more")
    split = _words("" if units is None else apart, sentences_apart, factor, people is not None)
    if left_out := int(everyone.max()) + 1 - present:
        split += f"; {left_out} {'class' if left_out == 1 else 'classes'} of too few left out"
    blocks = where if factor == SPEAKER else people
    if embedding is None:
        most = np.full(len(parts.test), np.bincount(codes[parts.train]).argmax(), np.int64)
        said, best = {}, large_probes.Read(0.0, most, most)
    else:
        place = kept if rows is None else np.asarray(rows)[kept]
        y = np.zeros(len(embedding), np.int64)
        y[place] = codes
        asked = {name: place[part] for name, part in parts._asdict().items()}
        said = large_probes.read(embedding, y, seed=seed, **asked)
        best = max(said.values(), key=lambda one: one.validation)
    table: list[dict[str, object]] = []
    for probe, one in {**said, STRONGEST: best}.items():
        scored = score_rows(
            codes[parts.test],
            one.predicted,
            one.shuffled,
            codes[parts.test] if factor == SPEAKER else None if people is None else people[kept][parts.test],
            blocks=None if blocks is None else blocks[kept][parts.test],
            kinds=present,
            seed=seed,
        )
        shared = {"factor": factor, "probe": probe, "role": "measured", "speakers": seen}
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
    """Divide, and again with another draw where a class is not in all parts."""
    owner = None if units is None else _owners(y, units)
    counts = np.bincount(y if owner is None else owner, minlength=int(y.max()) + 1)
    kept = np.flatnonzero(counts[y] >= FEWEST).astype(np.intp)
    codes = np.unique(y[kept], return_inverse=True)[1].ravel().astype(np.int64)
    if not len(kept):
        return Divided(kept, codes, Parts(kept, kept, kept), False)
    torn = units is not None and owner is None  # of a unit in many classes, none is the class
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


def _codes(values: Sequence[str] | NDArray[np.str_]) -> Labels:
    return np.asarray(pd.factorize(np.asarray(values, object))[0], np.int64)


def _words(apart: str, sentences: bool | None, factor: str, known: bool) -> str:
    """What is apart; of sentences None: not known."""
    if apart == "speakers":
        return "disjoint speakers"
    names = ["clips", *([apart] if apart else []), *(["sentences"] if sentences else [])]
    told = f"disjoint {', '.join([*names[:-2], ' and '.join(names[-2:])])}"
    if sentences is False:
        told += "; sentences on both sides"
    return told if factor == SPEAKER or known else f"{told}; speakers not known"
