"""One PREPARED folder, or several as one corpus.

Of several, clips and speakers are called `NAME/...`, where NAME is what the folder is called in `data.prepared`, and
the column `corpus` holds NAME. A column that only some of the corpora have is missing for the others; one that is
numbers in some and words in others is words. `file` stays relative to the root of its own corpus. The order is that of
the names, so that the same folders give the same table in whatever order they are given. One folder alone stays as it
is: its name is "", and it has no column `corpus`.
"""

from collections.abc import Iterable, Mapping
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
    """Prepared corpora that models are trained on together, or one.

    Attributes:
        parts: name -> the PREPARED folder, sorted by name; of one alone its name is "".
        table: one row a clip, as in `corpus.csv`; of several with `corpus`.
        card: of one alone its own; of several `name` (the names, joined by "+"), `hash` (of the names and the hashes of
            all tables), and `corpora`: name -> the reader, hash, number of clips and licence of each, and its
            `release` where that is known.
    """

    parts: Mapping[str, Prepared]
    table: pd.DataFrame
    card: dict[str, Any]

    @staticmethod
    def of(prepared: Prepared) -> "Joined":
        """A corpus of one folder."""
        return Joined({"": prepared}, prepared.table, prepared.card)

    @staticmethod
    def open(folders: Path | str | Mapping[str, Path | str], cache: Path | None = None) -> "Joined":
        """Open one PREPARED folder, or several by their names.

        Args:
            folders: the folder, or name -> folder.
            cache: a folder for features that a PREPARED folder lacks and cannot take, see `Prepared`.

        Raises:
            CorpusError: one of them is no PREPARED folder, or has a column `corpus` of its own.
            LeakError: two of them hold the same file or the same speakers, who would have two names.
        """
        if isinstance(folders, (Path, str)):
            return Joined.of(Prepared.open(folders, cache))
        parts = {name: Prepared.open(folders[name], cache) for name in sorted(folders)}
        for (first, one), (second, other) in combinations(parts.items(), 2):
            _refuse_same(f"{first} ({one.folder}) and {second} ({other.folder})", one, other)
        corpora = {
            name: {"reader": part.card["name"], **{key: part.card[key] for key in ("hash", "licence")}}
            | {"clips": len(part.table)}
            | ({"release": part.card["release"]} if "release" in part.card else {})
            for name, part in parts.items()
        }
        card = {
            "name": "+".join(parts),
            "hash": digest({name: part.card["hash"] for name, part in parts.items()}),
            "corpora": corpora,
        }
        return Joined(parts, _table(parts), card)

    @property
    def called(self) -> str:
        """What the corpus is called: see `Prepared.called`, of several their names."""
        return self.parts[""].called if "" in self.parts else str(self.card["name"])

    @property
    def place(self) -> str:
        """The folders, for a sentence."""
        return ", ".join(part.place for part in self.parts.values())

    def own(self, clip: str) -> tuple[str, str]:
        """The corpus of a clip or a speaker, and what it is called there."""
        if "" in self.parts:
            return "", clip
        return apart(clip)

    def divided(self, clips: Iterable[str]) -> dict[str, list[str]]:
        """Corpus -> those of the clips that are its own, as they are called there."""
        divided: dict[str, list[str]] = {}
        for name, own in map(self.own, clips):
            divided.setdefault(name, []).append(own)
        return divided

    def rows(self, corpus: str, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of one of the corpora in a table with the columns of `table`."""
        return table[table["corpus"] == corpus] if corpus else table

    def media(self, row: Mapping[str, Any]) -> Path:
        """The media file of a row of the table."""
        return self.parts[str(row["corpus"]) if "" not in self.parts else ""].media(row)


def apart(name: str) -> tuple[str, str]:
    """The corpus of a clip or a speaker of several corpora, and its name there."""
    corpus, _, own = name.partition("/")
    return corpus, own


def named(corpus: str, own: str) -> str:
    """What a clip, speaker or file of one of several corpora is called; of one alone what it is called there."""
    return f"{corpus}/{own}" if corpus else own


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
    return typed(whole, ()).assign(seconds=whole["seconds"], sha256=whole["sha256"])


def _refuse_same(which: str, one: Prepared, other: Prepared) -> None:
    files = one.table[one.table["sha256"].isin(other.table["sha256"])]
    if len(files):
        raise LeakError(
            f"data.prepared: {which} hold {files['sha256'].nunique()} identical files, such as "
            f"{files['file'].iloc[0]}; a speaker would have two names: leave one of the two out"
        )
    name = one.card["name"]
    people = sorted(set(one.table["speaker"].dropna()) & set(other.table["speaker"]))
    if people and name == other.card["name"] and name not in NAMED_BY_CHANCE:
        raise LeakError(
            f"data.prepared: {which} are both {name} and share {len(people)} speakers ({', '.join(people[:5])}"
            f"{', ...' if len(people) > 5 else ''}), who would have two names: prepare the corpus as one"
        )
