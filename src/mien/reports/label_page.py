"""`label.html`: what `mien label` found, on a small page that opens offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.common.files import write_text
from mien.common.progress import duration
from mien.corpora.label_folder import PAGE, PROBLEMS
from mien.reports import label_text
from mien.reports.figures.frequencies import frequencies
from mien.reports.html import environment


def write(folder: Path, card: Mapping[str, Any]) -> None:
    """Write `label.html`, atomically.

    Args:
        folder: where to.
        card: of the label folder.
    """
    frames = card["frames_by_emotion"]
    spoken = ", ".join(f"{name} {count:,}" for name, count in frames.items())
    figure = frequencies(
        frames,
        name="frames",
        description=f"Frames by dominant emotion, on a logarithmic axis: {spoken}.",
        axis="frames (log scale)",
    )
    page = (
        environment()
        .get_template("label.html.jinja")
        .render(
            title=f"Labels of {card['teacher']['name']}",
            answer=[f"{label_text.counts(card)}.", _most(card)],
            card=card,
            facts=_facts(card),
            figure=figure,
            rows=_rows(card),
            worth=label_text.worth(card),
            problems=PROBLEMS,
        )
    )
    write_text(folder / PAGE, page)


def _most(card: Mapping[str, Any]) -> str:
    """The most frequent dominant emotion of frames."""
    frames = card["frames_by_emotion"]
    first = max(frames, key=lambda name: frames[name])
    share = frames[first] / card["frames"]
    return f"The most frequent dominant emotion is {first}, in {share:.0%} of the frames."


def _facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was done, as terms and descriptions."""
    faces = card["faces"]
    found = "each picture is one face" if faces["faces"] == "whole-frame" else f"faces found by {faces['faces']}"
    return [
        ("Teacher", f"{card['teacher']['name']}, SHA-256 of its weights {card['teacher']['sha256']}"),
        ("Frames", f"one every {card['every']:g} s; {found}; {card['frames_unusable']:,} without a usable face"),
        ("Pooling", label_text.pooling(card)),
        ("Segments", f"{card['segments']:,}, {duration(card['seconds'])} in all; {card['shortest']:g} s at least, "
         f"{card['longest']:g} s at most"),
        ("Speaking", f"{card['segments_speaking']:,} segments, {duration(card['seconds_speaking'])}"),
        ("Files", f"{card['files_labelled']:,} of {card['files']:,}, below {card['root']}"),
    ]  # fmt: skip


def _rows(card: Mapping[str, Any]) -> list[tuple[str, int, str, int, str]]:
    """Class, frames and their share, segments and their share."""
    frames, segments = card["frames_by_emotion"], card["segments_by_emotion"]
    return [
        (name, count, f"{count / card['frames']:.1%}", own, f"{own / card['segments']:.1%}")
        for name, count in frames.items()
        for own in [segments.get(name, 0)]
    ]
