"""Work in worker processes that continues if a worker crashes.

A decoder can crash its process on a malformed file. The chunks that were being processed are then repeated, each alone.
If a chunk crashes again, its items are processed one by one, and an item that crashes its worker is `Lost`.

Processes are joblib's: loky, or the backend of `joblib.parallel_config` (dask). One worker is a process of its own too.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar

from mien.common.imports import imported

T = TypeVar("T")
R = TypeVar("R")


class Lost(NamedTuple, Generic[T]):
    """An item whose worker crashed; `how` is the name of the signal, such as SIGSEGV, or "" if unknown."""

    item: T
    how: str


@contextmanager
def starting(modules: Sequence[str], *, workers: int) -> Iterator[None]:
    """Start worker processes that import modules while this process does something else, such as importing them itself.

    `spread` with as many workers finds them at work or ready. One that crashes meanwhile is `spread`'s to report.

    Args:
        modules: their names.
        workers: how many processes; one is none, as its work is done in this process.
    """
    if workers == 1:
        yield
        return
    from joblib import Parallel, delayed  # not before there is work for several processes

    pool = Parallel(workers, return_as="generator_unordered", batch_size=1)
    importing = pool(delayed(_import)(modules) for _ in range(workers))
    try:
        yield
    finally:
        with warnings.catch_warnings():  # joblib warns of what was begun and is not awaited
            warnings.simplefilter("ignore", UserWarning)
            importing.close()


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        imported(module)


def spread(
    function: Callable[[Sequence[T]], R], chunks: Sequence[Sequence[T]], *, workers: int
) -> Iterator[tuple[Sequence[T], R | Lost[T]]]:
    """Call a function on chunks in worker processes.

    Args:
        function: importable, takes a chunk. It may be called twice on an item, so it has to be deterministic.
        chunks: non-empty sequences of items that can be pickled.
        workers: how many chunks are processed at once.

    Yields:
        (chunk, return value of the function), or ([item], Lost) for an item that crashed its worker; in any order.
    """
    from joblib import Parallel, delayed  # not before there is work for several processes

    waiting = iter(enumerate(chunks))
    left = True
    while left:
        sent: dict[int, Sequence[T]] = {}
        left = False

        def jobs(sent: dict[int, Sequence[T]] = sent) -> Iterator[object]:
            for number, chunk in waiting:
                sent[number] = chunk
                yield delayed(_numbered)(function, number, chunk)

        # joblib runs a single job in this process, so one worker is created as two that get one job at a time.
        pool = Parallel(
            max(2, workers),
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch=1 if workers == 1 else "2*n_jobs",
        )
        results = pool(jobs())
        try:
            for number, result in results:
                yield sent.pop(number), result
        except BrokenProcessPool:
            left = True
            suspects = list(sent.values())
            if len(suspects) == 1:  # no other chunk can be the cause
                suspects = [[item] for item in suspects[0]]
            for chunk in suspects:
                yield from _alone(function, chunk)
        finally:
            with warnings.catch_warnings():  # on an interruption joblib warns; the interruption itself is reported
                warnings.simplefilter("ignore", UserWarning)
                results.close()


def _alone(function: Callable[[Sequence[T]], R], chunk: Sequence[T]) -> Iterator[tuple[Sequence[T], R | Lost[T]]]:
    try:
        from joblib import Parallel, delayed

        (result,) = Parallel(2, batch_size=1)([delayed(function)(chunk)])
    except BrokenProcessPool as error:
        if len(chunk) > 1:
            for item in chunk:
                yield from _alone(function, [item])
            return
        signal = re.search(r"SIG[A-Z]+", str(error))
        yield chunk, Lost(chunk[0], signal[0] if signal else "")
    else:
        yield chunk, result


def _numbered(function: Callable[[Sequence[T]], R], number: int, chunk: Sequence[T]) -> tuple[int, R]:
    return number, function(chunk)
