"""What runs short while a command works, a disk or memory, in whatever words a library says it."""

import errno
import os
import re
import shutil
from pathlib import Path

from mien.errors import MienError

FULL = 2**20  # bytes that are free on a disk that is nearly full, where a library does not say why it could not write
_NUMBER = re.compile(r"\(os error (\d+)\)")  # as safetensors says it, in its words for errors of the system
_NOT_WRITTEN = ("inline_container.cc", "PytorchStreamWriter failed", "iostream error")  # of torch, without a reason
_NO_MEMORY = (  # of torch on processor and GPU, onnxruntime, libstdc++ and the loader of libraries
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "Failed to allocate memory",
    "std::bad_alloc",
    "failed to map segment",
    "cannot allocate memory",
)


def not_written(error: Exception, path: Path) -> OSError | None:
    """The error of the system for what a library raised that could not write `path`; None where it is something else.

    Args:
        error: of a library that does not raise errors of the system.
        path: what it wrote to.
    """
    text = str(error)
    if (found := _NUMBER.search(text)) is not None:
        number = int(found[1])
    elif any(words in text for words in _NOT_WRITTEN):
        number = errno.ENOSPC if shutil.disk_usage(path.parent).free < FULL else errno.EIO
    else:
        return None
    return OSError(number, os.strerror(number), str(path))


def of_memory(error: BaseException) -> bool:
    """Whether an error says that there is too little memory."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return not isinstance(error, MienError) and any(words in str(error) for words in _NO_MEMORY)


def ended_worker(error: BaseException) -> str | None:
    """The signal that ended a worker process, such as SIGKILL, "" where it is not known; None for another error."""
    if all(kind.__name__ != "BrokenProcessPool" for kind in type(error).__mro__):  # whose module need not be imported
        return None
    found = re.search(r"SIG[A-Z]+", str(error))
    return found[0] if found else ""
