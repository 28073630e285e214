"""The clips of each emotion in CREMA-D by every reading of its labels, beside the counts of Goncalves & Busso 2022.

python benchmarks/show_crema_d.py FOLDER

FOLDER holds the tables `tabulatedVotes.csv`, `summaryTable.csv` and `SentenceFilenames.csv` of the release; recordings
are not needed. The last column is by how many clips a reading differs from the paper's counts, summed over emotions.
Readings of ties: those of the reader, and the last of the tied in the alphabet, neutral where it is among them, the one
with the highest mean level, and the one with most votes on voice, face and both together.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from mien.corpora import readers
from mien.corpora.readers._crema_d_votes import COUNTS, LETTERS, PRESENTATIONS, TABLES

PAPER = {"disgust": 1222, "anger": 1067, "fear": 1180, "neutral": 2071, "happiness": 1230, "sadness": 672}
LEVELS = dict(zip("ADFHNS", ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad"), strict=True))


def read(folder: Path, options: Mapping[str, str]) -> pd.DataFrame:
    """The table of the whole corpus, of empty files in the place of the recordings."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for name in TABLES:
            shutil.copy(folder / name, root)
        for clip in pd.read_csv(folder / "SentenceFilenames.csv")["Filename"]:
            (root / f"{clip}.wav").touch()
        return readers.read("crema_d", root, options).table


def by_the_reader(folder: Path) -> dict[str, "pd.Series[str]"]:
    """Reading -> the emotion of each clip, by the options of the reader."""
    found = {"intended": read(folder, {})["emotion"]}
    for labels in PRESENTATIONS:
        for ties in ("missing", "intended", "first"):
            found[f"{labels}, ties={ties}"] = read(folder, {"labels": labels, "ties": ties})["emotion"]
    return found


def by_other_rules(folder: Path) -> dict[str, "pd.Series[str]"]:
    """Reading -> the emotion of each clip, by the votes on both, and other rules for ties."""
    table = read(folder, {})
    counts = pd.read_csv(folder / COUNTS)
    both = counts[counts.iloc[:, 0].astype(str).str.startswith("3")].set_index("fileName")
    levels = both[[f"mean{word}Resp" for word in LEVELS.values()]].set_axis(list(LETTERS.values()), axis=1)
    votes = counts.groupby("fileName")[list(LETTERS)].sum().set_axis(list(LETTERS.values()), axis=1)
    rules: dict[str, Callable[[str, list[str]], str]] = {
        "both, ties: the last in the alphabet": lambda _, tied: tied[-1],
        "both, ties: neutral, else the first": lambda _, tied: "neutral" if "neutral" in tied else tied[0],
        "both, ties: the highest mean level": lambda clip, tied: str(levels.loc[clip, tied].idxmax()),
        "both, ties: most votes of all three": lambda clip, tied: str(votes.loc[clip, tied].idxmax()),
    }
    pairs = [(clip, most.split("+")) for clip, most in zip(table["clip"], table["both_majority"], strict=True)]
    return {name: pd.Series([rule(clip, tied) for clip, tied in pairs]) for name, rule in rules.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    found = {**by_the_reader(folder), **by_other_rules(folder)}
    rows = {name: emotions.value_counts()[list(PAPER)] for name, emotions in found.items()}
    shown = pd.DataFrame({"the paper": pd.Series(PAPER), **rows}).T
    away = shown.sub(pd.Series(PAPER), axis=1).abs().sum(axis=1)
    print(shown.assign(all=shown.sum(axis=1), away=away).to_string())


if __name__ == "__main__":
    main()
