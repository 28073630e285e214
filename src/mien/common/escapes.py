r"""Names from outside, in what mien writes and prints.

The name of a file may hold bytes that are no UTF-8, which Python keeps as lone surrogates and no text file can hold:
each is written as `\xNN`, so that a name can be read, if not opened. On a terminal, control characters would colour,
move or hide what is printed: they are printed in the same way.
"""

import re

_LONE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # also of direction
_JSON = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # those that JSON does not escape by itself
NOT_UTF8 = "its name is not UTF-8, so no table can hold it; rename it"


def is_text(name: object) -> bool:
    """Whether a name can be written as UTF-8."""
    return _LONE.search(str(name)) is None


def written(text: str) -> str:
    r"""A text as it is written to a file: what is no UTF-8 as `\xNN`."""
    return _LONE.sub(_escaped, text)


def shown(text: str) -> str:
    """A text of several lines as it is printed: control characters too, but for tabs and line feeds."""
    return _CONTROL.sub(_escaped, written(text))


def line(text: str) -> str:
    """A text of one line as it is printed."""
    return shown(text).replace("\n", "\\x0a").replace("\t", "\\x09")


def json_written(text: str) -> str:
    """A JSON text as it is written to a file: its values are as `written` gives them."""
    return _LONE.sub(lambda found: _escaped(found).replace("\\", "\\\\"), text)


def json_shown(text: str) -> str:
    """A JSON text as it is printed: as it is written, without control characters, and its values are the same."""
    return _JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", json_written(text))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte, see `os.fsdecode`
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
