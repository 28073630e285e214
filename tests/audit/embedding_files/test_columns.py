"""Tables of embeddings as other programs write them: what is no embedding is left out and listed, or refused."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien.audit.embedding_files.columns import flat
from mien.audit.embedding_files.labels import read_labels
from mien.audit.embedding_files.read import Labelled, join, read_embeddings
from mien.errors import AuditError

N = 24
X = np.random.default_rng(0).standard_normal((N, 3)).round(5)
PEOPLE = [f"p{number // 4}" for number in range(N)]
FILES = [f"wav/{number:02d}.wav" for number in range(N)]
STARTS = [0.5 * (number % 4) for number in range(N)]
TABLE = pd.DataFrame(X, columns=["e0", "e1", "e2"])
LABELS = {"speaker": PEOPLE, "file": FILES, "start": STARTS}


def joined(path: Path, **labels: object) -> Labelled:
    given = read_labels({**LABELS, **labels})
    return join(read_embeddings(path, given.columns), given)


def of_pandas(path: Path) -> None:
    TABLE.to_csv(path)


def of_a_shuffled_frame(path: Path) -> None:
    shuffled = TABLE.set_axis(np.random.default_rng(1).permutation(N)).reset_index()
    shuffled.to_csv(path, index=False)


def of_r(path: Path) -> None:
    names = [f'"{number}"' for number in range(1, N + 1)]
    rows = [",".join([name, *map(str, row)]) for name, row in zip(names, X.tolist(), strict=True)]
    path.write_text("\n".join(['"","e0","e1","e2"', *rows]) + "\n")


def of_write_table_of_r(path: Path) -> None:
    rows = [" ".join([f'"{number + 1}"', *map(str, row)]) for number, row in enumerate(X.tolist())]
    path.write_text("\n".join(['"e0" "e1" "e2"', *rows]).replace(" ", "\t") + "\n")


def of_excel_in_german(path: Path) -> None:
    TABLE.assign(Speaker=PEOPLE).to_csv(path, sep=";", decimal=",", index=False, encoding="utf-8-sig")


def of_opensmile(path: Path) -> None:
    TABLE.assign(name="'unknown'", frameTime=STARTS)[["name", "frameTime", "e0", "e1", "e2"]].to_csv(
        path, sep=";", index=False
    )


def of_opensmile_in_python(path: Path) -> None:
    spans = {
        "file": FILES,
        "start": [f"0 days 00:00:{start:09.6f}" for start in STARTS],
        "end": [f"0 days 00:00:{start + 0.5:09.6f}" for start in STARTS],
    }
    pd.concat([pd.DataFrame(spans), TABLE], axis=1).to_csv(path, index=False)


def with_a_code_of_the_speaker(path: Path) -> None:
    TABLE.assign(target=pd.factorize(pd.Series(PEOPLE))[0] * 7).to_csv(path, index=False)


def with_counts_by_speaker(path: Path) -> None:
    TABLE.assign(take=[number % 4 for number in range(N)]).to_csv(path, index=False)


def with_growing_seconds(path: Path) -> None:
    TABLE.assign(at=np.cumsum(np.random.default_rng(2).random(N))).to_csv(path, index=False)


ROWS = "which has no name, as the row numbers of pandas and R"
NAMES = "which names or numbers the rows by its name"
ORDER = "rows are matched by their order: the labels' column 'file' names the clips, but nothing does in the embeddings"
COUNTS = "which only counts or orders the rows"


@pytest.mark.parametrize(
    ("write", "sentences"),
    [
        (of_pandas, [f"column '', {ROWS}"]),
        (of_a_shuffled_frame, [f"column 'index', {NAMES}"]),
        (of_r, [f"column '', {ROWS}"]),
        (of_write_table_of_r, [f"column '', {ROWS}"]),
        (of_excel_in_german, ["column 'Speaker', which is a column of the labels"]),
        (of_opensmile, [f"column 'name', {NAMES}", "column 'frameTime', which is a time"]),
        (
            of_opensmile_in_python,
            ["column 'file', 'start', which is a column of the labels", "column 'end', which is a time"],
        ),
        (with_a_code_of_the_speaker, ["column 'target', which is a code of the labels' column 'speaker'"]),
        (with_counts_by_speaker, [f"column 'take', {COUNTS}"]),
        (with_growing_seconds, [f"column 'at', {COUNTS}"]),
    ],
)
def test_what_is_no_embedding_is_left_out(tmp_path: Path, write: Callable[[Path], None], sentences: list[str]) -> None:
    write(tmp_path / "E.csv")
    found = joined(tmp_path / "E.csv")
    np.testing.assert_array_equal(found.arrays["E"], X)
    left = [f"{tmp_path / 'E.csv'}: left out of the embedding: {sentence}" for sentence in sentences]
    assert [note for note in found.notes if "left out" in note] == left
    assert found.problems == ()


def test_a_plain_table_is_taken_whole(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "E.csv", index=False)
    found = joined(tmp_path / "E.csv")
    np.testing.assert_array_equal(found.arrays["E"], X)
    assert found.notes == (f"{tmp_path / 'E.csv'}: {ORDER}",)


def test_dimensions_called_t_and_a_number_are_no_times(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(6)]
    pd.DataFrame(np.random.default_rng(0).normal(size=(24, 6)), columns=names).to_csv(tmp_path / "E.csv", index=False)
    found = read_embeddings(tmp_path / "E.csv", ("speaker",))
    assert next(iter(found.arrays.values())).shape == (24, 6)


def test_flat_columns_and_marks_are_listed_and_kept(tmp_path: Path) -> None:
    marks = np.random.default_rng(3).integers(0, 2, N)
    TABLE.assign(dead=0.0, mark=marks).to_csv(tmp_path / "E.csv", index=False)
    found = joined(tmp_path / "E.csv")
    assert found.arrays["E"].shape == (N, 5)
    place = tmp_path / "E.csv"
    assert found.notes == (
        f"{place}: {ORDER}",
        f"{place}: 'E': 1 of 5 columns hold one value each: 'dead'",
        f"{place}: 'E': 1 of 5 columns hold only 0 and 1, or -1 and 1, as marks of a class do: 'mark'",
    )
    assert [places.tolist() for places in flat(np.array([[0, 1, 2.0], [0, 0, 2.5]]))] == [[0], [1]]


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (np.arange(N), "only counts or orders the rows"),
        (pd.factorize(pd.Series(PEOPLE))[0], "is a code of the labels' column 'speaker'"),
    ],
)
def test_an_array_with_such_a_column_is_refused(column: np.ndarray, why: str) -> None:
    sentence = f"embedding: 'embedding', column 3: {why}, so it is no part of an embedding; remove it"
    with pytest.raises(AuditError, match=f"^{re.escape(sentence)}$"):
        join(read_embeddings(np.c_[X, column]), read_labels(LABELS))


def test_a_one_hot_embedding_is_taken_and_its_marks_are_listed() -> None:
    marks = pd.get_dummies(pd.Series(PEOPLE)).to_numpy(np.float32)
    found = join(read_embeddings(marks), read_labels(LABELS))
    np.testing.assert_array_equal(found.arrays["embedding"], marks)
    shown = "'0', '1', '2', '3', '4', ..."
    assert found.notes == (
        f"embedding: {ORDER}",
        f"embedding: 'embedding': 6 of 6 columns hold only 0 and 1, or -1 and 1, as marks of a class do: {shown}",
    )


def test_rows_are_matched_by_the_files_of_both_sides(tmp_path: Path) -> None:
    order = np.random.default_rng(4).permutation(N)
    TABLE.assign(file=FILES).iloc[order].to_csv(tmp_path / "E.csv", index=False)
    found = joined(tmp_path / "E.csv")
    assert found.labels["speaker"].tolist() == [PEOPLE[place] for place in order]
    assert found.notes[-1] == f"{tmp_path / 'E.csv'}: rows are matched by the column 'file'"


def test_rows_in_another_order_are_refused(tmp_path: Path) -> None:
    TABLE.assign(speaker=PEOPLE[::-1]).to_csv(tmp_path / "E.csv", index=False)
    sentence = (
        f"{tmp_path / 'E.csv'}: row 1, column 'speaker': 'p5', but 'p0' in the labels; "
        "give both tables in one order, or name each clip in a column 'clip' of both"
    )
    with pytest.raises(AuditError, match=f"^{re.escape(sentence)}$"):
        joined(tmp_path / "E.csv")


def test_tables_without_names_or_embeddings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "E.csv"
    np.savetxt(path, X, delimiter=",")
    with pytest.raises(AuditError, match=r"\(its first line holds numbers; give every column a name in the first line"):
        joined(path)
    pd.DataFrame({"file": FILES, "start": STARTS}).to_csv(path, index=False)
    with pytest.raises(AuditError, match=r"\(it has no column of an embedding, only 'file', 'start'\)$"):
        joined(path)
    TABLE.assign(remark="good").to_csv(path, index=False)
    with pytest.raises(AuditError, match=r"\(column 'remark' holds text; only the column 'clip' and columns that the"):
        joined(path)
    TABLE.mask(TABLE.iloc[5, 1] == TABLE).to_csv(path, index=False, na_rep="NA")
    with pytest.raises(AuditError, match=r"'E', row 6: a value is not finite; leave such clips out$"):
        joined(path)
