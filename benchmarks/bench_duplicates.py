"""Near-duplicates: the two distributions that the threshold lies between, and how time grows with the number of clips.

    python benchmarks/bench_duplicates.py ../shared/data --clips 100

Every pair of EmoDB and of RAVDESS is compared, including takes of one sentence by one speaker; of 100 clips of both,
sampled by seed, changed copies are compared with the originals: a quarter at 8 kHz, -3 dB, mp3 at 64 kbit/s, and beyond
that mp3 with the encoder's delay left in, and ends cut by 150 and 125 ms. Then random fingerprints of 2 s.
"""

import argparse
import tempfile
import time
import wave
from pathlib import Path

import av
import numpy as np

from mien.audit.splits import fingerprints
from mien.audit.splits.fingerprints import CONFIG, SAME, duplicates, fingerprint, similarity
from mien.features import logmel
from mien.media.audio import read_audio

RATE = 16_000
DELAY = 1105  # samples: of LAME's encoder and a decoder that leaves it in


def changed(file, folder):
    """What is done to a clip -> the sound that comes of it."""
    sound = read_audio(file)
    mp3 = _mp3(sound, folder / "a.mp3")
    return {
        "8 kHz": _wav(read_audio(file, rate=8000), folder / "a.wav", 8000),
        "-3 dB": _wav(sound * 10 ** (-3 / 20), folder / "a.wav", RATE),
        "mp3": mp3,
        "mp3 with delay": np.concatenate([np.zeros(DELAY, np.float32), mp3]),
        "cut ends": sound[2400:-2000],
    }


def _wav(sound, path, rate):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return read_audio(path)


def _mp3(sound, path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=RATE)
        stream.bit_rate, stream.layout = 64_000, "mono"
        samples = (np.clip(sound, -1, 1) * 32767).astype("<i2")[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="s16p", layout="mono")
        frame.sample_rate = RATE
        for part in (*av.AudioResampler(stream.format, "mono", RATE).resample(frame), None):
            container.mux(stream.encode(part))
    return read_audio(path)


def printed(sound):
    found = fingerprint(logmel.extract([sound], CONFIG)[0])
    assert found is not None
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 3000, 10_000])
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    for corpus, pattern in (("emodb", "wav/*.wav"), ("ravdess", "*/*.flac")):
        files = sorted((options.data / corpus).glob(pattern))
        begun = time.perf_counter()
        prints = {file.stem: printed(read_audio(file)) for file in files}
        seconds = time.perf_counter() - begun
        begun = time.perf_counter()
        pairs = duplicates(prints)
        compared = time.perf_counter() - begun
        count = len(files) * (len(files) - 1) // 2
        print(f"{corpus}: {len(files)} fingerprints in {seconds:.1f} s, {count:,} pairs in {compared:.2f} s")
        print(f"  duplicates: {[(one.first, one.second, round(one.similarity, 3)) for one in pairs]}")
        threshold, fingerprints.SAME = SAME, 0.3
        below = sorted((one.similarity for one in duplicates(prints) if one.similarity < threshold), reverse=True)
        fingerprints.SAME = threshold
        print(f"  most alike of the others: {', '.join(f'{value:.3f}' for value in below[:5])}")
        alike = {}
        with tempfile.TemporaryDirectory() as folder:
            for place in generator.choice(len(files), options.clips, replace=False):
                for what, sound in changed(files[place], Path(folder)).items():
                    copy = printed(sound)
                    both = duplicates({"copy": copy, "original": prints[files[place].stem]})
                    alike.setdefault(what, []).append((similarity(prints[files[place].stem], copy), bool(both)))
        for what, values in alike.items():
            score = np.array([value for value, _ in values])
            recall = np.mean([found for _, found in values])
            print(f"  {what:15} recall {recall:.3f}, similarity {score.min():.3f} to {score.max():.3f}")
    for size in options.sizes:
        noise = generator.standard_normal((size, 125, 24)).astype(np.float32)
        prints = {str(number): printed_of for number, values in enumerate(noise) if (printed_of := fingerprint(values))}
        begun = time.perf_counter()
        found = duplicates(prints)
        print(
            f"{size:,} clips, {size * (size - 1) // 2:,} pairs: {time.perf_counter() - begun:.1f} s, {len(found)} found"
        )


if __name__ == "__main__":
    main()
