"""Lists fit the terminal, and what is to be copied from them is whole at any width."""

import io
import re

import pytest
from rich.console import Console

from mien.commands.list import KINDS, listing


def shown(what: str, width: int, *, terminal: bool = True) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=terminal, no_color=True).print(listing(what).text, crop=False)
    return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [30, 80, 200, 400])
@pytest.mark.parametrize("what", KINDS)
def test_no_word_and_no_command_is_broken(what, width, terminal):
    text = shown(what, width, terminal=terminal)
    for row in listing(what).data[what]:
        assert row["name"] in text
        assert str(row.get("command", "")) in text
        missing = [word for value in row.values() for word in str(value or "").split() if word not in text]
        assert missing == []
    assert "…" not in text


@pytest.mark.parametrize("what", KINDS)
def test_lines_are_longer_than_the_terminal_only_for_what_is_whole(what):
    rows = listing(what).data[what]
    words = [word for row in rows for value in row.values() for word in str(value or "").split()]
    whole = {*words, *(row["command"] for row in rows if "command" in row)}
    for line in shown(what, 60).splitlines():
        assert len(line.rstrip()) <= 60 or any(line.strip().endswith(one) for one in whole if len(one) > 30), line


def test_a_wide_terminal_shows_a_table_and_a_narrow_one_blocks():
    wide, narrow = shown("readers", 200).splitlines(), shown("readers", 80).splitlines()
    assert wide[0].split() == ["name", "clips", "scheme", "licence", "source"]
    assert len(wide) == 1 + len(listing("readers").data["readers"])
    start = narrow.index("nemo")
    assert narrow[start : start + 6] == [
        "nemo",
        "  clips    4481",
        "  scheme   nemo",
        "  licence  CC BY-NC-SA 4.0",
        "  source   https://github.com/amu-cai/nEMO",
        "",
    ]


def test_outside_of_a_terminal_a_table_has_one_line_a_row():
    command = "  command   mien train nemo data.prepared=PREPARED --out RUN"
    assert command in shown("experiments", 300, terminal=False).splitlines()
    assert command not in shown("experiments", 300).splitlines(), "the control: a table with cells of several lines"
    rows = listing("experiments").data["experiments"]
    lines = shown("experiments", 1000, terminal=False).splitlines()
    assert len(lines) == 1 + len(rows)
    assert all(row["title"] in line for row, line in zip(rows, lines[1:], strict=True))
