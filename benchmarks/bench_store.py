"""Throughput of the feature store: extraction, and reading frames as training does.

Run: python benchmarks/bench_store.py
"""

import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from mien import features, prepare
from mien.data.prepared import Prepared
from mien.data.store import FeatureStore

CLIPS, SECONDS, BATCH = 256, 3.0, 16


def main() -> None:
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for number in range(CLIPS):
            _write(root / f"c{number:03d}.wav", random.integers(-9000, 9000, round(SECONDS * 16_000), np.int16))
        (root / "corpus.csv").write_text("file,speaker\n" + "".join(f"c{n:03d}.wav,s\n" for n in range(CLIPS)))
        prepare("table", root, out=root / "out", features=())
        prepared = Prepared.open(root / "out")
        for name in ("logmel", "mfb43"):
            store = FeatureStore(prepared, name, features.parse(name, {}))
            _report(store, list(prepared.table["clip"]), random)


def _report(store: FeatureStore, clips: list[str], random: np.random.Generator) -> None:
    begun = time.perf_counter()
    store.extract(clips, workers=2)
    taken = time.perf_counter() - begun
    print(f"{store.name}: extracted {len(clips) * SECONDS / taken:.0f} s of sound a second with 2 workers")
    begun = time.perf_counter()
    fresh = FeatureStore(store.prepared, store.name, store.config)
    fresh.missing(clips)
    print(f"{store.name}: index of {len(clips)} clips in {1e3 * (time.perf_counter() - begun):.1f} ms")
    sample = [clips[number] for number in random.integers(0, len(clips), 20_000)]
    for clip in clips:
        fresh.frames(clip)
    begun = time.perf_counter()
    for clip in sample:
        fresh.frames(clip)
    view = (time.perf_counter() - begun) / len(sample)
    begun = time.perf_counter()
    size = sum(fresh.frames(clip).clone().nbytes for clip in sample)
    copy = time.perf_counter() - begun
    print(
        f"{store.name}: {1e6 * view:.1f} us to have a clip's frames, {1e6 * BATCH * copy / len(sample):.0f} us to copy "
        f"{BATCH} of them ({size / copy / 2**30:.1f} GiB a second)"
    )


def _write(file: Path, samples: np.ndarray) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(samples.tobytes())


if __name__ == "__main__":
    main()
