"""A folder of `mien label` as a corpus: who its speakers are, which segments are read, and its frames."""

import numpy as np
import pandas as pd
import pytest

from layouts import labelled
from mien.corpora.readers import read
from mien.corpora.votes import EMOTIONS
from mien.errors import ConfigError, CorpusError


@pytest.fixture
def folder(tmp_path):
    labelled(tmp_path)
    return tmp_path


def test_segments_of_speakers_are_clips(folder):
    corpus = read("labelled", folder)
    table = corpus.table
    assert list(zip(table["file"], table["start"], table["end"], strict=True)) == [
        ("ann/one.mp4", 0.0, 2.88), ("ann/one.mp4", 4.08, 5.28), ("bob/two.mp4", 0.0, 4.8),
    ]  # fmt: skip
    assert list(table["speaker"]) == ["ann/one.mp4:1", "ann/one.mp4:1", "bob/two.mp4:1"]
    assert list(table["recording"]) == list(table["file"])
    shares = table[list(EMOTIONS)].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert list(table["emotion"]) == [EMOTIONS[place] for place in shares.argmax(axis=1)]
    logits = np.exp(table[[f"logit_{name}" for name in EMOTIONS]].to_numpy())
    np.testing.assert_allclose(logits / logits.sum(axis=1, keepdims=True), shares, atol=1e-4)
    assert corpus.root == folder / "films"
    assert corpus.licence.endswith("labels of face-small; ferplus: for research")
    assert any("appears in two films counts as two speakers" in note for note in corpus.notes)
    assert any("3 of 4 segments are of the person who speaks; read: speaking" in note for note in corpus.notes)


def test_all_segments_are_read_where_asked(folder):
    table = read("labelled", folder, {"speaking": "all"}).table
    assert len(table) == 4
    assert list(table["speaking"]) == ["True", "True", "False", "True"]


def test_frames_are_those_of_the_segment(folder):
    corpus = read("labelled", folder)
    assert (corpus.frames.classes, corpus.frames.every) == (EMOTIONS, 0.24)
    assert corpus.held == {"classes": list(EMOTIONS), "every": 0.24}
    for row in corpus.table.to_dict("records"):
        values, valid = corpus.frames.read(row["clip"])
        assert len(values) == row["frames"]
        assert valid.mean() == pytest.approx(row["seen"], abs=1e-4)
        pooled = values[valid].max(axis=0)
        assert pooled == pytest.approx([row[f"logit_{name}"] for name in EMOTIONS], abs=1e-4)
    with pytest.raises(CorpusError, match="no frames of the clip 'x'"):
        corpus.frames.read("x")


def test_speakers_by_folder_and_by_a_table(folder):
    assert list(read("labelled", folder, {"speaker": "folder"}).table["speaker"]) == ["ann", "ann", "bob"]
    listing = folder / "who.csv"
    listing.write_text("file,speaker,gender,age,emotion\nann/one.mp4,A,f,31,happiness\nnobody.mp4,N,m,9,\n")
    corpus = read("labelled", folder, {"speaker": str(listing)})
    assert corpus.table[["speaker", "gender", "age", "true_emotion"]].drop_duplicates().to_numpy().tolist() == [
        ["A", "female", "31", "happiness"]
    ]
    assert len(corpus.table) == 2
    assert corpus.problems.to_numpy().tolist() == [["bob/two.mp4", "no speaker is given, left out"]]
    assert "1 of 2 rows of who.csv have no segment here, such as nobody.mp4" in corpus.notes
    absolute = folder / "absolute.csv"
    absolute.write_text(f"file,speaker\n{folder}/films/bob/two.mp4,B\nann/one.mp4,A\n")
    assert list(read("labelled", folder, {"speaker": str(absolute)}).table["speaker"]) == ["A", "A", "B"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,who\nann/one.mp4,A\n", "no column 'speaker'; it has: file, who"),
        ("file,speaker\nann/one.mp4,A\nann/one.mp4,B\n", "two rows are of ann/one.mp4; write one row a film"),
        ("file,speaker,anger\nann/one.mp4,A,1\n", "a column is called 'anger', as one of the labels"),
        ("file,speaker,start\nann/one.mp4,A,1\n", "a column is called 'start', as one of the labels"),
    ],
)
def test_a_table_of_speakers_that_cannot_be_used_is_refused(folder, text, words):
    (folder / "who.csv").write_text(text)
    with pytest.raises(CorpusError) as error:
        read("labelled", folder, {"speaker": str(folder / "who.csv")})
    assert words in str(error.value)


def test_unknown_options_name_the_nearest(folder):
    for option, value, words in (
        ("speaking", "al", "option speaking: unknown choice 'al'. Did you mean 'all'?"),
        ("speaker", "persons", "option speaker: no such file; unknown way 'persons'. Did you mean 'person'?"),
    ):
        with pytest.raises(ConfigError) as error:
            read("labelled", folder, {option: value})
        assert words in str(error.value)


def test_moved_films_are_found_by_an_option(folder):
    (folder / "films").rename(folder / "moved")
    with pytest.raises(
        CorpusError, match=r"none of its films is there, such as .*films/ann/one\.mp4; give --option root"
    ):
        read("labelled", folder)
    assert len(read("labelled", folder, {"root": str(folder / "moved")}).table) == 3


def test_classes_of_another_teacher_are_kept_as_they_are(tmp_path):
    labelled(tmp_path, ("calm", "anger"))
    corpus = read("labelled", tmp_path)
    assert corpus.scheme == "canonical"
    assert set(corpus.table["emotion"]) <= {"calm", "anger"}
    assert corpus.frames.classes == ("calm", "anger")


def test_what_is_no_label_folder_or_unfinished_or_damaged_is_refused(tmp_path):
    for name, change, words in (
        ("unfinished", lambda folder: labelled(folder, unfinished=True), "labelling was interrupted; run the same"),
        ("other", lambda folder: (folder / "card.json").write_text("{}"), "not the card of a label folder"),
        ("nothing", lambda folder: (folder / "card.json").unlink(), "holds no labels"),
        ("words", lambda folder: _edit(folder, "start", "soon"), "row 1, column 'start': 'soon' is no number"),
        ("silent", lambda folder: _edit(folder, "speaking", "False"), "nobody speaks in its 4 segments; give --option"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        labelled(folder)
        change(folder)
        with pytest.raises(CorpusError) as error:
            read("labelled", folder)
        assert words in str(error.value)


def _edit(folder, column, value):
    table = pd.read_csv(folder / "segments.csv", dtype="str")
    table.assign(**{column: value}).to_csv(folder / "segments.csv", index=False)
