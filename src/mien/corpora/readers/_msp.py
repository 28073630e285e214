"""Shared by the readers of the MSP lab's corpora: a sentence on the turns whose raters agree on no known emotion."""

from collections.abc import Iterator
from typing import Any

import pandas as pd


def without_emotion(consensus: "pd.Series[Any]") -> Iterator[str]:
    """A sentence where the column `consensus` has turns with "none" or "other"."""
    none, other = int((consensus == "none").sum()), int((consensus == "other").sum())
    if none + other:
        yield (
            f"{none + other:,} turns have no emotion: {none:,} without agreement, {other:,} of another emotion; the "
            "column 'consensus' keeps which"
        )
