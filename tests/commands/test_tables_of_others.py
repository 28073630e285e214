"""The split audit on tables as others write them: planted leaks are found with exactly their rows, clean twins pass.

Every table holds six speakers with two clips each: four in train, one in validation, one in test. Planted are a third
clip of a training speaker in test, and a training clip that is listed in test again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import mien
from mien.cli.main import main
from mien.errors import CorpusError

Plan = list[tuple[int, int, str]]  # speaker, take, part
Rows = dict[str, list[dict[str, object]]]  # finding -> its rows
NOTHING: Rows = {}
PARTS = ("train",) * 4 + ("validation", "test")
CLEAN: Plan = [(who, take, part) for who, part in enumerate(PARTS) for take in (0, 1)]
SHARED: Plan = [*CLEAN, (0, 2, "test")]
TWICE: Plan = [*CLEAN, (0, 0, "test")]
EMOTIONS = ("anger", "joy", "anger")  # by take


def table(plan: Plan, **columns: Callable[[int, int, str], object]) -> pd.DataFrame:
    return pd.DataFrame([{name: cell(*one) for name, cell in columns.items()} for one in plan])


def plain(plan: Plan) -> pd.DataFrame:
    return table(
        plan,
        file=lambda who, take, _: f"wav/p{who}_{take}.wav",
        speaker=lambda who, *_: f"p{who}",
        emotion=lambda _, take, __: EMOTIONS[take],
        split=lambda *one: one[2],
    )


def in_files_of_parts(
    folder: Path, name: str, whole: pd.DataFrame, write: Callable[[pd.DataFrame, Path], None]
) -> Path:
    for part, rows in whole.groupby("split", sort=False):
        path = folder / name.format(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(rows.drop(columns="split"), path)
    return folder


def of_pandas(folder: Path, plan: Plan) -> Path:
    plain(plan).to_csv(folder / "m.csv")
    return folder / "m.csv"


def of_pandas_with_missing_speakers(folder: Path, plan: Plan) -> Path:
    """One file a part, where numbers of speakers are floats in the part that lacks one: 0.0 is 0 of another file."""
    whole = plain(plan).assign(speaker=[who for who, *_ in plan])
    whole.loc[len(whole)] = {"file": "wav/x.wav", "speaker": None, "emotion": "joy", "split": "test"}
    kinds = {"train": int, "validation": int, "test": float}
    return in_files_of_parts(
        folder, "{}.csv", whole, lambda rows, path: rows.astype({"speaker": kinds[path.stem]}).to_csv(path, index=False)
    )


def of_r(folder: Path, plan: Plan) -> Path:
    whole = plain(plan)
    whole.loc[len(whole)] = ["wav/x.wav", None, None, None]  # not used
    rows = [["", *whole], *([str(number), *row] for number, row in enumerate(whole.to_numpy(object).tolist(), 1))]
    cells = [["NA" if pd.isna(cell) else f'"{cell}"' for cell in row] for row in rows]
    (folder / "m.csv").write_text("\n".join(map(",".join, cells)) + "\n")
    return folder / "m.csv"


def of_r_with_semicolons(folder: Path, plan: Plan) -> Path:
    """Half a second of one file of each speaker, with decimal commas, as write.csv2 does."""
    whole = plain(plan).assign(file=[f"p{who}.wav" for who, *_ in plan], start=[take * 0.5 for _, take, _ in plan])
    whole["end"] = whole["start"] + 0.5
    whole.to_csv(folder / "m.csv", sep=";", decimal=",", quoting=2)
    return folder / "m.csv"


def of_excel(folder: Path, plan: Plan) -> Path:
    """Some speakers with a blank behind them, and two lines without cells, as Excel in German saves CSV UTF-8."""
    whole = plain(plan)
    whole["speaker"] += [" " * (number % 2) for number in range(len(whole))]
    whole = whole.rename(columns={"file": "File Name", "speaker": "Speaker ID ", "split": "Set"})
    lines = [*whole.to_csv(index=False, sep=";").splitlines(), ";;;", ";;;"]
    (folder / "m.csv").write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    return folder / "m.csv"


def of_opensmile(folder: Path, plan: Plan) -> Path:
    whole = plain(plan).assign(name=[f"'p{who}_{take}'" for who, take, _ in plan], frameTime=0.0, F0final=120.5)
    whole[["name", "frameTime", "F0final", "speaker", "emotion", "split"]].to_csv(
        folder / "m.csv", sep=";", index=False
    )
    return folder / "m.csv"


def of_meld(folder: Path, plan: Plan) -> Path:
    whole = table(
        plan,
        **{
            "Sr No.": lambda who, take, _: 2 * who + take,
            "Utterance": lambda _, take, __: ("Yes, of course.", "No.", "Well ...")[take],
            "Speaker": lambda who, *_: f"p{who}",
            "Emotion": lambda _, take, __: EMOTIONS[take],
            "Dialogue_ID": lambda who, *_: who % 2,
            "Utterance_ID": lambda who, take, _: take + 3 * who,
            "StartTime": lambda _, take, __: f"00:16:1{take},059",
            "EndTime": lambda _, take, __: f"00:16:1{take},900",
            "split": lambda *one: {"validation": "dev"}.get(one[2], one[2]),
        },
    )
    return in_files_of_parts(folder, "{}_sent_emo.csv", whole, lambda rows, path: rows.to_csv(path, index=False))


def of_msp_podcast(folder: Path, plan: Plan) -> Path:
    whole = table(
        plan,
        FileName=lambda who, take, _: f"MSP-PODCAST_{who:04}_{take:04}.wav",
        EmoClass=lambda _, take, __: EMOTIONS[take][0].upper(),
        EmoAct=lambda *_: 4.2,
        SpkrID=lambda who, *_: f"{who + 100}",
        Gender=lambda *_: "Female",
        Split_Set=lambda _, take, part: {"train": "Train", "validation": "Development"}.get(
            part, f"Test{take % 2 + 1}"
        ),
    )
    for number, part in enumerate(("Train", "Test1", "Test3")):
        whole.loc[len(whole)] = [f"MSP-PODCAST_9999_{number:04}.wav", "A", 4.2, "Unknown", "Unknown", part]
    whole.to_csv(folder / "labels_consensus.csv", index=False)
    return folder / "labels_consensus.csv"


def emodb(who: int, take: int) -> str:
    """A name of EmoDB; nobody says a sentence twice."""
    return f"{('03', '08', '09', '10', '11', '12')[who]}{('a01Wa', 'a02Fa', 'a04Wa')[take]}"


def of_emobox(folder: Path, plan: Plan) -> Path:
    whole = table(
        plan,
        key=lambda who, take, _: f"emodb-{emodb(who, take)}",
        dataset=lambda *_: "emodb",
        wav=lambda who, take, _: f"downloads/emodb/wav/{emodb(who, take)}.wav",
        type=lambda *_: "raw",
        num_frame=lambda *_: 30045.0,
        length=lambda *_: 1.8778125,
        emo=lambda _, take, __: EMOTIONS[take],
        split=lambda *one: {"validation": "valid"}.get(one[2], one[2]),
    )
    return in_files_of_parts(
        folder,
        "fold_1/emodb_{}_fold_1.jsonl",
        whole,
        lambda rows, path: rows.to_json(path, orient="records", lines=True),
    )


def crema_d(who: int, take: int) -> str:
    return f"{1001 + who}_{('DFA_ANG', 'IEO_HAP', 'MTI_ANG')[take]}_XX"


def of_hicmae(folder: Path, plan: Plan) -> Path:
    parts: dict[str, list[str]] = {}
    for who, take, part in plan:
        clip = crema_d(who, take)
        parts.setdefault(part, []).append(f"/data/face_aligned/{clip} /data/AudioWAV/{clip}.wav {take % 2}\n")
    for part, lines in parts.items():
        (folder / f"{part.replace('validation', 'val')}.csv").write_text("".join(lines))
    return folder


def iemocap(who: int, take: int) -> str:
    """Two speakers a session, of whom each has a dialogue of their own."""
    session, sex = who // 2 + 1, "FM"[who % 2]
    return f"Ses0{session}{sex}_impro0{take + 1}_{sex}000"


def iemocap_path(who: int, take: int) -> str:
    clip = iemocap(who, take)
    return f"Session{who // 2 + 1}/sentences/wav/{clip[:-5]}/{clip}"


def of_iemocap(folder: Path, plan: Plan) -> Path:
    whole = table(
        plan,
        session=lambda who, *_: who // 2 + 1,
        method=lambda *_: "impro",
        gender=lambda who, *_: "FM"[who % 2],
        emotion=lambda _, take, __: EMOTIONS[take][:3],
        path=lambda who, take, _: f"{iemocap_path(who, take)}.wav",
        split=lambda *one: one[2],
    )
    whole.to_csv(folder / "iemocap_full_dataset.csv", index=False)
    return folder / "iemocap_full_dataset.csv"


def of_windows(folder: Path, plan: Plan) -> Path:
    whole = plain(plan).assign(file=[f"p{who}.wav" for who, *_ in plan], start=[take * 0.5 for _, take, _ in plan])
    whole.assign(end=whole["start"] + 1, hop=0.5).to_csv(folder / "m.csv", index=False)
    return folder / "m.csv"


def of_windows_with_durations(folder: Path, plan: Plan) -> Path:
    rows = pd.read_csv(of_windows(folder, plan)).rename(columns={"file": "audio_filepath", "start": "offset"})
    rows.assign(duration=1.0).drop(columns=["end", "hop"]).to_json(folder / "m.jsonl", orient="records", lines=True)
    return folder / "m.jsonl"


class Format(NamedTuple):
    """How a table is written, what it calls the first speaker and a clip, and what else the planted leaks are."""

    write: Callable[[Path, Plan], Path]
    speaker: str = "p0"
    clip: Callable[[int, int], str] = lambda who, take: f"wav/p{who}_{take}"
    shared: Rows = NOTHING
    twice: Rows = NOTHING


def window(clip: Callable[[int, int], str], seconds: float = 0.0) -> Format:
    """Three windows of one file, of which neighbours share these seconds."""
    recording: Rows = {"shared-recording": [{"recording": "p0.wav"}]}

    def overlap(one: int, other: int, begin: float) -> Rows:
        times = {"file": "p0.wav", "from": begin, "to": begin + 0.5, "seconds": seconds}
        return {"overlapping-audio": [{"clips": [clip(0, one), clip(0, other)], **times}]} if seconds else {}

    return Format(of_pandas, "p0", clip, recording | overlap(1, 2, 1.0), recording | overlap(1, 0, 0.5))


HALVES = window(lambda who, take: f"p{who}:{take / 2}-{take / 2 + 0.5}")
WINDOWS = window(lambda who, take: f"p{who}:{take / 2}-{take / 2 + 1}", 0.5)
DURATIONS = window(lambda who, take: f"p{who}:{take / 2}-{take / 2 + 1:g}", 0.5)
SESSION = {"session": "1"}
FORMATS = {
    "pandas": Format(of_pandas),
    "pandas, numbers": Format(of_pandas_with_missing_speakers, "0"),
    "R": Format(of_r),
    "R, semicolons": HALVES._replace(write=of_r_with_semicolons),
    "Excel": Format(of_excel),
    "openSMILE": Format(of_opensmile, clip=lambda who, take: f"p{who}_{take}"),
    "MELD": Format(of_meld),
    "MSP-Podcast": Format(of_msp_podcast, "100", lambda who, take: f"MSP-PODCAST_{who:04}_{take:04}"),
    "EmoBox": Format(
        of_emobox,
        "03",
        lambda who, take: f"emodb-{emodb(who, take)}",
        twice={"same-sentence": [{"speaker": "03", "sentence": "a01"}]},
    ),
    "HiCMAE": Format(
        of_hicmae,
        "1001",
        lambda who, take: f"/data/AudioWAV/{crema_d(who, take)}",
        twice={"same-sentence": [{"speaker": "1001", "sentence": "DFA"}]},
    ),
    "IEMOCAP": Format(
        of_iemocap,
        "Ses01F",
        iemocap_path,
        {"shared-recording": [SESSION]},
        {"shared-recording": [{"recording": "Ses01F_impro01"}, SESSION]},
    ),
    "windows": WINDOWS._replace(write=of_windows),
    "windows with durations": DURATIONS._replace(write=of_windows_with_durations),
}


def leaks(manifest: Path) -> Rows:
    """Finding -> its rows across training and test. The exit code of function and command is 2 with a leak, else 0."""
    done = mien.audit_split(manifest)
    found = [one for one in done.data["findings"] if one["severity"] == "leak"]
    assert done.exit_code == main(["audit", "--split", str(manifest)]) == (3 if found else 0)
    assert all(row["splits"] == ["train", "test"] for one in found for row in one["rows"])
    about = ("speaker", "clips", "recording", "session", "sentence", "file", "from", "to", "seconds")
    return {one["finding"]: [{key: row[key] for key in about if key in row} for row in one["rows"]] for one in found}


@pytest.mark.parametrize("name", FORMATS)
def test_planted_leaks_are_found_with_their_rows_and_a_clean_table_passes(tmp_path: Path, name: str) -> None:
    own = FORMATS[name]
    clip = own.clip(0, 0)
    speaker: Rows = {"shared-speaker": [{"speaker": own.speaker}]}
    again: Rows = {} if name == "MELD" else {"identical-audio": [{"clips": [clip, clip]}]}  # MELD counts anew in test
    wanted = {"clean": (CLEAN, {}), "shared": (SHARED, speaker | own.shared)}
    for what, (plan, rows) in (wanted | {"twice": (TWICE, speaker | own.twice | again)}).items():
        (tmp_path / what).mkdir()
        assert leaks(own.write(tmp_path / what, plan)) == rows, what


def test_what_is_read_otherwise_is_noted(tmp_path: Path) -> None:
    def notes(name: str) -> list[str]:
        (tmp_path / name).mkdir()
        return list(mien.audit_split(FORMATS[name].write(tmp_path / name, CLEAN)).data["notes"])

    assert notes("pandas") == []
    assert notes("R") == [
        "cells with NA are taken as not known: 1 of 'split', 1 of 'speaker', 1 of 'emotion'",
        "1 row without a split, not examined",
    ]
    assert notes("R, semicolons") == ["decimal commas are read as points: start, end"]
    assert notes("Excel")[1:] == [
        "the column 'Set' is read as 'split'",
        "the column 'Speaker ID ' is read as 'speaker'",
        f"{tmp_path / 'Excel' / 'm.csv'}: 2 rows without the name of a clip, passed over",
    ]
    assert notes("windows with durations") == [
        "the column 'audio_filepath' is read as 'file'",
        "the column 'offset' is read as 'start'",
        "the end of a clip is its start + its duration",
    ]


def test_unknown_speakers_of_msp_podcast_are_nobody(tmp_path: Path) -> None:
    found = mien.audit_split(of_msp_podcast(tmp_path, CLEAN)).data
    assert found["examined_in_part"]["shared-speaker"] == "12 of 15 clips whose speakers are known"
    assert found["speakers"] == {"train": 4, "validation": 1, "test": 1}
    assert found["clips"] == {"train": 9, "validation": 2, "test": 4}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "file,start,speaker,split\na.wav,0,x,train\na.wav,2,x,test\n",
            "several clips of a.wav have a start and no end; give a column 'end' or 'duration', in seconds",
        ),
        (
            "file,start,end,speaker,split\na.wav,0,2,x,train\na.wav,2,2,x,test\n",
            "row 2, column 'end': 2 is not after the start; give both in seconds of the file, or call the column "
            "'duration'",
        ),
        (
            "file,start,duration,speaker,split\na.wav,0,2,x,train\na.wav,2,long,x,test\n",
            "row 2, column 'end': 'long' is no number of seconds; write 62.5 or 00:01:02.5",
        ),
        (
            "file,start,end,speaker,split\na.wav,00:00:01,0:02,x,train\n",
            "row 1, column 'end': '0:02' is no number of seconds; write 62.5 or 00:01:02.5",
        ),
        (
            "name;frameTime;F0;split\n'unknown';0.0;120;train\n'unknown';0.0;130;test\n",
            "no row names a clip in 'name'; give a column 'file' or 'clip' that does",
        ),
        (
            "file,Speaker,SPEAKER,split\na.wav,x,y,train\n",
            "the columns 'Speaker' and 'SPEAKER' may both be the column 'speaker'; call the one that is meant "
            "'speaker'",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(tmp_path: Path, capsys, text: str, sentence: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    assert main(["audit", "--split", str(tmp_path / "m.csv")]) == 2
    assert " ".join(capsys.readouterr().err.split()).endswith(f"{tmp_path / 'm.csv'}: {sentence}")


def test_a_table_of_excel_in_another_code_page_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes("file;speaker;split\na.wav;Jörg;train\n".encode("cp1252"))
    with pytest.raises(CorpusError) as error:
        mien.audit_split(tmp_path / "m.csv")
    assert str(error.value) == (
        f"{tmp_path / 'm.csv'}: not text in UTF-8, so no split manifest; save a table of Excel as CSV UTF-8"
    )


def test_times_of_pandas_are_seconds(tmp_path: Path) -> None:
    times = pd.to_timedelta([0.0, 1.5], unit="s")
    whole = pd.DataFrame({"file": "a.wav", "start": times, "end": times + pd.Timedelta(seconds=2)})
    whole.assign(speaker=["x", "y"], split=["train", "test"]).to_csv(tmp_path / "m.csv", index=False)
    overlap = {"clips": ["a:0-2", "a:1.5-3.5"], "file": "a.wav", "from": 1.5, "to": 2.0, "seconds": 0.5}
    assert leaks(tmp_path / "m.csv") == {"shared-recording": [{"recording": "a.wav"}], "overlapping-audio": [overlap]}


@pytest.mark.parametrize("column", ["recording", "session"])
def test_a_meeting_of_four_in_one_file_is_one_recording(tmp_path: Path, column: str) -> None:
    """Of two meetings one is in training and in test, and found; sessions in files of their own are not."""
    rows = [(f"meeting{meeting}", who, turn) for meeting in (0, 1) for turn, who in enumerate("abcd")]
    whole = pd.DataFrame(rows, columns=[column, "speaker", "start"])
    whole = whole.assign(file=whole[column] + ".wav", end=whole["start"] + 1, speaker=whole[column] + whole["speaker"])
    whole.loc[4:, "speaker"] = ["meeting0a", "meeting0b", "x", "y"]
    whole["split"] = ["train", "train", "test", "test", "train", "train", "train", "train"]
    whole.to_csv(tmp_path / "m.csv", index=False)
    found = leaks(tmp_path / "m.csv")["shared-recording"]
    assert {column: "meeting0"} in found
    sessions = [
        (f"{who}{number}.wav", who, f"s{number}", PARTS[at]) for at, who in enumerate("abcdef") for number in "12"
    ]
    pd.DataFrame(sessions, columns=["file", "speaker", column, "split"]).to_csv(tmp_path / "n.csv", index=False)
    assert leaks(tmp_path / "n.csv") == {}
