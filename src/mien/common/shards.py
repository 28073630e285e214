"""Shards: files of the frames of clips, as feature stores and label folders keep them.

One shard holds the frames of some clips in one safetensors file:

- `frames`: (sum of T, D) float32, or pixels, (sum of T, C, S, S) uint8, clip after clip;
- `reasons`: (sum of T,) uint8, of pixels and of vectors from files: why a frame is not usable (`faces.Reason`), 0 where
  it is;
- `offsets`: (clips + 1,) int64, clip n has the frames from offsets[n] to offsets[n + 1];
- metadata: JSON lists `clips` (names), `keys` (the identity of their sound, see `data.prepared.key`) and `seconds`;
  `folder`, the name of the shard's folder, which says of which feature and settings the frames are; and `sha256`, the
  SHA-256 of the header without it and of the tensors.

A shard is named after its clips and keys, so that writing the same work twice gives one file, with the same bytes. It
appears whole or not at all, and is verified once in a process before a frame of it is read. Nothing is unpickled.
Frames of sound are read clip by clip, so that none stay in memory; pixels are mapped into memory, and parts of them
read where they are touched.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from mien.common.files import atomic
from mien.common.manifests import SEAL
from mien.common.progress import say
from mien.common.settings import digest
from mien.common.tensor_files import header, in_order, parts
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
    about = {name: json.dumps(values) for name, values in metadata.items()} | {"folder": folder.name}
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.writelines(_sealed(tensors, about))
    return path


def _sealed(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> tuple[bytes, memoryview]:
    """A shard as header and tensors."""
    head, content = in_order(tensors, metadata)
    head["__metadata__"][SEAL] = hashlib.sha256(header(head) + content).hexdigest()
    return parts(head, content)


def damage(path: Path) -> str:
    """What is wrong with a shard, one clause; "" for one that is as it was written. It is read once in a process."""
    try:
        stat = path.stat()
    except OSError:
        return "missing"
    return _damage(path, stat.st_ino, stat.st_mtime_ns, stat.st_size)


@cache
def _damage(path: Path, inode: int, changed: int, size: int) -> str:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(length)) if length < size else {}
            ends = [one["data_offsets"][1] for name, one in head.items() if name != "__metadata__"]
            if not ends or 8 + length + max(ends) != size:
                return "it has another size than its header says"
            expected = head["__metadata__"].pop(SEAL)
            if (folder := head["__metadata__"]["folder"]) != path.parent.name:
                return f"it is one of {folder}"
            found = hashlib.sha256(header(head))
            while part := file.read(2**20):
                found.update(part)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"its header cannot be read: {error}"
    return "" if found.hexdigest() == expected else "its SHA-256 is not the one that was written in it"


def mend(folder: Path) -> None:
    """Remove the shards of a folder that are damaged, each with a sentence, so that their clips are extracted again."""
    for path in sorted(folder.glob("shard-*.safetensors")):
        if why := damage(path):
            say(f"{path}: damaged ({why}); what it held is made again")
            with suppress(OSError):  # where nothing can be written it is passed over, by `entries`
                path.unlink()


def entries(folder: Path) -> Iterator[Entry]:
    """All clips of all shards in a folder. A shard that is damaged counts as absent, see `mend`."""
    for path in sorted(folder.glob("shard-*.safetensors")):
        if not damage(path):
            yield from entries_of(path)


def entries_of(path: Path) -> list[Entry]:
    """All clips of a shard; raises CorpusError where it is damaged."""
    if why := damage(path):
        raise CorpusError(f"{path}: is damaged ({why}); run the command that made it again")
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
