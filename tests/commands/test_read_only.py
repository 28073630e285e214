"""A PREPARED folder that cannot be written to: what it lacks is extracted into the run, once."""

import shutil

import pytest

import mien
from mien.data import store
from mien.data.prepared import Prepared
from mien.errors import LeakError
from mien.runs.run import Run

SHORT = ["training.epochs=1", "models.MEnAN=null", "protocol.folds=[0]"]


def files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def features(run):
    return {path.parts[0].split("-")[0] for path in files(run / "features")}


@pytest.fixture
def shared(tmp_path, make_corpus, monkeypatch):
    """Three speakers, prepared without features, in a folder that refuses to be written to."""
    folder = tmp_path / "shared"
    mien.prepare("table", make_corpus(tmp_path / "root", 3, seed=40), out=folder, features=())
    monkeypatch.setattr(store, "writable", lambda place: not place.is_relative_to(folder))
    return folder


@pytest.mark.usefixtures("unmeasured")
def test_it_is_trained_from_with_the_features_in_the_run(shared, experiment, tmp_path):
    before, out = files(shared), tmp_path / "run"
    mien.train(experiment, [f"data.prepared={shared}", *SHORT], out=out)
    assert files(shared) == before
    assert features(out) == {"logmel", "mfb43"}  # fingerprints are made from the first
    kept, (cell,) = files(out / "features"), Run.open(out).cells
    cell.weights.unlink()
    shutil.rmtree(tmp_path / "root")  # what was extracted is not read again
    mien.train(experiment, [f"data.prepared={shared}", *SHORT], out=out)
    assert Run.open(out).cells == [cell]
    assert cell.damaged == {}
    assert files(out / "features") == kept
    assert "identical-audio" in Run.open(out).certificate["examined"]


@pytest.mark.usefixtures("unmeasured")
def test_a_corpus_that_is_evaluated_on_may_be_read_only(run, shared, tmp_path, monkeypatch):
    copy, before = tmp_path / "run", files(shared)
    shutil.copytree(run, copy)
    monkeypatch.setattr("mien.commands.evaluate.write_page", lambda run: None)
    found = mien.evaluate(copy, on=shared)
    assert files(shared) == before
    assert features(copy) == {"mfb43"}
    shutil.rmtree(tmp_path / "root")
    assert mien.evaluate(copy, on=shared).data["models"] == found.data["models"]


@pytest.mark.usefixtures("unmeasured")
def test_a_refused_leak_leaves_features_alone_and_the_next_try_goes_on(shared, experiment, tmp_path):
    root, out = tmp_path / "root", tmp_path / "run"
    shutil.copy(root / Prepared.open(shared).table["file"][0], root / "copy.wav")
    with (root / "corpus.csv").open("a") as table:
        table.write("copy.wav,s2,male,anger,9\n")
    mien.prepare("table", root, out=shared, features=())
    with pytest.raises(LeakError, match="identical-audio"):
        mien.train(experiment, [f"data.prepared={shared}", *SHORT], out=out)
    assert [path.name for path in out.iterdir()] == ["features"]
    mien.train(experiment, [f"data.prepared={shared}", *SHORT, "accept=[identical-audio]"], out=out)
    assert (out / "experiment.yaml").is_file()
