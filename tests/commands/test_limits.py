"""The limits of `predict`, `prepare` and `label` hold in every process that reads a file, and in later extraction."""

import shutil

import pytest

import mien
from mien.cli.main import main
from mien.corpora.toy import ToyConfig, generate
from mien.data.prepared import Prepared
from mien.data.store import FeatureStore
from mien.errors import MediaError
from mien.features import parse
from mien.runs import label_folder

SHORT = {"seconds": 2.0}
CAUSE = "goes on to 3 seconds; the limit is seconds = 2 (predict, prepare and label take --limit seconds=N)"


@pytest.fixture
def root(tmp_path, make_tone):
    """Two recordings of one second and one of three."""
    root = tmp_path / "corpus"
    root.mkdir()
    for number, name in enumerate("abc"):
        make_tone(root / f"{name}.wav", 100.0 + 60 * number, 1.0, number, 3.0 if name == "c" else 1.0)
    rows = [f"{name},{name}.wav,speaker-{name}" for name in "abc"]
    (root / "corpus.csv").write_text("\n".join(["clip,file,speaker", *rows]) + "\n")
    return root


@pytest.mark.parametrize("workers", [1, 2])
def test_predict_lists_what_is_beyond_a_limit(root, workers):
    found = mien.predict(root, limits=SHORT, workers=workers)
    assert found.problems == [f"{root / 'c.wav'}: {CAUSE}"]
    assert set(found.frame["file"]) == {str(root / "a.wav"), str(root / "b.wav")}
    with pytest.raises(MediaError) as caught:
        mien.load_model().predict_file(root / "c.wav", limits=SHORT)
    assert caught.value.cause == CAUSE


def test_what_is_extracted_later_has_the_limits_of_prepare(root, tmp_path):
    given = mien.prepare("table", root, out=tmp_path / "short", features=[], limits=SHORT, workers=2)
    assert given.problems == [f"c.wav: {CAUSE}, left out"]
    mien.prepare("table", root, out=tmp_path / "long", features=[], limits={"seconds": 3.5, "channels": 64})
    prepared = Prepared.open(tmp_path / "long")
    assert (prepared.card["limits"], Prepared.open(tmp_path / "short").card["limits"]) == ({"seconds": 3.5}, SHORT)
    assert f"--out {tmp_path / 'long'} --limit seconds=3.5" in prepared.prepared_from("PLACE")
    assert FeatureStore(prepared, "logmel", parse("logmel", {})).extract(["a", "c"]).empty
    prepared.card["limits"] = SHORT
    found = FeatureStore(prepared, "mfb43", parse("mfb43", {})).extract(["a", "c"])
    assert found.to_dict("records") == [{"file": "c.wav", "problem": CAUSE}]
    again = mien.prepare("table", root, out=tmp_path / "short", features=[])
    assert (again.problems, "limits" in again.data["card"]) == ([], False)


def test_what_a_limit_refused_is_labelled_under_another(tmp_path, monkeypatch):
    monkeypatch.setattr(label_folder, "spread", lambda work, parts, **_: ((one, work(one)) for one in parts))
    films = tmp_path / "films"
    films.mkdir()
    for seconds in (1.5, 3.0):
        generate(tmp_path / f"{seconds}", ToyConfig(people=2, clips=4, seconds=seconds, size=32, frame_rate=10))
        shutil.copy(sorted((tmp_path / f"{seconds}").rglob("*.mp4"))[0], films / f"{seconds}.mp4")
    some = mien.label(films, out=tmp_path / "out", faces="whole-frame", limits=SHORT)
    assert some.problems == [f"3.0.mp4: {CAUSE}"]
    assert mien.label(films, out=tmp_path / "out", faces="whole-frame").problems == []


def test_the_command_line_takes_limits_by_name(root, capsys):
    assert main(["predict", str(root), "--limit", "seconds=2", "--limit", "pixels=4e7"]) == 1
    assert f"c.wav: {CAUSE}" in capsys.readouterr().err
    for wrong, sentence in (
        ("second=2", "mien: --limit: unknown key 'second'. Did you mean 'seconds'?"),
        ("seconds", "mien: --limit seconds: write key=value"),
        ("seconds=long", "mien: --limit seconds=long: a number is needed"),
    ):
        for command in (
            ["predict", str(root)],
            ["label", str(root), "--out", "o"],
            ["prepare", "table", "r", "--out", "o"],
        ):
            assert main([*command, "--limit", wrong]) == 2
            assert sentence in capsys.readouterr().err
