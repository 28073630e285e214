"""Memory: how much there is, how much this process has, and what is free but not given back to the system.

A process that makes arrays of many sizes again and again leaves holes between those that stay. The C library keeps
them, and takes new memory where no hole is large enough: reading ten hours of sound took a gigabyte, most of it free.
"""

import ctypes
import math
import mmap
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


def give_back() -> None:
    """Give free memory back to the system, which takes some milliseconds; does nothing where the C library can't."""
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim  # of glibc
    except (AttributeError, OSError, TypeError):
        return None


def resident() -> int:
    """Bytes of memory that this process has; its peak where the system does not tell; 0 where it tells nothing."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a worker looks ten times a second
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except OSError:
        pass
    try:
        import resource
    except ModuleNotFoundError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@cache
def machine() -> float:
    """Bytes of memory that this machine, or the container in it, has for processes; infinity where it is not known."""
    sizes = [math.inf]
    for place in ("memory.max", "memory/memory.limit_in_bytes"):  # of control groups, version 2 and 1
        with suppress(OSError, ValueError):
            sizes.append(float(Path("/sys/fs/cgroup", place).read_text(encoding="ascii")))  # "max" is no number
    with suppress(AttributeError, OSError, ValueError):
        sizes.append(float(os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE))
    return min(sizes)
