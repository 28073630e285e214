"""The PREPARED folder: a corpus whose files were hashed and decoded once, written by `mien prepare`.

- `corpus.csv`: one row a clip, the columns of `Corpus.table`, then `seconds` (of sound, as decoded; 0 for a video
  without sound), `sha256` (of the file's bytes, or of an image's pixels, hexadecimal) and, where there are videos,
  `video_seconds` (of pictures, as the file gives them).
- `problems.csv`: file, problem.
- `card.json`: what was read, under which licence, how much of it, and a hash of `corpus.csv`.
- `silence.csv`, where silence was cut: see `mien.data.silence`.
- `manifest.json`: the SHA-256 of these files, written last, so that a file that was edited or damaged is noticed.
- `features/`: see `mien.data.store`.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mien.common import manifests
from mien.common.cells import write_table
from mien.common.files import sha256, writable, write_json
from mien.common.manifests import Manifest
from mien.corpora import readers
from mien.corpora.corpus import COLUMNS, Corpus, read_table, typed
from mien.errors import CorpusError
from mien.media.limits import Limits, limits_of

AGAIN = "prepare it again into a new folder"
ONCE_MORE = "run the same 'mien prepare' again"
FILES = ("corpus.csv", "problems.csv", "card.json", "silence.csv")
NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
ADDED = ("start", "end", "seconds")  # numbers of every table
OF_ANYBODY = ("audformat", "table")  # readers of anybody's corpora, which have no names
TEXTS = ("name", "root", "scheme", "licence", "hash")  # keys of text in a finished card, besides reader and input


@dataclass(frozen=True, eq=False)
class Prepared:
    """A PREPARED folder that is complete.

    Attributes:
        folder: the folder itself.
        table: as in `corpus.csv`.
        card: as in `card.json`.
        cache: a folder for features that the PREPARED folder lacks where it cannot be written to, see
            `mien.data.store`; None where there is no such folder.
    """

    folder: Path
    table: pd.DataFrame
    card: dict[str, Any]
    cache: Path | None = None

    @staticmethod
    def open(folder: Path | str, cache: Path | None = None) -> "Prepared":
        """Open a PREPARED folder; raises CorpusError when it is none, is unfinished, or its parts do not match.

        Args:
            folder: PREPARED.
            cache: see the attribute.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        damaged = {} if manifest is None else manifest.damaged(folder)
        for name in [name for name in damaged if name != "corpus.csv"]:
            raise CorpusError(f"{folder / name}: {damaged[name]}; {ONCE_MORE}")
        card = read_card(folder)
        if card is None:
            raise CorpusError(f"{folder}: no prepared corpus (no card.json in it); 'mien prepare' makes one")
        if card.get("unfinished"):
            raise CorpusError(f"{folder}: preparing it was interrupted; run the same 'mien prepare' again to go on")
        if lacking := [key for key in TEXTS if not isinstance(card.get(key), str)]:
            raise CorpusError(f"{folder / 'card.json'}: '{lacking[0]}' is missing or no text; {AGAIN}")
        if manifest is None:
            raise CorpusError(f"{folder / manifests.NAME}: missing or damaged; {ONCE_MORE}")
        if not re.fullmatch(NAME, card["name"]):  # folders of results are called after it
            raise CorpusError(f"{folder / 'card.json'}: 'name' is no name of a corpus, '{card['name']}'; {AGAIN}")
        path = folder / "corpus.csv"
        if not path.is_file():
            raise CorpusError(f"{path}: missing; {ONCE_MORE}")
        if path.name in damaged:
            raise CorpusError(
                f"{path}: was edited or damaged after it was prepared; {ONCE_MORE}, or keep your labels in a table of "
                "your own (reader 'table')"
            )
        raw = read_table(path)
        if missing := [column for column in (*COLUMNS, "seconds", "sha256") if column not in raw]:
            raise CorpusError(f"{path}: no column '{missing[0]}'; {AGAIN}")
        seconds = pd.to_numeric(raw["seconds"], errors="coerce").astype("float64")
        if not (usable := np.isfinite(seconds.to_numpy())).all():
            row = int(usable.argmin())
            raise CorpusError(f"{path}: row {row + 1}, column 'seconds': '{raw['seconds'][row]}' is no number; {AGAIN}")
        return Prepared(folder, typed(raw, card.get("numbers")).assign(seconds=seconds), card, cache)

    @property
    def images(self) -> bool:
        """Whether the clips are single images out of a table, without files."""
        return "file" in self.card.get("lacks", ())

    @property
    def called(self) -> str:
        """The corpus's name; a user's own one, which has none, is called like this folder."""
        name = str(self.card["name"])
        return self.folder.absolute().name if name in OF_ANYBODY else name

    @property
    def limits(self) -> Limits:
        """The limits on its media files; raises ConfigError where the card has some that are not known."""
        return limits_of(self.card.get("limits", {}))

    @property
    def place(self) -> str:
        """The folder, for a sentence."""
        return str(self.folder)

    def missing_media(self, clips: Collection[str]) -> list[Path]:
        """The media files of some clips that are not where they were when this was prepared."""
        files = self.table["file"][self.table["clip"].isin(clips)].dropna().drop_duplicates()
        return [path for file in files if not (path := self.media({"file": file})).exists()]

    def prepared_from(self, place: str) -> str:
        """The command that prepares the same corpus from another place, into this folder, or a new one if read only."""
        reader = self.card["reader"]
        given, places = self.card.get("options", {}), readers.places(reader)
        options = [f"--option {key}={place if key in places else value}" for key, value in given.items()]
        options += ["--cut-silence"] if self.card.get("cut_silence") else []
        options += [f"--limit {name}={value}" for name, value in self.card.get("limits", {}).items()]
        out = self.folder if writable(self.folder) else "NEWPREPARED"
        return " ".join([f"mien prepare {reader} {place} --out {out}", *options])

    def media(self, clip: "pd.Series[Any] | Mapping[str, Any]") -> Path:
        """The media file of a row of the table."""
        return Path(self.card["root"]) / str(clip["file"])


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a PREPARED folder; None where it is missing, damaged, or that of another kind of folder."""
    try:
        manifest = manifests.read(folder)
    except ValueError:
        return None
    return manifest if manifest is not None and "card.json" in manifest.files else None


def read_card(folder: Path) -> dict[str, Any] | None:
    """`card.json` of a folder, finished or not, or None; raises CorpusError when it is there and is no card."""
    path = folder / "card.json"
    if not path.is_file():
        return None
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"{path}: not JSON ({error}); {AGAIN}") from error
    if not isinstance(card, dict) or not all(isinstance(card.get(key), str) for key in ("reader", "input")):
        raise CorpusError(f"{path}: not the card of a prepared corpus; choose another folder")
    return card


def begin(
    folder: Path,
    reader: str,
    place: Path,
    options: Mapping[str, str] = MappingProxyType({}),
    *,
    cut_silence: bool = False,
) -> None:
    """Mark a folder as being prepared, so that only the same reader on the same corpus continues it."""
    card = {"reader": reader, "input": str(place.resolve()), "options": dict(options), **_cut(cut_silence)}
    (folder / manifests.NAME).unlink(missing_ok=True)
    write_json(folder / "card.json", card | {"unfinished": True})


def write(
    folder: Path,
    corpus: Corpus,
    table: pd.DataFrame,
    problems: pd.DataFrame,
    *,
    place: Path,
    options: Mapping[str, str] = MappingProxyType({}),
    cut_silence: bool = False,
    limits: Mapping[str, float] = MappingProxyType({}),
    front_ends: Sequence[Mapping[str, Any]] = (),
    release: Mapping[str, Any] | None = None,
) -> Prepared:
    """Write a prepared corpus; each file appears whole, the manifest last.

    Args:
        folder: PREPARED.
        corpus: as it was read.
        table: its usable clips with `seconds` and `sha256`.
        problems: columns file, problem.
        place: what the reader was given: the root, or a table's file.
        options: the other options of the reader.
        cut_silence: whether `start` and `end` are where sound begins and ends.
        limits: limits on a file that are not the usual ones; what is extracted later has them too.
        front_ends: the models that features come from: feature, model, sha256 and seen_corpora of each. They are added
            to those of features that were prepared before.
        release: what `data.release` says of it; None where nothing is known of a release.
    """
    before = read_card(folder) or {}
    made = {(one["feature"], one["sha256"]): dict(one) for one in [*before.get("front_ends", ()), *front_ends]}
    for name, rows in (("problems.csv", problems), ("corpus.csv", table)):
        write_table(folder / name, rows)
    table_hash = _hash(folder / "corpus.csv")
    card = {
        "name": corpus.name,
        "reader": corpus.name,
        "input": str(place.resolve()),
        "options": dict(options),
        **_cut(cut_silence),
        **({"limits": dict(limits)} if limits else {}),
        "root": str(corpus.root.absolute()),
        "scheme": corpus.scheme,
        "licence": corpus.licence,
        "source": corpus.source,
        "clips": len(table),
        "expected": corpus.expected,
        "shortfall": max(0, (corpus.expected or 0) - len(table)),
        **({"release": dict(release)} if release is not None else {}),
        "speakers": int(table["speaker"].nunique()),
        "seconds": round(float(table["seconds"].sum()), 3),
        "gender": _counts(table["gender"]),
        "emotion": _counts(table["emotion"]),
        "problems": len(problems),
        "notes": list(corpus.notes),
        "numbers": [name for name in table if name not in ADDED and pd.api.types.is_float_dtype(table[name])],
        **({"lacks": list(corpus.lacks)} if corpus.lacks else {}),
        **({"frames": corpus.held} if corpus.frames is not None else {}),
        **({"front_ends": list(made.values())} if made else {}),
        "hash": table_hash,
        "created": before.get("created", _now()) if before.get("hash") == table_hash else _now(),
        "mien": version("mien"),
    }
    write_json(folder / "card.json", card)
    manifests.write(folder, [name for name in FILES if (folder / name).is_file()])
    return Prepared(folder, table, card)


def key(sha256: str, start: float, end: float) -> str:
    """The identity of a clip's sound: the hash of the file, and the part of it in microseconds where it is not all."""
    if np.isnan(start) and np.isnan(end):
        return sha256
    first, last = ("" if np.isnan(second) else f"{second:.6f}" for second in (start, end))
    return f"{sha256}:{first}-{last}"


def keys(table: pd.DataFrame) -> dict[str, str]:
    """Clip -> key, for a table with `sha256`."""
    columns = (table[name] for name in ("clip", "sha256", "start", "end"))
    return {clip: key(sha256, start, end) for clip, sha256, start, end in zip(*columns, strict=True)}


def _cut(silence: bool) -> dict[str, bool]:
    return {"cut_silence": True} if silence else {}


def _hash(table: Path) -> str:
    return sha256(table)[:12]


def _counts(values: "pd.Series[Any]") -> dict[str, int]:
    """How often each value occurs, "unknown" for missing ones, in alphabetical order."""
    counts = values.fillna("unknown").value_counts().sort_index()
    return {str(value): int(count) for value, count in counts.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
