"""What a face model says of segments of video, frame by frame, as CSV files of many millions of rows: read in pieces.

A row is a frame, or a segment that somebody has pooled already: speaker, video, segment, the logits of the model by
the names of `EMOTIONS`, and the partition. What is kept is one row a segment, so memory does not grow with the frames.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.corpora.corpus import Problem
from mien.corpora.readers import _files
from mien.errors import CorpusError

# The outputs of models of FERPlus (Barsoum et al. 2016), in their order.
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
KEYS = ("speaker", "video", "segment")
POOLINGS = ("max", "mean")
PARTITIONS = {  # as the release's code calls them and, in numbers, stores them
    **dict.fromkeys(("train", "1"), "train"),
    **dict.fromkeys(("unheard", "unheardval", "unheardtest", "2"), "unheard"),
    **dict.fromkeys(("heard", "heardval", "heardtest", "3"), "heard"),
}

ROWS = 250_000  # read at once
PIECES = 16  # kept until they are brought together
LISTED = 100  # rows of a file that are listed one by one

_GROUP = [*KEYS, "partition"]


def pooled(root: Path, pooling: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The segments that the CSV files below a folder tell of.

    Args:
        root: the folder; CSV files without these columns are passed over.
        pooling: how a segment's frames become one distribution: "max", the softmax of the greatest logit of each
            emotion, or "mean", the mean of the frames' softmax.

    Returns:
        One row a segment in the order in which they are met: `KEYS` and partition (text; a value of `PARTITIONS`),
        frames (int64, how many rows), emotion (the greatest), and the distribution, a float64 column an emotion. And
        the rows and segments that cannot be used.

    Raises:
        CorpusError: no file has the columns, one of those that have is damaged as a whole, or no row can be used.
    """
    tables: list[pd.DataFrame] = []
    problems: list[Problem] = []
    for path in _files.files(root, ".csv"):
        if not {*_GROUP, *EMOTIONS} <= set(_header(root / path)):
            continue
        table = _segments(root / path, path, pooling, problems)
        for before, name in ((one, one.attrs["file"]) for one in tables):
            again = table.index.isin(before.index)
            if again.any():
                first = "/".join(table.index[again][0])
                told = f"{int(again.sum()):,} segments are told in {name} already, such as {first}, passed over"
                problems.append(Problem(path, told))
                table = table[~again]
        table.attrs["file"] = path
        tables.append(table)
    if not tables:
        columns = ", ".join((*_GROUP, *EMOTIONS))
        raise CorpusError(f"{root}: no logits of a face model; no CSV file below it has the columns {columns}")
    for table in tables:
        table.attrs.clear()
    found = pd.concat(tables).reset_index()
    if found.empty:
        first = "; ".join(f"{file}: {problem}" for file, problem in problems[:3]) or "they have a header line alone"
        raise CorpusError(f"{root}: not one row of its logits can be used ({first})")
    return found, problems


def _header(file: Path) -> list[str]:
    """The columns of a CSV file; none where it is no such file."""
    try:
        return [str(name) for name in pd.read_csv(file, nrows=0, encoding="utf-8-sig", encoding_errors="replace")]
    except (OSError, ValueError):
        return []


def _segments(file: Path, path: str, pooling: str, problems: list[Problem]) -> pd.DataFrame:
    """One row a segment of one file, indexed by `KEYS`."""
    pieces: list[pd.DataFrame] = []
    wrong = 0
    for chunk in _chunks(file):
        logits = chunk[list(EMOTIONS)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype="float64")
        words = {word: _partition(word) for word in chunk["partition"].unique()}
        complaints = {
            "no speaker, video or segment is told": chunk[list(KEYS)].isna().any(axis=1).to_numpy(),
            f"the partition is none of {', '.join(dict.fromkeys(PARTITIONS.values()))}": (
                chunk["partition"].map({word: part is None for word, part in words.items()}).to_numpy(dtype=bool)
            ),
            "a logit is no number": ~np.isfinite(logits).all(axis=1),
        }
        bad = np.zeros(len(chunk), bool)
        for what, rows in complaints.items():
            for row in chunk.index[rows & ~bad]:
                wrong += 1
                if wrong <= LISTED:
                    problems.append(Problem(path, f"row {row + 2}: {what}, passed over"))
            bad |= rows
        values = logits if pooling == "max" else softmax(logits)
        piece = pd.DataFrame(values, columns=list(EMOTIONS), index=chunk.index)
        piece = piece.assign(**chunk[list(KEYS)], partition=chunk["partition"].map(words), frames=1)
        pieces.append(_joined([piece[~bad]], pooling))
        if len(pieces) == PIECES:
            pieces = [_joined(pieces, pooling)]
    if wrong > LISTED:
        problems.append(Problem(path, f"{wrong - LISTED:,} further rows like the {LISTED} listed, passed over"))
    found = _joined(pieces, pooling).set_index(list(KEYS)) if pieces else pd.DataFrame(columns=[*EMOTIONS, "frames"])
    both = found.index.duplicated(keep=False)
    for key in dict.fromkeys(found.index[both]):
        parts = " and ".join(found.loc[[key], "partition"])
        problems.append(Problem(path, f"{'/'.join(key)} is in the partitions {parts}, left out"))
    found = found[~both]
    values = found[list(EMOTIONS)].to_numpy()
    values = softmax(values) if pooling == "max" else values / found[["frames"]].to_numpy()
    greatest = np.array(EMOTIONS)[values.argmax(axis=1)]
    told = found[["partition", "frames"]].assign(emotion=greatest)
    return told.assign(**dict(zip(EMOTIONS, values.T, strict=True)))


def _chunks(file: Path) -> Iterator[pd.DataFrame]:
    """A file in pieces; its keys are text, empty cells are missing."""
    try:
        yield from pd.read_csv(
            file,
            usecols=[*_GROUP, *EMOTIONS],
            dtype=dict.fromkeys(_GROUP, "str"),
            keep_default_na=False,
            na_values=[""],
            encoding="utf-8-sig",
            chunksize=ROWS,
            low_memory=False,
        )
    except ValueError as error:
        raise CorpusError(f"{file}: not a table with commas in UTF-8 ({' '.join(str(error).split())})") from error


def _partition(word: object) -> str | None:
    """A partition as it is written anywhere (Heard-Val, heardVal, 3), or None where it is none."""
    return PARTITIONS.get(re.sub(r"[^a-z0-9]", "", str(word).lower()))


def _joined(pieces: list[pd.DataFrame], pooling: str) -> pd.DataFrame:
    """Pieces as one, a row a segment and partition: the greatest value or the sum of each emotion, and all frames."""
    groups = pd.concat(pieces, ignore_index=True).groupby(_GROUP, sort=False)
    values = groups[list(EMOTIONS)].max() if pooling == "max" else groups[list(EMOTIONS)].sum()
    return values.assign(frames=groups["frames"].sum()).reset_index()


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) logits -> probabilities over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return probabilities
