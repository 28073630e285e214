"""The checks of a split. Each yields rows, which `findings` turns into sentences.

A split is a table, see `findings`. A row is a mapping with `fold`, `splits` (the parts), `severity`, and keys for the
speakers, clips or other values that it is about.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mien.corpora.recordings import OVERLAP, file_of, limits, named, recording_of, several
from mien.data.protocols import PARTS

SOURCES = ("listed", "named", "folder")  # columns: the speaker by the table, by the file's name and by its folder

Severity = Literal["leak", "note"]
Row = dict[str, Any]


class Twins(NamedTuple):
    """Two clips of one sound, or two images: `how` is "bytes", "samples" or "pixels" if they are equal in these."""

    first: str
    second: str
    how: Literal["bytes", "samples", "pixels", "near"]
    similarity: float


def keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as they are compared.

    Speakers, sentences, sessions, recordings and files have the corpus as a prefix if there are several. A clip without
    a recording is of the recording that its file is, where the file has several clips. Copies of a file are one file.
    """
    keys = rows.assign(recording=recording_of(rows)) if {"file", "recording"} & set(rows) else rows
    keys = keys.assign(file=file_of(rows)) if "file" in rows else keys
    columns = {"speaker", "sentence", "session", *SOURCES} & set(rows)
    return keys.assign(**{column: named(rows, column) for column in sorted(columns)})


def _between(rows: pd.DataFrame, *keys: str) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Yield a fold, two of its parts, and a value of the columns `keys` that both parts have."""
    known = rows[rows[list(keys)].notna().all(axis=1)]
    for fold, part in known.groupby("fold", sort=False):
        values = {
            split: set(group[list(keys)].itertuples(index=False, name=None)) for split, group in part.groupby("split")
        }
        for first, second in combinations(PARTS, 2):
            for value in sorted(values.get(first, set()) & values.get(second, set())):
                yield str(fold), first, second, value


def speakers(rows: pd.DataFrame) -> Iterator[Row]:
    """Speakers in two parts. `of` is the number of speakers of the second part, in the same `corpus` if several."""
    if not several(rows):
        people = rows.groupby(["fold", "split"])["speaker"].nunique()
        for fold, first, second, (speaker,) in _between(rows, "speaker"):
            yield _row(fold, (first, second), speaker=speaker, of=int(people[fold, second]))
        return
    for corpus, part in rows.fillna({"corpus": ""}).groupby("corpus", sort=True):
        yield from ({**row, "corpus": corpus} for row in speakers(part.drop(columns="corpus")))


def recordings(rows: pd.DataFrame) -> Iterator[Row]:
    """Recordings and sessions in two parts: a note if different speakers share one in validation and test, else a leak.

    An unknown speaker may be any of them. In dialogues one speaker of a session may be in validation and the other in
    test: no clip of it is trained on.
    """
    for column in ("recording", "session"):
        if column not in rows:
            continue
        people = rows.groupby(["fold", "split", column])["speaker"].agg(_all_named)
        for fold, first, second, (value,) in _between(rows, column):
            one, other = people[fold, first, value], people[fold, second, value]
            apart = bool(one and other) and not one & other
            severity: Severity = "note" if first == "validation" and apart else "leak"
            yield _row(fold, (first, second), severity, what=column, **{column: value})


def overlaps(rows: pd.DataFrame) -> Iterator[Row]:
    """Clips of one file that share more than `OVERLAP` seconds and are in two parts; severity as of `recordings`.

    `file`, `from`, `to` and `seconds` are of the shared sound, in seconds of the file; where two clips are the whole
    file, whose length is not known, `to` and `seconds` are missing.
    """
    parts = pd.concat([rows[["fold", "split", "clip", "speaker", "file"]], limits(rows)], axis=1).drop_duplicates()
    parts = parts[parts.groupby(["fold", "file"])["split"].transform("nunique") > 1]
    parts = parts.sort_values(["fold", "file", "start", "end", "clip"], kind="stable")
    for (fold, file), clips in parts.groupby(["fold", "file"], sort=False):
        before: list[Any] = []  # clips that reach to the next one or beyond it
        each: Any
        for each in clips.itertuples(index=False):
            before = [other for other in before if other.end - each.start > OVERLAP]
            for other in before:
                end = min(other.end, each.end)
                if other.split == each.split or other.clip == each.clip or end - each.start <= OVERLAP:
                    continue
                first, second = sorted((other, each), key=lambda clip: PARTS.index(clip.split))
                apart = pd.notna(first.speaker) and pd.notna(second.speaker) and first.speaker != second.speaker
                known = {"to": round(end, 3), "seconds": round(end - each.start, 3)} if end < np.inf else {}
                yield _row(
                    str(fold),
                    (first.split, second.split),
                    "note" if first.split == "validation" and apart else "leak",
                    clips=[first.clip, second.clip],
                    **{"file": file, "from": round(each.start, 3)} | known,
                )
            before.append(each)


def sentences(rows: pd.DataFrame) -> Iterator[Row]:
    """Sentences of one speaker in two parts."""
    for fold, first, second, (speaker, sentence) in _between(rows, "speaker", "sentence"):
        yield _row(fold, (first, second), speaker=speaker, sentence=sentence)


def shared_sentences(rows: pd.DataFrame) -> Iterator[Row]:
    """Sentences in both train and test that some speaker speaks in one part only."""
    known = rows[rows["speaker"].notna()]
    people = known.groupby(["fold", "split", "sentence"])["speaker"].agg(set)
    for fold, first, second, (sentence,) in _between(known, "sentence"):
        if (first, second) == ("train", "test") and people[fold, first, sentence] ^ people[fold, second, sentence]:
            yield _row(fold, (first, second), "note", sentence=sentence)


def missing_classes(rows: pd.DataFrame, classes: Sequence[str] | None) -> Iterator[Row]:
    """Classes without a clip in a test part. If `classes` is None, they are those of the fold."""
    for fold, part in rows.groupby("fold", sort=False):
        wanted = sorted({name for name in part["emotion"].dropna() if "+" not in name}) if classes is None else classes
        tested = part["emotion"][part["split"] == "test"]
        for name in wanted if len(tested) else ():
            if name not in set(tested):
                yield _row(str(fold), ("test",), "note", emotion=name)


def listed_twice(rows: pd.DataFrame, in_part: str) -> Iterator[Row]:
    """The same clip in a part and in a later one (in the order of `PARTS`)."""
    for fold, first, second, (clip,) in _between(rows, "clip"):
        if first == in_part:
            yield _row(fold, (first, second), clips=[clip, clip], how="clip")


def across(rows: pd.DataFrame, twins: Iterable[Twins]) -> Iterator[Row]:
    """Twins in two parts of a fold; a note if they are in two parts of no fold."""
    places = _places(rows)
    for pair in twins:
        about: Row = {"clips": [pair.first, pair.second], "how": pair.how, "similarity": round(pair.similarity, 3)}
        here, there = places.get(pair.first, {}), places.get(pair.second, {})
        crossed = [
            _row(fold, tuple(sorted((one, other), key=PARTS.index)), **about)
            for fold in here.keys() & there.keys()
            for one in here[fold]
            for other in there[fold]
            if one != other
        ]
        yield from sorted(crossed, key=lambda row: (row["fold"], row["splits"])) or [_row("", (), "note", **about)]


def labels(rows: pd.DataFrame, twins: Iterable[Twins]) -> Iterator[Row]:
    """One clip with two labels, or two clips of one sound with different labels; a leak if they are in two parts."""
    known = rows[rows["emotion"].notna()]
    for clip, group in known.groupby("clip", sort=True):
        labels = sorted(set(group["emotion"]))
        if len(labels) > 1:
            crossed = any(len(set(part["split"])) > 1 for _, part in group.groupby("fold"))
            yield _row("", (), "leak" if crossed else "note", clips=[clip, clip], emotions=labels)
    label = known.drop_duplicates("clip").set_index("clip")["emotion"]
    for pair in twins:
        labels = [label.get(pair.first), label.get(pair.second)]
        if None not in labels and labels[0] != labels[1]:
            for row in across(rows, [pair]):
                yield {**{key: row[key] for key in ("fold", "splits", "severity", "clips")}, "emotions": labels}


def conflicts(rows: pd.DataFrame) -> Iterator[Row]:
    """Clips with different speakers by table, name or folder; a leak if the other speaker is in another part.

    A table may use other names for speakers than the files. So names are matched as in most clips, and the clips that
    do not match are in conflict.
    """
    clips = rows.drop_duplicates("clip").set_index("clip")
    parts = {(fold, who): set(part["split"]) for (fold, who), part in rows.groupby(["fold", "speaker"])}
    others: dict[str, set[str]] = {}  # clip -> the other speakers that it may be of, by their names in `speaker`
    for one, other in combinations([column for column in SOURCES if column in clips], 2):
        known = clips[clips[[one, other, "speaker"]].notna().all(axis=1)]
        people = {column: known.groupby(column)["speaker"].agg(usual) for column in (one, other)}
        there, back = (known.groupby(a)[b].agg(usual) for a, b in ((one, other), (other, one)))
        wrong = known[(known[one].map(there) != known[other]) | (known[other].map(back) != known[one])]
        for clip, row in wrong.iterrows():
            named = {people[column][row[column]] for column in (one, other)}
            others.setdefault(str(clip), set()).update(named - {row["speaker"]})
    for clip, who in others.items():
        crossed = [
            (str(fold), split)
            for fold, split in rows.loc[rows["clip"] == clip, ["fold", "split"]].itertuples(index=False)
            if any(parts.get((fold, name), set()) - {split} for name in who)
        ]
        row = clips.loc[[clip]].iloc[0]
        by_source = {column: row[column] for column in SOURCES if column in row and pd.notna(row[column])}
        fold, split = crossed[0] if crossed else ("", "")
        severity: Severity = "leak" if crossed else "note"
        yield _row(fold, (split,) if split else (), severity, clips=[clip], speaker=row["speaker"], **by_source)


def usual(names: "pd.Series[str]") -> str:
    """The most frequent name."""
    return str(names.mode().iloc[0])


def statistics(models: Iterable[str]) -> Iterator[Row]:
    """Models whose features are normalised with statistics of validation and test clips."""
    for model in models:
        yield _row("", ("validation", "test"), model=model)


def _all_named(speakers: "pd.Series[str]") -> set[str]:
    """The speakers of some clips; none where one of them is not known."""
    return set() if speakers.isna().any() else set(speakers)


def _places(rows: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Clip -> fold -> the parts that the clip is in."""
    places: dict[str, dict[str, list[str]]] = {}
    for clip, fold, split in rows[["clip", "fold", "split"]].drop_duplicates().itertuples(index=False):
        places.setdefault(clip, {}).setdefault(str(fold), []).append(split)
    return places


def _row(fold: str, splits: Sequence[str], severity: Severity = "leak", **about: Any) -> Row:
    return {"fold": fold, "splits": list(splits), "severity": severity, **about}
