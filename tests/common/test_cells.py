"""Cells that a spreadsheet would run are quoted by every writer, and come back bit for bit."""

import ast
import csv
import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mien
from mien.common.cells import quoted, text_of, unquoted, unquoted_table, write_rows, write_table

RUN = ["=1+1", "+a", "-a.wav", "@x", "\tx", "\rx", "\uff1d1", "'=x", "''@x", "-", "-0.5a", "--1", "- 1"]
PLAIN = ["", "a=b", "-0.5", "+1e-3", "-.5", "-inf", "nan", "'a", "'", "''", "0", "x-y", " =1"]


@pytest.mark.parametrize("text", [*RUN, *PLAIN])
def test_what_would_be_run_is_quoted_and_comes_back(text: str) -> None:
    assert quoted(text) == (f"'{text}" if text in RUN else text)
    assert unquoted(quoted(text)) == text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a;=1+1.mp4", "a;'=1+1.mp4"),
        ("a\t@x,+b", "a\t'@x,'+b"),
        ("a;'=1", "a;''=1"),
        ("=1;=2", "'=1;'=2"),
        ("\n=x", "'\n'=x"),
        ("a;-0.5", "a;-0.5"),
        ("a,-0.5,b", "a,-0.5,b"),
        ("a,-0.5b", "a,'-0.5b"),
        ("a;b,'c", "a;b,'c"),
    ],
)
def test_a_separator_within_a_text_begins_a_cell_elsewhere(tmp_path: Path, text: str, cell: str) -> None:
    assert (quoted(text), unquoted(cell)) == (cell, text)
    write_rows(tmp_path / "rows.csv", ["speaker", "file"], [{"speaker": "ann", "file": text}])
    write_table(tmp_path / "table.csv", pd.DataFrame({"speaker": ["ann"], "file": [text]}))
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "table.csv").read_bytes()
    content = (tmp_path / "rows.csv").read_bytes().decode()
    assert content == f'speaker,file\nann,"{cell}"\n'
    for separator in ",;\t":
        cells = [one.strip('"') for row in content.split("\n") for one in row.split(separator)]
        assert [one for one in cells if one[:1] in ("=", "+", "-", "@")] in ([], ["-0.5"])
    back = unquoted_table(pd.read_csv(tmp_path / "rows.csv", dtype=str, lineterminator="\n"))
    assert list(back["file"]) == [text]


def test_a_name_that_is_no_utf8_is_written_escaped(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", ["file"], [{"file": os.fsdecode(b"bad\xff.mp4")}, {"file": "=\udcfe"}])
    assert (tmp_path / "rows.csv").read_bytes() == b"file\nbad\\xff.mp4\n'=\\xfe\n"
    write_table(tmp_path / "table.csv", pd.DataFrame({"file": pd.Series(["bad\udcff.mp4"], dtype=object)}))
    assert (tmp_path / "table.csv").read_bytes() == b"file\nbad\\xff.mp4\n"


@given(st.text(alphabet=",;'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20.1ea", max_size=8))
def test_every_text_has_one_way_back(text: str) -> None:
    written = quoted(text)
    assert unquoted(written) == text
    assert written == text or len(written) > len(text)


def test_tables_and_rows_are_written_alike_and_numbers_stay(tmp_path: Path) -> None:
    names = [*RUN, *(one for one in PLAIN if one)]
    table = pd.DataFrame({"=clip": names, "score": [-0.5] * len(names), "file": [None, *names[1:]]})
    write_table(tmp_path / "table.csv", table)
    rows = [{"=clip": row[0], "score": row[1], "file": row[2] or None} for row in table.itertuples(index=False)]
    write_rows(
        tmp_path / "rows.csv",
        list(table),
        [{**row, "file": None if at == 0 else row["file"]} for at, row in enumerate(rows)],
    )
    content = (tmp_path / "table.csv").read_bytes()
    assert content == (tmp_path / "rows.csv").read_bytes() == text_of(table).encode()
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r\n" and cell and cell not in (*PLAIN, "-0.5")]
    assert cells.count("-0.5") == len(names) + 2
    back = unquoted_table(
        pd.read_csv(tmp_path / "table.csv", dtype={"'=clip": str, "file": str}, keep_default_na=False)
    )
    assert list(back) == ["=clip", "score", "file"]
    assert list(back["=clip"]) == names
    assert back["score"].tolist() == [-0.5] * len(names)


def test_no_code_writes_tables_in_another_way() -> None:
    root = Path(mien.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            if name in ("to_csv", "DictWriter", "to_excel", "to_latex", "to_html") or ast.unparse(node) == "csv.writer":
                found.append(path.relative_to(root).as_posix())
    assert set(found) == {"common/cells.py"}
