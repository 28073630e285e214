"""Files that were damaged on purpose: what of them is read, refused, or costs more than itself.

    python benchmarks/bench_hostile.py --count 10000 --seed 1 [--workers N]

Two seconds of sound, or of sound and film, are written in eight formats. Each trial is one of them with bytes flipped,
its end cut off, a block zeroed, repeated or exchanged with another one, or a field of its head set to an extreme. A
process reads the trials of a batch, sound and pictures, and predicts each with voice-small; then `mien predict` reads
the batch as a user does. Outcomes of a trial: read (rows within what the file holds), refused (one sentence), died (its
decoder ended the process, which is started again), hung (beyond --limit seconds), fault (anything else: an exception
that is no sentence, rows past the end). Outcomes of a batch under `mien predict`: 0, 1 or 2, anything else is a fault.
Any fault ends in exit 1. Trials are made anew from the seed; none is kept.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import wave
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np

RATE, SECONDS, PICTURES = 16_000, 2, 10
FORMATS = {  # format -> (coding of sound, of pictures)
    "wav": ("pcm_s16le", None),
    "flac": ("flac", None),
    "mp3": ("libmp3lame", None),
    "ogg": ("libopus", None),
    "mp4": ("aac", "libx264"),
    "webm": ("libopus", "libvpx-vp9"),
    "avi": ("libmp3lame", "mpeg4"),
    "mkv": ("aac", "libx264"),
}
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
OUTCOMES = ("read", "refused", "died", "hung", "fault")
BATCH = 100


def base(file, form):
    """A tone that swells, with a moving square in the formats of films."""
    sound, film = FORMATS[form]
    time = np.arange(RATE * SECONDS) / RATE
    samples = np.round(9000 * np.sin(2 * np.pi * 220 * time) * np.abs(np.sin(3 * time))).astype("<i2")
    if form == "wav":
        with wave.open(str(file), "wb") as out:
            out.setparams((1, 2, RATE, 0, "NONE", ""))
            out.writeframes(samples.tobytes())
        return
    with av.open(str(file), "w") as out:
        video = None
        if film is not None:
            video = out.add_stream(film, rate=PICTURES)
            video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        track = out.add_stream(sound, rate=48_000 if sound == "libopus" else RATE, layout="mono")
        for number in range(SECONDS * PICTURES if video is not None else 0):
            picture = np.full((64, 96, 3), 60, np.uint8)
            picture[10:40, 2 * number : 2 * number + 30] = 200
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = RATE
        turned = av.AudioResampler(track.format, "mono", track.rate, track.frame_size or 1024)
        for part in (*turned.resample(frame), *turned.resample(None)):
            out.mux(track.encode(part))
        for stream in (track, video):
            if stream is not None:
                out.mux(stream.encode(None))


def damaged(content, random):
    """The content with one to four kinds of damage."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        data = _KINDS[random.integers(len(_KINDS))](data, random) or data
    return bytes(data)


def _flip(data, random):
    for place in random.integers(0, random.choice([min(400, len(data)), len(data)]), random.integers(1, 33)):
        data[place] ^= 1 << random.integers(8)


def _cut(data, random):
    return data[: random.integers(max(1, len(data) // 20), len(data) + 1)]


def _block(data, random):
    length = int(random.integers(1, max(2, len(data) // 4)))
    place = int(random.integers(0, max(1, len(data) - length)))
    return place, length


def _zero(data, random):
    place, length = _block(data, random)
    data[place : place + length] = bytes(len(data[place : place + length]))


def _repeat(data, random):
    place, length = _block(data, random)
    return data[: place + length] + data[place:]


def _exchange(data, random):
    place, length = _block(data, random)
    other = int(random.integers(0, max(1, len(data) - length)))
    one, two = data[place : place + length], data[other : other + length]
    data[place : place + len(two)] = two
    data[other : other + len(one)] = one


def _field(data, random):
    for _ in range(random.integers(1, 4)):
        size, place = int(random.choice([1, 2, 4])), int(random.integers(0, min(600, len(data))))
        value = EXTREMES[random.integers(len(EXTREMES))] & (256**size - 1)
        data[place : place + size] = value.to_bytes(size, ["little", "big"][random.integers(2)])


_KINDS = (_flip, _cut, _zero, _repeat, _exchange, _field)


def trials(bases, numbers, seed, folder):
    """The files of some trials; a trial depends on the seed and its number alone."""
    folder.mkdir()
    forms = list(FORMATS)
    files = []
    for number in numbers:
        form = forms[number % len(forms)]
        files.append(folder / f"{number:06d}.{form}")
        files[-1].write_bytes(damaged(bases[form], np.random.default_rng([seed, number])))
    return files


def child(names):
    """Read files in this process; a line before and after each."""
    import mien
    from mien.errors import MienError
    from mien.media.audio import AudioBlock
    from mien.media.containers import probe
    from mien.media.streams import stream_media

    model = mien.load_model("voice-small")
    for name in names:
        print(json.dumps({"file": name}), flush=True)
        outcome, text, end = "read", "", 0.0
        try:
            for item in stream_media(name):
                if isinstance(item, AudioBlock):
                    end = max(end, item.start + len(item.samples) / RATE)
                else:
                    item.rgb()
                    end = max(end, item.time + item.seconds)
        except MienError as error:
            outcome, text = "refused", str(error)
        except BaseException as error:
            outcome, text = "fault", repr(error)
        try:
            rows = model.predict_file(name)
            late = max(row["end"] for row in rows)
            odd = [
                value for row in rows for value in row.values() if isinstance(value, float) and not math.isfinite(value)
            ]
            end = max(end, probe(name).seconds)  # of a film, also the pictures that end after the last one that decodes
            if odd or late > end + 0.1:
                outcome, text = "fault", f"rows to {late} s of {end} s, {len(odd)} values that are no numbers"
        except MienError as error:
            if outcome == "read" and end:  # such as a film without sound, which a model of voices does not answer
                outcome, text = "refused", str(error)
        except BaseException as error:
            outcome, text = "fault", repr(error)
        if "\n" in text or "Traceback" in text:
            outcome = "fault"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"done": name, "outcome": outcome, "text": text, "peak": peak}), flush=True)


def watched(files, limit):
    """(file, outcome, text, peak in MB) of each, by processes that are started again where one is lost."""
    left = list(files)
    while left:
        command = [sys.executable, "-W", "ignore", __file__, "--child", *map(str, left)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            current, hung = None, False
            while True:
                timer = threading.Timer(limit + (60 if current is None else 0), process.kill)
                timer.start()
                line = process.stdout.readline()
                hung = not timer.is_alive()
                timer.cancel()
                if not line:
                    break
                found = json.loads(line)
                if "file" in found:
                    current = found["file"]
                else:
                    left.remove(Path(found["done"]))
                    yield Path(found["done"]), found["outcome"], found["text"], found["peak"]
                    current = "between"
            code = process.wait()
        if left:
            lost = left.pop(0)
            yield lost, "hung" if hung else "died", f"exit {code}", 0


def as_a_user(folder):
    """What `mien predict` makes of a folder: exit code and peak in MB, and what of it is a fault."""
    command = [sys.executable, "-m", "mien", "predict", str(folder), "--model", "voice-small", "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    found = subprocess.run(command, capture_output=True, text=True)
    peak = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024
    fault = ""
    if found.returncode not in (0, 1, 2) or "Traceback" in found.stderr:
        fault = f"exit {found.returncode}: {found.stderr[-300:]}"
    return found.returncode, peak, fault


def main():
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--workers", type=int, default=1, help="batches at once")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a file")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    counts, peaks, faults = defaultdict(Counter), defaultdict(int), []
    codes, user_peak = Counter(), 0
    with tempfile.TemporaryDirectory(prefix="hostile-") as place:
        root = Path(place)
        bases = {}
        for form in FORMATS:
            base(root / f"base.{form}", form)
            bases[form] = (root / f"base.{form}").read_bytes()

        def batch(first):
            numbers = range(first, min(first + BATCH, options.first + options.count))
            folder = root / f"{first}"
            files = trials(bases, numbers, options.seed, folder)
            found = list(watched(files, options.limit)), as_a_user(folder)
            for file in files:
                file.unlink()
            return found

        starts = range(options.first, options.first + options.count, BATCH)
        with ThreadPoolExecutor(options.workers) as pool:
            for first, (each, (code, peak, fault)) in zip(starts, pool.map(batch, starts), strict=True):
                codes[code] += 1
                user_peak = max(user_peak, peak)
                faults += [f"mien predict on trials {first} to {first + BATCH - 1}: {fault}"] if fault else []
                for file, outcome, text, peak in each:
                    form = file.suffix[1:]
                    counts[form][outcome] += 1
                    peaks[form] = max(peaks[form], peak)
                    if outcome in OUTCOMES[2:]:
                        faults += [f"trial {file.stem} ({form}): {outcome}: {text}"]
                print(f"{first + len(each) - options.first} of {options.count}", file=sys.stderr, flush=True)
    print("| format | bytes | trials | read | refused | died | hung | fault | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for form, found in counts.items():
        cells = [form, len(bases[form]), found.total(), *(found[one] for one in OUTCOMES), peaks[form]]
        print(f"| {' | '.join(map(str, cells))} |")
    total = sum(counts.values(), Counter())
    print(f"| all | | {total.total()} | {' | '.join(str(total[one]) for one in OUTCOMES)} | {max(peaks.values())} |")
    listed = ", ".join(f"{number} x exit {code}" for code, number in sorted(codes.items()))
    print(f"\nmien predict, {BATCH} files a call: {listed}; peak {user_peak} MB; seed {options.seed}")
    for line in faults:
        print(f"- {line}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
