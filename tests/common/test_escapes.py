"""Names from outside are printed without control characters, and written in UTF-8."""

import json
import os

import pytest

from mien.common import escapes, files
from mien.common.progress import say

BAD = os.fsdecode(b"bad\xff\xfe.mp4")


@pytest.mark.parametrize(
    ("text", "written", "shown", "line"),
    [
        (BAD, r"bad\xff\xfe.mp4", r"bad\xff\xfe.mp4", r"bad\xff\xfe.mp4"),
        ("\x1b[31mred\r\n\tx", "\x1b[31mred\r\n\tx", "\\x1b[31mred\\x0d\n\tx", r"\x1b[31mred\x0d\x0a\x09x"),
        ("\x9b2J\u202egpj", "\x9b2J\u202egpj", r"\x9b2J\u202egpj", r"\x9b2J\u202egpj"),
        ("\ud800", r"\ud800", r"\ud800", r"\ud800"),
        ("Müller 한국 = 1\\n", "Müller 한국 = 1\\n", "Müller 한국 = 1\\n", "Müller 한국 = 1\\n"),
    ],
)
def test_what_cannot_be_written_or_printed_is_escaped(text, written, shown, line):
    assert (escapes.written(text), escapes.shown(text), escapes.line(text)) == (written, shown, line)
    assert escapes.is_text(text) == (written == text)


def test_json_stays_json_and_keeps_what_it_can():
    value = {BAD: ["\x1b[31m", "\x9b2J", "한국"]}
    text = json.dumps(value, ensure_ascii=False)
    expected = {r"bad\xff\xfe.mp4": ["\x1b[31m", "\x9b2J", "한국"]}
    assert json.loads(escapes.json_written(text)) == json.loads(escapes.json_shown(text)) == expected
    assert not {"\x1b", "\x9b"} & set(escapes.json_shown(text))


def test_files_are_written_in_utf8(tmp_path):
    files.write_json(tmp_path / "a.json", {"file": BAD})
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"file": r"bad\xff\xfe.mp4"}
    files.write_text(tmp_path / "a.html", f"<td>{BAD}</td>")
    assert (tmp_path / "a.html").read_bytes() == rb"<td>bad\xff\xfe.mp4</td>"


def test_what_is_said_on_the_way_is_escaped(capsys):
    say(f"{BAD}\n\x1b[2J: read again")
    assert capsys.readouterr().err == r"mien: bad\xff\xfe.mp4\x0a\x1b[2J: read again" + "\n"
