"""FER+: the faces of FER2013 (Goodfellow et al. 2013) with the votes of ten people each (Barsoum et al. 2016).

`fer2013.csv` (also `.gz`, `.bz2`) has the images and `fer2013new.csv` the votes, row for row. A clip is an image; it
has no file, time, sound or speaker. It is called as the votes call it, without the ending (`fer0000017`), and `:ROW`
follows where a name stands twice or is missing.

The emotion is the majority label of `corpora.votes`, missing where its rule removes the image. Columns: usage, split,
fer2013 (the one label of the older release), votes_neutral to votes_NF (the ten counts as they were given), and neutral
to contempt: the shares of the eight emotions among the votes that the rule leaves, together 1.

FER+ trains on Training, validates on PublicTest and tests on PrivateTest. Without PrivateTest, or with the option
`test=PublicTest`, PublicTest is tested, and a share of Training validates: images in the order of a hash of their
pixels, so that exact copies of an image are on one side. No option moves a copy between Training and PublicTest; the
split audit lists those.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.corpora.corpus import Corpus, Problem, check, read_table
from mien.corpora.readers import _fer2013
from mien.corpora.votes import EMOTIONS, VOTES, distribution, majority
from mien.errors import ConfigError, CorpusError, unknown

SOURCE = "https://github.com/microsoft/FERPlus (votes), FER2013 of the ICML 2013 challenge (images)"
LICENCE = "images of FER2013: for research; votes of FER+: MIT"
SPEECH = "photographs of faces, no speech"
EXPECTED = 35_887  # 28,709 of Training, 3,589 each of PublicTest and PrivateTest
SCHEME = "ferplus"
LACKS = ("file", "speaker")
USAGES = ("Training", "PublicTest", "PrivateTest")
PARTS = ("train", "validation", "test")
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
TABLE, LABEL = RELEASES = ("fer2013new.csv", "label.csv")
SHARE = "0.1"
OPTIONS = {
    "votes": f"the release of the votes: {TABLE} (default), or {LABEL}, those in FER2013Train/ and FER2013Valid/",
    "test": "which part is tested: PrivateTest (default where it is there), or PublicTest",
    "validation": f"the share of Training that validates where PublicTest is tested (default: {SHARE})",
}


def read(root: Path, *, votes: str = TABLE, test: str | None = None, validation: str | None = None) -> Corpus:
    """Read FER+. Takes about as long as unpacking the images, which are kept in memory (2,304 bytes each).

    Args:
        root: the folder of the two tables.
        votes: see `OPTIONS`.
        test: see `OPTIONS`.
        validation: more than 0, less than 1.

    Raises:
        ConfigError: an option is not understood, or has no effect.
        CorpusError: `root` is missing, a table is missing or damaged, the two do not belong together, or no image can
            be used.
    """
    if votes not in RELEASES:
        raise ConfigError(f"option votes: {unknown('release', votes, RELEASES)}")
    file, listing = _files(root)
    table = _listing(listing)
    tested, share = _tested(table["usage"], test, validation)
    beside, damage = None, ""
    try:
        beside = _labels(root, table)
    except CorpusError as error:
        if votes == LABEL:
            raise CorpusError(f"{error}; take it from the release again, or take votes={TABLE}") from error
        damage = f"{error}; the two releases of the votes are not compared"
    if votes == LABEL and beside is None:
        raise CorpusError(f"{root}: no {LABEL} of each part, such as {FOLDERS['Training']}/{LABEL}; take votes={TABLE}")
    counts = table[[*VOTES]] if votes == TABLE or beside is None else beside
    known, problems = _known(table["clip"], counts, votes)
    emotions, images, unusable = _images(file, listing, table)
    kept = known & table["clip"].isin(images)
    if not kept.any():
        why = [*problems, *unusable][0].problem.removesuffix(", left out")
        raise CorpusError(f"{root}: none of its {len(table):,} images can be used, such as {why}")
    rows, whole = table[kept].reset_index(drop=True), counts[kept].astype(np.int64).to_numpy()
    hashes = [sha256(images[clip].tobytes()).hexdigest() for clip in rows["clip"]]
    columns = {
        "clip": rows["clip"],
        "emotion": majority(whole),
        "usage": rows["usage"],
        "split": _split(rows["usage"], hashes, tested, share),
        "fer2013": pd.Series(emotions, dtype="str")[kept.to_numpy()].reset_index(drop=True),
        **{f"votes_{name}": whole[:, place].astype(np.float64) for place, name in enumerate(VOTES)},
        **dict(zip(EMOTIONS, distribution(whole).T, strict=True)),
    }
    return check(
        name="ferplus",
        root=root,
        table=pd.DataFrame(columns),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=[*problems, *unusable],
        notes=[
            *_notes(table, beside, votes, columns["split"], columns["emotion"], tested, hashes),
            *([damage] if damage else []),
        ],
        lacks=LACKS,
        images={clip: images[clip] for clip in rows["clip"]},
    )


def _files(root: Path) -> tuple[Path, Path]:
    """The table of the images and that of the votes."""
    if not root.is_dir():
        raise CorpusError(f"{root}: no such folder")
    file = next((path for name in _fer2013.NAMES if (path := root / name).is_file()), None)
    listing = root / TABLE
    if file is None:
        also = "" if listing.is_file() else f", nor the votes, {TABLE}"
        raise CorpusError(f"{root}: not FER+: the images of FER2013 are not there ({', '.join(_fer2013.NAMES)}){also}")
    if not listing.is_file():
        raise CorpusError(f"{listing}: no such file; the votes of FER+ are at {SOURCE.split()[0]}")
    return file, listing


def _listing(listing: Path) -> pd.DataFrame:
    """The table of the votes: usage, name, clip, and a column for each of `VOTES`, as text."""
    table = read_table(listing)
    if missing := [name for name in ("Usage", *VOTES) if name not in table]:
        raise CorpusError(f"{listing}: no column '{missing[0]}'; it has: {', '.join(map(str, table.columns))}")
    if table.empty:
        raise CorpusError(f"{listing}: has no rows; the votes of FER+ are at {SOURCE.split()[0]}")
    if strange := sorted(set(table["Usage"].fillna("nothing")) - {*USAGES}):
        raise CorpusError(f"{listing}: Usage is '{strange[0]}' in some row; known are {', '.join(USAGES)}")
    nothing = pd.Series(None, index=table.index, dtype="str")
    names = table.get("Image name", nothing)
    stems = names.str.removesuffix(".png")
    row = pd.Series([f":{number}" for number in range(1, len(table) + 1)], index=table.index, dtype="str")
    alone = stems.notna() & ~stems.duplicated(keep=False)
    clips = stems.where(alone, stems.fillna("") + row)
    return pd.DataFrame(
        {"usage": table["Usage"], "name": names, "clip": clips, **{name: table[name] for name in VOTES}}
    )


def _labels(root: Path, table: pd.DataFrame) -> pd.DataFrame | None:
    """The votes of the other release for each row, found by name; None without it. Missing where it has not one row.

    Raises:
        CorpusError: one of its tables cannot be read.
    """
    files = [root / FOLDERS[usage] / LABEL for usage in USAGES if (table["usage"] == usage).any()]
    if not all(file.is_file() for file in files):
        return None
    found = []
    for file in files:
        try:
            own = pd.read_csv(file, header=None, dtype="str")
        except (OSError, ValueError) as error:
            why = " ".join(str(error).split())
            raise CorpusError(f"{file}: not a table with commas in UTF-8 ({why})") from error
        if own.shape[1] != len(VOTES) + 2:
            raise CorpusError(f"{file}: has {own.shape[1]} columns, not a name, a box and {len(VOTES)} votes")
        found.append(own.set_axis(["name", "box", *VOTES], axis=1))
    others = pd.concat(found).dropna(subset="name").drop_duplicates("name", keep=False).set_index("name")[[*VOTES]]
    return others.reindex(table["name"].where(~table["name"].duplicated(keep=False))).set_axis(table.index)


def _known(clips: "pd.Series[str]", counts: pd.DataFrame, votes: str) -> tuple["pd.Series[bool]", list[Problem]]:
    """Which rows have ten counts of votes, and a problem for each other row."""
    whole = counts.map(lambda count: isinstance(count, str) and _fer2013.is_count(count)).astype(bool)
    known = whole.all(axis=1)
    problems = []
    for at in clips.index[~known]:
        name, given = next((name, given) for name, given in counts.loc[at].items() if not whole.loc[at, [name]].all())
        what = f"'{_fer2013.cut(given)}' of {name} is no count" if isinstance(given, str) else f"{name} has no count"
        problems.append(Problem(clips[at], f"row {at + 1}, votes of {votes}: {what}, left out"))
    return known, problems


def _images(
    file: Path, listing: Path, table: pd.DataFrame
) -> tuple[list[str | None], dict[str, NDArray[np.uint8]], list[Problem]]:
    """The emotion in FER2013 of each row; clip -> image; and the rows without an image that can be used."""
    clips, usages = list(table["clip"]), list(table["usage"])
    emotions: list[str | None] = []
    images, problems = {}, []
    number = 0
    for number, row in enumerate(_fer2013.rows(file), start=1):
        if number > len(table):
            continue
        clip, usage = clips[number - 1], usages[number - 1]
        if row.usage != usage:
            there = _fer2013.cut(row.usage)
            raise CorpusError(
                f"{listing}: row {number} is of {usage}, and in {file.name} of {there}; the two tables belong together "
                "row for row, so take them from one release"
            )
        emotions.append(row.emotion)
        if row.image is None:
            problems.append(Problem(clip, f"row {number} of {file.name}: {row.problem}, left out"))
        else:
            images[clip] = row.image
    if number != len(table):
        raise CorpusError(
            f"{listing}: has {len(table):,} rows, and {file.name} {number:,}; the two tables belong together row for "
            "row, so take them from one release"
        )
    return emotions, images, problems


def _tested(usage: "pd.Series[str]", test: str | None, validation: str | None) -> tuple[str, float]:
    """The part that is tested, and the share of Training that validates: 0 where PublicTest does."""
    private = bool((usage == USAGES[2]).any())
    tested = test if test is not None else USAGES[2] if private else USAGES[1]
    if tested not in USAGES[1:]:
        raise ConfigError(f"option test: {unknown('part', tested, USAGES[1:])}")
    if tested == USAGES[2] and not private:
        raise ConfigError("option test: there is no PrivateTest in the tables; give test=PublicTest")
    if tested == USAGES[2]:
        if validation is not None:
            raise ConfigError(
                "option validation: PublicTest validates where PrivateTest is tested; leave it out, or give "
                "test=PublicTest"
            )
        return tested, 0.0
    try:
        share = float(SHARE if validation is None else validation)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ConfigError(f"option validation: '{validation}' is no share of Training, such as 0.1")
    return tested, share


def _split(usage: "pd.Series[str]", hashes: Sequence[str], tested: str, share: float) -> "pd.Series[str]":
    """The split of each image, see the head of the module; missing where it is in none."""
    parts = {USAGES[0]: "train", USAGES[1]: "test"} if share else dict(zip(USAGES, PARTS, strict=True))
    place = pd.Series([int(found[:12], 16) / 16**12 for found in hashes], index=usage.index)
    return usage.map(parts).astype("str").mask((usage == USAGES[0]) & (place < share), "validation")


def _notes(
    table: pd.DataFrame,
    beside: pd.DataFrame | None,
    votes: str,
    split: "pd.Series[str]",
    emotion: "pd.Series[str]",
    tested: str,
    hashes: Sequence[str],
) -> list[str]:
    """Sentences on labels, releases, names, splits and copies."""
    notes = [f"{int(emotion.notna().sum()):,} of {_many(len(emotion))} with a label by the rule of FER+"]
    if beside is not None:
        both = beside.notna().all(axis=1)
        other = int((beside[both] != table.loc[both, [*VOTES]]).any(axis=1).sum())
        notes.append(f"{_many(other)} with other votes in {LABEL} than in {TABLE}; those of {votes} are taken")
    names = table["name"].dropna()
    if twice := int(names[names.duplicated()].nunique()):
        notes.append(f"names that stand twice in {TABLE}: {twice:,}; their clips are called NAME:ROW")
    counts = split.value_counts()
    sizes = ", ".join(f"{part} {counts.get(part, 0):,}" for part in PARTS)
    how = "a part of Training validates" if tested == USAGES[1] else "PublicTest validates"
    notes.append(f"{tested} is tested and {how}: {sizes}")
    places = pd.Series(hashes, dtype="str")
    trained = set(places[(split == "train").to_numpy()])
    copies = {part: int(places[(split == part).to_numpy()].isin(trained).sum()) for part in PARTS[1:]}
    return notes + [f"{_many(count)} of {part} with an exact copy in train" for part, count in copies.items() if count]


def _many(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"
