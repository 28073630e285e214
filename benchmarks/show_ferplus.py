"""What each step of the rule of FER+ removes, in both releases of its votes, beside the counts of the literature.

python benchmarks/show_ferplus.py FOLDER [--prepared PREPARED]

FOLDER holds `fer2013new.csv`, and `FER2013Train/label.csv` and `FER2013Valid/label.csv` where they are there. With
PREPARED, as `mien prepare ferplus FOLDER --out PREPARED` writes it: the exact copies among the images, whether their
votes agree, and how many images of PublicTest stand in Training.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from mien.corpora.votes import EMOTIONS, VOTES, majority, steps
from mien.data.prepared import Prepared

LITERATURE = {"Training": "25,045", "PublicTest": "3,191"}
RELEASES = {"Training": "FER2013Train", "PublicTest": "FER2013Valid"}


def releases(folder: Path) -> dict[str, dict[str, pd.DataFrame]]:
    """Release -> part -> its votes, indexed by the name of the image."""
    table = pd.read_csv(folder / "fer2013new.csv").set_index("Image name")
    found = {"fer2013new.csv": {usage: table.loc[table["Usage"] == usage, list(VOTES)] for usage in RELEASES}}
    files = {usage: folder / name / "label.csv" for usage, name in RELEASES.items()}
    if all(file.is_file() for file in files.values()):
        own = {usage: pd.read_csv(file, header=None, index_col=0).iloc[:, 1:] for usage, file in files.items()}
        found["label.csv"] = {usage: votes.set_axis(list(VOTES), axis=1) for usage, votes in own.items()}
    return found


def counted(found: dict[str, dict[str, pd.DataFrame]]) -> None:
    """Print the counts of each step and of each class."""
    counts, labels = {}, {}
    for usage in RELEASES:
        for release, parts in found.items():
            votes = parts[usage].to_numpy(np.int64)
            name = f"{usage}, {release}"
            twice = int(parts[usage].index.duplicated().sum())
            counts[name] = {**steps(votes), "names that stand twice": twice, "literature": LITERATURE[usage]}
            labels[name] = {emotion: int((majority(votes) == emotion).sum()) for emotion in EMOTIONS}
    for shown in (counts, labels):
        print(f"{pd.DataFrame(shown).to_string()}\n")


def copies(found: dict[str, dict[str, pd.DataFrame]], prepared: Path) -> None:
    """Print how the votes of exact copies agree, and which images of PublicTest stand in Training."""
    table = Prepared.open(prepared).table.set_index("clip")
    pixels, usage = table["sha256"], table["usage"]
    copied = pixels.duplicated(keep=False)
    print(f"{copied.sum():,} images are one of several exact copies, {pixels[copied].nunique():,} images in all")
    each = {release: pd.concat(parts.values()) for release, parts in found.items()}
    each = {release: votes.set_axis(votes.index.str.removesuffix(".png")) for release, votes in each.items()}
    for release, votes in each.items():
        groups = votes[votes.index.map(copied)].groupby(pixels)
        print(f"{release}: the copies of {(groups.nunique().max(axis=1) > 1).sum():,} of these have unequal votes")
    if len(each) > 1:
        one, other = each.values()
        names = one.index[(one != other.loc[one.index]).any(axis=1)]
        print(
            f"{len(names):,} images have other votes in the other release, {copied[names].sum():,} of these are copies"
        )
    tested = usage == "PublicTest"
    known = pixels.isin(pixels[usage == "Training"]) & tested
    print(
        f"PublicTest: {known.sum():,} of {tested.sum():,} images have an exact copy in Training, of those with a label "
        f"{(known & table['emotion'].notna()).sum():,} of {(tested & table['emotion'].notna()).sum():,}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prepared", type=Path)
    options = parser.parse_args()
    found = releases(options.folder)
    counted(found)
    if options.prepared is not None:
        copies(found, options.prepared)


if __name__ == "__main__":
    main()
