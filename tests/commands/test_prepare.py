"""`prepare` keeps usable clips, lists all others as problems, and does no work twice."""

import json
import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

import mien
from mien import features
from mien.corpora.toy import ToyConfig, generate
from mien.data import extraction
from mien.data.prepared import Prepared
from mien.data.store import FeatureStore
from mien.errors import ConfigError, CorpusError
from sealing import reseal_prepared


def write_wav(file: Path, *, seconds: float = 0.4, seed: int = 0) -> None:
    samples = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * 16_000), np.int16)
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(samples.tobytes())


def write_silent_film(file: Path) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        for shade in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * shade, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus of EmoDB's names: three good clips, two of them the same, and three that are broken."""
    root = tmp_path / "corpus"
    root.mkdir()
    for seed, name in enumerate(("03a01Fa", "08a01Na")):
        write_wav(root / f"{name}.wav", seconds=0.4 + 0.2 * seed, seed=seed)
    shutil.copy(root / "03a01Fa.wav", root / "03a02Fa.wav")
    (root / "09a01Wa.wav").write_bytes((root / "03a01Fa.wav").read_bytes()[:600])
    (root / "09a01Na.wav").write_text("not a sound")
    (root / "09a01Ta.wav").touch()
    return root


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_the_usable_clips_are_prepared_and_the_others_listed(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = mien.prepare("emodb", root, out=out, features=["logmel"])
    done = Prepared.open(out)
    assert list(done.table["clip"]) == ["03a01Fa", "03a02Fa", "08a01Na"]
    assert list(done.table["speaker"]) == ["03", "03", "08"]
    assert list(done.table["seconds"]) == [0.4, 0.4, 0.6]
    problems = dict(pd.read_csv(out / "problems.csv").itertuples(index=False))
    assert sorted(problems) == [f"{name}.wav" for name in ("03a01Fa", "03a02Fa", "09a01Na", "09a01Ta", "09a01Wa")]
    assert problems["03a02Fa.wav"] == "byte by byte the same as 03a01Fa.wav, kept"
    assert all(problems[f"09a01{end}a.wav"].endswith(", left out") for end in "WNT")
    assert outcome.problems == [f"09a01{end}a.wav: {problems[f'09a01{end}a.wav']}" for end in "NTW"]
    assert outcome.data["kept"] == [f"{name}: {problems[name]}" for name in ("03a01Fa.wav", "03a02Fa.wav")]
    assert outcome.text.splitlines()[-1] == f"problems: 3, notes: 2, listed in {out / 'problems.csv'}"
    store = FeatureStore(done, "logmel", features.parse("logmel", {}))
    assert store.missing(list(done.table["clip"])) == []


def test_the_card_counts(root: Path, tmp_path: Path) -> None:
    outcome = mien.prepare("emodb", root, out=tmp_path / "out", features=())
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card == outcome.data["card"]
    assert card["root"] == str(root)
    assert (card["clips"], card["speakers"], card["expected"], card["shortfall"]) == (3, 2, 535, 532)
    assert (card["emotion"], card["gender"]) == ({"happiness": 2, "neutral": 1}, {"female": 1, "male": 2})
    assert "532 clips" in outcome.text


def test_a_shortfall_alone_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    write_wav(tmp_path / "c" / "03a01Fa.wav")
    outcome = mien.prepare("emodb", tmp_path / "c", out=tmp_path / "out", features=())
    assert outcome.problems == []
    assert "missing of the complete corpus: 534 clips of 535" in outcome.text


def test_missing_labels_stay_missing_and_unknown_columns_stay(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", seed=1)
    write_wav(tmp_path / "b.wav", seed=2)
    (tmp_path / "mine.csv").write_text("file,speaker,emotion,start,end,room\na.wav,01,,0.1,0.3,02\nb.wav,02,anger,,,\n")
    mien.prepare("table", tmp_path / "mine.csv", out=tmp_path / "out", features=())
    table = Prepared.open(tmp_path / "out").table
    assert list(table["emotion"].isna()) == [True, False]
    assert table["room"].iloc[0] == "02"
    assert table["room"].isna().iloc[1]
    assert table["seconds"].iloc[0] == pytest.approx(0.2)
    assert Prepared.open(tmp_path / "out").media(table.iloc[0]) == tmp_path / "a.wav"


def test_a_film_without_sound_is_a_clip_without_frames(tmp_path: Path) -> None:
    write_silent_film(tmp_path / "a.mp4")
    (tmp_path / "corpus.csv").write_text("file,speaker\na.mp4,s\n")
    outcome = mien.prepare("table", tmp_path, out=tmp_path / "out", features=["mfb43"])
    done = Prepared.open(tmp_path / "out")
    assert outcome.problems == []
    assert list(done.table["seconds"]) == [0.0]
    assert FeatureStore(done, "mfb43", features.parse("mfb43", {})).frames("a").shape == (0, 43)


def test_the_same_again_changes_nothing_and_decodes_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    for name in ("09a01Wa", "09a01Na", "09a01Ta"):
        (root / f"{name}.wav").unlink()
    mien.prepare("emodb", root, out=out, features=["logmel"])
    before = files(out)

    def deaf(sources, *, targets):
        from mien.data import extraction as there

        decode, there.read_parts = there.read_parts, None
        try:
            return there.work(sources, targets=targets)
        finally:
            there.read_parts = decode

    monkeypatch.setattr(extraction, "work", deaf)
    mien.prepare("emodb", root, out=out, features=["logmel"])
    assert {name: content for name, (_, content) in files(out).items()} == {
        name: content for name, (_, content) in before.items()
    }
    shards = [name for name in before if name.startswith("features")]
    assert shards
    assert [files(out)[name] for name in shards] == [before[name] for name in shards]
    with pytest.raises(TypeError):  # the control: what is new is decoded
        mien.prepare("emodb", root, out=out, features=["spectrogram"])


def test_a_changed_file_is_prepared_anew(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mien.prepare("emodb", root, out=out, features=["logmel"])
    write_wav(root / "08a01Na.wav", seconds=0.9, seed=7)
    before = Prepared.open(out).card["hash"]
    mien.prepare("emodb", root, out=out, features=["logmel"])
    done = Prepared.open(out)
    assert done.card["hash"] != before
    assert done.table.set_index("clip").loc["08a01Na", "seconds"] == 0.9
    assert FeatureStore(done, "logmel", features.parse("logmel", {})).length("08a01Na") > 80


def test_seconds_of_video_are_reported_where_there_are_any(root: Path, tmp_path: Path) -> None:
    generate(tmp_path / "toy", ToyConfig(people=2, clips=4, seconds=1, size=32, frame_rate=5, missing=0.5))
    done = mien.prepare("toy", tmp_path / "toy", out=tmp_path / "seen", features=())
    table = Prepared.open(tmp_path / "seen").table.set_index("modality")
    assert "of video" in done.text
    assert set(table.index) == {"voice", "face", "voice+face"}
    assert (table.loc["voice", "video_seconds"], table.loc["face", "seconds"]) == (0, 0)
    both = table.loc["voice+face"]
    assert (both["seconds"] - both["video_seconds"]).abs().max() < 0.2 + 0.07, "a picture, and the end of AAC's block"
    assert both["video_seconds"].min() > 0.5
    done = mien.prepare("emodb", root, out=tmp_path / "voices", features=())
    assert "video_seconds" not in Prepared.open(tmp_path / "voices").table
    assert "of video" not in done.text


def test_nothing_usable_leaves_nothing(root: Path, tmp_path: Path) -> None:
    for file in root.glob("0[38]*.wav"):
        file.unlink()
    with pytest.raises(CorpusError, match="none of its 3 clips can be used"):
        mien.prepare("emodb", root, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_refused_touches_nothing(root: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    mien.prepare("emodb", root, out=out, features=())
    shutil.copytree(root, other)
    before, theirs = files(out), files(root)
    with pytest.raises(CorpusError, match=r"holds emodb from .*corpus; choose a new folder for --out"):
        mien.prepare("nemo", other, out=out)
    with pytest.raises(CorpusError, match="is not empty and holds no prepared corpus"):
        mien.prepare("emodb", other, out=root)
    with pytest.raises(ConfigError, match=r"03a01Fa\.wav: is a file, not a folder; choose another --out$"):
        mien.prepare("emodb", other, out=root / "03a01Fa.wav")
    with pytest.raises(CorpusError, match="no such folder"):
        mien.prepare("emodb", tmp_path / "nowhere", out=tmp_path / "new")
    with pytest.raises(ConfigError, match="Did you mean 'emodb'"):
        mien.prepare("emobd", root, out=tmp_path / "new")
    with pytest.raises(ConfigError, match="Did you mean 'logmel'"):
        mien.prepare("emodb", root, out=tmp_path / "new", features=["logmal"])
    assert (files(out), files(root)) == (before, theirs)
    assert not (tmp_path / "new").exists()


def test_an_interrupted_preparation_is_not_opened_and_goes_on(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "out", extraction.spread

    def interrupted(function, chunks, **settings):
        for number, done in enumerate(real(function, chunks, **settings)):
            if number == 1:
                raise KeyboardInterrupt
            yield done

    with monkeypatch.context() as patch:
        patch.setattr(extraction, "spread", interrupted)
        patch.setattr(extraction, "CHUNK", 2)
        with pytest.raises(KeyboardInterrupt):
            mien.prepare("emodb", root, out=out, features=["logmel"])
    with pytest.raises(CorpusError, match="was interrupted; run the same 'mien prepare' again"):
        Prepared.open(out)
    kept = files(out / "features")
    assert kept
    mien.prepare("emodb", root, out=out, features=["logmel"])
    assert kept.items() <= files(out / "features").items()
    assert len(Prepared.open(out).table) == 3


def test_parts_that_do_not_belong_together_are_refused(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mien.prepare("emodb", root, out=out, features=())
    table = (out / "corpus.csv").read_text().splitlines()
    (out / "corpus.csv").write_text("\n".join(table[:-1]) + "\n")
    with pytest.raises(CorpusError, match=r"corpus\.csv: was edited or damaged after it was prepared; run the same"):
        Prepared.open(out)
    with pytest.raises(CorpusError, match="no prepared corpus"):
        Prepared.open(root)
    mien.prepare("emodb", root, out=out, features=())
    assert len(Prepared.open(out).table) == 3


@pytest.mark.parametrize(
    ("column", "value"), [("speaker", "99"), ("emotion", "fear"), ("gender", "male"), ("room", "9")]
)
def test_a_label_that_was_edited_is_noticed(tmp_path: Path, column: str, value: str) -> None:
    write_wav(tmp_path / "a.wav")
    (tmp_path / "mine.csv").write_text("file,speaker,emotion,gender,room\na.wav,01,anger,female,02\n")
    out = tmp_path / "out"
    mien.prepare("table", tmp_path / "mine.csv", out=out, features=())
    table = pd.read_csv(out / "corpus.csv", dtype=str)
    table.assign(**{column: value}).to_csv(out / "corpus.csv", index=False)
    with pytest.raises(CorpusError, match=r"or keep your labels in a table of your own"):
        Prepared.open(out)


def test_a_relabelled_corpus_has_another_hash(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav")
    hashes = []
    for emotion in ("anger", "anger", "fear"):
        (tmp_path / "mine.csv").write_text(f"file,speaker,emotion\na.wav,01,{emotion}\n")
        mien.prepare("table", tmp_path / "mine.csv", out=tmp_path / "out", features=())
        hashes.append(Prepared.open(tmp_path / "out").card["hash"])
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("corpus.csv", lambda text: text.replace("seconds", "minutes"), "no column 'seconds'; prepare it again into"),
        ("corpus.csv", lambda text: text.replace("speaker", "person"), "no column 'speaker'; prepare it again into"),
        ("corpus.csv", lambda text: text.replace(",0.6,", ",x,"), "row 3, column 'seconds': 'x' is no number"),
        ("corpus.csv", lambda text: "", "not a table with commas"),
        ("card.json", lambda text: text[:40], "not JSON"),
        (
            "card.json",
            lambda text: text.replace('"root"', '"rot"'),
            "'root' is missing or no text; prepare it again into a new folder",
        ),
        ("card.json", lambda text: text.replace('"hash"', '"hush"'), "'hash' is missing or no text"),
    ],
)
def test_a_broken_folder_is_refused_by_file_and_prepare_resumes(
    root: Path, tmp_path: Path, file: str, damage: Callable[[str], str], message: str
) -> None:
    out = tmp_path / "out"
    mien.prepare("emodb", root, out=out, features=())
    whole = (out / file).read_text()
    (out / file).write_text(damage(whole))
    assert (out / file).read_text() != whole
    reseal_prepared(out)  # as if it had been prepared so
    with pytest.raises(CorpusError, match=message) as error:
        Prepared.open(out)
    assert str(out / file) in str(error.value)
    assert "\n" not in str(error.value)
    if message == "not JSON":
        with pytest.raises(CorpusError, match=r"card\.json: not JSON .*; prepare it again into a new folder"):
            mien.prepare("emodb", root, out=out, features=())
        return
    mien.prepare("emodb", root, out=out, features=())
    assert len(Prepared.open(out).table) == 3


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("card.json", lambda text: text[:40]),
        ("card.json", lambda text: text.replace('"speakers": 2', '"speakers": 3')),
        ("card.json", lambda text: text.replace('"hash"', '"hush"')),
        ("corpus.csv", lambda text: text.replace(",0.6,", ",0.5,")),
        ("manifest.json", lambda text: text[:40]),
        ("manifest.json", lambda text: text.replace('"complete"', '"training"')),
    ],
)
def test_the_same_command_mends_a_damaged_folder(
    root: Path, tmp_path: Path, file: str, damage: Callable[[str], str]
) -> None:
    out = tmp_path / "out"
    mien.prepare("emodb", root, out=out, features=["logmel"])
    before = files(out)
    created = json.loads((out / "card.json").read_text())["created"]
    whole = (out / file).read_text()
    (out / file).write_text(damage(whole))
    assert (out / file).read_text() != whole
    with pytest.raises(CorpusError) as error:
        Prepared.open(out)
    assert str(out / file) in str(error.value)
    mien.prepare("emodb", root, out=out, features=["logmel"])
    now = files(out)
    assert {name: content for name, (_, content) in now.items() if "json" not in name} == {
        name: content for name, (_, content) in before.items() if "json" not in name
    }
    assert [now[name] for name in now if name.startswith("features")] == [
        before[name] for name in before if name.startswith("features")
    ], "nothing was decoded again"
    again = json.loads((out / "card.json").read_text())
    assert again | {"created": created} == json.loads(before["card.json"][1])
    assert len(Prepared.open(out).table) == 3


def test_the_same_corpus_by_another_path_is_the_same(root: Path, tmp_path: Path) -> None:
    mien.prepare("emodb", root, out=tmp_path / "out", features=())
    (tmp_path / "link").symlink_to(root)
    for other in (tmp_path / "link", root / ".." / "corpus"):
        mien.prepare("emodb", other, out=tmp_path / "out", features=())
    assert len(Prepared.open(tmp_path / "out").table) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,speaker\n", "has a header line and no clips"),
        (b"", "not a table"),
        (b'file,speaker\na,b\nc,d,e,f\n"', "not a table"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "not a table"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"mine\.csv: {message}") as error:
        mien.prepare("table", tmp_path / "mine.csv", out=tmp_path / "out", features=())
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.recordings
def test_real_recordings_that_are_misplaced_or_doubled_are_listed(recordings: Path, tmp_path: Path) -> None:
    mien.prepare("ravdess", recordings / "ravdess-original", out=tmp_path / "out", features=())
    problems = pd.read_csv(tmp_path / "out" / "problems.csv")
    table = Prepared.open(tmp_path / "out").table
    assert problems["problem"].str.contains("the folder is of actor 05, the file name of actor 02").sum() == 1
    pairs = [
        ("Actor_05/03-01-05-01-01-01-02.wav", "Actor_05/03-01-05-02-02-01-05.wav"),
        ("Actor_07/03-01-03-01-02-01-07.wav", "Actor_07/03-01-03-01-02-02-07.wav"),
    ]
    for one, other in pairs:
        for here, there in ((one, other), (other, one)):
            lines = problems.loc[problems["file"] == here, "problem"]
            assert lines.str.startswith(f"byte by byte the same as {there}").sum() == 1
    assert set(table["sha256"].str.len()) == {64}
    assert table["seconds"].between(2, 7).all()


def test_recordings_that_were_moved_are_gone_on_with(root: Path, tmp_path: Path) -> None:
    out, moved = tmp_path / "out", tmp_path / "moved"
    before = mien.prepare("emodb", root, out=out, features=["logmel"]).data["card"]
    shards = {name: state for name, state in files(out).items() if name.startswith("features")}
    root.rename(moved)
    after = mien.prepare("emodb", moved, out=out, features=["logmel", "mfb43"]).data["card"]
    assert after == before | {"input": str(moved), "root": str(moved)}
    now = files(out)
    assert {name: now[name] for name in shards} == shards
    store = FeatureStore(Prepared.open(out), "mfb43", features.parse("mfb43", {}))
    assert store.missing(["03a01Fa", "03a02Fa", "08a01Na"]) == []


def test_the_place_of_a_table_s_recordings_may_change(tmp_path: Path) -> None:
    old, new, table, out = tmp_path / "old", tmp_path / "new", tmp_path / "mine.csv", tmp_path / "out"
    old.mkdir()
    write_wav(old / "a.wav")
    table.write_text("file,speaker\na.wav,ann\n")
    mien.prepare("table", table, out=out, options={"root": str(old)}, features=())
    old.rename(new)
    mien.prepare("table", table, out=out, options={"root": str(new)}, features=("logmel",))
    assert Prepared.open(out).media({"file": "a.wav"}) == new / "a.wav"
    with pytest.raises(CorpusError, match=r"read with options .*; choose a new folder for --out$"):
        mien.prepare("table", table, out=out, options={"root": str(new), "leave_out": "b"})


def test_absolute_paths_may_change_where_clips_have_names(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("old", "new")]
    places[0].mkdir()
    write_wav(places[0] / "a.wav")
    for number, place in enumerate(places):
        table = tmp_path / f"table{number}" / "corpus.csv"
        table.parent.mkdir()
        table.write_text(f"clip,file,speaker\na,{place / 'a.wav'},ann\n")
        if number:
            places[0].rename(place)
        mien.prepare("table", table, out=tmp_path / "out", features=())
    assert Prepared.open(tmp_path / "out").media(Prepared.open(tmp_path / "out").table.iloc[0]) == places[1] / "a.wav"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda root: (root / "08a01Na.wav").unlink(), "has no clip '08a01Na'"),
        (lambda root: write_wav(root / "10a01Na.wav"), "has another clip, '10a01Na'"),
        (lambda root: write_wav(root / "08a01Na.wav", seed=9), "has another recording of the clip '08a01Na'"),
    ],
)
def test_other_recordings_at_another_place_are_refused(
    root: Path, tmp_path: Path, change: Callable[[Path], object], what: str
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    mien.prepare("emodb", root, out=out, features=())
    shutil.copytree(root, other)
    change(other)
    before = files(out)
    with pytest.raises(CorpusError) as error:
        mien.prepare("emodb", other, out=out, features=["logmel"])
    assert str(error.value) == f"{out}: holds emodb from {root}, and {other} {what}; choose a new folder for --out"
    assert files(out) == before
