"""Pictures of the tables of docs/results: each row of a table as a point with its interval, beside chance.

    python benchmarks/show_tables.py [--page li2020 ...]

What is drawn are the figures that a page prints, read from its Markdown, so that a picture cannot say anything else.
Each picture keeps a digest of them, and `tests/test_docs.py` compares it with the page: run this after a table was
changed.
"""

import argparse
import hashlib
import math
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

RESULTS = Path(__file__).parents[1] / "docs" / "results"
PICTURES = RESULTS / "pictures"
NUMBER = re.compile(r"[-+]?\d*\.\d+")


class Panel(NamedTuple):
    """One column of a table.

    Attributes:
        section: the heading that the table follows.
        column: its head, of which the first that begins so is taken.
        chance: of all rows, or of each, or the head of the column that holds it.
        table: which of the tables of the section, from 0.
        title: above the panel; the head of the column where it is "".
        rows: those that are drawn, in the order of the table; all that hold a number where there are none.
    """

    section: str
    column: str
    chance: float | tuple[float, ...] | str
    table: int = 0
    title: str = ""
    rows: tuple[str, ...] = ()


class Row(NamedTuple):
    """What is drawn of a row: nan is not known."""

    label: str
    value: float
    low: float
    high: float
    chance: float


MODELS = ("emotion only", "multitask", "gradient reversal (DAT)", "MEnAN")
BOTH = ("auxformer", "optimized", "masked", "optimized_token")
VOICES = ("EmoDB (cut clips)", "nEMO, five classes", "RAVDESS 1-18", "all 37 speakers")
PAGES: dict[str, tuple[Panel, ...]] = {
    "li2020": (
        Panel("nEMO", "UAR test", 0.167, title="nEMO, unseen speakers, UAR", rows=MODELS),
        Panel("nEMO", "speaker, seen", 0.143, 1, title="nEMO, speaker read from it, seen"),
        Panel("RAVDESS", "UAR test", 0.125, title="RAVDESS, unseen speakers, UAR", rows=MODELS),
        Panel("RAVDESS", "speaker, seen", 0.083, 1, title="RAVDESS, speaker read from it, seen"),
    ),
    "peri2021": tuple(
        Panel("RAVDESS, voice and action units", column, chance, 1, title=title)
        for column, chance, title in (
            ("emotion F", 0.029, "emotion, F"),
            ("person accuracy", 0.056, "person, accuracy"),
            ("emotion F read", 0.029, "emotion read from the speaker embedding, F"),
            ("person read", 0.056, "person read from the emotion embedding"),
        )
    ),
    "rana2019": tuple(
        Panel("RAVDESS", f"{share} % of the labels", 0.125, title=f"UAR with {share} % of the labels")
        for share in (10, 100)
    ),
    "auxformer2022": tuple(
        Panel("The toy corpus", column, 0.048, 2, title=title, rows=rows)
        for column, title, rows in (
            ("complete", "macro F1, all that a network reads", (*BOTH, "audio_only", "video_only")),
            ("face alone", "macro F1, face alone", BOTH),
            ("voice alone", "macro F1, voice alone", BOTH),
        )
    ),
    "albanie2018-student": (
        Panel("RAVDESS: from face to voice", "amplitudes", 0.5, title="AUC by actor, amplitudes"),
        Panel("RAVDESS: from face to voice", "log power", 0.5, title="AUC by actor, log power"),
    ),
    "recipe": (
        Panel("nEMO and RAVDESS", "UAR test", (0.167, 0.125), title="emotion of unseen speakers, UAR"),
        Panel("What is left of the speaker", "speaker, seen", "chance", title="speaker read from the embedding"),
    ),
    "voice-small": (
        Panel("voice-small", "UAR", "chance", title="unseen speakers of its corpora, UAR", rows=VOICES),
        Panel("A corpus that it never heard", "UAR", "chance", title="a corpus that it never heard, UAR"),
    ),
}


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="append", choices=PAGES)
    given = parser.parse_args()
    from _sheets import sheet
    from mien.reports.figures.plots import Interval, intervals

    PICTURES.mkdir(exist_ok=True)
    for page in given.page or PAGES:
        found = [(panel.title or panel.column, rows_of(page, panel)) for panel in PAGES[page]]
        figures = [
            intervals(
                [Interval(_short(row.label), *row[1:]) for row in rows],
                name=f"{page} {title}",
                description=title,
                axis="",
                high=1.0,
            )
            for title, rows in found
        ]
        below = [*zip(figures, (title for title, _ in found), strict=True)]
        pairs = [("", below[start : start + 2]) for start in range(0, len(below), 2)]
        says = "; ".join(f"{row.label}: {row.value:.3f}" for _, rows in found for row in rows)
        text = sheet(pairs, f"{', '.join(title for title, _ in found)}. {says}")
        (PICTURES / f"{page}.svg").write_text(
            text.replace("<style>", f"<desc>{digest(page)}</desc><style>", 1), "utf-8"
        )


def digest(page: str) -> str:
    """A digest of all figures that the picture of a page shows."""
    return hashlib.sha256(repr([rows_of(page, panel) for panel in PAGES[page]]).encode()).hexdigest()[:16]


def rows_of(page: str, panel: Panel) -> list[Row]:
    """The rows of a panel, from the page as it is now."""
    text = (RESULTS / f"{page}.md").read_text("utf-8")
    head, *rows = _tables(text, panel.section)[panel.table]
    column = next(number for number, name in enumerate(head) if name.startswith(panel.column))
    after = head.index(panel.chance, column) if isinstance(panel.chance, str) else None
    found = []
    for row in rows:
        if row[0].startswith("*the paper"):
            break
        label = row[0].strip("*`").replace("*", "")
        numbers = [float(one) for one in NUMBER.findall(row[column].replace("**", ""))]
        if not numbers or row[0].startswith("*minus") or row[column].startswith(("+", "-")) or "(" in row[column]:
            continue
        if panel.rows and label not in panel.rows:
            continue
        value, low, high = (*numbers, math.nan, math.nan)[:3]
        chance = panel.chance[len(found)] if isinstance(panel.chance, tuple) else panel.chance
        chance = chance if after is None else NUMBER.findall(row[after])[0]
        found.append(Row(label, value, low, high, float(chance)))
    return found


def _tables(text: str, section: str) -> list[list[list[str]]]:
    """The tables below the heading that begins so, to the next of its level: rows of cells, the head first."""
    lines = text.splitlines()
    start = next(
        number for number, line in enumerate(lines) if line.startswith("#") and _heading(line).startswith(section)
    )
    level = len(lines[start]) - len(lines[start].lstrip("#"))
    tables: list[list[list[str]]] = []
    inside = False
    for line in lines[start + 1 :]:
        depth = len(line) - len(line.lstrip("#"))
        if level > 1 and 0 < depth <= level and line[depth : depth + 1] == " ":
            break
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not inside:
            tables.append([])
        inside = True
        if not set("".join(cells)) <= set("-: "):
            tables[-1].append(cells)
    return tables


def _short(label: str) -> str:
    """A label that leaves the axis room: what is in brackets goes first, then it is broken into two lines."""
    if len(label) > 28:
        label = re.sub(r" \(.*?\)", "", label)
    return "\n".join(textwrap.wrap(label, 28, max_lines=2, placeholder=" …"))


def _heading(line: str) -> str:
    return line.lstrip("#").strip()


if __name__ == "__main__":
    main()
