"""How rows of `mien.load_model().stream` differ from those of `predict`, on LibriSpeech and RAVDESS.

python benchmarks/show_stream.py DATA

DATA holds the folders `librispeech` and `ravdess`. 25 clips of LibriSpeech, and of RAVDESS six clips of each of twelve
actors in succession, of both intensities, in the default windows: the greatest difference of a class's
probability in each row, the share of rows whose answer is another, and of those with another emotion, `unsure` aside.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mien
from mien.media.audio import read_audio

RATE = 16_000
CLIPS, ACTORS, EACH = 25, 12, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    random = np.random.default_rng(0)
    for name, sounds in {"librispeech": _librispeech(data, random), "ravdess": _ravdess(data, random)}.items():
        _show(name, sounds)


def _librispeech(data: Path, random: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    files = sorted((data / "librispeech").rglob("*.flac"))
    for number in random.choice(len(files), CLIPS, replace=False):
        yield read_audio(files[number])


def _ravdess(data: Path, random: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    for actor in sorted((data / "ravdess").glob("Actor_*"))[:ACTORS]:
        files = sorted(actor.glob("*.flac"))
        picked = random.choice(len(files), EACH, replace=False)
        yield np.concatenate([read_audio(files[number]) for number in picked])


def _show(name: str, sounds: Iterator[NDArray[np.float32]]) -> None:
    model = mien.load_model("voice-small")
    apart, other, emotions = [], 0, 0
    for sound in sounds:
        for one, two in zip(model.predict(sound, RATE), model.stream([sound], RATE), strict=True):
            said = {one["emotion"], two["emotion"]}
            other += len(said) > 1
            emotions += len(said - {"unsure"}) > 1
            if "silence" not in said:
                apart.append(max(abs(one[name] - two[name]) for name in model.classes))
    print(
        f"{name}: {len(apart)} windows; median {np.median(apart):.4f}, 95 % {np.quantile(apart, 0.95):.3f}, most "
        f"{max(apart):.3f}; another answer {other / len(apart):.1%}, another emotion {emotions / len(apart):.1%}"
    )


if __name__ == "__main__":
    main()
