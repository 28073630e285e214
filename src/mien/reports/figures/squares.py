"""The squares of a heat map of leakage, which a page draws and a text prints. Draws nothing, imports no matplotlib."""

from typing import NamedTuple

import pandas as pd

from mien.audit.leakage.floors import projected
from mien.common.leakage_tables import STRONGEST, after_eraser, factor_name


class Square(NamedTuple):
    """One score of the map; fractions in [0, 1], nan where not known.

    Attributes:
        row: the embedding.
        column: the factor that the probe predicts.
        score: UAR of the strongest probe.
        low: lower end of its interval.
        high: upper end.
        chance: of this factor.
        floor: the best score without the embedding, such as from the label of another factor; at least chance.
    """

    row: str
    column: str
    score: float
    low: float
    high: float
    chance: float
    floor: float


def squares(strongest: pd.DataFrame, floors: pd.DataFrame) -> list[Square]:
    """The squares of a map.

    Args:
        strongest: one row a model, embedding, `eraser`, factor, `balanced` and `speakers`, with `score, low,
            high, chance`.
        floors: rows of role floor, with `factor, balanced, speakers, embedding, probe, score`: of the strongest probes,
            the best floor counts; a random projection is none.
    """
    floors = floors[(floors["probe"] == STRONGEST) & ~projected(floors)]
    models, names = strongest["model"].nunique(), len(strongest[["embedding", "eraser"]].drop_duplicates())
    sides = strongest.groupby(["factor", "balanced"])["speakers"].nunique()
    found = []
    for row in strongest.to_dict("records"):
        key = (row["factor"], row["balanced"])
        own = floors[(floors["factor"] == key[0]) & (floors["balanced"] == key[1])]
        own = own[own["speakers"].fillna("") == (row["speakers"] if isinstance(row["speakers"], str) else "")]
        parts = [row["model"]] * (models > 1 or names == 1) + [row["embedding"]] * (names > 1)
        side = f", {row['speakers']}" if sides.get(key, 0) > 1 else ""
        score, low, high, chance = (float(row[key]) for key in ("score", "low", "high", "chance"))
        best = max([chance, *own["score"].dropna().tolist()])
        name = after_eraser(" ".join(map(str, parts)), row["eraser"])
        found.append(Square(name, f"{factor_name(*key)}{side}", score, low, high, chance, best))
    return found
