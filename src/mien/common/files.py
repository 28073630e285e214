"""Atomic writing of files and folders, and hashes of files."""

import errno
import filecmp
import glob
import hashlib
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from mien.common.escapes import json_written, written
from mien.common.shortage import not_written
from mien.errors import ConfigError

LOCK = ".lock"  # file in a folder that a command writes to, see `mien.common.locks`
DAY = 86_400.0  # seconds after which a temporary file of another machine is taken for one that was left behind
ELSEWHERE = "choose another --out"  # a way out where a folder cannot be written to
COPY = "copy the run to a place where you may write, and give that one"  # likewise, of a command without --out
MADE = 10.0  # seconds that a lock without locks of the system may take from its name to its first line
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)  # errors where a place may be read and not written to


State = tuple[int, int, int] | None  # inode, time and size of a file, which an atomic write changes


def beside(folder: Path, ending: str) -> Path:
    """The hidden name beside a folder that is replaced as a whole; of a link, beside the folder that it leads to."""
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}{ending}")


def state_of(path: Path) -> State:
    """What tells one state of a file from another; None where there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


@contextmanager
def atomic(path: Path, *, changes: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on exit without an error, flush it to disk and rename it to `path`.

    With `changes`, a `path` of the same bytes stays as it is; else that is called with the temporary path first.

    After an error (also Ctrl-C or a full disk) the temporary file is removed and an older `path` is unchanged. If the
    process is killed, at most a file is left whose name begins with a dot and ends in `.tmp`; no code reads it, and
    `clean` removes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path, "tmp")
    try:
        yield temporary
        if changes is not None:
            if path.is_file() and filecmp.cmp(temporary, path, shallow=False):
                return
            changes(temporary)
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
def probe(folder: Path) -> Iterator[Path]:
    """Yield an empty file in a folder, of a name that no file had before; it is removed at the end."""
    path = _beside(folder / uuid4().hex, "tmp")
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; on exit without an error, replace `path` by it.

    A link stays one, and the folder that it leads to is replaced. What killed processes left beside that is cleaned.

    After an error the temporary folder is removed and an older folder `path` is unchanged. If the process is killed,
    the older folder is complete: at `path` or, if killed between the two renames, beside it under a name that begins
    with a dot and ends in `.old`; `clean_beside` puts it back.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    clean_beside(path)
    temporary, old = _beside(path, "tmp"), _beside(path, "old")
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


def _beside(path: Path, end: str) -> Path:
    """The temporary name of a path, which says whose it is: `.NAME.MACHINE-PROCESS.END`."""
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}.{end}")


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def clean(folder: Path) -> None:
    """Remove what processes that are gone have left half-written in a folder, and below it."""
    for place, _, files in os.walk(folder):
        for name in files:
            if name.startswith(".") and name.endswith(".tmp") and _is_left(Path(place, name)):
                Path(place, name).unlink(missing_ok=True)


def clean_beside(path: Path) -> None:
    """Remove what processes that are gone have left beside a path; a folder that was lost on the way is put back.

    Args:
        path: as `atomic` takes it; of a folder that is replaced as a whole, without links.
    """
    path = path.absolute()
    for left in path.parent.glob(f".{glob.escape(path.name)}.*-*.tmp"):
        if _is_left(left):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    for old in path.parent.glob(f".{glob.escape(path.name)}.*-*.old"):
        if not _is_left(old):
            continue
        if path.exists():
            shutil.rmtree(old)
        else:
            old.rename(path)


def _is_left(path: Path) -> bool:
    """Whether the process is gone that a temporary name is of."""
    machine, _, process = path.name.rsplit(".", 2)[-2].partition("-")
    if not process.isdecimal():
        return False
    if machine == _machine() and sys.platform != "win32":
        return int(process) == os.getpid() or not _runs(int(process))
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > DAY
    return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def is_held(place: Path) -> bool:
    """Whether a process holds a lock (`mien.common.locks`). It is tried; where there are no locks, its file says so."""
    try:
        descriptor = os.open(place, os.O_RDONLY)
    except OSError as error:
        return error.errno != errno.ENOENT and _is_signed(place)
    from filelock import lock_descriptor  # it takes 70 ms to import

    try:
        return not lock_descriptor(descriptor, blocking=False)
    except OSError:
        return _is_signed(place)
    finally:
        os.close(descriptor)


def _is_signed(place: Path) -> bool:
    """Whether a lock is held as far as its file says: by the number of a process that runs, and its machine."""
    try:
        process, machine, *_ = place.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        with suppress(OSError):
            return time.time() - place.stat().st_mtime < MADE
        return False
    return machine != socket.gethostname() or not process.isdecimal() or _runs(int(process))


def contents(folder: Path) -> list[str]:
    """The names in a folder, without the lock and temporary files of mien; none where there is no folder."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(name for name in names if name != LOCK and not (name.startswith(".") and name.endswith(".tmp")))


def require_folder(folder: Path, way: str = ELSEWHERE) -> None:
    """Raise ConfigError where `folder` can be neither made nor written to: better before hours of work than after.

    Args:
        folder: that will be written to.
        way: the way out, for the sentence.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())  # the folders below it are made
    if not there.is_dir():
        raise ConfigError(f"{there}: is a file, not a folder; {way}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{there}: is not writable; {way}")


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
    """Write a text file atomically, in UTF-8 (see `common.escapes`), without translating newlines."""
    with atomic(path) as temporary:
        temporary.write_text(written(text), encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Write an indented JSON file atomically; ValueError for nan and infinity."""
    write_text(path, json_written(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)) + "\n")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
