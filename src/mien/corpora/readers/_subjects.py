"""Shared by the readers of films that are named by the number of a subject and the code of one of six emotions.

Folders may name the subject and the emotion as well, and must then agree with the file name.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Problem
from mien.corpora.readers import _files
from mien.corpora.schemes import canonical
from mien.errors import ConfigError, CorpusError, unknown

EMOTIONS = {"an": "anger", "di": "disgust", "fe": "fear", "ha": "happiness", "sa": "sadness", "su": "surprise"}
SHOWN = 5  # absent subjects in a sentence

Row = dict[str, str]  # column -> value; "" is missing


def recordings(
    root: Path,
    media: str,
    folder: re.Pattern[str],
    row: Callable[[PurePosixPath], Row | str],
    *,
    corpus: str,
    like: str,
) -> tuple[pd.DataFrame, list[Problem]]:
    """One row a clip: `file`, and what `row` says of it; and the files that cannot be used.

    Args:
        root: a folder.
        media: the option: "sound" or "video", which file to take of a clip that has both.
        folder: matches the folder of a subject.
        row: a path -> its columns, with `clip`; or a clause: why it cannot be used.
        corpus: its name in errors.
        like: a path as the corpus has it.

    Raises:
        ConfigError: `media` is not understood.
        CorpusError: `root` is missing, or no file below it can be used.
    """
    if media not in _files.KINDS:
        raise ConfigError(f"option media: {unknown('value', media, _files.KINDS)}")
    rows: dict[str, Row] = {}
    problems = []
    for path, place in _files.under_speakers(root, _files.media(root), folder):
        columns = row(place)
        if isinstance(columns, str):
            problems.append(Problem(path, f"{columns}, left out"))
        else:
            rows[path] = columns
    if not rows:
        first = "".join(f" ({file}: {problem})" for file, problem in problems[:1])
        raise CorpusError(f"{root}: not {corpus}; no recording such as {like} below it{first}")
    kept, doubled = _files.one_each([(path, columns["clip"]) for path, columns in rows.items()], media)
    table = pd.DataFrame([{"file": path, **rows[path]} for path in kept.values()])
    return table, [*problems, *doubled]


def strange_subject(speakers: Sequence[str], named: str, last: int) -> str | None:
    """Why the subject is not certain, as a clause; None if it is.

    Args:
        speakers: the subject of each folder that names one.
        named: the subject in the file name.
        last: the highest number of a subject.
    """
    if other := [one for one in speakers if one != speakers[0]]:
        return f"its folders are of subject {speakers[0]} and of subject {other[0]}"
    if speakers and speakers[0] != named:
        return f"the folder is of subject {speakers[0]}, the file name of subject {named}"
    return None if 1 <= int(named) <= last else f"subject {named} is none of 1 to {last}"


def strange_emotion(innermost_first: Sequence[str], emotion: str) -> str | None:
    """Why the emotion is not certain, as a clause: the innermost folder called like one is of another; else None."""
    words = (canonical(folder) for folder in innermost_first)
    folder = next((word for word in words if word in EMOTIONS.values()), emotion)
    return None if folder == emotion else f"the folder is of {folder}, the file name of {emotion}"


def counted(speakers: "pd.Series[str]", last: int) -> str:
    """A sentence on how many subjects there are, and on the first that are not."""
    there = {int(speaker) for speaker in speakers}
    absent = [str(number) for number in range(1, last + 1) if number not in there]
    more = ", ..." if len(absent) > SHOWN else ""
    lacking = f"; not there: {', '.join(absent[:SHOWN])}{more}" if absent else ""
    return f"subjects in these clips: {len(there)} of {last}{lacking}"
