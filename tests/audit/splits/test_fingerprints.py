"""Fingerprints recognise a changed recording, and no other recording."""

import av
import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfilt

from mien.audit.splits import fingerprints
from mien.audit.splits.fingerprints import CONFIG, SAME, duplicates, fingerprint, similarity
from mien.features import logmel
from mien.media.audio import read_audio

RATE = 16_000


def babble(seed, seconds=1.5):
    """Noise in six bands, each with its own slow envelope: it changes as speech does, differently for each seed."""
    generator = np.random.default_rng(seed)
    count = round(seconds * RATE)
    sound = np.zeros(count)
    for low in (300, 500, 800, 1200, 1800, 2600):
        band = sosfilt(butter(2, (low, low * 1.4), "bandpass", fs=RATE, output="sos"), generator.standard_normal(count))
        knots = np.linspace(0, seconds, round(seconds * 8) + 2)
        sound += band * np.exp(3 * np.interp(np.arange(count) / RATE, knots, generator.standard_normal(len(knots))))
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def printed(sound):
    (energies,) = logmel.extract([np.asarray(sound, np.float32)], CONFIG)
    return fingerprint(energies)


CHANGES = {
    "-3 dB": lambda sound: sound * 10 ** (-3 / 20),
    "8 kHz": lambda sound: resample_poly(resample_poly(sound, 1, 2), 2, 1),
    "delay": lambda sound: np.concatenate([np.zeros(1105), sound]),
    "cut ends": lambda sound: sound[1000:-800],
    "16 bits": lambda sound: np.round(sound * 32767) / 32767,
    "noise at 30 dB": lambda sound: sound + 0.03 * sound.std() * np.random.default_rng(9).standard_normal(len(sound)),
    "silence around": lambda sound: np.pad(sound, (4000, 12_000)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_recording_is_recognised(change):
    for seed in range(4):
        sound = babble(seed)
        assert similarity(printed(sound), printed(CHANGES[change](sound))) > SAME


def test_the_coarse_comparison_misses_no_pair():
    sounds = {f"{seed}": babble(seed) for seed in range(12)}
    for number, change in enumerate(CHANGES.values()):
        sounds[f"{number} changed"] = change(sounds[f"{number}"])
    prints = {name: printed(sound) for name, sound in sounds.items()}
    names = sorted(prints)
    every = {
        (one, other)
        for place, one in enumerate(names)
        for other in names[place + 1 :]
        if similarity(prints[one], prints[other]) >= SAME
    }
    found = duplicates(prints)
    assert {(pair.first, pair.second) for pair in found} == every
    assert every == {(f"{number}", f"{number} changed") for number in range(len(CHANGES))}
    assert duplicates({}) == duplicates({"a": prints["1"]}) == []


def test_blocks_do_not_matter(monkeypatch):
    prints = {f"{seed:02}": printed(babble(seed % 9, 0.8)) for seed in range(20)}
    whole = duplicates(prints)
    assert len(whole) == 13  # nine sounds, two of them three times
    monkeypatch.setattr(fingerprints, "_BLOCK", 3)
    assert duplicates(prints) == whole


def test_others_are_compared_with_each_clip_and_not_with_each_other(monkeypatch):
    prints = {f"{seed:02}": printed(babble(seed % 9, 0.8)) for seed in range(20)}
    others = {"11", "02", "15", "06", "19", "00"}
    known = {clip: one for clip, one in prints.items() if clip not in others}
    expected = [pair for pair in duplicates(prints) if not {pair.first, pair.second} <= others]
    assert 0 < len(expected) < 13
    for block in (2, 1024):
        monkeypatch.setattr(fingerprints, "_BLOCK", block)
        found = duplicates(known, ((clip, prints[clip]) for clip in sorted(others)))
        assert [(one.first, one.second) for one in found] == [(one.first, one.second) for one in expected]
        assert [one.similarity for one in found] == pytest.approx([one.similarity for one in expected])
    assert duplicates({}, prints.items()) == []


def test_similarity_is_symmetric_and_one_for_the_same():
    one, other = printed(babble(1)), printed(babble(2, 1.0))
    assert similarity(one, one) == pytest.approx(1, abs=1e-6)
    assert similarity(one, other) == pytest.approx(similarity(other, one), abs=1e-6)
    assert similarity(one, other) < 0.5


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros(RATE), np.full(RATE, 0.1), babble(0, 0.25)])
def test_silent_and_very_short_clips_have_no_fingerprint(sound):
    assert printed(sound) is None


def mp3(sound, path):
    """The sound after mp3 at 64 kbit/s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=RATE)
        stream.bit_rate, stream.layout = 64_000, "mono"
        samples = (np.clip(sound, -1, 1) * 32767).astype("<i2")[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="s16p", layout="mono")
        frame.sample_rate = RATE
        for part in (*av.AudioResampler(stream.format, "mono", RATE).resample(frame), None):
            container.mux(stream.encode(part))
    return read_audio(path)


@pytest.mark.recordings
def test_speech_is_recognised_after_mp3_and_takes_are_different(emodb, tmp_path):
    """Takes of three sentences by one speaker. `benchmarks/bench_duplicates.py` measures all pairs of 100 clips."""
    files = [file for file in emodb if file.match("03a0[145]*")]
    prints = {file.stem: printed(read_audio(file)) for file in files}
    assert len(prints) > 12
    assert duplicates(prints) == []
    for file in files[:6]:
        sound = read_audio(file)
        changed = {"mp3": mp3(sound, tmp_path / "a.mp3"), "8 kHz": CHANGES["8 kHz"](sound), "-3 dB": 0.7 * sound}
        for name, other in changed.items():
            assert len(duplicates({name: printed(other), "original": prints[file.stem]})) == 1
