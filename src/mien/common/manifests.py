"""Manifests: what the files of a folder are, so that damage is seen before any of their numbers is used.

`manifest.json` is written last in the folder of a run, of each of its cells, of a prepared corpus and of an exported
model. It has the size and the SHA-256 of each file, and a SHA-256 of itself. Its `stage` is

- `complete`: the files are those that are listed;
- `training`: the files that are there from the beginning of a training are listed, and results are not there yet;
- `writing`: files are being replaced by a command, or were when it was ended; only files listed with it hold.

Sizes are compared first. Records in JSON that stand alone carry their own SHA-256 (`sealed`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mien.common.files import State, sha256, state_of, write_json

NAME = "manifest.json"
SEAL = "sha256"  # key of the SHA-256 of a record in itself
Stage = Literal["complete", "training", "writing"]


class Content(NamedTuple):
    """The size of a file in bytes, and the SHA-256 of its bytes in hexadecimal."""

    size: int
    sha256: str

    @staticmethod
    def of(path: Path) -> "Content":
        """That of a file."""
        return Content(path.stat().st_size, sha256(path))


@dataclass(frozen=True)
class Manifest:
    """The files of a folder.

    Attributes:
        stage: see above.
        files: name, relative to the folder and with `/` -> what the file is.
        of: what the folder is of, a digest, so that it is not taken for another one; "" where nothing depends on it.
    """

    stage: Stage
    files: Mapping[str, Content]
    of: str = ""

    def damage(self, folder: Path, name: str) -> str:
        """What is wrong with a file of the folder, one clause; "" where it is as it was written.

        A file is read once in a process, and again when it was written since.
        """
        path, expected = folder / name, self.files.get(name)
        if expected is None:
            return f"not listed in {NAME}"
        if (state := state_of(path)) is None:
            return "missing"
        if (size := state[2]) != expected.size:
            return f"damaged: it has {size:,} bytes, and {NAME} says {expected.size:,}"
        if (found := _sha256(path, state)) != expected.sha256:
            return f"damaged: its SHA-256 is {found[:12]}..., and {NAME} says {expected.sha256[:12]}..."
        return ""

    def damaged(self, folder: Path) -> dict[str, str]:
        """Name -> what is wrong with it, of all its files that are not as they were written."""
        found = {name: self.damage(folder, name) for name in self.files}
        return {name: what for name, what in found.items() if what}


@cache
def _sha256(path: Path, state: State) -> str:
    return sha256(path)


def read(folder: Path) -> Manifest | None:
    """The manifest of a folder, None where there is none; raises ValueError, with one clause, where it is damaged."""
    try:
        raw = (folder / NAME).read_bytes()
    except OSError:
        return None
    found = unsealed(raw)
    try:
        files = {name: Content(*one) for name, one in found["files"].items()}
        return Manifest(found["stage"], files, found.get("of", ""))
    except (KeyError, TypeError, AttributeError):
        raise ValueError("it is no manifest") from None


def write(folder: Path, names: Iterable[str], stage: Stage = "complete", of: str = "") -> Manifest:
    """Write the manifest of a folder from some of its files, whose names are relative to it."""
    manifest = Manifest(stage, {name: Content.of(folder / name) for name in sorted(names)}, of)
    put(folder, manifest)
    return manifest


def put(folder: Path, manifest: Manifest) -> None:
    """Write a manifest."""
    of = {"of": manifest.of} if manifest.of else {}
    write_json(folder / NAME, sealed({"stage": manifest.stage, **of, "files": manifest.files}))


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of JSON with its own SHA-256, under the key `SEAL`."""
    return {**record, SEAL: _digest(record)}


def unsealed(raw: bytes) -> dict[str, Any]:
    """A record in JSON without its seal; raises ValueError, one clause, where it is none, or not as it was sealed."""
    try:
        record = json.loads(raw.decode())
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(record, dict):
        raise ValueError("it is not a mapping")
    content = {key: value for key, value in record.items() if key != SEAL}
    if record.get(SEAL) != _digest(content):
        raise ValueError("its SHA-256 is not the one that was written in it")
    return content


def _digest(record: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(record, allow_nan=False))  # keys are text from here on
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
