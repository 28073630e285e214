"""Which of several columns is meant: tables as others write them, read for training and for an audit of their split."""

import pandas as pd
import pytest

from mien.audit.embedding_files.labels import read_labels
from mien.audit.splits import manifests
from mien.corpora import columns
from mien.corpora.readers import read
from mien.errors import CorpusError


def written(folder, text):
    for name in ("a.wav", "b.wav", "c.wav"):
        (folder / name).touch()
    (folder / "corpus.csv").write_text(text)
    return folder / "corpus.csv"


TWO = {
    "speaker": ("file,split,spk,actor\na.wav,train,ann,1\nb.wav,test,bob,2\n", "spk", "actor"),
    "speaker ": ("file,split,spk,subject\na.wav,train,ann,x\nb.wav,test,bob,x\n", "spk", "subject"),
    "file": ("wav,path,split,speaker\na.wav,c.wav,train,x\nb.wav,c.wav,test,y\n", "wav", "path"),
    "file ": ("filename,filepath,split,speaker\na.wav,x/a.wav,train,x\nb.wav,x/b.wav,test,y\n", "filename", "filepath"),
    "emotion": ("file,split,speaker,emo,label\na.wav,train,x,0,happy\nb.wav,test,y,1,sad\n", "emo", "label"),
    "split": ("file,speaker,subset,dataset\na.wav,x,train,test\nb.wav,y,test,train\n", "subset", "dataset"),
}


@pytest.mark.parametrize("column", TWO)
def test_two_columns_that_say_different_things_are_refused_everywhere(tmp_path, column):
    text, one, other = TWO[column]
    table, column = written(tmp_path, text), column.strip()
    readings = [lambda: read("table", table), lambda: manifests.read(table)]
    for reading in readings + [lambda: read_labels(table)] * (column != "split"):
        with pytest.raises(CorpusError) as error:
            reading()
        assert str(error.value) == (
            f"{table}: the columns '{one}' and '{other}' may both be the column '{column}'; call the one that is meant "
            f"'{column}'"
        )


def test_two_columns_that_say_the_same_are_one(tmp_path):
    table = written(tmp_path, "file,split,spk,actor\na.wav,train,ann,ann\nb.wav,test,bob, bob\n")
    parsed = read("table", table)
    assert parsed.table["speaker"].tolist() == list(manifests.read(table).rows["speaker"]) == ["ann", "bob"]
    assert parsed.notes[:2] == (
        "the columns 'spk' and 'actor' hold the same values; 'spk' is taken",
        "the column 'spk' is read as 'speaker'",
    )


@pytest.mark.parametrize("name", ["speaker", "Speaker"])
def test_a_column_of_the_very_name_is_taken_before_all_others(tmp_path, name):
    table = written(tmp_path, f"file,split,spk,{name},actor\na.wav,train,x,ann,1\nb.wav,test,x,bob,1\n")
    parsed = read("table", table)
    assert parsed.table["speaker"].tolist() == list(manifests.read(table).rows["speaker"]) == ["ann", "bob"]
    assert parsed.notes[0] == f"the column '{name}' is taken for the speaker, not 'spk' and 'actor'"


def test_numbers_of_files_beside_their_paths_are_refused(tmp_path):
    table = written(tmp_path, "file,path,split,speaker\n1,a.wav,train,x\n2,b.wav,test,y\n")
    for reading in (lambda: read("table", table), lambda: manifests.read(table)):
        with pytest.raises(CorpusError) as error:
            reading()
        assert str(error.value) == (
            f"{table}: the columns 'file', of numbers, and 'path' may both be the column 'file'; rename 'file', and "
            "call the other 'file'"
        )


def test_a_dataset_of_train_and_test_is_the_split(tmp_path):
    """So the speaker is one in both; taken as the name of a corpus, it made two of them."""
    table = written(tmp_path, "file,dataset,speaker\na.wav,Train,ann\nb.wav,test,ann\nc.wav,NA,bob\n")
    parsed = read("table", table)
    assert parsed.table["split"].tolist()[:2] == ["train", "test"]
    assert "the column 'dataset' is read as 'split'" in parsed.notes
    for place in (table, tmp_path):
        rows = manifests.read(place).rows
        assert rows[["split", "speaker"]].to_numpy().tolist() == [["train", "ann"], ["test", "ann"]]
        assert rows["corpus"].isna().all()
    both = written(tmp_path, "file,dataset,speaker,split\na.wav,crema,ann,train\nb.wav,iemocap,ann,test\n")
    assert list(manifests.read(both).rows["corpus"]) == ["crema", "iemocap"]


def test_a_set_of_other_words_is_no_split_beside_one(tmp_path):
    table = written(tmp_path, "file,set,partition,speaker\na.wav,A,train,ann\nb.wav,B,test,bob\n")
    assert list(manifests.read(table).rows["split"]) == ["train", "test"]


def test_whether_there_is_a_video_is_no_recording(tmp_path):
    table = written(tmp_path, "file,split,speaker,video\na.wav,train,ann,yes\nb.wav,test,bob,no\nc.wav,test,cy,yes\n")
    parsed = manifests.read(table)
    assert parsed.rows["recording"].isna().all()
    assert parsed.notes == ("the column 'video' holds yes or no, not the names of recordings",)
    assert "recording" not in read("table", table).table
    named = columns.renamed(pd.DataFrame({"video": ["v1", "v2"]}), ("recording",), "m.csv")[0]
    assert list(named) == ["recording"]
