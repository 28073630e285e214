"""Times as other programs write them: minutes:seconds, milliseconds, a duration for an end."""

import pytest

from mien.audit.splits import manifests
from mien.corpora.readers import read


@pytest.mark.parametrize("rows", [(["0:01", "0:02"], ["0:02", "1:03"]), (["0", "00:01.5"], ["00:01,5", "1:03.25"])])
def test_minutes_and_seconds_are_read_where_all_times_are_written_so(tmp_path, rows):
    lines = [
        f"a.wav;c{row[0]};s{row[0]};{part};{';'.join(row)}" for row, part in zip(rows, ("train", "test"), strict=True)
    ]
    table = tmp_path / "corpus.csv"
    table.write_text("\n".join(["file;clip;speaker;split;start;end", *lines]))
    (tmp_path / "a.wav").touch()
    seconds = [[1.0, 2.0], [2.0, 63.0]] if rows[0][0] == "0:01" else [[0.0, 1.5], [1.5, 63.25]]
    parsed = read("table", table)
    assert parsed.table[["start", "end"]].to_numpy().tolist() == seconds
    first = "0:01" if rows[0][0] == "0:01" else "00:01,5"
    assert parsed.notes[0] == f"times such as {first} are read as minutes:seconds: start, end"
    assert manifests.read(table).rows[["start", "end"]].astype(float).to_numpy().tolist() == seconds


def test_an_end_that_lacks_in_some_rows_follows_from_the_duration(tmp_path):
    table = tmp_path / "corpus.csv"
    table.write_text(
        "file,speaker,split,start,end,duration\na.wav,x,train,1,,2\na.wav,y,test,3,5,9\na.wav,z,test,,,9\n"
    )
    rows = manifests.read(table)
    assert rows.rows[["start", "end"]].astype(float).fillna(-1).to_numpy().tolist() == [[1, 3], [3, 5], [-1, -1]]
    assert rows.notes == ("where no end is given, it is start + duration",)


def test_milliseconds_of_json_are_numbers(tmp_path):
    lines = [
        '{"wav": "a.wav", "split": "train", "start_ms": 500, "end_ms": 1250.5}',
        '{"wav": "b.wav", "split": "test", "start_ms": 0, "end_ms": null}',
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    rows = manifests.read(tmp_path / "m.jsonl").rows
    assert rows[["start", "end"]].astype(float).fillna(-1).to_numpy().tolist() == [[0.5, 1.2505], [0, -1]]
