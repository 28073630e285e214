"""Times under the names and in the units of other programs: the seconds of each clip, and what is refused.

Every table holds two clips of a.wav, from 0.5 to 2 and from 2 to 3.25 seconds.
"""

import pandas as pd
import pytest

from mien.audit.splits import manifests
from mien.corpora import time_columns
from mien.corpora.readers import read
from mien.errors import CorpusError

SECONDS = (["0.5", "2"], ["2", "3.25"])
THOUSANDTHS = (["500", "2000"], ["2000", "3250"])
LENGTHS = (["0.5", "1.5"], ["2", "1.25"])
NAMES = {  # header -> cells
    **dict.fromkeys(
        (
            *("start_s,end_s", "xmin,xmax", "begin_time,end_time", "tmin,tmax", "Begin Time (s),End Time (s)", "t0,t1"),
            *("startSec,endSec", "from,to", "Begin Time - ss.msec,End Time - ss.msec", "onset,offset", "begin,offset"),
        ),
        SECONDS,
    ),
    **dict.fromkeys(("start_ms,end_ms", "onset (ms),offset (ms)", "Begin Time - msec,End Time - msec"), THOUSANDTHS),
    **dict.fromkeys(("start,length", "offset,duration", "offset,length", "onset,dur"), LENGTHS),
    "end,duration": (["2", "1.5"], ["3.25", "1.25"]),
    "end_ms,duration_ms": (["2000", "1500"], ["3250", "1250"]),
    "onset,offset,duration": (["0.5", "2", "1.5"], ["2", "3.25", "1.25"]),
    "offset,end": SECONDS,
}


def text(head, rows):
    cells = [f"a.wav,c{number},s{number},{part},{','.join(row)}" for number, (row, part) in enumerate(rows)]
    return "\n".join([f"file,clip,speaker,split,{head}", *cells, ""])


def written(folder, head, rows):
    (folder / "a.wav").touch()
    (folder / "corpus.csv").write_text(text(head, list(zip(rows, ("train", "test"), strict=True))))
    return folder / "corpus.csv"


@pytest.mark.parametrize("head", NAMES)
def test_times_under_other_names_are_those_of_the_clips_in_training_and_in_an_audit(tmp_path, head):
    table = written(tmp_path, head, NAMES[head])
    assert read("table", table).table[["start", "end"]].to_numpy().tolist() == [[0.5, 2.0], [2.0, 3.25]]
    rows = manifests.read(table).rows
    assert rows[["start", "end"]].astype(float).to_numpy().tolist() == [[0.5, 2.0], [2.0, 3.25]]


def test_each_choice_is_noted(tmp_path):
    assert read("table", written(tmp_path, "start_ms,stop_ms", THOUSANDTHS)).notes[:2] == (
        "the column 'start_ms' is read as 'start', in milliseconds",
        "the column 'stop_ms' is read as 'end', in milliseconds",
    )
    assert read("table", written(tmp_path, "end,length", (["2", "1.5"], ["3.25", "1.25"]))).notes[:2] == (
        "the column 'length' is read as 'duration'",
        "the start of a clip is its end - its duration",
    )
    several = "Begin Time - hh:mm:ss.ms,Begin Time - ss.msec,End Time - ss.msec"
    rows = (["0.5", "0.5", "2"], ["2", "2", "3.25"])
    assert read("table", written(tmp_path, several, rows)).notes[0] == (
        "the columns 'Begin Time - hh:mm:ss.ms' and 'Begin Time - ss.msec' hold the same values; "
        "'Begin Time - hh:mm:ss.ms' is taken"
    )


REFUSED = {
    "von,bis": (
        SECONDS,
        "several rows are of a.wav, and the columns 'von' and 'bis' look like times within it; call them 'start' and "
        "'end', in seconds, or add an empty column 'start' if the rows are of whole files",
    ),
    "end_frame,valence": (
        (["20", "1"], ["30", "1"]),
        "several rows are of a.wav, and the column 'end_frame' looks like times within it; call it 'start', 'end' or "
        "'duration', in seconds, or add an empty column 'start' if the rows are of whole files",
    ),
    "start,end_ms": (
        (["0", "2000"], ["2000", "3250"]),
        "the column 'end_ms' is in milliseconds, and 'start' has no unit; call it 'start_ms' or 'start_s'",
    ),
    "start_s,onset,end": (
        (["0", "1", "2"], ["2", "3", "4"]),
        "the columns 'start_s' and 'onset' may both be the column 'start'; call the one that is meant 'start'",
    ),
    "end": (
        (["2"], ["3"]),
        "several clips of a.wav have an end and no start; give a column 'start' or 'duration', in seconds",
    ),
    "duration": (
        (["2"], ["3"]),
        "several clips of a.wav have a duration and no start; give a column 'start', in seconds",
    ),
    "end,duration": (
        (["2", "1"], ["", "1"]),
        "row 2 has a duration, and neither a start nor an end; give one",
    ),
    "start,end": (
        (["0:01", "0:02"], ["2", "3"]),
        "row 1, column 'start': '0:01' is no number of seconds; write 62.5 or 00:01:02.5",
    ),
    "begin,end": (
        (["0:00:01", "0:00:02"], ["0:00:02", "0:75:00"]),
        "row 2, column 'end': '0:75:00' is no number of seconds; write 62.5 or 00:01:02.5",
    ),
}


@pytest.mark.parametrize("head", REFUSED)
def test_times_that_may_mean_two_things_are_refused_in_training_and_in_an_audit(tmp_path, head):
    rows, sentence = REFUSED[head]
    table = written(tmp_path, head, rows)
    for reading in (lambda: read("table", table), lambda: manifests.read(table)):
        with pytest.raises(CorpusError) as error:
            reading()
        assert str(error.value) == f"{table}: {sentence}"


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ("valence,arousal", (["3", "2"], ["2", "4"])),  # ratings of one file
        ("Unnamed: 0,Sr No.", (["0", "1"], ["1", "2"])),  # counts of rows
        ("xmin,ymin,xmax,ymax", (["10", "20", "50", "60"], ["12", "22", "52", "62"])),  # a face in the picture
        ("start,von,bis", (["", "0.5", "2"], ["", "2", "3.25"])),  # the way out
        ("weekend,friend", (["0", "4"], ["1", "3"])),
    ],
)
def test_other_numbers_are_no_times(tmp_path, head, rows):
    table = written(tmp_path, head, rows)
    assert read("table", table).table[["start", "end"]].isna().all(axis=None)
    assert manifests.read(table).rows[["start", "end"]].isna().all(axis=None)


def test_the_same_row_in_two_folds_is_no_clip_of_its_own():
    rows = pd.DataFrame({"file": ["a.wav", "a.wav", "b.wav"], "low": ["1", "1", "2"], "high": ["2", "2", "5"]})
    time_columns.refuse_missed(rows, "m.csv")
