"""Files whose names are no UTF-8 cost nothing but their names: `predict` reads them, tables of clips list them."""

import csv
import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest

import mien
from mien.cli.main import main
from mien.corpora.toy import ToyConfig, generate
from mien.errors import ConfigError, CorpusError, MediaError
from mien.runs import label_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
BAD, ESCAPED = os.fsdecode(b"bad\xff.wav"), r"bad\xff.wav"
CAUSE = "its name is not UTF-8, so no table can hold it; rename it"
NOTE = r"1 name of a file is not UTF-8, and each such byte is written as \xNN, which opens no file: {}; rename it"


@pytest.fixture
def folder(tmp_path, make_tone):
    """Two sounds, one of which has such a name."""
    (tmp_path / "sounds").mkdir()
    make_tone(tmp_path / "sounds" / "good.wav", 200.0, 1.0, 0, 1.0)
    shutil.copy(tmp_path / "sounds" / "good.wav", tmp_path / "sounds" / BAD)
    return tmp_path / "sounds"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which prints to a pipe in UTF-8."""
    command = [sys.executable, "-m", "mien", *map(str, arguments)]
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False, timeout=200
    )


@pytest.mark.parametrize("place", ["{0}/" + BAD, "{0}"])
@pytest.mark.parametrize("ending", ["csv", "json"])
def test_predict_writes_the_name_escaped_and_says_so(folder, tmp_path, place, ending):
    out = tmp_path / f"rows.{ending}"
    done = run("predict", place.format(folder), "--out", out)
    assert (done.returncode, [one for one in done.stderr.splitlines() if one.startswith("mien: ")]) == (0, [])
    assert NOTE.format(folder / ESCAPED) in " ".join(done.stdout.split())
    with out.open(encoding="utf-8", newline="") as file:
        rows = json.load(file) if ending == "json" else list(csv.DictReader(file))
    names = {row["file"] for row in rows}
    assert names == {str(folder / ESCAPED)} | ({str(folder / "good.wav")} if place == "{0}" else set())


def test_predict_in_json_and_from_python(folder):
    done = run("predict", folder / BAD, "--json")
    answered = mien.predict(folder / BAD)
    assert done.returncode == 0
    assert json.loads(done.stdout) == json.loads(json.dumps({"problems": [], **answered.data}))
    assert set(answered.frame["file"]) == {str(folder / ESCAPED)}
    assert answered.data["notes"] == [NOTE.format(folder / ESCAPED)]


def test_such_a_file_that_cannot_be_read_is_named(folder):
    (folder / BAD).write_bytes(b"")
    done = run("predict", folder)
    assert done.returncode == 1
    assert done.stderr.endswith(f"mien: problem: {folder / ESCAPED}: is empty (0 bytes)\n")
    done = run("predict", folder / BAD, "--json")
    assert (done.returncode, done.stderr) == (2, f"mien: {folder / ESCAPED}: is empty (0 bytes)\n")
    assert json.loads(done.stdout) == {"error": f"{folder / ESCAPED}: is empty (0 bytes)", "exit": 2}


def test_prepare_lists_such_a_file_and_keeps_the_others(tmp_path, make_tone):
    root = tmp_path / "corpus"
    root.mkdir()
    make_tone(root / "03a01Fa.wav", 200.0, 0.5, 0, 1.0)
    make_tone(root / os.fsdecode(b"08a01N\xff.wav"), 100.0, 0.5, 1, 1.0)
    (root / os.fsdecode(b"notes\xff.txt")).touch()
    made = mien.prepare("emodb", root, out=tmp_path / "prepared")
    assert made.problems == [rf"08a01N\xff.wav: {CAUSE}; left out"]
    assert list(pd.read_csv(tmp_path / "prepared" / "corpus.csv")["clip"]) == ["03a01Fa"]
    again = run("prepare", "emodb", root, "--out", tmp_path / "prepared")
    assert again.returncode == 1
    assert rf"mien: problem: 08a01N\xff.wav: {CAUSE}; left out" in again.stderr


def test_a_table_cannot_name_such_a_file(tmp_path, make_tone):
    make_tone(tmp_path / "good.wav", 200.0, 0.5, 0, 1.0)
    shutil.copy(tmp_path / "good.wav", tmp_path / BAD)
    (tmp_path / "corpus.csv").write_text(f"file,speaker\ngood.wav,ann\n{ESCAPED},ann\n", encoding="utf-8")
    made = mien.prepare("table", tmp_path, out=tmp_path / "prepared")
    assert made.problems == [f"{ESCAPED}: no such file, left out"]


def test_label_lists_such_a_film_and_keeps_the_others(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(label_folder, "spread", lambda function, parts, **_: ((part, function(part)) for part in parts))
    films, film = tmp_path / "films", os.fsdecode(b"bad\xff.mp4")
    generate(films, ToyConfig(people=2, clips=3, seconds=3, size=32, frame_rate=10, missing=0.0))
    first = sorted(films.rglob("*.mp4"))[0]
    shutil.copy(first, films / film)
    out = tmp_path / "labels"
    settings = ["--teacher", "face-small", "--faces", "whole-frame"]
    assert main(["label", str(films), *settings, "--out", str(out), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["problems"][0] == rf"bad\xff.mp4: {CAUSE}; not labelled"
    assert data["card"]["files"] == len(list(films.rglob("*.mp4")))
    assert pd.read_csv(out / "problems.csv")["file"].tolist() == [r"bad\xff.mp4"]
    with pytest.raises(MediaError, match="its name is not UTF-8"):
        mien.label(films / film, teacher="face-small", out=tmp_path / "none", faces="whole-frame")
    assert not (tmp_path / "none").exists()


def test_a_folder_with_such_a_name_is_refused_before_the_work(tmp_path, folder, capsys):
    bad = folder.rename(tmp_path / os.fsdecode(b"s\xff"))
    escaped = tmp_path / r"s\xff"
    assert main(["prepare", "emodb", str(bad), "--out", str(tmp_path / "prepared")]) == 2
    assert capsys.readouterr().err == f"mien: {escaped}: {CAUSE}\n"
    for command, error in ((mien.prepare, CorpusError), (mien.label, ConfigError)):
        given = ("emodb", bad) if command is mien.prepare else (bad,)
        more = {} if command is mien.prepare else {"teacher": "face-small"}
        with pytest.raises(error, match="its name is not UTF-8"):
            command(*given, out=tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()


def test_a_text_that_cannot_be_written_is_no_defect(monkeypatch, capsys):
    def broken(*_, **__):
        BAD.encode()

    monkeypatch.setattr("mien.cli.main.command", lambda *_: broken)
    assert main(["report", "run"]) == 2
    assert capsys.readouterr().err == f"mien: {ESCAPED}: {CAUSE}\n"
