"""Embeddings and labels that name clips differently are matched by these names, refused, or said to be in order."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien.audit.embedding_files.labels import read_labels
from mien.audit.embedding_files.read import Labelled, join, read_embeddings
from mien.errors import AuditError

N = 24
X = np.random.default_rng(0).standard_normal((N, 3))
PEOPLE = np.array([f"p{number // 4}" for number in range(N)])
CLIPS = np.array([f"c{number:03d}" for number in range(N)])
ORDER = np.random.default_rng(1).permutation(N)
TABLE = pd.DataFrame(X, columns=["e0", "e1", "e2"])
LABELS = pd.DataFrame({"speaker": PEOPLE})


def joined(folder: Path, embeddings: pd.DataFrame, labels: pd.DataFrame, *, index: bool = False) -> Labelled:
    embeddings.to_csv(folder / "E.csv", index=index)
    labels.to_csv(folder / "L.csv", index=index)
    given = read_labels(folder / "L.csv")
    return join(read_embeddings(folder / "E.csv", given.columns), given)


def refused(sentence: str) -> str:
    return f"^{re.escape(sentence)}$"


BY = "rows are matched by its column '{}' and the labels' column '{}'{}"
PATHS = [f"/data/p{number // 4}/{number % 4}.wav" for number in range(N)]
BELOW = ", without the folders that all share"
ENDINGS = ", without folders and endings"
NUMBERS = f"{ENDINGS}, as numbers"
OURS = ": its column 'clip' names the clips, but no column of the labels does"
THEIRS = ": the labels' column 'wav' names the clips, but nothing does in the embeddings"


@pytest.mark.parametrize(
    ("ours", "names", "theirs", "others", "note"),
    [
        ("clip", CLIPS, "Clip", CLIPS, ""),
        ("Clip", CLIPS, "clip", CLIPS, ""),
        ("clip", CLIPS, "id", CLIPS, BY.format("clip", "id", "")),
        ("clip", CLIPS, "file", CLIPS + ".wav", BY.format("clip", "file", ENDINGS)),
        ("file", CLIPS + ".wav", "filename", CLIPS + ".wav", BY.format("file", "filename", "")),
        ("filename", CLIPS + ".wav", "file", CLIPS + ".wav", BY.format("filename", "file", "")),
        ("file", PATHS, "wav", [path[6:] for path in PATHS], BY.format("file", "wav", BELOW)),
        ("id", np.arange(N) + 7, "Clip", np.arange(N) + 7, BY.format("id", "Clip", "")),
        ("utt", CLIPS, "turn", CLIPS, BY.format("utt", "turn", "")),
        ("file", [f"{row:03d}.wav" for row in range(N)], "id", range(N), BY.format("file", "id", NUMBERS)),
        ("clip", CLIPS, "clip", CLIPS + ".wav", f"rows are matched by the column 'clip'{ENDINGS}"),
    ],
)  # fmt: skip
def test_clips_are_matched_by_their_names(tmp_path: Path, ours, names, theirs, others, note) -> None:
    found = joined(tmp_path, TABLE.assign(**{ours: names}).iloc[ORDER], LABELS.assign(**{theirs: others}))
    np.testing.assert_allclose(found.arrays["E"], X[ORDER])
    assert found.labels["speaker"].tolist() == PEOPLE[ORDER].tolist()
    assert [one for one in found.notes if ": rows are" in one] == ([f"{tmp_path / 'E.csv'}: {note}"] if note else [])
    assert found.problems == ()


@pytest.mark.parametrize("column", ["id", "Clip", "clip_id"])
def test_the_clips_of_an_archive_are_matched_by_any_name(tmp_path: Path, column: str) -> None:
    np.savez(tmp_path / "E.npz", E=X[ORDER], clips=CLIPS[ORDER])
    found = join(read_embeddings(tmp_path / "E.npz"), read_labels(LABELS.assign(**{column: CLIPS})))
    assert found.labels["speaker"].tolist() == PEOPLE[ORDER].tolist()
    assert found.notes == (f"{tmp_path / 'E.npz'}: {BY.format('clips', column, '')}",)


def test_row_names_are_matched_by_the_clips_of_the_labels(tmp_path: Path) -> None:
    TABLE.set_axis(CLIPS).iloc[ORDER].to_csv(tmp_path / "E.csv")
    given = read_labels(LABELS.assign(clip=CLIPS))
    found = join(read_embeddings(tmp_path / "E.csv", given.columns), given)
    assert found.labels["speaker"].tolist() == PEOPLE[ORDER].tolist()
    assert found.notes[-1] == f"{tmp_path / 'E.csv'}: {BY.format('', 'clip', '')}"


def test_row_numbers_in_two_orders_are_refused_and_in_one_order_noted(tmp_path: Path) -> None:
    found = joined(tmp_path, TABLE, LABELS, index=True)
    assert found.notes[-1] == f"{tmp_path / 'E.csv'}: rows are matched by their order"
    first = next(row for row in range(N) if ORDER[row] != row)
    sentence = (
        f"{tmp_path / 'E.csv'}: row {first + 1}: its column '' numbers it {ORDER[first]}, the labels' column "
        f"'Unnamed: 0' {first}; name each clip in a column 'clip' of both"
    )
    with pytest.raises(AuditError, match=refused(sentence)):
        joined(tmp_path, TABLE.iloc[ORDER], LABELS, index=True)


def test_names_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    sentence = (
        f"{tmp_path / 'E.csv'}: its column 'clip' and the labels' column 'file' name the clips differently, such as "
        "'c000' and 'x0.wav'; name each clip alike in a column 'clip' of both"
    )
    with pytest.raises(AuditError, match=refused(sentence)):
        joined(tmp_path, TABLE.assign(clip=CLIPS), LABELS.assign(file=[f"x{number}.wav" for number in range(N)]))
    sentence = (
        f"{tmp_path / 'E.csv'}: the columns 'id' and 'file' match the labels' columns 'id' and 'file' in different "
        "orders; name each clip in a column 'clip' of both alone"
    )
    with pytest.raises(AuditError, match=refused(sentence)):
        joined(tmp_path, TABLE.assign(id=CLIPS, file=CLIPS), LABELS.assign(id=CLIPS[ORDER], file=CLIPS))


def test_rows_that_nothing_names_on_both_sides_are_said_to_be_in_order(tmp_path: Path) -> None:
    place, order = tmp_path / "E.csv", "rows are matched by their order"
    for ours, theirs, note in (
        (TABLE, LABELS, order),
        (TABLE.assign(clip=CLIPS), LABELS, order + OURS),
        (TABLE, LABELS.assign(wav=CLIPS), order + THEIRS),
        (TABLE.assign(index=ORDER), LABELS, f"{order}; the row numbers in its column 'index' are not in order"),
    ):  # fmt: skip
        found = joined(tmp_path, ours, theirs)
        assert found.labels["speaker"].tolist() == PEOPLE.tolist()
        assert found.notes[-1] == f"{place}: {note}"


def test_a_part_of_the_clips_is_matched_where_columns_are_called_alike(tmp_path: Path) -> None:
    found = joined(tmp_path, TABLE.assign(File=CLIPS)[:20], LABELS.assign(file=CLIPS).iloc[ORDER])
    assert found.labels["speaker"].tolist() == PEOPLE[:20].tolist()
    left = [clip for clip in CLIPS[ORDER] if clip >= "c020"]
    assert found.problems == (f"labels whose clip has no embedding: 4, such as {', '.join(left)}; left out",)
