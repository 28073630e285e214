"""Findings in a split. Each has a fixed name, a severity, a sentence and rows.

A split is a table with one row for each clip in a part of a fold: `fold`, `split` (train, validation, test), `clip`,
`speaker`, and if known `corpus`, `emotion`, `sentence`, `session`, `recording`, `file` with `start` and `end` (seconds;
missing: those of the file) and its `sha256`, and the speaker according to the table (`listed`), the name of the file
(`named`) and the `folder`. Missing values are not compared.
A **leak** lies across two parts of one fold. A **note** does not affect a score on unseen speakers.
This module opens no files.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from mien.audit.splits import checks
from mien.audit.splits.checks import Row, Severity, Twins
from mien.data.protocols import LEAKS

NOTES = {
    "missing-class": "a class without a clip in a test part",
    "shared-sentence": "a sentence in both train and test, by different speakers",
}
NAMES = (*LEAKS, *NOTES)

SHOWN = 5  # the most values that a sentence lists


class Finding(NamedTuple):
    """One finding over all folds.

    Attributes:
        finding: its name, one of `NAMES`.
        severity: "leak" or "note".
        rows: all its rows: `fold`, `splits`, and the speakers, clips or other values.
        text: one sentence.
    """

    finding: str
    severity: Severity
    rows: tuple[Row, ...]
    text: str


def examine(
    rows: pd.DataFrame, twins: Sequence[Twins] | None, classes: Sequence[str] | None = None
) -> tuple[list[Finding], dict[str, str], dict[str, str]]:
    """Examine a split for all findings but test-statistics.

    Args:
        rows: the split, see the module.
        twins: pairs of clips of one sound; None if sound was not examined.
        classes: the classes that a test part should have; None takes all classes of the fold.

    Returns:
        The findings; name -> why it could not be examined; name -> on which clips it was examined, if not on all.
    """
    keyed = checks.keyed(rows)
    lacking = _lacking(keyed)
    partly = _partly(keyed, lacking)
    pairs = twins or ()
    identical, near = ([pair for pair in pairs if (pair.how == "near") == alike] for alike in (False, True))
    checked: dict[str, Callable[[], Iterable[Row]]] = {
        "shared-speaker": lambda: checks.speakers(keyed),
        "shared-recording": lambda: checks.recordings(keyed),
        "overlapping-audio": lambda: checks.overlaps(keyed),
        "same-sentence": lambda: checks.sentences(keyed),
        "identical-audio": lambda: (*checks.listed_twice(keyed, "train"), *checks.across(keyed, identical)),
        "near-duplicate": lambda: checks.across(keyed, near),
        "speaker-conflict": lambda: checks.conflicts(keyed),
        "validation-overlap": lambda: checks.listed_twice(keyed, "validation"),
        "label-conflict": lambda: checks.labels(keyed, pairs),
        "missing-class": lambda: checks.missing_classes(keyed, classes),
        "shared-sentence": lambda: checks.shared_sentences(keyed),
    }
    found = [one for name, check in checked.items() if name not in lacking for one in grouped(name, check())]
    return sorted(found, key=lambda one: (one.severity, NAMES.index(one.finding))), lacking, partly


def _lacking(split: pd.DataFrame) -> dict[str, str]:
    """Findings that cannot be examined in a split -> why."""
    known = {column for column in split if split[column].notna().any()}
    parts = set(split["split"])
    unsaid = " and ".join(f"{name}s" for name in ("sentence", "speaker") if name not in known) + " are not known"
    needs = {
        "shared-speaker": ("speaker" in known, "speakers are not known"),
        "shared-recording": (bool({"recording", "session"} & known), "recordings and sessions are not known"),
        "overlapping-audio": ("file" in known, "files are not known"),
        "same-sentence": ({"speaker", "sentence"} <= known, unsaid),
        "speaker-conflict": (_several_sources(split), "speakers are known from one source only"),
        "validation-overlap": ("validation" in parts, "the split has no validation part"),
        "label-conflict": ("emotion" in known, "emotions are not known"),
        "missing-class": ("emotion" in known and "test" in parts, "emotions are not known, or there is no test part"),
        "shared-sentence": ({"speaker", "sentence"} <= known, unsaid),
    }
    return {name: why for name, (there, why) in needs.items() if not there}


def _several_sources(split: pd.DataFrame) -> bool:
    """Whether the speaker of some clip is known from two of table, name and folder."""
    sources = [column for column in checks.SOURCES if column in split]
    return bool((split[sources].notna().sum(axis=1) >= 2).any())


def _partly(split: pd.DataFrame, lacking: Mapping[str, str]) -> dict[str, str]:
    """Findings that are examined on some clips only, because a column lacks values -> on which clips."""
    clips = split.drop_duplicates("clip")
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
            partly[name] = f"{count:,} of {counted(len(clips), 'clip')} whose {what} are known"
    return partly


def grouped(name: str, rows: Iterable[Row]) -> list[Finding]:
    """The rows of a check as findings, one per severity."""
    kinds: dict[Severity, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.pop("severity"), []).append(row)
    return [Finding(name, kind, tuple(found), sentence(name, found)) for kind, found in kinds.items()]


def counted(count: int, thing: str, things: str | None = None) -> str:
    """A number and its noun."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def sentence(name: str, rows: Sequence[Row]) -> str:
    """The sentence of a finding. It lists at most `SHOWN` values."""
    if name == "shared-speaker":
        corpora = dict.fromkeys(row.get("corpus", "") for row in rows)
        return "; ".join(
            _shared(corpus, [row for row in rows if row.get("corpus", "") == corpus]) for corpus in corpora
        )
    where = _where(rows)
    if name == "missing-class":
        return f"no clip of {_some(row['emotion'] for row in rows)} in a test part{where}"
    images = name == "identical-audio" and all(row.get("how") == "pixels" for row in rows)
    subject, things = _IMAGES if images else _SUBJECTS[name], list(dict.fromkeys(map(_thing, rows)))
    parts = sorted({" and ".join(row["splits"]) for row in rows if row["splits"]})
    place = f" in {' or '.join(parts)}" if parts else ""
    if name == "overlapping-audio" and (seconds := _shared_seconds(rows)):
        place += f", {seconds:,.1f} s in all"
    return f"{len(things):,} {subject[len(things) > 1]}{place}: {_some(things)}{where}"


_IMAGES = ("pair of identical images", "pairs of identical images")
_SUBJECTS = {
    "shared-recording": ("recording or session", "recordings or sessions"),
    "overlapping-audio": ("pair of clips that share sound", "pairs of clips that share sound"),
    "same-sentence": ("sentence of one speaker", "sentences of one speaker each"),
    "identical-audio": ("pair of identical clips", "pairs of identical clips"),
    "near-duplicate": ("pair of clips of one recording", "pairs of clips of one recording"),
    "speaker-conflict": ("clip with two different speakers", "clips with two different speakers"),
    "validation-overlap": ("clip", "clips"),
    "label-conflict": ("clip or pair of clips with two labels", "clips or pairs of clips with two labels"),
    "shared-sentence": ("sentence of different speakers", "sentences of different speakers"),
    "test-statistics": ("model", "models"),
}


def _shared(corpus: str, rows: Sequence[Row]) -> str:
    """The shared speakers of one corpus in words, in the fold and parts that share most."""
    worst = _worst(rows)
    first, second = worst[0]["splits"]
    prefix = f"{corpus}/" if corpus else ""
    who = _some(row["speaker"].removeprefix(prefix) for row in worst)
    verb = "is" if len(worst) == 1 else "are"
    text = f"{len(worst)} of {counted(worst[0]['of'], 'speaker')} of {second} {verb} in {first}: {who}{_where(rows)}"
    return f"{corpus}: {text}" if corpus else text


def _shared_seconds(rows: Sequence[Row]) -> float:
    """The seconds of all files that two parts share, each counted once; of the fold with most. Whole files count 0."""
    folds: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        if "to" in row:
            folds.setdefault(row["fold"], {}).setdefault(row["file"], []).append((row["from"], row["to"]))

    def union(stretches: list[tuple[float, float]]) -> float:
        total, reached = 0.0, 0.0
        for start, end in sorted(stretches):
            total += max(0.0, end - max(start, reached))
            reached = max(reached, end)
        return total

    return max((sum(map(union, files.values())) for files in folds.values()), default=0.0)


def _worst(rows: Sequence[Row]) -> list[Row]:
    """The rows of the fold and parts that share most; of equals, those of training and test."""
    places: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        places.setdefault((row["fold"], *row["splits"]), []).append(row)
    return max(
        places.values(), key=lambda one: (len(one) / one[0]["of"], len(one), set(one[0]["splits"]) == {"train", "test"})
    )


def _thing(row: Row) -> str:
    """The values of a row in a few words."""
    if "clips" in row:
        pair = " = ".join(dict.fromkeys(row["clips"]))
        return f"{pair} ({' / '.join(row['emotions'])})" if "emotions" in row else pair
    keys = ("speaker", "sentence", "recording", "session", "model")
    first, *others = [str(row[key]) for key in keys if key in row]
    corpus = f"{first.split('/')[0]}/" if "/" in first else ""
    return " ".join([first, *(other.removeprefix(corpus) for other in others)])


def _where(rows: Sequence[Row]) -> str:
    """The folds in brackets, or an empty string if there is none."""
    folds = list(dict.fromkeys(row["fold"] for row in rows if row["fold"]))
    if not folds:
        return ""
    first = folds[0] if "fold" in folds[0] else f"fold {folds[0]}"
    return f" ({first})" if len(folds) == 1 else f" ({len(folds)} folds, such as {first})"


def _some(things: Iterable[str]) -> str:
    names = list(dict.fromkeys(things))
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
