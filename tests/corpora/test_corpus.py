"""`check`: every row that breaks the schema is listed, and only those are left out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mien.corpora.corpus import COLUMNS, Corpus, Problem, check, read_table, typed
from mien.errors import CorpusError


def checked(table: pd.DataFrame, **settings) -> Corpus:
    defaults = {"licence": "none", "source": "here", "expected": None, "scheme": "canonical"}
    return check(name="test", root=Path("root"), table=table, **{**defaults, **settings})


def rows(*cells: dict) -> pd.DataFrame:
    return pd.DataFrame(
        [{"clip": f"c{n}", "file": f"c{n}.wav", "speaker": "ann", **row} for n, row in enumerate(cells)]
    )


def problems(corpus: Corpus) -> list[tuple[str, str]]:
    return list(corpus.problems.itertuples(index=False, name=None))


def test_a_valid_table_has_no_problems_and_keeps_other_columns():
    corpus = checked(rows({"take": "01", "rating": 2.5}, {"take": "02", "rating": np.nan}), expected=5)
    assert problems(corpus) == []
    assert tuple(corpus.table.columns) == (*COLUMNS, "take", "rating")
    assert corpus.table["take"].tolist() == ["01", "02"]
    assert corpus.table["rating"].dtype == "float64"
    assert corpus.table[["gender", "emotion", "start", "end"]].isna().all(axis=None)
    assert corpus.shortfall == 3


def test_the_given_table_is_left_as_it_was():
    table = rows({"gender": "F", "emotion": "Sadness + anger"})
    before = table.copy(deep=True)
    checked(table)
    assert_frame_equal(table, before)


BROKEN = [
    ({"clip": None}, "no clip is given"),
    ({"speaker": " "}, "no speaker is given"),
    ({"speaker": np.nan}, "no speaker is given"),
    ({"file": ""}, "no file is given"),
    ({"file": "../other.wav"}, "the path ../other.wav leaves the corpus's folder"),
    ({"file": "/etc/other.wav"}, "the path /etc/other.wav leaves the corpus's folder"),
    ({"start": "soon"}, "start 'soon' is not a number of seconds"),
    ({"end": np.inf}, "end 'inf' is not a number of seconds"),
    ({"start": -0.6}, "start -0.6 is negative"),
    ({"start": 2.0, "end": 1.5}, "end 1.5 is not after the start"),
    ({"end": 0.0}, "end 0.0 is not after the start"),
    ({"clip": "c0"}, "the clip name c0 is taken already"),
]


@pytest.mark.parametrize(("row", "problem"), BROKEN)
def test_a_broken_row_is_listed_and_left_out(row, problem):
    corpus = checked(rows({}, row, {}))
    assert corpus.table["clip"].tolist() == ["c0", "c2"]
    assert [text for _, text in problems(corpus)] == [f"{problem}, left out"]


def test_all_problems_are_listed_at_once_and_in_one_order():
    table = rows({}, *(row for row, _ in BROKEN))
    listed = problems(checked(table))
    assert len(listed) == len(BROKEN)
    assert listed == sorted(listed)
    assert problems(checked(table, problems=[Problem("a.wav", "strange")]))[0][0] == "../other.wav"


def test_problems_of_rows_with_one_file_name_the_clip():
    corpus = checked(rows({}, {"file": "long.wav", "start": -1}, {"file": "long.wav", "start": -2}))
    assert problems(corpus) == [
        ("long.wav", "c1: start -1.0 is negative, left out"),
        ("long.wav", "c2: start -2.0 is negative, left out"),
    ]


@pytest.mark.parametrize(
    ("given", "gender"),
    [
        ("F", "female"),
        ("w", "female"),
        ("Female", "female"),
        (" m ", "male"),
        ("male", "male"),
        ("diverse", None),
        (None, None),
    ],
)
def test_genders_have_two_names_or_are_missing(given, gender):
    corpus = checked(rows({"gender": given}))
    assert problems(corpus) == []
    assert corpus.table["gender"].fillna("?").tolist() == [gender or "?"]


def test_a_gender_that_is_not_understood_is_missing_and_listed():
    corpus = checked(rows({"gender": "femlae"}))
    assert corpus.table["gender"].isna().all()
    assert problems(corpus) == [("c0.wav", "gender 'femlae' is neither female nor male, taken as missing")]


def test_a_speaker_of_two_genders_is_left_out_altogether():
    corpus = checked(
        rows(
            {"speaker": "ann", "gender": "f"},
            {"speaker": "bob", "gender": "m"},
            {"speaker": "ann", "gender": None},
            {"speaker": "ann", "gender": "m"},
        )
    )
    assert corpus.table["speaker"].tolist() == ["bob"]
    assert problems(corpus) == [
        (f"c{n}.wav", "speaker ann is listed as female and as male, left out") for n in (0, 2, 3)
    ]


def test_a_gender_given_once_is_not_spread_over_the_speaker():
    corpus = checked(rows({"gender": "f"}, {"gender": None}))
    assert corpus.table["gender"].isna().tolist() == [False, True]


def test_emotions_are_lower_case_sorted_and_each_once():
    corpus = checked(rows({"emotion": "Sadness + anger+sadness"}, {"emotion": " + "}, {"emotion": "nan"}))
    assert corpus.table["emotion"].fillna("?").tolist() == ["anger+sadness", "?", "?"]


def test_whole_numbers_beside_missing_ones_stay_whole():
    table = rows({"speaker": 3}, {"speaker": 3}, {"speaker": 4})
    table["speaker"] = pd.Series([3, np.nan, 4])
    assert checked(table).table["speaker"].tolist() == ["3", "4"]


def test_of_two_rows_of_one_clip_the_first_usable_one_stays():
    corpus = checked(rows({"clip": "x", "speaker": None}, {"clip": "x"}, {"clip": "x"}))
    assert corpus.table["file"].tolist() == ["c1.wav"]


def test_speakers_may_be_missing_where_the_reader_says_so():
    table = rows({"gender": "f"}, {"speaker": None, "gender": "f"}, {"speaker": " ", "gender": "m"})
    corpus = checked(table, may_lack=("speaker",))
    assert corpus.table["speaker"].isna().tolist() == [False, True, True]
    assert corpus.table["gender"].tolist() == ["female", "female", "male"], "two unknown speakers are not one"
    assert (problems(corpus), corpus.lacks) == ([], ())
    for nobody in (table.iloc[1:], table.iloc[1:].drop(columns="speaker")):
        assert checked(nobody, may_lack=("speaker",)).lacks == ("speaker",)
    assert [text for _, text in problems(checked(table))] == ["no speaker is given, left out"] * 2


def test_a_table_without_a_needed_column_is_refused():
    with pytest.raises(CorpusError) as error:
        checked(pd.DataFrame({"clip": ["a"], "file": ["a.wav"]}))
    assert str(error.value) == "root: the table of clips has no column 'speaker'; it has: clip, file"


def test_two_columns_of_one_name_are_refused():
    table = rows({"take": "1"})
    with pytest.raises(CorpusError) as error:
        checked(pd.concat([table, table[["take"]]], axis=1))
    assert str(error.value) == "root: the table of clips has two columns 'take'; rename one of them"


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            rows({"speaker": None}),
            "root: none of its 1 clips can be used (c0.wav: no speaker is given, left out)",
        ),
        (rows({}).iloc[:0], "root: none of its 0 clips can be used (it has no rows)"),
    ],
)
def test_a_corpus_without_one_clip_is_refused(table, sentence):
    with pytest.raises(CorpusError) as error:
        checked(table)
    assert str(error.value) == sentence


CELLS = {
    "clip": st.sampled_from(["a", "b", "c", "", None, "nan", "d e"]),
    "file": st.sampled_from(["a.wav", "b/c.wav", "../x.wav", "/x", "", None]),
    "start": st.one_of(st.none(), st.floats(), st.sampled_from(["1", "x", ""])),
    "end": st.one_of(st.none(), st.floats(), st.sampled_from(["2.5", "?"])),
    "speaker": st.sampled_from(["ann", "bob", "", None, 3, 3.0]),
    "gender": st.sampled_from(["f", "m", "Female", "strange", "", None]),
    "emotion": st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["anger+sadness", "+"])),
    "note": st.one_of(st.none(), st.floats(), st.integers(), st.booleans(), st.text(max_size=4)),
}


@given(st.lists(st.fixed_dictionaries(CELLS), max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_row_is_either_clean_or_listed(cells):
    good = {"clip": "good", "file": "good.wav", "speaker": "zoe"}
    table = pd.DataFrame([*cells, good], columns=list(CELLS), dtype=object)
    table["row"] = [f"#{n}" for n in range(len(table))]
    corpus = checked(table)
    kept = corpus.table
    assert kept["clip"].is_unique
    assert not kept[["clip", "file", "speaker"]].isna().any(axis=None)
    assert (kept.dtypes.isin([np.dtype("float64"), pd.StringDtype(na_value=np.nan)])).all()
    assert not (kept["end"] <= kept["start"].fillna(0.0)).any()
    assert kept.groupby("speaker")["gender"].nunique().le(1).all()
    numbers = kept["row"].str[1:].astype(int).tolist()
    assert numbers == sorted(numbers)

    named = set(corpus.problems["file"])
    clean = typed(table)
    for lost in set(range(len(table))) - set(numbers):
        names = [clean["file"][lost], clean["clip"][lost], f"row {lost + 1}"]
        assert next(name for name in names if isinstance(name, str)) in named
    again = checked(kept)
    assert_frame_equal(again.table, kept)
    assert again.problems.empty


def test_a_csv_file_is_read_as_text_with_empty_cells_missing(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("﻿file,speaker,code\na.wav,NA,01\nb.wav,,1e3\n", encoding="utf-8")
    table = read_table(file)
    assert list(table.columns) == ["file", "speaker", "code"]
    assert table["speaker"].fillna("?").tolist() == ["?", "?"]
    assert table["code"].tolist() == ["01", "1e3"]


@pytest.mark.parametrize("content", [b"file,speaker\na.wav,\xff\xfe\n", b"", b"file\na.wav,ann\n", b"file\na\nb,c,d\n"])
def test_a_file_that_is_not_csv_is_refused_by_name(content, tmp_path):
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    with pytest.raises(CorpusError) as error:
        read_table(file)
    assert str(error.value).startswith(f"{file}: ")


def test_two_columns_of_one_name_are_refused_before_pandas_renames_one(tmp_path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("sep=;\nclip;speaker;speaker\na;b;c\n")
    with pytest.raises(CorpusError) as error:
        read_table(file, separator=";")
    assert str(error.value) == f"{file}: two columns are called 'speaker'; rename one of them"
    file.write_text("sep=;\nclip;speaker\na;b\n")
    assert read_table(file, separator=";").to_dict("list") == {"clip": ["a"], "speaker": ["b"]}
