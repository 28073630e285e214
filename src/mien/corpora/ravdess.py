"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song (Livingstone & Russo 2018): 24 actors.

A file's stem is seven codes: modality - channel - emotion - intensity - statement - repetition - actor. The files lie
under `Actor_XX/` or anywhere else below the root; where a folder tells the actor, the name must say the same, else the
clip is left out: a wrong actor is a speaker in two splits. The same performance in sound (03-...) and in video
(01-...) is two clips. Actors of odd number are men, of even number women. Columns: sentence (the words), statement,
repetition, intensity, modality, channel.
"""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora import folder
from mien.corpora.corpus import Corpus, Problem, check
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

_NAME = re.compile(r"0[1-3]-0[12]-0[1-8]-0[12]-0[12]-0[12]-(?:0[1-9]|1\d|2[0-4])")
_FOLDER = re.compile(r"actor_(\d\d)", re.IGNORECASE)


def told(stem: str) -> dict[str, str] | None:
    """What a name of seven codes tells: speaker, sentence, emotion; None where it is no name of RAVDESS."""
    if _NAME.fullmatch(stem) is None:
        return None
    row = _row(stem, "")
    return {name: row[name] for name in ("speaker", "sentence", "emotion")}


def read(root: Path) -> Corpus:
    """Read RAVDESS, or the parts of it that are there; `expected` counts the kinds of clips that were found.

    Raises:
        CorpusError: `root` is missing, or not one file below it is named like RAVDESS's.
    """
    problems = []
    named = []
    for path in folder.media(root):
        if complaint := _complaint(PurePosixPath(path)):
            problems.append(Problem(path, f"{complaint}, left out"))
        else:
            named.append(path)
    kept, doubled = folder.by_stem(named)
    if not kept:
        raise CorpusError(f"{root}: not RAVDESS; no recording named like Actor_01/03-01-05-01-02-01-01.wav below it")
    table = pd.DataFrame([_row(stem, path) for stem, path in kept.items()])
    return check(
        name="ravdess",
        root=root,
        table=table,
        licence=LICENCE,
        source=SOURCE,
        expected=_expected(zip(table["modality"], table["channel"], strict=True)),
        scheme=SCHEME,
        problems=problems + doubled,
    )


def _complaint(path: PurePosixPath) -> str | None:
    if not _NAME.fullmatch(path.stem):
        return "not a name of RAVDESS such as 03-01-05-01-02-01-01"
    actor = path.stem[-2:]
    for part in path.parts[:-1]:
        if (told := _FOLDER.fullmatch(part)) and told[1] != actor:
            return f"the folder says actor {told[1]}, the name says actor {actor}"
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
