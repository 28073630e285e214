"""What is wrong with a split: findings of fixed names, each with a severity, a sentence and all its rows.

A split is a table, one row for each time that a clip is in a part of a fold: `fold`, `split` (train, validation, test),
`clip`, `speaker`, and where they are told `corpus`, `emotion`, `sentence`, `session`, `recording`, `named` and `folder`
(the speaker as the file's name and folder tell). What is missing is compared with nothing. A **leak** lies across two
parts of one fold; a **note** does not matter for a score on people who were not heard. Nothing here opens a file.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from mien.audit import checks
from mien.audit.checks import Row, Severity, Twins
from mien.protocols import LEAKS

NOTES = {
    "missing-class": "a class of which a test part has no clip",
    "shared-sentence": "a sentence in both train and test, by different speakers",
}
NAMES = (*LEAKS, *NOTES)

SHOWN = 5  # things named in a sentence


class Finding(NamedTuple):
    """One finding over all folds.

    Attributes:
        finding: its name, one of `NAMES`.
        severity: "leak" or "note".
        rows: everything that was found, for a program: `fold`, `splits` and what it is about.
        text: one sentence.
    """

    finding: str
    severity: Severity
    rows: tuple[Row, ...]
    text: str


def examine(
    rows: pd.DataFrame, twins: Sequence[Twins] | None, classes: Sequence[str] | None = None
) -> tuple[list[Finding], dict[str, str]]:
    """All findings but test-statistics, and what could not be examined: name -> why.

    Args:
        rows: the split, see the module.
        twins: pairs of clips of one sound, None where sound was not looked at.
        classes: those that a test part should have; all that are told where it is None.
    """
    told = checks.keyed(rows)
    lacking = _lacking(told)
    pairs = twins or ()
    identical, near = ([pair for pair in pairs if (pair.how == "near") == alike] for alike in (False, True))
    checked: dict[str, Callable[[], Iterable[Row]]] = {
        "shared-speaker": lambda: checks.speakers(told),
        "shared-recording": lambda: checks.recordings(told),
        "same-sentence": lambda: checks.sentences(told),
        "identical-audio": lambda: (*checks.told_twice(told, "train"), *checks.across(told, identical)),
        "near-duplicate": lambda: checks.across(told, near),
        "speaker-conflict": lambda: checks.conflicts(told),
        "validation-overlap": lambda: checks.told_twice(told, "validation"),
        "label-conflict": lambda: checks.labels(told, pairs),
        "missing-class": lambda: checks.missing_classes(told, classes),
        "shared-sentence": lambda: checks.shared_sentences(told),
    }
    found = [one for name, check in checked.items() if name not in lacking for one in grouped(name, check())]
    return sorted(found, key=lambda one: (one.severity, NAMES.index(one.finding))), lacking


def _lacking(told: pd.DataFrame) -> dict[str, str]:
    """What cannot be examined in a split -> why."""
    known = {column for column in told if told[column].notna().any()}
    told_twice = bool({"named", "folder"} & known)
    parts = set(told["split"])
    needs = {
        "shared-speaker": ("speaker" in known, "no speakers are told"),
        "shared-recording": (bool({"recording", "session"} & known), "no recordings or sessions are told"),
        "same-sentence": ({"speaker", "sentence"} <= known, "no sentences are told, or no speakers"),
        "speaker-conflict": (told_twice, "the speaker is told in one place only"),
        "validation-overlap": ("validation" in parts, "the split has no validation"),
        "label-conflict": ("emotion" in known, "no emotions are told"),
        "missing-class": ("emotion" in known and "test" in parts, "no emotions are told, or no test"),
        "shared-sentence": ({"speaker", "sentence"} <= known, "no sentences are told, or no speakers"),
    }
    return {name: why for name, (there, why) in needs.items() if not there}


def grouped(name: str, rows: Iterable[Row]) -> list[Finding]:
    """One finding a severity."""
    kinds: dict[Severity, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.pop("severity"), []).append(row)
    return [Finding(name, kind, tuple(found), sentence(name, found)) for kind, found in kinds.items()]


def sentence(name: str, rows: Sequence[Row]) -> str:
    """What the rows of a finding say, at most `SHOWN` of them by name."""
    folds = list(dict.fromkeys(row["fold"] for row in rows if row["fold"]))
    where = f" ({_folds(folds)})" if folds else ""
    if name == "shared-speaker":
        worst = _worst(rows)
        first, second = worst[0]["splits"]
        who = _some(row["speaker"] for row in worst)
        return f"{len(worst)} of {worst[0]['of']} speakers of {second} are in {first}: {who}{where}"
    if name == "missing-class":
        return f"no clip of {_some(row['emotion'] for row in rows)} in a test part{where}"
    subject, things = _SUBJECTS[name], list(dict.fromkeys(map(_thing, rows)))
    parts = sorted({" and ".join(row["splits"]) for row in rows if row["splits"]})
    place = f" in {' or '.join(parts)}" if parts else ""
    return f"{len(things):,} {subject[len(things) > 1]}{place}: {_some(things)}{where}"


_SUBJECTS = {
    "shared-recording": ("recording or session", "recordings or sessions"),
    "same-sentence": ("sentence of one speaker", "sentences of one speaker each"),
    "identical-audio": ("pair of identical clips", "pairs of identical clips"),
    "near-duplicate": ("pair of clips of one recording", "pairs of clips of one recording"),
    "speaker-conflict": ("clip with two speakers told", "clips with two speakers told"),
    "validation-overlap": ("clip", "clips"),
    "label-conflict": ("clip or pair of clips under two labels", "clips or pairs of clips under two labels"),
    "shared-sentence": ("sentence of different speakers", "sentences of different speakers"),
    "test-statistics": ("model", "models"),
}


def _worst(rows: Sequence[Row]) -> list[Row]:
    """The rows of the fold and parts that share most."""
    places: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        places.setdefault((row["fold"], *row["splits"]), []).append(row)
    return max(places.values(), key=lambda one: (len(one) / one[0]["of"], len(one)))


def _thing(row: Row) -> str:
    """What a row is about, short."""
    if "clips" in row:
        pair = " = ".join(dict.fromkeys(row["clips"]))
        return f"{pair} ({' / '.join(row['emotions'])})" if "emotions" in row else pair
    keys = ("speaker", "sentence", "recording", "session", "model")
    return " ".join(str(row[key]) for key in keys if key in row)


def _folds(folds: Sequence[str]) -> str:
    first = folds[0] if "fold" in folds[0] else f"fold {folds[0]}"
    return first if len(folds) == 1 else f"{len(folds)} folds, such as {first}"


def _some(things: Iterable[str]) -> str:
    names = list(dict.fromkeys(things))
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
