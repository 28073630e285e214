"""EmoDB, the Berlin Database of Emotional Speech (Burkhardt et al. 2005): 10 actors, 10 sentences, 7 emotions.

A file's stem tells everything: `03a01Fa` is speaker 03, sentence a01, emotion F (Freude, happiness), take a. The files
may lie anywhere below the root (`wav/` in the release). Columns: sentence (a01 ... b10), take (a, b, ...).
"""

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora import folder
from mien.corpora.corpus import Corpus, Problem, check
from mien.errors import CorpusError

SOURCE = "http://emodb.bilderbar.info (TU Berlin)"
LICENCE = "free for research"
SPEECH = "acted, German"
EXPECTED = 535
SCHEME = "emodb"

GENDERS = {
    **dict.fromkeys(("03", "10", "11", "12", "15"), "male"),
    **dict.fromkeys(("08", "09", "13", "14", "16"), "female"),
}
EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}

_NAME = re.compile(r"(\d\d)([ab]\d\d)([WLEAFTN])([a-z])")


def read(root: Path) -> Corpus:
    """Read EmoDB; raises CorpusError where not one file below `root` is named like EmoDB's."""
    problems = []
    named = []
    for path in folder.media(root):
        name = _NAME.fullmatch(PurePosixPath(path).stem)
        if name is None:
            problems.append(Problem(path, "not a name of EmoDB such as 03a01Fa, left out"))
        elif name[1] not in GENDERS:
            problems.append(
                Problem(path, f"speaker {name[1]} is none of EmoDB's {', '.join(sorted(GENDERS))}, left out")
            )
        else:
            named.append(path)
    kept, doubled = folder.by_stem(named)
    if not kept:
        raise CorpusError(f"{root}: not EmoDB; no recording named like 03a01Fa.wav below it")
    rows = []
    for stem, path in kept.items():
        speaker, sentence, letter, take = stem[:2], stem[2:5], stem[5], stem[6]
        rows.append((stem, path, speaker, GENDERS[speaker], EMOTIONS[letter], sentence, take))
    return check(
        name="emodb",
        root=root,
        table=pd.DataFrame(rows, columns=["clip", "file", "speaker", "gender", "emotion", "sentence", "take"]),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems + doubled,
    )
