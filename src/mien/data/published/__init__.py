"""Protocols that others published, by name: what each of their folds tests. Each module of this package is one.

A module has `TITLE`, `READER` (of the one corpus that it divides), `SOURCE`, `USED` (who scored systems by it),
`VALIDATION` (what the publication does for validation), and

- either `FOLDS`: the speakers that each fold tests, by the reader's names;
- or `OTHERS` and a table beside it, `NAME.csv` with `clip` (by the reader's names) and `fold`, the number of the fold
  that tests it; empty where none does. `OTHERS` says what is done with clips that the table does not list: "train" or
  "unused". Such folds may share speakers.

What a fold does not test trains in it, but for what validates: see `mien.data.protocols`. Folds are numbered from 0.
"""

import csv
from collections.abc import Collection, Sequence
from functools import lru_cache
from importlib import resources
from typing import Literal, NamedTuple

from mien.common import registry
from mien.errors import ConfigError

HELD = 0.2  # of the training clips of a protocol of one fold: what validates


class Published(NamedTuple):
    """One protocol.

    Attributes:
        name: its own.
        title: what it divides, in a few words.
        reader: of its corpus.
        source: who published it, and where.
        used: who scored systems by it.
        validation: what the publication does for validation, a clause without a subject.
        of: "speaker" or "clip": what is divided, a column of the corpus's table.
        folds: the speakers or clips that each fold tests.
        listed: all speakers or clips that are used; None for all that there are.
    """

    name: str
    title: str
    reader: str
    source: str
    used: str
    validation: str
    of: Literal["speaker", "clip"]
    folds: tuple[frozenset[str], ...]
    listed: frozenset[str] | None


def names() -> tuple[str, ...]:
    """The names of all, sorted."""
    return registry.names(__name__)


@lru_cache
def get(name: str) -> Published:
    """The protocol of a name; raises ConfigError where there is none."""
    module = registry.module(__name__, name, "published protocol")
    head = (name, module.TITLE, module.READER, module.SOURCE, module.USED, module.VALIDATION)
    if hasattr(module, "FOLDS"):
        folds = tuple(map(frozenset[str], module.FOLDS))
        return Published(*head, "speaker", folds, frozenset[str]().union(*folds))
    with resources.files(__name__).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        rows = [(row["clip"], row["fold"]) for row in csv.DictReader(file)]
    count = 1 + max(int(fold) for _, fold in rows if fold)
    folds = tuple(frozenset(clip for clip, fold in rows if fold == str(number)) for number in range(count))
    return Published(*head, "clip", folds, None if module.OTHERS == "train" else frozenset(clip for clip, _ in rows))


def refuse_other(own: Published, corpora: Sequence[str]) -> None:
    """Raise ConfigError where the corpus is not the one that a protocol divides.

    Args:
        own: the protocol.
        corpora: the readers of the corpora that are used.
    """
    if list(corpora) != [own.reader]:
        raise ConfigError(
            f"protocol {own.name}: it divides the corpus of the reader {own.reader}, and data.prepared is of "
            f"{' and '.join(corpora)}; prepare that corpus, or give another protocol"
        )


def notes(own: Published, there: Collection[str]) -> list[str]:
    """What is other than in the publication: what validates, and what the corpus at hand lacks; sentences for a page.

    Args:
        own: the protocol.
        there: the speakers (or clips, as in `own.of`) of the corpus that have a label.
    """
    found = [f"note: the protocol {own.name} is that of {own.source}; used by {own.used}"]
    held = (
        "the next fold of the protocol"
        if len(own.folds) > 1
        else f"a share of the clips that are not tested, {HELD:g} if not set otherwise"
    )
    found.append(f"note: the publication {own.validation}; here, {held} validates and does not train, which is ours")
    known = own.listed or frozenset[str]().union(*own.folds)
    things = f"{own.of}s" + (" that it tests" if own.listed is None else "")
    if lacking := sorted(known.difference(there)):
        shown = ", ".join(lacking[:8]) + (", ..." if len(lacking) > 8 else "")
        verb = "is" if len(lacking) == 1 else "are"
        found.append(
            f"note: {len(lacking):,} of its {len(known):,} {things} {verb} not in the corpus at hand, or without a "
            f"label ({shown}): the scores are not those of the whole protocol"
        )
    if own.listed is not None and (strange := sorted(set(there) - own.listed)):
        verb = "clip is" if len(strange) == 1 else "clips are"
        found.append(f"note: {len(strange):,} {verb} not in its lists, such as {strange[0]}, and not used")
    return found
