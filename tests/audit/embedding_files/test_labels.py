"""Labels as others write them: which columns are read as ours, and which cells are missing; each is noted."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mien
from mien.audit.embedding_files.labels import read_labels
from mien.audit.embedding_files.read import join, read_embeddings
from mien.cli.main import main
from mien.errors import AuditError, CorpusError


def cells(table: pd.DataFrame, column: str) -> list[str]:
    return table[column].fillna("?").tolist()


def test_names_that_look_like_numbers_stay_text_and_na_is_missing(tmp_path: Path) -> None:
    (tmp_path / "L.csv").write_text("clip,speaker,age\nc0,03,4\nc1,NA,N/A\nc2,,None\nc3,nan,5\n")
    table, names, notes = read_labels(tmp_path / "L.csv")
    assert cells(table, "speaker") == ["03", "?", "?", "?"]
    assert cells(table, "age") == ["4", "?", "?", "5"]
    assert names == {}
    assert notes == ("cells with N/A, NA, None, nan are taken as not known: 2 of 'speaker', 2 of 'age'",)


@pytest.mark.parametrize("given", [lambda path: path, lambda path: pd.read_csv(path, sep=";", keep_default_na=False)])
def test_columns_of_other_names_are_read_as_ours_and_noted(tmp_path: Path, given) -> None:
    rows = ["FileName;SpkrID;EmoClass;Gender", "a.wav;101;A;F", "b.wav;Unknown;H ;M", "b.wav;Unknown;H;M"]
    (tmp_path / "L.csv").write_text("\ufeff" + "\r\n".join(rows) + "\r\n", encoding="utf-8", newline="")
    labels = read_labels(given(tmp_path / "L.csv"))
    assert list(labels.table) == ["file", "speaker", "emotion", "Gender"]
    assert cells(labels.table, "speaker") == ["101", "?", "?"]
    assert cells(labels.table, "emotion") == ["A", "H", "H"]
    assert labels.columns == ("file", "speaker", "emotion", "Gender", "FileName", "SpkrID", "EmoClass")
    assert labels.notes == (
        "the column 'FileName' is read as 'file'",
        "the column 'SpkrID' is read as 'speaker'",
        "the column 'EmoClass' is read as 'emotion'",
        "the speaker is not known in 2 rows, which say 'Unknown'",
    )


def test_a_column_that_is_asked_for_keeps_its_name() -> None:
    given = {"label": ["anger", "joy"], "Speaker_ID": ["a", "b"], "Speaker": ["x", "y"]}
    assert list(read_labels(given).table) == ["emotion", "Speaker_ID", "speaker"]
    assert list(read_labels(given, ("label", "Speaker")).table) == ["label", "speaker", "Speaker"]
    assert list(read_labels({"label": ["0", "1"]}).table) == ["label"], "codes may be of anything"


def test_recordings_that_are_counted_anew_for_each_speaker_are_several() -> None:
    labels = read_labels({"speaker": list("aabbccdd"), "recording": ["1", "2"] * 4})
    assert cells(labels.table, "recording")[:3] == ["a/1", "a/2", "b/1"]
    assert labels.notes == (
        "the names in the column 'recording' are those of several speakers, and no file shows whether they share one; "
        "they are taken as numbered anew for each, and joined with the speaker, such as 'a/1'; where one belongs to "
        "several speakers, write 'shared/1'",
    )


def test_a_recording_of_several_speakers_stays_one_where_they_share_its_file_or_it_is_called_so() -> None:
    shared = read_labels({"speaker": list("aabbccdd"), "recording": ["shared/1", "2"] * 4})
    assert cells(shared.table, "recording") == [name for who in "abcd" for name in ("shared/1", f"{who}/2")]
    meetings = {"speaker": list("abcdabcd"), "recording": list("11112222")}
    labels = read_labels(meetings | {"file": list("xxxxyyyy")})
    assert (cells(labels.table, "recording"), labels.notes) == (list("11112222"), ())


def test_columns_of_the_embeddings_are_known_by_the_given_names(tmp_path: Path) -> None:
    given = {"SpkrID": list("aabb"), "wav": [f"{number}.wav" for number in range(4)]}
    labels = read_labels(given)
    values = np.random.default_rng(0).standard_normal((4, 2))
    table = pd.DataFrame(values, columns=["e0", "e1"]).assign(**given).iloc[::-1]
    table.to_csv(tmp_path / "E.csv", index=False)
    found = join(read_embeddings(tmp_path / "E.csv", labels.columns), labels)
    np.testing.assert_allclose(found.arrays["E"], values[::-1])
    assert cells(found.labels, "speaker") == list("bbaa")
    assert found.notes == (
        f"{tmp_path / 'E.csv'}: left out of the embedding: column 'SpkrID', 'wav', which is a column of the labels",
        "the column 'wav' is read as 'file'",
        "the column 'SpkrID' is read as 'speaker'",
        f"{tmp_path / 'E.csv'}: rows are matched by the column 'wav'",
    )


def test_labels_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "L.csv"
    for text, sentence in {
        "": f"{path}: not a table with commas and a header line in UTF-8 (No columns to parse from file); give a CSV "
        "file of labels, one row a clip",
        "speaker\n": f"{path}: has no row of labels; give one row a clip",
    }.items():
        path.write_text(text)
        with pytest.raises(AuditError, match=f"^{re.escape(sentence)}$"):
            read_labels(path)
    with pytest.raises(
        AuditError, match=r"none.csv: no such table of clips; give a CSV file of labels, one row a clip$"
    ):
        read_labels(tmp_path / "none.csv")
    with pytest.raises(CorpusError) as error:
        read_labels({"SPEAKER": ["a"], "Speaker": ["b"]})
    assert str(error.value) == (
        "labels: the columns 'SPEAKER' and 'Speaker' may both be the column 'speaker'; call the one that is meant "
        "'speaker'"
    )


def test_the_choice_of_columns_stands_in_the_notes_of_an_audit(tmp_path: Path, capsys) -> None:
    random, people = np.random.default_rng(0), np.repeat([f"p{number}" for number in range(4)], 6)
    np.save(tmp_path / "E.npy", random.standard_normal((24, 3)))
    emotions = np.tile(["anger", "joy"], 12)
    pd.DataFrame({"Spkr_ID": people, "label": emotions, "sex": "f"}).to_csv(tmp_path / "L.csv", index=False)
    done = mien.leakage(tmp_path / "E.npy", tmp_path / "L.csv", large=True)
    assert {"the column 'Spkr_ID' is read as 'speaker'", "the column 'label' is read as 'emotion'"} <= set(
        done.data["notes"]
    )
    assert {row["factor"] for row in done.data["rows"]} == {"speaker", "emotion"}
    way = "whether the encoder has seen these speakers is not known; give --speakers seen or --speakers unseen"
    assert way in done.data["notes"]
    line = ["audit", "--embeddings", f"{tmp_path}/E.npy", "--labels", f"{tmp_path}/L.csv"]
    assert main([*line, "--factor", "emoton"]) == 2
    assert "unknown factor 'emoton'. Did you mean 'emotion'? Known: emotion, sex, speaker." in capsys.readouterr().err
