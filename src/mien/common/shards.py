"""Shards: files of the frames of clips, as feature stores and label folders keep them.

One shard holds the frames of some clips in one safetensors file:

- `frames`: (sum of T, D) float32, or pixels, (sum of T, C, S, S) uint8, clip after clip;
- `reasons`: (sum of T,) uint8, of pixels and of vectors from files: why a frame is not usable (`faces.Reason`), 0 where
  it is;
- `offsets`: (clips + 1,) int64, clip n has the frames from offsets[n] to offsets[n + 1];
- metadata: JSON lists `clips` (names), `keys` (the identity of their sound, see `data.prepared.key`) and `seconds`.

A shard is named after its clips and keys, so that writing the same work twice gives one file, with the same bytes. It
appears whole or not at all. Nothing is unpickled. Frames of sound are read clip by clip, so that none stay in memory;
pixels are mapped into memory, and parts of them read where they are touched.
"""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mien.common.files import atomic
from mien.common.settings import digest
from mien.errors import CorpusError


class Entry(NamedTuple):
    """A clip in a shard: its name and key, its seconds of sound, and where its frames are."""

    clip: str
    key: str
    seconds: float
    shard: Path
    begin: int
    end: int


class Frames(NamedTuple):
    """The frames of one clip: `values` (T, D) float32, or pixels (T, C, S, S) uint8; `reasons` (T,) where given."""

    clip: str
    key: str
    seconds: float
    values: NDArray[Any]
    reasons: NDArray[np.uint8] | None = None


def write(folder: Path, clips: Sequence[Frames]) -> Path:
    """Write a shard of at least one clip and return its path."""
    names, identities = [clip.clip for clip in clips], [clip.key for clip in clips]
    path = folder / f"shard-{digest([names, identities])}.safetensors"
    lengths = [0, *(len(clip.values) for clip in clips)]
    tensors: dict[str, NDArray[Any]] = {
        "frames": np.concatenate([clip.values for clip in clips]),
        "offsets": np.cumsum(lengths, dtype=np.int64),
    }
    if tensors["frames"].dtype != np.uint8:
        tensors["frames"] = tensors["frames"].astype(np.float32, copy=False)
    reasons = [clip.reasons for clip in clips if clip.reasons is not None]
    if reasons:
        tensors["reasons"] = np.concatenate(reasons)
    tensors = {name: np.ascontiguousarray(values) for name, values in tensors.items()}  # others are saved scrambled
    metadata = {"clips": names, "keys": identities, "seconds": [clip.seconds for clip in clips]}
    written = save(tensors, {name: json.dumps(values) for name, values in metadata.items()})
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.writelines(_in_order(written))
    return path


def _in_order(written: bytes) -> tuple[bytes, memoryview]:
    """A safetensors file as header and tensors; the metadata, which the package writes in any order, are sorted."""
    begin = 8 + int.from_bytes(written[:8], "little")
    head = json.loads(written[8:begin])
    head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text, memoryview(written)[begin:]


def entries(folder: Path) -> Iterator[Entry]:
    """All clips of all shards in a folder. A shard that is damaged counts as absent: its clips are extracted anew."""
    for path in sorted(folder.glob("shard-*.safetensors")):
        with suppress(SafetensorError):
            yield from entries_of(path)


def entries_of(path: Path) -> list[Entry]:
    """All clips of a shard; raises SafetensorError where it is damaged."""
    with safe_open(path, "numpy") as shard:
        metadata, offsets = shard.metadata(), shard.get_tensor("offsets").tolist()
    columns = (json.loads(metadata[name]) for name in ("clips", "keys", "seconds"))
    return [
        Entry(clip, key, seconds, path, offsets[number], offsets[number + 1])
        for number, (clip, key, seconds) in enumerate(zip(*columns, strict=True))
    ]


def frames(path: Path) -> torch.Tensor:
    """The frames of a shard, mapped into memory; pages are read when touched."""
    with safe_open(path, "pt") as shard:
        values: torch.Tensor = shard.get_tensor("frames")
    return values


class Shard:
    """The frames of a shard. Pixels are mapped into memory, pages are read when touched."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            about = json.loads(file.read(size))["frames"]
        self._row, self._offset = tuple(about["shape"][1:]), 8 + size + about["data_offsets"][0]
        self._pixels: torch.Tensor | None = None
        if about["dtype"] == "U8":
            self._pixels = frames(path)

    def read(self, begin: int, end: int) -> torch.Tensor:
        """Frames of the shard, (end - begin, D) float32, or a view of the mapped pixels.

        Raises:
            CorpusError: the file is shorter than it was.
        """
        if self._pixels is not None:
            return self._pixels[begin:end]
        if end == begin:
            return torch.zeros(0, *self._row)
        width = 4 * math.prod(self._row)
        values = bytearray(width * (end - begin))
        with self.path.open("rb", buffering=0) as file:
            file.seek(self._offset + width * begin)
            if file.readinto(values) != len(values):
                raise CorpusError(f"{self.path}: is shorter than it was when it was opened; run the same command again")
        return torch.frombuffer(values, dtype=torch.float32).view(-1, *self._row)


def reasons(path: Path) -> torch.Tensor | None:
    """Why frames of a shard are not usable, (sum of T,) uint8; None where all are."""
    with safe_open(path, "pt") as shard:
        values: torch.Tensor | None = shard.get_tensor("reasons") if "reasons" in shard.keys() else None  # noqa: SIM118
    return values
