"""What `mien label` says of a folder, as text for a terminal and in sentences for its page."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.common.progress import duration
from mien.reports.timeline_text import wrapped

WIDTH = 80
LEAST = 4  # characters of a bar's room


def text(folder: Path, card: Mapping[str, Any]) -> str:
    """The counts, the histogram of dominant emotions on a log axis, and what the labels are worth."""
    return "\n".join([*wrapped([f"{folder}: {counts(card)}"]), *histogram(card), *wrapped(worth(card))])


def counts(card: Mapping[str, Any]) -> str:
    """How much was labelled, a sentence without its point."""
    files = f"{card['files_labelled']:,} of {_many(card['files'], 'file')}"
    spoken = f"{card['segments_speaking']:,} of the person who speaks, {duration(card['seconds_speaking'])}"
    people = "person" if card["people"] == 1 else "people"
    return (
        f"{_many(card['segments'], 'segment')} ({spoken}), {card['people']:,} {people} in {files}; "
        f"{_many(card['frames'], 'frame')} with a usable face"
    )


def histogram(card: Mapping[str, Any]) -> list[str]:
    """A line a class: its name, how many frames and segments it dominates, and a bar whose length is logarithmic."""
    frames, segments = card["frames_by_emotion"], card["segments_by_emotion"]
    wide = max(len("emotion"), *map(len, frames))
    heads = ("frames", "segments")
    room = max(LEAST, WIDTH - wide - sum(map(len, heads)) - 14)
    most = max(frames.values())
    lines = [f"  {'emotion':{wide}}  {'frames':>9}  {'segments':>9}  (bars: frames, log scale)"]
    for name, count in frames.items():
        bar = "#" * length(count, most, room)
        lines.append(f"  {name:{wide}}  {count:>9,}  {segments.get(name, 0):>9,}  {bar}".rstrip())
    return lines


def length(count: int, most: int, room: int) -> int:
    """The length of a bar: 0 for none, 1 for one, and the whole room for the most."""
    if count == 0:
        return 0
    return 1 + (round((room - 1) * math.log(count) / math.log(most)) if most > 1 else 0)


def worth(card: Mapping[str, Any]) -> list[str]:
    """What labels of this teacher are worth, in sentences."""
    teacher = card["teacher"]
    return [
        f"{teacher['name']}: {sentence}"
        for sentence in (
            *teacher["limits"],
            *(
                ["trained on single images, and speaking moves a face too; how right its labels are was not measured"]
                if teacher["single_images"]
                else ["trained on films, and asked here for single frames"]
            ),
            *(f"licence of {line}" for line in teacher["licences"]),
        )
    ]


def pooling(card: Mapping[str, Any]) -> str:
    """How frames became one vector, in words."""
    if card["pooling"] == "max":
        return f"the maximum of the {card['pooled']} over a segment's frames"
    return {"mean": "the mean of the logits", "log-mean": "the logarithm of the mean of the distributions"}[
        card["pooling"]
    ]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
