"""A dask cluster of processes on the loopback: a scheduler, and workers that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


def within(seconds: float, condition) -> bool:
    """Whether a condition is met in time."""
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(met)


class Cluster:
    """A scheduler that gives up on what two workers in a row were ended by.

    It looks for packages in the folder `before` first. `address` is that of the scheduler, `workers` are processes that
    work in `folder`, which is not that of the tests.
    """

    def __init__(self, folder: Path, before: Path | None = None) -> None:
        self.folder, self.workers, self._processes = folder, [], []
        self._file = folder / "scheduler.json"
        self._file.unlink(missing_ok=True)
        self._start("scheduler", "--scheduler-file", self._file, "--port", "0", "--no-show", before=before)
        assert within(90, lambda: self._file.is_file() and self._file.stat().st_size)
        self.address = json.loads(self._file.read_text())["address"]

    def more(self, number: int, *, threads: int = 1, before: Path | None = None, wait: bool = True) -> None:
        """Start workers, which look for packages in the folder `before` first, and wait until they have joined."""
        for _ in range(number):
            ports = ["--worker-port", "0", "--dashboard-address", ":0"]
            settings = ["--no-nanny", "--nthreads", threads, *ports]
            self.workers.append(self._start("worker", self.address, *settings, before=before))
        for process in self.workers[len(self.workers) - number :] if wait else ():
            log = self.folder / f"{process}.log"
            assert within(90, lambda log=log: "Registered to" in log.read_text()), log.read_text()

    def kill(self, process: int) -> None:
        """Kill a worker, and wait until it has ended."""
        os.kill(process, signal.SIGKILL)
        next(one for one in self._processes if one.pid == process).wait()

    def kill_scheduler(self) -> None:
        """Kill the scheduler."""
        self.kill(self._processes[0].pid)

    def count(self) -> None:
        """Forget the workers that have ended."""
        ended = [one.pid for one in self._processes if one.poll() is not None]
        self.workers = [one for one in self.workers if one not in ended]

    def close(self) -> None:
        """End all processes."""
        for one in self._processes:
            with suppress(ProcessLookupError):
                one.kill()
        for one in self._processes:
            one.wait()

    def _start(self, what: str, *arguments, before: Path | None = None) -> int:
        settings = {
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            "PYTHONPATH": os.pathsep.join(str(path) for path in (before, *sys.path) if path),
        }
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1", *map(str, arguments)]
        begun = self.folder / "log"
        with begun.open("wb") as log:
            one = subprocess.Popen(command, cwd=self.folder, env=os.environ | settings, stdout=log, stderr=log)
        begun.rename(self.folder / f"{one.pid}.log")
        self._processes.append(one)
        return one.pid
