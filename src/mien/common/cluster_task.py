"""A task in a thread of a cluster's worker: the work is done in a process of that thread, which is kept for the next.

The process is ended where the cluster does not want the result any more: the command that asked for it was interrupted
or has ended, and another one may write to the same folder.
"""

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple, TypeVar

from mien.errors import ClusterError

T = TypeVar("T")
R = TypeVar("R")
EVERY = 0.1  # seconds between two looks
IDLE = 300.0  # seconds after which a process without work ends
ENDING = ("stopping", "closing", "closed", "failed")  # states of a worker

_thread = threading.local()


def job(function: Callable[[T], R], item: T, refusal: Callable[[str], str]) -> bytes:
    """What `run` takes, in bytes: the scheduler passes it on without importing what it needs.

    Args:
        function: importable, or one that cloudpickle can send.
        item: what it is called on.
        refusal: takes the address of the worker, and says why it is none for this job; "" where it is one.
    """
    import cloudpickle  # of dask

    content: bytes = cloudpickle.dumps((function, item, refusal))
    return content


class _Task(NamedTuple):
    worker: Any
    key: Any

    @property
    def wanted(self) -> bool:
        state = self.worker.state.tasks.get(self.key)
        return state is not None and state.state != "cancelled" and self.worker.status.name not in ENDING


def run(job: bytes) -> Any:
    """Call the function of a job in a task of the cluster; raises ClusterError where the worker is none for it."""
    from distributed import get_worker

    worker = get_worker()
    function, item, refusal = pickle.loads(job)  # noqa: S301 - as dask does with all that a worker is sent
    if why := refusal(worker.address):
        raise ClusterError(why)
    _thread.task = _Task(worker, worker.get_current_task())
    try:
        return function(item)
    finally:
        _thread.task = None


def is_task() -> bool:
    """Whether this thread works for a cluster."""
    return getattr(_thread, "task", None) is not None


def executor(**settings: Any) -> Any:
    """The executor of this thread's process; `settings` as of loky's ProcessPoolExecutor, for a new one."""
    if getattr(_thread, "executor", None) is None:
        from joblib.externals.loky import ProcessPoolExecutor

        _thread.executor = ProcessPoolExecutor(1, timeout=IDLE, **settings)
    return _thread.executor


def result(future: "Future[R]") -> R:
    """The result of this thread's process.

    Raises:
        BrokenProcessPool: it was ended.
        Reschedule: it was ended here, as nobody waits for it. Dask wants to hear this in any case.
    """
    while not wait([future], EVERY).done:
        if not _thread.task.wanted:
            from distributed import Reschedule

            _thread.executor.shutdown(wait=True, kill_workers=True)
            _thread.executor = None
            raise Reschedule
    try:
        return future.result()
    except BrokenProcessPool:
        _thread.executor = None
        raise
