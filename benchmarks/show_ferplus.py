"""What each step of the rule of FER+ removes, in both releases of its votes, beside the counts of the literature.

python benchmarks/show_ferplus.py FOLDER

FOLDER holds `fer2013new.csv`, and `FER2013Train/label.csv` and `FER2013Valid/label.csv` where they are there.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from mien.corpora.votes import EMOTIONS, VOTES, majority, steps

LITERATURE = {"Training": "25,045", "PublicTest": "3,191"}
RELEASES = {"Training": "FER2013Train", "PublicTest": "FER2013Valid"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    table = pd.read_csv(folder / "fer2013new.csv")
    columns, labels = {}, {}
    for usage, release in RELEASES.items():
        rows = table[table["Usage"] == usage]
        own = {f"{usage}, fer2013new.csv": (rows["Image name"], rows[list(VOTES)].to_numpy(np.int64))}
        if (beside := folder / release / "label.csv").is_file():
            other = pd.read_csv(beside, header=None)
            own[f"{usage}, label.csv"] = (other[0], other.iloc[:, 2:].to_numpy(np.int64))
            votes = pd.concat([pd.DataFrame(found, index=names) for names, found in own.values()], axis=1).dropna()
            different = (votes.iloc[:, :10].to_numpy() != votes.iloc[:, 10:].to_numpy()).any(axis=1)
            print(f"{usage}: {len(votes):,} images in both releases, {different.sum():,} of them with other votes")
        for name, (names, found) in own.items():
            columns[name] = {**steps(found), "names that stand twice": int(names.duplicated().sum())}
            columns[name] |= {"literature": LITERATURE[usage]}
            labels[name] = {emotion: int((majority(found) == emotion).sum()) for emotion in EMOTIONS}
    pd.set_option("display.width", 200, "display.max_columns", 9)
    for shown in (columns, labels):
        print(f"\n{pd.DataFrame(shown).to_string()}")


if __name__ == "__main__":
    main()
