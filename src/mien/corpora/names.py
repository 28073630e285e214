"""What the file names of a corpus tell: who speaks, and where they say it, which sentence, emotion and recording.

For tables that others made of a corpus, which often name no speaker. Readers have a `told(stem)` of their own; the
corpora here that have none follow a rule that their release states. A folder may tell the speaker, too, for a check.
Only rules that are certain are here: a corpus without one has no speakers but those that its table tells.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from mien.corpora.readers import emodb, iemocap, librispeech, nemo, ravdess
from mien.errors import ConfigError, unknown

MOST = 0.9  # share of the names that a rule has to read before a corpus is recognised by its names

# Releases: Cao et al. 2014 (1001_DFA_ANG_XX: actor, sentence, emotion, level); Martin et al. 2006 (s14_an_3: subject,
# emotion, sentence of that emotion); Haq & Jackson 2009 (DC_sa01: speaker, emotion, number); Pichora-Fuller & Dupuis
# 2020 (OAF_back_angry: speaker, word, emotion).
_CREMAD = re.compile(r"(?P<speaker>1\d{3})[_-](?P<sentence>[A-Z]{3})[_-](?P<emotion>[A-Z]{3})[_-](?:LO|MD|HI|XX?)")
_ENTERFACE = re.compile(r"s_?(?P<speaker>\d{1,2})_(?P<sentence>(?P<emotion>an|di|fe|ha|sa|su)_?\d)")
_SAVEE = re.compile(r"(?P<speaker>DC|JE|JK|KL)_?(?P<emotion>sa|su|[adfhn])\d\d")
_TESS = re.compile(r"(?P<speaker>OAF|YAF|OA)_(?P<sentence>[a-z]+)_(?P<emotion>[a-z]+)")

_EMOTIONS = {
    "cremad": {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"},
    "enterface": {
        "an": "anger", "di": "disgust", "fe": "fear", "ha": "happiness", "sa": "sadness", "su": "surprise"
    },
    "savee": {
        "a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "sa": "sadness", "su": "surprise"
    },
    "tess": {
        "angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "neutral": "neutral",
        "ps": "surprise", "sad": "sadness",
    },
}  # fmt: skip
_SAME = {"OA": "OAF"}  # one file of TESS is named so


class Rule(NamedTuple):
    """How a corpus names its files.

    Attributes:
        told: stem -> what it tells (speaker, sentence, emotion, session, recording), or None where it is no such name.
        folder: finds the speaker as a folder tells it, where folders do.
    """

    told: Callable[[str], dict[str, str] | None]
    folder: re.Pattern[str] | None = None

    def folder_speaker(self, path: str) -> str | None:
        """The speaker as the innermost telling folder of a path says, written as in file names; else None."""
        for part in reversed(PurePosixPath(path).parts[:-1]) if self.folder else ():
            if self.folder and (found := self.folder.fullmatch(part)):
                return found[1]
        return None


def _matched(corpus: str, pattern: re.Pattern[str]) -> Callable[[str], dict[str, str] | None]:
    def told(stem: str) -> dict[str, str] | None:
        found = pattern.fullmatch(stem)
        if found is None or not (emotion := _EMOTIONS[corpus].get(found["emotion"])):
            return None
        parts = found.groupdict()
        speaker = parts["speaker"].lstrip("0")
        return parts | {"speaker": _SAME.get(speaker, speaker), "emotion": emotion}

    return told


RULES = {
    "cremad": Rule(_matched("cremad", _CREMAD)),
    "emodb": Rule(emodb.told),
    "enterface": Rule(_matched("enterface", _ENTERFACE), re.compile(r"subject[ _]?0*(\d{1,2})", re.IGNORECASE)),
    "iemocap": Rule(iemocap.told),
    "librispeech": Rule(librispeech.told),
    "nemo": Rule(nemo.told),
    "ravdess": Rule(ravdess.told, re.compile(r"actor_(\d\d)", re.IGNORECASE)),
    "savee": Rule(_matched("savee", _SAVEE), re.compile(r"(DC|JE|JK|KL)")),
    "tess": Rule(_matched("tess", _TESS), re.compile(r"(OAF|YAF)_\w+", re.IGNORECASE)),
}


def rule(name: str) -> Rule:
    """The rule of a corpus; raises ConfigError with the nearest name where there is none."""
    if (found := find(name)) is None:
        raise ConfigError(unknown("corpus with a rule for its file names", name, RULES))
    return RULES[found]


def find(name: str) -> str | None:
    """The key of `RULES` of a corpus as others spell it (CREMA-D, crema_d), or None."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return plain if plain in RULES else None


def recognise(stems: Iterable[str]) -> str | None:
    """The corpus whose names at least `MOST` of the stems are, or None."""
    names = list(stems)
    for corpus, known in RULES.items():
        if names and sum(known.told(name) is not None for name in names) >= MOST * len(names):
            return corpus
    return None
