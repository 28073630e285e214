"""One command at a time writes to a folder: the second one is refused, and told who is at work.

The lock is a file in the folder that the operating system locks (`filelock`), so that it ends with its process, however
that ends. Where a file system has no such locks, a file that names machine and process takes their place; that of a
process that is gone is taken over. What commands that were killed left half-written is removed by the next one.
"""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from mien.common.files import ELSEWHERE, LOCK, beside, clean, clean_beside, require_folder
from mien.errors import BusyError

_HELD: set[tuple[Path, int]] = set()  # the locks of this process, by thread
ASKED = 0.3  # seconds that a lock is tried: `files.is_held` has it for a moment
_WITHOUT = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)  # errors of a file system without locks


@contextmanager
def writing(folder: Path | str, doing: str, *, whole: bool = False, way: str = ELSEWHERE) -> Iterator[None]:
    """Hold a folder, which is made if need be, while this command writes to it; a command that it calls may as well.

    Args:
        folder: that is written to.
        doing: the command, such as `mien train`, which a second one is told.
        whole: whether the folder is replaced as a whole, so that its lock lies beside it.
        way: the way out where it cannot be written to.

    Raises:
        BusyError: another process holds it.
        ConfigError: it can be neither made nor written to.
    """
    given, folder = folder, Path(folder).resolve()  # a link is another name of the same folder
    place = beside(folder, LOCK) if whole else folder / LOCK
    if (mine := (place, threading.get_ident())) in _HELD:
        yield
        return
    require_folder(folder, way)
    made = [one for one in (place.parent, *place.parents) if not one.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = _acquired(place, given, doing)
        _HELD.add(mine)
        try:
            (clean_beside if whole else clean)(folder)
            yield
        finally:
            _HELD.remove(mine)
            place.unlink(missing_ok=True)  # while it is held: who waits for it then begins anew
            lock.release()
    finally:
        for empty in made:  # nothing was written
            with suppress(OSError):
                empty.rmdir()


def writing_as_first(folder: Path | str, doing: str) -> AbstractContextManager[None]:
    """The same where `torchrun` started several processes for one command: the first one holds the folder for all."""
    return nullcontext() if os.environ.get("RANK", "0") != "0" else writing(folder, doing)


def _acquired(place: Path, folder: Path | str, doing: str) -> BaseFileLock:
    def sign(descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, 0)
            left = f"{os.getpid()}\n{socket.gethostname()}\n{doing}\n".encode()
            while left:  # of a disk that is nearly full, a part is written first
                left = left[os.write(descriptor, left) :]
        except OSError:
            with suppress(OSError):
                place.unlink()  # while it is held
            raise

    try:
        try:
            lock: BaseFileLock = FileLock(place, timeout=ASKED, poll_interval=ASKED / 10, on_acquired=sign)
            lock.acquire()
        except OSError as error:
            if error.errno not in _WITHOUT:
                raise
            lock = SoftFileLock(place, timeout=0)
            lock.acquire()
    except Timeout:
        way = "wait until it is done, or choose another folder"
        raise BusyError(f"{folder}: {_holder(place)} writes to it; {way}") from None
    except OSError as error:
        raise error if error.filename else OSError(error.errno, error.strerror, str(place)) from error
    return lock


def _holder(place: Path) -> str:
    """Who holds a lock, as far as its file says."""
    with suppress(OSError, ValueError):
        process, machine, *rest = place.read_text(encoding="utf-8").splitlines()
        doing = f"'{rest[0]}'" if rest and rest[0].startswith("mien ") else "another command"
        return f"{doing} (process {int(process)} on {machine})"
    return "another command"
