"""Lists fit the terminal, and what is to be copied from them is whole at any width."""

import io
import re
import subprocess
import sys

import pytest
from rich.console import Console

from mien.commands.list import KINDS, listing
from mien.common import registry
from mien.corpora import readers
from mien.data import published
from mien.data.protocols import HOUSE, Protocol
from mien.experiments import library
from mien.models import encoders


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


def test_what_is_listed_is_what_the_experiments_say_when_they_are_read_whole():
    wanted = ("title", "paper", "command", "cost", "expected")
    rows = [{"name": name, **{key: library.read(name)[0][key] for key in wanted}} for name in library.names()]
    assert listing("experiments").data["experiments"] == rows


def test_what_is_listed_is_what_readers_and_encoders_say_when_they_are_imported():
    modules = [(name, readers.reader(name)) for name in readers.names()]
    assert listing("readers").data["readers"] == [
        {"name": name, "clips": own.EXPECTED, "scheme": own.SCHEME, "licence": own.LICENCE, "source": own.SOURCE}
        for name, own in modules
    ]
    assert listing("encoders").data["encoders"] == [
        {"name": name, "source": encoders.encoder(name).SOURCE} for name in encoders.names()
    ]


def test_protocols_are_listed_with_their_corpus_and_who_used_them():
    rows = {row["name"]: row for row in listing("protocols").data["protocols"]}
    assert set(rows) == {*HOUSE, *published.names()}
    assert all(Protocol(name=name).name == name for name in rows)
    assert {rows[name]["corpus"] for name in HOUSE} == {"any"}
    assert rows["ravdess_five_folds"] == {
        "name": "ravdess_five_folds",
        "corpus": "ravdess",
        "what": "RAVDESS in five folds of actors",
        "source": "Luna-Jiménez et al. 2022, Applied Sciences 12(1), 327 "
        "(github.com/cristinalunaj/MMEmotionRecognition); used by the authors (86.7 % accuracy with voice and face) "
        "and the programs that grew out of theirs",
    }


def test_a_constant_that_is_no_literal_is_that_of_the_imported_entry(tmp_path, monkeypatch):
    package = tmp_path / "entries_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "written.py").write_text('raise AssertionError("imported")\nSOURCE = "as " "written"\n')
    (package / "computed.py").write_text('SOURCE = "x" * 3\n')
    (package / "_helper.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.constants(package.name, ["SOURCE"]) == {
        "computed": {"SOURCE": "xxx"},
        "written": {"SOURCE": "as written"},
    }


@pytest.mark.parametrize(
    ("what", "absent"),
    [
        ("readers", "torch pandas pydantic numpy"),
        ("encoders", "torch pandas pydantic numpy"),
        ("experiments", "torch pandas numpy"),
        ("models", "torch pandas numpy"),
        ("features", "torch sklearn scipy safetensors"),
    ],
)
def test_a_list_imports_nothing_heavy(what, absent):
    script = "import sys; from mien.commands.list import listing; listing(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, what], capture_output=True, text=True, check=True)
    assert set(absent.split()) & set(done.stdout.split()) == set()
