"""Tables and nested results as plain values, as JSON files hold them, and back; evenly spaced rows.

An unknown number is nan in memory and None (`null`) in a file. A float is written with all its digits, so what is read
is what was written, bit for bit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain values, None for missing values."""
    known = table.astype(object).where(table.notna(), None)
    return [
        {str(key): getattr(value, "item", lambda v=value: v)() for key, value in row.items()}
        for row in known.to_dict("records")
    ]


def nested(table: pd.DataFrame, outer: str, inner: str) -> dict[str, Any]:
    """The remaining columns of each row as plain values, by the values of the columns `outer` and `inner`."""
    found: dict[str, Any] = {}
    for row in records(table):
        found.setdefault(row.pop(outer), {})[row.pop(inner)] = row
    return found


def rows_of(values: Mapping[str, Mapping[str, Mapping[str, Any]]], outer: str, inner: str) -> list[dict[str, Any]]:
    """The rows of the table that `nested` was given, in their order."""
    return [{outer: one, inner: two, **row} for one, rows in values.items() for two, row in rows.items()]


def thin(count: int, most: int = 100) -> NDArray[np.intp]:
    """At most `most` evenly spaced indices from 0 to count - 1, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def plain(value: Any) -> Any:
    """Nested mappings, sequences, named tuples, tables and arrays as plain values; nan is None."""
    if isinstance(value, pd.DataFrame):
        return records(value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and value != value else value


def numbers(value: Any) -> Any:
    """Plain values of a file with nan in place of None, at any depth."""
    if isinstance(value, dict):
        return {key: numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [numbers(one) for one in value]
    return float("nan") if value is None else value
