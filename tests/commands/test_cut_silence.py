"""`prepare --cut-silence`: clips begin and end where their sound does, and stay one clip of one file each."""

import itertools
import json
import shutil
import wave
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

import mien
from mien import features
from mien.cli.main import main
from mien.data import extraction, silence
from mien.data.prepared import Prepared
from mien.data.store import FeatureStore
from mien.errors import ConfigError, CorpusError, LeakError

FRAME = 0.032
FAINT = 10 ** (-70 / 20)


def tone(seconds: float, rate: int = 16_000) -> np.ndarray:
    return 0.1 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)


def padded(before: float, sound: np.ndarray, after: float, *, noise: float = 0.0, rate: int = 16_000) -> np.ndarray:
    whole = np.concatenate([np.zeros(round(before * rate)), sound, np.zeros(round(after * rate))])
    return whole + noise * np.random.default_rng(len(whole)).standard_normal(len(whole))


def write_wav(file: Path, samples: np.ndarray, rate: int = 16_000) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(np.round(samples * 32_767).astype("<i2").tobytes())


def table(root: Path, *rows: str) -> Path:
    (root / "corpus.csv").write_text("\n".join(["clip,file,start,end,speaker", *rows]) + "\n")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two tones in silence, one from beginning to end, one in noise that is louder than the detector's level."""
    root = tmp_path / "corpus"
    root.mkdir()
    write_wav(root / "a.wav", padded(0.5, tone(1.0), 0.7))
    write_wav(root / "b.wav", padded(0.31, tone(0.8), 0.9, noise=FAINT))
    write_wav(root / "whole.wav", tone(0.6))
    write_wav(root / "noisy.wav", padded(0.5, tone(0.5), 0.5, noise=10 ** (-40 / 20)))
    return table(root, "a,a.wav,,,ann", "b,b.wav,,,bob", "whole,whole.wav,,,ann", "noisy,noisy.wav,,,bob")


def test_no_sound_is_lost_and_two_frames_of_silence_stay_at_most(tmp_path: Path) -> None:
    silences, rows = {}, []
    pauses = [(0.5, 0.8), (0.047, 0.0), (0.0, 0.333), (1.0003, 0.1)]
    for number, (noise, rate, pause) in enumerate(itertools.product([0.0, FAINT], [16_000, 44_100], pauses)):
        write_wav(tmp_path / f"{number}.wav", padded(pause[0], tone(0.7, rate), pause[1], noise=noise, rate=rate), rate)
        rows.append(f"{number},{number}.wav,,,ann")
        silences[str(number)] = pause
    mien.prepare("table", table(tmp_path, *rows), out=tmp_path / "out", features=(), cut_silence=True)
    found = Prepared.open(tmp_path / "out").table
    assert list(found["clip"]) == list(silences)
    for row in found.to_dict("records"):
        before, after = silences[row["clip"]]
        start = 0.0 if np.isnan(row["start"]) else row["start"]
        end = before + 0.7 + after if np.isnan(row["end"]) else row["end"]
        assert before - 2 * FRAME - 1e-3 <= start <= before, row["clip"]
        assert before + 0.7 - 1e-4 <= end <= before + 0.7 + 2 * FRAME + 1e-3, row["clip"]
        assert row["seconds"] == pytest.approx(end - start, abs=1e-4), row["clip"]


def test_a_cut_clip_has_the_features_of_a_cut_file(root: Path, tmp_path: Path) -> None:
    mien.prepare("table", root, out=tmp_path / "cut", features=["logmel"], cut_silence=True)
    cut = Prepared.open(tmp_path / "cut")
    rows = cut.table.set_index("clip")
    other = tmp_path / "other"
    other.mkdir()
    for clip in ("a", "b"):
        with wave.open(str(root / f"{clip}.wav")) as sound:
            samples = np.frombuffer(sound.readframes(-1), "<i2") / 32_767
        first, last = (round(rows.loc[clip, name] * 16_000) for name in ("start", "end"))
        write_wav(other / f"{clip}.wav", samples[first:last])
        assert rows.loc[clip, "seconds"] == (last - first) / 16_000 < len(samples) / 16_000
    table(other, "a,a.wav,,,ann", "b,b.wav,,,bob")
    mien.prepare("table", other, out=tmp_path / "files", features=["logmel"])
    both = (cut, Prepared.open(tmp_path / "files"))
    stores = [FeatureStore(one, "logmel", features.parse("logmel", {})) for one in both]
    for clip in ("a", "b"):
        ours, theirs = (store.frames(clip).numpy() for store in stores)
        np.testing.assert_array_equal(ours, theirs)


def test_what_was_cut_is_counted(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["prepare", "table", str(root), "--out", str(out), "--no-features", "--cut-silence"]) == 0
    printed = capsys.readouterr()
    rows = Prepared.open(out).table.set_index("clip")
    assert list(rows[["start", "end"]].isna().all(axis=1)) == [False, False, True, True]
    assert 2.2 + 2.01 + 0.6 + 1.5 - rows["seconds"].sum() == pytest.approx(0.5 + 0.7 + 0.31 + 0.9, abs=8 * FRAME)
    assert "cut 0:02 of 0:06 at the ends of 2 of 4 clips\n" in printed.out
    assert "finding silence: 4 of 4 clips" in printed.err


def test_parts_of_a_file_are_cut_within_their_limits(tmp_path: Path) -> None:
    write_wav(tmp_path / "talk.wav", np.concatenate([padded(0.4, tone(0.4), 0.4), padded(0.4, tone(0.4), 0.4)]))
    table(tmp_path, "first,talk.wav,0.1,1.1,ann", "second,talk.wav,1.5,2.0,bob", "late,talk.wav,1.25,2.7,ann")
    mien.prepare("table", tmp_path, out=tmp_path / "out", features=(), cut_silence=True)
    rows = Prepared.open(tmp_path / "out").table.set_index("clip")
    assert list(rows.loc["first", ["start", "end"]]) == pytest.approx([0.1 + 8 * FRAME, 0.1 + 23 * FRAME])
    assert list(rows.loc["second", ["start", "end"]]) == pytest.approx([1.5 + 2 * FRAME, 2.0])
    assert rows.loc["late", "start"] == pytest.approx(1.25 + 9 * FRAME)
    assert 2.0 <= rows.loc["late", "end"] <= 2.0 + 2 * FRAME
    assert list(rows["seconds"]) == pytest.approx(list(rows["end"] - rows["start"]))


def test_a_clip_in_which_nothing_is_active_stays_whole_and_is_listed(root: Path, tmp_path: Path) -> None:
    write_wav(root / "faint.wav", padded(0.5, np.zeros(0), 0.5, noise=FAINT))
    write_wav(root / "silent.wav", np.zeros(16_000))
    table(root, "a,a.wav,,,ann", "faint,faint.wav,,,ann", "silent,silent.wav,,,ann", "part,faint.wav,.2,.6,ann")
    outcome = mien.prepare("table", root, out=tmp_path / "out", features=(), cut_silence=True)
    rows = Prepared.open(tmp_path / "out").table.set_index("clip")
    assert list(rows.index) == ["a", "faint", "part"]
    assert rows.loc[["faint"], ["start", "end"]].isna().all(axis=None)
    assert list(rows.loc["part", ["start", "end"]]) == [0.2, 0.6]
    assert list(pd.read_csv(tmp_path / "out" / "problems.csv").itertuples(index=False, name=None)) == [
        ("faint.wav", "faint: nothing in it is above -55 dB of full scale, so no silence was cut, kept"),
        ("faint.wav", "part: nothing in it is above -55 dB of full scale, so no silence was cut, kept"),
        ("silent.wav", "is silent: the mean of its channels stays below 1.5e-05 of full scale, left out"),
    ]
    assert len(outcome.problems) == 1


def test_a_film_without_sound_stays_whole_and_is_listed(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        for shade in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), shade, np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    outcome = mien.prepare(
        "table", table(tmp_path, "film,film.mp4,,,ann"), out=tmp_path / "out", features=(), cut_silence=True
    )
    (row,) = Prepared.open(tmp_path / "out").table.to_dict("records")
    assert (row["seconds"], row["video_seconds"]) == (0.0, 1.0)
    assert outcome.problems == []
    assert outcome.data["kept"] == [
        "film.mp4: nothing in it is above -55 dB of full scale, so no silence was cut, kept"
    ]
    assert "cut 0:00 of 0:00 at the ends of 0 of 1 clips" in outcome.text


def test_the_same_again_finds_and_decodes_nothing(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    mien.prepare("table", root, out=out, features=["logmel"], cut_silence=True)
    before = {name: (out / name).read_bytes() for name in ("corpus.csv", "card.json", "silence.csv")}

    def deaf(sources):
        from mien.data import silence as there

        decode, there.read_parts = there.read_parts, None
        try:
            return there.work(sources)
        finally:
            there.read_parts = decode

    monkeypatch.setattr(silence, "work", deaf)
    mien.prepare("table", root, out=out, features=["logmel"], cut_silence=True)
    assert {name: (out / name).read_bytes() for name in before} == before
    write_wav(root / "a.wav", padded(0.2, tone(1.0), 0.3))
    with pytest.raises(TypeError):  # the control: another file is heard
        mien.prepare("table", root, out=out, features=["logmel"], cut_silence=True)


@pytest.mark.parametrize("place", [silence, extraction], ids=["while it finds silence", "while it extracts"])
def test_an_interrupted_prepare_goes_on_to_the_same_parts(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object
) -> None:
    mien.prepare("table", root, out=tmp_path / "whole", features=["logmel"], cut_silence=True)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, "spread", interrupt)
        with pytest.raises(KeyboardInterrupt):
            mien.prepare("table", root, out=tmp_path / "again", features=["logmel"], cut_silence=True)
    with pytest.raises(CorpusError, match=r"was prepared with --cut-silence; give it, or choose a new folder"):
        mien.prepare("table", root, out=tmp_path / "again", features=["logmel"])
    mien.prepare("table", root, out=tmp_path / "again", features=["logmel"], workers=2, cut_silence=True)
    whole, again = ((tmp_path / name / "corpus.csv").read_bytes() for name in ("whole", "again"))
    assert whole == again


def test_a_folder_is_cut_or_it_is_not(root: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    mien.prepare("table", root, out=whole, features=())
    mien.prepare("table", root, out=cut, features=(), cut_silence=True)
    with pytest.raises(CorpusError) as error:
        mien.prepare("table", root, out=whole, features=(), cut_silence=True)
    assert str(error.value) == (
        f"{whole}: was prepared without --cut-silence; leave it out, or choose a new folder for --out"
    )
    with pytest.raises(CorpusError) as error:
        mien.prepare("table", root, out=cut, features=())
    assert str(error.value) == f"{cut}: was prepared with --cut-silence; give it, or choose a new folder for --out"
    assert "cut_silence" not in json.loads((whole / "card.json").read_text())
    assert json.loads((cut / "card.json").read_text())["cut_silence"] is True
    assert Prepared.open(whole).prepared_from("NEW") == f"mien prepare table NEW --out {whole}"
    assert Prepared.open(cut).prepared_from("NEW") == f"mien prepare table NEW --out {cut} --cut-silence"


def test_a_moved_corpus_goes_on_and_another_is_refused(root: Path, tmp_path: Path) -> None:
    out, there = tmp_path / "out", tmp_path / "there"
    mien.prepare("table", root, out=out, features=(), cut_silence=True)
    before = (out / "corpus.csv").read_bytes()
    shutil.copytree(root, there)
    mien.prepare("table", there, out=out, features=(), cut_silence=True)
    assert (out / "corpus.csv").read_bytes() == before
    write_wav(root / "b.wav", padded(0.2, tone(1.0), 0.3))
    kept = (out / "silence.csv").read_bytes()
    with pytest.raises(CorpusError, match="has another recording of the clip 'b'; choose a new folder"):
        mien.prepare("table", root, out=out, features=(), cut_silence=True)
    assert (out / "silence.csv").read_bytes() == kept


def test_single_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        mien.prepare("ferplus", tmp_path, out=tmp_path / "out", cut_silence=True)
    assert str(error.value) == ("--cut-silence: the clips of ferplus are single images, without sound; leave it out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def speech(tmp_path: Path, make_corpus) -> Path:
    """Three speakers; each recording begins and ends in silence."""
    root = make_corpus(tmp_path / "speech", 3, seed=70)
    for number, file in enumerate(sorted(root.glob("*.wav"))):
        with wave.open(str(file)) as sound:
            samples = np.frombuffer(sound.readframes(-1), "<i2") / 32_767
        before, after = np.random.default_rng(number).uniform(0.1, 0.4, 2)
        write_wav(file, padded(before, samples, after, noise=FAINT))
    return root


@pytest.mark.usefixtures("unmeasured")
def test_one_part_a_file_is_no_shared_recording(speech: Path, experiment: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "prepared", tmp_path / "run"
    mien.prepare("table", speech, out=out, experiment=experiment, cut_silence=True)
    assert Prepared.open(out).table[["start", "end"]].notna().all(axis=None)
    mien.train(experiment, [f"data.prepared={out}", "training.epochs=1", "models.MEnAN=null"], out=run)
    found = {one["finding"] for one in json.loads((run / "certificate.json").read_text())["findings"]}
    assert found == {"missing-class", "shared-sentence"}


def test_parts_of_a_file_and_copies_are_leaks_when_cut(speech: Path, experiment: Path, tmp_path: Path) -> None:
    shutil.copy(speech / "s0-anger-0.wav", speech / "s1-anger-0.wav")
    clips = pd.read_csv(speech / "corpus.csv", dtype="str").assign(start="", end="")
    clips["clip"] = clips["file"]
    shared = clips["file"] == "s0-anger-1.wav"
    clips.loc[shared, "end"] = "0.5"
    part = clips[shared].assign(clip="part", start="0.5", end="", speaker="s1", gender="female")
    pd.concat([clips, part]).to_csv(speech / "corpus.csv", index=False)
    mien.prepare("table", speech, out=tmp_path / "out", features=(), cut_silence=True)
    with pytest.raises(LeakError, match=r"identical-audio: 1 pair") as error:
        mien.train(experiment, [f"data.prepared={tmp_path / 'out'}"], out=tmp_path / "run")
    assert "shared-recording: " in str(error.value)
