"""Work on the machines of a dask cluster (extra `cluster`) that `mien.common.workers` would give to processes here.

A worker of the cluster gives each piece of work to a process of its own (`mien.common.cluster_task`), so that a file
that ends its process, or passes a limit, costs no worker. What a worker does that is lost is done by another one.
joblib's backend for dask waits for ever for what no worker can do, and so its own futures are asked here.
"""

import logging
import multiprocessing
import os
import platform
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

from mien.common import cluster_task
from mien.common.files import probe
from mien.errors import ClusterError, ConfigError, DependencyError

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")
PATIENCE = 10  # seconds in which a scheduler has to answer, and a worker to join
PACKAGES = ("mien", "numpy", "scipy", "torch", "av", "onnxruntime")  # on which the bytes depend that are written


class Killed(NamedTuple):
    """No result: as many workers were ended while they worked on it as the scheduler lets be."""


class Seen(NamedTuple):
    """What a worker is.

    Attributes:
        versions: of Python and of packages; "" for one that is not installed.
        lacking: places that it does not see.
        daemon: whether it may not start processes.
    """

    versions: dict[str, str]
    lacking: list[str]
    daemon: bool


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
        _check(client, address, Path(writes), [Path(one) for one in reads])
        found = Cluster(client, address, workers)
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
        address: of its scheduler, for sentences.
        workers: how many pieces are worked on at once; None for one in each thread.
    """

    def __init__(self, client: "Client", address: str, workers: int | None) -> None:
        self._client, self._address, self._workers = client, address, workers

    @property
    def at_once(self) -> int:
        """How many pieces are worked on at once; machines may join and leave meanwhile."""
        if self._workers is not None:
            return self._workers
        return max(1, int(self._client.scheduler_info(n_workers=1)["total_threads"]))

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Killed]]:
        """Call a function on items, each on some machine; what is not done when this ends is cancelled.

        Args:
            function: importable, or one that cloudpickle can send. It may be called twice on an item.
            items: each is taken when it can be begun.

        Yields:
            (item, return value of the function or Killed), in any order.

        Raises:
            ClusterError: the scheduler has gone.
        """
        from distributed import as_completed

        waiting = iter(items)
        sent: dict[Future, T] = {}
        done = as_completed(loop=self._client.loop)
        try:
            self._send(function, waiting, sent, done)
            for future in done:
                item = sent.pop(future)
                result: R | Killed = self._result(future)
                future.release()
                self._send(function, waiting, sent, done)
                yield item, result
        finally:
            with suppress(OSError, RuntimeError):  # of a scheduler that has gone
                self._client.cancel(list(sent))

    def _send(self, function: Callable[[T], R], waiting: Iterator[T], sent: "dict[Future, T]", done: Any) -> None:
        most = self.at_once
        while len(sent) < most:
            try:
                item = next(waiting)
            except StopIteration:
                return
            with warnings.catch_warnings():  # what all cells of a run have in common may be large
                warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
                job = cluster_task.Job(function, item)
                future = self._client.submit(cluster_task.run, job, key=f"mien-{uuid4().hex}")
            sent[future] = item
            done.add(future)

    def _result(self, future: "Future") -> Any:
        from distributed import KilledWorker

        if future.status in ("cancelled", "lost"):
            raise ClusterError(f"{self._address}: the scheduler has gone; run the same command again to resume")
        try:
            return future.result()
        except KilledWorker:
            return Killed()


def _client(address: str) -> "Client":
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ModuleNotFoundError:
        raise DependencyError("--cluster needs an extra: pip install 'mien[cluster]'") from None
    for name in [one for one in logging.root.manager.loggerDict if one.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is wrong is said here, in one sentence
    try:
        with socket.create_connection(get_address_host_port(address), timeout=PATIENCE):
            pass  # a client that waits for an answer cannot be interrupted
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError):
        way = "start one there (dask scheduler), or correct the address"
        raise ClusterError(f"--cluster {address}: no scheduler answers; {way}") from None


def _check(client: "Client", address: str, writes: Path, reads: list[Path]) -> None:
    """Raise ClusterError where work would fail, or would give other bytes than on this machine."""
    start = f"dask worker {address} --no-nanny"
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise ClusterError(f"{address}: no worker has joined in {PATIENCE} s; start some: {start}") from None
    places = [Path(os.path.abspath(one)) for one in reads if one.exists()]  # noqa: PTH100 - a link is one there, too
    if not all(one.is_absolute() for one in (writes, *reads)):
        places.append(Path.cwd())
    with probe(writes.absolute()) as written:
        names = [str(one) for one in (written, *places)]
        found: dict[str, Seen | BaseException] = client.run(look, names, on_error="return")
    here = look([])
    for worker, there in sorted(found.items()):
        if isinstance(there, BaseException):
            raise ClusterError(f"{address}: its worker {worker} has no such mien ({there}); install the same there")
        for name, version in here.versions.items():
            if (other := there.versions.get(name)) != version:
                has = f"has {name} {other or 'not at all'}, and this machine {version or 'not at all'}"
                raise ClusterError(f"{address}: its worker {worker} {has}; install the same on all")
        if there.daemon:
            raise ClusterError(f"{address}: its worker {worker} may not start processes; start it so: {start}")
        if there.lacking:
            place = writes.absolute() if there.lacking[0] == names[0] else there.lacking[0]
            way = "put it on storage that all machines have under one name"
            raise ClusterError(f"{address}: its worker {worker} does not see {place}; {way}")


def look(places: list[str]) -> Seen:
    """What this process is, and which places it does not see."""
    lacking = [place for place in places if not Path(place).exists()]
    versions = {"Python": platform.python_version().rpartition(".")[0]} | {name: _version(name) for name in PACKAGES}
    return Seen(versions, lacking, bool(multiprocessing.current_process().daemon))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
