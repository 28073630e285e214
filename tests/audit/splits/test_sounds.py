"""Clips of one sound are found by bytes, by samples and by fingerprint, also as parts of one file."""

import shutil
import wave

import numpy as np
import pandas as pd
import pytest

import mien
from mien.audit.splits import certificate, sounds
from mien.data.joined import Joined

NAN = float("nan")


def write(path, samples, *, extra=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    if extra:  # another chunk after the samples: other bytes, the same sound
        path.write_bytes(path.read_bytes() + extra)
    return path


def babble(seed, count=12_000):
    generator = np.random.default_rng(seed)
    pieces = [
        np.convolve(generator.standard_normal(1000), generator.standard_normal(16), "same")
        for _ in range(count // 1000)
    ]
    return 1000 * np.concatenate(pieces) * np.exp(0.7 * generator.standard_normal(count // 1000)).repeat(1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("sounds")
    write(root / "one.wav", babble(1))
    shutil.copy(root / "one.wav", root / "copy.wav")
    write(root / "tagged.wav", babble(1), extra=b"LIST\x04\x00\x00\x00INFO")
    write(root / "quiet.wav", 0.7 * babble(1))
    write(root / "other.wav", babble(2))
    write(root / "short.wav", babble(3, 2000))
    return root


def kinds(found):
    return {(pair.first, pair.second): pair.how for pair in found.twins}


EXPECTED = {
    ("copy", "one"): "bytes",
    ("copy", "tagged"): "samples",
    ("one", "tagged"): "samples",
    ("copy", "quiet"): "near",
    ("one", "quiet"): "near",
    ("quiet", "tagged"): "near",
}


def test_twins_of_files_have_their_kind(folder):
    files = {path.stem: (path, NAN, NAN) for path in folder.glob("*.wav")}
    found = sounds.of_files(files)
    assert kinds(found) == EXPECTED
    assert found.mute == ["short"]
    assert found.problems == []
    assert set(found.hashes) == set(files)
    assert all(pair.similarity <= 1 for pair in found.twins)


def test_parts_of_one_file_are_not_its_copies(folder):
    whole = folder / "other.wav"
    found = sounds.of_files({"first": (whole, NAN, 0.37), "second": (whole, 0.37, NAN), "again": (whole, 0.37, NAN)})
    assert kinds(found) == {("again", "second"): "bytes"}


def test_a_prepared_corpus_keeps_fingerprints_and_reports_missing_files(folder, tmp_path):
    root = shutil.copytree(folder, tmp_path / "root")
    table = pd.DataFrame({"file": sorted(path.name for path in root.glob("*.wav"))})
    table.assign(speaker=table["file"].str[:2], emotion="anger").to_csv(root / "corpus.csv", index=False)
    mien.prepare("table", root, out=tmp_path / "prepared", features=[])
    prepared = Joined.open(tmp_path / "prepared")
    clips = list(prepared.table["clip"])
    (root / "other.wav").unlink()
    partly = sounds.of_prepared(prepared, clips)
    assert len(partly.problems) == 1
    assert certificate.unread(partly).startswith("1 file could not be read (other.wav")
    assert kinds(partly) == EXPECTED
    write(root / "other.wav", babble(2))
    assert sounds.of_prepared(prepared, clips).problems == []
    for beside in ({"quiet", "tagged"}, {"copy", "one"}, set(clips)):
        least = {pair: how for pair, how in EXPECTED.items() if how == "bytes" or not beside.issuperset(pair)}
        assert kinds(sounds.of_prepared(prepared, clips, beside=beside)) == least
    shutil.rmtree(root)
    kept = sounds.of_prepared(prepared, clips)
    assert kept.problems == []
    assert len(kept.twins) == len(EXPECTED)  # without the files, equal samples are found by fingerprint
    joined = Joined.open({"x": tmp_path / "prepared"})
    assert {(f"x/{one}", f"x/{other}") for one, other in EXPECTED} == set(
        kinds(sounds.of_prepared(joined, list(joined.table["clip"])))
    )
