"""On a cluster the same bytes are written as by processes of this machine, also where one of its workers is killed."""

import json
import threading
from pathlib import Path

import pytest

import mien
from clusters import Cluster, within
from mien.corpora.toy import ToyConfig, generate

pytest.importorskip("distributed", reason="needs the extra 'cluster'")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A cluster with two workers."""
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    found.more(2)
    yield found
    found.close()


def contents(folder: Path) -> dict[str, object]:
    """The files of a folder without times; what a process that was killed has begun is left out."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.name == "history.jsonl":
            rows = map(json.loads, path.read_text().splitlines())
            found[name] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
        elif path.name == "card.json":
            found[name] = json.loads(path.read_text()) | {"created": None}
        elif path.is_file() and not path.name.startswith(".") and path.name not in ("manifest.json", "report.html"):
            found[name] = path.read_bytes()
    return found


def test_a_corpus_is_prepared_as_here(two, prepared, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for out, where in (("here", None), ("there", two.address)):
        mien.prepare("table", prepared.parent / "root", out=out, cluster=where)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_a_run_with_a_killed_worker_is_as_one_of_here(two, prepared, experiment, unmeasured, tmp_path) -> None:
    given = [f"data.prepared={prepared}", "training.epochs=4", "protocol.folds=[0, 1]"]
    mien.train(experiment, given, out=tmp_path / "here")
    there = tmp_path / "there"

    def kill() -> None:
        if within(60, lambda: list(there.rglob("state.pt"))):
            two.kill(two.workers[0])

    killing = threading.Thread(target=kill)
    killing.start()
    mien.train(experiment, given, out=there, cluster=two.address)
    killing.join()
    two.count()
    assert len(two.workers) == 1
    found = contents(there)
    assert len([name for name in found if name.endswith("history.jsonl")]) == 4
    assert found == contents(tmp_path / "here")


def test_films_are_labelled_as_here(two, tmp_path) -> None:
    generate(tmp_path / "films", ToyConfig(people=2, clips=3, seconds=2, size=32, frame_rate=10))
    (tmp_path / "films" / "broken.mp4").write_bytes(b"no film")
    for name, where in (("here", None), ("there", two.address)):
        mien.label(tmp_path / "films", out=tmp_path / name, cluster=where, faces="whole-frame")
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
