"""RAVDESS with its table of facial action units: which row a clip gets, and how damaged rows are listed."""

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mien.corpora.corpus import read_table, typed
from mien.corpora.readers import read
from mien.errors import CorpusError

HEAD = "clip,AU01_r,AU45_c,frames\n"


def with_units(root, *rows, head=HEAD):
    (root / "action_units.csv").write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return read("ravdess", root)


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def test_every_clip_of_a_performance_gets_its_row(corpus, tmp_path):
    root = corpus("ravdess")
    (root / "Actor_01" / "01-01-05-02-01-01-01.mp4").touch()
    before = read("ravdess", root).table
    parsed = with_units(root, "01-01-05-02-01-01-01,0.25,0,110", "02-01-04-01-01-01-02,2,1,98")
    assert problems(parsed) == []
    assert list(parsed.table) == [*before, "AU01_r", "AU45_c"]
    assert_frame_equal(parsed.table[list(before)], before)
    units = parsed.table.set_index("clip")[["AU01_r", "AU45_c"]]
    assert units.dtypes.eq("float64").all()
    for clip in ("01-01-05-02-01-01-01", "03-01-05-02-01-01-01"):
        assert units.loc[clip].tolist() == [0.25, 0.0]
    assert units.loc["03-01-04-01-01-01-02"].tolist() == [2.0, 1.0]
    assert units.loc["03-01-01-01-02-02-01"].isna().all(), "a clip without a row has no values"
    parsed.table.to_csv(tmp_path / "kept.csv", index=False)
    assert_frame_equal(typed(read_table(tmp_path / "kept.csv")), parsed.table)


def test_damaged_rows_are_listed_and_ignored(corpus):
    parsed = with_units(
        corpus("ravdess"),
        "01-01-05-02-01-01-01,0.25,0.5,1",
        "02-01-05-02-01-01-01,0.75,0.5,1",
        "01-01-01-01-02-02-01,much,0.5,1",
        "",
        "01-01-04-01-01-01-02,,0.5,1",
        "01-01-09-01-01-01-02,1,0.5,1",
        "01-01-06-01-01-01-02,1,0.5,1",
        "01-01-06-01-01-01-24,1,0.5,1",
    )
    assert [problem for _, problem in problems(parsed)] == [
        "row 3: the performance of 02-01-05-02-01-01-01 has a row already, ignored",
        "row 4: AU01_r of 01-01-01-01-02-02-01 is not a number, ignored",
        "row 6: AU01_r of 01-01-04-01-01-01-02 is not a number, ignored",
        "row 7: '01-01-09-01-01-01-02' is not a name of RAVDESS, ignored",
        "row 8: there is no recording of 01-01-06-01-01-01-02, ignored",
    ], "the last row is of an actor without any clip"
    assert parsed.table.set_index("clip")["AU01_r"].dropna().to_dict() == {"03-01-05-02-01-01-01": 0.25}


def test_without_a_usable_row_the_table_is_as_without_the_file(corpus):
    root = corpus("ravdess")
    before = read("ravdess", root).table
    assert_frame_equal(with_units(root, "01-01-05-02-01-01-01,inf,0.5,1").table, before)


@pytest.mark.parametrize("head", ["name,AU01_r\n", "clip,brows\n"])
def test_another_table_of_that_name_is_refused(corpus, head):
    root = corpus("ravdess")
    with pytest.raises(CorpusError) as error:
        with_units(root, "01-01-05-02-01-01-01,0.25", head=head)
    assert str(error.value) == (
        f"{root / 'action_units.csv'}: not a table of action units with the columns clip and AU01_r, ...; "
        f"it has: {head.strip().replace(',', ', ')}; rename its columns, or take it out of the folder"
    )


@pytest.mark.recordings
def test_the_table_at_hand_has_a_row_for_every_clip(recordings):
    parsed = read("ravdess", recordings / "ravdess", {"leave_out": "03-01-03-01-02-02-07"})
    raw = pd.read_csv(recordings / "ravdess" / "action_units.csv").set_index("clip")
    table = parsed.table.set_index("clip")
    units = [name for name in table if name.startswith("AU")]
    assert len(units) == 35
    assert len(table) == 1079
    expected = raw.loc["01" + table.index.str[2:], units].astype("float64").set_axis(table.index)
    assert_frame_equal(table[units], expected)
    assert problems(parsed) == [("Actor_07/03-01-03-01-02-02-07.flac", "left out by the option leave_out")]


LOGITS = "clip,fold,angry,calm,disgust,fear,happy,neutral,sad,surprise\n"


def with_logits(root, *rows, head=LOGITS):
    (root / "action_unit_bilstm_logits.csv").write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return read("ravdess", root)


def test_the_logits_of_a_face_have_the_names_of_the_emotions(corpus):
    root = corpus("ravdess")
    before = read("ravdess", root).table
    parsed = with_logits(root, "01-01-05-02-01-01-01,3,1,2,3,4,5,6,7,8")
    assert list(parsed.table)[: len(before.columns)] == list(before)
    row = parsed.table.set_index("clip").loc["03-01-05-02-01-01-01"]
    found = {name: row[f"logit_{name}"] for name in ("anger", "calm", "disgust", "fear", "happiness", "neutral")}
    assert found == {"anger": 1, "calm": 2, "disgust": 3, "fear": 4, "happiness": 5, "neutral": 6}
    assert (row["logit_sadness"], row["logit_surprise"], row["teacher_fold"]) == (7, 8, 3)
    others = parsed.table[parsed.table["clip"] != "03-01-05-02-01-01-01"]
    assert others[["logit_anger", "teacher_fold"]].isna().all(axis=None)


def test_both_tables_may_stand_beside_the_recordings(corpus):
    root = corpus("ravdess")
    with_units(root, "01-01-05-02-01-01-01,0.25,0,110")
    parsed = with_logits(root, "01-01-05-02-01-01-01,3,1,2,3,4,5,6,7,x", "01-01-04-01-01-01-02,1,1,2,3,4,5,6,7,8")
    assert problems(parsed) == [
        ("action_unit_bilstm_logits.csv", "row 2: surprise of 01-01-05-02-01-01-01 is not a number, ignored")
    ]
    table = parsed.table.set_index("clip")
    assert table.loc["03-01-05-02-01-01-01", "AU01_r"] == 0.25
    assert table.loc["03-01-04-01-01-01-02", "logit_surprise"] == 8


def test_logits_without_their_columns_are_refused(corpus):
    root = corpus("ravdess")
    with pytest.raises(CorpusError) as error:
        with_logits(root, head="clip,fold,angry\n")
    assert str(error.value).startswith(
        f"{root / 'action_unit_bilstm_logits.csv'}: not a table of logits with the columns "
    )
    assert "; it has no 'neutral'; rename its columns" in str(error.value)
