"""Work of a cluster is that of processes here: nothing lost, nothing twice, whatever ends there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from math import inf
from pathlib import Path

import pytest

from clusters import Cluster, within
from mien.common import cluster, watch
from mien.common.watch import Limits
from mien.common.workers import Lost, results, spread
from mien.errors import ClusterError, ConfigError, DependencyError

pytest.importorskip("distributed", reason="needs the extra 'cluster'")


@pytest.fixture
def slowly():
    """A function of chunks that takes a moment; workers cannot import this file."""

    def work(items):
        time.sleep(0.05)
        return items

    return work


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A cluster with at least two workers."""
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    found.more(2)
    yield found
    found.close()


@pytest.fixture
def joined(two, tmp_path):
    """The cluster, joined with as many workers as there should be."""
    two.count()
    two.more(2 - len(two.workers))
    with cluster.joined(two.address, None, writes=tmp_path):
        assert within(60, lambda: cluster.current().at_once == 2)
        yield two


def test_an_item_that_ends_its_process_is_lost_and_no_worker(joined) -> None:
    kill = signal.SIGKILL

    def work(items):
        if 3 in items:
            os.kill(os.getpid(), kill)
        if 4 in items:
            before = watch.begin()
            time.sleep(20)
            watch.end(before)
        return [(item, os.getppid()) for item in items]

    found, lost = {}, {}
    for chunk, result in spread(work, [[0, 1], [2, 3], [4], [5]], workers=1, limits=Limits(0.5, inf, "is slow")):
        if isinstance(result, Lost):
            lost[chunk[0]] = result.problem
        else:
            found |= dict(result)
    assert lost == {3: "ended the process that read it (SIGKILL, perhaps for lack of memory)", 4: "is slow"}
    assert sorted(found) == [0, 1, 2, 5]
    assert set(found.values()) <= set(joined.workers)
    assert cluster.current().at_once == 2


def test_work_is_done_in_the_folder_of_the_command(joined, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(results([Path.cwd], 1)) == [tmp_path]


def test_an_error_of_the_function_is_raised(joined) -> None:
    def wrong(items):
        raise ConfigError(f"{items[0]} is wrong")

    with pytest.raises(ConfigError, match=r"^1 is wrong$"):
        list(spread(wrong, [[1]], workers=1))


def test_a_worker_that_is_killed_loses_nothing(joined, tmp_path) -> None:
    def work(items):
        (tmp_path / f"{items[0]}-{os.getppid()}").touch()
        time.sleep(0.4)
        return items[0]

    found = []
    for _, result in spread(work, [[item] for item in range(8)], workers=1):
        found.append(result)
        if len(found) == 2:
            joined.kill(joined.workers[0])
    assert sorted(found) == list(range(8))
    begun = [int(path.name.split("-")[0]) for path in tmp_path.iterdir() if path.name[0] != "."]
    assert set(begun) == set(range(8))
    assert len(begun) <= 9


def test_an_item_that_kills_every_worker_is_lost(joined) -> None:
    kill = signal.SIGKILL

    def work(items):
        if items == [1]:
            time.sleep(0.3)
            os.kill(os.getppid(), kill)
        return items

    joined.more(1)
    assert within(60, lambda: cluster.current().at_once == 3)
    found = {chunk[0]: result for chunk, result in spread(work, [[0], [1], [2]], workers=1)}
    assert found == {0: [0], 1: Lost(1, ""), 2: [2]}


def test_what_nobody_waits_for_is_ended(joined, tmp_path) -> None:
    def work(items):
        (tmp_path / str(os.getpid())).touch()
        if items[0]:
            time.sleep(60)
        return items

    def begun():
        return [int(path.name) for path in tmp_path.iterdir() if path.name.isdecimal()]

    found = spread(work, [[1], [0]], workers=1)
    next(found)
    assert within(60, lambda: len(begun()) == 2)
    found.close()
    working = begun()
    assert within(10, lambda: len([one for one in working if Path(f"/proc/{one}").exists()]) == 1)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="takes a place that no other process sees from /proc")
def test_a_place_that_workers_do_not_see_is_refused(two, tmp_path) -> None:
    place = f"/proc/self/task/{os.getpid()}"
    expected = rf"does not see {place}; put it on storage that all machines have under one name$"
    with pytest.raises(ClusterError, match=expected), cluster.joined(two.address, 1, writes=tmp_path, reads=[place]):
        pass
    assert not list(tmp_path.iterdir())


def test_another_installation_is_refused(two, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "_version", lambda package: "7.7")
    with pytest.raises(ClusterError, match="install the same on all"), cluster.joined(two.address, 1, writes=tmp_path):
        pass


def test_no_scheduler_is_one_sentence(tmp_path) -> None:
    for address in ("tcp://127.0.0.1:9", "nowhere", "tls://127.0.0.1:9", ""):
        expected = pytest.raises(ClusterError, match="no scheduler answers; start one")
        with expected, cluster.joined(address, 1, writes=tmp_path):
            pass


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 400 Bad request\r\n\r\n"])
def test_another_service_is_no_scheduler(answer, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as service:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    one, _ = service.accept()
                    held.append(one)
                    one.sendall(answer)

        held: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        begun, address = time.monotonic(), f"tcp://127.0.0.1:{service.getsockname()[1]}"
        expected = pytest.raises(ClusterError, match="no scheduler answers; start one")
        with expected, cluster.joined(address, 1, writes=tmp_path):
            pass
        assert time.monotonic() - begun < 10
        for one in held:
            one.close()


def test_a_worker_is_no_scheduler(two, tmp_path) -> None:
    log = (two.folder / f"{two.workers[0]}.log").read_text()
    address = log.split("Start worker at:")[1].split()[0]
    expected = pytest.raises(ClusterError, match=r"is a worker of dask; give the address of its scheduler$")
    with expected, cluster.joined(address, 1, writes=tmp_path):
        pass


def test_as_many_are_begun_as_was_said(joined, tmp_path) -> None:
    def work(items):
        (tmp_path / f"begun-{items[0]}").touch()
        time.sleep(0.05)
        number = len([*tmp_path.glob("begun-*")]) - len([*tmp_path.glob("done-*")])
        (tmp_path / f"done-{items[0]}").touch()
        return number

    with cluster.joined(joined.address, 1, writes=tmp_path) as at_once:
        assert at_once == 1
        assert [number for _, number in spread(work, [[n] for n in range(4)], workers=at_once)] == [1] * 4


def test_another_version_that_joins_late_is_refused(slowly, tmp_path) -> None:
    other = Cluster(tmp_path)
    try:
        other.more(1)
        before = tmp_path / "before" / "av-0.1.dist-info"
        before.mkdir(parents=True)
        (before / "METADATA").write_text("Metadata-Version: 2.1\nName: av\nVersion: 0.1\n")
        with cluster.joined(other.address, None, writes=tmp_path):
            other.more(1, before=before.parent)
            assert within(60, lambda: cluster.current().at_once == 2)
            expected = r"has av 0.1, and this machine .*; install the same on all$"
            with pytest.raises(ClusterError, match=expected):
                for _ in spread(slowly, [[number] for number in range(20)], workers=2):
                    pass
        other.kill(other.workers[0])
        with pytest.raises(ClusterError, match=expected), cluster.joined(other.address, None, writes=tmp_path):
            pass
    finally:
        other.close()


def test_what_has_no_mien_is_refused(tmp_path) -> None:
    before = tmp_path / "before"
    (before / "mien").mkdir(parents=True)
    (before / "mien" / "__init__.py").write_text("")
    for what, there, here in (("the scheduler", before, None), ("its worker .*", None, before)):
        other = Cluster(tmp_path, there)
        try:
            other.more(1, before=here)
            expected = pytest.raises(ClusterError, match=rf"{what} has no such mien .*; install the same there$")
            with expected, cluster.joined(other.address, None, writes=tmp_path):
                pass
        finally:
            other.close()


def test_a_scheduler_or_all_workers_that_go_are_told(slowly, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(cluster, "EVERY", 0.1)
    monkeypatch.setattr(cluster, "WAITING", 0.5)
    other = Cluster(tmp_path)
    try:
        other.more(1)
        with cluster.joined(other.address, None, writes=tmp_path):
            found = spread(slowly, [[number] for number in range(100)], workers=1)
            next(found)
            other.kill(other.workers[0])
            with pytest.raises(ClusterError, match=r"no worker is left; run the same command again to resume$"):
                list(found)
            assert f"no worker is left; start some: dask worker {other.address} --no-nanny" in capsys.readouterr().err
            other.more(1)
            found = spread(slowly, [[number] for number in range(100)], workers=1)
            next(found)
            other.kill_scheduler()
            for again in (found, spread(slowly, [[1]], workers=1)):
                with pytest.raises(ClusterError, match=r"the scheduler has gone; run the same command again"):
                    list(again)
    finally:
        other.close()


def test_what_a_killed_command_has_begun_is_ended(two, tmp_path) -> None:
    (tmp_path / "command.py").write_text(KILLED)
    two.count()
    two.more(1 - len(two.workers))
    command = [sys.executable, tmp_path / "command.py", two.address, tmp_path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, env=environment) as one:
        assert within(90, lambda: [*tmp_path.glob("begun-*")])
        one.kill()
    (begun,) = tmp_path.glob("begun-*")
    process = Path("/proc", begun.name.removeprefix("begun-"))
    assert within(20, lambda: not process.exists())


KILLED = """
import sys, time
from pathlib import Path
from mien.common import cluster
from mien.common.workers import spread

def work(items):
    import os
    Path(place, f"begun-{os.getpid()}").touch()
    time.sleep(60)

address, place = sys.argv[1:]
with cluster.joined(address, 1, writes=place):
    list(spread(work, [[1]], workers=1))
"""


def test_torchrun_and_a_lacking_extra_are_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    expected = pytest.raises(DependencyError, match=r"pip install 'mien\[cluster\]'")
    with expected, cluster.joined("tcp://127.0.0.1:9", 1, writes=tmp_path):
        pass
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="torchrun"), cluster.joined("tcp://127.0.0.1:9", 1, writes=tmp_path):
        pass
