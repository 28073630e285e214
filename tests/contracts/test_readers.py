"""What every reader promises, swept over the folder's table."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mien.corpora.corpus import COLUMNS, REQUIRED, places, read_table, typed
from mien.corpora.readers import names, read, reader
from mien.corpora.schemes import EMOTIONS, apply, scheme
from mien.errors import ConfigError, CorpusError, unknown

STRAY = (".DS_Store", "._03a01Fa.wav", "Thumbs.db", "read me.txt", "__MACOSX/x.wav", ".hidden/y.wav", "notes.csv.bak")


@pytest.mark.parametrize("name", names())
def test_a_reader_says_where_its_corpus_comes_from(name):
    module = reader(name)
    assert module.__doc__
    assert all(isinstance(text, str) and text for text in (module.SOURCE, module.LICENCE, module.SPEECH))
    assert module.EXPECTED is None or module.EXPECTED > 0
    assert scheme(module.SCHEME).name == module.SCHEME


def test_every_reader_is_swept(layouts):
    assert "ravdess" in names()
    assert set(names()) == set(layouts)


@pytest.mark.parametrize("name", names())
def test_the_schema_holds(name, corpus):
    root = corpus(name)
    parsed = read(name, root)
    table = parsed.table
    assert len(table) > 1
    assert parsed.problems.empty
    assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS
    assert table["clip"].is_unique
    lacks = getattr(reader(name), "LACKS", ())
    assert parsed.lacks == tuple(lacks)
    assert not table[[column for column in REQUIRED if column not in lacks]].isna().any(axis=None)
    assert table[[*lacks]].isna().all(axis=None)
    for column in table:
        expected = "float64" if column in ("start", "end") else ("str", "float64")
        assert table[column].dtype in ([expected] if isinstance(expected, str) else expected), column
        if table[column].dtype == "str":
            assert not table[column].isin(["", "nan", "None", "<NA>"]).any(), column
    assert set(table["gender"].dropna()) <= {"female", "male"}
    assert {part for emotion in table["emotion"].dropna() for part in emotion.split("+")} <= set(EMOTIONS)
    assert all((parsed.root / file).is_file() for file in table["file"].dropna())
    assert set(parsed.images) == set(table["clip"][table["file"].isna()])
    assert all((image.ndim, image.dtype) == (3, np.uint8) for image in parsed.images.values())
    for clip in table["clip"] if parsed.frames is not None else ():
        values, valid = parsed.frames.read(clip)
        assert values.shape == (len(valid), len(parsed.frames.classes))
        assert (values.dtype, valid.dtype) == (np.float32, np.bool_)
    assert (parsed.name, parsed.scheme) == (name, reader(name).SCHEME)


@pytest.mark.parametrize("name", names())
def test_reading_twice_gives_the_same(name, corpus):
    root = corpus(name)
    first, second = read(name, root), read(name, root)
    assert_frame_equal(first.table, second.table)
    assert_frame_equal(first.problems, second.problems)


@pytest.mark.parametrize("name", names())
def test_stray_files_change_nothing(name, corpus):
    root = corpus(name)
    clean = read(name, root)
    for path in STRAY:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(b"\xff\x00 stray")
    assert_frame_equal(read(name, root).table, clean.table)
    assert_frame_equal(read(name, root).problems, clean.problems)


@pytest.mark.parametrize("name", names())
def test_a_csv_file_keeps_the_table(name, corpus, tmp_path):
    table = read(name, corpus(name)).table
    table.to_csv(tmp_path / "kept.csv", index=False)
    numbers = table.select_dtypes("float64").columns
    assert_frame_equal(typed(read_table(tmp_path / "kept.csv"), numbers), table)


@pytest.mark.parametrize("name", names())
def test_a_missing_root_is_named(name, tmp_path):
    with pytest.raises(CorpusError) as error:
        read(name, tmp_path / "absent")
    assert str(tmp_path / "absent") in str(error.value)


@pytest.mark.parametrize("name", names())
def test_an_empty_folder_is_not_the_corpus(name, tmp_path):
    with pytest.raises(CorpusError) as error:
        read(name, tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("name", sorted(set(names()) - {"audformat", "labelled", "table", "toy"}))
def test_the_shortfall_is_counted(name, corpus):
    parsed = read(name, corpus(name))
    assert parsed.expected is not None
    assert parsed.shortfall == parsed.expected - len(parsed.table) > 0


@pytest.mark.parametrize("name", sorted(set(names()) - {"toy"}))  # which takes a while to make, and is no other
def test_a_clip_of_the_option_leave_out_is_left_out_and_listed(name, corpus):
    root = corpus(name)
    whole = read(name, root)
    gone = whole.table["clip"].iloc[1]
    parsed = read(name, root, {"leave_out": f" {gone},"})
    rest = whole.table[whole.table["clip"] != gone].reset_index(drop=True)
    assert_frame_equal(parsed.table, rest)
    assert len(parsed.problems) == 1
    assert parsed.problems["file"][0] == places(whole.table).iloc[1]
    assert parsed.problems["problem"][0].endswith("left out by the option leave_out")
    assert read(name, root, {"leave_out": rest["clip"][0]}).table["clip"][0] == gone


def test_clips_that_cannot_be_left_out_are_refused(corpus):
    root = corpus("ravdess")
    every = read("ravdess", root).table["clip"]
    for option, clips, sentence in (
        ("leave_out", "x-9", f"leave_out: {root} has no clip 'x-9'."),
        ("leave_out", " , ", "leave_out names no clip; write leave_out=CLIP or leave_out=CLIP,CLIP"),
        ("leave_out", ",".join(every), f"{root}: leave_out names all of its 3 clips; leave some in"),
        ("leaveout", "x", unknown("option of reader 'ravdess'", "leaveout", ["leave_out", "emotions"])),
    ):
        with pytest.raises((ConfigError, CorpusError)) as error:
            read("ravdess", root, {option: clips})
        assert str(error.value) == sentence
    with pytest.raises(ConfigError) as error:
        read("ravdess", root, {"leave_out": "03-01-05-02-01-01-9"})
    assert str(error.value).endswith("Did you mean '03-01-05-02-01-01-01'?")


def test_an_unknown_reader_suggests_the_nearest():
    with pytest.raises(ConfigError) as error:
        reader("emobd")
    assert str(error.value) == unknown("reader", "emobd", names())


def test_labels_of_a_reader_survive_its_scheme(corpus):
    table = read("iemocap", corpus("iemocap")).table
    labels, lost = apply(scheme("iemocap"), table["emotion"])
    assert isinstance(labels, pd.Series)
    assert dict(zip(table["clip"], labels.fillna("?"), strict=True)) == {
        "Ses01F_impro01_F000": "neutral",
        "Ses01F_impro01_M001": "?",
        "Ses01F_impro01_F002": "happiness",
        "Ses02M_script01_1b_M000": "anger",
    }
    assert lost == {}
