"""Free memory goes back to the system, where the C library has a way."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from mien.common import memory


def resident() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def test_holes_between_what_stays_go_back() -> None:
    if memory._trim() is None:
        pytest.skip("needs glibc")
    parts = [np.ones(2_000) for _ in range(16_000)]
    kept = parts[::100]  # between holes of 1.5 MB
    before = resident()
    del parts
    memory.give_back()
    assert resident() < before - 150
    assert len(kept) == 160


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    memory._trim.cache_clear()
    memory.give_back()
    memory._trim.cache_clear()
