"""Peak memory of `mien predict` on files that are long, or that would grow large: each in a process of its own.

    python benchmarks/bench_large.py

Long files are read in the memory of a short one: an hour of black, a day of silence. What would grow large is refused
before it does: a film whose pictures grow in mid-stream, one of many streams, an index of more samples than the file
has bytes. The last row is the largest picture that the limits let pass, in a coding that keeps 16 of them; it is
decoded whole, without a model. All files are made here.
"""

import argparse
import struct
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HOUR, DAY = 3600, 86_400
READ = (
    "import sys; from mien.media.streams import stream_media\n"
    "for item in stream_media(sys.argv[1]): getattr(item, 'grey', int)()"
)


def black(file, coding, pictures, size, **options):
    """A picture a second."""
    with av.open(str(file), "w") as out:
        track = out.add_stream(coding, rate=1, options=options)
        track.width, track.height, track.pix_fmt = *size, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), format="rgb24").reformat(
            format="yuv420p"
        )
        for number in range(pictures):
            frame.pts, frame.time_base = number, Fraction(1, 1)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return file


def silence(file, coding, rate, seconds, **options):
    with av.open(str(file), "w", options=options) as out:
        track = out.add_stream(coding, rate=rate, layout="mono")
        turned = av.AudioResampler(track.format, "mono", rate, track.frame_size or 4096)
        for minute in range(seconds // 60):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 60 * rate), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, minute * 60 * rate, Fraction(1, rate)
            for part in turned.resample(frame):
                out.mux(track.encode(part))
        for part in turned.resample(None):
            out.mux(track.encode(part))
        out.mux(track.encode(None))
    return file


def joined(file, parts, streams=1):
    """A film whose header is of the first part, in several equal streams."""
    with av.open(str(file), "w") as out, av.open(str(parts[0])) as first:
        tracks = [out.add_stream_from_template(first.streams.video[0]) for _ in range(streams)]
        place = 0
        for part in parts:
            with av.open(str(part)) as one:
                for packet in one.demux(video=0):
                    for track in tracks if packet.size else ():
                        copy = av.Packet(bytes(packet))
                        copy.pts = copy.dts = place
                        copy.time_base, copy.is_keyframe, copy.stream = Fraction(1, 1), packet.is_keyframe, track
                        out.mux(copy)
                    place += bool(packet.size)
    return file


def promising(file, small, samples):
    content = bytearray(small.read_bytes())
    at = content.index(b"stsz") + 8
    content[at : at + 8] = struct.pack(">II", 1, samples)
    file.write_bytes(content)
    return file


def measured(file, command):
    """Outcome, peak in MB and processor seconds of a command on a file."""
    watch = (
        "import resource, subprocess, sys\n"
        "found = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(found.returncode, used.ru_maxrss // 1024, round(used.ru_utime + used.ru_stime, 1), found.stderr[-250:])"
    )
    found = subprocess.run(
        [sys.executable, "-c", watch, *command, str(file)], capture_output=True, text=True, check=True
    )
    code, peak, seconds, text = found.stdout.split(" ", 3)
    why = text.strip().splitlines()[-1].replace(str(file), file.name).split("MediaError: ")[-1] if int(code) else ""
    return ("read" if code == "0" else why), peak, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=DAY, help="of silence")
    options = parser.parse_args()
    predict = [sys.executable, "-m", "mien", "predict", "--model", "voice-small", "--out", "OUT"]
    with tempfile.TemporaryDirectory(prefix="large-") as place:
        root = Path(place)
        predict[-1] = str(root / "rows.csv")
        seen = [
            *predict[:3],
            "predict",
            "--model",
            "face-small",
            "--faces",
            "whole-frame",
            "--out",
            str(root / "faces.csv"),
        ]
        fast = {"preset": "ultrafast"}
        small = black(root / "small.mp4", "mpeg4", 2, (320, 240))
        huge = black(root / "huge.mkv", "mpeg4", 2, (8176, 8176))
        wide = black(root / "wide.mkv", "mpeg4", 1, (8176, 4352))
        reading = [sys.executable, "-c", READ]
        long, name = options.seconds, f"{options.seconds / HOUR:g} hours of silence, flac"
        limit = black(root / "limit.mkv", "libx264", 40, (8192, 4352), refs="16", bf="0", **fast)
        vp9 = black(root / "hour.webm", "libvpx-vp9", HOUR, (320, 240), deadline="realtime")
        rows = [
            ("a minute of silence, flac", silence(root / "minute.flac", "flac", 16_000, 60), predict),
            ("an hour of silence, flac", silence(root / "hour.flac", "flac", 16_000, HOUR), predict),
            (name, silence(root / "day.flac", "flac", 16_000, long), predict),
            ("the same, its sound alone, without a model", root / "day.flac", reading),
            ("an hour of silence, opus", silence(root / "hour.ogg", "libopus", 48_000, HOUR), predict),
            ("a minute of black, h264", black(root / "minute.mp4", "libx264", 60, (320, 240), **fast), seen),
            ("an hour of black, h264", black(root / "hour.mp4", "libx264", HOUR, (320, 240)), seen),
            ("an hour of black, vp9", vp9, seen),
            ("pictures that grow to 8176 x 8176", joined(root / "grows.mkv", [small, huge]), reading),
            ("60 streams of 8176 x 4352", joined(root / "many.mkv", [wide], 60), reading),
            ("an index of 30,000,000 samples", promising(root / "index.mp4", small, 30_000_000), reading),
            ("8192 x 4352, 16 of them kept", limit, reading),
            ("the same, --limit pixels=9e6", limit, [*predict, "--limit", "pixels=9e6"]),
        ]
        print("| file | bytes | outcome | peak MB | processor s |\n| --- | --- | --- | --- | --- |")
        for what, file, command in rows:
            begun = time.perf_counter()
            outcome, peak, seconds = measured(file, command)
            print(f"| {what} | {file.stat().st_size:,} | {outcome} | {peak} | {seconds} |", flush=True)
            print(f"{what}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
