"""The images of FER2013, one a row of a CSV file: a number for the emotion, 48 x 48 grey values, and the part.

The file is read once and line by line. Columns are found by their names, so that both orders that are about are read.
"""

import bz2
import csv
import gzip
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.errors import CorpusError

NAMES = ("fer2013.csv", "fer2013.csv.gz", "fer2013.csv.bz2")
SIDE = 48
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # 0 to 6
COLUMNS = ("emotion", "pixels", "Usage")

_OPEN = {".csv": Path.open, ".gz": gzip.open, ".bz2": bz2.open}
_LINE = 65_536  # characters: more than any image has, and no more than fits into memory
_SHOWN = 40  # characters of a cell that a sentence shows
_DIGITS = 9  # of a count: more are no count of anything, and Python refuses to read thousands


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        emotion: one of `EMOTIONS`; None where it is not known.
        usage: as written: Training, PublicTest or PrivateTest.
        image: (1, 48, 48) uint8; None where it cannot be used.
        problem: why, one clause; empty if it can be used.
    """

    emotion: str | None
    usage: str
    image: NDArray[np.uint8] | None
    problem: str = ""


def rows(file: Path) -> Iterator[Row]:
    """The rows of the table in their order.

    Raises:
        CorpusError: the file is damaged, a column is missing, or a line is too long for an image.
    """
    try:
        with _OPEN[file.suffix.lower()](file, "rt", encoding="utf-8-sig", newline="") as lines:  # type: ignore[operator]
            table = csv.reader(_bounded(lines, file))
            header = [name.strip() for name in next(table, [])]
            if missing := [name for name in COLUMNS if name not in header]:
                have = ", ".join(map(cut, header[: len(COLUMNS) + 1])) or "nothing"
                raise CorpusError(f"{file}: no column '{missing[0]}'; it has: {have}")
            emotion, pixels, usage = (header.index(name) for name in COLUMNS)
            for number, cells in enumerate(table, start=1):
                if len(cells) != len(header):
                    raise CorpusError(f"{file}: row {number} has {len(cells)} cells and the header line {len(header)}")
                yield _row(cells[emotion].strip(), cells[pixels], cells[usage].strip())
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise CorpusError(f"{file}: cannot be read ({error}); take it from the release again") from error


def is_count(text: str) -> bool:
    """Whether a text is a whole number from 0 on, of digits alone."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def cut(text: str) -> str:
    """A cell for a sentence: the beginning of a long one."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _bounded(lines: IO[str], file: Path) -> Iterator[str]:
    number = 0
    while line := lines.readline(_LINE):
        number += 1
        if len(line) == _LINE:
            raise CorpusError(f"{file}: line {number} is longer than an image of {SIDE} x {SIDE} can be")
        yield line


def _row(emotion: str, pixels: str, usage: str) -> Row:
    name = EMOTIONS[int(emotion)] if is_count(emotion) and int(emotion) < len(EMOTIONS) else None
    values = _numbers(pixels)
    if len(values) == SIDE * SIDE and pixels.count(" ") == SIDE * SIDE - 1 and 0 <= values.min() <= values.max() <= 255:
        return Row(name, usage, values.astype(np.uint8).reshape(1, SIDE, SIDE))
    words = pixels.split()
    if len(words) != SIDE * SIDE:
        return Row(name, usage, None, f"the image has {len(words)} pixels, not {SIDE} x {SIDE}")
    if strange := [word for word in words if not (is_count(word) and int(word) < 256)]:
        return Row(name, usage, None, f"the pixel '{cut(strange[0])}' is no whole number from 0 to 255")
    return Row(name, usage, np.array(list(map(int, words)), np.uint8).reshape(1, SIDE, SIDE))


def _numbers(pixels: str) -> NDArray[np.int64]:
    """The numbers of a text up to the first word that is none: much quicker than word by word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that the text goes on
        try:
            return np.fromstring(pixels, np.int64, sep=" ")
        except ValueError:
            return np.zeros(0, np.int64)
