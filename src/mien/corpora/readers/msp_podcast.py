"""MSP-Podcast (Lotfian & Busso 2019): turns of podcasts, each rated by at least five people; releases grow.

Read from `labels_consensus.csv` (`labels_concensus.csv` in older releases), in the root or below it (`Labels/`), one
row a turn, and the recordings below a folder `Audios` or `Audio`. `Previous_releases_information/` is not read. Columns
of the file: FileName (`MSP-PODCAST_0001_0008.wav`: podcast and turn), EmoClass (the plurality of the raters: A anger,
S sadness, H happiness, U surprise, F fear, D disgust, C contempt, N neutral, O other, X no agreement), EmoAct, EmoVal,
EmoDom (means, 1 to 7, of activation from calm to active, valence from negative to positive, dominance from weak to
strong), SpkrID (a number, or Unknown), Gender (Female, Male, Unknown) and Split_Set (Train, Development or, in older
releases, Validation, Test1, Test2, Test3).

Sources: the readme of a release (scales, letters, files), the page of the corpus (parts and counts), and public
programs that read the file (the older spellings). The labels of Test3 are not published, so its recordings have no row
and are listed.

A turn whose speaker is unknown has a missing speaker, and a note counts these: the person may also speak in another
part, and nobody knows, so that such a turn is never scored. They are in the part Train. `split` is train, validation or
test; of the test parts, which may share speakers, the option `test` takes one, and the turns of the others are in no
split. Without one of the eight emotions the emotion is missing: `consensus` keeps `other` and `none`. Columns:
recording (the podcast), consensus, activation, valence, dominance, partition (Split_Set as it is written), split.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mien.corpora.columns import NOBODY, split_of
from mien.corpora.corpus import Corpus, Problem, check, read_table
from mien.corpora.readers import _files, _msp
from mien.errors import ConfigError, CorpusError, unknown

SOURCE = "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html (signed licence)"
LICENCE = "MSP-Podcast licence of UT Dallas, research only"
SPEECH = "podcasts, spontaneous, English"
EXPECTED = 149_307  # release 1.11 with labels: 84,030 train, 19,815 development, 30,647 Test1, 14,815 Test2
SCHEME = "msp_podcast"
MAY_LACK = ("speaker",)
TESTS = ("Test1", "Test2", "Test3")
OPTIONS = {"test": "which part is tested: Test1 (default), Test2 or Test3; turns of the others are in no split"}

LABELS = ("labels_consensus.csv", "labels_concensus.csv")
FILE, EMOTION, SPEAKER, GENDER, PARTITION = "FileName", "EmoClass", "SpkrID", "Gender", "Split_Set"
RATINGS = {"EmoAct": "activation", "EmoVal": "valence", "EmoDom": "dominance"}
COLUMNS = (FILE, EMOTION, *RATINGS, SPEAKER, GENDER, PARTITION)
EMOTIONS = {
    "A": "anger",
    "S": "sadness",
    "H": "happiness",
    "U": "surprise",
    "F": "fear",
    "D": "disgust",
    "C": "contempt",
    "N": "neutral",
}
CONSENSUS = {**EMOTIONS, "O": "other", "X": "none"}
UNKNOWN = NOBODY | {"unknowned"}  # in some releases
LOWEST, HIGHEST = 1.0, 7.0
OLD, SOUND = "previous_releases_information", ("audios", "audio")  # folders, in small letters

_NAME = re.compile(r"MSP-PODCAST_(\w+)_\d+")


def read(root: Path, *, test: str = "Test1") -> Corpus:
    """Read a release of MSP-Podcast, or the part of it that is there.

    Args:
        root: the folder that has the labels and the recordings below it.
        test: see `OPTIONS`.

    Raises:
        ConfigError: the option is not understood.
        CorpusError: `root` is missing, there are no labels, they lack a column, or no turn has a recording.
    """
    if test not in TESTS:
        raise ConfigError(f"option test: {unknown('part', test, TESTS)}")
    sounds = [path for path in _files.media(root) if _inside(path, SOUND) and not _inside(path, (OLD,))]
    files, problems = _files.by_stem(sounds)
    labels, second = _labels(root)
    given = read_table(root / labels, blank_lines=True)
    if missing := [column for column in COLUMNS if column not in given]:
        raise CorpusError(f"{root / labels}: no column '{missing[0]}'; it has: {', '.join(map(str, given))}")
    turns, complaints = _turns(given, labels, test)
    problems += [*second, *complaints]
    rows = [{"file": files[clip], **turn} for clip, turn in turns.items() if clip in files]
    if not rows:
        raise CorpusError(
            f"{root}: none of the {len(turns):,} turns of {labels} has a recording below a folder Audios, such as "
            f"Audios/{next(iter(turns), 'MSP-PODCAST_0001_0008')}.wav"
        )
    problems += [
        Problem(labels, f"{clip} has no recording {clip}.wav, left out") for clip in turns if clip not in files
    ]
    problems += [
        Problem(path, f"{labels} has no row for it, left out") for clip, path in files.items() if clip not in turns
    ]
    table = pd.DataFrame(rows)
    return check(
        name="msp_podcast",
        root=root,
        table=table,
        licence=LICENCE,
        source=SOURCE,
        expected=max(EXPECTED, len(turns)),
        scheme=SCHEME,
        problems=problems,
        notes=_notes(table),
        may_lack=MAY_LACK,
    )


def _inside(path: str, folders: tuple[str, ...]) -> bool:
    return any(part.lower() in folders for part in PurePosixPath(path).parts[:-1])


def _labels(root: Path) -> tuple[str, list[Problem]]:
    """The path of the labels that are the nearest to the root, and a problem for each further file of them."""
    found = [
        path
        for path in _files.files(root, ".csv")
        if PurePosixPath(path).name.lower() in LABELS and not _inside(path, (OLD,))
    ]
    if not found:
        raise CorpusError(f"{root}: not MSP-Podcast; no {LABELS[0]} in it or below it, such as Labels/{LABELS[0]}")
    first, others = _files.nearest(found, LABELS)
    return first, [Problem(path, f"a second file of labels beside {first}, ignored") for path in others]


def _turns(given: pd.DataFrame, labels: str, test: str) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Clip -> its columns, in the file's order; and what is wrong with rows."""
    turns: dict[str, dict[str, Any]] = {}
    problems = []
    for number, cells in enumerate(given[list(COLUMNS)].fillna("").to_dict("records"), start=2):
        row = {str(column): str(cell).strip() for column, cell in cells.items()}
        if not any(row.values()):
            continue
        clip = PurePosixPath(row[FILE]).stem
        if not clip:
            problems.append(Problem(labels, f"row {number}: no {FILE} is given, ignored"))
        elif clip in turns:
            problems.append(Problem(labels, f"row {number}: {clip} has a row already, ignored"))
        elif row[EMOTION] not in CONSENSUS:
            why = f"{EMOTION} '{row[EMOTION]}' is none of {', '.join(CONSENSUS)}, left out"
            problems.append(Problem(labels, f"row {number}: {clip}: {why}"))
        else:
            turns[clip], complaints = _turn(clip, row, test)
            problems += [Problem(labels, f"row {number}: {clip}: {why}") for why in complaints]
    return turns, problems


def _turn(clip: str, row: Mapping[str, str], test: str) -> tuple[dict[str, Any], list[str]]:
    """The columns of a turn, and clauses on values that are taken as missing."""
    complaints = []
    turn: dict[str, Any] = {
        "clip": clip,
        "speaker": "" if row[SPEAKER].lower() in UNKNOWN else row[SPEAKER],
        "gender": "" if row[GENDER].lower() in UNKNOWN else row[GENDER],
        "emotion": EMOTIONS.get(row[EMOTION], ""),
        "recording": name[1] if (name := _NAME.fullmatch(clip)) else "",
        "consensus": CONSENSUS[row[EMOTION]],
    }
    for column, ours in RATINGS.items():
        turn[ours] = _number(row[column])
        if row[column] and math.isnan(turn[ours]):
            complaints.append(f"{column} '{row[column]}' is not a number from 1 to 7, taken as missing")
    part = split_of(row[PARTITION])
    if row[PARTITION] and (part is None or (part == "test" and row[PARTITION] not in TESTS)):
        complaints.append(f"{PARTITION} '{row[PARTITION]}' is not Train, Development or Test1 to Test3, in no split")
        part = None
    if part == "test" and row[PARTITION] != test:
        part = None
    return turn | {"partition": row[PARTITION], "split": part or ""}, complaints


def _number(text: str) -> float:
    """A mean rating; nan if it is none."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if LOWEST <= value <= HIGHEST else math.nan


def _notes(table: pd.DataFrame) -> Iterator[str]:
    """Sentences on the turns without a speaker, and on those without an emotion."""
    if nobody := int((table["speaker"] == "").sum()):
        yield f"{nobody:,} turns are of unknown speakers, who may be speakers of another part, and are never scored"
    yield from _msp.without_emotion(table["consensus"])
