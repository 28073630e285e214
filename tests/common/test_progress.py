"""Progress goes to standard error at intervals, and never to standard output."""

import io
import re
import sys

import pytest

from mien.common import progress as module
from mien.common.progress import duration, progress


def test_lines_come_at_intervals_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with progress(100, "reading") as advance:
        for _ in range(10):
            clock[0] += 8
            advance(10)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "reading: 40 of 100 clips, 1.2 clips a second, 0:48 to go",
        "reading: 80 of 100 clips, 1.2 clips a second, 0:16 to go",
        "reading: 100 of 100 clips in 1:20",
    ]


def test_no_progress_is_shown_for_no_units(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(0, "reading") as advance:
        advance()
    assert capsys.readouterr() == ("", "")


def test_an_error_inside_propagates_and_prints_no_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), progress(3, "reading"):
        raise ZeroDivisionError
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress(4, "training", "epochs") as advance:
        advance()
        advance(3)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", sys.stderr.getvalue())  # type: ignore[attr-defined]
    assert "training" in shown
    assert "4/4" in shown
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (7, "0:07"), (59.6, "1:00"), (750, "12:30"), (11_045, "3:04:05")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
