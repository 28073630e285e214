"""What is wrong with a split: findings of fixed names, each with a severity, a sentence and all its rows.

A split is a table, one row for each time that a clip is in a part of a fold: `fold`, `split` (train, validation, test),
`clip`, `speaker`, and where they are told `corpus`, `emotion`, `sentence`, `session`, `recording`, and the speaker as
table (`listed`), name of the file (`named`) and `folder` tell. What is missing is compared with nothing.
A **leak** lies across two parts of one fold; a **note** does not matter for a score on people who were not heard.
Nothing here opens a file.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from mien.audit.splits import checks
from mien.audit.splits.checks import Row, Severity, Twins
from mien.data.protocols import LEAKS

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
) -> tuple[list[Finding], dict[str, str], dict[str, str]]:
    """All findings but test-statistics; what could not be examined: name -> why; what was in part: name -> what was.

    Args:
        rows: the split, see the module.
        twins: pairs of clips of one sound, None where sound was not looked at.
        classes: those that a test part should have; all that are told where it is None.
    """
    told = checks.keyed(rows)
    lacking = _lacking(told)
    partly = _partly(told, lacking)
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
    return sorted(found, key=lambda one: (one.severity, NAMES.index(one.finding))), lacking, partly


def _lacking(told: pd.DataFrame) -> dict[str, str]:
    """What cannot be examined in a split -> why."""
    known = {column for column in told if told[column].notna().any()}
    parts = set(told["split"])
    needs = {
        "shared-speaker": ("speaker" in known, "no speakers are told"),
        "shared-recording": (bool({"recording", "session"} & known), "no recordings or sessions are told"),
        "same-sentence": ({"speaker", "sentence"} <= known, "no sentences are told, or no speakers"),
        "speaker-conflict": (_told_apart(told), "speakers are told in one place only"),
        "validation-overlap": ("validation" in parts, "the split has no validation"),
        "label-conflict": ("emotion" in known, "no emotions are told"),
        "missing-class": ("emotion" in known and "test" in parts, "no emotions are told, or no test"),
        "shared-sentence": ({"speaker", "sentence"} <= known, "no sentences are told, or no speakers"),
    }
    return {name: why for name, (there, why) in needs.items() if not there}


def _told_apart(told: pd.DataFrame) -> bool:
    """Whether two of table, name and folder tell the speaker of some clip."""
    sources = [column for column in checks.TOLD_BY if column in told]
    return bool((told[sources].notna().sum(axis=1) >= 2).any())


def _partly(told: pd.DataFrame, lacking: Mapping[str, str]) -> dict[str, str]:
    """What is examined on some clips only -> on which, where a column that it needs is not told of all."""
    clips = told.drop_duplicates("clip")
    places = [column for column in ("recording", "session") if column in clips]
    needs = {
        "shared-speaker": (["speaker"], "speakers"),
        "shared-recording": (places, "recordings or sessions"),
        "same-sentence": (["speaker", "sentence"], "sentences"),
        "label-conflict": (["emotion"], "emotions"),
        "missing-class": (["emotion"], "emotions"),
        "shared-sentence": (["speaker", "sentence"], "sentences"),
    }
    partly = {}
    for name, (columns, what) in needs.items():
        if name in lacking or not set(columns) <= set(clips):
            continue
        there = clips[columns].notna()
        count = int((there.any(axis=1) if columns == places else there.all(axis=1)).sum())
        if count < len(clips):
            partly[name] = f"{count:,} of {counted(len(clips), 'clip')} whose {what} are told"
    return partly


def grouped(name: str, rows: Iterable[Row]) -> list[Finding]:
    """One finding a severity."""
    kinds: dict[Severity, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.pop("severity"), []).append(row)
    return [Finding(name, kind, tuple(found), sentence(name, found)) for kind, found in kinds.items()]


def counted(count: int, thing: str, things: str | None = None) -> str:
    """A number and its noun."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def sentence(name: str, rows: Sequence[Row]) -> str:
    """What the rows of a finding say, at most `SHOWN` of them by name."""
    if name == "shared-speaker":
        corpora = dict.fromkeys(row.get("corpus", "") for row in rows)
        return "; ".join(
            _shared(corpus, [row for row in rows if row.get("corpus", "") == corpus]) for corpus in corpora
        )
    where = _where(rows)
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


def _shared(corpus: str, rows: Sequence[Row]) -> str:
    """How many speakers of one corpus, or of the only one, are shared, in the fold and parts that share most."""
    worst = _worst(rows)
    first, second = worst[0]["splits"]
    prefix = f"{corpus}/" if corpus else ""
    who = _some(row["speaker"].removeprefix(prefix) for row in worst)
    verb = "is" if len(worst) == 1 else "are"
    told = f"{len(worst)} of {counted(worst[0]['of'], 'speaker')} of {second} {verb} in {first}: {who}{_where(rows)}"
    return f"{corpus}: {told}" if corpus else told


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
    first, *others = [str(row[key]) for key in keys if key in row]
    corpus = f"{first.split('/')[0]}/" if "/" in first else ""
    return " ".join([first, *(other.removeprefix(corpus) for other in others)])


def _where(rows: Sequence[Row]) -> str:
    """The folds, in brackets; empty where there is none."""
    folds = list(dict.fromkeys(row["fold"] for row in rows if row["fold"]))
    if not folds:
        return ""
    first = folds[0] if "fold" in folds[0] else f"fold {folds[0]}"
    return f" ({first})" if len(folds) == 1 else f" ({len(folds)} folds, such as {first})"


def _some(things: Iterable[str]) -> str:
    names = list(dict.fromkeys(things))
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
