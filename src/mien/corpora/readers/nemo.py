"""nEMO (Christop 2024): emotional speech in Polish, 9 actors, 90 sentences, 6 emotions, 4,481 clips.

A file's stem is `SPEAKER_emotion_SENTENCE`, such as `KS0_anger_14`; the files are anywhere below the root (`samples/`
in the release). The release's table `data.tsv` (UTF-8, tabs) gives gender, age and text. It is at the root, below it,
or one level above. Its column `file_id` gives a clip's stem, whatever the extension; blanks around cells are ignored.

Name and table must agree on speaker and emotion, else the clip is left out: a wrong speaker may end up in two splits.
A recording without a row is left out as well. Rows without a recording are the shortfall. Columns: sentence (1 ... 90),
and, if the table has them, text (`raw_text`) and age (years).
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check, read_table
from mien.corpora.readers import _files
from mien.errors import CorpusError

SOURCE = "https://github.com/amu-cai/nEMO"
LICENCE = "CC BY-NC-SA 4.0"
SPEECH = "acted, Polish"
EXPECTED = 4481
SCHEME = "nemo"

EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
TABLE = "data.tsv"
CLIP, SPEAKER, EMOTION = "file_id", "speaker_id", "emotion"
FURTHER = {"gender": "gender", "age": "age", "raw_text": "text"}  # column of the table, if it has it -> ours

_NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d+)")


def parse_name(stem: str) -> dict[str, str] | None:
    """The speaker, sentence and emotion in a name such as KS0_anger_14; None if it is not a name of nEMO."""
    name = _NAME.fullmatch(stem)
    if name is None or name[2] not in EMOTIONS:
        return None
    return {"speaker": name[1], "sentence": name[3], "emotion": EMOTIONS[name[2]]}


def read(root: Path) -> Corpus:
    """Read nEMO, or the part of it that is there.

    Raises:
        CorpusError: `root` is missing, there is no `data.tsv`, it lacks the column file_id, speaker_id or emotion, or
            there is no recording named like nEMO's.
    """
    paths = _files.media(root)
    listing = _listing(root)
    rows, problems = _rows(listing)
    kept, strange = _files.usable(paths, lambda path: _complaint(path.stem, rows.get(path.stem)))
    problems += strange
    if not kept:
        example = f" ({problems[-1].file}: {problems[-1].problem})" if problems else ""
        raise CorpusError(f"{root}: no recording below it that nEMO's {TABLE} lists, such as KS0_anger_14.wav{example}")
    clips = [
        {"clip": stem, "file": path}
        | (parse_name(stem) or {})
        | {ours: rows[stem][column] for column, ours in FURTHER.items() if column in rows[stem]}
        for stem, path in kept.items()
    ]
    return check(
        name="nemo",
        root=root,
        table=pd.DataFrame(clips),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
    )


def _listing(root: Path) -> Path:
    below = [path for path in _files.files(root, ".tsv") if PurePosixPath(path).name == TABLE]
    nearest = sorted(below, key=lambda path: (path.count("/"), path))
    places = [*(root / path for path in nearest), root.resolve().parent / TABLE]
    if not places[0].is_file():
        raise CorpusError(f"{root}: not nEMO; no {TABLE} in it, below it, or one level above")
    return places[0]


def _rows(listing: Path) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """Stem -> its cells by column ("" is empty); rows that name no clip, or one with a row already, are problems."""
    table = read_table(listing, separator="\t", blank_lines=True).rename(columns=str.strip)
    if missing := [column for column in (CLIP, SPEAKER, EMOTION) if column not in table]:
        raise CorpusError(
            f"{listing}: no column '{missing[0]}'; it has: {', '.join(map(str, table))}; "
            "take the table of the release, with tabs"
        )
    rows: dict[str, dict[str, str]] = {}
    problems = []
    for number, cells in enumerate(table.fillna("").to_dict("records"), start=2):
        row = {str(column): str(cell).strip() for column, cell in cells.items()}
        if not any(row.values()):
            continue
        stem = PurePosixPath(row[CLIP]).stem
        if _NAME.fullmatch(stem) is None:
            problems.append(
                Problem(TABLE, f"row {number}: '{row[CLIP]}' is not a name such as KS0_anger_14.wav, ignored")
            )
        elif stem in rows:
            problems.append(Problem(TABLE, f"row {number}: {stem} has a row already, ignored"))
        else:
            rows[stem] = row
    return rows, problems


def _complaint(stem: str, row: Mapping[str, str] | None) -> str | None:
    """Why a recording cannot be used, as a clause; None if it can."""
    name = _NAME.fullmatch(stem)
    if name is None:
        return "not a name of nEMO such as KS0_anger_14"
    if name[2] not in EMOTIONS:
        return f"emotion '{name[2]}' is none of {', '.join(EMOTIONS)}"
    if row is None:
        return f"{TABLE} has no row for it"
    for what, column, code in (("speaker", SPEAKER, name[1]), ("emotion", EMOTION, name[2])):
        if row[column] != code:
            return f"{TABLE} gives the {what} '{row[column]}', the file name gives '{code}'"
    return None
