"""Frames by clip out of folders of shards: the reading half of every store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import torch

from mien.data import shards
from mien.data.shards import Entry
from mien.errors import CorpusError


class Kept:
    """The frames of clips whose key is the one that is wanted, none of which are kept in memory."""

    def __init__(self, name: str, folders: Sequence[Path], keys: Mapping[str, str]) -> None:
        """Nothing is read yet.

        Args:
            name: of the feature, for sentences.
            folders: of shards; they may be missing.
            keys: clip -> what its frames are known by; others of the clip are passed over.
        """
        self.name, self.folders, self.keys = name, tuple(folders), keys
        self._entries: Mapping[str, Entry] = MappingProxyType({})
        self._shards: dict[Path, shards.Shard] = {}
        self._reasons: dict[Path, torch.Tensor | None] = {}

    def mend(self) -> None:
        """Remove damaged shards, and read which clips are left."""
        for folder in self.folders:
            shards.mend(folder)
        self.read_index()

    def read_index(self) -> None:
        """Read which clips there are."""
        entries = (entry for folder in self.folders for entry in shards.entries(folder))
        self._entries = {entry.clip: entry for entry in entries if self.keys.get(entry.clip) == entry.key}

    def __contains__(self, clip: str) -> bool:
        return clip in self._entries

    def length(self, clip: str) -> int:
        """The number of frames T of a clip; raises CorpusError when they are not there."""
        entry = self._entry(clip)
        return entry.end - entry.begin

    def frames(self, clip: str) -> torch.Tensor:
        """The frames of a clip, (T, D) float32, or pixels (T, C, S, S) uint8, a view of the mapped shard: only read it.

        Raises:
            CorpusError: they are not there.
        """
        entry = self._entry(clip)
        shard = self._shards.get(entry.shard)
        if shard is None:
            shard = self._shards[entry.shard] = shards.Shard(entry.shard)
        return shard.read(entry.begin, entry.end)

    def reasons(self, clip: str) -> torch.Tensor:
        """Why frames of a clip are not usable, (T,) uint8, see `mien.media.faces.Reason`; 0 where they are."""
        entry = self._entry(clip)
        if entry.shard not in self._reasons:
            self._reasons[entry.shard] = shards.reasons(entry.shard)
        reasons = self._reasons[entry.shard]
        if reasons is None:
            return torch.zeros(entry.end - entry.begin, dtype=torch.uint8)
        return reasons[entry.begin : entry.end]

    def valid(self, clip: str) -> torch.Tensor:
        """Which frames of a clip are usable, (T,) bool."""
        return self.reasons(clip) == 0

    def _entry(self, clip: str) -> Entry:
        entry = self._entries.get(clip)
        if entry is None:
            self.read_index()  # another process may have written it
            entry = self._entries.get(clip)
        if entry is None:
            raise CorpusError(f"{self.folders[0]}: no {self.name} of the clip '{clip}'; extract it first")
        return entry
