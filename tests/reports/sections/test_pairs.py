"""Few pairs are all shown; of many pairs, the separable ones are shown and the others folded away."""

from itertools import combinations
from typing import Any

import pandas as pd

from mien.reports.sections import pairs


def table(models: int, speakers: int, separable: set[tuple[str, str]]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            **{"model": model, "other": other, "measure": measure, "difference": 0.1, "low": 0.0, "high": 0.2},
            **{"separable": (model, other) in separable and measure == "uar", "speakers": speakers},
        }
        for model, other in combinations([f"m{number}" for number in range(models)], 2)
        for measure in ("uar", "wa")
    ]
    return pd.DataFrame(rows)


def test_few_are_all_shown() -> None:
    found = pairs.scored(table(6, 12, {("m0", "m1")}))
    assert (len(found.shown), found.folded, found.pairs, found.summary) == (15, [], 15, "")
    assert found.counted == "1 of 15 pairs by UAR and 0 of 15 pairs by WA are separable."
    assert found.shown[0]["by"]["wa"]["difference"] == 0.1


def test_of_many_the_separable_are_shown_and_the_others_folded() -> None:
    apart = {("m0", "m1"), ("m2", "m5")}
    found = pairs.scored(table(14, 12, apart))
    assert {(row["model"], row["other"]) for row in found.shown} == apart
    assert len(found.folded) == 91 - 2
    assert found.counted == "2 of 91 pairs by UAR and 0 of 91 pairs by WA are separable."
    assert found.summary == (
        "p is corrected over 91 pairs (Holm), so that few pairs can be separable. With 12 speakers the least possible "
        "corrected p is 0.044, if all differences have one sign."
    )
    few = pairs.scored(table(14, 10, set()))
    assert few.shown == []
    assert few.summary.endswith("With 10 speakers none is: the least possible corrected p is 0.18.")
    assert pairs.scored(table(14, 40, apart)).summary.endswith("so that few pairs can be separable.")


def test_p_is_corrected_within_an_embedding() -> None:
    row = {"seen": {"separable": False, "number": 12}}
    rows = [{"model": "a", "other": "b", "embedding": name, "by": row} for name in ("x", "y") for _ in range(10)]
    found = pairs.divided(rows, pairs.SIDES, "number")
    assert found.counted == "0 of 20 pairs on seen speakers are separable."
    assert found.summary.startswith("p is corrected over 10 pairs (Holm)")


def test_a_side_without_any_interval_is_known() -> None:
    by = {
        "seen": {"separable": False, "number": 8, "low": -0.1, "high": 0.1},
        "unseen": {"separable": False, "number": 1, "low": float("nan"), "high": float("nan")},
    }
    assert pairs.divided([{"model": "a", "other": "b", "by": by}], pairs.SIDES, "number").with_interval == {"seen"}
