"""Split manifests are read in every known format, and other files are refused."""

import json

import pandas as pd
import pytest

from mien.audit.splits import manifests
from mien.audit.splits.findings import examine
from mien.errors import ConfigError, CorpusError


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_csv", ".csv").replace("_jsonl", ".jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def emobox(*stems, dataset="emodb"):
    rows = [
        {"key": f"{dataset}-{stem}", "dataset": dataset, "wav": f"downloads/{stem}.wav", "emo": "x"} for stem in stems
    ]
    return "\n".join(map(json.dumps, rows)) + "\n"


def placed(manifest):
    return sorted(manifest.rows[["fold", "split", "speaker"]].itertuples(index=False, name=None))


def test_a_table_with_a_column_of_splits(tmp_path):
    write(
        tmp_path, m_csv="FileName,spk,Emo,SET,fold\na.wav,s1,joy,Training,1\nb.wav,s2,joy,dev,1\nc.wav,007,nan,eval,2\n"
    )
    read = manifests.read(tmp_path / "m.csv")
    assert placed(read) == [("1", "train", "s1"), ("1", "validation", "s2"), ("2", "test", "007")]
    assert list(read.rows["clip"]) == ["a", "b", "c"]
    assert read.rows["emotion"].isna().tolist() == [False, False, True]


def test_rows_without_a_split_and_rows_listed_twice_are_counted(tmp_path):
    write(tmp_path, m_csv="file,split\na.wav,train\na.wav,train\nb.wav,\nc.wav,test\n")
    read = manifests.read(tmp_path / "m.csv")
    assert list(read.rows["clip"]) == ["a", "c"]
    assert read.notes == ("1 row without a split, not examined", "1 row listed twice, such as a; each counts once")


def test_emobox_as_file_fold_and_folds(tmp_path):
    for fold in (1, 2):
        write(
            tmp_path / f"fold_{fold}",
            **{f"emodb_train_fold_{fold}_jsonl": emobox("03a01Fa", "08a01Na")},
            **{f"emodb_test_fold_{fold}_jsonl": emobox("03a02Fa")},
        )
    whole = manifests.read(tmp_path)
    assert set(whole.rows["fold"]) == {"fold_1", "fold_2"}
    assert list(whole.rows["speaker"].value_counts()) == [4, 2]
    one = manifests.read(tmp_path / "fold_1")
    beside = manifests.read(tmp_path / "fold_1" / "emodb_train_fold_1.jsonl")
    pd.testing.assert_frame_equal(one.rows, beside.rows)
    assert beside.notes == (
        "emodb_test_fold_1.jsonl beside emodb_train_fold_1.jsonl is read with it",
        "the column 'wav' is read as 'file'",
        "the column 'emo' is read as 'emotion'",
        "the column 'dataset' is read as 'corpus'",
    )
    assert placed(one) == [("fold_1", "test", "03"), ("fold_1", "train", "03"), ("fold_1", "train", "08")]
    assert list(one.rows["sentence"]) == ["a02", "a01", "a01"]


def test_lists_of_hicmae(tmp_path):
    lines = "/d/face/{0} /d/AudioWAV/{0}.wav {1}\n"
    write(
        tmp_path,
        train_csv=lines.format("1001_DFA_ANG_XX", 0) + lines.format("1002_DFA_HAP_XX", 3),
        test_csv=lines.format("1003_IEO_SAD_LO", 5),
    )
    for place in (tmp_path, tmp_path / "test.csv"):
        read = manifests.read(place)
        assert placed(read) == [("", "test", "1003"), ("", "train", "1001"), ("", "train", "1002")]
        assert list(read.rows["emotion"]) == ["5", "0", "3"]


def test_tables_of_one_part_each(tmp_path):
    write(tmp_path, train_sent_emo_csv="file,speaker\na.wav,x\n", dev_sent_emo_csv="file,speaker\nb.wav,y\n")
    assert placed(manifests.read(tmp_path)) == [("", "train", "x"), ("", "validation", "y")]


def test_splits_json_takes_speakers_from_the_clips_beside_it(tmp_path):
    part = {"speakers": [], "clips": []}
    folds = [
        {
            "fold": 3,
            "train": {"speakers": ["p"], "clips": ["a"]},
            "validation": part,
            "test": {"speakers": ["q"], "clips": ["b"]},
        }
    ]
    (tmp_path / "splits.json").write_text(json.dumps({"folds": folds}))
    assert placed(manifests.read(tmp_path)) == [("3", "test", "q"), ("3", "train", "p")]
    (tmp_path / "clips.csv").write_text("clip,file,speaker,emotion,split\na,x/a.wav,01,joy,z\nb,x/b.wav,02,joy,z\n")
    read = manifests.read(tmp_path / "splits.json")
    assert placed(read) == [("3", "test", "02"), ("3", "train", "01")]
    assert list(read.rows["file"]) == ["x/a.wav", "x/b.wav"]


def test_the_rule_of_a_corpus_gives_what_the_table_lacks(tmp_path):
    write(tmp_path, m_csv="file,speaker,split\n03a01Fa.wav,,train\n08a01Fa.wav,eight,test\nodd.wav,,test\n")
    read = manifests.read(tmp_path / "m.csv", "emodb")
    assert list(read.rows["speaker"].fillna("?")) == ["03", "eight", "?"]
    assert list(read.rows["named"].fillna("?")) == ["03", "08", "?"]
    assert read.notes == ("1 of 3 file names does not fit the corpus, such as odd.wav",)
    with pytest.raises(ConfigError, match="Did you mean 'emodb'"):
        manifests.read(tmp_path / "m.csv", "emo_d")


@pytest.mark.parametrize("spelt", ["fold_{}", "Fold-0{}", "fold{}", "split0{}", "cv{}"])
def test_folds_of_one_folder_are_kept_apart_by_name(tmp_path, spelt):
    people = {1: ("03a01Fa", "08a01Na"), 2: ("08a01Na", "03a01Fa")}  # each is in train of one fold, test of the other
    for fold, (train, test) in people.items():
        (tmp_path / f"emodb_train_{spelt.format(fold)}.jsonl").write_text(emobox(train))
        (tmp_path / f"emodb_test_{spelt.format(fold)}.jsonl").write_text(emobox(test))
    read = manifests.read(tmp_path)
    where = [(part, who) for _, part, who in placed(read)]
    assert where == [("test", "08"), ("train", "03"), ("test", "03"), ("train", "08")]
    assert read.rows["fold"].nunique() == 2
    assert [one for one in examine(read.rows, None)[0] if one.severity == "leak"] == []
    one = manifests.read(tmp_path / f"emodb_test_{spelt.format(2)}.jsonl")
    assert sorted(one.rows["speaker"]) == ["03", "08"]
    assert len(set(one.rows["fold"])) == 1


def test_a_shared_speaker_of_one_fold_of_several_is_found(tmp_path):
    for fold, test in ((1, "03a02Fa"), (2, "08a02Fa")):
        (tmp_path / f"train_fold_{fold}.jsonl").write_text(emobox("03a01Fa"))
        (tmp_path / f"test_fold_{fold}.jsonl").write_text(emobox(test))
    (leak,) = (one for one in examine(manifests.read(tmp_path).rows, None)[0] if one.severity == "leak")
    assert [(row["fold"], row["speaker"]) for row in leak.rows] == [("fold_1", "03")]


@pytest.mark.parametrize(
    ("folder", "stem", "fold"),
    [
        ("", "train", ""),
        ("", "emodb_train_fold_1", "fold_1"),
        ("fold_1", "emodb_train_fold_1", "fold_1"),
        ("emodb/fold_01", "emodb_train_fold_1", "emodb/fold_01"),
        ("3", "train_fold3", "3"),
        ("emodb", "test_cv10", "emodb/cv_10"),
        ("fold_2", "train_split1", "fold_2/split_1"),
        ("x", "manifold_1_test", "x"),
    ],
)
def test_folder_and_name_give_the_fold_together(folder, stem, fold):
    assert manifests.fold(folder, stem) == fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a_train.csv", "b_train.csv"),
        ("train.csv", "training.csv"),
        ("train.csv", "train.tsv"),
        ("all.csv", "train.csv"),
    ],
)
def test_two_files_of_one_part_are_refused(tmp_path, one, other):
    for name in (one, other):
        (tmp_path / name).write_text(f"file{',split' * (name == 'all.csv')}\na.wav{',test' * (name == 'all.csv')}\n")
    with pytest.raises(CorpusError) as caught:
        manifests.read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / min(one, other)} and {max(one, other)} beside it both give train of one fold; number the folds "
        "as in train_fold_1.csv, put each in a folder of its own, or give one file alone"
    )


def test_files_with_other_names_are_left_out_and_not_read(tmp_path):
    write(tmp_path, emodb_train_csv="file,speaker\na.wav,x\n", emodb_dev_csv="file,speaker\nb.wav,y\n")
    alone = manifests.read(tmp_path / "emodb_dev.csv")
    assert alone.notes == ("emodb_train.csv beside emodb_dev.csv is read with it",)
    write(tmp_path, ravdess_train_csv="file,speaker\nc.wav,z\n", all_csv="file,split\nd.wav,train\n", empty_csv="")
    write(tmp_path, emodb_test_jsonl="{", emodb_test_fold_1_csv="file\ne.wav\n", emodb_train_v2_csv="file\nf.wav\n")
    (tmp_path / "test_latin.csv").write_bytes(b"\xff\xfe\x00")
    again = manifests.read(tmp_path / "emodb_dev.csv")
    pd.testing.assert_frame_equal(again.rows, alone.rows)
    assert (again.files, again.notes) == (alone.files, alone.notes)
    with pytest.raises(CorpusError, match="holds clips of train only"):
        manifests.read(tmp_path / "ravdess_train.csv")


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_tables_of_three_columns_are_read_with_any_separator(tmp_path, separator):
    rows = ["file,speaker,split", "a.wav,p q,train", "b.wav,r s,test"]
    (tmp_path / "m.csv").write_text("\n".join(rows).replace(",", separator))
    assert placed(manifests.read(tmp_path / "m.csv")) == [("", "test", "r s"), ("", "train", "p q")]


def test_a_list_begins_with_a_path_and_ends_with_a_label(tmp_path):
    write(tmp_path, train_csv="/f/a /w/a.wav happy\n", test_csv="/f/b /w/b.wav 3\n")
    assert list(manifests.read(tmp_path).rows["emotion"]) == ["3", "happy"]
    write(tmp_path, train_csv="file speaker split\na.wav x train\n")
    hint = r"it has: file speaker split \(columns are separated by commas, tabs or semicolons"
    with pytest.raises(CorpusError, match=hint):
        manifests.read(tmp_path)
    write(tmp_path, train_csv="Utterance;Who;Colour\na;x;red\n")
    with pytest.raises(CorpusError, match=r"it has: Who, Colour$"):
        manifests.read(write(tmp_path / "own", m_csv="Who;Colour\nx;red\n") / "m.csv")


def test_a_reader_of_other_names_is_refused_and_the_right_one_named(tmp_path):
    (tmp_path / "train.jsonl").write_text(emobox("03a01Fa", "08a01Na"))
    (tmp_path / "test.jsonl").write_text(emobox("03a02Fa"))
    with pytest.raises(CorpusError) as caught:
        manifests.read(tmp_path, "ravdess")
    assert str(caught.value) == (
        f"{tmp_path}: only 0 of 3 file names fit the corpus ravdess, unlike 03a02Fa; they fit emodb: give --reader "
        "emodb, or leave it out"
    )
    assert placed(manifests.read(tmp_path, "emodb")) == placed(manifests.read(tmp_path))
    write(tmp_path, m_csv="file,split\nx.wav,train\ny.wav,test\n")
    with pytest.raises(CorpusError, match="leave --reader out"):
        manifests.read(tmp_path / "m.csv", "emodb")


def test_a_speaker_by_table_and_one_by_name_are_matched(tmp_path):
    write(tmp_path, m_csv="file,speaker,split\n03a01Fa.wav,ann,train\n03a02Fa.wav,,test\n08a02Fa.wav,,test\n")
    assert list(manifests.read(tmp_path / "m.csv").rows["speaker"]) == ["ann", "ann", "08"]


HOSTILE = {
    "": "is empty",
    "   \n\n": "is empty",
    "file,speaker\na,b\n": "no column 'split'",
    "speaker,split\na,train\n": "no column 'file' or 'clip'",
    "file,split\na.wav,trian\nb.wav,test\n": "row 1, column 'split': 'trian'. Did you mean 'train'?",
    "file,split\na.wav,train\nb.wav,train\n": "holds clips of train only",
    "file,split\na.wav,\n": "holds no clip of any split",
    "file,split\n": "has a header but no row",
    "file,split,start\na.wav,train,5\nb.wav,test,0:12\n": "row 2, column 'start': '0:12' is no number of seconds",
    "file,split,end\na.wav,train,inf\n": "row 1, column 'end': 'inf' is no number of seconds",
    "file,split\na.wav,train,x,y\n": "more cells than the header",
    "a b c d\n": "no column 'file' or 'clip'; it has: a b c d",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_damaged_table_is_refused_with_its_path(tmp_path, text):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(CorpusError, match=HOSTILE[text].replace("?", r"\?")) as caught:
        manifests.read(tmp_path / "m.csv")
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("line", ["{", "[1]", "3", "null"])
def test_a_line_that_is_no_json_object_is_named(tmp_path, line):
    (tmp_path / "x_train.jsonl").write_text(emobox("03a01Fa") + line + "\n")
    with pytest.raises(CorpusError, match=r"x_train\.jsonl: line 2"):
        manifests.read(tmp_path / "x_train.jsonl")


@pytest.mark.parametrize("value", ["[]", "{}", '{"folds": [{"fold": 1}]}', '{"folds": 3}', "{"])
def test_splits_of_another_kind_are_refused(tmp_path, value):
    (tmp_path / "splits.json").write_text(value)
    with pytest.raises(CorpusError, match=r"splits\.json"):
        manifests.read(tmp_path / "splits.json")


def test_a_path_that_is_no_manifest_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="neither a file nor a folder"):
        manifests.read(tmp_path / "none.csv")
    with pytest.raises(CorpusError, match="no split manifest in it"):
        manifests.read(tmp_path)
    (tmp_path / "m.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")
    with pytest.raises(CorpusError, match="not text in UTF-8"):
        manifests.read(tmp_path / "m.csv")


def written(folder, **parts):
    for name, rows in parts.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    return manifests.read(folder / f"{next(iter(parts))}.csv")


def test_a_count_of_rows_in_each_file_names_no_clip(tmp_path):
    rows = {part: {"id": [0, 1], "path": [f"{part}/a.wav", f"{part}/b.wav"]} for part in ("train", "test")}
    read = written(tmp_path, **rows)
    assert read.named
    assert read.rows["clip"].tolist() == ["test/a", "test/b", "train/a", "train/b"]
    assert read.notes[-1] == "column 'id' does not name each clip once; clips are named by their files"


def test_parts_of_a_file_are_clips_of_their_own(tmp_path):
    rows = {"file": ["a.wav"] * 2, "start": [0, 2], "end": [2, 4], "split": ["train", "test"]}
    assert written(tmp_path, all=rows).rows["clip"].tolist() == ["a:0-2", "a:2-4"]


def test_names_that_each_file_has_once_are_kept(tmp_path):
    rows = {part: {"utt_id": [f"{part}1", "both"], "wav": [f"{part}.wav", "both.wav"]} for part in ("train", "test")}
    assert written(tmp_path, **rows).rows["clip"].tolist() == ["test1", "both", "train1", "both"]


def test_without_names_of_clips_rows_are_counted_and_it_is_noted(tmp_path):
    rows = {part: {"Utterance": ["Yes.", "It rains."], "Speaker": [part, part]} for part in ("train", "test")}
    read = written(tmp_path, **rows)
    assert not read.named
    assert read.rows["clip"].tolist() == ["test.csv:1", "test.csv:2", "train.csv:1", "train.csv:2"]
    assert read.notes[-1] == (
        "column 'utterance' does not name each clip once; "
        "no column names the clips, so a clip that is listed twice is not recognised"
    )


def test_meld_names_clips_by_part_dialogue_and_turn(tmp_path):
    rows = {
        part: {"Utterance": ["Yes.", "Yes."], "Speaker": [part, part], "Dialogue_ID": [0, 0], "Utterance_ID": [0, 1]}
        | {"StartTime": ["00:00:01,000", "01:01:02,500"], "EndTime": ["00:00:01,900", "01:01:03,000"]}
        for part in ("train_sent_emo", "test_sent_emo")
    }
    read = written(tmp_path, **rows).rows
    assert read["clip"].tolist() == ["test/dia0_utt0", "test/dia0_utt1", "train/dia0_utt0", "train/dia0_utt1"]
    assert read["start"].tolist()[:2] == ["1", "3662.5"]


def test_a_release_of_msp_podcast_is_read(tmp_path):
    rows = {
        "FileName": [f"MSP-PODCAST_{number:04}.wav" for number in range(5)],
        "EmoClass": list("ANHSH"),
        "SpkrID": ["101", "Unknown", "102", "Unknown", "101"],
        "Split_Set": ["Train", "Train", "Development", "Test1", "Test2"],
    }
    read = written(tmp_path, labels_consensus=rows)
    assert read.rows["split"].tolist() == ["train", "train", "validation", "test", "test"]
    assert read.rows["speaker"].fillna("?").tolist() == ["101", "?", "102", "?", "101"]
    assert {one.finding for one in examine(read.rows, None)[0] if one.severity == "leak"} == {"shared-speaker"}
