"""What intervals resample: speakers; or single clips, where a corpus does not name them.

Clips of a person are alike, so a score that is meant for other people has an interval over speakers. Where nobody is
named it is not known which clips are of one person. Then every clip is a unit of its own, the interval is too narrow
for other people, and nothing may be said of seen or unseen speakers.
"""

import pandas as pd


def units(rows: pd.DataFrame) -> "pd.Series[str]":
    """The unit of each row: its speaker, or its clip where that is missing; who is not known is no one person.

    Args:
        rows: with `speaker`, and with `clip` where speakers are missing.
    """
    speakers = rows["speaker"].astype("str")
    return speakers.fillna(rows["clip"].astype("str")) if speakers.isna().any() else speakers


def noun(named: object) -> str:
    """What one unit is called; `named`: whether speakers are, or how many."""
    return "speaker" if named else "clip"
