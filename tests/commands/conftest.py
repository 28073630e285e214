"""A tiny corpus of tones, prepared once, and a tiny experiment on it."""

import importlib
import wave
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mien
from mien.audit.embedding_files import measure
from mien.audit.leakage import floors
from mien.audit.leakage.leakage import leakage, predict
from mien.audit.run_leakage import measure as run_leakage
from mien.common.leakage_tables import LEAKAGE, RECALLS
from quick import no_figures

EMOTIONS = {"anger": 300.0, "neutral": 150.0, "sadness": 90.0}
CLIPS = {"anger": 4, "neutral": 3, "sadness": 2}

EXPERIMENT = """
title: a tiny one
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {name: cnn_gru, channels: 6}
models:
  emotion_only: {hidden: [6], embeddings: {main: {tasks: {emotion: 1.0}}}}
  MEnAN: {hidden: [6], embeddings: {main: {tasks: {emotion: 0.5}, remove: {speaker: {how: max_entropy}}}}}
data:
  scheme: iemocap
  audio: mfb43
  copies: {slow: {speed: 0.9}}
  length: {seconds: 0.4, long: random, short: repeat}
  normalisation: train
protocol: {name: leave_one_speaker_out}
training: {epochs: 12, batch: 8}
optimiser: {lr: {default: 0.02}}
"""


def write_tone(path: Path, pitch: float, timbre: float, seed: int, seconds: float = 0.5) -> None:
    """A tone with overtones; the pitch encodes the emotion, the overtones the speaker."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * 16_000)) / 16_000
    pitch *= 1 + 0.05 * generator.standard_normal()
    sound = sum(np.sin(2 * np.pi * pitch * n * time) / n**timbre for n in range(1, 8))
    sound = 0.1 * sound + 0.003 * generator.standard_normal(len(time))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


def write_corpus(root: Path, speakers: int, *, seed: int, extra: str = "") -> Path:
    """A table of clips, more of anger than of sadness; some have an emotion of no class, or none."""
    root.mkdir(parents=True)
    rows = ["file,speaker,gender,emotion,sentence"]
    for who in range(speakers):
        for emotion, pitch in {**EMOTIONS, "boredom": 120.0, "": 200.0}.items():
            for number in range(CLIPS.get(emotion, 1)):
                name = f"s{who}-{emotion or 'unknown'}-{number}.wav"
                key = seed + 1000 * who + 10 * len(rows)
                write_tone(root / name, pitch, 0.6 + 0.3 * who, key)
                label = f"{emotion}+{extra}" if extra and emotion == "anger" else emotion
                rows.append(f"{name},s{who},{'female' if who % 2 else 'male'},{label},{number}")
    (root / "corpus.csv").write_text("\n".join(rows) + "\n")
    return root


@contextmanager
def quick(**probes):
    """No figure is drawn, and the probes in this process are those given, all by default."""
    with pytest.MonkeyPatch.context() as patched, no_figures():
        for place in (measure, floors):
            patched.setattr(place, "leakage", partial(leakage, **probes))
        patched.setattr(run_leakage, "predict", partial(predict, **probes))
        yield


@pytest.fixture(scope="module", autouse=True)
def quickly():
    """One quick probe stands for all, and no figure is drawn: most tests of a command look at neither."""
    with quick(probes=("nearest_mean",)):
        yield


@pytest.fixture(scope="session")
def make_tone():
    """See `write_tone`."""
    return write_tone


@pytest.fixture(scope="session")
def make_corpus():
    """See `write_corpus`."""
    return write_corpus


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """Four speakers, prepared."""
    folder = tmp_path_factory.mktemp("corpus")
    mien.prepare("table", write_corpus(folder / "root", 4, seed=0), out=folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """Three other speakers, prepared."""
    folder = tmp_path_factory.mktemp("second")
    mien.prepare("table", write_corpus(folder / "root", 3, seed=555), out=folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="session")
def experiment(tmp_path_factory) -> Path:
    """The tiny experiment's file."""
    path = tmp_path_factory.mktemp("experiment") / "tiny.yaml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="session")
def run(prepared, experiment, tmp_path_factory) -> Path:
    """The tiny experiment, trained."""
    out = tmp_path_factory.mktemp("run") / "run"
    with quick():  # by all probes, whichever test is the first to ask for it
        mien.train(experiment, [f"data.prepared={prepared}"], out=out)
    return out


@pytest.fixture
def unmeasured(monkeypatch):
    """Trainings end without probes, maps and a page: for what is asked of the training itself."""
    train = importlib.import_module("mien.commands.train")
    empty = tuple(pd.DataFrame(columns=list(names)) for names in (LEAKAGE, RECALLS))
    monkeypatch.setattr(train, "run_leakage", lambda *_, **__: empty)
    for name in ("maps", "roc_curves"):
        monkeypatch.setattr(train.results, name, lambda run: pd.DataFrame())
    monkeypatch.setattr(train.page, "write", lambda run: None)
