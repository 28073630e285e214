"""The feature store: the frames of a prepared corpus's clips under one feature and its settings.

It lives in PREPARED/features/NAME-HASH, where HASH is of the feature's name, settings and code version; a clip is found
by its name and the identity of its sound (`data.prepared.key`), so frames of an older file are never used.

A PREPARED folder that cannot be written to is read all the same: what it lacks is extracted to `Prepared.cache`, a
folder of such folders NAME-HASH, and read from both. As clips are known by their sound, one cache serves any number of
corpora.
"""

from collections import deque
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd
import torch

from mien import features
from mien.common.files import writable
from mien.common.settings import Settings, digest
from mien.corpora import readers
from mien.corpora.corpus import Problem, problem_table
from mien.data import extraction, frame_vectors, images
from mien.data.extraction import Source, Target
from mien.data.joined import Joined, named
from mien.data.kept import Kept
from mien.data.prepared import Prepared, keys
from mien.data.vectors import VectorStore, refuse_without_files
from mien.features import _vectors, columns
from mien.features._checkpoint import Checkpoint
from mien.media.faces import Faces
from mien.media.limits import held


def target(prepared: Path, name: str, config: Settings) -> Target:
    """Where a feature with its settings is kept in a PREPARED folder; raises ConfigError for an unknown feature."""
    version = features.feature(name).VERSION
    config = config.resolved() if isinstance(config, Faces) else config
    config = config.anywhere if isinstance(config, _vectors.Config) else config
    known = config.anywhere if isinstance(config, Checkpoint) else config
    identity = digest({"name": name, "config": known.model_dump(mode="json"), "version": version})
    return Target(prepared / "features" / f"{name}-{identity}", name, config)


class FeatureStore:
    """Frames by clip, none of which are kept in memory. It is pickled without them, to be sent to other processes."""

    def __init__(self, prepared: Prepared, name: str, config: Settings) -> None:
        """Open the store of a feature, which may not exist yet.

        Args:
            prepared: the corpus.
            name: of the feature.
            config: its settings.
        """
        self.prepared, self.name, self.config = prepared, name, config
        self.target = target(prepared.folder, name, config)
        self._keys = keys(prepared.table)
        self._kept = Kept(name, [self.folder, *([] if self._cached is None else [self._cached])], self._keys)

    def __reduce__(self) -> tuple[type["FeatureStore"], tuple[Prepared, str, Settings]]:
        return (type(self), (self.prepared, self.name, self.config))

    @property
    def folder(self) -> Path:
        """The folder of the shards in PREPARED."""
        return self.target.folder

    @property
    def _cached(self) -> Path | None:
        """The folder of the shards that PREPARED could not take."""
        cache = self.prepared.cache
        return None if cache is None else cache / self.folder.name

    def missing(self, clips: Sequence[str]) -> list[str]:
        """Those of the clips that have no frames yet."""
        self._kept.read_index()
        return [clip for clip in clips if clip not in self._kept]

    def extract(self, clips: Sequence[str], *, workers: int = 1, what: str = "") -> pd.DataFrame:
        """Extract what is missing, in worker processes; finished shards stay when it is interrupted.

        They are written to the cache where there is one and the PREPARED folder cannot be written to.

        Args:
            clips: names.
            workers: how many processes.
            what: the name of this work in its progress; the feature by default.

        Returns:
            Problems (columns file, problem): files that have changed since they were prepared, are gone, or end the
            process that reads them.
        """
        missing = set(self.missing(clips))
        if self.prepared.images:
            return self._take(missing, what) if missing else problem_table([])
        if frame_vectors.of(self.target):
            return self._take_frames(clips, what) if missing else problem_table([])
        rows = [row for _, row in self.prepared.table.iterrows() if row["clip"] in missing]
        files = {str(row["clip"]): str(row["file"]) for row in rows}
        sources = [
            Source(row["clip"], self.prepared.media(row), row["start"], row["end"], row["sha256"], there=(frozenset(),))
            for row in rows
        ]
        target = self.target
        if sources and self._cached is not None and not writable(target.folder):
            target = target._replace(folder=self._cached)
        readings = extraction.extract(
            sources, [target], workers=workers, what=what or features.title(self.name, self.config)
        )
        with held(self.prepared.limits):
            problems = [Problem(files[reading.clip], reading.problem) for reading in readings if reading.problem]
        self._kept.read_index()
        return problem_table(problems)

    def _take(self, clips: Collection[str], what: str) -> pd.DataFrame:
        """Write the images of some clips, which are read from the corpus's table again."""
        card = self.prepared.card
        corpus = readers.read(card["reader"], Path(card["input"]), card.get("options", {}))
        there = {clip: image for clip, image in corpus.images.items() if clip in clips}
        same = {clip: image for clip, image in there.items() if images.identity(image) == self._keys[clip]}
        target = self.target
        if self._cached is not None and not writable(target.folder):
            target = target._replace(folder=self._cached)
        deque(images.extract(same, [target], what=what or features.title(self.name, self.config)), maxlen=0)
        self._kept.read_index()
        return problem_table(Problem(clip, "has changed since it was prepared") for clip in clips if clip not in same)

    def _take_frames(self, clips: Sequence[str], what: str) -> pd.DataFrame:
        """Write the frames that the corpus itself has of some clips; its rows have to be those that were prepared."""
        card = self.prepared.card
        corpus = readers.read(card["reader"], Path(card["input"]), card.get("options", {}))
        frame_vectors.refuse_unfitting(self.name, self.config, corpus.held, card["input"])
        rows, before = corpus.table.set_index("clip"), self.prepared.table.set_index("clip")
        rows, before = rows.reindex(list(clips)), before.reindex(index=list(clips), columns=list(rows))
        same = ((rows == before) | (rows.isna() & before.isna())).all(axis=1)
        keys = {clip: self._keys[clip] for clip, kept in zip(clips, same, strict=True) if kept}
        target = self.target
        if self._cached is not None and not writable(target.folder):
            target = target._replace(folder=self._cached)
        if corpus.frames is not None:
            frame_vectors.extract(corpus.frames, keys, target, what=what or self.name)
        self._kept.read_index()
        files = dict(zip(self.prepared.table["clip"], self.prepared.table["file"], strict=True))
        changed = [clip for clip in clips if clip not in keys]
        return problem_table(
            Problem(str(files[clip]), f"{clip}: its labels have changed since it was prepared") for clip in changed
        )

    def length(self, clip: str) -> int:
        """The number of frames T of a clip; raises CorpusError when they were not extracted."""
        return self._kept.length(clip)

    def frames(self, clip: str) -> torch.Tensor:
        """The frames of a clip, (T, D) float32, or pixels (T, C, S, S) uint8, a view of the mapped shard: only read it.

        Raises:
            CorpusError: they were not extracted.
        """
        return self._kept.frames(clip)

    def reasons(self, clip: str) -> torch.Tensor:
        """Why frames of a clip are not usable, (T,) uint8, see `mien.media.faces.Reason`; 0 where they are."""
        return self._kept.reasons(clip)

    def valid(self, clip: str) -> torch.Tensor:
        """Which frames of a clip are usable, (T,) bool."""
        return self._kept.valid(clip)


class JoinedStore:
    """Frames by clip of one or several corpora, each from the store in its own PREPARED folder, all of one feature."""

    def __init__(self, joined: Joined, name: str, config: Settings) -> None:
        """Open the stores of a feature, which may not exist yet.

        Args:
            joined: the corpora.
            name: of the feature.
            config: its settings.

        Raises:
            ConfigError: it is read from files, and their place is not given or not there.
            CorpusError: no clip has such a file, or one has two.
        """
        self._joined, self.name = joined, name
        self.stores = {corpus: _open(part, name, config) for corpus, part in joined.parts.items()}
        files = [store for store in self.stores.values() if isinstance(store, VectorStore)]
        if files:
            refuse_without_files(files, joined.place)

    def has(self, clip: str) -> bool:
        """Whether a clip has a file, of vectors that are read from files."""
        name, own = self._joined.own(clip)
        store = self.stores[name]
        return isinstance(store, VectorStore) and store.has(own)

    def missing(self, clips: Sequence[str]) -> list[str]:
        """Those of the clips that have no frames yet."""
        lacking = {
            named(name, clip)
            for name, own in self._joined.divided(clips).items()
            for clip in self.stores[name].missing(own)
        }
        return [clip for clip in clips if clip in lacking]

    def extract(self, clips: Sequence[str], *, workers: int = 1, what: str = "") -> pd.DataFrame:
        """Extract what is missing, see `FeatureStore.extract`; files of several corpora are called NAME/FILE."""
        tables = [problem_table([])]
        for name, own in self._joined.divided(clips).items():
            store = self.stores[name]
            title = what or features.title(store.name, store.config)
            problems = store.extract(own, workers=workers, what=f"{name}: {title}" if name else title)
            tables.append(problems.assign(file=[named(name, file) for file in problems["file"]]))
        return pd.concat(tables, ignore_index=True)

    def length(self, clip: str) -> int:
        """The number of frames T of a clip; raises CorpusError when they were not extracted."""
        name, own = self._joined.own(clip)
        return self.stores[name].length(own)

    def frames(self, clip: str) -> torch.Tensor:
        """The frames of a clip, see `FeatureStore.frames`."""
        name, own = self._joined.own(clip)
        return self.stores[name].frames(own)

    def valid(self, clip: str) -> torch.Tensor:
        """Which frames of a clip are usable, (T,) bool."""
        name, own = self._joined.own(clip)
        return self.stores[name].valid(own)


def _open(prepared: Prepared, name: str, config: Settings) -> FeatureStore | VectorStore:
    """The store of a feature of one corpus."""
    if isinstance(config, _vectors.Config):
        return VectorStore(prepared, name, config, target(prepared.folder, name, config).folder)
    return FeatureStore(prepared, name, config)


class ColumnStore:
    """One vector a clip from columns of the corpus's table, see `mien.features.columns`; nothing is extracted."""

    def __init__(self, prepared: Joined, name: str, config: columns.Config) -> None:
        """Take the columns.

        Raises:
            ConfigError: the table has no such column, or it holds words.
        """
        self.vectors = columns.vectors(prepared.table, config, prepared.place)

    def missing(self, clips: Sequence[str]) -> list[str]:
        """Nothing is."""
        return []

    def extract(self, clips: Sequence[str], *, workers: int = 1, what: str = "") -> pd.DataFrame:
        """Nothing to do."""
        return problem_table([])

    def length(self, clip: str) -> int:
        """1; 0 for a clip of which a value is missing."""
        return len(self.vectors[clip])

    def frames(self, clip: str) -> torch.Tensor:
        """The vector of a clip, (1, D) float32, or (0, D)."""
        return self.vectors[clip]

    def valid(self, clip: str) -> torch.Tensor:
        """True for the vector."""
        return torch.ones(len(self.vectors[clip]), dtype=torch.bool)


Store = JoinedStore | ColumnStore


def open_store(prepared: Joined, name: str, config: Settings) -> Store:
    """The store of a feature."""
    if isinstance(config, columns.Config):
        return ColumnStore(prepared, name, config)
    return JoinedStore(prepared, name, config)
