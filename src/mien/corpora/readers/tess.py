"""TESS, the Toronto emotional speech set (Pichora-Fuller & Dupuis 2020): 2 actresses, 200 words, 7 emotions.

A file's stem is `OAF_back_fear`: speaker, the word that is said ("Say the word back"), emotion. OAF, the older actress,
is 64 years old, YAF, the younger one, 26. The release has one file of another spelling, `OA_bite_neutral`: it is the
clip `OAF_bite_neutral`. The files are in a folder of each speaker and emotion (`OAF_Fear/`, `YAF_pleasant_surprised/`)
or anywhere else below the root. If a folder names speaker and emotion, the file name must agree, else the clip is left
out: a wrong speaker may end up in two splits. `ps`, pleasant surprise, is surprise. Columns: sentence (the word), text
(what is said), age (years).
"""

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, check
from mien.corpora.readers import _files
from mien.errors import CorpusError

SOURCE = "https://doi.org/10.5683/SP2/E8H2MF"
LICENCE = "CC BY-NC-ND 4.0"
SPEECH = "acted, Canadian English"
EXPECTED = 2800
SCHEME = "tess"

AGES = {"OAF": "64", "YAF": "26"}
EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
FOLDER = re.compile(r"(OAF|YAF)_\w+", re.IGNORECASE)  # the folder of a speaker, and of an emotion

_NAME = re.compile(r"(OAF|YAF|OA)_([a-z]+)_([a-z]+)")
_SURPRISE = "pleasant_surprise"  # how the folders of `ps` begin
_SPEAKERS = {"OA": "OAF"}  # in one file of the release


def parse_name(stem: str) -> dict[str, str] | None:
    """The speaker, sentence and emotion in a name such as OAF_back_fear; None if it is not a name of TESS."""
    name = _NAME.fullmatch(stem)
    if name is None or name[3] not in EMOTIONS:
        return None
    return {"speaker": _SPEAKERS.get(name[1], name[1]), "sentence": name[2], "emotion": EMOTIONS[name[3]]}


def clip_of(stem: str) -> str:
    """The clip of a file's stem, whose speaker is OAF or YAF."""
    speaker, _, rest = stem.partition("_")
    return f"{_SPEAKERS.get(speaker, speaker)}_{rest}"


def read(root: Path) -> Corpus:
    """Read TESS, or the part of it that is there; raises CorpusError if no file below `root` is named like TESS's."""
    kept, problems = _files.usable(_files.media(root), _complaint, clip_of)
    if not kept:
        example = f" ({problems[0].file}: {problems[0].problem})" if problems else ""
        raise CorpusError(f"{root}: not TESS; no recording named like OAF_Fear/OAF_back_fear.wav below it{example}")
    rows = [{"clip": clip, "file": path} | _labels(clip) for clip, path in kept.items()]
    return check(
        name="tess",
        root=root,
        table=pd.DataFrame(rows),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
    )


def _labels(clip: str) -> dict[str, str]:
    """What the name of a clip says."""
    parts = parse_name(clip) or {}
    return {
        **parts,
        "gender": "female",
        "text": f"Say the word {parts['sentence']}",
        "age": AGES[parts["speaker"]],
    }


def _complaint(path: PurePosixPath) -> str | None:
    """Why a file cannot be used, as a clause; None if it can."""
    name = _NAME.fullmatch(path.stem)
    if name is None:
        return "not a name of TESS such as OAF_back_fear"
    if name[3] not in EMOTIONS:
        return f"emotion '{name[3]}' is none of {', '.join(EMOTIONS)}"
    speaker = _SPEAKERS.get(name[1], name[1])
    for part in path.parts[:-1]:
        if FOLDER.fullmatch(part) is None:
            continue
        folder, _, emotion = part.partition("_")
        if folder.upper() != speaker:
            return f"the folder is of speaker {folder.upper()}, the file name of {speaker}"
        code = "ps" if emotion.lower().startswith(_SURPRISE) else emotion.lower()
        if code in EMOTIONS and code != name[3]:
            return f"the folder is of the emotion '{code}', the file name of '{name[3]}'"
    return None
