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

    `address` is that of the scheduler, `workers` are processes that work in `folder`, which is not that of the tests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.workers, self._processes = folder, [], []
        self._file = folder / "scheduler.json"
        self._start("scheduler", "--scheduler-file", self._file, "--port", "0", "--no-show")
        assert within(30, self._file.is_file)
        self.address = json.loads(self._file.read_text())["address"]

    def more(self, number: int) -> None:
        """Start workers."""
        for _ in range(number):
            ports = ["--worker-port", "0", "--dashboard-address", ":0"]
            self.workers.append(self._start("worker", self.address, "--no-nanny", "--nthreads", "1", *ports))

    def kill(self, process: int) -> None:
        """Kill a worker."""
        os.kill(process, signal.SIGKILL)

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

    def _start(self, what: str, *arguments) -> int:
        settings = {
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1", *map(str, arguments)]
        with (self.folder / "log").open("ab") as log:
            one = subprocess.Popen(command, cwd=self.folder, env=os.environ | settings, stdout=log, stderr=log)
        self._processes.append(one)
        return one.pid
