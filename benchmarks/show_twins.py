"""What the twin of a test clip is worth: the scores of a run where the twin trained, and where it validated.

    python benchmarks/show_twins.py RUN [--alike speaker emotion intensity sentence]

Twins are clips with equal values in all columns of `--alike`; as given, the two repetitions of a sentence of RAVDESS.
In a run that trains on one repetition and tests the other, which of the twins validate is decided by the hashes of
their names, so that both groups are random samples of the same clips. RUN has claims, whose scores are taken. Printed
is a Markdown table, a row a score of a model, and one of the mean of the models that have it: both groups with 95 %
intervals over speakers, seeds averaged within a speaker, and their difference.
"""

import argparse
from pathlib import Path

import pandas as pd

from mien.audit.comparison.claim_scores import EVENLY, SCORES, Source, outputs_of
from mien.audit.statistics.contrasts import Contrast, Term, contrast
from mien.common.leakage_tables import SPEAKER
from mien.experiments.claims import PROBES
from mien.runs.run import Run

GROUPS = ("train", "validation", "none")


def groups(run: Run, alike: list[str]) -> dict[str, set[str]]:
    """Test clips by the part of their twin, of the first fold; in none of them: "none"."""
    fold = run.splits[0]
    table = run.clips.set_index("clip")
    keys = table[alike].agg("|".join, axis=1).where(table[alike].notna().all(axis=1))
    there = {part: set(keys[fold[part]["clips"]].dropna()) for part in GROUPS[:2]}
    found: dict[str, set[str]] = {name: set() for name in GROUPS}
    for clip in fold["test"]["clips"]:
        found[next((part for part in GROUPS[:2] if keys[clip] in there[part]), "none")].add(clip)
    return found


def called(source: Source) -> str:
    """A score in words."""
    measure = "accuracy" if source.factor == SPEAKER else "F"
    if source.embedding is None:
        return f"{source.factor}, {measure}"
    return f"{source.factor} from the {source.embedding} embedding, {measure}"


def shown(one: Contrast, *, signed: bool = False) -> str:
    """A score or difference with its interval."""
    value, low, high = (f"{number:.3f}".replace("0.", ".", 1) for number in one[:3])
    return f"{'+' if signed and one.difference > 0 else ''}{value} [{low}, {high}]"


def main() -> None:
    """Print the table of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--alike", nargs="+", default=["speaker", "emotion", "intensity", "sentence"], metavar="COLUMN")
    given = parser.parse_args()
    run = Run.open(given.run)
    clips, outputs = groups(run, given.alike), outputs_of(run)
    print("test clips: " + ", ".join(f"{len(own)} with the twin in {name}" for name, own in clips.items()))
    there = [name for name, own in clips.items() if own]
    differ = len(there) > 1
    print(
        "| score | model | " + " | ".join(f"twin in {name}" for name in there) + (" | difference |" if differ else " |")
    )
    print("| --- " * (2 + len(there) + differ) + "|")
    for source, models in outputs.rows.items():
        if source.probe not in (None, PROBES[0]):
            continue
        measure = SCORES["accuracy"] if source.factor == SPEAKER else SCORES["macro_f1"]
        if source.probe and source.factor != SPEAKER:
            measure = EVENLY["macro_f1"]
        counted = {
            model: [outputs.counted(source.factor, part(rows, clips[name])) for name in there]
            for model, rows in models.items()
        }
        for model, each in ({name: [name] for name in counted} | {"mean of the models": list(counted)}).items():
            sides = [[Term(1 / len(each), counted[name][side], measure) for name in each] for side in range(len(there))]
            cells = [shown(contrast(terms)) for terms in sides]
            if differ:
                cells.append(
                    shown(contrast([*sides[0], *(one._replace(weight=-one.weight) for one in sides[1])]), signed=True)
                )
            print(f"| {called(source)} | {model} | " + " | ".join(cells) + " |")


def part(rows: pd.DataFrame, clips: set[str]) -> pd.DataFrame:
    """The rows of some clips."""
    return rows[rows["clip"].isin(clips)]


if __name__ == "__main__":
    main()
