"""RML, the emotion database of the Ryerson Multimedia Lab (Wang & Guan 2008): eight people act six emotions, as film.

Published programs that read the release have two parts, `rml-1` with the folders `s1` to `s5` and `rml-2` with `s6` to
`s8`, in which a person of several languages has one more folder for each; file names begin with the emotion (an, di,
fe, ha, sa, su). No copy was at hand, so more than this is read:

- The subject is in a folder, at any depth: `s1`, `S01`, `Subject 1`, `subject_1`, `s1 (2)`; or else in the file name
  before the emotion: `s1_an2`. Wherever it is named it must agree, else the clip is left out.
- After the emotion a number follows, and anything else after it: `an1`, `an_01`, `an (1)`, `an1b`. A folder that is
  called like one of the emotions must agree with it.
- The language is the innermost folder that is called like one of `LANGUAGES`, in any case of letters, also as a part of
  its name (`Chinese Mandarin` is two, so none is taken); else it is missing.

A clip is called by subject, the folders between, and the file's stem: `s1/an1`, `s4/English/an1`. The people's genders
are not given. Columns: part (1 or 2, of `rml-1` and `rml-2`), language; each only if it is known of any clip.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, check
from mien.corpora.readers import _subjects

SOURCE = "http://www.rml.ryerson.ca/rml-emotion-database.html (signed agreement)"
LICENCE = "for research, not commercial, by agreement with the laboratory"
SPEECH = "acted, in English, Mandarin, Urdu, Punjabi, Persian and Italian"
EXPECTED = 720
SCHEME = "rml"
LABELLED = {  # Albanie et al.'s program; their paper calls it class-balanced
    "rml": {
        "all": EXPECTED, "anger": 120, "disgust": 120, "fear": 120, "happiness": 120, "sadness": 120, "surprise": 120
    }
}  # fmt: skip
OPTIONS = {"media": "which file to take of a clip that has both: video (default; the release's) or sound"}

LANGUAGES = ("English", "Mandarin", "Chinese", "Urdu", "Punjabi", "Persian", "Italian")
SUBJECTS = 8

_FOLDER = re.compile(r"s(?:ubject)?[ _-]*0*(\d+)(?:[ _-]*\(\d+\))?", re.IGNORECASE)
_NAME = re.compile(r"(?:s(?:ubject)?[ _-]*0*(\d+)[ _-]+)?(an|di|fe|ha|sa|su)[ _-]*\(?\d.*", re.IGNORECASE)
_PART = re.compile(r"rml[ _-]*([12])", re.IGNORECASE)


def read(root: Path, *, media: str = "video") -> Corpus:
    """Read RML, or the subjects of it that are there.

    Args:
        root: the folder that has the subjects' folders below it, or one of these.
        media: "video" or "sound".

    Raises:
        ConfigError: the option is not understood.
        CorpusError: `root` is missing, or no file below it is named like RML's and has a subject.
    """
    table, problems = _subjects.recordings(root, media, _FOLDER, _row, corpus="RML", like="rml-1/s1/an1.avi")
    return check(
        name="rml",
        root=root,
        table=table.drop(columns=[column for column in ("part", "language") if table[column].eq("").all()]),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
        notes=_notes(table),
    )


def _row(path: PurePosixPath) -> dict[str, str] | str:
    """The columns of a file, or a clause: why it has none."""
    name = _NAME.fullmatch(path.stem)
    if name is None:
        return "not a name of RML such as an1"
    above = path.parts[-2::-1]  # innermost first
    speakers = [match[1] for part in above if (match := _FOLDER.fullmatch(part))]
    if not speakers and name[1] is None:
        return "neither a folder such as s1 nor the file name gives the subject"
    speaker = name[1] or speakers[0]
    if why := _subjects.strange_subject(speakers, speaker, SUBJECTS):
        return why
    emotion = _subjects.EMOTIONS[name[2].lower()]
    if why := _subjects.strange_emotion(above, emotion):
        return why
    depth = next((depth for depth, part in enumerate(above) if _FOLDER.fullmatch(part)), 0)
    parts = [match[1] for part in above if (match := _PART.fullmatch(part))]
    return {
        "clip": "/".join([f"s{speaker}", *reversed(above[:depth]), path.stem]),
        "speaker": speaker,
        "emotion": emotion,
        "part": parts[0] if parts else "",
        "language": next((word for part in above if (word := _language(part))), ""),
    }


def _language(folder: str) -> str:
    """The language in a folder's name; empty if there is none, or several."""
    words = re.split(r"[^a-z]+", folder.lower())
    known = [language for language in LANGUAGES if language.lower() in words]
    return known[0] if len(known) == 1 else ""


def _notes(table: pd.DataFrame) -> Iterator[str]:
    """Sentences on which subjects are there, and on what is known of the languages."""
    yield _subjects.counted(table["speaker"], SUBJECTS)
    if unsaid := int(table["language"].eq("").sum()):
        yield f"the language of {unsaid} of {len(table)} clips is not known: no folder is called like one"
