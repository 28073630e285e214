"""The split audit as a command: published splits, sound, and what it writes and returns."""

import json
import re
import wave

import numpy as np
import pandas as pd
import pytest

import mien
from mien.audit.splits.findings import NAMES
from mien.cli.main import main
from mien.corpora import names
from mien.errors import ConfigError, CorpusError

SPLITS = {
    "emobox/emodb": (10, 10),
    "emobox/cremad": (91, 91),
    "emobox/enterface": (43, 43),
    "emobox/ravdess": None,
    "hicmae/cremad": None,
}


def write_babble(path, seed, gain=1.0):
    """Half a second of noise whose colour changes: two seeds are two sounds."""
    generator = np.random.default_rng(seed)
    pieces = [np.convolve(generator.standard_normal(1000), generator.standard_normal(16), "same") for _ in range(12)]
    sound = gain * 0.02 * np.concatenate(pieces) * np.exp(generator.standard_normal(12)).repeat(1000)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


@pytest.fixture
def folder(tmp_path):
    """Five speakers of one clip each, of which those of two speakers are one sound, and its manifest."""
    for number in range(4):
        write_babble(tmp_path / "media" / f"s{number}" / "a.wav", number)
    write_babble(tmp_path / "media" / "s4" / "a.wav", 0, gain=0.5)
    rows = ["file,speaker,emotion,split"] + [
        f"/else/where/s{number}/a.wav,s{number},joy,{part}"
        for number, part in enumerate(("train", "train", "dev", "test", "test"))
    ]
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_without_sound_the_table_is_examined(folder):
    outcome = mien.audit_split(folder / "m.csv", out=folder / "out")
    assert outcome.exit_code == 0
    assert outcome.data["not_examined"]["near-duplicate"] == "the recordings are not given (--root)"
    assert outcome.text.startswith("No leak was found in what was examined (")
    assert (
        "\n1 fold: train 2 clips of 2 speakers, validation 1 clip of 1 speaker, test 2\n    clips of 2 speakers\n"
    ) in outcome.text
    states = [set(outcome.data[key]) for key in ("examined", "examined_in_part", "not_examined")]
    assert set.union(*states) == set(NAMES)
    assert sum(map(len, states)) == len(NAMES)
    assert json.loads((folder / "out" / "certificate.json").read_text()) == outcome.data
    assert list(pd.read_csv(folder / "out" / "findings.csv").columns) == ["finding", "severity", "rows"]


def test_a_clip_listed_twice_is_found_by_name_and_examined_in_part(folder):
    with (folder / "m.csv").open("a") as file:
        file.write("/else/where/s0/a.wav,s0,joy,test\n")
    outcome = mien.audit_split(folder / "m.csv")
    assert "identical-audio" in {one["finding"] for one in outcome.data["findings"]}
    assert outcome.data["examined_in_part"]["identical-audio"].startswith("names only")
    assert "identical-audio" not in outcome.data["not_examined"]
    assert "identical-audio, label-conflict: names only" in outcome.text


def test_a_split_without_speakers_is_not_called_clean(folder):
    (folder / "m.csv").write_text("file,split\nx.wav,train\ny.wav,test\n")
    outcome = mien.audit_split(folder / "m.csv")
    assert outcome.text.startswith("No leak was found, but the speakers are not known, so the split may leak (")
    assert "train 1 clip of unknown speakers" in outcome.text


def test_folds_are_counted_as_a_range_for_each_corpus(folder):
    rows = [
        f"{n}{part}.wav,{part}{n},{part},{fold},x" for fold in (1, 2) for part in ("train", "test") for n in range(fold)
    ]
    (folder / "m.csv").write_text("\n".join(["file,speaker,split,fold,corpus", *rows]) + "\n")
    text = mien.audit_split(folder / "m.csv").text
    assert "\n2 folds: train 1 to 2 clips of 1 to 2 speakers, test 1 to 2 clips of 1 to 2\n    speakers\n" in text
    with (folder / "m.csv").open("a") as file:
        file.write("a.wav,p,train,1,y\nb.wav,p,test,1,y\n")
    text = mien.audit_split(folder / "m.csv").text
    assert "\ny, 1 fold: train 1 clip of 1 speaker, test 1 clip of 1 speaker\n" in text
    assert "y: 1 of 1 speaker of test is in train: p (fold 1)" in " ".join(text.split())


def test_a_wrong_out_is_refused_before_anything_is_read(folder, capsys):
    with pytest.raises(ConfigError, match=r"m\.csv: is a file, not a folder; choose another --out$"):
        mien.audit_split(folder / "none.csv", out=folder / "m.csv")
    assert main(["audit", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert all(name in printed for name in names.RULES)


def test_sound_is_found_by_the_end_of_its_path(folder, capsys):
    outcome = mien.audit_split(folder / "m.csv", root=folder / "media", out=folder / "out")
    assert outcome.exit_code == 3
    (found,) = (one for one in outcome.data["findings"] if one["severity"] == "leak")
    assert found["finding"] == "near-duplicate"
    assert [clip[-4:] for clip in found["rows"][0]["clips"]] == ["s0/a", "s4/a"]
    assert found["rows"][0]["splits"] == ["train", "test"]
    assert len(outcome.data["files"]) == 5
    assert outcome.data["examined_in_part"] == {}
    table = pd.read_csv(folder / "out" / "findings.csv")
    assert json.loads(table["rows"][0]) == list(found["rows"])
    assert max(len(line) for line in outcome.text.splitlines() if str(folder) not in line) <= 80
    assert main(["audit", "--split", str(folder / "m.csv"), "--root", str(folder / "media")]) == 3
    assert "leak  near-duplicate" in capsys.readouterr().out


def test_missing_files_are_listed_and_decide_nothing(folder, capsys):
    (folder / "media" / "s4" / "a.wav").unlink()
    (folder / "media" / "s3" / "a.wav").write_bytes(b"no sound")
    outcome = mien.audit_split(folder / "m.csv", root=folder / "media")
    assert outcome.exit_code == 0
    missing, unread = outcome.problems
    assert (
        missing == f"1 file is not found below {folder / 'media'}, or found in two places, such as /else/where/s4/a.wav"
    )
    assert unread.startswith("1 file could not be read")
    assert outcome.data["missing"] == ["/else/where/s4/a.wav"]
    assert len(outcome.data["unread"]) == 1
    for name in ("identical-audio", "near-duplicate", "label-conflict"):
        what = outcome.data["examined_in_part"][name]
        assert what.startswith("the audio of 3 of 5 clips was compared: 1 file is missing; 1 file could")
    (folder / "empty").mkdir()
    with pytest.raises(CorpusError, match="holds none of the 5 clips of the split"):
        mien.audit_split(folder / "m.csv", root=folder / "empty")


def test_one_name_at_two_places_is_taken_for_neither(folder):
    (folder / "m.csv").write_text("file,speaker,split\na.wav,x,train\ns1/a.wav,y,test\n")
    outcome = mien.audit_split(folder / "m.csv", root=folder / "media")
    assert outcome.data["missing"] == ["a.wav"]
    assert len(outcome.problems) == 1


def leaks(outcome):
    found = [one for one in outcome.data["findings"] if one["severity"] == "leak"]
    return {one["finding"]: [row.get("clips") or row.get("recording") for row in one["rows"]] for one in found}


@pytest.mark.parametrize("other", ["linked file", "linked folder", "absolute path", "copy", "way up behind a link"])
def test_windows_of_one_file_under_two_paths_overlap(tmp_path, other):
    root = tmp_path / "media"
    write_babble(root / "d" / "a.wav", 0)
    write_babble(root / "y" / "b.wav", 1)
    name = "z.wav"
    if other == "linked file":
        (root / name).symlink_to(root / "d" / "a.wav")
    elif other == "linked folder":
        (root / "lk").symlink_to(root / "d")
        name = "lk/a.wav"
    elif other == "absolute path":
        name = str(root / "d" / "a.wav")
    elif other == "copy":
        (root / name).write_bytes((root / "d" / "a.wav").read_bytes())
    else:
        (root / "d" / "e").mkdir()
        (root / "lk").symlink_to(root / "d" / "e")
        write_babble(root / "a.wav", 2)
        name = "lk/../a.wav"
    rows = f"d/a.wav,0,0.4,p,train\n{name},0.2,0.6,q,test\ny/b.wav,0,0.4,r,test\n"
    (tmp_path / "m.csv").write_text("file,start,end,speaker,split\n" + rows)
    found = leaks(mien.audit_split(tmp_path / "m.csv", root=root))
    assert len(found["overlapping-audio"]) == 1
    assert len(found["shared-recording"]) == 1
    apart = rows.replace("0.2,0.6", "0.4,0.6")
    (tmp_path / "m.csv").write_text("file,start,end,speaker,split\n" + apart)
    assert leaks(mien.audit_split(tmp_path / "m.csv", root=root)).keys() == {"shared-recording"}


def test_a_whole_file_under_two_paths_is_one_finding(folder):
    (folder / "media" / "s5").symlink_to(folder / "media" / "s1")
    (folder / "m.csv").write_text("file,speaker,split\ns1/a.wav,x,train\ns5/a.wav,y,test\n")
    assert leaks(mien.audit_split(folder / "m.csv", root=folder / "media")) == {"identical-audio": [["s1/a", "s5/a"]]}
    (folder / "media" / "s1" / "a.wav").write_bytes(b"no sound")
    write_babble(folder / "media" / "s6" / "b.wav", 6)
    with (folder / "m.csv").open("a") as file:
        file.write("s6/b.wav,z,test\n")
    unread = mien.audit_split(folder / "m.csv", root=folder / "media")
    assert leaks(unread) == {"shared-recording": ["s1/a.wav"], "overlapping-audio": [["s1/a", "s5/a"]]}


def test_every_file_of_a_clip_name_is_decoded(folder):
    rows = "1,s0/a.wav,x,train\n1,s1/a.wav,y,train\n2,s4/a.wav,z,test\n2,s2/a.wav,w,test\n"
    (folder / "m.csv").write_text("clip,file,speaker,split\n" + rows)
    outcome = mien.audit_split(folder / "m.csv", root=folder / "media")
    assert sorted(outcome.data["files"]) == ["s0/a", "s1/a", "s2/a", "s4/a"]
    assert leaks(outcome) == {"near-duplicate": [["s0/a", "s4/a"]]}


def test_codes_are_not_taken_for_the_file_that_they_begin_with(folder):
    write_babble(folder / "codes" / "1.wav", 7)
    write_babble(folder / "codes" / "1.2.wav", 8)
    (folder / "m.csv").write_text("file,speaker,split\n1.1,x,train\n1.2,y,test\n")
    outcome = mien.audit_split(folder / "m.csv", root=folder / "codes")
    assert outcome.data["missing"] == ["1.1"]
    assert list(outcome.data["files"]) == ["1.2"]


@pytest.mark.recordings
@pytest.mark.parametrize("name", SPLITS)
def test_published_splits_share_the_speakers_that_they_share(recordings, name):
    outcome = mien.audit_split(recordings / "splits" / name)
    shared = [one for one in outcome.data["findings"] if one["finding"] == "shared-speaker"]
    assert outcome.exit_code == (3 if SPLITS[name] else 0)
    if SPLITS[name]:
        assert shared[0]["text"].startswith("{} of {} speakers of test are in train".format(*SPLITS[name]))
    else:
        assert shared == []


@pytest.mark.recordings
def test_a_random_split_of_ravdess_finds_speakers_and_the_identical_pair(recordings, tmp_path):
    files = sorted((recordings / "ravdess" / "Actor_07").glob("03-01-03-01-0*.flac"))
    parts = np.random.default_rng(0).permutation(np.arange(len(files)) % 2)
    pair = [place for place, file in enumerate(files) if file.stem in {f"03-01-03-01-02-0{n}-07" for n in (1, 2)}]
    parts[pair] = 0, 1
    rows = [f"{file.name},{('train', 'test')[part]}" for file, part in zip(files, parts, strict=True)]
    (tmp_path / "m.csv").write_text("\n".join(["file,split", *rows]) + "\n")
    outcome = mien.audit_split(tmp_path / "m.csv", root=recordings / "ravdess")
    found = {one["finding"]: one for one in outcome.data["findings"]}
    assert found["shared-speaker"]["text"].startswith("1 of 1 speaker of test is in train: 07")
    assert [row["clips"] for row in found["identical-audio"]["rows"]] == [
        ["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]
    ]
    assert "near-duplicate" not in found


@pytest.mark.recordings
def test_leave_one_speaker_out_of_emodb_has_no_leak(emodb, tmp_path):
    stems = [file.stem for file in emodb]
    people = sorted({stem[:2] for stem in stems})
    rows = ["file,split,fold"]
    for fold, tested in enumerate(people):
        part = {tested: "test", people[fold - 1]: "validation"}
        rows += [f"wav/{stem}.wav,{part.get(stem[:2], 'train')},{fold}" for stem in stems]
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    outcome = mien.audit_split(tmp_path / "m.csv")
    assert outcome.exit_code == 0
    assert outcome.data["folds"] == 10
    assert {one["finding"] for one in outcome.data["findings"]} == {"missing-class", "shared-sentence"}


def test_the_page_of_a_split_begins_with_the_answer(tmp_path, capsys):
    rows = [("a1", "ann", "train"), ("a2", "ann", "test"), ("b1", "<bob>", "train"), ("c1", "cy", "validation")]
    manifest = tmp_path / "split.csv"
    pd.DataFrame(rows, columns=["clip", "speaker", "split"]).to_csv(manifest, index=False)
    assert main(["audit", "--split", str(manifest), "--out", str(tmp_path / "leaky")]) == 3
    assert capsys.readouterr().out.startswith("The split leaks: shared-speaker (")
    page = (tmp_path / "leaky" / "split.html").read_text()
    assert page.index("The split leaks: shared-speaker") < page.index(
        "shared-speaker: 1 of 1 speaker of test is in train: ann"
    )
    assert '<th scope="row">shared-speaker</th><td><strong>found</strong></td>' in page
    assert "the scores on unseen speakers hold" not in page
    assert "the recordings are not given (--root)" in page
    assert not re.search(r'(src|href)="(?!#)|<script', page)
    clean = pd.DataFrame(rows, columns=["clip", "speaker", "split"]).drop(index=1)
    clean.loc[len(clean) + 1] = ("d1", "dee", "test")
    clean.to_csv(manifest, index=False)
    assert main(["audit", "--split", str(manifest), "--out", str(tmp_path / "clean")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No leak was found in what was examined (")
    assert "No leak was found in what was examined" in (tmp_path / "clean" / "split.html").read_text()
    clean.drop(columns="speaker").to_csv(manifest, index=False)
    assert main(["audit", "--split", str(manifest)]) == 0
    assert capsys.readouterr().out.startswith("No leak was found, but the speakers are not known, so the split may")
