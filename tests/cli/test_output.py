"""What is printed of names from outside moves no cursor, and is the same in JSON."""

import json
import os
from collections.abc import Callable

import pytest
from rich.table import Table

from mien.cli.output import Output, refuse, show
from mien.commands import Outcome

NAME = "\x1b[2Ja\x9bK\r\nb" + os.fsdecode(b"\xff") + ".wav"
LINE = r"\x1b[2Ja\x9bK\x0d\x0ab\xff.wav"


def table(name: str) -> Table:
    made = Table("file")
    made.add_row(name)
    return made


@pytest.mark.parametrize("text", [str, table])
def test_control_characters_of_names_are_not_printed(
    capsys: pytest.CaptureFixture[str], text: Callable[[str], object]
) -> None:
    show(Outcome({}, text(NAME), [f"{NAME}: is empty"]), Output())
    printed = capsys.readouterr()
    assert printed.err == f"mien: problem: {LINE}: is empty\n"
    assert r"\x1b[2Ja\x9bK" in printed.out
    assert r"b\xff.wav" in printed.out
    assert not {"\x1b", "\x9b", "\r"} & set(printed.out)


def test_styles_of_tables_are_left_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    show(Outcome({}, table(NAME)), Output())
    printed = capsys.readouterr().out
    assert "\x1b[1m" in printed
    assert "\x1b[2J" not in printed


def test_json_and_sentences_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    show(Outcome({"file": NAME}, ""), Output(json=True))
    assert json.loads(capsys.readouterr().out) == {"problems": [], "file": NAME.replace("\udcff", r"\xff")}
    assert refuse(f"{NAME}: is empty", 2, Output(json=True)) == 2
    printed = capsys.readouterr()
    assert printed.err == f"mien: {LINE}: is empty\n"
    assert json.loads(printed.out) == {"error": f"{NAME}: is empty".replace("\udcff", r"\xff"), "exit": 2}
    assert not {"\x1b", "\x9b", "\r"} & set(printed.out)
