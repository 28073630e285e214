"""`predict` reads folders, several files at once, and gives one row a file."""

import json
import os
import shutil
import signal
import subprocess
import sys
import wave

import numpy as np
import pandas as pd
import pytest

import mien
from mien.cli.main import main
from mien.errors import ConfigError, MediaError
from mien.runs import reading
from mien.runs.answers import shown
from mien.runs.run import Run

NAMES = ["a/one.wav", "a/two.WAV", "b.wav", "c d.wav"]


@pytest.fixture
def folder(tmp_path, make_tone):
    """Four recordings, a hidden one, and files that are no media."""
    root = tmp_path / "recordings"
    (root / "a").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        make_tone(root / name, 100.0 + 60 * number, 1.0, number, 1.0 + number)
    shutil.copy(root / "b.wav", root / "._b.wav")
    (root / "notes.txt").write_text("mine")
    return root


def test_a_folder_stands_for_the_media_files_below_it(run, folder):
    found = mien.predict(folder, model=run)
    assert list(dict.fromkeys(found.frame["file"])) == [str(folder / name) for name in NAMES]
    assert found.data["notes"] == [f"{folder}: passed over, no media by their endings: .txt (1)"]
    assert found.problems == []
    each = mien.predict([folder / name for name in NAMES], model=run)
    assert each.data["rows"] == found.data["rows"]
    assert each.data["notes"] == []


def test_a_file_that_is_given_twice_is_read_once(run, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "link").symlink_to(folder)
    found = mien.predict([folder / "b.wav", "recordings", "recordings/a/../b.wav", "link/b.wav"], model=run)
    assert list(dict.fromkeys(found.frame["file"])) == [
        str(folder / "b.wav"),
        *(f"recordings/{name}" for name in NAMES if name != "b.wav"),
    ]
    assert found.data["notes"][1:] == [f"{folder}/b.wav: given 4 times, read once"]
    assert len(found.frame[found.frame["file"] == str(folder / "b.wav")]) == 1


def test_a_folder_without_media_is_refused_before_anything_is_read(folder, tmp_path):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "texts").mkdir()
    for name in ("a.txt", "b.txt", "README", ".hidden.wav"):
        (tmp_path / "texts" / name).write_text("")
    way = "give sound or video, or folders of them"
    for place, why in (("empty", "there is no file below it"), ("texts", "its files end in .txt (2), no ending (1)")):
        with pytest.raises(ConfigError) as error:
            mien.predict([folder, tmp_path / place], model="not looked for")
        assert str(error.value) == f"{tmp_path / place}: holds no media file ({why}); {way}"


def test_a_damaged_file_among_good_ones_is_listed(run, folder, capsys):
    (folder / "a" / "bad.wav").write_text("not a sound")
    out = folder / "rows.csv"
    for _ in range(2):  # the file that the first call writes into the folder is none of its files
        assert main(["predict", str(folder), str(folder / "gone.wav"), "--model", str(run), "--out", str(out)]) == 1
        printed = capsys.readouterr()
        problems = [line for line in printed.err.splitlines() if line.startswith("mien: problem: ")]
        assert [line.split(": ")[2] for line in problems] == [str(folder / "a" / "bad.wav"), str(folder / "gone.wav")]
        assert "predicting: 6 of 6 files in 0:0" in printed.err
        assert f"{folder}: passed over, no media by their endings: .txt (1)" in printed.out
    assert list(dict.fromkeys(pd.read_csv(out)["file"])) == [str(folder / name) for name in NAMES]
    with pytest.raises(MediaError) as error:
        mien.predict([folder / "a" / "bad.wav", folder / "gone.wav"], model=run)
    assert str(error.value).startswith(f"{folder}/a/bad.wav: is no media file")
    assert str(error.value).endswith("(and 1 more files that cannot be read)")


def test_workers_give_the_same_and_one_that_dies_costs_its_file(run, folder, monkeypatch):
    (folder / "bad.wav").write_text("not a sound")
    one, two = (mien.predict(folder, model=run, hop=0.5, workers=workers) for workers in (1, 2))
    assert two.data == one.data
    assert two.text == one.text
    assert list(two.problems) == list(one.problems) != []
    kill = signal.SIGKILL

    def deadly(files, *, asked):
        from mien.runs import reading as there

        if files[0].name == "b.wav":
            os.kill(os.getpid(), kill)
        return there._in_worker(files, asked=asked)

    monkeypatch.setattr(reading, "_in_worker", deadly)
    rest = mien.predict(folder, model=run, hop=0.5, workers=2)
    assert rest.problems == [
        f"{folder}/b.wav: ended the process that read it (SIGKILL, perhaps for lack of memory)",
        *one.problems,
    ]
    assert rest.data["rows"] == [row for row in one.data["rows"] if not row["file"].endswith("b.wav")]
    with pytest.raises(ConfigError, match=r"^--workers 0: must be 1 or more$"):
        mien.predict(folder, model=run, workers=0)


def test_a_summary_has_one_row_a_file(run, folder, tmp_path, capsys):
    """Three seconds of a tone, three of nothing, two of another tone; and the files of a folder."""
    rate = 16_000
    clock = np.arange(8 * rate) / rate
    sound = np.sin(2 * np.pi * np.where(clock < 4, 300, 90) * clock) * ((clock < 3) | (clock >= 6))
    with wave.open(str(folder / "talk.wav"), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((9000 * sound).astype("<i2").tobytes())
    classes = list(Run.open(run).classes)
    found = mien.predict(folder, model=run, window=1.0, hop=0.5, unsure=0.5, summary=True)
    assert list(found.data) == ["files", "notes", "about"]
    table = found.frame.set_index("file")
    shares = [f"{name}_share" for name in (*classes, "unsure", "silence")]
    assert list(found.frame) == ["file", "seconds", "modality", "emotion", *classes, *shares, "scheme", "model"]
    np.testing.assert_allclose(table[shares].sum(axis=1), 1, atol=5e-4)
    rows = mien.predict(folder, model=run, window=1.0, hop=0.5, unsure=0.5).frame
    assert list(table.index) == list(rows["file"].unique())
    talk = rows[rows["file"] == str(folder / "talk.wav")]
    own = np.array([end - start for start, end in shown(list(zip(talk["start"], talk["end"], strict=True)))])
    assert own.sum() == 8
    for name in ("unsure", "silence", *classes):
        part = own[talk["emotion"] == name].sum() / 8
        assert table.loc[str(folder / "talk.wav"), f"{name}_share"] == pytest.approx(part, abs=1e-4)
    assert table.loc[str(folder / "talk.wav"), "silence_share"] == pytest.approx(2.5 / 8)
    voiced = (talk["emotion"] != "silence").to_numpy()
    mean = np.average(talk[classes][voiced].astype(float), axis=0, weights=own[voiced])
    np.testing.assert_allclose(table.loc[str(folder / "talk.wav"), classes].astype(float), mean, atol=1e-4)
    best = table[classes].astype(float)
    expected = best.idxmax(axis=1).where(best.max(axis=1) >= 0.5, "unsure")
    assert (table["emotion"] == expected).all()
    for suffix in ("csv", "json"):
        out = tmp_path / f"files.{suffix}"
        command = ["predict", str(folder), "--model", str(run), "--window", "1", "--hop", "0.5", "--unsure", "0.5"]
        assert main([*command, "--summary", "--json", "--workers", "1", "--out", str(out)]) == 0
        assert json.loads(capsys.readouterr().out)["files"] == found.data["files"]
        written = pd.read_csv(out) if suffix == "csv" else pd.DataFrame(json.loads(out.read_text()))
        assert written["emotion"].tolist() == found.frame["emotion"].tolist()
    text = found.text.splitlines()
    assert text[0].split() == ["seconds", "emotion", "mean", "unsure", "silence", "file"]
    assert all(line.endswith(name) for line, name in zip(text[1:], table.index, strict=False))


def test_a_file_of_silence_is_silence_and_brief_sound_is_unsure(run, tmp_path, make_tone):
    with wave.open(str(tmp_path / "nothing.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(64_000))
    make_tone(tmp_path / "short.wav", 300.0, 1.0, 0, 0.1)
    nothing, short = mien.predict(tmp_path, model=run, summary=True).data["files"]
    assert (nothing["emotion"], nothing["modality"], nothing["silence_share"]) == ("silence", "", 1.0)
    assert nothing["anger"] is None
    assert (short["emotion"], short["unsure_share"]) == ("unsure", 1.0)
    assert short["anger"] is not None


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([(0, 4), (1, 5), (2, 6), (3, 6.5)], [(0, 2.5), (2.5, 3.5), (3.5, 4.5), (4.5, 6.5)]),
        ([(0, 4), (4, 8), (8, 8.5)], [(0, 4), (4, 8), (8, 8.5)]),
        ([(0, 0.3)], [(0, 0.3)]),
        ([], []),
    ],
)
def test_what_windows_share_belongs_to_each_by_half(windows, expected):
    assert shown(windows) == expected


def test_lines_do_not_overlap_and_it_is_said_that_rows_do(run, folder):
    found = mien.predict(folder / "c d.wav", model=run, window=2.0, hop=1.0)
    assert found.frame[["start", "end"]].to_numpy().tolist() == [[0, 2], [1, 3], [2, 4]]
    assert found.text.splitlines()[-3:-1] == [
        "rows (--out, --json): windows of 2 s, one every 1 s; lines: what windows share,",
        "  by half to each (--hop 2: rows that do not overlap)",
    ]
    ends = [line.split()[2] for line in found.text.splitlines()[1:-3]]
    starts = [line.split()[0] for line in found.text.splitlines()[2:-3]]
    assert starts == ends[:-1]
    apart = mien.predict(folder / "c d.wav", model=run, window=2.0, hop=2.0)
    assert apart.frame[["start", "end"]].to_numpy().tolist() == [[0, 2], [2, 4]]
    assert "windows of" not in apart.text
    assert "windows of" not in mien.predict(folder / "a" / "one.wav", model=run).text


def test_a_long_file_shows_its_seconds_and_a_short_one_nothing(run, tmp_path, make_tone, capsys):
    for name, seconds in (("long.wav", 61.0), ("short.wav", 2.0)):
        make_tone(tmp_path / name, 200.0, 1.0, 0, seconds)
        assert main(["predict", str(tmp_path / name), "--model", str(run), "--hop", "4"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("predicting: 61 of 61 seconds in 0:0")


@pytest.mark.slow
def test_ctrl_c_with_workers_ends_in_a_sentence_and_leaves_no_file(run, tmp_path, make_tone):
    (tmp_path / "in").mkdir()
    for number in range(40):
        make_tone(tmp_path / "in" / f"{number}.wav", 200.0, 1.0, number, 10.0)
    told = "import sys; from mien.cli.main import main; from mien.common import progress; progress.EVERY = 0; "
    told += "sys.exit(main())"
    line = [sys.executable, "-c", told, "predict", str(tmp_path / "in"), "--model", str(run), "--workers", "2"]
    started = subprocess.Popen(
        [*line, "--out", str(tmp_path / "rows.csv")], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert started.stderr.readline().startswith("predicting: 1 of 40")
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130, errors
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == "mien: interrupted; run the same command again"
    assert not (tmp_path / "rows.csv").exists()
