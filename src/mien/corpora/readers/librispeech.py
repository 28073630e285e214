"""LibriSpeech (Panayotov et al. 2015): read English from LibriVox, without emotion.

Layout `SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-UTTERANCE.flac` beside `SPEAKERS.TXT`, which gives each speaker's sex.
The root is the folder with SPEAKERS.TXT, the one above it, or one subset in it. Folders and file name must agree on the
speaker. Columns: recording (SPEAKER-CHAPTER), subset, and text if there are transcripts (`.trans.txt`).
"""

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check
from mien.corpora.readers import _files
from mien.errors import CorpusError

SOURCE = "https://www.openslr.org/12 (excerpts: https://www.openslr.org/31)"
LICENCE = "CC BY 4.0"
SPEECH = "read aloud, English, without emotion labels"
EXPECTED = 292_367  # the seven subsets of the full release
SCHEME = "none"

COMPLETE = {
    "dev-clean": 2703,
    "dev-other": 2864,
    "test-clean": 2620,
    "test-other": 2939,
    "train-clean-100": 28_539,
    "train-clean-360": 104_014,
    "train-other-500": 148_688,
    "dev-clean-2": 1089,  # the last two: Mini LibriSpeech
    "train-clean-5": 1519,
}

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)")


def parse_name(stem: str) -> dict[str, str] | None:
    """The speaker and recording in a name such as 84-121123-0000; None if it is not an utterance."""
    if (name := _NAME.fullmatch(stem)) is None:
        return None
    return {"speaker": name[1], "recording": f"{name[1]}-{name[2]}"}


def read(root: Path) -> Corpus:
    """Read LibriSpeech, or some of its subsets; `expected` counts the clips of the subsets that are there.

    Raises:
        CorpusError: `root` is missing, there is no SPEAKERS.TXT, or no utterance.
    """
    paths = _files.media(root)
    places = (root, root / "LibriSpeech", root.resolve().parent)
    listing = next((place / "SPEAKERS.TXT" for place in places if (place / "SPEAKERS.TXT").is_file()), None)
    if listing is None:
        raise CorpusError(
            f"{root}: not LibriSpeech; no SPEAKERS.TXT in it, in LibriSpeech/ below it, or one level above"
        )
    sexes = _sexes(listing)
    kept, problems = _files.usable(paths, _complaint)
    if not kept:
        raise CorpusError(f"{root}: not LibriSpeech; no utterance such as 84/121123/84-121123-0000.flac below it")
    words = _words(root)
    rows = []
    for stem, path in kept.items():
        speaker, chapter, _ = stem.split("-")
        places_above = (*root.resolve().parts, *PurePosixPath(path).parts[:-1])
        subset = places_above[-3] if places_above[-2:] == (speaker, chapter) else None
        rows.append((stem, path, speaker, sexes.get(speaker), f"{speaker}-{chapter}", subset, words.get(stem)))
    columns = ["clip", "file", "speaker", "gender", "recording", "subset", "text"]
    table = pd.DataFrame(rows, columns=columns)
    unlisted = sorted(set(table["speaker"]) - set(sexes))
    problems += [
        Problem("SPEAKERS.TXT", f"speaker {speaker} is not listed, so the gender is missing") for speaker in unlisted
    ]
    subsets = set(table["subset"].dropna())
    return check(
        name="librispeech",
        root=root,
        table=table if words else table.drop(columns="text"),
        licence=LICENCE,
        source=SOURCE,
        expected=sum(COMPLETE[subset] for subset in subsets) if subsets and subsets <= COMPLETE.keys() else None,
        scheme=SCHEME,
        problems=problems,
    )


def _complaint(path: PurePosixPath) -> str | None:
    name = _NAME.fullmatch(path.stem)
    if name is None:
        return "not a name of LibriSpeech such as 84-121123-0000"
    above = path.parts[-3:-1]
    if len(above) == 2 and all(part.isdigit() for part in above) and above != (name[1], name[2]):
        return f"the folders are {'/'.join(above)}, the file name gives {name[1]}/{name[2]}"
    return None


def _sexes(listing: Path) -> dict[str, str]:
    """Speaker -> "F" or "M", from lines such as `14   | F | train-clean-360  | 25.03 | Kristin LeMoine`."""
    lines = listing.read_text(encoding="utf-8", errors="replace").splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines if not line.startswith(";")]
    return {row[0]: row[1] for row in cells if len(row) > 1}


def _words(root: Path) -> dict[str, str]:
    """Utterance -> its words, from lines such as `84-121123-0000 GO DO YOU HEAR`."""
    words: dict[str, str] = {}
    for path in _files.files(root, ".txt"):
        if path.endswith(".trans.txt"):
            for line in (root / path).read_text(encoding="utf-8", errors="replace").splitlines():
                utterance, _, text = line.partition(" ")
                words[utterance] = text
    return words
