"""The heat map tells every score with its interval and floor, as text that stands alone."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from mien.common.leakage_tables import LEAKAGE
from mien.reports.figures import heatmap
from mien.reports.figures.squares import squares


def rows() -> pd.DataFrame:
    shared = {
        "eraser": "",
        "balanced": "",
        "measure": "uar",
        "probe": "strongest",
        "role": "measured",
        "split": "disjoint <clips>",
        "n": 40,
    }
    numbers = {"low": 0.3, "high": 0.5, "shuffled": 0.1, "p": 0.01, "p_corrected": 0.02, "classes": 10}
    found = [
        {"model": "m", "embedding": "main", "factor": "speaker", "speakers": "seen", "score": 0.4, "chance": 0.1},
        {"model": "m", "embedding": "main", "factor": "speaker", "speakers": "unseen", "score": 0.7, "chance": 0.5},
        {"model": "n", "embedding": "main", "factor": "speaker", "speakers": "seen", "score": 0.05, "chance": 0.1},
    ]
    floors = [
        {"embedding": "majority", "score": 0.1},
        {"embedding": "emotion label", "score": 0.22},
        {"embedding": "random projection", "score": 0.9},
        {"embedding": "emotion label", "score": 0.8, "probe": "linear"},  # the best on test is nobody's choice
        {"embedding": "random projection to 8", "score": 0.9},
    ]
    found += [{**found[0], "model": "baseline", "role": "floor", **floor} for floor in floors]
    return pd.DataFrame([{**shared, **numbers, **row} for row in found]).reindex(columns=list(LEAKAGE))


def test_squares_hold_the_best_floor_of_their_side() -> None:
    table = rows()
    found = squares(table[table["role"] == "measured"], table[table["role"] == "floor"])
    assert [(one.row, one.column, one.floor) for one in found] == [
        ("m", "speaker, seen", 0.22),
        ("m", "speaker, unseen", 0.5),
        ("n", "speaker, seen", 0.22),
    ]


def test_an_eraser_stands_behind_the_name_of_the_embedding() -> None:
    table = rows().iloc[:1]
    both = pd.concat([table, table.assign(eraser="leace")])
    assert [one.row for one in squares(both, table[:0])] == ["main", "main after LEACE"]


def test_balanced_test_clips_have_a_column_and_floors_of_their_own() -> None:
    table = rows()
    floor = table[table["embedding"] == "emotion label"].iloc[:1]
    measured = table.iloc[:1]
    own, other = (measured.assign(balanced=over, score=score) for over, score in (("speaker", 0.2), ("emotion", 0.3)))
    floors = pd.concat([floor, floor.assign(balanced="speaker", score=0.15)])
    found = squares(pd.concat([measured, own, other]), floors)
    assert [(one.column, one.score, one.floor) for one in found] == [
        ("speaker", 0.4, 0.22),
        ("speaker (balanced)", 0.2, 0.15),
        ("speaker (balanced over emotion)", 0.3, 0.1),
    ]


def test_the_map_shows_points_above_chance_and_fills_by_them() -> None:
    table = rows()
    found = squares(table[table["role"] == "measured"], table[table["role"] == "floor"])
    found.append(found[0]._replace(column="age", low=np.nan, high=np.nan))
    text = heatmap.heatmap(found, name="leakage", description="a <map>")
    for label in ("+30", "+20 to +40", "floor +12", "no interval", "speaker,", "seen"):
        assert f">{label}<" in text, label
    assert "\N{MINUS SIGN}5" in text
    assert text == heatmap.heatmap(found, name="leakage", description="a <map>")
    opacity = [float(value) for value in re.findall(r"fill: var\(--fill\); opacity: ([\d.]+)", text)]
    assert max(opacity) == round(0.85 * 0.2 / 0.5, 2)


def test_the_svg_file_stands_alone() -> None:
    table = rows()
    found = squares(table[table["role"] == "measured"], table[table["role"] == "floor"])
    root = ElementTree.fromstring(heatmap.picture(heatmap.heatmap(found, name="leakage", description="a <map>")))
    assert root.tag.endswith("svg")
    style = next(iter(root)).text or ""
    assert "--fill:" in style
    assert "prefers-color-scheme: dark" in style
