"""The reader of audformat databases, on files as the package writes them; the package's reading is the reference."""

import sys
import wave
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd
import pytest
import yaml

import mien
from mien.corpora.readers import read
from mien.errors import ConfigError, CorpusError, unknown


class Written(NamedTuple):
    """A table to be written: index and columns by name, text or None, the schemes of columns, and the split."""

    columns: dict[str, list]
    schemes: dict[str, str] = {}  # noqa: RUF012
    split: str | None = None


def write(root, tables, *, misc=None, **header):
    """A database as the package writes it, and three empty recordings."""
    root.mkdir(exist_ok=True)
    for name in ("a", "b", "c"):
        (root / f"{name}.wav").touch()
    described = {"name": "tiny", "source": "us", "usage": "research", "languages": [], **header}
    for kind, those in (("tables", tables), ("misc_tables", misc or {})):
        for name, table in those.items():
            index = [column for column in table.columns if column in ("file", "start", "end", "person")]
            entry = {"type": "segmented" if "start" in index else "filewise"}
            entry = {"levels": {"person": "str"}} if kind == "misc_tables" else entry
            columns = [column for column in table.columns if column not in index]
            entry["columns"] = {
                column: {"scheme_id": table.schemes[column]} if column in table.schemes else {} for column in columns
            }
            described.setdefault(kind, {})[name] = entry | ({"split_id": table.split} if table.split else {})
            pd.DataFrame(table.columns).to_csv(root / f"db.{name}.csv", index=False)
    (root / "db.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    return root


def times(*seconds):
    """Times as the package writes them: `0 days 00:00:01.500000`."""
    return [
        None if second is None else f"0 days {pd.Timestamp(0) + pd.Timedelta(second, 's'):%H:%M:%S.%f}"
        for second in seconds
    ]


def refused(root, options=MappingProxyType({})):
    with pytest.raises((ConfigError, CorpusError)) as error:
        read("audformat", root, options)
    return str(error.value)


FILES = ["a.wav", "b.wav"]
SCHEMES = {"felt": "emotion", "shown": "emotion"}


def test_emotion_speaker_gender_age_and_split_are_read(corpus):
    root = corpus("audformat")
    parsed = read("audformat", root)
    table = parsed.table.set_index("clip")
    assert table["speaker"].to_dict() == {"wav/03a01Fa": "3", "wav/03a01Nc": "3", "wav/08b10Wb": "8"}
    assert list(table.index) == ["wav/08b10Wb", "wav/03a01Fa", "wav/03a01Nc"], "tables by name, rows as they stand"
    assert table["emotion"].tolist() == ["anger", "happiness", "neutral"]
    assert table["gender"].tolist() == ["female", "male", "male"]
    assert table["age"].tolist() == ["34", "31", "31"]
    assert table["split"].tolist() == ["test", "train", "train"]
    assert table["emotion.confidence"].tolist() == [1.0, 0.9, 0.85]
    assert (parsed.licence, parsed.source, parsed.expected) == ("CC0-1.0", "https://example.org", 3)


def test_segments_have_start_and_end_and_may_take_values_of_their_file(tmp_path):
    files = ["a.wav", "a.wav", "b.wav", "b.wav"]
    turns = Written(
        {
            **{"file": files, "start": times(0, 1.5, 0, 2), "end": times(1.5, None, None, 3)},
            **{"emotion": ["angry", "sad", "joy", None], "turn": ["x", "y", None, "z"], "lag": times(1, None, 2, 3)},
        },
        {"lag": "time"},
    )
    people = Written({"file": FILES, "speaker": ["ann", "bob"]})
    tables = {"turns.dev": turns, "files": people, "gender": Written({"file": ["a.wav"], "gender": ["female"]})}
    schemes = {"time": {"dtype": "time"}}
    assert refused(write(tmp_path, tables, schemes=schemes)) == (
        f"{tmp_path}: b.wav is listed as a whole and in segments in the table 'turns.dev'; keep one of the two"
    )
    tables["turns.dev"] = turns._replace(columns={name: values[:3] for name, values in turns.columns.items()})
    parsed = read("audformat", write(tmp_path, tables, schemes=schemes))
    table = parsed.table.set_index("clip")
    assert parsed.problems.empty
    assert list(table.index) == ["a:-1.5", "a:1.5-", "b"]
    assert table["start"].fillna(-1).tolist() == [-1, 1.5, -1]
    assert table["end"].fillna(-1).tolist() == [1.5, -1, -1]
    assert table["emotion"].tolist() == ["anger", "sadness", "happiness"]
    assert table["gender"].fillna("").tolist() == ["female", "female", ""]
    assert table["turn"].fillna("").tolist() == ["x", "y", ""]
    assert table["lag"].fillna(-1).tolist() == [1, -1, 2], "times are seconds"
    assert set(table["split"]) == {"validation"}


def test_close_segments_late_in_a_recording_are_different_clips(tmp_path):
    start, end = times(12345.61, 12345.63, 12345.630001), times(12345.72, 12345.74, 12345.74)
    turns = Written(
        {"file": ["a.wav"] * 3, "start": start, "end": end, "emotion": ["anger"] * 3, "speaker": ["ann"] * 3}
    )
    parsed = read("audformat", write(tmp_path, {"turns": turns}))
    assert parsed.problems.empty
    assert parsed.table["clip"].tolist() == ["a:12345.61-12345.72", "a:12345.63-12345.74", "a:12345.630001-12345.74"]
    assert parsed.table["start"].tolist() == [12345.61, 12345.63, 12345.630001]


def test_speakers_in_a_table_of_their_own_keep_leading_zeros(tmp_path):
    felt = Written({"file": FILES, "emotion": ["anger"] * 2, "speaker": ["03", "08"]}, {"speaker": "voices"})
    people = {"people": Written({"person": ["03", "08"], "sex": ["female", "male"]})}
    root = write(tmp_path, {"all": felt}, misc=people, schemes={"voices": {"dtype": "str", "labels": "people"}})
    table = read("audformat", root).table
    assert table["gender"].tolist() == ["female", "male"]
    assert table["speaker"].tolist() == ["03", "08"]


def test_what_cannot_be_used_is_listed(tmp_path):
    files = [*FILES, "c.wav", "gone.wav"]
    tables = {
        "all": Written({"file": files, "emotion": ["anger"] * 4}),
        "one": Written({"file": files, "speaker": ["ann", "bob", None, "dan"]}),
        "two": Written({"file": files[:1], "speaker": ["eve"]}),
        "x.train": Written({"file": files[1:2]}),
        "x.test": Written({"file": files[1:2]}),
    }
    parsed = read("audformat", write(tmp_path, tables))
    assert parsed.table["clip"].tolist() == ["b"]
    assert parsed.shortfall == 3
    problems = parsed.problems.set_index("file")["problem"]
    assert problems["a.wav"] == "a has the speakers ann and eve, left out"
    assert problems["b.wav"] == "b is in the splits test and train, so its split is missing"
    assert problems["c.wav"] == "c has no speaker, left out"
    assert problems["gone.wav"] == "no such file, left out"


def test_options_choose_between_tables_that_disagree(tmp_path):
    tables = {
        "wanted": Written({"file": FILES, "emotion": ["anger", "neutral"], "voice": ["ann", "bob"]}),
        "wanted-more": Written({"file": FILES, "emotion": ["fear", "fear"]}),
        "seen.train": Written({"file": FILES[:1], "emotion": ["fear"], "mood": ["sad"]}),
    }
    write(tmp_path, tables)
    assert refused(tmp_path) == (
        f"{tmp_path}: no column and no scheme 'speaker' in its tables; give --option speaker=NAME"
    )
    assert refused(tmp_path, {"speaker": "voice"}) == (
        f"{tmp_path}: a.wav is listed with the emotions 'anger' and 'fear' in the tables 'wanted' and 'wanted-more'; "
        "choose with --option table=NAME or --option emotion=COLUMN"
    )
    both = Written({"file": FILES, "felt": ["anger"] * 2, "shown": ["fear"] * 2, "speaker": ["ann"] * 2}, SCHEMES)
    assert refused(write(tmp_path / "both", {"all": both})) == (
        f"{tmp_path / 'both'}: a.wav is listed with the emotions 'anger' and 'fear' in the table 'all'; choose with "
        "--option emotion=COLUMN"
    )
    chosen = read("audformat", tmp_path, {"speaker": "voice", "table": "wanted"})
    assert chosen.table["emotion"].tolist() == ["anger", "neutral"]
    other = read("audformat", tmp_path, {"speaker": "voice", "table": "seen", "emotion": "mood"})
    assert other.table[["emotion", "split"]].to_numpy().tolist() == [["sadness", "train"]]
    assert refused(tmp_path, {"table": "sen"}) == f"{tmp_path}: {unknown('table', 'sen', tables)}"
    options = ("table", "emotion", "speaker", "leave_out", "emotions")
    assert refused(tmp_path, {"tabel": "x"}) == unknown("option of reader 'audformat'", "tabel", options)


def test_nothing_is_executed_and_nothing_outside_the_folder_is_read(corpus, tmp_path):
    root = corpus("audformat")
    parsed = read("audformat", root)
    for file in root.glob("db.*.csv"):
        file.with_suffix(".pkl").write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "run").encode())
    pd.testing.assert_frame_equal(read("audformat", root).table, parsed.table)
    (root / "db.files.csv").rename(tmp_path / "db.files.csv")
    assert refused(root) == (
        f"{root}: table 'files' has no file db.files.csv or .parquet (a pickle is not read); save the database with "
        "storage_format='csv'"
    )
    header = (root / "db.yaml").read_text()
    (root / "db.yaml").write_text(header.replace("  files:", "  /../../db.files:"))
    (root / "db.").mkdir()
    assert refused(root) == (
        f"{root}: the table '/../../db.files' would be in another folder; a table's name must not be a path"
    )
    call = f"!!python/object/apply:os.system ['touch {tmp_path / 'run'}']"
    for wrong in (f"name: {call}\nsource: x\nusage: research\n", "- a list", "tables: {x: {}}", "tables: {x: 3}"):
        (root / "db.yaml").write_text(wrong)
        assert refused(root).startswith(f"{root / 'db.yaml'}: not the header of an audformat database (")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing\n1\n", "no column 'file')"),
        ("file\na.wav\n", "no column 'speaker')"),
        ("", ""),  # then the words of pandas
        ("\xff", ""),
    ],
)
def test_a_table_that_the_header_does_not_describe_is_refused(corpus, text, why):
    root = corpus("audformat")
    (root / "db.files.csv").write_text(text, encoding="latin-1")
    assert refused(root).startswith(f"{root / 'db.files.csv'}: not the table that db.yaml describes ({why}")


def test_an_invalid_time_and_a_row_without_a_file_are_refused(tmp_path):
    columns = {"file": ["a.wav"], "start": ["soon"], "end": [None], "emotion": ["anger"], "speaker": ["ann"]}
    with pytest.raises(CorpusError):
        read("audformat", write(tmp_path, {"all": Written(columns)}))
    nameless = Written({"file": ["a.wav", None], "emotion": ["anger"] * 2, "speaker": ["ann"] * 2})
    assert refused(write(tmp_path, {"all": nameless})) == f"{tmp_path / 'db.all.csv'}: row 2 has no file"


def test_options_are_remembered_and_others_need_another_folder(tmp_path):
    root = write(tmp_path / "root", {"all": Written({"file": ["a.wav"], "mood": ["anger"], "speaker": ["ann"]})})
    waves(root / "a.wav")
    done = mien.prepare("audformat", root, out=tmp_path / "p", options={"emotion": "mood"}, features=())
    assert done.data["card"]["options"] == {"emotion": "mood"}
    assert done.data["card"]["emotion"] == {"anger": 1}
    with pytest.raises(CorpusError):
        mien.prepare("audformat", root, out=tmp_path / "p", options={"emotion": "speaker"}, features=())


def waves(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(b"\1\0\0\0" * 4_000)


def test_a_parquet_table_without_the_extra_is_refused_in_one_sentence(corpus, monkeypatch):
    root = corpus("audformat")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (root / "db.files.csv").rename(root / "db.files.parquet")
    assert refused(root) == (
        f"{root / 'db.files.parquet'}: a Parquet table needs an extra: pip install 'mien[audformat]'; or save the "
        "database with storage_format='csv'"
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package's own
def test_what_the_package_reads_and_writes_is_the_same(corpus, tmp_path, kind):
    """Skipped where the package is not installed: it loads the files written here, and writes them again."""
    package = pytest.importorskip("audformat")
    root = corpus("audformat")
    ours = read("audformat", root)
    loaded = package.Database.load(str(root), load_data=True)
    for file in root.glob("db*"):
        file.unlink()
    loaded.save(str(root), storage_format=kind)
    for pickled in root.glob("*.pkl"):
        pickled.unlink()
    assert len(list(root.glob(f"db.*.{kind}"))) == 3
    pd.testing.assert_frame_equal(read("audformat", root).table, ours.table)

    index = package.segmented_index(["a.wav"] * 2, [0, "12345.61s"], ["1.5s", pd.NaT])
    database = package.Database("more", usage="research")
    database.schemes |= {"t": package.Scheme("time"), "n": package.Scheme("int"), "b": package.Scheme("bool")}
    table = database["all"] = package.Table(index)
    kinds = {"emotion": (None, ["anger", None]), "speaker": (None, ["03", "03"]), "lag": ("t", ["1500ms", None])}
    for name, (scheme, values) in (kinds | {"n": ("n", [None, 3]), "b": ("b", [None, True])}).items():
        table[name] = package.Column(scheme_id=scheme)
        table[name].set(values)
    database.save(str(tmp_path), storage_format=kind)
    (tmp_path / "a.wav").touch()
    parsed = read("audformat", tmp_path).table
    assert parsed["clip"].tolist() == ["a:-1.5", "a:12345.61-"]
    assert parsed["speaker"].tolist() == ["03", "03"]
    assert parsed["lag"].fillna(-1).tolist() == [1.5, -1]
    assert parsed["n"].fillna("").tolist() == ["", "3"]
    assert parsed["b"].fillna("").tolist() == ["", "True"]
