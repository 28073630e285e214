"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song (Livingstone & Russo 2018): 24 actors.

A file's stem is seven codes: modality - channel - emotion - intensity - statement - repetition - actor. The files are
under `Actor_XX/` or anywhere else below the root. If a folder names an actor, the file name must agree, else the clip
is left out: a wrong speaker may end up in two splits. The same performance in sound (03-...) and in video (01-...) is
two clips. Actors of odd number are men, of even number women. Columns: sentence (the words), statement, repetition,
intensity, modality, channel.

If `action_units.csv` is at the root, its columns follow, float64: facial action units of OpenFace (Baltrusaitis et al.
2018), means over the frames of a video; `AU01_r` to `AU45_r` are intensities from 0 to 5, `AU01_c` to `AU45_c` the
share of frames in which the unit is active. Its column `clip` names the video; every clip of the same performance gets
the row, sound included. As one vector a clip it has no course over time, so it is not synchronous with the voice.

If `action_unit_bilstm_logits.csv` is at the root, what a model of faces says of the film of each performance follows,
float64: `logit_neutral` to `logit_surprise`, from its columns neutral, calm, happy, sad, angry, fear, disgust and
surprise; and `teacher_fold`, its column `fold`: which part of the actors the model had not been trained on. An actor's
logits are of a model that never saw that actor, but was trained on labels of the others.
"""

import math
import re
from collections.abc import Iterable, Mapping, Set
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check, read_table
from mien.corpora.readers import _files
from mien.errors import CorpusError

SOURCE = "https://zenodo.org/records/1188976"
LICENCE = "CC BY-NC-SA 4.0"
SPEECH = "acted, North American English"
EXPECTED = 1440
SCHEME = "ravdess"

# Clips of the complete corpus in each modality; actor 18 has no song.
COMPLETE = {"speech": EXPECTED, "song": 1012}

MODALITIES = {"01": "audio-video", "02": "video", "03": "audio"}
CHANNELS = {"01": "speech", "02": "song"}
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
INTENSITIES = {"01": "normal", "02": "strong"}
SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}

ACTION_UNITS = "action_units.csv"
FACE_LOGITS = "action_unit_bilstm_logits.csv"
LOGITS = {  # its column -> ours
    "neutral": "logit_neutral",
    "calm": "logit_calm",
    "happy": "logit_happiness",
    "sad": "logit_sadness",
    "angry": "logit_anger",
    "fear": "logit_fear",
    "disgust": "logit_disgust",
    "surprise": "logit_surprise",
}
FOLD = "teacher_fold"

_NAME = re.compile(r"0[1-3]-0[12]-0[1-8]-0[12]-0[12]-0[12]-(?:0[1-9]|1\d|2[0-4])")
_FOLDER = re.compile(r"actor_(\d\d)", re.IGNORECASE)
_UNIT = re.compile(r"AU\d\d_[rc]")


def parse_name(stem: str) -> dict[str, str] | None:
    """The speaker, sentence and emotion in a name of seven codes; None if it is not a name of RAVDESS."""
    if _NAME.fullmatch(stem) is None:
        return None
    row = _row(stem, "")
    return {name: row[name] for name in ("speaker", "sentence", "emotion")}


def read(root: Path) -> Corpus:
    """Read RAVDESS, or the parts of it that are there; `expected` counts the modalities and channels that are there.

    Raises:
        CorpusError: `root` is missing, no file below it is named like RAVDESS's, or its `action_units.csv` or
            `action_unit_bilstm_logits.csv` is not a table with the column `clip` and action units, or logits and fold.
    """
    kept, problems = _files.usable(_files.media(root), _complaint)
    if not kept:
        raise CorpusError(f"{root}: not RAVDESS; no recording named like Actor_01/03-01-05-01-02-01-01.wav below it")
    table = pd.DataFrame([_row(stem, path) for stem, path in kept.items()])
    performances, strange = {_performance(stem) for stem in kept}, []
    for rows, complaints in (_action_units(root, performances), _face_logits(root, performances)):
        strange += complaints
        if rows:
            names = list(next(iter(rows.values())))
            unknown = dict.fromkeys(names, math.nan)
            values = [rows.get(_performance(stem), unknown) for stem in table["clip"]]
            table = pd.concat([table, pd.DataFrame(values, columns=names, dtype="float64")], axis=1)
    return check(
        name="ravdess",
        root=root,
        table=table,
        licence=LICENCE,
        source=SOURCE,
        expected=_expected(zip(table["modality"], table["channel"], strict=True)),
        scheme=SCHEME,
        problems=problems + strange,
    )


def _complaint(path: PurePosixPath) -> str | None:
    if not _NAME.fullmatch(path.stem):
        return "not a name of RAVDESS such as 03-01-05-01-02-01-01"
    actor = path.stem[-2:]
    for part in path.parts[:-1]:
        if (folder := _FOLDER.fullmatch(part)) and folder[1] != actor:
            return f"the folder is of actor {folder[1]}, the file name of actor {actor}"
    return None


def _row(stem: str, path: str) -> dict[str, str]:
    modality, channel, emotion, intensity, statement, repetition, actor = stem.split("-")
    return {
        "clip": stem,
        "file": path,
        "speaker": actor,
        "gender": "male" if int(actor) % 2 else "female",
        "emotion": EMOTIONS[emotion],
        "sentence": SENTENCES[statement],
        "statement": statement,
        "repetition": repetition,
        "intensity": INTENSITIES[intensity],
        "modality": MODALITIES[modality],
        "channel": CHANNELS[channel],
    }


def _expected(kinds: Iterable[tuple[str, str]]) -> int:
    return sum(COMPLETE[channel] for _, channel in set(kinds))


def _performance(stem: str) -> str:
    """The performance of a clip: all codes but the first, the modality."""
    return stem[3:]


Rows = Mapping[str, Mapping[str, float]]  # performance -> column -> value


def _action_units(root: Path, performances: Set[str]) -> tuple[Rows, list[Problem]]:
    """The action units of the performances in the corpus."""
    path = root / ACTION_UNITS
    if not path.is_file():
        return {}, []
    table = read_table(path, blank_lines=True)
    names = {name: name for name in map(str, table) if _UNIT.fullmatch(name)}
    if "clip" not in table or not names:
        raise CorpusError(
            f"{path}: not a table of action units with the columns clip and AU01_r, ...; "
            f"it has: {', '.join(map(str, table))}; "
            "rename its columns, or take it out of the folder"
        )
    return _rows(table, names, ACTION_UNITS, performances)


def _face_logits(root: Path, performances: Set[str]) -> tuple[Rows, list[Problem]]:
    """The logits of a model of faces, and its fold, of the performances in the corpus."""
    path = root / FACE_LOGITS
    if not path.is_file():
        return {}, []
    table = read_table(path, blank_lines=True)
    names = {**LOGITS, "fold": FOLD}
    if lacking := [name for name in ("clip", *names) if name not in table]:
        raise CorpusError(
            f"{path}: not a table of logits with the columns clip, fold, {', '.join(LOGITS)}; it has no "
            f"'{lacking[0]}'; rename its columns, or take it out of the folder"
        )
    return _rows(table, names, FACE_LOGITS, performances)


def _rows(
    table: pd.DataFrame, names: Mapping[str, str], file: str, performances: Set[str]
) -> tuple[Rows, list[Problem]]:
    """The rows of a table beside the recordings, of performances in the corpus; what cannot be used is a problem.

    Args:
        table: with `clip` and columns of numbers.
        names: these columns -> what they are called here.
        file: its name.
        performances: those in the corpus.
    """
    found: dict[str, Mapping[str, float]] = {}
    problems = []
    actors = {performance[-2:] for performance in performances}
    for number, row in enumerate(table.to_dict("records"), start=2):
        if pd.isna(list(row.values())).all():
            continue
        stem = str(row["clip"])
        performance = _performance(stem)
        values = {new: _number(row[name]) for name, new in names.items()}
        complaint = None
        if not _NAME.fullmatch(stem):
            complaint = f"'{stem}' is not a name of RAVDESS"
        elif performance in found:
            complaint = f"the performance of {stem} has a row already"
        elif lacking := [name for name, new in names.items() if not math.isfinite(values[new])]:
            complaint = f"{lacking[0]} of {stem} is not a number"
        elif performance not in performances:
            if performance[-2:] in actors:
                complaint = f"there is no recording of {stem}"
        else:
            found[performance] = values
        if complaint:
            problems.append(Problem(file, f"row {number}: {complaint}, ignored"))
    return found, problems


def _number(cell: object) -> float:
    """A cell as a number, nan if it is none."""
    try:
        return float(str(cell))
    except ValueError:
        return math.nan
