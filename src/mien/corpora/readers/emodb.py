"""EmoDB, the Berlin Database of Emotional Speech (Burkhardt et al. 2005): 10 actors, 10 sentences, 7 emotions.

A file's stem has all labels: `03a01Fa` is speaker 03, sentence a01, emotion F (Freude, happiness), take a. The files
may be anywhere below the root (`wav/` in the release). Columns: sentence (a01 ... b10), take (a, b, ...).

If the release's `erkennung.txt` is at the root or beside the recordings, there are two more: recognised, the share of
its 20 listeners who named the emotion, and natural, the share who found it natural, both in [0, 1]. The actors recorded
some 800 utterances; those that at least 16 of the 20 listeners recognised are published. A clip without a row has no
values, and a row without a clip is ignored.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check
from mien.corpora.readers import _files
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

LISTENERS = "erkennung.txt"  # latin-1, tabs, decimal commas, no-break spaces: Nr., Satz, erkannt, natuerlich
RATES = ("recognised", "natural")

_NAME = re.compile(r"(\d\d)([ab]\d\d)([WLEAFTN])([a-z])")


def parse_name(stem: str) -> dict[str, str] | None:
    """The speaker, sentence and emotion in a name such as 03a01Fa; None if it is not a name of EmoDB."""
    if _NAME.fullmatch(stem) is None or stem[:2] not in GENDERS:
        return None
    return {"speaker": stem[:2], "sentence": stem[2:5], "emotion": EMOTIONS[stem[5]]}


def read(root: Path) -> Corpus:
    """Read EmoDB; raises CorpusError if no file below `root` is named like EmoDB's."""
    kept, problems = _files.usable(_files.media(root), _complaint)
    if not kept:
        raise CorpusError(f"{root}: not EmoDB; no recording named like 03a01Fa.wav below it")
    rows = []
    for stem, path in kept.items():
        speaker, sentence, letter, take = stem[:2], stem[2:5], stem[5], stem[6]
        rows.append((stem, path, speaker, GENDERS[speaker], EMOTIONS[letter], sentence, take))
    table = pd.DataFrame(rows, columns=["clip", "file", "speaker", "gender", "emotion", "sentence", "take"])
    rates, strange = _listeners(root, kept.values())
    if rates:
        unknown = (float("nan"), float("nan"))
        table[list(RATES)] = [rates.get(stem, unknown) for stem in table["clip"]]
    return check(
        name="emodb",
        root=root,
        table=table,
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems + strange,
    )


def _complaint(path: PurePosixPath) -> str | None:
    name = _NAME.fullmatch(path.stem)
    if name is None:
        return "not a name of EmoDB such as 03a01Fa"
    if name[1] not in GENDERS:
        return f"speaker {name[1]} is none of EmoDB's {', '.join(sorted(GENDERS))}"
    return None


def _listeners(root: Path, recordings: Iterable[str]) -> tuple[Mapping[str, tuple[float, float]], list[Problem]]:
    """Clip -> the shares of listeners that recognised it and found it natural; rows without them are problems."""
    places = dict.fromkeys([PurePosixPath("."), *(PurePosixPath(path).parent for path in recordings)])
    there = next((place / LISTENERS for place in places if (root / place / LISTENERS).is_file()), None)
    if there is None:
        return {}, []
    rates: dict[str, tuple[float, float]] = {}
    problems = []
    for number, line in enumerate((root / there).read_text(encoding="latin-1").splitlines(), start=1):
        cells = [cell.replace("\N{NO-BREAK SPACE}", " ").strip() for cell in line.split("\t")]
        stem = PurePosixPath(cells[1]).stem if len(cells) == 4 else ""
        if _NAME.fullmatch(stem) is None:
            if number > 1 and any(cells):  # the first line is the header
                problems.append(Problem(str(there), f"row {number}: not a recording and two rates, ignored"))
            continue
        try:
            recognised, natural = (float(cell.replace(",", ".")) / 100 for cell in cells[2:])
            if not (0 <= recognised <= 1 and 0 <= natural <= 1):
                raise ValueError
        except ValueError:
            problems.append(Problem(str(there), f"row {number}: the rates of {stem} are not percentages, ignored"))
            continue
        rates[stem] = (recognised, natural)
    return rates, problems
