"""The split certificate on the page of a run: kinds of leak that were examined or not, and findings."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from mien.reports import words
from mien.runs.run import Run

ROWS = 200  # of a finding are shown; the certificate has all
LISTED = (
    "files",
    "notes",
    "left_out",
    "findings",
    "examined",
    "not_examined",
    "examined_in_part",
    "accepted",
    "marks",
    "corpora",
)


def folds(run: Run) -> list[dict[str, Any]]:
    """Each fold of `splits.json`: speakers and numbers of clips of its parts; `disjoint` if no speaker is in two."""
    return [_fold(fold) for fold in run.splits]


def shown(run: Run) -> dict[str, Any]:
    """The values of the section.

    Returns:
        `examined`: names; `examined_in_part`: name -> what of it; `not_examined`: name -> why; `findings`: the finding,
        severity, `text`, `rows`, the `columns` of these, how many are `more`; `accepted`: names; `sources`: name,
        licence and source of each corpus; `hashed`: how many files; `rest`: name -> text.
    """
    certificate = run.certificate
    return {
        "examined": list(certificate.get("examined", [])),
        "examined_in_part": dict(certificate.get("examined_in_part", {})),
        "not_examined": dict(certificate.get("not_examined", {})),
        "findings": [finding(found) for found in certificate["findings"]],
        "accepted": list(certificate.get("accepted", [])),
        "sources": list(_sources(certificate)),
        "hashed": len(certificate["files"]),
        "rest": words.flat(
            {key: value for key, value in certificate.items() if key not in (*LISTED, "licence", "source", "release")}
        ),
    }


def leaks(run: Run) -> list[str]:
    """The names of the findings of severity leak, without duplicates."""
    found = [row for row in run.certificate["findings"] if isinstance(row, Mapping) and row.get("severity") == "leak"]
    return list(dict.fromkeys(str(row["finding"]) for row in found))


def broken(run: Run) -> list[int]:
    """The folds with a speaker in two parts."""
    return [fold["fold"] for fold in folds(run) if not fold["disjoint"]]


def seen(run: Run) -> dict[str, tuple[int, int]]:
    """Part -> how many of its speakers are seen in training in the same fold, and its number of speakers."""
    found = {}
    for part in ("validation", "test"):
        speakers = {speaker for fold in run.splits for speaker in fold[part]["speakers"]}
        known = {
            speaker for fold in run.splits for speaker in set(fold[part]["speakers"]) & set(fold["train"]["speakers"])
        }
        found[part] = (len(known), len(speakers))
    return found


def mark(run: Run) -> str:
    """The line above each table of a run with accepted leaks; empty if there are none."""
    names = leaks(run)
    what = f"Accepted leak{'s' if len(names) > 1 else ''}: {', '.join(names)}" if names else "A leak was accepted"
    return f"{what}; see top." if run.marks else ""


def _fold(fold: Mapping[str, Any]) -> dict[str, Any]:
    parts = {part: fold[part]["speakers"] for part in ("train", "validation", "test")}
    most = max(Counter(speaker for speakers in parts.values() for speaker in set(speakers)).values(), default=0)
    clips = {f"{part}_clips": len(fold[part]["clips"]) for part in parts}
    return {"fold": fold["fold"], **parts, **clips, "disjoint": most <= 1}


def finding(found: Any) -> dict[str, Any]:
    """A finding with its rows as text; a finding that is a sentence has no rows."""
    if not isinstance(found, Mapping):
        return {"finding": "", "severity": "", "text": words.plain(found), "rows": [], "columns": [], "more": 0}
    rows = [row if isinstance(row, Mapping) else {"": row} for row in found.get("rows", [])]
    columns = list(dict.fromkeys(str(key) for row in rows for key in row))
    return {
        "finding": str(found["finding"]),
        "severity": str(found["severity"]),
        "text": str(found.get("text", "")),
        "rows": [[words.plain(row.get(key, "")) for key in columns] for row in rows[:ROWS]],
        "columns": columns,
        "more": max(0, len(rows) - ROWS),
        "count": len(rows),
    }


def _sources(certificate: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Name, licence and source of each corpus whose licence is in the certificate."""
    several = certificate.get("corpora")
    each = several if isinstance(several, Mapping) else {certificate["corpus"]: certificate}
    for name, card in each.items():
        if isinstance(card, Mapping) and card.get("licence"):
            yield {
                "name": str(name),
                "licence": str(card["licence"]),
                "source": re.sub("https?://", "", card.get("source", "")),
            }
