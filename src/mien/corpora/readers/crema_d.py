"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset (Cao et al. 2014): 91 actors, 12 sentences.

A file's stem is `1001_DFA_ANG_XX`: actor, sentence, intended emotion, and level (LO, MD, HI; XX where none was asked
for). Files are anywhere below the root. The release has a performance as sound (`AudioWAV/`, `AudioMP3/`) and as film
with the same sound (`VideoFlash/`): that is one clip, and no problem. `VideoDemographics.csv` at the root or below it
gives age and sex, race and ethnicity of the actors; the votes on the clips are read by `_crema_d_votes`.

Emotions are the intended ones, or those of most votes on the voice, on the face or on both (option `labels`). Where two
emotions have most votes, they tie, and by default the clip has no emotion (option `ties`).

Columns: sentence (its code), text (its words), intended (the emotion), level (low, medium, high); age (years), race,
ethnicity; with votes voice_majority, face_majority, both_majority (several emotions of a tie joined by "+"), and with
their counts votes_voice_anger ... votes_both_sadness (counts) and voice_anger ... both_sadness (shares, which sum to 1
over the six emotions of a presentation).
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check, read_table
from mien.corpora.readers import _crema_d_votes, _files
from mien.corpora.readers._crema_d_votes import PRESENTATIONS, TABLES, Votes
from mien.errors import ConfigError, CorpusError, unknown

SOURCE = "https://github.com/CheyneyComputerScience/CREMA-D"
LICENCE = "Open Database License (ODbL) 1.0"
SPEECH = "acted, American English"
EXPECTED = 7_442
SCHEME = "crema_d"
OPTIONS = {
    "labels": "the emotion: intended (default), or that of most votes on the voice, on the face, or on both",
    "ties": "the emotion where votes tie: missing (default), intended where it is among the tied, or first: the same, "
    "else the first of the tied in the alphabet",
    "media": "which file to take of a clip that has both: sound (default) or video",
}
LABELS = ("intended", *PRESENTATIONS)
TIES = ("missing", "intended", "first")

EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": ""}
SENTENCES = {
    "DFA": "Don't forget a jacket",
    "IEO": "It's eleven o'clock",
    "IOM": "I'm on my way to the meeting",
    "ITH": "I think I have a doctor's appointment",
    "ITS": "I think I've seen this before",
    "IWL": "I would like a new alarm clock",
    "IWW": "I wonder what this is about",
    "MTI": "Maybe tomorrow it will be cold",
    "TAI": "The airplane is almost full",
    "TIE": "That is exactly what happened",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
PEOPLE = "VideoDemographics.csv"
FURTHER = {"Sex": "gender", "Age": "age", "Race": "race", "Ethnicity": "ethnicity"}  # column of the table -> ours

# Copies of the release write hyphens, or the level X for XX.
_NAME = re.compile(r"(10(?:0[1-9]|[1-8]\d|9[01]))[_-]([A-Z]{3})[_-]([A-Z]{3})[_-](LO|MD|HI|XX?)")


def parse_name(stem: str) -> dict[str, str] | None:
    """The speaker, sentence and emotion in a name such as 1001_DFA_ANG_XX; None if it is not a name of CREMA-D."""
    name = _NAME.fullmatch(stem)
    if name is None or name[2] not in SENTENCES or name[3] not in EMOTIONS:
        return None
    return {"speaker": name[1], "sentence": name[2], "emotion": EMOTIONS[name[3]]}


def clip_of(name: str) -> str | None:
    """The clip of a file's stem, as the tables of the release spell it; None if it is not a name of CREMA-D."""
    if parse_name(name) is None:
        return None
    actor, sentence, emotion, level = re.split("[_-]", name)
    return f"{actor}_{sentence}_{emotion}_{'XX' if level == 'X' else level}"


def read(root: Path, *, labels: str = "intended", ties: str | None = None, media: str = "sound") -> Corpus:
    """Read CREMA-D, or the part of it that is there.

    Args:
        root: the folder that has the recordings and, if they are there, the tables below it.
        labels: see `OPTIONS`.
        ties: see `OPTIONS`.
        media: "sound" or "video".

    Raises:
        ConfigError: an option is not understood, or has no effect.
        CorpusError: `root` is missing, no file below it is named like CREMA-D's, a table is damaged, or there are no
            votes that `labels` asks for.
    """
    for option, value, known in (
        ("labels", labels, LABELS),
        ("ties", ties, TIES),
        ("media", media, _files.KINDS),
    ):
        if value is not None and value not in known:
            raise ConfigError(f"option {option}: {unknown('value', value, known)}")
    if ties is not None and labels == "intended":
        raise ConfigError(
            "option ties: intended emotions have no ties; leave it out, or give labels=both, voice or face"
        )
    files, problems = _recordings(_files.media(root), media)
    if not files:
        raise CorpusError(f"{root}: not CREMA-D; no recording named like AudioWAV/1001_DFA_ANG_XX.wav below it")
    votes = _crema_d_votes.read(root, clip_of, files)
    people, strange = _people(root, {clip[:4] for clip in files})
    problems += [*votes.problems, *strange]
    if labels != "intended" and not any((clip, labels) in votes.most for clip in files):
        raise CorpusError(
            f"{root}: labels={labels} needs the votes, and no {' or '.join(TABLES)} in it or below it has any of its "
            "clips; take them from the release (processedResults), or give labels=intended"
        )
    rows = []
    for clip, file in files.items():
        row = _row(clip, file) | people.get(clip[:4], dict.fromkeys(FURTHER.values(), "") if people else {})
        row["emotion"] = _emotion(row["intended"], votes.most.get((clip, labels), ()), labels, ties or TIES[0])
        if labels != "intended" and (clip, labels) not in votes.most:
            problems.append(Problem(file, f"{' and '.join(votes.tables)} has no vote for it, so it has no emotion"))
        rows.append(row | (votes.columns(clip) if votes.tables else {}))
    return check(
        name="crema_d",
        root=root,
        table=pd.DataFrame(rows),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
        notes=_notes(rows, votes, labels, ties or TIES[0]),
    )


def _recordings(paths: Iterable[str], media: str) -> tuple[dict[str, str], list[Problem]]:
    """One file a clip, of the kind that is asked for where there are both; and the files that are not taken.

    That a clip is there as wav, as mp3 and as film is the release's way; a second file of one ending is a problem.
    """
    named = {path: clip_of(PurePosixPath(path).stem) for path in paths}
    kept, problems = _files.one_each([(path, clip) for path, clip in named.items() if clip], media)
    strange = [path for path, clip in named.items() if clip is None]
    return kept, [*problems, *(Problem(path, f"{_complaint(PurePosixPath(path).stem)}, left out") for path in strange)]


def _complaint(stem: str) -> str:
    """Why a file is not one of CREMA-D, as a clause."""
    name = _NAME.fullmatch(stem)
    if name and name[2] not in SENTENCES:
        return f"sentence '{name[2]}' is none of {', '.join(SENTENCES)}"
    if name:
        return f"emotion '{name[3]}' is none of {', '.join(EMOTIONS)}"
    return "not a name of CREMA-D such as 1001_DFA_ANG_XX"


def _row(clip: str, file: str) -> dict[str, Any]:
    actor, sentence, emotion, level = clip.split("_")
    return {
        "clip": clip,
        "file": file,
        "speaker": actor,
        "sentence": sentence,
        "text": SENTENCES[sentence],
        "intended": EMOTIONS[emotion],
        "level": LEVELS[level],
    }


def _emotion(intended: str, most: tuple[str, ...], labels: str, ties: str) -> str:
    """The emotion of a clip; "" is missing."""
    if labels == "intended":
        return intended
    if len(most) < 2:
        return most[0] if most else ""
    if ties != "missing" and intended in most:
        return intended
    return most[0] if ties == "first" else ""


def _people(root: Path, actors: Iterable[str]) -> tuple[Mapping[str, dict[str, str]], list[Problem]]:
    """Actor -> gender, age, race and ethnicity; rows that cannot be used, and actors without one, are problems."""
    paths = [path for path in _files.files(root, ".csv") if PurePosixPath(path).name == PEOPLE]
    if not paths:
        return {}, []
    first, others = _files.nearest(paths, (PEOPLE.lower(),))
    problems = [Problem(path, f"a second table of actors beside {first}, ignored") for path in others]
    table = read_table(root / first)
    if lacking := [name for name in ("ActorID", *FURTHER) if name not in table]:
        raise CorpusError(
            f"{root / first}: no column '{lacking[0]}'; it has: {', '.join(map(str, table))}; take it from the release"
        )
    people: dict[str, dict[str, str]] = {}
    for number, row in enumerate(table.fillna("").to_dict("records"), start=2):
        if (actor := str(row["ActorID"]).strip()) in people:
            problems.append(Problem(first, f"row {number}: actor {actor} has a row already, ignored"))
            continue
        people[actor] = {ours: str(row[theirs]).strip() for theirs, ours in FURTHER.items()}
    return people, problems + [
        Problem(first, f"no row of actor {actor}, whose gender, age, race and ethnicity are not known")
        for actor in sorted(set(actors) - set(people))
    ]


def _notes(rows: list[dict[str, Any]], votes: Votes, labels: str, ties: str) -> Iterable[str]:
    """Sentences on the tables that are there, and on ties."""
    if "gender" not in rows[0]:
        yield f"no {PEOPLE} in the folder or below it: gender, age, race and ethnicity are not known"
    if not votes.tables:
        yield f"no votes ({' or '.join(TABLES)}) in the folder or below it; emotions are the intended ones"
        return
    yield f"votes are those of {' and '.join(votes.tables)}; emotions are {_WHAT[labels]}"
    for presentation in PRESENTATIONS if labels == "intended" else (labels,):
        tied = [row for row in rows if len(votes.most.get((row["clip"], presentation), ())) > 1]
        among = sum(row["intended"] in votes.most[row["clip"], presentation] for row in tied)
        if not tied:
            continue
        note = (
            f"{_clips(len(tied))} of {len(rows):,} with a tie of the votes on {_ON[presentation]}, "
            f"{among:,} of them with the intended emotion among the tied"
        )
        if labels != "intended":
            missing = sum(not row["emotion"] for row in tied)
            note += f"; ties={ties}: {_clips(missing)} without an emotion for that"
        yield note


_ON = {"voice": "the voice", "face": "the face", "both": "voice and face"}
_WHAT = {"intended": "the intended ones", **{name: f"those of most votes on {text}" for name, text in _ON.items()}}


def _clips(count: int) -> str:
    return f"{count:,} clip{'' if count == 1 else 's'}"
