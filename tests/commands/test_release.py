"""`prepare` beside the release: one line, the same in card, certificate, page and exported card; identical files."""

import json
import shutil
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mien
from mien.common.files import sha256
from mien.corpora import releases
from mien.corpora.releases import Release
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.errors import LeakError
from sealing import reseal_prepared

NAMES = ("03a01Fa", "03a02Nc", "08a01Wa", "08a02Ta")
CUT = "this copy is cut; figures on it are not comparable"


def write_wav(file: Path, *, seconds: float = 0.8, seed: int = 0) -> None:
    """Noise of a changing level between two silences of .1 s."""
    random = np.random.default_rng(seed)
    level = np.repeat(random.uniform(0.1, 1, round(seconds * 100)), 160)
    samples = random.normal(0, 5000, len(level)) * level
    samples[:1600] = samples[-1600:] = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(samples.astype(np.int16).tobytes())


def shorten(file: Path, seconds: float) -> None:
    with wave.open(str(file), "rb") as sound:
        samples = sound.readframes(round(seconds * 16_000))
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(samples)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four clips of .8 s, which are the release of EmoDB here."""
    root = tmp_path / "corpus"
    for seed, name in enumerate(NAMES):
        write_wav(root / "wav" / f"{name}.wav", seed=seed)
    hashes = {name: {"wav": sha256(root / "wav" / f"{name}.wav")[: releases.DIGITS]} for name in NAMES}
    known = Release(hashes, dict.fromkeys(NAMES, 0.8))
    monkeypatch.setattr(releases, "of", lambda reader: known if reader == "emodb" else None)
    return root


def lines(root: Path, out: Path, **settings: object) -> list[str]:
    """The lines on the release that `prepare` prints."""
    text = mien.prepare("emodb", root, out=out, features=(), **settings).text  # type: ignore[arg-type]
    return [line.removeprefix("release: ") for line in text.splitlines() if line.startswith("release: ")]


def test_one_line_that_is_in_the_card_and_the_same_when_prepared_again(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert lines(root, out) == ["same bytes as the release: all 4"]
    shorten(root / "wav" / "08a01Wa.wav", 0.6)
    (root / "wav" / "08a02Ta.wav").unlink()
    found = lines(root, out)
    assert found == [
        f"1 of 3 clips is shorter than in the release: {CUT}; same bytes as the release: 2 of 4; 1 clip has other "
        "bytes than in the release (another header is enough): 08a01Wa; 1 of its 4 clips is missing"
    ]
    card = json.loads((out / "card.json").read_text())
    assert card["release"]["text"] == found[0]
    assert {key: card["release"][key] for key in ("clips", "same_bytes", "shorter", "missing")} == {
        "clips": 4,
        "same_bytes": 2,
        "shorter": 1,
        "missing": 1,
    }
    assert lines(root, out) == found
    assert json.loads((out / "card.json").read_text()) == card


def test_silence_that_is_cut_here_is_no_cut_copy(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert lines(root, out, cut_silence=True) == ["same bytes as the release: all 4"]
    assert (Prepared.open(out).table["seconds"] < 0.75).all()
    shorten(root / "wav" / "08a01Wa.wav", 0.6)
    for _ in range(2):  # the second time from what was kept
        assert lines(root, out, cut_silence=True)[0].startswith(f"1 of 4 clips is shorter than in the release: {CUT}; ")


def test_a_folder_of_before_opens_and_knows_the_release_when_it_is_prepared_again(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lines(root, out)
    card = json.loads((out / "card.json").read_text())
    del card["release"]
    (out / "card.json").write_text(json.dumps(card))
    reseal_prepared(out)
    assert len(Prepared.open(out).table) == 4
    assert lines(root, out) == ["same bytes as the release: all 4"]


def test_a_clip_under_the_name_of_another_is_listed(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "wav" / "03a01Fa.wav", root / "wav" / "08a01Wa.wav")
    outcome = mien.prepare("emodb", root, out=tmp_path / "out", features=())
    assert outcome.data["card"]["release"]["such_as"] == {"bytes_of_another_clip": ["08a01Wa"]}
    assert "1 clip has the bytes of another clip of the release: 08a01Wa those of 03a01Fa" in outcome.text
    assert outcome.problems == []
    assert [note for note in outcome.data["kept"] if note.startswith("wav/08a01Wa.wav: ")] == [
        "wav/08a01Wa.wav: byte by byte the same as wav/03a01Fa.wav, under another emotion (anger, there happiness), "
        "kept",
        "wav/08a01Wa.wav: has the bytes of 03a01Fa in the release of the corpus, kept",
    ]


def test_a_corpus_without_a_known_release_has_no_line(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(f"file,speaker\n{root / 'wav' / '03a01Fa.wav'},ann\n")
    outcome = mien.prepare("table", tmp_path / "mine.csv", out=tmp_path / "out", features=())
    assert "release" not in outcome.text
    assert "release" not in outcome.data["card"]


def test_several_corpora_keep_what_is_known_of_each(root: Path, tmp_path: Path) -> None:
    lines(root, tmp_path / "one")
    write_wav(tmp_path / "other" / "a.wav", seed=9)
    (tmp_path / "other" / "corpus.csv").write_text("file,speaker\na.wav,ann\n")
    mien.prepare("table", tmp_path / "other", out=tmp_path / "two", features=())
    corpora = Joined.open({"b": tmp_path / "one", "a": tmp_path / "two"}).card["corpora"]
    assert corpora["b"]["release"]["text"] == "same bytes as the release: all 4"
    assert "release" not in corpora["a"]


EXPERIMENT = """
title: a tiny one
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {name: cnn_gru, channels: 6}
models: {ours: {hidden: [6], embeddings: {main: {tasks: {emotion: 1.0}}}}}
data:
  scheme: {classes: [anger, neutral]}
  audio: mfb43
  length: {seconds: 0.4, long: random, short: repeat}
protocol: {name: leave_one_speaker_out}
training: {epochs: 1, batch: 8}
"""


def test_training_page_exported_card_and_evaluation_say_it(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [f"{who}a0{text}{letter}a" for who in ("03", "08", "09") for text in (5, 7) for letter in "NW"]
    for seed, name in enumerate(more):
        write_wav(root / "wav" / f"{name}.wav", seed=10 + seed)
    shorten(root / "wav" / "03a01Fa.wav", 0.6)
    out, run = tmp_path / "emodb", tmp_path / "run"
    (text,) = lines(root, out)
    assert text.startswith(f"1 of 4 clips is shorter than in the release: {CUT}; ")
    (tmp_path / "tiny.yaml").write_text(EXPERIMENT)
    capsys.readouterr()
    mien.train(tmp_path / "tiny.yaml", [f"data.prepared={out}"], out=run)
    assert f"warning: emodb: 1 of 4 clips is shorter than in the release: {CUT}" in capsys.readouterr().err
    certificate = json.loads((run / "certificate.json").read_text())
    assert certificate["release"]["text"] == text
    page = (run / "report.html").read_text()
    assert f"<dt>Release</dt><dd>{text}</dd>" in page
    assert page.count(text) == 1
    mien.export(run / "models" / "ours", out=tmp_path / "exported")
    card = (tmp_path / "exported" / "README.md").read_text()
    assert f"The files of emodb beside its release: {text}.\n" in card
    others = tmp_path / "others"
    for number in range(4):
        write_wav(others / f"{number}.wav", seed=40 + number)
    rows = "".join(f"{number}.wav,s{number % 2},{word}\n" for number, word in enumerate(["anger", "neutral"] * 2))
    (others / "corpus.csv").write_text(f"file,speaker,emotion\n{rows}")
    mien.prepare("table", others, out=tmp_path / "table", features=())
    card_file = tmp_path / "table" / "card.json"
    mine = json.loads(card_file.read_text())
    card_file.write_text(json.dumps(mine | {"release": {"text": text, "shorter": 1, "lengths_compared": 4}}))
    reseal_prepared(tmp_path / "table")
    outcome = mien.evaluate(run, on=tmp_path / "table")
    assert f"warning: table: 1 of 4 clips is shorter than in the release: {CUT}" in outcome.text


def test_identical_files_under_two_emotions_are_found_by_prepare_and_by_the_split_audit(tmp_path: Path) -> None:
    root = tmp_path / "AudioWAV"
    for seed, name in enumerate(("1006_TIE_HAP_XX", "1007_TIE_HAP_XX", "1007_TIE_NEU_XX")):
        write_wav(root / f"{name}.wav", seconds=2.5, seed=seed)
    shutil.copy(root / "1006_TIE_HAP_XX.wav", root / "1006_TIE_NEU_XX.wav")
    outcome = mien.prepare("crema_d", root, out=tmp_path / "out", features=())
    assert outcome.data["kept"] == [
        "1006_TIE_HAP_XX.wav: byte by byte the same as 1006_TIE_NEU_XX.wav, under another emotion (happiness, there "
        "neutral), kept",
        "1006_TIE_NEU_XX.wav: byte by byte the same as 1006_TIE_HAP_XX.wav, under another emotion (neutral, there "
        "happiness), kept",
    ]
    for split, severity in (({"1006": "train", "1007": "test"}, "note"), ({"HAP": "train", "NEU": "test"}, "leak")):
        rows = [
            {"file": path.name, "emotion": part[2], "split": split.get(part[0]) or split[part[2]]}
            for path in sorted(root.iterdir())
            for part in [path.stem.split("_")]
        ]
        pd.DataFrame(rows).to_csv(tmp_path / "split.csv", index=False)
        audit = mien.audit_split(tmp_path / "split.csv", root=root, reader="crema_d")
        found = {one["finding"]: (one["severity"], one["text"]) for one in audit.data["findings"]}
        assert found["identical-audio"][0] == found["label-conflict"][0] == severity
        assert "1006_TIE_HAP_XX = 1006_TIE_NEU_XX" in found["identical-audio"][1]
        assert "1006_TIE_HAP_XX = 1006_TIE_NEU_XX (HAP / NEU)" in found["label-conflict"][1]
        assert audit.exit_code == (LeakError.exit_code if severity == "leak" else 0)


def test_the_pair_of_ravdess_is_a_leak_where_repetitions_are_parts(tmp_path: Path) -> None:
    root = tmp_path / "Actor_07"
    write_wav(root / "03-01-03-01-02-01-07.wav", seconds=2.5)
    shutil.copy(root / "03-01-03-01-02-01-07.wav", root / "03-01-03-01-02-02-07.wav")
    (tmp_path / "split.csv").write_text(
        "file,emotion,split\n03-01-03-01-02-01-07.wav,happy,train\n03-01-03-01-02-02-07.wav,happy,test\n"
    )
    audit = mien.audit_split(tmp_path / "split.csv", root=root, reader="ravdess")
    found = {one["finding"]: one["severity"] for one in audit.data["findings"]}
    assert found["identical-audio"] == "leak"
    assert "label-conflict" not in found


@pytest.mark.recordings
def test_real_copies_are_known_for_what_they_are(recordings: Path, tmp_path: Path) -> None:
    assert lines(recordings / "emodb", tmp_path / "emodb") == [
        f"409 of 535 clips are shorter than in the release: {CUT}; another format than the release (flac, not wav): "
        "bytes cannot be compared"
    ]
    outcome = mien.prepare("ravdess", recordings / "ravdess-original", out=tmp_path / "ravdess", features=())
    assert (
        "release: same bytes as the release: 4 of 1,440; 2 clips have other bytes than in the release (another header "
        "is enough): 03-01-01-01-01-01-01, 03-01-05-02-02-01-05; lengths of the release are not known; 1,434 of its "
        "1,440 clips are missing\n"
    ) in outcome.text
