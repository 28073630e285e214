"""Split manifests in every format that is known, and those that are none."""

import json

import pandas as pd
import pytest

from mien.audit import manifests
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


def test_rows_without_a_split_and_rows_told_twice_are_counted(tmp_path):
    write(tmp_path, m_csv="file,split\na.wav,train\na.wav,train\nb.wav,\nc.wav,test\n")
    read = manifests.read(tmp_path / "m.csv")
    assert list(read.rows["clip"]) == ["a", "c"]
    assert any("1 rows have no split" in said for said in read.said)
    assert any("1 rows are told twice, such as a" in said for said in read.said)


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
    assert placed(one) == [("", "test", "03"), ("", "train", "03"), ("", "train", "08")]
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


def test_our_splits_take_people_from_the_clips_beside_them(tmp_path):
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


def test_the_rule_of_a_corpus_tells_what_the_table_does_not(tmp_path):
    write(tmp_path, m_csv="file,speaker,split\n03a01Fa.wav,,train\n08a01Fa.wav,eight,test\nodd.wav,,test\n")
    read = manifests.read(tmp_path / "m.csv", "emodb")
    assert list(read.rows["speaker"].fillna("?")) == ["03", "eight", "?"]
    assert list(read.rows["named"].fillna("?")) == ["03", "08", "?"]
    assert any("1 of 3 names are not those of the corpus, such as odd.wav" in said for said in read.said)
    with pytest.raises(ConfigError, match="Did you mean 'emodb'"):
        manifests.read(tmp_path / "m.csv", "emo_d")


HOSTILE = {
    "": "is empty",
    "   \n\n": "is empty",
    "file,speaker\na,b\n": "no column 'split'",
    "speaker,split\na,train\n": "no column 'file' or 'clip'",
    "file,split\na.wav,trian\nb.wav,test\n": "row 1, column 'split': 'trian'. Did you mean 'train'?",
    "file,split\na.wav,train\nb.wav,train\n": "holds train only",
    "file,split\na.wav,\n": "holds no clip of any split only",
    "file,split\na.wav,train,x,y\n": "more cells than the header",
    "a b c d\n": "line 1 is not 'frames-folder wav label'|no column|its name tells none",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_table_is_refused_by_name(tmp_path, text):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(CorpusError, match=HOSTILE[text].replace("?", r"\?")) as caught:
        manifests.read(tmp_path / "m.csv")
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("line", ["{", "[1]", "3", "null"])
def test_a_line_that_is_no_object_is_named(tmp_path, line):
    (tmp_path / "x_train.jsonl").write_text(emobox("03a01Fa") + line + "\n")
    with pytest.raises(CorpusError, match=r"x_train\.jsonl: line 2"):
        manifests.read(tmp_path / "x_train.jsonl")


@pytest.mark.parametrize("value", ["[]", "{}", '{"folds": [{"fold": 1}]}', '{"folds": 3}', "{"])
def test_splits_of_another_kind_are_refused(tmp_path, value):
    (tmp_path / "splits.json").write_text(value)
    with pytest.raises(CorpusError, match=r"splits\.json"):
        manifests.read(tmp_path / "splits.json")


def test_what_is_no_manifest_at_all_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="neither a file nor a folder"):
        manifests.read(tmp_path / "none.csv")
    with pytest.raises(CorpusError, match="no split manifest in it"):
        manifests.read(tmp_path)
    (tmp_path / "m.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")
    with pytest.raises(CorpusError, match="not text in UTF-8"):
        manifests.read(tmp_path / "m.csv")
