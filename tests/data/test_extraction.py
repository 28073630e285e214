"""A clip is kept while anything of it can be used; what is missing of it is listed, each time."""

import math
import wave
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

import mien
from mien import features
from mien.data.prepared import Prepared
from mien.data.store import FeatureStore
from mien.media.audio import read_audio

RATE = 16_000


def noise(seconds: float, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def write_wav(file: Path, seconds: float) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((noise(seconds) * 20_000).astype(np.int16).tobytes())


def write_film(file: Path, seconds: float, sound: np.ndarray | None) -> None:
    with av.open(str(file), "w") as container:
        pictures = container.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 32
        track = None if sound is None else container.add_stream("flac", rate=RATE, layout="mono", format="s16")
        for shade in range(round(10 * seconds)):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 4 * shade, np.uint8), "rgb24")
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        if track is not None:
            for begin in range(0, len(sound), 1024):
                values = np.ascontiguousarray(sound[None, begin : begin + 1024] * 20_000).astype(np.int16)
                block = av.AudioFrame.from_ndarray(values, format="s16", layout="mono")
                block.sample_rate, block.pts = RATE, begin
                container.mux(track.encode(block))
            container.mux(track.encode(None))


@pytest.fixture
def films(tmp_path: Path) -> Path:
    write_film(tmp_path / "no_track.mkv", 1, None)
    write_film(tmp_path / "muted.mkv", 1, np.zeros(RATE, np.float32))
    write_film(tmp_path / "short.mkv", 4, noise(2))
    (tmp_path / "corpus.csv").write_text(
        "clip,file,start,end,speaker\nno track,no_track.mkv,,,ann\nmuted,muted.mkv,,,bob\n"
        "whole,short.mkv,0,1,cem\nhalf,short.mkv,1,3,cem\nnone,short.mkv,2.5,3.5,cem\nbeyond,short.mkv,3,5,cem\n"
    )
    return tmp_path


def problems(prepared: Path) -> list[tuple[str, str]]:
    return list(pd.read_csv(prepared / "problems.csv").itertuples(index=False, name=None))


@pytest.mark.parametrize("names", [["crops"], ["logmel"], ["logmel", "crops"]])
def test_a_film_without_all_its_sound_is_kept_for_its_pictures(films: Path, names: list[str]) -> None:
    mien.prepare("table", films, out=films / "out", features=names)
    done = Prepared.open(films / "out")
    seconds = dict(zip(done.table["clip"], done.table["seconds"], strict=True))
    assert seconds == {"no track": 0.0, "muted": 0.0, "whole": 1.0, "half": 1.0, "none": 0.0}
    shown = dict(zip(done.table["clip"], done.table["video_seconds"], strict=True))
    assert shown == {"no track": 1.0, "muted": 1.0, "whole": 1.0, "half": 2.0, "none": 1.0}
    listed = [
        (
            "muted.mkv",
            "is silent: the mean of its channels stays below 1.5e-05 of full scale; kept for its pictures",
        ),
        ("short.mkv", "ends at 2.00 s, before the part from 1.00 to 3.00 s does; kept for its pictures"),
        ("short.mkv", "ends at 2.00 s, before the part from 2.50 to 3.50 s does; kept for its pictures"),
        ("short.mkv", "ends at 4.00 s, before the part from 3.00 to 5.00 s does, left out"),
    ]
    assert sorted(problems(films / "out")) == listed
    for name in names:
        store = FeatureStore(done, name, features.parse(name, {}))
        assert store.missing(list(seconds)) == []
        if name == "crops":
            assert {clip: store.length(clip) for clip in shown} == {
                clip: math.ceil(length / store.config.every) for clip, length in shown.items()
            }
        else:
            assert (store.length("muted"), store.length("none")) == (0, 0)
            assert store.length("half") == store.length("whole") > 90
    mien.prepare("table", films, out=films / "out", features=names)
    assert sorted(problems(films / "out")) == listed


def test_a_whole_film_whose_sound_ends_early_is_listed(tmp_path: Path) -> None:
    for name, seconds in {"early": 1.0, "near": 2.6, "whole": 3.0}.items():
        write_film(tmp_path / f"{name}.mkv", 3, noise(seconds))
    (tmp_path / "corpus.csv").write_text("file,speaker\nearly.mkv,s\nnear.mkv,s\nwhole.mkv,s\n")
    for _ in range(2):
        mien.prepare("table", tmp_path, out=tmp_path / "out", features=["logmel"])
        listed = [
            ("early.mkv", "its sound ends at 1.00 s, its pictures at 3.00 s; kept for its pictures"),
        ]
        assert problems(tmp_path / "out") == listed


def test_half_a_sound_is_that_half(films: Path) -> None:
    mien.prepare("table", films, out=films / "out", features=["logmel"])
    config = features.parse("logmel", {})
    store = FeatureStore(Prepared.open(films / "out"), "logmel", config)
    (half,) = features.extract("logmel", [read_audio(films / "short.mkv", start=1, end=2)], config)
    assert np.array_equal(store.frames("half").numpy(), half)


def test_clips_may_leave_their_file_by_half_a_second(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", 2)
    (tmp_path / "corpus.csv").write_text(
        "clip,file,start,end,speaker\nearly,a.wav,-0.4,1,s\nfar,a.wav,-0.6,1,s\nrounded,a.wav,1,2.1,s\n"
        "late,a.wav,1,2.5,s\nlater,a.wav,1,2.6,s\noutside,a.wav,2.1,2.4,s\n"
    )
    mien.prepare("table", tmp_path, out=tmp_path / "out", features=["logmel"])
    done = Prepared.open(tmp_path / "out")
    seconds = dict(zip(done.table["clip"], done.table["seconds"], strict=True))
    assert seconds == {"early": 1.0, "rounded": 1.0, "late": 1.0}
    assert done.table.set_index("clip").loc["early", "start"] == 0
    listed = [
        ("a.wav", "early: start -0.4 is negative, read from 0, kept"),
        ("a.wav", "ends at 2.00 s, before the part from 1.00 to 2.50 s does; read up to there, kept"),
        ("a.wav", "ends at 2.00 s, before the part from 1.00 to 2.60 s does, left out"),
        ("a.wav", "ends at 2.00 s, before the part from 2.10 to 2.40 s does, left out"),
        ("a.wav", "far: start -0.6 is negative, left out"),
    ]
    assert sorted(problems(tmp_path / "out")) == listed
    config = features.parse("logmel", {})
    store = FeatureStore(done, "logmel", config)
    for clip, place in {"early": (0, 1), "rounded": (1, 2), "late": (1, 2)}.items():
        (part,) = features.extract("logmel", [read_audio(tmp_path / "a.wav", start=place[0], end=place[1])], config)
        assert np.array_equal(store.frames(clip).numpy(), part)
    mien.prepare("table", tmp_path, out=tmp_path / "out", features=["logmel"])
    assert sorted(problems(tmp_path / "out")) == listed
