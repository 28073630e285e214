"""Work in worker processes that continues if a worker crashes, and that ends with this process.

A decoder can crash its process on a malformed file. The chunks that were being processed are then repeated, each alone.
If a chunk crashes again, its items are processed one by one, and an item that crashes its worker is `Lost`. A worker
that passed a limit (`watch.Limits`) says so, and the other chunks are repeated as they were.

Processes are joblib's (loky), here or on the machines of a cluster (`mien.common.cluster`). One worker is a process of
its own too.
"""

import os
import signal
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, NamedTuple, TypeVar

from mien.common import cluster, cluster_task, watch
from mien.common.cluster import Cluster, Killed
from mien.common.imports import imported
from mien.common.shortage import ended_worker
from mien.common.watch import Limits

T = TypeVar("T")
R = TypeVar("R")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of libraries, one in a single worker


class Lost(NamedTuple, Generic[T]):
    """An item whose worker was ended.

    Attributes:
        item: the item.
        how: the name of the signal, such as SIGSEGV, or "" if unknown.
        limit: the limit that it passed, one clause, or "".
    """

    item: T
    how: str
    limit: str = ""

    @property
    def problem(self) -> str:
        """What is wrong with the file that was read, one clause."""
        memory = ", perhaps for lack of memory" if self.how == "SIGKILL" else ""
        return self.limit or f"ended the process that read it{f' ({self.how}{memory})' if self.how else ''}"


def results(jobs: Iterable[Callable[[], R]], workers: int) -> Generator[R, None, None]:
    """Call functions in worker processes, which are kept for the next call and end with this process.

    Args:
        jobs: importable functions; each is taken when it can be begun.
        workers: how many run at once.

    Yields:
        What they return, in any order.

    Raises:
        BrokenProcessPool: a process was ended.
    """
    jobs = map(_here, jobs)
    if (far := cluster.current()) is not None:
        yield from _far_results(far, jobs)
        return
    if workers == 1:
        yield from _one_by_one(jobs)
        return
    found = _begin(jobs, workers)
    try:
        yield from found
    finally:
        _close(found)


def _here(function: Callable[..., R]) -> Callable[..., R]:
    """A function that is called in this folder; a process that is kept may have begun in another one."""
    return partial(_in_folder, os.path.abspath(""), function)  # noqa: PTH100


def _in_folder(place: str, function: Callable[..., R], *arguments: Any) -> R:
    with suppress(OSError):  # of a cluster, where there may be none of this name
        os.chdir(place)
    return function(*arguments)


def _one_by_one(jobs: Iterable[Callable[[], R]]) -> Generator[R, None, None]:
    """The work of one worker, which joblib would do in this process: its executor is asked for one."""
    from joblib.executor import get_memmapping_executor  # not before there is work for several processes

    threads = {name: os.environ.get(name, "1") for name in THREADS}
    settings: dict[str, Any] = {"env": threads, "initializer": watch.start, "initargs": (os.getpid(),)}
    of_cluster = cluster_task.is_task()
    _unwarned()
    with _unheard():
        executor = cluster_task.executor(**settings) if of_cluster else get_memmapping_executor(1, **settings)
    for job in jobs:
        with _unheard():
            future = executor.submit(job)
        try:
            result = cluster_task.result(future) if of_cluster else future.result()
        except (KeyboardInterrupt, SystemExit):
            executor.terminate(kill_workers=True)
            raise
        yield result


def _unwarned() -> None:
    """Say nothing of a worker that leaves after a while without work, or as its memory has grown: another one begins.

    As an error (`python -W error`) the warning would end the thread of loky that hands out the work.
    """
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)


def _begin(jobs: Iterable[Callable[[], R]], workers: int) -> Generator[R, None, None]:
    """Start the processes, and give them their first jobs."""
    from joblib import Parallel, delayed

    _unwarned()
    with _unheard():
        pool = Parallel(
            workers,
            return_as="generator_unordered",
            batch_size=1,
            initializer=watch.start,
            initargs=(os.getpid(),),
        )
        begun: Generator[R, None, None] = pool(delayed(job)() for job in jobs)
    return begun


def _close(begun: Generator[Any, None, None]) -> None:
    with warnings.catch_warnings():  # joblib warns of what is not awaited; an interruption itself is reported
        warnings.simplefilter("ignore", UserWarning)
        begun.close()


@contextmanager
def _unheard() -> Iterator[None]:
    """No process that is started in the `with` block hears Ctrl-C or the end of a terminal, before `watch` either."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
    importing = _begin((partial(_import, modules) for _ in range(workers)), workers)
    try:
        yield
    finally:
        _close(importing)


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        imported(module)


def spread(
    function: Callable[[Sequence[T]], R],
    chunks: Sequence[Sequence[T]],
    *,
    workers: int,
    limits: Limits | None = None,
) -> Iterator[tuple[Sequence[T], R | Lost[T]]]:
    """Call a function on chunks in worker processes.

    Args:
        function: importable, takes a chunk. It may be called twice on an item, so it has to be deterministic.
        chunks: non-empty sequences of items that can be pickled.
        workers: how many chunks are processed at once.
        limits: of the process that reads a chunk; None for none.

    Yields:
        (chunk, return value of the function), or ([item], Lost) for an item that ended its worker; in any order.
    """
    if (far := cluster.current()) is not None:
        yield from _far_spread(far, function, chunks, limits)
        return
    with nullcontext("") if limits is None else TemporaryDirectory(prefix="mien-") as place:
        yield from _Spread(function, workers, limits, place).over(chunks)


def _far_results(far: Cluster, jobs: Iterable[Callable[[], R]]) -> Iterator[R]:
    for _, result in far.each(_result, jobs):
        if isinstance(result, Killed):
            raise BrokenProcessPool("every worker of the cluster that tried it was ended")
        yield result


def _result(job: Callable[[], R]) -> R:
    (result,) = results([job], 1)
    return result


def _far_spread(
    far: Cluster, function: Callable[[Sequence[T]], R], chunks: Sequence[Sequence[T]], limits: Limits | None
) -> Iterator[tuple[Sequence[T], R | Lost[T]]]:
    """A machine gives each chunk to a process, as this one would: an item is lost there, and not its worker."""
    work = partial(_spread_one, _here(function), limits)
    while chunks:
        again: list[Sequence[T]] = []
        for chunk, result in far.each(work, chunks):
            if not isinstance(result, Killed):
                yield from result
            elif len(chunk) == 1:
                yield chunk, Lost(chunk[0], "")
            else:
                again += [[item] for item in chunk]
        chunks = again


def _spread_one(
    function: Callable[[Sequence[T]], R], limits: Limits | None, chunk: Sequence[T]
) -> list[tuple[Sequence[T], R | Lost[T]]]:
    return list(spread(function, [chunk], workers=1, limits=limits))


class _Spread(Generic[T, R]):
    """Calls of a function on chunks, each with a file in `place` in which a process leaves the limit that it passed."""

    def __init__(self, function: Callable[[Sequence[T]], R], workers: int, limits: Limits | None, place: str) -> None:
        self._function, self._workers, self._limits, self._place = function, workers, limits, Path(place)

    def over(self, chunks: Sequence[Sequence[T]]) -> Iterator[tuple[Sequence[T], R | Lost[T]]]:
        waiting = deque(enumerate(chunks))
        while waiting:
            sent: dict[int, Sequence[T]] = {}

            def jobs(sent: dict[int, Sequence[T]] = sent) -> Iterator[Callable[[], tuple[int, R]]]:
                while waiting:
                    number, chunk = waiting.popleft()
                    sent[number] = chunk
                    yield self._job(number, chunk)

            found = results(jobs(), self._workers)
            try:
                for number, result in found:
                    yield sent.pop(number), result
            except BrokenProcessPool:
                passed = {number: mark for number in sent if (mark := self._mark(number)) in watch.SURE}
                waiting.extendleft(one for one in sent.items() if passed and one[0] not in passed)
                for number in passed or sent:
                    chunk = sent[number]
                    if len(chunk) == 1 and number in passed:
                        yield chunk, self._lost(chunk[0], passed[number])
                    elif passed or len(sent) == 1:  # no other chunk can be the cause
                        for item in chunk:
                            yield from self._alone([item])
                    else:
                        yield from self._alone(chunk)
            finally:
                found.close()

    def _alone(self, chunk: Sequence[T]) -> Iterator[tuple[Sequence[T], R | Lost[T]]]:
        try:
            ((_, result),) = results([self._job(0, chunk)], 1)
        except BrokenProcessPool as error:
            if len(chunk) > 1:
                for item in chunk:
                    yield from self._alone([item])
                return
            yield chunk, self._lost(chunk[0], self._mark(0), ended_worker(error) or "")
        else:
            yield chunk, result

    def _job(self, number: int, chunk: Sequence[T]) -> Callable[[], tuple[int, R]]:
        return partial(_numbered, self._function, number, chunk, self._limits, self._place / str(number))

    def _mark(self, number: int) -> str | None:
        return None if self._limits is None else watch.mark_in(self._place / str(number))

    def _lost(self, item: T, mark: str | None, how: str = "") -> Lost[T]:
        return Lost(item, how, "" if mark is None or self._limits is None else self._limits.passed(mark))


def _numbered(
    function: Callable[[Sequence[T]], R], number: int, chunk: Sequence[T], limits: Limits | None, left: Path
) -> tuple[int, R]:
    with nullcontext() if limits is None else watch.limited(limits, left):
        return number, function(chunk)
