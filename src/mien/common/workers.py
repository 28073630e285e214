"""Work in other processes that a dying worker does not end.

A decoder that is fed a hostile file can end its process by a signal. The chunks that were in work then are done again,
each alone; one that kills again is done item by item, and an item that kills its worker alone is `Lost`.

Processes are joblib's: loky here, or what `joblib.parallel_config` names (dask). Even one worker is another process.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Generic, NamedTuple, TypeVar

from joblib import Parallel, delayed

T = TypeVar("T")
R = TypeVar("R")


class Lost(NamedTuple, Generic[T]):
    """An item whose worker died: `how` is the signal's name, such as SIGSEGV, or "" where that is not known."""

    item: T
    how: str


def spread(
    function: Callable[[Sequence[T]], R], chunks: Sequence[Sequence[T]], *, workers: int
) -> Iterator[tuple[Sequence[T], R | Lost[T]]]:
    """Call a function on chunks in worker processes.

    Args:
        function: importable, takes a chunk; may be called twice on an item, so it has to give the same again.
        chunks: non-empty, of anything that pickles.
        workers: how many chunks are in work at once.

    Yields:
        (chunk, what the function returned), or ([item], Lost) for an item that ended its worker; in any order.
    """
    waiting = iter(enumerate(chunks))
    left = True
    while left:
        sent: dict[int, Sequence[T]] = {}
        left = False

        def draw(sent: dict[int, Sequence[T]] = sent) -> Iterator[object]:
            for number, chunk in waiting:
                sent[number] = chunk
                yield delayed(_numbered)(function, number, chunk)

        # joblib takes one job to mean this process, so that one worker is two of which one is given work at a time.
        pool = Parallel(
            max(2, workers),
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch=1 if workers == 1 else "2*n_jobs",
        )
        results = pool(draw())
        try:
            for number, result in results:
                yield sent.pop(number), result
        except BrokenProcessPool:
            left = True
            suspects = list(sent.values())
            if len(suspects) == 1:  # nobody else can have done it
                suspects = [[item] for item in suspects[0]]
            for chunk in suspects:
                yield from _alone(function, chunk)
        finally:
            with warnings.catch_warnings():  # an interruption is told by whoever interrupts, not as a warning of joblib
                warnings.simplefilter("ignore", UserWarning)
                results.close()


def _alone(function: Callable[[Sequence[T]], R], chunk: Sequence[T]) -> Iterator[tuple[Sequence[T], R | Lost[T]]]:
    try:
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
