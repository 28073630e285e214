"""Which clips are of one recording: those of one name in the column `recording`, else those of one file.

Windows of a file share its speaker, room and device, and where they overlap its very sound. So they stay on one side of
every split that keeps recordings whole: of the split audit, of the probes, and of the protocol seen_speakers.
"""

import numpy as np
import pandas as pd

OVERLAP = 0.01  # seconds that two clips may share: less is rounding of their limits


def recording_of(clips: pd.DataFrame) -> "pd.Series[str]":
    """The recording of each row: the given one, else its file where that has several clips; else missing.

    Args:
        clips: `recording`, `file`, `corpus` and `clip` are used where they are, and what `file_of` uses. Without `clip`
            every row is a clip. Of several corpora, names of recordings begin with the corpus, since each has names and
            files of its own.
    """
    given, files = named(clips, "recording"), file_of(clips)
    clip = clips["clip"] if "clip" in clips else _numbers(clips)
    return given.fillna(files.where(clip.groupby(files).transform("nunique") > 1))


def recording_of_all(clips: pd.DataFrame) -> "pd.Series[str] | None":
    """The recording of each row; None unless that of every row is known.

    Where no recording is given and a file has several clips, every other file is a recording of its own. Where
    recordings are given for some clips, the others may be of one of these.
    """
    found = recording_of(clips)
    if found.notna().any() and ("recording" not in clips or clips["recording"].isna().all()):
        found = found.fillna(file_of(clips))
    return found if len(found) and found.notna().all() else None


def together(clips: pd.DataFrame) -> "pd.Series[int]":
    """A number for each row: equal for clips of one recording, and for parts of one file that share sound.

    Args:
        clips: one row a clip, see `recording_of`; `start` and `end`, seconds, are used where they are.
    """
    own, found = _numbers(clips), recording_of(clips)
    return joined(own.groupby(found).transform("min").fillna(own), _chains(clips))


def joined(one: "pd.Series[int]", other: "pd.Series[int]") -> "pd.Series[int]":
    """A number for each row, equal for rows that have equal numbers in one of the two, or through rows between."""
    found = pd.Series(np.arange(len(one)), index=one.index)
    while True:  # the least number goes on until it has reached all that is joined through others
        next_one = found.groupby(one).transform("min").groupby(other).transform("min")
        if next_one.equals(found):
            return found
        found = next_one


def file_of(clips: pd.DataFrame) -> "pd.Series[str]":
    """The file of each row, named as by `named`; copies of a file of which there are parts have the name of the first.

    Whole files of one content stay apart: they are clips that are equal, not parts of one recording.

    Args:
        clips: `file`, and where they are known `sha256` of the file, `start` and `end` in seconds.
    """
    files = named(clips, "file")
    if "sha256" not in clips:
        return files
    content = clips["sha256"]
    copies = files.groupby(content).transform("nunique") > 1
    if not copies.any():
        return files
    spans = limits(clips)
    parts = spans.groupby(list(spans)).ngroup().groupby(content).transform("nunique") > 1
    return files.mask(copies & parts, files.groupby(content).transform("min"))


def several(clips: pd.DataFrame) -> bool:
    """Whether clips are of several corpora."""
    return "corpus" in clips and len(set(clips["corpus"].dropna())) > 1


def named(clips: pd.DataFrame, column: str) -> "pd.Series[str]":
    """A column of names, which of several corpora begin with the corpus: each has names of its own. Missing if absent.

    A name that begins so already stays.
    """
    if column not in clips:
        return pd.Series(None, index=clips.index, dtype="str")
    names = clips[column].astype("str")
    if not several(clips):
        return names
    prefix = clips["corpus"].fillna("") + "/"
    bare = [not str(name).startswith(begin) for name, begin in zip(names, prefix, strict=True)]
    return names.mask(pd.Series(bare, index=clips.index) & names.notna(), prefix + names)


def limits(clips: pd.DataFrame) -> pd.DataFrame:
    """The columns `start` and `end` of each row in seconds of its file; infinite where the end is that of the file."""
    return pd.DataFrame(
        {
            name: pd.to_numeric(clips[name]).fillna(missing) if name in clips else missing
            for name, missing in (("start", 0.0), ("end", np.inf))
        },
        index=clips.index,
        dtype="float64",
    )


def _chains(clips: pd.DataFrame) -> "pd.Series[int]":
    """A number for each row, equal for parts of one file that share sound, with each other or with those between."""
    ordered = limits(clips).assign(file=file_of(clips)).sort_values(["file", "start", "end"], kind="stable")
    reached = ordered.groupby("file")["end"].cummax().groupby(ordered["file"]).shift()
    begins = ~(reached - ordered["start"] > OVERLAP)
    return begins.astype(np.int64).cumsum().reindex(clips.index)


def _numbers(clips: pd.DataFrame) -> "pd.Series[int]":
    return pd.Series(np.arange(len(clips)), index=clips.index)
