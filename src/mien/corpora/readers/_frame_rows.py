"""The rows of a segment in CSV files of logits, by its name: read once in pieces, kept in a temporary file.

Memory grows with the number of segments whose rows lie together, not of rows: a place in that file for each. Rows of a
segment that lie apart cost a place each time, and come in the order of the file.
"""

import weakref
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.corpora.readers import _face_logits
from mien.corpora.votes import EMOTIONS
from mien.errors import CorpusError

Key = tuple[str, ...]
ITEM = 4 * len(EMOTIONS)  # bytes of a frame


class FrameRows:
    """Logits by clip, from the files that `_face_logits.pooled` has read.

    Args:
        root: the folder of the files.
        files: relative to it; of a segment that several list, the rows of the first one count.
        clips: the speaker, video and segment of a row, as they are written -> the name of the clip.
    """

    def __init__(self, root: Path, files: Collection[str], clips: Mapping[Key, str]) -> None:
        self.root, self.files, self.clips = root, tuple(files), clips

    def read(self, clip: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The frames of a clip, (T, 8) float32, and which of them have logits, (T,); the others are nan.

        Raises:
            CorpusError: no row is of this clip, or a file is no table any more.
        """
        store, places = self._kept
        if clip not in places:
            raise CorpusError(f"{self.root}: no row of logits is of the clip '{clip}'")
        parts = []
        for first, count in places[clip]:
            store.seek(first * ITEM)
            parts.append(np.frombuffer(store.read(count * ITEM), np.float32).reshape(count, len(EMOTIONS)))
        frames = np.concatenate(parts)
        return frames, np.asarray(np.isfinite(frames).all(axis=1))

    @cached_property
    def _kept(self) -> tuple[IO[bytes], dict[str, list[tuple[int, int]]]]:
        """A file of all frames, and where those of each clip are: the first frame and their number."""
        store = TemporaryFile()  # noqa: SIM115 - it lives as long as this object
        weakref.finalize(self, store.close)
        places: dict[str, list[tuple[int, int]]] = {}
        written, listed = 0, dict[str, str]()
        for file in self.files:
            for chunk in _face_logits.chunks(self.root / file, [*_face_logits.KEYS, *EMOTIONS]):
                logits = chunk[list(EMOTIONS)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
                store.write(np.ascontiguousarray(logits).tobytes())
                for clip, count in _runs(chunk[list(_face_logits.KEYS)], self.clips):
                    if clip and listed.setdefault(clip, file) == file:
                        _add(places.setdefault(clip, []), written, count)
                    written += count
        store.flush()
        return store, places


def _runs(keys: pd.DataFrame, clips: Mapping[Key, str]) -> Iterable[tuple[str, int]]:
    """The clips of neighbouring rows, "" for rows of none, with the number of rows."""
    names = (clips.get(key, "") for key in keys.itertuples(index=False, name=None))
    return [(clip, sum(1 for _ in rows)) for clip, rows in groupby(names)]


def _add(places: list[tuple[int, int]], first: int, count: int) -> None:
    """A further place, or a longer last one where it goes on."""
    if places and sum(places[-1]) == first:
        places[-1] = places[-1][0], places[-1][1] + count
    else:
        places.append((first, count))
