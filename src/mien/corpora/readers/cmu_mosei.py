"""CMU-MOSEI (Zadeh et al. 2018): 23,453 segments of YouTube monologues, six emotions rated 0 to 3.

Ratings: every CSV file below the root with the columns Input.VIDEO_ID, Input.CLIP and Answer.anger, ... (`Labels/` in
the release, as Amazon Mechanical Turk wrote them, one row a rater). A segment's rating is the mean over its raters. A
segment has each emotion whose rating is above 0. If all six are 0 it is neutral; if none is above 0 and some are not
rated, its emotion is missing. Sound: `VIDEO_CLIP.*` (one file a segment), else `VIDEO.*` with the times of `VIDEO.txt`
(lines `VIDEO___CLIP___START___END___words`, `Transcript/Segmented/Combined/`). Of files of one name, sound goes before
video. Segments without ratings are not clips. The corpus does not publish speakers, so each video counts as one
speaker. Columns: recording (the video), segment, ratings (how many), anger ... surprise (mean ratings), text if known.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check, read_table
from mien.corpora.readers import _files
from mien.errors import CorpusError

SOURCE = "http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset (on request)"
LICENCE = "CMU-MOSEI terms, research only; the videos keep their owners' rights"
SPEECH = "monologues from the web, English"
EXPECTED = 23_453
SCHEME = "cmu_mosei"
LABELLED = {"iemocap": {"all": 22_323}}  # Li et al. 2020, section 6: any of the four classes

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
VIDEO, SEGMENT = "Input.VIDEO_ID", "Input.CLIP"
ANSWERS = tuple(f"Answer.{emotion}" for emotion in EMOTIONS)


def read(root: Path) -> Corpus:
    """Read CMU-MOSEI; raises CorpusError if `root` has no ratings or no segment with sound."""
    kept, _ = _files.by_stem(_files.media(root))  # the release has each video as sound too: not a problem
    ratings, problems = _ratings(root)
    spoken = _transcripts(root)
    rows: list[dict[str, Any]] = []
    for names, rated in ratings.groupby([VIDEO, SEGMENT], sort=True):
        video, segment = map(str, names)
        clip = f"{video}_{segment}"
        start, end, text = spoken.get(clip, (None, None, None))
        file = kept.get(clip)
        if file is None and start is not None:
            file = kept.get(video)
        else:
            start = end = None
        if file is None:
            problems.append(Problem(clip, f"no {clip}.wav, and no {video}.wav with times in {video}.txt, left out"))
            continue
        means = rated[list(EMOTIONS)].mean()
        basics = {"clip": clip, "file": file, "start": start, "end": end, "speaker": video, "emotion": _emotion(means)}
        rows.append({**basics, "recording": video, "segment": segment, "ratings": len(rated), **means, "text": text})
    if not rows:
        raise CorpusError(f"{root}: no rated segment of CMU-MOSEI has sound; looked for VIDEO_CLIP.wav and VIDEO.wav")
    return check(
        name="cmu_mosei",
        root=root,
        table=pd.DataFrame(rows),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
    )


def _emotion(means: "pd.Series[float]") -> str | None:
    present = [emotion for emotion in EMOTIONS if means[emotion] > 0]
    if present:
        return "+".join(present)
    return None if means.isna().any() else "neutral"


def _ratings(root: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """One row a rater and segment: video, segment (text), the six ratings; and the rows that are not ratings."""
    tables = []
    problems = []
    for path in _files.files(root, ".csv"):
        try:
            table = read_table(root / path, encoding_errors="replace")
        except CorpusError:
            problems.append(Problem(path, "not a table with commas and a header line, left out"))
            continue
        if not {VIDEO, SEGMENT, *ANSWERS} <= set(table):
            continue
        table = table[[VIDEO, SEGMENT, *ANSWERS]].rename(columns=dict(zip(ANSWERS, EMOTIONS, strict=True)))
        words = table[list(EMOTIONS)]
        ratings = words.apply(pd.to_numeric, errors="coerce")
        wrong = (words.notna() & ~ratings.ge(0) | ratings.gt(3)).any(axis=1) | table[[VIDEO, SEGMENT]].isna().any(
            axis=1
        )
        problems += [
            Problem(path, f"row {row + 2}: not a video, a segment and ratings from 0 to 3, left out")
            for row in table.index[wrong]
        ]
        table[list(EMOTIONS)] = ratings
        tables.append(table[~wrong & ratings.notna().any(axis=1)])
    if not tables:
        raise CorpusError(
            f"{root}: not CMU-MOSEI; no CSV file below it has the columns {VIDEO}, {SEGMENT}, {ANSWERS[0]}"
        )
    return pd.concat(tables, ignore_index=True), problems


def _transcripts(root: Path) -> dict[str, tuple[str, str, str]]:
    """Segment VIDEO_CLIP -> start, end (seconds in the video), words."""
    return {
        f"{video}_{segment}": (start, end, text)
        for path in _files.files(root, ".txt")
        for video, segment, start, end, text in _lines(root / path)
    }


def _lines(file: Path) -> Iterator[list[str]]:
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        cells = line.strip().split("___", 4)
        if len(cells) == 5:
            yield cells
