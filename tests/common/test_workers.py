"""If a worker crashes, only the item that caused it is lost."""

import os
import signal

import pytest

from mien.common.workers import Lost, spread


@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_processed_or_lost(workers: int) -> None:
    kill = signal.SIGKILL

    def double(items):
        if any(item in (3, 10) for item in items):
            os.kill(os.getpid(), kill)
        return [2 * item for item in items]

    chunks = [list(range(first, first + 3)) for first in range(0, 15, 3)]
    done, lost = [], []
    for chunk, result in spread(double, chunks, workers=workers):
        if isinstance(result, Lost):
            lost.append(result.item)
            assert (list(chunk), result.how) == ([result.item], "SIGKILL")
        else:
            done += result
            assert result == [2 * item for item in chunk]
    assert sorted(lost) == [3, 10]
    assert sorted(done) == [2 * item for item in range(15) if item not in (3, 10)]


def test_an_error_of_the_function_is_raised() -> None:
    def wrong(items):
        raise ZeroDivisionError(items[0])

    with pytest.raises(ZeroDivisionError):
        list(spread(wrong, [[1]], workers=1))
