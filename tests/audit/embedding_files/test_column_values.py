"""Columns that by their values are codes of a label or numbers of clips are left out; a real dimension never is."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien.audit.embedding_files.columns import by_name, by_value
from mien.audit.embedding_files.labels import read_labels
from mien.audit.embedding_files.read import join, read_embeddings
from mien.errors import AuditError

N = 96
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((N, 4))
CODE = np.arange(N) // 8 % 12
WHO = np.array([f"p{code:02d}" for code in CODE])
ORDER = RANDOM.permutation(N)
FILES = np.array(
    [f"{chr(97 + code)}_{number:03d}.wav" for code, number in zip(CODE, 2 * np.arange(N) + 5, strict=True)]
)
VALENCE = RANDOM.standard_normal(N)
LABELS = pd.DataFrame({"speaker": WHO, "file": FILES, "valence": VALENCE, "rare": ["a", *"b" * (N - 1)]})
ONE_WRONG = np.where(np.arange(N) == 40, 11, CODE)
SPEAKER = "goes with the labels' column 'speaker', as a code does"
FILE = "rises with the labels' column 'file'"


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize(
    ("column", "why"),
    [
        ((CODE - 3.5) / 2.3, SPEAKER),
        (CODE + 0.5, SPEAKER),
        (ONE_WRONG, SPEAKER),
        (CODE // 2, SPEAKER),
        (RANDOM.permutation(12)[CODE] // 2 * 1.5, SPEAKER),
        (10 * CODE + np.arange(N) % 2, SPEAKER),
        (np.where(CODE < 6, 2.0, 1.0), SPEAKER),
        (3 * VALENCE - 1, "is the labels' column 'valence', but for its scale"),
        (2 * np.arange(N) + 5, "is the number 1 in the names of the clips"),
        (RANDOM.choice(300, N, replace=False), "numbers the rows, with gaps"),
        (np.sqrt(np.arange(N) // 3), "rises with the labels' column 'file'"),
        (np.cumsum(np.arange(N) % 3), "rises with the labels' column 'file'"),
    ],
)
def test_codes_and_numbers_are_left_out_of_tables_and_refused_in_arrays(
    tmp_path: Path, column: np.ndarray, why: str, as_array: bool
) -> None:
    labels = read_labels(LABELS.iloc[ORDER])
    values = np.c_[X, column][ORDER]
    if as_array:
        sentence = f"embedding: 'embedding', column 4: {why}, so it is no part of an embedding; remove it"
        with pytest.raises(AuditError, match=f"^{re.escape(sentence)}$"):
            join(read_embeddings(values), labels)
        return
    pd.DataFrame(values).add_prefix("e").to_csv(tmp_path / "E.csv", index=False)
    found = join(read_embeddings(tmp_path / "E.csv", labels.columns), labels)
    np.testing.assert_allclose(found.arrays["E"], X[ORDER])
    assert f"{tmp_path / 'E.csv'}: left out of the embedding: column 'e4', which {why}" in found.notes


def test_numbers_with_ties_that_rise_with_the_rows_are_left_out() -> None:
    column = np.sqrt(np.arange(N) // 3)
    assert by_value(np.c_[X, column], LABELS[["rare"]]) == ({4: "rises with the rows"}, {})


@pytest.mark.parametrize("count", [12, 24, 200, 3_000])
@pytest.mark.parametrize("digits", [None, 3, 1])
def test_a_real_dimension_is_never_left_out(count: int, digits: int | None) -> None:
    """A dimension that gives the speaker away, too; rounded to one decimal values repeat."""
    random = np.random.default_rng(count)
    who = np.arange(count) // 4 % 20
    values = random.standard_normal((count, 300)) / 4 + random.standard_normal((20, 300))[who]
    values = values if digits is None else values.round(digits)
    labels = pd.DataFrame({"speaker": who, "gender": who % 2, "file": [f"{row}.wav" for row in range(count)]})
    for dtype in (np.float64, np.float16):
        out, doubtful = by_value(values.astype(dtype), labels.astype(str))
        assert out == {}
        assert doubtful == {} or digits == 1


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_marks_and_embeddings_of_the_speaker_alone_are_kept_and_listed(scale: float) -> None:
    marks = scale * (2 * pd.get_dummies(pd.Series(WHO)).to_numpy(np.float64) - 1)
    found = join(read_embeddings(marks), read_labels(LABELS))
    np.testing.assert_array_equal(found.arrays["embedding"], marks)
    what = "hold only 0 and 1, or -1 and 1, as marks of a class do" if scale == 1 else f"are kept though each {SPEAKER}"
    shown = "'0', '1', '2', '3', '4', ..."
    assert f"embedding: 'embedding': 12 of 12 columns {what}: {shown}" in found.notes


@pytest.mark.parametrize(
    "name",
    [
        *("age", "Gender", "session", "SpkrID", "duration", "offset", "dur", "t", "t_end", "start_ms", "seconds"),
        *("begin_s", "xmin", "frameTime", "startTime", "end frame", "Filename", "id", "index", "language", "emotion"),
    ],
)
def test_names_of_labels_and_times_are_left_out(name: str) -> None:
    assert by_name(name, ()) is not None


@pytest.mark.parametrize(
    "name",
    [
        "0",
        "e0",
        "x",
        "time_0",
        "end2end_3",
        "loudnessPeaksPerSec",
        "MeanVoicedSegmentLengthSec",
        "F0final_sma",
        "dim_t1",
    ],
)
def test_names_of_dimensions_are_kept(name: str) -> None:
    assert by_name(name, ()) is None


def test_a_letter_among_others_is_a_dimension(tmp_path: Path) -> None:
    labels = read_labels(LABELS)
    for names, width in (("rstuv", 5), ("t", 4)):
        table = pd.DataFrame(RANDOM.standard_normal((N, 5)), columns=[*names, "e1", "e2", "e3", "e4"][:5])
        table.to_csv(tmp_path / "E.csv", index=False)
        assert join(read_embeddings(tmp_path / "E.csv", labels.columns), labels).arrays["E"].shape[1] == width
