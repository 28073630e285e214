"""Ctrl-C, SIGTERM and SIGHUP end a command with one sentence and after clean-up; a second one ends it at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
WORK = """
import hashlib, sys, time
from pathlib import Path
from types import ModuleType
from mien import __main__
from mien.cli import interruption
from mien.common.files import atomic

def report(run):
    try:
        with atomic(run / "made") as temporary:
            temporary.touch()
            (run / "begun").touch()
            {work}
    finally:
        {after}

module = ModuleType("mien.commands.report")
module.report = report
sys.modules[module.__name__] = module
interruption.PATIENCE = {patience}
sys.argv = ["mien", "report", {place!r}, *{options}]
sys.exit(__main__.main())
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GO_ON = "interrupted; run the same command again to resume"


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Commands begin with signals as a terminal gives them: a shell starts what is in the background without some."""
    before = [signal.signal(number, signal.SIG_DFL) for number in SIGNALS]
    yield
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


class Command:
    """A command in a process of its own that has begun to work."""

    def __init__(self, place, *, work="time.sleep(30)", after="pass", patience=5.0, options=(), before=()) -> None:
        script = WORK.format(work=work, after=after, patience=patience, place=str(place), options=list(options))
        self.process = subprocess.Popen(
            [*before, sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        end = time.monotonic() + 20
        while not (place / "begun").exists() and time.monotonic() < end:
            time.sleep(0.02)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str, str]:
        try:
            out, err = self.process.communicate(timeout=10)
        finally:
            self.process.kill()
        return self.process.returncode, out, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_cleans_up_and_says_how_to_go_on(tmp_path: Path, number: int, code: int) -> None:
    command = Command(tmp_path)
    command.send(number)
    assert command.ended() == (code, "", f"mien: {GO_ON}\n")
    assert [one.name for one in tmp_path.iterdir()] == ["begun"]  # no temporary file


def test_a_library_that_makes_an_error_of_a_signal_is_not_reported(tmp_path: Path) -> None:
    work = "\n            ".join(["try:", "    time.sleep(30)", "except KeyboardInterrupt:", "    raise ImportError"])
    command = Command(tmp_path, work=work)
    command.send(signal.SIGTERM)
    assert command.ended() == (143, "", f"mien: {GO_ON}\n")


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    command = Command(tmp_path, after="(run / 'cleaning').touch(); time.sleep(30)")
    command.send(signal.SIGINT)
    time.sleep(0.6)
    assert (tmp_path / "cleaning").exists()
    command.send(signal.SIGINT)
    assert command.ended() == (130, "", "")


def test_the_same_signal_passed_on_by_a_starter_is_no_second_one(tmp_path: Path) -> None:
    command = Command(tmp_path, after="time.sleep(0.7)")
    command.send(signal.SIGINT)
    time.sleep(0.05)
    command.send(signal.SIGTERM)
    assert command.ended() == (130, "", f"mien: {GO_ON}\n")


def test_a_library_that_does_not_return_is_ended(tmp_path: Path) -> None:
    command = Command(tmp_path, work="hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)", patience=0.7, options=["--json"])
    command.send(signal.SIGTERM)
    assert command.ended() == (143, f'{{"error": "{GO_ON}", "exit": 143}}\n', f"mien: {GO_ON}\n")


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    command = Command(tmp_path, work="time.sleep(0.3)", before=["nohup"])
    command.send(signal.SIGHUP)
    code, _, err = command.ended()
    assert code == 0
    assert "interrupted" not in err
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_interruption_while_modules_are_imported_is_the_sentence(options: list[str]) -> None:
    script = (
        "import os, signal, sys\nfrom mien import __main__\n"
        "class Finder:\n    def find_spec(self, name, path, target=None):\n"
        "        if name == 'cyclopts': os.kill(os.getpid(), signal.SIGINT)\n"
        f"sys.meta_path.insert(0, Finder())\nsys.argv = ['mien', 'predict', 'x.wav', *{options}]\n"
        "sys.exit(__main__.main())"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    said = "interrupted; run the same command again"
    assert (ended.returncode, ended.stderr) == (130, f"mien: {said}\n")
    assert ended.stdout == (f'{{"error": "{said}", "exit": 130}}\n' if options else "")


ENDS = """
import os, signal, sys
from types import ModuleType
from mien import __main__
from mien.cli import interruption
from mien.errors import RunError

def report(run):
    {report}

entered = interruption.enter
def enter(state):
    if state == {at!r} and {when!r} == "before":
        os.kill(os.getpid(), signal.SIGTERM)
    entered(state)
    if state == {at!r} and {when!r} == "after":
        os.kill(os.getpid(), signal.SIGTERM)

module = ModuleType("mien.commands.report")
module.report = report
sys.modules[module.__name__] = module
interruption.enter = enter
sys.argv = ["mien", "report", "run", *{options}]
sys.exit(__main__.main())
"""


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(("report", "sentence", "code"), [("raise RunError('run: x')", "run: x", 2), ("return", "", 0)])
@pytest.mark.parametrize(
    ("at", "when", "stands"),
    [("ending", "before", False), ("ending", "after", True), ("done", "before", True), ("done", "after", True)],
)
def test_a_signal_at_the_end_leaves_what_was_said(at, when, stands, report, sentence, code, options) -> None:
    script = ENDS.format(report=report, at=at, when=when, options=options)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=20)
    if not stands:
        sentence, code = GO_ON, 143
    assert (ended.returncode, ended.stderr) == (code, f"mien: {sentence}\n" if sentence else "")
    assert ended.stdout == (f'{{"error": "{sentence}", "exit": {code}}}\n' if sentence and options else "")
