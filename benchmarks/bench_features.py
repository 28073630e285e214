"""Milliseconds of work a second of audio, for each feature and perturbation, on one thread.

    python benchmarks/bench_features.py [--data DIR] [--clips 16] [--repeats 9] [--ratios]

Medians over repeats, all clips in one call and one clip a call. Without `--data`, sixteen vowels of four seconds with
gliding pitch, pauses and a little noise; with it, WAV and FLAC files spread over DIR. Bars: logmel .5, prosody 12
(aim 3).

Then ratios of processor time, each the median of runs that alternate (`--ratios`: these alone):

- prosody, one clip a call, over Praat's pitch of the same clips: autocorrelation, 50 to 600 Hz, every 10 ms, as prosody
  searches, and with Praat's own range, from 75 Hz. Bar: 1.
- prosody and functionals, one clip a call over all in one.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import parselmouth
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from mien.features import extract, names, parse
from mien.features._config import FeatureConfig
from mien.features._perturb import perturbed
from mien.media.audio import read_audio

RATE = 16_000


def vowel(seed: int, seconds: float = 4.0) -> NDArray[np.float32]:
    rng, samples = np.random.default_rng(seed), round(RATE * seconds)
    f0 = rng.uniform(90, 260) * np.exp(0.2 * np.sin(np.linspace(0, 9, samples)))
    sound = np.diff(np.floor(np.cumsum(f0) / RATE), prepend=0.0)
    for formant in rng.uniform([300, 900, 2_200], [800, 1_800, 3_000]):
        sound = lfilter([0.05], [1, -1.96 * np.cos(2 * np.pi * formant / RATE), 0.98**2], sound)
    loud = np.sin(np.linspace(0, rng.uniform(6, 14), samples)) > -0.5
    return (0.3 * loud * sound / np.abs(sound).max() + 1e-3 * rng.standard_normal(samples)).astype(np.float32)


def median(work: Callable[[], object], repeats: int) -> float:
    """Milliseconds."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def ratio(work: Callable[[], object], other: Callable[[], object], repeats: int) -> float:
    """Processor time of one over that of the other: the median over pairs of runs."""
    ratios = []
    for repeat in range(repeats + 1):
        start = time.process_time()
        work()
        between = time.process_time()
        other()
        if repeat:
            ratios.append((between - start) / (time.process_time() - between))
    return statistics.median(ratios)


def pitches(clips: Sequence[NDArray[np.float32]], lowest: float) -> list[parselmouth.Pitch]:
    sounds = [parselmouth.Sound(clip.astype(np.float64), RATE) for clip in clips]
    return [sound.to_pitch_ac(time_step=0.01, pitch_floor=lowest, pitch_ceiling=600) for sound in sounds]


def print_ratios(clips: Sequence[NDArray[np.float32]], repeats: int) -> None:
    def single(name: str) -> None:
        for clip in clips:
            extract(name, [clip], configs[name])

    configs = {name: parse(name, {}) for name in ("prosody", "functionals")}
    for lowest in (50.0, 75.0):
        over = ratio(lambda: single("prosody"), lambda: pitches(clips, lowest), repeats)  # noqa: B023 - called at once
        print(f"prosody, one clip a call, over Praat's pitch from {lowest:.0f} Hz{over:>10.2f}")
    for name, config in configs.items():
        over = ratio(lambda: single(name), lambda: extract(name, clips, config), repeats)  # noqa: B023
        print(f"{name + ', one clip a call, over all in one':<56}{over:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="take WAV and FLAC files below this folder")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--ratios", action="store_true", help="print the ratios alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.data:
        files = sorted(file for kind in ("*.wav", "*.flac") for file in arguments.data.rglob(kind))
        clips = [read_audio(file) for file in files[:: max(1, len(files) // arguments.clips)][: arguments.clips]]
    else:
        clips = [vowel(seed) for seed in range(arguments.clips)]
    seconds = sum(map(len, clips)) / RATE
    if arguments.ratios:
        print_ratios(clips, arguments.repeats)
        return
    print(f"{len(clips)} clips, {seconds:.1f} s of audio; milliseconds a second of audio, one thread")
    print(f"{'':<28}{'together':>10}{'one by one':>12}")
    for name in names("audio"):
        config = parse(name, {})
        together = median(lambda: extract(name, clips, config), arguments.repeats)  # noqa: B023 - called at once
        single = median(lambda: [extract(name, [clip], config) for clip in clips], arguments.repeats)  # noqa: B023
        print(f"{name:<28}{together / seconds:>10.2f}{single / seconds:>12.2f}")
    for settings in ({"speed": 0.9}, {"speed": 0.9, "speed_by": "tempo"}, {"noise_db": 15.0}):
        changes = FeatureConfig.model_validate(settings)
        single = median(lambda: [perturbed(clip, changes) for clip in clips], arguments.repeats)  # noqa: B023
        title = " ".join(f"{key}={value}" for key, value in settings.items())
        print(f"{title:<28}{'':>10}{single / seconds:>12.2f}")
    print_ratios(clips, arguments.repeats)


if __name__ == "__main__":
    main()
