"""Memory that is free, but not given back to the system.

A process that makes arrays of many sizes again and again leaves holes between those that stay. The C library keeps
them, and takes new memory where no hole is large enough: reading ten hours of sound took a gigabyte, most of it free.
"""

import ctypes
from functools import cache
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
