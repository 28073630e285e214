"""The reader of audformat databases, on databases that the package itself writes; skipped without the extra."""

import sys

import pandas as pd
import pytest

import mien
from mien.corpora import read
from mien.errors import ConfigError, CorpusError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package's own, while it writes

SEGMENTS = [("a.wav", 0.0, 1.5, "angry"), ("a.wav", 1.5, None, "sad"), ("b.wav", 0.0, None, "joy"), ("b.wav", 2, 3, "")]


@pytest.fixture
def package():
    return pytest.importorskip("audformat")


def start(package, root, **settings):
    """A database without tables, and a folder with three empty recordings."""
    root.mkdir(exist_ok=True)
    for name in ("a", "b", "c"):
        (root / f"{name}.wav").touch()
    return package.Database("tiny", usage="research", **settings)


def add(package, database, name, index, split=None, **columns):
    table = database[name] = package.Table(index, split_id=split)
    for column, values in columns.items():
        scheme = column if column in database.schemes else None
        table[column] = package.Column(scheme_id=scheme)
        table[column].set(values)


def test_emotion_speaker_person_and_split_are_found(corpus):
    root = corpus("audformat")
    found = read("audformat", root)
    table = found.table.set_index("clip")
    assert table["speaker"].to_dict() == {"wav/03a01Fa": "3", "wav/03a01Nc": "3", "wav/08b10Wb": "8"}
    assert list(table.index) == ["wav/08b10Wb", "wav/03a01Fa", "wav/03a01Nc"], "tables by name, rows as they stand"
    assert table["emotion"].tolist() == ["anger", "happiness", "neutral"]
    assert table["gender"].tolist() == ["female", "male", "male"]
    assert table["age"].tolist() == ["34", "31", "31"]
    assert table["split"].tolist() == ["test", "train", "train"]
    assert table["emotion.confidence"].tolist() == [1.0, 0.9, 0.85]
    assert (found.licence, found.source, found.expected) == ("CC0-1.0", "https://example.org", 3)


def test_segments_are_cuts_of_their_files(package, tmp_path):
    database = start(package, tmp_path)
    files, starts, ends, felt = zip(*SEGMENTS, strict=True)
    ends = [pd.NaT if end is None else pd.to_timedelta(end, unit="s") for end in ends]
    index = package.segmented_index(list(files), pd.to_timedelta(starts, unit="s"), ends)
    add(package, database, "turns.dev", index, emotion=[one or None for one in felt], turn=["x", "y", None, "z"])
    add(package, database, "files", package.filewise_index(["a.wav", "b.wav"]), speaker=["ann", "bob"])
    add(package, database, "gender", package.filewise_index(["a.wav"]), gender=["female"])
    database.save(str(tmp_path))
    with pytest.raises(CorpusError, match=r"b\.wav is told as a whole and in segments"):
        read("audformat", tmp_path)
    database["turns.dev"].drop_index(index[-1:], inplace=True)
    database.save(str(tmp_path))
    found = read("audformat", tmp_path)
    table = found.table.set_index("clip")
    assert found.problems.empty
    assert list(table.index) == ["a:-1.5", "a:1.5-", "b"]
    assert table["start"].fillna(-1).tolist() == [-1, 1.5, -1]
    assert table["end"].fillna(-1).tolist() == [1.5, -1, -1]
    assert table["emotion"].tolist() == ["anger", "sadness", "happiness"]
    assert table["gender"].fillna("").tolist() == ["female", "female", ""]
    assert table["turn"].fillna("").tolist() == ["x", "y", ""]
    assert set(table["split"]) == {"validation"}


def test_people_may_stand_in_a_table_of_their_own(package, tmp_path):
    database = start(package, tmp_path)
    people = database["people"] = package.MiscTable(pd.Index(["ann", "bob"], name="speaker"))
    people["sex"] = package.Column()
    people["sex"].set(["female", "male"])
    database.schemes["speaker"] = package.Scheme("str", labels="people")
    add(
        package,
        database,
        "all",
        package.filewise_index(["a.wav", "b.wav"]),
        emotion=["anger"] * 2,
        speaker=["ann", "bob"],
    )
    for kind in ("csv", "parquet"):
        database.save(str(tmp_path), storage_format=kind)
        assert read("audformat", tmp_path).table["gender"].tolist() == ["female", "male"]
        for file in tmp_path.glob(f"db.*.{kind}"):
            file.unlink()


def test_what_cannot_be_used_is_listed(package, tmp_path):
    database = start(package, tmp_path)
    index = package.filewise_index(["a.wav", "b.wav", "c.wav", "gone.wav"])
    add(package, database, "all", index, emotion=["anger"] * 4)
    add(package, database, "one", index, speaker=["ann", "bob", None, "dan"])
    add(package, database, "two", index[:1], speaker=["eve"])
    add(package, database, "x.train", index[1:2])
    add(package, database, "x.test", index[1:2])
    database.save(str(tmp_path))
    found = read("audformat", tmp_path)
    assert found.table["clip"].tolist() == ["b"]
    assert found.shortfall == 3
    problems = found.problems.set_index("file")["problem"]
    assert problems["a.wav"] == "a: speaker told as ann and eve, left out"
    assert problems["b.wav"] == "b: in the splits test and train, so taken for neither"
    assert problems["c.wav"] == "c: speaker told as nobody, left out"
    assert problems["gone.wav"] == "no such file, left out"


def test_options_choose_among_what_disagrees(package, tmp_path):
    database = start(package, tmp_path)
    index = package.filewise_index(["a.wav", "b.wav"])
    add(package, database, "wanted", index, emotion=["anger", "neutral"], voice=["ann", "bob"])
    add(package, database, "wanted-more", index, emotion=["fear", "fear"])
    add(package, database, "seen.train", index[:1], emotion=["fear"], mood=["sad"])
    database.save(str(tmp_path))
    with pytest.raises(CorpusError, match=r"--option speaker=NAME"):
        read("audformat", tmp_path)
    with pytest.raises(CorpusError, match=r"'fear' and 'anger' by the tables 'seen\.train' and 'wanted'; choose with"):
        read("audformat", tmp_path, {"speaker": "voice"})
    chosen = read("audformat", tmp_path, {"speaker": "voice", "table": "wanted"})
    assert chosen.table["emotion"].tolist() == ["anger", "neutral"]
    other = read("audformat", tmp_path, {"speaker": "voice", "table": "seen", "emotion": "mood"})
    assert other.table[["emotion", "split"]].to_numpy().tolist() == [["sadness", "train"]]
    with pytest.raises(CorpusError, match="unknown table 'sen'"):
        read("audformat", tmp_path, {"table": "sen"})
    with pytest.raises(ConfigError, match=r"unknown option of reader 'audformat' 'tabel'\. Did you mean 'table'"):
        read("audformat", tmp_path, {"tabel": "x"})


def test_nothing_in_a_folder_is_executed(package, corpus, tmp_path):
    root = corpus("audformat")
    found = read("audformat", root)
    for file in root.glob("db.*.parquet"):
        file.with_suffix(".pkl").write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "run").encode())
    pd.testing.assert_frame_equal(read("audformat", root).table, found.table)
    (root / "db.files.parquet").unlink()
    with pytest.raises(CorpusError, match=r"table 'files' has no file.*a pickle is not read"):
        read("audformat", root)
    call = f"!!python/object/apply:os.system ['touch {tmp_path / 'run'}']"
    (root / "db.yaml").write_text(f"name: {call}\nsource: x\nusage: research\n")
    with pytest.raises(CorpusError, match="not the header of an audformat database"):
        read("audformat", root)
    assert not (tmp_path / "run").exists()


def test_a_table_that_is_another_than_the_header_says_is_refused(package, corpus):
    root = corpus("audformat")
    (root / "db.files.parquet").unlink()
    (root / "db.files.csv").write_text("nothing\n1\n")
    with pytest.raises(CorpusError, match=r"db\.files\.csv: not a table as db\.yaml tells of it"):
        read("audformat", root)


def test_options_are_remembered_and_others_need_another_folder(package, tmp_path, monkeypatch):
    root = tmp_path / "root"
    database = start(package, root)
    add(package, database, "all", package.filewise_index(["a.wav"]), mood=["anger"], speaker=["ann"])
    database.save(str(root))
    waves(root / "a.wav")
    done = mien.prepare("audformat", root, out=tmp_path / "p", options={"emotion": "mood"}, features=())
    assert done.data["card"]["options"] == {"emotion": "mood"}
    assert done.data["card"]["emotion"] == {"anger": 1}
    with pytest.raises(CorpusError, match="read with options"):
        mien.prepare("audformat", root, out=tmp_path / "p", options={"emotion": "speaker"}, features=())


def waves(path):
    import wave

    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(b"\1\0" * 8_000)


def test_without_the_extra_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "audformat", None)
    (tmp_path / "db.yaml").touch()
    with pytest.raises(ConfigError, match=r"pip install 'mien\[audformat\]'"):
        read("audformat", tmp_path)
