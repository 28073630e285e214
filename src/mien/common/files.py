"""Atomic writing of files and folders, and hashes of files."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from mien.common.shortage import not_written
from mien.errors import ConfigError

REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)  # errors where a place may be read and not written to


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on exit without an error, flush it to disk and rename it to `path`.

    After an error (also Ctrl-C or a full disk) the temporary file is removed and an older `path` is unchanged. If the
    process is killed, at most a file is left whose name begins with a dot and ends in `.tmp`; no code reads it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise error if error.filename else OSError(error.errno, error.strerror, str(path)) from error
    except Exception as error:
        if (found := not_written(error, path)) is None:
            raise
        raise found from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; on exit without an error, replace `path` by it.

    After an error the temporary folder is removed and an older folder `path` is unchanged. If the process is killed,
    the older folder is complete: at `path` or, if killed between the two renames, beside it under a name that begins
    with a dot and ends in `.old`.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("tmp", "old"))
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rename(old)
        try:
            temporary.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
        if old.exists():
            shutil.rmtree(old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def require_folder(folder: Path) -> None:
    """Raise ConfigError where `folder` can be neither made nor written to: better before hours of work than after."""
    there = next(place for place in (folder, *folder.parents) if place.exists())  # the folders below it are made
    if not there.is_dir():
        raise ConfigError(f"{there}: is a file, not a folder; choose another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{there}: is not writable; choose another --out")


def writable(folder: Path) -> bool:
    """Whether files can be written to a folder, which is made if need be.

    It is tried: mode bits say nothing of read-only disks, access lists and root. Raises OSError for any other reason
    than a refusal, such as a full disk.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return True
    except OSError as error:
        if error.errno in REFUSED:
            return False
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8, without translating newlines."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Write an indented JSON file atomically; ValueError for nan and infinity."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
