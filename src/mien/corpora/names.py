"""Rules for the file names of published corpora: the speaker and, if given, sentence, emotion and recording.

They serve tables that others made of a corpus, which often have no column of speakers. A rule is the `parse_name(stem)`
of the corpus's reader; for corpora without a reader it is written here, as their release states it. In some corpora a
folder names the speaker as well, which allows a check. Only rules that are certain are here: for a corpus without a
rule, the speakers have to stand in the table.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from mien.corpora.readers import crema_d, emodb, enterface, iemocap, librispeech, nemo, ravdess, tess
from mien.errors import ConfigError, unknown

MOST = 0.9  # a corpus is recognised if its rule can read at least this share of the names

# Release: Haq & Jackson 2009 (DC_sa01: speaker, emotion, number).
_SAVEE = re.compile(r"(?P<speaker>DC|JE|JK|KL)_?(?P<emotion>sa|su|[adfhn])\d\d")

_SAVEE_EMOTIONS = {
    "a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "sa": "sadness", "su": "surprise"
}  # fmt: skip


class Rule(NamedTuple):
    """How a corpus names its files.

    Attributes:
        parse: stem -> its parts (speaker, sentence, emotion, session, recording), or None if it is not such a name.
        folder: matches a folder that names the speaker (group 1); None for a corpus without such folders.
    """

    parse: Callable[[str], dict[str, str] | None]
    folder: re.Pattern[str] | None = None

    def folder_speaker(self, path: str) -> str | None:
        """The speaker, written as in file names, from the innermost folder of a path that names one; else None."""
        for part in reversed(PurePosixPath(path).parts[:-1]) if self.folder else ():
            if self.folder and (match := self.folder.fullmatch(part)):
                return match[1]
        return None


def _savee(stem: str) -> dict[str, str] | None:
    match = _SAVEE.fullmatch(stem)
    return None if match is None else match.groupdict() | {"emotion": _SAVEE_EMOTIONS[match["emotion"]]}


RULES = {
    "cremad": Rule(crema_d.parse_name),
    "emodb": Rule(emodb.parse_name),
    "enterface": Rule(enterface.parse_name, enterface.FOLDER),
    "iemocap": Rule(iemocap.parse_name),
    "librispeech": Rule(librispeech.parse_name),
    "nemo": Rule(nemo.parse_name),
    "ravdess": Rule(ravdess.parse_name, re.compile(r"actor_(\d\d)", re.IGNORECASE)),
    "savee": Rule(_savee, re.compile(r"(DC|JE|JK|KL)")),
    "tess": Rule(tess.parse_name, tess.FOLDER),
}


def rule(name: str) -> Rule:
    """The rule of a corpus; raises ConfigError with the nearest name if there is none."""
    if (key := find(name)) is None:
        raise ConfigError(f"--reader: {unknown('corpus', name, RULES)}")
    return RULES[key]


def find(name: str) -> str | None:
    """The key in `RULES` for a usual spelling of a corpus (CREMA-D, crema_d), or None."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return plain if plain in RULES else None


def recognise(stems: Iterable[str]) -> str | None:
    """The corpus whose rule reads at least the share `MOST` of the stems, or None."""
    names = list(stems)
    for corpus, known in RULES.items():
        if names and sum(known.parse(name) is not None for name in names) >= MOST * len(names):
            return corpus
    return None
