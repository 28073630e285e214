"""The verdict of every comparison: whether two systems are separable.

They are if there are at least `FEWEST` speakers or units, if the interval of the difference excludes zero, and if p,
corrected for the number of comparisons (Holm), is below `LEVEL`.
"""

import pandas as pd

from mien.audit.statistics.significance import holm

FEWEST = 6  # speakers needed to separate two models: all five of five are on one side by chance 1 time in 16

LEVEL = 0.05


def judged(table: pd.DataFrame, *family: str, number: str) -> pd.DataFrame:
    """The table of pairs with `p_holm` and the verdict `separable`.

    Args:
        table: pairs with `low, high, p`.
        family: columns; p is corrected over all pairs with equal values in them.
        number: the column that counts speakers or units.
    """
    found = table.copy()
    for _, rows in found.groupby(list(family), sort=False):
        found.loc[rows.index, "p_holm"] = holm(rows["p"].to_numpy(float))
    return found.assign(separable=verdict(found["low"], found["high"], found["p_holm"], found[number]))


def verdict(
    low: "pd.Series[float]", high: "pd.Series[float]", p: "pd.Series[float]", number: "pd.Series[int]"
) -> "pd.Series[bool]":
    """Whether each pair is separable, see the module. `p` is corrected; `number` counts speakers or units."""
    low, high, p = low.astype(float), high.astype(float), p.astype(float)
    return (number >= FEWEST) & ((low > 0) | (high < 0)) & (p < LEVEL)
