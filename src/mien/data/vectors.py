"""The store of vectors from files of one's own: read and checked once, then kept in shards like every other feature.

Training reads each clip in every epoch, and a CSV file of a clip takes as long to parse as a thousand reads from a
shard; and a PREPARED folder then holds all that a model is trained on. What is kept of a clip is known by the clip and
by the bytes of its file, wherever that lies, so a changed file is read again, and moved ones are not. So that not all
files are hashed at each start, `files-*.json` beside the shards has the size, time and hash of each, as they were when
it was read: only a file with another size or time is hashed. Where the folder is gone, what was read of it is taken.

Reading a file (`features._vectors`) and keeping its frames are two things: here nothing is known of formats.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from mien import features
from mien.common import manifests
from mien.common.files import sha256, writable, write_json
from mien.common.progress import progress, say
from mien.common.settings import digest
from mien.common.workers import Lost, spread
from mien.corpora.corpus import problem_table
from mien.data import shards
from mien.data.kept import Kept
from mien.data.located import located, refuse_unplaced
from mien.data.prepared import Prepared, keys
from mien.errors import CorpusError
from mien.features import _vectors
from mien.media.faces import Reason

CHUNK = 32  # clips a shard
SHOWN = 3  # clips without a file that are named


class Known(NamedTuple):
    """A file as it was when it was read."""

    path: str
    size: int
    time: int
    sha256: str


class Wanted(NamedTuple):
    """A file that is to be read."""

    clip: str
    file: Path
    seconds: float


class VectorStore:
    """Frames by clip from files; a clip without a file has none. It is pickled without them."""

    def __init__(self, prepared: Prepared, name: str, config: _vectors.Config, folder: Path) -> None:
        """Find the files, of which none is read yet.

        Args:
            prepared: the corpus.
            name: of the feature.
            config: its settings.
            folder: of the shards.

        Raises:
            ConfigError: the settings say no place, or one that is not there and of which nothing was read.
            CorpusError: a clip has two files.
        """
        self.prepared, self.name, self.config, self.folder = prepared, name, config, folder
        self._key = f"data.{features.modality(name)}"
        self._clip_keys = keys(prepared.table)
        self._known = self._read_known()
        self.files = self._located()
        self._keys: dict[str, str] = {}
        self._kept = Kept(name, self._folders, self._keys)
        for clip, file in self.files.items():
            if (one := self._known.get(clip)) and self._as_it_was(file, one):
                self._keys[clip] = f"{self._clip_keys[clip]} {one.sha256}"

    def __reduce__(self) -> tuple[type["VectorStore"], tuple[Prepared, str, _vectors.Config, Path]]:
        return (type(self), (self.prepared, self.name, self.config, self.folder))

    def has(self, clip: str) -> bool:
        """Whether a clip has a file."""
        return clip in self.files

    def missing(self, clips: Sequence[str]) -> list[str]:
        """Those of the clips whose file has not been read as it is."""
        self._kept.mend()
        return [clip for clip in clips if clip in self.files and not (clip in self._keys and clip in self._kept)]

    def extract(self, clips: Sequence[str], *, workers: int = 1, what: str = "") -> pd.DataFrame:
        """Read what is missing, in worker processes, and say how many clips have no file.

        Returns:
            No problems: what is wrong is refused.

        Raises:
            CorpusError: a file cannot be used.
        """
        without = [clip for clip in clips if clip not in self.files]
        if without:
            examples = ", ".join([*without[:SHOWN], *(["..."] if len(without) > SHOWN else [])])
            say(f"{self.name}: {len(without)} of {len(clips)} clips have no file in {self._place}: {examples}")
        missing = set(self.missing(clips))
        rows = [row for row in self.prepared.table.to_dict("records") if row["clip"] in missing]
        wanted = [Wanted(str(row["clip"]), self.files[row["clip"]], self._seconds(row)) for row in rows]
        if not wanted:
            return problem_table([])
        folder = self.folder if writable(self.folder) or self.prepared.cache is None else self._folders[-1]
        there = {(one.clip, one.key) for place in self._folders for one in shards.entries(place) if one.clip in missing}
        clip_keys = {one.clip: self._clip_keys[one.clip] for one in wanted}
        read = partial(_read, config=self.config, clip_keys=clip_keys, there=there, folder=folder)
        chunks = [wanted[first : first + CHUNK] for first in range(0, len(wanted), CHUNK)]
        with progress(len(wanted), what or self.name) as advance:
            for chunk, found in spread(read, chunks, workers=workers):
                if isinstance(found, Lost):
                    raise CorpusError(f"{found.item.file}: {found.problem}; save it again")
                if isinstance(found, CorpusError):
                    raise found
                for clip, one in found.items():
                    self._known[clip] = one
                    self._keys[clip] = f"{self._clip_keys[clip]} {one.sha256}"
                advance(len(chunk))
        known = {clip: list(one) for clip, one in sorted(self._known.items())}
        write_json(folder / self._list, manifests.sealed({"files": known}))
        self._kept.read_index()
        return problem_table([])

    def length(self, clip: str) -> int:
        """The number of frames T of a clip; raises CorpusError when its file was not read."""
        return self._kept.length(clip) if clip in self.files else 0

    def frames(self, clip: str) -> torch.Tensor:
        """The frames of a clip, (T, D) float32; zeros where they are not valid."""
        if clip in self.files:
            return self._kept.frames(clip)
        return torch.zeros(0, *features.shape(self.name, self.config))

    def valid(self, clip: str) -> torch.Tensor:
        """Which frames of a clip are usable, (T,) bool."""
        return self._kept.valid(clip) if clip in self.files else torch.zeros(0, dtype=torch.bool)

    @property
    def _place(self) -> str:
        """Where the files are, for a sentence."""
        return self.config.folder or f"the column '{self.config.column}'"

    @property
    def _root(self) -> Path:
        """The folder without which no file is there."""
        return Path(self.config.folder or self.prepared.card["root"])

    @property
    def _folders(self) -> list[Path]:
        cache = self.prepared.cache
        return [self.folder, *([] if cache is None else [cache / self.folder.name])]

    @property
    def _list(self) -> str:
        """The name of the file that has the size, time and hash of each file of this place."""
        return f"files-{digest([self.config.folder, self.config.column])}.json"

    def _read_known(self) -> dict[str, Known]:
        known: dict[str, Known] = {}
        for folder in self._folders:
            try:
                raw = manifests.unsealed((folder / self._list).read_bytes())["files"]
            except (OSError, ValueError):
                continue  # without it, files are hashed again
            known |= {clip: Known(*one) for clip, one in raw.items() if clip in self._clip_keys}
        return known

    def _located(self) -> dict[str, Path]:
        if self._known and not self._root.is_dir():
            return {clip: Path(one.path) for clip, one in self._known.items()}
        refuse_unplaced(self.name, self.config, self._key)
        return located(self.prepared, self.name, self.config, self._key)

    def _as_it_was(self, file: Path, known: Known) -> bool:
        """Whether a file is the one that was read; one that is gone with its folder is taken to be."""
        try:
            found = file.stat()
        except OSError:
            return not self._root.is_dir()
        return (str(file), found.st_size, found.st_mtime_ns) == known[:3]

    def _seconds(self, row: Mapping[Any, Any]) -> float:
        """How long a clip is in the modality of the feature, or in the other one; 0 where it is an image."""
        sound, pictures = float(row["seconds"]), float(row.get("video_seconds", 0) or 0)
        first, other = (pictures, sound) if features.modality(self.name) == "video" else (sound, pictures)
        return first if first > 0 else other


def _read(
    wanted: Sequence[Wanted],
    *,
    config: _vectors.Config,
    clip_keys: Mapping[str, str],
    there: Collection[tuple[str, str]],
    folder: Path,
) -> dict[str, Known] | CorpusError:
    """Read some files in this process and write a shard; the error of one that cannot be used.

    Args:
        wanted: the files.
        config: what they should hold.
        clip_keys: the identity of each clip.
        there: the clips and keys whose frames are kept already: their files were touched or moved, not changed.
        folder: of the shards.
    """
    frames, known = [], {}
    for one in wanted:
        try:
            found = one.file.stat()
            identity = sha256(one.file)
            key = f"{clip_keys[one.clip]} {identity}"
            vectors = None if (one.clip, key) in there else _vectors.read(one.file, config, one.seconds)
        except CorpusError as error:
            return error
        except OSError as error:
            return CorpusError(f"{one.file}: cannot be read ({error.strerror})")
        known[one.clip] = Known(str(one.file), found.st_size, found.st_mtime_ns, identity)
        if vectors is not None:
            reasons = np.where(vectors.valid, Reason.VALID, Reason.NO_FACE).astype(np.uint8)
            frames.append(shards.Frames(one.clip, key, one.seconds, vectors.values, reasons))
    if frames:
        shards.write(folder, frames)
    return known


def refuse_without_files(stores: Sequence[VectorStore], place: str) -> None:
    """Raise CorpusError where no clip of any corpus has a file.

    Args:
        stores: of one feature, a corpus each.
        place: the corpora, for the sentence.
    """
    if any(store.files for store in stores):
        return
    clips = sum(len(store.prepared.table) for store in stores)
    store, example = stores[0], stores[0].prepared.table["clip"].iloc[0]
    way = (
        "the paths in it are relative to data.FEATURE.folder, or without it to the corpus's root"
        if store.config.column
        else f"files are called after their clips, such as {example}.npy"
    )
    raise CorpusError(f"{place}: none of its {clips} clips has a file in {store._place} for {store.name}; {way}")
