"""Tables as Excel, R and openSMILE write them are read, or refused with the reason."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien.audit.embedding_files.labels import read_labels
from mien.audit.embedding_files.read import Labelled, join, read_embeddings
from mien.errors import AuditError, CorpusError

N = 24
X = np.random.default_rng(0).standard_normal((N, 3)).round(5)
PEOPLE = [f"p{number // 4}" for number in range(N)]
CLIPS = [f"c{number:03d}" for number in range(N)]
TABLE = pd.DataFrame(X, columns=["e0", "e1", "e2"])


def joined(path: Path, **labels: object) -> Labelled:
    given = read_labels({"speaker": PEOPLE, **labels})
    return join(read_embeddings(path, given.columns), given)


def of_excel_with_its_separator(path: Path) -> None:
    path.write_text("sep=;\r\n" + TABLE.to_csv(sep=";", decimal=",", index=False), newline="")


def with_tabs_and_decimal_commas(path: Path) -> None:
    TABLE.to_csv(path, sep="\t", decimal=",", index=False)


def with_quotes_and_decimal_commas(path: Path) -> None:
    TABLE.to_csv(path, decimal=",", index=False)


def of_write_table(path: Path) -> None:
    rows = [" ".join([f'"{number + 1}"', *map(str, row)]) for number, row in enumerate(X.tolist())]
    path.write_text("\n".join(['"e0" "e1" "e2"', *rows]) + "\n")


def of_write_table_without_row_names(path: Path) -> None:
    TABLE.to_csv(path, sep=" ", index=False)


@pytest.mark.parametrize(
    "write",
    [
        of_excel_with_its_separator,
        with_tabs_and_decimal_commas,
        with_quotes_and_decimal_commas,
        of_write_table,
        of_write_table_without_row_names,
    ],
)
def test_tables_of_other_programs_are_read(tmp_path: Path, write) -> None:
    write(tmp_path / "E.csv")
    np.testing.assert_array_equal(joined(tmp_path / "E.csv").arrays["E"], X)


def test_thousands_and_decimal_commas_that_look_alike_are_refused(tmp_path: Path) -> None:
    (tmp_path / "E.csv").write_text("e0\te1\n1,234\t5,678\n2,345\t6,789\n")
    sentence = (
        f"{tmp_path / 'E.csv'}: cannot be read as .csv ('1,234' may have a decimal comma, or a comma between "
        "thousands; write numbers with decimal points)"
    )
    with pytest.raises(AuditError, match=f"^{re.escape(sentence)}$"):
        read_embeddings(tmp_path / "E.csv")


def test_labels_of_excel_are_read_and_those_with_blanks_refused(tmp_path: Path) -> None:
    path = tmp_path / "L.csv"
    path.write_text("sep=;\nspeaker;age\np0;3\n")
    assert read_labels(path).table.to_dict("list") == {"speaker": ["p0"], "age": ["3"]}
    sentence = (
        f"{path}: its columns are separated by blanks, as by R's write.table; write labels with "
        "write.csv(L, row.names = FALSE)"
    )
    path.write_text('"speaker" "gender"\n"1" "p0" "f"\n')
    with pytest.raises(AuditError, match=f"^{re.escape(sentence)}$"):
        read_labels(path)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    two = "two columns are called 'speaker'; rename one"
    for name, read, after in (
        ("L.csv", read_labels, f"{two} of them; give a CSV file of labels, one row a clip"),
        ("E.csv", read_embeddings, f"cannot be read as .csv ({two})"),
    ):
        (tmp_path / name).write_text("speaker,e0,speaker\n1,2,3\n")
        with pytest.raises((AuditError, CorpusError), match=f"^{re.escape(f'{tmp_path / name}: {after}')}$"):
            read(tmp_path / name)


def test_openSMILE_names_match_the_clips(tmp_path: Path) -> None:  # noqa: N802 - its name
    order = np.random.default_rng(1).permutation(N)
    names = [f"'{clip}'" for clip in CLIPS]
    TABLE.assign(name=names, frameTime=0.0)[["name", "frameTime", "e0", "e1", "e2"]].iloc[order].to_csv(
        tmp_path / "E.csv", sep=";", index=False
    )
    found = joined(tmp_path / "E.csv", file=[f"wav/{clip}.wav" for clip in CLIPS])
    assert found.labels["speaker"].tolist() == [PEOPLE[row] for row in order]
    np.testing.assert_array_equal(found.arrays["E"], X[order])


def test_a_row_a_frame_is_refused(tmp_path: Path) -> None:
    frames = pd.concat([TABLE.assign(frameTime=time) for time in (0.0, 0.01)])
    frames.to_csv(tmp_path / "E.csv", sep=";", index=False)
    sentence = (
        f"{tmp_path / 'E.csv'}: its column 'frameTime' has 2 values, so it has a row a frame; give one row a clip, "
        "such as functionals"
    )
    with pytest.raises(AuditError, match=f"^{re.escape(sentence)}$"):
        joined(tmp_path / "E.csv")


def test_labels_that_may_have_no_header_are_said_to(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "E.csv", index=False)
    (tmp_path / "L.csv").write_text("\n".join(f"{person},f" for person in PEOPLE) + "\n")
    given = read_labels(tmp_path / "L.csv")
    sentence = (
        f"{tmp_path / 'E.csv'}: 24 rows, but 23 labels, and the embeddings do not name their clips: give one label for "
        "each row, or name the clips on both sides; if the labels have no header line, give one: 'p0' is read as a name"
    )
    with pytest.raises(AuditError, match=f"^{re.escape(sentence)}$"):
        join(read_embeddings(tmp_path / "E.csv", given.columns), given)
