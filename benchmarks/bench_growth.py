"""How cost grows: of `predict` with the length of a file, `prepare` with the clips, parts with the recording.

python benchmarks/bench_growth.py [--lengths 1 10 60 600 3600 10800] [--films 60 600 3600] [--clips 100 1000 10000]
    [--parts 75 150 300]

Each line is a process of its own on one thread: seconds of the processor, peak memory, and the growth of the time over
that of the line before, beside how much larger the input is; `exponent` is the logarithm of the one over that of the
other, after start: 1 is linear, and above 1.1 a curve bends up. Films have a moving tone and a drawn face, which is the
whole frame; voice and face answer together. Parts are those of one long recording, one every twelve
seconds, read in one pass as `prepare` does it, in mp3, ogg, mkv and ts.
"""

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np

from bench_predict import write

RATE, APART, LASTS = 16_000, 12.0, 3.0  # seconds from one part to the next, and of a part
LONG = {"mp3": "libmp3lame", "ogg": "libopus", "mkv": "libopus", "ts": "aac"}
PARTS = f"""
import sys
from mien.media.audio import read_parts
file, count = sys.argv[1], int(sys.argv[2])
places = [({APART} * number, {APART} * number + {LASTS}) for number in range(count)]
found = [one for _, one in read_parts(file, places)]
assert len(found) == count and not any(isinstance(one, Exception) for one in found)
"""
CHILD = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stderr.buffer.write(done.stderr)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
sys.exit(done.returncode)
"""


def cost(*command: str) -> tuple[float, float]:
    """Processor seconds and peak MiB of a command."""
    wrapped = [sys.executable, "-c", CHILD, sys.executable, *command]
    done = subprocess.run(wrapped, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode != 0:
        sys.exit(done.stderr)
    seconds, peak = map(float, done.stderr.split()[-2:])
    return seconds, peak


def curve(what: str, sizes: Sequence[int], measure: Callable[[int], tuple[float, float]], start: float) -> None:
    """Print a line a size; `start` is what a process costs before it does anything."""
    before: tuple[int, float] | None = None
    for size in sizes:
        seconds, peak = measure(size)
        line = f"{what} {size:7d}: {seconds:8.2f} s of the processor, peak {peak:6.0f} MiB"
        if before is not None:
            larger, longer = size / before[0], seconds / before[1]
            own, earlier = max(seconds - start, 1e-3), max(before[1] - start, 1e-3)
            line += f"; {longer:6.2f} x for {larger:6.1f} x, exponent {math.log(own / earlier) / math.log(larger):.2f}"
        print(line, flush=True)
        before = size, seconds


def recording(path: Path, codec: str, seconds: int) -> None:
    """A long file of a moving tone in a codec."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=48_000 if codec == "libopus" else RATE)
        stream.layout = "mono"
        resampler = av.AudioResampler(stream.codec_context.format or "fltp", "mono", stream.rate)
        clock = np.arange(RATE) / RATE
        for second in range(seconds):
            sound = (0.2 * np.sin(2 * np.pi * (200 + second % 97) * clock)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, second * RATE
            for one in resampler.resample(frame):
                file.mux(stream.encode(one))
        file.mux(stream.encode(None))


def film(path: Path, seconds: int) -> None:
    """A film of 160 x 160 pixels, 12 in a second, with a tone."""
    ground = np.full((160, 160, 3), 90, np.uint8)
    ground[30:130, 40:120] = (200, 160, 130)
    with av.open(str(path), "w") as file:
        pictures = file.add_stream("libx264", rate=12, options={"preset": "ultrafast"})
        pictures.width = pictures.height = 160
        pictures.pix_fmt = "yuv420p"
        sound = file.add_stream("aac", rate=RATE, layout="mono")
        clock = np.arange(RATE) / RATE
        for second in range(seconds):
            tone = (0.2 * np.sin(2 * np.pi * (150 + second % 97) * clock)).astype(np.float32)
            heard = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            heard.sample_rate, heard.pts = RATE, second * RATE
            file.mux(sound.encode(heard))
            for number in range(12):
                drawn = ground.copy()
                drawn[60:70, 60 + number : 70 + number] = drawn[60:70, 90:100] = 20  # eyes
                drawn[100 : 104 + number, 65:95] = (120, 40, 40)  # a mouth that opens
                shown = av.VideoFrame.from_ndarray(drawn, format="rgb24")
                shown.pts = second * 12 + number
                file.mux(pictures.encode(shown))
        file.mux(sound.encode(None))
        file.mux(pictures.encode(None))


def corpus(folder: Path, clips: int) -> Path:
    """A table of clips of a second."""
    random, rows = np.random.default_rng(0), ["file,speaker,emotion"]
    (folder / "sound").mkdir(parents=True)
    for number in range(clips):
        with wave.open(str(folder / "sound" / f"{number:05}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes((3000 * random.standard_normal(RATE)).astype("<i2").tobytes())
        rows.append(f"sound/{number:05}.wav,s{number % 20},{('anger', 'neutral', 'sadness')[number % 3]}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    return folder / "table.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="*", default=[1, 10, 60, 600, 3600, 10800])
    parser.add_argument("--films", type=int, nargs="*", default=[60, 600, 3600])
    parser.add_argument("--clips", type=int, nargs="*", default=[100, 1000, 10000])
    parser.add_argument("--parts", type=int, nargs="*", default=[75, 150, 300])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)

        def predict(seconds: int) -> tuple[float, float]:
            write(folder / "x.wav", seconds)
            return cost("-m", "mien", "predict", str(folder / "x.wav"), "--out", str(folder / "rows.csv"))

        def watch(seconds: int) -> tuple[float, float]:
            film(folder / "x.mp4", seconds)
            looked = ["--faces", "whole-frame", "--out", str(folder / "rows.csv")]
            return cost("-m", "mien", "predict", str(folder / "x.mp4"), *looked)

        def prepare(clips: int) -> tuple[float, float]:
            table = corpus(folder / f"corpus-{clips}", clips)
            made = folder / f"prepared-{clips}"
            return cost("-m", "mien", "prepare", "table", str(table), "--features", "logmel", "--out", str(made))

        def parts(kind: str) -> Callable[[int], tuple[float, float]]:
            def measure(count: int) -> tuple[float, float]:
                file = folder / f"{count}.{kind}"
                recording(file, LONG[kind], round(count * APART))
                return cost("-c", PARTS, str(file), str(count))

            return measure

        if options.lengths:
            start, _ = predict(1)
            curve("predict, seconds", options.lengths, predict, start)
        if options.films:
            curve("predict, seconds of film", options.films, watch, watch(1)[0])
        if options.clips:
            start, _ = cost("-m", "mien", "prepare", "--help")
            curve("prepare, clips  ", options.clips, prepare, start)
        start, _ = cost("-c", "import mien.media.audio")
        for kind in LONG if options.parts else ():
            curve(f"parts of one {kind:3}", options.parts, parts(kind), start)
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
