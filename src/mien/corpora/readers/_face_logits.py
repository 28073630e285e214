"""Logits of a face model for the frames of video segments, from CSV files of many millions of rows, read in pieces.

A row is a frame, or a segment pooled already: speaker, video, segment, partition, and the logits of the model in
columns named as `EMOTIONS`. One row a segment is kept, so memory does not grow with the number of frames.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.corpora.corpus import Problem
from mien.corpora.readers import _files
from mien.corpora.votes import EMOTIONS  # the outputs of models of FERPlus, in their order
from mien.errors import CorpusError

KEYS = ("speaker", "video", "segment")
POOLINGS = ("max", "mean")
PARTITIONS = {  # the names, and the numbers, of the release's code
    **dict.fromkeys(("train", "1"), "train"),
    **dict.fromkeys(("unheard", "unheardval", "unheardtest", "2"), "unheard"),
    **dict.fromkeys(("heard", "heardval", "heardtest", "3"), "heard"),
}

ROWS = 250_000  # read at once
PIECES = 16  # pieces that are kept before they are joined
LISTED = 100  # damaged rows of a file that are listed one by one; the others are counted

_GROUP = [*KEYS, "partition"]


def pooled(root: Path, pooling: str) -> tuple[pd.DataFrame, list[Problem], list[str]]:
    """The segments in the CSV files below a folder.

    Args:
        root: the folder; CSV files without these columns are ignored.
        pooling: how a segment's frames become one distribution: "max", the softmax of the greatest logit of each
            emotion, or "mean", the mean of the frames' softmax.

    Returns:
        One row a segment in the order of the files: `KEYS` and partition (text; a value of `PARTITIONS`), frames
        (int64, how many rows), emotion (the most probable), and the distribution, a float64 column an emotion. And the
        rows and segments that cannot be used, and the files that have the columns.

    Raises:
        CorpusError: no file has the columns, a file that has them is not UTF-8 or not a table, or no row can be used.
    """
    tables: list[pd.DataFrame] = []
    taken: list[str] = []
    problems: list[Problem] = []
    for path in _files.files(root, ".csv"):
        if not {*_GROUP, *EMOTIONS} <= set(_header(root / path)):
            continue
        taken.append(path)
        table = _segments(root / path, path, pooling, problems)
        for before, name in ((known, known.attrs["file"]) for known in tables):
            again = table.index.isin(before.index)
            if again.any():
                first = "/".join(table.index[again][0])
                complaint = f"segments that {name} lists already: {int(again.sum()):,}, such as {first}; ignored"
                problems.append(Problem(path, complaint))
                table = table[~again]
        table.attrs["file"] = path
        tables.append(table)
    if not tables:
        columns = ", ".join((*_GROUP, *EMOTIONS))
        raise CorpusError(f"{root}: no logits of a face model; no CSV file below it has the columns {columns}")
    for table in tables:
        table.attrs.clear()
    segments = pd.concat(tables).reset_index()
    if segments.empty:
        first = "; ".join(f"{file}: {problem}" for file, problem in problems[:3]) or "there are only header lines"
        raise CorpusError(f"{root}: no row of logits can be used ({first})")
    return segments, problems, taken


def partitions(root: Path, paths: Iterable[str]) -> tuple[pd.DataFrame, list[str], list[Problem]]:
    """The partition of each segment, from CSV files with the columns `KEYS` and partition; other files are ignored.

    Args:
        root: the folder of the files.
        paths: relative to it.

    Returns:
        One row a segment and partition: `KEYS` and partition, text; the files that have the columns; and the rows that
        cannot be used.

    Raises:
        CorpusError: a file that has the columns is not UTF-8 or not a table.
    """
    tables = [pd.DataFrame(columns=_GROUP, dtype="str")]
    taken: list[str] = []
    problems: list[Problem] = []
    for path in paths:
        if not {*_GROUP} <= set(_header(root / path)):
            continue
        taken.append(path)
        wrong = 0
        for chunk in chunks(root / path, _GROUP):
            words = {word: _partition(word) for word in chunk["partition"].unique()}
            bad, wrong = _listed(path, chunk, _misplaced(chunk, words), wrong, problems)
            tables.append(chunk[~bad].assign(partition=chunk["partition"].map(words)).drop_duplicates())
        _count_further(path, wrong, problems)
    return pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True), taken, problems


def _header(file: Path) -> list[str]:
    """The columns of a CSV file; empty if it is not one."""
    try:
        return [str(name) for name in pd.read_csv(file, nrows=0, encoding="utf-8-sig", encoding_errors="replace")]
    except (OSError, ValueError):
        return []


def _segments(file: Path, path: str, pooling: str, problems: list[Problem]) -> pd.DataFrame:
    """One row a segment of one file, indexed by `KEYS`."""
    pieces: list[pd.DataFrame] = []
    wrong = 0
    for chunk in chunks(file, [*_GROUP, *EMOTIONS]):
        logits = chunk[list(EMOTIONS)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype="float64")
        words = {word: _partition(word) for word in chunk["partition"].unique()}
        complaints = {
            **_misplaced(chunk, words),
            "a logit is not a number": ~np.isfinite(logits).all(axis=1),
        }
        bad, wrong = _listed(path, chunk, complaints, wrong, problems)
        values = logits if pooling == "max" else softmax(logits)
        piece = pd.DataFrame(values, columns=list(EMOTIONS), index=chunk.index)
        piece = piece.assign(**chunk[list(KEYS)], partition=chunk["partition"].map(words), frames=1)
        pieces.append(_joined([piece[~bad]], pooling))
        if len(pieces) == PIECES:
            pieces = [_joined(pieces, pooling)]
    _count_further(path, wrong, problems)
    table = _joined(pieces, pooling).set_index(list(KEYS)) if pieces else pd.DataFrame(columns=[*EMOTIONS, "frames"])
    both = table.index.duplicated(keep=False)
    for key in dict.fromkeys(table.index[both]):
        parts = " and ".join(table.loc[[key], "partition"])
        problems.append(Problem(path, f"{'/'.join(key)} is in the partitions {parts}, left out"))
    table = table[~both]
    values = table[list(EMOTIONS)].to_numpy()
    values = softmax(values) if pooling == "max" else values / table[["frames"]].to_numpy()
    greatest = np.array(EMOTIONS)[values.argmax(axis=1)]
    rows = table[["partition", "frames"]].assign(emotion=greatest)
    return rows.assign(**dict(zip(EMOTIONS, values.T, strict=True)))


def _misplaced(chunk: pd.DataFrame, words: Mapping[object, str | None]) -> dict[str, NDArray[np.bool_]]:
    """What is wrong with the keys and the partition -> the rows where it is; `words` is what partitions mean."""
    return {
        "speaker, video or segment is missing": chunk[list(KEYS)].isna().any(axis=1).to_numpy(),
        f"the partition is none of {', '.join(dict.fromkeys(PARTITIONS.values()))}": (
            chunk["partition"].map({word: part is None for word, part in words.items()}).to_numpy(dtype=bool)
        ),
    }


def _listed(
    path: str,
    chunk: pd.DataFrame,
    complaints: Mapping[str, NDArray[np.bool_]],
    wrong: int,
    problems: list[Problem],
) -> tuple[NDArray[np.bool_], int]:
    """The rows of a piece that have a complaint, and how many of the file have; adds the first `LISTED` to problems."""
    bad = np.zeros(len(chunk), bool)
    for what, rows in complaints.items():
        for row in chunk.index[rows & ~bad]:
            wrong += 1
            if wrong <= LISTED:
                problems.append(Problem(path, f"row {row + 2}: {what}, ignored"))
        bad |= rows
    return bad, wrong


def _count_further(path: str, wrong: int, problems: list[Problem]) -> None:
    """Add a problem on the damaged rows of a file that are not listed one by one."""
    if wrong > LISTED:
        problems.append(Problem(path, f"{wrong - LISTED:,} further rows like the {LISTED} listed, ignored"))


def chunks(file: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Columns of a file in pieces; its keys are text, empty cells are missing."""
    try:
        yield from pd.read_csv(
            file,
            usecols=list(columns),
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
    """The partition for any of its spellings (Heard-Val, heardVal, 3), or None if it is none."""
    return PARTITIONS.get(re.sub(r"[^a-z0-9]", "", str(word).lower()))


def _joined(pieces: list[pd.DataFrame], pooling: str) -> pd.DataFrame:
    """Join pieces to one row for each segment and partition: the maximum or sum of each emotion, and all frames."""
    groups = pd.concat(pieces, ignore_index=True).groupby(_GROUP, sort=False)
    values = groups[list(EMOTIONS)].max() if pooling == "max" else groups[list(EMOTIONS)].sum()
    return values.assign(frames=groups["frames"].sum()).reset_index()


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) logits -> probabilities over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return probabilities
