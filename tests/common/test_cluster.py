"""Work of a cluster is that of processes here: nothing lost, nothing twice, whatever ends there."""

import os
import signal
import sys
import time
from math import inf
from pathlib import Path

import pytest

from clusters import Cluster, within
from mien.common import cluster, watch
from mien.common.watch import Limits
from mien.common.workers import Lost, results, spread
from mien.errors import ClusterError, ConfigError, DependencyError

pytest.importorskip("distributed", reason="needs the extra 'cluster'")


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
        assert within(20, lambda: cluster.current().at_once == 2)
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
            time.sleep(1)
            os.kill(os.getppid(), kill)
        return items

    joined.more(1)
    assert within(20, lambda: cluster.current().at_once == 3)
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
    assert within(20, lambda: len(begun()) == 2)
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
    for address in ("tcp://127.0.0.1:9", "nowhere"):
        expected = pytest.raises(ClusterError, match="no scheduler answers; start one")
        with expected, cluster.joined(address, 1, writes=tmp_path):
            pass


def test_torchrun_and_a_lacking_extra_are_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    expected = pytest.raises(DependencyError, match=r"pip install 'mien\[cluster\]'")
    with expected, cluster.joined("tcp://127.0.0.1:9", 1, writes=tmp_path):
        pass
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="torchrun"), cluster.joined("tcp://127.0.0.1:9", 1, writes=tmp_path):
        pass
