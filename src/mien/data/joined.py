"""Several PREPARED folders as one corpus.

Clips and speakers are called `NAME/...`, where NAME is what the folder is called in `data.prepared`, and the column
`corpus` holds NAME. A column that only some of the corpora have is missing for the others; one that is numbers in some
and words in others is words. `file` stays relative to the root of its own corpus. The order is that of the names, so
that the same folders give the same table in whatever order they are given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from mien.common.settings import digest
from mien.corpora.corpus import typed
from mien.data.prepared import Prepared
from mien.errors import CorpusError, LeakError

NAMED_BY_CHANCE = ("audformat", "table", "toy")  # readers whose names of speakers mean nothing outside one folder


@dataclass(frozen=True, eq=False)
class Joined:
    """Prepared corpora that models are trained on together.

    Attributes:
        parts: name -> the PREPARED folder, sorted by name.
        table: one row a clip, as in `corpus.csv`, with `corpus`.
        card: `name` (the names, joined by "+"), `hash` (of the names and the hashes of all tables), and `corpora`: name
            -> the reader, hash, number of clips and licence of each.
    """

    parts: Mapping[str, Prepared]
    table: pd.DataFrame
    card: dict[str, Any]

    @staticmethod
    def open(folders: Mapping[str, Path | str]) -> "Joined":
        """Open several PREPARED folders.

        Raises:
            CorpusError: one of them is no PREPARED folder, or has a column `corpus` of its own.
            LeakError: two of them hold the same file or the same speakers, who would have two names.
        """
        parts = {name: Prepared.open(folders[name]) for name in sorted(folders)}
        for (first, one), (second, other) in combinations(parts.items(), 2):
            _refuse_same(f"{first} ({one.folder}) and {second} ({other.folder})", one, other)
        corpora = {
            name: {"reader": part.card["name"], **{key: part.card[key] for key in ("hash", "licence")}}
            | {"clips": len(part.table)}
            for name, part in parts.items()
        }
        card = {
            "name": "+".join(parts),
            "hash": digest({name: part.card["hash"] for name, part in parts.items()}),
            "corpora": corpora,
        }
        return Joined(parts, _table(parts), card)

    @property
    def place(self) -> str:
        """The folders, for a sentence."""
        return ", ".join(part.place for part in self.parts.values())


def apart(name: str) -> tuple[str, str]:
    """The corpus of a clip or speaker of a joined corpus, and its name there."""
    corpus, _, own = name.partition("/")
    return corpus, own


def _table(parts: Mapping[str, Prepared]) -> pd.DataFrame:
    tables = []
    for name, part in parts.items():
        if "corpus" in part.table:
            raise CorpusError(
                f"{part.folder}: has a column 'corpus' of its own, which is needed where several corpora are joined; "
                "rename it in the corpus's table and prepare it again"
            )
        named = {column: f"{name}/" + part.table[column] for column in ("clip", "speaker")}
        tables.append(part.table.assign(**named, corpus=name))
    whole = pd.concat(tables, ignore_index=True)
    return typed(whole).assign(seconds=whole["seconds"], sha256=whole["sha256"])


def _refuse_same(which: str, one: Prepared, other: Prepared) -> None:
    files = one.table[one.table["sha256"].isin(other.table["sha256"])]
    if len(files):
        raise LeakError(
            f"data.prepared: {which} hold {files['sha256'].nunique()} identical files, such as "
            f"{files['file'].iloc[0]}; a speaker would have two names: leave one of the two out"
        )
    name = one.card["name"]
    people = sorted(set(one.table["speaker"]) & set(other.table["speaker"]))
    if people and name == other.card["name"] and name not in NAMED_BY_CHANCE:
        raise LeakError(
            f"data.prepared: {which} are both {name} and share {len(people)} speakers ({', '.join(people[:5])}"
            f"{', ...' if len(people) > 5 else ''}), who would have two names: prepare the corpus as one"
        )
