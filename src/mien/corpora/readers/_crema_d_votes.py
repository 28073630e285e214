"""The votes on CREMA-D's clips, of people who heard the voice, saw the face, or heard and saw both (Cao et al. 2014).

`tabulatedVotes.csv` has a row for each clip and presentation: the counts `A D F H N S`, the clip in `fileName`, and in
its first column a number whose first digit is the presentation: 1 voice, 2 face, 3 both. `summaryTable.csv` has a row a
clip, and the emotion of most votes in `VoiceVote`, `FaceVote` and `MultiModalVote`, several (`A:D`) where they tie.
Both are in the root or below it (`processedResults/` in the release). Counts are taken where both are there.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mien.corpora.corpus import Problem, read_table
from mien.corpora.readers import _files
from mien.errors import CorpusError

LETTERS = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
PRESENTATIONS = {"voice": "VoiceVote", "face": "FaceVote", "both": "MultiModalVote"}  # and their column of majorities
DIGITS = dict(zip("123", PRESENTATIONS, strict=True))
COUNTS, MAJORITIES = TABLES = ("tabulatedVotes.csv", "summaryTable.csv")

Key = tuple[str, str]  # a clip and a presentation


@dataclass
class Votes:
    """The votes on some clips.

    Attributes:
        counts: (clip, presentation) -> how many votes each of `LETTERS` has.
        most: (clip, presentation) -> the emotions with most votes, in the order of `LETTERS`; several are a tie.
        tables: the paths of the tables that were read, relative to the root; none where there is none.
        problems: rows that cannot be used.
    """

    counts: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    most: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def columns(self, clip: str) -> dict[str, Any]:
        """The columns of a clip: the majority of each presentation, the counts and their shares (nan: not known)."""
        row: dict[str, Any] = {}
        for presentation in PRESENTATIONS:
            row[f"{presentation}_majority"] = "+".join(self.most.get((clip, presentation), ()))
        for presentation in PRESENTATIONS if self.counts else ():
            counts = self.counts.get((clip, presentation), (float("nan"),) * len(LETTERS))
            for emotion, count in zip(LETTERS.values(), counts, strict=True):
                row[f"votes_{presentation}_{emotion}"] = float(count)
                row[f"{presentation}_{emotion}"] = count / sum(counts)
        return row


def read(root: Path, clip_of: Callable[[str], str | None], clips: Collection[str]) -> Votes:
    """The votes on some clips.

    Args:
        root: of the corpus.
        clip_of: a name in a table -> the clip; None if it is not a name of CREMA-D.
        clips: those that have a recording. A row of another clip is a problem where its speaker has some.

    Raises:
        CorpusError: a table is damaged, or lacks a column.
    """
    votes = Votes()
    here, speakers = set(clips), {clip[:4] for clip in clips}
    paths = [path for path in _files.files(root, ".csv") if path.rpartition("/")[2] in TABLES]
    for table in TABLES:
        if not (own := [path for path in paths if path.rpartition("/")[2] == table]):
            continue
        first, others = _files.nearest(own, (table.lower(),))
        votes.tables.append(first)
        votes.problems += [Problem(path, f"a second table of votes beside {first}, ignored") for path in others]
        rows = _counts(root / first) if table == COUNTS else _majorities(root / first)
        absent: dict[str, int] = {}
        for number, name, presentation, found in rows:
            clip = clip_of(name)
            if isinstance(found, str):
                why = found
            elif clip is None:
                why = f"'{name}' is not a name of CREMA-D such as 1001_DFA_ANG_XX"
            elif clip not in here:
                if clip[:4] in speakers:
                    absent.setdefault(clip, number)
                continue
            else:
                why = _taken(votes, (clip, presentation), found)
            if why:
                votes.problems.append(Problem(first, f"row {number}: {why}, ignored"))
        votes.problems += [
            Problem(first, f"row {number}: there is no recording of {clip}, ignored") for clip, number in absent.items()
        ]
    return votes


def majority(counts: tuple[int, ...]) -> tuple[str, ...]:
    """The emotions with most of the votes, in the order of `LETTERS`; several are a tie."""
    return tuple(emotion for emotion, count in zip(LETTERS.values(), counts, strict=True) if count == max(counts))


def _taken(votes: Votes, key: Key, found: tuple[int, ...] | tuple[str, ...]) -> str:
    """Keep the counts or the majority of a row; why it cannot be used, "" where it can."""
    counts = tuple(count for count in found if isinstance(count, int))
    if counts:
        if key in votes.counts:
            return f"{key[0]} has a row of votes on {_shown(key)} already"
        votes.counts[key], votes.most[key] = counts, majority(counts)
        return ""
    emotions = tuple(str(emotion) for emotion in found)
    if key in votes.counts and votes.most[key] != emotions:
        return (
            f"{PRESENTATIONS[key[1]]} of {key[0]} is {'+'.join(emotions)}, and the counts of {COUNTS} give "
            f"{'+'.join(votes.most[key])}"
        )
    if key not in votes.counts and key in votes.most:
        return f"{key[0]} has a row already"
    votes.most[key] = emotions
    return ""


def _shown(key: Key) -> str:
    return "voice and face" if key[1] == "both" else key[1]


def _counts(file: Path) -> Iterator[tuple[int, str, str, tuple[int, ...] | str]]:
    """Row, name, presentation, and the counts of the six emotions, or why they cannot be used."""
    table = _table(file, (*LETTERS, "fileName"))
    identities = table.iloc[:, 0]
    for number, identity, name, *cells in zip(
        range(2, len(table) + 2), identities, table["fileName"], *(table[letter] for letter in LETTERS), strict=True
    ):
        presentation = DIGITS.get(identity[:1], "")
        wrong = next(
            (letter for letter, cell in zip(LETTERS, cells, strict=True) if not cell.isascii() or not cell.isdigit()),
            None,
        )
        if not presentation:
            yield number, name, "", f"'{identity}' does not begin with 1 (voice), 2 (face) or 3 (both)"
        elif wrong:
            cell = cells[list(LETTERS).index(wrong)]
            yield number, name, presentation, f"'{cell}' of {wrong} is no count of votes"
        elif not any(map(int, cells)):
            yield number, name, presentation, f"{name} has no vote"
        else:
            yield number, name, presentation, tuple(map(int, cells))


def _majorities(file: Path) -> Iterator[tuple[int, str, str, tuple[str, ...] | str]]:
    """Row, name, presentation, and the emotions of most votes, or why they cannot be used."""
    table = _table(file, ("FileName", *PRESENTATIONS.values()))
    for presentation, column in PRESENTATIONS.items():
        for number, name, cell in zip(range(2, len(table) + 2), table["FileName"], table[column], strict=True):
            letters = [letter.strip() for letter in cell.split(":")]
            if strange := [letter for letter in letters if letter not in LETTERS]:
                yield number, name, presentation, f"{column} '{strange[0]}' is none of {', '.join(LETTERS)}"
            else:
                yield number, name, presentation, tuple(LETTERS[letter] for letter in sorted(set(letters)))


def _table(file: Path, wanted: Collection[str]) -> pd.DataFrame:
    """A table with these columns, blank where a cell is missing."""
    table = read_table(file)
    if lacking := [name for name in wanted if name not in table]:
        raise CorpusError(
            f"{file}: no column '{lacking[0]}'; it has: {', '.join(map(str, table))}; take it from the release"
        )
    return table.fillna("").map(str.strip)
