"""Vectors from the corpus's own table: which columns, in which order, and who has none."""

import numpy as np
import pandas as pd
import pytest
import torch

from mien import features
from mien.corpora.corpus import typed
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.data.store import ColumnStore, open_store
from mien.errors import ConfigError, unknown
from mien.features import columns

TABLE = typed(
    pd.DataFrame(
        {
            "clip": ["a", "b", "c", "d"],
            "file": "x.wav",
            "speaker": "s",
            "AU12_r": ["1.5", "2.0", "", "0.25"],
            "AU01_r": ["0.5", "-1.0", "3.0", "inf"],
            "AU45_c": ["0", "1", "1", "0"],
            "mood": ["good", "bad", "good", "bad"],
        },
        dtype="str",
    ).replace("", pd.NA)
)


def config(*names: str, dimension: int = 1) -> columns.Config:
    return features.parse("columns", {"columns": names, "dimension": dimension})


def test_a_pattern_is_sorted_and_names_keep_their_order():
    starred = columns.vectors(TABLE, config("AU*_r", dimension=2), "table")
    named = columns.vectors(TABLE, config("AU12_r", "AU01_r", dimension=2), "table")
    assert starred["a"].tolist() == [[0.5, 1.5]]
    assert named["a"].tolist() == [[1.5, 0.5]]
    assert {vector.dtype for vector in starred.values()} == {torch.float32}


def test_whole_numbers_are_numbers_too():
    vectors = columns.vectors(TABLE, config("AU45_c", "AU01_r", dimension=2), "table")
    assert vectors["b"].tolist() == [[1.0, -1.0]]


def test_a_clip_of_which_a_value_is_missing_or_endless_has_no_vector():
    vectors = columns.vectors(TABLE, config("AU*_r", dimension=2), "table")
    assert {clip: tuple(vector.shape) for clip, vector in vectors.items()} == {
        "a": (1, 2),
        "b": (1, 2),
        "c": (0, 2),
        "d": (0, 2),
    }


@pytest.mark.parametrize(
    ("names", "dimension", "message"),
    [
        (["AU12_x"], 1, f"columns: table: {unknown('column', 'AU12_x', TABLE)}"),
        (["FAU*"], 1, f"columns: table: {unknown('column', 'FAU*', TABLE)}"),
        (["AU01_r", "mood"], 2, "columns: table: the column 'mood' holds words, not numbers"),
        (["AU*_r"], 35, "dimension: 35, but table has 2 such columns; write that number"),
    ],
)
def test_what_the_table_has_not_is_refused_by_name(names, dimension, message):
    with pytest.raises(ConfigError) as error:
        columns.vectors(TABLE, config(*names, dimension=dimension), "table")
    assert str(error.value) == f"data.video.{message}"


def test_the_store_needs_no_extraction(tmp_path):
    store = open_store(Joined.of(Prepared(tmp_path, TABLE, {})), "columns", config("AU*_r", dimension=2))
    assert isinstance(store, ColumnStore)
    assert store.missing(["a", "c"]) == []
    assert store.extract(["a", "c"]).empty
    assert [store.length(clip) for clip in "abcd"] == [1, 1, 0, 0]
    assert store.valid("a").tolist() == [True]
    assert store.valid("c").tolist() == []
    np.testing.assert_array_equal(store.frames("b"), [[-1.0, 2.0]])
    assert not list(tmp_path.iterdir())
