"""`split.html`: what the audit of a split found, on a page of its own that begins with the answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.audit.splits.findings import counted
from mien.common.files import write_text
from mien.data.protocols import LEAKS
from mien.reports.html import environment
from mien.reports.sections import certificate as section

PAGE = "split.html"


def write(folder: Path, certificate: Mapping[str, Any], counts: Sequence[str]) -> None:
    """Write `split.html`, atomically.

    Args:
        folder: where to.
        certificate: of the split.
        counts: lines with its folds, and the numbers of clips and speakers in each part.
    """
    kinds = [(name, what, *_state(name, certificate)) for name, what in LEAKS.items()]
    page = (
        environment()
        .get_template("split.html.jinja")
        .render(
            title=f"Split of {certificate['manifest']}",
            answer=answer(certificate),
            counts=counts,
            certificate=certificate,
            findings=[section.finding(found) for found in certificate["findings"]],
            kinds=kinds,
        )
    )
    write_text(folder / PAGE, page)


def answer(certificate: Mapping[str, Any]) -> list[str]:
    """Whether the split leaks, and each leak, as sentences."""
    leaks = [found for found in certificate["findings"] if found["severity"] == "leak"]
    examined, partly, lacking = (
        [name for name in certificate[key] if name in LEAKS] for key in ("examined", "examined_in_part", "not_examined")
    )
    extent = f"{counted(len(examined), 'kind')} of leak examined, {len(partly)} in part, {len(lacking)} not"
    if leaks:
        names = list(dict.fromkeys(found["finding"] for found in leaks))
        return [
            f"The split leaks: {', '.join(names)} ({extent}).",
            *(f"{found['finding']}: {found['text']}." for found in leaks),
        ]
    if "shared-speaker" in lacking:
        return [f"No leak was found, but the speakers are not known, so the split may leak ({extent})."]
    return [f"No leak was found in what was examined ({extent})."]


def _state(name: str, certificate: Mapping[str, Any]) -> tuple[str, str]:
    """What came of looking for a kind of leak: a word, and the reason where it was not looked for in full."""
    if any(found["finding"] == name and found["severity"] == "leak" for found in certificate["findings"]):
        return "found", certificate["examined_in_part"].get(name, "")
    if name in certificate["examined_in_part"]:
        return "not found; examined in part", certificate["examined_in_part"][name]
    return ("not found", "") if name in certificate["examined"] else ("not examined", certificate["not_examined"][name])
