"""The split certificate of a run on its page: what was examined, what was not and why, and what was found."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from mien.reports import words
from mien.runs.run import Run

ROWS = 200  # of one finding that are shown; the certificate has all
TOLD = (
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
    """Each fold, counted again from `splits.json`: its people and clips, and whether its parts share nobody."""
    return [_fold(fold) for fold in run.splits]


def shown(run: Run) -> dict[str, Any]:
    """What the page shows of the certificate.

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
        "findings": [_finding(found) for found in certificate["findings"]],
        "accepted": list(certificate.get("accepted", [])),
        "sources": list(_sources(certificate)),
        "hashed": len(certificate["files"]),
        "rest": words.flat(
            {key: value for key, value in certificate.items() if key not in (*TOLD, "licence", "source")}
        ),
    }


def leaks(run: Run) -> list[str]:
    """The names of the findings across parts of a fold, each once."""
    found = [one for one in run.certificate["findings"] if isinstance(one, Mapping) and one.get("severity") == "leak"]
    return list(dict.fromkeys(str(one["finding"]) for one in found))


def broken(run: Run) -> list[int]:
    """The folds of which somebody is in two parts."""
    return [fold["fold"] for fold in folds(run) if not fold["disjoint"]]


def heard(run: Run) -> dict[str, tuple[int, int]]:
    """Of validation and test: how many of its people trained the same fold, and how many people it has."""
    found = {}
    for part in ("validation", "test"):
        people = {speaker for fold in run.splits for speaker in fold[part]["speakers"]}
        known = {
            speaker for fold in run.splits for speaker in set(fold[part]["speakers"]) & set(fold["train"]["speakers"])
        }
        found[part] = (len(known), len(people))
    return found


def mark(run: Run) -> str:
    """The line that stands at a table of a run with accepted leaks, their names; empty where there is none."""
    names = leaks(run) or ["a leak was accepted"]
    return f"Marked: {', '.join(names)}; see top." if run.marks else ""


def _fold(fold: Mapping[str, Any]) -> dict[str, Any]:
    parts = {part: fold[part]["speakers"] for part in ("train", "validation", "test")}
    most = max(Counter(speaker for people in parts.values() for speaker in set(people)).values())
    clips = {f"{part}_clips": len(fold[part]["clips"]) for part in parts}
    return {"fold": fold["fold"], **parts, **clips, "disjoint": most == 1}


def _finding(found: Any) -> dict[str, Any]:
    """A finding with its rows as text; one that is a sentence has no rows."""
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
    """Where the recordings are from and what may be done with them; nothing where the certificate does not tell."""
    several = certificate.get("corpora")
    each = several if isinstance(several, Mapping) else {certificate["corpus"]: certificate}
    for name, told in each.items():
        if isinstance(told, Mapping) and told.get("licence"):
            yield {
                "name": str(name),
                "licence": str(told["licence"]),
                "source": re.sub("https?://", "", told.get("source", "")),
            }
