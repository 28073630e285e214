"""What is written as plain values is read back, bit for bit, with nan for what is unknown."""

import json
from typing import NamedTuple

import numpy as np
import pandas as pd

from mien.common.tables import nested, numbers, plain, records, rows_of


class Pair(NamedTuple):
    """Two numbers."""

    low: float
    high: float


def test_floats_are_read_as_they_were_written() -> None:
    values = np.random.default_rng(0).random(100)
    assert json.loads(json.dumps(plain({"x": values})))["x"] == values.tolist()


def test_unknown_numbers_are_none_in_files_and_nan_in_memory() -> None:
    nan = float("nan")
    table = pd.DataFrame({"name": ["a", None], "value": [np.float64(0.5), nan]})
    given = {"pair": Pair(nan, 1.0), 3: [np.int64(2), (nan, True)], "table": table, "text": "nan"}
    written = plain(given)
    assert written == {
        "pair": {"low": None, "high": 1.0},
        "3": [2, [None, True]],
        "table": [{"name": "a", "value": 0.5}, {"name": None, "value": None}],
        "text": "nan",
    }
    read = numbers(written)
    assert np.isnan(read["pair"]["low"])
    assert np.isnan(read["3"][1][0])
    assert read["3"][1][1] is True
    assert read["text"] == "nan"


def test_a_nested_table_has_its_rows_in_their_order() -> None:
    table = pd.DataFrame({"model": ["b", "b", "a"], "split": ["x", "y", "x"], "score": [0.1, 0.2, 0.3]})
    assert nested(table, "model", "split")["b"] == {"x": {"score": 0.1}, "y": {"score": 0.2}}
    assert rows_of(nested(table, "model", "split"), "model", "split") == records(table)
